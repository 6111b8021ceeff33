//! Deltas: their bytes, and merging against one change at a time.

use proptest::{prelude::*, sample::Index};
use roaring::RoaringBitmap;

use super::{Noise, edge_sets, optimised, portable, shard_set};
use crate::{
    bitmap::{Fragment, FragmentDelta, FragmentError, merge_full, merge_partial},
    ids::SHARD_USERS,
};

#[derive(Debug, Clone)]
enum Change {
    Set(u32),
    Clear(u32),
}

fn delta(changes: &[Change]) -> FragmentDelta {
    let mut delta = FragmentDelta::new();
    for change in changes {
        match change {
            Change::Set(offset) => delta.set(*offset).unwrap(),
            Change::Clear(offset) => delta.clear(*offset).unwrap(),
        }
    }
    delta
}

fn apply(set: &mut RoaringBitmap, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Set(offset) => set.insert(*offset),
            Change::Clear(offset) => set.remove(*offset),
        };
    }
}

/// What is stored after a merge, in the portable form.
fn full(base: Option<&[u8]>, deltas: &[Vec<u8>]) -> Result<Vec<u8>, FragmentError> {
    let merged = merge_full(base, deltas.iter().map(Vec::as_slice))?;
    Ok(Fragment::from_stored(&merged)?.portable())
}

fn partial(deltas: &[Vec<u8>]) -> Result<Vec<u8>, FragmentError> {
    merge_partial(deltas.iter().map(Vec::as_slice))
}

/// Few offsets, so that changes meet; or a bulk of them.
fn changes() -> impl Strategy<Value = Vec<Change>> {
    let offset = prop_oneof![
        4 => 0u32..50,
        1 => 65_530u32..65_550,
        1 => SHARD_USERS - 5..SHARD_USERS,
        1 => 0..SHARD_USERS,
    ];
    let change = prop_oneof![
        offset.clone().prop_map(Change::Set),
        offset.prop_map(Change::Clear),
    ];
    let bulk = (any::<u64>(), 1u32..20_000, 1u64..20_000).prop_map(|(seed, count, spread)| {
        let mut noise = Noise::new(seed);
        let first = noise.word() % (u64::from(SHARD_USERS) - spread);
        (0..count)
            .map(|_| random_change(&mut noise, first, spread))
            .collect()
    });
    prop_oneof![3 => prop::collection::vec(change, 0..30), 1 => bulk]
}

fn random_change(noise: &mut Noise, first: u64, spread: u64) -> Change {
    let word = noise.word();
    let offset = (first + (word >> 8) % spread) as u32;
    if word & 3 == 0 {
        Change::Clear(offset)
    } else {
        Change::Set(offset)
    }
}

#[test]
fn the_list_form_is_golden() {
    use Change::{Clear, Set};
    let check = |changes: &[Change], expected: &[u8]| {
        assert_eq!(delta(changes).encode(), expected, "{changes:?}");
    };
    check(&[], &[1]);
    check(&[Set(0)], &[1, 1]);
    check(&[Clear(0)], &[1, 0]);
    check(&[Set(5), Set(6), Clear(7)], &[1, 11, 1, 0]);
    check(&[Clear(7), Set(6), Set(5)], &[1, 11, 1, 0]);
    check(&[Set(63), Clear(128)], &[1, 127, 0x80, 1]);
    check(&[Set(SHARD_USERS - 1)], &[1, 0xff, 0xff, 0x7f]);
    check(&[Set(3), Clear(3)], &[1, 6]);
    check(&[Clear(3), Set(9), Set(3)], &[1, 7, 11]);
}

#[test]
fn the_bitmaps_form_is_golden() {
    let mut delta = FragmentDelta::new();
    (0..1000).for_each(|offset| delta.set(offset).unwrap());
    delta.clear(70_000).unwrap();
    let set = [0x3b, 0x30, 0, 0, 1, 0, 0, 0xe7, 3, 1, 0, 0, 0, 0xe7, 3];
    let clear = [
        0x3a, 0x30, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 0x70, 0x11,
    ];
    let expected = [[2, 15, 0, 0, 0].as_slice(), &set, &clear].concat();
    assert_eq!(delta.encode(), expected);
    assert_eq!(partial(std::slice::from_ref(&expected)), Ok(expected));
}

