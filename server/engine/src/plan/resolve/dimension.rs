//! `DIMENSION`: dims, measures, conditions and order.
//!
//! Knows what a statement is split by and how its groups are ordered. What concerns events is in
//! [`events`], bands are in `bands`, measures and conditions in `measures`.

mod bands;
mod events;
mod measures;

use tessera_query_lang::{
    ast::{self, Direction, Span, Spanned},
    name::Name,
    suggest::nearest,
};

use super::{NamedKind, ResolveError, Resolver, literal::kind_name};
use crate::{
    ids::TagId,
    plan::query::{
        Dim, DimKind, DimensionQuery, GroupOrder, MeasureKind, NumberUnit, PropertySplit,
    },
    schema::{AttributeDefinition, AttributeKind},
};
use events::{Gathered, is_of_events};

/// Two columns with the same name and values would only confuse.
fn refuse_twins(written: &[ast::Dim], dims: &[Dim]) -> Result<(), ResolveError> {
    for (position, (dim, resolved)) in written.iter().zip(dims).enumerate() {
        let is_twin = |(earlier, known): (&ast::Dim, &Dim)| {
            earlier == dim || is_of_events(&resolved.kind) && known.kind == resolved.kind
        };
        if written.iter().zip(dims).take(position).any(is_twin) {
            let span = match dim {
                ast::Dim::Attribute(name)
                | ast::Dim::Bands {
                    attribute: name, ..
                }
                | ast::Dim::Calendar {
                    attribute: name, ..
                } => name.span,
                ast::Dim::Group(group) => group.span,
                ast::Dim::Events { events, .. } => events.name.span,
                ast::Dim::Tags(patterns) => patterns.first().map_or_else(Span::default, |p| p.span),
            };
            let message = format!("{} is named twice", resolved.name);
            return Err(ResolveError::mismatch(message, span));
        }
    }
    Ok(())
}

/// Names dims as they are written where their short names are the same.
fn tell_apart(written: &[ast::Dim], dims: &mut [Dim]) {
    let short: Vec<String> = dims.iter().map(|dim| dim.name.clone()).collect();
    for (dim, written) in dims.iter_mut().zip(written) {
        if short.iter().filter(|name| **name == dim.name).count() > 1 {
            dim.name = written.to_string();
        }
    }
}

