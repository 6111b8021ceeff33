//! From mutations, by name, to commands, by id, one list a partition.
//!
//! Names of tags and values that may be defined on the way are defined here: the definitions
//! become part of the staged schema before the commands that use them.

use std::{collections::BTreeMap, sync::Arc};

use tessera_query_lang::{name::Name, suggest::nearest};

use crate::{
    datum::Datum,
    error::Error,
    exec::dataset::Dataset,
    ids::{AttributeId, PartitionId, TagId, ValueCode},
    limits::{EVENT_ID_BYTES_MAX, Limits},
    schema::{
        AttributeDefinition, AttributeKind, EventDefinition, TagDefinition, Timing, Vocabulary,
    },
    storage::{
        EventDetails, SchemaKey, StoredDefinition, StoredNotes, StoredValue, partition_of_key,
    },
    time::{format_timestamp, second_of_micros, timestamp_of_micros},
    write::{
        LimitError, Mutation, UnknownTags, WriteError, coerce,
        command::{SchemaChange, UserCommand},
        deletions::Deletions,
        holdings::HoldTerms,
        staging::Staging,
    },
};

/// Names that are looked at for a suggestion: the writer has other things to do.
const SUGGESTION_CANDIDATES_MAX: usize = 20_000;

/// The commands of one request, by partition.
pub(super) type Commands = Vec<(PartitionId, Vec<UserCommand>)>;

/// Resolves the mutations of one request.
pub(super) fn resolve(
    staging: &mut Staging,
    limits: &Limits,
    at_us: i64,
    unknown_tags: UnknownTags,
    mutations: Vec<Mutation>,
) -> Result<Commands, Error> {
    let deletions = Deletions::find(staging, &mutations)?;
    let mut resolver = Resolver::new(staging, limits, at_us, unknown_tags);
    resolver.deletions = deletions;
    mutations
        .into_iter()
        .try_for_each(|mutation| resolver.mutation(mutation))?;
    let mut commands = resolver.by_partition;
    commands.retain(|(_, commands)| !commands.is_empty());
    Ok(commands)
}

/// Finds ids for names, on top of what is staged.
pub(super) struct Resolver<'a> {
    staging: &'a mut Staging,
    deletions: Deletions,
    limits: &'a Limits,
    /// The moment of the request.
    at_us: i64,
    unknown_tags: UnknownTags,
    partition_count: u16,
    by_partition: Commands,
}

/// Whether a name that is not there may come to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnUnknown {
    Refuse,
    Define,
    Ignore,
}

impl<'a> Resolver<'a> {
    /// Nothing resolved yet.
    pub(super) fn new(
        staging: &'a mut Staging,
        limits: &'a Limits,
        at_us: i64,
        unknown_tags: UnknownTags,
    ) -> Self {
        let partition_count = staging.base.partition_count();
        let none = |partition| (PartitionId(partition), Vec::new());
        Self {
            staging,
            deletions: Deletions::default(),
            limits,
            at_us,
            unknown_tags,
            partition_count,
            by_partition: (0..partition_count).map(none).collect(),
        }
    }

    /// How many partitions there are.
    pub(super) fn partition_count(&self) -> u16 {
        self.partition_count
    }

