//! What users did, told to a real server over a socket: one by one, many at once, and from files.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{fs, net::SocketAddr, path::Path};

use tempfile::TempDir;
use tessera_client::{
    BulkOptions, Client, ClientOptions, Datum, Error, EventColumn, EventRows, FailureCode,
    NumberForm, PackedTexts, Summary, Track, UnknownUsers, Write,
    expr::{Window, event},
    presence,
};
use tessera_tests::{program::run, server_process::ServerProcess};

/// 2026-06-30T12:00:00Z, at which the server's clock stands still.
const NOON: i64 = 1_782_820_800_000_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

const DEFINITION: &str =
    "DEFINE EVENT purchase (amount DECIMAL(2), channel ENUM (ads, shop), note TEXT)";

fn start(directory: &Path) -> ServerProcess {
    ServerProcess::start_with(directory, &["--clock", "2026-06-30T12:00:00Z"])
}

async fn connect(server: SocketAddr) -> Client {
    let options = ClientOptions::default();
    Client::connect(server.to_string(), options).await.unwrap()
}

/// A purchase so long before the server's noon.
fn purchase(user: &str, before: i64) -> Track {
    Track::new(user, "purchase").at(NOON - before)
}

fn changed(summary: &Summary) -> (u64, u64) {
    (summary.users_changed, summary.facts_changed)
}

async fn count(client: &Client, window: Window, least: i64) -> u64 {
    let often = event("purchase").within(window).count().from(least);
    client.count(&often).await.unwrap()
}

#[track_caller]
fn refused(result: Result<Summary, Error>, code: FailureCode, message: &str) {
    match result {
        Err(Error::Refused(failure)) => {
            assert_eq!(failure.code, code, "{failure:?}");
            assert!(failure.message.contains(message), "{failure:?}");
        }
        other => assert_eq!(format!("{other:?}"), message),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_tracked_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path());
    let client = connect(server.address()).await;
    client.execute(DEFINITION, ()).await.unwrap();
    let now = Track::new("ada", "purchase").with("amount", Datum::decimal(1250, 2));
    assert_eq!(changed(&client.track(now).await.unwrap()), (1, 1));
    // Late, and later still.
    for (before, expected) in [(40 * DAY, 1), (3 * DAY, 2), (400 * DAY, 2)] {
        let late = purchase("ada", before).with("channel", "ads");
        assert_eq!(changed(&client.track(late).await.unwrap()), (1, 1));
        assert_eq!(
            count(&client, Window::days(10), expected).await,
            1,
            "{before}"
        );
    }
    assert_eq!(count(&client, Window::years(2), 4).await, 1);
    // The same id again changes nothing, whatever else it says and whoever has it too.
    let first = purchase("bob", DAY).id("order-1");
    assert_eq!(changed(&client.track(first).await.unwrap()), (1, 1));
    let again = purchase("bob", 2 * DAY).id("order-1").with("note", "again");
    assert_eq!(changed(&client.track(again).await.unwrap()), (0, 0));
    let of_another = purchase("cleo", DAY).id("order-1");
    assert_eq!(changed(&client.track(of_another).await.unwrap()), (1, 1));
    // Clocks differ by an hour at most.
    let ahead = purchase("ada", -HOUR);
    assert_eq!(changed(&client.track(ahead).await.unwrap()), (1, 1));
    let misfit = FailureCode::TypeMismatch;
    let future = client.track(purchase("ada", -HOUR - 1)).await;
    refused(future, misfit, "cannot have been at");
    let unknown = client.track(purchase("ada", 0).with("colour", "red")).await;
    refused(
        unknown,
        FailureCode::UnknownName,
        "no property named \"colour\"",
    );
    let wrong = client
        .track(purchase("ada", 0).with("amount", "much"))
        .await;
    refused(wrong, misfit, "amount");
    let long = client.track(purchase("ada", 0).id("x".repeat(257))).await;
    refused(long, misfit, "cannot be the id");
    let nothing = client.track(Track::new("ada", "nothing")).await;
    refused(
        nothing,
        FailureCode::UnknownName,
        "no event named \"nothing\"",
    );
    // All or none.
    let half = Write::new()
        .track(purchase("dan", 0))
        .tag("dan", ["vip"])
        .track(purchase("eve", 0).with("amount", "much"));
    assert!(client.write(half.defining_tags()).await.is_err());
    assert_eq!(count(&client, Window::years(2), 1).await, 3);
    let write = Write::new()
        .track(purchase("dan", 0))
        .track(purchase("dan", 1));
    for _ in 0..2 {
        // The same write again, under its key.
        assert_eq!(changed(&client.write(write.clone()).await.unwrap()), (1, 2));
    }
    assert_eq!(count(&client, Window::days(1), 2).await, 2);
}

