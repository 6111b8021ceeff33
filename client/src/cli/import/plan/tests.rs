#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::io::Cursor;

use super::{changes::Changes, *};
use crate::cli::import::columns::Columns;
use crate::cli::import::records::{FileFormat, Next};
use crate::cli::import::source::{BytesRead, Source as FileSource};
use crate::cli::session::Mutation;

/// What each row of a file becomes.
fn rows(mapping: &str, format: FileFormat, data: &str) -> Vec<Result<Changes, BadRow>> {
    let mapping = Mapping::parse(&format!("key = \"id\"\n{mapping}")).unwrap();
    let mut plan = Plan::new(&mapping);
    let mut records = open(&plan, format, data);
    let mut rows = Vec::new();
    while records.next().unwrap() == Next::Row {
        rows.push(plan.convert(&records));
    }
    check_columns(&rows, Plan::new(&mapping), format, data);
    rows
}

fn open(plan: &Plan, format: FileFormat, data: &str) -> Records {
    let data = Cursor::new(data.as_bytes().to_vec());
    let source = FileSource::new("test".to_owned(), data, &BytesRead::default()).unwrap();
    Records::open(source, format, b',', plan.columns()).unwrap()
}

/// Column by column, the same rows say the same: in one batch, and in batches of two rows.
fn check_columns(expected: &[Result<Changes, BadRow>], plan: Plan, format: FileFormat, data: &str) {
    let (whole, twice) = (expected.len().max(1), 2);
    let mut columns = Columns::new(plan);
    for batch_rows in [whole, twice] {
        let mut records = open(columns.plan(), format, data);
        let (mut found, mut definitions) = (Vec::new(), Vec::new());
        for expected in expected {
            assert_eq!(records.next().unwrap(), Next::Row);
            match (columns.add(&records), expected) {
                (Ok(()), Ok(_)) => {}
                (Err(bad), Err(expected)) => assert_eq!(bad, *expected),
                (added, expected) => panic!("{added:?}, not {expected:?}"),
            }
            if columns.len() == batch_rows {
                take(&mut columns, &mut found, &mut definitions);
            }
        }
        take(&mut columns, &mut found, &mut definitions);
        let expected: Vec<&Changes> = expected.iter().flatten().collect();
        let mutations: Vec<_> = expected.iter().map(|changes| &changes.mutations).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), mutations, "{data}");
        if batch_rows == whole {
            let expected: Vec<_> = expected
                .iter()
                .flat_map(|changes| &changes.definitions)
                .collect();
            assert_eq!(definitions.iter().collect::<Vec<_>>(), expected);
        } else {
            assert_eq!(definitions, [], "all are defined already");
        }
    }
}

fn take(
    columns: &mut Columns,
    found: &mut Vec<Vec<Mutation>>,
    definitions: &mut Vec<(usize, String)>,
) {
    let batch = columns.finish(7);
    batch.rows.check().unwrap();
    assert_eq!(
        (batch.records.len(), batch.records.file),
        (batch.rows.len(), 7)
    );
    let reader = batch.rows.reader();
    found.extend((0..batch.rows.len()).map(|row| reader.mutations(row)));
    definitions.extend(batch.definitions);
}

/// The changes of the only row.
fn row(mapping: &str, header: &str, data: &str) -> Result<Vec<Mutation>, String> {
    let text = format!("id,{header}\nu,{data}\n");
    let mut rows = rows(mapping, FileFormat::Csv, &text);
    assert_eq!(rows.len(), 1);
    match rows.remove(0) {
        Ok(changes) => Ok(changes.mutations),
        Err(bad) => Err(format!(
            "{}: {}",
            bad.column.unwrap_or_default(),
            bad.reason
        )),
    }
}

fn user() -> String {
    "u".to_owned()
}

fn set(name: &str, value: Datum) -> Mutation {
    Mutation::Set {
        user: user(),
        values: vec![(name.to_owned(), value)],
    }
}

