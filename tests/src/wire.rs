//! A plain, blocking client of the protocol: what a stranger would write from `docs/protocol.md`.
//!
//! Knows frames, the handshake and requests one after the other or pipelined. Does not reconnect,
//! wait or retry: tests of crashes and of bad manners need to see every byte go wrong.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::BytesMut;
use tessera_protocol::{
    codec::{decode_server, frame_client},
    frame::{FRAME_BYTES_LIMIT, FrameDecoder},
    handshake::hello,
    message::{
        ClientMessage, Column, Datum, Failure, FailureCode, Mutation, Parameter, Request,
        RequestBody, RequestId, ServerMessage, Summary, UnknownTags,
    },
};

/// No answer takes longer than this; a server that is silent for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The columns, when there were any rows to come.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Datum>>,
    /// What there is to say about it.
    pub summary: Summary,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum WireError {
    /// The server said no; the connection lives.
    Refused(Failure),
    /// The connection is gone or was never there: whether the request was done is not known.
    Lost(io::Error),
}

impl WireError {
    /// The code of a refusal.
    ///
    /// # Panics
    /// When the connection was lost.
    pub fn code(&self) -> FailureCode {
        match self {
            Self::Refused(failure) => failure.code,
            Self::Lost(error) => panic!("the connection was lost: {error}"),
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    frames: FrameDecoder,
    next_id: u64,
}

impl Wire {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// The server is not there, or does not want us.
    pub fn connect(server: SocketAddr) -> Result<Self, WireError> {
        let mut wire = Self::open(server)?;
        wire.send(&hello("tessera-tests"))?;
        match wire.receive()? {
            ServerMessage::Welcome(_) => Ok(wire),
            ServerMessage::Refused(failure) => Err(WireError::Refused(failure)),
            other @ (ServerMessage::Header { .. }
            | ServerMessage::Rows { .. }
            | ServerMessage::Keys { .. }
            | ServerMessage::End { .. }
            | ServerMessage::Failed { .. }
            | ServerMessage::Closing) => panic!("no welcome but {other:?}"),
        }
    }

    /// Connects without a word.
    ///
    /// # Errors
    /// The server is not there.
    pub fn open(server: SocketAddr) -> Result<Self, WireError> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            frames: FrameDecoder::new(FRAME_BYTES_LIMIT),
            next_id: 0,
        })
    }

    /// The socket, for bytes that are no messages.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The connection is gone.
    ///
    /// # Panics
    /// When the message has no bytes.
    pub fn send(&mut self, message: &ClientMessage) -> Result<(), WireError> {
        let mut bytes = BytesMut::new();
        frame_client(message, FRAME_BYTES_LIMIT, &mut bytes).expect("a message that can be said");
        Ok(self.stream.write_all(&bytes)?)
    }

    /// The server's next message.
    ///
    /// # Errors
    /// The connection is gone.
    ///
    /// # Panics
    /// When the server's bytes are no message, or it says nothing for very long.
    pub fn receive(&mut self) -> Result<ServerMessage, WireError> {
        let mut chunk = [0; 64 * 1024];
        loop {
            if let Some(frame) = self.frames.next_frame().expect("frames from the server") {
                return Ok(decode_server(&frame).expect("a message from the server"));
            }
            let read = self.stream.read(&mut chunk).inspect_err(|error| {
                assert_ne!(
                    error.kind(),
                    io::ErrorKind::WouldBlock,
                    "the server says nothing"
                );
            })?;
            if read == 0 {
                return Err(WireError::Lost(io::ErrorKind::UnexpectedEof.into()));
            }
            self.frames.feed(&chunk[..read]);
        }
    }

    /// Sends a request and gives its number.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn ask(&mut self, body: RequestBody) -> Result<RequestId, WireError> {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.send(&ClientMessage::Request(Request {
            id,
            deadline_ms: 0,
            rows_messages_credit: u32::MAX,
            body,
        }))?;
        Ok(id)
    }

    /// Sends a request and waits for its answer; answers to others are dropped.
    ///
    /// # Errors
    /// The server refused it, or the connection is gone.
    pub fn request(&mut self, body: RequestBody) -> Result<Answer, WireError> {
        let asked = self.ask(body)?;
        let mut answer = Answer::default();
        loop {
            match self.receive()? {
                ServerMessage::Header { id, columns, .. } if id == asked => {
                    answer.columns = columns;
                }
                ServerMessage::Rows { id, rows } if id == asked => answer.rows.extend(rows),
                ServerMessage::Keys { id, keys } if id == asked => {
                    let rows = keys.iter().map(|key| vec![Datum::from(key)]);
                    answer.rows.extend(rows);
                }
                ServerMessage::End { id, summary } if id == asked => {
                    answer.summary = summary;
                    return Ok(answer);
                }
                ServerMessage::Failed { id, failure } if id == asked => {
                    return Err(WireError::Refused(failure));
                }
                ServerMessage::Refused(failure) => return Err(WireError::Refused(failure)),
                ServerMessage::Header { .. }
                | ServerMessage::Rows { .. }
                | ServerMessage::Keys { .. }
                | ServerMessage::End { .. }
                | ServerMessage::Failed { .. }
                | ServerMessage::Welcome(_)
                | ServerMessage::Closing => {}
            }
        }
    }

    /// Asks for nothing.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn ping(&mut self) -> Result<(), WireError> {
        self.request(RequestBody::Ping).map(drop)
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// The server refused it, or the connection is gone.
    pub fn execute(&mut self, statement: &str) -> Result<Answer, WireError> {
        self.execute_with(statement, &[])
    }

    /// Runs a statement with values for its parameters.
    ///
    /// # Errors
    /// The server refused it, or the connection is gone.
    pub fn execute_with(
        &mut self,
        statement: &str,
        parameters: &[(&str, Datum)],
    ) -> Result<Answer, WireError> {
        let parameters = parameters
            .iter()
            .map(|(name, value)| Parameter {
                name: (*name).to_owned(),
                value: value.clone(),
            })
            .collect();
        self.request(RequestBody::Execute {
            statement: statement.to_owned(),
            parameters,
        })
    }

    /// Runs `COUNT expression`.
    ///
    /// # Errors
    /// The server refused it, or the connection is gone.
    ///
    /// # Panics
    /// When the answer is not one number.
    pub fn count(&mut self, expression: &str) -> Result<i64, WireError> {
        let answer = self.execute(&format!("COUNT {expression}"))?;
        match answer.rows.as_slice() {
            [row] => match row.as_slice() {
                [Datum::Integer(count)] => Ok(*count),
                other => panic!("no count but {other:?}"),
            },
            other => panic!("no count but {other:?}"),
        }
    }

    /// Applies mutations.
    ///
    /// # Errors
    /// The server refused them, or the connection is gone.
    pub fn write(
        &mut self,
        key: Option<[u8; 16]>,
        mutations: Vec<Mutation>,
    ) -> Result<Answer, WireError> {
        self.request(write_body(key, mutations))
    }
}

/// A write that refuses unknown tags.
pub fn write_body(idempotency_key: Option<[u8; 16]>, mutations: Vec<Mutation>) -> RequestBody {
    RequestBody::Write {
        idempotency_key,
        unknown_tags: UnknownTags::Refuse,
        mutations,
    }
}
