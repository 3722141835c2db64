//! The recording of one life of a server: everything on which its replica depends, from what
//! recovery read to the last input, and enough of what came of it to see that a replay is the same.
//!
//! A replica has no clock, no entropy and no I/O of its own, so the same inputs always lead to the
//! same outputs. A driver writes [`MAGIC`] and then one [`Record`] after the other, in this order:
//!
//! ```text
//! Program  Config  Listed  (Piece* Read)*  Start  Input*  End
//! ```
//!
//! The end of a recording may be missing or torn, as after `kill -9`: what is whole is replayed.

mod chain;
mod directory;
mod replay;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::config::Config;
use crate::identity::Bytes;
use crate::io::Input;
use crate::storage::{DiskError, FileName};
use crate::time::Now;

pub use chain::{Chain, Landmark};
pub use directory::Watched;
pub use replay::{Progress, Replay, ReplayError};

/// A recording begins with this.
pub const MAGIC: [u8; 8] = *b"ZABRREC1";

/// Before each record: its length, then its CRC-32.
const HEADER_BYTES: usize = 8;

/// What recovery read is cut into pieces of at most so many bytes.
const PIECE_BYTES: usize = 1 << 20;

/// One thing in a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The version of the program. Only that version is sure to read the rest and to replay it.
    Program(String),
    /// The settings of the server. Recovery begins.
    Config(Box<Config>),
    /// The files of the data directory and their lengths, as recovery was told.
    Listed(Vec<(FileName, u64)>),
    /// A piece of what recovery read.
    Piece(#[serde(with = "crate::codec::bytes")] Bytes),
    /// Recovery read from a file; the pieces since the last [`Record::Read`] are what it got.
    Read {
        /// The file.
        file: FileName,
        /// In bytes from the start.
        offset: u64,
        /// How many bytes it asked for.
        length: u64,
        /// How many it got: the pieces, then zeros.
        answer: Result<u64, DiskError>,
    },
    /// The replica starts.
    Start {
        /// Its entropy.
        seed: [u8; 32],
        /// The time.
        now: Now,
    },
    /// The replica takes an input.
    Input {
        /// The [`Chain`] over everything that came of the inputs before.
        chain: u64,
        /// The time.
        now: Now,
        /// The input.
        input: Input,
    },
    /// The life ended in order: there was no other input.
    End {
        /// The [`Chain`] over everything.
        chain: u64,
    },
}

/// A record with its header, as it stands in a recording. `None` if it is too large to be read
/// again.
#[must_use]
pub fn encode(record: &Record) -> Option<Vec<u8>> {
    let payload = codec::encode(record);
    if payload.len() > codec::RECORD_LIMIT {
        return None;
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(&payload).to_le_bytes());
    bytes.extend(payload);
    Some(bytes)
}

/// The records of a recording, up to the first that is not whole.
#[derive(Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Those behind [`MAGIC`]; `None` if that is missing.
    #[must_use]
    pub fn new(recording: &'a [u8]) -> Option<Self> {
        recording.strip_prefix(&MAGIC).map(|rest| Self { rest })
    }

    /// The bytes from the next record on.
    #[must_use]
    pub fn rest(&self) -> usize {
        self.rest.len()
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let (header, rest) = self.rest.split_first_chunk::<HEADER_BYTES>()?;
        let [l0, l1, l2, l3, checksum @ ..] = *header;
        let (payload, rest) = rest.split_at_checked(u32::from_le_bytes([l0, l1, l2, l3]) as usize)?;
        if crc32fast::hash(payload) != u32::from_le_bytes(checksum) {
            return None;
        }
        let record = codec::decode(payload).ok()?;
        self.rest = rest;
        Some(record)
    }
}
