//! The `tessera-server` program: see [`tessera_server::program`].

use std::{env, process::ExitCode};

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    tessera_server::program::run(env::args_os(), env::vars_os())
}
