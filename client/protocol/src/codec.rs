//! Messages ⇄ the bytes of a frame: bincode 2, standard configuration, nothing left over.
//!
//! Knows how much memory bytes from a stranger may claim. Does not know frames' lengths on the
//! stream (see [`crate::frame`], whose length prefix [`frame_client`] and [`frame_server`] write)
//! or which message is allowed when.
//!
//! **The claim limit.** A claimed length of a list must not decide how much memory is asked for:
//! without a limit, bincode aborts the process on a list that claims 2^40 elements. The limit has
//! to be a constant of the program and counts memory, not bytes on the wire: an element that
//! takes one byte on the wire takes up to 40 in memory. So there is a ladder of limits, and the
//! length of the bytes at hand picks the lowest one under which any honest message of that length
//! decodes. A lie of `n` bytes can thus ask for at most about `200 × n` bytes, and gets them only
//! for as long as it takes to see that the elements are not there.

use bincode::{
    config,
    de::Decode,
    enc::{Encode, write::Writer},
    error::{DecodeError as BinDecodeError, EncodeError as BinEncodeError},
};
use bytes::{BufMut, BytesMut};

use crate::{
    frame::{FRAME_BYTES_LIMIT, LENGTH_BYTES},
    message::{ClientMessage, RequestBody, RequestId, ServerMessage},
};

/// The most memory one byte of an honest message can stand for: an empty mutation is two bytes
/// on the wire and 80 in memory; 48 leaves room for one more field.
const MEMORY_PER_WIRE_BYTE: usize = 48;

/// Why a message has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The peer would refuse the frame.
    #[error("the message is longer than the {frame_bytes_max} bytes the peer takes")]
    TooLong {
        /// The length allowed.
        frame_bytes_max: u32,
    },
    /// The message cannot be said in the format at all.
    #[error("the message cannot be encoded: {0}")]
    Unsayable(String),
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside the message.
    #[error("the message ends too early")]
    Truncated,
    /// Bytes are left after the message.
    #[error("{0} bytes are left after the message")]
    Trailing(usize),
    /// A list or a text claims more elements than the bytes can hold.
    #[error("a length in the message is more than the message can hold")]
    Claim,
    /// More bytes than any frame may have.
    #[error("{0} bytes are more than any frame may have")]
    TooLong(usize),
    /// A variant that does not exist, a text that is not UTF-8, a number out of its range.
    #[error("the message is malformed: {0}")]
    Malformed(String),
}

/// Appends what a client says, without a frame's length.
///
/// # Errors
/// The message is longer than [`FRAME_BYTES_LIMIT`]; nothing is appended then.
pub fn encode_client(message: &ClientMessage, out: &mut BytesMut) -> Result<(), EncodeError> {
    encode(message, FRAME_BYTES_LIMIT, out)
}

/// Appends what a server says, without a frame's length.
///
/// # Errors
/// The message is longer than [`FRAME_BYTES_LIMIT`]; nothing is appended then.
pub fn encode_server(message: &ServerMessage, out: &mut BytesMut) -> Result<(), EncodeError> {
    encode(message, FRAME_BYTES_LIMIT, out)
}

/// Appends what a client says as a whole frame, length and bytes.
///
/// # Errors
/// The message is longer than `frame_bytes_max`; nothing is appended then.
pub fn frame_client(
    message: &ClientMessage,
    frame_bytes_max: u32,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    frame(message, frame_bytes_max, out)
}

/// Appends [`ClientMessage::Request`] as a whole frame without owning its body, so that one body
/// can be sent again under another id.
///
/// # Errors
/// The message is longer than `frame_bytes_max`; nothing is appended then.
pub fn frame_request(
    head: RequestHead,
    body: &RequestBody,
    frame_bytes_max: u32,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    // A variant's index and then its fields: the same bytes as the enum itself has.
    const REQUEST_VARIANT: u32 = 1;
    let request = (
        REQUEST_VARIANT,
        head.id,
        head.deadline_ms,
        head.rows_messages_credit,
        body,
    );
    frame(&request, frame_bytes_max, out)
}

/// A [`crate::message::Request`] without its body; the fields mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHead {
    /// Not in use by another request under way.
    pub id: RequestId,
    /// Time the server may take from arrival; 0 for the server's own limit.
    pub deadline_ms: u32,
    /// `Rows` messages the server may send before it needs further credit.
    pub rows_messages_credit: u32,
}

/// Appends what a server says as a whole frame, length and bytes.
///
/// # Errors
/// The message is longer than `frame_bytes_max`; nothing is appended then.
pub fn frame_server(
    message: &ServerMessage,
    frame_bytes_max: u32,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    frame(message, frame_bytes_max, out)
}

