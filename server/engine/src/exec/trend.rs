//! `TREND`: how large a tag was, as rows of days (or the first days of longer periods) and users.
//!
//! What was noted on past days, and how large the tag is now. Of a longer period the last known
//! size counts; a period of which nothing is known has no row.

use std::collections::BTreeMap;

use tessera_query_lang::ast::CalendarUnit;

use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, Row},
    time::period_start,
};

/// What stands before the rows: the period's column has the name of its unit.
pub(crate) fn header(unit: CalendarUnit) -> Header {
    let name = match unit {
        CalendarUnit::Day => "day",
        CalendarUnit::Week => "week",
        CalendarUnit::Month => "month",
        CalendarUnit::Quarter => "quarter",
        CalendarUnit::Year => "year",
    };
    let column = |name: &str, role| Column {
        name: name.to_owned(),
        role,
    };
    Header {
        kind: ResultKind::Trend,
        columns: vec![
            column(name, ColumnRole::Dim),
            column("users", ColumnRole::Measure),
        ],
    }
}

/// The rows, the earliest period first. `sizes` are of rising days.
pub(crate) fn rows(sizes: &[(i32, u64)], unit: CalendarUnit) -> Vec<Row> {
    let mut periods: BTreeMap<i32, u64> = BTreeMap::new();
    for (day, users) in sizes {
        periods.insert(period_start(*day, unit).unwrap_or(*day), *users);
    }
    let row = |(day, users): (i32, u64)| {
        let users = i64::try_from(users).unwrap_or(i64::MAX);
        vec![Datum::Date(day), Datum::Integer(users)]
    };
    periods.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_date;

    #[test]
    fn of_a_period_the_last_size_counts() {
        let day = |text: &str| parse_date(text).unwrap_or_default();
        let sizes = [
            (day("2026-01-30"), 5),
            (day("2026-01-31"), 7),
            (day("2026-02-02"), 9),
        ];
        let check = |unit, expected: &[(&str, i64)]| {
            let expected: Vec<Row> = expected
                .iter()
                .map(|(text, users)| vec![Datum::Date(day(text)), Datum::Integer(*users)])
                .collect();
            assert_eq!(rows(&sizes, unit), expected, "{unit:?}");
        };
        check(
            CalendarUnit::Day,
            &[("2026-01-30", 5), ("2026-01-31", 7), ("2026-02-02", 9)],
        );
        check(CalendarUnit::Week, &[("2026-01-26", 7), ("2026-02-02", 9)]);
        check(CalendarUnit::Month, &[("2026-01-01", 7), ("2026-02-01", 9)]);
        check(CalendarUnit::Year, &[("2026-01-01", 9)]);
        assert!(rows(&[], CalendarUnit::Day).is_empty());
    }
}
