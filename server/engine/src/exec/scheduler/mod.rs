//! The threads that answer queries: bounded, and fair between queries.
//!
//! A query's shards are worked off by its own thread and by a crew of helpers that it borrows
//! for the time. Whoever works on a shard holds a turn, of which there are as many as processors
//! may be used; after a slice of a millisecond a turn goes to whoever has waited longest. So
//! however many queries there are, no more threads compute than should, and a small count behind
//! a large export waits for slices and not for the export.
//!
//! Knows units by their numbers. Does not know what is done with them.

mod turns;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

pub(crate) use self::turns::Turn;
use self::turns::Turns;
use crate::{error::Error, time::Clock};

/// Queries that have helpers at once. Further ones are worked off by their own threads alone:
/// then there is more than enough to do for every processor.
const CREWS_MAX: usize = 8;

/// The threads, and their turns. See the module.
pub struct Scheduler {
    threads: usize,
    turns: Turns,
    crews: Mutex<Crews>,
}

/// Helpers that wait for a query to help.
struct Crews {
    idle: Vec<Arc<rayon::ThreadPool>>,
    made: usize,
}

impl Scheduler {
    /// At most `threads` compute at once; at least one does.
    pub fn new(threads: usize, clock: Arc<dyn Clock>) -> Self {
        let threads = threads.max(1);
        Self {
            threads,
            turns: Turns::new(threads, clock),
            crews: Mutex::new(Crews {
                idle: Vec::new(),
                made: 0,
            }),
        }
    }

    /// How many threads compute at once at most.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Waits for the right to compute on the caller's thread. Never to be held while waiting for
    /// anything else.
    pub(crate) fn turn(&self) -> Turn<'_> {
        self.turns.take()
    }

    /// Works off the units 0 to `count` less one. Every thread that takes part makes a state,
    /// folds the units it happens to get into it, and leaves it in the result; a thread that came
    /// too late leaves none.
    ///
    /// # Errors
    /// The first that `work` gives; no further unit is begun then.
    pub(crate) fn fold<S: Send>(
        &self,
        count: usize,
        start: impl Fn() -> S + Sync,
        work: impl Fn(S, &Turn<'_>, usize) -> Result<S, Error> + Sync,
    ) -> Result<Vec<S>, Error> {
        let units = Units::new(count);
        let take_part = || units.fold(self, &start, &work);
        let helpers = self.threads.min(count).saturating_sub(1);
        let results = Mutex::new(Vec::with_capacity(helpers));
        let help = || {
            // Locked only once the part is done: helpers must not wait for each other.
            let part = take_part();
            lock(&results).push(part);
        };
        let own = self.with_helpers(helpers, help, take_part);
        let helped = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(own)
            .chain(helped)
            .filter_map(Result::transpose)
            .collect()
    }

    /// Runs `own` on the caller's thread, and `help` on helpers meanwhile, if there are any.
    /// Returns when all have; so `own` must see to it that `help` ends. No turn is taken here.
    pub(crate) fn beside<R>(&self, help: impl Fn() + Sync, own: impl FnOnce() -> R) -> R {
        self.with_helpers(self.threads - 1, help, own)
    }

    /// The same with so many helpers at most.
    fn with_helpers<R>(
        &self,
        helpers: usize,
        help: impl Fn() + Sync,
        own: impl FnOnce() -> R,
    ) -> R {
        let Some(crew) = (helpers > 0).then(|| Crew::borrow(self)).flatten() else {
            return own();
        };
        let pool = Arc::clone(&crew.pool);
        let left = AtomicUsize::new(helpers);
        let help = || {
            help();
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                // However long the query's own thread goes on, or waits for its reader.
                crew.give_back();
            }
        };
        pool.in_place_scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| help());
            }
            own()
        })
    }

    /// Crews that wait for a query.
    #[cfg(test)]
    pub(super) fn crews_idle(&self) -> usize {
        lock(&self.crews).idle.len()
    }

    /// `None` when there are as many as may be, or no further thread can be had.
    fn idle_crew(&self) -> Option<Arc<rayon::ThreadPool>> {
        let mut crews = lock(&self.crews);
        if let Some(crew) = crews.idle.pop() {
            return Some(crew);
        }
        if crews.made == CREWS_MAX {
            return None;
        }
        let number = crews.made;
        let made = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads - 1)
            .thread_name(move |index| format!("query-{number}-{index}"))
            .build();
        match made {
            Ok(crew) => {
                crews.made += 1;
                Some(Arc::new(crew))
            }
            Err(error) => {
                tracing::warn!(%error, "no threads to help a query");
                None
            }
        }
    }
}

/// Helpers on loan, given back when they have gone, at the latest when dropped: also when a query
/// panics.
struct Crew<'a> {
    scheduler: &'a Scheduler,
    pool: Arc<rayon::ThreadPool>,
    is_on_loan: AtomicBool,
}

impl<'a> Crew<'a> {
    fn borrow(scheduler: &'a Scheduler) -> Option<Self> {
        Some(Self {
            scheduler,
            pool: scheduler.idle_crew()?,
            is_on_loan: AtomicBool::new(true),
        })
    }

