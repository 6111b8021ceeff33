//! Loads of events do what tracking the same events one by one does, whatever came before and
//! comes after.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{behaviour::found, *};
use crate::{
    behaviour::Extent,
    exec::testing::Collected,
    ids::EventId,
    storage::{FamilyId, LoadStep, UserEvent},
    time::MICROS_PER_DAY,
};

const DEFINITIONS: [&str; 4] = [
    "DEFINE EVENT purchase (amount DECIMAL(2), category ENUM (shoes, hats), channel ENUM, note TEXT)",
    "DEFINE EVENT login (first BOOLEAN, day DATE)",
    "DEFINE EVENT gone (x INTEGER)",
    "DEFINE TAG vip",
];

/// 2024-03-01T12:00:00Z: the day after a leap day.
const NOON: i64 = 1_709_294_400_000_000;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    at(&fixture, NOON);
    for statement in DEFINITIONS {
        fixture.define(statement).unwrap();
    }
    fixture
}

fn at(fixture: &Fixture, micros: i64) {
    let now = jiff::Timestamp::from_microsecond(micros).unwrap();
    fixture.clock.set_now(now);
}

/// An event of a load.
#[derive(Debug, Clone)]
struct Event {
    user: String,
    time_us: i64,
    id: Option<String>,
    values: BTreeMap<String, Datum>,
}

fn event(user: &str, time_us: i64, id: Option<&str>, values: &[(&str, Datum)]) -> Event {
    let values = values.iter();
    Event {
        user: user.to_owned(),
        time_us,
        id: id.map(str::to_owned),
        values: values
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
}

fn place_of<T: PartialEq>(list: &mut Vec<T>, item: T) -> u32 {
    let place = list.iter().position(|known| *known == item);
    let place = place.unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    });
    u32::try_from(place).unwrap()
}

/// Numbers where all values are, else a dictionary.
fn column(property: &str, events: &[Event]) -> EventColumn {
    let values: Vec<Option<&Datum>> = events.iter().map(|it| it.values.get(property)).collect();
    let numbers: Option<Vec<i64>> = values
        .iter()
        .flatten()
        .map(|value| match value {
            Datum::Decimal { units, .. } => i64::try_from(*units).ok(),
            Datum::Null
            | Datum::Boolean(_)
            | Datum::Integer(_)
            | Datum::Real(_)
            | Datum::Text(_)
            | Datum::Date(_)
            | Datum::Timestamp(_)
            | Datum::List(_) => None,
        })
        .collect();
    let property = property.to_owned();
    if let Some(numbers) = numbers {
        let mut present = vec![0; events.len().div_ceil(8)];
        for (row, _) in values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_some())
        {
            present[row / 8] |= 1 << (row % 8);
        }
        return EventColumn::Numbers {
            property,
            form: NumberForm::Decimal { scale: 2 },
            present,
            numbers,
        };
    }
    let mut dictionary = Vec::new();
    let code = |value: &Option<&Datum>| match value {
        Some(value) => place_of(&mut dictionary, (*value).clone()) + 1,
        None => 0,
    };
    let codes = values.iter().map(code).collect();
    EventColumn::Coded {
        property,
        dictionary,
        codes,
    }
}

fn request(kind: &str, events: &[Event]) -> EventLoadRequest {
    let mut users: Vec<String> = Vec::new();
    let of = events
        .iter()
        .map(|event| place_of(&mut users, event.user.clone()));
    let of = of.collect();
    let mut properties: Vec<&String> = events.iter().flat_map(|it| it.values.keys()).collect();
    properties.sort();
    properties.dedup();
    let has_ids = events.iter().any(|event| event.id.is_some());
    let ids = events.iter().map(|event| event.id.as_deref().unwrap_or(""));
    EventLoadRequest {
        event: kind.to_owned(),
        users: users.iter().collect(),
        of,
        times_us: events.iter().map(|event| event.time_us).collect(),
        ids: has_ids.then(|| ids.collect()),
        columns: properties
            .into_iter()
            .map(|it| column(it, events))
            .collect(),
        ..EventLoadRequest::default()
    }
}

