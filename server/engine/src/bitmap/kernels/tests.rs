//! Every level of every loop against plain words and `roaring`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::{Bits, Digit, Kernels, SieveWords, Term, Words, bits_of};
use crate::bitmap::{
    Block,
    block::BLOCK_WORDS,
    tests::{block, offsets},
};

/// Packing for codes of some width.
type Packing = fn(Kernels, &[u64], &[u8], &mut [u8]) -> usize;

/// Bits at some distance from where a word would start.
struct Stored {
    bytes: Vec<u8>,
    start: usize,
}

impl Stored {
    fn new(block: &Block, start: usize) -> Self {
        let mut bytes = vec![0xa5; start];
        for word in block.words() {
            bytes.extend(word.to_le_bytes());
        }
        Self { bytes, start }
    }

    fn bits(&self) -> &Bits {
        self.bytes[self.start..].as_chunks().0.try_into().unwrap()
    }
}

/// Sets at various alignments, as blocks and as stored.
fn sets(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(Block, Stored, bool)>> {
    let set = (block(), 0_usize..9, any::<bool>()).prop_map(|(block, start, is_inside)| {
        let stored = Stored::new(&block, start);
        (block, stored, is_inside)
    });
    prop::collection::vec(set, count)
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stored at {}", self.start)
    }
}

fn term((_, stored, is_inside): &(Block, Stored, bool)) -> Term<'_> {
    if *is_inside {
        Term::inside(stored.bits())
    } else {
        Term::outside(stored.bits())
    }
}

fn effective((block, _, is_inside): &(Block, Stored, bool)) -> Block {
    let mut block = block.clone();
    if !is_inside {
        block.not();
    }
    block
}

fn words(word_at: impl Fn(usize) -> u64) -> Words {
    std::array::from_fn(word_at)
}

fn ones(words: &Words) -> u32 {
    words.iter().map(|word| word.count_ones()).sum()
}

fn values(block: &Block) -> Vec<[u8; 2]> {
    block.iter().map(u16::to_le_bytes).collect()
}

#[test]
fn this_machine_has_the_portable_level_and_the_best() {
    let all = Kernels::all();
    assert_eq!(all.first(), Some(&Kernels::PORTABLE));
    assert!(all.contains(&Kernels::best()));
}

#[test]
fn nothing_is_everything_for_all_and_nobody_for_any() {
    for kernels in Kernels::all() {
        let mut out = [7; BLOCK_WORDS];
        assert_eq!(kernels.count_all(&[]), 1 << 16);
        assert_eq!(kernels.count_any(&[]), 0);
        assert_eq!(kernels.keep_all(&[], &mut out), 3 * 1024);
        assert_eq!(kernels.copy_all(&[], &mut out), 1 << 16);
        assert_eq!(out, [u64::MAX; BLOCK_WORDS]);
        kernels.copy_any(&[], &mut out);
        assert_eq!(out, [0; BLOCK_WORDS]);
    }
}

