//! Requests under way on a connection, and what arrives for them.
//!
//! Knows who waits for what. Does not know sockets; the clock's readings are given to it.

use std::collections::HashMap;

use tessera_protocol::{
    load::PackedTexts,
    message::{Column, Datum, Failure, RequestId, ResultKind, ServerMessage, Summary},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};

/// Something that arrived for one request.
#[derive(Debug)]
pub(crate) enum Event {
    /// The columns of its rows.
    Header(ResultKind, Vec<Column>),
    /// Some rows.
    Rows(Vec<Vec<Datum>>),
    /// Some rows of a key each.
    Keys(PackedTexts),
    /// It ended well.
    End(Summary),
    /// It ended ill.
    Failed(Failure),
}

/// What a message means for the whole connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Routed {
    /// Nothing more.
    Delivered,
    /// The connection cannot be used any longer.
    Broken(String),
}

#[derive(Debug)]
struct Pending {
    events: mpsc::Sender<Event>,
    /// Held until the server has ended the request, wanted or not.
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum State {
    Open,
    /// The server takes no further requests, but answers those under way.
    Closing,
    Closed(String),
}

#[derive(Debug)]
pub(super) struct Table {
    pending: HashMap<RequestId, Pending>,
    next_id: u64,
    state: State,
    last_heard: Instant,
}

/// Events of a request besides rows: the header and the end.
const EVENTS_BESIDE_ROWS: usize = 2;

impl Table {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            pending: HashMap::new(),
            next_id: 0,
            state: State::Open,
            last_heard: now,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether a single request is under way.
    pub(super) fn has_one(&self) -> bool {
        self.pending.len() == 1
    }

    pub(super) fn is_under_way(&self, id: RequestId) -> bool {
        self.pending.contains_key(&id)
    }

    /// When the server last said anything.
    pub(super) fn last_heard(&self) -> Instant {
        self.last_heard
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    /// Why the connection takes no further requests.
    pub(super) fn reason(&self) -> String {
        match &self.state {
            State::Open => "the connection was closed".to_owned(),
            State::Closing => "the server is closing".to_owned(),
            State::Closed(reason) => reason.clone(),
        }
    }

    /// A fresh id, and where its events will arrive; `None` when the connection is not open.
    pub(super) fn open_request(
        &mut self,
        permit: OwnedSemaphorePermit,
        rows_messages_credit: u32,
    ) -> Option<(RequestId, mpsc::Receiver<Event>)> {
        if !self.is_open() {
            return None;
        }
        let capacity = (rows_messages_credit as usize).saturating_add(EVENTS_BESIDE_ROWS);
        let (events, receiver) = mpsc::channel(capacity);
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.pending.insert(
            id,
            Pending {
                events,
                _permit: permit,
            },
        );
        Some((id, receiver))
    }

    /// A request that was not sent after all.
    pub(super) fn forget(&mut self, id: RequestId) {
        self.pending.remove(&id);
    }

    /// No further requests; those under way learn that the connection is gone.
    pub(super) fn close(&mut self, reason: String) {
        if !matches!(self.state, State::Closed(_)) {
            self.state = State::Closed(reason);
        }
        self.pending.clear();
    }

    /// Hands a message to the request it belongs to.
    pub(super) fn route(&mut self, message: ServerMessage) -> Routed {
        match message {
            ServerMessage::Header { id, kind, columns } => {
                self.deliver(id, Event::Header(kind, columns))
            }
            ServerMessage::Rows { id, rows } => self.deliver(id, Event::Rows(rows)),
            ServerMessage::Keys { id, keys } => self.deliver(id, Event::Keys(keys)),
            ServerMessage::End { id, summary } => self.deliver_last(id, Event::End(summary)),
            ServerMessage::Failed { id, failure } => self.deliver_last(id, Event::Failed(failure)),
            ServerMessage::Closing => {
                self.state = State::Closing;
                Routed::Delivered
            }
            ServerMessage::Refused(failure) => {
                Routed::Broken(format!("the server ended it: {}", failure.message))
            }
            ServerMessage::Welcome(_) => Routed::Broken("a second welcome".to_owned()),
        }
    }

    fn deliver(&self, id: RequestId, event: Event) -> Routed {
        let Some(pending) = self.pending.get(&id) else {
            return unknown(id);
        };
        send(&pending.events, event)
    }

    fn deliver_last(&mut self, id: RequestId, event: Event) -> Routed {
        let Some(pending) = self.pending.remove(&id) else {
            return unknown(id);
        };
        send(&pending.events, event)
    }
}

fn send(events: &mpsc::Sender<Event>, event: Event) -> Routed {
    match events.try_send(event) {
        // Nobody wants it any more: the request was cancelled and has yet to end.
        Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Routed::Delivered,
        Err(mpsc::error::TrySendError::Full(_)) => {
            Routed::Broken("the server sent more rows than it had credit for".to_owned())
        }
    }
}

fn unknown(id: RequestId) -> Routed {
    Routed::Broken(format!(
        "the server answered request {}, which is not under way",
        id.0
    ))
}
