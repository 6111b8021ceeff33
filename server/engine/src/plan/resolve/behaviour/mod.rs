//! Questions about behaviour: from names, windows and comparisons to what is asked of each user's
//! events.
//!
//! - Count, days and sum of nothing are zero: who did nothing is found by `count(purchase) < 3`.
//!   Mean, least and greatest of nothing, and the moments of the first and last of no events, do
//!   not exist: no comparison finds them.
//! - First and last moments, least and greatest values are asked as "did one such, and none
//!   beyond": rows and tables answer that without noting numbers.
//! - A window in seconds, minutes or hours is exact and ends now; one in longer units is of whole
//!   days in UTC and ends with today.

mod figure;
mod property;
mod ranked;
mod sequence;
mod window;

use std::sync::Arc;

use tessera_query_lang::ast::{self, Edge, Events, NameRef, PropertyExpr, Span, Spanned};

use super::{NamedKind, ResolveError, Resolver, attribute::union, names::unknown};
use crate::{
    behaviour::{Behaviour, Filter, Question, Window},
    plan::logical::{Expr, Leaf},
    schema::EventDefinition,
};

/// Events of one kind, their filter and window resolved.
pub(super) struct Asked<'a> {
    pub(super) event: &'a EventDefinition,
    pub(super) filter: Filter,
    pub(super) window: Window,
    span: Span,
}

impl Asked<'_> {
    fn ask(&self, question: Question) -> Behaviour {
        Behaviour {
            event: self.event.id,
            filter: self.filter.clone(),
            window: self.window,
            question,
        }
    }
}

impl<'a> Resolver<'a> {
    pub(super) fn behaviour(
        &mut self,
        behaviour: &Spanned<ast::Behaviour>,
    ) -> Result<Expr, ResolveError> {
        let span = behaviour.span;
        match &behaviour.node {
            ast::Behaviour::Did {
                names,
                filter,
                window,
            } => {
                let mut did = Vec::with_capacity(names.len());
                for name in names {
                    let asked = self.asked(name, filter.as_ref(), window.as_ref(), span)?;
                    did.push(self.did(&asked, Filter::All, Window::ALL)?);
                }
                Ok(union(did))
            }
            ast::Behaviour::Measure { measure, test } => {
                let asked = self.events(&measure.events, measure.window.as_ref(), span)?;
                self.figure(&asked, &measure.figure, test)
            }
            ast::Behaviour::Edge {
                edge,
                events,
                window,
                property,
                test,
            } => {
                let asked = self.events(events, window.as_ref(), span)?;
                let property = self.property_named(asked.event, property)?;
                let filter = self.property_test(&property, test, span)?;
                self.ask(
                    &asked,
                    match edge {
                        Edge::First => Question::First(filter),
                        Edge::Last => Question::Last(filter),
                    },
                )
            }
            ast::Behaviour::Top {
                events,
                property,
                window,
                values,
            } => {
                let asked = self.events(events, window.as_ref(), span)?;
                let property = self.property_named(asked.event, property)?;
                let codes = self.codes(&property, values)?;
                self.ask(&asked, Question::Top(property.id, codes))
            }
            ast::Behaviour::Sequence {
                steps,
                within,
                window,
            } => self.sequence(steps, within.as_ref(), window.as_ref(), span),
        }
    }

    fn ask(&mut self, asked: &Asked<'_>, question: Question) -> Result<Expr, ResolveError> {
        if asked.window.is_empty() {
            self.grow(1, asked.span)?;
            return Ok(Expr::None);
        }
        self.leaf(Leaf::Behaviour(Arc::new(asked.ask(question))), asked.span)
    }

    /// Who did one of them that passes a further filter, in a part of their window.
    fn did(
        &mut self,
        asked: &Asked<'_>,
        filter: Filter,
        window: Window,
    ) -> Result<Expr, ResolveError> {
        let part = Asked {
            event: asked.event,
            filter: asked.filter.clone().and(filter),
            window: asked.window.intersect(window),
            span: asked.span,
        };
        self.ask(&part, Question::Did)
    }

    /// The kind of event with a name.
    pub(super) fn event_named(
        &mut self,
        name: &Spanned<NameRef>,
    ) -> Result<&'a EventDefinition, ResolveError> {
        let text = self.name_ref(name)?;
        let candidates = || self.schema.events().map(|event| event.name.as_str());
        let found = self.schema.event(text.as_str());
        found.ok_or_else(|| unknown(NamedKind::Event, text.as_str(), name.span, candidates()))
    }

    pub(super) fn events(
        &mut self,
        events: &Events,
        window: Option<&Spanned<ast::Window>>,
        span: Span,
    ) -> Result<Asked<'a>, ResolveError> {
        self.asked(&events.name, events.filter.as_ref(), window, span)
    }

    fn asked(
        &mut self,
        name: &Spanned<NameRef>,
        filter: Option<&PropertyExpr>,
        window: Option<&Spanned<ast::Window>>,
        span: Span,
    ) -> Result<Asked<'a>, ResolveError> {
        let event = self.event_named(name)?;
        Ok(Asked {
            event,
            filter: self.filter(event, filter, span)?,
            window: self.window(window)?,
            span,
        })
    }
}
