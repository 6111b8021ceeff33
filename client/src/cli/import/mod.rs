//! `tessera import`: files of rows into users.
//!
//! Knows the way from a file to the server. What a column means is the mapping's matter, what
//! a change means the server's.

mod columns;
mod define;
mod delimited;
mod events;
mod infer;
mod intern;
mod lines;
mod mapping;
mod pending;
mod plan;
mod read;
mod records;
mod rejects;
mod send;
mod source;
mod value;

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use self::mapping::{AttributeKind, is_delimiter};
pub(crate) use self::records::FileFormat;
pub(crate) use self::value::Reading;

use self::infer::{SAMPLE_BYTES, Sample, propose};
use self::mapping::Mapping;
use self::plan::Plan;
use self::read::Input;
use self::records::Records;
use self::rejects::Rejects;
use self::send::{Sending, SendingParts, Strictness, Totals};
use self::source::{BytesRead, Source};
use super::args::ImportArguments;
use super::error::CliError;
use super::progress::Progress;
use super::session::Session;
use super::streams::Streams;

/// The longest mapping file, in bytes.
const MAPPING_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Rows that travel together.
const BATCH_ROWS: usize = 100_000;

/// Imports files.
pub(crate) async fn run(
    arguments: &ImportArguments,
    session: &Session,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let bytes_read = BytesRead::default();
    let mut sources = open_sources(&arguments.files, streams, &bytes_read)?;
    let mapping = match &arguments.mapping {
        Some(path) => read_mapping(path)?,
        None => {
            let (text, mapping) = infer_mapping(arguments, &mut sources)?;
            if !arguments.yes {
                streams.stdout.write_all(text.as_bytes())?;
                streams.stdout.flush()?;
            }
            if !arguments.yes && !arguments.dry_run {
                return Ok(());
            }
            mapping
        }
    };
    let plan = Plan::new(&mapping);
    let inputs = open_inputs(arguments, &mapping, &plan, sources)?;
    if !arguments.dry_run {
        session.connect().await?;
        define::define(&mapping, session).await?;
    }
    let strictness = if arguments.strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    let parts = SendingParts {
        mapping: &mapping,
        files: inputs.iter().map(|input| input.name.clone()).collect(),
        strictness,
        rejects: open_rejects(arguments)?,
        progress: progress(&arguments.files, streams),
        bytes_read,
        stderr: &mut *streams.stderr,
    };
    let batch = arguments.batch.map(|batch| batch as usize);
    let sending = match arguments.dry_run {
        true => Sending::dry(parts),
        false => Sending::to_server(parts, session, batch, plan.form()),
    };
    let started = Instant::now();
    let (chunks, reader) = read::start(inputs, plan, batch.unwrap_or(BATCH_ROWS), strictness)
        .map_err(|error| CliError::Stopped(error.to_string()))?;
    // An import that stops early does not wait: the reader may be waiting for somebody to type.
    let totals = sending.run(chunks).await?;
    wait_for(reader)?;
    let summary = summary(&totals, started.elapsed(), arguments.dry_run);
    streams.stdout.write_all(summary.as_bytes())?;
    streams.stdout.flush()?;
    Ok(())
}

/// A reader that broke down ends its rows as one does that has read everything.
fn wait_for(reader: JoinHandle<()>) -> Result<(), CliError> {
    let broken = "the files were not read to their end: the reader broke down";
    reader
        .join()
        .map_err(|_| CliError::Stopped(broken.to_owned()))
}

fn open_sources(
    files: &[PathBuf],
    streams: &mut Streams,
    bytes_read: &BytesRead,
) -> Result<Vec<Source>, CliError> {
    let mut sources = Vec::with_capacity(files.len());
    for path in files {
        let source = if path == Path::new("-") {
            let stdin = std::mem::replace(&mut streams.stdin, Box::new(std::io::empty()));
            Source::new("standard input".to_owned(), stdin, bytes_read)
        } else {
            Source::file(path, bytes_read)
        };
        sources
            .push(source.map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?);
    }
    Ok(sources)
}

fn read_mapping(path: &Path) -> Result<Mapping, CliError> {
    let refuse =
        |reason: &dyn std::fmt::Display| CliError::Usage(format!("{}: {reason}", path.display()));
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| refuse(&error))?;
    file.take(MAPPING_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| refuse(&error))?;
    if text.len() as u64 > MAPPING_BYTES_MAX {
        return Err(refuse(&"a mapping has at most 4 MiB"));
    }
    Mapping::parse(&text).map_err(|error| refuse(&error))
}

