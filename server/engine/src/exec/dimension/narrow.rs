//! Percentiles over bit slices: among which numbers they are, before everybody is counted.
//!
//! A percentile needs the numbers about it, and how many are below these. So a small part of the
//! users is looked at first, in columns: what it says of a group's percentiles, with a margin on
//! either side, are the group's [`Windows`]. Then everybody is counted, once for all percentiles:
//! slices tell who is between two windows, all at once and number unseen, and who is in one; only
//! of these the numbers are read. Those between stand in the group's distribution at the number
//! before the next window. A percentile that lands there shows that the part misled; then every
//! number is gathered after all, so the answer is exact whatever the data are.
//!
//! Source of the idea: Floyd, Rivest: "Expected time bounds for selection", CACM 1975 (two
//! members of a sample between which the wanted one is almost always).

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{layout::GroupKey, statistics::Distribution, table::Table};
use crate::{
    bitmap::{Block, NumberSlices, SliceScratch},
    column::ColumnBlock,
    error::Error,
    exec::{
        byte_meter::{ByteMeter, ByteShare, hash_bytes},
        limits::QueryLimitError,
    },
};

/// Of so many words of a block, one has users who are looked at first: lines of the column that
/// are not read at all.
const WORDS_A_SAMPLED_ONE: usize = 4;
/// Of the places of that word every sixteenth: numbers are often alike where users came one after
/// the other.
const SAMPLED_PLACES: u64 = 0x0001_0001_0001_0001;
const PLACES_A_SAMPLED_ONE: usize = 16;
/// How much further the places of a sampled word, and of a block, are than those of the one
/// before: nothing in the data is likely to return at these steps.
const PLACES_A_WORD: usize = 5;
const PLACES_A_BLOCK: usize = 3;
/// Numbers of a group from which on they tell something of its percentiles.
const SAMPLED_NUMBERS_MIN: u64 = 128;
/// How far from the wanted rank windows begin and end, in standard deviations of the rank that
/// the median has in a sample; and ranks besides.
const MARGIN_DEVIATIONS: u64 = 4;
const MARGIN_RANKS: u64 = 8;

/// Keeps the part of a block's users who are looked at first. `block` is its number.
pub(super) fn keep_sampled(block: u16, users: &mut Block) {
    let block = usize::from(block);
    for (index, word) in users.words_mut().iter_mut().enumerate() {
        if !(index + block).is_multiple_of(WORDS_A_SAMPLED_ONE) {
            *word = 0;
            continue;
        }
        let steps = index / WORDS_A_SAMPLED_ONE * PLACES_A_WORD + block * PLACES_A_BLOCK;
        // Below sixteen.
        *word &= SAMPLED_PLACES.rotate_left((steps % PLACES_A_SAMPLED_ONE) as u32);
    }
}

/// Numbers from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    low: i64,
    high: i64,
}

/// Among which numbers the percentiles of one group are: rising, and between any two of them
/// there are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Windows(Vec<Window>);

/// The users of one group in a block, and what is known of their numbers.
pub(super) struct CountedUsers<'a> {
    pub(super) slices: &'a NumberSlices,
    pub(super) column: &'a ColumnBlock,
    /// The block's index in its shard.
    pub(super) index: u32,
    pub(super) users: &'a Block,
    /// How many of them have a number.
    pub(super) present: u32,
}

