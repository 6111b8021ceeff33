//! What a server says.
//!
//! Knows answers, their parts and the kinds of failures. Does not know what was asked. As in all
//! messages, the order of variants and fields is part of the format: add at the end, never
//! reorder.

use bincode::{Decode, Encode};

use super::{Datum, RequestId};
use crate::load::PackedTexts;

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum ServerMessage {
    /// Answers a [`Hello`](super::Hello) with which the server can go on.
    Welcome(Welcome),
    /// Ends the connection: the handshake failed, or the client broke the protocol.
    Refused(Failure),
    /// Begins the rows of an answer. An answer without rows has none.
    Header {
        /// Which request.
        id: RequestId,
        /// What kind of table it is.
        kind: ResultKind,
        /// Its columns.
        columns: Vec<Column>,
    },
    /// Some rows, each as long as the header has columns.
    Rows {
        /// Which request.
        id: RequestId,
        /// The rows.
        rows: Vec<Vec<Datum>>,
    },
    /// Ends an answer well.
    End {
        /// Which request.
        id: RequestId,
        /// What there is to say about it.
        summary: Summary,
    },
    /// Ends an answer ill; rows sent so far are not the whole.
    Failed {
        /// Which request.
        id: RequestId,
        /// Why.
        failure: Failure,
    },
    /// Says that the server is going away: send nothing more, what is under way is answered.
    Closing,
    /// Some rows of an answer whose only column is the users' keys. Since version 2, in place of
    /// [`Self::Rows`] with a text each.
    Keys {
        /// Which request.
        id: RequestId,
        /// A key a row.
        keys: PackedTexts,
    },
}

impl ServerMessage {
    /// The oldest version of the protocol in which [`Self::Keys`] can be said.
    pub const KEYS_VERSION_MIN: u16 = 2;

    /// The oldest version of the protocol in which a [`ResultKind::Portrait`] says how tags are
    /// held. In older ones it has the first three columns only.
    pub const HOLDINGS_VERSION_MIN: u16 = 3;

    /// The oldest version of the protocol with [`ResultKind::Trend`].
    pub const TREND_VERSION_MIN: u16 = 4;
}

/// Accepts a connection.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// The protocol version both will speak.
    pub version: u16,
    /// The server's name and version.
    pub agent: String,
    /// The longest frame the server takes, in bytes after the length.
    pub frame_bytes_max: u32,
    /// Requests one connection may have under way.
    pub requests_in_flight_max: u32,
    /// Mutations one write may have, and rows one load.
    pub mutations_max: u32,
}

/// What kind of table an answer is, so that a program can show it well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum ResultKind {
    /// One row, one number.
    Count,
    /// A row a user; the first column is the key.
    Segment,
    /// A row a group: the dims first, then the measures.
    Dimension,
    /// Rows `section`, `name`, `value`, `since`, `until`, `source` about one user; the last three
    /// since version 3.
    Portrait,
    /// Lines of a plan.
    Plan,
    /// A row a definition.
    Definitions,
    /// A row a day, or a longer period: its first day, and a number. The days rise. Since version
    /// 4; to older clients it is a [`Self::Dimension`].
    Trend,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub role: ColumnRole,
}

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum ColumnRole {
    /// Something to read: a key, a name, an attribute's value.
    Value,
    /// What the rows are split by.
    Dim,
    /// Something computed, in the values' own unit.
    Measure,
    /// A part of the whole, 0 to 1.
    Share,
}

/// What there is to say about a finished request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Summary {
    /// Time from arrival to the end, in microseconds.
    pub elapsed_us: u64,
    /// Rows sent.
    pub rows: u64,
    /// Users that a write changed, created or deleted.
    pub users_changed: u64,
    /// Facts (a tag held, a value set) that a write changed.
    pub facts_changed: u64,
    /// For the next page.
    pub cursor: Option<String>,
    /// Things the user should know though the statement went well.
    pub warnings: Vec<String>,
}

/// Why a request or a connection failed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Failure {
    /// The kind, for programs.
    pub code: FailureCode,
    /// The reason, for people: lower case, without a full stop.
    pub message: String,
    /// The place in the statement's text, in bytes from and to. Of a load of events: the rows that
    /// are to blame, from and to, counted from 0; each of them would be refused alone.
    pub span: Option<(u32, u32)>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum FailureCode {
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
    /// The client cancelled it.
    Cancelled,
    /// Its deadline passed.
    DeadlineExceeded,
    /// The cursor is unknown or has expired.
    UnknownCursor,
    /// The server is closing; nothing was done.
    Closing,
    /// Too many requests at once; nothing was done, try again.
    Overloaded,
    /// The peer did not keep to the protocol.
    Protocol,
    /// No common protocol version.
    Version,
    /// The store failed; a write may or may not have been done.
    Storage,
    /// A defect of the server.
    Internal,
}
