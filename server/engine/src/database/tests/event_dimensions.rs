//! `DIMENSION` over events: what it answers, what it refuses, and that a store that is written,
//! swept and restarted answers like the oracle.

use proptest::prelude::*;
use tessera_query_lang::ast::Statement;

use super::{
    behaviour::{NOON, any_track, refuse, run},
    *,
};
use crate::{
    exec::naive,
    plan::{Resolver, resolve::ResolveLimits},
    time::MICROS_PER_DAY,
};

const DEFINITIONS: [&str; 7] = [
    "DEFINE EVENT purchase (amount DECIMAL(2), category ENUM (shoes, hats), channel ENUM (web, shop), note TEXT)",
    "DEFINE EVENT login (first BOOLEAN, day DATE)",
    "DEFINE EVENT view",
    "DEFINE TAG vip",
    "DEFINE TAG gold",
    "DEFINE ATTRIBUTE gender ENUM (f, m)",
    "DEFINE ATTRIBUTE age INTEGER",
];

/// Two months stay in days, what is older lies in months once it was swept.
fn fixture() -> Fixture {
    let fixture = Fixture::with(|options| options.limits.event_days_max = 60);
    fixture
        .clock
        .set_now(jiff::Timestamp::from_microsecond(NOON).unwrap());
    for statement in DEFINITIONS {
        fixture.define(statement).unwrap();
    }
    fixture
}

/// The rows as texts, a cell each.
pub(super) fn table(fixture: &Fixture, statement: &str) -> Vec<Vec<String>> {
    let cell = |datum: &Datum| match datum {
        Datum::Null => "-".to_owned(),
        Datum::Text(text) => text.clone(),
        Datum::Boolean(truth) => truth.to_string(),
        Datum::Integer(number) => number.to_string(),
        Datum::Real(number) => format!("{number:.3}"),
        Datum::Decimal { units, scale } => format!("{units}e-{scale}"),
        Datum::Date(day) => crate::time::format_date(*day),
        Datum::Timestamp(moment) => crate::time::format_timestamp(*moment),
        Datum::List(texts) => texts.join(" "),
    };
    let (_, rows) = run(fixture, statement);
    rows.iter()
        .map(|row| row.iter().map(cell).collect())
        .collect()
}

fn told() -> Fixture {
    let fixture = fixture();
    for statement in [
        "SET a gender = f, age = 20",
        "SET b gender = m, age = 40",
        "TAG a WITH vip, gold",
        "TAG c WITH vip",
        // Today, the last second of the leap day and its first moment, the month before, and last
        // year.
        "TRACK a purchase WITH amount = 12.50, category = shoes, channel = web",
        "TRACK a purchase AT 2024-02-29T23:59:59Z WITH amount = 7.5, category = shoes",
        "TRACK b purchase AT 2024-02-29 WITH amount = -3",
        "TRACK a purchase AT 2024-01-31T23:59:59Z WITH amount = 100, category = hats",
        "TRACK c purchase AT 2023-12-31T23:00:00Z WITH category = hats",
        "TRACK b login AT 2024-02-28T10:00:01Z WITH first = true",
        "TRACK b login AT 2024-02-28T11:00:00Z WITH first = false",
        "TRACK d view",
    ] {
        run(&fixture, statement);
    }
    fixture
}

