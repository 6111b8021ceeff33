//! Who invited whom: said once, never in a circle, known in every partition.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::exec::testing::Collected;

fn fixture() -> Fixture {
    Fixture::defined(&["DEFINE TAG vip", "DEFINE ATTRIBUTE invited_by USER"])
}

fn invite(user: &str, inviter: &str) -> Mutation {
    set(user, "invited_by", text(inviter))
}

fn run(fixture: &Fixture, text: &str) -> Result<Vec<Vec<Datum>>, Error> {
    let mut sink = Collected::default();
    let parameters = Parameters::default();
    fixture
        .db()
        .execute(text, &parameters, &Budget::unlimited(), &mut sink)?;
    Ok(sink.rows)
}

/// The keys of an expression, sorted.
fn keys(fixture: &Fixture, expr: &str) -> Vec<String> {
    let rows = run(fixture, &format!("SEGMENT {expr} ORDER BY KEY")).unwrap();
    let key = |row: Vec<Datum>| match row.as_slice() {
        [Datum::Text(key)] => Some(key.clone()),
        _ => None,
    };
    rows.into_iter().filter_map(key).collect()
}

#[test]
fn inviters_become_users_and_are_found() {
    let mut fixture = fixture();
    assert_eq!(fixture.changed(vec![invite("b", "a")]), (2, 1));
    fixture.changed(vec![invite("c", "a"), invite("d", "b"), tag("a", &["vip"])]);
    let check = |fixture: &Fixture| {
        assert_eq!(keys(fixture, "referred_by(tag:vip)"), ["b", "c"]);
        assert_eq!(keys(fixture, "descendants_of(tag:vip, 2)"), ["b", "c", "d"]);
        assert_eq!(keys(fixture, "inviter_of(user:d)"), ["b"]);
        assert_eq!(keys(fixture, "count(invited) >= 2"), ["a"]);
        assert_eq!(keys(fixture, "count(invited) = 0"), ["c", "d"]);
        assert_eq!(keys(fixture, "invited_by:a AND NOT inviter_of(ALL)"), ["c"]);
        let by_inviter = run(fixture, "DIMENSION invited_by MEASURE count TOP 2").unwrap();
        assert_eq!(by_inviter[0], [text("a"), Datum::Integer(2)]);
        fixture.check_consistent();
    };
    check(&fixture);
    fixture.restart();
    check(&fixture);
    // Whom a statement finds and changes.
    run(&fixture, "TAG WHERE referred_by(user:a) WITH vip").unwrap();
    assert_eq!(fixture.tags("b"), ["vip"]);
    let portrait = run(&fixture, "SAVE SEGMENT brought AS referred_by(tag:vip)");
    assert!(portrait.is_ok(), "{portrait:?}");
    let portrait = run(&fixture, "PORTRAIT d").unwrap();
    assert!(
        portrait
            .iter()
            .any(|row| row.starts_with(&[text("segment"), text("brought")]))
    );
    let plan = run(&fixture, "EXPLAIN COUNT referred_by(tag:vip)").unwrap();
    assert!(
        format!("{plan:?}").contains("3 users who were found"),
        "{plan:?}"
    );
}

#[test]
fn nobody_comes_to_be_above_themselves() {
    let fixture = fixture();
    fixture.changed(vec![invite("b", "a"), invite("c", "b")]);
    let check = |mutations: Vec<Mutation>, way: &str| {
        refused(fixture.write(mutations), ErrorCode::Conflict, way);
    };
    check(vec![invite("a", "a")], "a → a");
    check(vec![invite("a", "c")], "a → c → b → a");
    check(
        vec![invite("x", "y"), invite("y", "z"), invite("z", "x")],
        "z → x → y → z",
    );
    check(
        vec![invite("d", "c"), invite("a", "d")],
        "a → d → c → b → a",
    );
    assert_eq!(fixture.location("x"), None);
    // Who is deleted is above nobody.
    fixture.changed(vec![delete("b"), invite("a", "c")]);
    check(vec![invite("c", "a")], "c → a → c");
    fixture.changed(vec![delete("a"), invite("c", "a")]);
    assert_eq!(keys(&fixture, "referred_by(user:a)"), ["c"]);
    fixture.check_consistent();
}