/// Proposes a mapping from the first file, which can be read from its beginning afterwards.
fn infer_mapping(
    arguments: &ImportArguments,
    sources: &mut [Source],
) -> Result<(String, Mapping), CliError> {
    let (Some(source), Some(path)) = (sources.first_mut(), arguments.files.first()) else {
        return Err(CliError::Usage("no file".to_owned()));
    };
    let refuse =
        |name: &str, reason: &dyn std::fmt::Display| CliError::Usage(format!("{name}: {reason}"));
    let (format, by_name) = form_of(arguments, path);
    let sample = source
        .peek(SAMPLE_BYTES)
        .map_err(|error| refuse(&source.name, &error))?;
    let sample = Sample::read(sample, format, arguments.delimiter.or(by_name))
        .map_err(|error| refuse(&source.name, &error))?;
    let text = propose(&sample).ok_or_else(|| {
        refuse(
            &source.name,
            &"no column looks like a key: write a mapping with key = \"…\"",
        )
    })?;
    let mapping = Mapping::parse(&text).map_err(|error| refuse(&source.name, &error))?;
    Ok((text, mapping))
}

fn form_of(arguments: &ImportArguments, path: &Path) -> (FileFormat, Option<u8>) {
    let by_name = FileFormat::of_name(&path.to_string_lossy());
    let format = arguments
        .format
        .or(by_name.map(|(format, _)| format))
        .unwrap_or(FileFormat::Csv);
    (format, by_name.and_then(|(_, delimiter)| delimiter))
}

/// Reads all headers, so that a file that does not fit is told before anything is sent.
fn open_inputs(
    arguments: &ImportArguments,
    mapping: &Mapping,
    plan: &Plan,
    sources: Vec<Source>,
) -> Result<Vec<Input>, CliError> {
    let mut inputs = Vec::with_capacity(sources.len());
    for (source, path) in sources.into_iter().zip(&arguments.files) {
        let (format, by_name) = form_of(arguments, path);
        let delimiter = arguments
            .delimiter
            .or(mapping.delimiter_byte())
            .or(by_name)
            .unwrap_or(b',');
        let name = source.name.clone();
        let records = Records::open(source, format, delimiter, plan.columns())
            .map_err(|error| CliError::Usage(format!("{name}: {error}")))?;
        inputs.push(Input { name, records });
    }
    Ok(inputs)
}

fn open_rejects(arguments: &ImportArguments) -> Result<Rejects, CliError> {
    let path = match (&arguments.rejects, arguments.files.first()) {
        (Some(path), _) => path.clone(),
        (None, Some(first)) if first != Path::new("-") => {
            let mut name = OsString::from(first);
            name.push(".rejects.csv");
            PathBuf::from(name)
        }
        (None, Some(_) | None) => PathBuf::from("stdin.rejects.csv"),
    };
    let told = path.display().to_string();
    Rejects::new(path).map_err(|error| CliError::Usage(format!("{told}: {error}")))
}

/// By bytes where all sizes are known.
fn progress(files: &[PathBuf], streams: &Streams) -> Progress {
    let sizes: Option<Vec<u64>> = files
        .iter()
        .map(|path| {
            fs::metadata(path)
                .ok()
                .filter(fs::Metadata::is_file)
                .map(|metadata| metadata.len())
        })
        .collect();
    match sizes {
        Some(sizes) => Progress::bytes(streams.terminal.stderr, sizes.iter().sum()),
        None => Progress::rows(streams.terminal.stderr),
    }
}

fn summary(totals: &Totals, elapsed: Duration, dry_run: bool) -> String {
    let seconds = elapsed.as_secs_f64();
    let rate = totals.rows as f64 / seconds.max(0.001);
    let mut text = format!("rows: {}\n", totals.rows);
    if dry_run {
        text.push_str("nothing was sent: a dry run\n");
    } else {
        text.push_str(&format!(
            "changes of users: {}\nchanges of facts: {}\n",
            totals.changes.users_changed, totals.changes.facts_changed
        ));
    }
    text.push_str(&format!("rejected: {}\n", totals.rejected));
    text.push_str(&format!("seconds: {seconds:.2} ({rate:.0} rows/s)\n"));
    text
}

#[cfg(test)]
mod tests;
