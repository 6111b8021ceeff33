//! `DIMENSION` by tags, or by another set of rows, when only users are counted.
//!
//! Each candidate's row is intersected with the segment. Where only the `TOP` groups by count
//! are wanted, most candidates need not be counted to the end: in a first round over all shards
//! the largest rows are counted, and for the others it is summed up how many users they have at
//! most, block by block the lesser of the row's and the segment's users. Whoever cannot reach
//! the least count among the first groups is left out; the second round counts the others, and
//! gives them up when what is still to come cannot help them. Ties are never given up, so the
//! answer is exact.
//!
//! Source of the idea: Fagin, Lotem, Naor: "Optimal aggregation algorithms for middleware",
//! PODS 2001 (upper bounds against the least of the best lower bounds).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tessera_query_lang::ast::Direction;

use super::{Split, axis::MISSING, layout::GroupKey, split::BoundDim, table::Table};
use crate::{
    bitmap::{Block, Fragment, Sieve},
    error::Error,
    exec::{
        byte_meter::ByteMeter,
        dataset::Dataset,
        limits::QueryLimitError,
        scan::{Context, ShardScan, Unit, units},
    },
    ids::{BLOCK_BITS, BLOCK_USERS, RowId},
    plan::{
        physical::Plan,
        query::{DimensionQuery, GroupOrder, MeasureKind},
    },
};

/// Users of a block up to which they are looked up in a row one by one, where that is cheaper.
const LISTED_USERS_MAX: u32 = 128;
/// What looking up one user costs, in values of a row that are compared instead.
const LOOKUP_VALUES: u32 = 24;
/// Values in a container from which on it is words, and what comparing these costs in values.
const WORDS_VALUES: u32 = 4096;
const WORDS_COST: u32 = 400;
/// Rows that are loaded and counted together: a block of the segment then stays in the nearest
/// cache for as many.
const BATCH_ROWS: usize = 64;
/// So many rows ahead a row's bytes are asked for.
const FETCHED_AHEAD: usize = 2;
/// Candidates counted in the first round, for each group that is wanted, and beside these.
const LEADERS_A_GROUP: usize = 2;
const LEADERS_MORE: usize = 16;

/// What a statement asks of its only dim, a set of rows.
pub(super) struct RowCount<'a> {
    context: Context<'a>,
    /// From where the rows are read.
    dataset: &'a dyn Dataset,
    plan: &'a Plan,
    rows: &'a [RowId],
    /// How many groups are wanted, the greatest first, if not all.
    top: Option<usize>,
}

/// What is known of the groups, from all threads.
struct Tally {
    users: AtomicU64,
    counted: Vec<AtomicU64>,
    /// How many users a candidate may have among those not yet counted.
    open: Vec<AtomicU64>,
    missing: AtomicU64,
}

/// Which candidates are counted.
struct Round<'a> {
    /// Their numbers among the rows.
    candidates: &'a [u32],
    /// Give those up that cannot come to so many.
    needed: u64,
    rest: Rest,
}

/// What is done about users who are in no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// They are counted; the candidates are all the rows.
    Count,
    /// They are known already, or not wanted.
    Ignore,
}

/// The users of the segment in one block of a shard.
struct Piece {
    index: u32,
    users: Block,
    count: u32,
    /// Their offsets in the shard, where they are few.
    listed: Vec<u32>,
    sieve: Option<Sieve>,
}

impl<'a> RowCount<'a> {
    /// If this is what a statement asks.
    pub(super) fn new(
        (context, dataset): (Context<'a>, &'a dyn Dataset),
        plan: &'a Plan,
        query: &DimensionQuery,
        split: &'a Split,
    ) -> Option<Self> {
        let ([BoundDim::Rows(rows)], []) = (split.dims.as_slice(), split.wanted.as_slice()) else {
            return None;
        };
        let is_by_count = match query.order.first() {
            Some((GroupOrder::Measure(MeasureKind::Count | MeasureKind::Share), direction)) => {
                *direction == Direction::Descending
            }
            Some((GroupOrder::Dim(_) | GroupOrder::Measure(_), _)) | None => false,
        };
        // Groups that are left out cannot be refused for being too many.
        let fits = rows.len() < context.limits.groups_max;
        let top = query.top.and_then(|top| usize::try_from(top).ok());
        Some(Self {
            context,
            dataset,
            plan,
            rows,
            top: top.filter(|_| is_by_count && fits && query.having.is_none()),
        })
    }

