//! A lane: changes in order, one batch at a time.

use std::sync::Arc;

use tessera_protocol::message::{Failure, FailureCode, Mutation, RequestBody};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{BulkOptions, Change, Ledger, Refusal};
use crate::{client::Client, error::Error};

/// What a lane is given.
#[derive(Debug)]
pub(super) enum Item {
    Change(Change),
    /// Answered when everything before it is done.
    Flush(oneshot::Sender<()>),
}

/// Changes to be applied together.
#[derive(Debug, Default)]
struct Batch {
    indices: Vec<u64>,
    mutations: Vec<Mutation>,
    memory: Vec<OwnedSemaphorePermit>,
}

impl Batch {
    fn push(&mut self, change: Change) {
        self.indices.push(change.index);
        self.mutations.push(change.mutation);
        self.memory.push(change.memory);
    }

    fn len(&self) -> usize {
        self.indices.len()
    }

    /// Keeps the first half and gives the second.
    fn split_half(&mut self) -> Self {
        let half = self.len() / 2;
        Self {
            indices: self.indices.split_off(half),
            mutations: self.mutations.split_off(half),
            memory: self.memory.split_off(half),
        }
    }
}

/// Why a batch was closed.
enum Closed {
    /// It is full, or has waited long enough.
    Due,
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
        loop {
            let (batch, closed) = self.fill(&mut items).await;
            self.settle(batch).await;
            match closed {
                Closed::Due => {}
                Closed::Flushed(done) => drop(done.send(())),
                Closed::Finished => return,
            }
        }
    }

    async fn fill(&self, items: &mut mpsc::Receiver<Item>) -> (Batch, Closed) {
        let mut batch = Batch::default();
        let mut bytes = 0_usize;
        let mut due = None;
        while batch.len() < self.options.batch_mutations_max && bytes < self.options.batch_bytes_max
        {
            let next = match due {
                None => Ok(items.recv().await),
                Some(due) => timeout_at(due, items.recv()).await,
            };
            match next {
                Err(_elapsed) => return (batch, Closed::Due),
                Ok(None) => return (batch, Closed::Finished),
                Ok(Some(Item::Flush(done))) => return (batch, Closed::Flushed(done)),
                Ok(Some(Item::Change(change))) => {
                    bytes = bytes.saturating_add(change.bytes);
                    batch.push(change);
                    due = due.or_else(|| Instant::now().checked_add(self.options.flush_interval));
                }
            }
        }
        (batch, Closed::Due)
    }

    /// Applies a batch, halving what is refused: earlier halves first, so that the order of one
    /// user's changes is kept.
    async fn settle(&self, batch: Batch) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            if part.len() == 0 {
                continue;
            }
            if let Some(error) = self.ledger.stop_reason() {
                self.ledger.failed(part.indices, Error::Stopped(error));
                continue;
            }
            if part.len() > self.mutations_max() {
                let second = part.split_half();
                parts.extend([second, part]);
                continue;
            }
            match self.send(&mut part).await {
                Verdict::Applied => {}
                Verdict::Refused(failure) if part.len() == 1 => self.refuse(part, &failure),
                Verdict::Refused(_) => {
                    let second = part.split_half();
                    parts.extend([second, part]);
                }
                Verdict::Failed(error) => self.ledger.failed(part.indices, error),
            }
        }
    }

    /// The server's own limit, as far as it is known; beyond it a batch need not be tried.
    fn mutations_max(&self) -> usize {
        self.client.mutations_max().unwrap_or(usize::MAX).max(1)
    }

    fn refuse(&self, part: Batch, failure: &Failure) {
        for (index, mutation) in part.indices.into_iter().zip(part.mutations) {
            self.ledger.refused(Refusal {
                index,
                mutation,
                failure: failure.clone(),
            });
        }
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
            RequestBody::Ping | RequestBody::Execute { .. } => Vec::new(),
        };
        match outcome {
            Ok(answer) => {
                self.ledger.applied(part.len(), &answer.summary);
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

/// Whether a refusal lies in what was asked, so that the rest of a batch may still go through.
fn lies_in_the_data(code: FailureCode) -> bool {
    match code {
        FailureCode::UnknownName
        | FailureCode::TypeMismatch
        | FailureCode::LimitExceeded
        | FailureCode::Conflict => true,
        FailureCode::Syntax
        | FailureCode::NotAvailableYet
        | FailureCode::Cancelled
        | FailureCode::DeadlineExceeded
        | FailureCode::UnknownCursor
        | FailureCode::Closing
        | FailureCode::Overloaded
        | FailureCode::Protocol
        | FailureCode::Version
        | FailureCode::Storage
        | FailureCode::Internal => false,
    }
}
