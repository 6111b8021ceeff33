//! The rows of a load that lie in one partition, by id.

use std::sync::Arc;

use bincode::{Decode, Encode};

use crate::{
    ids::{AttributeId, TagId, ValueCode},
    storage::{Source, StoredValue},
    write::{HoldTerms, command::UserCommand, load::PackedTexts},
};

/// Rows in their order, without names.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct LoadRows {
    /// The user's key of every row.
    pub(in crate::write) keys: PackedTexts,
    /// What the rows have.
    pub(in crate::write) columns: Vec<RowColumn>,
}

/// What every row has of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum RowColumn {
    /// Values of one attribute.
    Values {
        /// Which.
        attribute: AttributeId,
        /// The values that occur, and `None` where a value is cleared.
        values: Arc<Vec<Option<StoredValue>>>,
        /// One a row: 0 for nothing, `k` for `values[k - 1]`.
        codes: Vec<u32>,
    },
    /// Numbers of one attribute.
    Numbers {
        /// Which.
        attribute: AttributeId,
        /// The rows that have a number, rising.
        rows: Vec<u32>,
        /// Their numbers.
        numbers: Vec<i64>,
    },
    /// Tags that are given.
    Tags {
        /// Where the tags of every row end, from where those of the row before end.
        ends: Vec<u32>,
        /// Which.
        tags: Vec<TagId>,
    },
    /// Tags that are given on terms of which something is said.
    Holdings {
        /// Where the tags of every row end, from where those of the row before end.
        ends: Vec<u32>,
        /// Which.
        tags: Vec<TagId>,
        /// The terms that occur.
        terms: Arc<Vec<HoldTerms>>,
        /// Those of each tag, as an index into `terms`.
        of: Vec<u32>,
    },
    /// Values that are added to one multi attribute.
    Added {
        /// Which.
        attribute: AttributeId,
        /// Where the values of every row end, from where those of the row before end.
        ends: Vec<u32>,
        /// Which: those of a row rise, each once.
        codes: Vec<ValueCode>,
    },
    /// Tags that are taken, before others are given.
    Taken {
        /// Where the tags of every row end, from where those of the row before end.
        ends: Vec<u32>,
        /// Which.
        tags: Vec<TagId>,
    },
}

impl LoadRows {
    /// What one row does, if there is such a row.
    pub(in crate::write) fn commands(&self, row: usize) -> Vec<UserCommand> {
        let Some(key) = self.keys.at(row) else {
            return Vec::new();
        };
        let values: Vec<_> = self.columns.iter().filter_map(|it| it.value(row)).collect();
        let given: Vec<(TagId, HoldTerms)> =
            self.columns.iter().flat_map(|it| it.given(row)).collect();
        let mut commands = Vec::with_capacity(2);
        let key = || key.to_owned();
        if !values.is_empty() {
            commands.push(UserCommand::Set { key: key(), values });
        }
        for column in &self.columns {
            if let Some((attribute, codes)) = column.added(row) {
                commands.push(UserCommand::Add {
                    key: key(),
                    attribute,
                    codes: codes.to_vec(),
                });
            }
        }
        if commands.is_empty() && given.is_empty() {
            commands.push(UserCommand::Ensure { key: key() });
        }
        let taken = self.columns.iter().flat_map(|it| it.taken(row));
        let tags: Vec<TagId> = taken.copied().collect();
        if !tags.is_empty() {
            commands.push(UserCommand::Untag { key: key(), tags });
        }
        for alike in given.chunk_by(|(_, left), (_, right)| left == right) {
            if let Some((_, terms)) = alike.first() {
                commands.push(UserCommand::Hold {
                    key: key(),
                    tags: alike.iter().map(|(tag, _)| *tag).collect(),
                    terms: *terms,
                });
            }
        }
        commands
    }
}

impl RowColumn {
    /// The attribute whose values these are, if they are values.
    pub(super) fn attribute(&self) -> Option<AttributeId> {
        match self {
            Self::Values { attribute, .. }
            | Self::Numbers { attribute, .. }
            | Self::Added { attribute, .. } => Some(*attribute),
            Self::Tags { .. } | Self::Holdings { .. } | Self::Taken { .. } => None,
        }
    }

