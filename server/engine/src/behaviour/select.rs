//! Which rows of a table count.

use std::ops::Range as Rows;

use super::{
    question::{Filter, Window},
    table::{EventTable, PropertyColumn, Times},
};
use crate::{
    column::{Codes, widen},
    plan::logical::Range,
};

/// Which of some rows count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selected {
    /// Each.
    All,
    /// None.
    Nothing,
    /// Row by row.
    Some(Vec<bool>),
}

impl Selected {
    fn of(is_all: bool) -> Self {
        if is_all { Self::All } else { Self::Nothing }
    }

    fn not(self) -> Self {
        match self {
            Self::All => Self::Nothing,
            Self::Nothing => Self::All,
            Self::Some(mut rows) => {
                rows.iter_mut().for_each(|row| *row = !*row);
                Self::Some(rows)
            }
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            (Self::All, other) | (other, Self::All) => other,
            (Self::Some(mut left), Self::Some(right)) => {
                left.iter_mut()
                    .zip(right)
                    .for_each(|(left, right)| *left &= right);
                Self::Some(left)
            }
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Nothing, other) | (other, Self::Nothing) => other,
            (Self::Some(mut left), Self::Some(right)) => {
                left.iter_mut()
                    .zip(right)
                    .for_each(|(left, right)| *left |= right);
                Self::Some(left)
            }
        }
    }

    /// Whether a row, counted from the first, counts.
    pub(crate) fn has(&self, row: usize) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Some(rows) => rows.get(row).copied().unwrap_or(false),
        }
    }
}

/// Those of some rows of a table that a filter lets through.
pub(super) fn select(table: &EventTable, rows: &Rows<usize>, filter: &Filter) -> Selected {
    match filter {
        Filter::All => Selected::All,
        Filter::Test(property, range) => match table.property(*property) {
            Some(column) => test(&column, rows, *range),
            None => Selected::Nothing,
        },
        Filter::Not(inner) => select(table, rows, inner).not(),
        Filter::And(of) => of
            .iter()
            .fold(Selected::All, |selected, inner| match selected {
                Selected::Nothing => Selected::Nothing,
                selected @ (Selected::All | Selected::Some(_)) => {
                    selected.and(select(table, rows, inner))
                }
            }),
        Filter::Or(of) => of.iter().fold(Selected::Nothing, |selected, inner| {
            selected.or(select(table, rows, inner))
        }),
    }
}

/// Those of some rows of a table that are in a window.
pub(super) fn select_times(table: &EventTable, rows: &Rows<usize>, window: Window) -> Selected {
    let Times {
        base_us,
        unit_us,
        codes,
    } = table.times();
    let distance = |time_us: i64| i128::from(time_us) - i128::from(base_us);
    let unit = i128::from(unit_us);
    // The first code that is not before the window, the last that is not after it.
    let low = distance(window.from_us).div_euclid(unit)
        + i128::from(distance(window.from_us).rem_euclid(unit) > 0);
    let high = distance(window.to_us).div_euclid(unit);
    within(codes, rows, low, high)
}

fn test(column: &PropertyColumn<'_>, rows: &Rows<usize>, range: Range) -> Selected {
    let low = i128::from(range.low) - i128::from(column.base);
    let high = i128::from(range.high) - i128::from(column.base);
    let selected = if low <= 0 && i128::from(column.code_max) <= high {
        Selected::All
    } else {
        within(column.codes, rows, low, high)
    };
    match column.present {
        None => selected,
        Some(_) => selected.and(Selected::Some(
            rows.clone().map(|row| column.is_present(row)).collect(),
        )),
    }
}

/// Those of some rows whose codes lie between two numbers.
fn within(codes: Codes<'_>, rows: &Rows<usize>, low: i128, high: i128) -> Selected {
    let Ok(high) = u64::try_from(high.min(u64::MAX.into())) else {
        return Selected::Nothing;
    };
    let low = match u64::try_from(low.max(0)) {
        Ok(low) if low <= high => low,
        Ok(_) | Err(_) => return Selected::Nothing,
    };
    let span = high - low;
    match codes {
        Codes::Zero(_) => Selected::of(low == 0),
        Codes::One(codes) => each(codes, rows, low, span),
        Codes::Two(codes) => each(codes, rows, low, span),
        Codes::Four(codes) => each(codes, rows, low, span),
        Codes::Eight(codes) => each(codes, rows, low, span),
    }
}

fn each<const WIDTH: usize>(
    codes: &[[u8; WIDTH]],
    rows: &Rows<usize>,
    low: u64,
    span: u64,
) -> Selected {
    let codes = codes.get(rows.clone()).unwrap_or_default().iter();
    Selected::Some(
        codes
            .map(|code| widen(*code).wrapping_sub(low) <= span)
            .collect(),
    )
}
