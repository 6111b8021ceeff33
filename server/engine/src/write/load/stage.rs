//! Staging a load: which of its users are new, and what the others become.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::{
    error::Error,
    exec::scheduler::{Scheduler, Turn},
    ids::{Location, PartitionId, TagId},
    limits::Limits,
    write::{
        apply::{Moment, apply_to_user},
        command::Command,
        load::{
            LoadRows,
            events::EventBatch,
            newcomers::{Found, Newcomers, Rules},
            rows::RowColumn,
        },
        spread::{Share, apply_all},
        staging::{Part, Staging},
    },
};

/// With fewer new users than this, writing files takes longer than staging them.
const NEWCOMERS_MIN: u64 = if cfg!(test) { 2 } else { 1_000 };

/// The new users and events of the loads that share a commit.
#[derive(Default)]
pub(in crate::write) struct Loads {
    /// By partition, those of earlier loads first.
    newcomers: Vec<Vec<Newcomers>>,
    /// By partition, those of earlier loads first.
    pub(super) events: Vec<Vec<EventBatch>>,
    /// The ids of these events.
    pub(super) event_ids: HashSet<(Location, String), RandomState>,
}

/// What a load changes by new users alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::write) struct Changed {
    pub(in crate::write) users: u64,
    pub(in crate::write) facts: u64,
}

impl Loads {
    /// No loads.
    pub(in crate::write) fn new(partition_count: usize) -> Self {
        Self {
            newcomers: (0..partition_count).map(|_| Vec::new()).collect(),
            events: (0..partition_count).map(|_| Vec::new()).collect(),
            event_ids: HashSet::default(),
        }
    }

    /// The new users of every partition.
    pub(in crate::write) fn newcomers(&self) -> &[Vec<Newcomers>] {
        &self.newcomers
    }

    /// The new users of a partition.
    pub(super) fn newcomers_of(&self, partition: PartitionId) -> &[Newcomers] {
        let newcomers = self.newcomers.get(usize::from(partition.0));
        newcomers.map_or(&[][..], Vec::as_slice)
    }

    /// Whether there are no new users.
    pub(in crate::write) fn has_no_newcomers(&self) -> bool {
        self.newcomers.iter().all(Vec::is_empty)
    }

    /// Whether there are neither new users nor events.
    pub(in crate::write) fn is_empty(&self) -> bool {
        self.has_no_newcomers() && self.has_no_events()
    }

    /// Applies a load: its new users are set aside, all others are staged. Ids are given in the
    /// order of rows, as if all were. `None`, and whatever was staged is to be rolled back, when
    /// a row is of a new user of an earlier load.
    pub(in crate::write) fn stage(
        &mut self,
        staging: &mut Staging,
        limits: &Limits,
        scheduler: &Scheduler,
        at_us: i64,
        parts: Vec<(PartitionId, LoadRows)>,
    ) -> Result<Option<Changed>, Error> {
        let Some(found) = self.find(staging, limits, at_us, scheduler, &parts)? else {
            return Ok(None);
        };
        let mut changed = Changed::default();
        for (users, facts) in found.iter().map(Found::changed) {
            changed.users += users;
            changed.facts += facts;
        }
        let is_one_by_one = has_inviters(staging, &parts) || takes_from_rules(staging, &parts);
        if changed.users < NEWCOMERS_MIN || is_one_by_one {
            prefetch(staging, scheduler, &parts, None)?;
            let share = |rows| Share::from(Command::Load { at_us, rows });
            let shares = parts.into_iter().map(|(of, rows)| (of, share(rows)));
            apply_all(staging, limits, scheduler, shares.collect())?;
            return Ok(Some(Changed::default()));
        }
        prefetch(staging, scheduler, &parts, Some(&found))?;
        let work = parts.into_iter().zip(found);
        let work = work.map(|((partition, rows), found)| (partition, (rows, found)));
        let staged = staging.work_on(scheduler, work.collect(), |part, schema, turn, work| {
            let (rows, found) = work;
            stage_part(part, &Moment::new(limits, schema, at_us), turn, rows, found)
        })?;
        // All of them, before any is kept.
        let staged = staged.into_iter().collect::<Result<Vec<_>, Error>>()?;
        for newcomers in staged.into_iter().flatten() {
            let partition = usize::from(newcomers.partition.0);
            if let Some(loads) = self.newcomers.get_mut(partition) {
                loads.push(newcomers);
            }
        }
        Ok(Some(changed))
    }

