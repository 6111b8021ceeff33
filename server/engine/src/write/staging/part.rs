//! What a commit will change of the users of one partition: how they were, how they will be, and
//! what they did.
//!
//! Knows one partition, and nothing of the others: so several are worked on at once.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use crate::{
    error::Error,
    exec::dataset::Dataset,
    ids::{AttributeId, EventId, Location, PartitionId, UserId},
    schema::Schema,
    storage::{
        EventDetails, PartitionState, StorageError, StoredValue, UserRecord, View, damaged_state,
    },
    user_keys::PackedKeys,
    write::{
        LimitError,
        event_sweep::EventSweep,
        events::{StagedEvent, StagedEvents},
        merge::Merge,
    },
};

/// A living user.
#[derive(Debug, Clone)]
pub(in crate::write) struct LiveUser {
    pub(in crate::write) id: UserId,
    pub(in crate::write) record: Arc<UserRecord>,
}

/// A key that a request has asked for.
#[derive(Debug)]
pub(in crate::write) struct Slot {
    pub(in crate::write) key: Arc<str>,
    /// As it is in the store.
    pub(in crate::write) before: Option<LiveUser>,
    /// As it will be.
    pub(in crate::write) after: Option<LiveUser>,
    /// The request that last saved `after` in the journal.
    saved_in: u64,
}

/// Where a [`Slot`] is in its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::write) struct SlotId(usize);

/// What a request has done to a slot, for undoing and for counting.
#[derive(Debug)]
pub(in crate::write) struct Saved {
    pub(in crate::write) slot: SlotId,
    pub(in crate::write) after: Option<LiveUser>,
}

impl LiveUser {
    /// As the store has the user, but for what the record holds of dropped definitions.
    pub(super) fn stored(schema: &Schema, id: UserId, mut record: UserRecord) -> Self {
        record.retain_tags(|tag| schema.tag_by_id(tag).is_some());
        record
            .values
            .retain(|(attribute, _)| schema.attribute_by_id(*attribute).is_some());
        Self {
            id,
            record: Arc::new(record),
        }
    }
}

/// One partition's share of a commit.
pub(in crate::write) struct Part {
    pub(in crate::write) partition: PartitionId,
    base: Arc<View>,
    pub(in crate::write) state: PartitionState,
    pub(in crate::write) events: StagedEvents,
    /// A job that sweeps stands alone, so that nothing else is staged beside these.
    pub(in crate::write) event_sweeps: Vec<EventSweep>,
    /// Neither is beside merges of tags.
    pub(in crate::write) merges: Vec<Merge>,
    slots: Vec<Slot>,
    by_key: HashMap<Arc<str>, SlotId, RandomState>,
    /// Who was made to refer to a key; whether they still do must be looked up.
    references: HashMap<String, Vec<(AttributeId, SlotId)>, RandomState>,
    /// The request that has last begun here.
    request: u64,
    journal: Vec<Saved>,
    /// The state before that request.
    start: PartitionState,
}

impl Part {
    /// Nothing staged on top of `base`.
    pub(super) fn new(base: Arc<View>, partition: PartitionId, state: PartitionState) -> Self {
        Self {
            partition,
            base,
            state,
            events: StagedEvents::default(),
            event_sweeps: Vec::new(),
            merges: Vec::new(),
            slots: Vec::new(),
            by_key: HashMap::default(),
            references: HashMap::default(),
            request: 0,
            journal: Vec::new(),
            start: state,
        }
    }

    /// Begins a request, which ends with [`Self::keep`] or [`Self::roll_back`]. Says whether it
    /// had not begun yet.
    pub(super) fn begin(&mut self, request: u64) -> bool {
        if self.request == request {
            return false;
        }
        self.request = request;
        self.journal.clear();
        self.events.begin();
        self.start = self.state;
        true
    }

    /// Keeps what the request did, and tells which slots it saved.
    pub(super) fn keep(&mut self) -> Vec<Saved> {
        std::mem::take(&mut self.journal)
    }

    /// Undoes what the request did.
    pub(super) fn roll_back(&mut self) {
        for saved in std::mem::take(&mut self.journal) {
            self.slots[saved.slot.0].after = saved.after;
        }
        self.events.roll_back();
        self.event_sweeps.clear();
        self.merges.clear();
        self.state = self.start;
    }

    pub(in crate::write) fn slot(&self, slot: SlotId) -> &Slot {
        &self.slots[slot.0]
    }

