//! A range of numbers in one shard, a block at a time.
//!
//! Knows two ways to a block's answer. Slices compare all 2^16 places at once, at a cost that
//! does not depend on how many of them matter. The column is looked at place by place, which is
//! quicker where other operands leave few. Which it is, is settled for each block when the shard
//! is loaded, from what the headers of those operands say, so that what is not needed is not
//! read. Does not know what the numbers mean.

use std::sync::Arc;

use super::{block_pool::BlockPool, dataset::Dataset};
use crate::{
    bitmap::{Block, Fragment, NumberSlices},
    column::{ColumnBlock, Keep},
    ids::{NumberId, PartitionId, SHARD_BLOCKS, ShardId, SliceRow},
    plan::logical::Range,
    storage::StorageError,
};

/// With so many users left of a block or fewer, its column is looked at. Each costs a cache line
/// of it at most, and lines here and there were measured to take about four times as long as the
/// same bytes in a row: with the slices of a number of 7 bits, 56 KiB, both are even at 224 users,
/// of 14 bits at twice as many.
const COLUMN_USERS_MAX: u32 = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct NumberRange {
    range: Range,
    /// Who has a number.
    present: Arc<Fragment>,
    /// Where some block needs them.
    slices: Option<NumberSlices>,
    /// Of each block that is answered by it.
    columns: Vec<Option<Arc<ColumnBlock>>>,
}

impl NumberRange {
    /// Loads what is needed to find those of at most `left` users a block. `None` when nobody
    /// has a number.
    pub(super) fn load(
        dataset: &dyn Dataset,
        (partition, shard): (PartitionId, ShardId),
        (number, range): (NumberId, Range),
        left: impl Fn(u32) -> u32,
    ) -> Result<Option<Self>, StorageError> {
        let present = dataset.fragment(partition, shard, number.row(SliceRow::Present))?;
        if present.is_empty() {
            return Ok(None);
        }
        let most = |block| left(block).min(present.block_cardinality(block));
        let mut columns = Vec::new();
        let mut slices = None;
        for block in 0..SHARD_BLOCKS {
            columns.push(match (most(block), number) {
                (0, _) => None,
                (1..=COLUMN_USERS_MAX, NumberId::Attribute(attribute)) => {
                    Some(dataset.column(partition, attribute, shard.block(block))?)
                }
                (_, _) if slices.is_some() => None,
                // When a holding starts and ends stands in no column.
                (_, NumberId::Attribute(_) | NumberId::Since(_) | NumberId::Until(_)) => {
                    slices = Some(dataset.slices(partition, shard, number)?);
                    None
                }
            });
        }
        Ok(Some(Self {
            range,
            present,
            slices,
            columns,
        }))
    }

    /// How many users of a block are in the range at most; cheap.
    pub(super) fn at_most(&self, block: u32) -> u32 {
        self.present.block_cardinality(block)
    }

    /// Whether a block is answered place by place.
    pub(super) fn is_listed(&self, block: u32) -> bool {
        self.column(block).is_some()
    }

    fn column(&self, block: u32) -> Option<&ColumnBlock> {
        self.columns.get(block as usize)?.as_deref()
    }

    /// `out` becomes the users of a block who are in the range; how many there are.
    pub(super) fn fill(&self, block: u32, out: &mut Block, pool: &mut BlockPool) -> u32 {
        let Range { low, high } = self.range;
        if let Some(slices) = &self.slices {
            let scratch = &mut pool.slices;
            slices.range_into(Some(low), Some(high), block, scratch, out);
        } else {
            out.clear();
            if let Some(column) = self.column(block) {
                let mut places = pool.take();
                self.present.copy_into(block, &mut places);
                column.for_each(&places, |place, number| {
                    if number.is_some_and(|number| (low..=high).contains(&number)) {
                        out.insert(place);
                    }
                });
                pool.give_back(places);
            }
        }
        out.count()
    }

    /// Whether a user of a block is in the range.
    pub(super) fn contains(&self, block: u32, place: u16) -> bool {
        let Range { low, high } = self.range;
        match (self.column(block), &self.slices) {
            (Some(column), _) => column
                .value(place)
                .is_some_and(|number| (low..=high).contains(&number)),
            (None, Some(slices)) => slices.is_in_range(low, high, block, place),
            (None, None) => false,
        }
    }

    /// Where a block is answered place by place: the list keeps who is in the range, or who is
    /// not.
    pub(super) fn retain(&self, block: u32, keep: Keep, list: &mut Vec<u16>) {
        if let Some(column) = self.column(block) {
            column.retain(self.range.low..=self.range.high, keep, list);
        }
    }
}
