//! The runner: one core on sockets and a real disk. It contains no decision of the protocol.

mod channel;
mod cli;
mod client;
mod clients;
mod clock;
mod data;
mod disk;
mod events;
mod figures;
mod listener;
mod node;
mod operator;
mod peers;
mod port;
mod progress;
mod properties;
mod recorder;
mod version;
mod zoo_cfg;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
