//! Sorted files on their way into the store.
//!
//! A load writes its part of each column family into files of its own, sorted by key, and the
//! store takes each file as it is, without writing it through log and memtable. Families are
//! taken one after the other, so a crash may leave some in and some out. Hence the order:
//!
//! 1. The files are written to the directory `incoming` and synced. A crash leaves files that
//!    nobody names: opening removes them.
//! 2. One batch, synced, has all other changes of the load and the list of its files. From here
//!    on the load is done: opening takes what is still to be taken.
//! 3. The store takes the files, and each goes away from `incoming` when it is in. Taking one
//!    twice changes nothing, as it says what is, not what changes by how much.
//! 4. The list is removed.
//!
//! Readers see nothing of this: until a view of the state after step 3 is published, they hold
//! snapshots of the state before step 2.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use bincode::{Decode, Encode};

use crate::{
    storage::{
        StorageError,
        batch::Changes,
        cache::CacheKey,
        families::{Family, FamilyId, IncomingKey, IncomingLists, damaged_at, read},
        formats::ValueFormat,
        keys::{ColumnKey, EventTableKey, FragmentKey, KeyBlockKey, KeyFormat, UserKey},
        rocks::{Rocks, SortedFile, Sync},
    },
    user_keys::KeyBlockDelta,
};

/// The directory of the files, beside the store's.
const INCOMING_DIR: &str = "incoming";

/// The files that a load has brought, in the order in which they are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct IncomingList {
    /// The name of a column family, and that of a file in `incoming`.
    pub(crate) files: Vec<(String, String)>,
}

/// Where incoming files are.
#[derive(Debug)]
pub(crate) struct IncomingDir {
    path: PathBuf,
    next_file: AtomicU32,
}

/// Files of a load in the making; several threads may write some at once. Removed when they are
/// not taken.
pub(crate) struct IncomingFiles<'a> {
    rocks: &'a Rocks,
    dir: &'a IncomingDir,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    files: Vec<(FamilyId, PathBuf)>,
    touched: Vec<CacheKey>,
}

/// What is written into one file; the keys must rise.
pub(crate) struct Entries<'a, 'f> {
    file: &'a mut SortedFile<'f>,
    touched: &'a mut Vec<CacheKey>,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl IncomingDir {
    /// Opens the directory in that of the database. Nothing in it is looked at.
    pub(crate) fn open(database_dir: &Path) -> Result<Self, StorageError> {
        let path = database_dir.join(INCOMING_DIR);
        std::fs::create_dir_all(&path).map_err(failed)?;
        Ok(Self {
            path,
            next_file: AtomicU32::new(0),
        })
    }

    /// Finishes a load that was broken off after it was decided, and removes the files of one
    /// that was broken off before.
    pub(crate) fn recover(&self, rocks: &Rocks) -> Result<(), StorageError> {
        if let Some(list) = read::<IncomingLists>(&rocks.snapshot(), &IncomingKey)? {
            for family in FamilyId::ALL {
                let named = list.files.iter().filter(|(name, _)| name == family.name());
                let paths: Vec<PathBuf> = named
                    .map(|(_, file)| self.listed(file))
                    .collect::<Result<_, _>>()?;
                take(rocks, family, paths)?;
            }
            remove_list(rocks)?;
        }
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            std::fs::remove_file(entry.map_err(failed)?.path()).map_err(failed)?;
        }
        Ok(())
    }

    /// The path of a file in a list: never outside the directory.
    fn listed(&self, file: &str) -> Result<PathBuf, StorageError> {
        let is_plain = Path::new(file).file_name() == Some(file.as_ref());
        let damaged = || {
            damaged_at(
                FamilyId::Meta,
                &IncomingKey.to_bytes(),
                format_args!("{file:?} is not the name of a file"),
            )
        };
        is_plain.then(|| self.path.join(file)).ok_or_else(damaged)
    }

    /// Begins the files of a load.
    pub(crate) fn files<'a>(&'a self, rocks: &'a Rocks) -> IncomingFiles<'a> {
        IncomingFiles {
            rocks,
            dir: self,
            written: Mutex::default(),
        }
    }
}

