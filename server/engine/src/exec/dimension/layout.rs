//! Which slot a group has.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::{exec::byte_meter::hash_bytes, plan::query::DIMS_MAX};

/// Combinations up to which every one of them gets a slot.
const DENSE_SLOTS_MAX: u64 = 1 << 18;

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
    /// In the order of first sight.
    Sparse {
        slots: HashMap<GroupKey, u32, RandomState>,
        keys: Vec<GroupKey>,
    },
}

impl Layout {
    /// No slots yet.
    pub(super) fn sparse() -> Self {
        Self::Sparse {
            slots: HashMap::default(),
            keys: Vec::new(),
        }
    }

    /// A slot for every combination of so many indices a dim, and how many slots that are; where
    /// they are not too many.
    pub(super) fn dense(sizes: Vec<u32>) -> Option<(Self, usize)> {
        let mut slots = 1_u64;
        let mut strides = Vec::with_capacity(sizes.len());
        for size in &sizes {
            strides.push(slots as u32);
            slots = slots.saturating_mul(u64::from(*size));
            if slots > DENSE_SLOTS_MAX {
                return None;
            }
        }
        Some((Self::Dense { sizes, strides }, slots as usize))
    }

    pub(super) fn is_dense(&self) -> bool {
        self.strides().is_some()
    }

    /// The distance between two indices of each dim, where all combinations have a slot.
    pub(super) fn strides(&self) -> Option<&[u32]> {
        match self {
            Self::Dense { strides, .. } => Some(strides),
            Self::Sparse { .. } => None,
        }
    }

    /// Whether so many indices a dim are no more than it was made for.
    pub(super) fn has_room(&self, wanted: &[u32]) -> bool {
        match self {
            Self::Dense { sizes, .. } => sizes
                .iter()
                .zip(wanted)
                .all(|(size, wanted)| wanted <= size),
            Self::Sparse { .. } => true,
        }
    }

    /// The slot of a group that has one.
    pub(super) fn slot(&self, key: &GroupKey) -> Option<u32> {
        match self {
            Self::Dense { strides, .. } => Some(key.offset(strides)),
            Self::Sparse { slots, .. } => slots.get(key).copied(),
        }
    }

    /// Notes the slot of a new group.
    pub(super) fn push(&mut self, key: &GroupKey, slot: u32) {
        match self {
            Self::Dense { .. } => {}
            Self::Sparse { slots, keys } => {
                slots.insert(*key, slot);
                keys.push(*key);
            }
        }
    }

    /// Whether one more group would need more memory.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Dense { .. } => false,
            Self::Sparse { slots, keys } => {
                slots.len() == slots.capacity() || keys.len() == keys.capacity()
            }
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
            Self::Sparse { keys, .. } => keys.get(slot).copied().unwrap_or_default(),
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Dense { sizes, strides } => {
                (sizes.capacity() + strides.capacity()) * size_of::<u32>()
            }
            Self::Sparse { slots, keys } => {
                hash_bytes::<(GroupKey, u32)>(slots.capacity())
                    + keys.capacity() * size_of::<GroupKey>()
            }
        }
    }
}
