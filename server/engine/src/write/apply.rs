//! What a command does. Deterministic: given the same staged state, definitions and command, it
//! leads to the same state or the same refusal, on every machine, at any time.

use std::sync::Arc;

use crate::{
    error::Error,
    ids::{AttributeId, PartitionId, TagId, UserId, ValueCode},
    limits::Limits,
    schema::{AttributeDefinition, AttributeKind, Mutability},
    storage::{Holding, StoredValue},
    time::second_of_micros,
    write::{
        LimitError, WriteError,
        coerce::show,
        command::{Command, UserCommand},
        event_sweep::EventSweep,
        holdings::{HoldTerms, Holdings},
        staging::{SlotId, Staging},
    },
};

/// When a command is applied, and how much it may do.
pub(super) struct Moment<'a> {
    limits: &'a Limits,
    /// The second, counted from 1970-01-01T00:00:00Z.
    at_s: i64,
}

impl<'a> Moment<'a> {
    /// The time comes in microseconds since 1970-01-01T00:00:00Z.
    pub(super) fn new(limits: &'a Limits, at_us: i64) -> Self {
        Self {
            limits,
            at_s: second_of_micros(at_us),
        }
    }
}

/// Applies a command: changes of users to a partition, whose order they take one place of;
/// changes of the definitions to all.
pub(super) fn apply(
    staging: &mut Staging,
    limits: &Limits,
    partition: PartitionId,
    command: Command,
) -> Result<(), Error> {
    match command {
        Command::Users { at_us, commands } => {
            let moment = Moment::new(limits, at_us);
            staging.advance(partition)?;
            commands
                .into_iter()
                .try_for_each(|command| apply_to_user(staging, &moment, partition, command))
        }
        Command::Load { at_us, rows } => {
            let moment = Moment::new(limits, at_us);
            staging.advance(partition)?;
            (0..rows.keys.len())
                .flat_map(|row| rows.commands(row))
                .try_for_each(|command| apply_to_user(staging, &moment, partition, command))
        }
        Command::LoadEvents { at_us, rows } => {
            let moment = Moment::new(limits, at_us);
            staging.advance(partition)?;
            (0..rows.len())
                .filter_map(|row| rows.command(row))
                .try_for_each(|command| apply_to_user(staging, &moment, partition, command))
        }
        Command::Sweep {
            at_us: _,
            ended_by_s,
            users,
        } => {
            staging.advance(partition)?;
            sweep(staging, partition, ended_by_s, &users)
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
    moment: &Moment<'_>,
    partition: PartitionId,
    command: UserCommand,
) -> Result<(), Error> {
    let limits = moment.limits;
    match command {
        UserCommand::Ensure { key } => {
            let slot = staging.find(&key)?;
            staging.create(slot)
        }
        UserCommand::Tag { key, tags } => {
            let slot = staging.find(&key)?;
            staging.create(slot)?;
            add_tags(staging, moment, slot, &tags, &HoldTerms::default())
        }
        UserCommand::Hold { key, tags, terms } => {
            let slot = staging.find(&key)?;
            staging.create(slot)?;
            add_tags(staging, moment, slot, &tags, &terms)
        }
        UserCommand::Untag { key, tags } => {
            let slot = staging.find(&key)?;
            remove_tags(staging, moment, slot, &tags);
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
    moment: &Moment<'_>,
    slot: SlotId,
    tags: &[TagId],
    terms: &HoldTerms,
) -> Result<(), Error> {
    let schema = Arc::clone(&staging.schema);
    let rules = Holdings {
        schema: &schema,
        at_s: moment.at_s,
    };
    for &tag in tags {
        let Some(record) = staging.record(slot) else {
            continue;
        };
        if let Some(holding) = rules.given(record, tag, terms)?
            && let Some(record) = staging.record_mut(slot)
        {
            rules.give(record, tag, holding);
        }
    }
    let held = staging.record(slot).map_or(0, |record| record.tags.len());
    if held > moment.limits.user_tags_max as usize {
        let user = staging.slot(slot).key.to_string();
        return Err(LimitError::UserTags {
            user,
            max: moment.limits.user_tags_max,
        }
        .into());
    }
    Ok(())
}

fn remove_tags(staging: &mut Staging, moment: &Moment<'_>, slot: SlotId, tags: &[TagId]) {
    let schema = Arc::clone(&staging.schema);
    let rules = Holdings {
        schema: &schema,
        at_s: moment.at_s,
    };
    for &tag in tags {
        let held = staging.record(slot).and_then(|record| record.holding(tag));
        if held.is_some_and(|held| rules.taken(tag, held) != Some(held))
            && let Some(record) = staging.record_mut(slot)
        {
            rules.take(record, tag);
        }
    }
}

/// Forgets what ended long ago of users of a partition.
fn sweep(
    staging: &mut Staging,
    partition: PartitionId,
    ended_by_s: i64,
    users: &[UserId],
) -> Result<(), Error> {
    for slot in staging.find_stored(partition, users)? {
        let is_over = |(_, holding): &(TagId, Holding)| {
            holding
                .until_s()
                .is_some_and(|until_s| until_s <= ended_by_s)
        };
        let over: Vec<TagId> = match staging.record(slot) {
            Some(record) => record
                .holdings()
                .filter(is_over)
                .map(|(tag, _)| tag)
                .collect(),
            None => Vec::new(),
        };
        if over.is_empty() {
            continue;
        }
        if let Some(record) = staging.record_mut(slot) {
            over.into_iter().for_each(|tag| record.remove_tag(tag));
        }
    }
    Ok(())
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
