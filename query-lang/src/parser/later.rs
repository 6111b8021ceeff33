//! What the language has room for and a later version answers.
//!
//! These forms are recognised, so that their users read "not available yet" and not a riddle
//! about a missing colon.

use super::Parsed;
use super::cursor::Cursor;
use crate::ast::Span;
use crate::error::{ParseError, ParseErrorKind};
use crate::keywords::{BEHAVIOUR_FUNCTIONS, STATEMENTS_LATER};
use crate::lexer::{Symbol, TokenKind};

impl Cursor<'_> {
    /// Refuses `did:purchase[30d]` and `count(purchase, 30d)` at this place.
    pub(super) fn refuse_behaviours(&self) -> Parsed<()> {
        let Some(word) = self.word_ahead(0) else {
            return Ok(());
        };
        let next = self.ahead(1).symbol();
        if word.eq_ignore_ascii_case("did") && next == Some(Symbol::Colon) {
            let end = match self.ahead(3).symbol() {
                Some(Symbol::OpenBracket) => self.closing_ahead(3),
                _ => self.ahead(2).span,
            };
            return Err(not_yet("behaviours", self.span().to(end)));
        }
        let is_function = BEHAVIOUR_FUNCTIONS
            .iter()
            .any(|name| name.eq_ignore_ascii_case(word));
        if is_function && next == Some(Symbol::OpenParen) {
            return Err(self.behaviour_measure());
        }
        Ok(())
    }

    /// The error for the function call at this place.
    pub(super) fn behaviour_measure(&self) -> ParseError {
        not_yet("behaviour measures", self.span().to(self.closing_ahead(1)))
    }

    /// Refuses `[since >= now-7d]` after a tag.
    pub(super) fn refuse_holding(&self) -> Parsed<()> {
        if self.is_symbol(Symbol::OpenBracket) {
            let span = self.span().to(self.closing_ahead(0));
            return Err(not_yet("conditions on how a tag is held", span));
        }
        Ok(())
    }

    /// Refuses `TRACK …` and `WHY …` at the beginning of a statement.
    pub(super) fn refuse_later_statement(&self) -> Parsed<()> {
        let Some(word) = self.word_ahead(0) else {
            return Ok(());
        };
        match STATEMENTS_LATER
            .iter()
            .find(|name| name.eq_ignore_ascii_case(word))
        {
            Some(&"TRACK") => Err(not_yet("TRACK statements", self.span())),
            Some(_) => Err(not_yet("WHY statements", self.span())),
            None => Ok(()),
        }
    }

    /// Refuses `DEFINE BEHAVIOUR …` and its like after the first word.
    pub(super) fn refuse_behaviour_kind(&self) -> Parsed<()> {
        let kinds = ["BEHAVIOUR", "BEHAVIOURS", "BEHAVIOR", "BEHAVIORS"];
        if kinds.iter().any(|kind| self.is_keyword_ahead(0, kind)) {
            return Err(not_yet("behaviours", self.span()));
        }
        Ok(())
    }

    /// Where the bracket that opens `count` places on is closed; the last token if it is not.
    fn closing_ahead(&self, count: usize) -> Span {
        let mut depth: usize = 0;
        let mut at = count;
        loop {
            let token = self.ahead(at);
            match token.symbol() {
                Some(Symbol::OpenParen | Symbol::OpenBracket) => depth += 1,
                Some(Symbol::CloseParen | Symbol::CloseBracket) => depth = depth.saturating_sub(1),
                Some(_) | None => {}
            }
            if depth == 0 || matches!(token.kind, TokenKind::End | TokenKind::Bad(_)) {
                return token.span;
            }
            at += 1;
        }
    }
}

fn not_yet(feature: &'static str, span: Span) -> ParseError {
    ParseError::new(ParseErrorKind::NotAvailableYet(feature), span)
}
