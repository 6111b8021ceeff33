//! Tags and groups with rules: always what their rules say now, unless somebody said otherwise.

#![expect(clippy::panic, reason = "tests stop at the first surprise")]

mod changes;
mod oracle;
mod portraits;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{exec::testing::Collected, time::MICROS_PER_DAY};

/// 2024-03-01T12:00:00Z: the day after a leap day.
const NOON: i64 = 1_709_294_400_000_000;

const DEFINITIONS: [&str; 3] = [
    "DEFINE EVENT purchase (amount DECIMAL(2), category ENUM)",
    "DEFINE ATTRIBUTE spend DECIMAL(2)",
    "DEFINE TAG vip",
];

fn fixture(statements: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    at(&fixture, NOON);
    for statement in DEFINITIONS.iter().chain(statements) {
        run(&fixture, statement);
    }
    fixture
}

fn at(fixture: &Fixture, micros: i64) {
    let now = jiff::Timestamp::from_microsecond(micros).unwrap();
    fixture.clock.set_now(now);
}

#[track_caller]
fn run(fixture: &Fixture, statement: &str) -> Vec<Vec<Datum>> {
    let mut sink = Collected::default();
    let (parameters, budget) = (Parameters::default(), Budget::unlimited());
    let db = fixture.db();
    let summary = db.execute(statement, &parameters, &budget, &mut sink);
    summary.unwrap_or_else(|error| panic!("{statement}: {error}"));
    sink.rows
}

#[track_caller]
fn refuse(fixture: &Fixture, statement: &str, message: &str) {
    let mut sink = Collected::default();
    let (parameters, budget) = (Parameters::default(), Budget::unlimited());
    let db = fixture.db();
    let result = db.execute(statement, &parameters, &budget, &mut sink);
    let error = result.unwrap_err().to_string();
    assert!(error.contains(message), "{statement}: {error}");
}

/// The keys of those who are found, in order. Who is counted, and who is found user by user
/// because all else is decided, are the same.
#[track_caller]
fn found(fixture: &Fixture, expr: &str) -> Vec<String> {
    let mut keys: Vec<String> = run(fixture, &format!("SEGMENT {expr} LIMIT 1000"))
        .into_iter()
        .map(|row| key_of(&row))
        .collect();
    keys.sort();
    let count = run(fixture, &format!("COUNT {expr}"));
    assert_eq!(count, [[Datum::Integer(keys.len() as i64)]], "{expr}");
    keys
}

fn key_of(row: &[Datum]) -> String {
    match row.first() {
        Some(Datum::Text(key)) => key.clone(),
        other => panic!("no key: {other:?}"),
    }
}

#[track_caller]
fn check(fixture: &Fixture, expr: &str, expected: &[&str]) {
    assert_eq!(found(fixture, expr), strings(expected), "{expr}");
}

/// The tags of each user as `SEGMENT` returns them.
fn returned(fixture: &Fixture) -> BTreeMap<String, Vec<String>> {
    run(fixture, "SEGMENT ALL RETURN TAGS LIMIT 1000")
        .into_iter()
        .map(|row| {
            let Datum::List(tags) = &row[1] else {
                panic!("no tags: {row:?}");
            };
            (key_of(&row), tags.clone())
        })
        .collect()
}

/// Every way to ask for a tag's holders says the same.
#[track_caller]
fn check_ways(fixture: &Fixture, tags: &[&str]) {
    let returned = returned(fixture);
    let shown = run(fixture, "SHOW TAGS");
    let split = run(fixture, "DIMENSION tag MEASURE count");
    for tag in tags {
        let holders = found(fixture, &format!("tag:{tag}"));
        let name = Datum::Text((*tag).to_owned());
        let count = Datum::Integer(holders.len() as i64);
        let row = shown.iter().find(|row| row[0] == name).unwrap();
        assert_eq!(row[2], count, "SHOW TAGS {tag}");
        let group = split.iter().find(|row| row[0] == name);
        let counted = group.map_or(Datum::Integer(0), |row| row[1].clone());
        assert_eq!(counted, count, "DIMENSION {tag}");
        let of_users: Vec<&String> = returned
            .iter()
            .filter(|(_, tags)| tags.iter().any(|held| held == tag))
            .map(|(key, _)| key)
            .collect();
        assert_eq!(of_users, holders.iter().collect::<Vec<_>>(), "TAGS {tag}");
        let portrayed: Vec<&String> = returned
            .keys()
            .filter(|key| {
                let portrait = run(fixture, &format!("PORTRAIT {key}"));
                let tag_row = [Datum::Text("tag".to_owned()), name.clone()];
                portrait.iter().any(|row| row[..2] == tag_row)
            })
            .collect();
        assert_eq!(portrayed, of_users, "PORTRAIT {tag}");
    }
}

