//! The command line.

mod campaign;
mod list;
mod mutants;
mod progress;
mod replay;
mod replay_log;
mod run;
mod shrink;
mod summary;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::engine::Engine;
use crate::report::Outcome;
use crate::units;

/// Everything asked for was green.
pub const GREEN: u8 = 0;
/// A safety rule was broken.
pub const VIOLATION: u8 = 1;
/// The command line or a scenario file is wrong.
pub const USAGE: u8 = 2;
/// The ensemble did not get well after the faults stopped.
pub const NOT_LIVE: u8 = 3;
/// A scenario's expectation was not met, or a mutant survived.
pub const UNEXPECTED: u8 = 4;
/// The same seed ran in two ways: the simulator itself is broken. Or a recording did.
pub const DIVERGED: u8 = 5;

/// Breaks the Zabrus core on purpose, checks it after every event, and shows what happened.
#[derive(Parser)]
#[command(
    name = "zabrus-sim",
    version,
    after_help = "\
Examples:
  zabrus-sim run                          half a minute of random worlds, from a fresh seed
  zabrus-sim run --seeds 1000             the worlds 0 to 999, the same on every machine
  zabrus-sim replay --seed 42             what happened in world 42, line by line
  zabrus-sim shrink --seed 42             the smallest world that fails as world 42 does
  zabrus-sim list                         the scenarios, each with the first line of its story
  zabrus-sim scenarios                    plays all of them
  zabrus-sim replay five-in-order         one of them, line by line
  zabrus-sim replay-log DIR               what a real server recorded (record=DIR in its zoo.cfg)

Exit codes:
  0  everything was green
  1  a safety rule was broken, or an assertion of the core failed
  2  the command line or a scenario file is wrong
  3  the ensemble did not get well after the faults stopped
  4  a scenario's expectation was not met, or a mutant survived
  5  one seed ran in two different ways (--twice): the simulator itself is broken;
     or a recorded server did otherwise than this program would"
)]
struct Cli {
    /// Where the scenario files are; by default the nearest folder `scenarios` from here upwards.
    #[arg(long, global = true, value_name = "FOLDER")]
    scenario_folder: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs many seeds, of random worlds or of one scenario, until one fails
    Run(Run),
    /// Plays one seed again and shows each state change of each server
    Replay(Replay),
    /// Looks for the smallest run that fails as a seed does, and writes it into a file
    Shrink(Shrink),
    /// Lives the recorded lives of a real server again, and shows each state change
    ReplayLog(ReplayLog),
    /// Lists the scenarios with the first line of their stories
    List(List),
    /// Plays all scenarios, or some, and reports each
    Scenarios(Scenarios),
    /// Plants deliberate bugs one by one and reports which rule kills each (needs the feature `mutants`)
    Mutants(Mutants),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  zabrus-sim run                       about 30 seconds of random worlds, from a fresh seed
  zabrus-sim run --seeds 20000         the seeds 0 to 19999
  zabrus-sim run --seeds 500..600      the seeds 500 to 599
  zabrus-sim run --budget 10min        as many as fit
  zabrus-sim run --seeds 200 --twice   each twice: both must be the same to the last event
  zabrus-sim run rollover --seeds 50   one scenario under 50 seeds

A run stops at its first failing seed, which does not depend on --jobs, and prints the command
that replays it.")]
struct Run {
    /// A scenario, by name or by file; without it each seed draws a random world
    scenario: Option<String>,
    /// How many seeds, from 0 (N), or which (A..B, without B)
    #[arg(long, value_name = "N | A..B", value_parser = parse_seeds)]
    seeds: Option<Seeds>,
    /// Threads, each with worlds of its own [default: the number of cores]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    jobs: Option<u64>,
    /// Stop after this much wall time [default: 30s without --seeds, else none]
    #[arg(long, value_name = "TIME", value_parser = parse_wall_time)]
    budget: Option<std::time::Duration>,
    /// Run each seed twice and compare
    #[arg(long)]
    twice: bool,
    /// Print each seed's trace hash, to compare builds and machines
    #[arg(long)]
    hashes: bool,
    /// Print the summary as JSON
    #[arg(long, conflicts_with = "hashes")]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  zabrus-sim replay --seed 42            the grid: a line for each state change
  zabrus-sim replay --seed 42 --trace    everything, transactions too
  zabrus-sim replay five-in-order        a scenario; its seed is 0 unless told
  zabrus-sim replay --case seed-42.case  what `shrink` wrote")]
struct Replay {
    /// A scenario, by name or by file; without it the random world of the seed
    #[arg(required_unless_present_any = ["seed", "case"])]
    scenario: Option<String>,
    /// The seed
    #[arg(long)]
    seed: Option<u64>,
    /// A file that `shrink` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "scenario"])]
    case: Option<PathBuf>,
    /// A line for each state change of each server (the default)
    #[arg(long, group = "form")]
    grid: bool,
    /// A line for everything that happened
    #[arg(long, group = "form")]
    trace: bool,
    /// A JSON object for each line, and one with the report at the end
    #[arg(long, group = "form")]
    json: bool,
    /// A deliberate bug that is planted meanwhile, such as M01
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "NAME", value_parser = mutants::find)]
    mutant: Option<zabrus_core::mutation::Mutation>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  zabrus-sim shrink --seed 42                    writes seed-42.case
  zabrus-sim shrink --seed 42 --budget 10min     more time for a smaller one
  zabrus-sim shrink --case seed-42.case          goes on with what is there
  zabrus-sim replay --case seed-42.case          plays it

The file is JSON: the settings, and each fault with its time. It may be changed by hand, and goes on
meaning the same run when seeds begin to draw other worlds.")]
struct Shrink {
    /// The seed that fails
    #[arg(long, required_unless_present = "case")]
    seed: Option<u64>,
    /// A file that `shrink` wrote, instead of a seed
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    case: Option<PathBuf>,
    /// Stop after this much wall time
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_wall_time)]
    budget: std::time::Duration,
    /// Where to write the result [default: seed-N.case in this folder, or the file of --case]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// A deliberate bug that is planted meanwhile, such as M01
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "NAME", value_parser = mutants::find)]
    mutant: Option<zabrus_core::mutation::Mutation>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  zabrus-sim replay-log /var/lib/zookeeper/recordings
  zabrus-sim replay-log recordings/life.0000000000000003 --trace

