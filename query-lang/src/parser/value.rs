//! Values, texts, keys and numbers.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use crate::ast::{Parameter, Span, Spanned, Value};
use crate::error::Expected;
use crate::error::ParseError;
use crate::lexer::{TokenKind, is_relative_time};
use crate::name::Glob;

impl Cursor<'_> {
    /// A literal or a parameter.
    pub(super) fn value(&mut self) -> Parsed<Spanned<Value>> {
        let Some(value) = self.value_here()? else {
            self.expect(Expected::Value);
            return Err(self.unexpected_as_value());
        };
        Ok(Spanned::new(value, self.advance()))
    }

    /// The value that the token at this place is.
    fn value_here(&self) -> Parsed<Option<Value>> {
        let token = self.token();
        if matches!(token.kind, TokenKind::Word) {
            return Ok(Some(word_value(self.text_of(token))));
        }
        if let TokenKind::Integer(number) = token.kind {
            return match i64::try_from(number) {
                Ok(number) => Ok(Some(Value::Integer(number))),
                Err(_) => Err(invalid_value(
                    "a whole number has at most 64 bits",
                    token.span,
                )),
            };
        }
        Ok(token.kind.as_value())
    }

    /// The error where a value should stand.
    fn unexpected_as_value(&self) -> ParseError {
        let token = self.token();
        if matches!(token.kind, TokenKind::Pattern) {
            let hint = "patterns stand after tag: and LIKE; quote it if it is a value";
            return invalid_value("a pattern is not a value", token.span).with_hint(hint);
        }
        self.unexpected_as_name()
    }

    /// The high end of a range after its dots, if there is one. What could begin something
    /// else after an expression, a word or a quoted text, must touch the dots.
    pub(super) fn range_end(&mut self, dots: Span) -> Parsed<Option<Spanned<Value>>> {
        let token = self.token();
        let is_textual = matches!(
            token.kind,
            TokenKind::Word | TokenKind::Relative(_) | TokenKind::Quoted(_)
        );
        let is_range_end = if is_textual {
            token.span.start == dots.end
        } else {
            self.value_here()?.is_some()
                || matches!(token.kind, TokenKind::Duration(_) | TokenKind::Bad(_))
        };
        if is_range_end {
            self.value().map(Some)
        } else {
            Ok(None)
        }
    }

    /// A text, quoted or a bare word, or a parameter that holds one. A number is refused,
    /// because `007` and `7` are different texts.
    pub(super) fn text_or_parameter(&mut self, expected: Expected) -> Parsed<Spanned<Value>> {
        self.expect(expected);
        if let TokenKind::Parameter(parameter) = &self.token().kind {
            let value = Value::Parameter(parameter.clone());
            return Ok(Spanned::new(value, self.advance()));
        }
        let span = self.span();
        self.text_as(expected)
            .map(|text| Spanned::new(Value::Text(text), span))
    }

    /// A parameter, if one stands here.
    pub(super) fn take_parameter(&mut self) -> Option<Spanned<Parameter>> {
        if let TokenKind::Parameter(parameter) = &self.token().kind {
            let parameter = parameter.clone();
            return Some(Spanned::new(parameter, self.advance()));
        }
        None
    }

    /// A text, quoted or a bare word.
    pub(super) fn text(&mut self) -> Parsed<String> {
        self.text_as(Expected::Text)
    }

    fn text_as(&mut self, expected: Expected) -> Parsed<String> {
        self.expect(expected);
        let text = match (&self.token().kind, self.word_ahead(0)) {
            (TokenKind::Quoted(text), _) => text.clone(),
            (_, Some(word)) => word.to_owned(),
            (kind, None) if kind.is_literal() => {
                let token = self.token();
                return Err(invalid_value("this must be a text", token.span)
                    .with_hint(format!("quote it: \"{}\"", self.text_of(token))));
            }
            (_, None) => return Err(self.unexpected()),
        };
        self.advance();
        Ok(text)
    }

    /// A pattern, quoted or bare.
    pub(super) fn glob(&mut self) -> Parsed<Glob> {
        let span = self.span();
        let text = if matches!(self.token().kind, TokenKind::Pattern) {
            let pattern = self.text_of(self.token()).to_owned();
            self.advance();
            pattern
        } else {
            self.text()?
        };
        Glob::new(&text).map_err(|error| ParseError::new(error.into(), span))
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self) -> Parsed<Spanned<u64>> {
        self.expect(Expected::Number);
        let TokenKind::Integer(number) = self.token().kind else {
            return Err(self.unexpected());
        };
        let span = self.span();
        match u64::try_from(number) {
            Ok(number) => Ok(Spanned::new(number, self.advance())),
            Err(_) => Err(invalid_value(
                format!("this must be a number from 0 to {}", u64::MAX),
                span,
            )),
        }
    }

    /// How many of something: a whole number from one on.
    pub(super) fn quantity(&mut self) -> Parsed<Spanned<u64>> {
        let number = self.number()?;
        if number.node == 0 {
            return Err(invalid_value("this must be at least 1", number.span));
        }
        Ok(number)
    }
}

impl TokenKind {
    /// The value that a token carries; words and integers say theirs in another way.
    fn as_value(&self) -> Option<Value> {
        match self {
            Self::Quoted(text) => Some(Value::Text(text.clone())),
            Self::Decimal(decimal) => Some(Value::Decimal(*decimal)),
            Self::Date(date) => Some(Value::Date(*date)),
            Self::Timestamp(timestamp) => Some(Value::Timestamp(*timestamp)),
            Self::Relative(time) => Some(Value::Relative(*time)),
            Self::Parameter(parameter) => Some(Value::Parameter(parameter.clone())),
            Self::Word
            | Self::Integer(_)
            | Self::Pattern
            | Self::Duration(_)
            | Self::Symbol(_)
            | Self::Bad(_)
            | Self::End => None,
        }
    }

    /// Whether this is a number or a time.
    fn is_literal(&self) -> bool {
        matches!(
            self,
            Self::Integer(_)
                | Self::Decimal(_)
                | Self::Duration(_)
                | Self::Date(_)
                | Self::Timestamp(_)
                | Self::Relative(_)
        )
    }
}

/// What a bare word says where a value stands.
fn word_value(word: &str) -> Value {
    if word.eq_ignore_ascii_case("true") {
        Value::Boolean(true)
    } else if word.eq_ignore_ascii_case("false") {
        Value::Boolean(false)
    } else {
        Value::Text(word.to_owned())
    }
}

/// Whether a bare word means something else than its text where a value stands.
pub(crate) fn is_special_value(word: &str) -> bool {
    let words = ["true", "false", "missing", "present"];
    words
        .iter()
        .any(|special| special.eq_ignore_ascii_case(word))
        || is_relative_time(word)
}
