//! The bytes of every message, kept in a file: a change of the format cannot go unnoticed.
//! `docs/protocol.md` shows some of them, and is checked here too.
//!
//! `TESSERA_BLESS=1 cargo test -p tessera-protocol --release --test golden` writes the file anew.

use std::{collections::BTreeMap, error::Error, fmt::Write as _, fs, path::PathBuf};

use bytes::BytesMut;
use tessera_protocol::{
    codec,
    load::{EventColumn, EventRows, LoadColumn, LoadRows, NumberForm, PackedTexts, presence},
    message::*,
};

type Outcome = Result<(), Box<dyn Error>>;

/// A message of either side.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Client(ClientMessage),
    Server(ServerMessage),
}

impl Said {
    fn bytes(&self) -> Result<BytesMut, codec::EncodeError> {
        let mut out = BytesMut::new();
        match self {
            Self::Client(message) => codec::encode_client(message, &mut out)?,
            Self::Server(message) => codec::encode_server(message, &mut out)?,
        }
        Ok(out)
    }

    fn read_like(&self, bytes: &[u8]) -> Result<Self, codec::DecodeError> {
        match self {
            Self::Client(_) => codec::decode_client(bytes).map(Self::Client),
            Self::Server(_) => codec::decode_server(bytes).map(Self::Server),
        }
    }
}

fn request(id: u64, body: RequestBody) -> Said {
    let id = RequestId(id);
    let request = Request {
        id,
        deadline_ms: 5000,
        rows_messages_credit: 8,
        body,
    };
    Said::Client(ClientMessage::Request(request))
}

fn write(name: &str, mutation: Mutation) -> (String, Said) {
    let body = RequestBody::Write {
        idempotency_key: None,
        unknown_tags: UnknownTags::Refuse,
        mutations: vec![mutation],
    };
    (format!("write-{name}"), request(3, body))
}

fn value(name: &str, value: Datum) -> (String, Said) {
    let rows = ServerMessage::Rows {
        id: RequestId(2),
        rows: vec![vec![value]],
    };
    (format!("value-{name}"), Said::Server(rows))
}

fn named(name: &str, said: Said) -> (String, Said) {
    (name.to_owned(), said)
}

fn client_messages() -> Vec<(String, Said)> {
    let text = str::to_owned;
    let hello = Hello {
        magic: MAGIC,
        version_min: 1,
        version_max: 4,
        agent: text("example 1.0"),
    };
    let parameters = vec![Parameter {
        name: text("1"),
        value: Datum::Text(text("vip")),
    }];
    let keyed = RequestBody::Write {
        idempotency_key: Some([0x11; 16]),
        unknown_tags: UnknownTags::Define,
        mutations: vec![
            Mutation::Ensure { user: text("u1") },
            Mutation::Tag {
                user: text("u1"),
                tags: vec![text("vip")],
            },
        ],
    };
    vec![
        named("hello", Said::Client(ClientMessage::Hello(hello))),
        named("ping", request(1, RequestBody::Ping)),
        named(
            "count",
            request(
                2,
                RequestBody::Execute {
                    statement: text("COUNT tag:$1"),
                    parameters,
                },
            ),
        ),
        named("write-with-key", request(3, keyed)),
        named(
            "credit",
            Said::Client(ClientMessage::Credit {
                id: RequestId(2),
                rows_messages: 4,
            }),
        ),
        named(
            "cancel",
            Said::Client(ClientMessage::Cancel { id: RequestId(300) }),
        ),
        named("goodbye", Said::Client(ClientMessage::Goodbye)),
    ]
}

