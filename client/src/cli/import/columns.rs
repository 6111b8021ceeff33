//! Rows → columns: what each distinct text of a column stands for is found out once.
//!
//! Knows how a batch of columns is built from rows that are good as a whole. What a field means
//! is the plan's matter; what becomes of the batch is the sender's.

use super::intern::{Interner, Seen};
use super::mapping::{AttributeKind, OnMissing, TagBy};
use super::plan::{AttributeRule, Plan, TagRule, bad, is_missing};
use super::records::{BadRow, Records};
use super::value::Cell;
use crate::cli::session::Datum;
use crate::{LoadColumn, LoadRows, NumberForm, PackedTexts};

/// Rows that are ready to send together.
#[derive(Debug, Default)]
pub(crate) struct RowsBatch {
    /// What they say.
    pub(crate) rows: LoadRows,
    /// As they stand in the file.
    pub(crate) records: RawRows,
    /// Tags to define before, with the number of their rule in the mapping.
    pub(crate) definitions: Vec<(usize, String)>,
}

/// Rows as they stand in a file.
#[derive(Debug, Default)]
pub(crate) struct RawRows {
    /// Which file.
    pub(crate) file: usize,
    text: Vec<u8>,
    /// Where each row ends in the text, and the number of its first line.
    rows: Vec<(usize, u64)>,
}

impl RawRows {
    fn push(&mut self, record: &[u8], line: u64) {
        self.text.extend_from_slice(record);
        self.rows.push((self.text.len(), line));
    }

    /// The rows at these places.
    pub(crate) fn select(&self, places: &[u32]) -> Self {
        let mut some = Self {
            file: self.file,
            ..Self::default()
        };
        for (line, record) in places.iter().filter_map(|place| self.row(*place as usize)) {
            some.push(record, line);
        }
        some
    }

    /// How many.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of memory that they take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(self.rows.as_slice())
    }

    /// The number of a row's first line, and the row itself.
    pub(crate) fn row(&self, row: usize) -> Option<(u64, &[u8])> {
        let (end, line) = *self.rows.get(row)?;
        let before = row.checked_sub(1).and_then(|before| self.rows.get(before));
        let start = before.map_or(0, |(end, _)| *end);
        Some((line, self.text.get(start..end)?))
    }
}

/// Builds batches.
pub(crate) struct Columns {
    plan: Plan,
    attributes: Vec<AttributeColumn>,
    tags: TagColumn,
    keys: PackedTexts,
    records: RawRows,
    definitions: Vec<(usize, String)>,
    /// Bytes of the batch beside its records, about.
    bytes: usize,
}

impl Columns {
    /// Columns for a plan whose rows can be said so.
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            attributes: plan.attributes.iter().map(AttributeColumn::of).collect(),
            tags: TagColumn::of(&plan.tags),
            plan,
            keys: PackedTexts::default(),
            records: RawRows::default(),
            definitions: Vec::new(),
            bytes: 0,
        }
    }

    /// What it is made for.
    #[cfg(test)]
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Adds a row. One with a bad field is bad as a whole, and leaves nothing behind.
    pub(crate) fn add(&mut self, row: &Records) -> Result<(), BadRow> {
        let key = self.plan.key_of(row)?;
        for (column, rule) in self.attributes.iter_mut().zip(&self.plan.attributes) {
            let field = match row.cell(rule.column) {
                Ok(cell) => column.read(rule, &cell),
                Err(reason) => Err(reason.to_owned()),
            };
            field.map_err(|reason| bad(row, rule.column, reason))?;
        }
        self.tags.read(&self.plan, row)?;
        let too_much = |_| bad(row, self.plan.key, "the batch is too long".to_owned());
        self.keys.push(&key).map_err(too_much)?;
        self.bytes += key.len();
        let at = self.keys.len() - 1;
        for column in &mut self.attributes {
            self.bytes += column.take(at);
        }
        self.bytes += self.tags.take(&mut self.plan.tags, &mut self.definitions);
        self.records.push(row.raw(), row.line());
        Ok(())
    }

    /// Rows of the batch so far.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes that the batch takes so far, about, records or columns, whichever are more.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.max(self.records.bytes())
    }

    /// The batch so far, all of one file; the next one begins.
    pub(crate) fn finish(&mut self, file: usize) -> RowsBatch {
        let rows = self.keys.len();
        let attributes = self.attributes.iter_mut().zip(&self.plan.attributes);
        let mut columns: Vec<LoadColumn> = attributes
            .map(|(column, rule)| column.finish(&rule.name, rows))
            .collect();
        if !self.plan.tags.is_empty() {
            columns.push(self.tags.finish());
        }
        self.bytes = 0;
        let mut records = std::mem::take(&mut self.records);
        records.file = file;
        RowsBatch {
            rows: LoadRows {
                keys: std::mem::take(&mut self.keys),
                columns,
            },
            records,
            definitions: std::mem::take(&mut self.definitions),
        }
    }
}

