#![expect(clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::error::ParseErrorKind;
use crate::limits::Limit;

fn parse(text: &str) -> Parsed<Statement> {
    parse_statement(text, &Limits::default())
}

/// The text parses, and its tree prints as the second text and parses again to itself.
fn check(text: &str, canonical: &str) {
    let statement = match parse(text) {
        Ok(statement) => statement,
        Err(error) => panic!("{}", error.render(text)),
    };
    assert_eq!(statement.to_string(), canonical, "{text}");
    assert_eq!(parse(canonical).as_ref(), Ok(&statement), "{text}");
}

/// The text is refused with this message, this text under the caret, and this hint.
fn refused(text: &str, message: &str, place: &str, hint: Option<&str>) {
    match parse(text) {
        Ok(statement) => panic!("{text} became {statement}"),
        Err(error) => {
            assert_eq!(error.to_string(), message, "{text}");
            assert_eq!(&text[error.span.range()], place, "{text}");
            assert_eq!(error.hint.as_deref(), hint, "{text}");
        }
    }
}

#[test]
fn expressions() {
    let same = |expr: &str| check(&format!("COUNT {expr}"), &format!("COUNT {expr}"));
    let check = |expr: &str, canonical: &str| {
        check(&format!("COUNT {expr}"), &format!("COUNT {canonical}"))
    };
    for expr in [
        "ALL",
        "tag:vip",
        "tag:promo-*",
        "tag:*",
        "tag:(a, b-*, $1, \"c d\")",
        "tag:高价值",
        "tag:count",
        "tag:now-30d",
        "tag:\"like\"",
        "tag:LIKE \"my promo-*\"",
        "tag:\"85123A\"",
        "gender:f",
        "city:(paris, rome, \"new york\")",
        "age:18..34",
        "age:-5..10",
        "age:25",
        "spend:1000..",
        "spend:1.50..2.5",
        "birthday:..2000-01-01",
        "seen:now-30d..now",
        "seen:today+2w..",
        "name:a..b",
        "name:$low..$2",
        "age >= 18",
        "age = -7",
        "gender != f",
        "seen > 2026-11-23T10:00:00Z",
        "active = true",
        "gender = \"true\"",
        "gender IS MISSING",
        "gender IS PRESENT",
        "segment:loyal",
        "segment:(loyal, $s)",
        "group:lifecycle IS MISSING",
        "group:$g IS PRESENT",
        "user:\"u1\"",
        "user:(\"u1\", \"u2\", $1)",
        "\"user\" = x",
        "count >= 3",
        "AT LEAST 2 OF (tag:a, tag:b AND tag:c, NOT tag:d)",
        "NOT NOT tag:a",
        "tag:a AND tag:b OR tag:c AND NOT tag:d",
        "(tag:a OR tag:b) AND NOT (tag:c AND tag:d)",
        "NOT (tag:a OR tag:b)",
        "age:18.. AND gender:f",
    ] {
        same(expr);
    }
    check("all", "ALL");
    check("TAG : ( vip )", "tag:vip");
    check(
        "(a:1 and b:2) AND (c:3 AND d:4)",
        "a:1 AND b:2 AND c:3 AND d:4",
    );
    check("a:1 OR (b:2 OR c:3)", "a:1 OR b:2 OR c:3");
    check("((a:1 or b:2))", "a:1 OR b:2");
    check("not (not a:1)", "NOT NOT a:1");
    check("a:1 OR (b:2 AND c:3)", "a:1 OR b:2 AND c:3");
    check("gender is not missing", "gender IS PRESENT");
    check("gender is not present", "gender IS MISSING");
    check("age:18 .. 34", "age:18..34");
    check("x:1..$2", "x:1..$2");
    check("user:u1", "user:\"u1\"");
    check("gender:\"f\"", "gender:f");
    check(
        "seen > 2026-11-23T10:00:00+02:00",
        "seen > 2026-11-23T08:00:00Z",
    );
    check("x >= now-0d", "x >= now");
    check("a:1 -- note\n AND b:2", "a:1 AND b:2");
    check("tag:e\u{301}", "tag:\u{e9}");
    check("tag:\"vip\"", "tag:vip");
}

