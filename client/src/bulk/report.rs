//! What became of many changes, as a program is told.
//!
//! Does not know how it comes to be known: that is in `ledger`.

use std::ops::Range;

use tessera_protocol::message::{Failure, Mutation};

use crate::error::Error;

/// A change that the server refused, and with it those that were given together with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Its place among the changes given to the writer, from 0. The server names no place: among
    /// changes given together it is the first whose attribute or tag the failure's message
    /// names, and the first of all when there is none.
    pub index: u64,
    /// The change; of a row that was given column by column the one that is to blame.
    pub mutation: Mutation,
    /// The places of all changes that were refused with it, its own among them.
    pub together: Range<u64>,
    /// Why.
    pub failure: Failure,
}

/// A batch that could not be written, for reasons that do not lie in it. Its changes may or may
/// not have been applied, unless the error says that nothing was done.
#[derive(Debug, Clone)]
pub struct BatchFailure {
    /// The places of its changes among those given to the writer.
    pub indices: Vec<u64>,
    /// Why.
    pub error: Error,
}

/// How many changes came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BulkTotals {
    /// Changes given to the writer; a row that is given column by column is one, here and below.
    pub given: u64,
    /// Changes applied.
    pub applied: u64,
    /// Changes refused, those refused for another's sake included.
    pub refused: u64,
    /// Changes in batches that failed.
    pub failed: u64,
    /// Batches that were applied.
    pub batches: u64,
    /// Users changed, created or deleted, summed over batches: one whose changes lie in several
    /// batches counts in each.
    pub users_changed: u64,
    /// Facts changed, summed over batches: one that several batches change counts in each.
    pub facts_changed: u64,
}

/// What became of the changes given to a writer.
#[derive(Debug, Clone, Default)]
pub struct BulkReport {
    /// How many came to what.
    pub totals: BulkTotals,
    /// The first refusals to be known, when no function takes them.
    pub refusals: Vec<Refusal>,
    /// Batches that failed. The first one stops the writer; changes that were still waiting
    /// then follow with [`Error::Stopped`] and were not sent.
    pub failures: Vec<BatchFailure>,
}
