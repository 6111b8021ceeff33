//! What a result must say of where it comes from.
//!
//! Knows Linux's files about the machine, and git. What cannot be found out is said to be unknown.

use std::{fs, process::Command, thread};

use serde::{Deserialize, Serialize};

/// The machine and the program that were measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Hardware threads.
    pub threads: usize,
    /// All of its memory.
    pub memory_bytes: u64,
    /// The operating system.
    pub system: String,
    /// The commit of this program.
    pub commit: String,
    /// UTC, to the second.
    pub measured: String,
}

impl Machine {
    /// This one, now.
    pub fn this() -> Self {
        let processor = field("/proc/cpuinfo", "model name");
        Self {
            processor: processor.unwrap_or_else(unknown),
            threads: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes("/proc/meminfo", "MemTotal").unwrap_or(0),
            system: output("uname", &["-sr"]),
            commit: commit(),
            measured: output("date", &["-u", "+%Y-%m-%d %H:%M:%S"]),
        }
    }

    /// In a line for people.
    pub fn words(&self) -> String {
        format!(
            "{}, {} threads, {:.0} GiB of memory, {}; commit {}, {} UTC",
            self.processor,
            self.threads,
            self.memory_bytes as f64 / f64::from(1 << 30),
            self.system,
            self.commit,
            self.measured,
        )
    }
}

/// The commit, and whether files that belong to it were changed.
fn commit() -> String {
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    match changed.as_str() {
        "" | "unknown" => commit,
        _ => format!("{commit} with changes"),
    }
}

fn git(arguments: &[&str]) -> String {
    let here = ["-C", env!("CARGO_MANIFEST_DIR")];
    output("git", &[&here, arguments].concat())
}

fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(unknown, |output| {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        })
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// A number of kibibytes in one of Linux's files, in bytes.
pub fn kibibytes(path: &str, name: &str) -> Option<u64> {
    let value = field(path, name)?;
    let number: u64 = value.strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1_024)
}

/// The first value of this name in a file of lines `name: value`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}
