//! A user's record: the truth from which rows, columns and texts can be derived.

use bincode::{Decode, Encode};

use crate::{
    ids::{AttributeId, TagId, ValueCode},
    storage::holding::{Holding, Source, Term},
};

/// All that is stored of a user. Ids of dropped definitions may linger: readers skip what the
/// schema does not know.
#[derive(Debug, Clone, Default)]
pub struct UserRecord {
    /// The values, by attribute id, each at most once.
    pub values: Vec<(AttributeId, StoredValue)>,
    /// The tags, by id, each at most once: also those whose holding ended or has yet to start.
    pub tags: Vec<TagId>,
    /// How they are held.
    pub terms: Terms,
}

/// How the tags of a record are held: nearly always alike, so what is alike is kept once.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The holding of every tag that is not listed.
    pub(super) common: Common,
    /// Tags that are held otherwise, by id.
    pub(super) special: Vec<(TagId, Holding)>,
    /// Tags that were taken by hand against their rules, by id, each at most once.
    pub(super) blocked: Vec<TagId>,
}

/// A standing holding that tags have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Common {
    /// On whose word.
    pub source: Source,
    /// Since which second, where that is known.
    pub since_s: Option<i64>,
}

impl Common {
    /// As a holding.
    pub fn holding(self) -> Holding {
        Holding::standing(self.source, self.since_s)
    }

    /// What a holding may have in common with others.
    pub(super) fn of(holding: Holding) -> Option<Self> {
        match holding.term {
            Term::Standing { since_s } => Some(Self {
                source: holding.source,
                since_s,
            }),
            Term::Timed { .. } => None,
        }
    }
}

impl From<Common> for Terms {
    /// All alike.
    fn from(common: Common) -> Self {
        Self {
            common,
            special: Vec::new(),
            blocked: Vec::new(),
        }
    }
}

impl Terms {
    /// How a tag of the record is held.
    fn of(&self, tag: TagId) -> Holding {
        let place = self.special.binary_search_by_key(&tag, |(tag, _)| *tag);
        let special = place.ok().and_then(|place| self.special.get(place));
        special.map_or(self.common.holding(), |(_, holding)| *holding)
    }

    /// Says how a tag is held that is otherwise held as most are.
    fn set(&mut self, tag: TagId, holding: Holding) {
        let is_common = self.common.holding() == holding;
        match self.special.binary_search_by_key(&tag, |(tag, _)| *tag) {
            Ok(place) if is_common => drop(self.special.remove(place)),
            Ok(place) => self.special[place].1 = holding,
            Err(_) if is_common => {}
            Err(place) => self.special.insert(place, (tag, holding)),
        }
    }

    /// Whether all is as the others have in common.
    pub(crate) fn is_common(&self, other: &Self) -> bool {
        self.special.is_empty() && self.blocked.is_empty() && self.common == other.common
    }

    /// The timed holdings, by tag: since when, and until when if they end.
    pub(crate) fn timed(&self) -> impl Iterator<Item = (TagId, i64, Option<i64>)> + '_ {
        let timed = |(tag, holding): &(TagId, Holding)| match holding.term {
            Term::Timed { since_s, until_s } => Some((*tag, since_s, until_s)),
            Term::Standing { .. } => None,
        };
        self.special.iter().filter_map(timed)
    }

    fn forget(&mut self, tag: TagId) {
        if let Ok(place) = self.special.binary_search_by_key(&tag, |(tag, _)| *tag) {
            self.special.remove(place);
        }
    }
}

impl PartialEq for UserRecord {
    fn eq(&self, other: &Self) -> bool {
        let alike = || self.terms.special.is_empty() && other.terms.special.is_empty();
        self.values == other.values
            && self.tags == other.tags
            && self.terms.blocked == other.terms.blocked
            && (alike() && self.terms.common == other.terms.common
                || self.holdings().eq(other.holdings()))
    }
}

impl Eq for UserRecord {}

