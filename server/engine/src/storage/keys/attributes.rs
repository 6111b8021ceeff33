//! The keys of `columns` and `texts`: what is kept of an attribute beside its rows.

use std::borrow::Cow;

use super::{FormatError, KeyFormat, Reader};
use crate::ids::{AttributeId, BlockId, PartitionId, UserId};

/// What the keys of everything that `columns` or `texts` has of an attribute begin with.
pub(crate) fn attribute_prefix(partition: PartitionId, attribute: AttributeId) -> Vec<u8> {
    let mut out = partition.to_bytes();
    out.extend_from_slice(&attribute.0.to_be_bytes());
    out
}

/// An attribute in one block of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ColumnKey {
    pub(crate) partition: PartitionId,
    pub(crate) attribute: AttributeId,
    pub(crate) block: BlockId,
}

impl KeyFormat<'_> for ColumnKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(&self.attribute.0.to_be_bytes());
        out.extend_from_slice(&self.block.0.to_be_bytes());
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let partition = PartitionId(reader.u16()?);
        let key = Self {
            partition,
            attribute: AttributeId(reader.u32()?),
            block: BlockId(reader.u16()?),
        };
        reader.end()?;
        Ok(key)
    }
}

/// A user who has a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TextKey<'a> {
    pub(crate) partition: PartitionId,
    pub(crate) attribute: AttributeId,
    pub(crate) text: Cow<'a, str>,
    pub(crate) user: UserId,
}

/// Ends a text. Since a zero inside a text is followed by [`ZERO_INSIDE`], no text's bytes are
/// the beginning of another's, and a text sorts before its continuations.
const TEXT_END: [u8; 2] = [0, 1];
/// Follows a zero that belongs to the text.
const ZERO_INSIDE: u8 = 0xff;

impl TextKey<'_> {
    /// What the keys of all users with a text begin with.
    pub(crate) fn prefix(partition: PartitionId, attribute: AttributeId, text: &str) -> Vec<u8> {
        let mut out = attribute_prefix(partition, attribute);
        encode_text(text, &mut out);
        out
    }

    /// What [`Self::prefix`] has after the attribute's prefix.
    pub(crate) fn text_bytes(text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + TEXT_END.len());
        encode_text(text, &mut out);
        out
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(ZERO_INSIDE);
        }
    }
    out.extend_from_slice(&TEXT_END);
}

fn decode_text<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, FormatError> {
    let bytes = reader.0;
    let mut owned: Vec<u8> = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    loop {
        match bytes.get(at..) {
            Some([0, ZERO_INSIDE, ..]) => {
                owned.extend_from_slice(&bytes[copied..=at]);
                copied = at + 2;
                at += 2;
            }
            Some([0, 1, ..]) => break,
            Some([0, ..]) => return Err(FormatError::new("a zero inside a text is not marked")),
            Some([_, ..]) => at += 1,
            Some([]) | None => return Err(FormatError::new("the text does not end")),
        }
    }
    reader.0 = &bytes[at + TEXT_END.len()..];
    if copied == 0 {
        return std::str::from_utf8(&bytes[..at])
            .map(Cow::Borrowed)
            .map_err(FormatError::new);
    }
    owned.extend_from_slice(&bytes[copied..at]);
    String::from_utf8(owned)
        .map(Cow::Owned)
        .map_err(FormatError::new)
}

impl<'a> KeyFormat<'a> for TextKey<'a> {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.partition.write_to(out);
        out.extend_from_slice(&self.attribute.0.to_be_bytes());
        encode_text(&self.text, out);
        out.extend_from_slice(&self.user.0.to_be_bytes());
    }

    fn read_from(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let partition = PartitionId(reader.u16()?);
        let attribute = AttributeId(reader.u32()?);
        let text = decode_text(&mut reader)?;
        let user = UserId(reader.u32()?);
        reader.end()?;
        Ok(Self {
            partition,
            attribute,
            text,
            user,
        })
    }
}
