//! Names, types and values: what resolves to what, and which errors point where.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod expansion;

use tessera_query_lang::{Limits, ast::Statement, parse_expr, parse_statement};

use super::*;
use crate::{
    exec::testing::random::{self, AGE, BORN, GENDER, INTEREST, SEEN, SPEND},
    ids::{AttributeId, TagId, ValueCode},
    plan::logical::{Leaf, Range},
    time::MICROS_PER_DAY,
};

/// 2026-11-23T10:00:00Z
const NOW_US: i64 = 1_795_428_000_000_000;
/// 2026-11-23
const TODAY: i64 = NOW_US / MICROS_PER_DAY;

fn resolve_with(
    text: &str,
    parameters: &[(String, Datum)],
    limits: ResolveLimits,
) -> Result<Expr, ResolveError> {
    let schema = random::schema();
    let now = Timestamp::from_microsecond(NOW_US).expect("a time");
    let parsed = parse_expr(text, &Limits::default())
        .unwrap_or_else(|error| panic!("{}", error.render(text)));
    let mut resolver = Resolver::new(&schema, parameters, now, limits)?;
    let expr = resolver.expr(&parsed)?;
    resolver.finish()?;
    Ok(expr)
}

fn resolve(text: &str) -> Result<Expr, ResolveError> {
    resolve_with(text, &[], ResolveLimits::default())
}

fn range(attribute: AttributeId, low: i64, high: i64) -> Expr {
    Leaf::Range(attribute.into(), Range { low, high }).into()
}

fn check(text: &str, expected: Expr) {
    assert_eq!(resolve(text), Ok(expected), "{text}");
}

fn present_but(attribute: AttributeId, other: Expr) -> Expr {
    Expr::And(vec![Leaf::Present(attribute).into(), other.negated()])
}

fn tag(id: u32) -> Expr {
    Leaf::Tag(TagId(id)).into()
}

#[test]
fn integers_and_decimals_are_bounded_exactly() {
    const MIN: i64 = i64::MIN;
    const MAX: i64 = i64::MAX;
    check("age:18..34", range(AGE, 18, 34));
    check("age:18..", range(AGE, 18, MAX));
    check("age:..34", range(AGE, MIN, 34));
    check("age:18", range(AGE, 18, 18));
    check("age = \"18\"", range(AGE, 18, 18));
    check("age > 18", range(AGE, 19, MAX));
    check("age >= 18.5", range(AGE, 19, MAX));
    check("age < 18.5", range(AGE, MIN, 18));
    check("age <= -0.5", range(AGE, MIN, -1));
    check("age = 18.5", Expr::None);
    check("age = 18.0", range(AGE, 18, 18));
    check("age != 18", present_but(AGE, range(AGE, 18, 18)));
    check("age != 18.5", present_but(AGE, Expr::None));
    check("age:34..18", Expr::None);
    check("age > 9223372036854775807", Expr::None);
    check("spend > 1.005", range(SPEND, 101, MAX));
    check("spend >= 1.005", range(SPEND, 101, MAX));
    check("spend < 1.005", range(SPEND, MIN, 100));
    check("spend <= 1.005", range(SPEND, MIN, 100));
    check("spend < 1", range(SPEND, MIN, 99));
    check("spend = \"1.50\"", range(SPEND, 150, 150));
    check("spend >= 9223372036854775807", Expr::None);
    check("spend <= 9223372036854775807", range(SPEND, MIN, MAX));
    check(
        "age:(1, 2)",
        Expr::Or(vec![range(AGE, 1, 1), range(AGE, 2, 2)]),
    );
}

