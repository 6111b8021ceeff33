//! An answer on its way out, in any format, row by row.
//!
//! Knows the order header, rows, end. Does not know the server; keeps no more than the rows a
//! table's layout is made from.

use std::io::{self, Write};

use super::Format;
use super::chart::chart;
use super::table::{Colour, Layout};
use super::value::{write_json, write_json_string, write_plain};
use crate::cli::session::{Column, Datum, KeyBatch, ResultKind};

/// Rows that a table's layout is made from, on a terminal.
const LAYOUT_ROWS_TERMINAL: usize = 1_000;
/// The same where nobody waits for the first row.
const LAYOUT_ROWS_PIPE: usize = 10_000;
/// Room for a drawing where the output has no width of its own.
const WIDTH_WITHOUT_TERMINAL: u16 = 100;

/// How to write an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SinkOptions {
    /// The form.
    pub(crate) format: Format,
    /// The terminal's width in characters; `None` when it is not a terminal.
    pub(crate) width: Option<u16>,
    /// Whether tables are coloured.
    pub(crate) colour: Colour,
}

/// Writes one answer.
pub(crate) struct Sink<'a> {
    out: &'a mut dyn Write,
    options: SinkOptions,
    kind: ResultKind,
    columns: Vec<Column>,
    rows: u64,
    table: TableState,
}

/// A table gathers its first rows and is drawn from then on.
enum TableState {
    Gathering(Vec<Vec<Datum>>),
    Drawing(Layout),
}

impl<'a> Sink<'a> {
    /// Begins an answer.
    pub(crate) fn begin(
        out: &'a mut dyn Write,
        options: SinkOptions,
        kind: ResultKind,
        columns: Vec<Column>,
    ) -> io::Result<Self> {
        let table = TableState::Gathering(Vec::new());
        let mut sink = Self {
            out,
            options,
            kind,
            columns,
            rows: 0,
            table,
        };
        match sink.options.format {
            Format::Json => sink.out.write_all(b"[")?,
            Format::Csv => sink.delimited_header(b',')?,
            Format::Tsv => sink.delimited_header(b'\t')?,
            Format::Table | Format::Jsonl => {}
        }
        Ok(sink)
    }

    /// Writes some rows.
    pub(crate) fn rows(&mut self, rows: Vec<Vec<Datum>>) -> io::Result<()> {
        let before = self.rows;
        self.rows += rows.len() as u64;
        match self.options.format {
            Format::Table => self.table_rows(rows),
            Format::Json => self.json_rows(&rows, before),
            Format::Jsonl => self.jsonl_rows(&rows),
            Format::Csv => self.delimited_rows(&rows, b','),
            Format::Tsv => self.delimited_rows(&rows, b'\t'),
        }
    }

    /// Writes some rows of an answer that has no column but the keys.
    pub(crate) fn keys(&mut self, keys: &KeyBatch) -> io::Result<()> {
        match self.options.format {
            Format::Csv => self.delimited_keys(keys, b','),
            Format::Tsv => self.delimited_keys(keys, b'\t'),
            Format::Table | Format::Json | Format::Jsonl => {
                let rows = keys.iter().map(|key| vec![Datum::from(key)]).collect();
                self.rows(rows)
            }
        }
    }

    /// Ends the answer; says how many rows it had.
    pub(crate) fn end(mut self) -> io::Result<u64> {
        match self.options.format {
            Format::Table => self.draw_gathered()?,
            Format::Json => self
                .out
                .write_all(if self.rows == 0 { b"]\n" } else { b"\n]\n" })?,
            Format::Jsonl | Format::Csv | Format::Tsv => {}
        }
        self.out.flush()?;
        Ok(self.rows)
    }

    fn table_rows(&mut self, rows: Vec<Vec<Datum>>) -> io::Result<()> {
        let limit = if self.options.width.is_some() {
            LAYOUT_ROWS_TERMINAL
        } else {
            LAYOUT_ROWS_PIPE
        };
        match &mut self.table {
            TableState::Gathering(gathered) => {
                gathered.extend(rows);
                if gathered.len() >= limit {
                    self.draw_gathered()
                } else {
                    Ok(())
                }
            }
            TableState::Drawing(layout) if !rows.is_empty() => {
                writeln!(self.out, "{}", layout.more(&rows))
            }
            TableState::Drawing(_) => Ok(()),
        }
    }

