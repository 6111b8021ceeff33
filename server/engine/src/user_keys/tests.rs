#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ids::{KEY_BLOCK_USERS, UserId};

type Keys = BTreeMap<u16, String>;

fn block_of(keys: &Keys) -> KeyBlock {
    let entries = keys.iter().map(|(place, key)| (*place, key.as_str()));
    KeyBlock::from_entries(entries).unwrap()
}

fn bytes_of(block: &KeyBlock) -> Vec<u8> {
    let mut bytes = Vec::new();
    block.write_to(&mut bytes);
    bytes
}

fn keys_in(block: &KeyBlock) -> impl Iterator<Item = (u16, String)> + '_ {
    block.iter().map(|(place, key)| (place, key.into_owned()))
}

fn owned(entries: &[(u16, &str)]) -> impl Iterator<Item = (u16, String)> {
    entries
        .iter()
        .map(|(place, key)| (*place, (*key).to_owned()))
}

/// Changes, and what they make of some keys.
fn applied(keys: &mut Keys, changes: &[(u16, Option<String>)]) -> Vec<u8> {
    let mut delta = KeyBlockDelta::new();
    for (place, key) in changes {
        match key {
            Some(key) => {
                delta.set(*place, key);
                keys.insert(*place, key.clone());
            }
            None => {
                delta.clear(*place);
                keys.remove(place);
            }
        }
    }
    delta.encode()
}

#[test]
fn bytes_are_what_they_were() {
    let block = KeyBlock::from_entries([(0, "a"), (2, "é")]).unwrap();
    assert_eq!(bytes_of(&block), [2, 3, 1, 1, 0, 1, 2, 1, b'a', 0xc3, 0xa9]);
    let mut delta = KeyBlockDelta::new();
    delta.set(2, "é");
    delta.set(0, "gone");
    delta.clear(0);
    assert_eq!(delta.encode(), [1, 0, 3, 2, 0xc3, 0xa9]);
    assert_eq!(bytes_of(&KeyBlock::empty()), [2, 0]);
}

#[test]
fn keys_of_one_length_cost_their_bytes_only() {
    let check = |keys: &[(u16, &str)], stored: &[u8], heap_bytes: usize| {
        let block = KeyBlock::from_entries(keys.iter().copied()).unwrap();
        assert_eq!(bytes_of(&block), stored, "{keys:?}");
        assert_eq!(KeyBlock::from_bytes(stored).unwrap(), block, "{keys:?}");
        assert!(keys_in(&block).eq(owned(keys)));
        assert_eq!(block.heap_bytes(), heap_bytes, "{keys:?}");
        assert_eq!(block.key(keys.len() as u16 + 1), None);
    };
    check(&[], &[2, 0], 0);
    check(&[(0, "ab")], &[2, 1, 2, 1, b'a', b'b'], 2);
    let two = [2, 1, 2, 2, b'a', b'c', b'b', b'd'];
    check(&[(0, "ab"), (1, "cd")], &two, 4);
    // A place without a key, or a key of another length, needs the ends in memory.
    let gap = [2, 2, 0, 1, 2, 1, b'c', b'd'];
    check(&[(1, "cd")], &gap, 6);
    let longer = [2, 2, 1, 1, 2, 1, b'a', b'c', b'd'];
    check(&[(0, "a"), (1, "cd")], &longer, 7);
}

#[test]
fn what_older_versions_stored_is_read() {
    let check = |stored: &[u8], keys: &[(u16, &str)]| {
        let block = KeyBlock::from_entries(keys.iter().copied()).unwrap();
        assert_eq!(KeyBlock::from_bytes(stored).unwrap(), block, "{keys:?}");
        let merged = merge_full(Some(stored), std::iter::empty());
        assert_eq!(merged, Ok(bytes_of(&block)));
    };
    check(&[1, 2, 0, 0], &[]);
    let three = [1, 2, 3, 0, 1, 0, 1, 0, 3, 0, b'a', 0xc3, 0xa9];
    check(&three, &[(0, "a"), (2, "é")]);
    let wide = [1, 4, 2, 0, 1, 0, 0, 0, 2, 0, 0, 0, b'a', b'b'];
    check(&wide, &[(0, "a"), (1, "b")]);
}

