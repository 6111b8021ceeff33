//! RocksDB: bytes in column families. Only this module names the library.
//!
//! Knows how the store is tuned and how its failures look; [`snapshot`] reads, [`batch`] writes.
//! Does not know what the bytes mean, but for the merge operators, whose bodies are in
//! [`crate::behaviour`], [`crate::bitmap`], [`crate::column`] and [`crate::user_keys`].

mod batch;
mod snapshot;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    IngestExternalFileOptions, LogLevel, MergeOperands, Options, SstFileWriter, WriteBatch,
    WriteOptions, properties,
};

pub(crate) use self::{
    batch::{Batch, SortedFile},
    snapshot::Snapshot,
};
use crate::{
    behaviour, bitmap, column,
    storage::{StorageError, families::FamilyId, log_ahead::LogAhead},
    user_keys,
};

/// Begins a value whose merge failed. No fragment, column or key block begins so: reading it is
/// an error. Failing inside the operator instead would stop all writing at the next compaction,
/// for the sake of one damaged row that can be derived again.
pub(crate) const DAMAGED: &[u8] = b"damaged: ";

/// Memtables of all families together.
const WRITE_BUFFER_BYTES: usize = 256 << 20;
/// The memtable of one family.
const FAMILY_BUFFER_BYTES: usize = 64 << 20;
/// The log is cut when it has grown so long, by flushing the oldest memtables.
const LOG_BYTES_MAX: u64 = 512 << 20;
/// Files of the first level that are merged into the next at once. What a load brings is merged
/// with everything that is there, so the more at once, the less often; a read asks all of them.
const FIRST_LEVEL_FILES: i32 = 16;
/// Files of the first level with which writes are slowed down, and stopped.
const FIRST_LEVEL_FILES_SLOW: i32 = 40;
const FIRST_LEVEL_FILES_MAX: i32 = 80;
/// The first level below that is not merged at once with everything.
const LEVEL_BYTES: u64 = 512 << 20;
/// Zstandard's quickest usual level: most of what a load brings is compressed more than once.
const ZSTD_LEVEL: i32 = 1;
/// Zlib's window, which every caller must name.
const WINDOW_BITS: i32 = -14;
/// Blocks of families that are cached elsewhere: as many as some threads read at a time.
const PASSING_BYTES: usize = 2 << 20;
const OPEN_FILES_MAX: i32 = 1024;
const BACKGROUND_JOBS: i32 = 4;
const BLOCK_BYTES: usize = 16 << 10;
const BLOOM_BITS_PER_KEY: f64 = 10.0;
/// Of the family with a key for each user: one absent key in 46 is looked for in vain.
const USER_BLOOM_BITS_PER_KEY: f64 = 8.0;
/// The first level whose filters are ribbons: three quarters of a bloom filter's bytes, for
/// more work in the background.
const RIBBON_LEVEL: i32 = 1;
/// The part of a memtable that a bloom filter over its keys takes: ten bits a key, where an
/// entry takes about sixty bytes.
const MEMTABLE_BLOOM_RATIO: f64 = 0.02;
/// How long RocksDB goes on dropping a removed file's blocks from the cache after it has met
/// one that was not there; large is to the end. Blocks of removed files are never asked for,
/// and would stay until the cache is full.
const UNCACHE_AGGRESSIVENESS: &str = "10000";

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
        // The library has no other way to say it.
        let uncaching = [("uncache_aggressiveness", UNCACHE_AGGRESSIVENESS)];
        let user_ids = inner.family(FamilyId::UserIds)?;
        inner.db.set_options_cf(user_ids, &uncaching)?;
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

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_total_wal_size(LOG_BYTES_MAX);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_background_jobs(BACKGROUND_JOBS);
    options.set_bytes_per_sync(1 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(4 << 20);
    options.set_keep_log_file_num(4);
    options
}

/// How blocks look, wherever a file is written.
fn table_options() -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_size(BLOCK_BYTES);
    table.set_format_version(5);
    table
}

fn set_filter(table: &mut BlockBasedOptions, family: FamilyId) {
    match filtering(family) {
        Filtering::Absent => {
            table.set_hybrid_ribbon_filter(USER_BLOOM_BITS_PER_KEY, RIBBON_LEVEL);
        }
        Filtering::Present | Filtering::Levels => {
            table.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
        }
        Filtering::Nothing => {}
    }
}

/// What is known of the keys that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filtering {
    /// Many are nowhere: new users'.
    Absent,
    /// They are always somewhere, so the last level, which holds nearly all of them, needs no
    /// filter. It would take more than a byte a user.
    Present,
    /// They are few, and a filter spares a look into the wrong level.
    Levels,
    /// Keys are read in order only.
    Nothing,
}

fn filtering(family: FamilyId) -> Filtering {
    match family {
        FamilyId::UserIds | FamilyId::EventIds => Filtering::Absent,
        FamilyId::Records => Filtering::Present,
        FamilyId::Texts | FamilyId::UserKeys | FamilyId::Events => Filtering::Nothing,
        FamilyId::Meta
        | FamilyId::Schema
        | FamilyId::Partitions
        | FamilyId::KeyBlocks
        | FamilyId::Fragments
        | FamilyId::Columns
        | FamilyId::Requests
        | FamilyId::EventTables
        | FamilyId::EventExtents => Filtering::Levels,
    }
}

