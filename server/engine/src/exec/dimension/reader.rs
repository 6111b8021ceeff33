//! From the codes of a column to the indices of a dim's components.
//!
//! Most blocks have few different codes, so what a code means is looked up once and remembered
//! in a vector over codes; a user then costs two loads.

use tessera_query_lang::ast::CalendarUnit;

use super::{
    axis::{Axis, MISSING},
    calendar,
    split::ColumnSplit,
};
use crate::{
    bitmap::translate_codes,
    column::{Codes, Frame, widen},
    ids::BLOCK_USERS,
    plan::query::NumberUnit,
    time,
};

/// An index that was not looked up yet.
const UNKNOWN: u32 = u32::MAX;
/// The same where an index has one byte.
const UNKNOWN_SHORT: u8 = u8::MAX;
/// Entries that a vector over codes may have.
const ENTRIES_MAX: usize = BLOCK_USERS as usize;
/// Entries that may be made ready for each user of a piece.
const ENTRIES_A_USER: u64 = 8;

/// Reads one dim.
pub(super) struct Reader<'a> {
    split: &'a ColumnSplit,
    /// The index of each code, or of each day after the first.
    entries: Vec<u32>,
    entries_of: Option<Entries>,
    /// The same of codes of one byte, where indices are small.
    short: [u8; 256],
    short_of: Option<Frame>,
    translated: Vec<u8>,
}

/// What entries are the indices of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entries {
    /// Of codes in this frame.
    Codes(Frame),
    /// Of so many days from this one on.
    Days(i64, usize),
}

impl<'a> Reader<'a> {
    pub(super) fn new(split: &'a ColumnSplit) -> Self {
        Self {
            split,
            entries: Vec::new(),
            entries_of: None,
            short: [UNKNOWN_SHORT; 256],
            short_of: None,
            translated: Vec::new(),
        }
    }

    /// The indices of so many users, whose codes are in their order.
    pub(super) fn read(
        &mut self,
        codes: Codes<'_>,
        frame: Frame,
        users: usize,
        axis: &mut Axis,
        indices: &mut Vec<u32>,
    ) {
        // Those without a code have no value; the others are written below.
        indices.resize(users, MISSING);
        match codes {
            Codes::Zero(count) => {
                let index = axis.index(self.split.component(frame.value(0)));
                let (known, missing) = indices.split_at_mut(users.min(count as usize));
                known.fill(index);
                missing.fill(MISSING);
            }
            Codes::One(codes) => {
                if !self.translate(codes, frame, axis, indices) {
                    self.narrow(codes, frame, axis, indices);
                }
            }
            Codes::Two(codes) => self.narrow(codes, frame, axis, indices),
            Codes::Four(codes) => self.wide(codes, frame, axis, indices),
            Codes::Eight(codes) => self.wide(codes, frame, axis, indices),
        }
    }

    /// Codes of one byte whose indices fit a byte as well: all of them at once. Says whether they
    /// do; components that no code stands for are not looked up.
    fn translate(
        &mut self,
        codes: &[[u8; 1]],
        frame: Frame,
        axis: &mut Axis,
        indices: &mut [u32],
    ) -> bool {
        if self.short_of != Some(frame) {
            self.short.fill(UNKNOWN_SHORT);
            self.short_of = Some(frame);
        }
        self.translated.resize(codes.len(), UNKNOWN_SHORT);
        translate_codes(codes, &self.short, &mut self.translated);
        if self.translated.contains(&UNKNOWN_SHORT) {
            for [code] in codes {
                let entry = &mut self.short[usize::from(*code)];
                if *entry == UNKNOWN_SHORT {
                    let index = axis.index(self.split.component(frame.value((*code).into())));
                    let Some(short) = u8::try_from(index).ok().filter(|i| *i < UNKNOWN_SHORT)
                    else {
                        return false;
                    };
                    *entry = short;
                }
            }
            translate_codes(codes, &self.short, &mut self.translated);
        }
        for (out, short) in indices.iter_mut().zip(&self.translated) {
            *out = u32::from(*short);
        }
        true
    }