#[test]
fn damaged_blocks_are_refused() {
    let check = |bytes: &[u8], expected: &str| {
        let error = KeyBlock::from_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{bytes:?}: {error}");
    };
    check(&[], "header");
    check(&[1, 2, 0], "header");
    check(&[3, 2, 0, 0], "form");
    check(&[1, 3, 0, 0], "width");
    check(&[1, 2, 1, 0, 1], "ends");
    check(&[1, 2, 1, 16], "4097 places");
    check(&[1, 2, 1, 0, 2, 0, b'a'], "place 0");
    check(&[1, 2, 1, 0, 0, 0, b'a'], "place 1");
    check(&[1, 2, 2, 0, 1, 0, 0, 0, b'a'], "place 1");
    check(&[1, 2, 1, 0, 1, 0, 0xff], "UTF-8");
    // An end inside a character.
    check(&[1, 2, 2, 0, 1, 0, 2, 0, 0xc3, 0xa9], "place 0");
    let long = [&[1, 2, 1, 0, 1, 1][..], &[b'x'; 257]].concat();
    check(&long, "257 bytes");
    check(&[2], "malformed");
    check(&[2, 1], "malformed");
    check(&[2, 1, 2], "malformed");
    check(&[2, 0x80, 0], "malformed");
    check(&[2, 1, 2, 0], "0 places from place 0");
    check(&[2, 1, 0, 0x81, 0x20], "4097 places from place 0");
    check(
        &[2, 2, 0, 0x80, 0x20, 1, 1, b'a'],
        "1 places from place 4096",
    );
    check(&[2, 1, 0x81, 2, 1], "257 bytes");
    check(&[2, 1, 1, 1], "place 1");
    check(&[2, 1, 1, 1, b'a', b'b'], "place 1");
    check(&[2, 1, 1, 1, 0xff], "UTF-8");
    check(&[2, 1, 1, 2, 0xc3, 0xa9], "place 0");
}

#[test]
fn damaged_deltas_are_refused() {
    let check = |bytes: &[u8], expected: &str| {
        for result in [
            merge_full(None, [bytes].into_iter()),
            merge_partial([bytes].into_iter()),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{bytes:?}: {error}");
        }
    };
    check(&[], "form");
    check(&[2], "known form");
    check(&[1, 0x80], "malformed");
    check(&[1, 1], "malformed");
    check(&[1, 1, 0], "0 bytes");
    check(&[1, 1, 0x81, 2], "257 bytes");
    check(&[1, 1, 2, b'a'], "inside the key");
    check(&[1, 1, 1, 0xff], "UTF-8");
    check(&[1, 0x80, 0x40], "place 4096");
}

#[test]
fn impossible_keys_make_no_block() {
    let check = |entries: &[(u16, &str)], expected: KeyBlockError| {
        let made = KeyBlock::from_entries(entries.iter().copied());
        assert_eq!(made, Err(expected), "{entries:?}");
    };
    let long = "x".repeat(257);
    check(&[(4096, "a")], KeyBlockError::PlaceBeyondBlock(4096));
    check(&[(3, "a"), (3, "b")], KeyBlockError::End(3));
    check(&[(0, "")], KeyBlockError::KeyLength { place: 0, bytes: 0 });
    check(
        &[(1, &long)],
        KeyBlockError::KeyLength {
            place: 1,
            bytes: 257,
        },
    );
}

#[test]
fn what_all_keys_begin_with_is_kept_once() {
    let check = |entries: &[(u16, &str)], heap_bytes: usize| {
        let block = KeyBlock::from_entries(entries.iter().copied()).unwrap();
        assert_eq!(block.heap_bytes(), heap_bytes, "{entries:?}");
        assert!(keys_in(&block).eq(owned(entries)));
        assert_eq!(KeyBlock::from_bytes(&bytes_of(&block)), Ok(block));
    };
    check(&[(0, "user1"), (1, "user2"), (2, "user3")], 4 + 3);
    // Of a key that is the beginning of others something is left.
    check(&[(0, "user1"), (1, "user")], 3 + 3 + 2 * 2);
    // Characters are not cut, and a short beginning is not worth it.
    check(&[(0, "éé"), (1, "éè")], 2 + 4);
    check(&[(0, "xabcde"), (1, "xfghij")], 12);
}

