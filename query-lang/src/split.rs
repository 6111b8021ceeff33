//! Finds where statements end, for a text that holds several or is still being typed.
//!
//! Knows quotes, comments, parentheses and `;`. Does not know whether a statement is right.

use crate::ast::Span;
use crate::error::ParseErrorKind;
use crate::lexer::{Symbol, TokenKind, token, trivia_bytes};

/// A text cut at its `;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The finished statements in order, each with its `;`. Pieces without a statement (only
    /// white space and comments before the `;`) are left out.
    pub statements: Vec<Span>,
    /// What stands after the last `;`, from its first word on.
    pub rest: Span,
    /// What the rest lacks.
    pub completeness: Completeness,
}

/// What a text lacks to be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Nothing: the rest is empty.
    Complete,
    /// A `;`, if the rest is to be finished by one.
    NoSemicolon,
    /// A closing quote.
    OpenQuote,
    /// A closing parenthesis or bracket.
    OpenParenthesis,
}

/// Cuts a text at every `;` outside of quotes and comments.
///
/// ```
/// use tessera_query_lang::{Completeness, split_statements};
/// let text = "COUNT ALL; COUNT tag:\"a;b\"";
/// let split = split_statements(text);
/// assert_eq!(&text[split.statements[0].range()], "COUNT ALL;");
/// assert_eq!(&text[split.rest.range()], "COUNT tag:\"a;b\"");
/// assert_eq!(split.completeness, Completeness::NoSemicolon);
/// ```
pub fn split_statements(text: &str) -> Split {
    let mut statements = Vec::new();
    let mut begun = None;
    let mut open_count: usize = 0;
    let mut at = 0;
    loop {
        at += trivia_bytes(&text[at..]);
        let token = token(text, at);
        if let Some(completeness) = completeness(&token.kind, begun, open_count) {
            let rest = Span::new(begun.unwrap_or(at), text.len());
            return Split {
                statements,
                rest,
                completeness,
            };
        }
        let end = token.span.end as usize;
        match token.symbol() {
            Some(Symbol::Semicolon) => {
                statements.extend(begun.take().map(|start| Span::new(start, end)));
                open_count = 0;
            }
            symbol => {
                begun.get_or_insert(at);
                open_count = match symbol {
                    Some(Symbol::OpenParen | Symbol::OpenBracket) => open_count + 1,
                    Some(Symbol::CloseParen | Symbol::CloseBracket) => open_count.saturating_sub(1),
                    Some(_) | None => open_count,
                };
            }
        }
        at = end;
    }
}

/// What the text lacks, if this token is its last.
fn completeness(last: &TokenKind, begun: Option<usize>, open_count: usize) -> Option<Completeness> {
    if let TokenKind::Bad(error) = last {
        let is_open = error.kind == ParseErrorKind::UnclosedQuote;
        return is_open.then_some(Completeness::OpenQuote);
    }
    match (last, begun) {
        (TokenKind::End, None) => Some(Completeness::Complete),
        (TokenKind::End, Some(_)) if open_count > 0 => Some(Completeness::OpenParenthesis),
        (TokenKind::End, Some(_)) => Some(Completeness::NoSemicolon),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
        let check = |text: &str, statements: &[&str], rest: &str, completeness: Completeness| {
            let split = split_statements(text);
            let found: Vec<&str> = split
                .statements
                .iter()
                .map(|span| &text[span.range()])
                .collect();
            assert_eq!(found, statements, "{text}");
            assert_eq!(&text[split.rest.range()], rest, "{text}");
            assert_eq!(split.completeness, completeness, "{text}");
        };
        check("", &[], "", Completeness::Complete);
        check(" \n-- a;b\n", &[], "", Completeness::Complete);
        check("a; b ;c", &["a;", "b ;"], "c", Completeness::NoSemicolon);
        check("a;;; ", &["a;"], "", Completeness::Complete);
        check("a \";\" b;", &["a \";\" b;"], "", Completeness::Complete);
        check("a -- ;\n b;", &["a -- ;\n b;"], "", Completeness::Complete);
        check("a \"b;", &[], "a \"b;", Completeness::OpenQuote);
        check("a (b", &[], "a (b", Completeness::OpenParenthesis);
        check("a[1", &[], "a[1", Completeness::OpenParenthesis);
        check("a (b; c", &["a (b;"], "c", Completeness::NoSemicolon);
        check("tag:85A; b", &["tag:85A;"], "b", Completeness::NoSemicolon);
        check(
            "a \"\\x;\"; b;",
            &["a \"\\x;\";", "b;"],
            "",
            Completeness::Complete,
        );
    }
}
