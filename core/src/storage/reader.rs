//! Reading old entries back from the log.

use alloc::vec::Vec;

use super::device::Lane;
use super::recovery::Segment;
use super::segment::{BLOCK_BYTES, Records, record_bytes, u32_at};
use super::{Entry, FileOperation, Storage, StorageEvent, names};
use crate::identity::{Bytes, Position, Zxid};
use crate::mutated;

/// Bytes per read.
const READ_BYTES: u64 = 256 << 10;

pub(super) struct LogReading {
    token: u64,
    after: Position,
    upto: Zxid,
    limit_bytes: u64,
    /// The segment that is being read.
    segment: Segment,
    /// Bytes that were read but are not a whole record yet, and their offset.
    buffer: Vec<u8>,
    offset: u64,
    last: Position,
    entries: Vec<Entry>,
}

/// What a reading needs next.
enum Progress {
    More,
    NextSegment,
    Done(Option<Vec<Entry>>),
}

impl LogReading {
    fn enter(&mut self, segment: Segment) {
        self.segment = segment;
        self.buffer.clear();
        self.offset = BLOCK_BYTES;
        self.last = segment.base;
    }

    fn operation(&self) -> FileOperation {
        let offset = self.offset + self.buffer.len() as u64;
        FileOperation::Read { file: names::log(self.segment.base.zxid), offset, length: READ_BYTES }
    }

    /// Takes what was read. Only a chain of records from `after` itself counts: a log that jumped
    /// over a received snapshot has a gap there (ZOOKEEPER-2846).
    fn take(&mut self, bytes: &[u8]) -> Progress {
        self.buffer.extend(bytes);
        let mut records = Records::new(self.last, self.offset, &self.buffer);
        let mut connected = self.last.zxid >= self.after.zxid;
        if connected && self.entries.is_empty() && self.last != self.after && !mutated!(M19) {
            return Progress::Done(None);
        }
        for record in records.by_ref() {
            if connected {
                let bytes = record_bytes(record.payload.len());
                if bytes > self.limit_bytes {
                    return Progress::Done(None);
                }
                self.limit_bytes -= bytes;
                self.entries.push(Entry { position: record.position, payload: record.payload.into() });
                if record.position.zxid >= self.upto {
                    return Progress::Done(Some(core::mem::take(&mut self.entries)));
                }
            } else if record.position.zxid >= self.after.zxid {
                if record.position != self.after {
                    return Progress::Done(None);
                }
                connected = true;
            }
        }
        let (last, end) = records.end();
        self.buffer.drain(..(end - self.offset) as usize);
        self.last = last;
        self.offset = end;
        let at_end = (bytes.len() as u64) < READ_BYTES;
        let is_partial = u32_at(&self.buffer, 0).is_none_or(|length| self.buffer.len() < 8 + length as usize);
        if is_partial && !at_end { Progress::More } else { Progress::NextSegment }
    }
}

impl Storage {
    /// Reads entries `after < zxid <= upto` from the disk, at most `limit_bytes` of them. `token`
    /// comes back in [`StorageEvent::LogRead`].
    pub fn read_log(&mut self, token: u64, after: Position, upto: Zxid, limit_bytes: u64) {
        let segments = &self.log.segments;
        let segment = segments.iter().rfind(|segment| segment.base.zxid <= after.zxid).copied();
        let segment = segment.or_else(|| segments.first().copied().filter(|_| mutated!(M19)));
        let Some(segment) = segment.filter(|_| after.zxid < upto && upto <= self.log.written.zxid) else {
            self.events.push_back(StorageEvent::LogRead(token, None));
            return;
        };
        let (last, offset) = (segment.base, BLOCK_BYTES);
        let (buffer, entries) = (Vec::new(), Vec::new());
        let reading = LogReading { token, after, upto, limit_bytes, segment, buffer, offset, last, entries };
        self.readings.push_back(reading);
        if self.readings.len() == 1 {
            self.continue_reading();
        }
    }

    fn continue_reading(&mut self) {
        if let Some(reading) = self.readings.front() {
            self.device.issue(Lane::Read, reading.operation());
        }
    }

    pub(super) fn handle_reading(&mut self, bytes: Option<Bytes>) {
        let Some(reading) = self.readings.front_mut() else { return };
        let progress = bytes.map_or(Progress::Done(None), |bytes| reading.take(&bytes));
        let next = |last| self.log.segments.iter().skip(1).rfind(|next| next.base == last).copied();
        let outcome = match progress {
            Progress::More => None,
            Progress::NextSegment => match next(reading.last) {
                Some(segment) if segment.base.zxid != reading.segment.base.zxid => {
                    reading.enter(segment);
                    None
                }
                _ => Some(None),
            },
            Progress::Done(entries) => Some(entries),
        };
        if let Some(entries) = outcome {
            let entries = entries.or_else(|| mutated!(M18).then(|| core::mem::take(&mut reading.entries)));
            self.events.push_back(StorageEvent::LogRead(reading.token, entries));
            self.readings.pop_front();
        }
        self.continue_reading();
    }

    /// The log that is being read is about to change.
    pub(super) fn cancel_readings(&mut self) {
        self.device.disown(Lane::Read);
        for reading in self.readings.drain(..) {
            self.events.push_back(StorageEvent::LogRead(reading.token, None));
        }
    }
}
