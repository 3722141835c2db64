//! What a server knows, outside of any server: read from our own files, from Apache ZooKeeper's, or
//! from a backup, and written as any of them.
//!
//! | | from | to |
//! |---|---|---|
//! | `import` | Apache's directory | a data directory of ours |
//! | `export` | a data directory of ours | Apache's directory |
//! | `backup` | a data directory of ours | a file |
//! | `restore` | a file | a data directory of ours |

pub(crate) mod apache;
pub(crate) mod dump;
pub(crate) mod ours;
pub(crate) mod verify;

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use zabrus_core::identity::{Epoch, Position, Zxid};
use zabrus_core::state::{Owner, State};

/// The snapshot that Apache ZooKeeper would write of a server that runs and has applied so much, and the
/// last transaction in it.
pub(crate) fn snapshot_for_apache(place: &ours::Place, applied: Zxid) -> Result<(Zxid, Vec<u8>), DataError> {
    let (position, state) = ours::read_committed(place, applied)?;
    Ok((position.zxid, apache::snapshot::encode(&state, position.zxid)))
}

/// Everything that a server knows, and where in the history that is.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) position: Position,
    pub(crate) state: State,
    /// The highest epoch that the server promised.
    pub(crate) accepted_epoch: Epoch,
    /// The highest epoch whose initial history it has.
    pub(crate) current_epoch: Epoch,
    /// What the operator should know.
    pub(crate) notes: Vec<String>,
}

/// What is wrong, where, and what to do.
#[derive(Debug)]
pub(crate) struct DataError {
    pub(crate) place: PathBuf,
    pub(crate) what: String,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place.display(), self.what)
    }
}

impl DataError {
    pub(crate) fn new(place: &Path, what: impl fmt::Display) -> Self {
        Self { place: place.into(), what: what.to_string() }
    }
}

/// Says where an operation of the system failed.
trait At<T> {
    fn at(self, place: &Path) -> Result<T, DataError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, place: &Path) -> Result<T, DataError> {
        self.map_err(|error| DataError::new(place, error))
    }
}

/// A zxid as ZooKeeper's tools write it.
pub(crate) fn hexadecimal(zxid: Zxid) -> String {
    format!("0x{:x}", zxid.0)
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        let count = |is: fn(&Owner) -> bool| {
            state.nodes().filter(|(_, node)| is(&Owner::from_stored(node.stored().ephemeral_owner))).count()
        };
        let containers = count(|owner| *owner == Owner::Container);
        let mortal = count(|owner| matches!(owner, Owner::TimeToLive(_)));
        write!(
            f,
            "{} znodes ({} ephemeral, {containers} containers, {mortal} with a time to live), {} sessions, last \
             zxid {}, epoch {} (accepted {}), digest {}",
            state.node_count(),
            state.ephemeral_count(),
            state.session_count(),
            hexadecimal(self.position.zxid),
            self.current_epoch,
            self.accepted_epoch,
            state.node_digest()
        )
    }
}

/// Whether the directory is there and holds anything.
fn is_in_use(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some())
}

/// Makes the names in a directory durable.
fn sync_names(directory: &Path) -> Result<(), DataError> {
    File::open(directory).and_then(|directory| directory.sync_all()).at(directory)
}

/// Gives what lies finished and synced at `from` its name, durably. Fails if there is something already.
fn publish(from: &Path, to: &Path) -> Result<(), DataError> {
    fs::rename(from, to).at(to)?;
    // The parent of a mere name is empty.
    let parent = to.parent().filter(|parent| *parent != Path::new(""));
    sync_names(parent.unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests;
