//! What the tests share: a disk that never fails, and a bench for one replica.
#![allow(unreachable_pub, reason = "each test takes what it needs")]

pub mod bench;
pub mod client;
pub mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use zabrus_core::Bytes;
use zabrus_core::storage::{Directory, DiskError, FileName, FileOperation};

#[derive(Default)]
pub struct Disk(pub BTreeMap<FileName, Vec<u8>>);

impl Directory for Disk {
    fn list(&self) -> Vec<(FileName, u64)> {
        self.0.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect()
    }

    fn read(&self, file: &FileName, offset: u64, length: u64) -> Result<Vec<u8>, DiskError> {
        let bytes = self.0.get(file).ok_or(DiskError::NotFound)?;
        let from = bytes.len().min(offset as usize);
        let to = bytes.len().min(from + length as usize);
        Ok(bytes[from..to].to_vec())
    }
}

impl Disk {
    pub fn carry_out(&mut self, operation: FileOperation) -> Result<Bytes, DiskError> {
        match operation {
            FileOperation::Create { file } => drop(self.0.insert(file, Vec::new())),
            FileOperation::Preallocate { file, length } => {
                let bytes = self.0.get_mut(&file).ok_or(DiskError::NotFound)?;
                bytes.resize(bytes.len().max(length as usize), 0);
            }
            FileOperation::Write { file, offset, bytes: new } => {
                let bytes = self.0.get_mut(&file).ok_or(DiskError::NotFound)?;
                bytes.resize(bytes.len().max(offset as usize + new.len()), 0);
                bytes[offset as usize..offset as usize + new.len()].copy_from_slice(&new);
            }
            FileOperation::Truncate { file, length } => {
                self.0.get_mut(&file).ok_or(DiskError::NotFound)?.truncate(length as usize);
            }
            FileOperation::Rename { from, to } => {
                let bytes = self.0.remove(&from).ok_or(DiskError::NotFound)?;
                self.0.insert(to, bytes);
            }
            FileOperation::Remove { file } => drop(self.0.remove(&file)),
            FileOperation::Sync { .. } | FileOperation::SyncDirectory => {}
            FileOperation::Read { file, offset, length } => {
                return Ok(Arc::from(self.read(&file, offset, length)?));
            }
        }
        Ok(Arc::from(Vec::new()))
    }
}
