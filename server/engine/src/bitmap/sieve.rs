//! What spares looking at most words of a block.

use super::{
    block::Block,
    kernels::{Kernels, SieveWords},
};

/// Words of a block with places, up to which asking first whether a word has any pays.
const HELD_WORDS_MAX: u32 = 512;

/// Which words of a block have places, where few have: values of long rows are then mostly
/// passed over without a look at the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sieve {
    held: SieveWords,
}

impl Sieve {
    /// Of a block whose places lie together or are few; nothing where a sieve would hold back too
    /// little, and where the machine looks at words as quickly as at a sieve.
    pub fn of(block: &Block) -> Option<Self> {
        let kernels = Kernels::best();
        if !kernels.sifts() {
            return None;
        }
        let held = kernels.words_held(block.bits());
        let words: u32 = held.iter().map(|word| word.count_ones()).sum();
        (words <= HELD_WORDS_MAX).then_some(Self { held })
    }

    pub(super) fn words(&self) -> &SieveWords {
        &self.held
    }
}
