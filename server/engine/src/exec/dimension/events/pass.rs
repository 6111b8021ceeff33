//! In which ways the tables of events are gone through for one statement.

use crate::plan::query::{DimensionQuery, EventNumber, EventSelection, MeasuredOf};

/// Going once through some events.
#[derive(Debug)]
pub(in crate::exec::dimension) struct Pass {
    /// Which.
    pub(super) events: EventSelection,
    /// Where their users are counted, each once a group: a place among the measured numbers.
    pub(super) users: Option<usize>,
    /// What is measured of them.
    pub(super) numbers: Vec<PassNumber>,
}

/// Numbers gathered in a pass.
#[derive(Debug)]
pub(super) struct PassNumber {
    /// The place among the measured numbers.
    pub(super) measured: usize,
    pub(super) number: EventNumber,
    /// Of which events, where they are not all of the pass.
    pub(super) events: Option<EventSelection>,
}

/// The passes of a statement: one where events are split, else one for each selection measured.
pub(in crate::exec::dimension) fn passes(query: &DimensionQuery) -> Vec<Pass> {
    let mut passes: Vec<Pass> = query.events.iter().map(Pass::of).collect();
    for (place, measured) in query.measured.iter().enumerate() {
        match &measured.of {
            MeasuredOf::Attribute(_) => {}
            MeasuredOf::Users => {
                if let Some(pass) = passes.first_mut() {
                    pass.users = Some(place);
                }
            }
            MeasuredOf::Events(events, number) => {
                let is_split = query.events.is_some();
                let mut known = passes.iter_mut();
                let known = known.find(|pass| is_split || pass.events == *events);
                let number = PassNumber {
                    measured: place,
                    number: *number,
                    events: query
                        .events
                        .as_ref()
                        .filter(|split| *split != events)
                        .map(|_| events.clone()),
                };
                match known {
                    Some(pass) => pass.numbers.push(number),
                    None => passes.push(Pass {
                        numbers: vec![number],
                        ..Pass::of(events)
                    }),
                }
            }
        }
    }
    passes
}

impl Pass {
    fn of(events: &EventSelection) -> Self {
        Self {
            events: events.clone(),
            users: None,
            numbers: Vec::new(),
        }
    }
}