/// What a text of an attribute's column stands for.
#[derive(Debug)]
enum Known {
    /// The attribute stays as it is.
    Nothing,
    /// A value.
    Value(Datum),
    /// None, for this reason.
    Bad(String),
}

/// The column of an attribute.
struct AttributeColumn {
    known: Dictionary<Known>,
    values: Values,
    /// Whole numbers can be read straight away: no text of digits means anything else.
    digits: Digits,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digits {
    AreNumbers,
    MayMeanAnything,
}

enum Values {
    Coded {
        codes: Vec<u32>,
        /// Of the row under way: the number of its value plus one.
        next: u32,
    },
    Numbers {
        form: NumberForm,
        present: Vec<u8>,
        numbers: Vec<i64>,
        next: Option<i64>,
    },
}

impl AttributeColumn {
    fn of(rule: &AttributeRule) -> Self {
        let form = match (rule.mapping.kind, rule.mapping.on_missing) {
            // No number clears.
            (_, OnMissing::Clear) => None,
            (AttributeKind::Integer, OnMissing::Keep) => Some(NumberForm::Integer),
            (AttributeKind::Decimal, OnMissing::Keep) => Some(NumberForm::Decimal {
                scale: rule.mapping.scale.unwrap_or(0),
            }),
            (AttributeKind::Date, OnMissing::Keep) => Some(NumberForm::Date),
            (AttributeKind::Timestamp, OnMissing::Keep) => Some(NumberForm::Timestamp),
            (
                AttributeKind::Enum
                | AttributeKind::Multi
                | AttributeKind::Boolean
                | AttributeKind::Text
                | AttributeKind::User,
                OnMissing::Keep,
            ) => None,
        };
        let plain = rule.mapping.map.is_empty()
            && rule.missing.iter().all(|marker| digits(marker).is_none());
        Self {
            known: Dictionary::new(),
            values: match form {
                None => Values::Coded {
                    codes: Vec::new(),
                    next: 0,
                },
                Some(form) => Values::Numbers {
                    form,
                    present: Vec::new(),
                    numbers: Vec::new(),
                    next: None,
                },
            },
            digits: match form {
                Some(NumberForm::Integer) if plain => Digits::AreNumbers,
                Some(_) | None => Digits::MayMeanAnything,
            },
        }
    }

    /// Reads the field of the row under way.
    fn read(&mut self, rule: &AttributeRule, cell: &Cell<'_>) -> Result<(), String> {
        if let (Digits::AreNumbers, Cell::Text(text), Values::Numbers { next, .. }) =
            (self.digits, cell, &mut self.values)
            && let Some(number) = digits(text)
        {
            *next = Some(number);
            return Ok(());
        }
        let number = self.known.number_of(cell, || match rule.value_of(cell) {
            Ok(None) => Known::Nothing,
            Ok(Some(value)) => Known::Value(value),
            Err(reason) => Known::Bad(reason),
        });
        let known = &self.known.values[number];
        match (&mut self.values, known) {
            (_, Known::Bad(reason)) => return Err(reason.clone()),
            (Values::Coded { next, .. }, Known::Nothing) => *next = 0,
            (Values::Coded { next, .. }, Known::Value(_)) => *next = number as u32 + 1,
            (Values::Numbers { next, .. }, Known::Nothing) => *next = None,
            (Values::Numbers { next, .. }, Known::Value(value)) => *next = number_in(value),
        }
        Ok(())
    }

