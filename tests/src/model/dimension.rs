//! `DIMENSION`: the groups of a segment, user by user.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::{civil::Date, tz::TimeZone};
use tessera_protocol::message::{Datum, FailureCode};
use tessera_query_lang::ast::{
    AttributeType, CalendarUnit, Comparison, Dim, Dimension, DimensionOrder, Direction, Having, Measure, Spanned, Value,
};

use super::{
    Attribute, Model, Refused, User,
    expr::name_of,
    value::{Held, date_of, day_of, days, held_number, ordered, power, shown},
};

/// What a group has in common in one dim. Missing comes last in the natural order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Label(String),
    Truth(bool),
    Number(i64),
    Band(usize),
    Period(i32),
    Missing,
}

/// A dim made ready: the parts of one user, and how a part is shown.
struct Split {
    name: String,
    kind: SplitKind,
}

enum SplitKind {
    Labels(String),
    Numbers(String, AttributeType),
    Bands { attribute: String, bounds: Vec<i64>, labels: Vec<String> },
    Periods { attribute: String, kind: AttributeType, unit: CalendarUnit },
    Tags(Vec<String>),
}

/// The users of a group, as the measures need them.
type Group<'a> = Vec<&'a User>;

impl Model {
    /// The rows of a `DIMENSION`, in order.
    ///
    /// # Errors
    /// A name is not defined, or something does not fit its type.
    pub fn dimension(&self, dimension: &Dimension) -> Result<Vec<Vec<Datum>>, Refused> {
        let splits = dimension.dims.iter().map(|dim| self.split(dim)).collect::<Result<Vec<_>, _>>()?;
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
        rows.truncate(dimension.top.as_ref().map_or(usize::MAX, |top| usize::try_from(top.node).expect("few")));
        let row = |(parts, group): &(Vec<Part>, Group<'_>)| {
            let dims = splits.iter().zip(parts).map(|(split, part)| split.shown(part));
            let values = measures.iter().map(|measure| self.measure(measure, group, keys.len()));
            dims.map(Ok).chain(values).collect::<Result<Vec<_>, _>>()
        };
        rows.iter().map(row).collect()
    }

    fn split(&self, dim: &Dim) -> Result<Split, Refused> {
        let (name, kind) = match dim {
            Dim::Attribute(name) => (name.node.as_str().to_owned(), self.attribute_split(name.node.as_str())?),
            Dim::Bands { attribute, bounds } => {
                let name = attribute.node.as_str().to_owned();
                (name.clone(), self.bands(name, bounds)?)
            }
            Dim::Calendar { attribute, unit } => {
                let name = attribute.node.as_str().to_owned();
                let kind = self.attribute(&name)?.kind.clone();
                if !matches!(kind, AttributeType::Date | AttributeType::Timestamp) {
                    return Err(FailureCode::TypeMismatch);
                }
                (name.clone(), SplitKind::Periods { attribute: name, kind, unit: *unit })
            }
            Dim::Tags(patterns) if patterns.is_empty() => {
                ("tag".to_owned(), SplitKind::Tags(self.tags.keys().cloned().collect()))
            }
            Dim::Tags(patterns) => {
                let tags = self.tags_of(patterns)?.into_iter().map(str::to_owned).collect();
                ("tag".to_owned(), SplitKind::Tags(tags))
            }
            Dim::Group(group) => {
                let group = name_of(&group.node);
                self.groups.get(group).ok_or(FailureCode::UnknownName)?;
                (format!("group:{group}"), SplitKind::Tags(self.members(group).map(str::to_owned).collect()))
            }
        };
        Ok(Split { name, kind })
    }

    fn attribute_split(&self, name: &str) -> Result<SplitKind, Refused> {
        match &self.attribute(name)?.kind {
            AttributeType::Enum(_) | AttributeType::Multi(_) | AttributeType::Boolean => {
                Ok(SplitKind::Labels(name.to_owned()))
            }
            kind @ (AttributeType::Integer
            | AttributeType::Decimal(_)
            | AttributeType::Date
            | AttributeType::Timestamp) => Ok(SplitKind::Numbers(name.to_owned(), kind.clone())),
            AttributeType::Text | AttributeType::User => Err(FailureCode::TypeMismatch),
        }
    }

