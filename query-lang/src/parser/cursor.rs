//! A place among the tokens, and what was expected there.

use crate::ast::{Span, Spanned};
use crate::error::{Expected, Found, NameKind, ParseError, ParseErrorKind};
use crate::keywords::{Place, STATEMENTS};
use crate::lexer::{Symbol, Token, TokenKind, is_bare_word, tokens};
use crate::limits::{Limit, Limits};
use crate::name::Name;
use crate::suggest;

use super::Parsed;

/// The most characters of a token that an error message repeats.
const FOUND_CHARS_MAX: usize = 40;

/// A place among the tokens of a text.
pub(super) struct Cursor<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    /// What could have stood at this place, as far as it was asked for.
    expected: Vec<Expected>,
    /// The attribute that was named last: a value that is due is one of its values.
    attribute: Option<Name>,
    limits: &'t Limits,
    depth: usize,
    leaves: usize,
}

impl<'t> Cursor<'t> {
    /// The first token of a text that is not too long.
    pub(super) fn new(text: &'t str, limits: &'t Limits) -> Parsed<Self> {
        let max = limits.text_bytes_max.min(u32::MAX as usize);
        if text.len() > max {
            let kind = ParseErrorKind::Limit {
                limit: Limit::TextBytes,
                max,
            };
            return Err(ParseError::new(kind, Span::default()));
        }
        Ok(Self {
            text,
            tokens: tokens(text),
            at: 0,
            expected: Vec::new(),
            attribute: None,
            limits,
            depth: 0,
            leaves: 0,
        })
    }

    /// The token at this place. The lexer closes every text with a token that is never
    /// passed, so there always is one.
    pub(super) fn token(&self) -> &Token {
        self.ahead(0)
    }

    /// The token `count` places on, or the last one.
    pub(super) fn ahead(&self, count: usize) -> &Token {
        &self.tokens[(self.at + count).min(self.tokens.len() - 1)]
    }

    /// Where the token at this place stands.
    pub(super) fn span(&self) -> Span {
        self.token().span
    }

