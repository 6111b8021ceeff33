//! An expression as a tree in which it is known of every part whether it holds of one user.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tessera_query_lang::{
    Limits,
    ast::{self, GroupRule, NameRef, Quantity, Spanned, TagPattern, When},
    parse_expr, parse_group_rule,
};

use super::{
    Subject,
    value::{quantity, value},
};
use crate::{
    budget::Budget,
    datum::Datum,
    error::Error,
    ids::TagId,
    plan::{Resolver, logical::Expr, resolve::Expanding},
    schema::{Schema, TagDefinition, TagRule},
};

/// A leaf that can change by itself: the same wherever it occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LeafId(pub(super) u32);

/// How a node's truth follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// From the user alone.
    Leaf,
    /// It is always so.
    Fixed,
    /// All inputs hold.
    All,
    /// One holds at least.
    Any,
    /// The only input does not hold.
    Not,
    /// So many hold at least.
    AtLeast(u32),
}

/// A part of an expression.
#[derive(Debug)]
pub(super) struct Node {
    /// How deep it stands.
    pub(super) depth: usize,
    /// As it is written.
    pub(super) text: String,
    /// Whether it holds of the user.
    pub(super) holds: bool,
    /// What is so of the user.
    pub(super) value: Datum,
    /// How its truth follows.
    pub(super) kind: Kind,
    /// Which leaf it is.
    pub(super) leaf: Option<LeafId>,
    /// From what its truth follows.
    pub(super) of: Vec<Node>,
    /// What is shown beneath it, and does not decide.
    pub(super) shown: Vec<Node>,
}

/// Whether what a name stands for is unfolded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfold {
    Names,
    Nothing,
}

/// Builds trees about one user.
pub(super) struct Builder<'a, 'r> {
    resolver: &'a mut Resolver<'r>,
    schema: &'a Schema,
    subject: Subject<'a>,
    budget: &'a Budget,
    leaves: HashMap<Expr, LeafId, RandomState>,
    unfold: Unfold,
}

impl<'a, 'r> Builder<'a, 'r> {
    pub(super) fn new(
        resolver: &'a mut Resolver<'r>,
        schema: &'a Schema,
        subject: Subject<'a>,
        budget: &'a Budget,
    ) -> Self {
        Self {
            resolver,
            schema,
            subject,
            budget,
            leaves: HashMap::default(),
            unfold: Unfold::Names,
        }
    }

    /// The tree of an expression.
    pub(super) fn node(&mut self, expr: &ast::Expr, depth: usize) -> Result<Node, Error> {
        self.budget.check()?;
        let (kind, text, inputs): (Kind, String, &[ast::Expr]) = match expr {
            ast::Expr::And(of) => (Kind::All, "AND".to_owned(), of),
            ast::Expr::Or(of) => (Kind::Any, "OR".to_owned(), of),
            ast::Expr::Not(inner) => (Kind::Not, "NOT".to_owned(), std::slice::from_ref(&**inner)),
            ast::Expr::AtLeast { threshold, of } => {
                let threshold = threshold.node;
                let text = format!("AT LEAST {threshold} OF");
                (Kind::AtLeast(threshold), text, of)
            }
            ast::Expr::All
            | ast::Expr::Tag(_)
            | ast::Expr::Held { .. }
            | ast::Expr::Lapsed { .. }
            | ast::Expr::Behaviour(_)
            | ast::Expr::Referral(_)
            | ast::Expr::Attribute { .. }
            | ast::Expr::Group { .. }
            | ast::Expr::Segment(_)
            | ast::Expr::Users(_) => return self.leaf(expr, depth),
        };
        let of = inputs.iter().map(|inner| self.node(inner, depth + 1));
        let of = of.collect::<Result<Vec<_>, _>>()?;
        let count = of.iter().filter(|inner| inner.holds).count();
        let holds = match kind {
            Kind::All => count == of.len(),
            Kind::Any => count > 0,
            Kind::AtLeast(threshold) => count >= threshold as usize,
            Kind::Not | Kind::Leaf | Kind::Fixed => count == 0,
        };
        Ok(Node {
            depth,
            text,
            holds,
            value: Datum::Null,
            kind,
            leaf: None,
            of,
            shown: Vec::new(),
        })
    }

    fn leaf(&mut self, expr: &ast::Expr, depth: usize) -> Result<Node, Error> {
        let resolved = self.resolver.expr(expr)?;
        let holds = self.subject.is_in(&resolved)?;
        let value = value(self.resolver, self.schema, self.subject, expr, &resolved)?;
        let kind = match resolved {
            Expr::All | Expr::None => Kind::Fixed,
            Expr::Leaf(_) | Expr::Not(_) | Expr::And(_) | Expr::Or(_) | Expr::AtLeast { .. } => {
                Kind::Leaf
            }
        };
        let next = LeafId(u32::try_from(self.leaves.len()).unwrap_or(u32::MAX));
        let leaf = *self.leaves.entry(resolved).or_insert(next);
        let node = Node {
            depth,
            text: expr.to_string(),
            holds,
            value,
            kind,
            leaf: Some(leaf),
            of: Vec::new(),
            shown: Vec::new(),
        };
        match self.unfold {
            Unfold::Nothing => Ok(node),
            Unfold::Names => self.unfolded(node, expr),
        }
    }

