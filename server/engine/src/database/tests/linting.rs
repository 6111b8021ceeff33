//! What is odd about tags, and how large they were.

use super::{
    upkeep::{execute, rows, set_clock, texts, warnings},
    *,
};

const DAY_S: i64 = 24 * 60 * 60;
/// 2026-03-01T00:00:00Z.
const START_S: i64 = 1_772_323_200;

fn note(fixture: &Fixture) -> u64 {
    let before = fixture.db().view().version();
    fixture.db().note_tag_sizes(&Budget::unlimited()).unwrap();
    fixture.db().view().version() - before
}

/// The findings of a kind: tag, the other one, the figure.
fn findings(fixture: &Fixture, kind: &str) -> Vec<String> {
    let found = rows(fixture, "LINT TAGS");
    let shown = |datum: &Datum| match datum {
        Datum::Text(text) => text.clone(),
        Datum::Null => "-".to_owned(),
        Datum::Integer(number) => number.to_string(),
        Datum::Real(number) => format!("{number:.2}"),
        Datum::Boolean(_)
        | Datum::Decimal { .. }
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => format!("{datum:?}"),
    };
    let of_kind = found.iter().filter(|row| row.first() == Some(&text(kind)));
    of_kind
        .map(|row| row[1..4].iter().map(shown).collect::<Vec<_>>().join(" "))
        .collect()
}

fn tagged(fixture: &Fixture, users: std::ops::Range<u32>, tags: &[&str]) {
    let mutations = users.map(|user| tag(&format!("u{user}"), tags)).collect();
    fixture.write(mutations).unwrap();
}

#[test]
fn sizes_are_noted_once_a_day_and_told_as_a_trend() {
    let mut fixture = Fixture::with(|options| options.limits.tag_sizes_days = 20);
    fixture.define("DEFINE TAG vip").unwrap();
    fixture.define("DEFINE TAG short DYNAMIC FOR 2d").unwrap();
    for day in 0..10_u32 {
        set_clock(&fixture, START_S + i64::from(day) * DAY_S);
        tagged(&fixture, day * 3..day * 3 + 3, &["vip", "short"]);
        if day != 4 {
            assert_eq!(note(&fixture), 1, "{day}");
        }
        assert_eq!(note(&fixture), if day == 4 { 1 } else { 0 }, "{day}");
    }
    fixture.restart();
    // Nothing was noted today; the size of this moment stands for it.
    set_clock(&fixture, START_S + 10 * DAY_S);
    tagged(&fixture, 0..31, &["vip"]);
    let check = |statement: &str, expected: &[(i32, i64)]| {
        let start = (START_S / DAY_S) as i32;
        let row =
            |(day, users): &(i32, i64)| vec![Datum::Date(start + day), Datum::Integer(*users)];
        let expected: Vec<_> = expected.iter().map(row).collect();
        assert_eq!(rows(&fixture, statement), expected, "{statement}");
    };
    check("TREND tag:vip LAST 3d", &[(8, 27), (9, 30), (10, 31)]);
    // The first of March is a Sunday.
    check("TREND tag:vip BY week", &[(-6, 3), (1, 24), (8, 31)]);
    check("TREND tag:vip LAST 1y BY month", &[(0, 31)]);
    check(
        "TREND tag:short LAST 4d",
        &[(7, 6), (8, 6), (9, 6), (10, 3)],
    );
    assert_eq!(rows(&fixture, "TREND tag:vip").len(), 11);
    refused(
        execute(&fixture, "TREND tag:vipp").map(|(summary, _)| summary),
        ErrorCode::UnknownName,
        "vipp",
    );
    // What is too old is forgotten.
    set_clock(&fixture, START_S + 25 * DAY_S);
    note(&fixture);
    assert_eq!(rows(&fixture, "TREND tag:vip").len(), 6);
    fixture.check_consistent();
}

#[test]
fn a_rule_that_takes_too_much_keeps_no_other_tag_from_being_counted() {
    let fixture = Fixture::with(|options| options.limits.queries.behaviour_bytes_max = 1);
    for statement in [
        "DEFINE ATTRIBUTE invited_by USER",
        "DEFINE TAG vip OWNER \"crm\"",
        "DEFINE TAG brings AS count(invited) >= 1",
    ] {
        fixture.define(statement).unwrap();
    }
    set_clock(&fixture, START_S);
    tagged(&fixture, 0..3, &["vip"]);
    refused(
        execute(&fixture, "COUNT tag:brings").map(|(summary, _)| summary),
        ErrorCode::LimitExceeded,
        "inviters",
    );
    assert_eq!(note(&fixture), 1);
    set_clock(&fixture, START_S + DAY_S);
    assert_eq!(rows(&fixture, "TREND tag:vip").len(), 2);
    assert_eq!(findings(&fixture, "everybody"), ["vip - 1.00"]);
    let told = warnings(&fixture, "LINT TAGS");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("the tag \"brings\" was not counted: "));
    assert_eq!(
        texts(&fixture, "SHOW TAGS", 3),
        ["brings Null Null", "vip Null Integer(3)"]
    );
}

