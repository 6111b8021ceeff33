//! Values as they enter and leave the engine.
//!
//! Knows types and how they read as text. Does not know the wire, nor how values are stored.

use crate::user_keys::PackedKeys;

/// A value, or its absence.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// Missing.
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
    /// Several texts: the value of a multi attribute, or the tags held.
    List(Vec<String>),
}

/// What kind of table an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    /// One row, one number.
    Count,
    /// A row a user; the first column is the key.
    Segment,
    /// A row a group: dims first, then measures.
    Dimension,
    /// Rows `section`, `name`, `value` about one user.
    Portrait,
    /// Lines of a plan.
    Plan,
    /// A row a definition.
    Definitions,
    /// A row a day, or a longer period: its first day, and a number. The days rise.
    Trend,
}

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnRole {
    /// Something to read.
    Value,
    /// What the rows are split by.
    Dim,
    /// Something computed.
    Measure,
    /// A part of the whole, 0 to 1.
    Share,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub role: ColumnRole,
}

/// What stands before the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What kind of table it is.
    pub kind: ResultKind,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// One row, as long as the header has columns.
pub type Row = Vec<Datum>;

/// The receiver does not want the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// Where an answer goes. Both calls may block until the receiver has room.
pub trait ResultSink {
    /// Takes the header, once, before any row.
    ///
    /// # Errors
    /// [`Stopped`] when nobody wants the answer any more.
    fn header(&mut self, header: Header) -> Result<(), Stopped>;

    /// Takes some rows.
    ///
    /// # Errors
    /// [`Stopped`] when nobody wants the answer any more.
    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped>;

    /// Takes some rows that are a key each: those of a segment that returns nothing else.
    /// Whoever can use the keys as they are has no need of the rows that are made here.
    ///
    /// # Errors
    /// [`Stopped`] when nobody wants the answer any more.
    fn keys(&mut self, keys: PackedKeys) -> Result<(), Stopped> {
        let row = |key: &str| vec![Datum::Text(key.to_owned())];
        self.rows(keys.iter().map(row).collect())
    }
}

/// What there is to say about a finished statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows given to the sink.
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
