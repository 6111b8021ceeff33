//! Loads made-up users and says how fast that went, and what it cost.
//!
//! `cargo run --release -p tessera-engine --example load -- DIRECTORY [USERS [load|write [ROWS]]]`
//!
//! The users are like SegBench's: eight attributes and some twelve of a thousand tags each. `load`
//! sends them as `Database::load` takes them, `write` as mutations; ROWS users a request. The time
//! of the processors is that of the whole process, less that of making up the users; after the
//! load it goes on until the files on disk do not change any more.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    time::{Duration, Instant},
};

use tessera_engine::{
    database::{
        Database, LoadColumn, LoadRequest, Mutation, NumberForm, Options, UnknownTags, WriteRequest,
    },
    datum::{Datum, Summary},
    time::SystemClock,
    write::SchemaStatement,
};
use tessera_query_lang::{Limits, parse_statement};

const USERS_DEFAULT: u64 = 1_000_000;
const ROWS_DEFAULT: u64 = 100_000;
const TAGS: u64 = 1000;
/// Requests under way at once.
const REQUESTS_AHEAD: usize = 2;
/// Ticks of the kernel's clock a second.
const TICKS: f64 = 100.0;

const ENUMS: [(&str, u64); 5] = [
    ("gender", 3),
    ("region", 34),
    ("industry", 20),
    ("source", 12),
    ("device", 200),
];
const NUMBERS: [(&str, u64); 3] = [("age", 78), ("signup_day", 3650), ("spend_90d", 20_000)];

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Numbers that look random and are the same every time (splitmix64).
struct Draws(u64);

impl Draws {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// From 0 to before 1.
    fn share(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Small numbers more often than great ones.
    fn skewed(&mut self, below: u64) -> u64 {
        (self.share() * self.share() * below as f64) as u64
    }
}

fn rows(first: u64, count: u64) -> LoadRequest {
    let mut draws = Draws(first);
    let keys = (first..first + count).map(|number| format!("u{number:010}"));
    let mut columns: Vec<LoadColumn> = ENUMS
        .iter()
        .map(|(name, values)| LoadColumn::Coded {
            attribute: (*name).to_owned(),
            dictionary: (0..*values)
                .map(|value| Datum::Text(format!("{name}-{value}")))
                .collect(),
            codes: (0..count)
                .map(|_| draws.skewed(*values) as u32 + 1)
                .collect(),
        })
        .collect();
    columns.extend(NUMBERS.iter().map(|(name, below)| {
        let mut present = vec![0xff; count.div_ceil(8) as usize];
        if let (Some(last), rest @ 1..) = (present.last_mut(), count % 8) {
            *last = (1 << rest) - 1;
        }
        LoadColumn::Numbers {
            attribute: (*name).to_owned(),
            form: NumberForm::Integer,
            present,
            numbers: (0..count).map(|_| draws.skewed(*below) as i64).collect(),
        }
    }));
    columns.push(tags(&mut draws, count));
    LoadRequest {
        unknown_tags: UnknownTags::Define,
        keys: keys.collect(),
        columns,
        idempotency_key: None,
    }
}

fn tags(draws: &mut Draws, count: u64) -> LoadColumn {
    let mut of_rows: Vec<Vec<u32>> = vec![Vec::new(); count as usize];
    for tag in 0..TAGS {
        let density = 0.5 / (tag as f64 + 1.0).powf(0.7);
        let mut row = 0.0;
        loop {
            row += ((1.0 - draws.share()).ln() / (1.0 - density).ln()).floor();
            let Some(tags) = of_rows.get_mut(row as usize) else {
                break;
            };
            tags.push(tag as u32);
            row += 1.0;
        }
    }
    let mut end = 0;
    LoadColumn::Tags {
        names: (0..TAGS).map(|tag| format!("t{tag}")).collect(),
        ends: of_rows
            .iter()
            .map(|tags| {
                end += tags.len() as u32;
                end
            })
            .collect(),
        codes: of_rows.concat(),
    }
}

/// The same rows as mutations.
fn mutations(request: &LoadRequest) -> Vec<Mutation> {
    let rows = request.keys.iter().enumerate();
    rows.flat_map(|(row, user)| mutations_of(&request.columns, row, user))
        .collect()
}

/// What is set first, then what is added, taken and given, as a load has it.
fn mutations_of(columns: &[LoadColumn], row: usize, user: &str) -> Vec<Mutation> {
    let user = user.to_owned();
    let (mut values, mut tags, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for column in columns {
        match column {
            LoadColumn::Coded {
                attribute,
                dictionary,
                codes,
            } => {
                let value = dictionary[codes[row] as usize - 1].clone();
                values.push((attribute.clone(), value));
            }
            LoadColumn::Numbers {
                attribute, numbers, ..
            } => values.push((attribute.clone(), Datum::Integer(numbers[row]))),
            LoadColumn::Added {
                attribute,
                dictionary,
                ends,
                codes,
            } => others.push(Mutation::Add {
                user: user.clone(),
                attribute: attribute.clone(),
                values: of_row(dictionary, ends, codes, row),
            }),
            LoadColumn::Taken { names, ends, codes } => others.push(Mutation::Untag {
                user: user.clone(),
                tags: of_row(names, ends, codes, row),
            }),
            LoadColumn::Tags { names, ends, codes }
            | LoadColumn::Holdings {
                names, ends, codes, ..
            } => tags.extend(of_row(names, ends, codes, row)),
        }
    }
    let set = Mutation::Set {
        user: user.clone(),
        values,
    };
    let given = Mutation::Tag { user, tags };
    [set].into_iter().chain(others).chain([given]).collect()
}

/// What the codes of a row stand for.
fn of_row<T: Clone>(names: &[T], ends: &[u32], codes: &[u32], row: usize) -> Vec<T> {
    let start = row.checked_sub(1).map_or(0, |before| ends[before]);
    let codes = &codes[start as usize..ends[row] as usize];
    codes
        .iter()
        .map(|code| names[*code as usize].clone())
        .collect()
}

enum Request {
    Load(LoadRequest),
    Write(WriteRequest),
}

fn send(database: &Database, requests: &Receiver<Request>) -> Result<Summary, Failure> {
    let mut sum = Summary::default();
    while let Ok(request) = requests.recv() {
        let summary = match request {
            Request::Load(request) => database.load(request)?,
            Request::Write(request) => database.write(request)?,
        };
        sum.users_changed += summary.users_changed;
        sum.facts_changed += summary.facts_changed;
    }
    Ok(sum)
}

/// Seconds of processor time of the whole process.
fn process_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // After the name, which may have spaces, come the state and ten numbers, then these two.
    let (_, rest) = stat.rsplit_once(')').ok_or("no name")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next().map_or(Ok(0.0), str::parse::<f64>);
    Ok((ticks()? + ticks()?) / TICKS)
}

/// Seconds of processor time of this thread.
fn thread_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns = stat.split_whitespace().next().unwrap_or("0");
    Ok(ns.parse::<f64>()? / 1e9)
}

