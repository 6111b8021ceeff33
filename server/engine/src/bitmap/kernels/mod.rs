//! The innermost loops over bits, in the widest instructions the machine has.
//!
//! Knows 1024 words, sorted 16-bit values, and what they have in common. Does not know which
//! container or operator they belong to, and allocates nothing.
//!
//! Every loop is written once, in safe Rust (`loops`), and compiled three times: for any
//! machine, with AVX2, and with AVX-512 and its population count. Which of them runs is found
//! out once ([`Kernels::best`]); tests run all that the machine has and compare. The compiler
//! makes vectors of the loops; only what it cannot, choosing lanes by masks, is written a second
//! time in intrinsics (`wide`). What is `unsafe` is *calling* code that needs instructions which
//! were seen to be there, looking at registers and words as bytes, and the hint that bytes will
//! be read. This is the one module that may use `unsafe`.
//!
//! Sources: Muła, Kurz, Lemire: "Faster population counts using AVX2 instructions", Computer
//! Journal 61(1), 2018 (what the compiler makes of the counts); O'Neil, Quass: "Improved query
//! performance with variant indexes", SIGMOD 1997 (slices); Kaser, Lemire: "Compressed bitmap
//! indexes: beyond unions and intersections", SPE 46(2), 2016 (counters made of bit planes).

#![expect(
    unsafe_code,
    reason = "calls of code for instructions that were detected, looks at words and registers as bytes, and hints"
)]

use super::block::BLOCK_WORDS;

mod loops;
#[cfg(target_arch = "x86_64")]
mod wide;

#[cfg(test)]
mod tests;

#[cfg(not(target_endian = "little"))]
compile_error!("words are looked at as the little-endian bytes of the stored format");

/// 2^16 bits as they lie in a fragment: 1024 little-endian words at any alignment.
pub(super) type Bits = [[u8; 8]; BLOCK_WORDS];
/// 2^16 bits to compute with.
pub(super) type Words = [u64; BLOCK_WORDS];

/// For each of 1024 words, whether it has a place.
pub(super) type SieveWords = [u64; BLOCK_WORDS / 64];

/// No places.
pub(super) static NOBODY: Bits = [[0; 8]; BLOCK_WORDS];

/// A set, or everything outside it, as one side of an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term<'a> {
    bits: &'a Bits,
    /// Zero for the set, all ones for what is outside.
    flip: u64,
}

impl<'a> Term<'a> {
    /// The set itself.
    pub(super) fn inside(bits: &'a Bits) -> Self {
        Self { bits, flip: 0 }
    }

    /// What is outside the set.
    pub(super) fn outside(bits: &'a Bits) -> Self {
        Self {
            bits,
            flip: u64::MAX,
        }
    }
}

/// One bit of a number, with that bit of the two bounds it is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digit<'a> {
    bits: &'a Bits,
    /// All ones where the bound's bit is zero.
    low_zero: u64,
    beyond_zero: u64,
}

impl<'a> Digit<'a> {
    /// A slice, and whether the least number wanted and the least number too great have the bit.
    pub(super) fn new(bits: &'a Bits, low: u64, beyond: u64) -> Self {
        Self {
            bits,
            low_zero: (low & 1).wrapping_sub(1),
            beyond_zero: (beyond & 1).wrapping_sub(1),
        }
    }
}

/// Looks at words as the bytes that would be stored.
pub(super) fn bits_of(words: &Words) -> &Bits {
    // SAFETY: both are 8192 bytes; bytes need no alignment; every byte of a word is initialised
    // and every value of it is a valid `u8`; the result borrows what it looks at.
    unsafe { &*std::ptr::from_ref(words).cast::<Bits>() }
}

/// Bytes that come from memory together.
#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;

