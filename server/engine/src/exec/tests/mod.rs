//! The fast paths against the oracle, on random data and random questions.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests stop at the first surprise"
)]

mod behaviour;
mod changes;
mod counts;
mod crowds;
mod dense;
mod dimensions;
mod event_dimensions;
mod labels;
mod portraits;
mod queries;
mod referral;
mod segments;
mod statements;

use tessera_query_lang::{Limits, ast, parse_statement};

use super::{
    planner,
    testing::{Bench, memory::MemoryDataset},
};
use crate::{
    exec::dataset::Dataset,
    plan::{Resolver, logical, physical::Plan, resolve::ResolveLimits},
};

fn resolver(dataset: &MemoryDataset) -> Resolver<'_> {
    let now = jiff::Timestamp::UNIX_EPOCH;
    Resolver::new(dataset.schema(), &[], now, ResolveLimits::default()).expect("no parameters")
}

/// What an expression means over a data set; it must resolve.
fn resolved(dataset: &MemoryDataset, expr: &ast::Expr) -> logical::Expr {
    resolver(dataset)
        .expr(expr)
        .expect("the expression resolves")
}

fn statement(text: &str) -> ast::Statement {
    parse_statement(text, &Limits::default())
        .unwrap_or_else(|error| panic!("{}", error.render(text)))
}

fn planned(bench: &Bench, expr: logical::Expr) -> Plan {
    planner::plan(bench.context(), expr).expect("memory does not fail")
}
