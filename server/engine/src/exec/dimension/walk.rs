//! Going through the users of a shard and putting them into groups.

use std::sync::Arc;

use super::{
    split::{BoundDim, ColumnSplit, Component},
    table::{GroupKey, Layout, Stride, Table},
};
use crate::{
    bitmap::{Block, Fragment},
    column::ColumnBlock,
    error::Error,
    exec::scan::{Context, FoundBlock, ShardScan, Unit},
    ids::AttributeId,
    plan::query::Measured,
};

/// Puts the users of one shard into groups.
pub(super) struct Walk<'a, 't> {
    table: Table<'t>,
    context: Context<'a>,
    unit: Unit,
    /// Dims whose users may have several components: the dim and the candidates' rows.
    sets: Vec<SetDim>,
    /// Dims with one component a user.
    columns: Vec<(usize, AttributeId, &'a ColumnSplit)>,
    measured: &'a [Measured],
    room: Room,
}

/// A dim and the rows of its candidates in one shard.
type SetDim = (usize, Vec<Arc<Fragment>>);

/// Buffers that are used again for every block.
#[derive(Default)]
struct Room {
    slots: Vec<u32>,
    components: Vec<Vec<Component>>,
    blocks: Vec<Block>,
}

/// The columns of one block.
struct BlockColumns {
    dims: Vec<Arc<ColumnBlock>>,
    measured: Vec<Arc<ColumnBlock>>,
}

impl<'a, 't> Walk<'a, 't> {
    /// Loads the candidates' rows of a shard.
    pub(super) fn new(
        dims: &'a [BoundDim],
        measured: &'a [Measured],
        table: Table<'t>,
        context: Context<'a>,
        unit: Unit,
    ) -> Result<Self, Error> {
        let mut sets = Vec::new();
        let mut columns = Vec::new();
        for (index, dim) in dims.iter().enumerate() {
            match dim {
                BoundDim::Column(attribute, split) => columns.push((index, *attribute, split)),
                BoundDim::Rows(rows) => {
                    let fragments: Result<Vec<_>, _> = rows
                        .iter()
                        .map(|row| context.dataset.fragment(unit.partition, unit.shard, *row))
                        .collect();
                    sets.push((index, fragments?));
                }
            }
        }
        Ok(Self {
            table,
            context,
            unit,
            sets,
            columns,
            measured,
            room: Room::default(),
        })
    }

    /// Goes through the shard; gives the table back.
    pub(super) fn run(mut self, mut shard: ShardScan<'_>) -> Result<Table<'t>, Error> {
        shard.for_each_block(0, |block| self.block(block))?;
        Ok(self.table)
    }

    fn block(&mut self, block: FoundBlock<'_>) -> Result<(), Error> {
        let column = |attribute| {
            self.context
                .dataset
                .column(self.unit.partition, attribute, block.id)
        };
        let columns = BlockColumns {
            dims: self
                .columns
                .iter()
                .map(|(_, attribute, _)| column(*attribute))
                .collect::<Result<_, _>>()?,
            measured: self
                .measured
                .iter()
                .map(|measured| column(measured.attribute))
                .collect::<Result<_, _>>()?,
        };
        self.table.add_users(block.users.count());
        let sets = std::mem::take(&mut self.sets);
        self.descend(&sets, block.index, block.users, &columns, GroupKey::MISSING)?;
        self.sets = sets;
        self.table.check_bytes()
    }

    /// Splits users by the candidates of one dim after the other.
    fn descend(
        &mut self,
        sets: &[SetDim],
        index: u32,
        users: &Block,
        columns: &BlockColumns,
        key: GroupKey,
    ) -> Result<(), Error> {
        let Some(((dim, rows), deeper)) = sets.split_first() else {
            return self.walk(users, columns, key);
        };
        let is_count = deeper.is_empty() && self.columns.is_empty() && self.measured.is_empty();
        let mut rest = self.room.blocks.pop().unwrap_or_default();
        let mut held = self.room.blocks.pop().unwrap_or_default();
        rest.copy_from(users);
        for (candidate, row) in rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.block_cardinality(index) > 0)
        {
            let key = key.with(*dim, Some(candidate as i64));
            if is_count {
                let count = row.count_and(index, users);
                self.count(key, count)?;
            } else {
                held.copy_from(users);
                row.and_into(index, &mut held);
                if !held.is_empty() {
                    self.context.budget.check()?;
                    self.descend(deeper, index, &held, columns, key)?;
                }
            }
            row.and_not_into(index, &mut rest);
        }
        if !rest.is_empty() {
            self.descend(deeper, index, &rest, columns, key.with(*dim, None))?;
        }
        self.room.blocks.extend([rest, held]);
        Ok(())
    }

