//! A stored set of offsets in a shard.

use roaring::RoaringBitmap;

use super::{
    FragmentError, block::Block, containers::Container, layout::Layout, sieve::Sieve, stored,
};
use crate::ids::{BLOCK_BITS, SHARD_BLOCKS, SHARD_USERS};

/// An immutable set of offsets in a shard: the containers of a portable roaring bitmap, checked
/// once and then read in place. It is stored in fewer bytes.
///
/// A block index beyond the shard (16 or more) reads as an empty block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Without the portable form's header, so that bitmaps take no more than whole pages: an
    /// allocator has no size just beyond.
    containers: Box<[u8]>,
    layout: Layout,
}

impl Default for Fragment {
    fn default() -> Self {
        Self::empty()
    }
}

impl Fragment {
    /// The empty set.
    pub fn empty() -> Self {
        Self {
            containers: Box::default(),
            layout: Layout::default(),
        }
    }

    /// Takes portable roaring bytes.
    ///
    /// # Errors
    /// When the bytes are not the whole, valid portable form of a set of offsets below 2^20.
    pub fn from_portable(bytes: &[u8]) -> Result<Self, FragmentError> {
        let (layout, containers) = Layout::parse(bytes)?;
        Ok(Self {
            containers: containers.into(),
            layout,
        })
    }

    /// Takes the stored form, or portable roaring bytes, which older versions stored.
    ///
    /// # Errors
    /// When the bytes are neither, as a whole, of a set of offsets below 2^20.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, FragmentError> {
        if bytes.first() != Some(&stored::FORM) {
            return Self::from_portable(bytes);
        }
        let (layout, containers) = stored::unpack(bytes)?;
        Ok(Self {
            containers: containers.into_boxed_slice(),
            layout,
        })
    }

    /// Appends the stored form. Sets read from it take what they take now.
    pub fn write_stored(&self, out: &mut Vec<u8>) {
        stored::pack(self, out);
    }

    /// Builds the set of some offsets, run-optimised.
    ///
    /// # Errors
    /// When the offsets do not rise strictly, or one is 2^20 or more.
    pub fn from_sorted(offsets: impl IntoIterator<Item = u32>) -> Result<Self, FragmentError> {
        let mut bitmap = RoaringBitmap::new();
        for offset in offsets {
            if offset >= SHARD_USERS {
                return Err(FragmentError::OffsetBeyondShard(offset));
            }
            bitmap
                .try_push(offset)
                .map_err(|_| FragmentError::OffsetOrder(offset))?;
        }
        Self::from_portable(&portable_bytes(bitmap)?)
    }

    /// The portable roaring bytes.
    pub fn portable(&self) -> Vec<u8> {
        let mut bytes = self.layout.portable_header(self.containers.len());
        bytes.extend_from_slice(&self.containers);
        bytes
    }

    /// How many these are.
    pub fn portable_len(&self) -> usize {
        self.layout.header_bytes() + self.containers.len()
    }

    /// The bytes that are read in place: the portable ones without their header.
    pub fn containers(&self) -> &[u8] {
        &self.containers
    }

    /// How many offsets are in the set.
    pub fn cardinality(&self) -> u64 {
        self.layout.total()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.layout.total() == 0
    }

    /// How many offsets are in a block. Costs nothing: the header says it.
    pub fn block_cardinality(&self, block_index: u32) -> u32 {
        self.layout.cardinality(block_index)
    }

    /// Whether an offset is in the set.
    pub fn contains(&self, offset: u32) -> bool {
        // The low 16 bits are the place in the block.
        self.container(offset >> BLOCK_BITS).contains(offset as u16)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.containers.len() + self.layout.heap_bytes()
    }

    /// `out` becomes a block of the set.
    pub fn copy_into(&self, block_index: u32, out: &mut Block) {
        self.container(block_index).copy_into(out);
    }

    /// `out` keeps what is also in the set.
    pub fn and_into(&self, block_index: u32, out: &mut Block) {
        self.container(block_index).and_into(out);
    }

    /// `out` gains what is in the set.
    pub fn or_into(&self, block_index: u32, out: &mut Block) {
        self.container(block_index).or_into(out);
    }

    /// `out` loses what is in the set.
    pub fn and_not_into(&self, block_index: u32, out: &mut Block) {
        self.container(block_index).and_not_into(out);
    }

    /// How many of a block's places are in the set.
    pub fn count_and(&self, block_index: u32, block: &Block) -> u32 {
        self.container(block_index).count_and(block)
    }

    /// The same, with the block's sieve if it has one.
    pub fn count_and_sifted(&self, block_index: u32, block: &Block, sieve: Option<&Sieve>) -> u32 {
        self.container(block_index).count_and_sifted(block, sieve)
    }

    /// Asks for a block's bytes, which will be read soon.
    pub fn fetch_ahead(&self, block_index: u32) {
        self.layout.fetch_ahead(&self.containers, block_index);
    }

    /// The offsets in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..SHARD_BLOCKS).flat_map(|index| {
            let base = index << BLOCK_BITS;
            self.container(index)
                .iter()
                .map(move |place| base | u32::from(place))
        })
    }

    /// One block, in place.
    pub(super) fn container(&self, block_index: u32) -> Container<'_> {
        self.layout.container(&self.containers, block_index)
    }
}

/// The run-optimised portable form.
pub(super) fn portable_bytes(mut bitmap: RoaringBitmap) -> Result<Vec<u8>, FragmentError> {
    bitmap.optimize();
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap
        .serialize_into(&mut bytes)
        .map_err(|error| FragmentError::Library(error.kind()))?;
    Ok(bytes)
}
