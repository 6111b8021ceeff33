//! `DIMENSION`: a row per combination that occurs, with exact measures.
//!
//! One type a phase: [`split::BoundDim`] says how a dim splits users, [`table::Table`] gathers
//! groups shard by shard and is merged, [`groups::Groups`] are what came out, and `output`
//! filters, orders and prints them. Sums are exact; nothing depends on the order of shards.
//!
//! Dims of one value a user walk the set bits of a block over columns; dims of several (tags,
//! groups, multi attributes) intersect the block with each candidate's row, and a user with
//! several counts in each. Users with none are in the group of the missing value.

mod calendar;
mod groups;
mod output;
mod split;
mod statistics;
mod table;
mod walk;

use super::{byte_meter::ByteMeter, scan::Context};
use crate::{
    datum::ResultSink,
    error::Error,
    plan::{physical::Plan, query::DimensionQuery},
};
use split::BoundDim;
use table::Table;
use walk::Walk;

/// Runs a dimension; gives the number of rows.
///
/// # Errors
/// When the store fails, the budget is used up, the receiver stops, or there are too many groups.
pub(crate) fn run(
    context: Context<'_>,
    plan: &Plan,
    query: &DimensionQuery,
    sink: &mut dyn ResultSink,
) -> Result<u64, Error> {
    let schema = context.dataset.schema();
    let dims: Vec<BoundDim> = query
        .dims
        .iter()
        .map(|dim| BoundDim::new(schema, &dim.kind))
        .collect();
    let meter = ByteMeter::new(context.limits.group_bytes_max);
    let table = context.fold_shards(
        plan,
        || Table::new(&dims, &query.measured, context.limits, &meter),
        |table, shard| {
            Walk::new(&dims, &query.measured, table, shard.context(), shard.unit)?.run(shard)
        },
        |left, right| left.merge(right),
    )?;
    let groups = table.finish(&dims)?;
    output::write(schema, query, groups, sink)
}
