//! The real engine behind the door.
//!
//! Knows how the configuration becomes the engine's options. Does not know when it is called.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_engine::{
    database::{
        Budget, Database, Durability as EngineDurability, EventLoadRequest, Limits, LoadRequest,
        OpenError, Options, Parameters, WriteRequest,
    },
    datum::{ResultSink, Summary},
    error::Error,
    time::Clock,
};
use tessera_query_lang::Limits as TextLimits;

use crate::{
    config::{Config, Durability},
    door::{CloseError, Done, Engine},
};

/// Opens the database in the configured directory; creates it when there is none.
pub(crate) fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn Engine>, OpenError> {
    let database = Database::open(&config.data_dir, options(config), clock)?;
    Ok(Arc::new(OpenDatabase(Mutex::new(Some(Arc::new(database))))))
}

fn options(config: &Config) -> Options {
    let defaults = Limits::default();
    // Room for all that the door lets through, so that no write is refused behind it.
    let requests = config.limits.writes_running_max;
    let requests = requests.saturating_add(config.limits.statements_running_max);
    Options {
        partition_count: config.partitions,
        cache_bytes: config.memory_bytes.0,
        threads: config.threads,
        durability: match config.durability {
            Durability::Fsync => EngineDurability::Fsync,
            Durability::OsBuffered => EngineDurability::OsBuffered,
        },
        limits: Limits {
            mutations_max: config.limits.mutations_max,
            text: TextLimits {
                text_bytes_max: config.limits.statement_bytes_max.saturating_usize(),
                depth_max: config.limits.depth_max as usize,
                leaves_max: config.limits.leaves_max as usize,
                list_len_max: config.limits.list_len_max as usize,
                ..TextLimits::default()
            },
            // Was checked with the configuration.
            naming: config.labels.naming().unwrap_or_default(),
            tags_max: config.labels.tags_max,
            groups_max: config.labels.groups_max,
            attributes_max: config.labels.attributes_max,
            group_tags_max: config.labels.group_tags_max,
            queue_requests_max: requests.max(defaults.queue_requests_max),
            ..defaults
        },
        ..Options::default()
    }
}

/// A database until it is closed.
struct OpenDatabase(Mutex<Option<Arc<Database>>>);

impl OpenDatabase {
    fn database(&self) -> Result<Arc<Database>, Error> {
        self.lock().clone().ok_or(Error::Closing)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Database>>> {
        // The lock only guards an assignment: whoever panicked left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for OpenDatabase {
    fn execute(
        &self,
        statement: &str,
        parameters: &Parameters,
        budget: &Budget,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        self.database()?
            .execute(statement, parameters, budget, sink)
    }

    fn submit_write(&self, request: WriteRequest, done: Done) {
        match self.database() {
            Ok(database) => database.submit_write(request, done),
            Err(error) => done(Err(error)),
        }
    }

    fn submit_load(&self, request: LoadRequest, done: Done) {
        match self.database() {
            Ok(database) => database.submit_load(request, done),
            Err(error) => done(Err(error)),
        }
    }

    fn submit_event_load(&self, request: EventLoadRequest, done: Done) {
        match self.database() {
            Ok(database) => database.submit_event_load(request, done),
            Err(error) => done(Err(error)),
        }
    }

    fn submit_sweep(&self, done: Done) {
        match self.database() {
            Ok(database) => database.submit_sweep(done),
            Err(error) => done(Err(error)),
        }
    }

    fn submit_event_sweep(&self, done: Done) {
        match self.database() {
            Ok(database) => database.submit_event_sweep(done),
            Err(error) => done(Err(error)),
        }
    }

    fn note_tag_sizes(&self, budget: &Budget) -> Result<Summary, Error> {
        self.database()?.note_tag_sizes(budget)
    }

    fn close(&self) -> Result<(), CloseError> {
        let taken = self.lock().take();
        let Some(database) = taken else { return Ok(()) };
        let database = Arc::into_inner(database).ok_or(CloseError::InUse)?;
        Ok(database.close()?)
    }
}
