//! Turns: who may compute, when more want to than there are processors.
//!
//! Knows how many may at once, and who waits since when. Does not know what they compute.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::Thread,
    time::Duration,
};

use crate::time::Clock;

/// How long a turn is kept while others wait.
const SLICE: Duration = Duration::from_millis(1);

/// As many turns as may be taken at once; who waits longest is next.
pub(super) struct Turns {
    state: Mutex<State>,
    /// The length of the queue, to be looked at without the lock.
    waiting: AtomicUsize,
    clock: Arc<dyn Clock>,
}

struct State {
    free: usize,
    queue: VecDeque<Arc<Waiter>>,
}

struct Waiter {
    is_called: AtomicBool,
    thread: Thread,
}

impl Waiter {
    fn of_this_thread() -> Arc<Self> {
        Arc::new(Self {
            is_called: AtomicBool::new(false),
            thread: std::thread::current(),
        })
    }

    fn call(&self) {
        self.is_called.store(true, Ordering::Release);
        self.thread.unpark();
    }

    fn wait(&self) {
        while !self.is_called.load(Ordering::Acquire) {
            std::thread::park();
        }
    }
}

impl Turns {
    pub(super) fn new(count: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Mutex::new(State {
                free: count,
                queue: VecDeque::new(),
            }),
            waiting: AtomicUsize::new(0),
            clock,
        }
    }

    /// Waits for a turn.
    pub(super) fn take(&self) -> Turn<'_> {
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
        } else {
            self.wait_in_queue(state);
        }
        Turn {
            turns: self,
            began_ns: AtomicU64::new(self.now_ns()),
        }
    }

    /// Goes to the end of the queue and waits to be called.
    fn wait_in_queue(&self, mut state: MutexGuard<'_, State>) {
        let waiter = Waiter::of_this_thread();
        state.queue.push_back(Arc::clone(&waiter));
        self.waiting.store(state.queue.len(), Ordering::Relaxed);
        drop(state);
        waiter.wait();
    }

    /// Calls who waits longest; false when nobody does.
    fn call_next(&self, state: &mut State) -> bool {
        let next = state.queue.pop_front();
        self.waiting.store(state.queue.len(), Ordering::Relaxed);
        match next {
            Some(next) => {
                next.call();
                true
            }
            None => false,
        }
    }

    fn now_ns(&self) -> u64 {
        // 584 years of uptime fit.
        self.clock.monotonic().as_nanos() as u64
    }

    /// Every change under the lock is whole: whoever panicked left nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to compute, given back when dropped. Held by one thread at a time.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    began_ns: AtomicU64,
}

impl Turn<'_> {
    /// Lets those who wait go first, once the turn has lasted its slice. To be called often: as
    /// long as nobody waits it costs a load.
    pub(crate) fn pass_if_due(&self) {
        if self.turns.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let lasted_ns = self
            .turns
            .now_ns()
            .saturating_sub(self.began_ns.load(Ordering::Relaxed));
        if u128::from(lasted_ns) >= SLICE.as_nanos() {
            self.pass();
        }
    }

    fn pass(&self) {
        let mut state = self.turns.lock();
        if self.turns.call_next(&mut state) {
            self.turns.wait_in_queue(state);
        }
        self.began_ns.store(self.turns.now_ns(), Ordering::Relaxed);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        if !self.turns.call_next(&mut state) {
            state.free += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::time::ManualClock;

    fn turns(count: usize) -> (Arc<Turns>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        (Arc::new(Turns::new(count, clock.clone())), clock)
    }

    /// Until so many wait in the queue.
    fn until_waiting(turns: &Turns, count: usize) {
        while turns.waiting.load(Ordering::Relaxed) != count {
            std::thread::yield_now();
        }
    }

    #[test]
    fn no_more_than_the_count_compute_at_once() {
        let (turns, _) = turns(2);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _turn = turns.take();
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 2);
        assert_eq!(turns.lock().free, 2);
    }

    #[test]
    fn whoever_waits_longest_is_next() {
        let (turns, _) = turns(1);
        let (told, heard) = channel();
        let turn = turns.take();
        std::thread::scope(|scope| {
            for name in 0..4 {
                let (turns, told) = (&turns, told.clone());
                scope.spawn(move || {
                    let _turn = turns.take();
                    told.send(name)
                });
                until_waiting(turns, name + 1);
            }
            drop(turn);
        });
        drop(told);
        assert_eq!(heard.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn a_turn_is_passed_after_its_slice_and_not_before() {
        let (turns, clock) = turns(1);
        let turn = turns.take();
        turn.pass_if_due();
        let (told, heard) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _turn = turns.take();
                told.send("the other").is_ok()
            });
            until_waiting(&turns, 1);
            turn.pass_if_due();
            assert!(heard.try_recv().is_err(), "the slice has not passed");
            clock.advance(SLICE);
            turn.pass_if_due();
            assert_eq!(heard.try_recv(), Ok("the other"));
        });
        drop(turn);
        assert_eq!(turns.lock().free, 1);
    }
}
