//! `DIMENSION`: a row per combination that occurs, with exact measures.
//!
//! One type a phase: [`split::BoundDim`] says how a dim splits users, a [`walk::Walk`] goes
//! through shards and gathers groups in its [`table::Table`], tables are merged,
//! [`groups::Groups`] are what came out, and `output` filters, orders and prints them. Sums are
//! exact; nothing depends on the order of shards.
//!
//! Dims of one value a user walk the set bits of a block over columns, a piece of some thousand
//! users at a time: for each dim their codes, packed, and their indices, from these their slots,
//! and for each slot its counters. Dims of several values (tags, groups, multi attributes)
//! intersect the block with each candidate's row, and a user with several counts in each. Users
//! with none are in the group of the missing value. See `tags` for how candidates are given up.
//!
//! Where all dims are such rows, sums, extremes and percentiles of many users come from the bit
//! slices of their numbers; see `narrow` for how percentiles do.
//!
//! Where events are split or measured, `events` goes through their tables for the users found.

mod axis;
mod calendar;
mod events;
mod groups;
mod layout;
mod narrow;
mod numbers;
mod output;
mod packed;
mod reader;
mod source;
mod split;
mod statistics;
mod table;
mod tags;
mod walk;
mod wanted;

pub(crate) use source::explain;

use std::collections::HashMap;

use super::{
    byte_meter::ByteMeter,
    dataset::Dataset,
    held::{Held, HeldAt},
    planner,
    scan::Context,
};
use crate::{
    datum::ResultSink,
    error::Error,
    ids::TagId,
    plan::{
        physical::Plan,
        query::{DimKind, DimensionQuery},
    },
    schema::Schema,
};
use events::Pass;
use groups::Groups;
use narrow::Narrowed;
use source::NumberSource;
use split::BoundDim;
use table::Table;
use tags::RowCount;
use walk::{Reach, Walk};
use wanted::{WantedNumbers, wanted_numbers, wanted_percentiles};

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
    let held = HeldAt::new(context, untold(context, query)?);
    let split = Split::new(schema, plan, query);
    let meter = ByteMeter::new(context.limits.group_bytes_max);
    let found = groups((context, &held), plan, query, &split, &meter);
    let groups = found.map_err(|error| held.failure().unwrap_or(error))?;
    output::write(context.dataset, query, &groups, sink)
}

fn groups<'t>(
    (context, held): (Context<'_>, &HeldAt<'_>),
    plan: &Plan,
    query: &DimensionQuery,
    split: &Split,
    meter: &'t ByteMeter,
) -> Result<Groups<'t>, Error> {
    let percents = wanted_percentiles(query);
    match RowCount::new((context, held), plan, query, split) {
        Some(rows) => Groups::new(rows.run(split, meter)?, context.limits.groups_max, percents),
        None => measure((context, held), plan, split, percents, meter),
    }
}

/// The tags whose rows alone do not tell who holds them, and what does.
fn untold(context: Context<'_>, query: &DimensionQuery) -> Result<HashMap<TagId, Held>, Error> {
    let schema = context.dataset.schema();
    let mut untold = HashMap::new();
    for dim in &query.dims {
        if let DimKind::Tags { tags, at_s, ruled } = &dim.kind {
            let timed = tags.iter().filter(|tag| schema.is_timed(**tag));
            untold.extend(timed.map(|tag| (*tag, Held::At(*at_s))));
            for (tag, holders) in ruled {
                let plan = planner::plan(context, holders.clone())?;
                untold.insert(*tag, Held::By(plan));
            }
        }
    }
    Ok(untold)
}

/// How users are split, and what is gathered of them.
struct Split {
    dims: Vec<BoundDim>,
    wanted: Vec<WantedNumbers>,
    /// How many users there are, about.
    users: u64,
    counted: Counted,
    /// How tables of events are gone through.
    passes: Vec<Pass>,
}

/// What groups have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Users,
    Events,
}

impl Split {
    fn new(schema: &Schema, plan: &Plan, query: &DimensionQuery) -> Self {
        let dims = query.dims.iter();
        Self {
            dims: dims.map(|dim| BoundDim::new(schema, &dim.kind)).collect(),
            wanted: wanted_numbers(query),
            users: plan.estimate,
            counted: match query.events {
                Some(_) => Counted::Events,
                None => Counted::Users,
            },
            passes: events::passes(query),
        }
    }
}

/// The groups, with percentiles that are exact however their numbers are had.
fn measure<'t>(
    (context, rows): (Context<'_>, &dyn Dataset),
    plan: &Plan,
    split: &Split,
    percents: Vec<Vec<u8>>,
    meter: &'t ByteMeter,
) -> Result<Groups<'t>, Error> {
    let groups_max = context.limits.groups_max;
    match NumberSource::choose(context, plan, split)? {
        NumberSource::Columns | NumberSource::Slices => {}
        NumberSource::Windows => {
            let sample = gather((context, rows), plan, split, Reach::Sample, meter)?;
            let narrowed = Narrowed::of(&sample, &percents, meter)?;
            drop(sample);
            let table = gather(
                (context, rows),
                plan,
                split,
                Reach::Narrowed(&narrowed),
                meter,
            )?;
            let groups = Groups::new(table, groups_max, percents.clone())?;
            if groups.are_within(&narrowed) {
                return Ok(groups);
            }
        }
    }
    let table = gather((context, rows), plan, split, Reach::All, meter)?;
    Groups::new(table, groups_max, percents)
}

/// Goes through all shards.
fn gather<'t>(
    (context, rows): (Context<'_>, &dyn Dataset),
    plan: &Plan,
    split: &Split,
    reach: Reach<'_>,
    meter: &'t ByteMeter,
) -> Result<Table<'t>, Error> {
    let walk = context.fold_shards(
        plan,
        || Walk::new(split, (context, rows), reach, meter),
        |mut walk, shard| {
            walk.shard(shard)?;
            Ok(walk)
        },
        Walk::merge,
    )?;
    Ok(walk.into_table())
}
