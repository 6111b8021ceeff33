//! Many users at once, column by column.
//!
//! Knows what can be said so: `check` whether it fits together, `codec` how it becomes bytes,
//! `rows` how single rows are said another way. Does not know what an attribute is.
//!
//! What is decoded is consistent ([`LoadRows::check`]); what is not is neither encoded nor
//! decoded.

mod check;
mod codec;
mod events;
mod rows;
mod texts;

use bincode::{Decode, Encode};

pub use self::{
    events::{EventColumn, EventRows},
    rows::{RowReader, presence},
    texts::PackedTexts,
};
use crate::message::{Datum, HoldTerms};

/// Why rows are not rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A column is longer or shorter than there are keys.
    #[error("column {column} has {found} rows, where there are {rows} keys")]
    Rows {
        /// Its place among the columns, from 0.
        column: usize,
        /// Its rows.
        found: usize,
        /// The keys.
        rows: usize,
    },
    /// A code has no entry in the column's dictionary.
    #[error("column {column} has the code {code}, and {entries} entries in its dictionary")]
    Code {
        /// Its place among the columns, from 0.
        column: usize,
        /// The code.
        code: u32,
        /// Entries of the dictionary.
        entries: usize,
    },
    /// The lists of a tag column do not add up to its codes.
    #[error("the lists of column {column} do not add up to its codes")]
    Lists {
        /// Its place among the columns, from 0.
        column: usize,
    },
    /// There are more or fewer numbers than rows that have one.
    #[error("column {column} does not have one number for each row that has one")]
    Numbers {
        /// Its place among the columns, from 0.
        column: usize,
    },
    /// A day beyond 32 bits.
    #[error("column {column} has a date beyond all dates")]
    Date {
        /// Its place among the columns, from 0.
        column: usize,
    },
    /// Texts do not add up to what they are cut from, or are cut within a character.
    #[error("texts are not cut where they end")]
    Texts,
    /// A property has two columns.
    #[error("column {column} is of a property that has one before it")]
    Twice {
        /// Its place among the columns, from 0.
        column: usize,
    },
    /// More than 2^32 - 1 bytes of text, or as many codes.
    #[error("more than can be counted in 32 bits")]
    TooMuch,
}

/// Rows of users: a key each, and the same columns for all. Rows are applied in their order, so
/// that of several rows of one user the last one has the last word.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadRows {
    /// The users. A key that is new becomes a user.
    pub keys: PackedTexts,
    /// What the rows say about them.
    pub columns: Vec<LoadColumn>,
}

/// A column: what each row says of one attribute, or which tags it gives.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadColumn {
    /// Values of an attribute that repeat.
    Coded {
        /// The attribute.
        attribute: String,
        /// The values that occur; [`Datum::Null`] clears.
        dictionary: Vec<Datum>,
        /// For each row 0 to leave the attribute as it is, or k for `dictionary[k - 1]`.
        codes: Vec<u32>,
    },
    /// Numbers of an attribute.
    Numbers {
        /// The attribute.
        attribute: String,
        /// What the numbers are.
        form: NumberForm,
        /// Which rows have a number: row r is bit r mod 8 (the lowest is 0) of byte r / 8. There
        /// are as many bytes as it takes, and bits after the last row are 0. Rows without one
        /// leave the attribute as it is.
        present: Vec<u8>,
        /// The numbers of the rows that have one.
        numbers: Vec<i64>,
    },
    /// Tags that are given.
    Tags {
        /// The names that occur.
        names: Vec<String>,
        /// For each row where its tags end among `codes`; they begin where those of the row
        /// before end.
        ends: Vec<u32>,
        /// Places among `names`, from 0.
        codes: Vec<u32>,
    },
    /// Tags that are given, and how they are held. Since version 3.
    Holdings {
        /// As for [`Self::Tags`].
        names: Vec<String>,
        /// As for [`Self::Tags`].
        ends: Vec<u32>,
        /// As for [`Self::Tags`].
        codes: Vec<u32>,
        /// The terms that occur.
        terms: Vec<HoldTerms>,
        /// For each of `codes` a place among `terms`, from 0.
        of: Vec<u32>,
    },
    /// Values that are added to an attribute that may have many, after those that are set. Since
    /// version 4.
    Added {
        /// The attribute.
        attribute: String,
        /// The values that occur.
        dictionary: Vec<Datum>,
        /// For each row where its values end among `codes`, as for [`Self::Tags`].
        ends: Vec<u32>,
        /// Places in the dictionary, from 0.
        codes: Vec<u32>,
    },
    /// Tags that are taken, before others are given. Since version 4.
    Taken {
        /// As for [`Self::Tags`].
        names: Vec<String>,
        /// As for [`Self::Tags`].
        ends: Vec<u32>,
        /// As for [`Self::Tags`].
        codes: Vec<u32>,
    },
}

/// What the numbers of a column are: each means what the [`Datum`] of this kind would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum NumberForm {
    /// [`Datum::Integer`].
    Integer,
    /// [`Datum::Decimal`]: the numbers / 10^`scale`.
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// [`Datum::Date`]: days since 1970-01-01, of 32 bits.
    Date,
    /// [`Datum::Timestamp`]: microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

impl LoadRows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The oldest version of the protocol in which they can be said.
    pub(crate) fn version_min(&self) -> u16 {
        let of_column = |column: &LoadColumn| match column {
            LoadColumn::Coded { .. } | LoadColumn::Numbers { .. } | LoadColumn::Tags { .. } => 2,
            LoadColumn::Holdings { .. } => 3,
            LoadColumn::Added { .. } | LoadColumn::Taken { .. } => 4,
        };
        self.columns.iter().map(of_column).max().unwrap_or(2)
    }
}

#[cfg(test)]
mod tests;
