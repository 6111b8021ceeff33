//! A plan that can be run: rows, slice ranges, id lists, and how they combine.
//!
//! Knows which stored rows are read and in which order. Does not know blocks or threads.

use std::sync::Arc;

use super::{
    logical::{DayUnit, HoldingTest, Range},
    user_set::UserSet,
};
use crate::{
    behaviour::Behaviour,
    ids::{AttributeId, NumberId, PartitionId, RowId, TagId, UserId},
};

/// Names an operator within its plan; dense from zero, in the order of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(pub u32);

/// Users named one by one, in rising order in each partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdLists(Vec<Vec<UserId>>);

impl IdLists {
    /// From one rising list a partition, in the partitions' order.
    pub fn new(lists: Vec<Vec<UserId>>) -> Self {
        Self(lists)
    }

    /// The users of a partition, rising.
    pub fn partition(&self, partition: PartitionId) -> &[UserId] {
        self.0
            .get(usize::from(partition.0))
            .map_or(&[], Vec::as_slice)
    }

    /// How many users there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|list| list.len() as u64).sum()
    }
}

/// One operator with its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name within the whole plan.
    pub id: OperatorId,
    /// How many users it is thought to find.
    pub estimate: u64,
    /// What it does.
    pub operation: Operation,
}

/// What an operator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Finds nobody.
    Nothing,
    /// Reads one row.
    Row(RowId),
    /// Compares the slices of a number.
    Slices(NumberId, Range),
    /// Names users one by one, found when the plan was made.
    Ids(Arc<IdLists>),
    /// Users who were found when the plan was made.
    Found(Arc<UserSet>),
    /// Who did something, found shard by shard from rows and tables of events.
    Behaviour(Arc<Behaviour>),
    /// Looks at each user of an input, in the record or in a column.
    Look {
        /// Who is looked at.
        input: Box<Plan>,
        /// What all must hold of a user.
        tests: Vec<LookAt>,
    },
    /// Who is in one input at least.
    Union(Vec<Plan>),
    /// Who is in every input of `keep`, which has one at least, and in none of `drop`.
    Intersect {
        /// Least first.
        keep: Vec<Plan>,
        /// Greatest first.
        drop: Vec<Plan>,
    },
    /// Who is in so many inputs at least.
    Threshold {
        /// How many; at least 1.
        threshold: u32,
        /// Of which.
        of: Vec<Plan>,
    },
}

/// A question that is answered user by user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookAt {
    /// How a tag is held, as the record says.
    Holding(TagId, HoldingTest),
    /// Whether a day has returned within days, as the column says.
    Anniversary(AttributeId, DayUnit, Range),
}

impl Plan {
    /// How many operators it has.
    pub fn operators(&self) -> u32 {
        1 + self.inputs().map(Self::operators).sum::<u32>()
    }

    /// Whether only rows and slices are combined, so that finding its users again costs little:
    /// no events are gone through, and nobody is looked at alone.
    pub fn combines_rows_only(&self) -> bool {
        let is_row = match &self.operation {
            Operation::Nothing
            | Operation::Row(_)
            | Operation::Slices(..)
            | Operation::Found(_)
            | Operation::Union(_)
            | Operation::Intersect { .. }
            | Operation::Threshold { .. } => true,
            Operation::Ids(_) | Operation::Behaviour(_) | Operation::Look { .. } => false,
        };
        is_row && self.inputs().all(Self::combines_rows_only)
    }

    /// The inputs of this operator.
    pub fn inputs(&self) -> impl Iterator<Item = &Self> {
        let (first, second): (&[Self], &[Self]) = match &self.operation {
            Operation::Nothing
            | Operation::Row(_)
            | Operation::Slices(..)
            | Operation::Ids(_)
            | Operation::Found(_)
            | Operation::Behaviour(_) => (&[], &[]),
            Operation::Look { input, .. } => (std::slice::from_ref(&**input), &[]),
            Operation::Union(of) | Operation::Threshold { of, .. } => (of, &[]),
            Operation::Intersect { keep, drop } => (keep, drop),
        };
        first.iter().chain(second)
    }
}
