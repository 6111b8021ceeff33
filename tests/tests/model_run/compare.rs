//! When two answers are the same.

use std::collections::{BTreeMap, BTreeSet};

use tessera_protocol::message::Datum;
use tessera_query_lang::ast::Segment;
use tessera_tests::model::{
    Model, User,
    answer::{SegmentRow, compare},
    value::shown,
};

/// Row by row, value by value; computed fractions up to rounding.
pub fn same_rows(found: &[Vec<Datum>], expected: &[Vec<Datum>]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| {
            found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| same(found, expected))
        })
}

fn same(found: &Datum, expected: &Datum) -> bool {
    match (found, expected) {
        (Datum::Real(found), Datum::Real(expected)) => {
            (found - expected).abs() <= 1e-9 * expected.abs().max(found.abs()).max(1e-300)
        }
        (found, expected) => found == expected,
    }
}

/// The rows are those expected, all of them where there is no sample, in an order that the
/// statement allows: users that it does not tell apart may come in any.
pub fn check_segment(segment: &Segment, expected: &[SegmentRow], found: &[Vec<Datum>], place: &str) {
    let by_key: BTreeMap<&str, &SegmentRow> = expected.iter().map(|row| (row.key.as_str(), row)).collect();
    let mut seen = BTreeSet::new();
    let mut previous: Option<&SegmentRow> = None;
    for row in found {
        let Some(Datum::Text(key)) = row.first() else { panic!("{place}: no key in {row:?}") };
        let Some(expected) = by_key.get(key.as_str()) else { panic!("{place}: {key} is not in it") };
        assert!(same_rows(std::slice::from_ref(row), std::slice::from_ref(&expected.row)), "{place}: {row:?} instead of {expected:?}");
        assert!(seen.insert(key), "{place}: {key} twice");
        if let Some(previous) = previous {
            assert!(compare(segment, previous, expected).is_le(), "{place}: {previous:?} before {expected:?}");
        }
        previous = Some(expected);
    }
    if segment.sample.is_none() {
        assert_eq!(found.len(), expected.len(), "{place}");
    }
}

/// All that is known of a user stands in the portrait, and nothing else.
pub fn check_portrait(model: &Model, user: &User, found: &[Vec<Datum>], place: &str) {
    let section = |wanted: &str| {
        found
            .iter()
            .filter(|row| row[0] == Datum::Text(wanted.to_owned()))
            .map(|row| (row[1].clone(), row[2].clone()))
            .collect::<Vec<_>>()
    };
    let text = |name: &String| Datum::Text(name.clone());
    let values: Vec<(Datum, Datum)> = user
        .values
        .iter()
        .map(|(name, held)| (text(name), shown(&model.attributes[name].kind, held)))
        .collect();
    assert_eq!(section("attribute"), values, "{place}");
    let tags: Vec<Datum> = user.tags.iter().map(text).collect();
    let found_tags: Vec<Datum> = section("tag").into_iter().map(|(name, _)| name).collect();
    assert_eq!(found_tags, tags, "{place}");
}