/// A value as it is stored. Which variant an attribute has follows from its type.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum StoredValue {
    /// Enum, boolean.
    Code(ValueCode),
    /// Multi: sorted, each at most once, at least one.
    Codes(Vec<ValueCode>),
    /// Integer; decimal in units of its scale; date in days; timestamp in microseconds.
    Number(i64),
    /// Text, user.
    Text(String),
}

impl UserRecord {
    /// The value of an attribute.
    pub fn value(&self, attribute: AttributeId) -> Option<&StoredValue> {
        let place = self
            .values
            .binary_search_by_key(&attribute, |(id, _)| *id)
            .ok()?;
        self.values.get(place).map(|(_, value)| value)
    }

    /// Sets or (`None`) clears a value; gives the one before.
    pub fn set_value(
        &mut self,
        attribute: AttributeId,
        value: Option<StoredValue>,
    ) -> Option<StoredValue> {
        match (
            self.values.binary_search_by_key(&attribute, |(id, _)| *id),
            value,
        ) {
            (Ok(place), Some(value)) => Some(std::mem::replace(&mut self.values[place].1, value)),
            (Ok(place), None) => Some(self.values.remove(place).1),
            (Err(place), Some(value)) => {
                self.values.insert(place, (attribute, value));
                None
            }
            (Err(_), None) => None,
        }
    }

    /// Whether the user holds a tag.
    pub fn has_tag(&self, tag: TagId) -> bool {
        self.tags.binary_search(&tag).is_ok()
    }

    /// How a tag is held, if the record has it.
    pub fn holding(&self, tag: TagId) -> Option<Holding> {
        self.has_tag(tag).then(|| self.terms.of(tag))
    }

