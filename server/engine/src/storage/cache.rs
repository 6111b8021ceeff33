//! Fragments, columns and key blocks that were read lately, shared by all views under one byte budget.
//!
//! Views of different versions share entries. An entry is the newest state of its fragment, and
//! holds from some version on; a commit drops the entries it changes. So:
//! - a view uses an entry that holds from its own version or an earlier one;
//! - a view older than an entry reads its own snapshot and leaves the cache alone;
//! - a view puts in what it read unless the fragment was written after the view's version.
//!
//! The writer first commits to the store, then notes its version for every fragment it changed
//! and drops their entries, each under the lock that readers take, and only then publishes the
//! view with that version. A note is forgotten when no living view is older than it.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::{FixedState, RandomState};
use quick_cache::{Weighter, unsync::Cache};

use crate::{
    behaviour::EventTable,
    bitmap::Fragment,
    column::ColumnBlock,
    ids::{NumberId, PartitionId, RowId, ShardId, SliceRow},
    storage::keys::{ColumnKey, EventTableKey, FragmentKey, KeyBlockKey},
    user_keys::KeyBlock,
};

/// Pieces with a lock each, at most.
const PIECES_MAX: u64 = 16;
/// A smaller piece would have no room for the fragments and columns of a large shard.
const PIECE_BYTES_MIN: u64 = 2 << 20;
/// What an entry costs beside its bytes.
const ENTRY_BYTES: usize = 160;
/// What an entry is expected to weigh, to size the tables.
const ENTRY_BYTES_EXPECTED: u64 = 32 << 10;
/// Notes a piece keeps before it looks for some to forget.
const NOTES_MIN: usize = 1024;

/// What an entry is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CacheKey {
    Fragment(FragmentKey),
    Column(ColumnKey),
    Keys(KeyBlockKey),
    EventTable(EventTableKey),
    /// Which slices of a number hold somebody in a shard.
    SlicesHeld(PartitionId, ShardId, NumberId),
}

impl CacheKey {
    /// What else changes when this does.
    fn derived(&self) -> Option<Self> {
        let Self::Fragment(FragmentKey {
            partition,
            row,
            shard,
        }) = self
        else {
            return None;
        };
        let number = match row {
            RowId::Slice(attribute, _) => NumberId::Attribute(*attribute),
            RowId::Since(tag, SliceRow::Bit(_)) => NumberId::Since(*tag),
            RowId::Until(tag, SliceRow::Bit(_)) => NumberId::Until(*tag),
            RowId::Users
            | RowId::Tag(_)
            | RowId::Present(_)
            | RowId::Value(..)
            | RowId::Sign(_)
            | RowId::Did(_)
            | RowId::DidInMonth(..)
            | RowId::DidOnDay(..)
            | RowId::Blocked(_)
            | RowId::Since(_, SliceRow::Present | SliceRow::Sign)
            | RowId::Until(_, SliceRow::Present | SliceRow::Sign) => return None,
        };
        Some(Self::SlicesHeld(*partition, *shard, number))
    }
}

/// What is kept.
#[derive(Debug, Clone)]
pub(crate) enum Cached {
    Fragment(Arc<Fragment>),
    Column(Arc<ColumnBlock>),
    Keys(Arc<KeyBlock>),
    EventTable(Arc<EventTable>),
    /// Bit k for slice k. Spares a look at each of the 63 slices a number may have.
    SlicesHeld(u64),
}

#[derive(Debug, Clone)]
struct Entry {
    value: Cached,
    valid_from: u64,
}

#[derive(Debug, Clone)]
struct ByHeapBytes;

impl Weighter<CacheKey, Entry> for ByHeapBytes {
    fn weight(&self, _key: &CacheKey, entry: &Entry) -> u64 {
        let heap_bytes = match &entry.value {
            Cached::Fragment(fragment) => fragment.heap_bytes(),
            Cached::Column(column) => column.heap_bytes(),
            Cached::Keys(keys) => keys.heap_bytes(),
            Cached::EventTable(table) => table.heap_bytes(),
            Cached::SlicesHeld(_) => 0,
        };
        (heap_bytes + ENTRY_BYTES) as u64
    }
}

