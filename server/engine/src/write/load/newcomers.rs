//! Which rows of a load are of new users, and what those users hold in the end.
//!
//! A user is new when its key is neither in the store nor staged, and comes once in the load: then
//! nothing about it needs to be read, undone or merged. All other rows go the way of mutations.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::{
    error::Error,
    ids::{GroupId, PartitionId, TagId, UserId},
    limits::Limits,
    schema::{Schema, TagDefinition, Validity},
    storage::{Common, Source, StoredValue, Terms, UserRecord},
    time::second_of_micros,
    write::{
        LimitError, WriteError,
        holdings::{Holdings, no_new_holdings},
        load::{LoadRows, rows::RowColumn},
        staging::Staging,
    },
};

/// The new users of one partition, in the order of rows and of ids.
pub(in crate::write) struct Newcomers {
    pub(super) partition: PartitionId,
    pub(super) rows: LoadRows,
    /// Their rows.
    pub(super) found: Found,
    /// Their ids.
    pub(super) ids: Vec<UserId>,
}

/// A new user.
#[derive(Clone, Copy)]
pub(super) struct Newcomer<'a> {
    pub(super) row: u32,
    pub(super) id: UserId,
    /// Rising.
    pub(super) tags: &'a [TagId],
    /// How they are held.
    pub(super) terms: &'a Terms,
}

/// The rows of new users of one partition.
#[derive(Debug, Default)]
pub(in crate::write) struct Found {
    /// Which rows, rising.
    pub(super) rows: Vec<u32>,
    /// The same in the order of their keys.
    by_key: Vec<u32>,
    /// Where each one's tags end.
    tag_ends: Vec<usize>,
    /// The tags that each holds in the end, rising, each once.
    tags: Vec<TagId>,
    /// How they are held.
    terms: Terms,
    /// How those users hold theirs who hold some otherwise: by row, rising.
    unlike: Vec<(u32, Terms)>,
    /// How many tags and values they get in all.
    facts: u64,
}

/// What holds for all rows of a load.
pub(in crate::write) struct Rules<'a> {
    limits: &'a Limits,
    schema: &'a Schema,
    /// The second of the load.
    at_s: i64,
    /// The tags of exclusive groups.
    exclusive: HashMap<TagId, GroupId, RandomState>,
    /// The tags that take no new holdings.
    closed: HashSet<TagId, RandomState>,
    /// The tags whose holdings end.
    dynamic: HashSet<TagId, RandomState>,
}

impl<'a> Rules<'a> {
    /// The rules of a schema.
    pub(in crate::write) fn new(schema: &'a Schema, limits: &'a Limits, at_us: i64) -> Self {
        let mut exclusive = HashMap::default();
        if schema.group_count() > 0 {
            let of_exclusive = schema
                .tags_by_id()
                .filter_map(|tag| Some((tag.id, schema.exclusive_group(tag.id)?.id)));
            exclusive.extend(of_exclusive);
        }
        let is_dynamic = |tag: &&TagDefinition| tag.validity != Validity::Static;
        let dynamic = schema.tags_by_id().filter(is_dynamic);
        let closed = schema.tags_by_id().filter(|tag| tag.lifecycle.is_closed());
        Self {
            limits,
            schema,
            at_s: second_of_micros(at_us),
            exclusive,
            closed: closed.map(|tag| tag.id).collect(),
            dynamic: dynamic.map(|tag| tag.id).collect(),
        }
    }

    fn holdings(&self) -> Holdings<'_> {
        Holdings {
            schema: self.schema,
            at_s: self.at_s,
        }
    }

    /// How many values of a multi attribute a user may have.
    fn values_max(&self) -> usize {
        self.limits.user_values_max as usize
    }

    /// Refuses a tag that takes no new holdings.
    fn check_open(&self, tag: TagId) -> Result<(), WriteError> {
        if !self.closed.contains(&tag) {
            return Ok(());
        }
        self.schema
            .tag_by_id(tag)
            .map_or(Ok(()), |tag| Err(no_new_holdings(tag)))
    }
}

impl Found {
    /// Finds the new users among rows of a partition. `None` when a row is of a user whom an
    /// earlier load of the same commit makes: its rows must be told apart by commits.
    pub(in crate::write) fn find(
        staging: &Staging,
        rules: &Rules<'_>,
        partition: PartitionId,
        rows: &LoadRows,
        earlier: &[Newcomers],
    ) -> Result<Option<Self>, Error> {
        let sorted = SortedKeys::of(rows);
        if earlier.iter().any(|newcomers| sorted.meets(newcomers)) {
            return Ok(None);
        }
        if sets_an_attribute_twice(rows) {
            return Ok(Some(Self::default()));
        }
        let by_key = sorted.new_ones(staging, partition)?;
        let mut found = Self {
            rows: by_key.clone(),
            by_key,
            ..Self::default()
        };
        found.rows.sort_unstable();
        found.settle(rules, rows)?;
        Ok(Some(found))
    }

