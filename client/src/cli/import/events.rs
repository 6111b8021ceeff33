//! Rows → events, column by column: each kind of event has columns of its own.
//!
//! Knows how batches of events are built from rows that are good as a whole. What a field of a
//! property means is the plan's matter; what becomes of a batch is the sender's.

use std::collections::BTreeMap;

use super::columns::{AttributeColumn, Dictionary, RawRows};
use super::mapping::{AttributeKind, EventMapping, Mapping};
use super::plan::{AttributeRule, Plan, bad, checked_name, is_missing, slot};
use super::records::{BadRow, Records};
use super::value::{Cell, Reading, shown};
use crate::{EventColumn, EventRows, LoadColumn, PackedTexts};

/// The longest id of an event, in bytes.
const ID_BYTES_MAX: usize = 256;
/// Kinds of events that a column may name: more are a mistake, not data.
const KINDS_MAX: usize = 1_024;
/// What all batches in the making may take together, in bytes, about.
const ALL_BYTES_MAX: usize = 24 * 1024 * 1024;

/// Rows after which it is looked for full batches.
const UNSEEN_MAX: usize = 256;

/// A rule made ready.
pub(crate) struct EventRule {
    /// Where it stands in the mapping.
    number: usize,
    kind_column: Option<usize>,
    time: usize,
    id: Option<usize>,
    properties: Vec<AttributeRule>,
    missing: Vec<String>,
    mapping: EventMapping,
}

/// Events that are ready to send together.
#[derive(Debug, Default)]
pub(crate) struct EventsBatch {
    /// What they are.
    pub(crate) rows: EventRows,
    /// Their rows as they stand in the file.
    pub(crate) records: RawRows,
    /// Kinds of events to define before, with the number of their rule in the mapping.
    pub(crate) definitions: Vec<(usize, String)>,
}

impl EventRule {
    /// Makes the rules of a mapping ready; columns that they need are added.
    pub(crate) fn all(mapping: &Mapping, columns: &mut Vec<String>) -> Vec<Self> {
        let missing = |own: &Option<Vec<String>>| {
            let missing = own.as_ref().or(mapping.missing.as_ref());
            missing.cloned().unwrap_or_else(|| vec![String::new()])
        };
        let rules = mapping.events.iter().enumerate();
        rules
            .map(|(number, rule)| Self {
                number,
                kind_column: rule.column.as_ref().map(|column| slot(columns, column)),
                time: slot(columns, &rule.time),
                id: rule.id.as_ref().map(|column| slot(columns, column)),
                properties: rule
                    .properties
                    .iter()
                    .map(|property| AttributeRule {
                        column: slot(columns, &property.column),
                        name: property.target().to_owned(),
                        missing: missing(&property.missing),
                        mapping: property.as_attribute(),
                    })
                    .collect(),
                missing: missing(&None),
                mapping: rule.clone(),
            })
            .collect()
    }

    fn time_of(&self, row: &Records) -> Result<i64, String> {
        let reading = Reading {
            kind: AttributeKind::Timestamp,
            scale: 0,
            format: self.mapping.format.as_deref(),
        };
        match row.cell(self.time)? {
            Cell::Text(text) if is_missing(&text, &self.missing) => {
                Err("the time is missing".to_owned())
            }
            Cell::Text(text) => reading.moment(&text),
            Cell::Missing => Err("the time is missing".to_owned()),
            Cell::List(_) => Err("the time is a list".to_owned()),
        }
    }

    /// The kind that a text names.
    fn kind_named(&self, text: &str) -> Result<String, String> {
        let name = self.mapping.map.get(text).map_or(text, String::as_str);
        if name.is_empty() || is_missing(name, &self.missing) {
            return Err("the kind of event is missing".to_owned());
        }
        let listed = self.mapping.kinds.as_ref();
        if listed.is_some_and(|kinds| !kinds.iter().any(|kind| kind == name)) {
            return Err(format!(
                "{} is not among the kinds of the mapping",
                shown(text)
            ));
        }
        checked_name(name.into(), "a kind of event")
    }
}

/// Builds batches of events.
pub(crate) struct Events {
    plan: Plan,
    rules: Vec<RuleState>,
    /// Rows since it was last looked for full batches.
    unseen: usize,
}

/// A rule, and the batches of its kinds.
struct RuleState {
    rule: EventRule,
    /// What each text of the column stands for: the number of a kind, or nothing for a reason.
    texts: Dictionary<Result<usize, String>>,
    kinds: Kinds,
    /// The kind, the time and the id of the row under way.
    next: (usize, i64),
    next_id: String,
}

/// The kinds of events of a rule.
#[derive(Default)]
struct Kinds {
    all: Vec<Kind>,
    by_name: BTreeMap<String, usize>,
}

