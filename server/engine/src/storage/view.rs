//! One consistent state of the database, as queries see it.

use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
};

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
        EventDetails, Heading, StorageError, UserEvent, UserRecord,
        cache::{CacheKey, Cached, Caches, LiveView},
        families::{
            Columns, EventExtents, EventIds, EventTables, Events, Family, Fragments, KeyBlocks,
            PartitionState, Partitions, Records, Texts, UserIds, read, read_many, scan,
            scan_between, walk_keys,
        },
        keys::{
            ColumnKey, EventExtentKey, EventIdKey, EventKey, EventTableKey, FragmentKey,
            KeyBlockKey, KeyFormat, TextKey, UserIdKey, UserKey, attribute_prefix,
            partition_of_key,
        },
        rocks::Snapshot,
    },
    user_keys::{KeyBlock, PackedKeys, append_scattered},
};

/// From where on texts are gone through, and which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextsFrom<'a> {
    /// The texts of this attribute.
    pub attribute: AttributeId,
    /// Which way.
    pub heading: Heading,
    /// From this text on, itself included; from the first, if none is given, or from the last.
    pub text: Option<&'a str>,
}

/// A snapshot of the store with the definitions that belong to it. Cheap to share; while it
/// lives, the store keeps what it shows.
pub struct View {
    snapshot: Snapshot,
    schema: Arc<Schema>,
    caches: Arc<Caches>,
    partition_count: u16,
    live: LiveView,
    /// What was read of how far the partitions are: every query asks for it.
    states: Box<[OnceLock<PartitionState>]>,
}

