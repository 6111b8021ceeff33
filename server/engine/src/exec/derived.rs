//! A data set with numbers that are derived on a day: whole years since the days of users.
//!
//! What is derived reads as if it were stored. Expressions do not come here: they are about the
//! days themselves. Does not know what is asked.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Arc, OnceLock},
};

use super::dataset::Dataset;
use crate::{
    behaviour::{Bucket, EventTable, Extent},
    bitmap::{Block, Fragment, NumberSlices, magnitude},
    column::ColumnBlock,
    ids::{
        AttributeId, BLOCK_BITS, BlockId, EventId, Location, NumberId, PartitionId, RowId,
        SHARD_BLOCKS, ShardId, SliceRow, UserId,
    },
    plan::logical::DayUnit,
    schema::{AttributeKind, Schema},
    storage::{StorageError, StoredValue, TextsFrom, UserEvent, UserRecord},
    time::{day_of_micros, micros_of_timestamp, years_between},
    user_keys::PackedKeys,
};

/// Days before the day of the question whose years are kept in a table: a bit more than a life.
const TABLE_DAYS: i32 = 128 * 366;

/// Another data set, and what is derived from it on a day.
pub(crate) struct Derived {
    inner: Arc<dyn Dataset>,
    attributes: Vec<YearsSince>,
    today: i32,
    /// How many years have passed since each of the days before today, today first.
    years: OnceLock<Vec<i64>>,
}

/// One derived attribute.
#[derive(Debug, Clone, Copy)]
struct YearsSince {
    id: AttributeId,
    base: AttributeId,
    unit: DayUnit,
}

impl Derived {
    /// The data set as it is where nothing is derived, else with what is.
    pub(crate) fn on(inner: Arc<dyn Dataset>, now: jiff::Timestamp) -> Arc<dyn Dataset> {
        let schema = inner.schema();
        let derived = schema.attributes_by_id().filter_map(|attribute| {
            let AttributeKind::YearsSince(base) = attribute.kind else {
                return None;
            };
            let unit = DayUnit::of(schema, base)?;
            let id = attribute.id;
            Some(YearsSince { id, base, unit })
        });
        let attributes: Vec<YearsSince> = derived.collect();
        if attributes.is_empty() {
            return inner;
        }
        Arc::new(Self {
            inner,
            attributes,
            today: day_of_micros(micros_of_timestamp(now)),
            years: OnceLock::new(),
        })
    }

    fn derivation(&self, attribute: AttributeId) -> Option<YearsSince> {
        let mut derived = self.attributes.iter();
        derived.find(|derived| derived.id == attribute).copied()
    }

    /// The whole years from a number's day to today.
    fn years(&self, unit: DayUnit, number: i64) -> Option<i64> {
        let day = unit.day(number);
        let years = self.years.get_or_init(|| {
            let days = (0..TABLE_DAYS).map(|back| self.today.checked_sub(back));
            days.map_while(|day| years_between(day?, self.today))
                .collect()
        });
        let back = self.today.checked_sub(day);
        let back = back.and_then(|back| usize::try_from(back).ok());
        match back.and_then(|back| years.get(back)) {
            Some(years) => Some(*years),
            None => years_between(day, self.today),
        }
    }

    /// Visits the users of a block with their years.
    fn for_each_years(
        &self,
        partition: PartitionId,
        block: BlockId,
        YearsSince { base, unit, .. }: YearsSince,
        mut visit: impl FnMut(u16, i64),
    ) -> Result<(), StorageError> {
        let days = self.inner.column(partition, base, block)?;
        days.for_each(&Block::full(), |place, number| {
            if let Some(years) = number.and_then(|number| self.years(unit, number)) {
                visit(place, years);
            }
        });
        Ok(())
    }

    fn derive_slices(
        &self,
        partition: PartitionId,
        shard: ShardId,
        derived: YearsSince,
    ) -> Result<NumberSlices, StorageError> {
        let mut rows: BTreeMap<SliceRow, Vec<u32>> = BTreeMap::new();
        for block in 0..SHARD_BLOCKS {
            let first = block << BLOCK_BITS;
            self.for_each_years(partition, shard.block(block), derived, |place, years| {
                let mut put = |row| rows.entry(row).or_default().push(first | u32::from(place));
                put(SliceRow::Present);
                if years < 0 {
                    put(SliceRow::Sign);
                }
                let mut bits = magnitude(years);
                while bits != 0 {
                    // A number of 64 bits.
                    put(SliceRow::Bit(bits.trailing_zeros() as u8));
                    bits &= bits - 1;
                }
            })?;
        }
        NumberSlices::load(|row| match rows.remove(&row) {
            Some(offsets) => Fragment::from_sorted(offsets)
                .map(Arc::new)
                .map_err(|error| StorageError::Store(error.to_string())),
            None => Ok(Arc::new(Fragment::empty())),
        })
    }

    fn derive(&self, record: &mut UserRecord) {
        for YearsSince { id, base, unit } in &self.attributes {
            if let Some(StoredValue::Number(number)) = record.value(*base) {
                let years = self.years(*unit, *number).map(StoredValue::Number);
                record.set_value(*id, years);
            }
        }
    }
}

