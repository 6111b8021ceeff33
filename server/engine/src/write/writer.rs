//! The one thread that writes.
//!
//! It takes what waits, stages it request by request, and appends all of it at once: many small
//! requests share one wait for the disk, and the next are staged during it. Changes of the definitions, and requests that first
//! ask who is meant, stand alone: what was staged before them is committed first.

use std::{
    collections::{HashSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

use crate::{
    datum::Summary,
    error::Error,
    exec::scheduler::Scheduler,
    ids::PartitionId,
    limits::Limits,
    storage::{
        IdempotentOutcome, OpenError, OpenedStore, PartitionState, StorageError, Store, View,
    },
    time::{Clock, micros_of_timestamp},
    write::{
        Job, LoadRequest, Mutation, SchemaStatement, UnknownTags, WriteRequest, WriterHandle,
        apply::{apply, facts_between},
        command::Command,
        commit::{Commit, OutcomeChanges},
        event_sweep,
        idempotency::{IdempotencyKey, Outcomes},
        load::{Loads, resolve_load},
        queue::Queue,
        resolve::{Resolver, resolve},
        schema_change,
        size::bytes_copied,
        staging::{LiveUser, Saved, SlotId, Staging},
        submit::{Select, Selected, SelectedUsers, Submitted},
        sweep::{ended_by, find_over},
        syncer::{Answers, Appended, Syncer, refuse},
    },
};

/// Bytes of made mutations that are staged at once.
const PIECE_BYTES: u64 = 8 << 20;
/// Users known by id who are read and staged at once.
const PIECE_USERS: usize = 1 << 15;
/// With fewer mutations it is quicker to read users one by one.
const PREFETCH_MUTATIONS_MIN: usize = 8;

/// A group of so many requests comes from so many clients that others ask while it goes to disk. With
/// fewer it is quicker not to wake another thread.
const BUSY_REQUESTS_MIN: usize = 8;

/// Bytes of loads that share a commit, the last one not counted: larger files are fewer and need
/// less merging, but the requests behind them wait.
const LOADS_BYTES_MAX: u64 = 16 << 20;

/// The writer's thread.
pub(crate) struct Writer {
    queue: Arc<Queue<Submitted>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. It publishes the views it makes in `current`.
    pub(crate) fn start(
        opened: OpenedStore,
        limits: Limits,
        clock: Arc<dyn Clock>,
        current: Arc<ArcSwap<View>>,
        scheduler: Arc<Scheduler>,
    ) -> Result<(Self, WriterHandle), OpenError> {
        let queue = Arc::new(Queue::new(limits.queue_requests_max as usize));
        let handle = WriterHandle::new(queue.clone(), limits.clone());
        let no_thread = |error: std::io::Error| {
            OpenError::InvalidOption(format!("cannot start the writer's threads: {error}"))
        };
        let syncer = Syncer::start(opened.store.clone(), current).map_err(no_thread)?;
        let mut state = State {
            store: opened.store,
            newest: opened.view,
            syncer,
            scheduler,
            partitions: opened.partitions,
            outcomes: Outcomes::new(opened.outcomes),
            limits,
            clock,
            version: 0,
            stopped_by: None,
        };
        let jobs = queue.clone();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                let _closing = CloseOnExit(&jobs);
                state.run(&jobs);
            })
            .map_err(no_thread)?;
        Ok((
            Self {
                queue,
                thread: Some(thread),
            },
            handle,
        ))
    }

    /// Lets the writer finish what was submitted, and ends it.
    pub(crate) fn stop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer's thread had ended with a panic");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Leaves nobody waiting for a thread that is gone.
struct CloseOnExit<'a>(&'a Queue<Submitted>);

impl Drop for CloseOnExit<'_> {
    fn drop(&mut self) {
        self.0.close();
        self.0.clear();
    }
}

/// What the thread owns.
struct State {
    store: Arc<Store>,
    /// The state after what was appended last, which may not be on disk yet.
    newest: Arc<View>,
    syncer: Syncer,
    scheduler: Arc<Scheduler>,
    partitions: Vec<PartitionState>,
    outcomes: Outcomes,
    limits: Limits,
    clock: Arc<dyn Clock>,
    version: u64,
    /// Set when a commit failed: what is on disk is unknown from then on.
    stopped_by: Option<String>,
}

/// Which requests may share a commit with the one before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Writes,
    Loads,
    Nothing,
}

impl Sharing {
    fn of(job: &Job) -> Self {
        match job {
            Job::Write(_) => Self::Writes,
            Job::Load(_) => Self::Loads,
            Job::Schema(_) | Job::Where(_) | Job::SweepEvents | Job::Sweep => Self::Nothing,
        }
    }

    fn admits(self, job: &Job) -> bool {
        self != Self::Nothing && self == Self::of(job)
    }

    /// With so many bytes no further request is admitted.
    fn bytes_max(self, limits: &Limits) -> u64 {
        match self {
            Self::Writes => limits.commit_bytes_max,
            Self::Loads => LOADS_BYTES_MAX,
            Self::Nothing => 0,
        }
    }
}

