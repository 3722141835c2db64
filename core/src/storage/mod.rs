//! Durable state: the log, the snapshots and the epochs, as file operations that a driver carries
//! out, and recovery from their bytes alone.

mod background;
mod device;
mod epochs;
mod log;
mod names;
pub mod offline;
mod pipeline;
mod reader;
mod recovery;
pub mod segment;
mod snapshot;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::identity::{Bytes, Epoch, Position, ServerId, Zxid};
use crate::mutated;
use crate::state::State;

pub use recovery::recover;
pub use store::Storage;

/// The name of a file within the data directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileName(pub String);

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one disk operation: a completion counts only for the replica that asked for it (R12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationId {
    /// The life of the storage that asked.
    pub incarnation: u64,
    /// From 1 within it.
    pub number: u64,
}

/// A file operation and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskOperation {
    /// Its name.
    pub id: OperationId,
    /// What to do.
    pub operation: FileOperation,
}

/// What to do with one file. Operations of one replica take effect in the order in which they were
/// asked for; reads see the writes before them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileOperation {
    /// Create an empty file, or empty an existing one. Durable only after [`Self::SyncDirectory`].
    Create {
        /// The file.
        file: FileName,
    },
    /// Make the file at least `length` bytes long, the new ones zero.
    Preallocate {
        /// The file.
        file: FileName,
        /// In bytes.
        length: u64,
    },
    /// Write bytes at an offset, growing the file as needed. Durable only after [`Self::Sync`].
    Write {
        /// The file.
        file: FileName,
        /// In bytes from the start.
        offset: u64,
        /// What to write.
        bytes: Bytes,
    },
    /// Cut the file. Durable only after [`Self::Sync`].
    Truncate {
        /// The file.
        file: FileName,
        /// The new length in bytes.
        length: u64,
    },
    /// Make everything done to the file so far durable (its content, not its name).
    Sync {
        /// The file.
        file: FileName,
    },
    /// Give a file another name, replacing what had it. Durable only after
    /// [`Self::SyncDirectory`].
    Rename {
        /// The old name.
        from: FileName,
        /// The new name.
        to: FileName,
    },
    /// Remove a file. Durable only after [`Self::SyncDirectory`].
    Remove {
        /// The file.
        file: FileName,
    },
    /// Make all creations, renames and removals so far durable.
    SyncDirectory,
    /// Read bytes; the completion carries them, fewer only at the end of the file.
    Read {
        /// The file.
        file: FileName,
        /// In bytes from the start.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

/// The outcome of one disk operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCompletion {
    /// The operation.
    pub id: OperationId,
    /// Empty except for reads.
    pub result: Result<Bytes, DiskError>,
}

/// Why a disk operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskError {
    /// No space is left.
    Full,
    /// The device reported an error. After a failed sync nothing written since the last good one
    /// may be assumed.
    Failed,
    /// There is no such file.
    NotFound,
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no space left on the disk",
            Self::Failed => "input/output error",
            Self::NotFound => "no such file",
        })
    }
}

/// The bytes of a data directory, for recovery.
pub trait Directory {
    /// Every file and its length in bytes.
    fn list(&self) -> Vec<(FileName, u64)>;

    /// The bytes of a file from `offset`, at most `length`.
    ///
    /// # Errors
    /// If the disk cannot read them.
    fn read(&self, file: &FileName, offset: u64, length: u64) -> Result<Vec<u8>, DiskError>;
}

/// One transaction of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The transaction and the digest of the history that ends with it.
    pub position: Position,
    /// Its bytes, as its leader encoded them.
    pub payload: Bytes,
}

/// The small durable facts of a server, replaced atomically as one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epochs {
    /// Whose data these are: a disk moved to another server is refused.
    pub server: ServerId,
    /// The highest epoch that this server has promised.
    pub accepted_epoch: Epoch,
    /// To whom (R2).
    pub accepted_leader: Option<ServerId>,
    /// The highest epoch whose initial history this server has.
    pub current_epoch: Epoch,
    /// Whether this server's log may lack transactions that it acknowledged.
    pub standing: Standing,
}

