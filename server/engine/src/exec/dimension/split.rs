//! How one dim splits users or events: what stands for a group, and which rows or columns tell.

use tessera_query_lang::ast::CalendarUnit;

use super::calendar;
use crate::{
    ids::{AttributeId, RowId, ValueCode},
    plan::query::{DimKind, NumberUnit, PropertySplit},
    schema::Schema,
};

/// A group's place in one dim: a code, a band, a candidate's index, the first day of a period or
/// a raw number; `None` for users without.
pub(super) type Component = Option<i64>;

/// How one dim splits users.
#[derive(Debug)]
pub(super) enum BoundDim {
    /// One component a user, from a column.
    Column(AttributeId, ColumnSplit),
    /// The indices of those rows in which a user is.
    Rows(Vec<RowId>),
    /// One component an event, from its table.
    Events(EventSplit),
}

/// From an event to a component.
#[derive(Debug, Clone, Copy)]
pub(super) enum EventSplit {
    /// The first day of the period in which it was.
    Time(CalendarUnit),
    /// A property's code; so many codes.
    Codes(AttributeId, u32),
    /// A property's number.
    Exact(AttributeId),
}

/// From a column's number to a component.
#[derive(Debug)]
pub(super) enum ColumnSplit {
    /// The code itself; so many codes.
    Codes(u32),
    /// The number of bounds that are not greater.
    Bands(Vec<i64>),
    /// The first day of its period.
    Calendar(NumberUnit, CalendarUnit),
    /// The number itself.
    Exact,
}

impl BoundDim {
    pub(super) fn new(schema: &Schema, kind: &DimKind) -> Self {
        match kind {
            DimKind::Enum(attribute) | DimKind::Boolean(attribute) => Self::Column(
                *attribute,
                ColumnSplit::Codes(schema.value_count(*attribute)),
            ),
            DimKind::Number(attribute, _) | DimKind::Inviter(attribute) => {
                Self::Column(*attribute, ColumnSplit::Exact)
            }
            DimKind::Bands {
                attribute, bounds, ..
            } => Self::Column(*attribute, ColumnSplit::Bands(bounds.clone())),
            DimKind::Calendar {
                attribute,
                number,
                unit,
            } => Self::Column(*attribute, ColumnSplit::Calendar(*number, *unit)),
            DimKind::Multi(attribute) => {
                let codes = 0..schema.value_count(*attribute);
                Self::Rows(
                    codes
                        .map(|code| RowId::Value(*attribute, ValueCode(code)))
                        .collect(),
                )
            }
            DimKind::Tags { tags, .. } => {
                Self::Rows(tags.iter().map(|tag| RowId::Tag(*tag)).collect())
            }
            DimKind::EventTime(unit) => Self::Events(EventSplit::Time(*unit)),
            DimKind::EventProperty(property, PropertySplit::Name | PropertySplit::Boolean) => {
                let codes = schema.value_count(*property);
                Self::Events(EventSplit::Codes(*property, codes))
            }
            DimKind::EventProperty(property, PropertySplit::Number(_)) => {
                Self::Events(EventSplit::Exact(*property))
            }
        }
    }

    /// How many components there can be besides the missing one, where that is known: they are
    /// 0 to one less.
    pub(super) fn component_count(&self) -> Option<u32> {
        // Bounds, tags and values are limited far below 2^32.
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        match self {
            Self::Column(_, ColumnSplit::Codes(codes)) => Some(*codes),
            Self::Column(_, ColumnSplit::Bands(bounds)) => Some(count(bounds.len() + 1)),
            Self::Column(_, ColumnSplit::Calendar(..) | ColumnSplit::Exact) => None,
            Self::Rows(rows) => Some(count(rows.len())),
            Self::Events(EventSplit::Codes(_, codes)) => Some(*codes),
            Self::Events(EventSplit::Time(_) | EventSplit::Exact(_)) => None,
        }
    }
}

impl ColumnSplit {
    /// The component of a column's number.
    pub(super) fn component(&self, number: Option<i64>) -> Component {
        let number = number?;
        match self {
            // A code beyond the dictionary is not known in this state.
            Self::Codes(count) => (0..i64::from(*count)).contains(&number).then_some(number),
            Self::Bands(bounds) => Some(bounds.partition_point(|bound| *bound <= number) as i64),
            Self::Calendar(unit, period) => Some(calendar::period_of(number, *unit, *period)),
            Self::Exact => Some(number),
        }
    }
}
