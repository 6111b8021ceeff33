//! What a commit will change: records and definitions as they will be, and how they were.
//!
//! Several requests are staged one after the other and share the commit. Each sees what those
//! before it staged; a refused one is rolled back and leaves nothing.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;

use crate::{
    error::Error,
    exec::{dataset::Dataset, scheduler::Scheduler},
    ids::{AttributeId, EventId, Location, PartitionId, UserId},
    schema::Schema,
    storage::{
        EventDetails, PartitionState, SchemaKey, StorageError, StoredValue, UserRecord, View,
        add_definition, damaged_state, partition_of_key,
    },
    user_keys::PackedKeys,
    write::{
        LimitError,
        command::SchemaChange,
        event_sweep::EventSweep,
        events::{StagedEvent, StagedEvents},
    },
};

/// With fewer keys it is quicker not to wake other threads.
const PARALLEL_KEYS_MIN: usize = 128;

/// Keys that are read at once.
const PREFETCH_KEYS: usize = 256;

/// Users of one partition that are read at once by id.
const PREFETCH_USERS: usize = 2048;

/// Passing over so many records takes about as long as looking one up.
const SCANNED_USERS: usize = 8;

/// A living user.
#[derive(Debug, Clone)]
pub(super) struct LiveUser {
    pub(super) id: UserId,
    pub(super) record: Arc<UserRecord>,
}

/// A key that a request has asked for.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Arc<str>,
    pub(super) partition: PartitionId,
    /// As it is in the store.
    pub(super) before: Option<LiveUser>,
    /// As it will be.
    pub(super) after: Option<LiveUser>,
    /// The request that last saved `after` in the journal.
    saved_in: u64,
}

/// Where a [`Slot`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SlotId(usize);

/// What a request has done to a slot, for undoing and for counting.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) slot: SlotId,
    pub(super) after: Option<LiveUser>,
}

/// Who was made to refer to one key, by partition.
type Holders = BTreeMap<PartitionId, Vec<(AttributeId, SlotId)>>;

/// What there is to go back to.
struct Start {
    schema: Arc<Schema>,
    schema_changes: usize,
    partitions: Vec<PartitionState>,
}

/// The state that a commit leads from and to.
pub(super) struct Staging {
    pub(super) base: Arc<View>,
    pub(super) schema: Arc<Schema>,
    pub(super) schema_changes: Vec<SchemaChange>,
    pub(super) partitions: Vec<PartitionState>,
    pub(super) events: StagedEvents,
    /// A job that sweeps stands alone, so that nothing else is staged beside these.
    pub(super) event_sweeps: Vec<EventSweep>,
    slots: Vec<Slot>,
    by_key: HashMap<Arc<str>, SlotId, RandomState>,
    /// Who was made to refer to a key; whether they still do must be looked up.
    references: HashMap<String, Holders, RandomState>,
    request: u64,
    journal: Vec<Saved>,
    start: Option<Start>,
}

impl Staging {
    /// Nothing staged on top of `base`.
    pub(super) fn new(base: Arc<View>, partitions: Vec<PartitionState>) -> Self {
        Self {
            schema: base.schema().clone(),
            base,
            schema_changes: Vec::new(),
            partitions,
            events: StagedEvents::default(),
            event_sweeps: Vec::new(),
            slots: Vec::new(),
            by_key: HashMap::default(),
            references: HashMap::default(),
            request: 0,
            journal: Vec::new(),
            start: None,
        }
    }

    /// Begins a request, which ends with [`Self::keep`] or [`Self::roll_back`].
    pub(super) fn begin(&mut self) {
        self.request += 1;
        self.journal.clear();
        self.events.begin();
        self.start = Some(Start {
            schema: self.schema.clone(),
            schema_changes: self.schema_changes.len(),
            partitions: self.partitions.clone(),
        });
    }

    /// Keeps what the request did, and tells which slots it saved.
    pub(super) fn keep(&mut self) -> Vec<Saved> {
        self.start = None;
        std::mem::take(&mut self.journal)
    }

    /// Undoes what the request did.
    pub(super) fn roll_back(&mut self) {
        for saved in std::mem::take(&mut self.journal) {
            self.slots[saved.slot.0].after = saved.after;
        }
        self.events.roll_back();
        self.event_sweeps.clear();
        if let Some(start) = self.start.take() {
            self.schema = start.schema;
            self.schema_changes.truncate(start.schema_changes);
            self.partitions = start.partitions;
        }
    }

