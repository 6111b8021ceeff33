//! How long to wait before trying again.
//!
//! Knows the rule. Does not know the clock or where the randomness comes from.

use std::time::Duration;

/// Exponential back-off with equal jitter: half of the time is fixed, half of it random, so that
/// many clients of one restarted server do not all come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait after the first failure.
    pub first: Duration,
    /// The longest wait after any number of failures.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(50),
            longest: Duration::from_secs(5),
        }
    }
}

impl Backoff {
    /// The wait after so many failures in a row (at least one), doubled with each; `jitter` is
    /// between 0 and 1.
    pub fn delay(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        let half = whole / 2;
        half + half.mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(1),
        };
        let check = |failures: u32, jitter: f64, expected_ms: u64| {
            let delay = backoff.delay(failures, jitter);
            assert_eq!(
                delay,
                Duration::from_millis(expected_ms),
                "{failures} {jitter}"
            );
        };
        check(0, 1.0, 100);
        check(1, 0.0, 50);
        check(1, 0.5, 75);
        check(1, 1.0, 100);
        check(2, 1.0, 200);
        check(4, 1.0, 800);
        check(5, 1.0, 1000);
        check(u32::MAX, 1.0, 1000);
        check(u32::MAX, 0.0, 500);
        check(1, 7.0, 100);
    }
}
