//! A server that is killed under load, again and again, loses nothing it acknowledged and does
//! nothing by halves.
//!
//! Every writer keeps a ledger of what was acknowledged and of the one request whose answer it
//! did not see. After each kill the store must agree with the ledgers, in the users' records, in
//! the bitmaps and in the columns.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{collections::BTreeMap, net::SocketAddr, sync::mpsc::Sender};

use rand::{Rng, SeedableRng, rngs::StdRng};
use tessera_protocol::message::{Datum, Mutation, RequestBody, Summary, UnknownTags};
use tessera_tests::{
    kill::load_and_kill,
    server_process::ServerProcess,
    wire::{Wire, WireError},
};

const KILLS: usize = 22;
const WRITERS: u64 = 4;
/// Users that each writer writes to.
const USERS: u64 = 40;
/// Users that one request writes to.
const USERS_A_REQUEST: u64 = 3;
const PHASES: u64 = 4;
/// Users who hold the tag that is merged; every second holds the other one, too.
const HOLDERS: u32 = 2_000;
const MERGES: usize = 8;
/// Forms that are submitted before each kill, and kills.
const SUBMISSIONS: u32 = 40;
const SUBMITTED_KILLS: u32 = 8;

/// A request: the same number in several users, and the phase that follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Round {
    writer: u64,
    number: u64,
}

impl Round {
    fn users(self) -> impl Iterator<Item = String> {
        let Self { writer, number } = self;
        (0..USERS_A_REQUEST).map(move |at| format!("w{writer}-{}", (number * 7 + at * 11) % USERS))
    }

    fn phase(number: u64) -> String {
        format!("phase-{}", number % PHASES)
    }

    fn idempotency_key(self) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.writer.to_le_bytes());
        key[8..].copy_from_slice(&self.number.to_le_bytes());
        key
    }

    fn body(self) -> RequestBody {
        let mutations = self.users().flat_map(|user| {
            let number = Datum::Integer(i64::try_from(self.number).unwrap());
            [
                Mutation::Set {
                    user: user.clone(),
                    values: vec![("round".to_owned(), number)],
                },
                Mutation::Tag {
                    user,
                    tags: vec![Self::phase(self.number)],
                },
            ]
        });
        RequestBody::Write {
            idempotency_key: Some(self.idempotency_key()),
            unknown_tags: UnknownTags::Refuse,
            mutations: mutations.collect(),
        }
    }
}

/// What a writer knows.
#[derive(Debug, Default)]
struct Ledger {
    /// The number that each user must have.
    acknowledged: BTreeMap<String, u64>,
    /// The last request that was answered, and its answer.
    last: Option<(Round, Summary)>,
    /// The request whose answer was not seen.
    pending: Option<Round>,
    next_number: u64,
}

impl Ledger {
    fn acknowledge(&mut self, round: Round, summary: Summary) {
        self.acknowledged
            .extend(round.users().map(|user| (user, round.number)));
        self.last = Some((round, summary));
        self.pending = None;
    }
}

/// Writes until the connection is lost.
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
            number: ledger.next_number,
        };
        ledger.next_number += 1;
        ledger.pending = Some(round);
        match wire.request(round.body()) {
            Ok(answer) => ledger.acknowledge(round, answer.summary),
            Err(WireError::Lost(_)) => return ledger,
            Err(WireError::Refused(failure)) => panic!("{failure:?}"),
        }
        // Nobody counts any more once the server is being killed.
        acknowledgements.send(()).ok();
    }
}

/// What the store says of every user: the number and the tags.
fn stored(wire: &mut Wire) -> BTreeMap<String, (u64, Vec<String>)> {
    let answer = wire.execute("SEGMENT ALL RETURN round, TAGS").unwrap();
    answer
        .rows
        .into_iter()
        .map(|row| match <[Datum; 3]>::try_from(row).unwrap() {
            [Datum::Text(key), Datum::Integer(number), Datum::List(tags)] => {
                (key, (u64::try_from(number).unwrap(), tags))
            }
            other => panic!("half a user: {other:?}"),
        })
        .collect()
}

/// Whether the store agrees with a ledger; gives whether the pending request was done.
fn check_ledger(
    stored: &BTreeMap<String, (u64, Vec<String>)>,
    writer: u64,
    ledger: &Ledger,
) -> bool {
    let pending: Vec<String> = ledger
        .pending
        .iter()
        .flat_map(|round| round.users())
        .collect();
    let number = |user: &String| stored.get(user).map(|(number, _)| *number);
    let done = ledger
        .pending
        .is_some_and(|round| number(&pending[0]) == Some(round.number));
    for user in (0..USERS).map(|at| format!("w{writer}-{at}")) {
        let expected = match ledger.pending {
            Some(round) if done && pending.contains(&user) => Some(round.number),
            Some(_) | None => ledger.acknowledged.get(&user).copied(),
        };
        assert_eq!(
            number(&user),
            expected,
            "{user}, with the unanswered {:?} done: {done}",
            ledger.pending
        );
    }
    done
}

