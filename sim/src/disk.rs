//! One server's disk: what the running system sees (the page cache) against what is durable.
//!
//! A file's content and its name become durable separately, as POSIX has it: the content with
//! [`FileOperation::Sync`], names with [`FileOperation::SyncDirectory`]. What was not synced
//! survives a crash of the process, and is at the mercy of [`Disk::power_loss`].

use std::collections::BTreeMap;

use zabrus_core::storage::{DiskError, FileName, FileOperation};
use zabrus_core::{Bytes, Duration};

use crate::fault::{DiskFault, Failing};
use crate::random::Random;
use crate::settings::DiskSettings;

mod damage;
mod file;
mod loss;
#[cfg(test)]
mod tests;
mod view;

use file::{Change, File};
pub use loss::Loss;
pub use view::View;

/// Names a file's content, whatever name the file has.
type Inode = u64;

/// The names of a directory.
type Names = BTreeMap<FileName, Inode>;

/// A change of names that no [`FileOperation::SyncDirectory`] has made durable.
#[derive(Clone, Debug)]
enum NameChange {
    Create(FileName, Inode),
    Rename(FileName, FileName, Inode),
    Remove(FileName),
}

impl NameChange {
    fn apply(self, names: &mut Names) {
        match self {
            Self::Create(file, inode) => {
                names.insert(file, inode);
            }
            Self::Rename(from, to, inode) => {
                names.remove(&from);
                names.insert(to, inode);
            }
            Self::Remove(file) => {
                names.remove(&file);
            }
        }
    }
}

/// The disk of one server.
#[derive(Clone, Debug)]
pub struct Disk {
    settings: DiskSettings,
    files: BTreeMap<Inode, File>,
    next_inode: Inode,
    cached_names: Names,
    durable_names: Names,
    name_changes: Vec<NameChange>,
    write_errors: Failing,
    sync_errors: Failing,
    read_errors: Failing,
    misdirect_next: bool,
    full: bool,
    stall: Duration,
    slowness: u32,
    damaged: bool,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(settings: DiskSettings) -> Self {
        Self {
            settings,
            files: BTreeMap::new(),
            next_inode: 0,
            cached_names: Names::new(),
            durable_names: Names::new(),
            name_changes: Vec::new(),
            write_errors: Failing::Never,
            sync_errors: Failing::Never,
            read_errors: Failing::Never,
            misdirect_next: false,
            full: false,
            stall: Duration::ZERO,
            slowness: 1,
            damaged: false,
        }
    }

