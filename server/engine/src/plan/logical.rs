//! An expression whose names are resolved: ids, codes, raw numbers.
//!
//! Knows what set of users is meant. Does not know how large it is, nor how it is found.

use std::sync::Arc;

use crate::{
    behaviour::Behaviour,
    ids::{AttributeId, NumberId, TagId, ValueCode},
    schema::{AttributeKind, Schema},
    storage::{Holding, Source},
    time::{MICROS_PER_DAY, day_of_micros, latest_with_years, micros_of_day},
};

/// A closed interval of raw numbers: integers, units of a decimal, days, or microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The least, included.
    pub low: i64,
    /// The greatest, included; not below `low`.
    pub high: i64,
}

impl Range {
    /// Every number.
    pub const FULL: Self = Self {
        low: i64::MIN,
        high: i64::MAX,
    };

    /// The interval, unless it is empty.
    pub fn new(low: i64, high: i64) -> Option<Self> {
        (low <= high).then_some(Self { low, high })
    }

    /// Whether a number lies in it.
    pub fn contains(self, value: i64) -> bool {
        self.low <= value && value <= self.high
    }

    /// What both have in common, unless that is nothing.
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.low.max(other.low), self.high.min(other.high))
    }

    /// One interval for both where they touch or overlap.
    pub fn join(self, other: Self) -> Option<Self> {
        let (left, right) = if self <= other {
            (self, other)
        } else {
            (other, self)
        };
        let touching = left.high == i64::MAX || right.low <= left.high + 1;
        touching.then(|| Self {
            low: left.low,
            high: left.high.max(right.high),
        })
    }
}

/// A set of users that no other sets make up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaf {
    /// The users with a holding of a tag, whatever its start and end.
    Tag(TagId),
    /// The users who have a value of an attribute.
    Present(AttributeId),
    /// The users who have this value of an enum, multi or boolean.
    Value(AttributeId, ValueCode),
    /// The users whose number lies in an interval.
    Range(NumberId, Range),
    /// The users whose text or user attribute is exactly this.
    Text(AttributeId, String),
    /// The users with these keys, as far as they exist. Sorted, each once.
    Keys(Vec<String>),
    /// The users who did something.
    Behaviour(Arc<Behaviour>),
    /// The users who hold a tag in a second, counted from 1970-01-01T00:00:00Z.
    Held(TagId, i64),
    /// The users with a holding of a tag of which their records say this.
    Recorded(TagId, HoldingTest),
    /// The users who had a tag taken from them by hand against its rule.
    Blocked(TagId),
    /// The users whose day has returned, at least a year later, on one of these days.
    Anniversary(AttributeId, DayUnit, Range),
    /// The users who invited, or were invited by, others.
    Referral(Arc<Referral>),
}

/// Who, by who invited whom. What it asks of others is found before the plan is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Referral {
    /// The attribute of inviters.
    pub attribute: AttributeId,
    /// What is asked.
    pub question: ReferralQuestion,
}

/// What is asked of who invited whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferralQuestion {
    /// Whose inviter is one of these.
    ReferredBy(Expr),
    /// Who invited one of these.
    InviterOf(Expr),
    /// Above whom is one of these, at most so many steps.
    DescendantsOf(Expr, u32),
    /// Who invited so many, at least one.
    Invited(Range),
}

impl ReferralQuestion {
    /// The users about whom it is asked, if it is about any.
    pub fn asked_of(&self) -> Option<&Expr> {
        match self {
            Self::ReferredBy(of) | Self::InviterOf(of) | Self::DescendantsOf(of, _) => Some(of),
            Self::Invited(_) => None,
        }
    }
}

/// What numbers are that stand for days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DayUnit {
    /// Days since 1970-01-01.
    Days,
    /// Microseconds since 1970-01-01T00:00:00Z, of which the day in UTC counts.
    Micros,
}

impl DayUnit {
    /// Of an attribute's numbers; `None` where they are no days.
    pub fn of(schema: &Schema, attribute: AttributeId) -> Option<Self> {
        match schema.attribute_by_id(attribute)?.kind {
            AttributeKind::Date => Some(Self::Days),
            AttributeKind::Timestamp => Some(Self::Micros),
            AttributeKind::Enum(_)
            | AttributeKind::Multi(_)
            | AttributeKind::Integer
            | AttributeKind::Decimal { .. }
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::User
            | AttributeKind::Inviter
            | AttributeKind::YearsSince(_) => None,
        }
    }

    /// The greatest number that stands for a day.
    pub fn last(self, day: i32) -> i64 {
        match self {
            Self::Days => day.into(),
            Self::Micros => micros_of_day(day) + (MICROS_PER_DAY - 1),
        }
    }

