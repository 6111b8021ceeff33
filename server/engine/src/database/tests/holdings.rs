//! Holdings that start and end: a clock that jumps, and every way to ask.

use proptest::prelude::*;

use super::*;
use crate::{
    exec::testing::Collected,
    ids::TagId,
    storage::{Holding, Source},
};

const DAY_S: i64 = 24 * 60 * 60;
/// 2024-02-27T00:00:00Z, two days before a leap day.
const START_S: i64 = 1_708_992_000;

const TAGS: [&str; 7] = [
    "plain", "short", "longer", "later", "basic", "silver", "gold",
];
const TIERS: [&str; 3] = ["basic", "silver", "gold"];

/// A database with tags of every kind, at [`START_S`].
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    set_clock(&fixture, START_S);
    for statement in [
        "DEFINE GROUP tier EXCLUSIVE",
        "DEFINE TAG plain",
        "DEFINE TAG short DYNAMIC FOR 2d",
        "DEFINE TAG longer DYNAMIC FOR 1mo ON RETAG EXTEND",
        "DEFINE TAG later DYNAMIC FOR 2d ON RETAG LATER",
        "DEFINE TAG basic IN GROUP tier",
        "DEFINE TAG silver DYNAMIC FOR 3d IN GROUP tier",
        "DEFINE TAG gold DYNAMIC FOR 1y IN GROUP tier",
    ] {
        fixture.define(statement).unwrap();
    }
    fixture
}

fn set_clock(fixture: &Fixture, second: i64) {
    let now = jiff::Timestamp::from_second(second).unwrap();
    fixture.clock.set_now(now);
}

fn run(fixture: &Fixture, text: &str) -> Result<Vec<Vec<Datum>>, Error> {
    let mut sink = Collected::default();
    fixture.db().execute(
        text,
        &Parameters::default(),
        &Budget::unlimited(),
        &mut sink,
    )?;
    Ok(sink.rows)
}

fn rows(fixture: &Fixture, text: &str) -> Vec<Vec<Datum>> {
    let rows = run(fixture, text);
    assert!(rows.is_ok(), "{text}: {rows:?}");
    rows.unwrap_or_default()
}

fn count_of(fixture: &Fixture, expression: &str) -> i64 {
    match rows(fixture, &format!("COUNT {expression}")).as_slice() {
        [row] => match row.as_slice() {
            [Datum::Integer(count)] => *count,
            _ => -1,
        },
        _ => -1,
    }
}

fn hold(user: &str, tag: &str, terms: HoldTerms) -> Mutation {
    Mutation::Hold {
        user: user.to_owned(),
        tags: strings(&[tag]),
        terms,
    }
}

fn id(fixture: &Fixture, tag: &str) -> TagId {
    fixture.db().view().schema().tag(tag).unwrap().id
}

#[test]
fn what_is_given_again_changes_nothing() {
    let fixture = fixture();
    let import = || vec![hold("u", "plain", Source::Import.into())];
    assert_eq!(fixture.changed(import()), (1, 1));
    set_clock(&fixture, START_S + 100);
    assert_eq!(fixture.changed(import()), (0, 0));
    // A stronger word is kept, and no fact of its own: the tag is held as before.
    let by_hand = || vec![hold("u", "plain", HoldTerms::default())];
    assert_eq!(fixture.changed(by_hand()), (0, 0));
    assert_eq!(fixture.changed(import()), (0, 0));
    let expected = Holding::standing(Source::Manual, Some(START_S));
    let record = fixture.record("u").unwrap();
    assert_eq!(record.holding(id(&fixture, "plain")), Some(expected));
}

