//! The inputs of an operator: rows, which are combined where they lie, and what has to be
//! computed.

use std::sync::Arc;

use super::{Bound, holds};
use crate::{
    bitmap::{Block, Fragment, count_union, unite},
    error::Error,
    exec::{behaviour::Source, block_pool::BlockPool, scan::Unit},
    ids::BLOCK_USERS,
    plan::physical::{Operation, Plan},
};

/// Inputs of an operator: rows, which are combined in place, and what has to be computed.
#[derive(Debug, Default)]
pub(in crate::exec) struct Operands {
    pub(super) rows: Vec<Arc<Fragment>>,
    pub(super) others: Vec<Bound>,
}

impl Operands {
    pub(super) fn load(plans: &[Plan], source: Source<'_>) -> Result<Self, Error> {
        let mut operands = Self::default();
        let mut rows = Vec::with_capacity(plans.len());
        for plan in plans {
            match plan.operation {
                Operation::Row(row) => rows.push(row),
                Operation::Nothing
                | Operation::Slices(..)
                | Operation::Ids(_)
                | Operation::Found(_)
                | Operation::Behaviour(_)
                | Operation::Look { .. }
                | Operation::Union(_)
                | Operation::Intersect { .. }
                | Operation::Threshold { .. } => {
                    operands.push(Bound::load(plan, source)?);
                }
            }
        }
        let Unit { partition, shard } = source.unit;
        let rows = source.context.dataset.fragments(partition, shard, &rows)?;
        operands
            .rows
            .extend(rows.into_iter().filter(|row| !row.is_empty()));
        Ok(operands)
    }

    /// Loads operands that only matter for at most `left` users a block.
    pub(super) fn load_within(
        plans: &[Plan],
        source: Source<'_>,
        left: impl Fn(u32) -> u32,
    ) -> Result<Self, Error> {
        let mut operands = Self::default();
        for plan in plans {
            let bound = Bound::load_within(plan, source, &left)?;
            operands.push(bound);
        }
        Ok(operands)
    }

    /// Loads operands one by one, least first; none when one of them is empty. Ranges come last:
    /// how they are best answered depends on the others.
    pub(super) fn load_kept(plans: &[Plan], source: Source<'_>) -> Result<Option<Self>, Error> {
        let mut operands = Self::default();
        let is_range = |plan: &&Plan| matches!(plan.operation, Operation::Slices(..));
        let others = plans.iter().filter(|plan| !is_range(plan));
        for plan in others.chain(plans.iter().filter(is_range)) {
            let left = |block: u32| operands.in_all_at_most(block);
            match Bound::load_within(plan, source, left)? {
                Bound::Nothing => return Ok(None),
                bound @ (Bound::Row(_)
                | Bound::Numbers(_)
                | Bound::Computed(_)
                | Bound::Union(_)
                | Bound::Intersect(_)
                | Bound::Threshold(..)) => operands.push(bound),
            }
        }
        Ok((operands.len() > 0).then_some(operands))
    }

    pub(super) fn push(&mut self, bound: Bound) {
        match bound {
            Bound::Nothing => {}
            Bound::Row(fragment) => self.rows.push(fragment),
            bound @ (Bound::Numbers(_)
            | Bound::Computed(_)
            | Bound::Union(_)
            | Bound::Intersect(..)
            | Bound::Threshold(..)) => self.others.push(bound),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.others.len()
    }

    /// Their union; a single one is itself.
    pub(super) fn into_union(mut self) -> Bound {
        match (self.rows.len(), self.others.len()) {
            (0, 0) => Bound::Nothing,
            (1, 0) => self.rows.pop().map_or(Bound::Nothing, Bound::Row),
            (0, 1) => self.others.pop().unwrap_or(Bound::Nothing),
            (_, _) => Bound::Union(self),
        }
    }

    /// How many users of a block can be in all of them at most.
    pub(super) fn in_all_at_most(&self, block: u32) -> u32 {
        let rows = self.rows.iter().map(|row| row.block_cardinality(block));
        let others = self.others.iter().map(|other| other.at_most(block));
        rows.chain(others).min().unwrap_or(BLOCK_USERS)
    }

    /// Whether one of them is answered place by place in a block.
    pub(super) fn are_listed(&self, block: u32) -> bool {
        self.others.iter().any(|other| match other {
            Bound::Numbers(numbers) => numbers.is_listed(block),
            Bound::Nothing
            | Bound::Row(_)
            | Bound::Computed(_)
            | Bound::Union(_)
            | Bound::Intersect(_)
            | Bound::Threshold(..) => false,
        })
    }

    pub(super) fn sum_at_most(&self, block: u32) -> u64 {
        let rows = self.rows.iter().map(|row| row.block_cardinality(block));
        let others = self.others.iter().map(|other| other.at_most(block));
        rows.chain(others).map(u64::from).sum()
    }

    /// One item for each operand that finds a user of a block.
    pub(super) fn holding(&self, block: u32, place: u16) -> impl Iterator<Item = ()> {
        let rows = self.rows.iter().map(move |row| holds(row, block, place));
        let others = self
            .others
            .iter()
            .map(move |other| other.contains(block, place));
        rows.chain(others).filter(|holds| *holds).map(|_| ())
    }

    /// `out` becomes who is in one of them.
    pub(super) fn fill_union(&self, block: u32, out: &mut Block, pool: &mut BlockPool) {
        let mut others = self.others.iter().filter(|other| other.at_most(block) > 0);
        match (self.rows.is_empty(), others.next()) {
            (true, Some(first)) => {
                first.fill(block, out, pool);
            }
            (_, first) => {
                unite(&self.rows, block, out);
                if let Some(first) = first {
                    first.add_to(block, out, pool);
                }
            }
        }
        others.for_each(|other| other.add_to(block, out, pool));
    }

    /// How many are in one of them.
    pub(super) fn count_union(&self, block: u32, pool: &mut BlockPool) -> u32 {
        let mut out = pool.take();
        let count = if self.others.is_empty() {
            count_union(&self.rows, block, &mut out)
        } else {
            self.fill_union(block, &mut out, pool);
            out.count()
        };
        pool.give_back(out);
        count
    }

    /// A block for each of those that have to be computed and may find somebody.
    pub(super) fn fill_others(&self, block: u32, pool: &mut BlockPool) -> Vec<Block> {
        let mut blocks = pool.take_stack();
        for other in self.others.iter().filter(|other| other.at_most(block) > 0) {
            let mut filled = pool.take();
            other.fill(block, &mut filled, pool);
            blocks.push(filled);
        }
        blocks
    }
}

impl Bound {
    /// `out` gains the users of a block.
    fn add_to(&self, block: u32, out: &mut Block, pool: &mut BlockPool) {
        let mut filled = pool.take();
        self.fill(block, &mut filled, pool);
        out.or(&filled);
        pool.give_back(filled);
    }
}