/// Asks for bytes that will be read soon, so that they are there by then. Where the machine has
/// no such hint, nothing happens.
pub(super) fn fetch_ahead(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(LINE_BYTES) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads nothing and fails at no address; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// For which instructions the loops are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The loops, compiled for instructions that this machine has.
///
/// The level is private, and [`Kernels::best`] and [`Kernels::all`] are the only ways to a level
/// above the portable one: whoever holds such a value holds the proof that the instructions are
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kernels(Level);

impl Kernels {
    /// For any machine.
    pub(super) const PORTABLE: Self = Self(Level::Portable);

    /// The widest this machine has. Costs a few loads: the standard library remembers what it
    /// detected.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn best() -> Self {
        #[cfg(test)]
        if let Some(forced) = forced::kernels() {
            return forced;
        }
        if Self::has_avx512() {
            Self(Level::Avx512)
        } else if Self::has_avx2() {
            Self(Level::Avx2)
        } else {
            Self::PORTABLE
        }
    }

    /// The widest this machine has.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn best() -> Self {
        Self::PORTABLE
    }

    /// Whether a sieve makes anything quicker.
    pub(super) fn sifts(self) -> bool {
        match self.0 {
            Level::Portable => false,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => false,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => true,
        }
    }

    /// Every level this machine has, the portable one first.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        all.extend(Self::has_avx2().then_some(Self(Level::Avx2)));
        #[cfg(target_arch = "x86_64")]
        all.extend(Self::has_avx512().then_some(Self(Level::Avx512)));
        all
    }

    #[cfg(target_arch = "x86_64")]
    fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
    }

    #[cfg(target_arch = "x86_64")]
    fn has_avx512() -> bool {
        Self::has_avx2()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vpopcntdq")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
    }
}

/// Compiles loops for each level, and makes each a method of [`Kernels`] that picks.
macro_rules! compiled_for_each_level {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            use super::{loops, Bits, Digit, Term, Words};
            $(
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                pub(super) fn $name($($argument: $type),*) $(-> $result)? {
                    loops::$name($($argument),*)
                }
            )*
        }

        #[cfg(target_arch = "x86_64")]
        mod avx512 {
            use super::{loops, Bits, Digit, Term, Words};
            $(
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")]
                pub(super) fn $name($($argument: $type),*) $(-> $result)? {
                    loops::$name($($argument),*)
                }
            )*
        }

        impl Kernels {
            $(
                $(#[$doc])*
                pub(super) fn $name(self $(, $argument: $type)*) $(-> $result)? {
                    match self.0 {
                        Level::Portable => loops::$name($($argument),*),
                        // SAFETY: this level is made only where `has_avx2` saw every feature
                        // that the callee is compiled for. The callee is safe otherwise.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx2 => unsafe { avx2::$name($($argument),*) },
                        // SAFETY: as above, by `has_avx512`.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx512 => unsafe { avx512::$name($($argument),*) },
                    }
                }
            )*
        }
    };
}

