//! Rows on their way to the server, and what becomes of them.
//!
//! Knows the bulk writer; the reject file is in `refusals`. Does not know the files' form.

mod refusals;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::mpsc;

use super::columns::{RawRows, RowsBatch};
use super::define::{define_event, define_tag};
use super::events::EventsBatch;
use super::mapping::{Mapping, UnknownUsers};
use super::pending::{FoundRow, Pending};
use super::plan::Form;
use super::read::Item;
use super::rejects::Rejects;
use super::source::BytesRead;
use crate::bulk::{BulkReport, BulkTotals, Flush, Refusal};
use crate::cli::error::CliError;
use crate::cli::output::printable;
use crate::cli::progress::Progress;
use crate::cli::session::{BulkOptions, BulkWriter, Session, UnknownTags};
use crate::{LoadColumn, LoadRows};

/// Bytes of rows that are under way, about, for each lane of the bulk writer.
const ROWS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Batches of events that are under way.
const EVENT_LANES: usize = 6;

/// What to do about a bad row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Goes on.
    Lenient,
    /// Stops.
    Strict,
}

/// What became of the rows.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Rows read, the bad ones included.
    pub(crate) rows: u64,
    /// Rows that could not be read, or that the server refused.
    pub(crate) rejected: u64,
    /// What the server did; none of it in a dry run.
    pub(crate) changes: BulkTotals,
}

/// Sends rows.
pub(crate) struct Sending<'a> {
    mapping: &'a Mapping,
    /// Names of the files.
    files: Vec<String>,
    strictness: Strictness,
    rejects: Rejects,
    progress: Progress,
    bytes_read: BytesRead,
    stderr: &'a mut (dyn Write + Send),
    server: Option<Server>,
    pending: Pending,
    /// Ends when the first half of what is kept is answered, which was given before this place.
    flushing: Option<(u64, Flush)>,
    /// Tags that rows name and that cannot be theirs, and why.
    foreign_tags: BTreeMap<String, String>,
    totals: Totals,
}

/// The way to the server; a dry run has none.
struct Server {
    session: Session,
    writer: BulkWriter,
    refusals: Receiver<Refusal>,
}

/// Why sending stops.
enum Stop {
    /// A bad row, and bad rows are not to be: what came before it is still sent.
    BadRow(String),
    /// The server refused a row, and bad rows are not to be: nothing more is sent.
    RefusedRow(String),
    /// The bulk writer has stopped: its report says why.
    Writer,
    /// Anything else: what came before it is still sent.
    Other(CliError),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Other(CliError::Stopped(format!(
            "cannot write the reject file: {error}"
        )))
    }
}

/// What [`Sending`] is made of.
pub(crate) struct SendingParts<'a> {
    /// The mapping.
    pub(crate) mapping: &'a Mapping,
    /// Names of the files.
    pub(crate) files: Vec<String>,
    /// What to do about a bad row.
    pub(crate) strictness: Strictness,
    /// Where bad rows go.
    pub(crate) rejects: Rejects,
    /// Shows how far it is.
    pub(crate) progress: Progress,
    /// How far the files are read.
    pub(crate) bytes_read: BytesRead,
    /// Where bad rows are told.
    pub(crate) stderr: &'a mut (dyn Write + Send),
}

impl<'a> Sending<'a> {
    /// Checks rows without a server.
    pub(crate) fn dry(parts: SendingParts<'a>) -> Self {
        let SendingParts {
            mapping,
            files,
            strictness,
            rejects,
            progress,
            bytes_read,
            stderr,
        } = parts;
        Self {
            mapping,
            files,
            strictness,
            rejects,
            progress,
            bytes_read,
            stderr,
            server: None,
            pending: Pending::default(),
            flushing: None,
            foreign_tags: BTreeMap::new(),
            totals: Totals::default(),
        }
    }

