//! Frames: a stream of bytes cut into messages' bytes.
//!
//! A frame is a length (`u32`, little-endian) and so many bytes. Knows when a frame is whole and
//! when its length is not allowed. Does not know what the bytes of a frame mean.

use bytes::{Buf, BufMut, BytesMut};

/// The bytes of the length before each frame.
pub const LENGTH_BYTES: usize = 4;

/// The longest frame that any peer may be configured to take, in bytes after the length.
pub const FRAME_BYTES_LIMIT: u32 = 64 * 1024 * 1024;

/// The longest frame a peer takes if nothing else is configured, in bytes after the length.
pub const FRAME_BYTES_MAX_DEFAULT: u32 = 8 * 1024 * 1024;

/// The longest frame that may carry the first message of a connection: no stranger gets more.
pub const FIRST_FRAME_BYTES_MAX: u32 = 4096;

/// Room that a stream keeps between frames, about.
const KEPT_BYTES: usize = 64 * 1024;

/// Why bytes are not frames. Nothing that follows in the stream can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message has at least one byte.
    #[error("a frame of no bytes")]
    Empty,
    /// The length is beyond what this side takes. Said before the frame's bytes arrive.
    #[error("a frame of {length} bytes, where at most {frame_bytes_max} are taken")]
    TooLong {
        /// The length claimed.
        length: u32,
        /// The length allowed.
        frame_bytes_max: u32,
    },
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame, after {received} of its bytes")]
    Truncated {
        /// Bytes of the unfinished frame that did arrive, the length's own included.
        received: usize,
    },
}

/// Cuts bytes into frames, however they arrive.
///
/// Memory grows with the bytes that arrived, never by a length that was only claimed. After an
/// error the decoder stays at it: the stream has no place to start again from.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: BytesMut,
    frame_bytes_max: u32,
    /// Bytes still to come that belong to a frame which nobody wants.
    skipping: usize,
    broken: Option<FrameError>,
}

/// A frame of which not all bytes have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished<'a> {
    /// Its length.
    pub frame_bytes: usize,
    /// Its first bytes, as far as they have arrived.
    pub received: &'a [u8],
}

impl FrameDecoder {
    /// A decoder at the start of a stream, which takes frames up to `frame_bytes_max` (and in no
    /// case beyond [`FRAME_BYTES_LIMIT`]).
    pub fn new(frame_bytes_max: u32) -> Self {
        let frame_bytes_max = frame_bytes_max.min(FRAME_BYTES_LIMIT);
        Self {
            buffer: BytesMut::new(),
            frame_bytes_max,
            skipping: 0,
            broken: None,
        }
    }

    /// From the next frame on, takes frames up to another length: the handshake is over.
    pub fn set_frame_bytes_max(&mut self, frame_bytes_max: u32) {
        self.frame_bytes_max = frame_bytes_max.min(FRAME_BYTES_LIMIT);
    }

    /// Takes bytes of the stream, in their order.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where a socket may append bytes of the stream by itself, instead of [`Self::feed`].
    /// Nothing else may be done with it. Read only when [`Self::next_frame`] has no more frames,
    /// and the buffer holds at most one frame and one read.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole frame without its length, or `None` when more bytes must come first.
    ///
    /// # Errors
    /// Says why the stream cannot be understood from here on, each time it is asked.
    pub fn next_frame(&mut self) -> Result<Option<BytesMut>, FrameError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        if self.skipping > 0 {
            let skipped = self.skipping.min(self.buffer.len());
            self.buffer.advance(skipped);
            self.skipping -= skipped;
            if self.skipping > 0 {
                return Ok(None);
            }
        }
        let Some(prefix) = self.buffer.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*prefix);
        if let Err(error) = check_length(length, self.frame_bytes_max) {
            self.broken = Some(error);
            self.buffer = BytesMut::new();
            return Err(error);
        }
        let body_bytes = length as usize;
        if self.buffer.len() - LENGTH_BYTES < body_bytes {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        let frame = self.buffer.split_to(body_bytes);
        if body_bytes > KEPT_BYTES {
            // Else the room of a long frame would stay for as long as the stream does.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(Some(frame))
    }

    /// The frame whose bytes are arriving, once its length is known and allowed.
    pub fn unfinished(&self) -> Option<Unfinished<'_>> {
        if self.skipping > 0 || self.broken.is_some() {
            return None;
        }
        let (prefix, received) = self.buffer.split_first_chunk::<LENGTH_BYTES>()?;
        let frame_bytes = u32::from_le_bytes(*prefix) as usize;
        (received.len() < frame_bytes).then_some(Unfinished {
            frame_bytes,
            received,
        })
    }

    /// Forgets the unfinished frame and what will come of it; the next one is read as ever.
    /// Without an unfinished frame this does nothing.
    pub fn skip_unfinished(&mut self) {
        if let Some(unfinished) = self.unfinished() {
            self.skipping = unfinished.frame_bytes - unfinished.received.len();
            self.buffer = BytesMut::new();
        }
    }

    /// Whether the stream is inside a frame, a skipped one included.
    pub fn is_inside_frame(&self) -> bool {
        self.skipping > 0 || !self.buffer.is_empty()
    }

    /// Called when the stream has ended, after the last frame was taken.
    ///
    /// # Errors
    /// The stream ended inside a frame, or was broken before.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.broken {
            Some(error) => Err(error),
            None if !self.is_inside_frame() => Ok(()),
            None => Err(FrameError::Truncated {
                received: self.buffer.len(),
            }),
        }
    }
}

