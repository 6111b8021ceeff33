//! Numbers kept as bit slices: ranges and sums, a block at a time.
//!
//! Knows how a number is cut into rows of bits, see [`magnitude`]. Does not know whose numbers
//! they are or where the rows come from.
//!
//! Sources: O'Neil, Quass: "Improved query performance with variant indexes", SIGMOD 1997
//! (bit-sliced indexes, range and sum over them); Chan, Ioannidis: "Bitmap index design and
//! evaluation", SIGMOD 1998 (one operation a slice for a one-sided range, from the lowest bit
//! up).

use std::sync::Arc;

use super::{
    block::Block,
    containers::Container,
    fragment::Fragment,
    kernels::{Digit, Kernels, NOBODY},
};
use crate::ids::SliceRow;

/// Slices of a number: bits 0 to 62 of its [`magnitude`].
pub const SLICE_BITS: u8 = 63;

/// The number whose bits are kept: the value where it is not negative, and `-value - 1` where
/// it is (the sign row tells). Small numbers of either sign have few bits, and every `i64` has
/// at most 63.
pub fn magnitude(value: i64) -> u64 {
    (value ^ (value >> 63)) as u64
}

/// The slices of one number in one shard.
#[derive(Debug, Clone)]
pub struct NumberSlices {
    present: Arc<Fragment>,
    sign: Arc<Fragment>,
    /// Up to the highest that is not empty.
    bits: Vec<Arc<Fragment>>,
}

/// Room for intermediate results, made once and used for block after block.
#[derive(Debug, Clone, Default)]
pub struct SliceScratch {
    half: Block,
    tried: Block,
    /// Slices that are no bitmaps in a block.
    unpacked: Vec<Block>,
}

impl SliceScratch {
    /// Fresh room.
    pub fn new() -> Self {
        Self::default()
    }
}

/// On which side of zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Zero and more.
    Above,
    Below,
}

/// Which end of some numbers is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Least,
    Greatest,
}

/// What [`NumberSlices::sum`] adds up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SliceSum {
    /// How many of the users have a value.
    pub count: u32,
    /// The sum of their values. Exact: 2^16 numbers of 64 bits need 80.
    pub sum: i128,
}

impl NumberSlices {
    /// Fetches the slices, each at most once, and none when nobody has a value. A row that is
    /// not stored is the empty fragment.
    ///
    /// # Errors
    /// The first error of `fetch`.
    pub fn load<E>(fetch: impl FnMut(SliceRow) -> Result<Arc<Fragment>, E>) -> Result<Self, E> {
        Self::load_held(u64::MAX, fetch)
    }

    /// Fetches only those slices that are known to hold somebody: [`NumberSlices::bits_held`] of
    /// the same state.
    ///
    /// # Errors
    /// The first error of `fetch`.
    pub fn load_held<E>(
        held: u64,
        mut fetch: impl FnMut(SliceRow) -> Result<Arc<Fragment>, E>,
    ) -> Result<Self, E> {
        let present = fetch(SliceRow::Present)?;
        let nobody = Arc::new(Fragment::empty());
        if present.is_empty() {
            return Ok(Self {
                sign: nobody,
                present,
                bits: Vec::new(),
            });
        }
        let sign = fetch(SliceRow::Sign)?;
        let count = SLICE_BITS.min((u64::BITS - held.leading_zeros()) as u8);
        let mut bits = Vec::with_capacity(usize::from(count));
        for bit in 0..count {
            bits.push(match held >> bit & 1 {
                1 => fetch(SliceRow::Bit(bit))?,
                _ => Arc::clone(&nobody),
            });
        }
        while bits.last().is_some_and(|highest| highest.is_empty()) {
            bits.pop();
        }
        Ok(Self {
            present,
            sign,
            bits,
        })
    }

    /// Which slices hold somebody, bit k for slice k.
    pub fn bits_held(&self) -> u64 {
        let bits = self.bits.iter().enumerate();
        bits.map(|(bit, slice)| u64::from(!slice.is_empty()) << bit)
            .sum()
    }

    /// Who has a value.
    pub fn present(&self) -> &Arc<Fragment> {
        &self.present
    }

