//! Cutting a byte stream into frames (client.md section 2).

use alloc::vec::Vec;
use core::fmt;

/// The largest frame that a client may send, in bytes, unless the operator sets another
/// (`jute.maxbuffer`).
pub const FRAME_LIMIT: usize = 0xf_ffff;

/// A frame is longer than allowed, or its length is negative: the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLong(
    /// The length that the stream gave.
    pub i32,
);

impl fmt::Display for FrameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a frame of {} bytes is not allowed", self.0)
    }
}

/// Collects the bytes of one connection and gives out whole frames, without their lengths. It never
/// holds room for more than what has arrived.
#[derive(Debug)]
pub struct Frames {
    limit: usize,
    bytes: Vec<u8>,
    /// Where the next frame begins.
    start: usize,
}

impl Frames {
    /// For a stream whose frames have at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), start: 0 }
    }

    /// More bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What has arrived and was not given out.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// If the stream cannot go on.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameTooLong> {
        let Some((length, rest)) = self.bytes[self.start..].split_first_chunk() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        let wanted = usize::try_from(length).ok().filter(|wanted| *wanted <= self.limit);
        let wanted = wanted.ok_or(FrameTooLong(length))?;
        if rest.len() < wanted {
            return Ok(None);
        }
        let from = self.start + 4;
        self.start = from + wanted;
        Ok(Some(&self.bytes[from..from + wanted]))
    }
}
