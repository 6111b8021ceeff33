//! How each family is kept: files, levels, filters, compression, and who caches it.
//!
//! Knows what is asked of a family. Does not know the store.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, LogLevel, Options};

use super::merging::set_merging;
use crate::storage::families::FamilyId;

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
pub(super) const PASSING_BYTES: usize = 2 << 20;
/// RocksDB keeps to what the system allows where that is less.
const OPEN_FILES_MAX: i32 = 4096;
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
/// and would stay until the cache is full. The library has no other way to say it.
pub(super) const UNCACHING: [(&str, &str); 1] = [("uncache_aggressiveness", "10000")];
/// How many seconds RocksDB leaves a file on the last level alone that it would rewrite by itself
/// only because no snapshot is older any more than what is in it. So is every file of records that
/// a load has brought, and it is to be compacted once, with its neighbours.
pub(super) const RESTING: [(&str, &str); 1] = [("bottommost_file_compaction_delay", "3600")];

pub(super) fn database_options() -> Options {
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
        | FamilyId::EventExtents
        | FamilyId::TagSizes => Filtering::Levels,
    }
}

/// Options of a sorted file that is written outside the store.
pub(super) fn file_options(family: FamilyId) -> Options {
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
        | FamilyId::EventExtents
        | FamilyId::TagSizes => Placement::Rewritten,
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
        | FamilyId::EventExtents
        | FamilyId::TagSizes => Caching::Blocks,
    }
}

pub(super) fn family_options(family: FamilyId, [cache, passing]: [&Cache; 2]) -> Options {
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
    set_merging(&mut options, family);
    match family {
        FamilyId::UserIds | FamilyId::Records | FamilyId::EventIds => {
            // Most keys that a load asks for are new.
            options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_RATIO);
            options.set_memtable_whole_key_filtering(true);
        }
        FamilyId::Meta
        | FamilyId::Schema
        | FamilyId::Partitions
        | FamilyId::KeyBlocks
        | FamilyId::UserKeys
        | FamilyId::Fragments
        | FamilyId::Columns
        | FamilyId::Texts
        | FamilyId::Requests
        | FamilyId::Events
        | FamilyId::EventTables
        | FamilyId::EventExtents
        | FamilyId::TagSizes => {}
    }
    options
}
