//! A data set as it is in one second: the rows of some tags are those who hold them then.
//!
//! For what goes through rows themselves, as dimensions by tags do; expressions have holdings in
//! their plans. A plan over such a row finds whom it finds over the stored one.

use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

use super::dataset::Dataset;
use crate::{
    behaviour::{Bucket, EventTable, Extent},
    bitmap::{Block, Fragment, NumberSlices, SliceScratch},
    column::ColumnBlock,
    ids::{
        AttributeId, BLOCK_BITS, BlockId, EventId, Location, NumberId, PartitionId, RowId,
        SHARD_BLOCKS, ShardId, TagId, UserId,
    },
    schema::Schema,
    storage::{StorageError, TextsFrom, UserEvent, UserRecord},
    user_keys::PackedKeys,
};

/// Another data set in a second.
pub(super) struct HeldAt<'a> {
    inner: &'a dyn Dataset,
    tags: HashSet<TagId>,
    at_s: i64,
}

impl<'a> HeldAt<'a> {
    /// For the tags whose stored rows do not tell, if there are any.
    pub(super) fn new(
        inner: &'a dyn Dataset,
        timed: Option<(HashSet<TagId>, i64)>,
    ) -> Option<Self> {
        timed.map(|(tags, at_s)| Self { inner, tags, at_s })
    }

    fn held(
        &self,
        partition: PartitionId,
        shard: ShardId,
        tag: TagId,
        row: &Arc<Fragment>,
    ) -> Result<Arc<Fragment>, StorageError> {
        if row.is_empty() {
            return Ok(Arc::clone(row));
        }
        let since = self.inner.slices(partition, shard, NumberId::Since(tag))?;
        let until = self.inner.slices(partition, shard, NumberId::Until(tag))?;
        let mut found = Outside {
            since,
            until,
            at_s: self.at_s,
            scratch: SliceScratch::new(),
            outside: Block::new(),
        };
        let mut offsets = Vec::new();
        let mut users = Block::new();
        for block in (0..SHARD_BLOCKS).filter(|block| row.block_cardinality(*block) > 0) {
            row.copy_into(block, &mut users);
            found.remove_from(block, &mut users);
            let base = block << BLOCK_BITS;
            users.for_each(|place| offsets.push(base | u32::from(place)));
        }
        if offsets.len() as u64 == row.cardinality() {
            return Ok(Arc::clone(row));
        }
        let held = Fragment::from_sorted(offsets);
        held.map(Arc::new)
            .map_err(|error| StorageError::Store(error.to_string()))
    }
}

/// Whose holdings have ended or have yet to start.
struct Outside {
    since: NumberSlices,
    until: NumberSlices,
    at_s: i64,
    scratch: SliceScratch,
    outside: Block,
}

impl Outside {
    fn remove_from(&mut self, block: u32, users: &mut Block) {
        let Self {
            since,
            until,
            at_s,
            scratch,
            outside,
        } = self;
        until.range_into(None, Some(*at_s), block, scratch, outside);
        users.and_not_counted(outside);
        since.range_into(Some(at_s.saturating_add(1)), None, block, scratch, outside);
        users.and_not_counted(outside);
    }
}

impl Dataset for HeldAt<'_> {
    fn fragment(
        &self,
        partition: PartitionId,
        shard: ShardId,
        row: RowId,
    ) -> Result<Arc<Fragment>, StorageError> {
        let fragment = self.inner.fragment(partition, shard, row)?;
        if let RowId::Tag(tag) = row
            && self.tags.contains(&tag)
        {
            return self.held(partition, shard, tag, &fragment);
        }
        Ok(fragment)
    }

    fn schema(&self) -> &Arc<Schema> {
        self.inner.schema()
    }

    fn partition_count(&self) -> u16 {
        self.inner.partition_count()
    }

    fn shard_count(&self, partition: PartitionId) -> Result<u16, StorageError> {
        self.inner.shard_count(partition)
    }

    fn block_count(&self, partition: PartitionId) -> Result<u32, StorageError> {
        self.inner.block_count(partition)
    }

    fn slices(
        &self,
        partition: PartitionId,
        shard: ShardId,
        number: NumberId,
    ) -> Result<NumberSlices, StorageError> {
        self.inner.slices(partition, shard, number)
    }

    fn column(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        block: BlockId,
    ) -> Result<Arc<ColumnBlock>, StorageError> {
        self.inner.column(partition, attribute, block)
    }

    fn number_alone(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        user: UserId,
    ) -> Result<Option<Option<i64>>, StorageError> {
        self.inner.number_alone(partition, attribute, user)
    }

    fn keys(
        &self,
        partition: PartitionId,
        users: &[UserId],
        keys: &mut PackedKeys,
    ) -> Result<(), StorageError> {
        self.inner.keys(partition, users, keys)
    }

    fn locate(&self, key: &str) -> Result<Option<Location>, StorageError> {
        self.inner.locate(key)
    }

    fn record(&self, location: Location) -> Result<Option<UserRecord>, StorageError> {
        self.inner.record(location)
    }

    fn records(
        &self,
        partition: PartitionId,
        users: &[UserId],
    ) -> Result<Vec<UserRecord>, StorageError> {
        self.inner.records(partition, users)
    }

    fn event_extent(
        &self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<Option<Extent>, StorageError> {
        self.inner.event_extent(partition, event)
    }

    fn event_table(
        &self,
        partition: PartitionId,
        shard: ShardId,
        event: EventId,
        bucket: Bucket,
    ) -> Result<Arc<EventTable>, StorageError> {
        self.inner.event_table(partition, shard, event, bucket)
    }

    fn user_events(&self, location: Location) -> Result<Vec<UserEvent>, StorageError> {
        self.inner.user_events(location)
    }

    fn text_matches(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        text: &str,
    ) -> Result<Vec<UserId>, StorageError> {
        self.inner.text_matches(partition, attribute, text)
    }

    fn walk_texts(
        &self,
        partition: PartitionId,
        from: TextsFrom<'_>,
        visit: &mut dyn FnMut(&str, UserId) -> ControlFlow<()>,
    ) -> Result<(), StorageError> {
        self.inner.walk_texts(partition, from, visit)
    }

    fn for_each_user(
        &self,
        partition: PartitionId,
        visit: &mut dyn FnMut(UserId, &str, &UserRecord),
    ) -> Result<(), StorageError> {
        self.inner.for_each_user(partition, visit)
    }
}
