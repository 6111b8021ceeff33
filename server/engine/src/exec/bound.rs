//! A plan bound to one shard: its fragments are loaded, and blocks can be evaluated.
//!
//! Knows in which order operators are combined, block by block, without allocating: rows first,
//! all at once where they lie; then what has to be computed, only for the users still left, and
//! one by one where these are few. Skips what cardinalities show to be empty or full, and what
//! they alone can answer. Does not know shards other than its own, nor how bits are stored.

mod intersection;
mod operands;

use std::sync::Arc;

use self::{intersection::Intersection, operands::Operands};
use super::{
    behaviour::{Answer, Computed, Source},
    block_pool::BlockPool,
    dataset::Dataset,
    look,
    number_range::NumberRange,
    scan::Unit,
};
use crate::{
    bitmap::{Block, Found, Fragment, count_at_least, fill_at_least, fill_from},
    error::Error,
    ids::{BLOCK_BITS, BLOCK_USERS, PartitionId, RowId, ShardId},
    plan::physical::{IdLists, Operation, Plan},
    storage::StorageError,
};

/// One operator with its data for one shard.
#[derive(Debug)]
pub(super) enum Bound {
    /// Finds nobody in this shard.
    Nothing,
    /// A stored row, or named users.
    Row(Arc<Fragment>),
    /// Whose number is in a range.
    Numbers(Box<NumberRange>),
    /// Users that were found already.
    Computed(Arc<Computed>),
    /// Who is in one of them.
    Union(Operands),
    /// Who is in all of the first and in none of the second.
    Intersect(Box<Intersection>),
    /// Who is in so many of them at least.
    Threshold(u32, Operands),
}

impl Bound {
    /// Loads what a plan reads in one shard. What is empty in the shard is left out.
    pub(super) fn load(plan: &Plan, source: Source<'_>) -> Result<Self, Error> {
        let load_all = |plans: &[Plan]| Operands::load(plans, source);
        let (dataset, Unit { partition, shard }) = (source.context.dataset, source.unit);
        Ok(match &plan.operation {
            Operation::Nothing => Self::Nothing,
            Operation::Row(row) => Self::row(dataset.fragment(partition, shard, *row)?),
            Operation::Slices(..) => Self::load_within(plan, source, |_| BLOCK_USERS)?,
            Operation::Ids(lists) => {
                Self::row(Arc::new(ids_of_shard(lists, dataset, partition, shard)?))
            }
            Operation::Found(users) => Computed::found(users, source.unit)
                .map_or(Self::Nothing, |found| Self::Computed(Arc::new(found))),
            Operation::Behaviour(behaviour) => Self::answer(source.answer(behaviour)?),
            Operation::Look { input, tests } => {
                let input = Self::load(input, source)?;
                Self::row(look::found(&input, tests, source)?)
            }
            Operation::Union(of) => load_all(of)?.into_union(),
            Operation::Intersect { keep, drop } => {
                let Some(kept) = Operands::load_kept(keep, source)? else {
                    return Ok(Self::Nothing);
                };
                let left = |block: u32| kept.in_all_at_most(block);
                let dropped = Operands::load_within(drop, source, left)?;
                let everyone = match keep.as_slice() {
                    [only] if only.operation == Operation::Row(RowId::Users) => {
                        kept.rows.first().cloned()
                    }
                    _ => None,
                };
                Self::intersection(kept, dropped, everyone)
            }
            Operation::Threshold { threshold, of } => {
                let of = load_all(of)?;
                if (of.len() as u64) < u64::from(*threshold) {
                    Self::Nothing
                } else {
                    Self::Threshold(*threshold, of)
                }
            }
        })
    }

    fn answer(Answer { rows, computed }: Answer) -> Self {
        let computed = computed.map(Self::Computed);
        Operands {
            rows,
            others: computed.into_iter().collect(),
        }
        .into_union()
    }

    fn row(fragment: Arc<Fragment>) -> Self {
        if fragment.is_empty() {
            Self::Nothing
        } else {
            Self::Row(fragment)
        }
    }

    fn intersection(keep: Operands, drop: Operands, everyone: Option<Arc<Fragment>>) -> Self {
        if drop.len() == 0 && keep.len() == 1 {
            return keep.into_union();
        }
        Self::Intersect(Box::new(Intersection {
            keep,
            drop,
            everyone,
        }))
    }

