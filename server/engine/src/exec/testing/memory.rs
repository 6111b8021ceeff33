//! A data set built from users' records, with every row and column derived from them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::ControlFlow,
    sync::Arc,
};

use crate::{
    behaviour::{Bucket, EventDelta, EventRow, EventTable, Extent, merge_full, month_of_day},
    bitmap::{Fragment, magnitude},
    column::ColumnBlock,
    exec::dataset::Dataset,
    ids::{
        AttributeId, BlockId, EventId, Location, NumberId, PartitionId, RowId, ShardId, SliceRow,
        UserId,
    },
    schema::{AttributeKind, Schema},
    storage::{Heading, StorageError, StoredValue, TextsFrom, UserEvent, UserRecord},
    time::day_of_micros,
    user_keys::PackedKeys,
};

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) key: String,
    pub(crate) location: Location,
    pub(crate) record: UserRecord,
}

#[derive(Debug)]
pub(crate) struct MemoryDataset {
    schema: Arc<Schema>,
    partitions: u16,
    users: BTreeMap<Location, User>,
    fragments: HashMap<(PartitionId, ShardId, RowId), Arc<Fragment>>,
    columns: HashMap<(PartitionId, AttributeId, BlockId), Arc<ColumnBlock>>,
    events: BTreeMap<Location, Vec<UserEvent>>,
    extents: HashMap<(PartitionId, EventId), Extent>,
    tables: HashMap<(PartitionId, ShardId, EventId, Bucket), Arc<EventTable>>,
}

impl MemoryDataset {
    pub(crate) fn new(schema: Schema, partitions: u16, users: Vec<User>) -> Self {
        let mut users: BTreeMap<Location, User> = users
            .into_iter()
            .map(|user| (user.location, user))
            .collect();
        let inviters = inviters(&schema, &mut users);
        let mut rows: HashMap<(PartitionId, ShardId, RowId), Vec<u32>> = HashMap::new();
        let mut entries: HashMap<(PartitionId, AttributeId, BlockId), Vec<(u16, i64)>> =
            HashMap::new();
        for user in users.values() {
            let Location {
                partition,
                user: id,
            } = user.location;
            for row in rows_of(&user.record) {
                rows.entry((partition, id.shard(), row))
                    .or_default()
                    .push(id.offset());
            }
            for (attribute, value) in &user.record.values {
                let number = match value {
                    StoredValue::Code(code) => i64::from(code.0),
                    StoredValue::Number(number) => *number,
                    StoredValue::Codes(_) | StoredValue::Text(_) => continue,
                };
                let column = entries
                    .entry((partition, *attribute, id.block()))
                    .or_default();
                column.push((id.block_offset(), number));
            }
        }
        for (attribute, location, inviter) in inviters {
            let Location { partition, user } = location;
            let key = (partition, attribute, user.block());
            let entry = (user.block_offset(), inviter.to_number(partitions));
            entries.entry(key).or_default().push(entry);
        }
        let fragment = |offsets| Arc::new(Fragment::from_sorted(offsets).expect("offsets rise"));
        Self {
            schema: Arc::new(schema),
            partitions,
            users,
            fragments: rows
                .into_iter()
                .map(|(key, offsets)| (key, fragment(offsets)))
                .collect(),
            columns: entries
                .into_iter()
                .map(|(key, column)| (key, Arc::new(ColumnBlock::from_entries(column))))
                .collect(),
            events: BTreeMap::new(),
            extents: HashMap::new(),
            tables: HashMap::new(),
        }
    }

    /// Where the users are.
    pub(crate) fn locations(&self) -> Vec<Location> {
        self.users.keys().copied().collect()
    }

