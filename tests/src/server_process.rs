//! A real `tessera-server`, started and ended by a test.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::programs;

/// How long a server may take to start or to stop before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
    log: mpsc::Receiver<String>,
}

/// How a server that did not start ended.
#[derive(Debug)]
pub struct StartFailure {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it said on standard error.
    pub log: String,
}

impl ServerProcess {
    /// Starts a server on a directory, on a port that the system chooses.
    ///
    /// # Panics
    /// When the server does not start.
    pub fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[])
    }

    /// As [`Self::start`], with more flags.
    ///
    /// # Panics
    /// When the server does not start.
    pub fn start_with(data_dir: &Path, flags: &[&str]) -> Self {
        let mut command = command(data_dir);
        command.args(flags);
        Self::spawn(command)
            .unwrap_or_else(|failure| panic!("the server did not start: {}", failure.log))
    }

    /// Starts whatever the command says and waits for its address.
    ///
    /// # Errors
    /// The process ended before it was listening.
    pub fn spawn(mut command: Command) -> Result<Self, StartFailure> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server's program runs");
        let log = lines_of(child.stderr.take().expect("piped"));
        let output = lines_of(child.stdout.take().expect("piped"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            match output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(address) = line.strip_prefix("listening on ") {
                        let address = address.trim().parse().expect("an address");
                        return Ok(Self {
                            child,
                            address,
                            log,
                        });
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let status = child.wait().expect("the server ends");
                    return Err(StartFailure {
                        status,
                        log: log.iter().collect::<Vec<_>>().join("\n"),
                    });
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    child.kill().expect("a child can be killed");
                    panic!("the server is neither listening nor ended");
                }
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still there.
    ///
    /// # Panics
    /// When the system cannot tell.
    pub fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is not there any more.
    pub fn signal(&self, signal: Signal) {
        let process = i32::try_from(self.child.id()).expect("a process number");
        kill(Pid::from_raw(process), signal).expect("a child can be signalled");
    }

    /// Kills it on the spot, as a power cut would as far as a process can tell.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to stop, waits until it did, and gives what it said on standard error.
    ///
    /// # Panics
    /// When it does not stop in time.
    pub fn stop(self) -> (ExitStatus, String) {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut log = String::new();
        // Standard error ends with the process: no need to poll.
        loop {
            match self
                .log
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    log.push_str(&line);
                    log.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the server does not stop: {log}"),
            }
        }
        (self.child.wait().expect("the server ends"), log)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Already gone is what most tests leave behind.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The server's program on a directory and a port that the system chooses, without the
/// environment's own settings.
pub fn command(data_dir: &Path) -> Command {
    let mut command = bare_command();
    command
        .arg("--data-dir")
        .arg(data_dir)
        .args(["--listen", "127.0.0.1:0"]);
    command
}

/// The server's program without any flags and without the environment's own settings.
pub fn bare_command() -> Command {
    let mut command = Command::new(programs::server());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TESSERA_") {
            command.env_remove(name);
        }
    }
    command
}

fn lines_of(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Goes on reading when nobody listens, lest the process block on a full pipe.
            sender.send(line).ok();
        }
    });
    receiver
}
