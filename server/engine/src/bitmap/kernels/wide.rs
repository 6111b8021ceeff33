//! Loops that the compiler does not make of plain code: they choose lanes by masks, in AVX-512
//! with VBMI and VBMI2.
//!
//! Each has its like in `loops`, to which tests compare it.

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_mask_blend_epi8, _mm512_maskz_compress_epi8,
    _mm512_maskz_compress_epi16, _mm512_maskz_compress_epi32, _mm512_maskz_compress_epi64,
    _mm512_movepi8_mask, _mm512_permutex2var_epi8, _mm512_permutex2var_epi16, _mm512_set1_epi16,
    _mm512_sllv_epi16, _mm512_srli_epi16, _mm512_test_epi16_mask, _mm512_test_epi64_mask,
};

use super::{Bits, SieveWords, scalar};

/// Bytes of a register.
const REGISTER: usize = 64;
/// Values in a register.
const LANES: usize = REGISTER / 2;
/// Values that are sifted before those left are looked up.
const SIFTED: usize = 512;

#[inline(always)]
fn load(bytes: &[u8; REGISTER]) -> __m512i {
    // SAFETY: both are 64 bytes, and any bytes are a register's contents.
    unsafe { std::mem::transmute(*bytes) }
}

#[inline(always)]
fn bytes_of(register: __m512i) -> [u8; REGISTER] {
    // SAFETY: both are 64 bytes, and any bytes are an array of bytes.
    unsafe { std::mem::transmute(register) }
}

#[inline(always)]
fn values_of(register: __m512i) -> [[u8; 2]; LANES] {
    // SAFETY: both are 64 bytes, and any bytes are an array of bytes.
    unsafe { std::mem::transmute(register) }
}

/// Both halves of a sieve.
#[inline(always)]
fn load_sieve(sieve: &SieveWords) -> (__m512i, __m512i) {
    // SAFETY: both are 128 bytes, and any bytes are registers' contents.
    let [low, high]: [__m512i; 2] = unsafe { std::mem::transmute(*sieve) };
    (low, high)
}

#[target_feature(enable = "avx512f")]
pub(super) fn words_held(bits: &Bits) -> SieveWords {
    let mut held = SieveWords::default();
    let (groups, _) = bits.as_flattened().as_chunks::<{ 8 * REGISTER }>();
    for (held, group) in held.iter_mut().zip(groups) {
        for (byte, words) in group.as_chunks::<REGISTER>().0.iter().enumerate() {
            let words = load(words);
            *held |= u64::from(_mm512_test_epi64_mask(words, words)) << (8 * byte);
        }
    }
    held
}

/// Keeps the values whose word holds anybody, which takes a quarter of the time of a look at the
/// word: the sieve lies in two registers, of which any sixteen bits are to be had at once.
#[target_feature(enable = "bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vbmi2")]
pub(super) fn count_values_sifted(values: &[[u8; 2]], bits: &Bits, sieve: &SieveWords) -> u32 {
    let (low, high) = load_sieve(sieve);
    let (one, places) = (_mm512_set1_epi16(1), _mm512_set1_epi16(15));
    let mut sifted = [[0; 2]; SIFTED + LANES];
    let mut total = 0_u32;
    for values in values.chunks(SIFTED) {
        let (groups, rest) = values.as_chunks::<LANES>();
        let mut kept = 0;
        for group in groups {
            let Some(bytes) = group.as_flattened().first_chunk() else {
                continue;
            };
            let values = load(bytes);
            // A value's word has ten bits: six for sixteen bits of the sieve, four for one of them.
            let held = _mm512_permutex2var_epi16(low, _mm512_srli_epi16::<10>(values), high);
            let place = _mm512_and_si512(_mm512_srli_epi16::<6>(values), places);
            let mask = _mm512_test_epi16_mask(held, _mm512_sllv_epi16(one, place));
            let chosen = values_of(_mm512_maskz_compress_epi16(mask, values));
            // Never more than were looked at before, so there is always room.
            if let Some(room) = sifted.get_mut(kept..).and_then(<[_]>::first_chunk_mut) {
                *room = chosen;
            }
            kept = kept.wrapping_add(mask.count_ones() as usize);
        }
        let kept = sifted.get(..kept).unwrap_or_default();
        total = total.wrapping_add(scalar::count_values(kept, bits));
        total = total.wrapping_add(scalar::count_values(rest, bits));
    }
    total
}

/// A table of 256 bytes fills four registers, of which one look takes two.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(super) fn translate(codes: &[u8], table: &[u8; 256], out: &mut [u8]) {
    // SAFETY: both are 256 bytes, and any bytes are registers' contents.
    let [a, b, c, d]: [__m512i; 4] = unsafe { std::mem::transmute(*table) };
    // Of equal length both end in the same group.
    let length = codes.len().min(out.len());
    let (groups, rest) = codes[..length].as_chunks::<REGISTER>();
    let (out_groups, out_rest) = out[..length].as_chunks_mut::<REGISTER>();
    for (group, out) in groups.iter().zip(out_groups) {
        let codes = load(group);
        let low = _mm512_permutex2var_epi8(a, codes, b);
        let high = _mm512_permutex2var_epi8(c, codes, d);
        let is_high = _mm512_movepi8_mask(codes);
        *out = bytes_of(_mm512_mask_blend_epi8(is_high, low, high));
    }
    for (code, out) in rest.iter().zip(out_rest) {
        *out = table[usize::from(*code)];
    }
}

/// Makes packing for codes of some bytes: a word's codes lie in as many registers as a code has
/// bytes.
macro_rules! packed_by {
    ($($name:ident: $width:literal, $lanes:ty, $compress:ident;)*) => {$(
        #[target_feature(enable = "bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vbmi2")]
        pub(super) fn $name(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize {
            let mut packed = 0_usize;
            let (groups, _) = codes.as_chunks::<{ 64 * $width }>();
            for (word, group) in words.iter().zip(groups) {
                if *word == 0 {
                    continue;
                }
                let registers = group.as_chunks::<REGISTER>().0;
                for (number, register) in registers.iter().enumerate() {
                    // As many bits as a register has codes.
                    let mask = (*word >> (number * (REGISTER / $width))) as $lanes;
                    let Some(room) = out.get_mut(packed..).and_then(<[_]>::first_chunk_mut) else {
                        return packed / $width;
                    };
                    *room = bytes_of($compress(mask, load(register)));
                    packed = packed.wrapping_add(mask.count_ones() as usize * $width);
                }
            }
            packed / $width
        }
    )*};
}

packed_by! {
    pack_ones: 1, u64, _mm512_maskz_compress_epi8;
    pack_twos: 2, u32, _mm512_maskz_compress_epi16;
    pack_fours: 4, u16, _mm512_maskz_compress_epi32;
    pack_eights: 8, u8, _mm512_maskz_compress_epi64;
}
