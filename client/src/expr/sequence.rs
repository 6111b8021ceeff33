//! Events in an order.

use tessera_protocol::message::TimeUnit;

use super::{Events, Expr, Node, Window};
use crate::render::{QueryError, Writer};

/// Begins a question about events one after the other, two or more.
///
/// ```
/// use tessera_client::{TimeUnit, expr::{Window, event, sequence}};
///
/// let bought = sequence([event("view"), event("cart"), event("purchase")])
///     .taking_at_most(1, TimeUnit::Day)
///     .within(Window::days(30))
///     .happened();
/// assert_eq!(
///     bought.to_text()?.0,
///     r#"sequence("view" -> "cart" -> "purchase", within 1d, 30d)"#
/// );
/// # Ok::<(), tessera_client::QueryError>(())
/// ```
pub fn sequence(steps: impl IntoIterator<Item = Events>) -> Sequence {
    Sequence {
        steps: steps.into_iter().collect(),
        at_most: None,
        window: None,
    }
}

/// Events one after the other, of which something is about to be asked.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a sequence needs a question, such as `happened`"]
pub struct Sequence {
    steps: Vec<Events>,
    at_most: Option<(u32, TimeUnit)>,
    window: Option<Window>,
}

impl Sequence {
    /// From the first to the last in no more than so long.
    pub fn taking_at_most(mut self, amount: u32, unit: TimeUnit) -> Self {
        self.at_most = Some((amount, unit));
        self
    }

    /// All of them in this time. The steps have no windows of their own.
    pub fn within(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// Did these in this order.
    pub fn happened(self) -> Expr {
        if self.steps.len() < 2 {
            return Expr::failed(QueryError::Steps);
        }
        let depths: Result<Vec<usize>, QueryError> =
            self.steps.iter().map(Events::filter_depth).collect();
        match depths {
            Ok(depths) => Expr {
                depth: depths.into_iter().max().unwrap_or(0) + 1,
                node: Ok(Node::Sequence(Box::new(self))),
            },
            Err(error) => Expr::failed(error),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        writer.words("sequence(");
        for (place, step) in self.steps.iter().enumerate() {
            if place > 0 {
                writer.words(" -> ");
            }
            step.write_without_window(writer)?;
        }
        match self.at_most {
            Some((0, _)) => return Err(QueryError::Empty("a length of time")),
            Some((amount, unit)) => {
                writer.words(", within ");
                writer.number(u64::from(amount));
                writer.words(letters(unit));
            }
            None => {}
        }
        if let Some(window) = &self.window {
            writer.words(", ");
            window.write(writer)?;
        }
        writer.words(")");
        Ok(())
    }
}

/// A unit as the language writes it.
fn letters(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Minute => "m",
        TimeUnit::Hour => "h",
        TimeUnit::Day => "d",
        TimeUnit::Week => "w",
        TimeUnit::Month => "mo",
        TimeUnit::Year => "y",
    }
}
