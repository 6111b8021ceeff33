//! Changes to a key block, as bytes that can be merged.
//!
//! # Stored form
//!
//! The first byte is the form, 1. Then for every changed place in strictly rising order one
//! LEB128 number in its shortest form, `gap * 2 + has_key`, and after a 1 the key: its length in
//! bytes as another such number, and its UTF-8. The gap is the count of unchanged places between
//! this one and the one before it (the first: the place itself). The list ends with the bytes.

use super::{KeyBlock, KeyBlockError, block::Draft};
use crate::{bitmap::varint, ids::KEY_BLOCK_USERS, limits::KEY_BYTES_MAX};

const FORM: u8 = 1;

/// A place and its new key, or `None` for none.
type Change<'a> = (u16, Option<&'a str>);

/// Places and their new keys. Of several changes to one place the last one wins.
#[derive(Debug, Clone, Default)]
pub struct KeyBlockDelta<'a> {
    /// In the order given.
    changes: Vec<Change<'a>>,
}

impl<'a> KeyBlockDelta<'a> {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a place a key, of 1 to [`KEY_BYTES_MAX`] bytes.
    pub fn set(&mut self, place: u16, key: &'a str) {
        self.changes.push((place, Some(key)));
    }

    /// Takes a place's key away.
    pub fn clear(&mut self, place: u16) {
        self.changes.push((place, None));
    }

    /// The stored form.
    pub fn encode(mut self) -> Vec<u8> {
        encode(&mut self.changes)
    }
}

/// Applies deltas, oldest first, to a stored block (nothing stored: no keys) and returns its new
/// bytes.
///
/// # Errors
/// When the block or a delta is damaged.
pub fn merge_full<'a>(
    base: Option<&[u8]>,
    deltas: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, KeyBlockError> {
    let base = match base {
        Some(base) => KeyBlock::from_bytes(base)?,
        None => KeyBlock::empty(),
    };
    let mut changes = read_all(deltas)?;
    last_of_each_place(&mut changes);
    let mut draft = Draft::default();
    for (place, key) in changes {
        draft.copy_to(&base, usize::from(place));
        draft.push(key.unwrap_or_default());
    }
    draft.copy_to(&base, base.places());
    let mut bytes = Vec::new();
    draft.build().write_to(&mut bytes);
    Ok(bytes)
}

/// Combines deltas, oldest first, into one.
///
/// # Errors
/// When a delta is damaged.
pub fn merge_partial<'a>(deltas: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, KeyBlockError> {
    Ok(encode(&mut read_all(deltas)?))
}

/// All the changes in their order.
fn read_all<'a>(deltas: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Change<'a>>, KeyBlockError> {
    let mut changes = Vec::new();
    for delta in deltas {
        read(delta, &mut changes)?;
    }
    Ok(changes)
}

fn read<'a>(delta: &'a [u8], changes: &mut Vec<Change<'a>>) -> Result<(), KeyBlockError> {
    let mut list = match delta.split_first() {
        None => return Err(KeyBlockError::Truncated("form of a delta")),
        Some((&FORM, list)) => list,
        Some((form, _)) => return Err(KeyBlockError::UnknownDelta(*form)),
    };
    let mut next_place: u64 = 0;
    while !list.is_empty() {
        let number = varint::read(&mut list).ok_or(KeyBlockError::MalformedNumber)?;
        // Half of 64 bits and a place: no overflow.
        let place = next_place + (number >> 1);
        if place >= u64::from(KEY_BLOCK_USERS) {
            return Err(KeyBlockError::PlaceBeyondBlock(place));
        }
        let key = match number & 1 {
            0 => None,
            _ => Some(read_key(&mut list, place as u32)?),
        };
        // Below the block's width, which fits.
        changes.push((place as u16, key));
        next_place = place + 1;
    }
    Ok(())
}

fn read_key<'a>(list: &mut &'a [u8], place: u32) -> Result<&'a str, KeyBlockError> {
    let bytes = varint::read(list).ok_or(KeyBlockError::MalformedNumber)?;
    let length = usize::try_from(bytes)
        .ok()
        .filter(|length| (1..=KEY_BYTES_MAX).contains(length))
        .ok_or(KeyBlockError::KeyLength { place, bytes })?;
    let (key, rest) = list
        .split_at_checked(length)
        .ok_or(KeyBlockError::Truncated("key"))?;
    *list = rest;
    std::str::from_utf8(key).map_err(|_| KeyBlockError::NotText)
}

/// Sorts by place and keeps the last change of each.
fn last_of_each_place(changes: &mut Vec<Change<'_>>) {
    // The other way round, so that the last change of a place is the first of its like.
    changes.reverse();
    changes.sort_by_key(|(place, _)| *place);
    changes.dedup_by_key(|(place, _)| *place);
}

fn encode(changes: &mut Vec<Change<'_>>) -> Vec<u8> {
    last_of_each_place(changes);
    let key_bytes: usize = changes
        .iter()
        .filter_map(|(_, key)| key.map(str::len))
        .sum();
    let mut bytes = Vec::with_capacity(1 + 4 * changes.len() + key_bytes);
    bytes.push(FORM);
    let mut next_place: u64 = 0;
    for (place, key) in changes {
        let gap = u64::from(*place) - next_place;
        varint::write(&mut bytes, gap << 1 | u64::from(key.is_some()));
        if let Some(key) = key {
            varint::write(&mut bytes, key.len() as u64);
            bytes.extend_from_slice(key.as_bytes());
        }
        next_place = u64::from(*place) + 1;
    }
    bytes
}
