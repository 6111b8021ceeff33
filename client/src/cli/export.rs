//! `tessera export`: all rows of a statement into a file, which is there whole or not at all. What
//! is no file (a FIFO, a device) is written straight into.
//!
//! Knows names of files. Does not keep rows: memory does not grow with the answer.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};

use flate2::write::GzEncoder;

use super::args::ExportArguments;
use super::error::CliError;
use super::execute::{counted, milliseconds};
use super::output::{Colour, Format, Sink, SinkOptions, printable};
use super::params::read_parameters;
use super::progress::Progress;
use super::session::{AnswerStream, Batch, ResultKind, Session};
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

/// Links that are followed one after another, as many as Linux itself follows.
const LINKS_MAX: usize = 40;

/// Writes a statement's rows to a file. Ctrl-C ends the export, and the half file goes with it.
pub(crate) async fn run(
    arguments: &ExportArguments,
    session: &Session,
    streams: &mut Streams,
) -> Result<(), CliError> {
    // One for the whole export: what comes while nobody listens is not told to a later one.
    let interrupt = pin!(async {
        // Without a handler the signal ends the process, and that needs no help.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    run_until(arguments, session, streams, interrupt).await
}

async fn run_until(
    arguments: &ExportArguments,
    session: &Session,
    streams: &mut Streams,
    interrupt: Pin<&mut impl Future<Output = ()>>,
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
    let copying = Copying {
        statement: &arguments.statement,
        answer,
        kind,
        format,
        progress: &progress,
    };
    let refuse = |error: io::Error| CliError::Usage(format!("{}: {error}", arguments.to.display()));
    let written = if arguments.to == Path::new("-") {
        let out = Packed::Borrowed(&mut *streams.stdout);
        copying.run(out, interrupt).await?
    } else {
        match Target::of(&arguments.to).map_err(refuse)? {
            Target::File(path) => {
                let partial = Partial::beside(&path);
                let file = File::create(partial.path()).map_err(refuse)?;
                let out = Packed::over(file, packing).map_err(refuse)?;
                let written = copying.run(out, interrupt).await?;
                partial.keep()?;
                written
            }
            Target::Other => {
                let file = File::options()
                    .write(true)
                    .open(&arguments.to)
                    .map_err(refuse)?;
                let out = Packed::over(file, packing).map_err(refuse)?;
                copying.run(out, interrupt).await?
            }
        }
    };
    progress.clear();
    let time = milliseconds(started.elapsed());
    let rows = counted(written, "row");
    writeln!(
        streams.stderr,
        "{rows} exported to {} in {time}",
        printable(&arguments.to.to_string_lossy())
    )?;
    Ok(())
}

/// An answer on its way to a file.
struct Copying<'a> {
    statement: &'a str,
    answer: AnswerStream,
    kind: ResultKind,
    format: Format,
    progress: &'a Progress,
}

impl Copying<'_> {
    /// Writes all rows; says how many.
    async fn run(
        mut self,
        mut out: Packed<'_>,
        mut interrupt: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<u64, CliError> {
        let options = SinkOptions {
            format: self.format,
            width: None,
            colour: Colour::Off,
        };
        let columns = self.answer.columns().to_vec();
        let mut sink = Sink::begin(out.writer(), options, self.kind, columns)?;
        let mut written = 0;
        loop {
            // Asked first, because the next rows are mostly there already.
            let batch = tokio::select! {
                biased;
                () = &mut interrupt => {
                    return Err(CliError::Stopped("interrupted; nothing was kept".to_owned()));
                }
                batch = self.answer.next_batch() => batch,
            };
            let Some(batch) = batch else {
                break;
            };
            let batch = batch.map_err(|error| CliError::of_statement(&error, self.statement))?;
            written += batch.len() as u64;
            match batch {
                Batch::Rows(rows) => sink.rows(rows)?,
                Batch::Keys(keys) => sink.keys(&keys)?,
            }
            self.progress.set_rows(written);
        }
        sink.end()?;
        out.finish()?;
        Ok(written)
    }
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// A file, there or not yet, which may be replaced; at the end of all links.
    File(PathBuf),
    /// Something that must stay what it is.
    Other,
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => fs::canonicalize(path).map(Self::File),
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => Ok(Self::Other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                end_of_links(path).map(Self::File)
            }
            Err(error) => Err(error),
        }
    }
}

