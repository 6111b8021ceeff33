//! Questions about inviters, alone, in each other and among others, against the oracle.

use proptest::prelude::*;
use tessera_query_lang::{
    ast::{self, Comparison, RangeTest, Referral, Spanned, Value},
    parse_expr,
};

use super::{planned, resolved, resolver, statement};
use crate::{
    budget::{Budget, CancelFlag},
    datum::Datum,
    error::Error,
    exec::{
        count::count,
        dataset::Dataset,
        dimension,
        limits::QueryLimitError,
        naive, planner,
        testing::{Bench, Collected, memory::MemoryDataset, memory::User, random},
    },
    ids::{Location, PartitionId, TagId, UserId},
    plan::ResolveError,
    storage::{StoredValue, UserRecord},
};

fn referral(of: ast::Expr, kind: u32) -> ast::Expr {
    let referral = match kind {
        0 => Referral::ReferredBy(of),
        1 => Referral::InviterOf(of),
        steps => Referral::DescendantsOf(of, Spanned::synthetic(steps - 1)),
    };
    ast::Expr::Referral(Box::new(Spanned::synthetic(referral)))
}

fn invited(test: RangeTest) -> ast::Expr {
    ast::Expr::Referral(Box::new(Spanned::synthetic(Referral::Invited(test))))
}

fn any_invited() -> impl Strategy<Value = ast::Expr> {
    let comparison = prop::sample::select(&[
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ]);
    let number = || (-1_i64..4).prop_map(|count| Spanned::synthetic(Value::Integer(count)));
    prop_oneof![
        (comparison, number()).prop_map(|(is, count)| invited(RangeTest::Compare(is, count))),
        (prop::option::of(number()), prop::option::of(number()))
            .prop_map(|(low, high)| { invited(RangeTest::Between { low, high }) }),
    ]
}

/// Questions about inviters of others, up to three in each other.
fn any_expr() -> impl Strategy<Value = ast::Expr> {
    let leaf = prop_oneof![3 => random::expr(), 1 => any_invited()];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let several = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            4 => (inner.clone(), 0_u32..5).prop_map(|(of, kind)| referral(of, kind)),
            1 => inner.clone().prop_map(|of| ast::Expr::Not(Box::new(of))),
            1 => several().prop_map(ast::Expr::And),
            1 => several().prop_map(ast::Expr::Or),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn counts_agree_with_the_oracle(dataset in random::dataset(), expr in any_expr()) {
        let bench = Bench::new(dataset);
        let expr = resolved(&bench.dataset, &expr);
        let expected = naive::users(&*bench.dataset, &expr).expect("memory does not fail");
        let plan = planned(&bench, expr);
        let found = count(bench.context(), &plan).expect("memory does not fail");
        prop_assert_eq!(found, expected.len() as u64, "{:?}", plan);
    }

    #[test]
    fn inviters_are_a_dim(dataset in random::dataset(), filter in random::expr()) {
        let bench = Bench::new(dataset);
        for text in ["DIMENSION invited_by", "DIMENSION gender, invited_by MEASURE count, sum(age)"] {
            let mut written = match statement(text) {
                ast::Statement::Dimension(written) => written,
                other => panic!("{other:?}"),
            };
            written.filter = filter.clone();
            let query = resolver(&bench.dataset).dimension(&written).expect("it resolves");
            let users = naive::users(&*bench.dataset, &query.filter).expect("memory does not fail");
            let expected = naive::dimension::rows(bench.dataset.schema(), &query, &users);
            let plan = planned(&bench, query.filter.clone());
            let mut sink = Collected::default();
            dimension::run(bench.context(), &plan, &query, &mut sink).expect("memory does not fail");
            let sorted = |rows: Vec<Vec<Datum>>| {
                let mut rows: Vec<String> = rows.into_iter().map(|row| format!("{row:?}")).collect();
                rows.sort();
                rows
            };
            prop_assert_eq!(sorted(sink.rows), sorted(expected), "{}", text);
        }
    }
}