#[test]
fn a_tag_is_held_before_its_last_second_and_not_in_it() {
    let fixture = fixture();
    rows(&fixture, "TAG u1 WITH short");
    rows(&fixture, "TAG u2 WITH short FROM now+1d UNTIL now+4d");
    rows(&fixture, "TAG u3 WITH plain FROM now+1d");
    let check = |second, short, plain| {
        set_clock(&fixture, second);
        assert_eq!(count_of(&fixture, "tag:short"), short, "{second}");
        assert_eq!(count_of(&fixture, "tag:plain"), plain, "{second}");
        let held = rows(&fixture, "SEGMENT tag:* RETURN tags");
        assert_eq!(held.len() as i64, short + plain, "{second}");
    };
    check(START_S, 1, 0);
    check(START_S + DAY_S - 1, 1, 0);
    check(START_S + DAY_S, 2, 1);
    check(START_S + 2 * DAY_S - 1, 2, 1);
    check(START_S + 2 * DAY_S, 1, 1);
    check(START_S + 4 * DAY_S - 1, 1, 1);
    check(START_S + 4 * DAY_S, 0, 1);
    // The clock goes back by a day.
    check(START_S + 3 * DAY_S, 1, 1);
    check(START_S + DAY_S - 1, 1, 0);
}

#[test]
fn months_and_years_follow_the_calendar() {
    let fixture = fixture();
    // To the 29th of February, where there is one, and to the 28th a year later.
    set_clock(&fixture, START_S - 27 * DAY_S); // 2024-01-31
    rows(&fixture, "TAG u WITH longer");
    let until = |day: &str| crate::time::parse_timestamp(day).unwrap() / 1_000_000;
    let holding = |fixture: &Fixture, tag| fixture.record("u").unwrap().holding(id(fixture, tag));
    assert_eq!(
        holding(&fixture, "longer").and_then(Holding::until_s),
        Some(until("2024-02-29"))
    );
    set_clock(&fixture, until("2024-02-29"));
    rows(&fixture, "TAG u WITH gold");
    assert_eq!(
        holding(&fixture, "gold").and_then(Holding::until_s),
        Some(until("2025-02-28"))
    );
}

#[test]
fn what_lapsed_is_found_within_whole_days() {
    let fixture = fixture();
    rows(&fixture, "TAG u1 WITH short");
    rows(&fixture, "TAG u2 WITH later FOR 5d");
    set_clock(&fixture, START_S + DAY_S + 5);
    rows(&fixture, "UNTAG u2 WITH later");
    let check = |second, expression: &str, users| {
        set_clock(&fixture, second);
        assert_eq!(
            count_of(&fixture, expression),
            users,
            "{expression} at {second}"
        );
    };
    check(START_S + DAY_S + 5, "lapsed(tag:later, 1d)", 1);
    check(START_S + 2 * DAY_S - 1, "lapsed(tag:later, 1d)", 1);
    check(START_S + 2 * DAY_S, "lapsed(tag:later, 1d)", 0);
    check(START_S + 2 * DAY_S, "lapsed(tag:(short, later), 2d)", 2);
    check(START_S + 2 * DAY_S, "lapsed(tag:short, 10s)", 1);
    check(START_S + 2 * DAY_S + 10, "lapsed(tag:short, 10s)", 0);
    check(START_S + 9 * DAY_S, "lapsed(tag:short)", 1);
    check(START_S, "lapsed(tag:short)", 0);
    assert!(run(&fixture, "COUNT lapsed(tag:plain, 3d)").is_err());
}

#[test]
fn qualifiers_ask_how_a_tag_is_held() {
    let fixture = fixture();
    rows(&fixture, "TAG u1 WITH short, plain");
    rows(&fixture, "TAG u2 WITH short, plain SOURCE import");
    set_clock(&fixture, START_S + DAY_S);
    rows(&fixture, "TAG u3 WITH short, plain SOURCE model");
    let check = |expression: &str, users| {
        assert_eq!(count_of(&fixture, expression), users, "{expression}");
    };
    check("tag:short[until <= now+1d]", 2);
    check("tag:short[until <= now+2d]", 3);
    check("tag:short[until IS MISSING]", 0);
    check("tag:plain[until IS MISSING]", 3);
    check("tag:short[since >= now]", 1);
    check("tag:plain[since >= now]", 1);
    check("tag:plain[since < today]", 2);
    check("NOT tag:plain[since < today]", 1);
    check("tag:short[source = import]", 1);
    check("tag:plain[source:(import, model)]", 2);
    check("tag:plain[source != manual, since < now]", 1);
    check("tag:plain[source = manual] OR tag:short[source = model]", 2);
    check("tag:short[source = model] AND tag:plain", 1);
    set_clock(&fixture, START_S + 2 * DAY_S);
    check("tag:short[source = manual]", 0);
}

