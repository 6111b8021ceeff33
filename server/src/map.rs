//! The edge between the engine's types and the wire's. Errors become failures here and nowhere
//! else.
//!
//! Knows both sides' enums, variant by variant. Decides nothing.

use std::{ops::Range, time::Duration};

use tessera_engine::{
    datum,
    error::{Error, ErrorCode},
    parameters::Parameters,
    storage, time,
    user_keys::PackedKeys,
    write,
};
use tessera_protocol::{
    load::{EventColumn, EventRows, LoadColumn, LoadError, LoadRows, NumberForm, PackedTexts},
    message as wire,
};

/// A failure without a place in a statement.
pub(crate) fn failure(code: wire::FailureCode, message: impl Into<String>) -> wire::Failure {
    wire::Failure {
        code,
        message: message.into(),
        span: None,
        hint: None,
    }
}

/// What the engine refused, as the client is told.
pub(crate) fn engine_failure(error: &Error) -> wire::Failure {
    wire::Failure {
        code: failure_code(error.code()),
        message: error.to_string(),
        span: match error.row() {
            Some(row) => Some((row, row.saturating_add(1))),
            None => error.span().map(|span| (span.start, span.end)),
        },
        hint: error.hint(),
    }
}

fn failure_code(code: ErrorCode) -> wire::FailureCode {
    match code {
        ErrorCode::Syntax => wire::FailureCode::Syntax,
        ErrorCode::UnknownName => wire::FailureCode::UnknownName,
        ErrorCode::TypeMismatch => wire::FailureCode::TypeMismatch,
        ErrorCode::LimitExceeded => wire::FailureCode::LimitExceeded,
        ErrorCode::Conflict => wire::FailureCode::Conflict,
        ErrorCode::NotAvailableYet => wire::FailureCode::NotAvailableYet,
        ErrorCode::Cancelled => wire::FailureCode::Cancelled,
        ErrorCode::DeadlineExceeded => wire::FailureCode::DeadlineExceeded,
        ErrorCode::UnknownCursor => wire::FailureCode::UnknownCursor,
        ErrorCode::Closing => wire::FailureCode::Closing,
        ErrorCode::Overloaded => wire::FailureCode::Overloaded,
        ErrorCode::Storage => wire::FailureCode::Storage,
        ErrorCode::Internal => wire::FailureCode::Internal,
    }
}

/// What there is to say about a finished request, which took so long.
pub(crate) fn summary(summary: datum::Summary, elapsed: Duration) -> wire::Summary {
    wire::Summary {
        elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        rows: summary.rows,
        users_changed: summary.users_changed,
        facts_changed: summary.facts_changed,
        cursor: summary.cursor,
        warnings: summary.warnings,
    }
}

/// The message that begins the rows of an answer.
pub(crate) fn header(id: wire::RequestId, header: datum::Header) -> wire::ServerMessage {
    wire::ServerMessage::Header {
        id,
        kind: result_kind(header.kind),
        columns: header.columns.into_iter().map(column).collect(),
    }
}

fn result_kind(kind: datum::ResultKind) -> wire::ResultKind {
    match kind {
        datum::ResultKind::Count => wire::ResultKind::Count,
        datum::ResultKind::Segment => wire::ResultKind::Segment,
        datum::ResultKind::Dimension => wire::ResultKind::Dimension,
        datum::ResultKind::Portrait => wire::ResultKind::Portrait,
        datum::ResultKind::Plan => wire::ResultKind::Plan,
        datum::ResultKind::Definitions => wire::ResultKind::Definitions,
        datum::ResultKind::Trend => wire::ResultKind::Trend,
    }
}

fn column(column: datum::Column) -> wire::Column {
    wire::Column {
        name: column.name,
        role: match column.role {
            datum::ColumnRole::Value => wire::ColumnRole::Value,
            datum::ColumnRole::Dim => wire::ColumnRole::Dim,
            datum::ColumnRole::Measure => wire::ColumnRole::Measure,
            datum::ColumnRole::Share => wire::ColumnRole::Share,
        },
    }
}

