//! Definitions: tags, groups, attributes, events and saved segments that come, change and go.

use std::collections::BTreeSet;

use tessera_protocol::message::FailureCode;
use tessera_query_lang::ast::{
    Alter, AttributeType, Define, DefinitionKind, Exclusivity, Expr, GroupChange, OnConflict,
    Statement, TagPattern,
};

use super::{Attribute, Model, Refused, behaviour::names_event, expr::name_of};

impl Model {
    /// Runs a statement that changes definitions.
    ///
    /// # Errors
    /// It is refused; nothing has changed then.
    ///
    /// # Panics
    /// When the statement is another.
    pub fn change_definitions(&mut self, statement: &Statement) -> Result<(), Refused> {
        match statement {
            Statement::Define(define, on_conflict) => self.define(define, *on_conflict),
            Statement::Alter(alter) => self.alter(alter),
            Statement::Drop(kind, name, on_conflict) => {
                self.drop_definition(*kind, name.node.as_str(), *on_conflict)
            }
            Statement::SaveSegment(segment) => {
                self.save_segment(segment.name.node.as_str(), &segment.filter)
            }
            other => panic!("defines nothing: {other:?}"),
        }
    }

    fn define(&mut self, define: &Define, on_conflict: OnConflict) -> Result<(), Refused> {
        let (name, taken) = match define {
            Define::Tag(tag) => (
                &tag.name.node,
                self.tags.contains_key(tag.name.node.as_str()),
            ),
            Define::Group(group) => (
                &group.name.node,
                self.groups.contains_key(group.name.node.as_str()),
            ),
            Define::Attribute { name, .. } => {
                (&name.node, self.attributes.contains_key(name.node.as_str()))
            }
            Define::Segment(segment) => (
                &segment.name.node,
                self.segments.contains_key(segment.name.node.as_str()),
            ),
            Define::Event(event) => (
                &event.name.node,
                self.events.contains(event.name.node.as_str()),
            ),
            Define::Derived { .. } | Define::Form(_) => {
                panic!("the model does not know {define:?}")
            }
        };
        if taken {
            return match on_conflict {
                OnConflict::Refuse => Err(FailureCode::Conflict),
                OnConflict::Keep => Ok(()),
            };
        }
        let name = name.as_str().to_owned();
        match define {
            Define::Tag(tag) => {
                let group = tag
                    .group
                    .as_ref()
                    .map(|group| group.node.as_str().to_owned());
                self.check_group(group.as_deref())?;
                self.tags.insert(name, group);
            }
            Define::Group(group) => {
                self.groups.insert(name, group.exclusivity);
            }
            Define::Attribute {
                attribute_type,
                mutability,
                ..
            } => {
                let values = match attribute_type {
                    AttributeType::Enum(Some(values)) | AttributeType::Multi(Some(values)) => {
                        values.iter().cloned().collect()
                    }
                    AttributeType::Enum(None)
                    | AttributeType::Multi(None)
                    | AttributeType::Integer
                    | AttributeType::Decimal(_)
                    | AttributeType::Date
                    | AttributeType::Timestamp
                    | AttributeType::Boolean
                    | AttributeType::Text
                    | AttributeType::User => BTreeSet::new(),
                };
                let attribute = Attribute {
                    kind: attribute_type.clone(),
                    mutability: *mutability,
                    values,
                };
                self.attributes.insert(name, attribute);
            }
            Define::Segment(segment) => return self.save_segment(&name, &segment.filter),
            Define::Event(_) => {
                self.events.insert(name);
            }
            Define::Derived { .. } | Define::Form(_) => {
                panic!("the model does not know {define:?}")
            }
        }
        Ok(())
    }

    fn check_group(&self, group: Option<&str>) -> Result<(), Refused> {
        match group {
            Some(group) if !self.groups.contains_key(group) => Err(FailureCode::UnknownName),
            Some(_) | None => Ok(()),
        }
    }

    fn save_segment(&mut self, name: &str, filter: &Expr) -> Result<(), Refused> {
        if self.reaches(filter, name) {
            return Err(FailureCode::Conflict);
        }
        self.check(filter)?;
        self.segments.insert(name.to_owned(), filter.clone());
        Ok(())
    }

    /// Whether an expression depends on a segment, however far down.
    fn reaches(&self, expr: &Expr, name: &str) -> bool {
        self.segments
            .keys()
            .map(String::as_str)
            .chain([name])
            .any(|used| {
                names(expr, DefinitionKind::Segment, used)
                    && (used == name
                        || self
                            .segments
                            .get(used)
                            .is_some_and(|inner| self.reaches(inner, name)))
            })
    }

    fn alter(&mut self, alter: &Alter) -> Result<(), Refused> {
        match alter {
            Alter::Tag(tag) => self.alter_tag(tag.name.node.as_str(), tag.group.as_ref()),
            Alter::Group(group) => self.alter_group(group.name.node.as_str(), group.exclusivity),
            Alter::Event(_) => panic!("the model does not know {alter:?}"),
            Alter::Attribute {
                name,
                add_values,
                mutability,
                ..
            } => {
                let attribute = self
                    .attributes
                    .get_mut(name.node.as_str())
                    .ok_or(FailureCode::UnknownName)?;
                let has_list = matches!(
                    attribute.kind,
                    AttributeType::Enum(_) | AttributeType::Multi(_)
                );
                if !add_values.is_empty() && !has_list {
                    return Err(FailureCode::TypeMismatch);
                }
                attribute.values.extend(add_values.iter().cloned());
                attribute.mutability = mutability.unwrap_or(attribute.mutability);
                Ok(())
            }
            Alter::Segment { name, filter, .. } => {
                let name = name.node.as_str();
                self.segments.get(name).ok_or(FailureCode::UnknownName)?;
                filter
                    .as_ref()
                    .map_or(Ok(()), |filter| self.save_segment(name, filter))
            }
        }
    }

