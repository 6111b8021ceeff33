//! The statements that define.

use std::fmt::{Display, Formatter, Result};

use super::{NameIn, Quoted, behaviour, clause, separated};
use crate::ast::{
    Alter, AttributeType, Define, DefineEvent, DefinitionKind, Exclusivity, GroupChange,
    Mutability, Notes, OnConflict, SavedSegment, Spanned,
};
use crate::keywords::Place;
use crate::name::Name;

impl Display for DefinitionKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Tag => "TAG",
            Self::Group => "GROUP",
            Self::Attribute => "ATTRIBUTE",
            Self::Segment => "SEGMENT",
            Self::Event => "EVENT",
            Self::Form => "FORM",
        })
    }
}

/// The name at which a definition is made or changed.
pub(super) fn defined(name: &Spanned<Name>) -> NameIn<'_> {
    NameIn(Place::Definition, name.node.as_str())
}

pub(super) fn group(name: &Spanned<Name>) -> NameIn<'_> {
    NameIn(Place::Plain, name.node.as_str())
}

/// With a space before each of its clauses.
impl Display for Notes {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        clause(f, "OWNER", self.owner.as_deref().map(Quoted))?;
        clause(f, "DESCRIPTION", self.description.as_deref().map(Quoted))
    }
}

impl Display for AttributeType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Enum(values) => vocabulary(f, "ENUM", values.as_deref()),
            Self::Multi(values) => vocabulary(f, "MULTI", values.as_deref()),
            Self::Integer => f.write_str("INTEGER"),
            Self::Decimal(scale) => write!(f, "DECIMAL({scale})"),
            Self::Date => f.write_str("DATE"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Text => f.write_str("TEXT"),
            Self::User => f.write_str("USER"),
        }
    }
}

fn vocabulary(f: &mut Formatter<'_>, keyword: &str, values: Option<&[String]>) -> Result {
    f.write_str(keyword)?;
    match values {
        Some(values) => {
            f.write_str(" ")?;
            texts(f, values)
        }
        None => Ok(()),
    }
}

/// `(a, "b c")`
fn texts(f: &mut Formatter<'_>, texts: &[String]) -> Result {
    f.write_str("(")?;
    separated(f, texts, ", ", |f, text| NameIn(Place::Plain, text).fmt(f))?;
    f.write_str(")")
}

impl Display for Mutability {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Mutable => "MUTABLE",
            Self::WriteOnce => "WRITE ONCE",
        })
    }
}

impl Display for Exclusivity {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Shared => "SHARED",
            Self::Exclusive => "EXCLUSIVE",
        })
    }
}

/// Writes a `DEFINE` statement; the condition stands after the kind.
pub(super) fn define(f: &mut Formatter<'_>, define: &Define, on_conflict: OnConflict) -> Result {
    let condition = match on_conflict {
        OnConflict::Refuse => "",
        OnConflict::Keep => "IF NOT EXISTS ",
    };
    match define {
        Define::Tag(tag) => write!(f, "DEFINE TAG {condition}{tag}"),
        Define::Group(group) => write!(f, "DEFINE GROUP {condition}{group}"),
        Define::Attribute {
            name,
            attribute_type,
            mutability,
            notes,
        } => {
            write!(
                f,
                "DEFINE ATTRIBUTE {condition}{} {attribute_type}",
                defined(name)
            )?;
            let written = (*mutability != Mutability::default()).then_some(mutability);
            flag(f, written)?;
            notes.fmt(f)
        }
        Define::Derived {
            name,
            derivation,
            notes,
        } => {
            let name = defined(name);
            write!(
                f,
                "DEFINE ATTRIBUTE {condition}{name} AS {derivation}{notes}"
            )
        }
        Define::Segment(segment) => write!(f, "DEFINE SEGMENT {condition}{segment}"),
        Define::Event(event) => define_event(f, event, condition),
        Define::Form(form) => write!(f, "DEFINE FORM {condition}{form}"),
    }
}

fn define_event(f: &mut Formatter<'_>, event: &DefineEvent, condition: &str) -> Result {
    write!(f, "DEFINE EVENT {condition}{}", defined(&event.name))?;
    if !event.properties.is_empty() {
        f.write_str(" ")?;
        behaviour::properties(f, &event.properties)?;
    }
    clause(
        f,
        "RETENTION",
        event.retention.map(|retention| retention.node),
    )?;
    event.notes.fmt(f)
}

/// Writes a move between groups after a space.
pub(super) fn group_change(f: &mut Formatter<'_>, change: Option<&GroupChange>) -> Result {
    match change {
        Some(GroupChange::Into(into)) => write!(f, " IN GROUP {}", group(into)),
        Some(GroupChange::Out) => f.write_str(" NO GROUP"),
        None => Ok(()),
    }
}

/// Writes a word after a space, if there is one.
pub(super) fn flag(f: &mut Formatter<'_>, word: Option<impl Display>) -> Result {
    match word {
        Some(word) => write!(f, " {word}"),
        None => Ok(()),
    }
}

/// From its name on.
impl Display for SavedSegment {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "{}{} AS {}",
            defined(&self.name),
            self.notes,
            self.filter
        )
    }
}

impl Display for Alter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Tag(tag) => write!(f, "ALTER TAG {tag}"),
            Self::Group(group) => write!(f, "ALTER GROUP {group}"),
            Self::Event(event) => write!(f, "ALTER EVENT {event}"),
            Self::Attribute {
                name,
                add_values,
                mutability,
                notes,
            } => {
                write!(f, "ALTER ATTRIBUTE {}", defined(name))?;
                if !add_values.is_empty() {
                    f.write_str(" ADD VALUES ")?;
                    texts(f, add_values)?;
                }
                flag(f, *mutability)?;
                notes.fmt(f)
            }
            Self::Segment {
                name,
                notes,
                filter,
            } => {
                write!(f, "ALTER SEGMENT {}{notes}", defined(name))?;
                clause(f, "AS", filter.as_ref())
            }
        }
    }
}

/// Writes a `DROP` statement.
pub(super) fn drop_definition(
    f: &mut Formatter<'_>,
    kind: DefinitionKind,
    name: &Spanned<Name>,
    on_conflict: OnConflict,
) -> Result {
    let condition = match on_conflict {
        OnConflict::Refuse => "",
        OnConflict::Keep => "IF EXISTS ",
    };
    write!(f, "DROP {kind} {condition}{}", defined(name))
}
