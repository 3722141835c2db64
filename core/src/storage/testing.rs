//! A small disk in memory: it keeps apart what is cached from what is durable, and loses an
//! arbitrary part of the difference at a power loss.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::{
    Directory, DiskCompletion, DiskError, DiskOperation, FileName, FileOperation, Storage, StorageEvent,
};
use crate::identity::Bytes;

/// A sequence of arbitrary numbers.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

#[derive(Clone)]
enum Change {
    Write(u64, Bytes),
    Extend(u64),
    Truncate(u64),
}

#[derive(Clone)]
enum NameChange {
    Link(FileName, usize),
    Rename(FileName, FileName),
    Remove(FileName),
}

#[derive(Clone, Default)]
struct File {
    cached: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Default)]
pub(super) struct Disk {
    files: Vec<File>,
    cached_names: BTreeMap<FileName, usize>,
    durable_names: BTreeMap<FileName, usize>,
    pending_names: Vec<NameChange>,
    /// The next sync of a file fails, and what it should have made durable is lost although the
    /// cache keeps it.
    pub(super) fail_sync: bool,
    /// Nothing can be written any more.
    pub(super) full: bool,
    /// Files that cannot be read.
    pub(super) unreadable: Vec<FileName>,
    /// Asked for and not carried out yet.
    flying: VecDeque<DiskOperation>,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, new) => {
            let (start, end) = (*offset as usize, *offset as usize + new.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(new);
        }
        Change::Extend(length) => bytes.resize(bytes.len().max(*length as usize), 0),
        Change::Truncate(length) => bytes.truncate(*length as usize),
    }
}

fn apply_name(names: &mut BTreeMap<FileName, usize>, change: &NameChange) -> Result<(), DiskError> {
    match change {
        NameChange::Link(name, file) => {
            names.insert(name.clone(), *file);
        }
        NameChange::Rename(from, to) => {
            let file = names.remove(from).ok_or(DiskError::NotFound)?;
            names.insert(to.clone(), file);
        }
        NameChange::Remove(name) => {
            names.remove(name).ok_or(DiskError::NotFound)?;
        }
    }
    Ok(())
}

impl Disk {
    fn file(&mut self, name: &FileName) -> Result<&mut File, DiskError> {
        let index = *self.cached_names.get(name).ok_or(DiskError::NotFound)?;
        Ok(&mut self.files[index])
    }

    fn change(&mut self, name: &FileName, change: Change) -> Result<(), DiskError> {
        if self.full {
            return Err(DiskError::Full);
        }
        let file = self.file(name)?;
        apply(&mut file.cached, &change);
        file.pending.push(change);
        Ok(())
    }

    fn change_name(&mut self, change: NameChange) -> Result<(), DiskError> {
        apply_name(&mut self.cached_names, &change)?;
        self.pending_names.push(change);
        Ok(())
    }

    pub(super) fn carry_out(&mut self, operation: &FileOperation) -> Result<Bytes, DiskError> {
        match operation {
            FileOperation::Create { file } => match self.file(file) {
                Ok(_) => self.change(file, Change::Truncate(0))?,
                Err(_) => {
                    self.files.push(File::default());
                    self.change_name(NameChange::Link(file.clone(), self.files.len() - 1))?;
                }
            },
            FileOperation::Preallocate { file, length } => self.change(file, Change::Extend(*length))?,
            FileOperation::Write { file, offset, bytes } => {
                self.change(file, Change::Write(*offset, bytes.clone()))?;
            }
            FileOperation::Truncate { file, length } => self.change(file, Change::Truncate(*length))?,
            FileOperation::Sync { file } => {
                let fails = core::mem::take(&mut self.fail_sync);
                let file = self.file(file)?;
                let pending = core::mem::take(&mut file.pending);
                if fails {
                    return Err(DiskError::Failed);
                }
                for change in pending {
                    apply(&mut file.durable, &change);
                }
            }
            FileOperation::Rename { from, to } => {
                self.change_name(NameChange::Rename(from.clone(), to.clone()))?;
            }
            FileOperation::Remove { file } => self.change_name(NameChange::Remove(file.clone()))?,
            FileOperation::SyncDirectory => {
                self.pending_names.clear();
                self.durable_names = self.cached_names.clone();
            }
            FileOperation::Read { file, offset, length } => {
                return Ok(self.read(file, *offset, *length)?.into());
            }
        }
        Ok(Bytes::from([]))
    }

    /// The server dies: what it asked for last is not done, and the cache survives.
    pub(super) fn kill(&mut self) {
        self.flying.clear();
    }

    /// Power is lost: of what was not synced any part survives, and writes are torn.
    pub(super) fn lose_power(&mut self, dice: &mut Dice) {
        self.kill();
        for change in core::mem::take(&mut self.pending_names) {
            if dice.coin() {
                // A change of a name that did not survive is lost as well.
                let _ = apply_name(&mut self.durable_names, &change);
            }
        }
        self.cached_names = self.durable_names.clone();
        for file in &mut self.files {
            for change in core::mem::take(&mut file.pending) {
                match change {
                    Change::Write(offset, bytes) if dice.below(4) == 0 => {
                        let torn = dice.below(bytes.len() as u64 + 1) as usize;
                        apply(&mut file.durable, &Change::Write(offset, bytes[..torn].into()));
                    }
                    change if dice.coin() => apply(&mut file.durable, &change),
                    _ => {}
                }
            }
            file.cached = file.durable.clone();
        }
    }

    pub(super) fn bytes_mut(&mut self, name: &FileName) -> &mut Vec<u8> {
        &mut self.file(name).expect("the file exists").cached
    }

    /// Puts a file there.
    pub(super) fn put(&mut self, name: &FileName, bytes: Vec<u8>) {
        self.files.push(File { cached: bytes.clone(), durable: bytes, pending: Vec::new() });
        self.cached_names.insert(name.clone(), self.files.len() - 1);
        self.durable_names = self.cached_names.clone();
    }

    /// Carries out what the storage asks for, at most `limit` operations. Returns the events.
    pub(super) fn serve(&mut self, storage: &mut Storage, limit: usize) -> Vec<StorageEvent> {
        let mut events = Vec::new();
        for _ in 0..limit {
            self.flying.extend(core::iter::from_fn(|| storage.poll_operation()));
            events.extend(core::iter::from_fn(|| storage.poll_event()));
            let Some(DiskOperation { id, operation }) = self.flying.pop_front() else { break };
            let result = self.carry_out(&operation);
            storage.handle(DiskCompletion { id, result });
            events.extend(core::iter::from_fn(|| storage.poll_event()));
        }
        events
    }
}

impl Directory for Disk {
    fn list(&self) -> Vec<(FileName, u64)> {
        let files = self.cached_names.iter();
        files.map(|(name, file)| (name.clone(), self.files[*file].cached.len() as u64)).collect()
    }

    fn read(&self, file: &FileName, offset: u64, length: u64) -> Result<Vec<u8>, DiskError> {
        if self.unreadable.contains(file) {
            return Err(DiskError::Failed);
        }
        let bytes = &self.files[*self.cached_names.get(file).ok_or(DiskError::NotFound)?].cached;
        let start = bytes.len().min(offset as usize);
        Ok(bytes[start..bytes.len().min(start + length as usize)].to_vec())
    }
}
