//! What resolving a statement has to say beside its answer, until the statement is over.

use std::sync::{Mutex, PoisonError};

use crate::{ids::TagId, plan::resolve::Notices};

/// Notices, and the tags that were asked for. Resolving happens once or several times, on
/// whichever thread.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Told>);

/// What a statement tells beside its answer.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// As lines for people, each once.
    pub(crate) notices: Vec<String>,
    /// The tags that were asked for, some several times.
    pub(crate) asked: Vec<TagId>,
}

impl Heard {
    /// Adds what one resolver has to say.
    pub(crate) fn add(&self, notices: Notices) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.asked.extend_from_slice(notices.asked());
        for line in notices.into_lines() {
            if !told.notices.contains(&line) {
                told.notices.push(line);
            }
        }
    }

    /// Takes all of it.
    pub(crate) fn take(&self) -> Told {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
