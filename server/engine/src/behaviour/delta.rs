//! Changes to an event table, as bytes that can be merged.
//!
//! Knows the stored form of a delta and how deltas combine with each other and with a table. Does
//! not know the store whose merge operator calls it.
//!
//! # Stored form
//!
//! The first byte is the form, 1. Then, LEB128 in its shortest form: the count of users who lose
//! all their events, and for each, rising, the gap to the one before (the first: the offset
//! itself). To the end the events that are added, as a table; nothing when there are none. A
//! delta first takes away and then adds.

use super::{
    build::{Draft, EventRow},
    error::EventTableError,
    table::EventTable,
};
use crate::{bitmap::varint, ids::SHARD_USERS};

const FORM: u8 = 1;

/// Events that are added, and users whose events are taken away before.
#[derive(Debug, Default)]
pub struct EventDelta {
    removed: Vec<u32>,
    added: Draft,
}

impl EventDelta {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When the offset is 2^20 or more.
    pub fn add(&mut self, row: &EventRow) -> Result<(), EventTableError> {
        self.added.push(row)
    }

    /// Adds all the events of a table.
    pub fn add_table(&mut self, table: &EventTable) {
        self.added.append(table, &[]);
    }

    /// Takes away all events that a user had before.
    ///
    /// # Errors
    /// When the offset is 2^20 or more.
    pub fn remove_user(&mut self, offset: u32) -> Result<(), EventTableError> {
        if offset >= SHARD_USERS {
            return Err(EventTableError::OffsetBeyondShard(offset.into()));
        }
        self.removed.push(offset);
        Ok(())
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    /// The stored form.
    ///
    /// # Errors
    /// When there are more events than a table has room for.
    pub fn encode(mut self) -> Result<Vec<u8>, EventTableError> {
        self.removed.sort_unstable();
        self.removed.dedup();
        let mut bytes = vec![FORM];
        varint::write(&mut bytes, self.removed.len() as u64);
        let mut next = 0;
        for offset in &self.removed {
            varint::write(&mut bytes, u64::from(offset - next));
            next = offset + 1;
        }
        if !self.added.is_empty() {
            bytes.extend_from_slice(&self.added.build()?);
        }
        Ok(bytes)
    }
}

/// A delta as it is read.
struct Parts {
    removed: Vec<u32>,
    added: Option<EventTable>,
}

impl Parts {
    fn read(delta: &[u8]) -> Result<Self, EventTableError> {
        let mut rest = match delta.split_first() {
            None => return Err(EventTableError::Truncated("form of a delta")),
            Some((&FORM, rest)) => rest,
            Some((form, _)) => return Err(EventTableError::UnknownDelta(*form)),
        };
        let mut number = || varint::read(&mut rest).ok_or(EventTableError::MalformedNumber);
        let count = number()?;
        let (mut removed, mut next) = (Vec::new(), 0_u64);
        for _ in 0..count {
            let offset = next.saturating_add(number()?);
            if offset >= u64::from(SHARD_USERS) {
                return Err(EventTableError::OffsetBeyondShard(offset));
            }
            // Below 2^20.
            removed.push(offset as u32);
            next = offset + 1;
        }
        let added = match rest {
            [] => None,
            [..] => Some(EventTable::from_bytes(rest.to_vec())?),
        };
        Ok(Self { removed, added })
    }
}

/// Reads deltas, oldest first, and puts what they leave of a table and of each other into a draft.
/// Gives all the users who lost events.
fn apply<'a>(
    base: Option<&EventTable>,
    deltas: impl Iterator<Item = &'a [u8]>,
) -> Result<(Draft, Vec<u32>), EventTableError> {
    let parts = deltas.map(Parts::read).collect::<Result<Vec<_>, _>>()?;
    let mut draft = Draft::default();
    let mut removed: Vec<u32> = Vec::new();
    // From the newest back: what is added is left without those removed later.
    for part in parts.iter().rev() {
        if let Some(added) = &part.added {
            draft.append(added, &removed);
        }
        if !part.removed.is_empty() {
            removed.extend_from_slice(&part.removed);
            removed.sort_unstable();
            removed.dedup();
        }
    }
    if let Some(base) = base {
        draft.append(base, &removed);
    }
    Ok((draft, removed))
}

/// Applies deltas, oldest first, to a stored table (nothing stored: no events) and returns its new
/// bytes. The same events are always the same bytes.
///
/// # Errors
/// When the table or a delta is damaged, or the table would be too large.
pub fn merge_full<'a>(
    base: Option<&[u8]>,
    deltas: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, EventTableError> {
    let base = base
        .map(|base| EventTable::from_bytes(base.to_vec()))
        .transpose()?;
    apply(base.as_ref(), deltas)?.0.build()
}

/// Combines deltas, oldest first, into one.
///
/// # Errors
/// When a delta is damaged, or the table would be too large.
pub fn merge_partial<'a>(
    deltas: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, EventTableError> {
    let (added, removed) = apply(None, deltas)?;
    EventDelta { removed, added }.encode()
}
