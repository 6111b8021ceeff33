//! A data set as it is in one second: the rows of some tags are those who hold them then, by rules
//! too.
//!
//! For what goes through rows themselves, as dimensions by tags do; expressions have holdings and
//! rules in their plans, which are run over the data set beneath.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    behaviour::{Answers, Source},
    block_pool::BlockPool,
    bound::Bound,
    dataset::Dataset,
    scan::{Context, Unit},
};
use crate::{
    behaviour::{Bucket, EventTable, Extent},
    bitmap::{Block, Fragment, NumberSlices, SliceScratch},
    column::ColumnBlock,
    error::Error,
    ids::{
        AttributeId, BLOCK_BITS, BlockId, EventId, Location, NumberId, PartitionId, RowId,
        SHARD_BLOCKS, ShardId, TagId, UserId,
    },
    plan::physical::Plan,
    schema::Schema,
    storage::{StorageError, TextsFrom, UserEvent, UserRecord},
    user_keys::PackedKeys,
};

/// Why a tag's stored row does not tell who holds it.
#[derive(Debug)]
pub(super) enum Held {
    /// Holdings of it end, or start late: who holds it in this second is asked.
    At(i64),
    /// It has a rule: who holds it is found by this plan.
    By(Plan),
}

/// Another data set in a second.
pub(super) struct HeldAt<'a> {
    inner: &'a dyn Dataset,
    context: Context<'a>,
    tags: HashMap<TagId, Held>,
    failure: Mutex<Option<Error>>,
}

impl<'a> HeldAt<'a> {
    /// For the tags whose stored rows do not tell.
    pub(super) fn new(context: Context<'a>, tags: HashMap<TagId, Held>) -> Self {
        Self {
            inner: context.dataset,
            context,
            tags,
            failure: Mutex::new(None),
        }
    }

    /// Why a rule was not evaluated, where it was not the store that failed.
    pub(super) fn failure(&self) -> Option<Error> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    /// A row, with what was answered already for others of this shard.
    fn row(
        &self,
        unit: Unit,
        row: RowId,
        answers: &Answers,
    ) -> Result<Arc<Fragment>, StorageError> {
        let Unit { partition, shard } = unit;
        let held = match row {
            RowId::Tag(tag) => self.tags.get(&tag).map(|held| (tag, held)),
            RowId::Users
            | RowId::Present(_)
            | RowId::Value(..)
            | RowId::Sign(_)
            | RowId::Slice(..)
            | RowId::Did(_)
            | RowId::DidInMonth(..)
            | RowId::DidOnDay(..)
            | RowId::Since(..)
            | RowId::Until(..)
            | RowId::Blocked(_) => None,
        };
        match held {
            None => self.inner.fragment(partition, shard, row),
            Some((tag, Held::At(at_s))) => {
                let fragment = self.inner.fragment(partition, shard, row)?;
                self.held(partition, shard, (tag, *at_s), &fragment)
            }
            Some((_, Held::By(plan))) => {
                let evaluated = self.evaluate(unit, plan, answers);
                evaluated.map_err(|error| self.noted(error))
            }
        }
    }

    /// Keeps what a store cannot fail with, to be asked for.
    fn noted(&self, error: Error) -> StorageError {
        if let Error::Storage(error) = error {
            return error;
        }
        let message = error.to_string();
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        *failure = Some(error);
        StorageError::Store(message)
    }

    fn evaluate(&self, unit: Unit, plan: &Plan, answers: &Answers) -> Result<Arc<Fragment>, Error> {
        let source = Source {
            context: self.context,
            unit,
            answers,
        };
        let bound = Bound::load(plan, source)?;
        let (mut pool, mut users, mut offsets) = (BlockPool::default(), Block::new(), Vec::new());
        for block in 0..SHARD_BLOCKS {
            self.context.budget.check()?;
            if bound.at_most(block) == 0 || bound.fill(block, &mut users, &mut pool) == 0 {
                continue;
            }
            let base = block << BLOCK_BITS;
            users.for_each(|place| offsets.push(base | u32::from(place)));
        }
        let found = Fragment::from_sorted(offsets);
        found
            .map(Arc::new)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    fn held(
        &self,
        partition: PartitionId,
        shard: ShardId,
        (tag, at_s): (TagId, i64),
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
            at_s,
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
        self.row(Unit { partition, shard }, row, &Answers::default())
    }

    fn fragments(
        &self,
        partition: PartitionId,
        shard: ShardId,
        rows: &[RowId],
    ) -> Result<Vec<Arc<Fragment>>, StorageError> {
        let answers = Answers::default();
        let unit = Unit { partition, shard };
        let row = |row: &RowId| self.row(unit, *row, &answers);
        rows.iter().map(row).collect()
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
