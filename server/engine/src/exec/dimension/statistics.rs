//! What is gathered of the numbers of one attribute in one group.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::exec::byte_meter::hash_bytes;

/// Count, sum, least and greatest. Exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) count: u64,
    pub(super) sum: i128,
    pub(super) min: i64,
    pub(super) max: i64,
}

impl Totals {
    /// Of no numbers.
    pub(super) const NONE: Self = Self {
        count: 0,
        sum: 0,
        min: i64::MAX,
        max: i64::MIN,
    };

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// Places that a histogram may have whatever it holds.
const WINDOW_MIN: u64 = 64;
/// Places that a histogram may have for each number taken.
const WINDOW_A_NUMBER: u64 = 4;

/// How often each number occurs: a histogram over a window where most of them are close
/// together, a hash table for the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Distribution {
    count: u64,
    low: i64,
    window: Vec<u64>,
    others: HashMap<i64, u64, RandomState>,
}

impl Distribution {
    /// Takes a number; gives the bytes that it took.
    pub(super) fn add(&mut self, number: i64) -> usize {
        self.add_times(number, 1)
    }

    /// Takes what another gathered; gives the bytes that it took.
    pub(super) fn merge(&mut self, other: &Self) -> usize {
        other
            .iter()
            .map(|(number, times)| self.add_times(number, times))
            .sum()
    }

    /// Takes a number so many times; gives the bytes that it took.
    pub(super) fn add_times(&mut self, number: i64, times: u64) -> usize {
        self.count += times;
        // A number below the window wraps to a place far beyond it.
        let place = number.wrapping_sub(self.low) as u64;
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        match self.window.get_mut(place) {
            Some(held) => {
                *held += times;
                0
            }
            None => self.add_outside(number, times),
        }
    }

    fn add_outside(&mut self, number: i64, times: u64) -> usize {
        let before = self.heap_bytes();
        if !self.widen(number) {
            *self.others.entry(number).or_default() += times;
        } else if let Ok(place) = usize::try_from(number.wrapping_sub(self.low))
            && let Some(held) = self.window.get_mut(place)
        {
            *held += times;
        }
        self.heap_bytes().saturating_sub(before)
    }

    /// Extends the window to a number, and a bit further, unless it would be too wide for what
    /// was taken so far.
    fn widen(&mut self, number: i64) -> bool {
        let width_max = WINDOW_MIN.max(self.count.saturating_mul(WINDOW_A_NUMBER));
        let (low, last) = match self.window.len() {
            0 => (number, number),
            len => (
                self.low.min(number),
                self.low.saturating_add_unsigned(len as u64 - 1).max(number),
            ),
        };
        let width = low.abs_diff(last).saturating_add(1);
        if width > width_max {
            return false;
        }
        let spare = (width / 2).min(width_max - width);
        let below = match self.window.len() {
            0 => 0,
            _ if low == self.low => 0,
            _ => self.low.abs_diff(low.saturating_sub_unsigned(spare)),
        };
        let low = low.saturating_sub_unsigned(if below == 0 { 0 } else { spare });
        // No place stands for a number beyond the greatest.
        let above = spare.min(last.abs_diff(i64::MAX));
        let width = low.abs_diff(last).saturating_add(1).saturating_add(above);
        let (Ok(below), Ok(width)) = (usize::try_from(below), usize::try_from(width)) else {
            return false;
        };
        let mut window = vec![0; width];
        for (target, held) in window.iter_mut().skip(below).zip(&self.window) {
            *target = *held;
        }
        (self.low, self.window) = (low, window);
        true
    }

    fn iter(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        let window = self.window.iter().enumerate();
        window
            .map(|(place, times)| (self.low.wrapping_add_unsigned(place as u64), *times))
            .chain(self.others.iter().map(|(number, times)| (*number, *times)))
            .filter(|(_, times)| *times > 0)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.window.capacity() * size_of::<u64>() + hash_bytes::<(i64, u64)>(self.others.capacity())
    }

