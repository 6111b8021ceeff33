//! Windows: of which time events are asked about.

use tessera_query_lang::ast::{self, Period, RelativeTime, Spanned, TimeAnchor, TimeUnit, Value};

use crate::{
    behaviour::Window,
    plan::resolve::{ResolveError, Resolver},
    time::{self, MICROS_PER_DAY, ResolvedTime},
};

impl Resolver<'_> {
    /// A window at this moment; all time when none is written.
    pub(in crate::plan::resolve) fn window(
        &mut self,
        window: Option<&Spanned<ast::Window>>,
    ) -> Result<Window, ResolveError> {
        let Some(window) = window else {
            return Ok(Window::ALL);
        };
        match &window.node {
            ast::Window::Last(period) => Ok(self.last(*period)),
            ast::Window::Between { first, last } => {
                let mut day = |value: &Option<Spanned<Value>>| {
                    let Some(value) = value else {
                        return Ok(None);
                    };
                    let literal = self.literal(value)?;
                    match literal.day() {
                        Some(day) => Ok(Some(day)),
                        None => {
                            let message =
                                format!("a window is of days, and {} is not", literal.describe());
                            Err(ResolveError::mismatch(message, value.span))
                        }
                    }
                };
                let (first, last) = (day(first)?, day(last)?);
                Ok(Window {
                    from_us: first.map_or(i64::MIN, time::micros_of_day),
                    to_us: last.map_or(i64::MAX, |day| Window::of_days(day, day).to_us),
                })
            }
        }
    }

    /// The last so many units: exact up to a day, and then whole days that end with today. What
    /// goes back beyond the calendar goes back for ever.
    fn last(&self, period: Period) -> Window {
        let now_us = time::micros_of_timestamp(self.now);
        let today = time::day_of_micros(now_us);
        let window = |first_day: Option<i32>| Window {
            from_us: first_day.map_or(i64::MIN, time::micros_of_day),
            ..Window::of_days(today, today)
        };
        let amount = i32::try_from(period.amount).unwrap_or(i32::MAX);
        match period.unit {
            TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => Window {
                from_us: exact_us(period)
                    .map_or(i64::MIN, |us| now_us.saturating_sub(us).saturating_add(1)),
                to_us: now_us,
            },
            TimeUnit::Day => window(today.checked_sub(amount - 1)),
            TimeUnit::Week => window(
                amount
                    .checked_mul(7)
                    .and_then(|days| today.checked_sub(days - 1)),
            ),
            TimeUnit::Month | TimeUnit::Year => {
                let back = RelativeTime {
                    anchor: TimeAnchor::Today,
                    amount: -amount,
                    unit: period.unit,
                };
                match time::resolve_relative(back, self.now) {
                    Ok(ResolvedTime::Day(day)) => window(day.checked_add(1)),
                    Ok(ResolvedTime::Micros(_)) | Err(_) => window(None),
                }
            }
        }
    }
}

/// A length of time that does not depend on the calendar, in microseconds.
pub(super) fn exact_us(period: Period) -> Option<i64> {
    let unit = match period.unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Minute => 60_000_000,
        TimeUnit::Hour => 3_600_000_000,
        TimeUnit::Day => MICROS_PER_DAY,
        TimeUnit::Week => 7 * MICROS_PER_DAY,
        TimeUnit::Month | TimeUnit::Year => return None,
    };
    i64::from(period.amount).checked_mul(unit)
}
