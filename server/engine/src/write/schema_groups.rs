//! Groups: defined, changed, and put into each other.

use tessera_query_lang::{
    ast::{AlterGroup, DefineGroup, GroupChange, RuleChange, Span, Spanned},
    name::Name,
};

use super::{
    schema_change::{Planned, Planner, refuse},
    schema_names::{Kind, check_notes, find},
};
use crate::{
    error::Error,
    ids::{GroupId, TagId},
    schema::{Exclusivity, GROUP_LEVELS_MAX, GroupDefinition, Notes, Schema, TagDefinition},
    storage::{SchemaKey, StoredDefinition},
    write::{LimitError, RuleRefusal, SchemaErrorKind, exclusive},
};

impl Planner<'_> {
    pub(super) fn group(&self, name: &Spanned<Name>) -> Result<&GroupDefinition, Error> {
        find(self.schema, Kind::Group, name, |schema, name| {
            schema.group(name)
        })
    }

    /// A group that one more tag may stand in.
    pub(super) fn group_with_room(&self, name: &Spanned<Name>) -> Result<&GroupDefinition, Error> {
        let group = self.group(name)?;
        self.check_room(group, 1)?;
        Ok(group)
    }

    /// Refuses a group more tags than may stand in it.
    pub(super) fn check_room(&self, group: &GroupDefinition, more: usize) -> Result<(), Error> {
        let max = self.limits.group_tags_max;
        let tags = self.schema.tags_of_group(group.id).count();
        if more == 0 || tags + more <= max as usize {
            return Ok(());
        }
        let group = group.name.to_string();
        Err(LimitError::GroupTags { group, max }.into())
    }

    pub(super) fn define_group(&self, define: &DefineGroup) -> Result<Planned, Error> {
        let notes = check_notes(&Notes::default(), &define.notes)?;
        let id = self.schema.next_group_id();
        let mut group = GroupDefinition {
            exclusivity: define.exclusivity,
            notes,
            ..GroupDefinition::new(id, define.name.node.clone())
        };
        if let Some(parent) = &define.parent {
            group.parent = Some(self.place_beneath(&group, parent)?);
        }
        if let Some(rule) = &define.rule {
            return self.put_layers(&mut group, rule, define.name.span);
        }
        Ok(put_group(&group))
    }

    pub(super) fn alter_group(&self, alter: &AlterGroup) -> Result<Planned, Error> {
        let span = alter.name.span;
        let mut group = self.group(&alter.name)?.clone();
        group.notes = check_notes(&group.notes, &alter.notes)?;
        if alter.rule == Some(RuleChange::Out) {
            group.rule = None;
        }
        self.move_group(&mut group, alter.parent.as_ref())?;
        if let Some(RuleChange::Into(rule)) = &alter.rule {
            if alter.exclusivity == Some(Exclusivity::Shared) {
                let group = group.name.to_string();
                let refusal = RuleRefusal::Shared { group };
                return Err(refuse(SchemaErrorKind::Rule(refusal), span));
            }
            if group.exclusivity == Exclusivity::Shared {
                self.check_exclusive(&group, [], span)?;
            }
            return self.put_layers(&mut group, rule, span);
        }
        if let Some(exclusivity) = alter.exclusivity {
            self.check_exclusivity(&group, exclusivity, span)?;
            if exclusivity == Exclusivity::Exclusive && group.exclusivity == Exclusivity::Shared {
                self.check_exclusive(&group, [], span)?;
            }
            group.exclusivity = exclusivity;
        }
        let mut changed = Schema::clone(self.schema);
        changed.put_group(group.clone());
        self.check_moved_group(&changed, &group, span)?;
        Ok(put_group(&group))
    }

    /// Puts a group into another one, or to the top. Whether rules need themselves there is to be
    /// found out when it is known which rule it has.
    fn move_group(
        &self,
        group: &mut GroupDefinition,
        change: Option<&GroupChange>,
    ) -> Result<(), Error> {
        match change {
            Some(GroupChange::Into(parent)) => {
                let outer = self.place_beneath(group, parent)?;
                if let Some(exclusive) = self.schema.exclusive_around(outer) {
                    let beneath = self.schema.tags_beneath(group.id).map(|tag| tag.id);
                    self.check_exclusive(exclusive, beneath, parent.span)?;
                    self.check_rules_beneath(group, exclusive, parent.span)?;
                }
                group.parent = Some(outer);
            }
            Some(GroupChange::Out) => group.parent = None,
            None => {}
        }
        Ok(())
    }

    /// The group that another one is put into; refuses circles, and too many levels.
    fn place_beneath(
        &self,
        group: &GroupDefinition,
        parent: &Spanned<Name>,
    ) -> Result<GroupId, Error> {
        let outer = self.group(parent)?;
        let above: Vec<&GroupDefinition> = self.schema.group_path(outer.id).collect();
        let mut way: Vec<&str> = above
            .iter()
            .rev()
            .map(|group| group.name.as_str())
            .collect();
        way.push(group.name.as_str());
        if let Some(place) = above.iter().position(|outer| outer.id == group.id) {
            // From the group itself down to itself.
            let way = way.split_off(above.len() - 1 - place).join(" → ");
            return Err(refuse(SchemaErrorKind::GroupCycle(way), parent.span));
        }
        let below = self.deepest_beneath(group.id);
        way.extend(below.iter().map(|group| group.name.as_str()));
        if way.len() > GROUP_LEVELS_MAX {
            let kind = SchemaErrorKind::GroupLevels {
                way: way.join(" → "),
                max: GROUP_LEVELS_MAX,
            };
            return Err(refuse(kind, parent.span));
        }
        Ok(outer.id)
    }

    /// The longest way of groups down from a group, which is not part of it.
    fn deepest_beneath(&self, group: GroupId) -> Vec<&GroupDefinition> {
        let way_to = |inner: &GroupId| -> Vec<&GroupDefinition> {
            let path = self.schema.group_path(*inner);
            let mut way: Vec<_> = path.take_while(|outer| outer.id != group).collect();
            way.reverse();
            way
        };
        let beneath = self.schema.groups_beneath(group);
        let ways = beneath.iter().map(way_to);
        ways.max_by_key(Vec::len).unwrap_or_default()
    }

    /// Refuses a tag to stand in a group while somebody holds it and one that excludes it.
    pub(super) fn check_joins(
        &self,
        tag: &TagDefinition,
        group: &GroupDefinition,
        span: Span,
    ) -> Result<(), Error> {
        match self.schema.exclusive_around(group.id) {
            Some(exclusive) => self.check_exclusive(exclusive, [tag.id], span),
            None => Ok(()),
        }
    }

    /// Refuses a group to be exclusive while somebody holds two of the tags beneath it and those
    /// that join.
    fn check_exclusive(
        &self,
        group: &GroupDefinition,
        join: impl IntoIterator<Item = TagId>,
        span: Span,
    ) -> Result<(), Error> {
        let members = self.schema.tags_beneath(group.id).map(|tag| tag.id);
        let mut tags: Vec<TagId> = members.collect();
        for tag in join {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        self.check_none_holds_two(group, &tags, span)
    }

    /// Refuses tags of an exclusive group of which somebody holds two.
    pub(super) fn check_none_holds_two(
        &self,
        group: &GroupDefinition,
        tags: &[TagId],
        span: Span,
    ) -> Result<(), Error> {
        let Some(double) = exclusive::find_double(self.view, tags, self.now_s())? else {
            return Ok(());
        };
        let name = |tag| {
            self.schema
                .tag_by_id(tag)
                .map(|tag| tag.name.to_string())
                .unwrap_or_default()
        };
        let (first, second) = (name(double.first), name(double.second));
        let kind = SchemaErrorKind::HoldsTwo {
            group: group.name.to_string(),
            user: double.user,
            first,
            second,
        };
        Err(refuse(kind, span))
    }
}

fn put_group(group: &GroupDefinition) -> Planned {
    Planned::put(
        SchemaKey::Group(group.id),
        StoredDefinition::of_group(group),
    )
}
