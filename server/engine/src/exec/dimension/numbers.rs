//! The numbers of one measured attribute, or of events, in every slot.
//!
//! Sums are gathered in 64 bits, in several lanes a slot where slots are few, and moved over to
//! 128 bits before they could pass the greatest number.

use super::{
    narrow::Windows,
    statistics::{Distribution, Totals},
    table::LANES,
    wanted::{Gather, WantedNumbers},
};
use crate::{
    bitmap::SliceSum,
    column::{Codes, Frame, widen},
};

/// A part of a sum.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    sum: i64,
    count: u64,
}

/// What was gathered of one attribute.
pub(super) struct Numbers {
    wanted: WantedNumbers,
    lanes: usize,
    /// As many a slot as there are lanes.
    cells: Vec<Cell>,
    /// No sum of a cell is further from zero than this.
    reach: i64,
    totals: Vec<Totals>,
    /// Empty where it is not wanted.
    distributions: Vec<Distribution>,
    distribution_bytes: usize,
}

impl Numbers {
    pub(super) fn new(wanted: WantedNumbers) -> Self {
        Self {
            wanted,
            lanes: 1,
            cells: Vec::new(),
            reach: 0,
            totals: Vec::new(),
            distributions: Vec::new(),
            distribution_bytes: 0,
        }
    }

    /// The same without any slots.
    pub(super) fn emptied(&self) -> Self {
        Self::new(self.wanted)
    }

    /// So many slots, all without numbers.
    pub(super) fn resize(&mut self, slots: usize, lanes: usize) {
        self.lanes = lanes;
        self.cells = vec![Cell::default(); slots * lanes];
        self.totals = vec![Totals::NONE; slots];
        if self.wanted.distribution == Gather::Yes {
            self.distributions = vec![Distribution::default(); slots];
        }
    }

    /// One more slot; there is one lane.
    pub(super) fn push_slot(&mut self) {
        self.cells.push(Cell::default());
        self.totals.push(Totals::NONE);
        if self.wanted.distribution == Gather::Yes {
            self.distributions.push(Distribution::default());
        }
    }

    /// Bytes of one slot before it has numbers.
    pub(super) fn slot_bytes(&self, lanes: usize) -> usize {
        let distribution = match self.wanted.distribution {
            Gather::Yes => size_of::<Distribution>(),
            Gather::No => 0,
        };
        lanes * size_of::<Cell>() + size_of::<Totals>() + distribution
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
            + self.totals.capacity() * size_of::<Totals>()
            + self.distributions.capacity() * size_of::<Distribution>()
            + self.distribution_bytes
    }

    /// The totals of a slot, after the last [`Numbers::settle`].
    pub(super) fn totals(&self, slot: usize) -> Totals {
        self.totals.get(slot).copied().unwrap_or(Totals::NONE)
    }

    /// The distribution of a slot, where that was wanted.
    pub(super) fn distribution(&self, slot: usize) -> Option<&Distribution> {
        self.distributions.get(slot)
    }

    /// Takes a whole slot out of another; both are settled.
    pub(super) fn take_slot(&mut self, slot: usize, other: &mut Self, from: usize) {
        if let (Some(ours), Some(theirs)) = (self.totals.get_mut(slot), other.totals.get(from)) {
            ours.merge(theirs);
        }
        if let (Some(ours), Some(theirs)) = (
            self.distributions.get_mut(slot),
            other.distributions.get_mut(from),
        ) {
            self.distribution_bytes += ours.merge(theirs);
            other.distribution_bytes = other.distribution_bytes.saturating_sub(theirs.heap_bytes());
            *theirs = Distribution::default();
        }
    }

    /// Moves what is in lanes to the totals.
    pub(super) fn settle(&mut self) {
        self.reach = 0;
        for (totals, cells) in self
            .totals
            .iter_mut()
            .zip(self.cells.chunks_mut(self.lanes))
        {
            for cell in cells {
                totals.sum += i128::from(cell.sum);
                totals.count += cell.count;
                *cell = Cell::default();
            }
        }
    }

    /// Takes the sum of some numbers; the least and the greatest stay unknown.
    pub(super) fn add_sum(&mut self, slot: usize, sum: SliceSum) {
        if let Some(totals) = self.totals.get_mut(slot) {
            totals.sum += sum.sum;
            totals.count += u64::from(sum.count);
        }
    }

    /// Takes the least and the greatest of some numbers.
    pub(super) fn add_extremes(&mut self, slot: usize, (least, greatest): (i64, i64)) {
        if let Some(totals) = self.totals.get_mut(slot) {
            totals.min = totals.min.min(least);
            totals.max = totals.max.max(greatest);
        }
    }

    /// Counts a number of the distribution so many times.
    pub(super) fn add_times(&mut self, slot: usize, number: i64, times: u64) {
        if let Some(distribution) = self.distributions.get_mut(slot)
            && times > 0
        {
            self.distribution_bytes += distribution.add_times(number, times);
        }
    }

    /// Takes the numbers of users, whose codes are in the same order as their slots. With
    /// windows, all of them are in one slot, whose windows these are.
    pub(super) fn add(
        &mut self,
        codes: Codes<'_>,
        frame: Frame,
        slots: &[u32],
        windows: Option<&Windows>,
    ) {
        match codes {
            Codes::Zero(count) => {
                let zeros = vec![[]; count as usize];
                self.add_codes::<0>(&zeros, frame, slots, windows);
            }
            Codes::One(codes) => self.add_codes(codes, frame, slots, windows),
            Codes::Two(codes) => self.add_codes(codes, frame, slots, windows),
            Codes::Four(codes) => self.add_codes(codes, frame, slots, windows),
            Codes::Eight(codes) => self.add_codes(codes, frame, slots, windows),
        }
    }

