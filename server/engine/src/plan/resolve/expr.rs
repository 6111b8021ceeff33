//! Expressions, with globs, groups and saved segments expanded.

use tessera_query_lang::ast::{self, NameRef, Presence, Span, Spanned, Value};

use super::{Expanding, NODE_TEXT_BYTES, ResolveError, Resolver, attribute::union};
use crate::{
    ids::TagId,
    plan::logical::{Expr, Leaf},
};

impl Resolver<'_> {
    pub(super) fn resolve_expr(&mut self, expr: &ast::Expr) -> Result<Expr, ResolveError> {
        self.grow(1, Span::default())?;
        self.depth += 1;
        if self.depth > self.limits.depth_max {
            let max = self.limits.depth_max as u64;
            return Err(ResolveError::TooMany {
                what: "levels of nesting",
                max,
                span: Span::default(),
            });
        }
        let resolved = self.resolve_node(expr);
        self.depth -= 1;
        resolved
    }

    fn resolve_node(&mut self, expr: &ast::Expr) -> Result<Expr, ResolveError> {
        match expr {
            ast::Expr::All => Ok(Expr::All),
            ast::Expr::Tag(patterns) => self.any_tag(patterns),
            ast::Expr::Held { tags, tests } => self.held(tags, tests),
            ast::Expr::Lapsed { tags, window } => self.lapsed(tags, window.as_ref()),
            ast::Expr::Behaviour(behaviour) => self.behaviour(behaviour),
            ast::Expr::Referral(referral) => self.referral(referral),
            ast::Expr::Attribute { name, test } => {
                let attribute = self.attribute_named(name)?;
                self.attribute_test(attribute, test, name.span)
            }
            ast::Expr::Group { name, is } => self.group_presence(name, *is),
            ast::Expr::Segment(names) => {
                let of = names
                    .iter()
                    .map(|name| self.saved_segment(name))
                    .collect::<Result<_, _>>()?;
                Ok(union(of))
            }
            ast::Expr::Users(keys) => self.users(keys),
            ast::Expr::AtLeast { threshold, of } => Ok(Expr::AtLeast {
                threshold: threshold.node,
                of: self.operands(of)?,
            }),
            ast::Expr::Not(inner) => Ok(self.resolve_expr(inner)?.negated()),
            ast::Expr::And(of) => Ok(Expr::And(self.operands(of)?)),
            ast::Expr::Or(of) => Ok(Expr::Or(self.operands(of)?)),
        }
    }

    fn operands(&mut self, of: &[ast::Expr]) -> Result<Vec<Expr>, ResolveError> {
        of.iter()
            .map(|operand| self.resolve_expr(operand))
            .collect()
    }

    /// Counts nodes against the limit, before they are made.
    pub(super) fn grow(&mut self, by: usize, span: Span) -> Result<(), ResolveError> {
        self.nodes = self.nodes.saturating_add(by);
        if self.nodes > self.limits.nodes_max {
            let max = self.limits.nodes_max as u64;
            return Err(ResolveError::TooMany {
                what: "nodes after expansion",
                max,
                span,
            });
        }
        Ok(())
    }

    /// Counts every leaf against the limits.
    pub(super) fn leaf(&mut self, leaf: Leaf, span: Span) -> Result<Expr, ResolveError> {
        let extra = if self.expanding.is_empty() {
            0
        } else {
            text_nodes(&leaf)
        };
        self.grow(1 + extra, span)?;
        self.take_leaves(1, span)?;
        Ok(leaf.into())
    }

    /// Counts leaves against the limit.
    pub(super) fn take_leaves(&mut self, by: usize, span: Span) -> Result<(), ResolveError> {
        self.leaves = self.leaves.saturating_add(by);
        if self.leaves > self.limits.leaves_max {
            let max = self.limits.leaves_max as u64;
            return Err(ResolveError::TooMany {
                what: "leaves after expansion",
                max,
                span,
            });
        }
        Ok(())
    }

    fn any_tag(&mut self, patterns: &[Spanned<ast::TagPattern>]) -> Result<Expr, ResolveError> {
        let mut leaves = Vec::new();
        for pattern in patterns {
            for tag in self.tags_matching(pattern)? {
                leaves.push(self.holders(tag, pattern.span)?);
            }
        }
        Ok(union(leaves))
    }

    /// Who holds a tag now because it was given to them. What that takes is left to a pass: it is
    /// one leaf to the limits.
    pub(super) fn given(&mut self, tag: TagId, span: Span) -> Result<Expr, ResolveError> {
        let leaf = match self.schema.is_timed(tag) {
            true => Leaf::Held(tag, self.now_s()),
            false => Leaf::Tag(tag),
        };
        self.leaf(leaf, span)
    }

    fn group_presence(
        &mut self,
        name: &Spanned<NameRef>,
        is: Presence,
    ) -> Result<Expr, ResolveError> {
        let group = self.group_named(name)?;
        let any = self.in_group(group, name.span)?;
        Ok(match is {
            Presence::Present => any,
            Presence::Missing => any.negated(),
        })
    }

    fn users(&mut self, keys: &[Spanned<Value>]) -> Result<Expr, ResolveError> {
        let mut texts = Vec::with_capacity(keys.len());
        for key in keys {
            texts.extend(self.keys(key)?);
        }
        texts.sort_unstable();
        texts.dedup();
        let span = keys.first().map_or_else(Span::default, |key| key.span);
        self.leaf(Leaf::Keys(texts), span)
    }

    /// The users' keys that a value stands for. A whole number reads as its digits.
    pub(super) fn keys(&mut self, value: &Spanned<Value>) -> Result<Vec<String>, ResolveError> {
        let literals = self.literals(value)?;
        let text = |literal: &super::Literal| {
            literal.as_text().ok_or_else(|| {
                let message = format!("a user's key is a text, and {} is not", literal.describe());
                ResolveError::mismatch(message, value.span)
            })
        };
        literals.iter().map(text).collect()
    }

    /// The meaning of a saved segment, now. Its text has no parameters.
    fn saved_segment(&mut self, name: &Spanned<NameRef>) -> Result<Expr, ResolveError> {
        let segment = self.segment_named(name)?;
        let (text, span) = (segment.name.as_str().to_owned(), name.span);
        let definition = Expanding::Segment(segment.id);
        self.check_new(definition, span)?;
        let parsed = match self.expansions.expr(definition, &segment.text) {
            Ok(parsed) => parsed,
            Err(source) => {
                return Err(ResolveError::UnreadableSegment {
                    name: text,
                    span,
                    source,
                });
            }
        };
        let outside = self.enter(definition);
        let resolved = self.resolve_expr(&parsed);
        self.leave(outside);
        resolved.map_err(|source| {
            source.within(span, |source| ResolveError::InSegment {
                name: text,
                span,
                source,
            })
        })
    }
}

/// What the texts in a leaf count beside the leaf itself.
pub(super) fn text_nodes(leaf: &Leaf) -> usize {
    match leaf {
        Leaf::Text(_, text) => text.len() / NODE_TEXT_BYTES,
        Leaf::Keys(keys) => keys.iter().map(|key| 1 + key.len() / NODE_TEXT_BYTES).sum(),
        Leaf::Tag(_)
        | Leaf::Present(_)
        | Leaf::Value(..)
        | Leaf::Range(..)
        | Leaf::Held(..)
        | Leaf::Recorded(..)
        | Leaf::Blocked(_)
        | Leaf::Behaviour(_)
        | Leaf::Referral(_)
        | Leaf::Anniversary(..) => 0,
    }
}
