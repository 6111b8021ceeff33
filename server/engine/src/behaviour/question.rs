//! Questions about what each user did.

use std::cmp::Ordering;

use tessera_query_lang::ast::Comparison;

use super::bucket::Bucket;
use crate::{
    ids::{AttributeId, EventId},
    plan::{logical::Range, quantity::Quantity},
    time::{MICROS_PER_DAY, day_of_micros, micros_of_day},
};

/// A closed stretch of time, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Its first moment.
    pub from_us: i64,
    /// Its last moment.
    pub to_us: i64,
}

impl Window {
    /// All time.
    pub const ALL: Self = Self {
        from_us: i64::MIN,
        to_us: i64::MAX,
    };

    /// The days from the first to the last, both included.
    pub fn of_days(first: i32, last: i32) -> Self {
        Self {
            from_us: micros_of_day(first),
            to_us: micros_of_day(last).saturating_add(MICROS_PER_DAY - 1),
        }
    }

    /// Whether no moment is in it.
    pub fn is_empty(self) -> bool {
        self.from_us > self.to_us
    }

    /// Whether a moment is in it.
    pub fn contains(self, time_us: i64) -> bool {
        self.from_us <= time_us && time_us <= self.to_us
    }

    /// The days that it touches.
    pub fn days(self) -> (i32, i32) {
        (day_of_micros(self.from_us), day_of_micros(self.to_us))
    }

    /// Whether all of a bucket is in it.
    pub fn covers(self, bucket: Bucket) -> bool {
        let (first, last) = bucket.span_us();
        self.from_us <= first && last <= self.to_us
    }

    /// What both have in common; empty when that is nothing.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self {
            from_us: self.from_us.max(other.from_us),
            to_us: self.to_us.min(other.to_us),
        }
    }
}

/// Which events count, by their properties. Truth is two-valued: a test of a property is false
/// for an event that does not have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filter {
    /// Every event.
    All,
    /// The property's code or number lies in an interval.
    Test(AttributeId, Range),
    /// The others.
    Not(Box<Filter>),
    /// Those in all of them.
    And(Vec<Filter>),
    /// Those in one of them at least.
    Or(Vec<Filter>),
}

impl Filter {
    /// Those that have a property.
    pub fn present(property: AttributeId) -> Self {
        Self::Test(property, Range::FULL)
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) | (other, Self::All) => other,
            (left, right) => Self::And(vec![left, right]),
        }
    }

    /// Whether an event counts, by the values of its properties.
    pub fn matches(&self, value: &dyn Fn(AttributeId) -> Option<i64>) -> bool {
        match self {
            Self::All => true,
            Self::Test(property, range) => {
                value(*property).is_some_and(|value| range.contains(value))
            }
            Self::Not(inner) => !inner.matches(value),
            Self::And(of) => of.iter().all(|inner| inner.matches(value)),
            Self::Or(of) => of.iter().any(|inner| inner.matches(value)),
        }
    }

    /// Visits every property that is tested.
    pub fn for_each_property(&self, visit: &mut dyn FnMut(AttributeId)) {
        match self {
            Self::All => {}
            Self::Test(property, _) => visit(*property),
            Self::Not(inner) => inner.for_each_property(visit),
            Self::And(of) | Self::Or(of) => {
                of.iter().for_each(|inner| inner.for_each_property(visit));
            }
        }
    }
}

/// Numbers that a measure is tested for. Zero, which is the measure of whoever did nothing, never
/// passes: whoever asks for zero asks for the opposite of everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// From the first to the second, which do not have zero between them.
    Within(i128, i128),
    /// Below the first or above the second, which have zero between them.
    Outside(i128, i128),
}

impl Bound {
    /// Whether a measure passes.
    pub fn admits(self, measure: i128) -> bool {
        match self {
            Self::Within(low, high) => low <= measure && measure <= high,
            Self::Outside(low, high) => measure < low || high < measure,
        }
    }
}

/// A step of a sequence after the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// The kind of event.
    pub event: EventId,
    /// Which of them.
    pub filter: Filter,
}

/// What is asked about the events that count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Whether there is one.
    Did,
    /// How many there are.
    Count(Bound),
    /// On how many days, in UTC, there is one.
    Days(Bound),
    /// The sum of a property; events without it add nothing.
    Sum(AttributeId, Bound),
    /// The mean of a property of those that have it, compared with a quotient whose denominator
    /// is positive. Nobody without such an event passes.
    Average(AttributeId, Orderings, (i128, i128)),
    /// Whether the first of them, or one of those at the same moment, is such.
    First(Filter),
    /// Whether the last of them, or one of those at the same moment, is such.
    Last(Filter),
    /// Whether one of these codes is the most frequent of a property, alone or with others.
    /// Sorted, each once.
    Top(AttributeId, Vec<i64>),
    /// Whether one is followed by these steps, each later than the one before, the last at most
    /// so many microseconds after the first.
    Sequence {
        /// The steps after the first; one at least.
        then: Vec<Step>,
        /// The greatest distance of the last from the first.
        within_us: i64,
    },
}

/// A question about each user's events of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Behaviour {
    /// The kind of event.
    pub event: EventId,
    /// Which of them count.
    pub filter: Filter,
    /// When; in a sequence, the times of all steps.
    pub window: Window,
    /// What is asked about them.
    pub question: Question,
}

/// How two numbers may stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Orderings {
    less: bool,
    equal: bool,
    greater: bool,
}

impl Orderings {
    /// Whether two numbers that stand so to each other pass.
    pub fn admits(self, ordering: Ordering) -> bool {
        match ordering {
            Ordering::Less => self.less,
            Ordering::Equal => self.equal,
            Ordering::Greater => self.greater,
        }
    }

    /// Whether a mean, given as sum and count, stands so to a quotient. That of nothing does not.
    pub fn admit_mean(self, sum: i128, count: u32, (numerator, denominator): (i128, i128)) -> bool {
        let mean = Quantity::quotient(sum, count.into());
        let than = Quantity::quotient(numerator, denominator);
        mean.zip(than)
            .is_some_and(|(mean, than)| self.admits(mean.cmp(&than)))
    }
}

impl From<Comparison> for Orderings {
    fn from(comparison: Comparison) -> Self {
        let (less, equal, greater) = match comparison {
            Comparison::Equal => (false, true, false),
            Comparison::NotEqual => (true, false, true),
            Comparison::Less => (true, false, false),
            Comparison::LessOrEqual => (true, true, false),
            Comparison::Greater => (false, false, true),
            Comparison::GreaterOrEqual => (false, true, true),
        };
        Self {
            less,
            equal,
            greater,
        }
    }
}
