//! What a commit will change: records and definitions as they will be, and how they were.
//!
//! Several requests are staged one after the other and share the commit. Each sees what those
//! before it staged; a refused one is rolled back and leaves nothing.
//!
//! What belongs to users is staged by partition, so that many changes are worked off on all
//! threads; definitions are shared, and change only in between.

mod part;
mod prefetch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

pub(super) use self::part::{LiveUser, Part, Saved, Slot, SlotId};
use crate::{
    error::Error,
    exec::{
        dataset::Dataset,
        scheduler::{Scheduler, Turn},
    },
    ids::{PartitionId, UserId},
    schema::Schema,
    storage::{PartitionState, SchemaKey, View, add_definition, partition_of_key},
    write::{command::SchemaChange, tag_notes::TagNotes},
};

/// Warnings that a request is answered with.
const WARNINGS_MAX: usize = 20;

/// What there is to go back to.
struct Start {
    schema: Arc<Schema>,
    schema_changes: usize,
}

/// The state that a commit leads from and to.
pub(super) struct Staging {
    pub(super) base: Arc<View>,
    pub(super) schema: Arc<Schema>,
    pub(super) schema_changes: Vec<SchemaChange>,
    /// A job that notes how large tags are stands alone, so that nothing else is staged beside it.
    pub(super) tag_notes: Option<TagNotes>,
    /// Of all partitions, before the commit.
    states: Arc<Vec<PartitionState>>,
    /// By partition; none where nothing was asked for.
    parts: Vec<Option<Box<Part>>>,
    request: u64,
    /// Where the present request has begun.
    begun: Vec<PartitionId>,
    start: Option<Start>,
    /// What whoever sent the present request should know though it goes well; each once.
    warnings: BTreeSet<String>,
}

impl Staging {
    /// Nothing staged on top of `base`, whose partitions are in these states.
    pub(super) fn new(base: Arc<View>, states: Arc<Vec<PartitionState>>) -> Self {
        Self {
            schema: base.schema().clone(),
            base,
            schema_changes: Vec::new(),
            tag_notes: None,
            parts: states.iter().map(|_| None).collect(),
            states,
            request: 0,
            begun: Vec::new(),
            start: None,
            warnings: BTreeSet::new(),
        }
    }

    /// Begins a request, which ends with [`Self::keep`] or [`Self::roll_back`].
    pub(super) fn begin(&mut self) {
        self.request += 1;
        self.begun.clear();
        self.warnings.clear();
        self.start = Some(Start {
            schema: self.schema.clone(),
            schema_changes: self.schema_changes.len(),
        });
    }

    /// Keeps what the request did, and tells which slots it saved where.
    pub(super) fn keep(&mut self) -> Vec<(PartitionId, Vec<Saved>)> {
        self.start = None;
        let mut saved = Vec::with_capacity(self.begun.len());
        for partition in std::mem::take(&mut self.begun) {
            if let Some(part) = self.existing(partition) {
                saved.push((partition, part.keep()));
            }
        }
        saved
    }

    /// Undoes what the request did.
    pub(super) fn roll_back(&mut self) {
        for partition in std::mem::take(&mut self.begun) {
            if let Some(part) = self.existing(partition) {
                part.roll_back();
            }
        }
        self.tag_notes = None;
        if let Some(start) = self.start.take() {
            self.schema = start.schema;
            self.schema_changes.truncate(start.schema_changes);
        }
    }

