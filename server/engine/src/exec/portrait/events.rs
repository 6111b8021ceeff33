//! What a user did: how often, when first and when last, and the last events in full.

use std::collections::BTreeMap;

use super::row;
use crate::{
    datum::{Datum, Row},
    schema::{AttributeDefinition, EventDefinition, Schema},
    storage::{StoredValue, UserEvent},
    time::{day_of_micros, format_timestamp},
    write::show_datum,
};

/// Events that are shown one by one.
const EVENTS_SHOWN: usize = 20;
/// Windows in which they are counted: so many days in UTC that end with today.
const RECENT_DAYS: [i32; 3] = [7, 30, 90];

/// Of events of one kind.
struct Summary {
    count: i64,
    first_us: i64,
    last_us: i64,
    /// Of the last [`RECENT_DAYS`].
    recent: [i64; RECENT_DAYS.len()],
}

/// Rows `behaviour`, by the name of the event, and rows `event`, the latest first: when it was,
/// and what is known of it.
pub(super) fn rows(schema: &Schema, mut events: Vec<UserEvent>, at_s: i64) -> Vec<Row> {
    let today = day_of_micros(at_s.saturating_mul(1_000_000));
    let mut by_name: BTreeMap<&str, Summary> = BTreeMap::new();
    for event in &events {
        let Some(kind) = schema.event_by_id(event.event) else {
            continue;
        };
        let summary = by_name.entry(kind.name.as_str()).or_insert(Summary {
            count: 0,
            first_us: event.time_us,
            last_us: event.time_us,
            recent: [0; RECENT_DAYS.len()],
        });
        let day = day_of_micros(event.time_us);
        for (days, recent) in RECENT_DAYS.iter().zip(&mut summary.recent) {
            if day > today.saturating_sub(*days) && day <= today {
                *recent += 1;
            }
        }
        summary.count += 1;
        summary.first_us = summary.first_us.min(event.time_us);
        summary.last_us = summary.last_us.max(event.time_us);
    }
    let mut rows = Vec::new();
    for (name, summary) in by_name {
        let mut figures = vec![("count".to_owned(), Datum::Integer(summary.count))];
        let recent = RECENT_DAYS.iter().zip(summary.recent);
        figures
            .extend(recent.map(|(days, count)| (format!("count {days}d"), Datum::Integer(count))));
        figures.extend([
            ("first".to_owned(), Datum::Timestamp(summary.first_us)),
            ("last".to_owned(), Datum::Timestamp(summary.last_us)),
        ]);
        let row = |(figure, value)| row("behaviour", &format!("{figure} {name}"), value);
        rows.extend(figures.into_iter().map(row));
    }
    events.sort_by_key(|event| std::cmp::Reverse((event.time_us, event.event)));
    for event in events.iter().take(EVENTS_SHOWN) {
        if let Some(kind) = schema.event_by_id(event.event) {
            let told = Datum::Text(told(schema, kind, event));
            rows.push(row("event", &format_timestamp(event.time_us), told));
        }
    }
    rows
}

/// `purchase amount = 12.50, category = shoes`: the properties in the order of the definition.
fn told(schema: &Schema, kind: &EventDefinition, event: &UserEvent) -> String {
    let value = |property: &AttributeDefinition| -> Option<&StoredValue> {
        let values = &event.details.values;
        let place = values.binary_search_by_key(&property.id, |(id, _)| *id);
        values.get(place.ok()?).map(|(_, value)| value)
    };
    let said: Vec<String> = kind
        .properties
        .iter()
        .filter_map(|property| {
            let shown = match schema.datum(property, value(property)?) {
                Datum::Text(text) => text,
                datum @ (Datum::Null
                | Datum::Boolean(_)
                | Datum::Integer(_)
                | Datum::Decimal { .. }
                | Datum::Real(_)
                | Datum::Date(_)
                | Datum::Timestamp(_)
                | Datum::List(_)) => show_datum(&datum),
            };
            Some(format!("{} = {shown}", property.name))
        })
        .collect();
    match said.is_empty() {
        true => kind.name.to_string(),
        false => format!("{} {}", kind.name, said.join(", ")),
    }
}
