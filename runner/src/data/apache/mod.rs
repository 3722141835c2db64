//! The data directory of Apache ZooKeeper, `version-2` (client.md section 23).

mod files;
pub(crate) mod log;
mod replay;
pub(crate) mod snapshot;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use zabrus_core::identity::{Epoch, Position, Zxid};
use zabrus_core::state::Owner;

use super::{At, DataError, Image, hexadecimal, is_in_use, publish, sync_names};
use crate::disk::APACHE_SUBDIRECTORY;
use files::Kind;
pub(crate) use files::unpacked;
use replay::Replay;

const ACCEPTED_EPOCH: &str = "acceptedEpoch";
const CURRENT_EPOCH: &str = "currentEpoch";

/// Reads the newest valid snapshot and the log after it. `force`: also where transactions may be missing
/// or wrong.
pub(crate) fn read(data: &Path, log: &Path, force: bool) -> Result<Image, DataError> {
    let (data, log) = (files::versioned(data)?, files::versioned(log)?);
    let mut notes = Vec::new();
    let mut snapshots = files::list(&data, Kind::Snapshot)?;
    let mut newest = None;
    while let Some((label, path)) = snapshots.pop() {
        let loaded = unpacked(&path).and_then(|bytes| snapshot::decode(&bytes));
        match loaded.map_err(|what| DataError::new(&path, what)) {
            Ok(loaded) => {
                notes.push(format!("{}: the newest valid snapshot", path.display()));
                newest = Some((label, loaded));
                break;
            }
            Err(error) => notes.push(format!("{error}; an older one is tried")),
        }
    }
    let Some((label, loaded)) = newest else {
        let found = notes.into_iter().map(|note| format!("\n{note}")).collect::<String>();
        return Err(DataError::new(&data, format!("there is no valid snapshot{found}")));
    };
    let mut replay = Replay::new(label, loaded, force);
    replay_logs(&mut replay, &log, label, force, &mut notes)?;
    let (zxid, state) = replay.finish(&mut notes).map_err(|what| DataError::new(&data, what))?;
    if zxid == Zxid::ZERO {
        return Err(DataError::new(&data, "nothing was ever written here: start with an empty directory"));
    }
    let epoch = |name: &str| -> Result<Epoch, DataError> {
        let path = data.join(name);
        match fs::read_to_string(&path) {
            // A server alone has none.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(zxid.epoch()),
            text => {
                let text = text.at(&path)?;
                let number = text.trim().parse().map(Epoch);
                number.map_err(|_| DataError::new(&path, format!("`{}` is no epoch", text.trim())))
            }
        }
    };
    // A server that stopped between its log and these files is behind its own log (ZOOKEEPER-1653).
    let current_epoch = epoch(CURRENT_EPOCH)?.max(zxid.epoch());
    let accepted_epoch = epoch(ACCEPTED_EPOCH)?.max(current_epoch);
    // The same on every server that imports the same: servers compare their histories by it.
    let position = Position::EMPTY.extend(zxid, &state.digest().to_be_bytes());
    Ok(Image { position, state, accepted_epoch, current_epoch, notes })
}

fn replay_logs(
    replay: &mut Replay,
    directory: &Path,
    label: Zxid,
    force: bool,
    notes: &mut Vec<String>,
) -> Result<(), DataError> {
    let mut logs = files::list(directory, Kind::Log)?;
    // The one that begins before the snapshot may go on after it.
    let first = logs.iter().rposition(|(first, _)| *first <= label).unwrap_or(0);
    for (_, path) in logs.split_off(first) {
        let bytes = fs::read(&path).at(&path)?;
        let mut entries = log::Entries::new(&bytes);
        let before = replay.count();
        for transaction in entries.by_ref() {
            replay.apply(transaction).map_err(|what| DataError::new(&path, what))?;
        }
        if let Some(damage) = entries.damage() {
            if !force {
                let advice = "with --force everything before it is taken";
                return Err(DataError::new(&path, format!("{damage}; {advice}")));
            }
            notes.push(format!("{}: {damage}; nothing after it was taken", path.display()));
            return Ok(());
        }
        notes.push(format!("{}: {} transactions after it", path.display(), replay.count() - before));
        if let Some(at) = entries.unfinished() {
            notes
                .push(format!("{}: the entry at byte {at} was not finished; it is left out", path.display()));
        }
    }
    Ok(())
}

/// Writes a directory that Apache's server opens, below `to`.
pub(crate) fn write(image: &Image, to: &Path) -> Result<Vec<String>, DataError> {
    let directory = to.join(APACHE_SUBDIRECTORY);
    if is_in_use(&directory) {
        return Err(DataError::new(
            &directory,
            "it is not empty; name another directory, or remove it first",
        ));
    }
    fs::create_dir_all(to).at(to)?;
    // An export that was interrupted must not look like one that was not.
    let unfinished = to.join(format!("{APACHE_SUBDIRECTORY}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).at(&unfinished)?;
    }
    fs::create_dir(&unfinished).at(&unfinished)?;
    let zxid = image.position.zxid;
    let name = format!("snapshot.{:x}", zxid.0);
    let files = [
        (name.as_str(), snapshot::encode(&image.state, zxid)),
        (ACCEPTED_EPOCH, image.accepted_epoch.to_string().into_bytes()),
        (CURRENT_EPOCH, image.current_epoch.to_string().into_bytes()),
    ];
    for (name, bytes) in files {
        let path = unfinished.join(name);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.at(&path)?;
    }
    sync_names(&unfinished)?;
    publish(&unfinished, &directory)?;
    let mut notes = vec![format!("{} at {}", directory.join(name).display(), hexadecimal(zxid))];
    let owners = image.state.nodes().map(|(_, node)| Owner::from_stored(node.stored().ephemeral_owner));
    if owners.into_iter().any(|owner| matches!(owner, Owner::TimeToLive(_))) {
        let advice = "start Apache's servers with extendedTypesEnabled=true, or they delete them";
        notes.push(format!("there are nodes with a time to live: {advice}"));
    }
    Ok(notes)
}
