//! Tags and groups with rules: always what their rules say now, unless somebody said otherwise.

#![expect(clippy::panic, reason = "tests stop at the first surprise")]

mod by_hand;
mod changes;
mod layers;
mod oracle;
mod portraits;
mod why;

use std::collections::BTreeMap;

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