#[test]
fn a_rule_is_what_it_says_now() {
    let fixture = fixture(&[
        "DEFINE TAG high_value AS sum(purchase.amount, 2d) > 100",
        "DEFINE TAG buyer AS tag:high_value OR did:purchase[1d]",
        "TRACK a purchase WITH amount = 101",
        "TRACK b purchase AT 2024-02-29T23:59:59Z WITH amount = 60",
        "TRACK b purchase WITH amount = 60",
        "TRACK c purchase WITH amount = 1",
        "TRACK d purchase AT 2024-02-28T23:59:59Z WITH amount = 1000",
        "TAG e WITH vip",
    ]);
    check(&fixture, "tag:high_value", &["a", "b"]);
    check(&fixture, "tag:buyer", &["a", "b", "c"]);
    check(&fixture, "NOT tag:buyer", &["d", "e"]);
    check(&fixture, "tag:(vip, high*)", &["a", "b", "e"]);
    check(
        &fixture,
        "AT LEAST 2 OF (tag:high_value, tag:buyer, tag:vip)",
        &["a", "b"],
    );
    check(&fixture, "tag:buyer[source = rule]", &["a", "b", "c"]);
    check(&fixture, "tag:buyer[source != rule]", &[]);
    check(&fixture, "tag:buyer[until IS MISSING]", &["a", "b", "c"]);
    check(&fixture, "tag:buyer[since >= 2000-01-01]", &[]);
    check_ways(&fixture, &["high_value", "buyer", "vip"]);
    // A late event, the next day, and back again.
    run(
        &fixture,
        "TRACK d purchase AT 2024-02-29T00:00:00Z WITH amount = 100.01",
    );
    check(&fixture, "tag:high_value", &["a", "b", "d"]);
    at(&fixture, NOON + MICROS_PER_DAY);
    check(&fixture, "tag:high_value", &["a"]);
    check(&fixture, "tag:buyer", &["a"]);
    at(&fixture, NOON + 2 * MICROS_PER_DAY);
    check(&fixture, "tag:buyer", &[]);
    check_ways(&fixture, &["high_value", "buyer"]);
    at(&fixture, NOON - MICROS_PER_DAY);
    check(&fixture, "tag:high_value", &["d"]);
    at(&fixture, NOON);
    run(
        &fixture,
        "ALTER TAG high_value AS sum(purchase.amount) > 1000",
    );
    check(&fixture, "tag:high_value", &["d"]);
    run(&fixture, "ALTER TAG high_value NO RULE");
    check(&fixture, "tag:high_value", &[]);
}

#[test]
fn rules_are_explained_and_saved() {
    let fixture = fixture(&[
        "DEFINE TAG buyer AS did:purchase[1d]",
        "SAVE SEGMENT loyal AS tag:buyer AND spend >= 5",
        "TRACK a purchase",
        "SET \"a\" spend = 5",
        "TRACK b purchase",
    ]);
    check(&fixture, "segment:loyal", &["a"]);
    let shown: Vec<String> = run(&fixture, "EXPLAIN COUNT tag:buyer")
        .iter()
        .map(|row| format!("{row:?}"))
        .collect();
    assert!(
        shown.iter().any(|row| row.contains("did:purchase")),
        "{shown:?}"
    );
}

