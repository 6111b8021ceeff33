//! A user's record as bytes.
//!
//! # Stored form
//!
//! The first byte is the form, 254. All numbers after it are LEB128 in their shortest form.
//!
//! 1. How many values there are.
//! 2. For every value, rising by attribute, its *head*: `gap * 8 + kind`. The gap is the count of
//!    attributes without a value between this one and the one before it (the first: the attribute
//!    itself). The kind says what the value is.
//! 3. The values in the same order.
//! 4. To the end, rising, a gap for every tag, counted as those of attributes are.
//!
//! | kind | value |
//! | --- | --- |
//! | 0 | a code |
//! | 1 | how many codes, and a gap for each, rising |
//! | 2 | a number that is not negative |
//! | 3 | a negative number `v` as `-v - 1` |
//! | 4 | a text: how many bytes, and UTF-8 |
//!
//! The heads stand together because those of one user are those of most others: compression
//! makes nearly nothing of them.
//!
//! Format 1 wrote records by `bincode`, which never begins with 254. They are read as they are,
//! and become this form when they are written again.

use crate::{
    bitmap::varint,
    ids::{AttributeId, TagId, ValueCode},
    storage::{
        StoredValue, UserRecord,
        formats::{ValueFormat, decode_structure},
        keys::FormatError,
    },
};

/// What a record of this form begins with. Format 1 began with a count, which it wrote as one
/// byte up to 250, or as 251, 252 or 253 and the bytes of the count.
const FORM: u8 = 254;

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

    /// Appends the record with these tags, rising, to `out`, and begins the next one.
    ///
    /// # Errors
    /// When the tags do not rise.
    pub(crate) fn finish(&mut self, tags: &[TagId], out: &mut Vec<u8>) -> Result<(), FormatError> {
        out.push(FORM);
        varint::write(out, self.value_count);
        out.append(&mut self.heads);
        out.append(&mut self.values);
        self.value_count = 0;
        self.gaps = Gaps::default();
        let mut gaps = Gaps::default();
        for tag in tags {
            varint::write(out, gaps.before(tag.0)?);
        }
        Ok(())
    }
}

/// Between ids that rise: how many are left out.
#[derive(Debug, Clone, Copy, Default)]
struct Gaps {
    /// The least id that may come.
    next: u64,
}

impl Gaps {
    fn before(&mut self, id: u32) -> Result<u64, FormatError> {
        let id = u64::from(id);
        let gap = id
            .checked_sub(self.next)
            .ok_or_else(|| FormatError::new("the ids of a record do not rise"))?;
        self.next = id + 1;
        Ok(gap)
    }

    fn after(&mut self, gap: u64) -> Result<u32, FormatError> {
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
        writer.finish(&self.tags, out)
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        match bytes.split_first() {
            Some((&FORM, bytes)) => read(bytes),
            Some(_) | None => decode_structure(bytes),
        }
    }
}

