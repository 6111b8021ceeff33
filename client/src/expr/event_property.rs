//! A property of the first or the last event of a user.

use tessera_protocol::message::Datum;

use super::behaviour::{Events, Question};
use super::{Expr, Test};

/// A property of one event of a user, of which something is about to be asked.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a condition needs a test, such as `is`"]
pub struct EventProperty {
    events: Events,
    /// Which of the events: `first` or `last`.
    function: &'static str,
    property: String,
}

impl EventProperty {
    pub(super) fn new(events: Events, function: &'static str, property: String) -> Self {
        Self {
            events,
            function,
            property,
        }
    }

    /// Has this value.
    pub fn is(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::AnyOf(vec![value.into()]))
    }

    /// Has a value, and another one than this.
    pub fn is_not(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::Compare(" != ", value.into()))
    }

    /// Has one of these values.
    pub fn any_of<T: Into<Datum>>(self, values: impl IntoIterator<Item = T>) -> Expr {
        self.test(Test::AnyOf(values.into_iter().map(Into::into).collect()))
    }

    /// Has a value from `low` to `high`, both included.
    pub fn between(self, low: impl Into<Datum>, high: impl Into<Datum>) -> Expr {
        self.test(Test::Between(Some(low.into()), Some(high.into())))
    }

    /// Has this value or a greater one.
    pub fn from(self, low: impl Into<Datum>) -> Expr {
        self.test(Test::Between(Some(low.into()), None))
    }

    /// Has this value or a smaller one.
    pub fn up_to(self, high: impl Into<Datum>) -> Expr {
        self.test(Test::Between(None, Some(high.into())))
    }

    /// Has no value.
    pub fn missing(self) -> Expr {
        self.test(Test::Is(" IS MISSING"))
    }

    /// Has a value.
    pub fn present(self) -> Expr {
        self.test(Test::Is(" IS PRESENT"))
    }

    fn test(self, test: Test) -> Expr {
        self.events.leaf(Question::Property {
            function: self.function,
            property: self.property,
            test,
        })
    }
}
