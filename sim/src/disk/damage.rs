//! Faults that destroy what was durable.

use zabrus_core::Bytes;
use zabrus_core::storage::{DiskError, FileName};

use super::file::{Change, SECTOR_BYTES, write_at};
use super::{Disk, Inode};
use crate::random::Random;

/// How far a bit flip looks for bytes that are in use.
const NEAR_BYTES: usize = 4_096;

impl Disk {
    /// Flips one bit of a file whose name begins with `prefix`, on the medium and in the cache.
    pub(super) fn flip_bit(&mut self, prefix: &str, random: &mut Random) {
        let Some(inode) = self.pick_durable(random, |name| name.0.starts_with(prefix)) else { return };
        let file = self.files.get_mut(&inode).expect("a name has a file");
        let offset = random.below(file.durable.len() as u64) as usize;
        // Much of a file that was allocated ahead is zero; a flip there seldom matters.
        let near = file.durable[offset..].iter().take(NEAR_BYTES).position(|byte| *byte != 0);
        let offset = if random.chance(500) { offset } else { offset + near.unwrap_or(0) };
        let bit = 1 << random.below(8);
        file.durable[offset] ^= bit;
        if let Some(byte) = file.cached.get_mut(offset) {
            *byte ^= bit;
        }
        self.damaged = true;
    }

    /// Makes one sector of a file whose name begins with `prefix` unreadable.
    pub(super) fn spoil_sector(&mut self, prefix: &str, random: &mut Random) {
        let Some(inode) = self.pick_durable(random, |name| name.0.starts_with(prefix)) else { return };
        let file = self.files.get_mut(&inode).expect("a name has a file");
        let sectors = (file.durable.len() as u64).div_ceil(SECTOR_BYTES);
        file.bad_sectors.insert(random.below(sectors));
        self.damaged = true;
    }

    /// Writes in the cache, but another file's medium takes the bytes.
    ///
    /// It is always another file: a write that destroys the file it belongs to could lose a
    /// record and the only witness that there was one, which no log on one disk can see.
    pub(super) fn misdirect(
        &mut self,
        file: &FileName,
        offset: u64,
        bytes: &Bytes,
        random: &mut Random,
    ) -> Result<(), DiskError> {
        let content = self.file(file)?;
        content.change(Change::Write(offset, bytes.clone()));
        content.unsynced.pop();
        self.damaged = true;
        if let Some(inode) = self.pick_durable(random, |name| name != file) {
            let durable = &mut self.files.get_mut(&inode).expect("a name has a file").durable;
            let at = random.below(durable.len() as u64);
            let fitting = bytes.len().min(durable.len() - at as usize);
            write_at(durable, at, &bytes[..fitting]);
        }
        Ok(())
    }

    fn pick_durable(&self, random: &mut Random, wanted: impl Fn(&FileName) -> bool) -> Option<Inode> {
        let with_bytes = |inode: &Inode| !self.files[inode].durable.is_empty();
        let inodes: Vec<Inode> = self
            .durable_names
            .iter()
            .filter(|(name, inode)| wanted(name) && with_bytes(inode))
            .map(|(_, inode)| *inode)
            .collect();
        if inodes.is_empty() { None } else { Some(*random.pick(&inodes)) }
    }
}