#[test]
fn asking_statements() {
    for text in [
        "COUNT tag:vip",
        "SEGMENT tag:vip RETURN KEY, TAGS, age, \"key\" ORDER BY age DESC, KEY SAMPLE 0.1% SEED 7 LIMIT 100",
        "SEGMENT ALL SAMPLE 5%",
        "SEGMENT ALL RETURN order, limit ORDER BY asc",
        "FETCH \"c1\" LIMIT 10",
        "FETCH $cursor",
        "CLOSE \"c1\"",
        "PORTRAIT \"u 1\"",
        "EXPLAIN COUNT tag:vip",
        "EXPLAIN ANALYZE DIMENSION gender WHERE tag:vip",
        "DIMENSION gender",
        "DIMENSION gender, age[18, 25, 35], signup BY month, tag, tag:promo-*, tag:(a, b), group:lifecycle",
        "DIMENSION \"tag\" MEASURE count, share, sum(spend), avg(spend), min(spend), max(spend), p50(spend), p100(\"a b\")",
        "DIMENSION city MEASURE count HAVING count >= 10 AND (sum(spend) > 1.5 OR NOT share < 0.01) ORDER BY count DESC, city TOP 20 WHERE tag:vip",
        "DIMENSION group:\"life cycle\" ORDER BY group:\"life cycle\", tag, \"count\", sum, p50(spend) DESC",
        "SHOW TAGS",
        "SHOW TAGS LIKE \"promo *\" LIMIT 10",
        "SHOW GROUPS",
        "SHOW ATTRIBUTES LIMIT 1",
        "SHOW SEGMENTS LIKE \"x\"",
        "SHOW VALUES OF city LIKE \"p*\"",
        "SHOW STATUS",
    ] {
        check(text, text);
    }
    check("count tag:vip ;\n", "COUNT tag:vip");
    check(
        "SEGMENT ALL LIMIT 5 SAMPLE 5 % ORDER BY KEY ASC",
        "SEGMENT ALL ORDER BY KEY SAMPLE 5% LIMIT 5",
    );
    check(
        "DIMENSION age WHERE tag:a MEASURE count",
        "DIMENSION age MEASURE count WHERE tag:a",
    );
    check("DIMENSION age WHERE ALL", "DIMENSION age");
    check(
        "DIMENSION a MEASURE P05(x), COUNT",
        "DIMENSION a MEASURE p5(x), count",
    );
    check(
        "SHOW TAGS LIMIT 3 LIKE promo-*",
        "SHOW TAGS LIKE \"promo-*\" LIMIT 3",
    );
}

#[test]
fn writing_statements() {
    for text in [
        "DEFINE TAG vip",
        "DEFINE TAG IF NOT EXISTS vip IN GROUP value OWNER \"crm\" DESCRIPTION \"the best\\n\"",
        "DEFINE TAG \"if\"",
        "DEFINE GROUP lifecycle EXCLUSIVE",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE ATTRIBUTE IF NOT EXISTS gender ENUM (f, m, \"not said\") WRITE ONCE OWNER \"x\"",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE interests MULTI (golf)",
        "DEFINE ATTRIBUTE spend DECIMAL(2)",
        "DEFINE ATTRIBUTE born DATE",
        "DEFINE ATTRIBUTE seen TIMESTAMP",
        "DEFINE ATTRIBUTE active BOOLEAN",
        "DEFINE ATTRIBUTE email TEXT",
        "DEFINE ATTRIBUTE invited_by USER",
        "DEFINE SEGMENT IF NOT EXISTS loyal DESCRIPTION \"d\" AS tag:vip OR spend:1000..",
        "ALTER TAG vip IN GROUP g",
        "ALTER TAG vip NO GROUP OWNER \"o\"",
        "ALTER GROUP lifecycle SHARED",
        "ALTER ATTRIBUTE gender ADD VALUES (x, \"y z\") MUTABLE DESCRIPTION \"\"",
        "ALTER SEGMENT loyal OWNER \"o\" AS ALL",
        "DROP TAG vip",
        "DROP SEGMENT IF EXISTS loyal",
        "SAVE SEGMENT loyal OWNER \"o\" AS tag:vip",
        "TAG \"u1\", $1 WITH vip, \"go ld\", $2",
        "TAG WHERE age:18.. WITH adult",
        "UNTAG \"u1\" WITH vip",
        "SET \"u1\" gender = f, age = 30, interests += (golf, chess), interests -= x, city = MISSING",
        "SET WHERE age:18.. city = paris",
        "SET WHERE tag:\"like\" \"user\" = \"missing\"",
        "SET $1 gender = $2",
        "DELETE USER \"u1\", \"u2\"",
    ] {
        check(text, text);
    }
    check(
        "DEFINE TAG vip DESCRIPTION d IF NOT EXISTS OWNER crm",
        "DEFINE TAG IF NOT EXISTS vip OWNER \"crm\" DESCRIPTION \"d\"",
    );
    check("DROP GROUP g IF EXISTS", "DROP GROUP IF EXISTS g");
    check(
        "DEFINE SEGMENT s AS tag:a OWNER o IF NOT EXISTS",
        "DEFINE SEGMENT IF NOT EXISTS s OWNER \"o\" AS tag:a",
    );
    check("SET u1 a=1, b+=c, d-=e", "SET \"u1\" a = 1, b += c, d -= e");
    check(
        "SET WHERE age:18.. \"city\" = paris",
        "SET WHERE age:18.. city = paris",
    );
    check("DEFINE GROUP g SHARED", "DEFINE GROUP g");
    check("TAG u1 WITH with", "TAG \"u1\" WITH with");
}

#[test]
fn errors_say_what_was_expected_where() {
    let statement = "expected a statement such as COUNT, SEGMENT or DIMENSION, found";
    let expression = "expected an expression such as tag:vip or age >= 18, found";
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
        "expected `:`, a comparison or IS, found the end of the text",
        "",
        Some("a tag is written tag:vip"),
    );
    refused(
        "COUNT NTO tag:a",
        "expected `:`, a comparison or IS, found `tag`",
        "tag",
        Some("did you mean NOT?"),
    );
    refused(
        "COUNT tag:",
        "expected the name of a tag, found the end of the text",
        "",
        None,
    );
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
    refused(
        "COUNT a == 1",
        "`==` is not an operator",
        "==",
        Some("write ="),
    );
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
        "ALTER TAG vip",
        "expected OWNER, DESCRIPTION, IN GROUP or NO GROUP, found the end of the text",
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
    refused(
        "EXPLAIN SHOW TAGS",
        "expected ANALYZE, COUNT, SEGMENT or DIMENSION, found `SHOW`",
        "SHOW",
        None,
    );
    refused(
        "COUNT tag:'vip'",
        "unexpected character `'`",
        "'",
        Some("write texts in double quotes: \"text\""),
    );
}