fn tag(tags: &[&str]) -> Mutation {
    Mutation::Tag {
        user: user(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

fn ensure() -> Mutation {
    Mutation::Ensure { user: user() }
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

#[test]
fn attributes_are_read_by_their_rules() {
    let check = |rule: &str, field: &str, expected: Result<Vec<Mutation>, &str>| {
        let found = row(
            &format!("[[attribute]]\ncolumn = \"x\"\n{rule}"),
            "x",
            field,
        );
        assert_eq!(found, expected.map_err(str::to_owned), "{rule}: {field}");
    };
    check(
        "type = \"integer\"",
        "42",
        Ok(vec![set("x", Datum::Integer(42))]),
    );
    check(
        "type = \"integer\"\nname = \"y\"",
        "42",
        Ok(vec![set("y", Datum::Integer(42))]),
    );
    check("type = \"integer\"", "", Ok(vec![ensure()]));
    check(
        "type = \"integer\"\nmissing = [\"NA\"]",
        "NA",
        Ok(vec![ensure()]),
    );
    check(
        "type = \"integer\"\nmissing = [\"NA\"]",
        "",
        Err("2 (x): \"\" is not a whole number"),
    );
    check(
        "type = \"integer\"\non_missing = \"clear\"",
        "",
        Ok(vec![set("x", Datum::Null)]),
    );
    check(
        "type = \"integer\"",
        "a",
        Err("2 (x): \"a\" is not a whole number"),
    );
    let decimal = Datum::Decimal {
        units: 150,
        scale: 2,
    };
    check(
        "type = \"decimal\"\nscale = 2",
        "1.5",
        Ok(vec![set("x", decimal)]),
    );
    check(
        "type = \"boolean\"\nmap = { Y = \"true\" }",
        "Y",
        Ok(vec![set("x", Datum::Boolean(true))]),
    );
    check(
        "type = \"date\"\nformat = \"%Y-%m\"",
        "1970-02",
        Ok(vec![set("x", Datum::Date(31))]),
    );
    check(
        "type = \"enum\"",
        " a b ",
        Ok(vec![set("x", text(" a b "))]),
    );
    check(
        "type = \"enum\"\nmap = { 1 = \"m\" }",
        "1",
        Ok(vec![set("x", text("m"))]),
    );
    check(
        "type = \"enum\"\nvalues = [\"f\"]",
        "m",
        Err("2 (x): \"m\" is not among the values of the mapping"),
    );
    check("type = \"user\"", "u2", Ok(vec![set("x", text("u2"))]));
    let add = |values: &[&str]| Mutation::Add {
        user: user(),
        attribute: "x".to_owned(),
        values: values.iter().map(|value| text(value)).collect(),
    };
    check("type = \"multi\"", "a; b;;", Ok(vec![add(&["a", "b"])]));
    check(
        "type = \"multi\"\nseparator = \"|\"",
        "a;b|c",
        Ok(vec![add(&["a;b", "c"])]),
    );
    check("type = \"multi\"", "", Ok(vec![ensure()]));
    let list = Datum::List(vec!["a".to_owned(), "b".to_owned()]);
    check(
        "type = \"multi\"\nmode = \"replace\"",
        "a;b",
        Ok(vec![set("x", list)]),
    );
    check(
        "type = \"multi\"\nvalues = [\"a\"]",
        "a;b",
        Err("2 (x): \"b\" is not among the values of the mapping"),
    );
}

#[test]
fn tags_are_read_by_their_rules() {
    let check = |rule: &str, field: &str, expected: Result<Vec<Mutation>, &str>| {
        let found = row(&format!("[[tag]]\ncolumn = \"x\"\n{rule}"), "x", field);
        assert_eq!(found, expected.map_err(str::to_owned), "{rule}: {field}");
    };
    check(
        "by = \"value\"\nprefix = \"plan-\"",
        "gold",
        Ok(vec![tag(&["plan-gold"])]),
    );
    check("by = \"value\"\nprefix = \"plan-\"", "", Ok(vec![ensure()]));
    check(
        "by = \"value\"\nmap = { 1 = \"one\" }",
        "1",
        Ok(vec![tag(&["one"])]),
    );
    check("by = \"value\"", "e\u{301}", Ok(vec![tag(&["\u{e9}"])]));
    let long = "x".repeat(300);
    let message = format!(
        "2 (x): \"{}\"… cannot name a tag: a name has at most 256 bytes, this one has 300",
        "x".repeat(40)
    );
    check("by = \"value\"", &long, Err(&message));
    check(
        "by = \"list\"\nseparator = \" \"",
        "a b  c",
        Ok(vec![tag(&["a", "b", "c"])]),
    );
    check(
        "by = \"list\"\nprefix = \"p/\"",
        "a;b",
        Ok(vec![tag(&["p/a", "p/b"])]),
    );
    check(
        "by = \"non-zero\"\nname = \"t\"",
        "1",
        Ok(vec![tag(&["t"])]),
    );
    check(
        "by = \"non-zero\"\nname = \"t\"",
        "-0.5",
        Ok(vec![tag(&["t"])]),
    );
    check(
        "by = \"non-zero\"\nname = \"t\"",
        "yes",
        Ok(vec![tag(&["t"])]),
    );
    check("by = \"non-zero\"\nname = \"t\"", "0", Ok(vec![ensure()]));
    check("by = \"non-zero\"\nname = \"t\"", "", Ok(vec![ensure()]));
    check(
        "by = \"non-zero\"\nname = \"t\"",
        "maybe",
        Err("2 (x): \"maybe\" is neither a number nor yes or no"),
    );
    let untag = Mutation::Untag {
        user: user(),
        tags: vec!["t".to_owned()],
    };
    check(
        "by = \"non-zero\"\nname = \"t\"\nclear = true",
        "no",
        Ok(vec![ensure(), untag]),
    );
}

#[test]
fn a_row_gathers_all_of_its_rules() {
    let mapping = "[[attribute]]\ncolumn = \"a\"\ntype = \"enum\"\n[[attribute]]\ncolumn = \"b\"\ntype = \"enum\"\n\
                   [[tag]]\nby = \"always\"\nname = \"all\"\n[[tag]]\ncolumn = \"a\"\nby = \"value\"\n";
    let values = vec![("a".to_owned(), text("x")), ("b".to_owned(), text("y"))];
    let expected = vec![
        Mutation::Set {
            user: user(),
            values,
        },
        tag(&["all", "x"]),
    ];
    assert_eq!(row(mapping, "a,b", "x,y"), Ok(expected));
}

#[test]
fn a_key_is_a_text_of_a_user() {
    let check = |data: &str, expected: &str| {
        let found = rows("", FileFormat::Csv, &format!("id\n{data}\n")).remove(0);
        let Err(bad) = found else {
            panic!("accepted: {data}")
        };
        assert_eq!(bad.reason, expected);
        assert_eq!(bad.column.as_deref(), Some("1 (id)"));
    };
    check("\"\"", "the key is empty");
    check(&"k".repeat(257), "the key is longer than 256 bytes");
    let json = "{\"x\":1}\n{\"id\":null}\n{\"id\":[1]}\n{\"id\":{}}\n{\"id\":7}\n";
    let reasons: Vec<_> = rows("", FileFormat::Jsonl, json)
        .into_iter()
        .map(|row| row.err().map(|bad| bad.reason).unwrap_or_default())
        .collect();
    assert_eq!(
        reasons,
        [
            "the key is missing",
            "the key is missing",
            "the key is a list",
            "is an object, not a value",
            ""
        ]
    );
}

#[test]
fn json_lists_are_multis_and_lists_of_tags() {
    let mapping = "[[attribute]]\ncolumn = \"m\"\ntype = \"multi\"\nmode = \"replace\"\n\
                   [[tag]]\ncolumn = \"t\"\nby = \"list\"\n[[attribute]]\ncolumn = \"n\"\ntype = \"integer\"\n";
    let json =
        "{\"id\":\"u\",\"m\":[\"a;b\",\"c\"],\"t\":[\"x\",\"y\"]}\n{\"id\":\"u\",\"n\":[1]}\n";
    let mut rows = rows(mapping, FileFormat::Jsonl, json);
    let list = Datum::List(vec!["a;b".to_owned(), "c".to_owned()]);
    assert_eq!(
        rows.remove(0).unwrap().mutations,
        vec![set("m", list), tag(&["x", "y"])]
    );
    assert_eq!(
        rows.remove(0).unwrap_err().reason,
        "is a list, and the attribute takes one value"
    );
}

#[test]
fn json_numbers_are_not_rounded() {
    let check = |kind: &str, number: &str, expected: Result<Datum, &str>| {
        let mapping = format!("[[attribute]]\ncolumn = \"x\"\n{kind}\n");
        let json = format!("{{\"id\":\"u\",\"x\":{number}}}\n");
        let found = rows(&mapping, FileFormat::Jsonl, &json).remove(0);
        let found = found
            .map(|changes| changes.mutations)
            .map_err(|bad| bad.reason);
        let expected = expected.map(|value| vec![set("x", value)]);
        assert_eq!(found, expected.map_err(str::to_owned), "{kind}: {number}");
    };
    let decimal = |units| Datum::Decimal { units, scale: 16 };
    let (whole, fine) = ("type = \"integer\"", "type = \"decimal\"\nscale = 16");
    check(
        whole,
        "9007199254740993",
        Ok(Datum::Integer(9_007_199_254_740_993)),
    );
    check(whole, "9223372036854775807", Ok(Datum::Integer(i64::MAX)));
    check(whole, "1e3", Ok(Datum::Integer(1000)));
    check(
        fine,
        "0.1234567890123456",
        Ok(decimal(1_234_567_890_123_456)),
    );
    check(fine, "-1.5E-15", Ok(decimal(-15)));
    check(
        fine,
        "0.12345678901234567",
        Err("\"0.12345678901234567\" has more than 16 digits after the point"),
    );
    check("type = \"text\"", "1.50", Ok(text("1.50")));
}

#[test]
fn tags_with_a_group_are_defined_before_they_are_used() {
    let mapping = "[[tag]]\ncolumn = \"p\"\nby = \"value\"\n[[tag]]\ncolumn = \"g\"\nby = \"value\"\ngroup = \"g\"\n";
    let definitions: Vec<_> = rows(mapping, FileFormat::Csv, "id,p,g\n1,a,x\n2,a,y\n3,a,x\n")
        .into_iter()
        .map(|row| row.unwrap().definitions)
        .collect();
    assert_eq!(
        definitions,
        [vec![(1, "x".to_owned())], vec![(1, "y".to_owned())], vec![]]
    );
}

#[test]
fn a_bad_row_defines_nothing_and_takes_no_definition_from_later_rows() {
    let mapping = "[[tag]]\ncolumn = \"g\"\nby = \"value\"\ngroup = \"g\"\n\
                   [[tag]]\ncolumn = \"f\"\nby = \"non-zero\"\nname = \"flag\"\n";
    let rows = rows(
        mapping,
        FileFormat::Csv,
        "id,g,f\n1,x,maybe\n2,x,1\n3,x,0\n",
    );
    assert!(rows[0].is_err());
    let definitions: Vec<_> = rows[1..]
        .iter()
        .map(|row| row.as_ref().unwrap().definitions.clone())
        .collect();
    assert_eq!(definitions, [vec![(0, "x".to_owned())], vec![]]);
}

#[test]
fn tags_are_held_as_the_row_says() {
    let held =
        |tags: &[&str], since_us: Option<i64>, end: HoldEnd, source: Source| Mutation::Hold {
            user: user(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            terms: HoldTerms {
                since_us,
                end,
                source,
            },
        };
    let check = |rule: &str, fields: &str, expected: Result<Vec<Mutation>, &str>| {
        let rule = format!("[[tag]]\ncolumn = \"x\"\n{rule}");
        let found = row(&rule, "x,from,to", fields);
        assert_eq!(found, expected.map_err(str::to_owned), "{rule}: {fields}");
    };
    let both = "by = \"value\"\nsince = \"from\"\nuntil = \"to\"";
    let until = HoldEnd::At(172_800_000_000);
    check(
        both,
        "a,1970-01-02,1970-01-03",
        Ok(vec![held(
            &["a"],
            Some(86_400_000_000),
            until,
            Source::Import,
        )]),
    );
    check(
        both,
        "a,,1970-01-03",
        Ok(vec![held(&["a"], None, until, Source::Import)]),
    );
    check(
        both,
        "a,,",
        Ok(vec![held(&["a"], None, HoldEnd::OfTag, Source::Import)]),
    );
    // Of a tag that is not given nothing is said.
    check(both, ",soon,later", Ok(vec![ensure()]));
    check(
        both,
        "a,soon,",
        Err("3 (from): \"soon\" is not a moment such as 2026-11-23T10:00:00Z"),
    );
    check(
        both,
        "a,1970-01-03,1970-01-03",
        Err("4 (to): the tag would end no later than it starts"),
    );
    let list = "by = \"list\"\nuntil = \"to\"\nformat = \"%d.%m.%Y\"\nsource = \"model\"\n\
                [[tag]]\ncolumn = \"from\"\nby = \"value\"\n";
    check(
        list,
        "a;b,c,03.01.1970",
        Ok(vec![
            held(&["a", "b"], None, until, Source::Model),
            held(&["c"], None, HoldEnd::OfTag, Source::Import),
        ]),
    );
    // Also where others are taken.
    let changes =
        format!("{both}\n[[tag]]\ncolumn = \"y\"\nby = \"non-zero\"\nname = \"n\"\nclear = true");
    let found = row(
        &format!("[[tag]]\ncolumn = \"x\"\n{changes}"),
        "x,from,to,y",
        "a,,1970-01-03,1",
    );
    let expected = vec![
        held(&["a"], None, until, Source::Import),
        held(&["n"], None, HoldEnd::OfTag, Source::Import),
    ];
    assert_eq!(found, Ok(expected));
}

#[test]
fn tags_that_end_are_defined_as_such() {
    let mapping = "[[tag]]\ncolumn = \"x\"\nby = \"value\"\ndynamic_days = 30\n";
    let definitions = rows(mapping, FileFormat::Csv, "id,x\n1,a\n")[0]
        .as_ref()
        .unwrap()
        .definitions
        .clone();
    assert_eq!(definitions, [(0, "a".to_owned())]);
    let refused =
        Mapping::parse("key = \"id\"\n[[tag]]\ncolumn = \"x\"\nby = \"value\"\nformat = \"%Y\"\n");
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("format is for since and until")
    );
}

#[test]
fn values_that_are_added_and_tags_that_are_cleared_travel_with_the_rest() {
    let mapping = "[[attribute]]\ncolumn = \"m\"\ntype = \"multi\"\n\
                   [[attribute]]\ncolumn = \"n\"\ntype = \"multi\"\nmode = \"add\"\non_missing = \"clear\"\n\
                   [[attribute]]\ncolumn = \"a\"\ntype = \"integer\"\n\
                   [[tag]]\ncolumn = \"f\"\nby = \"non-zero\"\nname = \"flag\"\nclear = true\n\
                   [[tag]]\ncolumn = \"g\"\nby = \"list\"\n";
    let data = "id,m,n,a,f,g\n1,x;y,x,5,0,t\n2,,,,1,\n3,y;y,z;x,,,flag;t\n4,,,7,no,\n5,x,,,yes,t\n";
    let rows = rows(mapping, FileFormat::Csv, data);
    let mutations = |row: usize| rows[row].as_ref().unwrap().mutations.clone();
    let user = |user: &str| user.to_owned();
    let add = |of: &str, attribute: &str, values: &[&str]| Mutation::Add {
        user: user(of),
        attribute: attribute.to_owned(),
        values: values.iter().map(|value| text(value)).collect(),
    };
    let set = |of: &str, values: &[(&str, Datum)]| Mutation::Set {
        user: user(of),
        values: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    };
    let flag = || vec!["flag".to_owned()];
    let untag = |of: &str| Mutation::Untag {
        user: user(of),
        tags: flag(),
    };
    let tag = |of: &str, tags: Vec<String>| Mutation::Tag {
        user: user(of),
        tags,
    };
    let first = [
        set("1", &[("a", Datum::Integer(5))]),
        add("1", "m", &["x", "y"]),
        add("1", "n", &["x"]),
        untag("1"),
        tag("1", vec!["t".to_owned()]),
    ];
    assert_eq!(mutations(0), first);
    assert_eq!(
        mutations(1),
        [set("2", &[("n", Datum::Null)]), tag("2", flag())]
    );
    let nothing = ("n", Datum::Null);
    let last_but_one = [set("4", &[nothing, ("a", Datum::Integer(7))]), untag("4")];
    assert_eq!(mutations(3), last_but_one);
}
