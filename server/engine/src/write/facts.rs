//! How much a request changed, in users and facts.
//!
//! A fact is a tag, a value, or an event. Knows records before and after. Does not know what was
//! asked for: what a request did and undid itself does not count.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::{
    datum::Summary,
    error::Error,
    exec::scheduler::Scheduler,
    ids::{AttributeId, PartitionId},
    storage::{StoredValue, Term, UserRecord},
    write::staging::{LiveUser, Part, Saved, SlotId, Staging},
};

/// Slots of a request that are compared on one thread.
const PARALLEL_SLOTS_MIN: usize = if cfg!(test) { 8 } else { 2048 };

/// Counts what a request changed, from its beginning to its end: what it did and undid itself
/// does not count.
pub(super) fn summarise(
    staging: &Staging,
    scheduler: &Scheduler,
    saved: &[(PartitionId, Vec<Saved>)],
) -> Result<Summary, Error> {
    let count = |summary: Summary, (partition, saved): &(PartitionId, Vec<Saved>)| {
        let (users, facts) = staging
            .part(*partition)
            .map_or((0, 0), |part| changed(part, saved));
        Summary {
            users_changed: summary.users_changed + users,
            facts_changed: summary.facts_changed + facts,
            ..summary
        }
    };
    let slots: usize = saved.iter().map(|(_, saved)| saved.len()).sum();
    if slots < PARALLEL_SLOTS_MIN {
        return Ok(saved.iter().fold(Summary::default(), count));
    }
    let counted = scheduler.fold(saved.len(), Summary::default, |summary, _, part| {
        Ok(count(summary, &saved[part]))
    })?;
    let add = |all: Summary, some: Summary| Summary {
        users_changed: all.users_changed + some.users_changed,
        facts_changed: all.facts_changed + some.facts_changed,
        ..all
    };
    Ok(counted.into_iter().fold(Summary::default(), add))
}

/// How many users and facts of a partition the present request has changed.
fn changed(part: &Part, saved: &[Saved]) -> (u64, u64) {
    let mut facts_changed = 0;
    let mut changed: HashSet<SlotId, RandomState> = HashSet::default();
    for Saved {
        slot,
        after: before,
    } in saved
    {
        let after = part.slot(*slot).after.as_ref();
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
        facts_changed += facts;
        if is_changed {
            changed.insert(*slot);
        }
    }
    for event in part.events.of_request() {
        if part.is_of_living(event) {
            facts_changed += 1;
            changed.insert(event.slot);
        }
    }
    (changed.len() as u64, facts_changed)
}

/// How many facts are in one record and not in the other, in either direction.
fn facts_between(before: Option<&UserRecord>, after: Option<&UserRecord>) -> u64 {
    let none = UserRecord::default();
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let tags = difference(&before.tags, &after.tags)
        + difference(before.blocked(), after.blocked())
        + held_otherwise(before, after);
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