    /// Notes what whoever sent the request should know, unless there is much of it already.
    pub(super) fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.insert(warning);
        }
    }

    /// Takes what there is to say about the present request.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings).into_iter().collect()
    }

    fn existing(&mut self, partition: PartitionId) -> Option<&mut Part> {
        self.parts
            .get_mut(usize::from(partition.0))
            .and_then(Option::as_deref_mut)
    }

    /// Adds, replaces or drops a definition.
    pub(super) fn change_definition(&mut self, change: SchemaChange) -> Result<(), Error> {
        let schema = Arc::make_mut(&mut self.schema);
        match &change {
            SchemaChange::Put { key, definition } => {
                add_definition(schema, *key, definition.clone())
                    .map_err(|error| Error::Internal(error.to_string()))?;
            }
            SchemaChange::Drop { key } => match *key {
                SchemaKey::Tag(id) => schema.remove_tag(id),
                SchemaKey::Group(id) => schema.remove_group(id),
                SchemaKey::Attribute(id) => schema.remove_attribute(id),
                SchemaKey::Segment(id) => schema.remove_segment(id),
                SchemaKey::Event(id) => schema.remove_event(id),
                SchemaKey::Form(id) => schema.remove_form(id),
                SchemaKey::Value(..) => {
                    return Err(Error::Internal("a value cannot be dropped".to_owned()));
                }
            },
        }
        self.schema_changes.push(change);
        Ok(())
    }

    /// A partition, if it was asked for.
    pub(super) fn part(&self, partition: PartitionId) -> Option<&Part> {
        self.parts
            .get(usize::from(partition.0))
            .and_then(Option::as_deref)
    }

    /// The partitions that were asked for, rising.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter_map(Option::as_deref)
    }

    /// A partition, in which the present request begins if it had not, and the definitions.
    pub(super) fn part_mut(&mut self, partition: PartitionId) -> (&mut Part, &Schema) {
        let place = usize::from(partition.0);
        let (base, state) = (&self.base, self.states[place]);
        let part = self.parts[place]
            .get_or_insert_with(|| Box::new(Part::new(base.clone(), partition, state)));
        if part.begin(self.request) {
            self.begun.push(partition);
        }
        (part, &self.schema)
    }

    /// Who has a key, as it will be, if it was asked for before.
    pub(super) fn staged_user(&self, key: &str) -> Option<Option<UserId>> {
        let partition = partition_of_key(key, self.base.partition_count());
        self.part(partition)?.staged_user(key)
    }

    /// The state of a partition before the commit.
    pub(super) fn state_before(&self, partition: PartitionId) -> PartitionState {
        self.states[usize::from(partition.0)]
    }

    /// The states of all partitions after the commit.
    pub(super) fn into_states(self) -> Arc<Vec<PartitionState>> {
        let Self {
            mut states, parts, ..
        } = self;
        let after = Arc::make_mut(&mut states);
        for part in parts.into_iter().flatten() {
            after[usize::from(part.partition.0)] = part.state;
        }
        states
    }

    /// Does to each of several partitions what is to be done to it, on all threads. Gives the results in
    /// the order of partitions: those of `run`, whether it failed or not.
    pub(super) fn work_on<W: Send, R: Send>(
        &mut self,
        scheduler: &Scheduler,
        work: BTreeMap<PartitionId, W>,
        run: impl Fn(&mut Part, &Schema, &Turn<'_>, W) -> R + Sync,
    ) -> Result<Vec<R>, Error> {
        let mut units = Vec::with_capacity(work.len());
        for (partition, work) in work {
            self.part_mut(partition);
            if let Some(part) = self.parts[usize::from(partition.0)].take() {
                units.push(Mutex::new(Some((part, work))));
            }
        }
        let schema = &*self.schema;
        let done = scheduler.fold(units.len(), Vec::new, |mut done, turn, number| {
            let unit = units[number].lock();
            if let Some((mut part, work)) = unit.unwrap_or_else(PoisonError::into_inner).take() {
                let result = run(&mut part, schema, turn, work);
                done.push((part, result));
            }
            Ok(done)
        })?;
        let mut done: Vec<(Box<Part>, R)> = done.into_iter().flatten().collect();
        done.sort_unstable_by_key(|(part, _)| part.partition);
        let mut results = Vec::with_capacity(done.len());
        for (part, result) in done {
            let place = usize::from(part.partition.0);
            self.parts[place] = Some(part);
            results.push(result);
        }
        Ok(results)
    }

    /// Where somebody was made to refer to a key.
    pub(super) fn reference_partitions<'a>(
        &'a self,
        target: &'a str,
    ) -> impl Iterator<Item = PartitionId> + 'a {
        self.parts()
            .filter(|part| part.has_references(target))
            .map(|part| part.partition)
    }
}
