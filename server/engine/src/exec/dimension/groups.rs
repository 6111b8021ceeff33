//! What came out: groups with their statistics, and the measures of each.

use tessera_query_lang::ast::Comparison;

use super::{statistics::Statistics, table::GroupKey};
use crate::{
    datum::Datum,
    plan::{
        quantity::Quantity,
        query::{Having, MeasureKind, NumberUnit, Statistic},
    },
};

/// All groups with users.
pub(super) struct Groups {
    pub(super) groups: Vec<Group>,
    /// The users of the segment, each once.
    pub(super) users: u64,
}

/// The users of one combination.
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) count: u64,
    pub(super) statistics: Vec<Statistics>,
}

impl Group {
    /// A measure as an exact quantity; `None` where no number is there to measure.
    pub(super) fn quantity(&self, measure: MeasureKind, users: u64) -> Option<Quantity> {
        match measure {
            MeasureKind::Count => Some(Quantity::whole(self.count)),
            MeasureKind::Share => Quantity::quotient(self.count.into(), users.into()),
            MeasureKind::Of(statistic, index, unit) => {
                let scale = match unit {
                    NumberUnit::Decimal(scale) => scale,
                    NumberUnit::Integer | NumberUnit::Date | NumberUnit::Timestamp => 0,
                };
                let statistics = self.measured(index)?;
                let (units, divisor) = match statistic {
                    Statistic::Sum => (statistics.sum, 1),
                    Statistic::Average => (statistics.sum, i128::from(statistics.count)),
                    Statistic::Min => (statistics.min.into(), 1),
                    Statistic::Max => (statistics.max.into(), 1),
                    Statistic::Percentile(percent) => (statistics.percentile(percent)?.into(), 1),
                };
                Quantity::quotient(
                    units,
                    divisor.checked_mul(10_i128.checked_pow(scale.into())?)?,
                )
            }
        }
    }

    /// A measure as it is returned.
    pub(super) fn datum(&self, measure: MeasureKind, users: u64) -> Datum {
        let quantity = || {
            self.quantity(measure, users)
                .map_or(Datum::Null, |quantity| Datum::Real(quantity.to_f64()))
        };
        match measure {
            MeasureKind::Count => Datum::Integer(i64::try_from(self.count).unwrap_or(i64::MAX)),
            MeasureKind::Share => quantity(),
            MeasureKind::Of(statistic, index, unit) => {
                let Some(statistics) = self.measured(index) else {
                    return Datum::Null;
                };
                match statistic {
                    Statistic::Sum => sum_datum(statistics.sum, unit),
                    Statistic::Average => quantity(),
                    Statistic::Min => number_datum(statistics.min, unit),
                    Statistic::Max => number_datum(statistics.max, unit),
                    Statistic::Percentile(percent) => statistics
                        .percentile(percent)
                        .map_or(Datum::Null, |number| number_datum(number, unit)),
                }
            }
        }
    }

    /// The statistics of an attribute of which the group has numbers.
    fn measured(&self, index: usize) -> Option<&Statistics> {
        self.statistics
            .get(index)
            .filter(|statistics| statistics.count > 0)
    }

    /// Whether a condition holds. A missing measure compares as false.
    pub(super) fn satisfies(&self, having: &Having, users: u64) -> bool {
        match having {
            Having::Not(inner) => !self.satisfies(inner, users),
            Having::And(of) => of.iter().all(|having| self.satisfies(having, users)),
            Having::Or(of) => of.iter().any(|having| self.satisfies(having, users)),
            Having::Compare(measure, comparison, first, last) => {
                let Some(quantity) = self.quantity(*measure, users) else {
                    return false;
                };
                match comparison {
                    Comparison::Equal => *first <= quantity && quantity <= *last,
                    Comparison::NotEqual => quantity < *first || *last < quantity,
                    Comparison::Less => quantity < *first,
                    Comparison::LessOrEqual => quantity <= *last,
                    Comparison::Greater => quantity > *last,
                    Comparison::GreaterOrEqual => quantity >= *first,
                }
            }
        }
    }
}

fn sum_datum(sum: i128, unit: NumberUnit) -> Datum {
    match (unit, i64::try_from(sum)) {
        (NumberUnit::Decimal(scale), _) => Datum::Decimal { units: sum, scale },
        (NumberUnit::Integer | NumberUnit::Date | NumberUnit::Timestamp, Ok(sum)) => {
            Datum::Integer(sum)
        }
        (NumberUnit::Integer | NumberUnit::Date | NumberUnit::Timestamp, Err(_)) => {
            Datum::Decimal {
                units: sum,
                scale: 0,
            }
        }
    }
}

/// What a raw number means.
pub(super) fn number_datum(number: i64, unit: NumberUnit) -> Datum {
    match unit {
        NumberUnit::Integer => Datum::Integer(number),
        NumberUnit::Decimal(scale) => Datum::Decimal {
            units: number.into(),
            scale,
        },
        NumberUnit::Date => i32::try_from(number).map_or(Datum::Null, Datum::Date),
        NumberUnit::Timestamp => Datum::Timestamp(number),
    }
}
