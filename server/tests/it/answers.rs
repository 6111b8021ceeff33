//! Requests and what comes back.

use tessera_engine::{datum, write as engine};
use tessera_protocol::message::{
    ClientMessage, Datum, FailureCode, Mutation, RequestBody, RequestId, ServerMessage, UnknownTags,
};

use crate::{
    client::{Client, PLENTY, execute, load, load_events, write},
    fake::{Writing, config, start},
};

#[tokio::test]
async fn a_statement_is_answered_with_header_rows_and_end() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    let (answered, summary) = client.execute(1, "number 42").await.unwrap();
    assert_eq!(answered.rows, [[Datum::Integer(42)]]);
    assert_eq!(summary.rows, 1);
    assert!(summary.elapsed_us > 0);
}

#[tokio::test]
async fn a_ping_is_answered() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(9, 0, RequestBody::Ping).await;
    assert_eq!(client.answer(9).await.unwrap().1.rows, 0);
}

#[tokio::test]
async fn a_write_reaches_the_engine_as_it_was_sent() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    let body = RequestBody::Write {
        idempotency_key: Some([7; 16]),
        unknown_tags: UnknownTags::Define,
        mutations: vec![
            Mutation::Tag {
                user: "u".to_owned(),
                tags: vec!["t".to_owned()],
            },
            Mutation::Set {
                user: "u".to_owned(),
                values: vec![("age".to_owned(), Datum::Integer(3))],
            },
        ],
    };
    client.request(1, 0, body).await;
    assert_eq!(client.answer(1).await.unwrap().1.users_changed, 2);
    let writes = fixture.engine.writes.lock().unwrap();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].idempotency_key, Some([7; 16]));
    assert_eq!(writes[0].unknown_tags, engine::UnknownTags::Define);
    let set = engine::Mutation::Set {
        user: "u".to_owned(),
        values: vec![("age".to_owned(), datum::Datum::Integer(3))],
    };
    assert_eq!(writes[0].mutations[1], set);
}

/// A short one and one that is decoded beside the connections, with others after it.
#[tokio::test]
async fn a_load_reaches_the_engine_as_it_was_sent() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    for (id, rows) in [(1, 3), (2, 50_000)] {
        client.request(id, 0, load(rows)).await;
        client.request(100 + id, 0, RequestBody::Ping).await;
        let mut changed = Vec::new();
        for _ in 0..2 {
            match client.receive().await {
                Some(ServerMessage::End { id, summary }) => {
                    changed.push((id.0, summary.users_changed));
                }
                other => panic!("{other:?}"),
            }
        }
        changed.sort_unstable();
        assert_eq!(changed, [(id, u64::from(rows)), (100 + id, 0)]);
    }
    let loads = fixture.engine.loads.lock().unwrap();
    let load = &loads[1];
    assert_eq!(load.idempotency_key, Some([7; 16]));
    assert_eq!(load.keys.at(49_999), Some("u49999"));
    let ages = engine::LoadColumn::Numbers {
        attribute: "age".to_owned(),
        form: engine::NumberForm::Integer,
        present: vec![0xff; 50_000 / 8],
        numbers: (0..50_000).collect(),
    };
    assert_eq!(load.columns, [ages]);
}

#[tokio::test]
async fn a_load_of_events_reaches_the_engine_as_it_was_sent() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    for (id, events) in [(1, 2), (2, 50_000)] {
        client.request(id, 0, load_events(events)).await;
        match client.receive().await {
            Some(ServerMessage::End { summary, .. }) => {
                assert_eq!(summary.facts_changed, u64::from(events));
            }
            other => panic!("{other:?}"),
        }
    }
    let loads = fixture.engine.event_loads.lock().unwrap();
    let load = &loads[1];
    assert_eq!(load.idempotency_key, Some([7; 16]));
    assert_eq!(load.unknown_users, engine::UnknownUsers::Refuse);
    assert_eq!(
        (load.event.as_str(), load.users.at(1)),
        ("login", Some("bob"))
    );
    assert_eq!((load.of[49_999], load.times_us[49_999]), (1, 49_999));
    let last = load.ids.as_ref().and_then(|ids| ids.at(49_999));
    assert_eq!(last, Some("e49999"));
}

#[tokio::test]
async fn what_the_engine_refuses_the_client_is_told() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    assert_eq!(
        client.execute(1, "missing").await.unwrap_err().code,
        FailureCode::UnknownCursor
    );
    assert!(client.execute(2, "number 1").await.is_ok());
}

#[tokio::test]
async fn answers_overtake() {
    let mut fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    for id in 2..50 {
        assert!(client.execute(id, "number 1").await.is_ok());
    }
    fixture.engine.release("a");
    assert!(client.answer(1).await.is_ok());
}

#[tokio::test]
async fn an_id_is_free_again_once_answered() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    for _ in 0..200 {
        assert!(client.execute(1, "number 1").await.is_ok());
    }
}

