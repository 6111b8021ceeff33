//! The mapping file: which column is what.
//!
//! Knows the TOML form and what makes sense in it. Does not know files of data, nor what is
//! defined on the server.

mod event;

use std::collections::BTreeMap;

use serde::Deserialize;

pub(crate) use self::event::{EventMapping, PropertyMapping, UnknownUsers};

/// What a mapping may hold at most; more is a mistake, not data.
const RULES_MAX: usize = 10_000;
/// Digits after the point that a decimal may have.
const SCALE_MAX: u8 = 18;
/// The separator of lists where none is written.
const SEPARATOR: &str = ";";

/// A mapping as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    /// The column with the user's key.
    pub(crate) key: String,
    /// Texts that mean "no value" in every column; the empty text when not written.
    pub(crate) missing: Option<Vec<String>>,
    /// The separator of CSV fields, where it is not a comma.
    pub(crate) delimiter: Option<String>,
    /// Columns that are attributes.
    #[serde(default, rename = "attribute")]
    pub(crate) attributes: Vec<AttributeMapping>,
    /// Columns that become tags.
    #[serde(default, rename = "tag")]
    pub(crate) tags: Vec<TagMapping>,
    /// What rows are that are events.
    #[serde(default, rename = "event")]
    pub(crate) events: Vec<EventMapping>,
}

/// One `[[attribute]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttributeMapping {
    /// The column.
    pub(crate) column: String,
    /// The attribute's name; the column's when not written.
    pub(crate) name: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: AttributeKind,
    /// The closed list of values of an enum or multi.
    pub(crate) values: Option<Vec<String>>,
    /// Refuse a second, different value.
    #[serde(default)]
    pub(crate) write_once: bool,
    /// Digits after the point of a decimal.
    pub(crate) scale: Option<u8>,
    /// How dates and timestamps are written (strftime).
    pub(crate) format: Option<String>,
    /// Between the values of a multi.
    pub(crate) separator: Option<String>,
    /// What a multi does with the values that are there already.
    pub(crate) mode: Option<MultiMode>,
    /// Texts that mean "no value" in this column.
    pub(crate) missing: Option<Vec<String>>,
    /// What to do when there is no value.
    #[serde(default)]
    pub(crate) on_missing: OnMissing,
    /// Replaces texts before they are read as values.
    #[serde(default)]
    pub(crate) map: BTreeMap<String, String>,
    /// For the definition.
    pub(crate) description: Option<String>,
    /// For the definition.
    pub(crate) owner: Option<String>,
}

/// The types of attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttributeKind {
    /// One of a list of values.
    Enum,
    /// Several of a list of values.
    Multi,
    /// A whole number.
    Integer,
    /// A number with a fixed count of digits after the point.
    Decimal,
    /// A day.
    Date,
    /// A moment.
    Timestamp,
    /// True or false.
    Boolean,
    /// Free text.
    Text,
    /// Another user's key.
    User,
}

impl AttributeKind {
    /// The type's name in the query language.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Self::Enum => "ENUM",
            Self::Multi => "MULTI",
            Self::Integer => "INTEGER",
            Self::Decimal => "DECIMAL",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
            Self::Boolean => "BOOLEAN",
            Self::Text => "TEXT",
            Self::User => "USER",
        }
    }
}

/// What a multi does with the values that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MultiMode {
    /// Keeps them: several rows of one user accumulate.
    #[default]
    Add,
    /// Takes them away: the row has the whole list.
    Replace,
}

/// What to do when a row has no value for an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnMissing {
    /// The attribute stays as it is.
    #[default]
    Keep,
    /// The attribute is cleared.
    Clear,
}

/// One `[[tag]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagMapping {
    /// The column; none for `by = "always"`.
    pub(crate) column: Option<String>,
    /// What makes a tag of it.
    pub(crate) by: TagBy,
    /// The tag's name, for `non-zero` and `always`.
    pub(crate) name: Option<String>,
    /// Stands before the value, for `value` and `list`.
    pub(crate) prefix: Option<String>,
    /// Between the values of a `list`.
    pub(crate) separator: Option<String>,
    /// Whether a zero takes the tag away, for `non-zero`.
    #[serde(default)]
    pub(crate) clear: bool,
    /// Texts that mean "no value" in this column.
    pub(crate) missing: Option<Vec<String>>,
    /// Replaces texts before they become names.
    #[serde(default)]
    pub(crate) map: BTreeMap<String, String>,
    /// The group of the tags.
    pub(crate) group: Option<String>,
    /// Whether the group lets a user hold one of its tags only.
    #[serde(default)]
    pub(crate) exclusive: bool,
    /// The column that says since when the tags are held; since the import when not written.
    pub(crate) since: Option<String>,
    /// The column that says until when the tags are held; to the tag's own end when not written.
    pub(crate) until: Option<String>,
    /// How these two are written (strftime).
    pub(crate) format: Option<String>,
    /// On whose word the tags are held; an import's when not written.
    pub(crate) source: Option<SourceMapping>,
    /// After how many days holdings end, for the definition; they do not when not written.
    pub(crate) dynamic_days: Option<u32>,
    /// For the definition.
    pub(crate) description: Option<String>,
    /// For the definition.
    pub(crate) owner: Option<String>,
}

