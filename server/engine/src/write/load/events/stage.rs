//! Staging a load of events: who they are of, which of them are new, and what is to be written.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::{
    EventRows, UnknownUsers,
    resolve::{EventPart, in_row},
};
use crate::{
    error::Error,
    exec::scheduler::Scheduler,
    ids::{Location, PartitionId, UserId},
    limits::Limits,
    write::{
        WriteError,
        coerce::excerpt,
        command::Command,
        load::{Changed, LoadRows, Loads, PackedTexts},
        spread::{Share, apply_all},
        staging::Staging,
    },
};

/// With fewer events than this, writing files takes longer than staging them.
const EVENTS_MIN: usize = if cfg!(test) { 3 } else { 2_000 };

/// Keys that are looked for at once.
const KEYS_AT_ONCE: usize = 256;

/// New events of one partition, whose users are known.
pub(in crate::write) struct EventBatch {
    /// The place of their command in the partition's order.
    pub(super) command: u64,
    pub(super) rows: EventRows,
    /// For each key of the rows who it is.
    pub(super) users: Vec<UserId>,
    /// Those of the rows that are new, rising.
    pub(super) kept: Vec<u32>,
}

impl Loads {
    /// Whether there are no events.
    pub(in crate::write) fn has_no_events(&self) -> bool {
        self.events.iter().all(Vec::is_empty)
    }

    /// The events of every partition.
    pub(in crate::write) fn events(&self) -> &[Vec<EventBatch>] {
        &self.events
    }

    /// Applies a load of events: many are set aside, few are staged. `None`, and whatever was staged
    /// is to be rolled back, when that must wait until an earlier load is written.
    pub(in crate::write) fn stage_events(
        &mut self,
        staging: &mut Staging,
        limits: &Limits,
        scheduler: &Scheduler,
        at_us: i64,
        unknown_users: UnknownUsers,
        parts: Vec<EventPart>,
    ) -> Result<Option<Changed>, Error> {
        let mut found = locate(staging, scheduler, &parts)?;
        if self.meets_newcomers(&parts, &found) {
            return Ok(None);
        }
        if unknown_users == UnknownUsers::Refuse {
            refuse_unknown(&parts, &found)?;
        }
        let count: usize = parts.iter().map(|part| part.rows.len()).sum();
        if count < EVENTS_MIN {
            let has_ids = parts.iter().any(|part| part.rows.ids.is_some());
            if has_ids && !self.has_no_events() {
                return Ok(None);
            }
            let share = |rows| Share::from(Command::LoadEvents { at_us, rows });
            let shares = parts.into_iter().map(|it| (it.partition, share(it.rows)));
            apply_all(staging, limits, scheduler, shares.collect())?;
            return Ok(Some(Changed::default()));
        }
        let kept = self.new_ones(staging, scheduler, &parts, &found)?;
        let mut commands = Vec::with_capacity(parts.len());
        for part in &parts {
            let (staged, _) = staging.part_mut(part.partition);
            staged.advance()?;
            commands.push(staged.state.applied_offset);
        }
        let mut changed = changed_by(&parts, &found, &kept);
        let unknown = unknown_keys(&parts, &found);
        if !unknown.is_empty() {
            let Some(made) = self.stage(staging, limits, scheduler, at_us, unknown)? else {
                return Ok(None);
            };
            changed.users += made.users;
            self.find_made(staging, &parts, &mut found);
        }
        self.set_aside(parts, found, kept, commands)?;
        Ok(Some(changed))
    }

    /// Whether somebody who is not known is a new user of an earlier load.
    fn meets_newcomers(&self, parts: &[EventPart], found: &[Vec<Option<UserId>>]) -> bool {
        parts.iter().zip(found).any(|(part, found)| {
            let earlier = self.newcomers_of(part.partition);
            let mut unknown = unknown_of(part, found);
            !earlier.is_empty()
                && unknown.any(|key| earlier.iter().any(|it| it.id_of(key).is_some()))
        })
    }

