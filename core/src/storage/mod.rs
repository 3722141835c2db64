//! Durable state: the log, the snapshots and the epochs, as file operations that a driver carries
//! out, and recovery from their bytes alone.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::identity::{Bytes, Epoch, Position, ServerId, Zxid};
use crate::service::{Tree, TreeSnapshot};

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

/// What [`recover`] found in a data directory.
#[derive(Debug)]
pub struct Recovered {
    /// The epochs and the standing. With an empty directory: epoch 0, and `Sound` or `Blank` as
    /// [`Config::empty_is_expected`] says.
    pub epochs: Epochs,
    /// The newest valid snapshot: its label and its state.
    pub snapshot: Option<(Position, Tree)>,
    /// The log after the snapshot, contiguous.
    pub entries: Vec<Entry>,
    /// The directory held nothing.
    pub empty: bool,
    /// Things that an operator should know: what was damaged, where, what follows.
    pub findings: Vec<String>,
    /// Bytes of a torn tail that will be cut.
    pub cut_bytes: u64,
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

/// Reads a data directory. Pure: depends on the bytes alone, and changes nothing (R4).
///
/// # Errors
/// If the directory must not be used; nothing in it is changed then.
pub fn recover(_config: &Config, _directory: &dyn Directory) -> Result<Recovered, RecoveryError> {
    unimplemented!()
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
    /// A snapshot of the own state was given up (disk full, say); the log goes on.
    SnapshotAbandoned(Position, DiskError),
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

/// The durable state of one server: takes entries, epochs and snapshots, asks for file operations,
/// and says what has become durable. Between the memory's view ([`Storage::last`]) and the disk's
/// ([`Storage::durable`]) there is one group commit at most in flight and one being collected.
pub struct Storage {}

impl Storage {
    /// Takes over what was recovered (the snapshot's tree stays with the caller) and begins to
    /// repair the directory: cuts torn tails, removes leftovers, syncs what was recovered.
    /// `incarnation` must differ from that of every earlier storage on the same disk.
    pub fn new(_config: &Config, _recovered: &mut Recovered, _incarnation: u64) -> Self {
        unimplemented!()
    }

    /// The durable epochs.
    #[must_use]
    pub fn epochs(&self) -> Epochs {
        unimplemented!()
    }

    /// The position before the first entry that memory holds.
    #[must_use]
    pub fn base(&self) -> Position {
        unimplemented!()
    }

    /// The end of the log, durable or not.
    #[must_use]
    pub fn last(&self) -> Position {
        unimplemented!()
    }

    /// Everything up to here is durable.
    #[must_use]
    pub fn durable(&self) -> Zxid {
        unimplemented!()
    }

    /// The entries in memory after `zxid`, in order. Empty if `zxid` is below the base.
    pub fn entries_after(&self, _zxid: Zxid) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        [].iter()
    }

    /// The position at `zxid`, if memory holds that entry or it is the base.
    #[must_use]
    pub fn position_at(&self, _zxid: Zxid) -> Option<Position> {
        unimplemented!()
    }

    /// Nothing is in flight or waiting to be written, snapshots of the own state aside.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        unimplemented!()
    }

    /// Appends one entry, which must extend [`Storage::last`] (asserted, R4).
    pub fn append(&mut self, _zxid: Zxid, _payload: Bytes) {
        unimplemented!()
    }

    /// Cuts the log after `to`, which must be in memory or the base (asserted). Everything that
    /// was appended before is cut or durable when [`StorageEvent::Truncated`] comes; snapshots
    /// with labels beyond `to` are removed (R8).
    pub fn truncate(&mut self, _to: Zxid) {
        unimplemented!()
    }

    /// Replaces the epochs, atomically, after everything that was appended before is durable.
    /// Epochs never decrease (asserted, E10).
    pub fn save_epochs(&mut self, _epochs: Epochs) {
        unimplemented!()
    }

    /// Writes a snapshot of the own state in the background, chunk by chunk. Ignored while one is
    /// being written. When done, older snapshots and log segments beyond what
    /// [`Config::snapshots_kept`] wants are removed; only snapshots known to be valid count
    /// (R9, ZOOKEEPER-3231).
    pub fn save_snapshot(&mut self, _label: Position, _state: TreeSnapshot) {
        unimplemented!()
    }

    /// Begins to store a snapshot that the leader sends; an earlier unfinished one is dropped.
    pub fn begin_install(&mut self, _label: Position) {
        unimplemented!()
    }

    /// Stores the next chunk of it. After the last one the snapshot is made durable, then the log
    /// is replaced by an empty one that starts at the label, durably (ZOOKEEPER-2872, -2832).
    pub fn install_chunk(&mut self, _index: u64, _bytes: Bytes, _last: bool) {
        unimplemented!()
    }

    /// Drops an unfinished received snapshot. One whose last chunk has been given is finished all
    /// the same; [`Storage::is_settled`] waits for it.
    pub fn abort_install(&mut self) {
        unimplemented!()
    }

    /// Reads entries `after < zxid <= upto` from the disk, at most `limit_bytes` of them. `token`
    /// comes back in [`StorageEvent::LogRead`].
    pub fn read_log(&mut self, _token: u64, _after: Position, _upto: Zxid, _limit_bytes: u64) {
        unimplemented!()
    }

    /// The size of the newest snapshot in bytes, 0 if there is none.
    #[must_use]
    pub fn snapshot_bytes(&self) -> u64 {
        unimplemented!()
    }

    /// Lets memory forget entries up to `zxid`, all of which must be applied and durable.
    pub fn forget(&mut self, _zxid: Zxid) {
        unimplemented!()
    }

    /// Takes the outcome of an operation. Completions of another incarnation have no effect
    /// (R12, ZOOKEEPER-4541).
    pub fn handle(&mut self, _completion: DiskCompletion) {
        unimplemented!()
    }

    /// The next operation for the driver.
    pub fn poll_operation(&mut self) -> Option<DiskOperation> {
        unimplemented!()
    }

    /// The next thing that became durable.
    pub fn poll_event(&mut self) -> Option<StorageEvent> {
        unimplemented!()
    }
}
