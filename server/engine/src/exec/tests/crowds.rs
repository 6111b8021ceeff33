//! The fast paths against the oracle where users are many: every way to count groups, tags given
//! up, orders that pass users over.

use proptest::{prelude::*, sample::select};
use tessera_query_lang::ast::Statement;

use super::{planned, resolver, statement};
use crate::{
    datum::Row,
    error::{Error, ErrorCode},
    exec::{
        dataset::Dataset,
        dimension, naive,
        segment::{Place, PreparedSegment},
        testing::{
            Bench, Collected,
            crowd::crowd,
            memory::{MemoryDataset, User},
            random,
        },
    },
    ids::{Location, PartitionId, TagId, UserId},
    plan::query::DimensionQuery,
    storage::{StoredValue, UserRecord},
};

fn resolved(bench: &Bench, text: &str) -> DimensionQuery {
    let Statement::Dimension(dimension) = statement(text) else {
        panic!("{text} is no dimension")
    };
    let resolved = resolver(&bench.dataset).dimension(&dimension);
    resolved.unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn run(bench: &Bench, text: &str) -> Result<Vec<Row>, Error> {
    let query = resolved(bench, text);
    let plan = planned(bench, query.filter.clone());
    let mut sink = Collected::default();
    dimension::run(bench.context(), &plan, &query, &mut sink)?;
    Ok(sink.rows)
}

fn oracle(bench: &Bench, text: &str) -> Vec<Row> {
    let query = resolved(bench, text);
    let users = naive::users(&*bench.dataset, &query.filter).expect("memory does not fail");
    naive::dimension::rows(bench.dataset.schema(), &query, &users)
}

fn unordered(rows: Vec<Row>) -> Vec<String> {
    let mut rows: Vec<String> = rows.into_iter().map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn every_way_to_count_groups_agrees_with_the_oracle() {
    let bench = Bench::new(crowd(7, 9_000, 6));
    let measures = "MEASURE count, share, sum(spend), avg(age), min(born), max(seen), p50(age), \
                    p90(spend), p0(seen)";
    // Rows of a few values, vectors, vectors that grow, hash tables, and sets before columns.
    for dims in [
        "gender",
        "gender, active",
        "gender, age[18, 25, 35, 45]",
        "age",
        "spend",
        "spend[-10, 0, 100]",
        "age, spend",
        "born BY week, gender",
        "born BY month, born BY day",
        "seen BY month",
        "seen BY day, age[40]",
        "seen",
        "seen, spend, born, age",
        "tag:many-*",
        "tag:(vip, many-0), gender",
        "age, tag:(vip, many-0, many-1), born BY year",
    ] {
        for filter in [
            "ALL",
            "tag:many-3",
            "gender:f AND age >= 40",
            "tag:many-0 AND spend < -190",
        ] {
            let counts = format!("DIMENSION {dims} MEASURE count WHERE {filter}");
            let all = format!("DIMENSION {dims} {measures} WHERE {filter}");
            for text in [counts, all] {
                let rows = run(&bench, &text).expect("memory does not fail");
                assert!(
                    unordered(rows) == unordered(oracle(&bench, &text)),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn twenty_thousand_groups_are_right() {
    let bench = Bench::new(crowd(3, 40_000, 0));
    let text = "DIMENSION spend, gender MEASURE count, sum(age)";
    let rows = run(&bench, text).expect("memory does not fail");
    assert!(rows.len() > 20_000, "{}", rows.len());
    assert!(unordered(rows) == unordered(oracle(&bench, text)));
}

#[test]
fn sums_of_many_users_agree_with_the_oracle() {
    let bench = Bench::new(crowd(11, 24_000, 1));
    for dims in ["tag:vip", "tag:(vip, many-0)", "tag:vip, tag:many-0"] {
        let text = format!("DIMENSION {dims} MEASURE count, sum(spend), avg(age)");
        let rows = run(&bench, &text).expect("memory does not fail");
        assert_eq!(unordered(rows), unordered(oracle(&bench, &text)), "{text}");
    }
}

/// Where numbers come from, as `EXPLAIN` has it.
fn source(bench: &Bench, text: &str) -> &'static str {
    let query = resolved(bench, text);
    let plan = planned(bench, query.filter.clone());
    let source = dimension::explain(bench.context(), &plan, &query);
    source
        .expect("memory does not fail")
        .expect("numbers are measured")
}

#[test]
fn percentiles_over_slices_agree_with_the_oracle() {
    let bench = Bench::new(crowd(13, 56_000, 2));
    let check = |dims: &str, measures: &str, filter: &str| {
        let text = format!("DIMENSION {dims} MEASURE {measures} WHERE {filter}");
        assert!(source(&bench, &text).contains("one descent"), "{text}");
        let rows = run(&bench, &text).expect("memory does not fail");
        assert_eq!(unordered(rows), unordered(oracle(&bench, &text)), "{text}");
    };
    let many = "count, sum(spend), min(spend), max(spend), p25(spend), avg(age), p99(seen)";
    check("tag:vip", "p50(age)", "ALL");
    check("tag:vip", "p50(age), p90(age), p10(age)", "NOT tag:many-1");
    check(
        "tag:(vip, many-0)",
        "p0(spend), p100(spend), p50(born)",
        "ALL",
    );
    check("tag:vip, tag:many-1", many, "ALL");
    check("tag:vip, interests", many, "age < 60 OR gender:f");
}

#[test]
fn percentiles_of_a_part_that_misleads_are_right() {
    // Who is looked at first has small numbers, and nobody else.
    let user = |index: u32| {
        let word = index / 64;
        let is_sampled = word.is_multiple_of(4) && index % 16 == word / 4 * 5 % 16;
        let mut record = UserRecord::default();
        record.add_tag(TagId(0));
        let age = if is_sampled {
            1
        } else {
            100 + i64::from(index % 50)
        };
        record.set_value(random::AGE, Some(StoredValue::Number(age)));
        User {
            key: format!("u{index}"),
            location: Location {
                partition: PartitionId(0),
                user: UserId(index),
            },
            record,
        }
    };
    let users = (0..40_000).map(user).collect();
    let bench = Bench::new(MemoryDataset::new(
        random::schema(),
        random::PARTITIONS,
        users,
    ));
    let text = "DIMENSION tag:vip MEASURE p1(age), p50(age), p99(age)";
    assert!(source(&bench, text).contains("one descent"));
    let rows = run(&bench, text).expect("memory does not fail");
    assert_eq!(unordered(rows), unordered(oracle(&bench, text)));
}

#[test]
fn numbers_come_from_where_they_cost_least() {
    let bench = Bench::new(crowd(17, 34_000, 1));
    let check = |text: &str, expected: &str| {
        let found = source(&bench, text);
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check("DIMENSION gender MEASURE p50(age)", "columns");
    check("DIMENSION tag:vip MEASURE p50(age)", "bit slices");
    check("DIMENSION tag:vip MEASURE sum(age), max(age)", "bit slices");
    check(
        "DIMENSION tag:vip MEASURE p50(age) WHERE tag:many-0 AND age > 30",
        "columns",
    );
    check(
        "DIMENSION tag:vip MEASURE p50(age) WHERE NOT user:u1",
        "columns",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_first_tags_are_the_first_of_all(
        seed in any::<u64>(),
        users in 50_u32..3000,
        top in 1_usize..25,
        filter in select(&["ALL", "tag:many-2", "gender:f", "tag:vip AND spend > 0", "tag:many-60", "NOT tag:many-0"]),
        order in select(&["", "ORDER BY count DESC", "ORDER BY share DESC, tag DESC", "ORDER BY tag", "ORDER BY count", "HAVING count < 40"]),
    ) {
        let bench = Bench::new(crowd(seed, users, 150));
        let text = format!("DIMENSION tag:many-* MEASURE count, share {order} WHERE {filter}");
        let mut expected = run(&bench, &text).expect("memory does not fail");
        if order.is_empty() {
            prop_assert_eq!(unordered(expected.clone()), unordered(oracle(&bench, &text)));
        }
        expected.truncate(top);
        let text = text.replace(" WHERE", &format!(" TOP {top} WHERE"));
        prop_assert_eq!(run(&bench, &text).expect("memory does not fail"), expected, "{}", text);
    }

    #[test]
    fn pages_of_an_order_are_parts_of_the_whole(
        seed in any::<u64>(),
        order in select(&["age", "age DESC", "spend DESC, KEY", "gender DESC, age", "seen", "born DESC, spend", "active, KEY DESC", "note", "note DESC, age", "note, KEY DESC", "note DESC"]),
        limit in select(&[3_u64, 100, 700]),
        filter in select(&["ALL", "tag:many-0", "NOT gender:f"]),
    ) {
        let bench = Bench::new(crowd(seed, 6_000, 1));
        let segment = |text: String| {
            let Statement::Segment(segment) = statement(&text) else { panic!("{text} is no segment") };
            resolver(&bench.dataset).segment(&segment).unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        let query = segment(format!("SEGMENT {filter} RETURN KEY ORDER BY {order}"));
        let prepared = PreparedSegment {
            plan: planned(&bench, query.filter),
            returns: query.returns,
            order: query.order,
            sample: None,
        };
        let page = |after: Option<&Place>, limit| {
            let mut sink = Collected::default();
            let page = prepared.run(bench.context(), after, limit, &mut sink).expect("memory does not fail");
            (sink.rows, page.next)
        };
        // Without a limit nobody is passed over.
        let (all, _) = page(None, None);
        let (mut paged, mut next) = page(None, Some(limit));
        for _ in 0..3 {
            let Some(after) = next.take() else { break };
            let (rows, further) = page(Some(&after), Some(limit));
            paged.extend(rows);
            next = further;
        }
        prop_assert!(next.is_some() || paged.len() == all.len());
        prop_assert_eq!(&paged[..], &all[..paged.len()]);
    }
}

#[test]
fn a_walk_along_texts_that_leads_nowhere_is_given_up() {
    // The segment's users have the last texts, and there are enough of them to begin a walk.
    let user = |index: u32| {
        let mut record = UserRecord::default();
        let is_member = index.is_multiple_of(20);
        if is_member {
            record.add_tag(TagId(0));
        }
        let note = match is_member {
            true => format!("z{}", index * 7919 % 20_000),
            false => format!("a{index}"),
        };
        record.set_value(random::NOTE, Some(StoredValue::Text(note)));
        User {
            key: format!("u{index}"),
            location: Location {
                partition: PartitionId((index % 2) as u16),
                user: UserId(index),
            },
            record,
        }
    };
    let users = (0..24_000).map(user).collect();
    let bench = Bench::new(MemoryDataset::new(random::schema(), 2, users));
    let rows = |text: &str, limit: Option<u64>| {
        let Statement::Segment(segment) = statement(text) else {
            panic!("{text} is no segment")
        };
        let query = resolver(&bench.dataset)
            .segment(&segment)
            .expect("it resolves");
        let prepared = PreparedSegment {
            plan: planned(&bench, query.filter),
            returns: query.returns,
            order: query.order,
            sample: None,
        };
        let way = prepared
            .explain_order(bench.context(), limit)
            .expect("memory does not fail");
        let mut sink = Collected::default();
        let page = prepared.run(bench.context(), None, limit, &mut sink);
        page.expect("memory does not fail");
        (way.expect("it is ordered"), sink.rows)
    };
    for order in ["note", "note DESC"] {
        let text = format!("SEGMENT tag:vip ORDER BY {order}");
        let (way, all) = rows(&text, None);
        assert!(way.contains("records"), "{way}");
        let (way, first) = rows(&text, Some(30));
        assert!(way.contains("index"), "{way}");
        assert_eq!(first[..], all[..30], "{text}");
    }
}

#[test]
fn groups_that_need_too_much_memory_are_an_error() {
    let mut bench = Bench::new(crowd(5, 9_000, 150));
    let check = |bench: &Bench, text: &str| {
        let code = run(bench, text).map_err(|error| error.code());
        assert_eq!(code, Err(ErrorCode::LimitExceeded), "{text}");
    };
    bench.limits.group_bytes_max = 60_000;
    check(&bench, "DIMENSION spend");
    check(&bench, "DIMENSION seen, age MEASURE count, sum(spend)");
    check(&bench, "DIMENSION gender, age MEASURE p50(seen)");
    bench.limits.group_bytes_max = 2_000;
    check(&bench, "DIMENSION tag:many-*");
    bench.limits = crate::exec::limits::QueryLimits::default();
    bench.limits.groups_max = 5_000;
    check(&bench, "DIMENSION spend");
    check(&bench, "DIMENSION seen, age");
    assert_eq!(
        run(&bench, "DIMENSION gender").map(|rows| rows.len()).ok(),
        Some(4)
    );
}
