//! Which tags have rules, and which tags are in a group: found without looking at every tag.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{GroupDefinition, Schema, TagDefinition};
use crate::ids::{GroupId, TagId};

/// What says who holds a tag, beside those to whom it is given.
#[derive(Debug, Clone, Copy)]
pub enum TagRule<'a> {
    /// Its own rule: a printed expression.
    Own(&'a str),
    /// The rule of its group, if the tag is one of its layers: a printed group rule.
    OfGroup(&'a GroupDefinition, &'a str),
}

/// Tags with rules of their own, groups with layers, and who is in which group. Shared pieces: a
/// copy costs as much as there are groups.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleIndex {
    tags: Arc<BTreeSet<TagId>>,
    groups: Arc<BTreeSet<GroupId>>,
    members: BTreeMap<GroupId, Arc<BTreeSet<TagId>>>,
}

impl RuleIndex {
    pub(super) fn put_tag(&mut self, tag: &TagDefinition) {
        if let Some(group) = tag.group {
            Arc::make_mut(self.members.entry(group).or_default()).insert(tag.id);
        }
        if tag.rule.is_some() {
            Arc::make_mut(&mut self.tags).insert(tag.id);
        }
    }

    pub(super) fn remove_tag(&mut self, tag: &TagDefinition) {
        if let Some(group) = tag.group
            && let Some(members) = self.members.get_mut(&group)
        {
            Arc::make_mut(members).remove(&tag.id);
            if members.is_empty() {
                self.members.remove(&group);
            }
        }
        if tag.rule.is_some() {
            Arc::make_mut(&mut self.tags).remove(&tag.id);
        }
    }

    pub(super) fn put_group(&mut self, group: &GroupDefinition) {
        match group.rule {
            Some(_) => Arc::make_mut(&mut self.groups).insert(group.id),
            None => self.remove_group(group.id),
        };
    }

    pub(super) fn remove_group(&mut self, group: GroupId) -> bool {
        self.groups.contains(&group) && Arc::make_mut(&mut self.groups).remove(&group)
    }
}

impl Schema {
    /// What says who holds a tag, beside those to whom it is given. A tag of a group with a rule
    /// need not be one of its layers.
    pub fn rule_of<'a>(&'a self, tag: &'a TagDefinition) -> Option<TagRule<'a>> {
        if let Some(rule) = &tag.rule {
            return Some(TagRule::Own(rule));
        }
        let group = self.group_by_id(tag.group?)?;
        let rule = group.rule.as_ref()?;
        Some(TagRule::OfGroup(group, rule))
    }

    /// The tags that may have a rule, by id: those with one of their own, and all of groups with
    /// layers. Looks at no others.
    pub fn ruled_tags(&self) -> impl Iterator<Item = &TagDefinition> {
        let of_groups = self.rules.groups.iter();
        let of_groups = of_groups.filter_map(|group| self.rules.members.get(group));
        let mut ids: BTreeSet<TagId> = of_groups.flat_map(|tags| tags.iter().copied()).collect();
        ids.extend(self.rules.tags.iter().copied());
        ids.into_iter().filter_map(|id| self.tag_by_id(id))
    }

    /// The tags with rules of their own, by id. Looks at no others.
    pub fn tags_with_own_rules(&self) -> impl Iterator<Item = &TagDefinition> {
        let ids = self.rules.tags.iter();
        ids.filter_map(|id| self.tag_by_id(*id))
    }

    /// The groups with layers, by id. Looks at no others.
    pub fn layered_groups(&self) -> impl Iterator<Item = &GroupDefinition> {
        let ids = self.rules.groups.iter();
        ids.filter_map(|id| self.group_by_id(*id))
    }

    /// The tags of a group, by name.
    pub fn tags_of_group(&self, group: GroupId) -> impl Iterator<Item = &TagDefinition> {
        let members = self.rules.members.get(&group);
        let members = members.into_iter().flat_map(|tags| tags.iter());
        let mut found: Vec<_> = members.filter_map(|tag| self.tag_by_id(*tag)).collect();
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found.into_iter()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

    use tessera_query_lang::name::Name;

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    fn ruled(schema: &Schema) -> Vec<&str> {
        schema.ruled_tags().map(|tag| tag.name.as_str()).collect()
    }

    fn members(schema: &Schema) -> Vec<&str> {
        let tags = schema.tags_of_group(GroupId(0));
        tags.map(|tag| tag.name.as_str()).collect()
    }

    #[test]
    fn rules_and_members_follow_definitions() {
        let mut schema = Schema::new();
        let mut tag = TagDefinition::new(TagId(0), name("a"));
        schema.put_tag(tag.clone());
        schema.put_group(GroupDefinition::new(GroupId(0), name("g")));
        assert!(ruled(&schema).is_empty() && members(&schema).is_empty());
        tag.rule = Some("ALL".to_owned());
        schema.put_tag(tag.clone());
        schema.put_tag(TagDefinition {
            group: Some(GroupId(0)),
            ..TagDefinition::new(TagId(1), name("b"))
        });
        assert_eq!(ruled(&schema), ["a"]);
        assert_eq!(members(&schema), ["b"]);
        schema.put_group(GroupDefinition {
            rule: Some("b: OTHERWISE".to_owned()),
            ..GroupDefinition::new(GroupId(0), name("g"))
        });
        assert_eq!(ruled(&schema), ["a", "b"]);
        let own: Vec<TagId> = schema.tags_with_own_rules().map(|tag| tag.id).collect();
        assert_eq!(own, [TagId(0)]);
        let layered: Vec<GroupId> = schema.layered_groups().map(|group| group.id).collect();
        assert_eq!(layered, [GroupId(0)]);
        tag.rule = None;
        tag.group = Some(GroupId(0));
        schema.put_tag(tag);
        assert_eq!(ruled(&schema), ["a", "b"]);
        assert_eq!(members(&schema), ["a", "b"]);
        schema.remove_tag(TagId(0));
        assert_eq!(members(&schema), ["b"]);
        schema.remove_group(GroupId(0));
        assert!(ruled(&schema).is_empty());
        assert_eq!(schema.layered_groups().count(), 0);
    }
}
