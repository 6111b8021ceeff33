//! The statements that ask: `COUNT`, `SEGMENT`, `DIMENSION` and their company.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use super::list::Clause;
use crate::ast::{
    CalendarUnit, Decimal, Dim, Dimension, DimensionOrder, Direction, ExplainMode, Expr, Field,
    Sample, Segment, Spanned, Statement,
};
use crate::error::{Expected, NameKind, ParseError};
use crate::keywords::Place;
use crate::lexer::{Symbol, TokenKind};
use crate::name::Name;

impl Cursor<'_> {
    /// What stands after `COUNT`.
    pub(super) fn count(&mut self) -> Parsed<Statement> {
        self.expr().map(Statement::Count)
    }

    /// What stands after `SEGMENT`.
    pub(super) fn segment(&mut self) -> Parsed<Statement> {
        let filter = self.expr()?;
        let (mut returns, mut order, mut sample, mut limit) = (None, None, None, None);
        loop {
            let found = self
                .clause("RETURN", &mut returns, |cursor| {
                    cursor.comma_list(Self::returned_field)
                })?
                .or_try(|| {
                    self.clause("ORDER BY", &mut order, |cursor| {
                        cursor.comma_list(|cursor| cursor.directed(Self::order_field))
                    })
                })?
                .or_try(|| self.clause("SAMPLE", &mut sample, Self::sample))?
                .or_try(|| self.clause("LIMIT", &mut limit, Self::quantity))?;
            if found == Clause::Absent {
                break;
            }
        }
        Ok(Statement::Segment(Segment {
            filter,
            returns: returns.unwrap_or_default(),
            order: order.unwrap_or_default(),
            sample,
            limit,
        }))
    }

    /// Something to order by, and which way.
    fn directed<T>(&mut self, item: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<(T, Direction)> {
        let item = item(self)?;
        if self.take_keyword("DESC").is_some() {
            return Ok((item, Direction::Descending));
        }
        // Ascending is what not writing it means as well.
        let _ = self.take_keyword("ASC");
        Ok((item, Direction::Ascending))
    }

    fn returned_field(&mut self) -> Parsed<Spanned<Field>> {
        if let Some(span) = self.take_keyword("TAGS") {
            return Ok(Spanned::new(Field::Tags, span));
        }
        self.key_or_attribute()
    }

    fn order_field(&mut self) -> Parsed<Spanned<Field>> {
        if self.is_keyword_ahead(0, "TAGS") {
            let hint = "quote it if it is an attribute: \"tags\"";
            return Err(
                invalid_value("users cannot be ordered by their tags", self.span()).with_hint(hint),
            );
        }
        self.key_or_attribute()
    }

    fn key_or_attribute(&mut self) -> Parsed<Spanned<Field>> {
        if let Some(span) = self.take_keyword("KEY") {
            return Ok(Spanned::new(Field::Key, span));
        }
        let name = self.name(NameKind::Attribute, Place::Field)?;
        Ok(Spanned::new(Field::Attribute(name.node), name.span))
    }

    /// `5% [SEED 7]` after `SAMPLE`
    fn sample(&mut self) -> Parsed<Sample> {
        let span = self.span();
        let percent = self.percent()?;
        self.symbol(Symbol::Percent)?;
        let hundred = 100 * 10_i128.pow(u32::from(percent.scale));
        if percent.units <= 0 || i128::from(percent.units) > hundred {
            return Err(invalid_value("a sample is above 0% and at most 100%", span));
        }
        let seed = match self.take_keyword("SEED") {
            Some(_) => self.number()?.node,
            None => 0,
        };
        Ok(Sample { percent, seed })
    }

    fn percent(&mut self) -> Parsed<Decimal> {
        self.expect(Expected::Value);
        let decimal = if let TokenKind::Decimal(decimal) = self.token().kind {
            decimal
        } else if let TokenKind::Integer(number) = self.token().kind {
            let out_of_range =
                || invalid_value("a sample is above 0% and at most 100%", self.span());
            let units = i64::try_from(number).map_err(|_| out_of_range())?;
            Decimal { units, scale: 0 }
        } else {
            return Err(self.unexpected());
        };
        self.advance();
        Ok(decimal)
    }

    /// What stands after `FETCH`.
    pub(super) fn fetch(&mut self) -> Parsed<Statement> {
        let cursor = self.text_or_parameter(Expected::Cursor)?;
        let mut limit = None;
        self.clause("LIMIT", &mut limit, Self::quantity)?;
        Ok(Statement::Fetch { cursor, limit })
    }

    /// What stands after `CLOSE`.
    pub(super) fn close(&mut self) -> Parsed<Statement> {
        self.text_or_parameter(Expected::Cursor)
            .map(Statement::Close)
    }

    /// What stands after `PORTRAIT`.
    pub(super) fn portrait(&mut self) -> Parsed<Statement> {
        self.text_or_parameter(Expected::Key)
            .map(Statement::Portrait)
    }

    /// What stands after `EXPLAIN`.
    pub(super) fn explain(&mut self) -> Parsed<Statement> {
        let mode = match self.take_keyword("ANALYZE") {
            Some(_) => ExplainMode::Analyze,
            None => ExplainMode::Plan,
        };
        let inner = if self.take_keyword("COUNT").is_some() {
            self.count()?
        } else if self.take_keyword("SEGMENT").is_some() {
            self.segment()?
        } else {
            self.keyword("DIMENSION")?;
            self.dimension()?
        };
        Ok(Statement::Explain(mode, Box::new(inner)))
    }

    /// What stands after `DIMENSION`.
    pub(super) fn dimension(&mut self) -> Parsed<Statement> {
        let dims = self.comma_list(Self::dim)?;
        let (mut measures, mut having, mut order, mut top, mut filter) =
            (None, None, None, None, None);
        loop {
            let found = self
                .clause("MEASURE", &mut measures, |cursor| {
                    cursor.comma_list(Self::measure)
                })?
                .or_try(|| self.clause("HAVING", &mut having, Self::logic))?
                .or_try(|| {
                    self.clause("ORDER BY", &mut order, |cursor| {
                        cursor.comma_list(|cursor| cursor.directed(Self::dimension_order))
                    })
                })?
                .or_try(|| self.clause("TOP", &mut top, Self::quantity))?
                .or_try(|| self.clause("WHERE", &mut filter, Self::expr))?;
            if found == Clause::Absent {
                break;
            }
        }
        Ok(Statement::Dimension(Dimension {
            dims,
            measures: measures.unwrap_or_default(),
            having,
            order: order.unwrap_or_default(),
            top,
            filter: filter.unwrap_or(Expr::All),
        }))
    }

    /// `gender`, `age[18,25]`, `signup BY month`, `tag:promo-*`, `group:lifecycle`
    fn dim(&mut self) -> Parsed<Dim> {
        self.refuse_behaviours()?;
        if self.take_keyword("tag").is_some() {
            return match self.take_symbol(Symbol::Colon) {
                Some(_) => self.tags().map(Dim::Tags),
                None => Ok(Dim::Tags(Vec::new())),
            };
        }
        if self.take_keyword("group").is_some() {
            self.symbol(Symbol::Colon)?;
            return self.name_ref(NameKind::Group).map(Dim::Group);
        }
        let attribute = self.name(NameKind::Attribute, Place::Dim)?;
        if self.take_symbol(Symbol::OpenBracket).is_some() {
            let bounds = self.comma_list(Self::value)?;
            self.symbol(Symbol::CloseBracket)?;
            return Ok(Dim::Bands { attribute, bounds });
        }
        if self.take_keyword("BY").is_some() {
            return Ok(Dim::Calendar {
                attribute,
                unit: self.calendar_unit()?,
            });
        }
        Ok(Dim::Attribute(attribute))
    }

    fn calendar_unit(&mut self) -> Parsed<CalendarUnit> {
        let units = [
            ("day", CalendarUnit::Day),
            ("week", CalendarUnit::Week),
            ("month", CalendarUnit::Month),
            ("quarter", CalendarUnit::Quarter),
            ("year", CalendarUnit::Year),
        ];
        let taken = units
            .into_iter()
            .find(|(word, _)| self.take_keyword(word).is_some());
        taken.map(|(_, unit)| unit).ok_or_else(|| self.unexpected())
    }

    /// A measure, or a dim by its name.
    fn dimension_order(&mut self) -> Parsed<DimensionOrder> {
        let is_measure = self.is_keyword_ahead(0, "count")
            || self.is_keyword_ahead(0, "share")
            || self.word_ahead(0).is_some() && self.ahead(1).symbol() == Some(Symbol::OpenParen);
        if is_measure {
            return self.measure().map(DimensionOrder::Measure);
        }
        self.expect(Expected::Measure);
        if let Some(start) = self.take_keyword("group") {
            self.symbol(Symbol::Colon)?;
            let group = self.name(NameKind::Group, Place::Plain)?;
            let span = start.to(group.span);
            let name = Name::new(&format!("group:{}", group.node));
            let name = name.map_err(|error| ParseError::new(error.into(), span))?;
            return Ok(DimensionOrder::Dim(Spanned::new(name, span)));
        }
        self.name(NameKind::Attribute, Place::DimOrder)
            .map(DimensionOrder::Dim)
    }
}
