//! The keys of `fragments`: rows of the bit matrix, kind by kind.

use super::{FormatError, KeyFormat, Reader, from_rising, rising};
use crate::ids::{AttributeId, EventId, PartitionId, RowId, ShardId, SliceRow, TagId, ValueCode};

/// A row in one shard of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FragmentKey {
    pub(crate) partition: PartitionId,
    pub(crate) row: RowId,
    pub(crate) shard: ShardId,
}

/// The kinds of rows, as the byte that stands for them.
const ROW_USERS: u8 = 0;
const ROW_TAG: u8 = 1;
const ROW_PRESENT: u8 = 2;
const ROW_VALUE: u8 = 3;
const ROW_SIGN: u8 = 4;
const ROW_SLICE: u8 = 5;
const ROW_SINCE: u8 = 6;
const ROW_UNTIL: u8 = 7;
const ROW_BLOCKED: u8 = 8;
// 9 to 15 are kept for what else there may be of tags.
const ROW_DID: u8 = 16;
const ROW_DID_IN_MONTH: u8 = 17;
const ROW_DID_ON_DAY: u8 = 18;

/// Number slices are those of 63 bits.
const SLICE_BIT_MAX: u32 = 62;
/// Where bits begin among the rows of a number that has one kind of row.
const FIRST_BIT_MEMBER: u32 = 2;

fn row_parts(row: RowId) -> (u8, u32, u32) {
    match row {
        RowId::Users => (ROW_USERS, 0, 0),
        RowId::Tag(tag) => (ROW_TAG, tag.0, 0),
        RowId::Present(attribute) => (ROW_PRESENT, attribute.0, 0),
        RowId::Value(attribute, code) => (ROW_VALUE, attribute.0, code.0),
        RowId::Sign(attribute) => (ROW_SIGN, attribute.0, 0),
        RowId::Slice(attribute, bit) => (ROW_SLICE, attribute.0, u32::from(bit)),
        RowId::Did(event) => (ROW_DID, event.0, 0),
        RowId::DidInMonth(event, month) => (ROW_DID_IN_MONTH, event.0, rising(month)),
        RowId::DidOnDay(event, day) => (ROW_DID_ON_DAY, event.0, rising(day)),
        RowId::Since(tag, row) => (ROW_SINCE, tag.0, slice_member(row)),
        RowId::Until(tag, row) => (ROW_UNTIL, tag.0, slice_member(row)),
        RowId::Blocked(tag) => (ROW_BLOCKED, tag.0, 0),
    }
}

/// The rows of a number whose rows are all of one kind: the first two, and then the bits.
fn slice_member(row: SliceRow) -> u32 {
    match row {
        SliceRow::Present => 0,
        SliceRow::Sign => 1,
        SliceRow::Bit(bit) => FIRST_BIT_MEMBER + u32::from(bit),
    }
}

fn slice_of_member(member: u32) -> Option<SliceRow> {
    match member {
        0 => Some(SliceRow::Present),
        1 => Some(SliceRow::Sign),
        member => {
            let bit = member.checked_sub(FIRST_BIT_MEMBER)?;
            // The guard keeps the bit below an u8.
            (bit <= SLICE_BIT_MAX).then_some(SliceRow::Bit(bit as u8))
        }
    }
}

fn row_from_parts(kind: u8, owner: u32, member: u32) -> Option<RowId> {
    match (kind, owner, member) {
        (ROW_USERS, 0, 0) => Some(RowId::Users),
        (ROW_TAG, tag, 0) => Some(RowId::Tag(TagId(tag))),
        (ROW_PRESENT, attribute, 0) => Some(RowId::Present(AttributeId(attribute))),
        (ROW_VALUE, attribute, code) => Some(RowId::Value(AttributeId(attribute), ValueCode(code))),
        (ROW_SIGN, attribute, 0) => Some(RowId::Sign(AttributeId(attribute))),
        // The guard keeps the bit below an u8.
        (ROW_SLICE, attribute, bit) if bit <= SLICE_BIT_MAX => {
            Some(RowId::Slice(AttributeId(attribute), bit as u8))
        }
        (ROW_SINCE, tag, member) => Some(RowId::Since(TagId(tag), slice_of_member(member)?)),
        (ROW_UNTIL, tag, member) => Some(RowId::Until(TagId(tag), slice_of_member(member)?)),
        (ROW_BLOCKED, tag, 0) => Some(RowId::Blocked(TagId(tag))),
        (ROW_DID, event, 0) => Some(RowId::Did(EventId(event))),
        (ROW_DID_IN_MONTH, event, month) => {
            Some(RowId::DidInMonth(EventId(event), from_rising(month)))
        }
        (ROW_DID_ON_DAY, event, day) => Some(RowId::DidOnDay(EventId(event), from_rising(day))),
        _ => None,
    }
}

impl FragmentKey {
    /// What the keys of all rows of a partition begin with.
    pub(crate) fn prefix(partition: PartitionId) -> Vec<u8> {
        partition.to_bytes()
    }

    /// What the keys of all fragments of a tag in a partition begin with: one beginning a kind
    /// of row.
    pub(crate) fn tag_prefixes(partition: PartitionId, tag: TagId) -> Vec<Vec<u8>> {
        [ROW_TAG, ROW_SINCE, ROW_UNTIL, ROW_BLOCKED]
            .into_iter()
            .map(|kind| Self::owner_prefix(partition, kind, tag.0))
            .collect()
    }

    /// What the keys of the rows of all tags in a partition begin with.
    pub(crate) fn tags_prefix(partition: PartitionId) -> Vec<u8> {
        let mut out = partition.to_bytes();
        out.push(ROW_TAG);
        out
    }

    /// What the keys of all rows of an attribute in a partition begin with: one beginning a
    /// kind of row.
    pub(crate) fn attribute_prefixes(
        partition: PartitionId,
        attribute: AttributeId,
    ) -> Vec<Vec<u8>> {
        [ROW_PRESENT, ROW_VALUE, ROW_SIGN, ROW_SLICE]
            .into_iter()
            .map(|kind| Self::owner_prefix(partition, kind, attribute.0))
            .collect()
    }

    /// What the keys of all rows of a kind of event in a partition begin with: one beginning a
    /// kind of row.
    pub(crate) fn event_prefixes(partition: PartitionId, event: EventId) -> Vec<Vec<u8>> {
        [ROW_DID, ROW_DID_IN_MONTH, ROW_DID_ON_DAY]
            .into_iter()
            .map(|kind| Self::owner_prefix(partition, kind, event.0))
            .collect()
    }

    fn owner_prefix(partition: PartitionId, kind: u8, owner: u32) -> Vec<u8> {
        let mut out = partition.to_bytes();
        out.push(kind);
        out.extend_from_slice(&owner.to_be_bytes());
        out
    }
}

impl KeyFormat<'_> for FragmentKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        let (kind, owner, member) = row_parts(self.row);
        self.partition.write_to(out);
        out.push(kind);
        out.extend_from_slice(&owner.to_be_bytes());
        out.extend_from_slice(&member.to_be_bytes());
        out.extend_from_slice(&self.shard.0.to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let partition = PartitionId(reader.u16()?);
        let row = row_from_parts(reader.u8()?, reader.u32()?, reader.u32()?);
        let shard = ShardId(reader.u16()?);
        reader.end()?;
        let row = row.ok_or_else(|| FormatError::new("no such kind of row"))?;
        Ok(Self {
            partition,
            row,
            shard,
        })
    }
}
