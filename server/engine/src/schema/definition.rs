//! What a definition says.

use std::sync::Arc;

use tessera_query_lang::name::Name;

use crate::{
    ids::{AttributeId, EventId, FormId, GroupId, SegmentId, TagId},
    schema::registry::Definition,
    time::Length,
};

pub use tessera_query_lang::ast::{Exclusivity, Lifecycle, Mutability, Notes, OnRetag};

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagDefinition {
    /// Its number.
    pub id: TagId,
    /// Its name, unique among tags.
    pub name: Name,
    /// The group it belongs to.
    pub group: Option<GroupId>,
    /// Description and owner.
    pub notes: Notes,
    /// Whether holdings end by themselves.
    pub validity: Validity,
    /// What giving it to a holder does, if it is dynamic.
    pub on_retag: OnRetag,
    /// Whether its row alone tells who holds it.
    pub timing: Timing,
    /// Who holds it, always: the printed expression, if it is a rule's tag.
    pub rule: Option<String>,
    /// Whether somebody had it taken from them by hand against its rule.
    pub blocking: Blocking,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// What it was called before: names under which it is still found.
    pub aliases: Vec<Name>,
}

impl TagDefinition {
    /// A static tag of which nothing else is said.
    pub fn new(id: TagId, name: Name) -> Self {
        Self {
            id,
            name,
            group: None,
            notes: Notes::default(),
            validity: Validity::Static,
            on_retag: OnRetag::default(),
            timing: Timing::Standing,
            rule: None,
            blocking: Blocking::Nobody,
            lifecycle: Lifecycle::Active,
            aliases: Vec::new(),
        }
    }
}

/// Whether a tag of a rule is, or was, taken from somebody by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blocking {
    /// Its rule alone tells who holds it, with those to whom it was given by hand.
    Nobody,
    /// Some users do not hold it, whatever its rule says.
    Somebody,
}

/// Whether holdings of a tag end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Validity {
    /// Never.
    Static,
    /// So long after their start, if nothing else is said of them.
    Dynamic(Length),
}

/// Whether a tag has, or had, holdings that are not in effect all the time that they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timing {
    /// Who is in its row holds it.
    Standing,
    /// Some holdings end, or start later than they are given.
    Timed,
}

/// A tag group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDefinition {
    /// Its number.
    pub id: GroupId,
    /// Its name, unique among groups.
    pub name: Name,
    /// How many of its tags a user may hold.
    pub exclusivity: Exclusivity,
    /// Description and owner.
    pub notes: Notes,
    /// The group it stands in.
    pub parent: Option<GroupId>,
    /// Who holds which of its tags, always: the printed rule, if it is a layered group.
    pub rule: Option<String>,
}

impl GroupDefinition {
    /// A shared group at the top of which nothing else is said.
    pub fn new(id: GroupId, name: Name) -> Self {
        Self {
            id,
            name,
            exclusivity: Exclusivity::Shared,
            notes: Notes::default(),
            parent: None,
            rule: None,
        }
    }
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeDefinition {
    /// Its number.
    pub id: AttributeId,
    /// Its name, unique among attributes.
    pub name: Name,
    /// Its type.
    pub kind: AttributeKind,
    /// Whether a value may change.
    pub mutability: Mutability,
    /// Description and owner.
    pub notes: Notes,
}

/// A saved segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentDefinition {
    /// Its number.
    pub id: SegmentId,
    /// Its name, unique among segments.
    pub name: Name,
    /// The printed expression.
    pub text: String,
    /// Description and owner.
    pub notes: Notes,
}

/// A kind of event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDefinition {
    /// Its number.
    pub id: EventId,
    /// Its name, unique among kinds of events.
    pub name: Name,
    /// What may be said of each event, in the order in which it was defined. A property is like
    /// an attribute, of an event instead of a user: its id is of the same numbers, its name is
    /// unique among the properties of its kind of event, and it is neither multi nor a user.
    pub properties: Vec<Arc<AttributeDefinition>>,
    /// How many days its events are kept at least; for ever when not given.
    pub retention_days: Option<u32>,
    /// Description and owner.
    pub notes: Notes,
}

impl EventDefinition {
    /// The property with this (normalised) name.
    pub fn property(&self, name: &str) -> Option<&Arc<AttributeDefinition>> {
        let mut properties = self.properties.iter();
        properties.find(|property| property.name.as_str() == name)
    }
}

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormDefinition {
    /// Its number.
    pub id: FormId,
    /// Its name, unique among forms.
    pub name: Name,
    /// The printed definition, without description and owner.
    pub text: String,
    /// Description and owner.
    pub notes: Notes,
}

