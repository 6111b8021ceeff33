//! The behaviour benchmark: what users did over more than a year, and questions about it.
//!
//! Knows how the events come about and what the right answers are, by loops so plain that a
//! reader can check them; loads the server and its peers, asks and compares. Does not know how
//! any database answers.

pub mod calendar;
pub mod data;
pub mod flat;
pub mod generate;
pub mod oracle;
pub mod questions;
pub mod report;
pub mod run;
