//! From mutations, by name, to commands, by id, one list a partition.
//!
//! Names of tags and values that may be defined on the way are defined here: the definitions
//! become part of the staged schema before the commands that use them.
//!
//! Knows what each kind of mutation becomes. How names of tags, values and events are found is in
//! `tags`, `values` and `events`. Does not know what a command does.

pub(super) mod events;
mod tags;
mod values;

pub(super) use events::property;
use tessera_query_lang::name::Name;

use crate::{
    datum::Datum,
    error::Error,
    exec::dataset::Dataset,
    ids::{AttributeId, PartitionId},
    limits::Limits,
    schema::{AttributeKind, Schema},
    storage::{StoredValue, partition_of_key},
    write::{
        Mutation, UnknownTags, WriteError, coerce, command::UserCommand, deletions::Deletions,
        inviters::Invitations, spread::Steps, staging::Staging,
    },
};

/// Names that are looked at for a suggestion: the writer has other things to do.
const SUGGESTION_CANDIDATES_MAX: usize = 20_000;

/// The commands of one request, by partition.
pub(super) type Commands = Vec<(PartitionId, Steps)>;

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
    // A request has fewer mutations than 32 bits count.
    for (place, mutation) in (0..).zip(mutations) {
        resolver.place = place;
        resolver.mutation(mutation)?;
    }
    let mut commands = resolver.by_partition;
    commands.retain(|(_, steps)| !steps.commands.is_empty());
    Ok(commands)
}

/// Finds ids for names, on top of what is staged.
pub(super) struct Resolver<'a> {
    staging: &'a mut Staging,
    deletions: Deletions,
    invitations: Invitations,
    limits: &'a Limits,
    /// The moment of the request.
    at_us: i64,
    unknown_tags: UnknownTags,
    partition_count: u16,
    /// Where in the request the present mutation stands.
    place: u32,
    by_partition: Commands,
}

/// Whether a name that is not there may come to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnUnknown {
    Refuse,
    Define,
    Ignore,
}

impl OnUnknown {
    /// What becomes of tags that are given.
    pub(super) fn when_given(unknown_tags: UnknownTags) -> Self {
        match unknown_tags {
            UnknownTags::Refuse => Self::Refuse,
            UnknownTags::Define => Self::Define,
        }
    }

