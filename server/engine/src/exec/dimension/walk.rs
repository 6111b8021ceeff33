//! Going through the users of shards and putting them into groups.
//!
//! Knows which of the ways of splitting a block costs least. What slices tell of whole blocks is
//! in `slices`.

mod slices;

use std::sync::Arc;

use super::{
    Counted, Split,
    axis::MISSING,
    events::{BlockUsers, EventWalk},
    layout::GroupKey,
    narrow::{Narrowed, Windows, keep_sampled},
    packed::{Packed, Piece},
    reader::Reader,
    split::{BoundDim, ColumnSplit},
    table::Table,
};
use crate::{
    bitmap::{BLOCK_WORDS, Block, Fragment, NumberSlices, Sieve, SliceScratch},
    column::ColumnBlock,
    error::Error,
    exec::{
        byte_meter::ByteMeter,
        dataset::Dataset,
        scan::{Context, FoundBlock, ShardScan, Unit},
    },
    ids::{AttributeId, NumberId, RowId, ValueCode},
    storage::StorageError,
};

/// Values of a dim up to which intersecting their rows is considered.
const ROW_VALUES_MAX: u32 = 64;
/// What things cost, in about the time a user takes on a column: a container of 1024 words, and
/// so many values of a short one.
const BITMAP_COST: u32 = 200;
const VALUES_A_USER: u32 = 4;
/// Users from which on numbers are read from slices, for each slice and each time it is; with
/// fewer a walk over the column costs less.
const USERS_A_SLICE: u32 = 100;
/// Values in a container that has no words.
const ARRAY_VALUES_MAX: u32 = 4096;

/// Who is gone through, and which of their numbers are kept one by one.
#[derive(Clone, Copy)]
pub(super) enum Reach<'a> {
    /// Everybody, and every number.
    All,
    /// A part of the users, and every number.
    Sample,
    /// Everybody, and the numbers in windows.
    Narrowed(&'a Narrowed<'a>),
}

impl<'a> Reach<'a> {
    /// The windows of a group by measured attribute; empty where every number is kept.
    fn windows(self, key: &GroupKey) -> &'a [Option<Windows>] {
        match self {
            Self::All | Self::Sample => &[],
            Self::Narrowed(narrowed) => narrowed.windows(key),
        }
    }
}

/// Puts the users of shards into groups.
pub(super) struct Walk<'a, 't> {
    split: &'a Split,
    context: Context<'a>,
    /// From where rows of tags and values are read.
    rows: &'a dyn Dataset,
    reach: Reach<'a>,
    table: Table<'t>,
    /// Dims with one component a user.
    columns: Vec<ColumnDim<'a>>,
    room: Room,
    /// Where events are split or measured.
    events: Option<EventWalk<'a, 't>>,
}

/// A dim with one component a user.
struct ColumnDim<'a> {
    dim: usize,
    attribute: AttributeId,
    reader: Reader<'a>,
}

/// A dim whose users may have several components: the dim, and the candidates' rows in a shard.
type SetDim = (usize, Vec<Arc<Fragment>>);

/// What is read in one shard.
struct ShardRows {
    unit: Unit,
    sets: Vec<SetDim>,
    /// The rows of the only dim's values, where that dim has few and only counts are wanted.
    values: Vec<Arc<Fragment>>,
    /// Everybody, where there are such rows.
    everyone: Option<Arc<Fragment>>,
    /// The slices of the measured attributes, where they tell what is wanted of whole blocks,
    /// beside their places among the measured numbers.
    slices: Vec<(usize, NumberSlices)>,
}

/// Buffers that are used again for every block.
struct Room {
    packed: Packed,
    slots: Vec<u32>,
    indices: Vec<(usize, Vec<u32>)>,
    blocks: Vec<Block>,
    slices: SliceScratch,
}

/// What is read in one block.
struct BlockColumns<'s> {
    /// The block's index in its shard.
    index: u32,
    /// As below.
    slices: &'s [(usize, NumberSlices)],
    dims: Vec<Arc<ColumnBlock>>,
    /// Beside the place among the measured numbers.
    measured: Vec<(usize, Arc<ColumnBlock>)>,
}

impl<'a, 't> Walk<'a, 't> {
    /// No users yet.
    pub(super) fn new(
        split: &'a Split,
        (context, rows): (Context<'a>, &'a dyn Dataset),
        reach: Reach<'a>,
        meter: &'t ByteMeter,
    ) -> Self {
        let columns: Vec<ColumnDim<'a>> = split
            .dims
            .iter()
            .enumerate()
            .filter_map(|(dim, bound)| match bound {
                BoundDim::Column(attribute, split) => Some(ColumnDim {
                    dim,
                    attribute: *attribute,
                    reader: Reader::new(split),
                }),
                BoundDim::Rows(_) | BoundDim::Events(_) => None,
            })
            .collect();
        Self {
            split,
            context,
            rows,
            reach,
            table: Table::new(split, context.limits, meter),
            events: match reach {
                Reach::All | Reach::Narrowed(_) => EventWalk::new(split, (context, rows), meter),
                // What events tell is always of everybody.
                Reach::Sample => None,
            },
            room: Room {
                packed: Packed::new(),
                slots: Vec::new(),
                indices: columns
                    .iter()
                    .map(|column| (column.dim, Vec::new()))
                    .collect(),
                blocks: Vec::new(),
                slices: SliceScratch::new(),
            },
            columns,
        }
    }