    /// All slots, with and without changes.
    pub(in crate::write) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether a key was asked for before.
    pub(in crate::write) fn has_slot(&self, key: &str) -> bool {
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
    pub(in crate::write) fn find(
        &mut self,
        schema: &Schema,
        key: &str,
    ) -> Result<SlotId, StorageError> {
        if let Some(slot) = self.by_key.get(key) {
            return Ok(*slot);
        }
        let before = match self.base.locate(key)? {
            Some(location) => Some(self.read(schema, location)?),
            None => None,
        };
        Ok(self.add_slot(key, before))
    }

    pub(super) fn add_slot(&mut self, key: &str, before: Option<LiveUser>) -> SlotId {
        let slot = SlotId(self.slots.len());
        let key: Arc<str> = key.into();
        self.by_key.insert(key.clone(), slot);
        self.slots.push(Slot {
            key,
            after: before.clone(),
            before,
            saved_in: 0,
        });
        slot
    }

    /// Finds the slots of living users by id. Ids of the store only, not of staged users.
    pub(in crate::write) fn find_stored(
        &mut self,
        schema: &Schema,
        users: &[UserId],
    ) -> Result<Vec<SlotId>, StorageError> {
        let mut keys = PackedKeys::new();
        self.base.keys(self.partition, users, &mut keys)?;
        keys.iter().map(|key| self.find(schema, key)).collect()
    }

    fn read(&self, schema: &Schema, location: Location) -> Result<LiveUser, StorageError> {
        let missing = StorageError::MissingUser {
            partition: location.partition,
            user: location.user,
        };
        let record = self.base.record(location)?.ok_or(missing)?;
        Ok(LiveUser::stored(schema, location.user, record))
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

    /// Gives a command its place in the partition's order.
    pub(in crate::write) fn advance(&mut self) -> Result<(), StorageError> {
        self.events.begin_command();
        let next = self.state.applied_offset.checked_add(1);
        self.state.applied_offset = next.ok_or_else(|| {
            damaged_state(
                self.partition,
                "more commands are applied than there can be",
            )
        })?;
        Ok(())
    }

    /// Makes sure that a slot's user exists.
    pub(in crate::write) fn create(&mut self, slot: SlotId) -> Result<(), Error> {
        if self.slots[slot.0].after.is_some() {
            return Ok(());
        }
        self.save(slot);
        let id = self.give_id()?;
        self.slots[slot.0].after = Some(LiveUser {
            id,
            record: Arc::default(),
        });
        Ok(())
    }

    /// The id of a new user.
    pub(in crate::write) fn give_id(&mut self) -> Result<UserId, Error> {
        let (partition, state) = (self.partition, &mut self.state);
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
    pub(in crate::write) fn delete(&mut self, slot: SlotId) -> Result<(), StorageError> {
        if self.slots[slot.0].after.is_none() {
            return Ok(());
        }
        self.save(slot);
        self.slots[slot.0].after = None;
        let (partition, state) = (self.partition, &mut self.state);
        state.users_live = state
            .users_live
            .checked_sub(1)
            .ok_or_else(|| damaged_state(partition, "a user lives where none is counted"))?;
        Ok(())
    }

    /// Notes what a slot's user did, unless there is no such user, or the user has an event with
    /// its id.
    pub(in crate::write) fn track(
        &mut self,
        schema: &Schema,
        slot: SlotId,
        (event, time_us): (EventId, i64),
        details: EventDetails,
    ) -> Result<(), StorageError> {
        let (place, partition) = (&self.slots[slot.0], self.partition);
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
            let is_known = known.is_some_and(|event| schema.event_by_id(event).is_some());
            if is_known || self.events.has_id(location, id) {
                return Ok(());
            }
        }
        let command = self.state.applied_offset;
        self.events
            .push(slot, location, command, (event, time_us), details);
        Ok(())
    }

    /// Whether a staged event's user still lives.
    pub(in crate::write) fn is_of_living(&self, event: &StagedEvent) -> bool {
        let after = self.slots[event.slot.0].after.as_ref();
        after.is_some_and(|user| user.id == event.user)
    }

    /// A living user's record.
    pub(in crate::write) fn record(&self, slot: SlotId) -> Option<&UserRecord> {
        self.slots[slot.0]
            .after
            .as_ref()
            .map(|user| user.record.as_ref())
    }

    /// A living user's record, to be changed.
    pub(in crate::write) fn record_mut(&mut self, slot: SlotId) -> Option<&mut UserRecord> {
        self.save(slot);
        self.slots[slot.0]
            .after
            .as_mut()
            .map(|user| Arc::make_mut(&mut user.record))
    }

    /// Notes that a user was made to refer to a key.
    pub(in crate::write) fn note_reference(
        &mut self,
        target: &str,
        attribute: AttributeId,
        slot: SlotId,
    ) {
        let holders = match self.references.get_mut(target) {
            Some(holders) => holders,
            None => self.references.entry(target.to_owned()).or_default(),
        };
        holders.push((attribute, slot));
    }

    /// Whether somebody was made to refer to a key.
    pub(super) fn has_references(&self, target: &str) -> bool {
        self.references.contains_key(target)
    }

    /// Who may refer to a key.
    pub(in crate::write) fn referrers(
        &mut self,
        schema: &Schema,
        attributes: &[AttributeId],
        target: &str,
    ) -> Result<Vec<(AttributeId, SlotId)>, StorageError> {
        let mut found: Vec<(AttributeId, SlotId)> = Vec::new();
        for &attribute in attributes {
            let users = self.base.text_matches(self.partition, attribute, target)?;
            let slots = self.find_stored(schema, &users)?;
            found.extend(slots.into_iter().map(|slot| (attribute, slot)));
        }
        found.extend(self.references.get(target).into_iter().flatten());
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Whether a user's attribute is this text.
    pub(in crate::write) fn refers(
        &self,
        slot: SlotId,
        attribute: AttributeId,
        target: &str,
    ) -> bool {
        match self.record(slot).and_then(|record| record.value(attribute)) {
            Some(StoredValue::Text(text)) => text == target,
            Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => {
                false
            }
        }
    }
}
