//! The column families: which key leads to which value. Nothing else decides how bytes are read.

use std::ops::ControlFlow;

use crate::{
    behaviour::{EventTable, Extent},
    bitmap::Fragment,
    column::ColumnBlock,
    ids::{EventId, PartitionId, UserId},
    storage::{
        EventDetails, StorageError, UserRecord,
        definition_format::StoredDefinition,
        formats::{DatabaseFacts, NextIds, ValueFormat},
        incoming::IncomingList,
        keys::{
            ColumnKey, EventExtentKey, EventIdKey, EventKey, EventTableKey, FormatError,
            FragmentKey, KeyBlockKey, KeyFormat, RequestKey, SchemaKey, TextKey, UserIdKey,
            UserKey,
        },
        rocks::{DAMAGED, Heading, Snapshot},
    },
    user_keys::KeyBlock,
};

pub(crate) use crate::storage::formats::{IdempotentOutcome, PartitionState};

/// A column family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FamilyId {
    Meta,
    Schema,
    Partitions,
    UserIds,
    KeyBlocks,
    Records,
    Fragments,
    Columns,
    Texts,
    Requests,
    Events,
    EventIds,
    EventTables,
    EventExtents,
    TagSizes,
    /// Of format 1.
    UserKeys,
}

impl FamilyId {
    /// Those of this format.
    pub(crate) const ALL: [Self; 15] = [
        Self::Meta,
        Self::Schema,
        Self::Partitions,
        Self::UserIds,
        Self::KeyBlocks,
        Self::Records,
        Self::Fragments,
        Self::Columns,
        Self::Texts,
        Self::Requests,
        Self::Events,
        Self::EventIds,
        Self::EventTables,
        Self::EventExtents,
        Self::TagSizes,
    ];

    /// Those of older formats: opened where they are, so that an upgrade can read them, and
    /// dropped when it is done.
    pub(crate) const RETIRED: [Self; 1] = [Self::UserKeys];

    /// Its name in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Schema => "schema",
            Self::Partitions => "partitions",
            Self::UserIds => "user_ids",
            Self::KeyBlocks => "key_blocks",
            Self::Records => "records",
            Self::Fragments => "fragments",
            Self::Columns => "columns",
            Self::Texts => "texts",
            Self::Requests => "requests",
            Self::Events => "events",
            Self::EventIds => "event_ids",
            Self::EventTables => "event_tables",
            Self::EventExtents => "event_extents",
            Self::TagSizes => "tag_sizes",
            Self::UserKeys => "user_keys",
        }
    }
}

/// A column family, or (in `meta`) one key of it, with its types.
pub(crate) trait Family {
    const ID: FamilyId;
    type Key<'a>: KeyFormat<'a>;
    type Value: ValueFormat;
}

