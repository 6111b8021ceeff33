//! The client against a server that says what it is told, with the clock stopped.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod again;
mod streams;

use tessera_protocol::message::{ClientMessage, Mutation, RequestId, ServerMessage};

use super::*;
use crate::{
    backoff::Backoff,
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

    let clearing = tokio::spawn({
        let client = client.clone();
        async move { client.clear_tag("u1", ["vip", "a \"b\""]).await }
    });
    let request = peer.request().await.unwrap();
    let text = "CLEAR TAG $1 WITH \"vip\", \"a \\\"b\\\"\"";
    assert_eq!(self::statement(&request), text);
    peer.end(request.id).await.unwrap();
    assert_eq!(clearing.await.unwrap().unwrap(), Summary::default());
    let nothing = client.clear_tag("u1", Vec::<String>::new()).await;
    assert!(matches!(nothing, Err(Error::Query(_))), "{nothing:?}");

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
