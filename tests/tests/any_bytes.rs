//! The bodies of the fuzz targets over random and slightly wrong input, so that they hold and
//! stay built where no fuzzer runs.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use bytes::BytesMut;
use jiff::Timestamp;
use proptest::prelude::*;
use tessera_engine::bitmap::Fragment;
use tessera_protocol::{
    codec::{encode_client, encode_server},
    frame::encode_frame,
    load::{EventColumn, EventRows, LoadColumn, LoadRows, NumberForm, PackedTexts, presence},
    message::{
        ClientMessage, Datum, HoldEnd, HoldTerms, Mutation, Parameter, Request, RequestBody,
        RequestId, ServerMessage, Source, Summary, Track, UnknownTags, UnknownUsers,
    },
};
use tessera_tests::{
    fuzz,
    model::{
        Model,
        generate::{Generator, Step},
    },
};

/// What is changed in good bytes: places (modulo their number) and new values.
fn flips() -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop::collection::vec((any::<usize>(), any::<u8>()), 0..4)
}

fn flipped(mut bytes: Vec<u8>, flips: &[(usize, u8)], length: Option<usize>) -> Vec<u8> {
    if let Some(length) = length {
        bytes.truncate(length % (bytes.len() + 1));
    }
    let count = bytes.len();
    for (at, value) in flips.iter().filter(|_| count > 0) {
        bytes[at % count] = *value;
    }
    bytes
}

/// Words and signs of the language.
const WORDS: &[&str] = &[
    "COUNT",
    "SEGMENT",
    "DIMENSION",
    "TAG",
    "SET",
    "WHERE",
    "WITH",
    "AND",
    "OR",
    "NOT",
    "AT LEAST 2 OF",
    "ALL",
    "tag:",
    "tag:vip",
    "user:",
    "group:g",
    "segment:s",
    "IS MISSING",
    "IS NOT PRESENT",
    "age",
    "age:18..34",
    ":",
    "..",
    "(",
    ")",
    "[",
    "]",
    ",",
    ";",
    "=",
    "!=",
    ">=",
    "+=",
    "-=",
    "*",
    "$1",
    "$x",
    "now-30d",
    "today",
    "\"a b\"",
    "\"",
    "\\",
    "42",
    "-7",
    "1.5",
    "2026-01-05",
    "2026-01-05T10:00:00Z",
    "true",
    "LIMIT 5",
    "ORDER BY",
    "DESC",
    "RETURN KEY, TAGS",
    "MEASURE count, p50(age)",
    "HAVING count > 3",
    "TOP 3",
    "BY month",
    "SAMPLE 5%",
    "SEED 7",
    "DEFINE",
    "DROP",
    "ALTER",
    "GROUP",
    "ATTRIBUTE",
    "ENUM (a, b)",
    "DECIMAL(2)",
    "IF NOT EXISTS",
    "EXPLAIN",
    "SHOW TAGS LIKE",
    "--",
    "\n",
    "高价值",
    "é",
    "\u{0}",
    "did:x",
    "[since >= now-7d]",
    "TRACK u e",
    "AT now-1h",
    "ID \"i\"",
    "SUBMIT FORM f FOR u",
    "SETS EVENT e.p",
    "SETS TAG (a: b)",
    "MERGE TAG a INTO",
    "RENAME TAG a TO",
    "CLEAR TAG u",
    "WHY u IN",
    "TREND tag:a",
    "LAST 90d",
    "LINT TAGS",
    "USAGES",
    "EVENT",
    "FORM",
    "DYNAMIC FOR 30d",
    "ON RETAG EXTEND",
    "FROM",
    "UNTIL",
    "SOURCE import",
    "AS",
    "a: ALL",
    "OTHERWISE",
    "BANDS OF x (a: 1..2",
    "PERCENTILES OF",
    "YEARS SINCE d",
    "d ANNIVERSARY IN",
    "count(e, 30d)",
    "sum(e[p:1].p)",
    "last(e)",
    ".p",
    "top(e.p)",
    "sequence(e -> e",
    "within 1d",
    "lapsed(tag:x",
    "referred_by(",
    "descendants_of(ALL, 2)",
];

/// Some of them, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(WORDS);
    prop::collection::vec(word, 0..25).prop_map(|words| words.join(" "))
}

