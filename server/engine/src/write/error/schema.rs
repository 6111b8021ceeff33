//! Why a change of the definitions is refused.
//!
//! Knows the reasons, where in the statement they arise, and what to do about them. Does not know
//! who refuses, nor which kind an error is for a program.

use tessera_query_lang::{ParseError, ast::Span, suggest::did_you_mean};

use crate::{plan::ResolveError, schema::NamingError};

/// Why a change of the definitions is refused, and where in the statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct SchemaError {
    /// Why.
    pub kind: SchemaErrorKind,
    /// The place.
    pub span: Option<Span>,
}

/// Why a change of the definitions is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaErrorKind {
    /// The name is taken.
    #[error("the {kind} {name:?} is defined already")]
    Defined {
        /// Tag, group, attribute or segment.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The name is not defined.
    #[error("there is no {kind} named {name:?}")]
    Unknown {
        /// Tag, group, attribute or segment.
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// Something needs it.
    #[error("the {kind} {name:?} is used by {users}")]
    InUse {
        /// Tag, group, attribute or segment.
        kind: &'static str,
        /// The name.
        name: String,
        /// What uses it.
        users: String,
    },
    /// A group cannot become exclusive.
    #[error("group {group:?} cannot be exclusive: user {user:?} holds {first} and {second}")]
    HoldsTwo {
        /// The group.
        group: String,
        /// One user who holds two of its tags.
        user: String,
        /// One of the tags.
        first: String,
        /// The other.
        second: String,
    },
    /// A tag cannot become static.
    #[error("the tag {tag:?} cannot be static: holdings of {users} users are to end")]
    HoldingsEnd {
        /// The tag.
        tag: String,
        /// How many users hold it, or are to hold it, to an end.
        users: u64,
    },
    /// What tagging again does, of a tag whose holdings do not end.
    #[error("the tag {tag:?} is static: only a dynamic tag says what tagging again does")]
    StaticRetag {
        /// The tag.
        tag: String,
    },
    /// A name that new definitions do not have in this database.
    #[error(transparent)]
    Naming(NamingError),
    /// Groups that would stand in each other.
    #[error("the group would stand in itself: {0}")]
    GroupCycle(String),
    /// More levels of groups than there may be.
    #[error("groups stand in each other on at most {max} levels: {way}")]
    GroupLevels {
        /// From the outermost to the innermost.
        way: String,
        /// The limit.
        max: usize,
    },
    /// A name under which another tag is still found.
    #[error("{name:?} is a former name of the tag {tag:?}")]
    FormerName {
        /// The name.
        name: String,
        /// The tag.
        tag: String,
    },
    /// More former names than a tag may have.
    #[error("the tag {tag:?} would have more than {max} former names")]
    FormerNames {
        /// The tag.
        tag: String,
        /// The limit.
        max: usize,
    },
    /// A tag that would be merged into itself.
    #[error("the tag {tag:?} cannot be merged into itself")]
    MergesItself {
        /// The tag.
        tag: String,
    },
    /// A tag whose holders a rule finds.
    #[error("the tag {tag:?} follows a rule and cannot be merged")]
    MergesRule {
        /// The tag.
        tag: String,
    },
    /// Holdings that are to end, of a tag that is to go into a static one.
    #[error(
        "the tag {tag:?} cannot be merged into the static {into:?}: holdings of {users} users are to end"
    )]
    MergesEnding {
        /// The tag that would go.
        tag: String,
        /// The one that would stay.
        into: String,
        /// How many users hold it, or are to hold it, to an end.
        users: u64,
    },
    /// A step back in a tag's life.
    #[error("the tag {tag:?} is {from} and cannot become {to}")]
    Lifecycle {
        /// The tag.
        tag: String,
        /// Where it is.
        from: &'static str,
        /// Where it was to go.
        to: &'static str,
    },
    /// A change that the attribute's type does not have.
    #[error(
        "{name} is a {attribute_kind} attribute: only enum and multi attributes have a list of values"
    )]
    NoVocabulary {
        /// The attribute.
        name: String,
        /// Its type.
        attribute_kind: String,
    },
    /// A field of a form that cannot be so.
    #[error("the field {field} cannot be so: {reason}")]
    FormField {
        /// The field.
        field: String,
        /// Why.
        reason: String,
    },
    /// Years since something that is no day.
    #[error("{name} is a {attribute_kind} attribute: years pass since a date or a timestamp")]
    NoDay {
        /// The attribute.
        name: String,
        /// Its type.
        attribute_kind: String,
    },
    /// A change of what is settled for the attribute.
    #[error("whether {name} may change cannot be chosen: {reason}")]
    Settled {
        /// The attribute.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A type that a property of an event cannot have.
    #[error(
        "{name} is a {property_kind}: an event has one value of each property, and no references"
    )]
    PropertyKind {
        /// The property.
        name: String,
        /// Its type.
        property_kind: String,
    },
    /// A value in a list that cannot be one.
    #[error("{value:?} cannot be a value: {reason}")]
    InvalidValue {
        /// The value, shortened.
        value: String,
        /// Why.
        reason: String,
    },
    /// A value listed twice.
    #[error("the value {0:?} is listed twice")]
    RepeatedValue(String),
    /// A closed list without values.
    #[error("a closed list of values cannot be empty")]
    EmptyVocabulary,
    /// More digits after the point than 64 bits make sense of.
    #[error("a decimal has at most 18 digits after the point, not {0}")]
    Scale(u8),
    /// A saved segment that would need values nobody can send.
    #[error("a saved segment cannot have parameters")]
    Parameters,
    /// Saved segments, rules and groups that mean each other.
    #[error("it would contain itself: {0}")]
    Cycle(String),
    /// A rule that a tag or a group cannot have.
    #[error(transparent)]
    Rule(RuleRefusal),
    /// An expression that could not be read again, because it is too large as text.
    #[error("the expression cannot be saved: {0}")]
    Unreadable(Box<ParseError>),
    /// A meaning with which something that contains this one expands to too much.
    #[error("{user} contains it and would be too large: {error}")]
    TooLarge {
        /// The saved segment, tag or group, as people call it.
        user: String,
        /// What it would have too many of.
        error: Box<ResolveError>,
    },
    /// A saved segment that means nothing.
    #[error(transparent)]
    Meaningless(Box<ResolveError>),
}

