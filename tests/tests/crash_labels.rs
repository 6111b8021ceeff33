//! A server that is killed while events are tracked, forms submitted and tags merged loses nothing
//! of it that it acknowledged, does nothing of it by halves, and nothing twice.
//!
//! Each writer takes the same few steps again and again, so that what must be there follows from
//! how many it has taken. After each kill the store must agree with that number, or with the next
//! one if that step was under way.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::mpsc::Sender,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use tessera_protocol::message::{Datum, FailureCode, Mutation, RequestBody, Track};
use tessera_tests::{
    kill::load_and_kill,
    server_process::ServerProcess,
    wire::{Wire, WireError, write_body},
};

const KILLS: usize = 12;
const WRITERS: u64 = 3;
/// Users that each writer writes to.
const USERS: u64 = 20;
/// Users that one round is about.
const USERS_A_ROUND: u64 = 3;
/// Steps of a round.
const STEPS: u64 = 5;
/// Purchases from which on a rule gives a tag.
const KEEN: i64 = 2;

/// What a writer does in one round. Its steps are to define a tag, to track an event of each user
/// and give them the tag, to submit a form, to merge the tag into another, and to free its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Round {
    writer: u64,
    number: u64,
}

impl Round {
    fn users(self) -> impl Iterator<Item = String> {
        let Self { writer, number } = self;
        (0..USERS_A_ROUND).map(move |at| format!("w{writer}-{}", (number * 7 + at * 11) % USERS))
    }

    /// Who submits the form.
    fn submitter(self) -> String {
        self.users().next().unwrap()
    }

    /// What is answered, and with it the tag.
    fn plan(self) -> &'static str {
        match self.number % 2 {
            0 => "pro",
            _ => "free",
        }
    }

    fn amount(self) -> i64 {
        i64::try_from(self.number).unwrap()
    }

    fn tracks(self) -> impl Iterator<Item = Mutation> {
        self.users().map(move |user| {
            Mutation::Track(Box::new(Track {
                user,
                event: "purchase".to_owned(),
                id: Some(format!("round {}", self.number)),
                values: vec![("amount".to_owned(), Datum::Integer(self.amount()))],
                ..Track::default()
            }))
        })
    }

    fn submission(self) -> String {
        let Self { writer: _, number } = self;
        format!(
            "SUBMIT FORM join FOR \"{}\" WITH round = {number}, plan = {}, noted = {number} ID \"{number}\"",
            self.submitter(),
            self.plan()
        )
    }

    fn body(self, step: u64) -> RequestBody {
        let writer = self.writer;
        let statement = match step {
            0 => format!("DEFINE TAG fresh-{writer}"),
            1 => {
                let tags = [format!("fresh-{writer}"), format!("of-{writer}")];
                let given = self.users().map(|user| Mutation::Tag {
                    user,
                    tags: tags.to_vec(),
                });
                return write_body(None, self.tracks().chain(given).collect());
            }
            2 => self.submission(),
            3 => format!("MERGE TAG fresh-{writer} INTO base-{writer}"),
            _ => format!("DROP TAG fresh-{writer}"),
        };
        RequestBody::Execute {
            statement,
            parameters: Vec::new(),
        }
    }
}

/// What a writer knows.
#[derive(Debug, Clone, Copy, Default)]
struct Ledger {
    /// Steps that were acknowledged, or found to be done.
    done: u64,
}

fn write_until_killed(
    server: SocketAddr,
    writer: u64,
    mut ledger: Ledger,
    acknowledgements: &Sender<()>,
) -> Ledger {
    let Ok(mut wire) = Wire::connect(server) else {
        return ledger;
    };
    loop {
        let round = Round {
            writer,
            number: ledger.done / STEPS,
        };
        match wire.request(round.body(ledger.done % STEPS)) {
            Ok(_) => ledger.done += 1,
            Err(WireError::Lost(_)) => return ledger,
            Err(WireError::Refused(failure)) => panic!("{failure:?}"),
        }
        // Nobody counts any more once the server is being killed.
        acknowledgements.send(()).ok();
    }
}

