//! Keys that are all of an answer: packed for who can read that, rows for who cannot, and the
//! same users either way.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use tessera_protocol::message::{
    ClientMessage, Datum, Hello, MAGIC, Mutation, Request, RequestBody, RequestId, ServerMessage,
};
use tessera_tests::{server_process::ServerProcess, wire::Wire};

const USERS: usize = 3000;

/// Keys of one byte to 256 bytes, not all of them ASCII.
fn key(number: usize) -> String {
    match number % 10 {
        0 => format!("é{number}"),
        1 => format!("{number:0>256}"),
        _ => format!("u{number}"),
    }
}

/// The messages of an answer, as many keys as each has.
struct Given {
    keys: Vec<String>,
    packed: usize,
    rows: usize,
    cursor: Option<String>,
}

/// Asks as a client that speaks up to a version.
fn ask(wire: &mut Wire, number: u64, statement: &str) -> Given {
    let request = Request {
        id: RequestId(number),
        deadline_ms: 0,
        rows_messages_credit: u32::MAX,
        body: RequestBody::Execute {
            statement: statement.to_owned(),
            parameters: Vec::new(),
        },
    };
    wire.send(&ClientMessage::Request(request)).unwrap();
    let mut given = Given {
        keys: Vec::new(),
        packed: 0,
        rows: 0,
        cursor: None,
    };
    loop {
        match wire.receive().unwrap() {
            ServerMessage::Header { columns, .. } => assert_eq!(columns.len(), 1),
            ServerMessage::Keys { keys, .. } => {
                given.packed += 1;
                given.keys.extend(keys.iter().map(str::to_owned));
            }
            ServerMessage::Rows { rows, .. } => {
                given.rows += 1;
                assert!(rows.len() <= 1000);
                given
                    .keys
                    .extend(rows.iter().map(|row| match row.as_slice() {
                        [Datum::Text(key)] => key.clone(),
                        _ => panic!("{row:?}"),
                    }));
            }
            ServerMessage::End { summary, .. } => {
                assert_eq!(summary.rows, given.keys.len() as u64);
                given.cursor = summary.cursor;
                return given;
            }
            other @ (ServerMessage::Welcome(_)
            | ServerMessage::Refused(_)
            | ServerMessage::Failed { .. }
            | ServerMessage::Closing) => panic!("{other:?}"),
        }
    }
}

fn connect(server: &ServerProcess, version_max: u16) -> Wire {
    let mut wire = Wire::open(server.address()).unwrap();
    let hello = Hello {
        magic: MAGIC,
        version_min: 1,
        version_max,
        agent: "tessera-tests".to_owned(),
    };
    wire.send(&ClientMessage::Hello(hello)).unwrap();
    let ServerMessage::Welcome(welcome) = wire.receive().unwrap() else {
        panic!("no welcome");
    };
    assert_eq!(welcome.version, version_max);
    wire
}

#[test]
fn keys_are_the_same_in_every_version_and_cut() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--partitions", "3", "--limits-message-bytes-max", "8KiB"];
    let server = ServerProcess::start_with(directory.path(), &flags);
    let mut expected: Vec<String> = (0..USERS).map(key).collect();
    let ensure = |key: &String| Mutation::Ensure { user: key.clone() };
    let mut writer = Wire::connect(server.address()).unwrap();
    writer
        .write(None, expected.iter().map(ensure).collect())
        .unwrap();
    expected.sort_unstable();

    let mut old = connect(&server, 1);
    let mut new = connect(&server, 2);
    let (rows, packed) = (
        ask(&mut old, 1, "SEGMENT ALL"),
        ask(&mut new, 1, "SEGMENT ALL"),
    );
    assert_eq!((rows.packed, packed.rows), (0, 0));
    // 8 KiB hold 31 keys of 256 bytes with their lengths, and a tenth of all are so long.
    assert!(packed.packed >= USERS / 10 / 31, "{}", packed.packed);
    assert_eq!(rows.keys, packed.keys);
    let mut found = packed.keys.clone();
    found.sort_unstable();
    assert_eq!(found, expected);

    let mut paged = Vec::new();
    let mut page = ask(&mut new, 2, "SEGMENT ALL LIMIT 700");
    loop {
        assert!(page.keys.len() <= 700);
        paged.extend(page.keys);
        let Some(cursor) = page.cursor else { break };
        page = ask(&mut new, 3, &format!("FETCH {cursor:?}"));
    }
    assert_eq!(paged, packed.keys);
}
