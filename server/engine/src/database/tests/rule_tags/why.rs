//! Why a user is in what rules say, or is not.

use super::*;

/// The rows of `WHY`: depth, expression, whether it holds, the value, what is to change.
#[track_caller]
fn why(fixture: &Fixture, question: &str) -> Vec<String> {
    let shown = |datum: &Datum| match datum {
        Datum::Null => String::new(),
        Datum::Text(text) => text.clone(),
        Datum::Boolean(holds) => if *holds { "yes" } else { "no" }.to_owned(),
        Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => crate::write::show_datum(datum),
    };
    run(fixture, &format!("WHY {question}"))
        .iter()
        .map(|row| {
            let cells: Vec<String> = row[1..].iter().map(shown).collect();
            cells.join(" | ")
        })
        .collect()
}

#[test]
fn why_tells_the_tree_and_what_would_change_it() {
    let fixture = fixture(&[
        "DEFINE TAG buyer AS count(purchase, 30d) >= 3 AND NOT tag:vip",
        "DEFINE GROUP tier AS high: spend >= 100, low: OTHERWISE",
        "DEFINE GROUP bands AS BANDS OF sum(purchase.amount) (much: 100.., little: OTHERWISE)",
        "SAVE SEGMENT loyal AS tag:buyer OR spend >= 50",
        "TRACK a purchase WITH amount = 12.50, category = shoes",
        "TRACK a purchase WITH amount = 7.50, category = shoes",
        "SET \"a\" spend = 20",
        "TAG b WITH vip",
    ]);
    assert_eq!(
        why(&fixture, "a IN tag:buyer AND (spend >= 10 OR tag:vip)"),
        [
            "AND | no |  | ",
            "  tag:buyer | no |  | ",
            "    AND | no |  | ",
            "      count(purchase, 30d) >= 3 | no | 2 | must hold",
            "      NOT | yes |  | ",
            "        tag:vip | no |  | ",
            "  OR | yes |  | ",
            "    spend >= 10 | yes | 20.00 | ",
            "    tag:vip | no |  | ",
        ]
    );
    assert_eq!(
        why(&fixture, "a IN segment:loyal"),
        [
            "segment:loyal | no |  | ",
            "  OR | no |  | ",
            "    tag:buyer | no |  | must hold",
            "    spend >= 50 | no | 20.00 | ",
        ]
    );
    let first = |question: &str| why(&fixture, question)[0].clone();
    assert_eq!(
        first("a IN sum(purchase.amount) > 100"),
        "sum(purchase.amount) > 100 | no | 20.00 | must hold"
    );
    assert_eq!(
        first("a IN avg(purchase.amount):10..11"),
        "avg(purchase.amount):10..11 | yes | 10 | "
    );
    assert_eq!(
        first("a IN top(purchase.category):shoes"),
        "top(purchase.category):shoes | yes | (shoes) | "
    );
    assert_eq!(
        first("a IN did:purchase[1d]"),
        "did:purchase[1d] | yes | 2 | "
    );
    assert_eq!(
        first("a IN count(purchase) = 0"),
        "count(purchase) = 0 | no | 2 | must hold"
    );
    assert_eq!(
        first("b IN tag:vip"),
        "tag:vip | yes | manual since 2024-03-01T12:00:00Z | "
    );
    assert_eq!(
        why(&fixture, "a IN tag:low")[1..],
        [
            "  high: spend >= 100 | no | 20.00 | ",
            "  low: ALL | yes |  | "
        ]
    );
    assert_eq!(
        why(&fixture, "a IN tag:much")[1..],
        ["  sum(purchase.amount) | yes | 20.00 | "]
    );
    run(&fixture, "UNTAG a WITH low");
    assert_eq!(
        first("a IN tag:low"),
        "tag:low | no | taken by hand | must hold"
    );
    assert_eq!(why(&fixture, "nobody IN tag:vip"), Vec::<String>::new());
    refuse(&fixture, "WHY a IN tag:nope", "no tag named");
    refuse(&fixture, "WHY nobody IN tag:nope", "no tag named");
}

#[test]
fn a_portrait_tells_why_rules_give_tags() {
    let fixture = fixture(&[
        "DEFINE TAG buyer AS count(purchase, 30d) >= 2",
        "TRACK a purchase AT 2024-02-22T00:00:00Z",
        "TRACK a purchase AT 2024-02-24T00:00:00Z",
        "TRACK a purchase AT 2023-12-01T00:00:00Z",
        "TAG b WITH buyer",
    ]);
    let rows = |key: &str, section: &str| -> Vec<(String, Datum)> {
        let portrait = run(&fixture, &format!("PORTRAIT {key}"));
        let of_section = portrait.into_iter().filter(|row| row[0] == text(section));
        of_section
            .map(|row| (key_of(&row[1..]), row[2].clone()))
            .collect()
    };
    let reason = "count(purchase, 30d) >= 2 (count(purchase, 30d) >= 2: 2)";
    assert_eq!(rows("a", "rule"), [("buyer".to_owned(), text(reason))]);
    assert_eq!(rows("b", "rule"), []);
    let counts: Vec<(String, Datum)> = rows("a", "behaviour");
    let expected = [
        ("count", 3),
        ("count 7d", 1),
        ("count 30d", 2),
        ("count 90d", 2),
    ];
    for (figure, count) in expected {
        let row = (format!("{figure} purchase"), Datum::Integer(count));
        assert!(counts.contains(&row), "{counts:?} {row:?}");
    }
}
