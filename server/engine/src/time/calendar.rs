//! Days since 1970-01-01, microseconds since its midnight in UTC, and calendar units.

use jiff::{Span, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use tessera_query_lang::{
    ast::{CalendarUnit, RelativeTime, TimeAnchor, TimeUnit},
    timestamp::{self, TimestampError},
};

/// Microseconds of a day: UTC as the engine sees it has no leap seconds.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Seconds of a day in UTC.
pub const SECONDS_PER_DAY: i64 = 86_400;

/// The day from which days are counted.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Why a time cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Before the year -9999 or after 9999.
    #[error("the time lies outside the years -9999 to 9999")]
    OutOfRange,
    /// Not a date.
    #[error("not a date; dates are written like 2026-11-23")]
    NotADate,
    /// Not a timestamp that can be kept exactly.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
}

/// What a relative time stands for at a given moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolvedTime {
    /// A day, counted from 1970-01-01: the anchor was `today`, alone or with a unit of a day
    /// or longer.
    Day(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Micros(i64),
}

/// Days from 1970-01-01 to a date.
pub fn days_of_date(date: Date) -> i32 {
    // Civil dates span less than 2^23 days, so the distance always exists and fits.
    EPOCH.until(date).map_or(0, |span| span.get_days())
}

/// The date so many days from 1970-01-01, when it lies in the years -9999 to 9999.
pub fn date_of_days(days: i32) -> Option<Date> {
    let span = Span::new().try_days(days).ok()?;
    EPOCH.checked_add(span).ok()
}

/// Microseconds since 1970-01-01T00:00:00Z; what is finer is cut off towards the past.
pub fn micros_of_timestamp(timestamp: Timestamp) -> i64 {
    let nanos = timestamp.as_nanosecond();
    // Timestamps span less than 2^59 microseconds.
    i64::try_from(nanos.div_euclid(1000)).unwrap_or(i64::MAX)
}

/// The timestamp so many microseconds from 1970-01-01T00:00:00Z, when there is one.
pub fn timestamp_of_micros(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

/// The second in which a time given in microseconds lies.
pub fn second_of_micros(micros: i64) -> i64 {
    micros.div_euclid(1_000_000)
}

/// The day, in UTC, in which a time given in microseconds lies.
pub fn day_of_micros(micros: i64) -> i32 {
    let days = micros.div_euclid(MICROS_PER_DAY);
    // An i64 of microseconds spans less than 2^28 days.
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// Midnight, in UTC, of a day, in microseconds.
pub fn micros_of_day(day: i32) -> i64 {
    // An i32 of days times 8.64e10 is below 1.9e20: beyond i64, so out of range saturates.
    i64::from(day).saturating_mul(MICROS_PER_DAY)
}

/// Reads an ISO date, `2026-11-23`, into days since 1970-01-01.
///
/// # Errors
/// [`TimeError::NotADate`].
pub fn parse_date(text: &str) -> Result<i32, TimeError> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'+');
    let date: Date = text.parse().map_err(|_| TimeError::NotADate)?;
    if is_plain {
        Ok(days_of_date(date))
    } else {
        Err(TimeError::NotADate)
    }
}

/// Reads an RFC 3339 timestamp into microseconds since 1970-01-01T00:00:00Z. Without a zone it
/// is UTC; a bare date is its midnight. What cannot be kept exactly is refused.
///
/// # Errors
/// [`TimeError::Timestamp`].
pub fn parse_timestamp(text: &str) -> Result<i64, TimeError> {
    Ok(micros_of_timestamp(timestamp::parse_timestamp(text)?))
}

/// A day as text, `2026-11-23`; the bare number when no calendar reaches it.
pub fn format_date(days: i32) -> String {
    date_of_days(days).map_or_else(|| days.to_string(), |date| date.to_string())
}

/// A time as text, `2026-11-23T10:00:00Z`; the bare number when no calendar reaches it.
pub fn format_timestamp(micros: i64) -> String {
    timestamp_of_micros(micros)
        .map_or_else(|| micros.to_string(), |timestamp| timestamp.to_string())
}

