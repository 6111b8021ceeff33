//! What clients say, but for loads.

use tessera_protocol::message::*;

use crate::said::{Said, named, request};

fn write(name: &str, mutation: Mutation) -> (String, Said) {
    let body = RequestBody::Write {
        idempotency_key: None,
        unknown_tags: UnknownTags::Refuse,
        mutations: vec![mutation],
    };
    (format!("write-{name}"), request(3, body))
}

pub(crate) fn client_messages() -> Vec<(String, Said)> {
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

pub(crate) fn mutations() -> Vec<(String, Said)> {
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

pub(crate) fn thirty_days() -> HoldEnd {
    HoldEnd::After {
        amount: 30,
        unit: TimeUnit::Day,
    }
}
