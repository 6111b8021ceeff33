//! A mapping made ready: what each field stands for.
//!
//! Knows rules and limits on names and keys. Does not know the file's form, nor the server.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use tessera_query_lang::name::Name;

use super::events::EventRule;
use super::mapping::{
    AttributeKind, AttributeMapping, Mapping, OnMissing, SourceMapping, TagMapping,
};
use super::records::{BadRow, Records};
use super::value::{Cell, Reading, shown, truth};
use crate::cli::session::Datum;
use crate::{HoldEnd, HoldTerms, Source};

/// The longest key of a user, in bytes.
const KEY_BYTES_MAX: usize = 256;
/// The longest name of a tag, in bytes.
const NAME_BYTES_MAX: usize = tessera_query_lang::name::NAME_BYTES_MAX;
/// What "no value" looks like where the mapping does not say.
const MISSING: &str = "";

/// A mapping made ready.
pub(crate) struct Plan {
    columns: Vec<String>,
    pub(super) key: usize,
    pub(super) attributes: Vec<AttributeRule>,
    pub(super) tags: Vec<TagRule>,
    pub(super) events: Vec<EventRule>,
}

/// What rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Users, with what is to be known of them.
    Users,
    /// Events.
    Events,
}

/// An attribute's column.
pub(super) struct AttributeRule {
    pub(super) column: usize,
    pub(super) mapping: AttributeMapping,
    pub(super) name: String,
    pub(super) missing: Vec<String>,
}

/// A column that becomes tags, or a tag for every row.
pub(super) struct TagRule {
    pub(super) column: Option<usize>,
    since: Option<usize>,
    until: Option<usize>,
    pub(super) mapping: TagMapping,
    pub(super) missing: Vec<String>,
    /// Names that were defined with the group and the notes already.
    defined: HashSet<String>,
}

impl Plan {
    /// Makes a mapping ready.
    pub(crate) fn new(mapping: &Mapping) -> Self {
        let mut columns = Vec::new();
        let key = slot(&mut columns, &mapping.key);
        let missing = |own: &Option<Vec<String>>| {
            own.as_ref()
                .or(mapping.missing.as_ref())
                .cloned()
                .unwrap_or_else(|| vec![MISSING.to_owned()])
        };
        let attributes = mapping
            .attributes
            .iter()
            .map(|rule| AttributeRule {
                column: slot(&mut columns, &rule.column),
                name: rule.target().to_owned(),
                missing: missing(&rule.missing),
                mapping: rule.clone(),
            })
            .collect();
        let tags = mapping
            .tags
            .iter()
            .map(|rule| TagRule {
                column: rule
                    .column
                    .as_ref()
                    .map(|column| slot(&mut columns, column)),
                since: rule.since.as_ref().map(|it| slot(&mut columns, it)),
                until: rule.until.as_ref().map(|it| slot(&mut columns, it)),
                missing: missing(&rule.missing),
                mapping: rule.clone(),
                defined: HashSet::new(),
            })
            .collect();
        Self {
            events: EventRule::all(mapping, &mut columns),
            columns,
            key,
            attributes,
            tags,
        }
    }

    /// The columns it needs; [`Records`] are asked for them by their position here.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What rows are.
    pub(crate) fn form(&self) -> Form {
        match self.events.is_empty() {
            true => Form::Users,
            false => Form::Events,
        }
    }

    /// The user of a row.
    pub(super) fn key_of<'a>(&self, row: &'a Records) -> Result<Cow<'a, str>, BadRow> {
        let refuse = |reason: &str| Err(bad(row, self.key, reason.to_owned()));
        match row.cell(self.key) {
            Ok(Cell::Text(key)) if key.is_empty() => refuse("the key is empty"),
            Ok(Cell::Text(key)) if key.len() > KEY_BYTES_MAX => {
                refuse("the key is longer than 256 bytes")
            }
            Ok(Cell::Text(key)) => Ok(key),
            Ok(Cell::Missing) => refuse("the key is missing"),
            Ok(Cell::List(_)) => refuse("the key is a list"),
            Err(reason) => refuse(reason),
        }
    }
}

