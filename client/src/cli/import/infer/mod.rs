//! Proposes a mapping from the first rows of a file.
//!
//! Knows what columns tend to be. Does not know the server; the proposal is a mapping like any
//! other, with the reasons as comments, to be read by a person before it is trusted.

mod guess;
mod propose;
mod sample;

pub(crate) use propose::propose;
pub(crate) use sample::Sample;

/// How much of a file is looked at, in bytes.
pub(crate) const SAMPLE_BYTES: usize = 16 * 1024 * 1024;
/// How many rows are looked at.
const SAMPLE_ROWS: usize = 10_000;
