//! Writes: mutations and the statements that make them, all or none of a request.

use std::collections::BTreeSet;

use tessera_protocol::message::{Datum, FailureCode, Mutation, UnknownTags};
use tessera_query_lang::ast::{
    Assignment, AttributeType, Exclusivity, Mutability, NameRef, Spanned, Statement, Target, Value,
};

use super::{
    Attribute, Model, Refused, User,
    expr::name_of,
    value::{Held, date_of, day_of, days, moment, power, text_of},
};

/// What a write changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Users that came, went or are different.
    pub users: u64,
    /// Tags and values that are held now and were not, or the other way round, and new events.
    pub facts: u64,
}

impl Model {
    /// Applies a request: all of it or nothing.
    ///
    /// # Errors
    /// One of the mutations is refused; names and types are looked at before what users have.
    pub fn write(
        &mut self,
        mutations: &[Mutation],
        unknown_tags: UnknownTags,
    ) -> Result<Changes, Refused> {
        let mut permissive = self.clone();
        permissive
            .attributes
            .values_mut()
            .for_each(|attribute| attribute.mutability = Mutability::Mutable);
        for mutation in mutations {
            permissive.apply(mutation, unknown_tags)?;
        }
        let mut after = self.clone();
        for mutation in mutations {
            after.apply(mutation, unknown_tags)?;
        }
        let changes = self.changes(&after);
        *self = after;
        Ok(changes)
    }

    fn changes(&self, after: &Self) -> Changes {
        let keys: BTreeSet<&String> = self.users.keys().chain(after.users.keys()).collect();
        let nobody = User::default();
        let mut changes = Changes::default();
        for key in keys {
            let (before, after) = (self.users.get(key), after.users.get(key));
            changes.users += u64::from(before != after);
            changes.facts += facts(before.unwrap_or(&nobody), after.unwrap_or(&nobody));
        }
        changes
    }

    fn apply(&mut self, mutation: &Mutation, unknown_tags: UnknownTags) -> Result<(), Refused> {
        match mutation {
            Mutation::Ensure { user } => {
                self.user_mut(user);
                Ok(())
            }
            // The model knows who holds a tag, not how.
            Mutation::Tag { user, tags } | Mutation::Hold { user, tags, .. } => tags
                .iter()
                .try_for_each(|tag| self.tag(user, tag, unknown_tags)),
            Mutation::Track(track) => self.track(track),
            Mutation::Untag { user, tags } => tags
                .iter()
                .try_for_each(|tag| self.untag(user, tag, unknown_tags)),
            Mutation::Set { user, values } => {
                self.user_mut(user);
                values
                    .iter()
                    .try_for_each(|(name, value)| self.set(user, name, value))
            }
            Mutation::Add {
                user,
                attribute,
                values,
            } => {
                self.user_mut(user);
                self.change_multi(user, attribute, values, MultiChange::Add)
            }
            Mutation::Remove {
                user,
                attribute,
                values,
            } => self.change_multi(user, attribute, values, MultiChange::Remove),
            Mutation::DeleteUser { user } => {
                self.delete(user);
                Ok(())
            }
        }
    }

    /// A user; a new one where there is none.
    pub(super) fn user_mut(&mut self, key: &str) -> &mut User {
        let created = &mut self.users_created;
        self.users.entry(key.to_owned()).or_insert_with(|| {
            *created += 1;
            User {
                created: *created,
                ..User::default()
            }
        })
    }

    fn tag(&mut self, user: &str, tag: &str, unknown_tags: UnknownTags) -> Result<(), Refused> {
        if !self.tags.contains_key(tag) {
            match unknown_tags {
                UnknownTags::Refuse => return Err(FailureCode::UnknownName),
                UnknownTags::Define => self.tags.insert(tag.to_owned(), None),
            };
        }
        let siblings: Vec<String> = match &self.tags[tag] {
            Some(group) if self.groups[group] == Exclusivity::Exclusive => {
                self.members(group).map(str::to_owned).collect()
            }
            Some(_) | None => Vec::new(),
        };
        let user = self.user_mut(user);
        user.tags.retain(|held| !siblings.contains(held));
        user.tags.insert(tag.to_owned());
        Ok(())
    }

    fn untag(&mut self, user: &str, tag: &str, unknown_tags: UnknownTags) -> Result<(), Refused> {
        if !self.tags.contains_key(tag) && unknown_tags == UnknownTags::Refuse {
            return Err(FailureCode::UnknownName);
        }
        if let Some(user) = self.users.get_mut(user) {
            user.tags.remove(tag);
        }
        Ok(())
    }

