//! Answers a question by going through tables, one after the other.
//!
//! Every user of a block has a place in dense arrays, in which the rows of a table are counted,
//! summed or noted. Where all tables of a question are at hand, one block after the other is
//! worked off from the first table to the last, in arrays that are used again and stay in the
//! nearest caches; else each block keeps its arrays until the last table was given.

use std::ops::Range as Rows;

use super::{
    bucket::Bucket,
    notes::{Counts, Notes, Sums, answer},
    question::{Behaviour, Filter, Question, Window},
    select::{Selected, select, select_times},
    table::{EventTable, PropertyColumn, Times},
};
use crate::{
    bitmap::Block,
    column::{Codes, widen},
    ids::{AttributeId, SHARD_BLOCKS},
    time::day_of_micros,
};

/// A question about the users of one shard, half answered.
pub struct Scan<'a> {
    behaviour: &'a Behaviour,
    blocks: Vec<Option<Notes>>,
}

/// Some rows of a table, all of one block.
struct Part<'a> {
    table: &'a EventTable,
    rows: Rows<usize>,
    selected: Selected,
}

impl<'a> Part<'a> {
    /// The rows of a block that count; `None` when there are none.
    fn of(
        behaviour: &Behaviour,
        bucket: Bucket,
        table: &'a EventTable,
        block: u32,
    ) -> Option<Self> {
        let rows = table.block_rows(block);
        let selected = selected(table, &rows, bucket, behaviour.window, &behaviour.filter);
        let is_some = !rows.is_empty() && selected != Selected::Nothing;
        is_some.then_some(Self {
            table,
            rows,
            selected,
        })
    }

    /// Visits the rows that count with their places.
    fn for_each(&self, mut visit: impl FnMut(usize, u16)) {
        let places = self.places().iter().map(|place| u16::from_le_bytes(*place));
        let rows = self.rows.clone().zip(places);
        match &self.selected {
            Selected::All => rows.for_each(|(row, place)| visit(row, place)),
            Selected::Nothing => {}
            Selected::Some(selected) => rows
                .zip(selected)
                .filter(|(_, selected)| **selected)
                .for_each(|((row, place), _)| visit(row, place)),
        }
    }

    /// Visits all rows with their places, and whether they count.
    fn for_each_place(&self, mut visit: impl FnMut(u16, bool)) {
        let places = self.places().iter().map(|place| u16::from_le_bytes(*place));
        match &self.selected {
            Selected::All => places.for_each(|place| visit(place, true)),
            Selected::Nothing => {}
            Selected::Some(selected) => places
                .zip(selected)
                .for_each(|(place, selected)| visit(place, *selected)),
        }
    }

    fn places(&self) -> &'a [[u8; 2]] {
        self.table
            .places()
            .get(self.rows.clone())
            .unwrap_or_default()
    }

    /// Visits the rows that count and have a value of a property.
    fn for_each_value(&self, property: AttributeId, mut visit: impl FnMut(u16, i64)) {
        let Some(column) = self.table.property(property) else {
            return;
        };
        // One loop a width: nothing is decided inside.
        match column.codes {
            Codes::Zero(_) => self.for_each(|row, place| {
                if column.is_present(row) {
                    visit(place, column.base);
                }
            }),
            Codes::One(codes) => self.each_value(&column, codes, visit),
            Codes::Two(codes) => self.each_value(&column, codes, visit),
            Codes::Four(codes) => self.each_value(&column, codes, visit),
            Codes::Eight(codes) => self.each_value(&column, codes, visit),
        }
    }

    fn each_value<const WIDTH: usize>(
        &self,
        column: &PropertyColumn<'_>,
        codes: &[[u8; WIDTH]],
        mut visit: impl FnMut(u16, i64),
    ) {
        let base = column.base;
        let codes = codes.get(self.rows.clone()).unwrap_or_default();
        let value = |code: &[u8; WIDTH]| base.wrapping_add_unsigned(widen(*code));
        match (&self.selected, column.present) {
            (Selected::All, None) => {
                for (place, code) in self.places().iter().zip(codes) {
                    visit(u16::from_le_bytes(*place), value(code));
                }
            }
            (Selected::All | Selected::Nothing | Selected::Some(_), _) => {
                let start = self.rows.start;
                self.for_each(|row, place| {
                    if column.is_present(row)
                        && let Some(code) = codes.get(row - start)
                    {
                        visit(place, value(code));
                    }
                });
            }
        }
    }
}

