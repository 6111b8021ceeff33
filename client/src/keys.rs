//! Users' keys as they arrive: many in one buffer.

use tessera_protocol::{
    load::{LoadError, PackedTexts},
    message::Datum,
};

use crate::answer::Row;

/// Some keys, in the order of their rows. Reading one allocates nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyBatch {
    texts: PackedTexts,
}

impl KeyBatch {
    pub(crate) fn new(texts: PackedTexts) -> Self {
        Self { texts }
    }

    /// The first column of rows; `None` when it is not text.
    pub(crate) fn of_rows(rows: &[Row]) -> Option<Result<Self, LoadError>> {
        let mut texts = PackedTexts::default();
        for row in rows {
            let Some(Datum::Text(key)) = row.first() else {
                return None;
            };
            if let Err(error) = texts.push(key) {
                return Some(Err(error));
            }
        }
        Some(Ok(Self { texts }))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// A key by its place, from 0.
    pub fn get(&self, place: usize) -> Option<&str> {
        self.texts.get(place)
    }

    /// The keys in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter()
    }

    /// The row of the key at a place.
    pub(crate) fn row(&self, place: usize) -> Option<Row> {
        self.get(place).map(row_of)
    }

    /// The rows from a place on.
    pub(crate) fn rows_from(&self, place: usize) -> Vec<Row> {
        self.iter().skip(place).map(row_of).collect()
    }
}

fn row_of(key: &str) -> Row {
    vec![Datum::Text(key.to_owned())]
}
