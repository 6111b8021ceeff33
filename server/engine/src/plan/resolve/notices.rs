//! What whoever asks should know about the tags that are named: that they are on their way out,
//! or are called otherwise by now.

use std::collections::BTreeMap;

use tessera_query_lang::name::Name;

use crate::{
    ids::TagId,
    schema::{Lifecycle, TagDefinition},
};

/// Notices that are told; of more it is told how many they are.
const NOTICES_MAX: usize = 20;

/// What there is to say about the tags of one statement.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    texts: BTreeMap<(TagId, Option<Name>), String>,
    unsaid: u64,
    asked: Vec<TagId>,
}

impl Notices {
    /// Notes that a tag is named.
    pub(super) fn of_tag(&mut self, name: &Name, tag: &TagDefinition) {
        if *name != tag.name {
            let text = format!("the tag \"{name}\" is called \"{}\" now", tag.name);
            self.say((tag.id, Some(name.clone())), text);
        }
        match tag.lifecycle {
            Lifecycle::Deprecated | Lifecycle::Archived => {
                let mut text = format!("the tag \"{}\" is {}", tag.name, tag.lifecycle.word());
                if let Some(description) = &tag.notes.description {
                    text = format!("{text}: {description}");
                }
                self.say((tag.id, None), text);
            }
            Lifecycle::Draft | Lifecycle::Active => {}
        }
    }

    /// Notes that a tag is asked for, by whatever means.
    pub(super) fn of_asked(&mut self, tag: TagId) {
        self.asked.push(tag);
    }

    /// The tags that were asked for, some several times.
    pub(crate) fn asked(&self) -> &[TagId] {
        &self.asked
    }

    fn say(&mut self, about: (TagId, Option<Name>), text: String) {
        if self.texts.len() < NOTICES_MAX {
            self.texts.insert(about, text);
        } else if !self.texts.contains_key(&about) {
            self.unsaid += 1;
        }
    }

    /// As lines for people.
    pub(crate) fn into_lines(self) -> Vec<String> {
        let mut lines: Vec<String> = self.texts.into_values().collect();
        if self.unsaid > 0 {
            lines.push(format!(
                "{} more tags are deprecated, archived or called otherwise now",
                self.unsaid
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::schema::Notes;

    fn named(id: u32, name: &str, lifecycle: Lifecycle) -> TagDefinition {
        TagDefinition {
            lifecycle,
            ..TagDefinition::new(TagId(id), Name::new(name).unwrap())
        }
    }

    fn lines(tags: &[(&str, TagDefinition)]) -> Vec<String> {
        let mut notices = Notices::default();
        for (name, tag) in tags {
            notices.of_tag(&Name::new(name).unwrap(), tag);
        }
        notices.into_lines()
    }

    #[test]
    fn every_notice_is_told_once() {
        let active = named(1, "vip", Lifecycle::Active);
        let mut old = named(2, "old", Lifecycle::Deprecated);
        assert_eq!(
            lines(&[
                ("vip", active.clone()),
                ("old", old.clone()),
                ("old", old.clone())
            ]),
            ["the tag \"old\" is deprecated"]
        );
        old.notes = Notes {
            description: Some("use vip".to_owned()),
            ..Notes::default()
        };
        assert_eq!(
            lines(&[("gold", active), ("older", old)]),
            [
                "the tag \"gold\" is called \"vip\" now",
                "the tag \"old\" is deprecated: use vip",
                "the tag \"older\" is called \"old\" now",
            ]
        );
        assert!(lines(&[("d", named(3, "d", Lifecycle::Draft))]).is_empty());
    }

    #[test]
    fn many_notices_are_counted() {
        let tags: Vec<(String, TagDefinition)> = (0..30)
            .map(|id| {
                let name = format!("t{id}");
                let tag = named(id, &name, Lifecycle::Archived);
                (name, tag)
            })
            .collect();
        let tags: Vec<(&str, TagDefinition)> = tags
            .iter()
            .map(|(name, tag)| (name.as_str(), tag.clone()))
            .collect();
        let lines = lines(&tags);
        assert_eq!(lines.len(), NOTICES_MAX + 1);
        assert!(lines[NOTICES_MAX].starts_with("10 more tags"));
    }
}
