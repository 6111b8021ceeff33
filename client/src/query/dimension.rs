//! How many, split by what.

use tessera_protocol::message::{Datum, Parameter};

use crate::{
    expr::{EventMeasure, Events, Expr, Window},
    render::{QueryError, Writer},
};

/// A calendar unit to group dates and timestamps by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// Days.
    Day,
    /// ISO weeks, named by their Monday.
    Week,
    /// Months.
    Month,
    /// Quarters.
    Quarter,
    /// Years.
    Year,
}

impl CalendarUnit {
    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// What to compute for each group.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// Users, or events where these are split.
    Count,
    /// Users, where events are split.
    Users,
    /// The group's part of the whole, 0 to 1.
    Share,
    /// The sum of a number attribute.
    Sum(String),
    /// Its average.
    Average(String),
    /// Its least value.
    Min(String),
    /// Its greatest value.
    Max(String),
    /// Its nearest-rank percentile, 0 to 100: 50 is the median.
    Percentile(u8, String),
    /// What the group's users did, all of it together; in the window of the query if the events
    /// have none.
    Events(EventMeasure),
}

impl Measure {
    fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        let (function, name) = match self {
            Self::Count => return write_plain("count", writer),
            Self::Users => return write_plain("users", writer),
            Self::Share => return write_plain("share", writer),
            Self::Events(measure) => return measure.write(writer),
            Self::Sum(name) => ("sum", name),
            Self::Average(name) => ("avg", name),
            Self::Min(name) => ("min", name),
            Self::Max(name) => ("max", name),
            Self::Percentile(percent, _) if *percent > 100 => return Err(QueryError::Percentile),
            Self::Percentile(percent, name) => {
                writer.words("p");
                writer.number(u64::from(*percent));
                ("", name)
            }
        };
        writer.words(function);
        writer.words("(");
        writer.name(name);
        writer.words(")");
        Ok(())
    }
}

fn write_plain(word: &str, writer: &mut Writer) -> Result<(), QueryError> {
    writer.words(word);
    Ok(())
}

