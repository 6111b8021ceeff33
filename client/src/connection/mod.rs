//! One connection, shared by many requests.
//!
//! Two tasks own the two directions of the stream; requests reach the writer through a bounded
//! queue, or write themselves while there is nothing else to write, and the reader hands each message to the request it belongs to through the request's
//! own bounded queue, sized by its credit, so that neither ever waits for a slow consumer.
//! Knows what a connection may have under way. Does not know whether to try again.

mod outgoing;
mod response;
mod table;
mod tasks;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use tessera_protocol::{
    codec::{self, EncodeError, RequestHead},
    frame::{FIRST_FRAME_BYTES_MAX, FrameDecoder},
    handshake,
    message::{
        ClientMessage, Failure, FailureCode, RequestBody, RequestId, ServerMessage, Welcome,
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::response::Response;
pub(crate) use self::table::Event;
use self::{
    outgoing::{NotTaken, Outgoing, Sending},
    table::Table,
};
use crate::{
    dial::{Dial, Transport},
    error::{Error, Outcome},
    options::ClientOptions,
};

/// Messages that one request can have in the writer's queue at once: itself, its cancellation and
/// two of credit; and as many again left behind by a request that ended while the socket was full.
const QUEUED_MESSAGES_PER_REQUEST: usize = 8;

/// Most requests are shorter.
const SHORT_FRAME_BYTES: usize = 256;

/// Bytes asked of the socket at a time.
const READ_BYTES: usize = 16 * 1024;

/// The most requests under way on one connection, whatever both sides are configured to.
const REQUESTS_IN_FLIGHT_LIMIT: u32 = 65_536;

/// The most credit of one request, whatever is configured.
const ROWS_MESSAGES_CREDIT_LIMIT: u32 = 65_536;

/// A connection on which requests can be made. Clones share it; when the last one is dropped the
/// connection says goodbye and closes.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    link: Arc<Link>,
    outgoing: Outgoing,
    welcome: Arc<Welcome>,
}

/// What the requests and the connection's tasks share.
#[derive(Debug)]
struct Link {
    table: Mutex<Table>,
    permits: Arc<Semaphore>,
    /// Tells the tasks to stop.
    broken: CancellationToken,
}

impl Link {
    /// The table; a panic elsewhere cannot leave it half changed.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection: requests under way learn why, further ones are refused.
    fn close(&self, reason: String) {
        self.table().close(reason);
        self.permits.close();
        self.broken.cancel();
    }
}

impl Connection {
    /// Dials, shakes hands and starts the connection's tasks.
    pub(crate) async fn open(dial: &dyn Dial, options: &ClientOptions) -> Result<Self, Error> {
        let connect_error = |source: std::io::Error| Error::Connect {
            address: dial.address().to_owned(),
            source: Arc::new(source),
        };
        let mut stream = within(options.connect_timeout, dial.dial())
            .await
            .map_err(connect_error)?;
        let mut decoder = FrameDecoder::new(FIRST_FRAME_BYTES_MAX);
        let shaking = shake_hands(&mut stream, &mut decoder, &options.agent);
        let first = within(options.handshake_timeout, shaking)
            .await
            .map_err(connect_error)?;
        let welcome = handshake::check_welcome(first).map_err(|source| Error::Handshake {
            address: dial.address().to_owned(),
            source,
        })?;
        decoder.set_frame_bytes_max(options.frame_bytes_max);
        Ok(Self::start(stream, decoder, welcome, options))
    }

    fn start(
        stream: Box<dyn Transport>,
        decoder: FrameDecoder,
        welcome: Welcome,
        options: &ClientOptions,
    ) -> Self {
        let wanted = options
            .requests_in_flight_max
            .clamp(1, REQUESTS_IN_FLIGHT_LIMIT);
        let in_flight_max = welcome.requests_in_flight_max.min(wanted) as usize;
        let (reader, writer) = tokio::io::split(stream);
        let queued_max = in_flight_max.saturating_mul(QUEUED_MESSAGES_PER_REQUEST);
        let (outgoing, queue) = outgoing::queue(writer, queued_max);
        let link = Arc::new(Link {
            table: Mutex::new(Table::new(Instant::now())),
            permits: Arc::new(Semaphore::new(in_flight_max)),
            broken: CancellationToken::new(),
        });
        tokio::spawn(tasks::read(reader, decoder, Arc::clone(&link)));
        tokio::spawn(tasks::write(queue, Arc::clone(&link)));
        Self {
            link,
            outgoing,
            welcome: Arc::new(welcome),
        }
    }

    /// What the server said of itself.
    pub(crate) fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Whether further requests may be made.
    pub(crate) fn is_usable(&self) -> bool {
        self.link.table().is_open()
    }

    /// Gives the connection up if nothing at all came since then: it is silent, not busy.
    pub(crate) fn close_if_silent_since(&self, moment: Instant) {
        if self.link.table().last_heard() < moment {
            self.link.close("the server has gone silent".to_owned());
        }
    }

