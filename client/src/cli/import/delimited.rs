//! CSV records, one after the other, so that a broken one never takes the next ones along.
//!
//! Knows quotes, delimiters and where a record ends. Reading (but not writing) is our own
//! because the `csv` crate takes an unclosed quote as the beginning of a field that lasts to
//! the end of the file, and every row in it would be lost. Does not know what a field means.

use std::io;

use super::lines::{Length, Lines, RECORD_BYTES_MAX, without_end};

/// Lines that one quoted field may span: a quote that is open for longer was never meant.
const RECORD_LINES_MAX: usize = 1_000;

/// One record; its buffers are used again and again.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The record as it stands in the file, with its line ends.
    raw: Vec<u8>,
    /// The fields without their quotes, where the record has any.
    unquoted: Vec<u8>,
    /// Where each field lies, in `unquoted` when that is in use, else in `raw`.
    fields: Vec<(usize, usize)>,
    /// The number of its first line.
    line: u64,
}

/// Why a record cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The field, from 0, if one is to blame.
    pub(crate) field: Option<usize>,
    /// What is wrong.
    pub(crate) reason: &'static str,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record.
    Record,
    /// Something that is none; the next one is not touched by it.
    Broken(Broken),
    /// Nothing more.
    End,
}

impl Record {
    /// A field, from 0.
    pub(crate) fn field(&self, index: usize) -> Option<&[u8]> {
        let (start, end) = *self.fields.get(index)?;
        let bytes = if self.unquoted.is_empty() {
            &self.raw
        } else {
            &self.unquoted
        };
        bytes.get(start..end)
    }

    /// How many fields it has.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The number of its first line.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// As it stands in the file, without the last line end.
    pub(crate) fn raw(&self) -> &[u8] {
        without_end(&self.raw)
    }

    /// Reads the next record that is not an empty line.
    pub(crate) fn read(&mut self, lines: &mut Lines, delimiter: u8) -> io::Result<Step> {
        loop {
            self.raw.clear();
            self.unquoted.clear();
            self.fields.clear();
            let Some(length) = lines.next(&mut self.raw)? else {
                return Ok(Step::End);
            };
            self.line = lines.number();
            if length == Length::Cut {
                return Ok(broken(None, "the line is longer than 1 MiB"));
            }
            if !without_end(&self.raw).is_empty() {
                break;
            }
        }
        if !self.raw.contains(&b'"') {
            self.split_plain(delimiter);
            return Ok(Step::Record);
        }
        self.read_quoted(lines, delimiter)
    }

    fn split_plain(&mut self, delimiter: u8) {
        let line = without_end(&self.raw);
        let mut start = 0;
        for (at, byte) in line.iter().enumerate() {
            if *byte == delimiter {
                self.fields.push((start, at));
                start = at + 1;
            }
        }
        self.fields.push((start, line.len()));
    }

    fn read_quoted(&mut self, lines: &mut Lines, delimiter: u8) -> io::Result<Step> {
        let mut splitter = Splitter {
            state: State::FieldStart,
            start: 0,
            delimiter,
        };
        let mut further = Vec::new();
        let mut fed = 0;
        loop {
            match splitter.feed(&self.raw[fed..], &mut self.unquoted, &mut self.fields) {
                Fed::Complete => {
                    // An unquoted buffer without a byte would be taken for none.
                    if self.unquoted.is_empty() {
                        self.unquoted.push(b'\n');
                    }
                    return Ok(Step::Record);
                }
                Fed::Broken(reason) => return Ok(self.give_up(lines, further, reason)),
                Fed::Open => {}
            }
            fed = self.raw.len();
            if further.len() >= RECORD_LINES_MAX || fed > RECORD_BYTES_MAX {
                return Ok(self.give_up(lines, further, "a quote is opened and not closed"));
            }
            match lines.next(&mut self.raw)? {
                None => {
                    return Ok(self.give_up(lines, further, "a quote is opened and not closed"));
                }
                Some(length) => further.push((self.raw[fed..].to_vec(), length)),
            }
        }
    }

    /// Blames the first line alone, and gives the others back.
    fn give_up(
        &mut self,
        lines: &mut Lines,
        further: Vec<(Vec<u8>, Length)>,
        reason: &'static str,
    ) -> Step {
        let first_line_end =
            self.raw.len() - further.iter().map(|(line, _)| line.len()).sum::<usize>();
        self.raw.truncate(first_line_end);
        lines.give_back(further);
        broken(Some(self.fields.len()), reason)
    }
}

fn broken(field: Option<usize>, reason: &'static str) -> Step {
    Step::Broken(Broken { field, reason })
}

/// The state between two bytes, so that a record can be fed line by line.
struct Splitter {
    state: State,
    /// Where the field under way starts among the unquoted bytes.
    start: usize,
    delimiter: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote within a quoted field: its end, or the first of two.
    QuoteSeen,
}

