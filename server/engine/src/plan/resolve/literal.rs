//! Values, as written or sent, and the raw intervals of numbers they stand for.
//!
//! Knows types and the calendar. A value stands for the closed interval of raw numbers that are
//! equal to it: one number in general; none for a decimal with more digits than the attribute
//! keeps; the microseconds of a whole day for a date beside a timestamp. `>= x` is then "from its
//! first", `> x` "after its last", so that every comparison is exact.

use tessera_query_lang::ast::{self, Span, Spanned, Value};

use super::{ResolveError, Resolver};
use crate::{
    datum::Datum,
    schema::{AttributeDefinition, AttributeKind},
    time,
};

/// A value without parameters or relative times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// Text.
    Text(String),
    /// `units` / 10^`scale`; a whole number has scale 0.
    Number {
        /// The number without its point.
        units: i128,
        /// Digits after the point.
        scale: u8,
    },
    /// True or false.
    Boolean(bool),
    /// Days since 1970-01-01.
    Day(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Moment(i64),
}

/// The raw numbers equal to a value: `first` to `last`, and none where `first` is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first: i128,
    pub(super) last: i128,
}

impl Extent {
    pub(super) fn point(value: impl Into<i128>) -> Self {
        let value = value.into();
        Self {
            first: value,
            last: value,
        }
    }
}

impl Literal {
    /// As a message shows it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Text(text) => format!("the text \"{text}\""),
            Self::Number { .. } => format!("the number {}", self.as_text().unwrap_or_default()),
            Self::Boolean(value) => value.to_string(),
            Self::Day(_) => format!("the date {}", self.as_text().unwrap_or_default()),
            Self::Moment(micros) => format!("the timestamp {}", time::format_timestamp(*micros)),
        }
    }

    /// The text this value reads as where a text is wanted; not for moments, which have many.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number { units, scale } => Some(decimal_text(*units, *scale)),
            Self::Boolean(value) => Some(value.to_string()),
            Self::Day(days) => Some(time::format_date(*days)),
            Self::Moment(_) => None,
        }
    }

    /// What the value is of a numeric attribute.
    pub(super) fn extent(
        &self,
        attribute: &AttributeDefinition,
        span: Span,
    ) -> Result<Extent, ResolveError> {
        let found = match &attribute.kind {
            AttributeKind::Integer | AttributeKind::YearsSince(_) => {
                self.number().map(|(units, scale)| scaled(units, scale, 0))
            }
            AttributeKind::Decimal { scale: digits } => self
                .number()
                .map(|(units, scale)| scaled(units, scale, *digits)),
            AttributeKind::Date => self.day().map(Extent::point),
            AttributeKind::Timestamp => self.moments(),
            AttributeKind::Enum(_)
            | AttributeKind::Multi(_)
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::User
            | AttributeKind::Inviter => None,
        };
        found.ok_or_else(|| {
            let (name, kind) = (attribute.name.as_str(), kind_name(&attribute.kind));
            ResolveError::mismatch(
                format!("{name} is {kind}, and {} is not", self.describe()),
                span,
            )
        })
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Text(text) => text.parse().ok(),
            Self::Number { .. } | Self::Day(_) | Self::Moment(_) => None,
        }
    }

    /// Numbers, and texts that are numerals.
    pub(super) fn number(&self) -> Option<(i128, u8)> {
        match self {
            Self::Number { units, scale } => Some((*units, *scale)),
            Self::Text(text) => parse_decimal(text),
            Self::Boolean(_) | Self::Day(_) | Self::Moment(_) => None,
        }
    }

    /// Dates, texts that are dates, and the UTC day of a moment.
    pub(super) fn day(&self) -> Option<i32> {
        match self {
            Self::Day(days) => Some(*days),
            Self::Moment(micros) => Some(time::day_of_micros(*micros)),
            Self::Text(text) => time::parse_date(text).ok(),
            Self::Boolean(_) | Self::Number { .. } => None,
        }
    }

    /// Moments, the whole of a day, and texts that are either.
    pub(super) fn moments(&self) -> Option<Extent> {
        let whole_day = |days: i32| {
            let first = i128::from(days) * i128::from(time::MICROS_PER_DAY);
            Extent {
                first,
                last: first + i128::from(time::MICROS_PER_DAY) - 1,
            }
        };
        match self {
            Self::Day(days) => Some(whole_day(*days)),
            Self::Moment(micros) => Some(Extent::point(*micros)),
            Self::Text(text) => match time::parse_date(text) {
                Ok(days) => Some(whole_day(days)),
                Err(_) => time::parse_timestamp(text).ok().map(Extent::point),
            },
            Self::Boolean(_) | Self::Number { .. } => None,
        }
    }
}

/// A value with more digits than are kept lies between two raw numbers and equals none.
pub(super) fn scaled(units: i128, scale: u8, digits: u8) -> Extent {
    if scale <= digits {
        let factor = 10_i128.pow(u32::from(digits - scale));
        return Extent::point(units.saturating_mul(factor));
    }
    match 10_i128.checked_pow(u32::from(scale - digits)) {
        Some(divisor) => {
            let last = units.div_euclid(divisor);
            let first = last + i128::from(units.rem_euclid(divisor) != 0);
            Extent { first, last }
        }
        None => Extent {
            first: i128::from(units > 0),
            last: -i128::from(units < 0),
        },
    }
}

/// `a text`, `an integer`, …
pub(crate) fn kind_name(kind: &AttributeKind) -> &'static str {
    match kind {
        AttributeKind::Enum(_) => "an enum",
        AttributeKind::Multi(_) => "a multi",
        AttributeKind::Integer => "an integer",
        AttributeKind::Decimal { .. } => "a decimal",
        AttributeKind::Date => "a date",
        AttributeKind::Timestamp => "a timestamp",
        AttributeKind::Boolean => "a boolean",
        AttributeKind::Text => "a text",
        AttributeKind::User | AttributeKind::Inviter => "a user",
        AttributeKind::YearsSince(_) => "a number of years",
    }
}

