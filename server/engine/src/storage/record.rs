//! A user's record: the truth from which rows, columns and texts can be derived.

use bincode::{Decode, Encode};

use crate::ids::{AttributeId, TagId, ValueCode};

/// All that is stored of a user. Ids of dropped definitions may linger: readers skip what the
/// schema does not know. (`Encode` and `Decode` are how format 1 stored it.)
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct UserRecord {
    /// The values, by attribute id, each at most once.
    pub values: Vec<(AttributeId, StoredValue)>,
    /// The tags, by id, each at most once.
    pub tags: Vec<TagId>,
}

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

    /// Adds a tag, unless it is there.
    pub fn add_tag(&mut self, tag: TagId) {
        if let Err(place) = self.tags.binary_search(&tag) {
            self.tags.insert(place, tag);
        }
    }

    /// Takes a tag away.
    pub fn remove_tag(&mut self, tag: TagId) {
        if let Ok(place) = self.tags.binary_search(&tag) {
            self.tags.remove(place);
        }
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
}
