//! From new users to sorted files.
//!
//! Records lie in the order of ids, so those of new users lie behind all others of their
//! partition: a file a partition comes to lie where it stays, and is never merged with another.
//! What is in the order of keys, tags and values lies between what is there: all partitions share
//! a file, which is merged later.

use crate::{
    error::Error,
    exec::scheduler::Scheduler,
    ids::{PartitionId, UserId},
    storage::{
        Entries, FamilyId, IncomingFiles, KeyBlockKey, StorageError, Texts, UserIdKey, UserIds,
        UserKey,
    },
    user_keys::KeyBlockDelta,
    write::load::{
        build::{Built, build},
        newcomers::Newcomers,
    },
};

/// Writes the files of everything that new users bring; given are those of every partition.
pub(in crate::write) fn write_files(
    scheduler: &Scheduler,
    files: &IncomingFiles<'_>,
    newcomers: &[Vec<Newcomers>],
) -> Result<(), Error> {
    let mut partitions: Vec<(PartitionId, &[Newcomers])> = Vec::new();
    for (partition, loads) in (0..).map(PartitionId).zip(newcomers) {
        if !loads.is_empty() {
            partitions.push((partition, loads));
        }
    }
    let built = scheduler.fold(partitions.len(), Vec::new, |mut done, _, number| {
        let (partition, loads) = partitions[number];
        let built = build(partition, loads)?;
        write_own_files(files, &built)?;
        done.push(built);
        Ok(done)
    })?;
    let mut built: Vec<Built<'_>> = built.into_iter().flatten().collect();
    built.sort_unstable_by_key(|built| built.partition);
    let shared: [(FamilyId, Write); 5] = [
        (FamilyId::KeyBlocks, write_keys),
        (FamilyId::Fragments, write_fragments),
        (FamilyId::UserIds, write_ids),
        (FamilyId::Columns, write_columns),
        (FamilyId::Texts, write_texts),
    ];
    let has_texts = built.iter().any(|built| !built.texts.is_empty());
    let has_columns = built.iter().any(|built| !built.columns.is_empty());
    scheduler.fold(
        shared.len(),
        || (),
        |(), _, number| {
            let (family, write) = shared[number];
            let is_empty = match family {
                FamilyId::Texts => !has_texts,
                FamilyId::Columns => !has_columns,
                FamilyId::Fragments
                | FamilyId::UserIds
                | FamilyId::Meta
                | FamilyId::Schema
                | FamilyId::Partitions
                | FamilyId::UserKeys
                | FamilyId::KeyBlocks
                | FamilyId::Records
                | FamilyId::Requests
                | FamilyId::Events
                | FamilyId::EventIds
                | FamilyId::EventTables
                | FamilyId::EventExtents
                | FamilyId::TagSizes => false,
            };
            if is_empty {
                return Ok(());
            }
            Ok(files.write(family, |entries| {
                built.iter().try_for_each(|built| write(built, entries))
            })?)
        },
    )?;
    Ok(())
}

/// Writes one partition's entries of one family.
type Write = fn(&Built<'_>, &mut Entries<'_, '_>) -> Result<(), StorageError>;

fn write_own_files(files: &IncomingFiles<'_>, built: &Built<'_>) -> Result<(), StorageError> {
    files.write(FamilyId::Records, |entries| write_records(built, entries))
}

fn write_records(built: &Built<'_>, entries: &mut Entries<'_, '_>) -> Result<(), StorageError> {
    let partition = built.partition;
    for ((user, _), record) in built.keys.iter().zip(built.records.iter()) {
        let user = *user;
        entries.put_record(UserKey { partition, user }, record)?;
    }
    Ok(())
}

fn write_keys(built: &Built<'_>, entries: &mut Entries<'_, '_>) -> Result<(), StorageError> {
    let partition = built.partition;
    let block = |user: UserId| KeyBlockKey::of(UserKey { partition, user });
    let same = |left: &(UserId, &str), right: &(UserId, &str)| block(left.0) == block(right.0);
    for chunk in built.keys.chunk_by(same) {
        let Some((first, _)) = chunk.first() else {
            continue;
        };
        let mut delta = KeyBlockDelta::new();
        for (user, key) in chunk {
            delta.set(user.key_block_offset(), key);
        }
        entries.merge_keys(block(*first), delta)?;
    }
    Ok(())
}

fn write_ids(built: &Built<'_>, entries: &mut Entries<'_, '_>) -> Result<(), StorageError> {
    let partition = built.partition;
    for (key, user) in &built.ids {
        entries.put::<UserIds>(&UserIdKey { partition, key }, user)?;
    }
    Ok(())
}

fn write_fragments(built: &Built<'_>, entries: &mut Entries<'_, '_>) -> Result<(), StorageError> {
    for (key, delta) in &built.fragments {
        entries.merge_fragment(*key, delta)?;
    }
    Ok(())
}

fn write_columns(built: &Built<'_>, entries: &mut Entries<'_, '_>) -> Result<(), StorageError> {
    for (key, delta) in &built.columns {
        entries.merge_column(*key, delta)?;
    }
    Ok(())
}

fn write_texts(built: &Built<'_>, entries: &mut Entries<'_, '_>) -> Result<(), StorageError> {
    for key in &built.texts {
        entries.put::<Texts>(key, &())?;
    }
    Ok(())
}
