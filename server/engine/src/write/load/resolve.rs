//! From a load by name to the rows of every partition, by id.
//!
//! Every name and every value of a dictionary is looked up once, if any row has it.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use crate::{
    datum::Datum,
    error::Error,
    ids::{PartitionId, TagId, ValueCode},
    schema::{AttributeClass, AttributeDefinition, AttributeKind},
    storage::StoredValue,
    write::{
        HoldTerms,
        load::{
            LoadColumn, LoadRequest, LoadRows, NumberForm, PackedTexts, inviters,
            places::{Places, Resolved},
            row_bits,
        },
        resolve::{OnUnknown, Resolver},
    },
};

/// Resolves a load whose shape was checked. Partitions without rows are left out.
pub(in crate::write) fn resolve_load(
    mut resolver: Resolver<'_>,
    request: &LoadRequest,
) -> Result<Vec<(PartitionId, LoadRows)>, Error> {
    let extended = inviters::with_rows(&resolver, request)?;
    let request = extended.as_ref().unwrap_or(request);
    let places = Places::of(&request.keys, &resolver)?;
    let mut parts: Vec<LoadRows> = places.keys(&request.keys);
    let on_unknown = OnUnknown::when_given(request.unknown_tags);
    let mut taken = Vec::new();
    for column in &request.columns {
        let column = match column {
            LoadColumn::Coded {
                attribute,
                dictionary,
                codes,
            } => {
                let definition = resolver.attribute(attribute)?;
                let codes = Cow::Borrowed(codes.as_slice());
                values(&mut resolver, &request.keys, &definition, dictionary, codes)?
            }
            LoadColumn::Numbers {
                attribute,
                form,
                present,
                numbers: found,
            } => {
                let definition = resolver.attribute(attribute)?;
                let bits = row_bits(present, request.keys.len());
                let rows = (0..).zip(bits).filter_map(|(row, bit)| bit.then_some(row));
                let rows = rows.collect();
                numbers(
                    &mut resolver,
                    &request.keys,
                    &definition,
                    *form,
                    rows,
                    found,
                )?
            }
            LoadColumn::Tags { names, ends, codes } => {
                let tags = tags(&mut resolver, on_unknown, names, codes)?;
                Resolved::Tags { ends, tags }
            }
            LoadColumn::Holdings {
                names,
                ends,
                codes,
                terms,
                of,
            } => {
                let tags = tags(&mut resolver, on_unknown, names, codes)?;
                note_starts(&mut resolver, &tags, terms, of)?;
                let terms = Arc::new(terms.clone());
                Resolved::Holdings {
                    ends,
                    tags,
                    terms,
                    of,
                }
            }
            LoadColumn::Added {
                attribute,
                dictionary,
                ends,
                codes,
            } => {
                let definition = resolver.multi_attribute(attribute)?;
                added(
                    &mut resolver,
                    &request.keys,
                    &definition,
                    dictionary,
                    (ends, codes),
                )?
            }
            LoadColumn::Taken { names, ends, codes } => {
                taken.push((names, ends, codes));
                continue;
            }
        };
        places.split(column, &mut parts);
    }
    // Last, when all tags are defined that a row gives before another takes them.
    let on_unknown = OnUnknown::when_taken(request.unknown_tags);
    for (names, ends, codes) in taken {
        let column = taken_tags(&mut resolver, on_unknown, names, (ends, codes))?;
        places.split(column, &mut parts);
    }
    let parts = (0..).map(PartitionId).zip(parts);
    Ok(parts.filter(|(_, rows)| !rows.keys.is_empty()).collect())
}

/// The values of a column, of which those are resolved that a row has.
fn values<'a>(
    resolver: &mut Resolver<'_>,
    keys: &PackedTexts,
    definition: &AttributeDefinition,
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
        values[code] = resolver.value(keys.at(row).unwrap_or(""), definition, datum)?;
        is_resolved[code] = true;
    }
    if definition.kind == AttributeKind::Inviter {
        inviters::check(resolver, keys, definition.id, &values, &codes)?;
    }
    Ok(Resolved::Values {
        attribute: definition.id,
        values: Arc::new(values),
        codes,
    })
}

/// The numbers of a column, or what an attribute of another type makes of them.
fn numbers<'a>(
    resolver: &mut Resolver<'_>,
    keys: &PackedTexts,
    definition: &AttributeDefinition,
    form: NumberForm,
    rows: Vec<u32>,
    numbers: &'a [i64],
) -> Result<Resolved<'a>, Error> {
    if definition.kind.class() != AttributeClass::Numeric {
        let (dictionary, codes) = as_dictionary(form, keys.len(), &rows, numbers);
        return values(resolver, keys, definition, &dictionary, codes.into());
    }
    let mut numbers = Cow::Borrowed(numbers);
    if !is_stored_as_sent(definition.kind, form) {
        for (row, number) in rows.iter().zip(numbers.to_mut()) {
            let user = keys.at(*row as usize).unwrap_or("");
            let datum = form.datum(*number);
            if let Some(StoredValue::Number(stored)) = resolver.value(user, definition, &datum)? {
                *number = stored;
            }
        }
    }
    Ok(Resolved::Numbers {
        attribute: definition.id,
        rows,
        numbers,
    })
}

