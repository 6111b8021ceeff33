//! Dropping definitions that nothing needs, and former names of tags.

use tessera_query_lang::{
    ast::{DefinitionKind, OnConflict, Spanned},
    name::Name,
};

use super::{
    schema_change::{Planned, Planner},
    schema_names::{Kind, unknown, unless_in_use},
};
use crate::{
    error::Error,
    storage::{SchemaKey, StoredDefinition},
};

impl Planner<'_> {
    pub(super) fn drop(
        &self,
        kind: DefinitionKind,
        name: &Spanned<Name>,
        on_conflict: OnConflict,
    ) -> Result<Planned, Error> {
        let kind = Kind::of(kind);
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
            Kind::Form => self
                .schema
                .form(name.node.as_str())
                .map(|form| SchemaKey::Form(form.id)),
        };
        let Some(key) = key else {
            if let Some(planned) = self.drop_former(kind, name) {
                return Ok(planned);
            }
            return match on_conflict {
                OnConflict::Keep => Ok(Planned::nothing(format!(
                    "there is no {kind} named \"{}\"",
                    name.node
                ))),
                OnConflict::Refuse => Err(unknown(self.schema, kind, name)),
            };
        };
        unless_in_use(self.schema, kind, name)?;
        Ok(Planned::drop(key))
    }

    /// Forgets a name that a tag had before, if it is one.
    fn drop_former(&self, kind: Kind, name: &Spanned<Name>) -> Option<Planned> {
        let tag = match kind {
            Kind::Tag => self.schema.tag_formerly(name.node.as_str())?,
            Kind::Group | Kind::Attribute | Kind::Segment | Kind::Event | Kind::Form => {
                return None;
            }
        };
        let warning = format!(
            "\"{}\" was a former name of the tag \"{}\", which stays",
            name.node, tag.name
        );
        let mut tag = tag.clone();
        tag.aliases.retain(|alias| *alias != name.node);
        Some(Planned {
            warnings: vec![warning],
            ..Planned::put(SchemaKey::Tag(tag.id), StoredDefinition::of_tag(&tag))
        })
    }
}
