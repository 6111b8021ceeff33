//! Bytes that are no frames, or frames that are no messages.

use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use bytes::BytesMut;
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use tessera_protocol::{
    codec::encode_client,
    load::{EventColumn, EventRows, LoadColumn, LoadRows, NumberForm, PackedTexts, presence},
    message::{
        ClientMessage, Datum, HoldEnd, HoldTerms, Mutation, Request, RequestBody, RequestId,
        Source, TimeUnit, Track, UnknownTags, UnknownUsers,
    },
};
use tessera_tests::wire::{Wire, write_body};

use super::Attacks;

pub(crate) const ATTACKS: Attacks = &[
    (
        "random bytes instead of a handshake",
        random_instead_of_hello,
    ),
    ("random frames after the handshake", random_frames),
    ("lengths that are not allowed", bad_lengths),
    ("frames that are claimed and do not come", claimed_frames),
    ("frames that end in the middle", truncated_frames),
    ("handshakes byte by byte that never end", slow_handshakes),
    ("lists that claim 2^40 elements", huge_counts),
    ("one flipped byte in a good message", flipped_bytes),
];

/// Sends bytes and gives whether the server closed the connection. A server that stays silent
/// and keeps it open for longer than the harness's patience fails the test.
fn is_closed_after(wire: &mut Wire, bytes: &[u8]) -> bool {
    // The server may close before it has read everything.
    wire.stream().write_all(bytes).ok();
    let mut rest = Vec::new();
    match wire.stream().read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

fn random_instead_of_hello(server: SocketAddr) -> Vec<Wire> {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut bytes = vec![0; random.random_range(1..3_000)];
        random.fill_bytes(&mut bytes);
        let mut wire = Wire::open(server).unwrap();
        assert!(is_closed_after(&mut wire, &bytes), "seed {seed}");
    }
    Vec::new()
}

fn random_frames(server: SocketAddr) -> Vec<Wire> {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut body = vec![0; random.random_range(1..2_000)];
        random.fill_bytes(&mut body);
        // The first byte chooses the message: small ones get further.
        body[0] = random.random_range(1..6);
        let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
        bytes.extend(body);
        let mut wire = Wire::connect(server).unwrap();
        wire.send(&ClientMessage::Goodbye).ok();
        assert!(is_closed_after(&mut wire, &bytes), "seed {seed}");
    }
    Vec::new()
}

fn bad_lengths(server: SocketAddr) -> Vec<Wire> {
    for length in [0, (1 << 20) + 1, 1 << 24, 1 << 31, u32::MAX] {
        let mut wire = Wire::open(server).unwrap();
        assert!(
            is_closed_after(&mut wire, &length.to_le_bytes()),
            "{length} instead of a handshake"
        );
        let mut wire = Wire::connect(server).unwrap();
        assert!(
            is_closed_after(&mut wire, &length.to_le_bytes()),
            "{length} after it"
        );
    }
    Vec::new()
}

/// Two hundred connections that each claim the longest frame and send one byte of it.
fn claimed_frames(server: SocketAddr) -> Vec<Wire> {
    let claim = |_| {
        let mut wire = Wire::connect(server).unwrap();
        wire.stream()
            .write_all(&(1_u32 << 20).to_le_bytes())
            .unwrap();
        wire.stream().write_all(&[2]).unwrap();
        wire
    };
    (0..200).map(claim).collect()
}

fn a_write() -> Vec<u8> {
    let users = (0..20).map(|number| Mutation::Tag {
        user: format!("x{number}"),
        tags: vec!["vip".to_owned()],
    });
    let body = write_body(Some([7; 16]), users.collect());
    body_bytes(&ClientMessage::Request(request(body)))
}

/// Holdings with all terms and events with everything that they can have.
fn a_write_of_labels() -> Vec<u8> {
    let user = |number: u32| format!("x{number}");
    let thirty_days = HoldEnd::After {
        amount: 30,
        unit: TimeUnit::Day,
    };
    let held = (0..10).map(|number| Mutation::Hold {
        user: user(number),
        tags: vec!["vip".to_owned()],
        terms: HoldTerms {
            since_us: Some(1 << 50),
            end: thirty_days,
            source: Source::Import,
        },
    });
    let tracked = (10..20).map(|number| {
        Mutation::Track(Box::new(Track {
            user: user(number),
            event: "nobody's".to_owned(),
            time_us: Some(1 << 50),
            id: Some(format!("e-{number}")),
            values: vec![("amount".to_owned(), Datum::Integer(7))],
        }))
    });
    let body = write_body(None, held.chain(tracked).collect());
    body_bytes(&ClientMessage::Request(request(body)))
}

fn keys_of(rows: u32) -> PackedTexts {
    let mut keys = PackedTexts::default();
    for row in 0..rows {
        keys.push(&format!("x{row}")).unwrap();
    }
    keys
}

/// One that is decoded beside the others, as it is long.
fn a_load_of_events(rows: u32) -> Vec<u8> {
    let numbers = EventColumn::Numbers {
        property: "amount".to_owned(),
        form: NumberForm::Decimal { scale: 2 },
        present: presence((0..rows).map(|_| true)),
        numbers: vec![1 << 40; rows as usize],
    };
    let coded = EventColumn::Coded {
        property: "channel".to_owned(),
        dictionary: vec![Datum::from("ads")],
        codes: vec![1; rows as usize],
    };
    body_bytes(&ClientMessage::Request(request(RequestBody::LoadEvents {
        idempotency_key: None,
        unknown_users: UnknownUsers::Create,
        rows: EventRows {
            event: "nobody's".to_owned(),
            users: keys_of(rows),
            of: (0..rows).collect(),
            times_us: vec![1 << 50; rows as usize],
            ids: Some(keys_of(rows)),
            columns: vec![numbers, coded],
        },
    })))
}

