//! The numbers by which the engine knows things. Names and keys are for people.
//!
//! Knows how a user's id splits into shard, block and offset. Does not know what is stored.

use bincode::{Decode, Encode};

/// Bits of a user id that count within a shard.
pub const SHARD_BITS: u32 = 20;
/// Users a shard has room for: 2^20 consecutive ids.
pub const SHARD_USERS: u32 = 1 << SHARD_BITS;
/// Bits of a user id that count within a block.
pub const BLOCK_BITS: u32 = 16;
/// Users a block has room for: 2^16 consecutive ids, the width of one roaring container.
pub const BLOCK_USERS: u32 = 1 << BLOCK_BITS;
/// Blocks in a shard.
pub const SHARD_BLOCKS: u32 = 1 << (SHARD_BITS - BLOCK_BITS);
/// Bits of a user id that count within a block of keys.
pub const KEY_BLOCK_BITS: u32 = 12;
/// Users whose keys are stored together: 2^12 consecutive ids, a whole number of them in a block.
pub const KEY_BLOCK_USERS: u32 = 1 << KEY_BLOCK_BITS;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name(pub $int);
    };
}

id! {
    /// A part of the users, chosen by a hash of the key; self-contained.
    PartitionId(u16)
}
id! {
    /// A user within a partition: dense, given at first sight.
    UserId(u32)
}
id! {
    /// 2^20 consecutive user ids of a partition.
    ShardId(u16)
}
id! {
    /// 2^16 consecutive user ids of a partition, counted from the partition's start.
    BlockId(u16)
}
id! {
    /// 2^12 consecutive user ids of a partition, whose keys are stored together.
    KeyBlockId(u32)
}
id! {
    /// A tag. Never reused.
    TagId(u32)
}
id! {
    /// A tag group. Never reused.
    GroupId(u32)
}
id! {
    /// An attribute. Never reused.
    AttributeId(u32)
}
id! {
    /// A saved segment. Never reused.
    SegmentId(u32)
}
id! {
    /// A kind of event. Never reused.
    EventId(u32)
}
id! {
    /// A form. Means nothing outside of its definition.
    FormId(u32)
}
id! {
    /// A value in an attribute's dictionary, in the order of first sight. For a boolean 0 is
    /// false and 1 is true.
    ValueCode(u32)
}

impl UserId {
    /// The shard it lies in.
    pub fn shard(self) -> ShardId {
        // 32 - 20 = 12 bits remain.
        ShardId((self.0 >> SHARD_BITS) as u16)
    }

    /// Its place in the shard, below [`SHARD_USERS`].
    pub fn offset(self) -> u32 {
        self.0 & (SHARD_USERS - 1)
    }

    /// The block it lies in.
    pub fn block(self) -> BlockId {
        BlockId((self.0 >> BLOCK_BITS) as u16)
    }

    /// Its place in the block.
    pub fn block_offset(self) -> u16 {
        (self.0 & (BLOCK_USERS - 1)) as u16
    }

    /// The block of keys it lies in.
    pub fn key_block(self) -> KeyBlockId {
        KeyBlockId(self.0 >> KEY_BLOCK_BITS)
    }

    /// Its place in the block of keys.
    pub fn key_block_offset(self) -> u16 {
        (self.0 & (KEY_BLOCK_USERS - 1)) as u16
    }
}

impl ShardId {
    /// The user at an offset of this shard.
    pub fn user(self, offset: u32) -> UserId {
        UserId((u32::from(self.0) << SHARD_BITS) | offset)
    }

    /// The block with this index (below [`SHARD_BLOCKS`]) in the shard.
    pub fn block(self, index: u32) -> BlockId {
        BlockId((u32::from(self.0) * SHARD_BLOCKS + index) as u16)
    }
}

impl BlockId {
    /// The user at a place of this block.
    pub fn user(self, place: u16) -> UserId {
        UserId((u32::from(self.0) << BLOCK_BITS) | u32::from(place))
    }
}

impl KeyBlockId {
    /// The user at a place of this block of keys.
    pub fn user(self, place: u16) -> UserId {
        UserId((self.0 << KEY_BLOCK_BITS) | u32::from(place))
    }
}

/// A user's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Location {
    /// The partition.
    pub partition: PartitionId,
    /// The id inside it.
    pub user: UserId,
}

