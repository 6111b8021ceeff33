//! Events: defined, tracked, asked about, and gone with their users and definitions.

use proptest::prelude::*;

use super::*;
use crate::{
    exec::{naive, testing::Collected},
    plan::{Resolver, resolve::ResolveLimits},
    time::MICROS_PER_DAY,
};

const DEFINITIONS: [&str; 4] = [
    "DEFINE EVENT purchase (amount DECIMAL(2), category ENUM (shoes, hats), channel ENUM (web, shop), note TEXT)",
    "DEFINE EVENT login (first BOOLEAN, day DATE)",
    "DEFINE EVENT view",
    "DEFINE TAG vip",
];

/// 2024-03-01T12:00:00Z: the day after a leap day.
pub(super) const NOON: i64 = 1_709_294_400_000_000;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture
        .clock
        .set_now(jiff::Timestamp::from_microsecond(NOON).unwrap());
    for statement in DEFINITIONS {
        fixture.define(statement).unwrap();
    }
    fixture
}

#[track_caller]
pub(super) fn run(fixture: &Fixture, statement: &str) -> (Summary, Vec<Vec<Datum>>) {
    let mut sink = Collected::default();
    let (parameters, budget) = (Parameters::default(), Budget::unlimited());
    let summary = fixture
        .db()
        .execute(statement, &parameters, &budget, &mut sink);
    (summary.unwrap(), sink.rows)
}

