//! From a statement about definitions to the changes it means, or the reason why not.
//!
//! Runs between commits: the view it is given is everything there is.

use std::sync::Arc;

use jiff::Timestamp;
use tessera_query_lang::{
    ast::{
        self, Alter, AlterTag, AttributeType, Define, DefineTag, Derivation, GroupChange,
        INVITED_BY, OnConflict, OnRetag, Span, Spanned,
    },
    name::Name,
};

use super::{
    coerce, lifecycle,
    merge::PlannedMerge,
    schema_names::{Kind, check_naming, check_notes, find, names_of, unless_too_many},
    sweep::users_ending_after,
};
use crate::{
    datum::Datum,
    error::Error,
    exec::dataset::Dataset,
    ids::{AttributeId, ValueCode},
    limits::Limits,
    plan::resolve::holding::length_of,
    schema::{
        AttributeDefinition, AttributeKind, DECIMAL_SCALE_MAX, Mutability, Notes, Schema,
        TagDefinition, Timing, Validity, Vocabulary,
    },
    storage::{SchemaKey, StoredDefinition, View},
    time::{micros_of_timestamp, second_of_micros},
    write::{LimitError, SchemaError, SchemaErrorKind, SchemaStatement, command::SchemaChange},
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

    fn define_attribute(
        &self,
        name: &Spanned<Name>,
        attribute_type: &AttributeType,
        mutability: Mutability,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let notes = check_notes(&Notes::default(), notes)?;
        let id = self.schema.next_attribute_id();
        let (mut kind, values) = kind_of(attribute_type, name.span)?;
        let mut mutability = mutability;
        if kind == AttributeKind::User && name.node.as_str() == INVITED_BY {
            (kind, mutability) = (AttributeKind::Inviter, Mutability::WriteOnce);
        }
        let values = values
            .map(|values| self.vocabulary(name, values))
            .transpose()?
            .unwrap_or_default();
        let attribute = AttributeDefinition {
            id,
            name: name.node.clone(),
            kind,
            mutability,
            notes,
        };
        let mut planned = Planned::put(
            SchemaKey::Attribute(id),
            StoredDefinition::of_attribute(&attribute),
        );
        planned.changes.extend(put_values(id, 0, values));
        Ok(planned)
    }

    /// `AS YEARS SINCE birthday`
    fn define_years(
        &self,
        name: &Spanned<Name>,
        base: &Spanned<Name>,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let of = find(self.schema, Kind::Attribute, base, |schema, name| {
            schema.attribute(name)
        })?;
        if !matches!(of.kind, AttributeKind::Date | AttributeKind::Timestamp) {
            let kind = SchemaErrorKind::NoDay {
                name: of.name.to_string(),
                attribute_kind: of.kind.to_string(),
            };
            return Err(refuse(kind, base.span));
        }
        let attribute = AttributeDefinition {
            id: self.schema.next_attribute_id(),
            name: name.node.clone(),
            kind: AttributeKind::YearsSince(of.id),
            mutability: Mutability::Mutable,
            notes: check_notes(&Notes::default(), notes)?,
        };
        Ok(Planned::put(
            SchemaKey::Attribute(attribute.id),
            StoredDefinition::of_attribute(&attribute),
        ))
    }

    /// The values of a closed list.
    pub(super) fn vocabulary(
        &self,
        name: &Spanned<Name>,
        values: &[String],
    ) -> Result<Vec<String>, Error> {
        if values.is_empty() {
            return Err(refuse(SchemaErrorKind::EmptyVocabulary, name.span));
        }
        self.check_value_count(name, values.len())?;
        let mut texts: Vec<String> = Vec::with_capacity(values.len());
        for value in values {
            let text = listed_value(value, name.span)?;
            if texts.contains(&text) {
                return Err(refuse(SchemaErrorKind::RepeatedValue(text), name.span));
            }
            texts.push(text);
        }
        Ok(texts)
    }

    fn check_value_count(&self, name: &Spanned<Name>, count: usize) -> Result<(), LimitError> {
        let max = self.limits.attribute_values_max;
        if count <= max as usize {
            return Ok(());
        }
        Err(LimitError::AttributeValues {
            attribute: name.node.to_string(),
            max,
        })
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

    fn alter_attribute(
        &self,
        name: &Spanned<Name>,
        add_values: &[String],
        mutability: Option<Mutability>,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let mut attribute = find(self.schema, Kind::Attribute, name, |schema, name| {
            schema.attribute(name)
        })?
        .clone();
        attribute.notes = check_notes(&attribute.notes, notes)?;
        if let Some(mutability) = mutability {
            check_mutability(&attribute, mutability, name.span)?;
            attribute.mutability = mutability;
        }
        let values = self.new_values(&attribute, name, add_values)?;
        let code = self.schema.value_count(attribute.id);
        let key = SchemaKey::Attribute(attribute.id);
        let mut planned = Planned::put(key, StoredDefinition::of_attribute(&attribute));
        planned
            .changes
            .extend(put_values(attribute.id, code, values));
        Ok(planned)
    }

    /// Those of the values that the attribute does not have.
    fn new_values(
        &self,
        attribute: &AttributeDefinition,
        name: &Spanned<Name>,
        values: &[String],
    ) -> Result<Vec<String>, Error> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        if !matches!(
            attribute.kind,
            AttributeKind::Enum(_) | AttributeKind::Multi(_)
        ) {
            let attribute_kind = attribute.kind.to_string();
            return Err(refuse(
                SchemaErrorKind::NoVocabulary {
                    name: name.node.to_string(),
                    attribute_kind,
                },
                name.span,
            ));
        }
        let mut texts = self.vocabulary(name, values)?;
        texts.retain(|text| self.schema.value_code(attribute.id, text).is_none());
        self.check_value_count(
            name,
            self.schema.value_count(attribute.id) as usize + texts.len(),
        )?;
        Ok(texts)
    }
}

