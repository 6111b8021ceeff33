//! What may be asked of the writer, by name.

use tessera_query_lang::ast::{
    Alter, Define, DefinitionKind, INVITED_BY, OnConflict, SavedSegment, Spanned, Statement,
};
use tessera_query_lang::name::Name;

use crate::{datum::Datum, write::holdings::HoldTerms};

/// One change of one user. A key that is new becomes a user, except where a mutation says
/// otherwise.
#[derive(Debug, Clone, PartialEq)]
pub enum Mutation {
    /// Makes sure that the user exists.
    Ensure {
        /// The user's key.
        user: String,
    },
    /// Gives the user tags. Siblings in exclusive groups are cleared; of two siblings the last
    /// one wins.
    Tag {
        /// The user's key.
        user: String,
        /// Names of tags.
        tags: Vec<String>,
    },
    /// As [`Self::Tag`], on terms of which something is said.
    Hold {
        /// The user's key.
        user: String,
        /// Names of tags.
        tags: Vec<String>,
        /// Since when, until when, and on whose word.
        terms: HoldTerms,
    },
    /// Takes tags from the user, for good where a rule would give them. An unknown user stays
    /// unknown.
    Untag {
        /// The user's key.
        user: String,
        /// Names of tags.
        tags: Vec<String>,
    },
    /// Forgets that tags with rules were given to the user or taken. An unknown user stays
    /// unknown.
    Clear {
        /// The user's key.
        user: String,
        /// Names of tags.
        tags: Vec<String>,
    },
    /// Sets attributes; [`Datum::Null`] clears one, [`Datum::List`] replaces a multi's values.
    /// Of two values for one attribute the last one wins.
    Set {
        /// The user's key.
        user: String,
        /// Attribute names and values.
        values: Vec<(String, Datum)>,
    },
    /// Adds values to a multi attribute.
    Add {
        /// The user's key.
        user: String,
        /// The attribute.
        attribute: String,
        /// The values.
        values: Vec<Datum>,
    },
    /// Removes values from a multi attribute. An unknown user stays unknown.
    Remove {
        /// The user's key.
        user: String,
        /// The attribute.
        attribute: String,
        /// The values.
        values: Vec<Datum>,
    },
    /// Notes what the user did.
    Track {
        /// The user's key.
        user: String,
        /// The kind of event.
        event: String,
        /// When it was, in microseconds since 1970-01-01T00:00:00Z; the moment of the request when
        /// not given.
        at_us: Option<i64>,
        /// Names the event among the user's: the same id again changes nothing.
        id: Option<String>,
        /// Properties and values. [`Datum::Null`] is none. Of two values for one property the
        /// last one wins.
        values: Vec<(String, Datum)>,
    },
    /// Answers a form: sets, gives and notes what the answers say, all or none.
    Submit {
        /// The user's key.
        user: String,
        /// The form.
        form: String,
        /// Fields and answers, each field once. [`Datum::Null`] is none.
        answers: Vec<(String, Datum)>,
    },
    /// Deletes the user, and clears references to it. An unknown user stays unknown.
    DeleteUser {
        /// The user's key.
        user: String,
    },
}

impl Mutation {
    /// Whether what it comes to depends on other users than the one it is about, or may change
    /// them: who invites becomes a user, and must not be somebody whom this user brought.
    pub(crate) fn concerns_others(&self) -> bool {
        match self {
            Self::DeleteUser { .. } | Self::Submit { .. } => true,
            Self::Set { values, .. } => values.iter().any(|(name, _)| name == INVITED_BY),
            Self::Ensure { .. }
            | Self::Tag { .. }
            | Self::Hold { .. }
            | Self::Untag { .. }
            | Self::Clear { .. }
            | Self::Add { .. }
            | Self::Remove { .. }
            | Self::Track { .. } => false,
        }
    }

    /// Whom it is about.
    pub(crate) fn user(&self) -> &str {
        match self {
            Self::Ensure { user }
            | Self::Tag { user, .. }
            | Self::Hold { user, .. }
            | Self::Untag { user, .. }
            | Self::Clear { user, .. }
            | Self::Set { user, .. }
            | Self::Add { user, .. }
            | Self::Remove { user, .. }
            | Self::Track { user, .. }
            | Self::Submit { user, .. }
            | Self::DeleteUser { user } => user,
        }
    }

