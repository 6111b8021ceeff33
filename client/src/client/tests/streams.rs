//! Answers that come row by row: credit, cancelling, packed keys.

use futures_util::StreamExt as _;
use tessera_protocol::{
    load::PackedTexts,
    message::{ClientMessage, RequestId, ServerMessage},
};

use super::*;

#[tokio::test(start_paused = true)]
async fn credit_is_given_as_rows_are_read() {
    let (client, _server, mut peer) = connected().await;
    let opening = tokio::spawn(async move {
        client
            .segment(&SegmentQuery::new(all()))
            .await
            .map(UserStream::keys)
    });
    let request = peer.request().await.unwrap();
    assert_eq!((request.rows_messages_credit, request.deadline_ms), (2, 0));
    peer.header(request.id, &["key"]).await.unwrap();
    peer.row(request.id, "u1").await.unwrap();
    peer.row(request.id, "u2").await.unwrap();
    let mut keys = opening.await.unwrap().unwrap();
    let early = tokio::time::timeout(Duration::from_secs(1), peer.receive()).await;
    assert!(early.is_err(), "credit was given before anything was read");
    for expected in ["u1", "u2", "u3"] {
        assert_eq!(keys.next().await.unwrap().unwrap(), expected);
        let credit = ClientMessage::Credit {
            id: request.id,
            rows_messages: 1,
        };
        if expected != "u3" {
            assert_eq!(peer.receive().await.unwrap(), credit);
            peer.row(request.id, "u3").await.unwrap();
        }
    }
    assert_eq!(keys.next().await.unwrap().unwrap(), "u3");
    let summary = Summary {
        cursor: Some("c1".to_owned()),
        ..Summary::default()
    };
    peer.send(ServerMessage::End {
        id: request.id,
        summary,
    })
    .await
    .unwrap();
    assert!(keys.next().await.is_none());
    assert_eq!(keys.cursor(), Some(Cursor("c1".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_credit_loses_the_connection() {
    let (client, mut server, mut peer) = connected().await;
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.stream("SEGMENT ALL", ()).await }
    });
    let id = peer.request().await.unwrap().id;
    peer.header(id, &["key"]).await.unwrap();
    let stream = opening.await.unwrap().unwrap();
    for _ in 0..10 {
        peer.row(id, "u").await.unwrap();
    }
    assert!(peer.receive().await.is_err(), "the connection is closed");
    let rows: Vec<_> = stream.collect().await;
    assert!(rows.len() < 10);
    assert!(matches!(
        rows.last(),
        Some(Err(Error::ConnectionLost { .. }))
    ));
    let again = ask(&client, "COUNT ALL");
    let mut peer = server.accept().await.unwrap();
    let id = peer.request().await.unwrap().id;
    peer.number(id, 1).await.unwrap();
    again.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_cancels() {
    let (client, _server, mut peer) = connected().await;
    // A future that is dropped.
    let asking = ask(&client, "COUNT ALL");
    let id = peer.request().await.unwrap().id;
    asking.abort();
    assert_eq!(peer.receive().await.unwrap(), ClientMessage::Cancel { id });
    // A stream that is dropped. What still comes for either is nobody's, and harmless.
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.stream("SEGMENT ALL", ()).await }
    });
    let stream_id = peer.request().await.unwrap().id;
    peer.header(stream_id, &["key"]).await.unwrap();
    drop(opening.await.unwrap().unwrap());
    assert_eq!(
        peer.receive().await.unwrap(),
        ClientMessage::Cancel { id: stream_id }
    );
    peer.number(id, 7).await.unwrap();
    peer.row(stream_id, "u1").await.unwrap();
    peer.fail(stream_id, FailureCode::Cancelled).await.unwrap();
    let count = tokio::spawn(async move { client.count(&all()).await });
    let id = peer.request().await.unwrap().id;
    peer.number(id, 3).await.unwrap();
    assert_eq!(count.await.unwrap().unwrap(), 3);
}

