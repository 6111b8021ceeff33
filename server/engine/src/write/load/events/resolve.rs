//! From a load of events by name to the events of every partition, by id.
//!
//! Every name, every key and every value of a dictionary is looked at once, if any event has it.

use std::{borrow::Cow, sync::Arc};

use super::{EventColumn, EventLoadRequest, EventRows};
use crate::{
    datum::Datum,
    error::Error,
    ids::PartitionId,
    schema::{AttributeClass, AttributeDefinition},
    storage::StoredValue,
    write::{
        load::{
            NumberForm, PackedTexts,
            places::Places,
            resolve::{as_dictionary, is_stored_as_sent},
            row_bits,
            rows::RowColumn,
        },
        resolve::{Resolver, events::property},
    },
};

/// The events of one partition.
pub(in crate::write) struct EventPart {
    pub(super) partition: PartitionId,
    pub(super) rows: EventRows,
    /// For each its place among all of the load.
    pub(super) places: Vec<u32>,
}

/// Says which event is to blame.
pub(super) fn in_row<E: Into<Error>>(row: usize) -> impl FnOnce(E) -> Error {
    move |error| Error::InRow {
        // A load has fewer events than 32 bits count.
        row: row as u32,
        error: Box::new(error.into()),
    }
}

/// Resolves a load whose shape was checked. Partitions without events are left out.
pub(in crate::write) fn resolve_event_load(
    mut resolver: Resolver<'_>,
    request: &EventLoadRequest,
) -> Result<Vec<EventPart>, Error> {
    let definition = resolver.event(&request.event)?;
    let of_user = partitions_of_users(&resolver, request)?;
    for (row, time_us) in request.times_us.iter().enumerate() {
        let id = request.ids.as_ref().and_then(|ids| ids.at(row));
        let id = id.filter(|id| !id.is_empty());
        let user = user_of(request, row);
        resolver
            .check_event(user, &definition, *time_us, id)
            .map_err(in_row(row))?;
    }
    let of_row = request.of.iter().map(|user| of_user[*user as usize]);
    let places = Places {
        of_row: of_row.collect(),
        partition_count: resolver.partition_count(),
    };
    let mut parts = split(request, definition.id, &places);
    for column in &request.columns {
        let property = property(&definition, column.property())?;
        let columns = match resolve_column(&mut resolver, request, &property, column)? {
            Resolved::Values { values, codes } => places.split_values(property.id, &values, &codes),
            Resolved::Numbers { rows, numbers } => {
                places.split_numbers(property.id, &rows, &numbers)
            }
        };
        for (part, column) in parts.iter_mut().zip(columns) {
            part.rows.columns.push(column);
        }
    }
    parts.retain(|part| part.rows.len() > 0);
    for part in &mut parts {
        part.rows.columns.sort_by_key(RowColumn::attribute);
    }
    Ok(parts)
}

fn user_of(request: &EventLoadRequest, row: usize) -> &str {
    let user = request.of.get(row).copied().unwrap_or(0);
    request.users.at(user as usize).unwrap_or("")
}

/// The partition of each user; of those whom no event names, any.
fn partitions_of_users(
    resolver: &Resolver<'_>,
    request: &EventLoadRequest,
) -> Result<Vec<PartitionId>, Error> {
    let mut of_user: Vec<Option<PartitionId>> = vec![None; request.users.len()];
    for (row, user) in request.of.iter().enumerate() {
        let Some(place) = of_user.get_mut(*user as usize) else {
            continue;
        };
        if place.is_none() {
            let partition = resolver.partition(user_of(request, row));
            *place = Some(partition.map_err(in_row(row))?);
        }
    }
    let any = PartitionId(0);
    Ok(of_user.into_iter().map(|of| of.unwrap_or(any)).collect())
}