impl Location {
    /// As one number that is small where ids are, of a database with so many partitions: what a
    /// column keeps of a user.
    pub fn to_number(self, partition_count: u16) -> i64 {
        i64::from(self.user.0) << partition_bits(partition_count) | i64::from(self.partition.0)
    }

    /// The place that a number stands for; `None` where it can be none.
    pub fn from_number(number: i64, partition_count: u16) -> Option<Self> {
        let bits = partition_bits(partition_count);
        let partition = (number & ((1 << bits) - 1)) as u16;
        let user = u32::try_from(number >> bits).ok()?;
        (partition < partition_count).then_some(Self {
            partition: PartitionId(partition),
            user: UserId(user),
        })
    }
}

/// Bits that tell so many partitions apart.
fn partition_bits(partition_count: u16) -> u32 {
    u16::BITS - partition_count.saturating_sub(1).leading_zeros()
}

/// A number that users have, kept as bit slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberId {
    /// The value of a numeric attribute.
    Attribute(AttributeId),
    /// When a timed holding of a tag starts, in seconds since 1970-01-01T00:00:00Z.
    Since(TagId),
    /// When a timed holding of a tag ends, in seconds since 1970-01-01T00:00:00Z.
    Until(TagId),
}

impl NumberId {
    /// One of its rows in the bit matrix.
    pub fn row(self, row: SliceRow) -> RowId {
        match (self, row) {
            (Self::Attribute(attribute), SliceRow::Present) => RowId::Present(attribute),
            (Self::Attribute(attribute), SliceRow::Sign) => RowId::Sign(attribute),
            (Self::Attribute(attribute), SliceRow::Bit(bit)) => RowId::Slice(attribute, bit),
            (Self::Since(tag), row) => RowId::Since(tag, row),
            (Self::Until(tag), row) => RowId::Until(tag, row),
        }
    }
}

impl From<AttributeId> for NumberId {
    fn from(attribute: AttributeId) -> Self {
        Self::Attribute(attribute)
    }
}

/// One of the rows of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SliceRow {
    /// Who has the number.
    Present,
    /// Whose number is negative.
    Sign,
    /// Whose magnitude has this bit, 0 to 62.
    Bit(u8),
}

/// A row of the bit matrix: one set of users in every partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowId {
    /// Every living user.
    Users,
    /// The users with a holding of a tag: also those whose holding ended or has yet to start.
    Tag(TagId),
    /// The users who have a value of an attribute.
    Present(AttributeId),
    /// The users who have this value of an enum, multi or boolean.
    Value(AttributeId, ValueCode),
    /// The users whose number is negative.
    Sign(AttributeId),
    /// The users whose number has this bit. The bits are those of `v ^ (v >> 63)`, that is of
    /// `v` where it is not negative and of `-v - 1` where it is, so that small numbers of
    /// either sign need few slices. Bits 0 to 62.
    Slice(AttributeId, u8),
    /// The users with an event of a kind at any time.
    Did(EventId),
    /// The users with an event of a kind in a month, counted from January 1970.
    DidInMonth(EventId, i32),
    /// The users with an event of a kind on a day, counted from 1970-01-01. Not kept for days
    /// that are rolled up into their month.
    DidOnDay(EventId, i32),
    /// The slices of [`NumberId::Since`].
    Since(TagId, SliceRow),
    /// The slices of [`NumberId::Until`].
    Until(TagId, SliceRow),
    /// The users who had a tag taken from them by hand against its rule.
    Blocked(TagId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbers() {
        let check = |partition: u16, user: u32, partitions: u16| {
            let location = Location {
                partition: PartitionId(partition),
                user: UserId(user),
            };
            let number = location.to_number(partitions);
            assert!(number >= 0);
            assert_eq!(Location::from_number(number, partitions), Some(location));
        };
        check(0, 0, 1);
        check(0, u32::MAX, 1);
        check(2, 70_000, 3);
        check(15, u32::MAX, 16);
        check(4095, u32::MAX, 4096);
        assert_eq!(Location::from_number(3, 3), None, "the fourth partition");
        assert_eq!(Location::from_number(-1, 3), None);
        assert_eq!(Location::from_number(i64::MAX, 16), None);
    }
}