#[test]
fn the_longest_keys_fill_a_block() {
    let key = "é".repeat(128);
    let keys: Keys = (0..KEY_BLOCK_USERS as u16)
        .map(|place| (place, key.clone()))
        .collect();
    let block = KeyBlock::from_bytes(&bytes_of(&block_of(&keys))).unwrap();
    assert_eq!(block.key(4095).as_deref(), Some(key.as_str()));
    let users: Vec<UserId> = (4096..8192).map(UserId).collect();
    let mut packed = PackedKeys::new();
    block.append_users(&users, &mut packed).unwrap();
    assert_eq!((packed.len(), packed.text().len()), (4096, 1 << 20));
}

#[test]
fn keys_of_one_length_need_no_ends() {
    let check = |entries: &[(u16, &str)], ends_bytes: usize| {
        let block = KeyBlock::from_entries(entries.iter().copied()).unwrap();
        let text_bytes: usize = entries.iter().map(|(_, key)| key.len()).sum();
        assert_eq!(block.heap_bytes(), text_bytes + ends_bytes, "{entries:?}");
        assert!(keys_in(&block).eq(owned(entries)));
        assert_eq!(KeyBlock::from_bytes(&bytes_of(&block)), Ok(block));
    };
    check(&[], 0);
    check(&[(0, "ab")], 0);
    check(&[(0, "ab"), (1, "é"), (2, "cd")], 0);
    check(&[(0, "ab"), (2, "cd")], 6);
    check(&[(1, "ab")], 4);
    check(&[(0, "ab"), (1, "c")], 4);
}

#[test]
fn a_user_without_a_key_is_named() {
    let block = KeyBlock::from_entries([(1, "a"), (2, "b"), (5, "c")]).unwrap();
    let check = |users: &[u32], expected: Result<&[&str], u32>| {
        let users: Vec<UserId> = users.iter().copied().map(UserId).collect();
        let mut packed = PackedKeys::new();
        let result = block.append_users(&users, &mut packed);
        match expected {
            Ok(keys) => {
                assert_eq!(result, Ok(()));
                assert!(packed.iter().eq(keys.iter().copied()));
            }
            Err(user) => assert_eq!(result, Err(UserId(user))),
        }
    };
    check(&[], Ok(&[]));
    check(&[1, 2, 5], Ok(&["a", "b", "c"]));
    check(&[5, 1], Ok(&["c", "a"]));
    check(&[0], Err(0));
    check(&[1, 2, 3], Err(3));
    check(&[2, 4], Err(4));
    check(&[5, 6], Err(6));
    check(&[9], Err(9));
    check(&[0, 1], Err(0));
}

#[test]
fn keys_before_a_user_without_one_are_given() {
    let keys: Keys = (0..200)
        .filter(|place| *place != 130)
        .map(|place| (place, format!("k{place}")))
        .collect();
    let block = block_of(&keys);
    let check = |step: usize, expected: usize| {
        let users: Vec<UserId> = (0..200).step_by(step).map(UserId).collect();
        let mut packed = PackedKeys::new();
        let result = block.append_users(&users, &mut packed);
        assert_eq!(result.is_err(), expected < users.len());
        let names = (0..200_u32).step_by(step).map(|place| format!("k{place}"));
        assert!(packed.iter().eq(names.take(expected)));
    };
    check(1, 130);
    check(2, 65);
    check(3, 67);
}

