//! Answers a question by going through tables, one after the other.
//!
//! Every user of a shard has a place in dense arrays, one a block, in which the rows of a table
//! are counted, summed or noted. Tables that are given together are worked off block by block, so
//! that the arrays of a block stay in the nearest caches while its rows come by.

use std::{collections::HashMap, ops::Range as Rows};

use super::{
    bucket::Bucket,
    question::{Behaviour, Bound, Filter, Orderings, Question, Window},
    select::{Selected, select, select_times},
    table::{EventTable, PropertyColumn, Times},
};
use crate::{
    bitmap::Block,
    column::{Codes, widen},
    ids::{AttributeId, BLOCK_USERS, SHARD_BLOCKS},
    time::day_of_micros,
};

const PLACES: usize = BLOCK_USERS as usize;

/// A question about the users of one shard, half answered.
pub struct Scan<'a> {
    behaviour: &'a Behaviour,
    blocks: Vec<Option<Notes>>,
}

/// What is known of the users of one block, by place.
enum Notes {
    Did(Block),
    Counts(Box<[u32]>),
    Days {
        counts: Box<[u32]>,
        last: Box<[i32]>,
    },
    Sums(Sums),
    Means {
        sums: Sums,
        counts: Box<[u32]>,
    },
    /// The first or last moment, and who passes at it.
    Edge {
        times: Box<[i64]>,
        passes: Block,
    },
    /// Place and code of every event.
    Pairs(Vec<(u16, i64)>),
}

/// Sums that may be greater than 64 bits hold.
struct Sums {
    low: Box<[i64]>,
    /// What was taken out of the sums that would not have held more.
    high: HashMap<u16, i128>,
}

impl Sums {
    fn new() -> Self {
        Self {
            low: zeros(),
            high: HashMap::new(),
        }
    }

    fn add(&mut self, place: u16, value: i64) {
        let sum = &mut self.low[usize::from(place)];
        match sum.checked_add(value) {
            Some(more) => *sum = more,
            None => {
                let before = i128::from(std::mem::replace(sum, value));
                *self.high.entry(place).or_insert(0) += before;
            }
        }
    }

    fn total(&self, place: u16) -> i128 {
        let high = if self.high.is_empty() {
            None
        } else {
            self.high.get(&place)
        };
        i128::from(self.low[usize::from(place)]) + high.copied().unwrap_or(0)
    }
}

fn zeros<T: Clone + Default>() -> Box<[T]> {
    vec![T::default(); PLACES].into_boxed_slice()
}

