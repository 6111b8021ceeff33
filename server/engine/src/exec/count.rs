//! `COUNT`: how many users. Never makes a result; a single row is counted from cardinalities.

use super::scan::Context;
use crate::{error::Error, plan::physical::Plan};

/// How many users a plan finds.
///
/// # Errors
/// When the store fails or the budget is used up.
pub(crate) fn count(context: Context<'_>, plan: &Plan) -> Result<u64, Error> {
    let counts = context.map_shards(plan, |mut shard| shard.count())?;
    Ok(counts.iter().sum())
}
