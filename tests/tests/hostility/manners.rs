//! Messages that are well-formed and out of place.

use std::net::SocketAddr;

use tessera_protocol::{
    handshake::hello,
    load::{EventRows, LoadColumn, LoadRows},
    message::{
        ClientMessage, FailureCode, Hello, HoldTerms, MAGIC, Mutation, Request, RequestBody,
        RequestId, ServerMessage, UnknownTags, UnknownUsers,
    },
};
use tessera_tests::wire::{Wire, WireError, write_body};

use super::Attacks;

pub(crate) const ATTACKS: Attacks = &[
    ("a request before the handshake", request_first),
    ("a hello of another protocol", strange_hellos),
    ("a second hello", second_hello),
    ("credit and cancellation for nobody", unknown_requests),
    ("one number for two requests", repeated_numbers),
    ("many requests and no reading", flood),
    ("rows that nobody fetches", no_credit),
    ("more mutations than a write may have", many_mutations),
    (
        "what a connection of an older version does not have",
        load_of_the_future,
    ),
    ("more connections than there may be", many_connections),
];

fn ask(wire: &mut Wire, id: u64, credit: u32, body: RequestBody) {
    let request = Request {
        id: RequestId(id),
        deadline_ms: 0,
        rows_messages_credit: credit,
        body,
    };
    wire.send(&ClientMessage::Request(request)).unwrap();
}

fn select(statement: &str) -> RequestBody {
    RequestBody::Execute {
        statement: statement.to_owned(),
        parameters: Vec::new(),
    }
}

fn request_first(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::open(server).unwrap();
    ask(&mut wire, 1, 1, RequestBody::Ping);
    match wire.receive() {
        Ok(ServerMessage::Refused(failure)) => assert_eq!(failure.code, FailureCode::Protocol),
        other => panic!("{other:?}"),
    }
    assert!(
        matches!(wire.receive(), Err(WireError::Lost(_))),
        "the connection is closed"
    );
    Vec::new()
}

fn strange_hellos(server: SocketAddr) -> Vec<Wire> {
    let hello = |magic, version_min, version_max| Hello {
        magic,
        version_min,
        version_max,
        agent: String::new(),
    };
    let strange = [
        (hello(*b"HTTP", 1, 1), FailureCode::Protocol),
        (hello(MAGIC, 2, 1), FailureCode::Protocol),
        (hello(MAGIC, 900, 901), FailureCode::Version),
        (
            Hello {
                agent: "x".repeat(3_000),
                ..hello(MAGIC, 1, 1)
            },
            FailureCode::Protocol,
        ),
    ];
    for (hello, expected) in strange {
        let mut wire = Wire::open(server).unwrap();
        wire.send(&ClientMessage::Hello(hello)).unwrap();
        match wire.receive() {
            Ok(ServerMessage::Refused(failure)) => assert_eq!(failure.code, expected),
            other => panic!("{other:?}"),
        }
    }
    Vec::new()
}

fn second_hello(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    wire.send(&hello("again")).unwrap();
    match wire.receive() {
        Ok(ServerMessage::Refused(failure)) => assert_eq!(failure.code, FailureCode::Protocol),
        Err(WireError::Lost(_)) => {}
        other => panic!("{other:?}"),
    }
    Vec::new()
}

fn load_of_the_future(server: SocketAddr) -> Vec<Wire> {
    let load = |columns: Vec<LoadColumn>| RequestBody::Load {
        idempotency_key: None,
        unknown_tags: UnknownTags::Refuse,
        rows: LoadRows {
            columns,
            ..LoadRows::default()
        },
    };
    let (names, ends, codes) = (Vec::new(), Vec::new(), Vec::new());
    let taken = LoadColumn::Taken { names, ends, codes };
    let events = RequestBody::LoadEvents {
        idempotency_key: None,
        unknown_users: UnknownUsers::Create,
        rows: EventRows::default(),
    };
    let track = write_body(None, vec![Mutation::Track(Box::default())]);
    let hold = Mutation::Hold {
        user: "u1".to_owned(),
        tags: vec!["vip".to_owned()],
        terms: HoldTerms::default(),
    };
    let asked_too_early = |(version, body)| said_too_early(server, version, body);
    [
        (1, load(Vec::new())),
        (2, write_body(None, vec![hold])),
        (3, load(vec![taken])),
        (3, events),
        (3, track),
    ]
    .into_iter()
    .map(asked_too_early)
    .collect()
}

