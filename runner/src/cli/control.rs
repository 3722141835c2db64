//! `zabrus start`, `stop`, `restart`, `status`: the wording and the exit codes of zkServer.sh
//! (client.md section 24).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::four_letter::{ask, reachable};
use super::{Done, load};
use crate::clock;
use crate::zoo_cfg::Settings;

const START_FOREGROUND: &str = "start-foreground";
const PID_FILE: &str = "zookeeper_server.pid";
const OUTPUT_FILE: &str = "zabrus.out";

/// How long a server may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A longer output of earlier runs is put aside at a start.
const OUTPUT_BYTES: u64 = 16 << 20;

/// So much of what a server said is shown when it does not start.
const LAST_LINES: usize = 5;
const LAST_BYTES: u64 = 64 << 10;

const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn start(file: &Path) -> Done {
    let settings = begin(file)?;
    let pid_file = settings.data_directory.join(PID_FILE);
    if let Some(pid) = running(&pid_file) {
        println!("Starting zookeeper ... already running as process {}.", pid.as_raw_nonzero());
        return Err(ExitCode::FAILURE);
    }
    say("Starting zookeeper ... ");
    match launch(file, &settings, &pid_file) {
        Ok(()) => {
            println!("STARTED");
            Ok(())
        }
        Err(why) => {
            println!("FAILED TO START");
            eprintln!("{why}");
            if let Some(offer) = super::data::import_offer(&settings, file) {
                eprintln!("{offer}");
            }
            Err(ExitCode::FAILURE)
        }
    }
}

pub(super) fn stop(file: &Path) -> Done {
    let settings = begin(file)?;
    let pid_file = settings.data_directory.join(PID_FILE);
    say("Stopping zookeeper ... ");
    let Some(pid) = running(&pid_file) else {
        let why = if pid_file.exists() { "no such process runs, says" } else { "could not find" };
        println!("no zookeeper to stop ({why} file {})", pid_file.display());
        return Ok(());
    };
    let ended = kill_process(pid, Signal::TERM).is_ok() && within_patience(|| !is_server(pid));
    if !ended {
        println!("FAILED");
        eprintln!("process {} does not end", pid.as_raw_nonzero());
        return Err(ExitCode::FAILURE);
    }
    // The next start looks whether the process lives, not only whether the file is there.
    let _ = fs::remove_file(pid_file);
    println!("STOPPED");
    Ok(())
}

pub(super) fn restart(file: &Path) -> Done {
    stop(file)?;
    start(file)
}

pub(super) fn status(file: &Path) -> Done {
    let settings = begin(file)?;
    let address = &settings.client.address;
    println!(
        "Client port found: {}. Client address: {}. Client SSL: false.",
        address.port,
        reachable(address)
    );
    let answer = ask(address, "srvr").unwrap_or_default();
    match answer.lines().find(|line| line.starts_with("Mode:")) {
        Some(mode) => {
            println!("{mode}");
            Ok(())
        }
        None => {
            println!("Error contacting service. It is probably not running.");
            if !answer.is_empty() {
                // It runs, and says itself what it lacks: a quorum, or a word in the whitelist.
                eprintln!("The server answers: {}", answer.trim_end());
            }
            Err(ExitCode::FAILURE)
        }
    }
}

/// The settings, after the line with which zkServer.sh begins.
fn begin(file: &Path) -> Result<Settings, ExitCode> {
    eprintln!("Using config: {}", file.display());
    load(file)
}

fn say(text: &str) {
    print!("{text}");
    // It only looks less lively if it comes late.
    let _ = io::stdout().flush();
}

/// The process that the file names, if it is a server that runs.
fn running(pid_file: &Path) -> Option<Pid> {
    let pid = fs::read_to_string(pid_file).ok()?.trim().parse().ok().and_then(Pid::from_raw)?;
    is_server(pid).then_some(pid)
}

/// Numbers of processes are given again, perhaps to somebody who must not be stopped. A process that
/// has ended, and that nobody has waited for, has no arguments any more.
fn is_server(pid: Pid) -> bool {
    let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    arguments.split(|byte| *byte == 0).any(|argument| argument == START_FOREGROUND.as_bytes())
}

/// Starts a server, and waits until it answers.
fn launch(file: &Path, settings: &Settings, pid_file: &Path) -> Result<(), String> {
    let address = &settings.client.address;
    if ask(address, "ruok").is_ok() {
        return Err(format!("another program answers on port {} already", address.port));
    }
    let output = settings.data_directory.join(OUTPUT_FILE);
    let explain = |error: io::Error| format!("{}: {error}", output.display());
    fs::create_dir_all(&settings.data_directory).map_err(explain)?;
    if fs::metadata(&output).is_ok_and(|file| file.len() > OUTPUT_BYTES) {
        fs::rename(&output, output.with_extension("out.old")).map_err(explain)?;
    }
    let out = OpenOptions::new().create(true).append(true).open(&output).map_err(explain)?;
    let earlier = out.metadata().map_err(explain)?.len();
    let errors = out.try_clone().map_err(explain)?;
    let mut child = foreground(file)
        .and_then(|mut command| {
            // A group of its own, so that Ctrl-C in this terminal does not reach it.
            command.process_group(0).stdin(Stdio::null()).stdout(out).stderr(errors).spawn()
        })
        .map_err(|error| error.to_string())?;
    if let Err(error) = fs::write(pid_file, child.id().to_string()) {
        // Nobody could stop it.
        let _ = child.kill().and_then(|()| child.wait());
        return Err(format!("{}: {error}", pid_file.display()));
    }
    let mut ended = false;
    let answers = within_patience(|| {
        ended = child.try_wait().is_ok_and(|status| status.is_some());
        ended || ask(address, "ruok").is_ok()
    });
    if answers && !ended {
        return Ok(());
    }
    Err(format!("{}see {}", last_lines(&output, earlier), output.display()))
}

/// What a server said last, each line with its end; nothing of what stood in the file before.
fn last_lines(output: &Path, earlier: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(output).and_then(|mut file| {
        let last = file.metadata()?.len().saturating_sub(LAST_BYTES);
        file.seek(SeekFrom::Start(earlier.max(last)))?;
        file.take(LAST_BYTES).read_to_end(&mut text)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = lines.len().saturating_sub(LAST_LINES);
    lines[last..].iter().map(|line| format!("{line}\n")).collect()
}

/// This program as a server in the foreground.
pub(super) fn foreground(file: &Path) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(START_FOREGROUND).arg(file);
    Ok(command)
}

/// Asks again and again until it is so, or it has taken too long.
fn within_patience(mut is_so: impl FnMut() -> bool) -> bool {
    let begin = clock::monotonic();
    loop {
        if is_so() {
            return true;
        }
        if begin.elapsed() > PATIENCE {
            return false;
        }
        clock::wait(PAUSE);
    }
}