struct Piece {
    entries: Cache<CacheKey, Entry, ByHeapBytes, RandomState>,
    last_write: HashMap<CacheKey, u64, RandomState>,
    /// Look for notes to forget when there are so many.
    notes_max: usize,
    hits: u64,
    misses: u64,
}

impl Piece {
    fn find(&mut self, key: &CacheKey, version: u64) -> Option<Cached> {
        let entry = self.entries.get(key);
        let value = entry
            .filter(|entry| entry.valid_from <= version)
            .map(|entry| entry.value.clone());
        match value {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        value
    }

    fn invalidate(&mut self, keys: &[CacheKey], version: u64, oldest_live: u64) {
        for key in keys {
            self.entries.remove(key);
            self.last_write.insert(*key, version);
        }
        if self.last_write.len() > self.notes_max {
            self.last_write.retain(|_, written| *written > oldest_live);
            self.notes_max = NOTES_MIN.max(2 * self.last_write.len());
        }
    }
}

/// How much is kept, and how often that helped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CacheUsage {
    /// What counts against the budget.
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
    /// Of it the fragments, as they are stored.
    pub(crate) fragment_bytes: u64,
    /// Of it the columns, as they are stored.
    pub(crate) column_bytes: u64,
    /// Of it the keys, as they are stored.
    pub(crate) key_bytes: u64,
    /// Of it the tables of events, as they are stored.
    pub(crate) event_bytes: u64,
    pub(crate) entries: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

impl CacheUsage {
    fn add(&mut self, value: &Cached) {
        match value {
            Cached::Fragment(fragment) => self.fragment_bytes += fragment.portable_len() as u64,
            Cached::Column(column) => self.column_bytes += column.bytes_len() as u64,
            Cached::Keys(keys) => self.key_bytes += keys.heap_bytes() as u64,
            Cached::EventTable(table) => self.event_bytes += table.bytes().len() as u64,
            Cached::SlicesHeld(_) => {}
        }
    }
}

/// The cache, and the register of living views.
pub(crate) struct Caches {
    pieces: Vec<Mutex<Piece>>,
    hasher: FixedState,
    live: Mutex<BTreeMap<u64, usize>>,
    bytes_max: u64,
}

/// Notes that a view lives, for as long as it exists.
pub(crate) struct LiveView {
    caches: Arc<Caches>,
    version: u64,
}

impl LiveView {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        let mut live = lock(&self.caches.live);
        if let Some(count) = live.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                live.remove(&self.version);
            }
        }
    }
}

