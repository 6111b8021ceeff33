//! Questions about behaviour in one shard: from rows where these tell, else by going through the
//! tables of the window.
//!
//! Knows which rows and tables a question needs, and in which order. Does not know what a table
//! holds, nor how rows are combined.

use std::sync::Arc;

use super::{
    dataset::Dataset,
    limits::QueryLimitError,
    scan::{Context, Unit},
};
use crate::{
    behaviour::{
        Behaviour, Bucket, EventTable, Extent, Filter, Question, Scan, SequenceScan, Step, Window,
    },
    bitmap::{Block, Fragment},
    error::Error,
    ids::{EventId, RowId, SHARD_BLOCKS},
    plan::user_set::UserSet,
    storage::StorageError,
};

/// Tables that are worked off together, in bytes: about what the last cache of a core holds.
const GROUP_BYTES: usize = 4 << 20;

/// By block of a shard, users that were computed.
#[derive(Debug)]
pub(super) struct Computed {
    blocks: Vec<Option<(Block, u32)>>,
}

impl Computed {
    /// `None` when nobody was found.
    fn new(blocks: Vec<Option<Block>>) -> Option<Self> {
        let counted = |block: Block| {
            let count = block.count();
            (count > 0).then_some((block, count))
        };
        let blocks: Vec<_> = blocks
            .into_iter()
            .map(|block| block.and_then(counted))
            .collect();
        blocks
            .iter()
            .any(Option::is_some)
            .then_some(Self { blocks })
    }

    /// Those of the shard who were found beforehand; `None` when there is nobody.
    pub(super) fn found(users: &UserSet, unit: Unit) -> Option<Self> {
        let of_block = |block| {
            users
                .block(unit.partition, unit.shard.block(block))
                .cloned()
        };
        Self::new((0..SHARD_BLOCKS).map(of_block).collect())
    }

    /// The users of a block, and how many there are.
    pub(super) fn block(&self, block: u32) -> Option<&(Block, u32)> {
        self.blocks.get(block as usize).and_then(Option::as_ref)
    }

    /// How many users there are in a block.
    pub(super) fn count(&self, block: u32) -> u32 {
        self.block(block).map_or(0, |(_, count)| *count)
    }

    /// How many users there are.
    pub(super) fn total(&self) -> u64 {
        let counts = self.blocks.iter().flatten();
        counts.map(|(_, count)| u64::from(*count)).sum()
    }
}

/// Who a question finds in a shard: everybody in one of the rows, and who was computed.
pub(super) struct Answer {
    pub(super) rows: Vec<Arc<Fragment>>,
    pub(super) computed: Option<Computed>,
}

/// Where a question is answered.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) context: Context<'a>,
    pub(super) unit: Unit,
}

