//! Timestamps as they are written: read exactly or refused.
//!
//! Knows what a general parser would silently change: a zone it drops, digits it cannot keep, a
//! leap second it moves. Does not know where the text came from.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// Nanoseconds of a microsecond, the finest that is kept.
const NANOS_PER_MICRO: i128 = 1000;

/// Why a text is no timestamp that can be kept exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Not a timestamp at all.
    #[error("not a timestamp; timestamps are written like 2026-11-23T10:00:00Z")]
    NotATimestamp,
    /// A zone's name follows: its rules change, and only a moment is kept.
    #[error("a timestamp takes an offset such as +02:00, not the name of a zone in brackets")]
    NamedZone,
    /// Digits below a microsecond that are not zero.
    #[error("a timestamp is kept in microseconds, and this one is finer")]
    TooFine,
    /// Second 60.
    #[error("second 60 cannot be kept: timestamps have no leap seconds")]
    LeapSecond,
}

/// Reads an RFC 3339 timestamp of whole microseconds. Without an offset it is UTC; a bare date
/// is its midnight.
///
/// # Errors
/// [`TimestampError`].
pub fn parse_timestamp(text: &str) -> Result<Timestamp, TimestampError> {
    match parse_with_offset(text) {
        Err(TimestampError::NotATimestamp) if time_and_offset(text).1.is_empty() => local(text),
        result => result,
    }
}

/// Reads an RFC 3339 timestamp of whole microseconds that ends with `Z` or an offset.
///
/// # Errors
/// [`TimestampError`].
pub fn parse_with_offset(text: &str) -> Result<Timestamp, TimestampError> {
    if text.contains('[') {
        return Err(TimestampError::NamedZone);
    }
    let (time, offset) = time_and_offset(text);
    if is_leap_second(time) {
        return Err(TimestampError::LeapSecond);
    }
    // A fraction of an offset's seconds would be rounded away.
    if offset.contains(['.', ',']) {
        return Err(TimestampError::NotATimestamp);
    }
    let timestamp: Timestamp = text.parse().map_err(|_| TimestampError::NotATimestamp)?;
    check_whole_micros(timestamp)
}

/// The timestamp, when nothing of it is finer than a microsecond.
///
/// # Errors
/// [`TimestampError::TooFine`].
pub fn check_whole_micros(timestamp: Timestamp) -> Result<Timestamp, TimestampError> {
    if timestamp.as_nanosecond() % NANOS_PER_MICRO == 0 {
        Ok(timestamp)
    } else {
        Err(TimestampError::TooFine)
    }
}

/// The time of day after the date, and the offset after it.
fn time_and_offset(text: &str) -> (&str, &str) {
    let time = text
        .find(['T', 't', ' '])
        .map_or("", |separator| &text[separator + 1..]);
    let end = time
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',')))
        .unwrap_or(time.len());
    time.split_at(end)
}

/// Whether the seconds of `10:00:60` or `100060` are 60.
fn is_leap_second(time: &str) -> bool {
    let mut digits = time
        .split(['.', ','])
        .next()
        .unwrap_or_default()
        .bytes()
        .filter(u8::is_ascii_digit)
        .skip(4);
    digits.next() == Some(b'6') && digits.next() == Some(b'0')
}

fn local(text: &str) -> Result<Timestamp, TimestampError> {
    let local: DateTime = text.parse().map_err(|_| TimestampError::NotATimestamp)?;
    let timestamp = TimeZone::UTC
        .to_timestamp(local)
        .map_err(|_| TimestampError::NotATimestamp)?;
    check_whole_micros(timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_exactly_or_refused() {
        let check = |text: &str, expected: Result<i64, TimestampError>| {
            let micros = parse_timestamp(text).map(Timestamp::as_microsecond);
            assert_eq!(micros, expected, "{text}");
        };
        check("1970-01-01T00:00:01Z", Ok(1_000_000));
        check("1970-01-01t00:00:01z", Ok(1_000_000));
        check("1970-01-01T01:00:00+01:00", Ok(0));
        check("1970-01-01 00:00:01", Ok(1_000_000));
        check("1970-01-02", Ok(86_400_000_000));
        check("1970-01-01T00:00:00.123456Z", Ok(123_456));
        check("1970-01-01T00:00:00.123456000Z", Ok(123_456));
        check("1969-12-31T23:59:59.999999Z", Ok(-1));
        check("1970-01-01T00:00:59+00:00", Ok(59_000_000));
        check("1970-01-01T00:00:00.60Z", Ok(600_000));
        check(
            "1970-01-01T00:00:00.123456789Z",
            Err(TimestampError::TooFine),
        );
        check("1970-01-01T00:00:00.1234567", Err(TimestampError::TooFine));
        check("1969-12-31T23:59:59.9999999Z", Err(TimestampError::TooFine));
        check("2016-12-31T23:59:60Z", Err(TimestampError::LeapSecond));
        check("2016-12-31T23:59:60", Err(TimestampError::LeapSecond));
        check(
            "2016-12-31T23:59:60.5+00:00",
            Err(TimestampError::LeapSecond),
        );
        check("20161231T235960Z", Err(TimestampError::LeapSecond));
        check(
            "2026-11-23T10:00:00[Europe/Paris]",
            Err(TimestampError::NamedZone),
        );
        check("2026-11-23T10:00:00Z[UTC]", Err(TimestampError::NamedZone));
        // Beyond what a timestamp reaches; the offset must not be dropped.
        check(
            "9999-12-31T23:59:59-10:00",
            Err(TimestampError::NotATimestamp),
        );
        check(
            "1970-01-01T00:00:00+01:00:00.5",
            Err(TimestampError::NotATimestamp),
        );
        check("yesterday", Err(TimestampError::NotATimestamp));
        check("today", Err(TimestampError::NotATimestamp));
        check("2026-11-23+02:00", Err(TimestampError::NotATimestamp));
        check("é é", Err(TimestampError::NotATimestamp));
        check("", Err(TimestampError::NotATimestamp));
        let missing = Err(TimestampError::NotATimestamp);
        assert_eq!(parse_with_offset("1970-01-01T00:00:01"), missing);
        assert_eq!(parse_with_offset("1970-01-02"), missing);
    }
}