fn mutations() -> Vec<(String, Said)> {
    let user = || "u1".to_owned();
    let attribute = || "langs".to_owned();
    let values = || vec![Datum::Text("en".to_owned()), Datum::Text("fr".to_owned())];
    let tags = || vec!["vip".to_owned(), "gold".to_owned()];
    let set = vec![
        ("age".to_owned(), Datum::Integer(30)),
        ("city".to_owned(), Datum::Null),
    ];
    vec![
        write("ensure", Mutation::Ensure { user: user() }),
        write(
            "tag",
            Mutation::Tag {
                user: user(),
                tags: tags(),
            },
        ),
        write(
            "untag",
            Mutation::Untag {
                user: user(),
                tags: tags(),
            },
        ),
        write(
            "set",
            Mutation::Set {
                user: user(),
                values: set,
            },
        ),
        write(
            "add",
            Mutation::Add {
                user: user(),
                attribute: attribute(),
                values: values(),
            },
        ),
        write(
            "remove",
            Mutation::Remove {
                user: user(),
                attribute: attribute(),
                values: values(),
            },
        ),
        write("delete-user", Mutation::DeleteUser { user: user() }),
        write("hold", hold(HoldEnd::OfTag, None, Source::Import)),
        write(
            "hold-until",
            hold(
                HoldEnd::At(1_795_478_400_000_000),
                Some(1_795_392_000_000_000),
                Source::Manual,
            ),
        ),
        write("hold-for", hold(thirty_days(), None, Source::Model)),
        write(
            "track",
            Mutation::Track(Box::new(Track {
                user: user(),
                event: "login".to_owned(),
                ..Track::default()
            })),
        ),
        write("track-all", track_all()),
    ]
}

fn track_all() -> Mutation {
    let amount = Datum::Decimal {
        units: 1250,
        scale: 2,
    };
    Mutation::Track(Box::new(Track {
        user: "u1".to_owned(),
        event: "purchase".to_owned(),
        time_us: Some(1_795_392_000_000_000),
        id: Some("e-1".to_owned()),
        values: vec![
            ("amount".to_owned(), amount),
            ("channel".to_owned(), Datum::from("ads")),
        ],
    }))
}

fn load_events(
    name: &str,
    unknown_users: UnknownUsers,
    ids: Option<PackedTexts>,
    columns: Vec<EventColumn>,
) -> Result<(String, Said), Box<dyn Error>> {
    let mut users = PackedTexts::default();
    for key in ["u1", "u22"] {
        users.push(key)?;
    }
    let body = RequestBody::LoadEvents {
        idempotency_key: None,
        unknown_users,
        rows: EventRows {
            event: "purchase".to_owned(),
            users,
            of: vec![0, 1, 0],
            times_us: vec![-1, 0, 1],
            ids,
            columns,
        },
    };
    Ok((format!("load-events-{name}"), request(5, body)))
}

fn event_loads() -> Result<Vec<(String, Said)>, Box<dyn Error>> {
    let mut ids = PackedTexts::default();
    for id in ["e-1", "", "e-2"] {
        ids.push(id)?;
    }
    let coded = EventColumn::Coded {
        property: "channel".to_owned(),
        dictionary: vec![Datum::from("ads")],
        codes: vec![1, 0, 1],
    };
    let numbers = EventColumn::Numbers {
        property: "amount".to_owned(),
        form: NumberForm::Decimal { scale: 2 },
        present: presence([true, false, false]),
        numbers: vec![1250],
    };
    Ok(vec![
        load_events("times", UnknownUsers::Create, None, vec![])?,
        load_events("ids", UnknownUsers::Refuse, Some(ids), vec![])?,
        load_events("coded", UnknownUsers::Create, None, vec![coded])?,
        load_events("numbers", UnknownUsers::Create, None, vec![numbers])?,
    ])
}

fn hold(end: HoldEnd, since_us: Option<i64>, source: Source) -> Mutation {
    Mutation::Hold {
        user: "u1".to_owned(),
        tags: vec!["vip".to_owned()],
        terms: HoldTerms {
            since_us,
            end,
            source,
        },
    }
}

fn thirty_days() -> HoldEnd {
    HoldEnd::After {
        amount: 30,
        unit: TimeUnit::Day,
    }
}

fn load(name: &str, columns: Vec<LoadColumn>) -> Result<(String, Said), Box<dyn Error>> {
    let mut keys = PackedTexts::default();
    for key in ["u1", "u22", "ü3"] {
        keys.push(key)?;
    }
    let body = RequestBody::Load {
        idempotency_key: None,
        unknown_tags: UnknownTags::Define,
        rows: LoadRows { keys, columns },
    };
    Ok((format!("load-{name}"), request(4, body)))
}

