//! The statements that ask: `COUNT`, `SEGMENT`, `DIMENSION` and their company.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use super::list::Clause;
use crate::ast::{
    CalendarUnit, Decimal, Dim, Dimension, DimensionOrder, Direction, EventSplit, ExplainMode,
    Expr, Field, Sample, Segment, Spanned, Statement, Window,
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
        let (dims, window) = self.dims()?;
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
            window,
            measures: measures.unwrap_or_default(),
            having,
            order: order.unwrap_or_default(),
            top,
            filter: filter.unwrap_or(Expr::All),
        }))
    }

    /// One dim or more, and the window of events after them.
    fn dims(&mut self) -> Parsed<(Vec<Dim>, Option<Spanned<Window>>)> {
        let mut dims = vec![self.dim()?];
        while self.take_symbol(Symbol::Comma).is_some() {
            if self.is_window() {
                return Ok((dims, Some(self.window()?)));
            }
            self.check_list_len(dims.len())?;
            self.expect(Expected::Window);
            dims.push(self.dim()?);
        }
        Ok((dims, None))
    }

    /// `gender`, `age[18,25]`, `signup BY month`, `tag:promo-*`, `group:lifecycle`,
    /// `did:purchase BY day`
    fn dim(&mut self) -> Parsed<Dim> {
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
        if self.take_keyword("did").is_some() {
            self.symbol(Symbol::Colon)?;
            return self.event_dim();
        }
        if self.is_event_dim() {
            return self.event_dim();
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

    /// Whether `purchase[channel:ads] …` or `"an event".property` stands here: what an attribute
    /// cannot be.
    fn is_event_dim(&self) -> bool {
        let is_name =
            self.word_ahead(0).is_some() || matches!(self.token().kind, TokenKind::Quoted(_));
        match self.ahead(1).symbol() {
            None => self.is_cut_ahead(0),
            Some(Symbol::Dot) => is_name,
            Some(Symbol::OpenBracket) if is_name => {
                self.ahead(2).symbol() == Some(Symbol::OpenParen)
                    || self.is_keyword_ahead(2, "NOT") && !self.ends_bound_ahead(3)
                    || self.ahead(3).symbol().is_some_and(Symbol::is_test)
                    || self.is_keyword_ahead(3, "IS")
                    || self.is_keyword_ahead(3, "ANNIVERSARY")
            }
            Some(_) => false,
        }
    }

    /// Whether what stands before this is the bound of a band, and no condition.
    fn ends_bound_ahead(&self, offset: usize) -> bool {
        matches!(
            self.ahead(offset).symbol(),
            Some(Symbol::CloseBracket | Symbol::Comma)
        )
    }

    /// `purchase BY day`, `purchase.category`, `purchase[channel:ads].category`
    fn event_dim(&mut self) -> Parsed<Dim> {
        self.expect(Expected::Name(NameKind::Event));
        if !self.is_keyword_ahead(1, "BY") && self.ahead(1).symbol() != Some(Symbol::OpenBracket) {
            let (events, property) = self.events_and_property()?;
            let by = EventSplit::Property(property);
            return Ok(Dim::Events { events, by });
        }
        let events = self.events()?;
        let by = if self.take_keyword("BY").is_some() {
            EventSplit::Calendar(self.calendar_unit()?)
        } else {
            EventSplit::Property(self.property_after_dot()?)
        };
        Ok(Dim::Events { events, by })
    }

    pub(super) fn calendar_unit(&mut self) -> Parsed<CalendarUnit> {
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
            || self.is_keyword_ahead(0, "users")
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