A server with record=DIR in its zoo.cfg records what it is told. The same core, told the same,
does the same: this is checked after each input, and the first one after which it is not so is
named. Replay with the version that recorded. Recordings hold clients' data and passwords.")]
struct ReplayLog {
    /// Directories of recordings, or single ones
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// A line for everything that happened
    #[arg(long, group = "form")]
    trace: bool,
    /// A JSON object for each line, and one at the end of each life
    #[arg(long, group = "form")]
    json: bool,
}

#[derive(Args)]
struct List {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  zabrus-sim scenarios                        all, each with seed 0
  zabrus-sim scenarios rollover five-in-order two of them
  zabrus-sim scenarios --seeds 20             all, each with 20 seeds: other delays, same story")]
struct Scenarios {
    /// Names or files; all without any
    names: Vec<String>,
    /// How many seeds for each, from 0 (N), or which (A..B, without B)
    #[arg(long, default_value = "1", value_name = "N | A..B", value_parser = parse_seeds)]
    seeds: Seeds,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  cargo run --release --features mutants --bin zabrus-sim -- mutants M01 M65 --seeds 2000

For each mutant: how often its branch was taken, the rule that killed it first, after how many
seeds, and the command that replays it; then what the scenarios with it in `kills` say. At last the
same seeds without a mutant, which must be green.")]
struct Mutants {
    /// Which; all without any
    names: Vec<String>,
    /// How many seeds for each, from 0 (N), or which (A..B, without B)
    #[arg(long, default_value = "200", value_name = "N | A..B", value_parser = parse_seeds)]
    seeds: Seeds,
    /// Threads [default: the number of cores]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    jobs: Option<u64>,
    /// Print the lines of the table in scenarios/museum.md, and run nothing without a mutant
    #[arg(long)]
    markdown: bool,
    /// Print the results as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
}

/// The seeds from `first` up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seeds {
    first: u64,
    end: u64,
}

fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let expected =
        || format!("`{text}` are no seeds; expected a number such as 1000, or a range such as 500..600");
    let number = |text: &str| text.parse::<u64>().map_err(|_| expected());
    let seeds = match text.split_once("..") {
        Some((first, end)) => Seeds { first: number(first)?, end: number(end)? },
        None => Seeds { first: 0, end: number(text)? },
    };
    if seeds.first < seeds.end { Ok(seeds) } else { Err(expected()) }
}

fn parse_wall_time(text: &str) -> Result<std::time::Duration, String> {
    units::parse_duration(text).map(|span| std::time::Duration::from_micros(span.0))
}

/// Where a command prints to.
pub struct Console<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Whether results may be coloured.
    pub colours: bool,
    /// Whether progress is shown on the standard error output.
    pub progress: bool,
}

impl Console<'_> {
    fn paint(&self, colour: Colour, text: impl Display) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_string() }
    }

    fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Stop> {
        serde_json::to_writer(&mut *self.out, value).map_err(io::Error::from)?;
        writeln!(self.out)?;
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// Why a command ended before its time.
enum Stop {
    /// What the user has to change.
    Usage(String),
    /// Nobody reads the output any more.
    Output,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Output
    }
}

/// Carries out a command line, and returns the exit code.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    engine: &dyn Engine,
    console: &mut Console<'_>,
) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            return USAGE;
        }
        Err(help) => {
            let text = if console.colours { help.render().ansi().to_string() } else { help.to_string() };
            let _ = console.out.write_all(text.as_bytes());
            return GREEN;
        }
    };
    let folder = cli.scenario_folder.as_deref();
    let code = match cli.verb {
        Verb::Run(arguments) => run::run(&arguments, folder, engine, console),
        Verb::Replay(arguments) => replay::replay(&arguments, folder, engine, console),
        Verb::Shrink(arguments) => shrink::shrink(&arguments, engine, console),
        Verb::ReplayLog(arguments) => replay_log::replay_log(&arguments, console),
        Verb::List(arguments) => list::list(&arguments, folder, console),
        Verb::Scenarios(arguments) => list::scenarios(&arguments, folder, engine, console),
        Verb::Mutants(arguments) => mutants::mutants(&arguments, folder, engine, console),
    };
    match code {
        Ok(code) => code,
        Err(Stop::Usage(message)) => {
            eprintln!("{message}");
            USAGE
        }
        // A closed pipe (`| head`) is no failure.
        Err(Stop::Output) => GREEN,
    }
}

/// The exit code of an outcome.
fn exit_code(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Passed => GREEN,
        Outcome::Violated(_) => VIOLATION,
        Outcome::NotLive { .. } => NOT_LIVE,
        Outcome::Unexpected { .. } => UNEXPECTED,
    }
}
