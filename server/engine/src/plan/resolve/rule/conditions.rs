//! The conditions of the layers that a group's rule deals users to.
//!
//! Knows layers as they are written, bands and percentiles. Does not know who is in a layer in
//! the end: that depends on those before it, and on what was said by hand.

use tessera_query_lang::ast::{
    self, AttributeTest, Band, GroupRule, Layer, Quantity, RangeTest, Span, Spanned, When,
};

use crate::{
    ids::TagId,
    plan::{
        logical::Expr,
        rank::{Share, Shares},
        resolve::{Literal, ResolveError, Resolver},
    },
};

impl Resolver<'_> {
    /// The conditions of a group's layers, each by itself.
    pub(super) fn conditions(
        &mut self,
        rule: &GroupRule,
    ) -> Result<Vec<(TagId, Expr)>, ResolveError> {
        match rule {
            GroupRule::Layers(layers) => {
                self.each_layer(layers, |resolver, rule| resolver.resolve_expr(rule))
            }
            GroupRule::Bands { of, bands } => {
                self.each_layer(bands, |resolver, band| resolver.band(of, band))
            }
            GroupRule::Percentiles { of, bands } => {
                let mut shares = Vec::with_capacity(bands.len());
                for layer in bands {
                    if let When::If(band) = &layer.when {
                        shares.push(self.shares(band)?);
                    }
                }
                let mut ranked = self.ranked(of, &shares)?.into_iter();
                self.each_layer(bands, |_, _| Ok(ranked.next().unwrap_or(Expr::None)))
            }
        }
    }

    fn each_layer<T>(
        &mut self,
        layers: &[Layer<T>],
        mut condition: impl FnMut(&mut Self, &T) -> Result<Expr, ResolveError>,
    ) -> Result<Vec<(TagId, Expr)>, ResolveError> {
        let mut conditions = Vec::with_capacity(layers.len());
        for Layer { tag, when } in layers {
            let tag = self.tag_named(&tag.node, tag.span)?.id;
            self.grow(1, Span::default())?;
            let condition = match when {
                When::If(of) => condition(self, of)?,
                When::Otherwise => Expr::All,
            };
            conditions.push((tag, condition));
        }
        Ok(conditions)
    }

    fn band(&mut self, of: &Quantity, band: &Band) -> Result<Expr, ResolveError> {
        let (low, high) = (band.low.clone(), band.high.clone());
        match of {
            Quantity::Attribute(name) => {
                let attribute = self.attribute_named(name)?;
                let test = AttributeTest::Between { low, high };
                self.attribute_test(attribute, &test, name.span)
            }
            Quantity::Events(measure) => {
                let measure = (**measure).clone();
                let test = RangeTest::Between { low, high };
                let behaviour = ast::Behaviour::Measure { measure, test };
                self.behaviour(&Spanned::synthetic(behaviour))
            }
        }
    }

    fn shares(&mut self, band: &Band) -> Result<Shares, ResolveError> {
        let mut share = |value: &Option<Spanned<ast::Value>>| {
            let Some(value) = value else {
                return Ok(None);
            };
            let literal: Literal = self.literal(value)?;
            let share = literal
                .number()
                .and_then(|(units, scale)| Share::percent(units, scale));
            share.map(Some).ok_or_else(|| {
                let message = format!(
                    "a percentile is a number from 0 to 100, and {} is not",
                    literal.describe()
                );
                ResolveError::mismatch(message, value.span)
            })
        };
        Ok(Shares {
            low: share(&band.low)?,
            high: share(&band.high)?,
        })
    }
}
