//! Which slot a group has.

use std::{collections::HashMap, hash::Hash};

use foldhash::fast::RandomState;

use super::axis::Axis;
use crate::{exec::byte_meter::hash_bytes, plan::query::DIMS_MAX};

/// A group's indices, by dim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct GroupKey([u32; DIMS_MAX]);

impl GroupKey {
    /// The same, with another index in one dim.
    pub(super) fn with(mut self, dim: usize, index: u32) -> Self {
        self.set(dim, index);
        self
    }

    /// Changes the index in one dim.
    pub(super) fn set(&mut self, dim: usize, index: u32) {
        if let Some(held) = self.0.get_mut(dim) {
            *held = index;
        }
    }

    /// The index in a dim.
    pub(super) fn index(&self, dim: usize) -> u32 {
        self.0.get(dim).copied().unwrap_or_default()
    }

    /// Every index changed.
    pub(super) fn map(mut self, change: impl Fn(usize, u32) -> u32) -> Self {
        for (dim, index) in self.0.iter_mut().enumerate() {
            *index = change(dim, *index);
        }
        self
    }

    /// The slot in a dense layout.
    pub(super) fn offset(&self, strides: &[u32]) -> u32 {
        let parts = strides.iter().zip(&self.0);
        parts.map(|(stride, index)| stride * index).sum()
    }
}

/// Which slot a group has.
pub(super) enum Layout {
    /// Every combination has one: the sum of indices times strides.
    Dense { sizes: Vec<u32>, strides: Vec<u32> },
    /// In the order of first sight; a group's indices fit one word.
    Packed { packing: Packing, slots: Slots<u64> },
    /// In the order of first sight.
    Wide { slots: Slots<GroupKey> },
}

/// Where a group's indices lie in a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packing {
    /// Bits of each dim's index.
    bits: [u32; DIMS_MAX],
}

/// Slots in the order of first sight.
pub(super) struct Slots<Key> {
    slots: HashMap<Key, u32, RandomState>,
    keys: Vec<Key>,
}

impl<Key: Copy + Eq + Hash> Slots<Key> {
    fn new() -> Self {
        Self {
            slots: HashMap::default(),
            keys: Vec::new(),
        }
    }

    fn push(&mut self, key: Key, slot: u32) {
        self.slots.insert(key, slot);
        self.keys.push(key);
    }

    fn is_full(&self) -> bool {
        self.slots.len() == self.slots.capacity() || self.keys.len() == self.keys.capacity()
    }

    fn heap_bytes(&self) -> usize {
        hash_bytes::<(Key, u32)>(self.slots.capacity()) + self.keys.capacity() * size_of::<Key>()
    }
}

impl Packing {
    /// For so many indices a dim, if they fit.
    fn new(sizes: &[u32]) -> Option<Self> {
        let mut bits = [0; DIMS_MAX];
        for (bits, size) in bits.iter_mut().zip(sizes) {
            *bits = u32::BITS - size.saturating_sub(1).leading_zeros();
        }
        (bits.iter().sum::<u32>() <= u64::BITS).then_some(Self { bits })
    }

    /// Whether so many indices of a dim fit.
    fn has_room(&self, dim: usize, wanted: u32) -> bool {
        let bits = self.bits.get(dim).copied().unwrap_or_default();
        u64::from(wanted) <= 1 << bits
    }

    fn pack(&self, key: &GroupKey) -> u64 {
        let parts = self.bits.iter().zip(&key.0);
        // No shift reaches the width: all bits together are no more, and 32 a dim at most.
        parts.fold(0, |word, (bits, index)| word << bits | u64::from(*index))
    }

    fn unpack(&self, mut word: u64) -> GroupKey {
        let mut key = GroupKey::default();
        for (bits, index) in self.bits.iter().zip(&mut key.0).rev() {
            *index = (word & ((1_u64 << bits) - 1)) as u32;
            word >>= bits;
        }
        key
    }
}

impl Layout {
    /// No slots yet; for so many indices a dim, or more.
    pub(super) fn sparse(sizes: &[u32]) -> Self {
        match Packing::new(sizes) {
            Some(packing) => Self::Packed {
                packing,
                slots: Slots::new(),
            },
            None => Self::Wide {
                slots: Slots::new(),
            },
        }
    }

