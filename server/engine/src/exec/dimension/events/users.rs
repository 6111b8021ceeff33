//! The users found in a block, and in which groups they are themselves.

use std::sync::Arc;

use super::super::{
    Split,
    axis::{Axis, MISSING},
    packed::{Packed, Piece},
    reader::Reader,
    split::BoundDim,
};
use crate::{
    bitmap::{BLOCK_WORDS, Block, Fragment},
    error::Error,
    exec::{
        dataset::Dataset,
        scan::{Context, FoundBlock, Unit},
    },
    ids::{AttributeId, BLOCK_USERS, BlockId},
};

/// Users found in one block.
pub(in crate::exec::dimension) struct BlockUsers {
    /// The block's index in its shard.
    pub(super) index: u32,
    id: BlockId,
    pub(super) users: Block,
    /// By dim, in which groups they are.
    pub(super) dims: Vec<UserIndices>,
}

/// The indices of a block's users in one dim.
pub(super) enum UserIndices {
    /// The dim splits events.
    OfEvents,
    /// By place.
    One(Vec<u32>),
    /// One at least: those of a place from its start up to the next one's.
    Several { starts: Vec<u32>, indices: Vec<u32> },
}

impl BlockUsers {
    /// Without their groups.
    pub(in crate::exec::dimension) fn of(block: FoundBlock<'_>) -> Self {
        Self {
            index: block.index,
            id: block.id,
            users: block.users.clone(),
            dims: Vec::new(),
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let of = |dim: &UserIndices| match dim {
            UserIndices::OfEvents => 0,
            UserIndices::One(indices) => indices.capacity() * size_of::<u32>(),
            UserIndices::Several { starts, indices } => {
                (starts.capacity() + indices.capacity()) * size_of::<u32>()
            }
        };
        size_of::<Self>() + BLOCK_USERS as usize / 8 + self.dims.iter().map(of).sum::<usize>()
    }
}

/// The candidates' rows of each dim that is a set of rows, in one shard.
pub(super) struct Sets(Vec<(usize, Vec<Arc<Fragment>>)>);

/// Reads in which groups users are.
pub(super) struct UserReader<'a> {
    split: &'a Split,
    context: Context<'a>,
    /// From where rows of tags and values are read.
    rows: &'a dyn Dataset,
    /// Of the dims that are read from columns.
    columns: Vec<(usize, AttributeId, Reader<'a>)>,
    packed: Packed,
    room: Vec<u32>,
}

impl<'a> UserReader<'a> {
    pub(super) fn new(split: &'a Split, (context, rows): (Context<'a>, &'a dyn Dataset)) -> Self {
        let columns = split.dims.iter().enumerate();
        let columns = columns.filter_map(|(dim, bound)| match bound {
            BoundDim::Column(attribute, split) => Some((dim, *attribute, Reader::new(split))),
            BoundDim::Rows(_) | BoundDim::Events(_) => None,
        });
        Self {
            split,
            context,
            rows,
            columns: columns.collect(),
            packed: Packed::new(),
            room: Vec::new(),
        }
    }

    /// Loads the rows that are read in a shard.
    pub(super) fn load(&self, unit: Unit) -> Result<Sets, Error> {
        let mut sets = Vec::new();
        for (dim, bound) in self.split.dims.iter().enumerate() {
            if let BoundDim::Rows(rows) = bound {
                let fragments = self.rows.fragments(unit.partition, unit.shard, rows)?;
                sets.push((dim, fragments));
            }
        }
        Ok(Sets(sets))
    }

    /// Finds out in which groups a block's users are.
    pub(super) fn read(
        &mut self,
        unit: Unit,
        sets: &Sets,
        block: &mut BlockUsers,
        axes: &mut [Axis],
    ) -> Result<(), Error> {
        self.context.checkpoint()?;
        block.dims = self
            .split
            .dims
            .iter()
            .map(|_| UserIndices::OfEvents)
            .collect();
        for (dim, attribute, reader) in &mut self.columns {
            let dataset = self.context.dataset;
            let column = dataset.column(unit.partition, *attribute, block.id)?;
            let (Some(axis), Some(of)) = (axes.get_mut(*dim), block.dims.get_mut(*dim)) else {
                continue;
            };
            let mut by_place = vec![MISSING; BLOCK_USERS as usize];
            let mut places = block.users.iter();
            let mut next = 0;
            while next < BLOCK_WORDS {
                let piece = Piece::of(block.users.words(), next);
                next = piece.end();
                let codes = self.packed.pack(&column, piece);
                reader.read(codes, column.frame(), piece.users(), axis, &mut self.room);
                for (index, place) in self.room.iter().zip(&mut places) {
                    by_place[usize::from(place)] = *index;
                }
            }
            *of = UserIndices::One(by_place);
        }
        for (dim, rows) in &sets.0 {
            if let Some(of) = block.dims.get_mut(*dim) {
                *of = several(block.index, &block.users, rows);
            }
        }
        Ok(())
    }
}

/// In which rows the users of a block are: the indices of these, or [`MISSING`].
fn several(block: u32, users: &Block, rows: &[Arc<Fragment>]) -> UserIndices {
    let mut pairs: Vec<(u16, u32)> = Vec::new();
    let (mut held, mut rest) = (Block::new(), users.clone());
    let candidates = (MISSING + 1..).zip(rows);
    for (index, row) in candidates.filter(|(_, row)| row.block_cardinality(block) > 0) {
        held.copy_from(users);
        row.and_into(block, &mut held);
        held.for_each(|place| pairs.push((place, index)));
        rest.and_not(&held);
    }
    rest.for_each(|place| pairs.push((place, MISSING)));
    // Sorted by counting; in a place the indices keep their order.
    let mut starts = vec![0_u32; BLOCK_USERS as usize + 1];
    for (place, _) in &pairs {
        starts[usize::from(*place) + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut ends = starts.clone();
    let mut indices = vec![MISSING; pairs.len()];
    for (place, index) in pairs {
        let end = &mut ends[usize::from(place)];
        indices[*end as usize] = index;
        *end += 1;
    }
    UserIndices::Several { starts, indices }
}
