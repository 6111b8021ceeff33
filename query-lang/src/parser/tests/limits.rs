//! Limits hold, and within them no stack overflows.

use super::*;
use crate::limits::Limit;

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
        steps_max: 3,
        fields_max: 2,
        layers_max: 2,
        descent_max: 2,
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
    check("COUNT did:a[(((x:1)))]", Some(Limit::Depth));
    check("COUNT did:a[((x:1))]", None);
    check("COUNT count(a[((NOT x:1))]) > 1", Some(Limit::Depth));
    check("COUNT referred_by(((ALL)))", None);
    check("COUNT referred_by((((ALL))))", Some(Limit::Depth));
    check("COUNT did:(a, b, c)[x:1]", None);
    check("COUNT did:(a, b, c)[x:(1, 2)]", Some(Limit::Leaves));
    check("COUNT tag:(a, b)[since = 1, until = 2]", None);
    check(
        "COUNT tag:(a, b, c)[since = 1, until = 2]",
        Some(Limit::Leaves),
    );
    check("COUNT tag:a[since = 1, since = 2, since = 3]", None);
    check(
        "COUNT tag:a[since = 1, since = 2, since = 3, since = 4]",
        Some(Limit::ListLength),
    );
    check("COUNT sequence(a -> b -> c)", None);
    check("COUNT sequence(a -> b -> c -> d)", Some(Limit::Steps));
    check("COUNT sequence(a[x:1] -> b[y:(1, 2)])", Some(Limit::Leaves));
    check("DEFINE EVENT e (a TEXT, b TEXT)", None);
    check(
        "DEFINE EVENT e (a TEXT, b TEXT, c TEXT)",
        Some(Limit::Fields),
    );
    check("ALTER EVENT e ADD PROPERTIES (a TEXT, b TEXT)", None);
    check("TRACK u e WITH a = 1, b = 2", None);
    check("TRACK u e WITH a = 1, b = 2, c = 3", Some(Limit::Fields));
    check("SUBMIT FORM f FOR u WITH a = 1, b = 2", None);
    check(
        "SUBMIT FORM f FOR u WITH a = 1, b = 2, c = 3",
        Some(Limit::Fields),
    );
    check("DEFINE GROUP g AS a: ALL, b: ALL", None);
    check(
        "DEFINE GROUP g AS a: ALL, b: ALL, c: ALL",
        Some(Limit::Layers),
    );
    check("DEFINE GROUP g AS BANDS OF n (a: 1, b: 2)", None);
    check(
        "DEFINE GROUP g AS BANDS OF n (a: 1, b: 2, c: 3)",
        Some(Limit::Layers),
    );
    check("COUNT descendants_of(ALL, 2)", None);
    check("DELETE USER a, b, c", None);
    check("DELETE USER a, b, c, d", Some(Limit::ListLength));
}

#[test]
fn the_default_limits_are_the_documented_ones() {
    let limits = Limits::default();
    let check = |text: &str, expected: Option<(Limit, usize)>| {
        assert_eq!(limit_of(text, &limits), expected);
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
    check(
        &format!("COUNT sequence(a {})", "-> a".repeat(16)),
        Some((Limit::Steps, 16)),
    );
    let many = |count: usize, item: fn(usize) -> String| {
        (0..count).map(item).collect::<Vec<_>>().join(", ")
    };
    let fields = |count| many(count, |at| format!("p{at} TEXT"));
    check(
        &format!("DEFINE EVENT e ({})", fields(101)),
        Some((Limit::Fields, 100)),
    );
    assert!(parse(&format!("DEFINE EVENT e ({})", fields(100))).is_ok());
    let fields = many(101, |at| format!("p{at} TEXT SETS ATTRIBUTE a"));
    check(
        &format!("DEFINE FORM f ({fields})"),
        Some((Limit::Fields, 100)),
    );
    let layers = many(101, |at| format!("t{at}: ALL"));
    check(
        &format!("DEFINE GROUP g AS {layers}"),
        Some((Limit::Layers, 100)),
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
            format!("COUNT count(a[{}x:1]) > 1", "NOT ".repeat(depth - 1)),
            format!(
                "COUNT {}count(a[x:1 AND y:2]) > 1{}",
                "referred_by(tag:x OR ".repeat(depth - 1),
                ")".repeat(depth - 1)
            ),
            format!(
                "DEFINE GROUP g AS a: {}ALL{}",
                "descendants_of(NOT (tag:x AND ".repeat(depth / 3),
                "), 3)".repeat(depth / 3)
            ),
        ];
        texts.iter().all(|text| {
            let tree = parse(text);
            let again = tree.as_ref().map(|tree| parse(&tree.to_string()));
            matches!((&tree, &again), (Ok(tree), Ok(Ok(again))) if tree == again)
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
