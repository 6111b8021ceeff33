//! Definitions that a mapping needs: checked against the server's, then created.
//!
//! Knows the statements `SHOW` and `DEFINE`. Does not know rows.

mod event;

use tessera_query_lang::ast::{
    AttributeType, Define, DefineGroup, DefineTag, Exclusivity, Mutability, Notes, OnConflict,
    Period, Show, ShowList, Spanned, Statement, TimeUnit, Validity,
};
use tessera_query_lang::name::{Glob, Name};

pub(super) use self::event::define_event;
use self::event::{check_event, event_statement};
use super::mapping::{AttributeKind, AttributeMapping, Mapping, TagMapping};
use crate::cli::error::CliError;
use crate::cli::session::{Answer, Datum, Session};

/// Creates what is missing. What is there with another meaning is an error, before anything
/// is created.
pub(crate) async fn define(mapping: &Mapping, session: &Session) -> Result<(), CliError> {
    let statements = statements(mapping)?;
    for attribute in &mapping.attributes {
        check_attribute(attribute, session).await?;
    }
    for tag in &mapping.tags {
        check_group(tag, session).await?;
        check_tag(tag, session).await?;
    }
    for event in &mapping.events {
        for kind in event.known_kinds() {
            check_event(event, kind, session, "nothing was imported").await?;
        }
    }
    for statement in statements {
        session.collect(&statement.to_string()).await?;
    }
    Ok(())
}

/// Defines a tag of a rule, with the rule's group and notes.
fn tag_statement(rule: &TagMapping, tag: &str) -> Result<Statement, CliError> {
    let group = rule
        .group
        .as_deref()
        .map(name)
        .transpose()?
        .map(Spanned::synthetic);
    let notes = notes(rule.description.as_ref(), rule.owner.as_ref());
    let validity = rule.dynamic_days.map_or(Validity::Static, |amount| {
        Validity::Dynamic(Spanned::synthetic(Period {
            amount,
            unit: TimeUnit::Day,
        }))
    });
    let define = DefineTag {
        validity,
        group,
        notes,
        ..DefineTag::new(Spanned::synthetic(name(tag)?))
    };
    Ok(Statement::Define(Define::Tag(define), OnConflict::Keep))
}

