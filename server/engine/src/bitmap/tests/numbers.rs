//! Ranges and sums over bit slices against the numbers themselves.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use proptest::prelude::*;

use super::block;
use crate::{
    bitmap::{Block, Fragment, NumberSlices, SLICE_BITS, SliceScratch, SliceSum, magnitude},
    ids::{AttributeId, NumberId, RowId, SliceRow},
};

/// Offsets in a shard and their numbers.
type Numbers = BTreeMap<u32, i64>;

fn row(numbers: &Numbers, row: SliceRow) -> Fragment {
    let is_in = |value: i64| match row {
        SliceRow::Present => true,
        SliceRow::Sign => value < 0,
        SliceRow::Bit(bit) => magnitude(value) >> bit & 1 == 1,
    };
    let offsets = numbers
        .iter()
        .filter(|(_, value)| is_in(**value))
        .map(|(offset, _)| *offset);
    Fragment::from_sorted(offsets).unwrap()
}

fn slices(numbers: &Numbers) -> NumberSlices {
    let fetch = |wanted| Ok::<_, Infallible>(Arc::new(row(numbers, wanted)));
    match NumberSlices::load(fetch) {
        Ok(slices) => slices,
        Err(impossible) => match impossible {},
    }
}

fn check_range(numbers: &Numbers, slices: &NumberSlices, low: Option<i64>, high: Option<i64>) {
    let mut scratch = SliceScratch::new();
    for block_index in 0..16 {
        let mut out = Block::full();
        slices.range_into(low, high, block_index, &mut scratch, &mut out);
        let in_range = |value: i64| {
            low.is_none_or(|low| low <= value) && high.is_none_or(|high| value <= high)
        };
        let expected: Vec<u16> = numbers
            .iter()
            .filter(|(offset, value)| **offset >> 16 == block_index && in_range(**value))
            .map(|(offset, _)| *offset as u16)
            .collect();
        let found: Vec<u16> = out.iter().collect();
        assert_eq!(
            found, expected,
            "{low:?} to {high:?} in block {block_index}"
        );
    }
}

fn check_sum(numbers: &Numbers, slices: &NumberSlices, block_index: u32, users: &Block) {
    let values = numbers
        .iter()
        .filter(|(offset, _)| **offset >> 16 == block_index && users.contains(**offset as u16))
        .map(|(_, value)| i128::from(*value));
    let expected = SliceSum {
        count: values.clone().count() as u32,
        sum: values.sum(),
    };
    assert_eq!(
        slices.sum(block_index, users, &mut SliceScratch::new()),
        expected
    );
}

fn check_extremes(numbers: &Numbers, slices: &NumberSlices, block_index: u32, users: &Block) {
    let values = numbers
        .iter()
        .filter(|(offset, _)| **offset >> 16 == block_index && users.contains(**offset as u16))
        .map(|(_, value)| *value);
    let expected = values.clone().min().zip(values.max());
    let found = slices.extremes(block_index, users, &mut SliceScratch::new());
    assert_eq!(found, expected, "block {block_index}");
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => -10i64..10,
        2 => -1000i64..1000,
        1 => any::<i64>(),
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX]),
    ]
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let offset = prop_oneof![0u32..300, 65_400u32..65_700, 0u32..1 << 20];
    let any_sign = prop::collection::btree_map(offset.clone(), value(), 0..200);
    let positive = prop::collection::btree_map(offset, 0i64..5000, 0..200);
    prop_oneof![2 => any_sign, 1 => positive]
}

#[test]
fn magnitudes_are_small_for_small_numbers() {
    let check = |value, expected| assert_eq!(magnitude(value), expected, "{value}");
    check(0, 0);
    check(-1, 0);
    check(1, 1);
    check(-2, 1);
    check(i64::MAX, u64::MAX >> 1);
    check(i64::MIN, u64::MAX >> 1);
}

