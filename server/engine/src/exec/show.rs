//! `SHOW`: definitions and values, with the number of users of each.

use std::sync::Arc;

use tessera_query_lang::{
    ast::{Exclusivity, Mutability, Notes, ShowList, Spanned},
    keywords::Place,
    name::{Glob, Name},
    print::NameIn,
};

use super::{
    rows::RowWriter,
    scan::{Context, units},
    tag_size,
};
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, ResultSink, Row},
    error::Error,
    ids::RowId,
    plan::ResolveError,
    schema::{
        AttributeClass, AttributeDefinition, AttributeKind, Lifecycle, OnRetag, Schema,
        TagDefinition, Validity, Vocabulary,
    },
    write::read_form,
};

/// Answers `SHOW` statements about one state.
pub(crate) struct Show<'a> {
    context: Context<'a>,
    schema: &'a Schema,
    now: jiff::Timestamp,
}

impl<'a> Show<'a> {
    /// About a state at a moment.
    pub(crate) fn new(context: Context<'a>, now: jiff::Timestamp) -> Self {
        Self {
            context,
            schema: context.dataset.schema(),
            now,
        }
    }

    /// `name`, `group`, `users`, `lifecycle`, `description`, `owner`, and of dynamic tags `validity`
    /// and `on_retag`, of those with one of their own the `rule`; without the archived ones, unless
    /// one is named.
    ///
    /// # Errors
    /// When the store fails, the budget is used up, or the receiver stops.
    pub(crate) fn tags(&self, list: &ShowList, sink: &mut dyn ResultSink) -> Result<u64, Error> {
        let header = header(&[
            "name",
            "group",
            "users",
            "lifecycle",
            "description",
            "owner",
            "validity",
            "on_retag",
            "rule",
        ]);
        let tags = self.schema.tags().filter(|tag| is_listed(tag, list));
        let tags = chosen(tags, list, |tag| tag.name.as_str());
        write(sink, header, tags, |tag| {
            let group = tag.group.and_then(|group| self.schema.group_by_id(group));
            let group = group.map_or(Datum::Null, |group| text(group.name.as_str()));
            let users = self.holders(tag)?;
            let lifecycle = text(tag.lifecycle.word());
            let row = vec![text(tag.name.as_str()), group, users, lifecycle];
            let mut row = noted(row, &tag.notes);
            row.extend(how_held(tag));
            Ok(row)
        })
    }

    /// What there is to say about archived tags that are not listed.
    pub(crate) fn unlisted(&self, list: &ShowList) -> Option<String> {
        let hidden = self.schema.tags().filter(|tag| !is_listed(tag, list));
        let names: Vec<&str> = chosen(
            hidden,
            &ShowList {
                limit: None,
                ..list.clone()
            },
            |tag| tag.name.as_str(),
        )
        .map(|tag| tag.name.as_str())
        .collect();
        let shown = names.get(..names.len().min(UNLISTED_NAMED_MAX))?.join(", ");
        match names.len() {
            0 => None,
            1..=UNLISTED_NAMED_MAX => Some(format!("archived and not listed: {shown}")),
            count => Some(format!(
                "{count} tags are archived and not listed: {shown}, …"
            )),
        }
    }

    /// `name`, `exclusive`, `tags`, `parent`, `description`, `owner`, `rule`. The tags are those of
    /// the groups beneath, too.
    ///
    /// # Errors
    /// When the receiver stops.
    pub(crate) fn groups(&self, list: &ShowList, sink: &mut dyn ResultSink) -> Result<u64, Error> {
        let header = header(&[
            "name",
            "exclusive",
            "tags",
            "parent",
            "description",
            "owner",
            "rule",
        ]);
        let groups = chosen(self.schema.groups(), list, |group| group.name.as_str());
        write(sink, header, groups, |group| {
            let exclusive = Datum::Boolean(group.exclusivity == Exclusivity::Exclusive);
            let tags = number(self.schema.tags_beneath(group.id).count() as u64);
            let parent = group
                .parent
                .and_then(|parent| self.schema.group_by_id(parent));
            let parent = parent.map_or(Datum::Null, |parent| text(parent.name.as_str()));
            let row = vec![text(group.name.as_str()), exclusive, tags, parent];
            let mut row = noted(row, &group.notes);
            row.push(group.rule.as_deref().map_or(Datum::Null, text));
            Ok(row)
        })
    }

