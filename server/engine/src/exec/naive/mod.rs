//! The oracle: answers by looking at every user's record, one by one, in the plainest way.
//!
//! Tests hold the fast paths against it; a portrait uses it for its one user. Knows nothing of
//! rows, columns, plans or passes.

pub mod behaviour;
pub mod dimension;

use super::dataset::Dataset;
use crate::{
    ids::{Location, PartitionId, ValueCode},
    plan::logical::{Expr, Leaf},
    storage::{StorageError, StoredValue, UserEvent, UserRecord},
};

/// Whether a user who did these things is in an expression's set.
pub fn matches(expr: &Expr, key: &str, record: &UserRecord, events: &[UserEvent]) -> bool {
    match expr {
        Expr::All => true,
        Expr::None => false,
        Expr::Leaf(leaf) => matches_leaf(leaf, key, record, events),
        Expr::Not(inner) => !matches(inner, key, record, events),
        Expr::And(of) => of
            .iter()
            .all(|operand| matches(operand, key, record, events)),
        Expr::Or(of) => of
            .iter()
            .any(|operand| matches(operand, key, record, events)),
        Expr::AtLeast { threshold, of } => {
            of.iter()
                .filter(|operand| matches(operand, key, record, events))
                .count()
                >= *threshold as usize
        }
    }
}

fn matches_leaf(leaf: &Leaf, key: &str, record: &UserRecord, events: &[UserEvent]) -> bool {
    match leaf {
        Leaf::Tag(tag) => record.tags.contains(tag),
        Leaf::Present(attribute) => record.value(*attribute).is_some(),
        Leaf::Value(attribute, code) => codes(record.value(*attribute)).contains(code),
        Leaf::Range(attribute, range) => {
            number(record.value(*attribute)).is_some_and(|number| range.contains(number))
        }
        Leaf::Text(attribute, text) => match record.value(*attribute) {
            Some(StoredValue::Text(value)) => value == text,
            Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => {
                false
            }
        },
        Leaf::Keys(keys) => keys.iter().any(|named| named == key),
        Leaf::Behaviour(of) => behaviour::matches(of, events),
    }
}

/// The codes of an enum, boolean or multi.
pub(super) fn codes(value: Option<&StoredValue>) -> &[ValueCode] {
    match value {
        Some(StoredValue::Code(code)) => std::slice::from_ref(code),
        Some(StoredValue::Codes(codes)) => codes,
        Some(StoredValue::Number(_) | StoredValue::Text(_)) | None => &[],
    }
}

/// The raw number of a numeric attribute.
pub(super) fn number(value: Option<&StoredValue>) -> Option<i64> {
    match value {
        Some(StoredValue::Number(number)) => Some(*number),
        Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Text(_)) | None => None,
    }
}

/// A user that the oracle found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub location: Location,
    /// The key.
    pub key: String,
    /// Everything else.
    pub record: UserRecord,
}

/// The users of an expression, in storage order.
///
/// # Errors
/// When the store fails.
pub fn users(dataset: &dyn Dataset, expr: &Expr) -> Result<Vec<Found>, StorageError> {
    let mut found = Vec::new();
    for partition in (0..dataset.partition_count()).map(PartitionId) {
        let mut failed = None;
        dataset.for_each_user(partition, &mut |user, key, record| {
            let location = Location { partition, user };
            let events = dataset.user_events(location).unwrap_or_else(|error| {
                failed = Some(error);
                Vec::new()
            });
            if matches(expr, key, record, &events) {
                found.push(Found {
                    location,
                    key: key.to_owned(),
                    record: record.clone(),
                });
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(found)
}
