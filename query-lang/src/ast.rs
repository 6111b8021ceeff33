//! The syntax tree of a statement.
//!
//! Knows what a well-formed text says. Does not know whether a name is defined, what type an
//! attribute has, or what a parameter's value is: that is the engine's `plan::resolve`.
//!
//! Places in the text ([`Span`]) are carried beside the nodes an error message would point at
//! and take no part in equality, so that a printed and reparsed tree equals its source.

mod behaviour;
mod definition;
mod holding;
mod rename;
mod rule;
mod select;
mod time;
mod upkeep;

pub use behaviour::*;
pub use definition::*;
pub use holding::*;
pub use rule::*;
pub use select::*;
pub use time::*;
pub use upkeep::*;

use jiff::{Timestamp, civil::Date};

use crate::name::{Glob, Name};

/// A half-open range of bytes in the statement's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` to before `end`. No text is as long as a `u32` cannot tell;
    /// were one, the span would stop at the greatest offset.
    pub fn new(start: usize, end: usize) -> Self {
        let offset = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            start: offset(start),
            end: offset(end),
        }
    }

    /// From this span's start to the other's end.
    pub fn to(self, last: Span) -> Self {
        Self {
            start: self.start,
            end: last.end.max(self.start),
        }
    }

    /// The bytes as a range to index a text with.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A node and the place it was read from. Two are equal when their nodes are.
#[derive(Debug, Clone, Copy)]
pub struct Spanned<T> {
    /// What was read.
    pub node: T,
    /// Where it was read.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A node at a place.
    pub fn new(node: T, span: Span) -> Self {
        Self { node, span }
    }

    /// A node that no text stands behind, as a program builds it.
    pub fn synthetic(node: T) -> Self {
        Self {
            node,
            span: Span::default(),
        }
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl<T: Eq> Eq for Spanned<T> {}

/// A decimal number: `units` / 10^`scale`, as written (`1.50` has scale 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// The number without its point.
    pub units: i64,
    /// Digits after the point, at most 18.
    pub scale: u8,
}

/// The unit of a distance in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `w`
    Week,
    /// `mo`, a calendar month
    Month,
    /// `y`, a calendar year
    Year,
}

/// What a relative time counts from. One statement sees one `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeAnchor {
    /// The moment of the statement.
    Now,
    /// The day of the statement, in UTC.
    Today,
}

/// `now`, `today`, `now-30d`, `today+2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelativeTime {
    /// Where it counts from.
    pub anchor: TimeAnchor,
    /// Signed amount of units to go from there; zero when none was written.
    pub amount: i32,
    /// The unit of `amount`.
    pub unit: TimeUnit,
}

/// A value sent beside the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// `$1`, counted from one.
    Position(u16),
    /// `$name`
    Name(Name),
}

/// A literal, or a parameter that stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A bare name or a quoted string: the two say the same.
    Text(String),
    /// `42`, `-7`
    Integer(i64),
    /// `1.50`
    Decimal(Decimal),
    /// `true`, `false`
    Boolean(bool),
    /// `2026-11-23`
    Date(Date),
    /// `2026-11-23T10:00:00Z`
    Timestamp(Timestamp),
    /// `now-30d`
    Relative(RelativeTime),
    /// `$1`
    Parameter(Parameter),
}

/// What may stand after `tag:`: a name, a glob (`promo-*`), or a parameter that holds a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagPattern {
    /// Exactly this tag; an error when it is not defined.
    Name(Name),
    /// Every tag that matches; an error when none does.
    Glob(Glob),
    /// A name sent beside the text; never a glob.
    Parameter(Parameter),
}

/// What may stand after `segment:` or `group:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameRef {
    /// A name.
    Name(Name),
    /// A name sent beside the text.
    Parameter(Parameter),
}

/// `=`, `!=`, `<`, `<=`, `>`, `>=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`: a value is present and another one.
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What is asked of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeTest {
    /// `city:(paris, rome)`, `gender:f`: any of these values.
    AnyOf(Vec<Spanned<Value>>),
    /// `age:18..34`, `spend:1000..`, `birthday:..2000-01-01`: closed, at least one end present.
    Between {
        /// The least value, included.
        low: Option<Spanned<Value>>,
        /// The greatest value, included.
        high: Option<Spanned<Value>>,
    },
    /// `age >= 18`
    Compare(Comparison, Spanned<Value>),
    /// `gender IS MISSING`, `gender IS PRESENT`
    Is(Presence),
    /// `birthday ANNIVERSARY IN today..today+7d`: the day returns on one of these days, both
    /// included.
    Anniversary {
        /// The first day.
        first: Spanned<Value>,
        /// The last day.
        last: Spanned<Value>,
    },
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// `IS MISSING`
    Missing,
    /// `IS PRESENT`
    Present,
}

