//! How keys are written as bytes: fixed-width big-endian numbers, so that the order of bytes is
//! the order of keys, and texts last or terminated.
//!
//! Knows the bytes. Does not know what they lead to.

use std::borrow::Cow;

use bincode::{Decode, Encode};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    behaviour::Bucket,
    ids::{
        AttributeId, BlockId, EventId, GroupId, KeyBlockId, PartitionId, RowId, SegmentId, ShardId,
        SliceRow, TagId, UserId, ValueCode,
    },
};

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

/// Names a user by the key people know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserIdKey<'a> {
    pub(crate) partition: PartitionId,
    pub(crate) key: &'a str,
}

impl<'a> KeyFormat<'a> for UserIdKey<'a> {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(self.key.as_bytes());
    }

    fn read_from(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        Ok(Self {
            partition: PartitionId(reader.u16()?),
            key: reader.rest_text()?,
        })
    }
}

/// Names a user by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserKey {
    pub(crate) partition: PartitionId,
    pub(crate) user: UserId,
}

impl UserKey {
    /// What the keys of all users of a partition begin with.
    pub(crate) fn prefix(partition: PartitionId) -> Vec<u8> {
        partition.to_bytes()
    }
}

impl KeyFormat<'_> for UserKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(&self.user.0.to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let key = Self {
            partition: PartitionId(reader.u16()?),
            user: UserId(reader.u32()?),
        };
        reader.end()?;
        Ok(key)
    }
}

/// The keys of a run of a partition's users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyBlockKey {
    pub(crate) partition: PartitionId,
    pub(crate) block: KeyBlockId,
}

impl KeyBlockKey {
    /// Where a user's key is.
    pub(crate) fn of(user: UserKey) -> Self {
        Self {
            partition: user.partition,
            block: user.user.key_block(),
        }
    }

    /// What the keys of all blocks of a partition begin with.
    pub(crate) fn prefix(partition: PartitionId) -> Vec<u8> {
        partition.to_bytes()
    }
}

impl KeyFormat<'_> for KeyBlockKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(&self.block.0.to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let partition = PartitionId(reader.u16()?);
        let block = reader.u32()?;
        reader.end()?;
        if block > UserId(u32::MAX).key_block().0 {
            return Err(FormatError::new("no user has keys in this block"));
        }
        Ok(Self {
            partition,
            block: KeyBlockId(block),
        })
    }
}

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
// 8 to 15 are kept for what else there may be of tags.
const ROW_DID: u8 = 16;
const ROW_DID_IN_MONTH: u8 = 17;
const ROW_DID_ON_DAY: u8 = 18;

/// Number slices are those of 63 bits.
const SLICE_BIT_MAX: u32 = 62;
/// Where bits begin among the rows of a number that has one kind of row.
const FIRST_BIT_MEMBER: u32 = 2;

/// A number with a sign as one without, in the same order.
fn rising(number: i32) -> u32 {
    number.cast_unsigned() ^ 1 << 31
}

fn from_rising(number: u32) -> i32 {
    (number ^ 1 << 31).cast_signed()
}

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
        [ROW_TAG, ROW_SINCE, ROW_UNTIL]
            .into_iter()
            .map(|kind| Self::owner_prefix(partition, kind, tag.0))
            .collect()
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

/// An attribute in one block of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ColumnKey {
    pub(crate) partition: PartitionId,
    pub(crate) attribute: AttributeId,
    pub(crate) block: BlockId,
}

/// What the keys of everything that `columns` or `texts` has of an attribute begin with.
pub(crate) fn attribute_prefix(partition: PartitionId, attribute: AttributeId) -> Vec<u8> {
    let mut out = partition.to_bytes();
    out.extend_from_slice(&attribute.0.to_be_bytes());
    out
}

impl KeyFormat<'_> for ColumnKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(&self.attribute.0.to_be_bytes());
        out.extend_from_slice(&self.block.0.to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let partition = PartitionId(reader.u16()?);
        let key = Self {
            partition,
            attribute: AttributeId(reader.u32()?),
            block: BlockId(reader.u16()?),
        };
        reader.end()?;
        Ok(key)
    }
}

