//! Streams: how they are cut, and how they wait for their clients.

use tessera_protocol::message::{FailureCode, RequestId, ServerMessage};

use crate::{
    client::{Client, PLENTY, execute},
    fake::{Event, Fixture, start},
};

/// Reads the header and so many messages of rows, and gives their numbers of rows.
async fn rows_messages(client: &mut Client, messages: usize) -> usize {
    let mut rows_seen = 0;
    assert!(matches!(
        client.receive().await,
        Some(ServerMessage::Header { .. })
    ));
    for _ in 0..messages {
        match client.receive().await {
            Some(ServerMessage::Rows { rows, .. }) => rows_seen += rows.len(),
            other => panic!("{other:?}"),
        }
    }
    rows_seen
}

#[tokio::test]
async fn a_stream_is_cut_by_rows() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    let (answered, summary) = client.execute(1, "rows 2500").await.unwrap();
    assert_eq!(answered.messages, [1000, 1000, 500]);
    assert_eq!(summary.rows, 2500);
}

#[tokio::test]
async fn a_stream_is_cut_by_bytes() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    let (answered, _) = client.execute(1, "texts 5 100000").await.unwrap();
    assert_eq!(answered.messages, [2, 2, 1]);
    // A row that alone is larger than a message goes alone.
    let (answered, _) = client.execute(2, "texts 3 1000000").await.unwrap();
    assert_eq!(answered.messages, [1, 1, 1]);
}

#[tokio::test]
async fn a_row_that_no_frame_holds_fails_its_request_alone() {
    let fixture = start(|config| {
        config.limits.frame_bytes_max = "64KiB".parse().unwrap();
    })
    .await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("texts 3 70000")).await;
    assert_eq!(client.failure(1).await, FailureCode::LimitExceeded);
    assert!(client.execute(2, "texts 3 60000").await.is_ok());
}

#[tokio::test]
async fn a_stream_without_credit_waits_and_holds_up_nobody() {
    let fixture = start(|config| config.limits.statements_running_max = 1).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, 1, execute("rows 20000")).await;
    assert_eq!(rows_messages(&mut client, 1).await, 1000);
    // Even with one place for statements others are answered, on this connection and on others.
    for id in 2..10 {
        assert!(client.execute(id, "number 1").await.is_ok());
    }
    let mut other = Client::connect(fixture.server.addr()).await;
    assert!(other.execute(1, "rows 3000").await.is_ok());
    client.credit(1, 3).await;
    client.credit(77, 3).await;
    for _ in 0..3 {
        let rows = client.receive().await;
        assert!(
            matches!(
                rows,
                Some(ServerMessage::Rows {
                    id: RequestId(1),
                    ..
                })
            ),
            "{rows:?}"
        );
    }
    assert!(client.execute(2, "number 1").await.is_ok());
    client.credit(1, PLENTY).await;
    assert_eq!(client.answer(1).await.unwrap().0.rows.len(), 16_000);
}

#[tokio::test]
async fn without_any_credit_there_is_a_header_and_no_row() {
    let mut fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, 0, execute("rows 1")).await;
    assert_eq!(rows_messages(&mut client, 0).await, 0);
    fixture.started("rows 1").await;
    fixture.ended("rows 1", Ok(())).await;
    // The engine is done with it, the client is not.
    assert!(client.execute(2, "number 1").await.is_ok());
    client.credit(1, 1).await;
    assert_eq!(client.answer(1).await.unwrap().0.rows.len(), 1);
}

#[tokio::test]
async fn a_stream_that_waits_can_be_cancelled() {
    let mut fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, 1, execute("rows 100000")).await;
    assert_eq!(rows_messages(&mut client, 1).await, 1000);
    client.cancel(1).await;
    assert_eq!(client.failure(1).await, FailureCode::Cancelled);
    fixture.started("rows 100000").await;
    fixture
        .ended("rows 100000", Err("the receiver stopped reading"))
        .await;
}

#[tokio::test]
async fn a_stream_that_waits_too_long_ends() {
    let fixture = start(|config| config.limits.stall_timeout_ms = 30).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, 1, execute("rows 100000")).await;
    assert_eq!(client.failure(1).await, FailureCode::DeadlineExceeded);
    assert!(client.execute(1, "number 1").await.is_ok());
}

#[tokio::test]
async fn no_more_streams_wait_than_may() {
    let mut fixture = start(|config| config.limits.streams_waiting_max = 1).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, 0, execute("rows 100000")).await;
    assert_eq!(rows_messages(&mut client, 0).await, 0);
    fixture.started("rows 100000").await;
    client.request(2, 0, execute("rows 100000")).await;
    // One of the two finds no place to wait.
    let failed = loop {
        match client.receive().await {
            Some(ServerMessage::Failed { id, failure }) => {
                assert_eq!(failure.code, FailureCode::Overloaded);
                break id.0;
            }
            Some(ServerMessage::Header { .. }) => {}
            other => panic!("{other:?}"),
        }
    };
    let other = 3 - failed;
    client.credit(other, PLENTY).await;
    assert_eq!(client.answer(other).await.unwrap().0.rows.len(), 100_000);
}

/// Waits until so many statements of texts have failed.
async fn texts_failed(fixture: &mut Fixture, count: usize) {
    let mut failed = 0;
    while failed < count {
        if let Event::Ended(statement, Err(_)) = fixture.event().await
            && statement.starts_with("texts")
        {
            failed += 1;
        }
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_given_up_and_holds_up_nobody() {
    let mut fixture = start(|config| {
        config.limits.stall_timeout_ms = 200;
        config.limits.statements_running_max = 1;
    })
    .await;
    let mut deaf = Client::connect(fixture.server.addr()).await;
    for id in 0..3 {
        deaf.request(id, PLENTY, execute("texts 1000000 100000"))
            .await;
    }
    let mut other = Client::connect(fixture.server.addr()).await;
    for id in 0..20 {
        assert!(other.execute(id, "number 1").await.is_ok());
    }
    texts_failed(&mut fixture, 3).await;
}
