//! How requests ended, for the log.
//!
//! Knows which failures matter to whoever runs the server. Does not know what was answered.

use tessera_engine::datum::Summary;
use tessera_protocol::message::{Failure, FailureCode, RequestBody};

use super::Answer;
use crate::log::statement_kind;

impl Answer {
    /// Logs how the request ended.
    pub(super) fn note(&self, kind: &'static str, outcome: &Result<Summary, Failure>) {
        let id = self.entry.id.0;
        let elapsed_us = u64::try_from(self.arrived.elapsed().as_micros()).unwrap_or(u64::MAX);
        let slow = self.context.is_slow(elapsed_us);
        match outcome {
            Ok(summary) if slow => {
                let rows = summary.rows;
                tracing::warn!(id, kind, elapsed_us, rows, "slow request");
            }
            Ok(summary) => tracing::debug!(id, kind, elapsed_us, rows = summary.rows, "answered"),
            Err(Failure { code, message, .. }) => match weight(*code) {
                // The message is about the server, so that it is for the log too.
                Weight::Defect => {
                    tracing::error!(id, kind, elapsed_us, ?code, error = message, "failed");
                }
                Weight::Trouble => tracing::warn!(id, kind, elapsed_us, ?code, "refused"),
                Weight::Ordinary => tracing::debug!(id, kind, elapsed_us, ?code, "refused"),
            },
        }
    }
}

/// How much a failure matters to whoever runs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// The server's own fault.
    Defect,
    /// Too much load, or a client that is built wrongly.
    Trouble,
    /// What was asked makes no sense or was given up: the client was told, and an import with
    /// many bad rows must not flood the log.
    Ordinary,
}

fn weight(code: FailureCode) -> Weight {
    match code {
        FailureCode::Storage | FailureCode::Internal => Weight::Defect,
        FailureCode::Overloaded | FailureCode::Protocol | FailureCode::Version => Weight::Trouble,
        FailureCode::Syntax
        | FailureCode::UnknownName
        | FailureCode::TypeMismatch
        | FailureCode::LimitExceeded
        | FailureCode::Conflict
        | FailureCode::NotAvailableYet
        | FailureCode::Cancelled
        | FailureCode::DeadlineExceeded
        | FailureCode::UnknownCursor
        | FailureCode::Closing => Weight::Ordinary,
    }
}

/// What a request is, for the log.
pub(super) fn kind(body: &RequestBody) -> &'static str {
    match body {
        RequestBody::Ping => "ping",
        RequestBody::Execute { statement, .. } => statement_kind(statement),
        RequestBody::Write { .. } => "write",
        RequestBody::Load { .. } => "load",
        RequestBody::LoadEvents { .. } => "load of events",
    }
}
