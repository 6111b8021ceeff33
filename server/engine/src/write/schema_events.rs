//! Definitions of events.

use tessera_query_lang::{
    ast::{AlterEvent, DefineEvent, Period, Property, RetentionChange, Spanned, TimeUnit},
    name::Name,
};

use super::{
    schema_attributes::{kind_of, put_values},
    schema_change::{Planned, Planner, refuse},
    schema_names::{Kind, check_notes, find},
};
use crate::{
    error::Error,
    ids::AttributeId,
    schema::{AttributeDefinition, AttributeKind, EventDefinition, Mutability, Notes},
    storage::{SchemaKey, StoredDefinition},
    write::{LimitError, SchemaErrorKind, command::SchemaChange},
};

impl Planner<'_> {
    pub(super) fn define_event(&self, define: &DefineEvent) -> Result<Planned, Error> {
        let mut event = EventDefinition {
            id: self.schema.next_event_id(),
            name: define.name.node.clone(),
            properties: Vec::new(),
            retention_days: define.retention.map(|period| days_of(period.node)),
            notes: check_notes(&Notes::default(), &define.notes)?,
        };
        let values = self.add_properties(&mut event, &define.properties)?;
        Ok(put_event(&event, values))
    }

    pub(super) fn alter_event(&self, alter: &AlterEvent) -> Result<Planned, Error> {
        let mut event = find(self.schema, Kind::Event, &alter.name, |schema, name| {
            schema.event(name)
        })?
        .clone();
        event.notes = check_notes(&event.notes, &alter.notes)?;
        match alter.retention {
            Some(RetentionChange::Keep(period)) => {
                event.retention_days = Some(days_of(period.node));
            }
            Some(RetentionChange::Forever) => event.retention_days = None,
            None => {}
        }
        let values = self.add_properties(&mut event, &alter.add_properties)?;
        Ok(put_event(&event, values))
    }

    /// Adds properties; gives the values of those that have a closed list.
    fn add_properties(
        &self,
        event: &mut EventDefinition,
        properties: &[Property],
    ) -> Result<Vec<SchemaChange>, Error> {
        let max = self.limits.event_properties_max;
        if event.properties.len() + properties.len() > max as usize {
            let kind = "properties of an event";
            return Err(LimitError::Definitions { kind, max }.into());
        }
        let first = self.schema.next_attribute_id().0;
        let mut changes = Vec::new();
        for (
            id,
            Property {
                name,
                property_type,
            },
        ) in (first..).map(AttributeId).zip(properties)
        {
            refuse_known(event, name)?;
            let (kind, values) = kind_of(property_type, name.span)?;
            refuse_kind(kind, name)?;
            let values = values.map(|values| self.vocabulary(name, values));
            changes.extend(put_values(id, 0, values.transpose()?.unwrap_or_default()));
            event
                .properties
                .push(std::sync::Arc::new(AttributeDefinition {
                    id,
                    name: name.node.clone(),
                    kind,
                    mutability: Mutability::WriteOnce,
                    notes: Notes::default(),
                }));
        }
        Ok(changes)
    }
}

fn put_event(event: &EventDefinition, values: Vec<SchemaChange>) -> Planned {
    let key = SchemaKey::Event(event.id);
    let mut planned = Planned::put(key, StoredDefinition::of_event(event));
    planned.changes.extend(values);
    planned
}

fn refuse_known(event: &EventDefinition, name: &Spanned<Name>) -> Result<(), Error> {
    match event.property(name.node.as_str()) {
        None => Ok(()),
        Some(_) => Err(refuse(
            SchemaErrorKind::Defined {
                kind: "property",
                name: name.node.to_string(),
            },
            name.span,
        )),
    }
}

fn refuse_kind(kind: AttributeKind, name: &Spanned<Name>) -> Result<(), Error> {
    match kind {
        AttributeKind::Multi(_)
        | AttributeKind::User
        | AttributeKind::Inviter
        | AttributeKind::YearsSince(_) => Err(refuse(
            SchemaErrorKind::PropertyKind {
                name: name.node.to_string(),
                property_kind: kind.to_string(),
            },
            name.span,
        )),
        AttributeKind::Enum(_)
        | AttributeKind::Integer
        | AttributeKind::Decimal { .. }
        | AttributeKind::Date
        | AttributeKind::Timestamp
        | AttributeKind::Boolean
        | AttributeKind::Text => Ok(()),
    }
}

/// The days of a period, rounded up: events are kept at least so long.
fn days_of(period: Period) -> u32 {
    let amount = period.amount;
    match period.unit {
        TimeUnit::Second => amount.div_ceil(24 * 60 * 60),
        TimeUnit::Minute => amount.div_ceil(24 * 60),
        TimeUnit::Hour => amount.div_ceil(24),
        TimeUnit::Day => amount,
        TimeUnit::Week => amount.saturating_mul(7),
        TimeUnit::Month => amount.saturating_mul(31),
        TimeUnit::Year => amount.saturating_mul(366),
    }
}
