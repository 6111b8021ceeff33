//! The first message of a connection.

use std::time::Duration;

use bytes::BytesMut;
use tessera_protocol::{
    codec::frame_client,
    message::{ClientMessage, FailureCode, Hello, MAGIC, PROTOCOL_VERSION, ServerMessage},
};

use crate::{client::Client, fake::start};

fn hello(magic: [u8; 4], version_min: u16, version_max: u16) -> Vec<u8> {
    framed(&ClientMessage::Hello(Hello {
        magic,
        version_min,
        version_max,
        agent: "t".to_owned(),
    }))
}

fn framed(message: &ClientMessage) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    frame_client(message, u32::MAX, &mut bytes).unwrap();
    bytes.to_vec()
}

#[tokio::test]
async fn a_hello_is_welcomed_with_the_limits() {
    let fixture = start(|config| {
        config.limits.requests_in_flight_max = 7;
        config.limits.mutations_max = 11;
    })
    .await;
    let welcome = Client::silent(fixture.server.addr())
        .await
        .shake_hands()
        .await
        .unwrap();
    assert_eq!(welcome.version, PROTOCOL_VERSION);
    assert_eq!(welcome.frame_bytes_max, 16 << 20);
    assert_eq!(welcome.requests_in_flight_max, 7);
    assert_eq!(welcome.mutations_max, 11);
    assert!(welcome.agent.starts_with("tessera-server "));
}

#[tokio::test]
async fn what_is_no_proper_hello_is_refused() {
    let fixture = start(|_| {}).await;
    for (bytes, expected) in [
        (hello(*b"HTTP", 1, 1), FailureCode::Protocol),
        (hello(MAGIC, PROTOCOL_VERSION + 1, 9), FailureCode::Version),
        (hello(MAGIC, 0, 0), FailureCode::Version),
        (hello(MAGIC, 9, 1), FailureCode::Protocol),
        (framed(&ClientMessage::Goodbye), FailureCode::Protocol),
        // Longer than any hello, though not longer than other frames may be.
        (4097_u32.to_le_bytes().to_vec(), FailureCode::Protocol),
        (0_u32.to_le_bytes().to_vec(), FailureCode::Protocol),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), FailureCode::Protocol),
        (vec![0xff; 100], FailureCode::Protocol),
        (
            [&hello(MAGIC, 1, 1)[..7], &[0xee; 40]].concat(),
            FailureCode::Protocol,
        ),
    ] {
        let mut client = Client::silent(fixture.server.addr()).await;
        client.send_bytes(&bytes).await;
        assert_eq!(client.refused().await, expected, "{bytes:x?}");
    }
}

#[tokio::test]
async fn a_hello_that_ends_in_the_middle_is_refused() {
    let fixture = start(|_| {}).await;
    let bytes = hello(MAGIC, 1, 1);
    for end in 1..bytes.len() {
        let mut client = Client::silent(fixture.server.addr()).await;
        client.send_bytes(&bytes[..end]).await;
        client.half_close().await;
        assert_eq!(client.refused().await, FailureCode::Protocol, "{end}");
    }
}

#[tokio::test]
async fn who_says_nothing_is_refused_after_a_while() {
    let fixture = start(|config| config.limits.handshake_timeout_ms = 20).await;
    let mut client = Client::silent(fixture.server.addr()).await;
    assert_eq!(client.refused().await, FailureCode::DeadlineExceeded);
    let mut client = Client::silent(fixture.server.addr()).await;
    client.send_bytes(&hello(MAGIC, 1, 1)[..5]).await;
    assert_eq!(client.refused().await, FailureCode::DeadlineExceeded);
}

#[tokio::test]
async fn a_hello_that_comes_byte_by_byte_is_as_good_as_any() {
    let fixture = start(|_| {}).await;
    let mut client = Client::silent(fixture.server.addr()).await;
    for byte in hello(MAGIC, 1, 1) {
        client.send_bytes(&[byte]).await;
    }
    assert!(matches!(
        client.receive().await,
        Some(ServerMessage::Welcome(_))
    ));
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let fixture = start(|config| config.limits.connections_max = 2).await;
    let address = fixture.server.addr();
    let first = Client::connect(address).await;
    let _second = Client::connect(address).await;
    assert_eq!(
        Client::silent(address).await.refused().await,
        FailureCode::Overloaded
    );
    drop(first);
    // The server learns of it when it gets round to it.
    let patience = tokio::time::Instant::now() + Duration::from_secs(30);
    while Client::silent(address).await.shake_hands().await.is_err() {
        assert!(tokio::time::Instant::now() < patience);
    }
}