#[test]
fn great_thresholds_are_reached_exactly() {
    let (full, one) = (Block::full(), Block::new());
    let mut one = one;
    one.insert(77);
    for (threshold, sets) in [(1, 1), (5, 5), (16, 16), (17, 17), (256, 256), (257, 300)] {
        let mut given = vec![bits_of(full.words()); sets - 1];
        given.push(bits_of(one.words()));
        for kernels in Kernels::all() {
            let count = kernels.count_threshold(threshold, &given);
            let expected = if sets as u32 == threshold { 1 } else { 1 << 16 };
            assert_eq!(count, expected, "{threshold} of {sets} by {kernels:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn terms_are_combined(sets in sets(1..11), before in block()) {
        let terms: Vec<Term<'_>> = sets.iter().map(term).collect();
        let effective: Vec<Block> = sets.iter().map(effective).collect();
        let all = words(|i| effective.iter().fold(u64::MAX, |word, set| word & set.words()[i]));
        let any = words(|i| effective.iter().fold(0, |word, set| word | set.words()[i]));
        let old = *before.words();
        for kernels in Kernels::all() {
            prop_assert_eq!(kernels.count_all(&terms), ones(&all));
            prop_assert_eq!(kernels.count_any(&terms), ones(&any));
            let mut out = old;
            prop_assert_eq!(kernels.copy_all(&terms, &mut out), ones(&all));
            prop_assert_eq!(out, all);
            let mut out = old;
            let kept = words(|i| old[i] & all[i]);
            prop_assert_eq!(kernels.keep_all(&terms, &mut out), ones(&kept));
            prop_assert_eq!(out, kept);
            let mut out = old;
            kernels.copy_any(&terms, &mut out);
            prop_assert_eq!(out, any);
            let mut out = old;
            kernels.add_any(&terms, &mut out);
            prop_assert_eq!(out, words(|i| old[i] | any[i]));
        }
    }

    #[test]
    fn two_sets_are_as_in_the_library(left in block(), right in block(), start in 0_usize..9) {
        let (a, b) = (offsets(0, &left), offsets(0, &right));
        let (left, right) = (Stored::new(&left, start), Stored::new(&right, 3 * start % 8));
        let (x, y) = (Term::inside(left.bits()), Term::inside(right.bits()));
        for kernels in Kernels::all() {
            prop_assert_eq!(u64::from(kernels.count_all(&[x, y])), (&a & &b).len());
            prop_assert_eq!(u64::from(kernels.count_any(&[x, y])), (&a | &b).len());
            let outside = Term::outside(right.bits());
            prop_assert_eq!(u64::from(kernels.count_all(&[x, outside])), (&a - &b).len());
            let mut out = Block::new();
            kernels.copy_any(&[x], out.words_mut());
            kernels.toggle(right.bits(), out.words_mut());
            prop_assert_eq!(offsets(0, &out), &a ^ &b);
            prop_assert_eq!(u64::from(kernels.count(left.bits())), a.len());
            prop_assert_eq!(kernels.is_empty(left.bits()), a.is_empty());
        }
    }

    #[test]
    fn values_are_as_in_the_library(listed in block(), other in block(), start in 0_usize..9) {
        let (a, b) = (offsets(0, &listed), offsets(0, &other));
        let (values, stored) = (values(&listed), Stored::new(&other, start));
        let set = |block: &Block| offsets(0, block);
        for kernels in Kernels::all() {
            let mut out = other.clone();
            kernels.add_values(&values, out.words_mut());
            prop_assert_eq!(set(&out), &a | &b);
            let mut out = other.clone();
            kernels.remove_values(&values, out.words_mut());
            prop_assert_eq!(set(&out), &b - &a);
            prop_assert_eq!(u64::from(kernels.count_values(&values, stored.bits())), (&a & &b).len());
            let mut out = Block::new();
            kernels.copy_values_in(&values, stored.bits(), out.words_mut());
            prop_assert_eq!(set(&out), &a & &b);
            for (term, expected) in [
                (Term::inside(stored.bits()), &a & &b),
                (Term::outside(stored.bits()), &a - &b),
            ] {
                let mut list: Vec<u16> = listed.iter().collect();
                let kept = kernels.retain_values(&mut list, term);
                let kept: RoaringBitmap = list[..kept].iter().map(|v| u32::from(*v)).collect();
                prop_assert_eq!(kept, expected);
            }
            let mut room = vec![0; b.len() as usize];
            prop_assert_eq!(kernels.values_of(stored.bits(), &mut room), room.len());
            prop_assert!(room.iter().map(|v| u32::from(*v)).eq(b.iter()));
            let half = room.len() / 2;
            prop_assert_eq!(kernels.values_of(stored.bits(), &mut room[..half]), half);
        }
    }

    #[test]
    fn sifted_values_are_counted(listed in block(), other in block(), start in 0_usize..9) {
        let (values, stored) = (values(&listed), Stored::new(&other, start));
        let words = other.words();
        let held: SieveWords = std::array::from_fn(|index| {
            (0..64).map(|bit| u64::from(words[64 * index + bit] != 0) << bit).sum()
        });
        let expected = Kernels::PORTABLE.count_values(&values, stored.bits());
        for kernels in Kernels::all() {
            prop_assert_eq!(kernels.words_held(stored.bits()), held);
            prop_assert_eq!(kernels.count_values_sifted(&values, stored.bits(), &held), expected);
        }
    }

    #[test]
    fn codes_are_translated(codes in prop::collection::vec(any::<u8>(), 0..300), lacking in 0_usize..3) {
        let table: [u8; 256] = std::array::from_fn(|code| (code as u8).wrapping_mul(77) ^ 0x5a);
        let expected: Vec<u8> = codes.iter().map(|code| table[usize::from(*code)]).collect();
        for kernels in Kernels::all() {
            let mut out = vec![0; codes.len() + 70];
            kernels.translate(&codes, &table, &mut out);
            prop_assert_eq!(&out[..codes.len()], &expected);
            prop_assert_eq!(&out[codes.len()..], [0; 70]);
            let length = codes.len().saturating_sub(lacking);
            kernels.translate(&codes, &table, &mut out[..length]);
            prop_assert_eq!(&out[..length], &expected[..length]);
        }
    }

    #[test]
    fn codes_are_packed(set in block(), first in 0_usize..1024, length in 0_usize..200, lacking in 0_usize..130) {
        let words: Vec<u64> = set.words()[first..].iter().take(length).copied().collect();
        let bytes: Vec<u8> = (0..words.len() * 64 * 8).map(|byte| (byte % 251) as u8).collect();
        let check = |width: usize, pack: Packing| {
            let count = (words.len() * 64).saturating_sub(lacking);
            let codes = &bytes[..count * width];
            let places = (0..count / 64 * 64).filter(|place| words[place / 64] >> (place % 64) & 1 == 1);
            let expected: Vec<u8> = places.flat_map(|place| codes[place * width..][..width].iter().copied()).collect();
            for kernels in Kernels::all() {
                let mut out = vec![0xee; expected.len() + 64 * width];
                let packed = pack(kernels, &words, codes, &mut out);
                assert_eq!(packed * width, expected.len(), "{kernels:?}, {width} bytes");
                assert_eq!(&out[..expected.len()], expected, "{kernels:?}, {width} bytes");
                // Too little room is no reason to fail.
                let mut short = vec![0; expected.len() / 2];
                assert!(pack(kernels, &words, codes, &mut short) * width <= expected.len());
            }
        };
        check(1, Kernels::pack_ones);
        check(2, Kernels::pack_twos);
        check(4, Kernels::pack_fours);
        check(8, Kernels::pack_eights);
    }

    #[test]
    fn thresholds_are_counted(sets in sets(1..40), threshold in 1_u32..42) {
        let bits: Vec<&Bits> = sets.iter().map(|(_, stored, _)| stored.bits()).collect();
        let mut expected = Block::new();
        for place in 0..=u16::MAX {
            let holding = sets.iter().filter(|(block, ..)| block.contains(place)).count();
            if holding >= threshold as usize {
                expected.insert(place);
            }
        }
        for kernels in Kernels::all() {
            prop_assert_eq!(kernels.count_threshold(threshold, &bits), expected.count());
            let mut out = [7; BLOCK_WORDS];
            kernels.copy_threshold(threshold, &bits, &mut out);
            prop_assert_eq!(&out, expected.words());
        }
    }

    #[test]
    fn ranges_are_those_of_the_numbers(
        slices in sets(0..12),
        bounds in (0_u64..5000, 0_u64..5000),
    ) {
        let number = |place: u16| {
            slices.iter().enumerate().map(|(bit, (block, ..))| u64::from(block.contains(place)) << bit).sum::<u64>()
        };
        // Bounds that have no more bits than the numbers.
        let room = 1_u64 << slices.len();
        let (low, beyond) = (bounds.0 % room, bounds.1 % room);
        let mut expected = Block::new();
        (0..=u16::MAX).filter(|place| (low..beyond).contains(&number(*place))).for_each(|place| expected.insert(place));
        let digits: Vec<Digit<'_>> = slices
            .iter()
            .enumerate()
            .map(|(bit, (_, stored, _))| Digit::new(stored.bits(), low >> bit, beyond >> bit))
            .collect();
        for kernels in Kernels::all() {
            let mut out = [7; BLOCK_WORDS];
            kernels.range(&digits, u64::MAX, u64::MAX, &mut out);
            prop_assert_eq!(&out, expected.words());
        }
    }
}