    fn alter_tag(&mut self, name: &str, change: Option<&GroupChange>) -> Result<(), Refused> {
        let before = self.tags.get(name).ok_or(FailureCode::UnknownName)?.clone();
        let after = match change {
            None => before,
            Some(GroupChange::Out) => None,
            Some(GroupChange::Into(group)) => Some(group.node.as_str().to_owned()),
        };
        self.check_group(after.as_deref())?;
        let mut changed = self.clone();
        changed.tags.insert(name.to_owned(), after.clone());
        if let Some(group) = &after {
            changed.check_exclusive(group)?;
        }
        *self = changed;
        Ok(())
    }

    fn alter_group(&mut self, name: &str, exclusivity: Option<Exclusivity>) -> Result<(), Refused> {
        let before = *self.groups.get(name).ok_or(FailureCode::UnknownName)?;
        let mut changed = self.clone();
        changed
            .groups
            .insert(name.to_owned(), exclusivity.unwrap_or(before));
        changed.check_exclusive(name)?;
        *self = changed;
        Ok(())
    }

    /// Nobody may hold two tags of an exclusive group.
    fn check_exclusive(&self, group: &str) -> Result<(), Refused> {
        let members: BTreeSet<&str> = self.members(group).collect();
        let two = |tags: &BTreeSet<String>| {
            tags.iter()
                .filter(|tag| members.contains(tag.as_str()))
                .count()
                > 1
        };
        if self.groups[group] == Exclusivity::Exclusive
            && self.users.values().any(|user| two(&user.tags))
        {
            return Err(FailureCode::Conflict);
        }
        Ok(())
    }

    fn drop_definition(
        &mut self,
        kind: DefinitionKind,
        name: &str,
        on_conflict: OnConflict,
    ) -> Result<(), Refused> {
        let known = match kind {
            DefinitionKind::Tag => self.tags.contains_key(name),
            DefinitionKind::Group => self.groups.contains_key(name),
            DefinitionKind::Attribute => self.attributes.contains_key(name),
            DefinitionKind::Segment => self.segments.contains_key(name),
            DefinitionKind::Event => self.events.contains(name),
            DefinitionKind::Form => panic!("the model does not know {kind:?}"),
        };
        if !known {
            return match on_conflict {
                OnConflict::Refuse => Err(FailureCode::UnknownName),
                OnConflict::Keep => Ok(()),
            };
        }
        // What a saved segment names may not go, nor a group that has tags.
        let has_tags = kind == DefinitionKind::Group && self.members(name).next().is_some();
        if has_tags
            || self
                .segments
                .values()
                .any(|filter| names(filter, kind, name))
        {
            return Err(FailureCode::Conflict);
        }
        self.remove(kind, name);
        Ok(())
    }

    fn remove(&mut self, kind: DefinitionKind, name: &str) {
        match kind {
            DefinitionKind::Tag => {
                self.tags.remove(name);
                for user in self.users.values_mut() {
                    user.tags.remove(name);
                }
            }
            DefinitionKind::Group => {
                self.groups.remove(name);
            }
            DefinitionKind::Attribute => {
                self.attributes.remove(name);
                for user in self.users.values_mut() {
                    user.values.remove(name);
                }
            }
            DefinitionKind::Segment => {
                self.segments.remove(name);
            }
            DefinitionKind::Event => {
                self.events.remove(name);
                for user in self.users.values_mut() {
                    user.events.retain(|done| done.event != name);
                }
            }
            DefinitionKind::Form => panic!("the model does not know {kind:?}"),
        }
    }
}

/// Whether an expression names a definition. A glob names none: it means whatever it matches.
fn names(expr: &Expr, kind: DefinitionKind, wanted: &str) -> bool {
    match expr {
        Expr::All | Expr::Users(_) => false,
        Expr::Behaviour(behaviour) => {
            kind == DefinitionKind::Event && names_event(&behaviour.node, wanted)
        }
        Expr::Held { .. } | Expr::Lapsed { .. } | Expr::Referral(_) => {
            panic!("the model does not know {expr}")
        }
        Expr::Tag(patterns) => {
            let is_wanted = |pattern: &TagPattern| matches!(pattern, TagPattern::Name(name) if name.as_str() == wanted);
            kind == DefinitionKind::Tag && patterns.iter().any(|pattern| is_wanted(&pattern.node))
        }
        Expr::Attribute { name, .. } => {
            kind == DefinitionKind::Attribute && name.node.as_str() == wanted
        }
        Expr::Group { name, .. } => kind == DefinitionKind::Group && name_of(&name.node) == wanted,
        Expr::Segment(of) => {
            kind == DefinitionKind::Segment && of.iter().any(|name| name_of(&name.node) == wanted)
        }
        Expr::Not(inner) => names(inner, kind, wanted),
        Expr::And(parts) | Expr::Or(parts) | Expr::AtLeast { of: parts, .. } => {
            parts.iter().any(|part| names(part, kind, wanted))
        }
    }
}
