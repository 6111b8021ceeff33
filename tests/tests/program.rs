//! The `tessera` program against a real server, as scripts and people use it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod program_cases;

use std::{fs, net::SocketAddr, path::Path};

use program_cases::{FORMATS, STATUSES, populate};
use tessera_tests::{
    program::{Run, rows, run, run_with_input},
    server_process::ServerProcess,
};

fn start() -> (tempfile::TempDir, ServerProcess) {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(&directory.path().join("store"));
    (directory, server)
}

#[test]
fn answers_are_written_in_every_format() {
    let (_directory, server) = start();
    populate(server.address());
    for (statement, format, expected) in FORMATS {
        let run = run(server.address(), &["exec", statement, "--format", format]).well();
        assert_eq!(run.output, *expected, "{statement} as {format}");
    }
    // Tables are for people: what matters is that everything is there.
    let table = run(
        server.address(),
        &["exec", "DIMENSION city MEASURE count, share"],
    )
    .well()
    .output;
    for part in ["city", "count", "paris", "two words", "(missing)"] {
        assert!(table.contains(part), "{part} is not in:\n{table}");
    }
}

#[test]
fn the_exit_status_says_what_went_wrong() {
    let (_directory, server) = start();
    populate(server.address());
    for (arguments, status, words) in STATUSES {
        let run = run(server.address(), arguments);
        assert_eq!(
            run.status, *status,
            "{arguments:?}: {}{}",
            run.output, run.complaints
        );
        for word in *words {
            assert!(
                run.complaints.contains(word),
                "{arguments:?}: {word} is not in: {}",
                run.complaints
            );
        }
    }
    let address = server.address();
    server.kill();
    let run = run(address, &["exec", "COUNT ALL", "--timeout", "2"]);
    assert_eq!(run.status, 3, "{}", run.complaints);
}

#[test]
fn parameters_are_values_and_never_text() {
    let (_directory, server) = start();
    populate(server.address());
    let count = |arguments: &[&str]| {
        let arguments = [
            &["exec", "COUNT city = $city", "--format", "csv"],
            arguments,
        ]
        .concat();
        run(server.address(), &arguments).well().output
    };
    assert_eq!(count(&["--param", "city=paris"]), "count\n2\n");
    assert_eq!(count(&["--param", "city=two words"]), "count\n1\n");
    let sly = run(
        server.address(),
        &[
            "exec",
            "COUNT email = $e",
            "--param",
            "e=x OR ALL",
            "--format",
            "csv",
        ],
    )
    .well();
    assert_eq!(sly.output, "count\n0\n");
}

/// Writes a file beside the store and gives its path.
fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const MAPPING: &str = r#"
key = "id"
[[attribute]]
column = "age"
type = "integer"
[[attribute]]
column = "joined"
type = "date"
[[attribute]]
column = "hobbies"
type = "multi"
separator = "|"
[[tag]]
column = "plan"
by = "value"
prefix = "plan-"
group = "plan"
exclusive = true
[[tag]]
column = "paid"
by = "non-zero"
name = "paying"
clear = true
"#;

const PEOPLE: &str = "id,age,joined,hobbies,plan,paid\n\
    a,30,2026-01-05,golf|chess,free,0\n\
    b,41,2026-02-01,chess,gold,12.50\n\
    \"c, the third\",,,,gold,1\n";

fn state(server: SocketAddr) -> Vec<serde_json::Value> {
    rows(
        server,
        "SEGMENT ALL RETURN TAGS, age, joined, hobbies ORDER BY KEY",
    )
}

fn field<'a>(run: &'a Run, name: &str) -> &'a str {
    let line = run
        .output
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("{name} is not in:\n{}", run.output))
}

#[test]
fn importing_twice_changes_nothing() {
    let (directory, server) = start();
    let (people, mapping) = (
        file(&directory, "people.csv", PEOPLE),
        file(&directory, "map.toml", MAPPING),
    );
    let import = || {
        run(
            server.address(),
            &["import", &people, "--mapping", &mapping],
        )
        .well()
    };
    let first = import();
    assert_eq!(
        (field(&first, "rows"), field(&first, "changes of users")),
        ("3", "3")
    );
    let before = state(server.address());
    assert_eq!(before.len(), 3);
    assert_eq!(before[2]["key"], "c, the third");
    assert_eq!(
        before[1]["tags"],
        serde_json::json!(["paying", "plan-gold"])
    );
    let second = import();
    assert_eq!(
        (
            field(&second, "changes of users"),
            field(&second, "changes of facts")
        ),
        ("0", "0")
    );
    assert_eq!(state(server.address()), before);
    assert!(
        !Path::new(&format!("{people}.rejects.csv")).exists(),
        "nothing was rejected"
    );
    // Another plan replaces the first, and a zero takes the tag away.
    let moved = file(
        &directory,
        "moved.csv",
        "id,age,joined,hobbies,plan,paid\nb,41,,,free,0\n",
    );
    run(server.address(), &["import", &moved, "--mapping", &mapping]).well();
    assert_eq!(
        state(server.address())[1]["tags"],
        serde_json::json!(["plan-free"])
    );
}

