//! Compacts the files of records that loads have brought.
//!
//! Such a file lies behind all others of its partition and comes to lie on the last level at once,
//! where RocksDB leaves it as it is. After a thousand loads there would be many thousands of small
//! files: more than are kept open, so that whoever reads one user's record would first have to open
//! a file, and every change of the set of files would go through a long list. So neighbours are
//! rewritten as one, on a thread of its own, when there are many.
//!
//! Knows which files are small and lie side by side. Does not know what is in them.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use crate::{
    ids::PartitionId,
    storage::{
        StorageError,
        families::FamilyId,
        keys::{KeyFormat, UserKey},
        rocks::{FileSpan, Rocks},
    },
};

/// So many small files side by side are rewritten. Fewer would be rewritten more often.
const NEIGHBOURS_MIN: usize = if cfg!(test) { 4 } else { 32 };
/// A file of so many bytes is not small.
const SMALL_BYTES_MAX: u64 = 8 << 20;

/// The thread that compacts.
pub(super) struct Compactor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    rocks: Rocks,
    wish: Mutex<Wish>,
    changed: Condvar,
}

/// What the thread is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Wait,
    Look,
    End,
}

impl Compactor {
    /// Starts the thread, which waits to be woken.
    pub(super) fn start(rocks: Rocks) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            rocks,
            wish: Mutex::new(Wish::Wait),
            changed: Condvar::new(),
        });
        let thread = std::thread::Builder::new().name("compactor".to_owned());
        let thread = thread.spawn({
            let shared = shared.clone();
            move || shared.run()
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Says that files were added. Does not wait for what follows.
    pub(super) fn wake(&self) {
        *self.shared.lock() = Wish::Look;
        self.shared.changed.notify_one();
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        *self.shared.lock() = Wish::End;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the compactor's thread had ended with a panic");
        }
    }
}

impl Shared {
    /// The wish is replaced as a whole, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while self.next() == Wish::Look {
            let is_wanted = || *self.lock() != Wish::End;
            if let Err(error) = compact_neighbours(&self.rocks, is_wanted) {
                tracing::warn!(%error, "small files of records cannot be compacted");
            }
        }
    }

    /// Waits for something to do, and takes it.
    fn next(&self) -> Wish {
        let mut wish = self.lock();
        while *wish == Wish::Wait {
            wish = self
                .changed
                .wait(wish)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let next = *wish;
        if next == Wish::Look {
            *wish = Wish::Wait;
        }
        next
    }
}

/// Rewrites small files of records that lie side by side, as long as that `is_wanted`.
pub(super) fn compact_neighbours(
    rocks: &Rocks,
    is_wanted: impl Fn() -> bool,
) -> Result<(), StorageError> {
    for (first, last) in runs(rocks.files(FamilyId::Records)?) {
        if !is_wanted() {
            break;
        }
        rocks.compact_between(FamilyId::Records, &first, &last)?;
    }
    Ok(())
}

/// The first and the last key of many small files side by side.
fn runs(mut files: Vec<FileSpan>) -> Vec<(Vec<u8>, Vec<u8>)> {
    // Level 0 is compacted as a whole, by itself.
    files.retain(|file| file.level > 0);
    files.sort_unstable_by(|left, right| {
        (left.level, &left.first).cmp(&(right.level, &right.first))
    });
    let keys = |run: &[FileSpan]| {
        let (first, last) = (run.first()?, run.last()?);
        (run.len() >= NEIGHBOURS_MIN).then(|| (first.first.clone(), last.last.clone()))
    };
    files.chunk_by(are_neighbours).filter_map(keys).collect()
}

/// Whether two files, one after the other, may become one. A file of two partitions would be in
/// the way of the next load's, which lies between them.
fn are_neighbours(left: &FileSpan, right: &FileSpan) -> bool {
    let is_small = |file: &FileSpan| file.bytes < SMALL_BYTES_MAX;
    let of = partition_of_record(&left.first);
    let keys = [&left.last, &right.first, &right.last];
    left.level == right.level
        && is_small(left)
        && is_small(right)
        && of.is_some()
        && keys.into_iter().all(|key| partition_of_record(key) == of)
}

fn partition_of_record(key: &[u8]) -> Option<PartitionId> {
    UserKey::read_from(key).ok().map(|key| key.partition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    fn key(partition: u16, user: u32) -> Vec<u8> {
        let key = UserKey {
            partition: PartitionId(partition),
            user: UserId(user),
        };
        key.to_bytes()
    }

    /// A file of ten users of a partition.
    fn file(level: i32, partition: u16, first: u32, bytes: u64) -> FileSpan {
        FileSpan {
            level,
            bytes,
            first: key(partition, first),
            last: key(partition, first + 9),
        }
    }

    #[test]
    fn small_files_of_one_partition_and_level_are_neighbours() {
        let many = |level: i32, partition: u16, bytes: u64| {
            let count = u32::try_from(NEIGHBOURS_MIN).unwrap_or(u32::MAX);
            let firsts = (0..count).map(|number| number * 10);
            firsts.map(move |first| file(level, partition, first, bytes))
        };
        let found = |files: Vec<FileSpan>| {
            let backwards = files.iter().rev().cloned().collect();
            assert_eq!(runs(files.clone()), runs(backwards));
            runs(files)
        };
        let last = 10 * NEIGHBOURS_MIN as u32 - 1;
        let of_first = (key(1, 0), key(1, last));
        assert_eq!(
            found(many(6, 1, 100).collect()),
            std::slice::from_ref(&of_first)
        );
        // Two partitions make two runs.
        let two: Vec<FileSpan> = many(6, 1, 100).chain(many(6, 2, 100)).collect();
        assert_eq!(found(two), [of_first, (key(2, 0), key(2, last))]);
        // Too few, on level 0, and large.
        assert!(found(many(6, 1, 100).skip(1).collect()).is_empty());
        assert!(found(many(0, 1, 100).collect()).is_empty());
        assert!(found(many(6, 1, SMALL_BYTES_MAX).collect()).is_empty());
        // A large one parts those before it from those behind it.
        let mut parted: Vec<FileSpan> = many(6, 1, 100).collect();
        parted[1].bytes = SMALL_BYTES_MAX;
        assert!(found(parted).is_empty());
        // One that reaches into the next partition is left alone.
        let mut reaching: Vec<FileSpan> = many(6, 1, 100).collect();
        reaching[NEIGHBOURS_MIN - 1].last = key(2, 0);
        assert!(found(reaching).is_empty());
    }
}
