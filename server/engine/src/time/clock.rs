//! Clocks: the machine's, one whose time of day stands still, and one that tests move by hand.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::timestamp_of_micros;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time of day, for what is stored and for `now`. May jump.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, for deadlines and durations. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock whose time of day stands still while time passes: for questions about recorded
/// history, which have the same answers on every day.
#[derive(Debug)]
pub struct FrozenClock {
    now: Timestamp,
    running: SystemClock,
}

impl FrozenClock {
    /// A clock that stands so many microseconds from 1970-01-01T00:00:00Z, or at the end of time
    /// that is nearest to it.
    pub fn at_micros(micros: i64) -> Self {
        let end = if micros < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        Self {
            now: timestamp_of_micros(micros).unwrap_or(end),
            running: SystemClock::new(),
        }
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn monotonic(&self) -> Duration {
        self.running.monotonic()
    }
}

/// A clock that stands still until it is moved. Starts at 1970-01-01T00:00:00Z.
#[derive(Debug, Default)]
pub struct ManualClock {
    state: Mutex<ManualState>,
}

#[derive(Debug, Default)]
struct ManualState {
    now: Timestamp,
    monotonic: Duration,
}

impl ManualClock {
    /// A clock that stands at this time.
    pub fn at(now: Timestamp) -> Self {
        Self {
            state: Mutex::new(ManualState {
                now,
                monotonic: Duration::ZERO,
            }),
        }
    }

    /// Moves both times forward. At the end of time it stays there.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now = state.now.checked_add(by).unwrap_or(Timestamp::MAX);
        state.monotonic = state.monotonic.saturating_add(by);
    }

    /// Moves the time of day anywhere.
    pub fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        // The state is two plain values: whoever panicked left nothing half done.
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = ManualClock::default();
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now().as_second(), 60);
        assert_eq!(clock.monotonic(), Duration::from_secs(60));
        clock.set_now(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.monotonic(), Duration::from_secs(60));
    }

    #[test]
    fn a_frozen_clock_stands_still_while_time_passes() {
        let check = |micros, expected| {
            let clock = FrozenClock::at_micros(micros);
            let first = clock.monotonic();
            assert_eq!(clock.now(), expected);
            assert!(clock.monotonic() >= first);
            assert_eq!(clock.now(), expected);
        };
        check(0, Timestamp::UNIX_EPOCH);
        check(i64::MAX, Timestamp::MAX);
        check(i64::MIN, Timestamp::MIN);
    }

    #[test]
    fn the_system_clock_goes_forward() {
        let clock = SystemClock::new();
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
        assert!(clock.now() > Timestamp::UNIX_EPOCH);
    }
}