/// What `now-30d` or `today+2w` means when the statement's moment is `now`.
///
/// # Errors
/// [`TimeError::OutOfRange`] when the calendar does not reach there.
pub fn resolve_relative(relative: RelativeTime, now: Timestamp) -> Result<ResolvedTime, TimeError> {
    let local = TimeZone::UTC.to_datetime(now);
    let (start, is_day) = match relative.anchor {
        TimeAnchor::Now => (local, false),
        TimeAnchor::Today => {
            // A bare `today` is the day, whatever unit its zero has.
            let is_day = relative.amount == 0 || is_calendar(relative.unit);
            (
                local.date().to_datetime(jiff::civil::Time::midnight()),
                is_day,
            )
        }
    };
    let span = span_of(relative.amount, relative.unit)?;
    let end = start.checked_add(span).map_err(|_| TimeError::OutOfRange)?;
    if is_day {
        return Ok(ResolvedTime::Day(days_of_date(end.date())));
    }
    let zoned = end
        .to_zoned(TimeZone::UTC)
        .map_err(|_| TimeError::OutOfRange)?;
    Ok(ResolvedTime::Micros(micros_of_timestamp(zoned.timestamp())))
}

fn is_calendar(unit: TimeUnit) -> bool {
    match unit {
        TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => false,
        TimeUnit::Day | TimeUnit::Week | TimeUnit::Month | TimeUnit::Year => true,
    }
}

fn span_of(amount: i32, unit: TimeUnit) -> Result<Span, TimeError> {
    let span = Span::new();
    let result = match unit {
        TimeUnit::Second => span.try_seconds(amount),
        TimeUnit::Minute => span.try_minutes(amount),
        TimeUnit::Hour => span.try_hours(amount),
        TimeUnit::Day => span.try_days(amount),
        TimeUnit::Week => span.try_weeks(amount),
        TimeUnit::Month => span.try_months(amount),
        TimeUnit::Year => span.try_years(amount),
    };
    result.map_err(|_| TimeError::OutOfRange)
}

/// The first day of the calendar unit in which a day lies. Weeks start on Monday (ISO 8601).
/// `None` outside the years -9999 to 9999.
pub fn period_start(day: i32, unit: CalendarUnit) -> Option<i32> {
    let date = date_of_days(day)?;
    let start = match unit {
        CalendarUnit::Day => date,
        CalendarUnit::Week => date
            .checked_sub(i32::from(date.weekday().to_monday_zero_offset()).days())
            .ok()?,
        CalendarUnit::Month => date.first_of_month(),
        CalendarUnit::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?,
        CalendarUnit::Year => date.first_of_year(),
    };
    Some(days_of_date(start))
}

