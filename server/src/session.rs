//! One connection: the handshake, then requests and answers until either side ends it.
//!
//! Knows which message is allowed when. Does not know how a statement is answered: each request
//! is a task of its own ([`answer`]), so that answers may overtake and a stream whose client
//! does not keep up holds up nobody else. What is sent goes through one queue bounded by bytes
//! ([`outgoing`]): while it is full nothing is read either, so a client that does not read cannot
//! make the server remember anything.

mod answer;
mod context;
mod memory;
mod outgoing;
mod reader;
mod requests;
mod sink;
mod stop;

use std::{pin::pin, sync::Arc, time::Duration};

use tessera_engine::datum::Summary;
use tessera_protocol::{
    frame::FIRST_FRAME_BYTES_MAX,
    handshake::accept,
    message::{
        ClientMessage, Failure, FailureCode, Request, RequestBody, RequestId, ServerMessage,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    answer::Answer,
    memory::Share,
    outgoing::{Gone, Outgoing},
    reader::{MessageReader, ReadError, Received},
    requests::{Entry, NotTaken, Requests},
    stop::StopReason,
};
use crate::map::{self, failure};

pub(crate) use self::context::Context;

/// How long a closed connection waits for the client to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// How long requests that cross the server's `Closing` are still refused one by one, so that the
/// client knows that nothing was done.
const CROSSING: Duration = Duration::from_millis(500);

/// Why a session ends.
#[derive(Debug)]
enum Ended {
    /// The client said goodbye and has its answers.
    Goodbye,
    /// The client has gone without a word.
    Disconnected,
    /// The client broke the protocol, or cannot be served.
    Refused(Failure),
    /// The server has said that it is closing, and what was under way is answered.
    Closed,
    /// The server is closing and waits no longer.
    Aborted,
}

/// Serves one connection to its end.
pub(crate) async fn run<R, W>(read: R, write: W, context: Arc<Context>)
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (outgoing, queue) = outgoing::queue(write, context.outgoing_bytes_max);
    let gone = CancellationToken::new();
    let writer = outgoing::write_all(queue, context.stall_timeout, gone.clone());
    let writer = context.tasks.spawn(writer);
    let give_up = writer.abort_handle();
    let closer = outgoing.closer();
    let mut session = Session {
        reader: first_reader(read, &context),
        requests: Arc::new(Requests::new(context.offer.requests_in_flight_max)),
        outgoing,
        gone,
        leaving: Leaving::No,
        client: ClientSide::Speaks,
        heard: Instant::now(),
        context: Arc::clone(&context),
        version: 0,
    };
    let ended = match session.shake_hands().await {
        Ok(()) => session.serve().await,
        Err(ended) => ended,
    };
    tracing::debug!(?ended, "session ends");
    let close = async {
        let mut reader = session.say_last(&ended).await;
        // A writer that panicked has closed the connection too.
        let _written = writer.await;
        reader.linger(LINGER).await;
    };
    tokio::select! {
        () = close => {}
        () = after_abort(&context) => {
            closer.close();
            give_up.abort();
        }
    }
}

/// Ends some time after the server has decided to wait no longer.
async fn after_abort(context: &Context) {
    context.aborting.cancelled().await;
    tokio::time::sleep(LINGER).await;
}

/// Tells a client why it is not served, and closes.
pub(crate) async fn refuse<R, W>(read: R, write: W, failure: Failure, context: &Context)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (outgoing, queue) = outgoing::queue(write, context.outgoing_bytes_max);
    let frame = context.encode(RequestId(0), &ServerMessage::Refused(failure));
    let _unsent = outgoing.send(frame).await;
    drop(outgoing);
    outgoing::write_all(queue, LINGER, CancellationToken::new()).await;
    first_reader(read, context).linger(LINGER).await;
}

fn first_reader<R: AsyncRead + Unpin>(read: R, context: &Context) -> MessageReader<R> {
    MessageReader::new(
        read,
        FIRST_FRAME_BYTES_MAX,
        context.stall_timeout,
        context.memory.clone(),
        context.door.bench(),
    )
}

/// Whether the connection will end once nothing is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// It goes on.
    No,
    /// The client has said goodbye.
    Client,
    /// The server has said that it is closing, at this time.
    Server(Instant),
}

/// What is still to be heard from the client. Apart from [`Leaving`], as a client may say goodbye
/// after the server has said that it is closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientSide {
    /// Anything.
    Speaks,
    /// No further request: it has said goodbye.
    Goodbye,
    /// Nothing: it has said goodbye and closed its side.
    Silent,
}

struct Session<R> {
    reader: MessageReader<R>,
    requests: Arc<Requests>,
    outgoing: Outgoing,
    /// Cancelled when the client cannot be told anything any more.
    gone: CancellationToken,
    leaving: Leaving,
    client: ClientSide,
    /// When the last message came.
    heard: Instant,
    context: Arc<Context>,
    /// The protocol's version that both sides speak; 0 before they have agreed on one.
    version: u16,
}

