//! Whether anybody holds two of some tags.

use crate::{
    bitmap::Block,
    exec::dataset::Dataset,
    ids::{Location, PartitionId, RowId, SHARD_BLOCKS, ShardId, TagId},
    storage::{Phase, StorageError, View},
    user_keys::PackedKeys,
    write::holdings::overlap,
};

/// A user who holds two of the tags.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HoldsTwo {
    pub(super) user: String,
    pub(super) first: TagId,
    pub(super) second: TagId,
}

/// Looks for a user who holds two of the tags in a second, or is to hold them later.
pub(super) fn find_double(
    view: &View,
    tags: &[TagId],
    at_s: i64,
) -> Result<Option<HoldsTwo>, StorageError> {
    for partition in (0..view.partition_count()).map(PartitionId) {
        for shard in (0..view.shard_count(partition)?).map(ShardId) {
            if let Some(found) = find_in_shard(view, partition, shard, tags, at_s)? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

fn find_in_shard(
    view: &View,
    partition: PartitionId,
    shard: ShardId,
    tags: &[TagId],
    at_s: i64,
) -> Result<Option<HoldsTwo>, StorageError> {
    let mut seen: Vec<Block> = (0..SHARD_BLOCKS).map(|_| Block::new()).collect();
    let mut both = Block::new();
    for (place, &second) in tags.iter().enumerate() {
        let fragment = view.fragment(partition, shard, RowId::Tag(second))?;
        for (block, seen) in (0..SHARD_BLOCKS).zip(&mut seen) {
            both.copy_from(seen);
            fragment.and_into(block, &mut both);
            fragment.or_into(block, seen);
            // Who has two holdings need not have them at the same time.
            for offset in both.iter() {
                let user = shard.user((block << crate::ids::BLOCK_BITS) | u32::from(offset));
                let earlier = tags.get(..place).unwrap_or(&[]);
                let location = Location { partition, user };
                if let Some(found) = double_of(view, location, earlier, second, at_s)? {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(None)
}

/// Whether a user holds a tag at a time at which one of the earlier ones is held too.
fn double_of(
    view: &View,
    location: Location,
    earlier: &[TagId],
    second: TagId,
    at_s: i64,
) -> Result<Option<HoldsTwo>, StorageError> {
    let record = view.record(location)?.unwrap_or_default();
    let holding = |tag| {
        let holding = record.holding(tag)?;
        (holding.phase(at_s) != Phase::Ended).then_some(holding)
    };
    let Some(held) = holding(second) else {
        return Ok(None);
    };
    let first = earlier
        .iter()
        .find(|first| holding(**first).is_some_and(|other| overlap(other, held)));
    let Some(&first) = first else {
        return Ok(None);
    };
    let mut keys = PackedKeys::new();
    view.keys(location.partition, &[location.user], &mut keys)?;
    Ok(keys.get(0).map(|user| HoldsTwo {
        user: user.to_owned(),
        first,
        second,
    }))
}
