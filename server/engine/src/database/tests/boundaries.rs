//! First and last moments, ties, numbers that are too large for smaller ones, and what a cursor
//! goes on with when its moment is over.

use super::{
    behaviour::{NOON, found, refuse, run},
    event_dimensions::table,
    *,
};
use crate::time::MICROS_PER_DAY;

fn fixture(definitions: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    at(&fixture, "2024-03-01T12:00:00Z");
    for statement in definitions {
        run(&fixture, statement);
    }
    fixture
}

fn at(fixture: &Fixture, moment: &str) {
    fixture.clock.set_now(moment.parse().unwrap());
}

fn track(fixture: &Fixture, user: &str, what: &str, at: &str) {
    run(fixture, &format!("TRACK \"{user}\" {what} AT {at}"));
}

#[track_caller]
fn check(fixture: &Fixture, expr: &str, expected: &[&str]) {
    assert_eq!(found(fixture, expr), strings(expected), "{expr}");
}

/// The keys of those who are found. Percentiles are not the oracle's.
fn keys(fixture: &Fixture, expr: &str) -> Vec<Datum> {
    let (_, rows) = run(fixture, &format!("SEGMENT {expr} ORDER BY KEY"));
    rows.into_iter().map(|row| row[0].clone()).collect()
}

#[test]
fn windows_begin_and_end_at_their_very_moments() {
    let fixture = fixture(&["DEFINE EVENT e"]);
    for (user, moment) in [
        ("ahead", "2024-03-01T12:30:00Z"),
        ("dawn", "2024-03-01T00:00:00Z"),
        ("eve", "2024-02-29T23:59:59.999999Z"),
        ("feb1", "2024-02-01T23:59:59.999999Z"),
        ("feb2", "2024-02-02T00:00:00Z"),
        ("year", "2023-03-02T00:00:00Z"),
        ("old", "2023-03-01T23:59:59.999999Z"),
    ] {
        track(&fixture, user, "e", moment);
    }
    let all = ["ahead", "dawn", "eve", "feb1", "feb2", "old", "year"];
    check(&fixture, "did:e", &all);
    check(&fixture, "did:e[1d]", &["ahead", "dawn"]);
    check(&fixture, "did:e[2d]", &["ahead", "dawn", "eve"]);
    // From the day after the same day a month, or a year, ago.
    check(&fixture, "did:e[1mo]", &["ahead", "dawn", "eve", "feb2"]);
    check(
        &fixture,
        "did:e[1y]",
        &["ahead", "dawn", "eve", "feb1", "feb2", "year"],
    );
    let february = "did:e[2024-02-01..2024-02-29]";
    check(&fixture, february, &["eve", "feb1", "feb2"]);
    check(&fixture, "did:e[..2023-03-01]", &["old"]);
    check(&fixture, "did:e[2023-03-02..2023-12-31]", &["year"]);
    check(&fixture, "did:e[today..]", &["ahead", "dawn"]);
    check(&fixture, "did:e[2024-02-29..2024-02-28]", &[]);
    // After now less twelve hours, up to now.
    check(&fixture, "did:e[12h]", &[]);
    check(&fixture, "count(e, 12h) = 0", &all);
    check(&fixture, "did:e[43201s]", &["dawn", "eve"]);
    check(
        &fixture,
        "last(e) < now-12h",
        &["eve", "feb1", "feb2", "old", "year"],
    );
    check(
        &fixture,
        "last(e) <= now-12h",
        &["dawn", "eve", "feb1", "feb2", "old", "year"],
    );
    check(&fixture, "first(e) > now-12h", &["ahead"]);
    check(&fixture, "first(e) = 2024-02-29", &["eve"]);
    // A month before the 31st of March is the 29th of February.
    at(&fixture, "2024-03-31T00:00:00Z");
    check(&fixture, "did:e[1mo]", &["ahead", "dawn"]);
    // The clock goes back by a day: what is to come is not of today.
    at(&fixture, "2024-02-29T12:00:00Z");
    check(&fixture, "did:e[1d]", &["eve"]);
    check(&fixture, "did:e[1h]", &[]);
    fixture.check_consistent();
}

#[test]
fn windows_that_begin_before_the_calendar_have_no_beginning() {
    let fixture = fixture(&["DEFINE EVENT e", "DEFINE TAG short DYNAMIC FOR 2d"]);
    track(&fixture, "u", "e", "2023-03-01");
    run(
        &fixture,
        "TAG v WITH short FROM 2023-01-01 UNTIL 2023-02-01",
    );
    for period in ["20000y", "2000000000d"] {
        check(&fixture, &format!("did:e[{period}]"), &["u"]);
        check(&fixture, &format!("lapsed(tag:short, {period})"), &["v"]);
    }
}

