//! Days and seconds of UTC, as far as the benchmark needs them.
//!
//! Knows the Gregorian calendar. Nothing of this asks the machine for the time.

/// Seconds of a day.
pub const DAY_SECONDS: u32 = 86_400;

/// The moment that every question is asked at, in seconds since 1970: 2026-06-30, noon.
pub const NOW: u32 = 1_782_820_800;

/// The day of [`NOW`], in days since 1970.
pub const TODAY: u32 = NOW / DAY_SECONDS;

/// The first day of a window of so many whole days that ends with today.
pub fn window_start(days: u32) -> u32 {
    TODAY + 1 - days
}

/// `2026-06-30`, of a day since 1970.
pub fn date(day: u32) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-06-30T12:00:00Z`, of seconds since 1970.
pub fn moment(seconds: u32) -> String {
    let [hour, minute, second] = clock(seconds);
    let date = date(seconds / DAY_SECONDS);
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Hour, minute and second of the day, of seconds since 1970.
pub fn clock(seconds: u32) -> [u32; 3] {
    let second = seconds % DAY_SECONDS;
    [second / 3_600, second / 60 % 60, second % 60]
}

/// Year, month and day of a day since 1970, for days up to the year 2400 (Hinnant:
/// "chrono-compatible low-level date algorithms", `civil_from_days`, without the past).
pub fn civil(day: u32) -> (u32, u32, u32) {
    let shifted = day + 719_468;
    let (era, in_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * in_year + 2) / 153;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u32::from(month <= 2);
    (year, month, in_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_people_write_them() {
        let check = |seconds, expected: &str| assert_eq!(moment(seconds), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399, "2000-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_709_164_801, "2024-02-29T00:00:01Z");
        check(NOW, "2026-06-30T12:00:00Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = civil(0);
        for day in 1..60_000 {
            let (year, month, date) = civil(day);
            let next = match before {
                (y, m, d) if (year, month) == (y, m) => date == d + 1,
                (y, m, _) if year == y => month == m + 1 && date == 1,
                (y, ..) => year == y + 1 && (month, date) == (1, 1),
            };
            assert!(next, "{before:?} before {:?}", (year, month, date));
            before = (year, month, date);
        }
    }

    #[test]
    fn a_window_ends_with_today() {
        assert_eq!(date(window_start(1)), "2026-06-30");
        assert_eq!(date(window_start(30)), "2026-06-01");
    }
}
