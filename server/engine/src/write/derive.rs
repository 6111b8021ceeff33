//! What follows from a change of a record: rows, columns and texts.
//!
//! Everything here could be derived again from the records alone. Changes of one row in one
//! shard are gathered for a whole commit before they become one merge operand.

use std::{borrow::Cow, collections::HashMap};

use foldhash::fast::RandomState;

use crate::{
    bitmap::{FragmentDelta, FragmentError},
    column::ColumnDelta,
    ids::{AttributeId, NumberId, PartitionId, RowId, SliceRow, TagId, UserId, ValueCode},
    schema::{AttributeClass, Schema},
    storage::{
        Changes, ColumnKey, FragmentKey, StorageError, StoredValue, TextKey, Texts, UserRecord,
    },
    write::inviters::Inviters,
};

/// Bits of a stored number without its sign.
const SLICE_BITS: u8 = 63;

/// Which way a bit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bit {
    Set,
    Clear,
}

impl Bit {
    fn of(is_set: bool) -> Self {
        if is_set { Self::Set } else { Self::Clear }
    }
}

/// Changes of rows, columns and texts in the making.
#[derive(Default)]
pub(super) struct Derived {
    rows: HashMap<FragmentKey, FragmentDelta, RandomState>,
    columns: HashMap<ColumnKey, ColumnDelta, RandomState>,
    texts: Vec<(TextKey<'static>, Bit)>,
}

/// The place of the user whose record changes.
#[derive(Clone, Copy)]
struct Place {
    partition: PartitionId,
    user: UserId,
}

impl Derived {
    /// A user appears with a record, disappears with one, or changes from one to the other.
    pub(super) fn change(
        &mut self,
        schema: &Schema,
        partition: PartitionId,
        user: UserId,
        before: Option<&UserRecord>,
        after: Option<&UserRecord>,
    ) -> Result<(), FragmentError> {
        let place = Place { partition, user };
        if before.is_some() != after.is_some() {
            self.bit(place, RowId::Users, Bit::of(after.is_some()))?;
        }
        let none = UserRecord::default();
        let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
        self.change_tags(place, &before.tags, &after.tags, RowId::Tag)?;
        self.change_tags(place, before.blocked(), after.blocked(), RowId::Blocked)?;
        self.change_timed(place, before, after)?;
        self.change_values(schema, place, before, after)
    }

    /// The column of inviters' places, which are those at the end of the commit. An inviter who was
    /// deleted and came back is at another.
    pub(super) fn change_inviter(
        &mut self,
        inviters: &Inviters<'_>,
        partition: PartitionId,
        user: UserId,
        before: Option<&UserRecord>,
        after: Option<&UserRecord>,
    ) -> Result<(), StorageError> {
        let Some(attribute) = inviters.attribute() else {
            return Ok(());
        };
        let place = Place { partition, user };
        let inviter = |record: Option<&'_ UserRecord>| {
            text(record.and_then(|record| record.value(attribute))).map(str::to_owned)
        };
        let (old, new) = (inviter(before), inviter(after));
        match new {
            Some(key) if old.as_ref() != Some(&key) || inviters.has_moved(&key) => {
                let number = inviters.number(&key)?;
                self.change_column(place, attribute, number);
            }
            None if old.is_some() => self.change_column(place, attribute, None),
            Some(_) | None => {}
        }
        Ok(())
    }

    fn bit(&mut self, place: Place, row: RowId, bit: Bit) -> Result<(), FragmentError> {
        let key = FragmentKey {
            partition: place.partition,
            row,
            shard: place.user.shard(),
        };
        let delta = self.rows.entry(key).or_default();
        match bit {
            Bit::Set => delta.set(place.user.offset()),
            Bit::Clear => delta.clear(place.user.offset()),
        }
    }