    /// Codes of two bytes at most.
    fn narrow<const WIDTH: usize>(
        &mut self,
        codes: &[[u8; WIDTH]],
        frame: Frame,
        axis: &mut Axis,
        indices: &mut [u32],
    ) {
        if !self.prepare_codes(WIDTH, frame, codes.len()) {
            return self.each(codes, frame, axis, indices);
        }
        let Ok(entries) = <&mut [u32; ENTRIES_MAX]>::try_from(self.entries.as_mut_slice()) else {
            return self.each(codes, frame, axis, indices);
        };
        let split = self.split;
        let mut fresh = |code: u16| axis.index(split.component(frame.value(code.into())));
        for (out, code) in indices.iter_mut().zip(codes) {
            // At most two bytes: nothing is checked inside the loop.
            let code = widen(*code) as u16;
            let mut index = entries[usize::from(code)];
            if index == UNKNOWN {
                index = fresh(code);
                entries[usize::from(code)] = index;
            }
            *out = index;
        }
    }

    /// Makes the entries ready for a frame, unless that would cost more than it helps.
    fn prepare_codes(&mut self, width: usize, frame: Frame, users: usize) -> bool {
        let wanted = Entries::Codes(frame);
        if self.entries_of == Some(wanted) {
            return true;
        }
        if width > 1 && frame.code_max > ENTRIES_A_USER * users as u64 {
            return false;
        }
        self.entries.resize(ENTRIES_MAX, UNKNOWN);
        let last = if width == 1 { 255 } else { frame.code_max };
        for code in (0..=last).chain([frame.missing]) {
            if let Some(entry) = self.entries.get_mut(code as usize) {
                *entry = UNKNOWN;
            }
        }
        self.entries_of = Some(wanted);
        true
    }

    /// Codes of more than two bytes.
    fn wide<const WIDTH: usize>(
        &mut self,
        codes: &[[u8; WIDTH]],
        frame: Frame,
        axis: &mut Axis,
        indices: &mut [u32],
    ) {
        match self.split {
            ColumnSplit::Calendar(unit, period) => match days_between(frame, *unit) {
                Some((first, count)) if self.prepare_days(first, count, codes.len()) => {
                    self.days(codes, frame, (*unit, *period), first, axis, indices);
                }
                Some(_) | None => self.each(codes, frame, axis, indices),
            },
            ColumnSplit::Codes(_) | ColumnSplit::Bands(_) | ColumnSplit::Exact => {
                self.each(codes, frame, axis, indices);
            }
        }
    }

    fn prepare_days(&mut self, first: i64, count: usize, users: usize) -> bool {
        let wanted = Entries::Days(first, count);
        if self.entries_of == Some(wanted) {
            return true;
        }
        if count as u64 > ENTRIES_A_USER * users as u64 {
            return false;
        }
        self.entries.resize(ENTRIES_MAX, UNKNOWN);
        self.entries
            .iter_mut()
            .take(count)
            .for_each(|entry| *entry = UNKNOWN);
        self.entries_of = Some(wanted);
        true
    }

    fn days<const WIDTH: usize>(
        &mut self,
        codes: &[[u8; WIDTH]],
        frame: Frame,
        (unit, period): (NumberUnit, CalendarUnit),
        first: i64,
        axis: &mut Axis,
        indices: &mut [u32],
    ) {
        for (out, code) in indices.iter_mut().zip(codes) {
            let Some(number) = frame.value(widen(*code)) else {
                *out = MISSING;
                continue;
            };
            let day = day_of(number, unit).and_then(|day| usize::try_from(day - first).ok());
            let Some(entry) = day.and_then(|day| self.entries.get_mut(day)) else {
                *out = axis.index(self.split.component(Some(number)));
                continue;
            };
            if *entry == UNKNOWN {
                *entry = axis.index(Some(calendar::period_of(number, unit, period)));
            }
            *out = *entry;
        }
    }

    /// Looks every user's component up.
    fn each<const WIDTH: usize>(
        &self,
        codes: &[[u8; WIDTH]],
        frame: Frame,
        axis: &mut Axis,
        indices: &mut [u32],
    ) {
        for (out, code) in indices.iter_mut().zip(codes) {
            *out = axis.index(self.split.component(frame.value(widen(*code))));
        }
    }
}

/// The first day of a frame and how many there are, if an entry for each is not too much.
fn days_between(frame: Frame, unit: NumberUnit) -> Option<(i64, usize)> {
    let (first, last) = (day_of(frame.base, unit)?, day_of(frame.value_max(), unit)?);
    let count = usize::try_from(last.checked_sub(first)?)
        .ok()?
        .checked_add(1)?;
    (count <= ENTRIES_MAX).then_some((first, count))
}

fn day_of(number: i64, unit: NumberUnit) -> Option<i64> {
    match unit {
        NumberUnit::Timestamp => Some(time::day_of_micros(number).into()),
        NumberUnit::Date | NumberUnit::Integer | NumberUnit::Decimal(_) => Some(number),
    }
}