    /// Adds, replaces or drops a definition.
    pub(super) fn change_definition(&mut self, change: SchemaChange) -> Result<(), Error> {
        let schema = Arc::make_mut(&mut self.schema);
        match &change {
            SchemaChange::Put { key, definition } => {
                add_definition(schema, *key, definition.clone())
                    .map_err(|error| Error::Internal(error.to_string()))?;
            }
            SchemaChange::Drop { key } => match *key {
                SchemaKey::Tag(id) => schema.remove_tag(id),
                SchemaKey::Group(id) => schema.remove_group(id),
                SchemaKey::Attribute(id) => schema.remove_attribute(id),
                SchemaKey::Segment(id) => schema.remove_segment(id),
                SchemaKey::Event(id) => schema.remove_event(id),
                SchemaKey::Value(..) => {
                    return Err(Error::Internal("a value cannot be dropped".to_owned()));
                }
            },
        }
        self.schema_changes.push(change);
        Ok(())
    }

    pub(super) fn slot(&self, slot: SlotId) -> &Slot {
        &self.slots[slot.0]
    }

    /// All slots, with and without changes.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether a key was asked for before.
    pub(super) fn has_slot(&self, key: &str) -> bool {
        !self.by_key.is_empty() && self.by_key.contains_key(key)
    }

    /// Who has a key, as it will be, if it was asked for before.
    pub(super) fn staged_user(&self, key: &str) -> Option<Option<UserId>> {
        if self.by_key.is_empty() {
            return None;
        }
        let slot = self.slot(*self.by_key.get(key)?);
        Some(slot.after.as_ref().map(|user| user.id))
    }

    /// Finds the slot of a key, reading the user from the store at first sight.
    pub(super) fn find(&mut self, key: &str) -> Result<SlotId, StorageError> {
        if let Some(slot) = self.by_key.get(key) {
            return Ok(*slot);
        }
        let partition = partition_of_key(key, self.base.partition_count());
        let before = match self.base.locate(key)? {
            Some(location) => Some(self.read(location)?),
            None => None,
        };
        Ok(self.add_slot(key.into(), partition, before))
    }

    fn add_slot(
        &mut self,
        key: Arc<str>,
        partition: PartitionId,
        before: Option<LiveUser>,
    ) -> SlotId {
        let slot = SlotId(self.slots.len());
        self.by_key.insert(key.clone(), slot);
        self.slots.push(Slot {
            key,
            partition,
            after: before.clone(),
            before,
            saved_in: 0,
        });
        slot
    }

    /// Reads the users of many keys at once, and on all threads if that pays, so that finding their slots
    /// later asks the store nothing.
    pub(super) fn prefetch<'k>(
        &mut self,
        scheduler: &Scheduler,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<(), Error> {
        let mut wanted: Vec<(PartitionId, &str)> = keys
            .filter(|key| !self.by_key.contains_key(*key))
            .map(|key| (partition_of_key(key, self.base.partition_count()), key))
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
        let read = if is_parallel {
            scheduler.fold(parts.len(), Vec::new, |mut done, _, part| {
                done.push((part, self.read_part(parts[part])?));
                Ok(done)
            })?
        } else {
            let numbered = parts.iter().enumerate();
            let read = numbered.map(|(part, keys)| Ok((part, self.read_part(keys)?)));
            vec![read.collect::<Result<Vec<_>, StorageError>>()?]
        };
        for (part, users) in read.into_iter().flatten() {
            for (&(partition, key), user) in parts[part].iter().zip(users) {
                self.add_slot(key.into(), partition, user);
            }
        }
        Ok(())
    }

    /// Reads the users of some keys.
    fn read_part(
        &self,
        part: &[(PartitionId, &str)],
    ) -> Result<Vec<Option<LiveUser>>, StorageError> {
        let found = self.base.locate_many(part)?;
        let living: Vec<Location> = found.iter().flatten().copied().collect();
        let mut records = self.base.records(&living)?.into_iter();
        let mut with_record = |location: Location| {
            let record = records.next()?;
            Some(self.living(location.user, record))
        };
        Ok(found
            .into_iter()
            .map(|user| user.and_then(&mut with_record))
            .collect())
    }

