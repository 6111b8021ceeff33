//! The one connection that all clones of a client share.
//!
//! Knows when a connection is renewed, and how long to wait after a failure. Does not know what is
//! asked over it.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::{connection::Connection, dial::Dial, error::Error, options::ClientOptions};

/// What all clones share: the connection, and how to get another.
pub(super) struct Core {
    pub(super) dial: Box<dyn Dial>,
    pub(super) options: ClientOptions,
    pub(super) slot: Mutex<Slot>,
}

/// The current connection, and what was learnt from failing to get one.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) connection: Option<Connection>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Core {
    /// The connection, renewed if need be. One task at a time renews it, the others wait for it;
    /// after a failure the next attempt waits first.
    pub(super) async fn connection(&self) -> Result<Connection, Error> {
        let mut slot = self.slot.lock().await;
        if let Some(connection) = &slot.connection
            && connection.is_usable()
        {
            return Ok(connection.clone());
        }
        slot.connection = None;
        if let Some(moment) = slot.not_before {
            tokio::time::sleep_until(moment).await;
        }
        match Connection::open(self.dial.as_ref(), &self.options).await {
            Ok(connection) => {
                *slot = Slot {
                    connection: Some(connection.clone()),
                    ..Slot::default()
                };
                Ok(connection)
            }
            Err(error) => {
                slot.failures = slot.failures.saturating_add(1);
                let delay = self.options.backoff.delay(slot.failures, rand::random());
                slot.not_before = Instant::now().checked_add(delay);
                Err(error)
            }
        }
    }

    /// Says that there was no connection after so long.
    pub(super) fn out_of_reach(&self, waited: Duration) -> Error {
        let message = format!("no answer within {} ms", waited.as_millis());
        Error::Connect {
            address: self.dial.address().to_owned(),
            source: Arc::new(io::Error::new(io::ErrorKind::TimedOut, message)),
        }
    }

    /// After a request ran out of time: gives the connection up if it was silent all along.
    pub(super) fn suspect(&self, since: Instant) {
        if let Ok(slot) = self.slot.try_lock()
            && let Some(connection) = &slot.connection
        {
            connection.close_if_silent_since(since);
        }
    }
}