    fn set(&mut self, user: &str, name: &str, value: &Datum) -> Result<(), Refused> {
        let attribute = self
            .attributes
            .get_mut(name)
            .ok_or(FailureCode::UnknownName)?;
        let wanted = held(attribute, value)?;
        let mutability = attribute.mutability;
        let values = &mut self.user_mut(user).values;
        let before = values.get(name);
        if mutability == Mutability::WriteOnce && before.is_some() && before != wanted.as_ref() {
            return Err(FailureCode::Conflict);
        }
        match wanted {
            Some(wanted) => values.insert(name.to_owned(), wanted),
            None => values.remove(name),
        };
        Ok(())
    }

    /// Adds or removes values of a multi, one by one.
    fn change_multi(
        &mut self,
        user: &str,
        name: &str,
        values: &[Datum],
        change: MultiChange,
    ) -> Result<(), Refused> {
        let attribute = self
            .attributes
            .get_mut(name)
            .ok_or(FailureCode::UnknownName)?;
        if !matches!(attribute.kind, AttributeType::Multi(_)) {
            return Err(FailureCode::TypeMismatch);
        }
        let named = values
            .iter()
            .map(|value| change.label(attribute, value))
            .collect::<Result<Vec<_>, _>>()?;
        let once = attribute.mutability == Mutability::WriteOnce;
        let Some(user) = self.users.get_mut(user) else {
            return Ok(());
        };
        let before = match user.values.get(name) {
            Some(Held::Texts(texts)) => texts.clone(),
            Some(Held::Boolean(_) | Held::Number(_) | Held::Text(_)) | None => BTreeSet::new(),
        };
        let mut after = before.clone();
        for value in named {
            match change {
                MultiChange::Add => after.insert(value),
                MultiChange::Remove => after.remove(&value),
            };
        }
        if once && !before.is_empty() && before != after {
            return Err(FailureCode::Conflict);
        }
        if after.is_empty() {
            user.values.remove(name);
        } else {
            user.values.insert(name.to_owned(), Held::Texts(after));
        }
        Ok(())
    }

    /// Takes a user out, and every reference to it. References to a key that is no user stay.
    fn delete(&mut self, key: &str) {
        if self.users.remove(key).is_none() {
            return;
        }
        let references: Vec<&String> = self
            .attributes
            .iter()
            .filter(|(_, attribute)| attribute.kind == AttributeType::User)
            .map(|(name, _)| name)
            .collect();
        for user in self.users.values_mut() {
            user.values.retain(|name, held| {
                !(references.contains(&name) && matches!(held, Held::Text(to) if to == key))
            });
        }
    }

    /// Runs a statement that writes users' data.
    ///
    /// # Errors
    /// It is refused; nothing has changed then.
    ///
    /// # Panics
    /// When the statement is another.
    pub fn write_statement(&mut self, statement: &Statement) -> Result<Changes, Refused> {
        let mutations = self.mutations_of(statement)?;
        self.write(&mutations, UnknownTags::Refuse)
    }

    fn mutations_of(&self, statement: &Statement) -> Result<Vec<Mutation>, Refused> {
        match statement {
            Statement::Tag { target, tags, .. } => {
                let tags = self.known_tags(tags)?;
                self.for_each_target(target, |user| {
                    vec![Mutation::Tag {
                        user,
                        tags: tags.clone(),
                    }]
                })
            }
            Statement::Untag { target, tags } => {
                let tags = self.known_tags(tags)?;
                self.for_each_target(target, |user| {
                    vec![Mutation::Untag {
                        user,
                        tags: tags.clone(),
                    }]
                })
            }
            Statement::Set {
                target,
                assignments,
            } => {
                let changes = assignments
                    .iter()
                    .map(|(name, assignment)| {
                        Ok((
                            name.node.as_str().to_owned(),
                            self.assigned(name.node.as_str(), assignment)?,
                        ))
                    })
                    .collect::<Result<Vec<_>, Refused>>()?;
                self.for_each_target(target, |user| {
                    changes
                        .iter()
                        .map(|(name, change)| change.mutation(&user, name))
                        .collect()
                })
            }
            Statement::DeleteUser(keys) => keys
                .iter()
                .map(|key| {
                    Ok(Mutation::DeleteUser {
                        user: text_of(&key.node, self.now)?,
                    })
                })
                .collect(),
            other => panic!("writes no user: {other:?}"),
        }
    }

