//! What came out: groups with their statistics, and the measures of each.

use tessera_query_lang::ast::Comparison;

use super::{
    narrow::Narrowed,
    split::Component,
    statistics::{Distribution, Totals},
    table::Table,
};
use crate::{
    datum::Datum,
    error::Error,
    exec::limits::QueryLimitError,
    plan::{
        quantity::Quantity,
        query::{Having, MeasureKind, NumberUnit, Statistic},
    },
};

/// All groups with users.
pub(super) struct Groups<'t> {
    table: Table<'t>,
    /// The slots with users.
    slots: Vec<u32>,
    /// For each measured attribute the wanted percentiles, and what they are in each group.
    percentiles: Vec<(Vec<u8>, Vec<Option<i64>>)>,
}

/// One group, by its place among all of them.
pub(super) type GroupIndex = u32;

impl<'t> Groups<'t> {
    /// The groups of a table.
    ///
    /// # Errors
    /// When there are too many of them.
    pub(super) fn new(
        mut table: Table<'t>,
        groups_max: usize,
        percentiles: Vec<Vec<u8>>,
    ) -> Result<Self, Error> {
        table.finish()?;
        let with_users = (0..table.slots()).filter(|slot| table.count(*slot) > 0);
        // Slots are below 2^32, see `Table::slot`.
        let slots: Vec<u32> = with_users.map(|slot| slot as u32).collect();
        if slots.len() > groups_max {
            return Err(QueryLimitError::Groups { max: groups_max }.into());
        }
        table.claim_output(output_bytes(&table, &slots, &percentiles))?;
        let percentiles = percentiles
            .into_iter()
            .enumerate()
            .map(|(measured, percents)| {
                let found = percentiles_of(&table, &slots, measured, &percents);
                (percents, found)
            })
            .collect();
        Ok(Self {
            table,
            slots,
            percentiles,
        })
    }

    /// Every group, in no useful order.
    pub(super) fn indices(&self) -> Vec<GroupIndex> {
        (0..).take(self.slots.len()).collect()
    }

    /// A group's component in a dim.
    pub(super) fn component(&self, group: GroupIndex, dim: usize) -> Component {
        let index = self.table.key(self.slot(group)).index(dim);
        self.table.axes.get(dim)?.component(index)
    }

    /// What is counted, users or events, each once.
    fn users(&self) -> u64 {
        self.table.users()
    }

    fn slot(&self, group: GroupIndex) -> usize {
        self.slots.get(group as usize).copied().unwrap_or_default() as usize
    }

    fn count(&self, group: GroupIndex) -> u64 {
        self.table.count(self.slot(group))
    }

    /// A measure as an exact quantity; `None` where no number is there to measure.
    pub(super) fn quantity(&self, group: GroupIndex, measure: MeasureKind) -> Option<Quantity> {
        match measure {
            MeasureKind::Count => Some(Quantity::whole(self.count(group))),
            MeasureKind::Share => Quantity::quotient(self.count(group).into(), self.users().into()),
            MeasureKind::Of(statistic, index, unit) => {
                let (units, divisor) = self.units(group, statistic, index)?;
                let scale = match (statistic, unit) {
                    (Statistic::Number | Statistic::Different, _) => 0,
                    (_, NumberUnit::Decimal(scale)) => scale,
                    (_, NumberUnit::Integer | NumberUnit::Date | NumberUnit::Timestamp) => 0,
                };
                Quantity::quotient(
                    units,
                    divisor.checked_mul(10_i128.checked_pow(scale.into())?)?,
                )
            }
        }
    }

    /// A statistic in the units of its numbers, as a quotient.
    fn units(&self, group: GroupIndex, statistic: Statistic, index: usize) -> Option<(i128, i128)> {
        let totals = self.measured(group, index);
        let units = match statistic {
            Statistic::Number => totals.map_or(0, |totals| totals.count.into()),
            Statistic::Different => self.different(group, index).into(),
            Statistic::Total => totals.map_or(0, |totals| totals.sum),
            Statistic::Sum => totals?.sum,
            Statistic::Average => return totals.map(|of| (of.sum, of.count.into())),
            Statistic::Min => totals?.min.into(),
            Statistic::Max => totals?.max.into(),
            Statistic::Percentile(percent) => self.percentile(group, index, percent)?.into(),
        };
        Some((units, 1))
    }

