//! Time: the clock, and what days, microseconds and calendar units are.
//!
//! The only module that reads the machine's clock. Does not know what the times belong to.

mod anniversary;
mod calendar;
mod clock;
mod length;

pub use anniversary::{Anniversaries, latest_with_years, years_between};
pub use calendar::{
    MICROS_PER_DAY, ResolvedTime, SECONDS_PER_DAY, TimeError, date_of_days, day_of_micros,
    days_of_date, format_date, format_timestamp, micros_of_day, micros_of_timestamp, parse_date,
    parse_timestamp, period_end, period_start, resolve_relative, second_of_micros,
    timestamp_of_micros,
};
pub use clock::{Clock, FrozenClock, ManualClock, SystemClock};
pub use length::{Length, LengthUnit};