    /// Unfolds what a leaf names, if that is one tag with a rule or one saved segment.
    fn unfolded(&mut self, node: Node, expr: &ast::Expr) -> Result<Node, Error> {
        match expr {
            ast::Expr::Tag(patterns) => match patterns.as_slice() {
                [
                    Spanned {
                        node: TagPattern::Name(name),
                        ..
                    },
                ] => match self.schema.tag_called(name.as_str()) {
                    Some(tag) => self.unfolded_tag(node, tag),
                    None => Ok(node),
                },
                _ => Ok(node),
            },
            ast::Expr::Segment(names) => match names.as_slice() {
                [
                    Spanned {
                        node: NameRef::Name(name),
                        ..
                    },
                ] => self.unfolded_segment(node, name.as_str()),
                _ => Ok(node),
            },
            ast::Expr::All
            | ast::Expr::And(_)
            | ast::Expr::Or(_)
            | ast::Expr::Not(_)
            | ast::Expr::AtLeast { .. }
            | ast::Expr::Held { .. }
            | ast::Expr::Lapsed { .. }
            | ast::Expr::Behaviour(_)
            | ast::Expr::Referral(_)
            | ast::Expr::Attribute { .. }
            | ast::Expr::Group { .. }
            | ast::Expr::Users(_) => Ok(node),
        }
    }

    fn unfolded_segment(&mut self, mut node: Node, name: &str) -> Result<Node, Error> {
        let Some(segment) = self.schema.segment(name) else {
            return Ok(node);
        };
        let text = parse_expr(&segment.text, &Limits::default())?;
        let definition = Expanding::Segment(segment.id);
        let inner = self.beneath(definition, &text, node.depth + 1)?;
        node.kind = Kind::All;
        node.leaf = None;
        node.of = vec![inner];
        Ok(node)
    }

    /// A tag that nobody gave or took holds as its rule does; else the rule does not decide.
    fn unfolded_tag(&mut self, mut node: Node, tag: &TagDefinition) -> Result<Node, Error> {
        let depth = node.depth + 1;
        match self.schema.rule_of(tag) {
            None => Ok(node),
            Some(TagRule::Own(rule)) => {
                let rule = parse_expr(rule, &Limits::default())?;
                let inner = self.beneath(Expanding::Tag(tag.id), &rule, depth)?;
                if self.is_said_by_hand(tag.id) {
                    node.shown.push(inner);
                } else {
                    node.kind = Kind::All;
                    node.leaf = None;
                    node.of.push(inner);
                }
                Ok(node)
            }
            Some(TagRule::OfGroup(group, rule)) => {
                let rule = parse_group_rule(rule, &Limits::default())?;
                let layers = match rule {
                    GroupRule::Layers(layers) => layers,
                    GroupRule::Bands { of, .. } | GroupRule::Percentiles { of, .. } => {
                        node.shown.push(self.measured(&of, &node)?);
                        return Ok(node);
                    }
                };
                let mut until = layers.iter().position(|layer| layer.tag.node == tag.name);
                for layer in layers {
                    until = match until {
                        None => return Ok(node),
                        Some(0) => None,
                        Some(more) => Some(more - 1),
                    };
                    let condition = match layer.when {
                        When::If(condition) => condition,
                        When::Otherwise => ast::Expr::All,
                    };
                    let definition = Expanding::Group(group.id);
                    let mut shown = self.beneath(definition, &condition, depth)?;
                    shown.text = format!("{}: {}", layer.tag.node, shown.text);
                    node.shown.push(shown);
                }
                Ok(node)
            }
        }
    }

    /// What a band is of.
    fn measured(&mut self, of: &Quantity, band: &Node) -> Result<Node, Error> {
        let value = quantity(self.resolver, self.schema, self.subject, of)?;
        Ok(Node {
            depth: band.depth + 1,
            text: of.to_string(),
            holds: value != Datum::Null,
            value,
            kind: Kind::Fixed,
            leaf: None,
            of: Vec::new(),
            shown: Vec::new(),
        })
    }

    fn is_said_by_hand(&self, tag: TagId) -> bool {
        let record = self.subject.record;
        record.is_blocked(tag) || record.holds(tag, self.subject.at_s)
    }

    /// The tree of what stands in a definition, where names are not unfolded any more.
    fn beneath(
        &mut self,
        definition: Expanding,
        expr: &ast::Expr,
        depth: usize,
    ) -> Result<Node, Error> {
        let outer = std::mem::replace(&mut self.unfold, Unfold::Nothing);
        let entered = self.resolver.enter(definition);
        let built = self.node(expr, depth);
        self.resolver.leave(entered);
        self.unfold = outer;
        built
    }
}
