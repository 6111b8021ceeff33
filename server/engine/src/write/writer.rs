//! The one thread that writes.
//!
//! It takes what waits, stages it request by request, and appends all of it at once: many small
//! requests share one wait for the disk, and the next are staged during it. Changes of the definitions, and requests that first
//! ask who is meant, stand alone: what was staged before them is committed first.
//!
//! Knows which requests share a commit, and when it is made. Does not know what a request does:
//! that is in `jobs`.

mod jobs;

use std::{collections::VecDeque, sync::Arc, thread::JoinHandle};

use arc_swap::ArcSwap;

use self::jobs::Group;
use crate::{
    exec::scheduler::Scheduler,
    limits::Limits,
    storage::{OpenError, OpenedStore, PartitionState, Store, View},
    time::{Clock, micros_of_timestamp},
    write::{
        Job, Mutation, WriterHandle,
        commit::{Commit, OutcomeChanges},
        idempotency::Outcomes,
        load::Loads,
        queue::Queue,
        staging::Staging,
        submit::Submitted,
        syncer::{Appended, Syncer, refuse},
    },
};

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
            partitions: Arc::new(opened.partitions),
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
    partitions: Arc<Vec<PartitionState>>,
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
            Job::Load(_) | Job::LoadEvents(_) => Self::Loads,
            Job::Schema(_) | Job::Where(_) | Job::SweepEvents | Job::Sweep | Job::NoteTags(_) => {
                Self::Nothing
            }
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
            Job::Load(_)
            | Job::LoadEvents(_)
            | Job::Schema(_)
            | Job::Where(_)
            | Job::SweepEvents
            | Job::Sweep
            | Job::NoteTags(_) => &[],
        });
        if let Err(error) = staging.prefetch(&self.scheduler, mutations.map(Mutation::user)) {
            tracing::debug!(%error, "the users of several writes cannot be read at once");
        }
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
            self.partitions = staging.into_states();
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
