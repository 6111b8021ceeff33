//! The Tessera wire protocol, without sockets: frames and messages ⇄ bytes.
//!
//! Knows the bytes on the wire and refuses all others. Does not know sockets, time, or what a
//! message means to the database. `docs/protocol.md` says the same to writers of other clients.
//!
//! Bytes that arrive go into a [`frame::FrameDecoder`]; each frame that comes out of it goes
//! through [`codec::decode_client`] or [`codec::decode_server`]; [`handshake`] judges the first
//! message of each side; [`weight`] tells what a message will take before it is decoded. The other way, [`codec::frame_client`] and [`codec::frame_server`]
//! append a whole frame to a buffer.

pub mod codec;
mod datum;
pub mod frame;
pub mod handshake;
pub mod load;
pub mod message;
pub mod weight;
