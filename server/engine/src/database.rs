//! The database: what a server, a test or a benchmark opens.
//!
//! Knows how the parts are put together, and in which order they start and stop. Does not know
//! the rules of any of them.

use std::{path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwap;

pub use crate::{
    budget::{Budget, CancelFlag},
    limits::Limits,
    parameters::Parameters,
    storage::{DatabaseId, Durability, OpenError, Source},
    time::{Length, LengthUnit},
    write::{
        EventColumn, EventLoadRequest, HoldEnd, HoldTerms, LoadColumn, LoadRequest, Mutation,
        NumberForm, PackedTexts, SchemaStatement, ShapeError, UnknownTags, UnknownUsers,
        WriteRequest,
    },
};
use crate::{
    datum::{Datum, ResultSink, Summary},
    error::Error,
    exec::{asked::AskedTags, note, scheduler::Scheduler, statement::Statements},
    storage::{Store, StoreOptions, View},
    time::{Clock, micros_of_timestamp},
    write::{Job, Selected, SelectedUsers, Writer, WriterHandle},
};

/// The share of the memory budget that the store's own block cache gets; the rest holds
/// fragments and columns.
const BLOCK_CACHE_SHARE: u64 = 4;

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Partitions, fixed when the database is created: 1 to 4,096.
    pub partition_count: u16,
    /// Memory for what is read often: fragments, columns, and the store's blocks.
    pub cache_bytes: u64,
    /// Threads that answer queries.
    pub threads: usize,
    /// When a write is acknowledged.
    pub durability: Durability,
    /// How much is taken from outside.
    pub limits: Limits,
    /// The identity that a new database gets; a random one when not given.
    pub database_id: Option<DatabaseId>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partition_count: 16,
            cache_bytes: 1 << 30,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            durability: Durability::Fsync,
            limits: Limits::default(),
            database_id: None,
        }
    }
}

/// An open database. Used from any number of threads; dropped or [closed](Self::close) once.
pub struct Database {
    // Dropped first: the writer ends before the store it writes to.
    writer: Writer,
    handle: WriterHandle,
    current: Arc<ArcSwap<View>>,
    store: Arc<Store>,
    statements: Statements,
    asked: AskedTags,
    scheduler: Arc<Scheduler>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    opened_at: Duration,
}

impl Database {
    /// Opens the database in a directory; creates it when there is none.
    ///
    /// # Errors
    /// [`OpenError`]: it is in use, of a newer format, damaged, or the directory cannot be used.
    pub fn open(dir: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let block_cache_bytes = options.cache_bytes / BLOCK_CACHE_SHARE;
        let store_options = StoreOptions {
            partition_count: options.partition_count,
            block_cache_bytes,
            view_cache_bytes: options.cache_bytes - block_cache_bytes,
            durability: options.durability,
            database_id: options.database_id,
            created_at_us: micros_of_timestamp(clock.now()),
        };
        let opened = Store::open(dir, &store_options)?;
        let store = opened.store.clone();
        let current = Arc::new(ArcSwap::new(opened.view.clone()));
        let scheduler = Arc::new(Scheduler::new(options.threads, clock.clone()));
        let (writer, handle) = Writer::start(
            opened,
            options.limits.clone(),
            clock.clone(),
            current.clone(),
            scheduler.clone(),
        )?;
        let opened_at = clock.monotonic();
        Ok(Self {
            writer,
            handle,
            current,
            store,
            statements: Statements::new(),
            asked: AskedTags::default(),
            scheduler,
            clock,
            limits: options.limits,
            opened_at,
        })
    }

    /// The newest state. It does not change; holding it keeps what it shows from being freed.
    pub fn view(&self) -> Arc<View> {
        self.current.load_full()
    }

    /// Applies mutations, all or none, and waits until they are durable.
    ///
    /// # Errors
    /// When the request is refused: nothing of it was done. [`Error::Storage`]: it may or may
    /// not have been done.
    pub fn write(&self, request: WriteRequest) -> Result<Summary, Error> {
        self.submit(Job::Write(request))
    }

