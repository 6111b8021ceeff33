#![expect(clippy::panic, reason = "a test fails by panicking")]

mod accepted;
mod labels;
mod limits;
mod refused;

use super::*;
use crate::error::ParseErrorKind;

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
