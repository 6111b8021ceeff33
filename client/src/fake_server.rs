//! A server for tests: it says what it is told to say, over a pipe in memory, so that tests can
//! stop the clock.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::BytesMut;
use futures_util::future::BoxFuture;
use tessera_protocol::{
    codec,
    frame::{FRAME_BYTES_LIMIT, FrameDecoder},
    handshake::{self, Offer},
    message::{
        ClientMessage, Column, ColumnRole, Datum, Failure, FailureCode, Request, RequestBody,
        RequestId, ResultKind, ServerMessage, Summary,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};

use crate::{Client, ClientOptions, Dial, Transport};

/// Where a client's connections arrive.
pub(crate) struct FakeServer {
    arrivals: mpsc::UnboundedReceiver<DuplexStream>,
    refusals: Arc<AtomicU32>,
    offer: Offer,
    version_max: u16,
}

struct Pipe {
    arrivals: mpsc::UnboundedSender<DuplexStream>,
    refusals: Arc<AtomicU32>,
}

impl Dial for Pipe {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Transport>>> {
        Box::pin(async {
            let take = |left: u32| left.checked_sub(1);
            if self
                .refusals
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
            {
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            let (here, there) = tokio::io::duplex(1 << 20);
            self.arrivals.send(there).map_err(io::Error::other)?;
            Ok(Box::new(here) as Box<dyn Transport>)
        })
    }

    fn address(&self) -> &str {
        "a fake server"
    }
}

/// A client, and the server it will connect to.
pub(crate) fn pair(options: ClientOptions) -> (Client, FakeServer) {
    let (sender, arrivals) = mpsc::unbounded_channel();
    let refusals = Arc::new(AtomicU32::new(0));
    let pipe = Pipe {
        arrivals: sender,
        refusals: Arc::clone(&refusals),
    };
    let offer = Offer {
        agent: "a fake server".to_owned(),
        frame_bytes_max: FRAME_BYTES_LIMIT,
        requests_in_flight_max: 64,
        mutations_max: 1000,
    };
    (
        Client::through(pipe, options),
        FakeServer {
            arrivals,
            refusals,
            offer,
            version_max: u16::MAX,
        },
    )
}

impl FakeServer {
    /// Refuses so many connections from now on.
    pub(crate) fn refuse_next(&self, connections: u32) {
        self.refusals.store(connections, Ordering::SeqCst);
    }

    /// Speaks no newer version of the protocol than this one.
    pub(crate) fn speak_at_most(&mut self, version_max: u16) {
        self.version_max = version_max;
    }

    pub(crate) fn offer_mut(&mut self) -> &mut Offer {
        &mut self.offer
    }

    /// The next connection, before its handshake.
    pub(crate) async fn arrival(&mut self) -> io::Result<Peer> {
        let stream = self
            .arrivals
            .recv()
            .await
            .ok_or(io::ErrorKind::NotConnected)?;
        Ok(Peer {
            stream,
            decoder: FrameDecoder::new(FRAME_BYTES_LIMIT),
        })
    }

    /// The next connection, welcomed.
    pub(crate) async fn accept(&mut self) -> io::Result<Peer> {
        let mut peer = self.arrival().await?;
        let hello = peer.receive().await?;
        let mut welcome = handshake::accept(&hello, &self.offer)
            .map_err(|failure| io::Error::other(failure.message))?;
        welcome.version = welcome.version.min(self.version_max);
        peer.send(ServerMessage::Welcome(welcome)).await?;
        Ok(peer)
    }

    /// Whether a connection has arrived that nobody has accepted.
    pub(crate) fn has_arrival(&mut self) -> bool {
        !self.arrivals.is_empty()
    }
}

/// The server's end of one connection.
pub(crate) struct Peer {
    stream: DuplexStream,
    decoder: FrameDecoder,
}

impl Peer {
    pub(crate) async fn receive(&mut self) -> io::Result<ClientMessage> {
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(io::Error::other)? {
                return codec::decode_client(&frame).map_err(io::Error::other);
            }
            if self.stream.read_buf(self.decoder.buffer_mut()).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next message, which must be a request.
    pub(crate) async fn request(&mut self) -> io::Result<Request> {
        match self.receive().await? {
            ClientMessage::Request(request) => Ok(request),
            other @ (ClientMessage::Hello(_)
            | ClientMessage::Credit { .. }
            | ClientMessage::Cancel { .. }
            | ClientMessage::Goodbye) => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    /// The next request; credit that comes before it is passed over.
    pub(crate) async fn request_after_credit(&mut self) -> io::Result<Request> {
        loop {
            match self.receive().await? {
                ClientMessage::Request(request) => return Ok(request),
                ClientMessage::Credit { .. } => {}
                other @ (ClientMessage::Hello(_)
                | ClientMessage::Cancel { .. }
                | ClientMessage::Goodbye) => return Err(io::Error::other(format!("{other:?}"))),
            }
        }
    }

    pub(crate) async fn send(&mut self, message: ServerMessage) -> io::Result<()> {
        let mut frame = BytesMut::new();
        codec::frame_server(&message, FRAME_BYTES_LIMIT, &mut frame).map_err(io::Error::other)?;
        self.stream.write_all(&frame).await
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    pub(crate) async fn header(&mut self, id: RequestId, names: &[&str]) -> io::Result<()> {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            role: ColumnRole::Value,
        };
        let columns = names.iter().map(column).collect();
        self.send(ServerMessage::Header {
            id,
            kind: ResultKind::Segment,
            columns,
        })
        .await
    }

    pub(crate) async fn row(&mut self, id: RequestId, key: &str) -> io::Result<()> {
        self.send(ServerMessage::Rows {
            id,
            rows: vec![vec![Datum::from(key)]],
        })
        .await
    }

    pub(crate) async fn end(&mut self, id: RequestId) -> io::Result<()> {
        self.send(ServerMessage::End {
            id,
            summary: Summary::default(),
        })
        .await
    }

    pub(crate) async fn fail(&mut self, id: RequestId, code: FailureCode) -> io::Result<()> {
        self.send(ServerMessage::Failed {
            id,
            failure: failure(code),
        })
        .await
    }

    /// A whole answer of one number.
    pub(crate) async fn number(&mut self, id: RequestId, number: i64) -> io::Result<()> {
        self.header(id, &["count"]).await?;
        let rows = vec![vec![Datum::Integer(number)]];
        self.send(ServerMessage::Rows { id, rows }).await?;
        self.end(id).await
    }
}

pub(crate) fn failure(code: FailureCode) -> Failure {
    Failure {
        code,
        message: format!("{code:?}"),
        span: None,
        hint: None,
    }
}

/// The text of a statement that was asked for.
pub(crate) fn statement(request: &Request) -> &str {
    match &request.body {
        RequestBody::Execute { statement, .. } => statement,
        RequestBody::Ping
        | RequestBody::Write { .. }
        | RequestBody::Load { .. }
        | RequestBody::LoadEvents { .. } => "",
    }
}
