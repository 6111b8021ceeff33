//! Fragments against the library that wrote their bytes.

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::{block, block_of, edge_sets, offsets, optimised, portable, shard_set};
use crate::{
    bitmap::{Block, Fragment, FragmentError},
    ids::{SHARD_BLOCKS, SHARD_USERS},
};

fn check_reads_back(set: &RoaringBitmap, bytes: &[u8]) {
    let fragment = Fragment::from_portable(bytes).unwrap();
    assert_eq!(fragment.portable(), bytes);
    assert_eq!(fragment.portable_len(), bytes.len());
    assert!(fragment.iter().eq(set.iter()));
    assert_eq!(fragment.cardinality(), set.len());
    assert_eq!(fragment.is_empty(), set.is_empty());
    assert!(fragment.heap_bytes() >= fragment.containers().len());
    for index in 0..SHARD_BLOCKS {
        let expected = block_of(set, index);
        assert_eq!(fragment.block_cardinality(index), expected.count());
        let mut out = Block::full();
        fragment.copy_into(index, &mut out);
        assert!(out == expected, "block {index}");
    }
}

fn check_operations(fragment: &Fragment, stored: &Block, block_index: u32, with: &Block) {
    let (left, right) = (offsets(0, with), offsets(0, stored));
    type Operation = fn(&Fragment, u32, &mut Block);
    let cases: [(Operation, _); 4] = [
        (Fragment::copy_into, right.clone()),
        (Fragment::and_into, &left & &right),
        (Fragment::or_into, &left | &right),
        (Fragment::and_not_into, &left - &right),
    ];
    for (operation, expected) in cases {
        let mut out = with.clone();
        operation(fragment, block_index, &mut out);
        assert_eq!(offsets(0, &out), expected);
    }
    let common = fragment.count_and(block_index, with);
    assert_eq!(u64::from(common), left.intersection_len(&right));
}

#[test]
fn edge_sets_read_back() {
    for (name, set) in edge_sets() {
        check_reads_back(&set, &portable(&set));
        check_reads_back(&set, &optimised(&set));
        let built = Fragment::from_sorted(&set).unwrap();
        assert_eq!(built.portable(), optimised(&set), "{name}");
        let plain = Fragment::from_portable(&portable(&set)).unwrap();
        for index in 0..SHARD_BLOCKS {
            let stored = block_of(&set, index);
            for with in [&Block::new(), &Block::full(), &stored] {
                check_operations(&plain, &stored, index, with);
                check_operations(&built, &stored, index, with);
            }
        }
    }
}

#[test]
fn the_empty_fragment_is_what_the_library_writes() {
    assert_eq!(
        Fragment::empty().portable(),
        portable(&RoaringBitmap::new())
    );
    assert_eq!(Fragment::from_sorted([]), Ok(Fragment::empty()));
    assert_eq!(
        Fragment::from_portable(&Fragment::empty().portable()),
        Ok(Fragment::empty())
    );
}

#[test]
fn blocks_beyond_the_shard_are_empty() {
    let fragment = Fragment::from_sorted(0..SHARD_USERS).unwrap();
    for index in [SHARD_BLOCKS, SHARD_BLOCKS + 1, 32, 64, u32::MAX] {
        assert_eq!(fragment.block_cardinality(index), 0);
        let mut out = Block::full();
        assert_eq!(fragment.count_and(index, &out), 0);
        fragment.copy_into(index, &mut out);
        assert!(out.is_empty());
    }
    assert!(!fragment.contains(SHARD_USERS));
    assert!(!fragment.contains(u32::MAX));
}

#[test]
fn only_rising_offsets_below_the_shard_are_built() {
    let check = |offsets: &[u32], expected: FragmentError| {
        assert_eq!(
            Fragment::from_sorted(offsets.iter().copied()),
            Err(expected)
        );
    };
    check(
        &[SHARD_USERS],
        FragmentError::OffsetBeyondShard(SHARD_USERS),
    );
    check(&[1, u32::MAX], FragmentError::OffsetBeyondShard(u32::MAX));
    check(&[7, 7], FragmentError::OffsetOrder(7));
    check(&[70_000, 7], FragmentError::OffsetOrder(7));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_the_library_wrote_reads_back(set in shard_set()) {
        check_reads_back(&set, &portable(&set));
        check_reads_back(&set, &optimised(&set));
        let built = Fragment::from_sorted(&set).unwrap();
        prop_assert_eq!(built.portable(), optimised(&set));
    }

    #[test]
    fn operations_are_those_of_sets(set in shard_set(), with in block(), block_index in 0..SHARD_BLOCKS) {
        let stored = block_of(&set, block_index);
        for bytes in [portable(&set), optimised(&set)] {
            let fragment = Fragment::from_portable(&bytes).unwrap();
            check_operations(&fragment, &stored, block_index, &with);
        }
    }

    #[test]
    fn membership_is_the_librarys(set in shard_set(), probes in prop::collection::vec(0..SHARD_USERS, 200)) {
        for bytes in [portable(&set), optimised(&set)] {
            let fragment = Fragment::from_portable(&bytes).unwrap();
            let neighbours = set.iter().step_by(997).flat_map(|offset| [offset, offset + 1]);
            for offset in probes.iter().copied().chain(neighbours) {
                prop_assert_eq!(fragment.contains(offset), set.contains(offset), "{}", offset);
            }
        }
    }
}
