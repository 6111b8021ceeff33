//! Rows that were not imported: told, counted and written to a file of their own.
//!
//! Knows the reject file's form. Does not know why a row was bad.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use crate::cli::output::printable;

/// Bad rows that are told on standard error; the others are in the file.
const TOLD_MAX: u64 = 10;
const HEADER: [&str; 5] = ["file", "line", "column", "reason", "record"];
/// How the file begins, by which a file of an earlier import is known.
const FIRST_LINE: &[u8] = b"file,line,column,reason,record\n";

/// A row that was not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reject {
    /// The file it stands in.
    pub(crate) file: String,
    /// The number of its first line; 0 when it is not known any more.
    pub(crate) line: u64,
    /// The place within the row, if one is to blame.
    pub(crate) column: Option<String>,
    /// Why.
    pub(crate) reason: String,
    /// The row as it stands in the file.
    pub(crate) record: Vec<u8>,
}

impl Reject {
    /// The place and the reason in one line, fit for a terminal.
    pub(crate) fn told(&self) -> String {
        let Self {
            file, line, reason, ..
        } = self;
        printable(&match &self.column {
            Some(column) => format!("{file}, line {line}, column {column}: {reason}"),
            None => format!("{file}, line {line}: {reason}"),
        })
    }
}

/// Gathers rejects.
pub(crate) struct Rejects {
    path: PathBuf,
    writer: Option<csv::Writer<BufWriter<File>>>,
    count: u64,
}

impl Rejects {
    /// Nothing is written before the first reject. What an earlier import left there goes.
    pub(crate) fn new(path: PathBuf) -> io::Result<Self> {
        if is_reject_file(&path) {
            fs::remove_file(&path)?;
        }
        Ok(Self {
            path,
            writer: None,
            count: 0,
        })
    }

    /// Takes a reject; gives a line back that should be told.
    pub(crate) fn add(&mut self, reject: &Reject) -> io::Result<Option<String>> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(begin(&self.path)?),
        };
        let line = reject.line.to_string();
        let column = reject.column.as_deref().unwrap_or_default();
        for field in [
            reject.file.as_bytes(),
            line.as_bytes(),
            column.as_bytes(),
            reject.reason.as_bytes(),
            &reject.record,
        ] {
            writer.write_field(field)?;
        }
        writer.write_record(None::<&[u8]>)?;
        self.count += 1;
        Ok(match self.count {
            ..=TOLD_MAX => Some(reject.told()),
            // The file is named once, at the end.
            more if more == TOLD_MAX + 1 => Some("further bad rows are not shown".to_owned()),
            _ => None,
        })
    }

    /// Writes what is left; names the file if there is one.
    pub(crate) fn finish(mut self) -> io::Result<Option<PathBuf>> {
        match self.writer.take() {
            Some(mut writer) => writer.flush().map(|()| Some(self.path)),
            None => Ok(None),
        }
    }
}

fn begin(path: &Path) -> io::Result<csv::Writer<BufWriter<File>>> {
    let mut writer = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
    writer.write_record(HEADER)?;
    Ok(writer)
}

fn is_reject_file(path: &Path) -> bool {
    use std::io::Read;
    let mut first = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(FIRST_LINE.len() as u64).read_to_end(&mut first));
    read.is_ok() && first == FIRST_LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(line: u64) -> Reject {
        Reject {
            file: "a.csv".to_owned(),
            line,
            column: Some("2 (age)".to_owned()),
            reason: "\"x\" is not a whole number".to_owned(),
            record: b"1,\"x\",\xff".to_vec(),
        }
    }

    #[test]
    fn rejects_are_told_counted_and_written() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.rejects.csv");
        let mut rejects = Rejects::new(path.clone())?;
        let told: Vec<_> = (1..=12)
            .map(|line| rejects.add(&reject(line)))
            .collect::<Result<_, _>>()?;
        assert_eq!(
            told[0].as_deref(),
            Some("a.csv, line 1, column 2 (age): \"x\" is not a whole number")
        );
        assert_eq!(told[10].as_deref(), Some("further bad rows are not shown"));
        assert_eq!(told[11], None);
        assert_eq!(rejects.finish()?, Some(path.clone()));
        let written = fs::read(&path)?;
        let first = b"file,line,column,reason,record\na.csv,1,2 (age),\"\"\"x\"\" is not a whole number\",\"1,\"\"x\"\",\xff\"\n";
        assert!(
            written.starts_with(first),
            "{}",
            String::from_utf8_lossy(&written)
        );
        Ok(())
    }

    #[test]
    fn what_a_file_holds_cannot_drive_the_terminal() {
        let reject = Reject {
            column: Some("2 (a\u{1b}[31mge)".to_owned()),
            ..reject(2)
        };
        assert_eq!(
            reject.told(),
            "a.csv, line 2, column 2 (a\u{241b}[31mge): \"x\" is not a whole number"
        );
    }

    #[test]
    fn only_an_earlier_reject_file_is_removed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.rejects.csv");
        fs::write(&path, FIRST_LINE)?;
        assert_eq!(Rejects::new(path.clone())?.finish()?, None);
        assert!(!path.exists());
        fs::write(&path, "mine")?;
        Rejects::new(path.clone())?;
        assert!(path.exists());
        Ok(())
    }
}