/// The position of a column among those that are needed.
pub(super) fn slot(columns: &mut Vec<String>, column: &str) -> usize {
    columns
        .iter()
        .position(|known| known == column)
        .unwrap_or_else(|| {
            columns.push(column.to_owned());
            columns.len() - 1
        })
}

pub(super) fn bad(row: &Records, column: usize, reason: String) -> BadRow {
    BadRow {
        column: Some(row.place(column)),
        reason,
    }
}

pub(super) fn is_missing(text: &str, missing: &[String]) -> bool {
    missing.iter().any(|marker| marker == text)
}

fn mapped<'a>(text: &'a str, map: &'a BTreeMap<String, String>) -> &'a str {
    map.get(text).map_or(text, String::as_str)
}

impl AttributeRule {
    /// What a field sets; nothing when the attribute stays as it is.
    pub(super) fn value_of(&self, cell: &Cell<'_>) -> Result<Option<Datum>, String> {
        if self.mapping.kind == AttributeKind::Multi {
            return self.list_of(cell);
        }
        match cell {
            Cell::Missing => Ok(self.nothing()),
            Cell::Text(text) if is_missing(text, &self.missing) => Ok(self.nothing()),
            Cell::Text(text) => {
                let value = self.reading().read(mapped(text, &self.mapping.map))?;
                self.check_value(&value)?;
                Ok(Some(value))
            }
            Cell::List(_) => Err("is a list, and the attribute takes one value".to_owned()),
        }
    }

    /// What no value means.
    fn nothing(&self) -> Option<Datum> {
        match self.mapping.on_missing {
            OnMissing::Keep => None,
            OnMissing::Clear => Some(Datum::Null),
        }
    }

    fn list_of(&self, cell: &Cell<'_>) -> Result<Option<Datum>, String> {
        let items: Vec<String> = items_of(cell, self.mapping.separator(), &self.missing)
            .map(|item| mapped(item, &self.mapping.map).to_owned())
            .collect();
        if items.is_empty() {
            return Ok(self.nothing());
        }
        for item in &items {
            self.check_listed(item)?;
        }
        Ok(Some(Datum::List(items)))
    }

    fn check_value(&self, value: &Datum) -> Result<(), String> {
        match (self.mapping.kind, value) {
            (AttributeKind::Enum, Datum::Text(text)) => self.check_listed(text),
            (AttributeKind::User, Datum::Text(key))
                if key.is_empty() || key.len() > KEY_BYTES_MAX =>
            {
                Err("a user's key has 1 to 256 bytes".to_owned())
            }
            (_, _) => Ok(()),
        }
    }

    /// A closed list is checked here too, so that one bad row does not hold up its batch.
    fn check_listed(&self, text: &str) -> Result<(), String> {
        match &self.mapping.values {
            Some(values) if !values.iter().any(|value| value == text) => Err(format!(
                "{} is not among the values of the mapping",
                shown(text)
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            kind: self.mapping.kind,
            scale: self.mapping.scale.unwrap_or(0),
            format: self.mapping.format.as_deref(),
        }
    }
}

/// The values of a cell that may hold several, without blanks around them and without nothings.
fn items_of<'a>(
    cell: &'a Cell<'_>,
    separator: &'a str,
    missing: &'a [String],
) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    let there = move |item: &&str| !item.is_empty() && !is_missing(item, missing);
    match cell {
        Cell::Missing => Box::new(std::iter::empty()),
        Cell::Text(text) if is_missing(text, missing) => Box::new(std::iter::empty()),
        Cell::Text(text) => Box::new(text.split(separator).map(str::trim).filter(there)),
        Cell::List(items) => Box::new(items.iter().map(|item| item.trim()).filter(there)),
    }
}

