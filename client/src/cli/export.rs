//! `tessera export`: all rows of a statement into a file, which is there whole or not at all.
//!
//! Knows names of files. Does not keep rows: memory does not grow with the answer.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::args::ExportArguments;
use super::error::CliError;
use super::execute::{counted, milliseconds};
use super::output::{Colour, Format, Sink, SinkOptions};
use super::params::read_parameters;
use super::progress::Progress;
use super::session::{AnswerStream, ResultKind, Session};
use super::streams::Streams;

/// The effort of zstd: its own default.
const ZSTD_LEVEL: i32 = 3;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Writes a statement's rows to a file.
pub(crate) async fn run(
    arguments: &ExportArguments,
    session: &Session,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let parameters = read_parameters(&arguments.parameters)?;
    let (format, packing) = form_of(&arguments.to, arguments.format)?;
    let answer = session.open(&arguments.statement, &parameters).await?;
    let Some(kind) = answer.kind() else {
        let reason = "the statement was executed and has no rows to export".to_owned();
        return Err(CliError::Stopped(reason));
    };
    let started = std::time::Instant::now();
    let progress = Progress::rows(streams.terminal.stderr);
    let written = if arguments.to == Path::new("-") {
        let out = Packed::Borrowed(&mut *streams.stdout);
        copy(&arguments.statement, answer, kind, format, out, &progress).await?
    } else {
        let partial = Partial::beside(&arguments.to);
        let out = Packed::create(partial.path(), packing)
            .map_err(|error| CliError::Usage(format!("{}: {error}", arguments.to.display())))?;
        let written = copy(&arguments.statement, answer, kind, format, out, &progress).await?;
        partial.keep()?;
        written
    };
    progress.clear();
    let time = milliseconds(started.elapsed());
    let rows = counted(written, "row");
    writeln!(
        streams.stderr,
        "{rows} exported to {} in {time}",
        arguments.to.display()
    )?;
    Ok(())
}

async fn copy(
    statement: &str,
    mut answer: AnswerStream,
    kind: ResultKind,
    format: Format,
    mut out: Packed<'_>,
    progress: &Progress,
) -> Result<u64, CliError> {
    let options = SinkOptions {
        format,
        width: None,
        colour: Colour::Off,
    };
    let mut sink = Sink::begin(out.writer(), options, kind, answer.columns().to_vec())?;
    let mut written = 0;
    while let Some(rows) = next_or_interrupt(&mut answer).await? {
        let rows = rows.map_err(|error| CliError::of_statement(&error, statement))?;
        written += rows.len() as u64;
        sink.rows(rows)?;
        progress.set_rows(written);
    }
    sink.end()?;
    out.finish()?;
    Ok(written)
}

type Rows = Option<Result<Vec<crate::Row>, crate::Error>>;

/// Ctrl-C ends the export, and the half file goes with it.
async fn next_or_interrupt(answer: &mut AnswerStream) -> Result<Rows, CliError> {
    tokio::select! {
        rows = answer.next_rows() => Ok(rows),
        _ = tokio::signal::ctrl_c() => Err(CliError::Stopped("interrupted; nothing was kept".to_owned())),
    }
}

fn form_of(path: &Path, said: Option<Format>) -> Result<(Format, Packing), CliError> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let (name, packing) = match name.rsplit_once('.') {
        Some((rest, "gz")) => (rest.to_owned(), Packing::Gzip),
        Some((rest, "zst" | "zstd")) => (rest.to_owned(), Packing::Zstd),
        Some(_) | None => (name, Packing::Plain),
    };
    let by_name = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv") => Some(Format::Csv),
        Some("tsv" | "tab") => Some(Format::Tsv),
        Some("jsonl" | "ndjson") => Some(Format::Jsonl),
        Some("json") => Some(Format::Json),
        Some(_) | None => None,
    };
    match said.or(by_name) {
        Some(Format::Table) => Err(CliError::Usage(
            "a table is for people: export csv, tsv, json or jsonl".to_owned(),
        )),
        Some(format) => Ok((format, packing)),
        None if name == "-" => Ok((Format::Csv, Packing::Plain)),
        None => Err(CliError::Usage(format!(
            "{}: the name does not tell the form: end it with .csv, .tsv or .jsonl, or say --format",
            path.display()
        ))),
    }
}

/// Where rows go.
enum Packed<'a> {
    Borrowed(&'a mut dyn Write),
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<File>>),
}

impl<'a> Packed<'a> {
    fn create(path: &Path, packing: Packing) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        Ok(match packing {
            Packing::Plain => Self::Plain(file),
            Packing::Gzip => Self::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Packing::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?),
        })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Borrowed(out) => *out,
            Self::Plain(file) => file,
            Self::Gzip(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
        }
    }

    /// Everything is on the disk when this returns.
    fn finish(self) -> io::Result<()> {
        let file = match self {
            Self::Borrowed(out) => return out.flush(),
            Self::Plain(file) => file,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()
    }
}

/// A file that lies beside its place until it is whole; dropped before, it is removed.
struct Partial {
    /// The half file and its name when whole.
    names: Option<(PathBuf, PathBuf)>,
}

impl Partial {
    fn beside(path: &Path) -> Self {
        Self {
            names: Some((partial_name(path), path.to_owned())),
        }
    }

    fn path(&self) -> &Path {
        self.names
            .as_ref()
            .map_or(Path::new(""), |(partial, _)| partial)
    }

    fn keep(mut self) -> io::Result<()> {
        let Some((partial, whole)) = &self.names else {
            return Ok(());
        };
        fs::rename(partial, whole)?;
        self.names = None;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some((partial, _)) = self.names.take() {
            // What is left of an export that failed; there is nobody to tell if this fails too.
            let _ = fs::remove_file(partial);
        }
    }
}

/// Beside the target, so that renaming does not cross file systems.
fn partial_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_name_tells_form_and_packing() {
        let check = |name: &str, said, expected: Option<(Format, Packing)>| {
            assert_eq!(form_of(Path::new(name), said).ok(), expected, "{name}");
        };
        check("a.csv", None, Some((Format::Csv, Packing::Plain)));
        check("dir/a.TSV.gz", None, Some((Format::Tsv, Packing::Gzip)));
        check("a.jsonl.zst", None, Some((Format::Jsonl, Packing::Zstd)));
        check("a.txt", None, None);
        check(
            "a.txt.gz",
            Some(Format::Csv),
            Some((Format::Csv, Packing::Gzip)),
        );
        check("a.csv", Some(Format::Table), None);
        check("-", None, Some((Format::Csv, Packing::Plain)));
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("out.csv.gz");
        let partial = Partial::beside(&path);
        let mut out = Packed::create(partial.path(), Packing::Gzip)?;
        out.writer().write_all(b"key\n1\n")?;
        drop(out);
        drop(partial);
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);

        let partial = Partial::beside(&path);
        let mut out = Packed::create(partial.path(), Packing::Gzip)?;
        out.writer().write_all(b"key\n1\n")?;
        out.finish()?;
        partial.keep()?;
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(&path)?).read_to_string(&mut text)?;
        assert_eq!(text, "key\n1\n");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
