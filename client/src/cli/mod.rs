//! The `tessera` program: an interactive session and one-shot commands.
//!
//! Knows people and scripts, files and terminals. Everything it knows of the server it knows
//! through the client library; of the language, only what helps to type it.

mod args;
mod error;
mod execute;
mod export;
mod import;
mod output;
mod params;
mod progress;
mod repl;
mod script;
mod session;
mod status;
mod streams;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use streams::{Colours, Ends, Streams, Terminal};

use args::{Arguments, Command, tell_comments_from_flags};
use error::{CliError, EXIT_OK, EXIT_USAGE};
use output::Format;
use params::read_parameters;
use script::{Script, Timing};
use session::Session;

/// Threads that keep connections going while the main thread reads, parses or waits for keys.
const WORKER_THREADS: usize = 2;

/// The program, on the arguments and streams of the process.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os(), &mut Streams::of_process()))
}

/// The program: what it is told (the first argument is its own name), on which streams. Gives
/// the exit status: 0 done, 1 refused, 2 wrong usage, 3 no connection.
pub fn run(arguments: impl IntoIterator<Item = OsString>, streams: &mut Streams) -> u8 {
    let arguments = arguments.into_iter().map(tell_comments_from_flags);
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return tell_usage(&error, streams),
    };
    let status = match dispatch(&arguments, streams) {
        Ok(()) => EXIT_OK,
        Err(error) => {
            let status = error.status();
            if !error.is_silent() {
                // There is nowhere left to tell it if this fails.
                let _ = writeln!(streams.stderr, "error: {}", error.told());
            }
            status
        }
    };
    let _ = streams.stdout.flush();
    status
}

fn tell_usage(error: &clap::Error, streams: &mut Streams) -> u8 {
    let text = error.render();
    // Help and version are answers, not errors.
    let told = match error.use_stderr() {
        true => writeln!(streams.stderr, "{text}"),
        false => writeln!(streams.stdout, "{text}").and_then(|()| streams.stdout.flush()),
    };
    match (error.use_stderr(), told) {
        (false, Ok(())) => EXIT_OK,
        (true, _) | (_, Err(_)) => EXIT_USAGE,
    }
}

/// People want to know; programs that read another form must ask for it.
fn timing(arguments: &Arguments, format: Format) -> Timing {
    if arguments.timing || format == Format::Table {
        Timing::Told
    } else {
        Timing::Silent
    }
}

