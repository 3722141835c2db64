//! The bytes of a snapshot file: header, chunks, footer.
//!
//! The header is written last: a file without one is not a snapshot, whatever else it holds.

use alloc::vec::Vec;

use xxhash_rust::xxh3::Xxh3;

use super::segment::{is_sealed, number_at, position_at, seal, u32_at, u64_at};
use super::{FileName, FileOperation};
use crate::identity::Position;
use crate::state::{State, StateBuilder};

const MAGIC: [u8; 8] = *b"ZABRSNP1";
pub(super) const HEADER_BYTES: usize = 37;
const CHUNK_HEADER_BYTES: usize = 8;
/// Takes the place of a chunk's length.
const FOOTER_MARK: u32 = u32::MAX;
const FOOTER_BYTES: usize = 20;

/// The header of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) label: Position,
    /// In the order of the commits ([`super::segment::Slot`]).
    pub(super) number: u64,
    /// The leader sent it: it replaces everything with a lower number, segments and snapshots
    /// (ZOOKEEPER-2832).
    pub(super) received: bool,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.label.zxid.0.to_le_bytes());
        bytes.extend(self.label.digest.0.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.push(u8::from(self.received));
        seal(bytes)
    }

    pub(super) fn decode(file: &[u8]) -> Option<Self> {
        let bytes = file.get(..HEADER_BYTES)?;
        if !is_sealed(bytes) || !bytes.starts_with(&MAGIC) {
            return None;
        }
        Some(Self { label: position_at(bytes, 8)?, number: number_at(bytes, 24)?, received: bytes[32] != 0 })
    }
}

/// Writes one snapshot file.
pub(super) struct Writer {
    pub(super) label: Position,
    file: FileName,
    offset: u64,
    chunks: u64,
    hasher: Xxh3,
}

impl Writer {
    pub(super) fn new(file: FileName, label: Position) -> Self {
        Self { label, file, offset: HEADER_BYTES as u64, chunks: 0, hasher: Xxh3::new() }
    }

    pub(super) fn create(&self) -> FileOperation {
        FileOperation::Create { file: self.file.clone() }
    }

    fn write(&mut self, bytes: Vec<u8>) -> FileOperation {
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        FileOperation::Write { file: self.file.clone(), offset, bytes: bytes.into() }
    }

    pub(super) fn chunk(&mut self, chunk: &[u8]) -> FileOperation {
        let mut bytes = (chunk.len() as u32).to_le_bytes().to_vec();
        bytes.extend(crc32fast::hash(chunk).to_le_bytes());
        bytes.extend(chunk);
        self.hasher.update(&bytes);
        self.chunks += 1;
        self.write(bytes)
    }

    /// Footer and header, to be synced by the caller.
    pub(super) fn finish(&mut self, number: u64, received: bool) -> [FileOperation; 2] {
        let mut footer = FOOTER_MARK.to_le_bytes().to_vec();
        footer.extend(self.chunks.to_le_bytes());
        footer.extend(self.hasher.digest().to_le_bytes());
        let footer = self.write(footer);
        let header = Header { label: self.label, number, received }.encode();
        [footer, FileOperation::Write { file: self.file.clone(), offset: 0, bytes: header.into() }]
    }

    pub(super) fn file(&self) -> FileName {
        self.file.clone()
    }

    /// The size of the file so far.
    pub(super) fn bytes(&self) -> u64 {
        self.offset
    }
}

/// Hands the chunks of an undamaged file to `each`, which may refuse one. `None` if anything in
/// the file is not as it was written.
fn read(file: &[u8], mut each: impl FnMut(&[u8]) -> Option<()>) -> Option<Position> {
    let header = Header::decode(file)?;
    let mut hasher = Xxh3::new();
    let mut chunks = 0;
    let mut rest = &file[HEADER_BYTES..];
    loop {
        let length = u32_at(rest, 0)?;
        if length == FOOTER_MARK {
            let whole = u64_at(rest, 4)? == chunks && u64_at(rest, 12)? == hasher.digest();
            return (whole && rest.len() == FOOTER_BYTES).then_some(header.label);
        }
        let end = (length as usize).checked_add(CHUNK_HEADER_BYTES)?;
        let chunk = rest.get(CHUNK_HEADER_BYTES..end)?;
        if u32_at(rest, 4)? != crc32fast::hash(chunk) {
            return None;
        }
        each(chunk)?;
        hasher.update(&rest[..end]);
        chunks += 1;
        rest = &rest[end..];
    }
}

/// The label and the state of an undamaged snapshot file.
pub(super) fn decode(file: &[u8]) -> Option<(Position, State)> {
    let mut builder = StateBuilder::default();
    let label = read(file, |chunk| builder.add(chunk).ok())?;
    Some((label, builder.finish().ok()?))
}

/// Whether a snapshot file is undamaged.
pub(super) fn is_valid(file: &[u8]) -> bool {
    read(file, |_| Some(())).is_some()
}
