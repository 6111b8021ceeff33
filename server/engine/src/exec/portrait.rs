//! `PORTRAIT`: everything known of one user, as rows `section`, `name`, `value`, `since`,
//! `until`, `source`.
//!
//! Sections in this order, each sorted by name: `user` (the key), `attribute` (with its value),
//! `tag` (those held now, with their group, or nothing, and how they are held), `segment` (every
//! saved segment in which the user is), `behaviour` (how often the user did each thing, when
//! first and when last), `event` (the last events, the latest first). The last three columns are
//! of tags, and missing where they are not known or there is no end.

mod events;

use super::dataset::Dataset;
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, Row},
    error::Error,
    schema::{Schema, TagDefinition},
    storage::{Holding, UserEvent, UserRecord},
};

/// What stands before the rows.
pub(crate) fn header() -> Header {
    let columns = ["section", "name", "value", "since", "until", "source"];
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
    at_s: i64,
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
    rows.extend(tags(schema, &record, at_s));
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

fn tags(schema: &Schema, record: &UserRecord, at_s: i64) -> Vec<Row> {
    let mut held: Vec<(&TagDefinition, Holding)> = record
        .holdings()
        .filter(|(_, holding)| holding.is_in_effect(at_s))
        .filter_map(|(tag, holding)| Some((schema.tag_by_id(tag)?, holding)))
        .collect();
    held.sort_unstable_by(|(left, _), (right, _)| left.name.cmp(&right.name));
    let tag = |(tag, holding): (&TagDefinition, Holding)| {
        let group = tag.group.and_then(|group| schema.group_by_id(group));
        let group = group.map_or(Datum::Null, |group| text(group.name.as_str()));
        let mut row = vec![text("tag"), text(tag.name.as_str()), group];
        row.extend([
            second(holding.since_s()),
            second(holding.until_s()),
            text(holding.source.word()),
        ]);
        row
    };
    held.into_iter().map(tag).collect()
}

fn second(second: Option<i64>) -> Datum {
    second.map_or(Datum::Null, |second| {
        Datum::Timestamp(second.saturating_mul(1_000_000))
    })
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn row(section: &str, name: &str, value: Datum) -> Row {
    let mut row = vec![text(section), text(name), value];
    row.extend([Datum::Null, Datum::Null, Datum::Null]);
    row
}
