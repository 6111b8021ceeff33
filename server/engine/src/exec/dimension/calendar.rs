//! Periods of dates and timestamps, in UTC, and how they read: `2026-11-23` for a day and, by its
//! Monday, for a week; `2026-11`, `2026-Q4`, `2026`.

use tessera_query_lang::ast::CalendarUnit;

use crate::{plan::query::NumberUnit, time};

/// The first day of the period of a raw number. A day that no calendar reaches is its own.
pub(super) fn period_of(number: i64, unit: NumberUnit, period: CalendarUnit) -> i64 {
    let day = match unit {
        NumberUnit::Timestamp => Some(time::day_of_micros(number)),
        NumberUnit::Date | NumberUnit::Integer | NumberUnit::Decimal(_) => {
            i32::try_from(number).ok()
        }
    };
    day.and_then(|day| time::period_start(day, period))
        .map_or(day.map_or(number, i64::from), i64::from)
}

/// The name of the period that begins on a day.
pub(super) fn period_name(first_day: i64, period: CalendarUnit) -> String {
    let Some(date) = i32::try_from(first_day).ok().and_then(time::date_of_days) else {
        return first_day.to_string();
    };
    match period {
        CalendarUnit::Day | CalendarUnit::Week => date.to_string(),
        CalendarUnit::Month => format!("{:04}-{:02}", date.year(), date.month()),
        CalendarUnit::Quarter => format!("{:04}-Q{}", date.year(), (date.month() - 1) / 3 + 1),
        CalendarUnit::Year => format!("{:04}", date.year()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

    use super::*;

    #[test]
    fn periods_are_named() {
        let check = |day: &str, period: CalendarUnit, expected: &str| {
            let days = i64::from(time::parse_date(day).expect("a date"));
            let first = period_of(days, NumberUnit::Date, period);
            assert_eq!(period_name(first, period), expected);
            let micros = days * time::MICROS_PER_DAY + 5;
            assert_eq!(period_of(micros, NumberUnit::Timestamp, period), first);
        };
        check("2026-11-25", CalendarUnit::Day, "2026-11-25");
        check("2026-11-25", CalendarUnit::Week, "2026-11-23");
        check("2026-11-25", CalendarUnit::Month, "2026-11");
        check("2026-11-25", CalendarUnit::Quarter, "2026-Q4");
        check("2026-11-25", CalendarUnit::Year, "2026");
        check("1969-12-31", CalendarUnit::Month, "1969-12");
    }

    #[test]
    fn days_beyond_the_calendar_stand_for_themselves() {
        let far = i64::from(i32::MAX);
        assert_eq!(period_of(far, NumberUnit::Date, CalendarUnit::Year), far);
        assert_eq!(period_name(far, CalendarUnit::Year), far.to_string());
        assert_eq!(
            period_of(i64::MAX, NumberUnit::Date, CalendarUnit::Day),
            i64::MAX
        );
    }
}
