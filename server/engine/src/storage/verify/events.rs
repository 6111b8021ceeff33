//! Whether rows and tables of behaviour are what the events of users say.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rows, VerifyReport};
use crate::{
    behaviour::{Bucket, EventRow, EventTable, Extent, month_of_day},
    exec::dataset::Dataset,
    ids::{EventId, Location, PartitionId, RowId, ShardId, UserId},
    storage::{
        StorageError, View,
        families::{EventExtents, EventIds, EventTables, Events, read, scan},
        keys::{EventIdKey, EventKey, EventTableKey, KeyFormat},
    },
    time::day_of_micros,
};

/// Events by table.
type Tables = BTreeMap<(EventId, ShardId, Bucket), Vec<EventRow>>;

/// Reads the events of a partition, adds the rows they lead to to `rows`, and looks at the rest.
pub(super) fn check(
    view: &View,
    partition: PartitionId,
    rows: &mut Rows,
    report: &mut VerifyReport,
) -> Result<(), StorageError> {
    let mut expected = Expected {
        extents: BTreeMap::new(),
        tables: BTreeMap::new(),
        did: BTreeSet::new(),
    };
    let prefix = partition.to_bytes();
    scan::<EventExtents>(view.snapshot(), &prefix, |key, extent| {
        expected.extents.insert(key.event, extent);
        Ok(())
    })?;
    expected.read_events(view, partition, report)?;
    for (row, user) in &expected.did {
        rows.entry((*row, user.shard()))
            .or_default()
            .push(user.offset());
    }
    expected.check_tables(view, partition, report)?;
    check_ids(view, partition, report)
}

/// What the events of a partition lead to.
struct Expected {
    extents: BTreeMap<EventId, Extent>,
    tables: Tables,
    did: BTreeSet<(RowId, UserId)>,
}

impl Expected {
    fn read_events(
        &mut self,
        view: &View,
        partition: PartitionId,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        scan::<Events>(view.snapshot(), &partition.to_bytes(), |key, details| {
            report.events += 1;
            let (event, user) = (key.event, key.user);
            let living = view.fragment(partition, user.shard(), RowId::Users)?;
            if !living.contains(user.offset()) {
                report.problem(|| format!("{key:?} is of a user who does not live"));
            }
            if let Some(id) = &details.id {
                let id = EventIdKey {
                    partition,
                    user,
                    id,
                };
                if read::<EventIds>(view.snapshot(), &id)? != Some(event) {
                    report.problem(|| format!("{key:?} is not found by its id"));
                }
            }
            let day = day_of_micros(key.time_us);
            let extent = self.extents.get(&event).copied();
            let Some(extent) = extent.filter(|of| of.first_day <= day && day <= of.last_day) else {
                report.problem(|| format!("{key:?} is on a day that is said to have no events"));
                return Ok(());
            };
            let bucket = extent.bucket(day);
            self.did.insert((RowId::Did(event), user));
            self.did
                .insert((RowId::DidInMonth(event, month_of_day(day)), user));
            if let Bucket::Day(day) = bucket {
                self.did.insert((RowId::DidOnDay(event, day), user));
            }
            let table = self.tables.entry((event, user.shard(), bucket));
            table.or_default().push(EventRow {
                offset: user.offset(),
                time_us: key.time_us,
                values: details.numbers(),
            });
            Ok(())
        })
    }

    fn check_tables(
        &mut self,
        view: &View,
        partition: PartitionId,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        let prefix = partition.to_bytes();
        scan::<EventTables>(view.snapshot(), &prefix, |key, table| {
            let EventTableKey {
                event,
                shard,
                bucket,
                ..
            } = key;
            let rows = self.tables.remove(&(event, shard, bucket));
            if !is_table(&table, rows.unwrap_or_default()) {
                report.problem(|| format!("{key:?} differs from the events of the users"));
            }
            Ok(())
        })?;
        for ((event, shard, bucket), rows) in &self.tables {
            report.problem(|| {
                format!(
                    "{event:?} in {bucket:?} and {shard:?} of {partition:?} is missing, with {} events",
                    rows.len()
                )
            });
        }
        Ok(())
    }
}

fn is_table(table: &EventTable, mut expected: Vec<EventRow>) -> bool {
    let mut found = Vec::with_capacity(table.rows());
    table.for_each_offset(|row, offset| {
        let value = |property| Some((property, table.property(property)?.value(row)?));
        found.push(EventRow {
            offset,
            time_us: table.times().at(row),
            values: table.properties().filter_map(value).collect(),
        });
    });
    let key = |row: &EventRow| (row.offset, row.time_us, row.values.clone());
    expected.sort_by_key(key);
    found.sort_by_key(key);
    found == expected
}

/// Whether every id leads to an event, unless its kind was dropped.
fn check_ids(
    view: &View,
    partition: PartitionId,
    report: &mut VerifyReport,
) -> Result<(), StorageError> {
    scan::<EventIds>(view.snapshot(), &partition.to_bytes(), |key, event| {
        if view.schema().event_by_id(event).is_none() {
            return Ok(());
        }
        let location = Location {
            partition,
            user: key.user,
        };
        let mut found = false;
        view.for_each_event(location, event, |_: EventKey, details| {
            found |= details.id.as_deref() == Some(key.id);
            Ok(())
        })?;
        if !found {
            report.problem(|| format!("{key:?} leads to no event"));
        }
        Ok(())
    })
}
