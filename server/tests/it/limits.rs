//! Every limit of a session.

use bytes::BytesMut;
use tessera_protocol::{
    codec::frame_client,
    frame::FRAME_BYTES_LIMIT,
    message::{
        ClientMessage, Datum, FailureCode, Mutation, Parameter, Request, RequestBody, RequestId,
        ServerMessage,
    },
};
use tokio::time::{Instant, timeout};

use crate::{
    client::{Client, PLENTY, execute, load, load_events, write},
    fake::{PATIENCE, start},
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

/// A statement of about so many bytes, as a whole frame.
fn long_frame(statement_bytes: usize) -> BytesMut {
    let request = ClientMessage::Request(Request {
        id: RequestId(1),
        deadline_ms: 0,
        rows_messages_credit: PLENTY,
        body: execute(&format!("number {}1", "0".repeat(statement_bytes))),
    });
    let mut bytes = BytesMut::new();
    frame_client(&request, FRAME_BYTES_LIMIT, &mut bytes).unwrap();
    bytes
}

/// Asks again until the answer is a refusal for want of memory, or is none.
async fn ask_until(client: &mut Client, statement: &str, overloaded: bool) {
    let patient = async {
        loop {
            let refused = match client.execute(1, statement).await {
                Ok(_) => false,
                Err(failure) => {
                    assert_eq!(failure.code, FailureCode::Overloaded);
                    true
                }
            };
            if refused == overloaded {
                return;
            }
        }
    };
    timeout(PATIENCE, patient).await.unwrap();
}

#[tokio::test]
async fn unfinished_frames_take_memory_too() {
    let fixture = start(|config| {
        config.limits.frame_bytes_max = "1MiB".parse().unwrap();
        config.limits.request_bytes_in_flight_max = "1MiB".parse().unwrap();
        config.limits.statement_bytes_max = "1MiB".parse().unwrap();
    })
    .await;
    let mut slow = Client::connect(fixture.server.addr()).await;
    let frame = long_frame(1_000_000);
    slow.send_bytes(&frame[..900_000]).await;
    let mut other = Client::connect(fixture.server.addr()).await;
    let long = format!("number {}1", "0".repeat(200_000));
    ask_until(&mut other, &long, true).await;
    // Small requests are let through meanwhile.
    assert!(other.execute(1, "number 1").await.is_ok());
    slow.send_bytes(&frame[900_000..]).await;
    assert!(slow.answer(1).await.is_ok());
    ask_until(&mut other, &long, false).await;
    slow.send_bytes(&frame[..900_000]).await;
    ask_until(&mut other, &long, true).await;
    drop(slow);
    ask_until(&mut other, &long, false).await;
}

#[tokio::test]
async fn a_frame_without_memory_is_refused_while_it_arrives_and_harms_no_other() {
    let mut fixture = start(|config| {
        config.limits.frame_bytes_max = "256KiB".parse().unwrap();
        config.limits.request_bytes_in_flight_max = "256KiB".parse().unwrap();
    })
    .await;
    let address = fixture.server.addr();
    let mut holder = Client::connect(address).await;
    let name = "a".repeat(150_000);
    let hold = format!("hold {name}");
    holder.request(1, PLENTY, execute(&hold)).await;
    fixture.started(&hold).await;
    let mut client = Client::connect(address).await;
    let frame = long_frame(200_000);
    // Refused before its end is there; what comes of it later is no message.
    client.send_bytes(&frame[..199_000]).await;
    assert_eq!(client.failure(1).await, FailureCode::Overloaded);
    client.send_bytes(&frame[199_000..]).await;
    assert!(client.execute(1, "number 1").await.is_ok());
    fixture.engine.release(&name);
    assert!(holder.answer(1).await.is_ok());
    client.send_bytes(&frame).await;
    assert!(client.answer(1).await.is_ok());
}

#[tokio::test]
async fn a_frame_that_was_begun_must_end_in_time() {
    let fixture = start(|config| config.limits.stall_timeout_ms = 30).await;
    for begun in [&b"\x09"[..], b"\x09\0\0\0", b"\x09\0\0\0\x01\x01"] {
        let mut client = Client::connect(fixture.server.addr()).await;
        assert!(client.execute(1, "number 1").await.is_ok());
        client.send_bytes(begun).await;
        assert_eq!(client.refused().await, FailureCode::DeadlineExceeded);
    }
    // Between frames there is no hurry.
    let mut client = Client::connect(fixture.server.addr()).await;
    let quiet = Instant::now() + std::time::Duration::from_millis(100);
    let silence = tokio::time::timeout_at(quiet, client.receive()).await;
    assert!(silence.is_err());
    assert!(client.execute(1, "number 1").await.is_ok());
}

#[tokio::test]
async fn a_request_is_charged_for_what_it_takes_in_memory() {
    let fixture = start(|config| {
        config.limits.frame_bytes_max = "64KiB".parse().unwrap();
        config.limits.request_bytes_in_flight_max = "64KiB".parse().unwrap();
    })
    .await;
    let mut client = Client::connect(fixture.server.addr()).await;
    let nothing = Parameter {
        name: String::new(),
        value: Datum::Null,
    };
    let with = |count: usize| RequestBody::Execute {
        statement: "number 1".to_owned(),
        parameters: vec![nothing.clone(); count],
    };
    client.request(1, PLENTY, with(500)).await;
    assert!(client.answer(1).await.is_ok());
    // 10,000 bytes on the wire.
    client.request(1, PLENTY, with(5_000)).await;
    assert_eq!(client.failure(1).await, FailureCode::LimitExceeded);
    assert!(client.execute(1, "number 1").await.is_ok());
}

#[tokio::test]
async fn a_client_that_does_not_read_keeps_no_memory_of_requests_that_are_done() {
    let mut fixture = start(|config| {
        config.limits.frame_bytes_max = "8KiB".parse().unwrap();
        config.limits.request_bytes_in_flight_max = "8KiB".parse().unwrap();
        config.limits.outgoing_bytes_max = "4KiB".parse().unwrap();
    })
    .await;
    let mut deaf = Client::connect(fixture.server.addr()).await;
    let name = "a".repeat(6_000);
    let hold = format!("hold {name}");
    deaf.request(1, PLENTY, execute(&hold)).await;
    fixture.started(&hold).await;
    let flood = "texts 1000000 4000";
    deaf.request(2, PLENTY, execute(flood)).await;
    fixture.started(flood).await;
    let mut other = Client::connect(fixture.server.addr()).await;
    let long = format!("number {}1", "0".repeat(6_000));
    // Time for the flood to fill what lies between the server and its client.
    for _ in 0..200 {
        assert!(other.execute(1, "number 1").await.is_ok());
    }
    assert!(other.execute(1, &long).await.is_err());
    fixture.engine.release(&name);
    ask_until(&mut other, &long, false).await;
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
async fn a_load_has_a_most_of_rows() {
    let fixture = start(|config| config.limits.mutations_max = 2).await;
    let mut client = Client::connect(fixture.server.addr()).await;
    client.request(1, 0, load(2)).await;
    assert!(client.answer(1).await.is_ok());
    client.request(2, 0, load(3)).await;
    assert_eq!(client.failure(2).await, FailureCode::LimitExceeded);
    assert_eq!(fixture.engine.loads.lock().unwrap().len(), 1);
    client.request(3, 0, load_events(2)).await;
    assert!(client.answer(3).await.is_ok());
    client.request(4, 0, load_events(3)).await;
    assert_eq!(client.failure(4).await, FailureCode::LimitExceeded);
    assert_eq!(fixture.engine.event_loads.lock().unwrap().len(), 1);
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