/// The same events one by one.
fn mutations(kind: &str, events: &[Event]) -> Vec<Mutation> {
    let mutation = |event: &Event| Mutation::Track {
        user: event.user.clone(),
        event: kind.to_owned(),
        at_us: Some(event.time_us),
        id: event.id.clone(),
        values: event.values.clone().into_iter().collect(),
    };
    events.iter().map(mutation).collect()
}

/// All that is stored of behaviour: the events of each user, and which days there are.
type Stored = (BTreeMap<String, Vec<UserEvent>>, Vec<Option<Extent>>);

fn stored(fixture: &Fixture) -> Stored {
    let view = fixture.db().view();
    let mut events = BTreeMap::new();
    let mut extents = Vec::new();
    for partition in (0..view.partition_count()).map(PartitionId) {
        view.for_each_user(partition, &mut |user, key, _| {
            let location = Location { partition, user };
            events.insert(key.to_owned(), view.user_events(location).unwrap());
        })
        .unwrap();
        for kind in 0..4 {
            extents.push(view.event_extent(partition, EventId(kind)).unwrap());
        }
    }
    (events, extents)
}

#[track_caller]
fn check_same(loaded: &Fixture, tracked: &Fixture) {
    assert_eq!(stored(loaded), stored(tracked));
    loaded.check_consistent();
}

