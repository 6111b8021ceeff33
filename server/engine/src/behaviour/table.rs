//! The stored form of an event table, checked once and read in place.
//!
//! # Stored form
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the form: 1 |
//! | 4 | how many rows there are |
//! | 1 | how many blocks of the shard have rows |
//! | 5 for each of them, rising | the block's index in the shard (1), and how many rows there are up to its end (4) |
//! | 2 a row | the place of the row's user in the block |
//! | 1 | the unit of times: 0 microseconds, 1 milliseconds, 2 seconds |
//! | 1 | the width of a time in bytes: 0, 1, 2, 4 or 8 |
//! | 8 | the base of times in microseconds since 1970-01-01T00:00:00Z, signed |
//! | width a row | the times: base + code * unit |
//! | 1 | how many columns follow |
//! | for each, rising by property | a column |
//!
//! A column:
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | the property |
//! | 1 | the width of a code in bytes: 0, 1, 2, 4 or 8 |
//! | 1 | 0 when every row has a value, 1 when a set says which have |
//! | 8 | the base, signed |
//! | 0, or 1 for every 8 rows | the set, the first row in the lowest bit |
//! | width a row | the values: base + code; a row without a value has the code 0 |
//!
//! Everything is little-endian. Rows rise by user, then by time, then by their values, property
//! by property, a missing one first. A property that no row has a value of has no column.

use std::ops::Range;

use super::{build::Draft, error::EventTableError};
use crate::{
    column::{Codes, widen},
    ids::{AttributeId, BLOCK_BITS, SHARD_BLOCKS},
};

/// The first byte.
pub(super) const FORM: u8 = 1;
/// Rows of one table: a row takes memory while it is merged.
pub(super) const ROWS_MAX: u64 = 1 << 28;
/// Columns of one table.
pub(super) const COLUMNS_MAX: usize = 255;

/// Microseconds of the units of time, by the byte that names them.
pub(super) const UNITS_US: [i64; 3] = [1, 1_000, 1_000_000];

/// The events of one kind in one shard and bucket. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTable {
    bytes: Box<[u8]>,
    layout: Layout,
}

/// Where everything is in the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Layout {
    rows: usize,
    /// By block: the rows before its end.
    ends: [u32; SHARD_BLOCKS as usize],
    places: Range<usize>,
    unit_us: i64,
    times: Packed,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    property: AttributeId,
    present: Option<Range<usize>>,
    packed: Packed,
    /// The greatest code.
    code_max: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Packed {
    width: u8,
    base: i64,
    codes: Range<usize>,
}

/// When the events of a table were, by row.
#[derive(Debug, Clone, Copy)]
pub struct Times<'a> {
    /// The time of code 0, in microseconds.
    pub base_us: i64,
    /// Microseconds a code.
    pub unit_us: i64,
    /// The codes.
    pub codes: Codes<'a>,
}

impl Times<'_> {
    /// The time of a row in microseconds. Rows beyond the table have the base's.
    pub fn at(&self, row: usize) -> i64 {
        // Checked when the table was read.
        self.base_us
            .wrapping_add((code_at(self.codes, row) as i64).wrapping_mul(self.unit_us))
    }
}

/// A property of the events of a table, by row.
#[derive(Debug, Clone, Copy)]
pub struct PropertyColumn<'a> {
    /// The value of code 0.
    pub base: i64,
    /// No value has a greater code.
    pub code_max: u64,
    /// The codes.
    pub codes: Codes<'a>,
    /// Which rows have a value, the first in the lowest bit; all when `None`.
    pub present: Option<&'a [u8]>,
}

