//! "At least k of these sets", for 2^16 places at once.
//!
//! Source: Kaser, Lemire: "Compressed bitmap indexes: beyond unions and intersections",
//! Software: Practice and Experience 46(2), 2016: vertical counters, one bit plane for each
//! binary digit, to which a set is added like a carry.

use super::block::Block;

/// Counts for every place of a block in how many sets it is, as far as is needed to tell
/// whether that is at least `k`.
///
/// Made once for a query; [`ThresholdCounter::finish`] makes it ready for the next block.
#[derive(Debug, Clone)]
pub struct ThresholdCounter {
    k: u32,
    /// Binary digits of each place's counter, lowest first. The counters start at 2^digits - k,
    /// so that the k-th set carries out of the highest digit.
    digits: Vec<Block>,
    /// Where a carry left the highest digit, once and for all.
    reached: Block,
    carry: Block,
}

impl ThresholdCounter {
    /// A counter for "at least k". With k = 0 every place of a block is in the answer.
    pub fn new(k: u32) -> Self {
        // The fewest digits with 2^digits >= k.
        let digits = k
            .saturating_sub(1)
            .checked_ilog2()
            .map_or(0, |highest| highest + 1);
        let mut counter = Self {
            k,
            digits: vec![Block::new(); digits as usize],
            reached: Block::new(),
            carry: Block::new(),
        };
        counter.reset();
        counter
    }

    /// Counts the places of a set.
    pub fn add(&mut self, set: &Block) {
        self.carry.copy_from(set);
        for digit in &mut self.digits {
            let mut left = 0;
            for (carry, digit) in self.carry.words_mut().iter_mut().zip(digit.words_mut()) {
                let sum = *carry ^ *digit;
                *carry &= *digit;
                *digit = sum;
                left |= *carry;
            }
            if left == 0 {
                return;
            }
        }
        self.reached.or(&self.carry);
    }

    /// `out` becomes the places that were in at least k of the sets, and counting starts anew.
    pub fn finish(&mut self, out: &mut Block) {
        out.copy_from(&self.reached);
        self.reset();
    }

    /// Forgets what was counted.
    pub fn reset(&mut self) {
        match self.k {
            0 => self.reached.fill(),
            _ => self.reached.clear(),
        }
        // 2^digits - k in as many digits is the two's complement of k.
        let start = self.k.wrapping_neg();
        for (position, digit) in self.digits.iter_mut().enumerate() {
            match start >> position & 1 {
                0 => digit.clear(),
                _ => digit.fill(),
            }
        }
    }
}
