//! Memory for requests: one budget that all connections share.
//!
//! Knows how much is left. Does not know what a request is: who reads one says what it takes.

use std::sync::Arc;

use tessera_protocol::message::{Failure, FailureCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::map::failure;

/// See the module. All clones share the budget.
#[derive(Clone)]
pub(super) struct Memory {
    left: Arc<Semaphore>,
    bytes_max: usize,
}

/// Some of the budget, given back when dropped.
#[derive(Debug, Default)]
pub(super) struct Share(Option<OwnedSemaphorePermit>);

impl Memory {
    /// So many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        Self {
            left: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
        }
    }

    /// Makes a share at least so large. Never waits: who waited would keep what others need.
    pub(super) fn grow(&self, share: &mut Share, bytes: usize) -> Result<(), Failure> {
        if bytes > self.bytes_max {
            return Err(too_much(bytes, self.bytes_max));
        }
        let held = share
            .0
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = bytes.checked_sub(held).filter(|more| *more > 0) else {
            return Ok(());
        };
        let more = u32::try_from(more).map_err(|_| too_much(bytes, self.bytes_max))?;
        let more = Arc::clone(&self.left)
            .try_acquire_many_owned(more)
            .map_err(|_| out_of_memory())?;
        match &mut share.0 {
            Some(held) => held.merge(more),
            None => share.0 = Some(more),
        }
        Ok(())
    }
}

fn too_much(bytes: usize, bytes_max: usize) -> Failure {
    failure(
        FailureCode::LimitExceeded,
        format!("the request takes {bytes} bytes of memory, more than the {bytes_max} there are"),
    )
}

fn out_of_memory() -> Failure {
    failure(
        FailureCode::Overloaded,
        "the requests under way take all the memory there is for them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_while_there_is_some_left_and_are_given_back() {
        let memory = Memory::new(10);
        let (mut one, mut other) = (Share::default(), Share::default());
        let code = |grown: Result<(), Failure>| grown.map_err(|failure| failure.code);
        assert_eq!(code(memory.grow(&mut one, 4)), Ok(()));
        assert_eq!(code(memory.grow(&mut one, 3)), Ok(()));
        assert_eq!(code(memory.grow(&mut one, 8)), Ok(()));
        let full = Err(FailureCode::Overloaded);
        assert_eq!(code(memory.grow(&mut other, 3)), full);
        assert_eq!(code(memory.grow(&mut other, 2)), Ok(()));
        assert_eq!(code(memory.grow(&mut one, 9)), full);
        drop(other);
        assert_eq!(code(memory.grow(&mut one, 10)), Ok(()));
        let never = Err(FailureCode::LimitExceeded);
        assert_eq!(code(memory.grow(&mut one, 11)), never);
    }
}
