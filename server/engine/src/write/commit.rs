//! From what is staged to one batch, and the view after it.

use std::sync::Arc;

use crate::{
    error::Error,
    exec::{dataset::Dataset, scheduler::Scheduler},
    ids::{EventId, PartitionId, UserId},
    schema::Schema,
    storage::{
        Changes, Definitions, IdempotentOutcome, IncomingFiles, NextEventIdKey, NextIds,
        NextIdsKey, Partitions, Records, RequestKey, Requests, SchemaKey, Store, UnusedEventId,
        UnusedIds, UserIdKey, UserIds, UserKey, View,
    },
    write::{
        command::SchemaChange,
        derive::Derived,
        event_sweep,
        events::{self, StagedEvent},
        idempotency::IdempotencyKey,
        inviters::Inviters,
        key_changes::KeyChanges,
        load::{Loads, write_event_files, write_files},
        merge,
        staging::{LiveUser, Part, Slot, Staging},
        tag_notes,
    },
};

/// With fewer users and events it is quicker not to wake other threads.
const PARALLEL_USERS_MIN: usize = if cfg!(test) { 8 } else { 512 };

/// Remembered answers that come and go with a commit.
#[derive(Debug, Default)]
pub(super) struct OutcomeChanges {
    pub(super) added: Vec<(IdempotencyKey, IdempotentOutcome)>,
    pub(super) removed: Vec<IdempotencyKey>,
}

/// What is to be committed, and onto what.
pub(super) struct Commit<'a> {
    pub(super) store: &'a Store,
    pub(super) staging: &'a Staging,
    /// Beside what is staged.
    pub(super) loads: &'a Loads,
    pub(super) outcomes: &'a OutcomeChanges,
    /// Of the view after it.
    pub(super) version: u64,
    pub(super) scheduler: &'a Scheduler,
}

impl Commit<'_> {
    /// Writes everything; gives the view after it, or `None` when there was nothing to write. What
    /// is loaded is on disk then, all else is in the log.
    pub(super) fn run(&self) -> Result<Option<Arc<View>>, Error> {
        let staging = self.staging;
        if !self.loads.is_empty() {
            return self.run_load().map(Some);
        }
        let has_outcomes = !self.outcomes.added.is_empty() || !self.outcomes.removed.is_empty();
        let has_parts = staging.parts().any(has_changes) || staging.tag_notes.is_some();
        if !has_parts && staging.schema_changes.is_empty() && !has_outcomes {
            return Ok(None);
        }
        let changes = self.changes()?;
        let schema = staging.schema.clone();
        Ok(Some(self.store.append(changes, schema, self.version)?))
    }

    /// Everything staged in one batch, and new users in files that the store takes with it.
    fn run_load(&self) -> Result<Arc<View>, Error> {
        let files = self.store.incoming_files();
        let extents = match self.write_loads(&files) {
            Ok(extents) => extents,
            Err(error) => {
                files.discard();
                return Err(error);
            }
        };
        let mut changes = self.changes()?;
        changes.extend(extents);
        let schema = self.staging.schema.clone();
        let view = self
            .store
            .commit_load(changes, &files, schema, self.version);
        Ok(view?)
    }

    /// Writes the files of new users and events, and gives what is to be written with them.
    fn write_loads(&self, files: &IncomingFiles<'_>) -> Result<Vec<Changes>, Error> {
        let Self {
            scheduler, loads, ..
        } = self;
        if !loads.has_no_newcomers() {
            write_files(scheduler, files, loads.newcomers())?;
        }
        write_event_files(scheduler, files, self.staging, loads.events())
    }

    /// All that is staged, part by part.
    fn changes(&self) -> Result<Vec<Changes>, Error> {
        staged_changes(self.store, self.staging, self.outcomes, self.scheduler)
    }
}

fn staged_changes(
    store: &Store,
    staging: &Staging,
    outcomes: &OutcomeChanges,
    scheduler: &Scheduler,
) -> Result<Vec<Changes>, Error> {
    let mut changes = Changes::default();
    put_schema(
        &mut changes,
        staging.base.schema(),
        &staging.schema,
        &staging.schema_changes,
        store.partition_count(),
    )?;
    for part in staging.parts() {
        if part.state != staging.state_before(part.partition) {
            changes.put::<Partitions>(&part.partition, &part.state)?;
        }
    }
    for key in &outcomes.removed {
        changes.delete::<Requests>(&RequestKey(*key))?;
    }
    for (key, outcome) in &outcomes.added {
        changes.put::<Requests>(&RequestKey(*key), outcome)?;
    }
    let mut parts = vec![changes];
    parts.extend(partition_changes(scheduler, staging)?);
    if let Some(notes) = &staging.tag_notes {
        let mut changes = Changes::default();
        tag_notes::write(&staging.base, notes, &mut changes)?;
        parts.push(changes);
    }
    Ok(parts)
}