#[track_caller]
pub(super) fn refuse(fixture: &Fixture, statement: &str, message: &str) {
    let mut sink = Collected::default();
    let (parameters, budget) = (Parameters::default(), Budget::unlimited());
    let result = fixture
        .db()
        .execute(statement, &parameters, &budget, &mut sink);
    let error = result.unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

/// The keys of those who are found, in order, and by the oracle the same.
#[track_caller]
pub(super) fn found(fixture: &Fixture, expr: &str) -> Vec<String> {
    let (_, rows) = run(fixture, &format!("SEGMENT {expr} LIMIT 1000"));
    let mut keys: Vec<String> = rows
        .into_iter()
        .filter_map(|row| match row.into_iter().next() {
            Some(Datum::Text(key)) => Some(key),
            Some(_) | None => None,
        })
        .collect();
    keys.sort();
    assert_eq!(keys, by_oracle(fixture, expr), "{expr}");
    let (_, rows) = run(fixture, &format!("COUNT {expr}"));
    assert_eq!(rows, [[Datum::Integer(keys.len() as i64)]], "{expr}");
    keys
}

fn by_oracle(fixture: &Fixture, expr: &str) -> Vec<String> {
    let view = fixture.db().view();
    let parsed = tessera_query_lang::parse_expr(expr, &TextLimits::default()).unwrap();
    let now = fixture.clock.now();
    let mut resolver = Resolver::new(view.schema(), &[], now, ResolveLimits::default()).unwrap();
    let expr = resolver.expr(&parsed).unwrap();
    let mut keys: Vec<String> = naive::users(&*view, &expr)
        .unwrap()
        .into_iter()
        .map(|found| found.key)
        .collect();
    keys.sort();
    keys
}

#[test]
fn questions_find_who_did_what() {
    let fixture = fixture();
    for statement in [
        // Today, yesterday (the leap day), a month ago, and last year.
        "TRACK a purchase WITH amount = 12.50, category = shoes, channel = web",
        "TRACK a purchase AT 2024-02-29T23:59:59Z WITH amount = 7.5, category = shoes",
        "TRACK a purchase AT 2024-02-01 WITH amount = 100, category = hats, channel = shop",
        "TRACK b purchase AT 2024-02-01T12:00:00Z WITH amount = -3",
        "TRACK b purchase AT 2023-03-01T12:00:00Z WITH category = hats, note = \"first\"",
        "TRACK c view AT 2024-02-28T10:00:00Z",
        "TRACK c login AT 2024-02-28T10:00:01Z WITH first = true",
        "TRACK c purchase AT 2024-02-29T10:00:00Z WITH amount = 1",
        "TAG d WITH vip",
    ] {
        run(&fixture, statement);
    }
    let check = |expr: &str, expected: &[&str]| {
        assert_eq!(found(&fixture, expr), strings(expected), "{expr}");
    };
    check("did:purchase", &["a", "b", "c"]);
    check("NOT did:purchase", &["d"]);
    check("did:(view, login)", &["c"]);
    check("did:purchase[1d]", &["a"]);
    check("did:purchase[2d]", &["a", "c"]);
    check("did:purchase[1mo]", &["a", "c"]);
    check("did:purchase[29d]", &["a", "c"]);
    check("did:purchase[30d]", &["a", "b", "c"]);
    check("did:purchase[1h]", &["a"]);
    check("did:purchase[26h]", &["a"]);
    check("did:purchase[27h]", &["a", "c"]);
    check("did:purchase[2024-02-01..2024-02-01]", &["a", "b"]);
    check("did:purchase[..2023-12-31]", &["b"]);
    check("did:purchase[category:shoes]", &["a"]);
    check("did:purchase[category:hats, 60d]", &["a"]);
    check("did:purchase[category IS MISSING]", &["b", "c"]);
    check(
        "did:purchase[NOT category:shoes AND amount >= 1]",
        &["a", "c"],
    );
    check("count(purchase) >= 3", &["a"]);
    check("count(purchase):2..3", &["a", "b"]);
    check("count(purchase) < 2", &["c", "d"]);
    check("count(purchase) = 0", &["d"]);
    check("count(purchase) != 2", &["a", "c", "d"]);
    check("count(purchase[category:shoes], 90d) >= 2", &["a"]);
    check("days(purchase) >= 3", &["a"]);
    check("days(purchase) = -3", &[]);
    check("days(purchase) != 2", &["a", "c", "d"]);
    check("days(purchase):2..3", &["a", "b"]);
    check("days(purchase) < 2", &["c", "d"]);
    check("days(purchase, 2d) = 2", &["a"]);
    check("sum(purchase.amount) > 100", &["a"]);
    check("sum(purchase.amount) <= 0", &["b", "d"]);
    check("sum(purchase.amount) = 120", &["a"]);
    check("sum(purchase.amount) != 0", &["a", "b", "c"]);
    check("sum(purchase[category:shoes].amount, 90d) = 20", &["a"]);
    check("avg(purchase.amount) = 40", &["a"]);
    check("avg(purchase.amount) < 40", &["b", "c"]);
    check("avg(purchase.amount):-3..1", &["b", "c"]);
    check("min(purchase.amount) < 1", &["b"]);
    check("min(purchase.amount) = 7.5", &["a"]);
    check("max(purchase.amount) >= 100", &["a"]);
    check("max(purchase.amount) != 100", &["b", "c"]);
    check("last(purchase) < now-1d", &["b", "c"]);
    check("last(purchase) < now-60d", &[]);
    check("first(purchase) < 2024-01-01", &["b"]);
    check("first(purchase):2024-02-01..2024-02-29", &["a", "c"]);
    check("last(purchase) != 2024-02-29", &["a", "b"]);
    check("last(purchase).channel:web", &["a"]);
    check("first(purchase).channel:shop", &["a"]);
    check("last(purchase).channel IS MISSING", &["b", "c"]);
    check("top(purchase.category):shoes", &["a"]);
    check("top(purchase.category):hats", &["b"]);
    check(
        "top(purchase.category, 2023-01-01..2024-02-10):hats",
        &["a", "b"],
    );
    check("sequence(view -> login -> purchase)", &["c"]);
    check("sequence(view -> purchase, within 1d)", &["c"]);
    check("sequence(view -> purchase, within 23h)", &[]);
    check("sequence(login -> view)", &[]);
    check("sequence(purchase -> purchase, 90d)", &["a"]);
    check(
        "did:purchase[30d] AND NOT tag:vip OR count(view) = 0 AND tag:vip",
        &["a", "b", "c", "d"],
    );
    fixture.check_consistent();
    let (_, rows) = run(&fixture, "PORTRAIT a");
    let shown: Vec<String> = rows.iter().skip(1).map(|row| format!("{row:?}")).collect();
    assert_eq!(shown.len(), 9, "{shown:?}");
    assert!(shown[0].contains("count purchase") && shown[0].contains("Integer(3)"));
    assert!(shown[6].contains("purchase amount = 12.50, category = shoes, channel = web"));
    assert!(shown[8].contains("2024-02-01T00:00:00Z"));
    let (_, rows) = run(&fixture, "SHOW EVENTS LIKE p*");
    assert_eq!(rows[0][2], Datum::Integer(3));
    let (_, rows) = run(&fixture, "EXPLAIN COUNT count(purchase, 30d) >= 3");
    let shown = format!("{rows:?}");
    assert!(shown.contains("from tables of events"), "{shown}");
}

/// The day on which summer time ends has an hour twice on the walls of Europe, and no hour twice
/// in UTC.
#[test]
fn days_are_those_of_utc_whatever_the_offset_of_their_hours() {
    let fixture = fixture();
    let at = |moment: &str| fixture.clock.set_now(moment.parse().unwrap());
    at("2024-10-27T12:00:00Z");
    for statement in [
        "DEFINE TAG member DYNAMIC FOR 30d",
        "TRACK a login AT 2024-10-27T02:30:00+02:00",
        "TRACK a login AT 2024-10-27T02:30:00+01:00",
        "TRACK b login AT 2024-10-27T00:30:00+02:00",
        "TRACK b login AT 2024-10-27T12:30:00+02:00",
        "TAG c WITH member FROM 2024-10-27T02:30:00+02:00 UNTIL 2024-10-27T14:00:00+01:00",
    ] {
        run(&fixture, statement);
    }
    let check = |expr: &str, expected: &[&str]| {
        assert_eq!(found(&fixture, expr), strings(expected), "{expr}");
    };
    check("count(login, 1d) = 2", &["a"]);
    check("days(login) = 2", &["b"]);
    check("did:login[2024-10-26..2024-10-26]", &["b"]);
    check("first(login) >= 2024-10-27", &["a"]);
    check("first(login) = 2024-10-27T00:30:00Z", &["a"]);
    check("last(login) = 2024-10-27T01:30:00Z", &["a"]);
    check("sequence(login -> login, within 61m)", &["a"]);
    check("tag:member", &["c"]);
    at("2024-10-27T12:59:59Z");
    check("tag:member", &["c"]);
    at("2024-10-27T13:00:00Z");
    check("tag:member", &[]);
    check("lapsed(tag:member, 1d)", &["c"]);
    at("2024-10-28T00:00:00Z");
    check("did:login[1d]", &[]);
    check("did:login[2d]", &["a", "b"]);
}

#[test]
fn an_id_counts_once_and_a_user_takes_events_along() {
    let mut fixture = fixture();
    let event = |user: &str, id: Option<&str>, days: i64| Mutation::Track {
        user: user.to_owned(),
        event: "purchase".to_owned(),
        at_us: Some(NOON - days * MICROS_PER_DAY),
        id: id.map(str::to_owned),
        values: vec![("amount".to_owned(), Datum::Integer(1))],
    };
    let twice = || vec![event("a", Some("x"), 1), event("a", Some("x"), 2)];
    assert_eq!(fixture.changed(twice()), (1, 1));
    assert_eq!(fixture.changed(twice()), (0, 0));
    assert_eq!(fixture.changed(vec![event("b", Some("x"), 1)]), (1, 1));
    fixture.restart();
    assert_eq!(fixture.changed(twice()), (0, 0));
    assert_eq!(
        fixture.changed(vec![event("a", None, 400), event("a", None, 400)]),
        (1, 2)
    );
    assert_eq!(found(&fixture, "count(purchase) = 3"), ["a"]);
    // Who is deleted and comes again has done nothing yet.
    let again = vec![
        event("b", Some("y"), 3),
        delete("b"),
        event("b", Some("x"), 5),
    ];
    fixture.write(again).unwrap();
    assert_eq!(found(&fixture, "count(purchase) = 1"), ["b"]);
    assert_eq!(found(&fixture, "did:purchase[2d]"), ["a"]);
    fixture.write(vec![delete("a")]).unwrap();
    assert_eq!(found(&fixture, "did:purchase"), ["b"]);
    fixture.check_consistent();
    fixture.define("DROP EVENT purchase").unwrap();
    fixture.check_consistent();
    fixture
        .define("DEFINE EVENT purchase (amount INTEGER)")
        .unwrap();
    assert_eq!(fixture.changed(vec![event("b", Some("x"), 5)]), (1, 1));
    fixture.restart();
    assert_eq!(found(&fixture, "sum(purchase.amount) = 1"), ["b"]);
    fixture.check_consistent();
}

#[test]
fn what_cannot_be_is_refused() {
    let fixture = fixture();
    let check = |statement: &str, message: &str| refuse(&fixture, statement, message);
    check("TRACK a purchas", "no event named \"purchas\"");
    check(
        "TRACK a purchase WITH size = 1",
        "no property named \"size\"",
    );
    check(
        "TRACK a purchase WITH amount = shoes",
        "is not a value for the decimal(2)",
    );
    check(
        "TRACK a purchase WITH channel = radio",
        "not one of the values of channel",
    );
    check("TRACK a purchase AT now+2h", "cannot have been at");
    check("TRACK a purchase ID \"\"", "cannot be the id of an event");
    check("COUNT did:purchase[note:x]", "texts of events are shown");
    check("COUNT sum(purchase.category) > 1", "cannot be added up");
    check("COUNT min(purchase.category) > 1", "has no order");
    check(
        "COUNT sum(purchase.size) > 1",
        "no property of purchase named \"size\"",
    );
    check(
        "COUNT sequence(view -> view, within 1mo)",
        "seconds to weeks",
    );
    check(
        "DEFINE EVENT e (a MULTI)",
        "an event has one value of each property",
    );
    check("ALTER EVENT view ADD PROPERTIES (a TEXT, a DATE)", "a");
    run(&fixture, "SAVE SEGMENT s AS did:view");
    check("DROP EVENT view", "is used by");
    assert_eq!(fixture.changed(vec![]), (0, 0));
    run(&fixture, "TRACK a purchase AT now+1h");
    assert_eq!(found(&fixture, "did:purchase[1d]"), ["a"]);
    assert_eq!(found(&fixture, "did:purchase[1h]"), Vec::<String>::new());
    run(&fixture, "ALTER EVENT view ADD PROPERTIES (page ENUM)");
    run(&fixture, "TRACK a view WITH page = home");
    assert_eq!(found(&fixture, "did:view[page:home]"), ["a"]);
}

#[test]
fn months_are_rolled_up_and_forgotten() {
    let fixture = Fixture::with(|options| options.limits.event_days_max = 60);
    fixture
        .clock
        .set_now(jiff::Timestamp::from_microsecond(NOON).unwrap());
    fixture
        .define("DEFINE EVENT purchase (amount INTEGER) RETENTION 1y")
        .unwrap();
    let event = |user: &str, days: i64| Mutation::Track {
        user: user.to_owned(),
        event: "purchase".to_owned(),
        at_us: Some(NOON - days * MICROS_PER_DAY),
        id: Some(format!("{days}")),
        values: vec![("amount".to_owned(), Datum::Integer(days))],
    };
    let all = || {
        vec![
            event("a", 0),
            event("a", 70),
            event("b", 130),
            event("c", 500),
            event("a", 501),
        ]
    };
    assert_eq!(fixture.changed(all()), (3, 5));
    let check = |expr: &str, expected: &[&str]| {
        assert_eq!(found(&fixture, expr), strings(expected), "{expr}");
    };
    check("did:purchase", &["a", "b", "c"]);
    for _ in 0..20 {
        fixture.db().sweep_events().unwrap();
        fixture.check_consistent();
        check("did:purchase[100d]", &["a"]);
        check("sum(purchase.amount, 140d) = 130", &["b"]);
    }
    check("did:purchase", &["a", "b"]);
    check("count(purchase) = 2", &["a"]);
    check("days(purchase, 130d) = 2", &["a"]);
    // What was forgotten may come again; what is known does not.
    assert_eq!(fixture.changed(all()), (2, 2));
    check("did:purchase[2022-01-01..2022-12-31]", &["a", "c"]);
    // Late into a month that is rolled up.
    fixture.write(vec![event("d", 131)]).unwrap();
    check("sequence(purchase -> purchase, 150d)", &["a"]);
    check("did:purchase[132d]", &["a", "b", "d"]);
    fixture.check_consistent();
    fixture.write(vec![delete("a"), delete("d")]).unwrap();
    check("did:purchase", &["b", "c"]);
    fixture.check_consistent();
}

pub(super) fn any_track() -> impl Strategy<Value = Mutation> {
    let user = prop::sample::select(vec!["a", "b", "c", "d"]);
    let at = prop_oneof![
        (-800_i64..=0).prop_map(|day| NOON + day * MICROS_PER_DAY),
        (-40 * MICROS_PER_DAY..1_000_000).prop_map(|back| NOON + back),
        (0_i64..60).prop_map(|day| NOON - NOON % MICROS_PER_DAY - day * MICROS_PER_DAY),
    ];
    let event = prop::sample::select(vec!["purchase", "login", "view"]);
    let id = proptest::option::of((0..5).prop_map(|id| format!("e{id}")));
    let amount = proptest::option::of(-500_i64..500);
    let category = proptest::option::of(prop::sample::select(vec!["shoes", "hats"]));
    (user, event, at, id, amount, category).prop_map(|(user, event, at, id, amount, category)| {
        let mut values = Vec::new();
        if event == "purchase" {
            let scale = 2;
            let units = |units: i64| Datum::Decimal {
                units: units.into(),
                scale,
            };
            values.extend(amount.map(|amount| ("amount".to_owned(), units(amount))));
            values.extend(category.map(|category| ("category".to_owned(), text(category))));
        }
        Mutation::Track {
            user: user.to_owned(),
            event: event.to_owned(),
            at_us: Some(at),
            id,
            values,
        }
    })
}

const QUESTIONS: [&str; 14] = [
    "did:purchase[30d]",
    "NOT did:login[14d]",
    "did:(login, view)[2y]",
    "did:purchase[36h]",
    "count(purchase, 90d) >= 2",
    "count(purchase[category:shoes OR amount > 1]) != 1",
    "days(purchase, 1y) >= 2",
    "sum(purchase.amount, 6mo) > 1",
    "avg(purchase.amount) <= 0.5",
    "min(purchase.amount, 400d) < 0",
    "last(purchase) < now-30d",
    "first(login).first IS MISSING",
    "top(purchase.category):shoes",
    "sequence(view -> login -> purchase, within 60d, 2y)",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_the_oracle(
        requests in prop::collection::vec(
            (prop::collection::vec(prop_oneof![
                12 => any_track(),
                1 => prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(delete),
            ], 1..20), 0..6_u8, -2_i64..3),
            1..8,
        ),
    ) {
        let mut fixture = fixture();
        for (mutations, after, days) in requests {
            // Also back: an event then lies in the future and is refused with its request.
            let now = jiff::Timestamp::from_microsecond(NOON + days * MICROS_PER_DAY).unwrap();
            fixture.clock.set_now(now);
            let _ = fixture.write(mutations);
            match after {
                0 => fixture.restart(),
                1 => fixture.db().store.compact().unwrap(),
                2 => {
                    fixture.db().sweep_events().unwrap();
                }
                _ => {}
            }
            for question in QUESTIONS {
                found(&fixture, question);
            }
            let report = verify(&fixture.db().view()).unwrap();
            prop_assert_eq!(report.problems, Vec::<String>::new());
        }
    }
}
