//! From a statement about definitions to the changes it means, or the reason why not.
//!
//! Runs between commits: the view it is given is everything there is.

use std::sync::Arc;

use jiff::Timestamp;
use tessera_query_lang::{
    ast::{
        Alter, AttributeType, Define, DefinitionKind, Expr, GroupChange, OnConflict, SavedSegment,
        Span, Spanned,
    },
    name::Name,
};

use super::{
    coerce, exclusive,
    schema_names::{Kind, check_notes, find, in_use, names_of, segment_users, unless_too_many},
};
use crate::{
    datum::Datum,
    error::Error,
    exec::dataset::Dataset,
    ids::{AttributeId, GroupId, SegmentId, ValueCode},
    limits::Limits,
    plan::{Resolver, resolve::ResolveLimits},
    schema::{
        AttributeDefinition, AttributeKind, Exclusivity, GroupDefinition, Mutability, Notes,
        Schema, SegmentDefinition, TagDefinition, Vocabulary,
    },
    storage::{SchemaKey, StoredDefinition, View},
    write::{
        LimitError, SchemaError, SchemaErrorKind, SchemaStatement,
        command::SchemaChange,
        usage::{Names, cycle},
    },
};

/// What a statement means.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) changes: Vec<SchemaChange>,
    pub(super) warnings: Vec<String>,
}

impl Planned {
    fn put(key: SchemaKey, definition: StoredDefinition) -> Self {
        Self {
            changes: vec![SchemaChange::Put { key, definition }],
            warnings: Vec::new(),
        }
    }

    fn drop(key: SchemaKey) -> Self {
        Self {
            changes: vec![SchemaChange::Drop { key }],
            warnings: Vec::new(),
        }
    }