impl SchemaError {
    /// The place in the statement's text.
    pub fn span(&self) -> Option<Span> {
        match &self.kind {
            SchemaErrorKind::Meaningless(error) => error.span(),
            SchemaErrorKind::Defined { .. }
            | SchemaErrorKind::Unknown { .. }
            | SchemaErrorKind::InUse { .. }
            | SchemaErrorKind::HoldsTwo { .. }
            | SchemaErrorKind::HoldingsEnd { .. }
            | SchemaErrorKind::StaticRetag { .. }
            | SchemaErrorKind::Lifecycle { .. }
            | SchemaErrorKind::FormerName { .. }
            | SchemaErrorKind::FormerNames { .. }
            | SchemaErrorKind::Naming(_)
            | SchemaErrorKind::GroupCycle(_)
            | SchemaErrorKind::GroupLevels { .. }
            | SchemaErrorKind::MergesItself { .. }
            | SchemaErrorKind::MergesRule { .. }
            | SchemaErrorKind::MergesEnding { .. }
            | SchemaErrorKind::NoVocabulary { .. }
            | SchemaErrorKind::FormField { .. }
            | SchemaErrorKind::NoDay { .. }
            | SchemaErrorKind::Settled { .. }
            | SchemaErrorKind::PropertyKind { .. }
            | SchemaErrorKind::InvalidValue { .. }
            | SchemaErrorKind::RepeatedValue(_)
            | SchemaErrorKind::EmptyVocabulary
            | SchemaErrorKind::Scale(_)
            | SchemaErrorKind::Parameters
            | SchemaErrorKind::Unreadable(_)
            | SchemaErrorKind::TooLarge { .. }
            | SchemaErrorKind::Rule(_)
            | SchemaErrorKind::Cycle(_) => self.span.filter(|span| *span != Span::default()),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match &self.kind {
            SchemaErrorKind::Unknown { nearest, .. } => did_you_mean(nearest),
            SchemaErrorKind::Meaningless(error) => error.hint(),
            SchemaErrorKind::TooLarge { .. } => Some("simplify the one or the other".to_owned()),
            SchemaErrorKind::InUse { .. } => Some("change or drop what uses it first".to_owned()),
            SchemaErrorKind::Defined { .. } => {
                Some("use ALTER to change it, or IF NOT EXISTS to keep it".to_owned())
            }
            SchemaErrorKind::HoldsTwo { .. } => {
                Some("take one of the tags from them first".to_owned())
            }
            SchemaErrorKind::HoldingsEnd { .. } => {
                Some("take the tag from them first, or wait for the ends".to_owned())
            }
            SchemaErrorKind::StaticRetag { .. } => Some("write DYNAMIC FOR 30d as well".to_owned()),
            SchemaErrorKind::Lifecycle { .. } => Some(
                "tags go from draft to active, deprecated and archived, and back to active"
                    .to_owned(),
            ),
            SchemaErrorKind::FormerName { .. } | SchemaErrorKind::FormerNames { .. } => {
                Some("DROP TAG frees a former name".to_owned())
            }
            SchemaErrorKind::MergesRule { .. } => Some(
                "take its rule away first: ALTER TAG … NO RULE, or ALTER GROUP … NO RULE"
                    .to_owned(),
            ),
            SchemaErrorKind::MergesEnding { .. } => {
                Some("make the other one dynamic first, or wait for the ends".to_owned())
            }
            SchemaErrorKind::NoVocabulary { .. }
            | SchemaErrorKind::Naming(_)
            | SchemaErrorKind::GroupCycle(_)
            | SchemaErrorKind::GroupLevels { .. }
            | SchemaErrorKind::MergesItself { .. }
            | SchemaErrorKind::FormField { .. }
            | SchemaErrorKind::NoDay { .. }
            | SchemaErrorKind::Settled { .. }
            | SchemaErrorKind::PropertyKind { .. }
            | SchemaErrorKind::InvalidValue { .. }
            | SchemaErrorKind::RepeatedValue(_)
            | SchemaErrorKind::EmptyVocabulary
            | SchemaErrorKind::Scale(_)
            | SchemaErrorKind::Parameters
            | SchemaErrorKind::Unreadable(_)
            | SchemaErrorKind::Rule(_)
            | SchemaErrorKind::Cycle(_) => None,
        }
    }
}

/// Why a tag or a group cannot have a rule, or be what it would be beside one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleRefusal {
    /// Values nobody can send.
    #[error("a rule cannot have parameters")]
    Parameters,
    /// A rule of its own beside tags of which a user holds one.
    #[error(
        "the tag {tag:?} with a rule of its own cannot be in the exclusive group {group:?}: give the group a rule"
    )]
    Exclusive {
        /// The tag.
        tag: String,
        /// The group.
        group: String,
    },
    /// A group with layers in which a user may be twice.
    #[error("the group {group:?} has a rule: a user holds one of its tags")]
    Shared {
        /// The group.
        group: String,
    },
    /// A group with layers beneath one of whose tags a user holds one.
    #[error(
        "the group {group:?} has a rule and cannot stand in the exclusive group {outer:?}: a user might be in layers of several groups"
    )]
    Nested {
        /// The group with layers.
        group: String,
        /// The exclusive group.
        outer: String,
    },
    /// A layer that would leave its group, or have a rule of its own.
    #[error("the tag {tag:?} is a layer of the group {group:?}: change the rule of the group")]
    Layer {
        /// The tag.
        tag: String,
        /// The group.
        group: String,
    },
}
