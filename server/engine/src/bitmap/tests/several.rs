//! Several rows at once against plain words.

use std::sync::Arc;

use proptest::prelude::*;

use super::{block, offsets};
use crate::bitmap::{
    Block, Demands, Found, Fragment, Room, count_at_least, count_union, fill_at_least, fill_from,
    list_places, retain_in, retain_outside, unite,
};

/// The block in which everything happens.
const INDEX: u32 = 3;

fn row(block: &Block) -> Arc<Fragment> {
    Arc::new(Fragment::from_sorted(offsets(INDEX, block)).unwrap())
}

/// An array that is too long to be gone through value by value.
fn long_array() -> impl Strategy<Value = Block> {
    (2_usize..90, 0_u16..9).prop_map(|(step, start)| {
        let mut block = Block::new();
        (start..=u16::MAX)
            .step_by(step.max(17))
            .for_each(|place| block.insert(place));
        block
    })
}

fn blocks(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Block>> {
    prop::collection::vec(prop_oneof![3 => block(), 1 => long_array()], count)
}

fn rows(blocks: &[Block]) -> Vec<Arc<Fragment>> {
    blocks.iter().map(row).collect()
}

fn found(demands: Demands<'_>) -> Block {
    let (mut out, mut room) = (Block::full(), Room::default());
    match demands.find(INDEX, &mut out, &mut room) {
        Found::Filled(count) => assert_eq!(count, out.count()),
        Found::Listed => fill_from(&room.list, &mut out),
    }
    out
}

#[test]
fn more_rows_than_are_worked_on_at_once() {
    let dense = |bit: u32| {
        let mut block = Block::new();
        (0..=u16::MAX)
            .filter(|place| *place != bit as u16)
            .for_each(|place| block.insert(place));
        block
    };
    for rows_count in [15, 16, 17, 32, 33, 63, 64, 65, 130] {
        let keep: Vec<_> = (0..rows_count).map(|bit| row(&dense(bit))).collect();
        let demands = Demands {
            keep: &keep,
            drop: &[],
        };
        assert_eq!(found(demands).count(), 65_536 - rows_count);
        let drop: Vec<_> = (0..rows_count).map(|bit| row(&dense(bit))).collect();
        let demands = Demands {
            keep: &keep[..1],
            drop: &drop[1..],
        };
        assert_eq!(found(demands).count(), 0);
        let (mut out, mut room) = (Block::new(), Room::default());
        assert_eq!(count_union(&keep, INDEX, &mut out), 65_536);
        let mut at_least =
            |threshold| count_at_least(threshold, &keep, &[], INDEX, &mut out, &mut room);
        assert_eq!(at_least(rows_count), 65_536 - rows_count);
        assert_eq!(at_least(rows_count - 1), 65_536);
        assert_eq!(at_least(rows_count + 1), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn demands_are_met(keep in blocks(1..5), drop in blocks(0..4)) {
        let mut expected = Block::full();
        keep.iter().for_each(|set| expected.and(set));
        drop.iter().for_each(|set| expected.and_not(set));
        let (keep, drop) = (rows(&keep), rows(&drop));
        let demands = Demands { keep: &keep, drop: &drop };
        let (mut out, mut room) = (Block::full(), Room::default());
        prop_assert_eq!(demands.count(INDEX, &mut out, &mut room), expected.count());
        prop_assert!(demands.at_most(INDEX) >= expected.count());
        prop_assert_eq!(found(demands), expected);
        prop_assert_eq!(demands.count(INDEX + 1, &mut out, &mut room), 0);
    }

    #[test]
    fn rows_are_united(sets in blocks(0..9)) {
        let mut expected = Block::new();
        sets.iter().for_each(|set| expected.or(set));
        let rows = rows(&sets);
        let mut out = Block::full();
        prop_assert_eq!(count_union(&rows, INDEX, &mut out), expected.count());
        let mut out = Block::full();
        unite(&rows, INDEX, &mut out);
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn thresholds_are_met(sets in blocks(0..9), computed in blocks(0..3), threshold in 1_u32..8) {
        let mut expected = Block::new();
        for place in 0..=u16::MAX {
            let all = sets.iter().chain(&computed);
            if all.filter(|set| set.contains(place)).count() >= threshold as usize {
                expected.insert(place);
            }
        }
        let rows = rows(&sets);
        let (mut out, mut room) = (Block::full(), Room::default());
        let count = count_at_least(threshold, &rows, &computed, INDEX, &mut out, &mut room);
        prop_assert_eq!(count, expected.count());
        let mut out = Block::full();
        fill_at_least(threshold, &rows, &computed, INDEX, &mut out, &mut room);
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn lists_and_blocks_agree(set in block(), other in block()) {
        let mut list = vec![7];
        list_places(&set, set.count(), &mut list);
        prop_assert!(list.iter().copied().eq(set.iter()));
        let (mut inside, mut outside) = (list.clone(), list);
        retain_in(&mut inside, &other);
        retain_outside(&mut outside, &other);
        let mut expected = set.clone();
        prop_assert_eq!(expected.and_counted(&other) as usize, inside.len());
        let mut out = Block::full();
        fill_from(&inside, &mut out);
        prop_assert_eq!(out, expected);
        let mut expected = set.clone();
        prop_assert_eq!(expected.and_not_counted(&other) as usize, outside.len());
        prop_assert!(outside.iter().copied().eq(expected.iter()));
    }
}
