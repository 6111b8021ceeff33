//! Running plans: block by block, shard by shard, and what statements make of the users found.
//!
//! Knows plans, datasets and sinks. Does not know names, except to print them.

pub(crate) mod asked;
mod behaviour;
mod block_pool;
mod bound;
mod byte_meter;
mod change;
mod count;
pub mod cursors;
pub mod dataset;
mod derived;
mod describe;
mod dimension;
mod explain;
mod heard;
mod held;
pub mod limits;
mod lint;
mod look;
pub mod naive;
pub(crate) mod note;
mod number_range;
mod one_user;
mod planner;
mod portrait;
mod query;
mod ranks;
mod referral;
mod rows;
mod scan;
pub mod scheduler;
mod segment;
mod show;
mod sizes;
pub mod statement;
mod tag_size;
#[cfg(test)]
#[expect(
    clippy::expect_used,
    reason = "test support stops at the first surprise"
)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod trend;
mod upkeep;
mod why;