    /// How many numbers were taken.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The nearest-rank percentiles: each the least number that so many percent do not exceed.
    /// Of no numbers there are none.
    pub(super) fn percentiles(&self, percents: &[u8]) -> Vec<Option<i64>> {
        let ranks: Vec<u64> = percents.iter().map(|percent| self.rank(*percent)).collect();
        self.numbers_at(&ranks)
    }

    /// Which one in order a percentile is, counted from 1.
    pub(super) fn rank(&self, percent: u8) -> u64 {
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100);
        // Percentiles are of 0 to 100: no greater than the count.
        u64::try_from(rank).unwrap_or(u64::MAX).max(1)
    }

    /// The numbers at some ranks, counted from 1, all found in one pass from the least number to
    /// the greatest. Before the first and beyond the last there are none.
    pub(super) fn numbers_at(&self, ranks: &[u64]) -> Vec<Option<i64>> {
        let mut numbers: Vec<(i64, u64)> = self.iter().collect();
        if !self.others.is_empty() {
            numbers.sort_unstable();
        }
        let mut order: Vec<usize> = (0..ranks.len()).filter(|index| ranks[*index] > 0).collect();
        order.sort_unstable_by_key(|index| ranks[*index]);
        let mut wanted = order.into_iter().peekable();
        let mut found = vec![None; ranks.len()];
        // A number may be both in the window and beside it: what counts is the running sum.
        let mut seen = 0_u64;
        for (number, times) in numbers {
            seen = seen.saturating_add(times);
            while let Some(index) = wanted.next_if(|index| ranks[*index] <= seen) {
                found[index] = Some(number);
            }
        }
        found
    }

    /// How many different numbers there are.
    pub(super) fn different(&self) -> usize {
        // A number may be both in the window and beside it.
        let in_window = |number: i64| {
            let place = usize::try_from(number.wrapping_sub(self.low) as u64);
            let held = place.ok().and_then(|place| self.window.get(place));
            held.is_some_and(|times| *times > 0)
        };
        let within = self.window.iter().filter(|times| **times > 0).count();
        within
            + self
                .others
                .keys()
                .filter(|number| !in_window(**number))
                .count()
    }

    /// Bytes that finding percentiles takes.
    pub(super) fn percentile_bytes(&self) -> usize {
        // Collected into a vector that doubles.
        2 * (self.window.len() + self.others.len()) * size_of::<(i64, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(numbers: &[i64]) -> Distribution {
        let mut distribution = Distribution::default();
        let bytes: usize = numbers.iter().map(|number| distribution.add(*number)).sum();
        assert!(bytes >= distribution.heap_bytes());
        distribution
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let check = |numbers: &[i64], percent: u8, expected: Option<i64>| {
            let found = of(numbers).percentiles(&[percent]);
            assert_eq!(found, [expected], "p{percent} of {numbers:?}");
        };
        check(&[15, 20, 35, 40, 50], 5, Some(15));
        check(&[15, 20, 35, 40, 50], 30, Some(20));
        check(&[15, 20, 35, 40, 50], 40, Some(20));
        check(&[15, 20, 35, 40, 50], 50, Some(35));
        check(&[15, 20, 35, 40, 50], 100, Some(50));
        check(&[15, 20, 35, 40, 50], 0, Some(15));
        check(&[7, 7, 7, 1], 50, Some(7));
        check(&[i64::MAX, i64::MIN, 0], 50, Some(0));
        check(&[], 50, None);
    }

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![
            -50_i64..50,
            -5000_i64..5000,
            any::<i64>(),
            Just(i64::MIN),
            Just(i64::MAX)
        ]
    }

    proptest! {
        #[test]
        fn distributions_are_those_of_sorted_lists(
            left in prop::collection::vec(number(), 0..300),
            right in prop::collection::vec(number(), 0..300),
            percent in 0_u8..=100,
        ) {
            let mut merged = of(&left);
            merged.merge(&of(&right));
            let mut all = [left, right].concat();
            all.sort_unstable();
            let rank = (all.len() * usize::from(percent)).div_ceil(100).max(1);
            prop_assert_eq!(merged.percentiles(&[percent]), [all.get(rank - 1).copied()]);
            all.dedup();
            prop_assert_eq!(merged.different(), all.len());
        }
    }
}
