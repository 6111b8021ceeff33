//! The client against a server that says what it is told, with the clock stopped.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use futures_util::StreamExt as _;
use tessera_protocol::{
    load::PackedTexts,
    message::{ClientMessage, Mutation, RequestId, ServerMessage},
};

use super::*;
use crate::{
    backoff::Backoff,
    error::Outcome,
    expr::{all, tag},
    fake_server::{FakeServer, Peer, failure, pair, statement},
};

fn options() -> ClientOptions {
    ClientOptions {
        request_timeout: Duration::from_secs(10),
        grace: Duration::from_secs(1),
        rows_messages_credit: 2,
        backoff: Backoff {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(1),
        },
        ..ClientOptions::default()
    }
}

/// A client that has connected, and the server's end.
async fn connected() -> (Client, FakeServer, Peer) {
    let (client, mut server) = pair(options());
    let asking = client.clone();
    let ping = tokio::spawn(async move { asking.ping().await });
    let mut peer = server.accept().await.unwrap();
    let id = peer.request().await.unwrap().id;
    peer.end(id).await.unwrap();
    ping.await.unwrap().unwrap();
    (client, server, peer)
}

fn ask(client: &Client, text: &str) -> tokio::task::JoinHandle<Result<Answer, Error>> {
    let (client, text) = (client.clone(), text.to_owned());
    tokio::spawn(async move { client.execute(text, ()).await })
}

