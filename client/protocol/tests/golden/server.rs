//! What servers say.

use tessera_protocol::{load::PackedTexts, message::*};

use crate::said::{Said, named};

fn value(name: &str, value: Datum) -> (String, Said) {
    let rows = ServerMessage::Rows {
        id: RequestId(2),
        rows: vec![vec![value]],
    };
    (format!("value-{name}"), Said::Server(rows))
}

pub(crate) fn values() -> Vec<(String, Said)> {
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

pub(crate) fn server_messages() -> Vec<(String, Said)> {
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

pub(crate) fn small_enums() -> Vec<(String, Said)> {
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
