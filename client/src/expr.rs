//! Who: expressions built by a program, which no name and no value can break out of.
//!
//! ```
//! use tessera_client::expr::{any_of, attribute, not, segment, tag};
//!
//! let who = tag("vip")
//!     .and(not(tag("silent")))
//!     .and(any_of([segment("loyal"), attribute("age").between(18, 34)]));
//! assert_eq!(
//!     who.to_text()?.0,
//!     r#"tag:"vip" AND NOT tag:"silent" AND (segment:"loyal" OR "age":$1..$2)"#
//! );
//! # Ok::<(), tessera_client::QueryError>(())
//! ```
//!
//! Names are always quoted; values always travel beside the text. There is no way to put text
//! into an expression.

mod behaviour;
mod event_property;
mod holding;
mod referral;
mod sequence;

use tessera_protocol::message::{Datum, Parameter};

pub use behaviour::{EventMeasure, Events, Window, event};
pub use event_property::EventProperty;
pub use holding::{Holding, Source, holding, lapsed};
pub use referral::{descendants_of, invited_at_least, inviter_of, referred_by};
pub use sequence::{Sequence, sequence};

use crate::render::{QueryError, Writer};

/// The deepest nesting an expression can have; any server's limit is lower. An expression that
/// grows beyond it is forgotten and remembered as an error, so that no program can build one
/// that is too deep to drop.
const DEPTH_MAX: usize = 200;

