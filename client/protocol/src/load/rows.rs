//! Some of the rows, and rows as mutations: for whoever has to part what was sent together.
//!
//! Knows how rows are said another way. Does not know why they are parted.

use super::{LoadColumn, LoadRows, NumberForm, PackedTexts};
use crate::message::{Datum, HoldTerms, Mutation};

impl LoadRows {
    /// The rows at these places, in this order, with dictionaries of only what they need. Places
    /// where there is no row are passed over.
    #[must_use]
    pub fn select(&self, places: &[u32]) -> Self {
        let there: Vec<usize> = places
            .iter()
            .map(|place| *place as usize)
            .filter(|place| *place < self.len())
            .collect();
        Self {
            keys: self.keys.select(&there),
            columns: self
                .columns
                .iter()
                .map(|column| column.select(&there))
                .collect(),
        }
    }

    /// Reads them row by row.
    pub fn reader(&self) -> RowReader<'_> {
        let ranks = self.columns.iter().map(Ranks::of).collect();
        RowReader { rows: self, ranks }
    }
}

/// Reads what columns say row by row.
#[derive(Debug)]
pub struct RowReader<'a> {
    rows: &'a LoadRows,
    /// For each column.
    ranks: Vec<Ranks>,
}

impl RowReader<'_> {
    /// What one row says, as mutations: the values that are set first, then those that are added,
    /// then the tags that are taken, and those that are given; that the user exists when it says
    /// nothing else but which tags are taken. None when there is no such row.
    pub fn mutations(&self, row: usize) -> Vec<Mutation> {
        let Some(user) = self.rows.keys.get(row) else {
            return Vec::new();
        };
        let mut said = Said::default();
        for (column, ranks) in self.rows.columns.iter().zip(&self.ranks) {
            said.add(column, ranks, row);
        }
        said.into_mutations(user)
    }
}

/// What a row says, gathered from its columns.
#[derive(Default)]
struct Said {
    values: Vec<(String, Datum)>,
    added: Vec<(String, Vec<Datum>)>,
    taken: Vec<String>,
    tags: Vec<String>,
    held: Vec<(HoldTerms, Vec<String>)>,
}

impl Said {
    fn add(&mut self, column: &LoadColumn, ranks: &Ranks, row: usize) {
        match column {
            LoadColumn::Coded {
                attribute,
                dictionary,
                codes,
            } => {
                let value = value_of(dictionary, codes, row);
                self.values
                    .extend(value.map(|value| (attribute.clone(), value.clone())));
            }
            LoadColumn::Numbers {
                attribute,
                form,
                present,
                numbers,
            } => {
                let number = ranks.number(present, numbers, row);
                self.values
                    .extend(number.map(|number| (attribute.clone(), form.datum(number))));
            }
            LoadColumn::Tags { names, ends, codes } => {
                self.tags.extend(entries_of(names, ends, codes, row));
            }
            LoadColumn::Holdings {
                names,
                ends,
                codes,
                terms,
                of,
            } => {
                let of = entries_of(terms, ends, of, row);
                for (name, terms) in entries_of(names, ends, codes, row).zip(of) {
                    match self.held.last_mut() {
                        Some((last, tags)) if *last == terms => tags.push(name),
                        Some(_) | None => self.held.push((terms, vec![name])),
                    }
                }
            }
            LoadColumn::Added {
                attribute,
                dictionary,
                ends,
                codes,
            } => {
                let values: Vec<Datum> = entries_of(dictionary, ends, codes, row).collect();
                if !values.is_empty() {
                    self.added.push((attribute.clone(), values));
                }
            }
            LoadColumn::Taken { names, ends, codes } => {
                self.taken.extend(entries_of(names, ends, codes, row));
            }
        }
    }

