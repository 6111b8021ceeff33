//! Measures, and the conditions on them.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use crate::ast::{Having, Measure, Spanned};
use crate::error::{Expected, NameKind};
use crate::keywords::{BEHAVIOUR_FUNCTIONS, Place};
use crate::lexer::{Symbol, TokenKind};
use crate::name::Name;

/// How a measure of one attribute is made.
type MeasureOf = fn(Spanned<Name>) -> Measure;

impl Having {
    /// `count >= 10`
    pub(super) fn read_leaf(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        cursor.count_leaf()?;
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
            _ => return self.percentile_or_refusal(function),
        };
        self.measured_attribute(make)
    }

    fn percentile_or_refusal(&mut self, function: &str) -> Parsed<Spanned<Measure>> {
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
        if BEHAVIOUR_FUNCTIONS.contains(&function) && !is_bare_count {
            return Err(self.behaviour_measure());
        }
        let error = self.unexpected();
        Err(if is_bare_count {
            error.with_hint("write count without parentheses")
        } else {
            error
        })
    }

    /// `(f)` after the word at this place
    fn measured_attribute(
        &mut self,
        make: impl FnOnce(Spanned<Name>) -> Measure,
    ) -> Parsed<Spanned<Measure>> {
        if self.ahead(3).symbol() == Some(Symbol::Comma) {
            return Err(self.behaviour_measure());
        }
        let start = self.advance();
        self.symbol(Symbol::OpenParen)?;
        let attribute = self.name(NameKind::Attribute, Place::Plain)?;
        let end = self.symbol(Symbol::CloseParen)?;
        Ok(Spanned::new(make(attribute), start.to(end)))
    }
}