fn loads() -> Result<Vec<(String, Said)>, Box<dyn Error>> {
    let text = str::to_owned;
    let coded = LoadColumn::Coded {
        attribute: text("city"),
        dictionary: vec![Datum::from("Bern"), Datum::Null],
        codes: vec![1, 0, 2],
    };
    let numbers = |form, rows: [Option<i64>; 3]| LoadColumn::Numbers {
        attribute: text("age"),
        form,
        present: presence(rows.map(|number| number.is_some())),
        numbers: rows.into_iter().flatten().collect(),
    };
    let tags = LoadColumn::Tags {
        names: vec![text("vip"), text("gold")],
        ends: vec![2, 2, 3],
        codes: vec![1, 0, 0],
    };
    let for_days = HoldTerms {
        end: thirty_days(),
        ..Source::Import.into()
    };
    let holdings = LoadColumn::Holdings {
        names: vec![text("vip")],
        ends: vec![1, 1, 2],
        codes: vec![0, 0],
        terms: vec![Source::Import.into(), for_days],
        of: vec![1, 0],
    };
    let added = LoadColumn::Added {
        attribute: text("interests"),
        dictionary: vec![Datum::from("golf"), Datum::from("chess")],
        ends: vec![2, 2, 3],
        codes: vec![0, 1, 1],
    };
    let taken = LoadColumn::Taken {
        names: vec![text("vip")],
        ends: vec![0, 1, 1],
        codes: vec![0],
    };
    let integers = numbers(NumberForm::Integer, [Some(30), Some(-1), Some(300)]);
    let decimals = numbers(NumberForm::Decimal { scale: 2 }, [Some(1999), None, None]);
    let dates = numbers(NumberForm::Date, [None, Some(20_780), None]);
    let moments = [None, None, Some(1_795_392_000_000_000)];
    let moments = numbers(NumberForm::Timestamp, moments);
    Ok(vec![
        load("keys", vec![])?,
        load("coded", vec![coded])?,
        load("integers", vec![integers])?,
        load("decimals", vec![decimals])?,
        load("dates", vec![dates])?,
        load("timestamps", vec![moments])?,
        load("tags", vec![tags])?,
        load("holdings", vec![holdings])?,
        load("added", vec![added])?,
        load("taken", vec![taken])?,
    ])
}

fn values() -> Vec<(String, Said)> {
    let list = vec!["en".to_owned(), "fr".to_owned()];
    let mut values = vec![
        value("null", Datum::Null),
        value("false", Datum::Boolean(false)),
        value("true", Datum::Boolean(true)),
        value(
            "decimal",
            Datum::Decimal {
                units: 1999,
                scale: 2,
            },
        ),
        value(
            "decimal-least",
            Datum::Decimal {
                units: i128::MIN,
                scale: 18,
            },
        ),
        value("real", Datum::Real(0.25)),
        value("real-negative-zero", Datum::Real(-0.0)),
        value("text", Datum::Text("高价值".to_owned())),
        value("text-empty", Datum::Text(String::new())),
        value("text-long", Datum::Text("x".repeat(251))),
        value("date", Datum::Date(20_780)),
        value("date-before-1970", Datum::Date(-1)),
        value("timestamp", Datum::Timestamp(1_795_392_000_000_000)),
        value("list", Datum::List(list)),
    ];
    // Each width of an integer, at both of its ends.
    for number in [
        0,
        -1,
        1,
        125,
        -125,
        -126,
        126,
        32_767,
        -32_768,
        32_768,
        2_147_483_647,
        -2_147_483_648,
        2_147_483_648,
        i64::MAX,
        i64::MIN,
    ] {
        values.push(value(&format!("integer{number:+}"), Datum::Integer(number)));
    }
    values
}

