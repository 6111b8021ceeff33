//! Why a write or a change of the definitions is refused.

use tessera_query_lang::{ParseError, ast::Span, name::NameError, suggest::did_you_mean};

use crate::{
    error::ErrorCode, limits::EVENT_ID_BYTES_MAX, plan::ResolveError, schema::NamingError,
    write::ShapeError,
};

/// Why a write is refused. Nothing of its request was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A user key that cannot be one.
    #[error("{key:?} cannot be a user key: {reason}")]
    InvalidKey {
        /// The key, shortened.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// A name that cannot be one.
    #[error("{name:?} cannot be a name: {error}")]
    InvalidName {
        /// The name, shortened.
        name: String,
        /// Why.
        error: NameError,
    },
    /// A name that new tags do not have in this database.
    #[error(transparent)]
    Naming(NamingError),
    /// A tag that is not defined.
    #[error("there is no tag named {name:?}")]
    UnknownTag {
        /// The name.
        name: String,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// An attribute that is not defined.
    #[error("there is no attribute named {name:?}")]
    UnknownAttribute {
        /// The name.
        name: String,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// A kind of event that is not defined.
    #[error("there is no event named {name:?}")]
    UnknownEvent {
        /// The name.
        name: String,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// A key that is no user's, where it must be.
    #[error("there is no user {key:?}")]
    UnknownUser {
        /// The key, shortened.
        key: String,
    },
    /// A property that a kind of event does not have.
    #[error("{event} events have no property named {name:?}")]
    UnknownProperty {
        /// The kind of event.
        event: String,
        /// The name.
        name: String,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// An event of the future, or of no time at all.
    #[error(
        "{event} of user {user:?} cannot have been at {time}: it is {now}, and an event may be at most {seconds} seconds ahead"
    )]
    EventTime {
        /// The user's key.
        user: String,
        /// The kind of event.
        event: String,
        /// When it is said to have been.
        time: String,
        /// The moment of the request.
        now: String,
        /// How much later an event may be.
        seconds: u32,
    },
    /// An event's id that cannot be one.
    #[error("{id:?} cannot be the id of an event: it has 1 to {max} bytes", max = EVENT_ID_BYTES_MAX)]
    EventId {
        /// The id, shortened.
        id: String,
    },
    /// A value that a closed list does not have.
    #[error("{value:?} is not one of the values of {attribute}")]
    UnknownValue {
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
        /// The nearest values.
        nearest: Vec<String>,
    },
    /// A value that does not fit the attribute's type.
    #[error(
        "{value} is not a value for the {kind} attribute {attribute} of user {user:?}: {reason}"
    )]
    WrongType {
        /// The user's key.
        user: String,
        /// The attribute.
        attribute: String,
        /// Its type.
        kind: String,
        /// The value as text, shortened.
        value: String,
        /// Why it does not fit.
        reason: String,
    },
    /// Adding to or removing from an attribute with one value.
    #[error("{attribute} is a {kind} attribute: only multi attributes take += and -=")]
    NotMulti {
        /// The attribute.
        attribute: String,
        /// Its type.
        kind: String,
    },
    /// A write-once attribute that has a value.
    #[error(
        "{attribute} of user {user:?} is write-once and is {present}: it cannot become {offered}"
    )]
    WriteOnce {
        /// The user's key.
        user: String,
        /// The attribute.
        attribute: String,
        /// The value it has.
        present: String,
        /// The value it would get.
        offered: String,
    },
    /// A form that is not defined.
    #[error("there is no form named {name:?}")]
    UnknownForm {
        /// The name.
        name: String,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// A submission's id that cannot be one.
    #[error("{id:?} cannot be the id of a submission: it has 1 to {max} bytes", max = EVENT_ID_BYTES_MAX)]
    SubmissionId {
        /// The id, shortened.
        id: String,
    },
    /// Answers of a form that cannot be taken: all that is wrong with them.
    #[error("the form {form} cannot be submitted: {problems}")]
    Submission {
        /// The form.
        form: String,
        /// What is wrong, one after the other.
        problems: String,
    },
    /// Somebody who would be above themselves.
    #[error("nobody can be invited by themselves or by somebody they brought: {way}")]
    InviterCycle {
        /// From the user to each one's inviter, back to the user.
        way: String,
    },
    /// An attribute that is derived from another.
    #[error("{attribute} is derived from {base} and cannot be set: set {base}")]
    Derived {
        /// The attribute.
        attribute: String,
        /// What it is derived from.
        base: String,
    },
    /// The parts of a load do not fit together.
    #[error("the load is malformed: {0}")]
    Shape(ShapeError),
    /// A holding of a tag that takes no new ones.
    #[error("the tag {tag:?} is {state}: it takes no new holdings")]
    NoNewHoldings {
        /// The tag.
        tag: String,
        /// Deprecated or archived.
        state: &'static str,
    },
    /// A holding of a static tag that would end.
    #[error("the tag {tag:?} is static: its holdings do not end")]
    StaticEnds {
        /// The tag.
        tag: String,
    },
    /// A tag of which nothing is remembered against a rule.
    #[error("the tag {tag:?} has no rule")]
    NoRule {
        /// The tag.
        tag: String,
    },
    /// A holding that would end when it starts, or before.
    #[error("a holding of the tag {tag:?} would end no later than it starts")]
    EndsBeforeStart {
        /// The tag.
        tag: String,
    },
    /// A holding that would start or end where no calendar reaches.
    #[error("a holding would lie beyond the calendar: {0}")]
    BeyondCalendar(String),
}

