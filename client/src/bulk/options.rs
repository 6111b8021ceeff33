//! How many changes are written: what a program may choose.
//!
//! Knows between which bounds the writer can work. Does not know how it works.

use std::time::Duration;

use tessera_protocol::message::{UnknownTags, UnknownUsers};

/// How many changes are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkOptions {
    /// Changes in one batch; the server's own limit also holds. More changes that are given
    /// together are a batch of their own.
    pub batch_mutations_max: usize,
    /// Bytes in one batch, about.
    pub batch_bytes_max: usize,
    /// How long a change may wait for its batch to fill.
    pub flush_interval: Duration,
    /// Batches under way at once.
    pub lanes: usize,
    /// Time for one batch with all its repetitions.
    pub batch_timeout: Duration,
    /// What to do about tags that are not defined.
    pub unknown_tags: UnknownTags,
    /// What to do about events, given column by column, of keys that are no user's.
    pub unknown_users: UnknownUsers,
    /// Refusals kept for the report; further ones are only counted.
    pub refusals_kept_max: usize,
}

impl Default for BulkOptions {
    fn default() -> Self {
        Self {
            batch_mutations_max: 2_000,
            batch_bytes_max: 512 * 1024,
            flush_interval: Duration::from_millis(50),
            lanes: 4,
            batch_timeout: Duration::from_secs(60),
            unknown_tags: UnknownTags::Refuse,
            unknown_users: UnknownUsers::Create,
            refusals_kept_max: 10_000,
        }
    }
}

/// Options under which the writer can work at all.
pub(super) fn bounded(options: &BulkOptions) -> BulkOptions {
    const MUTATIONS_LIMIT: usize = 1 << 20;
    const BYTES_LIMIT: usize = 16 * 1024 * 1024;
    const LANES_LIMIT: usize = 1024;
    BulkOptions {
        batch_mutations_max: options.batch_mutations_max.clamp(1, MUTATIONS_LIMIT),
        batch_bytes_max: options.batch_bytes_max.clamp(1, BYTES_LIMIT),
        lanes: options.lanes.clamp(1, LANES_LIMIT),
        ..options.clone()
    }
}

/// For each lane: a batch under way, one that fills, and one that waits.
pub(super) fn memory_bytes_max(options: &BulkOptions) -> usize {
    const BATCHES_PER_LANE: usize = 3;
    options.lanes * options.batch_bytes_max * BATCHES_PER_LANE
}
