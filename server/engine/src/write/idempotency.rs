//! Requests that were answered already, remembered by their keys.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use crate::{limits::Limits, storage::IdempotentOutcome};

/// A key that a client made up for its request.
pub(super) type IdempotencyKey = [u8; 16];

/// The remembered answers.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    by_key: HashMap<IdempotencyKey, IdempotentOutcome, RandomState>,
    by_age: BTreeSet<(i64, IdempotencyKey)>,
}

impl Outcomes {
    /// What the store remembers.
    pub(super) fn new(stored: Vec<(IdempotencyKey, IdempotentOutcome)>) -> Self {
        let mut outcomes = Self::default();
        stored
            .into_iter()
            .for_each(|(key, outcome)| outcomes.insert(key, outcome));
        outcomes
    }

    /// The answer to an earlier request.
    pub(super) fn find(&self, key: &IdempotencyKey) -> Option<&IdempotentOutcome> {
        self.by_key.get(key)
    }

    /// Remembers an answer.
    pub(super) fn insert(&mut self, key: IdempotencyKey, outcome: IdempotentOutcome) {
        self.by_age.insert((outcome.at_us, key));
        self.by_key.insert(key, outcome);
    }

    /// Forgets an answer.
    pub(super) fn remove(&mut self, key: &IdempotencyKey) {
        if let Some(outcome) = self.by_key.remove(key) {
            self.by_age.remove(&(outcome.at_us, *key));
        }
    }

    /// The keys that are too old, or too many, when `added` more will come.
    pub(super) fn expired(
        &self,
        limits: &Limits,
        now_us: i64,
        added: usize,
    ) -> Vec<IdempotencyKey> {
        let too_old = now_us.saturating_sub(i64::from(limits.idempotency_seconds) * 1_000_000);
        let too_many =
            (self.by_key.len() + added).saturating_sub(limits.idempotency_keys_max as usize);
        let is_expired = |(place, (at_us, _)): &(usize, &(i64, IdempotencyKey))| {
            *place < too_many || *at_us < too_old
        };
        self.by_age
            .iter()
            .enumerate()
            .take_while(is_expired)
            .map(|(_, (_, key))| *key)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(at_us: i64) -> IdempotentOutcome {
        IdempotentOutcome {
            at_us,
            users_changed: 1,
            facts_changed: 2,
        }
    }

    #[test]
    fn the_oldest_are_forgotten_by_count_and_by_age() {
        let limits = Limits {
            idempotency_keys_max: 3,
            idempotency_seconds: 10,
            ..Limits::default()
        };
        let mut outcomes =
            Outcomes::new((0..3).map(|n| ([n; 16], outcome(i64::from(n)))).collect());
        assert_eq!(
            outcomes.expired(&limits, 2, 0),
            Vec::<IdempotencyKey>::new()
        );
        assert_eq!(outcomes.expired(&limits, 2, 2), vec![[0; 16], [1; 16]]);
        assert_eq!(outcomes.expired(&limits, 10_000_001, 0), vec![[0; 16]]);
        outcomes.remove(&[0; 16]);
        assert_eq!(outcomes.find(&[0; 16]), None);
        assert_eq!(
            outcomes.expired(&limits, 10_000_001, 0),
            Vec::<IdempotencyKey>::new()
        );
    }
}
