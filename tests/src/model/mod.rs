//! The model: what Tessera must answer, computed the slow and obvious way.
//!
//! Knows the language page's meaning of every statement over plain sorted maps. Does not know
//! bitmaps, columns, partitions, plans, files or time that passes: it is told the time.

pub mod answer;
pub mod behaviour;
pub mod define;
pub mod dimension;
pub mod expr;
pub mod generate;
pub mod value;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tessera_protocol::message::FailureCode;
use tessera_query_lang::ast::{AttributeType, Exclusivity, Expr, Mutability};

use behaviour::Done;
use value::Held;

/// Why a statement or a write is refused; the code is what the server would send.
pub type Refused = FailureCode;

/// All that the database knows.
#[derive(Debug, Clone)]
pub struct Model {
    /// The moment that every statement sees as now.
    pub now: Timestamp,
    /// Tags and the groups they are in.
    pub tags: BTreeMap<String, Option<String>>,
    /// Tag groups.
    pub groups: BTreeMap<String, Exclusivity>,
    /// Attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// Events, none of which has properties.
    pub events: BTreeSet<String>,
    /// Saved segments.
    pub segments: BTreeMap<String, Expr>,
    /// Users by key.
    pub users: BTreeMap<String, User>,
    /// How many users there have ever been.
    pub users_created: u64,
}

/// An attribute's definition.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Its type; the lists of enums and multis are in `values`.
    pub kind: AttributeType,
    /// Whether it may change.
    pub mutability: Mutability,
    /// The values of an enum or a multi that are known, whether any user has them or not.
    pub values: BTreeSet<String>,
}

impl Attribute {
    /// Whether only the defined values may be set.
    pub fn is_closed(&self) -> bool {
        matches!(
            &self.kind,
            AttributeType::Enum(Some(_)) | AttributeType::Multi(Some(_))
        )
    }
}

/// What is known of a user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct User {
    /// Which of all users there have ever been, counted from one.
    pub created: u64,
    /// The tags held.
    pub tags: BTreeSet<String>,
    /// The attributes' values.
    pub values: BTreeMap<String, Held>,
    /// What was done, in the order in which it was told.
    pub events: Vec<Done>,
}

impl Model {
    /// An empty database at some moment.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            tags: BTreeMap::new(),
            groups: BTreeMap::new(),
            attributes: BTreeMap::new(),
            events: BTreeSet::new(),
            segments: BTreeMap::new(),
            users: BTreeMap::new(),
            users_created: 0,
        }
    }

    /// An attribute by name.
    ///
    /// # Errors
    /// It is not defined.
    pub fn attribute(&self, name: &str) -> Result<&Attribute, Refused> {
        self.attributes.get(name).ok_or(FailureCode::UnknownName)
    }

    /// The tags of a group.
    pub fn members<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        self.tags
            .iter()
            .filter(move |(_, of)| of.as_deref() == Some(group))
            .map(|(tag, _)| tag.as_str())
    }
}
