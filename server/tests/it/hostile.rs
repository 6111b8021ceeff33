//! Bytes from people who do not mean well.

use bytes::BytesMut;
use tessera_protocol::{
    codec::frame_client,
    message::{ClientMessage, Datum, Mutation, Request, RequestId, ServerMessage},
};

use crate::{
    client::{Client, PLENTY, execute, write},
    fake::start,
};

/// Numbers that look random and are the same each time (Marsaglia, "Xorshift RNGs", 2003).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_le_bytes(), body].concat()
}

fn a_request() -> Vec<u8> {
    let message = ClientMessage::Request(Request {
        id: RequestId(1),
        deadline_ms: 1000,
        rows_messages_credit: 10,
        body: write(vec![
            Mutation::Tag {
                user: "u".to_owned(),
                tags: vec!["a".to_owned(), "b".to_owned()],
            },
            Mutation::Set {
                user: "v".to_owned(),
                values: vec![("x".to_owned(), Datum::List(vec!["y".to_owned()]))],
            },
        ]),
    });
    let mut bytes = BytesMut::new();
    frame_client(&message, u32::MAX, &mut bytes).unwrap();
    bytes.to_vec()
}

/// Sends the bytes, closes this side and reads until the server closes its.
async fn suffer(mut client: Client, bytes: &[u8]) -> Vec<ServerMessage> {
    client.send_bytes(bytes).await;
    client.half_close().await;
    client.receive_all().await
}

#[tokio::test]
async fn noise_ends_its_connection_and_nothing_else() {
    let fixture = start(|_| {}).await;
    let address = fixture.server.addr();
    let mut witness = Client::connect(address).await;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..300 {
        let length = 1 + numbers.below(200);
        let noise = numbers.bytes(length);
        suffer(Client::silent(address).await, &noise).await;
        suffer(Client::silent(address).await, &framed(&noise)).await;
        suffer(Client::connect(address).await, &noise).await;
        suffer(Client::connect(address).await, &framed(&noise)).await;
        assert!(witness.execute(round, "number 1").await.is_ok());
    }
}

#[tokio::test]
async fn changed_and_cut_requests_end_their_connection_or_are_answered() {
    let fixture = start(|_| {}).await;
    let address = fixture.server.addr();
    let mut numbers = Numbers(0xdead_beef_cafe_f00d);
    let request = a_request();
    for end in 0..request.len() {
        suffer(Client::connect(address).await, &request[..end]).await;
        let mut changed = request.clone();
        changed[end] ^= 1 << numbers.below(8);
        suffer(Client::connect(address).await, &changed).await;
    }
    assert!(
        Client::connect(address)
            .await
            .execute(1, "number 1")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn claims_of_great_lengths_cost_nothing() {
    let fixture = start(|_| {}).await;
    let address = fixture.server.addr();
    let huge = [253, 0, 0, 0, 0, 0, 1, 0, 0];
    // Frames that claim 16 MiB and never come, on many connections at once.
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect(address).await;
        client.send_bytes(&(16_u32 << 20).to_le_bytes()).await;
        waiting.push(client);
    }
    // Request { id: 0, deadline: 0, credit: 0, Write { no key, Refuse, 2^40 mutations } }
    let mutations = framed(&[&[1, 0, 0, 0, 2, 0, 0], &huge[..]].concat());
    // Request { id: 0, deadline: 0, credit: 0, Execute { a text of 2^40 bytes } }
    let text = framed(&[&[1, 0, 0, 0, 1], &huge[..]].concat());
    for bytes in [mutations, text] {
        let said = suffer(Client::connect(address).await, &bytes).await;
        assert!(
            matches!(said.as_slice(), [ServerMessage::Refused(_)]),
            "{said:?}"
        );
    }
    assert!(
        Client::connect(address)
            .await
            .execute(1, "number 1")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn who_asks_much_and_reads_nothing_is_not_remembered_for_it() {
    let mut fixture = start(|config| {
        config.limits.stall_timeout_ms = 100;
        config.limits.outgoing_bytes_max = "4KiB".parse().unwrap();
    })
    .await;
    let address = fixture.server.addr();
    let deaf = tokio::spawn(async move {
        let mut client = Client::connect(address).await;
        for id in 0..200_000 {
            client.request(id, PLENTY, execute("missing")).await;
        }
    });
    let mut other = Client::connect(address).await;
    for id in 0..100 {
        assert!(other.execute(id, "number 1").await.is_ok());
    }
    // The server has stopped reading, given the client up and closed, or the rest would not go.
    deaf.await.unwrap();
    fixture.events.close();
}
