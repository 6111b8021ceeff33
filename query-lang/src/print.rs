//! Syntax tree → text.
//!
//! Knows how a tree is written: keywords in upper case, as few parentheses and quotes as the
//! grammar allows. Printing a tree that was parsed and parsing the text again gives the same
//! tree. Does not know how a text was laid out before.

mod behaviour;
mod define;
mod expr;
mod quote;
mod rule;
mod select;
mod statement;
mod upkeep;
mod value;

use std::fmt::{Display, Formatter, Result};

pub use quote::{NameIn, Quoted};

/// Writes items with a separator between them.
fn separated<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    separator: &str,
    mut write_item: impl FnMut(&mut Formatter<'_>, &T) -> Result,
) -> Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write_item(f, item)?;
    }
    Ok(())
}

/// Writes `a` or `(a, b)`.
fn one_or_paren_list<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    mut write_item: impl FnMut(&mut Formatter<'_>, &T) -> Result,
) -> Result {
    if let [item] = items {
        return write_item(f, item);
    }
    f.write_str("(")?;
    separated(f, items, ", ", write_item)?;
    f.write_str(")")
}

/// Writes a keyword and what it introduces, if there is something.
fn clause(f: &mut Formatter<'_>, keyword: &str, value: Option<impl Display>) -> Result {
    match value {
        Some(value) => write!(f, " {keyword} {value}"),
        None => Ok(()),
    }
}
