//! Running plans: block by block, shard by shard, and what statements make of the users found.
//!
//! Knows plans, datasets and sinks. Does not know names, except to print them.

mod block_pool;
mod bound;
mod count;
pub mod cursors;
pub mod dataset;
pub mod limits;
pub mod naive;
mod scan;
mod segment;
mod sizes;
#[cfg(test)]
#[expect(clippy::expect_used, reason = "test support stops at the first surprise")]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
