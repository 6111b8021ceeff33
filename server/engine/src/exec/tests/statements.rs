//! Whole statements over a real database: what one writes the next one reads.

use std::sync::Arc;

use crate::{
    budget::Budget,
    database::{Database, Options, Parameters},
    datum::{Datum, Summary},
    error::{Error, ErrorCode},
    exec::testing::Collected,
    time::ManualClock,
};

struct Opened {
    database: Database,
    // Removed after the database is closed.
    _dir: tempfile::TempDir,
}

impl Opened {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            partition_count: 3,
            threads: 2,
            cache_bytes: 1 << 20,
            ..Options::default()
        };
        let clock = Arc::new(ManualClock::default());
        let database = Database::open(dir.path(), options, clock).expect("a database");
        Self {
            database,
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
    check("COUNT did:purchase", vec![], ErrorCode::NotAvailableYet);
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