    /// Takes what another gathered of other shards.
    pub(super) fn merge(self, other: Self) -> Result<Self, Error> {
        Ok(Self {
            table: self.table.merge(other.table)?,
            ..self
        })
    }

    /// What was gathered.
    pub(super) fn into_table(self) -> Table<'t> {
        self.table
    }

    /// Goes through a shard.
    pub(super) fn shard(&mut self, mut shard: ShardScan<'_>) -> Result<(), Error> {
        let (unit, mut found) = (shard.unit, Vec::new());
        match self.split.counted {
            Counted::Users => {
                let rows = self.load(unit)?;
                shard.for_each_block(0, |block| {
                    if self.events.is_some() {
                        found.push(BlockUsers::of(block));
                    }
                    match self.reach {
                        Reach::All | Reach::Narrowed(_) => self.block(&rows, block),
                        Reach::Sample => self.sample(&rows, block),
                    }
                })?;
            }
            Counted::Events => shard.for_each_block::<Error>(0, |block| {
                found.push(BlockUsers::of(block));
                Ok(())
            })?,
        }
        match &mut self.events {
            Some(events) => events.shard(&mut self.table, unit, found),
            None => Ok(()),
        }
    }

    /// Takes a part of a block's users.
    fn sample(&mut self, rows: &ShardRows, block: FoundBlock<'_>) -> Result<(), Error> {
        let mut users = self.room.blocks.pop().unwrap_or_default();
        users.copy_from(block.users);
        keep_sampled(block.id.0, &mut users);
        if !users.is_empty() {
            let users = &users;
            self.block(rows, FoundBlock { users, ..block })?;
        }
        self.room.blocks.push(users);
        Ok(())
    }

    /// Loads the candidates' rows of a shard.
    fn load(&self, unit: Unit) -> Result<ShardRows, Error> {
        let fragment = |row| {
            self.context
                .dataset
                .fragment(unit.partition, unit.shard, row)
        };
        let mut sets = Vec::new();
        for (dim, bound) in self.split.dims.iter().enumerate() {
            if let BoundDim::Rows(rows) = bound {
                let fragments = self.rows.fragments(unit.partition, unit.shard, rows)?;
                sets.push((dim, fragments));
            }
        }
        let values = match (self.split.dims.as_slice(), self.split.wanted.as_slice()) {
            ([BoundDim::Column(attribute, ColumnSplit::Codes(count))], [])
                if *count <= ROW_VALUES_MAX =>
            {
                let codes = (0..*count).map(|code| RowId::Value(*attribute, ValueCode(code)));
                let rows: Vec<RowId> = codes.collect();
                self.context
                    .dataset
                    .fragments(unit.partition, unit.shard, &rows)?
            }
            (_, _) => Vec::new(),
        };
        let everyone = match values.as_slice() {
            [] => None,
            [..] => Some(fragment(RowId::Users)?),
        };
        let slices = if self.has_slices() {
            let dataset = self.context.dataset;
            let load = |(measured, attribute): (usize, AttributeId)| {
                let number = NumberId::from(attribute);
                let slices = dataset.slices(unit.partition, unit.shard, number);
                slices.map(|slices| (measured, slices))
            };
            self.measured_attributes()
                .map(load)
                .collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        Ok(ShardRows {
            unit,
            sets,
            values,
            everyone,
            slices,
        })
    }

    /// The attributes that are measured, with their places among the measured numbers.
    fn measured_attributes(&self) -> impl Iterator<Item = (usize, AttributeId)> + 'a {
        let split: &'a Split = self.split;
        let wanted = split.wanted.iter().enumerate();
        wanted.filter_map(|(measured, wanted)| Some((measured, wanted.attribute?)))
    }

    fn block(&mut self, rows: &ShardRows, block: FoundBlock<'_>) -> Result<(), Error> {
        let users = block.users.count();
        self.table.add_users(users.into());
        if is_cheaper_by_rows(&rows.values, block.index, users) {
            return self.count_values(rows, block, users);
        }
        let column = |attribute| {
            let dataset = self.context.dataset;
            dataset.column(rows.unit.partition, attribute, block.id)
        };
        let columns = BlockColumns {
            index: block.index,
            slices: &rows.slices,
            dims: self
                .columns
                .iter()
                .map(|dim| column(dim.attribute))
                .collect::<Result<_, _>>()?,
            measured: self
                .measured_attributes()
                .map(|(measured, attribute)| Ok((measured, column(attribute)?)))
                .collect::<Result<_, StorageError>>()?,
        };
        self.descend(&rows.sets, block.users, &columns, GroupKey::default())?;
        self.table.check_bytes()
    }

    /// Intersects the block with the row of each value of the only dim. Where everybody has a
    /// value, one row need not be read: it has who is in no other.
    fn count_values(
        &mut self,
        rows: &ShardRows,
        block: FoundBlock<'_>,
        users: u32,
    ) -> Result<(), Error> {
        let numbered = || (MISSING + 1..).zip(&rows.values);
        let size = |row: &Arc<Fragment>| row.block_cardinality(block.index);
        let with_value: u32 = numbered().map(|(_, row)| size(row)).sum();
        let everyone = rows.everyone.as_ref().map(size);
        let spared = numbered()
            .max_by_key(|(_, row)| size(row))
            .filter(|_| everyone == Some(with_value))
            .map_or(MISSING, |(index, _)| index);
        let sieve = Sieve::of(block.users);
        let mut rest = users;
        for (index, row) in numbered().filter(|(index, _)| *index != spared) {
            if rest == 0 {
                return Ok(());
            }
            let count = row.count_and_sifted(block.index, block.users, sieve.as_ref());
            self.count(&GroupKey::default().with(0, index), count)?;
            // A user has one value at most.
            rest = rest.saturating_sub(count);
        }
        self.count(&GroupKey::default().with(0, spared), rest)
    }

    /// Splits users by the candidates of one dim after the other.
    fn descend(
        &mut self,
        sets: &[SetDim],
        users: &Block,
        columns: &BlockColumns<'_>,
        key: GroupKey,
    ) -> Result<(), Error> {
        let Some(((dim, rows), deeper)) = sets.split_first() else {
            return self.walk(users, columns, key);
        };
        let index = columns.index;
        let is_count = deeper.is_empty() && self.columns.is_empty() && columns.measured.is_empty();
        let mut rest = self.room.blocks.pop().unwrap_or_default();
        let mut held = self.room.blocks.pop().unwrap_or_default();
        rest.copy_from(users);
        for (candidate, row) in (MISSING + 1..)
            .zip(rows)
            .filter(|(_, row)| row.block_cardinality(index) > 0)
        {
            let key = key.with(*dim, candidate);
            if is_count {
                let count = row.count_and(index, users);
                self.count(&key, count)?;
            } else {
                held.copy_from(users);
                row.and_into(index, &mut held);
                if !held.is_empty() {
                    self.context.budget.check()?;
                    self.descend(deeper, &held, columns, key)?;
                }
            }
            row.and_not_into(index, &mut rest);
        }
        if !rest.is_empty() {
            self.descend(deeper, &rest, columns, key.with(*dim, MISSING))?;
        }
        self.room.blocks.extend([rest, held]);
        Ok(())
    }

    fn count(&mut self, key: &GroupKey, count: u32) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        self.table.add_count(key, count.into())
    }

    /// Splits users by columns, and measures them. `key` has the indices of the other dims.
    fn walk(
        &mut self,
        users: &Block,
        columns: &BlockColumns<'_>,
        key: GroupKey,
    ) -> Result<(), Error> {
        if self.columns.is_empty() && columns.measured.is_empty() {
            return self.count(&key, users.count());
        }
        let windows = self.reach.windows(&key);
        if !columns.slices.is_empty() {
            let count = users.count();
            let is_worth_it = |slices| count > USERS_A_SLICE.saturating_mul(slices);
            if self.slices_read(columns, windows).is_some_and(is_worth_it) {
                self.count(&key, count)?;
                return self.measure_slices(users, columns, &key, windows);
            }
        }
        let mut next = 0;
        while next < BLOCK_WORDS {
            let piece = Piece::of(users.words(), next);
            next = piece.end();
            if piece.users() > 0 {
                self.piece(piece, columns, &key, windows)?;
            }
        }
        Ok(())
    }

    /// Takes a piece of a block's users.
    fn piece(
        &mut self,
        piece: Piece<'_>,
        columns: &BlockColumns<'_>,
        key: &GroupKey,
        windows: &[Option<Windows>],
    ) -> Result<(), Error> {
        let dims = self.columns.iter_mut().zip(&columns.dims);
        for ((dim, column), (_, indices)) in dims.zip(&mut self.room.indices) {
            if let Some(axis) = self.table.axes.get_mut(dim.dim) {
                let codes = self.room.packed.pack(column, piece);
                dim.reader
                    .read(codes, column.frame(), piece.users(), axis, indices);
            }
        }
        let slots = &mut self.room.slots;
        self.table
            .slots_of(key, &self.room.indices, piece.users(), slots)?;
        self.table.add_each(slots);
        for (measured, column) in &columns.measured {
            let codes = self.room.packed.pack(column, piece);
            let windows = windows.get(*measured).and_then(Option::as_ref);
            self.table
                .add_numbers(*measured, codes, column.frame(), slots, windows);
        }
        self.table.check_bytes()
    }
}

/// Whether intersecting a block with the row of each value costs less than walking its users.
fn is_cheaper_by_rows(values: &[Arc<Fragment>], index: u32, users: u32) -> bool {
    let cost = |row: &Arc<Fragment>| match row.block_cardinality(index) {
        short @ 0..=ARRAY_VALUES_MAX => short / VALUES_A_USER,
        _ => BITMAP_COST,
    };
    !values.is_empty() && values.iter().map(cost).sum::<u32>() < users
}
