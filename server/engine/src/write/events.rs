//! Events that a commit will add, and what follows from them: rows, tables, and which days have
//! any.

use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::{
    behaviour::{Bucket, EventDelta, EventRow, EventTableError, Extent, month_of_day},
    bitmap::{FragmentDelta, FragmentError},
    error::Error,
    exec::dataset::Dataset,
    ids::{EventId, Location, PartitionId, RowId, UserId},
    storage::{
        Changes, EventDetails, EventExtentKey, EventExtents, EventIdKey, EventIds, EventKey,
        EventTableKey, Events, FragmentKey, StorageError, View,
    },
    time::day_of_micros,
    write::staging::SlotId,
};

/// An event of a living user.
#[derive(Debug)]
pub(super) struct StagedEvent {
    pub(super) slot: SlotId,
    pub(super) user: UserId,
    pub(super) key: EventKey,
    pub(super) details: EventDetails,
}

/// Events in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct StagedEvents {
    events: Vec<StagedEvent>,
    /// Those of them that came with an id.
    ids: HashSet<(Location, String), RandomState>,
    /// Where those of the present request begin.
    begun: usize,
    /// The place of the next event in its command.
    index: u32,
}

impl StagedEvents {
    pub(super) fn begin(&mut self) {
        self.begun = self.events.len();
    }

    /// Forgets those of the present request.
    pub(super) fn roll_back(&mut self) {
        for event in self.events.drain(self.begun..) {
            if let Some(id) = event.details.id {
                let partition = event.key.partition;
                let user = event.user;
                self.ids.remove(&(Location { partition, user }, id));
            }
        }
    }

    /// Those of the present request.
    pub(super) fn of_request(&self) -> &[StagedEvent] {
        self.events.get(self.begun..).unwrap_or_default()
    }

    pub(super) fn all(&self) -> &[StagedEvent] {
        &self.events
    }

    /// Begins to count anew: a command begins.
    pub(super) fn begin_command(&mut self) {
        self.index = 0;
    }

    /// Whether a user has a staged event with an id.
    pub(super) fn has_id(&self, location: Location, id: &str) -> bool {
        !self.ids.is_empty() && self.ids.contains(&(location, id.to_owned()))
    }

    /// Adds an event of a user of a partition.
    pub(super) fn push(
        &mut self,
        slot: SlotId,
        location: Location,
        command: u64,
        (event, time_us): (EventId, i64),
        details: EventDetails,
    ) {
        if let Some(id) = &details.id {
            self.ids.insert((location, id.clone()));
        }
        self.events.push(StagedEvent {
            slot,
            user: location.user,
            key: EventKey {
                partition: location.partition,
                event,
                user: location.user,
                time_us,
                command,
                index: self.index,
            },
            details,
        });
        // A request has fewer mutations than 32 bits count.
        self.index = self.index.wrapping_add(1);
    }
}

/// Changes of rows and tables in the making, all of one partition.
struct Derived<'a> {
    base: &'a View,
    partition: PartitionId,
    rows: HashMap<FragmentKey, FragmentDelta, RandomState>,
    tables: HashMap<EventTableKey, EventDelta, RandomState>,
    /// As they are, and as they will be.
    extents: BTreeMap<EventId, (Option<Extent>, Extent)>,
}

/// What a bit of a row becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bit {
    Set,
    Clear,
}

/// Writes down what follows from some new events and some deleted users of a partition.
pub(super) fn write(
    base: &View,
    partition: PartitionId,
    events: &[&StagedEvent],
    deleted: &[UserId],
    changes: &mut Changes,
) -> Result<(), Error> {
    let mut derived = Derived {
        base,
        partition,
        rows: HashMap::default(),
        tables: HashMap::default(),
        extents: BTreeMap::new(),
    };
    for user in deleted {
        derived.remove_user(*user, changes)?;
    }
    for event in events {
        derived.add(event, changes)?;
    }
    Ok(derived.write(changes)?)
}

fn internal(error: &EventTableError) -> Error {
    Error::Internal(error.to_string())
}

