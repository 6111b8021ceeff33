//! Questions about behaviour: from names, windows and comparisons to what is asked of each user's
//! events.
//!
//! - Count, days and sum of nothing are zero: who did nothing is found by `count(purchase) < 3`.
//!   Mean, least and greatest of nothing, and the moments of the first and last of no events, do
//!   not exist: no comparison finds them.
//! - First and last moments, least and greatest values are asked as "did one such, and none
//!   beyond": rows and tables answer that without noting numbers.
//! - A window in seconds, minutes or hours is exact and ends now; one in longer units is of whole
//!   days in UTC and ends with today.

use std::sync::Arc;

use tessera_query_lang::{
    ast::{
        self, Comparison, Edge, Events, Figure, NameRef, Period, PropertyExpr, RangeTest,
        RelativeTime, Span, Spanned, TimeAnchor, TimeUnit, Value,
    },
    name::Name,
};

use super::{
    NamedKind, ResolveError, Resolver,
    attribute::{bounds, union},
    literal::{Extent, Literal, kind_name, scaled},
    names::unknown,
};
use crate::{
    behaviour::{Behaviour, Bound, Filter, Question, Step, Window},
    ids::{AttributeId, NumberId},
    plan::logical::{Expr, Leaf, Range},
    schema::{AttributeClass, AttributeDefinition, AttributeKind, EventDefinition},
    time::{self, MICROS_PER_DAY, ResolvedTime},
};

/// Steps of one sequence: each user has a place for each of them.
const STEPS_MAX: usize = 16;

/// Events of one kind, their filter and window resolved.
struct Asked<'a> {
    event: &'a EventDefinition,
    filter: Filter,
    window: Window,
    span: Span,
}

impl Asked<'_> {
    fn ask(&self, question: Question) -> Behaviour {
        Behaviour {
            event: self.event.id,
            filter: self.filter.clone(),
            window: self.window,
            question,
        }
    }
}

/// The raw numbers that a comparison lets through, and whether it is their opposite that it does.
struct Wanted {
    low: i128,
    high: i128,
    is_negated: bool,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.low > self.high
    }
}

impl<'a> Resolver<'a> {
    pub(super) fn behaviour(
        &mut self,
        behaviour: &Spanned<ast::Behaviour>,
    ) -> Result<Expr, ResolveError> {
        let span = behaviour.span;
        match &behaviour.node {
            ast::Behaviour::Did {
                names,
                filter,
                window,
            } => {
                let mut did = Vec::with_capacity(names.len());
                for name in names {
                    let asked = self.asked(name, filter.as_ref(), window.as_ref(), span)?;
                    did.push(self.did(&asked, Filter::All, Window::ALL)?);
                }
                Ok(union(did))
            }
            ast::Behaviour::Measure { measure, test } => {
                let asked = self.events(&measure.events, measure.window.as_ref(), span)?;
                self.figure(&asked, &measure.figure, test)
            }
            ast::Behaviour::Edge {
                edge,
                events,
                window,
                property,
                test,
            } => {
                let asked = self.events(events, window.as_ref(), span)?;
                let property = self.property_named(asked.event, property)?;
                let filter = self.property_test(&property, test, span)?;
                self.ask(
                    &asked,
                    match edge {
                        Edge::First => Question::First(filter),
                        Edge::Last => Question::Last(filter),
                    },
                )
            }
            ast::Behaviour::Top {
                events,
                property,
                window,
                values,
            } => {
                let asked = self.events(events, window.as_ref(), span)?;
                let property = self.property_named(asked.event, property)?;
                let codes = self.codes(&property, values)?;
                self.ask(&asked, Question::Top(property.id, codes))
            }
            ast::Behaviour::Sequence {
                steps,
                within,
                window,
            } => self.sequence(steps, within.as_ref(), window.as_ref(), span),
        }
    }

    fn ask(&mut self, asked: &Asked<'_>, question: Question) -> Result<Expr, ResolveError> {
        if asked.window.is_empty() {
            self.grow(1, asked.span)?;
            return Ok(Expr::None);
        }
        self.leaf(Leaf::Behaviour(Arc::new(asked.ask(question))), asked.span)
    }

