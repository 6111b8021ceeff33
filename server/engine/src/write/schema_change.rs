//! From a statement about definitions to the changes it means, or the reason why not.
//!
//! Runs between commits: the view it is given is everything there is. Tags are defined here; the
//! `schema_*` modules beside it know the other kinds of definitions.

use std::sync::Arc;

use jiff::Timestamp;
use tessera_query_lang::ast::{
    self, Alter, AlterTag, Define, DefineTag, Derivation, GroupChange, OnConflict, OnRetag, Span,
};

use super::{
    lifecycle,
    merge::PlannedMerge,
    schema_names::{Kind, check_naming, check_notes, find, names_of, unless_too_many},
    sweep::users_ending_after,
};
use crate::{
    error::Error,
    exec::dataset::Dataset,
    limits::Limits,
    plan::resolve::holding::length_of,
    schema::{Notes, Schema, TagDefinition, Timing, Validity},
    storage::{SchemaKey, StoredDefinition, View},
    time::{micros_of_timestamp, second_of_micros},
    write::{SchemaError, SchemaErrorKind, SchemaStatement, command::SchemaChange},
};

/// What a statement means.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) changes: Vec<SchemaChange>,
    pub(super) warnings: Vec<String>,
    /// Who holds one tag is to hold another before the definitions change.
    pub(super) merge: Option<PlannedMerge>,
}

impl Planned {
    pub(super) fn put(key: SchemaKey, definition: StoredDefinition) -> Self {
        Self {
            changes: vec![SchemaChange::Put { key, definition }],
            ..Self::default()
        }
    }

    pub(super) fn drop(key: SchemaKey) -> Self {
        Self {
            changes: vec![SchemaChange::Drop { key }],
            ..Self::default()
        }
    }

    pub(super) fn nothing(warning: String) -> Self {
        Self {
            warnings: vec![warning],
            ..Self::default()
        }
    }
}

/// Finds out what a statement means.
pub(super) fn plan(
    view: &Arc<View>,
    limits: &Limits,
    now: Timestamp,
    statement: &SchemaStatement,
) -> Result<Planned, Error> {
    let planner = Planner {
        view,
        schema: view.schema(),
        limits,
        now,
    };
    match statement {
        SchemaStatement::Define(define, on_conflict) => planner.define(define, *on_conflict),
        SchemaStatement::Alter(alter) => planner.alter(alter),
        SchemaStatement::Drop(kind, name, on_conflict) => planner.drop(*kind, name, *on_conflict),
        SchemaStatement::SaveSegment(saved) => planner.save_segment(saved),
        SchemaStatement::RenameTag { tag, to } => planner.rename_tag(tag, to),
        SchemaStatement::MergeTag { tag, into } => planner.merge_tag(tag, into),
    }
}

/// An error at a place.
pub(super) fn refuse(kind: SchemaErrorKind, span: Span) -> Error {
    SchemaError {
        kind,
        span: Some(span),
    }
    .into()
}

/// What a statement is looked at against.
pub(super) struct Planner<'a> {
    pub(super) view: &'a Arc<View>,
    pub(super) schema: &'a Arc<Schema>,
    pub(super) limits: &'a Limits,
    pub(super) now: Timestamp,
}

