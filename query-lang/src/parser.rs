//! Tokens → syntax tree.
//!
//! Knows the grammar and the limits. Does not know whether a name is defined, what type an
//! attribute has, or what a parameter holds.
//!
//! The parser looks ahead by a few tokens and never goes back, so its time is linear in the
//! text. Every test for a token that fails leaves behind what was expected; the first place
//! where nothing fits is the error, and what was left behind there is its message.

mod behaviour;
mod cursor;
mod define;
mod event;
mod expr;
mod holding;
mod list;
mod logic;
mod measure;
mod rule;
mod select;
mod show;
mod statement;
mod time;
mod upkeep;
mod value;
mod write;

#[cfg(test)]
mod tests;

use crate::ast::{Expr, GroupRule, Statement};
use crate::error::{Expected, ParseError};
use crate::limits::Limits;
use crate::name::Name;
use cursor::Cursor;
pub(crate) use value::is_special_value;

/// What every rule of the grammar yields.
type Parsed<T> = Result<T, ParseError>;

/// Reads one statement, with or without a `;` at its end.
///
/// # Errors
/// Says what is wrong with the text and where. A text of more than one statement, and one of
/// none, is an error.
pub fn parse_statement(text: &str, limits: &Limits) -> Result<Statement, ParseError> {
    let mut cursor = Cursor::new(text, limits)?;
    let statement = cursor.statement()?;
    cursor.end_of_statement()?;
    Ok(statement)
}

/// Reads one expression: who, without what to do with them.
///
/// # Errors
/// Says what is wrong with the text and where. An empty text is an error, never "everyone".
pub fn parse_expr(text: &str, limits: &Limits) -> Result<Expr, ParseError> {
    let mut cursor = Cursor::new(text, limits)?;
    let expr = cursor.expr()?;
    cursor.end_of_statement()?;
    Ok(expr)
}

/// Reads the rule of a layered tag group: what stands after `AS` of `DEFINE GROUP`, and what a
/// [`GroupRule`] prints as.
///
/// # Errors
/// Says what is wrong with the text and where.
pub fn parse_group_rule(text: &str, limits: &Limits) -> Result<GroupRule, ParseError> {
    let mut cursor = Cursor::new(text, limits)?;
    let rule = cursor.group_rule()?;
    cursor.end_of_statement()?;
    Ok(rule)
}

/// What may follow a text that is the beginning of a statement, and the attribute named last
/// in it; nothing when it is not the beginning of one.
pub(crate) fn expected_after(text: &str, limits: &Limits) -> (Vec<Expected>, Option<Name>) {
    let Ok(mut cursor) = Cursor::new(text, limits) else {
        return (Vec::new(), None);
    };
    let parsed = cursor.statement().and_then(|_| cursor.end_of_statement());
    // The end of the text is the only place that can go on.
    if parsed.is_ok() || cursor.is_at_end() {
        (cursor.expected(), cursor.attribute_before().cloned())
    } else {
        (Vec::new(), None)
    }
}
