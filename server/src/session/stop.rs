//! Stopping a request: who asked, said once, and heard on both sides of the door.

use std::sync::OnceLock;

use tessera_engine::budget::CancelFlag;
use tessera_protocol::message::{Failure, FailureCode};
use tokio_util::sync::CancellationToken;

use crate::map::failure;

/// Why a request is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    /// The client asked.
    Cancelled,
    /// Its time is over.
    DeadlineExceeded,
    /// The client gave no credit for too long.
    Stalled,
    /// The client has gone.
    Disconnected,
    /// The server stops and cannot wait any longer.
    Closing,
}

/// Tells a request to stop, at most once.
#[derive(Debug, Default)]
pub(super) struct Stop {
    reason: OnceLock<StopReason>,
    flag: CancelFlag,
    token: CancellationToken,
}

impl Stop {
    /// Asks to stop. Only the first reason counts.
    pub(super) fn ask(&self, reason: StopReason) {
        if self.reason.set(reason).is_ok() {
            self.flag.raise();
            self.token.cancel();
        }
    }

    /// Why it is to stop, if it is.
    pub(super) fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// Waits until somebody asks.
    pub(super) async fn asked(&self) {
        self.token.cancelled().await;
    }

    /// For the engine.
    pub(super) fn flag(&self) -> CancelFlag {
        self.flag.clone()
    }

    /// For those who wait beside the engine.
    pub(super) fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

impl StopReason {
    /// What the client is told.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Cancelled => failure(FailureCode::Cancelled, "the request was cancelled"),
            Self::DeadlineExceeded => failure(
                FailureCode::DeadlineExceeded,
                "the request's deadline passed",
            ),
            Self::Stalled => failure(
                FailureCode::DeadlineExceeded,
                "the client gave no credit for further rows in time",
            ),
            Self::Disconnected => failure(FailureCode::Cancelled, "the client has gone"),
            Self::Closing => failure(FailureCode::Closing, "the server is closing"),
        }
    }
}