/// A statement as the model test writes them.
fn statement(seed: u64) -> Vec<u8> {
    let mut model = Model::new(Timestamp::UNIX_EPOCH);
    let mut generator = Generator::new(seed, 10);
    for _ in 0..6 {
        if let Step::Statement(statement) = generator.beginnings(&model) {
            model.change_definitions(&statement).ok();
        }
    }
    loop {
        if let Step::Statement(statement) = generator.step(&model) {
            return statement.to_string().into_bytes();
        }
    }
}

fn client_message(seed: u64) -> ClientMessage {
    let body = match seed % 5 {
        0 => RequestBody::Load {
            idempotency_key: None,
            unknown_tags: UnknownTags::Refuse,
            rows: load_rows(seed),
        },
        1 => RequestBody::LoadEvents {
            idempotency_key: None,
            unknown_users: UnknownUsers::Refuse,
            rows: event_rows(seed),
        },
        2 => RequestBody::Write {
            idempotency_key: None,
            unknown_tags: UnknownTags::Define,
            mutations: mutations(seed),
        },
        _ => body(seed),
    };
    ClientMessage::Request(Request {
        id: RequestId(seed),
        deadline_ms: 9,
        rows_messages_credit: 1,
        body,
    })
}

/// What the model test says.
fn body(seed: u64) -> RequestBody {
    let mut model = Model::new(Timestamp::UNIX_EPOCH);
    let mut generator = Generator::new(seed, 10);
    for _ in 0..10 {
        if let Step::Statement(statement) = generator.beginnings(&model) {
            model.change_definitions(&statement).ok();
        }
    }
    match generator.step(&model) {
        Step::Write {
            mutations,
            unknown_tags,
        } => RequestBody::Write {
            idempotency_key: Some([seed as u8; 16]),
            unknown_tags,
            mutations,
        },
        Step::Statement(statement) => RequestBody::Execute {
            statement: statement.to_string(),
            parameters: vec![Parameter {
                name: "1".to_owned(),
                value: Datum::List(vec!["x".to_owned(); 3]),
            }],
        },
        Step::Restart | Step::Wait(_) => RequestBody::Ping,
    }
}

/// Those that the model test does not know.
fn mutations(seed: u64) -> Vec<Mutation> {
    let user = || "u".to_owned();
    vec![
        Mutation::Add {
            user: user(),
            attribute: "a".to_owned(),
            values: vec![Datum::Null],
        },
        Mutation::Hold {
            user: user(),
            tags: vec!["t".to_owned()],
            terms: HoldTerms {
                since_us: Some(seed as i64),
                end: HoldEnd::At(seed as i64),
                source: Source::Model,
            },
        },
        Mutation::Track(Box::new(Track {
            user: user(),
            event: "e".to_owned(),
            time_us: Some(seed as i64),
            id: Some("i".to_owned()),
            values: vec![("p".to_owned(), Datum::Null)],
        })),
    ]
}

/// A column of each kind.
fn load_rows(seed: u64) -> LoadRows {
    let count = (seed % 20) as u32;
    let mut keys = PackedTexts::default();
    (0..count).for_each(|row| keys.push(&format!("u{row}")).unwrap());
    let codes: Vec<u32> = (0..count).map(|row| row % 3).collect();
    let ends: Vec<u32> = (1..=count).collect();
    let names = ["s", "t", "u"].map(str::to_owned).to_vec();
    let columns = vec![
        LoadColumn::Coded {
            attribute: "a".to_owned(),
            dictionary: vec![Datum::Null, Datum::list(["x", "y"])],
            codes: codes.clone(),
        },
        LoadColumn::Numbers {
            attribute: "b".to_owned(),
            form: NumberForm::Decimal { scale: 2 },
            present: presence(codes.iter().map(|code| *code == 1)),
            numbers: codes
                .iter()
                .filter(|code| **code == 1)
                .map(|_| seed as i64)
                .collect(),
        },
        LoadColumn::Holdings {
            names: names.clone(),
            ends: ends.clone(),
            codes: codes.clone(),
            terms: vec![Source::Import.into(); 3],
            of: codes.clone(),
        },
        LoadColumn::Added {
            attribute: "c".to_owned(),
            dictionary: vec![Datum::from("x"), Datum::from("y"), Datum::from("z")],
            ends: ends.clone(),
            codes: codes.clone(),
        },
        LoadColumn::Taken {
            names: names.clone(),
            ends: ends.clone(),
            codes: codes.clone(),
        },
        LoadColumn::Tags { names, ends, codes },
    ];
    LoadRows { keys, columns }
}

