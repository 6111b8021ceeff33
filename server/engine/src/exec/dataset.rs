//! The one trait through which planning and execution reach data.
//!
//! Knows that users lie in partitions, shards and blocks, and that rows and columns can be had
//! for them. Does not know where they come from: the store's snapshot in the server, a handful
//! of vectors in a test.

use std::{ops::ControlFlow, sync::Arc};

use crate::{
    behaviour::{Bucket, EventTable, Extent},
    bitmap::{Fragment, NumberSlices},
    column::ColumnBlock,
    ids::{
        AttributeId, BlockId, EventId, Location, NumberId, PartitionId, RowId, ShardId, TagId,
        UserId,
    },
    schema::Schema,
    storage::{StorageError, TextsFrom, UserEvent, UserRecord},
    user_keys::PackedKeys,
};

/// One consistent state of the database. Every call sees the same.
pub trait Dataset: Send + Sync {
    /// The definitions of this state.
    fn schema(&self) -> &Arc<Schema>;

    /// How many partitions there are; their ids are 0 to one less.
    fn partition_count(&self) -> u16;

    /// How many shards a partition has; their ids are 0 to one less.
    ///
    /// # Errors
    /// When the store fails.
    fn shard_count(&self, partition: PartitionId) -> Result<u16, StorageError>;

    /// How many blocks of a partition may have users; counted from the partition's start.
    ///
    /// # Errors
    /// When the store fails.
    fn block_count(&self, partition: PartitionId) -> Result<u32, StorageError>;

    /// One row in one shard; empty where nothing is stored.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn fragment(
        &self,
        partition: PartitionId,
        shard: ShardId,
        row: RowId,
    ) -> Result<Arc<Fragment>, StorageError>;

    /// Several rows in one shard, in their order: quicker than one by one.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn fragments(
        &self,
        partition: PartitionId,
        shard: ShardId,
        rows: &[RowId],
    ) -> Result<Vec<Arc<Fragment>>, StorageError> {
        let fragment = |row: &RowId| self.fragment(partition, shard, *row);
        rows.iter().map(fragment).collect()
    }

    /// The slices of a number in one shard.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn slices(
        &self,
        partition: PartitionId,
        shard: ShardId,
        number: NumberId,
    ) -> Result<NumberSlices, StorageError> {
        NumberSlices::load(|row| self.fragment(partition, shard, number.row(row)))
    }

    /// An attribute's codes or numbers in one block; all missing where nothing is stored.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn column(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        block: BlockId,
    ) -> Result<Arc<ColumnBlock>, StorageError>;

    /// One user's number, where that is found quicker alone than with the column of its block;
    /// `None` where the column is as quick.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn number_alone(
        &self,
        _partition: PartitionId,
        _attribute: AttributeId,
        _user: UserId,
    ) -> Result<Option<Option<i64>>, StorageError> {
        Ok(None)
    }

    /// The keys of users, appended to `keys` in the order of `users`.
    ///
    /// # Errors
    /// When the store fails, or one of the users does not exist.
    fn keys(
        &self,
        partition: PartitionId,
        users: &[UserId],
        keys: &mut PackedKeys,
    ) -> Result<(), StorageError>;

    /// Where a user is.
    ///
    /// # Errors
    /// When the store fails.
    fn locate(&self, key: &str) -> Result<Option<Location>, StorageError>;

    /// All that is known of a user.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn record(&self, location: Location) -> Result<Option<UserRecord>, StorageError>;

    /// Which days of a partition have events of a kind; `None` when there are none.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn event_extent(
        &self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<Option<Extent>, StorageError>;

    /// The events of a kind in a shard and a stretch of time; empty where nothing is stored.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn event_table(
        &self,
        partition: PartitionId,
        shard: ShardId,
        event: EventId,
        bucket: Bucket,
    ) -> Result<Arc<EventTable>, StorageError>;

    /// All that a user did.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn user_events(&self, location: Location) -> Result<Vec<UserEvent>, StorageError>;

    /// The records of users of a partition, in their order.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes, or one of the users does not exist.
    fn records(
        &self,
        partition: PartitionId,
        users: &[UserId],
    ) -> Result<Vec<UserRecord>, StorageError> {
        let record = |user: &UserId| {
            let user = *user;
            let found = self.record(Location { partition, user })?;
            found.ok_or(StorageError::MissingUser { partition, user })
        };
        users.iter().map(record).collect()
    }

    /// How many users a tag had on the days from one to another, rising, as far as that was noted.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn tag_sizes(
        &self,
        _tag: TagId,
        _first: i32,
        _last: i32,
    ) -> Result<Vec<(i32, u64)>, StorageError> {
        Ok(Vec::new())
    }

    /// The tags whose sizes were noted on one of the days from one to another.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn tags_noted(&self, _first: i32, _last: i32) -> Result<Vec<TagId>, StorageError> {
        Ok(Vec::new())
    }

    /// The day on which tags were last asked for, as far as that was noted.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn tags_asked(&self) -> Result<Vec<(TagId, i32)>, StorageError> {
        Ok(Vec::new())
    }

    /// The users of a partition whose text or user attribute is exactly this, in rising order.
    ///
    /// # Errors
    /// When the store fails.
    fn text_matches(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        text: &str,
    ) -> Result<Vec<UserId>, StorageError>;

    /// Visits the users of a partition who have a text, in the order of texts, and of ids where
    /// texts are the same, or the other way round, until `visit` has enough.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn walk_texts(
        &self,
        partition: PartitionId,
        from: TextsFrom<'_>,
        visit: &mut dyn FnMut(&str, UserId) -> ControlFlow<()>,
    ) -> Result<(), StorageError>;

    /// Visits every user of a partition in the order of ids: slow, for oracles and checks.
    ///
    /// # Errors
    /// When the store fails or holds damaged bytes.
    fn for_each_user(
        &self,
        partition: PartitionId,
        visit: &mut dyn FnMut(UserId, &str, &UserRecord),
    ) -> Result<(), StorageError>;
}
