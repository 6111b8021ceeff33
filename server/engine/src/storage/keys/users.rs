//! The keys of `user_ids`, `records` and `key_blocks`: users by name and by id, and runs of users.

use super::{FormatError, KeyFormat, Reader};
use crate::ids::{KeyBlockId, PartitionId, UserId};

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
