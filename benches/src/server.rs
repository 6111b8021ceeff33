//! A server of our own, and the importer.
//!
//! Knows processes. Does not know what they are asked.

use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::machine::kibibytes;

/// How long the server must rest to count as settled.
const REST: Duration = Duration::from_secs(5);
/// How long that may take.
const SETTLE_MAX: Duration = Duration::from_secs(3_600);
/// Processor time in a second that a server at rest may need, in the system's ticks.
const IDLE_TICKS: u64 = 2;

/// A running server, stopped when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: String,
}

impl ServerProcess {
    /// Starts one on this directory, with so much memory for its caches.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(data_dir: &Path, memory_bytes: u64) -> Result<Self> {
        Self::spawn(command(data_dir, memory_bytes)?)
    }

    /// Starts one for which it is this moment, in the form of RFC 3339, from its start to its end.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_at(data_dir: &Path, memory_bytes: u64, moment: &str) -> Result<Self> {
        let mut command = command(data_dir, memory_bytes)?;
        command.args(["--clock", moment]);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut server = Self {
            child,
            address: String::new(),
        };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        line.trim()
            .strip_prefix("listening on ")
            .context("the server did not start")?
            .clone_into(&mut server.address);
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its resident memory without pages of files, which the system may take back at any time.
    pub fn resident_bytes(&self) -> Option<u64> {
        kibibytes(&format!("/proc/{}/status", self.child.id()), "RssAnon")
    }

    /// Waits until it has nothing to do any more: until it has needed no processor time worth
    /// speaking of for some seconds. How long it went on after the call.
    ///
    /// The peers' tables are merged before they are asked, too.
    ///
    /// # Errors
    /// When it never rests, or its processor time cannot be read.
    pub fn settle(&self) -> Result<Duration> {
        let start = Instant::now();
        let mut rested_since = start;
        let mut used = self.processor_ticks()?;
        while rested_since.elapsed() < REST {
            ensure!(start.elapsed() < SETTLE_MAX, "the server never rests");
            thread::sleep(Duration::from_secs(1));
            let now = self.processor_ticks()?;
            if now.saturating_sub(used) > IDLE_TICKS {
                rested_since = Instant::now();
            }
            used = now;
        }
        Ok(rested_since - start)
    }

    /// Processor time of all its threads, in the system's ticks (usually 100 a second).
    fn processor_ticks(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name in brackets, which may hold spaces: user and system time are the 14th
        // and 15th field of proc_pid_stat(5).
        let (_, fields) = stat.rsplit_once(')').context("no process name")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut next = || -> Result<u64> {
            let field = fields.next().context("no processor time")?;
            Ok(field.parse()?)
        };
        Ok(next()? + next()?)
    }

    /// Stops it as an operator would, and waits until it is gone.
    ///
    /// # Errors
    /// When it fails on its way out.
    pub fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).context("the server has no process number")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).context("cannot stop the server")?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // After `stop` it is gone already; otherwise something failed, and there is nothing to
        // lose by being quick.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(data_dir: &Path, memory_bytes: u64) -> Result<Command> {
    let mut command = Command::new(sibling("tessera-server")?);
    command
        // A slow load is in the report, not worth a warning for every batch.
        .args(["--log-level", "warn", "--log-slow-request-ms", "0"])
        .args(["--listen", "127.0.0.1:0", "--memory-bytes"])
        .arg(memory_bytes.to_string())
        .arg("--data-dir")
        .arg(data_dir);
    Ok(command)
}

/// Loads a file by the program that users load files with; the time from start to end.
///
/// # Errors
/// When a row is refused, or the importer cannot be started.
pub fn import(address: &str, csv: &Path) -> Result<Duration> {
    let start = Instant::now();
    let status = Command::new(sibling("tessera")?)
        .args(["--connect", address, "import", "--strict", "--mapping"])
        .arg(csv.with_extension("toml"))
        .arg(csv)
        // The summary is the program's answer; ours is the report.
        .stdout(Stdio::null())
        .status()
        .context("cannot start the importer")?;
    ensure!(status.success(), "the import failed");
    Ok(start.elapsed())
}

/// Bytes of all files in a directory and those below it.
///
/// # Errors
/// When it cannot be read.
pub fn directory_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(data) if data.is_dir() => directory_bytes(&entry.path())?,
            Ok(data) => data.len(),
            // The server merges files meanwhile, and deletes those it merged.
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(bytes)
}

fn sibling(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is not built", path.display());
    Ok(path)
}
