//! The keys of `events`, `event_ids`, `event_tables` and `event_extents`.

use super::{FormatError, KeyFormat, Reader, from_rising, rising};
use crate::{
    behaviour::Bucket,
    ids::{EventId, PartitionId, ShardId, UserId},
};

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