impl PropertyColumn<'_> {
    /// Whether a row has a value.
    pub fn is_present(&self, row: usize) -> bool {
        self.present.is_none_or(|set| {
            set.get(row / 8)
                .is_some_and(|byte| byte >> (row % 8) & 1 == 1)
        })
    }

    /// Visits the values of some rows, with their places in the list.
    pub fn for_rows(&self, rows: &[u32], mut visit: impl FnMut(usize, Option<i64>)) {
        // One loop a width: nothing is decided inside.
        match self.codes {
            Codes::Zero(_) => {
                for (place, row) in rows.iter().enumerate() {
                    visit(place, self.is_present(*row as usize).then_some(self.base));
                }
            }
            Codes::One(codes) => self.for_codes(codes, rows, visit),
            Codes::Two(codes) => self.for_codes(codes, rows, visit),
            Codes::Four(codes) => self.for_codes(codes, rows, visit),
            Codes::Eight(codes) => self.for_codes(codes, rows, visit),
        }
    }

    fn for_codes<const WIDTH: usize>(
        &self,
        codes: &[[u8; WIDTH]],
        rows: &[u32],
        mut visit: impl FnMut(usize, Option<i64>),
    ) {
        for (place, row) in rows.iter().enumerate() {
            let row = *row as usize;
            let code = codes.get(row).filter(|_| self.is_present(row));
            visit(
                place,
                code.map(|code| self.base.wrapping_add_unsigned(widen(*code))),
            );
        }
    }

    /// No value is further from zero.
    pub fn farthest(&self) -> u64 {
        let greatest = self.base.wrapping_add_unsigned(self.code_max);
        self.base.unsigned_abs().max(greatest.unsigned_abs())
    }

    /// The value of a row.
    pub fn value(&self, row: usize) -> Option<i64> {
        self.is_present(row)
            .then(|| self.base.wrapping_add_unsigned(code_at(self.codes, row)))
    }
}

/// A row's code; 0 beyond the last.
pub(super) fn code_at(codes: Codes<'_>, row: usize) -> u64 {
    fn one<const WIDTH: usize>(codes: &[[u8; WIDTH]], row: usize) -> u64 {
        codes.get(row).map_or(0, |code| widen(*code))
    }
    match codes {
        Codes::Zero(_) => 0,
        Codes::One(codes) => one(codes, row),
        Codes::Two(codes) => one(codes, row),
        Codes::Four(codes) => one(codes, row),
        Codes::Eight(codes) => one(codes, row),
    }
}

