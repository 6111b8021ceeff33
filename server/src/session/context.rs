//! What all sessions share.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tessera_engine::time::Clock;
use tessera_protocol::{
    frame::FRAME_BYTES_MAX_DEFAULT,
    handshake::Offer,
    message::{Failure, FailureCode, RequestId, ServerMessage},
};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{answer::EndedWrites, memory::Memory, outgoing::encode, sink::Cut};
use crate::{config::Config, door::Door, map::failure};

/// The server's name and version.
pub(crate) const AGENT: &str = concat!("tessera-server ", env!("CARGO_PKG_VERSION"));

/// More than a message of rows takes beside its rows. Far below the least length of a frame.
const ROWS_OVERHEAD_BYTES: u32 = 64;

/// See the module.
pub(crate) struct Context {
    pub(crate) door: Door,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) offer: Offer,
    /// Cancelled when no further request is to be taken.
    pub(crate) closing: CancellationToken,
    /// Cancelled when requests under way are to be stopped.
    pub(crate) aborting: CancellationToken,
    /// Every task of every session.
    pub(crate) tasks: TaskTracker,
    pub(super) ended_writes: EndedWrites,
    /// Where tasks are spawned by those who are in none.
    pub(super) runtime: Handle,
    /// For requests under way, and those that arrive.
    pub(super) memory: Memory,
    pub(super) cut: Cut,
    pub(super) outgoing_bytes_max: u32,
    pub(super) handshake_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) stall_timeout: Duration,
    request_timeout: Duration,
    slow_request_ms: u64,
    statement_bytes_max: usize,
}

impl Context {
    /// From the configuration. Called within the runtime.
    pub(crate) fn new(config: &Config, door: Door, clock: Arc<dyn Clock>) -> Self {
        let limits = &config.limits;
        let frame_bytes_max = limits.frame_bytes_max.saturating_u32();
        // A client does not say what it takes; all take at least this.
        let sent_bytes_max = frame_bytes_max.min(FRAME_BYTES_MAX_DEFAULT);
        let rows_bytes_max = sent_bytes_max.saturating_sub(ROWS_OVERHEAD_BYTES) as usize;
        Self {
            door,
            clock,
            offer: Offer {
                agent: AGENT.to_owned(),
                frame_bytes_max,
                requests_in_flight_max: limits.requests_in_flight_max,
                mutations_max: limits.mutations_max,
            },
            closing: CancellationToken::new(),
            aborting: CancellationToken::new(),
            tasks: TaskTracker::new(),
            ended_writes: EndedWrites::start(),
            runtime: Handle::current(),
            memory: Memory::new(limits.request_bytes_in_flight_max.saturating_usize()),
            cut: Cut {
                message_rows_max: limits.message_rows_max as usize,
                message_bytes_max: limits
                    .message_bytes_max
                    .saturating_usize()
                    .min(rows_bytes_max),
                frame_bytes_max: sent_bytes_max,
            },
            outgoing_bytes_max: limits.outgoing_bytes_max.saturating_u32(),
            handshake_timeout: Duration::from_millis(limits.handshake_timeout_ms),
            idle_timeout: Duration::from_millis(limits.idle_timeout_ms),
            stall_timeout: Duration::from_millis(limits.stall_timeout_ms),
            request_timeout: Duration::from_millis(limits.request_timeout_ms),
            slow_request_ms: config.log.slow_request_ms,
            statement_bytes_max: limits.statement_bytes_max.saturating_usize(),
        }
    }

    /// The time a request has from its arrival, if it asks for this deadline; 0 for none.
    pub(super) fn time_for(&self, deadline_ms: u32) -> Duration {
        match deadline_ms {
            0 => self.request_timeout,
            deadline_ms => self
                .request_timeout
                .min(Duration::from_millis(deadline_ms.into())),
        }
    }

    /// Whether a request that took so long is worth a warning.
    pub(super) fn is_slow(&self, elapsed_us: u64) -> bool {
        self.slow_request_ms > 0 && elapsed_us / 1000 >= self.slow_request_ms
    }

    /// Whether a statement may be so long.
    pub(super) fn check_statement(&self, statement_bytes: usize) -> Result<(), Failure> {
        within(
            "statement",
            "bytes",
            statement_bytes,
            self.statement_bytes_max,
        )
    }

    /// Whether a write may have so many mutations.
    pub(super) fn check_mutations(&self, mutations: usize) -> Result<(), Failure> {
        within(
            "write",
            "mutations",
            mutations,
            self.offer.mutations_max as usize,
        )
    }

    /// Whether a load may have so many rows.
    pub(super) fn check_rows(&self, rows: usize) -> Result<(), Failure> {
        within("load", "rows", rows, self.offer.mutations_max as usize)
    }

    /// A message about a request as a frame. Should it not fit, the client is told so instead.
    pub(super) fn encode(&self, id: RequestId, message: &ServerMessage) -> Bytes {
        encode(message, self.cut.frame_bytes_max).unwrap_or_else(|error| {
            let reason = format!("the end of the answer cannot be sent: {error}");
            let failure = failure(FailureCode::Internal, reason);
            let message = ServerMessage::Failed { id, failure };
            encode(&message, self.cut.frame_bytes_max).unwrap_or_default()
        })
    }
}

fn within(what: &str, unit: &str, count: usize, count_max: usize) -> Result<(), Failure> {
    if count <= count_max {
        return Ok(());
    }
    let reason = format!("the {what} has {count} {unit}, more than the {count_max} allowed");
    Err(failure(FailureCode::LimitExceeded, reason))
}