/// Some of many keys for the wire.
///
/// # Errors
/// When they are more than one message can hold.
pub(crate) fn packed_keys(
    keys: &PackedKeys,
    range: Range<usize>,
) -> Result<PackedTexts, LoadError> {
    let (start, end) = (keys.start(range.start), keys.start(range.end));
    let text = keys.text().get(start..end).unwrap_or_default();
    let ends = keys.ends().get(range).unwrap_or_default();
    let ends = ends.iter().map(|end| u32::try_from(end - start));
    let ends: Result<Vec<u32>, _> = ends.collect();
    PackedTexts::new(text.to_owned(), ends.map_err(|_| LoadError::TooMuch)?)
}

/// A row for the wire.
pub(crate) fn row(row: datum::Row) -> Vec<wire::Datum> {
    row.into_iter().map(to_wire).collect()
}

fn to_wire(value: datum::Datum) -> wire::Datum {
    match value {
        datum::Datum::Null => wire::Datum::Null,
        datum::Datum::Boolean(value) => wire::Datum::Boolean(value),
        datum::Datum::Integer(value) => wire::Datum::Integer(value),
        datum::Datum::Decimal { units, scale } => wire::Datum::Decimal { units, scale },
        datum::Datum::Real(value) => wire::Datum::Real(value),
        datum::Datum::Text(value) => wire::Datum::Text(value),
        datum::Datum::Date(days) => wire::Datum::Date(days),
        datum::Datum::Timestamp(microseconds) => wire::Datum::Timestamp(microseconds),
        datum::Datum::List(values) => wire::Datum::List(values),
    }
}

fn from_wire(value: wire::Datum) -> datum::Datum {
    match value {
        wire::Datum::Null => datum::Datum::Null,
        wire::Datum::Boolean(value) => datum::Datum::Boolean(value),
        wire::Datum::Integer(value) => datum::Datum::Integer(value),
        wire::Datum::Decimal { units, scale } => datum::Datum::Decimal { units, scale },
        wire::Datum::Real(value) => datum::Datum::Real(value),
        wire::Datum::Text(value) => datum::Datum::Text(value),
        wire::Datum::Date(days) => datum::Datum::Date(days),
        wire::Datum::Timestamp(microseconds) => datum::Datum::Timestamp(microseconds),
        wire::Datum::List(values) => datum::Datum::List(values),
    }
}

/// The values of a statement's parameters.
pub(crate) fn parameters(parameters: Vec<wire::Parameter>) -> Parameters {
    let pairs = parameters
        .into_iter()
        .map(|parameter| (parameter.name, from_wire(parameter.value)));
    Parameters::new(pairs.collect())
}

/// A write for the engine.
pub(crate) fn write_request(
    idempotency_key: Option<[u8; 16]>,
    unknown_tags: wire::UnknownTags,
    mutations: Vec<wire::Mutation>,
) -> write::WriteRequest {
    write::WriteRequest {
        mutations: mutations.into_iter().map(mutation).collect(),
        unknown_tags: unknown(unknown_tags),
        idempotency_key,
    }
}

/// A load for the engine: columns move as they are, only their dictionaries are gone through.
///
/// # Errors
/// [`wire::FailureCode::Protocol`] when the keys do not fit together, which decoding has seen
/// before.
pub(crate) fn load_request(
    idempotency_key: Option<[u8; 16]>,
    unknown_tags: wire::UnknownTags,
    rows: LoadRows,
) -> Result<write::LoadRequest, wire::Failure> {
    Ok(write::LoadRequest {
        idempotency_key,
        unknown_tags: unknown(unknown_tags),
        keys: texts(rows.keys)?,
        columns: rows.columns.into_iter().map(load_column).collect(),
    })
}

/// Many events for the engine, as rows are by [`load_request`].
///
/// # Errors
/// As for [`load_request`].
pub(crate) fn event_load_request(
    idempotency_key: Option<[u8; 16]>,
    unknown_users: wire::UnknownUsers,
    rows: EventRows,
) -> Result<write::EventLoadRequest, wire::Failure> {
    Ok(write::EventLoadRequest {
        idempotency_key,
        unknown_users: match unknown_users {
            wire::UnknownUsers::Refuse => write::UnknownUsers::Refuse,
            wire::UnknownUsers::Create => write::UnknownUsers::Create,
        },
        event: rows.event,
        users: texts(rows.users)?,
        of: rows.of,
        times_us: rows.times_us,
        ids: rows.ids.map(texts).transpose()?,
        columns: rows.columns.into_iter().map(event_column).collect(),
    })
}