#[test]
fn an_inviter_is_said_once_and_goes_with_the_user() {
    let fixture = fixture();
    fixture.changed(vec![invite("b", "a")]);
    assert_eq!(fixture.changed(vec![invite("b", "a")]), (0, 0));
    let twice = fixture.write(vec![invite("b", "c")]);
    refused(twice, ErrorCode::Conflict, "is write-once and is \"a\"");
    let refusal = fixture.define("ALTER ATTRIBUTE invited_by MUTABLE");
    assert!(
        refusal
            .unwrap_err()
            .to_string()
            .contains("cannot be chosen")
    );
    assert_eq!(fixture.location("c"), None);
    let old = fixture.location("a").unwrap();
    // Deleted and invited by a user of the same key, all at once.
    fixture.changed(vec![delete("a"), invite("b", "a")]);
    assert_ne!(fixture.location("a").unwrap(), old);
    assert_eq!(keys(&fixture, "referred_by(user:a)"), ["b"]);
    fixture.check_consistent();
    fixture.changed(vec![delete("a")]);
    assert_eq!(fixture.value("b", "invited_by"), None);
    assert_eq!(keys(&fixture, "referred_by(ALL)"), Vec::<String>::new());
    fixture.check_consistent();
    fixture.define("DROP ATTRIBUTE invited_by").unwrap();
    let unknown = run(&fixture, "COUNT count(invited) > 0").unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::UnknownName);
    fixture.check_consistent();
}

#[test]
fn chains_have_an_end() {
    let fixture = fixture();
    let chain = |from: usize, to: usize| -> Vec<Mutation> {
        let link = |n: usize| invite(&format!("u{}", n + 1), &format!("u{n}"));
        (from..to).map(link).collect()
    };
    fixture.changed(chain(0, 1000));
    let refusal = fixture.write(chain(1000, 1001));
    refused(refusal, ErrorCode::LimitExceeded, "at most 1000 users");
    fixture.check_consistent();
}

#[test]
fn those_whom_an_expression_finds_are_invited_one_by_one() {
    let fixture = fixture();
    fixture.changed(vec![
        tag("a", &["vip"]),
        tag("b", &["vip"]),
        tag("c", &["vip"]),
        invite("c", "b"),
        ensure("d"),
    ]);
    let check = |statement: &str, way: &str| {
        let refusal = run(&fixture, statement).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::Conflict, "{refusal}");
        assert!(refusal.to_string().contains(way), "{refusal}");
    };
    // Whoever of them comes first: one of them is the inviter, or stands below it.
    for (inviter, way) in [("a", "a → a"), ("b", "b → b")] {
        let statement = format!("SET WHERE user:(a, b) invited_by = {inviter}");
        check(&statement, way);
    }
    check("SET WHERE user:(b, d) invited_by = c", "b → c → b");
    assert_eq!(keys(&fixture, "referred_by(ALL)"), ["c"]);
    // Who invited is a user from then on, once, whatever the key looks like.
    let mut sink = Collected::default();
    let parameters = Parameters::default();
    let summary = fixture.db().execute(
        "SET WHERE user:(a, b, d) invited_by = 7",
        &parameters,
        &Budget::unlimited(),
        &mut sink,
    );
    let summary = summary.unwrap();
    assert_eq!((summary.users_changed, summary.facts_changed), (4, 3));
    assert_eq!(keys(&fixture, "referred_by(user:\"7\")"), ["a", "b", "d"]);
    assert_eq!(keys(&fixture, "inviter_of(tag:vip)"), ["7", "b"]);
    fixture.check_consistent();
    // A deletion of those who are found takes them away again.
    run(&fixture, "DELETE USER \"7\"").unwrap();
    assert_eq!(keys(&fixture, "referred_by(ALL)"), ["c"]);
    fixture.check_consistent();
}

#[test]
fn of_two_who_say_at_once_that_they_invited_each_other_one_is_refused() {
    let fixture = fixture();
    let (started, start) = std::sync::mpsc::sync_channel(1);
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        let fixture = &fixture;
        // Holds the writer, so that the others wait together.
        scope.spawn(move || {
            fixture.db().write_where(move |_| {
                started.send(()).unwrap();
                released.recv().unwrap();
                Ok(Vec::new())
            })
        });
        start.recv().unwrap();
        let pairs = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")];
        let writes = pairs
            .map(|(user, inviter)| scope.spawn(move || fixture.write(vec![invite(user, inviter)])));
        let rows = [[("x", Some("y"))], [("y", Some("x"))]];
        let loads = rows.map(|rows| scope.spawn(move || fixture.db().load(load(&rows))));
        release.send(()).unwrap();
        let refusals = |results: Vec<Result<Summary, Error>>| {
            let refused: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
            refused.iter().map(Error::code).collect::<Vec<_>>()
        };
        let writes = writes.map(|write| write.join().unwrap());
        assert_eq!(refusals(writes.into()), [ErrorCode::Conflict]);
        let loads = loads.map(|load| load.join().unwrap());
        assert_eq!(refusals(loads.into()), [ErrorCode::Conflict]);
    });
    assert_eq!(keys(&fixture, "referred_by(ALL)").len(), 4);
    fixture.check_consistent();
}

