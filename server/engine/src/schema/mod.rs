//! The definitions: tags, groups, attributes, saved segments, and the values of enum and multi
//! attributes.
//!
//! Knows names, ids and types, and how a stored value reads. Does not know who holds what, nor
//! where definitions are stored, nor whether a change is allowed.

mod definition;
mod dictionary;
mod groups;
mod naming;
mod registry;
mod render;
mod rules;

use std::{collections::BTreeMap, sync::Arc};

use tessera_query_lang::{ast::INVITED_BY, name::Glob};

pub use definition::{
    AttributeClass, AttributeDefinition, AttributeKind, Blocking, DECIMAL_SCALE_MAX,
    EventDefinition, Exclusivity, FormDefinition, GroupDefinition, Lifecycle, Mutability, Notes,
    OnRetag, SegmentDefinition, TagDefinition, Timing, Validity, Vocabulary,
};
pub use dictionary::Dictionary;
pub use groups::GROUP_LEVELS_MAX;
pub use naming::{Labelled, Naming, NamingError};
pub use registry::{Definition, Registry};
pub use rules::TagRule;
pub use tessera_query_lang::name::NameError;

use crate::ids::{AttributeId, EventId, FormId, GroupId, SegmentId, TagId, ValueCode};

/// The texts of a boolean's two values, by code.
const BOOLEAN_TEXTS: [&str; 2] = ["false", "true"];

/// All definitions of one moment. Shared by [`Arc`]; a copy shares what it does not change.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    tags: Registry<TagDefinition>,
    /// The tags that have other names now. Few, so that a copy for a change is cheap.
    former_tags: Arc<BTreeMap<Arc<str>, TagId>>,
    groups: Registry<GroupDefinition>,
    attributes: Registry<AttributeDefinition>,
    segments: Registry<SegmentDefinition>,
    dictionaries: BTreeMap<AttributeId, Arc<Dictionary>>,
    events: Registry<EventDefinition>,
    properties: BTreeMap<AttributeId, EventId>,
    forms: Registry<FormDefinition>,
    rules: rules::RuleIndex,
}

impl Schema {
    /// No definitions.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tag with this (normalised) name.
    pub fn tag(&self, name: &str) -> Option<&TagDefinition> {
        self.tags.by_name(name)
    }

    /// The tag with this (normalised) name, or that had it before.
    pub fn tag_called(&self, name: &str) -> Option<&TagDefinition> {
        self.tag(name).or_else(|| self.tag_formerly(name))
    }

    /// The tag that had this (normalised) name before.
    pub fn tag_formerly(&self, name: &str) -> Option<&TagDefinition> {
        self.tag_by_id(*self.former_tags.get(name)?)
    }

    /// The tag with this id.
    pub fn tag_by_id(&self, id: TagId) -> Option<&TagDefinition> {
        self.tags.by_id(id.0)
    }

    /// Whether a tag's row alone does not tell who holds it.
    pub fn is_timed(&self, id: TagId) -> bool {
        self.tag_by_id(id)
            .is_some_and(|tag| tag.timing == Timing::Timed)
    }

    /// All tags by name. Sorts them: not for the hot path.
    pub fn tags(&self) -> impl Iterator<Item = &TagDefinition> {
        self.tags.by_names()
    }

    /// All tags by id.
    pub fn tags_by_id(&self) -> impl Iterator<Item = &TagDefinition> {
        self.tags.iter()
    }

    /// The tags whose name matches, by name.
    pub fn tags_matching(&self, glob: &Glob) -> Vec<&TagDefinition> {
        let mut found: Vec<_> = self
            .tags
            .iter()
            .filter(|tag| glob.matches(tag.name.as_str()))
            .collect();
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The group with this (normalised) name.
    pub fn group(&self, name: &str) -> Option<&GroupDefinition> {
        self.groups.by_name(name)
    }

    /// The group with this id.
    pub fn group_by_id(&self, id: GroupId) -> Option<&GroupDefinition> {
        self.groups.by_id(id.0)
    }

    /// All groups by name.
    pub fn groups(&self) -> impl Iterator<Item = &GroupDefinition> {
        self.groups.by_names()
    }

    /// The attribute with this (normalised) name.
    pub fn attribute(&self, name: &str) -> Option<&AttributeDefinition> {
        self.attributes.by_name(name)
    }

    /// The attribute with this (normalised) name, to be kept beside a schema that changes.
    pub(crate) fn shared_attribute(&self, name: &str) -> Option<Arc<AttributeDefinition>> {
        self.attributes.shared_by_name(name)
    }

    /// The attribute with this id.
    pub fn attribute_by_id(&self, id: AttributeId) -> Option<&AttributeDefinition> {
        self.attributes.by_id(id.0)
    }

    /// The attribute that says who invited whom, where there is one.
    pub fn inviter(&self) -> Option<AttributeId> {
        let named = self.attribute(INVITED_BY);
        named
            .filter(|attribute| attribute.kind == AttributeKind::Inviter)
            .map(|attribute| attribute.id)
    }

    /// All attributes by name.
    pub fn attributes(&self) -> impl Iterator<Item = &AttributeDefinition> {
        self.attributes.by_names()
    }

    /// All attributes by id.
    pub fn attributes_by_id(&self) -> impl Iterator<Item = &AttributeDefinition> {
        self.attributes.iter()
    }

    /// The saved segment with this (normalised) name.
    pub fn segment(&self, name: &str) -> Option<&SegmentDefinition> {
        self.segments.by_name(name)
    }

    /// The saved segment with this id.
    pub fn segment_by_id(&self, id: SegmentId) -> Option<&SegmentDefinition> {
        self.segments.by_id(id.0)
    }

    /// All saved segments by name.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentDefinition> {
        self.segments.by_names()
    }

