//! How many users hold a tag, whatever decides that.

use super::{
    count::count,
    planner,
    query::resolver,
    ranks::RankedUsers,
    scan::{Context, units},
};
use crate::{
    error::Error,
    ids::RowId,
    schema::{TagDefinition, Timing},
};

/// How many users hold a tag at a moment. A tag whose row tells is counted from stored
/// cardinalities.
///
/// # Errors
/// When the store fails, the budget is used up, or its rule cannot be resolved.
pub(crate) fn users_of(
    context: Context<'_>,
    tag: &TagDefinition,
    now: jiff::Timestamp,
) -> Result<u64, Error> {
    context.budget.check()?;
    if is_told_by_row(context, tag) {
        let mut users = 0;
        for unit in units(context.dataset)? {
            let row = RowId::Tag(tag.id);
            let fragment = context.dataset.fragment(unit.partition, unit.shard, row)?;
            users += fragment.cardinality();
        }
        return Ok(users);
    }
    let ranks = RankedUsers::new(context);
    let resolver = resolver(context.dataset, &[], now, context.limits)?;
    let holders = resolver.ranked_by(&ranks).holders_of(tag.id);
    let holders = holders.map_err(|error| ranks.reason(error))?;
    count(context, &planner::plan(context, holders)?)
}

/// Whether who holds a tag is who is in its row.
pub(crate) fn is_told_by_row(context: Context<'_>, tag: &TagDefinition) -> bool {
    tag.timing == Timing::Standing && context.dataset.schema().rule_of(tag).is_none()
}
