//! Who invited whom, by the attribute of inviters.

use std::sync::Arc;

use tessera_query_lang::ast::{self, Comparison, INVITED_BY, RangeTest, Span, Spanned};

use super::{
    NamedKind, ResolveError, Resolver, attribute::bounds, literal::scaled, names::unknown,
};
use crate::{
    ids::AttributeId,
    plan::logical::{Expr, Leaf, Range, Referral, ReferralQuestion},
    schema::AttributeKind,
};

/// How deep questions about inviters may stand in each other: each is a question of its own
/// about all users, answered before the one around it.
pub(super) const REFERRALS_NESTED_MAX: usize = 8;

impl Resolver<'_> {
    pub(super) fn referral(
        &mut self,
        referral: &Spanned<ast::Referral>,
    ) -> Result<Expr, ResolveError> {
        let span = referral.span;
        let attribute = self.inviters(span)?;
        let question = match &referral.node {
            ast::Referral::ReferredBy(of) => ReferralQuestion::ReferredBy(self.asked_of(of, span)?),
            ast::Referral::InviterOf(of) => ReferralQuestion::InviterOf(self.asked_of(of, span)?),
            ast::Referral::DescendantsOf(of, steps) => {
                ReferralQuestion::DescendantsOf(self.asked_of(of, span)?, steps.node)
            }
            ast::Referral::Invited(test) => return self.invited(attribute, test, span),
        };
        self.referral_leaf(attribute, question, span)
    }

    fn referral_leaf(
        &mut self,
        attribute: AttributeId,
        question: ReferralQuestion,
        span: Span,
    ) -> Result<Expr, ResolveError> {
        let referral = Referral {
            attribute,
            question,
        };
        self.leaf(Leaf::Referral(Arc::new(referral)), span)
    }

    /// The attribute that says who invited whom.
    fn inviters(&self, span: Span) -> Result<AttributeId, ResolveError> {
        let Some(attribute) = self.schema.attribute(INVITED_BY) else {
            let known = self.schema.attributes();
            let known = known.map(|attribute| attribute.name.as_str());
            return Err(unknown(NamedKind::Attribute, INVITED_BY, span, known));
        };
        match attribute.kind {
            AttributeKind::Inviter => Ok(attribute.id),
            AttributeKind::User => Err(ResolveError::mismatch(
                format!(
                    "{INVITED_BY} was defined before there were questions about inviters: drop it \
                     and define it again"
                ),
                span,
            )),
            AttributeKind::Enum(_)
            | AttributeKind::Multi(_)
            | AttributeKind::Integer
            | AttributeKind::Decimal { .. }
            | AttributeKind::Date
            | AttributeKind::Timestamp
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::YearsSince(_) => Err(ResolveError::mismatch(
                format!(
                    "{INVITED_BY} is of the type {}: it must be user",
                    attribute.kind
                ),
                span,
            )),
        }
    }

    fn asked_of(&mut self, of: &ast::Expr, span: Span) -> Result<Expr, ResolveError> {
        self.referrals += 1;
        self.check_referrals(self.referrals, span)?;
        let resolved = self.resolve_expr(of);
        self.referrals -= 1;
        resolved
    }

    /// Refuses more questions about inviters in each other than there may be.
    pub(super) fn check_referrals(&self, nested: usize, span: Span) -> Result<(), ResolveError> {
        if nested <= REFERRALS_NESTED_MAX {
            return Ok(());
        }
        Err(ResolveError::TooMany {
            what: "questions about inviters in each other",
            max: REFERRALS_NESTED_MAX as u64,
            span,
        })
    }

    /// `count(invited) >= 2`. Who invited nobody has a count, too: zero.
    fn invited(
        &mut self,
        attribute: AttributeId,
        test: &RangeTest,
        span: Span,
    ) -> Result<Expr, ResolveError> {
        match test {
            RangeTest::Compare(Comparison::NotEqual, value) => {
                let extent = self.whole(value)?;
                self.grow(1, span)?;
                let equal = self.invited_within(attribute, (extent.first, extent.last), span)?;
                Ok(equal.negated())
            }
            RangeTest::Compare(comparison, value) => {
                let extent = self.whole(value)?;
                self.invited_within(attribute, bounds(*comparison, extent), span)
            }
            RangeTest::Between { low, high } => {
                let low = low.as_ref().map(|low| self.whole(low)).transpose()?;
                let high = high.as_ref().map(|high| self.whole(high)).transpose()?;
                let low = low.map_or(i128::MIN, |extent| extent.first);
                let high = high.map_or(i128::MAX, |extent| extent.last);
                self.invited_within(attribute, (low, high), span)
            }
        }
    }

    fn whole(
        &mut self,
        value: &Spanned<ast::Value>,
    ) -> Result<super::literal::Extent, ResolveError> {
        let literal = self.literal(value)?;
        let number = literal
            .number()
            .map(|(units, scale)| scaled(units, scale, 0));
        number.ok_or_else(|| {
            let message = format!("a number is expected, and {} is not", literal.describe());
            ResolveError::mismatch(message, value.span)
        })
    }

    fn invited_within(
        &mut self,
        attribute: AttributeId,
        (low, high): (i128, i128),
        span: Span,
    ) -> Result<Expr, ResolveError> {
        self.grow(1, span)?;
        if low > high || high < 0 {
            return Ok(Expr::None);
        }
        let whole = |number: i128| i64::try_from(number).unwrap_or(i64::MAX);
        let among = |low: i128, high: i128| Range::new(whole(low.max(1)), whole(high));
        if low > 0 {
            return match among(low, high) {
                Some(range) => {
                    self.referral_leaf(attribute, ReferralQuestion::Invited(range), span)
                }
                None => Ok(Expr::None),
            };
        }
        // With those who invited nobody: everybody but who invited more.
        match high
            .checked_add(1)
            .filter(|least| *least <= i64::MAX.into())
        {
            Some(least) => match among(least, i128::MAX) {
                Some(range) => {
                    let more = ReferralQuestion::Invited(range);
                    Ok(self.referral_leaf(attribute, more, span)?.negated())
                }
                None => Ok(Expr::All),
            },
            None => Ok(Expr::All),
        }
    }
}
