//! Users in storage order, in constant memory: block after block, made ahead by helpers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Place, PreparedSegment, ahead::in_order, fields::FieldReader};
use crate::{
    bitmap::Block,
    error::Error,
    exec::{
        rows::{BATCH_ROWS, RowWriter},
        scan::{Context, LoadedShard, ShardScan, Unit},
        scheduler::Turn,
    },
    ids::{BLOCK_BITS, Location, PartitionId, SHARD_BLOCKS, ShardId, UserId},
    user_keys::PackedKeys,
};

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
    let blocks = blocks_after(context, after)?;
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
        blocks.len(),
        |number, turn| finder.find(blocks[number], turn),
        |found| page.take(found),
    );
    match ended {
        Ok(()) => Ok(None),
        Err(Halt::Full) => Ok(page.last.map(Place::Storage)),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// A block by its index in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BlockPlace {
    unit: Unit,
    index: u32,
}

impl BlockPlace {
    fn new(partition: PartitionId, number: u32) -> Self {
        Self {
            unit: Unit {
                partition,
                // 2^32 users are 2^12 shards.
                shard: ShardId((number / SHARD_BLOCKS) as u16),
            },
            index: number % SHARD_BLOCKS,
        }
    }

    fn of(location: Location) -> Self {
        Self::new(location.partition, location.user.0 >> BLOCK_BITS)
    }
}

/// The blocks in which users after a place may be, in order.
fn blocks_after(context: Context<'_>, after: Option<Location>) -> Result<Vec<BlockPlace>, Error> {
    let first = after.map(BlockPlace::of);
    let mut blocks = Vec::new();
    for partition in (0..context.dataset.partition_count()).map(PartitionId) {
        let count = context.dataset.block_count(partition)?;
        let all = (0..count).map(|number| BlockPlace::new(partition, number));
        blocks.extend(all.filter(|block| first.is_none_or(|first| *block >= first)));
    }
    Ok(blocks)
}

/// No more keys of a block are fetched than the page may need: all of it, and one to know of
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

/// Users of one block, in order.
struct Found {
    partition: PartitionId,
    users: Vec<UserId>,
    keys: PackedKeys,
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

    fn find(&self, place: BlockPlace, turn: Option<&Turn<'_>>) -> Result<Found, Error> {
        let context = Context {
            turn,
            ..self.context
        };
        let BlockPlace { unit, index } = place;
        let mut block = Block::new();
        let mut shard = self.open(context, unit)?;
        if shard.find_block(index, &mut block)? == 0 {
            block.clear();
        }
        self.pause(shard);
        let start = u32::from(unit.shard.block(index).0) << BLOCK_BITS;
        let after = self
            .after
            .filter(|after| BlockPlace::of(*after) == place)
            .map(|after| after.user);
        let mut users: Vec<UserId> = block
            .iter()
            .map(|offset| UserId(start | u32::from(offset)))
            .filter(|user| after.is_none_or(|after| *user > after))
            .take(self.users_max)
            .collect();
        let mut keys = PackedKeys::new();
        let partition = unit.partition;
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
        })
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
    fn take(&mut self, found: Found) -> Result<(), Halt> {
        self.context.budget.check()?;
        let Found {
            partition,
            mut users,
            mut keys,
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
