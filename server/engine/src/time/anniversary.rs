//! Days that return year by year, and whole years that have passed.
//!
//! A 29th of February returns on the 1st of March where a year has none: the day after the 28th,
//! as `today-18y` has it, which is the 28th only where the calendar goes back from a day that
//! the other year lacks.

use jiff::{Span, civil::Date};

use super::calendar::{date_of_days, days_of_date};

/// Days after which every day has returned.
const YEAR_DAYS_MAX: i64 = 366;

/// The days that return within some days.
#[derive(Debug, Clone)]
pub struct Anniversaries {
    /// By month and day of the month, the last year within which the day returns.
    years: Box<[[Option<i16>; 32]; 13]>,
}

impl Anniversaries {
    /// Those that return from one day to another, both included; none if the last comes first.
    /// Days that no calendar reaches are left out.
    pub fn on(first: i32, last: i32) -> Self {
        let mut years = Box::new([[None; 32]; 13]);
        let earliest = i64::from(first).max(i64::from(last) - YEAR_DAYS_MAX);
        for day in (earliest..=i64::from(last)).filter_map(|day| i32::try_from(day).ok()) {
            let Some(date) = date_of_days(day) else {
                continue;
            };
            put(&mut years, date.month(), date.day(), date.year());
            if (date.month(), date.day()) == (3, 1) && !date.in_leap_year() {
                put(&mut years, 2, 29, date.year());
            }
        }
        Self { years }
    }

    /// Whether a day returns on one of them, at least a year later.
    pub fn contains(&self, day: i32) -> bool {
        let Some(date) = date_of_days(day) else {
            return false;
        };
        let year = self.years[date.month() as usize][date.day() as usize];
        year.is_some_and(|year| year > date.year())
    }
}

fn put(years: &mut [[Option<i16>; 32]; 13], month: i8, day: i8, year: i16) {
    years[month as usize][day as usize] = Some(year);
}

/// Whole years from a day to another: how often it has returned. Negative, and counted to the
/// day before, where the other comes first. `None` where no calendar reaches one of them.
pub fn years_between(from: i32, to: i32) -> Option<i64> {
    let (from, to) = (date_of_days(from)?, date_of_days(to)?);
    let years = i64::from(to.year()) - i64::from(from.year());
    let has_returned = (to.month(), to.day()) >= (from.month(), from.day());
    Some(if has_returned { years } else { years - 1 })
}

/// The latest day from which so many whole years have passed on another. `None` where the
/// calendar does not go so far back.
pub fn latest_with_years(years: i64, to: i32) -> Option<i32> {
    let span = Span::new().try_years(years).ok()?;
    let day: Date = date_of_days(to)?.checked_sub(span).ok()?;
    Some(days_of_date(day))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use proptest::prelude::*;

    use super::*;
    use crate::time::parse_date;

    fn day(text: &str) -> i32 {
        parse_date(text).unwrap()
    }

    #[test]
    fn years_pass_on_the_day_itself() {
        let check = |from: &str, to: &str, years| {
            assert_eq!(
                years_between(day(from), day(to)),
                Some(years),
                "{from} {to}"
            );
        };
        check("2004-05-06", "2022-05-05", 17);
        check("2004-05-06", "2022-05-06", 18);
        check("2004-02-29", "2022-02-28", 17);
        check("2004-02-29", "2022-03-01", 18);
        check("2004-02-29", "2024-02-29", 20);
        check("2022-05-06", "2022-05-06", 0);
        check("2022-05-06", "2022-05-05", -1);
        check("2022-05-06", "2021-05-06", -1);
        check("2022-05-06", "2021-05-05", -2);
        assert_eq!(years_between(i32::MAX, 0), None);
    }

    #[test]
    fn days_return() {
        let check = |born: &str, first: &str, last: &str, expected| {
            let days = Anniversaries::on(day(first), day(last));
            assert_eq!(
                days.contains(day(born)),
                expected,
                "{born} in {first}..{last}"
            );
        };
        check("1990-11-25", "2026-11-23", "2026-11-30", true);
        check("1990-11-22", "2026-11-23", "2026-11-30", false);
        check("1990-11-30", "2026-11-23", "2026-11-30", true);
        check("1990-12-01", "2026-11-23", "2026-11-30", false);
        // Over the end of a year.
        check("1990-01-02", "2026-12-28", "2027-01-04", true);
        check("1990-12-31", "2026-12-28", "2027-01-04", true);
        // Leap days.
        check("2004-02-29", "2026-02-28", "2026-02-28", false);
        check("2004-02-29", "2026-03-01", "2026-03-01", true);
        check("2004-02-29", "2028-03-01", "2028-03-01", false);
        check("2004-02-29", "2028-02-29", "2028-02-29", true);
        check("2004-03-01", "2026-03-01", "2026-03-01", true);
        // The day itself is none.
        check("2026-11-25", "2026-11-23", "2026-11-30", false);
        check("2025-11-25", "2026-11-23", "2026-11-30", true);
        check("1990-06-01", "2020-01-01", "2026-11-30", true);
        check("1990-06-01", "2026-11-30", "2026-11-23", false);
    }

    proptest! {
        /// As many years as the calendar can take away.
        #[test]
        fn years_and_days_agree(from in -40_000..40_000i32, to in -40_000..40_000i32) {
            let years = years_between(from, to).unwrap();
            prop_assert!(from <= latest_with_years(years, to).unwrap());
            prop_assert!(from > latest_with_years(years + 1, to).unwrap());
        }
    }
}
