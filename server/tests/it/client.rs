//! A client that says exactly what the test wants, right or wrong.

use std::net::SocketAddr;

use bytes::BytesMut;
use tessera_protocol::{
    codec::{decode_server, frame_client},
    frame::{FRAME_BYTES_LIMIT, FrameDecoder},
    handshake::hello,
    load::{EventRows, LoadColumn, LoadRows, NumberForm, PackedTexts, presence},
    message::{
        ClientMessage, Datum, Failure, FailureCode, Mutation, Request, RequestBody, RequestId,
        ServerMessage, Summary, UnknownTags, UnknownUsers, Welcome,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::fake::PATIENCE;

/// More messages than any test makes.
pub(crate) const PLENTY: u32 = 1_000_000;

pub(crate) struct Client {
    stream: TcpStream,
    decoder: FrameDecoder,
}

/// What came of one request.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) rows: Vec<Vec<Datum>>,
    pub(crate) messages: Vec<usize>,
}

impl Client {
    /// A connection on which nothing was said.
    pub(crate) async fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self {
            stream,
            decoder: FrameDecoder::new(FRAME_BYTES_LIMIT),
        }
    }

    /// A connection after the handshake.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut client = Self::silent(address).await;
        client.shake_hands().await.unwrap();
        client
    }

    pub(crate) async fn shake_hands(&mut self) -> Result<Welcome, Failure> {
        self.send(&hello("test")).await;
        match self.receive().await {
            Some(ServerMessage::Welcome(welcome)) => Ok(welcome),
            Some(ServerMessage::Refused(failure)) => Err(failure),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) {
        let mut bytes = BytesMut::new();
        frame_client(message, FRAME_BYTES_LIMIT, &mut bytes).unwrap();
        self.send_bytes(&bytes).await;
    }

    /// Bytes as they are. That the server may close while they go is part of some tests.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let _closed = timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .unwrap();
    }

    /// Closes this side; the other may still speak.
    pub(crate) async fn half_close(&mut self) {
        let _closed = self.stream.shutdown().await;
    }

    /// The next message; `None` once the server has closed.
    pub(crate) async fn receive(&mut self) -> Option<ServerMessage> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(decode_server(&frame).unwrap());
            }
            let read = self.stream.read_buf(self.decoder.buffer_mut());
            match timeout(PATIENCE, read).await.unwrap() {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Messages until the server closes.
    pub(crate) async fn receive_all(&mut self) -> Vec<ServerMessage> {
        let mut messages = Vec::new();
        while let Some(message) = self.receive().await {
            messages.push(message);
        }
        messages
    }

    pub(crate) async fn request(&mut self, id: u64, credit: u32, body: RequestBody) {
        self.request_within(id, credit, 0, body).await;
    }

    pub(crate) async fn request_within(
        &mut self,
        id: u64,
        rows_messages_credit: u32,
        deadline_ms: u32,
        body: RequestBody,
    ) {
        let id = RequestId(id);
        let request = Request {
            id,
            deadline_ms,
            rows_messages_credit,
            body,
        };
        self.send(&ClientMessage::Request(request)).await;
    }

    pub(crate) async fn credit(&mut self, id: u64, rows_messages: u32) {
        self.send(&ClientMessage::Credit {
            id: RequestId(id),
            rows_messages,
        })
        .await;
    }

    pub(crate) async fn cancel(&mut self, id: u64) {
        self.send(&ClientMessage::Cancel { id: RequestId(id) })
            .await;
    }

    /// The answer to the one request under way.
    pub(crate) async fn answer(&mut self, id: u64) -> Result<(Answered, Summary), Failure> {
        let expected = RequestId(id);
        let mut answered = Answered::default();
        loop {
            match self.receive().await {
                Some(ServerMessage::Header { id, .. }) => assert_eq!(id, expected),
                Some(ServerMessage::Rows { id, rows }) => {
                    assert_eq!(id, expected);
                    answered.messages.push(rows.len());
                    answered.rows.extend(rows);
                }
                Some(ServerMessage::Keys { id, keys }) => {
                    assert_eq!(id, expected);
                    answered.messages.push(keys.len());
                    let rows = keys.iter().map(|key| vec![Datum::Text(key.to_owned())]);
                    answered.rows.extend(rows);
                }
                Some(ServerMessage::End { id, summary }) => {
                    assert_eq!(id, expected);
                    return Ok((answered, summary));
                }
                Some(ServerMessage::Failed { id, failure }) => {
                    assert_eq!(id, expected);
                    return Err(failure);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// A statement and its whole answer, with nothing else under way.
    pub(crate) async fn execute(
        &mut self,
        id: u64,
        statement: &str,
    ) -> Result<(Answered, Summary), Failure> {
        self.request(id, PLENTY, execute(statement)).await;
        self.answer(id).await
    }

    /// Why the answer to the one request under way failed.
    pub(crate) async fn failure(&mut self, id: u64) -> FailureCode {
        self.answer(id).await.unwrap_err().code
    }

    /// Expects the server to refuse the connection, and to close.
    pub(crate) async fn refused(&mut self) -> FailureCode {
        loop {
            match self.receive().await {
                Some(ServerMessage::Refused(failure)) => {
                    assert_eq!(self.receive().await, None);
                    return failure.code;
                }
                Some(ServerMessage::Failed { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

pub(crate) fn execute(statement: &str) -> RequestBody {
    RequestBody::Execute {
        statement: statement.to_owned(),
        parameters: Vec::new(),
    }
}

pub(crate) fn write(mutations: Vec<Mutation>) -> RequestBody {
    RequestBody::Write {
        idempotency_key: None,
        unknown_tags: UnknownTags::Refuse,
        mutations,
    }
}

/// Users `u0`, `u1` and so on, as old as their number says.
pub(crate) fn load(users: u32) -> RequestBody {
    let mut keys = PackedTexts::default();
    for number in 0..users {
        keys.push(&format!("u{number}")).unwrap();
    }
    let ages = LoadColumn::Numbers {
        attribute: "age".to_owned(),
        form: NumberForm::Integer,
        present: presence((0..users).map(|_| true)),
        numbers: (0..users).map(i64::from).collect(),
    };
    RequestBody::Load {
        idempotency_key: Some([7; 16]),
        unknown_tags: UnknownTags::Refuse,
        rows: LoadRows {
            keys,
            columns: vec![ages],
        },
    }
}

/// So many logins of two users, each a microsecond after the one before, with ids.
pub(crate) fn load_events(events: u32) -> RequestBody {
    let (mut users, mut ids) = (PackedTexts::default(), PackedTexts::default());
    for user in ["ada", "bob"] {
        users.push(user).unwrap();
    }
    for number in 0..events {
        ids.push(&format!("e{number}")).unwrap();
    }
    RequestBody::LoadEvents {
        idempotency_key: Some([7; 16]),
        unknown_users: UnknownUsers::Refuse,
        rows: EventRows {
            event: "login".to_owned(),
            users,
            of: (0..events).map(|number| number % 2).collect(),
            times_us: (0..events).map(i64::from).collect(),
            ids: Some(ids),
            columns: Vec::new(),
        },
    }
}
