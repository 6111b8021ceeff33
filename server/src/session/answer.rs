//! Answers one request: through the door, and what comes back onto the wire.
//!
//! Knows deadlines and how an answer ends; what comes before the end is in `stream`, what the log
//! says of it in `note`. Does not know sockets.

mod note;
mod stream;

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tessera_engine::{
    budget::Budget,
    datum::Summary,
    error::{Error, ErrorCode},
};
use tessera_protocol::{
    load::{EventRows, LoadRows},
    message::{
        Failure, FailureCode, Mutation, Parameter, Request, RequestBody, RequestId, ServerMessage,
        UnknownTags, UnknownUsers,
    },
};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{Instant, sleep_until},
};

use self::note::kind;
use super::{
    context::Context,
    memory::Share,
    outgoing::{Outgoing, Room, Sending},
    requests::Entry,
    sink::FrameSink,
    stop::StopReason,
};
use crate::{
    door::{Panicked, Statement, WriteOutcome, WritePlace},
    map::{self, engine_failure, failure},
};

/// While fewer writes are under way the engine itself tells a write's client, which spares the client
/// the wait for another thread. Among more, the engine had better go on with the next ones.
const WRITES_AT_ONCE_MAX: usize = 2;

/// A request under way, with everything that its answer needs.
pub(super) struct Answer {
    pub(super) context: Arc<Context>,
    pub(super) outgoing: Outgoing,
    pub(super) entry: Entry,
    /// When the request had arrived.
    pub(super) arrived: Instant,
    /// The protocol's version that both sides speak.
    pub(super) version: u16,
}

/// A write of which its client is to be told.
pub(super) struct EndedWrite {
    answer: Answer,
    outcome: WriteOutcome,
}

impl EndedWrite {
    /// Does not wait: where there is no room, a task of its own does.
    fn tell(self, context: &Arc<Context>) {
        let Self { answer, outcome } = self;
        let frame = answer.last_frame("write", write_answer(outcome));
        if let Some(room) = answer.outgoing.room_now(frame.len()) {
            let sending = answer.sending();
            return answer.put_last(room, frame, sending);
        }
        let waiting = async move {
            if let Ok(room) = answer.outgoing.room(frame.len()).await {
                answer.put_last(room, frame, Sending::Queued);
            }
        };
        context.tasks.spawn_on(waiting, &context.runtime);
    }
}

/// Where the engine leaves writes that have ended, for one task to tell all their clients: to wake a
/// task for each would cost the engine more than to do the write.
pub(super) struct EndedWrites(UnboundedSender<EndedWrite>);

impl EndedWrites {
    /// Starts the task, which ends when this is dropped.
    pub(super) fn start() -> Self {
        let (sender, mut ended) = unbounded_channel::<EndedWrite>();
        tokio::spawn(async move {
            while let Some(write) = ended.recv().await {
                let context = Arc::clone(&write.answer.context);
                write.tell(&context);
            }
        });
        Self(sender)
    }

    fn put(&self, write: EndedWrite) {
        // The task goes on as long as there are writes.
        let _told = self.0.send(write);
    }
}

impl Answer {
    /// Begins to answer. A write for which there is a place needs no task: the engine says when it
    /// is durable, and nothing stops it before.
    ///
    /// The request's share of the memory is free as soon as the engine is done with it, however
    /// long the client takes to read.
    pub(super) fn begin(self, request: Request, memory: Share) {
        let Request {
            deadline_ms, body, ..
        } = request;
        match (self.place_now(&body), body) {
            (
                Some(place),
                RequestBody::Write {
                    idempotency_key,
                    unknown_tags,
                    mutations,
                },
            ) => {
                let request = map::write_request(idempotency_key, unknown_tags, mutations);
                let context = Arc::clone(&self.context);
                context.door.write_then(place, request, move |outcome| {
                    drop(memory);
                    self.end_write(outcome);
                });
            }
            (_, body) => {
                let context = Arc::clone(&self.context);
                context.tasks.spawn(self.run(body, deadline_ms, memory));
            }
        }
    }

    /// A place for a write that is small enough to be begun, if one is free.
    fn place_now(&self, body: &RequestBody) -> Option<WritePlace> {
        match body {
            RequestBody::Write { mutations, .. } => {
                self.context.check_mutations(mutations.len()).ok()?;
                self.context.door.write_place_now()
            }
            RequestBody::Ping
            | RequestBody::Execute { .. }
            | RequestBody::Load { .. }
            | RequestBody::LoadEvents { .. } => None,
        }
    }

    /// Takes the engine's word on a write that was begun at once. Does not block, as the engine's
    /// next write waits for it.
    fn end_write(self, outcome: WriteOutcome) {
        let context = Arc::clone(&self.context);
        let ended = EndedWrite {
            answer: self,
            outcome,
        };
        if context.door.writes_under_way() < WRITES_AT_ONCE_MAX {
            ended.tell(&context);
        } else {
            context.ended_writes.put(ended);
        }
    }

    async fn run(self, body: RequestBody, deadline_ms: u32, memory: Share) {
        let kind = kind(&body);
        let outcome = self.within_deadline(body, deadline_ms, memory).await;
        let frame = self.last_frame(kind, outcome);
        if let Ok(room) = self.outgoing.room(frame.len()).await {
            let sending = self.sending();
            self.put_last(room, frame, sending);
        }
    }

    /// A client that waits for nothing else is told at once.
    fn sending(&self) -> Sending {
        match self.entry.is_alone() {
            true => Sending::AtOnce,
            false => Sending::Queued,
        }
    }

    /// Frees the request's id just before the client can know that it is free.
    fn put_last(self, room: Room, frame: Bytes, sending: Sending) {
        let Self {
            outgoing, entry, ..
        } = self;
        drop(entry);
        outgoing.put(room, frame, sending);
    }