fn texts(texts: PackedTexts) -> Result<write::PackedTexts, wire::Failure> {
    let (text, ends) = texts.into_parts();
    write::PackedTexts::new(text, ends)
        .map_err(|error| failure(wire::FailureCode::Protocol, error.to_string()))
}

fn event_column(column: EventColumn) -> write::EventColumn {
    match column {
        EventColumn::Coded {
            property,
            dictionary,
            codes,
        } => write::EventColumn::Coded {
            property,
            dictionary: dictionary.into_iter().map(from_wire).collect(),
            codes,
        },
        EventColumn::Numbers {
            property,
            form,
            present,
            numbers,
        } => write::EventColumn::Numbers {
            property,
            form: number_form(form),
            present,
            numbers,
        },
    }
}

fn load_column(column: LoadColumn) -> write::LoadColumn {
    match column {
        LoadColumn::Coded {
            attribute,
            dictionary,
            codes,
        } => write::LoadColumn::Coded {
            attribute,
            dictionary: dictionary.into_iter().map(from_wire).collect(),
            codes,
        },
        LoadColumn::Numbers {
            attribute,
            form,
            present,
            numbers,
        } => write::LoadColumn::Numbers {
            attribute,
            form: number_form(form),
            present,
            numbers,
        },
        LoadColumn::Tags { names, ends, codes } => write::LoadColumn::Tags { names, ends, codes },
        LoadColumn::Holdings {
            names,
            ends,
            codes,
            terms,
            of,
        } => write::LoadColumn::Holdings {
            names,
            ends,
            codes,
            terms: terms.into_iter().map(hold_terms).collect(),
            of,
        },
        LoadColumn::Added {
            attribute,
            dictionary,
            ends,
            codes,
        } => write::LoadColumn::Added {
            attribute,
            dictionary: dictionary.into_iter().map(from_wire).collect(),
            ends,
            codes,
        },
        LoadColumn::Taken { names, ends, codes } => write::LoadColumn::Taken { names, ends, codes },
    }
}

/// Of times holdings keep whole seconds.
fn hold_terms(terms: wire::HoldTerms) -> write::HoldTerms {
    let second = |micros: i64| micros.div_euclid(1_000_000);
    write::HoldTerms {
        since_s: terms.since_us.map(second),
        end: match terms.end {
            wire::HoldEnd::OfTag => write::HoldEnd::OfTag,
            wire::HoldEnd::At(micros) => write::HoldEnd::At(second(micros)),
            wire::HoldEnd::After { amount, unit } => write::HoldEnd::After(time::Length {
                amount,
                unit: length_unit(unit),
            }),
        },
        source: match terms.source {
            wire::Source::Manual => storage::Source::Manual,
            wire::Source::Import => storage::Source::Import,
            wire::Source::Rule => storage::Source::Rule,
            wire::Source::Model => storage::Source::Model,
        },
    }
}

fn length_unit(unit: wire::TimeUnit) -> time::LengthUnit {
    match unit {
        wire::TimeUnit::Second => time::LengthUnit::Second,
        wire::TimeUnit::Minute => time::LengthUnit::Minute,
        wire::TimeUnit::Hour => time::LengthUnit::Hour,
        wire::TimeUnit::Day => time::LengthUnit::Day,
        wire::TimeUnit::Week => time::LengthUnit::Week,
        wire::TimeUnit::Month => time::LengthUnit::Month,
        wire::TimeUnit::Year => time::LengthUnit::Year,
    }
}

fn number_form(form: NumberForm) -> write::NumberForm {
    match form {
        NumberForm::Integer => write::NumberForm::Integer,
        NumberForm::Decimal { scale } => write::NumberForm::Decimal { scale },
        NumberForm::Date => write::NumberForm::Date,
        NumberForm::Timestamp => write::NumberForm::Timestamp,
    }
}

