//! What is refused, and how that is said.

use super::*;

#[test]
fn a_text_is_one_statement() {
    let statement = "expected a statement such as COUNT, SEGMENT or DIMENSION, found";
    refused("", &format!("{statement} the end of the text"), "", None);
    refused(
        " -- x",
        &format!("{statement} the end of the text"),
        "",
        None,
    );
    refused(";", &format!("{statement} `;`"), ";", None);
    refused(
        "SEGEMENT tag:vip",
        &format!("{statement} `SEGEMENT`"),
        "SEGEMENT",
        Some("did you mean SEGMENT?"),
    );
    refused(
        "tag:vip",
        &format!("{statement} `tag`"),
        "tag",
        Some("begin with what you want to know, as in COUNT tag:vip"),
    );
    refused(
        "COUNT ALL; COUNT ALL",
        "expected the end of the statement, found `COUNT`",
        "COUNT",
        Some("send one statement at a time"),
    );
    refused(
        "COUNT ALL;;",
        "expected the end of the statement, found `;`",
        ";",
        None,
    );
}

#[test]
fn expressions_are_complete() {
    let expression = "expected an expression such as tag:vip or age >= 18, found";
    refused(
        "COUNT",
        &format!("{expression} the end of the text"),
        "",
        None,
    );
    refused("COUNT ()", &format!("{expression} `)`"), ")", None);
    refused(
        "COUNT tag:a AND",
        &format!("{expression} the end of the text"),
        "",
        None,
    );
    refused(
        "COUNT tag:a tag:b",
        "expected AND, OR, `;` or the end of the statement, found `tag`",
        "tag",
        None,
    );
    refused(
        "COUNT tag:a ADN tag:b",
        "expected AND, OR, `;` or the end of the statement, found `ADN`",
        "ADN",
        Some("did you mean AND?"),
    );
    refused(
        "COUNT (tag:a",
        "expected AND, OR or `)`, found the end of the text",
        "",
        None,
    );
    refused(
        "COUNT vip",
        "expected `:`, a comparison, IS or ANNIVERSARY IN, found the end of the text",
        "",
        Some("a tag is written tag:vip"),
    );
    refused(
        "COUNT NTO tag:a",
        "expected `:`, a comparison, IS or ANNIVERSARY IN, found `tag`",
        "tag",
        Some("did you mean NOT?"),
    );
    refused(
        "COUNT tag:",
        "expected the name of a tag, found the end of the text",
        "",
        None,
    );
    refused("COUNT not = 5", &format!("{expression} `=`"), "=", None);
    refused(
        "COUNT AT LEAST 3 OF (tag:a, tag:b)",
        "this must be from 1 to 2, the number of expressions",
        "3",
        None,
    );
    refused(
        "COUNT AT LEAST 0 OF (tag:a)",
        "this must be from 1 to 1, the number of expressions",
        "0",
        None,
    );
    refused(
        "COUNT group:g",
        "expected IS, found the end of the text",
        "",
        None,
    );
}

#[test]
fn names_and_values_are_checked() {
    refused(
        "COUNT tag:85123A",
        "a name cannot begin with a digit",
        "85123A",
        Some("quote it: \"85123A\""),
    );
    refused(
        "COUNT tag:85",
        "a name cannot begin with a digit",
        "85",
        Some("quote it: \"85\""),
    );
    refused(
        "COUNT x:30d",
        "a name cannot begin with a digit",
        "30d",
        Some("quote it: \"30d\""),
    );
    refused(
        "COUNT x:2026-02-30",
        "there is no such date",
        "2026-02-30",
        None,
    );
    refused("COUNT tag:\"\"", "a name cannot be empty", "\"\"", None);
    refused(
        "COUNT tag:\"a",
        "this quoted text is not closed",
        "\"",
        None,
    );
    refused(
        "COUNT x:9223372036854775808",
        "a whole number has at most 64 bits",
        "9223372036854775808",
        None,
    );
    refused(
        "COUNT x:par*",
        "a pattern is not a value",
        "par*",
        Some("patterns stand after tag: and LIKE; quote it if it is a value"),
    );
    refused(
        "COUNT x:(1..2, 3)",
        "expected `,` or `)`, found `..`",
        "..",
        Some("a list holds values; join ranges with OR"),
    );
    refused(
        "COUNT gender = MISSING",
        "MISSING is not a value",
        "MISSING",
        Some("write IS MISSING, or quote it if it is a value"),
    );
    refused(
        "COUNT user:5",
        "this must be a text",
        "5",
        Some("quote it: \"5\""),
    );
    refused(
        "COUNT a == 1",
        "`==` is not an operator",
        "==",
        Some("write ="),
    );
    refused(
        "COUNT tag:'vip'",
        "unexpected character `'`",
        "'",
        Some("write texts in double quotes: \"text\""),
    );
}

