//! `PORTRAIT`: everything known of one user, as rows `section`, `name`, `value`, `since`,
//! `until`, `source`.
//!
//! Sections in this order, each sorted by name: `user` (the key), `attribute` (with its value),
//! `tag` (those held now, with their group, or nothing, and how they are held), `rule` (why a tag
//! is held by its rule), `segment` (every saved segment in which the user is), `behaviour` (how
//! often the user did each thing, ever and lately, when first and when last), `event` (the last events, the latest first). The last three columns are
//! of tags, and missing where they are not known or there is no end.

mod events;

use super::{dataset::Dataset, why::Subject};
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, Row},
    error::Error,
    ids::TagId,
    schema::{Schema, TagDefinition},
    storage::{Holding, Source, UserRecord},
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

/// A tag that a rule gives, and why.
pub(crate) struct ByRule {
    /// The tag.
    pub(crate) tag: TagId,
    /// The rule, and what is so of the user.
    pub(crate) reason: String,
}

/// Who tells what has to be evaluated for one user: nothing else of a portrait is.
pub(crate) trait Evaluates {
    /// The tags that rules give to the user.
    ///
    /// # Errors
    /// When a rule means too much, or the budget is used up.
    fn by_rule(&mut self, subject: Subject<'_>) -> Result<Vec<ByRule>, Error>;

    /// The names of the saved segments in which the user is, in order.
    ///
    /// # Errors
    /// When the budget is used up.
    fn segments(&mut self, subject: Subject<'_>) -> Result<Vec<String>, Error>;
}

/// The rows about a user; `None` when there is no such user.
///
/// # Errors
/// When the store fails, and those of `evaluation`.
pub(crate) fn rows(
    dataset: &dyn Dataset,
    key: &str,
    at_s: i64,
    evaluation: &mut dyn Evaluates,
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
    let events = dataset.user_events(location)?;
    let subject = Subject {
        dataset,
        key,
        record: &record,
        events: &events,
        at_s,
    };
    let by_rule = evaluation.by_rule(subject)?;
    rows.extend(tags(
        schema,
        &record,
        at_s,
        by_rule.iter().map(|rule| rule.tag),
    ));
    for rule in by_rule {
        if let Some(tag) = schema.tag_by_id(rule.tag) {
            rows.push(row("rule", tag.name.as_str(), Datum::Text(rule.reason)));
        }
    }
    let segments = evaluation.segments(subject)?;
    rows.extend(
        segments
            .iter()
            .map(|name| row("segment", name, Datum::Null)),
    );
    rows.extend(events::rows(schema, events, at_s));
    Ok(Some(rows))
}

fn attributes<'a>(schema: &'a Schema, record: &'a UserRecord) -> impl Iterator<Item = Row> + 'a {
    schema.attributes().filter_map(|attribute| {
        let value = schema.datum(attribute, record.value(attribute.id)?);
        Some(row("attribute", attribute.name.as_str(), value))
    })
}

/// The tags that a user was given, and those that rules give.
fn tags(
    schema: &Schema,
    record: &UserRecord,
    at_s: i64,
    by_rule: impl Iterator<Item = TagId>,
) -> Vec<Row> {
    let by_rule = by_rule
        .filter(|tag| !record.holds(*tag, at_s))
        .map(|tag| (tag, Holding::standing(Source::Rule, None)));
    let mut held: Vec<(&TagDefinition, Holding)> = record
        .holdings()
        .filter(|(_, holding)| holding.is_in_effect(at_s))
        .chain(by_rule)
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