    fn mutation(&mut self, mutation: Mutation) -> Result<(), Error> {
        match mutation {
            Mutation::Ensure { user } => {
                let partition = self.partition(&user)?;
                self.deletions.created(&user);
                self.push(partition, UserCommand::Ensure { key: user });
            }
            Mutation::Tag { user, tags } => {
                let on_unknown = match self.unknown_tags {
                    UnknownTags::Refuse => OnUnknown::Refuse,
                    UnknownTags::Define => OnUnknown::Define,
                };
                let tags = self.tags(&tags, on_unknown)?;
                let partition = self.partition(&user)?;
                self.deletions.created(&user);
                self.push(partition, UserCommand::Tag { key: user, tags });
            }
            Mutation::Hold { user, tags, terms } => {
                let on_unknown = match self.unknown_tags {
                    UnknownTags::Refuse => OnUnknown::Refuse,
                    UnknownTags::Define => OnUnknown::Define,
                };
                let tags = self.tags(&tags, on_unknown)?;
                for tag in &tags {
                    self.note_start(*tag, &terms)?;
                }
                let partition = self.partition(&user)?;
                self.deletions.created(&user);
                let key = user;
                self.push(partition, UserCommand::Hold { key, tags, terms });
            }
            Mutation::Untag { user, tags } => {
                let on_unknown = match self.unknown_tags {
                    UnknownTags::Refuse => OnUnknown::Refuse,
                    UnknownTags::Define => OnUnknown::Ignore,
                };
                let tags = self.tags(&tags, on_unknown)?;
                let partition = self.partition(&user)?;
                self.push(partition, UserCommand::Untag { key: user, tags });
            }
            Mutation::Set { user, values } => self.set(user, values)?,
            Mutation::Add {
                user,
                attribute,
                values,
            } => {
                let (attribute, codes) =
                    self.multi(&user, &attribute, &values, OnUnknown::Define)?;
                let partition = self.partition(&user)?;
                self.deletions.created(&user);
                self.push(
                    partition,
                    UserCommand::Add {
                        key: user,
                        attribute,
                        codes,
                    },
                );
            }
            Mutation::Remove {
                user,
                attribute,
                values,
            } => {
                let (attribute, codes) =
                    self.multi(&user, &attribute, &values, OnUnknown::Ignore)?;
                let partition = self.partition(&user)?;
                self.push(
                    partition,
                    UserCommand::Remove {
                        key: user,
                        attribute,
                        codes,
                    },
                );
            }
            Mutation::Track {
                user,
                event,
                at_us,
                id,
                values,
            } => self.track(user, &event, at_us, id, &values)?,
            Mutation::DeleteUser { user } => self.delete(&user)?,
        }
        Ok(())
    }

    /// Where a user is or will be.
    pub(super) fn partition(&self, key: &str) -> Result<PartitionId, WriteError> {
        let invalid = |reason| WriteError::InvalidKey {
            key: coerce::excerpt(key),
            reason,
        };
        coerce::check_key(key).map_err(invalid)?;
        Ok(partition_of_key(key, self.partition_count))
    }

    fn push(&mut self, partition: PartitionId, command: UserCommand) {
        if let Some((_, commands)) = self.by_partition.get_mut(usize::from(partition.0)) {
            commands.push(command);
        }
    }

    fn delete(&mut self, key: &str) -> Result<(), Error> {
        let partition = self.partition(key)?;
        self.push(
            partition,
            UserCommand::Delete {
                key: key.to_owned(),
            },
        );
        for partition in self.deletions.deleted(key) {
            self.push(
                partition,
                UserCommand::Forget {
                    key: key.to_owned(),
                },
            );
        }
        Ok(())
    }

    fn set(&mut self, user: String, values: Vec<(String, Datum)>) -> Result<(), Error> {
        let mut resolved = Vec::with_capacity(values.len());
        for (name, datum) in values {
            let definition = self.attribute(&name)?;
            let value = self.value(&user, &definition, &datum)?;
            if let (AttributeKind::User, Some(StoredValue::Text(target))) =
                (definition.kind, &value)
            {
                let partition = partition_of_key(&user, self.partition_count);
                self.deletions.referred(target, partition);
            }
            resolved.push((definition.id, value));
        }
        let partition = self.partition(&user)?;
        self.deletions.created(&user);
        self.push(
            partition,
            UserCommand::Set {
                key: user,
                values: resolved,
            },
        );
        Ok(())
    }

    fn track(
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
        let partition = self.partition(&user)?;
        self.deletions.created(&user);
        let values = resolved.into_iter().collect();
        self.push(
            partition,
            UserCommand::Track {
                key: user,
                event: definition.id,
                time_us,
                details: EventDetails { id, values },
            },
        );
        Ok(())
    }