    /// The numbers of days from which so many whole years have passed on a day: from the day from
    /// which the most have, to the last from which the least have. `None` where there are none.
    pub fn years(self, (low, high): (i128, i128), today: i32) -> Option<Range> {
        let latest = |years: i128| {
            let years = i64::try_from(years).ok()?;
            latest_with_years(years, today)
        };
        // Beyond the calendar there are no days: nobody is so old, everybody is older.
        let last = match (low, latest(low)) {
            (_, Some(day)) => self.last(day),
            (low, None) if low > 0 => return None,
            (_, None) => i64::MAX,
        };
        let first = match latest(high.saturating_add(1)) {
            Some(day) => self.last(day).saturating_add(1),
            None if high > 0 => i64::MIN,
            None => return None,
        };
        Range::new(first, last)
    }

    /// The day that a number stands for.
    pub fn day(self, number: i64) -> i32 {
        match self {
            Self::Micros => day_of_micros(number),
            Self::Days => i32::try_from(number).unwrap_or(i32::MAX),
        }
    }
}

/// What is asked of a holding that no row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldingTest {
    /// It starts within these seconds.
    Since(Range),
    /// It comes from one of these sources.
    From(Sources),
}

impl HoldingTest {
    /// Whether a holding is such.
    pub fn holds(self, holding: Holding) -> bool {
        match self {
            Self::Since(range) => holding.since_s().is_some_and(|s| range.contains(s)),
            Self::From(sources) => sources.contains(holding.source),
        }
    }
}

/// A set of sources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sources(u8);

impl Sources {
    /// Whether a source is among them.
    pub fn contains(self, source: Source) -> bool {
        self.0 >> source as u8 & 1 == 1
    }

    /// Those of them, the strongest first.
    pub fn iter(self) -> impl Iterator<Item = Source> {
        Source::ALL
            .into_iter()
            .filter(move |source| self.contains(*source))
    }
}

impl FromIterator<Source> for Sources {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Self {
        let bits = sources.into_iter().map(|source| 1 << source as u8);
        Self(bits.fold(0, |all, bit: u8| all | bit))
    }
}

/// A set of users. Truth is two-valued: `Not(x)` is every living user outside `x`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expr {
    /// Every user.
    All,
    /// Nobody.
    None,
    /// A set that no other sets make up.
    Leaf(Leaf),
    /// Everybody else.
    Not(Box<Expr>),
    /// Who is in all of them; everybody when there are none.
    And(Vec<Expr>),
    /// Who is in one of them at least; nobody when there are none.
    Or(Vec<Expr>),
    /// Who is in so many of them at least. An operand written twice counts twice.
    AtLeast {
        /// How many must hold.
        threshold: u32,
        /// Of which.
        of: Vec<Expr>,
    },
}

impl Expr {
    /// Everybody outside an expression.
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Visits every leaf, in the order of the tree.
    pub fn for_each_leaf<'a>(&'a self, visit: &mut dyn FnMut(&'a Leaf)) {
        match self {
            Self::All | Self::None => {}
            Self::Leaf(leaf) => visit(leaf),
            Self::Not(inner) => inner.for_each_leaf(visit),
            Self::And(of) | Self::Or(of) | Self::AtLeast { of, .. } => {
                of.iter().for_each(|operand| operand.for_each_leaf(visit));
            }
        }
    }

    /// How deep the tree is; one for a leaf, and more for one that asks about others.
    pub fn depth(&self) -> usize {
        match self {
            Self::Leaf(Leaf::Referral(of)) => 1 + of.question.asked_of().map_or(0, Self::depth),
            Self::All | Self::None | Self::Leaf(_) => 1,
            Self::Not(inner) => 1 + inner.depth(),
            Self::And(of) | Self::Or(of) | Self::AtLeast { of, .. } => {
                1 + of.iter().map(Self::depth).max().unwrap_or(0)
            }
        }
    }
}

impl From<Leaf> for Expr {
    fn from(leaf: Leaf) -> Self {
        Self::Leaf(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_where_they_touch() {
        let range = |low, high| Range { low, high };
        let check = |left: Range, right: Range, expected: Option<Range>| {
            assert_eq!(left.join(right), expected, "{left:?} {right:?}");
            assert_eq!(right.join(left), expected, "{right:?} {left:?}");
        };
        check(range(1, 3), range(4, 6), Some(range(1, 6)));
        check(range(1, 3), range(5, 6), None);
        check(range(1, 9), range(2, 3), Some(range(1, 9)));
        check(range(1, i64::MAX), range(i64::MIN, 0), Some(Range::FULL));
        check(Range::FULL, range(i64::MAX, i64::MAX), Some(Range::FULL));
    }

    #[test]
    fn ranges_intersect() {
        let range = |low, high| Range { low, high };
        assert_eq!(range(1, 5).intersect(range(3, 9)), Some(range(3, 5)));
        assert_eq!(range(1, 2).intersect(range(3, 9)), None);
    }
}
