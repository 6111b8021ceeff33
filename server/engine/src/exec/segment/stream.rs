//! Users in storage order, in constant memory: a few blocks after the other, made ahead by helpers.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Place, PreparedSegment, ahead::in_order, fields::FieldReader};
use crate::{
    bitmap::Block,
    error::Error,
    exec::{
        rows::{BATCH_ROWS, RowWriter},
        scan::{Context, LoadedShard, ShardScan, Unit},
        scheduler::{Scheduler, Turn},
    },
    ids::{BLOCK_BITS, BLOCK_USERS, Location, PartitionId, SHARD_BLOCKS, ShardId, UserId},
    user_keys::PackedKeys,
};

/// Users that a piece should have: making one and handing it over costs about as much as finding
/// a few hundred users and their keys.
const PIECE_USERS: u64 = 2048;
/// With so many users a piece ends before its last block, so that memory stays bounded however
/// wrong estimates are.
const PIECE_USERS_MAX: usize = BLOCK_USERS as usize;

/// Why a scan ends early.
enum Halt {
    /// The page is full, and there is at least one more user.
    Full,
    /// It failed.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Writes the users after a place; says where the page ended if there are more.
pub(super) fn run(
    segment: &PreparedSegment,
    context: Context<'_>,
    after: Option<Location>,
    limit: Option<u64>,
    writer: &mut RowWriter<'_>,
) -> Result<Option<Place>, Error> {
    let reader = FieldReader::new(context.dataset, &segment.returns)?;
    if limit == Some(0) {
        return Ok(None);
    }
    let pieces = pieces_after(context, segment.plan.estimate, after)?;
    let finder = Finder {
        segment,
        context,
        after,
        users_max: users_max(segment, limit),
        paused: Mutex::default(),
    };
    let mut page = Page {
        context,
        reader,
        returns: match segment.returns.is_empty() {
            true => Returns::Keys,
            false => Returns::Fields,
        },
        last: None,
        left: limit,
        writer,
    };
    let ended = in_order(
        context.scheduler,
        pieces.len(),
        |number, turn| finder.find(pieces[number].clone(), turn),
        |found| page.take_all(&finder, found),
    );
    match ended {
        Ok(()) => Ok(None),
        Err(Halt::Full) => Ok(page.last.map(Place::Storage)),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// Blocks of a shard by their indices there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    unit: Unit,
    blocks: Range<u32>,
}

impl Piece {
    /// The blocks of a partition with these numbers, which are all in one shard.
    fn new(partition: PartitionId, numbers: Range<u32>) -> Self {
        let first = numbers.start % SHARD_BLOCKS;
        Self {
            unit: Unit {
                partition,
                // 2^32 users are 2^12 shards.
                shard: ShardId((numbers.start / SHARD_BLOCKS) as u16),
            },
            blocks: first..first + (numbers.end - numbers.start),
        }
    }
}

/// The blocks in which users after a place may be, in order, so many at once as hold enough
/// users when the estimate is right.
fn pieces_after(
    context: Context<'_>,
    estimate: u64,
    after: Option<Location>,
) -> Result<Vec<Piece>, Error> {
    let partitions = (0..context.dataset.partition_count()).map(PartitionId);
    let counts = partitions
        .clone()
        .map(|partition| context.dataset.block_count(partition))
        .collect::<Result<Vec<u32>, _>>()?;
    let all: u64 = counts.iter().copied().map(u64::from).sum();
    let wanted = PIECE_USERS.saturating_mul(all) / estimate.max(1);
    let step = wanted.clamp(1, u64::from(SHARD_BLOCKS)) as u32;
    let mut pieces = Vec::new();
    for (partition, count) in partitions.zip(counts) {
        let mut start = match after {
            Some(after) if after.partition > partition => continue,
            Some(after) if after.partition == partition => after.user.0 >> BLOCK_BITS,
            Some(_) | None => 0,
        };
        while start < count {
            let shard_end = (start / SHARD_BLOCKS + 1) * SHARD_BLOCKS;
            let end = (start + step).min(shard_end).min(count);
            pieces.push(Piece::new(partition, start..end));
            start = end;
        }
    }
    Ok(pieces)
}

/// No more keys of a piece are fetched than the page may need: all of it, and one to know of
/// more. Which users a sample keeps is known only with their keys.
fn users_max(segment: &PreparedSegment, limit: Option<u64>) -> usize {
    match (limit, &segment.sample) {
        (Some(limit), None) => usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .saturating_add(1),
        (Some(_) | None, _) => usize::MAX,
    }
}

/// Finds the users of blocks.
struct Finder<'a> {
    segment: &'a PreparedSegment,
    context: Context<'a>,
    after: Option<Location>,
    users_max: usize,
    /// Shards of which further blocks may be wanted, one for each thread at most.
    paused: Mutex<Vec<LoadedShard>>,
}

/// Users of a piece, in order.
struct Found {
    partition: PartitionId,
    users: Vec<UserId>,
    keys: PackedKeys,
    /// What of the piece was not looked at.
    rest: Option<Piece>,
}

impl Finder<'_> {
    /// What is paused is put there and taken away whole.
    fn paused(&self) -> MutexGuard<'_, Vec<LoadedShard>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shard from which nobody else reads now, loaded for an earlier block or just now.
    fn open<'c>(&self, context: Context<'c>, unit: Unit) -> Result<ShardScan<'c>, Error> {
        let mut paused = self.paused();
        let index = paused.iter().position(|shard| shard.unit == unit);
        let loaded = index.map(|index| paused.swap_remove(index));
        drop(paused);
        match loaded {
            Some(loaded) => Ok(loaded.scan(context)),
            None => ShardScan::open(context, &self.segment.plan, unit),
        }
    }

    /// Keeps a shard for its next blocks. Those before it are done with: blocks come in order.
    fn pause(&self, shard: ShardScan<'_>) {
        let shard = shard.pause();
        let mut paused = self.paused();
        paused.retain(|other| other.unit >= shard.unit);
        paused.push(shard);
    }

    fn find(&self, piece: Piece, turn: Option<&Turn<'_>>) -> Result<Found, Error> {
        let context = Context {
            turn,
            ..self.context
        };
        let Piece { unit, mut blocks } = piece;
        let partition = unit.partition;
        let mut users = Vec::new();
        let mut found = Block::new();
        let mut shard = self.open(context, unit)?;
        while users.len() < self.users_max.min(PIECE_USERS_MAX)
            && let Some(index) = blocks.next()
        {
            let count = shard.find_block(index, &mut found)?;
            self.append(unit, index, (count > 0).then_some(&found), &mut users);
        }
        self.pause(shard);
        users.truncate(self.users_max);
        let mut keys = PackedKeys::new();
        context.dataset.keys(partition, &users, &mut keys)?;
        if let Some(sample) = self.segment.sample {
            (users, keys) = users
                .iter()
                .zip(keys.iter())
                .filter(|(_, key)| sample.keeps(key))
                .unzip();
        }
        Ok(Found {
            partition,
            users,
            keys,
            rest: (!blocks.is_empty()).then_some(Piece { unit, blocks }),
        })
    }

    /// Appends the users of a block who come after the place where the page begins.
    fn append(&self, unit: Unit, index: u32, found: Option<&Block>, users: &mut Vec<UserId>) {
        let Some(found) = found else {
            return;
        };
        let block = unit.shard.block(index);
        let start = u32::from(block.0) << BLOCK_BITS;
        let first = users.len();
        found.for_each(|offset| users.push(UserId(start | u32::from(offset))));
        let after = self
            .after
            .filter(|after| after.partition == unit.partition && after.user.block() == block);
        if let Some(after) = after {
            let passed = users
                .iter()
                .skip(first)
                .take_while(|user| **user <= after.user);
            let passed = passed.count();
            users.drain(first..first + passed);
        }
    }
}