    /// What becomes of tags that are taken: nobody holds what is not defined.
    pub(super) fn when_taken(unknown_tags: UnknownTags) -> Self {
        match unknown_tags {
            UnknownTags::Refuse => Self::Refuse,
            UnknownTags::Define => Self::Ignore,
        }
    }
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
        let none = |partition| (PartitionId(partition), Steps::default());
        Self {
            staging,
            deletions: Deletions::default(),
            invitations: Invitations::default(),
            limits,
            at_us,
            unknown_tags,
            partition_count,
            place: 0,
            by_partition: (0..partition_count).map(none).collect(),
        }
    }

    /// The definitions as they are staged.
    pub(super) fn schema(&self) -> &Schema {
        &self.staging.schema
    }

    /// How many partitions there are.
    pub(super) fn partition_count(&self) -> u16 {
        self.partition_count
    }

    pub(super) fn mutation(&mut self, mutation: Mutation) -> Result<(), Error> {
        match mutation {
            Mutation::Ensure { user } => self.push_making(user, |key| UserCommand::Ensure { key }),
            Mutation::Tag { user, tags } => {
                let tags = self.tags(&tags, OnUnknown::when_given(self.unknown_tags))?;
                self.push_making(user, |key| UserCommand::Tag { key, tags })
            }
            Mutation::Hold { user, tags, terms } => {
                let tags = self.tags(&tags, OnUnknown::when_given(self.unknown_tags))?;
                for tag in &tags {
                    self.note_start(*tag, &terms)?;
                }
                self.push_making(user, |key| UserCommand::Hold { key, tags, terms })
            }
            Mutation::Untag { user, tags } => {
                let tags = self.tags(&tags, OnUnknown::when_taken(self.unknown_tags))?;
                tags.iter().try_for_each(|tag| self.note_taking(*tag))?;
                self.push_about(user, |key| UserCommand::Untag { key, tags })
            }
            Mutation::Clear { user, tags } => {
                let tags = self.tags(&tags, OnUnknown::Refuse)?;
                tags.iter().try_for_each(|tag| self.check_ruled(*tag))?;
                self.push_about(user, |key| UserCommand::Clear { key, tags })
            }
            Mutation::Set { user, values } => self.set(user, values),
            Mutation::Add {
                user,
                attribute,
                values,
            } => {
                let (attribute, codes) =
                    self.multi(&user, &attribute, &values, OnUnknown::Define)?;
                self.push_making(user, |key| UserCommand::Add {
                    key,
                    attribute,
                    codes,
                })
            }
            Mutation::Remove {
                user,
                attribute,
                values,
            } => {
                let (attribute, codes) =
                    self.multi(&user, &attribute, &values, OnUnknown::Ignore)?;
                self.push_about(user, |key| UserCommand::Remove {
                    key,
                    attribute,
                    codes,
                })
            }
            Mutation::Track {
                user,
                event,
                at_us,
                id,
                values,
            } => self.track(user, &event, at_us, id, &values),
            Mutation::Submit {
                user,
                form,
                answers,
            } => self.submit(user, &form, answers),
            Mutation::DeleteUser { user } => self.delete(&user),
        }
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

    /// Adds a command that makes sure that its user exists.
    fn push_making(
        &mut self,
        user: String,
        command: impl FnOnce(String) -> UserCommand,
    ) -> Result<(), Error> {
        let partition = self.partition(&user)?;
        self.deletions.created(&user);
        self.push(partition, command(user));
        Ok(())
    }

    /// Adds a command that leaves an unknown user unknown.
    fn push_about(
        &mut self,
        user: String,
        command: impl FnOnce(String) -> UserCommand,
    ) -> Result<(), Error> {
        let partition = self.partition(&user)?;
        self.push(partition, command(user));
        Ok(())
    }

    fn push(&mut self, partition: PartitionId, command: UserCommand) {
        if let Some((_, steps)) = self.by_partition.get_mut(usize::from(partition.0)) {
            steps.commands.push(command);
            steps.places.push(self.place);
        }
    }

    /// Refuses that a user comes to be above themselves.
    pub(super) fn invite(
        &mut self,
        attribute: AttributeId,
        user: &str,
        inviter: &str,
    ) -> Result<(), Error> {
        self.invitations
            .invite(self.staging, attribute, user, inviter)
    }

    fn delete(&mut self, key: &str) -> Result<(), Error> {
        self.invitations.delete(key);
        self.push_about(key.to_owned(), |key| UserCommand::Delete { key })?;
        for partition in self.deletions.deleted(key) {
            let key = key.to_owned();
            self.push(partition, UserCommand::Forget { key });
        }
        Ok(())
    }

    fn set(&mut self, user: String, values: Vec<(String, Datum)>) -> Result<(), Error> {
        let mut resolved = Vec::with_capacity(values.len());
        for (name, datum) in values {
            let definition = self.attribute(&name)?;
            let value = self.value(&user, &definition, &datum)?;
            if let (true, Some(StoredValue::Text(target))) =
                (definition.kind.is_reference(), &value)
            {
                if definition.kind == AttributeKind::Inviter {
                    self.invite(definition.id, &user, target)?;
                    // Whoever invited is a user.
                    self.push_making(target.clone(), |key| UserCommand::Ensure { key })?;
                }
                let partition = partition_of_key(&user, self.partition_count);
                self.deletions.referred(target, partition);
            }
            resolved.push((definition.id, value));
        }
        let values = resolved;
        self.push_making(user, |key| UserCommand::Set { key, values })
    }
}

pub(super) fn valid_name(name: &str) -> Result<Name, WriteError> {
    Name::new(name).map_err(|error| WriteError::InvalidName {
        name: coerce::excerpt(name),
        error,
    })
}