#[test]
fn what_is_said_by_hand_holds_against_a_rule() {
    let mut fixture = fixture(&[
        "DEFINE TAG buyer AS did:purchase",
        "TRACK a purchase",
        "TRACK b purchase",
        "TAG c WITH vip",
        "UNTAG a WITH buyer",
        "TAG c WITH buyer",
    ]);
    check(&fixture, "tag:buyer", &["b", "c"]);
    check(&fixture, "tag:buyer[source = rule]", &["b"]);
    check(&fixture, "tag:buyer[source = manual]", &["c"]);
    check(&fixture, "tag:buyer[since >= 2000-01-01]", &["c"]);
    check_ways(&fixture, &["buyer"]);
    // An import gives the tag to whom it was not taken from by hand; a model does not at all.
    run(&fixture, "TAG a, d WITH buyer SOURCE import");
    run(&fixture, "TAG e WITH buyer SOURCE model");
    check(&fixture, "tag:buyer", &["b", "c", "d"]);
    fixture.restart();
    fixture.check_consistent();
    check(&fixture, "tag:buyer", &["b", "c", "d"]);
    run(&fixture, "TRACK a purchase");
    run(&fixture, "UNTAG d WITH buyer");
    run(&fixture, "UNTAG e WITH buyer");
    check(&fixture, "tag:buyer", &["b", "c"]);
    run(&fixture, "CLEAR TAG a, c, d WITH buyer");
    check(&fixture, "tag:buyer", &["a", "b"]);
    run(&fixture, "UNTAG WHERE tag:buyer WITH buyer");
    check(&fixture, "tag:buyer", &[]);
    run(&fixture, "TAG b WITH buyer");
    check(&fixture, "tag:buyer", &["b"]);
    fixture.check_consistent();
    // What was taken stays taken while there is no rule, and what was given is kept.
    run(&fixture, "ALTER TAG buyer NO RULE");
    check(&fixture, "tag:buyer", &["b"]);
    run(&fixture, "ALTER TAG buyer AS did:purchase");
    check(&fixture, "tag:buyer", &["b"]);
    run(&fixture, "DELETE USER a");
    run(&fixture, "TRACK a purchase");
    check(&fixture, "tag:buyer", &["a", "b"]);
    run(&fixture, "DROP TAG buyer");
    fixture.check_consistent();
    refuse(&fixture, "CLEAR TAG a WITH vip", "has no rule");
}

#[test]
fn a_dynamic_tag_with_a_rule_is_given_for_a_while() {
    let fixture = fixture(&[
        "DEFINE TAG buyer DYNAMIC FOR 1d AS did:purchase[1d]",
        "TAG a WITH buyer",
        "TAG b WITH buyer",
        "TRACK b purchase",
    ]);
    check(&fixture, "tag:buyer", &["a", "b"]);
    check(&fixture, "tag:buyer[until <= now+1d]", &["a", "b"]);
    check(&fixture, "lapsed(tag:buyer)", &[]);
    at(&fixture, NOON + MICROS_PER_DAY);
    run(&fixture, "TRACK a purchase");
    check(&fixture, "tag:buyer", &["a"]);
    check(&fixture, "lapsed(tag:buyer)", &["b"]);
    check_ways(&fixture, &["buyer"]);
    fixture.check_consistent();
}

#[test]
fn a_user_is_in_the_first_layer_that_fits() {
    let fixture = fixture(&[
        "DEFINE GROUP tier AS high: spend >= 100, mid: spend >= 10 OR tag:vip, low: OTHERWISE",
        "SET \"a\" spend = 100",
        "SET \"b\" spend = 99.99",
        "SET \"c\" spend = 1",
        "TAG d WITH vip",
        "SET \"e\" spend = 1000",
        "TAG e WITH vip",
    ]);
    check(&fixture, "tag:high", &["a", "e"]);
    check(&fixture, "tag:mid", &["b", "d"]);
    check(&fixture, "tag:low", &["c"]);
    check(&fixture, "group:tier IS MISSING", &[]);
    check_ways(&fixture, &["high", "mid", "low"]);
    // Given by hand, one is in that layer only; taken, in none.
    run(&fixture, "TAG a WITH low");
    run(&fixture, "UNTAG e WITH high");
    check(&fixture, "tag:high", &[]);
    check(&fixture, "tag:low", &["a", "c"]);
    check(&fixture, "group:tier IS MISSING", &["e"]);
    run(&fixture, "TAG a WITH high");
    check(&fixture, "tag:high", &["a"]);
    run(&fixture, "TAG a WITH mid SOURCE import");
    check(&fixture, "tag:high", &["a"]);
    check_ways(&fixture, &["high", "mid", "low"]);
    run(&fixture, "CLEAR TAG a, e WITH high");
    check(&fixture, "tag:high", &["a", "e"]);
    let groups = run(&fixture, "DIMENSION group:tier MEASURE count");
    assert_eq!(groups.len(), 3, "{groups:?}");
    // Another rule keeps the layers that it names, and the others as tags of the group.
    run(
        &fixture,
        "ALTER GROUP tier AS top: spend >= 1000, high: spend >= 50",
    );
    check(&fixture, "tag:top", &["e"]);
    check(&fixture, "tag:high", &["a", "b"]);
    check(&fixture, "tag:mid", &[]);
    check(&fixture, "group:tier IS MISSING", &["c", "d"]);
    run(&fixture, "TAG b WITH mid");
    check(&fixture, "tag:high", &["a"]);
    fixture.check_consistent();
}