impl Planner<'_> {
    /// The second of the statement.
    pub(super) fn now_s(&self) -> i64 {
        second_of_micros(micros_of_timestamp(self.now))
    }

    fn define(&self, define: &Define, on_conflict: OnConflict) -> Result<Planned, Error> {
        let name = define.name();
        let kind = match define {
            Define::Tag(_) => Kind::Tag,
            Define::Group(_) => Kind::Group,
            Define::Attribute { .. } | Define::Derived { .. } => Kind::Attribute,
            Define::Segment(_) => Kind::Segment,
            Define::Event(_) => Kind::Event,
            Define::Form(_) => Kind::Form,
        };
        if names_of(self.schema, kind).any(|known| *known == name.node) {
            return match on_conflict {
                OnConflict::Keep => Ok(Planned::nothing(format!(
                    "the {kind} \"{}\" exists already",
                    name.node
                ))),
                OnConflict::Refuse => {
                    let name_text = name.node.to_string();
                    Err(refuse(
                        SchemaErrorKind::Defined {
                            kind: kind.word(),
                            name: name_text,
                        },
                        name.span,
                    ))
                }
            };
        }
        if kind == Kind::Tag
            && let Some(tag) = self.schema.tag_formerly(name.node.as_str())
            && on_conflict == OnConflict::Keep
        {
            let (former, now) = (&name.node, &tag.name);
            let warning = format!("the tag \"{former}\" is called \"{now}\" now");
            return Ok(Planned::nothing(warning));
        }
        if kind == Kind::Tag {
            self.check_not_former(name)?;
        }
        check_naming(kind, name, self.limits)?;
        unless_too_many(self.schema, kind, self.limits)?;
        match define {
            Define::Tag(tag) => self.define_tag(tag),
            Define::Group(group) => self.define_group(group),
            Define::Attribute {
                name,
                attribute_type,
                mutability,
                notes,
            } => self.define_attribute(name, attribute_type, *mutability, notes),
            Define::Event(event) => self.define_event(event),
            Define::Derived {
                name,
                derivation: Derivation::YearsSince(base),
                notes,
            } => self.define_years(name, base, notes),
            Define::Form(form) => self.define_form(form),
            Define::Segment(saved) => {
                self.put_segment(self.schema.next_segment_id(), saved, &saved.notes)
            }
        }
    }

    fn define_tag(&self, define: &DefineTag) -> Result<Planned, Error> {
        let notes = check_notes(&Notes::default(), &define.notes)?;
        let group = define
            .group
            .as_ref()
            .map(|group| self.group_with_room(group))
            .transpose()?
            .map(|group| group.id);
        let mut tag = TagDefinition {
            group,
            notes,
            on_retag: define.on_retag,
            lifecycle: define.lifecycle,
            ..TagDefinition::new(self.schema.next_tag_id(), define.name.node.clone())
        };
        set_validity(&mut tag, define.validity);
        if let Some(rule) = &define.rule {
            self.set_rule(&mut tag, rule, define.name.span)?;
            self.check_rule_group(&tag, define.name.span)?;
        }
        Ok(Planned::put(
            SchemaKey::Tag(tag.id),
            StoredDefinition::of_tag(&tag),
        ))
    }

    fn alter(&self, alter: &Alter) -> Result<Planned, Error> {
        match alter {
            Alter::Tag(tag) => self.alter_tag(tag),
            Alter::Group(group) => self.alter_group(group),
            Alter::Event(event) => self.alter_event(event),
            Alter::Attribute {
                name,
                add_values,
                mutability,
                notes,
            } => self.alter_attribute(name, add_values, *mutability, notes),
            Alter::Segment {
                name,
                notes,
                filter,
            } => self.alter_segment(name, notes, filter.as_ref()),
        }
    }

    fn alter_tag(&self, alter: &AlterTag) -> Result<Planned, Error> {
        let mut tag = find(self.schema, Kind::Tag, &alter.name, |schema, name| {
            schema.tag(name)
        })?
        .clone();
        tag.notes = check_notes(&tag.notes, &alter.notes)?;
        tag.on_retag = alter.on_retag.unwrap_or(tag.on_retag);
        if let Some(lifecycle) = alter.lifecycle {
            tag.lifecycle = lifecycle::moved(&tag, lifecycle, alter.name.span)?;
        }
        if let Some(validity) = alter.validity {
            if validity == ast::Validity::Static {
                self.check_endless(&tag, alter.name.span)?;
            }
            set_validity(&mut tag, validity);
        }
        if alter.on_retag.is_some() && matches!(tag.validity, Validity::Static) {
            let tag = tag.name.to_string();
            return Err(refuse(
                SchemaErrorKind::StaticRetag { tag },
                alter.name.span,
            ));
        }
        match &alter.group {
            Some(GroupChange::Into(group_name)) => {
                let group = match tag.group {
                    Some(group) if self.group(group_name)?.id == group => self.group(group_name)?,
                    Some(_) | None => self.group_with_room(group_name)?,
                };
                self.check_joins(&tag, group, group_name.span)?;
                tag.group = Some(group.id);
            }
            Some(GroupChange::Out) => tag.group = None,
            None => {}
        }
        self.change_rule(&mut tag, alter)?;
        Ok(Planned::put(
            SchemaKey::Tag(tag.id),
            StoredDefinition::of_tag(&tag),
        ))
    }

    /// Refuses a tag to be static while somebody holds it, or is to hold it, to an end.
    fn check_endless(&self, tag: &TagDefinition, span: Span) -> Result<(), Error> {
        if tag.timing == Timing::Standing {
            return Ok(());
        }
        match users_ending_after(self.view, tag.id, self.now_s())? {
            0 => Ok(()),
            users => Err(refuse(
                SchemaErrorKind::HoldingsEnd {
                    tag: tag.name.to_string(),
                    users,
                },
                span,
            )),
        }
    }
}

/// A tag that was dynamic keeps what ended, so its row alone does not tell who holds it.
fn set_validity(tag: &mut TagDefinition, validity: ast::Validity) {
    match validity {
        ast::Validity::Static => {
            tag.validity = Validity::Static;
            tag.on_retag = OnRetag::default();
        }
        ast::Validity::Dynamic(length) => {
            tag.validity = Validity::Dynamic(length_of(length.node));
            tag.timing = Timing::Timed;
        }
    }
}
