//! One value as text: plain, as JSON, and for people.
//!
//! Knows how each kind of value is written. Does not know tables or files.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::cli::session::Datum;

/// The number of days from 0000-01-01 or so to the Unix epoch is no concern of ours: jiff counts.
const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// Digits of a number that are shown to people even where they are behind many zeros.
const SIGNIFICANT_DIGITS_MIN: i32 = 4;
/// Digits after the point that are shown in any case, unless they are zeros at the end.
const DECIMALS_MIN: usize = 2;
/// A number that needs more of them is written with an exponent.
const DECIMALS_MAX: i32 = 15;

/// Appends a value without quotes: nothing for a missing one, a JSON array for a list.
pub(crate) fn write_plain(value: &Datum, out: &mut String) {
    match value {
        Datum::Null => {}
        Datum::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Integer(value) => append(out, value),
        Datum::Decimal { units, scale } => write_decimal(*units, *scale, out),
        Datum::Real(value) => append(out, value),
        Datum::Text(value) => out.push_str(value),
        Datum::Date(days) => write_date(*days, out),
        Datum::Timestamp(micros) => write_timestamp(*micros, out),
        Datum::List(_) => write_json(value, out),
    }
}

/// Appends a value as JSON. Decimals are JSON numbers with all of their digits; a real that is
/// not a number, which JSON cannot write, is `null`.
pub(crate) fn write_json(value: &Datum, out: &mut String) {
    match value {
        Datum::Null => out.push_str("null"),
        Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal { .. } => write_plain(value, out),
        Datum::Real(real) if real.is_finite() => append(out, real),
        Datum::Real(_) => out.push_str("null"),
        Datum::Text(text) => write_json_string(text, out),
        Datum::Date(_) | Datum::Timestamp(_) => {
            let mut text = String::new();
            write_plain(value, &mut text);
            write_json_string(&text, out);
        }
        Datum::List(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_json_string(item, out);
            }
            out.push(']');
        }
    }
}

/// Appends a text as a JSON string.
pub(crate) fn write_json_string(text: &str, out: &mut String) {
    // A string always has a JSON form; the fallback keeps the output well-formed all the same.
    out.push_str(&serde_json::to_string(text).unwrap_or_else(|_| String::from("null")));
}

/// A value for people: thousands apart, lists with commas, nothing shown as nothing.
pub(crate) fn pretty(value: &Datum) -> String {
    match value {
        Datum::Integer(_) | Datum::Decimal { .. } => {
            let mut text = String::new();
            write_plain(value, &mut text);
            group_thousands(&text)
        }
        Datum::Real(real) => group_thousands(&round_for_people(*real)),
        Datum::List(items) => printable(&items.join(", ")),
        Datum::Text(text) => printable(text),
        Datum::Null | Datum::Boolean(_) | Datum::Date(_) | Datum::Timestamp(_) => {
            let mut text = String::new();
            write_plain(value, &mut text);
            text
        }
    }
}

/// A part of the whole as a percentage with two digits.
pub(crate) fn pretty_share(value: &Datum) -> String {
    match share_of(value) {
        Some(share) => format!("{:.2}%", share * 100.0),
        None => pretty(value),
    }
}

/// A number as a binary fraction, good enough to draw with.
pub(crate) fn approximate(value: &Datum) -> Option<f64> {
    match value {
        Datum::Integer(value) => Some(*value as f64),
        Datum::Decimal { units, scale } => Some(*units as f64 / 10_f64.powi(i32::from(*scale))),
        Datum::Real(value) => value.is_finite().then_some(*value),
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Text(_)
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => None,
    }
}

fn share_of(value: &Datum) -> Option<f64> {
    approximate(value)
}

fn append(out: &mut String, value: impl std::fmt::Display) {
    // Writing into a String cannot fail.
    let _ = write!(out, "{value}");
}

fn write_decimal(units: i128, scale: u8, out: &mut String) {
    if scale == 0 {
        return append(out, units);
    }
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if units < 0 {
        out.push('-');
    }
    out.push_str(whole);
    out.push('.');
    out.push_str(fraction);
}

fn write_date(days: i32, out: &mut String) {
    match EPOCH.checked_add(jiff::Span::new().days(days.clamp(-7_000_000, 7_000_000))) {
        Ok(date) => append(out, date),
        // Beyond the calendar: the number itself is the only honest text.
        Err(_) => append(out, days),
    }
}

fn write_timestamp(micros: i64, out: &mut String) {
    match Timestamp::from_microsecond(micros) {
        Ok(timestamp) => append(out, timestamp),
        Err(_) => append(out, micros),
    }
}

