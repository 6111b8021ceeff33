//! A plan bound to one shard: its fragments are loaded, and blocks can be evaluated.
//!
//! Knows how operators combine in place, block by block, without allocating. Skips what the
//! fragments' cardinalities show to be empty. Does not know shards other than its own.

use std::sync::Arc;

use super::{block_pool::BlockPool, dataset::Dataset};
use crate::{
    bitmap::{Block, Fragment, NumberSlices, ThresholdCounter},
    ids::{BLOCK_USERS, PartitionId, RowId, ShardId},
    plan::{
        logical::Range,
        physical::{IdLists, Operation, Plan},
    },
    storage::StorageError,
};

/// One operator with its data for one shard.
#[derive(Debug)]
pub(super) enum Bound {
    /// Finds nobody in this shard.
    Nothing,
    /// A stored row, or named users.
    Row(Arc<Fragment>),
    /// The slices of a number.
    Slices(Box<NumberSlices>, Range),
    /// Who is in one of them.
    Union(Vec<Bound>),
    /// Who is in all of the first and in none of the second.
    Intersect(Vec<Bound>, Vec<Bound>),
    /// Who is in so many of them at least.
    Threshold(u32, Box<ThresholdCounter>, Vec<Bound>),
}

impl Bound {
    /// Loads what a plan reads in one shard. What is empty in the shard is left out.
    pub(super) fn load(
        plan: &Plan,
        dataset: &dyn Dataset,
        partition: PartitionId,
        shard: ShardId,
    ) -> Result<Self, StorageError> {
        let load_all = |plans: &[Plan]| -> Result<Vec<Self>, StorageError> {
            plans
                .iter()
                .map(|plan| Self::load(plan, dataset, partition, shard))
                .collect()
        };
        Ok(match &plan.operation {
            Operation::Nothing => Self::Nothing,
            Operation::Row(row) => Self::row(dataset.fragment(partition, shard, *row)?),
            Operation::Slices(attribute, range) => {
                let slices = NumberSlices::load(|row| {
                    dataset.fragment(partition, shard, row.row(*attribute))
                })?;
                if slices.present().is_empty() {
                    Self::Nothing
                } else {
                    Self::Slices(Box::new(slices), *range)
                }
            }
            Operation::Ids(lists) => {
                Self::row(Arc::new(ids_of_shard(lists, dataset, partition, shard)?))
            }
            Operation::Union(of) => Self::union(load_all(of)?),
            Operation::Intersect { keep, drop } => {
                Self::load_intersection(keep, drop, dataset, partition, shard)?
            }
            Operation::Threshold { threshold, of } => Self::threshold(*threshold, load_all(of)?),
        })
    }

