//! Behaviour: what users did, and how it is measured.

use super::{
    AttributeTest, AttributeType, CalendarUnit, NameRef, Notes, Period, RangeTest, Spanned, Value,
    Window,
};
use crate::name::Name;

/// A condition on the properties of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyExpr {
    /// `category:shoes`, `amount >= 10`
    Test {
        /// The property.
        name: Spanned<Name>,
        /// What is asked of it.
        test: AttributeTest,
    },
    /// `NOT x`
    Not(Box<PropertyExpr>),
    /// Two operands or more, none of them an `And`.
    And(Vec<PropertyExpr>),
    /// Two operands or more, none of them an `Or`.
    Or(Vec<PropertyExpr>),
}

/// Events of one name: `purchase`, `purchase[category:shoes AND amount >= 10]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// The event.
    pub name: Spanned<NameRef>,
    /// Which of them; all when not written.
    pub filter: Option<PropertyExpr>,
}

/// What is made of a user's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Figure {
    /// `count`: how many.
    Count,
    /// `days`: on how many days in UTC.
    Days,
    /// `sum(purchase.amount)`
    Sum(Spanned<Name>),
    /// `avg(purchase.amount)`
    Average(Spanned<Name>),
    /// `min(purchase.amount)`
    Min(Spanned<Name>),
    /// `max(purchase.amount)`
    Max(Spanned<Name>),
    /// `first(purchase)`: when the first was.
    First,
    /// `last(purchase)`: when the last was.
    Last,
}

/// A number or a moment made of a user's events: `sum(purchase[category:shoes].amount, 90d)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMeasure {
    /// What is made of them.
    pub figure: Figure,
    /// Of which events.
    pub events: Events,
    /// Of which time; of all time when not written.
    pub window: Option<Spanned<Window>>,
}

/// One of the two ends of a user's events, in the order of their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// `first(purchase)`
    First,
    /// `last(purchase)`
    Last,
}

/// Who, by what they did. Without a window all time is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// `did:purchase`, `did:(a, b)[category:shoes, 30d]`: any of them at least once.
    Did {
        /// Any of these events.
        names: Vec<Spanned<NameRef>>,
        /// Which of them.
        filter: Option<PropertyExpr>,
        /// When.
        window: Option<Spanned<Window>>,
    },
    /// `count(purchase, 30d) >= 3`, `last(purchase) < now-60d`
    Measure {
        /// What is measured.
        measure: EventMeasure,
        /// What is asked of it.
        test: RangeTest,
    },
    /// `last(purchase).channel:ads`
    Edge {
        /// Which event.
        edge: Edge,
        /// Of which events.
        events: Events,
        /// When.
        window: Option<Spanned<Window>>,
        /// The property of that event.
        property: Spanned<Name>,
        /// What is asked of it.
        test: AttributeTest,
    },
    /// `top(purchase.category, 90d):shoes`: the value that is most frequent of the user's.
    Top {
        /// Of which events.
        events: Events,
        /// The property.
        property: Spanned<Name>,
        /// When.
        window: Option<Spanned<Window>>,
        /// Any of these values.
        values: Vec<Spanned<Value>>,
    },
    /// `sequence(view -> cart -> purchase, within 1d, 30d)`: in this order.
    Sequence {
        /// Two events or more.
        steps: Vec<Events>,
        /// From the first to the last of them, at most.
        within: Option<Spanned<Period>>,
        /// When.
        window: Option<Spanned<Window>>,
    },
}

/// What a `DIMENSION` splits events by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSplit {
    /// `did:purchase BY day`: by when they were.
    Calendar(CalendarUnit),
    /// `did:purchase.category`: by a property.
    Property(Spanned<Name>),
}

/// A property of an event: `amount DECIMAL(2)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: Spanned<Name>,
    /// Its type.
    pub property_type: AttributeType,
}

/// `DEFINE EVENT purchase (amount DECIMAL(2), category ENUM) [RETENTION 2y] …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefineEvent {
    /// The new event.
    pub name: Spanned<Name>,
    /// Its properties, of different names.
    pub properties: Vec<Property>,
    /// How long events are kept; for ever when not written.
    pub retention: Option<Spanned<Period>>,
    /// Description and owner.
    pub notes: Notes,
}

/// `ALTER EVENT purchase [ADD PROPERTIES (note TEXT)] [RETENTION 2y | NO RETENTION] …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterEvent {
    /// Which event.
    pub name: Spanned<Name>,
    /// More properties, of different names.
    pub add_properties: Vec<Property>,
    /// Another retention.
    pub retention: Option<RetentionChange>,
    /// Description and owner.
    pub notes: Notes,
}

/// How long events are to be kept from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionChange {
    /// `RETENTION 2y`
    Keep(Spanned<Period>),
    /// `NO RETENTION`: for ever.
    Forever,
}

/// `TRACK "u1" purchase [AT t] [ID "e-1"] [WITH amount = 12.50, category = shoes]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Who; a key that is new becomes a user.
    pub user: Spanned<Value>,
    /// Did what.
    pub event: Spanned<NameRef>,
    /// When; the moment of the statement if not written.
    pub at: Option<Spanned<Value>>,
    /// The same id again changes nothing.
    pub id: Option<Spanned<Value>>,
    /// Properties of different names and their values.
    pub properties: Vec<(Spanned<Name>, Spanned<Value>)>,
}
