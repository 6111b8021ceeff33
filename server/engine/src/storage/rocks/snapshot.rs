//! Reading the state of one moment: single values, several at once, and ranges.
//!
//! Knows which way of asking costs least. Does not know what the bytes mean.

use std::ops::ControlFlow;

use rocksdb::ReadOptions;

use super::{OwnedSnapshot, end_of_prefix};
use crate::storage::{StorageError, families::FamilyId};

/// Keys that are looked for together.
const KEYS_AT_ONCE: usize = 256;

/// In which order keys are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    /// From the first on.
    Rising,
    /// From the last back.
    Falling,
}

/// The state of one moment. Keeps the store open.
pub(crate) struct Snapshot {
    pub(super) cell: OwnedSnapshot,
}

impl Snapshot {
    /// Shows one value to `read`.
    pub(crate) fn fetch<R>(
        &self,
        family: FamilyId,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, StorageError> {
        self.cell.with_dependent(|inner, snapshot| {
            let value = snapshot.get_pinned_cf(inner.family(family)?, key)?;
            Ok(value.map(|value| read(&value)))
        })
    }

    /// Shows the values of several keys, in their order, to `read`.
    pub(crate) fn fetch_many(
        &self,
        family: FamilyId,
        keys: &[Vec<u8>],
        mut read: impl FnMut(Option<&[u8]>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        self.cell.with_dependent(|inner, snapshot| {
            let mut options = ReadOptions::default();
            options.set_snapshot(snapshot);
            let handle = inner.family(family)?;
            for value in inner
                .db
                .batched_multi_get_cf_opt(handle, keys, false, &options)
            {
                read(value?.as_deref())?;
            }
            Ok(())
        })
    }

    /// Shows the places of those keys that are there. The keys rise and begin with `prefix`.
    ///
    /// Keys that all lie between two neighbours of the store, as those of users who came later
    /// often do, cost one step together.
    pub(crate) fn find_keys(
        &self,
        family: FamilyId,
        prefix: &[u8],
        keys: &[Vec<u8>],
        mut visit: impl FnMut(usize),
    ) -> Result<(), StorageError> {
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return Ok(());
        };
        self.cell.with_dependent(|inner, snapshot| {
            let handle = inner.family(family)?;
            let options = within_prefix(prefix);
            let mut iterator = snapshot.raw_iterator_cf_opt(handle, options);
            iterator.seek(first);
            let is_between = iterator.key().is_none_or(|next| next > last.as_slice());
            iterator.status()?;
            if is_between {
                return Ok(());
            }
            for (start, keys) in (0..).step_by(KEYS_AT_ONCE).zip(keys.chunks(KEYS_AT_ONCE)) {
                let mut options = ReadOptions::default();
                options.set_snapshot(snapshot);
                let found = inner
                    .db
                    .batched_multi_get_cf_opt(handle, keys, true, &options);
                for (place, value) in (start..).zip(found) {
                    if value?.is_some() {
                        visit(place);
                    }
                }
            }
            Ok(())
        })
    }

    /// Shows all keys that begin with `prefix`, in order, and their values to `visit`, until it
    /// fails.
    pub(crate) fn walk(
        &self,
        family: FamilyId,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        self.cell.with_dependent(|inner, snapshot| {
            let options = within_prefix(prefix);
            let mut iterator = snapshot.raw_iterator_cf_opt(inner.family(family)?, options);
            iterator.seek(prefix);
            while let Some((key, value)) = iterator.item() {
                visit(key, value)?;
                iterator.next();
            }
            Ok(iterator.status()?)
        })
    }

    /// Shows keys that begin with `prefix`, from those that begin with `from` on, which begins so
    /// too, or from these back, until `visit` has enough or fails.
    pub(crate) fn walk_keys(
        &self,
        family: FamilyId,
        prefix: &[u8],
        (from, heading): (&[u8], Heading),
        mut visit: impl FnMut(&[u8]) -> Result<ControlFlow<()>, StorageError>,
    ) -> Result<(), StorageError> {
        self.cell.with_dependent(|inner, snapshot| {
            let mut options = match heading {
                Heading::Rising => within_prefix(prefix),
                Heading::Falling => within_prefix(from),
            };
            options.set_iterate_lower_bound(prefix);
            let mut iterator = snapshot.raw_iterator_cf_opt(inner.family(family)?, options);
            match heading {
                Heading::Rising => iterator.seek(from),
                Heading::Falling => iterator.seek_to_last(),
            }
            while let Some(key) = iterator.key() {
                if visit(key)?.is_break() {
                    return Ok(());
                }
                match heading {
                    Heading::Rising => iterator.next(),
                    Heading::Falling => iterator.prev(),
                }
            }
            Ok(iterator.status()?)
        })
    }

    /// Shows all keys from `first` to `last`, in order, and their values to `visit`, until it
    /// fails.
    pub(crate) fn walk_between(
        &self,
        family: FamilyId,
        first: &[u8],
        last: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        self.cell.with_dependent(|inner, snapshot| {
            let mut options = ReadOptions::default();
            // The first key after `last`.
            options.set_iterate_upper_bound([last, &[0]].concat());
            let mut iterator = snapshot.raw_iterator_cf_opt(inner.family(family)?, options);
            iterator.seek(first);
            while let Some((key, value)) = iterator.item() {
                visit(key, value)?;
                iterator.next();
            }
            Ok(iterator.status()?)
        })
    }

    /// Shows the places of those of `wanted` with which, after `prefix`, some key goes on.
    /// `wanted` is sorted, and none is the beginning of another. Takes a step for each of
    /// `wanted` or for each key, whichever are fewer.
    pub(crate) fn find(
        &self,
        family: FamilyId,
        prefix: &[u8],
        wanted: &[Vec<u8>],
        mut visit: impl FnMut(usize),
    ) -> Result<(), StorageError> {
        self.cell.with_dependent(|inner, snapshot| {
            let options = within_prefix(prefix);
            let mut iterator = snapshot.raw_iterator_cf_opt(inner.family(family)?, options);
            let mut at = 0;
            while let Some(next) = wanted.get(at) {
                iterator.seek([prefix, next].concat());
                let Some(rest) = iterator.key().and_then(|key| key.strip_prefix(prefix)) else {
                    break;
                };
                let is_before = |wanted: &Vec<u8>| {
                    wanted.as_slice() < rest && !rest.starts_with(wanted.as_slice())
                };
                at += wanted[at..].partition_point(is_before);
                if wanted
                    .get(at)
                    .is_some_and(|wanted| rest.starts_with(wanted))
                {
                    visit(at);
                    at += 1;
                }
            }
            Ok(iterator.status()?)
        })
    }
}

/// Reads no key but those that begin with `prefix`.
fn within_prefix(prefix: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    if let Some(end) = end_of_prefix(prefix) {
        options.set_iterate_upper_bound(end);
    }
    options
}
