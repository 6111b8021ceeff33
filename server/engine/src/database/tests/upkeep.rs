//! Tags on their way from draft to archived, under other names, and merged.

use proptest::prelude::*;

use super::*;
use crate::{
    exec::testing::Collected,
    storage::{Holding, Source},
};

const DAY_S: i64 = 24 * 60 * 60;
const START_S: i64 = 1_708_992_000;

pub(super) fn set_clock(fixture: &Fixture, second: i64) {
    let now = jiff::Timestamp::from_second(second).unwrap();
    fixture.clock.set_now(now);
}

pub(super) fn execute(fixture: &Fixture, text: &str) -> Result<(Summary, Vec<Vec<Datum>>), Error> {
    let mut sink = Collected::default();
    let summary = fixture.db().execute(
        text,
        &Parameters::default(),
        &Budget::unlimited(),
        &mut sink,
    )?;
    Ok((summary, sink.rows))
}

pub(super) fn rows(fixture: &Fixture, text: &str) -> Vec<Vec<Datum>> {
    let rows = execute(fixture, text).map(|(_, rows)| rows);
    assert!(rows.is_ok(), "{text}: {rows:?}");
    rows.unwrap_or_default()
}

pub(super) fn warnings(fixture: &Fixture, text: &str) -> Vec<String> {
    let summary = execute(fixture, text).map(|(summary, _)| summary);
    assert!(summary.is_ok(), "{text}: {summary:?}");
    summary.unwrap_or_default().warnings
}

pub(super) fn count_of(fixture: &Fixture, expression: &str) -> i64 {
    match rows(fixture, &format!("COUNT {expression}")).as_slice() {
        [row] => match row.as_slice() {
            [Datum::Integer(count)] => *count,
            _ => -1,
        },
        _ => -1,
    }
}

/// The first columns of rows, as texts.
pub(super) fn texts(fixture: &Fixture, text: &str, columns: usize) -> Vec<String> {
    let text_of = |datum: &Datum| {
        if let Datum::Text(text) = datum {
            return text.clone();
        }
        format!("{datum:?}")
    };
    let row = |row: &Vec<Datum>| {
        let parts: Vec<String> = row.iter().take(columns).map(text_of).collect();
        parts.join(" ")
    };
    rows(fixture, text).iter().map(row).collect()
}

fn load(keys: &[&str], tag: &str) -> LoadRequest {
    LoadRequest {
        keys: keys.iter().copied().collect(),
        columns: vec![LoadColumn::Tags {
            names: strings(&[tag]),
            ends: (1..=keys.len() as u32).collect(),
            codes: vec![0; keys.len()],
        }],
        ..LoadRequest::default()
    }
}

#[test]
fn a_tag_on_its_way_out_takes_no_new_holdings() {
    let fixture = Fixture::defined(&["DEFINE TAG old", "DEFINE TAG short DYNAMIC FOR 2d"]);
    set_clock(&fixture, START_S);
    fixture.changed(vec![tag("u1", &["old", "short"])]);
    for state in ["DEPRECATED", "ARCHIVED"] {
        fixture.define(&format!("ALTER TAG old {state}")).unwrap();
        fixture.define(&format!("ALTER TAG short {state}")).unwrap();
        let message = format!("is {}: it takes no new holdings", state.to_lowercase());
        let result = fixture.write(vec![tag("u2", &["old"])]);
        refused(result, ErrorCode::Conflict, &message);
        let result = fixture.db().load(load(&["u1", "u2"], "old"));
        refused(result, ErrorCode::Conflict, &message);
        // Who holds it goes on, and nothing changes: neither source nor end.
        assert_eq!(fixture.changed(vec![tag("u1", &["old", "short"])]), (0, 0));
        let known = fixture.db().load(load(&["u1"], "old")).unwrap();
        assert_eq!(known.users_changed, 0);
        assert_eq!(fixture.holders("old"), 1);
        assert!(fixture.record("u2").is_none());
        assert_eq!(count_of(&fixture, "tag:old AND tag:short"), 1, "{state}");
    }
    // Who held it does not hold it again.
    set_clock(&fixture, START_S + 3 * DAY_S);
    let result = fixture.write(vec![tag("u1", &["short"])]);
    refused(result, ErrorCode::Conflict, "archived");
    fixture.define("ALTER TAG old ACTIVE").unwrap();
    let loaded = fixture.db().load(load(&["u1", "u2"], "old")).unwrap();
    assert_eq!(loaded.users_changed, 1);
    assert_eq!(fixture.changed(vec![untag("u1", &["old"])]), (1, 1));
    fixture.check_consistent();
}

