//! A plan bound to one shard: its fragments are loaded, and blocks can be evaluated.
//!
//! Knows in which order operators are combined, block by block, without allocating: rows first,
//! all at once where they lie; then what has to be computed, only for the users still left, and
//! one by one where these are few. Skips what cardinalities show to be empty or full, and what
//! they alone can answer. Does not know shards other than its own, nor how bits are stored.

use std::sync::Arc;

use super::{
    behaviour::{Answer, Computed, Source},
    block_pool::BlockPool,
    dataset::Dataset,
    look,
    number_range::NumberRange,
    scan::Unit,
};
use crate::{
    bitmap::{
        Block, Demands, Found, Fragment, count_at_least, count_union, fill_at_least, fill_from,
        list_places, retain_in, retain_outside, unite,
    },
    column::Keep,
    error::Error,
    ids::{BLOCK_BITS, BLOCK_USERS, PartitionId, RowId, ShardId},
    plan::physical::{IdLists, Operation, Plan},
    storage::StorageError,
};

/// With so many users left or fewer, an operator is asked about each instead of computed for
/// the whole block.
const ASKED_USERS_MAX: u32 = 64;

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
    Computed(Box<Computed>),
    /// Who is in one of them.
    Union(Operands),
    /// Who is in all of the first and in none of the second.
    Intersect(Box<Intersection>),
    /// Who is in so many of them at least.
    Threshold(u32, Operands),
}

/// Inputs of an operator: rows, which are combined in place, and what has to be computed.
#[derive(Debug, Default)]
pub(super) struct Operands {
    rows: Vec<Arc<Fragment>>,
    others: Vec<Bound>,
}

/// Who is in all of some and in none of others.
#[derive(Debug)]
pub(super) struct Intersection {
    keep: Operands,
    drop: Operands,
    /// Every user, when that is all there is to keep. All rows are within it.
    everyone: Option<Arc<Fragment>>,
}

/// What is left of those found when an operator has been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Who is in it.
    Inside,
    /// Who is not.
    Outside,
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
        let computed = computed.map(|computed| Self::Computed(Box::new(computed)));
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

    /// Leaves of those found only who is, or is not, found by this operator as well.
    fn restrict(
        &self,
        found: Found,
        left: Left,
        block: u32,
        out: &mut Block,
        pool: &mut BlockPool,
    ) -> Found {
        if let Self::Numbers(numbers) = self
            && numbers.is_listed(block)
        {
            if let Found::Filled(count) = found {
                list_places(out, count, &mut pool.room.list);
            }
            let keep = match left {
                Left::Inside => Keep::Inside,
                Left::Outside => Keep::Outside,
            };
            numbers.retain(block, keep, &mut pool.room.list);
            return Found::Listed;
        }
        if let Found::Filled(count) = found
            && count > ASKED_USERS_MAX
        {
            let mut filled = pool.take();
            self.fill(block, &mut filled, pool);
            let count = match left {
                Left::Inside => out.and_counted(&filled),
                Left::Outside => out.and_not_counted(&filled),
            };
            pool.give_back(filled);
            return Found::Filled(count);
        }
        if let Found::Filled(count) = found {
            list_places(out, count, &mut pool.room.list);
        }
        let mut list = pool.take_list();
        if list.len() > ASKED_USERS_MAX as usize {
            let mut filled = pool.take();
            self.fill(block, &mut filled, pool);
            match left {
                Left::Inside => retain_in(&mut list, &filled),
                Left::Outside => retain_outside(&mut list, &filled),
            }
            pool.give_back(filled);
        } else {
            list.retain(|place| self.contains(block, *place) == (left == Left::Inside));
        }
        pool.put_list(list);
        Found::Listed
    }
}

fn holds(row: &Fragment, block: u32, place: u16) -> bool {
    row.contains(block << BLOCK_BITS | u32::from(place))
}