    /// Loads operands one by one, least first, and stops at the first that is empty.
    fn load_intersection(
        keep: &[Plan],
        drop: &[Plan],
        dataset: &dyn Dataset,
        partition: PartitionId,
        shard: ShardId,
    ) -> Result<Self, StorageError> {
        let mut kept = Vec::with_capacity(keep.len());
        for plan in keep {
            let bound = Self::load(plan, dataset, partition, shard)?;
            if matches!(bound, Self::Nothing) {
                return Ok(Self::Nothing);
            }
            kept.push(bound);
        }
        let dropped: Result<Vec<Self>, StorageError> = drop
            .iter()
            .map(|plan| Self::load(plan, dataset, partition, shard))
            .collect();
        let dropped = without_nothing(dropped?);
        match (kept.pop(), kept.is_empty() && dropped.is_empty()) {
            (None, _) => Ok(Self::Nothing),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                kept.push(last);
                Ok(Self::Intersect(kept, dropped))
            }
        }
    }

    pub(super) fn row(fragment: Arc<Fragment>) -> Self {
        if fragment.is_empty() {
            Self::Nothing
        } else {
            Self::Row(fragment)
        }
    }

    fn union(of: Vec<Self>) -> Self {
        let mut of = without_nothing(of);
        match (of.pop(), of.is_empty()) {
            (None, _) => Self::Nothing,
            (Some(only), true) => only,
            (Some(last), false) => {
                of.push(last);
                Self::Union(of)
            }
        }
    }

    fn threshold(threshold: u32, of: Vec<Self>) -> Self {
        let of = without_nothing(of);
        if (of.len() as u64) < u64::from(threshold) {
            return Self::Nothing;
        }
        Self::Threshold(threshold, Box::new(ThresholdCounter::new(threshold)), of)
    }

    /// How many users of a block can be found at most; cheap.
    pub(super) fn at_most(&self, block: u32) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Row(fragment) => fragment.block_cardinality(block),
            Self::Slices(slices, _) => slices.present().block_cardinality(block),
            Self::Union(of) => sum_at_most(of, block).min(u64::from(BLOCK_USERS)) as u32,
            Self::Intersect(keep, _) => keep
                .iter()
                .map(|bound| bound.at_most(block))
                .min()
                .unwrap_or(0),
            Self::Threshold(threshold, _, of) => {
                let most = sum_at_most(of, block) / u64::from(*threshold).max(1);
                most.min(u64::from(BLOCK_USERS)) as u32
            }
        }
    }

    /// `out` becomes the users of a block.
    pub(super) fn fill(&mut self, block: u32, out: &mut Block, pool: &mut BlockPool) {
        match self {
            Self::Nothing => out.clear(),
            Self::Row(fragment) => fragment.copy_into(block, out),
            Self::Slices(slices, range) => {
                slices.range_into(
                    Some(range.low),
                    Some(range.high),
                    block,
                    &mut pool.slices,
                    out,
                );
            }
            Self::Union(of) => {
                out.clear();
                for bound in of {
                    bound.or_into(block, out, pool);
                }
            }
            Self::Intersect(keep, drop) => {
                out.clear();
                fill_intersection(keep, drop, block, out, pool);
            }
            Self::Threshold(_, counter, of) => {
                let mut scratch = pool.take();
                for bound in of.iter_mut().filter(|bound| bound.at_most(block) > 0) {
                    bound.fill(block, &mut scratch, pool);
                    counter.add(&scratch);
                }
                pool.give_back(scratch);
                counter.finish(out);
            }
        }
    }

    /// How many users of a block there are.
    pub(super) fn count(&mut self, block: u32, pool: &mut BlockPool) -> u32 {
        if self.at_most(block) == 0 {
            return 0;
        }
        let mut out = pool.take();
        let count = match self {
            Self::Nothing => 0,
            Self::Row(fragment) => fragment.block_cardinality(block),
            Self::Intersect(keep, drop) => count_intersection(keep, drop, block, &mut out, pool),
            Self::Slices(..) | Self::Union(_) | Self::Threshold(..) => {
                self.fill(block, &mut out, pool);
                out.count()
            }
        };
        pool.give_back(out);
        count
    }

    fn or_into(&mut self, block: u32, out: &mut Block, pool: &mut BlockPool) {
        match self {
            Self::Nothing => {}
            Self::Row(fragment) => fragment.or_into(block, out),
            Self::Union(of) => of
                .iter_mut()
                .for_each(|bound| bound.or_into(block, out, pool)),
            Self::Slices(..) | Self::Intersect(..) | Self::Threshold(..) => {
                self.with_filled(block, pool, |filled| out.or(filled));
            }
        }
    }

    fn and_into(&mut self, block: u32, out: &mut Block, pool: &mut BlockPool) {
        match self {
            Self::Nothing => out.clear(),
            Self::Row(fragment) => fragment.and_into(block, out),
            Self::Slices(..) | Self::Union(_) | Self::Intersect(..) | Self::Threshold(..) => {
                if self.at_most(block) == 0 {
                    out.clear();
                    return;
                }
                let mut filled = pool.take();
                self.fill(block, &mut filled, pool);
                out.and(&filled);
                pool.give_back(filled);
            }
        }
    }

    fn and_not_into(&mut self, block: u32, out: &mut Block, pool: &mut BlockPool) {
        match self {
            Self::Nothing => {}
            Self::Row(fragment) => fragment.and_not_into(block, out),
            Self::Union(of) => of
                .iter_mut()
                .for_each(|bound| bound.and_not_into(block, out, pool)),
            Self::Slices(..) | Self::Intersect(..) | Self::Threshold(..) => {
                self.with_filled(block, pool, |filled| out.and_not(filled));
            }
        }
    }

    /// Hands over the users of a block, unless there is certainly none.
    fn with_filled(&mut self, block: u32, pool: &mut BlockPool, combine: impl FnOnce(&Block)) {
        if self.at_most(block) == 0 {
            return;
        }
        let mut filled = pool.take();
        self.fill(block, &mut filled, pool);
        combine(&filled);
        pool.give_back(filled);
    }

    /// Users found in the whole shard, where the stored cardinalities tell.
    pub(super) fn cardinality(&self) -> Option<u64> {
        match self {
            Self::Nothing => Some(0),
            Self::Row(fragment) => Some(fragment.cardinality()),
            Self::Slices(..) | Self::Union(_) | Self::Intersect(..) | Self::Threshold(..) => None,
        }
    }
}

