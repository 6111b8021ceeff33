//! Whole imports, against a server that answers as it is told to.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::cli::args::{Arguments, Command};
use crate::cli::session::{Column, ColumnRole, Datum, Failure, Mutation, ResultKind, Summary};
use crate::cli::streams::Terminal;
use crate::fake_server::{FakeServer, pair};
use crate::{ClientOptions, FailureCode};
use tessera_protocol::message::{Request, RequestBody, RequestId, ServerMessage};

const MAPPING: &str = "key = \"id\"\n[[attribute]]\ncolumn = \"age\"\ntype = \"integer\"\n\
                       [[tag]]\ncolumn = \"plan\"\nby = \"value\"\ngroup = \"plans\"\n";

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What the server was asked.
type Asked = Arc<Mutex<Vec<String>>>;

/// Refuses changes of the user `bad`; says that `age` has this type, that the tag `gold` is in
/// the group `plans` and the tag `lone` in none.
async fn serve(
    mut server: FakeServer,
    age_type: Option<&'static str>,
    asked: Asked,
) -> std::io::Result<()> {
    let mut peer = server.accept().await?;
    loop {
        let request = peer.request().await?;
        asked.lock().unwrap().push(told(&request));
        for message in answer(&request, age_type) {
            peer.send(message).await?;
        }
    }
}

fn told(request: &Request) -> String {
    match &request.body {
        RequestBody::Execute { statement, .. } => statement.clone(),
        RequestBody::Write { .. } | RequestBody::Load { .. } => {
            format!("{} changes", mutations(request).len())
        }
        RequestBody::LoadEvents { rows, .. } => format!("{} {}", rows.len(), rows.event),
        RequestBody::Ping => String::new(),
    }
}

/// What a request changes, however it says it.
fn mutations(request: &Request) -> Vec<Mutation> {
    match &request.body {
        RequestBody::Execute { .. } | RequestBody::Ping => Vec::new(),
        RequestBody::Write { mutations, .. } => mutations.clone(),
        RequestBody::Load { rows, .. } => {
            let reader = rows.reader();
            let all = (0..rows.len()).flat_map(|row| reader.mutations(row));
            all.collect()
        }
        RequestBody::LoadEvents { rows, .. } => {
            let tracks = (0..rows.len()).filter_map(|row| rows.track(row));
            tracks
                .map(|track| Mutation::Track(Box::new(track)))
                .collect()
        }
    }
}