    /// The value of a dictionary that a row sets.
    pub(super) fn stored(&self, row: usize) -> Option<&StoredValue> {
        match self {
            Self::Values { values, codes, .. } => {
                let code = (*codes.get(row)? as usize).checked_sub(1)?;
                values.get(code)?.as_ref()
            }
            Self::Numbers { .. }
            | Self::Tags { .. }
            | Self::Holdings { .. }
            | Self::Added { .. }
            | Self::Taken { .. } => None,
        }
    }

    /// The values that a row adds to an attribute, if it adds any.
    pub(super) fn added(&self, row: usize) -> Option<(AttributeId, &[ValueCode])> {
        match self {
            Self::Added {
                attribute,
                ends,
                codes,
            } => {
                let codes = codes.get(places(ends, row))?;
                (!codes.is_empty()).then_some((*attribute, codes))
            }
            Self::Values { .. }
            | Self::Numbers { .. }
            | Self::Tags { .. }
            | Self::Holdings { .. }
            | Self::Taken { .. } => None,
        }
    }

    /// More values than this no row gives to its attribute.
    pub(super) fn values_most(&self) -> usize {
        let in_value = |value: &Option<StoredValue>| match value {
            Some(StoredValue::Codes(codes)) => codes.len(),
            Some(StoredValue::Code(_) | StoredValue::Number(_) | StoredValue::Text(_)) => 1,
            None => 0,
        };
        match self {
            Self::Values { values, .. } => values.iter().map(in_value).max().unwrap_or(0),
            Self::Added { ends, codes, .. } => {
                let rows = (0..ends.len()).map(|row| places(ends, row).len());
                rows.max().unwrap_or(0).min(codes.len())
            }
            Self::Numbers { .. } => 1,
            Self::Tags { .. } | Self::Holdings { .. } | Self::Taken { .. } => 0,
        }
    }

    /// The tags that a row takes.
    fn taken(&self, row: usize) -> &[TagId] {
        match self {
            Self::Taken { ends, tags } => tags.get(places(ends, row)).unwrap_or(&[]),
            Self::Values { .. }
            | Self::Numbers { .. }
            | Self::Tags { .. }
            | Self::Holdings { .. }
            | Self::Added { .. } => &[],
        }
    }

    /// The tags that its rows take, as often as they do.
    pub(super) fn all_taken(&self) -> &[TagId] {
        match self {
            Self::Taken { ends: _, tags } => tags,
            Self::Values { .. }
            | Self::Numbers { .. }
            | Self::Tags { .. }
            | Self::Holdings { .. }
            | Self::Added { .. } => &[],
        }
    }

    /// The value that a row sets or clears.
    pub(super) fn value(&self, row: usize) -> Option<(AttributeId, Option<StoredValue>)> {
        match self {
            Self::Values {
                attribute,
                values,
                codes,
            } => {
                let code = (*codes.get(row)? as usize).checked_sub(1)?;
                Some((*attribute, values.get(code)?.clone()))
            }
            Self::Numbers {
                attribute,
                rows: _,
                numbers: _,
            } => Some((*attribute, Some(StoredValue::Number(self.number(row)?)))),
            Self::Tags { .. } | Self::Holdings { .. } | Self::Added { .. } | Self::Taken { .. } => {
                None
            }
        }
    }

    /// The number that a row sets, where it is not one of a dictionary.
    pub(super) fn number(&self, row: usize) -> Option<i64> {
        match self {
            Self::Numbers { rows, numbers, .. } => {
                let place = rows.binary_search(&u32::try_from(row).ok()?).ok()?;
                numbers.get(place).copied()
            }
            Self::Values { .. }
            | Self::Tags { .. }
            | Self::Holdings { .. }
            | Self::Added { .. }
            | Self::Taken { .. } => None,
        }
    }

    /// The tags that a row gives.
    pub(in crate::write) fn tags(&self, row: usize) -> &[TagId] {
        match self {
            Self::Tags { ends, tags } | Self::Holdings { ends, tags, .. } => {
                tags.get(places(ends, row)).unwrap_or(&[])
            }
            Self::Values { .. }
            | Self::Numbers { .. }
            | Self::Added { .. }
            | Self::Taken { .. } => &[],
        }
    }

