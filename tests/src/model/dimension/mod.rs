//! `DIMENSION`: the groups of a segment, user by user.

mod fraction;
mod split;

use std::{cmp::Ordering, collections::BTreeMap};

use tessera_protocol::message::{Datum, FailureCode};
use tessera_query_lang::{
    ast::{
        AttributeType, Comparison, Dimension, DimensionOrder, Direction, Having, Measure, Spanned,
    },
    name::Name,
};

use super::{
    Attribute, Model, Refused, User,
    value::{Held, ordered, power, shown},
};
use fraction::Fraction;
use split::{Part, Split, combinations, number_of};

/// The users of a group, as the measures need them.
type Group<'a> = Vec<&'a User>;

impl Model {
    /// The rows of a `DIMENSION`, in order.
    ///
    /// # Errors
    /// A name is not defined, or something does not fit its type.
    pub fn dimension(&self, dimension: &Dimension) -> Result<Vec<Vec<Datum>>, Refused> {
        let splits = dimension
            .dims
            .iter()
            .map(|dim| self.split(dim))
            .collect::<Result<Vec<_>, _>>()?;
        let measures = measures_of(dimension);
        self.check_measures(dimension, &measures, &splits)?;
        let keys = self.matching(&dimension.filter)?;
        let mut groups: BTreeMap<Vec<Part>, Group<'_>> = BTreeMap::new();
        for key in &keys {
            let user = &self.users[key];
            for parts in combinations(&splits, user) {
                groups.entry(parts).or_default().push(user);
            }
        }
        let mut rows: Vec<(Vec<Part>, Group<'_>)> = Vec::new();
        for (parts, group) in groups {
            let keep = match &dimension.having {
                Some(having) => self.having(having, &group, keys.len())?,
                None => true,
            };
            if keep {
                rows.push((parts, group));
            }
        }
        self.sort(dimension, &splits, &mut rows, keys.len())?;
        rows.truncate(
            dimension
                .top
                .as_ref()
                .map_or(usize::MAX, |top| usize::try_from(top.node).expect("few")),
        );
        let row = |(parts, group): &(Vec<Part>, Group<'_>)| {
            let dims = splits
                .iter()
                .zip(parts)
                .map(|(split, part)| split.shown(part));
            let values = measures
                .iter()
                .map(|measure| self.measure(measure, group, keys.len()));
            dims.map(Ok).chain(values).collect::<Result<Vec<_>, _>>()
        };
        rows.iter().map(row).collect()
    }

    /// Everything that a measure names must be a number, whether there are groups or not.
    fn check_measures(
        &self,
        dimension: &Dimension,
        measures: &[Measure],
        splits: &[Split],
    ) -> Result<(), Refused> {
        for measure in measures {
            self.measure(measure, &Vec::new(), 0)?;
        }
        if let Some(having) = &dimension.having {
            self.having(having, &Vec::new(), 0)?;
        }
        for (order, _) in &dimension.order {
            match order {
                DimensionOrder::Dim(name) => {
                    position(splits, name.node.as_str())?;
                }
                DimensionOrder::Measure(measure) => {
                    self.measure(&measure.node, &Vec::new(), 0)?;
                }
            }
        }
        Ok(())
    }

    fn measure(
        &self,
        measure: &Measure,
        group: &Group<'_>,
        whole: usize,
    ) -> Result<Datum, Refused> {
        let statistic =
            |name: &Spanned<_>, compute: fn(&[i64], u8) -> Option<i64>, argument: u8| {
                let (kind, numbers) = self.numbers(name, group)?;
                Ok(compute(&numbers, argument)
                    .map_or(Datum::Null, |number| shown(kind, &Held::Number(number))))
            };
        match measure {
            Measure::Count => Ok(Datum::Integer(group.len() as i64)),
            Measure::Users | Measure::Events(_) => panic!("the model does not know {measure}"),
            Measure::Share if whole == 0 => Ok(Datum::Real(0.0)),
            Measure::Share => Ok(Datum::Real(group.len() as f64 / whole as f64)),
            Measure::Sum(name) => self.total(name, group, total_shown),
            Measure::Average(name) => self.total(name, group, |sum, count, scale| {
                Datum::Real(sum as f64 / count as f64 / power(scale) as f64)
            }),
            Measure::Min(name) => statistic(name, |numbers, _| numbers.first().copied(), 0),
            Measure::Max(name) => statistic(name, |numbers, _| numbers.last().copied(), 0),
            Measure::Percentile(rank, name) => statistic(name, percentile, *rank),
        }
    }

    /// A group's numbers, sorted.
    fn numbers(
        &self,
        name: &Spanned<Name>,
        group: &Group<'_>,
    ) -> Result<(&AttributeType, Vec<i64>), Refused> {
        let kind = &self.attribute(name.node.as_str())?.kind;
        match kind {
            AttributeType::Integer
            | AttributeType::Decimal(_)
            | AttributeType::Date
            | AttributeType::Timestamp => {}
            AttributeType::Enum(_)
            | AttributeType::Multi(_)
            | AttributeType::Boolean
            | AttributeType::Text
            | AttributeType::User => return Err(FailureCode::TypeMismatch),
        }
        let mut numbers: Vec<i64> = group
            .iter()
            .filter_map(|user| number_of(user, name.node.as_str()))
            .collect();
        numbers.sort_unstable();
        Ok((kind, numbers))
    }

    fn total(
        &self,
        name: &Spanned<Name>,
        group: &Group<'_>,
        show: impl Fn(i128, usize, u8) -> Datum,
    ) -> Result<Datum, Refused> {
        let (kind, numbers) = self.numbers(name, group)?;
        let scale = match kind {
            AttributeType::Decimal(scale) => *scale,
            AttributeType::Date | AttributeType::Timestamp => {
                return Err(FailureCode::TypeMismatch);
            }
            AttributeType::Integer
            | AttributeType::Enum(_)
            | AttributeType::Multi(_)
            | AttributeType::Boolean
            | AttributeType::Text
            | AttributeType::User => 0,
        };
        if numbers.is_empty() {
            return Ok(Datum::Null);
        }
        Ok(show(
            numbers.iter().map(|number| i128::from(*number)).sum(),
            numbers.len(),
            scale,
        ))
    }

    /// A measure without rounding; nothing where it is missing.
    fn exact(
        &self,
        measure: &Measure,
        group: &Group<'_>,
        whole: usize,
    ) -> Result<Option<Fraction>, Refused> {
        let fraction = match measure {
            Measure::Share if whole == 0 => return Ok(None),
            Measure::Share => Some(Fraction::new(group.len() as i128, whole as i128)),
            Measure::Average(name) => {
                // Refuses what does not add up.
                self.measure(measure, group, whole)?;
                let (kind, numbers) = self.numbers(name, group)?;
                let sum = numbers.iter().map(|number| i128::from(*number)).sum();
                let count = numbers.len() as i128;
                (count > 0).then(|| Fraction::new(sum, count * held_unit(kind)))
            }
            Measure::Count
            | Measure::Users
            | Measure::Events(_)
            | Measure::Sum(_)
            | Measure::Min(_)
            | Measure::Max(_)
            | Measure::Percentile(..) => match self.measure(measure, group, whole)? {
                Datum::Integer(number) => Some(Fraction::new(i128::from(number), 1)),
                Datum::Decimal { units, scale } => Some(Fraction::new(units, power(scale))),
                Datum::Date(days) => Some(Fraction::new(i128::from(days), 1)),
                Datum::Timestamp(micros) => Some(Fraction::new(i128::from(micros), 1)),
                Datum::Null => None,
                other => panic!("{other:?} is no measure"),
            },
        };
        Ok(fraction)
    }

    fn having(&self, having: &Having, group: &Group<'_>, whole: usize) -> Result<bool, Refused> {
        match having {
            Having::Not(inner) => Ok(!self.having(inner, group, whole)?),
            Having::And(parts) => parts
                .iter()
                .try_fold(true, |all, part| Ok(all & self.having(part, group, whole)?)),
            Having::Or(parts) => {
                parts.iter().try_fold(
                    false,
                    |any, part| Ok(any | self.having(part, group, whole)?),
                )
            }
            Having::Compare(measure, comparison, value) => {
                let found = self.exact(&measure.node, group, whole)?;
                let kind = self.kind_of(&measure.node)?;
                let (first, last) = ordered(&kind, &value.node, self.now)?;
                let (first, last) = (Fraction::bound(&kind, first), Fraction::bound(&kind, last));
                let Some(found) = found else { return Ok(false) };
                Ok(match comparison {
                    Comparison::Equal => first <= found && found <= last,
                    Comparison::NotEqual => found < first || last < found,
                    Comparison::Less => found < first,
                    Comparison::LessOrEqual => found <= last,
                    Comparison::Greater => found > last,
                    Comparison::GreaterOrEqual => found >= first,
                })
            }
        }
    }

    /// What a measure is compared with.
    fn kind_of(&self, measure: &Measure) -> Result<AttributeType, Refused> {
        match measure {
            Measure::Users
            | Measure::Events(_)
            | Measure::Count
            | Measure::Share
            | Measure::Sum(_)
            | Measure::Average(_) => Ok(AttributeType::Integer),
            Measure::Min(name) | Measure::Max(name) | Measure::Percentile(_, name) => {
                Ok(self.attribute(name.node.as_str())?.kind.clone())
            }
        }
    }

    fn sort(
        &self,
        dimension: &Dimension,
        splits: &[Split],
        rows: &mut [(Vec<Part>, Group<'_>)],
        whole: usize,
    ) -> Result<(), Refused> {
        // The rows come in the natural order of their parts, and sorting is stable.
        if dimension.order.is_empty() {
            if splits.len() == 1 && splits[0].has_names() {
                rows.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
            }
            return Ok(());
        }
        for (order, direction) in dimension.order.iter().rev() {
            match order {
                DimensionOrder::Dim(name) => {
                    let at = position(splits, name.node.as_str())?;
                    rows.sort_by(|(left, _), (right, _)| {
                        by_part(&left[at], &right[at], *direction)
                    });
                }
                DimensionOrder::Measure(measure) => {
                    let value = |group: &Group<'_>| {
                        self.exact(&measure.node, group, whole)
                            .expect("checked before")
                    };
                    rows.sort_by(|(_, left), (_, right)| {
                        by_number(value(left), value(right), *direction)
                    });
                }
            }
        }
        Ok(())
    }
}

/// Missing comes last, whichever the direction.
fn by_part(left: &Part, right: &Part, direction: Direction) -> Ordering {
    match (left == &Part::Missing, right == &Part::Missing) {
        (false, false) => directed(left.cmp(right), direction),
        (left, right) => left.cmp(&right),
    }
}

/// Missing comes last, whichever the direction.
fn by_number(left: Option<Fraction>, right: Option<Fraction>, direction: Direction) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => directed(left.cmp(&right), direction),
        (left, right) => left.is_none().cmp(&right.is_none()),
    }
}