fn server_messages() -> Vec<(String, Said)> {
    let id = RequestId(2);
    let welcome = Welcome {
        version: 4,
        agent: "tessera-server 0.1.0".to_owned(),
        frame_bytes_max: 8_388_608,
        requests_in_flight_max: 64,
        mutations_max: 10_000,
    };
    let summary = Summary {
        elapsed_us: 1234,
        rows: 1,
        users_changed: 2,
        facts_changed: 3,
        cursor: Some("c1".to_owned()),
        warnings: vec!["slow".to_owned()],
    };
    let count = Column {
        name: "count".to_owned(),
        role: ColumnRole::Measure,
    };
    let header = ServerMessage::Header {
        id,
        kind: ResultKind::Count,
        columns: vec![count],
    };
    let keys = PackedTexts::new("u1ü3".to_owned(), vec![2, 5]).unwrap_or_default();
    let refused = failure(FailureCode::Version, None);
    let failed = failure(FailureCode::UnknownName, Some((10, 13)));
    vec![
        named("welcome", Said::Server(ServerMessage::Welcome(welcome))),
        named("refused", Said::Server(ServerMessage::Refused(refused))),
        named("header", Said::Server(header)),
        named(
            "rows",
            Said::Server(ServerMessage::Rows {
                id,
                rows: vec![vec![Datum::Integer(42)]],
            }),
        ),
        named(
            "rows-none",
            Said::Server(ServerMessage::Rows {
                id,
                rows: Vec::new(),
            }),
        ),
        named("keys", Said::Server(ServerMessage::Keys { id, keys })),
        named("end", Said::Server(ServerMessage::End { id, summary })),
        named(
            "end-empty",
            Said::Server(ServerMessage::End {
                id,
                summary: Summary::default(),
            }),
        ),
        named(
            "failed",
            Said::Server(ServerMessage::Failed {
                id,
                failure: failed,
            }),
        ),
        named("closing", Said::Server(ServerMessage::Closing)),
    ]
}

fn failure(code: FailureCode, span: Option<(u32, u32)>) -> Failure {
    let hint = span.map(|_| "did you mean vip".to_owned());
    Failure {
        code,
        message: "no tag vop".to_owned(),
        span,
        hint,
    }
}

fn small_enums() -> Vec<(String, Said)> {
    let id = RequestId(0);
    let kinds = [
        ResultKind::Count,
        ResultKind::Segment,
        ResultKind::Dimension,
        ResultKind::Portrait,
        ResultKind::Plan,
        ResultKind::Definitions,
        ResultKind::Trend,
    ];
    let roles = [
        ColumnRole::Value,
        ColumnRole::Dim,
        ColumnRole::Measure,
        ColumnRole::Share,
    ];
    let codes = [
        FailureCode::Syntax,
        FailureCode::UnknownName,
        FailureCode::TypeMismatch,
        FailureCode::LimitExceeded,
        FailureCode::Conflict,
        FailureCode::NotAvailableYet,
        FailureCode::Cancelled,
        FailureCode::DeadlineExceeded,
        FailureCode::UnknownCursor,
        FailureCode::Closing,
        FailureCode::Overloaded,
        FailureCode::Protocol,
        FailureCode::Version,
        FailureCode::Storage,
        FailureCode::Internal,
    ];
    let mut all = Vec::new();
    for kind in kinds {
        let header = ServerMessage::Header {
            id,
            kind,
            columns: Vec::new(),
        };
        all.push(named(&format!("kind-{kind:?}"), Said::Server(header)));
    }
    for role in roles {
        let columns = vec![Column {
            name: "c".to_owned(),
            role,
        }];
        let header = ServerMessage::Header {
            id,
            kind: ResultKind::Segment,
            columns,
        };
        all.push(named(&format!("role-{role:?}"), Said::Server(header)));
    }
    for code in codes {
        let failure = Failure {
            code,
            message: String::new(),
            span: None,
            hint: None,
        };
        all.push(named(
            &format!("code-{code:?}"),
            Said::Server(ServerMessage::Failed { id, failure }),
        ));
    }
    all
}