    /// Counts; groups that certainly are not among the wanted ones may be left out.
    pub(super) fn run<'t>(&self, split: &Split, meter: &'t ByteMeter) -> Result<Table<'t>, Error> {
        let mut share = meter.share();
        share.set(self.rows.len() * 4 * size_of::<u64>());
        if share.is_exceeded() {
            let max = share.bytes_max();
            return Err(QueryLimitError::GroupBytes { max }.into());
        }
        let tally = Tally::new(self.rows.len());
        let ranked = self.rank()?;
        let leaders = self.top.map(|top| {
            top.saturating_mul(LEADERS_A_GROUP)
                .saturating_add(LEADERS_MORE)
        });
        match leaders.and_then(|leaders| ranked.split_at_checked(leaders)) {
            Some((leaders, others)) if !others.is_empty() => {
                self.count_top(&tally, &ranked, leaders, others)?;
            }
            Some(_) | None => self.count(
                &tally,
                &Round {
                    candidates: &ranked,
                    needed: 0,
                    rest: Rest::Count,
                },
            )?,
        }
        let mut table = Table::new(split, self.context.limits, meter);
        tally.fill(&mut table)?;
        Ok(table)
    }

    /// The candidates, those with the most users first, going by the first shard.
    fn rank(&self) -> Result<Vec<u32>, Error> {
        let all: Vec<u32> = (0..).take(self.rows.len()).collect();
        let Some(sampled) = units(self.context.dataset)?.into_iter().next() else {
            return Ok(all);
        };
        let mut sizes: Vec<(u64, u32)> = Vec::with_capacity(all.len());
        for numbers in all.chunks(BATCH_ROWS) {
            let rows = self.load(sampled, numbers)?;
            sizes.extend(
                rows.iter()
                    .map(|row| row.cardinality())
                    .zip(numbers.iter().copied()),
            );
        }
        sizes.sort_unstable_by(|left, right| right.cmp(left));
        Ok(sizes.into_iter().map(|(_, number)| number).collect())
    }

    /// The rows of some candidates in a shard, in their order.
    fn load(&self, unit: Unit, numbers: &[u32]) -> Result<Vec<Arc<Fragment>>, Error> {
        let rows: Vec<RowId> = numbers
            .iter()
            .filter_map(|number| self.rows.get(*number as usize).copied())
            .collect();
        Ok(self.dataset.fragments(unit.partition, unit.shard, &rows)?)
    }

    /// Counts all candidates of a round.
    fn count(&self, tally: &Tally, round: &Round<'_>) -> Result<(), Error> {
        self.context.map_shards(self.plan, |mut shard| {
            let pieces = pieces_of(&mut shard)?;
            tally.add_users(&pieces);
            self.count_shard(&shard, &pieces, tally, round)
        })?;
        Ok(())
    }

    /// The leaders first, then whoever may still be among the first.
    fn count_top(
        &self,
        tally: &Tally,
        ranked: &[u32],
        leaders: &[u32],
        others: &[u32],
    ) -> Result<(), Error> {
        self.context.map_shards(self.plan, |mut shard| {
            let pieces = pieces_of(&mut shard)?;
            tally.add_users(&pieces);
            let round = Round {
                candidates: leaders,
                needed: 0,
                // Who is in none of the leaders may be in none at all.
                rest: Rest::Count,
            };
            self.count_shard(&shard, &pieces, tally, &round)?;
            for numbers in others.chunks(BATCH_ROWS) {
                shard.checkpoint()?;
                for (number, row) in numbers.iter().zip(self.load(shard.unit, numbers)?) {
                    tally
                        .open(*number)
                        .fetch_add(most(&row, &pieces), Ordering::Relaxed);
                }
            }
            Ok(())
        })?;
        let needed = tally.needed(leaders, self.top.unwrap_or(usize::MAX));
        if tally.missing.load(Ordering::Relaxed) >= needed {
            return self.count_again(tally, ranked);
        }
        tally.missing.store(0, Ordering::Relaxed);
        let round = Round {
            candidates: others,
            needed,
            rest: Rest::Ignore,
        };
        self.context.map_shards(self.plan, |mut shard| {
            if others.iter().all(|number| tally.most(*number) < needed) {
                return Ok(());
            }
            let pieces = pieces_of(&mut shard)?;
            self.count_shard(&shard, &pieces, tally, &round)
        })?;
        for number in others {
            if tally.most(*number) < needed {
                tally.counted(*number).store(0, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Counts everything, because users without any candidate may be among the first groups.
    fn count_again(&self, tally: &Tally, ranked: &[u32]) -> Result<(), Error> {
        tally.clear();
        let round = Round {
            candidates: ranked,
            needed: 0,
            rest: Rest::Count,
        };
        self.count(tally, &round)
    }

    fn count_shard(
        &self,
        shard: &ShardScan<'_>,
        pieces: &[Piece],
        tally: &Tally,
        round: &Round<'_>,
    ) -> Result<(), Error> {
        if pieces.is_empty() {
            return Ok(());
        }
        let mut rest = RestOf::new(pieces, round.rest);
        let mut wanted = round
            .candidates
            .iter()
            .copied()
            .filter(|number| tally.most(*number) >= round.needed);
        loop {
            let numbers: Vec<u32> = wanted.by_ref().take(BATCH_ROWS).collect();
            if numbers.is_empty() {
                break;
            }
            shard.checkpoint()?;
            let rows = self.load(shard.unit, &numbers)?;
            let counts = count_rows(shard, pieces, &rows)?;
            for ((number, row), count) in numbers.iter().zip(&rows).zip(counts) {
                tally.counted(*number).fetch_add(count, Ordering::Relaxed);
                if round.rest == Rest::Ignore {
                    tally
                        .open(*number)
                        .fetch_sub(most(row, pieces), Ordering::Release);
                }
                rest.remove(row);
            }
        }
        tally.missing.fetch_add(rest.count(), Ordering::Relaxed);
        Ok(())
    }
}

/// How many of these users are in each row. Piece after piece, and in a piece row after row, the
/// bytes of one while those of another are on their way.
fn count_rows(
    shard: &ShardScan<'_>,
    pieces: &[Piece],
    rows: &[Arc<Fragment>],
) -> Result<Vec<u64>, Error> {
    let mut counts = vec![0; rows.len()];
    for piece in pieces {
        shard.checkpoint()?;
        for (index, (row, count)) in rows.iter().zip(&mut counts).enumerate() {
            if let Some(next) = rows.get(index + FETCHED_AHEAD) {
                piece.fetch_ahead(next);
            }
            *count += u64::from(piece.count_in(row));
        }
    }
    Ok(counts)
}

impl Tally {
    fn new(candidates: usize) -> Self {
        let zeros = || (0..candidates).map(|_| AtomicU64::new(0)).collect();
        Self {
            users: AtomicU64::new(0),
            counted: zeros(),
            open: zeros(),
            missing: AtomicU64::new(0),
        }
    }

    fn clear(&self) {
        self.users.store(0, Ordering::Relaxed);
        self.missing.store(0, Ordering::Relaxed);
        for number in self.counted.iter().chain(&self.open) {
            number.store(0, Ordering::Relaxed);
        }
    }

    fn add_users(&self, pieces: &[Piece]) {
        let users: u64 = pieces.iter().map(|piece| u64::from(piece.count)).sum();
        // Only sums are read, after all threads are done or as bounds that only fall.
        self.users.fetch_add(users, Ordering::Relaxed);
    }

    fn counted(&self, number: u32) -> &AtomicU64 {
        &self.counted[number as usize]
    }

    fn open(&self, number: u32) -> &AtomicU64 {
        &self.open[number as usize]
    }

    /// How many users a candidate has at most. What was counted is added before the bound falls,
    /// and read after it, so that a candidate is never thought smaller than it is.
    fn most(&self, number: u32) -> u64 {
        let open = self.open(number).load(Ordering::Acquire);
        open.saturating_add(self.counted(number).load(Ordering::Acquire))
    }

    /// The count that so many of the leaders have at least; nobody below it is wanted.
    fn needed(&self, leaders: &[u32], top: usize) -> u64 {
        let mut counts: Vec<u64> = leaders
            .iter()
            .map(|number| self.counted(*number).load(Ordering::Relaxed))
            .collect();
        counts.sort_unstable_by(|left, right| right.cmp(left));
        match top.checked_sub(1) {
            // A group without users is none, so one user is always needed.
            Some(last) => counts.get(last).copied().unwrap_or(0).max(1),
            None => u64::MAX,
        }
    }

    fn fill(&self, table: &mut Table<'_>) -> Result<(), Error> {
        table.add_users(self.users.load(Ordering::Relaxed));
        for (index, counted) in (MISSING + 1..).zip(&self.counted) {
            let count = counted.load(Ordering::Relaxed);
            if count > 0 {
                table.add_count(&GroupKey::default().with(0, index), count)?;
            }
        }
        match self.missing.load(Ordering::Relaxed) {
            0 => Ok(()),
            missing => table.add_count(&GroupKey::default(), missing),
        }
    }
}

/// The segment's users in a shard.
fn pieces_of(shard: &mut ShardScan<'_>) -> Result<Vec<Piece>, Error> {
    let mut pieces = Vec::new();
    shard.for_each_block(0, |block| {
        let count = block.users.count();
        let base = block.index << BLOCK_BITS;
        let mut listed = Vec::new();
        if count <= LISTED_USERS_MAX {
            block
                .users
                .for_each(|place| listed.push(base | u32::from(place)));
        }
        pieces.push(Piece {
            index: block.index,
            users: block.users.clone(),
            count,
            listed,
            sieve: Sieve::of(block.users),
        });
        Ok::<(), Error>(())
    })?;
    Ok(pieces)
}

/// How many of a row's users can be among these.
fn most(row: &Fragment, pieces: &[Piece]) -> u64 {
    let of_piece = |piece: &Piece| row.block_cardinality(piece.index).min(piece.count);
    pieces.iter().map(|piece| u64::from(of_piece(piece))).sum()
}

/// What intersecting a block of a row costs, in values compared.
fn cost(values: u32) -> u32 {
    if values > WORDS_VALUES {
        WORDS_COST
    } else {
        values
    }
}

impl Piece {
    /// Whether users are looked up in a row of so many one by one.
    fn is_looked_up(&self, values: u32) -> bool {
        !self.listed.is_empty() && self.count * LOOKUP_VALUES < cost(values)
    }

    /// Asks for what counting in a row will read.
    fn fetch_ahead(&self, row: &Fragment) {
        let values = row.block_cardinality(self.index);
        if self.count < BLOCK_USERS && !self.is_looked_up(values) {
            row.fetch_ahead(self.index);
        }
    }

    fn count_in(&self, row: &Fragment) -> u32 {
        let values = row.block_cardinality(self.index);
        if values == 0 || self.count == BLOCK_USERS {
            return values;
        }
        if self.is_looked_up(values) {
            let found = self.listed.iter().filter(|offset| row.contains(**offset));
            return found.count() as u32;
        }
        row.count_and_sifted(self.index, &self.users, self.sieve.as_ref())
    }
}

/// Users of a shard that are in none of the rows seen so far.
struct RestOf {
    blocks: Vec<(u32, Block, u32)>,
}

impl RestOf {
    fn new(pieces: &[Piece], rest: Rest) -> Self {
        let blocks = match rest {
            Rest::Count => pieces
                .iter()
                .map(|piece| (piece.index, piece.users.clone(), piece.count))
                .collect(),
            Rest::Ignore => Vec::new(),
        };
        Self { blocks }
    }

    /// Takes a row's users out; blocks without any left are not looked at again.
    fn remove(&mut self, row: &Fragment) {
        self.blocks.retain_mut(|(index, users, left)| {
            let values = row.block_cardinality(*index);
            if values == 0 {
                return true;
            }
            if *left * LOOKUP_VALUES < cost(values) {
                // Few are left: they are looked up instead.
                let base = *index << BLOCK_BITS;
                let held: Vec<u16> = users
                    .iter()
                    .filter(|place| row.contains(base | u32::from(*place)))
                    .collect();
                held.into_iter().for_each(|place| users.remove(place));
            } else {
                row.and_not_into(*index, users);
            }
            *left = users.count();
            *left > 0
        });
    }

    fn count(&self) -> u64 {
        self.blocks
            .iter()
            .map(|(_, _, left)| u64::from(*left))
            .sum()
    }
}
