//! A scratch set of the users of one block.

use super::kernels::{Bits, Kernels, Term, Words, bits_of};

/// Words of 64 bits in a [`Block`].
pub const BLOCK_WORDS: usize = 1024;

/// A set of places in a block: 2^16 bits, 8 KiB on the heap.
///
/// Made once and used again for block after block; no operation allocates.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    words: Box<Aligned>,
}

/// Words that start with a cache line, so that no vector lies across two.
#[derive(Clone, PartialEq, Eq)]
#[repr(align(64))]
struct Aligned(Words);

impl Default for Block {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Block {
    /// The empty set.
    pub fn new() -> Self {
        Self {
            words: Box::new(Aligned([0; BLOCK_WORDS])),
        }
    }

    /// The set of all 2^16 places.
    pub fn full() -> Self {
        Self {
            words: Box::new(Aligned([u64::MAX; BLOCK_WORDS])),
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.words.0.fill(0);
    }

    /// Puts every place in.
    pub fn fill(&mut self) {
        self.words.0.fill(u64::MAX);
    }

    /// How many places are in the set.
    pub fn count(&self) -> u32 {
        Kernels::best().count(self.bits())
    }

    /// How many places are in this set and in the other.
    pub fn count_and(&self, other: &Self) -> u32 {
        Kernels::best().count_all(&[Term::inside(self.bits()), Term::inside(other.bits())])
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        Kernels::best().is_empty(self.bits())
    }

    /// Whether a place is in the set.
    pub fn contains(&self, place: u16) -> bool {
        let (word, bit) = split(place);
        self.words.0[word] >> bit & 1 == 1
    }

    /// Puts a place in.
    pub fn insert(&mut self, place: u16) {
        let (word, bit) = split(place);
        self.words.0[word] |= 1 << bit;
    }

    /// Takes a place out.
    pub fn remove(&mut self, place: u16) {
        let (word, bit) = split(place);
        self.words.0[word] &= !(1 << bit);
    }

    /// Becomes a copy of another set.
    pub fn copy_from(&mut self, other: &Self) {
        self.words.0.copy_from_slice(&other.words.0);
    }

    /// Keeps what is also in the other set.
    pub fn and(&mut self, other: &Self) {
        Kernels::best().keep_all(&[Term::inside(other.bits())], &mut self.words.0);
    }

    /// Adds what is in the other set.
    pub fn or(&mut self, other: &Self) {
        Kernels::best().add_any(&[Term::inside(other.bits())], &mut self.words.0);
    }

    /// Removes what is in the other set.
    pub fn and_not(&mut self, other: &Self) {
        Kernels::best().keep_all(&[Term::outside(other.bits())], &mut self.words.0);
    }

    /// Keeps what is also in the other set; how many places that are.
    pub fn and_counted(&mut self, other: &Self) -> u32 {
        Kernels::best().keep_all(&[Term::inside(other.bits())], &mut self.words.0)
    }

    /// Removes what is in the other set; how many places are left.
    pub fn and_not_counted(&mut self, other: &Self) -> u32 {
        Kernels::best().keep_all(&[Term::outside(other.bits())], &mut self.words.0)
    }

    /// Keeps what is in exactly one of the two sets.
    pub fn xor(&mut self, other: &Self) {
        Kernels::best().toggle(other.bits(), &mut self.words.0);
    }

    /// Becomes the set of the places that were not in it.
    pub fn not(&mut self) {
        for word in &mut self.words.0 {
            *word = !*word;
        }
    }

    /// The bits, 64 places a word, the lowest place in the lowest bit.
    pub fn words(&self) -> &[u64; BLOCK_WORDS] {
        &self.words.0
    }

    /// The bits, to be changed.
    pub fn words_mut(&mut self) -> &mut [u64; BLOCK_WORDS] {
        &mut self.words.0
    }

    /// The bits as a fragment would store them.
    pub(super) fn bits(&self) -> &Bits {
        bits_of(&self.words.0)
    }

    /// The places in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.words.0.iter().enumerate().flat_map(|(index, word)| {
            // 1024 words of 64 places: a place fits 16 bits.
            WordBits(*word).map(move |bit| (index << 6) as u16 | bit)
        })
    }

    /// Visits the places in rising order; quicker than [`Block::iter`].
    pub fn for_each(&self, mut visit: impl FnMut(u16)) {
        for (index, word) in self.words.0.iter().enumerate() {
            let base = (index << 6) as u16;
            let mut rest = *word;
            while rest != 0 {
                visit(base | rest.trailing_zeros() as u16);
                rest &= rest - 1;
            }
        }
    }
}

/// A place's word and its bit there. The word is always below [`BLOCK_WORDS`].
pub(super) fn split(place: u16) -> (usize, u32) {
    (usize::from(place >> 6), u32::from(place & 63))
}

/// The set bits of a word, lowest first.
pub(super) struct WordBits(pub(super) u64);

impl Iterator for WordBits {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as u16;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}
