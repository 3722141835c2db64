//! The bytes of a log segment.
//!
//! ```text
//! 0      512                       4096
//! header slot slot ... slot (7)    record record ... record 0 0 0 (allocated ahead)
//! ```
//!
//! A record proves by its checksum that it is whole and in its place, and by its digest that it
//! continues the one before it. What no chain of records can prove is that none is missing at its
//! end. That is what the slots are for: each group commit leaves one, and the slot with the highest
//! number in the directory says how far the log must reach.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::identity::{HistoryDigest, Position, Zxid};

/// Where the records begin.
pub const BLOCK_BYTES: u64 = 4096;
/// A disk writes this many bytes as a unit: what must not be torn together is kept apart.
const SECTOR_BYTES: usize = 512;
const SLOTS: u64 = 7;
/// A new segment has this many slots, so that no single damage takes the only one.
pub(super) const NEW_SLOTS: u64 = 2;
/// No server ever writes so many commits: a larger number is damage, and must not be counted on.
const NUMBER_LIMIT: u64 = 1 << 62;
const MAGIC: [u8; 8] = *b"ZABRLOG1";
const HEADER_BYTES: usize = 36;
const SLOT_BYTES: usize = 28;
/// Length, checksum, zxid, digest.
const RECORD_HEADER_BYTES: usize = 24;

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The position before the first record.
    pub base: Position,
    /// The number of the first slot: a segment older than a received snapshot is dead.
    pub number: u64,
}

/// What one group commit leaves beside its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Strictly increasing over all segments of the directory.
    pub number: u64,
    /// The last record of this commit.
    pub intent: Zxid,
    /// The last record known to be durable before it.
    pub durable: Zxid,
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

pub(super) fn position_at(bytes: &[u8], at: usize) -> Option<Position> {
    Some(Position { zxid: Zxid(u64_at(bytes, at)?), digest: HistoryDigest(u64_at(bytes, at + 8)?) })
}

/// The number of a commit.
pub(super) fn number_at(bytes: &[u8], at: usize) -> Option<u64> {
    u64_at(bytes, at).filter(|number| *number < NUMBER_LIMIT)
}

/// Appends the checksum of what is in `bytes`.
pub(super) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// Whether the last four of `bytes` are the checksum of the others.
pub(super) fn is_sealed(bytes: &[u8]) -> bool {
    let Some((body, checksum)) = bytes.split_last_chunk() else { return false };
    crc32fast::hash(body) == u32::from_le_bytes(*checksum)
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.base.zxid.0.to_le_bytes());
        bytes.extend(self.base.digest.0.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        seal(bytes)
    }

    /// The header of the segment that begins with `file`, if it is undamaged.
    #[must_use]
    pub fn decode(file: &[u8]) -> Option<Self> {
        let bytes = file.get(..HEADER_BYTES)?;
        if !is_sealed(bytes) || !bytes.starts_with(&MAGIC) {
            return None;
        }
        Some(Self { base: position_at(bytes, 8)?, number: number_at(bytes, 24)? })
    }
}

impl Slot {
    /// Where the slot belongs: a torn slot harms none of the six before it.
    pub(super) fn offset(&self) -> u64 {
        (1 + self.number % SLOTS) * SECTOR_BYTES as u64
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.number.to_le_bytes().to_vec();
        bytes.extend(self.intent.0.to_le_bytes());
        bytes.extend(self.durable.0.to_le_bytes());
        seal(bytes)
    }

    /// The undamaged slots of the segment that begins with `file`.
    pub fn all(file: &[u8]) -> impl Iterator<Item = Self> {
        file.chunks(SECTOR_BYTES).take(1 + SLOTS as usize).skip(1).filter_map(|sector| {
            let bytes = sector.get(..SLOT_BYTES).filter(|bytes| is_sealed(bytes))?;
            Some(Self {
                number: number_at(bytes, 0)?,
                intent: Zxid(u64_at(bytes, 8)?),
                durable: Zxid(u64_at(bytes, 16)?),
            })
        })
    }
}

/// The first bytes of a new segment.
pub(super) fn new_block(header: Header) -> Vec<u8> {
    let mut block = vec![0; BLOCK_BYTES as usize];
    let mut put = |offset: usize, bytes: &[u8]| block[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, &header.encode());
    for number in header.number..header.number + NEW_SLOTS {
        let slot = Slot { number, intent: header.base.zxid, durable: header.base.zxid };
        put(slot.offset() as usize, &slot.encode());
    }
    block
}

/// The bytes that the record of a payload of `payload` bytes takes.
pub(super) fn record_bytes(payload: usize) -> u64 {
    (RECORD_HEADER_BYTES + payload) as u64
}

/// The checksum covers the place as well, so that a misdirected write is no record.
fn record_checksum(offset: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// Appends the record at `offset` of its file to `bytes`.
pub(super) fn encode_record(bytes: &mut Vec<u8>, offset: u64, position: Position, payload: &[u8]) {
    let length = (RECORD_HEADER_BYTES - 8 + payload.len()) as u32;
    let start = bytes.len();
    bytes.extend(length.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(position.zxid.0.to_le_bytes());
    bytes.extend(position.digest.0.to_le_bytes());
    bytes.extend(payload);
    let checksum = record_checksum(offset, &bytes[start + 8..]);
    bytes[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// Whether `zxid` may come right after `previous`: the next of the same epoch, or the first of a
/// higher one.
#[must_use]
pub fn follows(previous: Zxid, zxid: Zxid) -> bool {
    if zxid.epoch() == previous.epoch() {
        previous.counter().checked_add(1) == Some(zxid.counter())
    } else {
        zxid.epoch() > previous.epoch() && zxid.counter() == 1
    }
}

/// The highest zxid within `range` of all records in `bytes`, connected or not. For logs with a
/// hole: what lies behind it was acknowledged as well.
pub(super) fn highest_record(offset: u64, bytes: &[u8], range: RangeInclusive<Zxid>) -> Option<Zxid> {
    let record = |at: usize| {
        let rest = &bytes[at..];
        let zxid = u64_at(rest, 8).map(Zxid).filter(|zxid| range.contains(zxid))?;
        let body = rest.get(8..(u32_at(rest, 0)? as usize).checked_add(8)?)?;
        (u32_at(rest, 4)? == record_checksum(offset + at as u64, body)).then_some(zxid)
    };
    (0..bytes.len()).filter_map(record).max()
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The transaction and the digest of the history that ends with it.
    pub position: Position,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// The valid records in a part of a segment, up to the first that is not. To follow a growing
/// segment, go on from [`Records::end`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    offset: u64,
    last: Position,
}

impl<'a> Records<'a> {
    /// `bytes` are those of the file from `offset` on; `last` is the position before them.
    #[must_use]
    pub fn new(last: Position, offset: u64, bytes: &'a [u8]) -> Self {
        Self { bytes, offset, last }
    }

    /// The last valid record so far, and the offset behind it.
    #[must_use]
    pub fn end(&self) -> (Position, u64) {
        (self.last, self.offset)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let length = u32_at(self.bytes, 0)? as usize;
        let body = self.bytes.get(8..length.checked_add(8)?)?;
        let position = position_at(body, 0)?;
        let payload = &body[16..];
        if u32_at(self.bytes, 4)? != record_checksum(self.offset, body)
            || !follows(self.last.zxid, position.zxid)
            || self.last.extend(position.zxid, payload) != position
        {
            return None;
        }
        self.offset += record_bytes(payload.len());
        self.bytes = &self.bytes[8 + length..];
        self.last = position;
        Some(Record { position, payload })
    }
}
