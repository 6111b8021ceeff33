//! What the writer does with each kind of job: it is staged on top of what the group has staged.
//!
//! Knows how jobs become commands, in pieces where they are large, and what is answered. Does not
//! know which jobs share a group, nor how a group is committed.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{PREFETCH_MUTATIONS_MIN, State};
use crate::{
    datum::Summary,
    error::Error,
    exec::dataset::Dataset,
    ids::PartitionId,
    storage::{IdempotentOutcome, StorageError},
    time::micros_of_timestamp,
    user_keys::PackedKeys,
    write::{
        EventLoadRequest, Job, LoadRequest, Mutation, SchemaStatement, TagNotes, UnknownTags,
        WriteRequest,
        apply::{apply, apply_notes, apply_to_schema},
        command::{Command, UserCommand},
        commit::OutcomeChanges,
        event_sweep,
        facts::summarise,
        idempotency::IdempotencyKey,
        load::{Loads, resolve_event_load, resolve_load},
        merge::PlannedMerge,
        resolve::{Resolver, resolve},
        schema_change,
        size::bytes_copied,
        spread::{Share, apply_all},
        staging::Staging,
        submit::{Select, Selected, SelectedUsers, Submitted},
        sweep::{ended_by, find_over},
        syncer::Answers,
    },
};

/// Bytes of made mutations that are staged at once.
const PIECE_BYTES: u64 = 8 << 20;

/// Requests that share a commit.
pub(super) struct Group {
    pub(super) staging: Staging,
    pub(super) loads: Loads,
    pub(super) outcomes: OutcomeChanges,
    pub(super) answers: Answers,
    pub(super) bytes: u64,
}

impl State {
    /// Stages one after the other; gives back the first that must wait for the group's commit.
    pub(super) fn stage_all(
        &self,
        group: &mut Group,
        taken: &mut VecDeque<Submitted>,
    ) -> Option<Submitted> {
        while let Some(submitted) = taken.pop_front() {
            let put_off = self.stage(group, submitted);
            if put_off.is_some() {
                return put_off;
            }
        }
        None
    }

    pub(super) fn group(&self) -> Group {
        Group {
            staging: Staging::new(self.newest.clone(), self.partitions.clone()),
            loads: Loads::new(self.partitions.len()),
            outcomes: OutcomeChanges::default(),
            answers: Vec::new(),
            bytes: 0,
        }
    }

    /// Does a job on top of what the group has staged. A refused job leaves no trace. Gives one
    /// back that must wait for the group's commit.
    fn stage(&self, group: &mut Group, submitted: Submitted) -> Option<Submitted> {
        let Submitted { job, bytes, reply } = submitted;
        if let Some(reason) = &self.stopped_by {
            let stopped = StorageError::WritesStopped(reason.clone());
            group.answers.push((reply, Err(stopped.into())));
            return None;
        }
        group.staging.begin();
        group.bytes += bytes;
        let result = match job {
            Job::Write(request) => self.stage_request(group, request),
            Job::Load(request) => match self.stage_load(group, &request) {
                Ok(Some(summary)) => Ok(summary),
                Ok(None) => {
                    group.staging.roll_back();
                    let job = Job::Load(request);
                    return Some(Submitted { job, bytes, reply });
                }
                Err(error) => Err(error),
            },
            Job::LoadEvents(request) => match self.stage_event_load(group, &request) {
                Ok(Some(summary)) => Ok(summary),
                Ok(None) => {
                    group.staging.roll_back();
                    let job = Job::LoadEvents(request);
                    return Some(Submitted { job, bytes, reply });
                }
                Err(error) => Err(error),
            },
            Job::Where(select) => self.stage_where(group, select),
            Job::SweepEvents => self.stage_event_sweep(group),
            Job::Schema(statement) => self.stage_schema(group, &statement),
            Job::Sweep => self.stage_sweep(group),
            Job::NoteTags(notes) => self.stage_tag_notes(group, *notes),
        };
        if result.is_err() {
            group.staging.roll_back();
        }
        group.answers.push((reply, result));
        None
    }

    fn stage_request(&self, group: &mut Group, request: WriteRequest) -> Result<Summary, Error> {
        if let Some(summary) = self.answered(group, request.idempotency_key) {
            return Ok(summary);
        }
        let at_us = micros_of_timestamp(self.clock.now());
        self.stage_piece(group, at_us, request.unknown_tags, request.mutations)?;
        let summary = self.keep(group)?;
        remember(group, request.idempotency_key, at_us, &summary);
        Ok(summary)
    }

