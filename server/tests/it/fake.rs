//! An engine whose statements say what it does.
//!
//! | statement | what it does |
//! | --- | --- |
//! | `number N` | one row with the number |
//! | `rows N` | so many rows, 100 at a time |
//! | `texts N BYTES` | so many rows with a text of so many bytes, one at a time |
//! | `hold NAME` | waits until the test releases it, or it is to stop |
//! | `panic` | panics |
//! | `missing` | fails with an unknown cursor |

use std::{
    collections::HashSet,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use tessera_engine::{
    budget::Budget,
    datum::{Column, ColumnRole, Datum, Header, ResultKind, ResultSink, Stopped, Summary},
    error::Error,
    parameters::Parameters,
    time::ManualClock,
    write::{EventLoadRequest, LoadRequest, WriteRequest},
};
use tessera_server::{
    Config, RunningServer, Server,
    door::{CloseError, Done, Engine},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// Longer than anything here takes, so that a test fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the engine was seen doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Started(String),
    Ended(String, Result<(), String>),
    Closed,
}

pub(crate) struct FakeEngine {
    events: UnboundedSender<Event>,
    released: Mutex<HashSet<String>>,
    changed: Condvar,
    pub(crate) writes: Mutex<Vec<WriteRequest>>,
    pub(crate) loads: Mutex<Vec<LoadRequest>>,
    pub(crate) event_loads: Mutex<Vec<EventLoadRequest>>,
    /// What becomes of the next writes, if not what is usual.
    pub(crate) writing: Mutex<Writing>,
    held: Mutex<Vec<Done>>,
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Writing {
    #[default]
    Applied,
    /// Until the test says that it is durable.
    Held,
    /// Because too many wait.
    Refused,
    /// Without a word.
    Forgotten,
    Panics,
}

/// A server around a fake engine.
pub(crate) struct Fixture {
    pub(crate) server: RunningServer,
    pub(crate) engine: Arc<FakeEngine>,
    pub(crate) events: UnboundedReceiver<Event>,
}

pub(crate) fn config() -> Config {
    let mut config = Config::new("unused");
    config.listen = "127.0.0.1:0".to_owned();
    config
}

pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Fixture {
    let mut config = config();
    change(&mut config);
    config.check().unwrap();
    let (sender, events) = unbounded_channel();
    let engine = Arc::new(FakeEngine {
        events: sender,
        released: Mutex::default(),
        changed: Condvar::new(),
        writes: Mutex::default(),
        loads: Mutex::default(),
        event_loads: Mutex::default(),
        writing: Mutex::default(),
        held: Mutex::default(),
    });
    let door: Arc<dyn Engine> = Arc::clone(&engine) as _;
    let server = Server::start_with(&config, Arc::new(ManualClock::default()), door)
        .await
        .unwrap();
    Fixture {
        server,
        engine,
        events,
    }
}

impl Fixture {
    pub(crate) async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.recv())
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn started(&mut self, statement: &str) {
        assert_eq!(self.event().await, Event::Started(statement.to_owned()));
    }

    pub(crate) async fn ended(&mut self, statement: &str, outcome: Result<(), &str>) {
        let outcome = outcome.map_err(str::to_owned);
        assert_eq!(
            self.event().await,
            Event::Ended(statement.to_owned(), outcome)
        );
    }
}

impl FakeEngine {
    pub(crate) fn release(&self, name: &str) {
        self.released.lock().unwrap().insert(name.to_owned());
        self.changed.notify_all();
    }

    /// Says that the writes that are held are durable.
    pub(crate) fn release_writes(&self) {
        for done in self.held.lock().unwrap().drain(..) {
            self.note(Event::Ended("write".to_owned(), Ok(())));
            done(Ok(Summary::default()));
        }
    }

    fn hold(&self, name: &str, budget: &Budget) -> Result<(), Error> {
        let mut released = self.released.lock().unwrap();
        while !released.contains(name) {
            budget.check()?;
            let step = Duration::from_millis(2);
            released = self.changed.wait_timeout(released, step).unwrap().0;
        }
        Ok(())
    }

    fn note(&self, event: Event) {
        let _nobody_looks = self.events.send(event);
    }

    fn obey(
        &self,
        statement: &str,
        budget: &Budget,
        sink: &mut dyn ResultSink,
    ) -> Result<u64, Error> {
        let words: Vec<_> = statement.split(' ').collect();
        match words.as_slice() {
            ["number", number] => {
                let row = vec![Datum::Integer(number.parse().unwrap())];
                answer(sink, 1, 1, &row).map_err(|Stopped| Error::Stopped)
            }
            ["rows", count] => {
                let row = vec![Datum::Text("user".to_owned())];
                answer(sink, count.parse().unwrap(), 100, &row).map_err(|Stopped| Error::Stopped)
            }
            ["texts", count, bytes] => {
                let row = vec![Datum::Text("x".repeat(bytes.parse().unwrap()))];
                answer(sink, count.parse().unwrap(), 1, &row).map_err(|Stopped| Error::Stopped)
            }
            ["hold", name] => self.hold(name, budget).map(|()| 0),
            ["panic"] => panic!("as it was told"),
            _ => Err(Error::UnknownCursor),
        }
    }
}

fn answer(sink: &mut dyn ResultSink, rows: u64, batch: u64, row: &[Datum]) -> Result<u64, Stopped> {
    sink.header(Header {
        kind: ResultKind::Segment,
        columns: vec![Column {
            name: "key".to_owned(),
            role: ColumnRole::Value,
        }],
    })?;
    let mut left = rows;
    while left > 0 {
        let now = left.min(batch);
        sink.rows((0..now).map(|_| row.to_vec()).collect())?;
        left -= now;
    }
    Ok(rows)
}

impl Engine for FakeEngine {
    fn execute(
        &self,
        statement: &str,
        _parameters: &Parameters,
        budget: &Budget,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        self.note(Event::Started(statement.to_owned()));
        let outcome = self.obey(statement, budget, sink);
        let seen = outcome.as_ref().map(|_| ()).map_err(ToString::to_string);
        self.note(Event::Ended(statement.to_owned(), seen));
        outcome.map(|rows| Summary {
            rows,
            ..Summary::default()
        })
    }

    fn submit_write(&self, request: WriteRequest, done: Done) {
        let users_changed = request.mutations.len() as u64;
        self.writes.lock().unwrap().push(request);
        let writing = *self.writing.lock().unwrap();
        match writing {
            Writing::Applied => {}
            Writing::Held => {
                self.held.lock().unwrap().push(done);
                return self.note(Event::Started("write".to_owned()));
            }
            Writing::Refused => return done(Err(Error::Overloaded)),
            Writing::Forgotten => return,
            Writing::Panics => panic!("as it was told"),
        }
        done(Ok(Summary {
            users_changed,
            ..Summary::default()
        }));
    }

    fn submit_load(&self, request: LoadRequest, done: Done) {
        let users_changed = request.keys.len() as u64;
        self.loads.lock().unwrap().push(request);
        done(Ok(Summary {
            users_changed,
            ..Summary::default()
        }));
    }

    fn submit_event_load(&self, request: EventLoadRequest, done: Done) {
        let facts_changed = request.of.len() as u64;
        self.event_loads.lock().unwrap().push(request);
        done(Ok(Summary {
            facts_changed,
            ..Summary::default()
        }));
    }

    fn submit_sweep(&self, done: Done) {
        done(Ok(Summary::default()));
    }

    fn submit_event_sweep(&self, done: Done) {
        done(Ok(Summary::default()));
    }

    fn note_tag_sizes(&self, _: &Budget) -> Result<Summary, Error> {
        Ok(Summary::default())
    }

    fn close(&self) -> Result<(), CloseError> {
        self.note(Event::Closed);
        Ok(())
    }
}
