//! Lengths of time, as people say them: `30d`, `3mo`.

use bincode::{Decode, Encode};
use jiff::{Span, Timestamp, tz::TimeZone};

use super::calendar::TimeError;

/// How long something lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Length {
    /// How many units.
    pub amount: u32,
    /// Of what.
    pub unit: LengthUnit,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum LengthUnit {
    /// A second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 24 hours: days are those of UTC.
    Day,
    /// Seven days.
    Week,
    /// A month of the calendar; the last day of a shorter one where it lacks the day.
    Month,
    /// Twelve months.
    Year,
}

impl Length {
    /// The second so much after another; both counted from 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] when the calendar does not reach there.
    pub fn after_s(self, second: i64) -> Result<i64, TimeError> {
        let start = Timestamp::from_second(second).map_err(|_| TimeError::OutOfRange)?;
        let end = TimeZone::UTC
            .to_datetime(start)
            .checked_add(self.span()?)
            .and_then(|end| end.to_zoned(TimeZone::UTC));
        end.map(|end| end.timestamp().as_second())
            .map_err(|_| TimeError::OutOfRange)
    }

    fn span(self) -> Result<Span, TimeError> {
        let (span, amount) = (Span::new(), self.amount);
        let result = match self.unit {
            LengthUnit::Second => span.try_seconds(amount),
            LengthUnit::Minute => span.try_minutes(amount),
            LengthUnit::Hour => span.try_hours(amount),
            LengthUnit::Day => span.try_days(amount),
            LengthUnit::Week => span.try_weeks(amount),
            LengthUnit::Month => span.try_months(amount),
            LengthUnit::Year => span.try_years(amount),
        };
        result.map_err(|_| TimeError::OutOfRange)
    }
}

impl LengthUnit {
    /// Its letters in the language.
    pub fn letters(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
            Self::Month => "mo",
            Self::Year => "y",
        }
    }
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.amount, self.unit.letters())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::time::parse_timestamp;

    #[test]
    fn lengths_follow_the_calendar() {
        let second = |text: &str| parse_timestamp(text).unwrap() / 1_000_000;
        let check = |start: &str, amount, unit, expected: &str| {
            let end = Length { amount, unit }.after_s(second(start));
            assert_eq!(end, Ok(second(expected)), "{start} {amount} {unit:?}");
        };
        check(
            "2026-01-31T10:00:01",
            1,
            LengthUnit::Month,
            "2026-02-28T10:00:01",
        );
        check("2024-02-29", 1, LengthUnit::Year, "2025-02-28");
        check("2024-02-28", 2, LengthUnit::Day, "2024-03-01");
        check("2026-03-29", 1, LengthUnit::Day, "2026-03-30");
        check(
            "2026-03-28T23:30:00",
            2,
            LengthUnit::Hour,
            "2026-03-29T01:30:00",
        );
        check("2026-01-01", 90, LengthUnit::Second, "2026-01-01T00:01:30");
        check("1969-12-31", 1, LengthUnit::Week, "1970-01-07");
        let far = Length {
            amount: u32::MAX,
            unit: LengthUnit::Year,
        };
        assert_eq!(far.after_s(0), Err(TimeError::OutOfRange));
        assert_eq!(far.after_s(i64::MAX), Err(TimeError::OutOfRange));
    }
}