    /// For each part the events that there are not yet. Of several with one id the first counts.
    fn new_ones(
        &self,
        staging: &Staging,
        scheduler: &Scheduler,
        parts: &[EventPart],
        found: &[Vec<Option<UserId>>],
    ) -> Result<Vec<Vec<u32>>, Error> {
        let done = scheduler.fold(parts.len(), Vec::new, |mut done, _, number| {
            let kept = self.new_ones_of(staging, &parts[number], &found[number])?;
            done.push((number, kept));
            Ok(done)
        })?;
        let mut done: Vec<(usize, Vec<u32>)> = done.into_iter().flatten().collect();
        done.sort_unstable_by_key(|(number, _)| *number);
        Ok(done.into_iter().map(|(_, kept)| kept).collect())
    }

    fn new_ones_of(
        &self,
        staging: &Staging,
        part: &EventPart,
        found: &[Option<UserId>],
    ) -> Result<Vec<u32>, Error> {
        let rows = &part.rows;
        let all = 0..rows.len() as u32;
        if rows.ids.is_none() {
            return Ok(all.collect());
        }
        let known = known_ids(staging, part, found)?;
        let mut seen: HashSet<(&str, &str), RandomState> = HashSet::default();
        let partition = part.partition;
        let staged = staging.part(partition);
        let is_new = |row: &u32| {
            let row = *row as usize;
            let Some(id) = rows.id(row) else {
                return true;
            };
            let key = rows.of[row] as usize;
            let is_staged = found[key].is_some_and(|user| {
                let location = Location { partition, user };
                staged.is_some_and(|staged| staged.events.has_id(location, id))
                    || self.has_event_id(location, id)
            });
            let is_first = seen.insert((rows.keys.at(key).unwrap_or(""), id));
            is_first && !is_staged && !known.contains(&row)
        };
        Ok(all.filter(is_new).collect())
    }

    fn has_event_id(&self, location: Location, id: &str) -> bool {
        !self.event_ids.is_empty() && self.event_ids.contains(&(location, id.to_owned()))
    }

    /// Finds those who were made just now.
    fn find_made(&self, staging: &Staging, parts: &[EventPart], found: &mut [Vec<Option<UserId>>]) {
        for (part, found) in parts.iter().zip(found) {
            let made = self.newcomers_of(part.partition).last();
            for (user, key) in found.iter_mut().zip(part.rows.keys.iter()) {
                if user.is_none() {
                    let staged = staging.staged_user(key).flatten();
                    *user = staged.or_else(|| made?.id_of(key));
                }
            }
        }
    }

    fn set_aside(
        &mut self,
        parts: Vec<EventPart>,
        found: Vec<Vec<Option<UserId>>>,
        kept: Vec<Vec<u32>>,
        commands: Vec<u64>,
    ) -> Result<(), Error> {
        let missing = || Error::Internal("a user who was made is not found".to_owned());
        let mut batches = Vec::with_capacity(parts.len());
        for (((part, found), kept), command) in parts.into_iter().zip(found).zip(kept).zip(commands)
        {
            let users: Option<Vec<UserId>> = found.into_iter().collect();
            let batch = EventBatch {
                command,
                users: users.ok_or_else(missing)?,
                rows: part.rows,
                kept,
            };
            batches.push((part.partition, batch));
        }
        for (partition, batch) in batches {
            for &row in &batch.kept {
                if let Some(id) = batch.rows.id(row as usize) {
                    let user = batch.users[batch.rows.of[row as usize] as usize];
                    let location = Location { partition, user };
                    self.event_ids.insert((location, id.to_owned()));
                }
            }
            if let Some(events) = self.events.get_mut(usize::from(partition.0)) {
                events.push(batch);
            }
        }
        Ok(())
    }
}

