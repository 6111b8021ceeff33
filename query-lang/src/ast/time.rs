//! Lengths of time, windows, and tests of numbers and moments.

use super::{Comparison, Spanned, TimeUnit, Value};

/// A length of time: `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// How many units, from 1 to [`PERIOD_AMOUNT_MAX`].
    pub amount: u32,
    /// Of what.
    pub unit: TimeUnit,
}

/// The most units of a [`Period`]: as many as a relative time can go back.
pub const PERIOD_AMOUNT_MAX: u32 = i32::MAX.unsigned_abs();

/// The time a question looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// `30d`: days, weeks, months and years are whole days in UTC that end with today, so that
    /// `1d` is today and `3mo` begins the day after the same day three months ago. Seconds,
    /// minutes and hours are exact: after now less the period, up to now.
    Last(Period),
    /// `2026-01-01..2026-01-31`, `2026-01-01..`: whole days in UTC, both included, at least one
    /// of the two present.
    Between {
        /// The first day.
        first: Option<Spanned<Value>>,
        /// The last day.
        last: Option<Spanned<Value>>,
    },
}

/// What is asked of a number or a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeTest {
    /// `>= 3`
    Compare(Comparison, Spanned<Value>),
    /// `:3..5`, `:3..`, `:..5`: closed, at least one end present. `:3` is read as `= 3`.
    Between {
        /// The least, included.
        low: Option<Spanned<Value>>,
        /// The greatest, included.
        high: Option<Spanned<Value>>,
    },
}
