//! Users in storage order, in constant memory.

use super::{Place, PreparedSegment, fields::FieldReader};
use crate::{
    error::Error,
    exec::rows::{BATCH_ROWS, RowWriter},
    exec::scan::{Context, FoundBlock, ShardScan, Unit, units},
    ids::{BLOCK_BITS, Location, SHARD_BLOCKS, UserId},
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
    let mut stream = Stream {
        segment,
        context,
        reader,
        after,
        last: None,
        left: limit,
        writer,
    };
    for unit in units(context.dataset)? {
        match stream.shard(unit) {
            Ok(()) => {}
            Err(Halt::Full) => return Ok(stream.last.map(Place::Storage)),
            Err(Halt::Failed(error)) => return Err(error),
        }
    }
    Ok(None)
}

struct Stream<'a, 'w, 's> {
    segment: &'a PreparedSegment,
    context: Context<'a>,
    reader: FieldReader<'a>,
    after: Option<Location>,
    last: Option<Location>,
    left: Option<u64>,
    writer: &'w mut RowWriter<'s>,
}

impl Stream<'_, '_, '_> {
    fn shard(&mut self, unit: Unit) -> Result<(), Halt> {
        let first_block = match self.after {
            Some(after) if unit < unit_of(after) => return Ok(()),
            Some(after) if unit == unit_of(after) => (after.user.0 >> BLOCK_BITS) % SHARD_BLOCKS,
            Some(_) | None => 0,
        };
        let mut scan = ShardScan::open(self.context, &self.segment.plan, unit)?;
        scan.for_each_block(first_block, |block| self.block(unit, block))
    }

    fn block(&mut self, unit: Unit, block: FoundBlock<'_>) -> Result<(), Halt> {
        let after = self.after;
        let locations = block
            .users
            .iter()
            .map(|offset| Location {
                partition: unit.partition,
                user: UserId(u32::from(block.id.0) << BLOCK_BITS | u32::from(offset)),
            })
            .filter(|location| after.is_none_or(|after| *location > after));
        let mut piece = Vec::with_capacity(BATCH_ROWS);
        for location in locations {
            piece.push(location.user);
            if piece.len() >= self.piece_users() {
                self.piece(unit, std::mem::take(&mut piece))?;
            }
        }
        if piece.is_empty() {
            Ok(())
        } else {
            self.piece(unit, piece)
        }
    }

    /// No more keys are fetched than the page may need: its rest, and one to know of more.
    fn piece_users(&self) -> usize {
        match (self.left, &self.segment.sample) {
            (Some(left), None) => usize::try_from(left)
                .unwrap_or(BATCH_ROWS)
                .saturating_add(1)
                .min(BATCH_ROWS),
            (Some(_) | None, _) => BATCH_ROWS,
        }
    }

    fn piece(&mut self, unit: Unit, mut users: Vec<UserId>) -> Result<(), Halt> {
        self.context.budget.check()?;
        let mut keys = PackedKeys::new();
        self.context
            .dataset
            .keys(unit.partition, &users, &mut keys)
            .map_err(Error::from)?;
        if let Some(sample) = self.segment.sample {
            (users, keys) = users
                .iter()
                .zip(keys.iter())
                .filter(|(_, key)| sample.keeps(key))
                .unzip();
        }
        let room = self.left.map_or(users.len(), |left| {
            usize::try_from(left).unwrap_or(usize::MAX).min(users.len())
        });
        let is_full = room < users.len();
        users.truncate(room);
        keys.truncate(room);
        if let Some(user) = users.last() {
            self.last = Some(Location {
                partition: unit.partition,
                user: *user,
            });
        }
        self.left = self.left.map(|left| left - room as u64);
        let rows = self.reader.rows(unit.partition, &users, &keys)?;
        self.writer.write(rows)?;
        if is_full { Err(Halt::Full) } else { Ok(()) }
    }
}

fn unit_of(location: Location) -> Unit {
    Unit {
        partition: location.partition,
        shard: location.user.shard(),
    }
}