/// What follows from the changes of users, partition by partition. Nothing about one user
/// concerns two partitions, so that many are worked off on all threads.
fn partition_changes(scheduler: &Scheduler, staging: &Staging) -> Result<Vec<Changes>, Error> {
    let parts: Vec<&Part> = staging.parts().collect();
    let inviters = Inviters::new(staging);
    // Whom a merge is about is not known yet: many.
    let size = |part: &&Part| {
        part.slots().len() + part.events.all().len() + part.merges.len() * PARALLEL_USERS_MIN
    };
    if parts.iter().map(size).sum::<usize>() < PARALLEL_USERS_MIN {
        let mut changes = Changes::default();
        put_parts(&mut changes, staging, &inviters, &parts)?;
        return Ok(vec![changes]);
    }
    let done = scheduler.fold(parts.len(), Vec::new, |mut done, _, number| {
        let mut changes = Changes::default();
        put_parts(&mut changes, staging, &inviters, &parts[number..=number])?;
        done.push((number, changes));
        Ok(done)
    })?;
    let mut done: Vec<(usize, Changes)> = done.into_iter().flatten().collect();
    // The same commands make the same bytes, whichever thread was quicker.
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, changes)| changes).collect())
}

/// What some partitions change, in the order of partitions and users.
fn put_parts(
    changes: &mut Changes,
    staging: &Staging,
    inviters: &Inviters<'_>,
    parts: &[&Part],
) -> Result<(), Error> {
    let changed: Vec<(PartitionId, Vec<&Slot>)> = parts
        .iter()
        .map(|part| (part.partition, changed_slots(part, inviters)))
        .collect();
    put_users(changes, &staging.schema, inviters, &changed)?;
    for (part, (_, changed)) in parts.iter().zip(&changed) {
        put_events(changes, staging, part, changed)?;
    }
    for sweep in parts.iter().flat_map(|part| &part.event_sweeps) {
        event_sweep::write(&staging.base, *sweep, changes)?;
    }
    for merge in parts.iter().flat_map(|part| &part.merges) {
        merge::write(&staging.base, &staging.schema, *merge, changes)?;
    }
    Ok(())
}

/// Users who change, and those whose inviter is at another place, by id.
fn changed_slots<'p>(part: &'p Part, inviters: &Inviters<'_>) -> Vec<&'p Slot> {
    let is_touched = |slot: &&Slot| is_changed(slot) || inviters.follows(slot);
    let mut changed: Vec<&Slot> = part.slots().iter().filter(is_touched).collect();
    let id = |slot: &&Slot| {
        let user = slot.after.as_ref().or(slot.before.as_ref());
        user.map(|user| user.id)
    };
    changed.sort_unstable_by_key(id);
    changed
}

/// What follows from new events of a partition, and from the deletion of users.
fn put_events(
    changes: &mut Changes,
    staging: &Staging,
    part: &Part,
    changed: &[&Slot],
) -> Result<(), Error> {
    let all = part.events.all().iter();
    let events: Vec<&StagedEvent> = all.filter(|event| part.is_of_living(event)).collect();
    let mut deleted: Vec<UserId> = Vec::new();
    if staging.schema.event_count() > 0 {
        deleted.extend(changed.iter().filter_map(|slot| {
            let after = slot.after.as_ref().map(|user| user.id);
            let before = slot.before.as_ref().map(|user| user.id);
            before.filter(|before| after != Some(*before))
        }));
    }
    if events.is_empty() && deleted.is_empty() {
        return Ok(());
    }
    events::write(&staging.base, part.partition, &events, &deleted, changes)
}

fn has_changes(part: &Part) -> bool {
    part.slots().iter().any(is_changed)
        || !part.events.all().is_empty()
        || !part.event_sweeps.is_empty()
        || !part.merges.is_empty()
}

fn is_changed(slot: &Slot) -> bool {
    match (&slot.before, &slot.after) {
        (None, None) => false,
        (Some(before), Some(after)) => {
            let is_shared = Arc::ptr_eq(&before.record, &after.record);
            before.id != after.id || !(is_shared || before.record == after.record)
        }
        (Some(_), None) | (None, Some(_)) => true,
    }
}