    /// Takes the field of the row under way, which is good; says how many bytes more that is.
    fn take(&mut self, row: usize) -> usize {
        match &mut self.values {
            Values::Coded { codes, next } => match (*next as usize).checked_sub(1) {
                None => codes.push(0),
                Some(number) => {
                    let (code, added) = self.known.code(number);
                    codes.push(code + 1);
                    let text = match &self.known.values[number] {
                        Known::Value(value) if added => bytes_of(value),
                        Known::Value(_) | Known::Nothing | Known::Bad(_) => 0,
                    };
                    return size_of::<u32>() + text;
                }
            },
            Values::Numbers {
                present,
                numbers,
                next,
                ..
            } => {
                if row.is_multiple_of(8) {
                    present.push(0);
                }
                if let (Some(number), Some(last)) = (next.take(), present.last_mut()) {
                    *last |= 1 << (row % 8);
                    numbers.push(number);
                    return size_of::<i64>();
                }
            }
        }
        size_of::<u32>()
    }

    fn finish(&mut self, name: &str, rows: usize) -> LoadColumn {
        let used = self.known.finish();
        let column = match &mut self.values {
            Values::Coded { codes, .. } => {
                let value = |number: &usize| match &self.known.values[*number] {
                    Known::Value(value) => value.clone(),
                    // Only values are given codes.
                    Known::Nothing | Known::Bad(_) => Datum::Null,
                };
                LoadColumn::Coded {
                    attribute: name.to_owned(),
                    dictionary: used.iter().map(value).collect(),
                    codes: replace(codes, rows),
                }
            }
            Values::Numbers {
                form,
                present,
                numbers,
                ..
            } => LoadColumn::Numbers {
                attribute: name.to_owned(),
                form: *form,
                present: replace(present, rows / 8 + 1),
                numbers: replace(numbers, rows),
            },
        };
        self.known.forget_if_overgrown();
        column
    }
}

/// Takes what is there and makes room for about as much again.
fn replace<T>(values: &mut Vec<T>, capacity: usize) -> Vec<T> {
    std::mem::replace(values, Vec::with_capacity(capacity))
}

/// A plain whole number: a sign perhaps, and so few digits that they fit in any case.
fn digits(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(if negative { -number } else { number })
}

fn number_in(value: &Datum) -> Option<i64> {
    match value {
        Datum::Integer(number) | Datum::Timestamp(number) => Some(*number),
        Datum::Date(days) => Some(i64::from(*days)),
        // What files hold is read into 64 bits.
        Datum::Decimal { units, .. } => i64::try_from(*units).ok(),
        Datum::Null | Datum::Boolean(_) | Datum::Real(_) | Datum::Text(_) | Datum::List(_) => None,
    }
}

fn bytes_of(value: &Datum) -> usize {
    let text = match value {
        Datum::Text(text) => text.len(),
        Datum::List(texts) => texts
            .iter()
            .map(|text| text.len() + size_of::<String>())
            .sum(),
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Date(_)
        | Datum::Timestamp(_) => 0,
    };
    size_of::<Datum>() + text
}

/// Texts of a column with what they stand for, and which of them are in the batch.
struct Dictionary<T> {
    texts: Interner,
    /// What each text stands for.
    values: Vec<T>,
    /// For each text its place in the batch plus one; 0 for none.
    places: Vec<u32>,
    /// The texts of the batch in the order of their places.
    used: Vec<usize>,
}

impl<T> Dictionary<T> {
    fn new() -> Self {
        Self {
            texts: Interner::new(),
            values: Vec::new(),
            places: Vec::new(),
            used: Vec::new(),
        }
    }

    /// The number of a field, whose value is asked for when it is the first of its kind.
    fn number_of(&mut self, cell: &Cell<'_>, value: impl FnOnce() -> T) -> usize {
        match cell {
            Cell::Missing => self.number(b"0", value),
            Cell::Text(text) => self.number_with(b't', text, value),
            Cell::List(items) => {
                let mut text = vec![b'l'];
                for item in items {
                    text.extend_from_slice(&item.len().to_le_bytes());
                    text.extend_from_slice(item.as_bytes());
                }
                self.number(&text, value)
            }
        }
    }