#[test]
fn whichever_way_a_holding_comes_a_closed_tag_refuses_it() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG other",
        "DEFINE TAG old",
        "DEFINE FORM f (x BOOLEAN SETS TAG (true: old))",
    ]);
    set_clock(&fixture, START_S);
    fixture.changed(vec![tag("u1", &["old", "other"]), tag("u2", &["other"])]);
    fixture.define("ALTER TAG old DEPRECATED").unwrap();
    fixture.define("RENAME TAG old TO older").unwrap();
    let refused_by = |result: Result<Summary, Error>| {
        refused(result, ErrorCode::Conflict, "takes no new holdings");
    };
    let run = |text: &str| execute(&fixture, text).map(|(summary, _)| summary);
    refused_by(run("TAG u2 WITH old"));
    refused_by(run("TAG WHERE tag:other WITH older"));
    refused_by(run("TAG u2 WITH older FROM now+1d SOURCE model"));
    refused_by(run("SUBMIT FORM f FOR u2 WITH x = true"));
    let held = |users: &[&str]| LoadRequest {
        keys: users.iter().copied().collect(),
        columns: vec![LoadColumn::Holdings {
            names: strings(&["old"]),
            ends: (1..=users.len() as u32).collect(),
            codes: vec![0; users.len()],
            terms: vec![Source::Model.into()],
            of: vec![0; users.len()],
        }],
        ..LoadRequest::default()
    };
    // Known users are staged, and enough new ones go into files.
    refused_by(fixture.db().load(held(&["u2"])));
    refused_by(fixture.db().load(held(&["n1", "n2", "n3", "n4"])));
    refused_by(fixture.db().load(load(&["n1", "n2", "n3", "n4"], "older")));
    let defining = WriteRequest {
        mutations: vec![tag("n1", &["old"])],
        unknown_tags: UnknownTags::Define,
        ..WriteRequest::default()
    };
    refused_by(fixture.db().write(defining));
    // Who holds it may be named among others, and everybody may lose it.
    let summary = run("TAG WHERE tag:older WITH older").unwrap();
    assert_eq!(summary.facts_changed, 0);
    assert_eq!(summary.warnings, ["the tag \"older\" is deprecated"]);
    assert_eq!(count_of(&fixture, "ALL"), 2);
    assert_eq!(run("UNTAG WHERE ALL WITH older").unwrap().users_changed, 1);
    fixture.check_consistent();
}

#[test]
fn tags_go_forward_and_back_to_active() {
    let mut fixture = Fixture::defined(&["DEFINE TAG t DRAFT", "DEFINE TAG u DEPRECATED"]);
    let refuse = |fixture: &Fixture, statement: &str, message: &str| {
        refused(fixture.define(statement), ErrorCode::Conflict, message);
    };
    fixture.define("ALTER TAG t ACTIVE").unwrap();
    refuse(
        &fixture,
        "ALTER TAG t DRAFT",
        "is active and cannot become draft",
    );
    fixture
        .define("ALTER TAG t ARCHIVED OWNER \"crm\"")
        .unwrap();
    refuse(
        &fixture,
        "ALTER TAG t DEPRECATED",
        "is archived and cannot become deprecated",
    );
    fixture.restart();
    let view = fixture.db().view();
    let state = |name: &str| view.schema().tag(name).unwrap().lifecycle;
    assert_eq!(
        (state("t").word(), state("u").word()),
        ("archived", "deprecated")
    );
}

