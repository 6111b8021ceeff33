//! Who invited whom, while users change: that nobody comes to be above themselves, and where
//! inviters are.
//!
//! Links lead from partition to partition, but a command knows its own alone. So chains are
//! followed while a request is resolved, over what is staged and what the request has said so
//! far; and the column of places is derived when everybody has one.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::{
    error::Error,
    exec::dataset::Dataset,
    ids::{AttributeId, Location},
    storage::{StorageError, StoredValue, partition_of_key},
    write::{
        LimitError, WriteError,
        coerce::excerpt,
        staging::{Part, Slot, Staging},
    },
};

/// How many may stand above a user who is given an inviter: each is looked up.
pub(super) const INVITERS_ABOVE_MAX: usize = 1_000;

/// Keys of a cycle that a message shows at either end.
const SHOWN_ENDS: usize = 5;

/// What a request has said so far of who invited whom.
#[derive(Debug, Default)]
pub(super) struct Invitations {
    /// The inviter of each user of whom it said something, and as its how manieth statement.
    links: HashMap<String, (Option<String>, u64), RandomState>,
    /// Users who were deleted, and as the how manieth statement: links of before lead nowhere.
    deleted: HashMap<String, u64, RandomState>,
    statements: u64,
}

impl Invitations {
    /// The request says that one user invited another.
    pub(super) fn invite(
        &mut self,
        staging: &mut Staging,
        attribute: AttributeId,
        user: &str,
        inviter: &str,
    ) -> Result<(), Error> {
        let mut way = vec![user.to_owned()];
        let mut above = Some(inviter.to_owned());
        while let Some(key) = above {
            if way.len() > INVITERS_ABOVE_MAX {
                return Err(LimitError::Inviters {
                    user: excerpt(user),
                    max: INVITERS_ABOVE_MAX,
                }
                .into());
            }
            let is_cycle = key == user;
            above = match is_cycle {
                true => None,
                false => self.inviter(staging, attribute, &key)?,
            };
            way.push(key);
            if is_cycle {
                return Err(WriteError::InviterCycle { way: shown(&way) }.into());
            }
        }
        self.statements += 1;
        let link = (Some(inviter.to_owned()), self.statements);
        self.links.insert(user.to_owned(), link);
        Ok(())
    }

    /// The request deletes a user.
    pub(super) fn delete(&mut self, user: &str) {
        self.statements += 1;
        self.links.insert(user.to_owned(), (None, self.statements));
        self.deleted.insert(user.to_owned(), self.statements);
    }

    fn inviter(
        &self,
        staging: &mut Staging,
        attribute: AttributeId,
        user: &str,
    ) -> Result<Option<String>, StorageError> {
        let (inviter, said) = match self.links.get(user) {
            Some((inviter, said)) => (inviter.clone(), *said),
            None => (stored(staging, attribute, user)?, 0),
        };
        let is_gone = |key: &String| self.deleted.get(key).is_some_and(|deleted| *deleted > said);
        Ok(inviter.filter(|key| !is_gone(key)))
    }
}

/// The inviter of a user as it was before the request.
fn stored(
    staging: &mut Staging,
    attribute: AttributeId,
    user: &str,
) -> Result<Option<String>, StorageError> {
    let partition = partition_of_key(user, staging.base.partition_count());
    let (part, schema) = staging.part_mut(partition);
    let slot = part.find(schema, user)?;
    let record = part.record(slot);
    Ok(match record.and_then(|record| record.value(attribute)) {
        Some(StoredValue::Text(inviter)) => Some(inviter.clone()),
        Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => None,
    })
}

/// A way for people: its ends, when it is long.
fn shown(way: &[String]) -> String {
    let keys: Vec<String> = way.iter().map(|key| excerpt(key)).collect();
    if keys.len() <= 2 * SHOWN_ENDS {
        return keys.join(" → ");
    }
    let (first, last) = (&keys[..SHOWN_ENDS], &keys[keys.len() - SHOWN_ENDS..]);
    format!("{} → … → {}", first.join(" → "), last.join(" → "))
}

/// Where inviters are when everything is staged.
pub(super) struct Inviters<'a> {
    staging: &'a Staging,
    attribute: Option<AttributeId>,
    /// Users who were deleted and came back, at other places.
    moved: HashSet<&'a str, RandomState>,
}

impl<'a> Inviters<'a> {
    /// For all that is staged.
    pub(super) fn new(staging: &'a Staging) -> Self {
        let attribute = staging.schema.inviter();
        let mut moved = HashSet::default();
        if attribute.is_some() {
            let slots = staging.parts().flat_map(Part::slots);
            let slots = slots.filter(|slot| has_moved(slot));
            moved.extend(slots.map(|slot| &*slot.key));
        }
        Self {
            staging,
            attribute,
            moved,
        }
    }

    /// The attribute that says who invited whom, where there is one.
    pub(super) fn attribute(&self) -> Option<AttributeId> {
        self.attribute
    }

    /// Whether a user was deleted and came back.
    pub(super) fn has_moved(&self, key: &str) -> bool {
        !self.moved.is_empty() && self.moved.contains(key)
    }

    /// Whether a user was invited by one who was deleted and came back.
    pub(super) fn follows(&self, slot: &Slot) -> bool {
        if self.moved.is_empty() {
            return false;
        }
        let value = || slot.after.as_ref()?.record.value(self.attribute?);
        match value() {
            Some(StoredValue::Text(inviter)) => self.has_moved(inviter),
            Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => {
                false
            }
        }
    }

    /// What the column keeps of an inviter.
    pub(super) fn number(&self, key: &str) -> Result<Option<i64>, StorageError> {
        let base = &self.staging.base;
        let partition = partition_of_key(key, base.partition_count());
        let location = match self.staging.staged_user(key) {
            Some(user) => user.map(|user| Location { partition, user }),
            None => base.locate(key)?,
        };
        Ok(location.map(|location| location.to_number(base.partition_count())))
    }
}

fn has_moved(slot: &Slot) -> bool {
    match (&slot.before, &slot.after) {
        (Some(before), Some(after)) => before.id != after.id,
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ways_are_shown_by_their_ends() {
        let way = |count: usize| -> Vec<String> { (0..count).map(|n| format!("u{n}")).collect() };
        assert_eq!(shown(&way(3)), "u0 → u1 → u2");
        assert_eq!(
            shown(&way(12)),
            "u0 → u1 → u2 → u3 → u4 → … → u7 → u8 → u9 → u10 → u11"
        );
    }
}
