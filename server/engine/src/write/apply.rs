//! What a command does. Deterministic: given the same staged state, definitions and command, it
//! leads to the same state or the same refusal, on every machine, at any time.

use crate::{
    error::Error,
    ids::{AttributeId, GroupId, PartitionId, TagId, ValueCode},
    limits::Limits,
    schema::{AttributeDefinition, AttributeKind, Exclusivity, Mutability, Schema},
    storage::{StoredValue, UserRecord},
    write::{
        LimitError, WriteError,
        coerce::show,
        command::{Command, UserCommand},
        event_sweep::EventSweep,
        staging::{SlotId, Staging},
    },
};

/// Applies a command: changes of users to a partition, whose order they take one place of;
/// changes of the definitions to all.
pub(super) fn apply(
    staging: &mut Staging,
    limits: &Limits,
    partition: PartitionId,
    command: Command,
) -> Result<(), Error> {
    match command {
        Command::Users { at_us: _, commands } => {
            staging.advance(partition)?;
            commands
                .into_iter()
                .try_for_each(|command| apply_to_user(staging, limits, partition, command))
        }
        Command::Load { at_us: _, rows } => {
            staging.advance(partition)?;
            (0..rows.keys.len())
                .flat_map(|row| rows.commands(row))
                .try_for_each(|command| apply_to_user(staging, limits, partition, command))
        }
        Command::ForgetEvents {
            at_us: _,
            event,
            before,
        } => {
            staging.advance(partition)?;
            staging.event_sweeps.push(EventSweep::Forget {
                partition,
                event,
                before,
            });
            Ok(())
        }
        Command::RollUpEvents {
            at_us: _,
            event,
            before,
        } => {
            staging.advance(partition)?;
            staging.event_sweeps.push(EventSweep::RollUp {
                partition,
                event,
                before,
            });
            Ok(())
        }
        Command::Schema { at_us: _, changes } => changes
            .into_iter()
            .try_for_each(|change| staging.change_definition(change)),
    }
}

/// Applies a change of one user. The partition's order was advanced before.
pub(super) fn apply_to_user(
    staging: &mut Staging,
    limits: &Limits,
    partition: PartitionId,
    command: UserCommand,
) -> Result<(), Error> {
    match command {
        UserCommand::Ensure { key } => {
            let slot = staging.find(&key)?;
            staging.create(slot)
        }
        UserCommand::Tag { key, tags } => {
            let slot = staging.find(&key)?;
            staging.create(slot)?;
            add_tags(staging, limits, slot, &tags)
        }
        UserCommand::Untag { key, tags } => {
            let slot = staging.find(&key)?;
            remove_tags(staging, slot, &tags);
            Ok(())
        }
        UserCommand::Set { key, values } => {
            let slot = staging.find(&key)?;
            staging.create(slot)?;
            values.into_iter().try_for_each(|(attribute, value)| {
                set_value(staging, limits, slot, attribute, value)
            })
        }
        UserCommand::Add {
            key,
            attribute,
            codes,
        } => {
            let slot = staging.find(&key)?;
            staging.create(slot)?;
            let merged = union(codes_of(staging, slot, attribute), &codes);
            // No values added to none leave none: an empty list is no value.
            let value = (!merged.is_empty()).then_some(StoredValue::Codes(merged));
            set_value(staging, limits, slot, attribute, value)
        }
        UserCommand::Remove {
            key,
            attribute,
            codes,
        } => {
            let slot = staging.find(&key)?;
            let mut left = codes_of(staging, slot, attribute).to_vec();
            left.retain(|code| !codes.contains(code));
            let value = (!left.is_empty()).then_some(StoredValue::Codes(left));
            set_value(staging, limits, slot, attribute, value)
        }
        UserCommand::Delete { key } => {
            let slot = staging.find(&key)?;
            Ok(staging.delete(slot)?)
        }
        UserCommand::Forget { key } => forget(staging, partition, &key),
        UserCommand::Track {
            key,
            event,
            time_us,
            details,
        } => {
            let slot = staging.find(&key)?;
            staging.create(slot)?;
            Ok(staging.track(slot, event, time_us, details)?)
        }
    }
}

fn add_tags(
    staging: &mut Staging,
    limits: &Limits,
    slot: SlotId,
    tags: &[TagId],
) -> Result<(), Error> {
    for &tag in tags {
        if staging
            .record(slot)
            .is_none_or(|record| record.has_tag(tag))
        {
            continue;
        }
        let siblings = match exclusive_group(&staging.schema, tag) {
            Some(group) => held_of_group(&staging.schema, staging.record(slot), group),
            None => Vec::new(),
        };
        if let Some(record) = staging.record_mut(slot) {
            siblings
                .into_iter()
                .for_each(|sibling| record.remove_tag(sibling));
            record.add_tag(tag);
        }
    }
    let held = staging.record(slot).map_or(0, |record| record.tags.len());
    if held > limits.user_tags_max as usize {
        let user = staging.slot(slot).key.to_string();
        return Err(LimitError::UserTags {
            user,
            max: limits.user_tags_max,
        }
        .into());
    }
    Ok(())
}

fn exclusive_group(schema: &Schema, tag: TagId) -> Option<GroupId> {
    let group = schema.tag_by_id(tag)?.group?;
    let exclusivity = schema.group_by_id(group)?.exclusivity;
    (exclusivity == Exclusivity::Exclusive).then_some(group)
}

fn held_of_group(schema: &Schema, record: Option<&UserRecord>, group: GroupId) -> Vec<TagId> {
    let is_member = |tag: &&TagId| {
        schema
            .tag_by_id(**tag)
            .is_some_and(|definition| definition.group == Some(group))
    };
    record
        .map(|record| record.tags.iter().filter(is_member).copied().collect())
        .unwrap_or_default()
}

