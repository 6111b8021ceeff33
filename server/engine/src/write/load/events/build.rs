//! From new events to what follows from them: the order of their keys, rows, tables and which
//! days have any.

use std::{cmp::Reverse, collections::BTreeMap, collections::HashMap};

use foldhash::fast::RandomState;

use super::EventBatch;
use crate::{
    behaviour::{Bucket, EventDelta, EventRow, EventTableError, Extent, month_of_day},
    bitmap::{FragmentDelta, FragmentError},
    error::Error,
    exec::dataset::Dataset,
    ids::{EventId, PartitionId, RowId, UserId},
    storage::{Changes, EventExtentKey, EventExtents, EventKey, EventTableKey, FragmentKey},
    time::day_of_micros,
    write::staging::Staging,
};

/// What the new events of one partition bring to the store.
pub(super) struct BuiltEvents<'a> {
    pub(super) partition: PartitionId,
    pub(super) batches: &'a [EventBatch],
    /// In the order of their keys.
    pub(super) events: Vec<EventPlace>,
    /// Users and ids, in their order, and which events they belong to.
    pub(super) ids: Vec<(UserId, &'a str, EventId)>,
    /// In the order of keys.
    pub(super) tables: Vec<(EventTableKey, Vec<u8>)>,
    /// In the order of keys.
    pub(super) fragments: Vec<(FragmentKey, Vec<u8>)>,
    /// For the batch, in which they stand after those of staged events.
    pub(super) extents: Changes,
}

/// Where an event is, and its key.
pub(super) struct EventPlace {
    pub(super) key: EventKey,
    pub(super) batch: u32,
    pub(super) row: u32,
}

fn misfit(error: &EventTableError) -> Error {
    Error::Internal(error.to_string())
}

fn misfit_bits(error: &FragmentError) -> Error {
    Error::Internal(error.to_string())
}

/// Builds what the events of one partition lead to.
pub(super) fn build<'a>(
    staging: &Staging,
    partition: PartitionId,
    batches: &'a [EventBatch],
) -> Result<BuiltEvents<'a>, Error> {
    let mut events = places(partition, batches);
    let order = |place: &EventPlace| {
        let EventKey {
            partition: _,
            event,
            user,
            time_us,
            command,
            index,
        } = place.key;
        (event, user, Reverse(time_us), command, index)
    };
    events.sort_unstable_by_key(order);
    let mut derived = Derived {
        staging,
        partition,
        rows: HashMap::default(),
        tables: HashMap::default(),
        extents: BTreeMap::new(),
    };
    let mut row = EventRow {
        offset: 0,
        time_us: 0,
        values: Vec::new(),
    };
    for place in &events {
        let rows = &batches[place.batch as usize].rows;
        row.offset = place.key.user.offset();
        row.time_us = place.key.time_us;
        rows.fill_numbers(place.row as usize, &mut row.values);
        derived.add(&place.key, &row)?;
    }
    Ok(BuiltEvents {
        partition,
        batches,
        ids: ids(batches),
        events,
        extents: derived.extents()?,
        fragments: fragments(derived.rows)?,
        tables: tables(derived.tables)?,
    })
}

fn places(partition: PartitionId, batches: &[EventBatch]) -> Vec<EventPlace> {
    let count = batches.iter().map(|batch| batch.kept.len()).sum();
    let mut places = Vec::with_capacity(count);
    for (number, batch) in (0..).zip(batches) {
        for (index, &row) in (0..).zip(&batch.kept) {
            let at = row as usize;
            places.push(EventPlace {
                key: EventKey {
                    partition,
                    event: batch.rows.event,
                    user: batch.users[batch.rows.of[at] as usize],
                    time_us: batch.rows.times_us[at],
                    command: batch.command,
                    index,
                },
                batch: number,
                row,
            });
        }
    }
    places
}

