//! From what is staged to one batch, and the view after it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::Error,
    exec::{dataset::Dataset, scheduler::Scheduler},
    ids::{EventId, PartitionId, UserId},
    schema::Schema,
    storage::{
        Changes, Definitions, IdempotentOutcome, IncomingFiles, NextEventIdKey, NextIds,
        NextIdsKey, PartitionState, Partitions, Records, RequestKey, Requests, SchemaKey, Store,
        UnusedEventId, UnusedIds, UserIdKey, UserIds, UserKey, View,
    },
    write::{
        command::SchemaChange,
        derive::Derived,
        event_sweep,
        events::{self, StagedEvent},
        idempotency::IdempotencyKey,
        key_changes::KeyChanges,
        load::{Loads, write_event_files, write_files},
        staging::{LiveUser, Slot, Staging},
    },
};

/// With fewer users it is quicker not to wake other threads.
const PARALLEL_USERS_MIN: usize = 512;

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
    pub(super) partitions_before: &'a [PartitionState],
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
        let has_users = staging.slots().iter().any(is_changed)
            || !staging.events.all().is_empty()
            || !staging.event_sweeps.is_empty();
        if !has_users && staging.schema_changes.is_empty() && !has_outcomes {
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
        write_event_files(scheduler, files, &self.staging.base, loads.events())
    }

    /// All that is staged, part by part.
    fn changes(&self) -> Result<Vec<Changes>, Error> {
        staged_changes(
            self.store,
            self.staging,
            self.partitions_before,
            self.outcomes,
            self.scheduler,
        )
    }
}

fn staged_changes(
    store: &Store,
    staging: &Staging,
    partitions_before: &[PartitionState],
    outcomes: &OutcomeChanges,
    scheduler: &Scheduler,
) -> Result<Vec<Changes>, Error> {
    let slots = staging.slots().iter();
    let mut changed: Vec<&Slot> = slots.filter(|slot| is_changed(slot)).collect();
    let mut changes = Changes::default();
    put_schema(
        &mut changes,
        staging.base.schema(),
        &staging.schema,
        &staging.schema_changes,
        store.partition_count(),
    )?;
    let place = |slot: &&Slot| {
        (
            slot.partition,
            slot.after
                .as_ref()
                .or(slot.before.as_ref())
                .map(|user| user.id),
        )
    };
    changed.sort_unstable_by_key(place);
    for (partition, (state, before)) in staging.partitions.iter().zip(partitions_before).enumerate()
    {
        if state != before {
            // As many as partitions, which an u16 counts.
            changes.put::<Partitions>(&PartitionId(partition as u16), state)?;
        }
    }
    for key in &outcomes.removed {
        changes.delete::<Requests>(&RequestKey(*key))?;
    }
    for (key, outcome) in &outcomes.added {
        changes.put::<Requests>(&RequestKey(*key), outcome)?;
    }
    let mut parts = vec![changes];
    parts.extend(user_changes(scheduler, &staging.schema, &changed)?);
    parts.extend(event_changes(scheduler, staging, &changed)?);
    for sweep in &staging.event_sweeps {
        let mut changes = Changes::default();
        event_sweep::write(&staging.base, *sweep, &mut changes)?;
        parts.push(changes);
    }
    Ok(parts)
}

/// New events and deleted users of one partition.
#[derive(Default)]
struct EventWork<'a> {
    events: Vec<&'a StagedEvent>,
    deleted: Vec<UserId>,
}