    /// All tags, rising, and how they are held.
    pub fn holdings(&self) -> impl Iterator<Item = (TagId, Holding)> + '_ {
        let mut special = self.terms.special.iter().peekable();
        self.tags.iter().map(move |&tag| {
            while special.next_if(|(listed, _)| *listed < tag).is_some() {}
            let listed = special.next_if(|(listed, _)| *listed == tag);
            let holding = listed.map_or(self.terms.common.holding(), |(_, holding)| *holding);
            (tag, holding)
        })
    }

    /// The tags that are held in a second, rising.
    pub fn tags_at(&self, at_s: i64) -> impl Iterator<Item = TagId> + '_ {
        let in_effect = move |(_, holding): &(TagId, Holding)| holding.is_in_effect(at_s);
        self.holdings().filter(in_effect).map(|(tag, _)| tag)
    }

    /// Whether a tag is held in a second.
    pub fn holds(&self, tag: TagId, at_s: i64) -> bool {
        self.holding(tag)
            .is_some_and(|holding| holding.is_in_effect(at_s))
    }

    /// The timed holdings, by tag: since when, and until when if they end.
    pub fn timed(&self) -> impl Iterator<Item = (TagId, i64, Option<i64>)> + '_ {
        self.terms.timed()
    }

    /// Gives a tag, or changes how it is held.
    pub fn hold(&mut self, tag: TagId, holding: Holding) {
        if self.tags.is_empty()
            && let Some(common) = Common::of(holding)
        {
            self.terms.common = common;
            self.terms.special.clear();
        }
        if let Err(place) = self.tags.binary_search(&tag) {
            self.tags.insert(place, tag);
        }
        self.terms.set(tag, holding);
    }

    /// Adds a tag, unless it is there, held as most are.
    #[cfg(test)]
    pub fn add_tag(&mut self, tag: TagId) {
        if let Err(place) = self.tags.binary_search(&tag) {
            self.tags.insert(place, tag);
        }
    }

    /// The tags that were taken by hand against their rules, rising.
    pub fn blocked(&self) -> &[TagId] {
        &self.terms.blocked
    }

    /// Whether a tag was taken by hand against its rule.
    pub fn is_blocked(&self, tag: TagId) -> bool {
        self.terms.blocked.binary_search(&tag).is_ok()
    }

    /// Remembers that a tag was taken by hand.
    pub fn block(&mut self, tag: TagId) {
        if let Err(place) = self.terms.blocked.binary_search(&tag) {
            self.terms.blocked.insert(place, tag);
        }
    }

    /// Forgets that a tag was taken by hand.
    pub fn unblock(&mut self, tag: TagId) {
        if let Ok(place) = self.terms.blocked.binary_search(&tag) {
            self.terms.blocked.remove(place);
        }
    }

    /// Takes a tag away.
    pub fn remove_tag(&mut self, tag: TagId) {
        if let Ok(place) = self.tags.binary_search(&tag) {
            self.tags.remove(place);
            self.terms.forget(tag);
        }
    }

    /// Takes the tags away for which `keeps` is false, and forgets which of them were taken by hand.
    pub fn retain_tags(&mut self, mut keeps: impl FnMut(TagId) -> bool) {
        self.tags.retain(|tag| keeps(*tag));
        self.terms.special.retain(|(tag, _)| keeps(*tag));
        self.terms.blocked.retain(|tag| keeps(*tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_tags_stay_sorted_and_unique() {
        let mut record = UserRecord::default();
        for id in [3, 1, 2, 3] {
            record.set_value(AttributeId(id), Some(StoredValue::Number(i64::from(id))));
            record.add_tag(TagId(id));
        }
        assert_eq!(record.tags, [TagId(1), TagId(2), TagId(3)]);
        assert_eq!(record.values.len(), 3);
        assert_eq!(record.value(AttributeId(2)), Some(&StoredValue::Number(2)));
        assert_eq!(
            record.set_value(AttributeId(2), None),
            Some(StoredValue::Number(2))
        );
        assert_eq!(record.set_value(AttributeId(2), None), None);
        record.remove_tag(TagId(2));
        assert!(!record.has_tag(TagId(2)) && record.has_tag(TagId(3)));
    }

    #[test]
    fn what_is_alike_is_kept_once() {
        let import = Holding::standing(Source::Import, Some(5));
        let timed = Holding::timed(Source::Manual, 7, Some(9));
        let mut record = UserRecord::default();
        for tag in [4, 1, 3] {
            record.hold(TagId(tag), import);
        }
        assert!(record.terms.special.is_empty());
        record.hold(TagId(3), timed);
        record.hold(TagId(2), timed);
        assert_eq!(record.terms.special.len(), 2);
        let holdings: Vec<_> = record.holdings().map(|(tag, how)| (tag.0, how)).collect();
        assert_eq!(holdings, [(1, import), (2, timed), (3, timed), (4, import)]);
        assert!(record.tags_at(9).map(|tag| tag.0).eq([1, 4]));
        assert!(record.tags_at(8).map(|tag| tag.0).eq([1, 2, 3, 4]));
        assert!(record.timed().map(|(tag, ..)| tag.0).eq([2, 3]));
        record.hold(TagId(3), import);
        record.remove_tag(TagId(2));
        assert!(record.terms.special.is_empty());
        assert_eq!(record.holding(TagId(2)), None);
        assert_eq!(record.holding(TagId(3)), Some(import));
    }

    #[test]
    fn nothing_is_left_of_tags_that_are_not_kept() {
        let mut record = UserRecord::default();
        record.hold(TagId(1), Holding::standing(Source::Import, Some(5)));
        record.hold(TagId(2), Holding::timed(Source::Manual, 7, Some(9)));
        record.block(TagId(3));
        record.block(TagId(4));
        record.retain_tags(|tag| tag.0 % 2 == 0);
        assert_eq!(record.tags, [TagId(2)]);
        assert_eq!(record.blocked(), [TagId(4)]);
    }

    #[test]
    fn records_are_equal_when_their_holdings_are() {
        let early = Holding::standing(Source::Manual, Some(1));
        let late = Holding::standing(Source::Manual, Some(2));
        let of = |holdings: &[(u32, Holding)]| {
            let mut record = UserRecord::default();
            for (tag, holding) in holdings {
                record.hold(TagId(*tag), *holding);
            }
            record
        };
        assert_eq!(of(&[(1, early), (2, late)]), of(&[(2, late), (1, early)]));
        assert_ne!(of(&[(1, early)]), of(&[(1, late)]));
        assert_ne!(of(&[(1, early), (2, late)]), of(&[(1, late), (2, early)]));
    }
}
