//! How many users held each tag, day by day, and when each was last asked for.
//!
//! A value is about a run of tags: of a hundred thousand tags a day is a hundred values, and the
//! days of one tag are read without those of most others.

use bincode::{Decode, Encode};

use crate::{
    ids::TagId,
    storage::{
        families::{Family, FamilyId},
        keys::{FormatError, KeyFormat},
    },
};

/// Consecutive ids of one value.
const RUN_TAGS: u32 = 1024;

const KIND_SIZES: u8 = 0;
const KIND_ASKED: u8 = 1;

/// A run of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TagRun(u32);

impl TagRun {
    /// The one that a tag is in.
    pub(crate) fn of(tag: TagId) -> Self {
        Self(tag.0 / RUN_TAGS)
    }
}

/// The sizes of a run of tags on a day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TagSizesKey {
    pub(crate) run: TagRun,
    pub(crate) day: i32,
}

/// When the tags of a run were last asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TagsAskedKey(pub(crate) TagRun);

impl TagsAskedKey {
    /// What all keys begin with.
    pub(crate) const PREFIX: [u8; 1] = [KIND_ASKED];
}

/// The bit of the sign is turned, so that the order of bytes is the order of days.
fn rising(day: i32) -> u32 {
    day.cast_unsigned() ^ 1 << 31
}

impl KeyFormat<'_> for TagSizesKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.push(KIND_SIZES);
        out.extend_from_slice(&self.run.0.to_be_bytes());
        out.extend_from_slice(&rising(self.day).to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        match bytes {
            [KIND_SIZES, a, b, c, d, e, f, g, h] => {
                let day = u32::from_be_bytes([*e, *f, *g, *h]) ^ 1 << 31;
                Ok(Self {
                    run: TagRun(u32::from_be_bytes([*a, *b, *c, *d])),
                    day: day.cast_signed(),
                })
            }
            _ => Err(FormatError::new("not a run of tags and a day")),
        }
    }
}

impl KeyFormat<'_> for TagsAskedKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.push(KIND_ASKED);
        out.extend_from_slice(&self.0.0.to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        match bytes {
            [KIND_ASKED, a, b, c, d] => Ok(Self(TagRun(u32::from_be_bytes([*a, *b, *c, *d])))),
            _ => Err(FormatError::new("not a run of tags")),
        }
    }
}

/// Users of each tag, rising by tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TagSizes(pub(crate) Vec<(TagId, u64)>);

impl TagSizes {
    /// How many users a tag had, if it was noted.
    pub(crate) fn of(&self, tag: TagId) -> Option<u64> {
        let place = self.0.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
        self.0.get(place).map(|(_, users)| *users)
    }
}

/// The day, counted from 1970-01-01, on which each tag was last asked for; rising by tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TagsAsked(pub(crate) Vec<(TagId, i32)>);

/// How many users tags had.
pub(crate) struct SizesOfTags;

impl Family for SizesOfTags {
    const ID: FamilyId = FamilyId::TagSizes;
    type Key<'a> = TagSizesKey;
    type Value = TagSizes;
}

/// When tags were last asked for.
pub(crate) struct AskedTags;

impl Family for AskedTags {
    const ID: FamilyId = FamilyId::TagSizes;
    type Key<'a> = TagsAskedKey;
    type Value = TagsAsked;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_tags_and_days() {
        let key = |tag, day| TagSizesKey {
            run: TagRun::of(TagId(tag)),
            day,
        };
        let keys = [key(0, -1), key(1023, 0), key(1024, -5), key(70_000, 3)];
        assert!(keys.is_sorted_by_key(KeyFormat::to_bytes));
        for key in keys {
            assert_eq!(TagSizesKey::read_from(&key.to_bytes()).ok(), Some(key));
        }
        let asked = TagsAskedKey(TagRun::of(TagId(70_000)));
        assert_eq!(TagsAskedKey::read_from(&asked.to_bytes()).ok(), Some(asked));
        assert!(TagSizesKey::read_from(&asked.to_bytes()).is_err());
        assert!(TagsAskedKey::read_from(&key(1, 1).to_bytes()).is_err());
    }
}