    /// Works out what each new user holds in the end.
    fn settle(&mut self, rules: &Rules<'_>, rows: &LoadRows) -> Result<(), Error> {
        self.terms = Terms::from(Common {
            source: Source::Import,
            since_s: Some(rules.at_s),
        });
        let says_how = rows.columns.iter().any(RowColumn::says_how);
        let is_alike = !says_how && rules.dynamic.is_empty();
        for &row in &self.rows {
            let start = self.tags.len();
            if is_alike {
                settle_alike(rules, rows, row, &mut self.tags)?;
            } else {
                let record = held_in_the_end(rules, rows, row)?;
                self.tags.extend_from_slice(&record.tags);
                if !record.terms.is_common(&self.terms) {
                    self.unlike.push((row, record.terms));
                }
            }
            if self.tags.len() - start > rules.limits.user_tags_max as usize {
                return Err(LimitError::UserTags {
                    user: rows.keys.at(row as usize).unwrap_or("").to_owned(),
                    max: rules.limits.user_tags_max,
                }
                .into());
            }
            self.tag_ends.push(self.tags.len());
        }
        self.facts = self.tags.len() as u64;
        for column in &rows.columns {
            self.check_values(rules, rows, column)?;
            self.facts += self.facts_of(column);
        }
        Ok(())
    }

    /// Refuses more values of a multi attribute than a user may have.
    fn check_values(
        &self,
        rules: &Rules<'_>,
        rows: &LoadRows,
        column: &RowColumn,
    ) -> Result<(), LimitError> {
        let Some(attribute) = column
            .attribute()
            .filter(|_| column.values_most() > rules.values_max())
        else {
            return Ok(());
        };
        let beyond = self.rows.iter().map(|row| *row as usize).find(|row| {
            let added = column.added(*row).map_or(0, |(_, codes)| codes.len());
            column.stored(*row).map_or(added, values_in) > rules.values_max()
        });
        let Some(row) = beyond else {
            return Ok(());
        };
        let definition = rules.schema.attribute_by_id(attribute);
        Err(LimitError::UserValues {
            user: rows.keys.at(row).unwrap_or("").to_owned(),
            attribute: definition.map_or_else(String::new, |it| it.name.to_string()),
            max: rules.limits.user_values_max,
        })
    }

    /// How many values a column gives.
    fn facts_of(&self, column: &RowColumn) -> u64 {
        let rows = self.rows.iter().map(|row| *row as usize);
        match column {
            RowColumn::Values { .. } => rows
                .filter_map(|row| column.stored(row))
                .map(|value| values_in(value) as u64)
                .sum(),
            RowColumn::Numbers { rows: with, .. } => {
                let mut with = with.iter().peekable();
                let has_number = |row: &&u32| {
                    while with.next_if(|next| *next < *row).is_some() {}
                    with.peek() == Some(row)
                };
                self.rows.iter().filter(has_number).count() as u64
            }
            RowColumn::Added { .. } => rows
                .filter_map(|row| column.added(row))
                .map(|(_, codes)| codes.len() as u64)
                .sum(),
            RowColumn::Tags { .. } | RowColumn::Holdings { .. } | RowColumn::Taken { .. } => 0,
        }
    }

    /// The users and facts that come with them.
    pub(in crate::write) fn changed(&self) -> (u64, u64) {
        (self.rows.len() as u64, self.facts)
    }

    /// Whether there are none.
    pub(in crate::write) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a row is of one of them. The rows are asked for in rising order.
    pub(in crate::write) fn take_if(&self, next: &mut usize, row: usize) -> bool {
        let is_next = self.rows.get(*next).is_some_and(|new| *new as usize == row);
        *next += usize::from(is_next);
        is_next
    }
}

impl Newcomers {
    pub(in crate::write) fn new(
        partition: PartitionId,
        rows: LoadRows,
        found: Found,
        ids: Vec<UserId>,
    ) -> Self {
        Self {
            partition,
            rows,
            found,
            ids,
        }
    }

    /// The id of the one with a key.
    pub(super) fn id_of(&self, key: &str) -> Option<UserId> {
        let key_of = |row: &u32| self.rows.keys.at(*row as usize).unwrap_or("");
        let by_key = &self.found.by_key;
        let place = by_key.binary_search_by(|row| key_of(row).cmp(key)).ok()?;
        let place = self.found.rows.binary_search(by_key.get(place)?).ok()?;
        self.ids.get(place).copied()
    }

