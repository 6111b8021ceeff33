//! Event tables against lists of events, and scans against the oracle.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::{prelude::*, sample::Index};
use tessera_query_lang::ast::Comparison;

use super::{
    Behaviour, Bound, Bucket, EventDelta, EventRow, EventTable, EventTableError, Extent, Filter,
    Question, Scan, SequenceScan, Step, Window, first_day_of_month, merge_full, merge_partial,
    month_of_day,
};
use crate::{
    bitmap::Block,
    exec::naive,
    ids::{AttributeId, BLOCK_BITS, EventId, ValueCode},
    plan::logical::Range,
    storage::{EventDetails, StoredValue, UserEvent},
    time::{MICROS_PER_DAY, date_of_days, day_of_micros},
};

pub(crate) const CODE: AttributeId = AttributeId(2);
pub(crate) const AMOUNT: AttributeId = AttributeId(7);

fn row(offset: u32, time_us: i64, values: &[(AttributeId, i64)]) -> EventRow {
    EventRow {
        offset,
        time_us,
        values: values.to_vec(),
    }
}

fn delta(removed: &[u32], added: &[EventRow]) -> Vec<u8> {
    let mut delta = EventDelta::new();
    removed
        .iter()
        .for_each(|offset| delta.remove_user(*offset).unwrap());
    added.iter().for_each(|row| delta.add(row).unwrap());
    delta.encode().unwrap()
}

fn full(base: Option<&[u8]>, deltas: &[Vec<u8>]) -> Result<Vec<u8>, EventTableError> {
    merge_full(base, deltas.iter().map(Vec::as_slice))
}

fn table(rows: &[EventRow]) -> EventTable {
    EventTable::from_bytes(full(None, &[delta(&[], rows)]).unwrap()).unwrap()
}

fn rows_of(table: &EventTable) -> Vec<EventRow> {
    let mut rows = Vec::new();
    table.for_each_offset(|place, offset| {
        let value = |property| Some((property, table.property(property)?.value(place)?));
        rows.push(EventRow {
            offset,
            time_us: table.times().at(place),
            values: table.properties().filter_map(value).collect(),
        });
    });
    rows
}

#[test]
fn the_stored_form_is_golden() {
    let check = |rows: &[EventRow], expected: &[&[u8]]| {
        let table = table(rows);
        assert_eq!(table.bytes(), expected.concat(), "{rows:?}");
        assert_eq!(rows_of(&table), rows);
        assert_eq!(table.rows(), rows.len());
    };
    check(&[], &[&[1, 0, 0, 0, 0, 0], &[0, 0], &[0; 8], &[0]]);
    check(
        &[row(65_537, 3_000_000, &[])],
        &[
            &[1, 1, 0, 0, 0, 1],
            &[1, 1, 0, 0, 0],
            &[1, 0],
            &[2, 0],
            &3_000_000_i64.to_le_bytes(),
            &[0],
        ],
    );
    check(
        &[
            row(3, 1_000, &[(AMOUNT, -5)]),
            row(3, 2_000, &[(CODE, 9), (AMOUNT, 300)]),
            row(70_000, 1_000, &[(AMOUNT, -5)]),
        ],
        &[
            &[1, 3, 0, 0, 0, 2],
            &[0, 2, 0, 0, 0],
            &[1, 3, 0, 0, 0],
            &[3, 0, 3, 0, 0x70, 0x11],
            &[1, 1],
            &1_000_i64.to_le_bytes(),
            &[0, 1, 0],
            &[2],
            &[2, 0, 0, 0, 0, 1],
            &9_i64.to_le_bytes(),
            &[0b10],
            &[7, 0, 0, 0, 2, 0],
            &(-5_i64).to_le_bytes(),
            &[0, 0, 0x31, 1, 0, 0],
        ],
    );
}