/// A user who has a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TextKey<'a> {
    pub(crate) partition: PartitionId,
    pub(crate) attribute: AttributeId,
    pub(crate) text: Cow<'a, str>,
    pub(crate) user: UserId,
}

/// Ends a text. Since a zero inside a text is followed by [`ZERO_INSIDE`], no text's bytes are
/// the beginning of another's, and a text sorts before its continuations.
const TEXT_END: [u8; 2] = [0, 1];
/// Follows a zero that belongs to the text.
const ZERO_INSIDE: u8 = 0xff;

impl TextKey<'_> {
    /// What the keys of all users with a text begin with.
    pub(crate) fn prefix(partition: PartitionId, attribute: AttributeId, text: &str) -> Vec<u8> {
        let mut out = attribute_prefix(partition, attribute);
        encode_text(text, &mut out);
        out
    }

    /// What [`Self::prefix`] has after the attribute's prefix.
    pub(crate) fn text_bytes(text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + TEXT_END.len());
        encode_text(text, &mut out);
        out
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(ZERO_INSIDE);
        }
    }
    out.extend_from_slice(&TEXT_END);
}

fn decode_text<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, FormatError> {
    let bytes = reader.0;
    let mut owned: Vec<u8> = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    loop {
        match bytes.get(at..) {
            Some([0, ZERO_INSIDE, ..]) => {
                owned.extend_from_slice(&bytes[copied..=at]);
                copied = at + 2;
                at += 2;
            }
            Some([0, 1, ..]) => break,
            Some([0, ..]) => return Err(FormatError::new("a zero inside a text is not marked")),
            Some([_, ..]) => at += 1,
            Some([]) | None => return Err(FormatError::new("the text does not end")),
        }
    }
    reader.0 = &bytes[at + TEXT_END.len()..];
    if copied == 0 {
        return std::str::from_utf8(&bytes[..at])
            .map(Cow::Borrowed)
            .map_err(FormatError::new);
    }
    owned.extend_from_slice(&bytes[copied..at]);
    String::from_utf8(owned)
        .map(Cow::Owned)
        .map_err(FormatError::new)
}

impl<'a> KeyFormat<'a> for TextKey<'a> {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(&self.attribute.0.to_be_bytes());
        encode_text(&self.text, out);
        out.extend_from_slice(&self.user.0.to_be_bytes());
    }

    fn read_from(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let partition = PartitionId(reader.u16()?);
        let attribute = AttributeId(reader.u32()?);
        let text = decode_text(&mut reader)?;
        let user = UserId(reader.u32()?);
        reader.end()?;
        Ok(Self {
            partition,
            attribute,
            text,
            user,
        })
    }
}

/// An event of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventKey {
    pub(crate) partition: PartitionId,
    pub(crate) event: EventId,
    pub(crate) user: UserId,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub(crate) time_us: i64,
    /// The place of the command that brought it in the partition's order.
    pub(crate) command: u64,
    /// Its place in the command.
    pub(crate) index: u32,
}

/// What the keys of everything of a kind of event in a partition begin with, in each of the
/// families of events but that of ids.
pub(crate) fn event_prefix(partition: PartitionId, event: EventId) -> Vec<u8> {
    let mut out = partition.to_bytes();
    out.extend_from_slice(&event.0.to_be_bytes());
    out
}

/// A time so that later ones come first.
fn falling(time_us: i64) -> u64 {
    !(time_us.cast_unsigned() ^ 1 << 63)
}

fn from_falling(number: u64) -> i64 {
    (!number ^ 1 << 63).cast_signed()
}

impl EventKey {
    /// What the keys of a user's events of a kind begin with.
    pub(crate) fn user_prefix(partition: PartitionId, event: EventId, user: UserId) -> Vec<u8> {
        let mut out = event_prefix(partition, event);
        out.extend_from_slice(&user.0.to_be_bytes());
        out
    }
}

impl KeyFormat<'_> for EventKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(&self.event.0.to_be_bytes());
        out.extend_from_slice(&self.user.0.to_be_bytes());
        out.extend_from_slice(&falling(self.time_us).to_be_bytes());
        out.extend_from_slice(&self.command.to_be_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let key = Self {
            partition: PartitionId(reader.u16()?),
            event: EventId(reader.u32()?),
            user: UserId(reader.u32()?),
            time_us: from_falling(reader.u64()?),
            command: reader.u64()?,
            index: reader.u32()?,
        };
        reader.end()?;
        Ok(key)
    }
}

