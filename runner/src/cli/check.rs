//! `zabrus check-config`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::Done;
use crate::zoo_cfg::{self, Remark, Severity};

/// Prints the file with a sentence on each line that means something. Done if a server would start
/// with it.
pub(super) fn check_config(file: &Path) -> Done {
    let (reading, bytes) = match zoo_cfg::read(file).and_then(|reading| Ok((reading, fs::read(file)?))) {
        Ok(both) => both,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            return Err(ExitCode::from(2));
        }
    };
    for (line, number) in String::from_utf8_lossy(&bytes).lines().zip(1..) {
        println!("{number:4}  {line}");
        for remark in reading.remarks.iter().filter(|remark| remark.line == Some(number)) {
            println!("        {}", labelled(remark));
        }
    }
    println!();
    for remark in reading.remarks.iter().filter(|remark| remark.line.is_none()) {
        println!("{}", labelled(remark));
    }
    let count = |severity| reading.remarks.iter().filter(|remark| remark.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning) + count(Severity::Danger));
    let Some(settings) = reading.settings else {
        println!("{errors} errors, {warnings} warnings: no server starts with this file.");
        return Err(ExitCode::from(2));
    };
    let id = settings.core.id;
    let kind = match (settings.standalone, settings.core.ensemble.is_voter(id)) {
        (true, _) => "alone".to_owned(),
        (false, true) => format!("one of {} voters", settings.core.ensemble.voters().count()),
        (false, false) => "an observer".to_owned(),
    };
    let address = &settings.client.address;
    println!(
        "Server {id}, {kind}, serves clients on {}:{}. {warnings} warnings.",
        address.host, address.port
    );
    Ok(())
}

fn labelled(remark: &Remark) -> String {
    match remark.severity {
        Severity::Note => remark.text.clone(),
        severity => format!("{severity}: {}", remark.text),
    }
}

/// A remark for the screen or a log.
pub(super) fn sentence(file: &Path, remark: &Remark) -> String {
    match remark.line {
        Some(line) => format!("{}:{line}: {}", file.display(), labelled(remark)),
        None => format!("{}: {}", file.display(), labelled(remark)),
    }
}
