//! Who, by what they did: `did`, the functions over events, and referral.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use crate::ast::{
    Behaviour, Edge, EventMeasure, Events, Expr, Figure, NameRef, Parameter, PropertyExpr,
    Referral, Span, Spanned, Window,
};
use crate::error::{Expected, NameKind, ParseError};
use crate::keywords::Place;
use crate::lexer::{Symbol, TokenKind};
use crate::limits::Limit;
use crate::name::Name;

impl PropertyExpr {
    /// `category:shoes`, `amount >= 10`
    pub(super) fn read_leaf(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let name = cursor.name(NameKind::Property, Place::Property)?;
        match cursor.attribute_test()? {
            Some(test) => Ok(Self::Test { name, test }),
            None => Err(cursor.unexpected()),
        }
    }
}

/// How a measure of one property is made.
pub(super) type FigureOf = fn(Spanned<Name>) -> Figure;

/// The functions over a property, in lower case.
pub(super) const OF_PROPERTY: [(&str, FigureOf); 4] = [
    ("sum", Figure::Sum),
    ("avg", Figure::Average),
    ("min", Figure::Min),
    ("max", Figure::Max),
];

/// The functions over events as such, in lower case.
pub(super) const OF_EVENTS: [(&str, Figure); 4] = [
    ("count", Figure::Count),
    ("days", Figure::Days),
    ("first", Figure::First),
    ("last", Figure::Last),
];

