//! Writing statements become mutations.

use jiff::Timestamp;
use tessera_query_lang::ast::{Statement, Target};

use super::{dimensions::people, statement};
use crate::{
    datum::Datum,
    error::{Error, ErrorCode},
    exec::{
        change::{Change, Given},
        testing::Bench,
    },
    write::Mutation,
};

fn mutations(
    bench: &Bench,
    text: &str,
    parameters: Vec<(String, Datum)>,
) -> Result<Vec<Mutation>, Error> {
    let (target, change) = match statement(text) {
        Statement::Tag { target, tags } => (target, Change::Tag(tags)),
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
        where_users_max: 3,
    };
    match target {
        Target::Keys(keys) => change.of_keys(&*bench.dataset, &keys, &given),
        Target::Where(filter) => change.of_filter(&*bench.dataset, &filter, &given),
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
