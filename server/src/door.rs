//! The one door from async code to the engine's blocking calls.
//!
//! Knows how many calls may run at once and waits for them when the server stops. Nothing else
//! in this crate calls the engine. Does not know sockets or messages.
//!
//! There are three kinds of places for calls:
//! - A statement takes a *statement place* while it runs.
//! - A write takes a *write place* while it waits for the disk. The engine is handed the write and
//!   says when it is durable, so that no thread waits; and it commits all writes that wait in one
//!   batch. So places are cheap and many: 256 clients that write at once share fsyncs, they do
//!   not queue for them.
//! - A statement whose client does not keep up gives its place to another and takes a *waiting
//!   place* until the client goes on. So clients that stall keep nobody from being answered,
//!   and when even the waiting places are taken it is the next to stall that fails.
//!
//! Beside them there is a bench for what needs no engine, but would hold up other connections
//! if it were done among them: decoding long messages.
//!
//! Each place but those of writes is one thread of the runtime's blocking pool:
//! [`crate::config::Config::blocking_threads_max`] is their sum.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tessera_engine::{
    budget::Budget,
    datum::{ResultSink, Summary},
    error::Error,
    parameters::Parameters,
    storage::StorageError,
    write::{EventLoadRequest, LoadRequest, WriteRequest},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::{JoinError, JoinHandle, spawn_blocking},
};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::config::{DECODES_RUNNING_MAX, LimitsConfig};

/// Called with what became of a write. Must not block.
pub type Done = Box<dyn FnOnce(Result<Summary, Error>) + Send>;

/// What the server needs of a database. Calls block, but for those that submit something.
pub trait Engine: Send + Sync + 'static {
    /// Answers a statement, into the sink.
    ///
    /// # Errors
    /// Says why there is no whole answer.
    fn execute(
        &self,
        statement: &str,
        parameters: &Parameters,
        budget: &Budget,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error>;

    /// Begins to apply mutations, all or none, without waiting. `done` is called exactly once:
    /// when they are durable, or with why none was applied. It may be called before this returns.
    fn submit_write(&self, request: WriteRequest, done: Done);

    /// Begins to apply the rows of a load, as [`Self::submit_write`] does mutations.
    fn submit_load(&self, request: LoadRequest, done: Done);

    /// Begins to apply many events, as [`Self::submit_write`] does mutations.
    fn submit_event_load(&self, request: EventLoadRequest, done: Done);

    /// Begins to forget some of the holdings that ended long ago, as [`Self::submit_write`] does
    /// mutations. It is to be called again until it changes no user.
    fn submit_sweep(&self, done: Done);

    /// Begins to forget some of the events that are kept no longer, and to put together some of
    /// those of long ago, as [`Self::submit_write`] does mutations. It is to be called again until
    /// it changes no fact.
    fn submit_event_sweep(&self, done: Done);

    /// Notes how large tags are, unless that was done today.
    ///
    /// # Errors
    /// Says why nothing was noted.
    fn note_tag_sizes(&self, budget: &Budget) -> Result<Summary, Error>;

    /// Closes the store. Called after every other call has returned.
    ///
    /// # Errors
    /// The store could not be closed in order. What was acknowledged is in its log all the same.
    fn close(&self) -> Result<(), CloseError>;
}

/// Why the store was not closed in order.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// A call into the engine has not returned.
    #[error("the store is still in use")]
    InUse,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A defect.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// A sink that knows what is left to send once the engine has returned.
pub(crate) trait AnswerSink: ResultSink + Send + 'static {
    /// What is left.
    type Left: Send + 'static;

    /// Called on the blocking side, after the engine has returned; must not block.
    fn finish(self) -> Self::Left;
}

/// A statement and all that belongs to it.
pub(crate) struct Statement {
    /// Its text.
    pub(crate) text: String,
    /// Values for its `$` parameters.
    pub(crate) parameters: Parameters,
    /// How long it may go on.
    pub(crate) budget: Budget,
}

/// The call did not come back: the engine panicked, which is a defect.
#[derive(Debug, thiserror::Error)]
#[error("the engine panicked")]
pub struct Panicked;

/// What became of a write.
pub(crate) type WriteOutcome = Result<Result<Summary, Error>, Panicked>;

/// See the module.
pub(crate) struct Door {
    engine: Arc<dyn Engine>,
    statements: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    writes_max: usize,
    waiting: Arc<Semaphore>,
    bench: Bench,
    calls: TaskTracker,
}

/// Where long work without the engine is done. All clones share its places.
#[derive(Clone)]
pub(crate) struct Bench(Arc<Semaphore>);