#[test]
fn events_are_split_and_counted() {
    let fixture = told();
    let check = |statement: &str, expected: &[&str]| {
        let found = table(&fixture, &format!("DIMENSION {statement}"));
        let found: Vec<String> = found.iter().map(|row| row.join(" ")).collect();
        assert_eq!(found, strings(expected), "{statement}");
    };
    check(
        "purchase BY day",
        &[
            "2023-12-31 1 0.200",
            "2024-01-31 1 0.200",
            "2024-02-29 2 0.400",
            "2024-03-01 1 0.200",
        ],
    );
    check(
        "purchase BY month, 30d MEASURE count, users, sum(purchase.amount)",
        &["2024-02 2 2 450e-2", "2024-03 1 1 1250e-2"],
    );
    check(
        "did:purchase BY week, 2024-01-29..2024-03-01 MEASURE count, users, days(purchase), first(purchase)",
        &[
            "2024-01-29 1 1 1 2024-01-31T23:59:59Z",
            "2024-02-26 3 2 2 2024-02-29T00:00:00Z",
        ],
    );
    check(
        "purchase BY year MEASURE users ORDER BY purchase DESC",
        &["2024 2", "2023 1"],
    );
    check(
        "purchase BY quarter, purchase.category MEASURE count",
        &[
            "2023-Q4 hats 1",
            "2024-Q1 hats 1",
            "2024-Q1 shoes 2",
            "2024-Q1 - 1",
        ],
    );
    check(
        "purchase.category MEASURE count, users, avg(purchase.amount), p50(purchase.amount)",
        &[
            "hats 2 2 100.000 10000e-2",
            "shoes 2 1 10.000 750e-2",
            "- 1 1 -3.000 -300e-2",
        ],
    );
    check(
        "purchase.category, gender MEASURE count ORDER BY count DESC, gender TOP 2",
        &["shoes f 2", "hats f 1"],
    );
    check(
        "login.first MEASURE count, users",
        &["false 1 1", "true 1 1"],
    );
    check(
        "tag, purchase BY year MEASURE count, share",
        &[
            "gold 2024 3 0.600",
            "vip 2023 1 0.200",
            "vip 2024 3 0.600",
            "- 2024 1 0.200",
        ],
    );
    check(
        "did:purchase[category:shoes] BY month MEASURE count, count(purchase[amount >= 10])",
        &["2024-02 1 0", "2024-03 1 1"],
    );
    check(
        "purchase BY month MEASURE count, count(purchase, 2d), sum(purchase[category:hats].amount) WHERE tag:vip",
        &[
            "2023-12 1 0 0e-2",
            "2024-01 1 0 10000e-2",
            "2024-02 1 1 0e-2",
            "2024-03 1 1 0e-2",
        ],
    );
    check(
        "purchase BY month, 26h MEASURE count HAVING users >= 1 AND last(purchase) > 2024-02-29",
        &["2024-03 1"],
    );
    check("purchase BY day WHERE gender:m AND tag:vip", &[]);
}