#[test]
fn bands_measure_users() {
    let fixture = fixture(&[
        "DEFINE GROUP spenders AS BANDS OF sum(purchase.amount, 90d) (whale: 1000.., mid: 100..1000, small: OTHERWISE)",
        "DEFINE GROUP savers AS BANDS OF spend (much: 100.., some: ..100)",
        "TRACK a purchase WITH amount = 1000",
        "TRACK b purchase WITH amount = 999.99",
        "TRACK c purchase WITH amount = 99",
        "TRACK c purchase WITH amount = 1",
        "TRACK d purchase WITH amount = 99",
        "SET \"e\" spend = 100",
        "SET \"f\" spend = -1",
    ]);
    check(&fixture, "tag:whale", &["a"]);
    check(&fixture, "tag:mid", &["b", "c"]);
    check(&fixture, "tag:small", &["d", "e", "f"]);
    check(&fixture, "tag:much", &["e"]);
    check(&fixture, "tag:some", &["f"]);
    check(&fixture, "group:savers IS MISSING", &["a", "b", "c", "d"]);
    check_ways(&fixture, &["whale", "mid", "small", "much", "some"]);
}

/// The percentile of each measure, as it is defined, by counting.
fn in_percentiles(measures: &[(String, f64)], low: f64, high: f64) -> Vec<String> {
    let count = measures.len() as f64;
    let is_in = |measure: f64| {
        let less = measures
            .iter()
            .filter(|(_, other)| *other < measure)
            .count() as f64;
        low * count <= 100.0 * less && 100.0 * less <= high * count
    };
    let found = measures.iter().filter(|(_, measure)| is_in(*measure));
    let mut keys: Vec<String> = found.map(|(key, _)| key.clone()).collect();
    keys.sort();
    keys
}

#[test]
fn percentiles_rank_those_who_have_the_measure() {
    let measures = [
        "count(purchase)",
        "days(purchase)",
        "sum(purchase.amount)",
        "avg(purchase.amount)",
        "min(purchase.amount)",
        "max(purchase.amount)",
        "first(purchase)",
        "last(purchase)",
        "spend",
    ];
    let fixture = fixture(&["TAG nobody WITH vip"]);
    let mut of_users: Vec<Vec<(String, f64)>> = vec![Vec::new(); measures.len()];
    for user in 0..17_u32 {
        let key = format!("u{user:02}");
        let amounts: Vec<i64> = (0..=user % 4)
            .map(|n| i64::from((user * 7 + n * 5) % 11) - 3)
            .collect();
        let days: Vec<i64> = (0..=user % 4)
            .map(|n| i64::from((user * 3 + n * 2) % 5))
            .collect();
        for (amount, day) in amounts.iter().zip(&days) {
            run(
                &fixture,
                &format!(
                    "TRACK {key} purchase AT 2024-02-{:02}T00:00:00Z WITH amount = {amount}",
                    10 + day
                ),
            );
        }
        let spend = i64::from(user * user % 6) - 2;
        run(&fixture, &format!("SET \"{key}\" spend = {spend}"));
        let sum: i64 = amounts.iter().sum();
        let figures = [
            amounts.len() as f64,
            days.iter().collect::<BTreeSet<_>>().len() as f64,
            sum as f64,
            sum as f64 / amounts.len() as f64,
            *amounts.iter().min().unwrap() as f64,
            *amounts.iter().max().unwrap() as f64,
            *days.iter().min().unwrap() as f64,
            *days.iter().max().unwrap() as f64,
            spend as f64,
        ];
        for (of, figure) in of_users.iter_mut().zip(figures) {
            of.push((key.clone(), figure));
        }
    }
    for (index, measure) in measures.iter().enumerate() {
        let name = format!("g{index}");
        run(
            &fixture,
            &format!(
                "DEFINE GROUP {name} AS PERCENTILES OF {measure} (t{index}: 90..100, m{index}: 33.3..90, l{index}: ..33.3)"
            ),
        );
        let of = &of_users[index];
        let top = in_percentiles(of, 90.0, 100.0);
        let low = in_percentiles(of, 0.0, 33.3);
        let mut mid = in_percentiles(of, 33.3, 90.0);
        mid.retain(|key| !top.contains(key));
        let mut rest = low;
        rest.retain(|key| !top.contains(key) && !mid.contains(key));
        assert_eq!(found(&fixture, &format!("tag:t{index}")), top, "{measure}");
        assert_eq!(found(&fixture, &format!("tag:m{index}")), mid, "{measure}");
        assert_eq!(found(&fixture, &format!("tag:l{index}")), rest, "{measure}");
        check(&fixture, &format!("group:{name} IS MISSING"), &["nobody"]);
    }
    check_ways(&fixture, &["t0", "m2", "l8"]);
}

