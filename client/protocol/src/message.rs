//! The messages: what a client and a server say to each other inside frames.
//!
//! Knows every message and value on the wire. Does not know sockets, names that are defined, or
//! how a statement is answered. No message is recursive: an expression travels as text with
//! parameters, never as a tree.
//!
//! The bytes are bincode 2 in its standard configuration (little-endian, variable-length
//! integers, enums by variant index): `docs/protocol.md` spells them out. The order of variants
//! and fields is therefore part of the format: add at the end, never reorder.

use bincode::{Decode, Encode};

use crate::load::{EventRows, LoadRows, PackedTexts};

/// The first bytes of a [`Hello`]: whoever sends others is not speaking this protocol.
pub const MAGIC: [u8; 4] = *b"TSSR";

/// The newest version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 4;

/// The oldest version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION_MIN: u16 = 1;

/// Names a request within its connection. Chosen by the client; free again once its `End` or
/// `Failed` has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct RequestId(pub u64);

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum ClientMessage {
    /// The first message of a connection.
    Hello(Hello),
    /// Asks for something; any number may be under way at once, answers may overtake.
    Request(Request),
    /// Lets the server send so many further `Rows` messages of a request.
    Credit {
        /// Which request.
        id: RequestId,
        /// How many more `Rows` messages.
        rows_messages: u32,
    },
    /// Asks to stop a request. Its answer is still exactly one `End` or `Failed`.
    Cancel {
        /// Which request.
        id: RequestId,
    },
    /// Says that no further request will come; the server answers what is under way and closes.
    Goodbye,
}

/// Opens a connection.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// The oldest protocol version the client speaks.
    pub version_min: u16,
    /// The newest protocol version the client speaks.
    pub version_max: u16,
    /// The client's name and version, for the server's log.
    pub agent: String,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Request {
    /// Not in use by another request under way.
    pub id: RequestId,
    /// Time the server may take from arrival; 0 for the server's own limit.
    pub deadline_ms: u32,
    /// `Rows` messages the server may send before it needs [`ClientMessage::Credit`].
    pub rows_messages_credit: u32,
    /// What is asked.
    pub body: RequestBody,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum RequestBody {
    /// Answered at once with an empty `End`.
    Ping,
    /// A statement of the query language.
    Execute {
        /// The text of one statement.
        statement: String,
        /// Values for its `$` parameters.
        parameters: Vec<Parameter>,
    },
    /// Mutations, applied all or none, in order.
    Write {
        /// The same key again within the server's retention answers as the first time did and
        /// changes nothing.
        idempotency_key: Option<[u8; 16]>,
        /// What to do about tags that are not defined.
        unknown_tags: UnknownTags,
        /// What to do.
        mutations: Vec<Mutation>,
    },
    /// Rows of users column by column, applied all or none, in order. Since version 2.
    Load {
        /// As for a write.
        idempotency_key: Option<[u8; 16]>,
        /// What to do about tags that are not defined.
        unknown_tags: UnknownTags,
        /// The rows; as many as a write may have mutations.
        rows: LoadRows,
    },
    /// Events of one kind column by column, applied all or none. Since version 4.
    LoadEvents {
        /// As for a write.
        idempotency_key: Option<[u8; 16]>,
        /// What to do about users that are not there.
        unknown_users: UnknownUsers,
        /// The events; as many as a write may have mutations.
        rows: EventRows,
    },
}

impl RequestBody {
    /// The oldest version of the protocol in which this can be asked.
    pub fn version_min(&self) -> u16 {
        match self {
            Self::Ping | Self::Execute { .. } => 1,
            Self::Write { mutations, .. } => {
                let versions = mutations.iter().map(Mutation::version_min);
                versions.max().unwrap_or(1)
            }
            Self::Load { rows, .. } => rows.version_min(),
            Self::LoadEvents { .. } => 4,
        }
    }
}

impl Mutation {
    /// The oldest version of the protocol in which it can be said.
    fn version_min(&self) -> u16 {
        match self {
            Self::Track(_) => 4,
            Self::Hold { .. } => 3,
            Self::Ensure { .. }
            | Self::Tag { .. }
            | Self::Untag { .. }
            | Self::Set { .. }
            | Self::Add { .. }
            | Self::Remove { .. }
            | Self::DeleteUser { .. } => 1,
        }
    }
}

/// How tags are given. What is not said follows from the tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct HoldTerms {
    /// From when on, in microseconds since 1970-01-01T00:00:00Z, of which holdings keep whole
    /// seconds; from the moment of the request if not given.
    pub since_us: Option<i64>,
    /// When they end.
    pub end: HoldEnd,
    /// On whose word they are held.
    pub source: Source,
}

