//! Tags and tag groups as they are defined.

use std::fmt::{Display, Formatter, Result};

use super::define::{defined, flag, group, group_change};
use super::{NameIn, clause, separated};
use crate::ast::{
    AlterGroup, AlterTag, Band, DefineGroup, DefineTag, Derivation, Exclusivity, GroupRule, Layer,
    Lifecycle, OnRetag, Quantity, RuleChange, Validity, When,
};
use crate::keywords::Place;

impl Display for Validity {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Static => f.write_str("STATIC"),
            Self::Dynamic(period) => write!(f, "DYNAMIC FOR {}", period.node),
        }
    }
}

impl Display for OnRetag {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Replace => "REPLACE",
            Self::Extend => "EXTEND",
            Self::Later => "LATER",
        })
    }
}

impl Display for Lifecycle {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Draft => "DRAFT",
            Self::Active => "ACTIVE",
            Self::Deprecated => "DEPRECATED",
            Self::Archived => "ARCHIVED",
        })
    }
}

/// What is not the default.
fn unless_default<T: Default + PartialEq>(value: &T) -> Option<&T> {
    (*value != T::default()).then_some(value)
}

/// From its name on.
impl Display for DefineTag {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        defined(&self.name).fmt(f)?;
        flag(f, unless_default(&self.validity))?;
        clause(f, "ON RETAG", unless_default(&self.on_retag))?;
        flag(f, unless_default(&self.lifecycle))?;
        clause(f, "IN GROUP", self.group.as_ref().map(group))?;
        self.notes.fmt(f)?;
        clause(f, "AS", self.rule.as_ref())
    }
}

/// From its name on.
impl Display for AlterTag {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        defined(&self.name).fmt(f)?;
        flag(f, self.validity)?;
        clause(f, "ON RETAG", self.on_retag)?;
        flag(f, self.lifecycle)?;
        group_change(f, self.group.as_ref())?;
        self.notes.fmt(f)?;
        rule_change(f, self.rule.as_ref())
    }
}

/// From its name on.
impl Display for DefineGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        defined(&self.name).fmt(f)?;
        let written = (self.exclusivity != Exclusivity::default()).then_some(self.exclusivity);
        flag(f, written)?;
        clause(f, "IN GROUP", self.parent.as_ref().map(group))?;
        self.notes.fmt(f)?;
        clause(f, "AS", self.rule.as_ref())
    }
}

/// From its name on.
impl Display for AlterGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        defined(&self.name).fmt(f)?;
        flag(f, self.exclusivity)?;
        group_change(f, self.parent.as_ref())?;
        self.notes.fmt(f)?;
        rule_change(f, self.rule.as_ref())
    }
}

fn rule_change(f: &mut Formatter<'_>, change: Option<&RuleChange<impl Display>>) -> Result {
    match change {
        Some(RuleChange::Into(rule)) => write!(f, " AS {rule}"),
        Some(RuleChange::Out) => f.write_str(" NO RULE"),
        None => Ok(()),
    }
}

impl<T: Display> Display for Layer<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}: ", NameIn(Place::Plain, self.tag.node.as_str()))?;
        match &self.when {
            When::If(condition) => condition.fmt(f),
            When::Otherwise => f.write_str("OTHERWISE"),
        }
    }
}

impl Display for Band {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        super::expr::range(f, self.low.as_ref(), self.high.as_ref())
    }
}

impl Display for Quantity {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Attribute(name) => NameIn(Place::Quantity, name.node.as_str()).fmt(f),
            Self::Events(measure) => measure.fmt(f),
        }
    }
}

impl Display for GroupRule {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let layer = |f: &mut Formatter<'_>, layer: &Layer<Band>| layer.fmt(f);
        let (keyword, of, bands) = match self {
            Self::Layers(layers) => return separated(f, layers, ", ", |f, layer| layer.fmt(f)),
            Self::Bands { of, bands } => ("BANDS", of, bands),
            Self::Percentiles { of, bands } => ("PERCENTILES", of, bands),
        };
        write!(f, "{keyword} OF {of} (")?;
        separated(f, bands, ", ", layer)?;
        f.write_str(")")
    }
}

impl Display for Derivation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::YearsSince(attribute) => {
                let attribute = NameIn(Place::Plain, attribute.node.as_str());
                write!(f, "YEARS SINCE {attribute}")
            }
        }
    }
}
