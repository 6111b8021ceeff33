//! Columns: the codes or numbers of one attribute for the 2^16 users of a block.
//!
//! Knows how a block of values is laid out in bytes, how it is read, and how changes to it are
//! written down and merged. Does not know what a value means (a code, a date, a decimal in its
//! units) or where columns are kept.

mod build;
mod delta;
mod read;

#[cfg(test)]
mod tests;

pub use delta::{ColumnDelta, merge_full, merge_partial};
pub use read::{Codes, ColumnBlock, Frame, Keep, widen};

/// Why bytes are not a column block or a delta.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// The bytes end too early.
    #[error("the bytes end inside the {0}")]
    Truncated(&'static str),
    /// The first byte names no form of block this program knows.
    #[error("{0} is not a known form of column block")]
    UnknownForm(u8),
    /// Not 0, 1, 2, 4 or 8 bytes a value.
    #[error("{0} is not a width of values")]
    Width(u8),
    /// More values than a block has places.
    #[error("{0} values, a block has 65536 places")]
    TooManyValues(u32),
    /// The values take more or fewer bytes than the header says.
    #[error("the values take {found} bytes, the header says {declared}")]
    Length {
        /// What the header says.
        declared: usize,
        /// What is there.
        found: usize,
    },
    /// The code for "missing" does not fit the width.
    #[error("the code {0} for missing values does not fit the width")]
    MissingCode(u64),
    /// Base and code add up to more than an `i64` holds.
    #[error("the base {base} and the code {code} add up to more than 64 bits hold")]
    Overflow {
        /// The base of the block.
        base: i64,
        /// The code of a value.
        code: u64,
    },
    /// The first byte of a delta names no form this program knows.
    #[error("{0} is not a known form of delta")]
    UnknownDelta(u8),
    /// A number in a delta is longer than it may be, or not in its shortest form.
    #[error("a delta holds a malformed number")]
    MalformedNumber,
    /// A place of 2^16 or more.
    #[error("the place {0} is beyond the block")]
    PlaceBeyondBlock(u64),
}
