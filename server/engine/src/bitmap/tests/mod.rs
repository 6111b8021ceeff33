//! Random sets with every kind of container, and everything here against `roaring`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blocks;
mod damage;
mod deltas;
mod fragments;
mod numbers;
mod several;
mod stored;
mod thresholds;

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::{Block, Fragment};
use crate::ids::{BLOCK_BITS, BLOCK_USERS, SHARD_BLOCKS, SHARD_USERS};

/// Random words that need no more room in a failure report than their seed.
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

/// What a block of a random set looks like.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Empty,
    Full,
    /// An array.
    Sparse(Vec<u16>),
    /// Half of the places: a bitmap.
    Dense(u64),
    /// One place in 16: around the border between array and bitmap.
    Border(u64),
    /// Starts and lengths.
    Runs(Vec<(u16, u16)>),
}

impl Shape {
    fn places(&self) -> Block {
        let mut block = Block::new();
        match self {
            Self::Empty => {}
            Self::Full => block.fill(),
            Self::Sparse(places) => places.iter().for_each(|place| block.insert(*place)),
            Self::Dense(seed) => noise_into(&mut block, *seed, 1),
            Self::Border(seed) => noise_into(&mut block, *seed, 4),
            Self::Runs(runs) => {
                for (start, length) in runs {
                    (*start..=start.saturating_add(*length)).for_each(|place| block.insert(place));
                }
            }
        }
        block
    }
}

/// Each place with probability 2^-`halvings`.
fn noise_into(block: &mut Block, seed: u64, halvings: u32) {
    let mut noise = Noise::new(seed);
    for word in block.words_mut() {
        *word = (0..halvings).fold(u64::MAX, |word, _| word & noise.word());
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let run = (any::<u16>(), prop_oneof![0u16..100, any::<u16>()]);
    prop_oneof![
        6 => Just(Shape::Empty),
        1 => Just(Shape::Full),
        3 => prop::collection::vec(any::<u16>(), 1..40).prop_map(Shape::Sparse),
        1 => prop::collection::vec(prop_oneof![Just(0u16), Just(63), Just(64), Just(u16::MAX)], 1..4)
            .prop_map(Shape::Sparse),
        2 => any::<u64>().prop_map(Shape::Dense),
        2 => any::<u64>().prop_map(Shape::Border),
        3 => prop::collection::vec(run, 1..20).prop_map(Shape::Runs),
    ]
}

/// A random block.
pub(super) fn block() -> impl Strategy<Value = Block> {
    shape().prop_map(|shape| shape.places())
}

/// A random set of offsets in a shard, as the library holds it.
pub(super) fn shard_set() -> impl Strategy<Value = RoaringBitmap> {
    prop::collection::vec(shape(), SHARD_BLOCKS as usize)
        .prop_map(|shapes| {
            (0..)
                .zip(&shapes)
                .map(|(i, s)| offsets(i, &s.places()))
                .collect()
        })
        .prop_map(|blocks: Vec<RoaringBitmap>| {
            blocks
                .into_iter()
                .fold(RoaringBitmap::new(), |all, block| all | block)
        })
}

/// The offsets of a block's places.
pub(super) fn offsets(block_index: u32, block: &Block) -> RoaringBitmap {
    let base = block_index << BLOCK_BITS;
    RoaringBitmap::from_sorted_iter(block.iter().map(|place| base | u32::from(place))).unwrap()
}

/// One block of a set.
pub(super) fn block_of(set: &RoaringBitmap, block_index: u32) -> Block {
    let base = block_index << BLOCK_BITS;
    let mut block = Block::new();
    for offset in set.range(base..base + BLOCK_USERS) {
        block.insert((offset - base) as u16);
    }
    block
}

/// The bytes the library writes.
pub(super) fn portable(set: &RoaringBitmap) -> Vec<u8> {
    let mut bytes = Vec::new();
    set.serialize_into(&mut bytes).unwrap();
    bytes
}

/// The bytes the library writes after it looked for runs.
pub(super) fn optimised(set: &RoaringBitmap) -> Vec<u8> {
    let mut set = set.clone();
    set.optimize();
    portable(&set)
}

/// The bytes that are stored.
pub(super) fn stored(set: &RoaringBitmap) -> Vec<u8> {
    let mut bytes = Vec::new();
    let fragment = Fragment::from_portable(&optimised(set)).unwrap();
    fragment.write_stored(&mut bytes);
    bytes
}

/// Sets at the edges of what there can be.
pub(super) fn edge_sets() -> Vec<(&'static str, RoaringBitmap)> {
    let alternating: RoaringBitmap = (0..SHARD_USERS).step_by(2).collect();
    let runs: RoaringBitmap = (0..SHARD_USERS)
        .filter(|offset| offset % 1000 < 900)
        .collect();
    vec![
        ("empty", RoaringBitmap::new()),
        ("full", (0..SHARD_USERS).collect()),
        ("first", RoaringBitmap::from([0])),
        ("last", RoaringBitmap::from([SHARD_USERS - 1])),
        (
            "one a block",
            (0..SHARD_BLOCKS).map(|index| index << BLOCK_BITS).collect(),
        ),
        ("all but the first", (1..SHARD_USERS).collect()),
        ("alternating", alternating),
        ("many runs", runs),
        ("4096 in a block", (0..4096).map(|i| i * 3).collect()),
        ("4097 in a block", (0..4097).map(|i| i * 3).collect()),
        ("three containers of runs", (10..3 * BLOCK_USERS).collect()),
        ("four containers of runs", (10..4 * BLOCK_USERS).collect()),
        (
            "runs and an array",
            (10..300).chain([BLOCK_USERS + 7]).collect(),
        ),
    ]
}
