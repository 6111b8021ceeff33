//! How definitions are written as bytes.
//!
//! Knows the stored form of each kind of definition, what each shorter form has room for, and how
//! definitions get into their forms and plain parts out of them. Enums are written by variant
//! index and fields in their order here: add at the end, never reorder. Does not know which
//! definitions go together: `catalog` puts them into a schema.

use std::sync::Arc;

use bincode::{Decode, Encode};
use tessera_query_lang::name::Name;

use crate::{
    ids::{AttributeId, EventId, GroupId, SegmentId, TagId},
    schema::{
        AttributeDefinition, AttributeKind, Blocking, DECIMAL_SCALE_MAX, EventDefinition,
        Exclusivity, FormDefinition, GroupDefinition, Lifecycle, Mutability, Notes, OnRetag,
        SegmentDefinition, TagDefinition, Timing, Validity, Vocabulary,
    },
    storage::keys::FormatError,
    time::Length,
};

/// A definition as it is stored; the id is in the key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum StoredDefinition {
    Tag {
        name: String,
        group: Option<GroupId>,
        notes: StoredNotes,
    },
    Group {
        name: String,
        is_exclusive: bool,
        notes: StoredNotes,
    },
    Attribute {
        name: String,
        kind: StoredKind,
        is_write_once: bool,
        notes: StoredNotes,
    },
    Segment {
        name: String,
        text: String,
        notes: StoredNotes,
    },
    Value(String),
    Event {
        name: String,
        /// In the order in which they were defined.
        properties: Vec<StoredProperty>,
        /// How many days its events are kept at least; for ever when not given.
        retention_days: Option<u32>,
        notes: StoredNotes,
    },
    /// A tag of which more is to be said than [`Self::Tag`] has room for.
    TimedTag {
        name: String,
        group: Option<GroupId>,
        notes: StoredNotes,
        /// How long its holdings are valid, if it is dynamic.
        validity: Option<Length>,
        on_retag: StoredRetag,
        is_timed: bool,
    },
    /// A tag of which more is to be said than [`Self::TimedTag`] has room for.
    FullTag {
        name: String,
        group: Option<GroupId>,
        notes: StoredNotes,
        /// How long its holdings are valid, if it is dynamic.
        validity: Option<Length>,
        on_retag: StoredRetag,
        is_timed: bool,
        /// Printed, as in a saved segment.
        rule: Option<String>,
        is_blocked_for_some: bool,
        lifecycle: StoredLifecycle,
        /// Normalised names.
        aliases: Vec<String>,
    },
    /// A group of which more is to be said than [`Self::Group`] has room for.
    FullGroup {
        name: String,
        is_exclusive: bool,
        notes: StoredNotes,
        parent: Option<GroupId>,
        /// Printed.
        rule: Option<String>,
    },
    Form {
        name: String,
        /// Printed, without notes.
        text: String,
        notes: StoredNotes,
    },
}

/// A property of a kind of event.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredProperty {
    pub(crate) id: AttributeId,
    pub(crate) name: String,
    pub(crate) kind: StoredKind,
}

/// What giving a tag to a holder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum StoredRetag {
    Replace,
    Extend,
    Later,
}

impl From<OnRetag> for StoredRetag {
    fn from(on_retag: OnRetag) -> Self {
        match on_retag {
            OnRetag::Replace => Self::Replace,
            OnRetag::Extend => Self::Extend,
            OnRetag::Later => Self::Later,
        }
    }
}

impl From<StoredRetag> for OnRetag {
    fn from(on_retag: StoredRetag) -> Self {
        match on_retag {
            StoredRetag::Replace => Self::Replace,
            StoredRetag::Extend => Self::Extend,
            StoredRetag::Later => Self::Later,
        }
    }
}

/// Where a tag is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum StoredLifecycle {
    Draft,
    Active,
    Deprecated,
    Archived,
}

impl From<Lifecycle> for StoredLifecycle {
    fn from(lifecycle: Lifecycle) -> Self {
        match lifecycle {
            Lifecycle::Draft => Self::Draft,
            Lifecycle::Active => Self::Active,
            Lifecycle::Deprecated => Self::Deprecated,
            Lifecycle::Archived => Self::Archived,
        }
    }
}

impl From<StoredLifecycle> for Lifecycle {
    fn from(lifecycle: StoredLifecycle) -> Self {
        match lifecycle {
            StoredLifecycle::Draft => Self::Draft,
            StoredLifecycle::Active => Self::Active,
            StoredLifecycle::Deprecated => Self::Deprecated,
            StoredLifecycle::Archived => Self::Archived,
        }
    }
}

