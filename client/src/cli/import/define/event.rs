//! Definitions of kinds of events.

use tessera_query_lang::ast::{
    Define, DefineEvent, OnConflict, Period, Property, Show, Spanned, Statement, TimeUnit,
};

use super::super::mapping::{EventMapping, PropertyMapping};
use super::{attribute_type, is_type, like, name, notes, shown, type_of};
use crate::cli::error::CliError;
use crate::cli::session::{Datum, Session};

/// Defines a kind of event whose name stands in a row. What is there with another meaning ends the
/// import: all of its rows would be refused.
pub(in crate::cli::import) async fn define_event(
    rule: &EventMapping,
    kind: &str,
    session: &Session,
) -> Result<(), CliError> {
    check_event(rule, kind, session, "the import stopped").await?;
    let statement = event_statement(rule, kind)?.to_string();
    session.collect(&statement).await.map(|_| ())
}

/// Defines a kind of event with the properties that it has by a rule.
pub(super) fn event_statement(rule: &EventMapping, kind: &str) -> Result<Statement, CliError> {
    let properties = rule
        .properties
        .iter()
        .filter(|property| property.is_of(kind));
    let property = |property: &PropertyMapping| -> Result<Property, CliError> {
        Ok(Property {
            name: Spanned::synthetic(name(property.target())?),
            property_type: attribute_type(&property.as_attribute()),
        })
    };
    let retention = rule.retention_days.map(|amount| Period {
        amount,
        unit: TimeUnit::Day,
    });
    let define = DefineEvent {
        name: Spanned::synthetic(name(kind)?),
        properties: properties.map(property).collect::<Result<_, _>>()?,
        retention: retention.map(Spanned::synthetic),
        notes: notes(rule.description.as_ref(), rule.owner.as_ref()),
    };
    Ok(Statement::Define(Define::Event(define), OnConflict::Keep))
}

/// Refuses a kind of event that is there without a property of the mapping, or with another type
/// of it.
pub(super) async fn check_event(
    rule: &EventMapping,
    kind: &str,
    session: &Session,
    consequence: &str,
) -> Result<(), CliError> {
    let Some(defined) = shown(session, Show::Events(like(kind)?), kind).await? else {
        return Ok(());
    };
    let Some(Datum::List(defined)) = defined.value("properties") else {
        return Ok(());
    };
    for property in rule
        .properties
        .iter()
        .filter(|property| property.is_of(kind))
    {
        let wanted = name(property.target())?;
        let attribute = property.as_attribute();
        let found = defined.iter().find_map(|text| {
            let rest = text.strip_prefix(wanted.as_str())?;
            rest.strip_prefix(' ')
        });
        let told = match found {
            Some(found) if is_type(found, &attribute) => continue,
            Some(found) => format!("is defined with {wanted} as {found}"),
            None => format!("is defined without the property {wanted}"),
        };
        return Err(CliError::Stopped(format!(
            "event {kind:?} {told}, and the mapping says {}: {consequence}",
            type_of(&attribute).to_lowercase()
        )));
    }
    Ok(())
}
