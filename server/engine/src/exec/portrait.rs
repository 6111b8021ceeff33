//! `PORTRAIT`: everything known of one user, as rows `section`, `name`, `value`.
//!
//! Sections in this order, each sorted by name: `user` (the key), `attribute` (with its value),
//! `tag` (with its group, or nothing), `segment` (every saved segment in which the user is),
//! `behaviour` (how often the user did each thing, when first and when last), `event` (the last
//! events, the latest first).

mod events;

use super::{dataset::Dataset, segment::tag_names};
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, Row},
    error::Error,
    schema::Schema,
    storage::{UserEvent, UserRecord},
};

/// What stands before the rows.
pub(crate) fn header() -> Header {
    let columns = ["section", "name", "value"];
    let column = |name: &str| Column {
        name: name.to_owned(),
        role: ColumnRole::Value,
    };
    Header {
        kind: ResultKind::Portrait,
        columns: columns.into_iter().map(column).collect(),
    }
}

/// The rows about a user; `None` when there is no such user. `segments_of` tells the names of the
/// saved segments in which a user is.
///
/// # Errors
/// When the store fails, and those of `segments_of`.
pub(crate) fn rows(
    dataset: &dyn Dataset,
    key: &str,
    segments_of: impl FnOnce(&UserRecord, &[UserEvent]) -> Result<Vec<String>, Error>,
) -> Result<Option<Vec<Row>>, Error> {
    let Some(location) = dataset.locate(key)? else {
        return Ok(None);
    };
    let Some(record) = dataset.record(location)? else {
        return Ok(None);
    };
    let schema: &Schema = dataset.schema();
    let mut rows = vec![row("user", "key", Datum::Text(key.to_owned()))];
    rows.extend(attributes(schema, &record));
    rows.extend(tag_names(schema, &record).into_iter().map(|name| {
        let group = schema
            .tag(&name)
            .and_then(|tag| tag.group)
            .and_then(|group| schema.group_by_id(group));
        let group = group.map_or(Datum::Null, |group| {
            Datum::Text(group.name.as_str().to_owned())
        });
        row("tag", &name, group)
    }));
    let events = dataset.user_events(location)?;
    let segments = segments_of(&record, &events)?;
    rows.extend(
        segments
            .iter()
            .map(|name| row("segment", name, Datum::Null)),
    );
    rows.extend(events::rows(schema, events));
    Ok(Some(rows))
}

fn attributes<'a>(schema: &'a Schema, record: &'a UserRecord) -> impl Iterator<Item = Row> + 'a {
    schema.attributes().filter_map(|attribute| {
        let value = schema.datum(attribute, record.value(attribute.id)?);
        Some(row("attribute", attribute.name.as_str(), value))
    })
}

fn row(section: &str, name: &str, value: Datum) -> Row {
    vec![
        Datum::Text(section.to_owned()),
        Datum::Text(name.to_owned()),
        value,
    ]
}