fn answer(request: &Request, age_type: Option<&str>) -> Vec<ServerMessage> {
    let id = request.id;
    let end = |summary| ServerMessage::End { id, summary };
    match &request.body {
        RequestBody::Execute { statement, .. } if statement.starts_with("SHOW ATTRIBUTES") => {
            let rows = age_type.iter().map(|kind| vec![text("age"), text(kind)]);
            definitions(id, ["name", "type"], rows.collect())
        }
        RequestBody::Execute { statement, .. }
            if statement.replace('"', "") == "SHOW TAGS LIKE lone" =>
        {
            definitions(id, ["name", "group"], vec![vec![text("lone"), Datum::Null]])
        }
        RequestBody::Execute { statement, .. }
            if statement.replace('"', "") == "SHOW TAGS LIKE gold" =>
        {
            let rows = vec![vec![text("gold"), text("plans")]];
            definitions(id, ["name", "group"], rows)
        }
        RequestBody::Write { .. } | RequestBody::Load { .. }
            if mutations(request).iter().any(is_bad) =>
        {
            let failure = Failure {
                code: FailureCode::Conflict,
                message: "age is write-once".to_owned(),
                span: None,
                hint: None,
            };
            vec![ServerMessage::Failed { id, failure }]
        }
        RequestBody::Write { .. } | RequestBody::Load { .. } => {
            let facts_changed = mutations(request).len() as u64;
            vec![end(Summary {
                facts_changed,
                ..Summary::default()
            })]
        }
        RequestBody::LoadEvents { rows, .. } => {
            let of_bad = |row: &usize| rows.track(*row).is_some_and(|event| event.user == "bad");
            match (0..rows.len()).find(of_bad) {
                Some(row) => {
                    let failure = Failure {
                        code: FailureCode::TypeMismatch,
                        message: "amount cannot be so".to_owned(),
                        span: Some((row as u32, row as u32 + 1)),
                        hint: None,
                    };
                    vec![ServerMessage::Failed { id, failure }]
                }
                None => vec![end(Summary {
                    facts_changed: rows.len() as u64,
                    ..Summary::default()
                })],
            }
        }
        RequestBody::Execute { .. } | RequestBody::Ping => vec![end(Summary::default())],
    }
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn definitions(id: RequestId, columns: [&str; 2], rows: Vec<Vec<Datum>>) -> Vec<ServerMessage> {
    let columns = columns.map(|name| Column {
        name: name.to_owned(),
        role: ColumnRole::Value,
    });
    let header = ServerMessage::Header {
        id,
        kind: ResultKind::Definitions,
        columns: columns.to_vec(),
    };
    let summary = Summary::default();
    vec![
        header,
        ServerMessage::Rows { id, rows },
        ServerMessage::End { id, summary },
    ]
}

fn is_bad(mutation: &Mutation) -> bool {
    matches!(mutation, Mutation::Set { user, .. } if user == "bad")
}

struct Imported {
    outcome: Result<(), CliError>,
    out: String,
    err: String,
    asked: Vec<String>,
    folder: TempDir,
}

async fn import(data: &str, age_type: Option<&'static str>, more: &[&str]) -> Imported {
    import_by(MAPPING, data, age_type, more).await
}

async fn import_by(
    mapping_text: &str,
    data: &str,
    age_type: Option<&'static str>,
    more: &[&str],
) -> Imported {
    let folder = tempfile::tempdir().unwrap();
    let (file, mapping) = (folder.path().join("a.csv"), folder.path().join("m.toml"));
    fs::write(&file, data).unwrap();
    fs::write(&mapping, mapping_text).unwrap();
    let words = [
        "tessera",
        "import",
        file.to_str().unwrap(),
        "--mapping",
        mapping.to_str().unwrap(),
    ];
    let arguments = Arguments::try_parse_from(words.iter().chain(more)).unwrap();
    let Some(Command::Import(arguments)) = arguments.command else {
        unreachable_command()
    };
    let (client, server) = pair(ClientOptions::default());
    let asked = Asked::default();
    let serving = tokio::spawn(serve(server, age_type, Arc::clone(&asked)));
    let (out, err) = (Shared::default(), Shared::default());
    let mut streams = Streams {
        stdin: Box::new(std::io::empty()),
        stdout: Box::new(out.clone()),
        stderr: Box::new(err.clone()),
        terminal: Terminal::default(),
    };
    let outcome = run(&arguments, &Session::of(client), &mut streams).await;
    serving.abort();
    let asked = asked.lock().unwrap().clone();
    Imported {
        outcome,
        out: out.text(),
        err: err.text(),
        asked,
        folder,
    }
}

#[expect(clippy::panic, reason = "a test may fail loudly")]
fn unreachable_command() -> ! {
    panic!("the words are an import")
}

#[tokio::test]
async fn rows_become_changes_after_their_definitions() {
    let imported = import(
        "id,age,plan\n1,20,gold\n2,,\n3,30,gold\n",
        Some("INTEGER"),
        &[],
    )
    .await;
    imported.outcome.unwrap();
    assert!(
        imported
            .out
            .starts_with("rows: 3\nchanges of users: 0\nchanges of facts: 5\nrejected: 0\n"),
        "{}",
        imported.out
    );
    assert_eq!(imported.err, "");
    let defines = [
        "SHOW ATTRIBUTES LIKE age",
        "SHOW GROUPS LIKE plans",
        "DEFINE GROUP IF NOT EXISTS plans",
        "DEFINE ATTRIBUTE IF NOT EXISTS age INTEGER",
        "DEFINE TAG IF NOT EXISTS gold IN GROUP plans",
        "SHOW TAGS LIKE gold",
    ];
    let statements: Vec<String> = imported
        .asked
        .iter()
        .filter(|asked| !asked.ends_with("changes"))
        .map(|text| text.replace('"', ""))
        .collect();
    assert_eq!(statements, defines);
}

#[tokio::test]
async fn a_row_that_the_server_refuses_is_set_aside() {
    let data = "id,age,plan\n1,20,gold\nbad,30,gold\nx,y,z\n3,40,\n";
    let imported = import(data, None, &[]).await;
    imported.outcome.unwrap();
    assert!(
        imported.out.contains("rows: 4\n") && imported.out.contains("rejected: 2\n"),
        "{}",
        imported.out
    );
    assert!(
        imported
            .err
            .contains("a.csv, line 3, column age: age is write-once"),
        "{}",
        imported.err
    );
    assert!(
        imported
            .err
            .contains("a.csv, line 4, column 2 (age): \"y\" is not"),
        "{}",
        imported.err
    );
    let rejects = fs::read_to_string(imported.folder.path().join("a.csv.rejects.csv")).unwrap();
    assert_eq!(rejects.lines().count(), 3, "{rejects}");
    assert!(rejects.contains("\"bad,30,gold\""), "{rejects}");
    // Two changes of the first row, one of the last; the bad one's tag is not applied either.
    assert!(
        imported.out.contains("changes of facts: 3\n"),
        "{}",
        imported.out
    );
}

#[tokio::test]
async fn strict_stops_at_the_first_bad_row() {
    let data = "id,age,plan\n1,20,\n2,x,\n3,30,\n";
    let imported = import(data, None, &["--strict"]).await;
    let error = imported.outcome.unwrap_err();
    assert_eq!(error.status(), 1);
    assert!(
        error.to_string().contains("line 3, column 2 (age)"),
        "{error}"
    );
    assert_eq!(imported.asked.last().map(String::as_str), Some("1 changes"));
    let refused = import("id,age,plan\nbad,20,\n", None, &["--strict"]).await;
    assert_eq!(refused.outcome.unwrap_err().status(), 1);
}

#[tokio::test]
async fn another_type_is_an_error_before_anything_is_sent() {
    let imported = import("id,age,plan\n1,20,gold\n", Some("TEXT"), &[]).await;
    let error = imported.outcome.unwrap_err();
    assert_eq!(error.status(), 1);
    assert!(
        error
            .to_string()
            .contains("attribute \"age\" is defined as TEXT"),
        "{error}"
    );
    assert_eq!(imported.asked.len(), 1, "{:?}", imported.asked);
}

#[tokio::test]
async fn a_tag_of_another_group_refuses_its_rows() {
    let data = "id,age,plan\n1,20,lone\n2,30,gold\n3,40,lone\n";
    let imported = import(data, None, &[]).await;
    imported.outcome.unwrap();
    assert!(
        imported.out.contains("rows: 3\n") && imported.out.contains("rejected: 2\n"),
        "{}",
        imported.out
    );
    let reason = "tag \"lone\" is defined in no group, and the mapping says group \"plans\"";
    for line in [2, 4] {
        assert!(
            imported
                .err
                .contains(&format!("a.csv, line {line}: {reason}")),
            "{}",
            imported.err
        );
    }
    assert_eq!(imported.asked.last().map(String::as_str), Some("2 changes"));
    let strict = import(data, None, &["--strict"]).await;
    assert_eq!(strict.outcome.unwrap_err().status(), 1);
    assert!(!strict.asked.iter().any(|asked| asked.ends_with("changes")));
}

#[tokio::test]
async fn a_fixed_tag_of_another_group_is_an_error_before_anything_is_sent() {
    let mapping = "key = \"id\"\n[[tag]]\nby = \"always\"\nname = \"lone\"\ngroup = \"plans\"\n";
    let imported = import_by(mapping, "id\n1\n", None, &[]).await;
    let error = imported.outcome.unwrap_err();
    assert!(
        error.to_string().contains("is defined in no group"),
        "{error}"
    );
    assert!(
        imported.asked.iter().all(|asked| asked.starts_with("SHOW")),
        "{:?}",
        imported.asked
    );
}

const EVENTS: &str = "key = \"id\"\n[[event]]\ncolumn = \"what\"\ntime = \"at\"\n\
                      [[event.property]]\ncolumn = \"sum\"\nname = \"amount\"\ntype = \"integer\"\n";

#[tokio::test]
async fn rows_become_events_and_bad_ones_are_set_aside() {
    let data = "id,what,at,sum\na,buy,2026-01-01,1\nbad,buy,2026-01-01,2\n\
                a,view,2026-01-02,\nb,buy,then,3\nb,buy,2026-01-03,4\n";
    let imported = import_by(EVENTS, data, None, &[]).await;
    imported.outcome.unwrap();
    let expected = "rows: 5\nchanges of users: 0\nchanges of facts: 3\nrejected: 2\n";
    assert!(imported.out.starts_with(expected), "{}", imported.out);
    for told in [
        "a.csv, line 3, column sum: amount cannot be so",
        "a.csv, line 5, column 3 (at): \"then\" is not a moment",
    ] {
        assert!(imported.err.contains(told), "{}", imported.err);
    }
    let rejects = fs::read_to_string(imported.folder.path().join("a.csv.rejects.csv")).unwrap();
    assert!(rejects.contains("\"bad,buy,2026-01-01,2\""), "{rejects}");
    let asked: Vec<String> = imported
        .asked
        .iter()
        .map(|it| it.replace('"', ""))
        .collect();
    for statement in [
        "SHOW EVENTS LIKE buy",
        "DEFINE EVENT IF NOT EXISTS buy (amount INTEGER)",
        "DEFINE EVENT IF NOT EXISTS view (amount INTEGER)",
    ] {
        assert!(asked.iter().any(|it| it == statement), "{asked:?}");
    }
    // All of a kind but the bad one, once it was found.
    assert!(asked.iter().any(|it| it == "3 buy") && asked.iter().any(|it| it == "2 buy"));
    assert!(asked.iter().any(|it| it == "1 view"), "{asked:?}");
    let strict = import_by(EVENTS, data, None, &["--strict"]).await;
    assert_eq!(strict.outcome.unwrap_err().status(), 1);
}

#[tokio::test]
async fn rows_far_longer_than_their_changes_are_known_when_they_are_refused() {
    let filler = "x".repeat(1_000_000);
    let mut data = "id,age,plan,filler\nbad,1,,\n".to_owned();
    for row in 0..70 {
        data.push_str(&format!("{row},1,,{filler}\n"));
    }
    let imported = import(&data, None, &[]).await;
    imported.outcome.unwrap();
    assert!(
        imported
            .err
            .contains("a.csv, line 2, column age: age is write-once"),
        "{}",
        imported.err
    );
    let rejects = fs::read_to_string(imported.folder.path().join("a.csv.rejects.csv")).unwrap();
    assert!(rejects.contains("\"bad,1,,\""), "{rejects}");
}

#[test]
fn a_reader_that_broke_down_is_no_success() {
    assert!(wait_for(std::thread::spawn(|| ())).is_ok());
    #[expect(clippy::panic, reason = "this is what is told apart")]
    let broken = std::thread::spawn(|| panic!("a fault of the reader"));
    let error = wait_for(broken).unwrap_err();
    assert_eq!(error.status(), 1, "{error}");
}