impl IncomingFiles<'_> {
    /// Writes and syncs one file.
    pub(crate) fn write(
        &self,
        family: FamilyId,
        fill: impl FnOnce(&mut Entries<'_, '_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let number = self.dir.next_file.fetch_add(1, Ordering::Relaxed);
        let path = self
            .dir
            .path
            .join(format!("{}-{number}.sst", family.name()));
        // Known before it is there, so that it is removed if writing it fails.
        self.lock().files.push((family, path.clone()));
        let mut touched = Vec::new();
        self.rocks.write_sorted(family, &path, |file| {
            fill(&mut Entries {
                file,
                touched: &mut touched,
                key: Vec::new(),
                value: Vec::new(),
            })
        })?;
        self.lock().touched.extend(touched);
        Ok(())
    }

    /// Lists are changed by whole entries, so a panic elsewhere leaves them usable.
    fn lock(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the files outlast a crash, and gives the change that lists them.
    pub(crate) fn list(&self) -> Result<Changes, StorageError> {
        std::fs::File::open(&self.dir.path)
            .and_then(|dir| dir.sync_all())
            .map_err(failed)?;
        let name = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let files = self.lock().files.clone();
        let files = files
            .iter()
            .map(|(family, path)| (family.name().to_owned(), name(path)));
        let list = IncomingList {
            files: files.collect(),
        };
        let mut changes = Changes::default();
        changes.put::<IncomingLists>(&IncomingKey, &list)?;
        Ok(changes)
    }

    /// The fragments and columns that the files change.
    pub(crate) fn take_touched(&self) -> Vec<CacheKey> {
        std::mem::take(&mut self.lock().touched)
    }

    /// Lets the store take the files of a family.
    pub(crate) fn take(&self, family: FamilyId) -> Result<(), StorageError> {
        let of_family = |(of, path): &(FamilyId, PathBuf)| (*of == family).then(|| path.clone());
        let paths = self.lock().files.iter().filter_map(of_family).collect();
        take(self.rocks, family, paths)
    }

    /// Removes the list of files that were taken. Need not outlast a crash: the files are gone.
    pub(crate) fn finish(&self) -> Result<(), StorageError> {
        remove_list(self.rocks)
    }

    /// Removes files that are not listed anywhere.
    pub(crate) fn discard(&self) {
        for (_, path) in std::mem::take(&mut self.lock().files) {
            // What cannot be removed now is removed at the next opening.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Entries<'_, '_> {
    /// Makes a key the one of the entry to come.
    fn begin<'k>(&mut self, key: &impl KeyFormat<'k>) {
        self.key.clear();
        key.write_to(&mut self.key);
    }

    pub(crate) fn put<F: Family>(
        &mut self,
        key: &F::Key<'_>,
        value: &F::Value,
    ) -> Result<(), StorageError> {
        self.begin(key);
        self.value.clear();
        value
            .write_to(&mut self.value)
            .map_err(|error| damaged_at(F::ID, &self.key, error))?;
        self.file.put(&self.key, &self.value)
    }

    /// Puts a record by its bytes.
    pub(crate) fn put_record(&mut self, key: UserKey, record: &[u8]) -> Result<(), StorageError> {
        self.begin(&key);
        self.file.put(&self.key, record)
    }

    /// Changes a fragment by a delta's bytes.
    pub(crate) fn merge_fragment(
        &mut self,
        key: FragmentKey,
        delta: &[u8],
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Fragment(key));
        self.begin(&key);
        self.file.merge(&self.key, delta)
    }

    /// Changes a block of keys by a delta.
    pub(crate) fn merge_keys(
        &mut self,
        key: KeyBlockKey,
        delta: KeyBlockDelta<'_>,
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Keys(key));
        self.begin(&key);
        self.file.merge(&self.key, &delta.encode())
    }

    /// Changes a table of events by a delta's bytes.
    pub(crate) fn merge_events(
        &mut self,
        key: EventTableKey,
        delta: &[u8],
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::EventTable(key));
        self.begin(&key);
        self.file.merge(&self.key, delta)
    }

    /// Changes a column by a delta's bytes.
    pub(crate) fn merge_column(
        &mut self,
        key: ColumnKey,
        delta: &[u8],
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Column(key));
        self.begin(&key);
        self.file.merge(&self.key, delta)
    }
}

/// Lets the store take files that were not taken before. One that was is gone.
fn take(rocks: &Rocks, family: FamilyId, mut paths: Vec<PathBuf>) -> Result<(), StorageError> {
    paths.retain(|path| path.exists());
    if paths.is_empty() {
        return Ok(());
    }
    rocks.ingest(family, &paths)
}

fn remove_list(rocks: &Rocks) -> Result<(), StorageError> {
    let mut changes = Changes::default();
    changes.delete::<IncomingLists>(&IncomingKey)?;
    rocks.commit(changes.into_batch(rocks)?, Sync::OsBuffer)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "this is how `map_err` gives it"
)]
fn failed(error: std::io::Error) -> StorageError {
    StorageError::Store(format!("the directory of incoming files: {error}"))
}