#[test]
fn what_is_out_of_sight_is_found_by_its_name() {
    let fixture = Fixture::defined(&[
        "DEFINE GROUP g",
        "DEFINE TAG p-draft DRAFT IN GROUP g",
        "DEFINE TAG p-now",
        "DEFINE TAG p-old",
        "DEFINE TAG p-gone DESCRIPTION \"use p-now\" IN GROUP g",
    ]);
    for (user, name) in [
        ("a", "p-draft"),
        ("b", "p-now"),
        ("c", "p-old"),
        ("d", "p-gone"),
    ] {
        fixture.changed(vec![tag(user, &[name])]);
    }
    fixture.define("ALTER TAG p-old DEPRECATED").unwrap();
    fixture.define("ALTER TAG p-gone ARCHIVED").unwrap();
    fixture
        .define("SAVE SEGMENT s AS tag:p-gone OR tag:p-now")
        .unwrap();
    assert_eq!(count_of(&fixture, "tag:p-*"), 2);
    assert_eq!(count_of(&fixture, "tag:(p-draft, p-gone)"), 2);
    assert_eq!(count_of(&fixture, "group:g IS PRESENT"), 2);
    assert_eq!(
        texts(&fixture, "DIMENSION tag ORDER BY tag", 1),
        ["p-now", "p-old", "Null"]
    );
    assert_eq!(
        texts(&fixture, "DIMENSION group:g ORDER BY group:g", 1),
        ["p-draft", "p-gone", "Null"]
    );
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(warnings(&fixture, text), expected, "{text}");
    };
    let gone = "the tag \"p-gone\" is archived: use p-now";
    check("COUNT tag:p-old", &["the tag \"p-old\" is deprecated"]);
    check("COUNT tag:(p-draft, p-now)", &[]);
    check("COUNT tag:p-*", &[]);
    check("SEGMENT segment:s OR segment:s", &[gone]);
    check("DIMENSION tag:p-gone", &[gone]);
    check("EXPLAIN COUNT tag:p-gone", &[gone]);
    check("PORTRAIT d", &[]);
    check("UNTAG d WITH p-gone", &[gone]);
    check(
        "UNTAG WHERE tag:p-old WITH p-old",
        &["the tag \"p-old\" is deprecated"],
    );
    let listed = execute(&fixture, "SHOW TAGS LIKE \"p-*\"").unwrap();
    assert_eq!(listed.0.warnings, ["archived and not listed: p-gone"]);
    assert_eq!(
        texts(&fixture, "SHOW TAGS LIMIT 2", 4),
        ["p-draft g Integer(1) draft", "p-now Null Integer(1) active"]
    );
    assert_eq!(
        texts(&fixture, "SHOW TAGS LIKE p-gone", 4),
        ["p-gone g Integer(0) archived"]
    );
}

#[test]
fn a_renamed_tag_is_found_under_both_names() {
    let mut fixture = Fixture::defined(&[
        "DEFINE TAG a",
        "DEFINE TAG b",
        "DEFINE SEGMENT s AS tag:(a, b) AND NOT tag:a[source = model]",
        "DEFINE TAG c",
    ]);
    fixture.changed(vec![tag("u", &["a"])]);
    fixture.define("RENAME TAG a TO \"new name\"").unwrap();
    fixture.restart();
    assert_eq!(count_of(&fixture, "tag:\"new name\""), 1);
    assert_eq!(
        warnings(&fixture, "COUNT tag:a"),
        ["the tag \"a\" is called \"new name\" now"]
    );
    assert_eq!(count_of(&fixture, "tag:a"), 1);
    // Programs that write under the old name go on.
    assert_eq!(fixture.changed(vec![tag("v", &["a"])]), (1, 1));
    let request = WriteRequest {
        mutations: vec![tag("w", &["a"])],
        unknown_tags: UnknownTags::Define,
        ..WriteRequest::default()
    };
    // And are told.
    let told = ["the tag \"a\" is called \"new name\" now"];
    assert_eq!(fixture.db().write(request).unwrap().warnings, told);
    let loaded = fixture.db().load(load(&["x"], "a")).unwrap();
    assert_eq!(loaded.warnings, told);
    let named = fixture.write(vec![tag("w", &["new name"])]).unwrap();
    assert_eq!(named.warnings, Vec::<String>::new());
    assert_eq!(fixture.holders("new name"), 4);
    let segment = |fixture: &Fixture, name: &str| {
        fixture
            .db()
            .view()
            .schema()
            .segment(name)
            .unwrap()
            .text
            .clone()
    };
    assert!(segment(&fixture, "s").contains("tag:(\"new name\", b)"));
    // What is saved under the old name says the new one.
    fixture.define("SAVE SEGMENT late AS NOT tag:a").unwrap();
    assert_eq!(segment(&fixture, "late"), "NOT tag:\"new name\"");
    let refuse = |statement: &str, message: &str| {
        refused(fixture.define(statement), ErrorCode::Conflict, message);
    };
    refuse("RENAME TAG b TO c", "defined already");
    refuse(
        "RENAME TAG b TO a",
        "\"a\" is a former name of the tag \"new name\"",
    );
    refuse("DEFINE TAG a", "former name");
    assert_eq!(
        fixture
            .define("DEFINE TAG IF NOT EXISTS a")
            .unwrap()
            .warnings
            .len(),
        1
    );
    let unknown = fixture.define("ALTER TAG a OWNER \"x\"").unwrap_err();
    assert_eq!(unknown.hint().as_deref(), Some("did you mean new name?"));
    // Back to the first name, and then the second is free to be dropped and given.
    fixture.define("RENAME TAG \"new name\" TO a").unwrap();
    assert_eq!(segment(&fixture, "late"), "NOT tag:a");
    let dropped = fixture.define("DROP TAG \"new name\"").unwrap();
    assert!(dropped.warnings[0].contains("former name of the tag \"a\""));
    fixture.define("DEFINE TAG \"new name\"").unwrap();
    assert_eq!(fixture.holders("new name"), 0);
    assert_eq!(fixture.holders("a"), 4);
    fixture.check_consistent();
}

