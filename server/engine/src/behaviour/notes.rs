//! What a question notes of the users of one block, by place, and who passes in the end.

use std::collections::HashMap;

use super::question::{Bound, Orderings, Question};
use crate::{bitmap::Block, ids::BLOCK_USERS};

pub(super) const PLACES: usize = BLOCK_USERS as usize;
const WORD_BITS: usize = 64;

/// What is known of the users of one block, by place.
pub(super) enum Notes {
    Did(Block),
    Counts(Counts),
    Days {
        counts: Box<[u32]>,
        last: Box<[i32]>,
    },
    Sums(Sums),
    Means {
        sums: Sums,
        counts: Box<[u32]>,
    },
    /// The first or last moment, and who passes at it.
    Edge {
        times: Box<[i64]>,
        passes: Block,
    },
    /// Place and code of every event.
    Pairs(Vec<(u16, i64)>),
}

/// A number for each place.
pub(super) struct Dense<T>(Box<[T]>);

impl<T: Copy + Default> Dense<T> {
    fn new() -> Self {
        Self(vec![T::default(); PLACES].into_boxed_slice())
    }

    /// All of them: an index of 16 bits is not checked.
    pub(super) fn as_array(&mut self) -> Option<&mut [T; PLACES]> {
        <&mut [T; PLACES]>::try_from(&mut *self.0).ok()
    }

    fn clear(&mut self) {
        self.0.fill(T::default());
    }

    /// All of them, by place.
    pub(super) fn as_slice(&self) -> &[T] {
        &self.0
    }

    fn at(&self, place: u16) -> T {
        self.0.get(usize::from(place)).copied().unwrap_or_default()
    }

    /// The places whose numbers pass, 64 at a time and without a jump.
    fn passing(&self, passes: impl Fn(T) -> bool) -> Block {
        let mut block = Block::new();
        let (chunks, _) = self.0.as_chunks::<WORD_BITS>();
        for (word, numbers) in block.words_mut().iter_mut().zip(chunks) {
            let mut flags = [0_u8; WORD_BITS];
            for (flag, number) in flags.iter_mut().zip(numbers) {
                *flag = u8::from(passes(*number));
            }
            *word = packed(&flags);
        }
        block
    }
}

/// A bit for each byte, which is 0 or 1; the first in the lowest bit.
fn packed(flags: &[u8; WORD_BITS]) -> u64 {
    // Multiplied by this, each of eight bytes leaves its bit in the highest byte, in order.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().rev().fold(0, |word, eight| {
        word << 8 | u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56
    })
}

/// How many events there are of each user.
pub(super) enum Counts {
    /// Up to 255, which stands for all that is more, where the question does not tell these apart.
    Small(Dense<u8>),
    Large(Dense<u32>),
}

impl Counts {
    fn new(bound: Bound) -> Self {
        match small(bound) {
            Some(_) => Self::Small(Dense::new()),
            None => Self::Large(Dense::new()),
        }
    }
}

/// The least and the greatest count that passes, where counts that stop at 255 are enough.
fn small(bound: Bound) -> Option<(u8, u8)> {
    let beyond = i128::from(u32::MAX);
    match bound {
        Bound::Within(low, high) if high >= beyond => {
            Some((u8::try_from(low.max(0)).ok()?, u8::MAX))
        }
        Bound::Within(low, high) if high < u8::MAX.into() => {
            let high = u8::try_from(high).ok()?;
            Some((u8::try_from(low.max(0)).ok()?, high)).filter(|(low, high)| low <= high)
        }
        Bound::Within(..) => None,
        // Zero is not admitted, so nothing below it counts.
        Bound::Outside(_, high) => {
            let above = u8::try_from(high).ok()?.checked_add(1)?;
            Some((above, u8::MAX))
        }
    }
}

/// Sums that may be greater than 64 bits hold.
pub(super) struct Sums {
    low: Dense<i64>,
    /// What was taken out of the sums that would not have held more.
    high: HashMap<u16, i128>,
    /// No sum is further from zero; the greatest number when that is not known any more.
    reach: i64,
}

impl Sums {
    fn new() -> Self {
        Self {
            low: Dense::new(),
            high: HashMap::new(),
            reach: 0,
        }
    }

