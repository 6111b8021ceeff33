//! Threshold counters against counting place by place.

use proptest::prelude::*;

use super::block;
use crate::bitmap::{Block, ThresholdCounter};

fn naive(sets: &[Block], k: u32) -> Block {
    let mut out = Block::new();
    for place in 0..=u16::MAX {
        let count: u32 = sets.iter().map(|set| u32::from(set.contains(place))).sum();
        if count >= k {
            out.insert(place);
        }
    }
    out
}

#[test]
fn many_sets_reach_every_threshold() {
    // Place p is in the first p sets, for p up to 40.
    let sets: Vec<_> = (0..40u16)
        .map(|set| {
            let mut block = Block::new();
            (set + 1..=40).for_each(|place| block.insert(place));
            block
        })
        .collect();
    for k in 0..=41 {
        let mut counter = ThresholdCounter::new(k);
        sets.iter().for_each(|set| counter.add(set));
        let mut out = Block::full();
        counter.finish(&mut out);
        assert_eq!(out, naive(&sets, k), "at least {k}");
    }
}

#[test]
fn thresholds_out_of_reach_are_empty() {
    for k in [1_000, u32::MAX] {
        let mut counter = ThresholdCounter::new(k);
        (0..999).for_each(|_| counter.add(&Block::full()));
        let mut out = Block::full();
        counter.finish(&mut out);
        assert!(out.is_empty(), "at least {k}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counting_starts_anew(first in prop::collection::vec(block(), 0..12), second in prop::collection::vec(block(), 0..12), k in 0u32..14) {
        let mut counter = ThresholdCounter::new(k);
        for sets in [&first, &second, &first] {
            sets.iter().for_each(|set| counter.add(set));
            let mut out = Block::new();
            counter.finish(&mut out);
            prop_assert!(out == naive(sets, k));
        }
    }
}
