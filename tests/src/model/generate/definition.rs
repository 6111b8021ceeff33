//! Random definitions, their changes and their ends.

use rand::Rng;
use tessera_query_lang::ast::{
    Alter, AlterGroup, AlterTag, AttributeType, Define, DefineGroup, DefineTag, DefinitionKind,
    Exclusivity, GroupChange, Mutability, Notes, OnConflict, SavedSegment, Statement,
};

use super::{GROUPS, Generator, LABELS, NOWHERE, SEGMENTS, TAGS, named};
use crate::model::Model;

/// Attributes that may be defined, each always of one type, so that a name says what it holds.
const ATTRIBUTES: [&str; 12] = [
    "colour", "shape", "hobbies", "badges", "age", "score", "spend", "signup", "seen at", "active",
    "email", "friend",
];

impl Generator {
    pub(super) fn definition(&mut self, model: &Model) -> Statement {
        match self.rng.random_range(0..100) {
            0..45 => self.any_define(model),
            45..70 => Statement::Alter(self.alter(model)),
            70..85 => self.drop_statement(model),
            _ => Statement::SaveSegment(self.saved_segment(model)),
        }
    }

    pub(super) fn any_define(&mut self, model: &Model) -> Statement {
        let define = match self.rng.random_range(0..11) {
            0..4 => self.define_tag(model),
            4..5 => Define::Group(DefineGroup {
                exclusivity: if self.chance(0.6) {
                    Exclusivity::Exclusive
                } else {
                    Exclusivity::Shared
                },
                notes: self.notes(),
                ..DefineGroup::new(named(self.pick(&GROUPS).expect("groups")))
            }),
            5..9 => self.define_attribute(),
            9 => self.define_event(),
            _ => Define::Segment(self.saved_segment(model)),
        };
        let on_conflict = if self.chance(0.7) {
            OnConflict::Keep
        } else {
            OnConflict::Refuse
        };
        Statement::Define(define, on_conflict)
    }

    fn define_tag(&mut self, model: &Model) -> Define {
        let group = if self.chance(0.5) {
            self.defined(model.groups.keys())
        } else {
            None
        };
        Define::Tag(DefineTag {
            group: group.map(|group| named(&group)),
            notes: self.notes(),
            ..DefineTag::new(named(self.pick(&TAGS).expect("tags")))
        })
    }

    fn define_attribute(&mut self) -> Define {
        let name = self.pick(&ATTRIBUTES).expect("attributes");
        let some_labels = || {
            Some(
                LABELS[..4]
                    .iter()
                    .map(|label| (*label).to_owned())
                    .collect(),
            )
        };
        let attribute_type = match name {
            "colour" => AttributeType::Enum(None),
            "shape" => AttributeType::Enum(some_labels()),
            "hobbies" => AttributeType::Multi(None),
            "badges" => AttributeType::Multi(some_labels()),
            "age" | "score" => AttributeType::Integer,
            "spend" => AttributeType::Decimal(2),
            "signup" => AttributeType::Date,
            "seen at" => AttributeType::Timestamp,
            "active" => AttributeType::Boolean,
            "email" => AttributeType::Text,
            _ => AttributeType::User,
        };
        let mutability = if self.chance(0.15) {
            Mutability::WriteOnce
        } else {
            Mutability::Mutable
        };
        Define::Attribute {
            name: named(name),
            attribute_type,
            mutability,
            notes: self.notes(),
        }
    }

    fn saved_segment(&mut self, model: &Model) -> SavedSegment {
        let name = named(self.pick(&SEGMENTS).expect("segments"));
        SavedSegment {
            name,
            notes: self.notes(),
            filter: self.expr(model, 2),
        }
    }

    pub(super) fn notes(&mut self) -> Notes {
        let mut note = |text: &str| self.chance(0.2).then(|| text.to_owned());
        Notes {
            description: note("what it \"means\""),
            owner: note("the marketing team"),
        }
    }

    fn alter(&mut self, model: &Model) -> Alter {
        let notes = self.notes();
        match self.rng.random_range(0..10) {
            0..4 => {
                let name = self
                    .defined(model.tags.keys())
                    .unwrap_or_else(|| NOWHERE.to_owned());
                Alter::Tag(AlterTag {
                    group: Some(self.group_change(model)),
                    notes,
                    ..AlterTag::new(named(&name))
                })
            }
            4..6 => {
                let name = self
                    .defined(model.groups.keys())
                    .unwrap_or_else(|| NOWHERE.to_owned());
                let exclusivity = if self.chance(0.6) {
                    Exclusivity::Exclusive
                } else {
                    Exclusivity::Shared
                };
                Alter::Group(AlterGroup {
                    exclusivity: Some(exclusivity),
                    notes,
                    ..AlterGroup::new(named(&name))
                })
            }
            6..9 => self.alter_attribute(model, notes),
            _ => {
                let name = self
                    .defined(model.segments.keys())
                    .unwrap_or_else(|| NOWHERE.to_owned());
                let filter = Some(self.expr(model, 2));
                Alter::Segment {
                    name: named(&name),
                    notes,
                    filter,
                }
            }
        }
    }

    fn alter_attribute(&mut self, model: &Model, notes: Notes) -> Alter {
        let name = self
            .defined(model.attributes.keys())
            .unwrap_or_else(|| NOWHERE.to_owned());
        let closed = model
            .attributes
            .get(&name)
            .is_some_and(super::super::Attribute::is_closed);
        let add_values = if closed && self.chance(0.5) || self.mistake() {
            vec![self.pick(&LABELS).expect("labels").to_owned()]
        } else {
            Vec::new()
        };
        let mutability = if self.chance(0.3) {
            Mutability::WriteOnce
        } else {
            Mutability::Mutable
        };
        Alter::Attribute {
            name: named(&name),
            add_values,
            mutability: Some(mutability),
            notes,
        }
    }

    fn group_change(&mut self, model: &Model) -> GroupChange {
        match self.defined(model.groups.keys()) {
            Some(group) if self.chance(0.7) => GroupChange::Into(named(&group)),
            Some(_) | None => GroupChange::Out,
        }
    }

    fn drop_statement(&mut self, model: &Model) -> Statement {
        let (kind, name) = match self.rng.random_range(0..11) {
            0..4 => (DefinitionKind::Tag, self.defined(model.tags.keys())),
            4..5 => (DefinitionKind::Group, self.defined(model.groups.keys())),
            5..8 => (
                DefinitionKind::Attribute,
                self.defined(model.attributes.keys()),
            ),
            8 => (DefinitionKind::Event, self.defined(model.events.iter())),
            _ => (DefinitionKind::Segment, self.defined(model.segments.keys())),
        };
        let on_conflict = if self.chance(0.5) {
            OnConflict::Keep
        } else {
            OnConflict::Refuse
        };
        Statement::Drop(kind, named(name.as_deref().unwrap_or(NOWHERE)), on_conflict)
    }
}