#[test]
fn circles_are_refused_with_their_way() {
    let fixture = fixture(&[
        "DEFINE TAG a",
        "DEFINE TAG b AS tag:a",
        "SAVE SEGMENT s AS tag:b",
        "DEFINE GROUP tiers AS high: segment:s, low: OTHERWISE",
        "DEFINE GROUP plain",
        "DEFINE TAG c AS group:plain IS MISSING",
        "DEFINE TAG d IN GROUP plain",
        "DEFINE TAG high-y",
        "DEFINE TAG e AS tag:high-*",
    ]);
    let check = |statement: &str, way: &str| refuse(&fixture, statement, way);
    check("ALTER TAG a AS tag:a", "tag:a -> tag:a");
    check("ALTER TAG a AS NOT tag:b", "tag:a -> tag:b -> tag:a");
    check(
        "ALTER TAG a AS segment:s",
        "tag:a -> segment:s -> tag:b -> tag:a",
    );
    check(
        "ALTER TAG a AS group:tiers IS MISSING",
        "tag:a -> group:tiers -> segment:s -> tag:b -> tag:a",
    );
    check(
        "ALTER TAG a AS tag:low",
        "tag:a -> group:tiers -> segment:s -> tag:b -> tag:a",
    );
    check(
        "SAVE SEGMENT s AS tag:high",
        "segment:s -> group:tiers -> segment:s",
    );
    check(
        "ALTER GROUP tiers AS high: tag:low, low: OTHERWISE",
        "group:tiers -> group:tiers",
    );
    check("DEFINE TAG x AS tag:LIKE \"x*\"", "tag:x -> tag:x");
    check(
        "DEFINE TAG high-x AS tag:e",
        "tag:high-x -> tag:e -> tag:high-x",
    );
    check("ALTER TAG d AS tag:c", "tag:d -> tag:c -> tag:d");
    check(
        "ALTER TAG b IN GROUP plain AS group:plain IS PRESENT",
        "tag:b -> tag:b",
    );
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let fixture = fixture(&[
        "DEFINE GROUP one EXCLUSIVE",
        "DEFINE TAG x IN GROUP one",
        "DEFINE TAG ruled AS ALL",
        "DEFINE GROUP shared",
        "DEFINE TAG inside IN GROUP shared AS ALL",
        "DEFINE GROUP tiers AS high: spend >= 5, low: OTHERWISE",
    ]);
    let check = |statement: &str, message: &str| refuse(&fixture, statement, message);
    check("DEFINE TAG y AS tag:nope", "no tag named \"nope\"");
    check("DEFINE TAG y AS city:paris", "no attribute named \"city\"");
    check("DEFINE TAG y AS tag:$1", "parameters");
    check("DEFINE TAG y IN GROUP one AS ALL", "exclusive group");
    check("ALTER TAG x AS ALL", "exclusive group");
    check("ALTER TAG ruled IN GROUP one", "exclusive group");
    check("ALTER GROUP shared EXCLUSIVE", "exclusive group");
    check("ALTER GROUP tiers SHARED", "has a rule");
    check("ALTER TAG high AS ALL", "layer of the group");
    check("ALTER TAG high NO GROUP", "layer of the group");
    check("DEFINE GROUP g AS vip: ALL", "defined already");
    check("DEFINE GROUP g AS a: tag:nope", "no tag named");
    check("DEFINE GROUP g AS BANDS OF spend (a: x..)", "decimal");
    check(
        "DEFINE GROUP g AS PERCENTILES OF spend (a: 0..101)",
        "0 to 100",
    );
    check(
        "DEFINE GROUP g AS PERCENTILES OF spend (a: now..)",
        "0 to 100",
    );
    check(
        "DEFINE GROUP g AS PERCENTILES OF purchase (a: 0..1)",
        "no attribute",
    );
    check(
        "DEFINE GROUP g AS PERCENTILES OF sum(purchase.category) (a: 0..1)",
        "added up",
    );
    assert_eq!(fixture.db().view().schema().group("g"), None);
}