/// Who: a set of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// `ALL`: every user.
    All,
    /// `tag:vip`, `tag:promo-*`, `tag:(a, b)`: holds at least one of them.
    Tag(Vec<Spanned<TagPattern>>),
    /// `tag:vip[since >= now-7d, source = rule]`: holds at least one of them, and that holding
    /// satisfies every condition.
    Held {
        /// As for [`Expr::Tag`].
        tags: Vec<Spanned<TagPattern>>,
        /// One condition or more.
        tests: Vec<HoldingTest>,
    },
    /// `lapsed(tag:member, 30d)`: does not hold one of them now, and its last holding ended
    /// within the window.
    Lapsed {
        /// As for [`Expr::Tag`].
        tags: Vec<Spanned<TagPattern>>,
        /// When it ended; whenever, as far as is known, when not written.
        window: Option<Spanned<Window>>,
    },
    /// `did:purchase[30d]`, `count(purchase, 30d) >= 3`, and their like.
    Behaviour(Box<Spanned<Behaviour>>),
    /// `referred_by(expr)`, `count(invited) >= 2`, and their like.
    Referral(Box<Spanned<Referral>>),
    /// A test of an attribute.
    Attribute {
        /// The attribute's name.
        name: Spanned<Name>,
        /// What is asked of it.
        test: AttributeTest,
    },
    /// `group:lifecycle IS MISSING`: holds no tag (or, `PRESENT`, at least one) of the group.
    Group {
        /// The tag group.
        name: Spanned<NameRef>,
        /// Which of the two.
        is: Presence,
    },
    /// `segment:loyal`, `segment:(a, b)`: any of the saved segments, evaluated now.
    Segment(Vec<Spanned<NameRef>>),
    /// `user:("u1", "u2")`: exactly these users, as far as they exist.
    Users(Vec<Spanned<Value>>),
    /// `AT LEAST 2 OF (a, b, c)`
    AtLeast {
        /// How many must hold.
        threshold: Spanned<u32>,
        /// Of which.
        of: Vec<Expr>,
    },
    /// `NOT x`
    Not(Box<Expr>),
    /// `x AND y AND z`: two operands or more, none of them an `And`.
    And(Vec<Expr>),
    /// `x OR y OR z`: two operands or more, none of them an `Or`.
    Or(Vec<Expr>),
}

/// Whose data a statement writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `"u1", "u2"`: these users; a key that is new becomes a user.
    Keys(Vec<Spanned<Value>>),
    /// `WHERE expr`: every user of the expression.
    Where(Expr),
}

/// One assignment of a `SET` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// `gender = f`, `interests = (golf, chess)`
    To(Vec<Spanned<Value>>),
    /// `gender = MISSING`
    Clear,
    /// `interests += golf`
    Add(Vec<Spanned<Value>>),
    /// `interests -= golf`
    Remove(Vec<Spanned<Value>>),
}

/// Whether to run the explained statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainMode {
    /// `EXPLAIN`: the plan, with estimates.
    Plan,
    /// `EXPLAIN ANALYZE`: run it, with real sizes and times.
    Analyze,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `COUNT expr`
    Count(Expr),
    /// `SEGMENT …`
    Segment(Segment),
    /// `FETCH "cursor" [LIMIT n]`: the next page of a segment, from the same snapshot.
    Fetch {
        /// The cursor, as an earlier answer gave it.
        cursor: Spanned<Value>,
        /// Another page length.
        limit: Option<Spanned<u64>>,
    },
    /// `CLOSE "cursor"`: give its snapshot back.
    Close(Spanned<Value>),
    /// `DIMENSION …`
    Dimension(Dimension),
    /// `PORTRAIT "key"`
    Portrait(Spanned<Value>),
    /// `EXPLAIN [ANALYZE] COUNT|SEGMENT|DIMENSION …`
    Explain(ExplainMode, Box<Statement>),
    /// `SHOW …`
    Show(Show),
    /// `DEFINE … [IF NOT EXISTS]`
    Define(Define, OnConflict),
    /// `ALTER …`
    Alter(Alter),
    /// `DROP TAG vip [IF EXISTS]`
    Drop(DefinitionKind, Spanned<Name>, OnConflict),
    /// `SAVE SEGMENT loyal [OWNER …] [DESCRIPTION …] AS expr`: define or replace.
    SaveSegment(SavedSegment),
    /// `TAG "u1" WITH vip, gold [FROM t] [UNTIL t | FOR 30d] [SOURCE import]`,
    /// `TAG WHERE expr WITH vip`
    Tag {
        /// Who.
        target: Target,
        /// The tags to set; names or parameters, never globs.
        tags: Vec<Spanned<NameRef>>,
        /// Since when, until when, and from where.
        terms: HoldingTerms,
    },
    /// `UNTAG "u1" WITH vip`, `UNTAG WHERE expr WITH vip`
    Untag {
        /// Who.
        target: Target,
        /// The tags to clear.
        tags: Vec<Spanned<NameRef>>,
    },
    /// `CLEAR TAG "u1" WITH vip`, `CLEAR TAG WHERE expr WITH vip`: forgets that a rule's tag was
    /// given or taken by hand, so that its rule decides again.
    ClearTag {
        /// Who.
        target: Target,
        /// The tags to clear.
        tags: Vec<Spanned<NameRef>>,
    },
    /// `SET "u1" gender = f, age = 30`, `SET WHERE expr city = paris`
    Set {
        /// Who.
        target: Target,
        /// What.
        assignments: Vec<(Spanned<Name>, Assignment)>,
    },
    /// `DELETE USER "u1", "u2"`
    DeleteUser(Vec<Spanned<Value>>),
    /// `TRACK "u1" purchase …`
    Track(Track),
    /// `SUBMIT FORM welcome FOR "u1" WITH …`
    Submit(Submission),
    /// `RENAME TAG a TO b`
    RenameTag {
        /// The tag.
        tag: Spanned<Name>,
        /// Its new name.
        to: Spanned<Name>,
    },
    /// `MERGE TAG a INTO b`
    MergeTag {
        /// The tag that goes.
        tag: Spanned<Name>,
        /// The one that stays.
        into: Spanned<Name>,
    },
    /// `USAGES TAG a`: what needs a definition.
    Usages(DefinitionKind, Spanned<Name>),
    /// `LINT TAGS [LIKE …] [LIMIT n]`
    Lint(ShowList),
    /// `TREND tag:vip LAST 90d BY day`
    Trend(Trend),
    /// `WHY "u1" IN expr`
    Why {
        /// Who.
        user: Spanned<Value>,
        /// In what.
        filter: Expr,
    },
}
