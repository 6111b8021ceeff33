//! Column blocks against maps of their values.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::Index};

use super::{ColumnBlock, ColumnDelta, ColumnError, Keep, merge_full, merge_partial};
use crate::bitmap::Block;

type Values = BTreeMap<u16, i64>;
type Change = (u16, Option<i64>);

fn full(base: Option<&[u8]>, deltas: &[Vec<u8>]) -> Result<Vec<u8>, ColumnError> {
    merge_full(base, deltas.iter().map(Vec::as_slice))
}

fn partial(deltas: &[Vec<u8>]) -> Result<Vec<u8>, ColumnError> {
    merge_partial(deltas.iter().map(Vec::as_slice))
}

fn delta(changes: &[Change]) -> ColumnDelta {
    let mut delta = ColumnDelta::new();
    for (place, value) in changes {
        match value {
            Some(value) => delta.set(*place, *value),
            None => delta.clear(*place),
        }
    }
    delta
}

fn apply(values: &mut Values, changes: &[Change]) {
    for (place, value) in changes {
        match value {
            Some(value) => values.insert(*place, *value),
            None => values.remove(place),
        };
    }
}

fn check_values(bytes: &[u8], expected: &Values) {
    let block = ColumnBlock::from_bytes(bytes).unwrap();
    assert_eq!(block.bytes(), bytes);
    assert_eq!(block.bytes_len(), bytes.len());
    let mut visited = 0;
    block.for_each(&Block::full(), |place, value| {
        assert_eq!(place, visited as u16);
        assert_eq!(value, expected.get(&place).copied(), "place {place}");
        visited += 1;
    });
    assert_eq!(visited, 65_536);
}

/// Written as one byte, width and codes for the eye, the rest as the format says.
fn stored(width: u8, base: i64, missing: u64, count: u32, codes: &[u8]) -> Vec<u8> {
    let numbers = [base.to_le_bytes(), missing.to_le_bytes()].concat();
    [&[1, width], count.to_le_bytes().as_slice(), &numbers, codes].concat()
}

#[test]
fn the_stored_form_is_golden() {
    let check = |entries: &[(u16, i64)], expected: Vec<u8>| {
        let block = ColumnBlock::from_entries(entries.iter().copied());
        assert_eq!(block.bytes(), expected, "{entries:?}");
        check_values(&expected, &entries.iter().copied().collect());
        assert_eq!(ColumnBlock::from_bytes(&expected), Ok(block));
    };
    let header = [
        1, 1, 3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0,
    ];
    check(
        &[(0, 8), (2, 7)],
        [header.as_slice(), &[1, 255, 0]].concat(),
    );
    check(&[], stored(0, 0, 0, 0, &[]));
    check(&[(0, -5), (1, -5)], stored(0, -5, 1, 2, &[]));
    check(&[(1, -5)], stored(1, -5, 255, 2, &[255, 0]));
    check(&[(0, 1), (1, 255)], stored(1, 1, 255, 2, &[0, 254]));
    check(
        &[(0, 1), (1, 256)],
        stored(2, 1, 0xffff, 2, &[0, 0, 255, 0]),
    );
    check(
        &[(0, 0), (1, 0xfffe)],
        stored(2, 0, 0xffff, 2, &[0, 0, 0xfe, 0xff]),
    );
    check(
        &[(0, 0), (1, 0xffff)],
        stored(4, 0, 0xffff_ffff, 2, &[0, 0, 0, 0, 255, 255, 0, 0]),
    );
    let codes = [[0; 8], 0xffff_ffff_u64.to_le_bytes()].concat();
    check(
        &[(0, 0), (1, 0xffff_ffff)],
        stored(8, 0, u64::MAX, 2, &codes),
    );
    // Both extremes take the first and the last code: "missing" is the greatest one free.
    let codes = [[0xff; 8], 0xffff_ffff_ffff_fffd_u64.to_le_bytes(), [0; 8]].concat();
    let missing: u64 = 0xffff_ffff_ffff_fffe;
    check(&[(0, i64::MAX), (2, i64::MIN)], {
        let gap = [[0xff; 8], missing.to_le_bytes(), [0; 8]].concat();
        stored(8, i64::MIN, missing, 3, &gap)
    });
    check(
        &[(0, i64::MAX), (1, i64::MAX - 2), (2, i64::MIN)],
        stored(8, i64::MIN, missing, 3, &codes),
    );
}