#[test]
fn a_static_tag_takes_no_end_and_becomes_none_while_holdings_have_one() {
    let fixture = fixture();
    assert!(run(&fixture, "TAG u WITH plain FOR 3d").is_err());
    rows(&fixture, "TAG u WITH short");
    refused(
        fixture.define("ALTER TAG short STATIC"),
        ErrorCode::Conflict,
        "short",
    );
    set_clock(&fixture, START_S + 2 * DAY_S);
    fixture.define("ALTER TAG short STATIC").unwrap();
    assert_eq!(count_of(&fixture, "tag:short"), 0);
    rows(&fixture, "TAG u WITH short");
    set_clock(&fixture, START_S + 900 * DAY_S);
    assert_eq!(count_of(&fixture, "tag:short"), 1);
    fixture.define("ALTER TAG plain DYNAMIC FOR 1d").unwrap();
    rows(&fixture, "TAG v WITH plain");
    assert_eq!(count_of(&fixture, "tag:plain"), 1);
}

#[test]
fn days_return_every_year() {
    let fixture = fixture();
    fixture.define("DEFINE ATTRIBUTE born DATE").unwrap();
    fixture.define("DEFINE ATTRIBUTE seen TIMESTAMP").unwrap();
    rows(
        &fixture,
        "SET leap born = 2000-02-29, seen = 2023-02-27T23:00:00Z",
    );
    rows(&fixture, "SET march born = 1999-03-01");
    rows(&fixture, "SET new born = 2024-02-27");
    let check = |day: i64, expression: &str, users| {
        set_clock(&fixture, START_S + day * DAY_S);
        assert_eq!(count_of(&fixture, expression), users, "{expression} {day}");
    };
    check(0, "born ANNIVERSARY IN today..today", 0);
    check(0, "born ANNIVERSARY IN today..today+2d", 1);
    check(0, "born ANNIVERSARY IN today..today+3d", 2);
    check(0, "seen ANNIVERSARY IN today..today", 1);
    check(0, "NOT born ANNIVERSARY IN today..today+2d", 2);
    // 2025 has no 29th of February.
    check(367, "born ANNIVERSARY IN today..today", 0);
    check(368, "born ANNIVERSARY IN today..today", 2);
    check(366, "born ANNIVERSARY IN today..today", 1);
}

#[derive(Debug, Clone)]
enum Step {
    Tag(u8, usize, String),
    Untag(u8, usize),
    /// Seconds, forwards or back.
    Jump(i64),
    Sweep,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let user = || 0..6u8;
    let tag = || 0..TAGS.len();
    let terms = prop::sample::select(&[
        "",
        "",
        " FROM now-1d",
        " FROM now+1d",
        " FROM now-5d UNTIL now-1d",
        " FOR 1d",
        " UNTIL now+36h SOURCE import",
        " SOURCE model",
    ]);
    prop_oneof![
        6 => (user(), tag(), terms).prop_map(|(user, tag, terms)| Step::Tag(user, tag, terms.to_owned())),
        2 => (user(), tag()).prop_map(|(user, tag)| Step::Untag(user, tag)),
        3 => prop::sample::select(&[1, 3600, DAY_S, DAY_S - 1, 31 * DAY_S, -DAY_S]).prop_map(Step::Jump),
        1 => Just(Step::Sweep),
        1 => Just(Step::Restart),
    ]
}

