//! Values sent beside a statement's text.
//!
//! Knows their names. Does not know where in the text they stand.

use tessera_query_lang::ast::Parameter;

use crate::datum::Datum;

/// Values for `$1` (named `1`) and `$name` (named `name`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(Vec<(String, Datum)>);

impl Parameters {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// These. Of several with one name the first counts.
    pub fn new(values: Vec<(String, Datum)>) -> Self {
        Self(values)
    }

    /// The value with this name, without the `$`.
    pub fn value(&self, name: &str) -> Option<&Datum> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// The value of a parameter of the text.
    pub fn value_of(&self, parameter: &Parameter) -> Option<&Datum> {
        match parameter {
            Parameter::Position(position) => self.value(&position.to_string()),
            Parameter::Name(name) => self.value(name.as_str()),
        }
    }

    /// Names and values, as they were given.
    pub fn as_slice(&self) -> &[(String, Datum)] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name_and_place() {
        let parameters = Parameters::new(vec![
            ("1".to_owned(), Datum::Integer(7)),
            ("city".to_owned(), Datum::Boolean(true)),
        ]);
        assert_eq!(
            parameters.value_of(&Parameter::Position(1)),
            Some(&Datum::Integer(7))
        );
        assert_eq!(parameters.value("city"), Some(&Datum::Boolean(true)));
        assert_eq!(parameters.value_of(&Parameter::Position(2)), None);
        assert_eq!(parameters.len(), 2);
        assert!(Parameters::none().is_empty());
    }
}