    /// The text of a token.
    pub(super) fn text_of(&self, token: &Token) -> &'t str {
        &self.text[token.span.range()]
    }

    /// Goes on to the next token and says where the passed one stands.
    pub(super) fn advance(&mut self) -> Span {
        let span = self.span();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
            self.expected.clear();
        }
        span
    }

    /// Where the token before this place ends.
    pub(super) fn end_of_previous(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    /// Whether all of the text was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.token().kind == TokenKind::End
    }

    /// What could stand at this place, as far as it was asked for.
    pub(super) fn expected(&self) -> Vec<Expected> {
        self.expected.clone()
    }

    /// The attribute that was named last.
    pub(super) fn attribute_before(&self) -> Option<&Name> {
        self.attribute.as_ref()
    }

    /// Remembers the attribute whose values may follow.
    pub(super) fn remember_attribute(&mut self, name: &Name) {
        self.attribute = Some(name.clone());
    }

    /// Forgets it: values that follow are of something else.
    pub(super) fn forget_attribute(&mut self) {
        self.attribute = None;
    }

    /// Leaves behind what could stand at this place.
    pub(super) fn expect(&mut self, expected: Expected) {
        if !self.expected.contains(&expected) {
            self.expected.push(expected);
        }
    }

    /// Whether this symbol stands here.
    pub(super) fn is_symbol(&self, symbol: Symbol) -> bool {
        self.token().symbol() == Some(symbol)
    }

    /// Passes this symbol if it stands here.
    pub(super) fn take_symbol(&mut self, symbol: Symbol) -> Option<Span> {
        if self.is_symbol(symbol) {
            return Some(self.advance());
        }
        self.expect(Expected::Symbol(symbol.as_str()));
        None
    }

    /// Passes this symbol, which must stand here.
    pub(super) fn symbol(&mut self, symbol: Symbol) -> Parsed<Span> {
        self.take_symbol(symbol).ok_or_else(|| self.unexpected())
    }

    /// The word `count` places on, if it is one and not quoted.
    pub(super) fn word_ahead(&self, count: usize) -> Option<&'t str> {
        let token = self.ahead(count);
        let text = self.text_of(token);
        // A time such as `now-30d` is a word too; `now+30d` is not.
        let is_word = matches!(token.kind, TokenKind::Word)
            || matches!(token.kind, TokenKind::Relative(_)) && is_bare_word(text);
        is_word.then_some(text)
    }

    /// Whether this keyword stands `count` places on.
    pub(super) fn is_keyword_ahead(&self, count: usize, keyword: &str) -> bool {
        self.word_ahead(count)
            .is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    /// Where a keyword of one word or more stands, if all of it stands here.
    pub(super) fn peek_keyword(&self, keyword: &str) -> Option<Span> {
        let mut last = self.span();
        for (index, word) in keyword.split(' ').enumerate() {
            if !self.is_keyword_ahead(index, word) {
                return None;
            }
            last = self.ahead(index).span;
        }
        Some(self.span().to(last))
    }

    /// Passes a keyword of one word or more if all of it stands here.
    pub(super) fn take_keyword(&mut self, keyword: &'static str) -> Option<Span> {
        let span = self.peek_keyword(keyword);
        match span {
            Some(_) => keyword.split(' ').for_each(|_| {
                self.advance();
            }),
            None => self.expect(Expected::Keyword(keyword)),
        }
        span
    }

    /// Passes this keyword, which must stand here.
    pub(super) fn keyword(&mut self, keyword: &'static str) -> Parsed<Span> {
        self.take_keyword(keyword).ok_or_else(|| self.unexpected())
    }

    /// A name, bare or quoted. Words that the place reserves must be quoted.
    pub(super) fn name(&mut self, kind: NameKind, place: Place) -> Parsed<Spanned<Name>> {
        self.expect(Expected::Name(kind));
        let span = self.span();
        if let TokenKind::Quoted(text) = &self.token().kind {
            let name = Name::new(text).map_err(|error| ParseError::new(error.into(), span))?;
            self.advance();
            return Ok(Spanned::new(name, span));
        }
        let Some(word) = self.word_ahead(0) else {
            return Err(self.unexpected_as_name());
        };
        if place.reserves(word) {
            return Err(self.reserved_word(word));
        }
        let name = Name::new(word).map_err(|error| ParseError::new(error.into(), span))?;
        self.advance();
        Ok(Spanned::new(name, span))
    }

    /// The error where a reserved word stands in the place of a name.
    pub(super) fn reserved_word(&self, word: &str) -> ParseError {
        self.unexpected()
            .with_hint(format!("quote it if it is a name: \"{word}\""))
    }

    /// The error where a name should stand: a number there is probably a name without quotes.
    pub(super) fn unexpected_as_name(&self) -> ParseError {
        let token = self.token();
        let is_number = matches!(
            token.kind,
            TokenKind::Integer(_)
                | TokenKind::Decimal(_)
                | TokenKind::Duration(_)
                | TokenKind::Date(_)
                | TokenKind::Timestamp(_)
        );
        if is_number {
            return ParseError::new(ParseErrorKind::NameBeginsWithDigit, token.span)
                .with_hint(format!("quote it: \"{}\"", self.text_of(token)));
        }
        self.unexpected()
    }

    /// The error at this place: what was expected, what stands there, and what was meant.
    pub(super) fn unexpected(&self) -> ParseError {
        let token = self.token();
        if let TokenKind::Bad(error) = &token.kind {
            return (**error).clone();
        }
        let found = if token.kind == TokenKind::End {
            Found::End
        } else {
            Found::Text(shortened(self.text_of(token)))
        };
        let kind = ParseErrorKind::Syntax {
            expected: self.expected.clone(),
            found,
        };
        ParseError {
            kind,
            span: token.span,
            hint: self.guess(),
        }
    }

    /// The expected keywords that the word at this place looks like.
    fn guess(&self) -> Option<String> {
        let word = self.word_ahead(0)?;
        let keywords = self.expected.iter().flat_map(Expected::keywords);
        let candidates = keywords
            .map(|keyword| keyword.trim_end_matches(['(', ':']))
            .filter(|keyword| !keyword.eq_ignore_ascii_case(word));
        suggest::did_you_mean(&suggest::nearest(word, candidates))
    }

    /// Nothing may follow but one `;`.
    pub(super) fn end_of_statement(&mut self) -> Parsed<()> {
        if self.take_symbol(Symbol::Semicolon).is_some() && !self.is_at_end() {
            self.expect(Expected::End);
            let starts_statement = self.word_ahead(0).is_some_and(|word| {
                STATEMENTS
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(word))
            });
            let error = self.unexpected();
            return Err(if starts_statement {
                error.with_hint("send one statement at a time")
            } else {
                error
            });
        }
        if self.is_at_end() {
            return Ok(());
        }
        self.expect(Expected::End);
        Err(self.unexpected())
    }

    /// Goes one level deeper for the time of `inner`.
    pub(super) fn nested<T>(
        &mut self,
        span: Span,
        inner: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        if self.depth >= self.limits.depth_max {
            let kind = ParseErrorKind::Limit {
                limit: Limit::Depth,
                max: self.limits.depth_max,
            };
            return Err(ParseError::new(kind, span));
        }
        self.depth += 1;
        let parsed = inner(self);
        self.depth -= 1;
        parsed
    }

    /// Counts one more leaf.
    pub(super) fn count_leaf(&mut self) -> Parsed<()> {
        self.leaves += 1;
        if self.leaves > self.limits.leaves_max {
            let kind = ParseErrorKind::Limit {
                limit: Limit::Leaves,
                max: self.limits.leaves_max,
            };
            return Err(ParseError::new(kind, self.span()));
        }
        Ok(())
    }

    /// Refuses one more of what there is `count` of already.
    pub(super) fn check_count(&self, limit: Limit, count: usize) -> Parsed<()> {
        let max = self.limits.max(limit);
        if count >= max {
            let kind = ParseErrorKind::Limit { limit, max };
            return Err(ParseError::new(kind, self.span()));
        }
        Ok(())
    }

    /// The most steps from an inviter down.
    pub(super) fn descent_max(&self) -> u32 {
        self.limits.descent_max
    }

    /// Refuses another entry of a list that has `len` already.
    pub(super) fn check_list_len(&self, len: usize) -> Parsed<()> {
        self.check_count(Limit::ListLength, len)
    }
}

/// An error about a value that has the right shape.
pub(super) fn invalid_value(message: impl Into<String>, span: Span) -> ParseError {
    ParseError::new(ParseErrorKind::InvalidValue(message.into()), span)
}

/// The beginning of a text, fit for a message of one line.
fn shortened(text: &str) -> String {
    let ellipsis = if text.chars().nth(FOUND_CHARS_MAX).is_some() {
        "…"
    } else {
        ""
    };
    let shown = text.chars().take(FOUND_CHARS_MAX);
    let shown: String = shown
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    shown + ellipsis
}
