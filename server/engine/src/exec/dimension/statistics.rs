//! What is gathered of the numbers of one attribute in one group.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::plan::query::Detail;

/// Rough bytes of one entry of a distribution.
const ENTRY_BYTES: usize = 24;

/// How often each number occurs.
type Distribution = HashMap<i64, u64, RandomState>;

/// Totals, and the distribution where percentiles are wanted. Exact.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    pub(super) count: u64,
    pub(super) sum: i128,
    pub(super) min: i64,
    pub(super) max: i64,
    distribution: Option<Box<Distribution>>,
}

impl Statistics {
    pub(super) fn new(detail: Detail) -> Self {
        let distribution = match detail {
            Detail::Totals => None,
            Detail::Distribution => Some(Box::default()),
        };
        Self {
            count: 0,
            sum: 0,
            min: i64::MAX,
            max: i64::MIN,
            distribution,
        }
    }

    /// Takes a number; gives the bytes that it took.
    pub(super) fn add(&mut self, number: i64) -> usize {
        self.count += 1;
        self.sum += i128::from(number);
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        self.distribution
            .as_mut()
            .map_or(0, |distribution| add_times(distribution, number, 1))
    }

    /// Takes what another gathered; gives the bytes that it took.
    pub(super) fn merge(&mut self, other: Self) -> usize {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        match (&mut self.distribution, other.distribution) {
            (Some(distribution), Some(other)) => other
                .into_iter()
                .map(|(number, times)| add_times(distribution, number, times))
                .sum(),
            (Some(_) | None, _) => 0,
        }
    }

    /// The nearest-rank percentile: the least number that so many percent do not exceed.
    pub(super) fn percentile(&self, percent: u8) -> Option<i64> {
        let distribution = self.distribution.as_ref()?;
        let mut numbers: Vec<(i64, u64)> = distribution
            .iter()
            .map(|(number, times)| (*number, *times))
            .collect();
        numbers.sort_unstable();
        let rank = (u128::from(self.count) * u128::from(percent))
            .div_ceil(100)
            .max(1);
        let mut seen = 0_u128;
        numbers.into_iter().find_map(|(number, times)| {
            seen += u128::from(times);
            (seen >= rank).then_some(number)
        })
    }
}

fn add_times(distribution: &mut Distribution, number: i64, times: u64) -> usize {
    let before = distribution.len();
    *distribution.entry(number).or_default() += times;
    (distribution.len() - before) * ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let check = |numbers: &[i64], percent: u8, expected: Option<i64>| {
            let mut statistics = Statistics::new(Detail::Distribution);
            for number in numbers {
                statistics.add(*number);
            }
            assert_eq!(
                statistics.percentile(percent),
                expected,
                "p{percent} of {numbers:?}"
            );
        };
        check(&[15, 20, 35, 40, 50], 5, Some(15));
        check(&[15, 20, 35, 40, 50], 30, Some(20));
        check(&[15, 20, 35, 40, 50], 40, Some(20));
        check(&[15, 20, 35, 40, 50], 50, Some(35));
        check(&[15, 20, 35, 40, 50], 100, Some(50));
        check(&[15, 20, 35, 40, 50], 0, Some(15));
        check(&[7, 7, 7, 1], 50, Some(7));
        check(&[], 50, None);
    }

    #[test]
    fn totals_are_exact_at_the_ends() {
        let mut statistics = Statistics::new(Detail::Totals);
        for number in [i64::MAX, i64::MAX, i64::MIN] {
            statistics.add(number);
        }
        assert_eq!(statistics.sum, i128::from(i64::MAX) - 1);
        assert_eq!((statistics.min, statistics.max), (i64::MIN, i64::MAX));
    }
}