    /// Reads users of a partition by their ids, which rise, on all threads if that pays; gives
    /// their keys. Finding their slots later asks the store nothing.
    pub(super) fn prefetch_stored(
        &mut self,
        scheduler: &Scheduler,
        partition: PartitionId,
        users: &[UserId],
    ) -> Result<PackedKeys, Error> {
        let mut keys = PackedKeys::new();
        self.base.keys(partition, users, &mut keys)?;
        let parts: Vec<&[UserId]> = users.chunks(PREFETCH_USERS).collect();
        let read = scheduler.fold(parts.len(), Vec::new, |mut done, _, part| {
            done.push((part, self.read_stored(partition, parts[part])?));
            Ok(done)
        })?;
        let mut read: Vec<(usize, Vec<LiveUser>)> = read.into_iter().flatten().collect();
        read.sort_unstable_by_key(|(part, _)| *part);
        let living = read.into_iter().flat_map(|(_, living)| living);
        for (key, user) in keys.iter().zip(living) {
            if !self.has_slot(key) {
                self.add_slot(key.into(), partition, Some(user));
            }
        }
        Ok(keys)
    }

    fn read_stored(
        &self,
        partition: PartitionId,
        users: &[UserId],
    ) -> Result<Vec<LiveUser>, StorageError> {
        let (Some(first), Some(last)) = (users.first(), users.last()) else {
            return Ok(Vec::new());
        };
        let records = if (last.0 - first.0) as usize / users.len() < SCANNED_USERS {
            self.base.records_in_turn(partition, users)?
        } else {
            let located = users.iter().map(|&user| Location { partition, user });
            self.base.records(&located.collect::<Vec<_>>())?
        };
        let living = users.iter().zip(records);
        Ok(living
            .map(|(user, record)| self.living(*user, record))
            .collect())
    }

    /// Finds the slots of living users by id. Ids of the store only, not of staged users.
    pub(super) fn find_stored(
        &mut self,
        partition: PartitionId,
        users: &[UserId],
    ) -> Result<Vec<SlotId>, StorageError> {
        let mut keys = PackedKeys::new();
        self.base.keys(partition, users, &mut keys)?;
        keys.iter().map(|key| self.find(key)).collect()
    }

    fn read(&self, location: Location) -> Result<LiveUser, StorageError> {
        let missing = StorageError::MissingUser {
            partition: location.partition,
            user: location.user,
        };
        let record = self.base.record(location)?.ok_or(missing)?;
        Ok(self.living(location.user, record))
    }

    /// A user as the store has it, but for what the record holds of dropped definitions.
    fn living(&self, id: UserId, mut record: UserRecord) -> LiveUser {
        record.retain_tags(|tag| self.schema.tag_by_id(tag).is_some());
        record
            .values
            .retain(|(attribute, _)| self.schema.attribute_by_id(*attribute).is_some());
        LiveUser {
            id,
            record: Arc::new(record),
        }
    }

    /// Notes how a slot is before the request first changes it.
    fn save(&mut self, slot: SlotId) {
        let place = &mut self.slots[slot.0];
        if place.saved_in != self.request {
            place.saved_in = self.request;
            self.journal.push(Saved {
                slot,
                after: place.after.clone(),
            });
        }
    }

    /// Gives a command its place in a partition's order.
    pub(super) fn advance(&mut self, partition: PartitionId) -> Result<(), StorageError> {
        self.events.begin_command();
        let state = &mut self.partitions[usize::from(partition.0)];
        state.applied_offset = state.applied_offset.checked_add(1).ok_or_else(|| {
            damaged_state(partition, "more commands are applied than there can be")
        })?;
        Ok(())
    }

    /// Makes sure that a slot's user exists.
    pub(super) fn create(&mut self, slot: SlotId) -> Result<(), Error> {
        if self.slots[slot.0].after.is_some() {
            return Ok(());
        }
        self.save(slot);
        let id = self.give_id(self.slots[slot.0].partition)?;
        self.slots[slot.0].after = Some(LiveUser {
            id,
            record: Arc::default(),
        });
        Ok(())
    }

    /// The id of a new user of a partition.
    pub(super) fn give_id(&mut self, partition: PartitionId) -> Result<UserId, Error> {
        let state = &mut self.partitions[usize::from(partition.0)];
        let id = UserId(state.users_next);
        // The greatest id is never given, so that the number of ids fits too.
        state.users_next = state.users_next.checked_add(1).ok_or(LimitError::UserIds {
            partition: partition.0,
        })?;
        state.users_live = state
            .users_live
            .checked_add(1)
            .ok_or_else(|| damaged_state(partition, "more users live than there are ids"))?;
        Ok(id)
    }