#[test]
fn the_form_follows_the_number_of_changes() {
    let check = |count: u32, form: u8| {
        let mut delta = FragmentDelta::new();
        (0..count).for_each(|offset| delta.clear(offset * 5).unwrap());
        assert_eq!(delta.encode()[0], form, "{count} changes");
        // Whatever is overridden does not count.
        (0..count).for_each(|offset| delta.set(offset * 5).unwrap());
        assert_eq!(delta.encode()[0], form, "{count} changes, overridden");
        assert_eq!(delta.len(), count as usize * 2);
    };
    check(0, 1);
    check(256, 1);
    check(257, 2);
    check(100_000, 2);
}

#[test]
fn damaged_deltas_are_refused() {
    let check = |delta: &[u8], expected: FragmentError| {
        assert_eq!(
            full(None, &[delta.to_vec()]),
            Err(expected.clone()),
            "{delta:?}"
        );
        assert_eq!(partial(&[delta.to_vec()]), Err(expected), "{delta:?}");
    };
    let seven = portable(&RoaringBitmap::from([7]));
    let bitmaps = |declared: u32, set: &[u8], clear: &[u8]| {
        [&[2], declared.to_le_bytes().as_slice(), set, clear].concat()
    };
    check(&[], FragmentError::Truncated("form of a delta"));
    check(&[0], FragmentError::UnknownDelta(0));
    check(&[3, 1], FragmentError::UnknownDelta(3));
    check(&[1, 0x80], FragmentError::MalformedNumber);
    check(&[1, 0x80, 0], FragmentError::MalformedNumber);
    check(
        &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        FragmentError::MalformedNumber,
    );
    check(
        &[1, 0x81, 0x80, 0x80, 1],
        FragmentError::OffsetBeyondShard(SHARD_USERS),
    );
    check(
        &[1, 0xff, 0xff, 0x7f, 0],
        FragmentError::OffsetBeyondShard(SHARD_USERS),
    );
    let most = u32::MAX >> 1;
    check(
        &[1, 0xff, 0xff, 0xff, 0xff, 0x0f],
        FragmentError::OffsetBeyondShard(most),
    );
    check(&[2, 0], FragmentError::Truncated("length of a bitmap"));
    check(
        &bitmaps(900, &seven, &seven),
        FragmentError::Truncated("bitmap of what to set"),
    );
    check(
        &bitmaps(u32::MAX, &seven, &seven),
        FragmentError::Truncated("bitmap of what to set"),
    );
    check(
        &bitmaps(18, &seven, &[]),
        FragmentError::Truncated("cookie"),
    );
    check(
        &bitmaps(18, &seven, &seven),
        FragmentError::Contradiction(7),
    );
}

#[test]
fn a_damaged_fragment_is_refused() {
    let no_deltas: [Vec<u8>; 0] = [];
    assert_eq!(
        full(Some(&[]), &no_deltas),
        Err(FragmentError::Truncated("cookie"))
    );
    let mut beyond = portable(&RoaringBitmap::from([SHARD_USERS]));
    assert_eq!(full(Some(&beyond), &no_deltas), Err(FragmentError::Key(16)));
    beyond.push(0);
    assert!(full(Some(&beyond), &no_deltas).is_err());
}

#[test]
fn offsets_beyond_the_shard_are_refused() {
    let mut delta = FragmentDelta::new();
    for offset in [SHARD_USERS, u32::MAX] {
        assert_eq!(
            delta.set(offset),
            Err(FragmentError::OffsetBeyondShard(offset))
        );
        assert_eq!(
            delta.clear(offset),
            Err(FragmentError::OffsetBeyondShard(offset))
        );
    }
    assert!(delta.is_empty());
}

#[test]
fn nothing_merges_to_the_empty_fragment() {
    let empty = Fragment::empty().portable();
    assert_eq!(full(None, &[]), Ok(empty.clone()));
    assert_eq!(full(None, &[vec![1]]), Ok(empty.clone()));
    assert_eq!(
        full(None, &[delta(&[Change::Clear(9)]).encode()]),
        Ok(empty.clone())
    );
    let one = portable(&RoaringBitmap::from([9]));
    assert_eq!(
        full(Some(&one), &[delta(&[Change::Clear(9)]).encode()]),
        Ok(empty)
    );
    assert_eq!(partial(&[]), Ok(vec![1]));
}