#[test]
fn the_delta_is_golden() {
    let check = |changes: &[Change], expected: &[u8]| {
        assert_eq!(delta(changes).encode(), expected, "{changes:?}");
        assert_eq!(
            partial(&[expected.to_vec()]).as_deref(),
            Ok(expected),
            "{changes:?}"
        );
        assert_eq!(delta(changes).len(), changes.len());
        assert_eq!(delta(changes).is_empty(), changes.is_empty());
    };
    check(&[], &[1]);
    check(&[(0, None)], &[1, 0]);
    check(&[(0, Some(0))], &[1, 1, 0]);
    check(
        &[(3, Some(-1)), (4, Some(1)), (9, None)],
        &[1, 7, 1, 1, 2, 8],
    );
    check(
        &[(9, None), (3, Some(64)), (4, Some(1))],
        &[1, 7, 0x80, 1, 1, 2, 8],
    );
    check(&[(7, Some(5)), (7, None)], &[1, 14]);
    check(&[(7, None), (7, Some(5))], &[1, 15, 10]);
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    check(
        &[(u16::MAX, Some(i64::MIN))],
        &[&[1, 0xff, 0xff, 7], most.as_slice()].concat(),
    );
}

#[test]
fn damaged_blocks_are_refused() {
    let check = |bytes: Vec<u8>, expected: ColumnError| {
        assert_eq!(ColumnBlock::from_bytes(&bytes), Err(expected.clone()));
        assert_eq!(full(Some(&bytes), &[]), Err(expected));
    };
    let truncated = ColumnError::Truncated("header of a column block");
    check(vec![], truncated.clone());
    check(stored(0, 0, 0, 0, &[])[..21].to_vec(), truncated);
    let mut form = stored(0, 0, 0, 0, &[]);
    form[0] = 2;
    check(form, ColumnError::UnknownForm(2));
    check(stored(3, 0, 255, 1, &[0, 0, 0]), ColumnError::Width(3));
    check(
        stored(0, 0, 1, 65_537, &[]),
        ColumnError::TooManyValues(65_537),
    );
    check(
        stored(1, 0, 1, u32::MAX, &[]),
        ColumnError::TooManyValues(u32::MAX),
    );
    check(
        stored(2, 0, 1, 2, &[0, 0, 0]),
        ColumnError::Length {
            declared: 4,
            found: 3,
        },
    );
    check(
        stored(2, 0, 1, 1, &[0, 0, 0]),
        ColumnError::Length {
            declared: 2,
            found: 3,
        },
    );
    check(stored(0, 0, 2, 1, &[]), ColumnError::MissingCode(2));
    check(stored(1, 0, 256, 1, &[0]), ColumnError::MissingCode(256));
    check(
        stored(4, 0, 1 << 32, 1, &[0; 4]),
        ColumnError::MissingCode(1 << 32),
    );
    let overflow = ColumnError::Overflow {
        base: i64::MAX,
        code: 1,
    };
    check(stored(1, i64::MAX, 255, 2, &[0, 1]), overflow);
    let overflow = ColumnError::Overflow {
        base: 0,
        code: u64::MAX,
    };
    check(stored(8, 0, 0, 1, &[255; 8]), overflow);
}

