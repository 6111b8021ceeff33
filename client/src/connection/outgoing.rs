//! What the server is told: a queue of frames, and the stream behind it.
//!
//! A frame that nothing waits before may be written where it is made, which spares a task its turn;
//! what the stream does not take at once is queued. Knows the order of frames. Does not know what
//! they say.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncWrite, WriteHalf},
    sync::mpsc,
};

use crate::dial::Transport;

/// Small frames are written together up to this many bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// When a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// By whoever puts it, as far as the stream takes it: nothing else is under way.
    AtOnce,
    /// By the task that writes, together with others.
    Queued,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The queue is full. Part of the frame may be written: the stream is of no use any more.
    Full,
    /// Nobody writes any more.
    Closed,
}

/// The end of the queue where frames go in. All clones share it.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    queue: mpsc::Sender<BytesMut>,
    stream: Arc<Stream>,
}

/// The end of the queue from which the writer takes.
#[derive(Debug)]
pub(super) struct OutgoingQueue {
    queue: mpsc::Receiver<BytesMut>,
    stream: Arc<Stream>,
}

type Sink = WriteHalf<Box<dyn Transport>>;

/// The stream, which the writer and those who write at once share.
struct Stream(Mutex<Line>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// The stream and who stands in line for it.
struct Line {
    /// `None` when nothing is written any more.
    sink: Option<Sink>,
    /// Frames that are queued and not written yet.
    queued: usize,
}

/// A queue before this stream with room for so many frames.
pub(super) fn queue(sink: Sink, frames_max: usize) -> (Outgoing, OutgoingQueue) {
    let (sender, receiver) = mpsc::channel(frames_max);
    let stream = Arc::new(Stream(Mutex::new(Line {
        sink: Some(sink),
        queued: 0,
    })));
    let outgoing = Outgoing {
        queue: sender,
        stream: Arc::clone(&stream),
    };
    let queue = OutgoingQueue {
        queue: receiver,
        stream,
    };
    (outgoing, queue)
}

impl Outgoing {
    /// Puts a frame behind all that were put before. Never waits.
    pub(super) fn put(&self, mut frame: BytesMut, sending: Sending) -> Result<(), NotTaken> {
        // Until the frame has its place in the queue, so that no other gets before it.
        let mut line = self.stream.lock();
        if sending == Sending::AtOnce && line.write_at_once(&mut frame) {
            return Ok(());
        }
        self.queue.try_send(frame).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotTaken::Full,
            mpsc::error::TrySendError::Closed(_) => NotTaken::Closed,
        })?;
        line.queued += 1;
        Ok(())
    }
}

impl Stream {
    /// Held for a single write at most. Every change is a single step, so a panic elsewhere leaves
    /// it whole.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll<T>(
        &self,
        poll: impl FnOnce(Pin<&mut Sink>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.lock().sink {
            Some(sink) => poll(Pin::new(sink)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Line {
    /// Writes what the stream takes at once, and says whether that was all. Where it was not, the
    /// writer must go on, and learns what is wrong, if something is.
    fn write_at_once(&mut self, frame: &mut BytesMut) -> bool {
        let Some(sink) = self.sink.as_mut().filter(|_| self.queued == 0) else {
            return false;
        };
        let mut cx = Context::from_waker(Waker::noop());
        while !frame.is_empty() {
            match Pin::new(&mut *sink).poll_write(&mut cx, frame) {
                Poll::Ready(Ok(written @ 1..)) => frame.advance(written),
                Poll::Ready(Ok(0) | Err(_)) | Poll::Pending => return false,
            }
        }
        matches!(Pin::new(sink).poll_flush(&mut cx), Poll::Ready(Ok(())))
    }
}

impl OutgoingQueue {
    /// Writes what is queued until nobody can queue anything any more, then `last`, and ends the
    /// stream.
    pub(super) async fn write_all(&mut self, last: &[u8]) -> io::Result<()> {
        while let Some(mut batch) = self.queue.recv().await {
            let mut frames = 1;
            while batch.len() < WRITE_BYTES
                && let Ok(next) = self.queue.try_recv()
            {
                batch.extend_from_slice(&next);
                frames += 1;
            }
            self.write(&batch).await?;
            self.stream.lock().queued -= frames;
        }
        self.write(last).await?;
        poll_fn(|cx| self.stream.poll(|sink| sink.poll_shutdown(cx))).await
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match poll_fn(|cx| self.stream.poll(|sink| sink.poll_write(cx, bytes))).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written..],
            }
        }
        poll_fn(|cx| self.stream.poll(|sink| sink.poll_flush(cx))).await
    }
}

impl Drop for OutgoingQueue {
    fn drop(&mut self) {
        self.stream.lock().sink = None;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn connected(
        stream_bytes: usize,
        frames_max: usize,
    ) -> (Outgoing, OutgoingQueue, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(stream_bytes);
        let (_, sink) = tokio::io::split(Box::new(near) as Box<dyn Transport>);
        let (outgoing, queue) = queue(sink, frames_max);
        (outgoing, queue, far)
    }

    #[tokio::test]
    async fn what_is_written_at_once_needs_no_writer() {
        let (outgoing, _queue, mut far) = connected(64, 1);
        for _ in 0..3 {
            outgoing.put(b"one"[..].into(), Sending::AtOnce).unwrap();
            let mut read = [0; 3];
            far.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"one");
        }
    }

    #[tokio::test]
    async fn frames_keep_their_order_however_they_are_sent() {
        let (outgoing, mut queue, mut far) = connected(4, 4);
        for (frame, sending) in [
            ("1", Sending::AtOnce),
            // More than the stream takes: the rest is queued.
            ("2345678", Sending::AtOnce),
            ("9", Sending::AtOnce),
            ("ab", Sending::Queued),
            ("c", Sending::AtOnce),
        ] {
            outgoing.put(frame.as_bytes().into(), sending).unwrap();
        }
        let full = outgoing.put(b"d"[..].into(), Sending::AtOnce);
        assert_eq!(full, Err(NotTaken::Full));
        drop(outgoing);
        let written = tokio::spawn(async move { queue.write_all(b"!").await });
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        written.await.unwrap().unwrap();
        assert_eq!(read, b"123456789abc!");
    }

    #[tokio::test]
    async fn a_writer_that_is_given_up_closes_the_stream() {
        let (outgoing, queue, _far) = connected(64, 4);
        drop(queue);
        let late = outgoing.put(b"late"[..].into(), Sending::AtOnce);
        assert_eq!(late, Err(NotTaken::Closed));
    }
}
