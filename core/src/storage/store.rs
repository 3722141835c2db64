//! The durable state of one server as the replica sees it.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::background::OwnSnapshot;
use super::device::{Device, Lane};
use super::log::Log;
use super::pipeline::{Job, Running};
use super::reader::LogReading;
use super::recovery::SnapshotFile;
use super::segment::follows;
use super::snapshot::Writer;
use super::{DiskCompletion, DiskError, DiskOperation, Entry, Epochs, Recovered, StorageEvent};
use crate::config::Config;
use crate::identity::{Bytes, Position, Zxid};
use crate::mutated;

/// The durable state of one server: takes entries, epochs and snapshots, asks for file operations,
/// and says what has become durable. Between the memory's view ([`Storage::last`]) and the disk's
/// ([`Storage::durable`]) there is one group commit at most in flight and one being collected.
pub struct Storage {
    pub(super) chunk_bytes: usize,
    pub(super) snapshots_kept: usize,
    pub(super) device: Device,
    pub(super) events: VecDeque<StorageEvent>,
    pub(super) failed: bool,

    pub(super) base: Position,
    pub(super) entries: VecDeque<Entry>,
    pub(super) last: Position,
    pub(super) durable: Zxid,
    pub(super) epochs: Epochs,
    /// Durable or not.
    pub(super) epochs_asked: Epochs,

    pub(super) log: Log,
    pub(super) queue: VecDeque<Job>,
    pub(super) running: Option<Running>,
    /// Oldest first.
    pub(super) snapshots: Vec<SnapshotFile>,
    pub(super) own_snapshot: Option<OwnSnapshot>,
    /// A snapshot that a leader sends, until its last chunk is given.
    pub(super) install: Option<Writer>,
    /// The writes of its chunks that are under way, by operation, and the chunks' indexes.
    pub(super) chunks: Vec<(u64, u64)>,
    pub(super) readings: VecDeque<LogReading>,
    /// M13: the disk is left alone until NEWLEADER.
    #[cfg(feature = "mutants")]
    pub(super) held: bool,
}

impl Storage {
    /// Takes over what was recovered (the snapshot's tree stays with the caller) and begins to
    /// repair the directory: cuts torn tails, removes leftovers, syncs what was recovered.
    /// `incarnation` must differ from that of every earlier storage on the same disk.
    pub fn new(config: &Config, recovered: &mut Recovered, incarnation: u64) -> Self {
        let base = recovered.snapshot.as_ref().map_or(Position::EMPTY, |(label, _)| *label);
        let entries = VecDeque::from(core::mem::take(&mut recovered.entries));
        let last = entries.back().map_or(base, |entry| entry.position);
        let layout = core::mem::take(&mut recovered.layout);
        let repair =
            Job::Repair { stored: layout.stored, synced: layout.synced, leftovers: layout.leftovers };
        Self {
            chunk_bytes: config.chunk_bytes,
            snapshots_kept: config.snapshots_kept.max(1),
            device: Device::new(incarnation),
            events: VecDeque::new(),
            failed: false,
            base,
            entries,
            last,
            // A snapshot may have its name in the cache only.
            durable: if mutated!(M34) { last.zxid } else { Zxid::ZERO },
            // Perhaps not durable yet, but nothing leaves this server before the repair is done.
            epochs: recovered.epochs,
            epochs_asked: recovered.epochs,
            log: Log::new(config, layout.segments, layout.number, last),
            queue: VecDeque::from([repair]),
            running: None,
            snapshots: layout.snapshots,
            own_snapshot: None,
            install: None,
            chunks: Vec::new(),
            readings: VecDeque::new(),
            #[cfg(feature = "mutants")]
            held: false,
        }
    }

    /// The durable epochs.
    #[must_use]
    pub fn epochs(&self) -> Epochs {
        self.epochs
    }

    /// The position before the first entry that memory holds.
    #[must_use]
    pub fn base(&self) -> Position {
        self.base
    }

    /// The end of the log, durable or not.
    #[must_use]
    pub fn last(&self) -> Position {
        self.last
    }

    /// Everything up to here is durable. [`Zxid::ZERO`] until [`StorageEvent::Ready`], and from the
    /// last chunk of a received snapshot until [`StorageEvent::Installed`].
    #[must_use]
    pub fn durable(&self) -> Zxid {
        self.durable
    }

    fn index_after(&self, zxid: Zxid) -> usize {
        self.entries.partition_point(|entry| entry.position.zxid <= zxid)
    }