impl EventTable {
    /// No events.
    pub fn empty() -> Self {
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&[0; 16]);
        let layout = Layout {
            places: 6..6,
            unit_us: UNITS_US[0],
            times: Packed {
                codes: 16..16,
                ..Packed::default()
            },
            ..Layout::default()
        };
        Self {
            bytes: bytes.into_boxed_slice(),
            layout,
        }
    }

    /// Takes the stored form.
    ///
    /// # Errors
    /// When the bytes are not the whole, valid form of a table.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, EventTableError> {
        let layout = Layout::read(&bytes)?;
        let table = Self {
            bytes: bytes.into_boxed_slice(),
            layout,
        };
        table.check_order()?;
        Ok(table)
    }

    /// The events of several tables of one shard.
    ///
    /// # Errors
    /// When there are more than a table has room for.
    pub fn joined<'a>(tables: impl Iterator<Item = &'a Self>) -> Result<Self, EventTableError> {
        let mut draft = Draft::default();
        tables.for_each(|table| draft.append(table, &[]));
        Self::from_bytes(draft.build()?)
    }

    /// The stored form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.layout.columns.len() * size_of::<Column>()
    }

    /// How many events there are.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.layout.rows == 0
    }

    /// The rows of the users of a block of the shard.
    pub fn block_rows(&self, block: u32) -> Range<usize> {
        let end = |block: u32| self.layout.ends.get(block as usize).copied();
        let start = block.checked_sub(1).and_then(end).unwrap_or(0);
        start as usize..end(block).unwrap_or(start) as usize
    }

    /// By row, the place of the user in its block.
    pub fn places(&self) -> &[[u8; 2]] {
        self.bytes[self.layout.places.clone()].as_chunks().0
    }

    /// By row, when it was.
    pub fn times(&self) -> Times<'_> {
        Times {
            base_us: self.layout.times.base,
            unit_us: self.layout.unit_us,
            codes: self.codes(&self.layout.times),
        }
    }

    /// The properties that some row has a value of, rising.
    pub fn properties(&self) -> impl Iterator<Item = AttributeId> + '_ {
        self.layout.columns.iter().map(|column| column.property)
    }

    /// A property; `None` when no row has a value of it.
    pub fn property(&self, property: AttributeId) -> Option<PropertyColumn<'_>> {
        let columns = &self.layout.columns;
        let place = columns.binary_search_by_key(&property, |column| column.property);
        let column = columns.get(place.ok()?)?;
        Some(PropertyColumn {
            base: column.packed.base,
            code_max: column.code_max,
            codes: self.codes(&column.packed),
            present: column.present.clone().map(|range| &self.bytes[range]),
        })
    }

    fn codes(&self, packed: &Packed) -> Codes<'_> {
        let bytes = &self.bytes[packed.codes.clone()];
        match packed.width {
            1 => Codes::One(bytes.as_chunks().0),
            2 => Codes::Two(bytes.as_chunks().0),
            4 => Codes::Four(bytes.as_chunks().0),
            8 => Codes::Eight(bytes.as_chunks().0),
            // At most `ROWS_MAX` rows.
            _ => Codes::Zero(self.layout.rows as u32),
        }
    }

    /// Visits the rows with their offsets in the shard.
    pub fn for_each_offset(&self, mut visit: impl FnMut(usize, u32)) {
        let places = self.places();
        for block in 0..SHARD_BLOCKS {
            for row in self.block_rows(block) {
                let place = places
                    .get(row)
                    .map_or(0, |place| u16::from_le_bytes(*place));
                visit(row, block << BLOCK_BITS | u32::from(place));
            }
        }
    }

    /// Whether users and times rise.
    fn check_order(&self) -> Result<(), EventTableError> {
        let times = self.times();
        let mut before: Option<(u32, i64)> = None;
        let mut wrong = None;
        self.for_each_offset(|row, offset| {
            let now = (offset, times.at(row));
            if before.is_some_and(|before| before > now) {
                wrong.get_or_insert(row);
            }
            before = Some(now);
        });
        wrong.map_or(Ok(()), |row| Err(EventTableError::RowOrder(row)))
    }
}

/// Takes bytes off the front, and knows where they were.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, len: usize, what: &'static str) -> Result<Range<usize>, EventTableError> {
        let end = self.at.checked_add(len);
        match end.filter(|end| *end <= self.bytes.len()) {
            Some(end) => {
                let range = self.at..end;
                self.at = end;
                Ok(range)
            }
            None => Err(EventTableError::Truncated(what)),
        }
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], EventTableError> {
        let range = self.take(N, what)?;
        let bytes = self.bytes[range].first_chunk::<N>();
        bytes.copied().ok_or(EventTableError::Truncated(what))
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, EventTableError> {
        Ok(self.array::<1>(what)?[0])
    }
}

impl Layout {
    fn read(bytes: &[u8]) -> Result<Self, EventTableError> {
        let mut cursor = Cursor { bytes, at: 0 };
        let form = cursor.byte("form")?;
        if form != FORM {
            return Err(EventTableError::UnknownForm(form));
        }
        let rows = u32::from_le_bytes(cursor.array("rows")?);
        if u64::from(rows) > ROWS_MAX {
            return Err(EventTableError::TooManyRows(rows.into()));
        }
        let ends = read_ends(&mut cursor, rows)?;
        let rows = rows as usize;
        let places = cursor.take(rows * 2, "places")?;
        let (unit_us, times) = read_times(&mut cursor, rows)?;
        let mut columns: Vec<Column> = Vec::new();
        for _ in 0..cursor.byte("columns")? {
            let column = read_column(&mut cursor, rows)?;
            if columns
                .last()
                .is_some_and(|last| last.property >= column.property)
            {
                return Err(EventTableError::ColumnOrder);
            }
            columns.push(column);
        }
        if cursor.at != bytes.len() {
            return Err(EventTableError::TrailingBytes(bytes.len() - cursor.at));
        }
        Ok(Self {
            rows,
            ends,
            places,
            unit_us,
            times,
            columns,
        })
    }
}

