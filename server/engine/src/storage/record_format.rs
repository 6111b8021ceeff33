//! A user's record as bytes.
//!
//! # Stored form
//!
//! The first byte is the form: 254 where all tags are held for as long as nobody takes them
//! away, on somebody's word, and since an unknown time, and none was taken by hand; else 255. All numbers after it are
//! LEB128 in their shortest form; where it says signed, zigzag-coded first.
//!
//! 1. Form 255 only: what most holdings have in common, see below.
//! 2. How many values there are.
//! 3. For every value, rising by attribute, its *head*: `gap * 8 + kind`. The gap is the count of
//!    attributes without a value between this one and the one before it (the first: the attribute
//!    itself). The kind says what the value is.
//! 4. The values in the same order.
//! 5. Form 255 only, and only if some holdings are unlike the others: how many tags there are.
//! 6. Rising, a gap for every tag, counted as those of attributes are; to the end of the record
//!    if it does not say how many.
//! 7. Of those that are unlike, to the end: a gap for the place among the tags, rising, and the
//!    holding.
//!
//! | kind | value |
//! | --- | --- |
//! | 0 | a code |
//! | 1 | how many codes, and a gap for each, rising |
//! | 2 | a number that is not negative |
//! | 3 | a negative number `v` as `-v - 1` |
//! | 4 | a text: how many bytes, and UTF-8 |
//!
//! What holdings have in common is a number of bits, and a signed number of seconds since
//! 1970-01-01T00:00:00Z if it is known since when they are held: bits 0 and 1 are the source (0
//! manual, 1 import, 2 rule, 3 model), bit 2 says that the seconds follow, bit 3 that some are
//! unlike, and bit 4 that tags were taken by hand: then follow, after the seconds, how many they
//! are less one, and a gap for each, rising. A holding that is unlike has the same bits 0 to 2, where its seconds are counted from
//! the common ones (from 0 if there are none); bit 3 says that it has rows of its own, and bit 4
//! that it ends: then a number follows, the seconds from its start to its end.
//!
//! The heads stand together because those of one user are those of most others: compression
//! makes nearly nothing of them. What holdings have in common stands before them for the same
//! reason: all users of a load have the same.
//!
//! Format 1 wrote records by `bincode`, which never begins with 254 or 255. They are read as
//! they are, and become this form when they are written again. Format 2 knew no form 255.

use bincode::{Decode, Encode};

use crate::{
    bitmap::varint,
    ids::{AttributeId, TagId, ValueCode},
    storage::{
        StoredValue, UserRecord,
        formats::{ValueFormat, decode_structure},
        keys::FormatError,
        record::Terms,
        terms_format,
    },
};

/// What a record begins with whose holdings say nothing. Format 1 began with a count, which it
/// wrote as one byte up to 250, or as 251, 252 or 253 and the bytes of the count.
const PLAIN_FORM: u8 = 254;
/// What a record begins with whose holdings say something.
const HELD_FORM: u8 = 255;

/// A record as format 1 wrote it.
#[derive(Encode, Decode)]
struct FirstRecord {
    values: Vec<(AttributeId, StoredValue)>,
    tags: Vec<TagId>,
}

const KIND_BITS: u32 = 3;
const CODE: u64 = 0;
const CODES: u64 = 1;
const NUMBER: u64 = 2;
const NEGATIVE_NUMBER: u64 = 3;
const TEXT: u64 = 4;

/// Writes records one after the other. Spares a load from making a [`UserRecord`] for each.
#[derive(Debug, Default)]
pub(crate) struct RecordWriter {
    value_count: u64,
    heads: Vec<u8>,
    values: Vec<u8>,
    gaps: Gaps,
}

