//! Names and compression of Apache's files (client.md sections 23.1 and 23.3).

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use zabrus_core::identity::Zxid;

use super::super::{At, DataError};
use crate::disk::APACHE_SUBDIRECTORY;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Then come two versions, four bytes each, and blocks: a length and raw snappy.
const SNAPPY_MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const SNAPPY_HEADER_BYTES: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Snapshot,
    Log,
}

/// The directory with the files: `version-2` below the one that zoo.cfg names, or that itself.
pub(super) fn versioned(directory: &Path) -> Result<PathBuf, DataError> {
    let below = directory.join(APACHE_SUBDIRECTORY);
    if below.is_dir() {
        return Ok(below);
    }
    if directory.file_name().is_some_and(|name| name == APACHE_SUBDIRECTORY) && directory.is_dir() {
        return Ok(directory.into());
    }
    Err(DataError::new(directory, format!("there is no directory {APACHE_SUBDIRECTORY} of Apache ZooKeeper")))
}

/// The snapshots or logs, by the zxid in their names.
pub(super) fn list(directory: &Path, kind: Kind) -> Result<Vec<(Zxid, PathBuf)>, DataError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).at(directory)? {
        let path = entry.at(directory)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let digits = match kind {
            Kind::Log => name.strip_prefix("log."),
            Kind::Snapshot => name
                .strip_prefix("snapshot.")
                .map(|rest| rest.strip_suffix(".gz").or(rest.strip_suffix(".snappy")).unwrap_or(rest)),
        };
        if let Some(zxid) = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            files.push((Zxid(zxid), path));
        }
    }
    files.sort();
    Ok(files)
}

/// The bytes of a file, plain. How it is compressed is told by its first bytes, as its name may be lost.
pub(crate) fn unpacked(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    if bytes.starts_with(&GZIP_MAGIC) {
        let mut plain = Vec::new();
        let read = MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain);
        return read.map(|_| plain).map_err(|error| format!("gzip: {error}"));
    }
    if bytes.starts_with(&SNAPPY_MAGIC) {
        return unsnapped(&bytes).ok_or_else(|| "snappy: a block is damaged or missing".into());
    }
    Ok(bytes)
}

fn unsnapped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.get(SNAPPY_HEADER_BYTES..)?;
    let mut plain = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        // Where one stream was appended to another its header stands again.
        if rest.starts_with(&SNAPPY_MAGIC) {
            rest = rest.get(SNAPPY_HEADER_BYTES..)?;
            continue;
        }
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (block, after) = after.split_at_checked(length)?;
        plain.extend(snap::raw::Decoder::new().decompress_vec(block).ok()?);
        rest = after;
    }
    rest.is_empty().then_some(plain)
}
