//! The server over real sockets: with an engine that does what the test says, and with the real
//! one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod answers;
mod client;
mod credit;
mod fake;
mod handshake;
mod hostile;
mod limits;
mod program;
mod real;
mod shutdown;