    fn add_codes<const WIDTH: usize>(
        &mut self,
        codes: &[[u8; WIDTH]],
        frame: Frame,
        slots: &[u32],
        windows: Option<&Windows>,
    ) {
        let farthest = frame
            .base
            .unsigned_abs()
            .max(frame.value_max().unsigned_abs());
        if self.make_reach(farthest, slots.len()) {
            match self.lanes {
                LANES => add_sums::<WIDTH, LANES>(&mut self.cells, codes, frame, slots),
                _ => add_sums::<WIDTH, 1>(&mut self.cells, codes, frame, slots),
            }
        } else {
            for_each(codes, frame, slots, |slot, number| {
                let totals = &mut self.totals[slot];
                totals.sum += i128::from(number);
                totals.count += 1;
            });
        }
        if self.wanted.extremes == Gather::Yes {
            for_each(codes, frame, slots, |slot, number| {
                let totals = &mut self.totals[slot];
                totals.min = totals.min.min(number);
                totals.max = totals.max.max(number);
            });
        }
        if self.wanted.distribution == Gather::Yes {
            for_each(codes, frame, slots, |slot, number| {
                let number = windows.map_or(number, |windows| windows.place(number));
                self.distribution_bytes += self.distributions[slot].add(number);
            });
        }
    }

    /// Counts one more number in each of some slots, without knowing it.
    pub(super) fn count_each(&mut self, slots: &[u32]) {
        for slot in slots {
            if let Some(totals) = self.totals.get_mut(*slot as usize) {
                totals.count += 1;
            }
        }
    }

    /// Takes numbers of events, in the order of their slots. None is further from zero than
    /// `farthest`.
    pub(super) fn add_values(&mut self, values: &[i64], farthest: u64, slots: &[u32]) {
        let each = || values.iter().zip(slots);
        if self.make_reach(farthest, values.len()) {
            for (value, slot) in each() {
                if let Some(cell) = self.cells.get_mut(*slot as usize * self.lanes) {
                    cell.sum = cell.sum.wrapping_add(*value);
                    cell.count = cell.count.wrapping_add(1);
                }
            }
        } else {
            for (value, slot) in each() {
                if let Some(totals) = self.totals.get_mut(*slot as usize) {
                    totals.sum += i128::from(*value);
                    totals.count += 1;
                }
            }
        }
        if self.wanted.extremes == Gather::Yes {
            for (value, slot) in each() {
                if let Some(totals) = self.totals.get_mut(*slot as usize) {
                    totals.min = totals.min.min(*value);
                    totals.max = totals.max.max(*value);
                }
            }
        }
        if self.wanted.distribution == Gather::Yes {
            for (value, slot) in each() {
                if let Some(distribution) = self.distributions.get_mut(*slot as usize) {
                    self.distribution_bytes += distribution.add(*value);
                }
            }
        }
    }

    /// Makes sure that sums in 64 bits can take so many numbers that are no further from zero.
    fn make_reach(&mut self, farthest: u64, numbers: usize) -> bool {
        let more = i64::try_from(u128::from(farthest) * numbers as u128);
        let Ok(more) = more else {
            return false;
        };
        self.reach = match self.reach.checked_add(more) {
            Some(reach) => reach,
            None => {
                self.settle();
                more
            }
        };
        true
    }
}

/// Adds numbers to the sums of slots that have so many lanes, 1 or [`LANES`].
fn add_sums<const WIDTH: usize, const LANES: usize>(
    cells: &mut [Cell],
    codes: &[[u8; WIDTH]],
    frame: Frame,
    slots: &[u32],
) {
    let (cells, _) = cells.as_chunks_mut::<LANES>();
    let (groups, last) = codes.as_chunks::<LANES>();
    let (slot_groups, last_slots) = slots.as_chunks::<LANES>();
    for (codes, slots) in groups.iter().zip(slot_groups) {
        for lane in 0..LANES {
            if let Some(cells) = cells.get_mut(slots[lane] as usize) {
                cells[lane].add(codes[lane], frame);
            }
        }
    }
    // Of a column whose places have no bytes there may be fewer codes than slots.
    let last_slots = slot_groups
        .get(groups.len())
        .map_or(last_slots, |slots| slots);
    for (code, slot) in last.iter().zip(last_slots) {
        if let Some([cell, ..]) = cells
            .get_mut(*slot as usize)
            .map(|cells| cells.as_mut_slice())
        {
            cell.add(*code, frame);
        }
    }
}

impl Cell {
    /// Takes a code's number. The caller saw to it that no sum passes 64 bits.
    fn add<const WIDTH: usize>(&mut self, code: [u8; WIDTH], frame: Frame) {
        let code = widen(code);
        // A missing number adds nothing: not a jump that nobody can foresee.
        let is_there = u64::from(code != frame.missing);
        let number = frame.base.wrapping_add_unsigned(code);
        let number = number & (is_there as i64).wrapping_neg();
        self.sum = self.sum.wrapping_add(number);
        self.count = self.count.wrapping_add(is_there);
    }
}

/// Visits the users who have a number.
fn for_each<const WIDTH: usize>(
    codes: &[[u8; WIDTH]],
    frame: Frame,
    slots: &[u32],
    mut visit: impl FnMut(usize, i64),
) {
    for (code, slot) in codes.iter().zip(slots) {
        if let Some(number) = frame.value(widen(*code)) {
            visit(*slot as usize, number);
        }
    }
}
