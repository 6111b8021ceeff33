//! Every limit of a session.

use tessera_protocol::message::{ClientMessage, FailureCode, Mutation, RequestId, ServerMessage};

use crate::{
    client::{Client, PLENTY, execute, write},
    fake::start,
};

fn ensure(user: &str) -> Mutation {
    Mutation::Ensure {
        user: user.to_owned(),
    }
}

#[tokio::test]
async fn no_more_requests_under_way_than_allowed() {
    let mut fixture = start(|config| config.limits.requests_in_flight_max = 2).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    for (id, name) in [(1, "hold a"), (2, "hold b")] {
        client.request(id, PLENTY, execute(name)).await;
        fixture.started(name).await;
    }
    client.request(3, PLENTY, execute("number 1")).await;
    assert_eq!(client.failure(3).await, FailureCode::Overloaded);
    fixture.engine.release("a");
    assert!(client.answer(1).await.is_ok());
    assert!(client.execute(3, "number 1").await.is_ok());
    // The limit is a connection's own.
    let mut other = Client::connect(fixture.server.addr()).await;
    assert!(other.execute(1, "number 1").await.is_ok());
}

#[tokio::test]
async fn requests_take_no_more_memory_than_allowed() {
    let mut fixture = start(|config| {
        config.limits.frame_bytes_max = "8KiB".parse().unwrap();
        config.limits.request_bytes_in_flight_max = "8KiB".parse().unwrap();
    })
    .await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    let mut other = Client::connect(fixture.server.addr()).await;
    let long = format!("number {}1", "0".repeat(8170));
    other.request(1, PLENTY, execute(&long)).await;
    assert_eq!(other.failure(1).await, FailureCode::Overloaded);
    fixture.engine.release("a");
    assert!(client.answer(1).await.is_ok());
    assert!(other.execute(1, &long).await.is_ok());
}

#[tokio::test]
async fn a_statement_has_a_longest_length() {
    let fixture = start(|config| config.limits.statement_bytes_max = "10".parse().unwrap()).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    assert!(client.execute(1, "number 123").await.is_ok());
    let failure = client.execute(2, "number 1234").await.unwrap_err();
    assert_eq!(failure.code, FailureCode::LimitExceeded);
    assert_eq!(
        failure.message,
        "the statement has 11 bytes, more than the 10 allowed"
    );
}

#[tokio::test]
async fn a_write_has_a_most_of_mutations() {
    let fixture = start(|config| config.limits.mutations_max = 2).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client
        .request(1, 0, write(vec![ensure("a"), ensure("b")]))
        .await;
    assert!(client.answer(1).await.is_ok());
    client
        .request(2, 0, write(vec![ensure("a"), ensure("b"), ensure("c")]))
        .await;
    assert_eq!(client.failure(2).await, FailureCode::LimitExceeded);
    assert_eq!(fixture.engine.writes.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn no_more_statements_run_than_allowed_and_the_others_wait() {
    let mut fixture = start(|config| config.limits.statements_running_max = 1).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    let mut other = Client::connect(fixture.server.addr()).await;
    other.request(2, PLENTY, execute("number 1")).await;
    // Writes have places of their own.
    client.request(3, 0, write(vec![ensure("a")])).await;
    assert!(client.answer(3).await.is_ok());
    fixture.engine.release("a");
    fixture.ended("hold a", Ok(())).await;
    fixture.started("number 1").await;
    assert!(client.answer(1).await.is_ok());
    assert!(other.answer(2).await.is_ok());
}

#[tokio::test]
async fn a_frame_beyond_the_limit_ends_the_connection() {
    let mut fixture = start(|config| config.limits.frame_bytes_max = "8KiB".parse().unwrap()).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    client.send_bytes(&8193_u32.to_le_bytes()).await;
    assert_eq!(client.refused().await, FailureCode::Protocol);
    fixture.ended("hold a", Err("cancelled")).await;
}

#[tokio::test]
async fn what_is_not_allowed_now_ends_the_connection() {
    let fixture = start(|_| {}).await;
    let hello = tessera_protocol::handshake::hello("again");
    let mut client = Client::connect(fixture.server.addr()).await;
    client.send(&hello).await;
    assert_eq!(client.refused().await, FailureCode::Protocol);

    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    client.request(1, PLENTY, execute("number 1")).await;
    assert_eq!(client.refused().await, FailureCode::Protocol);

    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    client.send(&ClientMessage::Goodbye).await;
    client.request(2, PLENTY, execute("number 1")).await;
    assert_eq!(client.refused().await, FailureCode::Protocol);
}

#[tokio::test]
async fn credit_and_cancels_for_nobody_are_no_offence() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.credit(1, u32::MAX).await;
    client.cancel(1).await;
    client.request(1, u32::MAX, execute("rows 10")).await;
    for _ in 0..10 {
        client.credit(1, u32::MAX).await;
    }
    let header = client.receive().await;
    assert!(matches!(
        header,
        Some(ServerMessage::Header {
            id: RequestId(1),
            ..
        })
    ));
    assert_eq!(client.answer(1).await.unwrap().0.rows.len(), 10);
}
