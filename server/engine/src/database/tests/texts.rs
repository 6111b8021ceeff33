//! The index of texts: walked either way from anywhere, and pages in its order.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::{
    exec::testing::Collected,
    ids::UserId,
    storage::{Heading, TextsFrom},
};

const TEXTS: [&str; 8] = ["", "\0", "\0a", "a", "a\0", "ab", "b", "\u{10ffff}"];

fn fixture() -> Fixture {
    Fixture::defined(&[
        "DEFINE ATTRIBUTE city TEXT",
        "DEFINE ATTRIBUTE note TEXT",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE TAG vip",
    ])
}

/// Everybody of a partition from a text on.
fn walked(
    fixture: &Fixture,
    partition: u16,
    heading: Heading,
    text: Option<&str>,
    most: usize,
) -> Vec<(String, UserId)> {
    let view = fixture.db().view();
    let attribute = view.schema().attribute("note").unwrap().id;
    let from = TextsFrom {
        attribute,
        heading,
        text,
    };
    let mut found = Vec::new();
    view.walk_texts(PartitionId(partition), from, &mut |text, user| {
        found.push((text.to_owned(), user));
        match found.len() < most {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })
    .unwrap();
    found
}

#[test]
fn texts_are_walked_either_way_from_anywhere() {
    let fixture = fixture();
    let users = (0..64_usize).map(|index| (format!("u{index}"), TEXTS[index % TEXTS.len()]));
    let users: Vec<_> = users.collect();
    let sets = users.iter().flat_map(|(key, note)| {
        // Texts of another attribute lie on either side.
        [set(key, "note", text(note)), set(key, "city", text("x"))]
    });
    fixture.write(sets.collect()).unwrap();
    for partition in 0..4 {
        let here = users.iter().filter_map(|(key, note)| {
            let location = fixture.location(key).unwrap();
            let is_here = location.partition.0 == partition;
            is_here.then(|| ((*note).to_owned(), location.user))
        });
        let mut rising: Vec<(String, UserId)> = here.collect();
        rising.sort();
        let falling: Vec<_> = rising.iter().rev().cloned().collect();
        for from in TEXTS.map(Some).into_iter().chain([None]) {
            let after =
                |found: &&(String, UserId)| from.is_none_or(|from| found.0.as_str() >= from);
            let before =
                |found: &&(String, UserId)| from.is_none_or(|from| found.0.as_str() <= from);
            for most in [1, 5, usize::MAX] {
                let expected: Vec<_> = rising.iter().filter(after).take(most).cloned().collect();
                assert_eq!(
                    walked(&fixture, partition, Heading::Rising, from, most),
                    expected
                );
                let expected: Vec<_> = falling.iter().filter(before).take(most).cloned().collect();
                assert_eq!(
                    walked(&fixture, partition, Heading::Falling, from, most),
                    expected
                );
            }
        }
    }
}

/// The keys of all pages of a segment.
fn pages(fixture: &Fixture, statement: &str) -> Vec<String> {
    let (parameters, budget) = (Parameters::default(), Budget::unlimited());
    let mut keys = Vec::new();
    let mut statement = statement.to_owned();
    loop {
        let mut sink = Collected::default();
        let summary = fixture
            .db()
            .execute(&statement, &parameters, &budget, &mut sink);
        let cursor = summary.unwrap().cursor;
        keys.extend(sink.rows.into_iter().map(|row| format!("{:?}", row[0])));
        match cursor {
            Some(cursor) => statement = format!("FETCH {cursor:?}"),
            None => return keys,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_by_text_are_parts_of_the_whole(
        users in prop::collection::vec((prop::option::of(0..TEXTS.len()), 0_i64..3, any::<bool>()), 1..60),
        limit in 1_u64..20,
    ) {
        let fixture = fixture();
        let mut sets = Vec::new();
        for (index, (note, age, is_vip)) in users.iter().enumerate() {
            let key = format!("u{index}");
            sets.push(set(&key, "age", Datum::Integer(*age)));
            if *is_vip {
                sets.push(tag(&key, &["vip"]));
            }
            if let Some(note) = note {
                sets.push(set(&key, "note", text(TEXTS[*note])));
            }
        }
        fixture.write(sets).unwrap();
        for order in ["note", "note DESC", "note, age DESC", "note DESC, KEY", "note, note DESC, age"] {
            for filter in ["ALL", "tag:vip", "NOT tag:vip AND age > 0"] {
                let statement = format!("SEGMENT {filter} RETURN KEY ORDER BY {order}");
                // Without a limit records are read.
                let all = pages(&fixture, &statement);
                let paged = pages(&fixture, &format!("{statement} LIMIT {limit}"));
                prop_assert_eq!(paged, all, "{}", statement);
            }
        }
    }
}
