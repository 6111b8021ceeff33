//! Who: the users of an expression, one user after the other.

use std::collections::BTreeSet;

use tessera_protocol::message::FailureCode;
use tessera_query_lang::ast::{
    AttributeTest, AttributeType, Comparison, Expr, NameRef, Presence, Spanned, TagPattern, Value,
};

use super::{
    Attribute, Model, Refused, User,
    value::{Held, held_number, ordered, text_of, truth},
};

impl Model {
    /// The keys of the users of an expression.
    ///
    /// # Errors
    /// A name is not defined or a value does not fit, whether there are users or not.
    pub fn matching(&self, expr: &Expr) -> Result<BTreeSet<String>, Refused> {
        self.check(expr)?;
        let mut keys = BTreeSet::new();
        for (key, user) in &self.users {
            if self.holds(expr, key, user)? {
                keys.insert(key.clone());
            }
        }
        Ok(keys)
    }

    /// Whether an expression makes sense, by asking it of a user of whom nothing is known, leaf
    /// by leaf: no leaf may hide behind another's answer.
    ///
    /// # Errors
    /// A name is not defined or a value does not fit.
    pub fn check(&self, expr: &Expr) -> Result<(), Refused> {
        match expr {
            Expr::Not(inner) => self.check(inner),
            Expr::And(parts) | Expr::Or(parts) => {
                parts.iter().try_for_each(|part| self.check(part))
            }
            Expr::AtLeast { of, .. } => of.iter().try_for_each(|part| self.check(part)),
            Expr::Segment(names) => names
                .iter()
                .try_for_each(|name| self.check(self.segment(&name.node)?)),
            Expr::Held { .. } | Expr::Lapsed { .. } | Expr::Referral(_) => {
                panic!("the model does not know {expr}")
            }
            Expr::All
            | Expr::Tag(_)
            | Expr::Behaviour(_)
            | Expr::Attribute { .. }
            | Expr::Group { .. }
            | Expr::Users(_) => self.holds(expr, "", &User::default()).map(drop),
        }
    }

    fn holds(&self, expr: &Expr, key: &str, user: &User) -> Result<bool, Refused> {
        match expr {
            Expr::All => Ok(true),
            Expr::Tag(patterns) => {
                let tags = self.tags_of(patterns)?;
                Ok(tags.iter().any(|tag| user.tags.contains(*tag)))
            }
            Expr::Behaviour(behaviour) => self.behaves(&behaviour.node, user),
            Expr::Held { .. } | Expr::Lapsed { .. } | Expr::Referral(_) => {
                panic!("the model does not know {expr}")
            }
            Expr::Attribute { name, test } => {
                let attribute = self.attribute(name.node.as_str())?;
                self.passes(attribute, user.values.get(name.node.as_str()), test)
            }
            Expr::Group { name, is } => {
                let group = name_of(&name.node);
                self.groups.get(group).ok_or(FailureCode::UnknownName)?;
                let any = self.members(group).any(|tag| user.tags.contains(tag));
                Ok(any == (*is == Presence::Present))
            }
            Expr::Segment(names) => any_of(names, |name| {
                self.holds(self.segment(&name.node)?, key, user)
            }),
            Expr::Users(keys) => {
                any_of_all(keys, |listed| Ok(text_of(&listed.node, self.now)? == key))
            }
            Expr::AtLeast { threshold, of } => {
                let mut count = 0;
                for part in of {
                    count += u32::from(self.holds(part, key, user)?);
                }
                Ok(count >= threshold.node)
            }
            Expr::Not(inner) => Ok(!self.holds(inner, key, user)?),
            Expr::And(parts) => Ok(!any_of(parts, |part| Ok(!self.holds(part, key, user)?))?),
            Expr::Or(parts) => any_of(parts, |part| self.holds(part, key, user)),
        }
    }

