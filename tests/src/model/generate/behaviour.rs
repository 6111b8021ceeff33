//! Random events, and random questions about them.

use rand::Rng;
use tessera_protocol::message::{Mutation, Track};
use tessera_query_lang::ast::{
    Behaviour, Comparison, Define, DefineEvent, EventMeasure, Events, Expr, Figure, NameRef,
    Period, RangeTest, Spanned, TimeUnit, Value, Window,
};

use super::{Generator, name, named};
use crate::model::{Model, value::MICROSECONDS_A_DAY};

/// Events that may be defined.
const EVENTS: [&str; 3] = ["login", "view", "page view"];
/// Ids that events may have: few, so that they come again.
const IDS: [&str; 4] = ["e-1", "e-2", "7", "é"];

impl Generator {
    pub(super) fn define_event(&mut self) -> Define {
        Define::Event(DefineEvent {
            name: named(self.pick(&EVENTS).expect("events")),
            properties: Vec::new(),
            retention: None,
            notes: self.notes(),
        })
    }

    /// An event of the last weeks, often of the last days.
    pub(super) fn track(&mut self, model: &Model, user: String) -> Mutation {
        let Some(event) = self.defined(model.events.iter()) else {
            return Mutation::Ensure { user };
        };
        let days = if self.chance(0.5) { 3 } else { 60 };
        let before_us = self.rng.random_range(0..days * MICROSECONDS_A_DAY);
        let time_us = self.chance(0.9);
        let time_us = time_us.then(|| model.now.as_microsecond() - before_us);
        let id = if self.chance(0.3) {
            self.pick(&IDS).map(str::to_owned)
        } else {
            None
        };
        Mutation::Track(Box::new(Track {
            user,
            event,
            time_us,
            id,
            values: Vec::new(),
        }))
    }

    pub(super) fn behaviour_leaf(&mut self, model: &Model) -> Option<Expr> {
        let mut names = Vec::new();
        for _ in 0..self.count(2) {
            let event = self.defined(model.events.iter())?;
            names.push(Spanned::synthetic(NameRef::Name(name(&event))));
        }
        let window = self.window();
        let behaviour = if self.chance(0.5) {
            Behaviour::Did {
                names,
                filter: None,
                window,
            }
        } else {
            let figure = if self.chance(0.5) {
                Figure::Count
            } else {
                Figure::Days
            };
            let events = Events {
                name: names.swap_remove(0),
                filter: None,
            };
            Behaviour::Measure {
                measure: EventMeasure {
                    figure,
                    events,
                    window,
                },
                test: self.figure_test(),
            }
        };
        Some(Expr::Behaviour(Box::new(Spanned::synthetic(behaviour))))
    }

    fn window(&mut self) -> Option<Spanned<Window>> {
        let unit = match self.rng.random_range(0..3) {
            0 => return None,
            1 => TimeUnit::Day,
            _ => TimeUnit::Hour,
        };
        let amount = self.rng.random_range(1..40);
        let last = Window::Last(Period { amount, unit });
        Some(Spanned::synthetic(last))
    }

    fn figure_test(&mut self) -> RangeTest {
        let comparisons = [
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Less,
            Comparison::LessOrEqual,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
        ];
        let comparison = comparisons[self.rng.random_range(0..comparisons.len())];
        let than = Value::Integer(self.rng.random_range(0..4));
        RangeTest::Compare(comparison, Spanned::synthetic(than))
    }
}