/// The rows that a filter lets through and that are in a window.
pub(crate) fn selected(
    table: &EventTable,
    rows: &Rows<usize>,
    bucket: Bucket,
    window: Window,
    filter: &Filter,
) -> Selected {
    let by_time = if window.covers(bucket) {
        Selected::All
    } else {
        select_times(table, rows, window)
    };
    match by_time {
        Selected::Nothing => Selected::Nothing,
        by_time @ (Selected::All | Selected::Some(_)) => by_time.and(select(table, rows, filter)),
    }
}

impl<'a> Scan<'a> {
    /// Nothing known yet. Not for sequences, which [`super::SequenceScan`] answers.
    pub fn new(behaviour: &'a Behaviour) -> Self {
        Self {
            behaviour,
            blocks: (0..SHARD_BLOCKS).map(|_| None).collect(),
        }
    }

    /// Answers from all tables at once, which must come in the order of time: by block of the
    /// shard, the users found, and `None` where there is nobody. `go_on` is asked before each block
    /// with the bytes in use.
    ///
    /// # Errors
    /// That of `go_on`.
    pub fn whole<T: AsRef<EventTable>, E>(
        behaviour: &Behaviour,
        tables: &[(Bucket, T)],
        mut go_on: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Vec<Option<Block>>, E> {
        let mut notes = Notes::new(&behaviour.question);
        let mut found = Vec::with_capacity(SHARD_BLOCKS as usize);
        for block in 0..SHARD_BLOCKS {
            go_on(notes.heap_bytes())?;
            let mut has_any = false;
            for (bucket, table) in tables {
                if let Some(part) = Part::of(behaviour, *bucket, table.as_ref(), block) {
                    if !has_any {
                        notes.clear(&behaviour.question);
                        has_any = true;
                    }
                    note(&mut notes, &behaviour.question, *bucket, &part);
                }
            }
            let users = has_any.then(|| answer(&mut notes, &behaviour.question));
            found.push(users.filter(|users| !users.is_empty()));
        }
        Ok(found)
    }

    /// Takes note of tables, which must come in the order of time.
    pub fn add<T: AsRef<EventTable>>(&mut self, tables: &[(Bucket, T)]) {
        for (block, notes) in (0..SHARD_BLOCKS).zip(&mut self.blocks) {
            for (bucket, table) in tables {
                if let Some(part) = Part::of(self.behaviour, *bucket, table.as_ref(), block) {
                    let notes = notes.get_or_insert_with(|| Notes::new(&self.behaviour.question));
                    note(notes, &self.behaviour.question, *bucket, &part);
                }
            }
        }
    }

    /// Bytes on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        let notes = self.blocks.iter().flatten();
        notes.map(Notes::heap_bytes).sum()
    }

    /// By block of the shard, what was noted of its users.
    pub(super) fn into_notes(self) -> Vec<Option<Notes>> {
        self.blocks
    }

    /// By block of the shard, the users found; `None` where there is nobody.
    pub fn finish(self) -> Vec<Option<Block>> {
        let question = &self.behaviour.question;
        let blocks = self.blocks.into_iter();
        blocks
            .map(|notes| notes.map(|mut notes| answer(&mut notes, question)))
            .map(|block| block.filter(|block| !block.is_empty()))
            .collect()
    }
}

