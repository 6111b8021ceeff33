//! The two tasks of a connection: one reads, one writes what was not written at once. Each ends
//! when the other does.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use tessera_protocol::{
    codec,
    frame::{FIRST_FRAME_BYTES_MAX, FrameDecoder},
    message::ClientMessage,
};
use tokio::{io::AsyncRead, time::Instant};

use super::{Link, outgoing::OutgoingQueue, read_message, table::Routed};

/// How long after a failed write the server's last words are waited for.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

/// Reads until the stream ends or makes no sense.
pub(super) async fn read(
    mut stream: impl AsyncRead + Unpin,
    mut decoder: FrameDecoder,
    link: Arc<Link>,
) {
    let reason = tokio::select! {
        reason = read_all(&mut stream, &mut decoder, &link) => reason,
        () = link.broken.cancelled() => return,
    };
    tracing::debug!(reason, "the connection ended");
    link.close(reason);
}

async fn read_all(
    stream: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder,
    link: &Link,
) -> String {
    loop {
        let message = match read_message(stream, decoder).await {
            Ok(Some(message)) => message,
            Ok(None) => return "the server closed it".to_owned(),
            Err(error) => return error.to_string(),
        };
        let mut table = link.table();
        table.heard(Instant::now());
        if let Routed::Broken(reason) = table.route(message) {
            return reason;
        }
    }
}

/// Writes what is queued, until the connection breaks or nobody can queue anything any more.
pub(super) async fn write(mut queue: OutgoingQueue, link: Arc<Link>) {
    let outcome = tokio::select! {
        outcome = write_all(&mut queue) => outcome,
        () = link.broken.cancelled() => return,
    };
    match outcome {
        Ok(()) => link.close("the client was dropped".to_owned()),
        Err(error) => {
            // The server may have said why before it stopped reading: the reader gets a moment.
            let _elapsed = tokio::time::timeout(LAST_WORDS_WAIT, link.broken.cancelled()).await;
            link.close(error.to_string());
        }
    }
}

async fn write_all(queue: &mut OutgoingQueue) -> std::io::Result<()> {
    let mut goodbye = BytesMut::new();
    codec::frame_client(&ClientMessage::Goodbye, FIRST_FRAME_BYTES_MAX, &mut goodbye)
        .map_err(std::io::Error::other)?;
    queue.write_all(&goodbye).await
}
