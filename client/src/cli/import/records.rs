//! The rows of a file, whatever its form, by the columns that a mapping names.
//!
//! Knows CSV with a header line and JSON lines. Does not know what a column means.

use std::borrow::Cow;
use std::io;

use serde_json::Value;

use super::delimited::{Record, Step};
use super::lines::{Length, Lines, without_end};
use super::source::Source;
use super::value::Cell;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FileFormat {
    /// Separated values with a header line.
    Csv,
    /// A JSON object a line.
    Jsonl,
}

impl FileFormat {
    /// The form that a file's name tells, and whether it tells a tab as delimiter.
    pub(crate) fn of_name(name: &str) -> Option<(Self, Option<u8>)> {
        let name = name.to_ascii_lowercase();
        let name = name
            .trim_end_matches(".gz")
            .trim_end_matches(".zst")
            .trim_end_matches(".zstd");
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("csv") => Some((Self::Csv, None)),
            Some("tsv" | "tab") => Some((Self::Csv, Some(b'\t'))),
            Some("jsonl" | "ndjson" | "json") => Some((Self::Jsonl, None)),
            Some(_) | None => None,
        }
    }
}

/// Something that is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// The place within the row: a column's number and name.
    pub(crate) column: Option<String>,
    /// What is wrong, for people.
    pub(crate) reason: String,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A row.
    Row,
    /// A row that cannot be read; the next one is not touched by it.
    Bad(BadRow),
    /// Nothing more.
    End,
}

/// Why a file cannot be begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    /// Reading failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// No header line.
    #[error("the file is empty: expected a header line with the names of the columns")]
    Empty,
    /// The header line is not CSV or not UTF-8.
    #[error("the header line cannot be read: {0}")]
    Broken(String),
    /// A column of the mapping is not there.
    #[error("the file has no column {column:?}{}", hint(.nearest.as_deref()))]
    NoColumn {
        /// The missing column.
        column: String,
        /// The most similar one that is there.
        nearest: Option<String>,
    },
    /// A column of the mapping is there twice.
    #[error("the file has more than one column {0:?}")]
    Ambiguous(String),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

/// The rows of one file.
pub(crate) struct Records {
    lines: Lines,
    form: Form,
}

enum Form {
    Csv(Csv),
    Jsonl(Jsonl),
}

struct Csv {
    delimiter: u8,
    record: Record,
    header: Vec<String>,
    /// For each column of the mapping, which field it is.
    bound: Vec<usize>,
}

struct Jsonl {
    raw: Vec<u8>,
    object: Value,
    paths: Vec<String>,
}

impl Records {
    /// Begins a file: reads the header line and finds the columns in it.
    pub(crate) fn open(
        source: Source,
        format: FileFormat,
        delimiter: u8,
        columns: &[String],
    ) -> Result<Self, HeaderError> {
        let mut lines = Lines::new(source.reader);
        let form = match format {
            FileFormat::Csv => Form::Csv(Csv::open(&mut lines, delimiter, columns)?),
            FileFormat::Jsonl => Form::Jsonl(Jsonl {
                raw: Vec::new(),
                object: Value::Null,
                paths: columns.to_vec(),
            }),
        };
        Ok(Self { lines, form })
    }

    /// Goes to the next row.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        match &mut self.form {
            Form::Csv(csv) => csv.next(&mut self.lines),
            Form::Jsonl(jsonl) => jsonl.next(&mut self.lines),
        }
    }

    /// A column of the row, by its number in the mapping.
    pub(crate) fn cell(&self, column: usize) -> Result<Cell<'_>, &'static str> {
        match &self.form {
            Form::Csv(csv) => csv.cell(column),
            Form::Jsonl(jsonl) => jsonl.cell(column),
        }
    }

    /// How messages name a column: by its number in the file and its name.
    pub(crate) fn place(&self, column: usize) -> String {
        match &self.form {
            Form::Csv(csv) => csv
                .bound
                .get(column)
                .map_or_else(String::new, |field| csv.place(*field)),
            Form::Jsonl(jsonl) => jsonl.paths.get(column).cloned().unwrap_or_default(),
        }
    }

    /// The number of the row's first line.
    pub(crate) fn line(&self) -> u64 {
        match &self.form {
            Form::Csv(csv) => csv.record.line(),
            Form::Jsonl(_) => self.lines.number(),
        }
    }

    /// The row as it stands in the file.
    pub(crate) fn raw(&self) -> &[u8] {
        match &self.form {
            Form::Csv(csv) => csv.record.raw(),
            Form::Jsonl(jsonl) => without_end(&jsonl.raw),
        }
    }
}

