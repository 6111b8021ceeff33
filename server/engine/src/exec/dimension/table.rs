//! The groups of some shards: vectors over all combinations where these are few, else a hash
//! table. Memory and number of groups are limited.

use super::{
    Split,
    axis::{Axis, MISSING},
    layout::{GroupKey, Layout},
    narrow::Windows,
    numbers::Numbers,
};
use crate::{
    column::{Codes, Frame},
    error::Error,
    exec::{
        byte_meter::{ByteMeter, ByteShare},
        limits::{QueryLimitError, QueryLimits},
    },
};

/// Slots up to which counters have several lanes.
const LANED_SLOTS_MAX: usize = 512;
/// Slots that may be made ready whatever there is to count, for each user, and at most.
const DENSE_SLOTS_MIN: u64 = 1 << 14;
const DENSE_SLOTS_A_USER: u64 = 2;
const DENSE_SLOTS_MAX: u64 = 1 << 20;
/// Counters of one slot: users of the same group one after the other do not wait for each other.
pub(super) const LANES: usize = 4;

/// The slot of what is in no group.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// The groups found so far.
pub(super) struct Table<'a> {
    pub(super) axes: Vec<Axis>,
    layout: Layout,
    slots: usize,
    lanes: usize,
    /// As many a slot as there are lanes.
    counts: Vec<u64>,
    numbers: Vec<Numbers>,
    /// Users, or events where these are split, each once.
    users: u64,
    share: ByteShare<'a>,
    /// Bytes of what is made of the table.
    output_bytes: usize,
    groups_max: usize,
    /// Combinations up to which every one of them gets a slot.
    dense_slots_max: u64,
}

impl<'a> Table<'a> {
    /// No groups.
    pub(super) fn new(split: &Split, limits: &QueryLimits, meter: &'a ByteMeter) -> Self {
        let mut table = Self {
            axes: split.dims.iter().map(Axis::new).collect(),
            layout: Layout::sparse(&[]),
            slots: 0,
            lanes: 1,
            counts: Vec::new(),
            numbers: split
                .wanted
                .iter()
                .map(|wanted| Numbers::new(*wanted))
                .collect(),
            users: 0,
            share: meter.share(),
            output_bytes: 0,
            groups_max: limits.groups_max,
            dense_slots_max: split
                .users
                .saturating_mul(DENSE_SLOTS_A_USER)
                .clamp(DENSE_SLOTS_MIN, DENSE_SLOTS_MAX),
        };
        let (layout, slots) = table.fresh_layout();
        table.layout = layout;
        table.resize(slots);
        table.share.set(table.heap_bytes());
        table
    }

    /// The layout for the indices that are known, with room for a few more, and its slots:
    /// dense where that fits.
    fn fresh_layout(&self) -> (Layout, usize) {
        let sizes: Vec<u32> = self.axes.iter().map(Axis::expected).collect();
        let dense = Layout::dense(&sizes, self.dense_slots_max).filter(|(_, slots)| {
            let lanes = if *slots <= LANED_SLOTS_MAX { LANES } else { 1 };
            slots * self.slot_bytes(lanes) <= self.share.bytes_max() / 8
        });
        dense.unwrap_or_else(|| (Layout::sparse(&sizes), 0))
    }

    fn slot_bytes(&self, lanes: usize) -> usize {
        let numbers = self.numbers.iter().map(|numbers| numbers.slot_bytes(lanes));
        lanes * size_of::<u64>() + numbers.sum::<usize>()
    }

    fn resize(&mut self, slots: usize) {
        self.slots = slots;
        self.lanes = if slots <= LANED_SLOTS_MAX && self.layout.is_dense() {
            LANES
        } else {
            1
        };
        self.counts = vec![0; slots * self.lanes];
        for numbers in &mut self.numbers {
            numbers.resize(slots, self.lanes);
        }
    }

    /// Counts users of the segment, each once.
    pub(super) fn add_users(&mut self, count: u64) {
        self.users += count;
    }

