//! The oracle: answers by looking at every user's record, one by one, in the plainest way.
//!
//! Tests hold the fast paths against it; a portrait uses it for its one user. Knows nothing of
//! rows, columns, plans or passes.

pub mod behaviour;
pub mod dimension;
pub mod referral;

use jiff::civil::Date;

use super::dataset::Dataset;
use crate::{
    ids::{Location, NumberId, PartitionId, ValueCode},
    plan::logical::{Expr, Leaf, Range},
    storage::{StorageError, StoredValue, UserEvent, UserRecord},
    time,
};

/// Whether a user who did these things is in an expression's set. What is asked about inviters
/// must be [settled](referral::settled) before.
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
        Leaf::Range(of, range) => number_of(*of, record).is_some_and(|it| range.contains(it)),
        Leaf::Text(attribute, text) => match record.value(*attribute) {
            Some(StoredValue::Text(value)) => value == text,
            Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => {
                false
            }
        },
        Leaf::Keys(keys) => keys.iter().any(|named| named == key),
        Leaf::Behaviour(of) => behaviour::matches(of, events),
        // Settled before.
        Leaf::Referral(_) => false,
        Leaf::Held(tag, at_s) => record.holds(*tag, *at_s),
        Leaf::Blocked(tag) => record.is_blocked(*tag),
        Leaf::Recorded(tag, test) => record
            .holding(*tag)
            .is_some_and(|holding| test.holds(holding)),
        Leaf::Anniversary(attribute, unit, days) => number(record.value(*attribute))
            .is_some_and(|number| returns_within(unit.day(number).into(), *days)),
    }
}

/// A number that a record has, or one of a holding that has rows.
fn number_of(of: NumberId, record: &UserRecord) -> Option<i64> {
    let timed = |tag| record.timed().find(|(timed, ..)| *timed == tag);
    match of {
        NumberId::Attribute(attribute) => number(record.value(attribute)),
        NumberId::Since(tag) => timed(tag).map(|(_, since_s, _)| since_s),
        NumberId::Until(tag) => timed(tag).and_then(|(.., until_s)| until_s),
    }
}

/// Whether a day's anniversary is on one of these days: tried year by year.
fn returns_within(day: i64, days: Range) -> bool {
    let date = |day: i64| i32::try_from(day).ok().and_then(time::date_of_days);
    let (Some(born), Some(last)) = (date(day), date(days.high)) else {
        return false;
    };
    (born.year() + 1..=last.year()).any(|year| {
        let anniversary = match (born.month(), born.day()) {
            (2, 29) => Date::new(year, 2, 29).or_else(|_| Date::new(year, 3, 1)),
            (month, day) => Date::new(year, month, day),
        };
        anniversary.is_ok_and(|date| days.contains(time::days_of_date(date).into()))
    })
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
    /// Everything else that is known of the user.
    pub record: UserRecord,
    /// What the user did.
    pub events: Vec<UserEvent>,
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
            let expr = referral::settled(dataset, expr, key, record).unwrap_or_else(|error| {
                failed = Some(error);
                Expr::None
            });
            if matches(&expr, key, record, &events) {
                found.push(Found {
                    location,
                    key: key.to_owned(),
                    record: record.clone(),
                    events,
                });
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(found)
}
