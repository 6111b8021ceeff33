//! Where the engine puts an answer: rows → frames, on the blocking side of the door.
//!
//! Knows how many rows go into a message and gives the statement's place away while the client
//! does not keep up. Does not know sockets or credit.

use bytes::Bytes;
use tessera_engine::datum::{Header, ResultSink, Row, Stopped};
use tessera_protocol::{
    codec::EncodeError,
    message::{Datum, Failure, FailureCode, RequestId, ServerMessage},
};
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio_util::sync::CancellationToken;

use super::outgoing::encode;
use crate::{
    door::{AnswerSink, StatementPlace},
    map::{self, failure, wire_bytes_max},
};

/// Frames between the engine and the client's queue: one that is sent, one that is ready.
const FRAMES: usize = 2;

/// A part of an answer, ready for the wire.
#[derive(Debug)]
pub(super) enum Part {
    /// The header.
    Header(Bytes),
    /// Some rows: costs credit.
    Rows(Bytes),
}

/// How an answer is cut into messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// The most rows of a message.
    pub(super) message_rows_max: usize,
    /// The size at which a message is sent.
    pub(super) message_bytes_max: usize,
    /// The longest frame.
    pub(super) frame_bytes_max: u32,
}

/// See the module.
pub(super) struct FrameSink {
    id: RequestId,
    cut: Cut,
    place: StatementPlace,
    stopped: CancellationToken,
    parts: Sender<Part>,
    rows: Vec<Vec<Datum>>,
    rows_bytes: usize,
    state: Taking,
}

/// Whether parts are taken.
enum Taking {
    /// They are.
    Yes,
    /// Nobody wants them any more.
    Unwanted,
    /// They cannot be sent on.
    Failed(Failure),
}

/// What is left when the engine has returned.
#[derive(Debug)]
pub(super) enum Left {
    /// Every part was taken but this last.
    Whole(Option<Part>),
    /// Parts are missing, because nobody wanted them.
    Unwanted,
    /// Parts are missing, for this reason.
    Failed(Failure),
}

impl FrameSink {
    /// A sink for the answer to a request, and where its parts come out.
    pub(super) fn new(
        id: RequestId,
        cut: Cut,
        place: StatementPlace,
        stopped: CancellationToken,
    ) -> (Self, Receiver<Part>) {
        let (parts, receiver) = channel(FRAMES);
        let sink = Self {
            id,
            cut,
            place,
            stopped,
            parts,
            rows: Vec::new(),
            rows_bytes: 0,
            state: Taking::Yes,
        };
        (sink, receiver)
    }

    fn row(&mut self, row: Row) -> Result<(), Stopped> {
        let row = map::row(row);
        let row_bytes = wire_bytes_max(&row);
        if self.rows_bytes.saturating_add(row_bytes) > self.cut.message_bytes_max {
            self.send_rows()?;
        }
        self.rows_bytes = self.rows_bytes.saturating_add(row_bytes);
        self.rows.push(row);
        if self.rows.len() >= self.cut.message_rows_max {
            self.send_rows()?;
        }
        Ok(())
    }

    fn send_rows(&mut self) -> Result<(), Stopped> {
        match self.take_rows()? {
            Some(part) => self.send(part),
            None => Ok(()),
        }
    }

    fn take_rows(&mut self) -> Result<Option<Part>, Stopped> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        self.rows_bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        let frame = self.frame(&ServerMessage::Rows { id: self.id, rows })?;
        Ok(Some(Part::Rows(frame)))
    }

    fn frame(&mut self, message: &ServerMessage) -> Result<Bytes, Stopped> {
        encode(message, self.cut.frame_bytes_max).map_err(|error| {
            let code = match error {
                EncodeError::TooLong { .. } => FailureCode::LimitExceeded,
                EncodeError::Unsayable(_) => FailureCode::Internal,
            };
            let reason = format!("a part of the answer cannot be sent: {error}");
            self.end(Taking::Failed(failure(code, reason)))
        })
    }

    fn send(&mut self, part: Part) -> Result<(), Stopped> {
        let part = match self.parts.try_send(part) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(self.end(Taking::Unwanted)),
            Err(TrySendError::Full(part)) => part,
        };
        let parts = &self.parts;
        match self
            .place
            .lend_while(&self.stopped, || parts.blocking_send(part))
        {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.end(Taking::Unwanted)),
            Err(_) => Err(self.end(Taking::Failed(failure(
                FailureCode::Overloaded,
                "too many answers wait for clients that do not read them",
            )))),
        }
    }

    fn end(&mut self, state: Taking) -> Stopped {
        self.state = state;
        Stopped
    }

    fn check(&self) -> Result<(), Stopped> {
        match self.state {
            Taking::Yes => Ok(()),
            Taking::Unwanted | Taking::Failed(_) => Err(Stopped),
        }
    }
}

impl ResultSink for FrameSink {
    fn header(&mut self, header: Header) -> Result<(), Stopped> {
        self.check()?;
        let frame = self.frame(&map::header(self.id, header))?;
        self.send(Part::Header(frame))
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        self.check()?;
        rows.into_iter().try_for_each(|row| self.row(row))
    }
}

impl AnswerSink for FrameSink {
    type Left = Left;

    fn finish(mut self) -> Left {
        let rest = match self.state {
            Taking::Yes => self.take_rows(),
            Taking::Unwanted | Taking::Failed(_) => Err(Stopped),
        };
        match (rest, self.state) {
            (Ok(part), _) => Left::Whole(part),
            (Err(Stopped), Taking::Failed(failure)) => Left::Failed(failure),
            (Err(Stopped), Taking::Yes | Taking::Unwanted) => Left::Unwanted,
        }
    }
}