/// Who holds a tag at a second, going by the records alone.
fn holders(fixture: &Fixture, tag: &str, at_s: i64) -> i64 {
    let view = fixture.db().view();
    let tag = id(fixture, tag);
    let mut holders = 0;
    for partition in (0..view.partition_count()).map(PartitionId) {
        let mut visit = |_, _: &str, record: &UserRecord| {
            let held = record.holdings().any(|(held, holding)| {
                let has_started = holding.since_s().is_none_or(|since_s| since_s <= at_s);
                let has_ended = holding.until_s().is_some_and(|until_s| until_s <= at_s);
                let stands = matches!(holding.term, crate::storage::Term::Standing { .. });
                held == tag && (stands || has_started && !has_ended)
            });
            holders += i64::from(held);
        };
        view.for_each_user(partition, &mut visit).unwrap();
    }
    holders
}

fn check_answers(fixture: &Fixture, now_s: i64) -> Result<(), TestCaseError> {
    let mut sum = 0;
    for tag in TAGS {
        let expected = holders(fixture, tag, now_s);
        sum += expected;
        prop_assert_eq!(
            count_of(fixture, &format!("tag:{tag}")),
            expected,
            "{}",
            tag
        );
        let by_tag = rows(fixture, &format!("DIMENSION tag:{tag}* WHERE tag:{tag}"));
        let found = by_tag.first().map(|row| row.get(1).cloned());
        let expected = (expected > 0).then_some(Some(Datum::Integer(expected)));
        prop_assert_eq!(found, expected, "{}", tag);
    }
    let tags_of = |row: &Vec<Datum>| match row.get(1) {
        Some(Datum::List(tags)) => tags.clone(),
        Some(_) | None => Vec::new(),
    };
    let returned: Vec<Vec<String>> = rows(fixture, "SEGMENT ALL RETURN tags")
        .iter()
        .map(tags_of)
        .collect();
    prop_assert_eq!(returned.iter().map(Vec::len).sum::<usize>() as i64, sum);
    let in_tier = |tags: &&Vec<String>| tags.iter().any(|tag| TIERS.contains(&tag.as_str()));
    let tiers = |tags: &Vec<String>| {
        tags.iter()
            .filter(|tag| TIERS.contains(&tag.as_str()))
            .count()
    };
    prop_assert!(
        returned.iter().all(|tags| tiers(tags) <= 1),
        "{:?}",
        returned
    );
    let present = returned.iter().filter(in_tier).count() as i64;
    prop_assert_eq!(count_of(fixture, "group:tier IS PRESENT"), present);
    let all = returned.len() as i64;
    prop_assert_eq!(count_of(fixture, "group:tier IS MISSING"), all - present);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_what_the_records_say_at_every_second(steps in prop::collection::vec(step(), 1..20)) {
        let mut fixture = fixture();
        let mut now_s = START_S;
        for step in steps {
            match &step {
                // Some ends are refused, such as those of static tags.
                Step::Tag(user, tag, terms) => {
                    let _ = run(&fixture, &format!("TAG u{user} WITH {}{terms}", TAGS[*tag]));
                }
                Step::Untag(user, tag) => {
                    rows(&fixture, &format!("UNTAG u{user} WITH {}", TAGS[*tag]));
                }
                Step::Jump(seconds) => {
                    now_s += seconds;
                    set_clock(&fixture, now_s);
                }
                Step::Sweep => {
                    let summary = fixture.db().sweep_holdings().unwrap();
                    prop_assert_eq!(summary.cursor, None);
                }
                Step::Restart => {
                    fixture.restart();
                    set_clock(&fixture, now_s);
                }
            }
            check_answers(&fixture, now_s)?;
            let report = verify(&fixture.db().view()).unwrap();
            prop_assert_eq!(report.problems, Vec::<String>::new(), "{:?}", step);
        }
    }
}