#[test]
fn rules_are_within_the_limits_of_one_question() {
    let fixture = fixture(&[]);
    // A chain of rules is as deep as they are many.
    let mut refused = None;
    for number in 1..400_u32 {
        let before = match number {
            1 => "vip".to_owned(),
            number => format!("r{}", number - 1),
        };
        let statement = format!("DEFINE TAG r{number} AS NOT tag:{before}");
        let mut sink = Collected::default();
        let (parameters, budget) = (Parameters::default(), Budget::unlimited());
        let result = fixture
            .db()
            .execute(&statement, &parameters, &budget, &mut sink);
        if let Err(error) = result {
            refused = Some((number, error.to_string()));
            break;
        }
    }
    let (number, error) = refused.unwrap();
    assert!(error.contains("levels of nesting"), "{error}");
    run(&fixture, &format!("COUNT tag:r{}", number - 1));
    // So that each has ten times the leaves of the one before.
    let mut refused = None;
    for number in 1..10_u32 {
        let before = match number {
            1 => "vip".to_owned(),
            number => format!("w{}", number - 1),
        };
        let ten = vec![format!("tag:{before}"); 10].join(" AND ");
        let statement = format!("DEFINE TAG w{number} AS {ten}");
        let mut sink = Collected::default();
        let (parameters, budget) = (Parameters::default(), Budget::unlimited());
        let result = fixture
            .db()
            .execute(&statement, &parameters, &budget, &mut sink);
        if let Err(error) = result {
            refused = Some((number, error.to_string()));
            break;
        }
    }
    let (number, error) = refused.unwrap();
    assert!(
        error.contains("leaves") || error.contains("nodes"),
        "{error}"
    );
    run(&fixture, &format!("COUNT tag:w{}", number - 1));
    let layers: Vec<String> = (0..101).map(|n| format!("l{n}: spend >= {n}")).collect();
    refuse_parse(&format!("DEFINE GROUP g AS {}", layers.join(", ")));
    let layers = layers[..100].join(", ");
    run(&fixture, &format!("DEFINE GROUP g AS {layers}"));
    run(&fixture, "SET \"a\" spend = 42");
    run(&fixture, "COUNT group:g IS PRESENT AND tag:l99");
    check(&fixture, "tag:l0", &["a"]);
}

#[track_caller]
fn refuse_parse(statement: &str) {
    let error = parse_statement(statement, &TextLimits::default()).unwrap_err();
    assert!(error.to_string().contains("layers"), "{error}");
}

/// The rows of `WHY`: depth, expression, whether it holds, the value, what is to change.
#[track_caller]
fn why(fixture: &Fixture, question: &str) -> Vec<String> {
    let shown = |datum: &Datum| match datum {
        Datum::Null => String::new(),
        Datum::Text(text) => text.clone(),
        Datum::Boolean(holds) => if *holds { "yes" } else { "no" }.to_owned(),
        Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => crate::write::show_datum(datum),
    };
    run(fixture, &format!("WHY {question}"))
        .iter()
        .map(|row| {
            let cells: Vec<String> = row[1..].iter().map(shown).collect();
            cells.join(" | ")
        })
        .collect()
}

#[test]
fn why_tells_the_tree_and_what_would_change_it() {
    let fixture = fixture(&[
        "DEFINE TAG buyer AS count(purchase, 30d) >= 3 AND NOT tag:vip",
        "DEFINE GROUP tier AS high: spend >= 100, low: OTHERWISE",
        "DEFINE GROUP bands AS BANDS OF sum(purchase.amount) (much: 100.., little: OTHERWISE)",
        "SAVE SEGMENT loyal AS tag:buyer OR spend >= 50",
        "TRACK a purchase WITH amount = 12.50, category = shoes",
        "TRACK a purchase WITH amount = 7.50, category = shoes",
        "SET \"a\" spend = 20",
        "TAG b WITH vip",
    ]);
    assert_eq!(
        why(&fixture, "a IN tag:buyer AND (spend >= 10 OR tag:vip)"),
        [
            "AND | no |  | ",
            "  tag:buyer | no |  | ",
            "    AND | no |  | ",
            "      count(purchase, 30d) >= 3 | no | 2 | must hold",
            "      NOT | yes |  | ",
            "        tag:vip | no |  | ",
            "  OR | yes |  | ",
            "    spend >= 10 | yes | 20.00 | ",
            "    tag:vip | no |  | ",
        ]
    );
    assert_eq!(
        why(&fixture, "a IN segment:loyal"),
        [
            "segment:loyal | no |  | ",
            "  OR | no |  | ",
            "    tag:buyer | no |  | must hold",
            "    spend >= 50 | no | 20.00 | ",
        ]
    );
    let first = |question: &str| why(&fixture, question)[0].clone();
    assert_eq!(
        first("a IN sum(purchase.amount) > 100"),
        "sum(purchase.amount) > 100 | no | 20.00 | must hold"
    );
    assert_eq!(
        first("a IN avg(purchase.amount):10..11"),
        "avg(purchase.amount):10..11 | yes | 10 | "
    );
    assert_eq!(
        first("a IN top(purchase.category):shoes"),
        "top(purchase.category):shoes | yes | (shoes) | "
    );
    assert_eq!(
        first("a IN did:purchase[1d]"),
        "did:purchase[1d] | yes | 2 | "
    );
    assert_eq!(
        first("a IN count(purchase) = 0"),
        "count(purchase) = 0 | no | 2 | must hold"
    );
    assert_eq!(
        first("b IN tag:vip"),
        "tag:vip | yes | manual since 2024-03-01T12:00:00Z | "
    );
    assert_eq!(
        why(&fixture, "a IN tag:low")[1..],
        [
            "  high: spend >= 100 | no | 20.00 | ",
            "  low: ALL | yes |  | "
        ]
    );
    assert_eq!(
        why(&fixture, "a IN tag:much")[1..],
        ["  sum(purchase.amount) | yes | 20.00 | "]
    );
    run(&fixture, "UNTAG a WITH low");
    assert_eq!(
        first("a IN tag:low"),
        "tag:low | no | taken by hand | must hold"
    );
    assert_eq!(why(&fixture, "nobody IN tag:vip"), Vec::<String>::new());
    refuse(&fixture, "WHY a IN tag:nope", "no tag named");
    refuse(&fixture, "WHY nobody IN tag:nope", "no tag named");
}

