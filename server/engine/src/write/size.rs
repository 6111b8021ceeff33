//! How long a request is.

use crate::{
    datum::Datum,
    ids::{TagId, ValueCode},
    schema::{AttributeClass, Schema},
    storage::Holding,
    write::{LimitError, Mutation, events::StagedEvent},
};

/// Refuses a request that is too long, before anything is done about it.
pub(super) fn check_size(
    mutations: &[Mutation],
    mutations_max: u32,
    bytes_max: u64,
) -> Result<u64, LimitError> {
    if mutations.len() > mutations_max as usize {
        return Err(LimitError::Mutations {
            found: mutations.len(),
            max: mutations_max,
        });
    }
    let bytes = mutations.iter().map(bytes_of).sum();
    if bytes > bytes_max {
        return Err(LimitError::RequestBytes { max: bytes_max });
    }
    Ok(bytes)
}

/// Bytes of memory, about, of one more copy of a mutation, without its user's key.
pub(crate) fn bytes_copied(mutation: &Mutation) -> u64 {
    let own = size_of::<Mutation>() as u64;
    let text_count = match mutation {
        Mutation::Ensure { .. } | Mutation::DeleteUser { .. } => 0,
        Mutation::Tag { tags, .. }
        | Mutation::Hold { tags, .. }
        | Mutation::Untag { tags, .. }
        | Mutation::Clear { tags, .. } => tags.len(),
        Mutation::Set { values, .. } => values
            .iter()
            .map(|(_, value)| match value {
                Datum::List(texts) => 2 + texts.len(),
                Datum::Null
                | Datum::Boolean(_)
                | Datum::Integer(_)
                | Datum::Decimal { .. }
                | Datum::Real(_)
                | Datum::Text(_)
                | Datum::Date(_)
                | Datum::Timestamp(_) => 2,
            })
            .sum(),
        Mutation::Add { values, .. } | Mutation::Remove { values, .. } => values.len(),
        Mutation::Track { values, .. } => 2 + 2 * values.len(),
        Mutation::Submit { answers, .. } => 1 + 2 * answers.len(),
    };
    own + text_count as u64 * size_of::<String>() as u64 + bytes_of(mutation)
}

/// Bytes, about, that a mutation of one more user takes once its names and values are ids and
/// codes, without the user's key. Only texts are kept for every user.
pub(crate) fn bytes_applied(mutation: &Mutation, schema: &Schema) -> u64 {
    let is_text = |name: &str| {
        schema
            .attribute(name)
            .is_some_and(|attribute| attribute.kind.class() == AttributeClass::Textual)
    };
    let bytes = match mutation {
        Mutation::Ensure { .. } | Mutation::DeleteUser { .. } => 0,
        Mutation::Tag { tags, .. }
        | Mutation::Untag { tags, .. }
        | Mutation::Clear { tags, .. } => tags.len() * size_of::<TagId>(),
        Mutation::Hold { tags, .. } => tags.len() * size_of::<(TagId, Holding)>(),
        Mutation::Set { values, .. } => values
            .iter()
            .map(|(name, value)| match value {
                Datum::List(texts) => texts.len() * size_of::<ValueCode>(),
                Datum::Text(text) if is_text(name) => text.len(),
                Datum::Text(_)
                | Datum::Null
                | Datum::Boolean(_)
                | Datum::Integer(_)
                | Datum::Decimal { .. }
                | Datum::Real(_)
                | Datum::Date(_)
                | Datum::Timestamp(_) => size_of::<i64>(),
            })
            .sum(),
        Mutation::Add { values, .. } | Mutation::Remove { values, .. } => {
            values.len() * size_of::<ValueCode>()
        }
        Mutation::Track { id, values, .. } => {
            let values = values.iter().map(|(_, value)| bytes_of_datum(value));
            values.sum::<usize>() + id.as_ref().map_or(0, String::len) + size_of::<StagedEvent>()
        }
        Mutation::Submit { answers, .. } => {
            let values = answers.iter().map(|(_, value)| bytes_of_datum(value));
            values.sum::<usize>() + answers.len() * size_of::<StagedEvent>()
        }
    };
    bytes as u64
}

fn bytes_of(mutation: &Mutation) -> u64 {
    let texts = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    let bytes = match mutation {
        Mutation::Ensure { user } | Mutation::DeleteUser { user } => user.len(),
        Mutation::Tag { user, tags }
        | Mutation::Hold { user, tags, .. }
        | Mutation::Untag { user, tags }
        | Mutation::Clear { user, tags } => user.len() + texts(tags),
        Mutation::Set { user, values } => {
            user.len()
                + values
                    .iter()
                    .map(|(name, value)| name.len() + bytes_of_datum(value))
                    .sum::<usize>()
        }
        Mutation::Add {
            user,
            attribute,
            values,
        }
        | Mutation::Remove {
            user,
            attribute,
            values,
        } => user.len() + attribute.len() + values.iter().map(bytes_of_datum).sum::<usize>(),
        Mutation::Track {
            user,
            event,
            at_us: _,
            id,
            values,
        } => {
            let values = values.iter();
            let values = values.map(|(name, value)| name.len() + bytes_of_datum(value));
            let id = id.as_ref().map_or(0, String::len);
            user.len() + event.len() + id + size_of::<i64>() + values.sum::<usize>()
        }
        Mutation::Submit {
            user,
            form,
            answers,
        } => {
            let answers = answers.iter();
            let answers = answers.map(|(name, value)| name.len() + bytes_of_datum(value));
            user.len() + form.len() + answers.sum::<usize>()
        }
    };
    bytes as u64
}

pub(super) fn bytes_of_datum(datum: &Datum) -> usize {
    match datum {
        Datum::Text(text) => text.len(),
        Datum::List(texts) => texts.iter().map(String::len).sum(),
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Date(_)
        | Datum::Timestamp(_) => size_of::<i64>(),
    }
}
