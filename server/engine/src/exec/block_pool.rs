//! Scratch blocks that are used again and again, so that evaluation does not allocate.

use crate::bitmap::{Block, SliceScratch};

/// Blocks on loan. Their contents are undefined when taken.
#[derive(Debug, Default)]
pub(super) struct BlockPool {
    free: Vec<Block>,
    /// Room for comparing slices.
    pub(super) slices: SliceScratch,
}

impl BlockPool {
    /// Any block; give it back.
    pub(super) fn take(&mut self) -> Block {
        self.free.pop().unwrap_or_default()
    }

    /// Takes a block back.
    pub(super) fn give_back(&mut self, block: Block) {
        self.free.push(block);
    }
}
