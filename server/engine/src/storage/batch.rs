//! Changes of the store, typed, that are written together.
//!
//! Changes are gathered as bytes, apart from the store: several threads may each gather a part.

use crate::{
    behaviour::EventDelta,
    bitmap::FragmentDelta,
    column::ColumnDelta,
    ids::{AttributeId, EventId, PartitionId, TagId, UserId},
    storage::{
        StorageError,
        cache::CacheKey,
        families::{
            Columns, Definitions, EventExtents, EventIds, EventTables, Events, Family, FamilyId,
            Fragments, KeyBlocks, Texts, damaged_at,
        },
        formats::ValueFormat,
        keys::{
            ColumnKey, EventExtentKey, EventTableKey, FragmentKey, KeyBlockKey, KeyFormat,
            SchemaKey, UserKey, attribute_prefix, event_prefix,
        },
        rocks::{Batch, Rocks},
    },
    user_keys::KeyBlockDelta,
};

/// A part of a batch in the making.
#[derive(Default)]
pub(crate) struct Changes {
    edits: Vec<Edit>,
    /// The keys and values of all edits, one after the other.
    bytes: Vec<u8>,
    touched: Vec<CacheKey>,
}

/// One change of one key, or of all keys with a prefix.
#[derive(Debug, Clone, Copy)]
struct Edit {
    kind: EditKind,
    family: FamilyId,
    key_bytes: usize,
    value_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum EditKind {
    Put,
    Merge,
    Delete,
    DeletePrefix,
}

impl Changes {
    /// The fragments, columns and key blocks that change.
    pub(crate) fn take_touched(&mut self) -> Vec<CacheKey> {
        std::mem::take(&mut self.touched)
    }

    /// A batch of these changes only.
    pub(crate) fn into_batch(self, rocks: &Rocks) -> Result<Batch, StorageError> {
        let mut batch = rocks.batch();
        self.write_to(&mut batch)?;
        Ok(batch)
    }

    /// Puts all changes into a batch, in their order.
    pub(crate) fn write_to(&self, batch: &mut Batch) -> Result<(), StorageError> {
        let mut rest = self.bytes.as_slice();
        for edit in &self.edits {
            let (key, after_key) = rest.split_at(edit.key_bytes);
            let (value, after_value) = after_key.split_at(edit.value_bytes);
            rest = after_value;
            match edit.kind {
                EditKind::Put => batch.put(edit.family, key, value)?,
                EditKind::Merge => batch.merge(edit.family, key, value)?,
                EditKind::Delete => batch.delete(edit.family, key)?,
                EditKind::DeletePrefix => batch.delete_prefix(edit.family, key)?,
            }
        }
        Ok(())
    }

    /// Adds an edit. What `write` appends is first the key, then the value; it gives the length
    /// of the key.
    fn edit(
        &mut self,
        kind: EditKind,
        family: FamilyId,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize, StorageError>,
    ) -> Result<(), StorageError> {
        let start = self.bytes.len();
        let key_bytes = write(&mut self.bytes).inspect_err(|_| self.bytes.truncate(start))?;
        self.edits.push(Edit {
            kind,
            family,
            key_bytes,
            value_bytes: self.bytes.len() - start - key_bytes,
        });
        Ok(())
    }

    pub(crate) fn put<F: Family>(
        &mut self,
        key: &F::Key<'_>,
        value: &F::Value,
    ) -> Result<(), StorageError> {
        self.edit(EditKind::Put, F::ID, |bytes| {
            let start = bytes.len();
            key.write_to(bytes);
            let key_bytes = bytes.len() - start;
            value
                .write_to(bytes)
                .map_err(|error| damaged_at(F::ID, &key.to_bytes(), error))?;
            Ok(key_bytes)
        })
    }

    pub(crate) fn delete<F: Family>(&mut self, key: &F::Key<'_>) -> Result<(), StorageError> {
        self.edit(EditKind::Delete, F::ID, |bytes| {
            Ok(append(bytes, &key.to_bytes()))
        })
    }

    fn merge<F: Family>(&mut self, key: &F::Key<'_>, operand: &[u8]) -> Result<(), StorageError> {
        self.edit(EditKind::Merge, F::ID, |bytes| {
            let key_bytes = append(bytes, &key.to_bytes());
            append(bytes, operand);
            Ok(key_bytes)
        })
    }

