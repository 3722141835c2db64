//! The jobs that must reach the disk in order, one at a time.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::device::Lane;
use super::log::{Stage, remove};
use super::recovery::SnapshotFile;
use super::snapshot::Writer;
use super::{DiskError, Entry, Epochs, FileName, FileOperation, Storage, StorageEvent, epochs, names};
use crate::identity::{Bytes, Position, Zxid};
use crate::mutated;

pub(super) enum Job {
    /// After recovery.
    Repair {
        stored: Option<Epochs>,
        synced: Zxid,
        leftovers: Vec<FileName>,
    },
    /// One group commit.
    Append {
        entries: Vec<Entry>,
        /// What may be reported when it is done.
        durable: Zxid,
    },
    Epochs(Epochs),
    Truncate {
        to: Position,
        removed: Vec<Entry>,
    },
    /// A synced snapshot of the own state gets its name.
    Publish {
        label: Position,
        bytes: u64,
        error: Option<DiskError>,
    },
    /// A received snapshot replaces the log.
    Install(Box<Writer>),
}

pub(super) struct Running {
    pub(super) job: Job,
    stages: vec::IntoIter<Stage>,
}

impl Storage {
    /// Starts the next job, if none is running.
    pub(super) fn start_job(&mut self) {
        // A received snapshot is sealed only when all its chunks are written.
        let waits =
            matches!(self.queue.front(), Some(Job::Install(_))) && !self.device.is_idle(Lane::Install);
        #[cfg(feature = "mutants")]
        let waits = waits || self.held;
        if self.failed || self.running.is_some() || waits {
            return;
        }
        let Some(mut job) = self.queue.pop_front() else { return };
        match self.stages_of(&mut job) {
            Ok(stages) => {
                self.running = Some(Running { job, stages: stages.into_iter() });
                self.next_stage();
            }
            Err(reason) => self.fail(reason, DiskError::NotFound),
        }
    }

    fn next_stage(&mut self) {
        let Some(running) = &mut self.running else { return };
        if let Some(stage) = running.stages.next() {
            for operation in stage {
                self.device.issue(Lane::Log, operation);
            }
        } else if let Some(running) = self.running.take() {
            self.finish(running.job);
        }
    }

    pub(super) fn handle_log(&mut self, result: Result<Bytes, (String, DiskError)>) {
        if let Err((what, why)) = result {
            // Whether a snapshot has its name or not, the log below it is complete.
            let Some(Running { job: Job::Publish { error, .. }, .. }) = &mut self.running else {
                return self.fail(what, why);
            };
            *error = Some(why);
        }
        if self.device.is_idle(Lane::Log) {
            self.next_stage();
        }
    }

    /// What to do for `job`, now that it is its turn.
    fn stages_of(&mut self, job: &mut Job) -> Result<Vec<Stage>, String> {
        Ok(match job {
            Job::Repair { stored, synced, leftovers } => self.repair_stages(*stored, *synced, leftovers),
            Job::Append { entries, .. } => self.log.append(entries),
            Job::Epochs(epochs) => save(epochs),
            Job::Truncate { to, removed } => {
                let mut stages = Vec::new();
                let kept = self.snapshots.partition_point(|snapshot| snapshot.label <= to.zxid);
                let suspect =
                    self.snapshots.split_off(if mutated!(M26) { self.snapshots.len() } else { kept });
                let starts = self.log.segments.first().is_some_and(|first| first.base == Position::EMPTY);
                if self.snapshots.is_empty() && !starts {
                    return Err(alloc::format!(
                        "cannot cut the log after {to}: no snapshot reaches below it"
                    ));
                }
                if !suspect.is_empty() {
                    stages.push(remove(suspect.iter().rev().map(|file| names::snapshot(file.label))));
                }
                stages.extend(self.log.truncate(*to, removed));
                stages
            }
            Job::Publish { label, .. } => {
                vec![rename(names::SNAPSHOT_TEMPORARY, names::snapshot(label.zxid))]
            }
            Job::Install(writer) => self.install_stages(writer),
        })
    }

    fn repair_stages(
        &mut self,
        stored: Option<Epochs>,
        synced: Zxid,
        leftovers: &mut Vec<FileName>,
    ) -> Vec<Stage> {
        // The names that recovery saw may be in the cache only, and nothing new may outlive them.
        let mut stages = vec![vec![FileOperation::SyncDirectory]];
        // The standing before anything is cut, since it says what is missing; a current epoch that
        // recovery raised only after the history that it stands for (Y5).
        let Epochs { server, standing, .. } = self.epochs;
        let first = stored.unwrap_or(Epochs::new(server));
        let first = Epochs { standing, ..first };
        if stored != Some(first) {
            stages.extend(save(&first));
        }
        let tail = self.entries.partition_point(|entry| entry.position.zxid <= synced);
        let is_first = self.log.segments.is_empty();
        let repair = self.log.repair(&self.entries.make_contiguous()[tail..]);
        if is_first || !mutated!(M34) {
            stages.extend(repair);
        }
        if first != self.epochs {
            stages.extend(save(&self.epochs));
        }
        stages.push(remove(core::mem::take(leftovers)));
        stages
    }