impl<R: AsyncRead + Send + Unpin> Session<R> {
    async fn shake_hands(&mut self) -> Result<(), Ended> {
        let context = Arc::clone(&self.context);
        let first = tokio::select! {
            first = timeout(context.handshake_timeout, self.reader.next()) => first,
            () = context.closing.cancelled() => {
                return Err(Ended::Refused(failure(FailureCode::Closing, "the server is closing")));
            }
        };
        let first = first.map_err(|_| {
            Ended::Refused(failure(
                FailureCode::DeadlineExceeded,
                "no hello came in time",
            ))
        })?;
        let message = match first.map_err(broken)?.ok_or(Ended::Disconnected)? {
            Received::Message(message, _) => message,
            Received::Unaffordable(_, failure) => return Err(Ended::Refused(failure)),
        };
        let welcome = accept(&message, &context.offer).map_err(Ended::Refused)?;
        if let ClientMessage::Hello(hello) = &message {
            tracing::info!(agent = ?hello.agent, version = welcome.version, "connected");
        }
        self.version = welcome.version;
        self.reader.set_frame_bytes_max(welcome.frame_bytes_max);
        self.say(&ServerMessage::Welcome(welcome)).await?;
        self.heard = Instant::now();
        Ok(())
    }

    async fn serve(&mut self) -> Ended {
        let (context, gone) = (Arc::clone(&self.context), self.gone.clone());
        // Waited for all the time: to begin anew with each message would cost more than the rest.
        let mut gone = pin!(gone.cancelled());
        let mut aborting = pin!(context.aborting.cancelled());
        let mut closing = pin!(context.closing.cancelled());
        let mut idle = pin!(sleep_until(self.idle_at()));
        loop {
            let left = left(Arc::clone(&self.requests), self.leaving);
            let outcome = tokio::select! {
                biased;
                () = &mut gone => Err(Ended::Disconnected),
                () = &mut aborting => Err(Ended::Aborted),
                () = &mut closing, if self.leaving == Leaving::No => self.leave().await,
                received = self.reader.next(), if self.client != ClientSide::Silent => {
                    self.received(received).await
                }
                ended = left, if self.leaving != Leaving::No => Err(ended),
                () = &mut idle, if self.leaving == Leaving::No => {
                    let outcome = self.idle().await;
                    idle.as_mut().reset(self.idle_at());
                    outcome
                }
            };
            if let Err(ended) = outcome {
                return ended;
            }
        }
    }

    /// Tells the client that the connection will close.
    async fn leave(&mut self) -> Result<(), Ended> {
        self.leaving = Leaving::Server(Instant::now());
        self.say(&ServerMessage::Closing).await
    }

    /// When it is time to see whether the connection is idle.
    fn idle_at(&self) -> Instant {
        let quiet = self.requests.idle_since().unwrap_or_else(Instant::now);
        quiet.max(self.heard) + self.context.idle_timeout
    }

    async fn idle(&mut self) -> Result<(), Ended> {
        if self.requests.idle_since().is_some() && self.idle_at() <= Instant::now() {
            return self.leave().await;
        }
        Ok(())
    }

    async fn received(
        &mut self,
        received: Result<Option<Received>, ReadError>,
    ) -> Result<(), Ended> {
        let arrived = Instant::now();
        self.heard = arrived;
        let (message, memory) = match received.map_err(broken)? {
            None => return self.closed_by_client(),
            Some(Received::Unaffordable(id, failure)) => {
                return self.unaffordable(id, failure).await;
            }
            Some(Received::Message(message, memory)) => (message, memory),
        };
        match message {
            ClientMessage::Hello(_) => Err(violation("a second hello")),
            ClientMessage::Request(request) => self.request(request, memory, arrived).await,
            ClientMessage::Credit { id, rows_messages } => {
                self.requests.add_credit(id, rows_messages);
                Ok(())
            }
            ClientMessage::Cancel { id } => {
                self.requests.stop(id, StopReason::Cancelled);
                Ok(())
            }
            ClientMessage::Goodbye => {
                if self.leaving == Leaving::No {
                    self.leaving = Leaving::Client;
                }
                self.client = ClientSide::Goodbye;
                Ok(())
            }
        }
    }

    fn closed_by_client(&mut self) -> Result<(), Ended> {
        match self.client {
            ClientSide::Goodbye | ClientSide::Silent => {
                self.client = ClientSide::Silent;
                Ok(())
            }
            ClientSide::Speaks => Err(Ended::Disconnected),
        }
    }

