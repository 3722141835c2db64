//! The content of one file: cached, durable, and the changes between them.

use std::collections::BTreeSet;

use zabrus_core::Bytes;

use crate::random::Random;

/// The unit in which a medium fails to read.
pub(super) const SECTOR_BYTES: u64 = 512;

/// No simulated file is larger; beyond it an offset is a bug.
const LARGEST_FILE_BYTES: u64 = 1 << 30;

/// A change of a file's content.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Bytes at an offset; the file grows as needed.
    Write(u64, Bytes),
    /// At least this long, the new bytes zero.
    Extend(u64),
    /// At most this long.
    Cut(u64),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => write_at(content, *offset, bytes),
            Self::Extend(length) => extend(content, *length),
            Self::Cut(length) => content.truncate(*length as usize),
        }
    }
}

pub(super) fn write_at(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    extend(content, offset + bytes.len() as u64);
    let start = offset as usize;
    content[start..start + bytes.len()].copy_from_slice(bytes);
}

fn extend(content: &mut Vec<u8>, length: u64) {
    assert!(length <= LARGEST_FILE_BYTES, "a file of {length} bytes");
    if length as usize > content.len() {
        content.resize(length as usize, 0);
    }
}

/// A file without its name.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// What the running system reads.
    pub(super) cached: Vec<u8>,
    /// What the medium holds.
    pub(super) durable: Vec<u8>,
    /// What a sync would still have to do, in order.
    pub(super) unsynced: Vec<Change>,
    /// Sectors that cannot be read.
    pub(super) bad_sectors: BTreeSet<u64>,
}

impl File {
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.cached);
        if !self.bad_sectors.is_empty() {
            self.remap(&change);
        }
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// After a failed sync, each change is durable, or is left for a later sync, or, if it is a
    /// write, silently forgotten: the system believes that it is on the medium, and no later sync
    /// will bring it there, as Linux has it. Lengths are metadata, which a journal does not forget.
    pub(super) fn fail_sync(&mut self, keep_cache: bool, random: &mut Random) {
        for change in std::mem::take(&mut self.unsynced) {
            match (random.below(3), &change) {
                (0, _) => change.apply(&mut self.durable),
                (1, Change::Write(..)) => {}
                _ => self.unsynced.push(change),
            }
        }
        if !keep_cache {
            self.cached.clone_from(&self.durable);
            for change in &self.unsynced {
                change.apply(&mut self.cached);
            }
        }
    }

    /// Only these changes survive a loss of power.
    pub(super) fn keep_only(&mut self, survivors: Vec<Change>) {
        self.unsynced = survivors;
        self.sync();
        self.cached.clone_from(&self.durable);
    }

    /// A device replaces a bad sector when it is written.
    fn remap(&mut self, change: &Change) {
        let (start, end) = match change {
            Change::Write(offset, bytes) => (*offset, offset + bytes.len() as u64),
            Change::Cut(length) => (*length, u64::MAX),
            Change::Extend(_) => return,
        };
        self.bad_sectors.retain(|sector| {
            let offset = sector * SECTOR_BYTES;
            offset + SECTOR_BYTES <= start || offset >= end
        });
    }

    pub(super) fn is_readable(&self, offset: u64, length: u64) -> bool {
        let sectors = offset / SECTOR_BYTES..offset.saturating_add(length).div_ceil(SECTOR_BYTES);
        length == 0 || self.bad_sectors.range(sectors).next().is_none()
    }
}
