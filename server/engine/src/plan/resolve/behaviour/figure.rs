//! Comparisons of a figure over each user's events: their count, days, sums, means, least and
//! greatest values, first and last moments.

use tessera_query_lang::ast::{Comparison, Figure, RangeTest, Span, Spanned, Value};

use super::Asked;
use crate::{
    behaviour::{Bound, Filter, Question, Window},
    ids::AttributeId,
    plan::{
        logical::{Expr, Range},
        resolve::{
            ResolveError, Resolver,
            attribute::bounds,
            literal::{Extent, Literal, scaled},
        },
    },
    schema::{AttributeDefinition, AttributeKind},
};

/// The raw numbers that a comparison lets through, and whether it is their opposite that it does.
pub(super) struct Wanted {
    pub(super) low: i128,
    pub(super) high: i128,
    pub(super) is_negated: bool,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.low > self.high
    }
}

impl Resolver<'_> {
    pub(super) fn figure(
        &mut self,
        asked: &Asked<'_>,
        figure: &Figure,
        test: &RangeTest,
    ) -> Result<Expr, ResolveError> {
        match figure {
            Figure::Count => {
                let wanted = self.wanted(test, &|literal, span| whole(literal, span))?;
                self.measured(asked, &wanted, |bound| match bound {
                    Bound::Within(1, i128::MAX) | Bound::Outside(_, 0) => Question::Did,
                    bound @ (Bound::Within(..) | Bound::Outside(..)) => Question::Count(bound),
                })
            }
            Figure::Days => {
                let wanted = self.wanted(test, &|literal, span| whole(literal, span))?;
                self.measured(asked, &wanted, |bound| match bound {
                    Bound::Within(1, i128::MAX) | Bound::Outside(_, 0) => Question::Did,
                    bound @ (Bound::Within(..) | Bound::Outside(..)) => Question::Days(bound),
                })
            }
            Figure::Sum(name) => {
                let property = self.number_named(asked.event, name)?;
                let wanted = self.wanted(test, &|literal, span| literal.extent(&property, span))?;
                self.measured(asked, &wanted, |bound| Question::Sum(property.id, bound))
            }
            Figure::Average(name) => {
                let property = self.number_named(asked.event, name)?;
                self.average(asked, &property, test)
            }
            Figure::Min(name) => {
                let property = self.ordered_property(asked.event, name)?;
                let wanted = self.wanted(test, &|literal, span| literal.extent(&property, span))?;
                let better = range(i128::MIN, wanted.low.saturating_sub(1));
                self.extreme(asked, property.id, &wanted, better)
            }
            Figure::Max(name) => {
                let property = self.ordered_property(asked.event, name)?;
                let wanted = self.wanted(test, &|literal, span| literal.extent(&property, span))?;
                let better = range(wanted.high.saturating_add(1), i128::MAX);
                self.extreme(asked, property.id, &wanted, better)
            }
            Figure::First | Figure::Last => {
                let wanted = self.wanted(test, &|literal, span| moments(literal, span))?;
                let beyond = match figure {
                    Figure::First => range(i128::MIN, wanted.low.saturating_sub(1)),
                    Figure::Last
                    | Figure::Count
                    | Figure::Days
                    | Figure::Sum(_)
                    | Figure::Average(_)
                    | Figure::Min(_)
                    | Figure::Max(_) => range(wanted.high.saturating_add(1), i128::MAX),
                };
                self.edge(asked, &wanted, beyond)
            }
        }
    }

    /// What a test lets through.
    fn wanted(
        &mut self,
        test: &RangeTest,
        extent: &dyn Fn(&Literal, Span) -> Result<Extent, ResolveError>,
    ) -> Result<Wanted, ResolveError> {
        let mut of = |value: &Spanned<Value>| extent(&self.literal(value)?, value.span);
        Ok(match test {
            RangeTest::Compare(comparison, value) => {
                let (low, high) = bounds(*comparison, of(value)?);
                Wanted {
                    low,
                    high,
                    is_negated: *comparison == Comparison::NotEqual,
                }
            }
            RangeTest::Between { low, high } => Wanted {
                low: match low {
                    Some(low) => of(low)?.first,
                    None => i128::MIN,
                },
                high: match high {
                    Some(high) => of(high)?.last,
                    None => i128::MAX,
                },
                is_negated: false,
            },
        })
    }

    /// Who has such a measure, which is zero for whoever did nothing.
    pub(super) fn measured(
        &mut self,
        asked: &Asked<'_>,
        wanted: &Wanted,
        question: impl Fn(Bound) -> Question,
    ) -> Result<Expr, ResolveError> {
        let Wanted { low, high, .. } = *wanted;
        self.grow(2, asked.span)?;
        let has_zero = low <= 0 && 0 <= high;
        let found = if wanted.is_empty() {
            Expr::None
        } else if has_zero && low == i128::MIN && high == i128::MAX {
            Expr::All
        } else if has_zero {
            self.ask(asked, question(Bound::Outside(low, high)))?
                .negated()
        } else {
            self.ask(asked, question(Bound::Within(low, high)))?
        };
        Ok(match wanted.is_negated {
            true => found.negated(),
            false => found,
        })
    }

    fn average(
        &mut self,
        asked: &Asked<'_>,
        property: &AttributeDefinition,
        test: &RangeTest,
    ) -> Result<Expr, ResolveError> {
        let compared = |resolver: &mut Self, comparison: Comparison, value: &Spanned<Value>| {
            let literal = resolver.literal(value)?;
            let than = quotient(&literal, property.kind).ok_or_else(|| {
                let message = format!("a mean is a number, and {} is not", literal.describe());
                ResolveError::mismatch(message, value.span)
            })?;
            resolver.ask(
                asked,
                Question::Average(property.id, comparison.into(), than),
            )
        };
        match test {
            RangeTest::Compare(comparison, value) => compared(self, *comparison, value),
            RangeTest::Between { low, high } => {
                let mut both = Vec::new();
                if let Some(low) = low {
                    both.push(compared(self, Comparison::GreaterOrEqual, low)?);
                }
                if let Some(high) = high {
                    both.push(compared(self, Comparison::LessOrEqual, high)?);
                }
                Ok(Expr::And(both))
            }
        }
    }

    /// Whose least or greatest value is such: one is, and none is better.
    pub(super) fn extreme(
        &mut self,
        asked: &Asked<'_>,
        property: AttributeId,
        wanted: &Wanted,
        better: Option<Range>,
    ) -> Result<Expr, ResolveError> {
        self.grow(3, asked.span)?;
        let one = match range(wanted.low, wanted.high) {
            Some(range) => self.did(asked, Filter::Test(property, range), Window::ALL)?,
            None => Expr::None,
        };
        let is_such = match better {
            Some(better) => {
                let better = self.did(asked, Filter::Test(property, better), Window::ALL)?;
                Expr::And(vec![one, better.negated()])
            }
            None => one,
        };
        if !wanted.is_negated {
            return Ok(is_such);
        }
        let any = self.did(asked, Filter::present(property), Window::ALL)?;
        Ok(Expr::And(vec![any, is_such.negated()]))
    }

    /// Whose first or last moment is such: one is, and none is beyond.
    pub(super) fn edge(
        &mut self,
        asked: &Asked<'_>,
        wanted: &Wanted,
        beyond: Option<Range>,
    ) -> Result<Expr, ResolveError> {
        let window = |range: Range| Window {
            from_us: range.low,
            to_us: range.high,
        };
        self.grow(3, asked.span)?;
        let one = match range(wanted.low, wanted.high) {
            Some(range) => self.did(asked, Filter::All, window(range))?,
            None => Expr::None,
        };
        let is_such = match beyond {
            Some(beyond) => {
                let beyond = self.did(asked, Filter::All, window(beyond))?;
                Expr::And(vec![one, beyond.negated()])
            }
            None => one,
        };
        if !wanted.is_negated {
            return Ok(is_such);
        }
        let any = self.did(asked, Filter::All, Window::ALL)?;
        Ok(Expr::And(vec![any, is_such.negated()]))
    }
}

