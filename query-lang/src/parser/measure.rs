//! Measures, and the conditions on them.

use super::Parsed;
use super::behaviour::is_measure;
use super::cursor::{Cursor, invalid_value};
use crate::ast::{Having, Measure, Spanned};
use crate::error::{Expected, NameKind};
use crate::keywords::Place;
use crate::lexer::{Symbol, TokenKind};
use crate::name::Name;

/// How a measure of one attribute is made.
type MeasureOf = fn(Spanned<Name>) -> Measure;

impl Having {
    /// `count >= 10`
    pub(super) fn read_leaf(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        cursor.count_leaf()?;
        cursor.forget_attribute();
        let measure = cursor.measure()?;
        let Some(comparison) = cursor.take_comparison() else {
            return Err(cursor.unexpected());
        };
        Ok(Self::Compare(measure, comparison, cursor.value()?))
    }
}

impl Cursor<'_> {
    /// `count`, `share`, `sum(f)`, `p50(f)` and their like
    pub(super) fn measure(&mut self) -> Parsed<Spanned<Measure>> {
        self.expect(Expected::Measure);
        let Some(word) = self.word_ahead(0) else {
            return Err(self.unexpected());
        };
        if self.ahead(1).symbol() == Some(Symbol::OpenParen) {
            return self.measure_call(&word.to_ascii_lowercase());
        }
        if word.eq_ignore_ascii_case("users") {
            return Ok(Spanned::new(Measure::Users, self.advance()));
        }
        let measure = if word.eq_ignore_ascii_case("count") {
            Measure::Count
        } else if word.eq_ignore_ascii_case("share") {
            Measure::Share
        } else {
            return Err(self.unexpected());
        };
        Ok(Spanned::new(measure, self.advance()))
    }

    /// A measure of an attribute. What looks like one of a behaviour is told apart.
    fn measure_call(&mut self, function: &str) -> Parsed<Spanned<Measure>> {
        let make: MeasureOf = match function {
            "sum" => Measure::Sum,
            "avg" => Measure::Average,
            "min" => Measure::Min,
            "max" => Measure::Max,
            _ => return self.percentile_or_events(function),
        };
        if self.is_of_events() {
            return self.measure_of_events();
        }
        self.measured_attribute(make)
    }

    fn percentile_or_events(&mut self, function: &str) -> Parsed<Spanned<Measure>> {
        let digits = function.strip_prefix('p').unwrap_or_default();
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return match digits.parse::<u8>() {
                Ok(percent) if percent <= 100 => {
                    self.measured_attribute(|attribute| Measure::Percentile(percent, attribute))
                }
                Ok(_) | Err(_) => Err(invalid_value(
                    "a percentile is one of p0 to p100",
                    self.span(),
                )),
            };
        }
        let is_bare_count = function == "count"
            && (matches!(self.ahead(2).kind, TokenKind::Pattern)
                || self.ahead(2).symbol() == Some(Symbol::CloseParen));
        if is_bare_count {
            return Err(self
                .unexpected()
                .with_hint("write count without parentheses"));
        }
        if is_measure(function) {
            return self.measure_of_events();
        }
        Err(self.unexpected())
    }

    /// `count(purchase, 90d)`, `sum(purchase.amount, 90d)`
    fn measure_of_events(&mut self) -> Parsed<Spanned<Measure>> {
        let start = self.span();
        let measure = self.event_measure()?;
        let span = start.to(self.end_of_previous());
        Ok(Spanned::new(Measure::Events(Box::new(measure)), span))
    }

    /// Whether what stands in the parenthesis cannot be an attribute's name.
    fn is_of_events(&self) -> bool {
        let is_name =
            self.word_ahead(2).is_some() || matches!(self.ahead(2).kind, TokenKind::Quoted(_));
        let after = self.ahead(3).symbol();
        let goes_on = [Symbol::Comma, Symbol::Dot, Symbol::OpenBracket];
        let is_parameter = matches!(self.ahead(2).kind, TokenKind::Parameter(_));
        is_parameter
            || self.is_cut_ahead(2)
            || is_name && after.is_some_and(|symbol| goes_on.contains(&symbol))
    }

    /// `(f)` after the word at this place
    fn measured_attribute(
        &mut self,
        make: impl FnOnce(Spanned<Name>) -> Measure,
    ) -> Parsed<Spanned<Measure>> {
        let start = self.advance();
        self.symbol(Symbol::OpenParen)?;
        let attribute = self.name(NameKind::Attribute, Place::Plain)?;
        let end = self.symbol(Symbol::CloseParen)?;
        Ok(Spanned::new(make(attribute), start.to(end)))
    }
}