/// Where a file would come to lie that is not there yet.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                // A relative link begins at the folder that it lies in.
                path = path.with_file_name("").join(fs::read_link(&path)?);
            }
            Ok(_) | Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links to links"))
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
    fn over(file: File, packing: Packing) -> io::Result<Self> {
        let file = BufWriter::new(file);
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

    /// Everything is on the disk when this returns, if it goes to a disk.
    fn finish(self) -> io::Result<()> {
        let file = match self {
            Self::Borrowed(out) => return out.flush(),
            Self::Plain(file) => file,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        match file.metadata()?.is_file() {
            true => file.sync_all(),
            false => Ok(()),
        }
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
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::io::Read;

    use clap::Parser;

    use super::*;
    use crate::ClientOptions;
    use crate::cli::args::{Arguments, Command};
    use crate::cli::streams::Terminal;
    use crate::fake_server::pair;

    /// Exports two users to a file, and says how that ended.
    async fn export(path: &Path, interrupt: impl Future<Output = ()>) -> Result<(), CliError> {
        let words = [
            "tessera",
            "export",
            "SEGMENT ALL",
            "--format",
            "csv",
            "--to",
        ];
        let words = words.iter().map(OsString::from).chain([path.into()]);
        let Some(Command::Export(arguments)) = Arguments::try_parse_from(words).unwrap().command
        else {
            return Err(CliError::Usage("the words are an export".to_owned()));
        };
        let (client, mut server) = pair(ClientOptions::default());
        let serving = tokio::spawn(async move {
            let mut peer = server.accept().await.unwrap();
            let id = peer.request().await.unwrap().id;
            peer.header(id, &["key"]).await.unwrap();
            peer.row(id, "u1").await.unwrap();
            peer.row(id, "u2").await.unwrap();
            peer.end(id).await.unwrap();
            // Until the client leaves.
            let _ = peer.receive().await;
        });
        let mut streams = Streams {
            stdin: Box::new(io::empty()),
            stdout: Box::new(io::sink()),
            stderr: Box::new(io::sink()),
            terminal: Terminal::default(),
        };
        let session = Session::of(client);
        let ended = run_until(&arguments, &session, &mut streams, pin!(interrupt)).await;
        serving.abort();
        ended
    }

    #[tokio::test]
    async fn an_interrupt_is_heard_though_rows_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let error = export(&path, std::future::ready(())).await.unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        export(&path, std::future::pending()).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "key\nu1\nu2\n");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_are_followed() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("there")).unwrap();
        let (link, file) = (
            folder.path().join("link.csv"),
            folder.path().join("there/out.csv"),
        );
        symlink("there/out.csv", &link).unwrap();
        // At first the link leads nowhere, and then to a file.
        for _ in 0..2 {
            export(&link, std::future::pending()).await.unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "key\nu1\nu2\n");
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        }
        let round = folder.path().join("round.csv");
        symlink("round.csv", &round).unwrap();
        assert_eq!(
            export(&round, std::future::pending())
                .await
                .unwrap_err()
                .status(),
            2
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_stays_what_it_is() -> io::Result<()> {
        let device = Path::new("/dev/null");
        assert_eq!(Target::of(device)?, Target::Other);
        let mut out = Packed::over(File::options().write(true).open(device)?, Packing::Zstd)?;
        out.writer().write_all(b"key\n1\n")?;
        out.finish()?;
        let folder = tempfile::tempdir()?;
        assert!(Target::of(folder.path()).is_err());
        Ok(())
    }

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
        let mut out = Packed::over(File::create(partial.path())?, Packing::Gzip)?;
        out.writer().write_all(b"key\n1\n")?;
        drop(out);
        drop(partial);
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);

        let partial = Partial::beside(&path);
        let mut out = Packed::over(File::create(partial.path())?, Packing::Gzip)?;
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
