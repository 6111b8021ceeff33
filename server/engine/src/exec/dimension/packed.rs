//! What columns say of a block's users, a piece at a time: their codes one after the other.

use crate::{
    bitmap::{BLOCK_WORDS, PACKING_SLACK, pack_codes},
    column::{Codes, ColumnBlock},
};

/// Users of one piece at most; their codes, indices and slots stay in the nearest caches.
pub(super) const PIECE_USERS: usize = 4096;
/// Places of a word.
const WORD_BITS: usize = 64;
/// Bytes of a code at most.
const CODE_BYTES_MAX: usize = 8;

/// Some users of a block, in the order of their places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    words: &'a [u64],
    /// The number of the first word.
    first: usize,
    users: usize,
}

impl<'a> Piece<'a> {
    /// The users of as many words as a piece may have, from word `first` on.
    pub(super) fn of(words: &'a [u64; BLOCK_WORDS], first: usize) -> Self {
        let rest = words.get(first..).unwrap_or_default();
        let (mut users, mut length) = (0, 0);
        for word in rest {
            let more = word.count_ones() as usize;
            if users + more > PIECE_USERS {
                break;
            }
            users += more;
            length += 1;
        }
        Self {
            words: rest.get(..length).unwrap_or_default(),
            first,
            users,
        }
    }

    /// The first word behind the piece.
    pub(super) fn end(&self) -> usize {
        self.first + self.words.len()
    }

    /// How many users there are.
    pub(super) fn users(&self) -> usize {
        self.users
    }

    /// Users whose place is below this one.
    fn users_below(&self, place: u32) -> u32 {
        let below = (place as usize).saturating_sub(self.first * WORD_BITS);
        let whole = self.words.iter().take(below / WORD_BITS);
        let part = self.words.get(below / WORD_BITS).copied();
        let mask = (1_u64 << (below % WORD_BITS)) - 1;
        let part = part.map_or(0, |word| (word & mask).count_ones());
        whole.map(|word| word.count_ones()).sum::<u32>() + part
    }
}

/// Room for the codes of a piece.
pub(super) struct Packed {
    bytes: Box<[u8]>,
}

impl Packed {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; (PIECE_USERS + PACKING_SLACK) * CODE_BYTES_MAX].into(),
        }
    }

    /// The codes of a piece's users, in their order. Users beyond the last have no value.
    pub(super) fn pack(&mut self, column: &ColumnBlock, piece: Piece<'_>) -> Codes<'_> {
        let missing = column.frame().missing;
        match column.stored() {
            Codes::Zero(count) => Codes::Zero(piece.users_below(count)),
            Codes::One(codes) => Codes::One(self.pack_stored(codes, missing, piece)),
            Codes::Two(codes) => Codes::Two(self.pack_stored(codes, missing, piece)),
            Codes::Four(codes) => Codes::Four(self.pack_stored(codes, missing, piece)),
            Codes::Eight(codes) => Codes::Eight(self.pack_stored(codes, missing, piece)),
        }
    }

    fn pack_stored<const WIDTH: usize>(
        &mut self,
        codes: &[[u8; WIDTH]],
        missing: u64,
        piece: Piece<'_>,
    ) -> &[[u8; WIDTH]] {
        let (out, _) = self.bytes.as_chunks_mut::<WIDTH>();
        let codes = codes.get(piece.first * WORD_BITS..).unwrap_or_default();
        let whole = piece.words.len().min(codes.len() / WORD_BITS);
        let (words, rest) = piece.words.split_at(whole);
        let packed = pack_codes(words, codes, out);
        // Where the codes end, users without one may follow.
        let missing = missing.to_le_bytes();
        let missing = *missing.first_chunk().unwrap_or(&[0; WIDTH]);
        let users = (whole * WORD_BITS..).step_by(WORD_BITS).zip(rest);
        let users = users.flat_map(|(base, word)| {
            let is_in = move |bit: &usize| *word >> bit & 1 == 1;
            (0..WORD_BITS).filter(is_in).map(move |bit| base + bit)
        });
        let room = out.get_mut(packed..).unwrap_or_default();
        for (slot, place) in room.iter_mut().zip(users) {
            *slot = codes.get(place).copied().unwrap_or(missing);
        }
        out.get(..piece.users).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{bitmap::Block, column::widen};

    /// The values of a block's users, piece by piece.
    fn read_all(block: &Block, column: &ColumnBlock) -> Vec<Option<i64>> {
        let (mut packed, mut found, mut next) = (Packed::new(), Vec::new(), 0);
        let frame = column.frame();
        while next < BLOCK_WORDS {
            let piece = Piece::of(block.words(), next);
            assert!(piece.users() <= PIECE_USERS && piece.end() > next);
            next = piece.end();
            let codes: Vec<u64> = match packed.pack(column, piece) {
                Codes::Zero(count) => vec![0; count as usize],
                Codes::One(codes) => codes.iter().map(|code| widen(*code)).collect(),
                Codes::Two(codes) => codes.iter().map(|code| widen(*code)).collect(),
                Codes::Four(codes) => codes.iter().map(|code| widen(*code)).collect(),
                Codes::Eight(codes) => codes.iter().map(|code| widen(*code)).collect(),
            };
            assert!(codes.len() <= piece.users());
            found.extend(codes.iter().map(|code| frame.value(*code)));
            let lacking = piece.users() - codes.len();
            found.extend(std::iter::repeat_n(None, lacking));
        }
        found
    }

    /// A column with values at some places below an end.
    fn column(end: u32, step: u16, scale: i64) -> ColumnBlock {
        let places = (0..end)
            .step_by(usize::from(step))
            .map(|place| place as u16);
        ColumnBlock::from_entries(places.map(|place| (place, i64::from(place) * scale)))
    }

    fn block(words: &[u64]) -> Block {
        let mut block = Block::new();
        block.words_mut().copy_from_slice(words);
        block
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn packed_codes_are_those_of_the_places(
            words in prop::collection::vec(
                prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), any::<u64>().prop_map(|word| word & word << 3 & word << 7)],
                BLOCK_WORDS,
            ),
            end in prop_oneof![Just(0), Just(1 << 16), 0_u32..1 << 16],
            step in 1_u16..5,
            scale in prop_oneof![Just(0), Just(1), Just(1 << 10), Just(1 << 40)],
        ) {
            let (block, column) = (block(&words), column(end, step, scale));
            let expected: Vec<_> = block.iter().map(|place| column.value(place)).collect();
            crate::bitmap::for_each_level(|| {
                assert_eq!(read_all(&block, &column), expected);
            });
        }
    }

    #[test]
    fn codes_of_every_width_are_packed() {
        let block = Block::full();
        for scale in [0, 1, 1 << 10, 1 << 40] {
            for (end, step) in [(0, 1), (200, 1), (200, 3), (1 << 16, 1), (70, 7)] {
                let column = column(end, step, scale);
                let expected: Vec<_> = (0..=u16::MAX).map(|place| column.value(place)).collect();
                assert_eq!(read_all(&block, &column), expected, "{scale} {end} {step}");
            }
        }
    }

    #[test]
    fn no_users_are_one_piece() {
        let block = Block::new();
        let piece = Piece::of(block.words(), 0);
        assert_eq!((piece.users(), piece.end()), (0, BLOCK_WORDS));
    }
}