#[test]
fn packed_keys_are_cut_and_joined() {
    let mut keys: PackedKeys = ["a", "", "bcd"].into_iter().collect();
    let more: PackedKeys = ["é", "f"].into_iter().collect();
    keys.append(&more);
    assert!(keys.iter().eq(["a", "", "bcd", "é", "f"]));
    assert_eq!((keys.get(3), keys.get(5)), (Some("é"), None));
    assert_eq!((keys.text(), keys.ends()), ("abcdéf", &[1, 1, 4, 6, 7][..]));
    assert_eq!(
        [0, 1, 3, 5, 9].map(|index| keys.start(index)),
        [0, 1, 4, 7, 7]
    );
    let mut rest = keys.clone();
    rest.drop_first(0);
    assert_eq!(rest, keys);
    rest.drop_first(2);
    assert!(rest.iter().eq(["bcd", "é", "f"]));
    rest.drop_first(9);
    assert_eq!(rest, PackedKeys::new());
    keys.truncate(2);
    assert!(keys.iter().eq(["a", ""]));
    keys.clear();
    assert!(keys.is_empty() && keys.text().is_empty());
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-zé]{1,3}", 1 => "x{250,256}"]
}

fn keys() -> impl Strategy<Value = Keys> {
    let places = prop_oneof![0..20_u16, 0..KEY_BLOCK_USERS as u16];
    prop_oneof![
        4 => proptest::collection::btree_map(places, key(), 0..40),
        1 => proptest::collection::btree_map(0..KEY_BLOCK_USERS as u16, "x{200,256}", 300..400),
        2 => even_keys(),
        2 => alike_keys(),
    ]
}

/// All of one length, in the first places.
fn even_keys() -> impl Strategy<Value = Keys> {
    prop_oneof![(0..40_u16, 1..4_usize), (300..400_u16, 250..256_usize)].prop_map(
        |(places, length)| {
            let key = |place: u16| format!("{:x<length$}", char::from(b'a' + (place % 26) as u8));
            (0..places).map(|place| (place, key(place))).collect()
        },
    )
}

/// All with one beginning, which may be one of them.
fn alike_keys() -> impl Strategy<Value = Keys> {
    let rests = proptest::collection::btree_map(0..50_u16, "[a-cé]{0,3}", 1..30);
    ("[a-cé東]{1,6}", rests).prop_map(|(prefix, rests)| {
        let keys = rests.into_iter();
        keys.map(|(place, rest)| (place, format!("{prefix}{rest}")))
            .collect()
    })
}

fn changes() -> impl Strategy<Value = Vec<(u16, Option<String>)>> {
    let places = prop_oneof![0..20_u16, 0..KEY_BLOCK_USERS as u16];
    proptest::collection::vec((places, proptest::option::of(key())), 0..20)
}

proptest! {
    #[test]
    fn blocks_come_back(keys in keys()) {
        let block = block_of(&keys);
        prop_assert_eq!(&KeyBlock::from_bytes(&bytes_of(&block)).unwrap(), &block);
        let found: Keys = keys_in(&block).collect();
        prop_assert_eq!(&found, &keys);
        let users: Vec<UserId> = keys.keys().map(|place| UserId(u32::from(*place))).collect();
        let mut packed = PackedKeys::new();
        block.append_users(&users, &mut packed).unwrap();
        prop_assert!(packed.iter().eq(keys.values().map(String::as_str)));
    }

    #[test]
    fn merging_is_applying(start in keys(), deltas in proptest::collection::vec(changes(), 0..5), cut: prop::sample::Index) {
        let mut keys = start.clone();
        let deltas: Vec<Vec<u8>> = deltas.iter().map(|changes| applied(&mut keys, changes)).collect();
        let expected = bytes_of(&block_of(&keys));
        let base = bytes_of(&block_of(&start));
        let slices = || deltas.iter().map(Vec::as_slice);
        prop_assert_eq!(&merge_full(Some(&base), slices()).unwrap(), &expected);
        let (head, tail) = deltas.split_at(cut.index(deltas.len() + 1));
        let head = merge_partial(head.iter().map(Vec::as_slice)).unwrap();
        let tail = merge_partial(tail.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(&merge_full(Some(&base), [&head[..], &tail].into_iter()).unwrap(), &expected);
    }

    #[test]
    fn any_bytes_are_a_block_or_an_error(bytes in proptest::collection::vec(0u8..6, 0..40)) {
        if let Ok(block) = KeyBlock::from_bytes(&bytes) {
            prop_assert!(block.iter().count() <= bytes.len());
        }
        let _ = merge_full(None, [&bytes[..]].into_iter());
    }
}
