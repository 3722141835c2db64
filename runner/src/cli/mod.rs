//! The command line.

mod check;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A coordination service that speaks ZooKeeper's protocol.
#[derive(Parser)]
#[command(name = "zabrus", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Explains a zoo.cfg: what each line means here, what is ignored, what is dangerous
    CheckConfig {
        /// The file
        file: PathBuf,
    },
}

/// Everything from the arguments to the exit code.
pub(crate) fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::CheckConfig { file } => check::check_config(&file),
    }
}

/// The settings in `file`. What is wrong with it goes to standard error.
fn load(file: &Path) -> Result<crate::zoo_cfg::Settings, ExitCode> {
    let reading = crate::zoo_cfg::read(file).map_err(|error| {
        eprintln!("{}: {error}", file.display());
        ExitCode::from(2)
    })?;
    for remark in reading.remarks.iter().filter(|remark| remark.severity > crate::zoo_cfg::Severity::Note) {
        eprintln!("{}", check::sentence(file, remark));
    }
    reading.settings.ok_or(ExitCode::from(2))
}
