//! Questions about behaviour, alone and among others, against the oracle.

use std::sync::Arc;

use proptest::{prelude::*, sample::Index};

use super::planned;
use crate::{
    behaviour::{
        Behaviour, Bound, Filter, Question, Window,
        tests::{any_behaviour, any_event, february_rolled},
    },
    error::Error,
    exec::{
        count::count,
        limits::QueryLimitError,
        naive,
        testing::{Bench, crowd::crowd, memory::MemoryDataset, random},
    },
    ids::{EventId, TagId},
    plan::logical::{Expr, Leaf},
    storage::{EventDetails, UserEvent},
};

pub(super) fn any_expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        4 => any_behaviour().prop_map(|of| Expr::Leaf(Leaf::Behaviour(Arc::new(of)))),
        1 => (0_u32..2).prop_map(|tag| Expr::Leaf(Leaf::Tag(TagId(tag)))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            inner.clone().prop_map(Expr::negated),
            several().prop_map(Expr::And),
            several().prop_map(Expr::Or),
            (1_u32..3, several()).prop_map(|(threshold, of)| Expr::AtLeast { threshold, of }),
        ]
    })
}

/// Gives the events to users of the data set.
pub(super) fn with_events(
    dataset: MemoryDataset,
    rolled_until: i32,
    events: Vec<(Index, UserEvent)>,
) -> MemoryDataset {
    let users = dataset.locations();
    let mut done = std::collections::BTreeMap::new();
    for (user, event) in events {
        if let Some(location) = users.get(user.index(users.len().max(1))) {
            done.entry(*location).or_insert_with(Vec::new).push(event);
        }
    }
    dataset.with_events(rolled_until, done)
}

pub(super) fn any_events() -> impl Strategy<Value = Vec<(Index, UserEvent)>> {
    proptest::collection::vec((any::<Index>(), any_event()), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn counts_agree_with_the_oracle(
        dataset in random::dataset(),
        events in any_events(),
        rolled_until in february_rolled(),
        expr in any_expr(),
    ) {
        let bench = Bench::new(with_events(dataset, rolled_until, events));
        let expected = naive::users(&*bench.dataset, &expr).expect("memory does not fail");
        let plan = planned(&bench, expr);
        let found = count(bench.context(), &plan).expect("memory does not fail");
        prop_assert_eq!(found, expected.len() as u64, "{:?}", plan);
    }
}

#[test]
fn memory_is_limited() {
    let dataset = crowd(7, 100, 0);
    let event = |location| {
        let event = UserEvent {
            event: EventId(0),
            time_us: 0,
            details: EventDetails::default(),
        };
        (location, vec![event])
    };
    let events = dataset.locations().into_iter().map(event).collect();
    let mut bench = Bench::new(dataset.with_events(i32::MIN, events));
    bench.limits.behaviour_bytes_max = 1000;
    let behaviour = Behaviour {
        event: EventId(0),
        filter: Filter::All,
        window: Window::ALL,
        question: Question::Count(Bound::Within(2, 9)),
    };
    let plan = planned(&bench, Leaf::Behaviour(Arc::new(behaviour)).into());
    let refused = count(bench.context(), &plan);
    assert!(
        matches!(
            refused,
            Err(Error::QueryLimit(QueryLimitError::BehaviourBytes {
                max: 1000
            }))
        ),
        "{refused:?}"
    );
}
