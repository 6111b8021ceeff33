//! Values of the model: what a literal means to an attribute, and how values compare.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, ToSpan, civil, tz::TimeZone};
use tessera_protocol::message::{Datum, FailureCode};
use tessera_query_lang::ast::{AttributeType, Decimal, RelativeTime, TimeAnchor, TimeUnit, Value};

use super::Refused;

/// A value that a user has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// Of a boolean.
    Boolean(bool),
    /// Of an integer, or a decimal's units; of a date in days, of a timestamp in microseconds.
    Number(i64),
    /// Of an enum, a text or a user.
    Text(String),
    /// Of a multi; never empty.
    Texts(BTreeSet<String>),
}

/// Ten to the power of the most digits a decimal can have: all numbers compare at this scale.
const FINEST: u8 = 18;

/// What a literal says, once relative times are replaced by what they are now.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Text(String),
    Number(Decimal),
    Boolean(bool),
    Day(i32),
    Moment(i64),
}

fn said(literal: &Value, now: Timestamp) -> Said {
    match literal {
        Value::Text(text) => Said::Text(text.clone()),
        Value::Integer(number) => Said::Number(Decimal {
            units: *number,
            scale: 0,
        }),
        Value::Decimal(number) => Said::Number(*number),
        Value::Boolean(truth) => Said::Boolean(*truth),
        Value::Date(date) => Said::Day(days(*date)),
        Value::Timestamp(moment) => Said::Moment(moment.as_microsecond()),
        Value::Relative(relative) => {
            let there = moment(*relative, now);
            let whole_days = match relative.unit {
                TimeUnit::Day | TimeUnit::Week | TimeUnit::Month | TimeUnit::Year => true,
                TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => relative.amount == 0,
            };
            if relative.anchor == TimeAnchor::Today && whole_days {
                Said::Day(day_of(there.as_microsecond()))
            } else {
                Said::Moment(there.as_microsecond())
            }
        }
        Value::Parameter(_) => panic!("the model has no parameters"),
    }
}

/// The closed interval of an ordered type that a literal stands for, at a scale at which all
/// compare exactly with what [`held_number`] gives. Only a date beside a timestamp is more than
/// a point: its whole day.
///
/// # Errors
/// The literal is of another type.
pub fn ordered(
    kind: &AttributeType,
    literal: &Value,
    now: Timestamp,
) -> Result<(i128, i128), Refused> {
    let point = |number: i128| Ok((number, number));
    match (kind, said(literal, now)) {
        (AttributeType::Integer | AttributeType::Decimal(_), Said::Number(number)) => {
            point(at_finest(number))
        }
        (AttributeType::Integer | AttributeType::Decimal(_), Said::Text(text)) => {
            point(at_finest(numeral(&text)?))
        }
        (AttributeType::Date, Said::Day(day)) => point(i128::from(day)),
        (AttributeType::Date, Said::Moment(micros)) => point(i128::from(day_of(micros))),
        (AttributeType::Timestamp, Said::Moment(micros)) => point(i128::from(micros)),
        (AttributeType::Timestamp, Said::Day(day)) => {
            let midnight = i128::from(day) * i128::from(MICROSECONDS_A_DAY);
            Ok((midnight, midnight + i128::from(MICROSECONDS_A_DAY) - 1))
        }
        _ => Err(FailureCode::TypeMismatch),
    }
}

/// A text that is a number, as `"42"` in quotes is.
fn numeral(text: &str) -> Result<Decimal, Refused> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let units = format!("{whole}{part}")
        .parse()
        .map_err(|_| FailureCode::TypeMismatch)?;
    Ok(Decimal {
        units,
        scale: u8::try_from(part.len()).map_err(|_| FailureCode::TypeMismatch)?,
    })
}

/// The truth that a literal is.
///
/// # Errors
/// It is none.
pub fn truth(literal: &Value) -> Result<bool, Refused> {
    match literal {
        Value::Boolean(truth) => Ok(*truth),
        Value::Text(text) => text.parse().map_err(|_| FailureCode::TypeMismatch),
        Value::Integer(_)
        | Value::Decimal(_)
        | Value::Date(_)
        | Value::Timestamp(_)
        | Value::Relative(_)
        | Value::Parameter(_) => Err(FailureCode::TypeMismatch),
    }
}