/// Refuses to let go of what is settled for an attribute.
fn check_mutability(
    attribute: &AttributeDefinition,
    mutability: Mutability,
    span: Span,
) -> Result<(), Error> {
    let reason = match (attribute.kind, mutability) {
        (AttributeKind::YearsSince(_), _) => "it is derived and never written",
        (AttributeKind::Inviter, Mutability::Mutable) => {
            "who invited a user is said once, so that nobody comes to be above themselves"
        }
        (AttributeKind::Inviter, Mutability::WriteOnce)
        | (
            AttributeKind::Enum(_)
            | AttributeKind::Multi(_)
            | AttributeKind::Integer
            | AttributeKind::Decimal { .. }
            | AttributeKind::Date
            | AttributeKind::Timestamp
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::User,
            Mutability::Mutable | Mutability::WriteOnce,
        ) => return Ok(()),
    };
    let name = attribute.name.to_string();
    Err(refuse(SchemaErrorKind::Settled { name, reason }, span))
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

/// An attribute's type, and its values when the list is closed.
pub(super) fn kind_of(
    attribute_type: &AttributeType,
    span: Span,
) -> Result<(AttributeKind, Option<&[String]>), Error> {
    let vocabulary = |values: &Option<Vec<String>>| match values {
        Some(_) => Vocabulary::Closed,
        None => Vocabulary::Open,
    };
    Ok(match attribute_type {
        AttributeType::Enum(values) => (AttributeKind::Enum(vocabulary(values)), values.as_deref()),
        AttributeType::Multi(values) => {
            (AttributeKind::Multi(vocabulary(values)), values.as_deref())
        }
        AttributeType::Integer => (AttributeKind::Integer, None),
        AttributeType::Decimal(scale) if *scale > DECIMAL_SCALE_MAX => {
            return Err(refuse(SchemaErrorKind::Scale(*scale), span));
        }
        AttributeType::Decimal(scale) => (AttributeKind::Decimal { scale: *scale }, None),
        AttributeType::Date => (AttributeKind::Date, None),
        AttributeType::Timestamp => (AttributeKind::Timestamp, None),
        AttributeType::Boolean => (AttributeKind::Boolean, None),
        AttributeType::Text => (AttributeKind::Text, None),
        AttributeType::User => (AttributeKind::User, None),
    })
}

fn listed_value(value: &str, span: Span) -> Result<String, Error> {
    coerce::vocabulary_text(&Datum::Text(value.to_owned())).map_err(|reason| {
        refuse(
            SchemaErrorKind::InvalidValue {
                value: coerce::excerpt(value),
                reason,
            },
            span,
        )
    })
}

pub(super) fn put_values(
    attribute: AttributeId,
    first: u32,
    values: Vec<String>,
) -> impl Iterator<Item = SchemaChange> {
    (first..)
        .zip(values)
        .map(move |(code, text)| SchemaChange::Put {
            key: SchemaKey::Value(attribute, ValueCode(code)),
            definition: StoredDefinition::Value(text),
        })
}
