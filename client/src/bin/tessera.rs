//! The `tessera` program: everything is in [`tessera_client::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tessera_client::cli::main()
}