/// Description and owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredNotes {
    pub(crate) description: Option<String>,
    pub(crate) owner: Option<String>,
}

/// An attribute's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum StoredKind {
    OpenEnum,
    ClosedEnum,
    OpenMulti,
    ClosedMulti,
    Integer,
    Decimal { scale: u8 },
    Date,
    Timestamp,
    Boolean,
    Text,
    User,
    Inviter,
    YearsSince { of: AttributeId },
}

impl From<&Notes> for StoredNotes {
    fn from(notes: &Notes) -> Self {
        Self {
            description: notes.description.clone(),
            owner: notes.owner.clone(),
        }
    }
}

impl From<StoredNotes> for Notes {
    fn from(notes: StoredNotes) -> Self {
        Self {
            description: notes.description,
            owner: notes.owner,
        }
    }
}

impl From<AttributeKind> for StoredKind {
    fn from(kind: AttributeKind) -> Self {
        match kind {
            AttributeKind::Enum(Vocabulary::Open) => Self::OpenEnum,
            AttributeKind::Enum(Vocabulary::Closed) => Self::ClosedEnum,
            AttributeKind::Multi(Vocabulary::Open) => Self::OpenMulti,
            AttributeKind::Multi(Vocabulary::Closed) => Self::ClosedMulti,
            AttributeKind::Integer => Self::Integer,
            AttributeKind::Decimal { scale } => Self::Decimal { scale },
            AttributeKind::Date => Self::Date,
            AttributeKind::Timestamp => Self::Timestamp,
            AttributeKind::Boolean => Self::Boolean,
            AttributeKind::Text => Self::Text,
            AttributeKind::User => Self::User,
            AttributeKind::Inviter => Self::Inviter,
            AttributeKind::YearsSince(of) => Self::YearsSince { of },
        }
    }
}

impl From<StoredKind> for AttributeKind {
    fn from(kind: StoredKind) -> Self {
        match kind {
            StoredKind::OpenEnum => Self::Enum(Vocabulary::Open),
            StoredKind::ClosedEnum => Self::Enum(Vocabulary::Closed),
            StoredKind::OpenMulti => Self::Multi(Vocabulary::Open),
            StoredKind::ClosedMulti => Self::Multi(Vocabulary::Closed),
            StoredKind::Integer => Self::Integer,
            StoredKind::Decimal { scale } => Self::Decimal { scale },
            StoredKind::Date => Self::Date,
            StoredKind::Timestamp => Self::Timestamp,
            StoredKind::Boolean => Self::Boolean,
            StoredKind::Text => Self::Text,
            StoredKind::User => Self::User,
            StoredKind::Inviter => Self::Inviter,
            StoredKind::YearsSince { of } => Self::YearsSince(of),
        }
    }
}

pub(crate) fn stored_name(text: &str) -> Result<Name, FormatError> {
    match Name::new(text) {
        Ok(name) if name.as_str() == text => Ok(name),
        Ok(_) => Err(FormatError::new("a name is not normalised")),
        Err(error) => Err(FormatError::new(error)),
    }
}

impl StoredDefinition {
    /// In the shortest form that has room for what is said of the tag.
    pub(crate) fn of_tag(tag: &TagDefinition) -> Self {
        let TagDefinition {
            id: _,
            name,
            group,
            notes,
            validity,
            on_retag,
            timing,
            rule,
            blocking,
            lifecycle,
            aliases,
        } = tag;
        let (name, group, notes) = (name.as_str().to_owned(), *group, notes.into());
        let validity = match validity {
            Validity::Static => None,
            Validity::Dynamic(length) => Some(*length),
        };
        let on_retag = StoredRetag::from(*on_retag);
        let is_timed = *timing == Timing::Timed;
        let is_blocked_for_some = *blocking == Blocking::Somebody;
        let is_plain = rule.is_none()
            && !is_blocked_for_some
            && *lifecycle == Lifecycle::Active
            && aliases.is_empty();
        if !is_plain {
            return Self::FullTag {
                name,
                group,
                notes,
                validity,
                on_retag,
                is_timed,
                rule: rule.clone(),
                is_blocked_for_some,
                lifecycle: (*lifecycle).into(),
                aliases: aliases
                    .iter()
                    .map(|name| name.as_str().to_owned())
                    .collect(),
            };
        }
        if validity.is_none() && on_retag == StoredRetag::Replace && !is_timed {
            return Self::Tag { name, group, notes };
        }
        Self::TimedTag {
            name,
            group,
            notes,
            validity,
            on_retag,
            is_timed,
        }
    }

