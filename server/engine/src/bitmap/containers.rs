//! The three kinds of roaring container, read in place from their bytes.
//!
//! Knows how to combine a checked container with a block. Does not check anything: that was
//! done when the bytes were parsed (see `layout`).
//!
//! Source: Lemire, Kai, Kaser: "Consistently faster and smaller compressed bitmaps with
//! Roaring", Software: Practice and Experience 46(11), 2016.

use super::{
    block::{Block, WordBits, split},
    kernels::{Bits, Kernels, Term, Words, bits_of},
    sieve::Sieve,
};

/// The values of one block, as they lie in the fragment's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Container<'a> {
    /// Nothing is stored for the block.
    Empty,
    /// All places; however that is stored.
    Full,
    /// Strictly rising values.
    Array(&'a [[u8; 2]]),
    /// 1024 words.
    Bitmap(&'a Bits),
    /// Runs of start and length less one; rising, with gaps between them.
    Runs(&'a [[u8; 4]]),
}

/// How many times longer an array must be than a list for its values to be searched one by one.
const SEARCH_FROM: usize = 32;

/// Values of an array from which on a sieve is asked first.
const SIFTED_VALUES_MIN: usize = 64;

/// Which part of the users a set stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Who is in it.
    Inside,
    /// Who is not.
    Outside,
}

impl Side {
    pub(super) fn term(self, bits: &Bits) -> Term<'_> {
        match self {
            Self::Inside => Term::inside(bits),
            Self::Outside => Term::outside(bits),
        }
    }
}

/// A run's first and last value.
pub(super) fn run_bounds(run: [u8; 4]) -> (u16, u16) {
    let [start_low, start_high, length_low, length_high] = run;
    let start = u16::from_le_bytes([start_low, start_high]);
    let length_less_one = u16::from_le_bytes([length_low, length_high]);
    // Checked at parsing not to pass the end of the block.
    (start, start.saturating_add(length_less_one))
}

impl<'a> Container<'a> {
    /// The block becomes these values.
    pub(super) fn copy_into(self, out: &mut Block) {
        match self {
            Self::Bitmap(bits) => {
                Kernels::best().copy_any(&[Term::inside(bits)], out.words_mut());
            }
            Self::Full => out.fill(),
            Self::Empty | Self::Array(_) | Self::Runs(_) => {
                out.clear();
                self.or_into(out);
            }
        }
    }

    /// The block gains these values.
    pub(super) fn or_into(self, out: &mut Block) {
        match self {
            Self::Empty => {}
            Self::Full => out.fill(),
            Self::Array(values) => Kernels::best().add_values(values, out.words_mut()),
            Self::Bitmap(bits) => Kernels::best().add_any(&[Term::inside(bits)], out.words_mut()),
            Self::Runs(runs) => {
                for run in runs {
                    let (first, last) = run_bounds(*run);
                    change_range(out.words_mut(), first, last, |word, mask| word | mask);
                }
            }
        }
    }

    /// The block keeps only what is among these values.
    pub(super) fn and_into(self, out: &mut Block) {
        match self {
            Self::Empty => out.clear(),
            Self::Full => {}
            Self::Array(values) => retain_array(values, out.words_mut()),
            Self::Bitmap(bits) => {
                Kernels::best().keep_all(&[Term::inside(bits)], out.words_mut());
            }
            Self::Runs(runs) => retain_runs(runs, out.words_mut()),
        }
    }

    /// The block loses these values.
    pub(super) fn and_not_into(self, out: &mut Block) {
        match self {
            Self::Empty => {}
            Self::Full => out.clear(),
            Self::Array(values) => Kernels::best().remove_values(values, out.words_mut()),
            Self::Bitmap(bits) => {
                Kernels::best().keep_all(&[Term::outside(bits)], out.words_mut());
            }
            Self::Runs(runs) => {
                for run in runs {
                    let (first, last) = run_bounds(*run);
                    change_range(out.words_mut(), first, last, |word, mask| word & !mask);
                }
            }
        }
    }

    /// How many of these values are in the block.
    pub(super) fn count_and(self, block: &Block) -> u32 {
        match self {
            Self::Empty => 0,
            Self::Full => block.count(),
            Self::Array(values) => Kernels::best().count_values(values, block.bits()),
            Self::Bitmap(bits) => {
                Kernels::best().count_all(&[Term::inside(bits), Term::inside(block.bits())])
            }
            Self::Runs(runs) => runs
                .iter()
                .map(|run| {
                    let (first, last) = run_bounds(*run);
                    count_range(block.words(), first, last)
                })
                .sum(),
        }
    }

    /// The same, with the block's sieve if it has one.
    pub(super) fn count_and_sifted(self, block: &Block, sieve: Option<&Sieve>) -> u32 {
        match (self, sieve) {
            (Self::Array(values), Some(sieve)) if values.len() >= SIFTED_VALUES_MIN => {
                Kernels::best().count_values_sifted(values, block.bits(), sieve.words())
            }
            (
                Self::Empty | Self::Full | Self::Array(_) | Self::Bitmap(_) | Self::Runs(_),
                Some(_) | None,
            ) => self.count_and(block),
        }
    }

    /// Whether a value is among these.
    pub(super) fn contains(self, value: u16) -> bool {
        match self {
            Self::Empty => false,
            Self::Full => true,
            Self::Array(values) => values
                .binary_search_by_key(&value, |stored| u16::from_le_bytes(*stored))
                .is_ok(),
            Self::Bitmap(stored) => {
                let (word, bit) = split(value);
                stored
                    .get(word)
                    .is_some_and(|stored| u64::from_le_bytes(*stored) >> bit & 1 == 1)
            }
            Self::Runs(runs) => {
                let after = runs.partition_point(|run| run_bounds(*run).0 <= value);
                after
                    .checked_sub(1)
                    .is_some_and(|index| value <= run_bounds(runs[index]).1)
            }
        }
    }

