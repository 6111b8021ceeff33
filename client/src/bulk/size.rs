//! About how many bytes changes take on the wire.

use tessera_protocol::message::{Datum, Mutation};

use super::user_of;

/// About the bytes a change takes on the wire.
pub(super) fn estimated_bytes(mutation: &Mutation) -> usize {
    const OVERHEAD: usize = 4;
    const TERMS: usize = 24;
    let of_texts = |texts: &[String]| {
        texts
            .iter()
            .map(|text| text.len() + OVERHEAD)
            .sum::<usize>()
    };
    let of_values = |values: &[Datum]| values.iter().map(datum_bytes).sum::<usize>();
    let of_named = |values: &[(String, Datum)]| {
        values
            .iter()
            .map(|(name, value)| name.len() + OVERHEAD + datum_bytes(value))
            .sum::<usize>()
    };
    let beside_user = match mutation {
        Mutation::Ensure { .. } | Mutation::DeleteUser { .. } => 0,
        Mutation::Tag { tags, .. } | Mutation::Untag { tags, .. } => of_texts(tags),
        Mutation::Hold { tags, .. } => of_texts(tags) + TERMS,
        Mutation::Set { values, .. } => of_named(values),
        Mutation::Track(track) => {
            let id = track.id.as_ref().map_or(0, String::len);
            track.event.len() + id + 3 * OVERHEAD + of_named(&track.values)
        }
        Mutation::Add {
            attribute, values, ..
        }
        | Mutation::Remove {
            attribute, values, ..
        } => attribute.len() + OVERHEAD + of_values(values),
    };
    user_of(mutation).len() + OVERHEAD + beside_user
}

pub(super) fn datum_bytes(datum: &Datum) -> usize {
    match datum {
        Datum::Null | Datum::Boolean(_) => 2,
        Datum::Integer(_) | Datum::Real(_) | Datum::Date(_) | Datum::Timestamp(_) => 9,
        Datum::Decimal { .. } => 18,
        Datum::Text(text) => text.len() + 4,
        Datum::List(texts) => texts.iter().map(|text| text.len() + 4).sum::<usize>() + 4,
    }
}
