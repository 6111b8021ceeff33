//! The stretches of time whose events lie together.

use bincode::{Decode, Encode};

use crate::time::{MICROS_PER_DAY, micros_of_day};

/// A stretch of time, in UTC, with a table of its own for each kind of event and shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// A day, counted from 1970-01-01.
    Day(i32),
    /// A month, counted from January 1970: it holds the events of days that are long past.
    Month(i32),
}

impl Bucket {
    /// Its first and its last day.
    pub fn days(self) -> (i32, i32) {
        match self {
            Self::Day(day) => (day, day),
            Self::Month(month) => (
                first_day_of_month(month),
                first_day_of_month(month.saturating_add(1)).saturating_sub(1),
            ),
        }
    }

    /// Its month, counted from January 1970.
    pub fn month(self) -> i32 {
        match self {
            Self::Day(day) => month_of_day(day),
            Self::Month(month) => month,
        }
    }

    /// Its first and its last microsecond.
    pub fn span_us(self) -> (i64, i64) {
        let (first, last) = self.days();
        let end = micros_of_day(last).saturating_add(MICROS_PER_DAY - 1);
        (micros_of_day(first), end)
    }
}

/// The days that have events of one kind in one partition, and which of them lie in months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Extent {
    /// No event is earlier.
    pub first_day: i32,
    /// No event is later.
    pub last_day: i32,
    /// Events of earlier months lie in months, those of this one and later in days.
    pub rolled_until: i32,
}

impl Extent {
    /// That of one day, nothing rolled up.
    pub fn of_day(day: i32) -> Self {
        Self {
            first_day: day,
            last_day: day,
            rolled_until: i32::MIN,
        }
    }

    /// Grows to hold a day.
    pub fn include(&mut self, day: i32) {
        self.first_day = self.first_day.min(day);
        self.last_day = self.last_day.max(day);
    }

    /// Where the events of a day are.
    pub fn bucket(&self, day: i32) -> Bucket {
        let month = month_of_day(day);
        if month < self.rolled_until {
            Bucket::Month(month)
        } else {
            Bucket::Day(day)
        }
    }

    /// The buckets that may have events of the days from `first` to `last`, in the order of time.
    pub fn buckets(&self, first: i32, last: i32) -> Vec<Bucket> {
        let (mut day, last) = (first.max(self.first_day), last.min(self.last_day));
        let mut buckets = Vec::new();
        while day <= last {
            let bucket = self.bucket(day);
            buckets.push(bucket);
            match bucket.days().1.checked_add(1) {
                Some(next) => day = next,
                None => break,
            }
        }
        buckets
    }
}

/// The month of a day: months since January 1970 from days since 1970-01-01.
///
/// Howard Hinnant's `civil_from_days` ("chrono-compatible low-level date algorithms"): eras of
/// 400 years that begin in March, so that the leap day is the last of its year.
pub fn month_of_day(day: i32) -> i32 {
    let shifted = i64::from(day) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let months = (era * 400 + year_of_era) * 12 + month_from_march + 2;
    // An i32 of days spans fewer months.
    (months - 1970 * 12) as i32
}

/// The first day of a month; as `days_from_civil` of the same source. Saturates beyond the days
/// that 32 bits count.
pub fn first_day_of_month(month: i32) -> i32 {
    let months = i64::from(month) + 1970 * 12;
    let (mut year, month_of_year) = (months.div_euclid(12), months.rem_euclid(12));
    if month_of_year < 2 {
        year -= 1;
    }
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month_of_year + 10) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let day = era * 146_097 + day_of_era - 719_468;
    day.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}
