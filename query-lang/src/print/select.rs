//! The statements that ask, and `SHOW`.

use std::fmt::{Display, Formatter, Result};

use super::{NameIn, Quoted, behaviour, clause, separated};
use crate::ast::{
    CalendarUnit, Dim, Dimension, DimensionOrder, Direction, Expr, Field, Measure, Sample, Segment,
    Show, ShowList,
};
use crate::keywords::Place;

impl Display for Direction {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        })
    }
}

/// Writes something to order by; ascending is what not writing it means.
fn directed(f: &mut Formatter<'_>, item: &impl Display, direction: Direction) -> Result {
    item.fmt(f)?;
    match direction {
        Direction::Ascending => Ok(()),
        Direction::Descending => write!(f, " {direction}"),
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Key => f.write_str("KEY"),
            Self::Tags => f.write_str("TAGS"),
            Self::Attribute(name) => NameIn(Place::Field, name.as_str()).fmt(f),
        }
    }
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}%", self.percent)?;
        clause(f, "SEED", (self.seed != 0).then_some(self.seed))
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "SEGMENT {}", self.filter)?;
        if !self.returns.is_empty() {
            f.write_str(" RETURN ")?;
            separated(f, &self.returns, ", ", |f, field| field.node.fmt(f))?;
        }
        if !self.order.is_empty() {
            f.write_str(" ORDER BY ")?;
            separated(f, &self.order, ", ", |f, (field, direction)| {
                directed(f, &field.node, *direction)
            })?;
        }
        clause(f, "SAMPLE", self.sample)?;
        clause(f, "LIMIT", self.limit.as_ref().map(|limit| limit.node))
    }
}

impl Display for CalendarUnit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        })
    }
}

impl Display for Dim {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Attribute(name) => NameIn(Place::Dim, name.node.as_str()).fmt(f),
            Self::Bands { attribute, bounds } => {
                write!(f, "{}[", NameIn(Place::Dim, attribute.node.as_str()))?;
                separated(f, bounds, ", ", |f, bound| bound.node.fmt(f))?;
                f.write_str("]")
            }
            Self::Calendar { attribute, unit } => {
                write!(
                    f,
                    "{} BY {unit}",
                    NameIn(Place::Dim, attribute.node.as_str())
                )
            }
            Self::Tags(patterns) if patterns.is_empty() => f.write_str("tag"),
            Self::Tags(patterns) => {
                f.write_str("tag:")?;
                super::one_or_paren_list(f, patterns, |f, pattern| pattern.node.fmt(f))
            }
            Self::Group(name) => write!(f, "group:{}", name.node),
            Self::Events { events, by } => behaviour::event_dim(f, events, by),
        }
    }
}

impl Display for Measure {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (function, attribute) = match self {
            Self::Count => return f.write_str("count"),
            Self::Share => return f.write_str("share"),
            Self::Users => return f.write_str("users"),
            Self::Events(measure) => return behaviour::Unmistakable(measure).fmt(f),
            Self::Sum(attribute) => ("sum", attribute),
            Self::Average(attribute) => ("avg", attribute),
            Self::Min(attribute) => ("min", attribute),
            Self::Max(attribute) => ("max", attribute),
            Self::Percentile(percent, attribute) => {
                write!(f, "p{percent}")?;
                ("", attribute)
            }
        };
        write!(
            f,
            "{function}({})",
            NameIn(Place::Plain, attribute.node.as_str())
        )
    }
}

impl Display for DimensionOrder {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Dim(name) => match name.node.as_str().strip_prefix("group:") {
                Some(group) if !group.is_empty() => {
                    write!(f, "group:{}", NameIn(Place::Plain, group))
                }
                Some(_) | None => NameIn(Place::DimOrder, name.node.as_str()).fmt(f),
            },
            Self::Measure(measure) => measure.node.fmt(f),
        }
    }
}

impl Display for Dimension {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("DIMENSION ")?;
        separated(f, &self.dims, ", ", |f, dim| dim.fmt(f))?;
        behaviour::after_comma(f, self.window.as_ref())?;
        if !self.measures.is_empty() {
            f.write_str(" MEASURE ")?;
            separated(f, &self.measures, ", ", |f, measure| measure.node.fmt(f))?;
        }
        clause(f, "HAVING", self.having.as_ref())?;
        if !self.order.is_empty() {
            f.write_str(" ORDER BY ")?;
            separated(f, &self.order, ", ", |f, (order, direction)| {
                directed(f, order, *direction)
            })?;
        }
        clause(f, "TOP", self.top.as_ref().map(|top| top.node))?;
        clause(
            f,
            "WHERE",
            (self.filter != Expr::All).then_some(&self.filter),
        )
    }
}

impl Display for Show {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Tags(list) => write!(f, "SHOW TAGS{list}"),
            Self::Groups(list) => write!(f, "SHOW GROUPS{list}"),
            Self::Attributes(list) => write!(f, "SHOW ATTRIBUTES{list}"),
            Self::Segments(list) => write!(f, "SHOW SEGMENTS{list}"),
            Self::Events(list) => write!(f, "SHOW EVENTS{list}"),
            Self::Forms(list) => write!(f, "SHOW FORMS{list}"),
            Self::Values(attribute, list) => {
                write!(
                    f,
                    "SHOW VALUES OF {}{list}",
                    NameIn(Place::Plain, attribute.node.as_str())
                )
            }
            Self::Status => f.write_str("SHOW STATUS"),
        }
    }
}

/// With a space before each of its clauses.
impl Display for ShowList {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        clause(
            f,
            "LIKE",
            self.like.as_ref().map(|like| Quoted(like.as_str())),
        )?;
        clause(f, "LIMIT", self.limit)
    }
}