fn check_length(length: u32, frame_bytes_max: u32) -> Result<(), FrameError> {
    if length == 0 {
        return Err(FrameError::Empty);
    }
    if length > frame_bytes_max {
        return Err(FrameError::TooLong {
            length,
            frame_bytes_max,
        });
    }
    Ok(())
}

/// Appends a frame of these bytes.
///
/// # Errors
/// The bytes are none or more than `frame_bytes_max`; nothing is appended then.
pub fn encode_frame(
    body: &[u8],
    frame_bytes_max: u32,
    out: &mut BytesMut,
) -> Result<(), FrameError> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    check_length(length, frame_bytes_max.min(FRAME_BYTES_LIMIT))?;
    out.reserve(LENGTH_BYTES + body.len());
    out.put_u32_le(length);
    out.put_slice(body);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn a_length_is_judged_before_the_body_arrives() {
        let check = |length: u32, frame_bytes_max: u32, expected: Result<(), FrameError>| {
            let mut decoder = FrameDecoder::new(frame_bytes_max);
            decoder.feed(&length.to_le_bytes());
            let first = decoder.next_frame();
            assert_eq!(
                first.map(|frame| assert!(frame.is_none())),
                expected,
                "{length}"
            );
            assert_eq!(decoder.next_frame().map(|_| ()), expected, "asked again");
        };
        check(1, 100, Ok(()));
        check(100, 100, Ok(()));
        check(0, 100, Err(FrameError::Empty));
        check(
            101,
            100,
            Err(FrameError::TooLong {
                length: 101,
                frame_bytes_max: 100,
            }),
        );
        check(
            u32::MAX,
            u32::MAX,
            Err(FrameError::TooLong {
                length: u32::MAX,
                frame_bytes_max: FRAME_BYTES_LIMIT,
            }),
        );
    }

    #[test]
    fn memory_follows_what_arrived_not_what_was_claimed() {
        let mut decoder = FrameDecoder::new(FRAME_BYTES_LIMIT);
        decoder.feed(&FRAME_BYTES_LIMIT.to_le_bytes());
        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(decoder.buffer_mut().capacity() < 1024);
    }

    #[test]
    fn frames_come_out_whole_and_in_order() {
        let mut bytes = BytesMut::new();
        encode_frame(b"one", 10, &mut bytes).unwrap();
        encode_frame(b"two two", 10, &mut bytes).unwrap();
        assert_eq!(&bytes[..7], b"\x03\0\0\0one");
        let mut decoder = FrameDecoder::new(10);
        decoder.feed(&bytes[..9]);
        assert_eq!(decoder.next_frame().unwrap().unwrap(), &b"one"[..]);
        assert_eq!(decoder.next_frame(), Ok(None));
        assert_eq!(decoder.finish(), Err(FrameError::Truncated { received: 2 }));
        decoder.feed(&bytes[9..]);
        assert_eq!(decoder.next_frame().unwrap().unwrap(), &b"two two"[..]);
        assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn a_frame_nobody_wants_is_skipped_and_the_next_is_read() {
        let mut decoder = FrameDecoder::new(10);
        decoder.skip_unfinished();
        decoder.feed(b"\x06\0\0\0abc");
        assert_eq!(decoder.next_frame(), Ok(None));
        let unfinished = Unfinished {
            frame_bytes: 6,
            received: b"abc",
        };
        assert_eq!(decoder.unfinished(), Some(unfinished));
        decoder.skip_unfinished();
        assert!(decoder.is_inside_frame());
        assert_eq!(decoder.finish(), Err(FrameError::Truncated { received: 0 }));
        decoder.feed(b"de");
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.feed(b"f\x01\0\0\0g");
        assert_eq!(decoder.next_frame().unwrap().unwrap(), &b"g"[..]);
        assert!(!decoder.is_inside_frame());
        assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn the_room_of_a_long_frame_is_given_back() {
        let mut decoder = FrameDecoder::new(FRAME_BYTES_LIMIT);
        let body = vec![7; 1 << 20];
        let mut bytes = BytesMut::new();
        encode_frame(&body, FRAME_BYTES_LIMIT, &mut bytes).unwrap();
        decoder.feed(&bytes);
        decoder.feed(b"\x01\0");
        assert_eq!(decoder.next_frame().unwrap().unwrap(), &body[..]);
        decoder.buffer_mut().reserve(1024);
        assert!(decoder.buffer_mut().capacity() < 1 << 16);
        decoder.feed(b"\0\0g");
        assert_eq!(decoder.next_frame().unwrap().unwrap(), &b"g"[..]);
    }

    #[test]
    fn the_limit_can_grow_after_the_handshake() {
        let mut decoder = FrameDecoder::new(2);
        decoder.set_frame_bytes_max(3);
        decoder.feed(b"\x03\0\0\0abc");
        assert_eq!(decoder.next_frame().unwrap().unwrap(), &b"abc"[..]);
    }

    #[test]
    fn a_body_that_does_not_fit_is_not_written() {
        let mut out = BytesMut::new();
        assert_eq!(encode_frame(b"", 10, &mut out), Err(FrameError::Empty));
        assert_eq!(
            encode_frame(b"abc", 2, &mut out),
            Err(FrameError::TooLong {
                length: 3,
                frame_bytes_max: 2
            })
        );
        assert!(out.is_empty());
    }
}
