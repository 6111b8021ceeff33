//! How answers are written: tables for people, JSON, JSON lines, CSV and TSV for programs.
//!
//! Knows values, columns and formats. Does not know how an answer was got.

mod bars;
mod chart;
mod sink;
mod table;
mod value;

pub(crate) use sink::{Sink, SinkOptions};
pub(crate) use table::Colour;
pub(crate) use value::printable;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, thousands apart, bars beside dimensions.
    Table,
    /// One array of objects.
    Json,
    /// An object a line.
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
    /// Tab-separated values with a header line.
    Tsv,
}

impl Format {
    /// The format of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        <Self as clap::ValueEnum>::from_str(name, true).ok()
    }

    /// Its name, as one types it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
        }
    }
}
