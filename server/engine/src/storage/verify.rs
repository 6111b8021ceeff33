//! Whether everything that is derived from the records is what the records say.
//!
//! Reads the whole store, partition by partition, and derives rows, columns and texts anew. The
//! deriving is written a second time here, plainly, so that a mistake in the writer's is found.

mod events;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use foldhash::fast::RandomState;

use crate::{
    column::ColumnBlock,
    exec::dataset::Dataset,
    ids::{
        AttributeId, BlockId, KeyBlockId, NumberId, PartitionId, RowId, ShardId, SliceRow, UserId,
    },
    schema::{AttributeClass, Schema},
    storage::{
        StorageError, StoredValue, UserRecord, View,
        families::{Columns, Fragments, KeyBlocks, Records, Texts, UserIds, read, scan},
        keys::{
            FragmentKey, KeyBlockKey, KeyFormat, TextKey, UserIdKey, UserKey, partition_of_key,
        },
    },
    user_keys::KeyBlock,
};

/// Problems told in full; the rest is counted.
const PROBLEMS_TOLD: usize = 100;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Users looked at.
    pub users: u64,
    /// Rows looked at, one a shard.
    pub fragments: u64,
    /// Columns looked at, one a block.
    pub columns: u64,
    /// Events looked at.
    pub events: u64,
    /// What is wrong, for people: the first hundred.
    pub problems: Vec<String>,
    /// How much is wrong.
    pub problem_count: u64,
}

impl VerifyReport {
    fn problem(&mut self, problem: impl FnOnce() -> String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_TOLD {
            self.problems.push(problem());
        }
    }

    /// A part that cannot be read is a problem, not the end of the search.
    fn part(&mut self, result: Result<(), StorageError>) {
        if let Err(error) = result {
            self.problem(|| error.to_string());
        }
    }
}

/// Looks at everything in a state of the database.
///
/// # Errors
/// Never for damaged data, which is reported; only when the store cannot be read at all.
pub fn verify(view: &View) -> Result<VerifyReport, StorageError> {
    let mut report = VerifyReport::default();
    for partition in (0..view.partition_count()).map(PartitionId) {
        let mut expected = Expected::default();
        let result = expected.read_users(view, partition, &mut report);
        report.part(result);
        let result = events::check(view, partition, &mut expected.rows, &mut report);
        report.part(result);
        let result = expected.check_rows(view, partition, &mut report);
        report.part(result);
        let result = expected.check_columns(view, partition, &mut report);
        report.part(result);
        let result = expected.check_texts(view, partition, &mut report);
        report.part(result);
    }
    Ok(report)
}

/// Users by row.
type Rows = HashMap<(RowId, ShardId), Vec<u32>, RandomState>;

/// What the records of one partition lead to.
#[derive(Default)]
struct Expected {
    rows: Rows,
    columns: HashMap<(AttributeId, BlockId), BTreeMap<u16, i64>, RandomState>,
    texts: BTreeSet<Vec<u8>>,
    users: u32,
}

impl Expected {
    fn read_users(
        &mut self,
        view: &View,
        partition: PartitionId,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        let state = view.partition_state(partition)?;
        let mut keys = KeyReader::new(view, partition);
        scan::<Records>(
            view.snapshot(),
            &UserKey::prefix(partition),
            |key, record| {
                report.users += 1;
                self.users += 1;
                if key.user.0 >= state.users_next {
                    report.problem(|| {
                        format!(
                            "user {} of partition {} has an id not given yet",
                            key.user.0, partition.0
                        )
                    });
                }
                check_keys(&mut keys, key, report)?;
                self.add(view.schema(), key, &record);
                self.add_inviter(view, key, &record, report)
            },
        )?;
        if self.users != state.users_live {
            report.problem(|| {
                format!(
                    "partition {} has {} users, its state says {}",
                    partition.0, self.users, state.users_live
                )
            });
        }
        check_no_stray_keys(view, partition, report)
    }

