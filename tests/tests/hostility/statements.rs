//! Statements, keys and values that are too deep, too long, too many or out of this world.

use std::net::SocketAddr;

use tessera_protocol::message::{Datum, FailureCode, Mutation};
use tessera_tests::wire::{Wire, WireError};

use super::Attacks;

pub(crate) const ATTACKS: Attacks = &[
    (
        "statements that are too deep, too long or too wide",
        large_statements,
    ),
    ("texts that are no statements", no_statements),
    ("keys that cannot be keys", bad_keys),
    ("values from outside of time and space", bad_values),
    ("parameters in numbers", many_parameters),
    ("times outside of the calendar", far_times),
    ("labels that cannot be", impossible_labels),
    ("events larger than can be counted", large_events),
    ("changes of what is not there", nothing_there),
];

fn code(outcome: Result<tessera_tests::wire::Answer, WireError>, what: &str) -> FailureCode {
    match outcome {
        Ok(answer) => panic!("{what} was answered: {answer:?}"),
        Err(error) => error.code(),
    }
}

fn large_statements(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    let nested = |open: &str, close: &str, levels: usize| {
        format!(
            "COUNT {}tag:vip{}",
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    let keys = |count: usize| {
        (0..count)
            .map(|key| format!("k{key}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let many = |item: fn(usize) -> String| {
        let items: Vec<String> = (0..5_000).map(item).collect();
        items.join(", ")
    };
    let large = [
        nested("(", ")", 5_000),
        nested("NOT ", "", 5_000),
        nested("AT LEAST 1 OF (", ")", 5_000),
        format!("COUNT {}", vec!["tag:vip"; 12_000].join(" OR ")),
        format!("COUNT user:({})", keys(20_000)),
        format!("COUNT tag:\"{}\"", "x".repeat(300_000)),
        format!("TAG {} WITH vip", keys(20_000)),
        "(".repeat(200_000),
        nested("referred_by(NOT ", ")", 5_000),
        nested("descendants_of(", ", 2)", 5_000),
        format!(
            "COUNT count(p[{}x:1{}]) > 1",
            "(".repeat(5_000),
            ")".repeat(5_000)
        ),
        format!("COUNT sequence({}a)", "a -> ".repeat(10_000)),
        format!("COUNT tag:vip[{}since = 1]", "since = 1, ".repeat(12_000)),
        format!("DEFINE EVENT e ({})", many(|at| format!("p{at} TEXT"))),
        format!(
            "DEFINE FORM f ({})",
            many(|at| format!("p{at} TEXT SETS ATTRIBUTE a"))
        ),
        format!("DEFINE GROUP g AS {}", many(|at| format!("t{at}: ALL"))),
        format!(
            "DEFINE GROUP g AS BANDS OF a ({})",
            many(|at| format!("t{at}: 1"))
        ),
        format!("TRACK u e WITH {}", many(|at| format!("p{at} = 1"))),
        format!(
            "SUBMIT FORM f FOR u WITH {}",
            many(|at| format!("p{at} = 1"))
        ),
        "TAG u WITH vip FOR 99999999999999999999d".to_owned(),
    ];
    for statement in large {
        let start: String = statement.chars().take(40).collect();
        let code = code(wire.execute(&statement), &start);
        assert!(
            matches!(code, FailureCode::LimitExceeded | FailureCode::Syntax),
            "{start}: {code:?}"
        );
    }
    wire.execute(&nested("(", ")", 60)).unwrap();
    Vec::new()
}

fn no_statements(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    for text in [
        "",
        ";",
        "\0",
        "COUNT",
        "COUNT ALL ALL",
        "COUNT \"",
        "\u{202e}COUNT ALL",
        "DROP TABLE users",
        "'; --",
    ] {
        assert_eq!(
            code(wire.execute(text), text),
            FailureCode::Syntax,
            "{text:?}"
        );
    }
    assert_eq!(
        code(wire.execute("COUNT referred_by(ALL)"), "referred_by"),
        FailureCode::UnknownName
    );
    Vec::new()
}

fn bad_keys(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    for key in [
        String::new(),
        "x".repeat(257),
        "a\nb".to_owned(),
        "\0".to_owned(),
    ] {
        let refused = wire.write(
            None,
            vec![
                Mutation::Ensure {
                    user: "fine".to_owned(),
                },
                Mutation::Ensure { user: key },
            ],
        );
        assert_eq!(code(refused, "a bad key"), FailureCode::TypeMismatch);
    }
    assert_eq!(wire.count("user:fine").unwrap(), 0);
    Vec::new()
}

fn bad_values(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    let bad = [
        ("age", Datum::Real(f64::NAN)),
        (
            "age",
            Datum::Decimal {
                units: i128::MAX,
                scale: 0,
            },
        ),
        (
            "age",
            Datum::Decimal {
                units: 1,
                scale: 255,
            },
        ),
        (
            "spend",
            Datum::Decimal {
                units: i128::MIN,
                scale: 255,
            },
        ),
        ("spend", Datum::Integer(i64::MAX)),
        ("spend", Datum::Real(f64::INFINITY)),
        ("born", Datum::Date(i32::MAX)),
        ("born", Datum::Date(i32::MIN)),
        ("seen", Datum::Timestamp(i64::MAX)),
        ("seen", Datum::Timestamp(i64::MIN)),
        ("seen", Datum::Date(i32::MAX)),
        ("notes", Datum::Text("x".repeat(5_000))),
        ("notes", Datum::List(vec!["x".to_owned()])),
    ];
    for (attribute, value) in bad {
        let values = vec![(attribute.to_owned(), value.clone())];
        let refused = wire.write(
            None,
            vec![Mutation::Set {
                user: "fine".to_owned(),
                values,
            }],
        );
        let code = code(refused, &format!("{attribute} {value:?}"));
        assert!(
            matches!(code, FailureCode::TypeMismatch | FailureCode::LimitExceeded),
            "{attribute}: {code:?}"
        );
        // The same from the other side: nobody is found, or the question is refused.
        match wire.execute_with(&format!("COUNT {attribute} = $1"), &[("1", value.clone())]) {
            Ok(answer) => assert_eq!(
                answer.rows,
                [[Datum::Integer(0)]],
                "{attribute} = {value:?}"
            ),
            Err(error) => assert!(
                matches!(
                    error.code(),
                    FailureCode::TypeMismatch | FailureCode::LimitExceeded
                ),
                "{attribute} = {value:?}: {error:?}"
            ),
        }
    }
    assert_eq!(wire.count("user:fine").unwrap(), 0);
    Vec::new()
}

fn many_parameters(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    let names: Vec<String> = (0..20_000).map(|number| format!("p{number}")).collect();
    let parameters: Vec<(&str, Datum)> = names
        .iter()
        .map(|name| (name.as_str(), Datum::Null))
        .collect();
    code(
        wire.execute_with("COUNT ALL", &parameters),
        "parameters that are not used",
    );
    let keys = Datum::List((0..20_000).map(|number| format!("k{number}")).collect());
    // Whether a list may be so long is for the server to say; it must say something.
    wire.execute_with("COUNT user:$1", &[("1", keys)]).ok();
    Vec::new()
}

fn far_times(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    for time in [
        "now-2147483647y",
        "now+2147483647mo",
        "today-2147483647w",
        "now+99999999999999999999s",
    ] {
        let code = code(wire.execute(&format!("COUNT seen > {time}")), time);
        assert!(
            matches!(
                code,
                FailureCode::TypeMismatch | FailureCode::Syntax | FailureCode::LimitExceeded
            ),
            "{code:?}"
        );
    }
    for bands in [
        "age[9223372036854775807]",
        "age[-9223372036854775808, 9223372036854775807]",
    ] {
        wire.execute(&format!("DIMENSION {bands}")).unwrap();
    }
    Vec::new()
}

/// Rules in circles, holdings and events beyond the calendar, and forms and merges of what is not
/// there.
fn impossible_labels(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    for statement in [
        "DEFINE TAG short DYNAMIC FOR 30d",
        "DEFINE EVENT bought (amount INTEGER)",
        "DEFINE TAG ruled AS did:bought",
        "DEFINE FORM asked (age INTEGER SETS ATTRIBUTE age)",
    ] {
        wire.execute(statement).unwrap();
    }
    for statement in [
        "ALTER TAG ruled AS NOT tag:ruled",
        "DEFINE GROUP g AS a: tag:b, b: tag:a",
        "TAG fine WITH vip FOR 30d",
        "TAG fine WITH short FOR 2147483647y",
        "TAG fine WITH short FROM 9999-12-31 FOR 30d",
        "TAG fine WITH short FROM 2026-01-02 UNTIL 2026-01-01",
        "CLEAR TAG fine WITH nothing",
        "TRACK fine bought AT 9999-12-31T23:59:59Z",
        "TRACK fine bought AT now+2147483647y",
        "TRACK fine bought WITH amount = 9223372036854775808",
        "SUBMIT FORM asked FOR fine WITH age = 9223372036854775808",
        "SUBMIT FORM asked FOR fine WITH shoes = 1",
        "SUBMIT FORM nobody FOR fine WITH age = 1",
        "DEFINE FORM f (a INTEGER SETS ATTRIBUTE nothing)",
        "MERGE TAG vip INTO vip",
        "MERGE TAG ruled INTO vip",
        "RENAME TAG vip TO \"\"",
        "WHY fine IN tag:nothing",
        "COUNT lapsed(tag:vip, 30d)",
        "COUNT days(bought, 99999999999d) > 1",
        "COUNT descendants_of(ALL, 4294967295)",
    ] {
        let code = code(wire.execute(statement), statement);
        assert!(
            matches!(
                code,
                FailureCode::Syntax
                    | FailureCode::UnknownName
                    | FailureCode::TypeMismatch
                    | FailureCode::LimitExceeded
                    | FailureCode::Conflict
            ),
            "{statement}: {code:?}"
        );
    }
    // A window that reaches beyond the calendar is everything before now.
    let ever = wire.count("lapsed(tag:short, 2147483647y)").unwrap();
    assert_eq!(ever, 0);
    assert_eq!(wire.count("user:fine").unwrap(), 0);
    Vec::new()
}

/// Sums beyond 64 bits are counted all the same, or the question is refused.
fn large_events(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    wire.execute("DEFINE EVENT paid (amount INTEGER)").unwrap();
    let (most, least) = (i64::MAX, i64::MIN);
    for (user, amount) in [
        ("rich", most),
        ("rich", most),
        ("poor", least),
        ("poor", least),
    ] {
        let statement = format!("TRACK {user} paid WITH amount = {amount}");
        wire.execute(&statement).unwrap();
    }
    let mut check = |expr: &str, expected: i64| {
        assert_eq!(wire.count(expr).unwrap(), expected, "{expr}");
    };
    check(&format!("sum(paid.amount) >= {most}"), 1);
    check(&format!("sum(paid.amount, 30d) <= {least}"), 1);
    check(&format!("sum(paid.amount) = {most}"), 0);
    check(&format!("avg(paid.amount) = {most}"), 1);
    check(&format!("avg(paid.amount):{least}..{most}"), 2);
    check(&format!("min(paid.amount) = {least}"), 1);
    check(&format!("max(paid.amount):{most}.."), 1);
    check(&format!("count(paid) >= {most}"), 0);
    for statement in [
        "DIMENSION paid BY year MEASURE count, users, sum(paid.amount)",
        "DIMENSION age MEASURE sum(paid.amount), avg(paid.amount) WHERE did:paid",
        "PORTRAIT rich",
        "WHY poor IN sum(paid.amount) > 0",
    ] {
        if let Err(error) = wire.execute(statement) {
            assert_ne!(error.code(), FailureCode::Internal, "{statement}");
        }
    }
    wire.execute("DELETE USER rich, poor").unwrap();
    Vec::new()
}

fn nothing_there(server: SocketAddr) -> Vec<Wire> {
    let mut wire = Wire::connect(server).unwrap();
    for text in [
        "RENAME TAG nothing TO vip2",
        "MERGE TAG nothing INTO vip",
        "MERGE TAG vip INTO nothing",
        "ALTER TAG nothing ARCHIVED",
        "DROP FORM nothing",
        "USAGES FORM nothing",
        "TREND tag:nothing",
        "SUBMIT FORM nothing FOR fine WITH x = 1",
        "CLEAR TAG fine WITH nothing",
    ] {
        let code = code(wire.execute(text), text);
        assert_eq!(code, FailureCode::UnknownName, "{text}");
    }
    let long = "x".repeat(300);
    for text in [
        format!("RENAME TAG vip TO {long}"),
        format!("MERGE TAG vip INTO {long}"),
    ] {
        let code = code(wire.execute(&text), &text);
        assert_eq!(code, FailureCode::Syntax, "{text}");
    }
    let itself = "MERGE TAG vip INTO vip";
    assert_eq!(code(wire.execute(itself), itself), FailureCode::Conflict);
    for period in ["0d", "2147483647y", "99999999999999999999d"] {
        let text = format!("TREND tag:vip LAST {period}");
        // Whether there are days so far back is for the server to say; it must say something.
        match wire.execute(&text) {
            Ok(answer) => assert!(answer.rows.len() <= 1, "{text}: {answer:?}"),
            Err(error) => assert!(
                matches!(
                    error.code(),
                    FailureCode::TypeMismatch | FailureCode::Syntax | FailureCode::LimitExceeded
                ),
                "{text}: {error:?}"
            ),
        }
    }
    let answer = wire.execute("LINT TAGS LIKE \"%\" LIMIT 0");
    assert!(answer.map_or(true, |answer| answer.rows.is_empty()));
    assert_eq!(wire.count("user:fine").unwrap(), 0);
    Vec::new()
}
