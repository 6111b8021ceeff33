//! Names and texts, in quotes where they need them.

use std::fmt::{Display, Formatter, Result, Write};

use crate::keywords::Place;
use crate::lexer::is_bare_word;

/// A text in double quotes, with control characters escaped.
///
/// ```
/// use tessera_query_lang::print::Quoted;
/// assert_eq!(Quoted("a \"b\"\n").to_string(), r#""a \"b\"\n""#);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                control if control.is_control() => write!(f, "\\u{{{:x}}}", u32::from(control))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

/// A name as it is written at a place: bare if it can be, else in quotes.
///
/// ```
/// use tessera_query_lang::{keywords::Place, print::NameIn};
/// assert_eq!(NameIn(Place::Tag, "count").to_string(), "count");
/// assert_eq!(NameIn(Place::Attribute, "user").to_string(), "\"user\"");
/// assert_eq!(NameIn(Place::Tag, "85123A").to_string(), "\"85123A\"");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NameIn<'a>(pub Place, pub &'a str);

impl Display for NameIn<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self(place, text) = *self;
        if is_bare_word(text) && !place.reserves(text) {
            f.write_str(text)
        } else {
            Quoted(text).fmt(f)
        }
    }
}