    fn add(&mut self, schema: &Schema, key: UserKey, record: &UserRecord) {
        self.bit(key.user, RowId::Users);
        for tag in record
            .tags
            .iter()
            .filter(|tag| schema.tag_by_id(**tag).is_some())
        {
            self.bit(key.user, RowId::Tag(*tag));
        }
        for tag in record.blocked() {
            if schema.tag_by_id(*tag).is_some() {
                self.bit(key.user, RowId::Blocked(*tag));
            }
        }
        for (tag, since_s, until_s) in record.timed() {
            if schema.tag_by_id(tag).is_some() {
                self.number(key.user, NumberId::Since(tag), since_s);
                if let Some(until_s) = until_s {
                    self.number(key.user, NumberId::Until(tag), until_s);
                }
            }
        }
        for (attribute, value) in &record.values {
            if let Some(definition) = schema.attribute_by_id(*attribute) {
                self.add_value(key, *attribute, definition.kind.class(), value);
            }
        }
    }

    /// The column of inviters' places; every inviter is a user.
    fn add_inviter(
        &mut self,
        view: &View,
        key: UserKey,
        record: &UserRecord,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        let attribute = view.schema().inviter();
        let Some(StoredValue::Text(inviter)) = attribute.and_then(|id| record.value(id)) else {
            return Ok(());
        };
        match (attribute, view.locate(inviter)?) {
            (Some(attribute), Some(location)) => {
                let number = location.to_number(view.partition_count());
                self.entry(key.user, attribute, number);
            }
            (_, _) => report.problem(|| {
                format!(
                    "user {} of partition {} was invited by {inviter:?}, who does not exist",
                    key.user.0, key.partition.0
                )
            }),
        }
        Ok(())
    }

    fn add_value(
        &mut self,
        key: UserKey,
        attribute: AttributeId,
        class: AttributeClass,
        value: &StoredValue,
    ) {
        if class != AttributeClass::Numeric {
            self.bit(key.user, RowId::Present(attribute));
        }
        match (class, value) {
            (AttributeClass::Coded, StoredValue::Code(code)) => {
                self.bit(key.user, RowId::Value(attribute, *code));
                self.entry(key.user, attribute, i64::from(code.0));
            }
            (AttributeClass::MultiCoded, StoredValue::Codes(codes)) => {
                codes
                    .iter()
                    .for_each(|code| self.bit(key.user, RowId::Value(attribute, *code)));
            }
            (AttributeClass::Numeric, StoredValue::Number(number)) => {
                self.number(key.user, attribute.into(), *number);
                self.entry(key.user, attribute, *number);
            }
            (AttributeClass::Textual, StoredValue::Text(text)) => {
                let text = text.as_str().into();
                self.texts.insert(
                    TextKey {
                        partition: key.partition,
                        attribute,
                        text,
                        user: key.user,
                    }
                    .to_bytes(),
                );
            }
            // A value of another type than its attribute leads to nothing but this row, which
            // the store then has without its companions, or not at all.
            (
                AttributeClass::Coded
                | AttributeClass::MultiCoded
                | AttributeClass::Numeric
                | AttributeClass::Textual,
                _,
            ) => {}
        }
    }

    fn number(&mut self, user: UserId, number: NumberId, value: i64) {
        self.bit(user, number.row(SliceRow::Present));
        if value < 0 {
            self.bit(user, number.row(SliceRow::Sign));
        }
        let magnitude = if value < 0 { !value } else { value };
        for bit in (0..63).filter(|bit| magnitude & (1 << bit) != 0) {
            self.bit(user, number.row(SliceRow::Bit(bit)));
        }
    }

    fn bit(&mut self, user: UserId, row: RowId) {
        self.rows
            .entry((row, user.shard()))
            .or_default()
            .push(user.offset());
    }

    fn entry(&mut self, user: UserId, attribute: AttributeId, value: i64) {
        self.columns
            .entry((attribute, user.block()))
            .or_default()
            .insert(user.block_offset(), value);
    }

    fn check_rows(
        &mut self,
        view: &View,
        partition: PartitionId,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        scan::<Fragments>(
            view.snapshot(),
            &FragmentKey::prefix(partition),
            |key, fragment| {
                report.fragments += 1;
                let expected = self.rows.remove(&(key.row, key.shard)).unwrap_or_default();
                if !fragment.iter().eq(expected.iter().copied()) {
                    let found = fragment.cardinality();
                    report.problem(|| {
                        format!(
                            "{key:?} holds {found} users, the records say {}",
                            expected.len()
                        )
                    });
                }
                Ok(())
            },
        )?;
        for ((row, shard), users) in &self.rows {
            report.problem(|| {
                format!(
                    "{row:?} in {shard:?} of {partition:?} is missing, with {} users",
                    users.len()
                )
            });
        }
        Ok(())
    }