#[test]
fn deltas_are_golden() {
    assert_eq!(delta(&[5, 3], &[]), [1, 2, 3, 1]);
    let one = [row(1, 0, &[])];
    assert_eq!(delta(&[], &one), [&[1, 0], table(&one).bytes()].concat());
}

#[test]
fn damage_is_refused() {
    let whole = table(&[
        row(3, 1_000, &[(AMOUNT, -5)]),
        row(3, 2_000, &[(CODE, 9), (AMOUNT, 300)]),
        row(70_000, 1_000, &[]),
    ]);
    let bytes = whole.bytes();
    for len in 0..bytes.len() {
        assert!(
            EventTable::from_bytes(bytes[..len].to_vec()).is_err(),
            "{len}"
        );
    }
    let check = |at: usize, byte: u8, expected: EventTableError| {
        let mut bytes = bytes.to_vec();
        bytes[at] = byte;
        assert_eq!(EventTable::from_bytes(bytes), Err(expected), "{at}");
    };
    check(0, 2, EventTableError::UnknownForm(2));
    check(1, 2, EventTableError::Blocks);
    check(4, 255, EventTableError::TooManyRows(0xff00_0003));
    check(6, 1, EventTableError::Blocks);
    check(7, 0, EventTableError::Blocks);
    check(11, 16, EventTableError::Blocks);
    check(16, 9, EventTableError::RowOrder(1));
    check(22, 3, EventTableError::Unit(3));
    check(23, 3, EventTableError::Width(3));
    check(32, 2, EventTableError::RowOrder(1));
    let more = [bytes, &[0]].concat();
    assert_eq!(
        EventTable::from_bytes(more),
        Err(EventTableError::TrailingBytes(1))
    );
    let full = |delta: &[u8]| full(None, &[delta.to_vec()]);
    assert_eq!(
        full(&[]),
        Err(EventTableError::Truncated("form of a delta"))
    );
    assert_eq!(full(&[2]), Err(EventTableError::UnknownDelta(2)));
    assert_eq!(full(&[1, 1]), Err(EventTableError::MalformedNumber));
    let beyond = full(&[1, 1, 0x80, 0x80, 0x40]);
    assert_eq!(beyond, Err(EventTableError::OffsetBeyondShard(1 << 20)));
}

#[test]
fn extreme_values_are_kept() {
    let rows = [
        row(0, i64::MIN, &[(AMOUNT, i64::MIN)]),
        row(0, -1, &[]),
        row(0, i64::MAX / 2, &[(AMOUNT, i64::MAX)]),
    ];
    // No distance between times is beyond 64 bits with a sign, as no time is beyond the calendar.
    let overflow = full(None, &[delta(&[], &rows)]);
    assert!(matches!(overflow, Err(EventTableError::Overflow { .. })));
    let rows = [
        rows[1].clone(),
        row(0, 1, &[(AMOUNT, i64::MIN)]),
        rows[2].clone(),
    ];
    assert_eq!(rows_of(&table(&rows)), rows);
}

#[test]
fn months_are_those_of_the_calendar() {
    for day in (-800_000..800_000).step_by(13).chain(-400..400) {
        let date = date_of_days(day).unwrap();
        let month = (i32::from(date.year()) - 1970) * 12 + i32::from(date.month()) - 1;
        assert_eq!(month_of_day(day), month, "{date}");
        let first = first_day_of_month(month);
        assert_eq!(first, day - i32::from(date.day()) + 1, "{date}");
    }
    assert_eq!(
        Bucket::Month(month_of_day(19_782)).days(),
        (19_754, 19_782),
        "leap day"
    );
}

#[test]
fn a_window_is_cut_into_buckets() {
    let mut extent = Extent::of_day(10);
    extent.include(70);
    assert_eq!(
        extent.buckets(i32::MIN, 11),
        [Bucket::Day(10), Bucket::Day(11)]
    );
    extent.rolled_until = 1;
    let expected = [Bucket::Month(0), Bucket::Day(31), Bucket::Day(32)];
    assert_eq!(extent.buckets(5, 32), expected);
    assert_eq!(extent.buckets(71, i32::MAX), []);
    assert_eq!(extent.buckets(32, 31), []);
}

