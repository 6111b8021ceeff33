//! The keys of `schema`: definitions and values.

use bincode::{Decode, Encode};

use super::{FormatError, KeyFormat, Reader};
use crate::ids::{AttributeId, EventId, FormId, GroupId, SegmentId, TagId, ValueCode};

/// A definition, or a value in a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) enum SchemaKey {
    Tag(TagId),
    Group(GroupId),
    Attribute(AttributeId),
    Segment(SegmentId),
    /// The attribute may be a property of a kind of event.
    Value(AttributeId, ValueCode),
    Event(EventId),
    Form(FormId),
}

const SCHEMA_TAG: u8 = 0;
const SCHEMA_GROUP: u8 = 1;
const SCHEMA_ATTRIBUTE: u8 = 2;
const SCHEMA_SEGMENT: u8 = 3;
const SCHEMA_VALUE: u8 = 4;
const SCHEMA_EVENT: u8 = 5;
const SCHEMA_FORM: u8 = 6;

impl SchemaKey {
    /// What the keys of all values of an attribute begin with.
    pub(crate) fn values_prefix(attribute: AttributeId) -> Vec<u8> {
        let mut out = vec![SCHEMA_VALUE];
        out.extend_from_slice(&attribute.0.to_be_bytes());
        out
    }
}

impl KeyFormat<'_> for SchemaKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        let (kind, id, code) = match *self {
            Self::Tag(id) => (SCHEMA_TAG, id.0, None),
            Self::Group(id) => (SCHEMA_GROUP, id.0, None),
            Self::Attribute(id) => (SCHEMA_ATTRIBUTE, id.0, None),
            Self::Segment(id) => (SCHEMA_SEGMENT, id.0, None),
            Self::Value(id, code) => (SCHEMA_VALUE, id.0, Some(code.0)),
            Self::Event(id) => (SCHEMA_EVENT, id.0, None),
            Self::Form(id) => (SCHEMA_FORM, id.0, None),
        };
        out.push(kind);
        out.extend_from_slice(&id.to_be_bytes());
        if let Some(code) = code {
            out.extend_from_slice(&code.to_be_bytes());
        }
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader(bytes);
        let kind = reader.u8()?;
        let id = reader.u32()?;
        let key = match kind {
            SCHEMA_TAG => Self::Tag(TagId(id)),
            SCHEMA_GROUP => Self::Group(GroupId(id)),
            SCHEMA_ATTRIBUTE => Self::Attribute(AttributeId(id)),
            SCHEMA_SEGMENT => Self::Segment(SegmentId(id)),
            SCHEMA_VALUE => Self::Value(AttributeId(id), ValueCode(reader.u32()?)),
            SCHEMA_EVENT => Self::Event(EventId(id)),
            SCHEMA_FORM => Self::Form(FormId(id)),
            unknown => {
                return Err(FormatError::new(format!(
                    "{unknown} is not a kind of definition"
                )));
            }
        };
        reader.end()?;
        Ok(key)
    }
}