    /// `out` becomes the places of a block whose value is at least `low` and at most `high`;
    /// `None` is no bound. Who has no value is not among them.
    pub fn range_into(
        &self,
        low: Option<i64>,
        high: Option<i64>,
        block_index: u32,
        scratch: &mut SliceScratch,
        out: &mut Block,
    ) {
        let (low, high) = (low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX));
        if low > high || self.present.block_cardinality(block_index) == 0 {
            out.clear();
            return;
        }
        let has_negatives = self.sign.block_cardinality(block_index) > 0;
        if high >= 0 {
            let least = magnitude(low.max(0));
            self.magnitudes_into(least, magnitude(high), block_index, scratch, out);
            if has_negatives {
                self.sign.and_not_into(block_index, out);
            }
        } else {
            out.clear();
        }
        if low < 0 && has_negatives {
            // Falling values have rising magnitudes here.
            let (least, most) = (magnitude(high.min(-1)), magnitude(low));
            let mut half = std::mem::take(&mut scratch.half);
            self.magnitudes_into(least, most, block_index, scratch, &mut half);
            self.sign.and_into(block_index, &mut half);
            out.or(&half);
            scratch.half = half;
        }
        self.present.and_into(block_index, out);
    }

    /// Whether the value of one place is at least `low` and at most `high`; not without a value.
    pub fn is_in_range(&self, low: i64, high: i64, block_index: u32, place: u16) -> bool {
        let is_in = |slice: &Fragment| slice.container(block_index).contains(place);
        if !is_in(&self.present) {
            return false;
        }
        let bits = self.bits.iter().enumerate();
        let magnitude: i64 = bits
            .map(|(bit, slice)| i64::from(is_in(slice)) << bit)
            .sum();
        let value = if is_in(&self.sign) {
            -magnitude - 1
        } else {
            magnitude
        };
        (low..=high).contains(&value)
    }

    /// The sum over those users of a block who have a value. With p the users with a value
    /// that is not negative, n those with a negative one and s(k) the slices:
    /// `sum = Σ 2^k·|s(k) ∧ p| - Σ 2^k·|s(k) ∧ n| - |n|`, because a negative value is
    /// `-magnitude - 1`.
    pub fn sum(&self, block_index: u32, users: &Block, scratch: &mut SliceScratch) -> SliceSum {
        let SliceScratch { half, .. } = scratch;
        half.copy_from(users);
        self.present.and_into(block_index, half);
        let count = half.count();
        if self.sign.block_cardinality(block_index) == 0 {
            return SliceSum {
                count,
                sum: self.sum_magnitudes(block_index, half),
            };
        }
        self.sign.and_not_into(block_index, half);
        let above = self.sum_magnitudes(block_index, half);
        half.copy_from(users);
        self.present.and_into(block_index, half);
        self.sign.and_into(block_index, half);
        let below = self.sum_magnitudes(block_index, half) + i128::from(half.count());
        SliceSum {
            count,
            sum: above - below,
        }
    }

    /// The least and the greatest value of users of a block, if one has a value.
    pub fn extremes(
        &self,
        block_index: u32,
        users: &Block,
        scratch: &mut SliceScratch,
    ) -> Option<(i64, i64)> {
        // Those below zero are `-magnitude - 1`, the complement.
        let mut above = |end| self.extreme(block_index, users, (Side::Above, end), scratch);
        let (least_above, greatest_above) = (above(End::Least), above(End::Greatest));
        let mut below = |end| self.extreme(block_index, users, (Side::Below, end), scratch);
        let least = below(End::Greatest).map(|magnitude| !magnitude);
        let greatest = match greatest_above {
            Some(greatest) => Some(greatest),
            None => below(End::Least).map(|magnitude| !magnitude),
        };
        Some((least.or(least_above)?, greatest?))
    }

    /// The least or the greatest magnitude on one side of zero: slice by slice from the highest,
    /// those stay who have the bit that is wanted, where anybody has it.
    fn extreme(
        &self,
        block_index: u32,
        users: &Block,
        (side, end): (Side, End),
        scratch: &mut SliceScratch,
    ) -> Option<i64> {
        if side == Side::Below && self.sign.block_cardinality(block_index) == 0 {
            return None;
        }
        let SliceScratch { half, tried, .. } = scratch;
        half.copy_from(users);
        self.present.and_into(block_index, half);
        match side {
            Side::Above => self.sign.and_not_into(block_index, half),
            Side::Below => self.sign.and_into(block_index, half),
        }
        if half.is_empty() {
            return None;
        }
        let mut magnitude = 0;
        for (bit, slice) in self.bits.iter().enumerate().rev() {
            tried.copy_from(half);
            match end {
                End::Greatest => slice.and_into(block_index, tried),
                End::Least => slice.and_not_into(block_index, tried),
            }
            let has_wanted = !tried.is_empty();
            if has_wanted {
                std::mem::swap(half, tried);
            }
            // At most 63 slices: the sign is never touched.
            magnitude |= i64::from(has_wanted == (end == End::Greatest)) << bit;
        }
        Some(magnitude)
    }

    fn sum_magnitudes(&self, block_index: u32, users: &Block) -> i128 {
        let mut sum = 0;
        for (bit, slice) in self.bits.iter().enumerate() {
            sum += i128::from(slice.count_and(block_index, users)) << bit;
        }
        sum
    }

    /// `out` becomes the places whose magnitude is at least `least` and at most `most`,
    /// whatever the sign and whether or not there is a value. Both bounds in one pass over the
    /// slices that matter to them.
    fn magnitudes_into(
        &self,
        least: u64,
        most: u64,
        block_index: u32,
        scratch: &mut SliceScratch,
        out: &mut Block,
    ) {
        if self.out_of_reach(least) {
            out.clear();
            return;
        }
        // At most 2^63. Where no number reaches it, it is one that none reaches by its lowest
        // digits either, and it has no zero at which a digit alone would be enough.
        let beyond = most.saturating_add(1);
        let is_bounded = !self.out_of_reach(beyond);
        let (beyond, beyond_start) = if is_bounded {
            (beyond, u64::MAX)
        } else {
            (u64::MAX, 0)
        };
        // Below the lowest one of a bound nothing can make a number too small for it.
        let lowest = least.trailing_zeros().min(if is_bounded {
            beyond.trailing_zeros()
        } else {
            u64::BITS
        });
        let lowest = (lowest as usize).min(self.bits.len());
        let slices = &self.bits[lowest..];
        unpack(slices, block_index, &mut scratch.unpacked);
        let mut digits = [Digit::new(&NOBODY, 0, 0); SLICE_BITS as usize];
        let mut unpacked = scratch.unpacked.iter();
        for ((bit, slice), digit) in (lowest..).zip(slices).zip(&mut digits) {
            let bits = match slice.container(block_index) {
                Container::Bitmap(bits) => bits,
                Container::Empty => &NOBODY,
                Container::Full | Container::Array(_) | Container::Runs(_) => {
                    unpacked.next().map_or(&NOBODY, Block::bits)
                }
            };
            *digit = Digit::new(bits, least >> bit, beyond >> bit);
        }
        let digits = digits.get(..slices.len()).unwrap_or_default();
        Kernels::best().range(digits, u64::MAX, beyond_start, out.words_mut());
    }

    /// Whether a magnitude has more bits than any here.
    fn out_of_reach(&self, magnitude: u64) -> bool {
        // At most 63 slices, so the shift is defined.
        magnitude >> self.bits.len() != 0
    }
}

/// Fills blocks with those slices that are neither bitmaps nor empty, in order.
fn unpack(slices: &[Arc<Fragment>], block_index: u32, unpacked: &mut Vec<Block>) {
    let mut used = 0;
    for slice in slices {
        match slice.container(block_index) {
            Container::Empty | Container::Bitmap(_) => {}
            container @ (Container::Full | Container::Array(_) | Container::Runs(_)) => {
                if used == unpacked.len() {
                    unpacked.push(Block::new());
                }
                if let Some(block) = unpacked.get_mut(used) {
                    container.copy_into(block);
                }
                used += 1;
            }
        }
    }
}