    /// The same with what the users did, months before one of them rolled up.
    pub(crate) fn with_events(
        mut self,
        rolled_until: i32,
        events: BTreeMap<Location, Vec<UserEvent>>,
    ) -> Self {
        let mut rows: HashMap<(PartitionId, ShardId, RowId), BTreeSet<u32>> = HashMap::new();
        let mut deltas: HashMap<(PartitionId, ShardId, EventId, Bucket), EventDelta> =
            HashMap::new();
        for (location, event) in each(&events) {
            let Location { partition, user } = location;
            let (kind, day) = (event.event, day_of_micros(event.time_us));
            let extent = self.extents.entry((partition, kind));
            let extent = extent.or_insert_with(|| Extent::of_day(day));
            extent.include(day);
            extent.rolled_until = rolled_until;
            let bucket = extent.bucket(day);
            let of_day = matches!(bucket, Bucket::Day(_)).then_some(RowId::DidOnDay(kind, day));
            let of_month = RowId::DidInMonth(kind, month_of_day(day));
            for row in [RowId::Did(kind), of_month].into_iter().chain(of_day) {
                let row = rows.entry((partition, user.shard(), row)).or_default();
                row.insert(user.offset());
            }
            let delta = deltas.entry((partition, user.shard(), kind, bucket));
            let row = EventRow {
                offset: user.offset(),
                time_us: event.time_us,
                values: event.details.numbers(),
            };
            delta
                .or_default()
                .add(&row)
                .expect("offsets are in a shard");
        }
        for (key, offsets) in rows {
            let fragment = Fragment::from_sorted(offsets).expect("offsets rise");
            self.fragments.insert(key, Arc::new(fragment));
        }
        for (key, delta) in deltas {
            let delta = delta.encode().expect("few events");
            let bytes = merge_full(None, [delta.as_slice()].into_iter()).expect("a whole delta");
            let table = EventTable::from_bytes(bytes).expect("a whole table");
            self.tables.insert(key, Arc::new(table));
        }
        self.events = events;
        self
    }
}

/// Who is invited by whom. As in the store, inviters exist: who names another is made to name
/// nobody.
fn inviters(
    schema: &Schema,
    users: &mut BTreeMap<Location, User>,
) -> Vec<(AttributeId, Location, Location)> {
    let places: HashMap<String, Location> = users
        .values()
        .map(|user| (user.key.clone(), user.location))
        .collect();
    let mut found = Vec::new();
    let attributes = schema.attributes_by_id();
    for attribute in attributes.filter(|attribute| attribute.kind == AttributeKind::Inviter) {
        for user in users.values_mut() {
            let Some(StoredValue::Text(key)) = user.record.value(attribute.id) else {
                continue;
            };
            match places.get(key) {
                Some(inviter) => found.push((attribute.id, user.location, *inviter)),
                None => drop(user.record.set_value(attribute.id, None)),
            }
        }
    }
    found
}

fn each(
    events: &BTreeMap<Location, Vec<UserEvent>>,
) -> impl Iterator<Item = (Location, &UserEvent)> {
    let of_user = |(location, events): (&Location, _)| (*location, events);
    let users = events.iter().map(of_user);
    users.flat_map(|(location, events): (Location, &Vec<UserEvent>)| {
        events.iter().map(move |event| (location, event))
    })
}

fn rows_of(record: &UserRecord) -> Vec<RowId> {
    let mut rows = vec![RowId::Users];
    rows.extend(record.tags.iter().map(|tag| RowId::Tag(*tag)));
    rows.extend(record.blocked().iter().map(|tag| RowId::Blocked(*tag)));
    for (tag, since_s, until_s) in record.timed() {
        rows.extend(rows_of_number(NumberId::Since(tag), since_s));
        rows.extend(
            until_s
                .into_iter()
                .flat_map(|s| rows_of_number(NumberId::Until(tag), s)),
        );
    }
    for (attribute, value) in &record.values {
        rows.push(RowId::Present(*attribute));
        match value {
            StoredValue::Code(code) => rows.push(RowId::Value(*attribute, *code)),
            StoredValue::Codes(codes) => {
                rows.extend(codes.iter().map(|code| RowId::Value(*attribute, *code)));
            }
            StoredValue::Number(number) => {
                rows.pop();
                rows.extend(rows_of_number((*attribute).into(), *number));
            }
            StoredValue::Text(_) => {}
        }
    }
    rows
}

fn rows_of_number(number: NumberId, value: i64) -> Vec<RowId> {
    let mut rows = vec![number.row(SliceRow::Present)];
    rows.extend((value < 0).then_some(number.row(SliceRow::Sign)));
    let bits = magnitude(value);
    let bits = (0..63).filter(|bit| bits >> bit & 1 == 1);
    rows.extend(bits.map(|bit| number.row(SliceRow::Bit(bit))));
    rows
}

impl Dataset for MemoryDataset {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn partition_count(&self) -> u16 {
        self.partitions
    }

    fn shard_count(&self, partition: PartitionId) -> Result<u16, StorageError> {
        let last = self
            .users
            .keys()
            .filter(|location| location.partition == partition)
            .max();
        Ok(last.map_or(0, |location| location.user.shard().0 + 1))
    }