fn any_row() -> impl Strategy<Value = EventRow> {
    let offset = prop_oneof![
        0_u32..6,
        (0_u32..3).prop_map(|offset| 65_535 + offset),
        Just(1_048_575)
    ];
    let time = (0_i64..9, prop_oneof![Just(1), Just(1_000), Just(1_000_000)]);
    let code = proptest::option::of(0_i64..3);
    let amount = proptest::option::of(prop_oneof![-3_i64..3, -40_000_i64..40_000, any::<i64>()]);
    (offset, time, code, amount).prop_map(|(offset, (time, unit), code, amount)| {
        let values = [
            code.map(|code| (CODE, code)),
            amount.map(|amount| (AMOUNT, amount)),
        ];
        row(
            offset,
            time * unit,
            &values.into_iter().flatten().collect::<Vec<_>>(),
        )
    })
}

type Change = (Vec<u32>, Vec<EventRow>);

fn any_change() -> impl Strategy<Value = Change> {
    let removed = proptest::collection::vec(prop_oneof![0_u32..6, Just(65_536)], 0..3);
    (removed, proptest::collection::vec(any_row(), 0..8))
}

fn apply(rows: &mut Vec<EventRow>, (removed, added): &Change) {
    rows.retain(|row| !removed.contains(&row.offset));
    rows.extend(added.iter().cloned());
    let value = |row: &EventRow, property| {
        let found = row.values.iter().find(|(id, _)| *id == property);
        found.map(|(_, value)| *value)
    };
    rows.sort_by_key(|row| {
        (
            row.offset,
            row.time_us,
            value(row, CODE),
            value(row, AMOUNT),
        )
    });
}

proptest! {
    #[test]
    fn merging_is_applying_in_order(
        changes in proptest::collection::vec(any_change(), 1..6),
        cuts in proptest::collection::vec(any::<Index>(), 2),
    ) {
        let mut expected = Vec::new();
        changes.iter().for_each(|change| apply(&mut expected, change));
        let deltas: Vec<Vec<u8>> = changes
            .iter()
            .map(|(removed, added)| delta(removed, added))
            .collect();
        let at_once = full(None, &deltas).unwrap();
        prop_assert_eq!(rows_of(&EventTable::from_bytes(at_once.clone()).unwrap()), expected);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(deltas.len())).collect();
        cuts.sort_unstable();
        let base = full(None, &deltas[..cuts[0]]).unwrap();
        let combined = merge_partial(deltas[cuts[0]..cuts[1]].iter().map(Vec::as_slice)).unwrap();
        let rest = [&[combined], &deltas[cuts[1]..]].concat();
        prop_assert_eq!(full(Some(&base), &rest).unwrap(), at_once);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        rows in proptest::collection::vec(any_row(), 0..6),
        at in any::<Index>(),
        byte: u8,
    ) {
        let mut bytes = table(&rows).bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(table) = EventTable::from_bytes(bytes) {
            rows_of(&table);
        }
        let mut delta = delta(&[1, 4], &rows);
        let at = at % delta.len();
        delta[at] = byte;
        let _ = full(None, &[delta]);
    }
}

/// An event around the turn of February in a leap year.
pub(crate) fn any_event() -> impl Strategy<Value = UserEvent> {
    let day = 19_780_i64..19_786;
    let moment = prop_oneof![
        Just(0),
        Just(MICROS_PER_DAY - 1),
        (0_i64..4).prop_map(|step| step * 1_000_000),
        0..MICROS_PER_DAY
    ];
    (0_u32..3, day, moment, any_row()).prop_map(|(event, day, moment, row)| {
        let value = |(property, value): (AttributeId, i64)| match property {
            CODE => (property, StoredValue::Code(ValueCode(value as u32))),
            _ => (property, StoredValue::Number(value)),
        };
        UserEvent {
            event: EventId(event),
            time_us: day * MICROS_PER_DAY + moment,
            details: EventDetails {
                id: None,
                values: row.values.into_iter().map(value).collect(),
            },
        }
    })
}

