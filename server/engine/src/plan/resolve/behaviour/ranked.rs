//! Where users stand among all who have a quantity: bands of percentiles become intervals.

use tessera_query_lang::ast::{Comparison, EventMeasure, Figure, Quantity, Span};

use super::{
    super::literal::kind_name,
    Asked,
    figure::{Wanted, range},
};
use crate::{
    behaviour::{self, Filter, Question, Window},
    ids::AttributeId,
    plan::{
        logical::{DayUnit, Expr},
        rank::{Ranked, Shares, Stretch},
        resolve::{ResolveError, Resolver},
    },
    schema::{AttributeClass, AttributeDefinition, AttributeKind, EventDefinition},
};

impl Asked<'_> {
    fn ranked(&self, figure: behaviour::Figure) -> Ranked {
        Ranked::Events {
            event: self.event.id,
            filter: self.filter.clone(),
            window: self.window,
            figure,
        }
    }
}

impl<'a> Resolver<'a> {
    /// For each of some bands, who stands there among all who have the quantity.
    pub(in crate::plan::resolve) fn ranked(
        &mut self,
        of: &Quantity,
        bands: &[Shares],
    ) -> Result<Vec<Expr>, ResolveError> {
        match of {
            Quantity::Attribute(name) => {
                let attribute = self.attribute_named(name)?;
                if attribute.kind.class() != AttributeClass::Numeric {
                    let kind = kind_name(&attribute.kind);
                    let message = format!("{} is {kind}: it has no order", attribute.name);
                    return Err(ResolveError::mismatch(message, name.span));
                }
                let stretches = self.stretches(&self.ranked_attribute(attribute), bands)?;
                let ranges = stretches.into_iter().map(|stretch| {
                    let bounds = bounds_of(stretch);
                    self.range(attribute, bounds, name.span)
                });
                ranges.collect()
            }
            Quantity::Events(measure) => {
                let (asked, figure) = self.asked_figure(measure)?;
                if asked.window.is_empty() {
                    return Ok(vec![Expr::None; bands.len()]);
                }
                let ranked = asked.ranked(figure);
                let stretches = self.stretches(&ranked, bands)?;
                let exprs = stretches.into_iter();
                exprs
                    .map(|stretch| self.stretch(&asked, figure, stretch))
                    .collect()
            }
        }
    }

    fn ranked_attribute(&self, attribute: &AttributeDefinition) -> Ranked {
        if let AttributeKind::YearsSince(base) = attribute.kind
            && let Some(unit) = DayUnit::of(self.schema, base)
        {
            let today = self.today();
            return Ranked::Years { base, unit, today };
        }
        Ranked::Attribute(attribute.id)
    }

    fn asked_figure(
        &mut self,
        measure: &EventMeasure,
    ) -> Result<(Asked<'a>, behaviour::Figure), ResolveError> {
        let span = measure.events.name.span;
        let asked = self.events(&measure.events, measure.window.as_ref(), span)?;
        let figure = self.figure_of(asked.event, &measure.figure)?;
        Ok((asked, figure))
    }

    /// What a measure of events is of.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub(crate) fn ranked_events(&mut self, measure: &EventMeasure) -> Result<Ranked, ResolveError> {
        let (asked, figure) = self.asked_figure(measure)?;
        Ok(asked.ranked(figure))
    }

    fn stretches(&self, of: &Ranked, bands: &[Shares]) -> Result<Vec<Stretch>, ResolveError> {
        let span = Span::default();
        let ranks = self.ranks.ok_or(ResolveError::Unranked { span })?;
        ranks.stretches(of, bands)
    }

    fn figure_of(
        &self,
        event: &EventDefinition,
        figure: &Figure,
    ) -> Result<behaviour::Figure, ResolveError> {
        use behaviour::Figure as Of;
        Ok(match figure {
            Figure::Count => Of::Count,
            Figure::Days => Of::Days,
            Figure::Sum(name) => Of::Sum(self.number_named(event, name)?.id),
            Figure::Average(name) => Of::Average(self.number_named(event, name)?.id),
            Figure::Min(name) => Of::Least(self.ordered_property(event, name)?.id),
            Figure::Max(name) => Of::Greatest(self.ordered_property(event, name)?.id),
            Figure::First => Of::First,
            Figure::Last => Of::Last,
        })
    }

    /// Who has a figure, and one in a stretch.
    fn stretch(
        &mut self,
        asked: &Asked<'_>,
        figure: behaviour::Figure,
        stretch: Stretch,
    ) -> Result<Expr, ResolveError> {
        use behaviour::Figure as Of;
        let (low, high) = bounds_of(stretch);
        let wanted = Wanted {
            low,
            high,
            is_negated: false,
        };
        self.grow(3, asked.span)?;
        if wanted.is_empty() {
            return Ok(Expr::None);
        }
        let filter = figure.property().map_or(Filter::All, Filter::present);
        let has = self.did(asked, filter, Window::ALL)?;
        let is_such = match figure {
            Of::Count => self.measured(asked, &wanted, Question::Count)?,
            Of::Days => self.measured(asked, &wanted, Question::Days)?,
            Of::Sum(property) => {
                self.measured(asked, &wanted, |bound| Question::Sum(property, bound))?
            }
            Of::Average(property) => self.average_in(asked, property, stretch)?,
            Of::Least(property) => {
                let better = range(i128::MIN, low.saturating_sub(1));
                self.extreme(asked, property, &wanted, better)?
            }
            Of::Greatest(property) => {
                let better = range(high.saturating_add(1), i128::MAX);
                self.extreme(asked, property, &wanted, better)?
            }
            Of::First => {
                let beyond = range(i128::MIN, low.saturating_sub(1));
                self.edge(asked, &wanted, beyond)?
            }
            Of::Last => {
                let beyond = range(high.saturating_add(1), i128::MAX);
                self.edge(asked, &wanted, beyond)?
            }
        };
        Ok(Expr::And(vec![has, is_such]))
    }

    fn average_in(
        &mut self,
        asked: &Asked<'_>,
        property: AttributeId,
        stretch: Stretch,
    ) -> Result<Expr, ResolveError> {
        let (above, up_to) = match stretch {
            Stretch::Nobody => return Ok(Expr::None),
            Stretch::Between(above, up_to) => (above, up_to),
        };
        let bounds = [
            (Comparison::Greater, above),
            (Comparison::LessOrEqual, up_to),
        ];
        let mut both = Vec::new();
        for (comparison, border) in bounds {
            if let Some(border) = border {
                let than = (border.numerator, border.denominator.into());
                let question = Question::Average(property, comparison.into(), than);
                both.push(self.ask(asked, question)?);
            }
        }
        Ok(Expr::And(both))
    }
}

/// The whole numbers of a stretch: its borders are whole, but for means, which are not asked.
fn bounds_of(stretch: Stretch) -> (i128, i128) {
    match stretch {
        Stretch::Nobody => (1, 0),
        Stretch::Between(above, up_to) => (
            above.map_or(i128::MIN, |above| above.numerator.saturating_add(1)),
            up_to.map_or(i128::MAX, |up_to| up_to.numerator),
        ),
    }
}