/// What is returned of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returns {
    Keys,
    Fields,
}

/// Writes the users of a page.
struct Page<'a, 'w, 's> {
    context: Context<'a>,
    reader: FieldReader<'a>,
    returns: Returns,
    last: Option<Location>,
    left: Option<u64>,
    writer: &'w mut RowWriter<'s>,
}

impl Page<'_, '_, '_> {
    /// Takes a piece, and makes and takes what of it was not looked at.
    fn take_all(&mut self, finder: &Finder<'_>, mut found: Found) -> Result<(), Halt> {
        loop {
            let rest = found.rest.take();
            self.take(found)?;
            let Some(rest) = rest else {
                return Ok(());
            };
            let turn = self.context.scheduler.map(Scheduler::turn);
            found = finder.find(rest, turn.as_ref())?;
        }
    }

    fn take(&mut self, found: Found) -> Result<(), Halt> {
        self.context.budget.check()?;
        let Found {
            partition,
            mut users,
            mut keys,
            rest: _,
        } = found;
        let room = self.left.map_or(users.len(), |left| {
            usize::try_from(left).unwrap_or(usize::MAX).min(users.len())
        });
        let is_full = room < users.len();
        users.truncate(room);
        keys.truncate(room);
        if let Some(user) = users.last() {
            self.last = Some(Location {
                partition,
                user: *user,
            });
        }
        self.left = self.left.map(|left| left - room as u64);
        match self.returns {
            Returns::Keys => self.writer.write_keys(keys)?,
            Returns::Fields => self.write_rows(partition, &users, &keys)?,
        }
        if is_full { Err(Halt::Full) } else { Ok(()) }
    }

    fn write_rows(
        &mut self,
        partition: PartitionId,
        users: &[UserId],
        keys: &PackedKeys,
    ) -> Result<(), Error> {
        let mut keys = keys.iter();
        for users in users.chunks(BATCH_ROWS) {
            self.context.budget.check()?;
            let keys = keys.by_ref().take(users.len());
            self.writer
                .write(self.reader.rows(partition, users, keys)?)?;
        }
        Ok(())
    }
}