    /// The entries in memory after `zxid`, in order. Empty if `zxid` is below the base.
    pub fn entries_after(&self, zxid: Zxid) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        let first = if zxid < self.base.zxid { self.entries.len() } else { self.index_after(zxid) };
        self.entries.range(first..)
    }

    /// The last position at or before `zxid`, down to the base.
    #[must_use]
    pub fn position_upto(&self, zxid: Zxid) -> Option<Position> {
        let position = match self.index_after(zxid) {
            0 => self.base,
            after => self.entries[after - 1].position,
        };
        (position.zxid <= zxid).then_some(position)
    }

    /// The position at `zxid`, if memory holds that entry or it is the base.
    #[must_use]
    pub fn position_at(&self, zxid: Zxid) -> Option<Position> {
        self.position_upto(zxid).filter(|position| position.zxid == zxid)
    }

    /// Nothing is in flight or waiting to be written, snapshots of the own state aside. Never
    /// again after [`StorageEvent::Failed`].
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.failed && self.running.is_none() && self.queue.is_empty() && self.device.is_idle(Lane::Install)
    }

    /// Appends one entry, which must extend [`Storage::last`] (asserted, R4).
    pub fn append(&mut self, zxid: Zxid, payload: Bytes) {
        assert!(follows(self.last.zxid, zxid), "{zxid} does not follow {}", self.last);
        let entry = Entry { position: self.last.extend(zxid, &payload), payload };
        self.last = entry.position;
        self.entries.push_back(entry.clone());
        if let Some(Job::Append { entries, durable }) = self.queue.back_mut() {
            entries.push(entry);
            *durable = zxid;
        } else {
            self.queue.push_back(Job::Append { entries: Vec::from([entry]), durable: zxid });
        }
    }

    /// Cuts the log after `to`, which must be in memory or the base (asserted). Everything that
    /// was appended before is cut or durable when [`StorageEvent::Truncated`] comes; snapshots
    /// with labels beyond `to` are removed (R8).
    pub fn truncate(&mut self, to: Zxid) {
        let position = self.position_at(to).expect("the cut is in memory");
        let removed: Vec<Entry> = self.entries.split_off(self.index_after(to)).into();
        self.last = position;
        self.durable = self.durable.min(to);
        self.supersede_appends(to);
        if self.own_snapshot.as_ref().is_some_and(|own| own.label().zxid > to) {
            self.abandon_snapshot(None);
        }
        self.cancel_readings();
        self.queue.push_back(Job::Truncate { to: position, removed });
        #[cfg(feature = "mutants")]
        if mutated!(M13) {
            self.held = true;
            self.events.push_back(StorageEvent::Truncated(position));
        }
    }

    /// Entries after `to` that are on their way to the disk no longer count. They are written all
    /// the same: epochs that were given after them must not reach the disk without them (Y5).
    pub(super) fn supersede_appends(&mut self, to: Zxid) {
        let running = self.running.as_mut().map(|running| &mut running.job);
        for job in running.into_iter().chain(&mut self.queue) {
            if let Job::Append { durable, .. } = job {
                *durable = to.min(*durable);
            }
        }
    }

    /// Replaces the epochs, atomically, after everything that was appended before is durable.
    /// Epochs never decrease (asserted, E10).
    pub fn save_epochs(&mut self, epochs: Epochs) {
        let before = self.epochs_asked;
        assert_eq!(epochs.server, before.server);
        assert!(epochs.accepted_epoch >= before.accepted_epoch, "{epochs:?} after {before:?}");
        assert!(epochs.current_epoch >= before.current_epoch, "{epochs:?} after {before:?}");
        self.epochs_asked = epochs;
        #[cfg(feature = "mutants")]
        {
            self.held = false;
        }
        if mutated!(M45) {
            self.epochs = epochs;
        }
        if mutated!(M03) {
            self.queue.push_front(Job::Epochs(epochs));
        } else {
            self.queue.push_back(Job::Epochs(epochs));
        }
    }

    /// The size of the newest snapshot in bytes, 0 if there is none.
    #[must_use]
    pub fn snapshot_bytes(&self) -> u64 {
        self.snapshots.last().map_or(0, |snapshot| snapshot.bytes)
    }

    /// Lets memory forget entries up to `zxid`, all of which must be applied and durable.
    pub fn forget(&mut self, zxid: Zxid) {
        if zxid <= self.base.zxid {
            return;
        }
        assert!(zxid <= self.durable, "{zxid} is not durable");
        let rest = self.entries.split_off(self.index_after(zxid));
        if let Some(forgotten) = self.entries.back() {
            self.base = forgotten.position;
        }
        self.entries = rest;
    }

    /// Takes the outcome of an operation. Completions of another incarnation have no effect
    /// (R12, ZOOKEEPER-4541).
    pub fn handle(&mut self, completion: DiskCompletion) {
        let Some(landing) = self.device.land(completion) else { return };
        match (landing.lane, landing.result) {
            (Lane::Log, result) => self.handle_log(result),
            (Lane::Snapshot, result) => self.handle_snapshot(result.err().map(|(_, error)| error)),
            (Lane::Install, Ok(_)) => self.handle_install(landing.number),
            (Lane::Install, Err((what, error))) => self.fail(what, error),
            (Lane::Read, result) => self.handle_reading(result.ok()),
            (Lane::Nobody, _) => {}
        }
    }

    /// Whether [`StorageEvent::Failed`] was or will be reported.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn fail(&mut self, what: String, error: DiskError) {
        self.failed = true;
        self.device.stop();
        self.queue.clear();
        self.running = None;
        self.own_snapshot = None;
        self.install = None;
        self.readings.clear();
        self.events.push_back(StorageEvent::Failed(format!("{what}: {error}")));
    }

    /// The next operation for the driver.
    pub fn poll_operation(&mut self) -> Option<DiskOperation> {
        // Only now, so that everything appended by one input is one group commit.
        self.start_job();
        self.device.poll()
    }

    /// The next thing that became durable.
    pub fn poll_event(&mut self) -> Option<StorageEvent> {
        self.events.pop_front()
    }
}