/// At least four significant digits and at least two after the point; zeros at the end are left
/// out. Only zero is shown as `0`.
fn round_for_people(real: f64) -> String {
    if !real.is_finite() {
        return real.to_string();
    }
    if real == 0.0 {
        // Without the sign that a zero may have.
        return "0".to_owned();
    }
    let magnitude = real.abs().log10().floor() as i32;
    let decimals = SIGNIFICANT_DIGITS_MIN
        .saturating_sub(1)
        .saturating_sub(magnitude);
    if decimals > DECIMALS_MAX {
        return format!("{real:e}");
    }
    let decimals = usize::try_from(decimals).unwrap_or(0).max(DECIMALS_MIN);
    let fixed = format!("{real:.decimals$}");
    match fixed.contains('.') {
        true => fixed.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => fixed,
    }
}

/// Puts a comma between thousands of the whole part.
fn group_thousands(number: &str) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (whole, fraction) = digits
        .find('.')
        .map_or((digits, ""), |point| digits.split_at(point));
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut grouped = String::with_capacity(number.len() + whole.len() / 3 + 1);
    grouped.push_str(sign);
    for (position, digit) in whole.char_indices() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped.push_str(fraction);
    grouped
}

/// Control characters would move the cursor or colour the terminal: shown as their pictures.
pub(crate) fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    text.chars().map(picture).collect()
}

fn picture(character: char) -> char {
    match character {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(units: i128, scale: u8) -> Datum {
        Datum::Decimal { units, scale }
    }

    #[test]
    fn plain_text_is_exact() {
        let check = |value: &Datum, expected: &str| {
            let mut out = String::new();
            write_plain(value, &mut out);
            assert_eq!(out, expected, "{value:?}");
        };
        check(&Datum::Null, "");
        check(&Datum::Boolean(true), "true");
        check(&Datum::Integer(i64::MIN), "-9223372036854775808");
        check(&decimal(5, 2), "0.05");
        check(&decimal(-5, 2), "-0.05");
        check(&decimal(-12345, 2), "-123.45");
        check(&decimal(7, 0), "7");
        check(
            &decimal(i128::MIN, 0),
            "-170141183460469231731687303715884105728",
        );
        check(&decimal(1, 18), "0.000000000000000001");
        check(&Datum::Real(0.25), "0.25");
        check(&Datum::Text("a\"b".to_owned()), "a\"b");
        check(&Datum::Date(0), "1970-01-01");
        check(&Datum::Date(-1), "1969-12-31");
        check(&Datum::Date(i32::MAX), "2147483647");
        check(&Datum::Timestamp(0), "1970-01-01T00:00:00Z");
        check(&Datum::Timestamp(1_500_000), "1970-01-01T00:00:01.5Z");
        check(&Datum::Timestamp(i64::MAX), "9223372036854775807");
        check(
            &Datum::List(vec!["a".to_owned(), "b\"c".to_owned()]),
            r#"["a","b\"c"]"#,
        );
    }

    #[test]
    fn json_keeps_types() {
        let check = |value: &Datum, expected: &str| {
            let mut out = String::new();
            write_json(value, &mut out);
            assert_eq!(out, expected, "{value:?}");
        };
        check(&Datum::Null, "null");
        check(&Datum::Boolean(false), "false");
        check(&decimal(150, 2), "1.50");
        check(&Datum::Real(f64::NAN), "null");
        check(&Datum::Text("line\n\u{1}".to_owned()), r#""line\n\u0001""#);
        check(&Datum::Date(1), "\"1970-01-02\"");
        check(&Datum::Timestamp(0), "\"1970-01-01T00:00:00Z\"");
        check(&Datum::List(vec![]), "[]");
    }

    #[test]
    fn people_get_thousands_and_no_control_characters() {
        let check =
            |value: &Datum, expected: &str| assert_eq!(pretty(value), expected, "{value:?}");
        check(&Datum::Integer(1_234_567), "1,234,567");
        check(&Datum::Integer(-123), "-123");
        check(&Datum::Integer(-1_234), "-1,234");
        check(&decimal(123_456_789, 2), "1,234,567.89");
        check(&Datum::Real(35.485_5), "35.49");
        check(&Datum::Real(0.0), "0");
        check(&Datum::Real(-0.0), "0");
        check(&Datum::Real(0.000_04), "0.00004");
        check(&Datum::Real(0.000_030), "0.00003");
        check(&Datum::Real(-0.000_012_345_6), "-0.00001235");
        check(&Datum::Real(2.005), "2.005");
        check(&Datum::Real(-2.000_4), "-2");
        check(&Datum::Real(9.999_96), "10");
        check(&Datum::Real(0.999_96), "1");
        check(&Datum::Real(1_234_567.891), "1,234,567.89");
        check(&Datum::Real(5e-324), "5e-324");
        check(&Datum::Real(1e-12), "0.000000000001");
        check(&Datum::Real(0.123_45), "0.1235");
        check(&Datum::Real(12_345.0), "12,345");
        check(&Datum::Text("a\u{1b}[31m".to_owned()), "a\u{241b}[31m");
        check(&Datum::List(vec!["a".to_owned(), "b".to_owned()]), "a, b");
        assert_eq!(pretty_share(&Datum::Real(0.123_456)), "12.35%");
        assert_eq!(pretty_share(&Datum::Null), "");
    }
}
