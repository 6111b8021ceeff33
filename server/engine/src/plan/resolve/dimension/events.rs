//! Events in a `DIMENSION`: what is split by when it was or by a property, and measures of events.
//!
//! - Where a dim splits events, groups count events. All such dims split the same ones: of one
//!   kind, in the statement's window, and of each filter that is written with a dim. A measure of
//!   events is then of some of those that its group counts.
//! - Where users are split, a measure of events is of all that the users of a group did, as if one
//!   had done them all: `days` are the different days on which any of them did it.
//! - As in an expression, count, days and sum of nothing are zero; everything else of nothing is
//!   missing.
//! - A name is one of an attribute, and if there is none, of an event or its property.

use tessera_query_lang::{
    ast::{self, EventSplit, Events, Figure, NameRef, Span, Spanned, event_property},
    name::Name,
};

use super::{number_unit, wrong_kind};
use crate::{
    behaviour::Window,
    plan::{
        query::{
            Detail, Dim, DimKind, EventNumber, EventSelection, MeasureKind, Measured, MeasuredOf,
            NumberUnit, PropertySplit, Statistic,
        },
        resolve::{ResolveError, Resolver, behaviour::Asked},
    },
    schema::{AttributeDefinition, AttributeKind},
};

/// What a statement splits and measures, as far as it was read.
pub(super) struct Gathered {
    pub(super) measured: Vec<Measured>,
    /// The events that are split.
    pub(super) split: Option<EventSelection>,
    /// The time after the dims.
    window: Window,
}

impl Gathered {
    pub(super) fn new(window: Window) -> Self {
        Self {
            measured: Vec::new(),
            split: None,
            window,
        }
    }

    /// A statistic of some numbers, which are gathered once whoever asks for them.
    pub(super) fn of(
        &mut self,
        statistic: Statistic,
        of: MeasuredOf,
        unit: NumberUnit,
    ) -> MeasureKind {
        let detail = match statistic {
            Statistic::Percentile(_) | Statistic::Different => Detail::Distribution,
            Statistic::Number
            | Statistic::Sum
            | Statistic::Total
            | Statistic::Average
            | Statistic::Min
            | Statistic::Max => Detail::Totals,
        };
        let index = match self.measured.iter().position(|known| known.of == of) {
            Some(index) => index,
            None => {
                self.measured.push(Measured { of, detail });
                self.measured.len() - 1
            }
        };
        if let Some(measured) = self.measured.get_mut(index) {
            measured.detail = measured.detail.max(detail);
        }
        MeasureKind::Of(statistic, index, unit)
    }

    /// `users`
    pub(super) fn users(&mut self) -> MeasureKind {
        match self.split {
            Some(_) => self.of(Statistic::Number, MeasuredOf::Users, NumberUnit::Integer),
            None => MeasureKind::Count,
        }
    }

    /// Refuses a window where nothing happens in time.
    pub(super) fn check_window(&self, span: Span) -> Result<(), ResolveError> {
        let is_of_events = |measured: &Measured| match measured.of {
            MeasuredOf::Events(..) => true,
            MeasuredOf::Attribute(_) | MeasuredOf::Users => false,
        };
        if self.split.is_some() || self.measured.iter().any(is_of_events) {
            return Ok(());
        }
        let message = "a window is of events, and here none are split or measured";
        Err(ResolveError::mismatch(message, span))
    }

    /// The events to count with one more dim that splits them.
    fn split_more(&mut self, asked: Asked<'_>, span: Span) -> Result<(), ResolveError> {
        let Asked { event, filter, .. } = asked;
        let filter = match self.split.take() {
            None => filter,
            Some(known) if known.event != event.id => {
                let message = "one DIMENSION splits events of one kind";
                return Err(ResolveError::mismatch(message, span));
            }
            Some(known) if known.filter == filter => filter,
            Some(known) => known.filter.and(filter),
        };
        self.split = Some(EventSelection {
            event: event.id,
            filter,
            window: self.window,
        });
        Ok(())
    }

    /// The events that a measure is of. `has_window` says whether one is written with it.
    fn selection(
        &self,
        asked: Asked<'_>,
        has_window: bool,
        span: Span,
    ) -> Result<EventSelection, ResolveError> {
        let Asked {
            event,
            filter,
            window,
            ..
        } = asked;
        let selection = EventSelection {
            event: event.id,
            filter,
            window: if has_window { window } else { self.window },
        };
        match &self.split {
            None => Ok(selection),
            Some(split) if split.event != selection.event => {
                let message = format!("other events are split here: {} is none", event.name);
                Err(ResolveError::mismatch(message, span))
            }
            Some(split) => Ok(EventSelection {
                window: selection.window.intersect(split.window),
                filter: match split.filter == selection.filter {
                    true => selection.filter,
                    false => split.filter.clone().and(selection.filter),
                },
                ..selection
            }),
        }
    }
}

/// Whether a dim splits events.
pub(super) fn is_of_events(kind: &DimKind) -> bool {
    match kind {
        DimKind::EventTime(_) | DimKind::EventProperty(..) => true,
        DimKind::Enum(_)
        | DimKind::Boolean(_)
        | DimKind::Number(..)
        | DimKind::Bands { .. }
        | DimKind::Calendar { .. }
        | DimKind::Multi(_)
        | DimKind::Inviter(_)
        | DimKind::Tags { .. } => false,
    }
}