fn without_nothing(of: Vec<Bound>) -> Vec<Bound> {
    of.into_iter()
        .filter(|bound| !matches!(bound, Bound::Nothing))
        .collect()
}

fn sum_at_most(of: &[Bound], block: u32) -> u64 {
    of.iter().map(|bound| u64::from(bound.at_most(block))).sum()
}

/// Stops as soon as nobody is left.
fn fill_intersection(
    keep: &mut [Bound],
    drop: &mut [Bound],
    block: u32,
    out: &mut Block,
    pool: &mut BlockPool,
) {
    if keep.iter().any(|bound| bound.at_most(block) == 0) {
        return;
    }
    let Some((first, rest)) = keep.split_first_mut() else {
        return;
    };
    first.fill(block, out, pool);
    for bound in rest {
        if out.is_empty() {
            return;
        }
        bound.and_into(block, out, pool);
    }
    for bound in drop {
        if out.is_empty() {
            return;
        }
        bound.and_not_into(block, out, pool);
    }
}

/// The last operand is only counted where it is a row, and not combined.
fn count_intersection(
    keep: &mut [Bound],
    drop: &mut [Bound],
    block: u32,
    out: &mut Block,
    pool: &mut BlockPool,
) -> u32 {
    out.clear();
    match (keep, drop) {
        ([start @ .., Bound::Row(last)], []) if !start.is_empty() => {
            fill_intersection(start, &mut [], block, out, pool);
            last.count_and(block, out)
        }
        (keep, [start @ .., Bound::Row(last)]) => {
            fill_intersection(keep, start, block, out, pool);
            out.count() - last.count_and(block, out)
        }
        (keep, drop) => {
            fill_intersection(keep, drop, block, out, pool);
            out.count()
        }
    }
}

/// Named users of one shard, as far as they live.
fn ids_of_shard(
    lists: &IdLists,
    dataset: &dyn Dataset,
    partition: PartitionId,
    shard: ShardId,
) -> Result<Fragment, StorageError> {
    let users = lists.partition(partition);
    let start = users.partition_point(|user| user.shard() < shard);
    let end = users.partition_point(|user| user.shard() <= shard);
    let (Some(named), true) = (users.get(start..end), start < end) else {
        return Ok(Fragment::empty());
    };
    let living = dataset.fragment(partition, shard, RowId::Users)?;
    let offsets = named
        .iter()
        .map(|user| user.offset())
        .filter(|offset| living.contains(*offset));
    Fragment::from_sorted(offsets).map_err(|error| StorageError::Damaged {
        family: "texts",
        key: String::new(),
        reason: error.to_string(),
    })
}