/// Whether every number of a form is stored as it is.
pub(super) fn is_stored_as_sent(kind: AttributeKind, form: NumberForm) -> bool {
    match (kind, form) {
        (AttributeKind::Integer, NumberForm::Integer) => true,
        (AttributeKind::Decimal { scale }, NumberForm::Decimal { scale: sent }) => scale == sent,
        // Not all numbers are dates and timestamps.
        (
            AttributeKind::Integer
            | AttributeKind::Decimal { .. }
            | AttributeKind::Date
            | AttributeKind::Timestamp
            | AttributeKind::Boolean
            | AttributeKind::Text
            | AttributeKind::User
            | AttributeKind::Inviter
            | AttributeKind::YearsSince(_)
            | AttributeKind::Enum(_)
            | AttributeKind::Multi(_),
            NumberForm::Integer
            | NumberForm::Decimal { .. }
            | NumberForm::Date
            | NumberForm::Timestamp,
        ) => false,
    }
}

/// Numbers as a dictionary and one code a row.
pub(super) fn as_dictionary(
    form: NumberForm,
    row_count: usize,
    rows: &[u32],
    numbers: &[i64],
) -> (Vec<Datum>, Vec<u32>) {
    let mut known: HashMap<i64, u32, RandomState> = HashMap::default();
    let mut dictionary = Vec::new();
    let mut codes = vec![0; row_count];
    for (row, number) in rows.iter().zip(numbers) {
        let code = known.entry(*number).or_insert_with(|| {
            dictionary.push(form.datum(*number));
            // At most one a row, whose numbers are `u32`s.
            dictionary.len() as u32
        });
        if let Some(place) = codes.get_mut(*row as usize) {
            *place = *code;
        }
    }
    (dictionary, codes)
}

impl NumberForm {
    pub(super) fn datum(self, number: i64) -> Datum {
        match self {
            Self::Integer => Datum::Integer(number),
            Self::Decimal { scale } => Datum::Decimal {
                units: i128::from(number),
                scale,
            },
            // Beyond 32 bits is beyond the years that there are, like the greatest.
            Self::Date => Datum::Date(i32::try_from(number).unwrap_or(i32::MAX)),
            Self::Timestamp => Datum::Timestamp(number),
        }
    }
}

/// The tags of a column, of whose names those are resolved that a row has.
fn tags(
    resolver: &mut Resolver<'_>,
    on_unknown: OnUnknown,
    names: &[String],
    codes: &[u32],
) -> Result<Vec<TagId>, Error> {
    let mut resolved: Vec<Option<TagId>> = vec![None; names.len()];
    let mut tags = Vec::with_capacity(codes.len());
    for code in codes {
        let Some(place) = resolved.get_mut(*code as usize) else {
            continue;
        };
        if place.is_none() {
            *place = resolver.tag(&names[*code as usize], on_unknown)?;
        }
        tags.extend(*place);
    }
    Ok(tags)
}

/// The values that rows add to an attribute, of which those are resolved that a row has.
fn added(
    resolver: &mut Resolver<'_>,
    keys: &PackedTexts,
    definition: &AttributeDefinition,
    dictionary: &[Datum],
    (ends, codes): (&[u32], &[u32]),
) -> Result<Resolved<'static>, Error> {
    let mut resolved: Vec<Option<ValueCode>> = vec![None; dictionary.len()];
    let mut all: Vec<ValueCode> = Vec::with_capacity(codes.len());
    let mut all_ends = Vec::with_capacity(ends.len());
    let mut of_row = Vec::new();
    let mut start = 0;
    for (row, end) in ends.iter().enumerate() {
        of_row.clear();
        for code in codes.get(start..*end as usize).unwrap_or_default() {
            let (Some(place), Some(datum)) = (
                resolved.get_mut(*code as usize),
                dictionary.get(*code as usize),
            ) else {
                continue;
            };
            if place.is_none() {
                *place = resolver.added_code(keys.at(row).unwrap_or(""), definition, datum)?;
            }
            of_row.extend(*place);
        }
        of_row.sort_unstable();
        of_row.dedup();
        all.extend_from_slice(&of_row);
        // No more than all the codes, whose ends are `u32`s.
        all_ends.push(all.len() as u32);
        start = *end as usize;
    }
    Ok(Resolved::Added {
        attribute: definition.id,
        ends: all_ends,
        codes: all,
    })
}

/// The tags that rows take, without those that nobody can hold.
fn taken_tags(
    resolver: &mut Resolver<'_>,
    on_unknown: OnUnknown,
    names: &[String],
    (ends, codes): (&[u32], &[u32]),
) -> Result<Resolved<'static>, Error> {
    let mut resolved: Vec<Option<Option<TagId>>> = vec![None; names.len()];
    let mut tags = Vec::with_capacity(codes.len());
    let mut all_ends = Vec::with_capacity(ends.len());
    let mut start = 0;
    for end in ends {
        for code in codes.get(start..*end as usize).unwrap_or_default() {
            let (Some(place), Some(name)) =
                (resolved.get_mut(*code as usize), names.get(*code as usize))
            else {
                continue;
            };
            let tag = match *place {
                Some(known) => known,
                None => {
                    let tag = resolver.tag(name, on_unknown)?;
                    if let Some(tag) = tag {
                        resolver.note_taking(tag)?;
                    }
                    *place.insert(tag)
                }
            };
            tags.extend(tag);
        }
        // No more than all the codes, whose ends are `u32`s.
        all_ends.push(tags.len() as u32);
        start = *end as usize;
    }
    Ok(Resolved::Taken {
        ends: all_ends,
        tags,
    })
}

/// Notes which static tags are to be held from later on.
fn note_starts(
    resolver: &mut Resolver<'_>,
    tags: &[TagId],
    terms: &[HoldTerms],
    of: &[u32],
) -> Result<(), Error> {
    if terms.iter().all(|terms| terms.since_s.is_none()) {
        return Ok(());
    }
    for (tag, of) in tags.iter().zip(of) {
        if let Some(terms) = terms.get(*of as usize) {
            resolver.note_start(*tag, terms)?;
        }
    }
    Ok(())
}
