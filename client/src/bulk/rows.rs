//! Rows on their way that were given column by column.
//!
//! Knows how to part them and how to say them as mutations. Does not know when.

use std::sync::Arc;

use tessera_protocol::{
    load::{LoadColumn, LoadRows},
    message::{Datum, Mutation},
};
use tokio::sync::OwnedSemaphorePermit;

use super::size::datum_bytes;

/// Some of the rows that were given together.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) rows: LoadRows,
    /// The place of the first of all that were given together.
    first_index: u64,
    /// For each row here its place among those.
    offsets: Vec<u32>,
    /// Held until all are done.
    memory: Arc<OwnedSemaphorePermit>,
}

impl Rows {
    pub(super) fn new(
        rows: LoadRows,
        first_index: u64,
        offsets: Vec<u32>,
        memory: Arc<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            rows,
            first_index,
            offsets,
            memory,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    pub(super) fn memory(&self) -> &Arc<OwnedSemaphorePermit> {
        &self.memory
    }

    /// The place of each row among all changes.
    pub(super) fn indices(&self) -> Vec<u64> {
        let index = |offset: &u32| self.first_index + u64::from(*offset);
        self.offsets.iter().map(index).collect()
    }

    /// The first half of the rows and the second.
    pub(super) fn halves(&self) -> [Self; 2] {
        let all: Vec<u32> = (0..self.len() as u32).collect();
        let (first, second) = all.split_at(self.len() / 2);
        [first, second].map(|places| Self {
            rows: self.rows.select(places),
            first_index: self.first_index,
            offsets: places
                .iter()
                .filter_map(|place| self.offsets.get(*place as usize).copied())
                .collect(),
            memory: Arc::clone(&self.memory),
        })
    }

    /// Each row as the changes that it is, with its place among all.
    pub(super) fn mutations(&self) -> impl Iterator<Item = (u64, Vec<Mutation>)> {
        let reader = self.rows.reader();
        let rows = self.indices().into_iter().enumerate();
        rows.map(move |(row, index)| (index, reader.mutations(row)))
    }
}

/// Bytes of memory that rows take, about.
pub(super) fn estimated_bytes(rows: &LoadRows) -> usize {
    let of_dictionary =
        |dictionary: &[Datum]| -> usize { dictionary.iter().map(datum_bytes).sum() };
    let columns = rows.columns.iter().map(|column| match column {
        LoadColumn::Coded {
            dictionary, codes, ..
        } => {
            of_dictionary(dictionary)
                + size_of_val(dictionary.as_slice())
                + size_of_val(codes.as_slice())
        }
        LoadColumn::Numbers {
            present, numbers, ..
        } => present.len() + size_of_val(numbers.as_slice()),
        LoadColumn::Tags { names, ends, codes } | LoadColumn::Taken { names, ends, codes } => {
            let names: usize = names
                .iter()
                .map(|name| name.len() + size_of::<String>())
                .sum();
            names + size_of_val(ends.as_slice()) + size_of_val(codes.as_slice())
        }
        LoadColumn::Added {
            attribute: _,
            dictionary,
            ends,
            codes,
        } => {
            let entries = of_dictionary(dictionary) + size_of_val(dictionary.as_slice());
            entries + size_of_val(ends.as_slice()) + size_of_val(codes.as_slice())
        }
        LoadColumn::Holdings {
            names,
            ends,
            codes,
            terms,
            of,
        } => {
            let names: usize = names
                .iter()
                .map(|name| name.len() + size_of::<String>())
                .sum();
            let codes = size_of_val(codes.as_slice()) + size_of_val(of.as_slice());
            names + size_of_val(ends.as_slice()) + codes + size_of_val(terms.as_slice())
        }
    });
    rows.keys.text_bytes() + rows.len() * size_of::<u32>() + columns.sum::<usize>()
}