/// The first day after the calendar unit in which a day lies.
/// `None` outside the years -9999 to 9999.
pub fn period_end(day: i32, unit: CalendarUnit) -> Option<i32> {
    let start = date_of_days(period_start(day, unit)?)?;
    let length = match unit {
        CalendarUnit::Day => 1.days(),
        CalendarUnit::Week => 7.days(),
        CalendarUnit::Month => 1.months(),
        CalendarUnit::Quarter => 3.months(),
        CalendarUnit::Year => 1.years(),
    };
    start.checked_add(length).ok().map(days_of_date)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    fn day(text: &str) -> i32 {
        parse_date(text).unwrap()
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for days in [-3_000_000, -719_528, -1, 0, 1, 10_957, 2_932_896] {
            assert_eq!(days_of_date(date_of_days(days).unwrap()), days);
        }
        assert_eq!(day("1970-01-02"), 1);
        assert_eq!(date_of_days(i32::MAX), None);
        assert_eq!(format_date(day("2026-11-23")), "2026-11-23");
        assert_eq!(format_date(i32::MAX), i32::MAX.to_string());
    }

    #[test]
    fn timestamps_are_read_with_and_without_zone() {
        let check = |text: &str, expected: Result<i64, TimeError>| {
            assert_eq!(parse_timestamp(text), expected, "{text}");
        };
        check("1970-01-01T00:00:01Z", Ok(1_000_000));
        check("1970-01-01T01:00:00+01:00", Ok(0));
        check("1970-01-01 00:00:01", Ok(1_000_000));
        check("1970-01-02", Ok(MICROS_PER_DAY));
        check("1969-12-31T23:59:59.999999Z", Ok(-1));
        let refuse = |text: &str, error: TimestampError| check(text, Err(error.into()));
        refuse("yesterday", TimestampError::NotATimestamp);
        refuse("1969-12-31T23:59:59.9999999Z", TimestampError::TooFine);
        refuse("2016-12-31T23:59:60Z", TimestampError::LeapSecond);
        refuse(
            "2026-11-23T10:00:00[Europe/Paris]",
            TimestampError::NamedZone,
        );
        assert_eq!(parse_date("1970-01-01T00:00:00"), Err(TimeError::NotADate));
        assert_eq!(parse_date("2026-02-30"), Err(TimeError::NotADate));
        assert_eq!(day_of_micros(-1), -1);
        assert_eq!(micros_of_day(1), MICROS_PER_DAY);
        assert_eq!(format_timestamp(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn relative_times_follow_the_calendar() {
        let now: Timestamp = "2026-03-31T10:30:00Z".parse().unwrap();
        let check = |anchor, amount, unit, expected| {
            assert_eq!(
                resolve_relative(
                    RelativeTime {
                        anchor,
                        amount,
                        unit
                    },
                    now
                ),
                expected
            );
        };
        let at = |text: &str| Ok(ResolvedTime::Micros(parse_timestamp(text).unwrap()));
        check(
            TimeAnchor::Today,
            0,
            TimeUnit::Day,
            Ok(ResolvedTime::Day(day("2026-03-31"))),
        );
        check(
            TimeAnchor::Today,
            0,
            TimeUnit::Second,
            Ok(ResolvedTime::Day(day("2026-03-31"))),
        );
        check(
            TimeAnchor::Today,
            -1,
            TimeUnit::Month,
            Ok(ResolvedTime::Day(day("2026-02-28"))),
        );
        check(
            TimeAnchor::Today,
            2,
            TimeUnit::Week,
            Ok(ResolvedTime::Day(day("2026-04-14"))),
        );
        check(
            TimeAnchor::Today,
            2,
            TimeUnit::Hour,
            at("2026-03-31T02:00:00Z"),
        );
        check(
            TimeAnchor::Now,
            -30,
            TimeUnit::Day,
            at("2026-03-01T10:30:00Z"),
        );
        check(
            TimeAnchor::Now,
            90,
            TimeUnit::Second,
            at("2026-03-31T10:31:30Z"),
        );
        check(
            TimeAnchor::Now,
            -1,
            TimeUnit::Year,
            at("2025-03-31T10:30:00Z"),
        );
        check(
            TimeAnchor::Now,
            i32::MAX,
            TimeUnit::Year,
            Err(TimeError::OutOfRange),
        );
    }

    #[test]
    fn calendar_units_start_and_end_where_the_calendar_says() {
        let check = |unit, start: &str, end: &str| {
            let inside = day("2026-11-25");
            assert_eq!(period_start(inside, unit), Some(day(start)));
            assert_eq!(period_end(inside, unit), Some(day(end)));
        };
        check(CalendarUnit::Day, "2026-11-25", "2026-11-26");
        check(CalendarUnit::Week, "2026-11-23", "2026-11-30");
        check(CalendarUnit::Month, "2026-11-01", "2026-12-01");
        check(CalendarUnit::Quarter, "2026-10-01", "2027-01-01");
        check(CalendarUnit::Year, "2026-01-01", "2027-01-01");
        assert_eq!(period_start(i32::MIN, CalendarUnit::Day), None);
    }
}