impl<'a> Source<'a> {
    fn dataset(&self) -> &'a dyn Dataset {
        self.context.dataset
    }

    fn row(&self, row: RowId) -> Result<Arc<Fragment>, StorageError> {
        self.dataset()
            .fragment(self.unit.partition, self.unit.shard, row)
    }

    fn extent(&self, event: EventId) -> Result<Option<Extent>, StorageError> {
        self.dataset().event_extent(self.unit.partition, event)
    }

    fn table(&self, event: EventId, bucket: Bucket) -> Result<Arc<EventTable>, StorageError> {
        let Unit { partition, shard } = self.unit;
        self.dataset().event_table(partition, shard, event, bucket)
    }

    /// Answers a question.
    pub(super) fn answer(&self, behaviour: &Behaviour) -> Result<Answer, Error> {
        let Behaviour {
            event,
            filter,
            window,
            question,
        } = behaviour;
        match (question, filter) {
            (Question::Did, Filter::All) => self.did(*event, *window),
            (Question::Sequence { then, within_us }, _) => {
                self.sequence((*event, filter), then, *window, *within_us)
            }
            (
                Question::Did
                | Question::Count(_)
                | Question::Days(_)
                | Question::Sum(..)
                | Question::Average(..)
                | Question::First(_)
                | Question::Last(_)
                | Question::Top(..),
                _,
            ) => {
                let buckets = self.buckets(*event, *window)?;
                Ok(Answer {
                    rows: Vec::new(),
                    computed: self.scan(behaviour, &buckets)?,
                })
            }
        }
    }

    /// The buckets of a window in which somebody of the shard did something.
    fn buckets(&self, event: EventId, window: Window) -> Result<Vec<Bucket>, Error> {
        let Some(extent) = self.extent(event)? else {
            return Ok(Vec::new());
        };
        let (first, last) = window.days();
        let mut buckets = Vec::new();
        let mut month = None;
        for bucket in extent.buckets(first, last) {
            let now = bucket.month();
            let has_any = match month {
                Some((before, has_any)) if before == now => has_any,
                Some(_) | None => !self.row(RowId::DidInMonth(event, now))?.is_empty(),
            };
            month = Some((now, has_any));
            if has_any {
                buckets.push(bucket);
            }
        }
        Ok(buckets)
    }

    /// Goes through the tables of some buckets, a few at a time.
    fn scan(&self, behaviour: &Behaviour, buckets: &[Bucket]) -> Result<Option<Computed>, Error> {
        let mut scan = Scan::new(behaviour);
        let mut group: Vec<(Bucket, Arc<EventTable>)> = Vec::new();
        let mut group_bytes = 0;
        for bucket in buckets {
            let table = self.table(behaviour.event, *bucket)?;
            if table.is_empty() {
                continue;
            }
            group_bytes += table.bytes().len();
            group.push((*bucket, table));
            if group_bytes >= GROUP_BYTES {
                scan.add(&group);
                self.check(scan.heap_bytes())?;
                group.clear();
                group_bytes = 0;
            }
        }
        scan.add(&group);
        self.check(scan.heap_bytes())?;
        Ok(Computed::new(scan.finish()))
    }

    /// Whether to go on with so many bytes in use; each thread may use as many.
    fn check(&self, bytes: usize) -> Result<(), Error> {
        self.context.checkpoint()?;
        let threads = self
            .context
            .scheduler
            .map_or(1, |scheduler| scheduler.threads());
        let max = self.context.limits.behaviour_bytes_max;
        match bytes.saturating_mul(threads) > max {
            true => Err(QueryLimitError::BehaviourBytes { max }.into()),
            false => Ok(()),
        }
    }

    /// Who did something in a window: months and days that are in it as a whole have rows.
    fn did(&self, event: EventId, window: Window) -> Result<Answer, Error> {
        let mut answer = Answer {
            rows: Vec::new(),
            computed: None,
        };
        let Some(extent) = self.extent(event)? else {
            return Ok(answer);
        };
        let pieces = pieces(&extent, window);
        for row in &pieces.rows {
            let row = match row {
                Piece::Ever => RowId::Did(event),
                Piece::Month(month) => RowId::DidInMonth(event, *month),
                Piece::Day(day) => RowId::DidOnDay(event, *day),
            };
            let row = self.row(row)?;
            if !row.is_empty() {
                answer.rows.push(row);
            }
        }
        if !pieces.tables.is_empty() {
            let behaviour = Behaviour {
                event,
                filter: Filter::All,
                window,
                question: Question::Did,
            };
            answer.computed = self.scan(&behaviour, &pieces.tables)?;
        }
        Ok(answer)
    }

    fn sequence(
        &self,
        first: (EventId, &Filter),
        then: &[Step],
        window: Window,
        within_us: i64,
    ) -> Result<Answer, Error> {
        let mut answer = Answer {
            rows: Vec::new(),
            computed: None,
        };
        let steps: Vec<(EventId, &Filter)> = std::iter::once(first)
            .chain(then.iter().map(|step| (step.event, &step.filter)))
            .collect();
        let Some(candidates) = self.candidates(&steps, window)? else {
            return Ok(answer);
        };
        let mut extents = Vec::with_capacity(steps.len());
        for (event, _) in &steps {
            match self.extent(*event)? {
                Some(extent) => extents.push(extent),
                None => return Ok(answer),
            }
        }
        let filters = steps.iter().map(|(_, filter)| *filter).collect();
        let mut scan = SequenceScan::new(filters, window, within_us);
        for bucket in common(&extents).buckets(window.days().0, window.days().1) {
            let tables = steps
                .iter()
                .zip(&extents)
                .map(|((event, _), extent)| self.table_over(*event, extent, bucket))
                .collect::<Result<Vec<_>, _>>()?;
            let tables: Vec<&EventTable> = tables.iter().map(AsRef::as_ref).collect();
            scan.add(bucket, &tables, &candidates);
            self.check(scan.heap_bytes())?;
        }
        answer.computed = Computed::new(scan.finish());
        Ok(answer)
    }

    /// The events in a bucket, which may be a month whose days have tables of their own.
    fn table_over(
        &self,
        event: EventId,
        extent: &Extent,
        bucket: Bucket,
    ) -> Result<Arc<EventTable>, Error> {
        let (first, last) = bucket.days();
        match extent.buckets(first, last).as_slice() {
            [] => Ok(Arc::new(EventTable::empty())),
            [only] => Ok(self.table(event, *only)?),
            several => {
                let tables = several.iter().map(|bucket| self.table(event, *bucket));
                let tables = tables.collect::<Result<Vec<_>, _>>()?;
                let joined = EventTable::joined(tables.iter().map(AsRef::as_ref));
                let joined = joined.map_err(|error| Error::Internal(error.to_string()))?;
                Ok(Arc::new(joined))
            }
        }
    }

    /// By block, who did every step at some time of the window; `None` when there is nobody.
    fn candidates(
        &self,
        steps: &[(EventId, &Filter)],
        window: Window,
    ) -> Result<Option<Vec<Option<Block>>>, Error> {
        let mut candidates: Option<Vec<Option<Block>>> = None;
        for (event, _) in steps {
            let did = self.did(*event, window)?;
            let of_step = (0..SHARD_BLOCKS).map(|block| did.block(block));
            candidates = Some(match candidates {
                None => of_step.collect(),
                Some(before) => before
                    .into_iter()
                    .zip(of_step)
                    .map(|(before, of_step)| {
                        let (mut both, of_step) = (before?, of_step?);
                        both.and(&of_step);
                        (!both.is_empty()).then_some(both)
                    })
                    .collect(),
            });
        }
        Ok(candidates.filter(|blocks| blocks.iter().any(Option::is_some)))
    }
}

