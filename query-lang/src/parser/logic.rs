//! `NOT`, `AND`, `OR` and parentheses, for expressions, for `HAVING`, and for properties of events.
//!
//! NOT binds tightest, then AND, then OR. Operands of the same operator form one node, however
//! they were parenthesised, so that one meaning has one tree.

use super::Parsed;
use super::cursor::Cursor;
use crate::ast::{Expr, Having, PropertyExpr};
use crate::lexer::Symbol;

/// A tree of `NOT`, `AND` and `OR`.
pub(super) trait Logic: Sized {
    /// What is neither of them nor a parenthesis.
    fn leaf(cursor: &mut Cursor<'_>) -> Parsed<Self>;
    /// `NOT self`
    fn negated(self) -> Self;
    /// All of two operands or more.
    fn all_of(operands: Vec<Self>) -> Self;
    /// Any of two operands or more.
    fn any_of(operands: Vec<Self>) -> Self;
    /// The operands of an `AND`, or the tree itself.
    fn into_all(self) -> Vec<Self>;
    /// The operands of an `OR`, or the tree itself.
    fn into_any(self) -> Vec<Self>;
}

macro_rules! logic {
    ($tree:ident) => {
        impl Logic for $tree {
            fn leaf(cursor: &mut Cursor<'_>) -> Parsed<Self> {
                $tree::read_leaf(cursor)
            }

            fn negated(self) -> Self {
                Self::Not(Box::new(self))
            }

            fn all_of(operands: Vec<Self>) -> Self {
                Self::And(operands)
            }

            fn any_of(operands: Vec<Self>) -> Self {
                Self::Or(operands)
            }

            fn into_all(self) -> Vec<Self> {
                if let Self::And(operands) = self {
                    operands
                } else {
                    vec![self]
                }
            }

            fn into_any(self) -> Vec<Self> {
                if let Self::Or(operands) = self {
                    operands
                } else {
                    vec![self]
                }
            }
        }
    };
}

logic!(Expr);
logic!(Having);
logic!(PropertyExpr);

impl Cursor<'_> {
    /// A whole tree: `x OR y OR z`.
    pub(super) fn logic<T: Logic>(&mut self) -> Parsed<T> {
        self.operands("OR", Self::conjunction, T::into_any, T::any_of)
    }

    /// `x AND y AND z`
    fn conjunction<T: Logic>(&mut self) -> Parsed<T> {
        self.operands("AND", Self::negation, T::into_all, T::all_of)
    }

    /// Operands between the same keyword, flattened into one node; one operand is itself.
    fn operands<T>(
        &mut self,
        keyword: &'static str,
        operand: impl Fn(&mut Self) -> Parsed<T>,
        flatten: impl Fn(T) -> Vec<T>,
        join: impl Fn(Vec<T>) -> T,
    ) -> Parsed<T> {
        let first = operand(self)?;
        if self.take_keyword(keyword).is_none() {
            return Ok(first);
        }
        let mut operands = flatten(first);
        loop {
            operands.extend(flatten(operand(self)?));
            if self.take_keyword(keyword).is_none() {
                return Ok(join(operands));
            }
        }
    }

    /// `NOT x`, `(x)`, or a leaf.
    fn negation<T: Logic>(&mut self) -> Parsed<T> {
        let span = self.span();
        if self.is_keyword_ahead(0, "NOT") {
            self.advance();
            return self.nested(span, Self::negation).map(T::negated);
        }
        if self.is_symbol(Symbol::OpenParen) {
            self.advance();
            let inner = self.nested(span, Self::logic)?;
            self.symbol(Symbol::CloseParen)?;
            return Ok(inner);
        }
        T::leaf(self)
    }
}
