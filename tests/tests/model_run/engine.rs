//! The engine, in this process, asked through its door and answering in the wire's words.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rand::{Rng, rngs::StdRng};
use tessera_engine::{
    database::{self, Budget, Database, Durability, Options, Parameters, WriteRequest},
    datum::{self, Header, ResultSink, Row, Stopped, Summary},
    error::{Error, ErrorCode},
    time::ManualClock,
};
use tessera_protocol::message::{Datum, FailureCode, Mutation, Track, UnknownTags};

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) rows: Vec<Vec<Datum>>,
    pub(crate) summary: Summary,
}

/// A refusal: its code and its words.
pub(crate) type Refusal = (FailureCode, String);

/// An open database.
pub(crate) struct Engine {
    directory: PathBuf,
    options: Options,
    clock: Arc<ManualClock>,
    database: Option<Database>,
}

impl Engine {
    /// A new database of a random shape.
    pub(crate) fn open(directory: &Path, clock: Arc<ManualClock>, random: &mut StdRng) -> Self {
        let options = Options {
            partition_count: [1, 2, 3, 16][random.random_range(0..4)],
            // The smallest caches, so that what was read is read again from the store.
            cache_bytes: [1 << 14, 1 << 22][random.random_range(0..2)],
            threads: random.random_range(1..3),
            durability: if random.random_bool(0.1) {
                Durability::Fsync
            } else {
                Durability::OsBuffered
            },
            ..Options::default()
        };
        let mut engine = Self {
            directory: directory.to_path_buf(),
            options,
            clock,
            database: None,
        };
        engine.reopen();
        engine
    }

    fn reopen(&mut self) {
        let database = Database::open(&self.directory, self.options.clone(), self.clock.clone());
        self.database = Some(database.expect("the store opens"));
    }

    /// Closes it and opens it again.
    pub(crate) fn restart(&mut self) {
        self.database
            .take()
            .expect("open")
            .close()
            .expect("the store closes");
        self.reopen();
    }

    pub(crate) fn set_now(&self, now: Timestamp) {
        self.clock.set_now(now);
    }

    pub(crate) fn execute(&mut self, text: &str) -> Result<Reply, Refusal> {
        let database = self.database.as_ref().expect("open");
        let mut sink = Collected::default();
        let outcome = database.execute(text, &Parameters::none(), &Budget::unlimited(), &mut sink);
        let summary = outcome.map_err(|error| refusal(&error))?;
        assert_eq!(summary.rows, sink.rows.len() as u64, "{text}");
        Ok(Reply {
            rows: sink.rows,
            summary,
        })
    }

    pub(crate) fn write(
        &mut self,
        mutations: &[Mutation],
        unknown_tags: UnknownTags,
    ) -> Result<Reply, Refusal> {
        let request = WriteRequest {
            mutations: mutations.iter().cloned().map(mutation).collect(),
            unknown_tags: match unknown_tags {
                UnknownTags::Refuse => database::UnknownTags::Refuse,
                UnknownTags::Define => database::UnknownTags::Define,
            },
            idempotency_key: None,
        };
        let summary = self
            .database
            .as_ref()
            .expect("open")
            .write(request)
            .map_err(|error| refusal(&error))?;
        Ok(Reply {
            rows: Vec::new(),
            summary,
        })
    }
}

#[derive(Default)]
struct Collected {
    columns: usize,
    rows: Vec<Vec<Datum>>,
}

impl ResultSink for Collected {
    fn header(&mut self, header: Header) -> Result<(), Stopped> {
        self.columns = header.columns.len();
        Ok(())
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        for row in rows {
            assert_eq!(row.len(), self.columns, "a row is as long as the header");
            self.rows.push(row.into_iter().map(from_engine).collect());
        }
        Ok(())
    }
}

fn refusal(error: &Error) -> Refusal {
    let code = match error.code() {
        ErrorCode::Syntax => FailureCode::Syntax,
        ErrorCode::UnknownName => FailureCode::UnknownName,
        ErrorCode::TypeMismatch => FailureCode::TypeMismatch,
        ErrorCode::LimitExceeded => FailureCode::LimitExceeded,
        ErrorCode::Conflict => FailureCode::Conflict,
        ErrorCode::NotAvailableYet => FailureCode::NotAvailableYet,
        ErrorCode::Cancelled => FailureCode::Cancelled,
        ErrorCode::DeadlineExceeded => FailureCode::DeadlineExceeded,
        ErrorCode::UnknownCursor => FailureCode::UnknownCursor,
        ErrorCode::Closing => FailureCode::Closing,
        ErrorCode::Overloaded => FailureCode::Overloaded,
        ErrorCode::Storage => FailureCode::Storage,
        ErrorCode::Internal => FailureCode::Internal,
    };
    (code, error.to_string())
}

fn from_engine(datum: datum::Datum) -> Datum {
    match datum {
        datum::Datum::Null => Datum::Null,
        datum::Datum::Boolean(truth) => Datum::Boolean(truth),
        datum::Datum::Integer(number) => Datum::Integer(number),
        datum::Datum::Decimal { units, scale } => Datum::Decimal { units, scale },
        datum::Datum::Real(number) => Datum::Real(number),
        datum::Datum::Text(text) => Datum::Text(text),
        datum::Datum::Date(days) => Datum::Date(days),
        datum::Datum::Timestamp(micros) => Datum::Timestamp(micros),
        datum::Datum::List(texts) => Datum::List(texts),
    }
}

fn to_engine(datum: Datum) -> datum::Datum {
    match datum {
        Datum::Null => datum::Datum::Null,
        Datum::Boolean(truth) => datum::Datum::Boolean(truth),
        Datum::Integer(number) => datum::Datum::Integer(number),
        Datum::Decimal { units, scale } => datum::Datum::Decimal { units, scale },
        Datum::Real(number) => datum::Datum::Real(number),
        Datum::Text(text) => datum::Datum::Text(text),
        Datum::Date(days) => datum::Datum::Date(days),
        Datum::Timestamp(micros) => datum::Datum::Timestamp(micros),
        Datum::List(texts) => datum::Datum::List(texts),
    }
}

fn mutation(mutation: Mutation) -> database::Mutation {
    match mutation {
        Mutation::Ensure { user } => database::Mutation::Ensure { user },
        // The model says nothing of how tags are held.
        Mutation::Tag { user, tags } | Mutation::Hold { user, tags, .. } => {
            database::Mutation::Tag { user, tags }
        }
        Mutation::Track(track) => tracked(*track),
        Mutation::Untag { user, tags } => database::Mutation::Untag { user, tags },
        Mutation::Set { user, values } => database::Mutation::Set {
            user,
            values: values
                .into_iter()
                .map(|(name, value)| (name, to_engine(value)))
                .collect(),
        },
        Mutation::Add {
            user,
            attribute,
            values,
        } => database::Mutation::Add {
            user,
            attribute,
            values: values.into_iter().map(to_engine).collect(),
        },
        Mutation::Remove {
            user,
            attribute,
            values,
        } => database::Mutation::Remove {
            user,
            attribute,
            values: values.into_iter().map(to_engine).collect(),
        },
        Mutation::DeleteUser { user } => database::Mutation::DeleteUser { user },
    }
}

fn tracked(track: Track) -> database::Mutation {
    let Track {
        user,
        event,
        time_us,
        id,
        values,
    } = track;
    let values = values.into_iter();
    database::Mutation::Track {
        user,
        event,
        at_us: time_us,
        id,
        values: values
            .map(|(name, value)| (name, to_engine(value)))
            .collect(),
    }
}