    /// `name`, `type`, `write_once`, `users`, `values`, `description`, `owner`.
    ///
    /// # Errors
    /// When the store fails, the budget is used up, or the receiver stops.
    pub(crate) fn attributes(
        &self,
        list: &ShowList,
        sink: &mut dyn ResultSink,
    ) -> Result<u64, Error> {
        let header = header(&[
            "name",
            "type",
            "write_once",
            "users",
            "values",
            "description",
            "owner",
        ]);
        let attributes = chosen(self.schema.attributes(), list, |attribute| {
            attribute.name.as_str()
        });
        write(sink, header, attributes, |attribute| {
            let write_once = Datum::Boolean(attribute.mutability == Mutability::WriteOnce);
            let users = self.users(RowId::Present(attribute.id))?;
            let values = match attribute.kind.class() {
                AttributeClass::Coded | AttributeClass::MultiCoded => {
                    number(u64::from(self.schema.value_count(attribute.id)))
                }
                AttributeClass::Numeric | AttributeClass::Textual => Datum::Null,
            };
            let row = vec![
                text(attribute.name.as_str()),
                text(&type_text(self.schema, attribute)),
                write_once,
                users,
                values,
            ];
            Ok(noted(row, &attribute.notes))
        })
    }

    /// `value`, `users`, by value.
    ///
    /// # Errors
    /// When the attribute has no list of values, the store fails, the budget is used up, or the
    /// receiver stops.
    pub(crate) fn values(
        &self,
        attribute: &AttributeDefinition,
        name: &Spanned<Name>,
        list: &ShowList,
        sink: &mut dyn ResultSink,
    ) -> Result<u64, Error> {
        match attribute.kind.class() {
            AttributeClass::Coded | AttributeClass::MultiCoded => {}
            AttributeClass::Numeric | AttributeClass::Textual => {
                let message = format!(
                    "{} is {}: it has no list of values",
                    attribute.name, attribute.kind
                );
                return Err(ResolveError::TypeMismatch {
                    message,
                    span: name.span,
                }
                .into());
            }
        }
        let mut values: Vec<_> = self.schema.values(attribute.id).collect();
        values.sort_unstable_by_key(|(_, text)| *text);
        let values = chosen(values.into_iter(), list, |(_, text)| text);
        write(
            sink,
            header(&["value", "users"]),
            values,
            |(code, value)| {
                Ok(vec![
                    text(value),
                    self.users(RowId::Value(attribute.id, code))?,
                ])
            },
        )
    }

    /// `name`, `expression`, `description`, `owner`.
    ///
    /// # Errors
    /// When the receiver stops.
    pub(crate) fn segments(
        &self,
        list: &ShowList,
        sink: &mut dyn ResultSink,
    ) -> Result<u64, Error> {
        let segments = chosen(self.schema.segments(), list, |segment| {
            segment.name.as_str()
        });
        write(
            sink,
            header(&["name", "expression", "description", "owner"]),
            segments,
            |segment| {
                Ok(noted(
                    vec![text(segment.name.as_str()), text(&segment.text)],
                    &segment.notes,
                ))
            },
        )
    }

    /// `name`, `properties`, `users`, `retention_days`, `description`, `owner`.
    ///
    /// # Errors
    /// When the store fails, the budget is used up, or the receiver stops.
    pub(crate) fn events(&self, list: &ShowList, sink: &mut dyn ResultSink) -> Result<u64, Error> {
        let names = [
            "name",
            "properties",
            "users",
            "retention_days",
            "description",
            "owner",
        ];
        let events = chosen(self.schema.events(), list, |event| event.name.as_str());
        write(sink, header(&names), events, |event| {
            let property = |property: &Arc<AttributeDefinition>| {
                format!("{} {}", property.name, type_text(self.schema, property))
            };
            let properties: Vec<String> = event.properties.iter().map(property).collect();
            let days = event.retention_days;
            let row = vec![
                text(event.name.as_str()),
                Datum::List(properties),
                self.users(RowId::Did(event.id))?,
                days.map_or(Datum::Null, |days| number(days.into())),
            ];
            Ok(noted(row, &event.notes))
        })
    }

    /// `name`, `fields`, `description`, `owner`.
    ///
    /// # Errors
    /// When a definition cannot be read, or the receiver stops.
    pub(crate) fn forms(&self, list: &ShowList, sink: &mut dyn ResultSink) -> Result<u64, Error> {
        let forms = chosen(self.schema.forms(), list, |form| form.name.as_str());
        let names = ["name", "fields", "description", "owner"];
        write(sink, header(&names), forms, |form| {
            let fields = read_form(form)?
                .fields
                .iter()
                .map(ToString::to_string)
                .collect();
            let row = vec![text(form.name.as_str()), Datum::List(fields)];
            Ok(noted(row, &form.notes))
        })
    }

