//! From 1 to 2: the keys of a run of users are stored together.
//!
//! Format 1 had one entry a user in `user_keys`, with the record's key and the user's key as
//! text. They become blocks in `key_blocks`.

use crate::storage::{
    StorageError,
    batch::Changes,
    families::{Family, KeyBlocks, UserKeys, damaged_at, scan},
    keys::{KeyBlockKey, KeyFormat},
    rocks::{Rocks, Sync},
};
use crate::user_keys::KeyBlock;

/// A batch is written when it has grown so large.
const BATCH_BYTES: usize = 4 << 20;

/// Writes all blocks, those of an upgrade that was cut off once more.
pub(super) fn run(rocks: &Rocks) -> Result<(), StorageError> {
    let mut blocks = Blocks {
        rocks,
        changes: Changes::default(),
        current: None,
        keys: Vec::new(),
    };
    if rocks.has_family(UserKeys::ID) {
        scan::<UserKeys>(&rocks.snapshot(), &[], |user, key| {
            let block = KeyBlockKey::of(user);
            if blocks.current != Some(block) {
                blocks.put()?;
                blocks.current = Some(block);
            }
            blocks.keys.push((user.user.key_block_offset(), key));
            Ok(())
        })?;
    }
    blocks.put()?;
    rocks.commit(blocks.changes.into_batch(rocks)?, Sync::OsBuffer)
}

/// Gathers keys into blocks and blocks into batches.
struct Blocks<'a> {
    rocks: &'a Rocks,
    changes: Changes,
    current: Option<KeyBlockKey>,
    keys: Vec<(u16, String)>,
}

impl Blocks<'_> {
    /// Puts the current block into the batch, and writes that when it is large.
    fn put(&mut self) -> Result<(), StorageError> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let keys = self.keys.iter().map(|(place, key)| (*place, key.as_str()));
        let block = KeyBlock::from_entries(keys)
            .map_err(|error| damaged_at(UserKeys::ID, &current.to_bytes(), error))?;
        self.changes.put::<KeyBlocks>(&current, &block)?;
        self.keys.clear();
        if self.changes.bytes() >= BATCH_BYTES {
            let full = std::mem::take(&mut self.changes);
            self.rocks
                .commit(full.into_batch(self.rocks)?, Sync::OsBuffer)?;
        }
        Ok(())
    }
}