#[test]
fn what_ended_long_ago_is_swept_and_changes_no_answer() {
    let fixture = Fixture::with(|options| options.limits.ended_holdings_days = 10);
    set_clock(&fixture, START_S);
    fixture.define("DEFINE TAG short DYNAMIC FOR 2d").unwrap();
    for user in 0..20 {
        rows(
            &fixture,
            &format!("TAG u{user} WITH short FOR {}d", user + 1),
        );
    }
    let sweep = || fixture.db().sweep_holdings().unwrap().users_changed;
    let entries = || fixture.count(RowId::Tag(id(&fixture, "short")));
    set_clock(&fixture, START_S + 5 * DAY_S);
    assert_eq!((sweep(), entries()), (0, 20));
    set_clock(&fixture, START_S + 15 * DAY_S);
    let answers = || {
        let held = count_of(&fixture, "tag:short");
        (held, count_of(&fixture, "lapsed(tag:short, 10d)"))
    };
    let before = answers();
    assert_eq!((sweep(), entries()), (5, 15));
    assert_eq!(sweep(), 0);
    assert_eq!(answers(), before);
    assert_eq!(before, (5, 10));
    assert_eq!(verify(&fixture.db().view()).unwrap().problem_count, 0);
}

#[test]
fn a_load_holds_as_the_same_mutations_do() {
    let (loaded, written) = (fixture(), fixture());
    let for_days = HoldTerms {
        end: HoldEnd::After(Length {
            amount: 5,
            unit: LengthUnit::Day,
        }),
        ..Source::Import.into()
    };
    let coming = HoldTerms {
        since_s: Some(START_S + DAY_S),
        ..Source::Model.into()
    };
    let given: [(&str, &[(&str, HoldTerms)]); 5] = [
        (
            "a",
            &[("plain", Source::Import.into()), ("short", for_days)],
        ),
        (
            "b",
            &[
                ("short", Source::Import.into()),
                ("gold", coming),
                ("silver", for_days),
            ],
        ),
        ("c", &[("plain", coming)]),
        ("d", &[]),
        (
            "a",
            &[("longer", Source::Import.into()), ("short", for_days)],
        ),
    ];
    let (mut names, mut ends, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut terms, mut of) = (Vec::new(), Vec::new());
    let mut mutations = Vec::new();
    for (user, tags) in given {
        mutations.push(Mutation::Ensure {
            user: user.to_owned(),
        });
        for (tag, how) in tags {
            codes.push(u32::try_from(names.len()).unwrap());
            of.push(u32::try_from(terms.len()).unwrap());
            names.push((*tag).to_owned());
            terms.push(*how);
            mutations.push(hold(user, tag, *how));
        }
        ends.push(u32::try_from(codes.len()).unwrap());
    }
    let request = LoadRequest {
        keys: given.iter().map(|(user, _)| *user).collect(),
        columns: vec![LoadColumn::Holdings {
            names,
            ends,
            codes,
            terms,
            of,
        }],
        ..LoadRequest::default()
    };
    loaded.db().load(request).unwrap();
    written.write(mutations).unwrap();
    for user in ["a", "b", "c", "d"] {
        assert_eq!(loaded.record(user), written.record(user), "{user}");
    }
    let report = verify(&loaded.db().view()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(count_of(&loaded, "tag:short"), 2);
}

#[test]
fn a_portrait_tells_how_tags_are_held() {
    let fixture = fixture();
    rows(&fixture, "TAG u WITH plain SOURCE import");
    rows(&fixture, "TAG u WITH short, gold");
    set_clock(&fixture, START_S + 2 * DAY_S);
    let text = |text: &str| Datum::Text(text.to_owned());
    let at = |second: i64| Datum::Timestamp(second * 1_000_000);
    let tags: Vec<Vec<Datum>> = rows(&fixture, "PORTRAIT u")
        .into_iter()
        .filter(|row| row.first() == Some(&text("tag")))
        .collect();
    let year_later = START_S + 366 * DAY_S;
    let gold = [at(START_S), at(year_later), text("manual")];
    let plain = [at(START_S), Datum::Null, text("import")];
    let row = |name: &str, group: Datum, held: [Datum; 3]| {
        [vec![text("tag"), text(name), group], held.to_vec()].concat()
    };
    assert_eq!(
        tags,
        [
            row("gold", text("tier"), gold),
            row("plain", Datum::Null, plain)
        ]
    );
}
