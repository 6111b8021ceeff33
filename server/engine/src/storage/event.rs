//! An event of a user: the truth from which event tables and rows of behaviour can be derived.

use bincode::{Decode, Encode};

use crate::{
    ids::{AttributeId, EventId},
    storage::StoredValue,
};

/// All that is stored of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEvent {
    /// What kind of event it is.
    pub event: EventId,
    /// When it was, in microseconds since 1970-01-01T00:00:00Z.
    pub time_us: i64,
    /// What else is stored of it.
    pub details: EventDetails,
}

/// What is stored of an event beside its kind and time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct EventDetails {
    /// The name that whoever tracked it gave it, unique among the user's events.
    pub id: Option<String>,
    /// The values of its properties, rising, each at most once.
    pub values: Vec<(AttributeId, StoredValue)>,
}

impl EventDetails {
    /// The code or number of a property; none for texts.
    pub fn number(&self, property: AttributeId) -> Option<i64> {
        let place = self.values.binary_search_by_key(&property, |(id, _)| *id);
        let (_, value) = self.values.get(place.ok()?)?;
        number(value)
    }

    /// The properties that have a code or a number.
    pub fn numbers(&self) -> Vec<(AttributeId, i64)> {
        let values = self.values.iter();
        values
            .filter_map(|(property, value)| Some((*property, number(value)?)))
            .collect()
    }
}

fn number(value: &StoredValue) -> Option<i64> {
    match value {
        StoredValue::Code(code) => Some(code.0.into()),
        StoredValue::Number(number) => Some(*number),
        StoredValue::Codes(_) | StoredValue::Text(_) => None,
    }
}