    /// The new users of every part; `None` when one is a new user of an earlier load.
    fn find(
        &self,
        staging: &Staging,
        limits: &Limits,
        at_us: i64,
        scheduler: &Scheduler,
        parts: &[(PartitionId, LoadRows)],
    ) -> Result<Option<Vec<Found>>, Error> {
        let rules = Rules::new(&staging.schema, limits, at_us);
        let found = scheduler.fold(parts.len(), Vec::new, |mut done, _, number| {
            let (partition, rows) = &parts[number];
            let earlier = self.newcomers_of(*partition);
            let found = Found::find(staging, &rules, *partition, rows, earlier);
            done.push((number, found));
            Ok(done)
        })?;
        let mut found: Vec<(usize, Result<Option<Found>, Error>)> =
            found.into_iter().flatten().collect();
        // What is refused does not depend on which thread was quicker.
        found.sort_unstable_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, found)| found).collect()
    }
}

/// Whether somebody is given an inviter: where that is, is known when everybody has a place.
fn has_inviters(staging: &Staging, parts: &[(PartitionId, LoadRows)]) -> bool {
    let inviter = staging.schema.inviter();
    let columns = parts.iter().flat_map(|(_, rows)| &rows.columns);
    let mut attributes = columns.filter_map(RowColumn::attribute);
    inviter.is_some() && attributes.any(|attribute| Some(attribute) == inviter)
}

/// Whether tags are taken that rules may give: new users remember that, too.
fn takes_from_rules(staging: &Staging, parts: &[(PartitionId, LoadRows)]) -> bool {
    let schema = &staging.schema;
    let columns = parts.iter().flat_map(|(_, rows)| &rows.columns);
    let taken: HashSet<TagId, RandomState> =
        columns.flat_map(RowColumn::all_taken).copied().collect();
    let mut tags = taken.iter().filter_map(|tag| schema.tag_by_id(*tag));
    tags.any(|tag| schema.rule_of(tag).is_some())
}

/// Reads the users of all rows that are not of new ones.
fn prefetch(
    staging: &mut Staging,
    scheduler: &Scheduler,
    parts: &[(PartitionId, LoadRows)],
    found: Option<&[Found]>,
) -> Result<(), Error> {
    let mut keys = Vec::new();
    for (number, (_, rows)) in parts.iter().enumerate() {
        let found = found.and_then(|found| found.get(number));
        let mut next = 0;
        for (row, key) in rows.keys.iter().enumerate() {
            if !found.is_some_and(|found| found.take_if(&mut next, row)) {
                keys.push(key);
            }
        }
    }
    staging.prefetch(scheduler, keys.into_iter())
}

/// Gives the new users their ids, and applies the rows of the others. Takes one place of the
/// partition's order, as the command would.
fn stage_part(
    part: &mut Part,
    moment: &Moment<'_>,
    turn: &Turn<'_>,
    rows: LoadRows,
    found: Found,
) -> Result<Option<Newcomers>, Error> {
    part.advance()?;
    let mut ids = Vec::new();
    let mut next = 0;
    for row in 0..rows.keys.len() {
        if found.take_if(&mut next, row) {
            ids.push(part.give_id()?);
            continue;
        }
        turn.pass_if_due();
        for command in rows.commands(row) {
            apply_to_user(part, moment, command)?;
        }
    }
    Ok((!found.is_empty()).then(|| Newcomers::new(part.partition, rows, found, ids)))
}
