//! What a command does. Deterministic: given the same staged state, definitions and command, it
//! leads to the same state or the same refusal, on every machine, at any time.

use crate::{
    error::Error,
    exec::scheduler::Turn,
    ids::{AttributeId, TagId, UserId, ValueCode},
    limits::Limits,
    schema::{AttributeDefinition, Mutability, Schema},
    storage::{Holding, StoredValue, UserRecord},
    time::second_of_micros,
    write::{
        LimitError, WriteError,
        coerce::show,
        command::{Command, SchemaChange, UserCommand},
        event_sweep::EventSweep,
        holdings::{HoldTerms, Holdings},
        merge::Merge,
        staging::{Part, SlotId, Staging},
        tag_notes::TagNotes,
    },
};

/// When a command is applied, by which definitions, and how much it may do.
pub(super) struct Moment<'a> {
    limits: &'a Limits,
    schema: &'a Schema,
    /// The second, counted from 1970-01-01T00:00:00Z.
    at_s: i64,
}

impl<'a> Moment<'a> {
    /// The time comes in microseconds since 1970-01-01T00:00:00Z.
    pub(super) fn new(limits: &'a Limits, schema: &'a Schema, at_us: i64) -> Self {
        Self {
            limits,
            schema,
            at_s: second_of_micros(at_us),
        }
    }

    fn holdings(&self) -> Holdings<'a> {
        Holdings {
            schema: self.schema,
            at_s: self.at_s,
        }
    }
}

/// Why a command is refused, and at which of its steps.
pub(super) struct Refusal {
    pub(super) step: usize,
    pub(super) error: Error,
}

impl Refusal {
    /// Of the whole command.
    fn whole(error: impl Into<Error>) -> Self {
        Self {
            step: 0,
            error: error.into(),
        }
    }
}

/// Applies changes of the definitions, which belong to all partitions.
pub(super) fn apply_to_schema(
    staging: &mut Staging,
    changes: Vec<SchemaChange>,
) -> Result<(), Error> {
    changes
        .into_iter()
        .try_for_each(|change| staging.change_definition(change))
}

/// Applies notes about tags, which belong to all partitions as definitions do.
pub(super) fn apply_notes(staging: &mut Staging, notes: TagNotes) {
    staging.tag_notes = Some(notes);
}

