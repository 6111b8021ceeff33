//! The groups of some shards: a vector over all combinations where these are few, else a hash
//! table. Memory and number of groups are limited.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{
    groups::{Group, Groups},
    split::{BoundDim, Component},
    statistics::Statistics,
};
use crate::{
    error::Error,
    exec::{
        byte_meter::{ByteMeter, ByteShare},
        limits::{QueryLimitError, QueryLimits},
    },
    plan::query::{DIMS_MAX, Measured},
};

/// Combinations up to which every one of them gets a place.
const DENSE_SLOTS_MAX: u64 = 1 << 16;
/// Statistics up to which every combination gets its own.
const DENSE_STATISTICS_MAX: u64 = 1 << 17;

/// A group's components, by dim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    numbers: [i64; DIMS_MAX],
    missing: u8,
}

impl GroupKey {
    /// Missing in every dim.
    pub(super) const MISSING: Self = Self {
        numbers: [0; DIMS_MAX],
        missing: u8::MAX,
    };

    /// The same, with another component in one dim.
    pub(super) fn with(mut self, dim: usize, component: Component) -> Self {
        if let Some(number) = self.numbers.get_mut(dim) {
            *number = component.unwrap_or(0);
            let bit = 1_u8 << dim;
            self.missing = if component.is_some() {
                self.missing & !bit
            } else {
                self.missing | bit
            };
        }
        self
    }

    /// The component in a dim.
    pub(super) fn component(&self, dim: usize) -> Component {
        let is_missing = self.missing >> dim & 1 == 1;
        self.numbers.get(dim).copied().filter(|_| !is_missing)
    }
}

/// The groups found so far.
pub(super) struct Table<'a> {
    layout: Layout,
    counts: Vec<u64>,
    /// As many a slot as there are measured attributes.
    statistics: Vec<Statistics>,
    measured: Vec<Measured>,
    /// Users, each once.
    users: u64,
    /// What it takes, and what of that the query's other tables know of.
    bytes: usize,
    share: ByteShare<'a>,
    groups_max: usize,
}

/// Which slot a group has.
pub(super) enum Layout {
    /// Every combination has one; the slot is the sum of components times strides.
    Dense(Vec<Stride>),
    /// In the order of first sight.
    Sparse {
        slots: HashMap<GroupKey, u32, RandomState>,
        keys: Vec<GroupKey>,
    },
}

/// One dim's part in a dense slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stride {
    /// The distance between two components.
    stride: u32,
    /// The component that stands for "missing".
    missing: u32,
}

impl Stride {
    /// What a component adds to a slot.
    pub(super) fn offset(self, component: Component) -> u32 {
        // Components of dense dims are below `missing`.
        component.map_or(self.missing, |number| number as u32) * self.stride
    }

    fn component(self, slot: u32) -> Component {
        let component = slot / self.stride % (self.missing + 1);
        (component != self.missing).then_some(i64::from(component))
    }
}