/// A set of users.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    node: Result<Node, QueryError>,
    depth: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    All,
    Tags(Vec<TagName>),
    Held(Vec<TagName>, Vec<holding::Condition>),
    Lapsed(Vec<TagName>, Option<Window>),
    Behaviour(Box<behaviour::Behaviour>),
    Sequence(Box<Sequence>),
    Invited(Test),
    Referral {
        function: &'static str,
        /// One expression.
        of: Vec<Expr>,
        steps: Option<u32>,
    },
    Attribute(String, Test),
    Group(String, &'static str),
    Segments(Vec<String>),
    Users(Vec<Datum>),
    AtLeast(u32, Vec<Expr>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
enum TagName {
    Exactly(String),
    Like(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    AnyOf(Vec<Datum>),
    Between(Option<Datum>, Option<Datum>),
    Compare(&'static str, Datum),
    Is(&'static str),
    /// The day returns from the first of these days to the last.
    Anniversary(Datum, Datum),
}

/// Every user.
pub fn all() -> Expr {
    Expr::leaf(Node::All)
}

/// Holds the tag of exactly this name.
pub fn tag(name: impl Into<String>) -> Expr {
    Expr::leaf(Node::Tags(vec![TagName::Exactly(name.into())]))
}

/// Holds at least one of the tags of exactly these names.
pub fn any_tag<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Expr {
    let names: Vec<_> = names
        .into_iter()
        .map(|name| TagName::Exactly(name.into()))
        .collect();
    Expr::list_leaf("any tag", names, Node::Tags)
}

/// Holds at least one tag whose name matches the glob, in which `*` stands for any characters.
pub fn tag_like(glob: impl Into<String>) -> Expr {
    Expr::leaf(Node::Tags(vec![TagName::Like(glob.into())]))
}

/// Begins a condition on an attribute.
pub fn attribute(name: impl Into<String>) -> Attribute {
    Attribute { name: name.into() }
}

/// Begins a condition on a tag group.
pub fn group(name: impl Into<String>) -> Group {
    Group { name: name.into() }
}

/// Belongs to the saved segment, as it is now.
pub fn segment(name: impl Into<String>) -> Expr {
    Expr::leaf(Node::Segments(vec![name.into()]))
}

/// Belongs to at least one of the saved segments.
pub fn any_segment<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Expr {
    let names = names.into_iter().map(Into::into).collect();
    Expr::list_leaf("any segment", names, Node::Segments)
}

/// Is one of these users, by key.
pub fn users<T: Into<String>>(keys: impl IntoIterator<Item = T>) -> Expr {
    let keys = keys
        .into_iter()
        .map(|key| Datum::Text(key.into()))
        .collect();
    Expr::list_leaf("users", keys, Node::Users)
}

/// Satisfies at least so many of the expressions.
pub fn at_least(threshold: u32, of: impl IntoIterator<Item = Expr>) -> Expr {
    let of: Vec<_> = of.into_iter().collect();
    if threshold == 0 || threshold as usize > of.len() {
        return Expr::failed(QueryError::Threshold {
            threshold,
            of: of.len(),
        });
    }
    Expr::branch("at least", of, |of| Node::AtLeast(threshold, of))
}

/// Satisfies each of the expressions.
pub fn all_of(of: impl IntoIterator<Item = Expr>) -> Expr {
    of.into_iter()
        .reduce(Expr::and)
        .unwrap_or(Expr::failed(QueryError::Empty("all of")))
}

/// Satisfies at least one of the expressions.
pub fn any_of(of: impl IntoIterator<Item = Expr>) -> Expr {
    of.into_iter()
        .reduce(Expr::or)
        .unwrap_or(Expr::failed(QueryError::Empty("any of")))
}

/// Does not satisfy the expression.
pub fn not(expr: Expr) -> Expr {
    let depth = expr.depth + 1;
    match expr.node {
        Err(error) => Expr::failed(error),
        Ok(_) if depth > DEPTH_MAX => Expr::failed(QueryError::TooDeep(DEPTH_MAX)),
        Ok(_) => Expr {
            node: Ok(Node::Not(Box::new(expr))),
            depth,
        },
    }
}

impl Expr {
    /// Satisfies both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut of = self.conjuncts();
        of.extend(other.conjuncts());
        Self::branch("and", of, Node::And)
    }

    /// Satisfies at least one of the two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut of = self.disjuncts();
        of.extend(other.disjuncts());
        Self::branch("or", of, Node::Or)
    }

    /// The text of the expression in the query language, and the values beside it.
    ///
    /// # Errors
    /// The expression names nothing where it must name something, or is too large.
    pub fn to_text(&self) -> Result<(String, Vec<Parameter>), QueryError> {
        let mut writer = Writer::default();
        self.write(&mut writer)?;
        Ok(writer.finish())
    }

    fn leaf(node: Node) -> Self {
        Self {
            node: Ok(node),
            depth: 1,
        }
    }

    fn list_leaf<T>(what: &'static str, items: Vec<T>, node: impl FnOnce(Vec<T>) -> Node) -> Self {
        if items.is_empty() {
            Self::failed(QueryError::Empty(what))
        } else {
            Self::leaf(node(items))
        }
    }

    fn failed(error: QueryError) -> Self {
        Self {
            node: Err(error),
            depth: 1,
        }
    }

    /// A node above others: the first error below is its error.
    fn branch(what: &'static str, of: Vec<Self>, node: impl FnOnce(Vec<Self>) -> Node) -> Self {
        let Some(deepest) = of.iter().map(|expr| expr.depth).max() else {
            return Self::failed(QueryError::Empty(what));
        };
        if let Some(error) = of.iter().find_map(|expr| expr.node.as_ref().err()) {
            return Self::failed(*error);
        }
        if deepest >= DEPTH_MAX {
            return Self::failed(QueryError::TooDeep(DEPTH_MAX));
        }
        Self {
            node: Ok(node(of)),
            depth: deepest + 1,
        }
    }

    /// Itself, or what it joins if it is an AND already: chains stay flat.
    fn conjuncts(self) -> Vec<Self> {
        if let Ok(Node::And(of)) = self.node {
            of
        } else {
            vec![self]
        }
    }

    /// Itself, or what it joins if it is an OR already.
    fn disjuncts(self) -> Vec<Self> {
        if let Ok(Node::Or(of)) = self.node {
            of
        } else {
            vec![self]
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        match self.node.as_ref().map_err(|error| *error)? {
            Node::All => writer.words("ALL"),
            Node::Tags(names) => write_tags(names, writer)?,
            Node::Held(names, conditions) => {
                write_tags(names, writer)?;
                holding::write_conditions(conditions, writer)?;
            }
            Node::Lapsed(names, window) => {
                writer.words("lapsed(");
                write_tags(names, writer)?;
                if let Some(window) = window {
                    writer.words(", ");
                    window.write(writer)?;
                }
                writer.words(")");
            }
            Node::Behaviour(behaviour) => behaviour.write(writer)?,
            Node::Sequence(sequence) => sequence.write(writer)?,
            Node::Invited(test) => {
                writer.words("count(invited)");
                test.write(writer)?;
            }
            Node::Referral {
                function,
                of,
                steps,
            } => referral::write(function, of, *steps, writer)?,
            Node::Attribute(name, test) => {
                writer.name(name);
                test.write(writer)?;
            }
            Node::Group(name, is) => {
                writer.words("group:");
                writer.name(name);
                writer.words(is);
            }
            Node::Segments(names) => {
                writer.words("segment:");
                write_one_or_list(writer, names, |writer, name| writer.named(name))?;
            }
            Node::Users(keys) => {
                writer.words("user:");
                write_one_or_list(writer, keys, Writer::value)?;
            }
            Node::AtLeast(threshold, of) => {
                writer.words("AT LEAST ");
                writer.number(u64::from(*threshold));
                writer.words(" OF (");
                writer.list("at least", of, |writer, expr| expr.write(writer))?;
                writer.words(")");
            }
            Node::Not(inner) => {
                writer.words("NOT ");
                inner.write_operand(writer)?;
            }
            Node::And(of) => write_chain(of, " AND ", writer)?,
            Node::Or(of) => write_chain(of, " OR ", writer)?,
        }
        Ok(())
    }

    /// As an operand of something that binds tighter than a chain.
    fn write_operand(&self, writer: &mut Writer) -> Result<(), QueryError> {
        if matches!(self.node, Ok(Node::And(_) | Node::Or(_))) {
            writer.words("(");
            self.write(writer)?;
            writer.words(")");
            return Ok(());
        }
        self.write(writer)
    }
}

impl std::ops::Not for Expr {
    type Output = Self;

    fn not(self) -> Self {
        not(self)
    }
}

fn write_tags(names: &[TagName], writer: &mut Writer) -> Result<(), QueryError> {
    writer.words("tag:");
    write_one_or_list(writer, names, |writer, name| match name {
        TagName::Exactly(name) => writer.named(name),
        TagName::Like(glob) => {
            writer.words("LIKE ");
            writer.named(glob)
        }
    })
}

fn write_one_or_list<T>(
    writer: &mut Writer,
    items: &[T],
    mut item: impl FnMut(&mut Writer, &T) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    if let [one] = items {
        return item(writer, one);
    }
    writer.words("(");
    writer.list("any", items, item)?;
    writer.words(")");
    Ok(())
}

fn write_chain(of: &[Expr], word: &str, writer: &mut Writer) -> Result<(), QueryError> {
    for (position, expr) in of.iter().enumerate() {
        if position > 0 {
            writer.words(word);
        }
        expr.write_operand(writer)?;
    }
    Ok(())
}

impl Test {
    fn write(&self, writer: &mut Writer) -> Result<(), QueryError> {
        match self {
            Self::AnyOf(values) => {
                writer.words(":");
                write_one_or_list(writer, values, Writer::value)
            }
            Self::Between(low, high) => {
                writer.words(":");
                low.as_ref().map_or(Ok(()), |low| writer.value(low))?;
                writer.words("..");
                high.as_ref().map_or(Ok(()), |high| writer.value(high))
            }
            Self::Compare(operator, value) => {
                writer.words(operator);
                writer.value(value)
            }
            Self::Is(what) => {
                writer.words(what);
                Ok(())
            }
            Self::Anniversary(first, last) => {
                writer.words(" ANNIVERSARY IN ");
                writer.value(first)?;
                writer.words("..");
                writer.value(last)
            }
        }
    }
}

/// An attribute of which something is about to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a condition needs a test, such as `is`"]
pub struct Attribute {
    name: String,
}

impl Attribute {
    /// Has this value; of a multi attribute: has it among its values.
    pub fn is(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::AnyOf(vec![value.into()]))
    }

    /// Has a value, and another one than this.
    pub fn is_not(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::Compare(" != ", value.into()))
    }

    /// Has one of these values.
    pub fn any_of<T: Into<Datum>>(self, values: impl IntoIterator<Item = T>) -> Expr {
        let values = values.into_iter().map(Into::into).collect();
        let name = self.name;
        Expr::list_leaf("any value", values, |values| {
            Node::Attribute(name, Test::AnyOf(values))
        })
    }

    /// Has a value from `low` to `high`, both included.
    pub fn between(self, low: impl Into<Datum>, high: impl Into<Datum>) -> Expr {
        self.test(Test::Between(Some(low.into()), Some(high.into())))
    }

    /// Has this value or a greater one.
    pub fn from(self, low: impl Into<Datum>) -> Expr {
        self.test(Test::Between(Some(low.into()), None))
    }

    /// Has this value or a smaller one.
    pub fn up_to(self, high: impl Into<Datum>) -> Expr {
        self.test(Test::Between(None, Some(high.into())))
    }

    /// Has a greater value than this.
    pub fn above(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::Compare(" > ", value.into()))
    }

    /// Has a smaller value than this.
    pub fn below(self, value: impl Into<Datum>) -> Expr {
        self.test(Test::Compare(" < ", value.into()))
    }

    /// Is a date or a timestamp whose day returns, in a later year, on one of the days from
    /// `first` to `last`, both included.
    pub fn returns_between(self, first: impl Into<Datum>, last: impl Into<Datum>) -> Expr {
        self.test(Test::Anniversary(first.into(), last.into()))
    }

    /// Has no value.
    pub fn missing(self) -> Expr {
        self.test(Test::Is(" IS MISSING"))
    }

    /// Has a value.
    pub fn present(self) -> Expr {
        self.test(Test::Is(" IS PRESENT"))
    }

    fn test(self, test: Test) -> Expr {
        Expr::leaf(Node::Attribute(self.name, test))
    }
}

/// A tag group of which something is about to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a condition needs a test, such as `missing`"]
pub struct Group {
    name: String,
}

impl Group {
    /// Holds no tag of the group.
    pub fn missing(self) -> Expr {
        Expr::leaf(Node::Group(self.name, " IS MISSING"))
    }

    /// Holds at least one tag of the group.
    pub fn present(self) -> Expr {
        Expr::leaf(Node::Group(self.name, " IS PRESENT"))
    }
}

#[cfg(test)]
mod tests;
