//! The stored form: its bytes, how few they are, and what is refused.

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::{Noise, edge_sets, optimised, portable, shard_set, stored};
use crate::{
    bitmap::{Fragment, FragmentError, merge_full},
    ids::BLOCK_USERS,
};

fn check_reads_back(set: &RoaringBitmap) {
    for bytes in [portable(set), optimised(set)] {
        let fragment = Fragment::from_portable(&bytes).unwrap();
        let mut stored = Vec::new();
        fragment.write_stored(&mut stored);
        let again = Fragment::from_stored(&stored).unwrap();
        assert!(again.iter().eq(set.iter()));
        let mut stored_again = Vec::new();
        again.write_stored(&mut stored_again);
        assert_eq!(stored_again, stored);
    }
    let again = Fragment::from_stored(&stored(set)).unwrap();
    assert_eq!(again.portable(), optimised(set));
}

#[test]
fn the_bytes_are_golden() {
    let check = |offsets: &[u32], expected: &[u8]| {
        let set: RoaringBitmap = offsets.iter().collect();
        assert_eq!(stored(&set), expected, "{offsets:?}");
        check_reads_back(&set);
    };
    check(&[], &[1, 0, 0]);
    check(&[0], &[1, 1, 0, 0, 0, 0, 1]);
    check(&[0x2_0005, 0x2_0009], &[1, 4, 0, 0, 1, 0, 0x20, 4]);
    check(
        &[1000, 2000, 60_000],
        &[1, 1, 0, 13, 2, 0, 0xe8, 3, 0xfa, 0x80, 0x29, 3, 2],
    );
    let run: Vec<u32> = (0xf_000a..=0xf_012c).collect();
    check(&run, &[1, 0, 0x80, 32, 0x22, 1, 1, 0, 10, 0xa2, 2]);
}

#[test]
fn dense_blocks_are_stored_as_they_are() {
    let set: RoaringBitmap = (0..BLOCK_USERS).step_by(2).collect();
    let bytes = stored(&set);
    assert_eq!(bytes[..6], [1, 1, 0, 33, 0xff, 0x7f]);
    assert_eq!(bytes[6..], [0x55; 8192]);
}

#[test]
fn edge_sets_read_back() {
    for (_, set) in edge_sets() {
        check_reads_back(&set);
    }
}

#[test]
fn what_older_versions_stored_is_read() {
    for (name, set) in edge_sets() {
        for bytes in [portable(&set), optimised(&set)] {
            let fragment = Fragment::from_stored(&bytes).unwrap();
            assert_eq!(fragment.portable(), bytes, "{name}");
            assert_eq!(
                merge_full(Some(&bytes), std::iter::empty()),
                Ok(stored(&set)),
                "{name}"
            );
        }
    }
}

#[test]
fn scattered_places_take_little_more_than_they_must() {
    for count in [1u32, 2, 7, 40, 300, 1000, 2500, 4096] {
        let mut noise = Noise::new(u64::from(count));
        let mut set = RoaringBitmap::new();
        while set.len() < u64::from(count) {
            set.insert(noise.word() as u32 % BLOCK_USERS);
        }
        let share = f64::from(count) / f64::from(BLOCK_USERS);
        let entropy_bits = -(share.log2() + (1.0 / share - 1.0) * (1.0 - share).log2());
        // The heads, and bits that fill up bytes.
        let bytes_max = f64::from(count) * (entropy_bits + 0.65) / 8.0 + 8.0;
        let bytes = stored(&set).len();
        assert!((bytes as f64) <= bytes_max, "{count}: {bytes}");
    }
}

#[test]
fn damaged_bytes_are_refused() {
    let check = |bytes: &[u8], expected: FragmentError| {
        assert_eq!(
            Fragment::from_stored(bytes),
            Err(expected.clone()),
            "{bytes:?}"
        );
        assert_eq!(merge_full(Some(bytes), std::iter::empty()), Err(expected));
    };
    check(&[], FragmentError::Truncated("cookie"));
    check(&[1], FragmentError::Truncated("blocks"));
    check(&[1, 1], FragmentError::Truncated("blocks"));
    check(&[1, 1, 0], FragmentError::Truncated("heads"));
    check(&[1, 1, 0, 0, 0], FragmentError::Truncated("heads"));
    check(&[1, 0, 0, 0], FragmentError::TrailingBytes(1));
    check(&[1, 4, 0, 17, 0, 0, 1, 1, 1], FragmentError::Head(2));
    check(&[1, 1, 0, 34, 0, 0, 1], FragmentError::Head(0));
    // An array of 4,097 places, a bitmap of 4,096, and more runs than a block has room for.
    check(&[1, 1, 0, 3, 0, 16, 1], FragmentError::Head(0));
    check(&[1, 1, 0, 33, 0xff, 15, 1], FragmentError::Head(0));
    check(&[1, 1, 0, 32, 0, 16, 1, 0x80, 0], FragmentError::Head(0));
    // Fewer bytes than the heads say there are at least.
    let containers = FragmentError::Truncated("containers");
    check(&[1, 1, 0, 0, 8, 0, 0xff], containers.clone());
    check(&[1, 1, 0, 8, 1, 0, 1, 2], containers.clone());
    check(&[1, 1, 0, 32, 1, 0, 1, 0, 1], containers.clone());
    check(&[1, 1, 0, 33, 0xff, 0xff, 1], containers);
    // No bit for the second place, or bits after it.
    check(&[1, 1, 0, 0, 1, 0, 8], FragmentError::PackedPlaces(0));
    check(&[1, 1, 0, 0, 1, 0, 0x38], FragmentError::PackedPlaces(0));
    // Beyond the block: rest 1 with 16 low bits.
    check(
        &[1, 1, 0, 16, 0, 0, 0, 0, 2],
        FragmentError::PackedPlaces(0),
    );
    // The same place twice.
    check(&[1, 1, 0, 4, 1, 0, 0x77, 3], FragmentError::ValueOrder(0));
    let mut far = vec![1, 1, 0, 0, 0, 0];
    far.resize(20_000, 0);
    far.push(1);
    check(&far, FragmentError::PackedPlaces(0));
    check(
        &[1, 1, 0, 32, 0, 0, 1, 0, 0x80, 0, 0],
        FragmentError::MalformedNumber,
    );
    check(
        &[1, 1, 0, 32, 0, 0, 1, 0, 0x80, 0x80, 4, 0],
        FragmentError::RunBeyondBlock(0),
    );
    check(
        &[1, 1, 0, 32, 1, 0, 1, 0, 0xff, 0xff, 3, 1],
        FragmentError::RunBeyondBlock(0),
    );
    check(
        &[1, 1, 0, 32, 1, 0, 2, 0, 0xff, 0xff, 3, 0, 0, 0],
        FragmentError::RunBeyondBlock(0),
    );
    let cardinality = FragmentError::Cardinality {
        key: 0,
        declared: 3,
        found: 2,
    };
    check(&[1, 1, 0, 32, 2, 0, 1, 0, 5, 1], cardinality);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn sets_read_back(set in shard_set()) {
        check_reads_back(&set);
    }

    /// Stretches of all densities, so that all widths of low bits occur.
    #[test]
    fn scattered_places_read_back(seed: u64, gap_max in 1u64..60_000, first in 0u32..BLOCK_USERS) {
        let mut noise = Noise::new(seed);
        let mut offset = first;
        let mut set = RoaringBitmap::new();
        while offset < 3 * BLOCK_USERS && set.len() < 6000 {
            set.insert(offset);
            offset += 1 + (noise.word() % gap_max) as u32;
        }
        check_reads_back(&set);
    }
}
