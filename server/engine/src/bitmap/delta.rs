//! Changes to a fragment, as bytes that can be merged.
//!
//! Knows the stored form of a delta and how deltas combine with each other and with a fragment.
//! Does not know the store whose merge operator calls it.
//!
//! # Stored form
//!
//! The first byte names the form; a new form gets a new number.
//!
//! - **1, list**: for every changed offset in strictly rising order one LEB128 number in its
//!   shortest form: `gap * 2 + operation`. The gap is the count of unchanged offsets between
//!   this one and the one before it (the first: the offset itself). The operation is 1 for set
//!   and 0 for clear. The list ends with the bytes.
//! - **2, bitmaps**: the length in bytes of the first bitmap (32 bits, little-endian); the
//!   offsets to set as a portable roaring bitmap; the offsets to clear as another, to the end.
//!   The two have nothing in common.
//!
//! Up to 256 changes are written as a list, more as bitmaps. Either form is read at any size.

use roaring::RoaringBitmap;

use super::{
    FragmentError,
    block::Block,
    fragment::{Fragment, portable_bytes},
    layout::{Layout, Reader},
    varint,
};
use crate::ids::{BLOCK_BITS, SHARD_BLOCKS, SHARD_USERS};

const LIST: u8 = 1;
const BITMAPS: u8 = 2;
/// Changes that are written as a list; more become bitmaps.
const LIST_CHANGES_MAX: u32 = 256;
/// Offsets of consecutive users that are written as a list: dense ones take a byte each, in an
/// array two. Beyond, bitmaps are read faster.
const LIST_OFFSETS_MAX: usize = 2048;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Clear,
    Set,
}

/// Offsets to set and to clear. Of several changes to one offset the last one wins.
#[derive(Debug, Clone, Default)]
pub struct FragmentDelta {
    /// In the order given: `offset * 2 + operation`.
    changes: Vec<u32>,
}

impl FragmentDelta {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an offset into the fragment.
    ///
    /// # Errors
    /// When the offset is 2^20 or more.
    pub fn set(&mut self, offset: u32) -> Result<(), FragmentError> {
        self.push(offset, Operation::Set)
    }

    /// Takes an offset out of the fragment.
    ///
    /// # Errors
    /// When the offset is 2^20 or more.
    pub fn clear(&mut self, offset: u32) -> Result<(), FragmentError> {
        self.push(offset, Operation::Clear)
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes were given; one that a later one overrides counts too.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        if self.changes.len() > LIST_CHANGES_MAX as usize {
            let mut changes = Changes::default();
            for (offset, operation) in self.changes.iter().map(|change| unpack(*change)) {
                changes.change(offset, operation);
            }
            return changes.encode();
        }
        let mut last_wins = self.changes.clone();
        // Stable, so the last change of an offset stays last of its like.
        last_wins.sort_by_key(|change| change >> 1);
        let mut list = ListWriter::new(last_wins.len());
        for (index, change) in last_wins.iter().enumerate() {
            let overridden = last_wins
                .get(index + 1)
                .is_some_and(|next| next >> 1 == change >> 1);
            if !overridden {
                let (offset, operation) = unpack(*change);
                list.push(offset, operation);
            }
        }
        list.bytes
    }

    /// The stored form of a delta that sets these offsets, which rise strictly, and clears none.
    ///
    /// # Errors
    /// When the offsets do not rise strictly, or one is 2^20 or more.
    pub fn encode_rising(offsets: &[u32]) -> Result<Vec<u8>, FragmentError> {
        if let Some(last) = offsets.last().filter(|last| **last >= SHARD_USERS) {
            return Err(FragmentError::OffsetBeyondShard(*last));
        }
        let falls = |pair: &&[u32]| pair[0] >= pair[1];
        if let Some(pair) = offsets.windows(2).find(falls) {
            return Err(FragmentError::OffsetOrder(pair[1]));
        }
        if offsets.len() > LIST_OFFSETS_MAX {
            let misplaced = |_| FragmentError::OffsetOrder(offsets[0]);
            let set = RoaringBitmap::from_sorted_iter(offsets.iter().copied());
            let set = portable_bytes(set.map_err(misplaced)?)?;
            return Ok(bitmaps(&set, &portable_bytes(RoaringBitmap::new())?));
        }
        let mut list = ListWriter::new(offsets.len());
        offsets
            .iter()
            .for_each(|offset| list.push(*offset, Operation::Set));
        Ok(list.bytes)
    }

