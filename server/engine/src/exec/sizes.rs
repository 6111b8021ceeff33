//! Estimated sizes of leaves, from a sample of the data.
//!
//! A row's size is its cardinality in a few shards, chosen evenly among all partitions and
//! shards, in proportion to the users there; with few shards it is exact. A range is compared
//! in a few blocks, chosen evenly likewise: numbers often follow the order in which users came,
//! so one stretch of ids says little about the others. What is looked at depends on nothing but
//! the data, so the same leaf has the same size in every question over one state.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use super::{
    behaviour,
    dataset::Dataset,
    scan::{Unit, units},
};
use crate::{
    behaviour::{Behaviour, Filter, Question},
    bitmap::{Block, NumberSlices, SliceScratch},
    error::Error,
    ids::{NumberId, PartitionId, RowId, SHARD_BLOCKS, SliceRow},
    plan::{
        estimate::Estimates,
        logical::{Expr, Leaf, Range},
        lower::Referrals,
    },
    storage::StorageError,
};

/// Shards in which rows are counted.
const SAMPLED_SHARDS: usize = 8;
/// Blocks in which ranges are compared.
const SAMPLED_BLOCKS: usize = 4;

/// The partition in which a text's users are listed; partitions are samples by hash.
const LISTED: PartitionId = PartitionId(0);

/// Sizes of the leaves of one expression, measured before it is simplified.
#[derive(Debug)]
pub(crate) struct Sizes {
    sample: Sample,
    leaves: HashMap<Leaf, u64, RandomState>,
    numbers: HashMap<NumberId, Vec<SampledNumbers>>,
    ranges: RefCell<HashMap<(NumberId, Range), u64>>,
}

/// Where it is looked.
#[derive(Debug)]
struct Sample {
    /// All users.
    users: u64,
    units: Vec<Unit>,
    /// Users of these units.
    users_sampled: u64,
    /// Of some units, a block with users.
    blocks: Vec<(Unit, u32)>,
}

/// A number's slices in one block.
#[derive(Debug)]
struct SampledNumbers {
    slices: NumberSlices,
    block: u32,
}

impl Sample {
    fn choose(dataset: &dyn Dataset) -> Result<Self, Error> {
        let mut users = 0;
        let mut counted = Vec::new();
        for unit in units(dataset)? {
            let living = dataset.fragment(unit.partition, unit.shard, RowId::Users)?;
            users += living.cardinality();
            if !living.is_empty() {
                counted.push((unit, living));
            }
        }
        let chosen: Vec<_> = evenly(counted.len(), SAMPLED_SHARDS)
            .filter_map(|index| counted.get(index))
            .collect();
        let blocks = evenly(chosen.len(), SAMPLED_BLOCKS)
            .filter_map(|index| chosen.get(index))
            .zip(0..)
            .filter_map(|((unit, living), turn)| {
                let has_users = |block: &u32| living.block_cardinality(*block) > 0;
                let crowded: Vec<u32> = (0..SHARD_BLOCKS).filter(has_users).collect();
                // Early in one shard, late in another.
                let place = (2 * turn + 1) * crowded.len() / (2 * SAMPLED_BLOCKS);
                crowded.get(place).map(|block| (*unit, *block))
            })
            .collect();
        Ok(Self {
            users,
            units: chosen.iter().map(|(unit, _)| *unit).collect(),
            users_sampled: chosen.iter().map(|(_, living)| living.cardinality()).sum(),
            blocks,
        })
    }

    /// A row's size among all users.
    fn row(&self, dataset: &dyn Dataset, row: RowId) -> Result<u64, StorageError> {
        let mut found = 0;
        for unit in &self.units {
            found += dataset
                .fragment(unit.partition, unit.shard, row)?
                .cardinality();
        }
        Ok(in_proportion(found, self.users_sampled, self.users))
    }
}

impl Sample {
    /// How many users a question about behaviour is thought to find: of those who did what it is
    /// about all, if it asks for nothing else, and otherwise half.
    fn behaviour(&self, dataset: &dyn Dataset, of: &Behaviour) -> Result<u64, StorageError> {
        let mut found = 0;
        for unit in &self.units {
            found += behaviour::at_most(dataset, *unit, of)?;
        }
        let found = in_proportion(found, self.users_sampled, self.users);
        Ok(match (&of.question, &of.filter) {
            (Question::Did, Filter::All) => found,
            (_, _) => found / 2,
        })
    }
}

