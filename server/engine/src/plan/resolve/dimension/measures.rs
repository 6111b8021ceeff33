//! Measures in a `DIMENSION`, and the conditions on them.
//!
//! Knows which statistic of which numbers a measure is, and how a value is compared with one.
//! Measures of events are in [`super::events`].

use tessera_query_lang::{
    ast::{self, Comparison, Spanned, Value},
    name::Name,
};

use super::{events::Gathered, number_unit, wrong_kind};
use crate::plan::{
    quantity::Quantity,
    query::{Having, Measure, MeasureKind, MeasuredOf, NumberUnit, Statistic},
    resolve::{
        ResolveError, Resolver,
        literal::{Extent, Literal},
    },
};

impl Resolver<'_> {
    pub(super) fn measures(
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

    pub(super) fn measure(
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

    pub(super) fn having(
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
