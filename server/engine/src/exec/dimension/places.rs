//! The places of a block's users as a list, a piece at a time.

use crate::bitmap::BLOCK_WORDS;

/// Users of one piece at most; their places, codes and slots stay in the nearest cache.
pub(super) const PIECE_USERS: usize = 4096;
/// Places of a word.
const WORD_BITS: usize = 64;
/// Bits of a word from which on it is read byte by byte.
const DENSE_BITS: u32 = 12;

/// For every byte the places of its bits, lowest first.
static BYTE_PLACES: [[u16; 8]; 256] = byte_places();

const fn byte_places() -> [[u16; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut next) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][next] = bit as u16;
                next += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
}

/// Room for the places of a piece.
pub(super) struct Places {
    // Words are written with their zeros, so that no write asks how many bits are left.
    room: Box<[u16; PIECE_USERS + WORD_BITS]>,
    count: usize,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            room: Box::new([0; PIECE_USERS + WORD_BITS]),
            count: 0,
        }
    }

    /// The places, rising.
    pub(super) fn as_slice(&self) -> &[u16] {
        self.room.get(..self.count).unwrap_or_default()
    }

    /// Becomes the places of as many words as there is room for, from word `first` on; gives the
    /// first word that was not read.
    pub(super) fn read(&mut self, words: &[u64; BLOCK_WORDS], first: usize) -> usize {
        self.count = 0;
        for (index, word) in words.iter().enumerate().skip(first) {
            if *word == 0 {
                continue;
            }
            if self.count + WORD_BITS > PIECE_USERS {
                return index;
            }
            self.push(*word, (index * WORD_BITS) as u16);
        }
        BLOCK_WORDS
    }

    fn push(&mut self, word: u64, base: u16) {
        let bits = word.count_ones();
        let Some(room) = self.room.get_mut(self.count..self.count + WORD_BITS) else {
            return;
        };
        if bits >= DENSE_BITS {
            push_bytes(word, base, room);
        } else {
            push_bits(word, base, room);
        }
        self.count += bits as usize;
    }
}

/// Eight places at once for every byte of the word, of which the byte's own are kept.
fn push_bytes(word: u64, base: u16, room: &mut [u16]) {
    let mut filled = 0;
    for (byte, base) in word.to_le_bytes().into_iter().zip((base..).step_by(8)) {
        let places = BYTE_PLACES[usize::from(byte)].map(|place| place | base);
        if let Some(target) = room.get_mut(filled..filled + 8) {
            target.copy_from_slice(&places);
        }
        filled += byte.count_ones() as usize;
    }
}

fn push_bits(word: u64, base: u16, room: &mut [u16]) {
    let mut rest = word;
    for place in room {
        if rest == 0 {
            return;
        }
        *place = base | rest.trailing_zeros() as u16;
        rest &= rest - 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bitmap::Block;

    fn read_all(block: &Block) -> Vec<u16> {
        let (mut places, mut found, mut next) = (Places::new(), Vec::new(), 0);
        while next < BLOCK_WORDS {
            next = places.read(block.words(), next);
            assert!(places.as_slice().len() <= PIECE_USERS);
            found.extend_from_slice(places.as_slice());
        }
        found
    }

    proptest! {
        #[test]
        fn places_are_the_bits(
            words in prop::collection::vec(
                prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), any::<u64>().prop_map(|word| word & word << 3 & word << 7)],
                BLOCK_WORDS,
            )
        ) {
            let mut block = Block::new();
            block.words_mut().copy_from_slice(&words);
            prop_assert_eq!(read_all(&block), block.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn full_and_empty_blocks_are_read() {
        assert_eq!(read_all(&Block::full()), (0..=u16::MAX).collect::<Vec<_>>());
        assert_eq!(read_all(&Block::new()), Vec::<u16>::new());
    }
}
