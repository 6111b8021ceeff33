//! Going through the tables of events of the users found in a shard, and putting the events into
//! groups.
//!
//! Where events are split, one pass counts them in the groups of their users and of themselves;
//! where users are split and events measured, a pass for each selection of events adds to the
//! groups of the users. Tables come in the order of time, one after the other, and in a table the
//! blocks with users; the rows of these that count are taken a piece at a time: their indices dim
//! by dim, from these their slots, and for each slot its counters. An event of a user with several
//! tags, groups or values counts in each of them.

mod distinct;
mod pass;
mod users;

use super::{
    Counted, Split,
    axis::{Axis, MISSING},
    calendar,
    layout::GroupKey,
    split::{BoundDim, EventSplit},
    table::Table,
};
use crate::{
    behaviour::{Bucket, EventTable, Selected, selected},
    error::Error,
    exec::{
        behaviour::{Answers, Source},
        byte_meter::{ByteMeter, ByteShare},
        dataset::Dataset,
        limits::QueryLimitError,
        scan::{Context, Unit},
    },
    ids::BLOCK_BITS,
    plan::query::{EventNumber, EventSelection, NumberUnit},
    time::day_of_micros,
};
use distinct::{Distinct, Recurrence};
use users::{UserIndices, UserReader};

pub(super) use pass::{Pass, passes};
pub(super) use users::BlockUsers;

/// Rows of one piece, about; their indices and slots stay in the nearest caches.
const PIECE_ROWS: usize = 2048;

/// Puts the events of the users found in shards into groups.
pub(super) struct EventWalk<'a, 't> {
    split: &'a Split,
    context: Context<'a>,
    reader: UserReader<'a>,
    distinct: Distinct,
    room: Room,
    share: ByteShare<'t>,
}

/// Buffers that are used again for every piece.
struct Room {
    rows: Vec<u32>,
    places: Vec<u16>,
    /// By dim.
    indices: Vec<(usize, Vec<u32>)>,
    slots: Vec<u32>,
    values: Vec<i64>,
    value_slots: Vec<u32>,
}

/// The events of one block's users in one table.
struct Part<'a> {
    pass: &'a Pass,
    bucket: Bucket,
    events: &'a EventTable,
    users: &'a BlockUsers,
    /// The first row of the block.
    start: usize,
    /// For each of the pass's numbers the rows that it is of, where these are not all that count.
    own: Vec<Option<Selected>>,
}

impl<'a, 't> EventWalk<'a, 't> {
    /// Nothing yet; `None` where no events are asked about.
    pub(super) fn new(
        split: &'a Split,
        (context, rows): (Context<'a>, &'a dyn Dataset),
        meter: &'t ByteMeter,
    ) -> Option<Self> {
        let room = Room {
            rows: Vec::with_capacity(PIECE_ROWS),
            places: Vec::with_capacity(PIECE_ROWS),
            indices: (0..split.dims.len()).map(|dim| (dim, Vec::new())).collect(),
            slots: Vec::new(),
            values: Vec::new(),
            value_slots: Vec::new(),
        };
        (!split.passes.is_empty()).then(|| Self {
            split,
            context,
            reader: UserReader::new(split, (context, rows)),
            distinct: Distinct::default(),
            room,
            share: meter.share(),
        })
    }

    /// Goes through the events of the users found in a shard.
    pub(super) fn shard(
        &mut self,
        table: &mut Table<'_>,
        unit: Unit,
        mut found: Vec<BlockUsers>,
    ) -> Result<(), Error> {
        if found.is_empty() {
            return Ok(());
        }
        let split: &Split = self.split;
        let answers = Answers::default();
        let source = Source {
            context: self.context,
            unit,
            answers: &answers,
        };
        let sets = self.reader.load(unit)?;
        let mut bytes = 0;
        for block in &mut found {
            self.reader.read(unit, &sets, block, &mut table.axes)?;
            bytes += block.heap_bytes();
            self.claim(bytes)?;
        }
        for pass in &split.passes {
            self.distinct.clear();
            self.pass(table, source, pass, &found, bytes)?;
        }
        self.distinct.clear();
        self.claim(0)
    }

    /// Goes through the tables of one selection of events.
    fn pass(
        &mut self,
        table: &mut Table<'_>,
        source: Source<'_>,
        pass: &Pass,
        found: &[BlockUsers],
        bytes: usize,
    ) -> Result<(), Error> {
        let EventSelection { event, window, .. } = pass.events;
        let buckets = source.buckets(event, window)?;
        let mut is_start = true;
        for (place, bucket) in buckets.iter().enumerate() {
            source.context.checkpoint()?;
            let is_end = self.is_end(*bucket, buckets.get(place + 1).copied());
            self.distinct.expect(match is_start && is_end {
                true => Recurrence::Never,
                false => Recurrence::Possible,
            });
            let events = source.table(event, *bucket)?;
            for users in found {
                self.part(table, pass, *bucket, &events, users)?;
            }
            self.claim(bytes + self.distinct.heap_bytes())?;
            if is_end {
                self.distinct.forget();
            }
            is_start = is_end;
        }
        Ok(())
    }