/// A cache half changed by a panic is still a cache: entries and notes are changed one by one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caches {
    pub(crate) fn new(bytes_max: u64) -> Self {
        let pieces = (bytes_max / PIECE_BYTES_MIN).clamp(1, PIECES_MAX);
        let piece_bytes = bytes_max / pieces;
        let expected = usize::try_from(piece_bytes / ENTRY_BYTES_EXPECTED)
            .unwrap_or(usize::MAX)
            .max(16);
        let piece = || Piece {
            entries: Cache::with(
                expected,
                piece_bytes,
                ByHeapBytes,
                RandomState::default(),
                quick_cache::unsync::DefaultLifecycle::default(),
            ),
            last_write: HashMap::default(),
            notes_max: NOTES_MIN,
            hits: 0,
            misses: 0,
        };
        Self {
            pieces: (0..pieces).map(|_| Mutex::new(piece())).collect(),
            hasher: FixedState::default(),
            live: Mutex::default(),
            bytes_max,
        }
    }

    /// Notes that a view of this version lives.
    pub(crate) fn register(self: &Arc<Self>, version: u64) -> LiveView {
        *lock(&self.live).entry(version).or_insert(0) += 1;
        LiveView {
            caches: self.clone(),
            version,
        }
    }

    fn place(&self, key: &CacheKey) -> usize {
        self.hasher.hash_one(key) as usize % self.pieces.len()
    }

    fn piece(&self, key: &CacheKey) -> MutexGuard<'_, Piece> {
        lock(&self.pieces[self.place(key)])
    }

    /// What a view of this version may see of a fragment or column.
    pub(crate) fn find(&self, key: &CacheKey, version: u64) -> Option<Cached> {
        self.piece(key).find(key, version)
    }

    /// The same of several, in their order; each piece is locked once.
    pub(crate) fn find_many(&self, keys: &[CacheKey], version: u64) -> Vec<Option<Cached>> {
        let mut places: Vec<(usize, usize)> = keys
            .iter()
            .enumerate()
            .map(|(number, key)| (self.place(key), number))
            .collect();
        places.sort_unstable();
        let mut found = vec![None; keys.len()];
        for of_piece in places.chunk_by(|left, right| left.0 == right.0) {
            let Some((place, _)) = of_piece.first() else {
                continue;
            };
            let mut piece = lock(&self.pieces[*place]);
            for (_, number) in of_piece {
                found[*number] = piece.find(&keys[*number], version);
            }
        }
        found
    }

    /// Takes what a view of this version has read from its snapshot, if it is still the newest.
    pub(crate) fn offer(&self, key: CacheKey, value: Cached, version: u64) {
        let mut piece = self.piece(&key);
        // Without a note the last write is older than every living view.
        let valid_from = piece.last_write.get(&key).copied().unwrap_or(0);
        if valid_from <= version {
            piece.entries.insert(key, Entry { value, valid_from });
        }
    }

    /// Drops what a commit has changed. Called between the commit and the publication of the
    /// view with this version.
    pub(crate) fn invalidate(&self, touched: &[CacheKey], version: u64) {
        let oldest_live = lock(&self.live).keys().next().copied().unwrap_or(version);
        // A load touches tens of thousands of keys: each piece is locked once.
        let mut by_piece: Vec<Vec<CacheKey>> = vec![Vec::new(); self.pieces.len()];
        let with_derived = |key: &CacheKey| [Some(*key), key.derived()];
        for key in touched.iter().flat_map(with_derived).flatten() {
            by_piece[self.place(&key)].push(key);
        }
        for (piece, keys) in self.pieces.iter().zip(by_piece) {
            if !keys.is_empty() {
                lock(piece).invalidate(&keys, version, oldest_live);
            }
        }
    }

    /// Looks at every entry: for somebody who asks how things are.
    pub(crate) fn usage(&self) -> CacheUsage {
        let mut usage = CacheUsage {
            bytes_max: self.bytes_max,
            ..CacheUsage::default()
        };
        for piece in &self.pieces {
            let piece = lock(piece);
            usage.bytes += piece.entries.weight();
            usage.entries += piece.entries.len() as u64;
            for (_, entry) in piece.entries.iter() {
                usage.add(&entry.value);
            }
            usage.hits += piece.hits;
            usage.misses += piece.misses;
        }
        usage
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::ids::{AttributeId, PartitionId, RowId, ShardId, TagId};

    fn key(shard: u16) -> CacheKey {
        CacheKey::Fragment(FragmentKey {
            partition: PartitionId(0),
            row: RowId::Users,
            shard: ShardId(shard),
        })
    }

    fn set_of(offsets: &[u32]) -> Cached {
        Cached::Fragment(Arc::new(
            Fragment::from_sorted(offsets.iter().copied()).unwrap(),
        ))
    }

    fn seen(caches: &Caches, version: u64) -> Option<Vec<u32>> {
        match caches.find(&key(0), version)? {
            Cached::Fragment(fragment) => Some(fragment.iter().collect()),
            Cached::Column(_) | Cached::Keys(_) | Cached::EventTable(_) | Cached::SlicesHeld(_) => {
                None
            }
        }
    }

    #[test]
    fn a_view_never_sees_what_was_written_after_it() {
        let caches = Arc::new(Caches::new(1 << 20));
        let _old = caches.register(1);
        caches.offer(key(0), set_of(&[1]), 1);
        assert_eq!(seen(&caches, 1), Some(vec![1]));
        caches.invalidate(&[key(0)], 2);
        assert_eq!(seen(&caches, 1), None);
        // The old view reads its snapshot again, which nobody else may see.
        caches.offer(key(0), set_of(&[1]), 1);
        assert_eq!(seen(&caches, 2), None);
        let _new = caches.register(2);
        caches.offer(key(0), set_of(&[1, 2]), 2);
        assert_eq!(seen(&caches, 2), Some(vec![1, 2]));
        assert_eq!(seen(&caches, 1), None);
    }

    #[test]
    fn what_is_derived_from_a_slice_goes_with_it() {
        let caches = Arc::new(Caches::new(1 << 20));
        let _view = caches.register(2);
        let (partition, shard) = (PartitionId(0), ShardId(0));
        let of = |number| CacheKey::SlicesHeld(partition, shard, number);
        let derived = |attribute| of(AttributeId(attribute).into());
        for attribute in [1, 2] {
            caches.offer(derived(attribute), Cached::SlicesHeld(5), 1);
        }
        let slice = CacheKey::Fragment(FragmentKey {
            partition,
            row: RowId::Slice(AttributeId(1), 3),
            shard,
        });
        caches.invalidate(&[slice], 2);
        assert!(caches.find(&derived(1), 2).is_none());
        assert!(caches.find(&derived(2), 2).is_some());
        let until = NumberId::Until(TagId(1));
        caches.offer(of(until), Cached::SlicesHeld(5), 2);
        let slice = CacheKey::Fragment(FragmentKey {
            partition,
            row: until.row(SliceRow::Bit(7)),
            shard,
        });
        caches.invalidate(&[slice], 3);
        assert!(caches.find(&of(until), 3).is_none());
        // What an older view finds out is not offered to newer ones.
        caches.offer(derived(1), Cached::SlicesHeld(5), 1);
        assert!(caches.find(&derived(1), 2).is_none());
    }

    #[test]
    fn notes_are_forgotten_once_no_older_view_lives() {
        let caches = Arc::new(Caches::new(1 << 20));
        let notes = |caches: &Caches| -> usize {
            caches
                .pieces
                .iter()
                .map(|piece| lock(piece).last_write.len())
                .sum()
        };
        let old = caches.register(1);
        let many: Vec<_> = (0..u16::MAX).map(key).collect();
        caches.invalidate(&many, 2);
        assert_eq!(notes(&caches), many.len());
        drop(old);
        let _new = caches.register(3);
        for version in 4..8 {
            caches.invalidate(&many[..40_000], version);
        }
        assert!(notes(&caches) <= many.len());
        assert!(lock(&caches.live).len() == 1);
    }

    #[test]
    fn usage_is_told_by_kind() {
        let caches = Arc::new(Caches::new(1 << 20));
        let fragment = Fragment::from_sorted([1, 2, 3]).unwrap();
        let column = ColumnBlock::from_entries([(0, 5), (9, 300)]);
        let keys = KeyBlock::from_entries([(0, "ada"), (1, "bob")]).unwrap();
        let attribute = AttributeId(0);
        let expected = CacheUsage {
            bytes: caches.usage().bytes,
            bytes_max: caches.bytes_max,
            fragment_bytes: fragment.portable_len() as u64,
            column_bytes: column.bytes_len() as u64,
            key_bytes: keys.heap_bytes() as u64,
            entries: 3,
            ..CacheUsage::default()
        };
        caches.offer(key(0), Cached::Fragment(Arc::new(fragment)), 0);
        let column_key = ColumnKey {
            partition: PartitionId(0),
            attribute,
            block: crate::ids::BlockId(0),
        };
        let column = Cached::Column(Arc::new(column));
        caches.offer(CacheKey::Column(column_key), column, 0);
        let block = crate::ids::UserId(0).key_block();
        let partition = PartitionId(0);
        let keys_key = CacheKey::Keys(KeyBlockKey { partition, block });
        caches.offer(keys_key, Cached::Keys(Arc::new(keys)), 0);
        let usage = caches.usage();
        let told = usage.fragment_bytes + usage.column_bytes + usage.key_bytes;
        assert!(usage.bytes > told, "{usage:?}");
        assert_eq!(
            usage,
            CacheUsage {
                bytes: usage.bytes,
                ..expected
            }
        );
    }

    #[test]
    fn the_budget_is_kept() {
        let caches = Arc::new(Caches::new(1 << 20));
        let large: Vec<u32> = (0..4000).map(|offset| offset * 2).collect();
        for shard in 0..2000 {
            caches.offer(key(shard), set_of(&large), 0);
        }
        let usage = caches.usage();
        assert!(
            usage.bytes > 0 && usage.bytes <= usage.bytes_max,
            "{usage:?}"
        );
    }
}