    /// How many users the segment has.
    pub(super) fn users(&self) -> u64 {
        self.users
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Users of a slot.
    pub(super) fn count(&self, slot: usize) -> u64 {
        let lanes = self.counts.get(slot * self.lanes..(slot + 1) * self.lanes);
        lanes.unwrap_or_default().iter().sum()
    }

    /// What was gathered of the measured attributes.
    pub(super) fn numbers(&self) -> &[Numbers] {
        &self.numbers
    }

    /// The indices of a slot.
    pub(super) fn key(&self, slot: usize) -> GroupKey {
        self.layout.key(slot)
    }

    /// Counts users of a group.
    pub(super) fn add_count(&mut self, key: &GroupKey, count: u64) -> Result<(), Error> {
        let slot = self.slot(key)?;
        if let Some(held) = self.counts.get_mut(slot as usize * self.lanes) {
            *held += count;
        }
        Ok(())
    }

    /// Counts a user in every slot of a list.
    pub(super) fn add_each(&mut self, slots: &[u32]) {
        if self.lanes != LANES {
            for slot in slots {
                let held = &mut self.counts[*slot as usize];
                *held = held.wrapping_add(1);
            }
            return;
        }
        let (counts, _) = self.counts.as_chunks_mut::<LANES>();
        let (quads, rest) = slots.as_chunks::<LANES>();
        for quad in quads {
            for lane in 0..LANES {
                if let Some(held) = counts.get_mut(quad[lane] as usize) {
                    // Counts of users never come near 2^64.
                    held[lane] = held[lane].wrapping_add(1);
                }
            }
        }
        for slot in rest {
            if let Some([held, ..]) = counts.get_mut(*slot as usize) {
                *held = held.wrapping_add(1);
            }
        }
    }

    /// What was gathered of one measured attribute, and a group's slot in it.
    pub(super) fn numbers_of(
        &mut self,
        key: &GroupKey,
        measured: usize,
    ) -> Result<Option<(usize, &mut Numbers)>, Error> {
        let slot = self.slot(key)? as usize;
        Ok(self
            .numbers
            .get_mut(measured)
            .map(|numbers| (slot, numbers)))
    }

    /// Takes the numbers of users, whose codes are in the same order as their slots.
    pub(super) fn add_numbers(
        &mut self,
        measured: usize,
        codes: Codes<'_>,
        frame: Frame,
        slots: &[u32],
        windows: Option<&Windows>,
    ) {
        if let Some(numbers) = self.numbers.get_mut(measured) {
            numbers.add(codes, frame, slots, windows);
        }
    }

    /// Makes room for all indices that the axes know. Where groups got other slots by that: by
    /// former slot the one that they have now.
    pub(super) fn make_room(&mut self) -> Result<Option<Vec<u32>>, Error> {
        self.check_axes()?;
        match self.layout.has_room(&self.axes) {
            true => Ok(None),
            false => self.relay().map(Some),
        }
    }

    /// Takes numbers of events, in the order of their slots; see [`Numbers::add_values`].
    pub(super) fn add_values(
        &mut self,
        measured: usize,
        values: &[i64],
        farthest: u64,
        slots: &[u32],
    ) {
        if let Some(numbers) = self.numbers.get_mut(measured) {
            numbers.add_values(values, farthest, slots);
        }
    }

    /// Counts one more number in each of some slots.
    pub(super) fn count_each(&mut self, measured: usize, slots: &[u32]) {
        if let Some(numbers) = self.numbers.get_mut(measured) {
            numbers.count_each(slots);
        }
    }

    /// The slots of users with the same indices but in some dims: `columns` has those.
    pub(super) fn slots_of(
        &mut self,
        key: &GroupKey,
        columns: &[(usize, Vec<u32>)],
        users: usize,
        slots: &mut Vec<u32>,
    ) -> Result<(), Error> {
        self.make_room()?;
        slots.clear();
        if let Some(strides) = self.layout.strides() {
            slots.resize(users, key.offset(strides));
            for (dim, indices) in columns {
                let stride = strides.get(*dim).copied().unwrap_or_default();
                // Slots of a dense layout are far below 2^32.
                for (slot, index) in slots.iter_mut().zip(indices) {
                    *slot = slot.wrapping_add(index.wrapping_mul(stride));
                }
            }
            return Ok(());
        }
        let mut key = *key;
        for user in 0..users {
            for (dim, indices) in columns {
                key.set(*dim, indices.get(user).copied().unwrap_or(MISSING));
            }
            slots.push(self.slot(&key)?);
        }
        Ok(())
    }

    /// The slot of a group; a new one when it is new.
    pub(super) fn slot(&mut self, key: &GroupKey) -> Result<u32, Error> {
        match self.layout.slot(key) {
            Some(slot) => Ok(slot),
            None => self.new_slot(key),
        }
    }

    fn new_slot(&mut self, key: &GroupKey) -> Result<u32, Error> {
        let max = self.groups_max;
        if self.slots >= max {
            return Err(QueryLimitError::Groups { max }.into());
        }
        if self.layout.is_full() || self.counts.len() == self.counts.capacity() {
            self.claim_twice()?;
        }
        // At most `groups_max`, which is checked to fit when a slot is given.
        let slot = u32::try_from(self.slots).map_err(|_| QueryLimitError::Groups { max })?;
        self.layout.push(key, slot);
        self.slots += 1;
        self.counts.push(0);
        self.numbers.iter_mut().for_each(Numbers::push_slot);
        Ok(slot)
    }

    /// Makes sure that everything may grow to twice its size, the old staying until it is moved.
    fn claim_twice(&mut self) -> Result<(), Error> {
        let bytes = self.heap_bytes();
        self.share.set(bytes);
        let growing = self.layout.heap_bytes() + self.slots * self.slot_bytes(1);
        if self.share.would_exceed(2 * growing) {
            return Err(self.too_many_bytes());
        }
        Ok(())
    }

    /// Makes room for indices that came since: vectors where they still fit. Gives the new slot of
    /// each former one.
    fn relay(&mut self) -> Result<Vec<u32>, Error> {
        let (layout, slots) = self.fresh_layout();
        let mut grown = Self {
            axes: std::mem::take(&mut self.axes),
            layout,
            slots: 0,
            lanes: 1,
            counts: Vec::new(),
            numbers: self.numbers.iter().map(Numbers::emptied).collect(),
            users: self.users,
            share: self.share.sibling(),
            output_bytes: 0,
            groups_max: self.groups_max,
            dense_slots_max: self.dense_slots_max,
        };
        grown.resize(slots);
        grown.check_bytes()?;
        let moved = grown.take_slots(self, |_, index| index)?;
        *self = grown;
        self.check_bytes()?;
        Ok(moved)
    }

    /// Takes the slots of another table, whose indices are translated by dim. Gives by slot of
    /// that table the slot here; [`NO_SLOT`] for a slot of no group.
    fn take_slots(
        &mut self,
        other: &mut Self,
        translate: impl Fn(usize, u32) -> u32,
    ) -> Result<Vec<u32>, Error> {
        for numbers in &mut other.numbers {
            numbers.settle();
        }
        let mut moved = vec![NO_SLOT; other.slots];
        for (from, to) in moved.iter_mut().enumerate() {
            let count = other.count(from);
            if count == 0 {
                continue;
            }
            let key = other.layout.key(from).map(&translate);
            self.add_count(&key, count)?;
            let slot = self.slot(&key)?;
            *to = slot;
            for (ours, theirs) in self.numbers.iter_mut().zip(&mut other.numbers) {
                ours.take_slot(slot as usize, theirs, from);
            }
        }
        Ok(moved)
    }

    /// Takes the groups of other shards.
    pub(super) fn merge(mut self, mut other: Self) -> Result<Self, Error> {
        if self.users < other.users {
            // The greater one stays, so that less is moved.
            return other.merge(self);
        }
        self.users += other.users;
        let translations: Vec<Vec<u32>> = self
            .axes
            .iter_mut()
            .zip(&other.axes)
            .map(|(ours, theirs)| match theirs {
                Axis::Fixed(_) => Vec::new(),
                Axis::Interned { components, .. } => std::iter::once(MISSING)
                    .chain(
                        components
                            .iter()
                            .map(|component| ours.index(Some(*component))),
                    )
                    .collect(),
            })
            .collect();
        self.make_room()?;
        self.take_slots(&mut other, |dim, index| {
            let translated = translations
                .get(dim)
                .and_then(|known| known.get(index as usize));
            translated.copied().unwrap_or(index)
        })?;
        // What moved over is counted here from now on.
        drop(other);
        self.check_bytes()?;
        Ok(self)
    }

    /// Sums what is still in lanes; the table takes nothing more.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.numbers.iter_mut().for_each(Numbers::settle);
        self.check_bytes()
    }

