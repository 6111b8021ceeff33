//! Questions about behaviour in one shard: from rows where these tell, else by going through the
//! tables of the window.
//!
//! Knows which rows and tables a question needs, and in which order. Does not know what a table
//! holds, nor how rows are combined.

mod days;
mod pieces;

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use super::{
    dataset::Dataset,
    limits::QueryLimitError,
    scan::{Context, Unit},
};
use crate::{
    behaviour::{
        Behaviour, Bucket, EventTable, Extent, Figure, Figured, Filter, Question, Scan,
        SequenceScan, Step, Window,
    },
    bitmap::{Block, Fragment},
    error::Error,
    ids::{EventId, RowId, SHARD_BLOCKS},
    plan::user_set::UserSet,
    storage::StorageError,
};
use pieces::pieces;

/// Tables that are held at once, in bytes. A question whose tables are not more is answered block by
/// block.
const GROUP_BYTES: usize = 64 << 20;

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
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) rows: Vec<Arc<Fragment>>,
    pub(super) computed: Option<Arc<Computed>>,
}

/// The answers in one shard: what is asked in several places of a plan is answered once.
#[derive(Default)]
pub(super) struct Answers(RefCell<HashMap<Behaviour, Answer, RandomState>>);

/// Where a question is answered.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) context: Context<'a>,
    pub(super) unit: Unit,
    /// Of this unit.
    pub(super) answers: &'a Answers,
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

    /// The events in a bucket.
    pub(super) fn table(
        &self,
        event: EventId,
        bucket: Bucket,
    ) -> Result<Arc<EventTable>, StorageError> {
        let Unit { partition, shard } = self.unit;
        self.dataset().event_table(partition, shard, event, bucket)
    }

    /// Answers a question, unless it has been answered already.
    pub(super) fn answer(&self, behaviour: &Behaviour) -> Result<Answer, Error> {
        if let Some(known) = self.answers.0.borrow().get(behaviour) {
            return Ok(known.clone());
        }
        let answer = self.find(behaviour)?;
        let mut answers = self.answers.0.borrow_mut();
        answers.insert(behaviour.clone(), answer.clone());
        Ok(answer)
    }

    fn find(&self, behaviour: &Behaviour) -> Result<Answer, Error> {
        let Behaviour {
            event,
            filter,
            window,
            question,
        } = behaviour;
        match (question, filter) {
            (Question::Did, Filter::All) => self.did(*event, *window),
            (Question::Days(bound), Filter::All)
                if let Some(days) = self.whole_days(*event, *window)? =>
            {
                self.days(*event, &days, *bound)
            }
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
                    computed: self.scan(behaviour, &buckets)?.map(Arc::new),
                })
            }
        }
    }

    /// Visits the figures of the shard's users, by their offsets, of those who have one. The
    /// behaviour asks the figure's question.
    pub(super) fn figures(
        &self,
        behaviour: &Behaviour,
        figure: Figure,
        visit: impl FnMut(u32, Figured),
    ) -> Result<(), Error> {
        let buckets = self.buckets(behaviour.event, behaviour.window)?;
        let mut notes = None;
        let group = self.note(behaviour, &buckets, &mut notes)?;
        let mut scan = notes.unwrap_or_else(|| Scan::new(behaviour));
        scan.add(&group);
        self.check(scan.heap_bytes())?;
        scan.figures(figure, visit);
        Ok(())
    }

    /// The buckets of a window in which somebody of the shard did something.
    pub(super) fn buckets(&self, event: EventId, window: Window) -> Result<Vec<Bucket>, Error> {
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
        let mut notes = None;
        let group = self.note(behaviour, buckets, &mut notes)?;
        let found = match notes {
            None => Scan::whole(behaviour, &group, |bytes| self.check(bytes))?,
            Some(mut scan) => {
                scan.add(&group);
                self.check(scan.heap_bytes())?;
                scan.finish()
            }
        };
        Ok(Computed::new(found))
    }

    /// Takes note of the tables of some buckets, but for the last ones, which are given back.
    /// `notes` is what is kept of each block, once there are more tables than are held at once.
    fn note<'b>(
        &self,
        behaviour: &'b Behaviour,
        buckets: &[Bucket],
        notes: &mut Option<Scan<'b>>,
    ) -> Result<Vec<(Bucket, Arc<EventTable>)>, Error> {
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
                let scan = notes.get_or_insert_with(|| Scan::new(behaviour));
                scan.add(&group);
                self.check(scan.heap_bytes())?;
                group.clear();
                group_bytes = 0;
            }
        }
        Ok(group)
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
        let mut answer = Answer::NOBODY;
        let Some(extent) = self.extent(event)? else {
            return Ok(answer);
        };
        let pieces = pieces(&extent, window);
        for row in &pieces.rows {
            let row = self.row(row.row(event))?;
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
            answer.computed = self.scan(&behaviour, &pieces.tables)?.map(Arc::new);
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
        let mut answer = Answer::NOBODY;
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
        answer.computed = Computed::new(scan.finish()).map(Arc::new);
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
    const NOBODY: Self = Self {
        rows: Vec::new(),
        computed: None,
    };

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
    let of_table = |bucket: &Bucket| match bucket {
        Bucket::Day(day) => RowId::DidOnDay(event, *day),
        Bucket::Month(month) => RowId::DidInMonth(event, *month),
    };
    let rows = pieces.rows.iter().map(|piece| piece.row(event));
    let mut most = 0;
    for row in rows.chain(pieces.tables.iter().map(of_table)) {
        most += dataset.fragment(partition, shard, row)?.cardinality();
    }
    let ever = dataset.fragment(partition, shard, RowId::Did(event))?;
    Ok(most.min(ever.cardinality()))
}