impl Operands {
    fn load(plans: &[Plan], source: Source<'_>) -> Result<Self, Error> {
        let mut operands = Self::default();
        let mut rows = Vec::with_capacity(plans.len());
        for plan in plans {
            match plan.operation {
                Operation::Row(row) => rows.push(row),
                Operation::Nothing
                | Operation::Slices(..)
                | Operation::Ids(_)
                | Operation::Behaviour(_)
                | Operation::Look { .. }
                | Operation::Union(_)
                | Operation::Intersect { .. }
                | Operation::Threshold { .. } => {
                    operands.push(Bound::load(plan, source)?);
                }
            }
        }
        let Unit { partition, shard } = source.unit;
        let rows = source.context.dataset.fragments(partition, shard, &rows)?;
        operands
            .rows
            .extend(rows.into_iter().filter(|row| !row.is_empty()));
        Ok(operands)
    }

    /// Loads operands that only matter for at most `left` users a block.
    fn load_within(
        plans: &[Plan],
        source: Source<'_>,
        left: impl Fn(u32) -> u32,
    ) -> Result<Self, Error> {
        let mut operands = Self::default();
        for plan in plans {
            let bound = Bound::load_within(plan, source, &left)?;
            operands.push(bound);
        }
        Ok(operands)
    }

    /// Loads operands one by one, least first; none when one of them is empty. Ranges come last:
    /// how they are best answered depends on the others.
    fn load_kept(plans: &[Plan], source: Source<'_>) -> Result<Option<Self>, Error> {
        let mut operands = Self::default();
        let is_range = |plan: &&Plan| matches!(plan.operation, Operation::Slices(..));
        let others = plans.iter().filter(|plan| !is_range(plan));
        for plan in others.chain(plans.iter().filter(is_range)) {
            let left = |block: u32| operands.in_all_at_most(block);
            match Bound::load_within(plan, source, left)? {
                Bound::Nothing => return Ok(None),
                bound @ (Bound::Row(_)
                | Bound::Numbers(_)
                | Bound::Computed(_)
                | Bound::Union(_)
                | Bound::Intersect(_)
                | Bound::Threshold(..)) => operands.push(bound),
            }
        }
        Ok((operands.len() > 0).then_some(operands))
    }

    fn push(&mut self, bound: Bound) {
        match bound {
            Bound::Nothing => {}
            Bound::Row(fragment) => self.rows.push(fragment),
            bound @ (Bound::Numbers(_)
            | Bound::Computed(_)
            | Bound::Union(_)
            | Bound::Intersect(..)
            | Bound::Threshold(..)) => self.others.push(bound),
        }
    }

    fn len(&self) -> usize {
        self.rows.len() + self.others.len()
    }

    /// Their union; a single one is itself.
    fn into_union(mut self) -> Bound {
        match (self.rows.len(), self.others.len()) {
            (0, 0) => Bound::Nothing,
            (1, 0) => self.rows.pop().map_or(Bound::Nothing, Bound::Row),
            (0, 1) => self.others.pop().unwrap_or(Bound::Nothing),
            (_, _) => Bound::Union(self),
        }
    }

    /// How many users of a block can be in all of them at most.
    fn in_all_at_most(&self, block: u32) -> u32 {
        let rows = self.rows.iter().map(|row| row.block_cardinality(block));
        let others = self.others.iter().map(|other| other.at_most(block));
        rows.chain(others).min().unwrap_or(BLOCK_USERS)
    }

    /// Whether one of them is answered place by place in a block.
    fn are_listed(&self, block: u32) -> bool {
        self.others.iter().any(|other| match other {
            Bound::Numbers(numbers) => numbers.is_listed(block),
            Bound::Nothing
            | Bound::Row(_)
            | Bound::Computed(_)
            | Bound::Union(_)
            | Bound::Intersect(_)
            | Bound::Threshold(..) => false,
        })
    }

    fn sum_at_most(&self, block: u32) -> u64 {
        let rows = self.rows.iter().map(|row| row.block_cardinality(block));
        let others = self.others.iter().map(|other| other.at_most(block));
        rows.chain(others).map(u64::from).sum()
    }

    /// One item for each operand that finds a user of a block.
    fn holding(&self, block: u32, place: u16) -> impl Iterator<Item = ()> {
        let rows = self.rows.iter().map(move |row| holds(row, block, place));
        let others = self
            .others
            .iter()
            .map(move |other| other.contains(block, place));
        rows.chain(others).filter(|holds| *holds).map(|_| ())
    }

