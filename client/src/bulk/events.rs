//! Events on their way that were given column by column.
//!
//! Knows how to part them, and which of them a refusal speaks of. Does not know when.

use std::{ops::Range, sync::Arc};

use tessera_protocol::{
    load::{EventColumn, EventRows},
    message::{Datum, Failure, Mutation},
};
use tokio::sync::OwnedSemaphorePermit;

use super::size::datum_bytes;

/// Once some of them are refused, the others go on in pieces of so many: each refusal costs
/// sending what is left of its piece again.
const PIECE_EVENTS: usize = 2_000;

/// Some of the events that were given together.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) rows: EventRows,
    /// The place of the first of all that were given together.
    first_index: u64,
    /// For each event here its place among those.
    offsets: Vec<u32>,
    /// Held until all are done.
    memory: Arc<OwnedSemaphorePermit>,
}

impl Events {
    /// All that were given together.
    pub(super) fn new(
        rows: EventRows,
        first_index: u64,
        memory: Arc<OwnedSemaphorePermit>,
    ) -> Self {
        let offsets = (0..rows.len() as u32).collect();
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

    /// The place of an event among all changes.
    pub(super) fn index(&self, row: usize) -> u64 {
        let offset = self.offsets.get(row).copied().unwrap_or_default();
        self.first_index + u64::from(offset)
    }

    /// The place of each event among all changes.
    pub(super) fn indices(&self) -> Vec<u64> {
        (0..self.len()).map(|row| self.index(row)).collect()
    }

    /// One of them as a change.
    pub(super) fn mutation(&self, row: usize) -> Mutation {
        Mutation::Track(Box::new(self.rows.track(row).unwrap_or_default()))
    }

    fn some(&self, places: &[u32]) -> Self {
        Self {
            rows: self.rows.select(places),
            first_index: self.first_index,
            offsets: places
                .iter()
                .filter_map(|place| self.offsets.get(*place as usize).copied())
                .collect(),
            memory: Arc::clone(&self.memory),
        }
    }

    /// The first half of them and the second.
    pub(super) fn halves(&self) -> [Self; 2] {
        let all: Vec<u32> = (0..self.len() as u32).collect();
        let (first, second) = all.split_at(self.len() / 2);
        [first, second].map(|places| self.some(places))
    }

    /// Those that a refusal blames; `None` when it blames none of them.
    pub(super) fn blamed(&self, failure: &Failure) -> Option<Range<usize>> {
        let (start, end) = failure.span?;
        let blamed = start as usize..(end as usize).min(self.len());
        (!blamed.is_empty()).then_some(blamed)
    }

    /// All but these, in pieces.
    pub(super) fn without(&self, blamed: &Range<usize>) -> Vec<Self> {
        let is_left = |place: &u32| !blamed.contains(&(*place as usize));
        let left: Vec<u32> = (0..self.len() as u32).filter(is_left).collect();
        let pieces = left.chunks(PIECE_EVENTS);
        pieces.map(|places| self.some(places)).collect()
    }
}

/// Bytes of memory that events take, about.
pub(super) fn estimated_bytes(rows: &EventRows) -> usize {
    let of_dictionary =
        |dictionary: &[Datum]| -> usize { dictionary.iter().map(datum_bytes).sum() };
    let columns = rows.columns.iter().map(|column| match column {
        EventColumn::Coded {
            dictionary, codes, ..
        } => {
            let dictionary = of_dictionary(dictionary) + size_of_val(dictionary.as_slice());
            dictionary + size_of_val(codes.as_slice())
        }
        EventColumn::Numbers {
            present, numbers, ..
        } => present.len() + size_of_val(numbers.as_slice()),
    });
    let users = rows.users.text_bytes() + rows.users.len() * size_of::<u32>();
    let ids = rows
        .ids
        .as_ref()
        .map_or(0, |ids| ids.text_bytes() + ids.len() * size_of::<u32>());
    users + ids + rows.len() * (size_of::<u32>() + size_of::<i64>()) + columns.sum::<usize>()
}