    /// As [`Self::write`], but without waiting: `done` is called exactly once, with what `write`
    /// would have answered or [`Error::Overloaded`] when the writer's queue is full. It is called
    /// here when the request is refused at once, else on the writer's thread: all other writes
    /// wait for it to return.
    pub fn submit_write(
        &self,
        request: WriteRequest,
        done: impl FnOnce(Result<Summary, Error>) + Send + 'static,
    ) {
        self.sweep();
        self.handle.submit_with(Job::Write(request), done);
    }

    /// As [`Self::load`], but without waiting; see [`Self::submit_write`].
    pub fn submit_load(
        &self,
        request: LoadRequest,
        done: impl FnOnce(Result<Summary, Error>) + Send + 'static,
    ) {
        self.sweep();
        self.handle.submit_with(Job::Load(request), done);
    }

    /// Applies the rows of a load, all or none, and waits until they are durable. Does what the
    /// same rows would do as mutations, many times faster where the users are new.
    ///
    /// # Errors
    /// As for [`Self::write`]. A load has at most as many rows as a request has mutations.
    pub fn load(&self, request: LoadRequest) -> Result<Summary, Error> {
        self.submit(Job::Load(request))
    }

    /// Tracks many events of one kind, all or none, and waits until they are durable. Does what
    /// tracking them one by one would do, many times faster.
    ///
    /// # Errors
    /// As for [`Self::write`]; [`Error::row`] says which event is to blame, if one is. A load has
    /// at most as many events as a request has mutations.
    pub fn load_events(&self, request: EventLoadRequest) -> Result<Summary, Error> {
        self.submit(Job::LoadEvents(request))
    }

    /// As [`Self::load_events`], but without waiting; see [`Self::submit_write`].
    pub fn submit_event_load(
        &self,
        request: EventLoadRequest,
        done: impl FnOnce(Result<Summary, Error>) + Send + 'static,
    ) {
        self.sweep();
        self.handle.submit_with(Job::LoadEvents(request), done);
    }