#[test]
fn days_are_those_of_utc_whatever_the_offsets() {
    let fixture = fixture(&["DEFINE EVENT e"]);
    at(&fixture, "2024-03-31T12:00:00Z");
    // The clocks of central Europe go from two to three.
    track(&fixture, "jump", "e", "2024-03-31T01:59:59+01:00");
    track(&fixture, "jump", "e", "2024-03-31T03:00:00+02:00");
    track(&fixture, "night", "e", "2024-03-31T01:30:00+02:00");
    check(&fixture, "sequence(e -> e, within 1s)", &["jump"]);
    check(&fixture, "days(e) = 1", &["jump", "night"]);
    check(&fixture, "did:e[2024-03-30..2024-03-30]", &["night"]);
    check(&fixture, "did:e[1d]", &["jump"]);
    let by_day = table(&fixture, "DIMENSION e BY day MEASURE count");
    assert_eq!(
        by_day,
        [strings(&["2024-03-30", "1"]), strings(&["2024-03-31", "2"])]
    );
}

#[test]
fn steps_follow_each_other_in_time() {
    let fixture = fixture(&["DEFINE EVENT view", "DEFINE EVENT cart", "DEFINE EVENT buy"]);
    let steps = [
        ("again", "view", "00"),
        ("again", "cart", "05"),
        ("again", "view", "06"),
        ("again", "buy", "15"),
        ("back", "buy", "00"),
        ("back", "cart", "01"),
        ("back", "view", "02"),
        ("exact", "buy", "10"),
        ("exact", "view", "00"),
        ("exact", "cart", "05"),
        ("quick", "view", "00"),
        ("quick", "cart", "01"),
        ("quick", "buy", "02"),
        ("retry", "view", "00"),
        ("retry", "view", "08"),
        ("retry", "cart", "09"),
        ("retry", "buy", "12"),
        ("same", "view", "00"),
        ("same", "cart", "00"),
        ("same", "buy", "01"),
        ("slow", "view", "00"),
        ("slow", "cart", "05"),
        ("slow", "buy", "10.000001"),
    ];
    for (user, step, second) in steps {
        let moment = format!("2024-03-01T10:00:{second}Z");
        track(&fixture, user, step, &moment);
    }
    track(&fixture, "edge", "view", "2024-02-29T23:59:59.999999Z");
    track(&fixture, "edge", "cart", "2024-03-01T00:00:00Z");
    track(&fixture, "edge", "buy", "2024-03-01T00:00:01Z");
    let all = ["again", "edge", "exact", "quick", "retry", "slow"];
    check(&fixture, "sequence(view -> cart -> buy)", &all);
    check(
        &fixture,
        "sequence(view -> cart -> buy, within 10s)",
        &["edge", "exact", "quick", "retry"],
    );
    check(
        &fixture,
        "sequence(view -> cart -> buy, within 10s, 1d)",
        &["exact", "quick", "retry"],
    );
    check(
        &fixture,
        "sequence(view -> cart, within 4s)",
        &["edge", "quick", "retry"],
    );
    check(&fixture, "sequence(view -> cart, within 5s)", &all);
    check(&fixture, "sequence(view -> view)", &["again", "retry"]);
    check(&fixture, "sequence(buy -> cart -> view)", &["back"]);
    // A month, where days lie together, answers alike.
    at(&fixture, "2026-03-01T12:00:00Z");
    while fixture.db().sweep_events().unwrap().facts_changed > 0 {}
    check(
        &fixture,
        "sequence(view -> cart -> buy, within 10s)",
        &["edge", "exact", "quick", "retry"],
    );
    check(
        &fixture,
        "sequence(view -> cart -> buy, within 10s, 2024-03-01..2024-03-01)",
        &["exact", "quick", "retry"],
    );
    fixture.check_consistent();
}