    /// The kind of event with this (normalised) name.
    pub fn event(&self, name: &str) -> Option<&EventDefinition> {
        self.events.by_name(name)
    }

    /// The kind of event with this (normalised) name, to be kept beside a schema that changes.
    pub(crate) fn shared_event(&self, name: &str) -> Option<Arc<EventDefinition>> {
        self.events.shared_by_name(name)
    }

    /// The kind of event with this id.
    pub fn event_by_id(&self, id: EventId) -> Option<&EventDefinition> {
        self.events.by_id(id.0)
    }

    /// All kinds of events by name.
    pub fn events(&self) -> impl Iterator<Item = &EventDefinition> {
        self.events.by_names()
    }

    /// All kinds of events by id.
    pub fn events_by_id(&self) -> impl Iterator<Item = &EventDefinition> {
        self.events.iter()
    }

    /// How many kinds of events there are.
    pub fn event_count(&self) -> u32 {
        self.events.len()
    }

    /// The id that the next new kind of event gets.
    pub fn next_event_id(&self) -> EventId {
        EventId(self.events.next_id())
    }

    /// Keeps ids of kinds of events below this one from being given again.
    pub fn reserve_event_ids(&mut self, events: EventId) {
        self.events.reserve_ids(events.0);
    }

    /// Adds a kind of event, or replaces the one with its id.
    pub fn put_event(&mut self, event: EventDefinition) {
        for property in &event.properties {
            self.attributes.reserve_ids(property.id.0.saturating_add(1));
            self.properties.insert(property.id, event.id);
        }
        self.events.put(event);
    }

    /// Takes a kind of event away, and its properties' values.
    pub fn remove_event(&mut self, id: EventId) {
        let of_event = self.properties.iter().filter(|(_, event)| **event == id);
        let properties: Vec<AttributeId> = of_event.map(|(property, _)| *property).collect();
        for property in properties {
            self.properties.remove(&property);
            self.dictionaries.remove(&property);
        }
        self.events.remove(id.0);
    }

    /// The property of a kind of event with this id.
    pub fn property_by_id(&self, id: AttributeId) -> Option<&AttributeDefinition> {
        let event = self.event_by_id(*self.properties.get(&id)?)?;
        let mut properties = event.properties.iter();
        properties
            .find(|property| property.id == id)
            .map(AsRef::as_ref)
    }

    /// The form with this (normalised) name.
    pub fn form(&self, name: &str) -> Option<&FormDefinition> {
        self.forms.by_name(name)
    }

    /// All forms by name.
    pub fn forms(&self) -> impl Iterator<Item = &FormDefinition> {
        self.forms.by_names()
    }

    /// How many forms there are.
    pub fn form_count(&self) -> u32 {
        self.forms.len()
    }

    /// The id that the next new form gets.
    pub fn next_form_id(&self) -> FormId {
        FormId(self.forms.next_id())
    }

    /// Adds a form, or replaces the one with its id.
    pub fn put_form(&mut self, form: FormDefinition) {
        self.forms.put(form);
    }

    /// Takes a form away.
    pub fn remove_form(&mut self, id: FormId) {
        self.forms.remove(id.0);
    }

    /// How many tags there are.
    pub fn tag_count(&self) -> u32 {
        self.tags.len()
    }

    /// How many groups there are.
    pub fn group_count(&self) -> u32 {
        self.groups.len()
    }

    /// How many attributes there are.
    pub fn attribute_count(&self) -> u32 {
        self.attributes.len()
    }

    /// How many saved segments there are.
    pub fn segment_count(&self) -> u32 {
        self.segments.len()
    }

    /// The code of a value of an enum, multi or boolean.
    pub fn value_code(&self, attribute: AttributeId, text: &str) -> Option<ValueCode> {
        if self.is_boolean(attribute) {
            return (0u32..)
                .zip(BOOLEAN_TEXTS)
                .find(|(_, known)| *known == text)
                .map(|(code, _)| ValueCode(code));
        }
        self.dictionaries.get(&attribute)?.code(text)
    }

