//! `DIMENSION` in the plainest way: every user's or event's labels, every group's numbers in a list.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, behaviour::is_selected, codes, number};
use crate::{
    datum::Datum,
    ids::{AttributeId, ValueCode},
    plan::query::{
        Dim, DimKind, DimensionQuery, EventNumber, Measure, MeasureKind, MeasuredOf, NumberUnit,
        PropertySplit, Statistic,
    },
    schema::Schema,
    storage::{StoredValue, UserEvent},
    time,
};

/// What is counted: a user, or an event of a user.
#[derive(Clone, Copy)]
struct Item<'a> {
    user: &'a Found,
    event: Option<&'a UserEvent>,
}

/// The rows, in no useful order, without conditions, order and `TOP`.
pub fn rows(schema: &Schema, query: &DimensionQuery, users: &[Found]) -> Vec<Vec<Datum>> {
    let items: Vec<Item<'_>> = match &query.events {
        None => users
            .iter()
            .map(|user| Item { user, event: None })
            .collect(),
        Some(split) => {
            let of_user = |user| events_of(user).filter(|item| item.is_one_of(split));
            users.iter().flat_map(of_user).collect()
        }
    };
    let mut groups: BTreeMap<String, (Vec<Datum>, Vec<Item<'_>>)> = BTreeMap::new();
    for item in &items {
        let mut combinations = vec![Vec::new()];
        for dim in &query.dims {
            let labels = labels(schema, dim, *item);
            combinations = combinations
                .into_iter()
                .flat_map(|start| {
                    labels
                        .iter()
                        .map(move |label| [start.as_slice(), std::slice::from_ref(label)].concat())
                })
                .collect();
        }
        for combination in combinations {
            let group = groups
                .entry(format!("{combination:?}"))
                .or_insert_with(|| (combination, Vec::new()));
            group.1.push(*item);
        }
    }
    let row = |(mut row, members): (Vec<Datum>, Vec<Item<'_>>)| {
        row.extend(
            query
                .measures
                .iter()
                .map(|measure| measured(query, measure, &members, items.len())),
        );
        row
    };
    groups.into_values().map(row).collect()
}

fn events_of(user: &Found) -> impl Iterator<Item = Item<'_>> {
    let item = move |event| Item {
        user,
        event: Some(event),
    };
    user.events.iter().map(item)
}

impl Item<'_> {
    fn is_one_of(&self, selection: &crate::plan::query::EventSelection) -> bool {
        self.event
            .is_some_and(|event| is_selected(selection, event))
    }
}

/// The groups of one dim in which a user or an event is: at least one, missing where there is
/// none.
fn labels(schema: &Schema, dim: &Dim, item: Item<'_>) -> Vec<Datum> {
    let record = &item.user.record;
    let raw = |attribute: AttributeId| number(record.value(attribute));
    let property = |property| item.event.and_then(|event| event.details.number(property));
    let text = |attribute: AttributeId, code: ValueCode| {
        schema
            .value_text(attribute, code)
            .map(|text| Datum::Text(text.to_owned()))
    };
    let code_labels = |attribute: AttributeId| {
        codes(record.value(attribute))
            .iter()
            .filter_map(|code| text(attribute, *code))
            .collect()
    };
    let labels: Vec<Datum> = match &dim.kind {
        DimKind::Enum(attribute) | DimKind::Multi(attribute) => code_labels(*attribute),
        DimKind::Boolean(attribute) => codes(record.value(*attribute))
            .iter()
            .map(|code| Datum::Boolean(code.0 == 1))
            .collect(),
        DimKind::Number(attribute, unit) => raw(*attribute)
            .map(|number| datum(number, *unit))
            .into_iter()
            .collect(),
        DimKind::Inviter(attribute) => match record.value(*attribute) {
            Some(StoredValue::Text(key)) => vec![Datum::Text(key.clone())],
            Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => {
                Vec::new()
            }
        },
        DimKind::Bands {
            attribute,
            bounds,
            labels,
        } => {
            let band = |number| bounds.iter().filter(|bound| **bound <= number).count();
            raw(*attribute)
                .map(|number| Datum::Text(labels[band(number)].clone()))
                .into_iter()
                .collect()
        }
        DimKind::Calendar {
            attribute,
            number: unit,
            unit: period,
        } => {
            let day = |number| match unit {
                NumberUnit::Timestamp => time::day_of_micros(number),
                NumberUnit::Date | NumberUnit::Integer | NumberUnit::Decimal(_) => number as i32,
            };
            let day = raw(*attribute).map(day);
            period_label(day, *period)
        }
        DimKind::EventTime(period) => {
            let day = item.event.map(|event| time::day_of_micros(event.time_us));
            period_label(day, *period)
        }
        DimKind::EventProperty(of, split) => {
            let label = |number: i64| match split {
                PropertySplit::Name => text(*of, ValueCode(number as u32)),
                PropertySplit::Boolean => Some(Datum::Boolean(number == 1)),
                PropertySplit::Number(unit) => Some(datum(number, *unit)),
            };
            property(*of).and_then(label).into_iter().collect()
        }
        DimKind::Tags { tags, at_s, .. } => {
            let held = tags
                .iter()
                .filter(|tag| record.holds(**tag, *at_s))
                .filter_map(|tag| schema.tag_by_id(*tag));
            held.map(|tag| Datum::Text(tag.name.as_str().to_owned()))
                .collect()
        }
    };
    if labels.is_empty() {
        vec![Datum::Null]
    } else {
        labels
    }
}

