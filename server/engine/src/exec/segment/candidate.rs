//! Users who may be on a page, with what they are ordered by.
//!
//! Knows how two values of one field compare. Does not know the fields, nor who is kept.

use std::cmp::Ordering;

use super::primary::PrimaryNumber;
use crate::{
    ids::{Location, UserId},
    storage::StoredValue,
};

/// What a user is ordered by in one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SortValue {
    Number(i64),
    Text(String),
    Missing,
}

/// A user who may be on the page.
pub(super) struct Chosen {
    pub(super) user: UserId,
    /// The first field, where it is known already.
    pub(super) first: Option<SortValue>,
}

/// A user with what it is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(super) values: Vec<SortValue>,
    pub(super) location: Location,
}

impl Candidate {
    /// The first field, where it is a number or missing.
    pub(super) fn primary(&self) -> Option<PrimaryNumber> {
        match self.values.first() {
            Some(SortValue::Number(number)) => Some(Some(*number)),
            Some(SortValue::Missing) => Some(None),
            Some(SortValue::Text(_)) | None => None,
        }
    }

    /// The first field, where it is a text.
    pub(super) fn text(&self) -> Option<&str> {
        match self.values.first() {
            Some(SortValue::Text(text)) => Some(text),
            Some(SortValue::Number(_) | SortValue::Missing) | None => None,
        }
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.values.iter().map(|value| match value {
            SortValue::Text(text) => text.capacity(),
            SortValue::Number(_) | SortValue::Missing => 0,
        });
        size_of::<Self>() + self.values.len() * size_of::<SortValue>() + texts.sum::<usize>()
    }
}

pub(super) fn text_of(value: Option<&StoredValue>) -> SortValue {
    match value {
        Some(StoredValue::Text(text)) => SortValue::Text(text.clone()),
        Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => {
            SortValue::Missing
        }
    }
}

pub(super) fn compare_values(left: &SortValue, right: &SortValue) -> Ordering {
    match (left, right) {
        (SortValue::Number(left), SortValue::Number(right)) => left.cmp(right),
        (SortValue::Text(left), SortValue::Text(right)) => left.cmp(right),
        // One field has values of one kind.
        (SortValue::Number(_) | SortValue::Text(_) | SortValue::Missing, _) => Ordering::Equal,
    }
}
