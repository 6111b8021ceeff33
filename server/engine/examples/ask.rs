//! Asks a database statements over and over and says how long the answers took, without any
//! network between.
//!
//! `cargo run --release -p tessera-engine --example ask -- DIRECTORY STATEMENT...`

use std::{path::Path, sync::Arc, time::Instant};

use tessera_engine::{
    database::{Budget, Database, Options, Parameters},
    datum::{Header, ResultSink, Row, Stopped},
    exec::statement::execute,
    time::SystemClock,
};

const ROUNDS: usize = 201;

type Failure = Box<dyn std::error::Error>;

/// Keeps the first row.
#[derive(Default)]
struct First(Option<Row>);

impl ResultSink for First {
    fn header(&mut self, _: Header) -> Result<(), Stopped> {
        Ok(())
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        if self.0.is_none() {
            self.0 = rows.into_iter().next();
        }
        Ok(())
    }
}

fn ask(database: &Database, statement: &str) -> Result<(u128, Option<Row>), Failure> {
    let mut first = First::default();
    let start = Instant::now();
    execute(
        database,
        statement,
        &Parameters::default(),
        &Budget::unlimited(),
        &mut first,
    )?;
    Ok((start.elapsed().as_nanos() / 100, first.0))
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("which directory?")?;
    let clock = Arc::new(SystemClock::new());
    let database = Database::open(Path::new(&dir), Options::default(), clock)?;
    for statement in arguments {
        let (cold, _) = ask(&database, &statement)?;
        let mut times = Vec::with_capacity(ROUNDS);
        let mut answer = None;
        for _ in 0..ROUNDS {
            let (time, first) = ask(&database, &statement)?;
            times.push(time);
            answer = first;
        }
        times.sort_unstable();
        let micros = |tenths: u128| format!("{}.{} µs", tenths / 10, tenths % 10);
        println!("{statement}");
        println!(
            "  least {}, median {}, first {}: {answer:?}",
            micros(times[0]),
            micros(times[ROUNDS / 2]),
            micros(cold)
        );
    }
    database.close()?;
    Ok(())
}