enum Fed {
    Complete,
    Open,
    Broken(&'static str),
}

impl Splitter {
    /// Takes one line with its end.
    fn feed(
        &mut self,
        line: &[u8],
        unquoted: &mut Vec<u8>,
        fields: &mut Vec<(usize, usize)>,
    ) -> Fed {
        let content = without_end(line).len();
        for byte in &line[..content] {
            let byte = *byte;
            match (self.state, byte) {
                (State::FieldStart, b'"') => self.state = State::Quoted,
                (State::Quoted, b'"') => self.state = State::QuoteSeen,
                (State::QuoteSeen, b'"') => {
                    unquoted.push(b'"');
                    self.state = State::Quoted;
                }
                (State::Quoted, _) => unquoted.push(byte),
                (State::FieldStart | State::Plain | State::QuoteSeen, _)
                    if byte == self.delimiter =>
                {
                    self.end_field(unquoted, fields);
                }
                (State::QuoteSeen, _) => return Fed::Broken("text follows a closing quote"),
                (State::FieldStart | State::Plain, _) => {
                    unquoted.push(byte);
                    self.state = State::Plain;
                }
            }
        }
        if self.state == State::Quoted {
            unquoted.extend_from_slice(&line[content..]);
            return Fed::Open;
        }
        self.end_field(unquoted, fields);
        Fed::Complete
    }

    fn end_field(&mut self, unquoted: &[u8], fields: &mut Vec<(usize, usize)>) {
        fields.push((self.start, unquoted.len()));
        self.start = unquoted.len();
        self.state = State::FieldStart;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Outcome = Result<Vec<Vec<u8>>, (u64, &'static str)>;

    /// Every record as its fields, or the line and the reason of a broken one.
    fn read(text: &[u8], delimiter: u8) -> io::Result<Vec<Outcome>> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(text.to_vec())));
        let mut record = Record::default();
        let mut all = Vec::new();
        loop {
            match record.read(&mut lines, delimiter)? {
                Step::End => return Ok(all),
                Step::Broken(broken) => all.push(Err((record.line(), broken.reason))),
                Step::Record => all.push(Ok((0..record.len())
                    .map(|index| record.field(index).unwrap_or_default().to_vec())
                    .collect())),
            }
        }
    }

    fn fields(fields: &[&str]) -> Outcome {
        Ok(fields
            .iter()
            .map(|field| field.as_bytes().to_vec())
            .collect())
    }

    #[test]
    fn records_are_split_as_everyone_does() -> io::Result<()> {
        let check = |text: &str, expected: &[&[&str]]| -> io::Result<()> {
            let expected: Vec<_> = expected.iter().map(|record| fields(record)).collect();
            assert_eq!(read(text.as_bytes(), b',')?, expected, "{text}");
            Ok(())
        };
        check("a,b\r\n\n1,\n", &[&["a", "b"], &["1", ""]])?;
        check("a", &[&["a"]])?;
        check(",", &[&["", ""]])?;
        check("\"a,b\",\"c\"\"d\"\n", &[&["a,b", "c\"d"]])?;
        check(
            "\"two\r\nlines\",x\ny,z\n",
            &[&["two\r\nlines", "x"], &["y", "z"]],
        )?;
        check("\"\"\n\"\",\"\"\n", &[&[""], &["", ""]])?;
        check("5\" pipe,x\n", &[&["5\" pipe", "x"]])?;
        check("", &[])
    }

    #[test]
    fn a_broken_record_leaves_the_next_ones_alone() -> io::Result<()> {
        let unclosed = "a quote is opened and not closed";
        let text = b"1,a\n2,\"b\n3,c\n4,d\n";
        assert_eq!(
            read(text, b',')?,
            [
                fields(&["1", "a"]),
                Err((2, unclosed)),
                fields(&["3", "c"]),
                fields(&["4", "d"])
            ]
        );
        let text = b"1,\"a\"b\n2,c\n";
        assert_eq!(
            read(text, b',')?,
            [
                Err((1, "text follows a closing quote")),
                fields(&["2", "c"])
            ]
        );
        let text = b"1,\"a\n2,\"b\n3,c\n";
        assert_eq!(
            read(text, b',')?,
            [
                Err((1, "text follows a closing quote")),
                Err((2, unclosed)),
                fields(&["3", "c"])
            ]
        );
        Ok(())
    }

    #[test]
    fn an_open_quote_is_given_up_after_so_many_lines() -> io::Result<()> {
        let text = format!("\"open\n{}", "row\n".repeat(RECORD_LINES_MAX + 5));
        let records = read(text.as_bytes(), b',')?;
        assert_eq!(records.len(), RECORD_LINES_MAX + 6);
        assert_eq!(records[0], Err((1, "a quote is opened and not closed")));
        assert_eq!(records[1], fields(&["row"]));
        Ok(())
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_alone() -> io::Result<()> {
        let text = format!("{}\n1,2\n", "x".repeat(RECORD_BYTES_MAX + 1));
        assert_eq!(
            read(text.as_bytes(), b',')?,
            [
                Err((1, "the line is longer than 1 MiB")),
                fields(&["1", "2"])
            ]
        );
        Ok(())
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_read_back(
            rows in proptest::collection::vec(
                proptest::collection::vec("\\PC{0,5}|[\"\\r\\n,;\t x]{0,6}", 1..5), 0..8),
            delimiter in prop_oneof![Just(b','), Just(b';'), Just(b'\t')],
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).delimiter(delimiter).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).map_err(|e| TestCaseError::fail(e.to_string()))?;
            }
            let text = writer.into_inner().map_err(|e| TestCaseError::fail(e.to_string()))?;
            let expected: Vec<_> = rows.iter().map(|row| {
                fields(&row.iter().map(String::as_str).collect::<Vec<_>>())
            }).collect();
            let records = read(&text, delimiter).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(records, expected);
        }

        #[test]
        fn hostile_text_neither_panics_nor_loses_lines(text in "[\"\\r\\n,x]{0,80}") {
            let records = read(text.as_bytes(), b',').map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert!(records.len() <= text.lines().count());
        }
    }
}