    /// What the running system sees.
    #[must_use]
    pub const fn view(&self) -> View<'_> {
        View { disk: self, durable: false }
    }

    /// What would be left if everything that is not synced were lost.
    #[must_use]
    pub const fn durable(&self) -> View<'_> {
        View { disk: self, durable: true }
    }

    /// Whether a power loss could lose something now.
    #[must_use]
    pub fn has_unsynced(&self) -> bool {
        !self.name_changes.is_empty() || self.files.values().any(|file| !file.unsynced.is_empty())
    }

    /// Whether durable bytes were ever destroyed or changed by an injected fault, so that what
    /// this disk acknowledged need not be on it. [`Disk::wipe`] counts.
    #[must_use]
    pub const fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Carries out an operation: in the page cache, syncs on the medium.
    ///
    /// # Errors
    /// As a real disk would, or as injected.
    pub fn apply(&mut self, operation: &FileOperation, random: &mut Random) -> Result<Bytes, DiskError> {
        match operation {
            FileOperation::Create { file } => self.create(file)?,
            FileOperation::Preallocate { file, length } => self.preallocate(file, *length)?,
            FileOperation::Write { file, offset, bytes } => self.write(file, *offset, bytes, random)?,
            FileOperation::Truncate { .. } if self.write_errors.strikes() => return Err(DiskError::Failed),
            FileOperation::Truncate { file, length } => self.change(file, Change::Cut(*length))?,
            FileOperation::Sync { file } => self.sync(file, random)?,
            FileOperation::Rename { from, to } => {
                let inode = self.inode(from)?;
                self.rename(NameChange::Rename(from.clone(), to.clone(), inode));
            }
            FileOperation::Remove { file } => {
                self.inode(file)?;
                self.rename(NameChange::Remove(file.clone()));
            }
            FileOperation::SyncDirectory => self.sync_directory(random)?,
            FileOperation::Read { file, offset, length } => return self.read(file, *offset, *length),
        }
        Ok(Bytes::default())
    }

    /// How long an operation takes.
    pub fn latency(&mut self, operation: &FileOperation, random: &mut Random) -> Duration {
        let range = match operation {
            FileOperation::Sync { .. } | FileOperation::SyncDirectory => self.settings.sync_micros,
            _ => self.settings.write_micros,
        };
        let mut latency = Duration(random.between(range)).times(self.slowness.into());
        if random.chance(self.settings.stall_per_mille) {
            latency = latency + Duration(random.between(self.settings.stall_micros));
        }
        latency + std::mem::take(&mut self.stall)
    }

    /// It never stalls of itself any more.
    pub const fn calm(&mut self) {
        self.settings.stall_per_mille = 0;
    }

    /// The process ended, and the system did not: everything written stays in the page cache.
    pub const fn process_crash(&self) {}

    /// An empty disk takes the place of this one.
    pub fn wipe(&mut self) {
        *self = Self { damaged: true, ..Self::new(self.settings.clone()) };
    }

    /// Makes something wrong with the disk, or right again.
    pub fn inject(&mut self, fault: &DiskFault, random: &mut Random) {
        match fault {
            DiskFault::BitRot { file } => self.flip_bit(file, random),
            DiskFault::BadSector { file } => self.spoil_sector(file, random),
            DiskFault::MisdirectedWrite => self.misdirect_next = true,
            DiskFault::WriteErrors(failing) => self.write_errors = *failing,
            DiskFault::SyncErrors(failing) => self.sync_errors = *failing,
            DiskFault::ReadErrors(failing) => self.read_errors = *failing,
            DiskFault::Full => self.full = true,
            DiskFault::Stall(time) => self.stall = *time,
            DiskFault::Slow(factor) => self.slowness = *factor,
            DiskFault::Repair => {
                (self.write_errors, self.sync_errors, self.read_errors) = Default::default();
                (self.full, self.misdirect_next) = (false, false);
                (self.stall, self.slowness) = (Duration::ZERO, 1);
            }
        }
    }

    fn inode(&self, file: &FileName) -> Result<Inode, DiskError> {
        self.cached_names.get(file).copied().ok_or(DiskError::NotFound)
    }

    fn file(&mut self, file: &FileName) -> Result<&mut File, DiskError> {
        let inode = self.inode(file)?;
        Ok(self.files.get_mut(&inode).expect("a name has a file"))
    }

    fn change(&mut self, file: &FileName, change: Change) -> Result<(), DiskError> {
        self.file(file)?.change(change);
        Ok(())
    }

    fn create(&mut self, file: &FileName) -> Result<(), DiskError> {
        // O_CREAT | O_TRUNC: an existing file is cut, and its name was there before.
        if self.cached_names.contains_key(file) {
            return self.change(file, Change::Cut(0));
        }
        if self.full {
            return Err(DiskError::Full);
        }
        self.next_inode += 1;
        self.files.insert(self.next_inode, File::default());
        self.rename(NameChange::Create(file.clone(), self.next_inode));
        Ok(())
    }

    fn preallocate(&mut self, file: &FileName, length: u64) -> Result<(), DiskError> {
        let full = self.full;
        let content = self.file(file)?;
        if length <= content.cached.len() as u64 {
            return Ok(());
        }
        if full {
            return Err(DiskError::Full);
        }
        content.change(Change::Extend(length));
        Ok(())
    }

    fn write(
        &mut self,
        file: &FileName,
        offset: u64,
        bytes: &Bytes,
        random: &mut Random,
    ) -> Result<(), DiskError> {
        let full = self.full;
        let content = self.file(file)?;
        // Space that was allocated before can be written on a full disk.
        let allocated = content.cached.len() as u64;
        let fails = if full && offset + bytes.len() as u64 > allocated {
            Some((DiskError::Full, allocated.saturating_sub(offset).min(bytes.len() as u64)))
        } else if self.write_errors.strikes() {
            Some((DiskError::Failed, bytes.len() as u64))
        } else {
            None
        };
        if let Some((error, most)) = fails {
            let written = random.range(0..=most) as usize;
            if written > 0 {
                self.change(file, Change::Write(offset, bytes[..written].into()))?;
            }
            return Err(error);
        }
        if std::mem::take(&mut self.misdirect_next) {
            return self.misdirect(file, offset, bytes, random);
        }
        self.change(file, Change::Write(offset, bytes.clone()))
    }

    fn sync(&mut self, file: &FileName, random: &mut Random) -> Result<(), DiskError> {
        let keep_cache = self.settings.failed_sync_keeps_cache;
        let fails = self.sync_errors.strikes();
        let content = self.file(file)?;
        if fails {
            content.fail_sync(keep_cache, random);
            return Err(DiskError::Failed);
        }
        content.sync();
        Ok(())
    }

    fn rename(&mut self, change: NameChange) {
        self.name_changes.push(change.clone());
        change.apply(&mut self.cached_names);
    }

    fn sync_directory(&mut self, random: &mut Random) -> Result<(), DiskError> {
        let count = self.name_changes.len();
        let fails = self.sync_errors.strikes();
        // A journal is written in order: when it fails, a prefix of it is there.
        let synced = if fails { random.range(0..=count as u64) as usize } else { count };
        for change in self.name_changes.drain(..synced) {
            change.apply(&mut self.durable_names);
        }
        self.forget_nameless();
        if fails { Err(DiskError::Failed) } else { Ok(()) }
    }

    fn read(&mut self, file: &FileName, offset: u64, length: u64) -> Result<Bytes, DiskError> {
        self.inode(file)?;
        if self.read_errors.strikes() {
            return Err(DiskError::Failed);
        }
        self.view().slice(file, offset, length).map(Bytes::from)
    }

    /// Drops the files that neither the running system nor the medium has a name for, nor an
    /// unsynced change of names.
    fn forget_nameless(&mut self) {
        let named = |inode: &Inode| {
            self.cached_names.values().chain(self.durable_names.values()).any(|named| named == inode)
                || self.name_changes.iter().any(|change| match change {
                    NameChange::Create(_, created) => created == inode,
                    NameChange::Rename(_, _, renamed) => renamed == inode,
                    NameChange::Remove(_) => false,
                })
        };
        let nameless: Vec<Inode> = self.files.keys().filter(|inode| !named(inode)).copied().collect();
        for inode in nameless {
            self.files.remove(&inode);
        }
    }
}