    fn bands(&self, attribute: String, bounds: &[Spanned<Value>]) -> Result<SplitKind, Refused> {
        let kind = &self.attribute(&attribute)?.kind;
        let raw = |bound: &Spanned<Value>| {
            let (exact, _) = ordered(kind, &bound.node, self.now)?;
            i64::try_from(least_at_or_above(kind, exact)).map_err(|_| FailureCode::TypeMismatch)
        };
        let bounds = bounds.iter().map(raw).collect::<Result<Vec<_>, _>>()?;
        if bounds.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(FailureCode::TypeMismatch);
        }
        let labels = band_labels(kind, &bounds);
        Ok(SplitKind::Bands { attribute, bounds, labels })
    }

    /// Everything that a measure names must be a number, whether there are groups or not.
    fn check_measures(&self, dimension: &Dimension, measures: &[Measure], splits: &[Split]) -> Result<(), Refused> {
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

    fn measure(&self, measure: &Measure, group: &Group<'_>, whole: usize) -> Result<Datum, Refused> {
        let statistic = |name: &Spanned<_>, compute: fn(&[i64], u8) -> Option<i64>, argument: u8| {
            let (kind, numbers) = self.numbers(name, group)?;
            Ok(compute(&numbers, argument).map_or(Datum::Null, |number| shown(kind, &Held::Number(number))))
        };
        match measure {
            Measure::Count => Ok(Datum::Integer(group.len() as i64)),
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
        name: &Spanned<tessera_query_lang::name::Name>,
        group: &Group<'_>,
    ) -> Result<(&AttributeType, Vec<i64>), Refused> {
        let kind = &self.attribute(name.node.as_str())?.kind;
        match kind {
            AttributeType::Integer | AttributeType::Decimal(_) | AttributeType::Date | AttributeType::Timestamp => {}
            AttributeType::Enum(_)
            | AttributeType::Multi(_)
            | AttributeType::Boolean
            | AttributeType::Text
            | AttributeType::User => return Err(FailureCode::TypeMismatch),
        }
        let mut numbers: Vec<i64> = group.iter().filter_map(|user| number_of(user, name.node.as_str())).collect();
        numbers.sort_unstable();
        Ok((kind, numbers))
    }

    fn total(
        &self,
        name: &Spanned<tessera_query_lang::name::Name>,
        group: &Group<'_>,
        show: impl Fn(i128, usize, u8) -> Datum,
    ) -> Result<Datum, Refused> {
        let (kind, numbers) = self.numbers(name, group)?;
        let scale = match kind {
            AttributeType::Decimal(scale) => *scale,
            AttributeType::Date | AttributeType::Timestamp => return Err(FailureCode::TypeMismatch),
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
        Ok(show(numbers.iter().map(|number| i128::from(*number)).sum(), numbers.len(), scale))
    }

    fn having(&self, having: &Having, group: &Group<'_>, whole: usize) -> Result<bool, Refused> {
        match having {
            Having::Not(inner) => Ok(!self.having(inner, group, whole)?),
            Having::And(parts) => parts.iter().try_fold(true, |all, part| Ok(all & self.having(part, group, whole)?)),
            Having::Or(parts) => parts.iter().try_fold(false, |any, part| Ok(any | self.having(part, group, whole)?)),
            Having::Compare(measure, comparison, value) => {
                let found = self.measure(&measure.node, group, whole)?;
                let kind = self.kind_of(&measure.node)?;
                let (first, last) = ordered(&kind, &value.node, self.now)?;
                let Some(found) = exact(&found) else { return Ok(false) };
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
            Measure::Count | Measure::Share | Measure::Sum(_) | Measure::Average(_) => Ok(AttributeType::Integer),
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
                    rows.sort_by(|(left, _), (right, _)| by_part(&left[at], &right[at], *direction));
                }
                DimensionOrder::Measure(measure) => {
                    let value = |group: &Group<'_>| {
                        exact(&self.measure(&measure.node, group, whole).expect("checked before"))
                    };
                    rows.sort_by(|(_, left), (_, right)| by_number(value(left), value(right), *direction));
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
fn by_number(left: Option<i128>, right: Option<i128>, direction: Direction) -> Ordering {
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
    splits.iter().position(|split| split.name == name).ok_or(FailureCode::UnknownName)
}

fn measures_of(dimension: &Dimension) -> Vec<Measure> {
    if dimension.measures.is_empty() {
        return vec![Measure::Count, Measure::Share];
    }
    dimension.measures.iter().map(|measure| measure.node.clone()).collect()
}

/// One part of each dim, in every combination.
fn combinations(splits: &[Split], user: &User) -> Vec<Vec<Part>> {
    let mut all: Vec<Vec<Part>> = vec![Vec::new()];
    for split in splits {
        let parts = split.parts(user);
        all = all
            .iter()
            .flat_map(|before| {
                parts.iter().map(move |part| before.iter().cloned().chain([part.clone()]).collect::<Vec<_>>())
            })
            .collect();
    }
    all
}

impl Split {
    fn parts(&self, user: &User) -> Vec<Part> {
        let parts = match &self.kind {
            SplitKind::Labels(attribute) => match user.values.get(attribute) {
                Some(Held::Text(text)) => vec![Part::Label(text.clone())],
                Some(Held::Texts(texts)) => texts.iter().cloned().map(Part::Label).collect(),
                Some(Held::Boolean(truth)) => vec![Part::Truth(*truth)],
                Some(Held::Number(_)) | None => Vec::new(),
            },
            SplitKind::Numbers(attribute, _) => number_of(user, attribute).map(Part::Number).into_iter().collect(),
            SplitKind::Bands { attribute, bounds, .. } => number_of(user, attribute)
                .map(|number| Part::Band(bounds.iter().filter(|bound| **bound <= number).count()))
                .into_iter()
                .collect(),
            SplitKind::Periods { attribute, kind, unit } => number_of(user, attribute)
                .map(|number| Part::Period(period(*unit, day(kind, number))))
                .into_iter()
                .collect(),
            SplitKind::Tags(tags) => {
                tags.iter().filter(|tag| user.tags.contains(*tag)).cloned().map(Part::Label).collect()
            }
        };
        if parts.is_empty() { vec![Part::Missing] } else { parts }
    }

    fn has_names(&self) -> bool {
        match self.kind {
            SplitKind::Labels(_) | SplitKind::Tags(_) => true,
            SplitKind::Numbers(..) | SplitKind::Bands { .. } | SplitKind::Periods { .. } => false,
        }
    }

    fn shown(&self, part: &Part) -> Datum {
        match (part, &self.kind) {
            (Part::Missing, _) => Datum::Null,
            (Part::Label(label), _) => Datum::Text(label.clone()),
            (Part::Truth(truth), _) => Datum::Boolean(*truth),
            (Part::Number(number), SplitKind::Numbers(_, kind)) => shown(kind, &Held::Number(*number)),
            (Part::Band(band), SplitKind::Bands { labels, .. }) => Datum::Text(labels[*band].clone()),
            (Part::Period(day), SplitKind::Periods { unit, .. }) => period_shown(*unit, *day),
            (part, _) => panic!("{part:?} is of another dim"),
        }
    }
}

fn number_of(user: &User, attribute: &str) -> Option<i64> {
    match user.values.get(attribute) {
        Some(Held::Number(number)) => Some(*number),
        Some(Held::Boolean(_) | Held::Text(_) | Held::Texts(_)) | None => None,
    }
}

fn day(kind: &AttributeType, number: i64) -> i32 {
    match kind {
        AttributeType::Timestamp => day_of(number),
        _ => i32::try_from(number).expect("a day"),
    }
}

/// The first day of the unit in which a day lies.
fn period(unit: CalendarUnit, day: i32) -> i32 {
    let date = date_of(i64::from(day));
    let first_of_month = |date: Date, month: i8| date.with().month(month).day(1).build().expect("a first");
    days(match unit {
        CalendarUnit::Day => date,
        CalendarUnit::Week => return day - i32::from(date.weekday().to_monday_zero_offset()),
        CalendarUnit::Month => first_of_month(date, date.month()),
        CalendarUnit::Quarter => first_of_month(date, (date.month() - 1) / 3 * 3 + 1),
        CalendarUnit::Year => first_of_month(date, 1),
    })
}

fn period_shown(_unit: CalendarUnit, day: i32) -> Datum {
    Datum::Date(day)
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

/// A measure at the scale at which literals compare; nothing where it is missing.
fn exact(measure: &Datum) -> Option<i128> {
    match measure {
        Datum::Integer(number) => Some(held_number(&AttributeType::Integer, *number)),
        Datum::Decimal { units, scale } => Some(units * power(18 - scale)),
        Datum::Date(days) => Some(i128::from(*days)),
        Datum::Timestamp(micros) => Some(i128::from(*micros)),
        Datum::Real(number) => Some((number * 1e18) as i128),
        Datum::Null | Datum::Boolean(_) | Datum::Text(_) | Datum::List(_) => None,
    }
}

/// The least raw number that is not below an exact one.
fn least_at_or_above(kind: &AttributeType, exact: i128) -> i128 {
    let unit = held_number(kind, 1);
    exact.div_euclid(unit) + i128::from(exact.rem_euclid(unit) != 0)
}

fn band_labels(kind: &AttributeType, bounds: &[i64]) -> Vec<String> {
    let text = |number: i64| match shown(kind, &Held::Number(number)) {
        Datum::Integer(number) => number.to_string(),
        Datum::Decimal { units, scale } => decimal_text(units, scale),
        Datum::Date(days) => date_of(i64::from(days)).to_string(),
        Datum::Timestamp(micros) => {
            jiff::Timestamp::from_microsecond(micros).expect("a near time").to_zoned(TimeZone::UTC).timestamp().to_string()
        }
        other => panic!("{other:?} is no number"),
    };
    let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else { return vec!["all".to_owned()] };
    let mut labels = vec![format!("<{}", text(*first))];
    for pair in bounds.windows(2) {
        let whole = *kind == AttributeType::Integer;
        labels.push(match whole {
            true if pair[0] == pair[1] - 1 => pair[0].to_string(),
            true => format!("{}..{}", pair[0], pair[1] - 1),
            false => format!("[{}, {})", text(pair[0]), text(pair[1])),
        });
    }
    labels.push(format!(">={}", text(*last)));
    labels
}

fn decimal_text(units: i128, scale: u8) -> String {
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, part) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if units < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// Kept for the generator: whether an attribute can be measured and added up.
pub fn adds_up(attribute: &Attribute) -> bool {
    matches!(attribute.kind, AttributeType::Integer | AttributeType::Decimal(_))
}