/// What a few users did.
fn any_events() -> impl Strategy<Value = Vec<(u32, UserEvent)>> {
    let user = prop_oneof![0_u32..4, Just(65_536)];
    proptest::collection::vec((user, any_event()), 0..40)
}

pub(crate) fn any_behaviour() -> impl Strategy<Value = Behaviour> {
    let steps = proptest::collection::vec((0_u32..3, any_filter()), 1..3);
    let sequence = (steps, any_within()).prop_map(|(then, within_us)| Question::Sequence {
        then: then.into_iter().map(step).collect(),
        within_us,
    });
    let question = prop_oneof![
        2 => Just(Question::Did),
        8 => any_question(),
        1 => sequence,
    ];
    (0_u32..3, any_filter(), any_window(), question).prop_map(
        |(event, filter, window, question)| Behaviour {
            event: EventId(event),
            filter,
            window,
            question,
        },
    )
}

fn step((event, filter): (u32, Filter)) -> Step {
    Step {
        event: EventId(event),
        filter,
    }
}

fn any_within() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MAX),
        Just(1_000_000),
        Just(MICROS_PER_DAY),
        0..3 * MICROS_PER_DAY
    ]
}

pub(crate) fn any_filter() -> impl Strategy<Value = Filter> {
    let range = |low: i64, len: i64| Range {
        low,
        high: low + len,
    };
    let leaf = prop_oneof![
        3 => Just(Filter::All),
        1 => (0_i64..3, 0_i64..2).prop_map(move |(low, len)| Filter::Test(CODE, range(low, len))),
        1 => (-3_i64..3, 0_i64..9).prop_map(move |(low, len)| Filter::Test(AMOUNT, range(low, len))),
        1 => Just(Filter::present(AMOUNT)),
        1 => Just(Filter::present(AttributeId(99))),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Filter::Not(Box::new(inner))),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Filter::And),
            proptest::collection::vec(inner, 0..3).prop_map(Filter::Or),
        ]
    })
}

fn any_bound() -> impl Strategy<Value = Bound> {
    prop_oneof![
        (1_i128..4, 0_i128..3).prop_map(|(low, len)| Bound::Within(low, low + len)),
        (1_i128..99_999).prop_map(|high| Bound::Within(-high, -1)),
        Just(Bound::Within(i128::MIN, -1)),
        Just(Bound::Within(3, i128::MAX)),
        (0_i128..3, 0_i128..3).prop_map(|(low, high)| Bound::Outside(-low, high)),
        Just(Bound::Outside(0, i128::MAX)),
    ]
}

fn any_question() -> impl Strategy<Value = Question> {
    let comparison = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
    ];
    prop_oneof![
        Just(Question::Did),
        any_bound().prop_map(Question::Count),
        any_bound().prop_map(Question::Days),
        any_bound().prop_map(|bound| Question::Sum(AMOUNT, bound)),
        (comparison, -9_i128..9, 1_i128..4).prop_map(|(comparison, n, d)| Question::Average(
            AMOUNT,
            comparison.into(),
            (n, d)
        )),
        any_filter().prop_map(Question::First),
        any_filter().prop_map(Question::Last),
        proptest::collection::btree_set(0_i64..4, 1..3)
            .prop_map(|codes| Question::Top(CODE, codes.into_iter().collect())),
    ]
}