    fn last_frame(&self, kind: &'static str, outcome: Result<Summary, Failure>) -> Bytes {
        self.note(kind, &outcome);
        last_frame(
            self.entry.id,
            outcome,
            self.arrived.elapsed(),
            &self.context,
        )
    }

    /// Goes on until the work has ended, which a passed deadline asks it to do soon.
    async fn within_deadline(
        &self,
        body: RequestBody,
        deadline_ms: u32,
        memory: Share,
    ) -> Result<Summary, Failure> {
        let time = self.context.time_for(deadline_ms);
        let mut work = pin!(self.work(body, memory, time));
        tokio::select! {
            biased;
            outcome = &mut work => return outcome,
            () = sleep_until(self.arrived + time) => {}
        }
        self.entry.stop().ask(StopReason::DeadlineExceeded);
        work.await
    }

    async fn work(
        &self,
        body: RequestBody,
        memory: Share,
        time: Duration,
    ) -> Result<Summary, Failure> {
        match body {
            RequestBody::Ping => Ok(Summary::default()),
            RequestBody::Execute {
                statement,
                parameters,
            } => self.execute(statement, parameters, memory, time).await,
            RequestBody::Write {
                idempotency_key,
                unknown_tags,
                mutations,
            } => {
                let outcome = self.write(idempotency_key, unknown_tags, mutations).await;
                drop(memory);
                outcome
            }
            RequestBody::Load {
                idempotency_key,
                unknown_tags,
                rows,
            } => {
                let outcome = self.load(idempotency_key, unknown_tags, rows).await;
                drop(memory);
                outcome
            }
            RequestBody::LoadEvents {
                idempotency_key,
                unknown_users,
                rows,
            } => {
                let outcome = self.load_events(idempotency_key, unknown_users, rows).await;
                drop(memory);
                outcome
            }
        }
    }

    async fn write(
        &self,
        idempotency_key: Option<[u8; 16]>,
        unknown_tags: UnknownTags,
        mutations: Vec<Mutation>,
    ) -> Result<Summary, Failure> {
        self.context.check_mutations(mutations.len())?;
        let request = map::write_request(idempotency_key, unknown_tags, mutations);
        let place = self.unless_stopped(self.context.door.write_place()).await?;
        write_answer(self.context.door.write(place, request).outcome().await)
    }

    async fn load(
        &self,
        idempotency_key: Option<[u8; 16]>,
        unknown_tags: UnknownTags,
        rows: LoadRows,
    ) -> Result<Summary, Failure> {
        self.context.check_rows(rows.len())?;
        let request = map::load_request(idempotency_key, unknown_tags, rows)?;
        let place = self.unless_stopped(self.context.door.write_place()).await?;
        write_answer(self.context.door.load(place, request).outcome().await)
    }

    async fn load_events(
        &self,
        idempotency_key: Option<[u8; 16]>,
        unknown_users: UnknownUsers,
        rows: EventRows,
    ) -> Result<Summary, Failure> {
        self.context.check_rows(rows.len())?;
        let request = map::event_load_request(idempotency_key, unknown_users, rows)?;
        let place = self.unless_stopped(self.context.door.write_place()).await?;
        let outcome = self
            .context
            .door
            .load_events(place, request)
            .outcome()
            .await;
        write_answer(outcome)
    }

    async fn execute(
        &self,
        text: String,
        parameters: Vec<Parameter>,
        memory: Share,
        time: Duration,
    ) -> Result<Summary, Failure> {
        self.context.check_statement(text.len())?;
        let stop = self.entry.stop();
        let place = self
            .unless_stopped(self.context.door.statement_place())
            .await?;
        let cut = self.context.cut;
        let (sink, parts) = {
            let (id, version) = (self.entry.id, self.version);
            FrameSink::new(id, version, cut, place, stop.token())
        };
        let clock = Arc::clone(&self.context.clock);
        let deadline = clock.monotonic() + time.saturating_sub(self.arrived.elapsed());
        let statement = Statement {
            text,
            parameters: map::parameters(parameters),
            budget: Budget::with_deadline(stop.flag(), clock, deadline),
        };
        let call = self.context.door.execute(statement, sink);
        self.stream(call, parts, memory).await
    }

    /// What the engine refused; where it was stopped, why.
    fn explain(&self, error: &Error) -> Failure {
        match (error.code(), self.entry.stop().reason()) {
            (ErrorCode::Cancelled, Some(reason)) => reason.failure(),
            _ => engine_failure(error),
        }
    }

    fn stop_failure(&self) -> Failure {
        self.entry.stop().reason().map_or_else(
            || failure(FailureCode::Internal, "the answer ended before its end"),
            StopReason::failure,
        )
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.entry.stop().asked() => Err(self.stop_failure()),
            done = work => Ok(done),
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as an argument of map_err"
)]
fn defect(panicked: Panicked) -> Failure {
    let mut failure = failure(FailureCode::Internal, panicked.to_string());
    failure.hint = Some("this is a defect of the server: its log says more".to_owned());
    failure
}

fn write_answer(outcome: WriteOutcome) -> Result<Summary, Failure> {
    outcome
        .map_err(defect)?
        .map_err(|error| engine_failure(&error))
}

fn last_frame(
    id: RequestId,
    outcome: Result<Summary, Failure>,
    elapsed: Duration,
    context: &Context,
) -> Bytes {
    let message = match outcome {
        Ok(summary) => ServerMessage::End {
            id,
            summary: map::summary(summary, elapsed),
        },
        Err(failure) => ServerMessage::Failed { id, failure },
    };
    context.encode(id, &message)
}
