//! The page of the language says what the parser does.

use tessera_query_lang::name::NAME_BYTES_MAX;
use tessera_query_lang::{Limits, parse_statement, split_statements};

const PAGE: &str = include_str!("../../docs/query-language.md");
const README: &str = include_str!("../../README.md");

/// The fenced blocks of a kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    blocks_of(PAGE, kind)
}

fn blocks_of(page: &'static str, kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    let starts = page
        .match_indices(&fence)
        .map(|(at, _)| &page[at + fence.len()..]);
    starts
        .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block))
        .collect()
}

#[test]
fn every_example_parses_and_prints_to_itself() {
    let examples = blocks("tessera");
    assert!(
        examples.len() > 40,
        "only {} examples were found",
        examples.len()
    );
    for example in examples {
        match parse_statement(example, &Limits::default()) {
            Ok(statement) => {
                let printed = statement.to_string();
                assert_eq!(
                    parse_statement(&printed, &Limits::default()).as_ref(),
                    Ok(&statement),
                    "{printed}"
                );
            }
            Err(error) => assert_eq!(error.render(example), "", "this example is refused"),
        }
    }
}

#[test]
fn the_statements_of_the_first_page_parse() {
    let mut count = 0;
    for block in blocks_of(README, "tessera") {
        for span in split_statements(block).statements {
            let statement = &block[span.range()];
            count += 1;
            if let Err(error) = parse_statement(statement, &Limits::default()) {
                assert_eq!(error.render(statement), "", "this statement is refused");
            }
        }
    }
    assert!(count > 20, "only {count} statements were found");
}

#[test]
fn the_shown_error_is_the_real_one() {
    let text = "COUNT tag:vip ADN gender:f";
    let shown = parse_statement(text, &Limits::default())
        .err()
        .map(|error| error.render(text));
    assert_eq!(shown.as_deref(), blocks("text").first().copied());
}

#[test]
fn the_documented_limits_are_the_defaults() {
    let limits = Limits::default();
    let rows = [
        ("bytes of a statement's text", limits.text_bytes_max),
        ("levels of nesting", limits.depth_max),
        ("leaves of a statement", limits.leaves_max),
        ("entries of a list", limits.list_len_max),
        ("steps of a `sequence`", limits.steps_max),
        ("properties of an event", limits.fields_max),
        ("layers of a tag group", limits.layers_max),
        ("steps of `descendants_of`", limits.descent_max as usize),
        ("bytes of a name", NAME_BYTES_MAX),
    ];
    for (limit, value) in rows {
        let row = PAGE
            .lines()
            .find(|line| line.starts_with(&format!("| {limit}")));
        let documented = row
            .and_then(|row| row.rsplit('|').nth(1))
            .map(|cell| cell.trim().replace(',', ""));
        assert_eq!(documented, Some(value.to_string()), "{limit}");
    }
}

#[test]
fn the_documented_reserved_words_are_the_parsers() {
    use tessera_query_lang::keywords::Place;
    let rows = [
        ("an attribute in an expression", Place::Attribute),
        ("a field in `RETURN`", Place::Field),
        ("a dim of", Place::Dim),
        ("a dim in", Place::DimOrder),
        ("a tag in an expression", Place::Tag),
        ("the name in `DEFINE`", Place::Definition),
        ("a property in a condition", Place::Property),
        ("an event in `count( )`", Place::Counted),
        ("an attribute after `BANDS OF`", Place::Quantity),
    ];
    for (start, place) in rows {
        let row = PAGE
            .lines()
            .find(|line| line.starts_with(&format!("| {start}")));
        let cell = row
            .and_then(|row| row.rsplit('|').nth(1))
            .unwrap_or_default();
        let words: Vec<&str> = cell
            .split(',')
            .map(|word| word.trim().trim_matches('`'))
            .collect();
        assert_eq!(words, place.reserved(), "{start}");
    }
}

#[test]
fn the_documented_grammar_has_every_keyword() {
    let grammar = blocks("ebnf").concat().to_lowercase();
    // What stands in double quotes: every second piece, but for those in single ones.
    let grammar = grammar.replace(r#"'"'"#, "").replace(r#"'\"'"#, "");
    let literals: Vec<&str> = grammar.split('"').skip(1).step_by(2).collect();
    let words: Vec<&str> = literals
        .iter()
        .flat_map(|literal| literal.split_whitespace())
        .collect();
    assert!(words.len() > 100, "only {} words were found", words.len());
    // Of percentiles the grammar has the rule and not each word.
    let keywords = tessera_query_lang::keywords::all().filter(|keyword| *keyword != "p50(");
    for keyword in keywords {
        for word in keyword.trim_end_matches([':', '(']).split(' ') {
            let word = word.to_lowercase();
            assert!(words.contains(&word.as_str()), "{keyword}");
        }
    }
}