impl Epochs {
    /// How recent the server is if its log ends at `last`; see [`Standing::rank`].
    #[must_use]
    pub fn rank(&self, last: Zxid) -> (Epoch, Zxid) {
        self.standing.rank(self.current_epoch, last)
    }
}

/// What a server's own log proves about what it acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// The log holds everything that this server ever acknowledged.
    #[default]
    Sound,
    /// A write that was under way at a power loss left its mark but not its bytes: perhaps this
    /// server acknowledged transactions up to here and lacks them. It is counted behind a leader
    /// whose history reaches to `0`, or when every voter takes part.
    Torn(Zxid),
    /// Damage below what was durable: this server acknowledged transactions up to here and lacks
    /// some. It is counted only behind a leader whose history reaches to `0`.
    Damaged(Zxid),
    /// This server knows nothing of what it once promised or acknowledged: it is not counted at
    /// all until it has been synchronized.
    Blank,
}

impl Standing {
    /// How recent a server is whose log ends at `last`: what votes and promises compare
    /// (zab.md sections 1.2 and 4.4). A server that may lack the end of its log no longer has what
    /// its current epoch says; only the epoch of what is left is proven.
    #[must_use]
    pub fn rank(self, current_epoch: Epoch, last: Zxid) -> (Epoch, Zxid) {
        match self {
            Self::Sound => (current_epoch, last),
            _ if mutated!(Z01) => (current_epoch, last),
            Self::Torn(_) | Self::Damaged(_) | Self::Blank => (last.epoch(), last),
        }
    }
}

/// What [`recover`] found in a data directory.
#[derive(Debug)]
pub struct Recovered {
    /// The epochs and the standing. With an empty directory: epoch 0, and `Sound` or `Blank` as
    /// [`Config::empty_is_expected`](crate::config::Config::empty_is_expected) says.
    pub epochs: Epochs,
    /// The newest valid snapshot: its label and its state.
    pub snapshot: Option<(Position, State)>,
    /// The log after the snapshot, contiguous.
    pub entries: Vec<Entry>,
    /// The directory held nothing.
    pub empty: bool,
    /// Things that an operator should know: what was damaged, where, what follows.
    pub findings: Vec<String>,
    /// Bytes of a torn tail that will be cut.
    pub cut_bytes: u64,
    /// What [`Storage::new`] must repair.
    layout: recovery::Layout,
}

impl Recovered {
    /// The files that [`Storage::new`] will remove.
    #[must_use]
    pub fn leftovers(&self) -> &[FileName] {
        &self.layout.leftovers
    }
}

/// Why a data directory cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryError {
    /// The data are those of another server.
    ForeignData {
        /// Whose they are.
        owner: ServerId,
        /// Who asks.
        this: ServerId,
    },
    /// The disk cannot be read at all.
    Unreadable(DiskError),
}

/// Something that became durable, or did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageEvent {
    /// The repair after recovery is done, and everything recovered is synced (R1): the server may
    /// take part.
    Ready,
    /// The log is durable up to here.
    Durable(Zxid),
    /// These epochs are durable.
    EpochsSaved(Epochs),
    /// The log ends here, durably.
    Truncated(Position),
    /// A snapshot of the own state is durable.
    SnapshotSaved(Position),
    /// A snapshot of the own state was given up, because the disk failed or, without an error,
    /// because a truncation or a received snapshot made it worthless; the log goes on.
    SnapshotAbandoned(Position, Option<DiskError>),
    /// A chunk of a received snapshot was written.
    ChunkStored(u64),
    /// A received snapshot is durable, and the log starts at its label, durably.
    Installed(Position),
    /// The entries asked for with [`Storage::read_log`]; `None` if the disk does not hold them
    /// without a gap (ZOOKEEPER-2846), or holds more bytes than allowed.
    LogRead(u64, Option<Vec<Entry>>),
    /// The log or the epochs could not be written. Nothing that is not yet reported durable may be
    /// assumed, in either direction; nothing is written any more.
    Failed(String),
}