#[test]
fn a_portrait_tells_why_rules_give_tags() {
    let fixture = fixture(&[
        "DEFINE TAG buyer AS count(purchase, 30d) >= 2",
        "TRACK a purchase AT 2024-02-22T00:00:00Z",
        "TRACK a purchase AT 2024-02-24T00:00:00Z",
        "TRACK a purchase AT 2023-12-01T00:00:00Z",
        "TAG b WITH buyer",
    ]);
    let rows = |key: &str, section: &str| -> Vec<(String, Datum)> {
        let portrait = run(&fixture, &format!("PORTRAIT {key}"));
        let of_section = portrait.into_iter().filter(|row| row[0] == text(section));
        of_section
            .map(|row| (key_of(&row[1..]), row[2].clone()))
            .collect()
    };
    let reason = "count(purchase, 30d) >= 2 (count(purchase, 30d) >= 2: 2)";
    assert_eq!(rows("a", "rule"), [("buyer".to_owned(), text(reason))]);
    assert_eq!(rows("b", "rule"), []);
    let counts: Vec<(String, Datum)> = rows("a", "behaviour");
    let expected = [
        ("count", 3),
        ("count 7d", 1),
        ("count 30d", 2),
        ("count 90d", 2),
    ];
    for (figure, count) in expected {
        let row = (format!("{figure} purchase"), Datum::Integer(count));
        assert!(counts.contains(&row), "{counts:?} {row:?}");
    }
}

/// A condition on plain tags `p0` to `p3` and on the rules before.
#[derive(Debug, Clone)]
enum Rule {
    Plain(usize),
    Ruled(usize),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
    AtLeast(u32, Vec<Rule>),
}

impl Rule {
    fn text(&self, before: usize) -> String {
        let each = |of: &[Rule], between: &str| {
            let texts: Vec<String> = of.iter().map(|rule| rule.text(before)).collect();
            texts.join(between)
        };
        match self {
            Self::Plain(tag) => format!("tag:p{tag}"),
            Self::Ruled(_) if before == 0 => "ALL".to_owned(),
            Self::Ruled(tag) => format!("tag:r{}", tag % before),
            Self::Not(inner) => format!("NOT {}", inner.text(before)),
            Self::All(of) => format!("({})", each(of, " AND ")),
            Self::Any(of) => format!("({})", each(of, " OR ")),
            Self::AtLeast(threshold, of) => {
                let threshold = (*threshold).clamp(1, of.len() as u32);
                format!("AT LEAST {threshold} OF ({})", each(of, ", "))
            }
        }
    }

    fn holds(&self, before: usize, user: &Said, rules: &[Rule]) -> bool {
        let count = |of: &[Rule]| {
            of.iter()
                .filter(|rule| rule.holds(before, user, rules))
                .count()
        };
        match self {
            Self::Plain(tag) => user.given.contains(&format!("p{tag}")),
            Self::Ruled(_) if before == 0 => true,
            Self::Ruled(tag) => user.holds(tag % before, rules),
            Self::Not(inner) => !inner.holds(before, user, rules),
            Self::All(of) => count(of) == of.len(),
            Self::Any(of) => count(of) > 0,
            Self::AtLeast(threshold, of) => {
                let threshold = (*threshold).clamp(1, of.len() as u32);
                count(of) >= threshold as usize
            }
        }
    }
}

/// What was said of a user by hand.
#[derive(Debug, Clone, Default)]
struct Said {
    given: BTreeSet<String>,
    taken: BTreeSet<String>,
}

