//! Estimated sizes of leaves, from a sample of the data.
//!
//! Partitions are samples by hash: a row's size is its cardinality in partition 0 times the
//! number of partitions. A range is compared in the first block of partition 0.

use std::{cell::RefCell, collections::HashMap};

use super::dataset::Dataset;
use crate::{
    bitmap::{Block, NumberSlices, SliceScratch},
    ids::{AttributeId, PartitionId, RowId, ShardId},
    plan::{
        estimate::Estimates,
        logical::{Expr, Leaf, Range},
    },
    storage::StorageError,
};

/// The sampled partition.
const SAMPLED: PartitionId = PartitionId(0);

/// Sizes of the leaves of one expression, measured before it is simplified.
#[derive(Debug)]
pub(crate) struct Sizes {
    users: u64,
    partitions: u64,
    leaves: HashMap<Leaf, u64>,
    numbers: HashMap<AttributeId, SampledNumbers>,
    ranges: RefCell<HashMap<(AttributeId, Range), u64>>,
}

#[derive(Debug)]
struct SampledNumbers {
    present: u64,
    slices: NumberSlices,
}

impl Sizes {
    /// Measures the leaves of an expression.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn measure(dataset: &dyn Dataset, expr: &Expr) -> Result<Self, StorageError> {
        let partitions = u64::from(dataset.partition_count());
        let users = row_size(dataset, RowId::Users)? * partitions;
        let mut sizes = Self {
            users,
            partitions,
            leaves: HashMap::new(),
            numbers: HashMap::new(),
            ranges: RefCell::default(),
        };
        let mut leaves = Vec::new();
        expr.for_each_leaf(&mut |leaf| leaves.push(leaf));
        for leaf in leaves {
            sizes.measure_leaf(dataset, leaf)?;
        }
        Ok(sizes)
    }

    fn measure_leaf(&mut self, dataset: &dyn Dataset, leaf: &Leaf) -> Result<(), StorageError> {
        if self.leaves.contains_key(leaf) {
            return Ok(());
        }
        let in_sample = match leaf {
            Leaf::Tag(tag) => row_size(dataset, RowId::Tag(*tag))?,
            Leaf::Present(attribute) => row_size(dataset, RowId::Present(*attribute))?,
            Leaf::Value(attribute, code) => row_size(dataset, RowId::Value(*attribute, *code))?,
            Leaf::Text(attribute, text) => {
                dataset.text_matches(SAMPLED, *attribute, text)?.len() as u64
            }
            Leaf::Range(attribute, _) => return self.measure_numbers(dataset, *attribute),
            Leaf::Keys(keys) => {
                self.leaves.insert(leaf.clone(), keys.len() as u64);
                return Ok(());
            }
        };
        self.leaves
            .insert(leaf.clone(), in_sample * self.partitions);
        Ok(())
    }

    fn measure_numbers(
        &mut self,
        dataset: &dyn Dataset,
        attribute: AttributeId,
    ) -> Result<(), StorageError> {
        if self.numbers.contains_key(&attribute) {
            return Ok(());
        }
        let present = row_size(dataset, RowId::Present(attribute))? * self.partitions;
        // A range of every number becomes its presence.
        self.leaves.insert(Leaf::Present(attribute), present);
        let slices =
            NumberSlices::load(|row| dataset.fragment(SAMPLED, ShardId(0), row.row(attribute)))?;
        self.numbers
            .insert(attribute, SampledNumbers { present, slices });
        Ok(())
    }

    fn range(&self, attribute: AttributeId, range: Range) -> u64 {
        let Some(numbers) = self.numbers.get(&attribute) else {
            return self.users / 4;
        };
        if let Some(known) = self.ranges.borrow().get(&(attribute, range)) {
            return *known;
        }
        let sampled = u64::from(numbers.slices.present().block_cardinality(0));
        let mut found = Block::new();
        numbers.slices.range_into(
            Some(range.low),
            Some(range.high),
            0,
            &mut SliceScratch::new(),
            &mut found,
        );
        let size = match sampled {
            0 => numbers.present / 4,
            // Neither factor passes 2^32 but for the users, which stay below 2^48.
            sampled => u64::from(found.count()).saturating_mul(numbers.present) / sampled,
        };
        self.ranges.borrow_mut().insert((attribute, range), size);
        size
    }
}

impl Estimates for Sizes {
    fn users(&self) -> u64 {
        self.users
    }

    fn leaf(&self, leaf: &Leaf) -> u64 {
        let size = match leaf {
            Leaf::Range(attribute, range) => self.range(*attribute, *range),
            Leaf::Tag(_) | Leaf::Present(_) | Leaf::Value(..) | Leaf::Text(..) | Leaf::Keys(_) => {
                self.leaves.get(leaf).copied().unwrap_or(self.users)
            }
        };
        size.min(self.users)
    }
}

/// A row's size in the sampled partition.
fn row_size(dataset: &dyn Dataset, row: RowId) -> Result<u64, StorageError> {
    let mut size = 0;
    for shard in 0..dataset.shard_count(SAMPLED)? {
        size += dataset
            .fragment(SAMPLED, ShardId(shard), row)?
            .cardinality();
    }
    Ok(size)
}