fn remove_tags(staging: &mut Staging, slot: SlotId, tags: &[TagId]) {
    let holds_any = |record: &UserRecord| tags.iter().any(|tag| record.has_tag(*tag));
    if !staging.record(slot).is_some_and(holds_any) {
        return;
    }
    if let Some(record) = staging.record_mut(slot) {
        tags.iter().for_each(|tag| record.remove_tag(*tag));
    }
}

fn codes_of(staging: &Staging, slot: SlotId, attribute: AttributeId) -> &[ValueCode] {
    match staging
        .record(slot)
        .and_then(|record| record.value(attribute))
    {
        Some(StoredValue::Codes(codes)) => codes,
        Some(StoredValue::Code(_) | StoredValue::Number(_) | StoredValue::Text(_)) | None => &[],
    }
}

fn union(held: &[ValueCode], added: &[ValueCode]) -> Vec<ValueCode> {
    let mut merged = [held, added].concat();
    merged.sort_unstable();
    merged.dedup();
    merged
}

/// Sets or clears one value of a living user; does nothing when it is so already.
fn set_value(
    staging: &mut Staging,
    limits: &Limits,
    slot: SlotId,
    attribute: AttributeId,
    value: Option<StoredValue>,
) -> Result<(), Error> {
    let Some(record) = staging.record(slot) else {
        return Ok(());
    };
    let present = record.value(attribute);
    if present == value.as_ref() {
        return Ok(());
    }
    let unknown = || {
        Error::Internal(format!(
            "a command names the unknown attribute {}",
            attribute.0
        ))
    };
    let definition = staging
        .schema
        .attribute_by_id(attribute)
        .ok_or_else(unknown)?;
    if let (Mutability::WriteOnce, Some(present)) = (definition.mutability, present) {
        return Err(write_once_error(staging, slot, definition, present, value.as_ref()).into());
    }
    check_value_count(staging, limits, slot, definition, value.as_ref())?;
    if let (AttributeKind::User, Some(StoredValue::Text(target))) = (definition.kind, &value) {
        staging.note_reference(target, attribute, slot);
    }
    if let Some(record) = staging.record_mut(slot) {
        record.set_value(attribute, value);
    }
    Ok(())
}

fn check_value_count(
    staging: &Staging,
    limits: &Limits,
    slot: SlotId,
    definition: &AttributeDefinition,
    value: Option<&StoredValue>,
) -> Result<(), LimitError> {
    match value {
        Some(StoredValue::Codes(codes)) if codes.len() > limits.user_values_max as usize => {
            Err(LimitError::UserValues {
                user: staging.slot(slot).key.to_string(),
                attribute: definition.name.to_string(),
                max: limits.user_values_max,
            })
        }
        Some(
            StoredValue::Codes(_)
            | StoredValue::Code(_)
            | StoredValue::Number(_)
            | StoredValue::Text(_),
        )
        | None => Ok(()),
    }
}

fn write_once_error(
    staging: &Staging,
    slot: SlotId,
    definition: &AttributeDefinition,
    present: &StoredValue,
    offered: Option<&StoredValue>,
) -> WriteError {
    let datum = |value: &StoredValue| staging.schema.datum(definition, value);
    WriteError::WriteOnce {
        user: staging.slot(slot).key.to_string(),
        attribute: definition.name.to_string(),
        present: show(&datum(present)),
        offered: offered.map_or_else(|| "missing".to_owned(), |value| show(&datum(value))),
    }
}

/// Clears what refers to a user who is gone, write-once or not.
fn forget(staging: &mut Staging, partition: PartitionId, target: &str) -> Result<(), Error> {
    let is_reference = |definition: &&AttributeDefinition| definition.kind == AttributeKind::User;
    let attributes: Vec<AttributeId> = staging
        .schema
        .attributes_by_id()
        .filter(is_reference)
        .map(|definition| definition.id)
        .collect();
    for (attribute, slot) in staging.referrers(partition, &attributes, target)? {
        if !staging.refers(slot, attribute, target) {
            continue;
        }
        if let Some(record) = staging.record_mut(slot) {
            record.set_value(attribute, None);
        }
    }
    Ok(())
}

/// How many facts are in one record and not in the other, in either direction.
pub(super) fn facts_between(before: Option<&UserRecord>, after: Option<&UserRecord>) -> u64 {
    let none = UserRecord::default();
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let tags = difference(&before.tags, &after.tags);
    let mut values = 0;
    for (attribute, value) in &before.values {
        values += match (value, after.value(*attribute)) {
            (StoredValue::Codes(codes), Some(StoredValue::Codes(others))) => {
                difference(codes, others)
            }
            (value, other) => {
                u64::from(other != Some(value))
                    * size_of_value(value).max(other.map_or(0, size_of_value))
            }
        };
    }
    let is_new = |attribute: AttributeId| before.value(attribute).is_none();
    let added = after
        .values
        .iter()
        .filter(|(attribute, _)| is_new(*attribute));
    tags + values + added.map(|(_, value)| size_of_value(value)).sum::<u64>()
}

fn size_of_value(value: &StoredValue) -> u64 {
    match value {
        StoredValue::Codes(codes) => codes.len() as u64,
        StoredValue::Code(_) | StoredValue::Number(_) | StoredValue::Text(_) => 1,
    }
}

/// How many elements are in one of two sorted lists only.
fn difference<T: Ord>(left: &[T], right: &[T]) -> u64 {
    let common = left
        .iter()
        .filter(|element| right.binary_search(element).is_ok())
        .count();
    (left.len() + right.len() - 2 * common) as u64
}