/// The text that a literal is to an enum, a text or a key: a number is its digits, a date its
/// ISO form.
///
/// # Errors
/// It is a moment, which no text stands for.
pub fn text_of(literal: &Value, now: Timestamp) -> Result<String, Refused> {
    match said(literal, now) {
        Said::Text(text) => Ok(text),
        Said::Boolean(truth) => Ok(truth.to_string()),
        Said::Day(day) => Ok(date_of(i64::from(day)).to_string()),
        Said::Number(number) if number.scale == 0 => Ok(number.units.to_string()),
        Said::Number(number) => {
            let digits = format!(
                "{:0>width$}",
                number.units.unsigned_abs(),
                width = usize::from(number.scale) + 1
            );
            let (whole, part) = digits.split_at(digits.len() - usize::from(number.scale));
            Ok(format!(
                "{}{whole}.{part}",
                if number.units < 0 { "-" } else { "" }
            ))
        }
        Said::Moment(_) => Err(FailureCode::TypeMismatch),
    }
}

/// Microseconds a day.
pub const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// The day in which a moment lies.
pub fn day_of(micros: i64) -> i32 {
    i32::try_from(micros.div_euclid(MICROSECONDS_A_DAY)).expect("near times")
}

/// A held number at the scale of [`ordered`].
pub fn held_number(kind: &AttributeType, number: i64) -> i128 {
    match kind {
        AttributeType::Integer => i128::from(number) * power(FINEST),
        AttributeType::Decimal(scale) => i128::from(number) * power(FINEST - scale),
        AttributeType::Date
        | AttributeType::Timestamp
        | AttributeType::Enum(_)
        | AttributeType::Multi(_)
        | AttributeType::Boolean
        | AttributeType::Text
        | AttributeType::User => i128::from(number),
    }
}

/// Ten to some power.
pub fn power(digits: u8) -> i128 {
    10_i128.pow(u32::from(digits))
}

fn at_finest(number: Decimal) -> i128 {
    i128::from(number.units) * power(FINEST - number.scale)
}

/// Days since 1970-01-01.
pub fn days(date: civil::Date) -> i32 {
    let epoch = civil::date(1970, 1, 1);
    i32::try_from(date.duration_since(epoch).as_hours() / 24).expect("civil dates are near")
}

/// The date so many days after 1970-01-01.
pub fn date_of(days: i64) -> civil::Date {
    civil::date(1970, 1, 1)
        .checked_add(SignedDuration::from_hours(days * 24))
        .expect("a date that was one before")
}

/// What a relative time is at some moment.
pub fn moment(relative: RelativeTime, now: Timestamp) -> Timestamp {
    let start = match relative.anchor {
        TimeAnchor::Now => TimeZone::UTC.to_datetime(now),
        TimeAnchor::Today => TimeZone::UTC
            .to_datetime(now)
            .date()
            .to_datetime(civil::Time::midnight()),
    };
    let amount = i64::from(relative.amount);
    let span = match relative.unit {
        TimeUnit::Second => amount.seconds(),
        TimeUnit::Minute => amount.minutes(),
        TimeUnit::Hour => amount.hours(),
        TimeUnit::Day => amount.days(),
        TimeUnit::Week => amount.weeks(),
        TimeUnit::Month => amount.months(),
        TimeUnit::Year => amount.years(),
    };
    let there = start.checked_add(span).expect("near times");
    TimeZone::UTC.to_timestamp(there).expect("near times")
}

/// A held value as it is shown.
pub fn shown(kind: &AttributeType, held: &Held) -> Datum {
    match (kind, held) {
        (AttributeType::Integer, Held::Number(number)) => Datum::Integer(*number),
        (AttributeType::Decimal(scale), Held::Number(units)) => Datum::Decimal {
            units: i128::from(*units),
            scale: *scale,
        },
        (AttributeType::Date, Held::Number(days)) => {
            Datum::Date(i32::try_from(*days).expect("a date"))
        }
        (AttributeType::Timestamp, Held::Number(micros)) => Datum::Timestamp(*micros),
        (_, Held::Boolean(truth)) => Datum::Boolean(*truth),
        (_, Held::Text(text)) => Datum::Text(text.clone()),
        (_, Held::Texts(texts)) => Datum::List(texts.iter().cloned().collect()),
        (kind, Held::Number(number)) => panic!("{kind:?} does not hold the number {number}"),
    }
}