#[test]
fn damaged_deltas_are_refused() {
    let check = |delta: &[u8], expected: ColumnError| {
        assert_eq!(
            full(None, &[delta.to_vec()]),
            Err(expected.clone()),
            "{delta:?}"
        );
        assert_eq!(partial(&[delta.to_vec()]), Err(expected), "{delta:?}");
    };
    check(&[], ColumnError::Truncated("form of a delta"));
    check(&[2], ColumnError::UnknownDelta(2));
    check(&[1, 0x80], ColumnError::MalformedNumber);
    check(&[1, 1], ColumnError::MalformedNumber);
    check(&[1, 1, 0x80, 0], ColumnError::MalformedNumber);
    check(&[1, 0x80, 0x80, 8], ColumnError::PlaceBeyondBlock(65_536));
    check(
        &[1, 0xfe, 0xff, 7, 0],
        ColumnError::PlaceBeyondBlock(65_536),
    );
    let most = [
        1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0,
    ];
    check(&most, ColumnError::PlaceBeyondBlock(u64::MAX >> 1));
    let after_first = [[1, 0].as_slice(), &most[1..]].concat();
    check(
        &after_first,
        ColumnError::PlaceBeyondBlock((u64::MAX >> 1) + 1),
    );
}

#[test]
fn a_whole_block_is_kept() {
    let check = |value_of: fn(u16) -> i64, bytes: usize| {
        let values: Values = (0..=u16::MAX)
            .map(|place| (place, value_of(place)))
            .collect();
        let block = ColumnBlock::from_entries(values.clone());
        assert_eq!(block.bytes().len(), 22 + bytes);
        check_values(&block.bytes(), &values);
        for place in [0, 1, 255, 256, u16::MAX] {
            assert_eq!(block.value(place), Some(value_of(place)));
        }
    };
    check(|_| i64::MIN, 0);
    check(|place| i64::from(place % 200), 65_536);
    check(|place| -i64::from(place % 60_000), 131_072);
    check(|place| i64::from(place) << 8, 262_144);
    check(|place| i64::MIN + (i64::from(place) << 40), 524_288);
    check(
        |place| if place % 2 == 0 { i64::MIN } else { i64::MAX },
        524_288,
    );
}

#[test]
fn small_changes_keep_the_frame_and_great_ones_do_not() {
    let base = ColumnBlock::from_entries([(0, 10), (3, 20)]);
    let check = |changes: &[Change], width: u8| {
        let merged = full(Some(&base.bytes()), &[delta(changes).encode()]).unwrap();
        let mut expected = Values::from([(0, 10), (3, 20)]);
        apply(&mut expected, changes);
        check_values(&merged, &expected);
        assert_eq!(merged[1], width, "{changes:?}");
    };
    check(&[(1, Some(264))], 1);
    check(&[(1, Some(265))], 2);
    check(&[(9, Some(11))], 1);
    check(&[(0, None), (3, None)], 1);
    check(&[(1, Some(9))], 1);
    check(&[(u16::MAX, Some(-300))], 2);
    check(&[(2, Some(i64::MAX)), (1, Some(i64::MIN))], 8);
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0i64..100,
        2 => -300i64..300,
        1 => any::<i32>().prop_map(i64::from),
        1 => any::<i64>(),
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX]),
    ]
}

