//! The server's configuration: one typed value, whatever it was read from.
//!
//! Knows every key, its default and its bounds. Does not know what the values do.
//! `docs/configuration.md` says the same to people.
//!
//! What is set by a flag beats what is set by the environment, that beats the file, and that the
//! defaults. See [`load`].

mod check;
mod clock;
mod describe;
pub mod keys;
pub mod load;
mod size;

use std::{num::NonZeroUsize, path::PathBuf, thread::available_parallelism};

use serde::{Deserialize, Serialize};
use tessera_engine::schema::{NameError, Naming};

pub use check::OutOfBounds;
pub use clock::ClockSetting;
pub use size::{ByteSize, ByteSizeError};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory of the store; created when it is not there.
    pub data_dir: PathBuf,
    /// Address and port to listen on; port 0 picks a free one.
    pub listen: String,
    /// Memory for cached bitmaps and columns.
    pub memory_bytes: ByteSize,
    /// Threads that evaluate queries.
    pub threads: usize,
    /// Parts the users are spread over. Matters only when the database is created.
    pub partitions: u16,
    /// What a write waits for.
    pub durability: Durability,
    /// How long requests under way may take when the server is told to stop.
    pub shutdown_grace_ms: u64,
    /// Where the time of day comes from.
    pub clock: ClockSetting,
    /// What is logged, and how.
    pub log: LogConfig,
    /// How labels are called, and how many there may be.
    pub labels: LabelsConfig,
    /// What clients may ask for.
    pub limits: LimitsConfig,
}

/// How labels are called, and how many there may be. Those that are there already stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelsConfig {
    /// What new names of tags and tag groups match: patterns with `|` between them, in which `*`
    /// is any run of characters; empty for any name.
    pub name_pattern: String,
    /// The longest new name of a tag, a tag group or an attribute, in characters.
    pub name_length_max: u32,
    /// The most tags.
    pub tags_max: u32,
    /// The most tag groups.
    pub groups_max: u32,
    /// The most attributes.
    pub attributes_max: u32,
    /// The most tags of one tag group.
    pub group_tags_max: u32,
}

/// What a write waits for before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// The disk has it: survives the loss of power.
    Fsync,
    /// The operating system has it: survives a crash of the server, not of the machine.
    OsBuffered,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// The least severe level shown, or directives such as `info,tessera_server=debug`.
    pub level: String,
    /// A request that takes longer is logged at level `warn`; 0 for never.
    pub slow_request_ms: u64,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for programs.
    Json,
}

/// What clients may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// The longest frame taken from a client, and the longest sent.
    pub frame_bytes_max: ByteSize,
    /// Connections at once.
    pub connections_max: u32,
    /// Requests under way at once on one connection.
    pub requests_in_flight_max: u32,
    /// Bytes of all requests under way, on all connections together.
    pub request_bytes_in_flight_max: ByteSize,
    /// Time a new connection has to say hello.
    pub handshake_timeout_ms: u64,
    /// Time a connection may lie without a request.
    pub idle_timeout_ms: u64,
    /// Time a request may take, whatever deadline it asks for.
    pub request_timeout_ms: u64,
    /// Time a client may leave an answer unread, or a stream without credit.
    pub stall_timeout_ms: u64,
    /// The longest text of a statement.
    pub statement_bytes_max: ByteSize,
    /// The deepest nesting of an expression.
    pub depth_max: u32,
    /// The most leaves of a statement's expressions.
    pub leaves_max: u32,
    /// The longest list between commas in a statement.
    pub list_len_max: u32,
    /// The most mutations of one write.
    pub mutations_max: u32,
    /// Statements that run at once.
    pub statements_running_max: u32,
    /// Writes that wait for the disk at once.
    pub writes_running_max: u32,
    /// Streams that may wait for their clients at once, beside those that run.
    pub streams_waiting_max: u32,
    /// The most rows of one message.
    pub message_rows_max: u32,
    /// The size at which a message of rows is sent, however few they are.
    pub message_bytes_max: ByteSize,
    /// Bytes of answers that wait for one connection's client.
    pub outgoing_bytes_max: ByteSize,
}

/// Long messages that are decoded at once: it takes no longer when the others wait, as decoding
/// waits for nothing but memory.
pub(crate) const DECODES_RUNNING_MAX: usize = 4;

/// The configuration before anything is set: all but the data directory, which has no default.
#[derive(Debug, Serialize)]
pub(crate) struct Defaults {
    listen: &'static str,
    memory_bytes: ByteSize,
    threads: usize,
    partitions: u16,
    durability: Durability,
    shutdown_grace_ms: u64,
    clock: ClockSetting,
    log: LogConfig,
    labels: LabelsConfig,
    limits: LimitsConfig,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7700",
            memory_bytes: ByteSize::mib(1024),
            threads: available_parallelism().map_or(1, NonZeroUsize::get),
            partitions: 16,
            durability: Durability::Fsync,
            shutdown_grace_ms: 30_000,
            clock: ClockSetting::System,
            log: LogConfig::default(),
            labels: LabelsConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".to_owned(),
            slow_request_ms: 1_000,
        }
    }
}

impl Default for LabelsConfig {
    fn default() -> Self {
        Self {
            name_pattern: String::new(),
            name_length_max: 256,
            tags_max: 1_000_000,
            groups_max: 65_536,
            attributes_max: 4_096,
            group_tags_max: 1_000_000,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            frame_bytes_max: ByteSize::mib(16),
            connections_max: 1_024,
            requests_in_flight_max: 64,
            request_bytes_in_flight_max: ByteSize::mib(256),
            handshake_timeout_ms: 5_000,
            idle_timeout_ms: 600_000,
            request_timeout_ms: 600_000,
            stall_timeout_ms: 60_000,
            statement_bytes_max: ByteSize::kib(256),
            depth_max: 100,
            leaves_max: 10_000,
            list_len_max: 10_000,
            mutations_max: 100_000,
            statements_running_max: 64,
            writes_running_max: 256,
            streams_waiting_max: 256,
            message_rows_max: 1_000,
            message_bytes_max: ByteSize::kib(256),
            outgoing_bytes_max: ByteSize::mib(1),
        }
    }
}

impl LabelsConfig {
    /// What is asked of new names.
    ///
    /// # Errors
    /// When one of the patterns cannot be one.
    pub fn naming(&self) -> Result<Naming, NameError> {
        Naming::new(&self.name_pattern, self.name_length_max)
    }
}

impl Config {
    /// Every key at its default, for a store in this directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let defaults = Defaults::default();
        Self {
            data_dir: data_dir.into(),
            listen: defaults.listen.to_owned(),
            memory_bytes: defaults.memory_bytes,
            threads: defaults.threads,
            partitions: defaults.partitions,
            durability: defaults.durability,
            shutdown_grace_ms: defaults.shutdown_grace_ms,
            clock: defaults.clock,
            log: defaults.log,
            labels: defaults.labels,
            limits: defaults.limits,
        }
    }

    /// Threads the runtime may block at once: one for each statement in the engine, those that
    /// wait for their clients included, those that decode, and some for opening, closing and
    /// looking up names.
    pub fn blocking_threads_max(&self) -> usize {
        let limits = &self.limits;
        let calls = [limits.statements_running_max, limits.streams_waiting_max];
        let calls = calls.iter().map(|&calls| calls as usize).sum::<usize>();
        calls + DECODES_RUNNING_MAX + 8
    }
}
