//! Where the numbers of measured attributes come from: chosen once a statement, before anybody is
//! counted.
//!
//! A dim with one component a user is read from its column, user by user, and then numbers are
//! too. Where all dims are rows, a group's users of a block are a set of bits, and slices tell of
//! all of them at once.

use super::{
    Split,
    split::BoundDim,
    wanted::{Gather, WantedNumbers},
};
use crate::{
    error::Error,
    exec::scan::{Context, Unit, units},
    ids::RowId,
    plan::{physical::Plan, query::DimensionQuery},
};

/// With fewer users, or fewer for each one who lives, percentiles are had soonest from columns:
/// hardly any group has enough users in a block for slices.
const WINDOWED_USERS_MIN: u64 = 1 << 15;
const LIVING_A_WINDOWED_ONE: u64 = 64;

/// Where the numbers of a dimension come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberSource {
    Columns,
    /// Of groups with many users in a block, slices.
    Slices,
    /// The same, once a part of the users has told about where percentiles are.
    Windows,
}

impl NumberSource {
    /// What costs least.
    pub(super) fn choose(context: Context<'_>, plan: &Plan, split: &Split) -> Result<Self, Error> {
        let is_column = |dim: &BoundDim| matches!(dim, BoundDim::Column(..));
        if split.dims.iter().any(is_column) {
            return Ok(Self::Columns);
        }
        // Numbers of events come from their tables, whatever is chosen here.
        let is_distributed = |wanted: &WantedNumbers| {
            wanted.attribute.is_some() && wanted.distribution == Gather::Yes
        };
        if !split.wanted.iter().any(is_distributed) {
            return Ok(Self::Slices);
        }
        if split.users < WINDOWED_USERS_MIN || !plan.combines_rows_only() {
            return Ok(Self::Columns);
        }
        let mut living = 0;
        for Unit { partition, shard } in units(context.dataset)? {
            let users = context.dataset.fragment(partition, shard, RowId::Users)?;
            living += users.cardinality();
        }
        Ok(
            match split.users.saturating_mul(LIVING_A_WINDOWED_ONE) < living {
                true => Self::Columns,
                false => Self::Windows,
            },
        )
    }
}

/// How the numbers of a dimension are had, as `EXPLAIN` tells it; nothing where none are.
///
/// # Errors
/// When the store fails.
pub(crate) fn explain(
    context: Context<'_>,
    plan: &Plan,
    query: &DimensionQuery,
) -> Result<Option<&'static str>, Error> {
    let split = Split::new(context.dataset.schema(), plan, query);
    if split.wanted.iter().all(|wanted| wanted.attribute.is_none()) {
        return Ok(None);
    }
    Ok(Some(match NumberSource::choose(context, plan, &split)? {
        NumberSource::Columns => "columns, user by user",
        NumberSource::Slices => "bit slices where a group has many users in a block, else columns",
        NumberSource::Windows => {
            "bit slices where a group has many users in a block, else columns; percentiles in one \
             descent, within windows that a part of the users gives"
        }
    }))
}
