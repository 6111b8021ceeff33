//! Whole reading statements: cursors, portraits, definitions and plans.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tessera_query_lang::ast::Statement;

use super::{dimensions::people, statement};
use crate::{
    datum::{Datum, ResultKind, Row, Summary},
    error::{Error, ErrorCode},
    exec::{
        cursors::{Cursors, Randomness, SystemRandomness},
        heard::Heard,
        query::Query,
        testing::{Bench, Collected},
    },
    time::{Clock, ManualClock},
};

/// Counts up, so that tokens are known.
#[derive(Default)]
struct Counting(Mutex<u128>);

impl Randomness for Counting {
    fn bits(&self) -> u128 {
        let mut last = self.0.lock().expect("nobody panics");
        *last += 1;
        *last
    }
}

struct Session {
    bench: Bench,
    cursors: Cursors,
    clock: ManualClock,
    parameters: Vec<(String, Datum)>,
}

impl Session {
    fn new() -> Self {
        Self {
            bench: people(),
            cursors: Cursors::new(Box::<Counting>::default()),
            clock: ManualClock::default(),
            parameters: Vec::new(),
        }
    }

    fn run(&self, text: &str) -> Result<(Summary, Collected), Error> {
        let query = Query {
            dataset: Arc::clone(&self.bench.dataset) as Arc<dyn crate::exec::dataset::Dataset>,
            scheduler: Some(self.bench.scheduler),
            budget: &self.bench.budget,
            limits: &self.bench.limits,
            parameters: &self.parameters,
            now: Timestamp::UNIX_EPOCH,
            clock: &self.clock,
            cursors: &self.cursors,
            heard: &Heard::default(),
            orders: None,
        };
        let mut sink = Collected::default();
        let summary = match statement(text) {
            Statement::Count(expr) => query.count(&expr, &mut sink)?,
            Statement::Segment(segment) => query.segment(&segment, &mut sink)?,
            Statement::Fetch { cursor, limit } => {
                query.fetch(&cursor, limit.as_ref(), &mut sink)?
            }
            Statement::Close(cursor) => query.close(&cursor)?,
            Statement::Dimension(dimension) => query.dimension(&dimension, &mut sink)?,
            Statement::Portrait(key) => query.portrait(&key, &mut sink)?,
            Statement::Explain(mode, inner) => query.explain(mode, &inner, &mut sink)?,
            Statement::Show(show) => query.show(&show, &mut sink)?,
            other => panic!("{other:?} does not read"),
        };
        assert_eq!(summary.rows, sink.rows.len() as u64, "{text}");
        Ok((summary, sink))
    }