    fn count(&mut self, key: GroupKey, count: u32) -> Result<(), Error> {
        if count > 0 {
            let slot = self.table.slot(key)?;
            self.table.add_count(slot, count.into());
        }
        Ok(())
    }

    /// Splits users by columns, and measures them. `key` has the components of the other dims.
    fn walk(&mut self, users: &Block, columns: &BlockColumns, key: GroupKey) -> Result<(), Error> {
        if self.columns.is_empty() {
            let slot = self.table.slot(key)?;
            self.table.add_count(slot, users.count().into());
            for (index, column) in columns.measured.iter().enumerate() {
                let add = |_, number: Option<i64>| {
                    if let Some(number) = number {
                        self.table.add_number(slot, index, number);
                    }
                };
                column.for_each(users, add);
            }
            return Ok(());
        }
        let strides = match self.table.layout() {
            Layout::Dense(strides) => Some(strides.clone()),
            Layout::Sparse { .. } => None,
        };
        match strides {
            Some(strides) => self.dense_slots(users, columns, key, &strides),
            None => self.sparse_slots(users, columns, key)?,
        }
        self.fill_slots(users, columns);
        Ok(())
    }

    /// One pass over each column adds its part to the slots.
    fn dense_slots(
        &mut self,
        users: &Block,
        columns: &BlockColumns,
        key: GroupKey,
        strides: &[Stride],
    ) {
        let is_column = |dim: usize| self.columns.iter().any(|(column, ..)| *column == dim);
        let fixed = strides
            .iter()
            .enumerate()
            .filter(|(dim, _)| !is_column(*dim));
        let base: u32 = fixed
            .map(|(dim, stride)| stride.offset(key.component(dim)))
            .sum();
        let slots = &mut self.room.slots;
        slots.clear();
        slots.resize(users.count() as usize, base);
        for ((dim, _, split), column) in self.columns.iter().zip(&columns.dims) {
            let Some(stride) = strides.get(*dim) else {
                continue;
            };
            let mut next = slots.iter_mut();
            column.for_each(users, |_, number| {
                if let Some(slot) = next.next() {
                    *slot += stride.offset(split.component(number));
                }
            });
        }
    }

    /// One pass over each column gathers components, then every user's group is looked up.
    fn sparse_slots(
        &mut self,
        users: &Block,
        columns: &BlockColumns,
        key: GroupKey,
    ) -> Result<(), Error> {
        let components = &mut self.room.components;
        components.resize_with(self.columns.len(), Vec::new);
        for (((_, _, split), column), buffer) in self
            .columns
            .iter()
            .zip(&columns.dims)
            .zip(components.iter_mut())
        {
            buffer.clear();
            column.for_each(users, |_, number| buffer.push(split.component(number)));
        }
        self.room.slots.clear();
        for place in 0..users.count() as usize {
            let key = self
                .columns
                .iter()
                .zip(components.iter())
                .fold(key, |key, ((dim, ..), buffer)| {
                    key.with(*dim, buffer.get(place).copied().flatten())
                });
            self.room.slots.push(self.table.slot(key)?);
        }
        Ok(())
    }

    fn fill_slots(&mut self, users: &Block, columns: &BlockColumns) {
        for slot in &self.room.slots {
            self.table.add_count(*slot, 1);
        }
        for (index, column) in columns.measured.iter().enumerate() {
            let mut slots = self.room.slots.iter();
            column.for_each(users, |_, number| {
                if let (Some(slot), Some(number)) = (slots.next(), number) {
                    self.table.add_number(*slot, index, number);
                }
            });
        }
    }
}
