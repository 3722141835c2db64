//! `zabrus import`, `export`, `backup`, `restore`, `verify`, `dump`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use zabrus_core::Bytes;

use super::{Done, load};
use crate::data::dump::{Dump, DumpError};
use crate::data::ours::{self, Place};
use crate::data::{DataError, Image, apache, verify};
use crate::disk::only_apache;
use crate::zoo_cfg::Settings;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Takes over the data of Apache ZooKeeper
    Import(Import),
    /// Writes a directory that Apache ZooKeeper opens
    #[command(
        mut_arg("to", |to| to.value_name("DIR").help("Where the directory version-2 is made")),
        after_help = "\
Stop all servers of the ensemble first. Export from the one with the last zxid, and copy what comes
out to each of Apache's servers."
    )]
    Export(Save),
    /// Writes everything that a server has into one file; the server may run
    Backup(Save),
    /// Makes a data directory from a backup
    Restore(Restore),
    /// Checks a data directory, and says what a start would do; or a backup. Changes nothing
    #[command(mut_arg("place", |place| {
        place.value_name("zoo.cfg|DATADIR|BACKUP").help("The server's zoo.cfg, its data directory, or a backup")
    }))]
    Verify(Source),
    /// Prints what is in a log or a snapshot, ours or Apache ZooKeeper's
    Dump(DumpArguments),
}

#[derive(Args)]
#[command(after_help = "\
Stop all servers of the ensemble first. Import on every server, all of them from a copy of the
directory of the one that led, then start them: a server that begins empty beside one that
imported could be taken for one that knows nothing.

  zabrus import --from /var/lib/zookeeper --to zoo.cfg

Sessions, ephemeral nodes and zxids go on; clients only see a reconnect.")]
pub(super) struct Import {
    /// The dataDir of Apache's server, which holds version-2
    #[arg(long, value_name = "DATADIR")]
    from: PathBuf,
    /// Its dataLogDir, if that is another directory
    #[arg(long, value_name = "DATALOGDIR")]
    from_log: Option<PathBuf>,
    /// The zoo.cfg of our server, or its data directory
    #[arg(long, value_name = "zoo.cfg|DIR")]
    to: PathBuf,
    /// Go on where transactions may be missing or wrong
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub(super) struct Save {
    /// The file; in a directory it gets a name with its zxid
    #[arg(long, value_name = "FILE|DIR")]
    to: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Go on where transactions may be missing
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
#[command(after_help = "\
For an ensemble that lost its data: stop all servers, move their data directories away, restore the
same file on every one of them, start them. Whatever was written after the backup is gone.

A single server whose disk was lost needs no backup: start it empty with db.autocreate=false, and
the others give it everything.")]
pub(super) struct Restore {
    /// The backup, or a snapshot file of a data directory
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The zoo.cfg of the server, or its data directory
    #[arg(long, value_name = "zoo.cfg|DIR")]
    to: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Exit codes of verify:
  0  everything is whole
  1  something is damaged, missing or cannot be read
  2  the command line or zoo.cfg is wrong")]
pub(super) struct Source {
    /// The server's zoo.cfg, or its data directory
    #[arg(value_name = "zoo.cfg|DATADIR")]
    place: PathBuf,
}

#[derive(Args)]
pub(super) struct DumpArguments {
    /// What the file is
    #[arg(value_enum)]
    kind: Kind,
    /// One JSON object a line, with all data
    #[arg(long)]
    json: bool,
    /// A file log.* or snapshot.*, or a backup
    path: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Log,
    Snapshot,
}

const WHOLE: &str = "Everything is whole.";

/// Everything from the arguments to the exit code.
pub(super) fn run(verb: Verb) -> Done {
    match verb {
        Verb::Import(Import { from, from_log, to, force }) => {
            let place = place(&to)?;
            let image = done(apache::read(&from, from_log.as_ref().unwrap_or(&from), force))?;
            found(image, &place)
        }
        Verb::Export(save) => {
            let image = saved(&save)?;
            for note in done(apache::write(&image, &save.to))? {
                println!("{note}");
            }
            Ok(())
        }
        Verb::Backup(save) => {
            let file = done(ours::back_up(&saved(&save)?, &save.to))?;
            println!("Written to {}.", file.display());
            Ok(())
        }
        Verb::Restore(Restore { from, to }) => {
            let place = place(&to)?;
            found(done(ours::open_backup(&from))?, &place)
        }
        Verb::Verify(Source { place }) => check(&place),
        Verb::Dump(arguments) => dump(&arguments),
    }
}

/// What to do about a directory that holds Apache ZooKeeper's data and none of ours.
pub(super) fn import_offer(settings: &Settings, zoo_cfg: &Path) -> Option<String> {
    let Settings { data_directory: data, log_directory: log, .. } = settings;
    only_apache(data).or_else(|| only_apache(log))?;
    let from_log = if log == data { String::new() } else { format!(" --from-log {}", log.display()) };
    let (data, zoo_cfg) = (data.display(), zoo_cfg.display());
    Some(format!(
        "to take over Apache ZooKeeper's data: zabrus import --from {data}{from_log} --to {zoo_cfg}"
    ))
}

fn done<T>(result: Result<T, DataError>) -> Result<T, ExitCode> {
    result.map_err(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

/// The directories that a zoo.cfg names, or one that is named itself.
fn place(path: &Path) -> Result<Place, ExitCode> {
    if path.is_dir() {
        return done(Place::directory(path));
    }
    Ok(Place::of(&load(path)?))
}

/// What a server has, which is shown.
fn saved(save: &Save) -> Result<Image, ExitCode> {
    let image = done(ours::read(&place(&save.source.place)?, save.force))?;
    show(&image);
    Ok(image)
}

fn show(image: &Image) {
    for note in &image.notes {
        println!("{note}");
    }
    println!("{image}");
}

fn found(mut image: Image, place: &Place) -> Done {
    // These servers are where their zoo.cfg says, wherever those were whose data it is.
    image.state.set_config(Bytes::default());
    let written = done(ours::write(&image, place))?;
    show(&image);
    println!("Written to {} for server {}.", written.display(), place.config.id);
    Ok(())
}

fn check(path: &Path) -> Done {
    if ours::is_backup(path) {
        show(&done(ours::open_backup(path))?);
        println!("{WHOLE}");
        return Ok(());
    }
    let place = place(path)?;
    if only_apache(&place.data).is_some() {
        println!("Data of Apache ZooKeeper; an import would read this:");
        show(&done(apache::read(&place.data, &place.log, false))?);
        return Ok(());
    }
    let report = done(verify::verify(&place))?;
    print!("{}", report.text);
    println!("\n{}", if report.is_whole { WHOLE } else { "NOT everything is whole." });
    if report.is_whole { Ok(()) } else { Err(ExitCode::FAILURE) }
}

fn dump(arguments: &DumpArguments) -> Done {
    let DumpArguments { kind, json, path } = arguments;
    let mut dump = Dump { out: BufWriter::new(io::stdout().lock()), json: *json };
    let dumped = match kind {
        Kind::Log => dump.log(path),
        Kind::Snapshot => dump.snapshot(path),
    };
    let flushed = dump.out.flush();
    match dumped.and_then(|()| Ok(flushed?)) {
        Ok(()) => Ok(()),
        // Whoever reads has seen enough, as with `head`.
        Err(DumpError::Out(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(DumpError::Out(error)) => {
            eprintln!("standard output: {error}");
            Err(ExitCode::FAILURE)
        }
        Err(DumpError::Damage(what)) => {
            eprintln!("{}: {what}", path.display());
            Err(ExitCode::FAILURE)
        }
    }
}
