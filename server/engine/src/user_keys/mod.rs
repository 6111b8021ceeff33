//! The keys of users in the order of ids.
//!
//! Knows how the keys of a run of consecutive ids are laid out in bytes, how they are read in
//! place, how changes to them are written down and merged, and how keys travel in one buffer.
//! Does not know where key blocks are kept, nor who the users are.
//!
//! - [`KeyBlock`]: the keys of [`KEY_BLOCK_USERS`](crate::ids::KEY_BLOCK_USERS) ids, checked once.
//! - [`KeyBlockDelta`], [`merge_full`], [`merge_partial`]: changes to a block as bytes.
//! - [`PackedKeys`]: any keys, one after the other, without an allocation each.

mod block;
mod delta;
mod packed;
mod stored;

#[cfg(test)]
mod tests;

pub use block::{KeyBlock, append_scattered};
pub use delta::{KeyBlockDelta, merge_full, merge_partial};
pub use packed::PackedKeys;

use crate::limits::KEY_BYTES_MAX;

/// Why bytes are not a block of keys or a delta.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyBlockError {
    /// The bytes end too early.
    #[error("the bytes end inside the {0}")]
    Truncated(&'static str),
    /// The first byte names no form of block this program knows.
    #[error("{0} is not a known form of key block")]
    UnknownForm(u8),
    /// Not 2 or 4 bytes an end.
    #[error("{0} is not a width of ends")]
    Width(u8),
    /// More places than a block has.
    #[error("{0} places are more than a key block has")]
    TooManyPlaces(u32),
    /// A stretch of no places, or of more than are left in the block.
    #[error("{places} places from place {place} on are none, or more than a key block has")]
    Stretch {
        /// The first place.
        place: u32,
        /// How many.
        places: u64,
    },
    /// The ends of keys do not rise, or the last is not where the bytes end.
    #[error("the key at place {0} does not end where it may")]
    End(u32),
    /// A key that is longer than keys are.
    #[error("the key at place {place} has {bytes} bytes, a key has 1 to {KEY_BYTES_MAX}")]
    KeyLength {
        /// The place.
        place: u32,
        /// The length.
        bytes: u64,
    },
    /// The keys are not text.
    #[error("the keys are not UTF-8")]
    NotText,
    /// The first byte of a delta names no form this program knows.
    #[error("{0} is not a known form of delta")]
    UnknownDelta(u8),
    /// A number is longer than it may be, or not in its shortest form.
    #[error("a number is malformed")]
    MalformedNumber,
    /// A place beyond the block.
    #[error("the place {0} is beyond the block")]
    PlaceBeyondBlock(u64),
}