impl Bench {
    /// A bench for so much work at once.
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Waits for a place and does the work. Dropping the future abandons the work.
    ///
    /// # Errors
    /// When it panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let place = acquire(&self.0).await;
        let work = move || {
            let outcome = work();
            drop(place);
            outcome
        };
        Call(spawn_blocking(work)).outcome().await
    }
}

impl Door {
    /// A door to this engine.
    pub(crate) fn new(engine: Arc<dyn Engine>, limits: &LimitsConfig) -> Self {
        let places = |count: u32| Arc::new(Semaphore::new(count as usize));
        Self {
            engine,
            statements: places(limits.statements_running_max),
            writes: places(limits.writes_running_max),
            writes_max: limits.writes_running_max as usize,
            waiting: places(limits.streams_waiting_max),
            bench: Bench::new(DECODES_RUNNING_MAX),
            calls: TaskTracker::new(),
        }
    }

    /// Where long work without the engine is done.
    pub(crate) fn bench(&self) -> Bench {
        self.bench.clone()
    }

    /// Waits for a statement place.
    pub(crate) async fn statement_place(&self) -> StatementPlace {
        StatementPlace {
            running: acquire(&self.statements).await,
            statements: Arc::clone(&self.statements),
            waiting: Arc::clone(&self.waiting),
            runtime: Handle::current(),
            _call: self.calls.token(),
        }
    }

    /// Waits for a write place.
    pub(crate) async fn write_place(&self) -> WritePlace {
        WritePlace {
            _running: acquire(&self.writes).await,
            _call: self.calls.token(),
        }
    }

    /// A write place, if one is free and nobody waits for it.
    pub(crate) fn write_place_now(&self) -> Option<WritePlace> {
        Some(WritePlace {
            _running: Some(Arc::clone(&self.writes).try_acquire_owned().ok()?),
            _call: self.calls.token(),
        })
    }

    /// How many writes wait for the disk.
    pub(crate) fn writes_under_way(&self) -> usize {
        self.writes_max
            .saturating_sub(self.writes.available_permits())
    }

    /// Answers a statement. The sink holds the statement's place.
    pub(crate) fn execute<S: AnswerSink>(
        &self,
        statement: Statement,
        mut sink: S,
    ) -> Call<(Result<Summary, Error>, S::Left)> {
        let engine = Arc::clone(&self.engine);
        Call(spawn_blocking(move || {
            let Statement {
                text,
                parameters,
                budget,
            } = statement;
            let outcome = engine.execute(&text, &parameters, &budget, &mut sink);
            (outcome, sink.finish())
        }))
    }

    /// Applies mutations. Once begun, the write is seen through, whoever stops waiting for it.
    /// `told` is called exactly once with what became of it, here or on a thread of the engine's:
    /// it must not block.
    pub(crate) fn write_then(
        &self,
        place: WritePlace,
        request: WriteRequest,
        told: impl FnOnce(WriteOutcome) + Send + 'static,
    ) {
        self.submit(place, told, |engine, done| {
            engine.submit_write(request, done);
        });
    }

    /// Applies mutations, as [`Self::write_then`] does.
    pub(crate) fn write(&self, place: WritePlace, request: WriteRequest) -> Submitted {
        let (told, outcome) = submitted();
        self.write_then(place, request, told);
        outcome
    }

    /// Applies the rows of a load, as [`Self::write`] does mutations.
    pub(crate) fn load(&self, place: WritePlace, request: LoadRequest) -> Submitted {
        let (told, outcome) = submitted();
        self.submit(place, told, |engine, done| {
            engine.submit_load(request, done);
        });
        outcome
    }

    /// Applies many events, as [`Self::write`] does mutations.
    pub(crate) fn load_events(&self, place: WritePlace, request: EventLoadRequest) -> Submitted {
        let (told, outcome) = submitted();
        self.submit(place, told, |engine, done| {
            engine.submit_event_load(request, done);
        });
        outcome
    }

    /// Forgets some of the holdings that ended long ago, as [`Self::write`] does mutations.
    pub(crate) fn sweep(&self, place: WritePlace) -> Submitted {
        let (told, outcome) = submitted();
        self.submit(place, told, |engine, done| engine.submit_sweep(done));
        outcome
    }

    /// Tidies up some of the events, as [`Self::write`] does mutations.
    pub(crate) fn sweep_events(&self, place: WritePlace) -> Submitted {
        let (told, outcome) = submitted();
        self.submit(place, told, |engine, done| engine.submit_event_sweep(done));
        outcome
    }

