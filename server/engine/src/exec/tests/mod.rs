//! The fast paths against the oracle, on random data and random questions.
#![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

mod counts;

use crate::{
    exec::{dataset::Dataset, testing::memory::MemoryDataset},
    plan::{Resolver, logical, resolve::ResolveLimits},
};
use tessera_query_lang::ast;

/// What an expression means over a data set; it must resolve.
fn resolved(dataset: &MemoryDataset, expr: &ast::Expr) -> logical::Expr {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut resolver =
        Resolver::new(dataset.schema(), &[], now, ResolveLimits::default()).expect("no parameters");
    resolver.expr(expr).expect("the expression resolves")
}