/// Options of a sorted file that is written outside the store.
fn file_options(family: FamilyId) -> Options {
    let mut options = Options::default();
    let mut table = table_options();
    // The writer does not know the level, and so what the filter would be good for.
    if (placement(family), filtering(family)) != (Placement::Final, Filtering::Present) {
        set_filter(&mut table, family);
    }
    options.set_block_based_table_factory(&table);
    match placement(family) {
        // Without a level: any level makes LZ4 take several times as long.
        Placement::Rewritten => options.set_compression_type(DBCompressionType::Lz4),
        Placement::Final => {
            options.set_compression_type(DBCompressionType::Zstd);
            options.set_compression_options(WINDOW_BITS, ZSTD_LEVEL, 0, 0);
        }
    }
    options
}

/// Where the files that a load brings come to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placement {
    /// On the last level: nothing else has keys between theirs.
    Final,
    /// On the first: they will be merged with others.
    Rewritten,
}

fn placement(family: FamilyId) -> Placement {
    match family {
        FamilyId::Records => Placement::Final,
        FamilyId::Meta
        | FamilyId::Schema
        | FamilyId::Partitions
        | FamilyId::UserIds
        | FamilyId::KeyBlocks
        | FamilyId::UserKeys
        | FamilyId::Fragments
        | FamilyId::Columns
        | FamilyId::Texts
        | FamilyId::Requests
        | FamilyId::Events
        | FamilyId::EventIds
        | FamilyId::EventTables
        | FamilyId::EventExtents => Placement::Rewritten,
    }
}

/// Who keeps what is read often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caching {
    /// The block cache, with the indexes of the files.
    Blocks,
    /// Those who read it keep it in their own form, so that a block is kept only until the values
    /// beside the one that was asked for are read. Indexes are small, as values are large, and
    /// stay in memory with their files.
    Elsewhere,
}

fn caching(family: FamilyId) -> Caching {
    match family {
        FamilyId::Fragments | FamilyId::Columns | FamilyId::KeyBlocks | FamilyId::EventTables => {
            Caching::Elsewhere
        }
        FamilyId::Meta
        | FamilyId::Schema
        | FamilyId::Partitions
        | FamilyId::UserIds
        | FamilyId::UserKeys
        | FamilyId::Records
        | FamilyId::Texts
        | FamilyId::Requests
        | FamilyId::Events
        | FamilyId::EventIds
        | FamilyId::EventExtents => Caching::Blocks,
    }
}

fn family_options(family: FamilyId, [cache, passing]: [&Cache; 2]) -> Options {
    let mut table = table_options();
    set_filter(&mut table, family);
    match caching(family) {
        Caching::Blocks => {
            table.set_block_cache(cache);
            table.set_cache_index_and_filter_blocks(true);
            table.set_cache_index_and_filter_blocks_with_high_priority(true);
            table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        }
        Caching::Elsewhere => table.set_block_cache(passing),
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_optimize_filters_for_hits(filtering(family) == Filtering::Present);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
    options.set_bottommost_compression_options(WINDOW_BITS, ZSTD_LEVEL, 0, 0, true);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_level_zero_file_num_compaction_trigger(FIRST_LEVEL_FILES);
    options.set_level_zero_slowdown_writes_trigger(FIRST_LEVEL_FILES_SLOW);
    options.set_level_zero_stop_writes_trigger(FIRST_LEVEL_FILES_MAX);
    options.set_max_bytes_for_level_base(LEVEL_BYTES);
    options.set_write_buffer_size(FAMILY_BUFFER_BYTES);
    match family {
        FamilyId::Fragments => {
            options.set_merge_operator("tessera.fragment", merge_fragment, combine_fragment);
        }
        FamilyId::Columns => {
            options.set_merge_operator("tessera.column", merge_column, combine_column);
        }
        FamilyId::KeyBlocks => {
            options.set_merge_operator("tessera.keys", merge_keys, combine_keys);
        }
        FamilyId::EventTables => {
            options.set_merge_operator("tessera.events", merge_events, combine_events);
        }
        FamilyId::UserIds | FamilyId::Records | FamilyId::EventIds => {
            // Most keys that a load asks for are new.
            options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_RATIO);
            options.set_memtable_whole_key_filtering(true);
        }
        FamilyId::Meta
        | FamilyId::Schema
        | FamilyId::Partitions
        | FamilyId::Texts
        | FamilyId::Requests
        | FamilyId::Events
        | FamilyId::EventExtents
        | FamilyId::UserKeys => {}
    }
    options
}

fn damaged(error: impl std::fmt::Display) -> Vec<u8> {
    let mut value = DAMAGED.to_vec();
    value.extend_from_slice(error.to_string().as_bytes());
    value
}

fn merge_fragment(_key: &[u8], base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(bitmap::merge_full(base, operands.iter()).unwrap_or_else(damaged))
}

fn merge_column(_key: &[u8], base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(column::merge_full(base, operands.iter()).unwrap_or_else(damaged))
}

fn merge_keys(_key: &[u8], base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(user_keys::merge_full(base, operands.iter()).unwrap_or_else(damaged))
}

fn merge_events(_key: &[u8], base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(behaviour::merge_full(base, operands.iter()).unwrap_or_else(damaged))
}

/// `None` leaves the operands as they are, until a full merge says what is wrong with them.
fn combine_fragment(
    _key: &[u8],
    _base: Option<&[u8]>,
    operands: &MergeOperands,
) -> Option<Vec<u8>> {
    bitmap::merge_partial(operands.iter()).ok()
}

fn combine_column(_key: &[u8], _base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    column::merge_partial(operands.iter()).ok()
}

fn combine_keys(_key: &[u8], _base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    user_keys::merge_partial(operands.iter()).ok()
}

fn combine_events(_key: &[u8], _base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    behaviour::merge_partial(operands.iter()).ok()
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
