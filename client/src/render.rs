//! Queries built by a program, written down: text with parameters.
//!
//! Knows how names are quoted and that no value ever becomes text. Does not know which names are
//! defined or what the limits of a server are.

use tessera_protocol::message::{Datum, Parameter};

use crate::params::Params;

/// The most values one statement can carry: positions are numbered with 16 bits.
const VALUES_MAX: usize = 65_535;

/// Why a built query cannot be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A list that must name something names nothing. An empty expression is an error, never
    /// "everyone" and never "no one".
    #[error("{0} of nothing")]
    Empty(&'static str),
    /// Expressions nested deeper than any server accepts.
    #[error("an expression nested deeper than {0} levels")]
    TooDeep(usize),
    /// More values than one statement can carry.
    #[error("more than {VALUES_MAX} values in one statement")]
    TooManyValues,
    /// A threshold that no user or every user passes.
    #[error("at least {threshold} of {of} expressions")]
    Threshold {
        /// How many must hold.
        threshold: u32,
        /// Of how many.
        of: usize,
    },
    /// A sample of nothing or of more than everyone.
    #[error("a sample must be above 0 and at most 100 percent")]
    Sample,
    /// A condition on events that asks of something else than their properties.
    #[error("a condition on events asks of their properties only")]
    Property,
    /// A percentile that does not exist.
    #[error("a percentile is at most 100")]
    Percentile,
    /// A sequence of one thing.
    #[error("a sequence has two steps or more")]
    Steps,
    /// Events that have a window of their own where the window is that of the whole.
    #[error("the steps of a sequence and what a dimension splits have one window, of the whole")]
    Window,
}

/// A statement being written down.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
    params: Params,
    positions: usize,
}

impl Writer {
    /// Appends words of the language itself.
    pub(crate) fn words(&mut self, words: &str) {
        self.text.push_str(words);
    }

    /// Appends a number of the language itself: a limit, a threshold.
    pub(crate) fn number(&mut self, number: u64) {
        self.text.push_str(&number.to_string());
    }

    /// Appends a name, always quoted. A quoted text is never a glob, a keyword or a value's syntax.
    pub(crate) fn name(&mut self, name: &str) {
        self.text.push('"');
        for letter in name.chars() {
            if matches!(letter, '"' | '\\') {
                self.text.push('\\');
            }
            self.text.push(letter);
        }
        self.text.push('"');
    }

    /// Appends a name as an item of a list.
    pub(crate) fn named(&mut self, name: &(impl AsRef<str> + ?Sized)) -> Result<(), QueryError> {
        self.name(name.as_ref());
        Ok(())
    }

    /// Appends a parameter and puts the value beside the text.
    pub(crate) fn value(&mut self, value: &Datum) -> Result<(), QueryError> {
        if self.positions == VALUES_MAX {
            return Err(QueryError::TooManyValues);
        }
        self.positions = self.params.push(value.clone());
        self.text.push('$');
        self.text.push_str(&self.positions.to_string());
        Ok(())
    }

    /// Appends items with commas between them.
    pub(crate) fn list<T>(
        &mut self,
        what: &'static str,
        items: &[T],
        mut item: impl FnMut(&mut Self, &T) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let Some((first, rest)) = items.split_first() else {
            return Err(QueryError::Empty(what));
        };
        item(self, first)?;
        for next in rest {
            self.words(", ");
            item(self, next)?;
        }
        Ok(())
    }

    /// The text and the values beside it.
    pub(crate) fn finish(self) -> (String, Vec<Parameter>) {
        (self.text, self.params.into_parameters())
    }
}