    fn nothing(warning: String) -> Self {
        Self {
            changes: Vec::new(),
            warnings: vec![warning],
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

struct Planner<'a> {
    view: &'a Arc<View>,
    schema: &'a Arc<Schema>,
    limits: &'a Limits,
    now: Timestamp,
}

impl Planner<'_> {
    fn define(&self, define: &Define, on_conflict: OnConflict) -> Result<Planned, Error> {
        let (kind, name) = match define {
            Define::Tag { name, .. } => (Kind::Tag, name),
            Define::Group { name, .. } => (Kind::Group, name),
            Define::Attribute { name, .. } => (Kind::Attribute, name),
            Define::Segment(saved) => (Kind::Segment, &saved.name),
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
        unless_too_many(self.schema, kind, self.limits)?;
        match define {
            Define::Tag { name, group, notes } => self.define_tag(name, group.as_ref(), notes),
            Define::Group {
                name,
                exclusivity,
                notes,
            } => self.define_group(name, *exclusivity, notes),
            Define::Attribute {
                name,
                attribute_type,
                mutability,
                notes,
            } => self.define_attribute(name, attribute_type, *mutability, notes),
            Define::Segment(saved) => {
                self.put_segment(self.schema.next_segment_id(), saved, &saved.notes)
            }
        }
    }

    fn define_tag(
        &self,
        name: &Spanned<Name>,
        group: Option<&Spanned<Name>>,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let notes = check_notes(&Notes::default(), notes)?;
        let group = group
            .map(|group| self.group(group))
            .transpose()?
            .map(|group| group.id);
        let tag = TagDefinition {
            id: self.schema.next_tag_id(),
            name: name.node.clone(),
            group,
            notes,
        };
        Ok(Planned::put(
            SchemaKey::Tag(tag.id),
            StoredDefinition::of_tag(&tag),
        ))
    }

    fn define_group(
        &self,
        name: &Spanned<Name>,
        exclusivity: Exclusivity,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let notes = check_notes(&Notes::default(), notes)?;
        let id = self.schema.next_group_id();
        let group = GroupDefinition {
            id,
            name: name.node.clone(),
            exclusivity,
            notes,
        };
        Ok(Planned::put(
            SchemaKey::Group(id),
            StoredDefinition::of_group(&group),
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
        let (kind, values) = kind_of(attribute_type, name.span)?;
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

    /// The values of a closed list.
    fn vocabulary(&self, name: &Spanned<Name>, values: &[String]) -> Result<Vec<String>, Error> {
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

    fn group(&self, name: &Spanned<Name>) -> Result<&GroupDefinition, Error> {
        find(self.schema, Kind::Group, name, |schema, name| {
            schema.group(name)
        })
    }

    fn alter(&self, alter: &Alter) -> Result<Planned, Error> {
        match alter {
            Alter::Tag { name, group, notes } => self.alter_tag(name, group.as_ref(), notes),
            Alter::Group {
                name,
                exclusivity,
                notes,
            } => self.alter_group(name, *exclusivity, notes),
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

    fn alter_tag(
        &self,
        name: &Spanned<Name>,
        change: Option<&GroupChange>,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let mut tag = find(self.schema, Kind::Tag, name, |schema, name| {
            schema.tag(name)
        })?
        .clone();
        tag.notes = check_notes(&tag.notes, notes)?;
        match change {
            Some(GroupChange::Into(group_name)) => {
                let group = self.group(group_name)?;
                if group.exclusivity == Exclusivity::Exclusive && tag.group != Some(group.id) {
                    self.check_exclusive(group, Some(&tag), group_name.span)?;
                }
                tag.group = Some(group.id);
            }
            Some(GroupChange::Out) => tag.group = None,
            None => {}
        }
        Ok(Planned::put(
            SchemaKey::Tag(tag.id),
            StoredDefinition::of_tag(&tag),
        ))
    }

    fn alter_group(
        &self,
        name: &Spanned<Name>,
        exclusivity: Option<Exclusivity>,
        notes: &Notes,
    ) -> Result<Planned, Error> {
        let mut group = self.group(name)?.clone();
        group.notes = check_notes(&group.notes, notes)?;
        if let Some(exclusivity) = exclusivity {
            if exclusivity == Exclusivity::Exclusive && group.exclusivity == Exclusivity::Shared {
                self.check_exclusive(&group, None, name.span)?;
            }
            group.exclusivity = exclusivity;
        }
        Ok(Planned::put(
            SchemaKey::Group(group.id),
            StoredDefinition::of_group(&group),
        ))
    }

    /// Refuses a group to be exclusive while somebody holds two of its tags, or one of them and
    /// the tag that joins.
    fn check_exclusive(
        &self,
        group: &GroupDefinition,
        joins: Option<&TagDefinition>,
        span: Span,
    ) -> Result<(), Error> {
        let members = self.schema.tags_of_group(group.id).map(|tag| tag.id);
        let tags: Vec<_> = members.chain(joins.map(|tag| tag.id)).collect();
        let Some(double) = exclusive::find_double(self.view, &tags)? else {
            return Ok(());
        };
        let name = |tag| {
            self.schema
                .tag_by_id(tag)
                .map(|tag| tag.name.to_string())
                .unwrap_or_default()
        };
        let (first, second) = (name(double.first), name(double.second));
        let kind = SchemaErrorKind::HoldsTwo {
            group: group.name.to_string(),
            user: double.user,
            first,
            second,
        };
        Err(refuse(kind, span))
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
        attribute.mutability = mutability.unwrap_or(attribute.mutability);
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

    fn alter_segment(
        &self,
        name: &Spanned<Name>,
        notes: &Notes,
        filter: Option<&Expr>,
    ) -> Result<Planned, Error> {
        let segment = find(self.schema, Kind::Segment, name, |schema, name| {
            schema.segment(name)
        })?;
        if let Some(filter) = filter {
            let notes_before = &segment.notes;
            return self.put_filter(segment.id, name, notes_before, notes, filter);
        }
        let mut segment = segment.clone();
        segment.notes = check_notes(&segment.notes, notes)?;
        Ok(Planned::put(
            SchemaKey::Segment(segment.id),
            StoredDefinition::of_segment(&segment),
        ))
    }

    fn save_segment(&self, saved: &SavedSegment) -> Result<Planned, Error> {
        let Some(segment) = self.schema.segment(saved.name.node.as_str()) else {
            unless_too_many(self.schema, Kind::Segment, self.limits)?;
            return self.put_segment(self.schema.next_segment_id(), saved, &Notes::default());
        };
        self.put_segment(segment.id, saved, &segment.notes)
    }

    fn put_segment(
        &self,
        id: SegmentId,
        saved: &SavedSegment,
        notes_before: &Notes,
    ) -> Result<Planned, Error> {
        self.put_filter(id, &saved.name, notes_before, &saved.notes, &saved.filter)
    }

    fn put_filter(
        &self,
        id: SegmentId,
        name: &Spanned<Name>,
        notes_before: &Notes,
        notes: &Notes,
        filter: &Expr,
    ) -> Result<Planned, Error> {
        let notes = check_notes(notes_before, notes)?;
        self.check_filter(id, name, filter)?;
        let segment = SegmentDefinition {
            id,
            name: name.node.clone(),
            text: filter.to_string(),
            notes,
        };
        Ok(Planned::put(
            SchemaKey::Segment(id),
            StoredDefinition::of_segment(&segment),
        ))
    }

    /// An expression to be saved must mean something by itself.
    fn check_filter(
        &self,
        id: SegmentId,
        name: &Spanned<Name>,
        filter: &Expr,
    ) -> Result<(), Error> {
        let names = Names::of(filter);
        if names.parameters > 0 {
            return Err(refuse(SchemaErrorKind::Parameters, name.span));
        }
        if let Some(cycle) = cycle(self.schema, name.node.as_str(), &names) {
            return Err(refuse(SchemaErrorKind::Cycle(cycle), name.span));
        }
        let meaningless = |error| refuse(SchemaErrorKind::Meaningless(Box::new(error)), name.span);
        let parameters: &[(String, Datum)] = &[];
        let resolver = Resolver::new(self.schema, parameters, self.now, ResolveLimits::default())
            .map_err(meaningless)?;
        resolver
            .defining(id)
            .expr(filter)
            .map(|_| ())
            .map_err(meaningless)
    }

    fn drop(
        &self,
        kind: DefinitionKind,
        name: &Spanned<Name>,
        on_conflict: OnConflict,
    ) -> Result<Planned, Error> {
        let kind = Kind::from(kind);
        let key = match kind {
            Kind::Tag => self
                .schema
                .tag(name.node.as_str())
                .map(|tag| SchemaKey::Tag(tag.id)),
            Kind::Group => self
                .schema
                .group(name.node.as_str())
                .map(|group| SchemaKey::Group(group.id)),
            Kind::Attribute => self
                .schema
                .attribute(name.node.as_str())
                .map(|attribute| SchemaKey::Attribute(attribute.id)),
            Kind::Segment => self
                .schema
                .segment(name.node.as_str())
                .map(|segment| SchemaKey::Segment(segment.id)),
        };
        let Some(key) = key else {
            return match on_conflict {
                OnConflict::Keep => Ok(Planned::nothing(format!(
                    "there is no {kind} named \"{}\"",
                    name.node
                ))),
                OnConflict::Refuse => Err(super::schema_names::unknown(self.schema, kind, name)),
            };
        };
        if let SchemaKey::Group(group) = key {
            self.check_without_tags(group, name)?;
        }
        match segment_users(self.schema, kind, name.node.as_str()) {
            Some(users) => Err(in_use(kind, name, users)),
            None => Ok(Planned::drop(key)),
        }
    }

    fn check_without_tags(&self, group: GroupId, name: &Spanned<Name>) -> Result<(), Error> {
        let tags: Vec<String> = self
            .schema
            .tags_of_group(group)
            .map(|tag| format!("tag:{}", tag.name))
            .collect();
        match super::usage::list(&tags) {
            Some(users) => Err(in_use(Kind::Group, name, users)),
            None => Ok(()),
        }
    }
}

/// An attribute's type, and its values when the list is closed.
fn kind_of(
    attribute_type: &AttributeType,
    span: Span,
) -> Result<(AttributeKind, Option<&[String]>), Error> {
    const SCALE_MAX: u8 = 18;
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
        AttributeType::Decimal(scale) if *scale > SCALE_MAX => {
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

fn put_values(
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