    /// The names, when they are all defined: also when there is nobody to tag.
    fn known_tags(&self, tags: &[Spanned<NameRef>]) -> Result<Vec<String>, Refused> {
        let known = |tag: &Spanned<NameRef>| {
            let name = name_of(&tag.node);
            self.tags
                .contains_key(name)
                .then(|| name.to_owned())
                .ok_or(FailureCode::UnknownName)
        };
        tags.iter().map(known).collect()
    }

    fn for_each_target(
        &self,
        target: &Target,
        mutations: impl Fn(String) -> Vec<Mutation>,
    ) -> Result<Vec<Mutation>, Refused> {
        let keys: Vec<String> = match target {
            Target::Keys(keys) => keys
                .iter()
                .map(|key| text_of(&key.node, self.now))
                .collect::<Result<_, _>>()?,
            Target::Where(expr) => self.matching(expr)?.into_iter().collect(),
        };
        Ok(keys.into_iter().flat_map(mutations).collect())
    }

    fn assigned(&self, name: &str, assignment: &Assignment) -> Result<Change, Refused> {
        let attribute = self.attribute(name)?;
        let data = |values: &[Spanned<Value>]| {
            values
                .iter()
                .map(|value| self.datum(attribute, &value.node))
                .collect::<Result<Vec<_>, _>>()
        };
        match assignment {
            Assignment::Clear => Ok(Change::To(Datum::Null)),
            Assignment::Add(values) => Ok(Change::Add(data(values)?)),
            Assignment::Remove(values) => Ok(Change::Remove(data(values)?)),
            Assignment::To(values) if matches!(attribute.kind, AttributeType::Multi(_)) => {
                let texts = values.iter().map(|value| text_of(&value.node, self.now));
                Ok(Change::To(Datum::List(texts.collect::<Result<_, _>>()?)))
            }
            Assignment::To(values) => match values.as_slice() {
                [value] => Ok(Change::To(self.datum(attribute, &value.node)?)),
                _ => Err(FailureCode::TypeMismatch),
            },
        }
    }

    /// A literal as it would come over the wire.
    fn datum(&self, attribute: &Attribute, literal: &Value) -> Result<Datum, Refused> {
        Ok(match literal {
            Value::Text(text) => Datum::Text(text.clone()),
            Value::Integer(number) => Datum::Integer(*number),
            Value::Decimal(number) => Datum::Decimal {
                units: i128::from(number.units),
                scale: number.scale,
            },
            Value::Boolean(truth) => Datum::Boolean(*truth),
            Value::Date(date) => Datum::Date(days(*date)),
            Value::Timestamp(time) => Datum::Timestamp(time.as_microsecond()),
            Value::Relative(relative) => {
                let there = moment(*relative, self.now);
                match attribute.kind {
                    AttributeType::Date => Datum::Date(day_of(there.as_microsecond())),
                    AttributeType::Timestamp => Datum::Timestamp(there.as_microsecond()),
                    AttributeType::Enum(_)
                    | AttributeType::Multi(_)
                    | AttributeType::Integer
                    | AttributeType::Decimal(_)
                    | AttributeType::Boolean
                    | AttributeType::Text
                    | AttributeType::User => return Err(FailureCode::TypeMismatch),
                }
            }
            Value::Parameter(_) => panic!("the model has no parameters"),
        })
    }
}

/// How many tags and values one of two states of a user has and the other has not, and how many
/// events came. Who is deleted and comes back is somebody else.
fn facts(before: &User, after: &User) -> u64 {
    let nobody = User {
        created: after.created,
        ..User::default()
    };
    if before.created != after.created && *before != User::default() {
        return facts(
            before,
            &User {
                created: before.created,
                ..User::default()
            },
        ) + facts(&nobody, after);
    }
    let tags = before.tags.symmetric_difference(&after.tags).count();
    let names: BTreeSet<&String> = before.values.keys().chain(after.values.keys()).collect();
    let values =
        names.iter().map(
            |name| match (before.values.get(*name), after.values.get(*name)) {
                (Some(Held::Texts(before)), Some(Held::Texts(after))) => {
                    before.symmetric_difference(after).count()
                }
                (Some(Held::Texts(texts)), None) | (None, Some(Held::Texts(texts))) => texts.len(),
                (before, after) => usize::from(before != after),
            },
        );
    let events = after.events.len().saturating_sub(before.events.len());
    (tags + values.sum::<usize>() + events) as u64
}

