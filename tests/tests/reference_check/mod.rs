//! How a table of reference answers is checked.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use tessera_protocol::message::Datum;
use tessera_tests::{answers::Answers, program, server_process::ServerProcess, wire::Wire};

/// A reference answer and how it is found.
pub(crate) struct Case(pub(crate) &'static str, pub(crate) How);

/// How a reference answer is found.
pub(crate) enum How {
    /// By these statements. The rows of one statement are the answer; the only values of several
    /// are its only row.
    Asked(&'static [&'static str]),
    /// The only value of the first statement, and the sums of the second one's columns behind its
    /// dim, are the only row.
    Summed(&'static str, &'static str),
}

/// A server on an empty directory. The folder beside the store is the test's own.
pub(crate) fn start() -> (TempDir, ServerProcess) {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(&directory.path().join("store"));
    (directory, server)
}

/// Imports a file with the real program.
pub(crate) fn import(server: &ServerProcess, file: &Path, mapping: &Path) {
    let arguments = [
        "import".as_ref(),
        file.as_os_str(),
        "--mapping".as_ref(),
        mapping.as_os_str(),
    ];
    program::run(server.address(), &arguments).well();
}

/// Checks every case against the data set's answers, and that no answer is forgotten.
pub(crate) fn check_all(server: &ServerProcess, data: &Path, cases: &[Case]) {
    let answers = Answers::read(data);
    let mut wire = Wire::connect(server.address()).unwrap();
    for Case(id, how) in cases {
        let found = match how {
            How::Asked(statements) => asked(&mut wire, statements),
            How::Summed(first, second) => {
                let mut row = asked(&mut wire, &[*first]).concat();
                row.extend(summed(&asked(&mut wire, &[*second])));
                vec![row]
            }
        };
        check(id, &found, answers.rows(id));
    }
    let named: BTreeSet<&str> = cases.iter().map(|Case(id, _)| *id).collect();
    assert_eq!(
        named,
        answers.ids().collect(),
        "every answer is in the table"
    );
}

/// The rows of one statement; of several, their only values as one row.
fn asked(wire: &mut Wire, statements: &[&str]) -> Vec<Vec<Datum>> {
    let mut tables: Vec<Vec<Vec<Datum>>> = statements
        .iter()
        .map(|statement| {
            wire.execute(statement)
                .unwrap_or_else(|error| panic!("{statement}: {error:?}"))
                .rows
        })
        .collect();
    match tables.len() {
        1 => tables.remove(0),
        _ => vec![tables.into_iter().flatten().flatten().collect()],
    }
}

/// The sums of all columns but the first.
fn summed(rows: &[Vec<Datum>]) -> Vec<Datum> {
    let columns = rows.first().map_or(0, Vec::len);
    let number = |datum: &Datum| {
        let Datum::Integer(number) = datum else {
            panic!("{datum:?} is not summed")
        };
        *number
    };
    let sum = |at: usize| rows.iter().map(|row| number(&row[at])).sum();
    (1..columns).map(|at| Datum::Integer(sum(at))).collect()
}

fn check(id: &str, found: &[Vec<Datum>], expected: &[Vec<Value>]) {
    assert_eq!(found.len(), expected.len(), "{id}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let same = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(left, right)| is(left, right));
        assert!(same, "{id}: {found:?} instead of {expected:?}");
    }
}

/// Whether a value is what SQL said. A key is a text that SQL has as a number, and the amounts
/// that SQL has in thousandths are decimals.
fn is(found: &Datum, expected: &Value) -> bool {
    match (found, expected) {
        (Datum::Integer(found), Value::Number(expected)) => expected.as_i64() == Some(*found),
        (Datum::Decimal { units, scale: 3 }, Value::Number(expected)) => {
            expected.as_i64().map(i128::from) == Some(*units)
        }
        // SQL rounds means to four digits.
        (Datum::Real(found), Value::Number(expected)) => expected
            .as_f64()
            .is_some_and(|expected| (found - expected).abs() <= 0.00005),
        (Datum::Text(found), Value::Number(expected)) => *found == expected.to_string(),
        (Datum::Text(found), Value::String(expected)) => found == expected,
        (found, expected) => panic!("{found:?} and {expected} do not compare"),
    }
}