#[test]
fn usages_tell_what_keeps_a_definition() {
    let fixture = Fixture::defined(&[
        "DEFINE GROUP g",
        "DEFINE TAG a IN GROUP g",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE EVENT buy (amount INTEGER)",
        "DEFINE SEGMENT s AS tag:a AND age > 3 AND count(buy, 3d) > 1",
        "DEFINE SEGMENT t AS segment:s OR group:g IS MISSING",
    ]);
    let check = |statement: &str, expected: &[&str]| {
        assert_eq!(texts(&fixture, statement, 3), expected, "{statement}");
    };
    check("USAGES TAG a", &["segment s expression"]);
    check("USAGES ATTRIBUTE age", &["segment s expression"]);
    check("USAGES EVENT buy", &["segment s expression"]);
    check("USAGES SEGMENT s", &["segment t expression"]);
    check("USAGES SEGMENT t", &[]);
    check("USAGES GROUP g", &["tag a member", "segment t expression"]);
    fixture.define("RENAME TAG a TO b").unwrap();
    check("USAGES TAG a", &["segment s expression"]);
    refused(
        execute(&fixture, "USAGES TAG c").map(|(summary, _)| summary),
        ErrorCode::UnknownName,
        "there is no tag named \"c\"",
    );
    refused(
        fixture.define("DROP EVENT buy"),
        ErrorCode::Conflict,
        "used by segment:s",
    );
}

#[test]
fn a_merge_unites_holders_and_names() {
    let mut fixture = Fixture::defined(&[
        "DEFINE TAG a",
        "DEFINE TAG b",
        "DEFINE SEGMENT s AS tag:a AND NOT tag:b",
    ]);
    set_clock(&fixture, START_S);
    let import = |user: &str, tag: &str| Mutation::Hold {
        user: user.to_owned(),
        tags: strings(&[tag]),
        terms: Source::Import.into(),
    };
    fixture.changed(vec![
        import("both", "a"),
        tag("only-a", &["a"]),
        tag("only-b", &["b"]),
    ]);
    set_clock(&fixture, START_S + 10);
    fixture.changed(vec![tag("both", &["b"])]);
    let summary = fixture.define("MERGE TAG a INTO b").unwrap();
    assert_eq!((summary.users_changed, summary.facts_changed), (2, 3));
    fixture.check_consistent();
    fixture.restart();
    assert_eq!(count_of(&fixture, "tag:b"), 3);
    assert_eq!(count_of(&fixture, "tag:a"), 3);
    assert_eq!(count_of(&fixture, "segment:s"), 0);
    let view = fixture.db().view();
    let b = view.schema().tag("b").unwrap().id;
    assert_eq!(
        fixture.record("both").unwrap().holding(b),
        Some(Holding::standing(Source::Manual, Some(START_S)))
    );
    assert!(view.schema().tag("a").is_none());
    assert_eq!(fixture.tags("only-a"), ["b"]);
    fixture.check_consistent();
}