/// Whether an enum or multi takes values that it has not had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vocabulary {
    /// A new value is added at first sight.
    Open,
    /// Only listed values are taken.
    Closed,
}

/// Digits after the point that a decimal may have: more make no sense in 64 bits.
pub const DECIMAL_SCALE_MAX: u8 = 18;

/// An attribute's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttributeKind {
    /// One of a list of texts.
    Enum(Vocabulary),
    /// Several of a list of texts.
    Multi(Vocabulary),
    /// A whole number of 64 bits.
    Integer,
    /// A number of 64 bits with so many digits after the point, 0 to [`DECIMAL_SCALE_MAX`].
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// A day.
    Date,
    /// A moment, in microseconds.
    Timestamp,
    /// True or false.
    Boolean,
    /// Any text.
    Text,
    /// Another user's key.
    User,
    /// The key of the user who invited: a user who exists, set once, and nobody is above
    /// themselves. Beside what other references have, a column of inviters' places.
    Inviter,
    /// Whole years from the day of another attribute, a date or a timestamp, to the day on which
    /// it is asked. Derived, never stored.
    YearsSince(AttributeId),
}

/// How an attribute's values are stored and indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttributeClass {
    /// Enum and boolean: a row a value, and a column of codes.
    Coded,
    /// Multi: a row a value.
    MultiCoded,
    /// Integer, decimal, date, timestamp: bit slices, and a column of numbers. Years since a day
    /// have neither: they are derived from the day's.
    Numeric,
    /// Text and user: an index from text to users. The inviter has a column of places as well.
    Textual,
}

impl AttributeKind {
    /// How its values are stored and indexed.
    pub fn class(self) -> AttributeClass {
        match self {
            Self::Enum(_) | Self::Boolean => AttributeClass::Coded,
            Self::Multi(_) => AttributeClass::MultiCoded,
            Self::Integer
            | Self::Decimal { .. }
            | Self::Date
            | Self::Timestamp
            | Self::YearsSince(_) => AttributeClass::Numeric,
            Self::Text | Self::User | Self::Inviter => AttributeClass::Textual,
        }
    }

    /// Whether its values are other users' keys.
    pub fn is_reference(self) -> bool {
        match self {
            Self::User | Self::Inviter => true,
            Self::Enum(_)
            | Self::Multi(_)
            | Self::Integer
            | Self::Decimal { .. }
            | Self::Date
            | Self::Timestamp
            | Self::Boolean
            | Self::Text
            | Self::YearsSince(_) => false,
        }
    }

    /// The type's word in the language, without values or scale.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Enum(_) => "enum",
            Self::Multi(_) => "multi",
            Self::Integer => "integer",
            Self::Decimal { .. } => "decimal",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Boolean => "boolean",
            Self::Text => "text",
            Self::User | Self::Inviter => "user",
            Self::YearsSince(_) => "years",
        }
    }
}

impl std::fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Decimal { scale } => write!(f, "decimal({scale})"),
            Self::Enum(_)
            | Self::Multi(_)
            | Self::Integer
            | Self::Date
            | Self::Timestamp
            | Self::Boolean
            | Self::Text
            | Self::User
            | Self::Inviter
            | Self::YearsSince(_) => f.write_str(self.keyword()),
        }
    }
}

impl Definition for TagDefinition {
    fn id(&self) -> u32 {
        self.id.0
    }
    fn name(&self) -> &Name {
        &self.name
    }
}

impl Definition for GroupDefinition {
    fn id(&self) -> u32 {
        self.id.0
    }
    fn name(&self) -> &Name {
        &self.name
    }
}

impl Definition for AttributeDefinition {
    fn id(&self) -> u32 {
        self.id.0
    }
    fn name(&self) -> &Name {
        &self.name
    }
}

impl Definition for EventDefinition {
    fn id(&self) -> u32 {
        self.id.0
    }
    fn name(&self) -> &Name {
        &self.name
    }
}

impl Definition for FormDefinition {
    fn id(&self) -> u32 {
        self.id.0
    }
    fn name(&self) -> &Name {
        &self.name
    }
}

impl Definition for SegmentDefinition {
    fn id(&self) -> u32 {
        self.id.0
    }
    fn name(&self) -> &Name {
        &self.name
    }
}