impl Csv {
    fn open(lines: &mut Lines, delimiter: u8, columns: &[String]) -> Result<Self, HeaderError> {
        let mut record = Record::default();
        match record.read(lines, delimiter)? {
            Step::End => return Err(HeaderError::Empty),
            Step::Broken(broken) => return Err(HeaderError::Broken(broken.reason.to_owned())),
            Step::Record => {}
        }
        let header = header_of(&record)?;
        let bound = columns
            .iter()
            .map(|column| find(&header, column))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            delimiter,
            record,
            header,
            bound,
        })
    }

    fn next(&mut self, lines: &mut Lines) -> io::Result<Next> {
        Ok(match self.record.read(lines, self.delimiter)? {
            Step::End => Next::End,
            Step::Broken(broken) => Next::Bad(BadRow {
                column: broken.field.map(|field| self.place(field)),
                reason: broken.reason.to_owned(),
            }),
            Step::Record if self.record.len() == self.header.len() => Next::Row,
            Step::Record => Next::Bad(BadRow {
                column: None,
                reason: self.ragged(),
            }),
        })
    }

    fn cell(&self, column: usize) -> Result<Cell<'_>, &'static str> {
        let field = self
            .bound
            .get(column)
            .and_then(|field| self.record.field(*field));
        let text =
            std::str::from_utf8(field.unwrap_or_default()).map_err(|_| "is not valid UTF-8")?;
        Ok(Cell::Text(Cow::Borrowed(text)))
    }

    fn ragged(&self) -> String {
        let count = |fields: usize| {
            if fields == 1 {
                "1 field".to_owned()
            } else {
                format!("{fields} fields")
            }
        };
        format!(
            "has {}, the header has {}",
            count(self.record.len()),
            count(self.header.len())
        )
    }

    fn place(&self, field: usize) -> String {
        match self.header.get(field) {
            Some(name) => format!("{} ({name})", field + 1),
            None => (field + 1).to_string(),
        }
    }
}

/// The names of a header line.
pub(crate) fn header_of(record: &Record) -> Result<Vec<String>, HeaderError> {
    (0..record.len())
        .map(|index| {
            let name = record.field(index).unwrap_or_default().to_vec();
            String::from_utf8(name)
                .map_err(|_| HeaderError::Broken("it is not valid UTF-8".to_owned()))
        })
        .collect()
}

fn find(header: &[String], column: &str) -> Result<usize, HeaderError> {
    let mut places = header
        .iter()
        .enumerate()
        .filter(|(_, name)| name.as_str() == column);
    match (places.next(), places.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => Err(HeaderError::Ambiguous(column.to_owned())),
        (None, _) => Err(HeaderError::NoColumn {
            column: column.to_owned(),
            nearest: nearest(header.iter().map(String::as_str), column),
        }),
    }
}

/// The most similar name, if one is similar enough.
pub(crate) fn nearest<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Option<String> {
    names
        .map(|name| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase()),
                name,
            )
        })
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name.to_owned())
}

impl Jsonl {
    fn next(&mut self, lines: &mut Lines) -> io::Result<Next> {
        loop {
            self.raw.clear();
            match lines.next(&mut self.raw)? {
                None => return Ok(Next::End),
                Some(Length::Cut) => return Ok(bad_json(None, "the line is longer than 1 MiB")),
                Some(Length::Whole) if self.raw.trim_ascii().is_empty() => {}
                Some(Length::Whole) => break,
            }
        }
        if std::str::from_utf8(&self.raw).is_err() {
            return Ok(bad_json(None, "is not valid UTF-8"));
        }
        match serde_json::from_slice(&self.raw) {
            Ok(object @ Value::Object(_)) => {
                self.object = object;
                Ok(Next::Row)
            }
            Ok(_) => Ok(bad_json(None, "is not a JSON object")),
            Err(error) => {
                let place = format!("character {}", error.column());
                let text = error.to_string();
                let reason = text
                    .rsplit_once(" at line ")
                    .map_or(text.as_str(), |(reason, _)| reason);
                Ok(bad_json(
                    Some(place),
                    &format!("is not valid JSON: {reason}"),
                ))
            }
        }
    }

    fn cell(&self, column: usize) -> Result<Cell<'_>, &'static str> {
        let found = self
            .paths
            .get(column)
            .and_then(|path| lookup(&self.object, path));
        match found {
            None | Some(Value::Null) => Ok(Cell::Missing),
            Some(Value::Array(items)) => items
                .iter()
                .filter(|item| !item.is_null())
                .map(|item| scalar(item).ok_or("is a list of lists or objects"))
                .collect::<Result<_, _>>()
                .map(Cell::List),
            Some(value) => scalar(value)
                .map(Cell::Text)
                .ok_or("is an object, not a value"),
        }
    }
}

fn bad_json(column: Option<String>, reason: &str) -> Next {
    Next::Bad(BadRow {
        column,
        reason: reason.to_owned(),
    })
}

/// Follows a dotted path; a member whose name has the dots in it comes first.
fn lookup<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(dot, _)| {
        value
            .get(&path[..dot])
            .and_then(|inner| lookup(inner, &path[dot + 1..]))
    })
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        // As the file has it, digit for digit: numbers are not read as binary ones.
        Value::Number(number) => Some(Cow::Borrowed(number.as_str())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
