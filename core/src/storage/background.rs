//! Snapshots: the own ones, written while the log goes on, and those that a leader sends.

use alloc::boxed::Box;

use super::device::Lane;
use super::pipeline::Job;
use super::snapshot::Writer;
use super::{DiskError, FileOperation, Storage, StorageEvent, names};
use crate::identity::{Bytes, Position, Zxid};
use crate::state::StateSnapshot;

/// A snapshot of the own state that is being written.
pub(super) struct OwnSnapshot {
    writer: Writer,
    /// `None` when all chunks are written.
    state: Option<StateSnapshot>,
}

impl OwnSnapshot {
    pub(super) fn label(&self) -> Position {
        self.writer.label
    }
}

impl Storage {
    /// Writes a snapshot of the own state in the background, chunk by chunk. Ignored while one is
    /// being written. When done, older snapshots and log segments beyond what
    /// [`crate::Config::snapshots_kept`] wants are removed; only snapshots known to be valid count
    /// (R9, ZOOKEEPER-3231).
    pub fn save_snapshot(&mut self, label: Position, state: StateSnapshot) {
        let running = self.running.as_ref().map(|running| &running.job);
        let mut jobs = self.queue.iter().chain(running);
        // One that is named after a received snapshot must be numbered after it as well.
        let is_busy = jobs.any(|job| matches!(job, Job::Publish { .. } | Job::Install(_)));
        if self.failed || self.own_snapshot.is_some() || is_busy {
            return;
        }
        let writer = Writer::new(names::file(names::SNAPSHOT_TEMPORARY), label);
        self.device.issue(Lane::Snapshot, writer.create());
        self.own_snapshot = Some(OwnSnapshot { writer, state: Some(state) });
    }

    pub(super) fn handle_snapshot(&mut self, error: Option<DiskError>) {
        if error.is_some() {
            return self.abandon_snapshot(error);
        }
        if !self.device.is_idle(Lane::Snapshot) {
            return;
        }
        let Some(mut own) = self.own_snapshot.take() else { return };
        let Some(state) = &mut own.state else {
            let (label, bytes) = (own.label(), own.writer.bytes());
            self.queue.push_back(Job::Publish { label, bytes, error: None });
            return;
        };
        if let Some((chunk, _)) = state.next_chunk(self.chunk_bytes) {
            self.device.issue(Lane::Snapshot, own.writer.chunk(&chunk));
        } else {
            own.state = None;
            for operation in own.writer.finish(self.log.number, false) {
                self.device.issue(Lane::Snapshot, operation);
            }
            self.device.issue(Lane::Snapshot, FileOperation::Sync { file: own.writer.file() });
        }
        self.own_snapshot = Some(own);
    }

    pub(super) fn abandon_snapshot(&mut self, error: Option<DiskError>) {
        let Some(own) = self.own_snapshot.take() else { return };
        self.device.disown(Lane::Snapshot);
        self.device.issue(Lane::Nobody, FileOperation::Remove { file: own.writer.file() });
        self.events.push_back(StorageEvent::SnapshotAbandoned(own.label(), error));
    }

    /// Begins to store a snapshot that the leader sends; an earlier unfinished one is dropped. One
    /// whose last chunk has been given must be installed first (asserted).
    pub fn begin_install(&mut self, label: Position) {
        self.abort_install();
        if self.failed {
            return;
        }
        assert!(!self.is_installing(), "a received snapshot is being installed");
        let writer = Writer::new(names::file(names::INSTALL_TEMPORARY), label);
        self.device.issue(Lane::Install, writer.create());
        self.install = Some(writer);
    }

    fn is_installing(&self) -> bool {
        let running = self.running.as_ref().map(|running| &running.job);
        self.queue.iter().chain(running).any(|job| matches!(job, Job::Install(_)))
    }

    /// Stores the next chunk of it. After the last one the snapshot is made durable, then the log
    /// is replaced by an empty one that starts at the label, durably (ZOOKEEPER-2872, -2832).
    /// Memory's view ([`Storage::base`], [`Storage::last`]) changes with the last chunk at once:
    /// what is appended from then on follows the label.
    pub fn install_chunk(&mut self, index: u64, bytes: Bytes, last: bool) {
        if self.failed {
            return;
        }
        let mut writer = self.install.take().expect("a received snapshot has begun");
        let number = self.device.issue(Lane::Install, writer.chunk(&bytes));
        self.chunks.push((number, index));
        if !last {
            self.install = Some(writer);
            return;
        }
        self.supersede_appends(Zxid::ZERO);
        self.abandon_snapshot(None);
        self.cancel_readings();
        self.entries.clear();
        self.base = writer.label;
        self.last = writer.label;
        self.durable = Zxid::ZERO;
        self.queue.push_back(Job::Install(Box::new(writer)));
    }

    pub(super) fn handle_install(&mut self, number: u64) {
        if let Some(at) = self.chunks.iter().position(|(write, _)| *write == number) {
            let (_, index) = self.chunks.remove(at);
            self.events.push_back(StorageEvent::ChunkStored(index));
        }
    }

    /// Drops an unfinished received snapshot. One whose last chunk has been given is finished all
    /// the same; [`Storage::is_settled`] waits for it.
    pub fn abort_install(&mut self) {
        #[cfg(feature = "mutants")]
        if core::mem::take(&mut self.held) {
            self.queue.clear();
        }
        if let Some(writer) = self.install.take() {
            self.chunks.clear();
            self.device.disown(Lane::Install);
            self.device.issue(Lane::Nobody, FileOperation::Remove { file: writer.file() });
        }
    }
}
