//! Blocks against the library's sets.

use proptest::prelude::*;

use super::{block, offsets};
use crate::bitmap::Block;

#[test]
fn places_come_and_go() {
    for place in [0, 1, 63, 64, 65, 4095, u16::MAX - 1, u16::MAX] {
        let mut block = Block::new();
        assert!(block.is_empty());
        block.insert(place);
        assert!(block.contains(place));
        assert_eq!(block.iter().collect::<Vec<_>>(), [place]);
        assert_eq!(block.count(), 1);
        block.remove(place);
        assert_eq!(block, Block::new());
        block.not();
        assert_eq!(block, Block::full());
        block.remove(place);
        assert_eq!(block.count(), 65_535);
        block.fill();
        assert_eq!(block.count(), 65_536);
        block.clear();
        assert!(block.is_empty());
    }
}

proptest! {
    #[test]
    fn operations_are_those_of_sets(a in block(), b in block()) {
        type Operation = fn(&mut Block, &Block);
        let (left, right) = (offsets(3, &a), offsets(3, &b));
        let cases: [(Operation, _); 5] = [
            (Block::and, &left & &right),
            (Block::or, &left | &right),
            (Block::xor, &left ^ &right),
            (Block::and_not, &left - &right),
            (Block::copy_from, right.clone()),
        ];
        for (operation, expected) in cases {
            let mut out = a.clone();
            operation(&mut out, &b);
            prop_assert_eq!(offsets(3, &out), expected);
        }
        prop_assert_eq!(u64::from(a.count_and(&b)), left.intersection_len(&right));
        prop_assert_eq!(u64::from(a.count()), left.len());
        prop_assert_eq!(a.is_empty(), left.is_empty());
        let mut visited = Vec::new();
        a.for_each(|place| visited.push(place));
        prop_assert_eq!(visited, a.iter().collect::<Vec<_>>());
    }
}
