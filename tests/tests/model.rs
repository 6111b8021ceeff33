//! The engine against the model: random commands and random statements over the real store, with
//! restarts in between, answered as the slow and obvious way answers them.
//!
//! `TESSERA_MODEL_CASES` sets the number of steps (a step is a statement, a write, a restart …),
//! `TESSERA_MODEL_SEED` the first history; a failure names the seed of its history, and
//! `TESSERA_MODEL_SEED=that TESSERA_MODEL_CASES=1` runs this one history alone.
//! `TESSERA_MODEL_TRACE=1` prints every step.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod model_run;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use jiff::Timestamp;
use rand::{SeedableRng, rngs::StdRng};
use tessera_engine::time::ManualClock;
use tessera_protocol::message::{Datum, Mutation, UnknownTags};

use model_run::{Engine, History, STEPS_A_HISTORY};

const CASES_DEFAULT: u64 = 12_000;
const SEED_DEFAULT: u64 = 20_261_123;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not {text}"))
    })
}

/// Runs histories one after the other until there are no more, two at a time.
fn run_histories(first_seed: u64, count: u64) {
    let next = AtomicU64::new(0);
    let work = || {
        loop {
            let seed = first_seed.wrapping_add(next.fetch_add(1, Ordering::Relaxed));
            if seed.wrapping_sub(first_seed) >= count {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| History::new(seed).run()));
            if let Err(failure) = outcome {
                // Others need not go on.
                next.store(count, Ordering::Relaxed);
                eprintln!("the history of TESSERA_MODEL_SEED={seed} TESSERA_MODEL_CASES=1 failed");
                resume_unwind(failure);
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(failure) = worker.join() {
                resume_unwind(failure);
            }
        }
    });
}

#[test]
fn the_engine_answers_as_the_model_does() {
    let seed = number("TESSERA_MODEL_SEED").unwrap_or(SEED_DEFAULT);
    let cases = number("TESSERA_MODEL_CASES").unwrap_or(CASES_DEFAULT);
    let histories = cases.div_ceil(STEPS_A_HISTORY).max(1);
    let start = Instant::now();
    println!("{histories} histories of {STEPS_A_HISTORY} steps from seed {seed}");
    run_histories(seed, histories);
    println!("took {:.1} s", start.elapsed().as_secs_f64());
}

/// Found by the model: an empty list of values to add once became a value.
#[test]
fn adding_no_values_gives_no_value() {
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let directory = tempfile::tempdir().unwrap();
    let mut engine = Engine::open(directory.path(), clock, &mut StdRng::seed_from_u64(1));
    engine.execute("DEFINE ATTRIBUTE hobbies MULTI").unwrap();
    let (user, attribute) = ("u".to_owned(), "hobbies".to_owned());
    let add = Mutation::Add {
        user,
        attribute,
        values: Vec::new(),
    };
    engine.write(&[add], UnknownTags::Refuse).unwrap();
    let rows = |engine: &mut Engine, statement: &str| engine.execute(statement).unwrap().rows;
    assert_eq!(
        rows(&mut engine, "COUNT hobbies IS PRESENT"),
        [[Datum::Integer(0)]]
    );
    assert_eq!(
        rows(&mut engine, "SEGMENT ALL RETURN hobbies"),
        [[Datum::Text("u".to_owned()), Datum::Null]]
    );
}
