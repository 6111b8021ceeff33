//! How a client behaves.

use std::time::Duration;

use tessera_protocol::frame::FRAME_BYTES_MAX_DEFAULT;

use crate::backoff::Backoff;

/// How a [`crate::Client`] behaves. Change what differs from the default:
///
/// ```
/// # use std::time::Duration;
/// # use tessera_client::ClientOptions;
/// let options = ClientOptions {
///     agent: "my-program 1.0".to_owned(),
///     request_timeout: Duration::from_secs(2),
///     ..ClientOptions::default()
/// };
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ClientOptions {
    /// The program's name and version, for the server's log.
    pub agent: String,
    /// Time to reach the server's address.
    pub connect_timeout: Duration,
    /// Time for the server to answer the first message.
    pub handshake_timeout: Duration,
    /// Time for a request with all its repetitions, sent to the server as well; for a stream, time
    /// until it begins and then from one message to the next. Connecting by itself takes no longer
    /// either.
    pub request_timeout: Duration,
    /// Time to wait for the server's own word after a request's time is over; not for streams,
    /// which have no end that the server would know.
    pub grace: Duration,
    /// How often a request may be repeated.
    pub retries_max: u32,
    /// How long to wait before a repetition or another attempt to connect.
    pub backoff: Backoff,
    /// Requests under way at once; further ones wait. The server's own limit also holds.
    pub requests_in_flight_max: u32,
    /// Messages of rows that may wait here, unread, for each request.
    pub rows_messages_credit: u32,
    /// The longest frame taken from the server, in bytes. Servers rely on the default, 8 MiB.
    pub frame_bytes_max: u32,
    /// The most rows collected into one [`crate::Answer`]; longer answers want a stream.
    pub answer_rows_max: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            agent: concat!("tessera-client ", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(1),
            retries_max: 5,
            backoff: Backoff::default(),
            requests_in_flight_max: 256,
            rows_messages_credit: 8,
            frame_bytes_max: FRAME_BYTES_MAX_DEFAULT,
            answer_rows_max: 1_000_000,
        }
    }
}
