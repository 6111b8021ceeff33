//! RocksDB: bytes in column families. Only this module names the library.
//!
//! Knows what can be asked of the store and how its failures look; `snapshot` reads, `batch`
//! writes, `tuning` says how each family is kept, `merging` what becomes of deltas. Does not know
//! what the bytes mean.

mod batch;
mod merging;
mod snapshot;
mod tuning;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rocksdb::{
    BottommostLevelCompaction, Cache, ColumnFamily, ColumnFamilyDescriptor, CompactOptions, DB,
    IngestExternalFileOptions, LiveFile, Options, SstFileWriter, WriteBatch, WriteOptions,
    properties,
};

pub use self::snapshot::Heading;
use self::tuning::{
    PASSING_BYTES, RESTING, UNCACHING, database_options, family_options, file_options,
};
pub(crate) use self::{
    batch::{Batch, SortedFile},
    merging::DAMAGED,
    snapshot::Snapshot,
};
use crate::storage::{StorageError, families::FamilyId, log_ahead::LogAhead};

impl From<rocksdb::Error> for StorageError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Store(error.into_string())
    }
}

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    Disk,
    OsBuffer,
}

/// The open store, and the lock that keeps others out. Fields are dropped in this order.
struct Inner {
    db: DB,
    dir: PathBuf,
    log_ahead: Mutex<LogAhead>,
    block_cache: Cache,
    _lock: File,
}

/// A file of a family, as its neighbours see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileSpan {
    /// On one level, but for level 0, files have no keys in common.
    pub(crate) level: i32,
    pub(crate) bytes: u64,
    /// The least key in it.
    pub(crate) first: Vec<u8>,
    /// The greatest key in it.
    pub(crate) last: Vec<u8>,
}

/// What the store keeps in memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StoreMemory {
    /// Blocks of files.
    pub(crate) block_cache: u64,
    /// Writes that are in no file yet.
    pub(crate) memtables: u64,
    /// Indexes and filters of files, as far as they are not in the block cache.
    pub(crate) tables: u64,
}

impl Inner {
    fn family(&self, family: FamilyId) -> Result<&ColumnFamily, StorageError> {
        let missing =
            || StorageError::Store(format!("the column family {} is missing", family.name()));
        self.db.cf_handle(family.name()).ok_or_else(missing)
    }
}

/// An open store. Clones share it; it closes with the last clone and the last snapshot.
#[derive(Clone)]
pub(crate) struct Rocks {
    inner: Arc<Inner>,
}

impl Rocks {
    /// Opens the store in `dir`, creating it when there is none. `lock` is held as long as it
    /// is open.
    pub(crate) fn open(
        dir: &Path,
        lock: File,
        block_cache_bytes: u64,
    ) -> Result<Self, StorageError> {
        let cache_bytes = usize::try_from(block_cache_bytes).unwrap_or(usize::MAX);
        let cache = Cache::new_lru_cache(cache_bytes);
        let passing = Cache::new_lru_cache(PASSING_BYTES);
        let retired = retired_families(dir)?;
        let families = FamilyId::ALL.into_iter().chain(retired);
        let descriptors = families.map(|family| {
            ColumnFamilyDescriptor::new(family.name(), family_options(family, [&cache, &passing]))
        });
        let db = DB::open_cf_descriptors(&database_options(), dir, descriptors)?;
        let inner = Inner {
            db,
            dir: dir.to_owned(),
            log_ahead: Mutex::new(LogAhead::new(dir)),
            block_cache: cache,
            _lock: lock,
        };
        let user_ids = inner.family(FamilyId::UserIds)?;
        inner.db.set_options_cf(user_ids, &UNCACHING)?;
        let records = inner.family(FamilyId::Records)?;
        inner.db.set_options_cf(records, &RESTING)?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Reads one value without opening the store for writing, so that a store of another format
    /// is left exactly as it is. `None` also when there is no store.
    pub(crate) fn peek(
        dir: &Path,
        family: FamilyId,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StorageError> {
        if !dir.join("CURRENT").exists() {
            return Ok(None);
        }
        let options = Options::default();
        let families = DB::list_cf(&options, dir)?;
        if !families.iter().any(|name| name == family.name()) {
            return Ok(None);
        }
        let db = DB::open_cf_for_read_only(&options, dir, ["default", family.name()], false)?;
        let Some(handle) = db.cf_handle(family.name()) else {
            return Ok(None);
        };
        Ok(db.get_cf(handle, key)?)
    }

    /// The state of this moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            cell: OwnedSnapshot::new(self.inner.clone(), |inner| inner.db.snapshot()),
        }
    }

    /// An empty batch for this store.
    pub(crate) fn batch(&self) -> Batch {
        Batch {
            inner: self.inner.clone(),
            batch: WriteBatch::default(),
        }
    }

    /// Writes a batch, all or nothing.
    pub(crate) fn commit(&self, batch: Batch, sync: Sync) -> Result<(), StorageError> {
        let mut options = WriteOptions::default();
        options.set_sync(sync == Sync::Disk);
        // Held meanwhile, so that the log is not replaced by another while it is made longer.
        let ahead = self.inner.log_ahead.lock();
        let mut ahead = ahead.unwrap_or_else(PoisonError::into_inner);
        let bytes = batch.batch.size_in_bytes();
        self.inner.db.write_opt(batch.batch, &options)?;
        ahead.written(bytes);
        Ok(())
    }

    /// Brings the log to disk. Others may write meanwhile; of what they write nothing is said.
    pub(crate) fn sync_log(&self) -> Result<(), StorageError> {
        Ok(self.inner.db.flush_wal(true)?)
    }

