//! Where the answer to a request goes.
//!
//! Knows that every request is answered exactly once, whatever becomes of it. Does not know who
//! asked.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{datum::Summary, error::Error};

/// Called with the answer.
type Done = Box<dyn FnOnce(Result<Summary, Error>) + Send>;

/// Is given the answer to one request. When dropped without one, whoever asked learns that there
/// will be none.
pub(super) struct Reply(Option<Done>);

impl Reply {
    pub(super) fn new(done: impl FnOnce(Result<Summary, Error>) + Send + 'static) -> Self {
        Self(Some(Box::new(done)))
    }

    pub(super) fn give(mut self, answer: Result<Summary, Error>) {
        self.complete(answer);
    }

    /// A panic of whoever asked must not end the thread that answers.
    fn complete(&mut self, answer: Result<Summary, Error>) {
        let Some(done) = self.0.take() else { return };
        if catch_unwind(AssertUnwindSafe(|| done(answer))).is_err() {
            tracing::error!("taking the answer to a request panicked");
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.complete(Err(Error::Internal(
            "the writer ended before it answered".to_owned(),
        )));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn reply() -> (Reply, Receiver<Result<Summary, Error>>) {
        let (sender, answers) = channel();
        let reply = Reply::new(move |answer| sender.send(answer).unwrap());
        (reply, answers)
    }

    #[test]
    fn an_answer_is_given_once() {
        let (reply, answers) = reply();
        reply.give(Ok(Summary::default()));
        assert!(answers.recv().unwrap().is_ok());
        assert!(answers.recv().is_err());
    }

    #[test]
    fn who_is_not_answered_learns_of_it_once() {
        let (reply, answers) = reply();
        drop(reply);
        assert!(matches!(answers.recv().unwrap(), Err(Error::Internal(_))));
        assert!(answers.recv().is_err());
    }

    #[test]
    #[expect(clippy::panic, reason = "it is what is tested")]
    fn a_panic_of_who_asked_goes_no_further() {
        let reply = Reply::new(|_| panic!("as it was told"));
        reply.give(Ok(Summary::default()));
    }
}