    /// A slot for every combination of so many indices a dim, and how many slots that are; where
    /// they are not too many.
    pub(super) fn dense(sizes: &[u32], slots_max: u64) -> Option<(Self, usize)> {
        let mut slots = 1_u64;
        let mut strides = Vec::with_capacity(sizes.len());
        for size in sizes {
            strides.push(slots as u32);
            slots = slots.saturating_mul(u64::from(*size));
            if slots > slots_max {
                return None;
            }
        }
        let sizes = sizes.to_vec();
        Some((Self::Dense { sizes, strides }, slots as usize))
    }

    pub(super) fn is_dense(&self) -> bool {
        self.strides().is_some()
    }

    /// The distance between two indices of each dim, where all combinations have a slot.
    pub(super) fn strides(&self) -> Option<&[u32]> {
        match self {
            Self::Dense { strides, .. } => Some(strides),
            Self::Packed { .. } | Self::Wide { .. } => None,
        }
    }

    /// Whether the indices of all dims are no more than it was made for.
    pub(super) fn has_room(&self, axes: &[Axis]) -> bool {
        let mut axes = axes.iter().map(Axis::len).enumerate();
        match self {
            Self::Dense { sizes, .. } => {
                sizes.iter().zip(axes).all(|(size, (_, len))| len <= *size)
            }
            Self::Packed { packing, .. } => axes.all(|(dim, len)| packing.has_room(dim, len)),
            Self::Wide { .. } => true,
        }
    }

    /// The slot of a group that has one.
    pub(super) fn slot(&self, key: &GroupKey) -> Option<u32> {
        match self {
            Self::Dense { strides, .. } => Some(key.offset(strides)),
            Self::Packed { packing, slots } => slots.slots.get(&packing.pack(key)).copied(),
            Self::Wide { slots } => slots.slots.get(key).copied(),
        }
    }

    /// Notes the slot of a new group.
    pub(super) fn push(&mut self, key: &GroupKey, slot: u32) {
        match self {
            Self::Dense { .. } => {}
            Self::Packed { packing, slots } => slots.push(packing.pack(key), slot),
            Self::Wide { slots } => slots.push(*key, slot),
        }
    }

    /// Whether one more group would need more memory.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Dense { .. } => false,
            Self::Packed { slots, .. } => slots.is_full(),
            Self::Wide { slots } => slots.is_full(),
        }
    }

    /// The group of a slot.
    pub(super) fn key(&self, slot: usize) -> GroupKey {
        match self {
            Self::Dense { sizes, strides } => {
                let mut key = GroupKey::default();
                for (dim, (size, stride)) in sizes.iter().zip(strides).enumerate() {
                    // Neither a size nor a stride is ever zero.
                    key.set(dim, slot as u32 / stride % size);
                }
                key
            }
            Self::Packed { packing, slots } => {
                let word = slots.keys.get(slot).copied();
                word.map(|word| packing.unpack(word)).unwrap_or_default()
            }
            Self::Wide { slots } => slots.keys.get(slot).copied().unwrap_or_default(),
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Dense { sizes, strides } => {
                (sizes.capacity() + strides.capacity()) * size_of::<u32>()
            }
            Self::Packed { slots, .. } => slots.heap_bytes(),
            Self::Wide { slots } => slots.heap_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_layout_gives_a_key_back(indices in prop::array::uniform6(0_u32..5)) {
            let key = GroupKey(indices);
            let check = |mut layout: Layout| {
                let slot = match layout.slot(&key) {
                    Some(slot) => slot as usize,
                    None => {
                        layout.push(&key, 0);
                        0
                    }
                };
                prop_assert_eq!(layout.slot(&key), Some(slot as u32));
                prop_assert_eq!(layout.key(slot), key);
                Ok(())
            };
            check(Layout::sparse(&[5; DIMS_MAX]))?;
            check(Layout::sparse(&[u32::MAX, 5, u32::MAX, 5, 5, 5]))?;
            if let Some((dense, slots)) = Layout::dense(&[5; DIMS_MAX], 1 << 20) {
                prop_assert_eq!(slots, 5_usize.pow(6));
                check(dense)?;
            }
        }
    }
}
