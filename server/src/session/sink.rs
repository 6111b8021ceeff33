//! Where the engine puts an answer: rows → frames, on the blocking side of the door.
//!
//! Knows how many rows and keys go into a message and gives the statement's place away while the client
//! does not keep up. Does not know sockets or credit.

use bytes::Bytes;
use tessera_engine::{
    datum::{self, Header, ResultKind, ResultSink, Row, Stopped},
    user_keys::PackedKeys,
};
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

/// What the length of a key takes on the wire at most: keys have up to 256 bytes.
const KEY_LENGTH_BYTES_MAX: usize = 2;

/// A part of an answer, ready for the wire.
#[derive(Debug)]
pub(super) enum Part {
    /// The header.
    Header(Bytes),
    /// Some rows or keys: costs credit.
    Rows(Bytes),
}

/// How an answer is cut into messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// The most rows of a message that is not of keys alone.
    pub(super) message_rows_max: usize,
    /// The size at which a message is sent.
    pub(super) message_bytes_max: usize,
    /// The longest frame.
    pub(super) frame_bytes_max: u32,
}

/// See the module.
pub(super) struct FrameSink {
    id: RequestId,
    keys_form: KeysForm,
    cut: Cut,
    place: StatementPlace,
    stopped: CancellationToken,
    parts: Sender<Part>,
    /// Rows that wait for more; then there are no keys.
    rows: Vec<Vec<Datum>>,
    rows_bytes: usize,
    /// Keys that wait for more; then there are no rows.
    keys: PackedKeys,
    /// What a trend is called to the client.
    trend_kind: ResultKind,
    /// The columns of a portrait that the client knows.
    portrait_columns_max: usize,
    /// The columns of this answer that are sent.
    columns_max: usize,
    state: Taking,
}

/// Columns of a portrait before it said how tags are held.
const PORTRAIT_COLUMNS_OLD: usize = 3;

/// How keys are sent that are all of their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeysForm {
    Packed,
    /// To clients who speak a version without messages of keys.
    Rows,
}

/// What the keys from this one on take on the wire, at most.
fn wire_bytes_of(keys: &PackedKeys, first: usize) -> usize {
    keys.text().len() - keys.start(first) + (keys.len() - first) * KEY_LENGTH_BYTES_MAX
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
        version: u16,
        cut: Cut,
        place: StatementPlace,
        stopped: CancellationToken,
    ) -> (Self, Receiver<Part>) {
        let (parts, receiver) = channel(FRAMES);
        let sink = Self {
            id,
            keys_form: match version >= ServerMessage::KEYS_VERSION_MIN {
                true => KeysForm::Packed,
                false => KeysForm::Rows,
            },
            cut,
            place,
            stopped,
            parts,
            rows: Vec::new(),
            rows_bytes: 0,
            keys: PackedKeys::new(),
            trend_kind: match version >= ServerMessage::TREND_VERSION_MIN {
                true => ResultKind::Trend,
                false => ResultKind::Dimension,
            },
            portrait_columns_max: match version >= ServerMessage::HOLDINGS_VERSION_MIN {
                true => usize::MAX,
                false => PORTRAIT_COLUMNS_OLD,
            },
            columns_max: usize::MAX,
            state: Taking::Yes,
        };
        (sink, receiver)
    }

    fn row(&mut self, mut row: Row) -> Result<(), Stopped> {
        row.truncate(self.columns_max);
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

    /// Takes keys in, and sends what fills a message.
    fn pack(&mut self, keys: PackedKeys) -> Result<(), Stopped> {
        self.send_rows()?;
        match self.keys.is_empty() {
            true => self.keys = keys,
            false => self.keys.append(&keys),
        }
        let mut first = 0;
        while wire_bytes_of(&self.keys, first) > self.cut.message_bytes_max {
            let end = self.message_end(first);
            let part = self.keys_part(first, end)?;
            self.send(part)?;
            first = end;
        }
        self.keys.drop_first(first);
        Ok(())
    }

    /// Up to which key a message goes that begins with this one: as far as it has room, and one
    /// key at least.
    fn message_end(&self, first: usize) -> usize {
        let start = self.keys.start(first);
        let rest = self.keys.ends().get(first..).unwrap_or_default();
        let fits = |(end, keys): &(&usize, usize)| {
            *end - start + keys * KEY_LENGTH_BYTES_MAX <= self.cut.message_bytes_max
        };
        first + rest.iter().zip(1..).take_while(fits).count().max(1)
    }

    fn send_keys(&mut self) -> Result<(), Stopped> {
        match self.take_keys()? {
            Some(part) => self.send(part),
            None => Ok(()),
        }
    }

    fn take_keys(&mut self) -> Result<Option<Part>, Stopped> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let part = self.keys_part(0, self.keys.len())?;
        self.keys.clear();
        Ok(Some(part))
    }

    fn keys_part(&mut self, first: usize, end: usize) -> Result<Part, Stopped> {
        let id = self.id;
        let keys = map::packed_keys(&self.keys, first..end).map_err(|error| {
            let reason = format!("keys cannot be sent: {error}");
            self.end(Taking::Failed(failure(FailureCode::Internal, reason)))
        })?;
        let frame = self.frame(&ServerMessage::Keys { id, keys })?;
        Ok(Part::Rows(frame))
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
    fn header(&mut self, mut header: Header) -> Result<(), Stopped> {
        self.check()?;
        if header.kind == ResultKind::Portrait {
            self.columns_max = self.portrait_columns_max;
            header.columns.truncate(self.columns_max);
        }
        if header.kind == ResultKind::Trend {
            header.kind = self.trend_kind;
        }
        let frame = self.frame(&map::header(self.id, header))?;
        self.send(Part::Header(frame))
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        self.check()?;
        self.send_keys()?;
        rows.into_iter().try_for_each(|row| self.row(row))
    }

    fn keys(&mut self, keys: PackedKeys) -> Result<(), Stopped> {
        self.check()?;
        match self.keys_form {
            KeysForm::Packed => self.pack(keys),
            KeysForm::Rows => keys
                .iter()
                .try_for_each(|key| self.row(vec![datum::Datum::Text(key.to_owned())])),
        }
    }
}

impl AnswerSink for FrameSink {
    type Left = Left;

    fn finish(mut self) -> Left {
        let rest = match self.state {
            Taking::Yes => match self.keys.is_empty() {
                true => self.take_rows(),
                false => self.take_keys(),
            },
            Taking::Unwanted | Taking::Failed(_) => Err(Stopped),
        };
        match (rest, self.state) {
            (Ok(part), _) => Left::Whole(part),
            (Err(Stopped), Taking::Failed(failure)) => Left::Failed(failure),
            (Err(Stopped), Taking::Yes | Taking::Unwanted) => Left::Unwanted,
        }
    }
}