fn period_label(day: Option<i32>, period: tessera_query_lang::ast::CalendarUnit) -> Vec<Datum> {
    let start = day.and_then(|day| time::period_start(day, period));
    let date = start.and_then(time::date_of_days);
    date.map(|date| Datum::Text(period_text(date, period)))
        .into_iter()
        .collect()
}

fn period_text(date: jiff::civil::Date, period: tessera_query_lang::ast::CalendarUnit) -> String {
    use tessera_query_lang::ast::CalendarUnit;
    match period {
        CalendarUnit::Day | CalendarUnit::Week => date.to_string(),
        CalendarUnit::Month => date.strftime("%Y-%m").to_string(),
        CalendarUnit::Quarter => format!("{}-Q{}", date.strftime("%Y"), (date.month() + 2) / 3),
        CalendarUnit::Year => date.strftime("%Y").to_string(),
    }
}

fn datum(number: i64, unit: NumberUnit) -> Datum {
    match unit {
        NumberUnit::Integer => Datum::Integer(number),
        NumberUnit::Decimal(scale) => Datum::Decimal {
            units: number.into(),
            scale,
        },
        NumberUnit::Date => Datum::Date(number as i32),
        NumberUnit::Timestamp => Datum::Timestamp(number),
    }
}

/// The numbers of a group's members.
fn numbers_of(of: &MeasuredOf, members: &[Item<'_>]) -> Vec<i64> {
    let events = |selection, of: EventNumber| {
        let all = members.iter().flat_map(|member| match member.event {
            Some(_) => vec![*member],
            None => events_of(member.user).collect(),
        });
        let selected = all.filter(|item| item.is_one_of(selection));
        selected
            .filter_map(|item| item.event)
            .filter_map(|event| match of {
                EventNumber::One => Some(1),
                EventNumber::Day => Some(time::day_of_micros(event.time_us).into()),
                EventNumber::Moment => Some(event.time_us),
                EventNumber::Property(property) => event.details.number(property),
            })
            .collect()
    };
    match of {
        MeasuredOf::Attribute(attribute) => {
            let values = members.iter().map(|of| of.user.record.value(*attribute));
            values.filter_map(number).collect()
        }
        MeasuredOf::Events(selection, of) => events(selection, *of),
        MeasuredOf::Users => {
            let users: BTreeSet<_> = members.iter().map(|item| item.user.location).collect();
            vec![1; users.len()]
        }
    }
}

fn measured(query: &DimensionQuery, measure: &Measure, members: &[Item<'_>], all: usize) -> Datum {
    let (statistic, index, unit) = match measure.kind {
        MeasureKind::Count => return Datum::Integer(members.len() as i64),
        MeasureKind::Share => return Datum::Real(members.len() as f64 / all as f64),
        MeasureKind::Of(statistic, index, unit) => (statistic, index, unit),
    };
    let mut numbers = numbers_of(&query.measured[index].of, members);
    numbers.sort_unstable();
    let sum: i128 = numbers.iter().map(|number| i128::from(*number)).sum();
    let (Some(least), Some(greatest)) = (numbers.first(), numbers.last()) else {
        return match statistic {
            Statistic::Number | Statistic::Different => Datum::Integer(0),
            Statistic::Total => sum_datum(0, unit),
            Statistic::Sum
            | Statistic::Average
            | Statistic::Min
            | Statistic::Max
            | Statistic::Percentile(_) => Datum::Null,
        };
    };
    match (statistic, unit) {
        (Statistic::Number, _) => Datum::Integer(numbers.len() as i64),
        (Statistic::Different, _) => {
            Datum::Integer(numbers.iter().collect::<BTreeSet<_>>().len() as i64)
        }
        (Statistic::Min, _) => datum(*least, unit),
        (Statistic::Max, _) => datum(*greatest, unit),
        (Statistic::Percentile(percent), _) => {
            let rank = (numbers.len() * usize::from(percent)).div_ceil(100).max(1);
            datum(numbers[rank - 1], unit)
        }
        (Statistic::Average, NumberUnit::Decimal(scale)) => {
            Datum::Real(sum as f64 / (numbers.len() as i128 * 10_i128.pow(scale.into())) as f64)
        }
        (Statistic::Average, _) => Datum::Real(sum as f64 / numbers.len() as f64),
        (Statistic::Sum | Statistic::Total, _) => sum_datum(sum, unit),
    }
}

fn sum_datum(sum: i128, unit: NumberUnit) -> Datum {
    match (unit, i64::try_from(sum)) {
        (NumberUnit::Decimal(scale), _) => Datum::Decimal { units: sum, scale },
        (_, Ok(sum)) => Datum::Integer(sum),
        (_, Err(_)) => Datum::Decimal {
            units: sum,
            scale: 0,
        },
    }
}