    fn into_mutations(self, user: &str) -> Vec<Mutation> {
        let Self {
            values,
            added,
            taken,
            tags,
            held,
        } = self;
        let user = || user.to_owned();
        let mut mutations = Vec::with_capacity(2);
        if values.is_empty() && added.is_empty() && tags.is_empty() && held.is_empty() {
            mutations.push(Mutation::Ensure { user: user() });
        }
        if !values.is_empty() {
            let user = user();
            mutations.push(Mutation::Set { user, values });
        }
        mutations.extend(added.into_iter().map(|(attribute, values)| Mutation::Add {
            user: user(),
            attribute,
            values,
        }));
        if !taken.is_empty() {
            let user = user();
            mutations.push(Mutation::Untag { user, tags: taken });
        }
        if !tags.is_empty() {
            let user = user();
            mutations.push(Mutation::Tag { user, tags });
        }
        mutations.extend(held.into_iter().map(|(terms, tags)| Mutation::Hold {
            user: user(),
            tags,
            terms,
        }));
        mutations
    }
}

/// The entries of a dictionary that a row lists.
fn entries_of<'a, T: Clone>(
    entries: &'a [T],
    ends: &[u32],
    codes: &'a [u32],
    row: usize,
) -> impl Iterator<Item = T> + use<'a, T> {
    let codes = codes_of(ends, codes, row).iter();
    codes.filter_map(|code| entries.get(*code as usize).cloned())
}

pub(super) fn value_of<'a>(
    dictionary: &'a [Datum],
    codes: &[u32],
    row: usize,
) -> Option<&'a Datum> {
    let code = *codes.get(row)? as usize;
    dictionary.get(code.checked_sub(1)?)
}

impl NumberForm {
    /// A number as the value that it is.
    pub fn datum(self, number: i64) -> Datum {
        match self {
            Self::Integer => Datum::Integer(number),
            Self::Decimal { scale } => Datum::decimal(number, scale),
            // Rows with other dates are neither encoded nor decoded.
            Self::Date => Datum::Date(i32::try_from(number).unwrap_or(i32::MAX)),
            Self::Timestamp => Datum::Timestamp(number),
        }
    }
}

/// For each byte of a column's presence how many numbers there are before it; nothing for other
/// columns.
#[derive(Debug)]
struct Ranks(Vec<u32>);

impl Ranks {
    fn of(column: &LoadColumn) -> Self {
        let present: &[u8] = match column {
            LoadColumn::Numbers { present, .. } => present,
            LoadColumn::Coded { .. }
            | LoadColumn::Tags { .. }
            | LoadColumn::Holdings { .. }
            | LoadColumn::Added { .. }
            | LoadColumn::Taken { .. } => &[],
        };
        Self(ranks_of(present))
    }

    fn number(&self, present: &[u8], numbers: &[i64], row: usize) -> Option<i64> {
        ranked(*self.0.get(row / 8)?, present, numbers, row)
    }
}

/// For each byte of a presence how many numbers there are before it.
pub(super) fn ranks_of(present: &[u8]) -> Vec<u32> {
    let before = present.iter().scan(0, |sum, byte| {
        let before = *sum;
        *sum += byte.count_ones();
        Some(before)
    });
    before.collect()
}

/// The number of a row, given how many there are before the byte of its presence.
pub(super) fn ranked(rank: u32, present: &[u8], numbers: &[i64], row: usize) -> Option<i64> {
    let byte = *present.get(row / 8)?;
    let bit = 1_u8 << (row % 8);
    let within = (byte & (bit - 1)).count_ones();
    let place = rank + within;
    numbers
        .get(place as usize)
        .filter(|_| byte & bit != 0)
        .copied()
}

impl PackedTexts {
    pub(super) fn select(&self, places: &[usize]) -> Self {
        let mut texts = Self {
            text: String::with_capacity(places.len() * self.text.len() / self.len().max(1)),
            ends: Vec::with_capacity(places.len()),
        };
        for place in places {
            texts.text.push_str(self.get(*place).unwrap_or_default());
            // Some of the texts take no more bytes than all; the same one many times might.
            texts.ends.push(texts.text.len() as u32);
        }
        texts
    }
}

