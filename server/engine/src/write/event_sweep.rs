//! Months of events that are to be forgotten, or whose days are to lie together.
//!
//! Both go month by month, in the order of time. What is forgotten is what the definition of the
//! event says; what is rolled up keeps its exact times and changes no answer.

use std::collections::BTreeSet;

use crate::{
    behaviour::{Bucket, EventDelta, Extent, first_day_of_month, month_of_day},
    bitmap::FragmentDelta,
    error::Error,
    exec::dataset::Dataset,
    ids::{EventId, Location, PartitionId, RowId, ShardId},
    limits::Limits,
    storage::{
        Changes, EventExtentKey, EventExtents, EventIdKey, EventIds, EventTableKey, Events,
        FragmentKey, View,
    },
    time::{day_of_micros, micros_of_day},
    write::command::Command,
};

/// Months of one kind of event and partition that are swept at once, those without events not
/// counted: one event with a wrong date may be thousands of them away from the others.
const MONTHS_AT_ONCE: u32 = 2;

/// What is done to the first months of a kind of event in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventSweep {
    /// Months before this one are forgotten.
    Forget {
        partition: PartitionId,
        event: EventId,
        before: i32,
    },
    /// The days of months before this one are put together.
    RollUp {
        partition: PartitionId,
        event: EventId,
        before: i32,
    },
}

/// What there is to do at a moment, a few months at once: one command for each kind of event and
/// partition at most.
pub(super) fn find(
    view: &View,
    limits: &Limits,
    at_us: i64,
) -> Result<Vec<(PartitionId, Command)>, Error> {
    let today = day_of_micros(at_us);
    let horizon = month_of_day(today.saturating_sub_unsigned(limits.event_days_max));
    let mut found = Vec::new();
    for definition in view.schema().events_by_id() {
        let event = definition.id;
        // Of a month all days must be older.
        let kept = definition
            .retention_days
            .map(|days| month_of_day(today.saturating_sub_unsigned(days)));
        for partition in (0..view.partition_count()).map(PartitionId) {
            let Some(extent) = view.event_extent(partition, event)? else {
                continue;
            };
            let first = month_of_day(extent.first_day);
            if let Some(kept) = kept.filter(|kept| first < *kept) {
                let before = some_months(view, (partition, event), first, kept)?;
                let command = Command::ForgetEvents {
                    at_us,
                    event,
                    before,
                };
                found.push((partition, command));
                continue;
            }
            let from = first.max(extent.rolled_until);
            let end = month_of_day(extent.last_day).saturating_add(1);
            if from < horizon.min(end) {
                let to = horizon.min(end);
                let before = some_months(view, (partition, event), from, to)?;
                found.push((
                    partition,
                    Command::RollUpEvents {
                        at_us,
                        event,
                        before,
                    },
                ));
            }
        }
    }
    Ok(found)
}

/// The first month that is left for later, of those from one up to another.
fn some_months(
    view: &View,
    (partition, event): (PartitionId, EventId),
    from: i32,
    to: i32,
) -> Result<i32, Error> {
    let mut left = MONTHS_AT_ONCE;
    for month in from..to {
        if left == 0 {
            return Ok(month);
        }
        for shard in (0..view.shard_count(partition)?).map(ShardId) {
            let row = view.fragment(partition, shard, RowId::DidInMonth(event, month))?;
            if !row.is_empty() {
                left -= 1;
                break;
            }
        }
    }
    Ok(to)
}

/// Writes down what a sweep does to a state.
pub(super) fn write(view: &View, sweep: EventSweep, changes: &mut Changes) -> Result<(), Error> {
    let (EventSweep::Forget {
        partition,
        event,
        before,
    }
    | EventSweep::RollUp {
        partition,
        event,
        before,
    }) = sweep;
    let Some(extent) = view.event_extent(partition, event)? else {
        return Ok(());
    };
    let sweeper = Sweeper {
        view,
        partition,
        event,
        extent,
    };
    match sweep {
        EventSweep::Forget { .. } => sweeper.forget(before, changes),
        EventSweep::RollUp { .. } => sweeper.roll_up(before, changes),
    }
}

struct Sweeper<'a> {
    view: &'a View,
    partition: PartitionId,
    event: EventId,
    extent: Extent,
}