    async fn request(
        &mut self,
        request: Request,
        memory: Share,
        arrived: Instant,
    ) -> Result<(), Ended> {
        let id = request.id;
        match self.admit(id, request.rows_messages_credit)? {
            Err(refused) => self.fail(id, refused).await,
            Ok(entry) if request.body.version_min() > self.version => {
                drop((entry, memory));
                self.fail(id, not_of_the_version(self.version)).await
            }
            Ok(entry) if request.body == RequestBody::Ping => {
                drop((entry, memory));
                let summary = map::summary(Summary::default(), arrived.elapsed());
                self.say(&ServerMessage::End { id, summary }).await
            }
            Ok(entry) => {
                let answer = Answer {
                    context: Arc::clone(&self.context),
                    outgoing: self.outgoing.clone(),
                    entry,
                    arrived,
                    version: self.version,
                };
                answer.begin(request, memory);
                Ok(())
            }
        }
    }

    /// Refuses a request that was not kept.
    async fn unaffordable(&mut self, id: RequestId, failure: Failure) -> Result<(), Ended> {
        let refused = self.admit(id, 0)?.err().unwrap_or(failure);
        self.fail(id, refused).await
    }

    /// Whether there is a place for a request.
    fn admit(&self, id: RequestId, credit: u32) -> Result<Result<Entry, Failure>, Ended> {
        if self.client != ClientSide::Speaks {
            return Err(violation("a request after goodbye"));
        }
        let entry = match self.requests.take(id, credit) {
            Ok(entry) => entry,
            Err(NotTaken::Duplicate) => {
                return Err(violation("the id of a request is in use by another"));
            }
            Err(NotTaken::TooMany) => return Ok(Err(too_many_requests())),
        };
        if matches!(self.leaving, Leaving::Server(_)) || self.context.closing.is_cancelled() {
            return Ok(Err(failure(FailureCode::Closing, "the server is closing")));
        }
        Ok(Ok(entry))
    }

    async fn fail(&self, id: RequestId, failure: Failure) -> Result<(), Ended> {
        self.say(&ServerMessage::Failed { id, failure }).await
    }

    async fn say(&self, message: &ServerMessage) -> Result<(), Ended> {
        let frame = self.context.encode(RequestId(0), message);
        let sent = tokio::select! {
            biased;
            () = self.context.aborting.cancelled() => return Err(Ended::Aborted),
            sent = self.outgoing.send(frame) => sent,
        };
        sent.map_err(|Gone| Ended::Disconnected)
    }

    /// Ends what is under way, and tells the client why the connection closes.
    async fn say_last(self, ended: &Ended) -> MessageReader<R> {
        match ended {
            Ended::Goodbye | Ended::Closed => {}
            Ended::Disconnected => {
                self.requests.stop_all(StopReason::Disconnected);
                self.outgoing.close();
            }
            Ended::Refused(failure) => {
                self.requests.stop_all(StopReason::Disconnected);
                self.say_and_close(&ServerMessage::Refused(failure.clone()))
                    .await;
            }
            Ended::Aborted => self.requests.stop_all(StopReason::Closing),
        }
        self.requests.ended().await;
        self.reader
    }

    /// Says a last word, which nothing may follow.
    async fn say_and_close(&self, message: &ServerMessage) {
        // Whoever cannot be told any more has gone.
        let _said = self.say(message).await;
        self.outgoing.close();
    }
}

/// Waits until a connection that will end may end, and says how.
async fn left(requests: Arc<Requests>, leaving: Leaving) -> Ended {
    requests.ended().await;
    match leaving {
        Leaving::No | Leaving::Client => Ended::Goodbye,
        Leaving::Server(said) => {
            sleep_until(said + CROSSING).await;
            Ended::Closed
        }
    }
}

fn broken(error: ReadError) -> Ended {
    match error {
        ReadError::Io(error) => {
            tracing::debug!(%error, "the connection broke");
            Ended::Disconnected
        }
        ReadError::Frame(error) => violation(&error.to_string()),
        ReadError::Decode(error) => violation(&error.to_string()),
        defect @ ReadError::Panicked(_) => {
            Ended::Refused(failure(FailureCode::Internal, defect.to_string()))
        }
        slow @ ReadError::Slow => {
            Ended::Refused(failure(FailureCode::DeadlineExceeded, slow.to_string()))
        }
        ReadError::Unaffordable(failure) => Ended::Refused(failure),
    }
}

fn violation(message: &str) -> Ended {
    Ended::Refused(failure(FailureCode::Protocol, message))
}

fn not_of_the_version(version: u16) -> Failure {
    let message = format!("the request is not of version {version} of the protocol");
    failure(FailureCode::Version, message)
}

fn too_many_requests() -> Failure {
    let mut failure = failure(
        FailureCode::Overloaded,
        "as many requests as allowed are under way on this connection",
    );
    failure.hint = Some("wait for an answer before the next request".to_owned());
    failure
}