impl Kinds {
    /// The number of the kind of this name, which is made if need be.
    fn number(&mut self, name: &str, rule: &EventRule) -> Result<usize, String> {
        if let Some(kind) = self.by_name.get(name) {
            return Ok(*kind);
        }
        if self.all.len() >= KINDS_MAX {
            return Err(format!("there are more than {KINDS_MAX} kinds of events"));
        }
        let number = self.all.len();
        self.all.push(Kind::new(name, rule));
        self.by_name.insert(name.to_owned(), number);
        Ok(number)
    }
}

/// The batch of one kind of event in the making.
struct Kind {
    name: String,
    /// Whether it is to be defined before its next batch.
    is_new: bool,
    /// The properties it has, by their numbers in the rule.
    properties: Vec<(usize, AttributeColumn)>,
    known_users: Dictionary<()>,
    users: PackedTexts,
    of: Vec<u32>,
    times_us: Vec<i64>,
    ids: PackedTexts,
    records: RawRows,
    bytes: usize,
}

impl Events {
    /// For a plan whose rows are events.
    pub(crate) fn new(mut plan: Plan) -> Self {
        let rules = std::mem::take(&mut plan.events);
        let rules = rules.into_iter().map(RuleState::new).collect();
        Self {
            plan,
            rules,
            unseen: 0,
        }
    }

    /// Adds a row. One with a bad field is bad as a whole, and leaves nothing behind.
    pub(crate) fn add(&mut self, row: &Records) -> Result<(), BadRow> {
        let key = self.plan.key_of(row)?;
        for state in &mut self.rules {
            state.read(row)?;
        }
        let too_much = || bad(row, self.plan.key, "the batch is too long".to_owned());
        for state in &mut self.rules {
            state.take(&key, row).ok_or_else(too_much)?;
        }
        self.unseen += 1;
        Ok(())
    }

    /// The batches that are full: that have so many events, or the largest when all together take
    /// too much.
    pub(crate) fn finish_full(&mut self, file: usize, rows_max: usize) -> Vec<EventsBatch> {
        let mut full = Vec::new();
        if self.unseen < rows_max.min(UNSEEN_MAX) {
            return full;
        }
        self.unseen = 0;
        for state in &mut self.rules {
            for kind in 0..state.kinds.all.len() {
                if state.kinds.all[kind].of.len() >= rows_max {
                    full.push(state.finish(kind, file));
                }
            }
        }
        let bytes = |kind: &Kind| kind.bytes.max(kind.records.bytes());
        let all = self.rules.iter().flat_map(|state| &state.kinds.all);
        if all.map(bytes).sum::<usize>() >= ALL_BYTES_MAX {
            let kinds = self.rules.iter().enumerate().flat_map(|(rule, state)| {
                let kinds = state.kinds.all.iter().enumerate();
                kinds.map(move |(place, kind)| (bytes(kind), rule, place))
            });
            if let Some((_, rule, kind)) = kinds.max() {
                full.push(self.rules[rule].finish(kind, file));
            }
        }
        full
    }

    /// All batches so far, all of one file.
    pub(crate) fn finish_all(&mut self, file: usize) -> Vec<EventsBatch> {
        let mut all = Vec::new();
        for state in &mut self.rules {
            for kind in 0..state.kinds.all.len() {
                if !state.kinds.all[kind].of.is_empty() {
                    all.push(state.finish(kind, file));
                }
            }
        }
        all
    }
}

impl RuleState {
    fn new(rule: EventRule) -> Self {
        let mut kinds = Kinds::default();
        for name in rule.mapping.known_kinds() {
            // Definitions come first, and refuse what is no name.
            let name = checked_name(name.into(), "a kind of event");
            if let Ok(kind) = name.and_then(|name| kinds.number(&name, &rule)) {
                kinds.all[kind].is_new = false;
            }
        }
        Self {
            rule,
            texts: Dictionary::new(),
            kinds,
            next: (0, 0),
            next_id: String::new(),
        }
    }

    /// Reads the row under way.
    fn read(&mut self, row: &Records) -> Result<(), BadRow> {
        let kind = self.kind_of(row)?;
        let rule = &self.rule;
        let time = rule.time_of(row);
        self.next = (kind, time.map_err(|reason| bad(row, rule.time, reason))?);
        self.next_id.clear();
        if let Some(column) = rule.id {
            let refuse = |reason: &str| Err(bad(row, column, reason.to_owned()));
            match row.cell(column) {
                Ok(Cell::Missing) => {}
                Ok(Cell::Text(id)) if is_missing(&id, &rule.missing) => {}
                Ok(Cell::Text(id)) if id.len() > ID_BYTES_MAX => {
                    return refuse("the id is longer than 256 bytes");
                }
                Ok(Cell::Text(id)) => self.next_id.push_str(&id),
                Ok(Cell::List(_)) => return refuse("the id is a list"),
                Err(reason) => return refuse(reason),
            }
        }
        for (number, column) in &mut self.kinds.all[kind].properties {
            let property = &rule.properties[*number];
            let field = match row.cell(property.column) {
                Ok(cell) => column.read(property, &cell),
                Err(reason) => Err(reason.to_owned()),
            };
            field.map_err(|reason| bad(row, property.column, reason))?;
        }
        Ok(())
    }

