//! Servers that are lost, closing, overloaded or not there: what is asked again, and when.

use tessera_protocol::message::ServerMessage;

use super::*;
use crate::error::Outcome;

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_on_a_closing_connection_goes_to_the_next_one() {
    let (client, mut server) = pair(options());
    server.offer_mut().requests_in_flight_max = 1;
    let first = ask(&client, "TAG \"u1\" WITH a");
    let second = ask(&client, "TAG \"u1\" WITH b");
    let mut old = server.accept().await.unwrap();
    let a = old.request().await.unwrap();
    old.send(ServerMessage::Closing).await.unwrap();
    old.end(a.id).await.unwrap();
    first.await.unwrap().unwrap();
    let mut new = server.accept().await.unwrap();
    let b = new.request().await.unwrap();
    assert_eq!(statement(&b), "TAG \"u1\" WITH b");
    new.end(b.id).await.unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn reads_are_repeated_on_another_connection() {
    let (client, mut server, mut peer) = connected().await;
    let asking = ask(&client, "COUNT tag:a");
    let id = peer.request().await.unwrap().id;
    peer.header(id, &["count"]).await.unwrap();
    drop(peer);
    let mut peer = server.accept().await.unwrap();
    let request = peer.request().await.unwrap();
    assert_eq!(statement(&request), "COUNT tag:a");
    peer.number(request.id, 5).await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap().rows, [[Datum::Integer(5)]]);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_done_twice_is_not_repeated() {
    let (client, mut server, mut peer) = connected().await;
    let asking = ask(&client, "TAG WHERE ALL WITH vip");
    peer.request().await.unwrap();
    drop(peer);
    let error = asking.await.unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            Error::ConnectionLost {
                outcome: Outcome::Unknown,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_connection());
    let writing = tokio::spawn({
        let write = Write::new().without_idempotency_key().ensure("u1");
        let client = client.clone();
        async move { client.write(write).await }
    });
    let mut peer = server.accept().await.unwrap();
    peer.request().await.unwrap();
    drop(peer);
    assert!(writing.await.unwrap().is_err());
    assert!(!server.has_arrival());
}

#[tokio::test(start_paused = true)]
async fn a_write_is_repeated_under_its_key() {
    let (client, mut server, mut peer) = connected().await;
    let writing = tokio::spawn(async move { client.tag("u1", ["vip"]).await });
    let first = peer.request().await.unwrap();
    drop(peer);
    let mut peer = server.accept().await.unwrap();
    let second = peer.request().await.unwrap();
    assert_eq!(first.body, second.body);
    assert!(matches!(
        first.body,
        RequestBody::Write {
            idempotency_key: Some(_),
            ..
        }
    ));
    let summary = Summary {
        facts_changed: 1,
        ..Summary::default()
    };
    peer.send(ServerMessage::End {
        id: second.id,
        summary,
    })
    .await
    .unwrap();
    assert_eq!(writing.await.unwrap().unwrap().facts_changed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_submission_is_repeated_under_its_id() {
    let (client, mut server, mut peer) = connected().await;
    let submit = |submission: Submission| {
        let client = client.clone();
        tokio::spawn(async move { client.submit_form(&submission).await })
    };
    let submitting = submit(Submission::new("f", "u1").answer("x", 1).id("k"));
    let first = peer.request().await.unwrap();
    drop(peer);
    let mut peer = server.accept().await.unwrap();
    let second = peer.request().await.unwrap();
    assert_eq!(first.body, second.body);
    peer.end(second.id).await.unwrap();
    submitting.await.unwrap().unwrap();
    // What has no id might be done twice.
    let submitting = submit(Submission::new("f", "u1"));
    peer.request().await.unwrap();
    drop(peer);
    assert!(submitting.await.unwrap().is_err());
    assert!(!server.has_arrival());
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_server_is_asked_again_later() {
    let (client, _server, mut peer) = connected().await;
    let started = Instant::now();
    let asking = ask(&client, "TAG WHERE ALL WITH vip");
    for _ in 0..3 {
        let id = peer.request().await.unwrap().id;
        peer.fail(id, FailureCode::Overloaded).await.unwrap();
    }
    let id = peer.request().await.unwrap().id;
    peer.end(id).await.unwrap();
    asking.await.unwrap().unwrap();
    let waited_ms = started.elapsed().as_millis();
    assert!((350..=703).contains(&waited_ms), "{waited_ms} ms");
    let asking = ask(&client, "COUNT ALL");
    let id = peer.request().await.unwrap().id;
    peer.fail(id, FailureCode::Syntax).await.unwrap();
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.failure(), Some(&failure(FailureCode::Syntax)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_is_tried_less_and_less_often() {
    let (client, mut server) = pair(options());
    server.refuse_next(4);
    let started = Instant::now();
    let asking = ask(&client, "TAG WHERE ALL WITH vip");
    let mut peer = server.accept().await.unwrap();
    let waited_ms = started.elapsed().as_millis();
    assert!((750..=1504).contains(&waited_ms), "{waited_ms} ms");
    let id = peer.request().await.unwrap().id;
    peer.end(id).await.unwrap();
    asking.await.unwrap().unwrap();
    drop(peer);
    server.refuse_next(100);
    let error = ask(&client, "COUNT ALL").await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_closing_server_answers_what_is_under_way() {
    let (client, mut server, mut old) = connected().await;
    let first = ask(&client, "COUNT tag:a");
    let id = old.request().await.unwrap().id;
    old.send(ServerMessage::Closing).await.unwrap();
    // Let the client hear it before it is asked again.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let second = ask(&client, "COUNT tag:b");
    let mut new = server.accept().await.unwrap();
    let new_id = new.request().await.unwrap().id;
    new.number(new_id, 2).await.unwrap();
    old.number(id, 1).await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().rows, [[Datum::Integer(1)]]);
    assert_eq!(second.await.unwrap().unwrap().rows, [[Datum::Integer(2)]]);
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_time_is_not_tried_again() {
    let (client, mut server) = pair(options());
    let asking = ask(&client, "COUNT ALL");
    let mut peer = server.arrival().await.unwrap();
    peer.receive().await.unwrap();
    peer.send(ServerMessage::Refused(failure(FailureCode::Version)))
        .await
        .unwrap();
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(
        error.failure().map(|failure| failure.code),
        Some(FailureCode::Version)
    );
    // One that says nothing is given up after the handshake's time.
    let started = Instant::now();
    let silent = client.clone();
    let asking = tokio::spawn(async move { silent.server().await });
    let _peer = server.arrival().await.unwrap();
    assert!(matches!(asking.await.unwrap(), Err(Error::Connect { .. })));
    assert!(started.elapsed() >= options().handshake_timeout);
}