impl TagRule {
    /// How its tags are held in a row.
    pub(super) fn terms(&self, row: &Records) -> Result<HoldTerms, BadRow> {
        let since_us = self.moment(row, self.since)?;
        let until_us = self.moment(row, self.until)?;
        if let (Some(since_us), Some(until_us), Some(column)) = (since_us, until_us, self.until)
            && until_us <= since_us
        {
            let reason = "the tag would end no later than it starts";
            return Err(bad(row, column, reason.to_owned()));
        }
        Ok(HoldTerms {
            since_us,
            end: until_us.map_or(HoldEnd::OfTag, HoldEnd::At),
            source: match self.mapping.source {
                None | Some(SourceMapping::Import) => Source::Import,
                Some(SourceMapping::Manual) => Source::Manual,
                Some(SourceMapping::Rule) => Source::Rule,
                Some(SourceMapping::Model) => Source::Model,
            },
        })
    }

    /// The moment that a column says, if there is one.
    fn moment(&self, row: &Records, column: Option<usize>) -> Result<Option<i64>, BadRow> {
        let Some(column) = column else {
            return Ok(None);
        };
        let reading = Reading {
            kind: AttributeKind::Timestamp,
            scale: 0,
            format: self.mapping.format.as_deref(),
        };
        let moment = match row.cell(column) {
            Ok(Cell::Missing) => return Ok(None),
            Ok(Cell::Text(text)) if is_missing(&text, &self.missing) => return Ok(None),
            Ok(Cell::Text(text)) => reading.moment(&text),
            Ok(Cell::List(_)) => Err("is a list, not a moment".to_owned()),
            Err(reason) => Err(reason.to_owned()),
        };
        moment.map(Some).map_err(|reason| bad(row, column, reason))
    }

    /// Whether a field is true or not zero; nothing when it is missing.
    pub(super) fn truth_of(&self, cell: &Cell<'_>) -> Result<Option<bool>, String> {
        let text = match cell {
            Cell::Missing => return Ok(None),
            Cell::Text(text) if is_missing(text, &self.missing) => return Ok(None),
            Cell::Text(text) => mapped(text, &self.mapping.map),
            Cell::List(_) => return Err("is a list, neither zero nor non-zero".to_owned()),
        };
        match truth(text) {
            None => Err(format!("{} is neither a number nor yes or no", shown(text))),
            known => Ok(known),
        }
    }

    /// The tag that a value names.
    pub(super) fn tag_named(&self, text: &str) -> Result<String, String> {
        let text = mapped(text, &self.mapping.map);
        let name = match self.mapping.prefix.as_deref() {
            None | Some("") => Cow::Borrowed(text),
            Some(prefix) => Cow::Owned(format!("{prefix}{text}")),
        };
        checked_name(name, "a tag")
    }

    /// Whether its names carry a group or notes: then they are defined before they are first used.
    pub(super) fn is_to_be_defined(&self) -> bool {
        let TagMapping {
            group,
            description,
            owner,
            dynamic_days,
            ..
        } = &self.mapping;
        let has_notes = description.is_some() || owner.is_some();
        group.is_some() || dynamic_days.is_some() || has_notes
    }

    /// Which of its names are to be defined and were not yet.
    pub(super) fn define(
        &mut self,
        names: &[String],
        number: usize,
        definitions: &mut Vec<(usize, String)>,
    ) {
        if !self.is_to_be_defined() {
            return;
        }
        for name in names {
            if !self.defined.contains(name) {
                self.defined.insert(name.clone());
                definitions.push((number, name.clone()));
            }
        }
    }
}

/// A name in normal form. Most are ASCII, which is its own normal form.
pub(super) fn checked_name(text: Cow<'_, str>, what: &str) -> Result<String, String> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_control());
    if plain && !text.is_empty() && text.len() <= NAME_BYTES_MAX {
        return Ok(text.into_owned());
    }
    match Name::new(&text) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(error) => Err(format!("{} cannot name {what}: {error}", shown(&text))),
    }
}

#[cfg(test)]
mod changes;
#[cfg(test)]
mod tests;
