#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io::Cursor;

use super::*;
use crate::cli::import::records::{FileFormat, Next};
use crate::cli::import::source::{BytesRead, Source};
use crate::cli::session::Datum;
use tessera_protocol::message::Track;

const MAPPING: &str = r#"
    key = "user"
    missing = ["", "-"]
    [[event]]
    column = "event"
    map = { buy = "purchase" }
    time = "time"
    id = "id"
    [[event.property]]
    column = "amount"
    type = "decimal"
    scale = 2
    of = ["purchase"]
    [[event.property]]
    column = "channel"
    name = "medium"
    type = "enum"
    values = ["web", "shop"]
"#;

const HEADER: &str = "user,event,time,id,amount,channel\n";

struct Read {
    tracks: Vec<Track>,
    lines: Vec<u64>,
    bad: Vec<String>,
    defined: Vec<String>,
    batches: usize,
}

/// What a file becomes in batches of so many events.
fn read(mapping: &str, format: FileFormat, data: &str, rows_max: usize) -> Read {
    let mapping = Mapping::parse(mapping).unwrap();
    let plan = Plan::new(&mapping);
    let source = Cursor::new(data.as_bytes().to_vec());
    let source = Source::new("test".to_owned(), source, &BytesRead::default()).unwrap();
    let mut records = Records::open(source, format, b',', plan.columns()).unwrap();
    let mut events = Events::new(plan);
    let mut read = Read {
        tracks: Vec::new(),
        lines: Vec::new(),
        bad: Vec::new(),
        defined: Vec::new(),
        batches: 0,
    };
    while records.next().unwrap() == Next::Row {
        if let Err(bad) = events.add(&records) {
            let place = bad.column.unwrap_or_default();
            read.bad.push(format!("{place}: {}", bad.reason));
        }
        read.take(events.finish_full(3, rows_max));
    }
    read.take(events.finish_all(3));
    read
}

impl Read {
    fn take(&mut self, batches: Vec<EventsBatch>) {
        for batch in batches {
            assert_eq!(batch.rows.check(), Ok(()));
            assert_eq!(
                (batch.records.file, batch.records.len()),
                (3, batch.rows.len())
            );
            self.batches += 1;
            self.defined
                .extend(batch.definitions.into_iter().map(|(_, kind)| kind));
            for row in 0..batch.rows.len() {
                self.tracks.extend(batch.rows.track(row));
                self.lines
                    .extend(batch.records.row(row).map(|(line, _)| line));
            }
        }
    }
}

fn track(
    user: &str,
    event: &str,
    second: i64,
    id: Option<&str>,
    values: &[(&str, Datum)],
) -> Track {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Track {
        user: user.to_owned(),
        event: event.to_owned(),
        time_us: Some(second * 1_000_000),
        id: id.map(str::to_owned),
        values: values.collect(),
    }
}

#[test]
fn rows_become_events_of_the_kinds_they_name() {
    let data = format!(
        "{HEADER}a,login,1970-01-01T00:00:05Z,,,\n\
         b,buy,1970-01-01T00:00:06Z,o1,12.5,web\n\
         a,purchase,1970-01-01T00:00:07Z,-,,shop\n\
         b,login,1970-01-01T00:00:04Z,x,3,web\n"
    );
    let amount = ("amount", Datum::decimal(1250, 2));
    let medium = |medium: &str| ("medium", Datum::from(medium));
    let expected = [
        track("a", "login", 5, None, &[]),
        // Its amount is none of a login's.
        track("b", "login", 4, Some("x"), &[medium("web")]),
        track("b", "purchase", 6, Some("o1"), &[amount, medium("web")]),
        track("a", "purchase", 7, None, &[medium("shop")]),
    ];
    let whole = read(MAPPING, FileFormat::Csv, &data, 100);
    assert_eq!(whole.tracks, expected);
    assert_eq!(whole.lines, [2, 5, 3, 4]);
    assert_eq!((whole.batches, whole.bad), (2, vec![]));
    assert_eq!(whole.defined, ["login", "purchase"]);
    // One by one in the order of the file; what is defined is defined once.
    let each = read(MAPPING, FileFormat::Csv, &data, 1);
    assert_eq!(each.lines, [2, 3, 4, 5]);
    assert_eq!((each.batches, each.defined), (4, whole.defined));
}

