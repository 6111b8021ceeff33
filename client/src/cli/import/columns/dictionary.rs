//! What the texts of a column stand for.
//!
//! Knows each text once, and which of them a batch has. Does not know what they stand for.

use super::super::intern::{Interner, Seen};
use super::super::value::Cell;

/// Texts of a column with what they stand for, and which of them are in the batch.
pub(in crate::cli::import) struct Dictionary<T> {
    texts: Interner,
    /// What each text stands for.
    pub(in crate::cli::import) values: Vec<T>,
    /// For each text its place in the batch plus one; 0 for none.
    places: Vec<u32>,
    /// The texts of the batch in the order of their places.
    used: Vec<usize>,
}

impl<T> Dictionary<T> {
    pub(in crate::cli::import) fn new() -> Self {
        Self {
            texts: Interner::new(),
            values: Vec::new(),
            places: Vec::new(),
            used: Vec::new(),
        }
    }

    /// The number of a field, whose value is asked for when it is the first of its kind.
    pub(in crate::cli::import) fn number_of(
        &mut self,
        cell: &Cell<'_>,
        value: impl FnOnce() -> T,
    ) -> usize {
        match cell {
            Cell::Missing => self.number(b"0", value),
            Cell::Text(text) => self.number_with(b't', text, value),
            Cell::List(items) => {
                let mut text = vec![b'l'];
                for item in items {
                    text.extend_from_slice(&item.len().to_le_bytes());
                    text.extend_from_slice(item.as_bytes());
                }
                self.number(&text, value)
            }
        }
    }

    /// Kinds of fields are told apart by what stands before their texts; most have no room for
    /// it here, so that it is put together on the stack.
    fn number_with(&mut self, kind: u8, text: &str, value: impl FnOnce() -> T) -> usize {
        let mut short = [kind; 32];
        match short.get_mut(1..=text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                let end = 1 + text.len();
                self.number(&short[..end], value)
            }
            None => self.number(&[&[kind], text.as_bytes()].concat(), value),
        }
    }

    pub(in crate::cli::import) fn number(
        &mut self,
        text: &[u8],
        value: impl FnOnce() -> T,
    ) -> usize {
        match self.texts.number(text) {
            Seen::Before(number) => number,
            Seen::Now(number) => {
                self.values.push(value());
                self.places.push(0);
                number
            }
        }
    }

    /// The place of a text in the batch, and whether it is new there.
    pub(in crate::cli::import) fn code(&mut self, number: usize) -> (u32, bool) {
        let place = &mut self.places[number];
        let added = *place == 0;
        if added {
            self.used.push(number);
            *place = self.used.len() as u32;
        }
        (*place - 1, added)
    }

    /// Ends the batch: the numbers of its texts by their places.
    pub(in crate::cli::import) fn finish(&mut self) -> Vec<usize> {
        for number in &self.used {
            self.places[*number] = 0;
        }
        std::mem::take(&mut self.used)
    }

    /// Whether it has grown beyond what is worth keeping for the next batch.
    pub(in crate::cli::import) fn is_overgrown(&self) -> bool {
        self.texts.is_overgrown()
    }

    /// Begins anew, between batches, when it is.
    pub(in crate::cli::import) fn forget_if_overgrown(&mut self) {
        if self.is_overgrown() {
            *self = Self::new();
        }
    }
}