#[test]
fn dates_and_timestamps_mean_whole_days() {
    const MIN: i64 = i64::MIN;
    const MAX: i64 = i64::MAX;
    let day = |day: i64| day * MICROS_PER_DAY;
    check("born:2026-11-23", range(BORN, TODAY, TODAY));
    check("born = \"2026-11-23\"", range(BORN, TODAY, TODAY));
    check("born < now", range(BORN, MIN, TODAY - 1));
    check("born <= now", range(BORN, MIN, TODAY));
    check("born >= today-1w", range(BORN, TODAY - 7, MAX));
    check(
        "seen:2026-11-22..2026-11-23",
        range(SEEN, day(TODAY - 1), day(TODAY + 1) - 1),
    );
    check(
        "seen = 2026-11-23",
        range(SEEN, day(TODAY), day(TODAY + 1) - 1),
    );
    check("seen = today", range(SEEN, day(TODAY), day(TODAY + 1) - 1));
    check("seen <= 2026-11-23", range(SEEN, MIN, day(TODAY + 1) - 1));
    check("seen < 2026-11-23", range(SEEN, MIN, day(TODAY) - 1));
    check("seen > 2026-11-23", range(SEEN, day(TODAY + 1), MAX));
    check("seen >= now-1h", range(SEEN, NOW_US - 3_600_000_000, MAX));
    check("seen = 2026-11-23T10:00:00Z", range(SEEN, NOW_US, NOW_US));
    check(
        "seen = \"2026-11-23T10:00:00Z\"",
        range(SEEN, NOW_US, NOW_US),
    );
}

#[test]
fn values_presence_tags_and_groups() {
    let value = |attribute, code| Expr::from(Leaf::Value(attribute, ValueCode(code)));
    check("gender:m", value(GENDER, 1));
    check(
        "gender:(f, x)",
        Expr::Or(vec![value(GENDER, 0), value(GENDER, 2)]),
    );
    check("gender != f", present_but(GENDER, value(GENDER, 0)));
    check("interests:chess", value(INTEREST, 1));
    check("active = true", value(random::ACTIVE, 1));
    check("active:false", value(random::ACTIVE, 0));
    check(
        "gender IS MISSING",
        Expr::from(Leaf::Present(GENDER)).negated(),
    );
    check("note IS PRESENT", Leaf::Present(random::NOTE).into());
    check(
        "note = hello",
        Leaf::Text(random::NOTE, "hello".to_owned()).into(),
    );
    check("note = 7", Leaf::Text(random::NOTE, "7".to_owned()).into());
    check(
        "invited_by:(\"u1\")",
        Leaf::Text(random::INVITED_BY, "u1".to_owned()).into(),
    );
    check("tag:vip", tag(0));
    let held = Leaf::Held(TagId(2), NOW_US / 1_000_000);
    check("tag:promo-*", Expr::Or(vec![tag(1), held.into()]));
    let held = Leaf::Held(TagId(2), NOW_US / 1_000_000);
    check(
        "group:promo IS PRESENT",
        Expr::Or(vec![tag(1), held.into()]),
    );
    check("group:empty IS MISSING", Expr::None.negated());
    check(
        "user:(\"b\", \"a\", \"b\")",
        Leaf::Keys(vec!["a".to_owned(), "b".to_owned()]).into(),
    );
    check(
        "segment:loyal",
        Expr::And(vec![tag(0), range(AGE, 10, i64::MAX)]),
    );
}