#[test]
fn clauses_are_checked() {
    refused("SEGMENT ALL LIMIT 0", "this must be at least 1", "0", None);
    refused(
        "SEGMENT ALL LIMIT -1",
        "this must be a number from 0 to 18446744073709551615",
        "-1",
        None,
    );
    refused(
        "SEGMENT ALL LIMIT 1 LIMIT 2",
        "LIMIT is written twice",
        "LIMIT",
        None,
    );
    refused(
        "SEGMENT ALL ORDER BY a RETURN b ORDER BY c",
        "ORDER BY is written twice",
        "ORDER BY",
        None,
    );
    refused(
        "SEGMENT ALL ORDER BY TAGS",
        "users cannot be ordered by their tags",
        "TAGS",
        Some("quote it if it is an attribute: \"tags\""),
    );
    refused(
        "SEGMENT ALL SAMPLE 0%",
        "a sample is above 0% and at most 100%",
        "0",
        None,
    );
    refused(
        "SEGMENT ALL SAMPLE 100.1%",
        "a sample is above 0% and at most 100%",
        "100.1",
        None,
    );
    refused(
        "SEGMENT ALL SAMPLE 5",
        "expected `%`, found the end of the text",
        "",
        None,
    );
    refused(
        "DIMENSION a MEASURE median(x)",
        "expected a measure such as count or sum(spend), found `median`",
        "median",
        None,
    );
    refused(
        "DIMENSION a MEASURE p101(x)",
        "a percentile is one of p0 to p100",
        "p101",
        None,
    );
    refused(
        "DIMENSION a MEASURE count(*)",
        "expected a measure such as count or sum(spend), found `count`",
        "count",
        Some("write count without parentheses"),
    );
    refused(
        "DIMENSION a BY moth",
        "expected day, week, month, quarter or year, found `moth`",
        "moth",
        Some("did you mean month?"),
    );
    refused(
        "EXPLAIN SHOW TAGS",
        "expected ANALYZE, COUNT, SEGMENT or DIMENSION, found `SHOW`",
        "SHOW",
        None,
    );
}

#[test]
fn definitions_and_writes_are_complete() {
    refused(
        "ALTER TAG vip",
        "expected OWNER, DESCRIPTION, DYNAMIC, STATIC, ON RETAG, DRAFT, ACTIVE, DEPRECATED, \
         ARCHIVED, IN GROUP, NO GROUP, AS or NO RULE, found the end of the text",
        "",
        None,
    );
    refused(
        "SAVE SEGMENT x tag:a",
        "expected OWNER, DESCRIPTION or AS, found `tag`",
        "tag",
        None,
    );
    refused(
        "DEFINE ATTRIBUTE x DECIMAL(19)",
        "a decimal has 0 to 18 digits after its point",
        "19",
        None,
    );
    refused(
        "DEFINE ATTRIBUTE x ENUM (1, 2)",
        "this must be a text",
        "1",
        Some("quote it: \"1\""),
    );
    refused(
        "TAG WITH vip",
        "expected WHERE or a user's key in quotes, found `WITH`",
        "WITH",
        None,
    );
    refused(
        "TAG \"u\" WITH promo-*",
        "a pattern cannot be written",
        "promo-*",
        Some("name each tag; quote a tag whose name has a *"),
    );
}

#[test]
fn hints_fit_what_was_meant() {
    let check = |text: &str, hint: Option<&str>| match parse(text) {
        Ok(statement) => panic!("{text} became {statement}"),
        Err(error) => assert_eq!(error.hint.as_deref(), hint, "{text}: {error}"),
    };
    check("COUNT user = 5", Some("quote it if it is a name: \"user\""));
    check(
        "COUNT or IS MISSING",
        Some("quote it if it is a name: \"or\""),
    );
    check("COUNT tag:a OR or", None);
    check("COUNT age[18]", None);
    check("COUNT (vip)", Some("a tag is written tag:vip"));
    check("COUNT vip AND gold", Some("a tag is written tag:vip"));
    check(
        "COUNT age >= now - 30d",
        Some("a sign touches its number, as in -5 and now-30d"),
    );
    check("DIMENSION a WHER tag:x", Some("did you mean WHERE?"));
    check("SHOW TAG", Some("did you mean TAGS?"));
    check("COUNT a && b", Some("write AND"));
}

#[test]
fn what_was_found_fits_a_line() {
    let text = format!("COUNT ALL \"{}\n\u{1b}\"", "x".repeat(30));
    let message = parse(&text)
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        message.ends_with(&format!("found `\"{}  \"`", "x".repeat(30))),
        "{message}"
    );
    let text = format!("COUNT ALL {}", "x".repeat(100));
    let message = parse(&text)
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        message.ends_with(&format!("found `{}…`", "x".repeat(40))),
        "{message}"
    );
}
