//! The schema in the store.

use crate::{
    ids::ValueCode,
    schema::{
        Blocking, Exclusivity, FormDefinition, GroupDefinition, Mutability, Schema, TagDefinition,
        Timing, Validity,
    },
    storage::{
        StorageError,
        definition_format::{
            StoredDefinition, attribute_from, event_from, group_from, segment_from, stored_name,
            tag_from,
        },
        families::{
            Definitions, Family, NextEventIdKey, NextIdsKey, UnusedEventId, UnusedIds, damaged_at,
            read, scan,
        },
        keys::{FormatError, KeyFormat, SchemaKey},
        rocks::Snapshot,
    },
};

/// Reads all definitions.
pub(crate) fn load(snapshot: &Snapshot) -> Result<Schema, StorageError> {
    let mut schema = Schema::new();
    scan::<Definitions>(snapshot, &[], |key, stored| {
        add(&mut schema, key, stored)
            .map_err(|error| damaged_at(Definitions::ID, &key.to_bytes(), error))
    })?;
    if let Some(next) = read::<UnusedIds>(snapshot, &NextIdsKey)? {
        schema.reserve_ids(next.tag, next.group, next.attribute, next.segment);
    }
    if let Some(next) = read::<UnusedEventId>(snapshot, &NextEventIdKey)? {
        schema.reserve_event_ids(next);
    }
    Ok(schema)
}

fn timing_of(is_timed: bool) -> Timing {
    if is_timed {
        Timing::Timed
    } else {
        Timing::Standing
    }
}

fn exclusivity_of(is_exclusive: bool) -> Exclusivity {
    if is_exclusive {
        Exclusivity::Exclusive
    } else {
        Exclusivity::Shared
    }
}

/// Adds or replaces a definition as it is stored.
pub(crate) fn add(
    schema: &mut Schema,
    key: SchemaKey,
    stored: StoredDefinition,
) -> Result<(), FormatError> {
    match key {
        SchemaKey::Tag(_) | SchemaKey::Group(_) => add_tag_or_group(schema, key, stored),
        SchemaKey::Attribute(_)
        | SchemaKey::Segment(_)
        | SchemaKey::Value(..)
        | SchemaKey::Event(_)
        | SchemaKey::Form(_) => add_other(schema, key, stored),
    }
}

fn of_another_kind() -> FormatError {
    FormatError::new("the definition is of another kind than its key")
}

fn add_tag_or_group(
    schema: &mut Schema,
    key: SchemaKey,
    stored: StoredDefinition,
) -> Result<(), FormatError> {
    match (key, stored) {
        (SchemaKey::Tag(id), StoredDefinition::Tag { name, group, notes }) => {
            schema.put_tag(tag_from(id, &name, group, notes)?);
        }
        (
            SchemaKey::Tag(id),
            StoredDefinition::TimedTag {
                name,
                group,
                notes,
                validity,
                on_retag,
                is_timed,
            },
        ) => {
            schema.put_tag(TagDefinition {
                validity: validity.map_or(Validity::Static, Validity::Dynamic),
                on_retag: on_retag.into(),
                timing: timing_of(is_timed),
                ..tag_from(id, &name, group, notes)?
            });
        }
        (
            SchemaKey::Tag(id),
            StoredDefinition::FullTag {
                name,
                group,
                notes,
                validity,
                on_retag,
                is_timed,
                rule,
                is_blocked_for_some,
                lifecycle,
                aliases,
            },
        ) => {
            schema.put_tag(TagDefinition {
                validity: validity.map_or(Validity::Static, Validity::Dynamic),
                on_retag: on_retag.into(),
                timing: timing_of(is_timed),
                rule,
                blocking: if is_blocked_for_some {
                    Blocking::Somebody
                } else {
                    Blocking::Nobody
                },
                lifecycle: lifecycle.into(),
                aliases: aliases
                    .iter()
                    .map(|alias| stored_name(alias))
                    .collect::<Result<_, _>>()?,
                ..tag_from(id, &name, group, notes)?
            });
        }
        (
            SchemaKey::Group(id),
            StoredDefinition::Group {
                name,
                is_exclusive,
                notes,
            },
        ) => {
            schema.put_group(group_from(id, &name, exclusivity_of(is_exclusive), notes)?);
        }
        (
            SchemaKey::Group(id),
            StoredDefinition::FullGroup {
                name,
                is_exclusive,
                notes,
                parent,
                rule,
            },
        ) => {
            schema.put_group(GroupDefinition {
                parent,
                rule,
                ..group_from(id, &name, exclusivity_of(is_exclusive), notes)?
            });
        }
        (
            SchemaKey::Tag(_)
            | SchemaKey::Group(_)
            | SchemaKey::Attribute(_)
            | SchemaKey::Segment(_)
            | SchemaKey::Value(..)
            | SchemaKey::Event(_)
            | SchemaKey::Form(_),
            _,
        ) => return Err(of_another_kind()),
    }
    Ok(())
}

fn add_other(
    schema: &mut Schema,
    key: SchemaKey,
    stored: StoredDefinition,
) -> Result<(), FormatError> {
    match (key, stored) {
        (
            SchemaKey::Attribute(id),
            StoredDefinition::Attribute {
                name,
                kind,
                is_write_once,
                notes,
            },
        ) => {
            let mutability = if is_write_once {
                Mutability::WriteOnce
            } else {
                Mutability::Mutable
            };
            schema.put_attribute(attribute_from(id, &name, kind, mutability, notes)?);
        }
        (SchemaKey::Segment(id), StoredDefinition::Segment { name, text, notes }) => {
            schema.put_segment(segment_from(id, &name, text, notes)?);
        }
        (SchemaKey::Value(attribute, code), StoredDefinition::Value(text)) => {
            // Keys come in order, so codes do too, from 0.
            if code != ValueCode(schema.value_count(attribute))
                || schema.add_value(attribute, &text) != code
            {
                return Err(FormatError::new(
                    "the values of an attribute are not numbered in order",
                ));
            }
        }
        (
            SchemaKey::Event(id),
            StoredDefinition::Event {
                name,
                properties,
                retention_days,
                notes,
            },
        ) => {
            schema.put_event(event_from(id, &name, properties, retention_days, notes)?);
        }
        (SchemaKey::Form(id), StoredDefinition::Form { name, text, notes }) => {
            schema.put_form(FormDefinition {
                id,
                name: stored_name(&name)?,
                text,
                notes: notes.into(),
            });
        }
        (
            SchemaKey::Tag(_)
            | SchemaKey::Group(_)
            | SchemaKey::Attribute(_)
            | SchemaKey::Segment(_)
            | SchemaKey::Value(..)
            | SchemaKey::Event(_)
            | SchemaKey::Form(_),
            _,
        ) => return Err(of_another_kind()),
    }
    Ok(())
}
