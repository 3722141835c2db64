//! A disk as a [`Directory`]: with the page cache, or without.

use zabrus_core::storage::{Directory, DiskError, FileName};

use super::{Disk, Names};

/// What recovery can read of a disk.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(super) disk: &'a Disk,
    pub(super) durable: bool,
}

impl<'a> View<'a> {
    /// The whole content of a file, without a copy, readable or not.
    #[must_use]
    pub fn bytes(self, file: &FileName) -> Option<&'a [u8]> {
        let file = &self.disk.files[self.names().get(file)?];
        Some(if self.durable { &file.durable } else { &file.cached })
    }

    fn names(self) -> &'a Names {
        if self.durable { &self.disk.durable_names } else { &self.disk.cached_names }
    }

    pub(super) fn slice(self, name: &FileName, offset: u64, length: u64) -> Result<&'a [u8], DiskError> {
        let bytes = self.bytes(name).ok_or(DiskError::NotFound)?;
        let start = offset.min(bytes.len() as u64);
        let end = offset.saturating_add(length).min(bytes.len() as u64);
        if !self.disk.files[&self.names()[name]].is_readable(start, end - start) {
            return Err(DiskError::Failed);
        }
        Ok(&bytes[start as usize..end as usize])
    }
}

impl Directory for View<'_> {
    fn list(&self) -> Vec<(FileName, u64)> {
        let length = |name| self.bytes(name).map_or(0, |bytes| bytes.len() as u64);
        self.names().keys().map(|name| (name.clone(), length(name))).collect()
    }

    fn read(&self, file: &FileName, offset: u64, length: u64) -> Result<Vec<u8>, DiskError> {
        self.slice(file, offset, length).map(<[u8]>::to_vec)
    }
}
