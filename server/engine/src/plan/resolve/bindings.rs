//! Values sent beside the text.
//!
//! Knows which parameters have a value and which were used. Does not know what they stand for.

use std::collections::{HashMap, hash_map::Entry};

use tessera_query_lang::ast::{Parameter, Span};

use super::ResolveError;
use crate::datum::Datum;

/// Values that may be sent beside one statement; as many as its expressions may have leaves by
/// default.
pub(super) const PARAMETERS_MAX: usize = 10_000;

/// The parameters' values, and which of them the statement used.
#[derive(Debug)]
pub(super) struct Bindings<'a> {
    values: &'a [(String, Datum)],
    /// Where in `values` a name stands.
    places: HashMap<&'a str, usize>,
    used: Vec<bool>,
}

impl<'a> Bindings<'a> {
    /// Takes the values.
    ///
    /// # Errors
    /// When there are more than [`PARAMETERS_MAX`], or one name has two values.
    pub(super) fn new(values: &'a [(String, Datum)]) -> Result<Self, ResolveError> {
        if values.len() > PARAMETERS_MAX {
            return Err(ResolveError::TooMany {
                what: "values for parameters",
                max: PARAMETERS_MAX as u64,
                span: Span::default(),
            });
        }
        let mut places = HashMap::with_capacity(values.len());
        for (index, (name, _)) in values.iter().enumerate() {
            match places.entry(name.as_str()) {
                Entry::Vacant(place) => place.insert(index),
                Entry::Occupied(_) => {
                    return Err(ResolveError::RepeatedParameter { name: name.clone() });
                }
            };
        }
        Ok(Self {
            values,
            places,
            used: vec![false; values.len()],
        })
    }

    /// No values.
    pub(super) fn none() -> Self {
        Self {
            values: &[],
            places: HashMap::new(),
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
        match self.places.get(name.as_str()) {
            Some(&index) => {
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

#[cfg(test)]
mod tests {
    use super::super::ResolveErrorKind;
    use super::*;

    fn values(count: usize) -> Vec<(String, Datum)> {
        let value = |index: usize| (index.to_string(), Datum::Null);
        (1..=count).map(value).collect()
    }

    #[test]
    fn no_more_values_than_allowed_are_looked_at() {
        let mut most = values(PARAMETERS_MAX);
        let bindings = Bindings::new(&most).map(|mut bindings| {
            bindings
                .value(&Parameter::Position(10_000), Span::default())
                .cloned()
        });
        assert_eq!(bindings, Ok(Ok(Datum::Null)));
        // Said before anything else about them is.
        most.push(("1".to_owned(), Datum::Null));
        let refused = Bindings::new(&most).err();
        assert_eq!(
            refused.as_ref().map(ResolveError::kind),
            Some(ResolveErrorKind::LimitExceeded)
        );
        assert_eq!(
            refused.map(|error| error.to_string()).as_deref(),
            Some("this has more than 10000 values for parameters")
        );
    }

    #[test]
    fn the_limit_is_documented() {
        let page = include_str!("../../../../../docs/query-language.md");
        assert!(page.contains("| values for parameters | 10,000 |"));
        assert_eq!(PARAMETERS_MAX, 10_000);
    }
}
