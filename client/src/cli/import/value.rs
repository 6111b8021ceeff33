//! A field of a file → a value of an attribute.
//!
//! Knows how numbers, dates, moments and truths are written in files. Does not know which
//! column a field came from.

use std::borrow::Cow;

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use tessera_query_lang::timestamp::{TimestampError, check_whole_micros, parse_timestamp};

use super::mapping::AttributeKind;
use crate::cli::session::Datum;

/// A field as a file has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Nothing there.
    Missing,
    /// A text, a number's digits or a truth, as written.
    Text(Cow<'a, str>),
    /// A JSON array of them.
    List(Vec<Cow<'a, str>>),
}

/// Why a field is not a value of its type.
pub(crate) type Reason = String;

/// The characters of a field that an error message repeats.
const SHOWN_CHARACTERS: usize = 40;

/// How to read a single value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The type; a multi is read value by value as an enum.
    pub(crate) kind: AttributeKind,
    /// Digits after the point of a decimal.
    pub(crate) scale: u8,
    /// How dates and timestamps are written; ISO when not given.
    pub(crate) format: Option<&'a str>,
}

impl Reading<'_> {
    /// Reads one text as a moment, in microseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn moment(self, text: &str) -> Result<i64, Reason> {
        match timestamp(text, self.format)? {
            Datum::Timestamp(micros) => Ok(micros),
            Datum::Null
            | Datum::Boolean(_)
            | Datum::Integer(_)
            | Datum::Decimal { .. }
            | Datum::Real(_)
            | Datum::Text(_)
            | Datum::Date(_)
            | Datum::List(_) => Err(format!("{} is not a moment", shown(text))),
        }
    }

    /// Reads one text.
    pub(crate) fn read(self, text: &str) -> Result<Datum, Reason> {
        match self.kind {
            AttributeKind::Enum
            | AttributeKind::Multi
            | AttributeKind::Text
            | AttributeKind::User => Ok(Datum::Text(text.to_owned())),
            AttributeKind::Integer => integer(text),
            AttributeKind::Decimal => decimal(text, self.scale),
            AttributeKind::Date => date(text, self.format).map(Datum::Date),
            AttributeKind::Timestamp => timestamp(text, self.format),
            AttributeKind::Boolean => match truth(text) {
                Some(value) => Ok(Datum::Boolean(value)),
                None => Err(format!("{} is neither true nor false", shown(text))),
            },
        }
    }
}

/// A field in quotes for a message, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// `true`, `yes`, `on` and any number but zero are true; `false`, `no`, `off` and zero are not;
/// also by their first letter, in any case.
pub(crate) fn truth(text: &str) -> Option<bool> {
    let text = text.trim();
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["1", "true", "t", "yes", "y", "on"]) {
        return Some(true);
    }
    if is(&["0", "false", "f", "no", "n", "off"]) {
        return Some(false);
    }
    decimal_parts(text)
        .map(|(_, digits, _)| digits.bytes().any(|digit| matches!(digit, b'1'..=b'9')))
}

fn integer(text: &str) -> Result<Datum, Reason> {
    let trimmed = text.trim();
    if let Ok(value) = trimmed.parse() {
        return Ok(Datum::Integer(value));
    }
    // 3.0 and 1e3 are whole numbers too, as spreadsheets like to write them.
    match decimal_units(trimmed, 0) {
        Ok(units) => Ok(Datum::Integer(units)),
        Err(DecimalError::TooFine) => Err(format!("{} is not a whole number", shown(text))),
        Err(DecimalError::TooLarge) => Err(format!(
            "{} is beyond the whole numbers of 64 bits",
            shown(text)
        )),
        Err(DecimalError::NotANumber) => Err(format!("{} is not a whole number", shown(text))),
    }
}

