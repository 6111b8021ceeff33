//! What a state knows of tags as such: how large they were, and when they were asked for.

use std::collections::BTreeMap;

use crate::{
    exec::dataset::Dataset,
    ids::{PartitionId, RowId, TagId},
    storage::{
        AskedTags, SizesOfTags, StorageError, TagRun, TagSizesKey, TagsAsked, TagsAskedKey, View,
        families::{Fragments, read, scan, scan_between},
        keys::{FragmentKey, KeyFormat},
    },
};

impl View {
    /// How many users are in the row of every tag that has one. Reads all rows of tags once, past
    /// the cache: for what is done once a day.
    pub(crate) fn tag_row_sizes(&self) -> Result<BTreeMap<TagId, u64>, StorageError> {
        let mut sizes: BTreeMap<TagId, u64> = BTreeMap::new();
        for partition in (0..self.partition_count()).map(PartitionId) {
            let prefix = FragmentKey::tags_prefix(partition);
            scan::<Fragments>(self.snapshot(), &prefix, |key, fragment| {
                if let RowId::Tag(tag) = key.row {
                    *sizes.entry(tag).or_default() += fragment.cardinality();
                }
                Ok(())
            })?;
        }
        Ok(sizes)
    }

    /// How many users a tag had on the days from one to another, as far as that was noted.
    pub(crate) fn noted_sizes(
        &self,
        tag: TagId,
        first: i32,
        last: i32,
    ) -> Result<Vec<(i32, u64)>, StorageError> {
        let mut sizes = Vec::new();
        let key = |day| {
            TagSizesKey {
                run: TagRun::of(tag),
                day,
            }
            .to_bytes()
        };
        scan_between::<SizesOfTags>(self.snapshot(), &key(first), &key(last), |key, noted| {
            sizes.extend(noted.of(tag).map(|users| (key.day, users)));
            Ok(())
        })?;
        Ok(sizes)
    }

    /// The tags that were noted on one of the days from one to another.
    pub(crate) fn noted_tags(&self, first: i32, last: i32) -> Result<Vec<TagId>, StorageError> {
        let mut runs: Vec<TagRun> = self
            .schema()
            .tags_by_id()
            .map(|tag| TagRun::of(tag.id))
            .collect();
        runs.dedup();
        let mut tags = Vec::new();
        for run in runs {
            let key = |day| TagSizesKey { run, day }.to_bytes();
            scan_between::<SizesOfTags>(self.snapshot(), &key(first), &key(last), |_, noted| {
                tags.extend(noted.0.iter().map(|(tag, _)| *tag));
                Ok(())
            })?;
        }
        tags.sort_unstable();
        tags.dedup();
        Ok(tags)
    }

    /// Whether the sizes of tags were noted on a day.
    pub(crate) fn has_noted(&self, day: i32) -> Result<bool, StorageError> {
        let Some(first) = self.schema().tags_by_id().next() else {
            return Ok(true);
        };
        let run = TagRun::of(first.id);
        Ok(read::<SizesOfTags>(self.snapshot(), &TagSizesKey { run, day })?.is_some())
    }

    /// The notes of sizes from before a day.
    pub(crate) fn tag_size_days(&self, before: i32) -> Result<Vec<TagSizesKey>, StorageError> {
        let mut runs: Vec<TagRun> = Vec::new();
        let mut keys = Vec::new();
        for tag in self.schema().tags_by_id() {
            let run = TagRun::of(tag.id);
            if runs.last() != Some(&run) {
                runs.push(run);
            }
        }
        for run in runs {
            let key = |day| TagSizesKey { run, day }.to_bytes();
            let last = before.saturating_sub(1);
            scan_between::<SizesOfTags>(self.snapshot(), &key(i32::MIN), &key(last), |key, _| {
                keys.push(key);
                Ok(())
            })?;
        }
        Ok(keys)
    }

    /// When the tags of a run were last asked for.
    pub(crate) fn tags_asked_in(&self, run: TagRun) -> Result<TagsAsked, StorageError> {
        let found = read::<AskedTags>(self.snapshot(), &TagsAskedKey(run))?;
        Ok(found.unwrap_or_default())
    }

    /// When tags were last asked for, as far as that was noted.
    pub(crate) fn tags_asked(&self) -> Result<Vec<(TagId, i32)>, StorageError> {
        let mut asked = Vec::new();
        scan::<AskedTags>(self.snapshot(), &TagsAskedKey::PREFIX, |_, days| {
            asked.extend(days.0);
            Ok(())
        })?;
        Ok(asked)
    }
}
