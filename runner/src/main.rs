//! The runner: one core on sockets and a real disk. It contains no decision of the protocol.

mod cli;
mod properties;
mod zoo_cfg;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