macro_rules! family {
    ($(#[$doc:meta])* $name:ident: $id:ident, $key:ty => $value:ty) => {
        $(#[$doc])*
        pub(crate) struct $name;
        impl Family for $name {
            const ID: FamilyId = FamilyId::$id;
            type Key<'a> = $key;
            type Value = $value;
        }
    };
}

family!(
    /// The version of everything below.
    FormatVersions: Meta, FormatVersionKey => u32
);
family!(
    /// What was fixed at creation.
    Facts: Meta, DatabaseFactsKey => DatabaseFacts
);
family!(
    /// Ids that were never given.
    UnusedIds: Meta, NextIdsKey => NextIds
);
family!(
    /// The files of a load that the store may not have taken yet.
    IncomingLists: Meta, IncomingKey => IncomingList
);
family!(
    /// Definitions and the values of enums and multis.
    Definitions: Schema, SchemaKey => StoredDefinition
);
family!(
    /// How far each partition has come.
    Partitions: Partitions, PartitionId => PartitionState
);
family!(
    /// From a user's key to the id.
    UserIds: UserIds, UserIdKey<'a> => UserId
);
family!(
    /// From the ids of a run of users to their keys.
    KeyBlocks: KeyBlocks, KeyBlockKey => KeyBlock
);
family!(
    /// The truth about every user.
    Records: Records, UserKey => UserRecord
);
family!(
    /// Sets of users, derived from the records.
    Fragments: Fragments, FragmentKey => Fragment
);
family!(
    /// Codes and numbers in the order of ids, derived from the records.
    Columns: Columns, ColumnKey => ColumnBlock
);
family!(
    /// From texts to users, derived from the records.
    Texts: Texts, TextKey<'a> => ()
);
family!(
    /// Answers to requests with an idempotency key.
    Requests: Requests, RequestKey => IdempotentOutcome
);
family!(
    /// The truth about what every user did, the latest first.
    Events: Events, EventKey => EventDetails
);
family!(
    /// The kinds of those events of users that came with an id.
    EventIds: EventIds, EventIdKey<'a> => EventId
);
family!(
    /// Events by time, derived from the events of users.
    EventTables: EventTables, EventTableKey => EventTable
);
family!(
    /// Which days have events.
    EventExtents: EventExtents, EventExtentKey => Extent
);
family!(
    /// The id that the next kind of event gets.
    UnusedEventId: Meta, NextEventIdKey => EventId
);
family!(
    /// From a user's id to the key, in format 1.
    UserKeys: UserKeys, UserKey => String
);

macro_rules! meta_key {
    ($(#[$doc:meta])* $name:ident = $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name;
        impl KeyFormat<'_> for $name {
            fn write_to(&self, out: &mut Vec<u8>) {
                out.extend_from_slice($text);
            }
            fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
                if bytes == $text { Ok(Self) } else { Err(FormatError::new("another name")) }
            }
        }
    };
}

meta_key!(
    /// Where every version finds the format version.
    FormatVersionKey = b"format_version"
);
meta_key!(
    /// Where the facts of creation are.
    DatabaseFactsKey = b"database"
);
meta_key!(
    /// Where the list of incoming files is, while there is one.
    IncomingKey = b"incoming"
);
meta_key!(
    /// Where the unused id of kinds of events is.
    NextEventIdKey = b"next_event_id"
);
meta_key!(
    /// Where the unused ids are.
    NextIdsKey = b"next_ids"
);

/// Says where damaged bytes are.
pub(crate) fn damaged_at(
    family: FamilyId,
    key: &[u8],
    reason: impl std::fmt::Display,
) -> StorageError {
    let key = key.iter().map(|byte| format!("{byte:02x}")).collect();
    StorageError::Damaged {
        family: family.name(),
        key,
        reason: reason.to_string(),
    }
}

fn decode_value<F: Family>(key: &[u8], value: &[u8]) -> Result<F::Value, StorageError> {
    F::Value::read_from(value).map_err(|error| match value.strip_prefix(DAMAGED) {
        Some(reason) => damaged_at(F::ID, key, String::from_utf8_lossy(reason)),
        None => damaged_at(F::ID, key, error),
    })
}

/// A partition's state that no writing leads to.
pub(crate) fn damaged_state(
    partition: PartitionId,
    reason: impl std::fmt::Display,
) -> StorageError {
    damaged_at(Partitions::ID, &partition.to_bytes(), reason)
}

/// Reads one value.
pub(crate) fn read<F: Family>(
    snapshot: &Snapshot,
    key: &F::Key<'_>,
) -> Result<Option<F::Value>, StorageError> {
    let key = key.to_bytes();
    snapshot
        .fetch(F::ID, &key, |value| decode_value::<F>(&key, value))?
        .transpose()
}

/// Reads the values of several keys, in their order.
pub(crate) fn read_many<F: Family>(
    snapshot: &Snapshot,
    keys: &[Vec<u8>],
    mut visit: impl FnMut(Option<F::Value>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut next = keys.iter();
    snapshot.fetch_many(F::ID, keys, |value| {
        let key = next.next().map_or(&[][..], Vec::as_slice);
        visit(
            value
                .map(|value| decode_value::<F>(key, value))
                .transpose()?,
        )
    })
}

/// Visits all keys from `first` to `last`, in order, and their values.
pub(crate) fn scan_between<F: Family>(
    snapshot: &Snapshot,
    first: &[u8],
    last: &[u8],
    mut visit: impl FnMut(F::Key<'_>, F::Value) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    snapshot.walk_between(F::ID, first, last, |key, value| {
        let value = decode_value::<F>(key, value)?;
        visit(
            F::Key::read_from(key).map_err(|error| damaged_at(F::ID, key, error))?,
            value,
        )
    })
}

/// Visits the keys that begin with `prefix`, from those that begin with `from` on or back, until
/// `visit` has enough.
pub(crate) fn walk_keys<F: Family>(
    snapshot: &Snapshot,
    prefix: &[u8],
    from: (&[u8], Heading),
    mut visit: impl FnMut(F::Key<'_>) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    snapshot.walk_keys(F::ID, prefix, from, |key| {
        let key = F::Key::read_from(key).map_err(|error| damaged_at(F::ID, key, error))?;
        Ok(visit(key))
    })
}

/// Visits all keys that begin with `prefix`, in order, and their values.
pub(crate) fn scan<F: Family>(
    snapshot: &Snapshot,
    prefix: &[u8],
    mut visit: impl FnMut(F::Key<'_>, F::Value) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    snapshot.walk(F::ID, prefix, |key, value| {
        let value = decode_value::<F>(key, value)?;
        visit(
            F::Key::read_from(key).map_err(|error| damaged_at(F::ID, key, error))?,
            value,
        )
    })
}