/// At most `most` of `count` indices, evenly spread.
fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (0..taken).map(move |turn| turn * count / taken.max(1))
}

/// As much of the whole as `part` is of `of`.
fn in_proportion(part: u64, of: u64, whole: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(whole) / u128::from(of.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

impl Sizes {
    /// Measures the leaves of an expression.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn measure(dataset: &dyn Dataset, expr: &Expr) -> Result<Self, Error> {
        let mut sizes = Self {
            sample: Sample::choose(dataset)?,
            leaves: HashMap::default(),
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

    /// Takes the sizes of those who were found already.
    pub(crate) fn know(&mut self, referrals: &Referrals) {
        for (referral, users) in referrals {
            let leaf = Leaf::Referral(Arc::clone(referral));
            self.leaves.insert(leaf, users.count());
        }
    }

    fn measure_leaf(&mut self, dataset: &dyn Dataset, leaf: &Leaf) -> Result<(), StorageError> {
        if self.leaves.contains_key(leaf) {
            return Ok(());
        }
        let size = match leaf {
            Leaf::Tag(tag) => self.sample.row(dataset, RowId::Tag(*tag))?,
            Leaf::Present(attribute) => self.sample.row(dataset, RowId::Present(*attribute))?,
            Leaf::Value(attribute, code) => {
                self.sample.row(dataset, RowId::Value(*attribute, *code))?
            }
            Leaf::Text(attribute, text) => {
                let listed = dataset.text_matches(LISTED, *attribute, text)?.len() as u64;
                listed * u64::from(dataset.partition_count())
            }
            Leaf::Range(number, _) => return self.measure_numbers(dataset, *number),
            Leaf::Held(tag, _) => {
                self.measure_numbers(dataset, NumberId::Since(*tag))?;
                self.measure_numbers(dataset, NumberId::Until(*tag))?;
                return self.measure_leaf(dataset, &Leaf::Tag(*tag));
            }
            Leaf::Blocked(tag) => self.sample.row(dataset, RowId::Blocked(*tag))?,
            Leaf::Recorded(tag, _) => {
                self.measure_leaf(dataset, &Leaf::Tag(*tag))?;
                self.sample.row(dataset, RowId::Tag(*tag))? / 2
            }
            Leaf::Anniversary(attribute, _, days) => {
                self.measure_leaf(dataset, &Leaf::Present(*attribute))?;
                let present = self.sample.row(dataset, RowId::Present(*attribute))?;
                let length = days.high.saturating_sub(days.low).saturating_add(1);
                in_proportion(length.clamp(1, 365) as u64, 365, present)
            }
            Leaf::Keys(keys) => keys.len() as u64,
            Leaf::Behaviour(of) => self.sample.behaviour(dataset, of)?,
            // Known from who was found.
            Leaf::Referral(_) => return Ok(()),
        };
        self.leaves.insert(leaf.clone(), size);
        Ok(())
    }

    fn measure_numbers(
        &mut self,
        dataset: &dyn Dataset,
        number: NumberId,
    ) -> Result<(), StorageError> {
        if self.numbers.contains_key(&number) {
            return Ok(());
        }
        let present = self.sample.row(dataset, number.row(SliceRow::Present))?;
        self.leaves.insert(presence(number), present);
        let mut sampled = Vec::with_capacity(self.sample.blocks.len());
        for (unit, block) in &self.sample.blocks {
            sampled.push(SampledNumbers {
                slices: dataset.slices(unit.partition, unit.shard, number)?,
                block: *block,
            });
        }
        self.numbers.insert(number, sampled);
        Ok(())
    }

    fn range(&self, number: NumberId, range: Range) -> u64 {
        let Some(numbers) = self.numbers.get(&number) else {
            return self.sample.users / 4;
        };
        if let Some(known) = self.ranges.borrow().get(&(number, range)) {
            return *known;
        }
        let present = self.leaves.get(&presence(number));
        let present = present.copied().unwrap_or(self.sample.users);
        let (mut sampled, mut found) = (0, 0);
        let (mut block, mut scratch) = (Block::new(), SliceScratch::new());
        for SampledNumbers { slices, block: at } in numbers {
            sampled += u64::from(slices.present().block_cardinality(*at));
            let (low, high) = (Some(range.low), Some(range.high));
            slices.range_into(low, high, *at, &mut scratch, &mut block);
            found += u64::from(block.count());
        }
        let size = match sampled {
            0 => present / 4,
            sampled => in_proportion(found, sampled, present),
        };
        self.ranges.borrow_mut().insert((number, range), size);
        size
    }
}

/// The leaf that a range of every number becomes.
fn presence(number: NumberId) -> Leaf {
    match number {
        NumberId::Attribute(attribute) => Leaf::Present(attribute),
        NumberId::Since(_) | NumberId::Until(_) => Leaf::Range(number, Range::FULL),
    }
}

impl Estimates for Sizes {
    fn users(&self) -> u64 {
        self.sample.users
    }

    fn leaf(&self, leaf: &Leaf) -> u64 {
        let size = match leaf {
            Leaf::Range(number, range) => self.range(*number, *range),
            Leaf::Held(tag, _) => self.leaf(&Leaf::Tag(*tag)),
            Leaf::Tag(_)
            | Leaf::Present(_)
            | Leaf::Value(..)
            | Leaf::Text(..)
            | Leaf::Keys(_)
            | Leaf::Recorded(..)
            | Leaf::Blocked(_)
            | Leaf::Behaviour(_)
            | Leaf::Referral(_)
            | Leaf::Anniversary(..) => self.leaves.get(leaf).copied().unwrap_or(self.sample.users),
        };
        size.min(self.sample.users)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::{
        exec::testing::{
            memory::{MemoryDataset, User},
            random,
        },
        ids::{Location, TagId, UserId},
        storage::{StoredValue, UserRecord},
    };

    /// Twelve shards in three partitions, ten users in each; who came later has a greater
    /// number, and every third a tag.
    fn dataset() -> MemoryDataset {
        let users = (0..120_u32).map(|number| {
            let (shard, partition) = (number / 30, (number / 10) % 3);
            let mut record = UserRecord::default();
            record.set_value(random::AGE, Some(StoredValue::Number(i64::from(number))));
            if number % 3 == 0 {
                record.add_tag(TagId(0));
            }
            User {
                key: format!("u{number}"),
                location: Location {
                    partition: PartitionId(partition as u16),
                    user: UserId((shard << 20) | (number % 10)),
                },
                record,
            }
        });
        MemoryDataset::new(random::schema(), random::PARTITIONS, users.collect())
    }

    #[test]
    fn sizes_come_from_shards_and_blocks_all_over() {
        let dataset = dataset();
        let tag: Expr = Leaf::Tag(TagId(0)).into();
        let range = |low, high| Leaf::Range(random::AGE.into(), Range { low, high });
        let expr = Expr::And(vec![tag, range(0, 59).into(), range(60, 119).into()]);
        let sizes = Sizes::measure(&dataset, &expr).expect("memory does not fail");
        assert_eq!(sizes.users(), 120);
        let size = |leaf: &Leaf| sizes.leaf(leaf);
        assert!((35..=45).contains(&size(&Leaf::Tag(TagId(0)))));
        assert_eq!(size(&Leaf::Present(random::AGE)), 120);
        assert!((30..=90).contains(&size(&range(0, 59))));
        assert_eq!(size(&range(0, 59)) + size(&range(60, 119)), 120);
        assert_eq!(size(&Leaf::Tag(TagId(4))), 120, "not asked for");
    }

    #[test]
    fn indices_are_evenly_spread() {
        let check = |count, most, expected: &[usize]| {
            assert!(
                evenly(count, most).eq(expected.iter().copied()),
                "{count} {most}"
            );
        };
        check(0, 4, &[]);
        check(3, 4, &[0, 1, 2]);
        check(4, 4, &[0, 1, 2, 3]);
        check(10, 4, &[0, 2, 5, 7]);
    }
}