/// What can be seen of a writer's work.
#[derive(Debug, Default, PartialEq)]
struct State {
    /// The last answer and the tags of each user.
    users: BTreeMap<String, (Option<i64>, BTreeSet<String>)>,
    /// How many users have bought so often.
    often: BTreeMap<i64, i64>,
    /// Users, purchases, the sum of their amounts, submissions, and the sum of their rounds.
    figures: Vec<i64>,
    /// How many hold the tag under the name that is merged away, if it means anything.
    fresh: Option<i64>,
    /// How many hold the tag it is merged into, the two of the form, and that of a rule.
    holders: [i64; 4],
}

impl State {
    /// As it must be after so many steps of a writer.
    fn after(writer: u64, done: u64) -> Self {
        let (rounds, step) = (done / STEPS, done % STEPS);
        let written = rounds + u64::from(step > 1);
        let submitted = rounds + u64::from(step > 2);
        let merged = rounds + u64::from(step > 3);
        let round = |number| Round { writer, number };
        let mut state = Self::default();
        let mut bought: BTreeMap<String, i64> = BTreeMap::new();
        let (mut spent, mut answered) = (0, 0);
        for number in 0..written {
            for user in round(number).users() {
                let (_, tags) = state.users.entry(user.clone()).or_default();
                tags.insert(format!("of-{writer}"));
                tags.insert(match number < merged {
                    true => format!("base-{writer}"),
                    false => format!("fresh-{writer}"),
                });
                *bought.entry(user).or_default() += 1;
                spent += round(number).amount();
            }
        }
        for number in 0..submitted {
            let round = round(number);
            let (answer, tags) = state.users.entry(round.submitter()).or_default();
            *answer = Some(round.amount());
            tags.retain(|tag| tag != "pro" && tag != "free");
            tags.insert(round.plan().to_owned());
            answered += round.amount();
        }
        for (user, count) in &bought {
            *state.often.entry(*count).or_default() += 1;
            if *count >= KEEN {
                let (_, tags) = state.users.entry(user.clone()).or_default();
                tags.insert("keen".to_owned());
            }
        }
        let counted = |count: u64| i64::try_from(count).unwrap();
        let purchases: i64 = bought.values().sum();
        state.figures = match state.users.len() {
            0 => Vec::new(),
            users => vec![users as i64, purchases, spent, counted(submitted), answered],
        };
        let holders = |tag: &str| {
            let tags = state.users.values().map(|(_, tags)| tags);
            tags.filter(|tags| tags.contains(tag)).count() as i64
        };
        let base = format!("base-{writer}");
        state.holders = [base.as_str(), "pro", "free", "keen"].map(holders);
        // What was merged is found under the name that it had, until that is given up.
        state.fresh = match step {
            0 => None,
            4 => Some(state.holders[0]),
            _ => Some(holders(&format!("fresh-{writer}"))),
        };
        state
    }

    /// As it is.
    fn observed(wire: &mut Wire, writer: u64) -> Self {
        let found = wire
            .execute(&format!("SEGMENT tag:of-{writer} RETURN answered, TAGS"))
            .unwrap();
        let users = found
            .rows
            .into_iter()
            .map(|row| match <[Datum; 3]>::try_from(row).unwrap() {
                [Datum::Text(key), Datum::Integer(answer), Datum::List(tags)] => {
                    (key, (Some(answer), tags.into_iter().collect()))
                }
                [Datum::Text(key), Datum::Null, Datum::List(tags)] => {
                    (key, (None, tags.into_iter().collect()))
                }
                other => panic!("half a user: {other:?}"),
            });
        let users = users.collect();
        let mut often = BTreeMap::new();
        for count in 1..=i64::try_from(USERS).unwrap() {
            let expr = format!("tag:of-{writer} AND count(purchase) = {count}");
            let users = wire.count(&expr).unwrap();
            if users > 0 {
                often.insert(count, users);
            }
        }
        let base = format!("base-{writer}");
        let holders = [base.as_str(), "pro", "free", "keen"].map(|tag| {
            let holders = format!("tag:of-{writer} AND tag:{tag}");
            wire.count(&holders).unwrap()
        });
        Self {
            users,
            often,
            figures: figures(wire, writer),
            fresh: match wire.count(&format!("tag:fresh-{writer}")) {
                Ok(count) => Some(count),
                Err(error) => {
                    assert_eq!(error.code(), FailureCode::UnknownName, "{error:?}");
                    None
                }
            },
            holders,
        }
    }
}

