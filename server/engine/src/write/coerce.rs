//! From a value as it is sent to a value as it is stored.
//!
//! Nothing is ever rounded or cut: a value fits the attribute exactly or is refused.

use unicode_normalization::UnicodeNormalization;

use crate::{
    datum::Datum,
    limits::{KEY_BYTES_MAX, TEXT_BYTES_MAX, VALUE_BYTES_MAX},
    time::{
        date_of_days, format_date, format_timestamp, micros_of_day, parse_date, parse_timestamp,
        timestamp_of_micros,
    },
};

/// Why a value does not fit; reads well after a colon.
pub(super) type Misfit = String;

/// Why a text cannot be a user's key.
pub(super) fn check_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() {
        return Err("a key cannot be empty");
    }
    if key.len() > KEY_BYTES_MAX {
        return Err("a key has at most 256 bytes");
    }
    if key.chars().any(char::is_control) {
        return Err("a key cannot contain control characters");
    }
    Ok(())
}

/// A text shortened for a message.
pub(super) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A value shortened for a message.
pub(crate) fn show(datum: &Datum) -> String {
    match datum {
        Datum::Null => "nothing".to_owned(),
        Datum::Text(text) => format!("{:?}", excerpt(text)),
        Datum::List(texts) => excerpt(&format!("({})", texts.join(", "))),
        Datum::Real(real) => real.to_string(),
        Datum::Timestamp(micros) => format_timestamp(*micros),
        Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal { .. } | Datum::Date(_) => {
            canonical_text(datum).unwrap_or_default()
        }
    }
}

/// A single value as text: numbers in decimal, dates in ISO 8601. Not a timestamp, which has
/// many texts: conditions do not compare it with texts either.
pub(super) fn canonical_text(datum: &Datum) -> Result<String, Misfit> {
    match datum {
        Datum::Text(text) => Ok(text.clone()),
        Datum::Integer(number) => Ok(number.to_string()),
        Datum::Boolean(truth) => Ok(truth.to_string()),
        Datum::Decimal { units, scale } => Ok(decimal_text(*units, *scale)),
        Datum::Date(days) => Ok(format_date(*days)),
        Datum::Timestamp(_) => {
            Err("a timestamp has no single text; give the text in quotes".to_owned())
        }
        Datum::Real(_) => Err("a binary floating-point number has no exact text".to_owned()),
        Datum::Null => Err("a value is missing".to_owned()),
        Datum::List(_) => Err("one value is expected, not a list".to_owned()),
    }
}