/// Says that these keys are rows.
async fn say_keys(peer: &mut Peer, id: RequestId, keys: &[&str]) {
    let mut texts = PackedTexts::default();
    keys.iter().for_each(|key| texts.push(key).unwrap());
    peer.send(ServerMessage::Keys { id, keys: texts })
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn packed_keys_are_read_as_batches_as_rows_and_one_by_one() {
    let (client, _server, mut peer) = connected().await;
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.segment(&SegmentQuery::new(all())).await }
    });
    let id = peer.request().await.unwrap().id;
    peer.header(id, &["key"]).await.unwrap();
    let mut keys = opening.await.unwrap().unwrap().keys();
    say_keys(&mut peer, id, &["u1", "é2", "u3"]).await;
    assert_eq!(keys.next().await.unwrap().unwrap(), "u1");
    let rest = keys.next_batch().await.unwrap().unwrap();
    assert!(rest.iter().eq(["é2", "u3"]));
    say_keys(&mut peer, id, &["u4", "u5"]).await;
    let batch = keys.next_batch().await.unwrap().unwrap();
    assert_eq!((batch.len(), batch.get(1)), (2, Some("u5")));
    say_keys(&mut peer, id, &[]).await;
    peer.row(id, "u6").await.unwrap();
    let batch = keys.next_batch().await.unwrap().unwrap();
    assert!(batch.iter().eq(["u6"]));
    peer.end(id).await.unwrap();
    assert!(keys.next_batch().await.is_none());

    let collecting = tokio::spawn(async move { client.execute("SEGMENT ALL", ()).await });
    let id = peer.request_after_credit().await.unwrap().id;
    peer.header(id, &["key"]).await.unwrap();
    say_keys(&mut peer, id, &["u1"]).await;
    peer.end(id).await.unwrap();
    let rows = collecting.await.unwrap().unwrap().rows;
    assert_eq!(rows, [[Datum::from("u1")]]);
}

#[tokio::test(start_paused = true)]
async fn keys_alone_fit_only_an_answer_of_keys() {
    let (client, _server, mut peer) = connected().await;
    let asking = tokio::spawn(async move { client.execute("SEGMENT ALL RETURN a", ()).await });
    let id = peer.request().await.unwrap().id;
    peer.header(id, &["key", "a"]).await.unwrap();
    say_keys(&mut peer, id, &["u1"]).await;
    let error = asking.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("other columns"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_ended_stream_is_not_cancelled() {
    let (client, _server, mut peer) = connected().await;
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.stream("SEGMENT ALL", ()).await }
    });
    let id = peer.request().await.unwrap().id;
    peer.header(id, &["key"]).await.unwrap();
    let mut stream = opening.await.unwrap().unwrap();
    peer.end(id).await.unwrap();
    assert!(stream.next_rows().await.is_none());
    drop((stream, client));
    assert_eq!(peer.receive().await.unwrap(), ClientMessage::Goodbye);
    assert!(peer.receive().await.is_err(), "closed after the goodbye");
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_within_the_time_that_was_asked_for() {
    let (client, _server, mut peer) = connected().await;
    let short = client.with_request_timeout(Duration::from_millis(1500));
    let started = Instant::now();
    let opening = tokio::spawn(async move { short.stream("SEGMENT ALL", ()).await });
    let id = peer.request().await.unwrap().id;
    let error = opening.await.unwrap().unwrap_err();
    assert_eq!(started.elapsed().as_millis(), 1500);
    assert_eq!(error.to_string(), "no answer within 1500 ms");
    assert_eq!(peer.receive().await.unwrap(), ClientMessage::Cancel { id });
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_silent_ends_but_a_slow_reader_does_not_end_it() {
    let (client, _server, mut peer) = connected().await;
    let opening = tokio::spawn(async move { client.stream("SEGMENT ALL", ()).await });
    let id = peer.request().await.unwrap().id;
    peer.header(id, &["key"]).await.unwrap();
    let mut stream = opening.await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    peer.row(id, "u1").await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    assert!(matches!(stream.next().await, Some(Err(Error::Timeout(_)))));
    assert!(stream.next().await.is_none());
    let credit = ClientMessage::Credit {
        id,
        rows_messages: 1,
    };
    assert_eq!(peer.receive().await.unwrap(), credit);
    assert_eq!(peer.receive().await.unwrap(), ClientMessage::Cancel { id });
}