fn ids(batches: &[EventBatch]) -> Vec<(UserId, &str, EventId)> {
    let mut ids = Vec::new();
    for batch in batches {
        for &row in &batch.kept {
            if let Some(id) = batch.rows.id(row as usize) {
                let user = batch.users[batch.rows.of[row as usize] as usize];
                ids.push((user, id, batch.rows.event));
            }
        }
    }
    ids.sort_unstable();
    ids
}

/// Rows, tables and extents in the making.
struct Derived<'a> {
    staging: &'a Staging,
    partition: PartitionId,
    /// Offsets of each row and shard. They rise, as the users of a kind of event do.
    rows: HashMap<FragmentKey, Vec<u32>, RandomState>,
    tables: HashMap<EventTableKey, EventDelta, RandomState>,
    /// As they are, and as they will be.
    extents: BTreeMap<EventId, (Option<Extent>, Extent)>,
}

impl Derived<'_> {
    fn add(&mut self, key: &EventKey, row: &EventRow) -> Result<(), Error> {
        let EventKey { event, user, .. } = *key;
        let day = day_of_micros(key.time_us);
        let extent = self.extent(event, day)?;
        extent.include(day);
        let bucket = extent.bucket(day);
        self.put(RowId::Did(event), user);
        self.put(RowId::DidInMonth(event, month_of_day(day)), user);
        if let Bucket::Day(day) = bucket {
            self.put(RowId::DidOnDay(event, day), user);
        }
        let table = EventTableKey {
            partition: self.partition,
            event,
            shard: user.shard(),
            bucket,
        };
        let table = self.tables.entry(table).or_default();
        table.add(row).map_err(|error| misfit(&error))
    }

    fn extent(&mut self, event: EventId, day: i32) -> Result<&mut Extent, Error> {
        if !self.extents.contains_key(&event) {
            let before = self.staging.base.event_extent(self.partition, event)?;
            let mut after = before.unwrap_or_else(|| Extent::of_day(day));
            // A small load that shares the commit is staged, and its days must not be forgotten.
            let part = self.staging.part(self.partition);
            let staged = part.map(|part| part.events.all()).unwrap_or_default();
            for beside in staged.iter().filter(|staged| staged.key.event == event) {
                after.include(day_of_micros(beside.key.time_us));
            }
            self.extents.insert(event, (before, after));
        }
        let extents = self.extents.entry(event);
        Ok(&mut extents.or_insert_with(|| (None, Extent::of_day(day))).1)
    }

    fn put(&mut self, row: RowId, user: UserId) {
        let key = FragmentKey {
            partition: self.partition,
            row,
            shard: user.shard(),
        };
        let offsets = self.rows.entry(key).or_default();
        if offsets.last() != Some(&user.offset()) {
            offsets.push(user.offset());
        }
    }

    fn extents(&self) -> Result<Changes, Error> {
        let partition = self.partition;
        let mut changes = Changes::default();
        for (event, (before, after)) in &self.extents {
            if *before != Some(*after) {
                let event = *event;
                changes.put::<EventExtents>(&EventExtentKey { partition, event }, after)?;
            }
        }
        Ok(changes)
    }
}

fn fragments(
    rows: HashMap<FragmentKey, Vec<u32>, RandomState>,
) -> Result<Vec<(FragmentKey, Vec<u8>)>, Error> {
    let mut fragments = Vec::with_capacity(rows.len());
    for (key, offsets) in rows {
        let delta = FragmentDelta::encode_rising(&offsets).map_err(|error| misfit_bits(&error))?;
        fragments.push((key, delta));
    }
    fragments.sort_unstable_by_key(|(key, _)| *key);
    Ok(fragments)
}

fn tables(
    tables: HashMap<EventTableKey, EventDelta, RandomState>,
) -> Result<Vec<(EventTableKey, Vec<u8>)>, Error> {
    let mut encoded = Vec::with_capacity(tables.len());
    for (key, delta) in tables {
        encoded.push((key, delta.encode().map_err(|error| misfit(&error))?));
    }
    encoded.sort_unstable_by_key(|(key, _)| *key);
    Ok(encoded)
}
