//! Writing statements become mutations.

use std::sync::Arc;

use jiff::Timestamp;
use tessera_query_lang::ast::{Statement, Target};

use super::{dimensions::people, statement};
use crate::{
    datum::Datum,
    error::{Error, ErrorCode},
    exec::{
        change::{Change, Given, WriteLimits},
        dataset::Dataset,
        scheduler::Scheduler,
        testing::Bench,
    },
    limits::Limits,
    time::SystemClock,
    user_keys::PackedKeys,
    write::Mutation,
};

fn mutations(
    bench: &Bench,
    text: &str,
    parameters: Vec<(String, Datum)>,
) -> Result<Vec<Mutation>, Error> {
    let writes = WriteLimits {
        where_users_max: 3,
        ..WriteLimits::from(&Limits::default())
    };
    mutations_within(bench, text, parameters, writes)
}

fn mutations_within(
    bench: &Bench,
    text: &str,
    parameters: Vec<(String, Datum)>,
    writes: WriteLimits,
) -> Result<Vec<Mutation>, Error> {
    let (target, change) = match statement(text) {
        Statement::Tag {
            target,
            tags,
            terms,
        } => (target, Change::Tag(tags, terms)),
        Statement::Untag { target, tags } => (target, Change::Untag(tags)),
        Statement::Set {
            target,
            assignments,
        } => (target, Change::Set(assignments)),
        Statement::DeleteUser(keys) => (Target::Keys(keys), Change::Delete),
        other => panic!("{other:?} does not write users"),
    };
    let given = Given {
        parameters: parameters.into(),
        now: Timestamp::UNIX_EPOCH,
        limits: bench.limits,
        budget: bench.budget.clone(),
        writes,
        scheduler: Arc::new(Scheduler::new(2, Arc::new(SystemClock::new()))),
        heard: Arc::default(),
    };
    match target {
        Target::Keys(keys) => change.of_keys(&*bench.dataset, &keys, &given),
        Target::Where(filter) => {
            let selected = change.of_filter(&*bench.dataset, &filter, &given)?;
            let mut keys = PackedKeys::new();
            for (partition, users) in &selected.users {
                bench.dataset.keys(*partition, users, &mut keys)?;
            }
            Ok(keys.iter().flat_map(selected.change).collect())
        }
    }
}