/// Groups first, because tags are defined into them.
fn statements(mapping: &Mapping) -> Result<Vec<Statement>, CliError> {
    let mut statements = Vec::new();
    for tag in &mapping.tags {
        if let Some(group) = &tag.group {
            let statement = group_statement(group, exclusivity(tag))?;
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    for attribute in &mapping.attributes {
        statements.push(attribute_statement(attribute)?);
    }
    for tag in &mapping.tags {
        if let Some(fixed) = &tag.name {
            statements.push(tag_statement(tag, fixed)?);
        }
    }
    for event in &mapping.events {
        for kind in event.known_kinds() {
            statements.push(event_statement(event, kind)?);
        }
    }
    Ok(statements)
}

fn group_statement(group: &str, exclusivity: Exclusivity) -> Result<Statement, CliError> {
    let define = DefineGroup {
        exclusivity,
        ..DefineGroup::new(Spanned::synthetic(name(group)?))
    };
    Ok(Statement::Define(Define::Group(define), OnConflict::Keep))
}

fn attribute_statement(rule: &AttributeMapping) -> Result<Statement, CliError> {
    let define = Define::Attribute {
        name: Spanned::synthetic(name(rule.target())?),
        attribute_type: attribute_type(rule),
        mutability: if rule.write_once {
            Mutability::WriteOnce
        } else {
            Mutability::Mutable
        },
        notes: notes(rule.description.as_ref(), rule.owner.as_ref()),
    };
    Ok(Statement::Define(define, OnConflict::Keep))
}

fn attribute_type(rule: &AttributeMapping) -> AttributeType {
    match rule.kind {
        AttributeKind::Enum => AttributeType::Enum(rule.values.clone()),
        AttributeKind::Multi => AttributeType::Multi(rule.values.clone()),
        AttributeKind::Integer => AttributeType::Integer,
        AttributeKind::Decimal => AttributeType::Decimal(rule.scale.unwrap_or(0)),
        AttributeKind::Date => AttributeType::Date,
        AttributeKind::Timestamp => AttributeType::Timestamp,
        AttributeKind::Boolean => AttributeType::Boolean,
        AttributeKind::Text => AttributeType::Text,
        AttributeKind::User => AttributeType::User,
    }
}

fn notes(description: Option<&String>, owner: Option<&String>) -> Notes {
    Notes {
        description: description.cloned(),
        owner: owner.cloned(),
    }
}

fn exclusivity(tag: &TagMapping) -> Exclusivity {
    if tag.exclusive {
        Exclusivity::Exclusive
    } else {
        Exclusivity::Shared
    }
}

fn name(text: &str) -> Result<Name, CliError> {
    Name::new(text).map_err(|error| CliError::Usage(format!("mapping: {text:?}: {error}")))
}

async fn check_attribute(rule: &AttributeMapping, session: &Session) -> Result<(), CliError> {
    let like = like(rule.target())?;
    let Some(defined) = shown(session, Show::Attributes(like), rule.target()).await? else {
        return Ok(());
    };
    match defined.text("type") {
        Some(kind) if !is_type(&kind, rule) => Err(CliError::Stopped(format!(
            "attribute {:?} is defined as {kind}, and the mapping says {}: nothing was imported",
            rule.target(),
            type_of(rule).to_lowercase()
        ))),
        Some(_) | None => Ok(()),
    }
}

async fn check_group(rule: &TagMapping, session: &Session) -> Result<(), CliError> {
    let Some(group) = &rule.group else {
        return Ok(());
    };
    let Some(defined) = shown(session, Show::Groups(like(group)?), group).await? else {
        return Ok(());
    };
    let is_exclusive = match defined.value("exclusive") {
        Some(Datum::Boolean(value)) => value,
        Some(_) | None => return Ok(()),
    };
    if is_exclusive == rule.exclusive {
        return Ok(());
    }
    let told = |exclusive| if exclusive { "exclusive" } else { "shared" };
    Err(CliError::Stopped(format!(
        "group {group:?} is defined as {}, and the mapping says {}: nothing was imported",
        told(is_exclusive),
        told(rule.exclusive)
    )))
}

async fn check_tag(rule: &TagMapping, session: &Session) -> Result<(), CliError> {
    let Some(tag) = &rule.name else {
        return Ok(());
    };
    match elsewhere(rule, tag, session).await? {
        Some(told) => Err(CliError::Stopped(format!("{told}: nothing was imported"))),
        None => Ok(()),
    }
}

/// Defines a tag whose name stands in a row. Gives the reason back why the rule cannot have it:
/// a tag that was there before stays in its own group, or in none.
pub(crate) async fn define_tag(
    rule: &TagMapping,
    tag: &str,
    session: &Session,
) -> Result<Option<String>, CliError> {
    let statement = tag_statement(rule, tag)?.to_string();
    session.collect(&statement).await?;
    elsewhere(rule, tag, session).await
}

/// Where a tag is that is not in its rule's group.
async fn elsewhere(
    rule: &TagMapping,
    tag: &str,
    session: &Session,
) -> Result<Option<String>, CliError> {
    let Some(group) = &rule.group else {
        return Ok(None);
    };
    let Some(defined) = shown(session, Show::Tags(like(tag)?), tag).await? else {
        return Ok(None);
    };
    let found = match defined.value("group") {
        Some(Datum::Text(found)) if found == name(group)?.as_str() => return Ok(None),
        Some(Datum::Text(found)) => format!("group {found:?}"),
        Some(_) => "no group".to_owned(),
        None => return Ok(None),
    };
    Ok(Some(format!(
        "tag {tag:?} is defined in {found}, and the mapping says group {group:?}"
    )))
}

/// One definition as `SHOW` tells it.
struct Shown {
    answer: Answer,
    row: usize,
}

impl Shown {
    fn value(&self, column: &str) -> Option<Datum> {
        let column = self.answer.column(column)?;
        self.answer.rows.get(self.row)?.get(column).cloned()
    }

    fn text(&self, column: &str) -> Option<String> {
        match self.value(column)? {
            Datum::Text(text) => Some(text),
            Datum::Null
            | Datum::Boolean(_)
            | Datum::Integer(_)
            | Datum::Decimal { .. }
            | Datum::Real(_)
            | Datum::Date(_)
            | Datum::Timestamp(_)
            | Datum::List(_) => None,
        }
    }
}

fn like(name: &str) -> Result<ShowList, CliError> {
    let like =
        Glob::new(name).map_err(|error| CliError::Usage(format!("mapping: {name:?}: {error}")))?;
    Ok(ShowList {
        like: Some(like),
        limit: None,
    })
}

async fn shown(session: &Session, show: Show, wanted: &str) -> Result<Option<Shown>, CliError> {
    let answer = session.collect(&Statement::Show(show).to_string()).await?;
    let wanted = Datum::Text(name(wanted)?.as_str().to_owned());
    let column = answer.column("name").unwrap_or(0);
    let row = answer
        .rows
        .iter()
        .position(|row| row.get(column) == Some(&wanted));
    Ok(row.map(|row| Shown { answer, row }))
}

fn type_of(rule: &AttributeMapping) -> String {
    match rule.scale {
        Some(scale) => format!("{}({scale})", rule.kind.keyword()),
        None => rule.kind.keyword().to_owned(),
    }
}

/// Whether a type as the server writes it is the mapping's; lists of values are the server's
/// own matter.
fn is_type(defined: &str, rule: &AttributeMapping) -> bool {
    let defined = defined.trim().to_uppercase();
    let word_end = defined
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(defined.len());
    let (word, rest) = defined.split_at(word_end);
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    let scale: Option<u8> = digits.parse().ok();
    let same_scale = rule.kind != AttributeKind::Decimal || scale.is_none() || scale == rule.scale;
    word == rule.kind.keyword() && same_scale
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    const MAPPING: &str = r#"
        key = "id"
        [[attribute]]
        column = "credit limit"
        type = "decimal"
        scale = 2
        write_once = true
        description = "what the \"bank\" lends"
        [[attribute]]
        column = "gender"
        type = "enum"
        values = ["f", "m"]
        [[tag]]
        column = "plan"
        by = "value"
        group = "plan"
        exclusive = true
        [[tag]]
        column = "late"
        by = "non-zero"
        name = "late payer"
        group = "plan"
        exclusive = true
        [[tag]]
        by = "always"
        name = "imported"
    "#;

    #[test]
    fn definitions_are_written_as_statements() {
        let mapping = Mapping::parse(MAPPING).unwrap();
        let statements: Vec<String> = statements(&mapping)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        for statement in &statements {
            tessera_query_lang::parse_statement(statement, &tessera_query_lang::Limits::default())
                .unwrap();
        }
        assert_eq!(statements.len(), 5, "{statements:#?}");
        assert!(statements[0].ends_with("plan EXCLUSIVE"), "{statements:#?}");
        assert!(
            statements[1].contains("\"credit limit\" DECIMAL(2) WRITE ONCE"),
            "{statements:#?}"
        );
        assert!(
            statements[2].contains("gender ENUM (f, m)"),
            "{statements:#?}"
        );
        assert!(
            statements[3].contains("\"late payer\" IN GROUP plan"),
            "{statements:#?}"
        );
        assert!(
            statements
                .iter()
                .all(|statement| statement.contains("IF NOT EXISTS")),
            "{statements:#?}"
        );
    }

    #[test]
    fn types_are_compared_as_the_server_writes_them() {
        let mapping = Mapping::parse(MAPPING).unwrap();
        let check = |attribute: usize, defined: &str, expected: bool| {
            assert_eq!(
                is_type(defined, &mapping.attributes[attribute]),
                expected,
                "{defined}"
            );
        };
        check(0, "DECIMAL(2)", true);
        check(0, "decimal (2)", true);
        check(0, "DECIMAL", true);
        check(0, "DECIMAL(3)", false);
        check(0, "INTEGER", false);
        check(1, "ENUM", true);
        check(1, "enum (f, m, x)", true);
        check(1, "MULTI", false);
    }

    #[test]
    fn a_name_that_is_none_is_told() {
        let text = format!(
            "key = \"id\"\n[[tag]]\nby = \"always\"\nname = \"{}\"\n",
            "x".repeat(300)
        );
        let mapping = Mapping::parse(&text).unwrap();
        assert!(
            statements(&mapping)
                .unwrap_err()
                .to_string()
                .contains("at most 256 bytes")
        );
    }
}
