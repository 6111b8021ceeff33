//! One consistent state of the database, as queries see it.
//!
//! Knows users, their records and their events. How queries read rows and columns is in
//! `dataset`.

mod dataset;

use std::sync::{Arc, OnceLock};

use crate::{
    exec::dataset::Dataset,
    ids::{AttributeId, EventId, Location, PartitionId, RowId, UserId},
    schema::Schema,
    storage::{
        EventDetails, Heading, StorageError, UserRecord,
        cache::{Caches, LiveView},
        families::{
            EventIds, Events, Family, PartitionState, Partitions, Records, Texts, UserIds, read,
            read_many, scan, scan_between,
        },
        keys::{EventIdKey, EventKey, KeyFormat, UserIdKey, UserKey, attribute_prefix},
        rocks::Snapshot,
    },
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
    /// as [`TextKey::text_bytes`](crate::storage::keys::TextKey::text_bytes), sorted, each once.
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

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