fn load(rows: &[(&str, Option<&str>)]) -> LoadRequest {
    let mut dictionary = Vec::new();
    let mut code = |inviter: &Option<&str>| match inviter {
        Some(key) => {
            dictionary.push(text(key));
            dictionary.len() as u32
        }
        None => 0,
    };
    let codes = rows.iter().map(|(_, inviter)| code(inviter)).collect();
    LoadRequest {
        keys: rows.iter().map(|(key, _)| *key).collect(),
        columns: vec![LoadColumn::Coded {
            attribute: "invited_by".to_owned(),
            dictionary,
            codes,
        }],
        ..LoadRequest::default()
    }
}

#[test]
fn a_load_says_who_invited_whom() {
    let fixture = fixture();
    let rows = [
        ("a", None),
        ("b", Some("c")),
        ("c", Some("a")),
        ("d", Some("new")),
    ];
    fixture.db().load(load(&rows)).unwrap();
    assert_eq!(keys(&fixture, "descendants_of(user:a, 2)"), ["b", "c"]);
    assert_eq!(keys(&fixture, "inviter_of(user:d)"), ["new"]);
    let circle = [("x", Some("y")), ("y", Some("x"))];
    refused(
        fixture.db().load(load(&circle)),
        ErrorCode::Conflict,
        "y → x → y",
    );
    refused(
        fixture.db().load(load(&[("a", Some("b"))])),
        ErrorCode::Conflict,
        "a → b → c → a",
    );
    assert_eq!(fixture.location("x"), None);
    // Numbers are keys, too.
    let numbers = LoadRequest {
        keys: ["e", "f"].into_iter().collect(),
        columns: vec![LoadColumn::Numbers {
            attribute: "invited_by".to_owned(),
            form: NumberForm::Integer,
            present: vec![0b10],
            numbers: vec![7],
        }],
        ..LoadRequest::default()
    };
    fixture.db().load(numbers).unwrap();
    assert_eq!(keys(&fixture, "referred_by(user:\"7\")"), ["f"]);
    fixture.check_consistent();
}

/// What a request does to users 0 to 5.
#[derive(Debug, Clone)]
enum Step {
    Invite(u8, u8),
    Delete(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..6, 0_u8..6).prop_map(|(user, inviter)| Step::Invite(user, inviter)),
        1 => (0_u8..6).prop_map(Step::Delete),
    ]
}

/// Living users and their inviters.
type Model = BTreeMap<u8, Option<u8>>;

/// The same in the plainest way; `None` when it is refused.
fn modelled(model: &Model, steps: &[Step]) -> Option<Model> {
    let mut model = model.clone();
    for step in steps {
        match step {
            Step::Invite(user, inviter) => {
                model.entry(*inviter).or_default();
                let mut above = Some(*inviter);
                while let Some(next) = above {
                    if next == *user {
                        return None;
                    }
                    above = model.get(&next).copied().flatten();
                }
                let link = model.entry(*user).or_default();
                if link.is_some_and(|known| known != *inviter) {
                    return None;
                }
                *link = Some(*inviter);
            }
            Step::Delete(user) => {
                model.remove(user);
                let of_user = |link: &&mut Option<u8>| **link == Some(*user);
                model
                    .values_mut()
                    .filter(of_user)
                    .for_each(|link| *link = None);
            }
        }
    }
    Some(model)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn requests_do_what_they_say(
        requests in prop::collection::vec(prop::collection::vec(step(), 1..5), 1..8),
    ) {
        let fixture = fixture();
        let mut model = Model::new();
        for steps in requests {
            let mutations = steps.iter().map(|step| match step {
                Step::Invite(user, inviter) => invite(&user.to_string(), &inviter.to_string()),
                Step::Delete(user) => delete(&user.to_string()),
            });
            let done = fixture.write(mutations.collect());
            let expected = modelled(&model, &steps);
            prop_assert_eq!(done.is_ok(), expected.is_some(), "{:?}", done);
            model = expected.unwrap_or(model);
            for (user, inviter) in &model {
                let stored = fixture.value(&user.to_string(), "invited_by");
                prop_assert_eq!(stored, inviter.map(|key| text(&key.to_string())));
            }
            let invited = model.values().flatten().count();
            prop_assert_eq!(keys(&fixture, "referred_by(ALL)").len(), invited);
            fixture.check_consistent();
        }
    }
}
