//! A mapping made ready: rows → changes of users.
//!
//! Knows rules and limits on names and keys. Does not know the file's form, nor the server.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use tessera_query_lang::name::Name;

use super::events::EventRule;
use super::mapping::{
    AttributeKind, AttributeMapping, Mapping, MultiMode, OnMissing, SourceMapping, TagBy,
    TagMapping,
};
use super::records::{BadRow, Records};
use super::value::{Cell, Reading, shown, truth};
use crate::cli::session::{Datum, Mutation};
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

/// Whether rows can be said column by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// They can.
    Columns,
    /// Some change is not the value of an attribute or a tag that is given: values that are added
    /// to a multi attribute, tags that are taken away.
    Changes,
    /// They are events, which can be said so.
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

/// What a row becomes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// Changes of the row's user.
    pub(crate) mutations: Vec<Mutation>,
    /// Tags to define before, with the number of their rule in the mapping.
    pub(crate) definitions: Vec<(usize, String)>,
}

/// The sets that a row gathers before they become mutations.
#[derive(Default)]
struct Gathered {
    values: Vec<(String, Datum)>,
    additions: Vec<(String, Vec<Datum>)>,
    set: Vec<String>,
    /// How these are held, where a rule of the mapping says it.
    terms: Vec<HoldTerms>,
    cleared: Vec<String>,
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

    /// Whether something is said of how tags are held.
    pub(super) fn says_how(&self) -> bool {
        self.tags.iter().any(|rule| rule.mapping.says_how())
    }

    /// How rows are said.
    pub(crate) fn form(&self) -> Form {
        if !self.events.is_empty() {
            return Form::Events;
        }
        let adds = |rule: &AttributeRule| {
            let mode = rule.mapping.mode.unwrap_or_default();
            rule.mapping.kind == AttributeKind::Multi && mode == MultiMode::Add
        };
        let clears = |rule: &TagRule| rule.mapping.clear;
        match self.attributes.iter().any(adds) || self.tags.iter().any(clears) {
            true => Form::Changes,
            false => Form::Columns,
        }
    }

    /// Turns a row into changes. A row with one bad field is bad as a whole.
    pub(crate) fn convert(&mut self, row: &Records) -> Result<Changes, BadRow> {
        let user = self.key_of(row)?;
        let mut gathered = Gathered::default();
        for rule in &self.attributes {
            rule.gather(row, &mut gathered)
                .map_err(|reason| bad(row, rule.column, reason))?;
        }
        let mut names_end = Vec::with_capacity(self.tags.len());
        let says_how = self.says_how();
        for rule in &self.tags {
            rule.gather(row, &mut gathered)
                .map_err(|reason| bad(row, rule.column.unwrap_or(self.key), reason))?;
            if says_how && gathered.terms.len() < gathered.set.len() {
                let terms = rule.terms(row)?;
                gathered.terms.resize(gathered.set.len(), terms);
            }
            names_end.push(gathered.set.len());
        }
        let definitions = self.definitions(&gathered.set, &names_end);
        Ok(Changes {
            mutations: gathered.into_mutations(user.into_owned()),
            definitions,
        })
    }

    /// What a row that is good as a whole needs defined before it; `names_end` says for each
    /// rule where its names end. A name counts as defined from here on, so this is not asked
    /// for a bad row, whose definitions nobody would send.
    fn definitions(&mut self, names: &[String], names_end: &[usize]) -> Vec<(usize, String)> {
        let mut definitions = Vec::new();
        let mut start = 0;
        for (number, (rule, end)) in self.tags.iter_mut().zip(names_end).enumerate() {
            rule.define(&names[start..*end], number, &mut definitions);
            start = *end;
        }
        definitions
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
    fn gather(&self, row: &Records, gathered: &mut Gathered) -> Result<(), String> {
        let value = self.value_of(&row.cell(self.column)?)?;
        let mode = self.mapping.mode.unwrap_or_default();
        match value {
            Some(Datum::List(items)) if mode == MultiMode::Add => {
                let items = items.into_iter().map(Datum::Text).collect();
                gathered.additions.push((self.name.clone(), items));
            }
            Some(value) => gathered.values.push((self.name.clone(), value)),
            None => {}
        }
        Ok(())
    }

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
    fn gather(&self, row: &Records, gathered: &mut Gathered) -> Result<(), String> {
        let Some(column) = self.column else {
            gathered.set.extend(self.mapping.name.clone());
            return Ok(());
        };
        let cell = row.cell(column)?;
        match self.mapping.by {
            TagBy::Always => {}
            TagBy::NonZero => self.gather_truth(&cell, gathered)?,
            TagBy::Value => match &cell {
                Cell::Missing => {}
                Cell::Text(text) if is_missing(text, &self.missing) => {}
                Cell::Text(text) => gathered.set.push(self.tag_named(text)?),
                Cell::List(_) => return Err("is a list: use by = \"list\"".to_owned()),
            },
            TagBy::List => {
                for item in items_of(&cell, self.mapping.separator(), &self.missing) {
                    gathered.set.push(self.tag_named(item)?);
                }
            }
        }
        Ok(())
    }

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

    fn gather_truth(&self, cell: &Cell<'_>, gathered: &mut Gathered) -> Result<(), String> {
        match self.truth_of(cell)? {
            Some(true) => gathered.set.extend(self.mapping.name.clone()),
            Some(false) if self.mapping.clear => gathered.cleared.extend(self.mapping.name.clone()),
            Some(false) | None => {}
        }
        Ok(())
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

impl Gathered {
    fn into_mutations(self, user: String) -> Vec<Mutation> {
        let mut mutations = Vec::with_capacity(2);
        if !self.values.is_empty() {
            mutations.push(Mutation::Set {
                user: user.clone(),
                values: self.values,
            });
        }
        for (attribute, values) in self.additions {
            mutations.push(Mutation::Add {
                user: user.clone(),
                attribute,
                values,
            });
        }
        if !self.cleared.is_empty() {
            mutations.push(Mutation::Untag {
                user: user.clone(),
                tags: self.cleared,
            });
        }
        if self.terms.is_empty() && !self.set.is_empty() {
            mutations.push(Mutation::Tag {
                user: user.clone(),
                tags: self.set,
            });
        } else {
            let held: Vec<(String, HoldTerms)> = self.set.into_iter().zip(self.terms).collect();
            for alike in held.chunk_by(|(_, left), (_, right)| left == right) {
                mutations.extend(alike.first().map(|(_, terms)| Mutation::Hold {
                    user: user.clone(),
                    tags: alike.iter().map(|(tag, _)| tag.clone()).collect(),
                    terms: *terms,
                }));
            }
        }
        // An untag alone does not make a user, and the row says that there is one.
        let makes_user = |mutation: &Mutation| !matches!(mutation, Mutation::Untag { .. });
        if !mutations.iter().any(makes_user) {
            mutations.insert(0, Mutation::Ensure { user });
        }
        mutations
    }
}

#[cfg(test)]
mod tests;
