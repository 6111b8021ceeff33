//! Bytes that no writer wrote.

use proptest::{prelude::*, sample::Index};
use roaring::RoaringBitmap;

use super::{optimised, portable, shard_set, stored};
use crate::bitmap::{Block, Fragment, FragmentError, merge_full};

/// Little-endian pieces put together.
fn bytes(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

/// The start of a bitmap without runs that has these keys and cardinalities, and where its
/// containers start.
fn header(containers: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut header = bytes(&[
        &12346u32.to_le_bytes(),
        &(containers.len() as u32).to_le_bytes(),
    ]);
    for (key, less_one, _) in containers {
        header.extend(bytes(&[&key.to_le_bytes(), &less_one.to_le_bytes()]));
    }
    for (_, _, start) in containers {
        header.extend(start.to_le_bytes());
    }
    header
}

/// A bitmap with one container of runs in block 0.
fn runs(cardinality: u16, runs: &[(u16, u16)]) -> Vec<u8> {
    let mut out = bytes(&[&12347u32.to_le_bytes(), &[1], &[0, 0]]);
    out.extend((cardinality - 1).to_le_bytes());
    out.extend((runs.len() as u16).to_le_bytes());
    for (start, less_one) in runs {
        out.extend(bytes(&[&start.to_le_bytes(), &less_one.to_le_bytes()]));
    }
    out
}

#[test]
fn well_formed_bytes_made_by_hand_are_read() {
    let check = |bytes: Vec<u8>, expected: &[u32]| {
        let fragment = Fragment::from_portable(&bytes).unwrap();
        assert!(fragment.iter().eq(expected.iter().copied()));
    };
    check(header(&[]), &[]);
    check(
        bytes(&[&header(&[(2, 1, 16)]), &[5, 0, 9, 0]]),
        &[0x2_0005, 0x2_0009],
    );
    check(runs(5, &[(1, 1), (4, 2)]), &[1, 2, 4, 5, 6]);
    check(runs(1, &[(u16::MAX, 0)]), &[0xffff]);
}

#[test]
fn damaged_bytes_are_refused() {
    let check = |bytes: Vec<u8>, expected: FragmentError| {
        assert_eq!(Fragment::from_portable(&bytes), Err(expected));
    };
    check(vec![], FragmentError::Truncated("cookie"));
    check(vec![1, 2, 3, 4], FragmentError::UnknownCookie(0x0403_0201));
    check(
        vec![0x3a, 0x30, 1, 0],
        FragmentError::UnknownCookie(0x0001_303a),
    );
    check(
        vec![0x3a, 0x30, 0, 0, 0],
        FragmentError::Truncated("container count"),
    );
    check(
        vec![0x3a, 0x30, 0, 0, 17, 0, 0, 0],
        FragmentError::TooManyContainers(17),
    );
    check(
        vec![0x3a, 0x30, 0, 0, 255, 255, 255, 255],
        FragmentError::TooManyContainers(u32::MAX),
    );
    check(
        vec![0x3b, 0x30, 255, 255],
        FragmentError::TooManyContainers(65_536),
    );
    check(vec![0x3b, 0x30, 0, 0, 2], FragmentError::StrayRunFlag);
    check(
        vec![0x3b, 0x30, 0, 0],
        FragmentError::Truncated("run flags"),
    );
    check(
        vec![0x3a, 0x30, 0, 0, 1, 0, 0, 0],
        FragmentError::Truncated("container keys"),
    );
    check(header(&[(16, 0, 16)]), FragmentError::Key(16));
    check(header(&[(3, 0, 24), (3, 0, 26)]), FragmentError::Key(3));
    check(header(&[(3, 0, 24), (1, 0, 26)]), FragmentError::Key(1));
    let wrong_start = FragmentError::ContainerOffset {
        key: 1,
        declared: 17,
        found: 16,
    };
    check(bytes(&[&header(&[(1, 0, 17)]), &[0, 0]]), wrong_start);
    check(
        bytes(&[&header(&[(1, 1, 16)]), &[0, 0]]),
        FragmentError::Truncated("containers"),
    );
    check(
        bytes(&[&header(&[(1, 1, 16)]), &[9, 0, 9, 0]]),
        FragmentError::ValueOrder(1),
    );
    check(
        bytes(&[&header(&[(1, 1, 16)]), &[9, 0, 8, 0]]),
        FragmentError::ValueOrder(1),
    );
    check(
        bytes(&[&header(&[(1, 0, 16)]), &[9, 0, 8]]),
        FragmentError::TrailingBytes(1),
    );
    let cardinality = FragmentError::Cardinality {
        key: 1,
        declared: 5000,
        found: 8192,
    };
    check(bytes(&[&header(&[(1, 4999, 16)]), &[1; 8192]]), cardinality);
    check(runs(2, &[(u16::MAX, 1)]), FragmentError::RunBeyondBlock(0));
    check(runs(4, &[(1, 1), (2, 1)]), FragmentError::ValueOrder(0));
    check(runs(4, &[(1, 1), (3, 1)]), FragmentError::ValueOrder(0));
    check(runs(4, &[(9, 1), (3, 1)]), FragmentError::ValueOrder(0));
    let cardinality = FragmentError::Cardinality {
        key: 0,
        declared: 5,
        found: 4,
    };
    check(runs(5, &[(1, 1), (4, 1)]), cardinality);
    let cardinality = FragmentError::Cardinality {
        key: 0,
        declared: 1,
        found: 0,
    };
    check(runs(1, &[]), cardinality);
}

/// What is accepted must be what the library reads, and every operation must work on it.
fn check_any(bytes: &[u8]) {
    let merged = merge_full(Some(bytes), std::iter::empty());
    let fragment = match Fragment::from_stored(bytes) {
        Ok(fragment) => fragment,
        Err(error) => return assert_eq!(merged, Err(error)),
    };
    let set = RoaringBitmap::deserialize_from(fragment.portable().as_slice()).unwrap();
    assert!(fragment.iter().eq(set.iter()));
    assert_eq!(fragment.cardinality(), set.len());
    let merged = Fragment::from_stored(&merged.unwrap()).unwrap();
    assert_eq!(merged.portable(), optimised(&set));
    let mut block = Block::full();
    for index in 0..16 {
        fragment.and_into(index, &mut block);
        fragment.and_not_into(index, &mut block);
        fragment.or_into(index, &mut block);
        fragment.count_and(index, &block);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        cookie in prop_oneof![Just(vec![]), (0u8..8).prop_map(|blocks| vec![1, blocks, 0]), Just(vec![0x3a, 0x30, 0, 0]), (0u8..17).prop_map(|n| vec![0x3b, 0x30, n, 0])],
        tail in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..3], 0..300),
    ) {
        check_any(&bytes(&[&cookie, &tail]));
    }

    #[test]
    fn mutated_bytes_never_panic(
        set in shard_set(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        header_changes in prop::collection::vec((0usize..64, 0u8..8), 0..3),
        cut in prop::option::of(any::<Index>()),
    ) {
        for mut bytes in [portable(&set), optimised(&set), stored(&set)] {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            for (at, bit) in &header_changes {
                if let Some(byte) = bytes.get_mut(*at) {
                    *byte ^= 1 << bit;
                }
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            check_any(&bytes);
        }
    }
}