#[test]
fn what_was_taken_by_hand_is_forgotten_with_the_tag() {
    let mut fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE points INTEGER",
        "DEFINE TAG a AS points >= 10",
        "DEFINE TAG b AS points >= 10",
        "DEFINE TAG c AS points >= 10",
    ]);
    let points = |user: &str, points: i64| set(user, "points", Datum::Integer(points));
    for user in ["u1", "u2", "u3"] {
        fixture.changed(vec![points(user, 20), untag(user, &["a", "b", "c"])]);
    }
    for name in ["a", "b"] {
        let no_rule = format!("ALTER TAG {name} NO RULE");
        fixture.define(&no_rule).unwrap();
    }
    fixture.changed(vec![tag("u1", &["a"])]);
    fixture.define("MERGE TAG a INTO b").unwrap();
    fixture.define("DROP TAG c").unwrap();
    fixture.check_consistent();
    fixture.restart();
    // Who comes to hold the tag that stays has it taken no more.
    fixture.define("ALTER TAG b AS points >= 10").unwrap();
    assert_eq!(count_of(&fixture, "tag:b"), 1);
    let b = fixture.db().view().schema().tag("b").unwrap().id;
    fixture.changed(vec![points("u1", 30), points("u2", 30)]);
    let blocked = |user: &str| fixture.record(user).unwrap().blocked().to_vec();
    assert_eq!(blocked("u1"), []);
    assert_eq!(blocked("u2"), [b]);
    assert_eq!(fixture.count(RowId::Blocked(b)), 2);
    fixture.changed(vec![delete("u2"), delete("u3")]);
    assert_eq!(fixture.count(RowId::Blocked(b)), 0);
    fixture.check_consistent();
}

#[test]
fn rules_follow_their_tags_to_other_names() {
    let mut fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE points INTEGER",
        "DEFINE TAG a",
        "DEFINE TAG b",
        "DEFINE TAG both AS tag:a AND NOT tag:b[source = model]",
        "DEFINE GROUP tiers AS high: tag:a, low: OTHERWISE",
        "DEFINE GROUP bands AS BANDS OF points (rich: 10.., poor: OTHERWISE)",
        "DEFINE SEGMENT s AS tag:high AND tag:rich",
    ]);
    fixture.changed(vec![
        tag("u1", &["a"]),
        tag("u2", &["b"]),
        set("u1", "points", Datum::Integer(20)),
    ]);
    let check = |fixture: &Fixture, statement: &str, expected: &[&str]| {
        assert_eq!(texts(fixture, statement, 3), expected, "{statement}");
    };
    check(
        &fixture,
        "USAGES TAG a",
        &["tag both rule", "group tiers rule"],
    );
    check(
        &fixture,
        "USAGES TAG rich",
        &["segment s expression", "group bands rule"],
    );
    for statement in ["DROP TAG a", "DROP TAG rich", "DROP ATTRIBUTE points"] {
        refused(fixture.define(statement), ErrorCode::Conflict, "used by");
    }
    fixture.define("RENAME TAG high TO top").unwrap();
    fixture.define("RENAME TAG rich TO \"very rich\"").unwrap();
    fixture.define("MERGE TAG a INTO b").unwrap();
    fixture.restart();
    check(
        &fixture,
        "USAGES TAG b",
        &["tag both rule", "group tiers rule"],
    );
    let view = fixture.db().view();
    let rule = |group: &str| view.schema().group(group).unwrap().rule.clone();
    assert_eq!(rule("tiers").as_deref(), Some("top: tag:b, low: OTHERWISE"));
    assert!(rule("bands").unwrap().contains("\"very rich\": "));
    assert_eq!(count_of(&fixture, "tag:both"), 2);
    assert_eq!(count_of(&fixture, "tag:top"), 2);
    assert_eq!(count_of(&fixture, "segment:s"), 1);
    // A layer is what the rule of its group says, and so is what it would be merged into.
    for statement in ["MERGE TAG b INTO top", "MERGE TAG low INTO b"] {
        refused(
            fixture.define(statement),
            ErrorCode::Conflict,
            "follows a rule",
        );
    }
    fixture.check_consistent();
}

