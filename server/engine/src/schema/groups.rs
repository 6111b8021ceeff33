//! Groups in groups: a tree of at most [`GROUP_LEVELS_MAX`] levels.
//!
//! What is said of a group is said of everything beneath it. A user holds at most one of all the
//! tags beneath an exclusive group, whatever the groups between say.

use std::collections::BTreeSet;

use super::{Exclusivity, GroupDefinition, Schema, TagDefinition};
use crate::ids::{GroupId, TagId};

/// Levels of groups that stand in each other.
pub const GROUP_LEVELS_MAX: usize = 3;

impl Schema {
    /// A group and those it stands in, the innermost first. Ends after [`GROUP_LEVELS_MAX`] even
    /// where damaged definitions go round in a circle.
    pub fn group_path(&self, group: GroupId) -> impl Iterator<Item = &GroupDefinition> {
        let parent = |group: &&GroupDefinition| self.group_by_id(group.parent?);
        std::iter::successors(self.group_by_id(group), parent).take(GROUP_LEVELS_MAX)
    }

    /// A group and all groups beneath it. Looks at every group.
    pub fn groups_beneath(&self, group: GroupId) -> BTreeSet<GroupId> {
        self.groups
            .iter()
            .filter(|inner| self.group_path(inner.id).any(|outer| outer.id == group))
            .map(|inner| inner.id)
            .collect()
    }

    /// The tags of a group and of all groups beneath it, by name. Looks at every group.
    pub fn tags_beneath(&self, group: GroupId) -> impl Iterator<Item = &TagDefinition> {
        let groups = self.groups_beneath(group).into_iter();
        let mut found: Vec<_> = groups.flat_map(|inner| self.tags_of_group(inner)).collect();
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found.into_iter()
    }

    /// Whether a tag stands in a group, or in one beneath it.
    pub fn is_beneath(&self, tag: TagId, group: GroupId) -> bool {
        let of = self.tag_by_id(tag).and_then(|tag| tag.group);
        of.is_some_and(|of| self.group_path(of).any(|outer| outer.id == group))
    }

    /// The outermost exclusive group among a group and those it stands in: of all that is beneath
    /// it a user holds one tag.
    pub fn exclusive_around(&self, group: GroupId) -> Option<&GroupDefinition> {
        self.group_path(group)
            .filter(|group| group.exclusivity == Exclusivity::Exclusive)
            .last()
    }

    /// The group of which a user may hold only this tag, if there is one.
    pub fn exclusive_group(&self, tag: TagId) -> Option<&GroupDefinition> {
        self.exclusive_around(self.tag_by_id(tag)?.group?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use tessera_query_lang::name::Name;

    use super::*;

    fn group(
        id: u32,
        name: &str,
        parent: Option<u32>,
        exclusivity: Exclusivity,
    ) -> GroupDefinition {
        GroupDefinition {
            parent: parent.map(GroupId),
            exclusivity,
            ..GroupDefinition::new(GroupId(id), Name::new(name).unwrap())
        }
    }

    fn schema() -> Schema {
        let mut schema = Schema::new();
        schema.put_group(group(0, "value", None, Exclusivity::Exclusive));
        schema.put_group(group(1, "spend", Some(0), Exclusivity::Shared));
        schema.put_group(group(2, "bands", Some(1), Exclusivity::Exclusive));
        schema.put_group(group(3, "other", None, Exclusivity::Shared));
        for (id, name, of) in [(0, "a", 0), (1, "b", 1), (2, "c", 2), (3, "d", 3)] {
            schema.put_tag(TagDefinition {
                group: Some(GroupId(of)),
                ..TagDefinition::new(TagId(id), Name::new(name).unwrap())
            });
        }
        schema
    }

    #[test]
    fn a_group_is_all_that_is_beneath_it() {
        let schema = schema();
        let check = |group: u32, expected: &str| {
            let tags = schema.tags_beneath(GroupId(group));
            let names: String = tags.map(|tag| tag.name.as_str()).collect();
            assert_eq!(names, expected, "{group}");
        };
        check(0, "abc");
        check(1, "bc");
        check(2, "c");
        check(3, "d");
        assert!(schema.is_beneath(TagId(2), GroupId(0)));
        assert!(!schema.is_beneath(TagId(0), GroupId(1)));
    }

    #[test]
    fn the_outermost_exclusive_group_counts() {
        let mut schema = schema();
        let of = |schema: &Schema, tag| schema.exclusive_group(TagId(tag)).map(|group| group.id.0);
        assert_eq!(
            [0, 1, 2, 3].map(|tag| of(&schema, tag)),
            [Some(0), Some(0), Some(0), None]
        );
        schema.put_group(group(0, "value", None, Exclusivity::Shared));
        assert_eq!(
            [0, 1, 2, 3].map(|tag| of(&schema, tag)),
            [None, None, Some(2), None]
        );
    }

    #[test]
    fn a_circle_ends() {
        let mut schema = Schema::new();
        schema.put_group(group(0, "a", Some(1), Exclusivity::Shared));
        schema.put_group(group(1, "b", Some(0), Exclusivity::Shared));
        assert_eq!(schema.group_path(GroupId(0)).count(), GROUP_LEVELS_MAX);
        assert_eq!(schema.groups_beneath(GroupId(1)).len(), 2);
    }
}