/// Of one magnitude, so that every width occurs.
fn values() -> impl Strategy<Value = Values> {
    let place = || prop_oneof![3 => 0u16..40, 1 => any::<u16>()];
    prop_oneof![
        prop::collection::btree_map(place(), 5i64..6, 0..60),
        prop::collection::btree_map(place(), -100i64..100, 0..60),
        prop::collection::btree_map(place(), -10_000i64..10_000, 0..60),
        prop::collection::btree_map(place(), any::<i32>().prop_map(i64::from), 0..60),
        prop::collection::btree_map(place(), value(), 0..60),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let place = prop_oneof![3 => 0u16..40, 1 => any::<u16>(), 1 => Just(u16::MAX)];
    prop::collection::vec((place, prop::option::weighted(0.7, value())), 0..30)
}

proptest! {
    #[test]
    fn values_read_back(values in values(), places in prop::collection::vec(any::<u16>(), 0..50)) {
        let block = ColumnBlock::from_entries(values.clone());
        check_values(&block.bytes(), &values);
        let mut wanted = Block::new();
        places.iter().chain(values.keys()).for_each(|place| wanted.insert(*place));
        let mut visited = Vec::new();
        block.for_each(&wanted, |place, value| visited.push((place, value)));
        let expected: Vec<_> = wanted.iter().map(|place| (place, values.get(&place).copied())).collect();
        prop_assert_eq!(visited, expected);
        for place in wanted.iter() {
            prop_assert_eq!(block.value(place), values.get(&place).copied());
        }
    }

    #[test]
    fn lists_keep_who_is_in_a_range(
        values in values(),
        mut places in prop::collection::vec(any::<u16>(), 0..50),
        (low, high) in (value(), value()),
        is_ordered in prop::bool::weighted(0.9),
    ) {
        let block = ColumnBlock::from_entries(values.iter().map(|(place, value)| (*place, *value)));
        let (low, high) = if is_ordered { (low.min(high), low.max(high)) } else { (low, high) };
        places.extend(values.keys());
        places.sort_unstable();
        for keep in [Keep::Inside, Keep::Outside] {
            let mut kept = places.clone();
            block.retain(low..=high, keep, &mut kept);
            let mut expected = places.clone();
            let is_in = |place: &u16| values.get(place).is_some_and(|value| (low..=high).contains(value));
            expected.retain(|place| is_in(place) == (keep == Keep::Inside));
            prop_assert_eq!(kept, expected);
        }
    }

    #[test]
    fn merging_is_one_change_after_the_other(
        base in prop::option::of(values()),
        batches in prop::collection::vec(changes(), 0..5),
        split in any::<Index>(),
    ) {
        let mut expected = base.clone().unwrap_or_default();
        batches.iter().for_each(|changes| apply(&mut expected, changes));
        let deltas: Vec<_> = batches.iter().map(|changes| delta(changes).encode()).collect();
        let stored = base.map(|values| ColumnBlock::from_entries(values).bytes());
        check_values(&full(stored.as_deref(), &deltas).unwrap(), &expected);
        let (older, newer) = deltas.split_at(split.index(deltas.len() + 1));
        let combined = [partial(older).unwrap(), partial(newer).unwrap()];
        prop_assert_eq!(partial(&combined), partial(&deltas));
        check_values(&full(stored.as_deref(), &combined).unwrap(), &expected);
        // Merged in two steps, as the store does between flushes.
        let between = full(stored.as_deref(), older).unwrap();
        check_values(&full(Some(&between), newer).unwrap(), &expected);
    }

    #[test]
    fn random_bytes_never_panic(
        start in prop_oneof![Just(vec![]), prop::sample::select(vec![0u8, 1, 2, 4, 8]).prop_map(|width| vec![1, width]), Just(vec![1])],
        tail in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..3], 0..120),
    ) {
        let bytes = [start, tail].concat();
        if let Ok(block) = ColumnBlock::from_bytes(&bytes) {
            block.for_each(&Block::full(), |_, _| ());
        }
        let _ = full(Some(&bytes), &[delta(&[(3, Some(7))]).encode()]);
        if let Ok(combined) = partial(std::slice::from_ref(&bytes)) {
            prop_assert_eq!(full(None, &[combined]), full(None, &[bytes]));
        }
    }

    #[test]
    fn mutated_bytes_never_panic(values in values(), changes in changes(), at in any::<Index>(), byte: u8, header_at in 0usize..22) {
        let valid = ColumnBlock::from_entries(values).bytes();
        for at in [at.index(valid.len()), header_at] {
            let mut bytes = valid.clone();
            bytes[at] = byte;
            let Ok(block) = ColumnBlock::from_bytes(&bytes) else { continue };
            let mut before = Values::new();
            block.for_each(&Block::full(), |place, value| before.extend(value.map(|value| (place, value))));
            apply(&mut before, &changes);
            check_values(&full(Some(&bytes), &[delta(&changes).encode()]).unwrap(), &before);
        }
        let mut delta = delta(&changes).encode();
        let at = at.index(delta.len());
        delta[at] = byte;
        let _ = full(Some(&valid), &[delta.clone()]);
        delta.truncate(at);
        let _ = partial(&[delta]);
    }
}
