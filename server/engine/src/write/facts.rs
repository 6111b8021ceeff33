//! How much a request changed, in users and facts.
//!
//! A fact is a tag, a value, or an event. Knows records before and after. Does not know what was
//! asked for: what a request did and undid itself does not count.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::{
    datum::Summary,
    ids::AttributeId,
    storage::{StoredValue, Term, UserRecord},
    write::staging::{LiveUser, Saved, SlotId, Staging},
};

/// Counts what a request changed, from its beginning to its end: what it did and undid itself
/// does not count.
pub(super) fn summarise(staging: &Staging, saved: &[Saved]) -> Summary {
    let mut summary = Summary::default();
    let mut changed: HashSet<SlotId, RandomState> = HashSet::default();
    for Saved {
        slot,
        after: before,
    } in saved
    {
        let after = staging.slot(*slot).after.as_ref();
        let (is_changed, facts) = match (before, after) {
            (Some(before), Some(after)) if before.id == after.id => {
                let facts = facts_between(Some(&before.record), Some(&after.record));
                (facts > 0, facts)
            }
            (before, after) => {
                let record = |user: &LiveUser| user.record.clone();
                let gone = facts_between(before.as_ref().map(record).as_deref(), None);
                let come = facts_between(None, after.map(record).as_deref());
                (before.is_some() || after.is_some(), gone + come)
            }
        };
        summary.facts_changed += facts;
        if is_changed {
            changed.insert(*slot);
        }
    }
    for event in staging.events.of_request() {
        if staging.is_of_living(event) {
            summary.facts_changed += 1;
            changed.insert(event.slot);
        }
    }
    summary.users_changed = changed.len() as u64;
    summary
}

/// How many facts are in one record and not in the other, in either direction.
fn facts_between(before: Option<&UserRecord>, after: Option<&UserRecord>) -> u64 {
    let none = UserRecord::default();
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let tags = difference(&before.tags, &after.tags) + held_otherwise(before, after);
    let mut values = 0;
    for (attribute, value) in &before.values {
        values += match (value, after.value(*attribute)) {
            (StoredValue::Codes(codes), Some(StoredValue::Codes(others))) => {
                difference(codes, others)
            }
            (value, other) => {
                u64::from(other != Some(value))
                    * size_of_value(value).max(other.map_or(0, size_of_value))
            }
        };
    }
    let is_new = |attribute: AttributeId| before.value(attribute).is_none();
    let added = after
        .values
        .iter()
        .filter(|(attribute, _)| is_new(*attribute));
    tags + values + added.map(|(_, value)| size_of_value(value)).sum::<u64>()
}

/// How many tags are in both records and held for another time. Who held a tag without an end, and
/// was given it again without one, holds what was held before.
fn held_otherwise(before: &UserRecord, after: &UserRecord) -> u64 {
    let mut old = before.holdings().peekable();
    let changed = after.holdings().filter(|(tag, holding)| {
        while old.next_if(|(other, _)| other < tag).is_some() {}
        old.next_if(|(other, _)| other == tag)
            .is_some_and(|(_, other)| is_another_time(other.term, holding.term))
    });
    changed.count() as u64
}

fn is_another_time(before: Term, after: Term) -> bool {
    match (before, after) {
        (Term::Standing { .. }, Term::Standing { .. }) => false,
        (Term::Standing { .. } | Term::Timed { .. }, Term::Timed { .. })
        | (Term::Timed { .. }, Term::Standing { .. }) => before != after,
    }
}

fn size_of_value(value: &StoredValue) -> u64 {
    match value {
        StoredValue::Codes(codes) => codes.len() as u64,
        StoredValue::Code(_) | StoredValue::Number(_) | StoredValue::Text(_) => 1,
    }
}

/// How many elements are in one of two sorted lists only.
fn difference<T: Ord>(left: &[T], right: &[T]) -> u64 {
    let common = left
        .iter()
        .filter(|element| right.binary_search(element).is_ok())
        .count();
    (left.len() + right.len() - 2 * common) as u64
}