    /// Who did one of them that passes a further filter, in a part of their window.
    fn did(
        &mut self,
        asked: &Asked<'_>,
        filter: Filter,
        window: Window,
    ) -> Result<Expr, ResolveError> {
        let part = Asked {
            event: asked.event,
            filter: asked.filter.clone().and(filter),
            window: asked.window.intersect(window),
            span: asked.span,
        };
        self.ask(&part, Question::Did)
    }

    pub(super) fn event_named(
        &mut self,
        name: &Spanned<NameRef>,
    ) -> Result<&'a EventDefinition, ResolveError> {
        let text = self.name_ref(name)?;
        let candidates = || self.schema.events().map(|event| event.name.as_str());
        let found = self.schema.event(text.as_str());
        found.ok_or_else(|| unknown(NamedKind::Event, text.as_str(), name.span, candidates()))
    }

    /// A property of a kind of event that can be asked about.
    fn property_named(
        &self,
        event: &EventDefinition,
        name: &Spanned<Name>,
    ) -> Result<Arc<AttributeDefinition>, ResolveError> {
        let Some(property) = event.property(name.node.as_str()) else {
            let names = event
                .properties
                .iter()
                .map(|property| property.name.as_str());
            let kind = NamedKind::PropertyOf(event.name.to_string());
            return Err(unknown(kind, name.node.as_str(), name.span, names));
        };
        if property.kind.class() == AttributeClass::Textual {
            let message = format!(
                "{}.{} is {}: texts of events are shown, and not asked about",
                event.name,
                property.name,
                kind_name(&property.kind)
            );
            return Err(ResolveError::mismatch(message, name.span));
        }
        Ok(Arc::clone(property))
    }

    fn events(
        &mut self,
        events: &Events,
        window: Option<&Spanned<ast::Window>>,
        span: Span,
    ) -> Result<Asked<'a>, ResolveError> {
        self.asked(&events.name, events.filter.as_ref(), window, span)
    }

    fn asked(
        &mut self,
        name: &Spanned<NameRef>,
        filter: Option<&PropertyExpr>,
        window: Option<&Spanned<ast::Window>>,
        span: Span,
    ) -> Result<Asked<'a>, ResolveError> {
        let event = self.event_named(name)?;
        Ok(Asked {
            event,
            filter: self.filter(event, filter, span)?,
            window: self.window(window)?,
            span,
        })
    }

    fn filter(
        &mut self,
        event: &EventDefinition,
        filter: Option<&PropertyExpr>,
        span: Span,
    ) -> Result<Filter, ResolveError> {
        self.grow(1, span)?;
        let mut each = |of: &[PropertyExpr]| {
            let filters = of.iter().map(|inner| self.filter(event, Some(inner), span));
            filters.collect::<Result<Vec<_>, _>>()
        };
        Ok(match filter {
            None => Filter::All,
            Some(PropertyExpr::Test { name, test }) => {
                let property = self.property_named(event, name)?;
                self.property_test(&property, test, name.span)?
            }
            Some(PropertyExpr::Not(inner)) => {
                Filter::Not(Box::new(self.filter(event, Some(inner), span)?))
            }
            Some(PropertyExpr::And(of)) => Filter::And(each(of)?),
            Some(PropertyExpr::Or(of)) => Filter::Or(each(of)?),
        })
    }

    fn property_test(
        &mut self,
        property: &AttributeDefinition,
        test: &ast::AttributeTest,
        span: Span,
    ) -> Result<Filter, ResolveError> {
        let expr = self.attribute_test(property, test, span)?;
        filter_of(&expr).ok_or_else(|| {
            let message = format!("{} cannot be asked about in this way", property.name);
            ResolveError::mismatch(message, span)
        })
    }

    /// The codes or numbers of some values, sorted.
    fn codes(
        &mut self,
        property: &AttributeDefinition,
        values: &[Spanned<Value>],
    ) -> Result<Vec<i64>, ResolveError> {
        let mut codes = Vec::new();
        for value in values {
            for literal in self.literals(value)? {
                match property.kind.class() {
                    AttributeClass::Coded | AttributeClass::MultiCoded => {
                        codes.push(self.code(property, &literal, value.span)?.0.into());
                    }
                    AttributeClass::Numeric | AttributeClass::Textual => {
                        let extent = literal.extent(property, value.span)?;
                        if extent.first == extent.last {
                            codes.extend(i64::try_from(extent.first));
                        }
                    }
                }
            }
        }
        codes.sort_unstable();
        codes.dedup();
        Ok(codes)
    }

    fn figure(
        &mut self,
        asked: &Asked<'_>,
        figure: &Figure,
        test: &RangeTest,
    ) -> Result<Expr, ResolveError> {
        match figure {
            Figure::Count => {
                let wanted = self.wanted(test, &|literal, span| whole(literal, span))?;
                self.measured(asked, &wanted, |bound| match bound {
                    Bound::Within(1, i128::MAX) | Bound::Outside(_, 0) => Question::Did,
                    bound @ (Bound::Within(..) | Bound::Outside(..)) => Question::Count(bound),
                })
            }
            Figure::Days => {
                let wanted = self.wanted(test, &|literal, span| whole(literal, span))?;
                self.measured(asked, &wanted, |bound| match bound {
                    Bound::Within(1, i128::MAX) | Bound::Outside(_, 0) => Question::Did,
                    bound @ (Bound::Within(..) | Bound::Outside(..)) => Question::Days(bound),
                })
            }
            Figure::Sum(name) => {
                let property = self.number_named(asked.event, name)?;
                let wanted = self.wanted(test, &|literal, span| literal.extent(&property, span))?;
                self.measured(asked, &wanted, |bound| Question::Sum(property.id, bound))
            }
            Figure::Average(name) => {
                let property = self.number_named(asked.event, name)?;
                self.average(asked, &property, test)
            }
            Figure::Min(name) => {
                let property = self.ordered_property(asked.event, name)?;
                let wanted = self.wanted(test, &|literal, span| literal.extent(&property, span))?;
                let better = range(i128::MIN, wanted.low.saturating_sub(1));
                self.extreme(asked, property.id, &wanted, better)
            }
            Figure::Max(name) => {
                let property = self.ordered_property(asked.event, name)?;
                let wanted = self.wanted(test, &|literal, span| literal.extent(&property, span))?;
                let better = range(wanted.high.saturating_add(1), i128::MAX);
                self.extreme(asked, property.id, &wanted, better)
            }
            Figure::First | Figure::Last => {
                let wanted = self.wanted(test, &|literal, span| moments(literal, span))?;
                let beyond = match figure {
                    Figure::First => range(i128::MIN, wanted.low.saturating_sub(1)),
                    Figure::Last
                    | Figure::Count
                    | Figure::Days
                    | Figure::Sum(_)
                    | Figure::Average(_)
                    | Figure::Min(_)
                    | Figure::Max(_) => range(wanted.high.saturating_add(1), i128::MAX),
                };
                self.edge(asked, &wanted, beyond)
            }
        }
    }

    fn number_named(
        &self,
        event: &EventDefinition,
        name: &Spanned<Name>,
    ) -> Result<Arc<AttributeDefinition>, ResolveError> {
        let property = self.property_named(event, name)?;
        match property.kind {
            AttributeKind::Integer | AttributeKind::Decimal { .. } => Ok(property),
            AttributeKind::Enum(_)
            | AttributeKind::Multi(_)
            | AttributeKind::Date
            | AttributeKind::Timestamp
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::User => {
                let kind = kind_name(&property.kind);
                let message = format!("{} is {kind}: it cannot be added up", property.name);
                Err(ResolveError::mismatch(message, name.span))
            }
        }
    }

    fn ordered_property(
        &self,
        event: &EventDefinition,
        name: &Spanned<Name>,
    ) -> Result<Arc<AttributeDefinition>, ResolveError> {
        let property = self.property_named(event, name)?;
        if property.kind.class() == AttributeClass::Numeric {
            return Ok(property);
        }
        let kind = kind_name(&property.kind);
        let message = format!("{} is {kind}: it has no order", property.name);
        Err(ResolveError::mismatch(message, name.span))
    }

    /// What a test lets through.
    fn wanted(
        &mut self,
        test: &RangeTest,
        extent: &dyn Fn(&Literal, Span) -> Result<Extent, ResolveError>,
    ) -> Result<Wanted, ResolveError> {
        let mut of = |value: &Spanned<Value>| extent(&self.literal(value)?, value.span);
        Ok(match test {
            RangeTest::Compare(comparison, value) => {
                let (low, high) = bounds(*comparison, of(value)?);
                Wanted {
                    low,
                    high,
                    is_negated: *comparison == Comparison::NotEqual,
                }
            }
            RangeTest::Between { low, high } => Wanted {
                low: match low {
                    Some(low) => of(low)?.first,
                    None => i128::MIN,
                },
                high: match high {
                    Some(high) => of(high)?.last,
                    None => i128::MAX,
                },
                is_negated: false,
            },
        })
    }

    /// Who has such a measure, which is zero for whoever did nothing.
    fn measured(
        &mut self,
        asked: &Asked<'_>,
        wanted: &Wanted,
        question: impl Fn(Bound) -> Question,
    ) -> Result<Expr, ResolveError> {
        let Wanted { low, high, .. } = *wanted;
        self.grow(2, asked.span)?;
        let has_zero = low <= 0 && 0 <= high;
        let found = if wanted.is_empty() {
            Expr::None
        } else if has_zero && low == i128::MIN && high == i128::MAX {
            Expr::All
        } else if has_zero {
            self.ask(asked, question(Bound::Outside(low, high)))?
                .negated()
        } else {
            self.ask(asked, question(Bound::Within(low, high)))?
        };
        Ok(match wanted.is_negated {
            true => found.negated(),
            false => found,
        })
    }

    fn average(
        &mut self,
        asked: &Asked<'_>,
        property: &AttributeDefinition,
        test: &RangeTest,
    ) -> Result<Expr, ResolveError> {
        let compared = |resolver: &mut Self, comparison: Comparison, value: &Spanned<Value>| {
            let literal = resolver.literal(value)?;
            let than = quotient(&literal, property.kind).ok_or_else(|| {
                let message = format!("a mean is a number, and {} is not", literal.describe());
                ResolveError::mismatch(message, value.span)
            })?;
            resolver.ask(
                asked,
                Question::Average(property.id, comparison.into(), than),
            )
        };
        match test {
            RangeTest::Compare(comparison, value) => compared(self, *comparison, value),
            RangeTest::Between { low, high } => {
                let mut both = Vec::new();
                if let Some(low) = low {
                    both.push(compared(self, Comparison::GreaterOrEqual, low)?);
                }
                if let Some(high) = high {
                    both.push(compared(self, Comparison::LessOrEqual, high)?);
                }
                Ok(Expr::And(both))
            }
        }
    }

    /// Whose least or greatest value is such: one is, and none is better.
    fn extreme(
        &mut self,
        asked: &Asked<'_>,
        property: AttributeId,
        wanted: &Wanted,
        better: Option<Range>,
    ) -> Result<Expr, ResolveError> {
        self.grow(3, asked.span)?;
        let one = match range(wanted.low, wanted.high) {
            Some(range) => self.did(asked, Filter::Test(property, range), Window::ALL)?,
            None => Expr::None,
        };
        let is_such = match better {
            Some(better) => {
                let better = self.did(asked, Filter::Test(property, better), Window::ALL)?;
                Expr::And(vec![one, better.negated()])
            }
            None => one,
        };
        if !wanted.is_negated {
            return Ok(is_such);
        }
        let any = self.did(asked, Filter::present(property), Window::ALL)?;
        Ok(Expr::And(vec![any, is_such.negated()]))
    }

    /// Whose first or last moment is such: one is, and none is beyond.
    fn edge(
        &mut self,
        asked: &Asked<'_>,
        wanted: &Wanted,
        beyond: Option<Range>,
    ) -> Result<Expr, ResolveError> {
        let window = |range: Range| Window {
            from_us: range.low,
            to_us: range.high,
        };
        self.grow(3, asked.span)?;
        let one = match range(wanted.low, wanted.high) {
            Some(range) => self.did(asked, Filter::All, window(range))?,
            None => Expr::None,
        };
        let is_such = match beyond {
            Some(beyond) => {
                let beyond = self.did(asked, Filter::All, window(beyond))?;
                Expr::And(vec![one, beyond.negated()])
            }
            None => one,
        };
        if !wanted.is_negated {
            return Ok(is_such);
        }
        let any = self.did(asked, Filter::All, Window::ALL)?;
        Ok(Expr::And(vec![any, is_such.negated()]))
    }

    fn sequence(
        &mut self,
        steps: &[Events],
        within: Option<&Spanned<Period>>,
        window: Option<&Spanned<ast::Window>>,
        span: Span,
    ) -> Result<Expr, ResolveError> {
        if steps.len() > STEPS_MAX {
            let max = STEPS_MAX as u64;
            return Err(ResolveError::TooMany {
                what: "steps of a sequence",
                max,
                span,
            });
        }
        let Some((first, rest)) = steps.split_first() else {
            return Ok(Expr::None);
        };
        let asked = self.events(first, window, span)?;
        let mut then = Vec::with_capacity(rest.len());
        for step in rest {
            let step = self.events(step, None, span)?;
            then.push(Step {
                event: step.event.id,
                filter: step.filter,
            });
        }
        let within_us = match within {
            Some(period) => exact_us(period.node).ok_or_else(|| {
                let message =
                    "the time of a sequence is in seconds to weeks, which all have a fixed length";
                ResolveError::mismatch(message, period.span)
            })?,
            None => i64::MAX,
        };
        match then.is_empty() {
            true => self.did(&asked, Filter::All, Window::ALL),
            false => self.ask(&asked, Question::Sequence { then, within_us }),
        }
    }

    /// A window at this moment; all time when none is written.
    pub(super) fn window(
        &mut self,
        window: Option<&Spanned<ast::Window>>,
    ) -> Result<Window, ResolveError> {
        let Some(window) = window else {
            return Ok(Window::ALL);
        };
        match &window.node {
            ast::Window::Last(period) => Ok(self.last(*period)),
            ast::Window::Between { first, last } => {
                let mut day = |value: &Option<Spanned<Value>>| {
                    let Some(value) = value else {
                        return Ok(None);
                    };
                    let literal = self.literal(value)?;
                    match literal.day() {
                        Some(day) => Ok(Some(day)),
                        None => {
                            let message =
                                format!("a window is of days, and {} is not", literal.describe());
                            Err(ResolveError::mismatch(message, value.span))
                        }
                    }
                };
                let (first, last) = (day(first)?, day(last)?);
                Ok(Window {
                    from_us: first.map_or(i64::MIN, time::micros_of_day),
                    to_us: last.map_or(i64::MAX, |day| Window::of_days(day, day).to_us),
                })
            }
        }
    }

    /// The last so many units: exact up to a day, and then whole days that end with today. What
    /// goes back beyond the calendar goes back for ever.
    fn last(&self, period: Period) -> Window {
        let now_us = time::micros_of_timestamp(self.now);
        let today = time::day_of_micros(now_us);
        let window = |first_day: Option<i32>| Window {
            from_us: first_day.map_or(i64::MIN, time::micros_of_day),
            ..Window::of_days(today, today)
        };
        let amount = i32::try_from(period.amount).unwrap_or(i32::MAX);
        match period.unit {
            TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => Window {
                from_us: exact_us(period)
                    .map_or(i64::MIN, |us| now_us.saturating_sub(us).saturating_add(1)),
                to_us: now_us,
            },
            TimeUnit::Day => window(today.checked_sub(amount - 1)),
            TimeUnit::Week => window(
                amount
                    .checked_mul(7)
                    .and_then(|days| today.checked_sub(days - 1)),
            ),
            TimeUnit::Month | TimeUnit::Year => {
                let back = RelativeTime {
                    anchor: TimeAnchor::Today,
                    amount: -amount,
                    unit: period.unit,
                };
                match time::resolve_relative(back, self.now) {
                    Ok(ResolvedTime::Day(day)) => window(day.checked_add(1)),
                    Ok(ResolvedTime::Micros(_)) | Err(_) => window(None),
                }
            }
        }
    }
}