    fn draw_gathered(&mut self) -> io::Result<()> {
        let TableState::Gathering(gathered) = &mut self.table else {
            return Ok(());
        };
        let rows = std::mem::take(gathered);
        let columns = self.columns.clone();
        let mut layout = Layout::new(
            self.kind,
            columns,
            &rows,
            self.options.width,
            self.options.colour,
        );
        let text = layout.first(&rows);
        self.table = TableState::Drawing(layout);
        if self.kind == ResultKind::Trend {
            let width = self.options.width.unwrap_or(WIDTH_WITHOUT_TERMINAL);
            write!(self.out, "{}", chart(&numbers_of(&rows), width))?;
        }
        writeln!(self.out, "{text}")
    }

    fn json_rows(&mut self, rows: &[Vec<Datum>], before: u64) -> io::Result<()> {
        let mut text = String::new();
        for (position, row) in rows.iter().enumerate() {
            text.push_str(if before == 0 && position == 0 {
                "\n  "
            } else {
                ",\n  "
            });
            self.object(row, &mut text);
        }
        self.out.write_all(text.as_bytes())
    }

    fn jsonl_rows(&mut self, rows: &[Vec<Datum>]) -> io::Result<()> {
        let mut text = String::new();
        for row in rows {
            self.object(row, &mut text);
            text.push('\n');
        }
        self.out.write_all(text.as_bytes())
    }

    fn object(&self, row: &[Datum], out: &mut String) {
        out.push('{');
        for (position, (column, value)) in self.columns.iter().zip(row).enumerate() {
            if position > 0 {
                out.push(',');
            }
            write_json_string(&column.name, out);
            out.push(':');
            write_json(value, out);
        }
        out.push('}');
    }

    fn delimited_header(&mut self, delimiter: u8) -> io::Result<()> {
        let mut writer = delimited(&mut self.out, delimiter);
        writer.write_record(self.columns.iter().map(|column| &column.name))?;
        writer.flush()
    }

    fn delimited_keys(&mut self, keys: &KeyBatch, delimiter: u8) -> io::Result<()> {
        self.rows += keys.len() as u64;
        let mut writer = delimited(&mut self.out, delimiter);
        for key in keys.iter() {
            writer.write_record([key])?;
        }
        writer.flush()
    }

