//! What users did, and questions about it: every event of a user is looked at.

use std::collections::BTreeSet;

use tessera_protocol::message::{FailureCode, Track};
use tessera_query_lang::ast::{
    Behaviour, Comparison, Figure, NameRef, Period, RangeTest, Spanned, TimeUnit, Value, Window,
};

use super::{
    Model, Refused, User,
    expr::name_of,
    value::{MICROSECONDS_A_DAY, day_of},
};

const MICROSECONDS_AN_HOUR: i64 = MICROSECONDS_A_DAY / 24;

/// Something that a user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The kind of event.
    pub event: String,
    /// When it was, in microseconds since 1970-01-01T00:00:00Z.
    pub time_us: i64,
    /// Its id, which no other event of the user has.
    pub id: Option<String>,
}

impl Model {
    /// Adds an event, unless the user has one of its id.
    pub(super) fn track(&mut self, track: &Track) -> Result<(), Refused> {
        if !self.events.contains(&track.event) {
            return Err(FailureCode::UnknownName);
        }
        let now_us = self.now.as_microsecond();
        let user = self.user_mut(&track.user);
        let is_known = track.id.is_some() && user.events.iter().any(|done| done.id == track.id);
        if !is_known {
            user.events.push(Done {
                event: track.event.clone(),
                time_us: track.time_us.unwrap_or(now_us),
                id: track.id.clone(),
            });
        }
        Ok(())
    }

    /// Whether a user did what is asked.
    ///
    /// # Errors
    /// An event is not defined.
    pub(super) fn behaves(&self, behaviour: &Behaviour, user: &User) -> Result<bool, Refused> {
        match behaviour {
            Behaviour::Did {
                names,
                filter: None,
                window,
            } => {
                let mut did = false;
                for name in names {
                    did |= !self.done(user, &name.node, window.as_ref())?.is_empty();
                }
                Ok(did)
            }
            Behaviour::Measure { measure, test } => {
                let name = &measure.events.name.node;
                let done = self.done(user, name, measure.window.as_ref())?;
                let figure = match measure.figure {
                    Figure::Count => done.len(),
                    Figure::Days => {
                        let days: BTreeSet<i32> = done.into_iter().map(day_of).collect();
                        days.len()
                    }
                    _ => panic!("the model does not know {:?}", measure.figure),
                };
                Ok(passes(i64::try_from(figure).expect("few"), test))
            }
            _ => panic!("the model does not know {behaviour:?}"),
        }
    }

    /// When a user did something in a window.
    fn done(
        &self,
        user: &User,
        name: &NameRef,
        window: Option<&Spanned<Window>>,
    ) -> Result<Vec<i64>, Refused> {
        let name = name_of(name);
        if !self.events.contains(name) {
            return Err(FailureCode::UnknownName);
        }
        let events = user.events.iter().filter(|done| done.event == name);
        let times = events.map(|done| done.time_us);
        Ok(times
            .filter(|time_us| window.is_none_or(|window| self.is_in(*time_us, &window.node)))
            .collect())
    }

    fn is_in(&self, time_us: i64, window: &Window) -> bool {
        let now_us = self.now.as_microsecond();
        match window {
            Window::Last(Period {
                amount,
                unit: TimeUnit::Day,
            }) => {
                let days_ago = i64::from(day_of(now_us)) - i64::from(day_of(time_us));
                (0..i64::from(*amount)).contains(&days_ago)
            }
            Window::Last(Period {
                amount,
                unit: TimeUnit::Hour,
            }) => {
                let ago_us = now_us - time_us;
                (0..i64::from(*amount) * MICROSECONDS_AN_HOUR).contains(&ago_us)
            }
            _ => panic!("the model does not know {window:?}"),
        }
    }
}

fn passes(figure: i64, test: &RangeTest) -> bool {
    let RangeTest::Compare(comparison, than) = test else {
        panic!("the model does not know {test:?}")
    };
    let Value::Integer(than) = than.node else {
        panic!("the model does not know {than:?}")
    };
    match comparison {
        Comparison::Equal => figure == than,
        Comparison::NotEqual => figure != than,
        Comparison::Less => figure < than,
        Comparison::LessOrEqual => figure <= than,
        Comparison::Greater => figure > than,
        Comparison::GreaterOrEqual => figure >= than,
    }
}

/// Whether a question names an event.
pub(super) fn names_event(behaviour: &Behaviour, wanted: &str) -> bool {
    match behaviour {
        Behaviour::Did { names, .. } => names.iter().any(|name| name_of(&name.node) == wanted),
        Behaviour::Measure { measure, .. } => name_of(&measure.events.name.node) == wanted,
        _ => panic!("the model does not know {behaviour:?}"),
    }
}
