//! How many bytes requests take in memory, counted on the requests themselves.

use tessera_protocol::{
    load::{EventColumn, LoadColumn, PackedTexts},
    message::*,
};

fn texts_bytes(texts: &[String]) -> usize {
    let bytes = texts.iter().map(|text| size_of::<String>() + text.len());
    bytes.sum()
}

fn datum_bytes(datum: &Datum) -> usize {
    match datum {
        Datum::Text(text) => text.len(),
        Datum::List(texts) => texts_bytes(texts),
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Date(_)
        | Datum::Timestamp(_) => 0,
    }
}

fn mutation_bytes(mutation: &Mutation) -> usize {
    match mutation {
        Mutation::Ensure { user } | Mutation::DeleteUser { user } => user.len(),
        Mutation::Tag { user, tags }
        | Mutation::Hold { user, tags, .. }
        | Mutation::Untag { user, tags } => user.len() + texts_bytes(tags),
        Mutation::Set { user, values } => {
            let value = |(name, value): &(String, Datum)| {
                size_of::<(String, Datum)>() + name.len() + datum_bytes(value)
            };
            user.len() + values.iter().map(value).sum::<usize>()
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
        } => {
            let value = |value: &Datum| size_of::<Datum>() + datum_bytes(value);
            user.len() + attribute.len() + values.iter().map(value).sum::<usize>()
        }
        Mutation::Track(track) => {
            let value = |(name, value): &(String, Datum)| {
                size_of::<(String, Datum)>() + name.len() + datum_bytes(value)
            };
            let id = track.id.as_ref().map_or(0, String::len);
            let values: usize = track.values.iter().map(value).sum();
            size_of::<Track>() + track.user.len() + track.event.len() + id + values
        }
    }
}

/// What a request's lists and texts take.
pub(crate) fn body_bytes(body: &RequestBody) -> usize {
    match body {
        RequestBody::Ping => 0,
        RequestBody::Execute {
            statement,
            parameters,
        } => {
            let parameter = |parameter: &Parameter| {
                size_of::<Parameter>() + parameter.name.len() + datum_bytes(&parameter.value)
            };
            statement.len() + parameters.iter().map(parameter).sum::<usize>()
        }
        RequestBody::Write { mutations, .. } => {
            let mutation = |mutation: &Mutation| size_of::<Mutation>() + mutation_bytes(mutation);
            mutations.iter().map(mutation).sum()
        }
        RequestBody::Load { rows, .. } => {
            let column = |column: &LoadColumn| size_of::<LoadColumn>() + column_bytes(column);
            let columns: usize = rows.columns.iter().map(column).sum();
            rows.keys.text_bytes() + rows.len() * size_of::<u32>() + columns
        }
        RequestBody::LoadEvents { rows, .. } => {
            let texts = |texts: &PackedTexts| texts.text_bytes() + texts.len() * size_of::<u32>();
            let column = |column: &EventColumn| {
                size_of::<EventColumn>()
                    + match column {
                        EventColumn::Coded {
                            property,
                            dictionary,
                            codes,
                        } => {
                            let entry = |value: &Datum| size_of::<Datum>() + datum_bytes(value);
                            let entries: usize = dictionary.iter().map(entry).sum();
                            property.len() + entries + size_of_val(codes.as_slice())
                        }
                        EventColumn::Numbers {
                            property,
                            form: _,
                            present,
                            numbers,
                        } => property.len() + present.len() + size_of_val(numbers.as_slice()),
                    }
            };
            let columns: usize = rows.columns.iter().map(column).sum();
            let each = rows.len() * (size_of::<u32>() + size_of::<i64>());
            let ids = rows.ids.as_ref().map_or(0, texts);
            rows.event.len() + texts(&rows.users) + each + ids + columns
        }
    }
}

fn column_bytes(column: &LoadColumn) -> usize {
    match column {
        LoadColumn::Coded {
            attribute,
            dictionary,
            codes,
        } => {
            let entry = |value: &Datum| size_of::<Datum>() + datum_bytes(value);
            let entries: usize = dictionary.iter().map(entry).sum();
            attribute.len() + entries + size_of_val(codes.as_slice())
        }
        LoadColumn::Numbers {
            attribute,
            form: _,
            present,
            numbers,
        } => attribute.len() + present.len() + size_of_val(numbers.as_slice()),
        LoadColumn::Tags { names, ends, codes } | LoadColumn::Taken { names, ends, codes } => {
            texts_bytes(names) + size_of_val(ends.as_slice()) + size_of_val(codes.as_slice())
        }
        LoadColumn::Added {
            attribute,
            dictionary,
            ends,
            codes,
        } => {
            let entry = |value: &Datum| size_of::<Datum>() + datum_bytes(value);
            let entries: usize = dictionary.iter().map(entry).sum();
            let lists = size_of_val(ends.as_slice()) + size_of_val(codes.as_slice());
            attribute.len() + entries + lists
        }
        LoadColumn::Holdings {
            names,
            ends,
            codes,
            terms,
            of,
        } => {
            let codes = size_of_val(codes.as_slice()) + size_of_val(of.as_slice());
            let terms = size_of_val(terms.as_slice());
            texts_bytes(names) + size_of_val(ends.as_slice()) + codes + terms
        }
    }
}
