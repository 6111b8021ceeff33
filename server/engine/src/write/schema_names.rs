//! Names of definitions: whether they are free, known, in use, or too many.

use tessera_query_lang::{
    ast::{DefinitionKind, Spanned},
    name::Name,
    suggest::nearest,
};

use super::{
    schema_change::refuse,
    usage::{list, uses_of},
};
use crate::{
    error::Error,
    limits::{DESCRIPTION_BYTES_MAX, Limits, OWNER_BYTES_MAX},
    schema::{Labelled, Notes, Schema},
    write::{LimitError, SchemaErrorKind},
};

/// The kinds of definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tag,
    Group,
    Attribute,
    Segment,
    Event,
    Form,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Group => "group",
            Self::Attribute => "attribute",
            Self::Segment => "segment",
            Self::Event => "event",
            Self::Form => "form",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl Kind {
    /// The kind of a statement's definition.
    pub(super) fn of(kind: DefinitionKind) -> Self {
        match kind {
            DefinitionKind::Tag => Self::Tag,
            DefinitionKind::Group => Self::Group,
            DefinitionKind::Attribute => Self::Attribute,
            DefinitionKind::Segment => Self::Segment,
            DefinitionKind::Event => Self::Event,
            DefinitionKind::Form => Self::Form,
        }
    }
}

/// Finds a definition by name.
pub(super) fn find<'s, D>(
    schema: &'s Schema,
    kind: Kind,
    name: &Spanned<Name>,
    look_up: impl FnOnce(&'s Schema, &str) -> Option<&'s D>,
) -> Result<&'s D, Error> {
    look_up(schema, name.node.as_str()).ok_or_else(|| unknown(schema, kind, name))
}

/// Says that a name is not defined, and which are near.
pub(super) fn unknown(schema: &Schema, kind: Kind, name: &Spanned<Name>) -> Error {
    let now = match kind {
        Kind::Tag => schema.tag_formerly(name.node.as_str()),
        Kind::Group | Kind::Attribute | Kind::Segment | Kind::Event | Kind::Form => None,
    };
    let nearest = match now {
        Some(tag) => vec![tag.name.to_string()],
        None => nearest(name.node.as_str(), names_of(schema, kind).map(Name::as_str)),
    };
    let text = name.node.to_string();
    refuse(
        SchemaErrorKind::Unknown {
            kind: kind.word(),
            name: text,
            nearest,
        },
        name.span,
    )
}

/// Refuses to take away what is needed.
pub(super) fn unless_in_use(
    schema: &Schema,
    kind: Kind,
    name: &Spanned<Name>,
) -> Result<(), Error> {
    let uses = uses_of(schema, kind, name.node.as_str());
    let uses: Vec<String> = uses.iter().map(ToString::to_string).collect();
    match list(&uses) {
        Some(users) => Err(refuse(
            SchemaErrorKind::InUse {
                kind: kind.word(),
                name: name.node.to_string(),
                users,
            },
            name.span,
        )),
        None => Ok(()),
    }
}

/// Refuses a new name that is not as names are in this database.
pub(super) fn check_naming(kind: Kind, name: &Spanned<Name>, limits: &Limits) -> Result<(), Error> {
    let labelled = match kind {
        Kind::Tag | Kind::Group => Labelled::Label,
        Kind::Attribute => Labelled::Attribute,
        Kind::Segment | Kind::Event | Kind::Form => return Ok(()),
    };
    let checked = limits.naming.check(labelled, &name.node);
    checked.map_err(|error| refuse(SchemaErrorKind::Naming(error), name.span))
}

/// Refuses one more definition than there may be.
pub(super) fn unless_too_many(
    schema: &Schema,
    kind: Kind,
    limits: &Limits,
) -> Result<(), LimitError> {
    let (count, max, kind) = match kind {
        Kind::Tag => (schema.tag_count(), limits.tags_max, "tags"),
        Kind::Group => (schema.group_count(), limits.groups_max, "groups"),
        Kind::Attribute => (
            schema.attribute_count(),
            limits.attributes_max,
            "attributes",
        ),
        Kind::Segment => (schema.segment_count(), limits.segments_max, "segments"),
        Kind::Event => (schema.event_count(), limits.events_max, "events"),
        Kind::Form => (schema.form_count(), limits.forms_max, "forms"),
    };
    if count < max {
        Ok(())
    } else {
        Err(LimitError::Definitions { kind, max })
    }
}

/// What is said of a definition after a statement: what it does not mention stays, an empty
/// text takes away.
pub(super) fn check_notes(before: &Notes, new: &Notes) -> Result<Notes, LimitError> {
    let merge = |before: &Option<String>, new: &Option<String>| match new {
        Some(text) if text.is_empty() => None,
        Some(text) => Some(text.clone()),
        None => before.clone(),
    };
    let notes = Notes {
        description: merge(&before.description, &new.description),
        owner: merge(&before.owner, &new.owner),
    };
    check_length(
        "a description",
        notes.description.as_deref(),
        DESCRIPTION_BYTES_MAX,
    )?;
    check_length("an owner", notes.owner.as_deref(), OWNER_BYTES_MAX)?;
    Ok(notes)
}

fn check_length(what: &'static str, text: Option<&str>, max: usize) -> Result<(), LimitError> {
    match text.map_or(0, str::len) {
        found if found > max => Err(LimitError::NoteBytes { what, found, max }),
        _ => Ok(()),
    }
}

/// The names of all definitions of a kind.
pub(super) fn names_of(schema: &Schema, kind: Kind) -> Box<dyn Iterator<Item = &Name> + '_> {
    match kind {
        Kind::Tag => Box::new(schema.tags_by_id().map(|tag| &tag.name)),
        Kind::Group => Box::new(schema.groups().map(|group| &group.name)),
        Kind::Attribute => Box::new(schema.attributes_by_id().map(|attribute| &attribute.name)),
        Kind::Segment => Box::new(schema.segments().map(|segment| &segment.name)),
        Kind::Event => Box::new(schema.events_by_id().map(|event| &event.name)),
        Kind::Form => Box::new(schema.forms().map(|form| &form.name)),
    }
}
