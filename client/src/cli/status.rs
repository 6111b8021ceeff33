//! `tessera status`: what the server says of itself.
//!
//! Knows one statement. Does not know what a server may say.

use super::error::CliError;
use super::execute::Execution;
use super::output::{Format, SinkOptions, printable};
use super::session::Session;
use super::streams::Streams;

const STATEMENT: &str = "SHOW STATUS";

/// Shows it.
pub(crate) async fn run(
    format: Format,
    session: &Session,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let agent = session.connect().await?;
    // Programs get the answer alone; people also who gives it.
    if format == Format::Table {
        writeln!(
            streams.stdout,
            "{} at {}",
            printable(&agent),
            session.address()
        )?;
    }
    let terminal = streams.terminal;
    let sink = SinkOptions {
        format,
        width: terminal.width(),
        colour: terminal.colour(),
    };
    let execution = Execution {
        parameters: &[],
        sink,
        rows_max: None,
    };
    let done = execution
        .run(session, STATEMENT, &mut streams.stdout)
        .await?;
    for note in done.notes() {
        writeln!(streams.stderr, "{note}")?;
    }
    Ok(())
}