    /// Sends rows in batches of so many changes. Must be called within the runtime.
    pub(crate) fn to_server(
        parts: SendingParts<'a>,
        session: &Session,
        batch: Option<usize>,
        form: Form,
    ) -> Self {
        let (sender, refusals): (Sender<Refusal>, _) = channel();
        let defaults = BulkOptions {
            unknown_tags: UnknownTags::Define,
            ..BulkOptions::default()
        };
        let defaults = match form {
            // The server applies at once what has come meanwhile: the more, the quicker.
            Form::Events => BulkOptions {
                lanes: EVENT_LANES,
                batch_bytes_max: ROWS_BYTES_MAX,
                unknown_users: match parts.mapping.unknown_users() {
                    UnknownUsers::Create => crate::UnknownUsers::Create,
                    UnknownUsers::Refuse => crate::UnknownUsers::Refuse,
                },
                ..defaults
            },
            // One that is decoded while the other is applied.
            Form::Users => BulkOptions {
                lanes: 2,
                batch_bytes_max: ROWS_BYTES_MAX,
                ..defaults
            },
        };
        let options = BulkOptions {
            batch_mutations_max: batch.unwrap_or(defaults.batch_mutations_max),
            ..defaults
        };
        // The receiver is gone only when the import has stopped.
        let tell = move |refusal| drop(sender.send(refusal));
        let writer = session.client().bulk_with(&options, tell);
        Self {
            server: Some(Server {
                session: session.clone(),
                writer,
                refusals,
            }),
            ..Self::dry(parts)
        }
    }

    /// Takes everything that comes from the files, and says what became of it.
    pub(crate) async fn run(
        mut self,
        mut chunks: mpsc::Receiver<Vec<Item>>,
    ) -> Result<Totals, CliError> {
        let mut outcome = Ok(());
        while let (Ok(()), Some(chunk)) = (&outcome, chunks.recv().await) {
            outcome = self.take(chunk).await;
            self.progress.set_rows(self.totals.rows);
            self.progress.set_bytes(self.bytes_read.count());
        }
        drop(chunks);
        self.finish(outcome).await
    }

    async fn take(&mut self, chunk: Vec<Item>) -> Result<(), Stop> {
        for item in chunk {
            match item {
                Item::Failed(reason) => return Err(Stop::Other(CliError::Stopped(reason))),
                Item::Rows(batch) => {
                    self.totals.rows += batch.rows.len() as u64;
                    self.send_rows(batch).await?;
                }
                Item::Events(batch) => {
                    self.totals.rows += batch.rows.len() as u64;
                    self.send_events(batch).await?;
                }
                Item::Bad(reject) => {
                    self.totals.rows += 1;
                    self.reject(&reject)?;
                    if self.strictness == Strictness::Strict {
                        return Err(Stop::BadRow(reject.told()));
                    }
                }
            }
        }
        self.take_refusals()
    }

    async fn send_rows(&mut self, mut batch: RowsBatch) -> Result<(), Stop> {
        if self.server.is_none() {
            return Ok(());
        }
        self.define_tags(std::mem::take(&mut batch.definitions))
            .await?;
        let foreign = self.foreign_rows_of(&batch.rows);
        if foreign.is_empty() {
            return self.push_rows(batch.rows, batch.records).await;
        }
        let is_foreign = |row: u32| foreign.iter().any(|(foreign, _)| *foreign == row);
        let last = match (self.strictness, foreign.first()) {
            (Strictness::Strict, Some((first, _))) => *first,
            (Strictness::Strict | Strictness::Lenient, _) => batch.rows.len() as u32,
        };
        let good: Vec<u32> = (0..last).filter(|row| !is_foreign(*row)).collect();
        let records = batch.records.select(&good);
        self.push_rows(batch.rows.select(&good), records).await?;
        for (row, reason) in foreign {
            if let Some((line, record)) = batch.records.row(row as usize) {
                let row = FoundRow {
                    file: batch.records.file,
                    line,
                    record: record.to_vec(),
                };
                self.refuse(row, reason)?;
            }
        }
        Ok(())
    }

    async fn push_rows(&mut self, rows: LoadRows, records: RawRows) -> Result<(), Stop> {
        self.forget_answered().await?;
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let places = server
            .writer
            .push_rows(rows)
            .await
            .map_err(|_| Stop::Writer)?;
        self.pending.keep_batch(places.start, records);
        Ok(())
    }

