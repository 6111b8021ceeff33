//! How long a request is.

use crate::{
    datum::Datum,
    write::{LimitError, Mutation},
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

fn bytes_of(mutation: &Mutation) -> u64 {
    let texts = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    let bytes = match mutation {
        Mutation::Ensure { user } | Mutation::DeleteUser { user } => user.len(),
        Mutation::Tag { user, tags } | Mutation::Untag { user, tags } => user.len() + texts(tags),
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
    };
    bytes as u64
}

fn bytes_of_datum(datum: &Datum) -> usize {
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
