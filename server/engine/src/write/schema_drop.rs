//! Dropping definitions that nothing needs.

use tessera_query_lang::{
    ast::{DefinitionKind, OnConflict, Spanned},
    name::Name,
};

use super::{
    schema_change::{Planned, Planner},
    schema_names::{Kind, in_use, segment_users, unknown},
    usage::list,
};
use crate::{error::Error, ids::GroupId, storage::SchemaKey};

impl Planner<'_> {
    pub(super) fn drop(
        &self,
        kind: DefinitionKind,
        name: &Spanned<Name>,
        on_conflict: OnConflict,
    ) -> Result<Planned, Error> {
        let kind = Kind::of(kind, name)?;
        let key = match kind {
            Kind::Tag => self
                .schema
                .tag(name.node.as_str())
                .map(|tag| SchemaKey::Tag(tag.id)),
            Kind::Group => self
                .schema
                .group(name.node.as_str())
                .map(|group| SchemaKey::Group(group.id)),
            Kind::Attribute => self
                .schema
                .attribute(name.node.as_str())
                .map(|attribute| SchemaKey::Attribute(attribute.id)),
            Kind::Segment => self
                .schema
                .segment(name.node.as_str())
                .map(|segment| SchemaKey::Segment(segment.id)),
            Kind::Event => self
                .schema
                .event(name.node.as_str())
                .map(|event| SchemaKey::Event(event.id)),
        };
        let Some(key) = key else {
            return match on_conflict {
                OnConflict::Keep => Ok(Planned::nothing(format!(
                    "there is no {kind} named \"{}\"",
                    name.node
                ))),
                OnConflict::Refuse => Err(unknown(self.schema, kind, name)),
            };
        };
        if let SchemaKey::Group(group) = key {
            self.check_without_tags(group, name)?;
        }
        match segment_users(self.schema, kind, name.node.as_str()) {
            Some(users) => Err(in_use(kind, name, users)),
            None => Ok(Planned::drop(key)),
        }
    }

    fn check_without_tags(&self, group: GroupId, name: &Spanned<Name>) -> Result<(), Error> {
        let tags: Vec<String> = self
            .schema
            .tags_of_group(group)
            .map(|tag| format!("tag:{}", tag.name))
            .collect();
        match list(&tags) {
            Some(users) => Err(in_use(Kind::Group, name, users)),
            None => Ok(()),
        }
    }
}