/// The id that an event of a user came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventIdKey<'a> {
    pub(crate) partition: PartitionId,
    pub(crate) user: UserId,
    pub(crate) id: &'a str,
}

impl<'a> KeyFormat<'a> for EventIdKey<'a> {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(&self.user.0.to_be_bytes());
        out.extend_from_slice(self.id.as_bytes());
    }

    fn read_from(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        Ok(Self {
            partition: PartitionId(reader.u16()?),
            user: UserId(reader.u32()?),
            id: reader.rest_text()?,
        })
    }
}

/// The events of a kind in a shard and a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventTableKey {
    pub(crate) partition: PartitionId,
    pub(crate) event: EventId,
    pub(crate) shard: ShardId,
    pub(crate) bucket: Bucket,
}

const BUCKET_DAY: u8 = 0;
const BUCKET_MONTH: u8 = 1;

impl KeyFormat<'_> for EventTableKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        let (kind, number) = match self.bucket {
            Bucket::Day(day) => (BUCKET_DAY, day),
            Bucket::Month(month) => (BUCKET_MONTH, month),
        };
        out.extend_from_slice(&event_prefix(self.partition, self.event));
        out.extend_from_slice(&self.shard.0.to_be_bytes());
        out.push(kind);
        out.extend_from_slice(&rising(number).to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let (partition, event) = (PartitionId(reader.u16()?), EventId(reader.u32()?));
        let shard = ShardId(reader.u16()?);
        let (kind, number) = (reader.u8()?, from_rising(reader.u32()?));
        reader.end()?;
        let bucket = match kind {
            BUCKET_DAY => Bucket::Day(number),
            BUCKET_MONTH => Bucket::Month(number),
            _ => return Err(FormatError::new("no such stretch of time")),
        };
        Ok(Self {
            partition,
            event,
            shard,
            bucket,
        })
    }
}

/// Which days of a partition have events of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventExtentKey {
    pub(crate) partition: PartitionId,
    pub(crate) event: EventId,
}

impl KeyFormat<'_> for EventExtentKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&event_prefix(self.partition, self.event));
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let key = Self {
            partition: PartitionId(reader.u16()?),
            event: EventId(reader.u32()?),
        };
        reader.end()?;
        Ok(key)
    }
}

/// A definition, or a value in a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) enum SchemaKey {
    Tag(TagId),
    Group(GroupId),
    Attribute(AttributeId),
    Segment(SegmentId),
    /// The attribute may be a property of a kind of event.
    Value(AttributeId, ValueCode),
    Event(EventId),
}

const SCHEMA_TAG: u8 = 0;
const SCHEMA_GROUP: u8 = 1;
const SCHEMA_ATTRIBUTE: u8 = 2;
const SCHEMA_SEGMENT: u8 = 3;
const SCHEMA_VALUE: u8 = 4;
const SCHEMA_EVENT: u8 = 5;

impl SchemaKey {
    /// What the keys of all values of an attribute begin with.
    pub(crate) fn values_prefix(attribute: AttributeId) -> Vec<u8> {
        let mut out = vec![SCHEMA_VALUE];
        out.extend_from_slice(&attribute.0.to_be_bytes());
        out
    }
}

impl KeyFormat<'_> for SchemaKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        let (kind, id, code) = match *self {
            Self::Tag(id) => (SCHEMA_TAG, id.0, None),
            Self::Group(id) => (SCHEMA_GROUP, id.0, None),
            Self::Attribute(id) => (SCHEMA_ATTRIBUTE, id.0, None),
            Self::Segment(id) => (SCHEMA_SEGMENT, id.0, None),
            Self::Value(id, code) => (SCHEMA_VALUE, id.0, Some(code.0)),
            Self::Event(id) => (SCHEMA_EVENT, id.0, None),
        };
        out.push(kind);
        out.extend_from_slice(&id.to_be_bytes());
        if let Some(code) = code {
            out.extend_from_slice(&code.to_be_bytes());
        }
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let kind = reader.u8()?;
        let id = reader.u32()?;
        let key = match kind {
            SCHEMA_TAG => Self::Tag(TagId(id)),
            SCHEMA_GROUP => Self::Group(GroupId(id)),
            SCHEMA_ATTRIBUTE => Self::Attribute(AttributeId(id)),
            SCHEMA_SEGMENT => Self::Segment(SegmentId(id)),
            SCHEMA_VALUE => Self::Value(AttributeId(id), ValueCode(reader.u32()?)),
            SCHEMA_EVENT => Self::Event(EventId(id)),
            unknown => {
                return Err(FormatError::new(format!(
                    "{unknown} is not a kind of definition"
                )));
            }
        };
        reader.end()?;
        Ok(key)
    }
}