/// A length of time that does not depend on the calendar, in microseconds.
fn exact_us(period: Period) -> Option<i64> {
    let unit = match period.unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Minute => 60_000_000,
        TimeUnit::Hour => 3_600_000_000,
        TimeUnit::Day => MICROS_PER_DAY,
        TimeUnit::Week => 7 * MICROS_PER_DAY,
        TimeUnit::Month | TimeUnit::Year => return None,
    };
    i64::from(period.amount).checked_mul(unit)
}

/// The raw numbers between two, as far as 64 bits hold them.
fn range(low: i128, high: i128) -> Option<Range> {
    let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
    if high < least || low > most {
        return None;
    }
    Range::new(
        low.clamp(least, most) as i64,
        high.clamp(least, most) as i64,
    )
}

fn whole(literal: &Literal, span: Span) -> Result<Extent, ResolveError> {
    let number = literal
        .number()
        .map(|(units, scale)| scaled(units, scale, 0));
    number.ok_or_else(|| {
        let message = format!("a number is expected, and {} is not", literal.describe());
        ResolveError::mismatch(message, span)
    })
}

fn moments(literal: &Literal, span: Span) -> Result<Extent, ResolveError> {
    literal.moments().ok_or_else(|| {
        let message = format!(
            "a moment or a day is expected, and {} is not",
            literal.describe()
        );
        ResolveError::mismatch(message, span)
    })
}

