//! What a line does.
//!
//! Knows the state of a session: server, format, timing, the last statement. Does not know the
//! editor.

use std::io::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style};
use tessera_query_lang::ast::{Segment, Statement};
use tessera_query_lang::{Limits, parse_statement};
use tokio::runtime::Runtime;

use super::command::{self, Command, Switch};
use super::help;
use crate::cli::error::CliError;
use crate::cli::execute::{Done, Execution, statements_of};
use crate::cli::output::{Colour, Format, SinkOptions, printable};
use crate::cli::session::Session;
use crate::cli::streams::{Ends, Streams};

/// Users of a segment that are shown when nobody said how many: nobody reads more.
const PAGE_ROWS: u64 = 1_000;

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It does.
    Stay,
    /// The person leaves.
    Leave,
}

/// A session.
pub(crate) struct Shell {
    session: Session,
    request_timeout: Duration,
    format: Format,
    timing: Switch,
    last: Option<String>,
}

/// How a statement ended.
enum Ended {
    Done(Done),
    Cancelled,
}

impl Shell {
    /// A session with a server.
    pub(crate) fn new(session: Session, request_timeout: Duration, format: Format) -> Self {
        Self {
            session,
            request_timeout,
            format,
            timing: Switch::On,
            last: None,
        }
    }

    /// The server.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Says who answers. A server that is not there is no reason to leave: it may come.
    pub(crate) fn greet(&self, runtime: &Runtime, streams: &mut Streams) -> Result<(), CliError> {
        match runtime.block_on(self.session.connect()) {
            Ok(agent) => {
                let agent = printable(&agent);
                writeln!(streams.stdout, "{agent} at {}", self.session.address())?;
            }
            Err(error) => tell_error(&error, streams)?,
        }
        writeln!(streams.stdout, "\\help for help, Ctrl-D to leave")?;
        streams.stdout.flush()?;
        Ok(())
    }

    /// Does what a line says. Only what makes the session impossible is an error.
    pub(crate) fn line(
        &mut self,
        line: &str,
        runtime: &Runtime,
        streams: &mut Streams,
    ) -> Result<Flow, CliError> {
        if line.trim_start().starts_with('\\') {
            return match command::parse(line) {
                Ok(command) => self.command(command, runtime, streams),
                Err(reason) => {
                    tell_error(&CliError::Usage(reason), streams)?;
                    Ok(Flow::Stay)
                }
            };
        }
        for statement in statements_of(line) {
            self.last = Some(statement.to_owned());
            if !self.statement(statement, runtime, streams)? {
                break;
            }
        }
        Ok(Flow::Stay)
    }

    fn command(
        &mut self,
        command: Command,
        runtime: &Runtime,
        streams: &mut Streams,
    ) -> Result<Flow, CliError> {
        match command {
            Command::Quit => return Ok(Flow::Leave),
            Command::Help(topic) => writeln!(streams.stdout, "{}", help::text(topic.as_deref()))?,
            Command::Timing(switch) => {
                self.timing = switch.unwrap_or(match self.timing {
                    Switch::On => Switch::Off,
                    Switch::Off => Switch::On,
                });
                let told = if self.timing == Switch::On {
                    "on"
                } else {
                    "off"
                };
                writeln!(streams.stdout, "timing is {told}")?;
            }
            Command::Format(format) => {
                self.format = format.unwrap_or(self.format);
                writeln!(streams.stdout, "the format is {}", self.format.name())?;
            }
            Command::Connect(address) => {
                self.session = Session::new(&address, self.request_timeout);
                self.greet(runtime, streams)?;
            }
            Command::Statement(statement) => {
                self.statement(&statement, runtime, streams)?;
            }
            Command::Watch(pause, statement) => match statement.or_else(|| self.last.clone()) {
                Some(statement) => self.watch(pause, &statement, runtime, streams)?,
                None => tell_error(
                    &CliError::Usage("there is no statement to watch yet".to_owned()),
                    streams,
                )?,
            },
        }
        streams.stdout.flush()?;
        Ok(Flow::Stay)
    }