/// What happens to the values of a multi.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MultiChange {
    Add,
    Remove,
}

impl MultiChange {
    /// A value to add must be allowed; an open list need not know one that is taken away.
    fn label(self, attribute: &mut Attribute, value: &Datum) -> Result<String, Refused> {
        match self {
            Self::Remove if !attribute.is_closed() => text_of_datum(value),
            Self::Add | Self::Remove => label(attribute, value),
        }
    }
}

/// One assignment, ready for any user.
enum Change {
    To(Datum),
    Add(Vec<Datum>),
    Remove(Vec<Datum>),
}

impl Change {
    fn mutation(&self, user: &str, name: &str) -> Mutation {
        let (user, attribute) = (user.to_owned(), name.to_owned());
        match self {
            Self::To(value) => Mutation::Set {
                user,
                values: vec![(attribute, value.clone())],
            },
            Self::Add(values) => Mutation::Add {
                user,
                attribute,
                values: values.clone(),
            },
            Self::Remove(values) => Mutation::Remove {
                user,
                attribute,
                values: values.clone(),
            },
        }
    }
}

/// What an attribute will hold for a value; nothing for one that clears it.
fn held(attribute: &mut Attribute, value: &Datum) -> Result<Option<Held>, Refused> {
    let kind = attribute.kind.clone();
    Ok(Some(match (&kind, value) {
        (_, Datum::Null) => return Ok(None),
        (AttributeType::Multi(_), Datum::List(texts)) if texts.is_empty() => return Ok(None),
        (AttributeType::Multi(_), Datum::List(texts)) => {
            let named = texts
                .iter()
                .map(|text| label(attribute, &Datum::Text(text.clone())));
            Held::Texts(named.collect::<Result<_, _>>()?)
        }
        (AttributeType::Multi(_), _) => Held::Texts(BTreeSet::from([label(attribute, value)?])),
        (AttributeType::Enum(_), _) => Held::Text(label(attribute, value)?),
        (AttributeType::Text | AttributeType::User, _) => Held::Text(text_of_datum(value)?),
        (AttributeType::Boolean, Datum::Boolean(truth)) => Held::Boolean(*truth),
        (AttributeType::Integer, Datum::Integer(number)) => Held::Number(*number),
        (AttributeType::Decimal(scale), Datum::Integer(number)) => {
            Held::Number(scaled(i128::from(*number), 0, *scale)?)
        }
        (AttributeType::Decimal(scale), Datum::Decimal { units, scale: from }) => {
            Held::Number(scaled(*units, *from, *scale)?)
        }
        (AttributeType::Date, Datum::Date(days)) => Held::Number(i64::from(*days)),
        (AttributeType::Timestamp, Datum::Timestamp(micros)) => Held::Number(*micros),
        _ => return Err(FailureCode::TypeMismatch),
    }))
}

/// A value of an enum or a multi; an open list learns it.
fn label(attribute: &mut Attribute, value: &Datum) -> Result<String, Refused> {
    let text = text_of_datum(value)?;
    if !attribute.values.contains(&text) {
        if attribute.is_closed() {
            return Err(FailureCode::UnknownName);
        }
        attribute.values.insert(text.clone());
    }
    Ok(text)
}

/// The text of a value that is sent for a text.
fn text_of_datum(value: &Datum) -> Result<String, Refused> {
    match value {
        Datum::Text(text) => Ok(text.clone()),
        Datum::Integer(number) => Ok(number.to_string()),
        Datum::Boolean(truth) => Ok(truth.to_string()),
        Datum::Date(days) => Ok(date_of(i64::from(*days)).to_string()),
        // A moment has many texts: there is none to choose.
        Datum::Timestamp(_)
        | Datum::Null
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::List(_) => Err(FailureCode::TypeMismatch),
    }
}

/// Units of another scale, when nothing is lost.
fn scaled(units: i128, from: u8, to: u8) -> Result<i64, Refused> {
    let exact = if from <= to {
        units
            .checked_mul(power(to - from))
            .ok_or(FailureCode::TypeMismatch)?
    } else {
        let divisor = power(from - to);
        if units % divisor != 0 {
            return Err(FailureCode::TypeMismatch);
        }
        units / divisor
    };
    i64::try_from(exact).map_err(|_| FailureCode::TypeMismatch)
}
