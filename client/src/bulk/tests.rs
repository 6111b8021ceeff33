//! The bulk writer against a server that refuses what it is told to refuse.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use tessera_protocol::message::{
    Failure, FailureCode, Request, RequestBody, ServerMessage, Summary,
};
use tokio::time::Instant;

use super::*;
use crate::{
    ClientOptions, Datum,
    fake_server::{FakeServer, Peer, failure, pair},
};

fn set(user: &str, value: i64) -> Mutation {
    set_named(user, "n", value)
}

fn set_named(user: &str, name: &str, value: i64) -> Mutation {
    Mutation::Set {
        user: user.to_owned(),
        values: vec![(name.to_owned(), Datum::Integer(value))],
    }
}

fn parts(request: Request) -> ([u8; 16], Vec<Mutation>) {
    match request.body {
        RequestBody::Write {
            idempotency_key: Some(key),
            mutations,
            ..
        } => (key, mutations),
        RequestBody::Load {
            idempotency_key: Some(key),
            rows,
            ..
        } => {
            let reader = rows.reader();
            let mutations = (0..rows.len()).flat_map(|row| reader.mutations(row));
            (key, mutations.collect())
        }
        RequestBody::LoadEvents {
            idempotency_key: Some(key),
            rows,
            ..
        } => {
            let tracks = (0..rows.len()).filter_map(|row| rows.track(row));
            (
                key,
                tracks
                    .map(|track| Mutation::Track(Box::new(track)))
                    .collect(),
            )
        }
        RequestBody::Ping
        | RequestBody::Execute { .. }
        | RequestBody::Write { .. }
        | RequestBody::Load { .. }
        | RequestBody::LoadEvents { .. } => panic!("not a write with a key"),
    }
}

fn value_of(mutation: &Mutation) -> i64 {
    let Mutation::Set { values, .. } = mutation else {
        panic!("not a set: {mutation:?}")
    };
    values[0].1.as_integer().unwrap()
}

/// Applies writes as a server would: all or none, one key once; negative values are refused,
/// and the refusal names the attribute.
#[derive(Default)]
struct Model {
    applied: Vec<(String, i64)>,
    keys: HashSet<[u8; 16]>,
    requests: usize,
    /// Longer batches are refused, where there is a limit.
    batch_max: Option<usize>,
    longest_batch: usize,
    batches: Vec<Vec<i64>>,
}

impl Model {
    fn answer(&mut self, request: Request) -> ServerMessage {
        let id = request.id;
        let (key, mutations) = parts(request);
        self.requests += 1;
        if self.batch_max.is_some_and(|max| mutations.len() > max) {
            let failure = failure(FailureCode::LimitExceeded);
            return ServerMessage::Failed { id, failure };
        }
        self.longest_batch = self.longest_batch.max(mutations.len());
        self.batches.push(mutations.iter().map(value_of).collect());
        if let Some(bad) = mutations.iter().find(|mutation| value_of(mutation) < 0) {
            let failure = refusal_of(bad);
            return ServerMessage::Failed { id, failure };
        }
        if self.keys.insert(key) {
            let change = |mutation: &Mutation| (user_of(mutation).to_owned(), value_of(mutation));
            self.applied.extend(mutations.iter().map(change));
        }
        let users_changed = mutations.len() as u64;
        ServerMessage::End {
            id,
            summary: Summary {
                users_changed,
                ..Summary::default()
            },
        }
    }
}

fn refusal_of(mutation: &Mutation) -> Failure {
    let Mutation::Set { values, .. } = mutation else {
        panic!("not a set: {mutation:?}")
    };
    Failure {
        message: format!("{} must not be negative", values[0].0),
        ..failure(FailureCode::TypeMismatch)
    }
}

async fn serve(mut peer: Peer, model: Arc<Mutex<Model>>) {
    while let Ok(request) = peer.request().await {
        let answer = model.lock().unwrap().answer(request);
        peer.send(answer).await.unwrap();
    }
}

