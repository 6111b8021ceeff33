//! What is written together: batches, and sorted files for a load.

use std::sync::Arc;

use rocksdb::{SstFileWriter, WriteBatch};

use super::{Inner, end_of_prefix};
use crate::storage::{StorageError, families::FamilyId};

/// A sorted file in the making.
pub(crate) struct SortedFile<'a> {
    pub(super) writer: SstFileWriter<'a>,
}

impl SortedFile<'_> {
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
        Ok(self.writer.put(key, value)?)
    }

    pub(crate) fn merge(&mut self, key: &[u8], operand: &[u8]) -> Result<(), StorageError> {
        Ok(self.writer.merge(key, operand)?)
    }
}

/// Changes that are written together.
pub(crate) struct Batch {
    pub(super) inner: Arc<Inner>,
    pub(super) batch: WriteBatch,
}

impl Batch {
    pub(crate) fn put(
        &mut self,
        family: FamilyId,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StorageError> {
        self.batch.put_cf(self.inner.family(family)?, key, value);
        Ok(())
    }

    pub(crate) fn delete(&mut self, family: FamilyId, key: &[u8]) -> Result<(), StorageError> {
        self.batch.delete_cf(self.inner.family(family)?, key);
        Ok(())
    }

    pub(crate) fn merge(
        &mut self,
        family: FamilyId,
        key: &[u8],
        operand: &[u8],
    ) -> Result<(), StorageError> {
        self.batch
            .merge_cf(self.inner.family(family)?, key, operand);
        Ok(())
    }

    /// Deletes all keys that begin with `prefix`, which must not be all ones.
    pub(crate) fn delete_prefix(
        &mut self,
        family: FamilyId,
        prefix: &[u8],
    ) -> Result<(), StorageError> {
        let end = end_of_prefix(prefix)
            .ok_or_else(|| StorageError::Store("a prefix of ones has no end".to_owned()))?;
        self.batch
            .delete_range_cf(self.inner.family(family)?, prefix, &end);
        Ok(())
    }
}
