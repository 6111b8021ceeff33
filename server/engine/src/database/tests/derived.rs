//! Attributes that are derived: whole years since a day.

use super::*;
use crate::exec::testing::Collected;

fn fixture() -> Fixture {
    let fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE birthday DATE",
        "DEFINE ATTRIBUTE joined TIMESTAMP",
        "DEFINE ATTRIBUTE gender ENUM",
        "DEFINE ATTRIBUTE age AS YEARS SINCE birthday DESCRIPTION \"in whole years\"",
        "DEFINE ATTRIBUTE tenure AS YEARS SINCE joined",
    ]);
    let born = |user: &str, day: &str| set(user, "birthday", text(day));
    fixture.changed(vec![
        born("leap", "2004-02-29"),
        born("march", "2004-03-01"),
        born("may", "1990-05-06"),
        born("late", "2030-01-01"),
        set("may", "joined", text("2020-05-06T23:59:59.999999Z")),
        set("may", "gender", text("f")),
        ensure("unknown"),
    ]);
    at(&fixture, "2022-02-28T23:59:59Z");
    fixture
}

fn at(fixture: &Fixture, moment: &str) {
    fixture.clock.set_now(moment.parse().unwrap());
}

fn run(fixture: &Fixture, text: &str) -> Vec<Vec<Datum>> {
    let mut sink = Collected::default();
    let parameters = Parameters::default();
    let done = fixture
        .db()
        .execute(text, &parameters, &Budget::unlimited(), &mut sink);
    assert!(done.is_ok(), "{text}: {done:?}");
    sink.rows
}

fn keys(fixture: &Fixture, expr: &str) -> Vec<Datum> {
    let rows = run(fixture, &format!("SEGMENT {expr} ORDER BY KEY"));
    rows.into_iter().map(|row| row[0].clone()).collect()
}

#[test]
fn years_are_those_of_the_moment() {
    let fixture = fixture();
    let check = |expr: &str, expected: &[&str]| {
        let expected: Vec<Datum> = expected.iter().map(|key| text(key)).collect();
        assert_eq!(keys(&fixture, expr), expected, "{expr}");
    };
    check("age >= 18", &["may"]);
    check("age = 17", &["leap", "march"]);
    check("age:17..31", &["leap", "march", "may"]);
    check("age != 17", &["late", "may"]);
    check("age < 0", &["late"]);
    check("age:..0", &["late"]);
    check("age IS MISSING", &["unknown"]);
    check("age:(17, 31)", &["leap", "march", "may"]);
    check("age > 17.5", &["may"]);
    check("age >= 100000", &[]);
    check("age <= 100000", &["late", "leap", "march", "may"]);
    check("age > -100000", &["late", "leap", "march", "may"]);
    check("tenure = 1", &["may"]);
    // A leap day's years are full on the 1st of March.
    at(&fixture, "2022-03-01T00:00:00Z");
    check("age = 18", &["leap", "march"]);
    at(&fixture, "2022-05-06T00:00:00Z");
    check("age = 32 AND tenure = 2", &["may"]);
    at(&fixture, "2024-02-29T00:00:00Z");
    check("age = 20", &["leap"]);
}

