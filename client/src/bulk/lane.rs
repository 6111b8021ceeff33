//! A lane: units in order, one batch at a time.

use std::{ops::Range, sync::Arc};

use tessera_protocol::{
    load::{EventRows, LoadRows},
    message::{Failure, FailureCode, Mutation, RequestBody},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{BulkOptions, Ledger, Refusal, Unit, blame, events::Events, rows::Rows};
use crate::{answer::Answer, client::Client, error::Error};

/// Rows that are refused together and are so few are sent one change after the other: that tells
/// which of them is to blame.
const REFUSED_ROWS_FEW: usize = 500;

/// What a lane is given.
#[derive(Debug)]
pub(super) enum Item {
    Unit(Unit),
    Rows(Rows),
    Events(Events),
    /// Answered when everything before it is done.
    Flush(oneshot::Sender<()>),
}

/// Units to be applied together.
#[derive(Debug, Default)]
struct Batch {
    /// The changes of all units, one unit's after the other's.
    mutations: Vec<Mutation>,
    spans: Vec<Span>,
}

/// Where a unit's changes are.
#[derive(Debug)]
struct Span {
    /// The places of its changes among all: one for each change, or one for all of a row.
    indices: Range<u64>,
    mutations: usize,
    /// Held until the unit is done.
    _memory: Arc<OwnedSemaphorePermit>,
}

impl Batch {
    fn push(&mut self, unit: Unit) {
        self.spans.push(Span {
            indices: unit.indices,
            mutations: unit.mutations.len(),
            _memory: unit.memory,
        });
        self.mutations.extend(unit.mutations);
    }

    fn units(&self) -> usize {
        self.spans.len()
    }

    /// The places of its changes among all.
    fn indices(&self) -> Vec<u64> {
        let indices = self.spans.iter().map(|span| span.indices.clone());
        indices.flatten().collect()
    }

    /// Keeps the first half of the units and gives the second.
    fn split_half(&mut self) -> Self {
        let half = self.units() / 2;
        let kept = self.spans[..half].iter().map(|span| span.mutations).sum();
        Self {
            mutations: self.mutations.split_off(kept),
            spans: self.spans.split_off(half),
        }
    }
}

/// Why a batch was closed.
enum Closed {
    /// It is full, or has waited long enough.
    Due,
    /// Rows follow.
    Rows(Rows),
    /// Events follow.
    Events(Events),
    /// Somebody waits for it.
    Flushed(oneshot::Sender<()>),
    /// Nothing will follow.
    Finished,
}

/// What came of sending a batch.
enum Verdict {
    Applied,
    /// For what is in it.
    Refused(Failure),
    /// For other reasons.
    Failed(Error),
}

pub(super) struct Lane {
    client: Client,
    options: BulkOptions,
    ledger: Arc<Ledger>,
}

impl Lane {
    pub(super) fn new(client: Client, options: BulkOptions, ledger: Arc<Ledger>) -> Self {
        Self {
            client,
            options,
            ledger,
        }
    }

    /// Works until nothing more can come. After the writer has stopped it still tells what
    /// becomes of each change.
    pub(super) async fn run(self, mut items: mpsc::Receiver<Item>) {
        let mut left_over = None;
        loop {
            let (batch, closed) = self.fill(&mut items, &mut left_over).await;
            self.settle(batch).await;
            match closed {
                Closed::Due => {}
                Closed::Rows(rows) => self.settle_rows(rows).await,
                Closed::Events(events) => self.settle_events(events).await,
                Closed::Flushed(done) => drop(done.send(())),
                Closed::Finished => return,
            }
        }
    }

    /// Gathers a batch. It begins with what was left over from the one before: a unit is left
    /// over when the batch has no room for the whole of it.
    async fn fill(
        &self,
        items: &mut mpsc::Receiver<Item>,
        left_over: &mut Option<Unit>,
    ) -> (Batch, Closed) {
        let mut batch = Batch::default();
        let mut bytes = 0_usize;
        let mut due = None;
        while self.has_room(&batch, bytes, 1) {
            let next = match (left_over.take(), due) {
                (Some(unit), _) => Ok(Some(Item::Unit(unit))),
                (None, None) => Ok(items.recv().await),
                (None, Some(due)) => timeout_at(due, items.recv()).await,
            };
            match next {
                Err(_elapsed) => return (batch, Closed::Due),
                Ok(None) => return (batch, Closed::Finished),
                Ok(Some(Item::Flush(done))) => return (batch, Closed::Flushed(done)),
                Ok(Some(Item::Rows(rows))) => return (batch, Closed::Rows(rows)),
                Ok(Some(Item::Events(events))) => return (batch, Closed::Events(events)),
                Ok(Some(Item::Unit(unit)))
                    if !self.has_room(&batch, bytes, unit.mutations.len()) =>
                {
                    *left_over = Some(unit);
                    return (batch, Closed::Due);
                }
                Ok(Some(Item::Unit(unit))) => {
                    bytes = bytes.saturating_add(unit.bytes);
                    batch.push(unit);
                    due = due.or_else(|| Instant::now().checked_add(self.options.flush_interval));
                }
            }
        }
        (batch, Closed::Due)
    }

    /// Whether so many changes more may join a batch of so many bytes. An empty one takes any
    /// unit: somewhere it must go.
    fn has_room(&self, batch: &Batch, bytes: usize, mutations: usize) -> bool {
        let found = batch.mutations.len().saturating_add(mutations);
        batch.units() == 0
            || (found <= self.options.batch_mutations_max && bytes < self.options.batch_bytes_max)
    }

    /// Applies a batch, halving what is refused: earlier halves first, so that the order of one
    /// user's changes is kept.
    async fn settle(&self, batch: Batch) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            if part.units() == 0 {
                continue;
            }
            if let Some(error) = self.ledger.stop_reason() {
                self.ledger.failed(part.indices(), Error::Stopped(error));
                continue;
            }
            if part.units() > 1 && part.mutations.len() > self.mutations_max() {
                let second = part.split_half();
                parts.extend([second, part]);
                continue;
            }
            match self.send(&mut part).await {
                Verdict::Applied => {}
                Verdict::Refused(failure) if part.units() == 1 => self.refuse(part, failure),
                Verdict::Refused(_) => {
                    let second = part.split_half();
                    parts.extend([second, part]);
                }
                Verdict::Failed(error) => self.ledger.failed(part.indices(), error),
            }
        }
    }

    /// Applies rows as they were given, halving what is refused: earlier halves first. What is
    /// refused and little, or what the server does not understand, becomes batches of changes.
    async fn settle_rows(&self, rows: Rows) {
        let mut parts = vec![rows];
        while let Some(mut part) = parts.pop() {
            if part.len() == 0 {
                continue;
            }
            if let Some(error) = self.ledger.stop_reason() {
                self.ledger.failed(part.indices(), Error::Stopped(error));
                continue;
            }
            if part.len() > 1 && part.len() > self.mutations_max() {
                let [first, second] = part.halves();
                parts.extend([second, first]);
                continue;
            }
            match self.send_rows(&mut part).await {
                Verdict::Applied => {}
                Verdict::Refused(failure)
                    if part.len() <= REFUSED_ROWS_FEW || failure.code == FailureCode::Version =>
                {
                    self.settle_as_changes(&part).await;
                }
                Verdict::Refused(_) => {
                    let [first, second] = part.halves();
                    parts.extend([second, first]);
                }
                Verdict::Failed(error) => self.ledger.failed(part.indices(), error),
            }
        }
    }

    async fn settle_as_changes(&self, rows: &Rows) {
        let mut batch = Batch::default();
        for (index, mutations) in rows.mutations() {
            if !self.has_room(&batch, 0, mutations.len()) {
                self.settle(std::mem::take(&mut batch)).await;
            }
            batch.push(Unit {
                indices: index..index + 1,
                mutations,
                bytes: 0,
                memory: Arc::clone(rows.memory()),
            });
        }
        self.settle(batch).await;
    }

    /// Sends rows under a fresh idempotency key: the client repeats it as often as need be.
    async fn send_rows(&self, part: &mut Rows) -> Verdict {
        let body = RequestBody::Load {
            idempotency_key: Some(rand::random()),
            unknown_tags: self.options.unknown_tags,
            rows: std::mem::take(&mut part.rows),
        };
        let outcome = self.client.ask_again(&body).await;
        part.rows = match body {
            RequestBody::Load { rows, .. } => rows,
            RequestBody::Ping
            | RequestBody::Execute { .. }
            | RequestBody::Write { .. }
            | RequestBody::LoadEvents { .. } => LoadRows::default(),
        };
        self.judge(outcome, part.len())
    }

    /// Applies events as they were given, but for those that are refused one by one.
    async fn settle_events(&self, events: Events) {
        let mut parts = vec![events];
        while let Some(mut part) = parts.pop() {
            if part.len() == 0 {
                continue;
            }
            if let Some(error) = self.ledger.stop_reason() {
                self.ledger.failed(part.indices(), Error::Stopped(error));
                continue;
            }
            if part.len() > self.mutations_max() {
                let [first, second] = part.halves();
                parts.extend([second, first]);
                continue;
            }
            let failure = match self.send_events(&mut part).await {
                Verdict::Applied => continue,
                Verdict::Refused(failure) => failure,
                Verdict::Failed(error) => {
                    self.ledger.failed(part.indices(), error);
                    continue;
                }
            };
            if let Some(blamed) = part.blamed(&failure) {
                for row in blamed.clone() {
                    self.refuse_event(&part, row, failure.clone());
                }
                parts.extend(part.without(&blamed).into_iter().rev());
            } else if failure.code == FailureCode::LimitExceeded && part.len() > 1 {
                let [first, second] = part.halves();
                parts.extend([second, first]);
            } else if failure.code == FailureCode::LimitExceeded {
                self.refuse_event(&part, 0, failure);
            } else {
                // It lies in none of them, so it lies in what all have in common.
                self.ledger.failed(part.indices(), Error::Refused(failure));
            }
        }
    }

    fn refuse_event(&self, part: &Events, row: usize, failure: Failure) {
        let index = part.index(row);
        self.ledger.refused(Refusal {
            index,
            mutation: part.mutation(row),
            together: index..index + 1,
            failure,
        });
    }

    /// Sends events under a fresh idempotency key: the client repeats it as often as need be.
    async fn send_events(&self, part: &mut Events) -> Verdict {
        let body = RequestBody::LoadEvents {
            idempotency_key: Some(rand::random()),
            unknown_users: self.options.unknown_users,
            rows: std::mem::take(&mut part.rows),
        };
        let outcome = self.client.ask_again(&body).await;
        part.rows = match body {
            RequestBody::LoadEvents { rows, .. } => rows,
            RequestBody::Ping
            | RequestBody::Execute { .. }
            | RequestBody::Write { .. }
            | RequestBody::Load { .. } => EventRows::default(),
        };
        self.judge(outcome, part.len())
    }

    /// The server's own limit, as far as it is known; beyond it a batch need not be tried.
    fn mutations_max(&self) -> usize {
        self.client.mutations_max().unwrap_or(usize::MAX).max(1)
    }

    /// Tells the refusal of a part that is one unit.
    fn refuse(&self, mut part: Batch, failure: Failure) {
        let Some(together) = part.spans.first().map(|span| span.indices.clone()) else {
            return;
        };
        let blamed = blame::find(&part.mutations, &failure.message);
        let last = together.end.saturating_sub(1);
        self.ledger.refused(Refusal {
            index: last.min(together.start + blamed as u64),
            mutation: part.mutations.swap_remove(blamed),
            together,
            failure,
        });
    }

    /// Sends a batch under a fresh idempotency key: the client repeats it as often as need be.
    async fn send(&self, part: &mut Batch) -> Verdict {
        let body = RequestBody::Write {
            idempotency_key: Some(rand::random()),
            unknown_tags: self.options.unknown_tags,
            mutations: std::mem::take(&mut part.mutations),
        };
        let outcome = self.client.ask_again(&body).await;
        part.mutations = match body {
            RequestBody::Write { mutations, .. } => mutations,
            RequestBody::Ping
            | RequestBody::Execute { .. }
            | RequestBody::Load { .. }
            | RequestBody::LoadEvents { .. } => Vec::new(),
        };
        let changes = part.indices().len();
        self.judge(outcome, changes)
    }

    /// What an answer means for so many changes.
    fn judge(&self, outcome: Result<Answer, Error>, changes: usize) -> Verdict {
        match outcome {
            Ok(answer) => {
                self.ledger.applied(changes, &answer.summary);
                Verdict::Applied
            }
            Err(Error::Refused(failure)) if lies_in_the_data(failure.code) => {
                Verdict::Refused(failure)
            }
            Err(error @ Error::TooLong { .. }) => Verdict::Refused(Failure {
                code: FailureCode::LimitExceeded,
                message: error.to_string(),
                span: None,
                hint: None,
            }),
            Err(error) => Verdict::Failed(error),
        }
    }
}

/// Whether a refusal lies in what was asked, so that the rest of a batch may still go through,
/// or all of it said another way.
fn lies_in_the_data(code: FailureCode) -> bool {
    match code {
        FailureCode::UnknownName
        | FailureCode::TypeMismatch
        | FailureCode::LimitExceeded
        | FailureCode::Conflict
        | FailureCode::Version => true,
        FailureCode::Syntax
        | FailureCode::NotAvailableYet
        | FailureCode::Cancelled
        | FailureCode::DeadlineExceeded
        | FailureCode::UnknownCursor
        | FailureCode::Closing
        | FailureCode::Overloaded
        | FailureCode::Protocol
        | FailureCode::Storage
        | FailureCode::Internal => false,
    }
}
