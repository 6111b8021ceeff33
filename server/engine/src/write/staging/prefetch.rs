//! Reading the users of many keys at once, so that finding them later asks the store nothing.
//!
//! Knows when reading pays on all threads. Does not know what becomes of those who are read.

use std::collections::BTreeMap;

use super::{LiveUser, Staging};
use crate::{
    error::Error,
    exec::{dataset::Dataset, scheduler::Scheduler},
    ids::{Location, PartitionId, UserId},
    schema::Schema,
    storage::{StorageError, View, partition_of_key},
    user_keys::PackedKeys,
};

/// With fewer keys it is quicker not to wake other threads.
const PARALLEL_KEYS_MIN: usize = 128;

/// Keys that are read at once.
const PREFETCH_KEYS: usize = 256;

/// Users of one partition that are read at once by id.
const PREFETCH_USERS: usize = 2048;

/// Passing over so many records takes about as long as looking one up.
const SCANNED_USERS: usize = 8;

impl Staging {
    /// Reads the users of many keys at once, and on all threads if that pays.
    pub(in crate::write) fn prefetch<'k>(
        &mut self,
        scheduler: &Scheduler,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<(), Error> {
        let partition_count = self.base.partition_count();
        let mut wanted: Vec<(PartitionId, &str)> = keys
            .map(|key| (partition_of_key(key, partition_count), key))
            .filter(|(partition, key)| !self.part(*partition).is_some_and(|it| it.has_slot(key)))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let is_parallel = wanted.len() >= PARALLEL_KEYS_MIN;
        let is_together = |(left, _): &(PartitionId, &str), (right, _): &(PartitionId, &str)| {
            !is_parallel || left == right
        };
        let parts: Vec<&[(PartitionId, &str)]> = wanted
            .chunk_by(is_together)
            .flat_map(|together| together.chunks(PREFETCH_KEYS))
            .collect();
        let (base, schema) = (&*self.base, &*self.schema);
        let read = if is_parallel {
            scheduler.fold(parts.len(), Vec::new, |mut done, _, part| {
                done.push((part, read_keys(base, schema, parts[part])?));
                Ok(done)
            })?
        } else {
            let numbered = parts.iter().enumerate();
            let read = numbered.map(|(part, keys)| Ok((part, read_keys(base, schema, keys)?)));
            vec![read.collect::<Result<Vec<_>, StorageError>>()?]
        };
        for (part, users) in read.into_iter().flatten() {
            for (&(partition, key), user) in parts[part].iter().zip(users) {
                self.part_mut(partition).0.add_slot(key, user);
            }
        }
        Ok(())
    }

    /// Reads users of the store by their ids, which rise in each partition, on all threads if that
    /// pays; gives their keys, by partition.
    pub(in crate::write) fn prefetch_stored(
        &mut self,
        scheduler: &Scheduler,
        users: &[(PartitionId, Vec<UserId>)],
    ) -> Result<BTreeMap<PartitionId, Vec<PackedKeys>>, Error> {
        let parts: Vec<(PartitionId, &[UserId])> = users
            .iter()
            .flat_map(|(partition, users)| {
                let chunks = users.chunks(PREFETCH_USERS);
                chunks.map(|users| (*partition, users))
            })
            .collect();
        let (base, schema) = (&*self.base, &*self.schema);
        let read = scheduler.fold(parts.len(), Vec::new, |mut done, _, number| {
            let (partition, users) = parts[number];
            done.push((number, read_stored(base, schema, partition, users)?));
            Ok(done)
        })?;
        let mut read: Vec<(usize, (PackedKeys, Vec<LiveUser>))> =
            read.into_iter().flatten().collect();
        read.sort_unstable_by_key(|(number, _)| *number);
        let mut found: BTreeMap<PartitionId, Vec<PackedKeys>> = BTreeMap::new();
        for ((partition, _), (_, (keys, living))) in parts.into_iter().zip(read) {
            let (part, _) = self.part_mut(partition);
            for (key, user) in keys.iter().zip(living) {
                if !part.has_slot(key) {
                    part.add_slot(key, Some(user));
                }
            }
            found.entry(partition).or_default().push(keys);
        }
        Ok(found)
    }
}

/// Reads the users of some keys.
fn read_keys(
    base: &View,
    schema: &Schema,
    keys: &[(PartitionId, &str)],
) -> Result<Vec<Option<LiveUser>>, StorageError> {
    let found = base.locate_many(keys)?;
    let living: Vec<Location> = found.iter().flatten().copied().collect();
    let mut records = base.records(&living)?.into_iter();
    let mut with_record = |location: Location| {
        let record = records.next()?;
        Some(LiveUser::stored(schema, location.user, record))
    };
    Ok(found
        .into_iter()
        .map(|user| user.and_then(&mut with_record))
        .collect())
}

/// Reads users of a partition, who rise, and their keys.
fn read_stored(
    base: &View,
    schema: &Schema,
    partition: PartitionId,
    users: &[UserId],
) -> Result<(PackedKeys, Vec<LiveUser>), StorageError> {
    let mut keys = PackedKeys::new();
    let (Some(first), Some(last)) = (users.first(), users.last()) else {
        return Ok((keys, Vec::new()));
    };
    base.keys(partition, users, &mut keys)?;
    let records = if (last.0 - first.0) as usize / users.len() < SCANNED_USERS {
        base.records_in_turn(partition, users)?
    } else {
        let located = users.iter().map(|&user| Location { partition, user });
        base.records(&located.collect::<Vec<_>>())?
    };
    let living = users.iter().zip(records);
    let living = living.map(|(user, record)| LiveUser::stored(schema, *user, record));
    Ok((keys, living.collect()))
}
