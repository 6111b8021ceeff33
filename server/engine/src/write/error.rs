//! Why a write or a change of the definitions is refused.
//!
//! Knows the reasons and what to do about them: of writes here, of definitions in `schema`, of
//! limits in `limit`; `code` has the kinds of them all. Does not know when each arises, nor how
//! it is told.

mod code;
mod limit;
mod schema;

use tessera_query_lang::{name::NameError, suggest::did_you_mean};

pub use self::{
    limit::LimitError,
    schema::{RuleRefusal, SchemaError, SchemaErrorKind},
};
use crate::{limits::EVENT_ID_BYTES_MAX, schema::NamingError, write::ShapeError};

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
