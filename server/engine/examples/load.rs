//! Loads made-up users through `Database::write` and says how fast that went.
//!
//! `cargo run --release -p tessera-engine --example load -- DIRECTORY [USERS]`

use std::{path::Path, sync::Arc, time::Instant};

use tessera_engine::{
    database::{Database, Mutation, Options, UnknownTags, WriteRequest},
    datum::Datum,
    time::SystemClock,
    write::SchemaStatement,
};
use tessera_query_lang::{Limits, parse_statement};

const USERS_DEFAULT: u64 = 1_000_000;
const REQUEST_USERS: u64 = 4_000;
const TAGS: u64 = 500;
const TAGS_PER_USER: u64 = 20;

const DEFINITIONS: [&str; 8] = [
    "DEFINE ATTRIBUTE gender ENUM (f, m)",
    "DEFINE ATTRIBUTE city ENUM",
    "DEFINE ATTRIBUTE plan ENUM",
    "DEFINE ATTRIBUTE active BOOLEAN",
    "DEFINE ATTRIBUTE age INTEGER",
    "DEFINE ATTRIBUTE spend DECIMAL(2)",
    "DEFINE ATTRIBUTE signup DATE",
    "DEFINE ATTRIBUTE interests MULTI",
];

type Failure = Box<dyn std::error::Error>;

/// A number that looks random and is the same every time (splitmix64).
fn scramble(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn user(number: u64) -> [Mutation; 2] {
    let key = format!("user-{number:09}");
    let draw = |what: u64, below: u64| scramble(number * 64 + what) % below;
    let number_of = |what: u64, below: u64| Datum::Integer(draw(what, below) as i64);
    let text = |text: String| Datum::Text(text);
    let values = vec![
        (
            "gender".to_owned(),
            text(if draw(0, 2) == 0 { "f" } else { "m" }.to_owned()),
        ),
        ("city".to_owned(), text(format!("city-{}", draw(1, 300)))),
        ("plan".to_owned(), text(format!("plan-{}", draw(2, 5)))),
        ("active".to_owned(), Datum::Boolean(draw(3, 2) == 0)),
        ("age".to_owned(), number_of(4, 80)),
        (
            "spend".to_owned(),
            Datum::Decimal {
                units: i128::from(draw(5, 1_000_000)),
                scale: 2,
            },
        ),
        (
            "signup".to_owned(),
            Datum::Date(18_000 + draw(6, 2_000) as i32),
        ),
        (
            "interests".to_owned(),
            Datum::List(
                (7..10)
                    .map(|what| format!("interest-{}", draw(what, 40)))
                    .collect(),
            ),
        ),
    ];
    let tags = (0..TAGS_PER_USER)
        .map(|what| format!("tag-{}", draw(16 + what, TAGS)))
        .collect();
    [
        Mutation::Set {
            user: key.clone(),
            values,
        },
        Mutation::Tag { user: key, tags },
    ]
}

fn load(database: &Database, users: u64) -> Result<(u64, u64), Failure> {
    let (mut users_changed, mut facts_changed) = (0, 0);
    for first in (0..users).step_by(REQUEST_USERS as usize) {
        let mutations = (first..users.min(first + REQUEST_USERS))
            .flat_map(user)
            .collect();
        let request = WriteRequest {
            mutations,
            unknown_tags: UnknownTags::Define,
            idempotency_key: None,
        };
        let summary = database.write(request)?;
        users_changed += summary.users_changed;
        facts_changed += summary.facts_changed;
    }
    Ok((users_changed, facts_changed))
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("which directory?")?;
    let users = arguments
        .next()
        .map_or(Ok(USERS_DEFAULT), |users| users.parse())?;
    let database = Database::open(
        Path::new(&dir),
        Options::default(),
        Arc::new(SystemClock::new()),
    )?;
    for definition in DEFINITIONS {
        let statement = parse_statement(definition, &Limits::default())?;
        if let Some(change) = SchemaStatement::from_statement(&statement) {
            // Defined already when the directory is loaded again.
            let _ = database.change_schema(change);
        }
    }
    for round in ["first", "again"] {
        let start = Instant::now();
        let (users_changed, facts_changed) = load(&database, users)?;
        let seconds = start.elapsed().as_secs_f64();
        println!("{round}: {users_changed} users, {facts_changed} facts changed in {seconds:.1} s");
    }
    for (name, value) in database.status()? {
        println!("{name}: {value:?}");
    }
    let start = Instant::now();
    database.close()?;
    println!("closed in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
