//! What can go wrong, by phase: connecting, asking, being answered.

use std::{io, sync::Arc, time::Duration};

use tessera_protocol::{
    handshake::HandshakeError,
    load::LoadError,
    message::{Failure, FailureCode},
};

use crate::render::QueryError;

/// Whether a request that failed may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Certainly not: it did not reach the server.
    NothingDone,
    /// Perhaps: it was sent, and no answer came.
    Unknown,
}

/// Why something asked of a [`crate::Client`] was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached. Nothing was sent.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where the server should be.
        address: String,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The server was reached, but the two did not agree to talk. Nothing was sent.
    #[error("cannot talk to {address}: {source}")]
    Handshake {
        /// Where the server is.
        address: String,
        /// Why not.
        source: HandshakeError,
    },
    /// The connection broke before the answer was whole.
    #[error("the connection was lost ({reason}); {}", describe(*.outcome))]
    ConnectionLost {
        /// Whether the request may have been carried out.
        outcome: Outcome,
        /// What happened to the connection.
        reason: String,
    },
    /// No answer came in time; the request was cancelled, and may have been carried out.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The server said no.
    #[error("{}", .0.message)]
    Refused(Failure),
    /// The query cannot be written down. Nothing was sent.
    #[error("the query makes no sense: {0}")]
    Query(#[from] QueryError),
    /// Rows whose columns do not fit together. Nothing was sent.
    #[error("the rows make no sense: {0}")]
    Rows(#[from] LoadError),
    /// The request is longer than the server takes. Nothing was sent.
    #[error("the request is longer than the {frame_bytes_max} bytes the server takes")]
    TooLong {
        /// What the server takes.
        frame_bytes_max: u32,
    },
    /// The answer has more rows than [`crate::ClientOptions::answer_rows_max`].
    #[error("the answer has more than {rows_max} rows; use a stream")]
    AnswerTooLong {
        /// The most rows taken.
        rows_max: usize,
    },
    /// The server's answer is not of the form that was asked for.
    #[error("the server's answer is not what was asked for: {0}")]
    Unexpected(String),
    /// The bulk writer has stopped because of an earlier error.
    #[error("the bulk writer stopped: {0}")]
    Stopped(Arc<Error>),
}

impl Error {
    /// Whether there was no time left: the server's word or the client's own.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            Self::Refused(failure) => failure.code == FailureCode::DeadlineExceeded,
            Self::Stopped(error) => error.is_timeout(),
            Self::Connect { .. }
            | Self::Handshake { .. }
            | Self::ConnectionLost { .. }
            | Self::Query(_)
            | Self::Rows(_)
            | Self::TooLong { .. }
            | Self::AnswerTooLong { .. }
            | Self::Unexpected(_) => false,
        }
    }

    /// Whether the fault lies with the connection and not with what was asked.
    pub fn is_connection(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Handshake { .. } | Self::ConnectionLost { .. } => true,
            Self::Refused(failure) => failure.code == FailureCode::Closing,
            Self::Stopped(error) => error.is_connection(),
            Self::Timeout(_)
            | Self::Query(_)
            | Self::Rows(_)
            | Self::TooLong { .. }
            | Self::AnswerTooLong { .. }
            | Self::Unexpected(_) => false,
        }
    }

    /// The server's own words, if it said no.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Refused(failure) => Some(failure),
            Self::Handshake {
                source: HandshakeError::Refused(failure),
                ..
            } => Some(failure),
            Self::Stopped(error) => error.failure(),
            Self::Connect { .. }
            | Self::Handshake { .. }
            | Self::ConnectionLost { .. }
            | Self::Timeout(_)
            | Self::Query(_)
            | Self::Rows(_)
            | Self::TooLong { .. }
            | Self::AnswerTooLong { .. }
            | Self::Unexpected(_) => None,
        }
    }
}

fn describe(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NothingDone => "nothing was done",
        Outcome::Unknown => "whether the request was carried out is unknown",
    }
}
