//! What a client is told: encoded frames, a queue bounded by bytes, and the task that writes.
//!
//! A frame that nothing waits before may be written where it is made, which spares a task its
//! turn; what the stream does not take at once is queued. Knows how much may wait for a client and
//! how long a client may leave it unread. Does not know what the frames say.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use tessera_protocol::{
    codec::{EncodeError, frame_server},
    message::ServerMessage,
};
use tokio::{
    io::AsyncWrite,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Small frames are written together up to this many bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// Nobody reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Encodes a message as a frame.
pub(super) fn encode(message: &ServerMessage, frame_bytes_max: u32) -> Result<Bytes, EncodeError> {
    let mut bytes = BytesMut::new();
    frame_server(message, frame_bytes_max, &mut bytes)?;
    Ok(bytes.freeze())
}

/// When a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// By whoever puts it, as far as the stream takes it: the client waits for nothing else.
    AtOnce,
    /// By the task that writes, together with others.
    Queued,
}

/// The end of the queue where frames go in. All clones share its room.
#[derive(Clone)]
pub(super) struct Outgoing {
    queue: mpsc::UnboundedSender<Queued>,
    stream: Arc<Stream>,
    room: Arc<Semaphore>,
    room_bytes: u32,
}

/// Room in the queue for one frame.
pub(super) struct Room {
    _bytes: OwnedSemaphorePermit,
}

struct Queued {
    frame: Bytes,
    room: Room,
}

/// The end of the queue from which the writer takes.
pub(super) struct OutgoingQueue {
    queue: mpsc::UnboundedReceiver<Queued>,
    stream: Arc<Stream>,
    room: Arc<Semaphore>,
}

type Sink = Box<dyn AsyncWrite + Send + Unpin>;

/// The stream, which the writer and those who write at once share.
struct Stream(Mutex<Line>);

/// The stream and who stands in line for it.
struct Line {
    /// `None` when nothing is written any more.
    sink: Option<Sink>,
    /// Frames that are queued and not written yet.
    queued: usize,
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

    async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll(|sink| sink.poll_write(cx, bytes))).await
    }

    async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll(|sink| sink.poll_flush(cx))).await
    }

    async fn shut_down(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll(|sink| sink.poll_shutdown(cx))).await
    }
}

impl Line {
    /// Writes what the stream takes at once, and says whether that was all. Where it was not, the
    /// writer must go on, and learns what is wrong, if something is.
    fn write_at_once(&mut self, frame: &mut Bytes) -> bool {
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

/// A queue before this stream with room for so many bytes. A frame that is longer takes all of it.
pub(super) fn queue(
    sink: impl AsyncWrite + Send + Unpin + 'static,
    room_bytes: u32,
) -> (Outgoing, OutgoingQueue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(room_bytes as usize));
    let stream = Arc::new(Stream(Mutex::new(Line {
        sink: Some(Box::new(sink)),
        queued: 0,
    })));
    let outgoing = Outgoing {
        queue: sender,
        stream: Arc::clone(&stream),
        room: Arc::clone(&room),
        room_bytes,
    };
    let queue = OutgoingQueue {
        queue: receiver,
        stream,
        room,
    };
    (outgoing, queue)
}

impl Outgoing {
    /// Waits for room for a frame of this length, behind all who wait already.
    pub(super) async fn room(&self, frame_bytes: usize) -> Result<Room, Gone> {
        let bytes = self.counted(frame_bytes);
        let permit = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        permit.map(|bytes| Room { _bytes: bytes }).map_err(|_| Gone)
    }

    /// Room for a frame of this length, if it is there and nobody waits for it.
    pub(super) fn room_now(&self, frame_bytes: usize) -> Option<Room> {
        let bytes = self.counted(frame_bytes);
        let permit = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        permit.map(|bytes| Room { _bytes: bytes }).ok()
    }

    fn counted(&self, frame_bytes: usize) -> u32 {
        u32::try_from(frame_bytes)
            .unwrap_or(u32::MAX)
            .min(self.room_bytes)
    }

    /// Puts a frame into its room. Never waits.
    pub(super) fn put(&self, room: Room, mut frame: Bytes, sending: Sending) {
        // Until the frame has its place in the queue, so that no other gets before it.
        let mut line = self.stream.lock();
        if sending == Sending::AtOnce && line.write_at_once(&mut frame) {
            return;
        }
        line.queued += 1;
        // Where the writer has ended there is nobody left to tell.
        let _unread = self.queue.send(Queued { frame, room });
    }

    /// Waits for room and puts the frame there.
    pub(super) async fn send(&self, frame: Bytes) -> Result<(), Gone> {
        let room = self.room(frame.len()).await?;
        self.put(room, frame, Sending::Queued);
        Ok(())
    }

    /// Gives nobody room any more.
    pub(super) fn close(&self) {
        self.room.close();
    }

