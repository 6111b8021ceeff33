//! Which users were already counted in which group of a shard.
//!
//! In a table, rows rise by user: as long as a group's events lie in one table only, a user is new
//! when it is not the last one. Else each group has a set: a hash table while it is small, then a
//! bit for each user of the shard.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::super::table::NO_SLOT;
use crate::{exec::byte_meter::hash_bytes, ids::SHARD_USERS};

/// Nobody: offsets are below 2^20.
const NOBODY: u32 = u32::MAX;
/// Users from which on a hash table takes more than a bit for each user of a shard.
const FEW_USERS_MAX: usize = 8192;
const WORD_BITS: u32 = u64::BITS;

/// Whether groups may have events in further tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Recurrence {
    Never,
    #[default]
    Possible,
}

/// The users counted so far, by slot.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    slots: Vec<Noted>,
    /// Those that have a set.
    with_sets: Vec<u32>,
    recurrence: Recurrence,
}

#[derive(Debug)]
struct Noted {
    last: u32,
    users: Option<Users>,
}

impl Noted {
    const NOBODY: Self = Self {
        last: NOBODY,
        users: None,
    };
}

#[derive(Debug)]
enum Users {
    Few(HashSet<u32, RandomState>),
    Many(Box<[u64]>),
}

impl Users {
    /// Whether a user is new.
    fn insert(&mut self, offset: u32) -> bool {
        match self {
            Self::Few(users) => {
                let is_new = users.insert(offset);
                if users.len() > FEW_USERS_MAX {
                    let mut words = vec![0; (SHARD_USERS / WORD_BITS) as usize].into_boxed_slice();
                    users.iter().for_each(|user| {
                        set(&mut words, *user);
                    });
                    *self = Self::Many(words);
                }
                is_new
            }
            Self::Many(words) => set(words, offset),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(users) => hash_bytes::<u32>(users.capacity()),
            Self::Many(words) => size_of_val(&**words),
        }
    }
}

/// Sets a bit; whether it was not set.
fn set(words: &mut [u64], offset: u32) -> bool {
    let Some(word) = words.get_mut((offset / WORD_BITS) as usize) else {
        return false;
    };
    let bit = 1 << (offset % WORD_BITS);
    let is_new = *word & bit == 0;
    *word |= bit;
    is_new
}

impl Distinct {
    /// Says what the groups of the next table do. Between two tables of which one or the other
    /// shares no group with further ones stands [`Distinct::forget`].
    pub(super) fn expect(&mut self, recurrence: Recurrence) {
        self.recurrence = recurrence;
    }

    /// Whether a user is new in the group of a slot.
    pub(super) fn note(&mut self, slot: u32, offset: u32) -> bool {
        let at = slot as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || Noted::NOBODY);
        }
        let noted = &mut self.slots[at];
        if noted.last == offset {
            return false;
        }
        noted.last = offset;
        match self.recurrence {
            Recurrence::Never => true,
            Recurrence::Possible => {
                let users = noted.users.get_or_insert_with(|| {
                    self.with_sets.push(slot);
                    Users::Few(HashSet::default())
                });
                users.insert(offset)
            }
        }
    }

    /// The groups so far get no more events.
    pub(super) fn forget(&mut self) {
        for slot in self.with_sets.drain(..) {
            if let Some(noted) = self.slots.get_mut(slot as usize) {
                *noted = Noted::NOBODY;
            }
        }
    }

    /// Another shard comes, or other events.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.with_sets.clear();
    }

    /// Groups have other slots now.
    pub(super) fn moved(&mut self, moved: &[u32]) {
        let before = std::mem::take(&mut self.slots);
        for (noted, to) in before.into_iter().zip(moved) {
            let at = *to as usize;
            if *to == NO_SLOT || noted.last == NOBODY {
                continue;
            }
            if at >= self.slots.len() {
                self.slots.resize_with(at + 1, || Noted::NOBODY);
            }
            self.slots[at] = noted;
        }
        let to = |slot: &u32| moved.get(*slot as usize).copied();
        self.with_sets = self.with_sets.iter().filter_map(to).collect();
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let set = |slot: &u32| self.slots.get(*slot as usize)?.users.as_ref();
        let sets = self.with_sets.iter().filter_map(set);
        let lists = self.slots.capacity() * size_of::<Noted>() + self.with_sets.capacity() * 4;
        lists + sets.map(Users::heap_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_user_is_new_once_a_group() {
        let mut distinct = Distinct::default();
        let mut known = BTreeSet::new();
        // Three tables with the same users in rising order, more than a hash table keeps.
        for table in 0..3_u32 {
            for offset in (0..60_000).map(|user| user * 17 + table * (user % 3)) {
                let slot = offset % 3;
                let is_new = known.insert((slot, offset));
                assert_eq!(distinct.note(slot, offset), is_new, "{slot} {offset}");
                assert!(!distinct.note(slot, offset));
            }
            // Slots turn around.
            distinct.moved(&[2, 0, 1]);
            known = known
                .into_iter()
                .map(|(slot, offset)| ((slot + 2) % 3, offset))
                .collect();
        }
        assert!(distinct.heap_bytes() >= 3 * 128 * 1024);
        distinct.forget();
        assert!(distinct.heap_bytes() < 1024);
        distinct.expect(Recurrence::Never);
        assert!(distinct.note(0, 17) && !distinct.note(0, 17) && distinct.note(0, 18));
    }
}
