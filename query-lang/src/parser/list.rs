//! Lists between commas, and clauses in any order.

use super::Parsed;
use super::cursor::Cursor;
use crate::error::{ParseError, ParseErrorKind};
use crate::lexer::Symbol;

impl Cursor<'_> {
    /// One item or more with commas between them.
    pub(super) fn comma_list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take_symbol(Symbol::Comma).is_some() {
            self.check_list_len(items.len())?;
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `(a, b)`
    pub(super) fn paren_list<T>(
        &mut self,
        item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.symbol(Symbol::OpenParen)?;
        let items = self.comma_list(item)?;
        self.symbol(Symbol::CloseParen)?;
        Ok(items)
    }

    /// `a` or `(a, b)`
    pub(super) fn one_or_paren_list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        if self.is_symbol(Symbol::OpenParen) {
            return self.paren_list(item);
        }
        Ok(vec![item(self)?])
    }

    /// A clause that begins with a keyword and may be written once. Answers whether it stood
    /// here.
    pub(super) fn clause<T>(
        &mut self,
        keyword: &'static str,
        slot: &mut Option<T>,
        rest: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<Clause> {
        if slot.is_some() {
            // Not expected any more, but recognised for a better message.
            return match self.peek_keyword(keyword) {
                Some(span) => Err(ParseError::new(ParseErrorKind::Repeated(keyword), span)),
                None => Ok(Clause::Absent),
            };
        }
        if self.take_keyword(keyword).is_none() {
            return Ok(Clause::Absent);
        }
        *slot = Some(rest(self)?);
        Ok(Clause::Read)
    }
}

/// Whether a clause stood at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Read,
    Absent,
}

impl Clause {
    /// Tries the next kind of clause if this one was not there.
    pub(super) fn or_try(self, next: impl FnOnce() -> Parsed<Clause>) -> Parsed<Clause> {
        match self {
            Self::Read => Ok(Self::Read),
            Self::Absent => next(),
        }
    }
}