impl WriteError {
    /// The kind.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownTag { .. }
            | Self::UnknownAttribute { .. }
            | Self::UnknownEvent { .. }
            | Self::UnknownProperty { .. }
            | Self::UnknownUser { .. }
            | Self::UnknownForm { .. }
            | Self::UnknownValue { .. } => ErrorCode::UnknownName,
            Self::InvalidKey { .. }
            | Self::InvalidName { .. }
            | Self::Naming(_)
            | Self::WrongType { .. }
            | Self::NotMulti { .. }
            | Self::EventTime { .. }
            | Self::EventId { .. }
            | Self::StaticEnds { .. }
            | Self::EndsBeforeStart { .. }
            | Self::BeyondCalendar(_)
            | Self::Derived { .. }
            | Self::Submission { .. }
            | Self::SubmissionId { .. }
            | Self::Shape(_) => ErrorCode::TypeMismatch,
            Self::NoRule { .. }
            | Self::WriteOnce { .. }
            | Self::NoNewHoldings { .. }
            | Self::InviterCycle { .. } => ErrorCode::Conflict,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownTag { nearest, .. }
            | Self::UnknownAttribute { nearest, .. }
            | Self::UnknownEvent { nearest, .. }
            | Self::UnknownProperty { nearest, .. }
            | Self::UnknownForm { nearest, .. }
            | Self::UnknownValue { nearest, .. } => did_you_mean(nearest),
            Self::StaticEnds { .. } => {
                Some("make the tag dynamic: ALTER TAG … DYNAMIC FOR 30d".to_owned())
            }
            Self::NoNewHoldings { .. } => {
                Some("take another tag, or make it active again: ALTER TAG … ACTIVE".to_owned())
            }
            Self::NoRule { .. } => Some("UNTAG takes a tag without a rule away".to_owned()),
            Self::InvalidKey { .. }
            | Self::InvalidName { .. }
            | Self::UnknownUser { .. }
            | Self::Naming(_)
            | Self::WrongType { .. }
            | Self::NotMulti { .. }
            | Self::EventTime { .. }
            | Self::EventId { .. }
            | Self::WriteOnce { .. }
            | Self::InviterCycle { .. }
            | Self::Submission { .. }
            | Self::SubmissionId { .. }
            | Self::Derived { .. }
            | Self::EndsBeforeStart { .. }
            | Self::BeyondCalendar(_)
            | Self::Shape(_) => None,
        }
    }
}