impl View {
    pub(crate) fn new(
        snapshot: Snapshot,
        schema: Arc<Schema>,
        caches: &Arc<Caches>,
        partition_count: u16,
        version: u64,
    ) -> Self {
        let live = caches.register(version);
        Self {
            snapshot,
            schema,
            caches: caches.clone(),
            partition_count,
            live,
            states: (0..partition_count).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Counts the commits since the database was opened: a later state has a greater number.
    pub fn version(&self) -> u64 {
        self.live.version()
    }

    /// How many users live.
    ///
    /// # Errors
    /// When the store fails.
    pub fn user_count(&self) -> Result<u64, StorageError> {
        let mut count = 0;
        for partition in 0..self.partition_count {
            count += u64::from(self.partition_state(PartitionId(partition))?.users_live);
        }
        Ok(count)
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) fn partition_state(
        &self,
        partition: PartitionId,
    ) -> Result<PartitionState, StorageError> {
        let known = self.states.get(usize::from(partition.0));
        if let Some(state) = known.and_then(OnceLock::get) {
            return Ok(*state);
        }
        let state = read::<Partitions>(&self.snapshot, &partition)?.unwrap_or_default();
        Ok(known.map_or(state, |known| *known.get_or_init(|| state)))
    }

    /// Where users are, in the order of their keys: quicker than one by one.
    pub(crate) fn locate_many(
        &self,
        keys: &[(PartitionId, &str)],
    ) -> Result<Vec<Option<Location>>, StorageError> {
        let wanted: Vec<Vec<u8>> = keys
            .iter()
            .map(|&(partition, key)| UserIdKey { partition, key }.to_bytes())
            .collect();
        let mut next = keys.iter();
        let mut users = Vec::with_capacity(keys.len());
        read_many::<UserIds>(&self.snapshot, &wanted, |user| {
            let partition = next.next().map(|(partition, _)| *partition);
            users.push(
                partition
                    .zip(user)
                    .map(|(partition, user)| Location { partition, user }),
            );
            Ok(())
        })?;
        Ok(users)
    }

    /// The records of users, in their order: quicker than one by one.
    ///
    /// # Errors
    /// Also when one of them has none.
    pub(crate) fn records(&self, users: &[Location]) -> Result<Vec<UserRecord>, StorageError> {
        let wanted: Vec<Vec<u8>> = users
            .iter()
            .map(|&Location { partition, user }| UserKey { partition, user }.to_bytes())
            .collect();
        let mut next = users.iter();
        let mut records = Vec::with_capacity(users.len());
        read_many::<Records>(&self.snapshot, &wanted, |record| {
            match (record, next.next()) {
                (Some(record), _) => records.push(record),
                (None, Some(&Location { partition, user })) => {
                    return Err(StorageError::MissingUser { partition, user });
                }
                (None, None) => {}
            }
            Ok(())
        })?;
        Ok(records)
    }

    /// The same for rising users, most of whom between the first and the last are meant: all who
    /// are there are read one after the other.
    pub(crate) fn records_in_turn(
        &self,
        partition: PartitionId,
        users: &[UserId],
    ) -> Result<Vec<UserRecord>, StorageError> {
        let (Some(first), Some(last)) = (users.first(), users.last()) else {
            return Ok(Vec::new());
        };
        let key = |user| UserKey { partition, user }.to_bytes();
        let mut wanted = users.iter().copied().peekable();
        let mut records = Vec::with_capacity(users.len());
        scan_between::<Records>(&self.snapshot, &key(*first), &key(*last), |key, record| {
            if wanted.next_if_eq(&key.user).is_some() {
                records.push(record);
            }
            Ok(())
        })?;
        match wanted.next() {
            None => Ok(records),
            Some(user) => Err(StorageError::MissingUser { partition, user }),
        }
    }

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

    /// Visits a user's events of one kind, the latest first.
    pub(crate) fn for_each_event(
        &self,
        location: Location,
        event: EventId,
        visit: impl FnMut(EventKey, EventDetails) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let Location { partition, user } = location;
        let prefix = EventKey::user_prefix(partition, event, user);
        scan::<Events>(&self.snapshot, &prefix, visit)
    }

    /// The kind of event that came with an id, if there was one.
    pub(crate) fn event_with_id(
        &self,
        location: Location,
        id: &str,
    ) -> Result<Option<EventId>, StorageError> {
        let Location { partition, user } = location;
        let key = EventIdKey {
            partition,
            user,
            id,
        };
        read::<EventIds>(&self.snapshot, &key)
    }

    /// The kinds of events of users of a partition that came with ids, if there were some.
    /// Quickest for users and ids in their order.
    pub(crate) fn events_with_ids<'a>(
        &self,
        partition: PartitionId,
        ids: impl Iterator<Item = (UserId, &'a str)>,
    ) -> Result<Vec<Option<EventId>>, StorageError> {
        let key = |(user, id)| EventIdKey {
            partition,
            user,
            id,
        };
        let wanted: Vec<Vec<u8>> = ids.map(|wanted| key(wanted).to_bytes()).collect();
        let mut events = Vec::with_capacity(wanted.len());
        read_many::<EventIds>(&self.snapshot, &wanted, |event| {
            events.push(event);
            Ok(())
        })?;
        Ok(events)
    }

    /// The kinds of events that a user has any of.
    pub(crate) fn events_done(&self, location: Location) -> Result<Vec<EventId>, StorageError> {
        let Location { partition, user } = location;
        let mut done = Vec::new();
        for event in self.schema.events_by_id() {
            let row = self.fragment(partition, user.shard(), RowId::Did(event.id))?;
            if row.contains(user.offset()) {
                done.push(event.id);
            }
        }
        Ok(done)
    }

    /// Shows the places of those users' keys that are users of the partition. The keys are
    /// sorted, each once.
    pub(crate) fn known_users<'a>(
        &self,
        partition: PartitionId,
        keys: impl Iterator<Item = &'a str>,
        visit: impl FnMut(usize),
    ) -> Result<(), StorageError> {
        let keys: Vec<Vec<u8>> = keys
            .map(|key| UserIdKey { partition, key }.to_bytes())
            .collect();
        let prefix = UserKey::prefix(partition);
        self.snapshot.find_keys(UserIds::ID, &prefix, &keys, visit)
    }

    /// Shows the places of those texts that some user in the partition has. The texts are given
    /// as [`TextKey::text_bytes`], sorted, each once.
    pub(crate) fn texts_held(
        &self,
        partition: PartitionId,
        attribute: AttributeId,
        texts: &[Vec<u8>],
        visit: impl FnMut(usize),
    ) -> Result<(), StorageError> {
        let prefix = attribute_prefix(partition, attribute);
        self.snapshot.find(Texts::ID, &prefix, texts, visit)
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

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
