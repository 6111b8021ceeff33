//! Pieces of an answer, made ahead by other threads and taken in their order.
//!
//! The first piece is made by the taker itself, so that a short answer costs no more than itself.
//! Then helpers make pieces too, never more than a few ahead of the taker: memory does not grow
//! with the answer. Helpers who are that far ahead go, and are called again when what they left
//! is taken: a taker whose reader stalls keeps no threads from other queries. Knows pieces by
//! their numbers. Does not know what they are.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::{
    error::Error,
    exec::scheduler::{Scheduler, Turn},
};

/// Pieces made before anybody is asked to help.
const PIECES_ALONE: usize = 1;
/// Pieces that may lie ready for each thread.
const PIECES_AHEAD_PER_THREAD: usize = 2;

/// Makes the pieces 0 to `count` less one and hands each to `take`, in order, on the caller's
/// thread, which holds no turn then.
///
/// # Errors
/// The first of the pieces in their order, or what `take` gives. Nothing further is made then.
pub(super) fn in_order<P: Send, E: From<Error>>(
    scheduler: Option<&Scheduler>,
    count: usize,
    make: impl Fn(usize, Option<&Turn<'_>>) -> Result<P, Error> + Sync,
    mut take: impl FnMut(P) -> Result<(), E>,
) -> Result<(), E> {
    let Some(scheduler) = scheduler else {
        return (0..count).try_for_each(|number| take(make(number, None)?));
    };
    let make = |number| {
        let turn = scheduler.turn();
        make(number, Some(&turn))
    };
    let alone = count.min(PIECES_ALONE);
    (0..alone).try_for_each(|number| take(make(number)?))?;
    let line = Line::new(alone, count, scheduler.threads() * PIECES_AHEAD_PER_THREAD);
    let mut next = alone;
    while next < count {
        line.open();
        next = scheduler.beside(
            || line.help(make),
            || {
                let _over = Over(&line);
                line.take_while_helped(next, make, &mut take)
            },
        )?;
    }
    Ok(())
}

/// The pieces under way.
struct Line<P> {
    count: usize,
    ahead: usize,
    state: Mutex<State<P>>,
    changed: Condvar,
}

struct State<P> {
    /// The next piece that nobody makes yet.
    next: usize,
    /// The next piece to be taken.
    wanted: usize,
    made: BTreeMap<usize, Result<P, Error>>,
    is_over: bool,
    /// Helpers who are here.
    helpers: usize,
    /// Whether a helper has gone because it was too far ahead.
    has_gone: bool,
}

impl<P> Line<P> {
    fn new(first: usize, count: usize, ahead: usize) -> Self {
        Self {
            count,
            ahead,
            state: Mutex::new(State {
                next: first,
                wanted: first,
                made: BTreeMap::new(),
                is_over: false,
                helpers: 0,
                has_gone: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Every change under the lock is whole: whoever panicked left nothing half done.
    fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<P>>) -> MutexGuard<'a, State<P>> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets helpers come.
    fn open(&self) {
        let mut state = self.lock();
        state.is_over = false;
        state.has_gone = false;
    }

    /// Takes pieces from this one on until helpers should be called again; which is next then.
    fn take_while_helped<E: From<Error>>(
        &self,
        first: usize,
        make: impl Fn(usize) -> Result<P, Error>,
        mut take: impl FnMut(P) -> Result<(), E>,
    ) -> Result<usize, E> {
        for number in first..self.count {
            if number > first && self.is_left_alone() {
                return Ok(number);
            }
            take(self.piece(number, &make)?)?;
        }
        Ok(self.count)
    }

    /// Whether all helpers have gone although there is more to make, and little lies ready.
    fn is_left_alone(&self) -> bool {
        let state = self.lock();
        let is_little = state.made.len() <= self.ahead / 2;
        state.has_gone && state.helpers == 0 && state.next < self.count && is_little
    }

    /// Makes pieces until there are no more, enough lie ready, or nobody wants them.
    fn help(&self, make: impl Fn(usize) -> Result<P, Error>) {
        let _here = Here::come(self);
        while let Some(number) = self.begin() {
            let mut making = Making {
                line: self,
                number,
                piece: None,
            };
            making.piece = Some(make(number));
        }
    }

    /// The next piece to make, if it is near enough to be wanted.
    fn begin(&self) -> Option<usize> {
        let mut state = self.lock();
        if state.is_over || state.next == self.count {
            return None;
        }
        if state.next >= state.wanted + self.ahead {
            state.has_gone = true;
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    /// The piece that is wanted now: made already, soon, or here.
    fn piece(&self, number: usize, make: impl Fn(usize) -> Result<P, Error>) -> Result<P, Error> {
        let mut state = self.lock();
        state.wanted = number;
        loop {
            if let Some(piece) = state.made.remove(&number) {
                return piece;
            }
            if state.next == number {
                state.next += 1;
                drop(state);
                return make(number);
            }
            state = self.wait(state);
        }
    }
}

/// A helper, until dropped.
struct Here<'a, P>(&'a Line<P>);

impl<'a, P> Here<'a, P> {
    fn come(line: &'a Line<P>) -> Self {
        line.lock().helpers += 1;
        Self(line)
    }
}

impl<P> Drop for Here<'_, P> {
    fn drop(&mut self) {
        self.0.lock().helpers -= 1;
    }
}

/// Hands a piece in when dropped: where making it panicked, an error.
struct Making<'a, P> {
    line: &'a Line<P>,
    number: usize,
    piece: Option<Result<P, Error>>,
}

impl<P> Drop for Making<'_, P> {
    fn drop(&mut self) {
        let defect = || {
            Err(Error::Internal(
                "making a part of the answer panicked".to_owned(),
            ))
        };
        let piece = self.piece.take().unwrap_or_else(defect);
        self.line.lock().made.insert(self.number, piece);
        self.line.changed.notify_all();
    }
}

/// Sends the helpers home when dropped, however the taking ended.
struct Over<'a, P>(&'a Line<P>);

impl<P> Drop for Over<'_, P> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
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
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;
    use crate::time::ManualClock;

    fn scheduler(threads: usize) -> Scheduler {
        Scheduler::new(threads, Arc::new(ManualClock::default()))
    }

    #[test]
    fn pieces_come_in_order() {
        let check = |threads: Option<usize>, count: usize| {
            let scheduler = threads.map(scheduler);
            let mut taken = Vec::new();
            let result: Result<(), Error> = in_order(
                scheduler.as_ref(),
                count,
                |number, _| Ok(number),
                |piece| {
                    taken.push(piece);
                    Ok(())
                },
            );
            result.unwrap();
            assert_eq!(taken, Vec::from_iter(0..count));
        };
        for count in [0, 1, 2, 3, 1000] {
            check(None, count);
            check(Some(1), count);
            check(Some(2), count);
            check(Some(4), count);
        }
    }

    #[test]
    fn few_pieces_are_made_ahead_and_none_after_the_end() {
        for threads in [1, 2, 4] {
            let made = AtomicUsize::new(0);
            let mut taken = 0;
            let result: Result<(), Error> = in_order(
                Some(&scheduler(threads)),
                10_000,
                |number, _| {
                    made.fetch_add(1, Ordering::SeqCst);
                    Ok(number)
                },
                |piece| {
                    taken += 1;
                    let ahead = made.load(Ordering::SeqCst) - taken;
                    assert!(ahead <= threads * PIECES_AHEAD_PER_THREAD, "{ahead}");
                    if piece == 100 {
                        Err(Error::Stopped)
                    } else {
                        Ok(())
                    }
                },
            );
            assert!(matches!(result, Err(Error::Stopped)));
            assert!(made.into_inner() <= 101 + threads * PIECES_AHEAD_PER_THREAD);
        }
    }

    #[test]
    fn a_taker_who_stalls_keeps_no_helpers() {
        let scheduler = scheduler(3);
        let help_is_free = || {
            let waits = || std::thread::yield_now();
            while scheduler.crews_idle() == 0 {
                waits();
            }
        };
        let mut taken = 0;
        let result: Result<(), Error> = in_order(
            Some(&scheduler),
            1000,
            |number, _| Ok(number),
            |piece| {
                if piece % 100 == 50 {
                    // Nobody takes anything meanwhile: it ends because the helpers go.
                    help_is_free();
                }
                taken += 1;
                Ok(())
            },
        );
        result.unwrap();
        assert_eq!(taken, 1000);
    }

    #[test]
    fn a_short_answer_makes_no_more_than_it_needs() {
        let made = AtomicUsize::new(0);
        let result: Result<(), Error> = in_order(
            Some(&scheduler(4)),
            1000,
            |_, _| {
                made.fetch_add(1, Ordering::SeqCst);
                Ok(())
            },
            |()| Err(Error::Stopped),
        );
        assert!(matches!(result, Err(Error::Stopped)));
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn the_first_error_in_order_is_given() {
        for threads in [1, 2, 4] {
            let mut taken = 0;
            let result: Result<(), Error> = in_order(
                Some(&scheduler(threads)),
                1000,
                |number, _| match number {
                    50 => Err(Error::Cancelled),
                    51.. => Err(Error::DeadlineExceeded),
                    _ => Ok(()),
                },
                |()| {
                    taken += 1;
                    Ok(())
                },
            );
            assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
            assert_eq!(taken, 50);
        }
    }

    #[test]
    fn a_panic_ends_the_work_of_all() {
        let scheduler = scheduler(3);
        let run = |panicking: usize| {
            catch_unwind(AssertUnwindSafe(|| {
                in_order(
                    Some(&scheduler),
                    100,
                    |number, _| match number == panicking {
                        true => panic!("a defect"),
                        false => Ok(number),
                    },
                    |piece| match piece {
                        40 => panic!("another"),
                        _ => Ok::<(), Error>(()),
                    },
                )
            }))
        };
        // Made by a helper, by the taker, and well made but badly taken.
        assert!(!matches!(run(20), Ok(Ok(()))));
        assert!(run(0).is_err());
        assert!(run(1000).is_err());
    }
}
