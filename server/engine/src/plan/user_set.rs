//! Users of all partitions, found before a plan is made, as bits.
//!
//! Knows places. Does not know how the users were found.

use crate::{
    bitmap::Block,
    ids::{BlockId, Location, PartitionId},
};

/// A set of users. Takes 8 KiB for every block that has one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserSet {
    partitions: Vec<Vec<Option<Block>>>,
}

impl UserSet {
    /// Adds a user.
    pub fn insert(&mut self, location: Location) {
        let block = self.entry(location.partition, location.user.block());
        block
            .get_or_insert_with(Block::new)
            .insert(location.user.block_offset());
    }

    /// Whether a user is in it.
    pub fn contains(&self, location: Location) -> bool {
        self.block(location.partition, location.user.block())
            .is_some_and(|block| block.contains(location.user.block_offset()))
    }

    /// Those of a block; `None` where there are none.
    pub fn block(&self, partition: PartitionId, block: BlockId) -> Option<&Block> {
        let blocks = self.partitions.get(usize::from(partition.0))?;
        blocks.get(usize::from(block.0))?.as_ref()
    }

    /// Adds users of a block.
    pub fn add(&mut self, partition: PartitionId, id: BlockId, users: &Block) {
        match self.entry(partition, id) {
            Some(block) => block.or(users),
            place @ None => *place = Some(users.clone()),
        }
    }

    /// Who is in one of them.
    pub fn merge(mut self, other: Self) -> Self {
        for (partition, blocks) in (0..).map(PartitionId).zip(other.partitions) {
            for (id, block) in (0..).map(BlockId).zip(blocks) {
                let Some(block) = block else {
                    continue;
                };
                match self.entry(partition, id) {
                    Some(users) => users.or(&block),
                    place @ None => *place = Some(block),
                }
            }
        }
        self
    }

    /// Removes who is in another.
    pub fn remove(&mut self, other: &Self) {
        for (blocks, others) in self.partitions.iter_mut().zip(&other.partitions) {
            for (block, other) in blocks.iter_mut().zip(others) {
                if let (Some(users), Some(other)) = (block.as_mut(), other)
                    && users.and_not_counted(other) == 0
                {
                    *block = None;
                }
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.blocks().map(|block| u64::from(block.count())).sum()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.blocks().all(Block::is_empty)
    }

    /// Visits every user.
    ///
    /// # Errors
    /// What `visit` gives, and nobody is visited after it.
    pub fn try_for_each<E>(
        &self,
        mut visit: impl FnMut(Location) -> Result<(), E>,
    ) -> Result<(), E> {
        for (partition, blocks) in (0..).map(PartitionId).zip(&self.partitions) {
            for (id, block) in (0..).map(BlockId).zip(blocks) {
                for place in block.iter().flat_map(Block::iter) {
                    let user = id.user(place);
                    visit(Location { partition, user })?;
                }
            }
        }
        Ok(())
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let lists = self.partitions.iter().map(|blocks| {
            let filled = blocks.iter().flatten().count();
            blocks.capacity() * size_of::<Option<Block>>() + filled * size_of::<[u64; 1024]>()
        });
        lists.sum()
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.partitions.iter().flatten().flatten()
    }

    fn entry(&mut self, partition: PartitionId, block: BlockId) -> &mut Option<Block> {
        let (partition, block) = (usize::from(partition.0), usize::from(block.0));
        if self.partitions.len() <= partition {
            self.partitions.resize_with(partition + 1, Vec::new);
        }
        let blocks = &mut self.partitions[partition];
        if blocks.len() <= block {
            blocks.resize_with(block + 1, || None);
        }
        &mut blocks[block]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::UserId;

    fn places() -> impl Strategy<Value = BTreeSet<Location>> {
        let user = prop_oneof![0..5u32, 65_534..65_540u32, 2_000_000..2_000_003u32];
        let place = (0..3u16, user).prop_map(|(partition, user)| Location {
            partition: PartitionId(partition),
            user: UserId(user),
        });
        prop::collection::btree_set(place, 0..12)
    }

    fn set(places: &BTreeSet<Location>) -> UserSet {
        let mut set = UserSet::default();
        places.iter().for_each(|place| set.insert(*place));
        set
    }

    fn listed(set: &UserSet) -> BTreeSet<Location> {
        let mut places = BTreeSet::new();
        let visited: Result<(), ()> = set.try_for_each(|place| {
            places.insert(place);
            Ok(())
        });
        assert_eq!(visited, Ok(()));
        places
    }

    proptest! {
        #[test]
        fn sets_are_sets(left in places(), right in places()) {
            let (of_left, of_right) = (set(&left), set(&right));
            prop_assert_eq!(of_left.count(), left.len() as u64);
            prop_assert_eq!(of_left.is_empty(), left.is_empty());
            prop_assert_eq!(&listed(&of_left), &left);
            for place in &right {
                prop_assert_eq!(of_left.contains(*place), left.contains(place));
            }
            let union: BTreeSet<Location> = left.union(&right).copied().collect();
            prop_assert_eq!(listed(&of_left.clone().merge(of_right.clone())), union);
            let mut rest = of_left;
            rest.remove(&of_right);
            let difference: BTreeSet<Location> = left.difference(&right).copied().collect();
            prop_assert_eq!(rest.is_empty(), difference.is_empty());
            prop_assert_eq!(listed(&rest), difference);
        }
    }
}
