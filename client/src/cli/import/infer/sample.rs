//! The first rows of a file, column by column.
//!
//! Knows CSV and JSON lines. Does not know what the values mean.

use std::collections::HashMap;
use std::io::{self, Cursor};

use serde_json::Value;

use super::SAMPLE_ROWS;
use crate::cli::import::delimited::{Record, Step};
use crate::cli::import::lines::Lines;
use crate::cli::import::records::{FileFormat, HeaderError, header_of};

/// Columns that a file may have: more are a mistake in the delimiter.
const COLUMNS_MAX: usize = 10_000;
/// Bytes that are tried as delimiters.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    /// The file cannot be begun.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// Reading failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is a header at most.
    #[error("the file has no rows to look at")]
    NoRows,
    /// Too many columns.
    #[error("the file has more than {COLUMNS_MAX} columns")]
    TooWide,
}

/// The first rows.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The columns in the file's order.
    pub(crate) columns: Vec<Column>,
    /// The rows that were read.
    pub(crate) rows: usize,
    /// The byte between CSV fields.
    pub(crate) delimiter: u8,
}

/// A column's values in the sample.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// Its name, for JSON its dotted path.
    pub(crate) name: String,
    /// The values that are there, without empty ones.
    pub(crate) values: Vec<String>,
    /// Whether a row has a list of them.
    pub(crate) form: Form,
}

/// Whether the rows of a column have one value or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    /// One.
    #[default]
    Single,
    /// JSON arrays.
    Lists,
}

impl Sample {
    /// Reads the first rows from the first bytes.
    pub(crate) fn read(
        bytes: Vec<u8>,
        format: FileFormat,
        delimiter: Option<u8>,
    ) -> Result<Self, SampleError> {
        let sample = match format {
            FileFormat::Csv => read_csv(bytes, delimiter)?,
            FileFormat::Jsonl => read_jsonl(&bytes)?,
        };
        match sample {
            Sample { rows: 0, .. } => Err(SampleError::NoRows),
            Sample { ref columns, .. } if columns.len() > COLUMNS_MAX => Err(SampleError::TooWide),
            sample => Ok(sample),
        }
    }
}

fn read_csv(bytes: Vec<u8>, delimiter: Option<u8>) -> Result<Sample, SampleError> {
    let delimiter = delimiter.unwrap_or_else(|| most_frequent_delimiter(&bytes));
    let mut lines = Lines::new(Box::new(Cursor::new(bytes)));
    let mut record = Record::default();
    match record.read(&mut lines, delimiter)? {
        Step::Record => {}
        Step::End => return Err(HeaderError::Empty.into()),
        Step::Broken(broken) => return Err(HeaderError::Broken(broken.reason.to_owned()).into()),
    }
    let names = header_of(&record)?;
    let mut columns: Vec<Column> = names
        .into_iter()
        .map(|name| Column {
            name,
            ..Column::default()
        })
        .collect();
    let mut rows = 0;
    while rows < SAMPLE_ROWS {
        match record.read(&mut lines, delimiter)? {
            Step::End => break,
            Step::Broken(_) => continue,
            Step::Record if record.len() != columns.len() => continue,
            Step::Record => rows += 1,
        }
        for (index, column) in columns.iter_mut().enumerate() {
            let text =
                std::str::from_utf8(record.field(index).unwrap_or_default()).unwrap_or_default();
            if !text.is_empty() {
                column.values.push(text.to_owned());
            }
        }
    }
    Ok(Sample {
        columns,
        rows,
        delimiter,
    })
}

/// The delimiter that the header line has most of.
fn most_frequent_delimiter(bytes: &[u8]) -> u8 {
    let header = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |delimiter: u8| header.iter().filter(|byte| **byte == delimiter).count();
    // The first of equals, a comma when there is none.
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| count(*delimiter))
        .unwrap_or(b',')
}

fn read_jsonl(bytes: &[u8]) -> Result<Sample, SampleError> {
    let mut columns = Columns::default();
    let mut rows = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        if rows >= SAMPLE_ROWS {
            break;
        }
        if let Ok(Value::Object(object)) = serde_json::from_slice(line) {
            rows += 1;
            for (name, value) in object {
                columns.add(&name, value);
            }
        }
    }
    Ok(Sample {
        columns: columns.all,
        rows,
        delimiter: b',',
    })
}

#[derive(Default)]
struct Columns {
    all: Vec<Column>,
    by_name: HashMap<String, usize>,
}

impl Columns {
    fn add(&mut self, path: &str, value: Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    self.add(&format!("{path}.{name}"), value);
                }
            }
            Value::Array(items) => {
                let column = self.column(path);
                column.form = Form::Lists;
                column.values.extend(items.into_iter().filter_map(text_of));
            }
            Value::Null => {
                self.column(path);
            }
            single @ (Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
                let text = text_of(single).filter(|text| !text.is_empty());
                self.column(path).values.extend(text);
            }
        }
    }

    fn column(&mut self, path: &str) -> &mut Column {
        let next = self.all.len();
        let index = *self.by_name.entry(path.to_owned()).or_insert(next);
        if index == next {
            self.all.push(Column {
                name: path.to_owned(),
                ..Column::default()
            });
        }
        &mut self.all[index]
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn csv_is_read_column_by_column() {
        let data = b"id;x\n1;a\n2;\nragged\n3;\"b;c\"\n";
        let sample = Sample::read(data.to_vec(), FileFormat::Csv, None).unwrap();
        assert_eq!((sample.rows, sample.delimiter), (3, b';'));
        assert_eq!(sample.columns[0].values, ["1", "2", "3"]);
        assert_eq!(sample.columns[1].values, ["a", "b;c"]);
    }

    #[test]
    fn json_is_read_by_paths() {
        let data =
            b"{\"id\":1,\"a\":{\"b\":true},\"l\":[\"x\",\"y\"]}\nbroken\n{\"id\":2,\"n\":null}\n";
        let sample = Sample::read(data.to_vec(), FileFormat::Jsonl, None).unwrap();
        let names: Vec<_> = sample
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(sample.rows, 2);
        assert_eq!(names, ["a.b", "id", "l", "n"]);
        assert_eq!(sample.columns[2].values, ["x", "y"]);
        assert_eq!(sample.columns[2].form, Form::Lists);
    }

    #[test]
    fn without_rows_there_is_nothing_to_see() {
        let check = |data: &[u8], format| {
            Sample::read(data.to_vec(), format, None)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            check(b"id,x\n", FileFormat::Csv),
            "the file has no rows to look at"
        );
        assert_eq!(
            check(b"[]\n", FileFormat::Jsonl),
            "the file has no rows to look at"
        );
        assert!(check(b"", FileFormat::Csv).starts_with("the file is empty"));
    }
}
