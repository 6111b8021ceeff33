//! Which partition every row of a load lies in, and its columns dealt out to the partitions.
//!
//! Knows the shapes of resolved columns. Does not know names, nor what the values mean.

use std::{borrow::Cow, sync::Arc};

use crate::{
    ids::{AttributeId, PartitionId, TagId, ValueCode},
    storage::StoredValue,
    write::{
        HoldTerms, WriteError,
        load::{LoadRows, PackedTexts, rows::RowColumn},
        resolve::Resolver,
    },
};

/// A column of all partitions, by id: as in [`RowColumn`].
pub(super) enum Resolved<'a> {
    Values {
        attribute: AttributeId,
        values: Arc<Vec<Option<StoredValue>>>,
        codes: Cow<'a, [u32]>,
    },
    Numbers {
        attribute: AttributeId,
        rows: Vec<u32>,
        numbers: Cow<'a, [i64]>,
    },
    Tags {
        ends: &'a [u32],
        tags: Vec<TagId>,
    },
    Holdings {
        ends: &'a [u32],
        tags: Vec<TagId>,
        terms: Arc<Vec<HoldTerms>>,
        of: &'a [u32],
    },
    Added {
        attribute: AttributeId,
        ends: Vec<u32>,
        codes: Vec<ValueCode>,
    },
    Taken {
        ends: Vec<u32>,
        tags: Vec<TagId>,
    },
}

/// Which partition every row lies in.
pub(super) struct Places {
    pub(super) of_row: Vec<PartitionId>,
    pub(super) partition_count: u16,
}

impl Places {
    pub(super) fn of(keys: &PackedTexts, resolver: &Resolver<'_>) -> Result<Self, WriteError> {
        Ok(Self {
            of_row: keys
                .iter()
                .map(|key| resolver.partition(key))
                .collect::<Result<_, _>>()?,
            partition_count: resolver.partition_count(),
        })
    }

    /// One for each partition.
    fn each<T>(&self, make: impl Fn() -> T) -> Vec<T> {
        (0..self.partition_count).map(|_| make()).collect()
    }

    pub(super) fn keys(&self, keys: &PackedTexts) -> Vec<LoadRows> {
        let mut parts = self.each(PackedTexts::default);
        for (key, partition) in keys.iter().zip(&self.of_row) {
            parts[usize::from(partition.0)].push(key);
        }
        let rows = |keys| LoadRows {
            keys,
            columns: Vec::new(),
        };
        parts.into_iter().map(rows).collect()
    }

    /// Deals a column's entries out to the partitions.
    pub(super) fn split(&self, column: Resolved<'_>, parts: &mut [LoadRows]) {
        let columns = match column {
            Resolved::Values {
                attribute,
                values,
                codes,
            } => self.split_values(attribute, &values, &codes),
            Resolved::Numbers {
                attribute,
                rows,
                numbers,
            } => self.split_numbers(attribute, &rows, &numbers),
            Resolved::Tags { ends, tags } => self
                .split_entries(ends, &tags)
                .into_iter()
                .map(|(ends, tags)| RowColumn::Tags { ends, tags })
                .collect(),
            Resolved::Holdings {
                ends,
                tags,
                terms,
                of,
            } => self
                .split_entries(ends, &tags)
                .into_iter()
                .zip(self.split_entries(ends, of))
                .map(|((ends, tags), (_, of))| RowColumn::Holdings {
                    ends,
                    tags,
                    terms: terms.clone(),
                    of,
                })
                .collect(),
            Resolved::Added {
                attribute,
                ends,
                codes,
            } => self
                .split_entries(&ends, &codes)
                .into_iter()
                .map(|(ends, codes)| RowColumn::Added {
                    attribute,
                    ends,
                    codes,
                })
                .collect(),
            Resolved::Taken { ends, tags } => self
                .split_entries(&ends, &tags)
                .into_iter()
                .map(|(ends, tags)| RowColumn::Taken { ends, tags })
                .collect(),
        };
        for (part, column) in parts.iter_mut().zip(columns) {
            part.columns.push(column);
        }
    }

    pub(super) fn split_values(
        &self,
        attribute: AttributeId,
        values: &Arc<Vec<Option<StoredValue>>>,
        codes: &[u32],
    ) -> Vec<RowColumn> {
        let mut parts: Vec<Vec<u32>> = self.each(Vec::new);
        for (code, partition) in codes.iter().zip(&self.of_row) {
            parts[usize::from(partition.0)].push(*code);
        }
        let column = |codes| RowColumn::Values {
            attribute,
            values: values.clone(),
            codes,
        };
        parts.into_iter().map(column).collect()
    }

    pub(super) fn split_numbers(
        &self,
        attribute: AttributeId,
        rows: &[u32],
        numbers: &[i64],
    ) -> Vec<RowColumn> {
        let mut parts: Vec<(Vec<u32>, Vec<i64>)> = self.each(Default::default);
        let mut seen: Vec<u32> = self.each(|| 0);
        let mut entries = rows.iter().zip(numbers).peekable();
        for (row, partition) in (0..).zip(&self.of_row) {
            let partition = usize::from(partition.0);
            if let Some((_, number)) = entries.next_if(|(with, _)| **with == row) {
                parts[partition].0.push(seen[partition]);
                parts[partition].1.push(*number);
            }
            seen[partition] += 1;
        }
        let column = |(rows, numbers)| RowColumn::Numbers {
            attribute,
            rows,
            numbers,
        };
        parts.into_iter().map(column).collect()
    }

    /// Where the entries of every row end, and the entries.
    fn split_entries<T: Copy>(&self, ends: &[u32], entries: &[T]) -> Vec<(Vec<u32>, Vec<T>)> {
        let mut parts: Vec<(Vec<u32>, Vec<T>)> = self.each(|| (Vec::new(), Vec::new()));
        let mut start = 0;
        for (end, partition) in ends.iter().zip(&self.of_row) {
            let (part_ends, part) = &mut parts[usize::from(partition.0)];
            let end = *end as usize;
            part.extend_from_slice(entries.get(start..end).unwrap_or(&[]));
            // No more than all the entries, whose ends are `u32`s.
            part_ends.push(part.len() as u32);
            start = end;
        }
        parts
    }
}