    /// The sums, if they hold so many more numbers of which none is further from zero.
    pub(super) fn within_reach(
        &mut self,
        farthest: u64,
        numbers: usize,
    ) -> Option<&mut [i64; PLACES]> {
        let more = i64::try_from(u128::from(farthest) * numbers as u128);
        let reach = more.ok().and_then(|more| self.reach.checked_add(more));
        self.reach = reach.unwrap_or(i64::MAX);
        reach.and_then(|_| self.low.as_array())
    }

    pub(super) fn add(&mut self, place: u16, value: i64) {
        let Some(sum) = self.low.0.get_mut(usize::from(place)) else {
            return;
        };
        match sum.checked_add(value) {
            Some(more) => *sum = more,
            None => {
                let before = i128::from(std::mem::replace(sum, value));
                *self.high.entry(place).or_insert(0) += before;
            }
        }
    }

    pub(super) fn total(&self, place: u16) -> i128 {
        let high = if self.high.is_empty() {
            None
        } else {
            self.high.get(&place)
        };
        i128::from(self.low.at(place)) + high.copied().unwrap_or(0)
    }

    fn clear(&mut self) {
        self.low.clear();
        self.high.clear();
        self.reach = 0;
    }
}

fn zeros<T: Clone + Default>() -> Box<[T]> {
    vec![T::default(); PLACES].into_boxed_slice()
}

/// Before the first day.
const NO_DAY: i32 = i32::MIN;

/// The time of the first or last event of who has none.
fn no_time(question: &Question) -> i64 {
    match question {
        Question::First(_) => i64::MAX,
        Question::Last(_)
        | Question::Did
        | Question::Count(_)
        | Question::Days(_)
        | Question::Sum(..)
        | Question::Average(..)
        | Question::Top(..)
        | Question::Sequence { .. } => i64::MIN,
    }
}

impl Notes {
    pub(super) fn new(question: &Question) -> Self {
        match question {
            Question::Did | Question::Sequence { .. } => Self::Did(Block::new()),
            Question::Count(bound) => Self::Counts(Counts::new(*bound)),
            Question::Days(_) => Self::Days {
                counts: zeros(),
                last: vec![NO_DAY; PLACES].into_boxed_slice(),
            },
            Question::Sum(..) => Self::Sums(Sums::new()),
            Question::Average(..) => Self::Means {
                sums: Sums::new(),
                counts: zeros(),
            },
            Question::First(_) | Question::Last(_) => Self::Edge {
                times: vec![no_time(question); PLACES].into_boxed_slice(),
                passes: Block::new(),
            },
            Question::Top(..) => Self::Pairs(Vec::new()),
        }
    }

    /// Forgets everything, for another block.
    pub(super) fn clear(&mut self, question: &Question) {
        match self {
            Self::Did(did) => did.clear(),
            Self::Counts(Counts::Small(counts)) => counts.clear(),
            Self::Counts(Counts::Large(counts)) => counts.clear(),
            Self::Days { counts, last } => {
                counts.fill(0);
                last.fill(NO_DAY);
            }
            Self::Sums(sums) => sums.clear(),
            Self::Means { sums, counts } => {
                sums.clear();
                counts.fill(0);
            }
            Self::Edge { times, passes } => {
                times.fill(no_time(question));
                passes.clear();
            }
            Self::Pairs(pairs) => pairs.clear(),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Did(_) => PLACES / 8,
            Self::Counts(Counts::Small(_)) => PLACES,
            Self::Counts(Counts::Large(_)) => PLACES * 4,
            Self::Days { .. } => PLACES * 8,
            Self::Sums(sums) => PLACES * 8 + sums.high.len() * 32,
            Self::Means { sums, .. } => PLACES * 12 + sums.high.len() * 32,
            Self::Edge { .. } => PLACES * 8 + PLACES / 8,
            Self::Pairs(pairs) => pairs.capacity() * size_of::<(u16, i64)>(),
        }
    }
}

/// Who passes.
pub(super) fn answer(notes: &mut Notes, question: &Question) -> Block {
    match (notes, question) {
        (Notes::Did(did), _) => did.clone(),
        (Notes::Counts(counts), Question::Count(bound)) => counted(counts, *bound),
        (Notes::Days { counts, .. }, Question::Days(bound)) => {
            places(|place| admits(counts[usize::from(place)], *bound))
        }
        (Notes::Sums(sums), Question::Sum(_, bound)) => summed(sums, *bound),
        (Notes::Means { sums, counts }, Question::Average(_, orderings, than)) => {
            averaged(sums, counts, *orderings, *than)
        }
        (Notes::Edge { passes, .. }, _) => passes.clone(),
        (Notes::Pairs(pairs), Question::Top(_, wanted)) => most_frequent(pairs, wanted),
        // The notes were made for the question.
        (
            Notes::Counts(_)
            | Notes::Days { .. }
            | Notes::Sums(_)
            | Notes::Means { .. }
            | Notes::Pairs(_),
            _,
        ) => Block::new(),
    }
}

