//! The runner: one core on sockets and a real disk. It does not exist yet, and says so.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("zabrus: there is no server yet; so far the core lives in its simulator, see README.md");
    ExitCode::FAILURE
}