fn decimal(text: &str, scale: u8) -> Result<Datum, Reason> {
    match decimal_units(text.trim(), scale) {
        Ok(units) => Ok(Datum::Decimal {
            units: i128::from(units),
            scale,
        }),
        Err(DecimalError::NotANumber) => Err(format!("{} is not a number", shown(text))),
        Err(DecimalError::TooLarge) => Err(format!("{} is too large", shown(text))),
        Err(DecimalError::TooFine) => Err(format!(
            "{} has more than {scale} digits after the point",
            shown(text)
        )),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum DecimalError {
    NotANumber,
    TooLarge,
    TooFine,
}

/// The number times 10^`scale`, exactly.
fn decimal_units(text: &str, scale: u8) -> Result<i64, DecimalError> {
    let (negative, digits, point) = decimal_parts(text).ok_or(DecimalError::NotANumber)?;
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // The value is `significant` × 10^(exponent).
    let exponent = point + i64::try_from(digits.len() - significant.len()).unwrap_or(i64::MAX);
    let shift = exponent + i64::from(scale);
    if shift < 0 {
        return Err(DecimalError::TooFine);
    }
    let mut units: i64 = 0;
    let zeros = usize::try_from(shift.min(20)).unwrap_or(20);
    for digit in significant.bytes().chain(std::iter::repeat_n(b'0', zeros)) {
        let value = i64::from(digit - b'0');
        let signed = if negative { -value } else { value };
        units = units
            .checked_mul(10)
            .and_then(|units| units.checked_add(signed))
            .ok_or(DecimalError::TooLarge)?;
    }
    Ok(units)
}

/// Sign, digits without leading zeros, and the power of ten that the last digit stands for.
fn decimal_parts(text: &str) -> Option<(bool, Cow<'_, str>, i64)> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i16>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let digits = if fraction.is_empty() {
        Cow::Borrowed(whole)
    } else {
        Cow::Owned(format!("{whole}{fraction}"))
    };
    let point = i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
    Some((negative, strip_leading_zeros(digits), point))
}

fn strip_leading_zeros(digits: Cow<'_, str>) -> Cow<'_, str> {
    match digits {
        Cow::Borrowed(digits) => Cow::Borrowed(digits.trim_start_matches('0')),
        Cow::Owned(digits) => Cow::Owned(digits.trim_start_matches('0').to_owned()),
    }
}

/// Days since 1970-01-01.
fn date(text: &str, format: Option<&str>) -> Result<i32, Reason> {
    let trimmed = text.trim();
    let date = match format {
        Some(format) => date_by_format(trimmed, format)
            .ok_or_else(|| format!("{} is not a date of the form {format}", shown(text)))?,
        None => iso_date(trimmed)
            .ok_or_else(|| format!("{} is not a date such as 2026-11-23", shown(text)))?,
    };
    Ok(days_since_epoch(date))
}

/// `2026-11-23`, without going through a general parser: files have millions of them.
fn iso_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return text.parse().ok();
    }
    let number = |range: std::ops::Range<usize>| -> Option<i16> {
        bytes[range].iter().try_fold(0, |number: i16, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + i16::from(byte - b'0'))
        })
    };
    let (month, day) = (
        i8::try_from(number(5..7)?).ok()?,
        i8::try_from(number(8..10)?).ok()?,
    );
    Date::new(number(0..4)?, month, day).ok()
}

/// A format may leave the day or the month away: they are the first.
fn date_by_format(text: &str, format: &str) -> Option<Date> {
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    if let Ok(date) = parsed.to_date() {
        return Some(date);
    }
    let (month, day) = (parsed.month().unwrap_or(1), parsed.day().unwrap_or(1));
    Date::new(parsed.year()?, month, day).ok()
}

fn days_since_epoch(date: Date) -> i32 {
    let epoch = jiff::civil::date(1970, 1, 1);
    // Both are within the years ±9999: four million days.
    date.duration_since(epoch).as_hours().div_euclid(24) as i32
}

fn timestamp(text: &str, format: Option<&str>) -> Result<Datum, Reason> {
    let trimmed = text.trim();
    if format.is_none()
        && let Some(micros) = iso_moment(trimmed)
    {
        return Ok(Datum::Timestamp(micros));
    }
    let timestamp = match format {
        Some(format) => timestamp_by_format(trimmed, format)
            .ok_or_else(|| format!("{} is not a moment of the form {format}", shown(text)))?,
        None => parse_timestamp(trimmed),
    };
    timestamp
        .map(|timestamp| Datum::Timestamp(timestamp.as_microsecond()))
        .map_err(|error| match error {
            TimestampError::NotATimestamp => {
                format!(
                    "{} is not a moment such as 2026-11-23T10:00:00Z",
                    shown(text)
                )
            }
            TimestampError::NamedZone | TimestampError::TooFine | TimestampError::LeapSecond => {
                format!("{}: {error}", shown(text))
            }
        })
}

