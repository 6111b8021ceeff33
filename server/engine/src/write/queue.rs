//! What waits for the writer: bounded, in order.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    is_open: bool,
}

/// A bounded queue from many threads to one.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    has_room: Condvar,
    has_some: Condvar,
    len_max: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(len_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                is_open: true,
            }),
            has_room: Condvar::new(),
            has_some: Condvar::new(),
            len_max: len_max.max(1),
        }
    }

    /// The state is changed in single steps, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something at the end, waiting for room. Gives it back when the queue is closed.
    pub(super) fn push(&self, item: T) -> Result<(), T> {
        let is_full = |state: &mut State<T>| state.is_open && state.waiting.len() >= self.len_max;
        let mut state = self
            .has_room
            .wait_while(self.lock(), is_full)
            .unwrap_or_else(PoisonError::into_inner);
        if !state.is_open {
            return Err(item);
        }
        state.waiting.push_back(item);
        drop(state);
        self.has_some.notify_one();
        Ok(())
    }

    /// Takes the first, waiting for one. `None` when the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<T> {
        let is_idle = |state: &mut State<T>| state.is_open && state.waiting.is_empty();
        let mut state = self
            .has_some
            .wait_while(self.lock(), is_idle)
            .unwrap_or_else(PoisonError::into_inner);
        let item = state.waiting.pop_front();
        drop(state);
        self.has_room.notify_one();
        item
    }

    /// Takes the first if it is wanted and there.
    pub(super) fn pop_if(&self, is_wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut state = self.lock();
        if !state.waiting.front().is_some_and(is_wanted) {
            return None;
        }
        let item = state.waiting.pop_front();
        drop(state);
        self.has_room.notify_one();
        item
    }

    /// Takes nothing more; what waits can still be popped.
    pub(super) fn close(&self) {
        self.lock().is_open = false;
        self.has_room.notify_all();
        self.has_some.notify_all();
    }

    /// Throws away what waits.
    pub(super) fn clear(&self) {
        self.lock().waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_in_order_until_the_end() {
        let queue = Queue::new(2);
        assert_eq!(queue.push(1), Ok(()));
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.pop_if(|first| *first == 2), None);
        assert_eq!(queue.pop(), Some(1));
        queue.close();
        assert_eq!(queue.push(3), Err(3));
        assert_eq!(queue.pop(), Some(2));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn a_full_queue_makes_its_pushers_wait() {
        let queue = Queue::new(1);
        std::thread::scope(|scope| {
            let pusher = scope.spawn(|| (0..100).try_for_each(|item| queue.push(item)));
            let popped: Vec<i32> = (0..100).filter_map(|_| queue.pop()).collect();
            assert_eq!(popped, (0..100).collect::<Vec<_>>());
            assert!(pusher.join().is_ok_and(|result| result.is_ok()));
        });
    }
}
