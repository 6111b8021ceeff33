//! Statements as a whole, and those that write.

use std::fmt::{Display, Formatter, Result};

use super::value::Key;
use super::{NameIn, clause, define, one_or_paren_list, separated};
use crate::ast::{Assignment, ExplainMode, NameRef, Spanned, Statement, Target, Value};
use crate::keywords::Place;
use crate::name::Name;

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Count(expr) => write!(f, "COUNT {expr}"),
            Self::Segment(segment) => segment.fmt(f),
            Self::Fetch { cursor, limit } => {
                write!(f, "FETCH {}", Key(&cursor.node))?;
                clause(f, "LIMIT", limit.as_ref().map(|limit| limit.node))
            }
            Self::Close(cursor) => write!(f, "CLOSE {}", Key(&cursor.node)),
            Self::Dimension(dimension) => dimension.fmt(f),
            Self::Portrait(key) => write!(f, "PORTRAIT {}", Key(&key.node)),
            Self::Explain(ExplainMode::Plan, inner) => write!(f, "EXPLAIN {inner}"),
            Self::Explain(ExplainMode::Analyze, inner) => write!(f, "EXPLAIN ANALYZE {inner}"),
            Self::Show(show) => show.fmt(f),
            Self::Define(definition, on_conflict) => define::define(f, definition, *on_conflict),
            Self::Alter(alter) => alter.fmt(f),
            Self::Drop(kind, name, on_conflict) => {
                define::drop_definition(f, *kind, name, *on_conflict)
            }
            Self::SaveSegment(segment) => write!(f, "SAVE SEGMENT {segment}"),
            Self::Tag {
                target,
                tags,
                terms,
            } => {
                with_tags(f, "TAG", target, tags)?;
                terms.fmt(f)
            }
            Self::ClearTag { target, tags } => with_tags(f, "CLEAR TAG", target, tags),
            Self::Untag { target, tags } => with_tags(f, "UNTAG", target, tags),
            Self::Set {
                target,
                assignments,
            } => {
                write!(f, "SET {target} ")?;
                separated(f, assignments, ", ", |f, (name, assignment)| {
                    write!(
                        f,
                        "{} {assignment}",
                        NameIn(Place::Attribute, name.node.as_str())
                    )
                })
            }
            Self::DeleteUser(users) => {
                f.write_str("DELETE USER ")?;
                keys(f, users)
            }
            Self::Track(track) => track.fmt(f),
            Self::Submit(submission) => submission.fmt(f),
            Self::RenameTag { tag, to } => write!(f, "RENAME TAG {} TO {}", plain(tag), plain(to)),
            Self::MergeTag { tag, into } => {
                write!(f, "MERGE TAG {} INTO {}", plain(tag), plain(into))
            }
            Self::Usages(kind, name) => write!(f, "USAGES {kind} {}", plain(name)),
            Self::Lint(list) => write!(f, "LINT TAGS{list}"),
            Self::Trend(trend) => trend.fmt(f),
            Self::Why { user, filter } => write!(f, "WHY {} IN {filter}", Key(&user.node)),
        }
    }
}

fn plain(name: &Spanned<Name>) -> NameIn<'_> {
    NameIn(Place::Plain, name.node.as_str())
}

fn with_tags(
    f: &mut Formatter<'_>,
    keyword: &str,
    target: &Target,
    tags: &[Spanned<NameRef>],
) -> Result {
    write!(f, "{keyword} {target} WITH ")?;
    separated(f, tags, ", ", |f, tag| tag.node.fmt(f))
}

fn keys(f: &mut Formatter<'_>, keys: &[Spanned<Value>]) -> Result {
    separated(f, keys, ", ", |f, key| Key(&key.node).fmt(f))
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Keys(users) => keys(f, users),
            Self::Where(expr) => write!(f, "WHERE {expr}"),
        }
    }
}

/// With its operator: `= f`, `+= (golf, chess)`.
impl Display for Assignment {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (operator, values) = match self {
            Self::To(values) => ("=", values),
            Self::Clear => return f.write_str("= MISSING"),
            Self::Add(values) => ("+=", values),
            Self::Remove(values) => ("-=", values),
        };
        write!(f, "{operator} ")?;
        one_or_paren_list(f, values, |f, value| value.node.fmt(f))
    }
}
