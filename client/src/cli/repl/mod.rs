//! The interactive session.
//!
//! Knows lines and what to do with them. Does not know how a line is edited ([`editor`]) or
//! completed ([`complete`]).

mod catalog;
mod command;
mod complete;
mod editor;
mod help;
mod history;
mod shell;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rustyline::error::ReadlineError;
use tokio::runtime::Runtime;

use self::catalog::Catalog;
use self::editor::Editor;
use self::shell::{Flow, Shell};
use super::error::CliError;
use super::output::Format;
use super::session::Session;
use super::streams::Streams;

/// Reads lines and does what they say until the person leaves.
pub(crate) fn run(
    session: Session,
    request_timeout: Duration,
    format: Format,
    runtime: &Runtime,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let colour = streams.terminal.colour();
    let catalog = Rc::new(RefCell::new(Catalog::new(
        session.clone(),
        runtime.handle().clone(),
    )));
    let mut editor = Editor::new(Rc::clone(&catalog), colour)
        .map_err(|error| CliError::Usage(format!("cannot read from the terminal: {error}")))?;
    let mut shell = Shell::new(session, request_timeout, format);
    shell.greet(runtime, streams)?;
    loop {
        match editor.read() {
            Ok(line) => {
                editor.remember(&line);
                if shell.line(&line, runtime, streams)? == Flow::Leave {
                    break;
                }
                catalog.borrow_mut().turn_to(shell.session());
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                return Err(CliError::Usage(format!(
                    "cannot read from the terminal: {error}"
                )));
            }
        }
    }
    Ok(())
}