/// Applies a command to a partition, whose order it takes one place of. What is done on all threads passes the
/// turn on now and then.
pub(super) fn apply(
    part: &mut Part,
    schema: &Schema,
    limits: &Limits,
    turn: Option<&Turn<'_>>,
    command: Command,
) -> Result<(), Refusal> {
    part.advance().map_err(Refusal::whole)?;
    match command {
        Command::Users { at_us, commands } => {
            let moment = Moment::new(limits, schema, at_us);
            apply_steps(part, &moment, turn, commands.into_iter().enumerate())
        }
        Command::Load { at_us, rows } => {
            let moment = Moment::new(limits, schema, at_us);
            let of_row = |row| rows.commands(row).into_iter().map(move |it| (row, it));
            apply_steps(part, &moment, turn, (0..rows.keys.len()).flat_map(of_row))
        }
        Command::LoadEvents { at_us, rows } => {
            let moment = Moment::new(limits, schema, at_us);
            let of_row = |row| Some((row, rows.command(row)?));
            apply_steps(part, &moment, turn, (0..rows.len()).filter_map(of_row))
        }
        Command::Sweep {
            at_us: _,
            ended_by_s,
            users,
        } => sweep(part, schema, ended_by_s, &users).map_err(Refusal::whole),
        Command::ForgetEvents {
            at_us: _,
            event,
            before,
        } => {
            part.event_sweeps.push(EventSweep::Forget {
                partition: part.partition,
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
            part.event_sweeps.push(EventSweep::RollUp {
                partition: part.partition,
                event,
                before,
            });
            Ok(())
        }
        Command::MergeTag { at_us, from, into } => {
            part.merges.push(Merge {
                partition: part.partition,
                from,
                into,
                at_s: second_of_micros(at_us),
            });
            Ok(())
        }
        Command::Schema { .. } | Command::NoteTags { .. } => Err(Refusal::whole(Error::Internal(
            "definitions belong to no partition".to_owned(),
        ))),
    }
}

fn apply_steps(
    part: &mut Part,
    moment: &Moment<'_>,
    turn: Option<&Turn<'_>>,
    steps: impl Iterator<Item = (usize, UserCommand)>,
) -> Result<(), Refusal> {
    for (step, command) in steps {
        if let Some(turn) = turn {
            turn.pass_if_due();
        }
        apply_to_user(part, moment, command).map_err(|error| Refusal { step, error })?;
    }
    Ok(())
}

/// Applies a change of one user. The partition's order was advanced before.
pub(super) fn apply_to_user(
    part: &mut Part,
    moment: &Moment<'_>,
    command: UserCommand,
) -> Result<(), Error> {
    let schema = moment.schema;
    match command {
        UserCommand::Ensure { key } => {
            let slot = part.find(schema, &key)?;
            part.create(slot)
        }
        UserCommand::Tag { key, tags } => {
            let slot = part.find(schema, &key)?;
            part.create(slot)?;
            add_tags(part, moment, slot, &tags, &HoldTerms::default())
        }
        UserCommand::Hold { key, tags, terms } => {
            let slot = part.find(schema, &key)?;
            part.create(slot)?;
            add_tags(part, moment, slot, &tags, &terms)
        }
        UserCommand::Untag { key, tags } => {
            let slot = part.find(schema, &key)?;
            remove_tags(part, moment, slot, &tags)
        }
        UserCommand::Clear { key, tags } => {
            let slot = part.find(schema, &key)?;
            clear_tags(part, slot, &tags);
            Ok(())
        }
        UserCommand::Set { key, values } => {
            let slot = part.find(schema, &key)?;
            part.create(slot)?;
            values
                .into_iter()
                .try_for_each(|(attribute, value)| set_value(part, moment, slot, attribute, value))
        }
        UserCommand::Add {
            key,
            attribute,
            codes,
        } => {
            let slot = part.find(schema, &key)?;
            part.create(slot)?;
            let merged = union(codes_of(part, slot, attribute), &codes);
            // No values added to none leave none: an empty list is no value.
            let value = (!merged.is_empty()).then_some(StoredValue::Codes(merged));
            set_value(part, moment, slot, attribute, value)
        }
        UserCommand::Remove {
            key,
            attribute,
            codes,
        } => {
            let slot = part.find(schema, &key)?;
            let mut left = codes_of(part, slot, attribute).to_vec();
            left.retain(|code| !codes.contains(code));
            let value = (!left.is_empty()).then_some(StoredValue::Codes(left));
            set_value(part, moment, slot, attribute, value)
        }
        UserCommand::Delete { key } => {
            let slot = part.find(schema, &key)?;
            Ok(part.delete(slot)?)
        }
        UserCommand::Forget { key } => forget(part, schema, &key),
        UserCommand::Track {
            key,
            event,
            time_us,
            details,
        } => {
            let slot = part.find(schema, &key)?;
            part.create(slot)?;
            Ok(part.track(schema, slot, (event, time_us), details)?)
        }
    }
}

fn add_tags(
    part: &mut Part,
    moment: &Moment<'_>,
    slot: SlotId,
    tags: &[TagId],
    terms: &HoldTerms,
) -> Result<(), Error> {
    let rules = moment.holdings();
    for &tag in tags {
        let Some(record) = part.record(slot) else {
            continue;
        };
        if let Some(holding) = rules.given(record, tag, terms)?
            && let Some(record) = part.record_mut(slot)
        {
            rules.give(record, tag, holding);
        }
    }
    check_tag_count(part, moment, slot)
}

/// Tags that were taken by hand count like those that are held.
fn check_tag_count(part: &Part, moment: &Moment<'_>, slot: SlotId) -> Result<(), Error> {
    let count = |record: &UserRecord| record.tags.len() + record.blocked().len();
    let held = part.record(slot).map_or(0, count);
    if held > moment.limits.user_tags_max as usize {
        let user = part.slot(slot).key.to_string();
        return Err(LimitError::UserTags {
            user,
            max: moment.limits.user_tags_max,
        }
        .into());
    }
    Ok(())
}

/// Forgets that tags were given or taken.
fn clear_tags(part: &mut Part, slot: SlotId, tags: &[TagId]) {
    let is_known = |record: &UserRecord, tag| record.has_tag(tag) || record.is_blocked(tag);
    for &tag in tags {
        if part
            .record(slot)
            .is_some_and(|record| is_known(record, tag))
            && let Some(record) = part.record_mut(slot)
        {
            record.remove_tag(tag);
            record.unblock(tag);
        }
    }
}

fn remove_tags(
    part: &mut Part,
    moment: &Moment<'_>,
    slot: SlotId,
    tags: &[TagId],
) -> Result<(), Error> {
    let rules = moment.holdings();
    for &tag in tags {
        let record = part.record(slot);
        if record.is_some_and(|record| rules.is_to_take(record, tag))
            && let Some(record) = part.record_mut(slot)
        {
            rules.take(record, tag);
        }
    }
    check_tag_count(part, moment, slot)
}

/// Forgets what ended long ago of users of a partition.
fn sweep(part: &mut Part, schema: &Schema, ended_by_s: i64, users: &[UserId]) -> Result<(), Error> {
    for slot in part.find_stored(schema, users)? {
        let is_over = |(_, holding): &(TagId, Holding)| {
            holding
                .until_s()
                .is_some_and(|until_s| until_s <= ended_by_s)
        };
        let over: Vec<TagId> = match part.record(slot) {
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
        if let Some(record) = part.record_mut(slot) {
            over.into_iter().for_each(|tag| record.remove_tag(tag));
        }
    }
    Ok(())
}

fn codes_of(part: &Part, slot: SlotId, attribute: AttributeId) -> &[ValueCode] {
    match part.record(slot).and_then(|record| record.value(attribute)) {
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
    part: &mut Part,
    moment: &Moment<'_>,
    slot: SlotId,
    attribute: AttributeId,
    value: Option<StoredValue>,
) -> Result<(), Error> {
    let Some(record) = part.record(slot) else {
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
    let schema = moment.schema;
    let definition = schema.attribute_by_id(attribute).ok_or_else(unknown)?;
    if let (Mutability::WriteOnce, Some(present)) = (definition.mutability, present) {
        return Err(
            write_once_error(part, schema, slot, definition, present, value.as_ref()).into(),
        );
    }
    check_value_count(part, moment.limits, slot, definition, value.as_ref())?;
    if let (true, Some(StoredValue::Text(target))) = (definition.kind.is_reference(), &value) {
        part.note_reference(target, attribute, slot);
    }
    if let Some(record) = part.record_mut(slot) {
        record.set_value(attribute, value);
    }
    Ok(())
}

fn check_value_count(
    part: &Part,
    limits: &Limits,
    slot: SlotId,
    definition: &AttributeDefinition,
    value: Option<&StoredValue>,
) -> Result<(), LimitError> {
    match value {
        Some(StoredValue::Codes(codes)) if codes.len() > limits.user_values_max as usize => {
            Err(LimitError::UserValues {
                user: part.slot(slot).key.to_string(),
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
    part: &Part,
    schema: &Schema,
    slot: SlotId,
    definition: &AttributeDefinition,
    present: &StoredValue,
    offered: Option<&StoredValue>,
) -> WriteError {
    let datum = |value: &StoredValue| schema.datum(definition, value);
    WriteError::WriteOnce {
        user: part.slot(slot).key.to_string(),
        attribute: definition.name.to_string(),
        present: show(&datum(present)),
        offered: offered.map_or_else(|| "missing".to_owned(), |value| show(&datum(value))),
    }
}

/// Clears what refers to a user who is gone, write-once or not.
fn forget(part: &mut Part, schema: &Schema, target: &str) -> Result<(), Error> {
    let is_reference = |definition: &&AttributeDefinition| definition.kind.is_reference();
    let attributes: Vec<AttributeId> = schema
        .attributes_by_id()
        .filter(is_reference)
        .map(|definition| definition.id)
        .collect();
    for (attribute, slot) in part.referrers(schema, &attributes, target)? {
        if !part.refers(slot, attribute, target) {
            continue;
        }
        if let Some(record) = part.record_mut(slot) {
            record.set_value(attribute, None);
        }
    }
    Ok(())
}