fn messages() -> Result<Vec<(String, Said)>, Box<dyn Error>> {
    Ok([
        client_messages(),
        mutations(),
        server_messages(),
        values(),
        small_enums(),
        loads()?,
        event_loads()?,
    ]
    .concat())
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/messages.txt")
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits: String = text.split_whitespace().collect();
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return Err(format!("odd hex: {text}").into());
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(Into::into);
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The file's entries: a name, a space and the bytes in hex.
fn golden() -> Result<BTreeMap<String, Vec<u8>>, Box<dyn Error>> {
    let mut entries = BTreeMap::new();
    for line in fs::read_to_string(file())?
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (name, hex) = line
            .split_once(' ')
            .ok_or_else(|| format!("no bytes in: {line}"))?;
        entries.insert(name.to_owned(), from_hex(hex)?);
    }
    Ok(entries)
}

fn bless() -> Outcome {
    let mut text = String::from(
        "# The bytes of messages of protocol versions 1 to 4, without the frame's length.\n",
    );
    for (name, said) in messages()? {
        writeln!(text, "{name} {}", to_hex(&said.bytes()?))?;
    }
    Ok(fs::write(file(), text)?)
}

#[test]
fn every_message_has_the_bytes_it_always_had() -> Outcome {
    if std::env::var_os("TESSERA_BLESS").is_some() {
        bless()?;
    }
    let golden = golden()?;
    let messages = messages()?;
    for (name, said) in &messages {
        let kept = golden
            .get(name)
            .ok_or_else(|| format!("{name} is not in the file"))?;
        assert_eq!(to_hex(&said.bytes()?), to_hex(kept), "{name} to bytes");
        assert_eq!(&said.read_like(kept)?, said, "{name} from bytes");
    }
    assert_eq!(
        golden.len(),
        messages.len(),
        "the file has messages that nobody knows"
    );
    Ok(())
}

/// Where each variant stands; a new one does not compile until it is counted here.
#[test]
fn every_variant_is_among_the_messages() -> Outcome {
    let mut seen = std::collections::BTreeSet::new();
    for (_, said) in messages()? {
        match said {
            Said::Client(message) => see_client(&message, &mut |name| {
                seen.insert(name);
            }),
            Said::Server(message) => see_server(&message, &mut |name| {
                seen.insert(name);
            }),
        }
    }
    // 5 from clients, 5 bodies, 9 mutations, 9 columns, 2 of events, 9 values, 8 from servers.
    assert_eq!(seen.len(), 5 + 5 + 9 + 9 + 2 + 9 + 8, "{seen:?}");
    Ok(())
}

fn see_client(message: &ClientMessage, see: &mut dyn FnMut(&'static str)) {
    match message {
        ClientMessage::Hello(_) => see("hello"),
        ClientMessage::Credit { .. } => see("credit"),
        ClientMessage::Cancel { .. } => see("cancel"),
        ClientMessage::Goodbye => see("goodbye"),
        ClientMessage::Request(request) => {
            see("request");
            match &request.body {
                RequestBody::Ping => see("ping"),
                RequestBody::Execute { .. } => see("execute"),
                RequestBody::Write { mutations, .. } => {
                    see("write");
                    mutations
                        .iter()
                        .for_each(|mutation| see(mutation_name(mutation)));
                }
                RequestBody::Load { rows, .. } => {
                    see("load");
                    rows.columns
                        .iter()
                        .for_each(|column| see(column_name(column)));
                }
                RequestBody::LoadEvents { rows, .. } => {
                    see("load of events");
                    for column in &rows.columns {
                        see(match column {
                            EventColumn::Coded { .. } => "coded property",
                            EventColumn::Numbers { .. } => "number property",
                        });
                    }
                }
            }
        }
    }
}

fn column_name(column: &LoadColumn) -> &'static str {
    match column {
        LoadColumn::Coded { .. } => "coded column",
        LoadColumn::Numbers { form, .. } => match form {
            NumberForm::Integer => "integer column",
            NumberForm::Decimal { .. } => "decimal column",
            NumberForm::Date => "date column",
            NumberForm::Timestamp => "timestamp column",
        },
        LoadColumn::Tags { .. } => "tag column",
        LoadColumn::Holdings { .. } => "holding column",
        LoadColumn::Added { .. } => "added column",
        LoadColumn::Taken { .. } => "taken column",
    }
}

