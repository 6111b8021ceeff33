//! What became of the changes, as far as it is known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_protocol::message::Summary;

use super::{BatchFailure, BulkReport, BulkTotals, OnRefusal, Refusal};
use crate::error::Error;

/// Written by the lanes, read by the writer.
pub(super) struct Ledger {
    pages: Mutex<Pages>,
    on_refusal: Option<Mutex<OnRefusal>>,
    refusals_kept_max: usize,
}

#[derive(Default)]
struct Pages {
    report: BulkReport,
    stop_reason: Option<Arc<Error>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("totals", &self.totals())
            .finish_non_exhaustive()
    }
}

impl Ledger {
    pub(super) fn new(on_refusal: Option<OnRefusal>, refusals_kept_max: usize) -> Self {
        let pages = Mutex::default();
        Self {
            pages,
            on_refusal: on_refusal.map(Mutex::new),
            refusals_kept_max,
        }
    }

    pub(super) fn applied(&self, changes: usize, summary: &Summary) {
        let mut pages = self.pages();
        let totals = &mut pages.report.totals;
        totals.batches += 1;
        totals.applied += changes as u64;
        totals.users_changed = totals.users_changed.saturating_add(summary.users_changed);
        totals.facts_changed = totals.facts_changed.saturating_add(summary.facts_changed);
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        let mut pages = self.pages();
        let refused = refusal.together.end.saturating_sub(refusal.together.start);
        pages.report.totals.refused += refused;
        match &self.on_refusal {
            None if pages.report.refusals.len() < self.refusals_kept_max => {
                pages.report.refusals.push(refusal);
            }
            None => {}
            Some(on_refusal) => {
                drop(pages);
                on_refusal.lock().unwrap_or_else(PoisonError::into_inner)(refusal);
            }
        }
    }

    /// Notes a failed batch; the first one stops the writer.
    pub(super) fn failed(&self, indices: Vec<u64>, error: Error) {
        let mut pages = self.pages();
        pages
            .stop_reason
            .get_or_insert_with(|| Arc::new(error.clone()));
        pages.report.totals.failed += indices.len() as u64;
        pages.report.failures.push(BatchFailure { indices, error });
    }

    pub(super) fn stop_reason(&self) -> Option<Arc<Error>> {
        self.pages().stop_reason.clone()
    }

    /// The error of whoever comes after the writer stopped.
    pub(super) fn stopped(&self) -> Error {
        let unknown = || {
            Arc::new(Error::Unexpected(
                "a lane of the writer ended early".to_owned(),
            ))
        };
        Error::Stopped(self.stop_reason().unwrap_or_else(unknown))
    }

    pub(super) fn totals(&self) -> BulkTotals {
        self.pages().report.totals
    }

    pub(super) fn take_report(&self) -> BulkReport {
        std::mem::take(&mut self.pages().report)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