/// The bitmaps and columns must say the same as the records they were derived from.
fn check_derived(wire: &mut Wire, stored: &BTreeMap<String, (u64, Vec<String>)>) {
    for phase in 0..PHASES {
        let tag = Round::phase(phase);
        let expected = stored
            .values()
            .filter(|(number, _)| Round::phase(*number) == tag)
            .count();
        assert_eq!(
            wire.count(&format!("tag:{tag}")).unwrap(),
            expected as i64,
            "{tag}"
        );
    }
    for (key, (number, tags)) in stored {
        assert_eq!(tags, &[Round::phase(*number)], "{key}");
    }
    let mut numbers: Vec<u64> = stored.values().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    let middle = numbers.get(numbers.len() / 2).copied().unwrap_or(0);
    let expected = numbers.iter().filter(|number| **number >= middle).count();
    assert_eq!(
        wire.count(&format!("round >= {middle}")).unwrap(),
        expected as i64
    );
    assert_eq!(wire.count("ALL").unwrap(), stored.len() as i64);
    let sum = wire
        .execute("DIMENSION group:phase MEASURE sum(round)")
        .unwrap();
    let total: i64 = sum
        .rows
        .iter()
        .map(|row| {
            if let Datum::Integer(sum) = row[1] {
                sum
            } else {
                0
            }
        })
        .sum();
    assert_eq!(
        total,
        numbers.iter().map(|number| *number as i64).sum::<i64>()
    );
}

/// Sends again what was sent before the crash: what was acknowledged changes nothing, what was
/// not is done once.
fn retry(wire: &mut Wire, ledger: &mut Ledger) {
    if let Some((round, summary)) = &ledger.last {
        let again = wire.request(round.body()).unwrap().summary;
        assert_eq!(
            (again.users_changed, again.facts_changed),
            (summary.users_changed, summary.facts_changed),
            "the answer to a repeated request is the first one's"
        );
    }
    if let Some(round) = ledger.pending {
        let answer = wire.request(round.body()).unwrap();
        ledger.acknowledge(round, answer.summary);
    }
}

