//! What users did: events, the time they are looked at in, and what is measured of them.

use tessera_protocol::message::Datum;

use super::{EventProperty, Expr, Node, Test};
use crate::render::{QueryError, Writer};

/// The time a question about events looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Window(Span);

#[derive(Debug, Clone, PartialEq)]
enum Span {
    Last(u32, &'static str),
    /// At least one of the two.
    Between(Option<Datum>, Option<Datum>),
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

    /// The last minutes up to now, exactly.
    pub fn minutes(count: u32) -> Self {
        Self(Span::Last(count, "m"))
    }

    /// Whole days, both included.
    pub fn between(first: impl Into<Datum>, last: impl Into<Datum>) -> Self {
        Self(Span::Between(Some(first.into()), Some(last.into())))
    }

    /// From a day on.
    pub fn since(first: impl Into<Datum>) -> Self {
        Self(Span::Between(Some(first.into()), None))
    }

    /// Up to a day, which is included.
    pub fn up_to(last: impl Into<Datum>) -> Self {
        Self(Span::Between(None, Some(last.into())))
    }

    pub(crate) fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        match &self.0 {
            Span::Last(0, _) => Err(QueryError::Empty("a window")),
            Span::Last(count, unit) => {
                writer.number(u64::from(*count));
                writer.words(unit);
                Ok(())
            }
            Span::Between(first, last) => {
                first.as_ref().map_or(Ok(()), |first| writer.value(first))?;
                writer.words("..");
                last.as_ref().map_or(Ok(()), |last| writer.value(last))
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
        self.mostly_any(property, [value])
    }

    /// The most frequent value of a property is one of these.
    pub fn mostly_any<T: Into<Datum>>(
        self,
        property: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Expr {
        let test = Test::AnyOf(values.into_iter().map(Into::into).collect());
        self.measure("top", Some(property.into())).test(test)
    }

    /// Begins a question about a property of the first of them.
    ///
    /// ```
    /// use tessera_client::expr::event;
    ///
    /// let found_us = event("visit").of_first("channel").is("ads");
    /// assert_eq!(found_us.to_text()?.0, r#"first("visit")."channel":$1"#);
    /// # Ok::<(), tessera_client::QueryError>(())
    /// ```
    pub fn of_first(self, property: impl Into<String>) -> EventProperty {
        EventProperty::new(self, "first", property.into())
    }

    /// Begins a question about a property of the last of them.
    pub fn of_last(self, property: impl Into<String>) -> EventProperty {
        EventProperty::new(self, "last", property.into())
    }

    fn measure(self, function: &'static str, property: Option<String>) -> EventMeasure {
        EventMeasure {
            events: self,
            function,
            property,
        }
    }

    pub(super) fn leaf(self, question: Question) -> Expr {
        match self.filter_depth() {
            Ok(depth) => Expr {
                node: Ok(Node::Behaviour(Box::new(Behaviour {
                    events: self,
                    question,
                }))),
                depth: depth + 1,
            },
            Err(error) => Expr::failed(error),
        }
    }

    /// How deep the condition is, which asks of properties alone; 0 if there is none.
    pub(super) fn filter_depth(&self) -> Result<usize, QueryError> {
        let Some(filter) = &self.filter else {
            return Ok(0);
        };
        filter.node.as_ref().map_err(|error| *error)?;
        if !is_of_attributes(filter) {
            return Err(QueryError::Property);
        }
        if filter.depth >= super::DEPTH_MAX {
            return Err(QueryError::TooDeep(super::DEPTH_MAX));
        }
        Ok(filter.depth)
    }

    /// Writes them where the window is that of the whole: in a sequence, in a dimension.
    pub(crate) fn write_without_window(&self, writer: &mut Writer) -> Result<(), QueryError> {
        self.filter_depth()?;
        if self.window.is_some() {
            return Err(QueryError::Window);
        }
        self.write(writer)
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

    /// `sum("purchase"."amount", 90d)`
    fn write_call(
        &self,
        function: &str,
        property: Option<&str>,
        writer: &mut Writer,
    ) -> Result<(), QueryError> {
        writer.words(function);
        writer.words("(");
        self.write(writer)?;
        if let Some(property) = property {
            writer.words(".");
            writer.name(property);
        }
        if let Some(window) = &self.window {
            writer.words(", ");
            window.write(writer)?;
        }
        writer.words(")");
        Ok(())
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

    /// Writes `sum("purchase"."amount", 90d)`, as a dimension measures it.
    pub(crate) fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        self.events.filter_depth()?;
        self.events
            .write_call(self.function, self.property.as_deref(), writer)
    }
}

/// What is asked of events.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question {
    /// Did so at least once.
    Happened,
    /// What a function says of them.
    Measure {
        function: &'static str,
        property: Option<String>,
        test: Test,
    },
    /// What a property is of the one that a function chooses.
    Property {
        function: &'static str,
        property: String,
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
                self.events
                    .write_call(function, property.as_deref(), writer)?;
                test.write(writer)
            }
            Question::Property {
                function,
                property,
                test,
            } => {
                self.events.write_call(function, None, writer)?;
                writer.words(".");
                writer.name(property);
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
            | Node::Sequence(_)
            | Node::Invited(_)
            | Node::Referral { .. }
            | Node::Group(..)
            | Node::Segments(_)
            | Node::Users(_)
            | Node::AtLeast(..),
        ) => false,
    }
}