/// So many users in two partitions, each but the first invited by the one whose number is a third
/// of theirs; every hundredth has a tag.
fn tree(users: u32) -> Bench {
    let user = |number: u32| {
        let mut record = UserRecord::default();
        if number > 0 {
            let inviter = StoredValue::Text(format!("u{}", number / 3));
            record.set_value(random::INVITED_BY, Some(inviter));
        }
        if number.is_multiple_of(100) {
            record.add_tag(TagId(0));
        }
        User {
            key: format!("u{number}"),
            location: Location {
                partition: PartitionId((number % 2) as u16),
                user: UserId(number / 2 * 37),
            },
            record,
        }
    };
    let people = (0..users).map(user).collect();
    Bench::new(MemoryDataset::new(
        random::schema(),
        random::PARTITIONS,
        people,
    ))
}

fn counted(bench: &Bench, text: &str) -> Result<u64, Error> {
    let parsed = parse_expr(text, &tessera_query_lang::Limits::default());
    let expr = resolved(&bench.dataset, &parsed.expect("it parses"));
    count(bench.context(), &planner::plan(bench.context(), expr)?)
}

#[test]
fn few_inviters_are_looked_up_and_many_are_gone_through() {
    let bench = tree(9_000);
    let check = |text: &str, expected: u64| {
        assert_eq!(counted(&bench, text).ok(), Some(expected), "{text}");
    };
    // One inviter in three partitions: less work than going through nine thousand.
    check("referred_by(user:u100)", 3);
    check("descendants_of(user:u100, 2)", 12);
    check(
        "descendants_of(user:u1, 10)",
        3 + 9 + 27 + 81 + 243 + 729 + 2187 + 3 * (3000 - 2187),
    );
    check("referred_by(tag:vip)", 3 * 30 - 1);
    check("referred_by(ALL)", 8_999);
    check("inviter_of(ALL)", 3_000);
    check("inviter_of(user:(u3, u4, u9))", 2);
    check("count(invited) >= 3", 2_999);
    check("count(invited) = 2", 1);
    check("count(invited) < 3", 6_001);
    check("count(invited):0..2", 6_001);
    check("count(invited) != 0", 3_000);
    check("count(invited) >= 0", 9_000);
    check("count(invited) = 1.5", 0);
    check("referred_by(referred_by(user:u100))", 9);
    check("NOT inviter_of(ALL) AND referred_by(NOT tag:vip)", 5_940);
}

#[test]
fn memory_and_nesting_are_limited() {
    let mut bench = tree(300);
    let nested = |depth: usize| format!("{}ALL{}", "referred_by(".repeat(depth), ")".repeat(depth));
    assert!(counted(&bench, &nested(8)).is_ok());
    let limits = tessera_query_lang::Limits::default();
    let parsed = parse_expr(&nested(9), &limits).expect("it parses");
    let refused = resolver(&bench.dataset).expr(&parsed);
    assert!(
        matches!(refused, Err(ResolveError::TooMany { max: 8, .. })),
        "{refused:?}"
    );
    bench.limits.behaviour_bytes_max = 10_000;
    for text in ["referred_by(ALL)", "count(invited) > 1"] {
        let refused = counted(&bench, text);
        let is_limit = matches!(
            refused,
            Err(Error::QueryLimit(QueryLimitError::ReferralBytes {
                max: 10_000
            }))
        );
        assert!(is_limit, "{text}: {refused:?}");
    }
}

#[test]
fn a_budget_that_is_used_up_ends_it() {
    let mut bench = tree(300);
    let cancel = CancelFlag::new();
    cancel.raise();
    bench.budget = Budget::with_cancel(cancel);
    for text in [
        "referred_by(user:u1)",
        "inviter_of(ALL)",
        "count(invited) > 1",
    ] {
        assert!(
            matches!(counted(&bench, text), Err(Error::Cancelled)),
            "{text}"
        );
    }
}