fn define(server: SocketAddr) {
    let mut wire = Wire::connect(server).unwrap();
    wire.execute("DEFINE ATTRIBUTE round INTEGER").unwrap();
    wire.execute("DEFINE GROUP phase EXCLUSIVE").unwrap();
    for phase in 0..PHASES {
        wire.execute(&format!("DEFINE TAG phase-{phase} IN GROUP phase"))
            .unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_done_by_halves() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let mut ledgers: Vec<Ledger> = (0..WRITERS).map(|_| Ledger::default()).collect();
    let mut server = ServerProcess::start_with(directory.path(), &["--partitions", "3"]);
    define(server.address());
    let mut done_unanswered = 0;
    for _ in 0..KILLS {
        let requests = random.random_range(1..250);
        ledgers = load_and_kill(server, ledgers, requests, write_until_killed);
        server = ServerProcess::start(directory.path());
        let mut wire = Wire::connect(server.address()).unwrap();
        let before = stored(&mut wire);
        for (writer, ledger) in (0..).zip(&ledgers) {
            done_unanswered += usize::from(check_ledger(&before, writer, ledger));
        }
        check_derived(&mut wire, &before);
        for (writer, ledger) in (0..).zip(&mut ledgers) {
            retry(&mut wire, ledger);
            let after = stored(&mut wire);
            check_ledger(&after, writer, ledger);
        }
        let after = stored(&mut wire);
        check_derived(&mut wire, &after);
    }
    let acknowledged: u64 = ledgers.iter().map(|ledger| ledger.next_number).sum();
    println!(
        "{KILLS} kills, {acknowledged} requests, {done_unanswered} of the unanswered were done"
    );
}

/// Asks for several things at once, lets the server go on for a while, and kills it.
fn ask_and_kill(server: ServerProcess, wire: &mut Wire, statements: &[String], pings: usize) {
    for statement in statements {
        let body = RequestBody::Execute {
            statement: statement.clone(),
            parameters: Vec::new(),
        };
        wire.ask(body).unwrap();
    }
    for _ in 0..pings {
        wire.ping().unwrap();
    }
    server.kill();
}

/// Whether the tags `a` and `b` were merged, of which everything must say the same.
fn is_merged(wire: &mut Wire) -> bool {
    let is_merged = wire.execute("SHOW TAGS").unwrap().rows.len() == 1;
    let holders = i64::from(HOLDERS);
    let of_b = if is_merged { holders } else { holders / 2 };
    // Under its former name, too.
    assert_eq!(wire.count("tag:a").unwrap(), holders);
    assert_eq!(wire.count("tag:b").unwrap(), of_b);
    assert_eq!(wire.count("segment:named").unwrap(), holders);
    let needs_b = wire.execute("USAGES TAG b").unwrap().rows.len();
    assert_eq!(needs_b, 2 * usize::from(is_merged));
    let users = wire.execute("SEGMENT ALL RETURN TAGS").unwrap().rows;
    for row in users {
        let [Datum::Text(user), Datum::List(mut tags)] = <[Datum; 2]>::try_from(row).unwrap()
        else {
            panic!("half a user");
        };
        tags.sort_unstable();
        let number: u32 = user.trim_start_matches('u').parse().unwrap();
        let expected: &[&str] = match (is_merged, number % 2) {
            (true, _) => &["b"],
            (false, 0) => &["a", "b"],
            (false, _) => &["a"],
        };
        assert_eq!(tags, expected, "{user}");
    }
    is_merged
}

#[test]
fn a_merge_is_done_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(11);
    let mut server = ServerProcess::start_with(directory.path(), &["--partitions", "3"]);
    let mut wire = Wire::connect(server.address()).unwrap();
    wire.execute("DEFINE TAG b").unwrap();
    let mut done_unanswered = 0;
    for _ in 0..MERGES {
        wire.execute("DEFINE TAG a").unwrap();
        wire.execute("SAVE SEGMENT named AS tag:a").unwrap();
        wire.execute("DEFINE FORM f (x BOOLEAN SETS TAG (true: a))")
            .unwrap();
        let holders = (0..HOLDERS).map(|user| Mutation::Tag {
            user: format!("u{user}"),
            tags: match user % 2 {
                0 => vec!["a".to_owned(), "b".to_owned()],
                _ => vec!["a".to_owned()],
            },
        });
        wire.write(None, holders.collect()).unwrap();
        let merge = "MERGE TAG a INTO b";
        let pings = random.random_range(0..60);
        ask_and_kill(server, &mut wire, &[merge.to_owned()], pings);
        server = ServerProcess::start(directory.path());
        wire = Wire::connect(server.address()).unwrap();
        if is_merged(&mut wire) {
            done_unanswered += 1;
        } else {
            wire.execute(merge).unwrap();
            assert!(is_merged(&mut wire));
        }
        // And from the beginning: the former name is free again.
        wire.execute("UNTAG WHERE tag:b WITH b").unwrap();
        wire.execute("DROP TAG a").unwrap();
        wire.execute("DROP FORM f").unwrap();
    }
    println!("{done_unanswered} of {MERGES} merges were done without an answer");
}

#[test]
fn a_form_is_submitted_whole_and_once_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(12);
    let mut server = ServerProcess::start_with(directory.path(), &["--partitions", "3"]);
    let mut wire = Wire::connect(server.address()).unwrap();
    for statement in [
        "DEFINE ATTRIBUTE gender ENUM",
        "DEFINE EVENT bought (what TEXT)",
        "DEFINE TAG pro",
        "DEFINE FORM welcome (gender ENUM REQUIRED SETS ATTRIBUTE gender, \
         plan (pro, free) SETS TAG (pro: pro), what TEXT SETS EVENT bought.what)",
    ] {
        wire.execute(statement).unwrap();
    }
    let whole = "gender:f AND tag:pro AND count(bought) = 1";
    for kill in 0..SUBMITTED_KILLS {
        let submission = |number: u32| {
            format!(
                "SUBMIT FORM welcome FOR \"u{kill}-{number}\" \
                 WITH gender = f, plan = pro, what = x ID \"once\""
            )
        };
        let submissions: Vec<String> = (0..SUBMISSIONS).map(submission).collect();
        let pings = random.random_range(0..40);
        ask_and_kill(server, &mut wire, &submissions, pings);
        server = ServerProcess::start(directory.path());
        wire = Wire::connect(server.address()).unwrap();
        assert_eq!(wire.count(whole).unwrap(), wire.count("ALL").unwrap());
        // Those that were taken are taken once.
        for submission in &submissions {
            wire.execute(submission).unwrap();
        }
        let expected = i64::from((kill + 1) * SUBMISSIONS);
        assert_eq!(wire.count(whole).unwrap(), expected);
        assert_eq!(wire.count("ALL").unwrap(), expected);
    }
}
