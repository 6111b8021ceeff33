//! The messages: what a client and a server say to each other inside frames. What servers say is
//! in `server`.
//!
//! Knows every message and value on the wire. Does not know sockets, names that are defined, or
//! how a statement is answered. No message is recursive: an expression travels as text with
//! parameters, never as a tree.
//!
//! The bytes are bincode 2 in its standard configuration (little-endian, variable-length
//! integers, enums by variant index): `docs/protocol.md` spells them out. The order of variants
//! and fields is therefore part of the format: add at the end, never reorder.

mod server;

use bincode::{Decode, Encode};

pub use self::server::{
    Column, ColumnRole, Failure, FailureCode, ResultKind, ServerMessage, Summary, Welcome,
};
use crate::load::{EventRows, LoadRows};

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