    fn change_tags(
        &mut self,
        place: Place,
        before: &[TagId],
        after: &[TagId],
        row: fn(TagId) -> RowId,
    ) -> Result<(), FragmentError> {
        let only_in = |these: &[TagId], others: &[TagId]| -> Vec<TagId> {
            if others.is_empty() {
                return these.to_vec();
            }
            these
                .iter()
                .filter(|tag| others.binary_search(tag).is_err())
                .copied()
                .collect()
        };
        for tag in only_in(before, after) {
            self.bit(place, row(tag), Bit::Clear)?;
        }
        for tag in only_in(after, before) {
            self.bit(place, row(tag), Bit::Set)?;
        }
        Ok(())
    }

    /// The rows of holdings that start and end.
    fn change_timed(
        &mut self,
        place: Place,
        before: &UserRecord,
        after: &UserRecord,
    ) -> Result<(), FragmentError> {
        let mut old = before.timed().peekable();
        let mut new = after.timed().peekable();
        loop {
            let tag = match (old.peek(), new.peek()) {
                (Some((left, ..)), Some((right, ..))) => *left.min(right),
                (Some((tag, ..)), None) | (None, Some((tag, ..))) => *tag,
                (None, None) => return Ok(()),
            };
            let old = old.next_if(|(of, ..)| *of == tag);
            let new = new.next_if(|(of, ..)| *of == tag);
            let since = |timed: Option<(TagId, i64, _)>| timed.map(|(_, since_s, _)| since_s);
            let until = |timed: Option<(TagId, _, Option<i64>)>| timed.and_then(|(.., s)| s);
            self.change_slices(place, NumberId::Since(tag), since(old), since(new))?;
            self.change_slices(place, NumberId::Until(tag), until(old), until(new))?;
        }
    }

    fn change_values(
        &mut self,
        schema: &Schema,
        place: Place,
        before: &UserRecord,
        after: &UserRecord,
    ) -> Result<(), FragmentError> {
        for (attribute, old) in &before.values {
            let new = after.value(*attribute);
            if new != Some(old) {
                self.change_value(schema, place, *attribute, Some(old), new)?;
            }
        }
        for (attribute, new) in &after.values {
            if before.value(*attribute).is_none() {
                self.change_value(schema, place, *attribute, None, Some(new))?;
            }
        }
        Ok(())
    }

    fn change_value(
        &mut self,
        schema: &Schema,
        place: Place,
        attribute: AttributeId,
        old: Option<&StoredValue>,
        new: Option<&StoredValue>,
    ) -> Result<(), FragmentError> {
        let Some(definition) = schema.attribute_by_id(attribute) else {
            return Ok(());
        };
        let class = definition.kind.class();
        // Presence is one of the slices of a number.
        if old.is_some() != new.is_some() && class != AttributeClass::Numeric {
            self.bit(place, RowId::Present(attribute), Bit::of(new.is_some()))?;
        }
        match class {
            AttributeClass::Coded => self.change_code(place, attribute, code(old), code(new)),
            AttributeClass::MultiCoded => {
                self.change_codes(place, attribute, codes(old), codes(new))
            }
            AttributeClass::Numeric => {
                self.change_number(place, attribute, number(old), number(new))
            }
            AttributeClass::Textual => {
                self.change_text(place, attribute, text(old), text(new));
                Ok(())
            }
        }
    }

    fn change_code(
        &mut self,
        place: Place,
        attribute: AttributeId,
        old: Option<ValueCode>,
        new: Option<ValueCode>,
    ) -> Result<(), FragmentError> {
        if let Some(old) = old {
            self.bit(place, RowId::Value(attribute, old), Bit::Clear)?;
        }
        if let Some(new) = new {
            self.bit(place, RowId::Value(attribute, new), Bit::Set)?;
        }
        self.change_column(place, attribute, new.map(|code| i64::from(code.0)));
        Ok(())
    }

    fn change_codes(
        &mut self,
        place: Place,
        attribute: AttributeId,
        old: &[ValueCode],
        new: &[ValueCode],
    ) -> Result<(), FragmentError> {
        for code in old.iter().filter(|code| new.binary_search(code).is_err()) {
            self.bit(place, RowId::Value(attribute, *code), Bit::Clear)?;
        }
        for code in new.iter().filter(|code| old.binary_search(code).is_err()) {
            self.bit(place, RowId::Value(attribute, *code), Bit::Set)?;
        }
        Ok(())
    }

