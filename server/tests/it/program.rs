//! The program itself: what it prints, its exit status, its signals.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::client::Client;

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera-server"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TESSERA_") {
            command.env_remove(name);
        }
    }
    command.args(flags);
    command
}

fn output(flags: &[&str]) -> Output {
    command(flags).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server that has said where it listens. Killed when dropped.
struct Process {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

impl Process {
    fn start(data_dir: &Path) -> Self {
        let mut command = command(&["--listen", "127.0.0.1:0", "--data-dir"]);
        command
            .arg(data_dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("listening on ")
            .unwrap()
            .trim_end()
            .parse()
            .unwrap();
        Self {
            child,
            output,
            address,
        }
    }

    fn signal(&self, signal: Signal) {
        kill(
            Pid::from_raw(i32::try_from(self.child.id()).unwrap()),
            signal,
        )
        .unwrap();
    }

    /// Waits for the end; its exit status, and what else it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

#[test]
fn a_wrong_configuration_is_said_and_ends_with_status_2() {
    for (flags, expected) in [
        (&["--data-dir", "d", "--threads", "none"][..], "--threads"),
        (&["--data-dir", "d", "--threads", "0"], "`threads` is 0"),
        (
            &["--data-dir", "d", "--log-level", "loud=!"],
            "`log.level` is `loud=!`",
        ),
        (&["--data-dir", "d", "--such", "1"], "--such"),
        (&[], "no data directory"),
    ] {
        let output = output(flags);
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let said = text(&output.stderr);
        assert!(said.contains(expected), "{said}");
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn help_version_and_configuration_are_printed() {
    for (flags, expected) in [
        (&["--help"][..], "--limits-frame-bytes-max <SIZE>"),
        (&["--version"], "tessera-server "),
        (&["--data-dir", "d", "--print-config"], "data_dir = \"d\""),
    ] {
        let output = output(flags);
        assert_eq!(output.status.code(), Some(0), "{flags:?}");
        let said = text(&output.stdout);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn an_address_that_is_not_to_be_had_is_said_and_ends_with_status_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = TempDir::new().unwrap();
    let directory = data.path().to_str().unwrap();
    let output = output(&["--data-dir", directory, "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!("cannot listen on {address}: ")),
        "{said}"
    );
}

#[tokio::test]
async fn a_signal_stops_it_in_order() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let data = TempDir::new().unwrap();
        let process = Process::start(data.path());
        let mut client = Client::connect(process.address).await;
        process.signal(signal);
        assert_eq!(client.receive_all().await.len(), 1);
        drop(client);
        assert_eq!(process.end(), (Some(0), String::new()));
    }
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let data = TempDir::new().unwrap();
    let first = Process::start(data.path());
    let directory = data.path().to_str().unwrap();
    let output = output(&["--data-dir", directory, "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    let expected = format!("the database in {directory} is in use by another server");
    assert!(said.contains(&expected), "{said}");
    first.signal(Signal::SIGTERM);
    assert_eq!(first.end().0, Some(0));
    // Now it is free.
    let second = Process::start(data.path());
    second.signal(Signal::SIGTERM);
    assert_eq!(second.end().0, Some(0));
}
