//! The real engine behind the server.

use std::sync::Arc;

use tempfile::TempDir;
use tessera_engine::time::SystemClock;
use tessera_protocol::message::{Datum, FailureCode, Mutation, Parameter, RequestBody};
use tessera_server::{Config, RunningServer, Server};

use crate::client::{Client, PLENTY, execute, write};

async fn start(data: &TempDir) -> RunningServer {
    start_with(data, |_| {}).await
}

async fn start_with(data: &TempDir, change: impl FnOnce(&mut Config)) -> RunningServer {
    let mut config = Config::new(data.path());
    change(&mut config);
    config.listen = "127.0.0.1:0".to_owned();
    config.memory_bytes = "64MiB".parse().unwrap();
    Server::start(config, Arc::new(SystemClock::new()))
        .await
        .unwrap()
}

async fn define(client: &mut Client) {
    for (id, statement) in ["DEFINE TAG vip", "DEFINE ATTRIBUTE age integer"]
        .into_iter()
        .enumerate()
    {
        client.execute(id as u64, statement).await.unwrap();
    }
}

fn user(number: i64) -> [Mutation; 2] {
    let user = format!("user-{number}");
    let tags = vec!["vip".to_owned()];
    let values = vec![("age".to_owned(), Datum::Integer(number % 100))];
    [
        Mutation::Tag {
            user: user.clone(),
            tags,
        },
        Mutation::Set { user, values },
    ]
}

#[tokio::test]
async fn what_is_written_is_found_and_survives_a_restart() {
    let data = TempDir::new().unwrap();
    let server = start(&data).await;
    let mut client = Client::connect(server.addr()).await;
    define(&mut client).await;
    client
        .request(1, 0, write((0..5000).flat_map(user).collect()))
        .await;
    assert_eq!(client.answer(1).await.unwrap().1.users_changed, 5000);
    let (answered, _) = client
        .execute(1, "COUNT tag:vip AND age:0..9")
        .await
        .unwrap();
    assert_eq!(answered.rows, [[Datum::Integer(500)]]);
    drop(client);
    server.shutdown().await.unwrap();

    let server = start(&data).await;
    let mut client = Client::connect(server.addr()).await;
    let statement = "COUNT tag:vip AND age <= $oldest".to_owned();
    let parameters = vec![Parameter {
        name: "oldest".to_owned(),
        value: Datum::Integer(9),
    }];
    client
        .request(
            1,
            PLENTY,
            RequestBody::Execute {
                statement,
                parameters,
            },
        )
        .await;
    assert_eq!(
        client.answer(1).await.unwrap().0.rows,
        [[Datum::Integer(500)]]
    );
    let (answered, summary) = client.execute(2, "SEGMENT tag:vip").await.unwrap();
    assert_eq!(answered.rows.len(), 5000);
    assert_eq!(summary.rows, 5000);
    drop(client);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn errors_of_the_engine_arrive_with_kind_place_and_hint() {
    let data = TempDir::new().unwrap();
    let server = start(&data).await;
    let mut client = Client::connect(server.addr()).await;
    define(&mut client).await;
    for (statement, code) in [
        ("COUNT", FailureCode::Syntax),
        ("COUNT age:old", FailureCode::TypeMismatch),
        ("COUNT referred_by(ALL)", FailureCode::UnknownName),
        ("DEFINE TAG vip", FailureCode::Conflict),
    ] {
        let failure = client.execute(1, statement).await.unwrap_err();
        assert_eq!(failure.code, code, "{statement}: {failure:?}");
    }
    let failure = client.execute(1, "COUNT tag:vp").await.unwrap_err();
    assert_eq!(failure.code, FailureCode::UnknownName);
    assert_eq!(failure.span, Some((10, 12)));
    assert!(failure.hint.is_some_and(|hint| hint.contains("vip")));
    drop(client);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stalled_segment_lets_others_read_and_write() {
    let data = TempDir::new().unwrap();
    let server = start(&data).await;
    let mut client = Client::connect(server.addr()).await;
    define(&mut client).await;
    client
        .request(1, 0, write((0..20_000).flat_map(user).collect()))
        .await;
    client.answer(1).await.unwrap();
    client.request(1, 0, execute("SEGMENT tag:vip")).await;
    assert!(client.receive().await.is_some());
    let mut other = Client::connect(server.addr()).await;
    other
        .request(
            1,
            0,
            write(vec![Mutation::DeleteUser {
                user: "user-7".to_owned(),
            }]),
        )
        .await;
    assert!(other.answer(1).await.is_ok());
    let (answered, _) = other.execute(2, "COUNT tag:vip").await.unwrap();
    assert_eq!(answered.rows, [[Datum::Integer(19_999)]]);
    // The stream shows the state in which it began.
    client.credit(1, PLENTY).await;
    assert_eq!(client.answer(1).await.unwrap().0.rows.len(), 20_000);
    drop((client, other));
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_limits_of_the_configuration_reach_the_engine() {
    let data = TempDir::new().unwrap();
    let server = start_with(&data, |config| {
        config.limits.depth_max = 2;
        config.limits.leaves_max = 3;
        config.limits.list_len_max = 2;
        config.limits.statement_bytes_max = "60".parse().unwrap();
    })
    .await;
    let mut client = Client::connect(server.addr()).await;
    for statement in [
        "COUNT ((ALL))",
        "COUNT ALL AND ALL AND ALL",
        "COUNT user:(a, b)",
    ] {
        assert!(client.execute(1, statement).await.is_ok(), "{statement}");
    }
    for statement in [
        "COUNT (((ALL)))",
        "COUNT ALL AND ALL AND ALL AND ALL",
        "COUNT user:(a, b, c)",
        "COUNT ALL                                                     ",
    ] {
        let failure = client.execute(1, statement).await.unwrap_err();
        assert_eq!(
            failure.code,
            FailureCode::LimitExceeded,
            "{statement}: {failure:?}"
        );
    }
    drop(client);
    server.shutdown().await.unwrap();
}