/// Events of three users, with ids and a property of each kind.
fn event_rows(seed: u64) -> EventRows {
    let count = (seed % 20) as u32;
    let (mut users, mut ids) = (PackedTexts::default(), PackedTexts::default());
    (0..3).for_each(|user| users.push(&format!("u{user}")).unwrap());
    (0..count).for_each(|event| ids.push(&format!("e{event}")).unwrap());
    let of: Vec<u32> = (0..count).map(|event| event % 3).collect();
    let columns = vec![
        EventColumn::Coded {
            property: "p".to_owned(),
            dictionary: vec![Datum::Null, Datum::from("x")],
            codes: of.clone(),
        },
        EventColumn::Numbers {
            property: "q".to_owned(),
            form: NumberForm::Integer,
            present: presence(of.iter().map(|_| true)),
            numbers: vec![seed as i64; of.len()],
        },
    ];
    EventRows {
        event: "e".to_owned(),
        users,
        times_us: vec![seed as i64; of.len()],
        of,
        ids: Some(ids),
        columns,
    }
}

fn server_message(seed: u64) -> ServerMessage {
    let id = RequestId(seed);
    let row = vec![
        Datum::Text("u1".to_owned()),
        Datum::Real(0.5),
        Datum::Decimal {
            units: -7,
            scale: 2,
        },
    ];
    match seed % 3 {
        0 => ServerMessage::Rows {
            id,
            rows: vec![row; 5],
        },
        1 => ServerMessage::End {
            id,
            summary: Summary {
                cursor: Some("c".to_owned()),
                ..Summary::default()
            },
        },
        _ => ServerMessage::Closing,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parser_random(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::parser(&bytes);
    }

    #[test]
    fn parser_words(text in words()) {
        fuzz::parser(text.as_bytes());
    }

    #[test]
    fn parser_almost_right(seed in any::<u64>(), flips in flips(), length in any::<Option<usize>>()) {
        fuzz::parser(&flipped(statement(seed), &flips, length));
    }

    #[test]
    fn frame_decoder_random(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz::frame_decoder(&bytes);
    }

    #[test]
    fn frame_decoder_almost_right(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        piece in any::<u8>(),
        flips in flips(),
        length in any::<Option<usize>>(),
    ) {
        let mut stream = BytesMut::new();
        bodies.iter().for_each(|body| encode_frame(body, 1 << 20, &mut stream).unwrap());
        let mut bytes = vec![piece];
        bytes.extend(flipped(stream.to_vec(), &flips, length));
        fuzz::frame_decoder(&bytes);
    }

    #[test]
    fn message_decoder_random(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz::message_decoder(&bytes);
    }

    #[test]
    fn message_decoder_almost_right(seed in any::<u64>(), flips in flips(), length in any::<Option<usize>>()) {
        let mut bytes = BytesMut::new();
        encode_client(&client_message(seed), &mut bytes).unwrap();
        fuzz::message_decoder(&flipped(bytes.to_vec(), &flips, length));
        let mut bytes = BytesMut::new();
        encode_server(&server_message(seed), &mut bytes).unwrap();
        fuzz::message_decoder(&flipped(bytes.to_vec(), &flips, length));
    }

    #[test]
    fn fragment_decoder_random(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        fuzz::fragment_decoder(&bytes);
    }

    #[test]
    fn fragment_decoder_almost_right(
        scattered in prop::collection::vec(0_u32..1 << 20, 0..60),
        run in (0_u32..1 << 20, 0_u32..70_000),
        flips in flips(),
        length in any::<Option<usize>>(),
    ) {
        let mut bitmap: roaring::RoaringBitmap = scattered.into_iter().collect();
        bitmap.insert_range(run.0..(run.0 + run.1).min(1 << 20));
        bitmap.optimize();
        let mut bytes = Vec::new();
        bitmap.serialize_into(&mut bytes).unwrap();
        let mut stored = Vec::new();
        Fragment::from_portable(&bytes).unwrap().write_stored(&mut stored);
        for bytes in [bytes, stored] {
            fuzz::fragment_decoder(&flipped(bytes, &flips, length));
        }
    }
}