    /// All of them, in the order of rows and of ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = Newcomer<'_>> {
        let found = &self.found;
        let starts = std::iter::once(&0).chain(&found.tag_ends);
        let tags = starts
            .zip(&found.tag_ends)
            .map(|(start, end)| found.tags.get(*start..*end).unwrap_or(&[]));
        let mut unlike = found.unlike.iter().peekable();
        let users = found.rows.iter().zip(&self.ids);
        users.zip(tags).map(move |((row, id), tags)| Newcomer {
            row: *row,
            id: *id,
            tags,
            terms: unlike
                .next_if(|(other, _)| other == row)
                .map_or(&found.terms, |(_, terms)| terms),
        })
    }

    /// Their keys with their ids, in the order of keys.
    pub(super) fn keys_with_ids(&self) -> impl Iterator<Item = (&str, UserId)> {
        self.found.by_key.iter().filter_map(|row| {
            let place = self.found.rows.binary_search(row).ok()?;
            Some((self.rows.keys.at(*row as usize)?, *self.ids.get(place)?))
        })
    }
}

/// The keys of rows, sorted; equal ones in the order of rows.
struct SortedKeys<'a> {
    keys: Vec<(&'a str, u32)>,
}

impl<'a> SortedKeys<'a> {
    fn of(rows: &'a LoadRows) -> Self {
        let mut keys: Vec<(&str, u32)> = rows.keys.iter().zip(0..).collect();
        keys.sort_unstable();
        Self { keys }
    }

    /// Whether one of the keys is that of one of these users.
    fn meets(&self, newcomers: &Newcomers) -> bool {
        let mut keys = self.keys.iter().peekable();
        newcomers.found.by_key.iter().any(|row| {
            let other = newcomers.rows.keys.at(*row as usize).unwrap_or("");
            while keys.next_if(|(key, _)| *key < other).is_some() {}
            keys.peek().is_some_and(|(key, _)| *key == other)
        })
    }

    /// The rows whose keys come once and are no user's, in the order of keys.
    fn new_ones(&self, staging: &Staging, partition: PartitionId) -> Result<Vec<u32>, Error> {
        let part = staging.part(partition);
        let is_staged = |key: &str| part.is_some_and(|part| part.has_slot(key));
        let once: Vec<(&str, u32)> = self
            .keys
            .chunk_by(|(left, _), (right, _)| left == right)
            .filter_map(|chunk| match chunk {
                [(key, row)] if !is_staged(key) => Some((*key, *row)),
                _ => None,
            })
            .collect();
        let mut is_known = vec![false; once.len()];
        let keys = once.iter().map(|(key, _)| *key);
        staging
            .base
            .known_users(partition, keys, |place| is_known[place] = true)?;
        let unknown = once.iter().zip(is_known).filter(|(_, known)| !known);
        Ok(unknown.map(|((_, row), _)| *row).collect())
    }
}

/// How many values a value is.
fn values_in(value: &StoredValue) -> usize {
    match value {
        StoredValue::Codes(codes) => codes.len(),
        StoredValue::Code(_) | StoredValue::Number(_) | StoredValue::Text(_) => 1,
    }
}

/// Whether two columns are of one attribute: then a row may set it, and set it again.
fn sets_an_attribute_twice(rows: &LoadRows) -> bool {
    let mut attributes = BTreeSet::new();
    let mut of_columns = rows.columns.iter().filter_map(RowColumn::attribute);
    !of_columns.all(|attribute| attributes.insert(attribute))
}

/// Appends the tags of a row about which there is nothing to say but which they are.
fn settle_alike(
    rules: &Rules<'_>,
    rows: &LoadRows,
    row: u32,
    tags: &mut Vec<TagId>,
) -> Result<(), WriteError> {
    let start = tags.len();
    for column in &rows.columns {
        for &tag in column.tags(row as usize) {
            rules.check_open(tag)?;
            give_tag(rules, tags, start, tag);
        }
    }
    tags[start..].sort_unstable();
    dedup_from(tags, start);
    Ok(())
}

/// What a new user's tags are after a row, by the rules for anybody.
fn held_in_the_end(rules: &Rules<'_>, rows: &LoadRows, row: u32) -> Result<UserRecord, WriteError> {
    let mut record = UserRecord::default();
    for column in &rows.columns {
        for (tag, terms) in column.given(row as usize) {
            if let Some(holding) = rules.holdings().given(&record, tag, &terms)? {
                rules.holdings().give(&mut record, tag, holding);
            }
        }
    }
    Ok(record)
}

/// Gives a user, whose tags so far begin at `start`, one more.
fn give_tag(rules: &Rules<'_>, tags: &mut Vec<TagId>, start: usize, tag: TagId) {
    if let Some(group) = rules.exclusive.get(&tag) {
        if tags[start..].contains(&tag) {
            return;
        }
        let mut place = start;
        while place < tags.len() {
            if rules.exclusive.get(&tags[place]) == Some(group) {
                tags.swap_remove(place);
            } else {
                place += 1;
            }
        }
    }
    tags.push(tag);
}

/// Leaves of equal neighbours from `start` on one.
fn dedup_from(tags: &mut Vec<TagId>, start: usize) {
    let mut kept = start;
    for place in start..tags.len() {
        if place == start || tags[place] != tags[kept - 1] {
            tags[kept] = tags[place];
            kept += 1;
        }
    }
    tags.truncate(kept);
}