    /// Makes sure that so many bytes may be made of the table.
    pub(super) fn claim_output(&mut self, bytes: usize) -> Result<(), Error> {
        self.output_bytes += bytes;
        self.check_bytes()
    }

    /// Every component that was found is in a group.
    fn check_axes(&self) -> Result<(), Error> {
        let max = self.groups_max;
        let interned = self
            .axes
            .iter()
            .filter(|axis| matches!(axis, Axis::Interned { .. }));
        for axis in interned {
            if axis.len() as usize - 1 > max {
                return Err(QueryLimitError::Groups { max }.into());
            }
        }
        Ok(())
    }

    /// Refuses to grow beyond the limit of all tables together; asked after every piece.
    pub(super) fn check_bytes(&mut self) -> Result<(), Error> {
        let bytes = self.heap_bytes();
        // Others see a change only when there is one.
        if bytes != self.share.bytes() {
            self.share.set(bytes);
        }
        if self.share.is_exceeded() {
            Err(self.too_many_bytes())
        } else {
            Ok(())
        }
    }

    fn too_many_bytes(&self) -> Error {
        let max = self.share.bytes_max();
        QueryLimitError::GroupBytes { max }.into()
    }

    fn heap_bytes(&self) -> usize {
        let axes = self.axes.iter().map(Axis::heap_bytes).sum::<usize>();
        let numbers = self.numbers.iter().map(Numbers::heap_bytes).sum::<usize>();
        let held = axes + numbers + self.output_bytes;
        held + self.layout.heap_bytes() + self.counts.capacity() * size_of::<u64>()
    }
}