    fn push(&mut self, offset: u32, operation: Operation) -> Result<(), FragmentError> {
        if offset >= SHARD_USERS {
            return Err(FragmentError::OffsetBeyondShard(offset));
        }
        self.changes.push(offset << 1 | operation as u32);
        Ok(())
    }
}

fn unpack(change: u32) -> (u32, Operation) {
    (
        change >> 1,
        if change & 1 == 1 {
            Operation::Set
        } else {
            Operation::Clear
        },
    )
}

/// Applies deltas, oldest first, to a stored fragment (nothing stored: the empty one) and
/// returns its new stored form, run-optimised.
///
/// # Errors
/// When the fragment or a delta is damaged.
pub fn merge_full<'a>(
    base: Option<&[u8]>,
    deltas: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, FragmentError> {
    let changes = Changes::read_all(deltas)?;
    let mut bitmap = base.map(stored_bitmap).transpose()?.unwrap_or_default();
    bitmap -= changes.bitmap(|block| &block.clear);
    bitmap |= changes.bitmap(|block| &block.set);
    let mut out = Vec::new();
    Fragment::from_portable(&portable_bytes(bitmap)?)?.write_stored(&mut out);
    Ok(out)
}

/// Combines deltas, oldest first, into one.
///
/// # Errors
/// When a delta is damaged.
pub fn merge_partial<'a>(deltas: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, FragmentError> {
    Ok(Changes::read_all(deltas)?.encode())
}

fn stored_bitmap(bytes: &[u8]) -> Result<RoaringBitmap, FragmentError> {
    let fragment = Fragment::from_stored(bytes)?;
    // Checked the line before, and more strictly than the library would.
    RoaringBitmap::deserialize_unchecked_from(fragment.portable().as_slice())
        .map_err(|error| FragmentError::Library(error.kind()))
}

/// Deltas added up: for every block that is touched at all, what to set and what to clear.
/// Words instead of sorted lists, so that bulk deltas cost as little as their bitmaps.
#[derive(Default)]
struct Changes {
    blocks: [Option<Box<BlockChanges>>; SHARD_BLOCKS as usize],
}

/// The two sets have nothing in common.
#[derive(Default)]
struct BlockChanges {
    set: Block,
    clear: Block,
}

