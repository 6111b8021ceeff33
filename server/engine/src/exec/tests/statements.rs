//! Whole statements over a real database: what one writes the next one reads.

use std::{sync::Arc, time::Duration};

use crate::{
    budget::Budget,
    database::{Database, Limits, Options, Parameters, WriteRequest},
    datum::{Datum, Summary},
    error::{Error, ErrorCode},
    exec::testing::Collected,
    time::ManualClock,
};

struct Opened {
    database: Database,
    clock: Arc<ManualClock>,
    // Removed after the database is closed.
    _dir: tempfile::TempDir,
}

impl Opened {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut options = Options {
            partition_count: 3,
            threads: 2,
            cache_bytes: 1 << 20,
            ..Options::default()
        };
        let clock = Arc::new(ManualClock::default());
        change(&mut options.limits);
        let database = Database::open(dir.path(), options, clock.clone()).expect("a database");
        Self {
            database,
            clock,
            _dir: dir,
        }
    }

    fn run(
        &self,
        text: &str,
        parameters: Vec<(String, Datum)>,
    ) -> Result<(Summary, Collected), Error> {
        let mut sink = Collected::default();
        let parameters = Parameters::new(parameters);
        let budget = Budget::unlimited();
        let summary = self
            .database
            .execute(text, &parameters, &budget, &mut sink)?;
        Ok((summary, sink))
    }

    fn ok(&self, text: &str) -> (Summary, Collected) {
        self.run(text, Vec::new())
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn count(&self, expr: &str) -> i64 {
        match self.ok(&format!("COUNT {expr}")).1.rows.as_slice() {
            [row] => match row.as_slice() {
                [Datum::Integer(count)] => *count,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

fn users() -> Opened {
    let opened = Opened::new();
    for text in [
        "DEFINE GROUP stage EXCLUSIVE",
        "DEFINE TAG lead IN GROUP stage",
        "DEFINE TAG client IN GROUP stage",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE ATTRIBUTE city ENUM",
    ] {
        opened.ok(text);
    }
    for index in 0..20 {
        let city = if index % 2 == 0 { "paris" } else { "rome" };
        opened.ok(&format!("SET \"u{index}\" age = {index}, city = {city}"));
    }
    opened
}

#[test]
fn statements_read_what_statements_wrote() {
    let opened = users();
    assert_eq!(opened.count("ALL"), 20);
    let (summary, _) = opened.ok("TAG WHERE age >= 15 WITH lead");
    assert_eq!(summary.users_changed, 5);
    opened.ok("TAG WHERE tag:lead AND city:rome WITH client");
    assert_eq!(opened.count("tag:client"), 3);
    assert_eq!(opened.count("tag:lead"), 2);
    opened.ok("SAVE SEGMENT clients AS tag:client");
    assert_eq!(opened.count("segment:clients AND city:rome"), 3);
    opened.ok("DELETE USER \"u15\", \"u16\"");
    assert_eq!(opened.count("group:stage IS PRESENT"), 3);
    assert_eq!(opened.count("NOT tag:client"), 16);
    opened.ok("UNTAG WHERE ALL WITH client");
    assert_eq!(opened.count("tag:client"), 0);
    assert!(opened.ok("SHOW STATUS").1.rows.len() > 5);
}

#[test]
fn a_cursor_keeps_its_snapshot() {
    let opened = users();
    let all = opened.ok("SEGMENT ALL RETURN age").1.rows;
    let (summary, page) = opened.ok("SEGMENT ALL RETURN age LIMIT 7");
    opened.ok("SET WHERE ALL age = 0");
    opened.ok("DELETE USER \"u1\", \"u2\", \"u3\"");
    let mut rows = page.rows;
    let mut cursor = summary.cursor;
    while let Some(token) = cursor {
        let (summary, page) = opened.ok(&format!("FETCH \"{token}\""));
        rows.extend(page.rows);
        cursor = summary.cursor;
    }
    assert_eq!(rows, all);
    assert_eq!(opened.count("age = 0"), 17);
}

#[test]
fn errors_of_every_phase_have_codes() {
    let opened = users();
    let check = |text: &str, parameters: Vec<(String, Datum)>, expected: ErrorCode| {
        let error = opened.run(text, parameters).map(|_| ()).expect_err(text);
        assert_eq!(error.code(), expected, "{text}: {error}");
    };
    let one = || vec![("1".to_owned(), Datum::Integer(1))];
    check("COUNT", vec![], ErrorCode::Syntax);
    check("COUNT tag:leads", vec![], ErrorCode::UnknownName);
    check("COUNT age = x", vec![], ErrorCode::TypeMismatch);
    check("COUNT referred_by(ALL)", vec![], ErrorCode::UnknownName);
    check("COUNT ALL", one(), ErrorCode::TypeMismatch);
    check("DEFINE TAG x", one(), ErrorCode::TypeMismatch);
    check("SHOW STATUS", one(), ErrorCode::TypeMismatch);
    check("DEFINE TAG lead", vec![], ErrorCode::Conflict);
    check(
        "TAG WHERE tag:leads WITH lead",
        vec![],
        ErrorCode::UnknownName,
    );
    check("FETCH \"0\"", vec![], ErrorCode::UnknownCursor);
}

/// Whether somebody else than the database holds a state that was given out before.
#[test]
fn idle_cursors_let_go_of_their_snapshot_without_being_asked() {
    let again = |opened: &Opened, how: &str| match how {
        "statement" => drop(opened.ok("COUNT ALL")),
        "definition" => drop(opened.ok("DEFINE TAG another")),
        _ => {
            let request = WriteRequest::default();
            drop(opened.database.write(request).expect("nothing is written"));
        }
    };
    for how in ["statement", "definition", "write"] {
        let opened = users();
        let old = Arc::downgrade(&opened.database.view());
        let cursor = opened.ok("SEGMENT ALL LIMIT 1").0.cursor;
        assert!(cursor.is_some());
        // The database itself goes on to another state.
        opened.ok("DEFINE TAG something");
        opened.clock.advance(Duration::from_secs(299));
        again(&opened, how);
        assert!(old.upgrade().is_some(), "{how}: the cursor is open");
        if how == "definition" {
            opened.ok("DROP TAG another");
        }
        opened.clock.advance(Duration::from_secs(1));
        again(&opened, how);
        assert!(old.upgrade().is_none(), "{how}: the cursor has expired");
    }
}

#[test]
fn users_of_a_where_are_counted_once_however_much_is_done_to_each() {
    let with_users = |max: u32| {
        let opened = Opened::with(|limits| limits.where_users_max = max);
        opened.ok("DEFINE ATTRIBUTE m1 MULTI");
        opened.ok("DEFINE ATTRIBUTE m2 MULTI");
        opened.ok("SET \"a\", \"b\", \"c\" m1 = x");
        opened
    };
    let text = "SET WHERE ALL m1 += a, m2 += b";
    assert_eq!(with_users(3).ok(text).0.users_changed, 3);
    let error = with_users(2).run(text, Vec::new()).expect_err("too many");
    assert_eq!(error.code(), ErrorCode::LimitExceeded);
    assert!(error.to_string().contains("this WHERE finds 3"), "{error}");
}

#[test]
fn many_pieces_of_a_where_are_one_request() {
    let opened = Opened::new();
    opened.ok("DEFINE ATTRIBUTE note TEXT");
    opened.ok("DEFINE ATTRIBUTE other TEXT");
    let users: Vec<String> = (0..2_000).map(|n| format!("\"u{n}\"")).collect();
    opened.ok(&format!("SET {} note = a", users.join(", ")));
    let commits = || opened.database.view().version();
    let before = commits();
    let text = "n".repeat(2_000);
    let (summary, _) = opened.ok(&format!("SET WHERE ALL note = \"{text}\", other = b"));
    assert_eq!((summary.users_changed, commits()), (2_000, before + 1));
}