    /// Executes a statement; whether it went well.
    fn statement(
        &self,
        statement: &str,
        runtime: &Runtime,
        streams: &mut Streams,
    ) -> Result<bool, CliError> {
        let ended = runtime.block_on(self.execute(statement, streams));
        match ended {
            Ok(Ended::Done(done)) => {
                self.tell(&done, streams)?;
                Ok(true)
            }
            Ok(Ended::Cancelled) => {
                writeln!(streams.stdout, "cancelled")?;
                streams.stdout.flush()?;
                Ok(false)
            }
            Err(error) => {
                tell_error(&error, streams)?;
                Ok(false)
            }
        }
    }

    /// Ctrl-C drops the answer, which cancels the statement on the server.
    async fn execute(&self, statement: &str, streams: &mut Streams) -> Result<Ended, CliError> {
        let execution = self.execution(statement, streams);
        tokio::select! {
            done = execution.run(&self.session, statement, &mut streams.stdout) => Ok(Ended::Done(done?)),
            _ = tokio::signal::ctrl_c() => Ok(Ended::Cancelled),
        }
    }

    fn execution(&self, statement: &str, streams: &Streams) -> Execution<'static> {
        let terminal = streams.terminal;
        let is_read = terminal.stdout == Ends::InTerminal && self.format == Format::Table;
        let rows_max = (is_read && is_unlimited_segment(statement)).then_some(PAGE_ROWS);
        let sink = SinkOptions {
            format: self.format,
            width: terminal.width(),
            colour: terminal.colour(),
        };
        Execution {
            parameters: &[],
            sink,
            rows_max,
        }
    }

    fn tell(&self, done: &Done, streams: &mut Streams) -> Result<(), CliError> {
        let dim = Style::new().effects(Effects::DIMMED);
        for note in done.notes() {
            writeln!(streams.stdout, "{}", painted(&note, dim, streams))?;
        }
        if self.timing == Switch::On {
            let timing = format!("({})", done.timing());
            writeln!(streams.stdout, "{}", painted(&timing, dim, streams))?;
        }
        streams.stdout.flush()?;
        Ok(())
    }

    /// Repeats a statement until Ctrl-C or an error.
    fn watch(
        &self,
        pause: Duration,
        statement: &str,
        runtime: &Runtime,
        streams: &mut Streams,
    ) -> Result<(), CliError> {
        loop {
            let told = painted(
                &format!("every {} s: {statement}", pause.as_secs_f64()),
                Style::new().effects(Effects::BOLD),
                streams,
            );
            writeln!(streams.stdout, "{told}")?;
            if !self.statement(statement, runtime, streams)? {
                return Ok(());
            }
            let interrupted = runtime.block_on(async {
                tokio::select! {
                    () = tokio::time::sleep(pause) => false,
                    _ = tokio::signal::ctrl_c() => true,
                }
            });
            if interrupted {
                return Ok(());
            }
        }
    }
}

/// A segment of which the person did not say how many users to show.
fn is_unlimited_segment(statement: &str) -> bool {
    match parse_statement(statement, &Limits::default()) {
        Ok(Statement::Segment(Segment { limit, .. })) => limit.is_none(),
        Ok(_) | Err(_) => false,
    }
}

fn tell_error(error: &CliError, streams: &mut Streams) -> Result<(), CliError> {
    // Answers come before the error that follows them.
    streams.stdout.flush()?;
    let word = painted(
        "error:",
        AnsiColor::Red.on_default().effects(Effects::BOLD),
        streams,
    );
    writeln!(streams.stderr, "{word} {}", error.told())?;
    Ok(())
}

fn painted(text: &str, style: Style, streams: &Streams) -> String {
    match streams.terminal.colour() {
        Colour::On => format!("{}{text}{}", style.render(), style.render_reset()),
        Colour::Off => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segments_without_a_limit_are_paged() {
        let check =
            |text: &str, expected: bool| assert_eq!(is_unlimited_segment(text), expected, "{text}");
        check("SEGMENT ALL", true);
        check("segment tag:vip return age;", true);
        check("SEGMENT ALL LIMIT 5000", false);
        check("COUNT ALL", false);
        check("SEGMENT", false);
    }
}