    fn check_columns(
        &mut self,
        view: &View,
        partition: PartitionId,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        scan::<Columns>(
            view.snapshot(),
            &FragmentKey::prefix(partition),
            |key, column| {
                report.columns += 1;
                let expected = self
                    .columns
                    .remove(&(key.attribute, key.block))
                    .unwrap_or_default();
                if !is_column(&column, &expected) {
                    report.problem(|| format!("{key:?} differs from the records"));
                }
                Ok(())
            },
        )?;
        for ((attribute, block), entries) in &self.columns {
            report.problem(|| {
                format!(
                    "{attribute:?} in {block:?} of {partition:?} is missing, with {} values",
                    entries.len()
                )
            });
        }
        Ok(())
    }

    fn check_texts(
        &mut self,
        view: &View,
        partition: PartitionId,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        scan::<Texts>(view.snapshot(), &partition.to_bytes(), |key, ()| {
            if !self.texts.remove(&key.to_bytes()) {
                report.problem(|| format!("{key:?} is not what the record says"));
            }
            Ok(())
        })?;
        for text in &self.texts {
            report.problem(|| format!("the text index has no {:?}", TextKey::read_from(text)));
        }
        Ok(())
    }
}

fn is_column(column: &ColumnBlock, expected: &BTreeMap<u16, i64>) -> bool {
    (0..=u16::MAX).all(|place| column.value(place) == expected.get(&place).copied())
}

/// Reads the keys of a partition's users in the order of ids, past the cache.
struct KeyReader<'a> {
    view: &'a View,
    partition: PartitionId,
    block: Option<(KeyBlockId, KeyBlock)>,
}

impl<'a> KeyReader<'a> {
    fn new(view: &'a View, partition: PartitionId) -> Self {
        Self {
            view,
            partition,
            block: None,
        }
    }

    fn key(&mut self, user: UserId) -> Result<Option<Cow<'_, str>>, StorageError> {
        let block = user.key_block();
        if self.block.as_ref().is_none_or(|(read, _)| *read != block) {
            let key = KeyBlockKey {
                partition: self.partition,
                block,
            };
            let keys = read::<KeyBlocks>(self.view.snapshot(), &key)?;
            self.block = Some((block, keys.unwrap_or_else(KeyBlock::empty)));
        }
        let block = self.block.as_ref();
        Ok(block.and_then(|(_, keys)| keys.key(user.key_block_offset())))
    }
}

/// Whether a user's id and key lead to each other.
fn check_keys(
    keys: &mut KeyReader<'_>,
    key: UserKey,
    report: &mut VerifyReport,
) -> Result<(), StorageError> {
    let view = keys.view;
    let Some(name) = keys.key(key.user)? else {
        report.problem(|| {
            format!(
                "user {} of partition {} has no key",
                key.user.0, key.partition.0
            )
        });
        return Ok(());
    };
    let found = read::<UserIds>(
        view.snapshot(),
        &UserIdKey {
            partition: key.partition,
            key: &name,
        },
    )?;
    if found != Some(key.user) {
        report.problem(|| {
            format!(
                "the key {name:?} leads to {found:?} instead of {:?}",
                key.user
            )
        });
    }
    if partition_of_key(&name, view.partition_count()) != key.partition {
        report.problem(|| {
            format!(
                "the key {name:?} lies in the wrong partition {}",
                key.partition.0
            )
        });
    }
    Ok(())
}

/// Whether there are keys without records.
fn check_no_stray_keys(
    view: &View,
    partition: PartitionId,
    report: &mut VerifyReport,
) -> Result<(), StorageError> {
    let prefix = UserKey::prefix(partition);
    let mut users: Vec<UserId> = Vec::new();
    let blocks = KeyBlockKey::prefix(partition);
    scan::<KeyBlocks>(view.snapshot(), &blocks, |key, block| {
        users.extend(block.iter().map(|(place, _)| key.block.user(place)));
        Ok(())
    })?;
    scan::<UserIds>(view.snapshot(), &prefix, |_, user| {
        users.push(user);
        Ok(())
    })?;
    users.sort_unstable();
    users.dedup();
    for user in users {
        if read::<Records>(view.snapshot(), &UserKey { partition, user })?.is_none() {
            report.problem(|| {
                format!(
                    "user {} of partition {} has a key and no record",
                    user.0, partition.0
                )
            });
        }
    }
    Ok(())
}
