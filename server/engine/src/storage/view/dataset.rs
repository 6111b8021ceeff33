//! A state as queries read it: fragments, columns, slices, keys and tables of events.
//!
//! Knows what is cached and how it is read when it is not. Does not know how long the cache keeps
//! it.

use std::{ops::ControlFlow, sync::Arc};

use super::{TextsFrom, View};
use crate::{
    behaviour::{Bucket, EventTable, Extent},
    bitmap::{Fragment, NumberSlices},
    column::ColumnBlock,
    exec::dataset::Dataset,
    ids::{
        AttributeId, BLOCK_USERS, BlockId, EventId, Location, NumberId, PartitionId, RowId,
        SHARD_USERS, ShardId, SliceRow, TagId, UserId,
    },
    schema::Schema,
    storage::{
        StorageError, UserEvent, UserRecord,
        cache::{CacheKey, Cached},
        families::{
            Columns, EventExtents, EventTables, Fragments, KeyBlocks, Records, Texts, UserIds,
            read, scan, walk_keys,
        },
        keys::{
            ColumnKey, EventExtentKey, EventTableKey, FragmentKey, KeyBlockKey, TextKey, UserIdKey,
            UserKey, attribute_prefix, partition_of_key,
        },
    },
    user_keys::{KeyBlock, PackedKeys, append_scattered},
};

impl View {
    /// A fragment that is not in the cache; from now on it is.
    fn read_fragment(&self, key: FragmentKey) -> Result<Arc<Fragment>, StorageError> {
        let fragment =
            Arc::new(read::<Fragments>(&self.snapshot, &key)?.unwrap_or_else(Fragment::empty));
        self.caches.offer(
            CacheKey::Fragment(key),
            Cached::Fragment(fragment.clone()),
            self.version(),
        );
        Ok(fragment)
    }

    /// The keys of a run of users.
    fn key_block(&self, key: KeyBlockKey) -> Result<Arc<KeyBlock>, StorageError> {
        let version = self.version();
        if let Some(Cached::Keys(block)) = self.caches.find(&CacheKey::Keys(key), version) {
            return Ok(block);
        }
        let block =
            Arc::new(read::<KeyBlocks>(&self.snapshot, &key)?.unwrap_or_else(KeyBlock::empty));
        self.caches
            .offer(CacheKey::Keys(key), Cached::Keys(block.clone()), version);
        Ok(block)
    }
}

impl Dataset for View {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn partition_count(&self) -> u16 {
        self.partition_count
    }

    fn shard_count(&self, partition: PartitionId) -> Result<u16, StorageError> {
        let users_next = self.partition_state(partition)?.users_next;
        // At most 2^32 / 2^20 = 4,096.
        Ok(users_next.div_ceil(SHARD_USERS) as u16)
    }

    fn block_count(&self, partition: PartitionId) -> Result<u32, StorageError> {
        Ok(self
            .partition_state(partition)?
            .users_next
            .div_ceil(BLOCK_USERS))
    }

    fn fragment(
        &self,
        partition: PartitionId,
        shard: ShardId,
        row: RowId,
    ) -> Result<Arc<Fragment>, StorageError> {
        let key = FragmentKey {
            partition,
            row,
            shard,
        };
        let version = self.version();
        if let Some(Cached::Fragment(fragment)) =
            self.caches.find(&CacheKey::Fragment(key), version)
        {
            return Ok(fragment);
        }
        self.read_fragment(key)
    }

    fn fragments(
        &self,
        partition: PartitionId,
        shard: ShardId,
        rows: &[RowId],
    ) -> Result<Vec<Arc<Fragment>>, StorageError> {
        let key = |row: &RowId| FragmentKey {
            partition,
            row: *row,
            shard,
        };
        let keys: Vec<CacheKey> = rows.iter().map(key).map(CacheKey::Fragment).collect();
        let found = self.caches.find_many(&keys, self.version());
        let known = rows.iter().zip(found).map(|(row, found)| match found {
            Some(Cached::Fragment(fragment)) => Ok(fragment),
            Some(
                Cached::Column(_) | Cached::Keys(_) | Cached::EventTable(_) | Cached::SlicesHeld(_),
            )
            | None => self.read_fragment(key(row)),
        });
        known.collect()
    }

    fn slices(
        &self,
        partition: PartitionId,
        shard: ShardId,
        number: NumberId,
    ) -> Result<NumberSlices, StorageError> {
        let fetch = |row: SliceRow| self.fragment(partition, shard, number.row(row));
        let key = CacheKey::SlicesHeld(partition, shard, number);
        let version = self.version();
        if let Some(Cached::SlicesHeld(held)) = self.caches.find(&key, version) {
            return NumberSlices::load_held(held, fetch);
        }
        let slices = NumberSlices::load(fetch)?;
        let held = Cached::SlicesHeld(slices.bits_held());
        self.caches.offer(key, held, version);
        Ok(slices)
    }