/// The key with which a client recognises its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestKey(pub(crate) [u8; 16]);

impl KeyFormat<'_> for RequestKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| FormatError::new("an idempotency key has 16 bytes"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use proptest::prelude::*;

    use super::*;

    fn text_key(text: &str, user: u32) -> TextKey<'_> {
        TextKey {
            partition: PartitionId(1),
            attribute: AttributeId(2),
            text: text.into(),
            user: UserId(user),
        }
    }

    proptest! {
        #[test]
        fn text_keys_keep_their_order_and_come_back(a in "[\0a-c]{0,4}", b in "[\0a-c]{0,4}", x: u32, y: u32) {
            let (left, right) = (text_key(&a, x), text_key(&b, y));
            prop_assert_eq!(left.to_bytes().cmp(&right.to_bytes()), left.cmp(&right));
            let bytes = left.to_bytes();
            prop_assert_eq!(TextKey::read_from(&bytes).unwrap(), left.clone());
            let prefix = TextKey::prefix(PartitionId(1), AttributeId(2), &b);
            prop_assert_eq!(left.to_bytes().starts_with(&prefix), a == b);
        }

        #[test]
        fn any_bytes_are_one_key_or_an_error(bytes in proptest::collection::vec(0u8..8, 0..20)) {
            fn again<'a, K: KeyFormat<'a>>(bytes: &'a [u8]) -> Vec<u8> {
                K::read_from(bytes).map_or_else(|_| bytes.to_vec(), |key| key.to_bytes())
            }
            prop_assert_eq!(&again::<FragmentKey>(&bytes), &bytes);
            prop_assert_eq!(&again::<TextKey<'_>>(&bytes), &bytes);
            prop_assert_eq!(&again::<SchemaKey>(&bytes), &bytes);
            prop_assert_eq!(&again::<ColumnKey>(&bytes), &bytes);
            prop_assert_eq!(&again::<UserKey>(&bytes), &bytes);
            prop_assert_eq!(&again::<KeyBlockKey>(&bytes), &bytes);
            prop_assert_eq!(&again::<EventTableKey>(&bytes), &bytes);
            prop_assert_eq!(&again::<EventExtentKey>(&bytes), &bytes);
            prop_assert_eq!(&again::<EventIdKey<'_>>(&bytes), &bytes);
        }

        #[test]
        fn later_events_come_first(left: i64, right: i64) {
            let key = |time_us| EventKey {
                partition: PartitionId(1),
                event: EventId(2),
                user: UserId(3),
                time_us,
                command: 4,
                index: 5,
            };
            let bytes = key(left).to_bytes();
            prop_assert_eq!(EventKey::read_from(&bytes).unwrap(), key(left));
            prop_assert_eq!(bytes.cmp(&key(right).to_bytes()), right.cmp(&left));
        }

        #[test]
        fn tables_are_in_the_order_of_time(left: i32, right: i32) {
            let key = |day| EventTableKey {
                partition: PartitionId(1),
                event: EventId(2),
                shard: ShardId(3),
                bucket: Bucket::Day(day),
            };
            prop_assert_eq!(key(left).to_bytes().cmp(&key(right).to_bytes()), left.cmp(&right));
        }
    }

    #[test]
    fn keys_hash_to_the_same_partition_for_ever() {
        let partitions = ["u1", "u2", "高价值"].map(|key| partition_of_key(key, 16).0);
        assert_eq!(partitions, [1, 14, 7]);
    }
}