impl Resolver<'_> {
    pub(super) fn resolve_dimension(
        &mut self,
        dimension: &ast::Dimension,
    ) -> Result<DimensionQuery, ResolveError> {
        if dimension.dims.len() > self.limits.dims_max {
            let max = self.limits.dims_max as u64;
            return Err(ResolveError::TooMany {
                what: "dims",
                max,
                span: Span::default(),
            });
        }
        let mut gathered = Gathered::new(self.window(dimension.window.as_ref())?);
        let mut dims: Vec<Dim> = dimension
            .dims
            .iter()
            .map(|dim| self.dim(dim, &mut gathered))
            .collect::<Result<_, _>>()?;
        refuse_twins(&dimension.dims, &dims)?;
        let measures = self.measures(&dimension.measures, &mut gathered)?;
        let having = dimension
            .having
            .as_ref()
            .map(|having| self.having(having, &mut gathered))
            .transpose()?;
        let order = self.group_order(dimension, &dims, &mut gathered)?;
        if let Some(window) = &dimension.window {
            gathered.check_window(window.span)?;
        }
        tell_apart(&dimension.dims, &mut dims);
        Ok(DimensionQuery {
            dims,
            measures,
            having,
            order,
            measured: gathered.measured,
            events: gathered.split,
            top: dimension.top.as_ref().map(|top| top.node),
            filter: self.resolve_expr(&dimension.filter)?,
        })
    }

    fn dim(&mut self, dim: &ast::Dim, gathered: &mut Gathered) -> Result<Dim, ResolveError> {
        if let Some((events, by)) = self.events_written_as_attribute(dim) {
            return self.event_dim(&events, &by, gathered);
        }
        match dim {
            ast::Dim::Attribute(name) => self.attribute_dim(name),
            ast::Dim::Bands { attribute, bounds } => self.bands(attribute, bounds),
            ast::Dim::Calendar { attribute, unit } => {
                let definition = self.attribute_named(attribute)?;
                let number = match number_unit(&definition.kind) {
                    Some(number @ (NumberUnit::Date | NumberUnit::Timestamp)) => number,
                    Some(NumberUnit::Integer | NumberUnit::Decimal(_)) | None => {
                        return Err(wrong_kind(
                            definition,
                            "only dates and timestamps have calendar units",
                            attribute,
                        ));
                    }
                };
                let kind = DimKind::Calendar {
                    attribute: definition.id,
                    number,
                    unit: *unit,
                };
                Ok(Dim {
                    name: definition.name.as_str().to_owned(),
                    kind,
                })
            }
            ast::Dim::Events { events, by } => self.event_dim(events, by, gathered),
            ast::Dim::Tags(patterns) => {
                let tags = self.dim_tags(patterns)?;
                let span = patterns.first().map_or_else(Span::default, |tag| tag.span);
                Ok(Dim {
                    name: "tag".to_owned(),
                    kind: self.tags_dim(tags, span)?,
                })
            }
            ast::Dim::Group(name) => {
                let group = self.group_named(name)?;
                let tags = self
                    .schema
                    .tags_beneath(group.id)
                    .map(|tag| tag.id)
                    .collect();
                Ok(Dim {
                    name: format!("group:{}", group.name.as_str()),
                    kind: self.tags_dim(tags, name.span)?,
                })
            }
        }
    }

    fn tags_dim(&mut self, tags: Vec<TagId>, span: Span) -> Result<DimKind, ResolveError> {
        Ok(DimKind::Tags {
            ruled: self.ruled(tags.iter().copied(), span)?,
            tags,
            at_s: self.now_s(),
        })
    }

    fn dim_tags(
        &mut self,
        patterns: &[Spanned<ast::TagPattern>],
    ) -> Result<Vec<TagId>, ResolveError> {
        if patterns.is_empty() {
            let in_sight = self.schema.tags().filter(|tag| tag.lifecycle.is_in_sight());
            return Ok(in_sight.map(|tag| tag.id).collect());
        }
        let mut tags = Vec::new();
        for pattern in patterns {
            tags.extend(self.tags_matching(pattern)?);
        }
        tags.sort_unstable();
        tags.dedup();
        Ok(tags)
    }

    fn attribute_dim(&mut self, name: &Spanned<Name>) -> Result<Dim, ResolveError> {
        let definition = self.attribute_named(name)?;
        let kind = match &definition.kind {
            AttributeKind::Enum(_) => DimKind::Enum(definition.id),
            AttributeKind::Multi(_) => DimKind::Multi(definition.id),
            AttributeKind::Boolean => DimKind::Boolean(definition.id),
            AttributeKind::Integer | AttributeKind::YearsSince(_) => {
                DimKind::Number(definition.id, NumberUnit::Integer)
            }
            AttributeKind::Decimal { scale } => {
                DimKind::Number(definition.id, NumberUnit::Decimal(*scale))
            }
            AttributeKind::Date => DimKind::Number(definition.id, NumberUnit::Date),
            AttributeKind::Timestamp => DimKind::Number(definition.id, NumberUnit::Timestamp),
            AttributeKind::Inviter => DimKind::Inviter(definition.id),
            AttributeKind::Text | AttributeKind::User => {
                return Err(wrong_kind(
                    definition,
                    "such attributes are not grouped",
                    name,
                ));
            }
        };
        Ok(Dim {
            name: definition.name.as_str().to_owned(),
            kind,
        })
    }

    /// What was written; else by count where one dim has names, and nothing (the order of the
    /// dims' values) for bands, numbers, dates, and more than one dim.
    fn group_order(
        &mut self,
        dimension: &ast::Dimension,
        dims: &[Dim],
        gathered: &mut Gathered,
    ) -> Result<Vec<(GroupOrder, Direction)>, ResolveError> {
        if dimension.order.is_empty() {
            let by_count = dims.len() == 1 && dims.iter().all(has_names);
            let order = (
                GroupOrder::Measure(MeasureKind::Count),
                Direction::Descending,
            );
            return Ok(if by_count { vec![order] } else { Vec::new() });
        }
        dimension
            .order
            .iter()
            .map(|(order, direction)| {
                let order = match order {
                    ast::DimensionOrder::Dim(name) => GroupOrder::Dim(dim_index(dims, name)?),
                    ast::DimensionOrder::Measure(measure) => {
                        GroupOrder::Measure(self.measure(measure, gathered)?)
                    }
                };
                Ok((order, *direction))
            })
            .collect()
    }
}

fn has_names(dim: &Dim) -> bool {
    match dim.kind {
        DimKind::Enum(_)
        | DimKind::Boolean(_)
        | DimKind::Multi(_)
        | DimKind::Inviter(_)
        | DimKind::Tags { .. }
        | DimKind::EventProperty(_, PropertySplit::Name | PropertySplit::Boolean) => true,
        DimKind::Number(..)
        | DimKind::Bands { .. }
        | DimKind::Calendar { .. }
        | DimKind::EventTime(_)
        | DimKind::EventProperty(_, PropertySplit::Number(_)) => false,
    }
}

fn dim_index(dims: &[Dim], name: &Spanned<Name>) -> Result<usize, ResolveError> {
    let wanted = name.node.as_str();
    dims.iter()
        .position(|dim| dim.name == wanted)
        .ok_or_else(|| ResolveError::UnknownName {
            kind: NamedKind::Dim,
            name: wanted.to_owned(),
            span: name.span,
            suggestions: nearest(wanted, dims.iter().map(|dim| dim.name.as_str())),
        })
}

pub(crate) fn number_unit(kind: &AttributeKind) -> Option<NumberUnit> {
    match kind {
        AttributeKind::Integer | AttributeKind::YearsSince(_) => Some(NumberUnit::Integer),
        AttributeKind::Decimal { scale } => Some(NumberUnit::Decimal(*scale)),
        AttributeKind::Date => Some(NumberUnit::Date),
        AttributeKind::Timestamp => Some(NumberUnit::Timestamp),
        AttributeKind::Enum(_)
        | AttributeKind::Multi(_)
        | AttributeKind::Boolean
        | AttributeKind::Text
        | AttributeKind::User
        | AttributeKind::Inviter => None,
    }
}

fn wrong_kind(
    definition: &AttributeDefinition,
    reason: &str,
    name: &Spanned<Name>,
) -> ResolveError {
    let message = format!(
        "{} is {}: {reason}",
        definition.name.as_str(),
        kind_name(&definition.kind)
    );
    ResolveError::mismatch(message, name.span)
}