/// A limit that a request would exceed. Nothing of the request was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many mutations.
    #[error("a request has at most {max} mutations, this one has {found}")]
    Mutations {
        /// How many there are.
        found: usize,
        /// The limit.
        max: u32,
    },
    /// Too many rows.
    #[error("a load has at most {max} rows, this one has {found}")]
    Rows {
        /// How many there are.
        found: usize,
        /// The limit.
        max: u32,
    },
    /// Too many bytes.
    #[error("a request has at most {max} bytes of keys, names and values")]
    RequestBytes {
        /// The limit.
        max: u64,
    },
    /// A `WHERE` that finds too many users.
    #[error("a statement writes at most {max} users at once, this WHERE finds {found}")]
    WhereUsers {
        /// How many users it finds.
        found: u64,
        /// The limit.
        max: u32,
    },
    /// Too many tags of one user.
    #[error("a user holds at most {max} tags, {user:?} would hold more")]
    UserTags {
        /// The user's key.
        user: String,
        /// The limit.
        max: u32,
    },
    /// Too many values of one multi attribute of one user.
    #[error(
        "a multi attribute has at most {max} values, {attribute} of user {user:?} would have more"
    )]
    UserValues {
        /// The user's key.
        user: String,
        /// The attribute.
        attribute: String,
        /// The limit.
        max: u32,
    },
    /// Too many users above one who is given an inviter.
    #[error("at most {max} users can stand above one another, above {user:?} there would be more")]
    Inviters {
        /// The user's key.
        user: String,
        /// The limit.
        max: usize,
    },
    /// Too many distinct values of one attribute.
    #[error("an attribute has at most {max} distinct values, {attribute} would have more")]
    AttributeValues {
        /// The attribute.
        attribute: String,
        /// The limit.
        max: u32,
    },
    /// Too many definitions of a kind.
    #[error("there can be at most {max} {kind}")]
    Definitions {
        /// The kind, in plural.
        kind: &'static str,
        /// The limit.
        max: u32,
    },
    /// A description or an owner that is too long.
    #[error("{what} has at most {max} bytes, this one has {found}")]
    NoteBytes {
        /// Which of the two.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Too many tags in one group.
    #[error("a group has at most {max} tags, {group} would have more")]
    GroupTags {
        /// The group.
        group: String,
        /// The limit.
        max: u32,
    },
    /// A merge of a tag with too many holders.
    #[error("a tag with at most {max} holders can be merged, this one has {found}")]
    MergedUsers {
        /// How many there are.
        found: u64,
        /// The limit.
        max: u32,
    },
    /// A partition whose user ids are used up.
    #[error("partition {partition} has no user ids left")]
    UserIds {
        /// The partition.
        partition: u16,
    },
}

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
    /// The kind, for programs.
    pub fn code(&self) -> ErrorCode {
        match &self.kind {
            SchemaErrorKind::Defined { .. }
            | SchemaErrorKind::InUse { .. }
            | SchemaErrorKind::HoldsTwo { .. }
            | SchemaErrorKind::HoldingsEnd { .. }
            | SchemaErrorKind::Lifecycle { .. }
            | SchemaErrorKind::FormerName { .. }
            | SchemaErrorKind::GroupCycle(_)
            | SchemaErrorKind::MergesItself { .. }
            | SchemaErrorKind::MergesRule { .. }
            | SchemaErrorKind::MergesEnding { .. }
            | SchemaErrorKind::RepeatedValue(_)
            | SchemaErrorKind::Rule(
                RuleRefusal::Exclusive { .. }
                | RuleRefusal::Shared { .. }
                | RuleRefusal::Nested { .. }
                | RuleRefusal::Layer { .. },
            )
            | SchemaErrorKind::Cycle(_) => ErrorCode::Conflict,
            SchemaErrorKind::Rule(RuleRefusal::Parameters) => ErrorCode::TypeMismatch,
            SchemaErrorKind::Unknown { .. } => ErrorCode::UnknownName,
            SchemaErrorKind::NoVocabulary { .. }
            | SchemaErrorKind::StaticRetag { .. }
            | SchemaErrorKind::FormField { .. }
            | SchemaErrorKind::NoDay { .. }
            | SchemaErrorKind::Settled { .. }
            | SchemaErrorKind::PropertyKind { .. }
            | SchemaErrorKind::InvalidValue { .. }
            | SchemaErrorKind::EmptyVocabulary
            | SchemaErrorKind::Naming(_)
            | SchemaErrorKind::Scale(_)
            | SchemaErrorKind::Parameters => ErrorCode::TypeMismatch,
            SchemaErrorKind::Unreadable(_)
            | SchemaErrorKind::FormerNames { .. }
            | SchemaErrorKind::GroupLevels { .. }
            | SchemaErrorKind::TooLarge { .. } => ErrorCode::LimitExceeded,
            SchemaErrorKind::Meaningless(error) => {
                crate::error::code_of_resolve_error(error.kind())
            }
        }
    }

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
