//! The places of one dim's components: small numbers from zero on, so that combinations can be
//! counted in vectors.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::split::{BoundDim, Component};
use crate::exec::byte_meter::hash_bytes;

/// The index of users without a component.
pub(super) const MISSING: u32 = 0;

/// Which component has which index. Indices never change, only new ones come.
pub(super) enum Axis {
    /// All components are known beforehand: 0 to one less. The index is one more.
    Fixed(u32),
    /// In the order of first sight.
    Interned {
        indices: HashMap<i64, u32, RandomState>,
        components: Vec<i64>,
    },
}

impl Axis {
    pub(super) fn new(dim: &BoundDim) -> Self {
        match dim.component_count() {
            Some(count) => Self::Fixed(count),
            None => Self::Interned {
                indices: HashMap::default(),
                components: Vec::new(),
            },
        }
    }

    /// The index of a component; a new one where it is new.
    pub(super) fn index(&mut self, component: Component) -> u32 {
        let Some(component) = component else {
            return MISSING;
        };
        match self {
            // Known components are below the count, which is below 2^32.
            Self::Fixed(_) => (component as u32).saturating_add(1),
            Self::Interned {
                indices,
                components,
            } => *indices.entry(component).or_insert_with(|| {
                components.push(component);
                // Bounded by the limit of groups long before.
                u32::try_from(components.len()).unwrap_or(u32::MAX)
            }),
        }
    }

    /// The component of an index.
    pub(super) fn component(&self, index: u32) -> Component {
        let below = index.checked_sub(1)?;
        match self {
            Self::Fixed(_) => Some(i64::from(below)),
            Self::Interned { components, .. } => components.get(below as usize).copied(),
        }
    }

    /// How many indices there are.
    pub(super) fn len(&self) -> u32 {
        match self {
            Self::Fixed(count) => count.saturating_add(1),
            Self::Interned { components, .. } => {
                u32::try_from(components.len() + 1).unwrap_or(u32::MAX)
            }
        }
    }

    /// How many indices a vector should have room for at first.
    pub(super) fn expected(&self) -> u32 {
        match self {
            Self::Fixed(_) => self.len(),
            Self::Interned { .. } => self.len().next_power_of_two().max(16),
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Fixed(_) => 0,
            Self::Interned {
                indices,
                components,
            } => {
                hash_bytes::<(i64, u32)>(indices.capacity())
                    + components.capacity() * size_of::<i64>()
            }
        }
    }
}