pub(crate) fn any_window() -> impl Strategy<Value = Window> {
    let day = 19_779_i32..19_787;
    prop_oneof![
        Just(Window::ALL),
        (day.clone(), 0_i32..5).prop_map(|(day, len)| Window::of_days(day, day + len)),
        (day, 0_i64..MICROS_PER_DAY, 0_i64..3 * MICROS_PER_DAY).prop_map(|(day, from, len)| {
            let from_us = i64::from(day) * MICROS_PER_DAY + from;
            Window {
                from_us,
                to_us: from_us + len,
            }
        }),
    ]
}

/// The tables of a kind of event, by bucket; February may be rolled up.
fn tables(
    events: &[(u32, UserEvent)],
    event: EventId,
    rolled_until: i32,
) -> Vec<(Bucket, Box<EventTable>)> {
    let mut extent = Extent::of_day(19_780);
    extent.include(19_786);
    extent.rolled_until = rolled_until;
    let buckets = extent.buckets(i32::MIN, i32::MAX);
    let of_bucket = |bucket: Bucket| {
        let rows: Vec<EventRow> = events
            .iter()
            .filter(|(_, of)| {
                of.event == event && extent.bucket(day_of_micros(of.time_us)) == bucket
            })
            .map(|(offset, event)| row(*offset, event.time_us, &event.details.numbers()))
            .collect();
        (bucket, Box::new(table(&rows)))
    };
    buckets.into_iter().map(of_bucket).collect()
}

fn check_found(found: &[Option<Block>], events: &[(u32, UserEvent)], behaviour: &Behaviour) {
    for user in [0, 1, 2, 3, 65_536_u32] {
        let own: Vec<UserEvent> = events
            .iter()
            .filter(|(offset, _)| *offset == user)
            .map(|(_, event)| event.clone())
            .collect();
        let block = found
            .get((user >> BLOCK_BITS) as usize)
            .and_then(Option::as_ref);
        let is_found = block.is_some_and(|block| block.contains(user as u16));
        assert_eq!(
            is_found,
            naive::behaviour::matches(behaviour, &own),
            "{user} {own:?}"
        );
    }
}

pub(crate) fn february_rolled() -> impl Strategy<Value = i32> {
    prop_oneof![Just(i32::MIN), Just(month_of_day(19_782) + 1)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn scans_agree_with_the_oracle(
        events in any_events(),
        filter in any_filter(),
        window in any_window(),
        question in any_question(),
        rolled_until in february_rolled(),
    ) {
        let behaviour = Behaviour { event: EventId(0), filter, window, question };
        let tables = tables(&events, behaviour.event, rolled_until);
        let mut scan = Scan::new(&behaviour);
        let (first, rest) = tables.split_at(tables.len() / 2);
        scan.add(first);
        scan.add(rest);
        check_found(&scan.finish(), &events, &behaviour);
        let whole = Scan::whole(&behaviour, &tables, |_| Ok::<_, ()>(()));
        check_found(&whole.unwrap(), &events, &behaviour);
    }

    #[test]
    fn sequences_agree_with_the_oracle(
        events in any_events(),
        window in any_window(),
        steps in proptest::collection::vec((0_u32..3, any_filter()), 2..4),
        within_us in any_within(),
        rolled_until in february_rolled(),
    ) {
        let steps: Vec<Step> = steps.into_iter().map(step).collect();
        let behaviour = Behaviour {
            event: steps[0].event,
            filter: steps[0].filter.clone(),
            window,
            question: Question::Sequence { then: steps[1..].to_vec(), within_us },
        };
        let by_step: Vec<_> = steps.iter().map(|step| tables(&events, step.event, rolled_until)).collect();
        let filters = steps.iter().map(|step| &step.filter).collect();
        let mut scan = SequenceScan::new(filters, window, within_us);
        let everybody = vec![Some(Block::full()); 16];
        for place in 0..by_step[0].len() {
            let of_bucket: Vec<&EventTable> = by_step.iter().map(|tables| &*tables[place].1).collect();
            scan.add(by_step[0][place].0, &of_bucket, &everybody);
        }
        check_found(&scan.finish(), &events, &behaviour);
    }
}
