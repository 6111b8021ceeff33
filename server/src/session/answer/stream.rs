//! The parts of an answer, sent while the engine still makes more of them.
//!
//! Knows credit, and what is done when a client does not give it. Does not know what is in a part.

use std::pin::pin;

use tessera_engine::{datum::Summary, error::Error};
use tessera_protocol::message::Failure;
use tokio::{sync::mpsc::Receiver, time::timeout};

use super::super::{
    memory::Share,
    outgoing::Gone,
    sink::{Left, Part},
    stop::StopReason,
};
use super::{Answer, defect};
use crate::door::{Call, Panicked};

/// Parts of the answer were not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CutShort;

impl Answer {
    /// Sends what a call answers while it runs. A failure does not wait for credit.
    pub(super) async fn stream(
        &self,
        call: Call<(Result<Summary, Error>, Left)>,
        parts: Receiver<Part>,
        memory: Share,
    ) -> Result<Summary, Failure> {
        let mut credit_used = 0;
        let mut call = pin!(call.outcome());
        let (forwarded, summary, left) = {
            let mut forwarding = pin!(self.forward(parts, &mut credit_used));
            tokio::select! {
                biased;
                forwarded = &mut forwarding => {
                    let outcome = call.await;
                    drop(memory);
                    let (summary, left) = self.succeeded(outcome)?;
                    (forwarded, summary, left)
                }
                outcome = &mut call => {
                    drop(memory);
                    let (summary, left) = self.succeeded(outcome)?;
                    (forwarding.await, summary, left)
                }
            }
        };
        let whole = match (forwarded, left) {
            (Ok(()), Some(part)) => self.send(part, &mut credit_used).await,
            (forwarded, _) => forwarded,
        };
        whole
            .map(|()| summary)
            .map_err(|CutShort| self.stop_failure())
    }

    /// What is left of an answer that the engine has given in full.
    fn succeeded(
        &self,
        outcome: Result<(Result<Summary, Error>, Left), Panicked>,
    ) -> Result<(Summary, Option<Part>), Failure> {
        match outcome.map_err(defect)? {
            (_, Left::Failed(failure)) => Err(failure),
            (Err(error), Left::Whole(_) | Left::Unwanted) => Err(self.explain(&error)),
            (Ok(_), Left::Unwanted) => Err(self.stop_failure()),
            (Ok(summary), Left::Whole(part)) => Ok((summary, part)),
        }
    }

    /// Sends the parts of an answer as they come, until there are no more or it is stopped.
    async fn forward(
        &self,
        mut parts: Receiver<Part>,
        credit_used: &mut u64,
    ) -> Result<(), CutShort> {
        let stop = self.entry.stop();
        loop {
            let part = tokio::select! {
                biased;
                () = stop.asked() => break,
                part = parts.recv() => part,
            };
            match part {
                None => return Ok(()),
                Some(part) => {
                    if self.send(part, credit_used).await.is_err() {
                        parts.close();
                        return Err(CutShort);
                    }
                }
            }
        }
        // Stopped. If the engine had nothing more to say, the answer is whole nevertheless.
        parts.close();
        match parts.recv().await {
            Some(_) => Err(CutShort),
            None => Ok(()),
        }
    }

    async fn send(&self, part: Part, credit_used: &mut u64) -> Result<(), CutShort> {
        let stop = self.entry.stop();
        let frame = match part {
            Part::Header(frame) => frame,
            Part::Rows(frame) => {
                *credit_used += 1;
                let credit = timeout(
                    self.context.stall_timeout,
                    self.entry.credit_of(*credit_used),
                );
                let credited = tokio::select! {
                    biased;
                    credited = credit => credited,
                    () = stop.asked() => return Err(CutShort),
                };
                if credited.is_err() {
                    stop.ask(StopReason::Stalled);
                    return Err(CutShort);
                }
                frame
            }
        };
        let sent = tokio::select! {
            biased;
            () = stop.asked() => return Err(CutShort),
            sent = self.outgoing.send(frame) => sent,
        };
        sent.map_err(|Gone| {
            stop.ask(StopReason::Disconnected);
            CutShort
        })
    }
}
