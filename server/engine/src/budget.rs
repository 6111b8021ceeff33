//! How long a statement may go on.
//!
//! Knows that somebody may want to stop it, and by when it must be done. Does not know what it
//! does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{error::Error, time::Clock};

/// Raised to stop a statement. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the statement to stop at its next check.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody asked.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What a statement checks now and then, at least once a shard.
#[derive(Clone, Default)]
pub struct Budget {
    cancel: CancelFlag,
    deadline: Option<(Arc<dyn Clock>, Duration)>,
}

impl Budget {
    /// No deadline, and nobody who cancels.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// No deadline.
    pub fn with_cancel(cancel: CancelFlag) -> Self {
        Self {
            cancel,
            deadline: None,
        }
    }

    /// Ends when the flag is raised or the clock's monotonic time reaches `deadline`.
    pub fn with_deadline(cancel: CancelFlag, clock: Arc<dyn Clock>, deadline: Duration) -> Self {
        Self {
            cancel,
            deadline: Some((clock, deadline)),
        }
    }

    /// The flag that stops it.
    pub fn cancel_flag(&self) -> &CancelFlag {
        &self.cancel
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Error::Cancelled`] or [`Error::DeadlineExceeded`].
    pub fn check(&self) -> Result<(), Error> {
        if self.cancel.is_raised() {
            return Err(Error::Cancelled);
        }
        match &self.deadline {
            Some((clock, deadline)) if clock.monotonic() >= *deadline => {
                Err(Error::DeadlineExceeded)
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget")
            .field("cancel", &self.cancel)
            .field(
                "deadline",
                &self.deadline.as_ref().map(|(_, deadline)| deadline),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    #[test]
    fn a_budget_ends_by_flag_or_by_clock() {
        let clock = Arc::new(ManualClock::default());
        let budget =
            Budget::with_deadline(CancelFlag::new(), clock.clone(), Duration::from_millis(5));
        assert!(budget.check().is_ok());
        clock.advance(Duration::from_millis(5));
        assert!(matches!(budget.check(), Err(Error::DeadlineExceeded)));
        budget.cancel_flag().raise();
        assert!(matches!(budget.check(), Err(Error::Cancelled)));
        assert!(Budget::unlimited().check().is_ok());
    }
}