    /// Whether the store has a family: one of an older format may be gone.
    pub(crate) fn has_family(&self, family: FamilyId) -> bool {
        self.inner.db.cf_handle(family.name()).is_some()
    }

    /// Drops the families of older formats that are still there. Nobody else may use the store
    /// yet.
    pub(crate) fn drop_retired(&mut self) -> Result<(), StorageError> {
        let inner = Arc::get_mut(&mut self.inner).ok_or_else(|| {
            StorageError::Store("the store is in use while it is opened".to_owned())
        })?;
        for family in FamilyId::RETIRED {
            if inner.db.cf_handle(family.name()).is_some() {
                inner.db.drop_cf(family.name())?;
            }
        }
        Ok(())
    }

    /// Brings the log to disk, and the memtables to their files.
    pub(crate) fn flush(&self) -> Result<(), StorageError> {
        self.inner.db.flush_wal(true)?;
        for family in FamilyId::ALL {
            self.inner.db.flush_cf(self.inner.family(family)?)?;
        }
        Ok(())
    }

    /// Writes a sorted file that [`Self::ingest`] can take, and syncs it. `fill` puts in one
    /// entry at least, and keys that rise.
    pub(crate) fn write_sorted(
        &self,
        family: FamilyId,
        path: &Path,
        fill: impl FnOnce(&mut SortedFile<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let options = file_options(family);
        let mut file = SortedFile {
            writer: SstFileWriter::create(&options),
        };
        file.writer.open(path)?;
        fill(&mut file)?;
        Ok(file.writer.finish()?)
    }

    /// Takes sorted files of a family as they are, all or none, and removes them from where they
    /// were. Snapshots of before do not show them.
    pub(crate) fn ingest(&self, family: FamilyId, paths: &[PathBuf]) -> Result<(), StorageError> {
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        let handle = self.inner.family(family)?;
        let paths = paths.to_vec();
        Ok(self
            .inner
            .db
            .ingest_external_file_cf_opts(handle, &options, paths)?)
    }

    /// The files of a family.
    pub(crate) fn files(&self, family: FamilyId) -> Result<Vec<FileSpan>, StorageError> {
        let mut files = self.inner.db.live_files()?;
        files.retain(|file| file.column_family_name == family.name());
        let span = |file: LiveFile| FileSpan {
            level: file.level,
            bytes: file.size as u64,
            first: file.start_key.unwrap_or_default(),
            last: file.end_key.unwrap_or_default(),
        };
        Ok(files.into_iter().map(span).collect())
    }

    /// Rewrites the files that have keys from `first` to `last` into as few as may be. Others read
    /// and write meanwhile.
    pub(crate) fn compact_between(
        &self,
        family: FamilyId,
        first: &[u8],
        last: &[u8],
    ) -> Result<(), StorageError> {
        let mut options = CompactOptions::default();
        options.set_exclusive_manual_compaction(false);
        // Files that are on the last level already would be left as they are.
        options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
        let handle = self.inner.family(family)?;
        self.inner
            .db
            .compact_range_cf_opt(handle, Some(first), Some(last), &options);
        Ok(())
    }

    /// Rewrites a family's files, merging what is pending.
    #[cfg(test)]
    pub(crate) fn compact(&self, family: FamilyId) -> Result<(), StorageError> {
        let handle = self.inner.family(family)?;
        self.inner
            .db
            .compact_range_cf(handle, None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }

    /// What is kept in memory at this moment.
    pub(crate) fn memory(&self) -> Result<StoreMemory, StorageError> {
        let mut memory = StoreMemory {
            block_cache: self.inner.block_cache.get_usage() as u64,
            ..StoreMemory::default()
        };
        for family in FamilyId::ALL {
            let handle = self.inner.family(family)?;
            let number = |name| self.inner.db.property_int_value_cf(handle, name);
            memory.memtables += number(properties::SIZE_ALL_MEM_TABLES)?.unwrap_or(0);
            memory.tables += number(properties::ESTIMATE_TABLE_READERS_MEM)?.unwrap_or(0);
        }
        Ok(memory)
    }

    /// The length of all files.
    pub(crate) fn disk_bytes(&self) -> Result<u64, StorageError> {
        let failed = |error: std::io::Error| StorageError::Store(error.to_string());
        let mut bytes = 0;
        for entry in std::fs::read_dir(&self.inner.dir).map_err(failed)? {
            // A file may go away between the listing and the look.
            bytes += entry
                .map_err(failed)?
                .metadata()
                .map_or(0, |metadata| metadata.len());
        }
        Ok(bytes)
    }
}

/// The families of older formats in a store. RocksDB does not open a store in part.
fn retired_families(dir: &Path) -> Result<Vec<FamilyId>, StorageError> {
    if !dir.join("CURRENT").exists() {
        return Ok(Vec::new());
    }
    let names = DB::list_cf(&Options::default(), dir)?;
    let is_there = |family: &FamilyId| names.iter().any(|name| name == family.name());
    Ok(FamilyId::RETIRED.into_iter().filter(is_there).collect())
}

type BorrowedSnapshot<'a> = rocksdb::Snapshot<'a>;

self_cell::self_cell!(
    struct OwnedSnapshot {
        owner: Arc<Inner>,
        #[covariant]
        dependent: BorrowedSnapshot,
    }
);

/// The first key after all that begin with `prefix`; `None` when there is none.
fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_begins() {
        let check = |prefix: &[u8], expected: Option<&[u8]>| {
            assert_eq!(end_of_prefix(prefix).as_deref(), expected);
        };
        check(&[1, 2], Some(&[1, 3]));
        check(&[1, 255], Some(&[2]));
        check(&[255, 255], None);
        check(&[], None);
    }
}
