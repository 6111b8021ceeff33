//! The errors of a statement or a write, gathered by the phase in which they arise.
//!
//! Knows which kind, place and hint an error has for a program and for a person. Does not know
//! how either is told.

use tessera_query_lang::{ParseError, ParseErrorKind, ast::Span};

use crate::{
    exec::limits::QueryLimitError,
    plan::{ResolveError, resolve::ResolveErrorKind},
    storage::StorageError,
    write::{LimitError, SchemaError, WriteError},
};

/// Why a statement or a write failed. Nothing was changed, unless it is a [`StorageError`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not a statement.
    #[error(transparent)]
    Syntax(Box<ParseError>),
    /// The statement does not fit the definitions.
    #[error(transparent)]
    Resolve(Box<ResolveError>),
    /// A write does not fit the definitions or the data.
    #[error(transparent)]
    Write(Box<WriteError>),
    /// A change of the definitions is refused.
    #[error(transparent)]
    Schema(Box<SchemaError>),
    /// A limit would be exceeded.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A query would take more than it may.
    #[error(transparent)]
    QueryLimit(#[from] QueryLimitError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The cursor was never given, was closed, or has expired.
    #[error("the cursor is not known: it was closed, has expired, or belongs to another server")]
    UnknownCursor,
    /// Somebody stopped it.
    #[error("cancelled")]
    Cancelled,
    /// It took longer than it may.
    #[error("the deadline has passed")]
    DeadlineExceeded,
    /// The receiver does not want the rest of the answer.
    #[error("the receiver stopped reading")]
    Stopped,
    /// The database is closing; nothing was done.
    #[error("the database is closing")]
    Closing,
    /// As many requests wait for the writer as may; nothing was done.
    #[error("too many writes wait already")]
    Overloaded,
    /// A defect of the engine.
    #[error("internal error: {0}")]
    Internal(String),
    /// One of many rows that came together is to blame.
    #[error("{error}")]
    InRow {
        /// Its place, from 0.
        row: u32,
        /// Why it is refused.
        error: Box<Error>,
    },
}

/// The kinds of errors, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The text is not a statement.
    Syntax,
    /// A name is not defined, or a parameter has no value.
    UnknownName,
    /// A value or an operation does not fit the type.
    TypeMismatch,
    /// A limit on length, depth, count or memory would be exceeded.
    LimitExceeded,
    /// What is there forbids it: write-once, already defined, in use.
    Conflict,
    /// Part of the language, not of this version.
    NotAvailableYet,
    /// Somebody stopped it, or stopped reading.
    Cancelled,
    /// Its deadline passed.
    DeadlineExceeded,
    /// The cursor is unknown or has expired.
    UnknownCursor,
    /// The database is closing; nothing was done.
    Closing,
    /// Too much waits already; nothing was done.
    Overloaded,
    /// The store failed; a write may or may not have been done.
    Storage,
    /// A defect of the engine.
    Internal,
}

impl Error {
    /// The kind.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Syntax(error) => code_of_parse_error(&error.kind),
            Self::Resolve(error) => code_of_resolve_error(error.kind()),
            Self::Write(error) => error.code(),
            Self::Schema(error) => error.code(),
            Self::Limit(_) | Self::QueryLimit(_) => ErrorCode::LimitExceeded,
            Self::Storage(_) => ErrorCode::Storage,
            Self::UnknownCursor => ErrorCode::UnknownCursor,
            Self::Cancelled | Self::Stopped => ErrorCode::Cancelled,
            Self::DeadlineExceeded => ErrorCode::DeadlineExceeded,
            Self::Closing => ErrorCode::Closing,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::Internal(_) => ErrorCode::Internal,
            Self::InRow { error, .. } => error.code(),
        }
    }

    /// The row that is to blame, where many came together.
    pub fn row(&self) -> Option<u32> {
        match self {
            Self::InRow { row, .. } => Some(*row),
            Self::Syntax(_)
            | Self::Resolve(_)
            | Self::Write(_)
            | Self::Schema(_)
            | Self::Limit(_)
            | Self::QueryLimit(_)
            | Self::Storage(_)
            | Self::UnknownCursor
            | Self::Cancelled
            | Self::DeadlineExceeded
            | Self::Stopped
            | Self::Closing
            | Self::Overloaded
            | Self::Internal(_) => None,
        }
    }

    /// The place in the statement's text.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Syntax(error) => Some(error.span),
            Self::Resolve(error) => error.span(),
            Self::Schema(error) => error.span(),
            Self::InRow { error, .. } => error.span(),
            Self::Write(_)
            | Self::Limit(_)
            | Self::QueryLimit(_)
            | Self::Storage(_)
            | Self::UnknownCursor
            | Self::Cancelled
            | Self::DeadlineExceeded
            | Self::Stopped
            | Self::Closing
            | Self::Overloaded
            | Self::Internal(_) => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax(error) => error.hint.clone(),
            Self::Resolve(error) => error.hint(),
            Self::Write(error) => error.hint(),
            Self::Schema(error) => error.hint(),
            Self::InRow { error, .. } => error.hint(),
            Self::Limit(_)
            | Self::QueryLimit(_)
            | Self::Storage(_)
            | Self::UnknownCursor
            | Self::Cancelled
            | Self::DeadlineExceeded
            | Self::Stopped
            | Self::Closing
            | Self::Overloaded
            | Self::Internal(_) => None,
        }
    }
}

fn code_of_parse_error(kind: &ParseErrorKind) -> ErrorCode {
    match kind {
        ParseErrorKind::Limit { .. } => ErrorCode::LimitExceeded,
        ParseErrorKind::Syntax { .. }
        | ParseErrorKind::UnexpectedCharacter(_)
        | ParseErrorKind::UnclosedQuote
        | ParseErrorKind::UnknownEscape
        | ParseErrorKind::InvalidName(_)
        | ParseErrorKind::NameBeginsWithDigit
        | ParseErrorKind::InvalidValue(_)
        | ParseErrorKind::Repeated(_) => ErrorCode::Syntax,
    }
}

pub(crate) fn code_of_resolve_error(kind: ResolveErrorKind) -> ErrorCode {
    match kind {
        ResolveErrorKind::UnknownName => ErrorCode::UnknownName,
        ResolveErrorKind::TypeMismatch => ErrorCode::TypeMismatch,
        ResolveErrorKind::LimitExceeded => ErrorCode::LimitExceeded,
        ResolveErrorKind::Conflict => ErrorCode::Conflict,
        ResolveErrorKind::NotAvailableYet => ErrorCode::NotAvailableYet,
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::Syntax(Box::new(error))
    }
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Self {
        Self::Resolve(Box::new(error))
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        Self::Write(Box::new(error))
    }
}

impl From<SchemaError> for Error {
    fn from(error: SchemaError) -> Self {
        Self::Schema(Box::new(error))
    }
}