#[test]
fn errors_say_what_and_where() {
    let check = |text: &str, message: &str, place: &str, hint: Option<&str>| {
        let error = resolve(text).expect_err(text);
        assert!(error.to_string().contains(message), "{text}: {error}");
        let span = error.span().expect("a place");
        assert_eq!(
            &text[span.start as usize..span.end as usize],
            place,
            "{text}"
        );
        assert_eq!(error.hint().as_deref(), hint, "{text}");
    };
    check(
        "tag:vpi",
        "there is no tag named \"vpi\"",
        "vpi",
        Some("did you mean vip?"),
    );
    check(
        "agee > 3",
        "there is no attribute named \"agee\"",
        "agee",
        Some("did you mean age?"),
    );
    check(
        "segment:royal",
        "there is no saved segment",
        "royal",
        Some("did you mean loyal?"),
    );
    check(
        "group:promos IS MISSING",
        "there is no tag group",
        "promos",
        Some("did you mean promo?"),
    );
    check(
        "interests:ches",
        "there is no value of interests",
        "ches",
        Some("did you mean chess?"),
    );
    check(
        "gender:nobody",
        "there is no value of gender",
        "nobody",
        Some("SHOW VALUES OF gender lists them"),
    );
    check("tag:zz-*", "no tag matches zz-*", "zz-*", None);
    check("gender >= 3", "it can be compared by = and !=", "3", None);
    check("gender:a..b", "not by order or range", "a", None);
    check("note < x", "not by order or range", "x", None);
    check(
        "age > f",
        "age is an integer, and the text \"f\" is not",
        "f",
        None,
    );
    check(
        "age = 2026-01-01",
        "age is an integer, and the date 2026-01-01 is not",
        "2026-01-01",
        None,
    );
    check(
        "active = 3",
        "active is a boolean, and the number 3 is not",
        "3",
        None,
    );
    check(
        "born > 3",
        "born is a date, and the number 3 is not",
        "3",
        None,
    );
    check(
        "tag:vip AND age > $1",
        "the parameter $1 has no value",
        "$1",
        None,
    );
}

#[test]
fn parameters_stand_for_values_and_names() {
    let check = |text: &str, value: Datum, expected: Result<Expr, &str>| {
        let found = resolve_with(text, &[("1".to_owned(), value)], ResolveLimits::default());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(error), Err(message)) => {
                assert!(error.to_string().contains(message), "{text}: {error}");
            }
            (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
        }
    };
    let list = Datum::List(vec!["f".to_owned(), "m".to_owned()]);
    let value = |code| Expr::from(Leaf::Value(GENDER, ValueCode(code)));
    check("age > $1", Datum::Integer(7), Ok(range(AGE, 8, i64::MAX)));
    check(
        "age > $1",
        Datum::Text("7".to_owned()),
        Ok(range(AGE, 8, i64::MAX)),
    );
    check("age > $1", Datum::Real(7.5), Ok(range(AGE, 8, i64::MAX)));
    check(
        "spend > $1",
        Datum::Decimal {
            units: 1005,
            scale: 3,
        },
        Ok(range(SPEND, 101, i64::MAX)),
    );
    check("born = $1", Datum::Date(3), Ok(range(BORN, 3, 3)));
    check("seen = $1", Datum::Timestamp(3), Ok(range(SEEN, 3, 3)));
    check(
        "gender:($1)",
        list.clone(),
        Ok(Expr::Or(vec![value(0), value(1)])),
    );
    check(
        "gender = $1",
        Datum::Text("f OR ALL".to_owned()),
        Err("no value of gender named \"f OR ALL\""),
    );
    check("tag:$1", Datum::Text("vip".to_owned()), Ok(tag(0)));
    check(
        "tag:$1",
        Datum::Text("promo-*".to_owned()),
        Err("no tag named \"promo-*\""),
    );
    check("tag:$1", Datum::Integer(1), Err("must be a text"));
    check(
        "age > $1",
        list,
        Err("a list stands where one value is expected"),
    );
    check("age > $1", Datum::Null, Err("cannot be null"));
    check(
        "age > $1",
        Datum::Real(f64::NAN),
        Err("cannot be used as a number"),
    );
    check("age > 3", Datum::Integer(1), Err("no parameter $1"));
    let twice = [
        ("1".to_owned(), Datum::Integer(1)),
        ("1".to_owned(), Datum::Integer(2)),
    ];
    let error = resolve_with("age > $1", &twice, ResolveLimits::default()).expect_err("two values");
    assert_eq!(error.kind(), ResolveErrorKind::TypeMismatch);
}