fn decimal_text(units: i128, scale: u8) -> String {
    let digits = format!(
        "{:0>width$}",
        units.unsigned_abs(),
        width = usize::from(scale) + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if units < 0 { "-" } else { "" };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// The value of an enum or multi: in NFC, neither empty nor too long.
pub(super) fn vocabulary_text(datum: &Datum) -> Result<String, Misfit> {
    let normalised: String = canonical_text(datum)?.nfc().collect();
    if normalised.is_empty() {
        return Err("a value cannot be empty".to_owned());
    }
    if normalised.len() > VALUE_BYTES_MAX {
        return Err(format!("a value has at most {VALUE_BYTES_MAX} bytes"));
    }
    Ok(normalised)
}

/// A number `units` / 10^`scale` in so many digits after the point.
fn rescale(units: i128, scale: u8, wanted: u8) -> Result<i64, Misfit> {
    let too_large = || "it does not fit 64 bits".to_owned();
    let power = |exponent: u8| {
        10i128
            .checked_pow(u32::from(exponent))
            .ok_or_else(too_large)
    };
    let rescaled = if scale <= wanted {
        units
            .checked_mul(power(wanted - scale)?)
            .ok_or_else(too_large)?
    } else {
        let divisor = power(scale - wanted)?;
        if units % divisor != 0 {
            return Err(match wanted {
                0 => "it is not a whole number".to_owned(),
                _ => format!("it has more than {wanted} digits after the point"),
            });
        }
        units / divisor
    };
    i64::try_from(rescaled).map_err(|_| too_large())
}

/// Reads `-12.50` as -1250 with scale 2.
fn parse_decimal(text: &str) -> Result<(i128, u8), Misfit> {
    let not_a_number = || "it is not a number".to_owned();
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_point_alone = digits.ends_with('.') || whole.is_empty();
    if has_point_alone || !is_number(whole) || !is_number(fraction) {
        return Err(not_a_number());
    }
    let fraction = fraction.trim_end_matches('0');
    let units: i128 = format!("{whole}{fraction}")
        .parse()
        .map_err(|_| "it does not fit 64 bits".to_owned())?;
    let scale = u8::try_from(fraction.len()).map_err(|_| "it has too many digits".to_owned())?;
    Ok((if negative { -units } else { units }, scale))
}

/// An integer, or a decimal in units of `scale`.
pub(super) fn number(datum: &Datum, scale: u8) -> Result<i64, Misfit> {
    match datum {
        Datum::Integer(number) => rescale(i128::from(*number), 0, scale),
        Datum::Decimal {
            units,
            scale: written,
        } => rescale(*units, *written, scale),
        Datum::Text(text) => {
            let (units, written) = parse_decimal(text)?;
            rescale(units, written, scale)
        }
        Datum::Real(real) if real.is_finite() => {
            // The shortest text that reads back as the same number is what somebody wrote.
            let (units, written) = parse_decimal(&real.to_string())?;
            rescale(units, written, scale)
        }
        Datum::Real(_)
        | Datum::Null
        | Datum::Boolean(_)
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => Err("it is not a number".to_owned()),
    }
}

/// Days since 1970-01-01.
pub(super) fn date(datum: &Datum) -> Result<i64, Misfit> {
    let days = match datum {
        Datum::Date(days) => *days,
        Datum::Text(text) => parse_date(text).map_err(|error| error.to_string())?,
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => {
            return Err("it is not a date; dates are written like 2026-11-23".to_owned());
        }
    };
    date_of_days(days)
        .map(|_| i64::from(days))
        .ok_or_else(|| "it lies outside the years -9999 to 9999".to_owned())
}

/// Microseconds since 1970-01-01T00:00:00Z; a date is its midnight in UTC.
pub(super) fn timestamp(datum: &Datum) -> Result<i64, Misfit> {
    let micros = match datum {
        Datum::Timestamp(micros) => *micros,
        Datum::Date(days) => micros_of_day(*days),
        Datum::Text(text) => parse_timestamp(text).map_err(|error| error.to_string())?,
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::List(_) => {
            return Err(
                "it is not a timestamp; timestamps are written like 2026-11-23T10:00:00Z"
                    .to_owned(),
            );
        }
    };
    timestamp_of_micros(micros)
        .map(|_| micros)
        .ok_or_else(|| "it lies outside the years -9999 to 9999".to_owned())
}

/// True or false.
pub(super) fn boolean(datum: &Datum) -> Result<bool, Misfit> {
    match datum {
        Datum::Boolean(truth) => Ok(*truth),
        Datum::Integer(0) => Ok(false),
        Datum::Integer(1) => Ok(true),
        Datum::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Datum::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Datum::Null
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Text(_)
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => Err("it is neither true nor false".to_owned()),
    }
}

/// Any text, as it is.
pub(super) fn text(datum: &Datum) -> Result<String, Misfit> {
    let text = canonical_text(datum)?;
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!(
            "a text has at most {TEXT_BYTES_MAX} bytes, this one has {}",
            text.len()
        ));
    }
    Ok(text)
}