    /// Refuses an event that cannot have been, and an id that cannot be one.
    fn check_event(
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

    fn event(&self, name: &str) -> Result<Arc<EventDefinition>, Error> {
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

    fn tags(&mut self, names: &[String], on_unknown: OnUnknown) -> Result<Vec<TagId>, Error> {
        let mut tags = Vec::with_capacity(names.len());
        for name in names {
            tags.extend(self.tag(name, on_unknown)?);
        }
        Ok(tags)
    }

    pub(super) fn tag(
        &mut self,
        name: &str,
        on_unknown: OnUnknown,
    ) -> Result<Option<TagId>, Error> {
        // A name that is found as it stands needs no normalising.
        if let Some(tag) = self.staging.schema.tag(name) {
            return Ok(Some(tag.id));
        }
        let normalised = valid_name(name)?;
        if let Some(tag) = self.staging.schema.tag(normalised.as_str()) {
            return Ok(Some(tag.id));
        }
        match on_unknown {
            OnUnknown::Define => self.define_tag(&normalised).map(Some),
            OnUnknown::Ignore => Ok(None),
            OnUnknown::Refuse => {
                let tags = self
                    .staging
                    .schema
                    .tags_by_id()
                    .take(SUGGESTION_CANDIDATES_MAX);
                let known = tags.map(|tag| tag.name.as_str());
                let nearest = nearest(normalised.as_str(), known);
                Err(WriteError::UnknownTag {
                    name: normalised.to_string(),
                    nearest,
                }
                .into())
            }
        }
    }

    fn define_tag(&mut self, name: &Name) -> Result<TagId, Error> {
        if self.staging.schema.tag_count() >= self.limits.tags_max {
            return Err(LimitError::Definitions {
                kind: "tags",
                max: self.limits.tags_max,
            }
            .into());
        }
        let id = self.staging.schema.next_tag_id();
        let notes = StoredNotes {
            description: None,
            owner: None,
        };
        let definition = StoredDefinition::Tag {
            name: name.as_str().to_owned(),
            group: None,
            notes,
        };
        self.staging.change_definition(SchemaChange::Put {
            key: SchemaKey::Tag(id),
            definition,
        })?;
        Ok(id)
    }

    /// Notes of a static tag that a holding of it is to start later.
    pub(super) fn note_start(&mut self, tag: TagId, terms: &HoldTerms) -> Result<(), Error> {
        let Some(definition) = self.staging.schema.tag_by_id(tag) else {
            return Ok(());
        };
        let is_later = terms
            .since_s
            .is_some_and(|since_s| since_s > second_of_micros(self.at_us));
        if !is_later || definition.timing == Timing::Timed {
            return Ok(());
        }
        let definition = StoredDefinition::of_tag(&TagDefinition {
            timing: Timing::Timed,
            ..definition.clone()
        });
        self.staging.change_definition(SchemaChange::Put {
            key: SchemaKey::Tag(tag),
            definition,
        })
    }

    pub(super) fn attribute(&self, name: &str) -> Result<Arc<AttributeDefinition>, Error> {
        let schema = &self.staging.schema;
        if let Some(definition) = schema.shared_attribute(name) {
            return Ok(definition);
        }
        let normalised = valid_name(name)?;
        if let Some(definition) = schema.shared_attribute(normalised.as_str()) {
            return Ok(definition);
        }
        let known = schema
            .attributes_by_id()
            .map(|attribute| attribute.name.as_str());
        let nearest = nearest(normalised.as_str(), known);
        Err(WriteError::UnknownAttribute {
            name: normalised.to_string(),
            nearest,
        }
        .into())
    }

    pub(super) fn value(
        &mut self,
        user: &str,
        definition: &AttributeDefinition,
        datum: &Datum,
    ) -> Result<Option<StoredValue>, Error> {
        if *datum == Datum::Null {
            return Ok(None);
        }
        let misfit = |reason: String| Error::from(wrong_type(user, definition, datum, reason));
        let number =
            |number: Result<i64, coerce::Misfit>| number.map(StoredValue::Number).map_err(misfit);
        Ok(Some(match definition.kind {
            AttributeKind::Integer => number(coerce::number(datum, 0))?,
            AttributeKind::Decimal { scale } => number(coerce::number(datum, scale))?,
            AttributeKind::Date => number(coerce::date(datum))?,
            AttributeKind::Timestamp => number(coerce::timestamp(datum))?,
            AttributeKind::Boolean => StoredValue::Code(ValueCode(u32::from(
                coerce::boolean(datum).map_err(misfit)?,
            ))),
            AttributeKind::Text => StoredValue::Text(coerce::text(datum).map_err(misfit)?),
            AttributeKind::User => StoredValue::Text(coerce::user_key(datum).map_err(misfit)?),
            AttributeKind::Enum(_) => {
                match self.code(user, definition, datum, OnUnknown::Define)? {
                    Some(code) => StoredValue::Code(code),
                    None => return Ok(None),
                }
            }
            AttributeKind::Multi(_) => {
                let codes = match datum {
                    Datum::List(texts) => self.codes_of_texts(user, definition, texts)?,
                    Datum::Null
                    | Datum::Boolean(_)
                    | Datum::Integer(_)
                    | Datum::Decimal { .. }
                    | Datum::Real(_)
                    | Datum::Text(_)
                    | Datum::Date(_)
                    | Datum::Timestamp(_) => self
                        .code(user, definition, datum, OnUnknown::Define)?
                        .into_iter()
                        .collect(),
                };
                return Ok((!codes.is_empty()).then_some(StoredValue::Codes(codes)));
            }
        }))
    }

    fn codes_of_texts(
        &mut self,
        user: &str,
        definition: &AttributeDefinition,
        texts: &[String],
    ) -> Result<Vec<ValueCode>, Error> {
        let mut codes = Vec::with_capacity(texts.len());
        for text in texts {
            let found = match self.staging.schema.value_code(definition.id, text) {
                Some(code) => Some(code),
                None => self.code(
                    user,
                    definition,
                    &Datum::Text(text.clone()),
                    OnUnknown::Define,
                )?,
            };
            codes.extend(found);
        }
        codes.sort_unstable();
        codes.dedup();
        Ok(codes)
    }

    fn multi(
        &mut self,
        user: &str,
        attribute: &str,
        values: &[Datum],
        on_unknown: OnUnknown,
    ) -> Result<(AttributeId, Vec<ValueCode>), Error> {
        let definition = self.attribute(attribute)?;
        if !matches!(definition.kind, AttributeKind::Multi(_)) {
            let (attribute, kind) = (definition.name.to_string(), definition.kind.to_string());
            return Err(WriteError::NotMulti { attribute, kind }.into());
        }
        let mut codes = Vec::with_capacity(values.len());
        for value in values {
            codes.extend(self.code(user, &definition, value, on_unknown)?);
        }
        codes.sort_unstable();
        codes.dedup();
        Ok((definition.id, codes))
    }

    /// The code of one value of an enum or multi.
    fn code(
        &mut self,
        user: &str,
        definition: &AttributeDefinition,
        datum: &Datum,
        on_unknown: OnUnknown,
    ) -> Result<Option<ValueCode>, Error> {
        if let Datum::Text(text) = datum
            && let Some(code) = self.staging.schema.value_code(definition.id, text)
        {
            return Ok(Some(code));
        }
        let text = coerce::vocabulary_text(datum)
            .map_err(|reason| Error::from(wrong_type(user, definition, datum, reason)))?;
        if let Some(code) = self.staging.schema.value_code(definition.id, &text) {
            return Ok(Some(code));
        }
        match (definition.kind, on_unknown) {
            (
                AttributeKind::Enum(Vocabulary::Open) | AttributeKind::Multi(Vocabulary::Open),
                OnUnknown::Define,
            ) => self.define_value(definition, text).map(Some),
            (
                AttributeKind::Enum(Vocabulary::Open) | AttributeKind::Multi(Vocabulary::Open),
                OnUnknown::Ignore,
            ) => Ok(None),
            (_, OnUnknown::Define | OnUnknown::Ignore | OnUnknown::Refuse) => {
                let values = self
                    .staging
                    .schema
                    .values(definition.id)
                    .take(SUGGESTION_CANDIDATES_MAX);
                let known = values.map(|(_, text)| text);
                let nearest = nearest(&text, known);
                Err(WriteError::UnknownValue {
                    attribute: definition.name.to_string(),
                    value: text,
                    nearest,
                }
                .into())
            }
        }
    }

    fn define_value(
        &mut self,
        definition: &AttributeDefinition,
        text: String,
    ) -> Result<ValueCode, Error> {
        let code = self.staging.schema.value_count(definition.id);
        if code >= self.limits.attribute_values_max {
            let (attribute, max) = (
                definition.name.to_string(),
                self.limits.attribute_values_max,
            );
            return Err(LimitError::AttributeValues { attribute, max }.into());
        }
        let code = ValueCode(code);
        let key = SchemaKey::Value(definition.id, code);
        self.staging.change_definition(SchemaChange::Put {
            key,
            definition: StoredDefinition::Value(text),
        })?;
        Ok(code)
    }
}

fn property(event: &EventDefinition, name: &str) -> Result<Arc<AttributeDefinition>, WriteError> {
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

fn valid_name(name: &str) -> Result<Name, WriteError> {
    Name::new(name).map_err(|error| WriteError::InvalidName {
        name: coerce::excerpt(name),
        error,
    })
}

fn wrong_type(
    user: &str,
    definition: &AttributeDefinition,
    datum: &Datum,
    reason: String,
) -> WriteError {
    WriteError::WrongType {
        user: coerce::excerpt(user),
        attribute: definition.name.to_string(),
        kind: definition.kind.to_string(),
        value: coerce::show(datum),
        reason,
    }
}
