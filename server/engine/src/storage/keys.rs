//! How keys are written as bytes: fixed-width big-endian numbers, so that the order of bytes is
//! the order of keys, and texts last or terminated.
//!
//! Knows the bytes. Does not know what they lead to.

mod attributes;
mod events;
mod fragments;
mod requests;
mod schema;
mod users;

#[cfg(test)]
mod tests;

use xxhash_rust::xxh3::xxh3_64;

pub(crate) use attributes::{ColumnKey, TextKey, attribute_prefix};
pub(crate) use events::{EventExtentKey, EventIdKey, EventKey, EventTableKey, event_prefix};
pub(crate) use fragments::FragmentKey;
pub(crate) use requests::RequestKey;
pub(crate) use schema::SchemaKey;
pub(crate) use users::{KeyBlockKey, UserIdKey, UserKey};

use crate::ids::PartitionId;

/// Why bytes are not a key or a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct FormatError(pub(crate) String);

impl FormatError {
    pub(crate) fn new(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// The partition of a user's key: the same on every machine, for ever.
pub(crate) fn partition_of_key(key: &str, partition_count: u16) -> PartitionId {
    let hash = xxh3_64(key.as_bytes());
    // The remainder is below an u16.
    PartitionId((hash % u64::from(partition_count.max(1))) as u16)
}

/// A key of one column family.
pub(crate) trait KeyFormat<'a>: Sized {
    /// Appends the key's bytes.
    fn write_to(&self, out: &mut Vec<u8>);
    /// Reads a key that takes up all of the bytes.
    fn read_from(bytes: &'a [u8]) -> Result<Self, FormatError>;

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        self.write_to(&mut out);
        out
    }
}

/// Takes bytes off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or_else(|| FormatError::new("the key is too short"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, FormatError> {
        Ok(self.array::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, FormatError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, FormatError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn rest_text(&mut self) -> Result<&'a str, FormatError> {
        std::str::from_utf8(std::mem::take(&mut self.0)).map_err(FormatError::new)
    }

    fn end(&self) -> Result<(), FormatError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(FormatError::new("the key is too long"))
        }
    }
}

/// A number with a sign as one without, in the same order.
fn rising(number: i32) -> u32 {
    number.cast_unsigned() ^ 1 << 31
}

fn from_rising(number: u32) -> i32 {
    (number ^ 1 << 31).cast_signed()
}

impl KeyFormat<'_> for PartitionId {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let partition = Self(reader.u16()?);
        reader.end()?;
        Ok(partition)
    }
}
