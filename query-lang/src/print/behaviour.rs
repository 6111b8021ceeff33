//! Behaviour: events, what is measured of them, and their definitions.

use std::fmt::{Display, Formatter, Result};

use super::value::Key;
use super::{NameIn, Quoted, clause, one_or_paren_list, separated};
use crate::ast::{
    AlterEvent, Behaviour, Edge, EventMeasure, EventSplit, Events, Figure, NameRef, Parameter,
    Period, Property, PropertyExpr, RetentionChange, Spanned, Track, Window,
};
use crate::keywords::Place;
use crate::lexer::is_bare_word;
use crate::name::Name;

impl Display for Period {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}{}", self.amount, self.unit)
    }
}

impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Last(period) => period.fmt(f),
            Self::Between { first, last } => super::expr::range(f, first.as_ref(), last.as_ref()),
        }
    }
}

impl Display for Events {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.name.node.fmt(f)?;
        match &self.filter {
            Some(filter) => write!(f, "[{filter}]"),
            None => Ok(()),
        }
    }
}

/// `[filter, window]`, `[window]`, or nothing.
fn qualifier(
    f: &mut Formatter<'_>,
    filter: Option<&PropertyExpr>,
    window: Option<&Spanned<Window>>,
) -> Result {
    match (filter, window) {
        (None, None) => Ok(()),
        (Some(filter), None) => write!(f, "[{filter}]"),
        (None, Some(window)) => write!(f, "[{}]", window.node),
        (Some(filter), Some(window)) => write!(f, "[{filter}, {}]", window.node),
    }
}

/// `, 30d`
pub(super) fn after_comma(f: &mut Formatter<'_>, window: Option<&Spanned<Window>>) -> Result {
    match window {
        Some(window) => write!(f, ", {}", window.node),
        None => Ok(()),
    }
}

/// Whether the name of an event must be in quotes though it could be bare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As short as can be.
    Short,
    /// Where the short form would be an attribute of such a name.
    Explicit,
}

/// A property of events: `purchase.amount`, `purchase[channel:ads].amount`.
struct Path<'a>(&'a Events, &'a Spanned<Name>, Style);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self(events, property, style) = self;
        let property = property.node.as_str();
        match &events.name.node {
            _ if events.filter.is_some() => events.fmt(f)?,
            NameRef::Name(event) => {
                let whole = format!("{event}.{property}");
                let is_short = *style == Style::Short
                    && !event.as_str().contains('.')
                    && is_bare_word(event.as_str())
                    && is_bare_word(property)
                    && is_bare_word(&whole);
                if is_short {
                    return f.write_str(&whole);
                }
                Quoted(event.as_str()).fmt(f)?;
            }
            // A dot would belong to the parameter's name.
            NameRef::Parameter(Parameter::Name(name)) => {
                write!(f, "${}", Quoted(name.as_str()))?;
            }
            NameRef::Parameter(parameter @ Parameter::Position(_)) => parameter.fmt(f)?,
        }
        write!(f, ".{}", NameIn(Place::Plain, property))
    }
}

/// `purchase.note`, of a form's field.
pub(super) fn event_path(
    f: &mut Formatter<'_>,
    event: &Spanned<Name>,
    property: &Spanned<Name>,
) -> Result {
    let name = Spanned::new(NameRef::Name(event.node.clone()), event.span);
    let events = Events { name, filter: None };
    Path(&events, property, Style::Short).fmt(f)
}

/// Events that are counted: `count(invited)` means something else.
struct Counted<'a>(&'a Events);

impl Display for Counted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (&self.0.name.node, &self.0.filter) {
            (NameRef::Name(name), None) => NameIn(Place::Counted, name.as_str()).fmt(f),
            (NameRef::Name(_) | NameRef::Parameter(_), _) => self.0.fmt(f),
        }
    }
}

