//! Tests of attributes, by the attribute's type.
//!
//! - Enum and multi: values, `=`, `!=` and presence. For a multi, a value means "has it among its
//!   values", `!=` "has values, and not this one".
//! - Boolean: `true` and `false`, as an enum of two values.
//! - Integer, decimal, date, timestamp: every comparison and range, exact for bounds with more
//!   digits than are kept. A date beside a timestamp means the whole day, in UTC; a moment
//!   beside a date means its day.
//! - Text and user: equality, any of, and presence.
//! - Years since a day: as an integer; what is compared are the days.
//!
//! An empty range (`age:34..18`) finds nobody: with relative times it may come about by itself.

use tessera_query_lang::ast::{AttributeTest, Comparison, Presence, Span, Spanned, Value};

use super::{
    ResolveError, Resolver,
    literal::{Extent, kind_name},
};
use crate::{
    ids::{AttributeId, ValueCode},
    plan::logical::{DayUnit, Expr, Leaf, Range},
    schema::{AttributeClass, AttributeDefinition, AttributeKind},
    time::{day_of_micros, micros_of_timestamp},
};

impl Resolver<'_> {
    pub(super) fn attribute_test(
        &mut self,
        attribute: &AttributeDefinition,
        test: &AttributeTest,
        name_span: Span,
    ) -> Result<Expr, ResolveError> {
        match test {
            AttributeTest::Is(Presence::Present) => self.leaf(present(attribute), name_span),
            AttributeTest::Is(Presence::Missing) => {
                self.grow(1, name_span)?;
                Ok(self.leaf(present(attribute), name_span)?.negated())
            }
            AttributeTest::AnyOf(values) => {
                let any_of = values
                    .iter()
                    .map(|value| self.equal(attribute, value))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(union(any_of.into_iter().flatten().collect()))
            }
            AttributeTest::Compare(Comparison::Equal, value) => {
                Ok(union(self.equal(attribute, value)?))
            }
            AttributeTest::Compare(Comparison::NotEqual, value) => {
                let equal = union(self.equal(attribute, value)?);
                let present = self.leaf(present(attribute), name_span)?;
                self.grow(2, name_span)?;
                Ok(Expr::And(vec![present, equal.negated()]))
            }
            AttributeTest::Compare(comparison, value) => {
                let extent = self.ordered(attribute, value)?;
                self.range(attribute, bounds(*comparison, extent), value.span)
            }
            AttributeTest::Between { low, high } => {
                self.between(attribute, low.as_ref(), high.as_ref(), name_span)
            }
            AttributeTest::Anniversary { first, last } => {
                self.anniversary(attribute, first, last, name_span)
            }
        }
    }

    fn between(
        &mut self,
        attribute: &AttributeDefinition,
        low: Option<&Spanned<Value>>,
        high: Option<&Spanned<Value>>,
        name_span: Span,
    ) -> Result<Expr, ResolveError> {
        let low = low
            .map(|low| self.ordered(attribute, low))
            .transpose()?
            .map(|extent| extent.first);
        let high = high
            .map(|high| self.ordered(attribute, high))
            .transpose()?
            .map(|extent| extent.last);
        self.range(
            attribute,
            (low.unwrap_or(i128::MIN), high.unwrap_or(i128::MAX)),
            name_span,
        )
    }

    /// The value of an attribute that has an order, or why it has none.
    fn ordered(
        &mut self,
        attribute: &AttributeDefinition,
        value: &Spanned<Value>,
    ) -> Result<Extent, ResolveError> {
        if attribute.kind.class() != AttributeClass::Numeric {
            let (name, kind) = (attribute.name.as_str(), kind_name(&attribute.kind));
            let message =
                format!("{name} is {kind}: it can be compared by = and !=, not by order or range");
            return Err(ResolveError::mismatch(message, value.span));
        }
        self.literal(value)?.extent(attribute, value.span)
    }

    pub(super) fn range(
        &mut self,
        attribute: &AttributeDefinition,
        (low, high): (i128, i128),
        span: Span,
    ) -> Result<Expr, ResolveError> {
        if let AttributeKind::YearsSince(base) = attribute.kind {
            return self.years(base, (low, high), span);
        }
        let clamp = |bound: i128| bound.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let outside = high < i128::from(i64::MIN) || low > i128::from(i64::MAX) || low > high;
        match Range::new(clamp(low), clamp(high)) {
            Some(range) if !outside => self.leaf(Leaf::Range(attribute.id.into(), range), span),
            Some(_) | None => {
                self.grow(1, span)?;
                Ok(Expr::None)
            }
        }
    }

    /// So many years since a day are days between two: the day from which so many years have
    /// passed today, and the first one from which more have not.
    fn years(
        &mut self,
        base: AttributeId,
        (low, high): (i128, i128),
        span: Span,
    ) -> Result<Expr, ResolveError> {
        self.grow(1, span)?;
        let unit = DayUnit::of(self.schema, base).filter(|_| low <= high);
        match unit.and_then(|unit| unit.years((low, high), self.today())) {
            Some(range) => self.leaf(Leaf::Range(base.into(), range), span),
            None => Ok(Expr::None),
        }
    }

    /// The day of the statement, since 1970-01-01.
    pub(super) fn today(&self) -> i32 {
        day_of_micros(micros_of_timestamp(self.now))
    }

    /// What equals a value: one expression for each value that a parameter holds.
    fn equal(
        &mut self,
        attribute: &AttributeDefinition,
        value: &Spanned<Value>,
    ) -> Result<Vec<Expr>, ResolveError> {
        let literals = self.literals(value)?;
        literals
            .iter()
            .map(|literal| match attribute.kind.class() {
                AttributeClass::Coded | AttributeClass::MultiCoded => {
                    let code = self.code(attribute, literal, value.span)?;
                    self.leaf(Leaf::Value(attribute.id, code), value.span)
                }
                AttributeClass::Numeric => {
                    let extent = literal.extent(attribute, value.span)?;
                    self.range(attribute, (extent.first, extent.last), value.span)
                }
                AttributeClass::Textual => {
                    let text = literal
                        .as_text()
                        .ok_or_else(|| self.misfit(attribute, literal, value.span))?;
                    self.leaf(Leaf::Text(attribute.id, text), value.span)
                }
            })
            .collect()
    }

    pub(super) fn code(
        &self,
        attribute: &AttributeDefinition,
        literal: &super::Literal,
        span: Span,
    ) -> Result<ValueCode, ResolveError> {
        let misfit = || self.misfit(attribute, literal, span);
        if attribute.kind == AttributeKind::Boolean {
            return Ok(ValueCode(literal.boolean().ok_or_else(misfit)?.into()));
        }
        self.value_named(attribute, &literal.as_text().ok_or_else(misfit)?, span)
    }

    fn misfit(
        &self,
        attribute: &AttributeDefinition,
        literal: &super::Literal,
        span: Span,
    ) -> ResolveError {
        let (name, kind) = (attribute.name.as_str(), kind_name(&attribute.kind));
        ResolveError::mismatch(
            format!("{name} is {kind}, and {} is not", literal.describe()),
            span,
        )
    }
}