    fn rows(&self, text: &str) -> Vec<Row> {
        self.run(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .1
            .rows
    }

    fn cursor(&self, text: &str) -> Option<String> {
        self.run(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .0
            .cursor
    }
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

#[test]
fn counts_are_one_number() {
    let (summary, sink) = Session::new()
        .run("COUNT gender:f OR age > 90")
        .expect("it counts");
    assert_eq!(
        (summary.rows, sink.rows),
        (1, vec![vec![Datum::Integer(4)]])
    );
    assert_eq!(
        sink.header.map(|header| header.kind),
        Some(ResultKind::Count)
    );
}

#[test]
fn pages_follow_each_other() {
    for order in ["", " ORDER BY age DESC"] {
        let session = Session::new();
        let all = session.rows(&format!("SEGMENT ALL{order}"));
        let (summary, sink) = session
            .run(&format!("SEGMENT ALL{order} LIMIT 4"))
            .expect("a page");
        let mut rows = sink.rows;
        let first = summary.cursor.expect("there is more");
        let (summary, sink) = session
            .run(&format!("FETCH \"{first}\" LIMIT 5"))
            .expect("a page");
        rows.extend(sink.rows.clone());
        let second = summary.cursor.expect("there is more");
        // An answer that was lost can be had again.
        assert_eq!(
            session.rows(&format!("FETCH \"{first}\" LIMIT 5")),
            sink.rows
        );
        let (summary, sink) = session.run(&format!("FETCH \"{second}\"")).expect("a page");
        rows.extend(sink.rows);
        assert_eq!((summary.cursor, rows), (None, all));
        // So can the last one, until the cursor expires.
        assert_eq!(session.rows(&format!("FETCH \"{second}\"")).len(), 1);
        session.clock.advance(Duration::from_secs(300));
        let ended = session.run(&format!("FETCH \"{second}\""));
        assert!(matches!(ended, Err(Error::UnknownCursor)));
    }
}

#[test]
fn a_page_given_again_with_another_length_loses_nobody() {
    for order in ["", " ORDER BY age DESC"] {
        for lengths in [[6, 2], [2, 6], [9, 2], [2, 9]] {
            let session = Session::new();
            let all = session.rows(&format!("SEGMENT ALL{order}"));
            let (summary, sink) = session
                .run(&format!("SEGMENT ALL{order} LIMIT 1"))
                .expect("a page");
            let first = summary.cursor.expect("there is more");
            let fetch = |length: u32| {
                session
                    .run(&format!("FETCH \"{first}\" LIMIT {length}"))
                    .expect("a page")
            };
            fetch(lengths[0]);
            let (mut summary, again) = fetch(lengths[1]);
            let mut rows = [sink.rows, again.rows].concat();
            while let Some(cursor) = summary.cursor {
                let (next, sink) = session
                    .run(&format!("FETCH \"{cursor}\" LIMIT 3"))
                    .expect("a page");
                rows.extend(sink.rows);
                summary = next;
            }
            assert_eq!(rows, all, "{lengths:?}{order}");
        }
    }
}

#[test]
fn a_full_last_page_has_no_cursor() {
    let session = Session::new();
    assert_eq!(session.cursor("SEGMENT ALL LIMIT 10"), None);
    assert_eq!(session.cursor("SEGMENT ALL ORDER BY KEY LIMIT 10"), None);
    assert!(session.cursor("SEGMENT ALL LIMIT 9").is_some());
}

#[test]
fn cursors_close_expire_and_give_way() {
    let mut session = Session::new();
    session.bench.limits.cursors_max = 2;
    let fetch = |session: &Session, cursor: &str| {
        session
            .run(&format!("FETCH \"{cursor}\" LIMIT 1"))
            .map(|_| ())
    };
    let open = |session: &Session| {
        session.clock.advance(Duration::from_secs(1));
        session
            .cursor("SEGMENT ALL LIMIT 1")
            .expect("there is more")
    };
    let (first, second) = (open(&session), open(&session));
    session.clock.advance(Duration::from_secs(1));
    assert!(fetch(&session, &first).is_ok());
    let third = open(&session);
    assert!(matches!(
        fetch(&session, &second),
        Err(Error::UnknownCursor)
    ));
    assert!(fetch(&session, &first).is_ok());
    assert!(fetch(&session, &third).is_ok());
    assert!(session.run(&format!("CLOSE \"{third}\"")).is_ok());
    assert!(matches!(fetch(&session, &third), Err(Error::UnknownCursor)));
    assert!(matches!(
        session.run(&format!("CLOSE \"{third}\"")),
        Err(Error::UnknownCursor)
    ));
    session.clock.advance(Duration::from_secs(300));
    assert!(matches!(fetch(&session, &first), Err(Error::UnknownCursor)));
    for nonsense in [
        "",
        "x",
        "0-1",
        "00000000000000000000000000000001",
        "+0000000000000000000000000000001-1",
    ] {
        assert!(
            matches!(fetch(&session, nonsense), Err(Error::UnknownCursor)),
            "{nonsense}"
        );
    }
}

#[test]
fn tokens_do_not_repeat() {
    let randomness = SystemRandomness::default();
    let (one, two) = (randomness.bits(), randomness.bits());
    assert_ne!(one, two);
    assert_ne!(
        SystemRandomness::default().bits(),
        SystemRandomness::default().bits()
    );
}

#[test]
fn portraits_tell_everything() {
    let session = Session::new();
    let rows = session.rows("PORTRAIT \"u1\"");
    let row = |section: &str, name: &str, value: Datum| {
        let source = match section {
            "tag" => text("manual"),
            _ => Datum::Null,
        };
        let held = [Datum::Null, Datum::Null, source];
        [vec![text(section), text(name), value], held.to_vec()].concat()
    };
    let expected = vec![
        row("user", "key", text("u1")),
        row("attribute", "age", Datum::Integer(20)),
        row("attribute", "gender", text("f")),
        row("tag", "promo-a", text("promo")),
        row("tag", "promo-b", text("promo")),
        row("segment", "nested", Datum::Null),
    ];
    assert_eq!(rows, expected);
    let (summary, sink) = session.run("PORTRAIT \"nobody\"").expect("an answer");
    assert_eq!(
        (sink.rows.len(), summary.warnings.as_slice()),
        (0, ["there is no user \"nobody\"".to_owned()].as_slice())
    );
}

#[test]
fn portraits_leave_out_what_cannot_be_resolved() {
    use crate::{
        exec::testing::{memory, random},
        ids::{Location, PartitionId, SegmentId, UserId},
        schema::{Notes, SegmentDefinition},
        storage::UserRecord,
    };
    let mut schema = random::schema();
    let mut put = |id: u32, name: String, text: String| {
        schema.put_segment(SegmentDefinition {
            id: SegmentId(id),
            name: random::name(&name),
            text,
            notes: Notes::default(),
        });
    };
    // One grows too wide, the other too deep.
    put(1000, "e0".to_owned(), "ALL".to_owned());
    for number in 1..20 {
        let inner = number - 1;
        let text = format!("segment:e{inner} OR NOT segment:e{inner}");
        put(1000 + number, format!("e{number}"), text);
    }
    put(2000, "f0".to_owned(), "ALL".to_owned());
    for number in 1..400 {
        let text = format!("segment:f{}", number - 1);
        put(2000 + number, format!("f{number}"), text);
    }
    let user = memory::User {
        key: "u1".to_owned(),
        location: Location {
            partition: PartitionId(0),
            user: UserId(0),
        },
        record: UserRecord::default(),
    };
    let mut session = Session::new();
    session.bench = Bench::new(memory::MemoryDataset::new(
        schema,
        random::PARTITIONS,
        vec![user],
    ));
    let (summary, sink) = session.run("PORTRAIT \"u1\"").expect("an answer");
    let is_in = |name: &str| sink.rows.iter().any(|row| row.get(1) == Some(&text(name)));
    assert!(is_in("e0") && is_in("e10") && !is_in("e17") && is_in("f248") && !is_in("f249"));
    // A hundred are named, and the others counted.
    assert_eq!(summary.warnings.len(), 101);
    let first = summary.warnings.first().expect("a warning");
    assert!(
        first.starts_with("in the saved segment \"e17\": "),
        "{first}"
    );
    let last = summary.warnings.last().expect("a warning");
    assert!(
        last.ends_with("more saved segments cannot be resolved"),
        "{last}"
    );
    let (summary, sink) = session.run("SHOW SEGMENTS").expect("an answer");
    assert_eq!((sink.rows.len(), summary.warnings.len()), (422, 0));
}

#[test]
fn definitions_are_shown_with_their_users() {
    let session = Session::new();
    let firsts = |query: &str, columns: usize| -> Vec<Row> {
        session
            .rows(query)
            .into_iter()
            .map(|row| row.into_iter().take(columns).collect())
            .collect()
    };
    assert_eq!(
        firsts("SHOW TAGS LIKE \"promo-*\"", 3),
        [
            vec![text("promo-a"), text("promo"), Datum::Integer(2)],
            vec![text("promo-b"), text("promo"), Datum::Integer(2)],
        ]
    );
    assert_eq!(
        firsts("SHOW GROUPS", 3),
        [
            vec![text("empty"), Datum::Boolean(false), Datum::Integer(0)],
            vec![text("promo"), Datum::Boolean(false), Datum::Integer(2)],
        ]
    );
    assert_eq!(
        firsts("SHOW ATTRIBUTES LIMIT 2", 5),
        [
            vec![
                text("active"),
                text("boolean"),
                Datum::Boolean(false),
                Datum::Integer(0),
                Datum::Integer(2)
            ],
            vec![
                text("age"),
                text("integer"),
                Datum::Boolean(false),
                Datum::Integer(10),
                Datum::Null
            ],
        ]
    );
    assert_eq!(
        firsts("SHOW ATTRIBUTES LIKE \"interests\"", 2),
        [vec![text("interests"), text("multi, closed")]]
    );
    assert_eq!(
        session.rows("SHOW VALUES OF gender"),
        [
            vec![text("f"), Datum::Integer(3)],
            vec![text("m"), Datum::Integer(2)],
            vec![text("x"), Datum::Integer(1)],
        ]
    );
    assert_eq!(
        firsts("SHOW SEGMENTS LIMIT 1", 2),
        [vec![text("loyal"), text("tag:vip AND age >= 10")]]
    );
    let refused = session
        .run("SHOW VALUES OF age")
        .map(|_| ())
        .map_err(|error| error.code());
    assert_eq!(refused, Err(ErrorCode::TypeMismatch));
}

#[test]
fn plans_are_explained() {
    let session = Session::new();
    let rows = session.rows("EXPLAIN COUNT gender:f AND NOT (tag:vip OR age < 20)");
    let lines: Vec<(String, String)> = rows
        .iter()
        .map(|row| match row.as_slice() {
            [Datum::Text(step), Datum::Text(plan), _] => (step.clone(), plan.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let line = |step: &str, plan: &str| (step.to_owned(), plan.to_owned());
    assert_eq!(
        lines.first(),
        Some(&line("resolved", "gender:f AND NOT (tag:vip OR age:..19)"))
    );
    assert!(
        lines.contains(&line(
            "fold negated unions",
            "gender:f AND (NOT tag:vip AND NOT age:..19)"
        )),
        "{lines:?}"
    );
    assert!(
        lines.contains(&line("operator", "intersection of 1 without 2")),
        "{lines:?}"
    );
    assert!(
        lines.contains(&line("operator", "  keep row gender:f")),
        "{lines:?}"
    );
    assert!(
        lines.contains(&line("operator", "  drop slices age:..19")),
        "{lines:?}"
    );
}

#[test]
fn ways_to_a_result_are_explained() {
    let session = Session::new();
    let check = |statement: &str, expected: Option<(&str, &str)>| {
        let rows = session.rows(&format!("EXPLAIN {statement}"));
        let last = rows.last().expect("there are rows");
        match expected {
            Some((step, plan)) => assert_eq!(last[..2], [text(step), text(plan)], "{statement}"),
            None => assert_eq!(last[0], text("operator"), "{statement}"),
        }
    };
    check("SEGMENT ALL LIMIT 2", None);
    check("DIMENSION gender", None);
    check(
        "SEGMENT ALL ORDER BY note LIMIT 2",
        Some(("order", "along the index of texts, until the page is full")),
    );
    check(
        "SEGMENT ALL ORDER BY note DESC, age LIMIT 2",
        Some((
            "order",
            "back along the index of texts, until the page is full",
        )),
    );
    check(
        "SEGMENT ALL ORDER BY note",
        Some(("order", "by the records of everybody found")),
    );
    check(
        "SEGMENT ALL ORDER BY age LIMIT 2",
        Some((
            "order",
            "by columns; who comes after the page is passed over",
        )),
    );
    check(
        "SEGMENT ALL ORDER BY KEY LIMIT 2",
        Some(("order", "by the keys of everybody found")),
    );
    check(
        "DIMENSION gender MEASURE p50(age)",
        Some(("numbers", "columns, user by user")),
    );
}

#[test]
fn analysis_runs_the_plan() {
    let session = Session::new();
    let rows = session.rows("EXPLAIN ANALYZE SEGMENT gender:f AND age >= 20 LIMIT 1");
    let users_of = |start: &str| {
        let row = rows
            .iter()
            .find(|row| matches!(&row[1], Datum::Text(plan) if plan.trim().starts_with(start)));
        row.unwrap_or_else(|| panic!("{start} is not in {rows:?}"))[3].clone()
    };
    assert_eq!(users_of("intersection"), Datum::Integer(2));
    assert_eq!(users_of("keep row gender:f"), Datum::Integer(3));
    assert_eq!(users_of("keep slices age:20.."), Datum::Integer(9));
    assert_eq!(
        rows.last().map(|row| row[1].clone()),
        Some(text("segment, 1 rows"))
    );
    // The cursor of the segment that nobody read is closed.
    assert_eq!(
        session.cursor("SEGMENT ALL LIMIT 1"),
        Some(format!("{:032x}-1", 2))
    );
    let refused = session.run("EXPLAIN COUNT ALL").map(|_| ());
    assert!(refused.is_ok());
}

#[test]
fn a_passed_deadline_ends_a_query() {
    let mut session = Session::new();
    let clock = Arc::new(ManualClock::default());
    let deadline = clock.monotonic() + Duration::from_millis(1);
    session.bench.budget = crate::budget::Budget::with_deadline(
        crate::budget::CancelFlag::new(),
        clock.clone(),
        deadline,
    );
    assert!(session.run("COUNT gender:f AND age > 3").is_ok());
    clock.advance(Duration::from_millis(1));
    for text in [
        "COUNT gender:f AND age > 3",
        "DIMENSION gender",
        "SEGMENT ALL ORDER BY age",
        "SHOW TAGS",
    ] {
        assert!(
            matches!(session.run(text), Err(Error::DeadlineExceeded)),
            "{text}"
        );
    }
}