/// When a holding ends. Only those of dynamic tags do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub enum HoldEnd {
    /// When the tag's own validity is over; not at all if the tag is static.
    #[default]
    OfTag,
    /// At this moment, in microseconds since 1970-01-01T00:00:00Z, of which holdings keep whole
    /// seconds: it is held before it, and not at it.
    At(i64),
    /// So many units after its start.
    After {
        /// How many.
        amount: u32,
        /// Of what.
        unit: TimeUnit,
    },
}

/// A unit of time, of UTC's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum TimeUnit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// Seven days.
    Week,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

/// On whose word a tag is held; the stronger stands before the weaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Source {
    /// Somebody said so.
    #[default]
    Manual,
    /// It came with data from elsewhere.
    Import,
    /// A rule said so.
    Rule,
    /// A model thinks so.
    Model,
}

impl From<Source> for HoldTerms {
    /// Nothing said but on whose word.
    fn from(source: Source) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }
}

/// A value for a `$` parameter.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Parameter {
    /// `1` for `$1`, `name` for `$name`.
    pub name: String,
    /// Its value.
    pub value: Datum,
}

/// What a write does about tags that are not defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum UnknownTags {
    /// Refuses the request.
    Refuse,
    /// Defines them, without description, owner or group.
    Define,
}

/// What a load of events does about users that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub enum UnknownUsers {
    /// Refuses the request.
    Refuse,
    /// Makes them users.
    #[default]
    Create,
}

/// Something that a user did.
#[derive(Debug, Clone, Default, PartialEq, Encode, Decode)]
pub struct Track {
    /// The user's key.
    pub user: String,
    /// The kind of event.
    pub event: String,
    /// When it was, in microseconds since 1970-01-01T00:00:00Z; the moment of the request if not
    /// given.
    pub time_us: Option<i64>,
    /// Names the event among the user's: the same id again changes nothing.
    pub id: Option<String>,
    /// Properties and values; [`Datum::Null`] is none.
    pub values: Vec<(String, Datum)>,
}

/// One change of one user. A key that is new becomes a user, except where a mutation says
/// otherwise.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Mutation {
    /// Makes sure that the user exists.
    Ensure {
        /// The user's key.
        user: String,
    },
    /// Gives the user tags; siblings in exclusive groups are cleared.
    Tag {
        /// The user's key.
        user: String,
        /// Names of tags.
        tags: Vec<String>,
    },
    /// Takes tags from the user. An unknown user stays unknown.
    Untag {
        /// The user's key.
        user: String,
        /// Names of tags.
        tags: Vec<String>,
    },
    /// Sets attributes; [`Datum::Null`] clears one, [`Datum::List`] replaces a multi's values.
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
    /// Deletes the user. An unknown user stays unknown.
    DeleteUser {
        /// The user's key.
        user: String,
    },
    /// As [`Self::Tag`], and says how the tags are held. Since version 3.
    Hold {
        /// The user's key.
        user: String,
        /// Names of tags.
        tags: Vec<String>,
        /// Since when, until when, and on whose word.
        terms: HoldTerms,
    },
    /// Notes what the user did. Since version 4.
    Track(Box<Track>),
}

/// A value on the wire.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Datum {
    /// Nothing: missing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// `units` / 10^`scale`.
    Decimal {
        /// The number without its point.
        units: i128,
        /// Digits after the point.
        scale: u8,
    },
    /// A binary floating-point number (averages, shares).
    Real(f64),
    /// Text.
    Text(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Several texts, as the value of a multi attribute.
    List(Vec<String>),
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum ServerMessage {
    /// Answers a [`Hello`] with which the server can go on.
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
