//! Numbered lines with a limit on their length, and a way back.
//!
//! Knows line ends. Does not know what a line says.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

/// The longest line (and the longest CSV record of several lines), in bytes.
pub(crate) const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Reads lines.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    /// Lines that were read and given back.
    returned: VecDeque<(Vec<u8>, Length)>,
    /// The number of the last line that was read, from 1.
    number: u64,
}

/// Whether all of a line is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// It is.
    Whole,
    /// It is longer than [`RECORD_BYTES_MAX`]: the rest was passed over.
    Cut,
}

impl Lines {
    /// The lines of a reader.
    pub(crate) fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self {
            reader,
            returned: VecDeque::new(),
            number: 0,
        }
    }

    /// The number of the last line that was read, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Appends the next line, with its end, to `line`. `None` when there is none.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<Length>> {
        if let Some((returned, length)) = self.returned.pop_front() {
            line.extend_from_slice(&returned);
            self.number += 1;
            return Ok(Some(length));
        }
        let start = line.len();
        let count = self
            .reader
            .by_ref()
            .take(RECORD_BYTES_MAX as u64 + 1)
            .read_until(b'\n', line)?;
        if count == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 && line[start..].starts_with(b"\xef\xbb\xbf") {
            line.drain(start..start + 3);
        }
        if count <= RECORD_BYTES_MAX || line.ends_with(b"\n") {
            return Ok(Some(Length::Whole));
        }
        self.reader.skip_until(b'\n')?;
        Ok(Some(Length::Cut))
    }

    /// Gives back the last lines that were read, in their order.
    pub(crate) fn give_back(&mut self, lines: Vec<(Vec<u8>, Length)>) {
        self.number -= lines.len() as u64;
        for line in lines.into_iter().rev() {
            self.returned.push_front(line);
        }
    }
}

/// A line without its end.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: Vec<u8>) -> Lines {
        Lines::new(Box::new(io::Cursor::new(bytes)))
    }

    #[test]
    fn lines_are_numbered_and_can_be_given_back() -> io::Result<()> {
        let mut lines = lines(b"\xef\xbb\xbfone\r\ntwo\n\nfour".to_vec());
        let mut read = || -> io::Result<(u64, Vec<u8>)> {
            let mut line = Vec::new();
            lines.next(&mut line)?;
            if line == b"two\n" && lines.returned.is_empty() && lines.number == 2 {
                lines.give_back(vec![(line.clone(), Length::Whole)]);
                line.clear();
                lines.next(&mut line)?;
            }
            Ok((lines.number(), without_end(&line).to_vec()))
        };
        assert_eq!(read()?, (1, b"one".to_vec()));
        assert_eq!(read()?, (2, b"two".to_vec()));
        assert_eq!(read()?, (3, b"".to_vec()));
        assert_eq!(read()?, (4, b"four".to_vec()));
        assert_eq!(read()?, (4, b"".to_vec()));
        Ok(())
    }

    #[test]
    fn a_line_beyond_the_limit_is_cut_and_the_next_one_is_whole() -> io::Result<()> {
        let long = RECORD_BYTES_MAX + 10;
        let mut lines = lines([vec![b'x'; long], b"\nnext\n".to_vec()].concat());
        let mut line = Vec::new();
        assert_eq!(lines.next(&mut line)?, Some(Length::Cut));
        assert_eq!(line.len(), RECORD_BYTES_MAX + 1);
        line.clear();
        assert_eq!(lines.next(&mut line)?, Some(Length::Whole));
        assert_eq!(line, b"next\n");
        line.clear();
        assert_eq!(lines.next(&mut line)?, None);
        Ok(())
    }
}
