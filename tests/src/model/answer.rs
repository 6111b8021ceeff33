//! Questions about users and definitions: `SEGMENT`, `PORTRAIT`, `SHOW`.

use std::cmp::Ordering;

use tessera_protocol::message::{Datum, FailureCode};
use tessera_query_lang::{
    ast::{AttributeType, Direction, Field, Segment, Show, ShowList},
    name::Glob,
};

use super::{
    Attribute, Model, Refused, User,
    value::{Held, shown},
};

/// A user of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentRow {
    /// The key.
    pub key: String,
    /// What is returned: the key, then the fields.
    pub row: Vec<Datum>,
    /// Where it stands, field by field of the order.
    pub rank: Vec<Option<Rank>>,
}

/// A value to order by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// False before true.
    Truth(bool),
    /// Least first.
    Number(i64),
    /// By the bytes of the text.
    Text(String),
}

impl Model {
    /// The rows of a `SEGMENT`, before its sample and its limit, ordered as it says and by key
    /// where it says nothing.
    ///
    /// # Errors
    /// A name is not defined, or something does not fit its type.
    pub fn segment_rows(&self, segment: &Segment) -> Result<Vec<SegmentRow>, Refused> {
        for field in &segment.returns {
            self.check_field(&field.node)?;
        }
        for (field, _) in &segment.order {
            self.check_order(&field.node)?;
        }
        let keys = self.matching(&segment.filter)?;
        let mut rows: Vec<SegmentRow> = keys
            .iter()
            .map(|key| self.segment_row(segment, key))
            .collect();
        rows.sort_by(|left, right| {
            compare(segment, left, right).then_with(|| left.key.cmp(&right.key))
        });
        Ok(rows)
    }

    /// The key is the first column anyway, and no field is a column twice.
    fn returned(segment: &Segment) -> Vec<&Field> {
        let mut returned = vec![&Field::Key];
        for field in &segment.returns {
            if !returned.contains(&&field.node) {
                returned.push(&field.node);
            }
        }
        returned
    }

    fn check_field(&self, field: &Field) -> Result<(), Refused> {
        match field {
            Field::Key | Field::Tags => Ok(()),
            Field::Attribute(name) => self.attribute(name.as_str()).map(drop),
        }
    }

    fn check_order(&self, field: &Field) -> Result<(), Refused> {
        match field {
            Field::Key => Ok(()),
            Field::Tags => Err(FailureCode::TypeMismatch),
            Field::Attribute(name) => match self.attribute(name.as_str())?.kind {
                AttributeType::Multi(_) => Err(FailureCode::TypeMismatch),
                AttributeType::Enum(_)
                | AttributeType::Integer
                | AttributeType::Decimal(_)
                | AttributeType::Date
                | AttributeType::Timestamp
                | AttributeType::Boolean
                | AttributeType::Text
                | AttributeType::User => Ok(()),
            },
        }
    }

    fn segment_row(&self, segment: &Segment, key: &str) -> SegmentRow {
        let user = &self.users[key];
        let row = Self::returned(segment)
            .into_iter()
            .map(|field| self.field(field, key, user))
            .collect();
        let rank = segment
            .order
            .iter()
            .map(|(field, _)| rank(&field.node, key, user))
            .collect();
        SegmentRow {
            key: key.to_owned(),
            row,
            rank,
        }
    }

    fn field(&self, field: &Field, key: &str, user: &User) -> Datum {
        match field {
            Field::Key => Datum::Text(key.to_owned()),
            Field::Tags => Datum::List(user.tags.iter().cloned().collect()),
            Field::Attribute(name) => {
                let kind = &self.attributes[name.as_str()].kind;
                user.values
                    .get(name.as_str())
                    .map_or(Datum::Null, |held| shown(kind, held))
            }
        }
    }

    /// The names that a `SHOW` lists, in order; nothing for `SHOW STATUS`.
    ///
    /// # Errors
    /// The attribute of `SHOW VALUES` is not defined or has no list of values.
    pub fn shown_names(&self, show: &Show) -> Result<Option<Vec<String>>, Refused> {
        Ok(Some(match show {
            Show::Tags(list) => listed(self.tags.keys(), list),
            Show::Groups(list) => listed(self.groups.keys(), list),
            Show::Attributes(list) => listed(self.attributes.keys(), list),
            Show::Segments(list) => listed(self.segments.keys(), list),
            Show::Values(name, list) => {
                let attribute: &Attribute = self.attribute(name.node.as_str())?;
                match attribute.kind {
                    AttributeType::Enum(_) | AttributeType::Multi(_) => {
                        listed(attribute.values.iter(), list)
                    }
                    AttributeType::Integer
                    | AttributeType::Decimal(_)
                    | AttributeType::Date
                    | AttributeType::Timestamp
                    | AttributeType::Boolean
                    | AttributeType::Text
                    | AttributeType::User => return Err(FailureCode::TypeMismatch),
                }
            }
            Show::Events(list) => listed(self.events.iter(), list),
            Show::Forms(_) => panic!("the model does not know {show}"),
            Show::Status => return Ok(None),
        }))
    }
}

/// How two rows stand by the order of the statement; a missing value comes last.
pub fn compare(segment: &Segment, left: &SegmentRow, right: &SegmentRow) -> Ordering {
    let ranks = left.rank.iter().zip(&right.rank).zip(&segment.order);
    ranks
        .map(|((left, right), (_, direction))| match (left, right) {
            (Some(left), Some(right)) => match direction {
                Direction::Ascending => left.cmp(right),
                Direction::Descending => right.cmp(left),
            },
            (left, right) => left.is_none().cmp(&right.is_none()),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn rank(field: &Field, key: &str, user: &User) -> Option<Rank> {
    match field {
        Field::Key => Some(Rank::Text(key.to_owned())),
        Field::Tags => None,
        Field::Attribute(name) => match user.values.get(name.as_str())? {
            Held::Boolean(truth) => Some(Rank::Truth(*truth)),
            Held::Number(number) => Some(Rank::Number(*number)),
            Held::Text(text) => Some(Rank::Text(text.clone())),
            Held::Texts(_) => None,
        },
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a String>, list: &ShowList) -> Vec<String> {
    let limit = list
        .limit
        .map_or(usize::MAX, |limit| usize::try_from(limit).expect("few"));
    let like = |name: &&String| {
        list.like
            .as_ref()
            .is_none_or(|glob: &Glob| glob.matches(name))
    };
    names.filter(like).take(limit).cloned().collect()
}
