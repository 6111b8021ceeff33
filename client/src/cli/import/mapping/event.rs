//! `[[event]]`: rows that are events.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use super::{AttributeKind, AttributeMapping, MappingError, OnMissing, rule_error};

/// One `[[event]]`: every row is an event of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventMapping {
    /// The kind of event, where all rows are of one kind.
    pub(crate) name: Option<String>,
    /// The column that names the kind of event.
    pub(crate) column: Option<String>,
    /// The kinds that the column may name; any when not written.
    pub(crate) kinds: Option<Vec<String>>,
    /// Replaces texts of the column before they name kinds.
    #[serde(default)]
    pub(crate) map: BTreeMap<String, String>,
    /// The column that says when it was.
    pub(crate) time: String,
    /// How times are written (strftime).
    pub(crate) format: Option<String>,
    /// The column with the event's id.
    pub(crate) id: Option<String>,
    /// What to do about keys that are no user's.
    #[serde(default)]
    pub(crate) unknown_users: UnknownUsers,
    /// How many days events are kept, for the definition; for ever when not written.
    pub(crate) retention_days: Option<u32>,
    /// For the definition.
    pub(crate) description: Option<String>,
    /// For the definition.
    pub(crate) owner: Option<String>,
    /// Columns that are properties.
    #[serde(default, rename = "property")]
    pub(crate) properties: Vec<PropertyMapping>,
}

/// What to do about keys that are no user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnknownUsers {
    /// Makes them users.
    #[default]
    Create,
    /// Their rows are bad.
    Refuse,
}

/// One `[[event.property]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PropertyMapping {
    /// The column.
    pub(crate) column: String,
    /// The property's name; the column's when not written.
    pub(crate) name: Option<String>,
    /// The kinds of events that have it; all when not written.
    pub(crate) of: Option<Vec<String>>,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: AttributeKind,
    /// The closed list of values of an enum.
    pub(crate) values: Option<Vec<String>>,
    /// Digits after the point of a decimal.
    pub(crate) scale: Option<u8>,
    /// How dates and timestamps are written (strftime).
    pub(crate) format: Option<String>,
    /// Texts that mean "no value" in this column.
    pub(crate) missing: Option<Vec<String>>,
    /// Replaces texts before they are read as values.
    #[serde(default)]
    pub(crate) map: BTreeMap<String, String>,
}

impl EventMapping {
    /// How messages name it.
    pub(crate) fn place(&self, position: usize) -> String {
        match (&self.name, &self.column) {
            (Some(name), _) => format!("[[event]] name {name:?}"),
            (None, Some(column)) => format!("[[event]] column {column:?}"),
            (None, None) => format!("[[event]] number {}", position + 1),
        }
    }

    /// The kinds of events that are known before any row is read.
    pub(crate) fn known_kinds(&self) -> impl Iterator<Item = &str> {
        let listed = self.kinds.iter().flatten();
        self.name.iter().chain(listed).map(String::as_str)
    }

    pub(super) fn check(&self, position: usize) -> Result<(), MappingError> {
        let place = self.place(position);
        self.check_kinds()
            .map_err(|reason| rule_error(&place, reason))?;
        let mut seen = HashSet::new();
        for property in &self.properties {
            let place = format!("{place}, property column {:?}", property.column);
            property
                .check()
                .map_err(|reason| rule_error(&place, reason))?;
            if !seen.insert(property.target()) {
                let reason = format!("a second rule for property {:?}", property.target());
                return Err(rule_error(&place, &reason));
            }
            self.check_of(property)
                .map_err(|reason| rule_error(&place, &reason))?;
        }
        Ok(())
    }

    fn check_kinds(&self) -> Result<(), &'static str> {
        match (&self.name, &self.column) {
            (Some(_), Some(_)) => return Err("has a name or a column that names it, not both"),
            (None, None) => return Err("needs a name, or a column that names it"),
            (Some(name), None) if name.is_empty() => return Err("the name is empty"),
            (Some(_), None) | (None, Some(_)) => {}
        }
        if self.column.is_none() && (self.kinds.is_some() || !self.map.is_empty()) {
            return Err("kinds and map are for a column that names the kind of event");
        }
        if self.kinds.as_ref().is_some_and(Vec::is_empty) {
            return Err("kinds cannot be empty");
        }
        match self.time.is_empty() {
            true => Err("time names no column"),
            false => Ok(()),
        }
    }

    /// A property of a kind that is known not to occur is a mistake.
    fn check_of(&self, property: &PropertyMapping) -> Result<(), String> {
        if self.name.is_none() && self.kinds.is_none() {
            return Ok(());
        }
        let is_known = |kind: &&String| self.known_kinds().any(|known| known == kind.as_str());
        match property.of.iter().flatten().find(|kind| !is_known(kind)) {
            Some(kind) => Err(format!("is of {kind:?}, which no row can be")),
            None => Ok(()),
        }
    }
}

impl PropertyMapping {
    /// The property's name.
    pub(crate) fn target(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.column)
    }

    /// Whether events of a kind have it.
    pub(crate) fn is_of(&self, kind: &str) -> bool {
        let of = self.of.as_ref();
        of.is_none_or(|of| of.iter().any(|listed| listed == kind))
    }

    /// The same as a rule for an attribute: fields are read alike.
    pub(crate) fn as_attribute(&self) -> AttributeMapping {
        AttributeMapping {
            column: self.column.clone(),
            name: self.name.clone(),
            kind: self.kind,
            values: self.values.clone(),
            write_once: false,
            scale: self.scale,
            format: self.format.clone(),
            separator: None,
            mode: None,
            missing: self.missing.clone(),
            on_missing: OnMissing::Keep,
            map: self.map.clone(),
            description: None,
            owner: None,
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        if matches!(self.kind, AttributeKind::Multi | AttributeKind::User) {
            return Err("a property is neither multi nor a user");
        }
        if self.of.as_ref().is_some_and(Vec::is_empty) {
            return Err("of cannot be empty");
        }
        self.as_attribute().check()
    }
}