    /// Changes the definitions and waits until that is durable.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn change_schema(&self, change: SchemaStatement) -> Result<Summary, Error> {
        self.submit(Job::Schema(Box::new(change)))
    }

    /// Applies the mutations that `select` finds on a state in which everything acknowledged so
    /// far, and nothing later, is visible. `select` runs on the writer's thread: other writes
    /// wait for it. How much it may find is its own to limit; what it gives is taken one by one.
    ///
    /// # Errors
    /// As for [`Self::write`], and whatever `select` answers.
    pub fn write_where<M>(
        &self,
        select: impl FnOnce(&Arc<View>) -> Result<M, Error> + Send + 'static,
    ) -> Result<Summary, Error>
    where
        M: IntoIterator<Item = Mutation>,
        M::IntoIter: 'static,
    {
        self.submit(Job::Where(Box::new(move |view| {
            Ok(Selected::Mutations(Box::new(select(view)?.into_iter())))
        })))
    }

    /// The same for one change of many users, who are known by their ids.
    pub(crate) fn write_users_where(
        &self,
        select: impl FnOnce(&Arc<View>) -> Result<SelectedUsers, Error> + Send + 'static,
    ) -> Result<Summary, Error> {
        self.submit(Job::Where(Box::new(move |view| {
            Ok(Selected::Users(select(view)?))
        })))
    }

    /// Forgets events that their definitions keep no longer, and puts those of long ago together by
    /// month: a few months of each kind of event at once, so that other writes do not wait long.
    /// To be called now and then, and again until it changes no fact: those it says it changed are
    /// steps, each of one kind of event in one partition.
    ///
    /// # Errors
    /// When the store fails, or the database closes.
    pub fn sweep_events(&self) -> Result<Summary, Error> {
        self.submit(Job::SweepEvents)
    }

    /// As [`Self::sweep_events`], but without waiting; see [`Self::submit_write`].
    pub fn submit_event_sweep(&self, done: impl FnOnce(Result<Summary, Error>) + Send + 'static) {
        self.handle.submit_with(Job::SweepEvents, done);
    }

    /// Forgets some of the holdings that ended longer ago than [`Limits::ended_holdings_days`],
    /// and waits until that is durable. Changes no answer, but how far back `lapsed` can look.
    /// To be called again until it changes no user.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn sweep_holdings(&self) -> Result<Summary, Error> {
        self.submit(Job::Sweep)
    }

    /// As [`Self::sweep_holdings`], but without waiting; see [`Self::submit_write`].
    pub fn submit_sweep(&self, done: impl FnOnce(Result<Summary, Error>) + Send + 'static) {
        self.handle.submit_with(Job::Sweep, done);
    }

    /// Notes how many users hold each tag, and which tags were asked for, unless that was done
    /// today already; forgets what was noted longer ago than [`Limits::tag_sizes_days`]. To be
    /// called now and then. Counts before it waits for the writer.
    ///
    /// # Errors
    /// When the store fails, the budget is used up, or the database closes.
    pub fn note_tag_sizes(&self, budget: &Budget) -> Result<Summary, Error> {
        match note::notes_of_today(self, budget)? {
            Some(notes) => self.submit(Job::NoteTags(Box::new(notes))),
            None => Ok(Summary::default()),
        }
    }

    /// Which tags were asked for since the database was opened.
    pub(crate) fn asked(&self) -> &AskedTags {
        &self.asked
    }

    fn submit(&self, job: Job) -> Result<Summary, Error> {
        self.sweep();
        self.handle.submit(job)
    }

    /// Idle cursors hold snapshots, which keep the store from freeing what is replaced.
    fn sweep(&self) {
        self.statements
            .sweep(self.clock.monotonic(), &self.limits.queries);
    }

    /// Runs one statement of the query language.
    ///
    /// # Errors
    /// [`Error`], of whatever phase.
    pub fn execute(
        &self,
        text: &str,
        parameters: &Parameters,
        budget: &Budget,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        self.sweep();
        crate::exec::statement::execute(self, text, parameters, budget, sink)
    }

    /// Stops the writer after what was submitted, and brings everything to disk in its final
    /// form. A [`View`] that somebody still holds keeps the directory in use until it is dropped.
    ///
    /// # Errors
    /// When the store fails; what was acknowledged is in its log all the same.
    pub fn close(mut self) -> Result<(), crate::storage::StorageError> {
        self.writer.stop();
        self.store.flush()
    }

    /// Facts about the running database, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status(&self) -> Result<Vec<(String, Datum)>, Error> {
        let view = self.view();
        let schema = crate::exec::dataset::Dataset::schema(view.as_ref());
        let up = self.clock.monotonic().saturating_sub(self.opened_at);
        let cache = self.store.cache_usage();
        let memory = self.store.memory()?;
        let text = |text: String| Datum::Text(text);
        let count = |number: u64| Datum::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let rows: Vec<(&str, Datum)> = vec![
            ("version", text(env!("CARGO_PKG_VERSION").to_owned())),
            ("format", count(u64::from(crate::storage::FORMAT_VERSION))),
            ("database_id", text(self.store.database_id().to_string())),
            ("created", Datum::Timestamp(self.store.created_at_us())),
            ("uptime_seconds", count(up.as_secs())),
            ("partitions", count(u64::from(self.store.partition_count()))),
            ("users", count(view.user_count()?)),
            ("tags", count(u64::from(schema.tag_count()))),
            ("groups", count(u64::from(schema.group_count()))),
            ("attributes", count(u64::from(schema.attribute_count()))),
            ("segments", count(u64::from(schema.segment_count()))),
            ("events", count(u64::from(schema.event_count()))),
            ("commits", count(view.version())),
            ("threads", count(self.scheduler.threads() as u64)),
            ("cache_bytes", count(cache.bytes)),
            ("cache_bytes_max", count(cache.bytes_max)),
            ("cache_entries", count(cache.entries)),
            ("cached_bitmap_bytes", count(cache.fragment_bytes)),
            ("cached_column_bytes", count(cache.column_bytes)),
            ("cached_key_bytes", count(cache.key_bytes)),
            ("cached_event_bytes", count(cache.event_bytes)),
            ("cache_hits", count(cache.hits)),
            ("cache_misses", count(cache.misses)),
            ("block_cache_bytes", count(memory.block_cache)),
            ("memtable_bytes", count(memory.memtables)),
            ("table_bytes", count(memory.tables)),
            ("disk_bytes", count(self.store.disk_bytes()?)),
        ];
        Ok(rows
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }

    /// The threads that answer queries.
    pub fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    /// The clock it was opened with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The limits it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What statements keep between each other: open cursors, and how users are ranked.
    pub fn statements(&self) -> &Statements {
        &self.statements
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("id", &self.store.database_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