    /// `None` when the load must wait for the group's commit.
    fn stage_load(
        &self,
        group: &mut Group,
        request: &LoadRequest,
    ) -> Result<Option<Summary>, Error> {
        if let Some(summary) = self.answered(group, request.idempotency_key) {
            return Ok(Some(summary));
        }
        let at_us = micros_of_timestamp(self.clock.now());
        let Group { staging, loads, .. } = group;
        let resolver = Resolver::new(staging, &self.limits, at_us, request.unknown_tags);
        let parts = resolve_load(resolver, request)?;
        let Some(direct) = loads.stage(staging, &self.limits, &self.scheduler, at_us, parts)?
        else {
            return Ok(None);
        };
        let mut summary = self.keep(group)?;
        summary.users_changed += direct.users;
        summary.facts_changed += direct.facts;
        remember(group, request.idempotency_key, at_us, &summary);
        Ok(Some(summary))
    }

    /// As [`Self::stage_load`], of events.
    fn stage_event_load(
        &self,
        group: &mut Group,
        request: &EventLoadRequest,
    ) -> Result<Option<Summary>, Error> {
        if let Some(summary) = self.answered(group, request.idempotency_key) {
            return Ok(Some(summary));
        }
        let at_us = micros_of_timestamp(self.clock.now());
        let Group { staging, loads, .. } = group;
        let resolver = Resolver::new(staging, &self.limits, at_us, UnknownTags::Refuse);
        let parts = resolve_event_load(resolver, request)?;
        let unknown_users = request.unknown_users;
        let (limits, scheduler) = (&self.limits, &self.scheduler);
        let staged = loads.stage_events(staging, limits, scheduler, at_us, unknown_users, parts)?;
        let Some(direct) = staged else {
            return Ok(None);
        };
        let mut summary = self.keep(group)?;
        summary.users_changed += direct.users;
        summary.facts_changed += direct.facts;
        remember(group, request.idempotency_key, at_us, &summary);
        Ok(Some(summary))
    }

    /// The answer to an earlier request with the same key.
    fn answered(&self, group: &mut Group, key: Option<IdempotencyKey>) -> Option<Summary> {
        let key = key?;
        let staged = group
            .outcomes
            .added
            .iter()
            .find(|(staged, _)| *staged == key)
            .map(|(_, outcome)| outcome);
        let summary = summary_of(staged.or_else(|| self.outcomes.find(&key))?);
        group.staging.keep();
        Some(summary)
    }

    fn stage_where(&self, group: &mut Group, select: Select) -> Result<Summary, Error> {
        let view = group.staging.base.clone();
        let selected = catch_unwind(AssertUnwindSafe(|| select(&view)));
        let selected = selected
            .unwrap_or_else(|_| Err(Error::Internal("finding the users panicked".to_owned())))?;
        let at_us = micros_of_timestamp(self.clock.now());
        match selected {
            Selected::Mutations(mutations) => {
                let mut mutations = mutations.peekable();
                while mutations.peek().is_some() {
                    let piece = next_piece(&mut mutations);
                    self.stage_piece(group, at_us, UnknownTags::Refuse, piece)?;
                }
            }
            Selected::Users(selected) => self.stage_users(group, at_us, &selected)?,
        }
        self.keep(group)
    }

    /// Does the same to many users, who are read and changed on all threads.
    fn stage_users(
        &self,
        group: &mut Group,
        at_us: i64,
        selected: &SelectedUsers,
    ) -> Result<(), Error> {
        let staging = &mut group.staging;
        let keys = staging.prefetch_stored(&self.scheduler, &selected.users)?;
        let mut all = keys.values().flatten().flat_map(PackedKeys::iter);
        let Some(changes) = all.next().map(&selected.change) else {
            return Ok(());
        };
        drop(all);
        if changes.iter().any(Mutation::concerns_others) {
            let mutations = keys.values().flatten().flat_map(PackedKeys::iter);
            let mut mutations = mutations.flat_map(&selected.change).peekable();
            while mutations.peek().is_some() {
                let piece = next_piece(&mut mutations);
                self.stage_known(group, at_us, UnknownTags::Refuse, piece)?;
            }
            return Ok(());
        }
        // What they mean does not depend on whom they are about.
        let steps = resolve(staging, &self.limits, at_us, UnknownTags::Refuse, changes)?;
        let steps: Vec<UserCommand> = steps
            .into_iter()
            .flat_map(|(_, steps)| steps.commands)
            .collect();
        let done = staging.work_on(&self.scheduler, keys, |part, schema, turn, keys| {
            keys.iter().try_for_each(|keys| {
                let of_user = |key| {
                    steps
                        .iter()
                        .map(move |step: &UserCommand| step.of_user(key))
                };
                let commands = keys.iter().flat_map(of_user).collect();
                let command = Command::Users { at_us, commands };
                apply(part, schema, &self.limits, Some(turn), command)
            })
        })?;
        let refused = done.into_iter().find_map(Result::err);
        refused.map_or(Ok(()), |refusal| Err(refusal.error))
    }

