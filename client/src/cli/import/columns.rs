//! Rows → columns: what each distinct text of a column stands for is found out once.
//!
//! Knows how a batch of columns is built from rows that are good as a whole. What a field means
//! is the plan's matter; what becomes of the batch is the sender's.

mod added;
mod dictionary;
mod tags;

use self::added::AddedColumn;
pub(super) use self::dictionary::Dictionary;
use self::tags::TagColumn;
use super::mapping::{AttributeKind, MultiMode, OnMissing};
use super::plan::{AttributeRule, Plan, bad};
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
    pub(super) fn push(&mut self, record: &[u8], line: u64) {
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
    attributes: Vec<RuleColumn>,
    tags: TagColumn,
    keys: PackedTexts,
    records: RawRows,
    definitions: Vec<(usize, String)>,
    /// Bytes of the batch beside its records, about.
    bytes: usize,
}

impl Columns {
    /// Columns for a plan.
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            attributes: plan.attributes.iter().map(RuleColumn::of).collect(),
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
            .flat_map(|(column, rule)| column.finish(&rule.name, rows))
            .collect();
        if !self.plan.tags.is_empty() {
            columns.extend(self.tags.finish());
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

/// The columns of one rule for an attribute.
enum RuleColumn {
    /// Its values are set.
    Set(AttributeColumn),
    /// Values are added to those it has.
    Added(AddedColumn),
}

impl RuleColumn {
    fn of(rule: &AttributeRule) -> Self {
        match (rule.mapping.kind, rule.mapping.mode.unwrap_or_default()) {
            (AttributeKind::Multi, MultiMode::Add) => Self::Added(AddedColumn::new()),
            (_, MultiMode::Add | MultiMode::Replace) => Self::Set(AttributeColumn::of(rule)),
        }
    }

    fn read(&mut self, rule: &AttributeRule, cell: &Cell<'_>) -> Result<(), String> {
        match self {
            Self::Set(column) => column.read(rule, cell),
            Self::Added(column) => column.read(rule, cell),
        }
    }

    fn take(&mut self, row: usize) -> usize {
        match self {
            Self::Set(column) => column.take(row),
            Self::Added(column) => column.take(),
        }
    }

    fn finish(&mut self, name: &str, rows: usize) -> Vec<LoadColumn> {
        match self {
            Self::Set(column) => vec![column.finish(name, rows)],
            Self::Added(column) => column.finish(name),
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
pub(super) struct AttributeColumn {
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
    pub(super) fn of(rule: &AttributeRule) -> Self {
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
    pub(super) fn read(&mut self, rule: &AttributeRule, cell: &Cell<'_>) -> Result<(), String> {
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
    pub(super) fn take(&mut self, row: usize) -> usize {
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

    pub(super) fn finish(&mut self, name: &str, rows: usize) -> LoadColumn {
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
