//! `DIMENSION`.

use std::cmp::Ordering;

use proptest::{prelude::*, sample::select};
use tessera_query_lang::ast::{self, Statement};

use super::{planned, resolver, statement};
use crate::{
    datum::{Datum, Row},
    error::{Error, ErrorCode},
    exec::{
        dataset::Dataset,
        dimension, naive,
        testing::{Bench, Collected, random},
    },
    plan::query::DimensionQuery,
};

const DIMS: [&str; 17] = [
    "gender",
    "active",
    "interests",
    "age",
    "age[0, 18, 19, 40]",
    "spend[-10, 0.5, 20]",
    "born[1970-01-01]",
    "born BY day",
    "born BY week",
    "born BY month",
    "seen BY quarter",
    "seen BY year",
    "tag",
    "tag:promo-*",
    "tag:(vip, new)",
    "group:promo",
    "group:empty",
];

const MEASURES: [&str; 14] = [
    "count",
    "share",
    "sum(age)",
    "avg(age)",
    "min(age)",
    "max(age)",
    "p50(age)",
    "p0(spend)",
    "p99(spend)",
    "sum(spend)",
    "avg(spend)",
    "min(born)",
    "max(seen)",
    "p25(seen)",
];

pub(super) fn resolved(bench: &Bench, text: &str, filter: &ast::Expr) -> DimensionQuery {
    let Statement::Dimension(mut dimension) = statement(text) else {
        panic!("{text} is no dimension")
    };
    dimension.filter = filter.clone();
    let resolved = resolver(&bench.dataset).dimension(&dimension);
    resolved.unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(super) fn run(bench: &Bench, query: &DimensionQuery) -> Result<Vec<Row>, Error> {
    let plan = planned(bench, query.filter.clone());
    let mut sink = Collected::default();
    let rows = dimension::run(bench.context(), &plan, query, &mut sink)?;
    assert_eq!(rows, sink.rows.len() as u64);
    assert!(
        sink.header
            .is_some_and(|header| header.columns.len() == query.dims.len() + query.measures.len())
    );
    Ok(sink.rows)
}

pub(super) fn unordered(rows: Vec<Row>) -> Vec<String> {
    let mut rows: Vec<String> = rows.into_iter().map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn dimensions_agree_with_the_oracle(
        dataset in random::dataset(),
        filter in random::expr(),
        dims in prop::sample::subsequence(DIMS.to_vec(), 1..4).prop_shuffle(),
        measures in prop::collection::vec(select(&MEASURES), 1..5),
    ) {
        let bench = Bench::new(dataset);
        let text = format!("DIMENSION {} MEASURE {}", dims.join(", "), measures.join(", "));
        let query = resolved(&bench, &text, &filter);
        let users = naive::users(&*bench.dataset, &query.filter).expect("memory does not fail");
        let expected = naive::dimension::rows(bench.dataset.schema(), &query, &users);
        let rows = run(&bench, &query).expect("memory does not fail");
        prop_assert_eq!(unordered(rows), unordered(expected), "{}", text);
    }

    #[test]
    fn conditions_order_and_top_choose_among_the_groups(
        dataset in random::dataset(),
        dim in select(&DIMS),
        top in 1_usize..6,
        count in 0_i64..6,
    ) {
        let bench = Bench::new(dataset);
        let all = run(&bench, &resolved(&bench, &format!("DIMENSION {dim} MEASURE count, sum(age)"), &ast::Expr::All));
        let text = format!(
            "DIMENSION {dim} MEASURE count, sum(age) HAVING count >= {count} AND NOT sum(age) > 30 \
             ORDER BY sum(age) DESC, count TOP {top}"
        );
        let chosen = run(&bench, &resolved(&bench, &text, &ast::Expr::All)).expect("memory does not fail");
        let sum = |row: &Row| match &row[2] {
            Datum::Integer(sum) => Some(i128::from(*sum)),
            Datum::Decimal { units, .. } => Some(*units),
            _ => None,
        };
        let count_of = |row: &Row| match row[1] { Datum::Integer(count) => count, _ => -1 };
        let mut expected: Vec<Row> = all.expect("memory does not fail");
        expected.retain(|row| count_of(row) >= count && sum(row).is_none_or(|sum| sum <= 30));
        let order = |left: &Row, right: &Row| match (sum(left), sum(right)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => right.cmp(&left),
        };
        expected.sort_by(|left, right| order(left, right).then(count_of(left).cmp(&count_of(right))));
        expected.truncate(top);
        // Ties beyond the measures are checked by name elsewhere.
        let key = |row: &Row| (sum(row), count_of(row));
        prop_assert_eq!(chosen.iter().map(key).collect::<Vec<_>>(), expected.iter().map(key).collect::<Vec<_>>());
    }
}

/// Ten users: genders f, f, f, m, m, x and four without; ages 10, 20, … 100.
pub(super) fn people() -> Bench {
    use crate::{
        exec::testing::memory::{MemoryDataset, User},
        ids::{Location, PartitionId, TagId, UserId, ValueCode},
        storage::{StoredValue, UserRecord},
    };
    let user = |index: u32| {
        let mut record = UserRecord::default();
        let gender = [0, 0, 0, 1, 1, 2]
            .get(index as usize)
            .map(|code| StoredValue::Code(ValueCode(*code)));
        record.set_value(random::GENDER, gender);
        record.set_value(
            random::AGE,
            Some(StoredValue::Number(i64::from(index) * 10 + 10)),
        );
        record.set_value(
            random::BORN,
            (index > 7).then(|| StoredValue::Number(i64::from(index) * 40)),
        );
        if index < 2 {
            record.add_tag(TagId(1));
            record.add_tag(TagId(2));
        }
        let partition = PartitionId((index % 3) as u16);
        User {
            key: format!("u{index}"),
            location: Location {
                partition,
                user: UserId(index),
            },
            record,
        }
    };
    Bench::new(MemoryDataset::new(
        random::schema(),
        random::PARTITIONS,
        (0..10).map(user).collect(),
    ))
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

#[test]
fn groups_come_in_the_promised_order() {
    let bench = people();
    let check = |query: &str, expected: &[(Datum, i64)]| {
        let query = resolved(&bench, query, &ast::Expr::All);
        let rows = run(&bench, &query).expect("memory does not fail");
        let expected: Vec<Row> = expected
            .iter()
            .map(|(dim, count)| vec![dim.clone(), Datum::Integer(*count)])
            .collect();
        assert_eq!(rows, expected);
    };
    let count = "MEASURE count";
    check(
        &format!("DIMENSION gender {count}"),
        &[
            (Datum::Null, 4),
            (text("f"), 3),
            (text("m"), 2),
            (text("x"), 1),
        ],
    );
    check(
        &format!("DIMENSION gender {count} ORDER BY gender DESC"),
        &[
            (text("x"), 1),
            (text("m"), 2),
            (text("f"), 3),
            (Datum::Null, 4),
        ],
    );
    check(
        &format!("DIMENSION age[18, 25, 55] {count}"),
        &[
            (text("<18"), 1),
            (text("18..24"), 1),
            (text("25..54"), 3),
            (text(">=55"), 5),
        ],
    );
    check(
        &format!("DIMENSION born BY year {count}"),
        &[(text("1970"), 2), (Datum::Null, 8)],
    );
    check(
        &format!("DIMENSION group:promo {count}"),
        &[(Datum::Null, 8), (text("promo-a"), 2), (text("promo-b"), 2)],
    );
    check(
        &format!("DIMENSION gender {count} TOP 1"),
        &[(Datum::Null, 4)],
    );
    check(
        &format!("DIMENSION gender {count} HAVING share = 0.2"),
        &[(text("m"), 2)],
    );
    check(
        &format!("DIMENSION gender {count} HAVING avg(age) < 20.5"),
        &[(text("f"), 3)],
    );
    check(
        &format!("DIMENSION gender {count} HAVING max(born) <= 1971-01-01"),
        &[(Datum::Null, 4)],
    );
}

#[test]
fn dims_with_one_name_are_told_apart() {
    let bench = people();
    let check = |text: &str, expected: &[&str]| {
        let query = resolved(&bench, text, &ast::Expr::All);
        let names: Vec<&str> = query.dims.iter().map(|dim| dim.name.as_str()).collect();
        assert_eq!(names, expected, "{text}");
    };
    check("DIMENSION born BY month, age", &["born", "age"]);
    check(
        "DIMENSION born BY month, age, born BY year ORDER BY born DESC",
        &["born BY month", "age", "born BY year"],
    );
    check("DIMENSION age, age[18, 30]", &["age", "age[18, 30]"]);
    check(
        "DIMENSION tag:promo-*, group:promo, tag",
        &["tag:promo-*", "group:promo", "tag"],
    );
}

#[test]
fn limits_are_errors() {
    let mut bench = people();
    bench.limits.groups_max = 2;
    let code = |bench: &Bench, query: &str| {
        run(bench, &resolved(bench, query, &ast::Expr::All))
            .map_err(|error| error.code())
            .map(|rows| rows.len())
    };
    assert_eq!(
        code(&bench, "DIMENSION gender"),
        Err(ErrorCode::LimitExceeded)
    );
    assert_eq!(code(&bench, "DIMENSION age"), Err(ErrorCode::LimitExceeded));
    assert_eq!(code(&bench, "DIMENSION active"), Ok(1));
    bench.limits.groups_max = 100;
    bench.limits.group_bytes_max = 500;
    assert_eq!(
        code(&bench, "DIMENSION age MEASURE p50(age)"),
        Err(ErrorCode::LimitExceeded)
    );
}

#[test]
fn refused_dims_and_measures() {
    let bench = people();
    let check = |text: &str, expected: &str| {
        let Statement::Dimension(dimension) = statement(text) else {
            panic!("{text} is no dimension")
        };
        let error = resolver(&bench.dataset)
            .dimension(&dimension)
            .expect_err("it is refused");
        assert!(error.to_string().contains(expected), "{text}: {error}");
    };
    check("DIMENSION note", "not grouped");
    check("DIMENSION gender[1, 2]", "only numbers");
    check("DIMENSION age BY month", "calendar");
    check("DIMENSION age[18.5, 18.7]", "must rise");
    check("DIMENSION gender MEASURE sum(born)", "no sum");
    check("DIMENSION gender MEASURE sum(gender)", "only numbers");
    check("DIMENSION gender HAVING count > f", "is a number");
    check("DIMENSION gender ORDER BY age", "dim of this statement");
    check(
        "DIMENSION gender, active, age, spend, born, seen, tag",
        "more than 6 dims",
    );
}