impl<'a> Table<'a> {
    /// No groups.
    pub(super) fn new(
        dims: &[BoundDim],
        measured: &[Measured],
        limits: &QueryLimits,
        meter: &'a ByteMeter,
    ) -> Self {
        let measured = measured.to_vec();
        let (layout, slots) = match dense_layout(dims, measured.len()) {
            Some((strides, slots)) => (Layout::Dense(strides), slots),
            None => (
                Layout::Sparse {
                    slots: HashMap::default(),
                    keys: Vec::new(),
                },
                0,
            ),
        };
        let mut table = Self {
            layout,
            counts: Vec::new(),
            statistics: Vec::new(),
            measured,
            users: 0,
            bytes: 0,
            share: meter.share(),
            groups_max: limits.groups_max,
        };
        (0..slots).for_each(|_| table.push_slot());
        table.share.set(table.bytes);
        table
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Counts users of the segment, each once.
    pub(super) fn add_users(&mut self, count: u32) {
        self.users += u64::from(count);
    }

    /// Counts users of a slot.
    pub(super) fn add_count(&mut self, slot: u32, count: u64) {
        self.counts[slot as usize] += count;
    }

    /// Takes a number of a measured attribute in a slot.
    pub(super) fn add_number(&mut self, slot: u32, measured: usize, number: i64) {
        let place = slot as usize * self.measured.len() + measured;
        self.bytes += self.statistics[place].add(number);
    }

    /// The slot of a group; a new one when it is new.
    pub(super) fn slot(&mut self, key: GroupKey) -> Result<u32, Error> {
        let next = self.counts.len();
        match &mut self.layout {
            Layout::Dense(strides) => {
                let offsets = strides
                    .iter()
                    .enumerate()
                    .map(|(dim, stride)| stride.offset(key.component(dim)));
                Ok(offsets.sum())
            }
            Layout::Sparse { slots, keys } => {
                if let Some(slot) = slots.get(&key) {
                    return Ok(*slot);
                }
                if next >= self.groups_max {
                    return Err(QueryLimitError::Groups {
                        max: self.groups_max,
                    }
                    .into());
                }
                // At most `groups_max`, which is checked to fit when a slot is given.
                let slot =
                    u32::try_from(next).map_err(|_| QueryLimitError::Groups { max: next })?;
                slots.insert(key, slot);
                keys.push(key);
                self.push_slot();
                self.check_bytes()?;
                Ok(slot)
            }
        }
    }

    fn push_slot(&mut self) {
        self.counts.push(0);
        self.statistics.extend(
            self.measured
                .iter()
                .map(|measured| Statistics::new(measured.detail)),
        );
        let key_bytes = size_of::<(GroupKey, u32)>() + size_of::<GroupKey>();
        self.bytes += key_bytes + size_of::<u64>() + self.measured.len() * size_of::<Statistics>();
    }

    /// Refuses to grow beyond the limit of all tables together; asked after every block.
    pub(super) fn check_bytes(&mut self) -> Result<(), Error> {
        // Dense tables take all they ever will when they begin.
        if self.bytes != self.share.bytes() {
            self.share.set(self.bytes);
        }
        if self.share.is_exceeded() {
            let max = self.share.bytes_max();
            Err(QueryLimitError::GroupBytes { max }.into())
        } else {
            Ok(())
        }
    }

    /// Takes the groups of other shards.
    pub(super) fn merge(mut self, other: Self) -> Result<Self, Error> {
        if self.users < other.users {
            // The greater one stays, so that less is moved.
            return other.merge(self);
        }
        self.users += other.users;
        // What moves over is counted here from now on.
        drop(other.share);
        let measured = self.measured.len();
        let mut statistics = other.statistics.into_iter();
        for (slot, count) in other.counts.into_iter().enumerate() {
            let target = match &other.layout {
                Layout::Dense(_) => slot as u32,
                Layout::Sparse { keys, .. } => self.slot(keys[slot])?,
            };
            self.counts[target as usize] += count;
            for (index, theirs) in statistics.by_ref().take(measured).enumerate() {
                self.bytes += self.statistics[target as usize * measured + index].merge(theirs);
            }
        }
        self.check_bytes()?;
        Ok(self)
    }

    /// The groups with users.
    pub(super) fn finish(self, dims: &[BoundDim]) -> Result<Groups, Error> {
        let measured = self.measured.len();
        let mut statistics = self.statistics.into_iter();
        let mut groups = Vec::new();
        for (slot, count) in self.counts.into_iter().enumerate() {
            let statistics: Vec<Statistics> = statistics.by_ref().take(measured).collect();
            if count == 0 {
                continue;
            }
            let key = match &self.layout {
                Layout::Sparse { keys, .. } => keys[slot],
                Layout::Dense(strides) => strides
                    .iter()
                    .take(dims.len())
                    .enumerate()
                    .fold(GroupKey::MISSING, |key, (dim, stride)| {
                        key.with(dim, stride.component(slot as u32))
                    }),
            };
            groups.push(Group {
                key,
                count,
                statistics,
            });
        }
        let max = self.groups_max;
        if groups.len() > max {
            return Err(QueryLimitError::Groups { max }.into());
        }
        Ok(Groups {
            groups,
            users: self.users,
        })
    }
}

/// Strides and slots, where all combinations are known and few.
fn dense_layout(dims: &[BoundDim], measured: usize) -> Option<(Vec<Stride>, u64)> {
    let mut slots = 1_u64;
    let mut strides = Vec::with_capacity(dims.len());
    for dim in dims {
        let components = dim.component_count()?;
        if components >= DENSE_SLOTS_MAX || slots > DENSE_SLOTS_MAX {
            return None;
        }
        strides.push(Stride {
            stride: slots as u32,
            missing: components as u32,
        });
        slots *= components + 1;
    }
    let statistics = slots * measured as u64;
    (slots <= DENSE_SLOTS_MAX && statistics <= DENSE_STATISTICS_MAX).then_some((strides, slots))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::ErrorCode, ids::AttributeId, plan::query::Detail};

    #[test]
    fn tables_of_one_query_share_its_bytes() {
        let limits = QueryLimits::default();
        let measured = [Measured {
            attribute: AttributeId(0),
            detail: Detail::Distribution,
        }];
        let meter = ByteMeter::new(4_000);
        let fill = |numbers: i64| {
            let mut table = Table::new(&[], &measured, &limits, &meter);
            let added = table.slot(GroupKey::MISSING).map(|slot| {
                (0..numbers).for_each(|number| table.add_number(slot, 0, number));
            });
            added.and_then(|()| table.check_bytes()).map(|()| table)
        };
        // Each fits alone, both together do not.
        let first = fill(100);
        assert!(first.is_ok());
        let second = fill(100).map(|_| ()).map_err(|error| error.code());
        assert_eq!(second, Err(ErrorCode::LimitExceeded));
        // What was dropped is given back.
        drop(first);
        assert!(fill(100).is_ok());
        // The same numbers take their place once in the merged table.
        let both = fill(40).and_then(|left| left.merge(fill(40)?));
        assert!(both.and_then(|both| Ok((both, fill(60)?))).is_ok());
    }
}
