//! What a client is told: encoded frames, a queue bounded by bytes, and the task that writes.
//!
//! Knows how much may wait for a client and how long a client may leave it unread. Does not know
//! what the frames say.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tessera_protocol::{
    codec::{EncodeError, frame_server},
    message::ServerMessage,
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
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

/// The end of the queue where frames go in. All clones share its room.
#[derive(Clone)]
pub(super) struct Outgoing {
    queue: mpsc::UnboundedSender<Queued>,
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
    room: Arc<Semaphore>,
}

/// A queue with room for so many bytes. A frame that is longer takes all of it.
pub(super) fn queue(room_bytes: u32) -> (Outgoing, OutgoingQueue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(room_bytes as usize));
    let outgoing = Outgoing {
        queue: sender,
        room: Arc::clone(&room),
        room_bytes,
    };
    (
        outgoing,
        OutgoingQueue {
            queue: receiver,
            room,
        },
    )
}

impl Outgoing {
    /// Waits for room for a frame of this length, behind all who wait already.
    pub(super) async fn room(&self, frame_bytes: usize) -> Result<Room, Gone> {
        let bytes = u32::try_from(frame_bytes)
            .unwrap_or(u32::MAX)
            .min(self.room_bytes);
        let permit = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        permit.map(|bytes| Room { _bytes: bytes }).map_err(|_| Gone)
    }

    /// Puts a frame into its room. Never waits.
    pub(super) fn put(&self, room: Room, frame: Bytes) {
        // Where the writer has ended there is nobody left to tell.
        let _unread = self.queue.send(Queued { frame, room });
    }

    /// Waits for room and puts the frame there.
    pub(super) async fn send(&self, frame: Bytes) -> Result<(), Gone> {
        let room = self.room(frame.len()).await?;
        self.put(room, frame);
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
pub(super) async fn write_all<W: AsyncWrite + Unpin>(
    mut sink: W,
    mut queue: OutgoingQueue,
    stall_timeout: Duration,
    gone: CancellationToken,
) {
    let outcome = write_queue(&mut sink, &mut queue, stall_timeout).await;
    queue.room.close();
    if let Err(error) = outcome {
        tracing::debug!(%error, "the client cannot be told anything any more");
        gone.cancel();
    }
}

async fn write_queue<W: AsyncWrite + Unpin>(
    sink: &mut W,
    queue: &mut OutgoingQueue,
    stall_timeout: Duration,
) -> io::Result<()> {
    let mut rooms = Vec::new();
    let mut batch = BytesMut::new();
    while let Some(first) = queue.queue.recv().await {
        rooms.push(first.room);
        if first.frame.len() >= WRITE_BYTES {
            write_slowly(sink, &first.frame, stall_timeout).await?;
        } else {
            batch.extend_from_slice(&first.frame);
            while batch.len() < WRITE_BYTES
                && let Ok(next) = queue.queue.try_recv()
            {
                batch.extend_from_slice(&next.frame);
                rooms.push(next.room);
            }
            write_slowly(sink, &batch, stall_timeout).await?;
            batch.clear();
        }
        rooms.clear();
    }
    timeout(stall_timeout, sink.shutdown()).await?
}

/// Writes all bytes; every so long at least one must go.
async fn write_slowly<W: AsyncWrite + Unpin>(
    sink: &mut W,
    mut bytes: &[u8],
    stall_timeout: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match timeout(stall_timeout, sink.write(bytes)).await?? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    timeout(stall_timeout, sink.flush()).await?
}
