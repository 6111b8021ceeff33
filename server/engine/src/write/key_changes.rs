//! Keys of users who come and go with a commit, gathered by block.

use std::collections::BTreeMap;

use crate::{
    storage::{Changes, KeyBlockKey, StorageError, UserKey},
    user_keys::KeyBlockDelta,
};

/// Changes of key blocks in the making.
#[derive(Default)]
pub(super) struct KeyChanges<'a> {
    blocks: BTreeMap<KeyBlockKey, KeyBlockDelta<'a>>,
}

impl<'a> KeyChanges<'a> {
    /// A user appears.
    pub(super) fn set(&mut self, user: UserKey, key: &'a str) {
        self.block(user).set(user.user.key_block_offset(), key);
    }

    /// A user disappears.
    pub(super) fn clear(&mut self, user: UserKey) {
        self.block(user).clear(user.user.key_block_offset());
    }

    fn block(&mut self, user: UserKey) -> &mut KeyBlockDelta<'a> {
        self.blocks.entry(KeyBlockKey::of(user)).or_default()
    }

    /// Puts everything into a batch, in the order of keys.
    pub(super) fn write(self, changes: &mut Changes) -> Result<(), StorageError> {
        for (key, delta) in self.blocks {
            changes.merge_keys(key, delta)?;
        }
        Ok(())
    }
}
