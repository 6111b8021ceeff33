//! `SEGMENT`: streams, orders, samples and pages.

use std::{cmp::Ordering, sync::Arc, time::Duration};

use proptest::{option, prelude::*, sample::select};
use tessera_query_lang::ast::{self, Direction, Statement};

use super::{planned, resolver, statement};
use crate::{
    budget::{Budget, CancelFlag},
    datum::{Datum, Row},
    error::{Error, ErrorCode},
    exec::{
        dataset::Dataset,
        naive,
        scan::{ShardScan, Unit},
        segment::{Place, PreparedSegment},
        testing::{Bench, Collected, crowd::crowd, random},
    },
    ids::{PartitionId, ShardId},
    plan::{
        logical::Expr,
        query::{FieldKind, SegmentQuery},
    },
    schema::Schema,
    time::ManualClock,
};

const FIELDS: [&str; 9] = [
    "gender",
    "age",
    "spend",
    "born",
    "seen",
    "active",
    "note",
    "invited_by",
    "KEY",
];

fn resolved(bench: &Bench, text: &str, filter: &ast::Expr) -> SegmentQuery {
    let Statement::Segment(mut segment) = statement(text) else {
        panic!("{text} is no segment")
    };
    segment.filter = filter.clone();
    resolver(&bench.dataset)
        .segment(&segment)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn prepared(bench: &Bench, query: &SegmentQuery) -> PreparedSegment {
    PreparedSegment {
        plan: planned(bench, query.filter.clone()),
        returns: query.returns.clone(),
        order: query.order.clone(),
        sample: query.sample,
    }
}

/// All rows, page by page; no page is longer than the limit, and none but the last is shorter.
fn pages(bench: &Bench, query: &SegmentQuery) -> Result<Vec<Row>, Error> {
    let segment = prepared(bench, query);
    let mut rows = Vec::new();
    let mut place: Option<Place> = None;
    loop {
        let mut sink = Collected::default();
        let page = segment.run(bench.context(), place.as_ref(), query.limit, &mut sink)?;
        assert_eq!(page.rows, sink.rows.len() as u64);
        rows.extend(sink.rows);
        match page.next {
            None => return Ok(rows),
            Some(next) => {
                assert_eq!(
                    Some(page.rows),
                    query.limit,
                    "a page with a next one is full"
                );
                place = Some(next);
            }
        }
    }
}

/// Places of enum values by name; otherwise values compare as they are.
fn compare(left: &Datum, right: &Datum) -> Ordering {
    match (left, right) {
        (Datum::Text(left), Datum::Text(right)) => left.cmp(right),
        (Datum::Boolean(left), Datum::Boolean(right)) => left.cmp(right),
        (Datum::Integer(left), Datum::Integer(right)) => left.cmp(right),
        (Datum::Decimal { units: left, .. }, Datum::Decimal { units: right, .. }) => {
            left.cmp(right)
        }
        (Datum::Date(left), Datum::Date(right)) => left.cmp(right),
        (Datum::Timestamp(left), Datum::Timestamp(right)) => left.cmp(right),
        _ => Ordering::Equal,
    }
}

fn naive_field(schema: &Schema, field: &FieldKind, user: &naive::Found) -> Datum {
    match field {
        FieldKind::Tags { at_s, .. } => {
            let name = |tag| {
                schema
                    .tag_by_id(tag)
                    .map(|tag| tag.name.as_str().to_owned())
            };
            let held = user.record.tags.iter();
            let held = held.filter(|tag| user.record.holds(**tag, *at_s));
            let mut names: Vec<String> = held.filter_map(|tag| name(*tag)).collect();
            names.sort();
            Datum::List(names)
        }
        FieldKind::Attribute(id) => {
            let attribute = schema.attribute_by_id(*id).expect("it is defined");
            user.record
                .value(*id)
                .map_or(Datum::Null, |value| schema.datum(attribute, value))
        }
    }
}

fn naive_rows(bench: &Bench, query: &SegmentQuery, order: &[(usize, Direction)]) -> Vec<Row> {
    let users = naive::users(&*bench.dataset, &query.filter).expect("memory does not fail");
    let fields = |user: &naive::Found| {
        let fields = query
            .returns
            .iter()
            .map(|field| naive_field(bench.dataset.schema(), &field.kind, user));
        std::iter::once(Datum::Text(user.key.clone()))
            .chain(fields)
            .collect()
    };
    let sampled = users
        .iter()
        .filter(|user| query.sample.is_none_or(|sample| sample.keeps(&user.key)));
    let mut rows: Vec<Row> = sampled.map(fields).collect();
    rows.sort_by(|left, right| {
        let one = |(column, direction): &(usize, Direction)| {
            let (left, right) = (&left[*column], &right[*column]);
            match (left == &Datum::Null, right == &Datum::Null, direction) {
                (true, true, _) => Ordering::Equal,
                (true, false, _) => Ordering::Greater,
                (false, true, _) => Ordering::Less,
                (false, false, Direction::Ascending) => compare(left, right),
                (false, false, Direction::Descending) => compare(right, left),
            }
        };
        order.iter().map(one).fold(Ordering::Equal, Ordering::then)
    });
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn segments_agree_with_the_oracle(
        dataset in random::dataset(),
        filter in random::expr(),
        order in prop::collection::vec((select(&FIELDS), any::<bool>()), 0..3),
        sample in option::of((1_u8..=100, 0_u64..3)),
        limit in option::of(1_u64..9),
        wide in any::<bool>(),
    ) {
        let bench = Bench::new(dataset);
        // With the multi attribute and the tags fields come from records, without from columns.
        let narrow = ["gender", "age", "spend", "born", "seen", "active", "KEY"];
        let returned: &[&str] = if wide { &FIELDS } else { &narrow };
        let tail = if wide { ", interests, TAGS" } else { "" };
        let order: Vec<_> = order.into_iter().filter(|(field, _)| returned.contains(field)).collect();
        let mut text = format!("SEGMENT ALL RETURN {}{tail}", returned.join(", "));
        let mut columns = Vec::new();
        for (index, (field, is_descending)) in order.iter().enumerate() {
            let word = if *is_descending { "DESC" } else { "ASC" };
            text += &format!("{} {field} {word}", if index == 0 { " ORDER BY" } else { "," });
            // The key is the first column, wherever it is named.
            let column = match *field {
                "KEY" => 0,
                field => returned.iter().position(|returned| *returned == field).expect("it is returned") + 1,
            };
            columns.push((column, if *is_descending { Direction::Descending } else { Direction::Ascending }));
        }
        if let Some((percent, seed)) = sample {
            text += &format!(" SAMPLE {percent}% SEED {seed}");
        }
        if let Some(limit) = limit {
            text += &format!(" LIMIT {limit}");
        }
        let query = resolved(&bench, &text, &filter);
        let rows = pages(&bench, &query).expect("memory does not fail");
        prop_assert_eq!(rows, naive_rows(&bench, &query, &columns), "{}", text);
    }

    #[test]
    fn a_smaller_sample_is_part_of_a_greater_one(key in "\\PC{1,20}", seed in any::<u64>()) {
        let bench = Bench::new(crate::exec::testing::memory::MemoryDataset::new(random::schema(), 1, vec![]));
        let sample = |percent: &str| {
            let text = format!("SEGMENT ALL SAMPLE {percent}% SEED {seed}");
            resolved(&bench, &text, &ast::Expr::All).sample.expect("a sample")
        };
        prop_assert!(!sample("5").keeps(&key) || sample("10").keeps(&key));
        prop_assert!(sample("100").keeps(&key));
    }
}

#[test]
fn too_many_users_to_order_are_an_error() {
    let mut bench = super::dimensions::people();
    let run = |bench: &Bench, text: &str| {
        let query = resolved(bench, text, &ast::Expr::All);
        pages(bench, &query)
            .map(|rows| rows.len())
            .map_err(|error| error.code())
    };
    bench.limits.ordered_users_max = 9;
    assert_eq!(
        run(&bench, "SEGMENT ALL ORDER BY age"),
        Err(ErrorCode::LimitExceeded)
    );
    assert_eq!(
        run(&bench, "SEGMENT ALL ORDER BY age LIMIT 10"),
        Err(ErrorCode::LimitExceeded)
    );
    assert_eq!(run(&bench, "SEGMENT ALL ORDER BY age LIMIT 4"), Ok(10));
    assert_eq!(run(&bench, "SEGMENT ALL"), Ok(10));
    bench.limits.ordered_users_max = 10;
    assert_eq!(run(&bench, "SEGMENT ALL ORDER BY age"), Ok(10));
}

#[test]
fn what_users_are_ordered_by_is_limited_in_bytes() {
    use crate::{
        exec::testing::memory::{MemoryDataset, User},
        ids::{Location, PartitionId, UserId},
        storage::{StoredValue, UserRecord},
    };
    let user = |index: u32| {
        let mut record = UserRecord::default();
        let note = format!("{index:04}{}", "n".repeat(4_000));
        record.set_value(random::NOTE, Some(StoredValue::Text(note)));
        User {
            key: format!("u{index}"),
            location: Location {
                partition: PartitionId((index % 3) as u16),
                user: UserId(index),
            },
            record,
        }
    };
    let users = (0..300).map(user).collect();
    let mut bench = Bench::new(MemoryDataset::new(random::schema(), 3, users));
    let run = |bench: &Bench, text: &str| {
        let query = resolved(bench, text, &ast::Expr::All);
        pages(bench, &query)
            .map(|rows| rows.len())
            .map_err(|error| error.code())
    };
    let all = "SEGMENT ALL ORDER BY note";
    // 1.2 MB of texts, 0.4 MB a shard: two threads' shards fit at once, all of them do not.
    bench.limits.ordered_bytes_max = 1_000_000;
    assert_eq!(run(&bench, all), Err(ErrorCode::LimitExceeded));
    // What cannot be among the first gives way before the query does.
    assert_eq!(run(&bench, &format!("{all} LIMIT 20")), Ok(300));
    bench.limits.ordered_bytes_max = 2_000_000;
    assert_eq!(run(&bench, all), Ok(300));
}

#[test]
fn a_cancelled_segment_ends() {
    let bench = super::dimensions::people();
    bench.budget.cancel_flag().raise();
    let query = resolved(&bench, "SEGMENT ALL", &ast::Expr::All);
    assert!(matches!(pages(&bench, &query), Err(Error::Cancelled)));
}

/// Looks at the blocks of one shard until it is stopped, and says how many it saw. `stop` is called
/// with each.
fn blocks_seen(bench: &Bench, stop: impl Fn(u32)) -> (u32, Result<(), Error>) {
    let plan = planned(bench, Expr::All);
    // Users who fill all of its blocks thinly.
    let unit = Unit {
        partition: PartitionId(2),
        shard: ShardId(0),
    };
    let mut seen = 0;
    let ended = ShardScan::open(bench.context(), &plan, unit).and_then(|mut shard| {
        shard.for_each_block(0, |_| {
            seen += 1;
            stop(seen);
            Ok::<(), Error>(())
        })
    });
    (seen, ended)
}

#[test]
fn a_scan_ends_within_a_shard() {
    let mut bench = Bench::new(crowd(5, 60_000, 0));
    let (all, ended) = blocks_seen(&bench, |_| {});
    assert!(ended.is_ok() && all > 4, "{all} blocks: {ended:?}");

    let clock = Arc::new(ManualClock::default());
    let deadline = Duration::from_millis(5);
    bench.budget = Budget::with_deadline(CancelFlag::new(), clock.clone(), deadline);
    let (seen, ended) = blocks_seen(&bench, |seen| {
        if seen == 3 {
            clock.advance(deadline);
        }
    });
    assert!(matches!(ended, Err(Error::DeadlineExceeded)), "{ended:?}");
    assert_eq!(seen, 3);

    bench.budget = Budget::unlimited();
    let flag = bench.budget.cancel_flag().clone();
    let (seen, ended) = blocks_seen(&bench, |seen| {
        if seen == 2 {
            flag.raise();
        }
    });
    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    assert_eq!(seen, 2);
}
