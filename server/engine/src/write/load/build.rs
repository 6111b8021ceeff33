//! From new users to the bytes of their records, rows, columns and texts.
//!
//! What `derive` works out change by change, gathered column by column: all here is new, so
//! bits are only set. Everything comes in the order of ids, which is the order it is stored in.

use std::collections::BTreeMap;

use crate::{
    bitmap::{FragmentDelta, FragmentError},
    column::ColumnDelta,
    error::Error,
    ids::{
        AttributeId, BlockId, NumberId, PartitionId, RowId, ShardId, SliceRow, TagId, UserId,
        ValueCode,
    },
    storage::{ColumnKey, FormatError, FragmentKey, RecordWriter, StoredValue, TextKey},
    write::load::{
        newcomers::{Newcomer, Newcomers},
        rows::RowColumn,
    },
};

/// Slices of a number.
const SLICE_BITS: usize = 63;

/// What new users of one partition bring to the store.
pub(super) struct Built<'a> {
    pub(super) partition: PartitionId,
    /// By key.
    pub(super) ids: Vec<(&'a str, UserId)>,
    /// By id, as are the records.
    pub(super) keys: Vec<(UserId, &'a str)>,
    pub(super) records: Records,
    pub(super) fragments: Vec<(FragmentKey, Vec<u8>)>,
    pub(super) columns: Vec<(ColumnKey, Vec<u8>)>,
    pub(super) texts: Vec<TextKey<'static>>,
}

/// The bytes of records, one after the other.
#[derive(Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Records {
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .map(|(start, end)| self.bytes.get(*start..*end).unwrap_or(&[]))
    }
}

/// Builds what newcomers of one partition bring; those of later loads have greater ids.
pub(super) fn build(partition: PartitionId, loads: &[Newcomers]) -> Result<Built<'_>, Error> {
    let internal = |error: FormatError| Error::Internal(error.to_string());
    let mut gathered = Gathered::default();
    let mut records = Records::default();
    let mut ids: Vec<(&str, UserId)> = Vec::new();
    let mut keys = Vec::new();
    for newcomers in loads {
        write_records(newcomers, &mut records).map_err(internal)?;
        gathered.add(newcomers);
        ids.extend(newcomers.keys_with_ids());
        keys.extend(newcomers.iter().map(|Newcomer { row, id, .. }| {
            let key = newcomers.rows.keys.at(row as usize).unwrap_or("");
            (id, key)
        }));
    }
    if loads.len() > 1 {
        ids.sort_unstable();
    }
    let misfit = |error: FragmentError| Error::Internal(error.to_string());
    let fragments = gathered.fragments(partition).map_err(misfit)?;
    let columns = gathered.columns(partition);
    let texts = gathered.texts(partition);
    Ok(Built {
        partition,
        ids,
        keys,
        records,
        fragments,
        columns,
        texts,
    })
}

fn write_records(newcomers: &Newcomers, records: &mut Records) -> Result<(), FormatError> {
    let mut columns: Vec<(AttributeId, Cursor<'_>)> = newcomers
        .rows
        .columns
        .iter()
        .filter_map(|column| Some((column.attribute()?, Cursor { column, next: 0 })))
        .collect();
    columns.sort_unstable_by_key(|(attribute, _)| *attribute);
    let mut writer = RecordWriter::default();
    for user in newcomers.iter() {
        for (attribute, cursor) in &mut columns {
            cursor.write(*attribute, user.row, &mut writer)?;
        }
        writer.finish(user.tags, user.terms, &mut records.bytes)?;
        records.ends.push(records.bytes.len());
    }
    Ok(())
}

/// Reads a column row by row, rising.
struct Cursor<'a> {
    column: &'a RowColumn,
    /// The next entry of a column that has none for some rows.
    next: usize,
}

impl Cursor<'_> {
    /// Adds a row's value to the record, if it has one.
    fn write(
        &mut self,
        attribute: AttributeId,
        row: u32,
        writer: &mut RecordWriter,
    ) -> Result<(), FormatError> {
        match self.column {
            RowColumn::Values { .. } => match self.column.stored(row as usize) {
                Some(value) => writer.push(attribute, value),
                None => Ok(()),
            },
            RowColumn::Numbers { rows, numbers, .. } => {
                while rows.get(self.next).is_some_and(|with| *with < row) {
                    self.next += 1;
                }
                match (rows.get(self.next), numbers.get(self.next)) {
                    (Some(with), Some(number)) if *with == row => {
                        writer.push_number(attribute, *number)
                    }
                    _ => Ok(()),
                }
            }
            RowColumn::Added { .. } => match self.column.added(row as usize) {
                Some((_, codes)) => writer.push(attribute, &StoredValue::Codes(codes.to_vec())),
                None => Ok(()),
            },
            RowColumn::Tags { .. } | RowColumn::Holdings { .. } | RowColumn::Taken { .. } => Ok(()),
        }
    }
}

