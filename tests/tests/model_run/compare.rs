//! When two answers are the same.

use std::collections::{BTreeMap, BTreeSet};

use tessera_protocol::message::Datum;
use tessera_query_lang::ast::Segment;
use tessera_tests::model::{
    Model,
    answer::{SegmentRow, compare},
    value::shown,
};

/// Row by row, value by value; computed fractions up to rounding.
pub(crate) fn same_rows(found: &[Vec<Datum>], expected: &[Vec<Datum>]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| {
            found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(found, expected)| same(found, expected))
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
pub(crate) fn check_segment(
    segment: &Segment,
    expected: &[SegmentRow],
    found: &[Vec<Datum>],
    place: &str,
) {
    let by_key: BTreeMap<&str, &SegmentRow> =
        expected.iter().map(|row| (row.key.as_str(), row)).collect();
    let mut seen = BTreeSet::new();
    let mut previous: Option<&SegmentRow> = None;
    for row in found {
        let Some(Datum::Text(key)) = row.first() else {
            panic!("{place}: no key in {row:?}")
        };
        let Some(expected) = by_key.get(key.as_str()) else {
            panic!("{place}: {key} is not in it")
        };
        assert!(
            same_rows(
                std::slice::from_ref(row),
                std::slice::from_ref(&expected.row)
            ),
            "{place}: {row:?} instead of {expected:?}"
        );
        assert!(seen.insert(key), "{place}: {key} twice");
        if let Some(previous) = previous {
            assert!(
                compare(segment, previous, expected).is_le(),
                "{place}: {previous:?} before {expected:?}"
            );
        }
        previous = Some(expected);
    }
    if segment.sample.is_none() {
        assert_eq!(found.len(), expected.len(), "{place}");
    }
}

/// All that is known of a user stands in the portrait, and nothing else; of nobody, nothing.
pub(crate) fn check_portrait(model: &Model, key: &str, found: &[Vec<Datum>], place: &str) {
    let Some(user) = model.users.get(key) else {
        assert!(found.is_empty(), "{place}: {found:?}");
        return;
    };
    let text = |text: &str| Datum::Text(text.to_owned());
    let row = |section: &str, name: &str, value: Datum| vec![text(section), text(name), value];
    let mut expected = vec![row("user", "key", text(key))];
    for (name, held) in &user.values {
        expected.push(row(
            "attribute",
            name,
            shown(&model.attributes[name].kind, held),
        ));
    }
    for tag in &user.tags {
        let group = model.tags[tag]
            .as_ref()
            .map_or(Datum::Null, |group| text(group));
        expected.push(row("tag", tag, group));
    }
    for (name, filter) in &model.segments {
        // One that means nothing any more holds nobody.
        if model.matching(filter).is_ok_and(|keys| keys.contains(key)) {
            expected.push(row("segment", name, Datum::Null));
        }
    }
    let (behaviour, event) = (text("behaviour"), text("event"));
    let is_of_events = |row: &&Vec<Datum>| row[0] == behaviour || row[0] == event;
    // The model says nothing of how tags are held.
    let others = found.iter().filter(|row| !is_of_events(row));
    let known: Vec<&[Datum]> = others.filter_map(|row| row.get(..3)).collect();
    assert_eq!(known, expected, "{place}");
    let of_events: Vec<&Vec<Datum>> = found.iter().filter(is_of_events).collect();
    for name in &model.events {
        let done = user.events.iter().filter(|done| done.event == *name);
        let count = Datum::Integer(done.count() as i64);
        let figure = text(&format!("count {name}"));
        let row = of_events.iter().find(|row| row[1] == figure);
        let told = row.map_or(Datum::Integer(0), |row| row[2].clone());
        assert_eq!(told, count, "{place}: {name}");
    }
}