fn mutation_name(mutation: &Mutation) -> &'static str {
    match mutation {
        Mutation::Ensure { .. } => "ensure",
        Mutation::Tag { .. } => "tag",
        Mutation::Untag { .. } => "untag",
        Mutation::Set { .. } => "set",
        Mutation::Add { .. } => "add",
        Mutation::Remove { .. } => "remove",
        Mutation::DeleteUser { .. } => "delete user",
        Mutation::Hold { .. } => "hold",
        Mutation::Track(_) => "track",
    }
}

fn see_server(message: &ServerMessage, see: &mut dyn FnMut(&'static str)) {
    match message {
        ServerMessage::Welcome(_) => see("welcome"),
        ServerMessage::Refused(_) => see("refused"),
        ServerMessage::Header { .. } => see("header"),
        ServerMessage::End { .. } => see("end"),
        ServerMessage::Failed { .. } => see("failed"),
        ServerMessage::Closing => see("closing"),
        ServerMessage::Keys { .. } => see("keys"),
        ServerMessage::Rows { rows, .. } => {
            see("rows");
            rows.iter()
                .flatten()
                .for_each(|value| see(value_name(value)));
        }
    }
}

fn value_name(value: &Datum) -> &'static str {
    match value {
        Datum::Null => "null",
        Datum::Boolean(_) => "boolean",
        Datum::Integer(_) => "integer",
        Datum::Decimal { .. } => "decimal",
        Datum::Real(_) => "real",
        Datum::Text(_) => "text",
        Datum::Date(_) => "date",
        Datum::Timestamp(_) => "timestamp",
        Datum::List(_) => "list",
    }
}

/// A block of the page: ```` ```hex name ```` for a message, ```` ```hex frame name ```` with the
/// frame's length before it. What follows a `#` in a line is for people.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        if let Some((name, hex)) = &mut open {
            if line.trim() == "```" {
                blocks.push((name.clone(), hex.clone()));
                open = None;
            } else {
                hex.push_str(line.split('#').next().unwrap_or_default());
                hex.push(' ');
            }
        } else if let Some(name) = line.trim().strip_prefix("```hex ") {
            open = Some((name.trim().to_owned(), String::new()));
        }
    }
    blocks
}

#[test]
fn the_page_shows_the_same_bytes() -> Outcome {
    let golden = golden()?;
    let blocks = blocks(&fs::read_to_string(page())?);
    for (name, hex) in &blocks {
        let shown = from_hex(hex).map_err(|error| format!("{name}: {error}"))?;
        let (entry, is_frame) = match name.strip_prefix("frame ") {
            Some(entry) => (entry, true),
            None => (name.as_str(), false),
        };
        let kept = golden
            .get(entry)
            .ok_or_else(|| format!("the page shows {entry}, unknown"))?;
        let length = u32::try_from(kept.len())?.to_le_bytes();
        let expected = if is_frame {
            [&length[..], kept].concat()
        } else {
            kept.clone()
        };
        assert_eq!(to_hex(&shown), to_hex(&expected), "{name}");
    }
    for (name, _) in client_messages()
        .iter()
        .chain(&mutations())
        .chain(&loads()?)
        .chain(&event_loads()?)
        .chain(&server_messages())
    {
        let is_shown = blocks
            .iter()
            .any(|(shown, _)| shown.trim_start_matches("frame ") == name);
        assert!(is_shown, "the page does not show {name}");
    }
    Ok(())
}

/// The page's table of failure codes has every code under its number.
#[test]
fn the_page_lists_every_failure_code() -> Outcome {
    let page = fs::read_to_string(page())?;
    for (name, said) in small_enums() {
        let (Some(code), Said::Server(ServerMessage::Failed { failure, .. })) =
            (name.strip_prefix("code-"), said)
        else {
            continue;
        };
        let row = format!("| {} | `{code}` |", failure.code as u32);
        assert!(page.contains(&row), "no row {row}");
    }
    Ok(())
}