/// What new users have, by row of the bit matrix and by attribute. All lists rise by id.
#[derive(Default)]
struct Gathered {
    users: Vec<u32>,
    /// Tags and their holders.
    tags: Vec<(u32, u32)>,
    /// When timed holdings start and end.
    timed: BTreeMap<NumberId, GatheredNumber>,
    attributes: BTreeMap<AttributeId, GatheredAttribute>,
}

#[derive(Default)]
struct GatheredAttribute {
    number: GatheredNumber,
    /// Codes and who has them.
    codes: Vec<(u32, u32)>,
    /// Codes or numbers by user.
    entries: Vec<(u32, i64)>,
    texts: Vec<(String, u32)>,
}

/// The slices of a number; of attributes of other types just who has a value.
#[derive(Default)]
struct GatheredNumber {
    present: Vec<u32>,
    negative: Vec<u32>,
    /// Who has each bit.
    bits: Vec<Vec<u32>>,
}

impl GatheredNumber {
    fn add(&mut self, user: u32, number: i64) {
        self.present.push(user);
        if number < 0 {
            self.negative.push(user);
        }
        let mut rest = crate::bitmap::magnitude(number);
        if rest != 0 && self.bits.is_empty() {
            self.bits.resize_with(SLICE_BITS, Vec::new);
        }
        while rest != 0 {
            if let Some(users) = self.bits.get_mut(rest.trailing_zeros() as usize) {
                users.push(user);
            }
            rest &= rest - 1;
        }
    }

    fn put(&self, number: NumberId, fragments: &mut Fragments) -> Result<(), FragmentError> {
        fragments.put(number.row(SliceRow::Present), &self.present)?;
        fragments.put(number.row(SliceRow::Sign), &self.negative)?;
        for (bit, users) in (0..).zip(&self.bits) {
            fragments.put(number.row(SliceRow::Bit(bit)), users)?;
        }
        Ok(())
    }
}

impl Gathered {
    fn add(&mut self, newcomers: &Newcomers) {
        for Newcomer {
            id, tags, terms, ..
        } in newcomers.iter()
        {
            self.users.push(id.0);
            self.tags.extend(tags.iter().map(|tag| (tag.0, id.0)));
            for (tag, since_s, until_s) in terms.timed() {
                self.add_timed(NumberId::Since(tag), id, since_s);
                if let Some(until_s) = until_s {
                    self.add_timed(NumberId::Until(tag), id, until_s);
                }
            }
        }
        for column in &newcomers.rows.columns {
            if let Some(attribute) = column.attribute() {
                let gathered = self.attributes.entry(attribute).or_default();
                gathered.add(column, newcomers);
            }
        }
    }

    fn add_timed(&mut self, number: NumberId, id: UserId, second: i64) {
        self.timed.entry(number).or_default().add(id.0, second);
    }

    /// One delta for each row and shard, in the order of keys.
    fn fragments(
        &mut self,
        partition: PartitionId,
    ) -> Result<Vec<(FragmentKey, Vec<u8>)>, FragmentError> {
        let mut fragments = Fragments {
            partition,
            deltas: Vec::new(),
            offsets: Vec::new(),
        };
        fragments.put(RowId::Users, &self.users)?;
        fragments.put_groups(std::mem::take(&mut self.tags), |tag| RowId::Tag(TagId(tag)))?;
        for (number, gathered) in &self.timed {
            gathered.put(*number, &mut fragments)?;
        }
        for (&attribute, gathered) in &mut self.attributes {
            let codes = std::mem::take(&mut gathered.codes);
            fragments.put_groups(codes, |code| RowId::Value(attribute, ValueCode(code)))?;
            gathered.number.put(attribute.into(), &mut fragments)?;
        }
        let mut deltas = fragments.deltas;
        deltas.sort_unstable_by_key(|(key, _)| *key);
        Ok(deltas)
    }

    /// One delta for each attribute and block, in the order of keys.
    fn columns(&self, partition: PartitionId) -> Vec<(ColumnKey, Vec<u8>)> {
        let mut columns = Vec::new();
        for (&attribute, gathered) in &self.attributes {
            let block = |(user, _): &(u32, i64)| UserId(*user).block();
            let chunks = gathered
                .entries
                .chunk_by(|left, right| block(left) == block(right));
            for chunk in chunks {
                let block: BlockId = chunk.first().map_or(BlockId(0), block);
                let mut delta = ColumnDelta::new();
                for (user, value) in chunk {
                    delta.set(UserId(*user).block_offset(), *value);
                }
                let key = ColumnKey {
                    partition,
                    attribute,
                    block,
                };
                columns.push((key, delta.into_bytes()));
            }
        }
        columns
    }

    /// In the order of keys.
    fn texts(self, partition: PartitionId) -> Vec<TextKey<'static>> {
        let mut keys = Vec::new();
        for (attribute, gathered) in self.attributes {
            keys.extend(gathered.texts.into_iter().map(|(text, user)| TextKey {
                partition,
                attribute,
                text: text.into(),
                user: UserId(user),
            }));
        }
        keys.sort_unstable();
        keys
    }
}