impl Dataset for Derived {
    fn schema(&self) -> &Arc<Schema> {
        self.inner.schema()
    }

    fn partition_count(&self) -> u16 {
        self.inner.partition_count()
    }

    fn shard_count(&self, partition: PartitionId) -> Result<u16, StorageError> {
        self.inner.shard_count(partition)
    }

    fn block_count(&self, partition: PartitionId) -> Result<u32, StorageError> {
        self.inner.block_count(partition)
    }

    /// Who has years has a day. The bits of years are asked for all at once, as slices.
    fn fragment(
        &self,
        partition: PartitionId,
        shard: ShardId,
        row: RowId,
    ) -> Result<Arc<Fragment>, StorageError> {
        let row = match row {
            RowId::Present(attribute) => {
                let base = self.derivation(attribute).map(|derived| derived.base);
                RowId::Present(base.unwrap_or(attribute))
            }
            RowId::Users
            | RowId::Tag(_)
            | RowId::Value(..)
            | RowId::Sign(_)
            | RowId::Slice(..)
            | RowId::Did(_)
            | RowId::DidInMonth(..)
            | RowId::DidOnDay(..)
            | RowId::Since(..)
            | RowId::Until(..)
            | RowId::Blocked(_) => row,
        };
        self.inner.fragment(partition, shard, row)
    }

    fn fragments(
        &self,
        partition: PartitionId,
        shard: ShardId,
        rows: &[RowId],
    ) -> Result<Vec<Arc<Fragment>>, StorageError> {
        // Expressions ask for stored rows only.
        self.inner.fragments(partition, shard, rows)
    }

    fn slices(
        &self,
        partition: PartitionId,
        shard: ShardId,
        number: NumberId,
    ) -> Result<NumberSlices, StorageError> {
        match number {
            NumberId::Attribute(attribute) => match self.derivation(attribute) {
                Some(derived) => self.derive_slices(partition, shard, derived),
                None => self.inner.slices(partition, shard, number),
            },
            NumberId::Since(_) | NumberId::Until(_) => self.inner.slices(partition, shard, number),
        }
    }

    fn column(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        block: BlockId,
    ) -> Result<Arc<ColumnBlock>, StorageError> {
        let Some(derived) = self.derivation(attribute) else {
            return self.inner.column(partition, attribute, block);
        };
        let mut entries = Vec::new();
        let note = |place, years| entries.push((place, years));
        self.for_each_years(partition, block, derived, note)?;
        Ok(Arc::new(ColumnBlock::from_entries(entries)))
    }

    fn number_alone(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        user: UserId,
    ) -> Result<Option<Option<i64>>, StorageError> {
        let Some(YearsSince { base, unit, .. }) = self.derivation(attribute) else {
            return self.inner.number_alone(partition, attribute, user);
        };
        let days = self.inner.column(partition, base, user.block())?;
        let number = days.value(user.block_offset());
        Ok(Some(number.and_then(|number| self.years(unit, number))))
    }

    fn keys(
        &self,
        partition: PartitionId,
        users: &[UserId],
        keys: &mut PackedKeys,
    ) -> Result<(), StorageError> {
        self.inner.keys(partition, users, keys)
    }

    fn locate(&self, key: &str) -> Result<Option<Location>, StorageError> {
        self.inner.locate(key)
    }

    fn record(&self, location: Location) -> Result<Option<UserRecord>, StorageError> {
        let mut record = self.inner.record(location)?;
        if let Some(record) = &mut record {
            self.derive(record);
        }
        Ok(record)
    }

    fn records(
        &self,
        partition: PartitionId,
        users: &[UserId],
    ) -> Result<Vec<UserRecord>, StorageError> {
        let mut records = self.inner.records(partition, users)?;
        records.iter_mut().for_each(|record| self.derive(record));
        Ok(records)
    }

    fn event_extent(
        &self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<Option<Extent>, StorageError> {
        self.inner.event_extent(partition, event)
    }

    fn event_table(
        &self,
        partition: PartitionId,
        shard: ShardId,
        event: EventId,
        bucket: Bucket,
    ) -> Result<Arc<EventTable>, StorageError> {
        self.inner.event_table(partition, shard, event, bucket)
    }

    fn user_events(&self, location: Location) -> Result<Vec<UserEvent>, StorageError> {
        self.inner.user_events(location)
    }

    fn text_matches(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        text: &str,
    ) -> Result<Vec<UserId>, StorageError> {
        self.inner.text_matches(partition, attribute, text)
    }

    fn walk_texts(
        &self,
        partition: PartitionId,
        from: TextsFrom<'_>,
        visit: &mut dyn FnMut(&str, UserId) -> ControlFlow<()>,
    ) -> Result<(), StorageError> {
        self.inner.walk_texts(partition, from, visit)
    }

    fn for_each_user(
        &self,
        partition: PartitionId,
        visit: &mut dyn FnMut(UserId, &str, &UserRecord),
    ) -> Result<(), StorageError> {
        self.inner
            .for_each_user(partition, &mut |user, key, record| {
                let mut record = record.clone();
                self.derive(&mut record);
                visit(user, key, &record);
            })
    }
}
