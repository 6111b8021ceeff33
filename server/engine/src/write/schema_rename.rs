//! `RENAME TAG` and `MERGE TAG`: what the definitions are afterwards.
//!
//! The old name stays as a former name of the tag, under which it is still found, and what is
//! saved says the new one from then on.

use std::borrow::Cow;

use tessera_query_lang::{
    Limits,
    ast::{DefineForm, Expr, FormEffect, GroupRule, Spanned},
    name::Name,
    parse_expr, parse_group_rule,
};

use super::{
    forms::read_form,
    merge::PlannedMerge,
    schema_change::{Planned, Planner, refuse},
    schema_names::{Kind, check_naming, find},
    schema_segments::readable_text,
    usage::Names,
};
use crate::{
    error::Error,
    schema::{FormDefinition, GroupDefinition, Schema, SegmentDefinition, TagDefinition, Timing},
    storage::{SchemaKey, StoredDefinition},
    write::{SchemaErrorKind, command::SchemaChange},
};

/// Former names that a tag may have.
const FORMER_NAMES_MAX: usize = 100;

impl Planner<'_> {
    pub(super) fn rename_tag(
        &self,
        tag: &Spanned<Name>,
        to: &Spanned<Name>,
    ) -> Result<Planned, Error> {
        let before = self.tag_to_change(tag)?;
        if before.name == to.node {
            return Ok(Planned::nothing(format!(
                "the tag \"{}\" is called so already",
                to.node
            )));
        }
        if self.schema.tag(to.node.as_str()).is_some() {
            let (kind, name) = (Kind::Tag.word(), to.node.to_string());
            return Err(refuse(SchemaErrorKind::Defined { kind, name }, to.span));
        }
        // A name that it had before is as names were.
        if !before.aliases.contains(&to.node) {
            self.check_not_former(to)?;
            check_naming(Kind::Tag, to, self.limits)?;
        }
        let mut after = TagDefinition {
            name: to.node.clone(),
            ..before.clone()
        };
        after.aliases.retain(|alias| *alias != to.node);
        add_former(&mut after, [&before.name], tag)?;
        self.check_moved_tag(&after, tag.span)?;
        let mut changes = self.rewritten(&before.name, &to.node, tag)?;
        changes.push(put_tag(&after));
        Ok(Planned {
            changes,
            ..Planned::default()
        })
    }

    pub(super) fn merge_tag(
        &self,
        tag: &Spanned<Name>,
        into: &Spanned<Name>,
    ) -> Result<Planned, Error> {
        let from = self.tag_to_change(tag)?;
        let target = self.tag_to_change(into)?;
        let merge = PlannedMerge::plan(self, from, target, tag.span)?;
        let mut changes = self.rewritten(&from.name, &target.name, tag)?;
        let mut after = target.clone();
        if from.timing == Timing::Timed {
            after.timing = Timing::Timed;
        }
        let names = from.aliases.iter().chain([&from.name]);
        add_former(&mut after, names, tag)?;
        let key = SchemaKey::Tag(from.id);
        changes.push(SchemaChange::Drop { key });
        changes.push(put_tag(&after));
        Ok(Planned {
            changes,
            merge: Some(merge),
            ..Planned::default()
        })
    }

    fn tag_to_change(&self, name: &Spanned<Name>) -> Result<&TagDefinition, Error> {
        find(self.schema, Kind::Tag, name, |schema, name| {
            schema.tag(name)
        })
    }

    /// Refuses a name under which another tag is still found.
    pub(super) fn check_not_former(&self, name: &Spanned<Name>) -> Result<(), Error> {
        match self.schema.tag_formerly(name.node.as_str()) {
            Some(tag) => Err(refuse(
                SchemaErrorKind::FormerName {
                    name: name.node.to_string(),
                    tag: tag.name.to_string(),
                },
                name.span,
            )),
            None => Ok(()),
        }
    }

    /// The definitions that name a tag, with another name in its place. No tag's rule names the tag
    /// itself.
    fn rewritten(
        &self,
        from: &Name,
        to: &Name,
        place: &Spanned<Name>,
    ) -> Result<Vec<SchemaChange>, Error> {
        let mut changes = Vec::new();
        for segment in self.schema.segments() {
            if let Some(text) = renamed(&segment.text, from, to, place)? {
                let segment = SegmentDefinition {
                    text,
                    ..segment.clone()
                };
                changes.push(SchemaChange::Put {
                    key: SchemaKey::Segment(segment.id),
                    definition: StoredDefinition::of_segment(&segment),
                });
            }
        }
        for tag in self.schema.tags_by_id().filter(|tag| tag.rule.is_some()) {
            let rule = tag.rule.as_deref().unwrap_or_default();
            if let Some(rule) = renamed(rule, from, to, place)? {
                changes.push(put_tag(&TagDefinition {
                    rule: Some(rule),
                    ..tag.clone()
                }));
            }
        }
        for group in self.schema.groups().filter(|group| group.rule.is_some()) {
            // One that cannot be read has no names to change.
            let rule = group.rule.as_deref().unwrap_or_default();
            let Ok(mut parsed) = parse_group_rule(rule, &Limits::default()) else {
                continue;
            };
            if parsed.rename_tag(from, to) == 0 {
                continue;
            }
            let rule = parsed.to_string();
            if let Err(error) = parse_group_rule(&rule, &Limits::default()) {
                let kind = SchemaErrorKind::Unreadable(Box::new(error));
                return Err(refuse(kind, place.span));
            }
            let group = GroupDefinition {
                rule: Some(rule),
                ..group.clone()
            };
            changes.push(SchemaChange::Put {
                key: SchemaKey::Group(group.id),
                definition: StoredDefinition::of_group(&group),
            });
        }
        for form in self.schema.forms() {
            // One that cannot be read has no names to change.
            let Some(text) = read_form(form)
                .ok()
                .and_then(|read| with_tag(read, from, to))
            else {
                continue;
            };
            let form = FormDefinition {
                text,
                ..form.clone()
            };
            changes.push(SchemaChange::Put {
                key: SchemaKey::Form(form.id),
                definition: StoredDefinition::of_form(&form),
            });
        }
        Ok(changes)
    }
}

