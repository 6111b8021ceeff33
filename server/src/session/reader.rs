//! What a client says: bytes of a socket → messages.
//!
//! Knows frames, their limit, the time one may take, and what a message takes in memory: that is
//! taken from the budget before there is anything to keep. Does not know which message is allowed
//! when.

use std::{future::Future, io, pin::Pin, time::Duration};

use bytes::{BufMut as _, BytesMut};
use tessera_protocol::{
    codec::{DecodeError, decode_client},
    frame::{FrameDecoder, FrameError},
    message::{ClientMessage, Failure, RequestId},
    weight::weigh_client,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::{Instant, timeout, timeout_at},
};

use super::memory::{Memory, Share};
use crate::door::{Bench, Panicked};

/// Bytes asked of the socket at a time.
const READ_BYTES: usize = 16 * 1024;

/// Bytes of an unfinished frame that each connection may keep for nothing: else nobody could even
/// cancel while there is no memory left.
const FREE_BYTES: usize = 64 * 1024;

/// A longer frame is decoded on the bench: on the way it would hold up other connections.
const SHORT_FRAME_BYTES: usize = 64 * 1024;

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    /// A message, and what a request takes of the memory.
    Message(ClientMessage, Share),
    /// A request for which there is no memory. It is not kept.
    Unaffordable(RequestId, Failure),
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
    /// A frame was begun and not finished in time.
    #[error("a message was begun, but its end did not come in time")]
    Slow,
    /// There is no memory for what is not a request.
    #[error("{}", .0.message)]
    Unaffordable(Failure),
    /// A defect.
    #[error("the message could not be decoded: {0}")]
    Panicked(#[from] Panicked),
}

type Decoding = Pin<Box<dyn Future<Output = Result<Received, ReadError>> + Send + Sync>>;

/// Reads messages from a socket.
pub(super) struct MessageReader<R> {
    source: R,
    decoder: FrameDecoder,
    bench: Bench,
    /// A long frame that is being decoded.
    decoding: Option<Decoding>,
    memory: Memory,
    /// What the unfinished frame takes of the memory.
    share: Share,
    frame_timeout: Duration,
    /// Since when a frame is unfinished.
    begun: Option<Instant>,
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// Takes frames up to this length, each within this time from its first byte.
    pub(super) fn new(
        source: R,
        frame_bytes_max: u32,
        frame_timeout: Duration,
        memory: Memory,
        bench: Bench,
    ) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(frame_bytes_max),
            bench,
            decoding: None,
            memory,
            share: Share::default(),
            frame_timeout,
            begun: None,
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
            if let Some(decoding) = &mut self.decoding {
                let decoded = decoding.await;
                self.decoding = None;
                return decoded.map(Some);
            }
            if let Some(frame) = self.decoder.next_frame()? {
                self.begun = None;
                let (share, memory) = (std::mem::take(&mut self.share), self.memory.clone());
                if frame.len() <= SHORT_FRAME_BYTES {
                    return message(&frame, share, &memory).map(Some);
                }
                let bench = self.bench.clone();
                let decode = move || message(&frame, share, &memory);
                self.decoding = Some(Box::pin(async move { bench.run(decode).await? }));
                continue;
            }
            if let Some(refused) = self.pay_for_unfinished()? {
                return Ok(Some(refused));
            }
            if self.read().await? == 0 {
                self.decoder.finish()?;
                return Ok(None);
            }
        }
    }

    /// Reads some bytes; within a frame only as long as the frame has time.
    async fn read(&mut self) -> Result<usize, ReadError> {
        let inside = self.decoder.is_inside_frame();
        let buffer = self.decoder.buffer_mut();
        buffer.reserve(READ_BYTES);
        let mut place = buffer.limit(READ_BYTES);
        let read = self.source.read_buf(&mut place);
        if !inside {
            self.begun = None;
            return Ok(read.await?);
        }
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let read = timeout_at(begun + self.frame_timeout, read).await;
        Ok(read.map_err(|_| ReadError::Slow)??)
    }

    /// Takes memory for an unfinished frame as its bytes come, since its length is only a claim:
    /// up to twice what has come, as the buffer grows by doubling. A request for which there is
    /// none is forgotten.
    fn pay_for_unfinished(&mut self) -> Result<Option<Received>, ReadError> {
        let Some(unfinished) = self.decoder.unfinished() else {
            return Ok(None);
        };
        let received = unfinished.received;
        if received.len() <= FREE_BYTES {
            return Ok(None);
        }
        let bytes = unfinished.frame_bytes.min(2 * received.len());
        let Err(failure) = self.memory.grow(&mut self.share, bytes) else {
            return Ok(None);
        };
        let Some(id) = weigh_client(received).request else {
            return Err(ReadError::Unaffordable(failure));
        };
        self.decoder.skip_unfinished();
        self.share = Share::default();
        Ok(Some(Received::Unaffordable(id, failure)))
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

/// Decodes a frame once its message is paid for. The frame's own bytes are not counted beside
/// those of its message: they go as soon as the message is there.
fn message(frame: &BytesMut, mut share: Share, memory: &Memory) -> Result<Received, ReadError> {
    let weight = weigh_client(frame);
    if let Some(id) = weight.request {
        let bytes = weight.decoded_bytes.max(frame.len());
        if let Err(failure) = memory.grow(&mut share, bytes) {
            return Ok(Received::Unaffordable(id, failure));
        }
    }
    Ok(Received::Message(decode_client(frame)?, share))
}