#[test]
fn a_tag_has_so_many_former_names() {
    let fixture = Fixture::defined(&["DEFINE TAG t0", "DEFINE TAG other"]);
    for number in 0..100 {
        let rename = format!("RENAME TAG t{number} TO t{}", number + 1);
        fixture.define(&rename).unwrap();
    }
    let full = |statement: &str| {
        refused(
            fixture.define(statement),
            ErrorCode::LimitExceeded,
            "more than 100 former names",
        );
    };
    full("RENAME TAG t100 TO t101");
    full("MERGE TAG other INTO t100");
    full("MERGE TAG t100 INTO other");
    fixture.changed(vec![tag("u1", &["t0"])]);
    assert_eq!(fixture.tags("u1"), ["t100"]);
    fixture.define("DROP TAG t50").unwrap();
    fixture.define("MERGE TAG other INTO t100").unwrap();
    assert_eq!(count_of(&fixture, "tag:other"), 1);
    // All of the names go with the tag.
    fixture.define("DROP TAG t100").unwrap();
    for name in ["t0", "t99", "other"] {
        fixture.define(&format!("DEFINE TAG {name}")).unwrap();
    }
    assert_eq!(fixture.tags("u1"), Vec::<String>::new());
    fixture.check_consistent();
}

#[test]
fn a_merge_that_breaks_a_rule_is_refused() {
    let fixture = Fixture::defined(&[
        "DEFINE GROUP tier EXCLUSIVE",
        "DEFINE TAG gold IN GROUP tier",
        "DEFINE TAG silver IN GROUP tier",
        "DEFINE TAG vip",
        "DEFINE TAG short DYNAMIC FOR 2d",
        "DEFINE TAG old DEPRECATED",
    ]);
    set_clock(&fixture, START_S);
    fixture.changed(vec![
        tag("one", &["vip", "gold"]),
        tag("two", &["vip", "short"]),
    ]);
    let refuse = |statement: &str, message: &str| {
        refused(fixture.define(statement), ErrorCode::Conflict, message);
    };
    refuse("MERGE TAG vip INTO silver", "user \"one\" holds");
    refuse("MERGE TAG vip INTO vip", "into itself");
    refuse("MERGE TAG vip INTO old", "deprecated");
    refuse("MERGE TAG short INTO vip", "holdings of 1 users are to end");
    // In one group they cannot be held both, and one for the other is no more than one.
    fixture.define("MERGE TAG gold INTO silver").unwrap();
    assert_eq!(fixture.tags("one"), ["silver", "vip"]);
    set_clock(&fixture, START_S + 2 * DAY_S);
    fixture.define("MERGE TAG short INTO vip").unwrap();
    fixture.define("MERGE TAG vip INTO old").unwrap_err();
    fixture.check_consistent();
    let limits = Limits {
        merged_users_max: 1,
        ..Limits::default()
    };
    let small = Fixture::with(|options| options.limits = limits);
    small.define("DEFINE TAG a").unwrap();
    small.define("DEFINE TAG b").unwrap();
    small.changed(vec![tag("one", &["a"]), tag("two", &["a"])]);
    refused(
        small.define("MERGE TAG a INTO b"),
        ErrorCode::LimitExceeded,
        "at most 1 holders",
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Holdings of dynamic tags, given at different times, merged at any moment: the records say
    /// what the rows say, and who was in effect in either is in effect.
    #[test]
    fn merged_holdings_agree_with_their_rows(
        given in proptest::collection::vec((0..40_u32, any::<bool>(), 0..20_i64), 0..120),
        merged_at in 0..25_i64,
    ) {
        let fixture = Fixture::defined(&[
            "DEFINE TAG a DYNAMIC FOR 3d ON RETAG EXTEND",
            "DEFINE TAG b DYNAMIC FOR 5d",
        ]);
        let mut given = given;
        given.sort_by_key(|(.., day)| *day);
        for (user, is_a, day) in &given {
            set_clock(&fixture, START_S + day * DAY_S);
            let name = if *is_a { "a" } else { "b" };
            fixture.changed(vec![tag(&format!("u{user}"), &[name])]);
        }
        set_clock(&fixture, START_S + merged_at.max(20) * DAY_S);
        let before = count_of(&fixture, "tag:(a, b)");
        let users = fixture.holders("a") as i64;
        let summary = fixture.define("MERGE TAG a INTO b").unwrap();
        prop_assert_eq!(summary.users_changed as i64, users);
        prop_assert_eq!(count_of(&fixture, "tag:b"), before);
        fixture.check_consistent();
    }
}