impl Said {
    fn holds(&self, rule: usize, rules: &[Rule]) -> bool {
        let name = format!("r{rule}");
        self.given.contains(&name)
            || !self.taken.contains(&name) && rules[rule].holds(rule, self, rules)
    }

    /// In which of the layers of the conditions.
    fn layer(&self, conditions: &[usize], rules: &[Rule]) -> Option<usize> {
        let given = (0..conditions.len()).find(|layer| self.given.contains(&format!("l{layer}")));
        given.or_else(|| {
            let mut fits = conditions.iter().map(|rule| self.holds(*rule, rules));
            let layer = fits.position(|fits| fits)?;
            (!self.taken.contains(&format!("l{layer}"))).then_some(layer)
        })
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let leaf = prop_oneof![
        (0..4_usize).prop_map(Rule::Plain),
        (0..9_usize).prop_map(Rule::Ruled)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Rule::Not(Box::new(inner))),
            some().prop_map(Rule::All),
            some().prop_map(Rule::Any),
            (1..4_u32, some()).prop_map(|(threshold, of)| Rule::AtLeast(threshold, of)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Who holds what is what rules and hands say, however it is asked.
    #[test]
    fn rules_and_hands_decide_together(
        rules in prop::collection::vec(rule(), 1..5),
        said in prop::collection::vec((0..3_u8, 0..6_usize, prop::sample::select(vec![
            "p0", "p1", "p2", "p3", "r0", "r1", "r2", "r3", "l0", "l1",
        ])), 0..40),
    ) {
        let fixture = fixture(&["DEFINE TAG p0", "DEFINE TAG p1", "DEFINE TAG p2", "DEFINE TAG p3"]);
        for (number, rule) in rules.iter().enumerate() {
            run(&fixture, &format!("DEFINE TAG r{number} AS {}", rule.text(number)));
        }
        let conditions = [rules.len() - 1, 0];
        run(&fixture, &format!(
            "DEFINE GROUP layers AS l0: tag:r{}, l1: tag:r{}", conditions[0], conditions[1]
        ));
        let mut users: BTreeMap<String, Said> = BTreeMap::new();
        for number in 0..6 {
            let key = format!("u{number}");
            fixture.write(vec![ensure(&key)]).unwrap();
            users.insert(key, Said::default());
        }
        for (what, user, tag) in said {
            let number: usize = tag[1..].parse().unwrap();
            if tag.starts_with('r') && number >= rules.len() {
                continue;
            }
            let key = format!("u{user}");
            let user = users.get_mut(&key).unwrap();
            let is_plain = tag.starts_with('p');
            match what {
                0 => {
                    run(&fixture, &format!("TAG {key} WITH {tag}"));
                    if tag.starts_with('l') {
                        user.given.retain(|tag| !tag.starts_with('l'));
                    }
                    user.taken.remove(tag);
                    user.given.insert(tag.to_owned());
                }
                1 => {
                    run(&fixture, &format!("UNTAG {key} WITH {tag}"));
                    user.given.remove(tag);
                    if !is_plain {
                        user.taken.insert(tag.to_owned());
                    }
                }
                _ if is_plain => {}
                _ => {
                    run(&fixture, &format!("CLEAR TAG {key} WITH {tag}"));
                    user.given.remove(tag);
                    user.taken.remove(tag);
                }
            }
        }
        let returned = returned(&fixture);
        let names: Vec<String> = (0..rules.len()).map(|rule| format!("r{rule}")).collect();
        for (number, name) in names.iter().enumerate() {
            let expected: Vec<String> = users
                .iter()
                .filter(|(_, user)| user.holds(number, &rules))
                .map(|(key, _)| key.clone())
                .collect();
            prop_assert_eq!(&found(&fixture, &format!("tag:{name}")), &expected, "{}", name);
            for (key, tags) in &returned {
                prop_assert_eq!(tags.contains(name), expected.contains(key), "{} {}", key, name);
            }
        }
        for layer in 0..2 {
            let expected: Vec<String> = users
                .iter()
                .filter(|(_, user)| user.layer(&conditions, &rules) == Some(layer))
                .map(|(key, _)| key.clone())
                .collect();
            prop_assert_eq!(found(&fixture, &format!("tag:l{layer}")), expected, "l{}", layer);
        }
        let missing: Vec<String> = users
            .iter()
            .filter(|(_, user)| user.layer(&conditions, &rules).is_none())
            .map(|(key, _)| key.clone())
            .collect();
        prop_assert_eq!(found(&fixture, "group:layers IS MISSING"), missing);
        fixture.check_consistent();
    }
}