    /// How many users hold a tag; missing where its rule means nothing any more, or too much.
    fn holders(&self, tag: &TagDefinition) -> Result<Datum, Error> {
        match tag_size::users_of(self.context, tag, self.now) {
            Ok(users) => Ok(number(users)),
            Err(Error::Resolve(_) | Error::QueryLimit(_)) => Ok(Datum::Null),
            Err(error) => Err(error),
        }
    }

    /// A row's size, from the stored cardinalities.
    fn users(&self, row: RowId) -> Result<Datum, Error> {
        self.context.budget.check()?;
        let mut users = 0;
        for unit in units(self.context.dataset)? {
            users += self
                .context
                .dataset
                .fragment(unit.partition, unit.shard, row)?
                .cardinality();
        }
        Ok(number(users))
    }
}

/// Archived tags that are named where they are not listed.
const UNLISTED_NAMED_MAX: usize = 10;

/// Archived tags are listed only where they are named.
fn is_listed(tag: &TagDefinition, list: &ShowList) -> bool {
    let is_named = |glob: &Glob| glob.as_str() == tag.name.as_str();
    tag.lifecycle != Lifecycle::Archived || list.like.as_ref().is_some_and(is_named)
}

/// `name`, `value`.
///
/// # Errors
/// When the receiver stops.
pub(crate) fn status(facts: Vec<(String, Datum)>, sink: &mut dyn ResultSink) -> Result<u64, Error> {
    write(
        sink,
        header(&["name", "value"]),
        facts.into_iter(),
        |(name, value)| Ok(vec![text(&name), value]),
    )
}

fn header(names: &[&str]) -> Header {
    let role = |name: &str| match name {
        "users" | "tags" | "values" => ColumnRole::Measure,
        _ => ColumnRole::Value,
    };
    let columns = names
        .iter()
        .map(|name| Column {
            name: (*name).to_owned(),
            role: role(name),
        })
        .collect();
    Header {
        kind: ResultKind::Definitions,
        columns,
    }
}

/// Those whose name matches, as many as are wanted.
fn chosen<T>(
    all: impl Iterator<Item = T>,
    list: &ShowList,
    name: impl Fn(&T) -> &str,
) -> impl Iterator<Item = T> {
    let max = list.limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    all.filter(move |item| {
        list.like
            .as_ref()
            .is_none_or(|glob| glob.matches(name(item)))
    })
    .take(max)
}

fn write<T>(
    sink: &mut dyn ResultSink,
    header: Header,
    items: impl Iterator<Item = T>,
    row: impl Fn(T) -> Result<Row, Error>,
) -> Result<u64, Error> {
    sink.header(header).map_err(|_| Error::Stopped)?;
    let mut writer = RowWriter::new(sink);
    for item in items {
        writer.write(vec![row(item)?])?;
    }
    writer.finish()
}

/// The validity of a tag, what tagging again does, and its own rule.
fn how_held(tag: &TagDefinition) -> [Datum; 3] {
    let rule = tag.rule.as_deref().map_or(Datum::Null, text);
    let Validity::Dynamic(length) = tag.validity else {
        return [Datum::Null, Datum::Null, rule];
    };
    let on_retag = match tag.on_retag {
        OnRetag::Replace => "replace",
        OnRetag::Extend => "extend",
        OnRetag::Later => "later",
    };
    [text(&length.to_string()), text(on_retag), rule]
}

fn noted(mut row: Row, notes: &Notes) -> Row {
    let note = |note: &Option<String>| note.as_deref().map_or(Datum::Null, text);
    row.extend([note(&notes.description), note(&notes.owner)]);
    row
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn number(number: u64) -> Datum {
    Datum::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `enum`, `enum, closed`, `decimal(2)`, `years since birthday`, …
fn type_text(schema: &Schema, attribute: &AttributeDefinition) -> String {
    match attribute.kind {
        AttributeKind::Enum(Vocabulary::Closed) | AttributeKind::Multi(Vocabulary::Closed) => {
            format!("{}, closed", attribute.kind)
        }
        AttributeKind::Enum(Vocabulary::Open)
        | AttributeKind::Multi(Vocabulary::Open)
        | AttributeKind::Integer
        | AttributeKind::Decimal { .. }
        | AttributeKind::Date
        | AttributeKind::Timestamp
        | AttributeKind::Boolean
        | AttributeKind::Text
        | AttributeKind::User
        | AttributeKind::Inviter => attribute.kind.to_string(),
        AttributeKind::YearsSince(base) => {
            let base = schema.attribute_by_id(base);
            let base = base.map_or("", |base| base.name.as_str());
            format!("years since {}", NameIn(Place::Plain, base))
        }
    }
}
