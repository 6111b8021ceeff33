//! Sets of users: stored fragments, scratch blocks and the loops over them.
//!
//! Knows bits: the portable roaring format, how changes to a stored set are written down and
//! merged, and how numbers are compared and summed bit slice by bit slice. Does not know what a
//! row means, where fragments are kept, or that there are users at all: an offset is a number
//! below 2^20, a place in a block one below 2^16.
//!
//! The pieces:
//! - [`Block`]: 2^16 bits to compute in, small enough for the nearest caches.
//! - [`Fragment`]: an immutable set of offsets in a shard, checked once and then read in place;
//!   stored in fewer bytes.
//! - [`FragmentDelta`], [`merge_full`], [`merge_partial`]: changes to a fragment as bytes.
//! - [`Demands`], [`unite`], [`fill_at_least`]: several fragments' blocks at once.
//! - [`ThresholdCounter`]: "at least k of these".
//! - [`Sieve`]: which words of a block have places at all.
//! - [`pack_codes`]: what a column says of a set's places, one after the other.
//! - [`NumberSlices`]: ranges and sums over bit-sliced numbers.

mod block;
mod containers;
mod delta;
mod fragment;
mod kernels;
mod layout;
mod packing;
mod several;
mod sieve;
mod slices;
mod stored;
mod threshold;
pub(crate) mod varint;

#[cfg(test)]
mod tests;

pub use block::{BLOCK_WORDS, Block};
pub use delta::{FragmentDelta, merge_full, merge_partial};
pub use fragment::Fragment;
#[cfg(test)]
pub(crate) use kernels::forced::for_each_level;
pub use packing::{PACKING_SLACK, pack_codes, translate_codes};
pub use several::{
    Demands, Found, Room, count_at_least, count_union, fill_at_least, fill_from, list_places,
    retain_in, retain_outside, unite,
};
pub use sieve::Sieve;
pub use slices::{NumberSlices, SLICE_BITS, SliceScratch, SliceSum, magnitude};
pub use threshold::ThresholdCounter;

/// Why bytes are not a fragment or a delta, or why a change cannot be written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// The bytes end too early.
    #[error("the bytes end inside the {0}")]
    Truncated(&'static str),
    /// Bytes follow the last container.
    #[error("{0} bytes too many follow the last container")]
    TrailingBytes(usize),
    /// Neither of the two cookies of the portable format.
    #[error("{0:#010x} is not the start of a portable roaring bitmap")]
    UnknownCookie(u32),
    /// More containers than a shard has blocks.
    #[error("{0} containers, a shard has 16 blocks")]
    TooManyContainers(u32),
    /// A flag says that a container which does not exist consists of runs.
    #[error("a run flag is set for a container that does not exist")]
    StrayRunFlag,
    /// The container keys do not rise, or one lies beyond the shard.
    #[error("the container key {0} is out of order or beyond the shard")]
    Key(u16),
    /// The offset header points elsewhere than where the container is.
    #[error("the container of block {key} is at byte {found}, the header says {declared}")]
    ContainerOffset {
        /// The block.
        key: u16,
        /// What the header says.
        declared: u32,
        /// Where the container must be.
        found: u32,
    },
    /// The values of an array, or the runs of a run container, do not rise, touch or overlap.
    #[error("the values in block {0} are out of order")]
    ValueOrder(u16),
    /// A run ends beyond its block.
    #[error("a run in block {0} ends beyond the block")]
    RunBeyondBlock(u16),
    /// A container does not hold as many values as its header says.
    #[error("block {key} holds {found} values, its header says {declared}")]
    Cardinality {
        /// The block.
        key: u16,
        /// What the header says.
        declared: u32,
        /// What the container holds.
        found: u32,
    },
    /// What is said of a container before it comes fits none.
    #[error("the head of block {0} is that of no container")]
    Head(u16),
    /// Packed places end before there are as many as there should be, or lie beyond the block.
    #[error("the packed places in block {0} are fewer than declared, or beyond the block")]
    PackedPlaces(u16),
    /// An offset of 2^20 or more.
    #[error("the offset {0} is beyond the shard")]
    OffsetBeyondShard(u32),
    /// Offsets that should rise strictly do not.
    #[error("the offset {0} is out of order")]
    OffsetOrder(u32),
    /// The first byte of a delta names no form this program knows.
    #[error("{0} is not a known form of delta")]
    UnknownDelta(u8),
    /// A number in a delta or of a run is longer than it may be, or not in its shortest form.
    #[error("a number is malformed")]
    MalformedNumber,
    /// A delta sets and clears the same offset.
    #[error("a delta both sets and clears the offset {0}")]
    Contradiction(u32),
    /// The bitmap library refused what was checked here before: a defect.
    #[error("the bitmap library refused a checked bitmap: {0}")]
    Library(std::io::ErrorKind),
}