    fn stage_piece(
        &self,
        group: &mut Group,
        at_us: i64,
        unknown_tags: UnknownTags,
        mutations: Vec<Mutation>,
    ) -> Result<(), Error> {
        let staging = &mut group.staging;
        if mutations.len() >= PREFETCH_MUTATIONS_MIN {
            let inviters = mutations.iter().flat_map(Mutation::inviters);
            let users = mutations.iter().map(Mutation::user);
            staging.prefetch(&self.scheduler, users.chain(inviters))?;
        }
        self.stage_known(group, at_us, unknown_tags, mutations)
    }

    /// Stages mutations whose users were read, as far as that pays.
    fn stage_known(
        &self,
        group: &mut Group,
        at_us: i64,
        unknown_tags: UnknownTags,
        mutations: Vec<Mutation>,
    ) -> Result<(), Error> {
        let staging = &mut group.staging;
        let commands = resolve(staging, &self.limits, at_us, unknown_tags, mutations)?;
        let shares = commands
            .into_iter()
            .map(|(partition, steps)| (partition, Share::of_steps(at_us, steps)));
        apply_all(staging, &self.limits, &self.scheduler, shares.collect())
    }

    fn stage_sweep(&self, group: &mut Group) -> Result<Summary, Error> {
        let at_us = micros_of_timestamp(self.clock.now());
        let ended_by_s = ended_by(&self.limits, at_us);
        let found = find_over(&group.staging.base, ended_by_s)?;
        let commands = found.into_iter().map(|(partition, users)| {
            let command = Command::Sweep {
                at_us,
                ended_by_s,
                users,
            };
            (partition, command)
        });
        self.stage_commands(group, commands)
    }

    /// Applies commands of several partitions.
    fn stage_commands(
        &self,
        group: &mut Group,
        commands: impl Iterator<Item = (PartitionId, Command)>,
    ) -> Result<Summary, Error> {
        let staging = &mut group.staging;
        let shares = commands.map(|(partition, command)| (partition, Share::from(command)));
        apply_all(staging, &self.limits, &self.scheduler, shares.collect())?;
        self.keep(group)
    }

    fn stage_schema(
        &self,
        group: &mut Group,
        statement: &SchemaStatement,
    ) -> Result<Summary, Error> {
        let now = self.clock.now();
        let planned = schema_change::plan(&group.staging.base, &self.limits, now, statement)?;
        let at_us = micros_of_timestamp(now);
        let mut summary = Summary {
            warnings: planned.warnings,
            ..Summary::default()
        };
        if let Some(PlannedMerge {
            from,
            into,
            users,
            newly,
        }) = planned.merge
        {
            let partitions = (0..group.staging.base.partition_count()).map(PartitionId);
            let shares = partitions.map(|partition| {
                let command = Command::MergeTag { at_us, from, into };
                (partition, Share::from(command))
            });
            apply_all(
                &mut group.staging,
                &self.limits,
                &self.scheduler,
                shares.collect(),
            )?;
            summary.users_changed = users;
            summary.facts_changed = users + newly;
        }
        apply_to_schema(&mut group.staging, planned.changes)?;
        group.staging.keep();
        Ok(summary)
    }

    fn stage_tag_notes(&self, group: &mut Group, notes: TagNotes) -> Result<Summary, Error> {
        apply_notes(&mut group.staging, notes);
        self.keep(group)
    }

    fn stage_event_sweep(&self, group: &mut Group) -> Result<Summary, Error> {
        let at_us = micros_of_timestamp(self.clock.now());
        let commands = event_sweep::find(&group.staging.base, &self.limits, at_us)?;
        let facts_changed = commands.len() as u64;
        self.stage_commands(group, commands.into_iter())?;
        Ok(Summary {
            facts_changed,
            ..Summary::default()
        })
    }

    /// Keeps what a request staged, and says what it changed.
    fn keep(&self, group: &mut Group) -> Result<Summary, Error> {
        let saved = group.staging.keep();
        let summary = summarise(&group.staging, &self.scheduler, &saved)?;
        Ok(Summary {
            warnings: group.staging.take_warnings(),
            ..summary
        })
    }
}

/// The next mutations that together take about [`PIECE_BYTES`].
fn next_piece(mutations: &mut dyn Iterator<Item = Mutation>) -> Vec<Mutation> {
    let mut bytes = 0;
    let mut piece = Vec::new();
    while bytes < PIECE_BYTES {
        let Some(mutation) = mutations.next() else {
            break;
        };
        bytes += bytes_copied(&mutation);
        piece.push(mutation);
    }
    piece
}

/// Remembers the answer to a request with a key.
fn remember(group: &mut Group, key: Option<IdempotencyKey>, at_us: i64, summary: &Summary) {
    if let Some(key) = key {
        let outcome = IdempotentOutcome {
            at_us,
            users_changed: summary.users_changed,
            facts_changed: summary.facts_changed,
        };
        group.outcomes.added.push((key, outcome));
    }
}

fn summary_of(outcome: &IdempotentOutcome) -> Summary {
    Summary {
        users_changed: outcome.users_changed,
        facts_changed: outcome.facts_changed,
        ..Summary::default()
    }
}