    /// Kinds of fields are told apart by what stands before their texts; most have no room for
    /// it here, so that it is put together on the stack.
    fn number_with(&mut self, kind: u8, text: &str, value: impl FnOnce() -> T) -> usize {
        let mut short = [kind; 32];
        match short.get_mut(1..=text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                let end = 1 + text.len();
                self.number(&short[..end], value)
            }
            None => self.number(&[&[kind], text.as_bytes()].concat(), value),
        }
    }

    fn number(&mut self, text: &[u8], value: impl FnOnce() -> T) -> usize {
        match self.texts.number(text) {
            Seen::Before(number) => number,
            Seen::Now(number) => {
                self.values.push(value());
                self.places.push(0);
                number
            }
        }
    }

    /// The place of a text in the batch, and whether it is new there.
    fn code(&mut self, number: usize) -> (u32, bool) {
        let place = &mut self.places[number];
        let added = *place == 0;
        if added {
            self.used.push(number);
            *place = self.used.len() as u32;
        }
        (*place - 1, added)
    }

    /// Ends the batch: the numbers of its texts by their places.
    fn finish(&mut self) -> Vec<usize> {
        for number in &self.used {
            self.places[*number] = 0;
        }
        std::mem::take(&mut self.used)
    }

    fn forget_if_overgrown(&mut self) {
        if self.texts.is_overgrown() {
            *self = Self::new();
        }
    }
}

/// What an item of a rule's column stands for.
#[derive(Debug)]
enum KnownTags {
    /// No tag.
    None,
    /// The tag of this number.
    Tag(usize),
    /// None, for this reason.
    Bad(String),
}

/// The one column of all tags, in the order of their rules.
struct TagColumn {
    /// For each rule what its items stand for.
    rules: Vec<Dictionary<KnownTags>>,
    /// The names of all tags.
    names: Dictionary<String>,
    ends: Vec<u32>,
    codes: Vec<u32>,
    /// The tags of the row under way, and for each rule where its tags end.
    next: Vec<usize>,
    next_ends: Vec<usize>,
}

impl TagColumn {
    fn of(rules: &[TagRule]) -> Self {
        Self {
            rules: rules.iter().map(|_| Dictionary::new()).collect(),
            names: Dictionary::new(),
            ends: Vec::new(),
            codes: Vec::new(),
            next: Vec::new(),
            next_ends: Vec::new(),
        }
    }

    /// Reads the tags of the row under way.
    fn read(&mut self, plan: &Plan, row: &Records) -> Result<(), BadRow> {
        self.next.clear();
        self.next_ends.clear();
        for (rule, items) in plan.tags.iter().zip(&mut self.rules) {
            let mut reading = Reading {
                rule,
                items,
                names: &mut self.names,
                next: &mut self.next,
            };
            let read = match rule.column {
                None => reading.always(),
                Some(column) => match row.cell(column) {
                    Ok(cell) => reading.cell(&cell),
                    Err(reason) => Err(reason.to_owned()),
                },
            };
            read.map_err(|reason| bad(row, rule.column.unwrap_or(plan.key), reason))?;
            self.next_ends.push(self.next.len());
        }
        Ok(())
    }

    /// Takes the tags of the row under way, which is good; says how many bytes more that is.
    fn take(&mut self, rules: &mut [TagRule], definitions: &mut Vec<(usize, String)>) -> usize {
        let mut bytes = size_of::<u32>() * (1 + self.next.len());
        for number in &self.next {
            let (code, added) = self.names.code(*number);
            self.codes.push(code);
            if added {
                bytes += self.names.values[*number].len() + size_of::<String>();
            }
        }
        self.ends.push(self.codes.len() as u32);
        let mut start = 0;
        for (place, (rule, end)) in rules.iter_mut().zip(&self.next_ends).enumerate() {
            if rule.is_to_be_defined() {
                for number in &self.next[start..*end] {
                    rule.define(&self.names.values[*number..=*number], place, definitions);
                }
            }
            start = *end;
        }
        bytes
    }