fn internal_bits(error: &FragmentError) -> Error {
    Error::Internal(error.to_string())
}

impl Derived<'_> {
    fn extent(&mut self, event: EventId, day: i32) -> Result<&mut Extent, StorageError> {
        if !self.extents.contains_key(&event) {
            let before = self.base.event_extent(self.partition, event)?;
            let after = before.unwrap_or_else(|| Extent::of_day(day));
            self.extents.insert(event, (before, after));
        }
        let extents = self.extents.entry(event);
        Ok(&mut extents.or_insert_with(|| (None, Extent::of_day(day))).1)
    }

    fn add(&mut self, event: &StagedEvent, changes: &mut Changes) -> Result<(), Error> {
        let (key, details) = (event.key, &event.details);
        changes.put::<Events>(&key, details)?;
        if let Some(id) = &details.id {
            let id = EventIdKey {
                partition: key.partition,
                user: key.user,
                id,
            };
            changes.put::<EventIds>(&id, &key.event)?;
        }
        let day = day_of_micros(key.time_us);
        let extent = self.extent(key.event, day)?;
        extent.include(day);
        let bucket = extent.bucket(day);
        self.bits(key.user, key.event, day, bucket, Bit::Set)?;
        let row = EventRow {
            offset: key.user.offset(),
            time_us: key.time_us,
            values: details.numbers(),
        };
        self.table(key.user, key.event, bucket)
            .add(&row)
            .map_err(|error| internal(&error))
    }

    fn remove_user(&mut self, user: UserId, changes: &mut Changes) -> Result<(), Error> {
        let partition = self.partition;
        let location = Location { partition, user };
        for event in self.base.events_done(location)? {
            let mut days = Vec::new();
            self.base.for_each_event(location, event, |key, _| {
                days.push(day_of_micros(key.time_us));
                changes.delete::<Events>(&key)
            })?;
            days.dedup();
            for day in days {
                let bucket = self.extent(event, day)?.bucket(day);
                self.bits(user, event, day, bucket, Bit::Clear)?;
                self.table(user, event, bucket)
                    .remove_user(user.offset())
                    .map_err(|error| internal(&error))?;
            }
        }
        Ok(changes.delete_event_ids(partition, user)?)
    }

    fn table(&mut self, user: UserId, event: EventId, bucket: Bucket) -> &mut EventDelta {
        let key = EventTableKey {
            partition: self.partition,
            event,
            shard: user.shard(),
            bucket,
        };
        self.tables.entry(key).or_default()
    }

    fn bits(
        &mut self,
        user: UserId,
        event: EventId,
        day: i32,
        bucket: Bucket,
        bit: Bit,
    ) -> Result<(), Error> {
        let of_day = match bucket {
            Bucket::Day(day) => Some(RowId::DidOnDay(event, day)),
            Bucket::Month(_) => None,
        };
        let rows = [
            Some(RowId::Did(event)),
            Some(RowId::DidInMonth(event, month_of_day(day))),
            of_day,
        ];
        for row in rows.into_iter().flatten() {
            let key = FragmentKey {
                partition: self.partition,
                row,
                shard: user.shard(),
            };
            let delta = self.rows.entry(key).or_default();
            match bit {
                Bit::Set => delta.set(user.offset()),
                Bit::Clear => delta.clear(user.offset()),
            }
            .map_err(|error| internal_bits(&error))?;
        }
        Ok(())
    }

    /// Puts everything into a batch, in the order of keys.
    fn write(self, changes: &mut Changes) -> Result<(), StorageError> {
        let partition = self.partition;
        for (event, (before, after)) in self.extents {
            if before != Some(after) {
                changes.put::<EventExtents>(&EventExtentKey { partition, event }, &after)?;
            }
        }
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        for (key, delta) in rows {
            changes.merge_fragment(key, &delta)?;
        }
        let mut tables: Vec<_> = self.tables.into_iter().collect();
        tables.sort_unstable_by_key(|(key, _)| *key);
        for (key, delta) in tables {
            changes.merge_events(key, delta)?;
        }
        Ok(())
    }
}