/// Who has a value; a derived one has who has what it is derived from.
fn present(attribute: &AttributeDefinition) -> Leaf {
    match attribute.kind {
        AttributeKind::YearsSince(base) => Leaf::Present(base),
        AttributeKind::Enum(_)
        | AttributeKind::Multi(_)
        | AttributeKind::Integer
        | AttributeKind::Decimal { .. }
        | AttributeKind::Date
        | AttributeKind::Timestamp
        | AttributeKind::Boolean
        | AttributeKind::Text
        | AttributeKind::User
        | AttributeKind::Inviter => Leaf::Present(attribute.id),
    }
}

/// The raw interval of `attribute <comparison> value`.
pub(super) fn bounds(comparison: Comparison, extent: Extent) -> (i128, i128) {
    match comparison {
        Comparison::Less => (i128::MIN, extent.first.saturating_sub(1)),
        Comparison::LessOrEqual => (i128::MIN, extent.last),
        Comparison::Greater => (extent.last.saturating_add(1), i128::MAX),
        Comparison::GreaterOrEqual => (extent.first, i128::MAX),
        Comparison::Equal | Comparison::NotEqual => (extent.first, extent.last),
    }
}

/// `OR` of any number of operands.
pub(super) fn union(mut of: Vec<Expr>) -> Expr {
    match (of.pop(), of.is_empty()) {
        (None, _) => Expr::None,
        (Some(only), true) => only,
        (Some(last), false) => {
            of.push(last);
            Expr::Or(of)
        }
    }
}
