//! Stopping in order.

use tessera_protocol::message::{ClientMessage, FailureCode, ServerMessage};
use tokio::net::TcpStream;

use crate::{
    client::{Client, PLENTY, execute, write},
    fake::{Event, Fixture, Writing, start},
};

#[tokio::test]
async fn what_is_under_way_ends_and_nothing_new_begins() {
    let mut fixture = start(|_| {}).await;
    let address = fixture.server.addr();
    let mut client = Client::connect(address).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    let Fixture {
        server,
        engine,
        mut events,
    } = fixture;
    let stopping = tokio::spawn(server.shutdown());
    assert_eq!(client.receive().await, Some(ServerMessage::Closing));
    client.request(2, PLENTY, execute("number 1")).await;
    assert_eq!(client.failure(2).await, FailureCode::Closing);
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!stopping.is_finished());
    engine.release("a");
    assert!(client.answer(1).await.is_ok());
    assert_eq!(client.receive().await, None);
    drop(client);
    stopping.await.unwrap().unwrap();
    assert_eq!(
        events.recv().await,
        Some(Event::Ended("hold a".to_owned(), Ok(())))
    );
    assert_eq!(events.recv().await, Some(Event::Closed));
}

#[tokio::test]
async fn a_write_under_way_is_seen_through() {
    let mut fixture = start(|_| {}).await;
    *fixture.engine.writing.lock().unwrap() = Writing::Held;
    let mut client = Client::connect(fixture.server.addr()).await;
    let mut gone = Client::connect(fixture.server.addr()).await;
    for client in [&mut client, &mut gone] {
        client.request(1, 0, write(Vec::new())).await;
        fixture.started("write").await;
    }
    // Nobody waits for its outcome any more, but the store stays open for it.
    drop(gone);
    let Fixture {
        server,
        engine,
        mut events,
    } = fixture;
    let stopping = tokio::spawn(server.shutdown());
    assert_eq!(client.receive().await, Some(ServerMessage::Closing));
    assert!(!stopping.is_finished());
    engine.release_writes();
    assert!(client.answer(1).await.is_ok());
    assert_eq!(client.receive().await, None);
    drop(client);
    stopping.await.unwrap().unwrap();
    let ended = Event::Ended("write".to_owned(), Ok(()));
    assert_eq!(events.recv().await, Some(ended.clone()));
    assert_eq!(events.recv().await, Some(ended));
    assert_eq!(events.recv().await, Some(Event::Closed));
}

#[tokio::test]
async fn a_goodbye_after_the_closing_is_heard() {
    let mut fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    for (id, name) in [(1, "hold a"), (2, "hold b")] {
        client.request(id, PLENTY, execute(name)).await;
        fixture.started(name).await;
    }
    let Fixture {
        server,
        engine,
        mut events,
    } = fixture;
    let stopping = tokio::spawn(server.shutdown());
    assert_eq!(client.receive().await, Some(ServerMessage::Closing));
    client.cancel(2).await;
    client.send(&ClientMessage::Goodbye).await;
    client.half_close().await;
    assert_eq!(client.failure(2).await, FailureCode::Cancelled);
    let cancelled = Err("cancelled".to_owned());
    assert_eq!(
        events.recv().await,
        Some(Event::Ended("hold b".to_owned(), cancelled))
    );
    engine.release("a");
    assert!(client.answer(1).await.is_ok());
    assert_eq!(client.receive().await, None);
    drop(client);
    stopping.await.unwrap().unwrap();
    assert_eq!(
        events.recv().await,
        Some(Event::Ended("hold a".to_owned(), Ok(())))
    );
}

#[tokio::test]
async fn idle_connections_are_told_and_closed() {
    let fixture = start(|_| {}).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    let stopping = tokio::spawn(fixture.server.shutdown());
    assert_eq!(client.receive_all().await, [ServerMessage::Closing]);
    drop(client);
    stopping.await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_that_cross_the_closing_of_an_idle_connection_are_refused() {
    let fixture = start(|config| config.limits.idle_timeout_ms = 1).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    assert_eq!(client.receive().await, Some(ServerMessage::Closing));
    client.request(1, PLENTY, execute("number 1")).await;
    assert_eq!(client.failure(1).await, FailureCode::Closing);
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn a_connection_that_has_said_nothing_is_refused() {
    let fixture = start(|_| {}).await;
    let address = fixture.server.addr();
    // Answered, so the one before it is accepted too.
    let mut silent = Client::silent(address).await;
    let _welcome = Client::connect(address).await;
    let stopping = tokio::spawn(fixture.server.shutdown());
    assert_eq!(silent.refused().await, FailureCode::Closing);
    drop((silent, _welcome));
    stopping.await.unwrap().unwrap();
}

#[tokio::test]
async fn after_the_grace_period_requests_are_stopped() {
    let mut fixture = start(|config| config.shutdown_grace_ms = 20).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, PLENTY, execute("hold a")).await;
    fixture.started("hold a").await;
    let Fixture {
        server, mut events, ..
    } = fixture;
    let stopping = tokio::spawn(server.shutdown());
    assert_eq!(client.receive().await, Some(ServerMessage::Closing));
    assert_eq!(client.failure(1).await, FailureCode::Closing);
    drop(client);
    stopping.await.unwrap().unwrap();
    let cancelled = Err("cancelled".to_owned());
    assert_eq!(
        events.recv().await,
        Some(Event::Ended("hold a".to_owned(), cancelled))
    );
    assert_eq!(events.recv().await, Some(Event::Closed));
}

#[tokio::test]
async fn a_client_that_neither_reads_nor_goes_does_not_keep_the_server() {
    let mut fixture = start(|config| config.shutdown_grace_ms = 20).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client
        .request(1, PLENTY, execute("texts 1000000 100000"))
        .await;
    fixture.started("texts 1000000 100000").await;
    fixture.server.shutdown().await.unwrap();
    let Some(Event::Ended(_, outcome)) = fixture.events.recv().await else {
        panic!("the statement did not end first");
    };
    assert!(outcome.is_err());
    assert_eq!(fixture.events.recv().await, Some(Event::Closed));
}
