//! The answer to one request, as it arrives. Dropping it before the end cancels the request.

use std::task::{Context, Poll};

use tessera_protocol::message::{ClientMessage, RequestId};
use tokio::sync::mpsc;

use super::{Connection, Event};
use crate::error::{Error, Outcome};

/// What arrives for one request.
#[derive(Debug)]
pub(crate) struct Response {
    connection: Connection,
    id: RequestId,
    events: mpsc::Receiver<Event>,
    /// `Rows` and `Keys` messages taken since credit was last given.
    taken: u32,
    /// Credit is given in portions of so many messages.
    portion: u32,
}

impl Response {
    pub(super) fn new(
        connection: Connection,
        id: RequestId,
        events: mpsc::Receiver<Event>,
        rows_messages_credit: u32,
    ) -> Self {
        Self {
            connection,
            id,
            events,
            taken: 0,
            portion: rows_messages_credit.div_ceil(2),
        }
    }

    /// The next event. Taking rows lets the server send more. An error is the last event, and so
    /// are [`Event::End`] and [`Event::Failed`].
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Error>> {
        self.events.poll_recv(cx).map(|event| match event {
            Some(event) => {
                if matches!(event, Event::Rows(_) | Event::Keys(_)) {
                    self.give_credit();
                }
                Ok(event)
            }
            None => Err(self.connection.lost(Outcome::Unknown)),
        })
    }

    /// The next event; safe to drop at any time.
    pub(crate) async fn event(&mut self) -> Result<Event, Error> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn give_credit(&mut self) {
        self.taken += 1;
        if self.taken < self.portion || !self.connection.is_under_way(self.id) {
            return;
        }
        self.connection.say(&ClientMessage::Credit {
            id: self.id,
            rows_messages: self.taken,
        });
        self.taken = 0;
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        if self.connection.is_under_way(self.id) {
            self.connection.say(&ClientMessage::Cancel { id: self.id });
        }
    }
}