    /// Whether no group of a bucket's events has events of the next.
    fn is_end(&self, bucket: Bucket, next: Option<Bucket>) -> bool {
        let Some(next) = next else {
            return true;
        };
        let period = |day: i32, unit| calendar::period_of(day.into(), NumberUnit::Date, unit);
        self.split.dims.iter().any(|dim| match dim {
            BoundDim::Events(EventSplit::Time(unit)) => {
                period(bucket.days().1, *unit) != period(next.days().0, *unit)
            }
            BoundDim::Events(EventSplit::Codes(..) | EventSplit::Exact(_))
            | BoundDim::Column(..)
            | BoundDim::Rows(_) => false,
        })
    }

    /// Says how many bytes are held beside the table.
    fn claim(&mut self, bytes: usize) -> Result<(), Error> {
        self.share.set(bytes);
        match self.share.is_exceeded() {
            true => {
                let max = self.share.bytes_max();
                Err(QueryLimitError::GroupBytes { max }.into())
            }
            false => Ok(()),
        }
    }

    /// Takes the events of a block's users.
    fn part(
        &mut self,
        table: &mut Table<'_>,
        pass: &Pass,
        bucket: Bucket,
        events: &EventTable,
        users: &BlockUsers,
    ) -> Result<(), Error> {
        let rows = events.block_rows(users.index);
        if rows.is_empty() {
            return Ok(());
        }
        let select = |of: &EventSelection| selected(events, &rows, bucket, of.window, &of.filter);
        let counted = select(&pass.events);
        if counted == Selected::Nothing {
            return Ok(());
        }
        let own = pass.numbers.iter();
        let part = Part {
            pass,
            bucket,
            events,
            users,
            start: rows.start,
            own: own.map(|of| of.events.as_ref().map(select)).collect(),
        };
        let places = events.places().get(rows.clone()).unwrap_or_default();
        let mut total = 0;
        for (at, place) in places.iter().enumerate() {
            let place = u16::from_le_bytes(*place);
            if !users.users.contains(place) || !counted.has(at) {
                continue;
            }
            total += 1;
            // A table has fewer rows than 2^32.
            self.room.push((rows.start + at) as u32, place, &users.dims);
            if self.room.rows.len() >= PIECE_ROWS {
                self.piece(table, &part)?;
            }
        }
        if self.split.counted == Counted::Events {
            table.add_users(total);
        }
        self.piece(table, &part)
    }

    /// Takes the rows that were listed.
    fn piece(&mut self, table: &mut Table<'_>, part: &Part<'_>) -> Result<(), Error> {
        let count = self.room.rows.len();
        if count == 0 {
            return Ok(());
        }
        for (dim, bound) in self.split.dims.iter().enumerate() {
            let Some((_, indices)) = self.room.indices.get_mut(dim) else {
                continue;
            };
            match (bound, part.users.dims.get(dim)) {
                (BoundDim::Events(split), _) => {
                    if let Some(axis) = table.axes.get_mut(dim) {
                        indices.clear();
                        read_events(*split, part, &self.room.rows, axis, indices);
                    }
                }
                (_, Some(UserIndices::One(by_place))) => {
                    let index = |place: &u16| by_place.get(usize::from(*place)).copied();
                    indices.clear();
                    indices.extend(self.room.places.iter().map(|p| index(p).unwrap_or(MISSING)));
                }
                // These were listed with the rows.
                (_, Some(UserIndices::Several { .. } | UserIndices::OfEvents) | None) => {}
            }
        }
        if let Some(moved) = table.make_room()? {
            self.distinct.moved(&moved);
        }
        let Room { indices, slots, .. } = &mut self.room;
        table.slots_of(&GroupKey::default(), indices, count, slots)?;
        if self.split.counted == Counted::Events {
            table.add_each(slots);
        }
        self.users(table, part);
        for (place, _) in part.pass.numbers.iter().enumerate() {
            self.room.numbers(table, part, place);
        }
        self.room.clear();
        table.check_bytes()
    }

    /// Counts the users of the listed rows, each once in a group.
    fn users(&mut self, table: &mut Table<'_>, part: &Part<'_>) {
        let Some(measured) = part.pass.users else {
            return;
        };
        let Room {
            slots,
            places,
            value_slots,
            ..
        } = &mut self.room;
        value_slots.clear();
        for (slot, place) in slots.iter().zip(places) {
            let offset = part.users.index << BLOCK_BITS | u32::from(*place);
            if self.distinct.note(*slot, offset) {
                value_slots.push(*slot);
            }
        }
        table.count_each(measured, value_slots);
    }
}