    /// The tags that patterns name.
    ///
    /// # Errors
    /// A name is not defined, or nothing matches a glob.
    pub fn tags_of<'a>(
        &'a self,
        patterns: &[Spanned<TagPattern>],
    ) -> Result<BTreeSet<&'a str>, Refused> {
        let mut tags = BTreeSet::new();
        for pattern in patterns {
            let before = tags.len();
            let matched = self
                .tags
                .keys()
                .map(String::as_str)
                .filter(|tag| match &pattern.node {
                    TagPattern::Name(name) => name.as_str() == *tag,
                    TagPattern::Glob(glob) => glob_matches(glob.as_str(), tag),
                    TagPattern::Parameter(_) => panic!("the model has no parameters"),
                });
            let matched: Vec<&str> = matched.collect();
            if matched.is_empty() {
                return Err(FailureCode::UnknownName);
            }
            tags.extend(matched);
            debug_assert!(tags.len() >= before);
        }
        Ok(tags)
    }

    fn segment(&self, name: &NameRef) -> Result<&Expr, Refused> {
        self.segments
            .get(name_of(name))
            .ok_or(FailureCode::UnknownName)
    }

    fn passes(
        &self,
        attribute: &Attribute,
        held: Option<&Held>,
        test: &AttributeTest,
    ) -> Result<bool, Refused> {
        match test {
            AttributeTest::Is(presence) => Ok(held.is_some() == (*presence == Presence::Present)),
            AttributeTest::Anniversary { .. } => panic!("the model does not know {test}"),
            AttributeTest::AnyOf(values) => {
                any_of_all(values, |value| self.equals(attribute, held, &value.node))
            }
            AttributeTest::Compare(Comparison::Equal, value) => {
                self.equals(attribute, held, &value.node)
            }
            AttributeTest::Compare(Comparison::NotEqual, value) => {
                let equals = self.equals(attribute, held, &value.node)?;
                Ok(held.is_some() && !equals)
            }
            AttributeTest::Compare(comparison, value) => {
                let (first, last) = ordered(&attribute.kind, &value.node, self.now)?;
                Ok(
                    number(attribute, held).is_some_and(|number| match comparison {
                        Comparison::Less => number < first,
                        Comparison::LessOrEqual => number <= last,
                        Comparison::Greater => number > last,
                        Comparison::GreaterOrEqual => number >= first,
                        Comparison::Equal | Comparison::NotEqual => panic!("handled above"),
                    }),
                )
            }
            AttributeTest::Between { low, high } => {
                let bound = |end: &Option<Spanned<Value>>| {
                    end.as_ref()
                        .map(|value| ordered(&attribute.kind, &value.node, self.now))
                        .transpose()
                };
                let (low, high) = (bound(low)?, bound(high)?);
                Ok(number(attribute, held).is_some_and(|number| {
                    low.is_none_or(|(first, _)| first <= number)
                        && high.is_none_or(|(_, last)| number <= last)
                }))
            }
        }
    }

    /// Whether a value is (or, for a multi, has among it) what a literal says.
    fn equals(
        &self,
        attribute: &Attribute,
        held: Option<&Held>,
        literal: &Value,
    ) -> Result<bool, Refused> {
        match &attribute.kind {
            AttributeType::Integer
            | AttributeType::Decimal(_)
            | AttributeType::Date
            | AttributeType::Timestamp => {
                let (first, last) = ordered(&attribute.kind, literal, self.now)?;
                Ok(number(attribute, held).is_some_and(|number| first <= number && number <= last))
            }
            AttributeType::Boolean => Ok(held == Some(&Held::Boolean(truth(literal)?))),
            AttributeType::Enum(_) | AttributeType::Multi(_) => {
                let wanted = text_of(literal, self.now)?;
                if !attribute.values.contains(&wanted) {
                    return Err(FailureCode::UnknownName);
                }
                Ok(holds_text(held, &wanted))
            }
            AttributeType::Text | AttributeType::User => {
                Ok(holds_text(held, &text_of(literal, self.now)?))
            }
        }
    }
}

/// The name itself.
///
/// # Panics
/// When it is a parameter: the model has none.
pub fn name_of(name: &NameRef) -> &str {
    match name {
        NameRef::Name(name) => name.as_str(),
        NameRef::Parameter(_) => panic!("the model has no parameters"),
    }
}

fn holds_text(held: Option<&Held>, wanted: &str) -> bool {
    match held {
        Some(Held::Text(text)) => text == wanted,
        Some(Held::Texts(texts)) => texts.contains(wanted),
        Some(Held::Boolean(_) | Held::Number(_)) | None => false,
    }
}

fn number(attribute: &Attribute, held: Option<&Held>) -> Option<i128> {
    match held {
        Some(Held::Number(number)) => Some(held_number(&attribute.kind, *number)),
        Some(Held::Boolean(_) | Held::Text(_) | Held::Texts(_)) | None => None,
    }
}

fn any_of<T>(items: &[T], test: impl Fn(&T) -> Result<bool, Refused>) -> Result<bool, Refused> {
    for item in items {
        if test(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// As [`any_of`], but looks at every item, so that none is left unchecked.
fn any_of_all<T>(items: &[T], test: impl Fn(&T) -> Result<bool, Refused>) -> Result<bool, Refused> {
    let mut any = false;
    for item in items {
        any |= test(item)?;
    }
    Ok(any)
}

/// Whether a name matches a pattern in which `*` stands for any run of characters: the textbook's
/// recursion, not the language's own matcher.
fn glob_matches(glob: &str, name: &str) -> bool {
    let mut glob_rest = glob.chars();
    let mut name_rest = name.chars();
    match (glob_rest.next(), name_rest.next()) {
        (None, next) => next.is_none(),
        (Some('*'), next) => {
            glob_matches(glob_rest.as_str(), name)
                || (next.is_some() && glob_matches(glob, name_rest.as_str()))
        }
        (Some(wanted), next) => {
            next == Some(wanted) && glob_matches(glob_rest.as_str(), name_rest.as_str())
        }
    }
}