fn disk_bytes(database: &Database) -> Result<i64, Failure> {
    let status = database.status()?;
    let found = status.into_iter().find(|(name, _)| name == "disk_bytes");
    match found {
        Some((_, Datum::Integer(bytes))) => Ok(bytes),
        _ => Ok(0),
    }
}

/// Waits until nothing goes on in the background.
fn settle(database: &Database) -> Result<i64, Failure> {
    let (mut bytes, mut seconds) = (disk_bytes(database)?, process_seconds()?);
    loop {
        std::thread::sleep(Duration::from_secs(2));
        let (bytes_now, seconds_now) = (disk_bytes(database)?, process_seconds()?);
        if bytes_now == bytes && seconds_now - seconds < 0.05 {
            return Ok(bytes);
        }
        (bytes, seconds) = (bytes_now, seconds_now);
    }
}

fn define(database: &Database) -> Result<(), Failure> {
    let enums = ENUMS.iter().map(|(name, _)| (name, "ENUM"));
    let numbers = NUMBERS.iter().map(|(name, _)| (name, "INTEGER"));
    for (name, kind) in enums.chain(numbers) {
        let text = format!("DEFINE ATTRIBUTE {name} {kind}");
        let statement = parse_statement(&text, &Limits::default())?;
        if let Some(change) = SchemaStatement::from_statement(&statement) {
            // Defined already when the directory is loaded again.
            let _ = database.change_schema(change);
        }
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("which directory?")?;
    let users: u64 = arguments
        .next()
        .map_or(Ok(USERS_DEFAULT), |text| text.parse())?;
    let way = arguments.next().unwrap_or_else(|| "load".to_owned());
    let rows_max: u64 = arguments
        .next()
        .map_or(Ok(ROWS_DEFAULT), |text| text.parse())?;
    let mut options = Options::default();
    options.limits.mutations_max = 10_000_000;
    options.limits.request_bytes_max = 1 << 30;
    let database = Database::open(Path::new(&dir), options, Arc::new(SystemClock::new()))?;
    define(&database)?;
    let (start, start_cpu) = (Instant::now(), process_seconds()?);
    let mut made_cpu = 0.0;
    let sum = std::thread::scope(|scope| {
        let (sender, requests) = sync_channel(REQUESTS_AHEAD);
        let database = &database;
        let sending = scope.spawn(move || send(database, &requests));
        let begun = thread_seconds()?;
        for first in (0..users).step_by(rows_max as usize) {
            let rows = rows(first, rows_max.min(users - first));
            let request = if way == "write" {
                Request::Write(WriteRequest {
                    mutations: mutations(&rows),
                    unknown_tags: UnknownTags::Define,
                    idempotency_key: None,
                })
            } else {
                Request::Load(rows)
            };
            if sender.send(request).is_err() {
                break;
            }
        }
        made_cpu = thread_seconds()? - begun;
        drop(sender);
        sending.join().map_err(|_| "the sender panicked")?
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = process_seconds()? - start_cpu - made_cpu;
    let per_user = |seconds: f64| seconds * 1e6 / users as f64;
    println!(
        "{way}: {} users, {} facts in {seconds:.1} s: {:.0} users/s, {:.0} facts/s",
        sum.users_changed,
        sum.facts_changed,
        users as f64 / seconds,
        sum.facts_changed as f64 / seconds,
    );
    println!(
        "processors: {:.1} µs a user, and {:.1} for making it up",
        per_user(cpu),
        per_user(made_cpu)
    );
    let bytes = settle(&database)?;
    let cpu = process_seconds()? - start_cpu - made_cpu;
    println!(
        "settled after {:.1} s: {:.1} µs a user, {:.1} bytes a user on disk",
        start.elapsed().as_secs_f64(),
        per_user(cpu),
        bytes as f64 / users as f64
    );
    database.close()?;
    Ok(())
}