impl Windows {
    /// What some of a group's numbers say of the percentiles of all. Nothing, when they are few
    /// or the percentiles may be anywhere.
    fn of(sample: &Distribution, percents: &[u8]) -> Option<Self> {
        let count = sample.count();
        if count < SAMPLED_NUMBERS_MIN || percents.is_empty() {
            return None;
        }
        let margin = MARGIN_DEVIATIONS * count.isqrt() / 2 + MARGIN_RANKS;
        let ranks = percents.iter().map(|percent| sample.rank(*percent));
        let ends: Vec<u64> = ranks
            .flat_map(|rank| [rank.saturating_sub(margin), rank.saturating_add(margin)])
            .collect();
        let numbers = sample.numbers_at(&ends);
        let (pairs, _) = numbers.as_chunks::<2>();
        let mut windows: Vec<Window> = pairs
            .iter()
            .map(|[low, high]| Window {
                low: low.unwrap_or(i64::MIN),
                high: high.unwrap_or(i64::MAX),
            })
            .collect();
        windows.sort_unstable_by_key(|window| window.low);
        windows.dedup_by(|next, window| {
            let is_near = next.low <= window.high.saturating_add(1);
            if is_near {
                window.high = window.high.max(next.high);
            }
            is_near
        });
        let is_everywhere = |window: &Window| (window.low, window.high) == (i64::MIN, i64::MAX);
        (!windows.iter().any(is_everywhere)).then_some(Self(windows))
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        // As many as percentiles at most.
        self.0.len() as u32
    }

    /// At which number a number is counted: its own in a window, and elsewhere the one before
    /// the next window, or after the last.
    pub(super) fn place(&self, number: i64) -> i64 {
        let next = self.0.partition_point(|window| window.high < number);
        match (self.0.get(next), self.0.last()) {
            (Some(window), _) if window.low <= number => number,
            (Some(window), _) => window.low.saturating_sub(1),
            (None, Some(last)) => last.high.saturating_add(1),
            (None, None) => number,
        }
    }

    /// Whether a number is in a window.
    pub(super) fn hold(&self, number: i64) -> bool {
        let is_in = |window: &Window| (window.low..=window.high).contains(&number);
        self.0.iter().any(is_in)
    }

    /// Gives the places of users' numbers to `take`, and how many users have them.
    pub(super) fn count(
        &self,
        counted: &CountedUsers<'_>,
        scratch: &mut SliceScratch,
        found: &mut Block,
        mut take: impl FnMut(i64, u64),
    ) {
        let CountedUsers { slices, index, .. } = *counted;
        let mut start = i64::MIN;
        let mut rest = counted.present;
        for Window { low, high } in &self.0 {
            if start < *low {
                let before = low.saturating_sub(1);
                slices.range_into(Some(start), Some(before), index, scratch, found);
                let between = found.count_and(counted.users);
                take(before, between.into());
                rest = rest.saturating_sub(between);
            }
            slices.range_into(Some(*low), Some(*high), index, scratch, found);
            rest = rest.saturating_sub(found.and_counted(counted.users));
            counted.column.for_each(found, |_, number| {
                if let Some(number) = number {
                    take(number, 1);
                }
            });
            start = high.saturating_add(1);
        }
        if rest > 0 {
            take(start, rest.into());
        }
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Window>()
    }
}

/// The windows of every group in which a part of the users was found often enough.
pub(super) struct Narrowed<'t> {
    /// By measured attribute.
    groups: HashMap<GroupKey, Vec<Option<Windows>>, RandomState>,
    _share: ByteShare<'t>,
}

impl<'t> Narrowed<'t> {
    /// What was gathered of a part of the users, and the wanted percentiles of each measured
    /// attribute.
    ///
    /// # Errors
    /// When windows take more than groups may.
    pub(super) fn of(
        sample: &Table<'_>,
        percents: &[Vec<u8>],
        meter: &'t ByteMeter,
    ) -> Result<Self, Error> {
        let mut groups = HashMap::with_hasher(RandomState::default());
        let mut share = meter.share();
        let mut bytes = 0;
        for slot in (0..sample.slots()).filter(|slot| sample.count(*slot) > 0) {
            let windows: Vec<Option<Windows>> = sample
                .numbers()
                .iter()
                .zip(percents)
                .map(|(numbers, percents)| Windows::of(numbers.distribution(slot)?, percents))
                .collect();
            if windows.iter().all(Option::is_none) {
                continue;
            }
            let held = windows.iter().flatten().map(Windows::heap_bytes);
            bytes += windows.capacity() * size_of::<Option<Windows>>() + held.sum::<usize>();
            groups.insert(sample.key(slot), windows);
            share.set(bytes + hash_bytes::<(GroupKey, Vec<Windows>)>(groups.capacity()));
            if share.is_exceeded() {
                let max = share.bytes_max();
                return Err(QueryLimitError::GroupBytes { max }.into());
            }
        }
        Ok(Self {
            groups,
            _share: share,
        })
    }