fn serving(mut server: FakeServer) -> Arc<Mutex<Model>> {
    let model = Arc::<Mutex<Model>>::default();
    let shared = Arc::clone(&model);
    tokio::spawn(async move {
        while let Ok(peer) = server.accept().await {
            tokio::spawn(serve(peer, Arc::clone(&shared)));
        }
    });
    model
}

fn small(lanes: usize) -> BulkOptions {
    BulkOptions {
        batch_mutations_max: 10,
        lanes,
        ..BulkOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn bad_changes_are_set_aside_and_all_others_applied_in_order() {
    let (client, server) = pair(ClientOptions::default());
    let model = serving(server);
    let mut bulk = client.bulk(&small(3));
    let bad = [0, 7, 8, 55, 99_usize];
    for index in 0..100_usize {
        let number = i64::try_from(index).unwrap();
        let value = if bad.contains(&index) {
            -number - 1
        } else {
            number
        };
        let given = bulk
            .push(set(&format!("u{}", index % 7), value))
            .await
            .unwrap();
        assert_eq!(given, index as u64);
    }
    let mut report = bulk.finish().await;
    report.refusals.sort_by_key(|refusal| refusal.index);
    let refused: Vec<_> = report
        .refusals
        .iter()
        .map(|refusal| refusal.index as usize)
        .collect();
    assert_eq!(refused, bad);
    assert_eq!(report.refusals[1].mutation, set("u0", -8));
    assert_eq!(report.refusals[1].failure, refusal_of(&set("u0", -8)));
    assert_eq!(report.refusals[1].together, 7..8);
    let totals = report.totals;
    assert_eq!(
        (totals.given, totals.applied, totals.refused, totals.failed),
        (100, 95, 5, 0)
    );
    assert_eq!(totals.users_changed, 95);
    assert!(report.failures.is_empty());
    let model = model.lock().unwrap();
    assert_eq!(model.applied.len(), 95);
    assert!(model.longest_batch <= 10);
    let mut last: HashMap<&str, i64> = HashMap::new();
    for (user, value) in &model.applied {
        let before = last.insert(user, *value);
        assert!(
            before.is_none_or(|before| before < *value),
            "{user}: {before:?} then {value}"
        );
    }
}

/// A row for each value: the user is the value's last digit, the attribute `n`.
fn rows_of(values: impl Iterator<Item = i64>) -> LoadRows {
    let mut keys = tessera_protocol::load::PackedTexts::default();
    let numbers: Vec<i64> = values
        .inspect(|value| {
            keys.push(&format!("u{}", value.unsigned_abs() % 10))
                .unwrap();
        })
        .collect();
    let column = tessera_protocol::load::LoadColumn::Numbers {
        attribute: "n".to_owned(),
        form: tessera_protocol::load::NumberForm::Integer,
        present: tessera_protocol::load::presence(numbers.iter().map(|_| true)),
        numbers,
    };
    LoadRows {
        keys,
        columns: vec![column],
    }
}

/// Gives rows, a change and rows again, some of them bad; checks what becomes of them. Gives how
/// many requests that took.
async fn check_rows(version_max: u16) -> usize {
    let (client, mut server) = pair(ClientOptions::default());
    server.speak_at_most(version_max);
    server.offer_mut().mutations_max = 3_000;
    let model = serving(server);
    // Until it is connected the client cannot know how much the server takes.
    model.lock().unwrap().batch_max = Some(3_000);
    let mut bulk = client.bulk(&BulkOptions {
        batch_mutations_max: 1_000,
        ..small(2)
    });
    let bad = [1_i64, 1_234, 4_999];
    let value = |number: i64| {
        if bad.contains(&number) {
            -number
        } else {
            number
        }
    };
    let first = bulk.push_rows(rows_of((0..5_000).map(value))).await;
    assert_eq!(first.unwrap(), 0..5_000);
    assert_eq!(bulk.push(set("u3", 5_000)).await.unwrap(), 5_000);
    let second = bulk.push_rows(rows_of((5_001..6_000).map(value))).await;
    assert_eq!(second.unwrap(), 5_001..6_000);
    assert_eq!(
        bulk.push_rows(LoadRows::default()).await.unwrap(),
        6_000..6_000
    );
    let mut report = bulk.finish().await;
    report.refusals.sort_by_key(|refusal| refusal.index);
    for (refusal, index) in report.refusals.iter().zip(bad) {
        let place = index as u64;
        assert_eq!(
            (refusal.index, refusal.together.clone()),
            (place, place..place + 1)
        );
        assert_eq!(refusal.mutation, set(&format!("u{}", index % 10), -index));
        assert_eq!(refusal.failure, refusal_of(&refusal.mutation));
    }
    let totals = report.totals;
    assert_eq!(
        (totals.given, totals.applied, totals.refused, totals.failed),
        (6_000, 5_997, 3, 0)
    );
    let model = model.lock().unwrap();
    assert_eq!(model.applied.len(), 5_997);
    assert!(model.longest_batch <= 3_000);
    let mut last: HashMap<&str, i64> = HashMap::new();
    for (user, value) in &model.applied {
        let before = last.insert(user, *value);
        assert!(before.is_none_or(|before| before < *value), "{user}");
    }
    model.requests
}

#[tokio::test(start_paused = true)]
async fn bad_rows_are_set_aside_and_all_others_applied_in_order() {
    assert!(check_rows(2).await > 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_knows_no_rows_is_sent_changes() {
    check_rows(1).await;
}

#[tokio::test(start_paused = true)]
async fn good_rows_take_a_request_a_lane() {
    let (client, server) = pair(ClientOptions::default());
    let model = serving(server);
    let mut bulk = client.bulk(&small(2));
    bulk.push_rows(rows_of(0..900)).await.unwrap();
    assert_eq!(bulk.finish().await.totals.applied, 900);
    assert_eq!(model.lock().unwrap().requests, 2);
}

#[tokio::test(start_paused = true)]
async fn rows_that_do_not_fit_together_are_an_error_at_once() {
    let (client, _server) = pair(ClientOptions::default());
    let mut bulk = client.bulk(&small(2));
    let mut rows = rows_of(0..3);
    (0..6).for_each(|_| rows.keys.push("one more").unwrap());
    let error = bulk.push_rows(rows).await.unwrap_err();
    assert!(matches!(error, Error::Rows(_)), "{error}");
    assert_eq!(bulk.finish().await.totals.given, 0);
}

#[tokio::test(start_paused = true)]
async fn refusals_can_be_taken_as_they_come() {
    let (client, server) = pair(ClientOptions::default());
    serving(server);
    let (sender, refusals) = std::sync::mpsc::channel();
    let mut bulk = client.bulk_with(&small(2), move |refusal| sender.send(refusal).unwrap());
    bulk.push(set("a", 1)).await.unwrap();
    bulk.push(set("b", -1)).await.unwrap();
    bulk.flush().await.unwrap();
    assert_eq!(refusals.try_recv().map(|refusal| refusal.index), Ok(1));
    assert_eq!(bulk.totals().applied, 1);
    let report = bulk.finish().await;
    assert!(report.refusals.is_empty());
    assert_eq!(report.totals.refused, 1);
}

#[tokio::test(start_paused = true)]
async fn kept_refusals_have_a_limit() {
    let (client, server) = pair(ClientOptions::default());
    serving(server);
    let mut bulk = client.bulk(&BulkOptions {
        refusals_kept_max: 2,
        ..small(1)
    });
    for _ in 0..5 {
        bulk.push(set("a", -1)).await.unwrap();
    }
    let report = bulk.finish().await;
    assert_eq!((report.totals.refused, report.refusals.len()), (5, 2));
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_longer_than_the_interval() {
    let (client, mut server) = pair(ClientOptions::default());
    let mut bulk = client.bulk(&small(1));
    let started = Instant::now();
    bulk.push(set("a", 1)).await.unwrap();
    let mut peer = server.accept().await.unwrap();
    let request = peer.request().await.unwrap();
    assert_eq!(started.elapsed().as_millis() / 10, 5);
    peer.end(request.id).await.unwrap();
    assert_eq!(bulk.finish().await.totals.applied, 1);
}

#[tokio::test(start_paused = true)]
async fn batches_are_bounded_by_bytes_too() {
    let (client, server) = pair(ClientOptions::default());
    let model = serving(server);
    let options = BulkOptions {
        batch_bytes_max: 100,
        ..small(1)
    };
    let mut bulk = client.bulk(&options);
    for _ in 0..9 {
        bulk.push(set(&"u".repeat(50), 1)).await.unwrap();
    }
    // One that is longer than a whole batch goes alone.
    bulk.push(set(&"v".repeat(5000), 1)).await.unwrap();
    assert_eq!(bulk.finish().await.totals.applied, 10);
    assert!(model.lock().unwrap().longest_batch <= 2);
}

#[tokio::test(start_paused = true)]
async fn as_many_batches_as_lanes_are_under_way() {
    let (client, mut server) = pair(ClientOptions::default());
    let mut bulk = client.bulk(&small(4));
    for number in 0..40 {
        bulk.push(set(&format!("u{number}"), 1)).await.unwrap();
    }
    let mut peer = server.accept().await.unwrap();
    let mut under_way = Vec::new();
    while let Ok(Ok(request)) = tokio::time::timeout(Duration::from_secs(1), peer.request()).await {
        under_way.push(request.id);
    }
    assert_eq!(under_way.len(), 4);
    for id in under_way {
        peer.end(id).await.unwrap();
    }
    drop(bulk);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_does_not_apply_a_batch_twice() {
    let (client, mut server) = pair(ClientOptions::default());
    let mut bulk = client.bulk(&small(1));
    bulk.push(set("a", 1)).await.unwrap();
    let mut peer = server.accept().await.unwrap();
    let (first, _) = parts(peer.request().await.unwrap());
    drop(peer);
    let mut peer = server.accept().await.unwrap();
    let request = peer.request().await.unwrap();
    let id = request.id;
    assert_eq!(parts(request).0, first);
    peer.end(id).await.unwrap();
    assert_eq!(bulk.finish().await.totals.applied, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_stops_the_writer_and_everything_is_told() {
    let (client, mut server) = pair(ClientOptions::default());
    let mut bulk = client.bulk(&small(1));
    for number in 0..15 {
        bulk.push(set("a", number)).await.unwrap();
    }
    let mut peer = server.accept().await.unwrap();
    let id = peer.request().await.unwrap().id;
    peer.fail(id, FailureCode::Storage).await.unwrap();
    let error = bulk.flush().await.unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    assert_eq!(
        error.failure().map(|failure| failure.code),
        Some(FailureCode::Storage)
    );
    assert!(matches!(
        bulk.push(set("a", 1)).await,
        Err(Error::Stopped(_))
    ));
    let report = bulk.finish().await;
    assert_eq!(
        (
            report.totals.given,
            report.totals.failed,
            report.totals.applied
        ),
        (15, 15, 0)
    );
    let told: Vec<u64> = report
        .failures
        .iter()
        .flat_map(|failed| failed.indices.clone())
        .collect();
    assert_eq!(told, (0..15).collect::<Vec<_>>());
    assert!(matches!(report.failures[0].error, Error::Refused(_)));
    assert!(matches!(report.failures[1].error, Error::Stopped(_)));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_fits_no_frame_is_refused_alone() {
    let (client, mut server) = pair(ClientOptions::default());
    server.offer_mut().frame_bytes_max = 200;
    serving(server);
    let mut bulk = client.bulk(&small(1));
    bulk.push(set("a", 1)).await.unwrap();
    bulk.push(set(&"x".repeat(300), 1)).await.unwrap();
    bulk.push(set("b", 1)).await.unwrap();
    let report = bulk.finish().await;
    assert_eq!((report.totals.applied, report.totals.refused), (2, 1));
    assert_eq!(report.refusals[0].index, 1);
    assert_eq!(report.refusals[0].failure.code, FailureCode::LimitExceeded);
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_limit_on_changes_holds() {
    let (client, mut server) = pair(ClientOptions::default());
    server.offer_mut().mutations_max = 3;
    let model = serving(server);
    client.server().await.unwrap();
    let mut bulk = client.bulk(&small(1));
    for number in 0..20 {
        bulk.push(set("a", number)).await.unwrap();
    }
    assert_eq!(bulk.finish().await.totals.applied, 20);
    let model = model.lock().unwrap();
    assert_eq!(model.longest_batch, 3);
    assert!(model.applied.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn changes_given_together_are_applied_or_refused_as_a_whole() {
    let (client, server) = pair(ClientOptions::default());
    let model = serving(server);
    let mut bulk = client.bulk(&small(2));
    let mut expected = Vec::new();
    for unit in 0..30_i64 {
        let (user, is_bad) = (format!("u{}", unit % 4), unit % 7 == 3);
        let value = |place: i64| {
            let value = unit * 3 + place;
            if is_bad && place > 0 { -value } else { value }
        };
        let together = vec![
            set_named(&user, "a", value(0)),
            set_named(&user, "b", value(1)),
            set_named(&user, "c", value(2)),
        ];
        let places = bulk.push_together(together).await.unwrap();
        assert_eq!(places, unit as u64 * 3..unit as u64 * 3 + 3);
        if is_bad {
            expected.push((places, set_named(&user, "b", value(1))));
        }
    }
    let mut report = bulk.finish().await;
    report.refusals.sort_by_key(|refusal| refusal.index);
    let refused: Vec<_> = report
        .refusals
        .iter()
        .map(|refusal| (refusal.together.clone(), refusal.mutation.clone()))
        .collect();
    assert_eq!(refused, expected);
    for refusal in &report.refusals {
        assert_eq!(refusal.index, refusal.together.start + 1);
    }
    let totals = report.totals;
    assert_eq!(
        (totals.given, totals.applied, totals.refused, totals.failed),
        (90, 78, 12, 0)
    );
    let model = model.lock().unwrap();
    assert!(model.longest_batch <= 10);
    assert_eq!(model.applied.len(), 78);
    assert_never_parted(&model.batches, 3);
}

/// Checks that batches hold whole units of so many changes, whose values count on.
fn assert_never_parted(batches: &[Vec<i64>], unit: usize) {
    for batch in batches {
        let (units, rest) = (batch.chunks_exact(unit), batch.len() % unit);
        assert_eq!(rest, 0, "{batch:?}");
        for values in units {
            let first = values[0].abs();
            assert_eq!(first % unit as i64, 0, "{batch:?}");
            for (place, value) in values.iter().enumerate() {
                assert_eq!(value.abs(), first + place as i64, "{batch:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_longer_than_a_batch_goes_alone() {
    let (client, server) = pair(ClientOptions::default());
    let model = serving(server);
    let mut bulk = client.bulk(&small(1));
    bulk.push(set("a", 0)).await.unwrap();
    let long = (1..=25).map(|value| set("a", value)).collect();
    assert_eq!(bulk.push_together(long).await.unwrap(), 1..26);
    bulk.push(set("a", 26)).await.unwrap();
    assert_eq!(bulk.push_together(Vec::new()).await.unwrap(), 27..27);
    bulk.flush().await.unwrap();
    assert_eq!(bulk.finish().await.totals.applied, 27);
    let model = model.lock().unwrap();
    let lengths: Vec<_> = model.batches.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1, 25, 1]);
    assert!(model.applied.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_limit_does_not_part_a_unit() {
    let (client, mut server) = pair(ClientOptions::default());
    server.offer_mut().mutations_max = 3;
    let model = serving(server);
    client.server().await.unwrap();
    let mut bulk = client.bulk(&small(1));
    for unit in 0..8 {
        let together = vec![set("a", unit * 2), set("a", unit * 2 + 1)];
        bulk.push_together(together).await.unwrap();
    }
    assert_eq!(bulk.finish().await.totals.applied, 16);
    let model = model.lock().unwrap();
    assert_eq!(model.longest_batch, 2);
    assert_never_parted(&model.batches, 2);
}
