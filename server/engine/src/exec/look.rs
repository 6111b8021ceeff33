//! Looking at users one by one: at their records, or at a column.
//!
//! What no row tells is asked of those who are left when everything else is decided. Knows how
//! it is answered for one shard, which then goes on as a row. Does not know what is asked beside
//! it.

use std::sync::Arc;

use super::{behaviour::Source, block_pool::BlockPool, bound::Bound, dataset::Dataset};
use crate::{
    bitmap::{Block, Fragment},
    error::Error,
    ids::{AttributeId, BLOCK_BITS, PartitionId, SHARD_BLOCKS, ShardId, UserId},
    plan::{
        logical::{DayUnit, Range},
        physical::LookAt,
    },
    storage::{StorageError, UserRecord},
    time::Anniversaries,
};

/// Users whose records are read at once.
const RECORDS_AT_ONCE: usize = 256;

/// The users of a shard whom an input finds and of whom everything holds.
pub(super) fn found(
    input: &Bound,
    tests: &[LookAt],
    source: Source<'_>,
) -> Result<Arc<Fragment>, Error> {
    let looks = Looks::new(tests, source);
    let mut offsets: Vec<u32> = Vec::new();
    let (mut pool, mut users) = (BlockPool::default(), Block::new());
    for block in 0..SHARD_BLOCKS {
        if input.at_most(block) == 0 || input.fill(block, &mut users, &mut pool) == 0 {
            continue;
        }
        source.context.checkpoint()?;
        looks.keep_by_columns(block, &mut users)?;
        let base = block << BLOCK_BITS;
        let mut places: Vec<u32> = Vec::new();
        users.for_each(|place| places.push(base | u32::from(place)));
        looks.keep_by_records(&mut places)?;
        offsets.append(&mut places);
    }
    let rows = Fragment::from_sorted(offsets);
    rows.map(Arc::new)
        .map_err(|error| Error::Internal(error.to_string()))
}

struct Looks<'a> {
    dataset: &'a dyn Dataset,
    partition: PartitionId,
    shard: ShardId,
    anniversaries: Vec<(AttributeId, DayUnit, Anniversaries)>,
    holdings: Vec<LookAt>,
}

impl<'a> Looks<'a> {
    fn new(tests: &[LookAt], source: Source<'a>) -> Self {
        let mut looks = Self {
            dataset: source.context.dataset,
            partition: source.unit.partition,
            shard: source.unit.shard,
            anniversaries: Vec::new(),
            holdings: Vec::new(),
        };
        for test in tests {
            match *test {
                LookAt::Holding(..) => looks.holdings.push(*test),
                LookAt::Anniversary(attribute, unit, days) => {
                    looks
                        .anniversaries
                        .push((attribute, unit, anniversaries(days)));
                }
            }
        }
        looks
    }

    fn keep_by_columns(&self, block: u32, users: &mut Block) -> Result<(), StorageError> {
        for (attribute, unit, days) in &self.anniversaries {
            let id = self.shard.block(block);
            let column = self.dataset.column(self.partition, *attribute, id)?;
            let mut others: Vec<u16> = Vec::new();
            column.for_each(users, |place, number| {
                if !number.is_some_and(|number| days.contains(unit.day(number))) {
                    others.push(place);
                }
            });
            others.into_iter().for_each(|place| users.remove(place));
        }
        Ok(())
    }

    fn keep_by_records(&self, offsets: &mut Vec<u32>) -> Result<(), StorageError> {
        if self.holdings.is_empty() {
            return Ok(());
        }
        let mut kept = Vec::new();
        for some in offsets.chunks(RECORDS_AT_ONCE) {
            let users: Vec<UserId> = some.iter().map(|offset| self.shard.user(*offset)).collect();
            let records = self.dataset.records(self.partition, &users)?;
            let holding = some.iter().zip(&records);
            kept.extend(
                holding
                    .filter(|(_, record)| self.holds(record))
                    .map(|(offset, _)| *offset),
            );
        }
        *offsets = kept;
        Ok(())
    }

    fn holds(&self, record: &UserRecord) -> bool {
        self.holdings.iter().all(|test| match test {
            LookAt::Holding(tag, test) => record
                .holding(*tag)
                .is_some_and(|holding| test.holds(holding)),
            LookAt::Anniversary(..) => true,
        })
    }
}

fn anniversaries(days: Range) -> Anniversaries {
    let day = |day: i64| day.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    Anniversaries::on(day(days.low), day(days.high))
}
