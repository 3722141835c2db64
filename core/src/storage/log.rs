//! The log as it is on the disk: its segments, and the operations that change them.

use alloc::vec;
use alloc::vec::Vec;

use super::recovery::Segment;
use super::segment::{self, BLOCK_BYTES, NEW_SLOTS, Slot, encode_record, record_bytes};
use super::{Entry, FileName, FileOperation, names};
use crate::config::Config;
use crate::identity::{Position, Zxid};
use crate::mutated;

/// What must be done in order: the operations of one stage may be in flight together, those of
/// the next are asked for when all of them have succeeded.
pub(super) type Stage = Vec<FileOperation>;

pub(super) struct Log {
    /// Oldest first; records are appended to the last.
    pub(super) segments: Vec<Segment>,
    /// The number of the last commit.
    pub(super) number: u64,
    /// The end of what was given to the disk.
    pub(super) written: Position,
    /// How far space is allocated in the last segment.
    allocated: u64,
    segment_bytes: u64,
    preallocate_bytes: u64,
}

impl Log {
    pub(super) fn new(config: &Config, segments: Vec<Segment>, number: u64, written: Position) -> Self {
        Self {
            segments,
            number,
            written,
            allocated: 0,
            segment_bytes: config.segment_bytes,
            preallocate_bytes: config.preallocate_bytes.min(config.segment_bytes),
        }
    }

    fn last(&self) -> Segment {
        *self.segments.last().expect("the repair makes a segment")
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Starts a new segment, durably before any record of it is written.
    pub(super) fn create_segment(&mut self, base: Position) -> Stage {
        let number = self.number + 1;
        let file = names::log(base.zxid);
        let block = segment::new_block(segment::Header { base, number });
        self.number += NEW_SLOTS;
        self.segments.push(Segment { base, number, end: BLOCK_BYTES });
        self.allocated = BLOCK_BYTES + self.preallocate_bytes;
        vec![
            FileOperation::Create { file: file.clone() },
            FileOperation::Preallocate { file: file.clone(), length: self.allocated },
            FileOperation::Write { file: file.clone(), offset: 0, bytes: block.into() },
            FileOperation::Sync { file },
            FileOperation::SyncDirectory,
        ]
    }

    fn write_slot(&mut self, file: &FileName, intent: Zxid, durable: Zxid) -> FileOperation {
        let slot = Slot { number: self.next_number(), intent, durable };
        FileOperation::Write { file: file.clone(), offset: slot.offset(), bytes: slot.encode().into() }
    }

    /// One group commit. Records come before their slot: a process that dies between the two
    /// leaves no mark without its bytes.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Vec<Stage> {
        let mut stages = Vec::new();
        if self.last().end >= BLOCK_BYTES + self.segment_bytes {
            stages.push(self.create_segment(self.written));
        }
        let (file, offset) = (names::log(self.last().base.zxid), self.last().end);
        let durable = self.written.zxid;
        let bytes = encode_records(offset, entries);
        let end = offset + bytes.len() as u64;
        let mut commit = Vec::new();
        if end > self.allocated && self.preallocate_bytes > 0 {
            self.allocated = end + self.preallocate_bytes;
            commit.push(FileOperation::Preallocate { file: file.clone(), length: self.allocated });
        }
        commit.push(FileOperation::Write { file: file.clone(), offset, bytes: bytes.into() });
        self.written = entries.last().expect("a commit has entries").position;
        commit.push(self.write_slot(&file, self.written.zxid, durable));
        commit.push(FileOperation::Sync { file });
        stages.push(commit);
        self.segments.last_mut().expect("the repair makes a segment").end = end;
        stages
    }

    /// Cuts the log after `to`; `removed` are the entries after it.
    pub(super) fn truncate(&mut self, to: Position, removed: &[Entry]) -> Vec<Stage> {
        let target = self.segments.iter().rposition(|segment| segment.base.zxid <= to.zxid).unwrap_or(0);
        let end = self.segments.get(target + 1).map_or(self.written, |next| next.base).zxid;
        let cut_records = removed.iter().filter(|entry| entry.position.zxid <= end);
        let cut_bytes: u64 = cut_records.map(|entry| record_bytes(entry.payload.len())).sum();
        let later: Vec<FileName> =
            self.segments.drain(target + 1..).rev().map(|segment| names::log(segment.base.zxid)).collect();
        let file = names::log(self.last().base.zxid);
        // The slot first: from now on nothing after `to` is missed.
        let mut stages =
            vec![vec![self.write_slot(&file, to.zxid, to.zxid), FileOperation::Sync { file: file.clone() }]];
        if !later.is_empty() {
            stages.push(remove(later));
        }
        let segment = self.segments.last_mut().expect("the repair makes a segment");
        segment.end -= cut_bytes;
        let length = if mutated!(M22) { segment.end.saturating_sub(1) } else { segment.end };
        stages
            .push(vec![FileOperation::Truncate { file: file.clone(), length }, FileOperation::Sync { file }]);
        self.allocated = segment.end;
        self.written = to;
        stages
    }

    /// Makes what was recovered durable (R1). It is written and cut again, not only synced: after
    /// a failed sync the page cache may call clean what the disk does not have. `tail` are the
    /// entries that may be in the page cache only.
    pub(super) fn repair(&mut self, tail: &[Entry]) -> Vec<Stage> {
        if self.segments.is_empty() {
            return vec![self.create_segment(self.written)];
        }
        let Segment { base, number, end } = self.last();
        let file = names::log(base.zxid);
        let tail = &tail[tail.partition_point(|entry| entry.position.zxid <= base.zxid)..];
        let bytes: u64 = tail.iter().map(|entry| record_bytes(entry.payload.len())).sum();
        let header = segment::Header { base, number }.encode();
        let mut stage = vec![
            FileOperation::Truncate { file: file.clone(), length: end },
            // A torn segment may be shorter than its block.
            FileOperation::Preallocate { file: file.clone(), length: end },
            FileOperation::Write { file: file.clone(), offset: 0, bytes: header.into() },
        ];
        if !tail.is_empty() {
            let offset = end - bytes;
            let bytes = encode_records(offset, tail).into();
            stage.push(FileOperation::Write { file: file.clone(), offset, bytes });
        }
        stage.push(FileOperation::Sync { file: file.clone() });
        // Only now, since they vouch for the tail.
        let mut slots = Vec::new();
        for _ in 0..NEW_SLOTS {
            slots.push(self.write_slot(&file, self.written.zxid, self.written.zxid));
        }
        slots.push(FileOperation::Sync { file });
        self.allocated = end;
        vec![stage, slots]
    }

    /// Forgets the segments before the one that holds the entry after `zxid`.
    pub(super) fn retire_before(&mut self, zxid: Zxid) -> Vec<FileName> {
        let needed = self.segments.iter().rposition(|segment| segment.base.zxid <= zxid).unwrap_or(0);
        self.segments.drain(..needed).map(|segment| names::log(segment.base.zxid)).collect()
    }
}

fn encode_records(mut offset: u64, entries: &[Entry]) -> Vec<u8> {
    let length: u64 = entries.iter().map(|entry| record_bytes(entry.payload.len())).sum();
    let mut bytes = Vec::with_capacity(length as usize);
    for entry in entries {
        encode_record(&mut bytes, offset, entry.position, &entry.payload);
        offset += record_bytes(entry.payload.len());
    }
    bytes
}

/// Removes files, durably.
pub(super) fn remove(files: impl IntoIterator<Item = FileName>) -> Stage {
    let removals = files.into_iter().map(|file| FileOperation::Remove { file });
    removals.chain([FileOperation::SyncDirectory]).collect()
}