    /// `out` becomes who is in one of them.
    fn fill_union(&self, block: u32, out: &mut Block, pool: &mut BlockPool) {
        let mut others = self.others.iter().filter(|other| other.at_most(block) > 0);
        match (self.rows.is_empty(), others.next()) {
            (true, Some(first)) => {
                first.fill(block, out, pool);
            }
            (_, first) => {
                unite(&self.rows, block, out);
                if let Some(first) = first {
                    first.add_to(block, out, pool);
                }
            }
        }
        others.for_each(|other| other.add_to(block, out, pool));
    }

    /// How many are in one of them.
    fn count_union(&self, block: u32, pool: &mut BlockPool) -> u32 {
        let mut out = pool.take();
        let count = if self.others.is_empty() {
            count_union(&self.rows, block, &mut out)
        } else {
            self.fill_union(block, &mut out, pool);
            out.count()
        };
        pool.give_back(out);
        count
    }

    /// A block for each of those that have to be computed and may find somebody.
    fn fill_others(&self, block: u32, pool: &mut BlockPool) -> Vec<Block> {
        let mut blocks = pool.take_stack();
        for other in self.others.iter().filter(|other| other.at_most(block) > 0) {
            let mut filled = pool.take();
            other.fill(block, &mut filled, pool);
            blocks.push(filled);
        }
        blocks
    }
}

impl Bound {
    /// `out` gains the users of a block.
    fn add_to(&self, block: u32, out: &mut Block, pool: &mut BlockPool) {
        let mut filled = pool.take();
        self.fill(block, &mut filled, pool);
        out.or(&filled);
        pool.give_back(filled);
    }
}

impl Intersection {
    fn demands(&self) -> Demands<'_> {
        Demands {
            keep: &self.keep.rows,
            drop: &self.drop.rows,
        }
    }

    fn at_most(&self, block: u32) -> u32 {
        let others = self.keep.others.iter().map(|other| other.at_most(block));
        let others = others.min().unwrap_or(BLOCK_USERS);
        self.demands().at_most(block).min(others)
    }

    /// Every user but those dropped are counted by counting the dropped.
    fn count(&self, block: u32, pool: &mut BlockPool) -> u32 {
        if let Some(everyone) = &self.everyone {
            let dropped = self.drop.count_union(block, pool);
            return everyone.block_cardinality(block).saturating_sub(dropped);
        }
        let mut out = pool.take();
        let count = if self.keep.others.is_empty() && self.drop.others.is_empty() {
            self.demands().count(block, &mut out, &mut pool.room)
        } else {
            match self.find(block, &mut out, pool) {
                Found::Listed => pool.room.list.len() as u32,
                Found::Filled(count) => count,
            }
        };
        pool.give_back(out);
        count
    }

    fn cardinality(&self) -> Option<u64> {
        let everyone = self.everyone.as_ref()?;
        match (self.drop.rows.as_slice(), self.drop.others.as_slice()) {
            ([only], []) => Some(everyone.cardinality().saturating_sub(only.cardinality())),
            _ => None,
        }
    }

    /// Finds the users of a block: rows first, then what has to be computed, until nobody is
    /// left.
    fn find(&self, block: u32, out: &mut Block, pool: &mut BlockPool) -> Found {
        if self.at_most(block) == 0 {
            pool.room.list.clear();
            return Found::Listed;
        }
        let kept = self.keep.others.iter().map(|other| (other, Left::Inside));
        let dropped = self.drop.others.iter().map(|other| (other, Left::Outside));
        let mut others = kept.chain(dropped);
        let has_rows = !self.keep.rows.is_empty() || !self.drop.rows.is_empty();
        let mut found = match (has_rows, self.keep.others.is_empty()) {
            (false, false) => match others.next() {
                Some((first, _)) => Found::Filled(first.fill(block, out, pool)),
                None => Found::Filled(0),
            },
            (true, _) | (false, true) => {
                let room = &mut pool.room;
                if self.keep.are_listed(block) || self.drop.are_listed(block) {
                    self.demands().list_or_find(block, out, room)
                } else {
                    self.demands().find(block, out, room)
                }
            }
        };
        for (other, left) in others {
            let is_nobody = match found {
                Found::Listed => pool.room.list.is_empty(),
                Found::Filled(count) => count == 0,
            };
            if is_nobody {
                break;
            }
            if left == Left::Inside || other.at_most(block) > 0 {
                found = other.restrict(found, left, block, out, pool);
            }
        }
        found
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
