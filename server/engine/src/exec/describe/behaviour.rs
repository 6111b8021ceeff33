//! Questions about behaviour, with names instead of ids.

use super::{attribute, range};
use crate::{
    behaviour::{Behaviour, Bound, Filter, Question, Window},
    ids::EventId,
    plan::query::{DimensionQuery, EventSelection, MeasuredOf},
    schema::{AttributeClass, Schema},
    time,
};

/// A question as it might have been asked.
pub(super) fn text(schema: &Schema, behaviour: &Behaviour) -> String {
    let Behaviour {
        event: id,
        filter: by,
        window: when,
        question,
    } = behaviour;
    let events = events(schema, *id, by);
    let when = window(*when);
    let of = |property| format!("{events}.{}", attribute(schema, property));
    let whole = |number: i128| number.to_string();
    match question {
        Question::Did => format!("did:{events}{when}"),
        Question::Count(bound) => format!("count({events}{when}){}", within(*bound, whole)),
        Question::Days(bound) => format!("days({events}{when}){}", within(*bound, whole)),
        Question::Sum(property, bound) => {
            let sum = |number: i128| match i64::try_from(number) {
                Ok(number) => super::number(schema, *property, number),
                Err(_) => whole(number),
            };
            format!("sum({}{when}){}", of(*property), within(*bound, sum))
        }
        Question::Average(property, _, (numerator, denominator)) => {
            format!(
                "avg({}{when}) beside {numerator}/{denominator}",
                of(*property)
            )
        }
        Question::First(is) => format!("first({events}{when}) is {}", filter(schema, is)),
        Question::Last(is) => format!("last({events}{when}) is {}", filter(schema, is)),
        Question::Top(property, codes) => {
            format!("top({}{when}) among {} values", of(*property), codes.len())
        }
        Question::Sequence { then, within_us } => {
            let steps: String = then
                .iter()
                .map(|step| format!(" -> {}", self::events(schema, step.event, &step.filter)))
                .collect();
            let seconds = within_us / 1_000_000;
            let within = match *within_us {
                i64::MAX => String::new(),
                _ => format!(", within {seconds}s"),
            };
            format!("sequence({events}{steps}{within}{when})")
        }
    }
}

/// How a question is answered.
pub(super) fn operator(schema: &Schema, behaviour: &Behaviour) -> String {
    let how = match (&behaviour.question, &behaviour.filter) {
        (Question::Did, Filter::All) => "rows of days and months",
        (Question::Days(_), Filter::All) => "rows of days, or tables of events",
        (_, _) => "tables of events",
    };
    format!("{} from {how}", text(schema, behaviour))
}

/// What a `DIMENSION` splits or measures of events, and how.
pub(crate) fn of_dimension(schema: &Schema, query: &DimensionQuery) -> Vec<String> {
    let text = |verb: &str, of: &EventSelection| {
        let when = window(of.window);
        let events = events(schema, of.event, &of.filter);
        format!("{verb} {events}{when} from tables of events")
    };
    let mut texts: Vec<String> = query.events.iter().map(|of| text("split", of)).collect();
    for measured in &query.measured {
        if let MeasuredOf::Events(of, _) = &measured.of {
            let text = text("measure", of);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
    }
    texts
}

pub(super) fn name(schema: &Schema, event: EventId) -> String {
    let definition = schema.event_by_id(event);
    definition.map_or_else(|| format!("#{}", event.0), |event| event.name.to_string())
}

fn events(schema: &Schema, event: EventId, by: &Filter) -> String {
    match by {
        Filter::All => name(schema, event),
        Filter::Test(..) | Filter::Not(_) | Filter::And(_) | Filter::Or(_) => {
            format!("{}[{}]", name(schema, event), filter(schema, by))
        }
    }
}

fn filter(schema: &Schema, by: &Filter) -> String {
    let joined = |of: &[Filter], between: &str| {
        let parts: Vec<String> = of.iter().map(|inner| filter(schema, inner)).collect();
        format!("({})", parts.join(between))
    };
    match by {
        Filter::All => "any".to_owned(),
        Filter::Test(property, bounds) => {
            let definition = schema.property_by_id(*property);
            let is_coded =
                definition.is_some_and(|property| property.kind.class() == AttributeClass::Coded);
            match u32::try_from(bounds.low) {
                Ok(code) if is_coded && bounds.low == bounds.high => {
                    super::value(schema, *property, crate::ids::ValueCode(code))
                }
                Ok(_) | Err(_) => range(schema, *property, *bounds),
            }
        }
        Filter::Not(inner) => format!("NOT {}", filter(schema, inner)),
        Filter::And(of) => joined(of, " AND "),
        Filter::Or(of) => joined(of, " OR "),
    }
}

fn window(window: Window) -> String {
    if window == Window::ALL {
        return String::new();
    }
    let (first, last) = window.days();
    let is_of_days = window == Window::of_days(first, last);
    // An open end lies on no day.
    let end = |time_us: i64, day: i32| match time_us {
        i64::MIN | i64::MAX => String::new(),
        _ if is_of_days => time::format_date(day),
        _ => time::format_timestamp(time_us),
    };
    let (from, to) = (end(window.from_us, first), end(window.to_us, last));
    format!(", {from}..{to}")
}

fn within(bound: Bound, shown: impl Fn(i128) -> String) -> String {
    let end = |number: i128| match number {
        i128::MIN | i128::MAX => String::new(),
        number => shown(number),
    };
    match bound {
        Bound::Within(low, high) if low == high => format!(" = {}", end(low)),
        Bound::Within(low, high) => format!(":{}..{}", end(low), end(high)),
        Bound::Outside(low, high) if low == high => format!(" != {}", end(low)),
        Bound::Outside(low, high) => format!(" outside {}..{}", end(low), end(high)),
    }
}