    /// A measure as it is returned.
    pub(super) fn datum(&self, group: GroupIndex, measure: MeasureKind) -> Datum {
        let quantity = || {
            self.quantity(group, measure)
                .map_or(Datum::Null, |quantity| Datum::Real(quantity.to_f64()))
        };
        match measure {
            MeasureKind::Count => {
                Datum::Integer(i64::try_from(self.count(group)).unwrap_or(i64::MAX))
            }
            MeasureKind::Share => quantity(),
            MeasureKind::Of(statistic, index, unit) => {
                let Some((units, _)) = self.units(group, statistic, index) else {
                    return Datum::Null;
                };
                let number = i64::try_from(units).unwrap_or(i64::MAX);
                match statistic {
                    Statistic::Number | Statistic::Different => Datum::Integer(number),
                    Statistic::Sum | Statistic::Total => sum_datum(units, unit),
                    Statistic::Average => quantity(),
                    Statistic::Min | Statistic::Max | Statistic::Percentile(_) => {
                        number_datum(number, unit)
                    }
                }
            }
        }
    }

    /// The totals of numbers, where the group has any.
    fn measured(&self, group: GroupIndex, index: usize) -> Option<Totals> {
        let totals = self.table.numbers().get(index)?.totals(self.slot(group));
        (totals.count > 0).then_some(totals)
    }

    fn different(&self, group: GroupIndex, index: usize) -> u64 {
        let numbers = self.table.numbers().get(index);
        let distribution = numbers.and_then(|numbers| numbers.distribution(self.slot(group)));
        distribution.map_or(0, |distribution| distribution.different() as u64)
    }

    fn percentile(&self, group: GroupIndex, index: usize, percent: u8) -> Option<i64> {
        let (percents, found) = self.percentiles.get(index)?;
        let place = percents.iter().position(|known| *known == percent)?;
        *found.get(group as usize * percents.len() + place)?
    }

    /// Whether every percentile is in its group's windows: then it is that of all numbers.
    pub(super) fn are_within(&self, narrowed: &Narrowed<'_>) -> bool {
        self.indices().into_iter().all(|group| {
            let windows = narrowed.windows(&self.table.key(self.slot(group)));
            let measured = windows.iter().zip(&self.percentiles);
            measured
                .filter_map(|(windows, known)| Some((windows.as_ref()?, known)))
                .all(|(windows, (percents, found))| {
                    let found = found.chunks(percents.len().max(1)).nth(group as usize);
                    let mut found = found.unwrap_or_default().iter().flatten();
                    found.all(|number| windows.hold(*number))
                })
        })
    }

    /// Whether a condition holds. A missing measure compares as false.
    pub(super) fn satisfies(&self, group: GroupIndex, having: &Having) -> bool {
        match having {
            Having::Not(inner) => !self.satisfies(group, inner),
            Having::And(of) => of.iter().all(|having| self.satisfies(group, having)),
            Having::Or(of) => of.iter().any(|having| self.satisfies(group, having)),
            Having::Compare(measure, comparison, first, last) => {
                let Some(quantity) = self.quantity(group, *measure) else {
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

/// Bytes of lists over groups, and of what finding percentiles takes.
fn output_bytes(table: &Table<'_>, slots: &[u32], percentiles: &[Vec<u8>]) -> usize {
    let percents = percentiles.iter().map(Vec::len).sum::<usize>();
    // Two lists over groups may double while they grow.
    let lists = 4 * size_of::<GroupIndex>() + 2 * percents * size_of::<Option<i64>>();
    let of_slot = |slot: &u32| {
        let numbers = table.numbers().iter();
        let distributions = numbers.filter_map(|numbers| numbers.distribution(*slot as usize));
        distributions
            .map(Distribution::percentile_bytes)
            .max()
            .unwrap_or(0)
    };
    slots.len() * lists + slots.iter().map(of_slot).max().unwrap_or(0)
}

/// The percentiles of each slot, one slot after the other.
fn percentiles_of(
    table: &Table<'_>,
    slots: &[u32],
    measured: usize,
    percents: &[u8],
) -> Vec<Option<i64>> {
    let Some(numbers) = table
        .numbers()
        .get(measured)
        .filter(|_| !percents.is_empty())
    else {
        return Vec::new();
    };
    let of_slot = |slot: &u32| match numbers.distribution(*slot as usize) {
        Some(distribution) => distribution.percentiles(percents),
        None => vec![None; percents.len()],
    };
    slots.iter().flat_map(of_slot).collect()
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
