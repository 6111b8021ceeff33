//! Changes to a column block, as bytes that can be merged.
//!
//! Knows the stored form of a delta and how deltas combine with each other and with a block.
//! Does not know the store whose merge operator calls it.
//!
//! # Stored form
//!
//! The first byte is the form, 1. Then for every changed place in strictly rising order one
//! LEB128 number in its shortest form, `gap * 2 + has_value`, and after a 1 the value as
//! another: zigzag-coded, 0, -1, 1, -2 … being 0, 1, 2, 3 …. The gap is the count of unchanged
//! places between this one and the one before it (the first: the place itself). The list ends
//! with the bytes.

use super::{
    ColumnBlock, ColumnError,
    build::{Draft, code_of},
    read::{HEADER_BYTES, Header, Width, checked},
};
use crate::bitmap::{Block, varint};

const FORM: u8 = 1;

/// A place and its new value, or `None` for "missing".
type Change = (u16, Option<i64>);

/// Places and their new values. Of several changes to one place the last one wins.
#[derive(Debug, Clone, Default)]
pub struct ColumnDelta {
    /// In the order given.
    changes: Vec<Change>,
}

impl ColumnDelta {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a place a value.
    pub fn set(&mut self, place: u16, value: i64) {
        self.changes.push((place, Some(value)));
    }

    /// Takes a place's value away.
    pub fn clear(&mut self, place: u16) {
        self.changes.push((place, None));
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes were given; one that a later one overrides counts too.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        encode(self.changes.clone())
    }

    /// The stored form, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        encode(self.changes)
    }
}

/// Applies deltas, oldest first, to a stored block (nothing stored: every place missing) and
/// returns its new bytes.
///
/// A block keeps its width and base where the new values fit them, so that a small change costs
/// little; the same values may therefore be stored in different bytes.
///
/// # Errors
/// When the block or a delta is damaged.
pub fn merge_full<'a>(
    base: Option<&[u8]>,
    deltas: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, ColumnError> {
    let changes = read_all(deltas)?;
    let Some(base) = base else {
        return Ok(redraft(None, &changes));
    };
    let header = checked(base)?;
    match patch(base, header, &changes) {
        Some(bytes) => Ok(bytes),
        None => Ok(redraft(Some(ColumnBlock::from_bytes(base)?), &changes)),
    }
}

/// Combines deltas, oldest first, into one.
///
/// # Errors
/// When a delta is damaged.
pub fn merge_partial<'a>(deltas: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, ColumnError> {
    Ok(encode(read_all(deltas)?))
}

/// All the changes in their order.
fn read_all<'a>(deltas: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Change>, ColumnError> {
    let mut changes = Vec::new();
    for delta in deltas {
        read(delta, &mut changes)?;
    }
    Ok(changes)
}

fn read(delta: &[u8], changes: &mut Vec<Change>) -> Result<(), ColumnError> {
    let mut list = match delta.split_first() {
        None => return Err(ColumnError::Truncated("form of a delta")),
        Some((&FORM, list)) => list,
        Some((form, _)) => return Err(ColumnError::UnknownDelta(*form)),
    };
    let mut next_place: u64 = 0;
    while !list.is_empty() {
        let number = varint::read(&mut list).ok_or(ColumnError::MalformedNumber)?;
        // Half of 64 bits and a place: no overflow.
        let beyond = next_place + (number >> 1);
        let place = u16::try_from(beyond).map_err(|_| ColumnError::PlaceBeyondBlock(beyond))?;
        let value = match number & 1 {
            0 => None,
            _ => Some(varint::unzigzag(
                varint::read(&mut list).ok_or(ColumnError::MalformedNumber)?,
            )),
        };
        changes.push((place, value));
        next_place = u64::from(place) + 1;
    }
    Ok(())
}

fn encode(mut changes: Vec<Change>) -> Vec<u8> {
    // Stable, so the last change of a place stays last of its like.
    changes.sort_by_key(|(place, _)| *place);
    let mut bytes = Vec::with_capacity(1 + 4 * changes.len());
    bytes.push(FORM);
    let mut next_place: u64 = 0;
    for (index, (place, value)) in changes.iter().enumerate() {
        if changes
            .get(index + 1)
            .is_some_and(|(next, _)| next == place)
        {
            continue;
        }
        let gap = u64::from(*place) - next_place;
        varint::write(&mut bytes, gap << 1 | u64::from(value.is_some()));
        if let Some(value) = value {
            varint::write(&mut bytes, varint::zigzag(*value));
        }
        next_place = u64::from(*place) + 1;
    }
    bytes
}

/// Writes the changes over a copy of the block, if all of them fit its width and base.
fn patch(base: &[u8], mut header: Header, changes: &[Change]) -> Option<Vec<u8>> {
    if header.width == Width::Zero {
        return None;
    }
    let width = header.width.bytes();
    let mut bytes = base.to_vec();
    for (place, value) in changes {
        let code = match value {
            None => header.missing,
            Some(value) => code_within(*value, &header)?,
        };
        let start = HEADER_BYTES + usize::from(*place) * width;
        let missing = header.missing.to_le_bytes();
        while bytes.len() < start + width {
            bytes.extend_from_slice(&missing[..width]);
        }
        bytes[start..start + width].copy_from_slice(&code.to_le_bytes()[..width]);
    }
    // At most 65536 values.
    header.count = ((bytes.len() - HEADER_BYTES) / width) as u32;
    let mut start = Vec::with_capacity(HEADER_BYTES);
    header.write(&mut start);
    bytes[..HEADER_BYTES].copy_from_slice(&start);
    Some(bytes)
}

/// The value's code, if it has one with this width and base.
fn code_within(value: i64, header: &Header) -> Option<u64> {
    let code = (value >= header.base).then(|| code_of(value, header.base))?;
    (code <= header.width.code_max() && code != header.missing).then_some(code)
}

/// Lays the block out afresh.
fn redraft(base: Option<ColumnBlock>, changes: &[Change]) -> Vec<u8> {
    let mut draft = Draft::new();
    if let Some(base) = base {
        base.for_each(&Block::full(), |place, value| draft.set(place, value));
    }
    for (place, value) in changes {
        draft.set(*place, *value);
    }
    draft.build().1
}
