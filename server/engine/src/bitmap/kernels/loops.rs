//! The loops themselves, in safe Rust: for fixed lengths and without branches in the middle, so
//! that the compiler makes vectors of them. Everything is inlined into a caller that is compiled
//! for certain instructions. Arithmetic wraps on purpose: a check in a loop keeps it from being
//! vectorised, and none of the numbers here can pass 2^17.

#![expect(
    clippy::needless_range_loop,
    reason = "the closures of iterators are not sure to be inlined into what is compiled for more"
)]

use super::{Bits, Digit, SieveWords, Term, Words};
use crate::bitmap::block::BLOCK_WORDS;

/// Words that are worked on at once where the number of sets is not known beforehand: two
/// registers of 512 bits.
const CHUNK: usize = 16;
type Chunk = [u64; CHUNK];

#[inline(always)]
fn word(bits: &Bits, index: usize) -> u64 {
    u64::from_le_bytes(bits[index])
}

#[inline(always)]
fn ones(word: u64) -> u64 {
    u64::from(word.count_ones())
}

#[inline(always)]
fn in_all<const N: usize>(terms: &[Term<'_>; N], index: usize) -> u64 {
    let mut all = u64::MAX;
    for term in terms {
        all &= word(term.bits, index) ^ term.flip;
    }
    all
}

#[inline(always)]
fn in_any<const N: usize>(terms: &[Term<'_>; N], index: usize) -> u64 {
    let mut any = 0;
    for term in terms {
        any |= word(term.bits, index) ^ term.flip;
    }
    any
}

#[inline(always)]
fn count_by(word_at: impl Fn(usize) -> u64) -> u32 {
    let mut total: u64 = 0;
    for index in 0..BLOCK_WORDS {
        total = total.wrapping_add(ones(word_at(index)));
    }
    total as u32
}

#[inline(always)]
fn fill_by(out: &mut Words, word_at: impl Fn(usize, u64) -> u64) -> u32 {
    let mut total: u64 = 0;
    for index in 0..BLOCK_WORDS {
        let word = word_at(index, out[index]);
        out[index] = word;
        total = total.wrapping_add(ones(word));
    }
    total as u32
}

#[inline(always)]
fn set_by(out: &mut Words, word_at: impl Fn(usize, u64) -> u64) {
    for index in 0..BLOCK_WORDS {
        out[index] = word_at(index, out[index]);
    }
}

#[inline(always)]
fn load(bits: &Bits, start: usize) -> Chunk {
    let mut chunk = [0; CHUNK];
    for lane in 0..CHUNK {
        chunk[lane] = word(bits, start + lane);
    }
    chunk
}

/// A chunk of what is in all terms, for any number of them.
#[inline(always)]
fn chunk_in_all(terms: &[Term<'_>], start: usize) -> Chunk {
    let mut all = [u64::MAX; CHUNK];
    for term in terms {
        let chunk = load(term.bits, start);
        for lane in 0..CHUNK {
            all[lane] &= chunk[lane] ^ term.flip;
        }
    }
    all
}

/// The words from one chunk on, chunk by chunk.
#[inline(always)]
fn count_chunks(chunk_at: impl Fn(usize) -> Chunk) -> u32 {
    let mut total: u64 = 0;
    for index in 0..BLOCK_WORDS / CHUNK {
        let chunk = chunk_at(index * CHUNK);
        for lane in 0..CHUNK {
            total = total.wrapping_add(ones(chunk[lane]));
        }
    }
    total as u32
}

#[inline(always)]
pub(super) fn count_all(terms: &[Term<'_>]) -> u32 {
    match *terms {
        [a] => count_by(|index| in_all(&[a], index)),
        [a, b] => count_by(|index| in_all(&[a, b], index)),
        [a, b, c] => count_by(|index| in_all(&[a, b, c], index)),
        [a, b, c, d] => count_by(|index| in_all(&[a, b, c, d], index)),
        _ => count_chunks(|start| chunk_in_all(terms, start)),
    }
}

#[inline(always)]
pub(super) fn count_any(terms: &[Term<'_>]) -> u32 {
    match *terms {
        [] => 0,
        [a] => count_by(|index| in_any(&[a], index)),
        [a, b] => count_by(|index| in_any(&[a, b], index)),
        [a, b, c] => count_by(|index| in_any(&[a, b, c], index)),
        [a, b, c, d] => count_by(|index| in_any(&[a, b, c, d], index)),
        _ => count_chunks(|start| {
            let mut any = [0; CHUNK];
            for term in terms {
                let chunk = load(term.bits, start);
                for lane in 0..CHUNK {
                    any[lane] |= chunk[lane] ^ term.flip;
                }
            }
            any
        }),
    }
}

#[inline(always)]
pub(super) fn copy_all(terms: &[Term<'_>], out: &mut Words) -> u32 {
    let (start, rest) = terms.split_at(terms.len().min(4));
    let count = match *start {
        [a] => fill_by(out, |index, _| in_all(&[a], index)),
        [a, b] => fill_by(out, |index, _| in_all(&[a, b], index)),
        [a, b, c] => fill_by(out, |index, _| in_all(&[a, b, c], index)),
        [a, b, c, d] => fill_by(out, |index, _| in_all(&[a, b, c, d], index)),
        _ => fill_by(out, |_, _| u64::MAX),
    };
    if rest.is_empty() {
        count
    } else {
        keep_all(rest, out)
    }
}

#[inline(always)]
pub(super) fn keep_all(terms: &[Term<'_>], out: &mut Words) -> u32 {
    let mut count = 0;
    for group in terms.chunks(4) {
        count = match *group {
            [a] => fill_by(out, |index, word| word & in_all(&[a], index)),
            [a, b] => fill_by(out, |index, word| word & in_all(&[a, b], index)),
            [a, b, c] => fill_by(out, |index, word| word & in_all(&[a, b, c], index)),
            [a, b, c, d] => fill_by(out, |index, word| word & in_all(&[a, b, c, d], index)),
            _ => count,
        };
    }
    if terms.is_empty() {
        count_by(|index| out[index])
    } else {
        count
    }
}

#[inline(always)]
pub(super) fn copy_any(terms: &[Term<'_>], out: &mut Words) {
    let (start, rest) = terms.split_at(terms.len().min(4));
    match *start {
        [a] => set_by(out, |index, _| in_any(&[a], index)),
        [a, b] => set_by(out, |index, _| in_any(&[a, b], index)),
        [a, b, c] => set_by(out, |index, _| in_any(&[a, b, c], index)),
        [a, b, c, d] => set_by(out, |index, _| in_any(&[a, b, c, d], index)),
        _ => out.fill(0),
    }
    add_any(rest, out);
}

#[inline(always)]
pub(super) fn add_any(terms: &[Term<'_>], out: &mut Words) {
    for group in terms.chunks(4) {
        match *group {
            [a] => set_by(out, |index, word| word | in_any(&[a], index)),
            [a, b] => set_by(out, |index, word| word | in_any(&[a, b], index)),
            [a, b, c] => set_by(out, |index, word| word | in_any(&[a, b, c], index)),
            [a, b, c, d] => set_by(out, |index, word| word | in_any(&[a, b, c, d], index)),
            _ => {}
        }
    }
}

#[inline(always)]
pub(super) fn toggle(bits: &Bits, out: &mut Words) {
    set_by(out, |index, old| old ^ word(bits, index));
}

#[inline(always)]
pub(super) fn count(bits: &Bits) -> u32 {
    count_by(|index| word(bits, index))
}

/// Looks at a chunk before the next, and so stops early in what is not empty.
#[inline(always)]
pub(super) fn is_empty(bits: &Bits) -> bool {
    for index in 0..BLOCK_WORDS / CHUNK {
        let chunk = load(bits, index * CHUNK);
        let mut any = 0;
        for lane in 0..CHUNK {
            any |= chunk[lane];
        }
        if any != 0 {
            return false;
        }
    }
    true
}

/// A value's word and its bit. Below [`BLOCK_WORDS`] for any value, so that nothing is checked.
#[inline(always)]
fn place(value: u16) -> (usize, u64) {
    (usize::from(value >> 6), 1 << (value & 63))
}

/// Visits all values, taking from several places of the list in turn: neighbours often share a
/// word, and one change to a word would have to wait for the one before.
#[inline(always)]
fn for_each_in_turn(values: &[[u8; 2]], mut visit: impl FnMut(u16)) {
    const PARTS: usize = 4;
    let length = values.len() / PARTS;
    let (parts, rest) = values.split_at(length * PARTS);
    let (first, second) = parts.split_at(length * 2);
    let ((a, b), (c, d)) = (first.split_at(length), second.split_at(length));
    for index in 0..length {
        visit(u16::from_le_bytes(a[index]));
        visit(u16::from_le_bytes(b[index]));
        visit(u16::from_le_bytes(c[index]));
        visit(u16::from_le_bytes(d[index]));
    }
    for value in rest {
        visit(u16::from_le_bytes(*value));
    }
}

#[inline(always)]
pub(super) fn add_values(values: &[[u8; 2]], out: &mut Words) {
    for_each_in_turn(values, |value| {
        let (index, bit) = place(value);
        out[index] |= bit;
    });
}

#[inline(always)]
pub(super) fn remove_values(values: &[[u8; 2]], out: &mut Words) {
    for_each_in_turn(values, |value| {
        let (index, bit) = place(value);
        out[index] &= !bit;
    });
}

#[inline(always)]
fn is_in(value: u16, bits: &Bits) -> u64 {
    word(bits, usize::from(value >> 6)) >> (value & 63) & 1
}

/// Each group is summed up by itself: the sums of the groups do not wait for one another.
#[inline(always)]
pub(super) fn count_values(values: &[[u8; 2]], bits: &Bits) -> u32 {
    let (groups, rest) = values.as_chunks::<8>();
    let mut total: u64 = 0;
    for group in groups {
        let mut found: u64 = 0;
        for value in group {
            found = found.wrapping_add(is_in(u16::from_le_bytes(*value), bits));
        }
        total = total.wrapping_add(found);
    }
    for value in rest {
        total = total.wrapping_add(is_in(u16::from_le_bytes(*value), bits));
    }
    total as u32
}

/// A sieve helps only where several words of it are looked at together.
#[inline(always)]
pub(super) fn count_values_sifted(values: &[[u8; 2]], bits: &Bits, _: &SieveWords) -> u32 {
    count_values(values, bits)
}

#[inline(always)]
pub(super) fn words_held(bits: &Bits) -> SieveWords {
    let mut held = SieveWords::default();
    for index in 0..BLOCK_WORDS {
        held[index >> 6] |= u64::from(word(bits, index) != 0) << (index & 63);
    }
    held
}

#[inline(always)]
pub(super) fn translate(codes: &[u8], table: &[u8; 256], out: &mut [u8]) {
    for (code, out) in codes.iter().zip(out) {
        *out = table[usize::from(*code)];
    }
}

/// Bits of a word from which on every place of it is looked at.
const DENSE_BITS: u32 = 20;

/// Packs codes of some bytes, word by word. `out` has 64 codes more than there are places, so
/// that dense words are written without a jump: the next code overwrites what was not wanted.
#[inline(always)]
fn pack<const WIDTH: usize>(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize {
    let (codes, _) = codes.as_chunks::<WIDTH>();
    let (groups, _) = codes.as_chunks::<64>();
    let (out, _) = out.as_chunks_mut::<WIDTH>();
    let mut packed = 0_usize;
    for (word, group) in words.iter().zip(groups) {
        let Some(room) = out
            .get_mut(packed..)
            .and_then(<[[u8; WIDTH]]>::first_chunk_mut)
        else {
            return packed;
        };
        let count = word.count_ones();
        if count < DENSE_BITS {
            pack_bits(*word, group, room);
        } else {
            pack_all(*word, group, room);
        }
        packed = packed.wrapping_add(count as usize);
    }
    packed
}

#[inline(always)]
fn pack_bits<T: Copy>(word: u64, group: &[T; 64], room: &mut [T; 64]) {
    let mut rest = word;
    for slot in room {
        if rest == 0 {
            return;
        }
        *slot = group[(rest.trailing_zeros() & 63) as usize];
        rest &= rest.wrapping_sub(1);
    }
}

#[inline(always)]
fn pack_all<T: Copy>(word: u64, group: &[T; 64], room: &mut [T; 64]) {
    let mut next = 0;
    for (bit, code) in group.iter().enumerate() {
        room[next & 63] = *code;
        next = next.wrapping_add((word >> bit & 1) as usize);
    }
}

#[inline(always)]
pub(super) fn pack_ones(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize {
    pack::<1>(words, codes, out)
}

#[inline(always)]
pub(super) fn pack_twos(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize {
    pack::<2>(words, codes, out)
}

#[inline(always)]
pub(super) fn pack_fours(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize {
    pack::<4>(words, codes, out)
}

#[inline(always)]
pub(super) fn pack_eights(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize {
    pack::<8>(words, codes, out)
}

#[inline(always)]
pub(super) fn copy_values_in(values: &[[u8; 2]], bits: &Bits, out: &mut Words) {
    for_each_in_turn(values, |value| {
        let (index, bit) = place(value);
        out[index] |= word(bits, index) & bit;
    });
}

#[inline(always)]
pub(super) fn retain_values(values: &mut [u16], term: Term<'_>) -> usize {
    let flip = term.flip & 1;
    let mut kept = 0;
    for index in 0..values.len() {
        let value = values[index];
        // Never in front of where the next is read.
        values[kept] = value;
        kept = kept.wrapping_add((is_in(value, term.bits) ^ flip) as usize);
    }
    kept
}

#[inline(always)]
pub(super) fn values_of(bits: &Bits, out: &mut [u16]) -> usize {
    let mut written = 0;
    for index in 0..BLOCK_WORDS {
        let mut rest = word(bits, index);
        while rest != 0 {
            let Some(slot) = out.get_mut(written) else {
                return written;
            };
            // 1024 words of 64 places: a place fits 16 bits.
            *slot = (index << 6) as u16 | rest.trailing_zeros() as u16;
            written = written.wrapping_add(1);
            rest &= rest.wrapping_sub(1);
        }
    }
    written
}

/// From the lowest digit up, `at_least` holds whose lower digits are at least those of the low
/// bound: where that has a one the digit is needed as well, where it has a zero the digit alone
/// is enough; and `beyond` the same of the other bound.
#[inline(always)]
fn chunk_in_range(digits: &[Digit<'_>], low_start: u64, beyond_start: u64, start: usize) -> Chunk {
    let mut at_least = [low_start; CHUNK];
    let mut beyond = [beyond_start; CHUNK];
    for digit in digits {
        let chunk = load(digit.bits, start);
        for lane in 0..CHUNK {
            let bit = chunk[lane];
            at_least[lane] = (at_least[lane] & bit) | ((at_least[lane] | bit) & digit.low_zero);
            beyond[lane] = (beyond[lane] & bit) | ((beyond[lane] | bit) & digit.beyond_zero);
        }
    }
    for lane in 0..CHUNK {
        at_least[lane] &= !beyond[lane];
    }
    at_least
}

/// A plain loop: as a closure the work on a chunk was left out of line, and so compiled for any
/// machine whatever the level.
#[inline(always)]
pub(super) fn range(digits: &[Digit<'_>], low_start: u64, beyond_start: u64, out: &mut Words) {
    let (chunks, _) = out.as_chunks_mut::<CHUNK>();
    for index in 0..chunks.len() {
        chunks[index] = chunk_in_range(digits, low_start, beyond_start, index * CHUNK);
    }
}

/// Counters of `DIGITS` binary digits that start at 2^digits - threshold, so that the set that
/// reaches the threshold carries out of the highest digit, where it stays.
#[inline(always)]
fn chunk_reached<const DIGITS: usize>(threshold: u32, sets: &[&Bits], start: usize) -> Chunk {
    let first = threshold.wrapping_neg();
    let mut digits = [[0; CHUNK]; DIGITS];
    for (digit, lanes) in digits.iter_mut().enumerate() {
        *lanes = [u64::from(first >> digit & 1).wrapping_neg(); CHUNK];
    }
    let mut reached = [0; CHUNK];
    for bits in sets {
        let mut carry = load(bits, start);
        for digit in &mut digits {
            for lane in 0..CHUNK {
                let sum = carry[lane] ^ digit[lane];
                carry[lane] &= digit[lane];
                digit[lane] = sum;
            }
        }
        for lane in 0..CHUNK {
            reached[lane] |= carry[lane];
        }
    }
    reached
}

/// Calls something that depends on the fewest digits with 2^digits >= threshold.
macro_rules! by_digits {
    ($threshold:expr, $digits:ident => $call:expr) => {
        match $threshold.saturating_sub(1).checked_ilog2() {
            None => {
                const $digits: usize = 0;
                $call
            }
            Some(0) => {
                const $digits: usize = 1;
                $call
            }
            Some(1) => {
                const $digits: usize = 2;
                $call
            }
            Some(2) => {
                const $digits: usize = 3;
                $call
            }
            Some(3) => {
                const $digits: usize = 4;
                $call
            }
            Some(4..=7) => {
                const $digits: usize = 8;
                $call
            }
            // A threshold has 32 bits.
            Some(_) => {
                const $digits: usize = 32;
                $call
            }
        }
    };
}

#[inline(always)]
pub(super) fn count_threshold(threshold: u32, sets: &[&Bits]) -> u32 {
    by_digits!(threshold, DIGITS => {
        let mut total: u64 = 0;
        for index in 0..BLOCK_WORDS / CHUNK {
            let chunk = chunk_reached::<DIGITS>(threshold, sets, index * CHUNK);
            for lane in 0..CHUNK {
                total = total.wrapping_add(ones(chunk[lane]));
            }
        }
        total as u32
    })
}

#[inline(always)]
pub(super) fn copy_threshold(threshold: u32, sets: &[&Bits], out: &mut Words) {
    by_digits!(threshold, DIGITS => {
        let (chunks, _) = out.as_chunks_mut::<CHUNK>();
        for index in 0..chunks.len() {
            chunks[index] = chunk_reached::<DIGITS>(threshold, sets, index * CHUNK);
        }
    });
}