    /// Notes how large tags are, in the place of a statement.
    pub(crate) fn note_tag_sizes(
        &self,
        place: StatementPlace,
        budget: Budget,
    ) -> Call<Result<Summary, Error>> {
        let engine = Arc::clone(&self.engine);
        Call(spawn_blocking(move || {
            let outcome = engine.note_tag_sizes(&budget);
            drop(place);
            outcome
        }))
    }

    fn submit(
        &self,
        place: WritePlace,
        told: impl FnOnce(WriteOutcome) + Send + 'static,
        submit: impl FnOnce(&dyn Engine, Done),
    ) {
        // The write may be done before the call that submits it has come back.
        let _call = self.calls.token();
        let mut told = Told(Some(told));
        let done: Done = Box::new(move |outcome| {
            drop(place);
            told.tell(Ok(outcome));
        });
        let submitted = catch_unwind(AssertUnwindSafe(|| submit(self.engine.as_ref(), done)));
        if submitted.is_err() {
            tracing::error!("submitting a write panicked");
        }
    }

    /// Waits until every call has come back. No further one may be begun.
    pub(crate) async fn calls_ended(&self) {
        self.calls.close();
        self.calls.wait().await;
    }

    /// Closes the store, after [`Self::calls_ended`].
    ///
    /// # Errors
    /// The store could not be closed in order.
    pub(crate) async fn close(&self) -> Result<(), CloseError> {
        let engine = Arc::clone(&self.engine);
        Call(spawn_blocking(move || engine.close()))
            .outcome()
            .await?
    }
}

/// Runs a blocking call that stands before all others: opening the store.
///
/// # Errors
/// When it panics.
pub(crate) async fn apart<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Panicked> {
    Call(spawn_blocking(call)).outcome().await
}

async fn acquire(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // `None` only if the semaphore were closed, which none of ours ever is.
    Arc::clone(places).acquire_owned().await.ok()
}

/// A call under way.
pub(crate) struct Call<T>(JoinHandle<T>);

impl<T> Call<T> {
    /// Waits for the call to come back.
    ///
    /// # Errors
    /// When it panicked.
    pub(crate) async fn outcome(self) -> Result<T, Panicked> {
        self.0.await.map_err(|error: JoinError| {
            tracing::error!(%error, "a call panicked");
            Panicked
        })
    }
}

/// Whoever is to be told what became of a write. When it is dropped instead, the engine has dropped
/// the write without a word.
struct Told<F: FnOnce(WriteOutcome)>(Option<F>);

impl<F: FnOnce(WriteOutcome)> Told<F> {
    fn tell(&mut self, outcome: WriteOutcome) {
        if let Some(told) = self.0.take() {
            told(outcome);
        }
    }
}

impl<F: FnOnce(WriteOutcome)> Drop for Told<F> {
    fn drop(&mut self) {
        self.tell(Err(Panicked));
    }
}

/// A write for whose end a task waits.
fn submitted() -> (impl FnOnce(WriteOutcome) + Send + 'static, Submitted) {
    let (sender, outcome) = oneshot::channel();
    let told = |outcome| {
        // Who asked may have stopped waiting.
        let _unwanted = sender.send(outcome);
    };
    (told, Submitted(outcome))
}

/// A write under way.
pub(crate) struct Submitted(oneshot::Receiver<WriteOutcome>);

impl Submitted {
    /// Waits until it is known what became of the write.
    ///
    /// # Errors
    /// When the engine dropped it without a word.
    pub(crate) async fn outcome(self) -> WriteOutcome {
        self.0.await.unwrap_or(Err(Panicked))
    }
}

/// The right to wait for the disk.
pub(crate) struct WritePlace {
    _running: Option<OwnedSemaphorePermit>,
    _call: TaskTrackerToken,
}

/// The right to run, which can be lent to another statement.
pub(crate) struct StatementPlace {
    running: Option<OwnedSemaphorePermit>,
    statements: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    runtime: Handle,
    _call: TaskTrackerToken,
}

/// As many streams wait for their clients as may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyWaiting;

impl StatementPlace {
    /// Lends the place while `wait` blocks for the client, and waits to have it back unless
    /// `stopped`. To be called on a thread that may block.
    ///
    /// # Errors
    /// There is no waiting place; `wait` was not called.
    pub(crate) fn lend_while<T>(
        &mut self,
        stopped: &CancellationToken,
        wait: impl FnOnce() -> T,
    ) -> Result<T, TooManyWaiting> {
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| TooManyWaiting)?;
        self.running = None;
        let outcome = wait();
        let statements = &self.statements;
        self.running = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = stopped.cancelled() => None,
                place = acquire(statements) => place,
            }
        });
        drop(waiting);
        Ok(outcome)
    }
}
