//! Random writes: typed mutations, and the statements that write.

use rand::Rng;
use tessera_protocol::message::{Datum, Mutation, UnknownTags};
use tessera_query_lang::{
    ast::{Assignment, AttributeType, HoldingTerms, NameRef, Spanned, Statement, Target, Value},
    name::Name,
};

use super::{Generator, NOWHERE, Step, TAGS, name, named};
use crate::model::{Attribute, Model};

impl Generator {
    pub(super) fn write(&mut self, model: &Model) -> Step {
        let unknown_tags = if self.chance(0.1) {
            UnknownTags::Define
        } else {
            UnknownTags::Refuse
        };
        let mutations = (0..self.count(5))
            .map(|_| self.mutation(model, unknown_tags))
            .collect();
        Step::Write {
            mutations,
            unknown_tags,
        }
    }

    fn mutation(&mut self, model: &Model, unknown_tags: UnknownTags) -> Mutation {
        let user = self.key();
        match self.rng.random_range(0..100) {
            0..5 => Mutation::Ensure { user },
            5..15 => self.track(model, user),
            15..40 => Mutation::Tag {
                user,
                tags: self.tags(model, unknown_tags),
            },
            40..50 => Mutation::Untag {
                user,
                tags: self.tags(model, UnknownTags::Refuse),
            },
            50..80 => Mutation::Set {
                user,
                values: self.values(model),
            },
            80..94 => self.multi_mutation(model, user),
            _ => Mutation::DeleteUser { user },
        }
    }

    fn tags(&mut self, model: &Model, unknown_tags: UnknownTags) -> Vec<String> {
        if unknown_tags == UnknownTags::Define {
            return (0..self.count(2))
                .map(|_| self.pick(&TAGS).expect("tags").to_owned())
                .collect();
        }
        (0..self.count(3))
            .filter_map(|_| self.defined(model.tags.keys()))
            .collect()
    }

    fn values(&mut self, model: &Model) -> Vec<(String, Datum)> {
        let mut values = Vec::new();
        for _ in 0..self.count(4) {
            let Some(attribute) = self.defined(model.attributes.keys()) else {
                continue;
            };
            if values.iter().any(|(taken, _)| *taken == attribute) {
                continue;
            }
            let value = match model.attributes.get(&attribute) {
                None => Datum::Null,
                Some(_) if self.chance(0.12) => Datum::Null,
                Some(definition) if matches!(definition.kind, AttributeType::Multi(_)) => {
                    self.list(definition)
                }
                Some(definition) => self.datum(definition),
            };
            values.push((attribute, value));
        }
        values
    }

    fn list(&mut self, attribute: &Attribute) -> Datum {
        let count = self.rng.random_range(0..4);
        let labels = (0..count).map(|_| match self.datum(attribute) {
            Datum::Text(text) => text,
            other => format!("{other:?}"),
        });
        Datum::List(labels.collect())
    }

    fn multi_mutation(&mut self, model: &Model, user: String) -> Mutation {
        let multis = Self::attributes(model, |attribute| {
            matches!(attribute.kind, AttributeType::Multi(_))
        });
        let attribute = if self.mistake() {
            self.defined(model.attributes.keys())
        } else {
            self.pick(&multis).map(str::to_owned)
        };
        let Some(attribute) = attribute else {
            return Mutation::Ensure { user };
        };
        let remove = self.chance(0.4);
        let values = match model.attributes.get(&attribute) {
            Some(definition) if remove => {
                let known: Vec<&str> = definition.values.iter().map(String::as_str).collect();
                (0..self.count(2))
                    .filter_map(|_| self.pick(&known))
                    .map(|label| Datum::Text(label.into()))
                    .collect()
            }
            Some(definition) => (0..self.count(4) - 1)
                .map(|_| self.datum(definition))
                .collect(),
            None => vec![Datum::Text(NOWHERE.into())],
        };
        if remove {
            Mutation::Remove {
                user,
                attribute,
                values,
            }
        } else {
            Mutation::Add {
                user,
                attribute,
                values,
            }
        }
    }

    pub(super) fn write_statement(&mut self, model: &Model) -> Statement {
        match self.rng.random_range(0..10) {
            0..4 => self.tag_statement(model),
            4..9 => self.set_statement(model),
            _ => {
                let keys = (0..self.count(3)).map(|_| Spanned::synthetic(Value::Text(self.key())));
                Statement::DeleteUser(keys.collect())
            }
        }
    }

    fn target(&mut self, model: &Model) -> Target {
        if self.chance(0.5) {
            return Target::Where(self.expr(model, 2));
        }
        Target::Keys(
            (0..self.count(3))
                .map(|_| Spanned::synthetic(Value::Text(self.key())))
                .collect(),
        )
    }

    fn tag_statement(&mut self, model: &Model) -> Statement {
        let tags: Vec<_> = self
            .tags(model, UnknownTags::Refuse)
            .iter()
            .map(|tag| Spanned::synthetic(NameRef::Name(name(tag))))
            .collect();
        if tags.is_empty() {
            return Statement::DeleteUser(vec![Spanned::synthetic(Value::Text(self.key()))]);
        }
        let target = self.target(model);
        if self.chance(0.7) {
            Statement::Tag {
                target,
                tags,
                terms: HoldingTerms::default(),
            }
        } else {
            Statement::Untag { target, tags }
        }
    }

    fn set_statement(&mut self, model: &Model) -> Statement {
        let mut assignments: Vec<(Spanned<Name>, Assignment)> = Vec::new();
        for _ in 0..self.count(3) {
            let Some(attribute) = self.defined(model.attributes.keys()) else {
                break;
            };
            let taken = assignments
                .iter()
                .any(|(taken, _)| taken.node.as_str() == attribute);
            if !taken {
                let assignment = self.assignment(model, model.attributes.get(&attribute));
                assignments.push((named(&attribute), assignment));
            }
        }
        if assignments.is_empty() {
            return self.tag_statement(model);
        }
        Statement::Set {
            target: self.target(model),
            assignments,
        }
    }

    fn assignment(&mut self, model: &Model, attribute: Option<&Attribute>) -> Assignment {
        let Some(attribute) = attribute else {
            return Assignment::Clear;
        };
        if self.chance(0.12) {
            return Assignment::Clear;
        }
        if !matches!(attribute.kind, AttributeType::Multi(_)) {
            return Assignment::To(vec![Spanned::synthetic(self.literal_to_write(attribute))]);
        }
        let add = self.rng.random_range(0..3);
        if add == 2 && attribute.values.is_empty() {
            return Assignment::Clear;
        }
        let values: Vec<_> = (0..self.count(3))
            .map(|_| {
                let literal = if add == 2 {
                    self.literal(model, attribute)
                } else {
                    self.literal_to_write(attribute)
                };
                Spanned::synthetic(literal)
            })
            .collect();
        match add {
            0 => Assignment::To(values),
            1 => Assignment::Add(values),
            _ => Assignment::Remove(values),
        }
    }
}