/// `2026-11-23T10:00:00Z`, without going through a general parser, as for dates.
fn iso_moment(text: &str) -> Option<i64> {
    let bytes = text.strip_suffix('Z')?.as_bytes();
    if bytes.len() != 19 || bytes[10] != b'T' || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let number = |at: usize, below: i64| -> Option<i64> {
        let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
        let number = digit(bytes[at])? * 10 + digit(bytes[at + 1])?;
        (number < below).then_some(number)
    };
    let seconds = (number(11, 24)? * 60 + number(14, 60)?) * 60 + number(17, 60)?;
    let day = days_since_epoch(iso_date(text.get(..10)?)?);
    Some((i64::from(day) * 86_400 + seconds) * 1_000_000)
}

/// `None` when the text is not of the format.
fn timestamp_by_format(text: &str, format: &str) -> Option<Result<Timestamp, TimestampError>> {
    let timestamp = moment_by_format(text, format)?;
    Some(if is_leap_second(text, format, timestamp) {
        Err(TimestampError::LeapSecond)
    } else {
        check_whole_micros(timestamp)
    })
}

fn moment_by_format(text: &str, format: &str) -> Option<Timestamp> {
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    if let Ok(timestamp) = parsed.to_timestamp() {
        return Some(timestamp);
    }
    // A zone that leads to no moment must not be taken for UTC.
    if parsed.offset().is_some() || parsed.iana_time_zone().is_some() {
        return None;
    }
    if let Ok(civil) = parsed.to_datetime() {
        return in_utc(civil);
    }
    in_utc(date_by_format(text, format)?.to_datetime(jiff::civil::Time::midnight()))
}

/// Whether a moment was read from a second 60, which the parser takes for 59: then it stays the
/// same when 59 is written in its place.
fn is_leap_second(text: &str, format: &str, moment: Timestamp) -> bool {
    text.match_indices("60").any(|(at, _)| {
        let earlier = format!("{}59{}", &text[..at], &text[at + 2..]);
        moment_by_format(&earlier, format) == Some(moment)
    })
}

