//! The column of values that rows add to an attribute that has many.
//!
//! Knows which values a field lists. Does not know what a value means.

use super::super::plan::AttributeRule;
use super::super::value::Cell;
use super::dictionary::Dictionary;
use super::replace;
use crate::LoadColumn;
use crate::cli::session::Datum;

/// What a field stands for.
#[derive(Debug)]
enum Known {
    /// Values of these numbers, or none.
    Values(Vec<usize>),
    /// The attribute is cleared.
    Nothing,
    /// No values, for this reason.
    Bad(String),
}

/// What rows add to an attribute, and which of them clear it.
pub(super) struct AddedColumn {
    fields: Dictionary<Known>,
    /// All values.
    values: Dictionary<String>,
    ends: Vec<u32>,
    codes: Vec<u32>,
    /// For each row whether it clears the attribute: 1 if so, else 0.
    cleared: Vec<u32>,
    /// The field of the row under way.
    next: usize,
}

impl AddedColumn {
    pub(super) fn new() -> Self {
        Self {
            fields: Dictionary::new(),
            values: Dictionary::new(),
            ends: Vec::new(),
            codes: Vec::new(),
            cleared: Vec::new(),
            next: 0,
        }
    }

    /// Reads the field of the row under way.
    pub(super) fn read(&mut self, rule: &AttributeRule, cell: &Cell<'_>) -> Result<(), String> {
        let values = &mut self.values;
        let number_of = |item: String| values.number(item.as_bytes(), || item.clone());
        self.next = self.fields.number_of(cell, || match rule.value_of(cell) {
            Ok(Some(Datum::List(items))) => {
                Known::Values(items.into_iter().map(number_of).collect())
            }
            Ok(Some(_)) => Known::Nothing,
            Ok(None) => Known::Values(Vec::new()),
            Err(reason) => Known::Bad(reason),
        });
        match &self.fields.values[self.next] {
            Known::Bad(reason) => Err(reason.clone()),
            Known::Values(_) | Known::Nothing => Ok(()),
        }
    }

    /// Takes the field of the row under way, which is good; says how many bytes more that is.
    pub(super) fn take(&mut self) -> usize {
        let (numbers, is_cleared): (&[usize], u32) = match &self.fields.values[self.next] {
            Known::Values(numbers) => (numbers, 0),
            Known::Nothing => (&[], 1),
            Known::Bad(_) => (&[], 0),
        };
        let mut bytes = size_of::<u32>() * (2 + numbers.len());
        for number in numbers {
            let (code, added) = self.values.code(*number);
            self.codes.push(code);
            if added {
                bytes += self.values.values[*number].len() + size_of::<Datum>();
            }
        }
        self.ends.push(self.codes.len() as u32);
        self.cleared.push(is_cleared);
        bytes
    }

    /// The columns of the batch, which ends: that of the rows that clear the attribute comes first,
    /// if there are any.
    pub(super) fn finish(&mut self, name: &str) -> Vec<LoadColumn> {
        let (rows, codes) = (self.ends.len(), self.codes.len());
        let mut columns = Vec::with_capacity(2);
        let cleared = replace(&mut self.cleared, rows);
        if cleared.contains(&1) {
            columns.push(LoadColumn::Coded {
                attribute: name.to_owned(),
                dictionary: vec![Datum::Null],
                codes: cleared,
            });
        }
        let used = self.values.finish();
        let value = |number: &usize| Datum::Text(self.values.values[*number].clone());
        let dictionary = used.iter().map(value).collect();
        columns.push(LoadColumn::Added {
            attribute: name.to_owned(),
            dictionary,
            ends: replace(&mut self.ends, rows),
            codes: replace(&mut self.codes, codes),
        });
        if self.fields.is_overgrown() || self.values.is_overgrown() {
            // Fields know values by number: both are forgotten together.
            self.fields = Dictionary::new();
            self.values = Dictionary::new();
        }
        columns
    }
}