impl Answer {
    /// The users of a block; `None` when there are none.
    fn block(&self, block: u32) -> Option<Block> {
        let mut users = Block::new();
        for row in &self.rows {
            row.or_into(block, &mut users);
        }
        if let Some((computed, _)) = self.computed.as_ref().and_then(|of| of.block(block)) {
            users.or(computed);
        }
        (!users.is_empty()).then_some(users)
    }
}

/// A row that stands for a part of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Ever,
    Month(i32),
    Day(i32),
}

/// What a window is made of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pieces {
    rows: Vec<Piece>,
    /// Of which only a part is in the window.
    tables: Vec<Bucket>,
}

/// Cuts a window into the fewest rows, and tables where only a part of a bucket is in it.
fn pieces(extent: &Extent, window: Window) -> Pieces {
    let mut pieces = Pieces::default();
    if window.is_empty() {
        return pieces;
    }
    let (mut day, end) = (extent.first_day, extent.last_day);
    if holds(window, day, end) {
        pieces.rows.push(Piece::Ever);
        return pieces;
    }
    let (first, last) = window.days();
    day = day.max(first);
    while day <= end.min(last) {
        let month = Bucket::Month(crate::behaviour::month_of_day(day));
        let (month_first, month_last) = month.days();
        let bucket = extent.bucket(day);
        let begins = day == month_first.max(extent.first_day);
        let next = if begins && holds(window, day, month_last.min(end)) {
            pieces.rows.push(Piece::Month(month.month()));
            month_last
        } else {
            match bucket {
                Bucket::Day(day) if window.covers(bucket) => pieces.rows.push(Piece::Day(day)),
                Bucket::Day(_) | Bucket::Month(_) => pieces.tables.push(bucket),
            }
            bucket.days().1
        };
        match next.checked_add(1) {
            Some(next) => day = next,
            None => break,
        }
    }
    pieces
}

