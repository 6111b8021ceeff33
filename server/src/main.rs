//! The `tessera-server` program: see [`tessera_server::program`].

use std::{env, process::ExitCode};

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tessera_server::program::run(env::args_os(), env::vars_os())
}