    /// A group's windows by measured attribute; empty where all its numbers are gathered.
    pub(super) fn windows(&self, key: &GroupKey) -> &[Option<Windows>] {
        self.groups.get(key).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

    use proptest::prelude::*;

    use super::*;

    fn windows(ends: &[(i64, i64)]) -> Windows {
        let window = |(low, high): &(i64, i64)| Window {
            low: *low,
            high: *high,
        };
        Windows(ends.iter().map(window).collect())
    }

    fn distribution(numbers: impl Iterator<Item = i64>) -> Distribution {
        let mut distribution = Distribution::default();
        for number in numbers {
            distribution.add(number);
        }
        distribution
    }

    #[test]
    fn numbers_between_windows_stand_before_the_next() {
        let windows = windows(&[(10, 20), (30, 30)]);
        let check = |number: i64, place: i64, is_held: bool| {
            let found = (windows.place(number), windows.hold(number));
            assert_eq!(found, (place, is_held), "{number}");
        };
        check(i64::MIN, 9, false);
        check(9, 9, false);
        check(10, 10, true);
        check(20, 20, true);
        check(21, 29, false);
        check(29, 29, false);
        check(30, 30, true);
        check(31, 31, false);
        check(i64::MAX, 31, false);
    }

    #[test]
    fn few_numbers_say_nothing() {
        let check = |count: i64, percents: &[u8], expected: bool| {
            let found = Windows::of(&distribution(0..count), percents);
            assert_eq!(found.is_some(), expected, "{count} {percents:?}");
        };
        check(0, &[50], false);
        check(127, &[50], false);
        check(1000, &[50], true);
        check(1000, &[], false);
        // Between them they may be anywhere.
        check(130, &[0, 25, 50, 75, 100], false);
    }

    #[test]
    fn windows_that_touch_are_one() {
        let of = |percents: &[u8]| Windows::of(&distribution(0..10_000), percents).expect("many");
        assert_eq!(of(&[50, 50]), of(&[50]));
        assert_eq!(of(&[50, 51]).len(), 1);
        assert_eq!(of(&[90, 10, 50]).len(), 3);
        assert!(of(&[0]).hold(i64::MIN) && of(&[100]).hold(i64::MAX));
        // All the same number: a window of one.
        let same = Windows::of(&distribution(std::iter::repeat_n(7, 1000)), &[50]);
        assert_eq!(same, Some(windows(&[(7, 7)])));
    }

    #[test]
    fn a_part_of_every_block_is_sampled() {
        for block in [0, 1, 2, 100, u16::MAX] {
            let mut users = Block::full();
            keep_sampled(block, &mut users);
            assert_eq!(users.count(), 1024);
        }
    }

    proptest! {
        #[test]
        fn a_percentile_in_a_window_is_that_of_all(
            numbers in prop::collection::vec(prop_oneof![-300_i64..300, Just(5)], 500..2000),
            every in 1_usize..4,
            percents in prop::collection::vec(0_u8..=100, 1..4),
        ) {
            let sample = distribution(numbers.iter().copied().step_by(every));
            if let Some(windows) = Windows::of(&sample, &percents) {
                let all = distribution(numbers.iter().copied()).percentiles(&percents);
                let placed = distribution(numbers.iter().map(|number| windows.place(*number)));
                for (found, expected) in placed.percentiles(&percents).into_iter().zip(all) {
                    let found = found.expect("there are numbers");
                    if windows.hold(found) {
                        prop_assert_eq!(Some(found), expected);
                    }
                }
            }
        }
    }
}