/// A number as a quotient in the units in which a property is kept.
fn quotient(literal: &Literal, kind: AttributeKind) -> Option<(i128, i128)> {
    let digits = match kind {
        AttributeKind::Decimal { scale } => scale,
        AttributeKind::Integer
        | AttributeKind::Enum(_)
        | AttributeKind::Multi(_)
        | AttributeKind::Date
        | AttributeKind::Timestamp
        | AttributeKind::Boolean
        | AttributeKind::Text
        | AttributeKind::User => 0,
    };
    let (units, scale) = literal.number()?;
    let numerator = units.checked_mul(10_i128.checked_pow(digits.into())?)?;
    Some((numerator, 10_i128.checked_pow(scale.into())?))
}

/// A condition on one event, made of tests of its properties only.
fn filter_of(expr: &Expr) -> Option<Filter> {
    let each = |of: &[Expr]| of.iter().map(filter_of).collect::<Option<Vec<_>>>();
    match expr {
        Expr::All => Some(Filter::All),
        Expr::None => Some(Filter::Or(Vec::new())),
        Expr::Leaf(Leaf::Present(property)) => Some(Filter::present(*property)),
        Expr::Leaf(Leaf::Value(property, code)) => {
            let code = code.0.into();
            Some(Filter::Test(
                *property,
                Range {
                    low: code,
                    high: code,
                },
            ))
        }
        Expr::Leaf(Leaf::Range(NumberId::Attribute(property), range)) => {
            Some(Filter::Test(*property, *range))
        }
        Expr::Leaf(
            Leaf::Range(NumberId::Since(_) | NumberId::Until(_), _)
            | Leaf::Tag(_)
            | Leaf::Text(..)
            | Leaf::Keys(_)
            | Leaf::Behaviour(_)
            | Leaf::Held(..)
            | Leaf::Recorded(..)
            | Leaf::Anniversary(..),
        ) => None,
        Expr::Not(inner) => Some(Filter::Not(Box::new(filter_of(inner)?))),
        Expr::And(of) => Some(Filter::And(each(of)?)),
        Expr::Or(of) => Some(Filter::Or(each(of)?)),
        Expr::AtLeast { .. } => None,
    }
}
