//! How tags are held: since when, until when, from where.

use tessera_protocol::message::Datum;

use super::{Expr, Node, TagName, Test, Window};
use crate::render::{QueryError, Writer};

/// Where a holding comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A person or a program tagged the user.
    Manual,
    /// A file did.
    Import,
    /// The tag's own rule holds.
    Rule,
    /// A model guessed so.
    Model,
}

/// Begins a question about how a tag is held.
///
/// ```
/// use tessera_client::expr::{Source, holding};
///
/// let given = holding("member").began_from("2026-01-01").comes_from(Source::Import).held();
/// assert_eq!(
///     given.to_text()?.0,
///     r#"tag:"member"[since:$1.., source = import]"#
/// );
/// # Ok::<(), tessera_client::QueryError>(())
/// ```
pub fn holding(tag: impl Into<String>) -> Holding {
    Holding {
        tag: tag.into(),
        conditions: Vec::new(),
    }
}

/// A holding of which something is about to be asked.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a holding needs a question, such as `held`"]
pub struct Holding {
    tag: String,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    field: &'static str,
    test: Test,
}

impl Holding {
    /// Began at this moment or later.
    pub fn began_from(self, moment: impl Into<Datum>) -> Self {
        self.and("since", Test::Between(Some(moment.into()), None))
    }

    /// Began at this moment or earlier.
    pub fn began_up_to(self, moment: impl Into<Datum>) -> Self {
        self.and("since", Test::Between(None, Some(moment.into())))
    }

    /// Has an end, at this moment or later.
    pub fn ends_from(self, moment: impl Into<Datum>) -> Self {
        self.and("until", Test::Between(Some(moment.into()), None))
    }

    /// Has an end, at this moment or earlier.
    pub fn ends_up_to(self, moment: impl Into<Datum>) -> Self {
        self.and("until", Test::Between(None, Some(moment.into())))
    }

    /// Has no end.
    pub fn without_end(self) -> Self {
        self.and("until", Test::Is(" IS MISSING"))
    }

    /// Comes from there.
    pub fn comes_from(self, source: Source) -> Self {
        let test = match source {
            Source::Manual => " = manual",
            Source::Import => " = import",
            Source::Rule => " = rule",
            Source::Model => " = model",
        };
        self.and("source", Test::Is(test))
    }

    /// Comes from somewhere else.
    pub fn comes_not_from(self, source: Source) -> Self {
        let test = match source {
            Source::Manual => " != manual",
            Source::Import => " != import",
            Source::Rule => " != rule",
            Source::Model => " != model",
        };
        self.and("source", Test::Is(test))
    }

    /// Holds the tag now, and this holding satisfies all of the above.
    pub fn held(self) -> Expr {
        let tags = vec![TagName::Exactly(self.tag)];
        if self.conditions.is_empty() {
            return Expr::leaf(Node::Tags(tags));
        }
        Expr::leaf(Node::Held(tags, self.conditions))
    }

    fn and(mut self, field: &'static str, test: Test) -> Self {
        self.conditions.push(Condition { field, test });
        self
    }
}

/// Held the tag, and that ended within the window; whenever, as far as it is known, without one.
///
/// ```
/// use tessera_client::expr::{Window, lapsed};
///
/// let lost = lapsed("member", Window::days(30));
/// assert_eq!(lost.to_text()?.0, r#"lapsed(tag:"member", 30d)"#);
/// assert_eq!(lapsed("member", None).to_text()?.0, r#"lapsed(tag:"member")"#);
/// # Ok::<(), tessera_client::QueryError>(())
/// ```
pub fn lapsed(tag: impl Into<String>, window: impl Into<Option<Window>>) -> Expr {
    let tags = vec![TagName::Exactly(tag.into())];
    Expr::leaf(Node::Lapsed(tags, window.into()))
}

pub(super) fn write_conditions(
    conditions: &[Condition],
    writer: &mut Writer,
) -> Result<(), QueryError> {
    writer.words("[");
    writer.list("conditions", conditions, |writer, condition| {
        writer.words(condition.field);
        condition.test.write(writer)
    })?;
    writer.words("]");
    Ok(())
}