#[test]
fn what_stands_together_counts_together() {
    let fixture = fixture(&["DEFINE EVENT e (kind ENUM (a, b, c), n INTEGER)"]);
    let morning = "2024-03-01T10:00:00Z";
    track(&fixture, "same", "e WITH kind = a", morning);
    track(&fixture, "same", "e WITH kind = b", morning);
    track(&fixture, "later", "e WITH kind = a", morning);
    track(&fixture, "later", "e", "2024-03-01T11:00:00Z");
    track(&fixture, "most", "e WITH kind = c", morning);
    track(&fixture, "most", "e WITH kind = c", morning);
    track(&fixture, "most", "e WITH kind = a", morning);
    for edge in ["first", "last"] {
        check(&fixture, &format!("{edge}(e).kind:b"), &["same"]);
    }
    check(&fixture, "first(e).kind:a", &["later", "most", "same"]);
    check(&fixture, "last(e).kind:a", &["most", "same"]);
    check(&fixture, "last(e).kind IS MISSING", &["later"]);
    check(
        &fixture,
        "last(e[kind IS PRESENT]).kind:a",
        &["later", "most", "same"],
    );
    check(&fixture, "top(e.kind):a", &["later", "same"]);
    check(&fixture, "top(e.kind):b", &["same"]);
    check(&fixture, "top(e.kind):c", &["most"]);
    check(&fixture, "top(e.kind, 1h):a", &[]);
}

#[test]
fn sums_are_exact_beyond_64_bits() {
    let fixture = fixture(&["DEFINE EVENT e (n INTEGER)", "DEFINE TAG vip"]);
    let most = i64::MAX;
    for (user, n) in [
        ("deep", -most),
        ("deep", -most),
        ("even", most),
        ("even", -most),
        ("huge", most),
        ("huge", most),
    ] {
        track(&fixture, user, &format!("e WITH n = {n}"), "2024-03-01");
    }
    run(&fixture, "TAG none WITH vip");
    check(&fixture, &format!("sum(e.n) > {most}"), &["huge"]);
    check(&fixture, &format!("sum(e.n) < -{most}"), &["deep"]);
    check(
        &fixture,
        &format!("sum(e.n) <= {most}"),
        &["deep", "even", "none"],
    );
    check(&fixture, "sum(e.n) = 0", &["even", "none"]);
    check(&fixture, "sum(e.n) != 0", &["deep", "huge"]);
    check(&fixture, "sum(e.n):1..", &["huge"]);
    check(&fixture, &format!("avg(e.n) = {most}"), &["huge"]);
    check(&fixture, "avg(e.n) = 0", &["even"]);
    check(&fixture, &format!("max(e.n) = {most}"), &["even", "huge"]);
    check(&fixture, &format!("min(e.n) > -{most}"), &["huge"]);
}

#[test]
fn counts_are_told_apart_beyond_a_byte() {
    let fixture = fixture(&["DEFINE EVENT e", "DEFINE TAG vip"]);
    for (user, count) in [("few", 255), ("many", 300), ("more", 256), ("once", 1)] {
        let event = |number: i64| Mutation::Track {
            user: user.to_owned(),
            event: "e".to_owned(),
            // Two a day, so that no day stands for all.
            at_us: Some(NOON - number / 2 * MICROS_PER_DAY - number),
            id: None,
            values: Vec::new(),
        };
        fixture.write((0..count).map(event).collect()).unwrap();
    }
    run(&fixture, "TAG none WITH vip");
    check(&fixture, "count(e) >= 256", &["many", "more"]);
    check(&fixture, "count(e) > 255", &["many", "more"]);
    check(&fixture, "count(e) >= 255", &["few", "many", "more"]);
    check(&fixture, "count(e) = 255", &["few"]);
    check(&fixture, "count(e):256..299", &["more"]);
    check(
        &fixture,
        "count(e) != 256",
        &["few", "many", "none", "once"],
    );
    check(&fixture, "count(e) < 256", &["few", "none", "once"]);
    check(&fixture, "count(e):..0", &["none"]);
    check(&fixture, "days(e) >= 128", &["few", "many", "more"]);
    check(&fixture, "days(e):129..", &["many"]);
    run(
        &fixture,
        "DEFINE GROUP ranks AS PERCENTILES OF count(e) (top: 75..100, mid: 25..75, low: OTHERWISE)",
    );
    // Of four with four counts: 75, 50, 25 and 0.
    assert_eq!(keys(&fixture, "tag:top"), [text("many")]);
    assert_eq!(keys(&fixture, "tag:mid"), ["few", "more"].map(text));
    assert_eq!(keys(&fixture, "tag:low"), ["none", "once"].map(text));
}