/// So many purchases, the n-th of the user n modulo 100.
fn purchases(count: usize) -> EventRows {
    let mut users = PackedTexts::default();
    let mut ids = PackedTexts::default();
    for user in 0..100 {
        users.push(&format!("u{user}")).unwrap();
    }
    for number in 0..count {
        ids.push(&format!("e{number}")).unwrap();
    }
    let rows = 0..count;
    EventRows {
        event: "purchase".to_owned(),
        users,
        of: rows.clone().map(|row| row as u32 % 100).collect(),
        times_us: rows
            .clone()
            .map(|row| NOON - row as i64 * HOUR / 10)
            .collect(),
        ids: Some(ids),
        columns: vec![
            EventColumn::Numbers {
                property: "amount".to_owned(),
                form: NumberForm::Decimal { scale: 2 },
                present: presence(rows.clone().map(|row| row % 2 == 0)),
                numbers: rows
                    .clone()
                    .filter(|row| row % 2 == 0)
                    .map(|row| row as i64)
                    .collect(),
            },
            EventColumn::Coded {
                property: "channel".to_owned(),
                dictionary: vec![Datum::from("ads"), Datum::from("shop")],
                codes: rows.map(|row| row as u32 % 3).collect(),
            },
        ],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_events_travel_together_and_bad_ones_are_set_aside() {
    const EVENTS: usize = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path());
    let client = connect(server.address()).await;
    client.execute(DEFINITION, ()).await.unwrap();
    let mut bad = purchases(EVENTS);
    // Of the future, and of no user.
    bad.times_us[17] = NOON + 2 * HOUR;
    bad.users.push("").unwrap();
    bad.of[4_711] = 100;
    let mut bulk = client.bulk(&BulkOptions::default());
    assert_eq!(bulk.push_events(bad).await.unwrap(), 0..EVENTS as u64);
    let report = bulk.finish().await;
    let mut refused: Vec<u64> = report
        .refusals
        .iter()
        .map(|refusal| refusal.index)
        .collect();
    refused.sort_unstable();
    assert_eq!(refused, [17, 4_711]);
    assert_eq!(report.totals.facts_changed, EVENTS as u64 - 2);
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert_eq!(count(&client, Window::years(3), 200).await, 98);
    // Again: only those that were refused are new. Now in many small batches.
    let all = purchases(EVENTS);
    let mut bulk = client.bulk(&BulkOptions::default());
    for first in (0..EVENTS as u32).step_by(500) {
        let places: Vec<u32> = (first..first + 500).collect();
        bulk.push_events(all.select(&places)).await.unwrap();
    }
    let report = bulk.finish().await;
    assert_eq!(
        (report.totals.applied, report.totals.facts_changed),
        (EVENTS as u64, 2)
    );
    assert_eq!(count(&client, Window::years(3), 200).await, 100);
    // Nobody is made where that is not wanted.
    let strict = BulkOptions {
        unknown_users: UnknownUsers::Refuse,
        ..BulkOptions::default()
    };
    let mut strangers = purchases(300);
    strangers.ids = None;
    strangers.users.push("stranger").unwrap();
    strangers.of[7..9].fill(100);
    let mut bulk = client.bulk(&strict);
    bulk.push_events(strangers).await.unwrap();
    let report = bulk.finish().await;
    assert_eq!(
        (report.totals.refused, report.totals.facts_changed),
        (2, 298)
    );
    assert_eq!(count(&client, Window::years(3), 1).await, 100);
}

const MAPPING: &str = r#"
    key = "user"
    [[event]]
    column = "event"
    time = "time"
    id = "id"
    map = { buy = "purchase" }
    unknown_users = "create"
    [[event.property]]
    column = "amount"
    type = "decimal"
    scale = 2
    of = ["purchase"]
    [[event.property]]
    column = "channel"
    type = "enum"
    of = ["purchase"]
"#;

fn file(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn files_of_events_are_imported() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory.path().join("data"));
    let events = "user,event,time,id,amount,channel\n\
        ada,login,2026-06-30T10:00:00Z,,,\n\
        ada,buy,2026-06-30T10:05:00Z,o1,12.50,ads\n\
        bob,buy,2025-01-01T00:00:00Z,o2,3,shop\n\
        bob,buy,soon,o3,3,shop\n\
        bob,buy,2026-07-30T00:00:00Z,o4,3,shop\n\
        ada,buy,2026-06-30T10:06:00Z,o1,99,ads\n";
    let (events, mapping) = (
        file(&directory, "events.csv", events),
        file(&directory, "map.toml", MAPPING),
    );
    let import = || {
        run(
            server.address(),
            &["import", &events, "--mapping", &mapping],
        )
        .well()
    };
    let first = import();
    assert!(first.output.contains("rows: 6\n"), "{}", first.output);
    // The same id twice is one purchase.
    assert!(
        first.output.contains("changes of facts: 3\n"),
        "{}",
        first.output
    );
    assert!(first.output.contains("rejected: 2\n"), "{}", first.output);
    for told in [
        "line 5, column 3 (time)",
        "line 6: purchase of user \"bob\"",
    ] {
        assert!(first.complaints.contains(told), "{}", first.complaints);
    }
    let rejects = fs::read_to_string(format!("{events}.rejects.csv")).unwrap();
    assert!(
        rejects.contains("\"bob,buy,2026-07-30T00:00:00Z,o4,3,shop\""),
        "{rejects}"
    );
    let answer = |statement: &str| {
        let run = run(server.address(), &["exec", "--format", "csv", statement]).well();
        run.output.lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(answer("COUNT count(purchase, 2y) >= 1"), "2");
    assert_eq!(answer("COUNT sum(purchase.amount) = 12.50"), "1");
    assert_eq!(answer("COUNT did:login[1d]"), "1");
    assert_eq!(answer("COUNT last(purchase).channel:shop"), "1");
    // Only the login, which has no id, counts again.
    let second = import();
    assert!(
        second.output.contains("changes of facts: 1\n"),
        "{}",
        second.output
    );
    // Another type is an error before anything is sent.
    let other = MAPPING.replace("\"decimal\"\n    scale = 2", "\"integer\"");
    let other = file(&directory, "other.toml", &other);
    let refused = run(server.address(), &["import", &events, "--mapping", &other]);
    assert_eq!(refused.status, 1);
    assert!(
        refused
            .complaints
            .contains("is defined with amount as decimal(2)"),
        "{}",
        refused.complaints
    );
}
