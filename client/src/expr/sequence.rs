//! What users did one after the other.

use super::{Events, Expr, Node, Window};
use crate::render::{QueryError, Writer};

/// Begins a question about events in this order.
///
/// ```
/// use tessera_client::expr::{Window, event, sequence};
///
/// let bought = sequence([event("view"), event("cart"), event("purchase")])
///     .within_days(1)
///     .during(Window::days(30))
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
        within: None,
        window: None,
    }
}

/// Events in an order, of which something is about to be asked.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a sequence needs a question, such as `happened`"]
pub struct Sequence {
    steps: Vec<Events>,
    within: Option<(u32, &'static str)>,
    window: Option<Window>,
}

impl Sequence {
    /// From the first to the last so many days of 24 hours at most.
    pub fn within_days(self, count: u32) -> Self {
        self.within(count, "d")
    }

    /// From the first to the last so many hours at most.
    pub fn within_hours(self, count: u32) -> Self {
        self.within(count, "h")
    }

    /// From the first to the last so many minutes at most.
    pub fn within_minutes(self, count: u32) -> Self {
        self.within(count, "m")
    }

    /// Only events of this time, which all steps share.
    pub fn during(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// Did all of them, each later than the one before. Two at least; a step has no window of its
    /// own.
    pub fn happened(self) -> Expr {
        let mut depth = 0;
        for step in &self.steps {
            match step.depth_without_window() {
                Ok(of_step) => depth = of_step.max(depth),
                Err(error) => return Expr::failed(error),
            }
        }
        if self.steps.len() < 2 {
            return Expr::failed(QueryError::Empty("a sequence"));
        }
        Expr {
            node: Ok(Node::Sequence(Box::new(self))),
            depth: depth + 1,
        }
    }

    fn within(mut self, count: u32, unit: &'static str) -> Self {
        self.within = Some((count, unit));
        self
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        writer.words("sequence(");
        for (position, step) in self.steps.iter().enumerate() {
            if position > 0 {
                writer.words(" -> ");
            }
            step.write(writer)?;
        }
        match self.within {
            None => {}
            Some((0, _)) => return Err(QueryError::Empty("a time")),
            Some((count, unit)) => {
                writer.words(", within ");
                writer.number(u64::from(count));
                writer.words(unit);
            }
        }
        if let Some(window) = &self.window {
            writer.words(", ");
            window.write(writer)?;
        }
        writer.words(")");
        Ok(())
    }
}