#[test]
fn extremes_are_found_and_summed() {
    let values = [
        i64::MIN,
        i64::MIN + 1,
        -2,
        -1,
        0,
        1,
        2,
        i64::MAX - 1,
        i64::MAX,
    ];
    let numbers: Numbers = (0..).zip(values).collect();
    let slices = slices(&numbers);
    let bounds: Vec<_> = [None].into_iter().chain(values.map(Some)).collect();
    for low in &bounds {
        for high in &bounds {
            check_range(&numbers, &slices, *low, *high);
        }
    }
    check_sum(&numbers, &slices, 0, &Block::full());
    let mut first = Block::new();
    for end in 0..=values.len() as u16 {
        let mut others = Block::full();
        others.and_not(&first);
        check_extremes(&numbers, &slices, 0, &first);
        check_extremes(&numbers, &slices, 0, &others);
        first.insert(end);
    }
    let most: Numbers = (0..1 << 16).map(|offset| (offset, i64::MIN)).collect();
    let slices = self::slices(&most);
    check_sum(&most, &slices, 0, &Block::full());
    check_range(&most, &slices, Some(i64::MIN), Some(i64::MIN));
}

#[test]
fn a_full_block_of_values_is_summed() {
    let numbers: Numbers = (0..1 << 16)
        .map(|offset| (offset, i64::from(offset) - 30_000))
        .collect();
    let slices = slices(&numbers);
    check_sum(&numbers, &slices, 0, &Block::full());
    check_range(&numbers, &slices, Some(-100), Some(100));
}

#[test]
fn rows_are_fetched_once_and_not_at_all_for_nobody() {
    let mut fetched = Vec::new();
    let empty = NumberSlices::load(|row| {
        fetched.push(row);
        Ok::<_, Infallible>(Arc::new(Fragment::empty()))
    });
    assert_eq!(fetched, [SliceRow::Present]);
    assert!(empty.is_ok_and(|slices| slices.present().is_empty()));
    let mut fetched = 0;
    let one = Arc::new(Fragment::from_sorted([1]).unwrap());
    let _ = NumberSlices::load(|_| {
        fetched += 1;
        Ok::<_, Infallible>(Arc::clone(&one))
    });
    assert_eq!(fetched, 2 + usize::from(SLICE_BITS));
    let failed = NumberSlices::load(|row| match row {
        SliceRow::Present | SliceRow::Sign => Ok(Arc::clone(&one)),
        SliceRow::Bit(bit) => Err(bit),
    });
    assert_eq!(failed.map(|_| ()), Err(0));
}

#[test]
fn rows_have_their_names() {
    let attribute = AttributeId(4);
    let number = NumberId::from(attribute);
    let check = |row: SliceRow, expected| assert_eq!(number.row(row), expected);
    check(SliceRow::Present, RowId::Present(attribute));
    check(SliceRow::Sign, RowId::Sign(attribute));
    check(SliceRow::Bit(62), RowId::Slice(attribute, 62));
}

#[test]
fn bits_without_a_value_do_not_count() {
    // Stray bits of a user who has no value, as a half-dropped row might hold.
    let stray = Arc::new(Fragment::from_sorted([1, 2]).unwrap());
    let present = Arc::new(Fragment::from_sorted([2]).unwrap());
    let slices = NumberSlices::load(|row| {
        let fragment = match row {
            SliceRow::Present => &present,
            SliceRow::Sign | SliceRow::Bit(_) => &stray,
        };
        Ok::<_, Infallible>(Arc::clone(fragment))
    });
    let Ok(slices) = slices;
    check_range(&Numbers::from([(2, i64::MIN)]), &slices, None, Some(-1));
    check_range(&Numbers::from([(2, i64::MIN)]), &slices, None, None);
    check_sum(&Numbers::from([(2, i64::MIN)]), &slices, 0, &Block::full());
}

proptest! {
    #[test]
    fn ranges_are_those_of_the_numbers(
        numbers in numbers(),
        bounds in prop::collection::vec((prop::option::of(value()), prop::option::of(value())), 1..6),
    ) {
        let slices = slices(&numbers);
        for (low, high) in bounds {
            check_range(&numbers, &slices, low, high);
            check_range(&numbers, &slices, low, low);
        }
    }

    #[test]
    fn sums_and_extremes_are_those_of_the_numbers(numbers in numbers(), users in block(), block_index in 0u32..3) {
        let slices = slices(&numbers);
        check_sum(&numbers, &slices, block_index, &users);
        check_extremes(&numbers, &slices, block_index, &users);
    }
}
