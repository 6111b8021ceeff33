//! Whose holdings ended so long ago that nobody asks for them any more.
//!
//! Sweeping reclaims space and changes no answer but that of `lapsed` with a longer window than
//! holdings are kept. Some users at a time, so that other writes need not wait long.

use crate::{
    bitmap::{Block, SliceScratch},
    exec::dataset::Dataset,
    ids::{BLOCK_BITS, NumberId, PartitionId, SHARD_BLOCKS, ShardId, TagId, UserId},
    limits::Limits,
    schema::Timing,
    storage::{StorageError, View},
    time::second_of_micros,
};

/// Users of one sweep.
pub(super) const SWEPT_USERS_MAX: usize = 20_000;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The last second at which a holding may have ended to be forgotten.
pub(super) fn ended_by(limits: &Limits, at_us: i64) -> i64 {
    let kept_s = i64::from(limits.ended_holdings_days).saturating_mul(SECONDS_PER_DAY);
    second_of_micros(at_us).saturating_sub(kept_s)
}

/// Users, by partition, rising, with a holding that ended at a second or before. Of more than
/// [`SWEPT_USERS_MAX`] the first.
pub(super) fn find_over(
    view: &View,
    ended_by_s: i64,
) -> Result<Vec<(PartitionId, Vec<UserId>)>, StorageError> {
    let tags: Vec<TagId> = view
        .schema()
        .tags_by_id()
        .filter(|tag| tag.timing == Timing::Timed)
        .map(|tag| tag.id)
        .collect();
    let mut found = Vec::new();
    let mut room = SWEPT_USERS_MAX;
    for partition in (0..view.partition_count()).map(PartitionId) {
        let mut users = Vec::new();
        for shard in (0..view.shard_count(partition)?).map(ShardId) {
            if room == 0 {
                break;
            }
            let before = users.len();
            find_in_shard(view, partition, shard, &tags, ended_by_s, &mut users)?;
            users.truncate(before + room);
            room -= users.len() - before;
        }
        if !users.is_empty() {
            found.push((partition, users));
        }
    }
    Ok(found)
}

/// How many users hold a tag, or are to hold it, to an end after a second.
pub(super) fn users_ending_after(
    view: &View,
    tag: TagId,
    second: i64,
) -> Result<u64, StorageError> {
    let (mut scratch, mut ending) = (SliceScratch::new(), Block::new());
    let first = Some(second.saturating_add(1));
    let mut users = 0;
    for partition in (0..view.partition_count()).map(PartitionId) {
        for shard in (0..view.shard_count(partition)?).map(ShardId) {
            let until = view.slices(partition, shard, NumberId::Until(tag))?;
            for block in 0..SHARD_BLOCKS {
                until.range_into(first, None, block, &mut scratch, &mut ending);
                users += u64::from(ending.count());
            }
        }
    }
    Ok(users)
}

fn find_in_shard(
    view: &View,
    partition: PartitionId,
    shard: ShardId,
    tags: &[TagId],
    ended_by_s: i64,
    users: &mut Vec<UserId>,
) -> Result<(), StorageError> {
    let mut over: Vec<Block> = (0..SHARD_BLOCKS).map(|_| Block::new()).collect();
    let (mut scratch, mut ended) = (SliceScratch::new(), Block::new());
    for tag in tags {
        let until = view.slices(partition, shard, NumberId::Until(*tag))?;
        for (block, over) in (0..SHARD_BLOCKS).zip(&mut over) {
            if until.present().block_cardinality(block) > 0 {
                until.range_into(None, Some(ended_by_s), block, &mut scratch, &mut ended);
                over.or(&ended);
            }
        }
    }
    for (block, over) in (0..SHARD_BLOCKS).zip(&over) {
        let user = |place: u16| shard.user((block << BLOCK_BITS) | u32::from(place));
        users.extend(over.iter().map(user));
    }
    Ok(())
}