    fn column(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        block: BlockId,
    ) -> Result<Arc<ColumnBlock>, StorageError> {
        let key = ColumnKey {
            partition,
            attribute,
            block,
        };
        let version = self.version();
        if let Some(Cached::Column(column)) = self.caches.find(&CacheKey::Column(key), version) {
            return Ok(column);
        }
        let column =
            Arc::new(read::<Columns>(&self.snapshot, &key)?.unwrap_or_else(ColumnBlock::empty));
        self.caches.offer(
            CacheKey::Column(key),
            Cached::Column(column.clone()),
            version,
        );
        Ok(column)
    }

    fn keys(
        &self,
        partition: PartitionId,
        users: &[UserId],
        keys: &mut PackedKeys,
    ) -> Result<(), StorageError> {
        let mut parts = Vec::new();
        for users in users.chunk_by(|left, right| left.key_block() == right.key_block()) {
            if let Some(first) = users.first() {
                let block = first.key_block();
                parts.push((self.key_block(KeyBlockKey { partition, block })?, users));
            }
        }
        let blocks = parts.iter().map(|(block, users)| (&**block, *users));
        append_scattered(blocks, keys).map_err(|user| StorageError::MissingUser { partition, user })
    }

    fn locate(&self, key: &str) -> Result<Option<Location>, StorageError> {
        let partition = partition_of_key(key, self.partition_count);
        let user = read::<UserIds>(&self.snapshot, &UserIdKey { partition, key })?;
        Ok(user.map(|user| Location { partition, user }))
    }

    fn record(&self, location: Location) -> Result<Option<UserRecord>, StorageError> {
        let key = UserKey {
            partition: location.partition,
            user: location.user,
        };
        read::<Records>(&self.snapshot, &key)
    }

    fn event_extent(
        &self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<Option<Extent>, StorageError> {
        read::<EventExtents>(&self.snapshot, &EventExtentKey { partition, event })
    }

    fn event_table(
        &self,
        partition: PartitionId,
        shard: ShardId,
        event: EventId,
        bucket: Bucket,
    ) -> Result<Arc<EventTable>, StorageError> {
        let key = EventTableKey {
            partition,
            event,
            shard,
            bucket,
        };
        let version = self.version();
        let cached = self.caches.find(&CacheKey::EventTable(key), version);
        if let Some(Cached::EventTable(table)) = cached {
            return Ok(table);
        }
        let table = read::<EventTables>(&self.snapshot, &key)?;
        let table = Arc::new(table.unwrap_or_else(EventTable::empty));
        let value = Cached::EventTable(table.clone());
        self.caches.offer(CacheKey::EventTable(key), value, version);
        Ok(table)
    }

    fn user_events(&self, location: Location) -> Result<Vec<UserEvent>, StorageError> {
        let mut events = Vec::new();
        for event in self.events_done(location)? {
            self.for_each_event(location, event, |key, details| {
                events.push(UserEvent {
                    event,
                    time_us: key.time_us,
                    details,
                });
                Ok(())
            })?;
        }
        Ok(events)
    }

    fn records(
        &self,
        partition: PartitionId,
        users: &[UserId],
    ) -> Result<Vec<UserRecord>, StorageError> {
        let located = users.iter().map(|&user| Location { partition, user });
        self.records(&located.collect::<Vec<_>>())
    }

    fn tag_sizes(
        &self,
        tag: TagId,
        first: i32,
        last: i32,
    ) -> Result<Vec<(i32, u64)>, StorageError> {
        self.noted_sizes(tag, first, last)
    }

    fn tags_noted(&self, first: i32, last: i32) -> Result<Vec<TagId>, StorageError> {
        self.noted_tags(first, last)
    }

    fn tags_asked(&self) -> Result<Vec<(TagId, i32)>, StorageError> {
        View::tags_asked(self)
    }

    fn text_matches(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        text: &str,
    ) -> Result<Vec<UserId>, StorageError> {
        let mut users = Vec::new();
        let prefix = TextKey::prefix(partition, attribute, text);
        scan::<Texts>(&self.snapshot, &prefix, |key, ()| {
            users.push(key.user);
            Ok(())
        })?;
        Ok(users)
    }

    fn walk_texts(
        &self,
        partition: PartitionId,
        from: TextsFrom<'_>,
        visit: &mut dyn FnMut(&str, UserId) -> ControlFlow<()>,
    ) -> Result<(), StorageError> {
        let prefix = attribute_prefix(partition, from.attribute);
        let start = match from.text {
            Some(text) => TextKey::prefix(partition, from.attribute, text),
            None => prefix.clone(),
        };
        let from = (start.as_slice(), from.heading);
        walk_keys::<Texts>(&self.snapshot, &prefix, from, |key| {
            visit(&key.text, key.user)
        })
    }

    fn for_each_user(
        &self,
        partition: PartitionId,
        visit: &mut dyn FnMut(UserId, &str, &UserRecord),
    ) -> Result<(), StorageError> {
        let mut names = PackedKeys::new();
        scan::<Records>(
            &self.snapshot,
            &UserKey::prefix(partition),
            |key, record| {
                names.clear();
                self.keys(partition, &[key.user], &mut names)?;
                if let Some(name) = names.get(0) {
                    visit(key.user, name, &record);
                }
                Ok(())
            },
        )
    }
}
