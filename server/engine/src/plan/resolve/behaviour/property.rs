//! Properties of events: which may be asked about in which way, and conditions on one event.

use std::sync::Arc;

use tessera_query_lang::{
    ast::{self, PropertyExpr, Span, Spanned, Value},
    name::Name,
};

use crate::{
    behaviour::Filter,
    ids::NumberId,
    plan::{
        logical::{Expr, Leaf, Range},
        resolve::{NamedKind, ResolveError, Resolver, literal::kind_name, names::unknown},
    },
    schema::{AttributeClass, AttributeDefinition, AttributeKind, EventDefinition},
};

impl Resolver<'_> {
    /// A property of a kind of event that can be asked about.
    pub(in crate::plan::resolve) fn property_named(
        &self,
        event: &EventDefinition,
        name: &Spanned<Name>,
    ) -> Result<Arc<AttributeDefinition>, ResolveError> {
        let Some(property) = event.property(name.node.as_str()) else {
            let names = event
                .properties
                .iter()
                .map(|property| property.name.as_str());
            let kind = NamedKind::PropertyOf(event.name.to_string());
            return Err(unknown(kind, name.node.as_str(), name.span, names));
        };
        if property.kind.class() == AttributeClass::Textual {
            let message = format!(
                "{}.{} is {}: texts of events are shown, and not asked about",
                event.name,
                property.name,
                kind_name(&property.kind)
            );
            return Err(ResolveError::mismatch(message, name.span));
        }
        Ok(Arc::clone(property))
    }

    pub(super) fn filter(
        &mut self,
        event: &EventDefinition,
        filter: Option<&PropertyExpr>,
        span: Span,
    ) -> Result<Filter, ResolveError> {
        self.grow(1, span)?;
        let mut each = |of: &[PropertyExpr]| {
            let filters = of.iter().map(|inner| self.filter(event, Some(inner), span));
            filters.collect::<Result<Vec<_>, _>>()
        };
        Ok(match filter {
            None => Filter::All,
            Some(PropertyExpr::Test { name, test }) => {
                let property = self.property_named(event, name)?;
                self.property_test(&property, test, name.span)?
            }
            Some(PropertyExpr::Not(inner)) => {
                Filter::Not(Box::new(self.filter(event, Some(inner), span)?))
            }
            Some(PropertyExpr::And(of)) => Filter::And(each(of)?),
            Some(PropertyExpr::Or(of)) => Filter::Or(each(of)?),
        })
    }

    pub(super) fn property_test(
        &mut self,
        property: &AttributeDefinition,
        test: &ast::AttributeTest,
        span: Span,
    ) -> Result<Filter, ResolveError> {
        let expr = self.attribute_test(property, test, span)?;
        filter_of(&expr).ok_or_else(|| {
            let message = format!("{} cannot be asked about in this way", property.name);
            ResolveError::mismatch(message, span)
        })
    }

    /// The codes or numbers of some values, sorted.
    pub(super) fn codes(
        &mut self,
        property: &AttributeDefinition,
        values: &[Spanned<Value>],
    ) -> Result<Vec<i64>, ResolveError> {
        let mut codes = Vec::new();
        for value in values {
            for literal in self.literals(value)? {
                match property.kind.class() {
                    AttributeClass::Coded | AttributeClass::MultiCoded => {
                        codes.push(self.code(property, &literal, value.span)?.0.into());
                    }
                    AttributeClass::Numeric | AttributeClass::Textual => {
                        let extent = literal.extent(property, value.span)?;
                        if extent.first == extent.last {
                            codes.extend(i64::try_from(extent.first));
                        }
                    }
                }
            }
        }
        codes.sort_unstable();
        codes.dedup();
        Ok(codes)
    }

    pub(in crate::plan::resolve) fn number_named(
        &self,
        event: &EventDefinition,
        name: &Spanned<Name>,
    ) -> Result<Arc<AttributeDefinition>, ResolveError> {
        let property = self.property_named(event, name)?;
        match property.kind {
            AttributeKind::Integer | AttributeKind::Decimal { .. } => Ok(property),
            AttributeKind::Enum(_)
            | AttributeKind::Multi(_)
            | AttributeKind::Date
            | AttributeKind::Timestamp
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::User
            | AttributeKind::Inviter
            | AttributeKind::YearsSince(_) => {
                let kind = kind_name(&property.kind);
                let message = format!("{} is {kind}: it cannot be added up", property.name);
                Err(ResolveError::mismatch(message, name.span))
            }
        }
    }

    pub(in crate::plan::resolve) fn ordered_property(
        &self,
        event: &EventDefinition,
        name: &Spanned<Name>,
    ) -> Result<Arc<AttributeDefinition>, ResolveError> {
        let property = self.property_named(event, name)?;
        if property.kind.class() == AttributeClass::Numeric {
            return Ok(property);
        }
        let kind = kind_name(&property.kind);
        let message = format!("{} is {kind}: it has no order", property.name);
        Err(ResolveError::mismatch(message, name.span))
    }
}

/// A condition on one event, made of tests of its properties only.
fn filter_of(expr: &Expr) -> Option<Filter> {
    let each = |of: &[Expr]| of.iter().map(filter_of).collect::<Option<Vec<_>>>();
    match expr {
        Expr::All => Some(Filter::All),
        Expr::None => Some(Filter::Or(Vec::new())),
        Expr::Leaf(Leaf::Present(property)) => Some(Filter::present(*property)),
        Expr::Leaf(Leaf::Value(property, code)) => {
            let code = code.0.into();
            Some(Filter::Test(
                *property,
                Range {
                    low: code,
                    high: code,
                },
            ))
        }
        Expr::Leaf(Leaf::Range(NumberId::Attribute(property), range)) => {
            Some(Filter::Test(*property, *range))
        }
        Expr::Leaf(
            Leaf::Range(NumberId::Since(_) | NumberId::Until(_), _)
            | Leaf::Tag(_)
            | Leaf::Text(..)
            | Leaf::Keys(_)
            | Leaf::Behaviour(_)
            | Leaf::Referral(_)
            | Leaf::Held(..)
            | Leaf::Recorded(..)
            | Leaf::Blocked(_)
            | Leaf::Anniversary(..),
        ) => None,
        Expr::Not(inner) => Some(Filter::Not(Box::new(filter_of(inner)?))),
        Expr::And(of) => Some(Filter::And(each(of)?)),
        Expr::Or(of) => Some(Filter::Or(each(of)?)),
        Expr::AtLeast { .. } => None,
    }
}