#[test]
fn edge_sets_are_filled_and_emptied() {
    for (name, set) in edge_sets() {
        let fill: Vec<_> = set.iter().map(Change::Set).collect();
        let filled = full(None, &[delta(&fill).encode()]).unwrap();
        assert_eq!(filled, optimised(&set), "{name}");
        let empty: Vec<_> = set.iter().map(Change::Clear).collect();
        let emptied = full(Some(&filled), &[delta(&empty).encode()]).unwrap();
        assert_eq!(emptied, Fragment::empty().portable(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn merging_is_one_change_after_the_other(
        base in prop::option::of(shard_set()),
        batches in prop::collection::vec(changes(), 0..6),
        split in any::<Index>(),
    ) {
        let mut expected = base.clone().unwrap_or_default();
        batches.iter().for_each(|changes| apply(&mut expected, changes));
        let expected = optimised(&expected);
        let deltas: Vec<_> = batches.iter().map(|changes| delta(changes).encode()).collect();
        let unoptimised = base.as_ref().map(portable);
        let optimal = base.as_ref().map(optimised);
        prop_assert!(full(unoptimised.as_deref(), &deltas).unwrap() == expected);
        prop_assert!(full(optimal.as_deref(), &deltas).unwrap() == expected);
        let (older, newer) = deltas.split_at(split.index(deltas.len() + 1));
        let combined = [partial(older).unwrap(), partial(newer).unwrap()];
        prop_assert!(full(optimal.as_deref(), &combined).unwrap() == expected);
        let one = partial(&combined).unwrap();
        prop_assert!(one == partial(&deltas).unwrap());
        prop_assert!(full(optimal.as_deref(), &[one]).unwrap() == expected);
    }

    #[test]
    fn random_deltas_never_panic(
        form in 0u8..4,
        tail in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..3], 0..200),
    ) {
        let delta = [&[form], tail.as_slice()].concat();
        if let Ok(combined) = partial(std::slice::from_ref(&delta)) {
            prop_assert_eq!(full(None, &[combined]), full(None, &[delta]));
        }
    }

    #[test]
    fn mutated_deltas_never_panic(changes in changes(), at in any::<Index>(), byte: u8, cut in any::<Index>()) {
        let mut delta = delta(&changes).encode();
        let at = at.index(delta.len());
        delta[at] = byte;
        if let Ok(merged) = full(None, &[delta.clone()]) {
            prop_assert!(Fragment::from_portable(&merged).is_ok());
        }
        delta.truncate(cut.index(delta.len()));
        if let Ok(combined) = partial(&[delta]) {
            prop_assert!(partial(&[combined]).is_ok());
        }
    }
}

/// Whatever the form, rising offsets are set, as one by one.
#[test]
fn rising_offsets_are_encoded_as_if_set_one_by_one() {
    let check = |offsets: &[u32]| {
        let mut one_by_one = FragmentDelta::new();
        offsets
            .iter()
            .for_each(|offset| one_by_one.set(*offset).unwrap());
        let rising = FragmentDelta::encode_rising(offsets).unwrap();
        let base = optimised(&[3, 70_000].into_iter().collect());
        assert_eq!(
            full(Some(&base), &[rising]),
            full(Some(&base), &[one_by_one.encode()]),
        );
    };
    check(&[]);
    check(&[0, 1, 3, SHARD_USERS - 1]);
    for count in [256, 257, 2048, 2049, 70_000] {
        check(&(0..count).map(|n| n * 7 + 60_000).collect::<Vec<_>>());
        check(&(60_000..60_000 + count).collect::<Vec<_>>());
    }
    let refused = |offsets: &[u32]| FragmentDelta::encode_rising(offsets).unwrap_err();
    assert_eq!(refused(&[1, 1]), FragmentError::OffsetOrder(1));
    assert_eq!(refused(&[5, 4]), FragmentError::OffsetOrder(4));
    let beyond = FragmentError::OffsetBeyondShard(SHARD_USERS);
    assert_eq!(refused(&[1, SHARD_USERS]), beyond);
}
