//! Holdings, trends, forms and referral.

use std::fmt::{Display, Formatter, Result};

use super::value::Key;
use super::{NameIn, behaviour, clause, one_or_paren_list, separated};
use crate::ast::{
    DefineForm, FormEffect, FormField, HoldingEnd, HoldingTerms, HoldingTest, Referral,
    Requirement, Source, Submission, Trend,
};
use crate::keywords::Place;

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Manual => "manual",
            Self::Import => "import",
            Self::Rule => "rule",
            Self::Model => "model",
        })
    }
}

impl Display for HoldingTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Since(test) => write!(f, "since{test}"),
            Self::Until(test) => write!(f, "until{test}"),
            Self::UntilIs(presence) => write!(f, "until {presence}"),
            Self::Source(sources) => {
                f.write_str(if sources.len() == 1 {
                    "source = "
                } else {
                    "source:"
                })?;
                one_or_paren_list(f, sources, |f, source| source.node.fmt(f))
            }
        }
    }
}

/// With a space before each of its clauses.
impl Display for HoldingTerms {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        clause(f, "FROM", self.from.as_ref().map(|from| &from.node))?;
        match &self.end {
            Some(HoldingEnd::Until(until)) => write!(f, " UNTIL {}", until.node)?,
            Some(HoldingEnd::For(period)) => write!(f, " FOR {}", period.node)?,
            None => {}
        }
        clause(f, "SOURCE", self.source.map(|source| source.node))
    }
}

impl Display for Trend {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "TREND tag:{}", self.tag.node)?;
        clause(f, "LAST", self.last.map(|last| last.node))?;
        write!(f, " BY {}", self.unit)
    }
}

impl Display for Referral {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::ReferredBy(of) => write!(f, "referred_by({of})"),
            Self::InviterOf(of) => write!(f, "inviter_of({of})"),
            Self::DescendantsOf(of, depth) => write!(f, "descendants_of({of}, {})", depth.node),
            Self::Invited(test) => write!(f, "count(invited){test}"),
        }
    }
}

impl Display for FormEffect {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Attribute(name) => {
                write!(f, "ATTRIBUTE {}", NameIn(Place::Plain, name.node.as_str()))
            }
            Self::Tag(tags) => {
                f.write_str("TAG (")?;
                separated(f, tags, ", ", |f, answered| {
                    let tag = NameIn(Place::Plain, answered.tag.node.as_str());
                    write!(f, "{}: {tag}", answered.answer.node)
                })?;
                f.write_str(")")
            }
            Self::Event { event, property } => {
                f.write_str("EVENT ")?;
                behaviour::event_path(f, event, property)
            }
        }
    }
}

impl Display for FormField {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = NameIn(Place::Plain, self.name.node.as_str());
        write!(f, "{name} {}", self.answer_type)?;
        match self.requirement {
            Requirement::Optional => {}
            Requirement::Required => f.write_str(" REQUIRED")?,
        }
        write!(f, " SETS {}", self.sets)
    }
}

/// From its name on.
impl Display for DefineForm {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "{} (",
            NameIn(Place::Definition, self.name.node.as_str())
        )?;
        separated(f, &self.fields, ", ", |f, field| field.fmt(f))?;
        write!(f, "){}", self.notes)
    }
}

impl Display for Submission {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "SUBMIT FORM {} FOR {}",
            self.form.node,
            Key(&self.user.node)
        )?;
        if !self.answers.is_empty() {
            f.write_str(" WITH ")?;
            separated(f, &self.answers, ", ", |f, answer| {
                write!(f, "{} = ", NameIn(Place::Plain, answer.field.node.as_str()))?;
                one_or_paren_list(f, &answer.values, |f, value| value.node.fmt(f))
            })?;
        }
        clause(f, "ID", self.id.as_ref().map(|id| Key(&id.node)))
    }
}
