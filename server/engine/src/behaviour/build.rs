//! Lays events out as a table in as few bytes as they need.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{
    error::EventTableError,
    table::{COLUMNS_MAX, EventTable, FORM, ROWS_MAX, UNITS_US},
};
use crate::ids::{AttributeId, BLOCK_BITS, SHARD_BLOCKS, SHARD_USERS};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The user's offset in the shard.
    pub offset: u32,
    /// When, in microseconds since 1970-01-01T00:00:00Z.
    pub time_us: i64,
    /// The values of its properties, each at most once.
    pub values: Vec<(AttributeId, i64)>,
}

/// Events while a table is made of them, column by column.
#[derive(Debug, Default)]
pub(super) struct Draft {
    offsets: Vec<u32>,
    times: Vec<i64>,
    columns: BTreeMap<AttributeId, Values>,
}

/// The values of one property; rows after the last have none.
#[derive(Debug, Default)]
struct Values {
    values: Vec<i64>,
    present: Vec<bool>,
}

impl Values {
    fn get(&self, row: usize) -> Option<i64> {
        let is_present = self.present.get(row).copied().unwrap_or(false);
        is_present.then(|| self.values.get(row).copied()).flatten()
    }

    fn set(&mut self, row: usize, value: i64) {
        self.values.resize(row, 0);
        self.present.resize(row, false);
        self.values.push(value);
        self.present.push(true);
    }
}

impl Draft {
    pub(super) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Adds an event.
    pub(super) fn push(&mut self, row: &EventRow) -> Result<(), EventTableError> {
        if row.offset >= SHARD_USERS {
            return Err(EventTableError::OffsetBeyondShard(row.offset.into()));
        }
        let place = self.offsets.len();
        self.offsets.push(row.offset);
        self.times.push(row.time_us);
        for (property, value) in &row.values {
            self.columns
                .entry(*property)
                .or_default()
                .set(place, *value);
        }
        Ok(())
    }

    /// Adds the events of a table, but for those of some users, who are sorted.
    pub(super) fn append(&mut self, table: &EventTable, without: &[u32]) {
        let times = table.times();
        let first = self.offsets.len();
        let mut kept: Vec<usize> = Vec::with_capacity(table.rows());
        table.for_each_offset(|row, offset| {
            if without.binary_search(&offset).is_err() {
                self.offsets.push(offset);
                self.times.push(times.at(row));
                kept.push(row);
            }
        });
        for property in table.properties() {
            let Some(column) = table.property(property) else {
                continue;
            };
            let values = self.columns.entry(property).or_default();
            for (place, row) in (first..).zip(&kept) {
                if let Some(value) = column.value(*row) {
                    values.set(place, value);
                }
            }
        }
    }

    /// The stored form.
    pub(super) fn build(&self) -> Result<Vec<u8>, EventTableError> {
        let rows = self.offsets.len() as u64;
        if rows > ROWS_MAX {
            return Err(EventTableError::TooManyRows(rows));
        }
        let order = self.order();
        let mut bytes = vec![FORM];
        // Below `ROWS_MAX`.
        bytes.extend_from_slice(&(rows as u32).to_le_bytes());
        self.write_blocks(&order, &mut bytes);
        for &row in &order {
            // The low 16 bits are the place in the block.
            bytes.extend_from_slice(&(self.offsets[row] as u16).to_le_bytes());
        }
        self.write_times(&order, &mut bytes);
        self.write_columns(&order, &mut bytes)?;
        Ok(bytes)
    }

    /// The rows as they will stand.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.offsets.len()).collect();
        let key = |row: usize| (self.offsets[row], self.times[row]);
        order.sort_by(|left, right| {
            key(*left)
                .cmp(&key(*right))
                .then_with(|| self.compare_values(*left, *right))
        });
        order
    }

    fn compare_values(&self, left: usize, right: usize) -> Ordering {
        let by_property = |values: &Values| values.get(left).cmp(&values.get(right));
        let mut orders = self.columns.values().map(by_property);
        orders
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn write_blocks(&self, order: &[usize], bytes: &mut Vec<u8>) {
        let mut counts = [0_u32; SHARD_BLOCKS as usize];
        for &row in order {
            counts[(self.offsets[row] >> BLOCK_BITS) as usize] += 1;
        }
        let used = counts.iter().filter(|count| **count > 0).count();
        // A shard has 16 blocks.
        bytes.push(used as u8);
        let mut end = 0;
        for (block, count) in (0_u8..).zip(counts) {
            if count > 0 {
                end += count;
                bytes.push(block);
                bytes.extend_from_slice(&end.to_le_bytes());
            }
        }
    }

    fn write_times(&self, order: &[usize], bytes: &mut Vec<u8>) {
        let base = self.times.iter().copied().min().unwrap_or(0);
        let distance = |time: i64| time.wrapping_sub(base) as u64;
        let is_whole = |unit: &i64| {
            let mut times = self.times.iter();
            times.all(|time| distance(*time) % (*unit as u64) == 0)
        };
        let unit = match order {
            [] => 0,
            [..] => UNITS_US.iter().rposition(is_whole).unwrap_or(0),
        };
        let unit_us = UNITS_US[unit] as u64;
        let top = self
            .times
            .iter()
            .map(|time| distance(*time) / unit_us)
            .max();
        let width = width_of(top.unwrap_or(0));
        bytes.push(unit as u8);
        bytes.push(width as u8);
        bytes.extend_from_slice(&base.to_le_bytes());
        let codes = order.iter().map(|row| distance(self.times[*row]) / unit_us);
        write_codes(codes, width, bytes);
    }

    fn write_columns(&self, order: &[usize], bytes: &mut Vec<u8>) -> Result<(), EventTableError> {
        let has_value = |values: &&Values| values.present.iter().any(|present| *present);
        let count = self.columns.values().filter(has_value).count();
        if count > COLUMNS_MAX {
            return Err(EventTableError::TooManyColumns(count));
        }
        bytes.push(count as u8);
        for (property, values) in self.columns.iter().filter(|(_, values)| has_value(values)) {
            bytes.extend_from_slice(&property.0.to_le_bytes());
            write_column(values, order, bytes);
        }
        Ok(())
    }
}

fn write_column(values: &Values, order: &[usize], bytes: &mut Vec<u8>) {
    let in_order = || order.iter().map(|row| values.get(*row));
    let (least, most) = in_order()
        .flatten()
        .fold((i64::MAX, i64::MIN), |(least, most), value| {
            (least.min(value), most.max(value))
        });
    let distance = |value: i64| value.wrapping_sub(least) as u64;
    let width = width_of(distance(most));
    let is_whole = in_order().all(|value| value.is_some());
    bytes.push(width as u8);
    bytes.push(u8::from(!is_whole));
    bytes.extend_from_slice(&least.to_le_bytes());
    if !is_whole {
        let start = bytes.len();
        bytes.resize(start + order.len().div_ceil(8), 0);
        for (row, value) in in_order().enumerate() {
            bytes[start + row / 8] |= u8::from(value.is_some()) << (row % 8);
        }
    }
    write_codes(
        in_order().map(|value| value.map_or(0, distance)),
        width,
        bytes,
    );
}

/// The bytes that a code needs.
fn width_of(code_max: u64) -> usize {
    match code_max {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

fn write_codes(codes: impl Iterator<Item = u64>, width: usize, bytes: &mut Vec<u8>) {
    for code in codes {
        bytes.extend_from_slice(&code.to_le_bytes()[..width]);
    }
}