#[test]
fn statements_become_mutations() {
    let bench = people();
    let check = |text: &str, expected: Vec<Mutation>| {
        let found =
            mutations(&bench, text, Vec::new()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(found, expected, "{text}");
    };
    let user = |index: u32| format!("u{index}");
    let vip = || vec!["vip".to_owned()];
    check(
        "TAG \"u1\" WITH vip",
        vec![Mutation::Tag {
            user: user(1),
            tags: vip(),
        }],
    );
    check(
        "UNTAG \"u1\", \"u2\" WITH vip",
        [1, 2]
            .map(|index| Mutation::Untag {
                user: user(index),
                tags: vip(),
            })
            .into(),
    );
    // In storage order: partitions by index modulo three.
    check(
        "TAG WHERE gender:f WITH vip",
        [0, 1, 2]
            .map(|index| Mutation::Tag {
                user: user(index),
                tags: vip(),
            })
            .into(),
    );
    check(
        "DELETE USER \"u1\"",
        vec![Mutation::DeleteUser { user: user(1) }],
    );
    check(
        "SET \"u1\" age = 3, interests += golf, gender = MISSING, note = hi",
        vec![
            Mutation::Set {
                user: user(1),
                values: vec![("age".to_owned(), Datum::Integer(3))],
            },
            Mutation::Add {
                user: user(1),
                attribute: "interests".to_owned(),
                values: vec![Datum::Text("golf".to_owned())],
            },
            Mutation::Set {
                user: user(1),
                values: vec![
                    ("gender".to_owned(), Datum::Null),
                    ("note".to_owned(), Datum::Text("hi".to_owned())),
                ],
            },
        ],
    );
}

#[test]
fn refused_changes_say_why() {
    let bench = people();
    let check = |text: &str, parameters: Vec<(String, Datum)>, expected: ErrorCode| {
        let error = mutations(&bench, text, parameters).expect_err(text);
        assert_eq!(error.code(), expected, "{text}: {error}");
    };
    let one = || vec![("1".to_owned(), Datum::Integer(1))];
    check("TAG \"u1\" WITH vpi", vec![], ErrorCode::UnknownName);
    check("SET \"u1\" agee = 3", vec![], ErrorCode::UnknownName);
    check("TAG WHERE ALL WITH vip", vec![], ErrorCode::LimitExceeded);
    check(
        "TAG WHERE gender:z WITH vip",
        vec![],
        ErrorCode::UnknownName,
    );
    check("TAG \"u1\" WITH vip", one(), ErrorCode::TypeMismatch);
    check("TAG \"u1\" WITH $1", one(), ErrorCode::TypeMismatch);
    check("SET \"u1\" age = $1", vec![], ErrorCode::UnknownName);
    check("SET \"u1\" age = (1, 2)", vec![], ErrorCode::TypeMismatch);
}

#[test]
fn tags_are_given_once_and_the_last_of_equals_counts() {
    let bench = people();
    let tags = |text: &str| match mutations(&bench, text, Vec::new()).as_deref() {
        Ok([Mutation::Tag { tags, .. } | Mutation::Untag { tags, .. }]) => tags.join(" "),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(tags("TAG \"u1\" WITH vip, new, vip, vip"), "new vip");
    assert_eq!(tags("UNTAG \"u1\" WITH new, vip, new"), "vip new");
    let names = vec!["vip"; 3_000].join(", ");
    let keys: Vec<String> = (0..3_000).map(|n| format!("\"k{n}\"")).collect();
    let text = format!("TAG {} WITH {names}", keys.join(", "));
    let found = mutations(&bench, &text, Vec::new()).expect("within the limits");
    assert_eq!(found.len(), 3_000);
    assert!(
        found
            .iter()
            .all(|mutation| matches!(mutation, Mutation::Tag { tags, .. } if tags.len() == 1))
    );
}

#[test]
fn what_a_text_multiplies_is_limited_before_it_is_built() {
    let bench = people();
    let check = |text: &str, writes: WriteLimits, expected: Option<&str>| {
        let found = mutations_within(&bench, text, Vec::new(), writes);
        match (found, expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => {
                assert_eq!(error.code(), ErrorCode::LimitExceeded, "{text}");
                assert!(error.to_string().contains(expected), "{text}: {error}");
            }
            (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
        }
    };
    let all = WriteLimits::from(&Limits::default());
    let mutations_max = |mutations_max| WriteLimits {
        mutations_max,
        ..all
    };
    let bytes_max = |bytes_max| WriteLimits { bytes_max, ..all };
    let two_each = "SET \"a\", \"b\" interests += x, interests -= y";
    check(two_each, mutations_max(4), None);
    check(two_each, mutations_max(3), Some("this one has 4"));
    let long = format!("SET \"a\", \"b\" note = \"{}\"", "n".repeat(1_000));
    check(&long, bytes_max(10_000), None);
    check(&long, bytes_max(2_000), Some("at most 2000 bytes"));
    // Ten users are found.
    let tags = "TAG WHERE ALL WITH vip, new";
    check(tags, bytes_max(80), None);
    check(tags, bytes_max(79), Some("at most 79 bytes"));
    let texts = "SET WHERE ALL note = abcde, gender = f";
    check(texts, bytes_max(130), None);
    check(texts, bytes_max(129), Some("at most 129 bytes"));
    let values = "SET WHERE ALL interests += (golf, tennis)";
    check(values, bytes_max(80), None);
    check(values, bytes_max(79), Some("at most 79 bytes"));
}

#[test]
fn a_million_users_of_one_where_fit_the_default_limits() {
    let limits = WriteLimits::from(&Limits::default());
    let tags = limits.where_users_max as usize * size_of::<crate::ids::TagId>();
    assert!(tags as u64 <= limits.bytes_max);
}
