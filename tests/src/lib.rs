//! The harness of Tessera's end-to-end, model, crash and compatibility tests.
//!
//! Knows how to start the programs and talk to them, where the test data are, and what the right
//! answers must be (the model). Does not know the engine's inside: nothing here shares code with
//! what it tests but the syntax tree and the messages on the wire.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the model asks for the one case that it can answer and stops at all others, new ones too"
)]

pub mod answers;
pub mod fuzz;
pub mod kill;
pub mod memory;
pub mod model;
pub mod program;
pub mod programs;
pub mod server_process;
pub mod sources;
pub mod wire;
