//! What to split by, and which parts a user is in.

use jiff::{civil::Date, tz::TimeZone};
use tessera_protocol::message::{Datum, FailureCode};
use tessera_query_lang::ast::{AttributeType, CalendarUnit, Dim, Spanned, Value};

use crate::model::{
    Model, Refused, User,
    expr::name_of,
    value::{Held, date_of, day_of, days, held_number, ordered, shown},
};

/// What a group has in common in one dim. Missing comes last in the natural order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Label(String),
    Truth(bool),
    Number(i64),
    Band(usize),
    Period(i32),
    Missing,
}

/// A dim made ready: the parts of one user, and how a part is shown.
pub(super) struct Split {
    pub(super) name: String,
    kind: SplitKind,
}

enum SplitKind {
    Labels(String),
    Numbers(String, AttributeType),
    Bands {
        attribute: String,
        bounds: Vec<i64>,
        labels: Vec<String>,
    },
    Periods {
        attribute: String,
        kind: AttributeType,
        unit: CalendarUnit,
    },
    Tags(Vec<String>),
}

impl Model {
    pub(super) fn split(&self, dim: &Dim) -> Result<Split, Refused> {
        let (name, kind) = match dim {
            Dim::Attribute(name) => (
                name.node.as_str().to_owned(),
                self.attribute_split(name.node.as_str())?,
            ),
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
                (
                    name.clone(),
                    SplitKind::Periods {
                        attribute: name,
                        kind,
                        unit: *unit,
                    },
                )
            }
            Dim::Events { .. } => panic!("the model does not know {dim}"),
            Dim::Tags(patterns) if patterns.is_empty() => (
                "tag".to_owned(),
                SplitKind::Tags(self.tags.keys().cloned().collect()),
            ),
            Dim::Tags(patterns) => {
                let tags = self
                    .tags_of(patterns)?
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                ("tag".to_owned(), SplitKind::Tags(tags))
            }
            Dim::Group(group) => {
                let group = name_of(&group.node);
                self.groups.get(group).ok_or(FailureCode::UnknownName)?;
                (
                    format!("group:{group}"),
                    SplitKind::Tags(self.members(group).map(str::to_owned).collect()),
                )
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
        Ok(SplitKind::Bands {
            attribute,
            bounds,
            labels,
        })
    }
}

/// One part of each dim, in every combination.
pub(super) fn combinations(splits: &[Split], user: &User) -> Vec<Vec<Part>> {
    let mut all: Vec<Vec<Part>> = vec![Vec::new()];
    for split in splits {
        let parts = split.parts(user);
        all = all
            .iter()
            .flat_map(|before| {
                parts.iter().map(move |part| {
                    before
                        .iter()
                        .cloned()
                        .chain([part.clone()])
                        .collect::<Vec<_>>()
                })
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
            SplitKind::Numbers(attribute, _) => number_of(user, attribute)
                .map(Part::Number)
                .into_iter()
                .collect(),
            SplitKind::Bands {
                attribute, bounds, ..
            } => number_of(user, attribute)
                .map(|number| Part::Band(bounds.iter().filter(|bound| **bound <= number).count()))
                .into_iter()
                .collect(),
            SplitKind::Periods {
                attribute,
                kind,
                unit,
            } => number_of(user, attribute)
                .map(|number| Part::Period(period(*unit, day(kind, number))))
                .into_iter()
                .collect(),
            SplitKind::Tags(tags) => tags
                .iter()
                .filter(|tag| user.tags.contains(*tag))
                .cloned()
                .map(Part::Label)
                .collect(),
        };
        if parts.is_empty() {
            vec![Part::Missing]
        } else {
            parts
        }
    }

    pub(super) fn has_names(&self) -> bool {
        match self.kind {
            SplitKind::Labels(_) | SplitKind::Tags(_) => true,
            SplitKind::Numbers(..) | SplitKind::Bands { .. } | SplitKind::Periods { .. } => false,
        }
    }

    pub(super) fn shown(&self, part: &Part) -> Datum {
        match (part, &self.kind) {
            (Part::Missing, _) => Datum::Null,
            (Part::Label(label), _) => Datum::Text(label.clone()),
            (Part::Truth(truth), _) => Datum::Boolean(*truth),
            (Part::Number(number), SplitKind::Numbers(_, kind)) => {
                shown(kind, &Held::Number(*number))
            }
            (Part::Band(band), SplitKind::Bands { labels, .. }) => {
                Datum::Text(labels[*band].clone())
            }
            (Part::Period(day), SplitKind::Periods { unit, .. }) => period_shown(*unit, *day),
            (part, _) => panic!("{part:?} is of another dim"),
        }
    }
}

pub(super) fn number_of(user: &User, attribute: &str) -> Option<i64> {
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
    let first_of_month =
        |date: Date, month: i8| date.with().month(month).day(1).build().expect("a first");
    days(match unit {
        CalendarUnit::Day => date,
        CalendarUnit::Week => return day - i32::from(date.weekday().to_monday_zero_offset()),
        CalendarUnit::Month => first_of_month(date, date.month()),
        CalendarUnit::Quarter => first_of_month(date, (date.month() - 1) / 3 * 3 + 1),
        CalendarUnit::Year => first_of_month(date, 1),
    })
}

fn period_shown(unit: CalendarUnit, day: i32) -> Datum {
    let date = date_of(i64::from(day));
    Datum::Text(match unit {
        CalendarUnit::Day | CalendarUnit::Week => date.to_string(),
        CalendarUnit::Month => format!("{:04}-{:02}", date.year(), date.month()),
        CalendarUnit::Quarter => format!("{:04}-Q{}", date.year(), (date.month() + 2) / 3),
        CalendarUnit::Year => format!("{:04}", date.year()),
    })
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
        Datum::Timestamp(micros) => jiff::Timestamp::from_microsecond(micros)
            .expect("a near time")
            .to_zoned(TimeZone::UTC)
            .timestamp()
            .to_string(),
        other => panic!("{other:?} is no number"),
    };
    let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else {
        return vec!["all".to_owned()];
    };
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
    let digits = format!(
        "{:0>width$}",
        units.unsigned_abs(),
        width = usize::from(scale) + 1
    );
    let (whole, part) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if units < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part}")
    }
}
