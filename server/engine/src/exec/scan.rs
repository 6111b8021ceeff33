//! Going through the users that a plan finds: shard by shard, and block by block inside.
//!
//! Knows partitions, shards and threads; the order of results never depends on threads. Does
//! not know what is done with the users.

use super::{
    behaviour::{Answers, Source},
    block_pool::BlockPool,
    bound::Bound,
    dataset::Dataset,
    scheduler::{Scheduler, Turn},
};
use crate::{
    bitmap::Block,
    budget::Budget,
    error::Error,
    ids::{BlockId, PartitionId, SHARD_BLOCKS, ShardId},
    plan::physical::Plan,
};

/// A unit of parallel work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unit {
    /// The partition.
    pub(crate) partition: PartitionId,
    /// The shard in it.
    pub(crate) shard: ShardId,
}

/// Every shard of every partition, in order.
pub(crate) fn units(dataset: &dyn Dataset) -> Result<Vec<Unit>, Error> {
    let mut units = Vec::new();
    for partition in (0..dataset.partition_count()).map(PartitionId) {
        let shards = dataset.shard_count(partition)?;
        units.extend((0..shards).map(|shard| Unit {
            partition,
            shard: ShardId(shard),
        }));
    }
    Ok(units)
}

/// What every phase of a query works with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The state that is queried.
    pub(crate) dataset: &'a dyn Dataset,
    /// The threads; without any, everything is done by the caller's.
    pub(crate) scheduler: Option<&'a Scheduler>,
    /// The turn in which this is done, where there is one.
    pub(crate) turn: Option<&'a Turn<'a>>,
    /// When to stop.
    pub(crate) budget: &'a Budget,
    /// How much it may take.
    pub(crate) limits: &'a super::limits::QueryLimits,
    /// What others found out about how users are ranked in this state.
    pub(crate) orders: Option<super::ranks::OrdersOf<'a>>,
}