#[test]
fn bad_rows_are_told_written_and_left_out() {
    let (directory, server) = start();
    let bad = "id,age,joined,hobbies,plan,paid\n\
        a,30,2026-01-05,,free,0\n\
        b,old,2026-01-05,,free,0\n\
        ,30,2026-01-05,,free,0\n\
        d,30,2026-13-05,,free,0\n\
        e,31,2026-01-06,,free\n\
        f,32,2026-01-07,golf,gold,1\n";
    let (people, mapping) = (
        file(&directory, "people.csv", bad),
        file(&directory, "map.toml", MAPPING),
    );
    let rejects = directory.path().join("rejects.csv");
    let arguments = [
        "import",
        &people,
        "--mapping",
        &mapping,
        "--rejects",
        rejects.to_str().unwrap(),
    ];
    let lenient = run(server.address(), &arguments);
    assert_eq!(field(&lenient, "rejected"), "4", "{}", lenient.complaints);
    let keys: Vec<_> = state(server.address())
        .iter()
        .map(|row| row["key"].clone())
        .collect();
    assert_eq!(keys, ["a", "f"]);
    for word in ["line 3", "(age)", "line 4", "line 5", "(joined)", "line 6"] {
        assert!(
            lenient.complaints.contains(word),
            "{word} is not in:\n{}",
            lenient.complaints
        );
    }
    let rejected = fs::read_to_string(&rejects).unwrap();
    assert_eq!(rejected.lines().count(), 5, "{rejected}");
    assert!(rejected.contains("b,old,2026-01-05"), "{rejected}");

    let strict = run(server.address(), &[&arguments[..], &["--strict"]].concat());
    assert_eq!(strict.status, 1, "{}", strict.complaints);
    assert!(
        strict.complaints.contains("line 3"),
        "{}",
        strict.complaints
    );
}

#[test]
fn files_may_be_packed_json_or_on_standard_input() {
    let (directory, server) = start();
    let mapping = file(&directory, "map.toml", MAPPING);
    let lines = "{\"id\": \"j\", \"age\": 5, \"hobbies\": [\"golf\", \"chess\"], \"plan\": \"free\", \"paid\": 1}\n";
    let json = file(&directory, "people.jsonl", lines);
    run(server.address(), &["import", &json, "--mapping", &mapping]).well();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, PEOPLE.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let arguments = [
        "import",
        "-",
        "--mapping",
        &mapping,
        "--rejects",
        "/dev/null",
    ];
    run_with_input(server.address(), &arguments, &packed).well();
    let keys: Vec<_> = state(server.address())
        .iter()
        .map(|row| row["key"].clone())
        .collect();
    assert_eq!(keys, ["a", "b", "c, the third", "j"]);
}

#[test]
fn a_mapping_is_proposed_and_can_be_used() {
    let (directory, server) = start();
    let people = file(&directory, "people.csv", PEOPLE);
    let proposed = run(server.address(), &["import", &people, "--infer"]).well();
    assert!(
        proposed.output.contains("key = \"id\""),
        "{}",
        proposed.output
    );
    assert_eq!(rows(server.address(), "COUNT ALL")[0]["count"], 0);
    let mapping = file(&directory, "proposed.toml", &proposed.output);
    run(
        server.address(),
        &["import", &people, "--mapping", &mapping],
    )
    .well();
    assert_eq!(rows(server.address(), "COUNT age >= 30")[0]["count"], 2);
}

#[test]
fn a_segment_is_exported_whole() {
    let (directory, server) = start();
    populate(server.address());
    let path = directory.path().join("out.csv");
    let arguments = [
        "export",
        "SEGMENT ALL RETURN age, city ORDER BY KEY",
        "--to",
        path.to_str().unwrap(),
    ];
    run(server.address(), &arguments).well();
    let expected = "key,age,city\nada,36,paris\nbob,17,paris\ncleo,52,two words\ndan,,\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    let packed = directory.path().join("out.jsonl.gz");
    run(
        server.address(),
        &[
            "export",
            "SEGMENT age >= 18",
            "--to",
            packed.to_str().unwrap(),
        ],
    )
    .well();
    let mut text = String::new();
    let mut reader = flate2::read::GzDecoder::new(fs::File::open(&packed).unwrap());
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn status_tells_of_the_server() {
    let (_directory, server) = start();
    let status = run(server.address(), &["status"]).well().output;
    for part in ["tessera-server", &server.address().to_string(), "users"] {
        assert!(status.contains(part), "{part} is not in:\n{status}");
    }
}

#[test]
fn statements_come_on_standard_input_too() {
    let (_directory, server) = start();
    populate(server.address());
    let no_arguments: [&str; 2] = ["--format", "csv"];
    let script = b"COUNT ALL;\nCOUNT city:paris\n  AND age >= 18;\n";
    let run = run_with_input(server.address(), &no_arguments, script).well();
    assert_eq!(run.output, "count\n4\ncount\n1\n");
    let run = run_with_input(
        server.address(),
        &no_arguments,
        b"COUNT ALL;\nCOUNT nowhere:x;\nCOUNT ALL;\n",
    );
    assert_eq!((run.status, run.output.as_str()), (1, "count\n4\n"));
}

/// Whoever follows the first page of the project sees what it says.
#[test]
fn the_statements_of_the_first_page_work_one_after_the_other() {
    let (_directory, server) = start();
    let page = include_str!("../../README.md");
    let blocks = page
        .split("```tessera\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next());
    let script = blocks.collect::<Vec<_>>().join("\n");
    run_with_input(server.address(), &["--format", "csv"], script.as_bytes()).well();
    let check = |expression: &str, users: u32| {
        let statement = format!("COUNT {expression}");
        let arguments = ["exec", statement.as_str(), "--format", "csv"];
        let counted = run(server.address(), &arguments).well();
        assert_eq!(counted.output, format!("count\n{users}\n"), "{expression}");
    };
    check("ALL", 3);
    check("tag:member", 2);
    check("tag:member[until <= now+7d]", 1);
    check("user:ada AND tag:high_value AND tag:high", 1);
    check("tag:low", 2);
    check("gender:f", 2);
    check("user:eve AND referred_by(tag:high_value)", 1);
}
