//! Scratch room that is used again and again, so that evaluation does not allocate.

use crate::bitmap::{Block, Room, SliceScratch};

/// Blocks and lists on loan. Their contents are undefined when taken.
#[derive(Debug, Default)]
pub(super) struct BlockPool {
    blocks: Vec<Block>,
    lists: Vec<Vec<u16>>,
    stacks: Vec<Vec<Block>>,
    /// Room for comparing slices.
    pub(super) slices: SliceScratch,
    /// Room for combining rows, with the list of those an intersection found if they are few.
    pub(super) room: Room,
}

impl BlockPool {
    /// Any block; give it back.
    pub(super) fn take(&mut self) -> Block {
        self.blocks.pop().unwrap_or_default()
    }

    /// Takes a block back.
    pub(super) fn give_back(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Takes the list out of the room and leaves another there; give it back.
    pub(super) fn take_list(&mut self) -> Vec<u16> {
        let other = self.lists.pop().unwrap_or_default();
        std::mem::replace(&mut self.room.list, other)
    }

    /// Puts a list back into the room.
    pub(super) fn put_list(&mut self, list: Vec<u16>) {
        let other = std::mem::replace(&mut self.room.list, list);
        self.lists.push(other);
    }

    /// An empty stack to put blocks on; give it back.
    pub(super) fn take_stack(&mut self) -> Vec<Block> {
        self.stacks.pop().unwrap_or_default()
    }

    /// Takes a stack back, and the blocks on it.
    pub(super) fn give_stack_back(&mut self, mut stack: Vec<Block>) {
        self.blocks.append(&mut stack);
        self.stacks.push(stack);
    }
}