    fn finish(&mut self) -> LoadColumn {
        let used = self.names.finish();
        let rows = self.ends.len();
        let codes = self.codes.len();
        let column = LoadColumn::Tags {
            names: used
                .iter()
                .map(|number| self.names.values[*number].clone())
                .collect(),
            ends: replace(&mut self.ends, rows),
            codes: replace(&mut self.codes, codes),
        };
        let overgrown = |items: &Dictionary<KnownTags>| items.texts.is_overgrown();
        if self.names.texts.is_overgrown() || self.rules.iter().any(overgrown) {
            // Items know tags by number: all are forgotten together.
            self.names = Dictionary::new();
            self.rules
                .iter_mut()
                .for_each(|items| *items = Dictionary::new());
        }
        column
    }
}

/// Reads the column of one rule.
struct Reading<'a> {
    rule: &'a TagRule,
    items: &'a mut Dictionary<KnownTags>,
    names: &'a mut Dictionary<String>,
    next: &'a mut Vec<usize>,
}

impl Reading<'_> {
    fn always(&mut self) -> Result<(), String> {
        self.item("", |rule| Ok(rule.mapping.name.clone()))
    }

    fn cell(&mut self, cell: &Cell<'_>) -> Result<(), String> {
        match (self.rule.mapping.by, cell) {
            (TagBy::Always, _) | (_, Cell::Missing) => Ok(()),
            (TagBy::NonZero, Cell::Text(text)) => self.item(text, |rule| {
                let cell = Cell::Text(text.as_ref().into());
                Ok(match rule.truth_of(&cell)? {
                    Some(true) => rule.mapping.name.clone(),
                    Some(false) | None => None,
                })
            }),
            (TagBy::NonZero, Cell::List(_)) => self.rule.truth_of(cell).map(|_| ()),
            (TagBy::Value, Cell::Text(text)) => {
                self.item(text, |rule| match is_missing(text, &rule.missing) {
                    true => Ok(None),
                    false => rule.tag_named(text).map(Some),
                })
            }
            (TagBy::Value, Cell::List(_)) => Err("is a list: use by = \"list\"".to_owned()),
            (TagBy::List, Cell::Text(text)) => self.list(text),
            (TagBy::List, Cell::List(items)) => items.iter().try_for_each(|item| self.listed(item)),
        }
    }

    fn list(&mut self, text: &str) -> Result<(), String> {
        if is_missing(text, &self.rule.missing) {
            return Ok(());
        }
        let separator = self.rule.mapping.separator();
        let mut letters = separator.chars();
        match (letters.next(), letters.next()) {
            // Much faster than a search for a text.
            (Some(letter), None) => text.split(letter).try_for_each(|item| self.listed(item)),
            (_, _) => text.split(separator).try_for_each(|item| self.listed(item)),
        }
    }

    fn listed(&mut self, item: &str) -> Result<(), String> {
        self.item(item, |rule| {
            let item = item.trim();
            match item.is_empty() || is_missing(item, &rule.missing) {
                true => Ok(None),
                false => rule.tag_named(item).map(Some),
            }
        })
    }

    /// Takes an item, whose tag is asked for when it is the first of its kind.
    fn item(
        &mut self,
        item: &str,
        tag: impl FnOnce(&TagRule) -> Result<Option<String>, String>,
    ) -> Result<(), String> {
        let (rule, names) = (self.rule, &mut *self.names);
        let number = self.items.number(item.as_bytes(), || match tag(rule) {
            Ok(None) => KnownTags::None,
            Ok(Some(name)) => {
                let number = names.number(name.as_bytes(), || name.clone());
                KnownTags::Tag(number)
            }
            Err(reason) => KnownTags::Bad(reason),
        });
        match &self.items.values[number] {
            KnownTags::None => {}
            KnownTags::Tag(number) => self.next.push(*number),
            KnownTags::Bad(reason) => return Err(reason.clone()),
        }
        Ok(())
    }
}
