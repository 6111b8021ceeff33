//! Why a text is not a statement.
//!
//! Knows what was expected and where. Does not know how an error is shown: that is
//! [`crate::render()`].

use std::fmt;

use crate::ast::Span;
use crate::keywords;
use crate::limits::Limit;
use crate::name::NameError;

/// Why a text is not a statement, and where it stops being one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// The place, within the text and on the borders of characters.
    pub span: Span,
    /// What to write instead, if that can be guessed.
    pub hint: Option<String>,
}

impl ParseError {
    /// An error without a hint.
    pub fn new(kind: ParseErrorKind, span: Span) -> Self {
        Self {
            kind,
            span,
            hint: None,
        }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message, the place in the text with a caret under it, and the hint.
    pub fn render(&self, text: &str) -> String {
        crate::render(text, self.span, &self.to_string(), self.hint.as_deref())
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// Something else should stand here.
    #[error("expected {}, found {found}", Alternatives(.expected))]
    Syntax {
        /// What could stand here, without repetition.
        expected: Vec<Expected>,
        /// What does.
        found: Found,
    },
    /// A character that begins nothing in this language.
    #[error("unexpected character {}", Shown(*.0))]
    UnexpectedCharacter(char),
    /// A quoted text without its closing quote.
    #[error("this quoted text is not closed")]
    UnclosedQuote,
    /// A backslash and something that is not an escape.
    #[error("unknown escape in a quoted text")]
    UnknownEscape,
    /// More than a [`crate::Limits`] allows.
    #[error("this has more than {max} {limit}")]
    Limit {
        /// Which limit.
        limit: Limit,
        /// Its value.
        max: usize,
    },
    /// A name that cannot be one.
    #[error("{0}")]
    InvalidName(#[from] NameError),
    /// A bare name that begins like a number.
    #[error("a name cannot begin with a digit")]
    NameBeginsWithDigit,
    /// A value of the right shape that means nothing, or not here.
    #[error("{0}")]
    InvalidValue(String),
    /// A clause that may be written once.
    #[error("{0} is written twice")]
    Repeated(&'static str),
}

/// What could stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A keyword, in upper case.
    Keyword(&'static str),
    /// A punctuation mark or an operator.
    Symbol(&'static str),
    /// A name of this kind.
    Name(NameKind),
    /// The beginning of a statement.
    Statement,
    /// The beginning of an expression.
    Expression,
    /// A measure, such as `count` or `sum(spend)`.
    Measure,
    /// `=`, `!=`, `<`, `<=`, `>` or `>=`
    Comparison,
    /// A literal or a parameter.
    Value,
    /// A window of time, such as `30d` or `2026-01-01..2026-01-31`.
    Window,
    /// A length of time, such as `30d`.
    Period,
    /// A user's key, or a parameter that holds it.
    Key,
    /// A cursor, or a parameter that holds it.
    Cursor,
    /// A text in quotes.
    Text,
    /// A whole number.
    Number,
    /// `;` or nothing more.
    End,
}

impl Expected {
    /// The keywords that may stand where this is expected.
    pub fn keywords(&self) -> Vec<&'static str> {
        match self {
            Self::Keyword(keyword) => vec![keyword],
            Self::Statement => keywords::STATEMENTS.to_vec(),
            Self::Expression => keywords::EXPRESSION.to_vec(),
            Self::Measure => keywords::MEASURES.to_vec(),
            Self::Symbol(_)
            | Self::Name(_)
            | Self::Comparison
            | Self::Value
            | Self::Window
            | Self::Period
            | Self::Key
            | Self::Cursor
            | Self::Text
            | Self::Number
            | Self::End => Vec::new(),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword(keyword) => f.write_str(keyword),
            Self::Symbol(symbol) => write!(f, "`{symbol}`"),
            Self::Name(kind) => write!(f, "the name of {kind}"),
            Self::Statement => f.write_str("a statement such as COUNT, SEGMENT or DIMENSION"),
            Self::Expression => f.write_str("an expression such as tag:vip or age >= 18"),
            Self::Measure => f.write_str("a measure such as count or sum(spend)"),
            Self::Comparison => f.write_str("a comparison"),
            Self::Value => f.write_str("a value"),
            Self::Window => f.write_str("a window such as 30d"),
            Self::Period => f.write_str("a length of time such as 30d"),
            Self::Key => f.write_str("a user's key in quotes"),
            Self::Cursor => f.write_str("a cursor in quotes"),
            Self::Text => f.write_str("a text in quotes"),
            Self::Number => f.write_str("a whole number"),
            Self::End => f.write_str("the end of the statement"),
        }
    }
}

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A tag.
    Tag,
    /// A tag group.
    Group,
    /// An attribute.
    Attribute,
    /// A saved segment.
    Segment,
    /// An event.
    Event,
    /// A property of an event.
    Property,
    /// A form.
    Form,
    /// A field of a form.
    Field,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag => "a tag",
            Self::Group => "a tag group",
            Self::Attribute => "an attribute",
            Self::Segment => "a segment",
            Self::Event => "an event",
            Self::Property => "a property",
            Self::Form => "a form",
            Self::Field => "a field",
        })
    }
}

/// What stands where something else was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The end of the text.
    End,
    /// This piece of the text, shortened if long.
    Text(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("the end of the text"),
            Self::Text(text) => write!(f, "`{text}`"),
        }
    }
}

/// `a, b or c`
struct Alternatives<'a>(&'a [Expected]);

impl fmt::Display for Alternatives<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, expected) in self.0.iter().enumerate() {
            let separator = match index {
                0 => "",
                last if last + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{separator}{expected}")?;
        }
        Ok(())
    }
}

/// A character as it is, or its code where a terminal would not show it.
struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_control() {
            write!(f, "U+{:04X}", u32::from(self.0))
        } else {
            write!(f, "`{}`", self.0)
        }
    }
}