    /// Closes the queue without keeping its writer waiting for more.
    pub(super) fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.room))
    }
}

/// See [`Outgoing::closer`].
pub(super) struct Closer(Arc<Semaphore>);

impl Closer {
    /// Gives nobody room any more.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// Writes what the queue holds until all senders are gone, then ends the stream. `gone` is
/// cancelled when the client cannot be told anything any more.
pub(super) async fn write_all(
    mut queue: OutgoingQueue,
    stall_timeout: Duration,
    gone: CancellationToken,
) {
    let closing = CloseOnExit(Arc::clone(&queue.stream));
    let outcome = write_queue(&mut queue, stall_timeout).await;
    queue.room.close();
    drop(closing);
    if let Err(error) = outcome {
        tracing::debug!(%error, "the client cannot be told anything any more");
        gone.cancel();
    }
}

/// Closes the stream, even if the writer is given up.
struct CloseOnExit(Arc<Stream>);

impl Drop for CloseOnExit {
    fn drop(&mut self) {
        self.0.lock().sink = None;
    }
}

async fn write_queue(queue: &mut OutgoingQueue, stall_timeout: Duration) -> io::Result<()> {
    let stream = Arc::clone(&queue.stream);
    let mut rooms = Vec::new();
    let mut batch = BytesMut::new();
    while let Some(first) = queue.queue.recv().await {
        rooms.push(first.room);
        if first.frame.len() >= WRITE_BYTES {
            write_slowly(&stream, &first.frame, stall_timeout).await?;
        } else {
            batch.extend_from_slice(&first.frame);
            while batch.len() < WRITE_BYTES
                && let Ok(next) = queue.queue.try_recv()
            {
                batch.extend_from_slice(&next.frame);
                rooms.push(next.room);
            }
            write_slowly(&stream, &batch, stall_timeout).await?;
            batch.clear();
        }
        stream.lock().queued -= rooms.len();
        rooms.clear();
    }
    timeout(stall_timeout, stream.shut_down()).await?
}

/// Writes all bytes; every so long at least one must go.
async fn write_slowly(
    stream: &Stream,
    mut bytes: &[u8],
    stall_timeout: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match timeout(stall_timeout, stream.write(bytes)).await?? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    timeout(stall_timeout, stream.flush()).await?
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use tokio::io::AsyncReadExt as _;

    use super::*;

    async fn put(outgoing: &Outgoing, frame: &'static [u8], sending: Sending) {
        let room = outgoing.room(frame.len()).await.ok().unwrap();
        outgoing.put(room, Bytes::from_static(frame), sending);
    }

    fn write(queue: OutgoingQueue) -> tokio::task::JoinHandle<()> {
        tokio::spawn(write_all(
            queue,
            Duration::from_secs(600),
            CancellationToken::new(),
        ))
    }

    #[tokio::test]
    async fn what_is_written_at_once_needs_no_writer() {
        let (sink, mut client) = tokio::io::duplex(64);
        let (outgoing, queue) = queue(sink, 1024);
        put(&outgoing, b"one", Sending::AtOnce).await;
        let mut read = [0; 3];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one");
        assert_eq!(queue.stream.lock().queued, 0);
    }

    #[tokio::test]
    async fn frames_keep_their_order_however_they_are_sent() {
        let (sink, mut client) = tokio::io::duplex(4);
        let (outgoing, queue) = queue(sink, 1024);
        let frames: [(&[u8], Sending); 5] = [
            (b"1", Sending::AtOnce),
            // More than the stream takes: the rest is queued.
            (b"2345678", Sending::AtOnce),
            (b"9", Sending::AtOnce),
            (b"ab", Sending::Queued),
            (b"c", Sending::AtOnce),
        ];
        for (frame, sending) in frames {
            put(&outgoing, frame, sending).await;
        }
        assert_eq!(queue.stream.lock().queued, 4);
        let written = write(queue);
        let mut read = [0; 12];
        client.read_exact(&mut read).await.unwrap();
        put(&outgoing, b"d", Sending::Queued).await;
        drop(outgoing);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        written.await.unwrap();
        assert_eq!([&read[..], &rest[..]].concat(), b"123456789abcd");
    }

    #[tokio::test]
    async fn a_writer_that_is_given_up_closes_the_stream() {
        let (sink, mut client) = tokio::io::duplex(4);
        let (outgoing, queue) = queue(sink, 1024);
        put(&outgoing, b"much too long", Sending::Queued).await;
        let written = write(queue);
        let mut read = [0; 4];
        client.read_exact(&mut read).await.unwrap();
        written.abort();
        assert!(written.await.unwrap_err().is_cancelled());
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert!(rest.len() < "too long".len() + 4);
        put(&outgoing, b"late", Sending::AtOnce).await;
    }
}
