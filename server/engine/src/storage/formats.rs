//! How values are written as bytes.
//!
//! Structures are `bincode` 2 in its standard configuration; fragments, columns and key blocks
//! have their own formats in [`crate::bitmap`], [`crate::column`] and [`crate::user_keys`],
//! records in `record_format`, and what a definition is made of is in `definition_format`. Enums
//! are written by variant index and fields in their order here: add at the end, never reorder. A
//! change that old bytes do not survive needs a new format version and an upgrade.

use bincode::{Decode, Encode};

use crate::{
    behaviour::{EventTable, Extent},
    bitmap::Fragment,
    column::ColumnBlock,
    ids::{AttributeId, EventId, GroupId, SegmentId, TagId, UserId},
    storage::{
        EventDetails,
        definition_format::StoredDefinition,
        incoming::IncomingList,
        keys::FormatError,
        tag_sizes::{TagSizes, TagsAsked},
    },
    user_keys::KeyBlock,
};

/// More than any structure this version writes; keeps a damaged length from asking for memory.
const STRUCTURE_BYTES_MAX: usize = 256 << 20;

/// A value of one column family.
pub(crate) trait ValueFormat: Sized {
    /// Appends the value's bytes.
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError>;
    /// Reads a value that takes up all of the bytes.
    fn read_from(bytes: &[u8]) -> Result<Self, FormatError>;
}

/// Writes a structure.
pub(crate) fn encode_structure<T: Encode>(value: &T, out: &mut Vec<u8>) -> Result<(), FormatError> {
    bincode::encode_into_std_write(value, out, bincode::config::standard())
        .map_err(FormatError::new)?;
    Ok(())
}

/// Reads a structure and refuses what follows it.
pub(crate) fn decode_structure<T: Decode<()>>(bytes: &[u8]) -> Result<T, FormatError> {
    let config = bincode::config::standard().with_limit::<STRUCTURE_BYTES_MAX>();
    let (value, read) = bincode::decode_from_slice(bytes, config).map_err(FormatError::new)?;
    if read == bytes.len() {
        Ok(value)
    } else {
        Err(FormatError::new("bytes follow the value"))
    }
}

macro_rules! structure {
    ($($name:ty),*) => {
        $(impl ValueFormat for $name {
            fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
                encode_structure(self, out)
            }
            fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
                decode_structure(bytes)
            }
        })*
    };
}

structure!(
    PartitionState,
    DatabaseFacts,
    NextIds,
    StoredDefinition,
    IdempotentOutcome,
    IncomingList,
    EventDetails,
    Extent,
    TagSizes,
    TagsAsked
);

/// Nothing: the key says it all.
impl ValueFormat for () {
    fn write_to(&self, _out: &mut Vec<u8>) -> Result<(), FormatError> {
        Ok(())
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.is_empty() {
            Ok(())
        } else {
            Err(FormatError::new("bytes where nothing belongs"))
        }
    }
}

/// The format version: four bytes, big-endian, in every version.
impl ValueFormat for u32 {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        out.extend_from_slice(&self.to_be_bytes());
        Ok(())
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        bytes
            .try_into()
            .map(Self::from_be_bytes)
            .map_err(|_| FormatError::new("not four bytes"))
    }
}

impl ValueFormat for UserId {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        ValueFormat::write_to(&self.0, out)
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        <u32 as ValueFormat>::read_from(bytes).map(Self)
    }
}

impl ValueFormat for EventId {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        ValueFormat::write_to(&self.0, out)
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        <u32 as ValueFormat>::read_from(bytes).map(Self)
    }
}

impl ValueFormat for String {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(FormatError::new)
    }
}

impl ValueFormat for Fragment {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.write_stored(out);
        Ok(())
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::from_stored(bytes).map_err(FormatError::new)
    }
}

impl ValueFormat for KeyBlock {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.write_to(out);
        Ok(())
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::from_bytes(bytes).map_err(FormatError::new)
    }
}

impl ValueFormat for ColumnBlock {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        out.extend_from_slice(&self.bytes());
        Ok(())
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::from_bytes(bytes).map_err(FormatError::new)
    }
}

impl ValueFormat for EventTable {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        out.extend_from_slice(self.bytes());
        Ok(())
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::from_bytes(bytes.to_vec()).map_err(FormatError::new)
    }
}

/// How far a partition has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct PartitionState {
    /// Commands applied so far.
    pub(crate) applied_offset: u64,
    /// The id that the next new user gets.
    pub(crate) users_next: u32,
    /// Users that live.
    pub(crate) users_live: u32,
}

/// What was fixed when the database was created.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct DatabaseFacts {
    /// A random number.
    pub(crate) id: [u8; 16],
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub(crate) created_at_us: i64,
    pub(crate) partition_count: u16,
}

/// The ids that the next definitions get, so that an id is not given again after a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct NextIds {
    pub(crate) tag: TagId,
    pub(crate) group: GroupId,
    pub(crate) attribute: AttributeId,
    pub(crate) segment: SegmentId,
}

/// The answer that a request with an idempotency key got.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct IdempotentOutcome {
    /// When, in microseconds since 1970-01-01T00:00:00Z.
    pub(crate) at_us: i64,
    pub(crate) users_changed: u64,
    pub(crate) facts_changed: u64,
}