/// The places that pass, 64 at a time.
fn places(mut passes: impl FnMut(u16) -> bool) -> Block {
    let mut block = Block::new();
    let firsts = (0..PLACES).step_by(WORD_BITS);
    for (word, first) in block.words_mut().iter_mut().zip(firsts) {
        for bit in 0..WORD_BITS {
            // Below 2^16.
            *word |= u64::from(passes((first + bit) as u16)) << bit;
        }
    }
    block
}

/// Whether a count passes; zero never does.
fn admits(count: u32, bound: Bound) -> bool {
    count > 0 && bound.admits(count.into())
}

fn counted(counts: &Counts, bound: Bound) -> Block {
    match counts {
        Counts::Small(counts) => match small(bound) {
            Some((low, high)) => {
                let span = high.wrapping_sub(low);
                counts.passing(|count| count.wrapping_sub(low) <= span)
            }
            None => Block::new(),
        },
        Counts::Large(counts) => counts.passing(|count| admits(count, bound)),
    }
}

fn summed(sums: &Sums, bound: Bound) -> Block {
    let clamp = |number: i128| number.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    let fits = |number: i128| i128::from(clamp(number)) == number;
    match bound {
        Bound::Within(low, high)
            if sums.high.is_empty() && high >= i64::MIN.into() && fits(low) =>
        {
            let (low, high) = (clamp(low), clamp(high));
            sums.low.passing(|sum| low <= sum && sum <= high)
        }
        Bound::Within(..) | Bound::Outside(..) => places(|place| bound.admits(sums.total(place))),
    }
}

fn averaged(sums: &Sums, counts: &[u32], orderings: Orderings, than: (i128, i128)) -> Block {
    places(|place| {
        let count = counts[usize::from(place)];
        count > 0 && orderings.admit_mean(sums.total(place), count, than)
    })
}

/// Who has one of the wanted codes as often as any other.
fn most_frequent(pairs: &mut [(u16, i64)], wanted: &[i64]) -> Block {
    pairs.sort_unstable();
    let mut block = Block::new();
    for events in pairs.chunk_by(|(left, _), (right, _)| left == right) {
        let codes = events.chunk_by(|left, right| left == right);
        let most = codes.clone().map(<[_]>::len).max().unwrap_or(0);
        let is_wanted = |codes: &&[(u16, i64)]| {
            codes.len() == most
                && codes
                    .first()
                    .is_some_and(|(_, code)| wanted.binary_search(code).is_ok())
        };
        if let (Some((place, _)), true) =
            (events.first(), codes.clone().any(|codes| is_wanted(&codes)))
        {
            block.insert(*place);
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_bound() -> impl Strategy<Value = Bound> {
        let number = || {
            prop_oneof![
                0_i128..6,
                250_i128..260,
                Just(u32::MAX.into()),
                Just(i128::MAX)
            ]
        };
        prop_oneof![
            (1_i128..300, number()).prop_map(|(low, high)| Bound::Within(low, high)),
            (-3_i128..1, number()).prop_map(|(low, high)| Bound::Outside(low, high)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn small_counts_pass_like_large_ones(
            counts in prop::collection::vec((any::<u16>(), prop_oneof![0_u32..9, 250_u32..999]), 0..9),
            bound in any_bound(),
        ) {
            let mut notes = Counts::new(bound);
            for (place, count) in &counts {
                match &mut notes {
                    Counts::Small(of) => of.0[usize::from(*place)] = (*count).min(255) as u8,
                    Counts::Large(of) => of.0[usize::from(*place)] = *count,
                }
            }
            let mut expected = Block::new();
            for (place, count) in &counts {
                match *count > 0 && bound.admits((*count).into()) {
                    true => expected.insert(*place),
                    false => expected.remove(*place),
                }
            }
            prop_assert_eq!(counted(&notes, bound), expected);
        }
    }
}
