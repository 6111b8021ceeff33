//! Lengths of time, windows, and tests of numbers and moments.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use crate::ast::{Comparison, Period, RangeTest, Spanned, Value, Window};
use crate::error::{Expected, ParseError, ParseErrorKind};
use crate::lexer::{Symbol, TokenKind};

impl Cursor<'_> {
    /// `30d`
    pub(super) fn period(&mut self) -> Parsed<Spanned<Period>> {
        self.expect(Expected::Period);
        let TokenKind::Duration(period) = self.token().kind else {
            return Err(self
                .unexpected_as_period()
                .unwrap_or_else(|| self.unexpected()));
        };
        let span = self.span();
        if period.amount == 0 {
            return Err(invalid_value("this must be at least 1", span));
        }
        Ok(Spanned::new(period, self.advance()))
    }

    /// The error where a length of time should stand, if there is a number without a unit or
    /// with an unknown one.
    fn unexpected_as_period(&self) -> Option<ParseError> {
        let token = self.token();
        let is_number = matches!(token.kind, TokenKind::Integer(_))
            || matches!(&token.kind, TokenKind::Bad(error)
                if matches!(error.kind, ParseErrorKind::NameBeginsWithDigit));
        is_number.then(|| {
            invalid_value("a length of time needs a unit after its number", token.span)
                .with_hint("the units are s m h d w mo y, as in 30d")
        })
    }

    /// Whether a window, and neither a name nor a value, begins here.
    pub(super) fn is_window(&self) -> bool {
        let token = self.token();
        match token.kind {
            TokenKind::Duration(_) | TokenKind::Date(_) => true,
            TokenKind::Relative(_) | TokenKind::Parameter(_) => {
                self.ahead(1).symbol() == Some(Symbol::Dots)
            }
            TokenKind::Symbol(symbol) => symbol == Symbol::Dots,
            TokenKind::Word
            | TokenKind::Pattern
            | TokenKind::Quoted(_)
            | TokenKind::Integer(_)
            | TokenKind::Decimal(_)
            | TokenKind::Timestamp(_)
            | TokenKind::Bad(_)
            | TokenKind::End => false,
        }
    }

    /// `30d`, `2026-01-01..2026-01-31`
    pub(super) fn window(&mut self) -> Parsed<Spanned<Window>> {
        self.expect(Expected::Window);
        if matches!(self.token().kind, TokenKind::Duration(_)) {
            let period = self.period()?;
            return Ok(Spanned::new(Window::Last(period.node), period.span));
        }
        let start = self.span();
        let first = self.day()?;
        if first.is_none() && !self.is_symbol(Symbol::Dots) {
            let hint = "a window is a period such as 30d, or days such as 2026-01-01..2026-01-31";
            let error = self.unexpected_as_period();
            return Err(error.unwrap_or_else(|| self.unexpected().with_hint(hint)));
        }
        self.symbol(Symbol::Dots)?;
        let last = self.day()?;
        if first.is_none() && last.is_none() {
            self.expect(Expected::Value);
            return Err(self.unexpected());
        }
        let span = start.to(self.end_of_previous());
        Ok(Spanned::new(Window::Between { first, last }, span))
    }

    /// A day of a window, if one stands here.
    fn day(&mut self) -> Parsed<Option<Spanned<Value>>> {
        let is_day = matches!(
            self.token().kind,
            TokenKind::Date(_) | TokenKind::Relative(_) | TokenKind::Parameter(_)
        );
        if is_day {
            self.value().map(Some)
        } else {
            Ok(None)
        }
    }

    /// `, 30d`, if a comma stands here.
    pub(super) fn window_after_comma(&mut self) -> Parsed<Option<Spanned<Window>>> {
        match self.take_symbol(Symbol::Comma) {
            Some(_) => self.window().map(Some),
            None => Ok(None),
        }
    }

    /// `>= 3`, `:3..5`
    pub(super) fn range_test(&mut self) -> Parsed<RangeTest> {
        if self.take_symbol(Symbol::Colon).is_some() {
            let (low, high) = self.value_or_range()?;
            return Ok(match (low, high) {
                (Some(value), RangeEnd::None) => RangeTest::Compare(Comparison::Equal, value),
                (low, RangeEnd::None | RangeEnd::Open) => RangeTest::Between { low, high: None },
                (low, RangeEnd::At(high)) => RangeTest::Between {
                    low,
                    high: Some(high),
                },
            });
        }
        match self.take_comparison() {
            Some(comparison) => {
                self.refuse_presence_as_value()?;
                Ok(RangeTest::Compare(comparison, self.value()?))
            }
            None => Err(self.unexpected()),
        }
    }

    /// `3`, `3..5`, `3..`, `..5`
    pub(super) fn value_or_range(&mut self) -> Parsed<(Option<Spanned<Value>>, RangeEnd)> {
        if self.take_symbol(Symbol::Dots).is_some() {
            return Ok((None, RangeEnd::At(self.value()?)));
        }
        let low = self.value()?;
        let Some(dots) = self.take_symbol(Symbol::Dots) else {
            return Ok((Some(low), RangeEnd::None));
        };
        let end = match self.range_end(dots)? {
            Some(high) => RangeEnd::At(high),
            None => RangeEnd::Open,
        };
        Ok((Some(low), end))
    }
}

/// What stands after the first value of what may be a range.
pub(super) enum RangeEnd {
    /// No dots: it is no range.
    None,
    /// Dots and nothing more.
    Open,
    /// The last value.
    At(Spanned<Value>),
}