/// A request in a version that does not have it.
fn said_too_early(server: SocketAddr, version: u16, body: RequestBody) -> Wire {
    let mut wire = Wire::open(server).unwrap();
    wire.send(&ClientMessage::Hello(Hello {
        magic: MAGIC,
        version_min: 1,
        version_max: version,
        agent: String::new(),
    }))
    .unwrap();
    match wire.receive() {
        Ok(ServerMessage::Welcome(welcome)) => assert_eq!(welcome.version, version),
        other => panic!("{other:?}"),
    }
    ask(&mut wire, 1, 1, body);
    match wire.receive() {
        Ok(ServerMessage::Failed { failure, .. }) => assert_eq!(failure.code, FailureCode::Version),
        other => panic!("{other:?}"),
    }
    wire
}

/// What has just been answered may still be cancelled or given credit: the client cannot know.
fn unknown_requests(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    for id in [0, 7, u64::MAX] {
        wire.send(&ClientMessage::Cancel { id: RequestId(id) })
            .unwrap();
        wire.send(&ClientMessage::Credit {
            id: RequestId(id),
            rows_messages: u32::MAX,
        })
        .unwrap();
    }
    wire.ping().unwrap();
    Vec::new()
}

fn repeated_numbers(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    // Without credit the first is under way for as long as we like.
    ask(&mut wire, 1, 0, select("SEGMENT ALL"));
    ask(&mut wire, 1, 0, select("SEGMENT ALL"));
    loop {
        match wire.receive() {
            Ok(ServerMessage::Refused(failure) | ServerMessage::Failed { failure, .. }) => {
                assert_eq!(failure.code, FailureCode::Protocol);
                break;
            }
            Ok(
                ServerMessage::Header { .. }
                | ServerMessage::Rows { .. }
                | ServerMessage::Keys { .. },
            ) => {}
            Err(WireError::Lost(_)) => break,
            other => panic!("{other:?}"),
        }
    }
    Vec::new()
}

/// Every request of a flood is answered or refused, or the connection is closed.
fn flood(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    let sent = (0..2_000_u64)
        .take_while(|_| wire.ask(select("SEGMENT ALL RETURN age")).is_ok())
        .count();
    let mut ended = 0;
    while ended < sent {
        match wire.receive() {
            Ok(ServerMessage::End { .. }) => ended += 1,
            Ok(ServerMessage::Failed { failure, .. }) => {
                assert_eq!(failure.code, FailureCode::Overloaded);
                ended += 1;
            }
            Ok(
                ServerMessage::Header { .. }
                | ServerMessage::Rows { .. }
                | ServerMessage::Keys { .. },
            ) => {}
            Ok(ServerMessage::Refused(_)) | Err(WireError::Lost(_)) => break,
            Ok(other) => panic!("{other:?}"),
            Err(WireError::Refused(failure)) => panic!("{failure:?}"),
        }
    }
    Vec::new()
}

/// Fifty connections with ten answers each that wait for credit which never comes.
fn no_credit(server: SocketAddr) -> Vec<Wire> {
    let stall = |_| {
        let mut wire = Wire::connect(server).unwrap();
        (0..10).for_each(|id| ask(&mut wire, id, 0, select("SEGMENT ALL RETURN age")));
        wire
    };
    (0..50).map(stall).collect()
}

fn many_mutations(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    let ensure = |number: u32| Mutation::Ensure {
        user: format!("{number:x}"),
    };
    let refused = wire.request(write_body(None, (0..100_001).map(ensure).collect()));
    assert_eq!(refused.unwrap_err().code(), FailureCode::LimitExceeded);
    assert_eq!(wire.count("age IS PRESENT").unwrap(), 2_000);
    Vec::new()
}

/// One client must not lock out the others for longer than it is there.
fn many_connections(server: SocketAddr) -> Vec<Wire> {
    let connections: Vec<_> = (0..400).map(|_| Wire::connect(server)).collect();
    assert!(
        connections.iter().any(Result::is_err),
        "the number of connections has a limit"
    );
    drop(connections);
    // The server sees the ends one after the other.
    for _ in 0..1_000 {
        if Wire::connect(server).is_ok() {
            return Vec::new();
        }
        std::thread::yield_now();
    }
    panic!("the connections are not given back");
}
