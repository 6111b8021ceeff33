//! How many users hold a tag, whatever decides that.

use tessera_query_lang::ast::{self, Spanned, TagPattern};

use super::{
    count::count,
    planner,
    query::resolver,
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
    let pattern = Spanned::synthetic(TagPattern::Name(tag.name.clone()));
    let mut resolver = resolver(context.dataset, &[], now, context.limits)?;
    let held = resolver.expr(&ast::Expr::Tag(vec![pattern]))?;
    count(context, &planner::plan(context, held)?)
}

/// Whether who holds a tag is who is in its row.
pub(crate) fn is_told_by_row(context: Context<'_>, tag: &TagDefinition) -> bool {
    let group = tag
        .group
        .and_then(|group| context.dataset.schema().group_by_id(group));
    let has_rule = tag.rule.is_some() || group.is_some_and(|group| group.rule.is_some());
    tag.timing == Timing::Standing && !has_rule
}
