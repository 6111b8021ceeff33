//! How tags are held: conditions on holdings, what has lapsed, and the terms of `TAG`.
//!
//! Holdings are counted in whole seconds; what is finer is cut off towards the past, as it was
//! when they were written.

use std::ops::RangeInclusive;

use tessera_query_lang::ast::{
    self, Comparison, HoldingEnd, HoldingTerms, HoldingTest, Period, Presence, RangeTest, Span,
    Spanned, TagPattern, TimeUnit, Value, Window,
};

use super::{Literal, ResolveError, Resolver, attribute::union, literal::kind_name};
use crate::{
    ids::{NumberId, TagId},
    plan::logical::{self, DayUnit, Expr, Leaf, Range, Sources},
    schema::{AttributeDefinition, AttributeKind},
    storage::Source,
    time::{self, Length, LengthUnit, ResolvedTime, SECONDS_PER_DAY},
    write::{HoldEnd, HoldTerms},
};

/// The seconds that a value stands for: a whole day for a date, one for a moment.
type Seconds = RangeInclusive<i64>;

impl Resolver<'_> {
    /// `tag:x[…]`
    pub(super) fn held(
        &mut self,
        patterns: &[Spanned<TagPattern>],
        tests: &[HoldingTest],
    ) -> Result<Expr, ResolveError> {
        let mut any = Vec::new();
        for pattern in patterns {
            for tag in self.tags_matching(pattern)? {
                let mut all = vec![self.given(tag, pattern.span)?];
                for test in tests {
                    all.push(self.holding_test(tag, test, pattern.span)?);
                }
                self.grow(1, pattern.span)?;
                any.push(Expr::And(all));
                any.extend(self.held_by_rule(tag, tests, pattern.span)?);
            }
        }
        Ok(union(any))
    }

    fn holding_test(
        &mut self,
        tag: TagId,
        test: &HoldingTest,
        span: Span,
    ) -> Result<Expr, ResolveError> {
        match test {
            HoldingTest::Since(test) => self.since(tag, test, span),
            HoldingTest::Until(test) => {
                let ranges = self.seconds(test, span)?;
                self.any_range(NumberId::Until(tag), &ranges, span)
            }
            HoldingTest::UntilIs(presence) => {
                self.grow(1, span)?;
                let ends = self.leaf(Leaf::Range(NumberId::Until(tag), Range::FULL), span)?;
                Ok(match presence {
                    Presence::Present => ends,
                    Presence::Missing => ends.negated(),
                })
            }
            HoldingTest::Source(sources) => {
                let sources: Sources = sources.iter().map(|it| source_of(it.node)).collect();
                let test = logical::HoldingTest::From(sources);
                self.leaf(Leaf::Recorded(tag, test), span)
            }
        }
    }

    /// Holdings that start and end have rows; since when the others are held only records say.
    fn since(&mut self, tag: TagId, test: &RangeTest, span: Span) -> Result<Expr, ResolveError> {
        let ranges = self.seconds(test, span)?;
        let recorded = |range: &Range| Leaf::Recorded(tag, logical::HoldingTest::Since(*range));
        let mut standing = Vec::new();
        for range in &ranges {
            standing.push(self.leaf(recorded(range), span)?);
        }
        let standing = union(standing);
        if !self.schema.is_timed(tag) {
            return Ok(standing);
        }
        let since = NumberId::Since(tag);
        let timed = self.any_range(since, &ranges, span)?;
        let has_rows = self.leaf(Leaf::Range(since, Range::FULL), span)?;
        self.grow(3, span)?;
        let tagged = self.leaf(Leaf::Tag(tag), span)?;
        let without_rows = Expr::And(vec![tagged, has_rows.negated(), standing]);
        Ok(Expr::Or(vec![timed, without_rows]))
    }

    fn any_range(
        &mut self,
        number: NumberId,
        ranges: &[Range],
        span: Span,
    ) -> Result<Expr, ResolveError> {
        let leaves = ranges
            .iter()
            .map(|range| self.leaf(Leaf::Range(number, *range), span));
        Ok(union(leaves.collect::<Result<_, _>>()?))
    }

    /// `lapsed(tag:x, 30d)`
    pub(super) fn lapsed(
        &mut self,
        patterns: &[Spanned<TagPattern>],
        window: Option<&Spanned<Window>>,
    ) -> Result<Expr, ResolveError> {
        let now_s = self.now_s();
        let range = match window {
            Some(window) => self.window_seconds(window)?,
            None => Some((i64::MIN, i64::MAX)),
        };
        // What is to end later has not ended.
        let range = range.and_then(|(first, last)| Range::new(first, last.min(now_s)));
        let mut any = Vec::new();
        for pattern in patterns {
            for tag in self.tags_matching(pattern)? {
                self.check_ends(tag, pattern)?;
                if let Some(range) = range {
                    let number = NumberId::Until(tag);
                    let ended = self.leaf(Leaf::Range(number, range), pattern.span)?;
                    any.push(match self.by_rule(tag, pattern.span)? {
                        None => ended,
                        // Who holds it by a rule still holds it.
                        Some(by_rule) => {
                            self.grow(2, pattern.span)?;
                            Expr::And(vec![ended, by_rule.negated()])
                        }
                    });
                }
            }
        }
        Ok(union(any))
    }

    /// Refuses a static tag, unless a glob happens to match it.
    fn check_ends(&self, tag: TagId, pattern: &Spanned<TagPattern>) -> Result<(), ResolveError> {
        let is_named = match pattern.node {
            TagPattern::Name(_) | TagPattern::Parameter(_) => true,
            TagPattern::Glob(_) => false,
        };
        let definition = self.schema.tag_by_id(tag);
        match definition.filter(|_| is_named && !self.schema.is_timed(tag)) {
            Some(tag) => Err(ResolveError::mismatch(
                format!("the tag {} is static: holdings of it do not end", tag.name),
                pattern.span,
            )),
            None => Ok(()),
        }
    }

    /// The first and the last second of a window, unless it is empty.
    fn window_seconds(
        &mut self,
        window: &Spanned<Window>,
    ) -> Result<Option<(i64, i64)>, ResolveError> {
        let (first, last) = match &window.node {
            Window::Last(period) => {
                // What goes back beyond the calendar goes back for ever, as of events.
                let start = self.window_start(*period, window.span);
                (start.unwrap_or(i64::MIN), self.now_s())
            }
            Window::Between { first, last } => {
                let first = self.optional_seconds(first.as_ref())?;
                let last = self.optional_seconds(last.as_ref())?;
                (
                    first.map_or(i64::MIN, |first| *first.start()),
                    last.map_or(i64::MAX, |last| *last.end()),
                )
            }
        };
        Ok((first <= last).then_some((first, last)))
    }

    /// The first second of the last so many whole days, or of so long before now.
    pub(super) fn window_start(&self, period: Period, span: Span) -> Result<i64, ResolveError> {
        let beyond = || ResolveError::mismatch("this window begins before the calendar", span);
        let amount = i32::try_from(period.amount).map_err(|_| beyond())?;
        let is_exact = matches!(
            period.unit,
            TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour
        );
        let anchor = if is_exact {
            ast::TimeAnchor::Now
        } else {
            ast::TimeAnchor::Today
        };
        let start = ast::RelativeTime {
            anchor,
            amount: -amount,
            unit: period.unit,
        };
        match time::resolve_relative(start, self.now).map_err(|_| beyond())? {
            // The days after that one.
            ResolvedTime::Day(day) => Ok((i64::from(day) + 1) * SECONDS_PER_DAY),
            ResolvedTime::Micros(micros) => Ok(time::second_of_micros(micros) + 1),
        }
    }

    /// The seconds that a test admits, as closed ranges.
    fn seconds(&mut self, test: &RangeTest, span: Span) -> Result<Vec<Range>, ResolveError> {
        let range = |low, high| Range::new(low, high);
        let ranges = match test {
            RangeTest::Between { low, high } => {
                let low = self.optional_seconds(low.as_ref())?;
                let high = self.optional_seconds(high.as_ref())?;
                let low = low.map_or(i64::MIN, |low| *low.start());
                [range(low, high.map_or(i64::MAX, |high| *high.end())), None]
            }
            RangeTest::Compare(comparison, value) => {
                let (first, last) = self.second_of(value)?.into_inner();
                match comparison {
                    Comparison::Less => [range(i64::MIN, first.saturating_sub(1)), None],
                    Comparison::LessOrEqual => [range(i64::MIN, last), None],
                    Comparison::Greater => [range(last.saturating_add(1), i64::MAX), None],
                    Comparison::GreaterOrEqual => [range(first, i64::MAX), None],
                    Comparison::Equal => [range(first, last), None],
                    Comparison::NotEqual => [
                        range(i64::MIN, first.saturating_sub(1)),
                        range(last.saturating_add(1), i64::MAX),
                    ],
                }
            }
        };
        self.grow(1, span)?;
        Ok(ranges.into_iter().flatten().collect())
    }

    fn optional_seconds(
        &mut self,
        value: Option<&Spanned<Value>>,
    ) -> Result<Option<Seconds>, ResolveError> {
        value.map(|value| self.second_of(value)).transpose()
    }

    fn second_of(&mut self, value: &Spanned<Value>) -> Result<Seconds, ResolveError> {
        let literal = self.literal(value)?;
        let day = |day: i32| {
            let first = i64::from(day) * SECONDS_PER_DAY;
            first..=first + SECONDS_PER_DAY - 1
        };
        let moment = |micros| {
            let second = time::second_of_micros(micros);
            second..=second
        };
        let seconds = match &literal {
            Literal::Day(days) => Some(day(*days)),
            Literal::Moment(micros) => Some(moment(*micros)),
            Literal::Text(text) => match time::parse_date(text) {
                Ok(days) => Some(day(days)),
                Err(_) => time::parse_timestamp(text).ok().map(moment),
            },
            Literal::Number { .. } | Literal::Boolean(_) => None,
        };
        seconds.ok_or_else(|| {
            let what = literal.describe();
            let message = format!("a date or a timestamp is expected, and {what} is neither");
            ResolveError::mismatch(message, value.span)
        })
    }

    /// The terms of `TAG`. A date is its first second.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn hold_terms(&mut self, terms: &HoldingTerms) -> Result<HoldTerms, ResolveError> {
        let from = self.optional_seconds(terms.from.as_ref())?;
        let end = match &terms.end {
            Some(HoldingEnd::Until(value)) => HoldEnd::At(*self.second_of(value)?.start()),
            Some(HoldingEnd::For(period)) => HoldEnd::After(length_of(period.node)),
            None => HoldEnd::OfTag,
        };
        let source = terms.source.as_ref().map(|source| source_of(source.node));
        Ok(HoldTerms {
            since_s: from.map(|from| *from.start()),
            end,
            source: source.unwrap_or_default(),
        })
    }

    /// `birthday ANNIVERSARY IN …`
    pub(super) fn anniversary(
        &mut self,
        attribute: &AttributeDefinition,
        first: &Spanned<Value>,
        last: &Spanned<Value>,
        span: Span,
    ) -> Result<Expr, ResolveError> {
        let unit = match attribute.kind {
            AttributeKind::Date => DayUnit::Days,
            AttributeKind::Timestamp => DayUnit::Micros,
            AttributeKind::Enum(_)
            | AttributeKind::Multi(_)
            | AttributeKind::Integer
            | AttributeKind::Decimal { .. }
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::User
            | AttributeKind::Inviter
            | AttributeKind::YearsSince(_) => {
                let (name, kind) = (&attribute.name, kind_name(&attribute.kind));
                let message =
                    format!("{name} is {kind}: only dates and timestamps have anniversaries");
                return Err(ResolveError::mismatch(message, span));
            }
        };
        let day = |seconds: Seconds| seconds.start().div_euclid(SECONDS_PER_DAY);
        let (first, last) = (day(self.second_of(first)?), day(self.second_of(last)?));
        match Range::new(first, last) {
            Some(days) => self.leaf(Leaf::Anniversary(attribute.id, unit, days), span),
            None => {
                self.grow(1, span)?;
                Ok(Expr::None)
            }
        }
    }
}

/// A source as it is stored.
pub(crate) fn source_of(source: ast::Source) -> Source {
    match source {
        ast::Source::Manual => Source::Manual,
        ast::Source::Import => Source::Import,
        ast::Source::Rule => Source::Rule,
        ast::Source::Model => Source::Model,
    }
}

/// A length as it is stored.
pub(crate) fn length_of(period: Period) -> Length {
    let unit = match period.unit {
        TimeUnit::Second => LengthUnit::Second,
        TimeUnit::Minute => LengthUnit::Minute,
        TimeUnit::Hour => LengthUnit::Hour,
        TimeUnit::Day => LengthUnit::Day,
        TimeUnit::Week => LengthUnit::Week,
        TimeUnit::Month => LengthUnit::Month,
        TimeUnit::Year => LengthUnit::Year,
    };
    Length {
        amount: period.amount,
        unit,
    }
}