#[test]
fn years_read_like_numbers() {
    let mut fixture = fixture();
    fixture.restart();
    let ages = run(
        &fixture,
        "SEGMENT ALL RETURN age, tenure ORDER BY age DESC, KEY",
    );
    let row = |key: &str, age: Option<i64>, tenure: Option<i64>| {
        let number = |number: Option<i64>| number.map_or(Datum::Null, Datum::Integer);
        vec![text(key), number(age), number(tenure)]
    };
    let expected = [
        row("may", Some(31), Some(1)),
        row("leap", Some(17), None),
        row("march", Some(17), None),
        row("late", Some(-8), None),
        row("unknown", None, None),
    ];
    assert_eq!(ages, expected);
    assert_eq!(run(&fixture, "SEGMENT ALL ORDER BY age LIMIT 2").len(), 2);
    let bands = run(&fixture, "DIMENSION age[0, 18] MEASURE count ORDER BY age");
    let band = |label: &str, count| vec![text(label), Datum::Integer(count)];
    let mut expected = vec![band("<0", 1), band("0..17", 2), band(">=18", 1)];
    expected.push(vec![Datum::Null, Datum::Integer(1)]);
    assert_eq!(bands, expected);
    let by_age = run(
        &fixture,
        "DIMENSION age MEASURE count ORDER BY count DESC TOP 1",
    );
    assert_eq!(by_age, [vec![Datum::Integer(17), Datum::Integer(2)]]);
    let measures = run(
        &fixture,
        "DIMENSION gender MEASURE avg(age), max(age), p50(age) ORDER BY gender WHERE age >= 0",
    );
    let expected = vec![
        vec![
            text("f"),
            Datum::Real(31.0),
            Datum::Integer(31),
            Datum::Integer(31),
        ],
        vec![
            Datum::Null,
            Datum::Real(17.0),
            Datum::Integer(17),
            Datum::Integer(17),
        ],
    ];
    assert_eq!(measures, expected);
    let portrait = run(&fixture, "PORTRAIT may");
    let age = [text("attribute"), text("age"), Datum::Integer(31)];
    assert!(
        portrait.iter().any(|row| row.starts_with(&age)),
        "{portrait:?}"
    );
    let shown = run(&fixture, "SHOW ATTRIBUTES LIKE age");
    let expected = [
        text("age"),
        text("years since birthday"),
        Datum::Boolean(false),
        Datum::Integer(4),
        Datum::Null,
        text("in whole years"),
        Datum::Null,
    ];
    assert_eq!(shown, [expected.to_vec()]);
    run(&fixture, "SAVE SEGMENT adults AS age >= 18");
    assert_eq!(keys(&fixture, "segment:adults"), [text("may")]);
    fixture.check_consistent();
}

#[test]
fn what_is_derived_is_not_written() {
    let fixture = fixture();
    let message = "age is derived from birthday and cannot be set: set birthday";
    for value in [Datum::Integer(20), Datum::Null] {
        let refusal = fixture.write(vec![set("may", "age", value)]);
        refused(refusal, ErrorCode::TypeMismatch, message);
    }
    let load = LoadRequest {
        keys: ["may"].into_iter().collect(),
        columns: vec![LoadColumn::Numbers {
            attribute: "age".to_owned(),
            form: NumberForm::Integer,
            present: vec![1],
            numbers: vec![20],
        }],
        ..LoadRequest::default()
    };
    refused(fixture.db().load(load), ErrorCode::TypeMismatch, message);
    let check = |statement: &str, code: ErrorCode, message: &str| {
        refused(fixture.define(statement), code, message);
    };
    check(
        "DROP ATTRIBUTE birthday",
        ErrorCode::Conflict,
        "is used by attribute:age",
    );
    let no_day = "years pass since a date or a timestamp";
    check(
        "DEFINE ATTRIBUTE x AS YEARS SINCE gender",
        ErrorCode::TypeMismatch,
        no_day,
    );
    check(
        "DEFINE ATTRIBUTE x AS YEARS SINCE age",
        ErrorCode::TypeMismatch,
        no_day,
    );
    check(
        "DEFINE ATTRIBUTE x AS YEARS SINCE nothing",
        ErrorCode::UnknownName,
        "nothing",
    );
    check(
        "ALTER ATTRIBUTE age WRITE ONCE",
        ErrorCode::TypeMismatch,
        "cannot be chosen",
    );
    fixture.define("ALTER ATTRIBUTE age OWNER crm").unwrap();
    fixture.define("DROP ATTRIBUTE age").unwrap();
    fixture.define("DROP ATTRIBUTE birthday").unwrap();
    fixture.check_consistent();
}