/// On whose word tags are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceMapping {
    /// Somebody said so.
    Manual,
    /// It came with a file.
    Import,
    /// A rule said so.
    Rule,
    /// A model thinks so.
    Model,
}

/// What makes a tag of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TagBy {
    /// The value names the tag.
    Value,
    /// Each of the separated values names a tag.
    List,
    /// A number other than zero, `true` or `yes`.
    NonZero,
    /// Every row.
    Always,
}

/// Why a mapping cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MappingError {
    /// It is not TOML, or has a key or a value that is not known.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A rule contradicts itself.
    #[error("{place}: {reason}")]
    Rule {
        /// Which rule.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Mapping {
    /// Reads and checks a mapping.
    pub(crate) fn parse(text: &str) -> Result<Self, MappingError> {
        let mapping: Self = toml::from_str(text)?;
        mapping.check()?;
        Ok(mapping)
    }

    /// The byte between CSV fields, if the mapping names one.
    pub(crate) fn delimiter_byte(&self) -> Option<u8> {
        match self.delimiter.as_deref().map(str::as_bytes) {
            Some([byte]) => Some(*byte),
            Some(_) | None => None,
        }
    }

    fn check(&self) -> Result<(), MappingError> {
        let refuse = |place: &str, reason: &str| Err(rule_error(place, reason));
        if self.key.is_empty() {
            return refuse("key", "names no column");
        }
        if self.delimiter.is_some() && self.delimiter_byte().is_none_or(|b| !is_delimiter(b)) {
            return refuse(
                "delimiter",
                "must be one ASCII character other than a quote or a line end",
            );
        }
        let properties = self.events.iter().map(|event| 1 + event.properties.len());
        let rules = self.attributes.len() + self.tags.len() + properties.sum::<usize>();
        if rules > RULES_MAX {
            return refuse("mapping", "has more than 10000 rules");
        }
        let has_users = !self.attributes.is_empty() || !self.tags.is_empty();
        if has_users && !self.events.is_empty() {
            return refuse(
                "[[event]]",
                "rows are events or say something of users: import the file twice",
            );
        }
        for (position, event) in self.events.iter().enumerate() {
            event.check(position)?;
        }
        self.check_kinds_are_distinct()?;
        for attribute in &self.attributes {
            attribute.check().map_err(|reason| {
                rule_error(
                    &format!("[[attribute]] column {:?}", attribute.column),
                    reason,
                )
            })?;
        }
        for (position, tag) in self.tags.iter().enumerate() {
            tag.check()
                .map_err(|reason| rule_error(&tag.place(position), reason))?;
        }
        self.check_names_are_distinct()
    }

    /// One request creates unknown users or refuses them, and one rule defines a kind of event.
    fn check_kinds_are_distinct(&self) -> Result<(), MappingError> {
        let mut seen = std::collections::HashSet::new();
        for (position, event) in self.events.iter().enumerate() {
            let place = event.place(position);
            if event.unknown_users != self.unknown_users() {
                let reason = "unknown_users must be the same for all events of a mapping";
                return Err(rule_error(&place, reason));
            }
            if let Some(kind) = event.known_kinds().find(|kind| !seen.insert(*kind)) {
                let reason = format!("a second rule for events {kind:?}");
                return Err(rule_error(&place, &reason));
            }
        }
        Ok(())
    }

    /// What events of keys that are no user's do.
    pub(crate) fn unknown_users(&self) -> UnknownUsers {
        let first = self.events.first();
        first.map(|event| event.unknown_users).unwrap_or_default()
    }

    fn check_names_are_distinct(&self) -> Result<(), MappingError> {
        let mut seen = std::collections::HashSet::new();
        for attribute in &self.attributes {
            if !seen.insert(attribute.target()) {
                let place = format!("[[attribute]] column {:?}", attribute.column);
                return Err(rule_error(
                    &place,
                    &format!("a second rule for attribute {:?}", attribute.target()),
                ));
            }
        }
        Ok(())
    }
}