fn any_event() -> impl Strategy<Value = Event> {
    let user = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g"]);
    let time_us = prop_oneof![
        (-800_i64..=0).prop_map(|day| NOON + day * MICROS_PER_DAY),
        (-3 * MICROS_PER_DAY..1_000_000).prop_map(|back| NOON + back),
        (0_i64..5).prop_map(|day| NOON - NOON % MICROS_PER_DAY - day * MICROS_PER_DAY),
    ];
    let id = proptest::option::of((0..6).prop_map(|id| format!("e{id}")));
    let amount = proptest::option::of(-500_i64..500);
    let category = proptest::option::of(prop::sample::select(vec!["shoes", "hats"]));
    let channel = proptest::option::of(prop::sample::select(vec!["web", "shop", "mail"]));
    let note = proptest::option::of("[a-c]{1,2}");
    (user, time_us, id, amount, category, channel, note).prop_map(
        |(user, time_us, id, amount, category, channel, note)| {
            let mut values = BTreeMap::new();
            let mut put = |name: &str, value: Option<Datum>| {
                values.extend(value.map(|value| (name.to_owned(), value)));
            };
            put(
                "amount",
                amount.map(|units| Datum::Decimal {
                    units: units.into(),
                    scale: 2,
                }),
            );
            put("category", category.map(text));
            put("channel", channel.map(text));
            put("note", note.map(|note| text(&note)));
            Event {
                user: user.to_owned(),
                time_us,
                id,
                values,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn loads_do_what_tracking_does(
        steps in prop::collection::vec(
            (prop::collection::vec(any_event(), 1..24), 0..8_u8),
            1..7,
        ),
    ) {
        let (mut loaded, tracked) = (fixture(), fixture());
        for (events, after) in steps {
            let summary = loaded.db().load_events(request("purchase", &events)).unwrap();
            let expected = tracked.write(mutations("purchase", &events)).unwrap();
            prop_assert_eq!(
                (summary.users_changed, summary.facts_changed),
                (expected.users_changed, expected.facts_changed)
            );
            match after {
                0 => loaded.restart(),
                1 => loaded.db().store.compact().unwrap(),
                2 => for fixture in [&loaded, &tracked] {
                    fixture.db().sweep_events().unwrap();
                },
                3 => for fixture in [&loaded, &tracked] {
                    fixture.write(vec![delete("a"), tag("h", &["vip"])]).unwrap();
                },
                _ => {}
            }
            prop_assert_eq!(stored(&loaded), stored(&tracked));
            let report = verify(&loaded.db().view()).unwrap();
            prop_assert_eq!(report.problems, Vec::<String>::new());
        }
    }
}

/// More than are staged one by one.
fn many(from: usize, count: usize) -> Vec<Event> {
    let events = from..from + count;
    events
        .map(|number| {
            let amount = Datum::Decimal {
                units: number as i128,
                scale: 2,
            };
            let day = (number % 40) as i64;
            event(
                &format!("u{:02}", number % 30),
                NOON - day * MICROS_PER_DAY,
                Some(&format!("e{number}")),
                &[("amount", amount), ("channel", text("web"))],
            )
        })
        .collect()
}

#[test]
fn late_events_join_tables_of_the_past_and_answers_follow() {
    let fixture = fixture();
    let count = |expr: &str| {
        let mut sink = Collected::default();
        let statement = format!("COUNT {expr}");
        let (parameters, budget) = (Parameters::default(), Budget::unlimited());
        fixture
            .db()
            .execute(&statement, &parameters, &budget, &mut sink)
            .unwrap();
        sink.rows[0][0].clone()
    };
    fixture
        .db()
        .load_events(request("purchase", &many(0, 60)))
        .unwrap();
    assert_eq!(count("count(purchase) >= 2"), Datum::Integer(30));
    assert_eq!(count("did:purchase[1d]"), Datum::Integer(2));
    // Of long ago: of a month that was rolled up before, and of one that is after the first.
    let old = NOON - 700 * MICROS_PER_DAY;
    let late: Vec<Event> = (0..6)
        .map(|number| event(&format!("u{number:02}"), old + number, None, &[]))
        .collect();
    fixture
        .db()
        .load_events(request("purchase", &late))
        .unwrap();
    while fixture.db().sweep_events().unwrap().facts_changed > 0 {}
    let late: Vec<Event> = (3..9)
        .map(|number| event(&format!("u{number:02}"), old + number, None, &[]))
        .collect();
    let summary = fixture
        .db()
        .load_events(request("purchase", &late))
        .unwrap();
    assert_eq!((summary.users_changed, summary.facts_changed), (6, 6));
    assert_eq!(count("count(purchase) = 4"), Datum::Integer(3));
    assert_eq!(count("count(purchase) = 3"), Datum::Integer(6));
    assert_eq!(
        count("did:purchase[3y] AND NOT did:purchase[1y]"),
        Datum::Integer(0)
    );
    fixture.check_consistent();
}

#[test]
fn the_same_ids_again_change_nothing_wherever_they_come() {
    let fixture = fixture();
    let load = |events: &[Event]| {
        let summary = fixture
            .db()
            .load_events(request("purchase", events))
            .unwrap();
        (summary.users_changed, summary.facts_changed)
    };
    assert_eq!(load(&many(0, 50)), (30, 50));
    // Again, and with others among them.
    assert_eq!(load(&many(0, 50)), (0, 0));
    assert_eq!(load(&many(40, 30)), (20, 20));
    // Twice in one load: the first counts. The ids of others do not.
    let twice = ["a", "a", "b", "a", "a"];
    let twice: Vec<Event> = twice
        .iter()
        .enumerate()
        .map(|(number, user)| event(user, NOON - number as i64, Some("same"), &[]))
        .collect();
    assert_eq!(load(&twice), (2, 2));
    assert_eq!(stored(&fixture).0["a"][0].time_us, NOON);
    // One by one against what was loaded, and the other way round.
    assert_eq!(
        fixture.changed(mutations("login", &[event("a", NOON, Some("same"), &[])])),
        (0, 0)
    );
    assert_eq!(
        fixture.changed(mutations("login", &[event("a", NOON, Some("x"), &[])])),
        (1, 1)
    );
    let again: Vec<Event> = (0..5).map(|_| event("a", NOON, Some("x"), &[])).collect();
    assert_eq!(load(&again), (0, 0));
    // The id of an event whose kind is gone is free again.
    let gone: Vec<Event> = (0..4)
        .map(|number| event("a", NOON, Some(&format!("g{number}")), &[]))
        .collect();
    fixture.db().load_events(request("gone", &gone)).unwrap();
    assert_eq!(load(&gone), (0, 0));
    fixture.define("DROP EVENT gone").unwrap();
    assert_eq!(load(&gone), (1, 4));
    fixture.check_consistent();
}

#[test]
fn the_same_key_again_is_answered_as_before() {
    let fixture = fixture();
    let request = EventLoadRequest {
        idempotency_key: Some([3; 16]),
        ..request(
            "purchase",
            &[0, 1, 2, 3].map(|back| event("a", NOON - back, None, &[])),
        )
    };
    for _ in 0..2 {
        let summary = fixture.db().load_events(request.clone()).unwrap();
        assert_eq!((summary.users_changed, summary.facts_changed), (1, 4));
    }
    assert_eq!(stored(&fixture).0["a"].len(), 4);
}

#[test]
fn one_bad_event_refuses_all_and_is_named() {
    let fixture = fixture();
    fixture.write(vec![ensure("known")]).unwrap();
    let check = |bad: Event, row: Option<u32>, code: ErrorCode, message: &str| {
        for count in [1, 20] {
            let mut events = many(0, count);
            events.push(bad.clone());
            events.extend(many(count, 2));
            let result = fixture.db().load_events(request("purchase", &events));
            let error = result.as_ref().unwrap_err();
            assert_eq!(error.row(), row.map(|row| row + count as u32), "{error}");
            refused(result, code, message);
        }
        assert_eq!(fixture.count(RowId::Users), 1);
    };
    let misfit = ErrorCode::TypeMismatch;
    let hour = 3_600_000_000;
    check(
        event("a", NOON + hour + 1, None, &[]),
        Some(0),
        misfit,
        "cannot have been at",
    );
    check(
        event("", NOON, None, &[]),
        Some(0),
        misfit,
        "cannot be a user key",
    );
    let long = "x".repeat(257);
    check(
        event("a", NOON, Some(&long), &[]),
        Some(0),
        misfit,
        "cannot be the id",
    );
    let boots = [("category", text("boots"))];
    check(
        event("a", NOON, None, &boots),
        Some(0),
        ErrorCode::UnknownName,
        "boots",
    );
    let wrong = [("channel", list(&["x"]))];
    check(event("a", NOON, None, &wrong), Some(0), misfit, "channel");
    let unknown = [("colour", text("red"))];
    check(
        event("a", NOON, None, &unknown),
        None,
        ErrorCode::UnknownName,
        "no property named \"colour\"",
    );
    // As far ahead as clocks may differ.
    let ahead: Vec<Event> = (0..4)
        .map(|back| event("a", NOON + hour - back, None, &[]))
        .collect();
    fixture
        .db()
        .load_events(request("purchase", &ahead))
        .unwrap();
    let nothing = fixture.db().load_events(request("nothing", &ahead));
    refused(
        nothing,
        ErrorCode::UnknownName,
        "no event named \"nothing\"",
    );
    fixture.check_consistent();
}

#[test]
fn unknown_users_are_made_or_refused() {
    let fixture = fixture();
    fixture.write(vec![ensure("a"), ensure("b")]).unwrap();
    let strict = |events: &[Event]| {
        fixture.db().load_events(EventLoadRequest {
            unknown_users: UnknownUsers::Refuse,
            ..request("purchase", events)
        })
    };
    let of = |users: &[&str]| -> Vec<Event> {
        users
            .iter()
            .map(|user| event(user, NOON, None, &[]))
            .collect()
    };
    assert_eq!(strict(&of(&["a", "b", "a", "b"])).unwrap().facts_changed, 4);
    assert_eq!(strict(&of(&["a"])).unwrap().facts_changed, 1);
    for users in [&["a", "c"][..], &["a", "c", "a", "b", "d"]] {
        let result = strict(&of(users));
        assert_eq!(result.as_ref().unwrap_err().row(), Some(1));
        refused(result, ErrorCode::UnknownName, "there is no user \"c\"");
    }
    let all = of(&["a", "c", "d", "c", "e", "f"]);
    let summary = fixture.db().load_events(request("purchase", &all)).unwrap();
    assert_eq!((summary.users_changed, summary.facts_changed), (5, 6));
    assert_eq!(strict(&all).unwrap().facts_changed, 6);
    fixture.check_consistent();
}

#[test]
fn a_load_of_events_that_breaks_off_is_there_whole_or_not_at_all() {
    let steps = [LoadStep::Written, LoadStep::Decided]
        .into_iter()
        .chain(FamilyId::ALL.map(LoadStep::Taken));
    let begun = || {
        let fixture = fixture();
        fixture.write(vec![ensure("u01"), ensure("u02")]).unwrap();
        fixture
            .db()
            .load_events(request("purchase", &many(0, 10)))
            .unwrap();
        fixture
    };
    let whole = begun();
    whole
        .db()
        .load_events(request("purchase", &many(5, 60)))
        .unwrap();
    for step in steps {
        let mut fixture = begun();
        let before = stored(&fixture);
        *fixture.db().store.failing_step.lock().unwrap() = Some(step);
        let broken = fixture.db().load_events(request("purchase", &many(5, 60)));
        refused(broken, ErrorCode::Storage, "stopped at");
        assert_eq!(stored(&fixture), before, "{step:?}");
        // As after the death of the process: not closed.
        fixture.open().unwrap();
        at(&fixture, NOON);
        let expected = match step {
            LoadStep::Written => before,
            LoadStep::Decided | LoadStep::Taken(_) => stored(&whole),
        };
        assert_eq!(stored(&fixture), expected, "{step:?}");
        fixture
            .db()
            .load_events(request("purchase", &many(5, 60)))
            .unwrap();
        check_same(&fixture, &whole);
    }
}

#[test]
fn loads_that_wait_together_share_a_commit_and_count_each_event_once() {
    let fixture = fixture();
    let (started, start) = std::sync::mpsc::sync_channel(1);
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        let fixture = &fixture;
        // Holds the writer, so that the others wait together.
        scope.spawn(move || {
            fixture.db().write_where(move |_| {
                started.send(()).unwrap();
                released.recv().unwrap();
                Ok(Vec::new())
            })
        });
        start.recv().unwrap();
        // Every second event is in two of the loads, and some loads are small.
        let loads: Vec<_> = (0..8)
            .map(|n| {
                let count = if n == 3 { 1 } else { 20 };
                scope.spawn(move || {
                    fixture
                        .db()
                        .load_events(request("purchase", &many(n * 10, count)))
                })
            })
            .collect();
        release.send(()).unwrap();
        let loads = loads.into_iter();
        let facts = loads.map(|load| load.join().unwrap().unwrap().facts_changed);
        assert_eq!(facts.sum::<u64>(), 90);
    });
    let events: usize = stored(&fixture).0.values().map(Vec::len).sum();
    assert_eq!((events, fixture.count(RowId::Users)), (90, 30));
    fixture.check_consistent();
}

#[test]
fn a_small_load_that_shares_a_commit_with_a_large_one_keeps_its_days() {
    let on = |back: i64| event("u", NOON - back * MICROS_PER_DAY, None, &[]);
    let (small, large) = (vec![on(100)], vec![on(0), on(1), on(2), on(3)]);
    for loads in [[&small, &large], [&large, &small]] {
        let fixture = fixture();
        fixture.write(vec![ensure("u")]).unwrap();
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
        let (done, results) = std::sync::mpsc::channel::<Result<Summary, Error>>();
        std::thread::scope(|scope| {
            let fixture = &fixture;
            // Holds the writer, so that both wait together.
            scope.spawn(move || {
                fixture.db().write_where(move |_| {
                    started.send(()).unwrap();
                    released.recv().unwrap();
                    Ok(Vec::new())
                })
            });
            start.recv().unwrap();
            for events in loads {
                let done = done.clone();
                let tell = move |result| done.send(result).unwrap();
                fixture
                    .db()
                    .submit_event_load(request("purchase", events), tell);
            }
            release.send(()).unwrap();
        });
        let facts = results.iter().take(2).map(|it| it.unwrap().facts_changed);
        assert_eq!(facts.sum::<u64>(), 5);
        fixture.check_consistent();
        assert_eq!(
            found(&fixture, "did:purchase[2023-11-01..2023-12-31]"),
            ["u"]
        );
        assert_eq!(found(&fixture, "count(purchase) = 5"), ["u"]);
    }
}

#[test]
fn answers_over_loaded_events_are_those_of_the_oracle() {
    let fixture = fixture();
    fixture
        .db()
        .load_events(request("purchase", &many(0, 200)))
        .unwrap();
    fixture.db().store.compact().unwrap();
    fixture
        .db()
        .load_events(request("purchase", &many(150, 200)))
        .unwrap();
    for question in [
        "did:purchase[30d]",
        "count(purchase, 20d) >= 3",
        "sum(purchase.amount) > 5",
        "last(purchase) < now-3d",
        "top(purchase.channel):web",
    ] {
        found(&fixture, question);
    }
}