/// Another user's key; there need not be such a user.
pub(super) fn user_key(datum: &Datum) -> Result<String, Misfit> {
    let key = canonical_text(datum)?;
    check_key(&key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Datum {
        Datum::Text(text.to_owned())
    }

    #[test]
    fn numbers_fit_exactly_or_not_at_all() {
        let check = |datum: Datum, scale: u8, expected: Option<i64>| {
            assert_eq!(
                number(&datum, scale).ok(),
                expected,
                "{datum:?} at scale {scale}"
            );
        };
        check(Datum::Integer(42), 0, Some(42));
        check(Datum::Integer(42), 2, Some(4200));
        check(Datum::Integer(i64::MAX), 1, None);
        check(
            Datum::Decimal {
                units: 4200,
                scale: 2,
            },
            0,
            Some(42),
        );
        check(
            Datum::Decimal {
                units: 4250,
                scale: 2,
            },
            0,
            None,
        );
        check(
            Datum::Decimal {
                units: 1500,
                scale: 3,
            },
            2,
            Some(150),
        );
        check(
            Datum::Decimal {
                units: 1501,
                scale: 3,
            },
            2,
            None,
        );
        check(
            Datum::Decimal {
                units: i128::MAX,
                scale: 0,
            },
            18,
            None,
        );
        check(
            Datum::Decimal {
                units: 1,
                scale: 255,
            },
            18,
            None,
        );
        check(t("-12.50"), 2, Some(-1250));
        check(t("+7"), 0, Some(7));
        check(t("12.500"), 1, Some(125));
        check(t("9223372036854775807"), 0, Some(i64::MAX));
        check(t("-9223372036854775808"), 0, Some(i64::MIN));
        check(t("9223372036854775808"), 0, None);
        check(Datum::Real(0.1), 1, Some(1));
        check(Datum::Real(1e300), 0, None);
        check(Datum::Real(f64::NAN), 0, None);
        check(Datum::Real(f64::INFINITY), 0, None);
        for text in [
            "", "-", ".", "1.", ".5", "1e3", "0x1", "1 ", "--1", "é", "１",
        ] {
            check(t(text), 2, None);
        }
        check(t(&format!("0.{}1", "0".repeat(300))), 2, None);
        check(t(&format!("1.{}", "0".repeat(300))), 2, Some(100));
        check(Datum::Boolean(true), 0, None);
    }

    #[test]
    fn booleans_take_their_names_and_digits() {
        let check = |datum: Datum, expected: Option<bool>| {
            assert_eq!(boolean(&datum).ok(), expected, "{datum:?}");
        };
        check(t("TRUE"), Some(true));
        check(t("false"), Some(false));
        check(Datum::Integer(1), Some(true));
        check(Datum::Integer(2), None);
        check(t("yes"), None);
    }

    #[test]
    fn dates_and_timestamps_are_iso() {
        assert_eq!(date(&t("1970-01-02")), Ok(1));
        assert_eq!(date(&Datum::Date(-1)), Ok(-1));
        assert!(date(&Datum::Date(i32::MAX)).is_err());
        assert!(date(&Datum::Timestamp(0)).is_err());
        assert_eq!(timestamp(&Datum::Date(1)), Ok(86_400_000_000));
        assert_eq!(timestamp(&t("1970-01-01T00:00:01+00:00")), Ok(1_000_000));
        assert_eq!(timestamp(&t("1970-01-01T00:00:01")), Ok(1_000_000));
        for text in [
            "2026-11-23T10:00:00[Europe/Paris]",
            "2026-11-23T10:00:00.123456789Z",
            "2026-11-23T10:00:60Z",
        ] {
            assert!(timestamp(&t(text)).is_err(), "{text}");
        }
        assert!(timestamp(&t("2026-11-23T10:00:00.123456000Z")).is_ok());
        assert!(timestamp(&Datum::Timestamp(i64::MAX)).is_err());
        assert!(timestamp(&Datum::Date(i32::MAX)).is_err());
    }

    #[test]
    fn vocabulary_is_normalised_text() {
        let check = |datum: Datum, expected: Option<&str>| {
            assert_eq!(
                vocabulary_text(&datum).ok().as_deref(),
                expected,
                "{datum:?}"
            );
        };
        check(t("e\u{301}"), Some("\u{e9}"));
        check(Datum::Integer(-3), Some("-3"));
        check(Datum::Boolean(true), Some("true"));
        check(
            Datum::Decimal {
                units: -5,
                scale: 2,
            },
            Some("-0.05"),
        );
        check(Datum::Date(0), Some("1970-01-01"));
        check(t(""), None);
        check(t(&"x".repeat(257)), None);
        check(Datum::Real(1.5), None);
        check(Datum::Timestamp(0), None);
        check(Datum::List(vec![]), None);
    }

    #[test]
    fn timestamps_are_no_texts_as_in_conditions() {
        assert!(text(&Datum::Timestamp(0)).is_err());
        assert!(user_key(&Datum::Timestamp(0)).is_err());
        assert_eq!(text(&Datum::Date(0)).as_deref(), Ok("1970-01-01"));
        assert_eq!(show(&Datum::Timestamp(0)), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn keys_and_texts_have_limits() {
        assert!(check_key("u1").is_ok());
        assert!(check_key(&"x".repeat(256)).is_ok());
        assert!(check_key(&"x".repeat(257)).is_err());
        assert!(check_key("").is_err());
        assert!(check_key("a\tb").is_err());
        assert!(user_key(&t("a\nb")).is_err());
        assert!(text(&t(&"x".repeat(4096))).is_ok());
        assert!(text(&t(&"x".repeat(4097))).is_err());
        assert_eq!(excerpt(&"x".repeat(50)).chars().count(), 41);
    }
}
