//! Which tags were asked for, and when: kept in memory, and noted down once a day with the sizes
//! of tags. What was asked since the last note is forgotten when the server stops.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use foldhash::fast::RandomState;

use crate::ids::TagId;

/// The day, counted from 1970-01-01, on which each tag was asked for last.
#[derive(Debug, Default)]
pub(crate) struct AskedTags(Mutex<HashMap<TagId, i32, RandomState>>);

impl AskedTags {
    /// Notes that tags are asked for on a day.
    pub(crate) fn note(&self, tags: &[TagId], day: i32) {
        if tags.is_empty() {
            return;
        }
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for tag in tags {
            let known = days.entry(*tag).or_insert(day);
            *known = (*known).max(day);
        }
    }

    /// What is known, by tag.
    pub(crate) fn days(&self) -> HashMap<TagId, i32, RandomState> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