#[test]
fn coverage_and_orphans_are_told() {
    let fixture = Fixture::defined(&[
        "DEFINE GROUP g",
        "DEFINE TAG none OWNER \"crm\"",
        "DEFINE TAG all IN GROUP g",
        "DEFINE TAG some",
        "DEFINE TAG soon DRAFT OWNER \"crm\"",
        "DEFINE TAG gone",
        "DEFINE TAG out OWNER \"crm\" DEPRECATED",
    ]);
    tagged(&fixture, 0..100, &["all"]);
    tagged(&fixture, 0..30, &["some"]);
    fixture.define("ALTER TAG gone ARCHIVED").unwrap();
    assert_eq!(findings(&fixture, "nobody"), ["none - 0", "out - 0"]);
    assert_eq!(findings(&fixture, "everybody"), ["all - 1.00"]);
    assert_eq!(findings(&fixture, "orphan"), ["some - -"]);
    assert_eq!(
        texts(&fixture, "LINT TAGS LIKE \"so*\"", 2),
        ["orphan some"]
    );
    assert_eq!(texts(&fixture, "LINT TAGS LIMIT 1", 2), ["everybody all"]);
    assert!(warnings(&fixture, "LINT TAGS").is_empty());
}

#[test]
fn tags_that_nobody_asks_for_are_told_after_a_while() {
    let mut fixture = Fixture::defined(&[
        "DEFINE TAG asked",
        "DEFINE TAG unasked",
        "DEFINE TAG by-pattern",
        "DEFINE SEGMENT s AS tag:asked",
    ]);
    tagged(&fixture, 0..3, &["asked", "unasked", "by-pattern"]);
    for day in 0..40 {
        set_clock(&fixture, START_S + day * DAY_S);
        rows(&fixture, "COUNT segment:s");
        if day == 2 {
            rows(&fixture, "COUNT tag:by-*");
        }
        note(&fixture);
        if day < 30 {
            assert_eq!(findings(&fixture, "unasked"), [""; 0], "{day}");
        }
        if day == 20 {
            fixture.restart();
        }
    }
    assert_eq!(
        findings(&fixture, "unasked"),
        ["by-pattern - 37", "unasked - -"]
    );
}

#[test]
fn nearly_equal_and_contained_tags_are_told() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG big",
        "DEFINE TAG copy",
        "DEFINE TAG part",
        "DEFINE TAG apart",
        "DEFINE TAG few",
        "DEFINE TAG all",
        "DEFINE TAG short DYNAMIC FOR 2d",
    ]);
    set_clock(&fixture, START_S);
    tagged(&fixture, 0..1000, &["all"]);
    tagged(&fixture, 0..400, &["big"]);
    tagged(&fixture, 2..400, &["copy"]);
    tagged(&fixture, 100..150, &["part"]);
    tagged(&fixture, 300..500, &["apart"]);
    tagged(&fixture, 0..5, &["few"]);
    tagged(&fixture, 600..640, &["short"]);
    assert_eq!(findings(&fixture, "equal"), ["copy big 0.99"]);
    assert_eq!(
        findings(&fixture, "contained"),
        ["part big 1.00", "part copy 1.00"]
    );
    // What has ended is held by nobody, and alike to nothing.
    tagged(&fixture, 600..640, &["few"]);
    assert!(findings(&fixture, "contained").contains(&"short few 1.00".to_owned()));
    set_clock(&fixture, START_S + 3 * DAY_S);
    assert!(!findings(&fixture, "contained").contains(&"short few 1.00".to_owned()));
}

#[test]
fn names_and_values_are_told() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG customer",
        "DEFINE TAG customers",
        "DEFINE TAG \"age_25\"",
        "DEFINE TAG \"age_26\"",
        "DEFINE TAG \"age_9\"",
        "DEFINE TAG promo-2026",
    ]);
    assert_eq!(findings(&fixture, "names"), ["customer customers -"]);
    assert_eq!(findings(&fixture, "values"), ["age_9 age_* 3"]);
    let advice = texts(&fixture, "LINT TAGS LIKE \"age_*\"", 5);
    assert!(
        advice
            .iter()
            .any(|row| row.contains("DEFINE ATTRIBUTE age INTEGER")),
        "{advice:?}"
    );
}

#[test]
fn dynamic_tags_that_nobody_gives_are_told() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG short DYNAMIC FOR 10d",
        "DEFINE TAG new DYNAMIC FOR 2d",
        "DEFINE TAG long DYNAMIC FOR 1y",
    ]);
    set_clock(&fixture, START_S);
    tagged(&fixture, 0..3, &["short"]);
    // Given just now, for a part of its validity only.
    texts(&fixture, "TAG u0 WITH long FOR 20d", 0);
    assert!(findings(&fixture, "stale").is_empty());
    set_clock(&fixture, START_S + 4 * DAY_S);
    assert!(findings(&fixture, "stale").is_empty());
    set_clock(&fixture, START_S + 6 * DAY_S);
    assert_eq!(findings(&fixture, "stale"), ["short - 3"]);
    set_clock(&fixture, START_S + 11 * DAY_S);
    assert_eq!(findings(&fixture, "stale"), ["short - 0"]);
    tagged(&fixture, 0..1, &["short"]);
    assert!(findings(&fixture, "stale").is_empty());
}
