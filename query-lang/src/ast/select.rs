//! The statements that ask: `SEGMENT`, `DIMENSION`, `SHOW`.

use super::{
    Comparison, Decimal, EventMeasure, EventSplit, Events, Expr, NameRef, Spanned, TagPattern,
    Value, Window,
};
use crate::name::{Glob, Name};

/// `ASC` or `DESC`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Least first.
    #[default]
    Ascending,
    /// Greatest first.
    Descending,
}

/// A field of a user: an attribute, or the external key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `KEY`
    Key,
    /// `TAGS`: every tag the user holds (RETURN only).
    Tags,
    /// An attribute.
    Attribute(Name),
}

/// `SAMPLE 5% SEED 7`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Above 0 and at most 100.
    pub percent: Decimal,
    /// Which sample; 0 when not written.
    pub seed: u64,
}

/// `SEGMENT expr [RETURN …] [ORDER BY …] [SAMPLE …] [LIMIT n]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Who.
    pub filter: Expr,
    /// What to return beside the key.
    pub returns: Vec<Spanned<Field>>,
    /// How to order; storage order when empty.
    pub order: Vec<(Spanned<Field>, Direction)>,
    /// A stable sample.
    pub sample: Option<Sample>,
    /// The page's length. With it the answer carries a cursor when there is more.
    pub limit: Option<Spanned<u64>>,
}

/// A calendar unit to group dates and timestamps by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// `BY day`
    Day,
    /// `BY week`: ISO weeks, named by their Monday.
    Week,
    /// `BY month`
    Month,
    /// `BY quarter`
    Quarter,
    /// `BY year`
    Year,
}

/// What to split by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// `gender`
    Attribute(Spanned<Name>),
    /// `age[18,25,35]`: bands below 18, 18 up to 25, …, 35 and above.
    Bands {
        /// A number.
        attribute: Spanned<Name>,
        /// Strictly rising lower bounds.
        bounds: Vec<Spanned<Value>>,
    },
    /// `signup BY month`
    Calendar {
        /// A date or a timestamp.
        attribute: Spanned<Name>,
        /// The unit.
        unit: CalendarUnit,
    },
    /// `tag`, `tag:promo-*`, `tag:(a, b)`: by each tag held. Empty: every tag.
    Tags(Vec<Spanned<TagPattern>>),
    /// `group:lifecycle`: by each tag of the group.
    Group(Spanned<NameRef>),
    /// `did:purchase BY day`, `did:purchase.category`, `purchase[channel:ads] BY day`: events,
    /// and not users. What is written as an attribute (`purchase BY day`, `purchase.category`)
    /// is a [`Dim::Calendar`] or a [`Dim::Attribute`], and an event if there is no such
    /// attribute: see [`event_property`].
    Events {
        /// Which events.
        events: Events,
        /// By what.
        by: EventSplit,
    },
}

/// A name such as `purchase.category` taken apart at its first dot: where an attribute may stand
/// as well as a property of an event, the syntax cannot tell the two apart.
///
/// ```
/// use tessera_query_lang::{ast::event_property, name::Name};
/// let name = Name::new("purchase.category")?;
/// let (event, property) = event_property(&name).ok_or("not two names")?;
/// assert_eq!((event.as_str(), property.as_str()), ("purchase", "category"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn event_property(name: &Name) -> Option<(Name, Name)> {
    let (event, property) = name.as_str().split_once('.')?;
    Some((Name::new(event).ok()?, Name::new(property).ok()?))
}

/// What to compute for each group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// `count`
    Count,
    /// `share`: of the segment, 0 to 1.
    Share,
    /// `sum(f)`
    Sum(Spanned<Name>),
    /// `avg(f)`
    Average(Spanned<Name>),
    /// `min(f)`
    Min(Spanned<Name>),
    /// `max(f)`
    Max(Spanned<Name>),
    /// `p50(f)`: the nearest-rank percentile, 0 to 100.
    Percentile(u8, Spanned<Name>),
    /// `users`: how many users, where events are counted.
    Users,
    /// `count(purchase, 90d)`, `sum(purchase[channel:ads].amount)`: of events. What is written
    /// as of an attribute (`sum(purchase.amount)`) is a [`Measure::Sum`] and its like, and of
    /// events if there is no such attribute: see [`event_property`].
    Events(Box<EventMeasure>),
}

/// A condition on a group's measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Having {
    /// `count >= 10`
    Compare(Spanned<Measure>, Comparison, Spanned<Value>),
    /// `NOT x`
    Not(Box<Having>),
    /// Two operands or more, none of them an `And`.
    And(Vec<Having>),
    /// Two operands or more, none of them an `Or`.
    Or(Vec<Having>),
}

/// What to order groups by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DimensionOrder {
    /// One of the dims, by the name its attribute, `tag` or `group:x` has.
    Dim(Spanned<Name>),
    /// A measure; it need not be among the returned ones.
    Measure(Spanned<Measure>),
}

/// `DIMENSION dim, … [, window] [MEASURE …] [HAVING …] [ORDER BY …] [TOP n] [WHERE expr]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// What to split by: at least one.
    pub dims: Vec<Dim>,
    /// `, 90d` after the dims: of events in this time only.
    pub window: Option<Spanned<Window>>,
    /// What to compute; count and share when empty.
    pub measures: Vec<Spanned<Measure>>,
    /// Which groups to keep.
    pub having: Option<Having>,
    /// How to order. Empty: by count, greatest first, for names; in natural order for
    /// bands, dates, and more than one dim. Ties are ordered by the dims' values.
    pub order: Vec<(DimensionOrder, Direction)>,
    /// How many groups to keep, after ordering.
    pub top: Option<Spanned<u64>>,
    /// Within whom; `ALL` when not written.
    pub filter: Expr,
}

/// A definition to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// `SHOW TAGS [LIKE "promo-*"] [LIMIT n]`
    Tags(ShowList),
    /// `SHOW GROUPS [LIKE …] [LIMIT n]`
    Groups(ShowList),
    /// `SHOW ATTRIBUTES [LIKE …] [LIMIT n]`
    Attributes(ShowList),
    /// `SHOW SEGMENTS [LIKE …] [LIMIT n]`
    Segments(ShowList),
    /// `SHOW EVENTS [LIKE …] [LIMIT n]`
    Events(ShowList),
    /// `SHOW FORMS [LIKE …] [LIMIT n]`
    Forms(ShowList),
    /// `SHOW VALUES OF city [LIKE "p*"] [LIMIT n]`
    Values(Spanned<Name>, ShowList),
    /// `SHOW STATUS`
    Status,
}

/// The tail of a `SHOW` statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShowList {
    /// Keep names that match.
    pub like: Option<Glob>,
    /// Keep the first so many, by name.
    pub limit: Option<u64>,
}