    /// Whom it says to have invited the user: they are looked up, too.
    pub(super) fn inviters(&self) -> impl Iterator<Item = &str> {
        let values = match self {
            Self::Set { values, .. } => values.as_slice(),
            Self::Ensure { .. }
            | Self::Tag { .. }
            | Self::Hold { .. }
            | Self::Untag { .. }
            | Self::Clear { .. }
            | Self::Add { .. }
            | Self::Remove { .. }
            | Self::Track { .. }
            | Self::Submit { .. }
            | Self::DeleteUser { .. } => &[],
        };
        values.iter().filter_map(|(name, value)| match value {
            Datum::Text(key) if name == INVITED_BY => Some(key.as_str()),
            Datum::Text(_)
            | Datum::Null
            | Datum::Boolean(_)
            | Datum::Integer(_)
            | Datum::Decimal { .. }
            | Datum::Real(_)
            | Datum::Date(_)
            | Datum::Timestamp(_)
            | Datum::List(_) => None,
        })
    }
}

/// What a write does about tags that are not defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownTags {
    /// Refuses the request.
    #[default]
    Refuse,
    /// Defines them, without description, owner or group. Taking away a tag that is not defined
    /// defines nothing and changes nothing.
    Define,
}

/// Mutations that are applied all or none, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WriteRequest {
    /// What to do.
    pub mutations: Vec<Mutation>,
    /// What to do about tags that are not defined.
    pub unknown_tags: UnknownTags,
    /// A later request with the same key changes nothing and is answered as this one was.
    pub idempotency_key: Option<[u8; 16]>,
}

/// A statement that changes the definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaStatement {
    /// `DEFINE …`
    Define(Define, OnConflict),
    /// `ALTER …`
    Alter(Alter),
    /// `DROP …`
    Drop(DefinitionKind, Spanned<Name>, OnConflict),
    /// `SAVE SEGMENT …`
    SaveSegment(SavedSegment),
    /// `RENAME TAG a TO b`
    RenameTag {
        /// The tag.
        tag: Spanned<Name>,
        /// Its new name.
        to: Spanned<Name>,
    },
    /// `MERGE TAG a INTO b`
    MergeTag {
        /// The tag that goes.
        tag: Spanned<Name>,
        /// The one that stays.
        into: Spanned<Name>,
    },
}

impl SchemaStatement {
    /// The change that a statement asks for; `None` for statements of other kinds.
    pub fn from_statement(statement: &Statement) -> Option<Self> {
        match statement {
            Statement::Define(define, on_conflict) => {
                Some(Self::Define(define.clone(), *on_conflict))
            }
            Statement::Alter(alter) => Some(Self::Alter(alter.clone())),
            Statement::Drop(kind, name, on_conflict) => {
                Some(Self::Drop(*kind, name.clone(), *on_conflict))
            }
            Statement::SaveSegment(saved) => Some(Self::SaveSegment(saved.clone())),
            Statement::RenameTag { tag, to } => Some(Self::RenameTag {
                tag: tag.clone(),
                to: to.clone(),
            }),
            Statement::MergeTag { tag, into } => Some(Self::MergeTag {
                tag: tag.clone(),
                into: into.clone(),
            }),
            Statement::Count(_)
            | Statement::Segment(_)
            | Statement::Fetch { .. }
            | Statement::Close(_)
            | Statement::Dimension(_)
            | Statement::Portrait(_)
            | Statement::Explain(..)
            | Statement::Show(_)
            | Statement::Tag { .. }
            | Statement::Untag { .. }
            | Statement::ClearTag { .. }
            | Statement::Set { .. }
            | Statement::DeleteUser(_)
            | Statement::Track(_)
            | Statement::Submit(_)
            | Statement::Usages(..)
            | Statement::Lint(_)
            | Statement::Trend(_)
            | Statement::Why { .. } => None,
        }
    }
}