/// One that is decoded beside the others, as it is long.
fn a_load(rows: u32) -> Vec<u8> {
    let coded = LoadColumn::Coded {
        attribute: "nobody's".to_owned(),
        dictionary: vec![Datum::Integer(7)],
        codes: vec![1; rows as usize],
    };
    let numbers = LoadColumn::Numbers {
        attribute: "nobody's".to_owned(),
        form: NumberForm::Integer,
        present: presence((0..rows).map(|_| true)),
        numbers: vec![1 << 40; rows as usize],
    };
    let ends: Vec<u32> = (1..=rows).collect();
    let (names, codes) = (vec!["vip".to_owned()], vec![0; rows as usize]);
    let holdings = LoadColumn::Holdings {
        names: names.clone(),
        ends: ends.clone(),
        codes: codes.clone(),
        terms: vec![Source::Import.into()],
        of: codes.clone(),
    };
    let added = LoadColumn::Added {
        attribute: "nobody's".to_owned(),
        dictionary: vec![Datum::Integer(7)],
        ends: ends.clone(),
        codes: codes.clone(),
    };
    let taken = LoadColumn::Taken {
        names: names.clone(),
        ends: ends.clone(),
        codes: codes.clone(),
    };
    let tags = LoadColumn::Tags { names, ends, codes };
    body_bytes(&ClientMessage::Request(request(RequestBody::Load {
        idempotency_key: None,
        unknown_tags: UnknownTags::Refuse,
        rows: LoadRows {
            keys: keys_of(rows),
            columns: vec![coded, numbers, holdings, added, taken, tags],
        },
    })))
}

fn request(body: RequestBody) -> Request {
    Request {
        id: RequestId(1),
        deadline_ms: 0,
        rows_messages_credit: 1,
        body,
    }
}

fn body_bytes(message: &ClientMessage) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    encode_client(message, &mut bytes).unwrap();
    bytes.to_vec()
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend(body);
    bytes
}

fn truncated_frames(server: SocketAddr) -> Vec<Wire> {
    let whole = framed(&a_write());
    for end in (1..whole.len()).step_by(7) {
        let mut wire = Wire::connect(server).unwrap();
        wire.stream().write_all(&whole[..end]).unwrap();
    }
    // Frames that are whole, of messages that are not.
    let (load, long) = (a_load(20), a_load(20_000));
    let (events, many) = (a_load_of_events(20), a_load_of_events(20_000));
    let parts = |body: &[u8], step: usize| -> Vec<Vec<u8>> {
        let ends = (1..body.len()).step_by(step);
        ends.map(|end| body[..end].to_vec()).collect()
    };
    let all = [
        parts(&whole[4..], 7),
        parts(&a_write_of_labels(), 7),
        parts(&load, 7),
        parts(&events, 7),
        parts(&long, long.len() / 9),
        parts(&many, many.len() / 9),
    ];
    for body in all.concat() {
        let mut wire = Wire::connect(server).unwrap();
        assert!(
            is_closed_after(&mut wire, &framed(&body)),
            "{} bytes",
            body.len()
        );
    }
    assert_eq!(
        Wire::connect(server)
            .unwrap()
            .count("user:(x0, x19)")
            .unwrap(),
        0
    );
    Vec::new()
}

fn slow_handshakes(server: SocketAddr) -> Vec<Wire> {
    let mut slow: Vec<Wire> = (0..50).map(|_| Wire::open(server).unwrap()).collect();
    for byte in [20, 0, 0, 0, 0] {
        for wire in &mut slow {
            wire.stream().write_all(&[byte]).ok();
        }
    }
    for wire in &mut slow {
        assert!(
            is_closed_after(wire, &[]),
            "the handshake's time is limited"
        );
    }
    Vec::new()
}

/// The list at the end of a write is empty: its length is the last byte. So is that of a load, and
/// of a load of events.
fn huge_counts(server: SocketAddr) -> Vec<Wire> {
    let mut empty = body_bytes(&ClientMessage::Request(request(write_body(
        None,
        Vec::new(),
    ))));
    assert_eq!(empty.pop(), Some(0));
    let mut no_tags = a_load(0);
    assert_eq!(no_tags.pop(), Some(0));
    let mut no_events = a_load_of_events(0);
    assert_eq!(no_events.pop(), Some(0));
    let counts = [1_u64 << 20, 1 << 40, u64::MAX];
    for (empty, count) in [&empty, &no_tags, &no_events]
        .into_iter()
        .flat_map(|empty| counts.map(|count| (empty, count)))
    {
        let mut body = empty.clone();
        body.push(253);
        body.extend(count.to_le_bytes());
        for padding in [0, 100, 100_000] {
            let mut body = body.clone();
            body.resize(body.len() + padding, 0);
            let mut wire = Wire::connect(server).unwrap();
            assert!(
                is_closed_after(&mut wire, &framed(&body)),
                "{count} elements, {padding} bytes"
            );
        }
    }
    Vec::new()
}

fn flipped_bytes(server: SocketAddr) -> Vec<Wire> {
    let writes = [(a_write(), 3), (a_write_of_labels(), 3)];
    let loads = [(a_load(20), 7), (a_load_of_events(20), 7)];
    for (good, step) in writes.into_iter().chain(loads) {
        for at in (0..good.len()).step_by(step) {
            let mut body = good.clone();
            body[at] ^= 0xff;
            let mut wire = Wire::connect(server).unwrap();
            wire.stream().write_all(&framed(&body)).unwrap();
            wire.send(&ClientMessage::Goodbye).ok();
            assert!(is_closed_after(&mut wire, &[]), "byte {at}");
        }
    }
    Vec::new()
}