/// A form's text with a tag's new name; `None` where it does not give the tag.
fn with_tag(mut form: DefineForm, from: &Name, to: &Name) -> Option<String> {
    let mut renamed = 0;
    for field in &mut form.fields {
        if let FormEffect::Tag(tags) = &mut field.sets {
            for given in tags.iter_mut().filter(|given| given.tag.node == *from) {
                given.tag.node = to.clone();
                renamed += 1;
            }
        }
    }
    (renamed > 0).then(|| format!("DEFINE FORM {form}"))
}

/// An expression with a tag's new name; `None` where the tag is not named.
fn renamed(
    text: &str,
    from: &Name,
    to: &Name,
    place: &Spanned<Name>,
) -> Result<Option<String>, Error> {
    // One that cannot be read has no names to change.
    let Ok(mut expr) = parse_expr(text, &Limits::default()) else {
        return Ok(None);
    };
    match expr.rename_tag(from, to) {
        0 => Ok(None),
        _ => readable_text(place, &expr).map(Some),
    }
}

/// An expression in which tags have the names they have now: what is saved goes on to mean what
/// it means when a former name is given up.
pub(super) fn with_present_names<'e>(schema: &Schema, expr: &'e Expr) -> Cow<'e, Expr> {
    let mut present = Cow::Borrowed(expr);
    for (former, now) in former_names(schema, &Names::of(expr)) {
        present.to_mut().rename_tag(&former, now);
    }
    present
}

/// The same of the rule of a group.
pub(super) fn with_present_names_in_layers<'r>(
    schema: &Schema,
    rule: &'r GroupRule,
) -> Cow<'r, GroupRule> {
    let mut present = Cow::Borrowed(rule);
    for (former, now) in former_names(schema, &Names::of_group_rule(rule)) {
        present.to_mut().rename_tag(&former, now);
    }
    present
}

/// The former names among some, and how their tags are called now.
fn former_names<'s>(schema: &'s Schema, names: &Names) -> Vec<(Name, &'s Name)> {
    let former = names.tags.iter().filter(|name| schema.tag(name).is_none());
    let found = former.filter_map(|name| {
        let tag = schema.tag_formerly(name)?;
        Some((Name::new(name).ok()?, &tag.name))
    });
    found.collect()
}

fn add_former<'n>(
    tag: &mut TagDefinition,
    names: impl IntoIterator<Item = &'n Name>,
    place: &Spanned<Name>,
) -> Result<(), Error> {
    tag.aliases.extend(names.into_iter().cloned());
    if tag.aliases.len() <= FORMER_NAMES_MAX {
        return Ok(());
    }
    let kind = SchemaErrorKind::FormerNames {
        tag: tag.name.to_string(),
        max: FORMER_NAMES_MAX,
    };
    Err(refuse(kind, place.span))
}

fn put_tag(tag: &TagDefinition) -> SchemaChange {
    SchemaChange::Put {
        key: SchemaKey::Tag(tag.id),
        definition: StoredDefinition::of_tag(tag),
    }
}
