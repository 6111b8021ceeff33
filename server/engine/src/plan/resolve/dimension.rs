//! `DIMENSION`: dims, measures, conditions and order.
//!
//! Band labels: for integers `<18`, `18..24`, `>=55`, and a band of one number is that number;
//! for decimals, dates and timestamps `<18.50`, `[18.50, 25.00)`, `>=55.00`, since between two
//! of them there is always another or may be one.
//!
//! What concerns events is in [`events`].

mod events;

use tessera_query_lang::{
    ast::{self, Comparison, Direction, Span, Spanned, Value},
    name::Name,
    suggest::nearest,
};

use super::{
    NamedKind, ResolveError, Resolver,
    literal::{Extent, Literal, decimal_text, kind_name},
};
use crate::{
    ids::TagId,
    plan::{
        quantity::Quantity,
        query::{
            Dim, DimKind, DimensionQuery, GroupOrder, Having, Measure, MeasureKind, MeasuredOf,
            NumberUnit, PropertySplit, Statistic,
        },
    },
    schema::{AttributeDefinition, AttributeKind},
    time,
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

    fn bands(
        &mut self,
        name: &Spanned<Name>,
        bounds: &[Spanned<Value>],
    ) -> Result<Dim, ResolveError> {
        let definition = self.attribute_named(name)?;
        let Some(unit) = number_unit(&definition.kind) else {
            return Err(wrong_kind(
                definition,
                "only numbers, dates and timestamps have bands",
                name,
            ));
        };
        let mut raw: Vec<i64> = Vec::with_capacity(bounds.len());
        for bound in bounds {
            let first = self.literal(bound)?.extent(definition, bound.span)?.first;
            let first = i64::try_from(first).map_err(|_| {
                ResolveError::mismatch("this bound is outside the attribute's numbers", bound.span)
            })?;
            if raw.last().is_some_and(|last| *last >= first) {
                return Err(ResolveError::mismatch(
                    "the bounds of bands must rise",
                    bound.span,
                ));
            }
            raw.push(first);
        }
        let labels = band_labels(&raw, unit);
        let kind = DimKind::Bands {
            attribute: definition.id,
            bounds: raw,
            labels,
        };
        Ok(Dim {
            name: definition.name.as_str().to_owned(),
            kind,
        })
    }

    fn measures(
        &mut self,
        measures: &[Spanned<ast::Measure>],
        gathered: &mut Gathered,
    ) -> Result<Vec<Measure>, ResolveError> {
        if measures.is_empty() {
            return Ok(vec![
                Measure {
                    name: "count".to_owned(),
                    kind: MeasureKind::Count,
                },
                Measure {
                    name: "share".to_owned(),
                    kind: MeasureKind::Share,
                },
            ]);
        }
        measures
            .iter()
            .map(|measure| {
                let kind = self.measure(measure, gathered)?;
                Ok(Measure {
                    name: measure_name(&measure.node),
                    kind,
                })
            })
            .collect()
    }

    fn measure(
        &mut self,
        measure: &Spanned<ast::Measure>,
        gathered: &mut Gathered,
    ) -> Result<MeasureKind, ResolveError> {
        let (statistic, name) = match &measure.node {
            ast::Measure::Count => return Ok(MeasureKind::Count),
            ast::Measure::Share => return Ok(MeasureKind::Share),
            ast::Measure::Users => return Ok(gathered.users()),
            ast::Measure::Events(of) => return self.event_measure(of, measure.span, gathered),
            ast::Measure::Sum(name) => (Statistic::Sum, name),
            ast::Measure::Average(name) => (Statistic::Average, name),
            ast::Measure::Min(name) => (Statistic::Min, name),
            ast::Measure::Max(name) => (Statistic::Max, name),
            ast::Measure::Percentile(rank, name) => (Statistic::Percentile(*rank), name),
        };
        match self.property_written_as_attribute(name) {
            Some((events, property)) => {
                self.property_measure(statistic, &events, &property, gathered)
            }
            None => self.statistic(statistic, name, gathered),
        }
    }

    fn statistic(
        &mut self,
        statistic: Statistic,
        name: &Spanned<Name>,
        gathered: &mut Gathered,
    ) -> Result<MeasureKind, ResolveError> {
        let definition = self.attribute_named(name)?;
        let Some(unit) = number_unit(&definition.kind) else {
            return Err(wrong_kind(
                definition,
                "only numbers, dates and timestamps can be measured",
                name,
            ));
        };
        let adds = matches!(statistic, Statistic::Sum | Statistic::Average);
        if adds && matches!(unit, NumberUnit::Date | NumberUnit::Timestamp) {
            return Err(wrong_kind(
                definition,
                "it has a least, a greatest and percentiles, but no sum",
                name,
            ));
        }
        if gathered.split.is_some() {
            let message = format!(
                "{} is an attribute of users, and here events are split: only events are measured",
                definition.name.as_str()
            );
            return Err(ResolveError::mismatch(message, name.span));
        }
        Ok(gathered.of(statistic, MeasuredOf::Attribute(definition.id), unit))
    }

    fn having(
        &mut self,
        having: &ast::Having,
        gathered: &mut Gathered,
    ) -> Result<Having, ResolveError> {
        match having {
            ast::Having::Compare(measure, comparison, value) => {
                self.compare(measure, *comparison, value, gathered)
            }
            ast::Having::Not(inner) => Ok(Having::Not(Box::new(self.having(inner, gathered)?))),
            ast::Having::And(of) => Ok(Having::And(
                of.iter()
                    .map(|having| self.having(having, gathered))
                    .collect::<Result<_, _>>()?,
            )),
            ast::Having::Or(of) => Ok(Having::Or(
                of.iter()
                    .map(|having| self.having(having, gathered))
                    .collect::<Result<_, _>>()?,
            )),
        }
    }

    fn compare(
        &mut self,
        measure: &Spanned<ast::Measure>,
        comparison: Comparison,
        value: &Spanned<Value>,
        gathered: &mut Gathered,
    ) -> Result<Having, ResolveError> {
        let kind = self.measure(measure, gathered)?;
        let literal = self.literal(value)?;
        let (first, last) = match kind {
            MeasureKind::Of(_, _, unit @ (NumberUnit::Date | NumberUnit::Timestamp)) => {
                let extent = time_extent(&literal, unit);
                (
                    extent.map(|extent| Quantity::whole(extent.first)),
                    extent.map(|extent| Quantity::whole(extent.last)),
                )
            }
            MeasureKind::Count | MeasureKind::Share | MeasureKind::Of(..) => {
                let exact = literal
                    .number()
                    .and_then(|(units, scale)| Quantity::decimal(units, scale));
                (exact, exact)
            }
        };
        match (first, last) {
            (Some(first), Some(last)) => Ok(Having::Compare(kind, comparison, first, last)),
            (Some(_) | None, _) => {
                let name = measure_name(&measure.node);
                let is = kind_of_measure(kind);
                let message = format!("{name} is {is}, and {} is not", literal.describe());
                Err(ResolveError::mismatch(message, value.span))
            }
        }
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

/// The days or moments that a value stands for.
fn time_extent(literal: &Literal, unit: NumberUnit) -> Option<Extent> {
    match unit {
        NumberUnit::Date => literal.day().map(Extent::point),
        NumberUnit::Timestamp => literal.moments(),
        NumberUnit::Integer | NumberUnit::Decimal(_) => None,
    }
}

fn kind_of_measure(kind: MeasureKind) -> &'static str {
    match kind {
        MeasureKind::Of(_, _, NumberUnit::Date) => "a date",
        MeasureKind::Of(_, _, NumberUnit::Timestamp) => "a timestamp",
        MeasureKind::Of(_, _, NumberUnit::Integer | NumberUnit::Decimal(_))
        | MeasureKind::Count
        | MeasureKind::Share => "a number",
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

fn measure_name(measure: &ast::Measure) -> String {
    match measure {
        ast::Measure::Count => "count".to_owned(),
        ast::Measure::Share => "share".to_owned(),
        ast::Measure::Users => "users".to_owned(),
        ast::Measure::Events(measure) => measure.to_string(),
        ast::Measure::Sum(name) => format!("sum({})", name.node),
        ast::Measure::Average(name) => format!("avg({})", name.node),
        ast::Measure::Min(name) => format!("min({})", name.node),
        ast::Measure::Max(name) => format!("max({})", name.node),
        ast::Measure::Percentile(rank, name) => format!("p{rank}({})", name.node),
    }
}

fn raw_text(raw: i64, unit: NumberUnit) -> String {
    match unit {
        NumberUnit::Integer => raw.to_string(),
        NumberUnit::Decimal(scale) => decimal_text(raw.into(), scale),
        NumberUnit::Date => i32::try_from(raw).map_or_else(|_| raw.to_string(), time::format_date),
        NumberUnit::Timestamp => time::format_timestamp(raw),
    }
}

/// One label more than there are bounds.
fn band_labels(bounds: &[i64], unit: NumberUnit) -> Vec<String> {
    let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else {
        return vec!["all".to_owned()];
    };
    let mut labels = vec![format!("<{}", raw_text(*first, unit))];
    labels.extend(bounds.windows(2).map(|pair| match (pair, unit) {
        ([low, next], NumberUnit::Integer) if *low == next - 1 => low.to_string(),
        ([low, next], NumberUnit::Integer) => format!("{low}..{}", next - 1),
        ([low, next], _) => format!("[{}, {})", raw_text(*low, unit), raw_text(*next, unit)),
        (_, _) => String::new(),
    }));
    labels.push(format!(">={}", raw_text(*last, unit)));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn band_labels_are_readable() {
        let check = |bounds: &[i64], unit: NumberUnit, expected: &[&str]| {
            assert_eq!(band_labels(bounds, unit), expected);
        };
        check(
            &[18, 25, 26],
            NumberUnit::Integer,
            &["<18", "18..24", "25", ">=26"],
        );
        check(
            &[1850, 2500],
            NumberUnit::Decimal(2),
            &["<18.50", "[18.50, 25.00)", ">=25.00"],
        );
        check(&[0], NumberUnit::Date, &["<1970-01-01", ">=1970-01-01"]);
        check(&[], NumberUnit::Integer, &["all"]);
    }
}