#[test]
fn forms_of_a_later_version_are_recognised() {
    let refused = |text: &str, feature: &'static str, place: &str| match parse(text) {
        Ok(statement) => panic!("{text} became {statement}"),
        Err(error) => {
            assert_eq!(
                error.kind,
                ParseErrorKind::NotAvailableYet(feature),
                "{text}"
            );
            assert_eq!(&text[error.span.range()], place, "{text}");
        }
    };
    refused("COUNT did:purchase", "behaviours", "did:purchase");
    refused(
        "COUNT did:purchase[30d] AND tag:a",
        "behaviours",
        "did:purchase[30d]",
    );
    let measures = [
        "count(purchase, 30d)",
        "days(login, 7d)",
        "sum(purchase.amount, 90d)",
        "avg(a.b, 1w)",
        "min(a.b)",
        "max(a.b)",
        "last(purchase)",
        "first(purchase)",
        "top(purchase.item, 3)",
        "sequence(a, b)",
        "lapsed(purchase, 30d)",
        "count(purchase[amount > 5 AND (x)], 30d)",
    ];
    for measure in measures {
        refused(
            &format!("COUNT tag:a AND {measure} >= 3"),
            "behaviour measures",
            measure,
        );
    }
    refused(
        "DIMENSION a MEASURE sum(purchase.amount, 90d)",
        "behaviour measures",
        "sum(purchase.amount, 90d)",
    );
    refused(
        "DIMENSION a MEASURE count(purchase, 90d)",
        "behaviour measures",
        "count(purchase, 90d)",
    );
    refused("DIMENSION did:purchase", "behaviours", "did:purchase");
    refused(
        "COUNT tag:vip[since >= now-7d] AND x",
        "conditions on how a tag is held",
        "[since >= now-7d]",
    );
    refused(
        "COUNT tag:(a, b)[source = rule]",
        "conditions on how a tag is held",
        "[source = rule]",
    );
    refused("TRACK \"u\" purchase", "TRACK statements", "TRACK");
    refused("WHY \"u\" IN loyal", "WHY statements", "WHY");
    refused("DEFINE BEHAVIOUR purchase", "behaviours", "BEHAVIOUR");
    refused("COUNT count(", "behaviour measures", "count(");
}

fn limit_of(text: &str, limits: &Limits) -> Option<(Limit, usize)> {
    match parse_statement(text, limits) {
        Err(ParseError {
            kind: ParseErrorKind::Limit { limit, max },
            ..
        }) => Some((limit, max)),
        Ok(_) | Err(_) => None,
    }
}