fn unknown(unknown_tags: wire::UnknownTags) -> write::UnknownTags {
    match unknown_tags {
        wire::UnknownTags::Refuse => write::UnknownTags::Refuse,
        wire::UnknownTags::Define => write::UnknownTags::Define,
    }
}

fn mutation(mutation: wire::Mutation) -> write::Mutation {
    match mutation {
        wire::Mutation::Ensure { user } => write::Mutation::Ensure { user },
        wire::Mutation::Tag { user, tags } => write::Mutation::Tag { user, tags },
        wire::Mutation::Hold { user, tags, terms } => write::Mutation::Hold {
            user,
            tags,
            terms: hold_terms(terms),
        },
        wire::Mutation::Untag { user, tags } => write::Mutation::Untag { user, tags },
        wire::Mutation::Set { user, values } => write::Mutation::Set {
            user,
            values: values
                .into_iter()
                .map(|(name, value)| (name, from_wire(value)))
                .collect(),
        },
        wire::Mutation::Add {
            user,
            attribute,
            values,
        } => write::Mutation::Add {
            user,
            attribute,
            values: values.into_iter().map(from_wire).collect(),
        },
        wire::Mutation::Remove {
            user,
            attribute,
            values,
        } => write::Mutation::Remove {
            user,
            attribute,
            values: values.into_iter().map(from_wire).collect(),
        },
        wire::Mutation::DeleteUser { user } => write::Mutation::DeleteUser { user },
        wire::Mutation::Track(track) => write::Mutation::Track {
            user: track.user,
            event: track.event,
            at_us: track.time_us,
            id: track.id,
            values: track
                .values
                .into_iter()
                .map(|(name, value)| (name, from_wire(value)))
                .collect(),
        },
    }
}

/// At most so many bytes a row takes on the wire: every number at its longest.
pub(crate) fn wire_bytes_max(row: &[wire::Datum]) -> usize {
    const LENGTH: usize = 9;
    row.iter().fold(LENGTH, |sum, value| {
        let value_bytes = match value {
            wire::Datum::Null => 0,
            wire::Datum::Boolean(_) => 1,
            wire::Datum::Integer(_) | wire::Datum::Timestamp(_) => LENGTH,
            wire::Datum::Decimal { .. } => 18,
            wire::Datum::Real(_) => 8,
            wire::Datum::Text(text) => LENGTH + text.len(),
            wire::Datum::Date(_) => 5,
            wire::Datum::List(texts) => texts
                .iter()
                .fold(LENGTH, |sum, text| sum.saturating_add(LENGTH + text.len())),
        };
        sum.saturating_add(1 + value_bytes)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use bytes::BytesMut;
    use tessera_protocol::codec::encode_server;

    use super::*;

    fn one_of_each() -> Vec<wire::Datum> {
        vec![
            wire::Datum::Null,
            wire::Datum::Boolean(true),
            wire::Datum::Integer(i64::MIN),
            wire::Datum::Decimal {
                units: i128::MIN,
                scale: u8::MAX,
            },
            wire::Datum::Real(f64::MAX),
            wire::Datum::Text("tessera".repeat(100)),
            wire::Datum::Date(i32::MIN),
            wire::Datum::Timestamp(i64::MAX),
            wire::Datum::List(vec![String::new(), "mosaic".repeat(100)]),
        ]
    }

    #[test]
    fn every_value_survives_the_edge_in_both_directions() {
        let values = one_of_each();
        let inside: Vec<_> = values.iter().cloned().map(from_wire).collect();
        assert_eq!(row(inside), values);
    }

    #[test]
    fn no_row_is_longer_than_estimated() {
        for value in one_of_each() {
            let row = vec![value];
            let estimate = wire_bytes_max(&row);
            let mut bytes = BytesMut::new();
            let message = wire::ServerMessage::Rows {
                id: wire::RequestId(0),
                rows: vec![row],
            };
            encode_server(&message, &mut bytes).unwrap();
            // The variant, the id and the count of rows take one byte each.
            assert!(bytes.len() - 3 <= estimate, "{message:?}");
        }
    }
}