#[test]
fn lines_of_json_become_events_too() {
    let mapping = "key = \"who.id\"\n[[event]]\nname = \"view\"\ntime = \"at\"\n\
                   format = \"%s\"\n[[event.property]]\ncolumn = \"page.title\"\n\
                   name = \"title\"\ntype = \"text\"\n";
    let data = "{\"who\":{\"id\":7},\"at\":60,\"page\":{\"title\":\"Home\"}}\n\
                {\"who\":{\"id\":\"b\"},\"at\":\"61\"}\n{\"at\":62}\n";
    let read = read(mapping, FileFormat::Jsonl, data, 10);
    let expected = [
        track("7", "view", 60, None, &[("title", Datum::from("Home"))]),
        track("b", "view", 61, None, &[]),
    ];
    assert_eq!(read.tracks, expected);
    assert_eq!(read.bad, ["who.id: the key is missing"]);
    // It is defined before anything is read.
    assert_eq!(read.defined, Vec::<String>::new());
}

#[test]
fn a_bad_row_leaves_nothing_behind() {
    let long = "x".repeat(257);
    let check = |row: &str, expected: &str| {
        let good = "a,login,1970-01-01T00:00:05Z,,,\n";
        let data = format!("{HEADER}{good}{row}\n{good}");
        let read = read(MAPPING, FileFormat::Csv, &data, 100);
        assert_eq!((read.tracks.len(), read.lines), (2, vec![2, 4]), "{row}");
        assert_eq!(read.bad, [expected]);
    };
    let time = "1970-01-01T00:00:05Z";
    check(&format!(",login,{time},,,"), "1 (user): the key is empty");
    check(
        &format!("a,,{time},,,"),
        "2 (event): the kind of event is missing",
    );
    check("a,login,,,,", "3 (time): the time is missing");
    check(
        "a,login,yesterday,,,",
        "3 (time): \"yesterday\" is not a moment such as 2026-11-23T10:00:00Z",
    );
    check(
        &format!("a,login,{time},{long},,"),
        "4 (id): the id is longer than 256 bytes",
    );
    check(
        &format!("a,buy,{time},,x,"),
        "5 (amount): \"x\" is not a number",
    );
    check(
        &format!("a,buy,{time},,,mail"),
        "6 (channel): \"mail\" is not among the values of the mapping",
    );
    let listed = MAPPING.replace("map =", "kinds = [\"login\", \"purchase\"]\nmap =");
    let data = format!("{HEADER}a,logout,{time},,,\na,login,{time},,,\n");
    let read = read(&listed, FileFormat::Csv, &data, 100);
    assert_eq!(
        read.bad,
        ["2 (event): \"logout\" is not among the kinds of the mapping"]
    );
    assert_eq!((read.tracks.len(), read.defined), (1, vec![]));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |mapping: &str, expected: &str| {
        let text = format!("key = \"id\"\n{mapping}");
        let error = Mapping::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let event = "[[event]]\nname = \"x\"\ntime = \"t\"\n";
    let property = "[[event.property]]\ncolumn = \"p\"\n";
    check("[[event]]\ntime = \"t\"\n", "needs a name");
    check(&format!("{event}column = \"c\"\n"), "not both");
    check("[[event]]\nname = \"x\"\n", "time");
    check(
        &format!("{event}kinds = [\"x\"]\n"),
        "kinds and map are for a column",
    );
    check(
        "[[event]]\ncolumn = \"c\"\nkinds = []\ntime = \"t\"\n",
        "kinds cannot be empty",
    );
    check(&format!("{event}{event}"), "a second rule for events \"x\"");
    check(
        &format!("{event}[[tag]]\nby = \"always\"\nname = \"t\"\n"),
        "import the file twice",
    );
    check(
        &format!("{event}{property}type = \"multi\"\n"),
        "neither multi nor a user",
    );
    check(
        &format!("{event}{property}type = \"decimal\"\n"),
        "needs scale",
    );
    check(
        &format!("{event}{property}type = \"text\"\nof = [\"y\"]\n"),
        "which no row can be",
    );
    let twice = format!("{property}type = \"text\"\n");
    check(
        &format!("{event}{twice}{twice}"),
        "a second rule for property \"p\"",
    );
    let other = "[[event]]\nname = \"y\"\ntime = \"t\"\nunknown_users = \"refuse\"\n";
    check(&format!("{event}{other}"), "must be the same");
}
