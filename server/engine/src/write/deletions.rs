//! Where references to the users whom a request deletes are to be cleared.
//!
//! Partitions apply their commands one after the other, each alone: whether a key is a user's at
//! the moment it is deleted, and where somebody may refer to it, must be known before. Names
//! partitions in which nobody refers to the key only when somebody did shortly before.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use crate::{
    error::Error,
    exec::dataset::Dataset,
    ids::{AttributeId, PartitionId},
    storage::{TextKey, partition_of_key},
    write::{Mutation, coerce::check_key, staging::Staging},
};

/// What is known of the keys that a request deletes; nothing where no attribute is a reference.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    keys: HashMap<String, Target, RandomState>,
}

/// A key that is deleted somewhere in the request.
#[derive(Debug)]
struct Target {
    presence: Presence,
    /// Where somebody may refer to it.
    referrers: BTreeSet<PartitionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Living,
    Unknown,
}

impl Deletions {
    /// Looks up the keys as they are before the request.
    pub(super) fn find(staging: &mut Staging, mutations: &[Mutation]) -> Result<Self, Error> {
        let attributes: Vec<AttributeId> = staging
            .schema
            .attributes_by_id()
            .filter(|attribute| attribute.kind.is_reference())
            .map(|attribute| attribute.id)
            .collect();
        let mut deletions = Self::default();
        if attributes.is_empty() {
            return Ok(deletions);
        }
        for mutation in mutations {
            if let Mutation::DeleteUser { user } = mutation
                // Others are refused later.
                && check_key(user).is_ok()
                && !deletions.keys.contains_key(user)
            {
                let target = Target::find(staging, user)?;
                deletions.keys.insert(user.clone(), target);
            }
        }
        deletions.find_stored(staging, &attributes)?;
        Ok(deletions)
    }

    /// Adds where the store has references, in one pass over each partition's texts.
    fn find_stored(&mut self, staging: &Staging, attributes: &[AttributeId]) -> Result<(), Error> {
        let mut targets: Vec<(Vec<u8>, &mut Target)> = self
            .keys
            .iter_mut()
            .map(|(key, target)| (TextKey::text_bytes(key), target))
            .collect();
        targets.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let (texts, mut targets): (Vec<Vec<u8>>, Vec<&mut Target>) = targets.into_iter().unzip();
        if texts.is_empty() {
            return Ok(());
        }
        for partition in (0..staging.base.partition_count()).map(PartitionId) {
            for &attribute in attributes {
                staging
                    .base
                    .texts_held(partition, attribute, &texts, |found| {
                        if let Some(target) = targets.get_mut(found) {
                            target.referrers.insert(partition);
                        }
                    })?;
            }
        }
        Ok(())
    }

    /// The request has come to where a user exists.
    pub(super) fn created(&mut self, key: &str) {
        if let Some(target) = self.keys.get_mut(key) {
            target.presence = Presence::Living;
        }
    }

    /// The request has come to where somebody in a partition refers to a key.
    pub(super) fn referred(&mut self, key: &str, partition: PartitionId) {
        if let Some(target) = self.keys.get_mut(key) {
            target.referrers.insert(partition);
        }
    }

    /// The request has come to where a key is deleted: where references to it are to be cleared.
    /// Nowhere when it is no user's, whom others may name all the same.
    pub(super) fn deleted(&mut self, key: &str) -> BTreeSet<PartitionId> {
        match self.keys.get_mut(key) {
            Some(target) if target.presence == Presence::Living => {
                target.presence = Presence::Unknown;
                std::mem::take(&mut target.referrers)
            }
            Some(_) | None => BTreeSet::new(),
        }
    }
}

impl Target {
    fn find(staging: &mut Staging, key: &str) -> Result<Self, Error> {
        let partition = partition_of_key(key, staging.base.partition_count());
        let (part, schema) = staging.part_mut(partition);
        let slot = part.find(schema, key)?;
        let presence = match part.record(slot) {
            Some(_) => Presence::Living,
            None => Presence::Unknown,
        };
        Ok(Self {
            presence,
            referrers: staging.reference_partitions(key).collect(),
        })
    }
}