#[tokio::test(start_paused = true)]
async fn answers_may_overtake_each_other() {
    let (client, _server, mut peer) = connected().await;
    let first = ask(&client, "COUNT tag:a");
    let a = peer.request().await.unwrap();
    let second = ask(&client, "COUNT tag:b");
    let b = peer.request().await.unwrap();
    assert_eq!(
        (statement(&a), statement(&b)),
        ("COUNT tag:a", "COUNT tag:b")
    );
    assert_ne!(a.id, b.id);
    peer.header(a.id, &["count"]).await.unwrap();
    peer.number(b.id, 2).await.unwrap();
    assert_eq!(second.await.unwrap().unwrap().rows, [[Datum::Integer(2)]]);
    let rows = vec![vec![Datum::Integer(1)]];
    peer.send(ServerMessage::Rows { id: a.id, rows })
        .await
        .unwrap();
    peer.end(a.id).await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().rows, [[Datum::Integer(1)]]);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_under_way_than_the_server_takes() {
    let (client, mut server) = pair(options());
    server.offer_mut().requests_in_flight_max = 1;
    let first = ask(&client, "COUNT tag:a");
    let second = ask(&client, "COUNT tag:b");
    let mut peer = server.accept().await.unwrap();
    let a = peer.request().await.unwrap();
    let early = tokio::time::timeout(Duration::from_secs(1), peer.receive()).await;
    assert!(
        early.is_err(),
        "a second request came before the first one ended"
    );
    peer.number(a.id, 1).await.unwrap();
    let b = peer.request().await.unwrap();
    peer.number(b.id, 1).await.unwrap();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_share_one_connection() {
    let (client, mut server) = pair(options());
    let serving = tokio::spawn(async move {
        let mut peer = server.accept().await.unwrap();
        let mut waiting = Vec::new();
        let mut answered = 0;
        while answered < 1000 {
            let message = peer.receive().await.unwrap();
            // Credit may come late, and is none of this test's business.
            let ClientMessage::Request(request) = message else {
                continue;
            };
            waiting.push((request.id, statement(&request).parse::<i64>().unwrap()));
            // Eight at a time, the last one first.
            if waiting.len() == 8 {
                while let Some((id, number)) = waiting.pop() {
                    peer.number(id, number).await.unwrap();
                    answered += 1;
                }
            }
        }
        assert!(!server.has_arrival());
    });
    let tasks: Vec<_> = (0..1000)
        .map(|number| ask(&client, &number.to_string()))
        .collect();
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(
            task.await.unwrap().unwrap().rows,
            [[Datum::Integer(number)]]
        );
    }
    serving.await.unwrap();
}

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
async fn time_runs_out_at_both_ends() {
    let (client, mut server, mut peer) = connected().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let started = Instant::now();
    let asking = ask(&client, "COUNT ALL");
    let request = peer.request().await.unwrap();
    assert_eq!(request.deadline_ms, 10_000);
    let error = asking.await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Timeout(_)) && error.is_timeout(),
        "{error}"
    );
    assert_eq!(started.elapsed().as_secs(), 11);
    // The connection was silent all the time: the next request gets another one.
    let asking = ask(&client, "COUNT ALL");
    let mut peer = server.accept().await.unwrap();
    let id = peer.request().await.unwrap().id;
    // The server's own word counts as well, and keeps the connection.
    peer.fail(id, FailureCode::DeadlineExceeded).await.unwrap();
    assert!(asking.await.unwrap().unwrap_err().is_timeout());
    let short = client.with_request_timeout(Duration::from_millis(500));
    let asking = ask(&short, "COUNT ALL");
    assert_eq!(peer.request().await.unwrap().deadline_ms, 500);
    asking.abort();
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
async fn connecting_takes_no_longer_than_a_request_may() {
    let (client, mut server) = pair(options());
    let short = client.with_request_timeout(Duration::from_millis(1500));
    let started = Instant::now();
    let asking = tokio::spawn(async move { short.server().await });
    // The server takes the connection and says nothing.
    let _peer = server.arrival().await.unwrap();
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(started.elapsed().as_millis(), 1500);
    assert!(error.is_connection(), "{error}");
    assert_eq!(
        error.to_string(),
        "cannot connect to a fake server: no answer within 1500 ms"
    );
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

#[tokio::test(start_paused = true)]
async fn nonsense_from_the_server_ends_the_connection_and_nothing_else() {
    let end_of_another = ServerMessage::End {
        id: RequestId(99),
        summary: Summary::default(),
    };
    let mut unknown = bytes::BytesMut::new();
    tessera_protocol::codec::frame_server(&end_of_another, 100, &mut unknown).unwrap();
    for bytes in [
        &b"\0\0\0\0"[..],
        b"\xff\xff\xff\xff",
        b"\x01\0\0\0\x63",
        b"\x02\0\0\0\x06\x06",
        &unknown,
    ] {
        let (client, mut server, mut peer) = connected().await;
        let asking = ask(&client, "FETCH $1");
        peer.request().await.unwrap();
        peer.send_bytes(bytes).await.unwrap();
        let error = asking.await.unwrap().unwrap_err();
        assert!(
            matches!(error, Error::ConnectionLost { .. }),
            "{bytes:x?}: {error}"
        );
        let asking = ask(&client, "COUNT ALL");
        let mut peer = server.accept().await.unwrap();
        let id = peer.request().await.unwrap().id;
        peer.number(id, 1).await.unwrap();
        asking.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_out_of_order_is_an_error_of_its_own() {
    let (client, _server, mut peer) = connected().await;
    let rows = |id, rows| ServerMessage::Rows { id, rows };
    let asking = ask(&client, "COUNT ALL");
    let id = peer.request().await.unwrap().id;
    peer.send(rows(id, vec![])).await.unwrap();
    assert!(
        matches!(asking.await.unwrap(), Err(Error::Unexpected(_))),
        "rows without a header"
    );
    let credit = ClientMessage::Credit {
        id,
        rows_messages: 1,
    };
    assert_eq!(peer.receive().await.unwrap(), credit);
    assert_eq!(peer.receive().await.unwrap(), ClientMessage::Cancel { id });
    let asking = ask(&client, "COUNT ALL");
    let id = peer.request().await.unwrap().id;
    peer.header(id, &["count"]).await.unwrap();
    peer.send(rows(id, vec![vec![]])).await.unwrap();
    assert!(
        matches!(asking.await.unwrap(), Err(Error::Unexpected(_))),
        "a row too short"
    );
}

#[tokio::test(start_paused = true)]
async fn limits_are_errors_before_anything_is_sent() {
    let (client, mut server) = pair(ClientOptions {
        answer_rows_max: 1,
        ..options()
    });
    server.offer_mut().frame_bytes_max = 100;
    let asking = ask(&client, &"x".repeat(200));
    let mut peer = server.accept().await.unwrap();
    let error = asking.await.unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLong {
                frame_bytes_max: 100
            }
        ),
        "{error}"
    );
    let error = client.count(&crate::expr::any_of([])).await.unwrap_err();
    assert!(matches!(error, Error::Query(_)), "{error}");
    let asking = ask(&client, "SEGMENT ALL");
    let id = peer.request().await.unwrap().id;
    peer.header(id, &["key"]).await.unwrap();
    peer.row(id, "u1").await.unwrap();
    peer.row(id, "u2").await.unwrap();
    let error = asking.await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::AnswerTooLong { rows_max: 1 }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn typed_questions_are_statements_with_parameters() {
    let (client, _server, mut peer) = connected().await;
    let counting = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .count(&tag("vip").and(crate::expr::attribute("age").from(18)))
                .await
        }
    });
    let request = peer.request().await.unwrap();
    let RequestBody::Execute {
        statement,
        parameters,
    } = request.body
    else {
        panic!("no statement")
    };
    assert_eq!(statement, r#"COUNT tag:"vip" AND "age":$1.."#);
    assert_eq!(
        parameters,
        [Parameter {
            name: "1".to_owned(),
            value: Datum::Integer(18)
        }]
    );
    peer.number(request.id, 4).await.unwrap();
    assert_eq!(counting.await.unwrap().unwrap(), 4);

    let cursor = Cursor("c\" OR".to_owned());
    let fetching = tokio::spawn({
        let client = client.clone();
        async move { client.next_page(&cursor, Some(10)).await }
    });
    let request = peer.request().await.unwrap();
    assert_eq!(self::statement(&request), "FETCH $1 LIMIT 10");
    peer.header(request.id, &["key", "age"]).await.unwrap();
    let rows = vec![vec![Datum::from("u1"), Datum::from(30)]];
    peer.send(ServerMessage::Rows {
        id: request.id,
        rows,
    })
    .await
    .unwrap();
    peer.end(request.id).await.unwrap();
    let page = fetching.await.unwrap().unwrap();
    let user = UserRow {
        key: "u1".to_owned(),
        values: vec![Datum::Integer(30)],
    };
    assert_eq!(
        page,
        Page {
            users: vec![user],
            cursor: None
        }
    );

    let looking = tokio::spawn({
        let client = client.clone();
        async move { client.portrait("u9").await }
    });
    let request = peer.request().await.unwrap();
    assert_eq!(self::statement(&request), "PORTRAIT $1");
    peer.fail(request.id, FailureCode::UnknownName)
        .await
        .unwrap();
    assert_eq!(looking.await.unwrap().unwrap(), None);

    let writing = tokio::spawn(async move { client.delete_user("u1").await });
    let request = peer.request().await.unwrap();
    let RequestBody::Write { mutations, .. } = request.body else {
        panic!("no write")
    };
    assert_eq!(
        mutations,
        [Mutation::DeleteUser {
            user: "u1".to_owned()
        }]
    );
    writing.abort();
}

#[tokio::test]
async fn tcp_works_as_well() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 64];
        let received = tokio::io::AsyncReadExt::read(&mut stream, &mut hello)
            .await
            .unwrap();
        assert!(hello[..received].windows(4).any(|bytes| bytes == b"TSSR"));
        let refusal = ServerMessage::Refused(failure(FailureCode::Overloaded));
        let mut frame = bytes::BytesMut::new();
        tessera_protocol::codec::frame_server(&refusal, 1000, &mut frame).unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &frame)
            .await
            .unwrap();
    });
    let error = Client::connect(address.to_string(), options())
        .await
        .unwrap_err();
    assert_eq!(
        error.failure().map(|failure| failure.code),
        Some(FailureCode::Overloaded)
    );
    serving.await.unwrap();
}
