//! `replay-log`: what a real server recorded, lived again by the same core.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use zabrus_core::recording::{Progress, Record, Records, Replay, ReplayError};
use zabrus_core::{Now, Output, Replica};

use super::{Colour, Console, DIVERGED, GREEN, ReplayLog, Stop, USAGE, VIOLATION};
use crate::assertion;
use crate::grid::{self, TraceLine, What};
use crate::units::{count, span, utc};

/// What the runner calls the recordings of lives.
const PREFIX: &str = "life.";

/// What came of one recording.
#[derive(Serialize)]
struct Life {
    file: PathBuf,
    /// The version of the program that recorded it.
    program: Option<String>,
    server: Option<u64>,
    /// In milliseconds since the Unix epoch.
    started: Option<u64>,
    inputs: u64,
    micros: u64,
    /// The end of the log.
    last: Option<String>,
    state_digest: Option<String>,
    /// Over everything that came of the inputs.
    hash: Option<String>,
    /// How the recording ends, or why it cannot be replayed to its end.
    end: String,
    #[serde(skip)]
    code: u8,
}

pub(super) fn replay_log(arguments: &ReplayLog, console: &mut Console<'_>) -> Result<u8, Stop> {
    let mut codes = Vec::new();
    for path in &arguments.paths {
        for file in files(path).map_err(|error| Stop::Usage(format!("{}: {error}", path.display())))? {
            codes.push(replay(&file, arguments, console)?);
        }
    }
    // The gravest: a broken assertion, then a divergence, then a file that cannot be read.
    Ok([VIOLATION, DIVERGED, USAGE].into_iter().find(|code| codes.contains(code)).unwrap_or(GREEN))
}

/// `path`, or the recordings in it, oldest first.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    let is_life = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    let mut files: Vec<_> = entries.iter().filter(|entry| is_life(entry)).map(fs::DirEntry::path).collect();
    files.sort();
    if files.is_empty() {
        return Err(io::Error::other(format!("no recordings, whose names begin with {PREFIX}, are here")));
    }
    Ok(files)
}

fn replay(file: &Path, arguments: &ReplayLog, console: &mut Console<'_>) -> Result<u8, Stop> {
    let bytes = fs::read(file).map_err(|error| Stop::Usage(format!("{}: {error}", file.display())))?;
    let mut printed = Ok(());
    let mut life = Life::new(file, &bytes);
    let mut replay = None;
    let played = assertion::catch(|| {
        let mut see = |now: Now, replica: &Replica, output: &Output| {
            if printed.is_ok() {
                printed = tell(now, replica, output, arguments, console);
            }
        };
        let replay = replay.insert(Replay::new(&bytes, &mut see)?);
        (life.server, life.started) = (Some(replay.replica().status().id.0), Some(replay.now().wall_millis));
        let begin = replay.now().monotonic;
        loop {
            let progress = replay.step(&mut see);
            (life.inputs, life.micros) = (replay.inputs(), replay.now().monotonic.since(begin).0);
            match progress? {
                Progress::Handled => {}
                end => return Ok(end),
            }
        }
    });
    printed?;
    life.judge(played);
    if let Some(replay) = &replay {
        life.last = Some(replay.replica().storage().last().zxid.to_string());
        life.state_digest = Some(format!("{:016x}", replay.replica().state().digest()));
        life.hash = Some(format!("{:016x}", replay.chain().value()));
    }
    if arguments.json {
        console.json(&life)?;
    } else {
        life.print(console)?;
    }
    Ok(life.code)
}

/// Prints an event as it happens.
fn tell(
    now: Now,
    replica: &Replica,
    output: &Output,
    arguments: &ReplayLog,
    console: &mut Console<'_>,
) -> Result<(), Stop> {
    let Output::Event(event) = output else { return Ok(()) };
    let status = replica.status();
    let (server, state, what) = (Some(status.id), Some(status.into()), What::Event(event.clone()));
    let entry = TraceLine { time: now.monotonic, server, state, what };
    if arguments.json {
        console.json(&entry)?;
    } else if arguments.trace || !grid::is_routine(&entry) {
        writeln!(console.out, "{}", grid::line(&entry))?;
    }
    Ok(())
}

impl Life {
    fn new(file: &Path, bytes: &[u8]) -> Self {
        let program = Records::new(bytes).and_then(|mut records| match records.next() {
            Some(Record::Program(program)) => Some(program),
            _ => None,
        });
        Self {
            file: file.to_owned(),
            program,
            server: None,
            started: None,
            inputs: 0,
            micros: 0,
            last: None,
            state_digest: None,
            hash: None,
            end: String::new(),
            code: GREEN,
        }
    }

    fn judge(&mut self, played: Result<Result<Progress, ReplayError>, String>) {
        (self.code, self.end) = match played {
            Ok(Ok(Progress::BrokenOff(0))) => (GREEN, "the recording breaks off".into()),
            Ok(Ok(Progress::BrokenOff(bytes))) => {
                (GREEN, format!("the recording breaks off; {} bytes behind are damaged", count(bytes as u64)))
            }
            Ok(Ok(_)) => (GREEN, "the server was stopped, or its disk failed".into()),
            Ok(Err(error @ (ReplayError::NoRecording | ReplayError::NoStart | ReplayError::Refused(_)))) => {
                (USAGE, error.to_string())
            }
            Ok(Err(error)) => (DIVERGED, error.to_string()),
            Err(words) => (VIOLATION, format!("after input {}, {words}", self.inputs + 1)),
        };
    }

    fn print(&self, console: &mut Console<'_>) -> Result<(), Stop> {
        let (colour, verdict) = match self.code {
            GREEN => (Colour::Green, "AS RECORDED"),
            DIVERGED => (Colour::Red, "DIVERGED"),
            VIOLATION => (Colour::Red, "VIOLATED"),
            _ => (Colour::Red, "UNREADABLE"),
        };
        writeln!(console.out, "{}  {}: {}", console.paint(colour, verdict), self.file.display(), self.end)?;
        if let (Some(server), Some(started)) = (self.server, self.started) {
            let lived = span(zabrus_core::Duration(self.micros));
            let inputs = count(self.inputs);
            writeln!(console.out, "server {server}, from {} on: {inputs} inputs in {lived}", utc(started))?;
        }
        if let Some(program) = &self.program {
            writeln!(console.out, "recorded by {program}")?;
        }
        if let (Some(last), Some(digest), Some(hash)) = (&self.last, &self.state_digest, &self.hash) {
            writeln!(console.out, "log end {last}, state digest {digest}, hash {hash}")?;
        }
        writeln!(console.out)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