/// The raw numbers between two, as far as 64 bits hold them.
pub(super) fn range(low: i128, high: i128) -> Option<Range> {
    let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
    if high < least || low > most {
        return None;
    }
    Range::new(
        low.clamp(least, most) as i64,
        high.clamp(least, most) as i64,
    )
}

fn whole(literal: &Literal, span: Span) -> Result<Extent, ResolveError> {
    let number = literal
        .number()
        .map(|(units, scale)| scaled(units, scale, 0));
    number.ok_or_else(|| {
        let message = format!("a number is expected, and {} is not", literal.describe());
        ResolveError::mismatch(message, span)
    })
}

fn moments(literal: &Literal, span: Span) -> Result<Extent, ResolveError> {
    literal.moments().ok_or_else(|| {
        let message = format!(
            "a moment or a day is expected, and {} is not",
            literal.describe()
        );
        ResolveError::mismatch(message, span)
    })
}

/// A number as a quotient in the units in which a property is kept.
fn quotient(literal: &Literal, kind: AttributeKind) -> Option<(i128, i128)> {
    let digits = match kind {
        AttributeKind::Decimal { scale } => scale,
        AttributeKind::Integer
        | AttributeKind::Enum(_)
        | AttributeKind::Multi(_)
        | AttributeKind::Date
        | AttributeKind::Timestamp
        | AttributeKind::Boolean
        | AttributeKind::Text
        | AttributeKind::User
        | AttributeKind::Inviter
        | AttributeKind::YearsSince(_) => 0,
    };
    let (units, scale) = literal.number()?;
    let numerator = units.checked_mul(10_i128.checked_pow(digits.into())?)?;
    Some((numerator, 10_i128.checked_pow(scale.into())?))
}