impl LoadColumn {
    fn select(&self, places: &[usize]) -> Self {
        match self {
            Self::Coded {
                attribute,
                dictionary,
                codes,
            } => {
                let mut kept = Kept::new(dictionary);
                let code = |place: &usize| match codes.get(*place).copied().unwrap_or(0) {
                    0 => 0,
                    code => kept.place_of(code - 1) + 1,
                };
                let codes = places.iter().map(code).collect();
                Self::Coded {
                    attribute: attribute.clone(),
                    dictionary: kept.entries,
                    codes,
                }
            }
            Self::Numbers {
                attribute,
                form,
                present,
                numbers,
            } => {
                let ranks = Ranks::of(self);
                let number = |place: &usize| ranks.number(present, numbers, *place);
                let some: Vec<Option<i64>> = places.iter().map(number).collect();
                Self::Numbers {
                    attribute: attribute.clone(),
                    form: *form,
                    present: presence(some.iter().map(Option::is_some)),
                    numbers: some.into_iter().flatten().collect(),
                }
            }
            Self::Tags { names, ends, codes } => {
                let (names, ends, codes) = select_lists(names, ends, codes, places);
                Self::Tags { names, ends, codes }
            }
            Self::Holdings {
                names,
                ends,
                codes,
                terms,
                of,
            } => {
                let (terms, _, of) = select_lists(terms, ends, of, places);
                let (names, ends, codes) = select_lists(names, ends, codes, places);
                Self::Holdings {
                    names,
                    ends,
                    codes,
                    terms,
                    of,
                }
            }
            Self::Added {
                attribute,
                dictionary,
                ends,
                codes,
            } => {
                let (dictionary, ends, codes) = select_lists(dictionary, ends, codes, places);
                Self::Added {
                    attribute: attribute.clone(),
                    dictionary,
                    ends,
                    codes,
                }
            }
            Self::Taken { names, ends, codes } => {
                let (names, ends, codes) = select_lists(names, ends, codes, places);
                Self::Taken { names, ends, codes }
            }
        }
    }
}

/// The lists of some rows, with a dictionary of what they need.
fn select_lists<T: Clone>(
    all: &[T],
    ends: &[u32],
    codes: &[u32],
    places: &[usize],
) -> (Vec<T>, Vec<u32>, Vec<u32>) {
    let mut kept = Kept::new(all);
    let (mut some_ends, mut some) = (Vec::with_capacity(places.len()), Vec::new());
    for place in places {
        let row = codes_of(ends, codes, *place);
        some.extend(row.iter().map(|code| kept.place_of(*code)));
        some_ends.push(some.len() as u32);
    }
    (kept.entries, some_ends, some)
}

fn codes_of<'a>(ends: &[u32], codes: &'a [u32], row: usize) -> &'a [u32] {
    let end = |row: usize| ends.get(row).map_or(0, |end| *end as usize);
    let start = row.checked_sub(1).map_or(0, end);
    codes.get(start..end(row)).unwrap_or_default()
}

/// The rows for which it is true, as [`LoadColumn::Numbers`] has them.
pub fn presence(rows: impl IntoIterator<Item = bool>) -> Vec<u8> {
    let mut bits = Vec::new();
    for (row, present) in rows.into_iter().enumerate() {
        if row % 8 == 0 {
            bits.push(0_u8);
        }
        if let Some(last) = bits.last_mut() {
            *last |= u8::from(present) << (row % 8);
        }
    }
    bits
}

/// Entries of a dictionary that are still needed, in the order in which they came to be.
pub(super) struct Kept<'a, T> {
    all: &'a [T],
    pub(super) entries: Vec<T>,
    /// For each of all entries its new place, counted from 1; 0 for none yet.
    places: Vec<u32>,
}

impl<'a, T: Clone> Kept<'a, T> {
    pub(super) fn new(all: &'a [T]) -> Self {
        Self {
            all,
            entries: Vec::new(),
            places: vec![0; all.len()],
        }
    }

    pub(super) fn place_of(&mut self, entry: u32) -> u32 {
        let (Some(place), Some(value)) = (
            self.places.get_mut(entry as usize),
            self.all.get(entry as usize),
        ) else {
            return 0;
        };
        if *place == 0 {
            self.entries.push(value.clone());
            *place = self.entries.len() as u32;
        }
        *place - 1
    }
}
