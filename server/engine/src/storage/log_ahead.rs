//! The store's log is made longer than what is written into it.
//!
//! Bringing to disk what was appended to a file takes two writes, one after the other: the data, and
//! the file's new length. Where the file is long enough already the second is spared, which is a
//! third of what a short write waits for. RocksDB takes the blocks of its log ahead, but not its
//! length; so the length is given here. It writes on where it was. What lies ahead reads as zeros,
//! where its reader skips to the end of the log, and it cuts a log to its content when it is done
//! with it. A log that is not long enough grows as ever: nothing but time depends on this.
//!
//! Knows how logs are named and how long the newest is. Does not know what is in them.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// So far ahead the log is made.
const AHEAD_BYTES: u64 = 4 << 20;
/// After so many bytes the log is looked for again, as there may be a new one.
const LOOK_BYTES: u64 = 1 << 20;
/// What the log keeps of a batch beside its bytes, at most, while it is short.
const BATCH_OVERHEAD_BYTES: u64 = 64;

/// Makes the newest log of a directory long.
pub(super) struct LogAhead {
    dir: PathBuf,
    log: Option<Log>,
    /// Written since the log was looked for.
    since_look_bytes: u64,
}

struct Log {
    number: u64,
    file: File,
    /// About as much is written into it.
    content_bytes: u64,
    length: u64,
}

impl LogAhead {
    /// Of the store in this directory.
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            log: None,
            // The first time, a log is looked for.
            since_look_bytes: LOOK_BYTES,
        }
    }

    /// Notes that a batch was written. Nobody else writes at this moment, or the log that is made
    /// long may be one that is done with.
    pub(super) fn written(&mut self, batch_bytes: usize) {
        let bytes = batch_bytes as u64 + BATCH_OVERHEAD_BYTES;
        self.since_look_bytes += bytes;
        if let Some(log) = &mut self.log {
            log.content_bytes += bytes;
        }
        if self.since_look_bytes >= LOOK_BYTES {
            self.since_look_bytes = 0;
            if let Err(error) = self.extend() {
                tracing::debug!(%error, "the log cannot be made longer ahead");
                self.log = None;
            }
        }
    }

    /// Looks for the newest log and makes it as long as it should be.
    fn extend(&mut self) -> io::Result<()> {
        let Some((number, path)) = newest_log(&self.dir)? else {
            return Ok(());
        };
        let mut log = match self.log.take() {
            Some(log) if log.number == number => log,
            Some(_) | None => Log::open(number, &path)?,
        };
        // Should more be written than was thought, the log has grown by itself.
        let length = log.file.metadata()?.len();
        if length > log.length {
            log.content_bytes = length;
        }
        log.length = length.max(log.content_bytes + AHEAD_BYTES);
        if log.length > length {
            log.file.set_len(log.length)?;
        }
        self.log = Some(log);
        Ok(())
    }
}

impl Log {
    /// One that was not made long yet.
    fn open(number: u64, path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            number,
            file,
            content_bytes: length,
            length,
        })
    }
}

fn newest_log(dir: &Path) -> io::Result<Option<(u64, PathBuf)>> {
    let mut newest = None;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(number) = number.filter(|_| is_log) {
            newest = newest.max(Some((number, path)));
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_newest_log_is_long_enough_for_what_comes_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let length = |name: &str| path(name).metadata().unwrap().len();
        for name in ["000009.log", "000010.sst", "LOG", "odd.log"] {
            File::create(path(name)).unwrap();
        }
        let mut ahead = LogAhead::new(dir.path());
        ahead.written(1);
        assert_eq!(length("000009.log"), AHEAD_BYTES);
        let before_look = usize::try_from(LOOK_BYTES - 2 * BATCH_OVERHEAD_BYTES).unwrap();
        ahead.written(before_look);
        assert_eq!(length("000009.log"), AHEAD_BYTES);
        ahead.written(1);
        assert_eq!(length("000009.log"), AHEAD_BYTES + LOOK_BYTES + 1);
        // A new log takes its place, and the old one stays as it is.
        let mut newer = File::create(path("000011.log")).unwrap();
        newer.write_all(&[1; 100]).unwrap();
        ahead.written(usize::try_from(LOOK_BYTES).unwrap());
        assert_eq!(length("000011.log"), 100 + AHEAD_BYTES);
        assert_eq!(length("000009.log"), AHEAD_BYTES + LOOK_BYTES + 1);
        // One that has grown by itself is made longer from there.
        newer.set_len(3 * AHEAD_BYTES).unwrap();
        ahead.written(usize::try_from(LOOK_BYTES).unwrap());
        assert_eq!(length("000011.log"), 4 * AHEAD_BYTES);
    }

    #[test]
    fn where_there_is_no_log_nothing_happens() {
        let dir = tempfile::tempdir().unwrap();
        LogAhead::new(dir.path()).written(1);
        LogAhead::new(&dir.path().join("nowhere")).written(1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
