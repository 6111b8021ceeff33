//! What the program is asked, and what it must answer.

use std::net::SocketAddr;

use tessera_tests::wire::Wire;

/// Four people, one of whom nothing is known.
pub(crate) fn populate(server: SocketAddr) {
    let mut wire = Wire::connect(server).unwrap();
    for statement in [
        "DEFINE TAG vip",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE email TEXT",
        "DEFINE ATTRIBUTE spend DECIMAL(2)",
        "SET ada age = 36, city = paris, spend = 12.50",
        "SET bob age = 17, city = paris",
        "SET cleo age = 52, city = \"two words\", spend = 0.05",
        "TAG dan, ada WITH vip",
    ] {
        wire.execute(statement)
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

/// A statement, a format, and the answer to the last byte.
pub(crate) const FORMATS: &[(&str, &str, &str)] = &[
    ("COUNT tag:vip", "csv", "count\n2\n"),
    ("COUNT tag:vip", "tsv", "count\n2\n"),
    ("COUNT tag:vip", "jsonl", "{\"count\":2}\n"),
    ("COUNT tag:vip", "json", "[\n  {\"count\":2}\n]\n"),
    (
        "SEGMENT ALL RETURN age, TAGS, spend ORDER BY KEY",
        "csv",
        "key,age,tags,spend\nada,36,\"[\"\"vip\"\"]\",12.50\nbob,17,[],\ncleo,52,[],0.05\ndan,,\"[\"\"vip\"\"]\",\n",
    ),
    (
        "SEGMENT age < 40 RETURN age, TAGS, spend ORDER BY KEY",
        "jsonl",
        "{\"key\":\"ada\",\"age\":36,\"tags\":[\"vip\"],\"spend\":12.50}\n\
         {\"key\":\"bob\",\"age\":17,\"tags\":[],\"spend\":null}\n",
    ),
    (
        "DIMENSION city MEASURE count",
        "tsv",
        "city\tcount\nparis\t2\ntwo words\t1\n\t1\n",
    ),
    (
        "DIMENSION age[18, 40] MEASURE count, sum(spend)",
        "csv",
        "age,count,sum(spend)\n<18,1,\n18..39,1,12.50\n>=40,1,0.05\n,1,\n",
    ),
    (
        "TAG bob WITH vip",
        "csv",
        "users_changed,facts_changed\n1,1\n",
    ),
    (
        "UNTAG bob WITH vip",
        "jsonl",
        "{\"users_changed\":1,\"facts_changed\":1}\n",
    ),
];

/// Arguments, the exit status, and words that must be on standard error.
pub(crate) const STATUSES: &[(&[&str], i32, &[&str])] = &[
    (&["exec", "COUNT ALL"], 0, &[]),
    (&["exec", "COUNT ALL; COUNT tag:vip"], 0, &[]),
    (
        &["exec", "COUNT tag:vipp"],
        1,
        &["vipp", "did you mean", "vip", "^^^"],
    ),
    (
        &["exec", "COUNT tag:vip ADN age:1"],
        1,
        &["ADN", "column 15", "^^^"],
    ),
    (&["exec", "COUNT referred_by(ALL)"], 1, &["invited_by"]),
    (&["exec", "COUNT city < paris"], 1, &["city"]),
    (
        &["exec", "COUNT ALL", "COUNT tag:nowhere", "COUNT ALL"],
        1,
        &["nowhere"],
    ),
    (&["exec"], 2, &["Usage"]),
    (&["exec", "COUNT ALL", "--format", "xml"], 2, &["xml"]),
    (&["nonsense"], 2, &["nonsense"]),
    (
        &["import", "/nowhere/at/all.csv", "--infer"],
        2,
        &["/nowhere/at/all.csv"],
    ),
    (
        &[
            "exec",
            "COUNT ALL",
            "--connect",
            "localhost:1",
            "--timeout",
            "2",
        ],
        3,
        &["localhost:1"],
    ),
    (
        &[
            "status",
            "--connect",
            "nowhere.invalid:7700",
            "--timeout",
            "2",
        ],
        3,
        &["nowhere.invalid:7700"],
    ),
    (
        &["status", "--connect", "no address"],
        2,
        &["expected HOST:PORT"],
    ),
];