/// Deals users, times and ids out to the partitions.
fn split(
    request: &EventLoadRequest,
    event: crate::ids::EventId,
    places: &Places,
) -> Vec<EventPart> {
    let empty = |partition| EventPart {
        partition: PartitionId(partition),
        rows: EventRows {
            event,
            keys: PackedTexts::default(),
            of: Vec::new(),
            times_us: Vec::new(),
            ids: request.ids.as_ref().map(|_| PackedTexts::default()),
            columns: Vec::new(),
        },
        places: Vec::new(),
    };
    let mut parts: Vec<EventPart> = (0..places.partition_count).map(empty).collect();
    // For each user its index in its partition.
    let mut known: Vec<Option<u32>> = vec![None; request.users.len()];
    let events = request.of.iter().zip(&request.times_us);
    for (row, ((user, time_us), partition)) in events.zip(&places.of_row).enumerate() {
        let EventPart {
            rows,
            places: of_part,
            ..
        } = &mut parts[usize::from(partition.0)];
        let user = *user as usize;
        let index = *known[user].get_or_insert_with(|| {
            let index = rows.keys.len() as u32;
            // No more bytes than all users have.
            rows.keys.push(request.users.at(user).unwrap_or(""));
            index
        });
        rows.of.push(index);
        rows.times_us.push(*time_us);
        if let (Some(ids), Some(all)) = (&mut rows.ids, &request.ids) {
            ids.push(all.at(row).unwrap_or(""));
        }
        of_part.push(row as u32);
    }
    parts
}

/// A property's column of all partitions: as in [`RowColumn`].
enum Resolved<'a> {
    Values {
        values: Arc<Vec<Option<StoredValue>>>,
        codes: Cow<'a, [u32]>,
    },
    Numbers {
        rows: Vec<u32>,
        numbers: Cow<'a, [i64]>,
    },
}

fn resolve_column<'a>(
    resolver: &mut Resolver<'_>,
    request: &EventLoadRequest,
    property: &AttributeDefinition,
    column: &'a EventColumn,
) -> Result<Resolved<'a>, Error> {
    match column {
        EventColumn::Coded {
            property: _,
            dictionary,
            codes,
        } => values(resolver, request, property, dictionary, codes.into()),
        EventColumn::Numbers {
            property: _,
            form,
            present,
            numbers: found,
        } => {
            let bits = row_bits(present, request.of.len());
            let rows = (0..).zip(bits).filter_map(|(row, bit)| bit.then_some(row));
            let rows = rows.collect();
            numbers(resolver, request, property, *form, rows, found)
        }
    }
}

/// The values of a column, of which those are resolved that an event has.
fn values<'a>(
    resolver: &mut Resolver<'_>,
    request: &EventLoadRequest,
    property: &AttributeDefinition,
    dictionary: &[Datum],
    codes: Cow<'a, [u32]>,
) -> Result<Resolved<'a>, Error> {
    let mut values: Vec<Option<StoredValue>> = vec![None; dictionary.len()];
    let mut is_resolved = vec![false; dictionary.len()];
    for (row, code) in codes.iter().enumerate() {
        let Some(code) = (*code as usize).checked_sub(1) else {
            continue;
        };
        let (Some(datum), Some(false)) = (dictionary.get(code), is_resolved.get(code)) else {
            continue;
        };
        let value = resolver.value(user_of(request, row), property, datum);
        values[code] = value.map_err(in_row(row))?;
        is_resolved[code] = true;
    }
    Ok(Resolved::Values {
        values: Arc::new(values),
        codes,
    })
}

/// The numbers of a column, or what a property of another type makes of them.
fn numbers<'a>(
    resolver: &mut Resolver<'_>,
    request: &EventLoadRequest,
    property: &AttributeDefinition,
    form: NumberForm,
    rows: Vec<u32>,
    numbers: &'a [i64],
) -> Result<Resolved<'a>, Error> {
    if property.kind.class() != AttributeClass::Numeric {
        let (dictionary, codes) = as_dictionary(form, request.of.len(), &rows, numbers);
        return values(resolver, request, property, &dictionary, codes.into());
    }
    let mut numbers = Cow::Borrowed(numbers);
    if !is_stored_as_sent(property.kind, form) {
        for (row, number) in rows.iter().zip(numbers.to_mut()) {
            let row = *row as usize;
            let datum = form.datum(*number);
            let value = resolver.value(user_of(request, row), property, &datum);
            if let Some(StoredValue::Number(stored)) = value.map_err(in_row(row))? {
                *number = stored;
            }
        }
    }
    Ok(Resolved::Numbers { rows, numbers })
}