#[test]
fn pages_of_a_cursor_are_of_one_moment() {
    let fixture = fixture(&[
        "DEFINE EVENT e",
        "DEFINE TAG short DYNAMIC FOR 2d",
        "DEFINE TAG recent AS did:e[1d]",
        "DEFINE ATTRIBUTE born DATE",
        "DEFINE ATTRIBUTE age AS YEARS SINCE born",
    ]);
    for user in ["a", "b", "c"] {
        run(&fixture, &format!("TAG {user} WITH short"));
        track(&fixture, user, "e", "2024-03-01T11:00:00Z");
        run(&fixture, &format!("SET {user} born = 2004-03-02"));
    }
    for expr in [
        "tag:short",
        "tag:recent",
        "age = 19",
        "did:e[2h]",
        "tag:short[until <= now+2d]",
    ] {
        at(&fixture, "2024-03-01T12:00:00Z");
        let first = format!("SEGMENT {expr} RETURN age, TAGS ORDER BY KEY LIMIT 1");
        let (summary, mut rows) = run(&fixture, &first);
        // The tag ends, the window moves on, and a year is over.
        at(&fixture, "2024-03-03T12:00:00Z");
        assert!(keys(&fixture, expr).is_empty(), "{expr}");
        let cursor = summary.cursor.unwrap();
        let (_, rest) = run(&fixture, &format!("FETCH \"{cursor}\" LIMIT 10"));
        rows.extend(rest);
        let row = |key| vec![text(key), Datum::Integer(19), list(&["recent", "short"])];
        assert_eq!(rows, ["a", "b", "c"].map(row), "{expr}");
    }
}

#[test]
fn events_are_split_by_the_years_of_their_users() {
    let fixture = fixture(&[
        "DEFINE EVENT e",
        "DEFINE ATTRIBUTE born DATE",
        "DEFINE ATTRIBUTE age AS YEARS SINCE born",
    ]);
    // Of age on the 1st of March, on the 2nd, and nobody knows.
    run(&fixture, "SET leap born = 2004-02-29");
    run(&fixture, "SET march born = 2006-03-02");
    for (user, moment) in [
        ("leap", "2024-03-01"),
        ("leap", "2024-02-01"),
        ("march", "2024-03-01"),
        ("unknown", "2024-03-01"),
    ] {
        track(&fixture, user, "e", moment);
    }
    let by = |split: &str| -> Vec<String> {
        let rows = table(&fixture, &format!("DIMENSION {split}"));
        rows.iter().map(|row| row.join(" ")).collect()
    };
    assert_eq!(
        by("age[18], e BY month MEASURE count"),
        [
            "<18 2024-03 1",
            ">=18 2024-02 1",
            ">=18 2024-03 1",
            "- 2024-03 1"
        ]
    );
    assert_eq!(
        by("age MEASURE users, count(e, 1d)"),
        ["17 1 1", "20 1 1", "- 1 1"]
    );
    at(&fixture, "2024-03-02T00:00:00Z");
    assert_eq!(
        by("age MEASURE users, count(e, 1d)"),
        ["18 1 0", "20 1 0", "- 1 0"]
    );
}

#[test]
fn days_return_across_the_end_of_a_year() {
    let fixture = fixture(&[
        "DEFINE ATTRIBUTE born DATE",
        "DEFINE ATTRIBUTE seen TIMESTAMP",
    ]);
    at(&fixture, "2026-12-28T23:59:59Z");
    for (user, day) in [
        ("dec27", "1990-12-27"),
        ("dec28", "1990-12-28"),
        ("jan4", "1991-01-04"),
        ("jan5", "1991-01-05"),
        ("new", "2026-12-30"),
    ] {
        run(&fixture, &format!("SET {user} born = {day}"));
    }
    run(&fixture, "SET late seen = 2025-12-28T23:59:59.999999Z");
    let week = "born ANNIVERSARY IN today..today+7d";
    check(&fixture, week, &["dec28", "jan4"]);
    check(&fixture, "seen ANNIVERSARY IN today", &["late"]);
    check(&fixture, "seen ANNIVERSARY IN today+1d", &[]);
    at(&fixture, "2026-12-29T00:00:00Z");
    check(&fixture, week, &["jan4", "jan5"]);
    // More than a year: every day returns, but for what is not a year ago.
    let years = "born ANNIVERSARY IN today..today+2y";
    check(&fixture, years, &["dec27", "dec28", "jan4", "jan5", "new"]);
    check(
        &fixture,
        "born ANNIVERSARY IN 2020-01-01..2026-12-31",
        &["dec27", "dec28", "jan4", "jan5"],
    );
    check(&fixture, "born ANNIVERSARY IN today+7d..today", &[]);
    refuse(
        &fixture,
        "COUNT born ANNIVERSARY IN 7",
        "a date or a timestamp",
    );
}