fn read(bytes: &[u8]) -> Result<UserRecord, FormatError> {
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
    // A tag takes a byte at least, and seldom two.
    let mut tags = Vec::with_capacity(rest.len());
    let mut gaps = Gaps::default();
    while !rest.is_empty() {
        tags.push(TagId(gaps.after(read_number(&mut rest)?)?));
    }
    Ok(UserRecord { values, tags })
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
fn read_count(bytes: &mut &[u8]) -> Result<usize, FormatError> {
    let count = usize::try_from(read_number(bytes)?).map_err(FormatError::new)?;
    if count > bytes.len() {
        return Err(truncated());
    }
    Ok(count)
}

fn read_number(bytes: &mut &[u8]) -> Result<u64, FormatError> {
    varint::read(bytes).ok_or_else(|| FormatError::new("the record has a malformed number"))
}

fn truncated() -> FormatError {
    FormatError::new("the record ends too early")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use proptest::prelude::*;

    use super::*;
    use crate::storage::formats::encode_structure;

    fn written(record: &UserRecord) -> Vec<u8> {
        let mut bytes = Vec::new();
        record.write_to(&mut bytes).unwrap();
        bytes
    }

    fn value() -> impl Strategy<Value = StoredValue> {
        prop_oneof![
            any::<u32>().prop_map(|code| StoredValue::Code(ValueCode(code))),
            proptest::collection::btree_set(any::<u32>(), 0..5)
                .prop_map(|codes| StoredValue::Codes(codes.into_iter().map(ValueCode).collect())),
            (any::<i64>(), 0u32..64)
                .prop_map(|(number, shift)| StoredValue::Number(number >> shift)),
            "\\PC{0,9}".prop_map(StoredValue::Text),
        ]
    }

    fn record() -> impl Strategy<Value = UserRecord> {
        let ids = || prop_oneof![0..20u32, any::<u32>()];
        (
            proptest::collection::btree_map(ids(), value(), 0..12),
            proptest::collection::btree_set(ids(), 0..20),
        )
            .prop_map(|(values, tags)| UserRecord {
                values: values
                    .into_iter()
                    .map(|(id, value)| (AttributeId(id), value))
                    .collect(),
                tags: tags.into_iter().map(TagId).collect(),
            })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(record in record()) {
            let bytes = written(&record);
            prop_assert_eq!(UserRecord::read_from(&bytes), Ok(record));
        }

        #[test]
        fn what_format_1_wrote_is_read(record in record()) {
            let mut bytes = Vec::new();
            encode_structure(&record, &mut bytes).unwrap();
            prop_assert!(bytes.first().is_some_and(|first| *first != FORM));
            prop_assert_eq!(UserRecord::read_from(&bytes), Ok(record));
        }

        /// What is read from damaged bytes is a record too, and in order.
        #[test]
        fn damage_is_an_error_or_another_record(
            record in record(),
            place: prop::sample::Index,
            byte: u8,
        ) {
            let mut bytes = written(&record);
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let read = UserRecord::read_from(&bytes);
            if let Ok(record) = read && bytes.first() == Some(&FORM) {
                prop_assert_eq!(written(&record), bytes);
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(mut bytes: Vec<u8>) {
            bytes.insert(0, FORM);
            if let Ok(record) = UserRecord::read_from(&bytes) {
                prop_assert_eq!(written(&record), bytes);
            }
        }
    }

    #[test]
    fn a_record_takes_few_bytes() {
        let record = UserRecord {
            values: vec![
                (AttributeId(0), StoredValue::Code(ValueCode(5))),
                (AttributeId(1), StoredValue::Number(90)),
                (AttributeId(4), StoredValue::Number(-1)),
            ],
            tags: vec![TagId(0), TagId(7), TagId(300)],
        };
        let bytes = [254, 3, 0, 2, 2 << 3 | 3, 5, 90, 0, 0, 6, 0xa4, 2];
        assert_eq!(written(&record), bytes);
        assert_eq!(written(&UserRecord::default()), [254, 0]);
    }

    #[test]
    fn damage_is_refused() {
        let check = |bytes: &[u8]| {
            let read = UserRecord::read_from(bytes);
            assert!(read.is_err(), "{bytes:?} is {read:?}");
        };
        check(&[]);
        check(&[255]);
        check(&[254]);
        // More values than bytes, or than the memory holds.
        check(&[254, 1]);
        check(&[254, 2, 0]);
        check(&[254, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        // A kind that there is not.
        check(&[254, 1, 5, 0]);
        // A code and an attribute and a tag beyond all ids.
        check(&[254, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x10]);
        check(&[254, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0]);
        check(&[254, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
        // A number beyond all numbers.
        check(&[254, 1, 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        // Fewer codes, or a shorter text, than was said; a text that is none.
        check(&[254, 1, 1, 2, 0]);
        check(&[254, 1, 4, 2, b'a']);
        check(&[254, 1, 4, 1, 0xff]);
        // A tag that is cut off.
        check(&[254, 0, 0x80]);
    }

    #[test]
    fn what_does_not_rise_is_not_written() {
        let number = StoredValue::Number(1);
        let twice = vec![(AttributeId(1), number.clone()), (AttributeId(1), number)];
        let record = UserRecord {
            values: twice,
            tags: Vec::new(),
        };
        assert!(record.write_to(&mut Vec::new()).is_err());
        let record = UserRecord {
            values: Vec::new(),
            tags: vec![TagId(2), TagId(1)],
        };
        assert!(record.write_to(&mut Vec::new()).is_err());
    }
}
