//! Changes of the store, typed, that are written together.

use crate::{
    bitmap::FragmentDelta,
    column::ColumnDelta,
    ids::{AttributeId, PartitionId, TagId},
    storage::{
        StorageError,
        cache::CacheKey,
        families::{Columns, Definitions, Family, Fragments, Texts, damaged_at},
        formats::ValueFormat,
        keys::{ColumnKey, FragmentKey, KeyFormat, SchemaKey, attribute_prefix},
        rocks::{Batch, Rocks},
    },
};

/// A batch in the making.
pub(crate) struct Changes {
    batch: Batch,
    touched: Vec<CacheKey>,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Changes {
    pub(crate) fn new(rocks: &Rocks) -> Self {
        Self {
            batch: rocks.batch(),
            touched: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The fragments and columns that change.
    pub(crate) fn take_touched(&mut self) -> Vec<CacheKey> {
        std::mem::take(&mut self.touched)
    }

    pub(crate) fn into_batch(self) -> Batch {
        self.batch
    }

    pub(crate) fn put<F: Family>(
        &mut self,
        key: &F::Key<'_>,
        value: &F::Value,
    ) -> Result<(), StorageError> {
        self.key.clear();
        key.write_to(&mut self.key);
        self.value.clear();
        value
            .write_to(&mut self.value)
            .map_err(|error| damaged_at(F::ID, &self.key, error))?;
        self.batch.put(F::ID, &self.key, &self.value)
    }

    pub(crate) fn delete<F: Family>(&mut self, key: &F::Key<'_>) -> Result<(), StorageError> {
        self.key.clear();
        key.write_to(&mut self.key);
        self.batch.delete(F::ID, &self.key)
    }

    pub(crate) fn merge_fragment(
        &mut self,
        key: FragmentKey,
        delta: &FragmentDelta,
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Fragment(key));
        self.key.clear();
        key.write_to(&mut self.key);
        self.batch.merge(Fragments::ID, &self.key, &delta.encode())
    }

    pub(crate) fn merge_column(
        &mut self,
        key: ColumnKey,
        delta: &ColumnDelta,
    ) -> Result<(), StorageError> {
        self.touched.push(CacheKey::Column(key));
        self.key.clear();
        key.write_to(&mut self.key);
        self.batch.merge(Columns::ID, &self.key, &delta.encode())
    }

    /// Deletes a tag's rows. Nobody asks for them once its definition is gone, so what is
    /// cached of them may grow old.
    pub(crate) fn delete_tag_rows(
        &mut self,
        partition: PartitionId,
        tag: TagId,
    ) -> Result<(), StorageError> {
        self.batch
            .delete_prefix(Fragments::ID, &FragmentKey::tag_prefix(partition, tag))
    }

    /// Deletes an attribute's rows, columns and texts, as for a tag.
    pub(crate) fn delete_attribute_rows(
        &mut self,
        partition: PartitionId,
        attribute: AttributeId,
    ) -> Result<(), StorageError> {
        for prefix in FragmentKey::attribute_prefixes(partition, attribute) {
            self.batch.delete_prefix(Fragments::ID, &prefix)?;
        }
        let prefix = attribute_prefix(partition, attribute);
        self.batch.delete_prefix(Columns::ID, &prefix)?;
        self.batch.delete_prefix(Texts::ID, &prefix)
    }

    /// Deletes an attribute's dictionary.
    pub(crate) fn delete_values(&mut self, attribute: AttributeId) -> Result<(), StorageError> {
        self.batch
            .delete_prefix(Definitions::ID, &SchemaKey::values_prefix(attribute))
    }
}