#[test]
fn users_are_split_and_events_measured() {
    let fixture = told();
    let check = |statement: &str, expected: &[&str]| {
        let found = table(&fixture, &format!("DIMENSION {statement}"));
        let found: Vec<String> = found.iter().map(|row| row.join(" ")).collect();
        assert_eq!(found, strings(expected), "{statement}");
    };
    check(
        "gender MEASURE users, count(purchase), sum(purchase.amount), avg(age) ORDER BY gender",
        &[
            "f 1 3 12000e-2 20.000",
            "m 1 1 -300e-2 40.000",
            "- 2 1 0e-2 -",
        ],
    );
    check(
        "gender, 30d MEASURE count(purchase), count(purchase, 1d), days(login), min(purchase.amount) \
         ORDER BY gender",
        &["f 2 1 0 750e-2", "m 1 0 1 -300e-2", "- 0 0 0 -"],
    );
    check(
        "tag MEASURE users, count(purchase[category:hats]), last(purchase) ORDER BY tag",
        &[
            "gold 1 1 2024-03-01T12:00:00Z",
            "vip 2 2 2024-03-01T12:00:00Z",
            "- 2 0 2024-02-29T00:00:00Z",
        ],
    );
    check(
        "gender MEASURE count ORDER BY sum(purchase.amount) DESC TOP 1",
        &["f 1"],
    );
    let plan = table(
        &fixture,
        "EXPLAIN DIMENSION purchase BY day, 30d MEASURE count(purchase[category:hats]) WHERE tag:vip",
    );
    let shown = format!("{plan:?}");
    assert!(
        shown.contains("split purchase, 2024-02-01..2024-03-01 from tables of events"),
        "{shown}"
    );
    assert!(
        shown.contains("measure purchase[") && shown.contains("tag:vip"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_split_or_measured_is_refused() {
    let fixture = told();
    let check = |statement: &str, message: &str| {
        refuse(&fixture, &format!("DIMENSION {statement}"), message);
    };
    check("gender, 30d", "a window is of events");
    check("purchase BY day, login BY day", "events of one kind");
    check(
        "purchase BY day MEASURE count(login)",
        "other events are split here",
    );
    check(
        "purchase BY day MEASURE avg(age)",
        "only events are measured",
    );
    check("purchase BY day, did:purchase BY day", "named twice");
    check("purchase.note", "texts of events are shown");
    check("purchase.size", "no property of purchase named \"size\"");
    check(
        "gender MEASURE sum(purchase.category)",
        "cannot be added up",
    );
    check("gender MEASURE max(purchase.category)", "has no order");
    check("gender HAVING last(purchase) > 3", "is a timestamp");
    check("purchas BY day", "no attribute named \"purchas\"");
    check("purchase", "no attribute named \"purchase\"");
}

/// The answer in any order, and the oracle's.
fn both(fixture: &Fixture, text: &str) -> (Vec<String>, Vec<String>) {
    let sorted = |rows: Vec<Vec<Datum>>| {
        let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows
    };
    let view = fixture.db().view();
    let parsed = parse_statement(text, &TextLimits::default()).unwrap();
    let Statement::Dimension(dimension) = parsed else {
        return (Vec::new(), Vec::new());
    };
    let now = fixture.clock.now();
    let mut resolver = Resolver::new(view.schema(), &[], now, ResolveLimits::default()).unwrap();
    let query = resolver.dimension(&dimension).unwrap();
    let users = naive::users(&*view, &query.filter).unwrap();
    let expected = naive::dimension::rows(view.schema(), &query, &users);
    (sorted(run(fixture, text).1), sorted(expected))
}

const QUESTIONS: [&str; 10] = [
    "DIMENSION purchase BY day MEASURE count, users, share, sum(purchase.amount)",
    "DIMENSION purchase BY week, purchase.category, 90d MEASURE count, users, avg(purchase.amount), days(purchase)",
    "DIMENSION did:purchase[category:shoes OR amount < 0] BY month MEASURE users, min(purchase.amount), max(purchase.amount)",
    "DIMENSION purchase.category, purchase BY year, gender MEASURE count, users, first(purchase), last(purchase)",
    "DIMENSION tag, purchase BY quarter, 400d MEASURE count, users, count(purchase[category:hats], 30d), sum(purchase[amount > 1].amount)",
    "DIMENSION login BY month, 36h MEASURE count, users, share",
    "DIMENSION purchase.amount, 2y MEASURE users, p50(purchase.amount) WHERE NOT did:login[14d]",
    "DIMENSION gender MEASURE users, count(purchase, 90d), sum(purchase.amount), avg(purchase[category:shoes].amount, 1y), days(login), first(view)",
    "DIMENSION tag, gender, 30d MEASURE count, share, max(purchase.amount), sum(age), p90(purchase.amount)",
    "DIMENSION age[20, 40] MEASURE count, avg(age), count(view), last(purchase) WHERE did:purchase[1y]",
];

fn any_change() -> impl Strategy<Value = Mutation> {
    let user = || prop::sample::select(vec!["a", "b", "c", "d"]);
    prop_oneof![
        12 => any_track(),
        1 => user().prop_map(delete),
        1 => (user(), prop::sample::select(vec!["vip", "gold"])).prop_map(|(user, of)| tag(user, &[of])),
        1 => (user(), prop::sample::select(vec!["f", "m"])).prop_map(|(user, of)| set(user, "gender", text(of))),
        1 => (user(), 10_i64..50).prop_map(|(user, age)| set(user, "age", Datum::Integer(age))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_the_oracle(
        requests in prop::collection::vec(
            (prop::collection::vec(any_change(), 1..20), 0..5_u8, -2_i64..3),
            1..6,
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
                let (found, expected) = both(&fixture, question);
                prop_assert_eq!(found, expected, "{}", question);
            }
        }
    }
}