/// Whether all of some days are in a window.
fn holds(window: Window, first: i32, last: i32) -> bool {
    window.intersect(Window::of_days(first, last)) == Window::of_days(first, last)
}

/// One extent for several: the days that any has, in months where one has months.
fn common(extents: &[Extent]) -> Extent {
    let mut all = extents.first().copied().unwrap_or(Extent::of_day(0));
    for extent in extents {
        all.include(extent.first_day);
        all.include(extent.last_day);
        all.rolled_until = all.rolled_until.max(extent.rolled_until);
    }
    all
}

/// At most how many users of a unit a question finds; cheap.
pub(super) fn at_most(
    dataset: &dyn Dataset,
    unit: Unit,
    behaviour: &Behaviour,
) -> Result<u64, StorageError> {
    let Unit { partition, shard } = unit;
    let event = behaviour.event;
    let Some(extent) = dataset.event_extent(partition, event)? else {
        return Ok(0);
    };
    let pieces = pieces(&extent, behaviour.window);
    let row = |piece: &Piece| match piece {
        Piece::Ever => RowId::Did(event),
        Piece::Month(month) => RowId::DidInMonth(event, *month),
        Piece::Day(day) => RowId::DidOnDay(event, *day),
    };
    let of_table = |bucket: &Bucket| match bucket {
        Bucket::Day(day) => RowId::DidOnDay(event, *day),
        Bucket::Month(month) => RowId::DidInMonth(event, *month),
    };
    let rows = pieces.rows.iter().map(row);
    let mut most = 0;
    for row in rows.chain(pieces.tables.iter().map(of_table)) {
        most += dataset.fragment(partition, shard, row)?.cardinality();
    }
    let ever = dataset.fragment(partition, shard, RowId::Did(event))?;
    Ok(most.min(ever.cardinality()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_cut_into_as_few_rows_as_can_be() {
        // 2024-01-10 to 2024-04-20, January rolled up.
        let mut extent = Extent::of_day(19_732);
        extent.include(19_833);
        extent.rolled_until = crate::behaviour::month_of_day(19_732) + 1;
        let month = extent.rolled_until;
        let check = |window: Window, rows: &[Piece], tables: &[Bucket]| {
            let expected = Pieces {
                rows: rows.to_vec(),
                tables: tables.to_vec(),
            };
            assert_eq!(pieces(&extent, window), expected, "{window:?}");
        };
        check(Window::ALL, &[Piece::Ever], &[]);
        check(Window::of_days(19_732, 19_833), &[Piece::Ever], &[]);
        // From the day after the first event: a part of January, and the rest by months.
        let months = [month, month + 1, month + 2].map(Piece::Month);
        check(
            Window::of_days(19_733, 30_000),
            &months,
            &[Bucket::Month(month - 1)],
        );
        // All of January that there is, and the first two days of February.
        check(
            Window::of_days(0, 19_755),
            &[
                Piece::Month(month - 1),
                Piece::Day(19_754),
                Piece::Day(19_755),
            ],
            &[],
        );
        // A part of a day.
        let (from_us, _) = Bucket::Day(19_755).span_us();
        let part = Window {
            from_us: from_us + 1,
            to_us: Bucket::Day(19_756).span_us().1,
        };
        check(part, &[Piece::Day(19_756)], &[Bucket::Day(19_755)]);
        check(
            Window {
                from_us: 1,
                to_us: 0,
            },
            &[],
            &[],
        );
        check(Window::of_days(0, 100), &[], &[]);
        check(Window::of_days(20_000, 20_100), &[], &[]);
    }
}
