//! The bytes that one query holds, over all its threads.
//!
//! Knows a limit and a sum. What takes how much, and which error says that it is too much, is
//! for those who take.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes on the heap of a standard hash table with room for so many entries: a power of two of
/// buckets, an eighth of them always free, and a byte of control for each.
pub(crate) fn hash_bytes<Entry>(capacity: usize) -> usize {
    match capacity {
        0 => 0,
        1..8 => 8 * (size_of::<Entry>() + 1) + 16,
        _ => (capacity.saturating_mul(8) / 7).next_power_of_two() * (size_of::<Entry>() + 1) + 16,
    }
}

/// The bytes held by one query.
#[derive(Debug)]
pub(crate) struct ByteMeter {
    held: AtomicUsize,
    max: usize,
}

impl ByteMeter {
    /// Nothing is held yet.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            max,
        }
    }

    /// A share of one holder, empty at first.
    pub(crate) fn share(&self) -> ByteShare<'_> {
        ByteShare {
            meter: self,
            bytes: 0,
        }
    }
}

/// The bytes of one holder; given back when dropped.
#[derive(Debug)]
pub(crate) struct ByteShare<'a> {
    meter: &'a ByteMeter,
    bytes: usize,
}

impl<'a> ByteShare<'a> {
    /// Another share of the same limit, empty at first.
    pub(crate) fn sibling(&self) -> ByteShare<'a> {
        self.meter.share()
    }

    /// Says how many bytes the holder has now.
    pub(crate) fn set(&mut self, bytes: usize) {
        // Only sums are read: no other memory depends on the order.
        if bytes >= self.bytes {
            self.meter
                .held
                .fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.meter
                .held
                .fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// How many bytes the holder has.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether all holders together have more than they may.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.meter.held.load(Ordering::Relaxed) > self.meter.max
    }

    /// Whether all holders together would have more than they may if this one had so many more.
    pub(crate) fn would_exceed(&self, more: usize) -> bool {
        self.meter.held.load(Ordering::Relaxed).saturating_add(more) > self.meter.max
    }

    /// The limit of all holders together.
    pub(crate) fn bytes_max(&self) -> usize {
        self.meter.max
    }
}

impl Drop for ByteShare<'_> {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_share_one_limit_and_give_back() {
        let meter = ByteMeter::new(10);
        let (mut left, mut right) = (meter.share(), meter.share());
        left.set(6);
        right.set(4);
        assert!(!left.is_exceeded());
        right.set(5);
        assert!(left.is_exceeded() && right.is_exceeded());
        left.set(3);
        assert!(!right.is_exceeded());
        drop(right);
        left.set(10);
        assert!(!left.is_exceeded());
        assert_eq!((left.bytes(), left.bytes_max()), (10, 10));
    }
}