    fn delete_prefix<F: Family>(&mut self, prefix: &[u8]) -> Result<(), StorageError> {
        self.edit(EditKind::DeletePrefix, F::ID, |bytes| {
            Ok(append(bytes, prefix))
        })
    }

    pub(crate) fn merge_fragment(
        &mut self,
        key: FragmentKey,
        delta: &FragmentDelta,
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Fragment(key));
        self.merge::<Fragments>(&key, &delta.encode())
    }

    pub(crate) fn merge_column(
        &mut self,
        key: ColumnKey,
        delta: &ColumnDelta,
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Column(key));
        self.merge::<Columns>(&key, &delta.encode())
    }

    pub(crate) fn merge_keys(
        &mut self,
        key: KeyBlockKey,
        delta: KeyBlockDelta<'_>,
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Keys(key));
        self.merge::<KeyBlocks>(&key, &delta.encode())
    }

    pub(crate) fn merge_events(
        &mut self,
        key: EventTableKey,
        delta: EventDelta,
    ) -> Result<(), StorageError> {
        let operand = delta
            .encode()
            .map_err(|error| damaged_at(EventTables::ID, &key.to_bytes(), error))?;
        self.touched.push(CacheKey::EventTable(key));
        self.merge::<EventTables>(&key, &operand)
    }

    /// Deletes a table of events.
    pub(crate) fn delete_events(&mut self, key: EventTableKey) -> Result<(), StorageError> {
        self.touched.push(CacheKey::EventTable(key));
        self.delete::<EventTables>(&key)
    }

    /// Deletes a row in one shard.
    pub(crate) fn delete_fragment(&mut self, key: FragmentKey) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Fragment(key));
        self.delete::<Fragments>(&key)
    }

    /// Forgets the ids of a user's events.
    pub(crate) fn delete_event_ids(
        &mut self,
        partition: PartitionId,
        user: UserId,
    ) -> Result<(), StorageError> {
        let user = UserKey { partition, user };
        self.delete_prefix::<EventIds>(&user.to_bytes())
    }

    /// Deletes all events of a kind and what is derived from them, but for their ids.
    pub(crate) fn delete_event_kind(
        &mut self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<(), StorageError> {
        for prefix in FragmentKey::event_prefixes(partition, event) {
            self.delete_prefix::<Fragments>(&prefix)?;
        }
        let prefix = event_prefix(partition, event);
        self.delete_prefix::<Events>(&prefix)?;
        self.delete_prefix::<EventTables>(&prefix)?;
        self.delete::<EventExtents>(&EventExtentKey { partition, event })
    }

    /// The keys and values so far, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Deletes a tag's rows. Nobody asks for them once its definition is gone, so what is
    /// cached of them may grow old.
    pub(crate) fn delete_tag_rows(
        &mut self,
        partition: PartitionId,
        tag: TagId,
    ) -> Result<(), StorageError> {
        for prefix in FragmentKey::tag_prefixes(partition, tag) {
            self.delete_prefix::<Fragments>(&prefix)?;
        }
        Ok(())
    }

    /// Deletes an attribute's rows, columns and texts, as for a tag.
    pub(crate) fn delete_attribute_rows(
        &mut self,
        partition: PartitionId,
        attribute: AttributeId,
    ) -> Result<(), StorageError> {
        for prefix in FragmentKey::attribute_prefixes(partition, attribute) {
            self.delete_prefix::<Fragments>(&prefix)?;
        }
        let prefix = attribute_prefix(partition, attribute);
        self.delete_prefix::<Columns>(&prefix)?;
        self.delete_prefix::<Texts>(&prefix)
    }

    /// Deletes an attribute's dictionary.
    pub(crate) fn delete_values(&mut self, attribute: AttributeId) -> Result<(), StorageError> {
        self.delete_prefix::<Definitions>(&SchemaKey::values_prefix(attribute))
    }
}

/// Appends, and tells how many bytes.
fn append(bytes: &mut Vec<u8>, more: &[u8]) -> usize {
    bytes.extend_from_slice(more);
    more.len()
}