    fn give_back(&self) {
        if self.is_on_loan.swap(false, Ordering::AcqRel) {
            lock(&self.scheduler.crews)
                .idle
                .push(Arc::clone(&self.pool));
        }
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// Whoever panicked left nothing half done: what is locked is changed by one push or pop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Units of work that nobody has taken yet.
struct Units {
    count: usize,
    next: AtomicUsize,
    has_failed: AtomicBool,
}

impl Units {
    fn new(count: usize) -> Self {
        Self {
            count,
            next: AtomicUsize::new(0),
            has_failed: AtomicBool::new(false),
        }
    }

    fn are_left(&self) -> bool {
        !self.has_failed.load(Ordering::Relaxed) && self.next.load(Ordering::Relaxed) < self.count
    }

    fn take(&self) -> Option<usize> {
        if !self.are_left() {
            return None;
        }
        let unit = self.next.fetch_add(1, Ordering::Relaxed);
        (unit < self.count).then_some(unit)
    }

    fn fold<S>(
        &self,
        scheduler: &Scheduler,
        start: impl Fn() -> S,
        work: impl Fn(S, &Turn<'_>, usize) -> Result<S, Error>,
    ) -> Result<Option<S>, Error> {
        if !self.are_left() {
            return Ok(None);
        }
        let turn = scheduler.turn();
        let mut state = None;
        while let Some(unit) = self.take() {
            let folded = work(state.unwrap_or_else(&start), &turn, unit);
            state = Some(folded.inspect_err(|_| self.has_failed.store(true, Ordering::Relaxed))?);
            turn.pass_if_due();
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        clippy::panic,
        reason = "tests stop at the first surprise"
    )]

    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Barrier,
    };

    use super::*;
    use crate::time::ManualClock;

    fn scheduler(threads: usize) -> Scheduler {
        Scheduler::new(threads, Arc::new(ManualClock::default()))
    }

    fn folded(scheduler: &Scheduler, count: usize) -> Vec<usize> {
        let states = scheduler
            .fold(count, Vec::new, |mut units, _, unit| {
                units.push(unit);
                Ok(units)
            })
            .unwrap();
        let mut units = states.concat();
        units.sort_unstable();
        units
    }

    #[test]
    fn every_unit_is_worked_off_once() {
        let check = |threads, count| {
            let scheduler = scheduler(threads);
            for _ in 0..3 {
                assert_eq!(folded(&scheduler, count), Vec::from_iter(0..count));
            }
        };
        check(1, 10);
        check(2, 0);
        check(2, 1);
        check(3, 1000);
    }

    #[test]
    fn all_threads_work_at_once() {
        let scheduler = scheduler(3);
        let together = Barrier::new(3);
        let states = scheduler.fold(
            3,
            || 0,
            |units, _, _| {
                together.wait();
                Ok(units + 1)
            },
        );
        assert_eq!(states.unwrap(), [1, 1, 1]);
    }

    #[test]
    fn the_first_error_ends_the_work() {
        let scheduler = scheduler(2);
        let begun = AtomicUsize::new(0);
        let failed = scheduler.fold(
            1000,
            || (),
            |(), _, unit| {
                begun.fetch_add(1, Ordering::Relaxed);
                if unit == 3 {
                    Err(Error::Cancelled)
                } else {
                    Ok(())
                }
            },
        );
        assert!(matches!(failed, Err(Error::Cancelled)));
        assert!(begun.into_inner() <= 1000);
        assert_eq!(folded(&scheduler, 10).len(), 10);
    }

    #[test]
    fn a_query_runs_while_another_fills_every_thread() {
        let clock = Arc::new(ManualClock::default());
        let scheduler = Scheduler::new(2, clock.clone());
        let both_run = Barrier::new(3);
        let is_answered = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                scheduler.fold(
                    2,
                    || (),
                    |(), turn, _| {
                        both_run.wait();
                        while !is_answered.load(Ordering::Acquire) {
                            clock.advance(std::time::Duration::from_millis(1));
                            turn.pass_if_due();
                        }
                        Ok(())
                    },
                )
            });
            both_run.wait();
            assert_eq!(folded(&scheduler, 5).len(), 5);
            is_answered.store(true, Ordering::Release);
        });
    }

    #[test]
    fn more_queries_than_crews_are_all_answered() {
        let scheduler = scheduler(2);
        std::thread::scope(|scope| {
            for _ in 0..2 * CREWS_MAX {
                scope.spawn(|| assert_eq!(folded(&scheduler, 100).len(), 100));
            }
        });
        assert!(lock(&scheduler.crews).made <= CREWS_MAX);
    }

    #[test]
    fn a_panic_gives_its_turn_back() {
        let scheduler = scheduler(2);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            scheduler.fold(4, || (), |(), _, _| panic!("a defect"))
        }));
        assert!(panicked.is_err());
        assert_eq!(folded(&scheduler, 10).len(), 10);
    }
}
