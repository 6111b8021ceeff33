//! What the lexer yields.

use jiff::{Timestamp, civil::Date};

use crate::ast::{Decimal, Parameter, Period, RelativeTime, Span};
use crate::error::ParseError;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// A token. What a word says is read from the text at its span.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// A keyword or a name.
    Word,
    /// A word with a `*` in it.
    Pattern,
    /// A quoted text, its escapes resolved.
    Quoted(String),
    /// A whole number, not yet checked for its range.
    Integer(i128),
    /// `1.50`
    Decimal(Decimal),
    /// `2026-11-23`
    Date(Date),
    /// `2026-11-23T10:00:00Z`
    Timestamp(Timestamp),
    /// `now-30d`: as a name, where only a name can stand, it is the word it looks like.
    Relative(RelativeTime),
    /// `30d`; nothing is known of its amount but that it fits.
    Duration(Period),
    /// `$1`, `$name`
    Parameter(Parameter),
    /// Punctuation or an operator.
    Symbol(Symbol),
    /// No token: the error is reported when parsing comes to it.
    Bad(Box<ParseError>),
    /// The end of the text.
    End,
}

impl Token {
    /// The symbol this token is.
    pub(crate) fn symbol(&self) -> Option<Symbol> {
        if let TokenKind::Symbol(symbol) = self.kind {
            Some(symbol)
        } else {
            None
        }
    }
}

macro_rules! symbols {
    ($($name:ident $text:literal)*) => {
        /// Punctuation and operators.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Symbol {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl Symbol {
            /// As it is written.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The symbol that is written so.
            pub(crate) fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

symbols! {
    OpenParen "("
    CloseParen ")"
    OpenBracket "["
    CloseBracket "]"
    Comma ","
    Colon ":"
    Semicolon ";"
    Equal "="
    NotEqual "!="
    Less "<"
    LessOrEqual "<="
    Greater ">"
    GreaterOrEqual ">="
    PlusEqual "+="
    MinusEqual "-="
    Dots ".."
    Dot "."
    Arrow "->"
    Percent "%"
}

impl Symbol {
    /// Whether it may follow an attribute's name in an expression.
    pub(crate) fn is_test(self) -> bool {
        let tests = [
            Self::Colon,
            Self::Equal,
            Self::NotEqual,
            Self::Less,
            Self::LessOrEqual,
            Self::Greater,
            Self::GreaterOrEqual,
        ];
        tests.contains(&self)
    }

    /// Whether it may follow a finished expression.
    pub(crate) fn is_end(self) -> bool {
        matches!(self, Self::CloseParen | Self::Comma | Self::Semicolon)
    }
}
