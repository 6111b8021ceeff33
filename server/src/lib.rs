//! The Tessera server: a thin shell around the engine.
//!
//! Knows configuration, sockets, connections and the order in which things start and stop. Does
//! not know how a question is answered or a write is stored: that is the engine's, behind one
//! [`door`].
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use tessera_engine::time::SystemClock;
//! use tessera_server::{config::Config, server::Server};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new("data");
//! config.listen = "127.0.0.1:0".to_owned();
//! let server = Server::start(config, Arc::new(SystemClock::new())).await?;
//! println!("listening on {}", server.addr());
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```

pub mod config;
mod database;
pub mod door;
pub mod log;
mod map;
pub mod program;
pub mod server;
mod session;
mod sweeper;

pub use config::Config;
pub use server::{RunningServer, Server, StartError, StopError};
