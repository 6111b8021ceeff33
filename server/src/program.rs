//! What the `tessera-server` program does, from its arguments to its exit status.
//!
//! Knows the process: arguments, environment, signals, standard output. Standard output gets one
//! line, `listening on ADDR`, once connections are taken; everything else goes to standard error.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use tessera_engine::time::{Clock, FrozenClock, SystemClock};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    config::{
        ClockSetting, Config,
        load::{ConfigError, Invocation, load},
    },
    log::{self, LogError},
    server::{RunningServer, Server, StartError, StopError},
};

/// The exit status of a wrong configuration.
const STATUS_USAGE: u8 = 2;

/// The exit status of everything else that goes wrong.
const STATUS_FAILED: u8 = 1;

/// How long the process waits for threads that will not end.
const LAST_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum ProgramError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the configuration cannot be printed: {0}")]
    Print(#[from] toml::ser::Error),
    #[error("standard output cannot be written: {0}")]
    Output(io::Error),
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Stop(#[from] StopError),
    #[error("stopped at once by a second signal")]
    Impatience,
}

impl ProgramError {
    fn status(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Log(_) => STATUS_USAGE,
            Self::Print(_)
            | Self::Output(_)
            | Self::Runtime(_)
            | Self::Signals(_)
            | Self::Start(_)
            | Self::Stop(_)
            | Self::Impatience => STATUS_FAILED,
        }
    }
}

/// Runs the program to its end. `arguments` begin with the program's name.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    match invoke(arguments, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(ProgramError::Config(ConfigError::Usage(usage))) => {
            // Help and the version come this way too, with status 0 and on standard output.
            let _printed = usage.print();
            ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(STATUS_USAGE))
        }
        Err(error) => {
            eprintln!("tessera-server: {error}");
            ExitCode::from(error.status())
        }
    }
}

fn invoke(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), ProgramError> {
    match load(arguments, environment)? {
        Invocation::PrintConfig(config) => say(toml::to_string(&config)?.trim_end()),
        Invocation::Serve(config) => {
            log::set_up(&config.log)?;
            let runtime = runtime(&config)?;
            let outcome = runtime.block_on(serve(config));
            runtime.shutdown_timeout(LAST_WAIT);
            outcome
        }
    }
}

fn runtime(config: &Config) -> Result<Runtime, ProgramError> {
    Builder::new_multi_thread()
        .enable_all()
        .thread_name("session")
        .max_blocking_threads(config.blocking_threads_max())
        .build()
        .map_err(ProgramError::Runtime)
}

async fn serve(config: Config) -> Result<(), ProgramError> {
    // Before anybody can learn that the server runs, so that no signal is missed.
    let mut signals = Signals::new().map_err(ProgramError::Signals)?;
    let clock = clock(&config);
    let server = tokio::select! {
        server = Server::start(config, clock) => server?,
        // Nothing was answered yet, and the store needs no closing to be whole.
        () = signals.next() => return Ok(()),
    };
    say(&format!("listening on {}", server.addr()))?;
    signals.next().await;
    shut_down(server, &mut signals).await
}

fn clock(config: &Config) -> Arc<dyn Clock> {
    match config.clock {
        ClockSetting::System => Arc::new(SystemClock::new()),
        ClockSetting::StandsAt(micros) => {
            tracing::warn!(at = %config.clock, "the time of day stands still");
            Arc::new(FrozenClock::at_micros(micros))
        }
    }
}

async fn shut_down(server: RunningServer, signals: &mut Signals) -> Result<(), ProgramError> {
    tokio::select! {
        stopped = server.shutdown() => Ok(stopped?),
        () = signals.next() => Err(ProgramError::Impatience),
    }
}

fn say(text: &str) -> Result<(), ProgramError> {
    let mut output = io::stdout().lock();
    writeln!(output, "{text}")
        .and_then(|()| output.flush())
        .map_err(ProgramError::Output)
}

/// The signals that ask the program to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