    fn block_count(&self, partition: PartitionId) -> Result<u32, StorageError> {
        let last = self
            .users
            .keys()
            .filter(|location| location.partition == partition)
            .max();
        Ok(last.map_or(0, |location| u32::from(location.user.block().0) + 1))
    }

    fn fragment(
        &self,
        partition: PartitionId,
        shard: ShardId,
        row: RowId,
    ) -> Result<Arc<Fragment>, StorageError> {
        let found = self.fragments.get(&(partition, shard, row)).cloned();
        Ok(found.unwrap_or_else(|| Arc::new(Fragment::empty())))
    }

    fn column(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        block: BlockId,
    ) -> Result<Arc<ColumnBlock>, StorageError> {
        let found = self.columns.get(&(partition, attribute, block)).cloned();
        Ok(found.unwrap_or_else(|| Arc::new(ColumnBlock::empty())))
    }

    fn keys(
        &self,
        partition: PartitionId,
        users: &[UserId],
        keys: &mut PackedKeys,
    ) -> Result<(), StorageError> {
        for user in users {
            let found = self.users.get(&Location {
                partition,
                user: *user,
            });
            let missing = StorageError::MissingUser {
                partition,
                user: *user,
            };
            keys.push(&found.ok_or(missing)?.key);
        }
        Ok(())
    }

    fn locate(&self, key: &str) -> Result<Option<Location>, StorageError> {
        Ok(self
            .users
            .values()
            .find(|user| user.key == key)
            .map(|user| user.location))
    }

    fn record(&self, location: Location) -> Result<Option<UserRecord>, StorageError> {
        Ok(self.users.get(&location).map(|user| user.record.clone()))
    }

    fn event_extent(
        &self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<Option<Extent>, StorageError> {
        Ok(self.extents.get(&(partition, event)).copied())
    }

    fn event_table(
        &self,
        partition: PartitionId,
        shard: ShardId,
        event: EventId,
        bucket: Bucket,
    ) -> Result<Arc<EventTable>, StorageError> {
        let found = self.tables.get(&(partition, shard, event, bucket)).cloned();
        Ok(found.unwrap_or_else(|| Arc::new(EventTable::empty())))
    }

    fn user_events(&self, location: Location) -> Result<Vec<UserEvent>, StorageError> {
        Ok(self.events.get(&location).cloned().unwrap_or_default())
    }

    fn text_matches(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        text: &str,
    ) -> Result<Vec<UserId>, StorageError> {
        let wanted = StoredValue::Text(text.to_owned());
        let matching = self.users.values().filter(|user| {
            user.location.partition == partition && user.record.value(attribute) == Some(&wanted)
        });
        Ok(matching.map(|user| user.location.user).collect())
    }

    fn walk_texts(
        &self,
        partition: PartitionId,
        from: TextsFrom<'_>,
        visit: &mut dyn FnMut(&str, UserId) -> ControlFlow<()>,
    ) -> Result<(), StorageError> {
        let text = |user: &User| match user.record.value(from.attribute) {
            Some(StoredValue::Text(text)) => Some(text.clone()),
            Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => {
                None
            }
        };
        let users = self.users.values();
        let here = users.filter(|user| user.location.partition == partition);
        let texts: BTreeSet<(String, UserId)> = here
            .filter_map(|user| Some((text(user)?, user.location.user)))
            .collect();
        let mut show = |(text, user): &(String, UserId)| visit(text, *user);
        let is_before = |(text, _): &&(String, UserId)| match (from.heading, from.text) {
            (_, None) => false,
            (Heading::Rising, Some(first)) => text.as_str() < first,
            (Heading::Falling, Some(first)) => text.as_str() > first,
        };
        let _ = match from.heading {
            Heading::Rising => texts.iter().skip_while(is_before).try_for_each(&mut show),
            Heading::Falling => texts
                .iter()
                .rev()
                .skip_while(is_before)
                .try_for_each(&mut show),
        };
        Ok(())
    }

    fn for_each_user(
        &self,
        partition: PartitionId,
        visit: &mut dyn FnMut(UserId, &str, &UserRecord),
    ) -> Result<(), StorageError> {
        for user in self
            .users
            .values()
            .filter(|user| user.location.partition == partition)
        {
            visit(user.location.user, &user.key, &user.record);
        }
        Ok(())
    }
}