/// How a measure is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    fn words(self) -> &'static str {
        match self {
            Self::Equal => " = ",
            Self::NotEqual => " != ",
            Self::Less => " < ",
            Self::LessOrEqual => " <= ",
            Self::Greater => " > ",
            Self::GreaterOrEqual => " >= ",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Dim {
    Attribute(String),
    Bands(String, Vec<Datum>),
    Calendar(String, CalendarUnit),
    EventCalendar(Events, CalendarUnit),
    EventProperty(Events, String),
    EveryTag,
    Tags(Vec<String>),
    Group(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

/// What to split users or events by, what to compute for each group, and within whom.
///
/// ```
/// use tessera_client::{CalendarUnit, DimensionQuery, Measure, expr::tag};
///
/// let query = DimensionQuery::new()
///     .by_calendar("signup", CalendarUnit::Month)
///     .by("gender")
///     .measure(Measure::Count)
///     .measure(Measure::Average("spend".to_owned()))
///     .within(tag("vip"));
/// # let _ = query;
/// ```
///
/// ```
/// use tessera_client::{CalendarUnit, DimensionQuery, Measure, expr::{Window, event}};
///
/// let query = DimensionQuery::new()
///     .by_events(event("purchase"), CalendarUnit::Week)
///     .by_property(event("purchase"), "category")
///     .during(Window::days(90))
///     .measure(Measure::Count)
///     .measure(Measure::Users)
///     .measure(Measure::Events(event("purchase").sum("amount")));
/// assert_eq!(
///     query.to_text()?.0,
///     r#"DIMENSION did:"purchase" BY week, did:"purchase"."category", 90d "#.to_owned()
///         + r#"MEASURE count, users, sum("purchase"."amount")"#
/// );
/// # Ok::<(), tessera_client::QueryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use]
pub struct DimensionQuery {
    dims: Vec<Dim>,
    window: Option<Window>,
    measures: Vec<Measure>,
    having: Vec<(Measure, Comparison, Datum)>,
    order: Vec<(Measure, Direction)>,
    top: Option<u64>,
    within: Option<Expr>,
}

impl DimensionQuery {
    /// A query that splits by nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Splits by an attribute's values.
    pub fn by(self, attribute: impl Into<String>) -> Self {
        self.dim(Dim::Attribute(attribute.into()))
    }

    /// Splits a number into bands: below the first bound, from each bound up to the next, from
    /// the last bound on.
    pub fn by_bands<T: Into<Datum>>(
        self,
        attribute: impl Into<String>,
        bounds: impl IntoIterator<Item = T>,
    ) -> Self {
        let bounds = bounds.into_iter().map(Into::into).collect();
        self.dim(Dim::Bands(attribute.into(), bounds))
    }

    /// Splits dates or timestamps by a calendar unit.
    pub fn by_calendar(self, attribute: impl Into<String>, unit: CalendarUnit) -> Self {
        self.dim(Dim::Calendar(attribute.into(), unit))
    }

    /// Splits events, and not users, by when they were. All splits of events are of the same
    /// ones; their time is that of [`Self::during`], and they have no window of their own.
    pub fn by_events(self, events: Events, unit: CalendarUnit) -> Self {
        self.dim(Dim::EventCalendar(events, unit))
    }

    /// Splits events, and not users, by the values of a property; see [`Self::by_events`].
    pub fn by_property(self, events: Events, property: impl Into<String>) -> Self {
        self.dim(Dim::EventProperty(events, property.into()))
    }

    /// Looks only at events of this time.
    pub fn during(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// Splits by each tag held; a user with three tags counts in three groups.
    pub fn by_tag(self) -> Self {
        self.dim(Dim::EveryTag)
    }

    /// Splits by the tags whose names match one of these, in which `*` stands for any characters.
    pub fn by_tags_like<T: Into<String>>(self, globs: impl IntoIterator<Item = T>) -> Self {
        self.dim(Dim::Tags(globs.into_iter().map(Into::into).collect()))
    }

    /// Splits by each tag of a group.
    pub fn by_group(self, group: impl Into<String>) -> Self {
        self.dim(Dim::Group(group.into()))
    }

    /// Computes this as well; count and share when nothing is said.
    pub fn measure(mut self, measure: Measure) -> Self {
        self.measures.push(measure);
        self
    }

    /// Keeps the groups for which this holds as well.
    pub fn having(
        mut self,
        measure: Measure,
        comparison: Comparison,
        value: impl Into<Datum>,
    ) -> Self {
        self.having.push((measure, comparison, value.into()));
        self
    }

    /// Orders by a measure, greatest first; said again, by a further one among equals.
    pub fn greatest_first(mut self, measure: Measure) -> Self {
        self.order.push((measure, Direction::Descending));
        self
    }

    /// Orders by a measure, least first; said again, by a further one among equals.
    pub fn least_first(mut self, measure: Measure) -> Self {
        self.order.push((measure, Direction::Ascending));
        self
    }

    /// Keeps the first so many groups.
    pub fn top(mut self, groups: u64) -> Self {
        self.top = Some(groups);
        self
    }

    /// Looks only at these users; at everyone when nothing is said.
    pub fn within(mut self, expr: Expr) -> Self {
        self.within = Some(expr);
        self
    }

    fn dim(mut self, dim: Dim) -> Self {
        self.dims.push(dim);
        self
    }

    /// The statement's text, and the values beside it.
    ///
    /// # Errors
    /// It splits by nothing, or a part of it cannot be written down.
    pub fn to_text(&self) -> Result<(String, Vec<Parameter>), QueryError> {
        let mut writer = Writer::default();
        writer.words("DIMENSION ");
        writer.list("a split", &self.dims, |writer, dim| dim.write(writer))?;
        if let Some(window) = &self.window {
            writer.words(", ");
            window.write(&mut writer)?;
        }
        if !self.measures.is_empty() {
            writer.words(" MEASURE ");
            writer.list("measures", &self.measures, |writer, measure| {
                measure.write(writer)
            })?;
        }
        self.write_having(&mut writer)?;
        if !self.order.is_empty() {
            writer.words(" ORDER BY ");
            writer.list("an order", &self.order, |writer, (measure, direction)| {
                measure.write(writer)?;
                writer.words(match direction {
                    Direction::Ascending => " ASC",
                    Direction::Descending => " DESC",
                });
                Ok(())
            })?;
        }
        if let Some(groups) = self.top {
            writer.words(" TOP ");
            writer.number(groups);
        }
        if let Some(within) = &self.within {
            writer.words(" WHERE ");
            within.write(&mut writer)?;
        }
        Ok(writer.finish())
    }

    fn write_having(&self, writer: &mut Writer) -> Result<(), QueryError> {
        for (position, (measure, comparison, value)) in self.having.iter().enumerate() {
            writer.words(if position == 0 { " HAVING " } else { " AND " });
            measure.write(writer)?;
            writer.words(comparison.words());
            writer.value(value)?;
        }
        Ok(())
    }
}

impl Dim {
    fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        match self {
            Self::Attribute(name) => writer.name(name),
            Self::Bands(name, bounds) => {
                writer.name(name);
                writer.words("[");
                writer.list("bands", bounds, Writer::value)?;
                writer.words("]");
            }
            Self::Calendar(name, unit) => {
                writer.name(name);
                writer.words(" BY ");
                writer.words(unit.word());
            }
            Self::EventCalendar(events, unit) => {
                writer.words("did:");
                events.write_without_window(writer)?;
                writer.words(" BY ");
                writer.words(unit.word());
            }
            Self::EventProperty(events, property) => {
                writer.words("did:");
                events.write_without_window(writer)?;
                writer.words(".");
                writer.name(property);
            }
            Self::EveryTag => writer.words("tag"),
            Self::Tags(globs) => {
                writer.words("tag:(");
                writer.list("tags", globs, |writer, glob| {
                    writer.words("LIKE ");
                    writer.named(glob)
                })?;
                writer.words(")");
            }
            Self::Group(name) => {
                writer.words("group:");
                writer.name(name);
            }
        }
        Ok(())
    }
}
