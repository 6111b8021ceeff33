//! Questions about behaviour, answered from one user's events in the plainest way.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    behaviour::{Behaviour, Figure, Filter, Question, Step},
    ids::AttributeId,
    plan::query::EventSelection,
    storage::UserEvent,
    time::day_of_micros,
};

/// Those of a user's events that a question counts.
pub fn counted<'e>(behaviour: &Behaviour, events: &'e [UserEvent]) -> Vec<&'e UserEvent> {
    let counted = events.iter().filter(|event| is_counted(behaviour, event));
    counted.collect()
}

/// A figure of events, as a quotient with a positive denominator; `None` where there is none.
pub fn figure(events: &[&UserEvent], figure: Figure) -> Option<(i128, u32)> {
    let times = || events.iter().map(|event| event.time_us);
    let values = figure.property().map_or_else(Vec::new, |property| {
        let numbers = events.iter().map(|event| event.details.number(property));
        numbers.flatten().collect::<Vec<i64>>()
    });
    let sum = || values.iter().copied().map(i128::from).sum::<i128>();
    let known = |number: i64| (i128::from(number), 1);
    match figure {
        Figure::Count => (!events.is_empty()).then_some((events.len() as i128, 1)),
        Figure::Days => {
            let days: BTreeSet<i32> = times().map(day_of_micros).collect();
            (!days.is_empty()).then_some((days.len() as i128, 1))
        }
        Figure::Sum(_) => (!values.is_empty()).then(|| (sum(), 1)),
        Figure::Average(_) => {
            let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
            (count > 0).then(|| (sum(), count))
        }
        Figure::Least(_) => values.iter().min().copied().map(known),
        Figure::Greatest(_) => values.iter().max().copied().map(known),
        Figure::First => times().min().map(known),
        Figure::Last => times().max().map(known),
    }
}

/// Whether a user with these events, in any order, is one that a question asks for.
pub fn matches(behaviour: &Behaviour, events: &[UserEvent]) -> bool {
    let counted = counted(behaviour, events);
    let values = |property: AttributeId| -> Vec<i64> {
        let numbers = counted.iter().map(|event| event.details.number(property));
        numbers.flatten().collect()
    };
    let sum = |property| values(property).into_iter().map(i128::from).sum::<i128>();
    match &behaviour.question {
        Question::Did => !counted.is_empty(),
        Question::Count(bound) => bound.admits(counted.len() as i128),
        Question::Days(bound) => {
            let days: BTreeSet<i32> = counted
                .iter()
                .map(|event| day_of_micros(event.time_us))
                .collect();
            bound.admits(days.len() as i128)
        }
        Question::Sum(property, bound) => bound.admits(sum(*property)),
        Question::Average(property, orderings, than) => {
            let count = values(*property).len() as u32;
            count > 0 && orderings.admit_mean(sum(*property), count, *than)
        }
        Question::First(filter) => {
            let first = counted.iter().map(|event| event.time_us).min();
            is_one_at(&counted, first, filter)
        }
        Question::Last(filter) => {
            let last = counted.iter().map(|event| event.time_us).max();
            is_one_at(&counted, last, filter)
        }
        Question::Top(property, wanted) => {
            let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
            for code in values(*property) {
                *counts.entry(code).or_insert(0) += 1;
            }
            let most = counts.values().max().copied().unwrap_or(0);
            let is_most = |code: &i64| most > 0 && counts.get(code) == Some(&most);
            wanted.iter().any(is_most)
        }
        Question::Sequence { then, within_us } => counted.iter().any(|first| {
            let end = first.time_us.saturating_add(*within_us);
            follows(behaviour, events, then, first.time_us, end)
        }),
    }
}

/// Whether an event is one of a selection.
pub(super) fn is_selected(selection: &EventSelection, event: &UserEvent) -> bool {
    event.event == selection.event
        && selection.window.contains(event.time_us)
        && passes(&selection.filter, event)
}

fn is_counted(behaviour: &Behaviour, event: &UserEvent) -> bool {
    event.event == behaviour.event
        && behaviour.window.contains(event.time_us)
        && passes(&behaviour.filter, event)
}

fn passes(filter: &Filter, event: &UserEvent) -> bool {
    filter.matches(&|property| event.details.number(property))
}

fn is_one_at(counted: &[&UserEvent], time_us: Option<i64>, filter: &Filter) -> bool {
    let mut at = counted
        .iter()
        .filter(|event| Some(event.time_us) == time_us);
    at.any(|event| passes(filter, event))
}

/// Whether the steps follow one after the other, after a moment and not after the end.
fn follows(
    behaviour: &Behaviour,
    events: &[UserEvent],
    then: &[Step],
    after_us: i64,
    end_us: i64,
) -> bool {
    let Some((step, rest)) = then.split_first() else {
        return true;
    };
    let next = events.iter().filter(|event| {
        event.event == step.event
            && behaviour.window.contains(event.time_us)
            && passes(&step.filter, event)
            && event.time_us > after_us
            && event.time_us <= end_us
    });
    // The earliest is as good as any.
    let earliest = next.map(|event| event.time_us).min();
    earliest.is_some_and(|time| follows(behaviour, events, rest, time, end_us))
}