/// Whether the writer has something else to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Waits,
    None,
}

/// Requests that share a commit.
struct Group {
    staging: Staging,
    loads: Loads,
    outcomes: OutcomeChanges,
    answers: Answers,
    bytes: u64,
}

impl State {
    fn run(&mut self, queue: &Queue<Submitted>) {
        let mut taken = VecDeque::new();
        while let Some(first) = taken.pop_front().or_else(|| queue.pop()) {
            let sharing = Sharing::of(&first.job);
            taken.push_front(first);
            self.wait_for_earlier(sharing);
            let mut group = self.group();
            loop {
                self.take_waiting(&group, sharing, &mut taken, queue);
                if taken.is_empty() {
                    break;
                }
                self.prefetch(&mut group.staging, &taken);
                if let Some(put_off) = self.stage_all(&mut group, &mut taken) {
                    taken.push_front(put_off);
                    break;
                }
            }
            let next = match taken.is_empty() && queue.is_empty() {
                true => Next::None,
                false => Next::Waits,
            };
            self.finish(group, sharing, next);
        }
    }

    /// What stands alone begins when everything before it is on disk and seen.
    fn wait_for_earlier(&mut self, sharing: Sharing) {
        let failed = match sharing {
            Sharing::Writes => self.syncer.failure(),
            Sharing::Loads | Sharing::Nothing => self.syncer.drain().err(),
        };
        if self.stopped_by.is_none() {
            self.stopped_by = failed;
        }
    }

    /// Takes what waits and may share the group's commit.
    fn take_waiting(
        &self,
        group: &Group,
        sharing: Sharing,
        taken: &mut VecDeque<Submitted>,
        queue: &Queue<Submitted>,
    ) {
        let bytes_max = sharing.bytes_max(&self.limits);
        let mut bytes = group.bytes + taken.iter().map(|submitted| submitted.bytes).sum::<u64>();
        taken.extend(queue.pop_while(|next| {
            let is_admitted = bytes < bytes_max && sharing.admits(&next.job);
            if is_admitted {
                bytes += next.bytes;
            }
            is_admitted
        }));
    }

    /// Reads whom several writes are about at once. Where that fails each finds out for itself,
    /// so that none is refused for another.
    fn prefetch(&self, staging: &mut Staging, taken: &VecDeque<Submitted>) {
        if taken.len() < PREFETCH_MUTATIONS_MIN || self.stopped_by.is_some() {
            return;
        }
        let mutations = taken.iter().flat_map(|submitted| match &submitted.job {
            Job::Write(request) => request.mutations.as_slice(),
            Job::Load(_) | Job::Schema(_) | Job::Where(_) | Job::SweepEvents | Job::Sweep => &[],
        });
        if let Err(error) = staging.prefetch(&self.scheduler, mutations.map(Mutation::user)) {
            tracing::debug!(%error, "the users of several writes cannot be read at once");
        }
    }

    /// Stages one after the other; gives back the first that must wait for the group's commit.
    fn stage_all(&self, group: &mut Group, taken: &mut VecDeque<Submitted>) -> Option<Submitted> {
        while let Some(submitted) = taken.pop_front() {
            let put_off = self.stage(group, submitted);
            if put_off.is_some() {
                return put_off;
            }
        }
        None
    }

    fn group(&self) -> Group {
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
            Job::Where(select) => self.stage_where(group, select),
            Job::SweepEvents => self.stage_event_sweep(group),
            Job::Schema(statement) => self.stage_schema(group, &statement),
            Job::Sweep => self.stage_sweep(group),
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
        let summary = keep(group);
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
        let mut summary = keep(group);
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
        Ok(keep(group))
    }

    fn stage_users(
        &self,
        group: &mut Group,
        at_us: i64,
        selected: &SelectedUsers,
    ) -> Result<(), Error> {
        for (partition, users) in &selected.users {
            for users in users.chunks(PIECE_USERS) {
                let keys = group
                    .staging
                    .prefetch_stored(&self.scheduler, *partition, users)?;
                let mut mutations = keys.iter().flat_map(&selected.change).peekable();
                while mutations.peek().is_some() {
                    let piece = next_piece(&mut mutations);
                    self.stage_known(group, at_us, UnknownTags::Refuse, piece)?;
                }
            }
        }
        Ok(())
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
            staging.prefetch(&self.scheduler, mutations.iter().map(Mutation::user))?;
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
        for (partition, commands) in commands {
            apply(
                staging,
                &self.limits,
                partition,
                Command::Users { at_us, commands },
            )?;
        }
        Ok(())
    }

    fn stage_sweep(&self, group: &mut Group) -> Result<Summary, Error> {
        let at_us = micros_of_timestamp(self.clock.now());
        let ended_by_s = ended_by(&self.limits, at_us);
        for (partition, users) in find_over(&group.staging.base, ended_by_s)? {
            let command = Command::Sweep {
                at_us,
                ended_by_s,
                users,
            };
            apply(&mut group.staging, &self.limits, partition, command)?;
        }
        Ok(keep(group))
    }