impl RecordWriter {
    /// Adds a value to the record. Attributes rise.
    ///
    /// # Errors
    /// When the attribute does not rise, or the value's codes do not.
    pub(crate) fn push(
        &mut self,
        attribute: AttributeId,
        value: &StoredValue,
    ) -> Result<(), FormatError> {
        match value {
            StoredValue::Code(code) => self.push_plain(attribute, CODE, u64::from(code.0)),
            StoredValue::Codes(codes) => {
                self.push_plain(attribute, CODES, codes.len() as u64)?;
                let mut gaps = Gaps::default();
                for code in codes {
                    varint::write(&mut self.values, gaps.before(code.0)?);
                }
                Ok(())
            }
            StoredValue::Number(number) => self.push_number(attribute, *number),
            StoredValue::Text(text) => {
                self.push_plain(attribute, TEXT, text.len() as u64)?;
                self.values.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
    }

    /// As [`Self::push`], with a number.
    pub(crate) fn push_number(
        &mut self,
        attribute: AttributeId,
        number: i64,
    ) -> Result<(), FormatError> {
        // The complement of a negative number is `-number - 1`.
        match u64::try_from(number) {
            Ok(number) => self.push_plain(attribute, NUMBER, number),
            Err(_) => self.push_plain(attribute, NEGATIVE_NUMBER, !number as u64),
        }
    }

    /// A head and the number that the value begins with.
    fn push_plain(
        &mut self,
        attribute: AttributeId,
        kind: u64,
        number: u64,
    ) -> Result<(), FormatError> {
        let gap = self.gaps.before(attribute.0)?;
        varint::write(&mut self.heads, gap << KIND_BITS | kind);
        varint::write(&mut self.values, number);
        self.value_count += 1;
        Ok(())
    }

    /// Appends the record with these tags, rising, and how they are held, to `out`, and begins
    /// the next one.
    ///
    /// # Errors
    /// When the tags do not rise, or one is listed that is not among them.
    pub(crate) fn finish(
        &mut self,
        tags: &[TagId],
        terms: &Terms,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let is_plain = terms_format::is_plain(tags, terms);
        if is_plain {
            out.push(PLAIN_FORM);
        } else {
            out.push(HELD_FORM);
            terms_format::write_common(terms, out)?;
        }
        varint::write(out, self.value_count);
        out.append(&mut self.heads);
        out.append(&mut self.values);
        self.value_count = 0;
        self.gaps = Gaps::default();
        if !is_plain && !terms.special.is_empty() {
            varint::write(out, tags.len() as u64);
        }
        let mut gaps = Gaps::default();
        for tag in tags {
            varint::write(out, gaps.before(tag.0)?);
        }
        if is_plain {
            return Ok(());
        }
        terms_format::write_special(tags, terms, out)
    }
}

/// Between ids that rise: how many are left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gaps {
    /// The least id that may come.
    next: u64,
}

impl Gaps {
    pub(super) fn before(&mut self, id: u32) -> Result<u64, FormatError> {
        let id = u64::from(id);
        let gap = id
            .checked_sub(self.next)
            .ok_or_else(|| FormatError::new("the ids of a record do not rise"))?;
        self.next = id + 1;
        Ok(gap)
    }

    pub(super) fn after(&mut self, gap: u64) -> Result<u32, FormatError> {
        let id = self.next.checked_add(gap);
        let id = id
            .and_then(|id| u32::try_from(id).ok())
            .ok_or_else(|| FormatError::new("an id beyond all ids"))?;
        self.next = u64::from(id) + 1;
        Ok(id)
    }
}

impl ValueFormat for UserRecord {
    fn write_to(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let mut writer = RecordWriter::default();
        for (attribute, value) in &self.values {
            writer.push(*attribute, value)?;
        }
        writer.finish(&self.tags, &terms_format::settled(self), out)
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        match bytes.split_first() {
            Some((&PLAIN_FORM, bytes)) => read_plain(bytes),
            Some((&HELD_FORM, bytes)) => read_held(bytes),
            Some(_) | None => {
                let FirstRecord { values, tags } = decode_structure(bytes)?;
                Ok(UserRecord {
                    values,
                    tags,
                    terms: Terms::default(),
                })
            }
        }
    }
}

fn read_plain(bytes: &[u8]) -> Result<UserRecord, FormatError> {
    let (values, mut rest) = read_values(bytes)?;
    let tags = read_tags(&mut rest)?;
    Ok(UserRecord {
        values,
        tags,
        terms: Terms::default(),
    })
}

fn read_held(mut bytes: &[u8]) -> Result<UserRecord, FormatError> {
    let (mut terms, other) = terms_format::read_common(&mut bytes)?;
    let (values, mut rest) = read_values(bytes)?;
    let tags = match other {
        terms_format::Others::None => read_tags(&mut rest)?,
        terms_format::Others::Some => {
            let count = read_count(&mut rest)?;
            let tags = read_some_tags(count, &mut rest)?;
            terms.special = terms_format::read_special(terms.common, &tags, rest)?;
            tags
        }
    };
    Ok(UserRecord {
        values,
        tags,
        terms,
    })
}

/// The values, and what follows them.
type Values<'a> = (Vec<(AttributeId, StoredValue)>, &'a [u8]);