/// Reads what a client said from the whole bytes of a frame.
///
/// # Errors
/// Says why the bytes are not exactly one message.
pub fn decode_client(bytes: &[u8]) -> Result<ClientMessage, DecodeError> {
    decode(bytes)
}

/// Reads what a server said from the whole bytes of a frame.
///
/// # Errors
/// Says why the bytes are not exactly one message.
pub fn decode_server(bytes: &[u8]) -> Result<ServerMessage, DecodeError> {
    decode(bytes)
}

/// Writes into a buffer up to a limit, and knows whether the limit was the reason to stop.
struct LimitedWriter<'a> {
    out: &'a mut BytesMut,
    left: usize,
    overrun: Overrun,
}

#[derive(PartialEq, Eq)]
enum Overrun {
    No,
    Yes,
}

impl Writer for LimitedWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BinEncodeError> {
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            self.overrun = Overrun::Yes;
            return Err(BinEncodeError::UnexpectedEnd);
        };
        self.left = left;
        self.out.put_slice(bytes);
        Ok(())
    }
}

fn encode(
    message: &impl Encode,
    frame_bytes_max: u32,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let start = out.len();
    let left = frame_bytes_max.min(FRAME_BYTES_LIMIT) as usize;
    let mut writer = LimitedWriter {
        out,
        left,
        overrun: Overrun::No,
    };
    let outcome = bincode::encode_into_writer(message, &mut writer, config::standard());
    let overrun = writer.overrun;
    outcome.map_err(|error| {
        out.truncate(start);
        match overrun {
            Overrun::Yes => EncodeError::TooLong { frame_bytes_max },
            Overrun::No => EncodeError::Unsayable(unsayable(error)),
        }
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "bincode's enum is open, and only what our own types say is for people"
)]
fn unsayable(error: BinEncodeError) -> String {
    match error {
        BinEncodeError::OtherString(reason) => reason,
        other => other.to_string(),
    }
}

fn frame(
    message: &impl Encode,
    frame_bytes_max: u32,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.put_u32_le(0);
    if let Err(error) = encode(message, frame_bytes_max, out) {
        out.truncate(start);
        return Err(error);
    }
    let body_bytes = out.len() - start - LENGTH_BYTES;
    let length = u32::try_from(body_bytes).map_err(|_| EncodeError::TooLong { frame_bytes_max })?;
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Decodes under the lowest limit of the ladder that no honest message of this length reaches.
fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, DecodeError> {
    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;
    if bytes.len() > FRAME_BYTES_LIMIT as usize {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    let length = bytes.len();
    if length <= 64 {
        decode_within::<T, { 64 * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= 256 {
        decode_within::<T, { 256 * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= KIB {
        decode_within::<T, { KIB * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= 4 * KIB {
        decode_within::<T, { 4 * KIB * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= 16 * KIB {
        decode_within::<T, { 16 * KIB * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= 64 * KIB {
        decode_within::<T, { 64 * KIB * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= 256 * KIB {
        decode_within::<T, { 256 * KIB * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= MIB {
        decode_within::<T, { MIB * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= 4 * MIB {
        decode_within::<T, { 4 * MIB * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else if length <= 16 * MIB {
        decode_within::<T, { 16 * MIB * MEMORY_PER_WIRE_BYTE }>(bytes)
    } else {
        decode_within::<T, { (64 * MIB).saturating_mul(MEMORY_PER_WIRE_BYTE) }>(bytes)
    }
}

fn decode_within<T: Decode<()>, const LIMIT: usize>(bytes: &[u8]) -> Result<T, DecodeError> {
    let config = config::standard().with_limit::<LIMIT>();
    let (message, used) = bincode::decode_from_slice(bytes, config).map_err(explain)?;
    match bytes.len() - used {
        0 => Ok(message),
        left => Err(DecodeError::Trailing(left)),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "bincode's enum is open, and of its kinds only four differ for a peer"
)]
fn explain(error: BinDecodeError) -> DecodeError {
    match error {
        BinDecodeError::UnexpectedEnd { .. } => DecodeError::Truncated,
        BinDecodeError::LimitExceeded | BinDecodeError::OutsideUsizeRange(_) => DecodeError::Claim,
        BinDecodeError::OtherString(reason) => DecodeError::Malformed(reason),
        other => DecodeError::Malformed(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::message::{Datum, Mutation, Request, UnknownTags};

    #[test]
    fn no_element_takes_more_memory_than_its_bytes_may_stand_for() {
        let check = |memory_bytes: usize, wire_bytes_min: usize| {
            assert!(
                memory_bytes <= wire_bytes_min * MEMORY_PER_WIRE_BYTE,
                "{memory_bytes}"
            );
        };
        check(size_of::<Datum>(), 1);
        check(size_of::<Vec<Datum>>(), 1);
        check(size_of::<String>(), 1);
        check(size_of::<(String, Datum)>(), 2);
        check(size_of::<Mutation>(), 2);
        check(size_of::<crate::message::Parameter>(), 2);
        check(size_of::<crate::message::Column>(), 2);
    }

    #[test]
    fn the_densest_messages_decode_at_every_step_of_the_ladder() {
        for rows in [
            1_usize, 58, 63, 250, 1020, 4090, 16_380, 65_530, 262_140, 1_048_570,
        ] {
            let nulls = ServerMessage::Rows {
                id: RequestId(0),
                rows: vec![vec![Datum::Null; rows]],
            };
            let empties = ServerMessage::Rows {
                id: RequestId(0),
                rows: vec![vec![]; rows],
            };
            let lists = ServerMessage::Rows {
                id: RequestId(0),
                rows: vec![vec![Datum::List(vec![String::new(); rows])]],
            };
            for message in [nulls, empties, lists] {
                let mut bytes = BytesMut::new();
                encode_server(&message, &mut bytes).unwrap();
                assert_eq!(decode_server(&bytes), Ok(message), "{rows}");
            }
        }
    }

    #[test]
    fn a_message_that_does_not_fit_leaves_nothing_behind() {
        let message = ClientMessage::Cancel { id: RequestId(7) };
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(
            frame_client(&message, 1, &mut out),
            Err(EncodeError::TooLong { frame_bytes_max: 1 })
        );
        assert_eq!(&out[..], b"before");
        frame_client(&message, 2, &mut out).unwrap();
        assert_eq!(&out[..], b"before\x02\0\0\0\x03\x07");
    }

    #[test]
    fn a_request_framed_by_its_parts_is_the_request() {
        let body = RequestBody::Write {
            idempotency_key: Some([7; 16]),
            unknown_tags: UnknownTags::Define,
            mutations: vec![Mutation::Ensure {
                user: "u1".to_owned(),
            }],
        };
        let head = RequestHead {
            id: RequestId(300),
            deadline_ms: 70_000,
            rows_messages_credit: 4,
        };
        let mut by_parts = BytesMut::new();
        frame_request(head, &body, 1000, &mut by_parts).unwrap();
        let whole = ClientMessage::Request(Request {
            id: head.id,
            deadline_ms: head.deadline_ms,
            rows_messages_credit: head.rows_messages_credit,
            body,
        });
        assert_eq!(decode_client(&by_parts[LENGTH_BYTES..]), Ok(whole));
    }

    #[test]
    fn claimed_lengths_are_refused_before_memory_is_asked_for() {
        let check = |bytes: &[u8], expected: DecodeError| {
            assert_eq!(decode_server(bytes), Err(expected), "{bytes:x?}");
        };
        let huge = [253, 0, 0, 0, 0, 0, 1, 0, 0];
        // Rows { id: 0, rows: 2^40 rows }
        check(&[&[3, 0], &huge[..]].concat(), DecodeError::Claim);
        // Rows { id: 0, rows: [2^40 values] }
        check(&[&[3, 0, 1], &huge[..]].concat(), DecodeError::Claim);
        // Rows { id: 0, rows: [[List of 2^40]] }
        check(&[&[3, 0, 1, 1, 8], &huge[..]].concat(), DecodeError::Claim);
        // Rows { id: 0, rows: [[Text of 2^40]] }
        check(&[&[3, 0, 1, 1, 5], &huge[..]].concat(), DecodeError::Claim);
        // Many lists that claim a little each, within one frame.
        check(&[3, 0, 200, 200, 200, 200], DecodeError::Claim);
        // Lengths that fit the limit but not the bytes.
        check(&[3, 0, 1, 9, 0], DecodeError::Truncated);
    }

    #[test]
    fn bytes_beside_a_message_are_refused() {
        assert_eq!(decode_client(&[4]), Ok(ClientMessage::Goodbye));
        assert_eq!(decode_client(&[4, 0]), Err(DecodeError::Trailing(1)));
        assert_eq!(decode_client(&[]), Err(DecodeError::Truncated));
        assert!(matches!(
            decode_client(&[5]),
            Err(DecodeError::Malformed(_))
        ));
        let long = vec![0; FRAME_BYTES_LIMIT as usize + 1];
        assert_eq!(decode_client(&long), Err(DecodeError::TooLong(long.len())));
    }
}