/// A sign, digits and at most one point; no exponent. At most 36 digits.
fn parse_decimal(text: &str) -> Option<(i128, u8)> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = !whole.is_empty()
        && all_digits(whole)
        && all_digits(part)
        && (part.is_empty() != digits.contains('.'));
    if !well_formed || whole.len() + part.len() > 36 {
        return None;
    }
    let units: i128 = format!("{whole}{part}").parse().ok()?;
    let scale = u8::try_from(part.len()).ok()?;
    Some((if text.starts_with('-') { -units } else { units }, scale))
}

/// A decimal as it is written.
pub(crate) fn decimal_text(units: i128, scale: u8) -> String {
    if scale == 0 {
        return units.to_string();
    }
    let digits = format!(
        "{:0>width$}",
        units.unsigned_abs(),
        width = usize::from(scale) + 1
    );
    let (whole, part) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{whole}.{part}")
}

impl Resolver<'_> {
    /// One value; a parameter must hold one.
    pub(super) fn literal(&mut self, value: &Spanned<Value>) -> Result<Literal, ResolveError> {
        let mut literals = self.literals(value)?;
        match (literals.pop(), literals.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) | (None, _) => Err(ResolveError::mismatch(
                "a list stands where one value is expected",
                value.span,
            )),
        }
    }

    /// The values that one stands for: a parameter may hold a list.
    pub(super) fn literals(
        &mut self,
        value: &Spanned<Value>,
    ) -> Result<Vec<Literal>, ResolveError> {
        let literal = match &value.node {
            Value::Text(text) => Literal::Text(text.clone()),
            Value::Integer(number) => Literal::Number {
                units: (*number).into(),
                scale: 0,
            },
            Value::Decimal(decimal) => Literal::Number {
                units: decimal.units.into(),
                scale: decimal.scale,
            },
            Value::Boolean(value) => Literal::Boolean(*value),
            Value::Date(date) => Literal::Day(time::days_of_date(*date)),
            Value::Timestamp(moment) => Literal::Moment(time::micros_of_timestamp(*moment)),
            Value::Relative(relative) => self.relative(*relative, value.span)?,
            Value::Parameter(parameter) => {
                let datum = self.bindings.value(parameter, value.span)?;
                return literals_of_datum(datum, value.span);
            }
        };
        Ok(vec![literal])
    }

    fn relative(&self, relative: ast::RelativeTime, span: Span) -> Result<Literal, ResolveError> {
        let resolved = time::resolve_relative(relative, self.now)
            .map_err(|error| ResolveError::mismatch(error.to_string(), span))?;
        Ok(match resolved {
            time::ResolvedTime::Day(days) => Literal::Day(days),
            time::ResolvedTime::Micros(micros) => Literal::Moment(micros),
        })
    }
}

fn literals_of_datum(datum: &Datum, span: Span) -> Result<Vec<Literal>, ResolveError> {
    let literal = match datum {
        Datum::Null => {
            return Err(ResolveError::mismatch(
                "a parameter cannot be null here",
                span,
            ));
        }
        Datum::Boolean(value) => Literal::Boolean(*value),
        Datum::Integer(number) => Literal::Number {
            units: (*number).into(),
            scale: 0,
        },
        Datum::Decimal { units, scale } => Literal::Number {
            units: *units,
            scale: *scale,
        },
        // The shortest decimal that reads as this number is the one that was meant.
        Datum::Real(number) => match parse_decimal(&number.to_string()) {
            Some((units, scale)) => Literal::Number { units, scale },
            None => {
                return Err(ResolveError::mismatch(
                    format!("{number} cannot be used as a number here"),
                    span,
                ));
            }
        },
        Datum::Text(text) => Literal::Text(text.clone()),
        Datum::Date(days) => Literal::Day(*days),
        Datum::Timestamp(micros) => Literal::Moment(*micros),
        Datum::List(texts) => return Ok(texts.iter().cloned().map(Literal::Text).collect()),
    };
    Ok(vec![literal])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_compared_exactly() {
        let check = |units: i128, scale: u8, digits: u8, first: i128, last: i128| {
            assert_eq!(
                scaled(units, scale, digits),
                Extent { first, last },
                "{units}e-{scale} at {digits}"
            );
        };
        check(1005, 3, 2, 101, 100);
        check(-1005, 3, 2, -100, -101);
        check(1000, 3, 2, 100, 100);
        check(5, 0, 2, 500, 500);
        check(1, 200, 0, 1, 0);
        check(-1, 200, 0, 0, -1);
        check(0, 200, 0, 0, 0);
    }

    #[test]
    fn numerals_are_strict() {
        let check = |text: &str, expected: Option<(i128, u8)>| {
            assert_eq!(parse_decimal(text), expected, "{text}");
        };
        check("42", Some((42, 0)));
        check("-1.50", Some((-150, 2)));
        check("+7", Some((7, 0)));
        check("007", Some((7, 0)));
        for text in [
            "", "-", ".5", "5.", "1e3", " 1", "1 ", "--1", "1.2.3", "٣", "1_000",
        ] {
            check(text, None);
        }
        check(&"9".repeat(37), None);
    }

    #[test]
    fn decimals_read_as_written() {
        let check = |units: i128, scale: u8, expected: &str| {
            assert_eq!(decimal_text(units, scale), expected);
        };
        check(150, 2, "1.50");
        check(-5, 2, "-0.05");
        check(0, 1, "0.0");
        check(7, 0, "7");
    }
}