fn in_utc(civil: DateTime) -> Option<Timestamp> {
    let zoned: Zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: AttributeKind, format: Option<&str>, text: &str) -> Result<Datum, Reason> {
        Reading {
            kind,
            scale: 2,
            format,
        }
        .read(text)
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        let check = |text: &str, expected: Result<i64, &str>| {
            let expected = expected.map(Datum::Integer).map_err(str::to_owned);
            assert_eq!(read(AttributeKind::Integer, None, text), expected, "{text}");
        };
        check("42", Ok(42));
        check(" -7 ", Ok(-7));
        check("+7", Ok(7));
        check("007", Ok(7));
        check("3.0", Ok(3));
        check("1e3", Ok(1000));
        check("9223372036854775807", Ok(i64::MAX));
        check("-9223372036854775808", Ok(i64::MIN));
        check(
            "9223372036854775808",
            Err("\"9223372036854775808\" is beyond the whole numbers of 64 bits"),
        );
        check(
            "1e30000",
            Err("\"1e30000\" is beyond the whole numbers of 64 bits"),
        );
        check("3.5", Err("\"3.5\" is not a whole number"));
        check("1,000", Err("\"1,000\" is not a whole number"));
        check("abc", Err("\"abc\" is not a whole number"));
        check("", Err("\"\" is not a whole number"));
        check("-", Err("\"-\" is not a whole number"));
        check(".", Err("\".\" is not a whole number"));
    }

    #[test]
    fn decimals_keep_their_scale() {
        let check = |text: &str, expected: Result<i128, &str>| {
            let expected = expected
                .map(|units| Datum::Decimal { units, scale: 2 })
                .map_err(str::to_owned);
            assert_eq!(read(AttributeKind::Decimal, None, text), expected, "{text}");
        };
        check("1.5", Ok(150));
        check("-0.05", Ok(-5));
        check(".5", Ok(50));
        check("5.", Ok(500));
        check("1.5000", Ok(150));
        check("1.25e2", Ok(12_500));
        check("0", Ok(0));
        check("0e99", Ok(0));
        check("-92233720368547758.08", Ok(i128::from(i64::MIN)));
        check(
            "1.005",
            Err("\"1.005\" has more than 2 digits after the point"),
        );
        check(
            "99999999999999999999",
            Err("\"99999999999999999999\" is too large"),
        );
        check("1.2.3", Err("\"1.2.3\" is not a number"));
        check("NaN", Err("\"NaN\" is not a number"));
    }

    #[test]
    fn dates_are_iso_or_of_their_format() {
        let check = |format: Option<&str>, text: &str, expected: Option<i32>| {
            assert_eq!(
                read(AttributeKind::Date, format, text).ok(),
                expected.map(Datum::Date),
                "{text}"
            );
        };
        check(None, "1970-01-02", Some(1));
        check(None, "1969-12-31", Some(-1));
        check(None, "2000-02-29", Some(11_016));
        check(None, "2001-02-29", None);
        check(None, "2001-13-01", None);
        check(None, "20x1-01-01", None);
        check(None, "01/02/1970", None);
        check(Some("%d/%m/%Y"), "02/01/1970", Some(1));
        check(Some("%Y-%m"), "1970-02", Some(31));
        check(Some("%Y"), "1971", Some(365));
        check(Some("%Y-%m"), "1970-02-03", None);
    }

    #[test]
    fn moments_are_utc_unless_they_say_otherwise() {
        let check = |format: Option<&str>, text: &str, expected: Option<i64>| {
            let expected = expected.map(|seconds| Datum::Timestamp(seconds * 1_000_000));
            assert_eq!(
                read(AttributeKind::Timestamp, format, text).ok(),
                expected,
                "{text}"
            );
        };
        check(None, "1970-01-01T00:00:01Z", Some(1));
        check(None, "1969-12-31T23:59:59Z", Some(-1));
        check(None, "2026-11-23T10:20:30Z", Some(1_795_429_230));
        check(None, "2026-11-23t10:20:30z", Some(1_795_429_230));
        check(None, "2026-02-29T10:20:30Z", None);
        check(None, "2026-11-23T24:00:00Z", None);
        check(None, "2026-11-23T10:60:00Z", None);
        check(None, "1970-01-01T01:00:01+01:00", Some(1));
        check(None, "1970-01-01T00:00:01", Some(1));
        check(None, "1970-01-01 00:00:01", Some(1));
        check(None, "1970-01-02", Some(86_400));
        check(None, "1970-01-01T00:00:01.000000000Z", Some(1));
        check(None, "1970-01-01T00:00:01.000000001Z", None);
        check(None, "1970-01-01T00:00:60Z", None);
        check(None, "1970-01-01T00:00:01[Europe/Paris]", None);
        check(None, "yesterday", None);
        check(Some("%d.%m.%Y %H:%M"), "01.01.1970 00:01", Some(60));
        check(
            Some("%Y-%m-%dT%H:%M:%S%z"),
            "1970-01-01T01:00:00+0100",
            Some(0),
        );
        check(Some("%d.%m.%Y"), "02.01.1970", Some(86_400));
        check(Some("%s"), "60", Some(60));
        let with_seconds = Some("%Y-%m-%d %H:%M:%S%.f");
        check(with_seconds, "1960-01-01 00:00:59", Some(-315_619_141));
        check(with_seconds, "1960-01-01 00:00:60", None);
        check(with_seconds, "1970-01-01 00:00:01.000000000", Some(1));
        check(with_seconds, "1970-01-01 00:00:01.000000001", None);
        let with_zone = Some("%Y-%m-%d %H:%M:%S %Q");
        check(with_zone, "1970-01-01 00:00:01 Nowhere/Town", None);
    }

    #[test]
    fn truths_are_words_or_numbers() {
        let check =
            |text: &str, expected: Option<bool>| assert_eq!(truth(text), expected, "{text}");
        for text in [
            "1", "true", "TRUE", "t", "yes", "Y", "on", "2", "-1", "0.5", " 1 ",
        ] {
            check(text, Some(true));
        }
        for text in ["0", "false", "F", "no", "n", "off", "0.00", "-0"] {
            check(text, Some(false));
        }
        check("maybe", None);
        check("", None);
    }

    #[test]
    fn long_fields_are_cut_in_messages() {
        assert_eq!(shown("é\"x"), r#""é\"x""#);
        assert_eq!(shown(&"é".repeat(50)).chars().count(), SHOWN_CHARACTERS + 3);
    }
}