/// Whether a byte may separate CSV fields.
pub(crate) fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0)
}

fn rule_error(place: &str, reason: &str) -> MappingError {
    MappingError::Rule {
        place: place.to_owned(),
        reason: reason.to_owned(),
    }
}

impl AttributeMapping {
    /// The attribute's name.
    pub(crate) fn target(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.column)
    }

    /// Between the values of a multi.
    pub(crate) fn separator(&self) -> &str {
        self.separator.as_deref().unwrap_or(SEPARATOR)
    }

    fn check(&self) -> Result<(), &'static str> {
        use AttributeKind as Kind;
        let only =
            |given: bool, fits: bool, reason| if given && !fits { Err(reason) } else { Ok(()) };
        let listed = matches!(self.kind, Kind::Enum | Kind::Multi);
        let timed = matches!(self.kind, Kind::Date | Kind::Timestamp);
        let multi = self.kind == Kind::Multi;
        if self.column.is_empty() || self.target().is_empty() {
            return Err("column and name cannot be empty");
        }
        only(
            self.values.is_some(),
            listed,
            "values is for the types enum and multi",
        )?;
        only(
            self.values.as_ref().is_some_and(Vec::is_empty),
            false,
            "values cannot be empty",
        )?;
        only(
            self.format.is_some(),
            timed,
            "format is for the types date and timestamp",
        )?;
        only(
            self.separator.is_some(),
            multi,
            "separator is for the type multi",
        )?;
        only(
            self.separator().is_empty(),
            false,
            "separator cannot be empty",
        )?;
        only(self.mode.is_some(), multi, "mode is for the type multi")?;
        only(
            self.scale.is_some(),
            self.kind == Kind::Decimal,
            "scale is for the type decimal",
        )?;
        match (self.kind, self.scale) {
            (Kind::Decimal, None) => {
                Err("the type decimal needs scale, the digits after the point")
            }
            (_, Some(scale)) if scale > SCALE_MAX => Err("scale is at most 18"),
            (_, _) => Ok(()),
        }
    }
}

impl TagMapping {
    /// Whether something is said of how the tags are held.
    pub(crate) fn says_how(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.source.is_some()
    }

    /// Between the values of a list.
    pub(crate) fn separator(&self) -> &str {
        self.separator.as_deref().unwrap_or(SEPARATOR)
    }

    fn place(&self, position: usize) -> String {
        match (&self.column, &self.name) {
            (Some(column), _) => format!("[[tag]] column {column:?}"),
            (None, Some(name)) => format!("[[tag]] name {name:?}"),
            (None, None) => format!("[[tag]] number {}", position + 1),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let only =
            |given: bool, fits: bool, reason| if given && !fits { Err(reason) } else { Ok(()) };
        let valued = matches!(self.by, TagBy::Value | TagBy::List);
        only(
            self.column.is_none(),
            self.by == TagBy::Always,
            "needs a column",
        )?;
        only(
            self.column.is_some(),
            self.by != TagBy::Always,
            "by = \"always\" has no column",
        )?;
        only(
            self.name.is_none(),
            valued,
            "by = \"non-zero\" and \"always\" need a name",
        )?;
        only(
            self.name.is_some(),
            !valued,
            "by = \"value\" and \"list\" take the name from the column: use prefix",
        )?;
        only(
            self.prefix.is_some(),
            valued,
            "prefix is for by = \"value\" and \"list\"",
        )?;
        only(
            !self.map.is_empty(),
            self.by != TagBy::Always,
            "by = \"always\" has nothing to map",
        )?;
        only(
            self.separator.is_some(),
            self.by == TagBy::List,
            "separator is for by = \"list\"",
        )?;
        only(
            self.separator().is_empty(),
            false,
            "separator cannot be empty",
        )?;
        only(
            self.clear,
            self.by == TagBy::NonZero,
            "clear is for by = \"non-zero\"",
        )?;
        only(
            self.format.is_some(),
            self.since.is_some() || self.until.is_some(),
            "format is for since and until",
        )?;
        only(
            self.dynamic_days == Some(0),
            false,
            "dynamic_days is at least 1",
        )?;
        only(
            self.exclusive,
            self.group.is_some(),
            "exclusive needs a group",
        )
    }
}

#[cfg(test)]
mod tests;