impl Notes {
    fn new(question: &Question) -> Self {
        match question {
            Question::Did | Question::Sequence { .. } => Self::Did(Block::new()),
            Question::Count(_) => Self::Counts(zeros()),
            Question::Days(_) => Self::Days {
                counts: zeros(),
                last: vec![i32::MIN; PLACES].into_boxed_slice(),
            },
            Question::Sum(..) => Self::Sums(Sums::new()),
            Question::Average(..) => Self::Means {
                sums: Sums::new(),
                counts: zeros(),
            },
            Question::First(_) => Self::Edge {
                times: vec![i64::MAX; PLACES].into_boxed_slice(),
                passes: Block::new(),
            },
            Question::Last(_) => Self::Edge {
                times: vec![i64::MIN; PLACES].into_boxed_slice(),
                passes: Block::new(),
            },
            Question::Top(..) => Self::Pairs(Vec::new()),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Did(_) => PLACES / 8,
            Self::Counts(_) => PLACES * 4,
            Self::Days { .. } => PLACES * 8,
            Self::Sums(sums) => PLACES * 8 + sums.high.len() * 32,
            Self::Means { sums, .. } => PLACES * 12 + sums.high.len() * 32,
            Self::Edge { .. } => PLACES * 8 + PLACES / 8,
            Self::Pairs(pairs) => pairs.capacity() * size_of::<(u16, i64)>(),
        }
    }
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
pub(super) fn selected(
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

    /// By block of the shard, the users found; `None` where there is nobody.
    pub fn finish(self) -> Vec<Option<Block>> {
        let question = &self.behaviour.question;
        let blocks = self.blocks.into_iter();
        blocks
            .map(|notes| notes.map(|notes| answer(notes, question)))
            .map(|block| block.filter(|block| !block.is_empty()))
            .collect()
    }
}

fn note(notes: &mut Notes, question: &Question, bucket: Bucket, part: &Part<'_>) {
    match (notes, question) {
        (Notes::Did(did), _) => part.for_each(|_, place| did.insert(place)),
        (Notes::Counts(counts), _) => count(counts, part),
        (Notes::Days { counts, last }, _) => count_days(counts, last, bucket, part),
        (Notes::Sums(sums), Question::Sum(property, _)) => {
            part.for_each_value(*property, |place, value| sums.add(place, value));
        }
        (Notes::Means { sums, counts }, Question::Average(property, ..)) => {
            part.for_each_value(*property, |place, value| {
                sums.add(place, value);
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

fn count(counts: &mut [u32], part: &Part<'_>) {
    match &part.selected {
        Selected::All => {
            for place in part.places() {
                increase(&mut counts[usize::from(u16::from_le_bytes(*place))]);
            }
        }
        Selected::Nothing => {}
        Selected::Some(selected) => {
            for (place, selected) in part.places().iter().zip(selected) {
                let count = &mut counts[usize::from(u16::from_le_bytes(*place))];
                *count = count.saturating_add(u32::from(*selected));
            }
        }
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

fn answer(notes: Notes, question: &Question) -> Block {
    match (notes, question) {
        (Notes::Did(did), _) => did,
        (Notes::Counts(counts) | Notes::Days { counts, .. }, question) => match question {
            Question::Count(bound) | Question::Days(bound) => counted(&counts, *bound),
            Question::Did
            | Question::Sum(..)
            | Question::Average(..)
            | Question::First(_)
            | Question::Last(_)
            | Question::Top(..)
            | Question::Sequence { .. } => Block::new(),
        },
        (Notes::Sums(sums), Question::Sum(_, bound)) => summed(&sums, *bound),
        (Notes::Means { sums, counts }, Question::Average(_, orderings, than)) => {
            averaged(&sums, &counts, *orderings, *than)
        }
        (Notes::Edge { passes, .. }, _) => passes,
        (Notes::Pairs(pairs), Question::Top(_, wanted)) => most_frequent(pairs, wanted),
        // The notes were made for the question.
        (Notes::Sums(_) | Notes::Means { .. } | Notes::Pairs(_), _) => Block::new(),
    }
}

/// The places that pass, 64 at a time.
fn places(mut passes: impl FnMut(u16) -> bool) -> Block {
    let mut block = Block::new();
    for (word, first) in block.words_mut().iter_mut().zip((0..PLACES).step_by(64)) {
        for bit in 0..64 {
            // Below 2^16.
            *word |= u64::from(passes((first + bit) as u16)) << bit;
        }
    }
    block
}

fn counted(counts: &[u32], bound: Bound) -> Block {
    let clamp = |number: i128| number.clamp(0, u32::MAX.into()) as u32;
    match bound {
        Bound::Within(low, high) if high < 0 || low > u32::MAX.into() => Block::new(),
        Bound::Within(low, high) => {
            let (low, high) = (clamp(low), clamp(high));
            let span = high.saturating_sub(low);
            places(|place| counts[usize::from(place)].wrapping_sub(low) <= span)
        }
        Bound::Outside(_, high) if high >= u32::MAX.into() => Block::new(),
        // Zero is not admitted, so nothing below it counts.
        Bound::Outside(_, high) => {
            let high = clamp(high);
            places(|place| counts[usize::from(place)] > high)
        }
    }
}

fn summed(sums: &Sums, bound: Bound) -> Block {
    let clamp = |number: i128| number.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    let fits = |number: i128| i128::from(clamp(number)) == number;
    match bound {
        Bound::Within(low, high)
            if sums.high.is_empty() && high >= i64::MIN.into() && fits(low) =>
        {
            let (low, high) = (clamp(low), clamp(high));
            places(|place| {
                let sum = sums.low[usize::from(place)];
                low <= sum && sum <= high
            })
        }
        Bound::Within(..) | Bound::Outside(..) => places(|place| bound.admits(sums.total(place))),
    }
}

fn averaged(sums: &Sums, counts: &[u32], orderings: Orderings, than: (i128, i128)) -> Block {
    places(|place| {
        let count = counts[usize::from(place)];
        count > 0 && orderings.admit_mean(sums.total(place), count, than)
    })
}

/// Who has one of the wanted codes as often as any other.
fn most_frequent(mut pairs: Vec<(u16, i64)>, wanted: &[i64]) -> Block {
    pairs.sort_unstable();
    let mut block = Block::new();
    for events in pairs.chunk_by(|(left, _), (right, _)| left == right) {
        let codes = events.chunk_by(|left, right| left == right);
        let most = codes.clone().map(<[_]>::len).max().unwrap_or(0);
        let is_wanted = |codes: &&[(u16, i64)]| {
            codes.len() == most
                && codes
                    .first()
                    .is_some_and(|(_, code)| wanted.binary_search(code).is_ok())
        };
        if let (Some((place, _)), true) =
            (events.first(), codes.clone().any(|codes| is_wanted(&codes)))
        {
            block.insert(*place);
        }
    }
    block
}