    /// The value with this code of an enum, multi or boolean.
    pub fn value_text(&self, attribute: AttributeId, code: ValueCode) -> Option<&str> {
        if self.is_boolean(attribute) {
            return BOOLEAN_TEXTS.get(code.0 as usize).copied();
        }
        self.dictionaries.get(&attribute)?.text(code)
    }

    /// How many values an enum, multi or boolean has had so far; their codes are 0 to one less.
    pub fn value_count(&self, attribute: AttributeId) -> u32 {
        if self.is_boolean(attribute) {
            return 2;
        }
        self.dictionaries
            .get(&attribute)
            .map_or(0, |dictionary| dictionary.len())
    }

    /// The values of an enum, multi or boolean, by code.
    pub fn values(&self, attribute: AttributeId) -> impl Iterator<Item = (ValueCode, &str)> {
        (0..self.value_count(attribute)).filter_map(move |code| {
            let code = ValueCode(code);
            self.value_text(attribute, code).map(|text| (code, text))
        })
    }

    fn is_boolean(&self, attribute: AttributeId) -> bool {
        self.attribute_by_id(attribute)
            .or_else(|| self.property_by_id(attribute))
            .is_some_and(|definition| definition.kind == AttributeKind::Boolean)
    }

    /// The id that the next new tag gets.
    pub fn next_tag_id(&self) -> TagId {
        TagId(self.tags.next_id())
    }

    /// The id that the next new group gets.
    pub fn next_group_id(&self) -> GroupId {
        GroupId(self.groups.next_id())
    }

    /// The id that the next new attribute gets.
    pub fn next_attribute_id(&self) -> AttributeId {
        AttributeId(self.attributes.next_id())
    }

    /// The id that the next new segment gets.
    pub fn next_segment_id(&self) -> SegmentId {
        SegmentId(self.segments.next_id())
    }

    /// Keeps ids below these from being given again.
    pub fn reserve_ids(
        &mut self,
        tags: TagId,
        groups: GroupId,
        attributes: AttributeId,
        segments: SegmentId,
    ) {
        self.tags.reserve_ids(tags.0);
        self.groups.reserve_ids(groups.0);
        self.attributes.reserve_ids(attributes.0);
        self.segments.reserve_ids(segments.0);
    }

    /// Adds a tag, or replaces the one with its id.
    pub fn put_tag(&mut self, tag: TagDefinition) {
        self.forget_former_names(tag.id);
        if !tag.aliases.is_empty() {
            let former = Arc::make_mut(&mut self.former_tags);
            former.extend(
                tag.aliases
                    .iter()
                    .map(|name| (name.as_str().into(), tag.id)),
            );
        }
        if let Some(before) = self.tags.by_id(tag.id.0) {
            self.rules.remove_tag(before);
        }
        self.rules.put_tag(&tag);
        self.tags.put(tag);
    }

    fn forget_former_names(&mut self, id: TagId) {
        let Some(tag) = self.tags.by_id(id.0).filter(|tag| !tag.aliases.is_empty()) else {
            return;
        };
        let former = Arc::make_mut(&mut self.former_tags);
        for alias in &tag.aliases {
            if former.get(alias.as_str()) == Some(&id) {
                former.remove(alias.as_str());
            }
        }
    }

    /// Adds a group, or replaces the one with its id.
    pub fn put_group(&mut self, group: GroupDefinition) {
        self.rules.put_group(&group);
        self.groups.put(group);
    }

    /// Adds an attribute, or replaces the one with its id.
    pub fn put_attribute(&mut self, attribute: AttributeDefinition) {
        self.attributes.put(attribute);
    }

    /// Adds a saved segment, or replaces the one with its id.
    pub fn put_segment(&mut self, segment: SegmentDefinition) {
        self.segments.put(segment);
    }

    /// Takes a tag away.
    pub fn remove_tag(&mut self, id: TagId) {
        self.forget_former_names(id);
        if let Some(before) = self.tags.by_id(id.0) {
            self.rules.remove_tag(before);
        }
        self.tags.remove(id.0);
    }

    /// Takes a group away.
    pub fn remove_group(&mut self, id: GroupId) {
        self.rules.remove_group(id);
        self.groups.remove(id.0);
    }

    /// Takes an attribute away, and its values.
    pub fn remove_attribute(&mut self, id: AttributeId) {
        self.attributes.remove(id.0);
        self.dictionaries.remove(&id);
    }

    /// Takes a saved segment away.
    pub fn remove_segment(&mut self, id: SegmentId) {
        self.segments.remove(id.0);
    }

    /// The code of an enum's or multi's value; a new one at the end when it is new.
    pub fn add_value(&mut self, attribute: AttributeId, text: &str) -> ValueCode {
        Arc::make_mut(self.dictionaries.entry(attribute).or_default()).add(text)
    }
}

#[cfg(test)]
mod tests;
