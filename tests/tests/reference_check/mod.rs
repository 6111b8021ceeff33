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
    /// Not at all, for this reason.
    LeftOut(&'static str),
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
        match how {
            How::Asked(statements) => check(&mut wire, id, statements, answers.rows(id)),
            How::LeftOut(reason) => println!("{id} is left out: {reason}"),
        }
    }
    let named: BTreeSet<&str> = cases.iter().map(|Case(id, _)| *id).collect();
    assert_eq!(
        named,
        answers.ids().collect(),
        "every answer is in the table"
    );
}

fn check(wire: &mut Wire, id: &str, statements: &[&str], expected: &[Vec<Value>]) {
    let mut tables: Vec<Vec<Vec<Datum>>> = statements
        .iter()
        .map(|statement| {
            wire.execute(statement)
                .unwrap_or_else(|error| panic!("{id}, {statement}: {error:?}"))
                .rows
        })
        .collect();
    let found = match tables.len() {
        1 => tables.remove(0),
        _ => vec![tables.into_iter().flatten().flatten().collect()],
    };
    assert_eq!(found.len(), expected.len(), "{id}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let same = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(left, right)| is(left, right));
        assert!(
            same,
            "{id}, {statements:?}: {found:?} instead of {expected:?}"
        );
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
        (Datum::Text(found), Value::Number(expected)) => *found == expected.to_string(),
        (Datum::Text(found), Value::String(expected)) => found == expected,
        (found, expected) => panic!("{found:?} and {expected} do not compare"),
    }
}
