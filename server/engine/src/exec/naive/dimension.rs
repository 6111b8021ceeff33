//! `DIMENSION` in the plainest way: every user's labels, every group's numbers in a list.

use std::collections::BTreeMap;

use super::{Found, codes, number};
use crate::{
    datum::Datum,
    ids::{AttributeId, ValueCode},
    plan::query::{Dim, DimKind, DimensionQuery, Measure, MeasureKind, NumberUnit, Statistic},
    schema::Schema,
    storage::{StoredValue, UserRecord},
    time,
};

/// The rows, in no useful order, without conditions, order and `TOP`.
pub fn rows(schema: &Schema, query: &DimensionQuery, users: &[Found]) -> Vec<Vec<Datum>> {
    let mut groups: BTreeMap<String, (Vec<Datum>, Vec<&Found>)> = BTreeMap::new();
    for user in users {
        let mut combinations = vec![Vec::new()];
        for dim in &query.dims {
            let labels = labels(schema, dim, &user.record);
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
            group.1.push(user);
        }
    }
    let row = |(mut row, members): (Vec<Datum>, Vec<&Found>)| {
        row.extend(
            query
                .measures
                .iter()
                .map(|measure| measured(query, measure, &members, users.len())),
        );
        row
    };
    groups.into_values().map(row).collect()
}

/// The groups of one dim in which a user is: at least one, missing where there is none.
fn labels(schema: &Schema, dim: &Dim, record: &UserRecord) -> Vec<Datum> {
    let raw = |attribute: AttributeId| number(record.value(attribute));
    let code_labels = |attribute: AttributeId| {
        let text = |code: &ValueCode| {
            schema
                .value_text(attribute, *code)
                .map(|text| Datum::Text(text.to_owned()))
        };
        codes(record.value(attribute))
            .iter()
            .filter_map(text)
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
            let start = raw(*attribute).and_then(|number| time::period_start(day(number), *period));
            let date = start.and_then(time::date_of_days);
            date.map(|date| Datum::Text(period_text(date, *period)))
                .into_iter()
                .collect()
        }
        DimKind::Tags { tags, at_s } => {
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

fn measured(query: &DimensionQuery, measure: &Measure, members: &[&Found], users: usize) -> Datum {
    let (statistic, index, unit) = match measure.kind {
        MeasureKind::Count => return Datum::Integer(members.len() as i64),
        MeasureKind::Share => return Datum::Real(members.len() as f64 / users as f64),
        MeasureKind::Of(statistic, index, unit) => (statistic, index, unit),
    };
    let attribute = query.measured[index].attribute;
    let mut numbers: Vec<i64> = members
        .iter()
        .filter_map(|user| number(user.record.value(attribute)))
        .collect();
    numbers.sort_unstable();
    let (Some(least), Some(greatest)) = (numbers.first(), numbers.last()) else {
        return Datum::Null;
    };
    let sum: i128 = numbers.iter().map(|number| i128::from(*number)).sum();
    match (statistic, unit) {
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
        (Statistic::Sum, NumberUnit::Decimal(scale)) => Datum::Decimal { units: sum, scale },
        (Statistic::Sum, _) => i64::try_from(sum).map_or(
            Datum::Decimal {
                units: sum,
                scale: 0,
            },
            Datum::Integer,
        ),
    }
}