    fn stage_schema(
        &self,
        group: &mut Group,
        statement: &SchemaStatement,
    ) -> Result<Summary, Error> {
        let now = self.clock.now();
        let planned = schema_change::plan(&group.staging.base, &self.limits, now, statement)?;
        let at_us = micros_of_timestamp(now);
        // Definitions belong to all partitions: any may be named.
        let command = Command::Schema {
            at_us,
            changes: planned.changes,
        };
        apply(&mut group.staging, &self.limits, PartitionId(0), command)?;
        group.staging.keep();
        Ok(Summary {
            warnings: planned.warnings,
            ..Summary::default()
        })
    }

    fn stage_event_sweep(&self, group: &mut Group) -> Result<Summary, Error> {
        let at_us = micros_of_timestamp(self.clock.now());
        let Group { staging, .. } = group;
        for (partition, command) in event_sweep::find(&staging.base, &self.limits, at_us)? {
            apply(staging, &self.limits, partition, command)?;
        }
        Ok(keep(group))
    }

    /// Commits a group, and answers its requests when that is on disk: here, or beside what the
    /// writer does next.
    fn finish(&mut self, group: Group, sharing: Sharing, next: Next) {
        let result = self.commit(group.staging, &group.loads, group.outcomes);
        let answers = group.answers;
        let view = match result {
            Ok(view) => view,
            Err(reason) => {
                self.stopped_by = Some(reason.clone());
                return refuse(
                    [Appended {
                        view: None,
                        answers,
                    }],
                    &reason,
                );
            }
        };
        let appended = Appended { view, answers };
        let may_go_on = sharing == Sharing::Writes && self.store.waits_for_disk();
        let is_busy = next == Next::Waits || appended.answers.len() >= BUSY_REQUESTS_MIN;
        if may_go_on && (is_busy || !self.syncer.is_idle()) {
            self.syncer.hand(appended);
        } else if let Err(reason) = self.syncer.settle(appended) {
            self.stopped_by = Some(reason);
        }
    }

    /// Appends what a group changes, and says what the state is after it, if it is another.
    fn commit(
        &mut self,
        staging: Staging,
        loads: &Loads,
        mut outcomes: OutcomeChanges,
    ) -> Result<Option<Arc<View>>, String> {
        if self.stopped_by.is_some() {
            return Ok(None);
        }
        if !outcomes.added.is_empty() {
            let now_us = micros_of_timestamp(self.clock.now());
            outcomes.removed = self
                .outcomes
                .expired(&self.limits, now_us, outcomes.added.len());
        }
        let version = self.version + 1;
        let commit = Commit {
            store: &self.store,
            staging: &staging,
            loads,
            partitions_before: &self.partitions,
            outcomes: &outcomes,
            version,
            scheduler: &self.scheduler,
        };
        let view = commit.run().map_err(|error| {
            tracing::error!(%error, "a commit failed, writing stops");
            error.to_string()
        })?;
        if let Some(view) = &view {
            self.version = version;
            self.newest = view.clone();
            self.partitions = staging.partitions;
            outcomes
                .removed
                .iter()
                .for_each(|key| self.outcomes.remove(key));
            outcomes
                .added
                .into_iter()
                .for_each(|(key, outcome)| self.outcomes.insert(key, outcome));
        }
        Ok(view)
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

/// Keeps what a request staged, and says what it changed.
fn keep(group: &mut Group) -> Summary {
    let staging = &mut group.staging;
    let saved = staging.keep();
    summarise(staging, &saved)
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

/// Counts what a request changed, from its beginning to its end: what it did and undid itself
/// does not count.
fn summarise(staging: &Staging, saved: &[Saved]) -> Summary {
    let mut summary = Summary::default();
    let mut changed: HashSet<SlotId, RandomState> = HashSet::default();
    for Saved {
        slot,
        after: before,
    } in saved
    {
        let after = staging.slot(*slot).after.as_ref();
        let (is_changed, facts) = match (before, after) {
            (Some(before), Some(after)) if before.id == after.id => {
                let facts = facts_between(Some(&before.record), Some(&after.record));
                (facts > 0, facts)
            }
            (before, after) => {
                let record = |user: &LiveUser| user.record.clone();
                let gone = facts_between(before.as_ref().map(record).as_deref(), None);
                let come = facts_between(None, after.map(record).as_deref());
                (before.is_some() || after.is_some(), gone + come)
            }
        };
        summary.facts_changed += facts;
        if is_changed {
            changed.insert(*slot);
        }
    }
    for event in staging.events.of_request() {
        if staging.is_of_living(event) {
            summary.facts_changed += 1;
            changed.insert(event.slot);
        }
    }
    summary.users_changed = changed.len() as u64;
    summary
}