/// The columns that a statement adds, or why it is refused.
fn columns(text: &str) -> Result<Vec<String>, ResolveError> {
    let schema = random::schema();
    let now = Timestamp::from_microsecond(NOW_US).expect("a time");
    let mut resolver = Resolver::new(&schema, &[], now, ResolveLimits::default())?;
    let names: Vec<String> = match parse_statement(text, &Limits::default()) {
        Ok(Statement::Segment(segment)) => {
            let returns = resolver.segment(&segment)?.returns;
            returns.into_iter().map(|field| field.name).collect()
        }
        Ok(Statement::Dimension(dimension)) => {
            let dims = resolver.dimension(&dimension)?.dims;
            dims.into_iter().map(|dim| dim.name).collect()
        }
        other => panic!("{text}: {other:?}"),
    };
    Ok(names)
}

#[test]
fn no_column_comes_twice() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(columns(text).expect(text), expected, "{text}");
    };
    check("SEGMENT ALL RETURN KEY", &[]);
    check(
        "SEGMENT ALL RETURN age, KEY, TAGS, age, TAGS",
        &["age", "tags"],
    );
    check("DIMENSION gender, age", &["gender", "age"]);
    check(
        "DIMENSION born BY month, born BY year",
        &["born BY month", "born BY year"],
    );
    let refused = |text: &str, expected: &str, start: u32| {
        let error = columns(text).expect_err(text);
        assert_eq!(error.kind(), ResolveErrorKind::TypeMismatch, "{text}");
        assert_eq!(error.to_string(), expected, "{text}");
        assert_eq!(error.span().map(|span| span.start), Some(start), "{text}");
    };
    refused("DIMENSION gender, age, gender", "gender is named twice", 23);
    refused("DIMENSION tag:*, tag:*", "tag is named twice", 21);
}

#[test]
fn assignments_become_data() {
    let schema = random::schema();
    let now = Timestamp::from_microsecond(NOW_US).expect("a time");
    let check = |text: &str, value: Option<Datum>, expected: ResolvedAssignment| {
        let statement = format!("SET \"u1\" {text}");
        let parsed = parse_statement(&statement, &Limits::default())
            .unwrap_or_else(|error| panic!("{}", error.render(&statement)));
        let Statement::Set { assignments, .. } = parsed else {
            panic!("{statement} is no SET")
        };
        let parameters: Vec<_> = value
            .into_iter()
            .map(|value| ("1".to_owned(), value))
            .collect();
        let mut resolver =
            Resolver::new(&schema, &parameters, now, ResolveLimits::default()).expect("a resolver");
        let (name, assignment) = assignments.first().expect("one assignment");
        assert_eq!(
            resolver.assignment(name, assignment),
            Ok(expected),
            "{text}"
        );
    };
    let set = |name: &str, value: Datum| ResolvedAssignment::Set(name.to_owned(), value);
    let golf = || vec!["golf".to_owned()];
    check("age = 30", None, set("age", Datum::Integer(30)));
    check(
        "spend = 1.50",
        None,
        set(
            "spend",
            Datum::Decimal {
                units: 150,
                scale: 2,
            },
        ),
    );
    check("seen = now", None, set("seen", Datum::Timestamp(NOW_US)));
    check("born = today", None, set("born", Datum::Date(TODAY as i32)));
    check("gender = MISSING", None, set("gender", Datum::Null));
    check("gender = $1", Some(Datum::Null), set("gender", Datum::Null));
    check(
        "interests = golf",
        None,
        set("interests", Datum::List(golf())),
    );
    check(
        "interests = $1",
        Some(Datum::List(golf())),
        set("interests", Datum::List(golf())),
    );
    check(
        "interests = $1",
        Some(Datum::Null),
        set("interests", Datum::Null),
    );
    let golf_text = vec![Datum::Text("golf".to_owned())];
    check(
        "interests += golf",
        None,
        ResolvedAssignment::Add("interests".to_owned(), golf_text.clone()),
    );
    check(
        "interests -= (golf)",
        None,
        ResolvedAssignment::Remove("interests".to_owned(), golf_text),
    );
}
