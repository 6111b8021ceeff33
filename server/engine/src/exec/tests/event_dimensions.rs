//! `DIMENSION` over events against the oracle, over blocks, shards, rolled-up months and windows
//! that begin and end within a day.

use proptest::{prelude::*, sample::select};
use tessera_query_lang::ast::{self, CalendarUnit};

use super::{
    behaviour::{any_events, any_expr, with_events},
    dimensions::{resolved, run, unordered},
};
use crate::{
    behaviour::tests::{AMOUNT, CODE, any_filter, any_window, february_rolled},
    error::ErrorCode,
    exec::{
        dataset::Dataset,
        naive,
        testing::{Bench, random},
    },
    ids::EventId,
    plan::{
        logical::Expr,
        query::{
            Detail, Dim, DimKind, DimensionQuery, EventNumber, EventSelection, Measure,
            MeasureKind, Measured, MeasuredOf, NumberUnit, PropertySplit, Statistic,
        },
    },
};

const USER_DIMS: [&str; 6] = ["gender", "tag", "interests", "age[0, 18]", "born", "active"];

fn any_selection() -> impl Strategy<Value = EventSelection> {
    (any_filter(), any_window()).prop_map(|(filter, window)| EventSelection {
        event: EventId(0),
        filter,
        window,
    })
}

fn event_dim() -> impl Strategy<Value = DimKind> {
    let unit = select(&[
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
        CalendarUnit::Quarter,
        CalendarUnit::Year,
    ]);
    let integer = PropertySplit::Number(NumberUnit::Integer);
    prop_oneof![
        3 => unit.prop_map(DimKind::EventTime),
        1 => Just(DimKind::EventProperty(CODE, integer)),
        1 => Just(DimKind::EventProperty(AMOUNT, integer)),
        1 => Just(DimKind::EventProperty(random::GENDER, PropertySplit::Name)),
    ]
}

/// A statistic of events and what it is of.
fn any_measure() -> impl Strategy<Value = (Statistic, EventNumber, NumberUnit)> {
    let of_amounts = select(&[
        Statistic::Total,
        Statistic::Average,
        Statistic::Min,
        Statistic::Max,
        Statistic::Percentile(40),
    ]);
    let (integer, timestamp) = (NumberUnit::Integer, NumberUnit::Timestamp);
    prop_oneof![
        Just((Statistic::Number, EventNumber::One, integer)),
        Just((Statistic::Different, EventNumber::Day, integer)),
        Just((Statistic::Min, EventNumber::Moment, timestamp)),
        Just((Statistic::Max, EventNumber::Moment, timestamp)),
        of_amounts.prop_map(move |of| (of, EventNumber::Property(AMOUNT), integer)),
    ]
}

struct Asked {
    query: DimensionQuery,
}

impl Asked {
    fn new(bench: &Bench, user_dims: &[&str], filter: Expr) -> Self {
        let mut dims = Vec::new();
        if !user_dims.is_empty() {
            let text = format!("DIMENSION {}", user_dims.join(", "));
            dims = resolved(bench, &text, &ast::Expr::All).dims;
        }
        let count = |name: &str, kind| Measure {
            name: name.to_owned(),
            kind,
        };
        let measures = vec![
            count("count", MeasureKind::Count),
            count("share", MeasureKind::Share),
        ];
        Self {
            query: DimensionQuery {
                dims,
                measures,
                measured: Vec::new(),
                events: None,
                having: None,
                order: Vec::new(),
                top: None,
                filter,
            },
        }
    }

    fn measure(&mut self, statistic: Statistic, of: MeasuredOf, unit: NumberUnit) {
        let known = self.query.measured.iter().position(|known| known.of == of);
        let index = known.unwrap_or_else(|| {
            let detail = Detail::Totals;
            self.query.measured.push(Measured { of, detail });
            self.query.measured.len() - 1
        });
        let kind = MeasureKind::Of(statistic, index, unit);
        let name = format!("{kind:?}");
        self.query.measures.push(Measure { name, kind });
    }

