//! Who invited whom, in a load: a row for everybody who invited and has none, and no cycles.

use std::{borrow::Cow, collections::HashSet};

use foldhash::fast::RandomState;

use crate::{
    datum::Datum,
    error::Error,
    ids::AttributeId,
    schema::AttributeKind,
    storage::StoredValue,
    write::{
        coerce,
        load::{LoadColumn, LoadRequest, PackedTexts, resolve::as_dictionary},
        resolve::Resolver,
    },
};

/// The load with a row for everybody who invited somebody and has no row, at its end: they are
/// users, too. `None` where nobody is added.
pub(super) fn with_rows(
    resolver: &Resolver<'_>,
    request: &LoadRequest,
) -> Result<Option<LoadRequest>, Error> {
    let mut added: Vec<String> = Vec::new();
    let mut known: HashSet<Cow<'_, str>, RandomState> = HashSet::default();
    for column in &request.columns {
        let Some(dictionary) = dictionary_of(resolver, request, column)? else {
            continue;
        };
        if known.is_empty() {
            known.extend(request.keys.iter().map(Cow::Borrowed));
        }
        for datum in dictionary.iter() {
            // What cannot be a key is refused with its row.
            if let Ok(key) = coerce::user_key(datum)
                && known.insert(Cow::Owned(key.clone()))
            {
                added.push(key);
            }
        }
    }
    if added.is_empty() {
        return Ok(None);
    }
    let mut extended = request.clone();
    for key in &added {
        extended.keys.push(key);
    }
    let rows = extended.keys.len();
    for column in &mut extended.columns {
        extend(column, rows);
    }
    Ok(Some(extended))
}

/// The values that the rows of a column of inviters have.
fn dictionary_of<'a>(
    resolver: &Resolver<'_>,
    request: &LoadRequest,
    column: &'a LoadColumn,
) -> Result<Option<Cow<'a, [Datum]>>, Error> {
    let attribute = match column {
        LoadColumn::Coded { attribute, .. } | LoadColumn::Numbers { attribute, .. } => attribute,
        LoadColumn::Tags { .. }
        | LoadColumn::Holdings { .. }
        | LoadColumn::Added { .. }
        | LoadColumn::Taken { .. } => return Ok(None),
    };
    if resolver.attribute(attribute)?.kind != AttributeKind::Inviter {
        return Ok(None);
    }
    Ok(match column {
        LoadColumn::Coded {
            dictionary, codes, ..
        } => {
            let mut is_used = vec![false; dictionary.len() + 1];
            for code in codes {
                if let Some(is_used) = is_used.get_mut(*code as usize) {
                    *is_used = true;
                }
            }
            let used = dictionary.iter().zip(is_used.into_iter().skip(1));
            let used = used.filter(|(_, is_used)| *is_used);
            Some(used.map(|(datum, _)| datum.clone()).collect())
        }
        LoadColumn::Numbers { form, numbers, .. } => {
            let rows: Vec<u32> = (0..).take(numbers.len()).collect();
            let (dictionary, _) = as_dictionary(*form, request.keys.len(), &rows, numbers);
            Some(dictionary.into())
        }
        LoadColumn::Tags { .. }
        | LoadColumn::Holdings { .. }
        | LoadColumn::Added { .. }
        | LoadColumn::Taken { .. } => None,
    })
}

/// The rows that are new have nothing of a column.
fn extend(column: &mut LoadColumn, rows: usize) {
    match column {
        LoadColumn::Coded { codes, .. } => codes.resize(rows, 0),
        LoadColumn::Numbers { present, .. } => present.resize(rows.div_ceil(8), 0),
        LoadColumn::Tags { ends, .. }
        | LoadColumn::Holdings { ends, .. }
        | LoadColumn::Added { ends, .. }
        | LoadColumn::Taken { ends, .. } => {
            let last = ends.last().copied().unwrap_or(0);
            ends.resize(rows, last);
        }
    }
}

/// Refuses that somebody comes to be above themselves, row by row.
pub(super) fn check(
    resolver: &mut Resolver<'_>,
    keys: &PackedTexts,
    attribute: AttributeId,
    values: &[Option<StoredValue>],
    codes: &[u32],
) -> Result<(), Error> {
    for (user, code) in keys.iter().zip(codes) {
        let value = (*code as usize)
            .checked_sub(1)
            .and_then(|code| values.get(code));
        if let Some(Some(StoredValue::Text(inviter))) = value {
            resolver.invite(attribute, user, inviter)?;
        }
    }
    Ok(())
}