impl Context<'_> {
    /// To be called between blocks: ends what should end, and lets others have their turn.
    ///
    /// # Errors
    /// [`Error::Cancelled`] or [`Error::DeadlineExceeded`].
    pub(crate) fn checkpoint(&self) -> Result<(), Error> {
        if let Some(turn) = self.turn {
            turn.pass_if_due();
        }
        self.budget.check()
    }

    /// Works on all shards in parallel; the results are in the shards' order.
    pub(crate) fn map_shards<T: Send>(
        &self,
        plan: &Plan,
        work: impl Fn(ShardScan<'_>) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let done = self.fold_units(plan, Vec::new, |mut done, number, shard| {
            done.push((number, work(shard)?));
            Ok(done)
        })?;
        let mut results: Vec<(usize, T)> = done.into_iter().flatten().collect();
        results.sort_unstable_by_key(|(number, _)| *number);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Works on all shards in parallel and merges what comes out. `merge` must not depend on
    /// the order.
    pub(crate) fn fold_shards<T: Send>(
        &self,
        plan: &Plan,
        start: impl Fn() -> T + Sync,
        work: impl Fn(T, ShardScan<'_>) -> Result<T, Error> + Sync,
        merge: impl Fn(T, T) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let states = self.fold_units(plan, &start, |state, _, shard| work(state, shard))?;
        match states
            .into_iter()
            .map(Ok)
            .reduce(|left, right| merge(left?, right?))
        {
            Some(merged) => merged,
            None => Ok(start()),
        }
    }

    /// Folds the shards into as many states as threads took part.
    fn fold_units<S: Send>(
        &self,
        plan: &Plan,
        start: impl Fn() -> S + Sync,
        work: impl Fn(S, usize, ShardScan<'_>) -> Result<S, Error> + Sync,
    ) -> Result<Vec<S>, Error> {
        let units = units(self.dataset)?;
        self.fold_numbers(units.len(), start, |state, context, number| {
            let shard = ShardScan::open(context, plan, units[number])?;
            work(state, number, shard)
        })
    }

    /// Works on all partitions in parallel, into as many states as threads took part.
    pub(crate) fn fold_partitions<S: Send>(
        &self,
        start: impl Fn() -> S + Sync,
        work: impl Fn(S, Context<'_>, PartitionId) -> Result<S, Error> + Sync,
    ) -> Result<Vec<S>, Error> {
        let count = usize::from(self.dataset.partition_count());
        self.fold_numbers(count, start, |state, context, number| {
            // There are at most 2^16 of them.
            work(state, context, PartitionId(number as u16))
        })
    }

    /// Folds the numbers from 0 to `count` less one.
    fn fold_numbers<S: Send>(
        &self,
        count: usize,
        start: impl Fn() -> S + Sync,
        work: impl Fn(S, Context<'_>, usize) -> Result<S, Error> + Sync,
    ) -> Result<Vec<S>, Error> {
        let one = |state: S, turn: Option<&Turn<'_>>, number: usize| {
            work(state, Context { turn, ..*self }, number)
        };
        match self.scheduler {
            Some(scheduler) => scheduler.fold(count, start, |state, turn, number| {
                one(state, Some(turn), number)
            }),
            None => {
                Ok(vec![(0..count).try_fold(start(), |state, number| {
                    one(state, None, number)
                })?])
            }
        }
    }
}

/// A shard with what a plan reads in it and room to work in, while nobody works on it.
pub(crate) struct LoadedShard {
    /// Which shard.
    pub(crate) unit: Unit,
    bound: Bound,
    pool: BlockPool,
}

impl LoadedShard {
    /// Goes on with it.
    pub(crate) fn scan(self, context: Context<'_>) -> ShardScan<'_> {
        let Self { unit, bound, pool } = self;
        ShardScan {
            unit,
            context,
            bound,
            pool,
        }
    }
}

/// The users that a plan finds in one shard.
pub(crate) struct ShardScan<'a> {
    /// Which shard.
    pub(crate) unit: Unit,
    context: Context<'a>,
    bound: Bound,
    pool: BlockPool,
}

impl<'a> ShardScan<'a> {
    /// Loads what the plan reads in a shard.
    pub(crate) fn open(context: Context<'a>, plan: &Plan, unit: Unit) -> Result<Self, Error> {
        context.budget.check()?;
        let answers = Answers::default();
        let source = Source {
            context,
            unit,
            answers: &answers,
        };
        let bound = Bound::load(plan, source)?;
        Ok(Self {
            unit,
            context,
            bound,
            pool: BlockPool::default(),
        })
    }

    /// Keeps what is loaded, to go on later.
    pub(crate) fn pause(self) -> LoadedShard {
        let Self {
            unit, bound, pool, ..
        } = self;
        LoadedShard { unit, bound, pool }
    }

    /// What it works with.
    pub(crate) fn context(&self) -> Context<'a> {
        self.context
    }

    /// See [`Context::checkpoint`].
    ///
    /// # Errors
    /// [`Error::Cancelled`] or [`Error::DeadlineExceeded`].
    pub(crate) fn checkpoint(&self) -> Result<(), Error> {
        self.context.checkpoint()
    }

    /// How many users there are.
    pub(crate) fn count(&mut self) -> Result<u64, Error> {
        if let Some(count) = self.bound.cardinality() {
            return Ok(count);
        }
        let mut count = 0;
        for block in 0..SHARD_BLOCKS {
            self.context.checkpoint()?;
            count += u64::from(self.bound.count(block, &mut self.pool));
        }
        Ok(count)
    }

    /// Makes `users` those of one block of the shard; says how many. Where there are none, its
    /// contents are undefined.
    pub(crate) fn find_block(&mut self, index: u32, users: &mut Block) -> Result<u32, Error> {
        self.context.checkpoint()?;
        Ok(match self.bound.at_most(index) {
            0 => 0,
            _ => self.bound.fill(index, users, &mut self.pool),
        })
    }

    /// Visits the blocks with users, from block `first` of the shard on.
    pub(crate) fn for_each_block<E: From<Error>>(
        &mut self,
        first: u32,
        mut visit: impl FnMut(FoundBlock<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut users = self.pool.take();
        for index in first..SHARD_BLOCKS {
            if self.find_block(index, &mut users)? == 0 {
                continue;
            }
            visit(FoundBlock {
                index,
                id: self.unit.shard.block(index),
                users: &users,
            })?;
        }
        self.pool.give_back(users);
        Ok(())
    }
}

/// Users found in one block; at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoundBlock<'a> {
    /// The block's index in its shard.
    pub(crate) index: u32,
    /// The block in its partition.
    pub(crate) id: BlockId,
    /// The users.
    pub(crate) users: &'a Block,
}