fn directed(order: Ordering, direction: Direction) -> Ordering {
    match direction {
        Direction::Ascending => order,
        Direction::Descending => order.reverse(),
    }
}

fn position(splits: &[Split], name: &str) -> Result<usize, Refused> {
    splits
        .iter()
        .position(|split| split.name == name)
        .ok_or(FailureCode::UnknownName)
}

fn measures_of(dimension: &Dimension) -> Vec<Measure> {
    if dimension.measures.is_empty() {
        return vec![Measure::Count, Measure::Share];
    }
    dimension
        .measures
        .iter()
        .map(|measure| measure.node.clone())
        .collect()
}

fn percentile(sorted: &[i64], rank: u8) -> Option<i64> {
    let at = (sorted.len() * usize::from(rank)).div_ceil(100).max(1);
    sorted.get(at - 1).copied()
}

fn total_shown(sum: i128, _count: usize, scale: u8) -> Datum {
    match (scale, i64::try_from(sum)) {
        (0, Ok(sum)) => Datum::Integer(sum),
        (scale, _) => Datum::Decimal { units: sum, scale },
    }
}

/// Whether an attribute's values can be added up.
pub fn adds_up(attribute: &Attribute) -> bool {
    matches!(
        attribute.kind,
        AttributeType::Integer | AttributeType::Decimal(_)
    )
}

/// How many of its units a decimal has in one whole.
fn held_unit(kind: &AttributeType) -> i128 {
    match kind {
        AttributeType::Decimal(scale) => power(*scale),
        _ => 1,
    }
}