fn note(notes: &mut Notes, question: &Question, bucket: Bucket, part: &Part<'_>) {
    match (notes, question) {
        (Notes::Did(did), _) => part.for_each(|_, place| did.insert(place)),
        (Notes::Counts(counts), _) => count(counts, part),
        (Notes::Days { counts, last }, _) => count_days(counts, last, bucket, part),
        (Notes::Sums(sums), Question::Sum(property, _)) => sum(sums, *property, part),
        (Notes::Means { sums, counts }, Question::Average(property, ..)) => {
            sum(sums, *property, part);
            part.for_each_value(*property, |place, _| {
                increase(&mut counts[usize::from(place)]);
            });
        }
        (Notes::Edge { times, passes }, Question::First(filter)) => {
            let is_better = |time: i64, before: i64| time < before;
            note_edge(times, passes, filter, part, is_better);
        }
        (Notes::Edge { times, passes }, Question::Last(filter)) => {
            let is_better = |time: i64, before: i64| time > before;
            note_edge(times, passes, filter, part, is_better);
        }
        (Notes::Pairs(pairs), Question::Top(property, _)) => {
            part.for_each_value(*property, |place, code| pairs.push((place, code)));
        }
        // The notes were made for the question.
        (Notes::Sums(_) | Notes::Means { .. } | Notes::Edge { .. } | Notes::Pairs(_), _) => {}
    }
}

/// A user has fewer events than 32 bits count in all tables that memory holds; saturates.
fn increase(count: &mut u32) {
    *count = count.saturating_add(1);
}

fn count(counts: &mut Counts, part: &Part<'_>) {
    match counts {
        Counts::Small(counts) => {
            let Some(counts) = counts.as_array() else {
                return;
            };
            part.for_each_place(|place, counted| {
                let count = &mut counts[usize::from(place)];
                *count = count.saturating_add(u8::from(counted));
            });
        }
        Counts::Large(counts) => {
            let Some(counts) = counts.as_array() else {
                return;
            };
            part.for_each_place(|place, counted| {
                let count = &mut counts[usize::from(place)];
                *count = count.saturating_add(u32::from(counted));
            });
        }
    }
}

fn sum(sums: &mut Sums, property: AttributeId, part: &Part<'_>) {
    let Some(column) = part.table.property(property) else {
        return;
    };
    match sums.within_reach(column.farthest(), part.rows.len()) {
        Some(low) => part.for_each_value(property, |place, value| {
            let sum = &mut low[usize::from(place)];
            *sum = sum.wrapping_add(value);
        }),
        None => part.for_each_value(property, |place, value| sums.add(place, value)),
    }
}

/// Tables come in the order of time, and so do the events of a user in a table: a day is new when
/// it is not the last one.
fn count_days(counts: &mut [u32], last: &mut [i32], bucket: Bucket, part: &Part<'_>) {
    let mut note = |place: u16, day: i32| {
        let place = usize::from(place);
        if last[place] != day {
            last[place] = day;
            increase(&mut counts[place]);
        }
    };
    match bucket {
        Bucket::Day(day) => part.for_each(|_, place| note(place, day)),
        Bucket::Month(_) => {
            let times: Times<'_> = part.table.times();
            part.for_each(|row, place| note(place, day_of_micros(times.at(row))));
        }
    }
}

fn note_edge(
    times: &mut [i64],
    passes: &mut Block,
    filter: &Filter,
    part: &Part<'_>,
    is_better: impl Fn(i64, i64) -> bool,
) {
    let passing = select(part.table, &part.rows, filter);
    let when: Times<'_> = part.table.times();
    let start = part.rows.start;
    part.for_each(|row, place| {
        let (time, before) = (when.at(row), &mut times[usize::from(place)]);
        if is_better(time, *before) {
            *before = time;
            passes.remove(place);
        }
        if time == *before && passing.has(row - start) {
            passes.insert(place);
        }
    });
}
