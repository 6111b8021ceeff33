//! Why bytes are not an event table.

/// Why bytes are not an event table or a delta, or why a table cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventTableError {
    /// The bytes end too early.
    #[error("the bytes end inside the {0}")]
    Truncated(&'static str),
    /// Bytes follow the last column.
    #[error("{0} bytes too many follow the last column")]
    TrailingBytes(usize),
    /// The first byte names no form of table this program knows.
    #[error("{0} is not a known form of event table")]
    UnknownForm(u8),
    /// The first byte of a delta names no form this program knows.
    #[error("{0} is not a known form of delta")]
    UnknownDelta(u8),
    /// More rows than a table may have.
    #[error("{0} events, a table has room for {max}", max = super::table::ROWS_MAX)]
    TooManyRows(u64),
    /// The blocks do not rise, lie beyond the shard, or their rows do not add up.
    #[error("the blocks of the table are out of order")]
    Blocks,
    /// Users or times do not rise.
    #[error("row {0} is out of order")]
    RowOrder(usize),
    /// No such unit of time.
    #[error("{0} is not a unit of time")]
    Unit(u8),
    /// Not 0, 1, 2, 4 or 8 bytes a value.
    #[error("{0} is not a width of values")]
    Width(u8),
    /// Neither all present nor a set of those that are.
    #[error("{0} does not say which values are present")]
    Presence(u8),
    /// The properties do not rise.
    #[error("the columns of the table are out of order")]
    ColumnOrder,
    /// More columns than a table has.
    #[error("{0} columns are too many")]
    TooManyColumns(usize),
    /// Base and code add up to more than an `i64` holds.
    #[error("the base {base} and the code {code} add up to more than 64 bits hold")]
    Overflow {
        /// The base of the column.
        base: i64,
        /// The code of a value.
        code: u64,
    },
    /// A number in a delta is longer than it may be, or not in its shortest form.
    #[error("a delta holds a malformed number")]
    MalformedNumber,
    /// An offset of 2^20 or more.
    #[error("the offset {0} is beyond the shard")]
    OffsetBeyondShard(u64),
}
