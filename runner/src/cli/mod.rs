//! The command line.

mod check;
mod control;
mod data;
mod ensemble;
mod four_letter;
mod serve;
mod shell;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, Parser, Subcommand};
use signal_hook::consts::SIGPIPE;
use signal_hook::flag::register_conditional_default;

use crate::zoo_cfg::{self, Settings, Severity};

/// A coordination service that speaks ZooKeeper's protocol.
#[derive(Parser)]
#[command(
    name = "zabrus",
    version = crate::version::FULL,
    after_help = "\
Examples:
  zabrus ensemble --nodes 3            three servers on this machine, to try things out
  zabrus check-config zoo.cfg          what each line of a zoo.cfg means here
  zabrus start zoo.cfg                 a server in the background, as zkServer.sh start
  zabrus status zoo.cfg                leader, follower, observer, standalone, or not running
  zabrus cli -server localhost ls /    a command of zkCli; without one, a shell

Whatever zkServer.sh calls so is called so here, with the same words and exit codes.
Without a file, zoo.cfg is looked for here, then in conf.

Exit codes:
  0  done
  1  the server is not running, or cannot start
  2  the command line or zoo.cfg is wrong"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts a server in the background; its output goes to zabrus.out in dataDir
    Start(File),
    /// Runs a server until it is stopped; its log goes to standard output
    StartForeground(Foreground),
    /// Stops a server that `start` has started
    Stop(File),
    /// Stops a server, and starts it again
    Restart(File),
    /// Asks a server for its mode
    Status(File),
    /// Prints the version
    Version(File),
    /// Explains a zoo.cfg: what each line means here, what is ignored, what is dangerous
    CheckConfig(File),
    /// Runs an ensemble on this machine until Ctrl-C; the next time it goes on with its data
    Ensemble(Ensemble),
    #[command(flatten)]
    Data(data::Verb),
    /// A shell: the commands of zkCli, for one command, a pipe, or somebody at a terminal
    Cli(shell::Arguments),
}

#[derive(Args)]
struct File {
    /// The configuration, as ZooKeeper has it
    #[arg(value_name = "zoo.cfg")]
    file: Option<PathBuf>,
}

#[derive(Args)]
struct Foreground {
    #[command(flatten)]
    file: File,
    /// Write the log as JSON, one object a line
    #[arg(long)]
    json: bool,
    /// End when the process that started this one ends
    #[arg(long, hide = true)]
    with_parent: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  zabrus ensemble                        three servers, data in the folder zabrus-ensemble
  zabrus ensemble --nodes 5 --observers 2
  zabrus ensemble --dir elsewhere        another ensemble with data of its own

The folder holds one folder for each server, with its zoo.cfg, its log and its data.
The files of an earlier run are used as they are, so that you can change them.")]
struct Ensemble {
    /// Servers that vote
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    nodes: u64,
    /// Servers that follow the leader without a vote
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=9))]
    observers: u64,
    /// Where everything is kept
    #[arg(long, default_value = "zabrus-ensemble")]
    dir: PathBuf,
    /// The client port of the first server; the others follow. Taken ports are skipped
    #[arg(long, default_value_t = 2181)]
    client_port: u16,
}

/// Everything from the arguments to the exit code.
pub(crate) fn main() -> ExitCode {
    let verb = Cli::parse().verb;
    if !matches!(verb, Verb::StartForeground(_)) {
        // Whoever reads may have seen enough, as with `head`.
        let _ = register_conditional_default(SIGPIPE, Arc::new(AtomicBool::new(true)));
    }
    let done = match verb {
        Verb::Start(file) => control::start(&file.path()),
        Verb::StartForeground(foreground) => {
            serve::serve(&foreground.file.path(), foreground.json, foreground.with_parent)
        }
        Verb::Stop(file) => control::stop(&file.path()),
        Verb::Restart(file) => control::restart(&file.path()),
        Verb::Status(file) => control::status(&file.path()),
        Verb::Version(_) => {
            println!("Zabrus, version {}", crate::version::FULL);
            Ok(())
        }
        Verb::CheckConfig(file) => check::check_config(&file.path()),
        Verb::Ensemble(arguments) => ensemble::run(&arguments),
        Verb::Data(verb) => data::run(verb),
        Verb::Cli(arguments) => shell::run(&arguments),
    };
    done.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

/// Done, or the exit code after the reason was printed.
type Done = Result<(), ExitCode>;

impl File {
    fn path(&self) -> PathBuf {
        let places = ["zoo.cfg", "conf/zoo.cfg"].map(PathBuf::from);
        let found = places.iter().find(|place| place.exists()).unwrap_or(&places[0]);
        self.file.clone().unwrap_or_else(|| found.clone())
    }
}

/// The settings in `file`. What is wrong with it goes to standard error.
fn load(file: &Path) -> Result<Settings, ExitCode> {
    let reading = zoo_cfg::read(file).map_err(|error| {
        eprintln!("{}: {error}", file.display());
        ExitCode::from(2)
    })?;
    for remark in reading.remarks.iter().filter(|remark| remark.severity > Severity::Note) {
        // A server starts although nobody can be warned.
        let _ = writeln!(io::stderr(), "{}", check::sentence(file, remark));
    }
    reading.settings.ok_or(ExitCode::from(2))
}
