//! Bytes of a file or of standard input, unpacked.
//!
//! Knows gzip and zstd by their first bytes, and how far the reading is. Does not know rows.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// An open source of lines.
pub(crate) struct Source {
    /// Its name for messages.
    pub(crate) name: String,
    /// The unpacked bytes.
    pub(crate) reader: Box<dyn BufRead + Send>,
}

/// How many bytes, as they lie on the disk, have been read.
#[derive(Debug, Clone, Default)]
pub(crate) struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// The count so far.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counting<R> {
    inner: R,
    read: BytesRead,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Source {
    /// Opens a file.
    pub(crate) fn file(path: &Path, read: &BytesRead) -> io::Result<Self> {
        Self::new(path.display().to_string(), File::open(path)?, read)
    }

    /// Reads from anything else.
    pub(crate) fn new(
        name: String,
        inner: impl Read + Send + 'static,
        read: &BytesRead,
    ) -> io::Result<Self> {
        let counting = Counting {
            inner,
            read: read.clone(),
        };
        Ok(Self {
            name,
            reader: unpack(counting)?,
        })
    }

    /// Takes up to `bytes_max` from the beginning, in whole lines where there are any, and
    /// keeps them to be read again.
    pub(crate) fn peek(&mut self, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut sample = Vec::new();
        self.reader
            .by_ref()
            .take(bytes_max as u64)
            .read_to_end(&mut sample)?;
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        let again = Cursor::new(sample.clone()).chain(rest);
        self.reader = Box::new(BufReader::with_capacity(BUFFER_BYTES, again));
        if sample.len() == bytes_max {
            let whole = sample
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(sample.len(), |at| at + 1);
            sample.truncate(whole);
        }
        Ok(sample)
    }
}

fn unpack(mut inner: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut magic = Vec::with_capacity(ZSTD_MAGIC.len());
    inner
        .by_ref()
        .take(ZSTD_MAGIC.len() as u64)
        .read_to_end(&mut magic)?;
    let is_gzip = magic.starts_with(&GZIP_MAGIC);
    let is_zstd = magic == ZSTD_MAGIC;
    let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(magic).chain(inner));
    if is_gzip {
        return Ok(Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            MultiGzDecoder::new(whole),
        )));
    }
    if is_zstd {
        let decoder = zstd::stream::read::Decoder::with_buffer(whole)?;
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)));
    }
    Ok(Box::new(whole))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &[u8] = b"id,x\n1,a\n2,b\n";

    fn read(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut source = Source::new("test".to_owned(), Cursor::new(bytes), &BytesRead::default())?;
        source.reader.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes)?;
        encoder.finish()
    }

    #[test]
    fn packed_files_are_known_by_their_first_bytes() -> io::Result<()> {
        assert_eq!(read(TEXT.to_vec())?, TEXT);
        assert_eq!(read(gzip(TEXT)?)?, TEXT);
        assert_eq!(
            read([gzip(TEXT)?, gzip(TEXT)?].concat())?,
            [TEXT, TEXT].concat()
        );
        assert_eq!(read(zstd::encode_all(TEXT, 1)?)?, TEXT);
        assert_eq!(read(b"1".to_vec())?, b"1");
        assert_eq!(read(vec![])?, b"");
        Ok(())
    }

    #[test]
    fn a_broken_gzip_is_an_error_and_not_an_end() -> io::Result<()> {
        let mut packed = gzip(TEXT)?;
        packed.truncate(packed.len() - 3);
        assert!(read(packed).is_err());
        Ok(())
    }

    #[test]
    fn peeking_takes_nothing_away_and_counts_bytes() -> io::Result<()> {
        let count = BytesRead::default();
        let mut source = Source::new("test".to_owned(), Cursor::new(TEXT.to_vec()), &count)?;
        let sample = source.peek(11)?;
        assert_eq!(sample, b"id,x\n1,a\n");
        let mut out = Vec::new();
        source.reader.read_to_end(&mut out)?;
        assert_eq!(out, TEXT);
        assert_eq!(count.count(), TEXT.len() as u64);
        Ok(())
    }
}