fn put_users(
    changes: &mut Changes,
    schema: &Schema,
    inviters: &Inviters<'_>,
    changed: &[(PartitionId, Vec<&Slot>)],
) -> Result<(), Error> {
    let mut derived = Derived::default();
    let mut keys = KeyChanges::default();
    for (partition, slots) in changed {
        for slot in slots {
            put_user(changes, schema, (&mut derived, &mut keys), *partition, slot)?;
            put_inviter(inviters, &mut derived, *partition, slot)?;
        }
    }
    keys.write(changes)?;
    Ok(derived.write(changes)?)
}

/// The place of a user's inviter.
fn put_inviter(
    inviters: &Inviters<'_>,
    derived: &mut Derived,
    partition: PartitionId,
    slot: &Slot,
) -> Result<(), Error> {
    match (&slot.before, &slot.after) {
        (Some(before), Some(after)) if before.id == after.id => {
            let (old, new) = (Some(&*before.record), Some(&*after.record));
            derived.change_inviter(inviters, partition, after.id, old, new)?;
        }
        (before, after) => {
            if let Some(before) = before {
                let old = Some(&*before.record);
                derived.change_inviter(inviters, partition, before.id, old, None)?;
            }
            if let Some(after) = after {
                let new = Some(&*after.record);
                derived.change_inviter(inviters, partition, after.id, None, new)?;
            }
        }
    }
    Ok(())
}

fn put_user<'a>(
    changes: &mut Changes,
    schema: &Schema,
    (derived, keys): (&mut Derived, &mut KeyChanges<'a>),
    partition: PartitionId,
    slot: &'a Slot,
) -> Result<(), Error> {
    let internal = |error: crate::bitmap::FragmentError| Error::Internal(error.to_string());
    let place = |user: &LiveUser| UserKey {
        partition,
        user: user.id,
    };
    match (&slot.before, &slot.after) {
        (Some(before), Some(after)) if before.id == after.id => {
            changes.put::<Records>(&place(after), &after.record)?;
            let (old, new) = (Some(&*before.record), Some(&*after.record));
            derived
                .change(schema, partition, after.id, old, new)
                .map_err(internal)
        }
        (before, after) => {
            let key = UserIdKey {
                partition,
                key: &slot.key,
            };
            if let Some(before) = before {
                changes.delete::<UserIds>(&key)?;
                changes.delete::<Records>(&place(before))?;
                keys.clear(place(before));
                derived
                    .change(schema, partition, before.id, Some(&before.record), None)
                    .map_err(internal)?;
            }
            if let Some(after) = after {
                changes.put::<UserIds>(&key, &after.id)?;
                changes.put::<Records>(&place(after), &after.record)?;
                keys.set(place(after), &slot.key);
                derived
                    .change(schema, partition, after.id, None, Some(&after.record))
                    .map_err(internal)?;
            }
            Ok(())
        }
    }
}

fn put_schema(
    changes: &mut Changes,
    before: &Schema,
    schema: &Schema,
    schema_changes: &[SchemaChange],
    partition_count: u16,
) -> Result<(), Error> {
    for change in schema_changes {
        match change {
            SchemaChange::Put { key, definition } => changes.put::<Definitions>(key, definition)?,
            SchemaChange::Drop { key } => {
                changes.delete::<Definitions>(key)?;
                drop_rows(changes, before, *key, partition_count)?;
            }
        }
    }
    if !schema_changes.is_empty() {
        let next = NextIds {
            tag: schema.next_tag_id(),
            group: schema.next_group_id(),
            attribute: schema.next_attribute_id(),
            segment: schema.next_segment_id(),
        };
        changes.put::<UnusedIds>(&NextIdsKey, &next)?;
        let next = schema.next_event_id();
        if next != EventId(0) {
            changes.put::<UnusedEventId>(&NextEventIdKey, &next)?;
        }
    }
    Ok(())
}

fn drop_rows(
    changes: &mut Changes,
    before: &Schema,
    key: SchemaKey,
    partition_count: u16,
) -> Result<(), Error> {
    let partitions = (0..partition_count).map(PartitionId);
    match key {
        SchemaKey::Tag(tag) => {
            for partition in partitions {
                changes.delete_tag_rows(partition, tag)?;
            }
        }
        SchemaKey::Attribute(attribute) => {
            changes.delete_values(attribute)?;
            for partition in partitions {
                changes.delete_attribute_rows(partition, attribute)?;
            }
        }
        SchemaKey::Event(event) => {
            let properties = before.event_by_id(event).map(|event| &event.properties);
            for property in properties.into_iter().flatten() {
                changes.delete_values(property.id)?;
            }
            for partition in partitions {
                changes.delete_event_kind(partition, event)?;
            }
        }
        SchemaKey::Group(_) | SchemaKey::Segment(_) | SchemaKey::Form(_) | SchemaKey::Value(..) => {
        }
    }
    Ok(())
}
