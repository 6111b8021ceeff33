//! From new events to sorted files.

use super::{
    EventBatch,
    build::{BuiltEvents, build},
};
use crate::{
    error::Error,
    exec::scheduler::Scheduler,
    ids::PartitionId,
    storage::{
        Changes, Entries, EventDetails, EventIdKey, EventIds, Events, FamilyId, IncomingFiles,
        StorageError,
    },
    write::staging::Staging,
};

/// Files of events of one commit, so that two threads write them. Each is one of the first level's,
/// which are merged when they are so many: fewer and larger ones cost less.
const EVENT_FILES: usize = 2;

/// A file: of which family, and of which partitions.
struct File<'a> {
    family: FamilyId,
    built: &'a [BuiltEvents<'a>],
}

/// Writes the files of everything that new events bring, beside those that are staged; given are
/// those of every partition. Gives what is to be written with them, after what is staged.
pub(in crate::write) fn write_event_files(
    scheduler: &Scheduler,
    files: &IncomingFiles<'_>,
    staging: &Staging,
    events: &[Vec<EventBatch>],
) -> Result<Vec<Changes>, Error> {
    let mut partitions: Vec<(PartitionId, &[EventBatch])> = Vec::new();
    for (partition, batches) in (0..).map(PartitionId).zip(events) {
        if batches.iter().any(|batch| !batch.kept.is_empty()) {
            partitions.push((partition, batches));
        }
    }
    let built = scheduler.fold(partitions.len(), Vec::new, |mut done, _, number| {
        let (partition, batches) = partitions[number];
        done.push(build(staging, partition, batches)?);
        Ok(done)
    })?;
    let mut built: Vec<BuiltEvents<'_>> = built.into_iter().flatten().collect();
    built.sort_unstable_by_key(|built| built.partition);
    if !built.is_empty() {
        write_all(scheduler, files, &built)?;
    }
    Ok(built.into_iter().map(|built| built.extents).collect())
}

/// The largest come first, so that the smaller ones even the threads' work out.
fn write_all(
    scheduler: &Scheduler,
    files: &IncomingFiles<'_>,
    built: &[BuiltEvents<'_>],
) -> Result<(), Error> {
    let pieces = built.chunks(built.len().div_ceil(EVENT_FILES));
    let mut wanted: Vec<File<'_>> = pieces
        .map(|built| File {
            family: FamilyId::Events,
            built,
        })
        .collect();
    let mut shared = vec![FamilyId::EventTables, FamilyId::Fragments];
    if built.iter().any(|built| !built.ids.is_empty()) {
        shared.push(FamilyId::EventIds);
    }
    wanted.extend(shared.into_iter().map(|family| File { family, built }));
    scheduler.fold(
        wanted.len(),
        || (),
        |(), _, number| {
            let File { family, built } = wanted[number];
            let write = |entries: &mut Entries<'_, '_>| {
                let mut built = built.iter();
                built.try_for_each(|built| write_one(family, built, entries))
            };
            Ok(files.write(family, write)?)
        },
    )?;
    Ok(())
}

/// Writes one partition's entries of one family.
fn write_one(
    family: FamilyId,
    built: &BuiltEvents<'_>,
    entries: &mut Entries<'_, '_>,
) -> Result<(), StorageError> {
    match family {
        FamilyId::Events => write_events(built, entries),
        FamilyId::EventIds => {
            let partition = built.partition;
            built.ids.iter().try_for_each(|(user, id, event)| {
                let user = *user;
                let key = EventIdKey {
                    partition,
                    user,
                    id,
                };
                entries.put::<EventIds>(&key, event)
            })
        }
        FamilyId::EventTables => {
            let mut tables = built.tables.iter();
            tables.try_for_each(|(key, delta)| entries.merge_events(*key, delta))
        }
        FamilyId::Fragments => {
            let mut fragments = built.fragments.iter();
            fragments.try_for_each(|(key, delta)| entries.merge_fragment(*key, delta))
        }
        FamilyId::Meta
        | FamilyId::Schema
        | FamilyId::Partitions
        | FamilyId::UserIds
        | FamilyId::KeyBlocks
        | FamilyId::Records
        | FamilyId::Columns
        | FamilyId::Texts
        | FamilyId::Requests
        | FamilyId::EventExtents
        | FamilyId::TagSizes
        | FamilyId::UserKeys => Ok(()),
    }
}

fn write_events(
    built: &BuiltEvents<'_>,
    entries: &mut Entries<'_, '_>,
) -> Result<(), StorageError> {
    let mut details = EventDetails::default();
    for place in &built.events {
        if let Some(batch) = built.batches.get(place.batch as usize) {
            batch.rows.fill_details(place.row as usize, &mut details);
            entries.put::<Events>(&place.key, &details)?;
        }
    }
    Ok(())
}
