//! Users in the order of a text: along the index of texts, which has all of them in order.
//!
//! Each partition's index is walked from its beginning, its end, or where the page before ended.
//! Who is in the segment is kept, until nobody further on can be on the page; blocks of the
//! segment are found when the first of their users comes by. Users without the text come last
//! and are in no index: they are found when the texts do not fill the page. Where walking would
//! pass over more users than reading everybody's record costs, there is no walk; and where it
//! does although it was not thought to, because whom the segment has come late, it is given up.

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

use foldhash::fast::RandomState;
use tessera_query_lang::ast::Direction;

use super::{
    PreparedSegment,
    candidate::{Chosen, SortValue},
    order::{Sorter, Top},
};
use crate::{
    bitmap::Block,
    error::Error,
    exec::scan::{Context, ShardScan, Unit, units},
    ids::{AttributeId, BLOCK_BITS, BlockId, PartitionId, RowId, ShardId, UserId},
    plan::{physical::Plan, query::OrderField},
    storage::{Heading, TextsFrom},
};

/// What reading a record costs, in steps along the index.
const STEPS_A_RECORD: u64 = 8;
/// A walk is given up when it has cost so many times what everybody's record is thought to cost.
const COST_MAX: u64 = 2;
/// Steps between two looks at whether the query, or the walk, should end.
const STEPS_A_CHECK: u64 = 256;
/// Users who are taken together, at least where so many are wanted, and at most.
const TAKEN_USERS_MIN: usize = 16;
const TAKEN_USERS_MAX: usize = 256;
/// Blocks of the segment that a thread remembers, 32 MiB of them.
const BLOCKS_HELD_MAX: usize = 4096;

/// How many users there are to choose from.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    users: u64,
    /// Who have the text.
    holders: u64,
    /// Who are in the segment, about.
    found: u64,
    partitions: u64,
}

impl Sizes {
    /// Steps that cost as much as everybody's record.
    fn records(&self) -> u64 {
        self.found.saturating_mul(STEPS_A_RECORD)
    }

    /// Whether a walk until so many are found costs less than everybody's record.
    fn favour_walk(&self, wanted: u64) -> bool {
        // In every partition as many as are wanted of all.
        let found = u128::from(self.found.max(1));
        let wanted = u128::from(wanted) * u128::from(self.partitions);
        let steps = (wanted * u128::from(self.users) / found).min(self.holders.into());
        steps <= self.records().max(STEPS_A_RECORD).into()
    }
}

/// A walk along the index of one attribute's texts.
pub(super) struct TextWalk<'a> {
    segment: &'a PreparedSegment,
    context: Context<'a>,
    attribute: AttributeId,
    direction: Direction,
    /// Steps of all threads so far, a few at a time, and after how many the walk is given up.
    steps: AtomicU64,
    steps_max: u64,
}

impl<'a> TextWalk<'a> {
    /// A walk for a page, where the first field is a text and a walk costs less.
    pub(super) fn choose(
        segment: &'a PreparedSegment,
        context: Context<'a>,
        limit: Option<u64>,
    ) -> Result<Option<Self>, Error> {
        let (Some((OrderField::Text(attribute), direction)), Some(limit)) =
            (segment.order.first().copied(), limit)
        else {
            return Ok(None);
        };
        let sizes = sizes(segment, context, attribute)?;
        let walk = Self {
            segment,
            context,
            attribute,
            direction,
            steps: AtomicU64::new(0),
            steps_max: sizes.records().saturating_mul(COST_MAX).max(STEPS_A_CHECK),
        };
        Ok(sizes.favour_walk(limit.saturating_add(1)).then_some(walk))
    }

    /// The first users of the page, and perhaps some more; nothing when the walk was given up.
    pub(super) fn collect<'m>(
        &self,
        sorter: &Sorter<'_>,
        start: impl Fn() -> Top<'m> + Sync,
    ) -> Result<Option<Top<'m>>, Error> {
        let mut top = start();
        let has_texts = sorter.after.is_none_or(|after| after.text().is_some());
        if has_texts {
            let walked = self
                .context
                .fold_partitions(&start, |top, context, partition| {
                    self.walk(sorter, top, context, partition)
                })?;
            if self.is_too_long() {
                return Ok(None);
            }
            for further in walked {
                top = sorter.merge(top, further)?;
            }
        }
        if top.is_full() {
            return Ok(Some(top));
        }
        let missing = self.context.fold_shards(
            &self.segment.plan,
            start,
            |top, shard| sorter.collect_missing(top, shard, self.attribute),
            |left, right| sorter.merge(left, right),
        )?;
        sorter.merge(top, missing).map(Some)
    }

    /// Whether it is given up.
    fn is_too_long(&self) -> bool {
        // Nothing else depends on the order in which threads see it.
        self.steps.load(Ordering::Relaxed) > self.steps_max
    }

    fn walk<'m>(
        &self,
        sorter: &Sorter<'_>,
        top: Top<'m>,
        context: Context<'_>,
        partition: PartitionId,
    ) -> Result<Top<'m>, Error> {
        let mut taking = Taking {
            walk: self,
            sorter,
            partition,
            taken_max: top.keep.clamp(TAKEN_USERS_MIN, TAKEN_USERS_MAX),
            top,
            members: Members::new(context, &self.segment.plan, partition),
            taken: Vec::new(),
            steps: 0,
        };
        let from = TextsFrom {
            attribute: self.attribute,
            heading: match self.direction {
                Direction::Ascending => Heading::Rising,
                Direction::Descending => Heading::Falling,
            },
            text: sorter.after.and_then(|after| after.text()),
        };
        let mut failed = None;
        context
            .dataset
            .walk_texts(partition, from, &mut |text, user| {
                taking.step(text, user).unwrap_or_else(|error| {
                    failed = Some(error);
                    ControlFlow::Break(())
                })
            })?;
        match failed {
            Some(error) => Err(error),
            None => taking.finish(),
        }
    }
}