/// A statistic of a property that has an order.
fn of_property(
    statistic: Statistic,
    property: &AttributeDefinition,
) -> (Statistic, EventNumber, NumberUnit) {
    let unit = number_unit(&property.kind).unwrap_or(NumberUnit::Integer);
    (statistic, EventNumber::Property(property.id), unit)
}

/// Every event of a name.
fn all_of(name: Name, span: Span) -> Events {
    Events {
        name: Spanned::new(NameRef::Name(name), span),
        filter: None,
    }
}

impl Resolver<'_> {
    /// The events of a dim that is written like one of an attribute, when there is no such
    /// attribute and there are such events.
    pub(super) fn events_written_as_attribute(
        &self,
        dim: &ast::Dim,
    ) -> Option<(Events, EventSplit)> {
        match dim {
            ast::Dim::Calendar { attribute, unit } => {
                let name = attribute.node.as_str();
                let is_event =
                    self.schema.attribute(name).is_none() && self.schema.event(name).is_some();
                let events = || all_of(attribute.node.clone(), attribute.span);
                is_event.then(|| (events(), EventSplit::Calendar(*unit)))
            }
            ast::Dim::Attribute(name) => {
                let (events, property) = self.property_written_as_attribute(name)?;
                Some((events, EventSplit::Property(property)))
            }
            ast::Dim::Bands { .. }
            | ast::Dim::Tags(_)
            | ast::Dim::Group(_)
            | ast::Dim::Events { .. } => None,
        }
    }

    /// The events and their property of a name that is not an attribute's.
    pub(super) fn property_written_as_attribute(
        &self,
        name: &Spanned<Name>,
    ) -> Option<(Events, Spanned<Name>)> {
        if self.schema.attribute(name.node.as_str()).is_some() {
            return None;
        }
        let (event, property) = event_property(&name.node)?;
        self.schema.event(event.as_str())?;
        Some((all_of(event, name.span), Spanned::new(property, name.span)))
    }

    pub(super) fn event_dim(
        &mut self,
        events: &Events,
        by: &EventSplit,
        gathered: &mut Gathered,
    ) -> Result<Dim, ResolveError> {
        let span = events.name.span;
        let asked = self.events(events, None, span)?;
        let event = asked.event;
        let dim = match by {
            EventSplit::Calendar(unit) => Dim {
                name: event.name.to_string(),
                kind: DimKind::EventTime(*unit),
            },
            EventSplit::Property(name) => {
                let property = self.property_named(event, name)?;
                let split = match (&property.kind, number_unit(&property.kind)) {
                    (AttributeKind::Enum(_), _) => PropertySplit::Name,
                    (AttributeKind::Boolean, _) => PropertySplit::Boolean,
                    (_, Some(unit)) => PropertySplit::Number(unit),
                    (_, None) => {
                        return Err(wrong_kind(&property, "it does not split events", name));
                    }
                };
                Dim {
                    name: format!("{}.{}", event.name, property.name),
                    kind: DimKind::EventProperty(property.id, split),
                }
            }
        };
        gathered.split_more(asked, span)?;
        Ok(dim)
    }

    pub(super) fn event_measure(
        &mut self,
        measure: &ast::EventMeasure,
        span: Span,
        gathered: &mut Gathered,
    ) -> Result<MeasureKind, ResolveError> {
        let asked = self.events(&measure.events, measure.window.as_ref(), span)?;
        let event = asked.event;
        let selection = gathered.selection(asked, measure.window.is_some(), span)?;
        let (statistic, number, unit) = match &measure.figure {
            Figure::Count if gathered.split.as_ref() == Some(&selection) => {
                return Ok(MeasureKind::Count);
            }
            Figure::Count => (Statistic::Number, EventNumber::One, NumberUnit::Integer),
            Figure::Days => (Statistic::Different, EventNumber::Day, NumberUnit::Integer),
            Figure::First => (Statistic::Min, EventNumber::Moment, NumberUnit::Timestamp),
            Figure::Last => (Statistic::Max, EventNumber::Moment, NumberUnit::Timestamp),
            Figure::Sum(name) => {
                of_property(Statistic::Total, self.number_named(event, name)?.as_ref())
            }
            Figure::Average(name) => {
                of_property(Statistic::Average, self.number_named(event, name)?.as_ref())
            }
            Figure::Min(name) => {
                of_property(Statistic::Min, self.ordered_property(event, name)?.as_ref())
            }
            Figure::Max(name) => {
                of_property(Statistic::Max, self.ordered_property(event, name)?.as_ref())
            }
        };
        Ok(gathered.of(statistic, MeasuredOf::Events(selection, number), unit))
    }

    /// A measure of a property that is written like one of an attribute.
    pub(super) fn property_measure(
        &mut self,
        statistic: Statistic,
        events: &Events,
        name: &Spanned<Name>,
        gathered: &mut Gathered,
    ) -> Result<MeasureKind, ResolveError> {
        let asked = self.events(events, None, name.span)?;
        let (statistic, property) = match statistic {
            Statistic::Sum => (Statistic::Total, self.number_named(asked.event, name)?),
            Statistic::Average => (statistic, self.number_named(asked.event, name)?),
            Statistic::Number
            | Statistic::Different
            | Statistic::Total
            | Statistic::Min
            | Statistic::Max
            | Statistic::Percentile(_) => (statistic, self.ordered_property(asked.event, name)?),
        };
        let selection = gathered.selection(asked, false, name.span)?;
        let (statistic, number, unit) = of_property(statistic, &property);
        Ok(gathered.of(statistic, MeasuredOf::Events(selection, number), unit))
    }
}
