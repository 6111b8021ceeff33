#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use super::*;
use crate::cli::import::source::BytesRead;

fn open(text: &[u8], format: FileFormat, columns: &[&str]) -> Result<Records, HeaderError> {
    let source = Source::new(
        "test".to_owned(),
        io::Cursor::new(text.to_vec()),
        &BytesRead::default(),
    )?;
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    Records::open(source, format, b',', &columns)
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn bad(column: Option<&str>, reason: &str) -> Next {
    Next::Bad(BadRow {
        column: column.map(str::to_owned),
        reason: reason.to_owned(),
    })
}

#[test]
fn csv_columns_are_found_by_name() {
    let mut records = open(
        b"\xef\xbb\xbfid,x,y\n1,a,b\n",
        FileFormat::Csv,
        &["y", "id"],
    )
    .unwrap();
    assert_eq!(records.next().unwrap(), Next::Row);
    assert_eq!(records.cell(0), Ok(text("b")));
    assert_eq!(records.cell(1), Ok(text("1")));
    assert_eq!(records.place(0), "3 (y)");
    assert_eq!((records.line(), records.raw()), (2, b"1,a,b".as_slice()));
    assert_eq!(records.next().unwrap(), Next::End);
}

#[test]
fn a_header_that_does_not_fit_is_an_error() {
    let check = |header: &str, expected: &str| {
        let error = open(header.as_bytes(), FileFormat::Csv, &["gender"])
            .err()
            .unwrap();
        assert_eq!(error.to_string(), expected);
    };
    check(
        "id,Gendre\n",
        "the file has no column \"gender\"; did you mean \"Gendre\"?",
    );
    check("id,x\n", "the file has no column \"gender\"");
    check(
        "gender,gender\n",
        "the file has more than one column \"gender\"",
    );
    check(
        "",
        "the file is empty: expected a header line with the names of the columns",
    );
    check(
        "\"gender\n",
        "the header line cannot be read: a quote is opened and not closed",
    );
}

#[test]
fn bad_csv_rows_are_told_with_their_place() {
    let data = b"id,x\n1\n2,\xff\n3,a,b\n4,\"a\n5,b\n";
    let mut records = open(data, FileFormat::Csv, &["x"]).unwrap();
    assert_eq!(
        records.next().unwrap(),
        bad(None, "has 1 field, the header has 2 fields")
    );
    assert_eq!(records.next().unwrap(), Next::Row);
    assert_eq!(records.cell(0), Err("is not valid UTF-8"));
    assert_eq!(
        records.next().unwrap(),
        bad(None, "has 3 fields, the header has 2 fields")
    );
    assert_eq!(
        records.next().unwrap(),
        bad(Some("2 (x)"), "a quote is opened and not closed")
    );
    assert_eq!(records.line(), 5);
    assert_eq!(records.next().unwrap(), Next::Row);
    assert_eq!(records.line(), 6);
}

#[test]
fn json_members_are_found_by_their_path() {
    let data = br#"
        {"id": 7, "address": {"city": "Paris", "zip.code": "75"}, "a.b": true, "n": null, "x": 1.50, "l": ["p", 2, null], "o": {}, "ll": [[1]]}
    "#;
    let columns = [
        "id",
        "address.city",
        "address.zip.code",
        "a.b",
        "n",
        "none",
        "x",
        "l",
        "o",
        "ll",
    ];
    let mut records = open(data, FileFormat::Jsonl, &columns).unwrap();
    assert_eq!(records.next().unwrap(), Next::Row);
    let cells: Vec<_> = (0..columns.len())
        .map(|column| records.cell(column))
        .collect();
    assert_eq!(
        cells,
        [
            Ok(text("7")),
            Ok(text("Paris")),
            Ok(text("75")),
            Ok(text("true")),
            Ok(Cell::Missing),
            Ok(Cell::Missing),
            Ok(text("1.50")),
            Ok(Cell::List(vec!["p".into(), "2".into()])),
            Err("is an object, not a value"),
            Err("is a list of lists or objects"),
        ]
    );
    assert_eq!(records.line(), 2);
    assert_eq!(records.next().unwrap(), Next::End);
}

#[test]
fn json_numbers_keep_their_digits() {
    let check = |number: &str, expected: &str| {
        let data = format!("{{\"n\": {number}, \"l\": [{number}]}}\n");
        let mut records = open(data.as_bytes(), FileFormat::Jsonl, &["n", "l"]).unwrap();
        assert_eq!(records.next().unwrap(), Next::Row, "{number}");
        assert_eq!(records.cell(0), Ok(text(expected)));
        assert_eq!(records.cell(1), Ok(Cell::List(vec![expected.into()])));
    };
    check("9007199254740993", "9007199254740993");
    check("-9223372036854775808", "-9223372036854775808");
    check("18446744073709551617", "18446744073709551617");
    check("0.1234567890123456", "0.1234567890123456");
    check("1.0", "1.0");
    check("-0", "-0");
    check("1E3", "1e+3");
    check("1e99999", "1e+99999");
    let long = "7".repeat(10_000);
    check(&long, &long);
}

#[test]
fn bad_json_lines_are_told_with_their_place() {
    let data = b"[1]\n{\"a\":}\n{\"a\": \"\xff\"}\n{\"a\":1}\n";
    let mut records = open(data, FileFormat::Jsonl, &["a"]).unwrap();
    assert_eq!(records.next().unwrap(), bad(None, "is not a JSON object"));
    assert_eq!(
        records.next().unwrap(),
        bad(Some("character 6"), "is not valid JSON: expected value")
    );
    assert_eq!(records.next().unwrap(), bad(None, "is not valid UTF-8"));
    assert_eq!(records.next().unwrap(), Next::Row);
    assert_eq!(records.line(), 4);
}

#[test]
fn a_name_tells_the_form() {
    let check = |name: &str, expected| assert_eq!(FileFormat::of_name(name), expected, "{name}");
    check("a.csv", Some((FileFormat::Csv, None)));
    check("dir.x/a.CSV.gz", Some((FileFormat::Csv, None)));
    check("a.tsv.zst", Some((FileFormat::Csv, Some(b'\t'))));
    check("a.jsonl", Some((FileFormat::Jsonl, None)));
    check("a.ndjson.gz", Some((FileFormat::Jsonl, None)));
    check("-", None);
    check("a.parquet", None);
}
