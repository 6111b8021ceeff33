//! Expressions.

use std::fmt::{Display, Formatter, Result};

use super::behaviour::after_comma;
use super::value::Key;
use super::{NameIn, one_or_paren_list, separated};
use crate::ast::{
    AttributeTest, Expr, Having, Presence, PropertyExpr, RangeTest, Spanned, TagPattern, Value,
};
use crate::keywords::Place;

/// How tightly a node binds its operands. What binds less needs parentheses inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Leaf,
}

/// A tree of operators, as far as printing needs to see it.
trait Operators: Display {
    fn binding(&self) -> Binding;
}

impl Operators for Expr {
    fn binding(&self) -> Binding {
        match self {
            Self::Or(_) => Binding::Or,
            Self::And(_) => Binding::And,
            Self::Not(_) => Binding::Not,
            Self::All
            | Self::Tag(_)
            | Self::Attribute { .. }
            | Self::Group { .. }
            | Self::Segment(_)
            | Self::Users(_)
            | Self::Held { .. }
            | Self::Lapsed { .. }
            | Self::Behaviour(_)
            | Self::Referral(_)
            | Self::AtLeast { .. } => Binding::Leaf,
        }
    }
}

impl Operators for PropertyExpr {
    fn binding(&self) -> Binding {
        match self {
            Self::Or(_) => Binding::Or,
            Self::And(_) => Binding::And,
            Self::Not(_) => Binding::Not,
            Self::Test { .. } => Binding::Leaf,
        }
    }
}

impl Operators for Having {
    fn binding(&self) -> Binding {
        match self {
            Self::Or(_) => Binding::Or,
            Self::And(_) => Binding::And,
            Self::Not(_) => Binding::Not,
            Self::Compare(..) => Binding::Leaf,
        }
    }
}

/// Writes an operand, in parentheses if it binds less than what it stands in.
fn operand(f: &mut Formatter<'_>, operand: &impl Operators, within: Binding) -> Result {
    if operand.binding() < within {
        write!(f, "({operand})")
    } else {
        operand.fmt(f)
    }
}

fn negated(f: &mut Formatter<'_>, inner: &impl Operators) -> Result {
    f.write_str("NOT ")?;
    operand(f, inner, Binding::Not)
}

fn joined(
    f: &mut Formatter<'_>,
    operands: &[impl Operators],
    word: &str,
    within: Binding,
) -> Result {
    separated(f, operands, word, |f, one| operand(f, one, within))
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::All => f.write_str("ALL"),
            Self::Tag(patterns) => tags(f, patterns),
            Self::Held {
                tags: patterns,
                tests,
            } => {
                tags(f, patterns)?;
                f.write_str("[")?;
                separated(f, tests, ", ", |f, test| test.fmt(f))?;
                f.write_str("]")
            }
            Self::Lapsed {
                tags: patterns,
                window,
            } => {
                f.write_str("lapsed(")?;
                tags(f, patterns)?;
                after_comma(f, window.as_ref())?;
                f.write_str(")")
            }
            Self::Behaviour(behaviour) => behaviour.node.fmt(f),
            Self::Referral(referral) => referral.node.fmt(f),
            Self::Attribute { name, test } => {
                write!(f, "{}{test}", NameIn(Place::Attribute, name.node.as_str()))
            }
            Self::Group { name, is } => write!(f, "group:{} {is}", name.node),
            Self::Segment(names) => {
                f.write_str("segment:")?;
                one_or_paren_list(f, names, |f, name| name.node.fmt(f))
            }
            Self::Users(keys) => {
                f.write_str("user:")?;
                one_or_paren_list(f, keys, |f, key| Key(&key.node).fmt(f))
            }
            Self::AtLeast { threshold, of } => {
                write!(f, "AT LEAST {} OF (", threshold.node)?;
                separated(f, of, ", ", |f, expr| expr.fmt(f))?;
                f.write_str(")")
            }
            Self::Not(inner) => negated(f, &**inner),
            Self::And(operands) => joined(f, operands, " AND ", Binding::And),
            Self::Or(operands) => joined(f, operands, " OR ", Binding::Or),
        }
    }
}

/// `tag:vip`, `tag:(a, b)`
fn tags(f: &mut Formatter<'_>, patterns: &[Spanned<TagPattern>]) -> Result {
    f.write_str("tag:")?;
    one_or_paren_list(f, patterns, |f, pattern| pattern.node.fmt(f))
}

impl Display for PropertyExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Test { name, test } => {
                write!(f, "{}{test}", NameIn(Place::Property, name.node.as_str()))
            }
            Self::Not(inner) => negated(f, &**inner),
            Self::And(operands) => joined(f, operands, " AND ", Binding::And),
            Self::Or(operands) => joined(f, operands, " OR ", Binding::Or),
        }
    }
}

impl Display for Having {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Compare(measure, comparison, value) => {
                write!(f, "{} {comparison} {}", measure.node, value.node)
            }
            Self::Not(inner) => negated(f, &**inner),
            Self::And(operands) => joined(f, operands, " AND ", Binding::And),
            Self::Or(operands) => joined(f, operands, " OR ", Binding::Or),
        }
    }
}

/// With what joins it to the attribute's name: `:18..34`, ` >= 18`.
impl Display for AttributeTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::AnyOf(values) => {
                f.write_str(":")?;
                one_or_paren_list(f, values, |f, value| value.node.fmt(f))
            }
            Self::Between { low, high } => {
                f.write_str(":")?;
                range(f, low.as_ref(), high.as_ref())
            }
            Self::Compare(comparison, value) => write!(f, " {comparison} {}", value.node),
            Self::Is(presence) => write!(f, " {presence}"),
            Self::Anniversary { first, last } => {
                write!(f, " ANNIVERSARY IN {}..{}", first.node, last.node)
            }
        }
    }
}

/// With what joins it to what is tested: `:3..5`, ` >= 3`.
impl Display for RangeTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Compare(comparison, value) => write!(f, " {comparison} {}", value.node),
            Self::Between { low, high } => {
                f.write_str(":")?;
                range(f, low.as_ref(), high.as_ref())
            }
        }
    }
}

/// `18..34`, `18..`, `..34`
pub(super) fn range(
    f: &mut Formatter<'_>,
    low: Option<&Spanned<Value>>,
    high: Option<&Spanned<Value>>,
) -> Result {
    if let Some(low) = low {
        low.node.fmt(f)?;
    }
    f.write_str("..")?;
    match high {
        Some(high) => high.node.fmt(f),
        None => Ok(()),
    }
}

impl Display for Presence {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Missing => "IS MISSING",
            Self::Present => "IS PRESENT",
        })
    }
}