fn read_ends(
    cursor: &mut Cursor<'_>,
    rows: u32,
) -> Result<[u32; SHARD_BLOCKS as usize], EventTableError> {
    let mut ends = [0; SHARD_BLOCKS as usize];
    let (mut next_block, mut end_before) = (0, 0);
    for _ in 0..cursor.byte("blocks")? {
        let block = usize::from(cursor.byte("blocks")?);
        let end = u32::from_le_bytes(cursor.array("blocks")?);
        if block < next_block || block >= ends.len() || end <= end_before {
            return Err(EventTableError::Blocks);
        }
        ends[next_block..block].fill(end_before);
        ends[block] = end;
        (next_block, end_before) = (block + 1, end);
    }
    ends[next_block..].fill(end_before);
    if end_before == rows {
        Ok(ends)
    } else {
        Err(EventTableError::Blocks)
    }
}

fn read_times(cursor: &mut Cursor<'_>, rows: usize) -> Result<(i64, Packed), EventTableError> {
    let unit = cursor.byte("times")?;
    let unit_us = UNITS_US
        .get(usize::from(unit))
        .copied()
        .ok_or(EventTableError::Unit(unit))?;
    let width = cursor.byte("times")?;
    let base = i64::from_le_bytes(cursor.array("times")?);
    let packed = read_codes(cursor, rows, width, base)?;
    let code = greatest(cursor.bytes, &packed);
    let top = i64::try_from(code)
        .ok()
        .and_then(|code| code.checked_mul(unit_us))
        .and_then(|distance| base.checked_add(distance));
    match top {
        Some(_) => Ok((unit_us, packed)),
        None => Err(EventTableError::Overflow { base, code }),
    }
}

fn read_column(cursor: &mut Cursor<'_>, rows: usize) -> Result<Column, EventTableError> {
    let property = AttributeId(u32::from_le_bytes(cursor.array("column")?));
    let width = cursor.byte("column")?;
    let presence = cursor.byte("column")?;
    let base = i64::from_le_bytes(cursor.array("column")?);
    let present = match presence {
        0 => None,
        1 => Some(cursor.take(rows.div_ceil(8), "presence")?),
        presence => return Err(EventTableError::Presence(presence)),
    };
    let packed = read_codes(cursor, rows, width, base)?;
    let code_max = greatest(cursor.bytes, &packed);
    if base.checked_add_unsigned(code_max).is_none() {
        return Err(EventTableError::Overflow {
            base,
            code: code_max,
        });
    }
    Ok(Column {
        property,
        present,
        packed,
        code_max,
    })
}

fn read_codes(
    cursor: &mut Cursor<'_>,
    rows: usize,
    width: u8,
    base: i64,
) -> Result<Packed, EventTableError> {
    if !matches!(width, 0 | 1 | 2 | 4 | 8) {
        return Err(EventTableError::Width(width));
    }
    let codes = cursor.take(rows * usize::from(width), "codes")?;
    Ok(Packed { width, base, codes })
}

fn greatest(bytes: &[u8], packed: &Packed) -> u64 {
    fn of<const WIDTH: usize>(bytes: &[u8]) -> u64 {
        let codes: &[[u8; WIDTH]] = bytes.as_chunks().0;
        codes.iter().map(|code| widen(*code)).fold(0, u64::max)
    }
    let bytes = &bytes[packed.codes.clone()];
    match packed.width {
        1 => of::<1>(bytes),
        2 => of::<2>(bytes),
        4 => of::<4>(bytes),
        8 => of::<8>(bytes),
        _ => 0,
    }
}
