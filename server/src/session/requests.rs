//! The requests of one connection that are under way.
//!
//! Knows their ids, how many there may be, their credit, and how to stop them. Does not know
//! what they ask.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tessera_protocol::message::RequestId;
use tokio::{sync::watch, time::Instant};

use super::stop::{Stop, StopReason};

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Its id is in use.
    Duplicate,
    /// As many as may be are under way.
    TooMany,
}

/// See the module.
pub(super) struct Requests {
    under_way: Mutex<HashMap<RequestId, Arc<InFlight>>>,
    in_flight_max: usize,
    state: watch::Sender<State>,
}

/// How many are under way, and since when it is so many.
#[derive(Debug, Clone, Copy)]
struct State {
    count: usize,
    changed: Instant,
}

/// A request that is under way, as others see it.
#[derive(Debug)]
pub(super) struct InFlight {
    /// Messages of rows allowed since the beginning.
    credit: watch::Sender<u64>,
    /// Stops it.
    pub(super) stop: Stop,
}

/// A request that is under way, as the one who answers it holds it. Dropping it ends it, and
/// stops what may still go on for it.
pub(super) struct Entry {
    pub(super) id: RequestId,
    in_flight: Arc<InFlight>,
    requests: Arc<Requests>,
}

impl Requests {
    /// No requests yet, and so many at once at most.
    pub(super) fn new(in_flight_max: u32) -> Self {
        let state = State {
            count: 0,
            changed: Instant::now(),
        };
        Self {
            under_way: Mutex::default(),
            in_flight_max: in_flight_max as usize,
            state: watch::Sender::new(state),
        }
    }

    /// Takes a request.
    pub(super) fn take(self: &Arc<Self>, id: RequestId, credit: u32) -> Result<Entry, NotTaken> {
        let mut under_way = self.lock();
        if under_way.contains_key(&id) {
            return Err(NotTaken::Duplicate);
        }
        if under_way.len() >= self.in_flight_max {
            return Err(NotTaken::TooMany);
        }
        let in_flight = Arc::new(InFlight {
            credit: watch::Sender::new(credit.into()),
            stop: Stop::default(),
        });
        under_way.insert(id, Arc::clone(&in_flight));
        self.note(under_way.len());
        Ok(Entry {
            id,
            in_flight,
            requests: Arc::clone(self),
        })
    }

    /// Allows a request further messages of rows. One that has ended needs none.
    pub(super) fn add_credit(&self, id: RequestId, rows_messages: u32) {
        if let Some(in_flight) = self.lock().get(&id) {
            let more = u64::from(rows_messages);
            in_flight
                .credit
                .send_modify(|credit| *credit = credit.saturating_add(more));
        }
    }

    /// Stops a request. One that has ended has ended.
    pub(super) fn stop(&self, id: RequestId, reason: StopReason) {
        if let Some(in_flight) = self.lock().get(&id) {
            in_flight.stop.ask(reason);
        }
    }

    /// Stops all.
    pub(super) fn stop_all(&self, reason: StopReason) {
        for in_flight in self.lock().values() {
            in_flight.stop.ask(reason);
        }
    }

    /// Waits until none is under way.
    pub(super) async fn ended(&self) {
        // The sender of the channel is ours, so waiting cannot fail.
        let mut state = self.state.subscribe();
        let _state = state.wait_for(|state| state.count == 0).await;
    }

    /// Since when none is under way, if none is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state.borrow();
        (state.count == 0).then_some(state.changed)
    }

    fn note(&self, count: usize) {
        self.state.send_replace(State {
            count,
            changed: Instant::now(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Arc<InFlight>>> {
        // Every change is a single call: whoever panicked left nothing half done.
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Stops it, or says that it is stopped.
    pub(super) fn stop(&self) -> &Stop {
        &self.in_flight.stop
    }

    /// Whether no other request of the connection is under way.
    pub(super) fn is_alone(&self) -> bool {
        self.requests.state.borrow().count == 1
    }

    /// Waits until at least so many messages of rows are allowed.
    pub(super) async fn credit_of(&self, rows_messages: u64) {
        let mut credit = self.in_flight.credit.subscribe();
        // The sender of the channel is ours, so waiting cannot fail.
        let _credit = credit.wait_for(|credit| *credit >= rows_messages).await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.in_flight.stop.ask(StopReason::Disconnected);
        let mut under_way = self.requests.lock();
        under_way.remove(&self.id);
        self.requests.note(under_way.len());
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn ids_are_free_again_once_their_request_has_ended() {
        let requests = Arc::new(Requests::new(2));
        let first = requests.take(RequestId(1), 0).ok().unwrap();
        assert_eq!(
            requests.take(RequestId(1), 0).err(),
            Some(NotTaken::Duplicate)
        );
        let second = requests.take(RequestId(2), 0).ok().unwrap();
        assert_eq!(
            requests.take(RequestId(3), 0).err(),
            Some(NotTaken::TooMany)
        );
        assert_eq!(
            requests.take(RequestId(2), 0).err(),
            Some(NotTaken::Duplicate)
        );
        assert_eq!(requests.idle_since(), None);
        drop(first);
        let first = requests.take(RequestId(1), 0).ok().unwrap();
        drop((first, second));
        assert!(requests.idle_since().is_some());
    }

    #[tokio::test]
    async fn credit_adds_up_and_never_overflows() {
        let requests = Arc::new(Requests::new(1));
        let entry = requests.take(RequestId(1), u32::MAX).ok().unwrap();
        entry.credit_of(u64::from(u32::MAX)).await;
        requests.add_credit(RequestId(1), 3);
        requests.add_credit(RequestId(7), 3);
        entry.credit_of(u64::from(u32::MAX) + 3).await;
        entry.in_flight.credit.send_replace(u64::MAX);
        requests.add_credit(RequestId(1), u32::MAX);
        entry.credit_of(u64::MAX).await;
    }

    #[tokio::test]
    async fn only_the_first_reason_to_stop_counts() {
        let requests = Arc::new(Requests::new(1));
        let entry = requests.take(RequestId(1), 0).ok().unwrap();
        requests.stop(RequestId(2), StopReason::Cancelled);
        assert_eq!(entry.stop().reason(), None);
        requests.stop(RequestId(1), StopReason::Cancelled);
        requests.stop_all(StopReason::Disconnected);
        entry.stop().asked().await;
        assert_eq!(entry.stop().reason(), Some(StopReason::Cancelled));
        assert!(entry.stop().flag().is_raised());
    }
}