/// For each part and each of its keys who it is, if anybody.
fn locate(
    staging: &Staging,
    scheduler: &Scheduler,
    parts: &[EventPart],
) -> Result<Vec<Vec<Option<UserId>>>, Error> {
    let mut found: Vec<Vec<Option<UserId>>> = Vec::with_capacity(parts.len());
    let mut wanted: Vec<(PartitionId, &str, usize, usize)> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let mut of_part = vec![None; part.rows.keys.len()];
        for (place, key) in part.rows.keys.iter().enumerate() {
            match staging.staged_user(key) {
                Some(staged) => of_part[place] = staged,
                None => wanted.push((part.partition, key, number, place)),
            }
        }
        found.push(of_part);
    }
    wanted.sort_unstable();
    let pieces: Vec<_> = wanted.chunks(KEYS_AT_ONCE).collect();
    let done = scheduler.fold(pieces.len(), Vec::new, |mut done, _, piece| {
        let keys: Vec<(PartitionId, &str)> = pieces[piece]
            .iter()
            .map(|(partition, key, ..)| (*partition, *key))
            .collect();
        done.push((piece, staging.base.locate_many(&keys)?));
        Ok(done)
    })?;
    for (piece, located) in done.into_iter().flatten() {
        for ((_, _, number, place), located) in pieces[piece].iter().zip(located) {
            found[*number][*place] = located.map(|location| location.user);
        }
    }
    Ok(found)
}

fn unknown_of<'a>(
    part: &'a EventPart,
    found: &'a [Option<UserId>],
) -> impl Iterator<Item = &'a str> {
    let keys = part.rows.keys.iter().zip(found);
    keys.filter_map(|(key, user)| user.is_none().then_some(key))
}

/// Refuses the first event, in the order of the load, of somebody who is not a user.
fn refuse_unknown(parts: &[EventPart], found: &[Vec<Option<UserId>>]) -> Result<(), Error> {
    let mut first: Option<(u32, &str)> = None;
    for (part, found) in parts.iter().zip(found) {
        for (place, user) in part.places.iter().zip(&part.rows.of) {
            if found[*user as usize].is_none() {
                let key = part.rows.keys.at(*user as usize).unwrap_or("");
                if first.is_none_or(|(before, _)| *place < before) {
                    first = Some((*place, key));
                }
                break;
            }
        }
    }
    match first {
        None => Ok(()),
        Some((row, key)) => {
            let key = excerpt(key);
            Err(in_row(row as usize)(WriteError::UnknownUser { key }))
        }
    }
}

/// The keys that are nobody's as rows of a load, which makes them users.
fn unknown_keys(
    parts: &[EventPart],
    found: &[Vec<Option<UserId>>],
) -> Vec<(PartitionId, LoadRows)> {
    let mut unknown = Vec::new();
    for (part, found) in parts.iter().zip(found) {
        let keys: PackedTexts = unknown_of(part, found).collect();
        if !keys.is_empty() {
            let columns = Vec::new();
            unknown.push((part.partition, LoadRows { keys, columns }));
        }
    }
    unknown
}

/// The rows whose ids users have in the store.
fn known_ids(
    staging: &Staging,
    part: &EventPart,
    found: &[Option<UserId>],
) -> Result<HashSet<usize, RandomState>, Error> {
    let rows = &part.rows;
    let mut wanted: Vec<(UserId, &str, usize)> = Vec::new();
    for row in 0..rows.len() {
        if let (Some(id), Some(user)) = (rows.id(row), found[rows.of[row] as usize]) {
            wanted.push((user, id, row));
        }
    }
    wanted.sort_unstable();
    let mut known = HashSet::default();
    for piece in wanted.chunks(KEYS_AT_ONCE) {
        let ids = piece.iter().map(|(user, id, _)| (*user, *id));
        let events = staging.base.events_with_ids(part.partition, ids)?;
        for ((_, _, row), event) in piece.iter().zip(events) {
            // Ids of kinds of events that were dropped may linger.
            if event.is_some_and(|event| staging.schema.event_by_id(event).is_some()) {
                known.insert(*row);
            }
        }
    }
    Ok(known)
}

/// What is changed by the events that are new, but for users who are.
fn changed_by(parts: &[EventPart], found: &[Vec<Option<UserId>>], kept: &[Vec<u32>]) -> Changed {
    let mut changed = Changed::default();
    for ((part, found), kept) in parts.iter().zip(found).zip(kept) {
        changed.facts += kept.len() as u64;
        let mut users: Vec<UserId> = kept
            .iter()
            .filter_map(|row| found[part.rows.of[*row as usize] as usize])
            .collect();
        users.sort_unstable();
        users.dedup();
        changed.users += users.len() as u64;
    }
    changed
}