    /// Sends a request, when the limit on requests under way allows it.
    pub(crate) async fn request(
        &self,
        body: &RequestBody,
        deadline: Option<Instant>,
        rows_messages_credit: u32,
    ) -> Result<Response, Error> {
        self.check_version(body)?;
        let permits = Arc::clone(&self.link.permits);
        let permit = permits
            .acquire_owned()
            .await
            .map_err(|_| self.lost(Outcome::NothingDone))?;
        // From here on nothing waits: a future that is dropped was either not sent at all, or
        // leaves a response behind that cancels it.
        let credit = rows_messages_credit.clamp(1, ROWS_MESSAGES_CREDIT_LIMIT);
        let Some((id, events, sending)) = self.open_request(permit, credit) else {
            return Err(self.lost(Outcome::NothingDone));
        };
        let head = RequestHead {
            id,
            deadline_ms: remaining_ms(deadline),
            rows_messages_credit: credit,
        };
        let mut frame = BytesMut::with_capacity(SHORT_FRAME_BYTES);
        let frame_bytes_max = self.welcome.frame_bytes_max;
        if let Err(error) = codec::frame_request(head, body, frame_bytes_max, &mut frame) {
            self.link.table().forget(id);
            return Err(too_long(error));
        }
        if self.outgoing.put(frame, sending).is_err() {
            self.link.table().forget(id);
            self.link
                .close("the queue to the server is full".to_owned());
            return Err(self.lost(Outcome::NothingDone));
        }
        Ok(Response::new(self.clone(), id, events, credit))
    }

    /// A place in the table, and how the request is to be sent: among others it is written with
    /// them, alone it need not wait for the writer.
    fn open_request(
        &self,
        permit: OwnedSemaphorePermit,
        credit: u32,
    ) -> Option<(RequestId, mpsc::Receiver<Event>, Sending)> {
        let mut table = self.link.table();
        let (id, events) = table.open_request(permit, credit)?;
        let sending = match table.has_one() {
            true => Sending::AtOnce,
            false => Sending::Queued,
        };
        Some((id, events, sending))
    }

    /// Refuses what the version that both sides speak cannot say, before it is said.
    fn check_version(&self, body: &RequestBody) -> Result<(), Error> {
        let (spoken, needed) = (self.welcome.version, body.version_min());
        if spoken >= needed {
            return Ok(());
        }
        Err(Error::Refused(Failure {
            code: FailureCode::Version,
            message: format!(
                "the server speaks protocol version {spoken}, and the request needs {needed}"
            ),
            span: None,
            hint: Some("upgrade the server".to_owned()),
        }))
    }

    /// Says something about a request under way. Never waits, so that it can be said on a drop.
    fn say(&self, message: &ClientMessage) {
        let mut frame = BytesMut::new();
        if codec::frame_client(message, self.welcome.frame_bytes_max, &mut frame).is_err() {
            return;
        }
        match self.outgoing.put(frame, Sending::Queued) {
            Ok(()) | Err(NotTaken::Closed) => {}
            Err(NotTaken::Full) => {
                self.link
                    .close("the queue to the server is full".to_owned());
            }
        }
    }

    fn is_under_way(&self, id: RequestId) -> bool {
        self.link.table().is_under_way(id)
    }

    fn lost(&self, outcome: Outcome) -> Error {
        let reason = self.link.table().reason();
        Error::ConnectionLost { outcome, reason }
    }
}

/// Whole milliseconds until then, at least one; 0 stands for no deadline.
fn remaining_ms(deadline: Option<Instant>) -> u32 {
    deadline.map_or(0, |deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1)
    })
}

fn too_long(error: EncodeError) -> Error {
    match error {
        EncodeError::TooLong { frame_bytes_max } => Error::TooLong { frame_bytes_max },
        EncodeError::Unsayable(reason) => Error::Unexpected(reason),
    }
}

async fn within<T>(
    limit: Duration,
    action: impl Future<Output = std::io::Result<T>>,
) -> std::io::Result<T> {
    tokio::time::timeout(limit, action)
        .await
        .unwrap_or_else(|_| {
            let message = format!("no answer within {} ms", limit.as_millis());
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, message))
        })
}

async fn shake_hands(
    stream: &mut Box<dyn Transport>,
    decoder: &mut FrameDecoder,
    agent: &str,
) -> std::io::Result<ServerMessage> {
    let mut hello = BytesMut::new();
    codec::frame_client(&handshake::hello(agent), FIRST_FRAME_BYTES_MAX, &mut hello)
        .map_err(std::io::Error::other)?;
    stream.write_all(&hello).await?;
    stream.flush().await?;
    read_message(stream, decoder).await?.ok_or_else(|| {
        std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            "the server closed the connection",
        )
    })
}

/// The next message, or `None` at the end of the stream. Bytes of an unfinished one stay in the
/// decoder, so that dropping the future loses nothing.
async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder,
) -> std::io::Result<Option<ServerMessage>> {
    let invalid = |error: String| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    loop {
        if let Some(frame) = decoder
            .next_frame()
            .map_err(|error| invalid(error.to_string()))?
        {
            let message =
                codec::decode_server(&frame).map_err(|error| invalid(error.to_string()))?;
            return Ok(Some(message));
        }
        let buffer = decoder.buffer_mut();
        buffer.reserve(READ_BYTES);
        if stream.read_buf(buffer).await? == 0 {
            decoder
                .finish()
                .map_err(|error| invalid(error.to_string()))?;
            return Ok(None);
        }
    }
}