    fn change_number(
        &mut self,
        place: Place,
        attribute: AttributeId,
        old: Option<i64>,
        new: Option<i64>,
    ) -> Result<(), FragmentError> {
        self.change_slices(place, attribute.into(), old, new)?;
        self.change_column(place, attribute, new);
        Ok(())
    }

    fn change_slices(
        &mut self,
        place: Place,
        number: NumberId,
        old: Option<i64>,
        new: Option<i64>,
    ) -> Result<(), FragmentError> {
        if old.is_some() != new.is_some() {
            let row = number.row(SliceRow::Present);
            self.bit(place, row, Bit::of(new.is_some()))?;
        }
        let (old, new) = (old.unwrap_or(0), new.unwrap_or(0));
        if (old < 0) != (new < 0) {
            self.bit(place, number.row(SliceRow::Sign), Bit::of(new < 0))?;
        }
        let (old_bits, new_bits) = (magnitude(old), magnitude(new));
        let changed = old_bits ^ new_bits;
        for bit in (0..SLICE_BITS).filter(|bit| changed >> bit & 1 == 1) {
            let row = number.row(SliceRow::Bit(bit));
            self.bit(place, row, Bit::of(new_bits >> bit & 1 == 1))?;
        }
        Ok(())
    }

    fn change_column(&mut self, place: Place, attribute: AttributeId, value: Option<i64>) {
        let key = ColumnKey {
            partition: place.partition,
            attribute,
            block: place.user.block(),
        };
        let delta = self.columns.entry(key).or_default();
        match value {
            Some(value) => delta.set(place.user.block_offset(), value),
            None => delta.clear(place.user.block_offset()),
        }
    }

    fn change_text(
        &mut self,
        place: Place,
        attribute: AttributeId,
        old: Option<&str>,
        new: Option<&str>,
    ) {
        for (text, bit) in [(old, Bit::Clear), (new, Bit::Set)] {
            if let Some(text) = text {
                let text = Cow::Owned(text.to_owned());
                self.texts.push((
                    TextKey {
                        partition: place.partition,
                        attribute,
                        text,
                        user: place.user,
                    },
                    bit,
                ));
            }
        }
    }

    /// Puts everything into a batch, in the order of keys.
    pub(super) fn write(self, changes: &mut Changes) -> Result<(), StorageError> {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        for (key, delta) in rows {
            changes.merge_fragment(key, &delta)?;
        }
        let mut columns: Vec<_> = self.columns.into_iter().collect();
        columns.sort_unstable_by_key(|(key, _)| *key);
        for (key, delta) in columns {
            changes.merge_column(key, &delta)?;
        }
        for (key, bit) in self.texts {
            match bit {
                Bit::Set => changes.put::<Texts>(&key, &())?,
                Bit::Clear => changes.delete::<Texts>(&key)?,
            }
        }
        Ok(())
    }
}

/// The bits of the slices: `v ^ (v >> 63)`, never negative.
fn magnitude(number: i64) -> u64 {
    (number ^ (number >> 63)) as u64
}

fn code(value: Option<&StoredValue>) -> Option<ValueCode> {
    match value {
        Some(StoredValue::Code(code)) => Some(*code),
        Some(StoredValue::Codes(_) | StoredValue::Number(_) | StoredValue::Text(_)) | None => None,
    }
}

fn codes(value: Option<&StoredValue>) -> &[ValueCode] {
    match value {
        Some(StoredValue::Codes(codes)) => codes,
        Some(StoredValue::Code(_) | StoredValue::Number(_) | StoredValue::Text(_)) | None => &[],
    }
}

fn number(value: Option<&StoredValue>) -> Option<i64> {
    match value {
        Some(StoredValue::Number(number)) => Some(*number),
        Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Text(_)) | None => None,
    }
}

fn text(value: Option<&StoredValue>) -> Option<&str> {
    match value {
        Some(StoredValue::Text(text)) => Some(text),
        Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => None,
    }
}
