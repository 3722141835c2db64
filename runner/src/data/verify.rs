//! `zabrus verify`: every checksum, the order of the log, and what a start would do. Writes nothing.

use std::fmt::Write;
use std::fs;

use zabrus_core::identity::Position;
use zabrus_core::storage::offline::{read_epochs, read_snapshot};
use zabrus_core::storage::segment::{BLOCK_BYTES, Header, Records, Slot};
use zabrus_core::storage::{Directory, FileName, Standing};

use super::ours::{self, Place};
use super::{DataError, hexadecimal};
use crate::disk::Contents;

/// What was found in a data directory.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// For people.
    pub(crate) text: String,
    /// Whether everything is as it was written.
    pub(crate) is_whole: bool,
}

impl Report {
    fn say(&mut self, line: impl AsRef<str>) {
        self.text += line.as_ref();
        self.text.push('\n');
    }

    fn file(&mut self, name: &FileName, verdict: Result<String, String>) {
        self.is_whole &= verdict.is_ok();
        let verdict = verdict.unwrap_or_else(|damage| format!("DAMAGED: {damage}"));
        self.say(format!("{name}: {verdict}"));
    }
}

/// Looks at everything in a data directory of ours.
pub(crate) fn verify(place: &Place) -> Result<Report, DataError> {
    let (contents, mut recovered) = ours::look(place)?;
    let mut report = Report { is_whole: true, ..Report::default() };
    let mut end = None;
    for (name, _) in contents.list() {
        match name.0.as_str() {
            "epochs" => report.file(&name, epochs(&contents, &name)),
            other if other.ends_with(".tmp") => report.say(format!("{name}: unfinished; a start removes it")),
            other if other.starts_with("snapshot.") => report.file(&name, snapshot(&contents, &name)),
            other if other.starts_with("log.") => report.file(&name, log(&contents, &name, &mut end)),
            _ => report.say(format!("{name}: not one of ours")),
        }
    }
    report.say("\nA start would do this:");
    for finding in &recovered.findings {
        report.say(format!("  {finding}"));
    }
    for file in recovered.leftovers().iter().filter(|file| !file.0.ends_with(".tmp")) {
        report.say(format!("  remove {file}"));
    }
    if recovered.cut_bytes > 0 {
        report.say(format!("  cut {} bytes that were never acknowledged", recovered.cut_bytes));
    }
    let snapshot = recovered.snapshot.as_ref().map_or("nothing".into(), |(label, _)| snapshot_name(*label));
    report.say(format!("  begin with {snapshot}, apply {} transactions", recovered.entries.len()));
    let (epochs, empty) = (recovered.epochs, recovered.empty);
    match ours::replayed(&mut recovered) {
        Ok((position, state)) => report.say(format!(
            "  reach zxid {} (position {position}): {} znodes, {} sessions",
            hexadecimal(position.zxid),
            state.node_count(),
            state.session_count()
        )),
        Err(what) => {
            report.is_whole = false;
            report.say(format!("  FAIL: {what}"));
        }
    }
    let standing = match epochs.standing {
        Standing::Sound if empty => "start for the first time: there are no files".into(),
        Standing::Sound => "take part with everything that it ever acknowledged".to_owned(),
        Standing::Torn(zxid) => format!(
            "take part only behind a leader that has {}, or when all voters do: a power loss may have taken \
             acknowledged transactions",
            hexadecimal(zxid)
        ),
        Standing::Damaged(zxid) => {
            format!(
                "take part only behind a leader that has {}: transactions are lost here",
                hexadecimal(zxid)
            )
        }
        Standing::Blank => "have no vote until it was synchronized: what it acknowledged is unknown".into(),
    };
    report.is_whole &= epochs.standing == Standing::Sound;
    report.say(format!("  {standing}"));
    report.say(format!(
        "  server {}, epoch {} (accepted {})",
        epochs.server, epochs.current_epoch, epochs.accepted_epoch
    ));
    Ok(report)
}

fn snapshot_name(label: Position) -> String {
    format!("the snapshot at {}", hexadecimal(label.zxid))
}

fn bytes(contents: &Contents, name: &FileName) -> Result<Vec<u8>, String> {
    fs::read(contents.path(name)).map_err(|error| error.to_string())
}

fn epochs(contents: &Contents, name: &FileName) -> Result<String, String> {
    let epochs = read_epochs(&bytes(contents, name)?).ok_or("what this server promised is unknown")?;
    Ok(format!("whole; server {}, epoch {}", epochs.server, epochs.current_epoch))
}

fn snapshot(contents: &Contents, name: &FileName) -> Result<String, String> {
    let (label, state) =
        read_snapshot(&bytes(contents, name)?).ok_or("a checksum is wrong, or it was not finished")?;
    Ok(format!("whole; at {}, {} znodes", hexadecimal(label.zxid), state.node_count()))
}

/// `end` is where the segment before this one ended.
fn log(contents: &Contents, name: &FileName, end: &mut Option<Position>) -> Result<String, String> {
    let bytes = bytes(contents, name)?;
    let before = end.take();
    let header = Header::decode(&bytes).ok_or("its header is damaged")?;
    if before.is_some_and(|before| before != header.base) {
        return Err(format!(
            "it does not continue the segment before it, which it expects to end at {}",
            header.base
        ));
    }
    let mut records =
        Records::new(header.base, BLOCK_BYTES, bytes.get(BLOCK_BYTES as usize..).unwrap_or_default());
    let count = records.by_ref().count();
    let (last, offset) = records.end();
    *end = Some(last);
    let mut text = format!("whole; {count} transactions after {}", hexadecimal(header.base.zxid));
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    let newest = Slot::all(&bytes).max_by_key(|slot| slot.number).ok_or("it has no commit mark")?;
    if newest.durable > last.zxid {
        let missing = hexadecimal(newest.durable);
        return Err(format!("{count} transactions up to byte {offset}; those up to {missing} were durable"));
    }
    if used > offset {
        write!(text, "; {} bytes behind them that no server acknowledged", used - offset)
            .expect("a string takes anything");
    }
    Ok(text)
}
