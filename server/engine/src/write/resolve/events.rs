//! Events of users, by name, with values of their properties.

use std::{collections::BTreeMap, sync::Arc};

use tessera_query_lang::suggest::nearest;

use super::{Resolver, valid_name};
use crate::{
    datum::Datum,
    error::Error,
    limits::EVENT_ID_BYTES_MAX,
    schema::{AttributeDefinition, EventDefinition},
    storage::EventDetails,
    time::{format_timestamp, timestamp_of_micros},
    write::{WriteError, coerce, command::UserCommand},
};

impl Resolver<'_> {
    pub(super) fn track(
        &mut self,
        user: String,
        event: &str,
        at_us: Option<i64>,
        id: Option<String>,
        values: &[(String, Datum)],
    ) -> Result<(), Error> {
        let definition = self.event(event)?;
        let time_us = at_us.unwrap_or(self.at_us);
        self.check_event(&user, &definition, time_us, id.as_deref())?;
        let mut resolved = BTreeMap::new();
        for (name, datum) in values {
            let property = property(&definition, name)?;
            match self.value(&user, &property, datum)? {
                Some(value) => resolved.insert(property.id, value),
                None => resolved.remove(&property.id),
            };
        }
        let (event, values) = (definition.id, resolved.into_iter().collect());
        let details = EventDetails { id, values };
        self.push_making(user, |key| UserCommand::Track {
            key,
            event,
            time_us,
            details,
        })
    }

    /// Refuses an event that cannot have been, and an id that cannot be one.
    pub(in crate::write) fn check_event(
        &self,
        user: &str,
        event: &EventDefinition,
        time_us: i64,
        id: Option<&str>,
    ) -> Result<(), WriteError> {
        let tolerance_us = i64::from(self.limits.event_future_seconds_max) * 1_000_000;
        if time_us > self.at_us.saturating_add(tolerance_us)
            || timestamp_of_micros(time_us).is_none()
        {
            return Err(WriteError::EventTime {
                user: coerce::excerpt(user),
                event: event.name.to_string(),
                time: format_timestamp(time_us),
                now: format_timestamp(self.at_us),
                seconds: self.limits.event_future_seconds_max,
            });
        }
        if let Some(id) = id
            && !(1..=EVENT_ID_BYTES_MAX).contains(&id.len())
        {
            return Err(WriteError::EventId {
                id: coerce::excerpt(id),
            });
        }
        Ok(())
    }

    pub(in crate::write) fn event(&self, name: &str) -> Result<Arc<EventDefinition>, Error> {
        let schema = &self.staging.schema;
        if let Some(definition) = schema.shared_event(name) {
            return Ok(definition);
        }
        let normalised = valid_name(name)?;
        if let Some(definition) = schema.shared_event(normalised.as_str()) {
            return Ok(definition);
        }
        let known = schema.events_by_id().map(|event| event.name.as_str());
        let nearest = nearest(normalised.as_str(), known);
        Err(WriteError::UnknownEvent {
            name: normalised.to_string(),
            nearest,
        }
        .into())
    }
}

/// Finds a property of a kind of event.
pub(in crate::write) fn property(
    event: &EventDefinition,
    name: &str,
) -> Result<Arc<AttributeDefinition>, WriteError> {
    if let Some(property) = event.property(name) {
        return Ok(Arc::clone(property));
    }
    let normalised = valid_name(name)?;
    if let Some(property) = event.property(normalised.as_str()) {
        return Ok(Arc::clone(property));
    }
    let known = event
        .properties
        .iter()
        .map(|property| property.name.as_str());
    let nearest = nearest(normalised.as_str(), known);
    Err(WriteError::UnknownProperty {
        event: event.name.to_string(),
        name: normalised.to_string(),
        nearest,
    })
}