    fn kind_of(&mut self, row: &Records) -> Result<usize, BadRow> {
        let Some(column) = self.rule.kind_column else {
            return Ok(0);
        };
        let refuse = |reason: String| bad(row, column, reason);
        let cell = row
            .cell(column)
            .map_err(|reason| refuse(reason.to_owned()))?;
        let Cell::Text(text) = &cell else {
            return Err(refuse("names no kind of event".to_owned()));
        };
        let (rule, kinds) = (&self.rule, &mut self.kinds);
        let number = self.texts.number(text.as_bytes(), || {
            let name = rule.kind_named(text)?;
            kinds.number(&name, rule)
        });
        let kind = match &self.texts.values[number] {
            Ok(kind) => Ok(*kind),
            Err(reason) => Err(refuse(reason.clone())),
        };
        self.texts.forget_if_overgrown();
        kind
    }

    /// Takes the row under way, which is good; nothing when the batch has no room.
    fn take(&mut self, key: &str, row: &Records) -> Option<()> {
        let (kind, time_us) = self.next;
        let has_ids = self.rule.id.is_some();
        let kind = self.kinds.all.get_mut(kind)?;
        let number = kind.known_users.number(key.as_bytes(), || ());
        let (user, is_new) = kind.known_users.code(number);
        if is_new {
            kind.users.push(key).ok()?;
            kind.bytes += key.len() + size_of::<u32>();
        }
        if has_ids {
            kind.ids.push(&self.next_id).ok()?;
            kind.bytes += self.next_id.len() + size_of::<u32>();
        }
        let at = kind.of.len();
        kind.of.push(user);
        kind.times_us.push(time_us);
        kind.bytes += size_of::<u32>() + size_of::<i64>();
        for (_, column) in &mut kind.properties {
            kind.bytes += column.take(at);
        }
        kind.records.push(row.raw(), row.line());
        Some(())
    }

    /// The batch of a kind; the next one begins.
    fn finish(&mut self, kind: usize, file: usize) -> EventsBatch {
        let rule = &self.rule;
        let kind = &mut self.kinds.all[kind];
        let rows = kind.of.len();
        let columns = kind.properties.iter_mut();
        let columns = columns
            .filter_map(|(number, column)| {
                event_column(column.finish(&rule.properties[*number].name, rows))
            })
            .collect();
        let _used = kind.known_users.finish();
        kind.known_users.forget_if_overgrown();
        kind.bytes = 0;
        let definitions = match std::mem::take(&mut kind.is_new) {
            true => vec![(rule.number, kind.name.clone())],
            false => Vec::new(),
        };
        let ids = std::mem::take(&mut kind.ids);
        let mut records = std::mem::take(&mut kind.records);
        records.file = file;
        EventsBatch {
            rows: EventRows {
                event: kind.name.clone(),
                users: std::mem::take(&mut kind.users),
                of: std::mem::take(&mut kind.of),
                times_us: std::mem::take(&mut kind.times_us),
                ids: rule.id.is_some().then_some(ids),
                columns,
            },
            records,
            definitions,
        }
    }
}

impl Kind {
    fn new(name: &str, rule: &EventRule) -> Self {
        let properties = rule.properties.iter().zip(&rule.mapping.properties);
        let of_kind = properties
            .enumerate()
            .filter(|(_, (_, mapping))| mapping.is_of(name))
            .map(|(number, (rule, _))| (number, AttributeColumn::of(rule)));
        Self {
            name: name.to_owned(),
            is_new: true,
            properties: of_kind.collect(),
            known_users: Dictionary::new(),
            users: PackedTexts::default(),
            of: Vec::new(),
            times_us: Vec::new(),
            ids: PackedTexts::default(),
            records: RawRows::default(),
            bytes: 0,
        }
    }
}

/// A column of values as one of a property; nothing when no event has one.
fn event_column(column: LoadColumn) -> Option<EventColumn> {
    match column {
        LoadColumn::Coded {
            attribute,
            dictionary,
            codes,
        } => (!dictionary.is_empty()).then_some(EventColumn::Coded {
            property: attribute,
            dictionary,
            codes,
        }),
        LoadColumn::Numbers {
            attribute,
            form,
            present,
            numbers,
        } => (!numbers.is_empty()).then_some(EventColumn::Numbers {
            property: attribute,
            form,
            present,
            numbers,
        }),
        LoadColumn::Tags { .. }
        | LoadColumn::Holdings { .. }
        | LoadColumn::Added { .. }
        | LoadColumn::Taken { .. } => None,
    }
}

#[cfg(test)]
mod tests;