    fn install_stages(&mut self, writer: &mut Writer) -> Vec<Stage> {
        let label = writer.label;
        let mut sealed = Vec::from(writer.finish(self.log.next_number(), true));
        if !mutated!(M15) {
            sealed.push(FileOperation::Sync { file: writer.file() });
        }
        // From this rename on the old log is dead, whatever is left of it.
        let mut stages = vec![sealed, rename(names::INSTALL_TEMPORARY, names::snapshot(label.zxid))];
        let snapshot = SnapshotFile { label: label.zxid, bytes: writer.bytes(), valid: true };
        if mutated!(M24) {
            self.snapshots.push(snapshot);
            self.log.written = label;
            return stages;
        }
        let segments = core::mem::take(&mut self.log.segments).into_iter().rev();
        let snapshots = core::mem::replace(&mut self.snapshots, vec![snapshot]);
        let old_segments = segments.map(|segment| segment.base.zxid).filter(|base| *base != label.zxid);
        let old_snapshots = snapshots.iter().map(|file| file.label).filter(|old| *old != label.zxid);
        self.log.written = label;
        stages.push(self.log.create_segment(label));
        stages.push(remove(old_segments.map(names::log).chain(old_snapshots.map(names::snapshot))));
        stages
    }

    fn finish(&mut self, job: Job) {
        let event = match job {
            Job::Repair { .. } => {
                self.durable = self.log.written.zxid;
                StorageEvent::Ready
            }
            Job::Append { durable, .. } => {
                if durable <= self.durable {
                    return;
                }
                self.durable = durable;
                StorageEvent::Durable(durable)
            }
            Job::Epochs(epochs) => {
                self.epochs = epochs;
                StorageEvent::EpochsSaved(epochs)
            }
            Job::Truncate { to, .. } => StorageEvent::Truncated(to),
            Job::Publish { label, error: Some(error), .. } => {
                let file = names::file(names::SNAPSHOT_TEMPORARY);
                self.device.issue(Lane::Nobody, FileOperation::Remove { file });
                StorageEvent::SnapshotAbandoned(label, Some(error))
            }
            Job::Publish { label, bytes, error: None } => {
                self.snapshots.retain(|snapshot| snapshot.label != label.zxid);
                self.snapshots.push(SnapshotFile { label: label.zxid, bytes, valid: true });
                self.snapshots.sort_by_key(|snapshot| snapshot.label);
                self.retire();
                StorageEvent::SnapshotSaved(label)
            }
            Job::Install(writer) => {
                self.durable = writer.label.zxid;
                StorageEvent::Installed(writer.label)
            }
        };
        assert!(self.durable <= self.last.zxid, "durable {} beyond logged {}", self.durable, self.last);
        self.events.push_back(event);
    }

    /// Removes what nobody needs once enough valid snapshots exist. One that was not validated
    /// counts for nothing (R9, ZOOKEEPER-3231).
    fn retire(&mut self) {
        let valid = self.snapshots.iter().rev().filter(|snapshot| snapshot.valid || mutated!(M33));
        let Some(oldest) = valid.map(|snapshot| snapshot.label).nth(self.snapshots_kept - 1) else { return };
        let kept = self.snapshots.partition_point(|snapshot| snapshot.label < oldest);
        let snapshots = self.snapshots.drain(..kept).map(|snapshot| names::snapshot(snapshot.label));
        for file in snapshots.chain(self.log.retire_before(oldest)) {
            self.device.issue(Lane::Nobody, FileOperation::Remove { file });
        }
    }
}

/// Replaces the epochs file.
pub(super) fn save(epochs: &Epochs) -> Vec<Stage> {
    let name = if mutated!(M46) { names::EPOCHS } else { names::EPOCHS_TEMPORARY };
    let file = names::file(name);
    let bytes = epochs::encode(epochs).into();
    let write = vec![
        FileOperation::Create { file: file.clone() },
        FileOperation::Write { file: file.clone(), offset: 0, bytes },
        FileOperation::Sync { file },
    ];
    if mutated!(M46) {
        return vec![write, vec![FileOperation::SyncDirectory]];
    }
    vec![write, rename(names::EPOCHS_TEMPORARY, names::file(names::EPOCHS))]
}

/// Gives a synced file its name, durably.
fn rename(from: &str, to: FileName) -> Stage {
    vec![FileOperation::Rename { from: names::file(from), to }, FileOperation::SyncDirectory]
}