/// How many users there are, and how many of them a page may be chosen from.
fn sizes(
    segment: &PreparedSegment,
    context: Context<'_>,
    attribute: AttributeId,
) -> Result<Sizes, Error> {
    let mut sizes = Sizes {
        users: 0,
        holders: 0,
        found: segment.plan.estimate,
        partitions: context.dataset.partition_count().into(),
    };
    for Unit { partition, shard } in units(context.dataset)? {
        let size = |row| {
            let row = context.dataset.fragment(partition, shard, row);
            row.map(|row| row.cardinality())
        };
        sizes.users += size(RowId::Users)?;
        sizes.holders += size(RowId::Present(attribute))?;
    }
    if let Some(sample) = segment.sample {
        // The threshold is a share of 2^64, so the product fits.
        sizes.found = (u128::from(sizes.found).saturating_mul(sample.threshold) >> 64) as u64;
    }
    Ok(sizes)
}

/// One partition's index under way.
struct Taking<'a, 'm> {
    walk: &'a TextWalk<'a>,
    sorter: &'a Sorter<'a>,
    partition: PartitionId,
    top: Top<'m>,
    members: Members<'a>,
    /// Members who are not taken yet.
    taken: Vec<Chosen>,
    taken_max: usize,
    steps: u64,
}

impl<'m> Taking<'_, 'm> {
    fn step(&mut self, text: &str, user: UserId) -> Result<ControlFlow<()>, Error> {
        self.steps += 1;
        if self.steps == STEPS_A_CHECK {
            self.members.context.checkpoint()?;
            self.walk.steps.fetch_add(self.steps, Ordering::Relaxed);
            self.steps = 0;
        }
        if self.walk.is_too_long() || self.is_beyond(text) {
            return Ok(ControlFlow::Break(()));
        }
        if self.members.has(user)? {
            self.taken.push(Chosen {
                user,
                first: Some(SortValue::Text(text.to_owned())),
            });
            if self.taken.len() >= self.taken_max {
                self.take()?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether everybody with a text comes after the last one to keep.
    fn is_beyond(&self, text: &str) -> bool {
        let last = self.top.last.as_ref().and_then(|last| last.text());
        last.is_some_and(|last| match self.walk.direction {
            Direction::Ascending => text > last,
            Direction::Descending => text < last,
        })
    }

    fn take(&mut self) -> Result<(), Error> {
        let taken = std::mem::take(&mut self.taken);
        self.sorter.piece(&mut self.top, self.partition, taken)
    }

    fn finish(mut self) -> Result<Top<'m>, Error> {
        self.take()?;
        Ok(self.top)
    }
}

/// Who of a partition is in the segment, found a block at a time.
struct Members<'a> {
    context: Context<'a>,
    plan: &'a Plan,
    partition: PartitionId,
    shards: HashMap<ShardId, ShardScan<'a>, RandomState>,
    /// Nothing where a block has nobody.
    blocks: HashMap<BlockId, Option<Block>, RandomState>,
}

impl<'a> Members<'a> {
    fn new(context: Context<'a>, plan: &'a Plan, partition: PartitionId) -> Self {
        Self {
            context,
            plan,
            partition,
            shards: HashMap::default(),
            blocks: HashMap::default(),
        }
    }

    fn has(&mut self, user: UserId) -> Result<bool, Error> {
        let id = user.block();
        if let Some(known) = self.blocks.get(&id) {
            return Ok(is_in(known.as_ref(), user));
        }
        let found = self.find(user.shard(), user.offset() >> BLOCK_BITS)?;
        let is_in = is_in(found.as_ref(), user);
        if self.blocks.len() >= BLOCKS_HELD_MAX {
            self.blocks.clear();
        }
        self.blocks.insert(id, found);
        Ok(is_in)
    }

    fn find(&mut self, shard: ShardId, index: u32) -> Result<Option<Block>, Error> {
        let partition = self.partition;
        let scan = match self.shards.entry(shard) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let unit = Unit { partition, shard };
                new.insert(ShardScan::open(self.context, self.plan, unit)?)
            }
        };
        let mut users = Block::new();
        let count = scan.find_block(index, &mut users)?;
        Ok((count > 0).then_some(users))
    }
}

fn is_in(block: Option<&Block>, user: UserId) -> bool {
    block.is_some_and(|block| block.contains(user.block_offset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_walked_where_many_are_found() {
        let check = |found: u64, holders: u64, wanted: u64, expected: bool| {
            let sizes = Sizes {
                users: 1_000_000,
                holders,
                found,
                partitions: 16,
            };
            assert_eq!(sizes.favour_walk(wanted), expected, "{sizes:?} {wanted}");
        };
        check(1_000_000, 1_000_000, 101, true);
        check(500_000, 1_000_000, 101, true);
        check(20_000, 1_000_000, 101, true);
        check(1_000, 1_000_000, 101, false);
        check(0, 1_000_000, 101, false);
        // As many records as are wanted, or hardly any text.
        check(200_000, 1_000_000, 200_000, true);
        check(1_000, 5_000, 101, true);
        check(u64::MAX, u64::MAX, u64::MAX, true);
    }
}
