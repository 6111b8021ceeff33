//! Long chains of saved segments, as no statement would make them.

#![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

use tessera_query_lang::name::Name;

use super::*;
use crate::{
    ids::SegmentId, plan::resolve::Expanding, schema::Notes, write::dependents::dependents,
};

/// `e0` is everybody, and each `e{n}` is `e{n-1}`.
fn chain(length: u32) -> Schema {
    let mut schema = Schema::new();
    for number in 0..length {
        schema.put_segment(SegmentDefinition {
            id: SegmentId(number),
            name: Name::new(&format!("e{number}")).expect("a name"),
            text: match number.checked_sub(1) {
                Some(inner) => format!("segment:e{inner}"),
                None => "ALL".to_owned(),
            },
            notes: Notes::default(),
        });
    }
    schema
}

fn names(text: &str) -> Names {
    Names::of(&parse_expr(text, &Limits::default()).expect("an expression"))
}

/// With the stack that a thread gets by itself.
fn on_a_small_stack(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let running = thread.spawn(test).expect("a thread");
    running.join().expect("no panic");
}

#[test]
fn long_chains_are_followed_without_recursion() {
    on_a_small_stack(|| {
        let schema = chain(50_000);
        let way = cycle(&schema, "e0", &names("segment:e49999")).expect("a cycle");
        assert_eq!(
            way,
            "segment:e0 -> segment:e49999 -> segment:e49998 -> segment:e49997 -> segment:e49996 -> … -> segment:e4 -> segment:e3 -> segment:e2 -> segment:e1 -> segment:e0"
        );
        assert_eq!(cycle(&schema, "new", &names("segment:e49999")), None);
        let first = Expanding::Segment(SegmentId(0));
        assert_eq!(dependents(&schema, first).len(), 49_999);
    });
}

#[test]
fn a_cycle_is_told_by_its_way() {
    let schema = chain(3);
    let check = |name: &str, text: &str, expected: Option<&str>| {
        assert_eq!(
            cycle(&schema, name, &names(text)).as_deref(),
            expected,
            "{name} AS {text}"
        );
    };
    check("e0", "segment:e0", Some("segment:e0 -> segment:e0"));
    check(
        "e0",
        "tag:a OR segment:e2",
        Some("segment:e0 -> segment:e2 -> segment:e1 -> segment:e0"),
    );
    check(
        "e1",
        "segment:(e0, e2)",
        Some("segment:e1 -> segment:e2 -> segment:e1"),
    );
    check("e2", "segment:(e0, e1)", None);
    check("e0", "segment:none", None);
}

#[test]
fn dependents_come_nearest_first() {
    let schema = chain(4);
    let segment = |number: u32| Expanding::Segment(SegmentId(number));
    assert_eq!(dependents(&schema, segment(1)), [segment(2), segment(3)]);
    assert!(dependents(&schema, segment(3)).is_empty());
}
