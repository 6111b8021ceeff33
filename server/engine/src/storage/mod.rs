//! The store, in three layers: byte formats, typed column families, domain operations.
//!
//! - `rocks`: the only place that knows RocksDB. Bytes in families, snapshots, batches.
//! - `keys`, `formats`, `definition_format`, `record_format`, `terms_format`: how keys and values
//!   are written as bytes.
//! - `families`: which key and value a family has, so that nothing is read as the wrong type.
//! - `log_ahead`: how long the log is.
//! - `incoming`: how the files of a load come in, whatever breaks off.
//! - `compactor`: what becomes of many small ones of them.
//! - `open`, `view`, `cache`, `catalog`, `batch`: what the rest of the engine asks for.
//!
//! Knows how users, rows, columns and definitions are stored. Does not know rules of writing,
//! nor how queries are answered.

mod batch;
mod cache;
mod catalog;
mod compactor;
mod definition_format;
mod error;
mod event;
mod families;
mod formats;
mod holding;
mod incoming;
mod keys;
mod log_ahead;
mod open;
mod record;
mod record_format;
mod rocks;
mod tag_sizes;
mod terms_format;
mod upgrade;
pub mod verify;
mod view;
mod view_tags;

#[cfg(test)]
mod golden;

pub use error::{OpenError, StorageError};
pub use event::{EventDetails, UserEvent};
pub use holding::{Holding, Phase, Source, Term};
pub use open::{DatabaseId, Durability};
pub use record::{Common, StoredValue, Terms, UserRecord};
pub use rocks::Heading;
pub use upgrade::FORMAT_VERSION;
pub use view::{TextsFrom, View};

pub(crate) use batch::Changes;
pub(crate) use catalog::add as add_definition;
pub(crate) use definition_format::{StoredDefinition, StoredNotes};
pub(crate) use families::{
    Definitions, EventExtents, EventIds, Events, FamilyId, NextEventIdKey, NextIdsKey, Partitions,
    Records, Requests, Texts, UnusedEventId, UnusedIds, UserIds, damaged_state,
};
pub(crate) use formats::{IdempotentOutcome, NextIds, PartitionState};
pub(crate) use incoming::{Entries, IncomingFiles};
pub(crate) use keys::{
    ColumnKey, EventExtentKey, EventIdKey, EventKey, EventTableKey, FormatError, FragmentKey,
    KeyBlockKey, RequestKey, SchemaKey, TextKey, UserIdKey, UserKey, partition_of_key,
};
pub(crate) use open::{OpenedStore, Store, StoreOptions};
pub(crate) use record_format::RecordWriter;
pub(crate) use tag_sizes::{
    AskedTags, SizesOfTags, TagRun, TagSizes, TagSizesKey, TagsAsked, TagsAskedKey,
};
#[cfg(test)]
pub(crate) use {open::LoadStep, rocks::Sync};
