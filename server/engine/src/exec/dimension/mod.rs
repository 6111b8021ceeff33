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

use std::collections::HashSet;

use super::{byte_meter::ByteMeter, held::HeldAt, scan::Context};
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
    let held = HeldAt::new(context.dataset, timed_tags(schema, query));
    let context = Context {
        dataset: held.as_ref().map_or(context.dataset, |held| held),
        ..context
    };
    let split = Split::new(schema, plan, query);
    let meter = ByteMeter::new(context.limits.group_bytes_max);
    let percents = wanted_percentiles(query);
    let groups = match RowCount::new(context, plan, query, &split) {
        Some(rows) => Groups::new(
            rows.run(&split, &meter)?,
            context.limits.groups_max,
            percents,
        )?,
        None => measure(context, plan, &split, percents, &meter)?,
    };
    output::write(context.dataset, query, &groups, sink)
}

/// The tags whose rows alone do not tell who holds them, and the second that is asked about.
fn timed_tags(schema: &Schema, query: &DimensionQuery) -> Option<(HashSet<TagId>, i64)> {
    let mut timed = None;
    for dim in &query.dims {
        if let DimKind::Tags { tags, at_s } = &dim.kind {
            let (known, _) = timed.get_or_insert_with(|| (HashSet::new(), *at_s));
            known.extend(tags.iter().filter(|tag| schema.is_timed(**tag)));
        }
    }
    timed.filter(|(tags, _)| !tags.is_empty())
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
    context: Context<'_>,
    plan: &Plan,
    split: &Split,
    percents: Vec<Vec<u8>>,
    meter: &'t ByteMeter,
) -> Result<Groups<'t>, Error> {
    let groups_max = context.limits.groups_max;
    match NumberSource::choose(context, plan, split)? {
        NumberSource::Columns | NumberSource::Slices => {}
        NumberSource::Windows => {
            let sample = gather(context, plan, split, Reach::Sample, meter)?;
            let narrowed = Narrowed::of(&sample, &percents, meter)?;
            drop(sample);
            let table = gather(context, plan, split, Reach::Narrowed(&narrowed), meter)?;
            let groups = Groups::new(table, groups_max, percents.clone())?;
            if groups.are_within(&narrowed) {
                return Ok(groups);
            }
        }
    }
    let table = gather(context, plan, split, Reach::All, meter)?;
    Groups::new(table, groups_max, percents)
}

/// Goes through all shards.
fn gather<'t>(
    context: Context<'_>,
    plan: &Plan,
    split: &Split,
    reach: Reach<'_>,
    meter: &'t ByteMeter,
) -> Result<Table<'t>, Error> {
    let walk = context.fold_shards(
        plan,
        || Walk::new(split, context, reach, meter),
        |mut walk, shard| {
            walk.shard(shard)?;
            Ok(walk)
        },
        Walk::merge,
    )?;
    Ok(walk.into_table())
}
