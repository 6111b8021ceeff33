//! Values sent beside a statement's text.

use tessera_protocol::message::{Datum, Parameter};

/// Values for the `$` parameters of a statement. They are never parsed as text.
///
/// ```
/// # use tessera_client::Params;
/// let none = Params::from(());
/// let by_name = Params::from([("tag", "vip"), ("city", "rome")]);
/// let by_position = Params::new().value("vip").value(18);
/// let mixed = Params::new().named("tag", "vip").named("age", 18);
/// # let _ = (none, by_name, by_position, mixed);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params {
    parameters: Vec<Parameter>,
    positions: usize,
}

impl Params {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the value of the next position: `$1`, `$2`, …
    #[must_use]
    pub fn value(mut self, value: impl Into<Datum>) -> Self {
        self.push(value.into());
        self
    }

    /// Adds the value of `$name`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, value: impl Into<Datum>) -> Self {
        self.parameters.push(Parameter {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Adds the value of the next position and says which it is.
    pub(crate) fn push(&mut self, value: Datum) -> usize {
        self.positions += 1;
        self.parameters.push(Parameter {
            name: self.positions.to_string(),
            value,
        });
        self.positions
    }

    /// The values as they are sent.
    pub fn into_parameters(self) -> Vec<Parameter> {
        self.parameters
    }
}

impl From<()> for Params {
    fn from((): ()) -> Self {
        Self::new()
    }
}

impl From<Vec<Parameter>> for Params {
    fn from(parameters: Vec<Parameter>) -> Self {
        let positions = parameters
            .iter()
            .filter_map(|parameter| parameter.name.parse().ok())
            .max();
        Self {
            parameters,
            positions: positions.unwrap_or(0),
        }
    }
}

impl<N: Into<String>, V: Into<Datum>, const LENGTH: usize> From<[(N, V); LENGTH]> for Params {
    fn from(values: [(N, V); LENGTH]) -> Self {
        values
            .into_iter()
            .fold(Self::new(), |params, (name, value)| {
                params.named(name, value)
            })
    }
}
