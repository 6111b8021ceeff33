//! What waits for the writer: bounded, in order.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    is_open: bool,
    /// Who waits is counted, as waking nobody costs a call into the system too.
    pushers_idle: usize,
    poppers_idle: usize,
}

/// Why something was not put into the queue. It is given back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotPut<T> {
    Full(T),
    Closed(T),
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
                pushers_idle: 0,
                poppers_idle: 0,
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
        let mut state = self.lock();
        while state.is_open && state.waiting.len() >= self.len_max {
            state.pushers_idle += 1;
            state = wait(&self.has_room, state);
            state.pushers_idle -= 1;
        }
        if !state.is_open {
            return Err(item);
        }
        self.add(state, item);
        Ok(())
    }

    /// Puts something at the end if there is room now.
    pub(super) fn try_push(&self, item: T) -> Result<(), NotPut<T>> {
        let state = self.lock();
        if !state.is_open {
            return Err(NotPut::Closed(item));
        }
        if state.waiting.len() >= self.len_max {
            return Err(NotPut::Full(item));
        }
        self.add(state, item);
        Ok(())
    }

    fn add(&self, mut state: MutexGuard<'_, State<T>>, item: T) {
        state.waiting.push_back(item);
        let is_awaited = state.poppers_idle > 0;
        drop(state);
        if is_awaited {
            self.has_some.notify_one();
        }
    }

    /// Takes the first, waiting for one. `None` when the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        while state.is_open && state.waiting.is_empty() {
            state.poppers_idle += 1;
            state = wait(&self.has_some, state);
            state.poppers_idle -= 1;
        }
        let item = state.waiting.pop_front();
        let is_awaited = state.pushers_idle > 0;
        drop(state);
        if is_awaited {
            self.has_room.notify_one();
        }
        item
    }

    /// Whether nothing waits at this moment.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Takes from the front what is there, as long as it is wanted.
    pub(super) fn pop_while(&self, mut is_wanted: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut state = self.lock();
        let wanted = state.waiting.iter().take_while(|item| is_wanted(item));
        let count = wanted.count();
        let items: Vec<T> = state.waiting.drain(..count).collect();
        let is_awaited = state.pushers_idle > 0;
        drop(state);
        if is_awaited {
            self.has_room.notify_all();
        }
        items
    }

    /// Takes nothing more; what waits can still be popped.
    pub(super) fn close(&self) {
        self.lock().is_open = false;
        self.has_room.notify_all();
        self.has_some.notify_all();
    }

    /// Throws away what waits.
    pub(super) fn clear(&self) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        // Not under the lock: what is thrown away may tell somebody, who may ask again.
        drop(waiting);
    }
}

/// Waits to be woken, or for nothing at all.
fn wait<'a, T>(changed: &Condvar, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
    changed.wait(state).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_in_order_until_the_end() {
        let queue = Queue::new(2);
        assert_eq!(queue.push(1), Ok(()));
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.try_push(3), Err(NotPut::Full(3)));
        assert_eq!(queue.pop_while(|item| *item == 2), Vec::<i32>::new());
        assert_eq!(queue.pop_while(|item| *item == 1), [1]);
        queue.close();
        assert_eq!(queue.push(3), Err(3));
        assert_eq!(queue.try_push(3), Err(NotPut::Closed(3)));
        assert!(!queue.is_empty());
        assert_eq!(queue.pop(), Some(2));
        assert_eq!(queue.pop(), None);
        assert!(queue.is_empty());
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