#[test]
fn every_limit_holds_at_its_border() {
    let limits = Limits {
        text_bytes_max: 60,
        depth_max: 3,
        leaves_max: 4,
        list_len_max: 3,
    };
    let check = |text: &str, expected: Option<Limit>| {
        assert_eq!(
            limit_of(text, &limits).map(|(limit, _)| limit),
            expected,
            "{text}"
        );
        assert!(
            expected.is_some() || parse_statement(text, &limits).is_ok(),
            "{text}"
        );
    };
    check(&format!("COUNT ALL{}", " ".repeat(51)), None);
    check(
        &format!("COUNT ALL{}", " ".repeat(52)),
        Some(Limit::TextBytes),
    );
    check("COUNT (((ALL)))", None);
    check("COUNT ((((ALL))))", Some(Limit::Depth));
    check("COUNT NOT NOT NOT ALL", None);
    check("COUNT NOT NOT NOT NOT ALL", Some(Limit::Depth));
    check("COUNT (NOT AT LEAST 1 OF (ALL))", None);
    check("COUNT (NOT AT LEAST 1 OF ((ALL)))", Some(Limit::Depth));
    check("DIMENSION a HAVING (((count > 1)))", None);
    check("DIMENSION a HAVING ((((count > 1))))", Some(Limit::Depth));
    check("COUNT a:1 AND a:1 AND a:1 AND a:1", None);
    check(
        "COUNT a:1 AND a:1 AND a:1 AND a:1 OR a:1",
        Some(Limit::Leaves),
    );
    check("COUNT a:(1, 2) AND a = 1 AND a IS MISSING", None);
    check(
        "COUNT a:(1, 2, 3) AND a = 1 AND a IS MISSING",
        Some(Limit::Leaves),
    );
    check(
        "COUNT tag:(a, b, c) AND segment:a AND segment:b",
        Some(Limit::Leaves),
    );
    check("COUNT a:(1, 2, 3, 4)", Some(Limit::ListLength));
    check("DELETE USER a, b, c", None);
    check("DELETE USER a, b, c, d", Some(Limit::ListLength));
}

#[test]
fn the_default_limits_are_the_documented_ones() {
    let limits = Limits::default();
    let check = |text: &str, expected: Option<(Limit, usize)>| {
        assert_eq!(limit_of(text, &limits), expected)
    };
    check(
        &" ".repeat(256 * 1024 + 1),
        Some((Limit::TextBytes, 256 * 1024)),
    );
    check(
        &format!("COUNT {}ALL", "(".repeat(101)),
        Some((Limit::Depth, 100)),
    );
    check(
        &format!("COUNT {}ALL", "(".repeat(200_000)),
        Some((Limit::Depth, 100)),
    );
    check(
        &format!("COUNT {}ALL", "a:1 OR ".repeat(10_000)),
        Some((Limit::Leaves, 10_000)),
    );
    check(
        &format!("DELETE USER {}a", "a,".repeat(10_000)),
        Some((Limit::ListLength, 10_000)),
    );
    let largest = format!("COUNT {}ALL", "a:1 OR ".repeat(9_999));
    assert!(parse(&largest).is_ok());
}

#[test]
fn the_deepest_tree_fits_a_small_stack() {
    let work = || {
        let depth = Limits::default().depth_max;
        let texts = [
            format!("COUNT {}ALL", "NOT ".repeat(depth)),
            format!(
                "COUNT {}ALL{}",
                "(tag:a OR (tag:b AND ".repeat(depth / 2),
                "))".repeat(depth / 2)
            ),
            format!(
                "COUNT {}ALL{}",
                "AT LEAST 1 OF (tag:x, ".repeat(depth),
                ")".repeat(depth)
            ),
            format!("DIMENSION a HAVING {}count > 1", "NOT ".repeat(depth)),
        ];
        texts.iter().all(|text| {
            let tree = parse(text);
            let again = tree.as_ref().map(|tree| parse(&tree.to_string()));
            matches!((&tree, &again), (Ok(tree), Ok(Ok(again))) if tree == &again.clone())
        })
    };
    let thread = std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(work);
    let held = thread.map(|thread| matches!(thread.join(), Ok(true)));
    assert!(matches!(held, Ok(true)));
}

#[test]
fn an_expression_stands_alone() {
    let parse = |text: &str| parse_expr(text, &Limits::default()).map(|expr| expr.to_string());
    assert_eq!(parse("tag:a or tag:b"), Ok("tag:a OR tag:b".to_owned()));
    assert!(parse("").is_err());
    assert!(parse("COUNT ALL").is_err());
    assert!(parse("tag:a LIMIT 1").is_err());
}
