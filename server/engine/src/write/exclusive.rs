//! Whether anybody holds two of some tags.

use crate::{
    bitmap::Block,
    exec::dataset::Dataset,
    ids::{PartitionId, RowId, SHARD_BLOCKS, ShardId, TagId},
    storage::{StorageError, View},
    user_keys::PackedKeys,
};

/// A user who holds two of the tags.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HoldsTwo {
    pub(super) user: String,
    pub(super) first: TagId,
    pub(super) second: TagId,
}

/// Looks for a user who holds two of the tags.
pub(super) fn find_double(view: &View, tags: &[TagId]) -> Result<Option<HoldsTwo>, StorageError> {
    for partition in (0..view.partition_count()).map(PartitionId) {
        for shard in (0..view.shard_count(partition)?).map(ShardId) {
            if let Some(found) = find_in_shard(view, partition, shard, tags)? {
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
) -> Result<Option<HoldsTwo>, StorageError> {
    let mut seen: Vec<Block> = (0..SHARD_BLOCKS).map(|_| Block::new()).collect();
    for (place, &second) in tags.iter().enumerate() {
        let fragment = view.fragment(partition, shard, RowId::Tag(second))?;
        for (block, seen) in (0..SHARD_BLOCKS).zip(&mut seen) {
            if fragment.count_and(block, seen) == 0 {
                fragment.or_into(block, seen);
                continue;
            }
            fragment.and_into(block, seen);
            let Some(offset) = seen.iter().next() else {
                continue;
            };
            let offset = (block << crate::ids::BLOCK_BITS) | u32::from(offset);
            return name_double(view, partition, shard, offset, &tags[..place], second);
        }
    }
    Ok(None)
}

fn name_double(
    view: &View,
    partition: PartitionId,
    shard: ShardId,
    offset: u32,
    earlier: &[TagId],
    second: TagId,
) -> Result<Option<HoldsTwo>, StorageError> {
    let mut keys = PackedKeys::new();
    view.keys(partition, &[shard.user(offset)], &mut keys)?;
    for &first in earlier {
        if view
            .fragment(partition, shard, RowId::Tag(first))?
            .contains(offset)
        {
            return Ok(keys.get(0).map(|user| HoldsTwo {
                user: user.to_owned(),
                first,
                second,
            }));
        }
    }
    Ok(None)
}
