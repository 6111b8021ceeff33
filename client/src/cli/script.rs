//! Statements from arguments or from standard input, one after the other until one is refused.
//!
//! Knows where statements end. Does not know terminals.

use std::io::{BufRead, BufReader, Write};

use super::error::CliError;
use super::execute::{Execution, statements_of};
use super::output::{Format, SinkOptions};
use super::session::{Parameter, Session};
use super::streams::Streams;

use tessera_query_lang::split_statements;

/// A statement that is longer was never meant as one, in bytes.
const STATEMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Executes statements.
pub(crate) struct Script<'a> {
    /// The server.
    pub(crate) session: &'a Session,
    /// How answers are written.
    pub(crate) format: Format,
    /// Values for parameters.
    pub(crate) parameters: &'a [Parameter],
    /// Whether rows and times are told.
    pub(crate) timing: Timing,
}

/// Whether rows and times are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// They are.
    Told,
    /// They are not.
    Silent,
}

impl Script<'_> {
    /// Executes the statements of some texts.
    pub(crate) async fn run(
        &self,
        texts: &[String],
        streams: &mut Streams,
    ) -> Result<(), CliError> {
        for statement in texts.iter().flat_map(|text| statements_of(text)) {
            self.execute(statement, streams).await?;
        }
        Ok(())
    }

    /// Executes the statements of arguments, where none at all is a mistake.
    pub(crate) async fn run_arguments(
        &self,
        texts: &[String],
        streams: &mut Streams,
    ) -> Result<(), CliError> {
        let is_statement = |text: &&str| !text.trim().trim_end_matches(';').is_empty();
        if !texts
            .iter()
            .any(|text| statements_of(text).iter().any(is_statement))
        {
            return Err(CliError::Usage("there is no statement".to_owned()));
        }
        self.run(texts, streams).await
    }

    /// Executes the statements on standard input, each as soon as its `;` is there.
    pub(crate) async fn run_stdin(&self, streams: &mut Streams) -> Result<(), CliError> {
        let stdin = std::mem::replace(&mut streams.stdin, Box::new(std::io::empty()));
        let mut lines = BufReader::new(stdin);
        let mut text = String::new();
        while read_line(&mut lines, &mut text)? {
            if !text.trim_end().ends_with(';') {
                continue;
            }
            let split = split_statements(&text);
            for span in split.statements {
                self.execute(text.get(span.range()).unwrap_or_default(), streams)
                    .await?;
            }
            text.drain(..(split.rest.start as usize).min(text.len()));
        }
        self.run(&[text], streams).await
    }

    async fn execute(&self, statement: &str, streams: &mut Streams) -> Result<(), CliError> {
        let terminal = streams.terminal;
        let sink = SinkOptions {
            format: self.format,
            width: terminal.width(),
            colour: terminal.colour(),
        };
        let execution = Execution {
            parameters: self.parameters,
            sink,
            rows_max: None,
        };
        let done = execution
            .run(self.session, statement, &mut streams.stdout)
            .await?;
        for note in done.notes() {
            writeln!(streams.stderr, "{note}")?;
        }
        if self.timing == Timing::Told {
            writeln!(streams.stderr, "({})", done.timing())?;
        }
        Ok(())
    }
}

fn read_line(lines: &mut impl BufRead, text: &mut String) -> Result<bool, CliError> {
    let read = lines
        .read_line(text)
        .map_err(|error| CliError::Usage(format!("cannot read standard input: {error}")))?;
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(CliError::Usage(
            "a statement on standard input is longer than 16 MiB".to_owned(),
        ));
    }
    Ok(read > 0)
}
