//! Noting how large tags are, and when they were last asked for.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use crate::{
    error::Error,
    exec::dataset::Dataset,
    ids::TagId,
    storage::{
        AskedTags, Changes, SizesOfTags, TagRun, TagSizes, TagSizesKey, TagsAsked, TagsAskedKey,
        View,
    },
};

/// What is noted of tags on one day.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TagNotes {
    /// The day, counted from 1970-01-01.
    pub(crate) day: i32,
    /// How many users hold each tag; rising by tag.
    pub(crate) sizes: Vec<(TagId, u64)>,
    /// The day on which tags were last asked for, as far as that is new; rising by tag.
    pub(crate) asked: Vec<(TagId, i32)>,
    /// Sizes of days before this one are forgotten.
    pub(crate) forget_before: i32,
}

/// Writes notes down. What is known of tags that are no more goes with the days.
pub(super) fn write(view: &View, notes: &TagNotes, changes: &mut Changes) -> Result<(), Error> {
    for key in view.tag_size_days(notes.forget_before)? {
        changes.delete::<SizesOfTags>(&key)?;
    }
    let day = notes.day;
    for sizes in notes
        .sizes
        .chunk_by(|(left, _), (right, _)| TagRun::of(*left) == TagRun::of(*right))
    {
        if let Some((first, _)) = sizes.first() {
            let run = TagRun::of(*first);
            changes.put::<SizesOfTags>(&TagSizesKey { run, day }, &TagSizes(sizes.to_vec()))?;
        }
    }
    for asked in notes
        .asked
        .chunk_by(|(left, _), (right, _)| TagRun::of(*left) == TagRun::of(*right))
    {
        let Some((first, _)) = asked.first() else {
            continue;
        };
        let run = TagRun::of(*first);
        let mut days: BTreeMap<TagId, i32> = view.tags_asked_in(run)?.0.into_iter().collect();
        days.retain(|tag, _| view.schema().tag_by_id(*tag).is_some());
        for (tag, day) in asked {
            let known = days.entry(*tag).or_insert(*day);
            *known = (*known).max(*day);
        }
        let days = TagsAsked(days.into_iter().collect());
        changes.put::<AskedTags>(&TagsAskedKey(run), &days)?;
    }
    Ok(())
}
