//! Definitions: what is common to them, attributes, and saved segments.

use super::{
    AlterEvent, AlterGroup, AlterTag, DefineEvent, DefineForm, DefineGroup, DefineTag, Derivation,
    Expr, Spanned,
};
use crate::name::Name;

/// What is said of a definition besides its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// `DESCRIPTION "…"`
    pub description: Option<String>,
    /// `OWNER "…"`
    pub owner: Option<String>,
}

/// What to do when the name is defined already, or (DROP) is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Refuse.
    Refuse,
    /// `IF NOT EXISTS`, `IF EXISTS`: leave things as they are.
    Keep,
}

/// An attribute's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeType {
    /// `ENUM`: one of an open list of values; `ENUM (f, m)`: of a closed one.
    Enum(Option<Vec<String>>),
    /// `MULTI`, `MULTI (a, b)`: several of a list.
    Multi(Option<Vec<String>>),
    /// `INTEGER`
    Integer,
    /// `DECIMAL(2)`: digits after the point, 0 to 18.
    Decimal(u8),
    /// `DATE`
    Date,
    /// `TIMESTAMP`
    Timestamp,
    /// `BOOLEAN`
    Boolean,
    /// `TEXT`
    Text,
    /// `USER`: another user's key.
    User,
}

/// Whether an attribute may change once it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mutability {
    /// It may.
    #[default]
    Mutable,
    /// `WRITE ONCE`: a second, different value is refused.
    WriteOnce,
}

/// How many tags of a group one user may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exclusivity {
    /// Any number.
    #[default]
    Shared,
    /// `EXCLUSIVE`: one; setting a tag clears its siblings.
    Exclusive,
}

/// `DEFINE …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Define {
    /// `DEFINE TAG vip …`
    Tag(DefineTag),
    /// `DEFINE GROUP lifecycle …`
    Group(DefineGroup),
    /// `DEFINE ATTRIBUTE age INTEGER [WRITE ONCE] …`
    Attribute {
        /// The new attribute.
        name: Spanned<Name>,
        /// Its type.
        attribute_type: AttributeType,
        /// Whether it may change.
        mutability: Mutability,
        /// Description and owner.
        notes: Notes,
    },
    /// `DEFINE ATTRIBUTE age AS YEARS SINCE birthday …`
    Derived {
        /// The new attribute.
        name: Spanned<Name>,
        /// How it comes about.
        derivation: Derivation,
        /// Description and owner.
        notes: Notes,
    },
    /// `DEFINE SEGMENT loyal [OWNER …] [DESCRIPTION …] AS expr`
    Segment(SavedSegment),
    /// `DEFINE EVENT purchase (amount DECIMAL(2)) …`
    Event(DefineEvent),
    /// `DEFINE FORM welcome (…) …`
    Form(DefineForm),
}

impl Define {
    /// The name that is defined.
    pub fn name(&self) -> &Spanned<Name> {
        match self {
            Self::Tag(tag) => &tag.name,
            Self::Group(group) => &group.name,
            Self::Attribute { name, .. } | Self::Derived { name, .. } => name,
            Self::Segment(segment) => &segment.name,
            Self::Event(event) => &event.name,
            Self::Form(form) => &form.name,
        }
    }
}

/// A named expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSegment {
    /// The segment.
    pub name: Spanned<Name>,
    /// Description and owner.
    pub notes: Notes,
    /// Who.
    pub filter: Expr,
}

/// `ALTER …`: what is not mentioned stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alter {
    /// `ALTER TAG vip …`
    Tag(AlterTag),
    /// `ALTER GROUP lifecycle …`
    Group(AlterGroup),
    /// `ALTER ATTRIBUTE gender [ADD VALUES (x)] [WRITE ONCE | MUTABLE] …`
    Attribute {
        /// Which attribute.
        name: Spanned<Name>,
        /// More values of a closed list.
        add_values: Vec<String>,
        /// The new rule.
        mutability: Option<Mutability>,
        /// Description and owner.
        notes: Notes,
    },
    /// `ALTER SEGMENT loyal [OWNER …] [DESCRIPTION …] [AS expr]`
    Segment {
        /// Which segment.
        name: Spanned<Name>,
        /// Description and owner.
        notes: Notes,
        /// The new expression.
        filter: Option<Expr>,
    },
    /// `ALTER EVENT purchase …`
    Event(AlterEvent),
}

/// The kinds of definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefinitionKind {
    /// A tag.
    Tag,
    /// A tag group.
    Group,
    /// An attribute.
    Attribute,
    /// A saved segment.
    Segment,
    /// An event.
    Event,
    /// A form.
    Form,
}
