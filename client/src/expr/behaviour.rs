//! What users did: events, the time they are looked at in, and what is measured of them.

use tessera_protocol::message::Datum;

use super::{Expr, Node, Test};
use crate::render::{QueryError, Writer};

/// The time a question about events looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Window(Span);

#[derive(Debug, Clone, PartialEq)]
enum Span {
    Last(u32, &'static str),
    Between(Datum, Datum),
}

impl Window {
    /// Today and the days before it, so many in all.
    pub fn days(count: u32) -> Self {
        Self(Span::Last(count, "d"))
    }

    /// So many weeks that end with today.
    pub fn weeks(count: u32) -> Self {
        Self(Span::Last(count, "w"))
    }

    /// From the day after the same day so many months ago up to today.
    pub fn months(count: u32) -> Self {
        Self(Span::Last(count, "mo"))
    }

    /// From the day after the same day so many years ago up to today.
    pub fn years(count: u32) -> Self {
        Self(Span::Last(count, "y"))
    }

    /// The last hours up to now, exactly.
    pub fn hours(count: u32) -> Self {
        Self(Span::Last(count, "h"))
    }

    /// Whole days, both included.
    pub fn between(first: impl Into<Datum>, last: impl Into<Datum>) -> Self {
        Self(Span::Between(first.into(), last.into()))
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        match &self.0 {
            Span::Last(0, _) => Err(QueryError::Empty("a window")),
            Span::Last(count, unit) => {
                writer.number(u64::from(*count));
                writer.words(unit);
                Ok(())
            }
            Span::Between(first, last) => {
                writer.value(first)?;
                writer.words("..");
                writer.value(last)
            }
        }
    }
}

/// Begins a question about events of this name.
///
/// ```
/// use tessera_client::expr::{Window, attribute, event};
///
/// let shoes = event("purchase").matching(attribute("category").is("shoes"));
/// let often = shoes.within(Window::days(90)).count().from(2);
/// assert_eq!(
///     often.to_text()?.0,
///     r#"count("purchase"["category":$1], 90d):$2.."#
/// );
/// # Ok::<(), tessera_client::QueryError>(())
/// ```
pub fn event(name: impl Into<String>) -> Events {
    Events {
        name: name.into(),
        filter: None,
        window: None,
    }
}

/// Events of which something is about to be asked.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "events need a question, such as `happened`"]
pub struct Events {
    name: String,
    filter: Option<Box<Expr>>,
    window: Option<Window>,
}

impl Events {
    /// Only those of which the condition holds: tests of attributes stand for properties, joined
    /// by and, or and not.
    pub fn matching(mut self, filter: Expr) -> Self {
        self.filter = Some(Box::new(match self.filter {
            Some(before) => before.and(filter),
            None => filter,
        }));
        self
    }

