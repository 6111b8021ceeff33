//! The numbers of one measured attribute in every slot.
//!
//! Sums are gathered in 64 bits, in several lanes a slot where slots are few, and moved over to
//! 128 bits before they could pass the greatest number.

use super::{
    statistics::{Distribution, Totals},
    table::LANES,
    wanted::{Gather, WantedNumbers},
};
use crate::{
    bitmap::SliceSum,
    column::{Codes, ColumnBlock, Frame, widen},
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

    /// Takes the numbers of users, whose slots are in the same order as their places.
    pub(super) fn add(&mut self, column: &ColumnBlock, places: &[u16], slots: &[u32]) {
        let frame = column.frame();
        match column.stored() {
            Codes::Zero(count) => {
                let zeros = vec![[]; count as usize];
                self.add_codes::<0>(&zeros, frame, places, slots);
            }
            Codes::One(codes) => self.add_codes(codes, frame, places, slots),
            Codes::Two(codes) => self.add_codes(codes, frame, places, slots),
            Codes::Four(codes) => self.add_codes(codes, frame, places, slots),
            Codes::Eight(codes) => self.add_codes(codes, frame, places, slots),
        }
    }

    fn add_codes<const WIDTH: usize>(
        &mut self,
        codes: &[[u8; WIDTH]],
        frame: Frame,
        places: &[u16],
        slots: &[u32],
    ) {
        if self.make_reach(frame, places.len()) {
            self.add_sums(codes, frame, places, slots);
        } else {
            for_each(codes, frame, places, slots, |slot, number| {
                let totals = &mut self.totals[slot];
                totals.sum += i128::from(number);
                totals.count += 1;
            });
        }
        if self.wanted.extremes == Gather::Yes {
            for_each(codes, frame, places, slots, |slot, number| {
                let totals = &mut self.totals[slot];
                totals.min = totals.min.min(number);
                totals.max = totals.max.max(number);
            });
        }
        if self.wanted.distribution == Gather::Yes {
            for_each(codes, frame, places, slots, |slot, number| {
                self.distribution_bytes += self.distributions[slot].add(number);
            });
        }
    }

    /// Makes sure that sums in 64 bits can take so many numbers of a frame.
    fn make_reach(&mut self, frame: Frame, users: usize) -> bool {
        let farthest = frame
            .base
            .unsigned_abs()
            .max(frame.value_max().unsigned_abs());
        let more = i64::try_from(u128::from(farthest) * users as u128);
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

    fn add_sums<const WIDTH: usize>(
        &mut self,
        codes: &[[u8; WIDTH]],
        frame: Frame,
        places: &[u16],
        slots: &[u32],
    ) {
        let lanes = self.lanes;
        let mut lane = 0;
        for (place, slot) in places.iter().zip(slots) {
            let Some(code) = codes.get(usize::from(*place)) else {
                break;
            };
            let code = widen(*code);
            let cell = &mut self.cells[*slot as usize * lanes + lane];
            lane = (lane + 1) & (lanes - 1);
            // A missing number adds nothing: not a jump that nobody can foresee.
            let is_there = u64::from(code != frame.missing);
            let number = frame.base.wrapping_add_unsigned(code);
            // `make_reach` saw to it that no sum passes 64 bits.
            cell.sum = cell
                .sum
                .wrapping_add(number & (is_there as i64).wrapping_neg());
            cell.count = cell.count.wrapping_add(is_there);
        }
    }
}

/// Visits the users who have a number.
fn for_each<const WIDTH: usize>(
    codes: &[[u8; WIDTH]],
    frame: Frame,
    places: &[u16],
    slots: &[u32],
    mut visit: impl FnMut(usize, i64),
) {
    for (place, slot) in places.iter().zip(slots) {
        let code = codes.get(usize::from(*place)).copied();
        if let Some(number) = code.and_then(|code| frame.value(widen(code))) {
            visit(*slot as usize, number);
        }
    }
}

const _: () = assert!(LANES.is_power_of_two(), "lanes are counted with a mask");
