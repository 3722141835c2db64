//! The storage thread: it carries out the core's file operations one after the other, and reports
//! each.
//!
//! The core thread never waits for the disk. While one sync runs, the core goes on and collects
//! the next batch (group commit), and replication overlaps the sync.

mod directory;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use zabrus_core::storage::{DiskCompletion, DiskError, DiskOperation, FileOperation};

use crate::clock;
use crate::figures::Summary;
pub(crate) use directory::{
    APACHE_SUBDIRECTORY, Contents, DataDirectory, OpenError, SUBDIRECTORY, is_same, only_apache,
};

/// What the directories hold, for the words `dirs` and `conf`, what waits for the disk, and how long it
/// took.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) data: AtomicU64,
    pub(crate) log: AtomicU64,
    /// Syncs that took longer than `fsync.warningthresholdms`.
    pub(crate) slow_syncs: AtomicU64,
    /// How long syncs took.
    syncs: Mutex<Summary>,
    /// Bytes of writes that are not carried out.
    waiting: AtomicU64,
    /// What waits is not wanted any more.
    abandoned: AtomicBool,
}

/// The core thread's end of the storage thread.
#[derive(Debug)]
pub(crate) struct Disk {
    operations: Sender<DiskOperation>,
    returned: Receiver<DataDirectory>,
    pub(crate) sizes: Arc<Sizes>,
}

impl Disk {
    /// Starts the thread. `report` is called on it after each operation.
    pub(crate) fn start(
        mut directory: DataDirectory,
        sync_warning: Duration,
        report: impl Fn(DiskCompletion) + Send + 'static,
    ) -> io::Result<Self> {
        let (operations, queue) = mpsc::channel::<DiskOperation>();
        let (give_back, returned) = mpsc::channel();
        let sizes = Arc::new(Sizes::default());
        measure(&directory, &sizes);
        let shared = Arc::clone(&sizes);
        thread::Builder::new().name("storage".into()).spawn(move || {
            for DiskOperation { id, operation } in queue {
                if shared.abandoned.load(Ordering::Relaxed) {
                    break;
                }
                let begin = clock::monotonic();
                let result = directory.execute(&operation);
                let span = begin.elapsed();
                let is_sync = matches!(operation, FileOperation::Sync { .. } | FileOperation::SyncDirectory);
                if is_sync {
                    shared.synced(span);
                    if span >= sync_warning {
                        shared.slow_syncs.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!(millis = span.as_millis(), "a sync of the disk was slow");
                    }
                }
                if operation == FileOperation::SyncDirectory {
                    measure(&directory, &shared);
                }
                shared.waiting.fetch_sub(weight(&operation), Ordering::Relaxed);
                let result = result.map_err(|error| {
                    // The core says what it could not do; the system's own words are for the operator.
                    if error.kind() != io::ErrorKind::NotFound {
                        tracing::warn!("the disk says: {error}");
                    }
                    disk_error(&error)
                });
                report(DiskCompletion { id, result });
            }
            // The core thread may be gone already, then nobody needs the directory.
            let _ = give_back.send(directory);
        })?;
        Ok(Self { operations, returned, sizes })
    }

    /// Lets the thread carry out an operation after all earlier ones.
    pub(crate) fn submit(&self, operation: DiskOperation) {
        self.sizes.waiting.fetch_add(weight(&operation.operation), Ordering::Relaxed);
        self.operations.send(operation).expect("the storage thread runs as long as it has work");
    }

    /// How many bytes wait to be written.
    pub(crate) fn waiting(&self) -> u64 {
        self.sizes.waiting.load(Ordering::Relaxed)
    }

    /// How long syncs took.
    pub(crate) fn syncs(&self) -> Summary {
        self.sizes.syncs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins to count syncs anew.
    pub(crate) fn reset(&self) {
        self.sizes.slow_syncs.store(0, Ordering::Relaxed);
        *self.sizes.syncs.lock().unwrap_or_else(PoisonError::into_inner) = Summary::default();
    }

    /// Ends the thread after the operation that it is at, and takes the directory back.
    pub(crate) fn abandon(self) -> DataDirectory {
        self.sizes.abandoned.store(true, Ordering::Relaxed);
        self.stop()
    }

    /// Ends the thread when it has done everything, and takes the directory back.
    pub(crate) fn stop(self) -> DataDirectory {
        drop(self.operations);
        self.returned.recv().expect("the storage thread gives its directory back")
    }
}

impl Sizes {
    fn synced(&self, span: Duration) {
        let span = zabrus_core::Duration(u64::try_from(span.as_micros()).unwrap_or(u64::MAX));
        self.syncs.lock().unwrap_or_else(PoisonError::into_inner).record(span);
    }
}

/// Bytes that an operation keeps in memory.
fn weight(operation: &FileOperation) -> u64 {
    match operation {
        FileOperation::Write { bytes, .. } => bytes.len() as u64,
        _ => 0,
    }
}

fn measure(directory: &DataDirectory, sizes: &Sizes) {
    let (data, log) = directory.sizes();
    sizes.data.store(data, Ordering::Relaxed);
    sizes.log.store(log, Ordering::Relaxed);
}

/// What the core wants to know about an error.
fn disk_error(error: &io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::NotFound => DiskError::NotFound,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            DiskError::Full
        }
        _ => DiskError::Failed,
    }
}
