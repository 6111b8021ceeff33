//! Counts over crowded blocks, where rows are arrays, bitmaps and runs, by every level of the
//! kernels.

use std::sync::{LazyLock, Mutex, PoisonError};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use super::{planned, resolved};
use crate::{
    bitmap::for_each_level,
    datum::{Datum, Row},
    exec::{
        count::count,
        naive,
        segment::PreparedSegment,
        testing::{
            Bench, Collected,
            memory::{MemoryDataset, User},
            random,
        },
    },
    ids::{Location, PartitionId, TagId, UserId, ValueCode},
    plan::logical::{Expr, Leaf, Range},
    storage::{StoredValue, UserRecord},
};

const USERS: u32 = 90_000;
const EXPRESSIONS: usize = 60;

/// A number that looks random and is the same every time (SplitMix64).
fn scramble(seed: u64) -> u64 {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Two partitions with a full and a half block. Of the tags one is held by everybody in some
/// stretches, one by half, one by few, one by a handful and one by nearly all.
fn user(partition: u16, id: u32) -> User {
    let draw = |what: u64, below: u64| {
        scramble(u64::from(id) << 12 | u64::from(partition) << 8 | what) % below
    };
    let mut record = UserRecord::default();
    let holds = [
        (id / 3000).is_multiple_of(3),
        draw(1, 2) == 0,
        draw(2, 40) == 0,
        draw(3, 3000) == 0,
        draw(4, 50) != 0,
    ];
    for (tag, _) in (0..).zip(holds).filter(|(_, holds)| *holds) {
        record.add_tag(TagId(tag));
    }
    let mut set = |attribute, value| drop(record.set_value(attribute, Some(value)));
    set(
        random::GENDER,
        StoredValue::Code(ValueCode(draw(5, 3) as u32)),
    );
    if draw(6, 10) != 0 {
        let age = draw(7, 90) as i64 - i64::from(draw(8, 100) == 0) * 100;
        set(random::AGE, StoredValue::Number(age));
    }
    if (id / 1000).is_multiple_of(4) {
        set(
            random::SPEND,
            StoredValue::Number(draw(9, 4000) as i64 - 2000),
        );
    }
    User {
        key: format!("u{partition}-{id}"),
        location: Location {
            partition: PartitionId(partition),
            user: UserId(id),
        },
        record,
    }
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let users = (0..2).flat_map(|partition| (0..USERS).map(move |id| user(partition, id)));
    Bench::new(MemoryDataset::new(
        random::schema(),
        random::PARTITIONS,
        users.collect(),
    ))
});

/// One test at a time chooses the level.
static LEVEL: Mutex<()> = Mutex::new(());

fn check(expr: &Expr) {
    let users = naive::users(&*BENCH.dataset, expr).expect("memory does not fail");
    let plan = planned(&BENCH, expr.clone());
    let _alone = LEVEL.lock().unwrap_or_else(PoisonError::into_inner);
    for_each_level(|| {
        let counted = count(BENCH.context(), &plan).expect("memory does not fail");
        assert_eq!(counted, users.len() as u64, "{expr:?}");
        let found = BENCH
            .context()
            .map_shards(&plan, |mut shard| {
                let mut found = Vec::new();
                let unit = shard.unit;
                shard.for_each_block(0, |block| {
                    let user = |place| unit.shard.user(block.index << 16 | u32::from(place));
                    found.extend(
                        block
                            .users
                            .iter()
                            .map(|place| (unit.partition, user(place))),
                    );
                    Ok::<_, crate::error::Error>(())
                })?;
                Ok(found)
            })
            .expect("memory does not fail")
            .concat();
        let expected = users
            .iter()
            .map(|user| (user.location.partition, user.location.user));
        assert!(found.into_iter().eq(expected), "{expr:?}");
    });
}

fn tag(id: u32) -> Expr {
    Leaf::Tag(TagId(id)).into()
}

fn age(low: i64, high: i64) -> Expr {
    Leaf::Range(random::AGE.into(), Range { low, high }).into()
}

#[test]
fn the_usual_questions_are_answered() {
    let female: Expr = Leaf::Value(random::GENDER, ValueCode(0)).into();
    let all = || (0..5).map(tag);
    let at_least = |threshold, of: Vec<Expr>| Expr::AtLeast { threshold, of };
    check(&Expr::And(vec![tag(1), tag(0).negated(), female.clone()]));
    check(&Expr::And(vec![tag(1), tag(4)]));
    check(&Expr::Or(all().take(4).collect()));
    check(&Expr::And(vec![age(25, 34), tag(2), tag(0).negated()]));
    check(&Expr::And(vec![age(25, 34), tag(3), tag(1).negated()]));
    check(&Expr::And(vec![
        tag(3),
        Expr::Or(vec![age(0, 9), female.clone()]),
    ]));
    check(&at_least(3, all().collect()));
    check(&at_least(2, vec![age(0, 30), age(20, 50), female, tag(2)]));
    check(&tag(1).negated());
    check(&Expr::Or(vec![tag(1), tag(0)]).negated());
    check(&age(i64::MIN, -1));
}

/// Users in one call and page by page.
fn keys(segment: &PreparedSegment, limit: Option<u64>) -> Vec<Row> {
    let mut keys = Vec::new();
    let mut next = None;
    loop {
        let mut sink = Collected::default();
        let page = segment
            .run(BENCH.context(), next.as_ref(), limit, &mut sink)
            .expect("memory does not fail");
        keys.extend(sink.rows);
        next = page.next;
        if next.is_none() {
            return keys;
        }
    }
}

#[test]
fn a_wrong_estimate_changes_no_segment() {
    for expr in [Expr::All, Expr::And(vec![tag(2), age(25, 34)])] {
        let users = naive::users(&*BENCH.dataset, &expr).expect("memory does not fail");
        let expected = || users.iter().map(|user| vec![Datum::Text(user.key.clone())]);
        // More users than a piece may have, and a block for each of them.
        for (estimate, limit) in [(0, None), (0, Some(70_000)), (u64::MAX, None)] {
            let mut segment = PreparedSegment {
                plan: planned(&BENCH, expr.clone()),
                returns: Vec::new(),
                order: Vec::new(),
                sample: None,
            };
            segment.plan.estimate = estimate;
            assert!(keys(&segment, limit).into_iter().eq(expected()), "{expr:?}");
        }
    }
}

#[test]
fn random_questions_are_answered() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..EXPRESSIONS {
        let expr = random::expr()
            .new_tree(&mut runner)
            .expect("an expression")
            .current();
        check(&resolved(&BENCH.dataset, &expr));
    }
}