impl Cursor<'_> {
    /// The call of a function at this place, if its word is one.
    pub(super) fn call(&mut self) -> Parsed<Option<Expr>> {
        if self.ahead(1).symbol() != Some(Symbol::OpenParen) {
            return Ok(None);
        }
        let Some(word) = self.word_ahead(0) else {
            return Ok(None);
        };
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "lapsed" => self.lapsed().map(Some),
            "top" => self.top().map(Some),
            "sequence" => self.sequence().map(Some),
            "referred_by" | "inviter_of" | "descendants_of" => self.referral(&word).map(Some),
            "count" if self.is_count_of_invited() => self.invited().map(Some),
            _ if is_measure(&word) => self.tested_measure().map(Some),
            _ => Ok(None),
        }
    }

    /// `count(invited)`; an event of this name is in quotes.
    fn is_count_of_invited(&self) -> bool {
        self.is_keyword_ahead(2, "invited") && self.ahead(3).symbol() == Some(Symbol::CloseParen)
    }

    fn behaviour(&self, start: Span, behaviour: Behaviour) -> Expr {
        let span = start.to(self.end_of_previous());
        Expr::Behaviour(Box::new(Spanned::new(behaviour, span)))
    }

    /// `purchase`, `(a, b)`, `purchase[category:shoes, 30d]` after `did:`
    pub(super) fn did(&mut self, start: Span) -> Parsed<Expr> {
        let names = self.one_or_paren_list(|cursor| {
            cursor.count_leaf()?;
            cursor.event_ref()
        })?;
        let (mut filter, mut window) = (None, None);
        if self.is_symbol(Symbol::OpenBracket) {
            let open = self.advance();
            if !self.is_window() {
                self.expect(Expected::Window);
                filter = Some(self.property_filter(open)?);
                window = self.window_after_filter()?;
            } else {
                window = Some(self.window()?);
            }
            self.symbol(Symbol::CloseBracket)?;
        }
        let did = Behaviour::Did {
            names,
            filter,
            window,
        };
        Ok(self.behaviour(start, did))
    }

    fn window_after_filter(&mut self) -> Parsed<Option<Spanned<Window>>> {
        if self.take_symbol(Symbol::Comma).is_none() {
            return Ok(None);
        }
        if !self.is_window() {
            self.expect(Expected::Window);
            let hint = "join conditions with AND; after the comma stands the window";
            return Err(self.unexpected().with_hint(hint));
        }
        self.window().map(Some)
    }

    /// The name of an event, or a parameter that holds it.
    pub(super) fn event_ref(&mut self) -> Parsed<Spanned<NameRef>> {
        self.forget_attribute();
        self.name_ref(NameKind::Event)
    }

    /// Conditions on properties inside of a bracket, which is one level of nesting.
    fn property_filter(&mut self, open: Span) -> Parsed<PropertyExpr> {
        self.nested(open, Self::logic)
    }

    /// `[category:shoes]`, if a bracket stands here.
    pub(super) fn bracket_filter(&mut self) -> Parsed<Option<PropertyExpr>> {
        let Some(open) = self.take_symbol(Symbol::OpenBracket) else {
            return Ok(None);
        };
        if self.is_window() {
            let message = "a window does not stand here";
            let hint = "write it after a comma, as in count(purchase, 30d)";
            return Err(invalid_value(message, self.span()).with_hint(hint));
        }
        let filter = self.property_filter(open)?;
        self.symbol(Symbol::CloseBracket)?;
        Ok(Some(filter))
    }

    /// `purchase`, `purchase[category:shoes]`
    pub(super) fn events(&mut self) -> Parsed<Events> {
        self.count_leaf()?;
        let name = self.event_ref()?;
        let filter = self.bracket_filter()?;
        Ok(Events { name, filter })
    }

    /// `purchase.amount`, `purchase[channel:ads].amount`, `"an event".amount`
    pub(super) fn events_and_property(&mut self) -> Parsed<(Events, Spanned<Name>)> {
        self.count_leaf()?;
        if let Some((name, property)) = self.dotted()? {
            self.forget_attribute();
            return Ok((Events { name, filter: None }, property));
        }
        let name = self.event_ref()?;
        let filter = self.bracket_filter()?;
        let property = self.property_after_dot()?;
        Ok((Events { name, filter }, property))
    }

    /// `.amount`
    pub(super) fn property_after_dot(&mut self) -> Parsed<Spanned<Name>> {
        if self.take_symbol(Symbol::Dot).is_none() {
            let hint = "name a property of the event, as in purchase.amount";
            return Err(self.unexpected().with_hint(hint));
        }
        self.name(NameKind::Property, Place::Plain)
    }

    /// A word of an event and its property, as the lexer reads them: the first dot is between
    /// them. Before a bracket the whole word is the event.
    fn dotted(&mut self) -> Parsed<Option<(Spanned<NameRef>, Spanned<Name>)>> {
        if self.ahead(1).symbol() == Some(Symbol::OpenBracket) {
            return Ok(None);
        }
        let span = self.span();
        let text = self.text_of(self.token());
        let (word, prefix_bytes) = match &self.token().kind {
            TokenKind::Word => (text, 0),
            TokenKind::Parameter(Parameter::Name(_)) if !text.starts_with("$\"") => (&text[1..], 1),
            TokenKind::Parameter(_)
            | TokenKind::Pattern
            | TokenKind::Quoted(_)
            | TokenKind::Integer(_)
            | TokenKind::Decimal(_)
            | TokenKind::Date(_)
            | TokenKind::Timestamp(_)
            | TokenKind::Relative(_)
            | TokenKind::Duration(_)
            | TokenKind::Symbol(_)
            | TokenKind::Bad(_)
            | TokenKind::End => return Ok(None),
        };
        let Some((event, property)) = word.split_once('.') else {
            return Ok(None);
        };
        let start = span.start as usize;
        let dot = start + prefix_bytes + event.len();
        let event_span = Span::new(start, dot);
        let event = named(event, event_span)?;
        let event = match prefix_bytes {
            0 => NameRef::Name(event),
            _ => NameRef::Parameter(Parameter::Name(event)),
        };
        let event = Spanned::new(event, event_span);
        if property.is_empty() && self.is_cut_ahead(0) {
            self.advance();
            let property = self.name(NameKind::Property, Place::Plain)?;
            return Ok(Some((event, property)));
        }
        let property_span = Span::new(dot + 1, span.end as usize);
        let property = Spanned::new(named(property, property_span)?, property_span);
        self.advance();
        Ok(Some((event, property)))
    }

    /// Whether `purchase."a property"` stands `count` places on: the lexer cuts it after the dot.
    pub(super) fn is_cut_ahead(&self, count: usize) -> bool {
        let (token, next) = (self.ahead(count), self.ahead(count + 1));
        self.text_of(token).ends_with('.')
            && matches!(next.kind, TokenKind::Quoted(_))
            && next.span.start == token.span.end
    }

    /// `count(purchase, 30d)`, `sum(purchase.amount, 90d)`
    pub(super) fn event_measure(&mut self) -> Parsed<EventMeasure> {
        let word = self
            .word_ahead(0)
            .map(str::to_ascii_lowercase)
            .unwrap_or_default();
        let of_property = OF_PROPERTY.iter().find(|(name, _)| *name == word);
        let of_events = OF_EVENTS.into_iter().find(|(name, _)| *name == word);
        if of_property.is_none() && of_events.is_none() {
            self.expect(Expected::Measure);
            return Err(self.unexpected());
        }
        self.advance();
        self.symbol(Symbol::OpenParen)?;
        let (figure, events) = match (of_property, of_events) {
            (Some((_, make)), _) => {
                let (events, property) = self.events_and_property()?;
                (make(property), events)
            }
            (None, Some((_, figure))) => (figure, self.events()?),
            (None, None) => return Err(self.unexpected()),
        };
        let window = self.window_after_comma()?;
        self.symbol(Symbol::CloseParen)?;
        Ok(EventMeasure {
            figure,
            events,
            window,
        })
    }

    /// `count(purchase, 30d) >= 3`, `last(purchase).channel:ads`
    fn tested_measure(&mut self) -> Parsed<Expr> {
        let start = self.span();
        let measure = self.event_measure()?;
        let edge = match measure.figure {
            Figure::First => Some(Edge::First),
            Figure::Last => Some(Edge::Last),
            Figure::Count
            | Figure::Days
            | Figure::Sum(_)
            | Figure::Average(_)
            | Figure::Min(_)
            | Figure::Max(_) => None,
        };
        if let Some(edge) = edge
            && self.take_symbol(Symbol::Dot).is_some()
        {
            return self.edge(start, edge, measure);
        }
        let test = self.range_test()?;
        Ok(self.behaviour(start, Behaviour::Measure { measure, test }))
    }

    /// `channel:ads` after `last(purchase).`
    fn edge(&mut self, start: Span, edge: Edge, measure: EventMeasure) -> Parsed<Expr> {
        let property = self.name(NameKind::Property, Place::Plain)?;
        let Some(test) = self.attribute_test()? else {
            return Err(self.unexpected());
        };
        let edge = Behaviour::Edge {
            edge,
            events: measure.events,
            window: measure.window,
            property,
            test,
        };
        Ok(self.behaviour(start, edge))
    }

    /// `top(purchase.category, 90d):shoes`
    fn top(&mut self) -> Parsed<Expr> {
        let start = self.advance();
        self.symbol(Symbol::OpenParen)?;
        let (events, property) = self.events_and_property()?;
        let window = self.window_after_comma()?;
        self.symbol(Symbol::CloseParen)?;
        self.symbol(Symbol::Colon)?;
        let values = self.one_or_paren_list(Self::listed_value)?;
        let top = Behaviour::Top {
            events,
            property,
            window,
            values,
        };
        Ok(self.behaviour(start, top))
    }

    /// `sequence(view -> cart -> purchase, within 1d, 30d)`
    fn sequence(&mut self) -> Parsed<Expr> {
        let start = self.advance();
        self.symbol(Symbol::OpenParen)?;
        let mut steps = vec![self.events()?];
        self.symbol(Symbol::Arrow)?;
        loop {
            self.check_count(Limit::Steps, steps.len())?;
            steps.push(self.events()?);
            if self.take_symbol(Symbol::Arrow).is_none() {
                break;
            }
        }
        let (mut within, mut window) = (None, None);
        while (within.is_none() || window.is_none()) && self.take_symbol(Symbol::Comma).is_some() {
            if within.is_none() && self.take_keyword("within").is_some() {
                within = Some(self.period()?);
            } else if window.is_none() {
                window = Some(self.window()?);
            } else {
                return Err(self.unexpected());
            }
        }
        self.symbol(Symbol::CloseParen)?;
        let sequence = Behaviour::Sequence {
            steps,
            within,
            window,
        };
        Ok(self.behaviour(start, sequence))
    }

    /// `referred_by(expr)`, `inviter_of(expr)`, `descendants_of(expr, 3)`
    fn referral(&mut self, function: &str) -> Parsed<Expr> {
        let start = self.advance();
        let open = self.symbol(Symbol::OpenParen)?;
        let of = self.nested(open, Self::expr)?;
        let referral = match function {
            "referred_by" => Referral::ReferredBy(of),
            "inviter_of" => Referral::InviterOf(of),
            _ => {
                self.symbol(Symbol::Comma)?;
                Referral::DescendantsOf(of, self.descent()?)
            }
        };
        self.count_leaf()?;
        let end = self.symbol(Symbol::CloseParen)?;
        Ok(Expr::Referral(Box::new(Spanned::new(
            referral,
            start.to(end),
        ))))
    }

    /// How many steps down.
    fn descent(&mut self) -> Parsed<Spanned<u32>> {
        let steps = self.number()?;
        let max = self.descent_max();
        match u32::try_from(steps.node) {
            Ok(count) if (1..=max).contains(&count) => Ok(Spanned::new(count, steps.span)),
            Ok(_) | Err(_) => Err(invalid_value(
                format!("this must be from 1 to {max}, the steps from inviter to invited"),
                steps.span,
            )),
        }
    }

    /// `count(invited) >= 2`
    fn invited(&mut self) -> Parsed<Expr> {
        self.count_leaf()?;
        let start = self.advance();
        self.symbol(Symbol::OpenParen)?;
        self.keyword("invited")?;
        self.symbol(Symbol::CloseParen)?;
        let test = self.range_test()?;
        let span = start.to(self.end_of_previous());
        let invited = Spanned::new(Referral::Invited(test), span);
        Ok(Expr::Referral(Box::new(invited)))
    }
}

/// Whether the word, in lower case, is a function over events.
pub(super) fn is_measure(word: &str) -> bool {
    OF_PROPERTY.iter().any(|(name, _)| *name == word)
        || OF_EVENTS.iter().any(|(name, _)| *name == word)
}

fn named(text: &str, span: Span) -> Parsed<Name> {
    Name::new(text).map_err(|error| ParseError::new(error.into(), span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keywords::{EXPRESSION, MEASURES};

    #[test]
    fn every_function_over_events_is_offered() {
        let of_property = OF_PROPERTY.into_iter().map(|(word, _)| word);
        let of_events = OF_EVENTS.into_iter().map(|(word, _)| word);
        for word in of_property.chain(of_events) {
            let call = format!("{word}(");
            assert!(EXPRESSION.contains(&call.as_str()), "{call}");
            assert!(MEASURES.contains(&call.as_str()), "{call}");
        }
    }
}
