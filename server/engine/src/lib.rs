//! The whole Tessera database, synchronous: no async runtime, no sockets, no wire format.

pub mod behaviour;
pub mod bitmap;
pub mod budget;
pub mod column;
pub mod database;
pub mod datum;
pub mod error;
pub mod exec;
pub mod ids;
pub mod limits;
pub mod parameters;
pub mod plan;
pub mod schema;
pub mod storage;
pub mod time;
pub mod user_keys;
pub mod write;
