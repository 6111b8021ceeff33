//! Brings what the writer has appended to disk, shows it and answers, while the writer goes on.
//!
//! Knows the order: no group of requests is seen or answered before it and all before it are on
//! disk, and after a failure none is any more. Does not know what a group has changed.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use arc_swap::ArcSwap;

use crate::{
    datum::Summary,
    error::Error,
    storage::{StorageError, Store, View},
    write::reply::Reply,
};

/// Groups on their way to disk. More would only make the views of the first wait for the last.
const GROUPS_MAX: usize = 4;

/// What the requests of a group are told once it is on disk.
pub(super) type Answers = Vec<(Reply, Result<Summary, Error>)>;

/// A group that is in the store's log, and perhaps not on disk.
pub(super) struct Appended {
    /// The state after it; `None` when it has changed nothing.
    pub(super) view: Option<Arc<View>>,
    pub(super) answers: Answers,
}

/// Makes appended groups durable, here or on a thread of its own.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    store: Arc<Store>,
    current: Arc<ArcSwap<View>>,
    state: Mutex<State>,
    has_some: Condvar,
    has_fewer: Condvar,
}

struct State {
    waiting: Vec<Appended>,
    /// Those that wait, and those that are being brought to disk.
    under_way: usize,
    /// Set when what is on disk is unknown from then on, and never taken back.
    failed: Option<String>,
    is_open: bool,
}

impl State {
    /// From now on nothing is acknowledged. What failed first is what is told.
    fn fail(&mut self, reason: &str) {
        self.failed.get_or_insert_with(|| reason.to_owned());
    }
}

impl Syncer {
    /// Starts the thread. What is durable is published in `current`.
    pub(super) fn start(store: Arc<Store>, current: Arc<ArcSwap<View>>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            store,
            current,
            state: Mutex::new(State {
                waiting: Vec::new(),
                under_way: 0,
                failed: None,
                is_open: true,
            }),
            has_some: Condvar::new(),
            has_fewer: Condvar::new(),
        });
        let thread = std::thread::Builder::new().name("syncer".to_owned());
        let thread = thread.spawn({
            let shared = shared.clone();
            move || {
                let _failing = FailOnExit(&shared);
                shared.run();
            }
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Brings a group to disk and answers it. `Err` when that failed, now or before.
    pub(super) fn settle(&self, appended: Appended) -> Result<(), String> {
        let settled = match self.drain() {
            Ok(()) => self.shared.settle(vec![appended]),
            Err(reason) => {
                refuse([appended], &reason);
                Err(reason)
            }
        };
        if let Err(reason) = &settled {
            self.shared.lock().fail(reason);
        }
        settled
    }

    /// Leaves a group to the thread. Waits while many are under way.
    pub(super) fn hand(&self, appended: Appended) {
        let shared = &self.shared;
        let mut state = shared.lock();
        while state.under_way >= GROUPS_MAX {
            state = wait(&shared.has_fewer, state);
        }
        // Then there may be no thread any more to leave it to.
        if let Some(reason) = state.failed.clone() {
            drop(state);
            return refuse([appended], &reason);
        }
        state.waiting.push(appended);
        state.under_way += 1;
        drop(state);
        shared.has_some.notify_one();
    }

    /// Whether no group is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.shared.lock().under_way == 0
    }

    /// Waits until no group is under way. `Err` when one could not be brought to disk.
    pub(super) fn drain(&self) -> Result<(), String> {
        let mut state = self.shared.lock();
        while state.under_way > 0 {
            state = wait(&self.shared.has_fewer, state);
        }
        state.failed.clone().map_or(Ok(()), Err)
    }

    /// Why nothing can be brought to disk any more.
    pub(super) fn failure(&self) -> Option<String> {
        self.shared.lock().failed.clone()
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.lock().is_open = false;
        self.shared.has_some.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the syncer's thread had ended with a panic");
        }
    }
}

impl Shared {
    /// The state is changed in single steps, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            while state.is_open && state.waiting.is_empty() {
                state = wait(&self.has_some, state);
            }
            if state.waiting.is_empty() {
                return;
            }
            let groups = std::mem::take(&mut state.waiting);
            let count = groups.len();
            let failed = state.failed.clone();
            drop(state);
            let settled = match failed {
                Some(reason) => {
                    refuse(groups, &reason);
                    Err(reason)
                }
                None => self.settle(groups),
            };
            state = self.lock();
            if let Err(reason) = settled {
                state.fail(&reason);
            }
            state.under_way -= count;
            self.has_fewer.notify_one();
        }
    }

    /// One sync for all of them, then the state after the last is shown, then all are answered.
    fn settle(&self, groups: Vec<Appended>) -> Result<(), String> {
        let newest = groups.iter().rev().find_map(|group| group.view.clone());
        if let Some(view) = newest {
            if let Err(error) = self.store.sync() {
                tracing::error!(%error, "the log cannot be brought to disk, writing stops");
                let reason = error.to_string();
                refuse(groups, &reason);
                return Err(reason);
            }
            self.current.store(view);
        }
        for (reply, answer) in groups.into_iter().flat_map(|group| group.answers) {
            reply.give(answer);
        }
        Ok(())
    }
}

/// Tells all who were not refused that it is not known what became of their requests.
pub(super) fn refuse(groups: impl IntoIterator<Item = Appended>, reason: &str) {
    for (reply, answer) in groups.into_iter().flat_map(|group| group.answers) {
        let stopped = StorageError::WritesStopped(reason.to_owned());
        reply.give(answer.and(Err(stopped.into())));
    }
}

/// Leaves the writer waiting for nobody when the thread is gone.
struct FailOnExit<'a>(&'a Shared);

impl Drop for FailOnExit<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.is_open {
            state.fail("the syncer's thread has ended");
            state.under_way = 0;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.0.has_fewer.notify_one();
        // Not under the lock: who learns of it may ask again.
        drop(waiting);
    }
}

/// Waits to be woken, or for nothing at all.
fn wait<'a>(changed: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    changed.wait(state).unwrap_or_else(PoisonError::into_inner)
}