fn measure(f: &mut Formatter<'_>, measure: &EventMeasure, style: Style) -> Result {
    let events = &measure.events;
    let style = if events.filter.is_none() && measure.window.is_none() {
        style
    } else {
        Style::Short
    };
    match &measure.figure {
        Figure::Count => write!(f, "count({}", Counted(events))?,
        Figure::Days => write!(f, "days({events}")?,
        Figure::First => write!(f, "first({events}")?,
        Figure::Last => write!(f, "last({events}")?,
        Figure::Sum(property) => write!(f, "sum({}", Path(events, property, style))?,
        Figure::Average(property) => write!(f, "avg({}", Path(events, property, style))?,
        Figure::Min(property) => write!(f, "min({}", Path(events, property, style))?,
        Figure::Max(property) => write!(f, "max({}", Path(events, property, style))?,
    }
    after_comma(f, measure.window.as_ref())?;
    f.write_str(")")
}

impl Display for EventMeasure {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        measure(f, self, Style::Short)
    }
}

/// A measure of events where one of an attribute could stand.
pub(super) struct Unmistakable<'a>(pub(super) &'a EventMeasure);

impl Display for Unmistakable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        measure(f, self.0, Style::Explicit)
    }
}

/// `did:purchase BY day`, `did:purchase.category`
pub(super) fn event_dim(f: &mut Formatter<'_>, events: &Events, by: &EventSplit) -> Result {
    f.write_str("did:")?;
    match by {
        EventSplit::Calendar(unit) => write!(f, "{events} BY {unit}"),
        EventSplit::Property(property) => Path(events, property, Style::Short).fmt(f),
    }
}

impl Display for Edge {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Last => "last",
        })
    }
}

impl Display for Behaviour {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Did {
                names,
                filter,
                window,
            } => {
                f.write_str("did:")?;
                one_or_paren_list(f, names, |f, name| name.node.fmt(f))?;
                qualifier(f, filter.as_ref(), window.as_ref())
            }
            Self::Measure { measure, test } => write!(f, "{measure}{test}"),
            Self::Edge {
                edge,
                events,
                window,
                property,
                test,
            } => {
                write!(f, "{edge}({events}")?;
                after_comma(f, window.as_ref())?;
                let property = NameIn(Place::Plain, property.node.as_str());
                write!(f, ").{property}{test}")
            }
            Self::Top {
                events,
                property,
                window,
                values,
            } => {
                write!(f, "top({}", Path(events, property, Style::Short))?;
                after_comma(f, window.as_ref())?;
                f.write_str("):")?;
                one_or_paren_list(f, values, |f, value| value.node.fmt(f))
            }
            Self::Sequence {
                steps,
                within,
                window,
            } => {
                f.write_str("sequence(")?;
                separated(f, steps, " -> ", |f, step| step.fmt(f))?;
                if let Some(within) = within {
                    write!(f, ", within {}", within.node)?;
                }
                after_comma(f, window.as_ref())?;
                f.write_str(")")
            }
        }
    }
}

impl Display for Property {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = NameIn(Place::Plain, self.name.node.as_str());
        write!(f, "{name} {}", self.property_type)
    }
}

/// `(amount DECIMAL(2), category ENUM)`
pub(super) fn properties(f: &mut Formatter<'_>, properties: &[Property]) -> Result {
    f.write_str("(")?;
    separated(f, properties, ", ", |f, property| property.fmt(f))?;
    f.write_str(")")
}

/// From its name on.
impl Display for AlterEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", NameIn(Place::Definition, self.name.node.as_str()))?;
        if !self.add_properties.is_empty() {
            f.write_str(" ADD PROPERTIES ")?;
            properties(f, &self.add_properties)?;
        }
        match &self.retention {
            Some(RetentionChange::Keep(period)) => write!(f, " RETENTION {}", period.node)?,
            Some(RetentionChange::Forever) => f.write_str(" NO RETENTION")?,
            None => {}
        }
        self.notes.fmt(f)
    }
}

impl Display for Track {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "TRACK {} {}", Key(&self.user.node), self.event.node)?;
        clause(f, "AT", self.at.as_ref().map(|at| &at.node))?;
        clause(f, "ID", self.id.as_ref().map(|id| Key(&id.node)))?;
        if self.properties.is_empty() {
            return Ok(());
        }
        f.write_str(" WITH ")?;
        separated(f, &self.properties, ", ", |f, (name, value)| {
            let name = NameIn(Place::Plain, name.node.as_str());
            write!(f, "{name} = {}", value.node)
        })
    }
}
