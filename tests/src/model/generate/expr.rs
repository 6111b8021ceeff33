//! Random expressions.

use rand::Rng;
use tessera_query_lang::{
    ast::{
        AttributeTest, AttributeType, Comparison, Expr, NameRef, Presence, Spanned, TagPattern,
        Value,
    },
    name::Glob,
};

use super::{Generator, name, named};
use crate::model::{Attribute, Model};

const GLOBS: [&str; 6] = ["promo-*", "*", "*p*", "p*o*", "vip*", "*值"];

impl Generator {
    /// An expression of a depth at most.
    pub(super) fn expr(&mut self, model: &Model, depth: u32) -> Expr {
        if depth == 0 || self.chance(0.35) {
            return self.leaf(model);
        }
        match self.rng.random_range(0..10) {
            0..2 => Expr::Not(Box::new(self.expr(model, depth - 1))),
            2..6 => self.join(model, depth, Junction::And),
            6..9 => self.join(model, depth, Junction::Or),
            _ => {
                let of: Vec<Expr> = (0..self.count(5))
                    .map(|_| self.expr(model, depth - 1))
                    .collect();
                let threshold = u32::try_from(self.count(of.len())).expect("few");
                Expr::AtLeast {
                    threshold: Spanned::synthetic(threshold),
                    of,
                }
            }
        }
    }

    /// Operands of the same kind melt into one list, as they do when they are read.
    fn join(&mut self, model: &Model, depth: u32, junction: Junction) -> Expr {
        let count = 1 + self.count(3);
        let mut operands = Vec::new();
        for _ in 0..count {
            match (self.expr(model, depth - 1), junction) {
                (Expr::And(inner), Junction::And) | (Expr::Or(inner), Junction::Or) => {
                    operands.extend(inner);
                }
                (other, Junction::And | Junction::Or) => operands.push(other),
            }
        }
        match junction {
            Junction::And => Expr::And(operands),
            Junction::Or => Expr::Or(operands),
        }
    }

    fn leaf(&mut self, model: &Model) -> Expr {
        let leaf = match self.rng.random_range(0..20) {
            0 => Some(Expr::All),
            1..7 => self.tag_leaf(model),
            7..16 => self.attribute_leaf(model),
            16 => self.group_leaf(model),
            17 => self.segment_leaf(model),
            18 => self.behaviour_leaf(model),
            _ => None,
        };
        leaf.unwrap_or_else(|| {
            let keys = (0..self.count(4)).map(|_| Spanned::synthetic(Value::Text(self.key())));
            Expr::Users(keys.collect())
        })
    }

    fn tag_leaf(&mut self, model: &Model) -> Option<Expr> {
        Some(Expr::Tag(self.tag_patterns(model)?))
    }

    /// One to three tags or globs that are defined or match.
    pub(super) fn tag_patterns(&mut self, model: &Model) -> Option<Vec<Spanned<TagPattern>>> {
        let mut patterns = Vec::new();
        for _ in 0..self.count(3) {
            let pattern = if self.chance(0.2) {
                let glob = Glob::new(self.pick(&GLOBS)?).expect("a glob");
                let matches = model.tags.keys().any(|tag| glob.matches(tag));
                if !matches && !self.mistake() {
                    continue;
                }
                TagPattern::Glob(glob)
            } else {
                TagPattern::Name(name(&self.defined(model.tags.keys())?))
            };
            patterns.push(Spanned::synthetic(pattern));
        }
        (!patterns.is_empty()).then_some(patterns)
    }

    fn group_leaf(&mut self, model: &Model) -> Option<Expr> {
        let group = self.defined(model.groups.keys())?;
        Some(Expr::Group {
            name: Spanned::synthetic(NameRef::Name(name(&group))),
            is: self.presence(),
        })
    }

    fn segment_leaf(&mut self, model: &Model) -> Option<Expr> {
        let mut names = Vec::new();
        for _ in 0..self.count(2) {
            let segment = self.defined(model.segments.keys())?;
            names.push(Spanned::synthetic(NameRef::Name(name(&segment))));
        }
        Some(Expr::Segment(names))
    }

    fn presence(&mut self) -> Presence {
        if self.chance(0.5) {
            Presence::Missing
        } else {
            Presence::Present
        }
    }

    fn attribute_leaf(&mut self, model: &Model) -> Option<Expr> {
        let attribute = self.defined(model.attributes.keys())?;
        let test = match model.attributes.get(&attribute) {
            Some(definition) => self.test(model, definition)?,
            None => AttributeTest::Is(self.presence()),
        };
        Some(Expr::Attribute {
            name: named(&attribute),
            test,
        })
    }

    fn test(&mut self, model: &Model, attribute: &Attribute) -> Option<AttributeTest> {
        let has_labels = matches!(
            attribute.kind,
            AttributeType::Enum(_) | AttributeType::Multi(_)
        );
        if self.chance(0.15) || (has_labels && attribute.values.is_empty()) {
            return Some(AttributeTest::Is(self.presence()));
        }
        let ordered = is_ordered(attribute) || self.mistake();
        Some(match self.rng.random_range(0..10) {
            0..3 => {
                let values =
                    (0..self.count(3)).map(|_| Spanned::synthetic(self.literal(model, attribute)));
                AttributeTest::AnyOf(values.collect())
            }
            3 | 4 if ordered => self.between(model, attribute),
            3 | 4 => self.compare(model, attribute, Comparison::Equal),
            5 | 6 => self.compare(model, attribute, Comparison::NotEqual),
            _ if ordered => {
                let orders = [
                    Comparison::Less,
                    Comparison::LessOrEqual,
                    Comparison::Greater,
                    Comparison::GreaterOrEqual,
                ];
                let order = orders[self.rng.random_range(0..orders.len())];
                self.compare(model, attribute, order)
            }
            _ => self.compare(model, attribute, Comparison::Equal),
        })
    }

    fn compare(
        &mut self,
        model: &Model,
        attribute: &Attribute,
        comparison: Comparison,
    ) -> AttributeTest {
        AttributeTest::Compare(
            comparison,
            Spanned::synthetic(self.literal(model, attribute)),
        )
    }

    fn between(&mut self, model: &Model, attribute: &Attribute) -> AttributeTest {
        let low = self
            .chance(0.7)
            .then(|| Spanned::synthetic(self.literal(model, attribute)));
        let high = (low.is_none() || self.chance(0.6))
            .then(|| Spanned::synthetic(self.literal(model, attribute)));
        AttributeTest::Between { low, high }
    }
}

#[derive(Clone, Copy)]
enum Junction {
    And,
    Or,
}

/// Whether values of the attribute compare by more than equality.
pub(super) fn is_ordered(attribute: &Attribute) -> bool {
    match attribute.kind {
        AttributeType::Integer
        | AttributeType::Decimal(_)
        | AttributeType::Date
        | AttributeType::Timestamp => true,
        AttributeType::Enum(_)
        | AttributeType::Multi(_)
        | AttributeType::Boolean
        | AttributeType::Text
        | AttributeType::User => false,
    }
}
