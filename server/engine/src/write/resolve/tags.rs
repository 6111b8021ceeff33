//! Tags by name, which are defined here where that is wanted.

use tessera_query_lang::{name::Name, suggest::nearest};

use super::{OnUnknown, Resolver, SUGGESTION_CANDIDATES_MAX, valid_name};
use crate::{
    error::Error,
    ids::TagId,
    schema::{Blocking, Labelled, TagDefinition, Timing},
    storage::{SchemaKey, StoredDefinition, StoredNotes},
    time::second_of_micros,
    write::{LimitError, WriteError, command::SchemaChange, holdings::HoldTerms},
};

impl Resolver<'_> {
    pub(super) fn tags(
        &mut self,
        names: &[String],
        on_unknown: OnUnknown,
    ) -> Result<Vec<TagId>, Error> {
        let mut tags = Vec::with_capacity(names.len());
        for name in names {
            tags.extend(self.tag(name, on_unknown)?);
        }
        Ok(tags)
    }

    pub(in crate::write) fn tag(
        &mut self,
        name: &str,
        on_unknown: OnUnknown,
    ) -> Result<Option<TagId>, Error> {
        // A name that is found as it stands needs no normalising.
        if let Some(tag) = self.tag_called(name) {
            return Ok(Some(tag));
        }
        let normalised = valid_name(name)?;
        if let Some(tag) = self.tag_called(normalised.as_str()) {
            return Ok(Some(tag));
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

    /// The tag that has a name, or had it before: then whoever writes is told.
    fn tag_called(&mut self, name: &str) -> Option<TagId> {
        let tag = self.staging.schema.tag_called(name)?;
        let id = tag.id;
        if tag.name.as_str() != name {
            let now = &tag.name;
            let warning = format!("the tag \"{name}\" is called \"{now}\" now");
            self.staging.warn(warning);
        }
        Some(id)
    }

    fn define_tag(&mut self, name: &Name) -> Result<TagId, Error> {
        if self.staging.schema.tag_count() >= self.limits.tags_max {
            return Err(LimitError::Definitions {
                kind: "tags",
                max: self.limits.tags_max,
            }
            .into());
        }
        self.limits
            .naming
            .check(Labelled::Label, name)
            .map_err(WriteError::Naming)?;
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
    pub(in crate::write) fn note_start(
        &mut self,
        tag: TagId,
        terms: &HoldTerms,
    ) -> Result<(), Error> {
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

    /// Notes of a tag with a rule that somebody is to have it no more, whatever the rule says.
    pub(in crate::write) fn note_taking(&mut self, tag: TagId) -> Result<(), Error> {
        let schema = &self.staging.schema;
        let Some(definition) = schema.tag_by_id(tag) else {
            return Ok(());
        };
        if definition.blocking == Blocking::Somebody || schema.rule_of(definition).is_none() {
            return Ok(());
        }
        let definition = StoredDefinition::of_tag(&TagDefinition {
            blocking: Blocking::Somebody,
            ..definition.clone()
        });
        self.staging.change_definition(SchemaChange::Put {
            key: SchemaKey::Tag(tag),
            definition,
        })
    }

    /// Refuses to forget what is known of a tag without a rule, unless its rule was taken away.
    pub(super) fn check_ruled(&self, tag: TagId) -> Result<(), WriteError> {
        let schema = &self.staging.schema;
        match schema.tag_by_id(tag) {
            Some(tag) if tag.blocking == Blocking::Nobody && schema.rule_of(tag).is_none() => {
                Err(WriteError::NoRule {
                    tag: tag.name.to_string(),
                })
            }
            Some(_) | None => Ok(()),
        }
    }
}
