//! Resolved `SEGMENT` and `DIMENSION` statements: what is asked, with ids instead of names.
//!
//! Knows types and units of what is returned. Does not know how it is computed.

use tessera_query_lang::ast::{CalendarUnit, Comparison, Direction};

use super::{logical::Expr, quantity::Quantity};
use crate::{
    behaviour::{Filter, Window},
    ids::{AttributeId, EventId, TagId},
};

/// The most dims one `DIMENSION` may have.
pub const DIMS_MAX: usize = 6;

/// What is returned of a user, beside the external key, which always is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// Every tag held in a second.
    Tags {
        /// The second, counted from 1970-01-01T00:00:00Z.
        at_s: i64,
        /// The tags with rules, and who holds them.
        ruled: Vec<(TagId, Expr)>,
    },
    /// An attribute's value.
    Attribute(AttributeId),
}

/// A returned field, with its column's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// What stands in it.
    pub kind: FieldKind,
}

/// What users are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderField {
    /// The external key.
    Key,
    /// The number or position of a single-valued attribute; by name for enums.
    Attribute(AttributeId),
    /// The text of a text or user attribute.
    Text(AttributeId),
}

/// A stable sample: a user is in it when the seeded hash of the key lies below the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The share of 2^64; 2^64 itself for everybody.
    pub threshold: u128,
    /// Which sample.
    pub seed: u64,
}

impl Sample {
    /// Whether a user is in the sample.
    pub fn keeps(self, key: &str) -> bool {
        u128::from(xxhash_rust::xxh3::xxh3_64_with_seed(
            key.as_bytes(),
            self.seed,
        )) < self.threshold
    }
}

/// A resolved `SEGMENT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentQuery {
    /// Who.
    pub filter: Expr,
    /// What is returned after the key.
    pub returns: Vec<Field>,
    /// In which order; storage order when empty.
    pub order: Vec<(OrderField, Direction)>,
    /// A sample of the segment.
    pub sample: Option<Sample>,
    /// The length of a page.
    pub limit: Option<u64>,
}

/// What raw numbers of an attribute mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberUnit {
    /// Whole numbers.
    Integer,
    /// Units of 10^-scale.
    Decimal(u8),
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

/// Some events: those of one kind that a filter lets through, in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSelection {
    /// The kind.
    pub event: EventId,
    /// Which of them.
    pub filter: Filter,
    /// When.
    pub window: Window,
}

/// How a property splits events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertySplit {
    /// By the value of an enum.
    Name,
    /// By true and false.
    Boolean,
    /// By each exact number.
    Number(NumberUnit),
}

/// How a single-valued attribute or a set of rows splits users, or a property or the time events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DimKind {
    /// By the value of an enum.
    Enum(AttributeId),
    /// By true and false.
    Boolean(AttributeId),
    /// By each exact number.
    Number(AttributeId, NumberUnit),
    /// By bands: below the first bound, from each bound to the next, from the last on.
    Bands {
        /// The attribute.
        attribute: AttributeId,
        /// The least raw number of every band but the first; strictly rising.
        bounds: Vec<i64>,
        /// One name more than there are bounds.
        labels: Vec<String>,
    },
    /// By the calendar unit of a date or timestamp.
    Calendar {
        /// The attribute.
        attribute: AttributeId,
        /// Date or timestamp.
        number: NumberUnit,
        /// The unit.
        unit: CalendarUnit,
    },
    /// By each value of a multi attribute.
    Multi(AttributeId),
    /// By each user who invited.
    Inviter(AttributeId),
    /// By each of these tags that is held in a second.
    Tags {
        /// Which.
        tags: Vec<TagId>,
        /// The second, counted from 1970-01-01T00:00:00Z.
        at_s: i64,
        /// Those of them with rules, and who holds them.
        ruled: Vec<(TagId, Expr)>,
    },
    /// By the calendar unit in which events were.
    EventTime(CalendarUnit),
    /// By a property of events.
    EventProperty(AttributeId, PropertySplit),
}

/// A dim, with its column's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dim {
    /// The column's name.
    pub name: String,
    /// How it splits.
    pub kind: DimKind,
}

/// A statistic of the numbers within a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// How many they are.
    Number,
    /// How many different ones they are.
    Different,
    /// Their sum; missing where there are none.
    Sum,
    /// Their sum; zero where there are none.
    Total,
    /// Their mean.
    Average,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The nearest-rank percentile.
    Percentile(u8),
}

/// A measure of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasureKind {
    /// How many users; where events are split, how many events.
    Count,
    /// What part of all of them.
    Share,
    /// A statistic of the numbers with this index among [`DimensionQuery::measured`].
    Of(Statistic, usize, NumberUnit),
}

/// A returned measure, with its column's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// The column's name.
    pub name: String,
    /// What is computed.
    pub kind: MeasureKind,
}

/// What is known of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventNumber {
    /// That it was: each event counts one.
    One,
    /// The day, in days since 1970-01-01, in UTC.
    Day,
    /// The moment, in microseconds since 1970-01-01T00:00:00Z.
    Moment,
    /// A numeric property, for those that have it.
    Property(AttributeId),
}

/// Whose numbers are measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeasuredOf {
    /// A numeric attribute, of each user of a group who has it.
    Attribute(AttributeId),
    /// Something of each of these events of a group, or of a group's users.
    Events(EventSelection, EventNumber),
    /// One of each user who did an event of a group.
    Users,
}

/// Numbers of which measures are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Whose.
    pub of: MeasuredOf,
    /// Whether single values must be kept, for percentiles.
    pub detail: Detail,
}

/// How much of a group's numbers is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Count, sum, least and greatest.
    Totals,
    /// How often each value occurs.
    Distribution,
}

/// A condition on a group's measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Having {
    /// The measure compared with the quantities equal to a value, from least to greatest.
    /// False where the measure is missing.
    Compare(MeasureKind, Comparison, Quantity, Quantity),
    /// The opposite.
    Not(Box<Having>),
    /// All of them.
    And(Vec<Having>),
    /// One of them at least.
    Or(Vec<Having>),
}

/// What groups are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupOrder {
    /// The dim at this index.
    Dim(usize),
    /// A measure.
    Measure(MeasureKind),
}

/// A resolved `DIMENSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionQuery {
    /// What to split by.
    pub dims: Vec<Dim>,
    /// What to return for each group.
    pub measures: Vec<Measure>,
    /// The numbers that are needed.
    pub measured: Vec<Measured>,
    /// The events that are split and counted; where there are none, users are. Measured events
    /// are then some of these.
    pub events: Option<EventSelection>,
    /// Which groups to keep.
    pub having: Option<Having>,
    /// In which order, before the order of the dims' values.
    pub order: Vec<(GroupOrder, Direction)>,
    /// How many groups to keep.
    pub top: Option<u64>,
    /// Within whom.
    pub filter: Expr,
}
