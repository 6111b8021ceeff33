//! Commands of several partitions, applied side by side where that pays.
//!
//! What a command does to a partition depends on no other partition, so that it makes no
//! difference which is first. Of several that are refused, the step is told that comes first in
//! the request.

use std::collections::BTreeMap;

use crate::{
    error::Error,
    exec::scheduler::{Scheduler, Turn},
    ids::PartitionId,
    limits::Limits,
    schema::Schema,
    write::{
        apply::apply,
        command::{Command, UserCommand},
        staging::{Part, Staging},
    },
};

/// With fewer steps it is quicker not to wake other threads.
const PARALLEL_STEPS_MIN: usize = if cfg!(test) { 8 } else { 512 };

/// What one partition has to do of a request.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) commands: Vec<UserCommand>,
    /// Where in the request each of them stands.
    pub(super) places: Vec<u32>,
}

/// A command of one partition.
#[derive(Debug)]
pub(super) struct Share {
    command: Command,
    /// Where in the request its steps stand; empty where nobody asks.
    places: Vec<u32>,
}

impl Share {
    /// These steps, at this time in microseconds since 1970-01-01T00:00:00Z.
    pub(super) fn of_steps(at_us: i64, steps: Steps) -> Self {
        let Steps { commands, places } = steps;
        Self {
            command: Command::Users { at_us, commands },
            places,
        }
    }

    fn apply(
        self,
        part: &mut Part,
        schema: &Schema,
        limits: &Limits,
        turn: Option<&Turn<'_>>,
    ) -> Result<(), (u32, Error)> {
        let places = self.places;
        apply(part, schema, limits, turn, self.command).map_err(|refusal| {
            let place = places.get(refusal.step).copied().unwrap_or(0);
            (place, refusal.error)
        })
    }
}

impl From<Command> for Share {
    fn from(command: Command) -> Self {
        Self {
            command,
            places: Vec::new(),
        }
    }
}

/// Applies the shares of several partitions; those of one partition one after the other.
pub(super) fn apply_all(
    staging: &mut Staging,
    limits: &Limits,
    scheduler: &Scheduler,
    shares: Vec<(PartitionId, Share)>,
) -> Result<(), Error> {
    let steps = shares.iter().map(|(_, share)| share.command.step_count());
    let refused: Vec<(u32, Error)> = if steps.sum::<usize>() < PARALLEL_STEPS_MIN {
        let mut apply = |(partition, share): (PartitionId, Share)| {
            let (part, schema) = staging.part_mut(partition);
            share.apply(part, schema, limits, None).err()
        };
        shares.into_iter().filter_map(&mut apply).collect()
    } else {
        let mut work: BTreeMap<PartitionId, Vec<Share>> = BTreeMap::new();
        for (partition, share) in shares {
            work.entry(partition).or_default().push(share);
        }
        let done = staging.work_on(scheduler, work, |part, schema, turn, shares| {
            let mut shares = shares.into_iter();
            shares.try_for_each(|share| share.apply(part, schema, limits, Some(turn)))
        })?;
        done.into_iter().filter_map(Result::err).collect()
    };
    // Of equals the first, which is of the lowest partition.
    let first = refused.into_iter().min_by_key(|(place, _)| *place);
    first.map_or(Ok(()), |(_, error)| Err(error))
}