    /// The list, empty or rising, keeps what is on that side of these values. `room` is
    /// overwritten.
    pub(super) fn retain(self, list: &mut Vec<u16>, side: Side, room: &mut Block) {
        let kept = match (self, side) {
            (Self::Empty, Side::Inside) | (Self::Full, Side::Outside) => 0,
            (Self::Empty, Side::Outside) | (Self::Full, Side::Inside) => list.len(),
            (Self::Bitmap(bits), _) => Kernels::best().retain_values(list, side.term(bits)),
            (Self::Array(values), _) if values.len() / SEARCH_FROM > list.len() => {
                list.retain(|value| self.contains(*value) == (side == Side::Inside));
                list.len()
            }
            (Self::Runs(_), _) if list.len() < SEARCH_FROM => {
                list.retain(|value| self.contains(*value) == (side == Side::Inside));
                list.len()
            }
            (Self::Array(_) | Self::Runs(_), _) => {
                self.copy_into(room);
                Kernels::best().retain_values(list, side.term(room.bits()))
            }
        };
        list.truncate(kept);
    }

    /// The values in rising order.
    pub(super) fn iter(self) -> ContainerIter<'a> {
        match self {
            Self::Empty => ContainerIter::Array([].iter()),
            // One run from 0, of length 2^16 less one.
            Self::Full => ContainerIter::Runs {
                runs: [[0, 0, 0xff, 0xff]].iter(),
                values: 0..0,
            },
            Self::Array(values) => ContainerIter::Array(values.iter()),
            Self::Bitmap(stored) => ContainerIter::Bitmap {
                words: stored.iter(),
                base: 0,
                bits: WordBits(0),
            },
            Self::Runs(runs) => ContainerIter::Runs {
                runs: runs.iter(),
                values: 0..0,
            },
        }
    }
}

/// The values of a container in rising order.
pub(super) enum ContainerIter<'a> {
    /// Of an array, or of nothing.
    Array(std::slice::Iter<'a, [u8; 2]>),
    /// Of a bitmap: the words to come, the value after those already taken, and the rest of
    /// the word taken last.
    Bitmap {
        words: std::slice::Iter<'a, [u8; 8]>,
        base: u32,
        bits: WordBits,
    },
    /// Of runs: those to come, and the rest of the one taken last.
    Runs {
        runs: std::slice::Iter<'a, [u8; 4]>,
        values: std::ops::Range<u32>,
    },
}

impl Iterator for ContainerIter<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        match self {
            Self::Array(values) => values.next().map(|value| u16::from_le_bytes(*value)),
            Self::Bitmap { words, base, bits } => loop {
                if let Some(bit) = bits.next() {
                    // The base is already past this word.
                    return Some((*base - u64::BITS) as u16 | bit);
                }
                *bits = WordBits(u64::from_le_bytes(*words.next()?));
                *base += u64::BITS;
            },
            Self::Runs { runs, values } => loop {
                if let Some(value) = values.next() {
                    // Not past the end of the block.
                    return Some(value as u16);
                }
                let (first, last) = run_bounds(*runs.next()?);
                *values = u32::from(first)..u32::from(last) + 1;
            },
        }
    }
}

/// The masks of a range in its first and its last word.
fn edge_masks(first: u16, last: u16) -> (u64, u64) {
    (u64::MAX << (first & 63), u64::MAX >> (63 - (last & 63)))
}

fn change_range(words: &mut Words, first: u16, last: u16, change: impl Fn(u64, u64) -> u64) {
    let (low, high) = edge_masks(first, last);
    let (first_word, last_word) = (split(first).0, split(last).0);
    if first_word == last_word {
        words[first_word] = change(words[first_word], low & high);
        return;
    }
    words[first_word] = change(words[first_word], low);
    for word in &mut words[first_word + 1..last_word] {
        *word = change(*word, u64::MAX);
    }
    words[last_word] = change(words[last_word], high);
}

fn count_range(words: &Words, first: u16, last: u16) -> u32 {
    let (low, high) = edge_masks(first, last);
    let (first_word, last_word) = (split(first).0, split(last).0);
    if first_word == last_word {
        return (words[first_word] & low & high).count_ones();
    }
    let middle: u32 = words[first_word + 1..last_word]
        .iter()
        .map(|word| word.count_ones())
        .sum();
    (words[first_word] & low).count_ones() + middle + (words[last_word] & high).count_ones()
}

/// Puts back, of what was there, the values of the array.
fn retain_array(values: &[[u8; 2]], words: &mut Words) {
    let before = *words;
    words.fill(0);
    Kernels::best().copy_values_in(values, bits_of(&before), words);
}

/// Clears the gaps before, between and after the runs.
fn retain_runs(runs: &[[u8; 4]], words: &mut Words) {
    let mut kept_to = None;
    for run in runs {
        let (first, last) = run_bounds(*run);
        let gap_first = kept_to.map_or(0, |kept: u16| kept.saturating_add(1));
        if gap_first < first {
            change_range(words, gap_first, first - 1, |word, mask| word & !mask);
        }
        kept_to = Some(last);
    }
    let gap_first = kept_to.map_or(Some(0), |kept| kept.checked_add(1));
    if let Some(gap_first) = gap_first {
        change_range(words, gap_first, u16::MAX, |word, mask| word & !mask);
    }
}
