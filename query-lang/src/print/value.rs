//! Values and what stands for them.

use std::fmt::{Display, Formatter, Result};

use super::{NameIn, Quoted};
use crate::ast::{
    Comparison, Decimal, NameRef, Parameter, RelativeTime, TagPattern, TimeAnchor, TimeUnit, Value,
};
use crate::keywords::Place;
use crate::lexer::{is_bare_pattern, is_bare_word};
use crate::parser::is_special_value;

impl Display for Decimal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        if scale == 0 {
            return write!(f, "{}", self.units);
        }
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

impl Display for TimeUnit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
            Self::Month => "mo",
            Self::Year => "y",
        })
    }
}

impl Display for RelativeTime {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self.anchor {
            TimeAnchor::Now => "now",
            TimeAnchor::Today => "today",
        })?;
        match self.amount {
            0 => Ok(()),
            amount => write!(f, "{amount:+}{}", self.unit),
        }
    }
}

impl Display for Parameter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Position(position) => write!(f, "${position}"),
            Self::Name(name) => write!(f, "${}", NameIn(Place::Plain, name.as_str())),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) if is_bare_word(text) && !is_special_value(text) => f.write_str(text),
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal(decimal) => decimal.fmt(f),
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Date(date) => date.fmt(f),
            Self::Timestamp(timestamp) => timestamp.fmt(f),
            Self::Relative(time) => time.fmt(f),
            Self::Parameter(parameter) => parameter.fmt(f),
        }
    }
}

/// A user's key or a cursor: always in quotes, as a reader expects it.
pub(super) struct Key<'a>(pub(super) &'a Value);

impl Display for Key<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Value::Text(text) = self.0 {
            Quoted(text).fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

impl Display for TagPattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Name(name) => NameIn(Place::Tag, name.as_str()).fmt(f),
            Self::Glob(glob) if is_bare_pattern(glob.as_str()) => f.write_str(glob.as_str()),
            Self::Glob(glob) => write!(f, "LIKE {}", Quoted(glob.as_str())),
            Self::Parameter(parameter) => parameter.fmt(f),
        }
    }
}

impl Display for NameRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Name(name) => NameIn(Place::Plain, name.as_str()).fmt(f),
            Self::Parameter(parameter) => parameter.fmt(f),
        }
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}