impl GatheredAttribute {
    fn add(&mut self, column: &RowColumn, newcomers: &Newcomers) {
        match column {
            RowColumn::Values { .. } => {
                for Newcomer { row, id, .. } in newcomers.iter() {
                    if let Some(value) = column.stored(row as usize) {
                        self.add_value(id.0, value);
                    }
                }
            }
            RowColumn::Numbers { rows, numbers, .. } => {
                let mut entries = rows.iter().zip(numbers).peekable();
                for Newcomer { row, id, .. } in newcomers.iter() {
                    while entries.next_if(|(with, _)| **with < row).is_some() {}
                    if let Some((_, number)) = entries.next_if(|(with, _)| **with == row) {
                        self.add_number(id.0, *number);
                    }
                }
            }
            RowColumn::Added { .. } => {
                for Newcomer { row, id, .. } in newcomers.iter() {
                    if let Some((_, codes)) = column.added(row as usize) {
                        self.add_codes(id.0, codes);
                    }
                }
            }
            RowColumn::Tags { .. } | RowColumn::Holdings { .. } | RowColumn::Taken { .. } => {}
        }
    }

    fn add_value(&mut self, user: u32, value: &StoredValue) {
        match value {
            StoredValue::Code(code) => {
                self.number.present.push(user);
                self.codes.push((code.0, user));
                self.entries.push((user, i64::from(code.0)));
            }
            StoredValue::Codes(codes) => self.add_codes(user, codes),
            StoredValue::Number(number) => self.add_number(user, *number),
            StoredValue::Text(text) => {
                self.number.present.push(user);
                self.texts.push((text.clone(), user));
            }
        }
    }

    fn add_codes(&mut self, user: u32, codes: &[ValueCode]) {
        self.number.present.push(user);
        self.codes.extend(codes.iter().map(|code| (code.0, user)));
    }

    fn add_number(&mut self, user: u32, number: i64) {
        self.entries.push((user, number));
        self.number.add(user, number);
    }
}

/// Deltas of fragments in the making.
struct Fragments {
    partition: PartitionId,
    deltas: Vec<(FragmentKey, Vec<u8>)>,
    offsets: Vec<u32>,
}

impl Fragments {
    /// Sets a row's bits for users, who rise.
    fn put(&mut self, row: RowId, users: &[u32]) -> Result<(), FragmentError> {
        self.put_pairs(row, users.iter().copied())
    }

    /// Sets the bits of one row for each group of pairs with the same first number.
    fn put_groups(
        &mut self,
        pairs: Vec<(u32, u32)>,
        row: impl Fn(u32) -> RowId,
    ) -> Result<(), FragmentError> {
        let pairs = sorted_by_first(pairs);
        for group in pairs.chunk_by(|left, right| left.0 == right.0) {
            if let Some((first, _)) = group.first() {
                self.put_pairs(row(*first), group.iter().map(|(_, user)| *user))?;
            }
        }
        Ok(())
    }

    fn put_pairs(
        &mut self,
        row: RowId,
        users: impl Iterator<Item = u32>,
    ) -> Result<(), FragmentError> {
        let mut shard = None;
        for user in users.map(UserId) {
            if shard != Some(user.shard()) {
                self.finish(row, shard)?;
                shard = Some(user.shard());
            }
            self.offsets.push(user.offset());
        }
        self.finish(row, shard)
    }

    fn finish(&mut self, row: RowId, shard: Option<ShardId>) -> Result<(), FragmentError> {
        let Some(shard) = shard else {
            return Ok(());
        };
        let key = FragmentKey {
            partition: self.partition,
            row,
            shard,
        };
        let delta = FragmentDelta::encode_rising(&self.offsets)?;
        self.deltas.push((key, delta));
        self.offsets.clear();
        Ok(())
    }
}

/// Sorts pairs by their first numbers, and keeps the order of those with equal ones.
fn sorted_by_first(mut pairs: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let most = pairs.iter().map(|(first, _)| *first).max().unwrap_or(0) as usize;
    // Counting takes a step for every number there may be.
    if most > 4 * pairs.len() + 1024 {
        pairs.sort_by_key(|(first, _)| *first);
        return pairs;
    }
    let mut places = vec![0; most + 2];
    for (first, _) in &pairs {
        places[*first as usize + 1] += 1;
    }
    for number in 1..places.len() {
        places[number] += places[number - 1];
    }
    let mut sorted = vec![(0, 0); pairs.len()];
    for pair in pairs {
        let place = &mut places[pair.0 as usize];
        sorted[*place] = pair;
        *place += 1;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_by_their_first_and_else_left_in_order() {
        let check = |pairs: &[(u32, u32)]| {
            let mut expected = pairs.to_vec();
            expected.sort_by_key(|(first, _)| *first);
            assert_eq!(sorted_by_first(pairs.to_vec()), expected);
        };
        check(&[]);
        check(&[(3, 1), (0, 2), (3, 0), (0, 1)]);
        check(&[(u32::MAX, 1), (0, 2), (u32::MAX, 0)]);
        check(&(0..3000).map(|n| (n * 7 % 1000, n)).collect::<Vec<_>>());
    }
}