/// The figures of a writer's users and of what they did.
fn figures(wire: &mut Wire, writer: u64) -> Vec<i64> {
    let statement = format!(
        "DIMENSION tag:of-{writer} MEASURE count, count(purchase), sum(purchase.amount), \
         count(answer), sum(answer.round) WHERE tag:of-{writer}"
    );
    let rows = wire.execute(&statement).unwrap().rows;
    let numbers = rows.iter().flat_map(|row| &row[1..]);
    numbers
        .map(|figure| {
            let Datum::Integer(number) = figure else {
                panic!("no number but {figure:?}")
            };
            *number
        })
        .collect()
}

fn define(server: SocketAddr) {
    let mut wire = Wire::connect(server).unwrap();
    let mut statements = vec![
        "DEFINE ATTRIBUTE answered INTEGER".to_owned(),
        "DEFINE EVENT purchase (amount INTEGER)".to_owned(),
        "DEFINE EVENT answer (round INTEGER)".to_owned(),
        "DEFINE GROUP plan EXCLUSIVE".to_owned(),
        "DEFINE TAG pro IN GROUP plan".to_owned(),
        "DEFINE TAG free IN GROUP plan".to_owned(),
        format!("DEFINE TAG keen AS count(purchase) >= {KEEN}"),
        "DEFINE FORM join (round INTEGER REQUIRED SETS ATTRIBUTE answered, \
         plan (pro, free) SETS TAG (pro: pro, free: free), \
         noted INTEGER SETS EVENT answer.round)"
            .to_owned(),
    ];
    for writer in 0..WRITERS {
        statements.push(format!("DEFINE TAG of-{writer}"));
        statements.push(format!("DEFINE TAG base-{writer}"));
    }
    for statement in statements {
        wire.execute(&statement).unwrap();
    }
}

/// Finds out whether the step that was under way is done, and says again what was said last of
/// what must not be done twice.
fn recover(wire: &mut Wire, writer: u64, ledger: &mut Ledger) {
    let observed = State::observed(wire, writer);
    if observed == State::after(writer, ledger.done + 1) {
        ledger.done += 1;
    }
    let expected = State::after(writer, ledger.done);
    assert_eq!(observed, expected, "writer {writer} after {ledger:?}");
    let (rounds, step) = (ledger.done / STEPS, ledger.done % STEPS);
    let last = |count: u64| count.checked_sub(1).map(|number| Round { writer, number });
    if let Some(round) = last(rounds + u64::from(step > 1)) {
        let again = wire.write(None, round.tracks().collect()).unwrap().summary;
        assert_eq!((again.users_changed, again.facts_changed), (0, 0));
    }
    if let Some(round) = last(rounds + u64::from(step > 2)) {
        wire.execute(&round.submission()).unwrap();
    }
    let again = State::observed(wire, writer);
    assert_eq!(again, expected, "writer {writer}, said again");
}

#[test]
fn events_forms_and_merges_are_done_whole_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(11);
    let mut ledgers = vec![Ledger::default(); usize::try_from(WRITERS).unwrap()];
    let mut server = ServerProcess::start_with(directory.path(), &["--partitions", "3"]);
    define(server.address());
    for _ in 0..KILLS {
        let requests = random.random_range(1..40);
        ledgers = load_and_kill(server, ledgers, requests, write_until_killed);
        server = ServerProcess::start(directory.path());
        let mut wire = Wire::connect(server.address()).unwrap();
        for (writer, ledger) in (0..).zip(&mut ledgers) {
            recover(&mut wire, writer, ledger);
        }
    }
    let steps: u64 = ledgers.iter().map(|ledger| ledger.done).sum();
    println!("{KILLS} kills, {steps} steps");
}