impl Changes {
    fn read_all<'a>(deltas: impl Iterator<Item = &'a [u8]>) -> Result<Self, FragmentError> {
        let mut changes = Self::default();
        for delta in deltas {
            changes.read(delta)?;
        }
        Ok(changes)
    }

    fn read(&mut self, delta: &[u8]) -> Result<(), FragmentError> {
        match delta.split_first() {
            None => Err(FragmentError::Truncated("form of a delta")),
            Some((&LIST, list)) => self.read_list(list),
            Some((&BITMAPS, bitmaps)) => self.read_bitmaps(bitmaps),
            Some((form, _)) => Err(FragmentError::UnknownDelta(*form)),
        }
    }

    fn read_list(&mut self, mut list: &[u8]) -> Result<(), FragmentError> {
        let mut next_offset: u32 = 0;
        while !list.is_empty() {
            let number = varint::read(&mut list)
                .and_then(|number| u32::try_from(number).ok())
                .ok_or(FragmentError::MalformedNumber)?;
            let (gap, operation) = unpack(number);
            // The gap has 31 bits and the next offset at most 21: no overflow.
            let offset = next_offset + gap;
            if offset >= SHARD_USERS {
                return Err(FragmentError::OffsetBeyondShard(offset));
            }
            self.change(offset, operation);
            next_offset = offset + 1;
        }
        Ok(())
    }

    fn read_bitmaps(&mut self, bytes: &[u8]) -> Result<(), FragmentError> {
        let mut reader = Reader { bytes, at: 0 };
        let set_bytes = reader.u32("length of a bitmap")? as usize;
        let set_bytes = reader.take(set_bytes, "bitmap of what to set")?;
        let clear_bytes = reader.take(bytes.len() - reader.at, "bitmap of what to clear")?;
        let (set, set_bytes) = Layout::parse(set_bytes)?;
        let (clear, clear_bytes) = Layout::parse(clear_bytes)?;
        let mut in_set = Block::new();
        for block_index in 0..SHARD_BLOCKS {
            if set.cardinality(block_index) == 0 && clear.cardinality(block_index) == 0 {
                continue;
            }
            let clear = clear.container(clear_bytes, block_index);
            set.container(set_bytes, block_index).copy_into(&mut in_set);
            if clear.count_and(&in_set) > 0 {
                let place = clear
                    .iter()
                    .find(|place| in_set.contains(*place))
                    .unwrap_or_default();
                let offset = block_index << BLOCK_BITS | u32::from(place);
                return Err(FragmentError::Contradiction(offset));
            }
            let block = self.blocks[block_index as usize].get_or_insert_default();
            clear.and_not_into(&mut block.set);
            clear.or_into(&mut block.clear);
            block.set.or(&in_set);
            block.clear.and_not(&in_set);
        }
        Ok(())
    }

    /// The offset must be below 2^20.
    fn change(&mut self, offset: u32, operation: Operation) {
        let block = self.blocks[(offset >> BLOCK_BITS) as usize].get_or_insert_default();
        let place = offset as u16;
        match operation {
            Operation::Set => {
                block.set.insert(place);
                block.clear.remove(place);
            }
            Operation::Clear => {
                block.clear.insert(place);
                block.set.remove(place);
            }
        }
    }

    fn encode(&self) -> Vec<u8> {
        let touched = self.blocks.iter().flatten();
        let count: u32 = touched
            .map(|block| block.set.count() + block.clear.count())
            .sum();
        let bitmaps = if count > LIST_CHANGES_MAX {
            self.encode_bitmaps().ok()
        } else {
            None
        };
        // A list holds any delta: were the library ever to refuse, that costs size, not data.
        bitmaps.unwrap_or_else(|| self.encode_list(count))
    }

    fn encode_list(&self, count: u32) -> Vec<u8> {
        let mut list = ListWriter::new(count as usize);
        for (base, changes) in self.touched() {
            let mut changed = changes.set.clone();
            changed.or(&changes.clear);
            changed.for_each(|place| {
                let in_set = changes.set.contains(place);
                let operation = if in_set {
                    Operation::Set
                } else {
                    Operation::Clear
                };
                list.push(base | u32::from(place), operation);
            });
        }
        list.bytes
    }

    fn encode_bitmaps(&self) -> Result<Vec<u8>, FragmentError> {
        let set = portable_bytes(self.bitmap(|block| &block.set))?;
        let clear = portable_bytes(self.bitmap(|block| &block.clear))?;
        Ok(bitmaps(&set, &clear))
    }

    /// One of the two sets of all blocks.
    fn bitmap(&self, pick: impl Fn(&BlockChanges) -> &Block) -> RoaringBitmap {
        let mut bitmap = RoaringBitmap::new();
        let mut bytes = Vec::new();
        for (base, changes) in self.touched() {
            bytes.clear();
            bytes.extend(
                pick(changes)
                    .words()
                    .iter()
                    .flat_map(|word| word.to_le_bytes()),
            );
            bitmap |= RoaringBitmap::from_lsb0_bytes(base, &bytes);
        }
        bitmap
    }

    /// The touched blocks with their first offsets.
    fn touched(&self) -> impl Iterator<Item = (u32, &BlockChanges)> {
        (0..SHARD_BLOCKS)
            .zip(&self.blocks)
            .filter_map(|(index, block)| Some((index << BLOCK_BITS, block.as_deref()?)))
    }
}

/// Writes the form of two portable bitmaps.
fn bitmaps(set: &[u8], clear: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + set.len() + clear.len());
    bytes.push(BITMAPS);
    // A shard's bitmap is far below 2^32 bytes.
    bytes.extend_from_slice(&(set.len() as u32).to_le_bytes());
    bytes.extend_from_slice(set);
    bytes.extend_from_slice(clear);
    bytes
}

/// Writes the list form; the offsets must rise.
struct ListWriter {
    bytes: Vec<u8>,
    next_offset: u32,
}

impl ListWriter {
    fn new(changes: usize) -> Self {
        let mut bytes = Vec::with_capacity(1 + 2 * changes);
        bytes.push(LIST);
        Self {
            bytes,
            next_offset: 0,
        }
    }

    fn push(&mut self, offset: u32, operation: Operation) {
        let gap = offset - self.next_offset;
        varint::write(&mut self.bytes, u64::from(gap << 1 | operation as u32));
        self.next_offset = offset + 1;
    }
}