/// What follows from new events, and from the deletion of users, partition by partition.
fn event_changes(
    scheduler: &Scheduler,
    staging: &Staging,
    changed: &[&Slot],
) -> Result<Vec<Changes>, Error> {
    let mut work: BTreeMap<PartitionId, EventWork<'_>> = BTreeMap::new();
    let living = staging.events.all().iter();
    for event in living.filter(|event| staging.is_of_living(event)) {
        work.entry(event.key.partition)
            .or_default()
            .events
            .push(event);
    }
    if staging.schema.event_count() > 0 {
        for slot in changed {
            let after = slot.after.as_ref().map(|user| user.id);
            let before = slot.before.as_ref().map(|user| user.id);
            if let Some(user) = before.filter(|before| after != Some(*before)) {
                work.entry(slot.partition).or_default().deleted.push(user);
            }
        }
    }
    let work: Vec<(PartitionId, EventWork<'_>)> = work.into_iter().collect();
    let write_one = |(partition, work): &(PartitionId, EventWork<'_>)| {
        let mut changes = Changes::default();
        let EventWork { events, deleted } = work;
        events::write(&staging.base, *partition, events, deleted, &mut changes)?;
        Ok::<_, Error>(changes)
    };
    if staging.events.all().len() < PARALLEL_USERS_MIN {
        return work.iter().map(write_one).collect();
    }
    let done = scheduler.fold(work.len(), Vec::new, |mut done, _, part| {
        done.push(write_one(&work[part])?);
        Ok(done)
    })?;
    Ok(done.into_iter().flatten().collect())
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

/// What follows from the changes of users, partition by partition. Nothing about one user
/// concerns two partitions, so that many are worked off on all threads.
fn user_changes(
    scheduler: &Scheduler,
    schema: &Schema,
    changed: &[&Slot],
) -> Result<Vec<Changes>, Error> {
    if changed.len() < PARALLEL_USERS_MIN {
        return Ok(vec![changes_of(schema, changed)?]);
    }
    let partitions: Vec<&[&Slot]> = changed
        .chunk_by(|left, right| left.partition == right.partition)
        .collect();
    let parts = scheduler.fold(partitions.len(), Vec::new, |mut done, _, number| {
        done.push(changes_of(schema, partitions[number])?);
        Ok(done)
    })?;
    Ok(parts.into_iter().flatten().collect())
}

fn changes_of(schema: &Schema, changed: &[&Slot]) -> Result<Changes, Error> {
    let mut changes = Changes::default();
    put_users(&mut changes, schema, changed)?;
    Ok(changes)
}

fn put_users(changes: &mut Changes, schema: &Schema, changed: &[&Slot]) -> Result<(), Error> {
    let mut derived = Derived::default();
    let mut keys = KeyChanges::default();
    let internal = |error: crate::bitmap::FragmentError| Error::Internal(error.to_string());
    for slot in changed {
        match (&slot.before, &slot.after) {
            (Some(before), Some(after)) if before.id == after.id => {
                put_record(changes, slot, after)?;
                derived
                    .change(
                        schema,
                        slot.partition,
                        after.id,
                        Some(&before.record),
                        Some(&after.record),
                    )
                    .map_err(internal)?;
            }
            (before, after) => {
                if let Some(before) = before {
                    delete_user(changes, slot, before)?;
                    keys.clear(user_key(slot, before));
                    derived
                        .change(
                            schema,
                            slot.partition,
                            before.id,
                            Some(&before.record),
                            None,
                        )
                        .map_err(internal)?;
                }
                if let Some(after) = after {
                    put_new_user(changes, slot, after)?;
                    keys.set(user_key(slot, after), &slot.key);
                    derived
                        .change(schema, slot.partition, after.id, None, Some(&after.record))
                        .map_err(internal)?;
                }
            }
        }
    }
    keys.write(changes)?;
    Ok(derived.write(changes)?)
}

fn user_key(slot: &Slot, user: &LiveUser) -> UserKey {
    UserKey {
        partition: slot.partition,
        user: user.id,
    }
}

fn put_record(changes: &mut Changes, slot: &Slot, user: &LiveUser) -> Result<(), Error> {
    Ok(changes.put::<Records>(&user_key(slot, user), &user.record)?)
}

fn put_new_user(changes: &mut Changes, slot: &Slot, user: &LiveUser) -> Result<(), Error> {
    changes.put::<UserIds>(
        &UserIdKey {
            partition: slot.partition,
            key: &slot.key,
        },
        &user.id,
    )?;
    put_record(changes, slot, user)
}

fn delete_user(changes: &mut Changes, slot: &Slot, user: &LiveUser) -> Result<(), Error> {
    changes.delete::<UserIds>(&UserIdKey {
        partition: slot.partition,
        key: &slot.key,
    })?;
    Ok(changes.delete::<Records>(&user_key(slot, user))?)
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
        SchemaKey::Group(_) | SchemaKey::Segment(_) | SchemaKey::Value(..) => {}
    }
    Ok(())
}