    /// Loads what a plan reads in one shard to find those of at most `left` users a block.
    fn load_within(
        plan: &Plan,
        source: Source<'_>,
        left: impl Fn(u32) -> u32,
    ) -> Result<Self, Error> {
        match plan.operation {
            Operation::Slices(number, range) => {
                let place = (source.unit.partition, source.unit.shard);
                let dataset = source.context.dataset;
                let numbers = NumberRange::load(dataset, place, (number, range), left)?;
                Ok(numbers.map_or(Self::Nothing, |numbers| Self::Numbers(Box::new(numbers))))
            }
            Operation::Nothing
            | Operation::Row(_)
            | Operation::Ids(_)
            | Operation::Found(_)
            | Operation::Behaviour(_)
            | Operation::Look { .. }
            | Operation::Union(_)
            | Operation::Intersect { .. }
            | Operation::Threshold { .. } => Self::load(plan, source),
        }
    }

    /// How many users of a block can be found at most; cheap.
    pub(super) fn at_most(&self, block: u32) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Row(fragment) => fragment.block_cardinality(block),
            Self::Numbers(numbers) => numbers.at_most(block),
            Self::Computed(computed) => computed.count(block),
            Self::Union(of) => of.sum_at_most(block).min(u64::from(BLOCK_USERS)) as u32,
            Self::Intersect(intersection) => intersection.at_most(block),
            Self::Threshold(threshold, of) => {
                let most = of.sum_at_most(block) / u64::from(*threshold).max(1);
                most.min(u64::from(BLOCK_USERS)) as u32
            }
        }
    }

    /// `out` becomes the users of a block; how many there are.
    pub(super) fn fill(&self, block: u32, out: &mut Block, pool: &mut BlockPool) -> u32 {
        match self {
            Self::Nothing => {
                out.clear();
                0
            }
            Self::Row(fragment) => {
                fragment.copy_into(block, out);
                fragment.block_cardinality(block)
            }
            Self::Numbers(numbers) => numbers.fill(block, out, pool),
            Self::Computed(computed) => match computed.block(block) {
                Some((users, count)) => {
                    out.copy_from(users);
                    *count
                }
                None => {
                    out.clear();
                    0
                }
            },
            Self::Union(of) => {
                of.fill_union(block, out, pool);
                out.count()
            }
            Self::Intersect(intersection) => match intersection.find(block, out, pool) {
                Found::Filled(count) => count,
                Found::Listed => {
                    fill_from(&pool.room.list, out);
                    pool.room.list.len() as u32
                }
            },
            Self::Threshold(threshold, of) => {
                let blocks = of.fill_others(block, pool);
                fill_at_least(*threshold, &of.rows, &blocks, block, out, &mut pool.room);
                pool.give_stack_back(blocks);
                out.count()
            }
        }
    }

    /// How many users of a block there are.
    pub(super) fn count(&self, block: u32, pool: &mut BlockPool) -> u32 {
        if self.at_most(block) == 0 {
            return 0;
        }
        match self {
            Self::Nothing => 0,
            Self::Row(fragment) => fragment.block_cardinality(block),
            Self::Computed(computed) => computed.count(block),
            Self::Union(of) => of.count_union(block, pool),
            Self::Intersect(intersection) => intersection.count(block, pool),
            Self::Numbers(_) => {
                let mut out = pool.take();
                let count = self.fill(block, &mut out, pool);
                pool.give_back(out);
                count
            }
            Self::Threshold(threshold, of) => {
                let blocks = of.fill_others(block, pool);
                let mut out = pool.take();
                let room = &mut pool.room;
                let count = count_at_least(*threshold, &of.rows, &blocks, block, &mut out, room);
                pool.give_back(out);
                pool.give_stack_back(blocks);
                count
            }
        }
    }

    /// Users found in the whole shard, where the stored cardinalities tell.
    pub(super) fn cardinality(&self) -> Option<u64> {
        match self {
            Self::Nothing => Some(0),
            Self::Row(fragment) => Some(fragment.cardinality()),
            Self::Computed(computed) => Some(computed.total()),
            Self::Intersect(intersection) => intersection.cardinality(),
            Self::Numbers(_) | Self::Union(_) | Self::Threshold(..) => None,
        }
    }

    /// Whether a user of a block is found.
    fn contains(&self, block: u32, place: u16) -> bool {
        match self {
            Self::Nothing => false,
            Self::Row(fragment) => holds(fragment, block, place),
            Self::Numbers(numbers) => numbers.contains(block, place),
            Self::Computed(computed) => {
                let users = computed.block(block);
                users.is_some_and(|(users, _)| users.contains(place))
            }
            Self::Union(of) => of.holding(block, place).next().is_some(),
            Self::Intersect(of) => {
                of.keep.holding(block, place).count() == of.keep.len()
                    && of.drop.holding(block, place).next().is_none()
            }
            Self::Threshold(threshold, of) => {
                let threshold = *threshold as usize;
                of.holding(block, place).take(threshold).count() == threshold
            }
        }
    }
}

fn holds(row: &Fragment, block: u32, place: u16) -> bool {
    row.contains(block << BLOCK_BITS | u32::from(place))
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