    /// Only those of this time.
    pub fn within(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// Did so at least once.
    pub fn happened(self) -> Expr {
        self.leaf(Question::Happened)
    }

    /// How often.
    pub fn count(self) -> EventMeasure {
        self.measure("count", None)
    }

    /// On how many days.
    pub fn days(self) -> EventMeasure {
        self.measure("days", None)
    }

    /// When the first was.
    pub fn first(self) -> EventMeasure {
        self.measure("first", None)
    }

    /// When the last was.
    pub fn last(self) -> EventMeasure {
        self.measure("last", None)
    }

    /// The sum of a property.
    pub fn sum(self, property: impl Into<String>) -> EventMeasure {
        self.measure("sum", Some(property.into()))
    }

    /// The mean of a property.
    pub fn average(self, property: impl Into<String>) -> EventMeasure {
        self.measure("avg", Some(property.into()))
    }

    /// The least value of a property.
    pub fn least(self, property: impl Into<String>) -> EventMeasure {
        self.measure("min", Some(property.into()))
    }

    /// The greatest value of a property.
    pub fn greatest(self, property: impl Into<String>) -> EventMeasure {
        self.measure("max", Some(property.into()))
    }

    /// The most frequent value of a property is this one.
    pub fn mostly(self, property: impl Into<String>, value: impl Into<Datum>) -> Expr {
        let test = Test::AnyOf(vec![value.into()]);
        self.measure("top", Some(property.into())).test(test)
    }

    fn measure(self, function: &'static str, property: Option<String>) -> EventMeasure {
        EventMeasure {
            events: self,
            function,
            property,
        }
    }

    fn leaf(self, question: Question) -> Expr {
        let filter_node = self.filter.as_ref().map(|filter| &filter.node);
        if let Some(Err(error)) = filter_node {
            return Expr::failed(*error);
        }
        if self
            .filter
            .as_ref()
            .is_some_and(|filter| !is_of_attributes(filter))
        {
            return Expr::failed(QueryError::Property);
        }
        let filter_depth = self.filter.as_ref().map_or(0, |filter| filter.depth);
        if filter_depth >= super::DEPTH_MAX {
            return Expr::failed(QueryError::TooDeep(super::DEPTH_MAX));
        }
        Expr {
            node: Ok(Node::Behaviour(Box::new(Behaviour {
                events: self,
                question,
            }))),
            depth: filter_depth + 1,
        }
    }

    /// `"purchase"["category":$1]`
    fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        writer.named(&self.name)?;
        match &self.filter {
            Some(filter) => {
                writer.words("[");
                filter.write(writer)?;
                writer.words("]");
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// A number or a moment of a user's events, about to be compared.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a measure needs a test, such as `from`"]
pub struct EventMeasure {
    events: Events,
    function: &'static str,
    property: Option<String>,
}

impl EventMeasure {
    /// Is this.
    pub fn is(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::Compare(" = ", value.into()))
    }

    /// From `low` to `high`, both included.
    pub fn between(self, low: impl Into<Datum>, high: impl Into<Datum>) -> Expr {
        self.test(Test::Between(Some(low.into()), Some(high.into())))
    }

    /// This or greater.
    pub fn from(self, low: impl Into<Datum>) -> Expr {
        self.test(Test::Between(Some(low.into()), None))
    }

    /// This or smaller.
    pub fn up_to(self, high: impl Into<Datum>) -> Expr {
        self.test(Test::Between(None, Some(high.into())))
    }

    /// Greater than this.
    pub fn above(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::Compare(" > ", value.into()))
    }

    /// Smaller than this.
    pub fn below(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::Compare(" < ", value.into()))
    }

    fn test(self, test: Test) -> Expr {
        self.events.leaf(Question::Measure {
            function: self.function,
            property: self.property,
            test,
        })
    }
}

/// What is asked of events.
#[derive(Debug, Clone, PartialEq)]
enum Question {
    Happened,
    Measure {
        function: &'static str,
        property: Option<String>,
        test: Test,
    },
}

/// A question about events, whole.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Behaviour {
    events: Events,
    question: Question,
}

impl Behaviour {
    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        match &self.question {
            Question::Happened => self.write_happened(writer),
            Question::Measure {
                function,
                property,
                test,
            } => {
                writer.words(function);
                writer.words("(");
                self.events.write(writer)?;
                if let Some(property) = property {
                    writer.words(".");
                    writer.named(property)?;
                }
                if let Some(window) = &self.events.window {
                    writer.words(", ");
                    window.write(writer)?;
                }
                writer.words(")");
                test.write(writer)
            }
        }
    }

    /// `did:"purchase"["category":$1, 30d]`
    fn write_happened(&self, writer: &mut Writer) -> Result<(), QueryError> {
        writer.words("did:");
        writer.named(&self.events.name)?;
        let (filter, window) = (&self.events.filter, &self.events.window);
        if filter.is_none() && window.is_none() {
            return Ok(());
        }
        writer.words("[");
        if let Some(filter) = filter {
            filter.write(writer)?;
        }
        if filter.is_some() && window.is_some() {
            writer.words(", ");
        }
        if let Some(window) = window {
            window.write(writer)?;
        }
        writer.words("]");
        Ok(())
    }
}

/// Whether an expression asks of nothing but attributes.
fn is_of_attributes(expr: &Expr) -> bool {
    match &expr.node {
        Ok(Node::Attribute(..)) | Err(_) => true,
        Ok(Node::Not(inner)) => is_of_attributes(inner),
        Ok(Node::And(of) | Node::Or(of)) => of.iter().all(is_of_attributes),
        Ok(
            Node::All
            | Node::Tags(_)
            | Node::Held(..)
            | Node::Lapsed(..)
            | Node::Behaviour(_)
            | Node::Invited(_)
            | Node::Referral { .. }
            | Node::Group(..)
            | Node::Segments(_)
            | Node::Users(_)
            | Node::AtLeast(..),
        ) => false,
    }
}
