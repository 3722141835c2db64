//! `zabrus-sim`: breaks the Zabrus core on purpose, and shows what happened.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use zabrus_sim::cli::{self, Console};
use zabrus_sim::engine::Simulator;

#[expect(clippy::disallowed_methods, reason = "NO_COLOR changes how results look, not what they are")]
fn main() -> ExitCode {
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut console = Console { out: &mut io::stdout().lock(), colours, progress: true };
    ExitCode::from(cli::run(std::env::args_os(), &Simulator, &mut console))
}
