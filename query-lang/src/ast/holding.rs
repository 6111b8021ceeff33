//! How a user holds a tag: since when, until when, and from where.

use super::{Period, Presence, RangeTest, Spanned, Value};

/// Where a holding comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// `manual`: a person or a program tagged the user.
    Manual,
    /// `import`: a file did.
    Import,
    /// `rule`: the tag's own rule holds.
    Rule,
    /// `model`: a model guessed so.
    Model,
}

/// A condition on a holding, in the brackets after a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldingTest {
    /// `since >= now-7d`
    Since(RangeTest),
    /// `until <= now+7d`: false of a holding without an end.
    Until(RangeTest),
    /// `until IS MISSING`: whether it has an end at all.
    UntilIs(Presence),
    /// `source = rule`, `source:(import, model)`: one of these. `source != rule` is read as the
    /// others.
    Source(Vec<Spanned<Source>>),
}

/// How `TAG` gives a tag; nothing of it need be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HoldingTerms {
    /// `FROM t`: the moment of the statement if not written.
    pub from: Option<Spanned<Value>>,
    /// When it ends: after the tag's own validity if not written, and never without one.
    pub end: Option<HoldingEnd>,
    /// `SOURCE import`: manual if not written, and never [`Source::Rule`].
    pub source: Option<Spanned<Source>>,
}

/// When a holding ends; it is held before that moment and not at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldingEnd {
    /// `UNTIL t`
    Until(Spanned<Value>),
    /// `FOR 30d`: so long after its start.
    For(Spanned<Period>),
}