    /// Deletes a slot's user, if there is one.
    pub(super) fn delete(&mut self, slot: SlotId) -> Result<(), StorageError> {
        if self.slots[slot.0].after.is_none() {
            return Ok(());
        }
        self.save(slot);
        let place = &mut self.slots[slot.0];
        place.after = None;
        let state = &mut self.partitions[usize::from(place.partition.0)];
        state.users_live = state
            .users_live
            .checked_sub(1)
            .ok_or_else(|| damaged_state(place.partition, "a user lives where none is counted"))?;
        Ok(())
    }

    /// Notes what a slot's user did, unless there is no such user, or the user has an event with
    /// its id.
    pub(super) fn track(
        &mut self,
        slot: SlotId,
        event: EventId,
        time_us: i64,
        details: EventDetails,
    ) -> Result<(), StorageError> {
        let (place, partition) = (&self.slots[slot.0], self.slots[slot.0].partition);
        let Some(user) = place.after.as_ref().map(|user| user.id) else {
            return Ok(());
        };
        let location = Location { partition, user };
        if let Some(id) = &details.id {
            let is_stored = place
                .before
                .as_ref()
                .is_some_and(|before| before.id == user);
            let known = match is_stored {
                true => self.base.event_with_id(location, id)?,
                false => None,
            };
            // Ids of kinds of events that were dropped may linger.
            let is_known = known.is_some_and(|event| self.schema.event_by_id(event).is_some());
            if is_known || self.events.has_id(location, id) {
                return Ok(());
            }
        }
        let command = self.partitions[usize::from(partition.0)].applied_offset;
        self.events
            .push(slot, location, command, (event, time_us), details);
        Ok(())
    }

    /// Whether a staged event's user still lives.
    pub(super) fn is_of_living(&self, event: &StagedEvent) -> bool {
        let after = self.slots[event.slot.0].after.as_ref();
        after.is_some_and(|user| user.id == event.user)
    }

    /// A living user's record.
    pub(super) fn record(&self, slot: SlotId) -> Option<&UserRecord> {
        self.slots[slot.0]
            .after
            .as_ref()
            .map(|user| user.record.as_ref())
    }

    /// A living user's record, to be changed.
    pub(super) fn record_mut(&mut self, slot: SlotId) -> Option<&mut UserRecord> {
        self.save(slot);
        self.slots[slot.0]
            .after
            .as_mut()
            .map(|user| Arc::make_mut(&mut user.record))
    }

    /// Notes that a user was made to refer to a key.
    pub(super) fn note_reference(&mut self, target: &str, attribute: AttributeId, slot: SlotId) {
        let partition = self.slots[slot.0].partition;
        let holders = match self.references.get_mut(target) {
            Some(holders) => holders,
            None => self.references.entry(target.to_owned()).or_default(),
        };
        holders
            .entry(partition)
            .or_default()
            .push((attribute, slot));
    }

    /// Where somebody was made to refer to a key.
    pub(super) fn reference_partitions(
        &self,
        target: &str,
    ) -> impl Iterator<Item = PartitionId> + '_ {
        self.references
            .get(target)
            .into_iter()
            .flat_map(|holders| holders.keys().copied())
    }

    /// Who in a partition may refer to a key.
    pub(super) fn referrers(
        &mut self,
        partition: PartitionId,
        attributes: &[AttributeId],
        target: &str,
    ) -> Result<Vec<(AttributeId, SlotId)>, StorageError> {
        let mut found: Vec<(AttributeId, SlotId)> = Vec::new();
        for &attribute in attributes {
            let users = self.base.text_matches(partition, attribute, target)?;
            let slots = self.find_stored(partition, &users)?;
            found.extend(slots.into_iter().map(|slot| (attribute, slot)));
        }
        let noted = self
            .references
            .get(target)
            .and_then(|holders| holders.get(&partition));
        found.extend(noted.into_iter().flatten());
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Whether a user's attribute is this text.
    pub(super) fn refers(&self, slot: SlotId, attribute: AttributeId, target: &str) -> bool {
        match self.record(slot).and_then(|record| record.value(attribute)) {
            Some(StoredValue::Text(text)) => text == target,
            Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => {
                false
            }
        }
    }
}