    fn delimited_rows(&mut self, rows: &[Vec<Datum>], delimiter: u8) -> io::Result<()> {
        let mut writer = delimited(&mut self.out, delimiter);
        let mut text = String::new();
        for row in rows {
            for value in row {
                text.clear();
                write_plain(value, &mut text);
                writer.write_field(&text)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()
    }
}

/// The numbers of a trend, one a row.
fn numbers_of(rows: &[Vec<Datum>]) -> Vec<i64> {
    let number = |datum: &Datum| match datum {
        Datum::Integer(number) => Some(*number),
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Text(_)
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => None,
    };
    rows.iter().filter_map(|row| number(row.get(1)?)).collect()
}

fn delimited<W: Write>(out: W, delimiter: u8) -> csv::Writer<W> {
    csv::WriterBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_writer(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::session::ColumnRole;

    fn write(format: Format, chunks: Vec<Vec<Vec<Datum>>>) -> io::Result<String> {
        write_kind(ResultKind::Segment, format, chunks)
    }

    fn write_kind(
        kind: ResultKind,
        format: Format,
        chunks: Vec<Vec<Vec<Datum>>>,
    ) -> io::Result<String> {
        let mut out = Vec::new();
        let options = SinkOptions {
            format,
            width: None,
            colour: Colour::Off,
        };
        let column = |name: &str| Column {
            name: name.to_owned(),
            role: ColumnRole::Value,
        };
        let mut sink = Sink::begin(&mut out, options, kind, vec![column("key"), column("x")])?;
        for chunk in chunks {
            sink.rows(chunk)?;
        }
        sink.end()?;
        String::from_utf8(out).map_err(io::Error::other)
    }

    fn row(key: &str, value: Datum) -> Vec<Datum> {
        vec![Datum::Text(key.to_owned()), value]
    }

    #[test]
    fn every_format_writes_chunks_as_one_answer() -> io::Result<()> {
        let chunks = || {
            vec![
                vec![row("a", Datum::Integer(1_000)), row("b,\"c\"", Datum::Null)],
                vec![row(
                    "d\te",
                    Datum::List(vec!["p".to_owned(), "q".to_owned()]),
                )],
            ]
        };
        let check = |format, expected: &str| -> io::Result<()> {
            assert_eq!(write(format, chunks())?, expected);
            Ok(())
        };
        check(
            Format::Csv,
            "key,x\na,1000\n\"b,\"\"c\"\"\",\nd\te,\"[\"\"p\"\",\"\"q\"\"]\"\n",
        )?;
        check(
            Format::Tsv,
            "key\tx\na\t1000\n\"b,\"\"c\"\"\"\t\n\"d\te\"\t\"[\"\"p\"\",\"\"q\"\"]\"\n",
        )?;
        check(
            Format::Jsonl,
            "{\"key\":\"a\",\"x\":1000}\n{\"key\":\"b,\\\"c\\\"\",\"x\":null}\n{\"key\":\"d\\te\",\"x\":[\"p\",\"q\"]}\n",
        )?;
        check(
            Format::Json,
            "[\n  {\"key\":\"a\",\"x\":1000},\n  {\"key\":\"b,\\\"c\\\"\",\"x\":null},\n  {\"key\":\"d\\te\",\"x\":[\"p\",\"q\"]}\n]\n",
        )?;
        check(
            Format::Table,
            " key   │ x\n───────┼───────\n a     │ 1,000\n b,\"c\" │\n d␉e   │ p, q\n",
        )
    }

    #[test]
    fn a_trend_is_drawn_above_its_table_and_nowhere_else() -> io::Result<()> {
        let rows = || {
            vec![vec![
                row("a", Datum::Integer(1)),
                row("b", Datum::Integer(9)),
            ]]
        };
        let drawn = write_kind(ResultKind::Trend, Format::Table, rows())?;
        assert!(drawn.starts_with(" 9 │    ████\n"), "{drawn}");
        assert!(drawn.ends_with(" a   │ 1\n b   │ 9\n"), "{drawn}");
        for format in [Format::Csv, Format::Jsonl] {
            let plain = write_kind(ResultKind::Segment, format, rows())?;
            assert_eq!(write_kind(ResultKind::Trend, format, rows())?, plain);
        }
        Ok(())
    }

    #[test]
    fn an_empty_answer_is_well_formed() -> io::Result<()> {
        assert_eq!(write(Format::Json, vec![])?, "[]\n");
        assert_eq!(write(Format::Jsonl, vec![])?, "");
        assert_eq!(write(Format::Csv, vec![])?, "key,x\n");
        Ok(())
    }

    proptest! {
        #[test]
        fn weird_fields_survive_csv_and_tsv(fields in proptest::collection::vec(("\\PC*|[\"\\r\\n,;\t ]{0,6}", "\\PC{0,4}"), 0..8)) {
            for (format, delimiter) in [(Format::Csv, b','), (Format::Tsv, b'\t')] {
                let rows = fields.iter().map(|(key, value)| row(key, Datum::Text(value.clone()))).collect();
                let text = write(format, vec![rows]).map_err(|e| TestCaseError::fail(e.to_string()))?;
                let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
                let read: Vec<(String, String)> = reader.records()
                    .map(|record| record.map(|r| (r[0].to_owned(), r[1].to_owned())))
                    .collect::<Result<_, _>>()
                    .map_err(|e| TestCaseError::fail(e.to_string()))?;
                prop_assert_eq!(&read, &fields);
            }
        }
    }
}