fn dispatch(arguments: &Arguments, streams: &mut Streams) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .map_err(|error| CliError::Usage(format!("cannot start threads: {error}")))?;
    let session = Session::new(&arguments.connect, arguments.timeout);
    match &arguments.command {
        Some(Command::Status(status)) => {
            runtime.block_on(status::run(status.format, &session, streams))
        }
        Some(Command::Export(export)) => runtime.block_on(export::run(export, &session, streams)),
        Some(Command::Import(import)) => runtime.block_on(import::run(import, &session, streams)),
        Some(Command::Exec(exec)) => {
            let parameters = read_parameters(&exec.parameters)?;
            let script = Script {
                session: &session,
                format: exec.format,
                parameters: &parameters,
                timing: timing(arguments, exec.format),
            };
            runtime.block_on(script.run_arguments(&exec.statements, streams))
        }
        None if streams.terminal.stdin == Ends::InTerminal => repl::run(
            session,
            arguments.timeout,
            arguments.format,
            &runtime,
            streams,
        ),
        None => {
            let format: Format = arguments.format;
            let script = Script {
                session: &session,
                format,
                parameters: &[],
                timing: timing(arguments, format),
            };
            runtime.block_on(script.run_stdin(streams))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// Status, standard output and standard error.
    fn tessera(arguments: &[&str], stdin: &'static str) -> (u8, String, String) {
        let (out, err) = (Shared::default(), Shared::default());
        let mut streams = Streams {
            stdin: Box::new(stdin.as_bytes()),
            stdout: Box::new(out.clone()),
            stderr: Box::new(err.clone()),
            terminal: Terminal::default(),
        };
        let arguments = std::iter::once("tessera")
            .chain(arguments.iter().copied())
            .map(OsString::from);
        let status = run(arguments, &mut streams);
        (status, out.text(), err.text())
    }

    /// A port of this machine on which nobody listens.
    fn nobody() -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    }

    #[test]
    fn usage_has_its_status() {
        assert_eq!(tessera(&["--help"], "").0, 0);
        assert!(tessera(&["--version"], "").1.starts_with("tessera "));
        let (status, _, err) = tessera(&["exec"], "");
        assert_eq!(status, 2);
        assert!(err.contains("STATEMENT"), "{err}");
        assert_eq!(tessera(&["exec", "COUNT ALL", "-p", "x"], "").0, 2);
        let (status, _, err) = tessera(&["exec", "", " ; "], "");
        assert_eq!(
            (status, err.as_str()),
            (2, "error: there is no statement\n")
        );
        let (status, _, err) = tessera(&["--connect", "foo", "status"], "");
        assert_eq!(status, 2);
        assert!(err.contains("expected HOST:PORT"), "{err}");
    }

    #[test]
    fn a_server_that_is_not_there_has_its_status() {
        let address = nobody();
        for arguments in [
            vec!["status"],
            vec!["exec", "COUNT ALL"],
            vec!["exec", "-- all of them\nCOUNT ALL"],
            vec!["export", "SEGMENT ALL", "--to", "-"],
        ] {
            let arguments = [vec!["--connect", &address], arguments].concat();
            let (status, _, err) = tessera(&arguments, "");
            assert_eq!(status, 3, "{arguments:?}: {err}");
            assert!(err.starts_with("error: cannot connect to"), "{err}");
        }
        assert_eq!(tessera(&["--connect", &address], "COUNT ALL;\n").0, 3);
        assert_eq!(tessera(&["--connect", &address], "\n").0, 0);
    }

    #[test]
    fn a_dry_import_needs_no_server() {
        let folder = tempfile::tempdir().unwrap();
        let (data, rejects) = (folder.path().join("a.csv"), folder.path().join("r.csv"));
        std::fs::write(&data, "id,age,late\n1,20,1\n2,x,0\n3\n4,30,0\n").unwrap();
        let (data, rejects) = (data.to_str().unwrap(), rejects.to_str().unwrap());
        let (status, out, err) = tessera(&["import", data, "--infer"], "");
        assert_eq!((status, err.as_str()), (0, ""));
        let mapping = folder.path().join("m.toml");
        std::fs::write(
            &mapping,
            out.replace("\"text\"", "\"integer\"")
                .replace("\"enum\"", "\"integer\""),
        )
        .unwrap();
        let mapping = mapping.to_str().unwrap();
        let arguments = [
            "import",
            data,
            "--mapping",
            mapping,
            "--dry-run",
            "--rejects",
            rejects,
        ];
        let (status, out, err) = tessera(&arguments, "");
        assert_eq!(status, 0, "{err}");
        assert!(
            out.contains("rows: 4\n") && out.contains("rejected: 2\n"),
            "{out}"
        );
        assert!(
            err.contains("a.csv, line 3, column 2 (age): \"x\" is not a whole number"),
            "{err}"
        );
        assert!(
            err.contains("a.csv, line 4: has 1 field, the header has 3 fields"),
            "{err}"
        );
        assert_eq!(std::fs::read_to_string(rejects).unwrap().lines().count(), 3);
        let (status, _, err) = tessera(&[arguments.as_slice(), &["--strict"]].concat(), "");
        assert_eq!(status, 1);
        assert!(err.contains("stopped at the first bad row"), "{err}");
    }

    #[test]
    fn standard_input_is_inferred_and_read_once() {
        let (status, out, err) = tessera(
            &["import", "-", "--infer", "--yes", "--dry-run"],
            "id,x\n1,a\n2,b\n3,c\n",
        );
        assert_eq!(status, 0, "{err}");
        assert!(out.contains("rows: 3\n"), "{out}");
    }

    #[test]
    fn an_import_that_cannot_begin_is_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        let mapping = folder.path().join("m.toml");
        std::fs::write(&mapping, "key = \"id\"\n").unwrap();
        let mapping = mapping.to_str().unwrap();
        let (status, _, err) = tessera(&["import", "/no/such/file.csv", "--mapping", mapping], "");
        assert_eq!(status, 2, "{err}");
        let (status, _, err) = tessera(&["import", "-", "--mapping", mapping], "key,x\n1,a\n");
        assert_eq!(status, 2);
        assert!(err.contains("the file has no column \"id\""), "{err}");
        std::fs::write(mapping, "keys = 1\n").unwrap();
        let (status, _, err) = tessera(&["import", "-", "--mapping", mapping], "");
        assert_eq!(status, 2);
        assert!(err.contains("unknown field `keys`"), "{err}");
    }
}
