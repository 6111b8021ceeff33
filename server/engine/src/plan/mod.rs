//! From a syntax tree to something that can be run: resolve names, simplify, lower.
//!
//! Knows definitions and estimated sizes. Does not know how a block of users is evaluated.

pub mod estimate;
pub mod logical;
pub mod lower;
pub mod passes;
pub mod physical;
pub mod quantity;
pub mod query;
pub mod rank;
pub mod resolve;
pub mod user_set;

pub use resolve::{ResolveError, Resolver};
