//! What holds for every tree and for every text.

mod trees;

use proptest::prelude::*;
use tessera_query_lang::complete::expected_at_end;
use tessera_query_lang::{
    Limits, classify, parse_expr, parse_group_rule, parse_statement, split_statements, suggest,
};

/// Pieces of statements.
const PIECES: &[&str] = &[
    "COUNT",
    "SEGMENT",
    "DIMENSION",
    "DEFINE",
    "ALTER",
    "DROP",
    "TAG",
    "UNTAG",
    "SET",
    "SHOW",
    "SAVE",
    "EXPLAIN",
    "ANALYZE",
    "FETCH",
    "DELETE USER",
    "ATTRIBUTE",
    "GROUP",
    "IF NOT EXISTS",
    "IN GROUP",
    "AS",
    "RETURN",
    "ORDER BY",
    "SAMPLE",
    "LIMIT",
    "MEASURE",
    "HAVING",
    "TOP",
    "WHERE",
    "WITH",
    "LIKE",
    "ENUM",
    "AND",
    "OR",
    "NOT",
    "AT LEAST",
    "2",
    "OF",
    "ALL",
    "IS",
    "MISSING",
    "tag:vip",
    "tag",
    ":",
    "(",
    ")",
    "[",
    "]",
    ",",
    ";",
    "..",
    "=",
    "!=",
    ">=",
    "+=",
    "-=",
    "%",
    "age",
    "city",
    "count",
    "sum(",
    "p50(",
    "did:x",
    "last(",
    "now",
    "now-30d",
    "2026-11-23",
    "1.50",
    "-7",
    "30d",
    "\"a\"",
    "\"",
    "\\",
    "$1",
    "$",
    "promo-*",
    "*",
    "--",
    "\n",
    "85A",
    "é",
    "高",
    "\u{301}",
    "'",
    "\u{0}",
    "user:",
    "group:g",
    "KEY",
    "TRACK",
    "WHY",
    "TREND",
    "SUBMIT FORM",
    "DEFINE EVENT",
    "DEFINE FORM",
    "CLEAR TAG",
    "DYNAMIC FOR",
    "FROM",
    "UNTIL",
    "SETS",
    "BANDS OF",
    "OTHERWISE",
    "YEARS SINCE",
    "ANNIVERSARY IN",
    "did:purchase[",
    "count(purchase",
    "sequence(",
    "->",
    ".",
    "within",
    "since",
    "purchase.amount",
    "referred_by(",
    "lapsed(tag:x",
];

/// Pieces of statements, right and wrong, to be thrown together.
fn soup() -> impl Strategy<Value = String> {
    let space = prop_oneof![3 => Just(" "), 1 => Just("")];
    proptest::collection::vec((proptest::sample::select(PIECES), space), 0..20).prop_map(|pieces| {
        pieces
            .into_iter()
            .map(|(piece, space)| format!("{piece}{space}"))
            .collect()
    })
}

/// Nothing panics, and what points into the text points at characters.
fn hold_for_any_text(text: &str) -> Result<(), TestCaseError> {
    let limits = Limits::default();
    let errors = [
        parse_statement(text, &limits).err(),
        parse_expr(text, &limits).err(),
    ];
    for error in errors.into_iter().flatten() {
        prop_assert!(
            text.get(error.span.range()).is_some(),
            "{:?} in {:?}",
            error,
            text
        );
        prop_assert!(error.render(text).contains('^'));
        let message = error.to_string();
        prop_assert!(
            !message.contains("expected ,") && !message.ends_with('.'),
            "{}",
            message
        );
    }
    if let Ok(statement) = parse_statement(text, &limits) {
        let again = parse_statement(&statement.to_string(), &limits);
        prop_assert_eq!(again, Ok(statement));
    }
    let mut end = 0;
    for (span, _) in classify(text) {
        prop_assert!(
            span.start >= end && span.end > span.start,
            "{:?} in {:?}",
            span,
            text
        );
        prop_assert!(text.get(span.range()).is_some());
        end = span.end;
    }
    let split = split_statements(text);
    for span in split.statements.iter().chain([&split.rest]) {
        prop_assert!(text.get(span.range()).is_some());
    }
    expected_at_end(text);
    Ok(())
}

/// How many cases of each property are tried: `PROPTEST_CASES`, or enough for every day.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    wanted.unwrap_or(1_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_statement_parses_to_itself(statement in trees::statement()) {
        let text = statement.to_string();
        match parse_statement(&text, &Limits::default()) {
            Ok(again) => prop_assert_eq!(again, statement, "{}", text),
            Err(error) => prop_assert!(false, "{}", error.render(&text)),
        }
    }

    #[test]
    fn a_printed_expression_parses_to_itself(expr in trees::expr()) {
        let text = expr.to_string();
        match parse_expr(&text, &Limits::default()) {
            Ok(again) => prop_assert_eq!(again, expr, "{}", text),
            Err(error) => prop_assert!(false, "{}", error.render(&text)),
        }
    }

    #[test]
    fn a_printed_rule_of_a_group_parses_to_itself(rule in trees::group_rule()) {
        let text = rule.to_string();
        match parse_group_rule(&text, &Limits::default()) {
            Ok(again) => prop_assert_eq!(again, rule, "{}", text),
            Err(error) => prop_assert!(false, "{}", error.render(&text)),
        }
    }

    #[test]
    fn a_printed_statement_is_one_statement_with_a_class_for_each_piece(statement in trees::statement()) {
        let text = format!("{statement};");
        let split = split_statements(&text);
        prop_assert_eq!(split.statements.len(), 1, "{}", text);
        prop_assert!(classify(&text).iter().all(|(_, class)| *class != tessera_query_lang::TokenClass::Error));
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        hold_for_any_text(&text)?;
    }

    #[test]
    fn any_soup_of_tokens_is_answered(text in soup()) {
        hold_for_any_text(&text)?;
    }

    #[test]
    fn any_damaged_statement_is_answered(statement in trees::statement(), cut in any::<prop::sample::Index>(), insert in soup()) {
        let text = statement.to_string();
        let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let (before, after) = text.split_at(borders[cut.index(borders.len())]);
        hold_for_any_text(before)?;
        hold_for_any_text(&format!("{before}{insert}{after}"))?;
    }

    #[test]
    fn suggestions_are_candidates(name in any::<String>(), candidates in proptest::collection::vec("[a-c]{0,4}", 0..8)) {
        let near = suggest::nearest(&name, candidates.iter().map(String::as_str));
        prop_assert!(near.len() <= 3);
        prop_assert!(near.iter().all(|near| candidates.contains(near) && *near != name));
    }
}