    async fn send_events(&mut self, batch: EventsBatch) -> Result<(), Stop> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        for (rule, kind) in &batch.definitions {
            if let Some(rule) = self.mapping.events.get(*rule) {
                let defined = define_event(rule, kind, &server.session).await;
                defined.map_err(Stop::Other)?;
            }
        }
        self.forget_answered().await?;
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let places = server.writer.push_events(batch.rows).await;
        let places = places.map_err(|_| Stop::Writer)?;
        self.pending.keep_batch(places.start, batch.records);
        Ok(())
    }

    /// Rows that give a tag that cannot be theirs, and why.
    fn foreign_rows_of(&self, rows: &LoadRows) -> Vec<(u32, String)> {
        let mut found = Vec::new();
        if self.foreign_tags.is_empty() {
            return found;
        }
        for column in &rows.columns {
            let (LoadColumn::Tags { names, ends, codes }
            | LoadColumn::Holdings {
                names, ends, codes, ..
            }) = column
            else {
                continue;
            };
            let reasons: Vec<Option<&String>> = names
                .iter()
                .map(|name| self.foreign_tags.get(name))
                .collect();
            if reasons.iter().all(Option::is_none) {
                continue;
            }
            let mut start = 0;
            for (row, end) in ends.iter().enumerate() {
                let tags = codes.get(start..*end as usize).unwrap_or_default();
                start = *end as usize;
                let reason = |code: &u32| reasons.get(*code as usize).copied().flatten();
                found.extend(
                    tags.iter()
                        .find_map(reason)
                        .map(|reason| (row as u32, reason.clone())),
                );
            }
        }
        found
    }

    /// Defines all of them, also when one belongs elsewhere: no later row asks for them again.
    async fn define_tags(&mut self, definitions: Vec<(usize, String)>) -> Result<(), Stop> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        for (rule, tag) in definitions {
            let Some(rule) = self.mapping.tags.get(rule) else {
                continue;
            };
            let foreign = define_tag(rule, &tag, &server.session)
                .await
                .map_err(Stop::Other)?;
            if let Some(reason) = foreign {
                self.foreign_tags.insert(tag, reason);
            }
        }
        Ok(())
    }

    /// When too much is kept: waits until the first half of it is answered, and lets it go.
    async fn forget_answered(&mut self) -> Result<(), Stop> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        if self.flushing.is_none() && self.pending.is_half_full() {
            let before = server.writer.totals().given;
            self.flushing = Some((before, server.writer.begin_flush().await));
        }
        if !self.pending.is_full() {
            return Ok(());
        }
        if let Some((before, flush)) = self.flushing.take() {
            flush.ended().await.map_err(|_| Stop::Writer)?;
            self.take_refusals()?;
            self.pending.clear_before(before);
        }
        Ok(())
    }

    async fn finish(mut self, outcome: Result<(), Stop>) -> Result<Totals, CliError> {
        let stop = match outcome {
            Ok(()) => None,
            // Dropped without `finish`, the writer abandons what it has.
            Err(Stop::RefusedRow(reason)) => {
                self.server = None;
                Some(stopped_at(&reason))
            }
            Err(Stop::BadRow(reason)) => Some(stopped_at(&reason)),
            Err(Stop::Other(error)) => Some(error),
            Err(Stop::Writer) => None,
        };
        let failed = self.finish_writer().await;
        self.progress.clear();
        if let Some(path) = self
            .rejects
            .finish()
            .map_err(|error| CliError::Stopped(error.to_string()))?
        {
            writeln!(
                self.stderr,
                "bad rows are in {}",
                printable(&path.to_string_lossy())
            )?;
        }
        match failed.or(stop) {
            Some(error) => Err(error),
            None => Ok(self.totals),
        }
    }

    /// Waits for everything that was given to the writer.
    async fn finish_writer(&mut self) -> Option<CliError> {
        let Server {
            writer,
            refusals,
            session: _,
        } = self.server.take()?;
        let BulkReport {
            totals, failures, ..
        } = writer.finish().await;
        self.totals.changes = totals;
        let mut first_refused = None;
        for refusal in refusals.try_iter() {
            let reject = self.reject_of(&refusal);
            if let Err(Stop::Other(error)) = self.reject(&reject) {
                return Some(error);
            }
            first_refused.get_or_insert_with(|| reject.told());
        }
        if let (Strictness::Strict, Some(reason)) = (self.strictness, &first_refused) {
            return Some(stopped_at(reason));
        }
        let first = failures.first()?;
        let cause = CliError::of_request(&first.error);
        let told = format!(
            "the import stopped: {cause}; {} changes were applied, and importing again does no harm",
            totals.applied
        );
        Some(match cause {
            CliError::Connection(_) => CliError::Connection(told),
            CliError::Refused { .. }
            | CliError::Stopped(_)
            | CliError::Usage(_)
            | CliError::Output(_) => CliError::Stopped(told),
        })
    }
}

fn stopped_at(bad_row: &str) -> CliError {
    CliError::Stopped(format!("stopped at the first bad row: {bad_row}"))
}
