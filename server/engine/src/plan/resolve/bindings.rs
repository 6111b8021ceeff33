//! Values sent beside the text.
//!
//! Knows which parameters have a value and which were used. Does not know what they stand for.

use tessera_query_lang::ast::{Parameter, Span};

use super::ResolveError;
use crate::datum::Datum;

/// The parameters' values, and which of them the statement used.
#[derive(Debug)]
pub(super) struct Bindings<'a> {
    values: &'a [(String, Datum)],
    used: Vec<bool>,
}

impl<'a> Bindings<'a> {
    /// Takes the values.
    ///
    /// # Errors
    /// When one name has two values.
    pub(super) fn new(values: &'a [(String, Datum)]) -> Result<Self, ResolveError> {
        for (index, (name, _)) in values.iter().enumerate() {
            if values[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(ResolveError::RepeatedParameter { name: name.clone() });
            }
        }
        Ok(Self {
            values,
            used: vec![false; values.len()],
        })
    }

    /// No values.
    pub(super) fn none() -> Self {
        Self {
            values: &[],
            used: Vec::new(),
        }
    }

    /// A parameter's value; it counts as used from now on.
    pub(super) fn value(
        &mut self,
        parameter: &Parameter,
        span: Span,
    ) -> Result<&'a Datum, ResolveError> {
        let name = match parameter {
            Parameter::Position(position) => position.to_string(),
            Parameter::Name(name) => name.to_string(),
        };
        let found = self
            .values
            .iter()
            .position(|(candidate, _)| *candidate == name);
        match found {
            Some(index) => {
                self.used[index] = true;
                Ok(&self.values[index].1)
            }
            None => Err(ResolveError::MissingParameter { name, span }),
        }
    }

    /// Refuses values that nothing used.
    pub(super) fn finish(&self) -> Result<(), ResolveError> {
        let unused = self.values.iter().zip(&self.used).find(|(_, used)| !**used);
        match unused {
            Some(((name, _), _)) => Err(ResolveError::UnusedParameter { name: name.clone() }),
            None => Ok(()),
        }
    }
}
