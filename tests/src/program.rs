//! The `tessera` program, run by a test as a script would run it.

use std::{
    ffi::OsStr,
    io::Write,
    net::SocketAddr,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::programs;

/// How a run of the program ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit status.
    pub status: i32,
    /// What it wrote to standard output.
    pub output: String,
    /// What it wrote to standard error.
    pub complaints: String,
}

impl Run {
    /// The run, when its exit status was 0.
    ///
    /// # Panics
    /// When it was another.
    pub fn well(self) -> Self {
        assert_eq!(
            self.status, 0,
            "standard error: {}\nstandard output: {}",
            self.complaints, self.output
        );
        self
    }
}

/// The program with arguments, against a server, without the environment's own settings.
pub fn command(server: SocketAddr, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(programs::client());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TESSERA_") {
            command.env_remove(name);
        }
    }
    command
        .env("TESSERA_CONNECT", server.to_string())
        .env("NO_COLOR", "1")
        .args(arguments);
    command
}

/// Runs the program to its end.
///
/// # Panics
/// When it cannot be run or writes what is not UTF-8.
pub fn run(server: SocketAddr, arguments: &[impl AsRef<OsStr>]) -> Run {
    run_with_input(server, arguments, b"")
}

/// As [`run`], with standard input.
///
/// # Panics
/// When it cannot be run or writes what is not UTF-8.
pub fn run_with_input(server: SocketAddr, arguments: &[impl AsRef<OsStr>], input: &[u8]) -> Run {
    let mut child = command(server, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut pipe = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A program that does not read its input closes the pipe: no concern of ours.
        pipe.write_all(&input).ok();
    });
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    Run {
        status: output.status.code().unwrap_or(-1),
        output: String::from_utf8(output.stdout).expect("UTF-8"),
        complaints: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Runs a statement and gives its rows in JSON.
///
/// # Panics
/// When the statement is refused or the answer is not JSON lines.
pub fn rows(server: SocketAddr, statement: &str) -> Vec<Value> {
    let run = run(server, &["exec", statement, "--format", "jsonl"]).well();
    run.output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}