    /// In the shortest form that has room for what is said of the group.
    pub(crate) fn of_group(group: &GroupDefinition) -> Self {
        let GroupDefinition {
            id: _,
            name,
            exclusivity,
            notes,
            parent,
            rule,
        } = group;
        let (name, notes) = (name.as_str().to_owned(), notes.into());
        let is_exclusive = *exclusivity == Exclusivity::Exclusive;
        if parent.is_none() && rule.is_none() {
            return Self::Group {
                name,
                is_exclusive,
                notes,
            };
        }
        Self::FullGroup {
            name,
            is_exclusive,
            notes,
            parent: *parent,
            rule: rule.clone(),
        }
    }

    pub(crate) fn of_attribute(attribute: &AttributeDefinition) -> Self {
        Self::Attribute {
            name: attribute.name.as_str().to_owned(),
            kind: attribute.kind.into(),
            is_write_once: attribute.mutability == Mutability::WriteOnce,
            notes: (&attribute.notes).into(),
        }
    }

    pub(crate) fn of_event(event: &EventDefinition) -> Self {
        let property = |property: &Arc<AttributeDefinition>| StoredProperty {
            id: property.id,
            name: property.name.as_str().to_owned(),
            kind: property.kind.into(),
        };
        Self::Event {
            name: event.name.as_str().to_owned(),
            properties: event.properties.iter().map(property).collect(),
            retention_days: event.retention_days,
            notes: (&event.notes).into(),
        }
    }

    pub(crate) fn of_form(form: &FormDefinition) -> Self {
        Self::Form {
            name: form.name.as_str().to_owned(),
            text: form.text.clone(),
            notes: (&form.notes).into(),
        }
    }

    pub(crate) fn of_segment(segment: &SegmentDefinition) -> Self {
        let name = segment.name.as_str().to_owned();
        Self::Segment {
            name,
            text: segment.text.clone(),
            notes: (&segment.notes).into(),
        }
    }
}

/// A tag as it is stored, with its id.
pub(crate) fn tag_from(
    id: TagId,
    name: &str,
    group: Option<GroupId>,
    notes: StoredNotes,
) -> Result<TagDefinition, FormatError> {
    Ok(TagDefinition {
        group,
        notes: notes.into(),
        ..TagDefinition::new(id, stored_name(name)?)
    })
}

/// A group as it is stored, with its id.
pub(crate) fn group_from(
    id: GroupId,
    name: &str,
    exclusivity: Exclusivity,
    notes: StoredNotes,
) -> Result<GroupDefinition, FormatError> {
    Ok(GroupDefinition {
        exclusivity,
        notes: notes.into(),
        ..GroupDefinition::new(id, stored_name(name)?)
    })
}

/// An attribute as it is stored, with its id.
pub(crate) fn attribute_from(
    id: AttributeId,
    name: &str,
    kind: StoredKind,
    mutability: Mutability,
    notes: StoredNotes,
) -> Result<AttributeDefinition, FormatError> {
    if let StoredKind::Decimal { scale } = kind
        && scale > DECIMAL_SCALE_MAX
    {
        return Err(FormatError::new(format_args!(
            "a decimal with {scale} digits after the point"
        )));
    }
    Ok(AttributeDefinition {
        id,
        name: stored_name(name)?,
        kind: kind.into(),
        mutability,
        notes: notes.into(),
    })
}

/// A saved segment as it is stored, with its id.
pub(crate) fn segment_from(
    id: SegmentId,
    name: &str,
    text: String,
    notes: StoredNotes,
) -> Result<SegmentDefinition, FormatError> {
    Ok(SegmentDefinition {
        id,
        name: stored_name(name)?,
        text,
        notes: notes.into(),
    })
}

/// A kind of event as it is stored, with its id.
pub(crate) fn event_from(
    id: EventId,
    name: &str,
    properties: Vec<StoredProperty>,
    retention_days: Option<u32>,
    notes: StoredNotes,
) -> Result<EventDefinition, FormatError> {
    let property = |property: StoredProperty| {
        attribute_from(
            property.id,
            &property.name,
            property.kind,
            Mutability::WriteOnce,
            StoredNotes {
                description: None,
                owner: None,
            },
        )
    };
    Ok(EventDefinition {
        id,
        name: stored_name(name)?,
        properties: properties
            .into_iter()
            .map(|stored| property(stored).map(Arc::new))
            .collect::<Result<_, _>>()?,
        retention_days,
        notes: notes.into(),
    })
}
