//! SegBench: a deterministic workload of users, attributes and tags, and its questions.
//!
//! Knows how the data come about and what the right answers are, by loops so plain that a
//! reader can check them; runs the server and its peers and compares. Does not know how any
//! database answers.

pub mod ask;
pub mod behaviour;
pub mod beside;
pub mod bound;
pub mod data;
pub mod document;
pub mod everything;
pub mod flat;
pub mod generate;
pub mod machine;
pub mod oracle;
pub mod peer;
pub mod plot;
pub(crate) mod prepared;
pub mod questions;
pub mod random;
pub mod report;
pub mod run;
pub mod server;
pub mod targets;
pub mod writes;