impl Sweeper<'_> {
    fn shards(&self) -> Result<impl Iterator<Item = ShardId> + use<>, Error> {
        Ok((0..self.view.shard_count(self.partition)?).map(ShardId))
    }

    fn table_key(&self, shard: ShardId, bucket: Bucket) -> EventTableKey {
        EventTableKey {
            partition: self.partition,
            event: self.event,
            shard,
            bucket,
        }
    }

    fn row_key(&self, shard: ShardId, row: RowId) -> FragmentKey {
        FragmentKey {
            partition: self.partition,
            row,
            shard,
        }
    }

    fn put_extent(&self, extent: &Extent, changes: &mut Changes) -> Result<(), Error> {
        let (partition, event) = (self.partition, self.event);
        Ok(changes.put::<EventExtents>(&EventExtentKey { partition, event }, extent)?)
    }

    /// Puts the tables of days into those of their months, and deletes the days.
    fn roll_up(&self, before: i32, changes: &mut Changes) -> Result<(), Error> {
        let first = month_of_day(self.extent.first_day).max(self.extent.rolled_until);
        for month in first..before {
            let (first_day, last_day) = Bucket::Month(month).days();
            let days = self.extent.buckets(first_day, last_day);
            let of_month = RowId::DidInMonth(self.event, month);
            for shard in self.shards()? {
                if !self
                    .view
                    .fragment(self.partition, shard, of_month)?
                    .is_empty()
                {
                    self.roll_up_shard(month, &days, shard, changes)?;
                }
            }
        }
        let extent = Extent {
            rolled_until: before,
            ..self.extent
        };
        self.put_extent(&extent, changes)
    }

    fn roll_up_shard(
        &self,
        month: i32,
        days: &[Bucket],
        shard: ShardId,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let mut all = EventDelta::new();
        for bucket in days {
            let table = self
                .view
                .event_table(self.partition, shard, self.event, *bucket)?;
            if table.is_empty() {
                continue;
            }
            all.add_table(&table);
            self.delete_bucket(shard, *bucket, changes)?;
        }
        if !all.is_empty() {
            changes.merge_events(self.table_key(shard, Bucket::Month(month)), all)?;
        }
        Ok(())
    }

    fn delete_bucket(
        &self,
        shard: ShardId,
        bucket: Bucket,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        changes.delete_events(self.table_key(shard, bucket))?;
        if let Bucket::Day(day) = bucket {
            changes.delete_fragment(self.row_key(shard, RowId::DidOnDay(self.event, day)))?;
        }
        Ok(())
    }

    /// Deletes the events of the first months, and all that follows from them.
    fn forget(&self, before: i32, changes: &mut Changes) -> Result<(), Error> {
        let first_day = first_day_of_month(before);
        for shard in self.shards()? {
            self.forget_shard(before, shard, changes)?;
        }
        let (partition, event) = (self.partition, self.event);
        if self.extent.last_day < first_day {
            return Ok(changes.delete::<EventExtents>(&EventExtentKey { partition, event })?);
        }
        let extent = Extent {
            first_day: self.extent.first_day.max(first_day),
            ..self.extent
        };
        self.put_extent(&extent, changes)
    }

    fn forget_shard(
        &self,
        before: i32,
        shard: ShardId,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let month_of = |month| RowId::DidInMonth(self.event, month);
        let row = |row| self.view.fragment(self.partition, shard, row);
        let mut users: BTreeSet<u32> = BTreeSet::new();
        for month in month_of_day(self.extent.first_day)..before {
            let of_month = row(month_of(month))?;
            if of_month.is_empty() {
                continue;
            }
            users.extend(of_month.iter());
            changes.delete_fragment(self.row_key(shard, month_of(month)))?;
            let (first_day, last_day) = Bucket::Month(month).days();
            for bucket in self.extent.buckets(first_day, last_day) {
                self.delete_bucket(shard, bucket, changes)?;
            }
        }
        for offset in &users {
            self.forget_user(before, shard, *offset, changes)?;
        }
        // Who did nothing since has done it never.
        for month in before..=month_of_day(self.extent.last_day) {
            for offset in row(month_of(month))?.iter() {
                users.remove(&offset);
            }
        }
        let mut never = FragmentDelta::new();
        for offset in users {
            never
                .clear(offset)
                .map_err(|error| Error::Internal(error.to_string()))?;
        }
        if !never.is_empty() {
            let key = self.row_key(shard, RowId::Did(self.event));
            changes.merge_fragment(key, &never)?;
        }
        Ok(())
    }

    fn forget_user(
        &self,
        before: i32,
        shard: ShardId,
        offset: u32,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let end_us = micros_of_day(first_day_of_month(before));
        let (partition, user) = (self.partition, shard.user(offset));
        let location = Location { partition, user };
        Ok(self
            .view
            .for_each_event(location, self.event, |key, details| {
                if key.time_us >= end_us {
                    return Ok(());
                }
                if let Some(id) = &details.id {
                    changes.delete::<EventIds>(&EventIdKey {
                        partition,
                        user,
                        id,
                    })?;
                }
                changes.delete::<Events>(&key)
            })?)
    }
}
