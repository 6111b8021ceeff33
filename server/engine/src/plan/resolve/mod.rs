//! From names to ids: a syntax tree, the definitions, the parameters and the moment become an
//! expression that means the same thing without any of them.
//!
//! Knows definitions and types. Does not know any user. A name that is not defined is an error
//! with the nearest defined names, never an empty result.

mod attribute;
mod behaviour;
mod bindings;
mod counted;
mod dimension;
mod error;
mod expr;
pub(crate) mod holding;
mod literal;
mod names;
mod notices;
mod referral;
mod rule;
mod segment;
mod trend;
mod write;

pub use error::{NamedKind, ResolveError, ResolveErrorKind};
pub use literal::Literal;
pub(crate) use literal::decimal_text;
pub(crate) use rule::shown_way;
pub use write::ResolvedAssignment;

use bindings::Bindings;
use jiff::Timestamp;
pub(crate) use notices::Notices;
use rule::Expansions;
use tessera_query_lang::{ast, name::Name};

use super::{
    logical::Expr,
    query::{DimensionQuery, SegmentQuery},
    rank::Ranks,
};
use crate::{
    datum::Datum,
    ids::{GroupId, SegmentId, TagId},
    schema::{AttributeDefinition, Schema},
    time::{micros_of_timestamp, second_of_micros},
};

/// How much one statement may expand to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolveLimits {
    /// Leaves after globs, groups and saved segments are expanded.
    pub leaves_max: usize,
    /// Nodes after expansion: whatever is written in the statement and in the saved segments it
    /// expands to, and the leaves that these become. In a saved segment each listed key is a
    /// node too, and so are every [`NODE_TEXT_BYTES`] of a text. Bounds time and memory where
    /// leaves do not: `ALL`, `NOT` and groups without tags have none.
    pub nodes_max: usize,
    /// Levels of the tree after saved segments and rules are expanded, where a saved segment is
    /// one more, and a rule four.
    /// Up to the default of 250, a thread with a stack of 2 MiB is enough.
    pub depth_max: usize,
    /// Dims of one `DIMENSION`.
    pub dims_max: usize,
}

/// How much text of a saved segment counts as a node, in bytes.
pub const NODE_TEXT_BYTES: usize = 64;

impl Default for ResolveLimits {
    fn default() -> Self {
        Self {
            leaves_max: 100_000,
            // Enough for every leaf to be negated and combined.
            nodes_max: 400_000,
            depth_max: 250,
            dims_max: super::query::DIMS_MAX,
        }
    }
}

/// A definition whose meaning is put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Expanding {
    /// A saved segment.
    Segment(SegmentId),
    /// A tag, by its own rule.
    Tag(TagId),
    /// A group, by the rule of its layers.
    Group(GroupId),
}

/// Resolves one statement. One statement sees one `now`.
pub struct Resolver<'a> {
    schema: &'a Schema,
    bindings: Bindings<'a>,
    now: Timestamp,
    limits: ResolveLimits,
    /// The definitions being expanded, outermost first.
    expanding: Vec<Expanding>,
    /// What was read and resolved so far: what is expanded often is parsed once, and rules are
    /// resolved once.
    expansions: Expansions,
    /// Who tells where users stand among all.
    ranks: Option<&'a dyn Ranks>,
    notices: Notices,
    leaves: usize,
    nodes: usize,
    depth: usize,
    /// The questions about inviters around what is resolved.
    referrals: usize,
}

impl<'a> Resolver<'a> {
    /// For one statement. Parameters are named as in the text, without `$`.
    ///
    /// # Errors
    /// When a parameter has two values.
    pub fn new(
        schema: &'a Schema,
        parameters: &'a [(String, Datum)],
        now: Timestamp,
        limits: ResolveLimits,
    ) -> Result<Self, ResolveError> {
        let bindings = Bindings::new(parameters)?;
        Ok(Self {
            schema,
            bindings,
            now,
            limits,
            expanding: Vec::new(),
            expansions: Expansions::default(),
            ranks: None,
            notices: Notices::default(),
            leaves: 0,
            nodes: 0,
            depth: 0,
            referrals: 0,
        })
    }

    /// Says that the expression is about to become the meaning of a definition, which it
    /// therefore must not contain.
    #[must_use]
    pub(crate) fn defining(mut self, definition: Expanding) -> Self {
        self.expanding.push(definition);
        self
    }

    /// Says who tells where users stand among all. Without, percentiles are refused.
    #[must_use]
    pub fn ranked_by(mut self, ranks: &'a dyn Ranks) -> Self {
        self.ranks = Some(ranks);
        self
    }

    /// Resolves an expression.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn expr(&mut self, expr: &ast::Expr) -> Result<Expr, ResolveError> {
        self.resolve_expr(expr)
    }

    /// Resolves a `SEGMENT`.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn segment(&mut self, segment: &ast::Segment) -> Result<SegmentQuery, ResolveError> {
        self.resolve_segment(segment)
    }

    /// Resolves a `DIMENSION`.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn dimension(
        &mut self,
        dimension: &ast::Dimension,
    ) -> Result<DimensionQuery, ResolveError> {
        self.resolve_dimension(dimension)
    }

    /// The attribute with a name.
    ///
    /// # Errors
    /// [`ResolveError::UnknownName`], with the nearest names.
    pub fn attribute(
        &self,
        name: &ast::Spanned<Name>,
    ) -> Result<&'a AttributeDefinition, ResolveError> {
        self.attribute_named(name)
    }

    /// The second of the statement, counted from 1970-01-01T00:00:00Z.
    pub(super) fn now_s(&self) -> i64 {
        second_of_micros(micros_of_timestamp(self.now))
    }

    /// How many nodes were made so far, whether or not that was within the limits.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Refuses parameters that nothing used; the last call of a statement.
    ///
    /// # Errors
    /// [`ResolveError::UnusedParameter`].
    pub fn finish(self) -> Result<(), ResolveError> {
        self.finish_with_notices().map(|_| ())
    }

    /// As [`Self::finish`]; gives what whoever asked should know about the names in the statement.
    ///
    /// # Errors
    /// [`ResolveError::UnusedParameter`].
    pub(crate) fn finish_with_notices(self) -> Result<Notices, ResolveError> {
        self.bindings.finish()?;
        Ok(self.notices)
    }
}

#[cfg(test)]
mod tests;