impl Room {
    fn clear(&mut self) {
        self.rows.clear();
        self.places.clear();
        self.indices.iter_mut().for_each(|(_, of)| of.clear());
    }

    /// Lists a row, once for each combination of the groups in which its user is.
    fn push(&mut self, row: u32, place: u16, dims: &[UserIndices]) {
        let from = self.rows.len();
        self.rows.push(row);
        self.places.push(place);
        for (dim, of) in dims.iter().enumerate() {
            let UserIndices::Several { starts, indices } = of else {
                continue;
            };
            let bound = |at: usize| starts.get(at).map_or(0, |start| *start as usize);
            let at = usize::from(place);
            let several = indices.get(bound(at)..bound(at + 1)).unwrap_or_default();
            self.repeat(from, dim, several);
        }
    }

    /// Lists what stands from a row on once for each index of a dim.
    fn repeat(&mut self, from: usize, dim: usize, several: &[u32]) {
        let until = self.rows.len();
        for _ in 1..several.len() {
            self.rows.extend_from_within(from..until);
            self.places.extend_from_within(from..until);
            for (_, indices) in self.indices.iter_mut().take(dim) {
                // Only dims of users with several groups were listed so far.
                if indices.len() >= until {
                    indices.extend_from_within(from..until);
                }
            }
        }
        if let Some((_, indices)) = self.indices.get_mut(dim) {
            for index in several {
                indices.extend(std::iter::repeat_n(*index, until - from));
            }
        }
    }

    /// Adds one of a pass's numbers of the listed rows.
    fn numbers(&mut self, table: &mut Table<'_>, part: &Part<'_>, place: usize) {
        let (Some(of), Some(own)) = (part.pass.numbers.get(place), part.own.get(place)) else {
            return;
        };
        self.values.clear();
        self.value_slots.clear();
        let counts = |row: u32| {
            own.as_ref()
                .is_none_or(|own| own.has(row as usize - part.start))
        };
        let listed = self.rows.iter().zip(&self.slots);
        let listed = listed.filter(|(row, _)| counts(**row));
        let times = part.events.times();
        let farthest = match of.number {
            EventNumber::One => {
                self.value_slots.extend(listed.map(|(_, slot)| *slot));
                return table.count_each(of.measured, &self.value_slots);
            }
            EventNumber::Moment | EventNumber::Day => {
                for (row, slot) in listed {
                    let moment = times.at(*row as usize);
                    self.values.push(match of.number {
                        EventNumber::Day => day_of_micros(moment).into(),
                        EventNumber::Moment | EventNumber::One | EventNumber::Property(_) => moment,
                    });
                    self.value_slots.push(*slot);
                }
                u64::MAX
            }
            EventNumber::Property(property) => {
                let Some(column) = part.events.property(property) else {
                    return;
                };
                column.for_rows(&self.rows, |at, value| {
                    let known = self.rows.get(at).zip(self.slots.get(at)).zip(value);
                    if let Some(((row, slot), value)) = known
                        && counts(*row)
                    {
                        self.values.push(value);
                        self.value_slots.push(*slot);
                    }
                });
                column.farthest()
            }
        };
        table.add_values(of.measured, &self.values, farthest, &self.value_slots);
    }
}

/// The indices of some rows of a table in a dim that splits events.
fn read_events(
    split: EventSplit,
    part: &Part<'_>,
    rows: &[u32],
    axis: &mut Axis,
    indices: &mut Vec<u32>,
) {
    match split {
        EventSplit::Time(unit) => {
            let period = |day: i32| calendar::period_of(day.into(), NumberUnit::Date, unit);
            let (first, last) = part.bucket.days();
            if period(first) == period(last) {
                let index = axis.index(Some(period(first)));
                return indices.resize(rows.len(), index);
            }
            let times = part.events.times();
            let mut known: Option<(i32, u32)> = None;
            indices.extend(rows.iter().map(|row| {
                let day = day_of_micros(times.at(*row as usize));
                let index = match known {
                    Some((before, index)) if before == day => index,
                    Some(_) | None => axis.index(Some(period(day))),
                };
                known = Some((day, index));
                index
            }));
        }
        EventSplit::Codes(property, count) => {
            indices.resize(rows.len(), MISSING);
            if let Some(column) = part.events.property(property) {
                // A code beyond the dictionary is not known in this state.
                let code = |value: i64| u32::try_from(value).ok().filter(|code| *code < count);
                column.for_rows(rows, |at, value| {
                    if let (Some(index), Some(code)) = (indices.get_mut(at), value.and_then(code)) {
                        *index = code + 1;
                    }
                });
            }
        }
        EventSplit::Exact(property) => {
            indices.resize(rows.len(), MISSING);
            if let Some(column) = part.events.property(property) {
                column.for_rows(rows, |at, value| {
                    if let Some(index) = indices.get_mut(at) {
                        *index = axis.index(value);
                    }
                });
            }
        }
    }
}