    fn split(&mut self, dims: Vec<DimKind>, of: EventSelection) {
        let name = |kind: DimKind| Dim {
            name: format!("{kind:?}"),
            kind,
        };
        self.query.dims.extend(dims.into_iter().map(name));
        self.query.events = Some(of);
    }

    fn check(self, bench: &Bench) {
        let users =
            naive::users(&*bench.dataset, &self.query.filter).expect("memory does not fail");
        let expected = naive::dimension::rows(bench.dataset.schema(), &self.query, &users);
        let found = run(bench, &self.query).expect("memory does not fail");
        assert_eq!(unordered(found), unordered(expected), "{:#?}", self.query);
    }
}

/// The part of a selection that another one is of as well.
fn both(left: &EventSelection, right: EventSelection) -> EventSelection {
    EventSelection {
        event: left.event,
        filter: left.filter.clone().and(right.filter),
        window: left.window.intersect(right.window),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn split_events_agree_with_the_oracle(
        dataset in random::dataset(),
        events in any_events(),
        rolled_until in february_rolled(),
        filter in any_expr(),
        user_dims in prop::sample::subsequence(USER_DIMS.to_vec(), 0..3).prop_shuffle(),
        dims in prop::collection::vec(event_dim(), 1..3),
        selection in any_selection(),
        measures in prop::collection::vec((any_measure(), prop::option::of(any_selection())), 0..4),
    ) {
        let bench = Bench::new(with_events(dataset, rolled_until, events));
        let mut asked = Asked::new(&bench, &user_dims, filter);
        asked.split(dims, selection.clone());
        asked.measure(Statistic::Number, MeasuredOf::Users, NumberUnit::Integer);
        for ((statistic, number, unit), own) in measures {
            let of = own.map_or_else(|| selection.clone(), |own| both(&selection, own));
            asked.measure(statistic, MeasuredOf::Events(of, number), unit);
        }
        asked.check(&bench);
    }

    #[test]
    fn measured_events_agree_with_the_oracle(
        dataset in random::dataset(),
        events in any_events(),
        rolled_until in february_rolled(),
        filter in any_expr(),
        user_dims in prop::sample::subsequence(USER_DIMS.to_vec(), 1..4).prop_shuffle(),
        measures in prop::collection::vec((any_measure(), any_selection()), 1..4),
    ) {
        let bench = Bench::new(with_events(dataset, rolled_until, events));
        let mut asked = Asked::new(&bench, &user_dims, filter);
        let of_users = MeasuredOf::Attribute(random::AGE);
        asked.measure(Statistic::Sum, of_users, NumberUnit::Integer);
        for ((statistic, number, unit), of) in measures {
            asked.measure(statistic, MeasuredOf::Events(of, number), unit);
        }
        asked.check(&bench);
    }
}

#[test]
fn memory_is_limited() {
    use crate::{
        behaviour::{Filter, Window},
        exec::testing::crowd::crowd,
        storage::{EventDetails, UserEvent},
    };
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
    let mut asked = Asked::new(&bench, &["age"], Expr::All);
    let all = EventSelection {
        event: EventId(0),
        filter: Filter::All,
        window: Window::ALL,
    };
    asked.split(vec![DimKind::EventTime(CalendarUnit::Day)], all);
    let code = |bench: &Bench| {
        let rows = run(bench, &asked.query);
        rows.map(drop).map_err(|error| error.code())
    };
    assert_eq!(code(&bench), Ok(()));
    bench.limits.group_bytes_max = 1 << 18;
    assert_eq!(code(&bench), Err(ErrorCode::LimitExceeded));
    bench.limits.group_bytes_max = 1 << 30;
    bench.limits.groups_max = 3;
    assert_eq!(code(&bench), Err(ErrorCode::LimitExceeded));
    bench.limits.groups_max = 1000;
    bench.budget.cancel_flag().raise();
    assert_eq!(code(&bench), Err(ErrorCode::Cancelled));
}
