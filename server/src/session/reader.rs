//! What a client says: bytes of a socket → messages.
//!
//! Knows frames and their limit. Memory grows with the bytes that arrive, not with what they
//! claim. Does not know which message is allowed when.

use std::{io, time::Duration};

use tessera_protocol::{
    codec::{DecodeError, decode_client},
    frame::{FrameDecoder, FrameError},
    message::ClientMessage,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

/// Bytes asked of the socket at a time.
const READ_BYTES: usize = 16 * 1024;

/// A message, and the length of its frame.
#[derive(Debug, PartialEq)]
pub(super) struct Received {
    pub(super) message: ClientMessage,
    pub(super) frame_bytes: usize,
}

/// Why no message came.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The bytes are no frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame holds no message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Reads messages from a socket.
pub(super) struct MessageReader<R> {
    source: R,
    decoder: FrameDecoder,
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// Takes frames up to this length.
    pub(super) fn new(source: R, frame_bytes_max: u32) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(frame_bytes_max),
        }
    }

    /// From the next frame on, takes frames up to another length.
    pub(super) fn set_frame_bytes_max(&mut self, frame_bytes_max: u32) {
        self.decoder.set_frame_bytes_max(frame_bytes_max);
    }

    /// The next message; `None` when the client has closed its side between two frames.
    /// Dropping the future before it is done loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Received>, ReadError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(Received {
                    message: decode_client(&frame)?,
                    frame_bytes: frame.len(),
                }));
            }
            let buffer = self.decoder.buffer_mut();
            buffer.reserve(READ_BYTES);
            if self.source.read_buf(buffer).await? == 0 {
                self.decoder.finish()?;
                return Ok(None);
            }
        }
    }

    /// Reads and forgets until the client closes, for at most so long: closing a socket on
    /// unread bytes would reset the connection, and the client might lose our last words.
    pub(super) async fn linger(&mut self, time: Duration) {
        let mut scratch = vec![0; READ_BYTES];
        let drain = async { while matches!(self.source.read(&mut scratch).await, Ok(1..)) {} };
        if timeout(time, drain).await.is_err() {
            tracing::debug!("the client did not close its side in time");
        }
    }
}
