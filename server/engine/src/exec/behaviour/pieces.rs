//! Of which rows and tables a window is made.
//!
//! Knows the calendar and which months were rolled up. Does not read anything.

use crate::{
    behaviour::{Bucket, Extent, Window, month_of_day},
    ids::{EventId, RowId},
};

/// A row that stands for a part of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Ever,
    Month(i32),
    Day(i32),
}

impl Piece {
    /// The row, of one kind of event.
    pub(super) fn row(self, event: EventId) -> RowId {
        match self {
            Self::Ever => RowId::Did(event),
            Self::Month(month) => RowId::DidInMonth(event, month),
            Self::Day(day) => RowId::DidOnDay(event, day),
        }
    }
}

/// What a window is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    pub(super) rows: Vec<Piece>,
    /// Of which only a part is in the window.
    pub(super) tables: Vec<Bucket>,
}

/// Cuts a window into the fewest rows, and tables where only a part of a bucket is in it.
pub(super) fn pieces(extent: &Extent, window: Window) -> Pieces {
    let mut pieces = Pieces::default();
    if window.is_empty() {
        return pieces;
    }
    let (mut day, end) = (extent.first_day, extent.last_day);
    if holds(window, day, end) {
        pieces.rows.push(Piece::Ever);
        return pieces;
    }
    let (first, last) = window.days();
    day = day.max(first);
    while day <= end.min(last) {
        let month = Bucket::Month(month_of_day(day));
        let (month_first, month_last) = month.days();
        let bucket = extent.bucket(day);
        let begins = day == month_first.max(extent.first_day);
        let next = if begins && holds(window, day, month_last.min(end)) {
            pieces.rows.push(Piece::Month(month.month()));
            month_last
        } else {
            match bucket {
                Bucket::Day(day) if window.covers(bucket) => pieces.rows.push(Piece::Day(day)),
                Bucket::Day(_) | Bucket::Month(_) => pieces.tables.push(bucket),
            }
            bucket.days().1
        };
        match next.checked_add(1) {
            Some(next) => day = next,
            None => break,
        }
    }
    pieces
}

/// Whether all of some days are in a window.
fn holds(window: Window, first: i32, last: i32) -> bool {
    window.intersect(Window::of_days(first, last)) == Window::of_days(first, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_cut_into_as_few_rows_as_can_be() {
        // 2024-01-10 to 2024-04-20, January rolled up.
        let mut extent = Extent::of_day(19_732);
        extent.include(19_833);
        extent.rolled_until = month_of_day(19_732) + 1;
        let month = extent.rolled_until;
        let check = |window: Window, rows: &[Piece], tables: &[Bucket]| {
            let expected = Pieces {
                rows: rows.to_vec(),
                tables: tables.to_vec(),
            };
            assert_eq!(pieces(&extent, window), expected, "{window:?}");
        };
        check(Window::ALL, &[Piece::Ever], &[]);
        check(Window::of_days(19_732, 19_833), &[Piece::Ever], &[]);
        // From the day after the first event: a part of January, and the rest by months.
        let months = [month, month + 1, month + 2].map(Piece::Month);
        check(
            Window::of_days(19_733, 30_000),
            &months,
            &[Bucket::Month(month - 1)],
        );
        // All of January that there is, and the first two days of February.
        check(
            Window::of_days(0, 19_755),
            &[
                Piece::Month(month - 1),
                Piece::Day(19_754),
                Piece::Day(19_755),
            ],
            &[],
        );
        // A part of a day.
        let (from_us, _) = Bucket::Day(19_755).span_us();
        let part = Window {
            from_us: from_us + 1,
            to_us: Bucket::Day(19_756).span_us().1,
        };
        check(part, &[Piece::Day(19_756)], &[Bucket::Day(19_755)]);
        check(
            Window {
                from_us: 1,
                to_us: 0,
            },
            &[],
            &[],
        );
        check(Window::of_days(0, 100), &[], &[]);
        check(Window::of_days(20_000, 20_100), &[], &[]);
    }
}