#[tokio::test]
async fn a_cancelled_request_ends_as_cancelled() {
    let mut fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    // Nobody has such a request; it may just have ended.
    client.cancel(5).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    client.cancel(1).await;
    client.cancel(1).await;
    assert_eq!(client.failure(1).await, FailureCode::Cancelled);
    fixture.ended("hold a", Err("cancelled")).await;
    assert!(client.execute(1, "number 1").await.is_ok());
}

#[tokio::test]
async fn a_request_that_waits_for_a_place_can_be_cancelled() {
    let mut fixture = start(|config| config.limits.statements_running_max = 1).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    client.request(2, PLENTY, execute("hold b")).await;
    client.cancel(2).await;
    assert_eq!(client.failure(2).await, FailureCode::Cancelled);
    fixture.engine.release("a");
    assert!(client.answer(1).await.is_ok());
    fixture.ended("hold a", Ok(())).await;
}

#[tokio::test]
async fn a_request_ends_at_its_deadline() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client
        .request_within(1, PLENTY, 20, execute("hold a"))
        .await;
    assert_eq!(client.failure(1).await, FailureCode::DeadlineExceeded);
}

#[tokio::test]
async fn no_request_outlives_the_servers_own_deadline() {
    let fixture = start(|config| config.limits.request_timeout_ms = 20).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request_within(1, PLENTY, 0, execute("hold a")).await;
    assert_eq!(client.failure(1).await, FailureCode::DeadlineExceeded);
    client
        .request_within(2, PLENTY, 1_000_000, execute("hold a"))
        .await;
    assert_eq!(client.failure(2).await, FailureCode::DeadlineExceeded);
}

#[tokio::test]
async fn a_client_that_goes_takes_its_requests_along() {
    let mut fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    drop(client);
    fixture.ended("hold a", Err("cancelled")).await;
}

#[tokio::test]
async fn after_goodbye_what_is_under_way_is_answered() {
    let mut fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, 0, execute("rows 5000")).await;
    client.request(2, PLENTY, execute("hold a")).await;
    fixture.started("rows 5000").await;
    fixture.started("hold a").await;
    client.send(&ClientMessage::Goodbye).await;
    // Credit may still come.
    client.credit(1, PLENTY).await;
    assert_eq!(client.answer(1).await.unwrap().0.rows.len(), 5000);
    client.half_close().await;
    fixture.engine.release("a");
    assert!(client.answer(2).await.is_ok());
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn goodbye_with_nothing_under_way_closes() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.send(&ClientMessage::Goodbye).await;
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn an_engine_that_panics_takes_nobody_along() {
    let mut fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    for id in 2..5 {
        client.request(id, PLENTY, execute("panic")).await;
        assert_eq!(client.failure(id).await, FailureCode::Internal);
    }
    fixture.engine.release("a");
    assert!(client.answer(1).await.is_ok());
    fixture.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let mut fixture = start(|config| config.limits.idle_timeout_ms = 30).await;
    let address = fixture.server.addr();
    let mut busy = Client::connect(address).await;
    busy.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    for _ in 0..3 {
        let mut idle = Client::connect(address).await;
        assert_eq!(idle.receive_all().await, [ServerMessage::Closing]);
    }
    fixture.engine.release("a");
    assert!(busy.answer(1).await.is_ok());
    assert_eq!(busy.receive_all().await, [ServerMessage::Closing]);
}

#[tokio::test]
async fn many_connections_write_at_once() {
    let fixture = start(|_| {}).await;
    let address = fixture.server.addr();
    let mut tasks = Vec::new();
    for number in 0..32 {
        tasks.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            for id in 0..20 {
                let user = format!("{number}-{id}");
                client
                    .request(id, 0, write(vec![Mutation::Ensure { user }]))
                    .await;
            }
            let mut ids = Vec::new();
            while ids.len() < 20 {
                match client.receive().await {
                    Some(ServerMessage::End {
                        id: RequestId(id), ..
                    }) => ids.push(id),
                    other => panic!("{other:?}"),
                }
            }
            ids.sort_unstable();
            assert_eq!(ids, (0..20).collect::<Vec<_>>());
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(fixture.engine.writes.lock().unwrap().len(), 640);
}

#[tokio::test]
async fn a_write_that_goes_wrong_gives_its_place_back() {
    let fixture = start(|config| config.limits.writes_running_max = 1).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    let check = [
        (Writing::Refused, FailureCode::Overloaded),
        (Writing::Forgotten, FailureCode::Internal),
        (Writing::Panics, FailureCode::Internal),
    ];
    for (id, (writing, expected)) in (1..).zip(check) {
        *fixture.engine.writing.lock().unwrap() = writing;
        client.request(id, 0, write(Vec::new())).await;
        assert_eq!(client.failure(id).await, expected, "{writing:?}");
    }
    *fixture.engine.writing.lock().unwrap() = Writing::Applied;
    client.request(9, 0, write(Vec::new())).await;
    assert!(client.answer(9).await.is_ok());
}

#[test]
fn there_is_a_thread_for_every_statement() {
    let config = config();
    assert_eq!(config.blocking_threads_max(), 64 + 256 + 4 + 8);
}