    /// The tags that a row gives, and on which terms: as an import where nothing is said.
    pub(in crate::write) fn given(
        &self,
        row: usize,
    ) -> impl Iterator<Item = (TagId, HoldTerms)> + '_ {
        let (terms, of): (&[HoldTerms], &[u32]) = match self {
            Self::Holdings {
                ends, terms, of, ..
            } => (terms, of.get(places(ends, row)).unwrap_or(&[])),
            Self::Tags { .. }
            | Self::Values { .. }
            | Self::Numbers { .. }
            | Self::Added { .. }
            | Self::Taken { .. } => (&[], &[]),
        };
        self.tags(row).iter().enumerate().map(|(place, tag)| {
            let terms = of.get(place).and_then(|of| terms.get(*of as usize));
            (*tag, terms.copied().unwrap_or(Source::Import.into()))
        })
    }

    /// Whether something is said of how its tags are held.
    pub(super) fn says_how(&self) -> bool {
        match self {
            Self::Holdings { .. } => true,
            Self::Values { .. }
            | Self::Numbers { .. }
            | Self::Tags { .. }
            | Self::Added { .. }
            | Self::Taken { .. } => false,
        }
    }
}

/// Where the entries of a row are.
fn places(ends: &[u32], row: usize) -> std::ops::Range<usize> {
    let end_of = |row: usize| ends.get(row).map_or(0, |end| *end as usize);
    row.checked_sub(1).map_or(0, end_of)..end_of(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_sets_its_values_and_gives_its_tags_or_makes_its_user() {
        let key = |key: &str| key.to_owned();
        let code = |code| Some(StoredValue::Code(ValueCode(code)));
        let rows = LoadRows {
            keys: ["a", "b", "c"].into_iter().collect(),
            columns: vec![
                RowColumn::Values {
                    attribute: AttributeId(1),
                    values: Arc::new(vec![code(7), None]),
                    codes: vec![1, 2, 0],
                },
                RowColumn::Numbers {
                    attribute: AttributeId(2),
                    rows: vec![1],
                    numbers: vec![-5],
                },
                RowColumn::Tags {
                    ends: vec![0, 2, 2],
                    tags: vec![TagId(4), TagId(3)],
                },
            ],
        };
        let set = |user, values| UserCommand::Set {
            key: key(user),
            values,
        };
        assert_eq!(
            rows.commands(0),
            [set("a", vec![(AttributeId(1), code(7))])]
        );
        let values = vec![
            (AttributeId(1), None),
            (AttributeId(2), Some(StoredValue::Number(-5))),
        ];
        let tags = vec![TagId(4), TagId(3)];
        let tag = UserCommand::Hold {
            key: key("b"),
            tags,
            terms: Source::Import.into(),
        };
        assert_eq!(rows.commands(1), [set("b", values), tag]);
        assert_eq!(rows.commands(2), [UserCommand::Ensure { key: key("c") }]);
        assert_eq!(rows.commands(3), []);
    }

    #[test]
    fn a_row_adds_values_and_takes_tags_before_it_gives_others() {
        let rows = LoadRows {
            keys: ["a", "b"].into_iter().collect(),
            columns: vec![
                RowColumn::Tags {
                    ends: vec![1, 1],
                    tags: vec![TagId(4)],
                },
                RowColumn::Taken {
                    ends: vec![1, 2],
                    tags: vec![TagId(5), TagId(6)],
                },
                RowColumn::Added {
                    attribute: AttributeId(1),
                    ends: vec![2, 2],
                    codes: vec![ValueCode(3), ValueCode(7)],
                },
            ],
        };
        let untag = |key: &str, tag| UserCommand::Untag {
            key: key.to_owned(),
            tags: vec![TagId(tag)],
        };
        let add = UserCommand::Add {
            key: "a".to_owned(),
            attribute: AttributeId(1),
            codes: vec![ValueCode(3), ValueCode(7)],
        };
        let tag = UserCommand::Hold {
            key: "a".to_owned(),
            tags: vec![TagId(4)],
            terms: Source::Import.into(),
        };
        assert_eq!(rows.commands(0), [add, untag("a", 5), tag]);
        let ensure = UserCommand::Ensure {
            key: "b".to_owned(),
        };
        assert_eq!(rows.commands(1), [ensure, untag("b", 6)]);
    }
}