/// The same for loops without vectors, where AVX2 has none that help. With AVX-512, of which the
/// module is named, some of them are written by hand (`wide`); others stay as they are (`scalar`):
/// where words are looked up one by one the compiler would gather them, which was measured to
/// take a fifth longer than as many loads on an AMD EPYC with AVX-512.
macro_rules! compiled_without_vectors {
    ($($avx512:ident {
        $($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*
    })*) => {
        #[cfg(target_arch = "x86_64")]
        mod scalar {
            use super::{loops, Bits, SieveWords};
            $($(
                #[target_feature(enable = "bmi1,bmi2,lzcnt,popcnt")]
                pub(super) fn $name($($argument: $type),*) $(-> $result)? {
                    loops::$name($($argument),*)
                }
            )*)*
        }

        impl Kernels {
            $($(
                $(#[$doc])*
                pub(super) fn $name(self $(, $argument: $type)*) $(-> $result)? {
                    match self.0 {
                        Level::Portable => loops::$name($($argument),*),
                        // SAFETY: this level is made only where `has_avx2` saw every feature
                        // that the callee is compiled for. The callee is safe otherwise.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx2 => unsafe { scalar::$name($($argument),*) },
                        // SAFETY: as above, by `has_avx512`, which asks `has_avx2` too.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx512 => unsafe { $avx512::$name($($argument),*) },
                    }
                }
            )*)*
        }
    };
}

compiled_for_each_level! {
    /// How many places are in all of the terms; 2^16 without any.
    fn count_all(terms: &[Term<'_>]) -> u32;
    /// How many places are in one of the terms at least.
    fn count_any(terms: &[Term<'_>]) -> u32;
    /// `out` becomes the places in all of the terms; how many there are.
    fn copy_all(terms: &[Term<'_>], out: &mut Words) -> u32;
    /// `out` keeps the places in all of the terms; how many there are.
    fn keep_all(terms: &[Term<'_>], out: &mut Words) -> u32;
    /// `out` becomes the places in one of the terms at least.
    fn copy_any(terms: &[Term<'_>], out: &mut Words);
    /// `out` gains the places in one of the terms at least.
    fn add_any(terms: &[Term<'_>], out: &mut Words);
    /// `out` keeps the places in exactly one of it and the other.
    fn toggle(bits: &Bits, out: &mut Words);
    /// How many places there are.
    fn count(bits: &Bits) -> u32;
    /// Whether there is none.
    fn is_empty(bits: &Bits) -> bool;
    /// `out` gains values.
    fn add_values(values: &[[u8; 2]], out: &mut Words);
    /// `out` loses values.
    fn remove_values(values: &[[u8; 2]], out: &mut Words);
    /// `out`, empty before, gains those values that are in the set.
    fn copy_values_in(values: &[[u8; 2]], bits: &Bits, out: &mut Words);
    /// Moves the values that are among the places of the term to the front; how many there are.
    fn retain_values(values: &mut [u16], term: Term<'_>) -> usize;
    /// Writes the places to the front of `out` as far as it has room; how many it wrote.
    fn values_of(bits: &Bits, out: &mut [u16]) -> usize;
    /// `out` becomes the places whose number, of which the lowest digit is given first, is at
    /// least the low bound and below the bound beyond; without digits nobody has any.
    fn range(digits: &[Digit<'_>], low_start: u64, beyond_start: u64, out: &mut Words);
    /// How many places are in at least `threshold` of the sets; the threshold is 1 or more.
    fn count_threshold(threshold: u32, sets: &[&Bits]) -> u32;
    /// `out` becomes the places that are in at least `threshold` of the sets, 1 or more.
    fn copy_threshold(threshold: u32, sets: &[&Bits], out: &mut Words);
}

compiled_without_vectors! {
    scalar {
        /// How many of the values are in the set.
        fn count_values(values: &[[u8; 2]], bits: &Bits) -> u32;
    }
    wide {
        /// How many of the values are in the set, of which the sieve says what words have places.
        fn count_values_sifted(values: &[[u8; 2]], bits: &Bits, sieve: &SieveWords) -> u32;
        /// Looks each byte up in a table, as far as `out` goes.
        fn translate(codes: &[u8], table: &[u8; 256], out: &mut [u8]);
        /// Which words have places.
        fn words_held(bits: &Bits) -> SieveWords;
        /// Writes the codes of the places in the words, a byte each, to the front of `out`, which has
        /// 64 codes more than there are places; how many codes that are. Stops early where `out` is
        /// shorter, and where the codes end.
        fn pack_ones(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize;
        /// The same for codes of two bytes.
        fn pack_twos(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize;
        /// The same for codes of four bytes.
        fn pack_fours(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize;
        /// The same for codes of eight bytes.
        fn pack_eights(words: &[u64], codes: &[u8], out: &mut [u8]) -> usize;
    }
}

/// Tests choose the level for the whole process: the answers must not depend on it, so tests
/// that run beside may be surprised by the choice and still pass.
#[cfg(test)]
pub(in crate::bitmap) mod forced {
    use super::Kernels;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// One more than the index in [`Kernels::all`]; zero for no choice.
    static FORCED: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn kernels() -> Option<Kernels> {
        let index = FORCED.load(Ordering::Relaxed).checked_sub(1)?;
        Kernels::all().get(index).copied()
    }

    /// Does something with every level this machine has.
    pub(crate) fn for_each_level(mut work: impl FnMut()) {
        for level in 1..=Kernels::all().len() {
            FORCED.store(level, Ordering::Relaxed);
            work();
        }
        FORCED.store(0, Ordering::Relaxed);
    }
}