#[test]
fn an_event_of_the_distant_past_keeps_nobody_busy() {
    for retention in ["", " RETENTION 1y"] {
        let definition = format!("DEFINE EVENT e{retention}");
        let fixture = fixture(&[definition.as_str()]);
        // What some programs take for no date: 0001-01-01.
        for at_us in [-62_135_596_800_000_000, NOON - 700 * MICROS_PER_DAY, NOON] {
            let event = Mutation::Track {
                user: "u".to_owned(),
                event: "e".to_owned(),
                at_us: Some(at_us),
                id: None,
                values: Vec::new(),
            };
            fixture.write(vec![event]).unwrap();
        }
        let mut sweeps = 0;
        while fixture.db().sweep_events().unwrap().facts_changed > 0 {
            sweeps += 1;
        }
        assert!((1..=3).contains(&sweeps), "{sweeps}");
        fixture.check_consistent();
        let left = if retention.is_empty() { 3 } else { 1 };
        check(&fixture, &format!("count(e) = {left}"), &["u"]);
        check(&fixture, "did:e[1d]", &["u"]);
    }
}

#[test]
fn plans_show_what_was_asked() {
    let fixture = fixture(&["DEFINE EVENT e (n DECIMAL(2))"]);
    track(&fixture, "u", "e WITH n = 1", "2024-03-01");
    for (expr, shown) in [
        (
            "sum(e.n, ..2024-02-29) > 10.5",
            "sum(e.n, ..2024-02-29):10.51..",
        ),
        ("sum(e.n) <= 0.05", "sum(e.n) outside ..0.05"),
        ("did:e[2024-03-01..]", "did:e, 2024-03-01.."),
        ("count(e, 2d) >= 2", "count(e, 2024-02-29..2024-03-01):2.."),
        (
            "days(e, 12h) = 2",
            "days(e, 2024-03-01T00:00:00.000001Z..2024-03-01T12:00:00Z) = 2",
        ),
    ] {
        let (_, rows) = run(&fixture, &format!("EXPLAIN COUNT {expr}"));
        let plan = format!("{rows:?}");
        assert!(plan.contains(shown), "{plan}");
    }
}

#[test]
fn only_dynamic_tags_say_what_tagging_again_does() {
    let fixture = fixture(&["DEFINE TAG plain", "DEFINE TAG short DYNAMIC FOR 2d"]);
    let message = "only a dynamic tag says what tagging again does";
    refuse(&fixture, "ALTER TAG plain ON RETAG EXTEND", message);
    refuse(&fixture, "ALTER TAG short STATIC ON RETAG LATER", message);
    run(&fixture, "ALTER TAG short ON RETAG LATER");
    run(&fixture, "ALTER TAG plain DYNAMIC FOR 1d ON RETAG EXTEND");
    run(&fixture, "TAG u WITH plain, short");
    run(&fixture, "TAG u WITH plain, short");
    check(&fixture, "tag:plain[until = 2024-03-03T12:00:00Z]", &["u"]);
    check(&fixture, "tag:short[until = 2024-03-03T12:00:00Z]", &["u"]);
}

#[test]
fn what_ends_and_what_follows_a_rule_is_shown() {
    let fixture = fixture(&[
        "DEFINE EVENT e",
        "DEFINE TAG plain",
        "DEFINE TAG short DYNAMIC FOR 2d ON RETAG LATER",
        "DEFINE TAG recent AS did:e[1d]",
        "DEFINE GROUP tiers AS high: did:e[30d], low: OTHERWISE",
    ]);
    let last = |statement: &str, columns: usize| -> Vec<String> {
        let rows = table(&fixture, statement);
        let last = |row: &Vec<String>| row[row.len() - columns..].join(" | ");
        rows.iter().map(last).collect()
    };
    assert_eq!(last("SHOW TAGS LIKE plain", 3), ["- | - | -"]);
    assert_eq!(last("SHOW TAGS LIKE short", 3), ["2d | later | -"]);
    assert_eq!(last("SHOW TAGS LIKE recent", 3), ["- | - | did:e[1d]"]);
    assert_eq!(last("SHOW GROUPS", 1), ["high: did:e[30d], low: OTHERWISE"]);
}
