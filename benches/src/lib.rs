//! SegBench: a deterministic workload of users, attributes and tags, and its questions.
//!
//! Knows how the data come about and what the right answers are, by loops so plain that a
//! reader can check them. Does not know how any database answers.

pub mod bound;
pub mod generate;
pub mod oracle;
pub mod questions;
pub mod random;
pub mod report;