fn read_values(bytes: &[u8]) -> Result<Values<'_>, FormatError> {
    let mut heads = bytes;
    let count = read_count(&mut heads)?;
    let mut rest = heads;
    for _ in 0..count {
        read_number(&mut rest)?;
    }
    let mut values = Vec::with_capacity(count);
    let mut gaps = Gaps::default();
    for _ in 0..count {
        let head = read_number(&mut heads)?;
        let attribute = AttributeId(gaps.after(head >> KIND_BITS)?);
        let kind = head & ((1 << KIND_BITS) - 1);
        values.push((attribute, read_value(kind, &mut rest)?));
    }
    Ok((values, rest))
}

/// Tags to the end.
fn read_tags(bytes: &mut &[u8]) -> Result<Vec<TagId>, FormatError> {
    // A tag takes a byte at least, and seldom two.
    let mut tags = Vec::with_capacity(bytes.len());
    let mut gaps = Gaps::default();
    while !bytes.is_empty() {
        tags.push(TagId(gaps.after(read_number(bytes)?)?));
    }
    Ok(tags)
}

fn read_some_tags(count: usize, bytes: &mut &[u8]) -> Result<Vec<TagId>, FormatError> {
    let mut tags = Vec::with_capacity(count);
    let mut gaps = Gaps::default();
    for _ in 0..count {
        tags.push(TagId(gaps.after(read_number(bytes)?)?));
    }
    Ok(tags)
}

fn read_value(kind: u64, bytes: &mut &[u8]) -> Result<StoredValue, FormatError> {
    Ok(match kind {
        CODE => {
            let code = u32::try_from(read_number(bytes)?);
            StoredValue::Code(ValueCode(code.map_err(FormatError::new)?))
        }
        CODES => {
            let count = read_count(bytes)?;
            let mut gaps = Gaps::default();
            let mut codes = Vec::with_capacity(count);
            for _ in 0..count {
                codes.push(ValueCode(gaps.after(read_number(bytes)?)?));
            }
            StoredValue::Codes(codes)
        }
        NUMBER => StoredValue::Number(read_magnitude(bytes)?),
        NEGATIVE_NUMBER => StoredValue::Number(!read_magnitude(bytes)?),
        TEXT => {
            let length = read_count(bytes)?;
            let (text, rest) = bytes.split_at_checked(length).ok_or_else(truncated)?;
            *bytes = rest;
            let text = std::str::from_utf8(text).map_err(FormatError::new)?;
            StoredValue::Text(text.to_owned())
        }
        kind => return Err(FormatError::new(format_args!("a value of kind {kind}"))),
    })
}

fn read_magnitude(bytes: &mut &[u8]) -> Result<i64, FormatError> {
    i64::try_from(read_number(bytes)?).map_err(FormatError::new)
}

/// Of things that take a byte at least, so that a damaged count does not ask for memory.
pub(super) fn read_count(bytes: &mut &[u8]) -> Result<usize, FormatError> {
    let count = usize::try_from(read_number(bytes)?).map_err(FormatError::new)?;
    if count > bytes.len() {
        return Err(truncated());
    }
    Ok(count)
}

pub(super) fn read_number(bytes: &mut &[u8]) -> Result<u64, FormatError> {
    varint::read(bytes).ok_or_else(|| FormatError::new("the record has a malformed number"))
}

fn truncated() -> FormatError {
    FormatError::new("the record ends too early")
}

#[cfg(test)]
mod tests;
